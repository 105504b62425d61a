//! What self-managed and OKE clusters have in common: versions, machines, pools.
//!
//! Invariant: what Cluster API Provider OCI needs and nothing gives is reported here, with a place; its own checks come
//! only when the objects are there.

use std::collections::BTreeMap;

use semver::Version;
use serde_json::Value;

use super::belongs;
use super::cluster::{Parts, present};
use super::decode::decode;
use super::model::{Duration, GroupKind, HealthCheck, Machine, MachineGroup, Machines, Patches, ResourceSet};
use super::node::{Entry, Node, Place};
use super::ocid::{self, Expected};
use super::pools::{self, PoolPlaces};
use super::problems::Problems;
use super::spec::{self, Patch, PoolSpec};
use super::spread;
use super::topology;
use crate::diag::{Code, Diagnostic, Severity};
use crate::resource::NodePoolName;

/// What a pool of a cluster may be; the first where its file does not say.
pub(super) type Sorts = &'static [(spec::GroupKind, GroupKind)];

/// Resolves all but the control plane; none, and said why, where something lacks.
pub(super) fn resolve(parts: Parts<'_>, sorts: Sorts, problems: &mut Problems<'_>) -> Option<(Machines, PoolPlaces)> {
    let settings = &parts.merged.settings;
    if let Some(node) = parts.merged.node.get("manage")
        && matches!(settings.manage, Some(spec::Manage::Pools))
    {
        let message = format!("`manage: pools` is for hosted clusters, `{}` is none", parts.name);
        let problem = Diagnostic::new(Code::OtherKind, message).hint("set `manage: all`, `network` or `observe`");
        problems.add(problem, node.place);
    }
    // A class says itself where its machines are made.
    let by_class = settings.kind == Some(spec::ClusterKind::Topology);
    if settings.compartment.is_none() && !by_class {
        let message = format!(
            "cluster `{}` has no `compartment`, in which its machines are made",
            parts.name
        );
        let hint = "set it here, in its environment, or in `defaults` of the `Fleet` document";
        problems.add(Diagnostic::new(Code::MissingKey, message).hint(hint), parts.place);
    }
    let version = version(parts, problems);
    let mut pools = BTreeMap::new();
    let mut places = PoolPlaces::new();
    for entry in &parts.merged.pools {
        let Some((spec, node)) = typed(parts, entry, problems) else {
            continue;
        };
        if let Some(pool) = pool(parts, (entry, &spec, &node), (version.as_ref(), sorts), problems) {
            let spread = (&spec, &node, entry.place);
            for group in spread::groups(pool, spread, problems) {
                let name = group.name.clone();
                places.insert(name.clone(), (node.clone(), entry.place));
                let Some(other) = pools.insert(name.clone(), group) else {
                    continue;
                };
                let message = format!("two pools of `{}` come to be called `{name}`", parts.name);
                let hint = format!(
                    "a pool over several failure domains is called by its name and theirs: rename `{}` or the other",
                    other.pool
                );
                problems.add(Diagnostic::new(Code::NotAllowed, message).hint(hint), entry.place);
            }
        }
    }
    let machines = Machines {
        version: version?,
        patches: patches(parts.merged.node.get("patches"), problems),
        resource_sets: resource_sets(parts),
        pools,
    };
    Some((machines, places))
}

/// Its layers merged and read: of a pool, or of a control plane.
pub(super) fn typed(parts: Parts<'_>, entry: &Entry, problems: &mut Problems<'_>) -> Option<(PoolSpec, Node)> {
    let node = pools::layered(parts.merged, entry, parts.index, problems)?;
    match decode(&node) {
        Ok(spec) => Some((spec, node)),
        Err(error) => {
            let place = error.place.unwrap_or(entry.place);
            problems.add(Diagnostic::new(Code::WrongType, error.message), place);
            None
        }
    }
}

/// The version of Kubernetes.
fn version(parts: Parts<'_>, problems: &mut Problems<'_>) -> Option<Version> {
    match parts.merged.node.get("version") {
        Some(node) => kubernetes(node, problems),
        None => {
            let message = format!("cluster `{}` has no `version`", parts.name);
            let hint = "set `version: <x.y.z>`, a version of Kubernetes, here or in its environment";
            problems.add(Diagnostic::new(Code::MissingKey, message).hint(hint), parts.place);
            None
        }
    }
}

