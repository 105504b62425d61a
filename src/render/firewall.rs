//! The openings that a hosted cluster's network needs, by role of the subnet.
//!
//! The rules of CAPOCI's and HyperShift's defaults are not enough here: CAPOCI's are made of constant ranges and admit Calico, not OVN's
//! Geneve. So every opening is said, in ranges of the plan alone, and none needs the id of another object.

use ipnet::IpNet;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::fleet::model::NetworkPlan;

/// What OCI's own resolver, time and metadata services answer at.
const LINK_LOCAL: &str = "169.254.169.254/32";
const ANYWHERE: &str = "0.0.0.0/0";
/// kube-apiserver, Konnectivity, and what is published by Route.
const CONTROL_PLANE: [Ports; 3] = [Ports::one(6443), Ports::one(8091), Ports::one(443)];
const NODE_PORTS: Ports = Ports { min: 30000, max: 32767 };
/// kube-proxy's health check, which load balancers ask.
const HEALTH: Ports = Ports::one(10256);

/// One subnet of a network that we make.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Subnet {
    role: &'static str,
    cidr: IpNet,
    dns_label: &'static str,
    public: bool,
    rules: Rules,
}

/// The same rules in the two forms that OCI has for them.
#[derive(Debug, Default, Serialize)]
pub(super) struct Rules {
    /// For a security list.
    ingress: Vec<Value>,
    /// For a security list.
    egress: Vec<Value>,
    /// For a network security group.
    group: Vec<Value>,
}

/// The subnets of a plan.
pub(super) fn subnets(plan: &NetworkPlan, public: bool) -> Vec<Subnet> {
    vec![
        Subnet {
            role: "workers",
            cidr: plan.workers,
            dns_label: "workers",
            public: false,
            rules: workers(plan),
        },
        Subnet {
            role: "endpoint",
            cidr: plan.endpoint,
            dns_label: "endpoint",
            public: false,
            rules: endpoint(plan),
        },
        Subnet {
            role: "load-balancers",
            cidr: plan.load_balancers,
            dns_label: "lb",
            public,
            rules: load_balancers(plan, public),
        },
    ]
}

fn workers(plan: &NetworkPlan) -> Rules {
    let mut rules = Rules::default();
    let own = plan.workers.to_string();
    let between = [
        (
            Protocol::Tcp,
            Ports { min: 9000, max: 9999 },
            "host services and node exporters",
        ),
        (Protocol::Tcp, Ports { min: 10250, max: 10259 }, "kubelet"),
        (Protocol::Udp, Ports::one(6081), "Geneve"),
        (Protocol::Udp, Ports { min: 9000, max: 9999 }, "host services"),
        (Protocol::Udp, Ports::one(500), "IPsec key exchange"),
        (Protocol::Udp, Ports::one(4500), "IPsec through NAT"),
        (Protocol::Tcp, NODE_PORTS, "node ports"),
        (Protocol::Udp, NODE_PORTS, "node ports"),
    ];
    rules.both(&own, Protocol::Icmp, None, "between workers");
    rules.both(&own, Protocol::Esp, None, "IPsec between workers");
    for (protocol, ports, what) in between {
        rules.both(&own, protocol, Some(ports), &format!("{what} between workers"));
    }
    let balancers = plan.load_balancers.to_string();
    rules.ingress(
        &balancers,
        Protocol::Tcp,
        Some(NODE_PORTS),
        "node ports from load balancers",
    );
    rules.ingress(
        &balancers,
        Protocol::Udp,
        Some(NODE_PORTS),
        "node ports from load balancers",
    );
    rules.ingress(
        &balancers,
        Protocol::Tcp,
        Some(HEALTH),
        "health checks of load balancers",
    );
    rules.ingress(ANYWHERE, Protocol::PathMtu, None, "path MTU discovery");
    for ports in CONTROL_PLANE {
        rules.egress(
            &plan.endpoint.to_string(),
            Protocol::Tcp,
            Some(ports),
            "the control plane's private endpoint",
        );
    }
    for cidr in &plan.management_cidrs {
        for ports in CONTROL_PLANE.into_iter().chain([NODE_PORTS]) {
            rules.egress(&cidr.to_string(), Protocol::Tcp, Some(ports), "the control plane");
        }
    }
    rules.egress(LINK_LOCAL, Protocol::Tcp, Some(Ports::one(53)), "DNS");
    rules.egress(LINK_LOCAL, Protocol::Udp, Some(Ports::one(53)), "DNS");
    rules.egress(LINK_LOCAL, Protocol::Udp, Some(Ports::one(123)), "time");
    rules.egress(LINK_LOCAL, Protocol::Tcp, Some(Ports::one(80)), "instance metadata");
    rules.egress(
        ANYWHERE,
        Protocol::Tcp,
        Some(Ports::one(443)),
        "registries and Oracle's services",
    );
    rules
}

