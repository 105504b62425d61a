//! A network to be made: its ranges, pinned where the pool gave them, its subnets, and what it is peered with.
//!
//! Invariant: an address block, once the lock has it, is not looked for again.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::addresses::{self, Taken};
use super::cluster::Common;
use super::model::{NetworkPlan, Peering, Preset};
use super::node::{Node, Place, Yaml};
use super::problems::Problems;
use super::shared::Manager;
use super::spec;
use crate::diag::{Code, Diagnostic};

/// What is wished for.
#[derive(Clone, Copy)]
pub(super) struct Wish<'a> {
    pub(super) preset: Preset,
    pub(super) peer: Option<spec::PeerWith>,
    /// The mapping that says so, for places; what was typed there and is read here are `vcn` and `peerWith`.
    pub(super) node: &'a Node,
    pub(super) availability_domain: Option<&'a str>,
    pub(super) public_ips: &'a [String],
    pub(super) endpoint_balancer: bool,
    pub(super) region: &'a str,
    pub(super) id: &'a str,
    /// What the DNS label is made of.
    pub(super) label: &'a str,
    pub(super) place: Place,
}

/// Plans a network, and pins its addresses.
pub(super) fn plan(
    wish: Wish<'_>,
    pin: &mut Option<IpNet>,
    (common, taken, manager): (&Common<'_>, &mut Taken, &Manager),
    problems: &mut Problems<'_>,
) -> Option<NetworkPlan> {
    let (ranges, place) = match wish.node.get("vcn") {
        Some(node) => {
            // What is typed is not pinned: the file says it already.
            *pin = None;
            (typed(node, problems)?, node.place)
        }
        None => {
            let block = block(&wish, pin, (common, taken), problems)?;
            (Ranges::of(block), wish.place)
        }
    };
    for net in &ranges.v4 {
        taken.add(*net);
    }
    let Some(subnets) = addresses::split(ranges.first, ranges.v6, wish.preset) else {
        let message = format!("`{}` can't be split into subnets", ranges.first);
        let hint = "a VCN that is made here is a /16 to a /24";
        problems.add(Diagnostic::new(Code::BadRange, message).hint(hint), place);
        return None;
    };
    let peering = match wish.peer {
        Some(spec::PeerWith::Management) => Some(peering(&wish, manager, problems)?),
        Some(spec::PeerWith::None) | None => None,
    };
    let v6 = ranges.v6.map(IpNet::V6);
    Some(NetworkPlan {
        preset: wish.preset,
        vcn: ranges.v4.into_iter().map(IpNet::V4).chain(v6).collect(),
        subnets,
        dns_label: dns_label(wish.label, wish.id),
        availability_domain: wish.availability_domain.map(str::to_owned),
        control_plane: control_plane(peering.as_ref(), manager),
        peering,
        public_ips: wish.public_ips.to_vec(),
        endpoint_balancer: wish.endpoint_balancer,
    })
}

/// The ranges of a VCN.
struct Ranges {
    /// What subnets are cut out of.
    first: Ipv4Net,
    v4: Vec<Ipv4Net>,
    v6: Option<Ipv6Net>,
}

impl Ranges {
    fn of(block: Ipv4Net) -> Self {
        Self {
            first: block,
            v4: vec![block],
            v6: None,
        }
    }
}

/// One range, or a list of them.
fn typed(node: &Node, problems: &mut Problems<'_>) -> Option<Ranges> {
    let items = match &node.value {
        Yaml::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut v4 = Vec::new();
    let mut v6: Option<Ipv6Net> = None;
    let mut failed = false;
    for item in items {
        let wrong = match addresses::parse(item.as_str().unwrap_or_default()) {
            Ok(IpNet::V4(net)) => {
                v4.push(net);
                None
            }
            Ok(IpNet::V6(net)) if v6.is_some() => {
                Some(format!("`{net}` is a second IPv6 range, one is all that is made"))
            }
            Ok(IpNet::V6(net)) if !is_private(net) => Some(format!(
                "`{net}` can't be given to a VCN here: its IPv6 range is a /48 to a /60 of `fd00::/8`"
            )),
            Ok(IpNet::V6(net)) => {
                v6 = Some(net);
                None
            }
            Err(message) => Some(message),
        };
        if let Some(message) = wrong {
            failed = true;
            problems.add(Diagnostic::new(Code::BadRange, message), item.place);
        }
    }
    let Some(first) = v4.first().copied() else {
        if !failed {
            let problem = Diagnostic::new(Code::BadRange, "a VCN that is made here has an IPv4 range");
            problems.add(problem, node.place);
        }
        return None;
    };
    (!failed).then_some(Ranges { first, v4, v6 })
}

/// Whether it is a range of unique local addresses with room for a /64 a subnet: those that OCI gives out itself are known
/// only afterwards, and no rule could name them.
fn is_private(net: Ipv6Net) -> bool {
    net.addr().segments().first().is_some_and(|first| first >> 8 == 0xfd) && (48..=60).contains(&net.prefix_len())
}

/// The pinned block, or a new one from the region's pool.
fn block(
    wish: &Wish<'_>,
    pin: &mut Option<IpNet>,
    (common, taken): (&Common<'_>, &mut Taken),
    problems: &mut Problems<'_>,
) -> Option<Ipv4Net> {
    if let Some(net) = pin.and_then(addresses::v4) {
        return Some(net);
    }
    let Some(addresses) = &common.spec.addresses else {
        let problem = Diagnostic::new(
            Code::NoAddresses,
            "this network needs an address block, and the fleet has no pools",
        )
        .hint("give `addresses: {pools: {<region>: <range>}}` in the `Fleet` document")
        .hint("or type its range (`network: {vcn: …}`), or name a network that exists (`network: {existing: …}`)");
        problems.add(problem, wish.place);
        return None;
    };
    let Some(pool) = addresses.pools.get(wish.region) else {
        let message = format!("the fleet has no address pool for `{}`", wish.region);
        let hint = format!(
            "add `{}: <range>` to `addresses.pools` of the `Fleet` document",
            wish.region
        );
        problems.add(Diagnostic::new(Code::NoAddresses, message).hint(hint), wish.place);
        return None;
    };
    let Some(range) = addresses::parse(pool).ok().and_then(addresses::v4) else {
        let message = format!("the address pool of `{}` can't be used", wish.region);
        problems.add(Diagnostic::new(Code::NoAddresses, message), wish.place);
        return None;
    };
    let found = taken.free(range, addresses.per_cluster, wish.id);
    if found.is_none() {
        let message = format!(
            "no /{} is left in `{pool}`, the pool of `{}`",
            addresses.per_cluster, wish.region
        );
        let hint = "give the region a larger range, or each cluster a smaller block: a longer `perCluster`";
        problems.add(Diagnostic::new(Code::NoAddresses, message).hint(hint), wish.place);
    }
    *pin = found.map(IpNet::V4);
    found
}

/// The peering with a management cluster; none, and said why, where that one does not tell enough of its network.
fn peering(wish: &Wish<'_>, manager: &Manager, problems: &mut Problems<'_>) -> Option<Peering> {
    let name = &manager.model.name;
    let lacks = match &manager.model.network {
        None => "`network: {vcn: …, compartment: …, routeTables: […]}`",
        Some(_) if manager.model.cidrs.is_empty() => "`cidrs: […]`, the ranges of its network",
        Some(far) if far.route_tables.is_empty() => "`network: {routeTables: […]}`, which get the routes back",
        Some(far) => {
            return Some(Peering {
                with: name.clone(),
                remote: far.region != wish.region,
                cidrs: manager.model.cidrs.clone(),
                far: far.clone(),
            });
        }
    };
    let message = format!("management cluster `{name}` does not tell enough of its network to be peered with");
    let problem = Diagnostic::new(Code::MissingKey, message)
        .related(&manager.place.span(problems.files), "this one")
        .hint(format!("give it {lacks}"));
    let place = wish.node.get("peerWith").map_or(wish.place, |node| node.place);
    problems.add(problem, place);
    None
}

/// Where workers find their control plane. Its address may be a name, which is known only to DNS, so that nothing short of
/// everywhere is sure to hold it.
fn control_plane(peering: Option<&Peering>, manager: &Manager) -> Vec<IpNet> {
    if let Some(peering) = peering {
        return peering.cidrs.clone();
    }
    let address = manager.model.node_port_address.as_deref().map(str::parse::<IpAddr>);
    match address {
        Some(Ok(address)) => vec![IpNet::from(address)],
        Some(Err(_)) | None => vec![IpNet::V4(Ipv4Net::default())],
    }
}

/// A VCN's DNS label: at most 15 letters and digits, a letter first; the id's end keeps two long names apart.
fn dns_label(name: &str, id: &str) -> String {
    let mut label: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    if !label.starts_with(|first: char| first.is_ascii_alphabetic()) {
        label.insert(0, 'n');
    }
    if label.len() > 15 || label.len() < name.len() {
        label.truncate(10);
        label.extend(id.chars().take(5));
    }
    label
}
