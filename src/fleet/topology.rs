//! A cluster that Cluster API makes as a ClusterClass says: what only that kind has.
//!
//! Invariant: what a class in the fleet files has no word for is refused here. Of a class that others made nothing is known:
//! Cluster API itself judges by it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::belongs;
use super::cluster::Parts;
use super::decode::decode;
use super::machines::{self, Sorts};
use super::model::{ClassRef, ClusterKind, GroupKind, Topology, TopologyControlPlane};
use super::node::{Node, Place};
use super::pools::PoolPlaces;
use super::problems::Problems;
use super::shape::quoted;
use super::spec::{self, Patch, PoolSpec};
use crate::diag::{Code, Diagnostic};

const SORTS: Sorts = &[
    (spec::GroupKind::MachineDeployment, GroupKind::MachineDeployment),
    (spec::GroupKind::MachinePool, GroupKind::MachinePool),
];
/// An OCICluster's name has 44 characters at most, and Cluster API puts six behind that of the cluster.
const LONGEST_NAME: usize = 38;
/// Machines of a control plane, as of a self-managed cluster.
const CONTROL_PLANE: u32 = 3;

/// Resolves it; none, and said why, where something lacks.
pub(super) fn resolve(parts: Parts<'_>, problems: &mut Problems<'_>) -> Option<(ClusterKind, PoolPlaces)> {
    let name = (
        "OCICluster, without the six characters that Cluster API adds",
        parts.pin.object_name.as_str(),
        LONGEST_NAME,
    );
    machines::name_fits(name, parts.place, problems);
    let (machines, places) = machines::resolve(parts, SORTS, problems)?;
    let (reference, place) = named(parts, problems)?;
    let found = find(parts, &reference);
    let class = found.map(Class::of);
    let control_plane = control_plane(parts, class.as_ref(), problems)?;
    let typed = parts.merged.node.get("variables");
    let variables = values(parts.merged.settings.variables.as_ref());
    if let Some(class) = &class {
        class.check_values((&variables, typed, place), problems);
        class.check_required(&variables, (&reference.name, place), problems);
        let own = parts.merged.node.at(&["controlPlane", "variables"]);
        class.check_values((&control_plane.variables, own, place), problems);
    }
    let mut told = BTreeSet::new();
    // What is wrong with a pool is so in each of its failure domains.
    for pool in machines.pools.values().filter(|pool| told.insert(&pool.pool)) {
        let (node, place) = places
            .get(&pool.name)
            .map_or((None, parts.place), |(node, place)| (Some(node), *place));
        let at = |key: &str| node.and_then(|node| node.get(key));
        let classes = class.as_ref().map(|class| class.workers(pool.kind));
        match (&pool.class, classes) {
            (None, classes) => {
                let message = format!("node pool `{}` has no `class`", pool.pool);
                let hint = classes.filter(|classes| !classes.is_empty()).map_or_else(
                    || "set `class: <name>`, one of the ClusterClass's `workers`".to_owned(),
                    |classes| format!("`{}` has {}", reference.name, all(classes)),
                );
                problems.add(Diagnostic::new(Code::MissingKey, message).hint(hint), place);
            }
            (Some(named), Some(classes)) if !classes.contains(named.as_str()) => {
                let message = format!("`{}` has no class `{named}` of {}s", reference.name, pool.kind.name());
                let hint = match classes.is_empty() {
                    true => "choose another `type` of pool, or add it to the ClusterClass".to_owned(),
                    false => format!("it has {}", all(classes)),
                };
                let place = at("class").map_or(place, |node| node.place);
                problems.add(Diagnostic::new(Code::Dangling, message).hint(hint), place);
            }
            (Some(_), _) => {}
        }
        if let Some(class) = &class {
            class.check_values((&pool.variables, at("variables"), place), problems);
        }
    }
    let own = Topology {
        class: ClassRef {
            is_ours: found.is_some(),
            ..reference
        },
        variables,
        control_plane,
        machines,
    };
    Some((ClusterKind::Topology(Box::new(own)), places))
}

/// The class that it names, and where; none, and said so, where it names none.
fn named(parts: Parts<'_>, problems: &mut Problems<'_>) -> Option<(ClassRef, Place)> {
    let typed = parts.merged.settings.class.as_deref();
    let place = parts.merged.node.get("class").map_or(parts.place, |node| node.place);
    let Some(text) = typed else {
        let message = format!("cluster `{}` has no `class`", parts.name);
        let hint = "set `class: <namespace>/<name>`, a ClusterClass on its management cluster";
        problems.add(Diagnostic::new(Code::MissingKey, message).hint(hint), place);
        return None;
    };
    let (namespace, name) = match text.split_once('/') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, text),
    };
    let reference = ClassRef {
        namespace: namespace.filter(|it| *it != parts.namespace).map(str::to_owned),
        name: name.to_owned(),
        is_ours: false,
    };
    Some((reference, place))
}

/// The class, where the files have it: beside the cluster, or among what its management cluster gets.
fn find<'a>(parts: Parts<'a>, reference: &ClassRef) -> Option<&'a Value> {
    let is_it = |kind: Option<&Value>, metadata: Option<&Value>, default: &str| {
        let metadata = |key: &str| metadata.and_then(|it| it.get(key)).and_then(Value::as_str);
        kind.and_then(Value::as_str) == Some("ClusterClass")
            && metadata("name") == Some(&reference.name)
            && metadata("namespace").unwrap_or(default) == reference.namespace.as_deref().unwrap_or(parts.namespace)
    };
    let own = parts.merged.settings.extra_manifests.iter().flatten();
    let mut own = own.filter(|body| is_it(body.get("kind"), body.get("metadata"), parts.namespace));
    let there = parts
        .manager
        .model
        .extra_manifests
        .iter()
        .map(|manifest| &manifest.body);
    let mut there = there.filter(|body| is_it(body.get("kind"), body.get("metadata"), ""));
    match own.next() {
        Some(body) => body.get("spec"),
        None => there.next()?.get("spec"),
    }
}

