//! Flows as rules: of security lists and of network security groups, each rule in one place alone.
//!
//! A group holds the rules of what can be told its group: machines and load balancers that Cluster API Provider OCI or we
//! make. A list holds those of whatever else is put into a subnet: workers, for which the platform's API has no field for
//! groups, and the load balancers that a guest makes. No rule needs the id of another object, and none is made that a wider
//! one of the same subnet covers.

use ipnet::{IpNet, Ipv6Net};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::flows::{self, End, Flow, Ports, Protocol};
use crate::fleet::model::{NetworkPlan, Role, SubnetPlan};

/// One subnet of a network that we make, and its rules.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Subnet {
    role: &'static str,
    cidr: Option<IpNet>,
    ipv6: Option<IpNet>,
    dns_label: &'static str,
    public: bool,
    /// Of its security list.
    ingress: Vec<Value>,
    /// Of its security list.
    egress: Vec<Value>,
    /// Of its network security group; none where there is no group.
    group: Option<Vec<Value>>,
}

/// The subnets of a plan.
pub(super) fn subnets(plan: &NetworkPlan) -> Vec<Subnet> {
    let flows = flows::of(plan);
    plan.subnets.iter().map(|subnet| made(subnet, plan, &flows)).collect()
}

fn made(subnet: &SubnetPlan, plan: &NetworkPlan, flows: &[Flow]) -> Subnet {
    let mut made = Subnet {
        role: subnet.role.name(),
        cidr: subnet.cidrs.iter().find(|net| net.addr().is_ipv4()).copied(),
        ipv6: subnet.cidrs.iter().find(|net| net.addr().is_ipv6()).copied(),
        dns_label: subnet.role.dns_label(),
        public: subnet.public,
        ingress: Vec::new(),
        egress: Vec::new(),
        group: is_in_group(subnet.role, plan).then(Vec::new),
    };
    for rule in needed(&rules(subnet, plan, flows)) {
        // A group holds for what names it; that a path's MTU is told must hold for all.
        match (&mut made.group, rule.direction) {
            (Some(group), _) if rule.protocol != Protocol::PathMtu || rule.direction == Direction::Egress => {
                group.push(rule.to_value(true));
            }
            (_, Direction::Ingress) => made.ingress.push(rule.to_value(false)),
            (_, Direction::Egress) => made.egress.push(rule.to_value(false)),
        }
    }
    made
}

/// Whether what is in a subnet can be told its group.
pub(super) fn is_in_group(role: Role, plan: &NetworkPlan) -> bool {
    match role {
        Role::Workers | Role::LoadBalancers | Role::ServiceLb => false,
        Role::Endpoint => plan.endpoint_balancer,
        Role::ControlPlaneEndpoint | Role::ControlPlane | Role::Worker | Role::Pod => true,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Ingress,
    Egress,
}

/// The far end of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remote {
    Cidr(IpNet),
    /// Oracle's services, by the label that OCI knows them under.
    Services,
}

#[derive(Clone, Copy, Debug)]
struct Rule {
    direction: Direction,
    remote: Remote,
    protocol: Protocol,
    what: &'static str,
}

/// All rules of a subnet, as the flows give them.
fn rules(subnet: &SubnetPlan, plan: &NetworkPlan, flows: &[Flow]) -> Vec<Rule> {
    let own = End::Role(subnet.role);
    let mut rules = Vec::new();
    for flow in flows {
        let mut add = |direction, end| {
            for remote in remotes(end, flow.protocol, plan) {
                rules.push(Rule {
                    direction,
                    remote,
                    protocol: flow.protocol,
                    what: flow.what,
                });
            }
        };
        if flow.to == own {
            add(Direction::Ingress, flow.from);
        }
        if flow.from == own {
            add(Direction::Egress, flow.to);
        }
    }
    rules
}

fn remotes(end: End, protocol: Protocol, plan: &NetworkPlan) -> Vec<Remote> {
    if end == End::Services {
        return vec![Remote::Services];
    }
    let mut nets = flows::ranges(end, plan);
    if end == End::Anywhere && protocol == Protocol::PathMtu && plan.is_dual() {
        nets.push(IpNet::V6(Ipv6Net::default()));
    }
    // Nothing carries IPv4 in IPv4 between IPv6 addresses.
    nets.retain(|net| net.addr().is_ipv4() || protocol != Protocol::Ipip);
    nets.into_iter().map(Remote::Cidr).collect()
}

/// Those that no other one covers; of two alike the first.
fn needed(rules: &[Rule]) -> Vec<Rule> {
    let covered = |at: usize, rule: &Rule| {
        rules.iter().enumerate().any(|(other_at, other)| {
            let wider = other.direction == rule.direction && other.covers(rule);
            wider && other_at != at && (other_at < at || !rule.covers(other))
        })
    };
    rules
        .iter()
        .enumerate()
        .filter(|(at, rule)| !covered(*at, rule))
        .map(|(_, rule)| *rule)
        .collect()
}

