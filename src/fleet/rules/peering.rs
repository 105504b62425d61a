//! cidr-peering and clashes of the lock: ranges of different clusters and networks, by sorting once and sweeping.

use std::collections::BTreeMap;

use ipnet::Ipv4Net;

use super::Wide;
use crate::diag::{Code, Diagnostic};
use crate::fleet::addresses::v4;
use crate::fleet::kind::Kind;
use crate::fleet::model::{Fleet, NetworkPlan};
use crate::fleet::node::Place;
use crate::fleet::problems::Problems;

/// A range and whose it is.
#[derive(Clone, Debug)]
struct Range<'a> {
    net: Ipv4Net,
    owner: Owner<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner<'a> {
    Cluster(&'a str),
    Network(&'a str),
    Management(&'a str),
}

impl Owner<'_> {
    fn words(self) -> String {
        match self {
            Self::Cluster(name) => format!("cluster `{name}`"),
            Self::Network(name) => format!("network `{name}`"),
            Self::Management(name) => format!("management cluster `{name}`"),
        }
    }

    fn lock_file(self) -> String {
        match self {
            Self::Cluster(name) => format!("fleet.lock/clusters/{name}.yaml"),
            Self::Network(name) => format!("fleet.lock/networks/{name}.yaml"),
            Self::Management(_) => String::new(),
        }
    }

    fn place(self, wide: &Wide<'_>) -> Option<Place> {
        match self {
            Self::Cluster(name) => wide.index.clusters.get(name).map(|declared| declared.place),
            Self::Network(name) => wide.index.get(Kind::Network, name).map(|document| document.place),
            Self::Management(name) => wide
                .index
                .get(Kind::ManagementCluster, name)
                .map(|document| document.place),
        }
    }
}

/// Each range that overlaps an earlier one, with that one.
fn sweep<'a>(mut ranges: Vec<Range<'a>>) -> Vec<(Range<'a>, Range<'a>)> {
    ranges.sort_by_key(|range| (range.net.network(), range.net.prefix_len()));
    let mut clashes = Vec::new();
    let mut widest: Option<Range<'a>> = None;
    for range in ranges {
        match &widest {
            Some(before) if before.net.broadcast() >= range.net.network() => {
                if before.owner != range.owner {
                    clashes.push((before.clone(), range.clone()));
                }
                if range.net.broadcast() > before.net.broadcast() {
                    widest = Some(range);
                }
            }
            _ => widest = Some(range),
        }
    }
    clashes
}

pub(super) fn fleet(fleet: &Fleet, wide: &Wide<'_>, problems: &mut Problems<'_>) {
    for (first, second) in sweep(pinned(wide)) {
        let message = format!(
            "{} and {} have overlapping address blocks",
            first.owner.words(),
            second.owner.words()
        );
        let problem = Diagnostic::new(Code::AddressClash, message)
            .label(format!("has {}", second.net))
            .hint(format!(
                "two branches chose alike: of the two, take `addresses` out of the file of the one that does not exist yet ({} or {}) and run `fleetwright lock`",
                first.owner.lock_file(),
                second.owner.lock_file(),
            ));
        report(problem, (&first, &second), wide, problems);
    }
    let mut peered: BTreeMap<&str, Vec<Range<'_>>> = BTreeMap::new();
    for cluster in fleet.clusters.values() {
        if let Some(plan) = cluster.network.source.plan() {
            let owner = Owner::Cluster(cluster.name.as_str());
            peered
                .entry(cluster.management_cluster.as_str())
                .or_default()
                .extend(ranges(plan, owner));
        }
    }
    for network in fleet.networks.values() {
        if let Some(plan) = network.source.plan() {
            let owner = Owner::Network(network.name.as_str());
            peered
                .entry(network.management_cluster.as_str())
                .or_default()
                .extend(ranges(plan, owner));
        }
    }
    for (name, mut ranges) in peered {
        let manager = wide
            .management
            .values()
            .find(|manager| manager.model.name.as_str() == name);
        let cidrs = manager.map_or(&[][..], |manager| manager.model.cidrs.as_slice());
        ranges.extend(cidrs.iter().filter_map(|net| v4(*net)).map(|net| Range {
            net,
            owner: Owner::Management(name),
        }));
        for (first, second) in sweep(ranges) {
            let (a, b) = (first.owner.words(), second.owner.words());
            let message = format!("{a} and {b} are peered (through `{name}`), and their ranges overlap");
            let problem = Diagnostic::new(Code::CidrPeering, message).hint(
                "peered networks need ranges of their own; let the pool give them, or exclude what is in use there",
            );
            report(problem, (&first, &second), wide, problems);
        }
    }
}

/// What the lock has given to clusters and networks of this fleet, and they still use.
fn pinned<'a>(wide: &'a Wide<'_>) -> Vec<Range<'a>> {
    let clusters = wide.lock.clusters.iter().filter_map(|(name, pin)| {
        Some(Range {
            net: v4(pin.addresses?)?,
            owner: Owner::Cluster(name.as_str()),
        })
    });
    let networks = wide.lock.networks.iter().filter_map(|(name, pin)| {
        Some(Range {
            net: v4(pin.addresses?)?,
            owner: Owner::Network(name.as_str()),
        })
    });
    clusters.chain(networks).collect()
}

/// The ranges of a network that is peered.
fn ranges<'a>(plan: &NetworkPlan, owner: Owner<'a>) -> impl Iterator<Item = Range<'a>> {
    let nets = if plan.peering.is_some() {
        plan.vcn.as_slice()
    } else {
        &[]
    };
    nets.iter()
        .filter_map(|net| v4(*net))
        .map(move |net| Range { net, owner })
}

fn report(
    mut problem: Diagnostic,
    (first, second): (&Range<'_>, &Range<'_>),
    wide: &Wide<'_>,
    problems: &mut Problems<'_>,
) {
    // At the one that can be mended.
    let (at, other) = if matches!(second.owner, Owner::Management(_)) {
        (first, second)
    } else {
        (second, first)
    };
    for owner in [at.owner, other.owner] {
        if let Owner::Cluster(name) = owner {
            problem = problem.cluster(name);
        }
    }
    if let Some(place) = other.owner.place(wide) {
        problem = problem.related(&place.span(problems.files), format!("has {}", other.net));
    }
    let Some(place) = at.owner.place(wide) else { return };
    problem.label = format!("has {}", at.net);
    // A clash of the lock is no rule, and has no id by which it could be waived.
    problems.rule(problem, place);
}
