//! On which management cluster a control plane runs.
//!
//! Invariant: what the lock says stays, unless the files name another one; a new cluster goes where the share of used
//! capacity is smallest.

use std::collections::BTreeMap;

use super::lock::{Lock, LockedCluster};
use super::node::Place;
use super::problems::Problems;
use super::shared::{Management, Manager};
use crate::diag::{Code, Diagnostic};
use crate::resource::ManagementClusterName;

/// How many clusters each management cluster has.
pub(super) type Load = BTreeMap<ManagementClusterName, u32>;

/// What the lock has placed.
pub(super) fn load(lock: &Lock) -> Load {
    let mut load = Load::new();
    for pin in lock.clusters.values() {
        *load.entry(pin.management_cluster.clone()).or_default() += 1;
    }
    load
}

/// What is asked for.
#[derive(Clone, Copy)]
pub(super) struct Wish<'a> {
    pub(super) cluster: &'a str,
    pub(super) environment: &'a str,
    pub(super) region: &'a str,
    /// What the files name, and where.
    pub(super) typed: Option<(&'a str, Place)>,
    pub(super) pinned: Option<&'a LockedCluster>,
    /// Where the cluster is declared.
    pub(super) place: Place,
}

/// Finds a place, and counts it.
pub(super) fn find<'a>(
    wish: Wish<'_>,
    management: &'a Management,
    load: &mut Load,
    problems: &mut Problems<'_>,
) -> Option<&'a Manager> {
    let found = match (wish.typed, wish.pinned) {
        (Some((name, place)), _) => {
            let name = ManagementClusterName::new(name);
            let found = management.get(&name);
            if found.is_none() {
                problems.add(missing(&name, management), place);
            }
            found
        }
        (None, Some(pin)) => {
            let found = management.get(&pin.management_cluster);
            if found.is_none() {
                let problem = missing(&pin.management_cluster, management)
                    .hint("the lock places this cluster there; a renamed management cluster needs a `Moved` record");
                problems.add(problem, wish.place);
            }
            found
        }
        (None, None) => choose(wish, management, load, problems),
    };
    if let Some(found) = found
        && wish.pinned.is_none_or(|pin| pin.management_cluster != found.model.name)
    {
        *load.entry(found.model.name.clone()).or_default() += 1;
    }
    found
}

fn missing(name: &ManagementClusterName, management: &Management) -> Diagnostic {
    let message = format!("there is no management cluster called `{name}`, or it has an error");
    let mut problem = Diagnostic::new(Code::Dangling, message);
    let names = management.keys().map(ManagementClusterName::as_str);
    problem.hints.extend(super::check::suggest(name.as_str(), names));
    problem
}

fn choose<'a>(
    wish: Wish<'_>,
    management: &'a Management,
    load: &Load,
    problems: &mut Problems<'_>,
) -> Option<&'a Manager> {
    let used = |manager: &Manager| load.get(&manager.model.name).copied().unwrap_or_default();
    let share = |manager: &Manager| u64::from(used(manager)) * 1_000_000 / u64::from(manager.model.capacity.max(1));
    let found = management
        .values()
        .filter(|manager| refusal(manager, &wish, used(manager)).is_none())
        .min_by_key(|manager| (share(manager), &manager.model.name));
    if found.is_none() {
        let message = format!(
            "no management cluster takes `{}` (environment `{}`, region `{}`)",
            wish.cluster, wish.environment, wish.region
        );
        let mut problem = Diagnostic::new(Code::NoPlacement, message);
        let refusals = management
            .values()
            .filter_map(|manager| Some((manager, refusal(manager, &wish, used(manager))?)));
        problem.hints = refusals
            .take(SHOWN)
            .map(|(manager, refusal)| refusal.words(manager))
            .collect();
        if problem.hints.is_empty() {
            problem.hints.push("there is none without an error".to_owned());
        }
        problems.add(problem, wish.place);
    }
    found
}

/// Why a management cluster does not take a cluster.
enum Refusal {
    Region,
    Environment,
    Full,
}

/// At most so many refusals are shown.
const SHOWN: usize = 8;

fn refusal(manager: &Manager, wish: &Wish<'_>, used: u32) -> Option<Refusal> {
    let takes = |all: &[String], one: &str| all.iter().any(|other| other == one);
    if !takes(&manager.regions, wish.region) {
        Some(Refusal::Region)
    } else if manager
        .environments
        .as_ref()
        .is_some_and(|all| !takes(all, wish.environment))
    {
        Some(Refusal::Environment)
    } else if used >= manager.model.capacity {
        Some(Refusal::Full)
    } else {
        None
    }
}

impl Refusal {
    fn words(&self, manager: &Manager) -> String {
        let name = &manager.model.name;
        match self {
            Self::Region => format!("`{name}` takes clusters of {}", manager.regions.join(", ")),
            Self::Environment => {
                let all = manager.environments.as_deref().unwrap_or_default().join(", ");
                format!("`{name}` takes environments {all}")
            }
            Self::Full => format!("`{name}` is full, its capacity is {}", manager.model.capacity),
        }
    }
}