fn endpoint(plan: &NetworkPlan) -> Rules {
    let mut rules = Rules::default();
    for ports in CONTROL_PLANE {
        rules.ingress(
            &plan.workers.to_string(),
            Protocol::Tcp,
            Some(ports),
            "the control plane, for workers",
        );
    }
    for cidr in &plan.management_cidrs {
        for ports in CONTROL_PLANE.into_iter().chain([NODE_PORTS]) {
            rules.egress(&cidr.to_string(), Protocol::Tcp, Some(ports), "the control plane");
        }
    }
    rules.ingress(ANYWHERE, Protocol::PathMtu, None, "path MTU discovery");
    rules
}

fn load_balancers(plan: &NetworkPlan, public: bool) -> Rules {
    let mut rules = Rules::default();
    let sources = if public {
        vec![ANYWHERE.to_owned()]
    } else {
        let own = std::iter::once(&plan.vcn);
        own.chain(&plan.management_cidrs).map(IpNet::to_string).collect()
    };
    for source in &sources {
        for port in [80, 443] {
            rules.ingress(source, Protocol::Tcp, Some(Ports::one(port)), "the guest's ingress");
        }
    }
    let workers = plan.workers.to_string();
    rules.egress(&workers, Protocol::Tcp, Some(NODE_PORTS), "node ports of workers");
    rules.egress(&workers, Protocol::Udp, Some(NODE_PORTS), "node ports of workers");
    rules.egress(&workers, Protocol::Tcp, Some(HEALTH), "health checks of workers");
    rules.ingress(ANYWHERE, Protocol::PathMtu, None, "path MTU discovery");
    rules
}

#[derive(Clone, Copy)]
struct Ports {
    min: u16,
    max: u16,
}

impl Ports {
    const fn one(port: u16) -> Self {
        Self { min: port, max: port }
    }
}

#[derive(Clone, Copy)]
enum Protocol {
    Icmp,
    /// ICMP "fragmentation needed" alone.
    PathMtu,
    Tcp,
    Udp,
    Esp,
}

impl Protocol {
    /// IANA's number, as OCI spells it.
    fn number(self) -> &'static str {
        match self {
            Self::Icmp | Self::PathMtu => "1",
            Self::Tcp => "6",
            Self::Udp => "17",
            Self::Esp => "50",
        }
    }
}

impl Rules {
    fn both(&mut self, cidr: &str, protocol: Protocol, ports: Option<Ports>, description: &str) {
        self.ingress(cidr, protocol, ports, description);
        self.egress(cidr, protocol, ports, description);
    }

    fn ingress(&mut self, source: &str, protocol: Protocol, ports: Option<Ports>, description: &str) {
        let mut rule = rule(protocol, ports, description);
        rule.insert("source".to_owned(), source.into());
        rule.insert("sourceType".to_owned(), "CIDR_BLOCK".into());
        self.ingress.push(Value::Object(rule.clone()));
        rule.insert("direction".to_owned(), "INGRESS".into());
        self.group.push(Value::Object(rule));
    }

    fn egress(&mut self, destination: &str, protocol: Protocol, ports: Option<Ports>, description: &str) {
        let mut rule = rule(protocol, ports, description);
        rule.insert("destination".to_owned(), destination.into());
        rule.insert("destinationType".to_owned(), "CIDR_BLOCK".into());
        self.egress.push(Value::Object(rule.clone()));
        rule.insert("direction".to_owned(), "EGRESS".into());
        self.group.push(Value::Object(rule));
    }
}

