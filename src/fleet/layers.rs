//! Layers, the later winning: built-in → fleet → environment → region (of either) → `Clusters` → cluster; for a node pool
//! all of these layers' `poolDefaults`, its profile, and then itself, layer by layer.
//!
//! Invariant: maps merge deeply, lists replace, `null` removes; whatever is merged keeps the place where it was written.

use super::node::{Entry, Node, Yaml};

/// Keys of which the nearest layer's one counts: setting one drops the others that farther layers set.
const EXCLUSIVE: &[&[&str]] = &[
    &["replicas", "autoscale"],
    &["version", "ring"],
    &["failureDomain", "failureDomains"],
    &["existing", "shared", "vcn"],
];
/// Keys whose value is merged over a rendered object later on, so that a `null` in it has to last until then.
const PATCHES: &[&str] = &["hostedCluster", "nodePool", "patches"];
/// Keys whose maps hold the user's own keys, among which none excludes another.
const OPEN: &[&str] = &[
    "labels",
    "annotations",
    "tags",
    "definedTags",
    "nodeLabels",
    "variables",
];

/// What a map of a merge means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Settings,
    /// The user's own keys.
    Open,
    /// Node pools by name.
    Pools,
    /// A node pool, in which a `null` has to last until its profile is merged in beneath; and what is in it.
    Pool,
    /// The user's own keys in a node pool.
    PoolOpen,
    /// A patch, in which a `null` has to last until it is merged over what is rendered.
    Patch,
}

impl Sort {
    fn below(self, key: &str) -> Self {
        match self {
            Self::Patch => Self::Patch,
            _ if PATCHES.contains(&key) => Self::Patch,
            Self::Pools => Self::Pool,
            Self::Settings if key == "pools" => Self::Pools,
            Self::Settings if matches!(key, "poolDefaults" | "controlPlane") => Self::Pool,
            Self::Settings if OPEN.contains(&key) => Self::Open,
            Self::Pool if OPEN.contains(&key) => Self::PoolOpen,
            Self::Settings | Self::Open | Self::Pool | Self::PoolOpen => self,
        }
    }

    fn excludes(self) -> bool {
        matches!(self, Self::Settings | Self::Pool)
    }

    fn keeps_null(self) -> bool {
        matches!(self, Self::Pool | Self::PoolOpen | Self::Patch)
    }
}

/// Merges a nearer layer over what the farther ones gave; `skip` names keys that are no settings.
pub(super) fn merge(base: &mut Node, over: &Node, skip: &[&str]) {
    merge_map(base, over, Sort::Settings, skip);
}

fn merge_map(base: &mut Node, over: &Node, sort: Sort, skip: &[&str]) {
    let Yaml::Map(entries) = &mut base.value else {
        base.clone_from(over);
        return;
    };
    for entry in over.entries() {
        if skip.contains(&&*entry.key) {
            continue;
        }
        let null = matches!(entry.value.value, Yaml::Null);
        if sort.excludes() && !null {
            for group in EXCLUSIVE.iter().filter(|group| group.contains(&&*entry.key)) {
                entries.retain(|other| *other.key == *entry.key || !group.contains(&&*other.key));
            }
        }
        let found = entries.iter().position(|other| other.key == entry.key);
        if null && !sort.keeps_null() {
            if let Some(found) = found {
                entries.remove(found);
            }
            continue;
        }
        let below = sort.below(&entry.key);
        match found {
            Some(found) => {
                let Some(old) = entries.get_mut(found) else { continue };
                old.place = entry.place;
                if matches!((&old.value.value, &entry.value.value), (Yaml::Map(_), Yaml::Map(_))) {
                    old.value.place = entry.value.place;
                    merge_map(&mut old.value, &entry.value, below, &[]);
                } else {
                    old.value = settled(&entry.value, below);
                }
            }
            None => entries.push(Entry {
                key: entry.key.clone(),
                place: entry.place,
                value: settled(&entry.value, below),
            }),
        }
    }
}

/// A copy without the `null`s, which have nothing to remove.
fn settled(node: &Node, sort: Sort) -> Node {
    match &node.value {
        Yaml::Map(_) if !sort.keeps_null() => {
            let mut copy = Node {
                place: node.place,
                value: Yaml::Map(Vec::new()),
            };
            merge_map(&mut copy, node, sort, &[]);
            copy
        }
        _ => node.clone(),
    }
}

/// Writes `pools: [a, b]` out as a map of pools, each with the profile of its name, and `pools: {a: }` as `{a: {}}`.
pub(super) fn spell_out_pools(settings: &mut Node) {
    let Yaml::Map(entries) = &mut settings.value else {
        return;
    };
    let Some(entry) = entries.iter_mut().find(|entry| &*entry.key == "pools") else {
        return;
    };
    if let Yaml::List(items) = &entry.value.value {
        let pools = items
            .iter()
            .filter_map(|item| {
                let name: Box<str> = item.as_str()?.into();
                let profile = Entry {
                    key: "profile".into(),
                    place: item.place,
                    value: item.clone(),
                };
                let value = Node {
                    place: item.place,
                    value: Yaml::Map(vec![profile]),
                };
                Some(Entry {
                    key: name,
                    place: item.place,
                    value,
                })
            })
            .collect();
        entry.value.value = Yaml::Map(pools);
    }
}

/// Whether setting the one key drops the other.
pub(super) fn excludes(key: &str, other: &str) -> bool {
    key != other
        && EXCLUSIVE
            .iter()
            .any(|group| group.contains(&key) && group.contains(&other))
}
