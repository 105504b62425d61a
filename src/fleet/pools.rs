//! Node pools: `poolDefaults` → profile → the pool itself.
//!
//! Invariant: of two keys that exclude each other (`replicas`, `autoscale`) the nearest layer's counts.

use std::collections::BTreeMap;

use serde_json::Value;

use super::cluster::{Merged, Parts, present};
use super::decode::decode;
use super::index::Index;
use super::kind::Kind;
use super::layers::merge;
use super::model::{NodePool, Release, Scale, Taint};
use super::node::{Entry, Node, Place, Yaml};
use super::ocid::{self, Expected};
use super::problems::Problems;
use super::release;
use super::spec::{self, PoolSpec};
use crate::diag::{Code, Diagnostic};
use crate::resource::{NodePoolName, Ocid};

/// A pool's merged settings, for the places in them, and its own place.
pub(super) type PoolPlaces = BTreeMap<NodePoolName, (Node, Place)>;

/// Resolves all pools of a hosted cluster.
pub(super) fn resolve(parts: Parts<'_>, problems: &mut Problems<'_>) -> (BTreeMap<NodePoolName, NodePool>, PoolPlaces) {
    let Parts { merged, index, .. } = parts;
    let release = release::pools(merged, index, problems);
    let mut pools = BTreeMap::new();
    let mut places = PoolPlaces::new();
    for entry in &merged.pools {
        let Some(node) = layered(merged, entry, index, problems) else {
            continue;
        };
        let spec: PoolSpec = match decode(&node) {
            Ok(spec) => spec,
            Err(error) => {
                problems.add(
                    Diagnostic::new(Code::WrongType, error.message),
                    error.place.unwrap_or(entry.place),
                );
                continue;
            }
        };
        if let Some(pool) = pool(parts, (entry, &spec, &node), release.as_ref(), problems) {
            places.insert(pool.name.clone(), (node, entry.place));
            pools.insert(pool.name.clone(), pool);
        }
    }
    (pools, places)
}

/// The pool's layers merged.
pub(super) fn layered(merged: &Merged, entry: &Entry, index: &Index<'_>, problems: &mut Problems<'_>) -> Option<Node> {
    let mut node = Node {
        place: entry.place,
        value: Yaml::Map(Vec::new()),
    };
    if let Some(defaults) = merged.node.get("poolDefaults") {
        merge(&mut node, defaults, &[]);
    }
    if let Some(named) = entry
        .value
        .get("profile")
        .or_else(|| merged.node.at(&["poolDefaults", "profile"]))
    {
        let name = named.as_str()?;
        match index.get(Kind::NodePoolProfile, name) {
            Some(profile) if !index.is_broken(profile) => merge(&mut node, &profile.spec, &["profile"]),
            Some(_) => {
                let message = format!("the node pool profile `{name}` has an error");
                problems.add(Diagnostic::new(Code::Dangling, message), named.place);
                return None;
            }
            None => {
                let names = index.names(Kind::NodePoolProfile);
                let message = format!("there is no node pool profile called `{name}`");
                let mut problem = Diagnostic::new(Code::Dangling, message);
                problem.hints.extend(super::check::suggest(name, names));
                problems.add(problem, named.place);
                return None;
            }
        }
    }
    merge(&mut node, &entry.value, &[]);
    Some(node)
}

