//! cidr-overlap: the ranges of one cluster.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use super::Facts;
use crate::diag::{Code, Diagnostic};
use crate::fleet::model::{Cluster, Hosted, NetworkSource};
use crate::fleet::node::Place;
use crate::fleet::problems::Problems;

/// Where every API server listens for its workers unless told otherwise.
const ADVERTISED: &str = "172.20.0.1";

pub(super) fn check(cluster: &Cluster, facts: &Facts<'_>, problems: &mut Problems<'_>) {
    let network = &cluster.network;
    let mut ranges: Vec<(&str, IpNet, Place)> = Vec::new();
    for (what, key, nets) in [
        ("pod", "cluster", &network.cluster),
        ("service", "service", &network.service),
        ("machine", "machine", &network.machine),
    ] {
        let node = facts.merged.node.at(&["network", key]);
        for (index, net) in nets.iter().enumerate() {
            let item = node.and_then(|node| node.item(index)).map(|node| node.place);
            let place = item.unwrap_or_else(|| facts.at(&["network", key], problems));
            ranges.push((what, *net, place));
        }
    }
    let plan = match &network.source {
        NetworkSource::Shared { name } => facts.networks.get(name).and_then(|found| found.source.plan()),
        source => source.plan(),
    };
    if let Some(plan) = plan {
        let place = facts.at(&["network", "vcn"], problems);
        // An IPv6 range of a VCN is none of the machines' where pods have none.
        let dual = network.cluster.iter().any(|net| net.addr().is_ipv6());
        for workers in plan.workers().iter().filter(|net| dual || net.addr().is_ipv4()) {
            if !network.machine.iter().any(|net| net.contains(workers)) {
                let message = format!("the machine range does not hold the worker subnet `{workers}`");
                let problem = Diagnostic::new(Code::CidrOverlap, message)
                    .hint("leave `machine` out: it is derived from the network");
                problems.rule(problem, facts.at(&["network", "machine"], problems));
            }
        }
        ranges.extend(plan.vcn.iter().map(|net| ("network", *net, place)));
    }
    for (index, (what, net, _)) in ranges.iter().enumerate() {
        for (other, theirs, place) in ranges.iter().skip(index + 1) {
            // Machines are in the network, that is no clash; nor are two machine ranges of one list.
            let nested = matches!((*what, *other), ("machine", "network"));
            if !nested && (net.contains(theirs) || theirs.contains(net)) {
                let message = format!(
                    "the {what} range `{net}` and the {other} range `{theirs}` of `{}` overlap",
                    cluster.name
                );
                let problem = Diagnostic::new(Code::CidrOverlap, message)
                    .hint("the four kinds of range must be apart, and can't be changed once the cluster exists");
                // At the one that somebody typed, if only one was.
                let place = if *place == facts.place {
                    place_of(&ranges, index, *place)
                } else {
                    *place
                };
                problems.rule(problem, place);
            }
        }
    }
    families(cluster, facts, problems);
    if let Some(hosted) = cluster.hosted() {
        advertised(hosted, facts, &ranges, problems);
    }
}

fn place_of(ranges: &[(&str, IpNet, Place)], index: usize, otherwise: Place) -> Place {
    ranges.get(index).map_or(otherwise, |(_, _, place)| *place)
}

/// Two stacks come in the same order everywhere.
fn families(cluster: &Cluster, facts: &Facts<'_>, problems: &mut Problems<'_>) {
    let order = |nets: &[IpNet]| nets.iter().map(|net| net.addr().is_ipv6()).collect::<Vec<_>>();
    let (pods, services) = (&cluster.network.cluster, &cluster.network.service);
    if !pods.is_empty() && !services.is_empty() && order(pods) != order(services) {
        let message = "pod and service ranges are not of the same IP families in the same order";
        problems.rule(
            Diagnostic::new(Code::CidrOverlap, message),
            facts.at(&["network", "service"], problems),
        );
    }
}

/// The address at which workers reach the API server is in none of the ranges.
fn advertised(hosted: &Hosted, facts: &Facts<'_>, ranges: &[(&str, IpNet, Place)], problems: &mut Problems<'_>) {
    let typed = hosted
        .hosted_cluster_patch
        .pointer("/networking/apiServer/advertiseAddress")
        .and_then(Value::as_str);
    let text = typed.unwrap_or(ADVERTISED);
    let place = facts.at(
        &["hostedCluster", "networking", "apiServer", "advertiseAddress"],
        problems,
    );
    let Ok(address) = text.parse::<IpAddr>() else {
        problems.rule(
            Diagnostic::new(Code::CidrOverlap, format!("`{text}` is no IP address")),
            place,
        );
        return;
    };
    if let Some((what, net, at)) = ranges.iter().find(|(_, net, _)| net.contains(&address)) {
        let message = format!("the {what} range `{net}` holds `{address}`, where workers reach the API server");
        let hint =
            "choose another range, or another `advertiseAddress` in `hostedCluster: {networking: {apiServer: …}}`";
        let place = if typed.is_some() { place } else { *at };
        problems.rule(Diagnostic::new(Code::CidrOverlap, message).hint(hint), place);
    }
}
