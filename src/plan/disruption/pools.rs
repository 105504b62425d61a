//! Pools that roll: how many nodes, how many at a time, how long.

use std::fmt;
use std::ops::AddAssign;

use serde::Serialize;
use serde_json::Value;

use super::Facts;
use crate::fleet::model::{Cluster, GroupKind, MachineGroup, NodePool, Scale};
use crate::resource::{NodePoolName, ResourceId, Target};

/// A number of which only bounds are known where a pool follows its load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Count {
    /// At least.
    pub min: u32,
    /// At most.
    pub max: u32,
}

impl Count {
    /// A known number.
    pub fn exactly(count: u32) -> Self {
        Self { min: count, max: count }
    }

    /// The nodes of a pool.
    pub fn of(scale: Scale) -> Self {
        match scale {
            Scale::Replicas(count) => Self::exactly(count),
            Scale::Autoscale { min, max } => Self { min, max },
        }
    }

    /// Whether there are none for certain.
    pub fn is_zero(self) -> bool {
        self.max == 0
    }

    /// The larger of both, bound by bound.
    pub fn worse(self, other: Self) -> Self {
        Self {
            min: self.min.max(other.min),
            max: self.max.max(other.max),
        }
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.min = self.min.saturating_add(other.min);
        self.max = self.max.saturating_add(other.max);
    }
}

impl fmt::Display for Count {
    /// `7`, or `3–12`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.min == self.max {
            write!(f, "{}", self.max)
        } else {
            write!(f, "{}–{}", self.min, self.max)
        }
    }
}

/// How the nodes of a pool come to a new state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Rollout {
    /// New nodes take the place of the old ones.
    Replace,
    /// Each node is drained, updated and booted.
    InPlace,
    /// Nodes stay as they are until somebody deletes them.
    OnDelete,
    /// Nothing happens until the pool is no longer paused.
    Paused,
}

impl Rollout {
    /// Whether nodes go by themselves.
    pub fn disrupts(self) -> bool {
        matches!(self, Self::Replace | Self::InPlace)
    }
}

/// A pool that rolls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolRollout {
    /// The cluster, as the fleet files call it.
    pub cluster: String,
    /// The pool, as the fleet files call it.
    pub pool: String,
    /// The object that holds its size.
    pub object_name: String,
    /// How.
    pub how: Rollout,
    /// Its nodes: those that are there, else by the fleet files.
    pub nodes: Count,
    /// Nodes above the size during it.
    pub surge: u32,
    /// Nodes that may be missing during it.
    pub unavailable: u32,
    /// Estimated minutes.
    pub minutes: Count,
}

/// A pool as far as a rollout goes by it.
pub(super) struct Rolling<'a> {
    pub(super) name: &'a NodePoolName,
    pub(super) object_name: &'a str,
    group: &'static str,
    kind: &'static str,
    scale: Scale,
    how: Rollout,
    max_surge: Option<&'a Value>,
    max_unavailable: Option<&'a Value>,
}

/// What the object that is rendered says of it: a patch of the fleet files may say otherwise than their settings.
struct Said {
    how: Rollout,
    max_surge: Option<Value>,
    max_unavailable: Option<Value>,
}

impl Said {
    fn of(pool: &Rolling<'_>, rendered: Option<&Value>) -> Self {
        let at = |pointer: &str| {
            rendered
                .and_then(|object| object.pointer(pointer))
                .filter(|v| !v.is_null())
        };
        let is = |pointer: &str, word: &str| at(pointer).and_then(Value::as_str) == Some(word);
        let how = match at("/spec/management/upgradeType").and_then(Value::as_str) {
            Some("InPlace") => Rollout::InPlace,
            Some(_) => Rollout::Replace,
            None => pool.how,
        };
        let settings = match how {
            Rollout::InPlace => "/spec/management/inPlace",
            Rollout::Replace | Rollout::OnDelete | Rollout::Paused => "/spec/management/replace/rollingUpdate",
        };
        let setting = |name: &str, typed: Option<&Value>| at(&format!("{settings}/{name}")).or(typed).cloned();
        Self {
            // One that is paused until some time rolls when that has come, which may be by now.
            how: if is("/spec/pausedUntil", "true") {
                Rollout::Paused
            } else if how == Rollout::Replace && is("/spec/management/replace/strategy", "OnDelete") {
                Rollout::OnDelete
            } else {
                how
            },
            max_surge: setting("maxSurge", pool.max_surge),
            max_unavailable: setting("maxUnavailable", pool.max_unavailable),
        }
    }
}