fn rule(protocol: Protocol, ports: Option<Ports>, description: &str) -> Map<String, Value> {
    let mut rule = Map::new();
    rule.insert("protocol".to_owned(), protocol.number().into());
    rule.insert("isStateless".to_owned(), false.into());
    rule.insert("description".to_owned(), description.into());
    let range = ports.map(|Ports { min, max }| json!({"destinationPortRange": {"min": min, "max": max}}));
    match (protocol, range) {
        (Protocol::Tcp, Some(range)) => drop(rule.insert("tcpOptions".to_owned(), range)),
        (Protocol::Udp, Some(range)) => drop(rule.insert("udpOptions".to_owned(), range)),
        (Protocol::PathMtu, _) => drop(rule.insert("icmpOptions".to_owned(), json!({"type": 3, "code": 4}))),
        _ => {}
    }
    rule
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> NetworkPlan {
        NetworkPlan {
            preset: "hosted-private".to_owned(),
            vcn: "10.16.0.0/20".parse().unwrap(),
            workers: "10.16.0.0/21".parse().unwrap(),
            endpoint: "10.16.8.0/26".parse().unwrap(),
            load_balancers: "10.16.9.0/24".parse().unwrap(),
            dns_label: "a".to_owned(),
            peer_with_management: true,
            management_cidrs: vec!["10.0.0.0/16".parse().unwrap(), "10.1.0.0/16".parse().unwrap()],
        }
    }

    fn opens(rules: &[Value], cidr: &str, protocol: &str, port: u64) -> bool {
        rules.iter().any(|rule| {
            let options = rule.get("tcpOptions").or_else(|| rule.get("udpOptions"));
            let range = options.map(|options| &options["destinationPortRange"]);
            rule["protocol"] == protocol
                && (rule["source"] == cidr || rule["destination"] == cidr)
                && range.is_some_and(|r| (r["min"].as_u64().unwrap()..=r["max"].as_u64().unwrap()).contains(&port))
        })
    }

    #[test]
    fn workers_reach_what_they_need_and_no_more_comes_in() {
        let rules = workers(&plan());
        for (cidr, protocol, port) in [
            ("10.16.8.0/26", "6", 6443),
            ("10.0.0.0/16", "6", 8091),
            ("10.1.0.0/16", "6", 31000),
            ("169.254.169.254/32", "17", 53),
            ("169.254.169.254/32", "6", 80),
            ("0.0.0.0/0", "6", 443),
            ("10.16.0.0/21", "17", 6081),
            ("10.16.0.0/21", "6", 10250),
        ] {
            assert!(opens(&rules.egress, cidr, protocol, port), "egress {cidr} {port}");
        }
        assert!(opens(&rules.ingress, "10.16.9.0/24", "6", 30080));
        assert!(opens(&rules.ingress, "10.16.9.0/24", "6", 10256));
        for port in [22, 2379, 2380, 22623, 22624] {
            for rule in &rules.ingress {
                assert!(!opens(
                    std::slice::from_ref(rule),
                    rule["source"].as_str().unwrap(),
                    "6",
                    port
                ));
            }
        }
    }

    #[test]
    fn only_a_public_network_opens_its_load_balancers_to_everyone() {
        let private = load_balancers(&plan(), false);
        assert!(!opens(&private.ingress, "0.0.0.0/0", "6", 443));
        assert!(opens(&private.ingress, "10.16.0.0/20", "6", 443));
        assert!(opens(&load_balancers(&plan(), true).ingress, "0.0.0.0/0", "6", 443));
    }

    #[test]
    fn a_group_holds_both_directions_and_stays_within_the_limit_of_120() {
        for subnet in subnets(&plan(), true) {
            let rules = &subnet.rules;
            assert_eq!(rules.group.len(), rules.ingress.len() + rules.egress.len());
            assert!(rules.group.len() <= 120, "{}", rules.group.len());
            assert!(rules.group.iter().all(|rule| rule["direction"].is_string()));
        }
    }
}
