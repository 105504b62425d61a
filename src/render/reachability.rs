//! Who reaches whom in a network that was rendered, worked out of its documents as OCI would judge them.
//!
//! A packet passes where the sender's subnet or group lets it out, the receiver's lets it in, and both find a way to each
//! other; answers pass by themselves, since no rule is stateless. A subnet's resources are taken to be in the group of its
//! name, where there is one. What is beyond (the management cluster's network, the internet) is taken to be open.

mod openings;
mod view;

use std::collections::BTreeMap;
use std::fmt;

use ipnet::IpNet;
pub use openings::Openings;
use serde_json::Value;

use self::view::{Subnet, View, Way};

/// Who sends or receives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// What is in the subnet of a role.
    Role(String),
    /// The management cluster's network.
    Management,
    /// Hosts on the internet.
    Internet,
    /// Oracle's services in the region.
    Services,
    /// OCI's resolver, time and metadata services, which need no route and listen on nothing else.
    LinkLocal,
    /// Any router on the way, which sends no more than ICMP.
    Router,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(name) => f.pad(name),
            Self::Management => f.pad("management"),
            Self::Internet => f.pad("internet"),
            Self::Services => f.pad("services"),
            Self::LinkLocal => f.pad("link-local"),
            Self::Router => f.pad("router"),
        }
    }
}

/// What passes from the first to the second; nothing passes where there is no entry.
pub type Matrix = BTreeMap<(Peer, Peer), Openings>;

/// An address that stands for the internet: one reserved for examples, which no rule but those for everywhere hold.
const OUTSIDE: &str = "192.0.2.1/32";
const LINK_LOCAL: &str = "169.254.169.254/32";

/// Works out the matrix for IPv4 of one network's documents; `management` are the ranges of the management cluster's network.
pub fn matrix(documents: &[Value], management: &[IpNet]) -> Matrix {
    let view = View::of(documents);
    let mut matrix = Matrix::new();
    let mut add = |from: Peer, to: Peer, openings: Openings| {
        if !openings.is_empty() {
            matrix.insert((from, to), openings);
        }
    };
    let outside = OUTSIDE.parse().ok();
    let link_local = LINK_LOCAL.parse().ok();
    for subnet in &view.subnets {
        let own = || Peer::Role(subnet.role.clone());
        for other in &view.subnets {
            let out = subnet.egress(other.cidr);
            add(
                own(),
                Peer::Role(other.role.clone()),
                out.and(&other.ingress(subnet.cidr)),
            );
        }
        add(
            own(),
            Peer::LinkLocal,
            subnet.egress(link_local).and(&Openings::of_link_local()),
        );
        add(Peer::Router, own(), subnet.ingress(outside).icmp());
        if view.way(subnet, outside).is_some() {
            add(own(), Peer::Internet, subnet.egress(outside));
        }
        if view.way(subnet, outside) == Some(Way::Internet) && subnet.public {
            add(Peer::Internet, own(), subnet.ingress(outside));
        }
        if view.reaches_services(subnet, outside) {
            add(own(), Peer::Services, subnet.egress_to_services(outside));
        }
        if !management.is_empty() && management.iter().all(|net| is_peered(&view, subnet, *net)) {
            let all = |judge: &dyn Fn(Option<IpNet>) -> Openings| {
                let each = management.iter().map(|net| judge(Some(*net)));
                each.reduce(|first, next| first.and(&next)).unwrap_or_default()
            };
            add(own(), Peer::Management, all(&|net| subnet.egress(net)));
            add(Peer::Management, own(), all(&|net| subnet.ingress(net)));
        }
    }
    matrix
}

/// Whether a subnet has a way to the other side of a peering, that one is connected, and there is a way back.
fn is_peered(view: &View, subnet: &Subnet, net: IpNet) -> bool {
    view.way(subnet, Some(net)) == Some(Way::Peering) && view.is_routed_back(subnet)
}