impl<'a> Rolling<'a> {
    /// A pool of a hosted cluster.
    pub(super) fn hosted(pool: &'a NodePool) -> Self {
        let how = if pool.upgrade_type == "InPlace" {
            Rollout::InPlace
        } else {
            Rollout::Replace
        };
        Self {
            name: &pool.name,
            object_name: &pool.object_name,
            group: "hypershift.openshift.io",
            kind: "NodePool",
            scale: pool.scale,
            how,
            max_surge: pool.max_surge.as_ref(),
            max_unavailable: pool.max_unavailable.as_ref(),
        }
    }

    fn machines(pool: &'a MachineGroup) -> Self {
        Self {
            name: &pool.name,
            object_name: &pool.object_name,
            group: "cluster.x-k8s.io",
            kind: match pool.kind {
                GroupKind::MachineDeployment => "MachineDeployment",
                GroupKind::MachinePool | GroupKind::Managed | GroupKind::Virtual => "MachinePool",
            },
            scale: pool.scale,
            how: Rollout::Replace,
            max_surge: pool.max_surge.as_ref(),
            max_unavailable: pool.max_unavailable.as_ref(),
        }
    }

    /// All pools of a cluster.
    pub(super) fn of(cluster: &'a Cluster) -> impl Iterator<Item = Self> {
        let machines = cluster
            .machines()
            .into_iter()
            .flat_map(|machines| machines.pools.values());
        cluster
            .node_pools()
            .map(Self::hosted)
            .chain(machines.map(Self::machines))
    }
}

/// The rollout of a pool.
pub(super) fn rollout(cluster: &Cluster, pool: &Rolling<'_>, facts: Facts<'_>) -> PoolRollout {
    let id = ResourceId {
        target: Target::Kubernetes(cluster.management_cluster.clone()),
        group: pool.group.to_owned(),
        kind: pool.kind.to_owned(),
        namespace: Some(cluster.namespace.clone()),
        name: pool.object_name.to_owned(),
    };
    let nodes = (facts.nodes)(&id).unwrap_or_else(|| Count::of(pool.scale));
    let Said {
        how,
        max_surge,
        max_unavailable,
    } = Said::of(pool, (facts.wanted)(&cluster.name, &id).as_ref());
    // What holds where the files say nothing is the operator's own.
    let (surge, unavailable) = match how {
        Rollout::Replace => (
            share(max_surge.as_ref(), nodes.max, Round::Up).unwrap_or(1),
            share(max_unavailable.as_ref(), nodes.max, Round::Down).unwrap_or(0),
        ),
        Rollout::OnDelete | Rollout::Paused => (0, 0),
        // A share of few nodes may come to none, and one at a time it is then.
        Rollout::InPlace => (
            0,
            share(max_unavailable.as_ref(), nodes.max, Round::Down)
                .unwrap_or(1)
                .max(1),
        ),
    };
    let at_a_time = surge.saturating_add(unavailable).max(1);
    let lasts = if how.disrupts() { nodes } else { Count::default() };
    let minutes = |nodes: u32| nodes.div_ceil(at_a_time).saturating_mul(facts.pace.node_minutes);
    PoolRollout {
        cluster: cluster.name.to_string(),
        pool: pool.name.to_string(),
        object_name: pool.object_name.to_owned(),
        how,
        nodes,
        surge,
        unavailable,
        minutes: Count {
            min: minutes(lasts.min),
            max: minutes(lasts.max),
        },
    }
}

#[derive(Clone, Copy)]
enum Round {
    Up,
    Down,
}

/// A count, or a percentage of the nodes, rounded as Cluster API does.
fn share(value: Option<&Value>, nodes: u32, round: Round) -> Option<u32> {
    match value? {
        Value::Number(count) => u32::try_from(count.as_u64()?).ok(),
        Value::String(text) => {
            let percent: u64 = text.strip_suffix('%')?.parse().ok()?;
            let part = u64::from(nodes).checked_mul(percent)?;
            let whole = match round {
                Round::Up => part.div_ceil(100),
                Round::Down => part / 100,
            };
            u32::try_from(whole).ok()
        }
        _ => None,
    }
}