/// What a class has.
struct Class<'a> {
    spec: &'a Value,
    variables: BTreeMap<&'a str, &'a Value>,
    /// Whether a program of somebody's tells of more variables.
    is_open: bool,
}

impl<'a> Class<'a> {
    fn of(spec: &'a Value) -> Self {
        let list = |key: &str| spec.get(key).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let named = |it: &'a Value| Some((it.get("name")?.as_str()?, it));
        Self {
            spec,
            variables: list("variables").iter().filter_map(named).collect(),
            is_open: list("patches").iter().any(|patch| patch.get("external").is_some()),
        }
    }

    /// Its classes of workers of a type.
    fn workers(&self, kind: GroupKind) -> BTreeSet<&'a str> {
        let list = match kind {
            GroupKind::MachineDeployment => "/workers/machineDeployments",
            GroupKind::MachinePool | GroupKind::Managed | GroupKind::Virtual => "/workers/machinePools",
        };
        let list = self.spec.pointer(list).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(|one| one.get("class")?.as_str()).collect()
    }

    /// Whether its control plane is made of machines.
    fn has_control_plane_of_machines(&self) -> bool {
        self.spec.pointer("/controlPlane/machineInfrastructure").is_some()
    }

    /// Reports values of variables that it has none of, and of another type than it has.
    fn check_values(
        &self,
        (values, typed, otherwise): (&BTreeMap<String, Value>, Option<&Node>, Place),
        problems: &mut Problems<'_>,
    ) {
        for (name, value) in values {
            let entry = typed.and_then(|node| node.entry(name));
            let Some(variable) = self.variables.get(name.as_str()) else {
                if !self.is_open {
                    let message = format!("the class has no variable `{name}`");
                    let mut problem = Diagnostic::new(Code::Dangling, message);
                    let names = self.variables.keys().copied();
                    problem.hints.extend(super::check::suggest(name, names));
                    problems.add(problem, entry.map_or(otherwise, |entry| entry.place));
                }
                continue;
            };
            let wanted = variable.pointer("/schema/openAPIV3Schema/type").and_then(Value::as_str);
            if let Some(wanted) = wanted.filter(|wanted| !is_of(value, wanted)) {
                let message = format!("the class wants `{name}` to be of type {wanted}");
                let mut problem = Diagnostic::new(Code::WrongType, message);
                if wanted == "string" {
                    problem.hints.push("put it in quotes".to_owned());
                }
                problems.add(problem, entry.map_or(otherwise, |entry| entry.value.place));
            }
        }
    }

    /// Reports variables that it wants a value of and has no default for.
    fn check_required(
        &self,
        values: &BTreeMap<String, Value>,
        (class, place): (&str, Place),
        problems: &mut Problems<'_>,
    ) {
        let is_required = |variable: &Value| {
            let default = variable.pointer("/schema/openAPIV3Schema/default");
            variable.get("required") == Some(&Value::Bool(true)) && default.is_none()
        };
        let wanted = self.variables.iter().filter(|(_, variable)| is_required(variable));
        let lacks: Vec<&str> = wanted
            .map(|(name, _)| *name)
            .filter(|name| !values.contains_key(*name))
            .collect();
        if !lacks.is_empty() {
            let message = format!(
                "the class `{class}` needs variables that have no value: {}",
                quoted(&lacks)
            );
            let hint = "set them under `variables`, here or in a layer that clusters of the class have in common";
            problems.add(Diagnostic::new(Code::MissingKey, message).hint(hint), place);
        }
    }
}

fn is_of(value: &Value, wanted: &str) -> bool {
    match wanted {
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    }
}

fn control_plane(
    parts: Parts<'_>,
    class: Option<&Class<'_>>,
    problems: &mut Problems<'_>,
) -> Option<TopologyControlPlane> {
    let usual = class
        .is_some_and(Class::has_control_plane_of_machines)
        .then_some(CONTROL_PLANE);
    let Some(node) = parts.merged.node.get("controlPlane") else {
        return Some(TopologyControlPlane {
            replicas: usual,
            ..TopologyControlPlane::default()
        });
    };
    belongs::check_control_plane(node, spec::ClusterKind::Topology, problems);
    let spec: PoolSpec = match decode(node) {
        Ok(spec) => spec,
        Err(error) => {
            let place = error.place.unwrap_or(node.place);
            problems.add(Diagnostic::new(Code::WrongType, error.message), place);
            return None;
        }
    };
    if let Some(typed) = node.get("replicas") {
        machines::odd(spec.replicas.unwrap_or(CONTROL_PLANE), typed.place, problems);
    }
    Some(TopologyControlPlane {
        replicas: spec.replicas.or(usual),
        variables: values(spec.variables.as_ref()),
        health_check: spec.health_check.as_ref().map(machines::health_check),
    })
}

/// What is set; what a nearer layer removed is not.
pub(super) fn values(typed: Option<&Patch>) -> BTreeMap<String, Value> {
    let typed = typed.into_iter().flat_map(Map::iter);
    typed
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn all(names: BTreeSet<&str>) -> String {
    quoted(&names.into_iter().collect::<Vec<_>>())
}
