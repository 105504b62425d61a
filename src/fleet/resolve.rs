//! Documents and lock → the fleet.
//!
//! Invariant: an error in one cluster fails that cluster and no other; one in a document that several share fails those
//! that use it. The result depends on nothing but the arguments, not even on the order of the files.

use std::collections::{BTreeMap, BTreeSet};

use super::addresses::{self, Taken};
use super::cluster::{Common, Resolver};
use super::decode::decode;
use super::fleet_doc;
use super::ignore;
use super::index::{Declared, Index};
use super::kind::Kind;
use super::leaving;
use super::load::Loaded;
use super::lock::{Identities, Lock, LockedFleet};
use super::model;
use super::moves;
use super::networks;
use super::placement;
use super::problems::Problems;
use super::rules;
use super::shared;
use super::spec;
use super::suspend;
use super::waivers::Waivers;
use crate::diag::{Code, Diagnostic};
use crate::resource::{ClusterName, Digest, FleetName, FleetUid, NetworkName};

/// What a pure function can't know by itself.
#[derive(Clone, Debug)]
pub struct Seed {
    /// Random bytes, from which a new fleet's uid is made; never used where the lock has one.
    pub entropy: [u8; 16],
    /// The time, for waivers and pauses that end.
    pub now: jiff::Timestamp,
    /// The version of the built-in templates for a fleet whose lock names none yet.
    pub templates: u32,
}

/// What came out.
#[derive(Debug)]
pub struct Resolved {
    /// The fleet.
    pub fleet: model::Fleet,
    /// The lock as it should be; the caller decides whether to write it ([`Lock::differs`]).
    pub lock: Lock,
    /// Everything that is wrong, of loading too, in order of place.
    pub diagnostics: Vec<Diagnostic>,
}

/// Resolves a fleet.
pub fn resolve(loaded: &Loaded, lock: &Lock, seed: &Seed) -> Resolved {
    let mut found = loaded.diagnostics.clone();
    let index = Index::new(loaded, &mut found);
    let spec = fleet_spec(&index, loaded, &mut found);
    let mut lock = lock.clone();
    let uid = lock
        .fleet
        .get_or_insert_with(|| LockedFleet {
            uid: new_uid(&seed.entropy),
            templates: seed.templates,
            management_clusters: BTreeSet::new(),
        })
        .uid
        .clone();

    let nodes = index.fleet_spec().and_then(|fleet| fleet.get("waivers"));
    let waivers = spec.waivers.as_deref().unwrap_or_default();
    let (waivers, mut more) = Waivers::new(waivers, nodes, seed.now, &loaded.files);
    found.append(&mut more);
    let mut problems = Problems::new(&loaded.files, &waivers, None);
    if index.fleet.is_none() {
        problems.found.push(
            Diagnostic::new(Code::NoFleet, "there is no `Fleet` document")
                .hint("`fleetwright init` writes one; or is this the wrong directory?"),
        );
    }

    fleet_doc::check(&index, &mut problems);
    let before = problems.found.len();
    let moved = moves::follow(&index, &mut lock, &mut problems);
    let lost_rename = problems.found.len() > before || index.moved.iter().any(|document| document.broken);
    let known = leaving::Known::of(&lock);
    let compartments = spec.compartments.clone().unwrap_or_default();
    let management = shared::management_clusters(&index, &spec, &mut problems);
    let mut taken = taken(&index, &spec, &lock, &mut problems);
    rules::reserve(&index, loaded, &mut taken);
    for net in management
        .values()
        .flat_map(|manager| &manager.model.cidrs)
        .copied()
        .filter_map(addresses::v4)
    {
        taken.add(net);
    }
    let releases = super::release::known(&index);
    let common = Common {
        spec: &spec,
        compartments: &compartments,
        management: &management,
        uid: &uid,
        releases: &releases,
    };
    let mut identities = Identities::new(&lock);
    let networks = networks::resolve(&index, &common, (&mut taken, &mut lock, &mut identities), &mut problems);

    let mut resolver = Resolver {
        loaded,
        index: &index,
        common,
        networks: &networks,
        waivers: &waivers,
        now: seed.now,
        taken: &mut taken,
        identities,
        lock_unreadable: index
            .clusters
            .keys()
            .filter(|name| lock.unreadable_for(name))
            .map(|name| (*name).to_owned())
            .collect(),
        hold_new: lost_rename,
        load: placement::load(&lock),
        bases: BTreeMap::new(),
    };
    let mut clusters = BTreeMap::new();
    let mut failed = BTreeSet::new();
    let mut gone: BTreeSet<ClusterName> = lock.clusters.keys().cloned().collect();
    for (name, declared) in &index.clusters {
        let name = ClusterName::new(*name);
        gone.remove(&name);
        let outcome = resolver.cluster(declared, lock.clusters.get(&name));
        problems.found.extend(outcome.diagnostics);
        if let Some(pin) = outcome.pin {
            lock.clusters.insert(name.clone(), pin);
        }
        match outcome.cluster {
            Some(cluster) if !index.twice.contains(name.as_str()) => {
                clusters.insert(name, *cluster);
            }
            _ => {
                held_up_by(declared, &index, &mut found);
                failed.insert(name);
            }
        }
    }
    // What a file that can't be read held is unknown: its pins stay. A shared network or a management cluster with an
    // error has no place of its own in the fleet where it could be held, so that all pruning waits for it.
    let lost = index
        .of(Kind::Network)
        .any(|document| !networks.contains_key(&NetworkName::new(&document.name)))
        || index.of(Kind::ManagementCluster).count() > management.len();
    let incomplete =
        loaded.incomplete || index.good_fleet().is_none() || lost || lost_rename || !lock.unreadable.is_empty();
    let decommission = shared::decommission(&index, &spec, &mut problems);
    leaving::check(&index, &decommission, &mut problems);
    let has_left = known.follow(&index, &decommission, (&mut lock, incomplete), &mut problems);
    let incomplete = incomplete || has_left;
    if !incomplete {
        for name in gone {
            lock.clusters.remove(&name);
        }
        lock.networks
            .retain(|name, _| index.get(Kind::Network, name.as_str()).is_some());
    }
    let mut fleet = model::Fleet {
        name: FleetName::new(index.fleet.map_or("", |fleet| fleet.name.as_str())),
        uid,
        management_clusters: management
            .iter()
            .map(|(name, manager)| (name.clone(), manager.model.clone()))
            .collect(),
        networks,
        clusters,
        failed,
        limits: shared::limits(&spec),
        decommission,
        moved,
        conflicts: shared::conflicts(&spec),
        drift: shared::drift(&spec),
        ignore: ignore::rules(&index, &spec, &mut problems),
        suspend: suspend::suspensions(&index, seed.now, &mut problems),
        waived: BTreeMap::new(),
        remake: waivers.remake().clone(),
        incomplete,
    };
    let wide = rules::Wide {
        index: &index,
        management: &management,
        spec: &spec,
        lock: &lock,
    };
    rules::fleet_wide(&mut fleet, &wide, &mut problems);
    fleet.waived = waivers.relied_on();
    found.append(&mut problems.found);
    sort(&mut found);
    Resolved {
        fleet,
        lock,
        diagnostics: found,
    }
}