fn pool(
    parts: Parts<'_>,
    (entry, spec, node): (&Entry, &PoolSpec, &Node),
    release: Option<&Release>,
    problems: &mut Problems<'_>,
) -> Option<NodePool> {
    let (name, merged) = (&entry.key, parts.merged);
    let release = match node.get("version") {
        Some(typed) => release::release(typed.as_str()?, merged, typed.place, problems),
        None => release.cloned(),
    };
    let Some(shape) = spec.shape.clone() else {
        let message = format!("node pool `{name}` has no `shape`");
        let problem =
            Diagnostic::new(Code::MissingKey, message).hint("name a profile (`profile: <name>`), or set `shape`");
        problems.add(problem, entry.place);
        return None;
    };
    let scale = scale(spec, (entry, node), problems);
    let ocid = |text: &Option<String>, key: &str, kind: &str, problems: &mut Problems<'_>| -> Option<Ocid> {
        let text = text.as_ref()?;
        let place = node.get(key).map_or(entry.place, |node| node.place);
        let expected = Expected {
            key,
            kinds: &[kind],
            region: Some(parts.region),
        };
        Some(ocid::check(text, expected, place, problems))
    };
    let mut patch = merged.settings.node_pool.clone().unwrap_or_default();
    for (key, value) in spec.node_pool.clone().unwrap_or_default() {
        merge_patch(patch.entry(key).or_insert(Value::Null), value);
    }
    let name = NodePoolName::new(&**name);
    let pinned = parts.pin.node_pools.get(&name).cloned();
    Some(NodePool {
        object_name: pinned.unwrap_or_else(|| format!("{}-{name}", parts.pin.object_name)),
        name,
        release: release?,
        shape,
        ocpus: spec.ocpus,
        memory_gbs: spec.memory_gbs,
        boot_volume_gbs: spec.boot_volume_gbs,
        image: ocid(&spec.image, "image", "image", problems),
        subnet: ocid(&spec.subnet, "subnet", "subnet", problems),
        scale: scale?,
        arch: match spec.arch {
            Some(spec::Arch::Arm64) => "arm64",
            Some(spec::Arch::Amd64) | None => "amd64",
        }
        .to_owned(),
        upgrade_type: match spec.upgrade_type {
            Some(spec::UpgradeType::InPlace) => "InPlace",
            Some(spec::UpgradeType::Replace) | None => "Replace",
        }
        .to_owned(),
        max_surge: spec.max_surge.as_ref().map(count_or_percent),
        max_unavailable: spec.max_unavailable.as_ref().map(count_or_percent),
        auto_repair: spec.auto_repair.unwrap_or(false),
        node_labels: present(spec.node_labels.as_ref()),
        taints: spec.taints.iter().flatten().filter_map(|text| taint(text)).collect(),
        config: spec.config.clone().unwrap_or_default(),
        tuning: spec.tuning.clone().unwrap_or_default(),
        drain_timeout: spec.drain_timeout.clone(),
        volume_detach_timeout: spec.volume_detach_timeout.clone(),
        node_pool_patch: Value::Object(patch),
    })
}

pub(super) fn scale(spec: &PoolSpec, (entry, node): (&Entry, &Node), problems: &mut Problems<'_>) -> Option<Scale> {
    if let Some(replicas) = spec.replicas {
        return Some(Scale::Replicas(replicas));
    }
    let (min, max) = match spec.autoscale.as_ref() {
        Some(spec::Autoscale::Long(range)) => (range.min, range.max),
        Some(spec::Autoscale::Short(text)) => {
            let (min, max) = text.split_once('-')?;
            (min.parse().ok()?, max.parse().ok()?)
        }
        None => {
            let message = format!("node pool `{}` has no size", entry.key);
            let problem = Diagnostic::new(Code::MissingKey, message).hint("set `replicas: 3` or `autoscale: 3-12`");
            problems.add(problem, entry.place);
            return None;
        }
    };
    if min > max || max == 0 {
        let place = node.get("autoscale").map_or(entry.place, |node| node.place);
        let message = format!("autoscaling from {min} to {max} is no range");
        problems.add(
            Diagnostic::new(Code::NotAllowed, message).hint("the smaller number comes first"),
            place,
        );
        return None;
    }
    Some(Scale::Autoscale { min, max })
}

pub(super) fn count_or_percent(value: &spec::CountOrPercent) -> Value {
    match value {
        spec::CountOrPercent::Count(count) => Value::from(*count),
        spec::CountOrPercent::Percent(text) => Value::from(text.as_str()),
    }
}

/// `key=value:Effect`; its form is checked.
pub(super) fn taint(text: &str) -> Option<Taint> {
    let (left, effect) = text.rsplit_once(':')?;
    let (key, value) = match left.split_once('=') {
        Some((key, value)) => (key, Some(value.to_owned())),
        None => (left, None),
    };
    Some(Taint {
        key: key.to_owned(),
        value,
        effect: effect.to_owned(),
    })
}

/// Merges one patch over another: maps deeply, all else replaces; a `null` stays, as it is meant for what is rendered.
fn merge_patch(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                merge_patch(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over,
    }
}