fn kubernetes(node: &Node, problems: &mut Problems<'_>) -> Option<Version> {
    let text = node.as_str()?;
    let version = Version::parse(text).ok().filter(|version| version.major == 1);
    if version.is_none() {
        let message = format!("`{text}` is no version of Kubernetes");
        let hint = "write it like `1.31.1`; OpenShift's versions are for clusters of `kind: hosted`";
        problems.add(Diagnostic::new(Code::NotAllowed, message).hint(hint), node.place);
    }
    version
}

fn pool(
    parts: Parts<'_>,
    (entry, spec, node): (&Entry, &PoolSpec, &Node),
    (cluster, sorts): (Option<&Version>, Sorts),
    problems: &mut Problems<'_>,
) -> Option<MachineGroup> {
    let name = &*entry.key;
    let of = parts.merged.settings.kind.unwrap_or_default();
    let sort = match spec.kind {
        None => sorts.first(),
        Some(kind) => sorts.iter().find(|(sort, _)| *sort == kind),
    };
    let Some((sort, kind)) = sort.copied() else {
        let words: Vec<&str> = sorts.iter().map(|(sort, _)| belongs::word(*sort)).collect();
        let message = format!(
            "node pool `{name}` can't be of this type in a cluster of kind `{}`",
            of.name()
        );
        let hint = format!("it is one of {}", super::shape::quoted(&words));
        let place = node.get("type").map_or(entry.place, |node| node.place);
        problems.add(Diagnostic::new(Code::NotAllowed, message).hint(hint), place);
        return None;
    };
    belongs::check_pool(&entry.value, (sort, of), problems);
    let by_class = of == spec::ClusterKind::Topology;
    // A class makes its workers of the cluster's version, and each machine as it says itself.
    let version = match node.get("version").filter(|_| !by_class) {
        Some(typed) => kubernetes(typed, problems),
        None => cluster.cloned(),
    };
    let machine = match by_class {
        true => Some(Machine::default()),
        false => machine(parts, (entry, spec, node), kind, problems),
    };
    let within = |typed: &Option<String>| typed.as_deref().and_then(Duration::parse);
    let by_one = kind == GroupKind::MachineDeployment;
    Some(MachineGroup {
        object_name: format!("{}-{name}", parts.pin.object_name),
        name: NodePoolName::new(name),
        pool: NodePoolName::new(name),
        version: version?,
        scale: pools::scale(spec, (entry, node), problems)?,
        class: spec.class.clone().filter(|_| by_class),
        variables: topology::values(spec.variables.as_ref().filter(|_| by_class)),
        machine: machine?,
        failure_domain: spec.failure_domain.clone().filter(|_| by_one),
        max_surge: spec.max_surge.as_ref().map(pools::count_or_percent),
        max_unavailable: spec.max_unavailable.as_ref().map(pools::count_or_percent),
        annotations: present(spec.annotations.as_ref()),
        node_labels: present(spec.node_labels.as_ref()),
        taints: spec
            .taints
            .iter()
            .flatten()
            .filter_map(|text| pools::taint(text))
            .collect(),
        drain: within(&spec.drain_timeout),
        volume_detach: within(&spec.volume_detach_timeout),
        health_check: spec.health_check.as_ref().filter(|_| by_one).map(health_check),
        patches: patches(node.get("patches"), problems),
        kind,
    })
}

/// One machine of a pool, or of a control plane.
pub(super) fn machine(
    parts: Parts<'_>,
    (entry, spec, node): (&Entry, &PoolSpec, &Node),
    kind: GroupKind,
    problems: &mut Problems<'_>,
) -> Option<Machine> {
    let name = &entry.key;
    let mut lack = |key: &str, hint: &str| {
        let problem = Diagnostic::new(Code::MissingKey, format!("the machines of `{name}` have no `{key}`"));
        problems.add(problem.hint(hint), entry.place);
    };
    let before = [spec.shape.is_none(), spec.image.is_none()];
    let [no_shape, no_image] = before.map(|lacks| lacks && kind != GroupKind::Virtual);
    if no_shape {
        lack("shape", "name a profile (`profile: <name>`), or set `shape`");
    }
    // OKE has images of its own.
    if no_image && kind != GroupKind::Managed {
        lack("image", "set `image: <OCID>` here, in its profile or in `poolDefaults`");
    }
    let checked = |text: &Option<String>, key: &str, problems: &mut Problems<'_>| {
        let text = text.as_ref()?;
        let place = node.get(key).map_or(entry.place, |node| node.place);
        let expected = Expected {
            key,
            kinds: &[key],
            region: Some(parts.region),
        };
        Some(ocid::check(text, expected, place, problems))
    };
    flexible(
        spec,
        (name, node.get("shape").map_or(entry.place, |node| node.place)),
        problems,
    );
    Some(Machine {
        image: checked(&spec.image, "image", problems),
        subnet: checked(&spec.subnet, "subnet", problems),
        shape: spec.shape.clone().filter(|_| kind != GroupKind::Virtual),
        ocpus: spec.ocpus,
        memory_gbs: spec.memory_gbs,
        boot_volume_gbs: spec.boot_volume_gbs,
        ssh_public_key: parts.merged.settings.ssh_public_key.clone(),
    })
}