/// Reads the `Fleet` document. Where it has an error already, what is left of it is enough to go on with.
fn fleet_spec(index: &Index<'_>, loaded: &Loaded, found: &mut Vec<Diagnostic>) -> spec::FleetSpec {
    let Some(fleet) = index.good_fleet() else {
        return spec::FleetSpec::default();
    };
    decode(&fleet.spec).unwrap_or_else(|error| {
        let place = error.place.unwrap_or(fleet.place);
        found.push(Diagnostic::new(Code::WrongType, error.message).at(&place.span(&loaded.files)));
        spec::FleetSpec::default()
    })
}

/// A UUID (version 4) of these bytes.
fn new_uid(entropy: &[u8; 16]) -> FleetUid {
    let hex = Digest::of(entropy).to_hex();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    FleetUid::new(format!(
        "{}-{}-4{}-8{}-{}",
        part(0, 8),
        part(8, 12),
        part(13, 16),
        part(17, 20),
        part(20, 32)
    ))
}

/// Every range that must not be handed out: what the fleet excludes, pods and services, and what the lock has given.
fn taken(index: &Index<'_>, spec: &spec::FleetSpec, lock: &Lock, problems: &mut Problems<'_>) -> Taken {
    let mut taken = Taken::default();
    let nodes = index.fleet_spec().and_then(|fleet| fleet.at(&["addresses", "exclude"]));
    for (position, text) in spec
        .addresses
        .iter()
        .flat_map(|addresses| &addresses.exclude)
        .enumerate()
    {
        match addresses::parse(text) {
            Ok(net) => {
                if let Some(net) = addresses::v4(net) {
                    taken.add(net);
                }
            }
            Err(message) => {
                if let Some(node) = nodes.and_then(|nodes| nodes.item(position)) {
                    problems.add(Diagnostic::new(Code::BadRange, message), node.place);
                }
            }
        }
    }
    let pins = lock.clusters.values().filter_map(|pin| pin.addresses);
    let pins = pins.chain(lock.networks.values().filter_map(|pin| pin.addresses));
    for net in pins.filter_map(addresses::v4) {
        taken.add(net);
    }
    taken
}

/// Names a failed cluster in the errors of the documents that it is made of.
fn held_up_by(declared: &Declared<'_>, index: &Index<'_>, found: &mut [Diagnostic]) {
    let environment = declared.environment(index).filter(|environment| environment.broken);
    let fleet = index.fleet.filter(|fleet| fleet.broken);
    let own = Some(declared.document).filter(|document| document.broken);
    for document in [environment, fleet, own].into_iter().flatten() {
        for problem in found.get_mut(document.problems.clone()).into_iter().flatten() {
            problem.clusters.push(declared.name.to_owned());
        }
    }
}

/// By place, then by code, so that the order of the work doesn't show; what has no place comes first.
fn sort(found: &mut Vec<Diagnostic>) {
    found.sort_by(|a, b| (&a.span, a.code, &a.message, &a.clusters).cmp(&(&b.span, b.code, &b.message, &b.clusters)));
    // What is wrong with a shared value shows once, with all the clusters that it holds up.
    found.dedup_by(|later, first| {
        let same = later.span.is_some()
            && (&later.span, later.code, &later.message) == (&first.span, first.code, &first.message);
        if same {
            first.clusters.append(&mut later.clusters);
        }
        same
    });
    for problem in found {
        problem.clusters.sort();
        problem.clusters.dedup();
    }
}
