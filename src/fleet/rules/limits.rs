//! oci-limits: what OCI gives of a thing unless more is asked for. Its numbers are a tenancy's to raise, so they only warn.

use std::collections::BTreeMap;

use super::Wide;
use crate::diag::{Code, Diagnostic};
use crate::fleet::kind::Kind;
use crate::fleet::model::{Fleet, NetworkPlan};
use crate::fleet::node::Place;
use crate::fleet::problems::Problems;
use crate::resource::ManagementClusterName;

const NETWORKS: u32 = 50;
const LOCAL_PEERINGS: u32 = 10;
/// IPv4 ranges of one VCN.
const RANGES: usize = 5;

pub(super) fn fleet(fleet: &Fleet, wide: &Wide<'_>, problems: &mut Problems<'_>) {
    let thresholds = wide.spec.thresholds.as_ref();
    let most = thresholds.and_then(|all| all.networks_per_region).unwrap_or(NETWORKS);
    let plans = plans(fleet, wide);
    let mut regions: BTreeMap<&str, Vec<Place>> = BTreeMap::new();
    for (plan, region, place) in &plans {
        regions.entry(region).or_default().push(*place);
        let ranges = plan.vcn.iter().filter(|net| net.addr().is_ipv4()).count();
        if ranges > RANGES {
            let message = format!("a VCN of {ranges} IPv4 ranges, more than {RANGES}");
            problems.rule(limit(message), *place);
        }
    }
    for (region, places) in regions {
        if let Some(place) = beyond(&places, most) {
            let message = format!("{} VCNs are made in `{region}`, more than {most}", places.len());
            problems.rule(limit(message), place);
        }
    }
    let most = thresholds.and_then(|all| all.local_peerings).unwrap_or(LOCAL_PEERINGS);
    let mut peered: BTreeMap<&ManagementClusterName, Vec<Place>> = BTreeMap::new();
    for (plan, _, place) in &plans {
        if let Some(peering) = plan.peering.as_ref().filter(|peering| !peering.remote) {
            peered.entry(&peering.with).or_default().push(*place);
        }
    }
    for (name, places) in peered {
        let Some(manager) = wide.management.get(name).filter(|_| beyond(&places, most).is_some()) else {
            continue;
        };
        let message = format!(
            "{} networks are peered with management cluster `{name}` by a gateway each, more than {most}",
            places.len()
        );
        let problem =
            limit(message).hint("let clusters share a `Network`, or spread them over more management clusters");
        problems.rule(problem, manager.place);
    }
}

fn limit(message: String) -> Diagnostic {
    Diagnostic::new(Code::OciLimits, message)
        .hint("ask Oracle for more, and say so in `thresholds` of the `Fleet` document")
}

/// The first place that is one too many.
fn beyond(places: &[Place], most: u32) -> Option<Place> {
    places.get(usize::try_from(most).unwrap_or(usize::MAX)).copied()
}

/// Every network that is made, with its region and where it is declared.
fn plans<'a>(fleet: &'a Fleet, wide: &Wide<'_>) -> Vec<(&'a NetworkPlan, &'a str, Place)> {
    let clusters = fleet.clusters.values().filter_map(|cluster| {
        let declared = wide.index.clusters.get(cluster.name.as_str())?;
        Some((cluster.network.source.plan()?, cluster.region.as_str(), declared.place))
    });
    let networks = fleet.networks.values().filter_map(|network| {
        let document = wide.index.get(Kind::Network, network.name.as_str())?;
        Some((network.source.plan()?, network.region.as_str(), document.place))
    });
    networks.chain(clusters).collect()
}