impl Rule {
    fn covers(&self, other: &Self) -> bool {
        let remote = match (self.remote, other.remote) {
            (Remote::Cidr(ours), Remote::Cidr(theirs)) => ours.contains(&theirs),
            (ours, theirs) => ours == theirs,
        };
        let within = |ours: Ports, theirs: Ports| ours.min <= theirs.min && theirs.max <= ours.max;
        let protocol = match (self.protocol, other.protocol) {
            (Protocol::All, _) | (Protocol::Icmp, Protocol::PathMtu) => true,
            (Protocol::Tcp(ours), Protocol::Tcp(theirs)) | (Protocol::Udp(ours), Protocol::Udp(theirs)) => {
                within(ours, theirs)
            }
            (ours, theirs) => ours == theirs,
        };
        remote && protocol
    }

    fn to_value(self, in_group: bool) -> Value {
        let (end, kind) = match self.direction {
            Direction::Ingress => ("source", "sourceType"),
            Direction::Egress => ("destination", "destinationType"),
        };
        let (remote, remote_kind) = match self.remote {
            Remote::Cidr(net) => (Value::from(net.to_string()), "CIDR_BLOCK"),
            Remote::Services => (json!({"$service": "all"}), "SERVICE_CIDR_BLOCK"),
        };
        let v6 = matches!(self.remote, Remote::Cidr(IpNet::V6(_)));
        let mut rule = Map::from_iter([
            (end.to_owned(), remote),
            (kind.to_owned(), remote_kind.into()),
            ("protocol".to_owned(), self.protocol.number(v6).into()),
            ("isStateless".to_owned(), false.into()),
            ("description".to_owned(), self.what.into()),
        ]);
        let range = |Ports { min, max }| json!({"destinationPortRange": {"min": min, "max": max}});
        match self.protocol {
            Protocol::Tcp(ports) => drop(rule.insert("tcpOptions".to_owned(), range(ports))),
            Protocol::Udp(ports) => drop(rule.insert("udpOptions".to_owned(), range(ports))),
            // ICMPv6 calls it "packet too big".
            Protocol::PathMtu if v6 => drop(rule.insert("icmpOptions".to_owned(), json!({"type": 2, "code": 0}))),
            Protocol::PathMtu => drop(rule.insert("icmpOptions".to_owned(), json!({"type": 3, "code": 4}))),
            Protocol::All | Protocol::Icmp | Protocol::Esp | Protocol::Ipip => {}
        }
        if in_group {
            let word = match self.direction {
                Direction::Ingress => "INGRESS",
                Direction::Egress => "EGRESS",
            };
            rule.insert("direction".to_owned(), word.into());
        }
        Value::Object(rule)
    }
}

impl Protocol {
    /// IANA's number, as OCI spells it.
    fn number(self, v6: bool) -> &'static str {
        match self {
            Self::All => "all",
            Self::Icmp | Self::PathMtu if v6 => "58",
            Self::Icmp | Self::PathMtu => "1",
            Self::Ipip => "4",
            Self::Tcp(_) => "6",
            Self::Udp(_) => "17",
            Self::Esp => "50",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(remote: &str, protocol: Protocol) -> Rule {
        Rule {
            direction: Direction::Egress,
            remote: Remote::Cidr(remote.parse().unwrap()),
            protocol,
            what: "",
        }
    }

    fn left(rules: &[Rule]) -> Vec<usize> {
        let kept = needed(rules);
        let same = |kept: &Rule, rule: &Rule| kept.remote == rule.remote && kept.protocol == rule.protocol;
        let at = |kept: &Rule| rules.iter().position(|rule| same(kept, rule)).unwrap();
        kept.iter().map(at).collect()
    }

    #[test]
    fn what_a_wider_rule_covers_is_left_out() {
        let tcp = |min, max| Protocol::Tcp(Ports { min, max });
        let rules = [
            rule("10.0.0.0/24", tcp(443, 443)),
            rule("0.0.0.0/0", tcp(443, 443)),
            rule("10.0.0.0/24", tcp(80, 80)),
            rule("10.0.0.0/24", Protocol::Udp(Ports { min: 443, max: 443 })),
            rule("10.0.0.0/24", tcp(79, 81)),
            rule("10.0.0.0/24", Protocol::PathMtu),
            rule("10.0.0.0/24", Protocol::Icmp),
        ];
        assert_eq!(left(&rules), [1, 3, 4, 6]);
    }

    #[test]
    fn of_two_alike_one_stays() {
        let twice = [rule("10.0.0.0/24", Protocol::Icmp), rule("10.0.0.0/24", Protocol::Icmp)];
        assert_eq!(left(&twice), [0]);
        assert_eq!(needed(&twice).len(), 1);
    }
}