/// A flexible shape needs a number of processors; its memory follows from that unless it is typed.
fn flexible(spec: &PoolSpec, (name, place): (&str, Place), problems: &mut Problems<'_>) {
    let Some(shape) = &spec.shape else { return };
    let mut severity = Severity::Error;
    let message = match (
        shape.ends_with(".Flex"),
        spec.ocpus.is_some() || spec.memory_gbs.is_some(),
    ) {
        (true, _) if spec.ocpus.is_none() => format!("`{name}`: the flexible shape `{shape}` needs `ocpus`"),
        (false, true) => {
            severity = Severity::Warning;
            format!("`{name}`: the size of shape `{shape}` is fixed, `ocpus` and `memoryInGBs` change nothing")
        }
        _ => return,
    };
    let mut problem = Diagnostic::new(Code::FlexShape, message);
    problem.severity = severity;
    problems.rule(problem, place);
}

/// Raw patches; their keys are checked.
pub(super) fn patches(node: Option<&Node>, problems: &mut Problems<'_>) -> Patches {
    let Some(node) = node else { return Patches::new() };
    match decode::<BTreeMap<String, Option<Patch>>>(node) {
        Ok(typed) => typed
            .into_iter()
            .filter_map(|(kind, patch)| Some((kind, Value::Object(patch?))))
            .collect(),
        Err(error) => {
            let place = error.place.unwrap_or(node.place);
            problems.add(Diagnostic::new(Code::WrongType, error.message), place);
            Patches::new()
        }
    }
}

/// With what is usual where nothing is typed.
pub(super) fn health_check(typed: &spec::HealthCheck) -> HealthCheck {
    let within = |typed: &Option<String>, seconds| {
        let typed = typed.as_deref().and_then(Duration::parse);
        typed.unwrap_or_else(|| Duration::of(seconds))
    };
    HealthCheck {
        unhealthy: within(&typed.unhealthy, 5 * 60),
        startup: within(&typed.startup, 20 * 60),
        max_unhealthy: typed.max_unhealthy.as_ref().map(pools::count_or_percent),
    }
}

fn resource_sets(parts: Parts<'_>) -> BTreeMap<String, ResourceSet> {
    let typed = parts.merged.settings.resource_sets.iter().flatten();
    typed
        .filter_map(|(name, set)| {
            let set = set.clone()?;
            let set = ResourceSet {
                config_maps: set.config_maps.unwrap_or_default(),
                secrets: set.secrets.unwrap_or_default(),
                strategy: match set.strategy {
                    Some(spec::ApplyStrategy::Reconcile) => "Reconcile",
                    Some(spec::ApplyStrategy::ApplyOnce) | None => "ApplyOnce",
                }
                .to_owned(),
            };
            Some((name.clone(), set))
        })
        .collect()
}

/// Reports a control plane whose machines could not outvote each other.
pub(super) fn odd(replicas: u32, place: Place, problems: &mut Problems<'_>) {
    if replicas.is_multiple_of(2) {
        let message = format!("a control plane of {replicas} machines: etcd needs an odd number");
        problems.add(Diagnostic::new(Code::NotAllowed, message).hint("set 1, 3 or 5"), place);
    }
}

/// Reports a name that Cluster API Provider OCI takes no longer than so.
pub(super) fn name_fits((what, name, most): (&str, &str, usize), place: Place, problems: &mut Problems<'_>) {
    if name.len() > most {
        let message = format!("the name of the {what}, `{name}`, has {} characters", name.len());
        let problem = Diagnostic::new(Code::CapociName, message).hint(format!(
            "Cluster API Provider OCI takes {most} at most; choose a shorter name"
        ));
        problems.rule(problem, place);
    }
}
