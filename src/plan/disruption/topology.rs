//! What the one object of a cluster of a class says of its pools, and which clusters are of a class.
//!
//! A server that knows the kind tells items of the list of pools apart by their names; one that does not has the list as a
//! whole. Both are read here.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::fleet::model::{Cluster, ClusterKind, Fleet};
use crate::plan::change::Change;
use crate::resource::{ResourceId, Target};

const WORKERS: &str = ".spec.topology.workers";
/// What of a pool makes its machines other ones.
const ROLLS: [&str; 3] = ["class", "failureDomain", "variables"];

/// What becomes of a cluster's pools.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Workers {
    /// Whose nodes are replaced.
    pub(super) rolled: BTreeSet<String>,
    /// That there were none of before.
    pub(super) new: BTreeSet<String>,
    /// Nodes that go and are not replaced.
    pub(super) removed: u32,
}

/// What is said of a pool's field, before and after.
type Sides = [Vec<Value>; 2];

/// What a change of a Cluster does to its pools.
pub(super) fn workers(change: &Change) -> Workers {
    let mut found = Workers::default();
    for (name, fields) in pools(change) {
        let of = |field: &str, side: usize| fields.get(field).and_then(|sides: &Sides| sides.get(side)?.first());
        let was = |field: &str| of(field, 0).is_some();
        let is = |field: &str| of(field, 1).is_some();
        let count = |side: usize| {
            let count = of("replicas", side).and_then(Value::as_u64)?;
            u32::try_from(count).ok()
        };
        if is("class") && !was("class") {
            found.new.insert(name);
            continue;
        }
        let is_gone = was("class") && !is("class");
        let after = if is_gone { Some(0) } else { count(1) };
        if let (Some(before), Some(after)) = (count(0), after) {
            found.removed = found.removed.saturating_add(before.saturating_sub(after));
        }
        let differs = |field: &&str| fields.get(*field).is_some_and(|[before, after]| before != after);
        if !is_gone && ROLLS.iter().any(differs) {
            found.rolled.insert(name);
        }
    }
    found
}

/// The pools that a change says anything of, each with the fields that it says it of.
fn pools(change: &Change) -> BTreeMap<String, BTreeMap<String, Sides>> {
    let mut pools: BTreeMap<String, BTreeMap<String, Sides>> = BTreeMap::new();
    let mut add = |pool: &str, field: &str, side: usize, value: &Value| {
        let sides = pools.entry(pool.to_owned()).or_default();
        if let Some(side) = sides.entry(field.to_owned()).or_default().get_mut(side) {
            side.push(value.clone());
        }
    };
    for diff in &change.fields {
        let Some(path) = diff.field.strip_prefix(WORKERS) else {
            continue;
        };
        for (side, value) in [&diff.before, &diff.after].into_iter().enumerate() {
            let Some(value) = value else { continue };
            let list = path.strip_prefix('.').unwrap_or_default();
            let mut item = |item: &Value| {
                let name = item.get("name").and_then(Value::as_str);
                for (field, value) in item.as_object().into_iter().flatten() {
                    add(name.unwrap_or_default(), field, side, value);
                }
            };
            match list.split_once("[name=") {
                None if list.is_empty() => {
                    let lists = value.as_object().into_iter().flat_map(|lists| lists.values());
                    lists.filter_map(Value::as_array).flatten().for_each(item);
                }
                None => value.as_array().into_iter().flatten().for_each(item),
                Some((_, rest)) => {
                    let Some((name, field)) = rest.split_once(']') else {
                        continue;
                    };
                    let field = field.strip_prefix('.').unwrap_or_default();
                    match field.split(['.', '[']).next().unwrap_or_default() {
                        "" => item(value),
                        field => add(name.trim_matches('"'), field, side, value),
                    }
                }
            }
        }
    }
    pools
}

/// The clusters that are of a class.
pub(super) fn of_class<'a>(class: &'a ResourceId, fleet: &'a Fleet) -> impl Iterator<Item = &'a Cluster> {
    fleet.clusters.values().filter(move |cluster| {
        let ClusterKind::Topology(own) = &cluster.kind else {
            return false;
        };
        let namespace = own.class.namespace.as_ref().unwrap_or(&cluster.namespace);
        own.class.name == class.name
            && class.namespace.as_ref() == Some(namespace)
            && class.target == Target::Kubernetes(cluster.management_cluster.clone())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::change::tests::change;
    use crate::plan::change::{Action, FieldDiff};

    fn found(fields: &[(&str, Value, Value)]) -> (Vec<String>, Vec<String>, u32) {
        let mut change = change("a", "Cluster", "a", Action::Update);
        let value = |value: &Value| (!value.is_null()).then(|| value.clone());
        change.fields = fields
            .iter()
            .map(|(field, before, after)| FieldDiff {
                field: format!(".spec.topology.workers{field}"),
                before: value(before),
                after: value(after),
                owner: None,
                replaces: false,
            })
            .collect();
        let Workers { rolled, new, removed } = workers(&change);
        (rolled.into_iter().collect(), new.into_iter().collect(), removed)
    }

    #[test]
    fn items_are_read_by_name_and_in_a_list_as_a_whole() {
        let item = |name: &str, class: &str, replicas: u32| json!({"name": name, "class": class, "replicas": replicas});
        let before = json!([item("a", "worker", 3), item("b", "worker", 2), item("c", "worker", 4)]);
        let after = json!([item("a", "worker", 1), item("b", "large", 2), item("d", "worker", 9)]);
        let want = (vec!["b".to_owned()], vec!["d".to_owned()], 2 + 4);
        assert_eq!(found(&[(".machineDeployments", before.clone(), after.clone())]), want);
        let within = |list: &Value| json!({"machinePools": list});
        assert_eq!(found(&[("", within(&before), within(&after))]), want);
        let one = |name: &str, field: &str| format!(".machineDeployments[name=\"{name}\"]{field}");
        let by_name = [
            (one("a", ".replicas"), json!(3), json!(1)),
            (one("b", ".class"), json!("worker"), json!("large")),
            (one("c", ".class"), json!("worker"), Value::Null),
            (one("c", ".replicas"), json!(4), Value::Null),
            (one("d", ""), Value::Null, item("d", "worker", 9)),
        ];
        let by_name: Vec<_> = by_name
            .iter()
            .map(|(field, before, after)| (field.as_str(), before.clone(), after.clone()))
            .collect();
        assert_eq!(found(&by_name), want);
    }

    #[test]
    fn a_pool_that_follows_its_load_from_now_on_loses_nothing_and_other_values_roll_it() {
        let replicas = ".machineDeployments[name=a].replicas";
        assert_eq!(found(&[(replicas, json!(3), Value::Null)]), (vec![], vec![], 0));
        let value = ".machineDeployments[name=a].variables.overrides[name=shape].value";
        let rolled = (vec!["a".to_owned()], vec![], 0);
        assert_eq!(found(&[(value, json!("x"), json!("y"))]), rolled);
        let annotation = ".machineDeployments[name=a].metadata.annotations.x";
        assert_eq!(found(&[(annotation, json!("x"), json!("y"))]), (vec![], vec![], 0));
    }
}
