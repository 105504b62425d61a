//! Who talks to whom in a network, by preset: what the rules of security lists and groups are made of.
//!
//! CAPOCI's and HyperShift's defaults are not enough here: CAPOCI's are made of constant ranges and admit Calico alone, not
//! OVN's Geneve. So every flow is said, and what is not said is closed.

use ipnet::IpNet;

use crate::fleet::model::{NetworkPlan, Preset, Role};

/// One end of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// A subnet of the network.
    Role(Role),
    /// Everywhere, this network too.
    Anywhere,
    /// The management cluster's network, where peered.
    Management,
    /// Where workers find their control plane.
    ControlPlane,
    /// OCI's resolver, time and metadata services.
    LinkLocal,
    /// Oracle's services in the region.
    Services,
}

/// Destination ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ports {
    pub(super) min: u16,
    pub(super) max: u16,
}

const fn one(port: u16) -> Ports {
    Ports { min: port, max: port }
}

const fn range(min: u16, max: u16) -> Ports {
    Ports { min, max }
}

/// What is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    All,
    Icmp,
    /// ICMP "fragmentation needed" alone.
    PathMtu,
    Tcp(Ports),
    Udp(Ports),
    Esp,
    /// IPv4 in IPv4.
    Ipip,
}

/// One flow; answers to it need no flow of their own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    pub(super) from: End,
    pub(super) to: End,
    pub(super) protocol: Protocol,
    /// Why.
    pub(super) what: &'static str,
}

/// kube-apiserver.
const API: Ports = one(6443);
/// Konnectivity's server.
const TUNNEL: Ports = one(8091);
const HTTPS: Ports = one(443);
const NODE_PORTS: Ports = range(30000, 32767);
/// kube-proxy's health check, which load balancers ask.
const HEALTH: Ports = one(10256);
/// Where OKE's nodes and pods register with the control plane.
const OKE_PROXY: Ports = one(12250);

/// OVN-Kubernetes and what OpenShift's nodes ask of each other.
const BETWEEN_NODES: [(Protocol, &str); 10] = [
    (Protocol::Icmp, "between nodes"),
    (Protocol::Esp, "IPsec between nodes"),
    (Protocol::Tcp(range(9000, 9999)), "host services and exporters of nodes"),
    (Protocol::Tcp(range(10250, 10259)), "kubelet and health checks"),
    (Protocol::Udp(one(6081)), "Geneve"),
    (Protocol::Udp(range(9000, 9999)), "host services of nodes"),
    (Protocol::Udp(one(500)), "IPsec key exchange"),
    (Protocol::Udp(one(4500)), "IPsec through NAT"),
    (Protocol::Tcp(NODE_PORTS), "node ports between nodes"),
    (Protocol::Udp(NODE_PORTS), "node ports between nodes"),
];
/// Calico, which stand-alone clusters may have as well.
const CALICO: [(Protocol, &str); 2] = [(Protocol::Tcp(one(179)), "BGP"), (Protocol::Ipip, "IP in IP")];

/// The flows of a plan.
pub(super) fn of(plan: &NetworkPlan) -> Vec<Flow> {
    let mut flows = Flows(Vec::new());
    match plan.preset {
        Preset::HostedPrivate | Preset::HostedPublic => hosted(&mut flows, plan),
        Preset::SelfManaged => self_managed(&mut flows),
        Preset::Oke => oke(&mut flows),
    }
    for subnet in &plan.subnets {
        flows.add(End::Anywhere, subnet.role, Protocol::PathMtu, "path MTU discovery");
    }
    flows.0
}

struct Flows(Vec<Flow>);

impl Flows {
    fn add(&mut self, from: impl Into<End>, to: impl Into<End>, protocol: Protocol, what: &'static str) {
        let (from, to) = (from.into(), to.into());
        self.0.push(Flow {
            from,
            to,
            protocol,
            what,
        });
    }

    fn tcp<const N: usize>(&mut self, from: impl Into<End>, to: impl Into<End>, ports: [Ports; N], what: &'static str) {
        let (from, to) = (from.into(), to.into());
        for ports in ports {
            self.add(from, to, Protocol::Tcp(ports), what);
        }
    }

    /// What machines ask of OCI itself.
    fn machine(&mut self, role: Role) {
        self.tcp(role, End::LinkLocal, [one(53)], "DNS");
        self.add(role, End::LinkLocal, Protocol::Udp(one(53)), "DNS");
        self.add(role, End::LinkLocal, Protocol::Udp(one(123)), "time");
        self.tcp(role, End::LinkLocal, [one(80)], "instance metadata");
        self.tcp(role, End::Anywhere, [HTTPS], "registries and Oracle's services");
    }

    /// Load balancers and the nodes behind them.
    fn balanced(&mut self, balancers: Role, nodes: Role) {
        let what = "node ports of load balancers";
        self.tcp(balancers, nodes, [NODE_PORTS], what);
        self.add(balancers, nodes, Protocol::Udp(NODE_PORTS), what);
        self.tcp(balancers, nodes, [HEALTH], "health checks of load balancers");
    }
}

impl From<Role> for End {
    fn from(role: Role) -> Self {
        Self::Role(role)
    }
}

fn hosted(flows: &mut Flows, plan: &NetworkPlan) {
    let (workers, endpoint, balancers) = (Role::Workers, Role::Endpoint, Role::LoadBalancers);
    for (protocol, what) in BETWEEN_NODES {
        flows.add(workers, workers, protocol, what);
    }
    flows.balanced(balancers, workers);
    flows.machine(workers);
    let what = "the control plane, for workers";
    flows.tcp(workers, endpoint, [API, TUNNEL, HTTPS], what);
    flows.tcp(workers, End::ControlPlane, [API, TUNNEL, HTTPS, NODE_PORTS], what);
    flows.tcp(
        endpoint,
        End::Management,
        [API, TUNNEL, HTTPS, NODE_PORTS],
        "the control plane behind its endpoint",
    );
    flows.tcp(End::Management, endpoint, [API, HTTPS], "API and login, for users");
    if plan.endpoint_balancer {
        flows.tcp(workers, endpoint, [NODE_PORTS], what);
        flows.tcp(End::Management, endpoint, [NODE_PORTS], "API and login, for users");
    }
    let what = "the guest's ingress";
    flows.tcp(workers, balancers, [one(80), HTTPS], what);
    if plan.preset == Preset::HostedPublic {
        flows.tcp(End::Anywhere, balancers, [one(80), HTTPS], what);
    } else {
        flows.tcp(End::Management, balancers, [one(80), HTTPS], what);
    }
}

fn self_managed(flows: &mut Flows) {
    let (endpoint, control, worker) = (Role::ControlPlaneEndpoint, Role::ControlPlane, Role::Worker);
    flows.tcp(End::Anywhere, endpoint, [API], "the API");
    flows.tcp(endpoint, control, [API], "the API behind its load balancer");
    flows.tcp(control, control, [range(2379, 2380)], "etcd");
    for node in [control, worker] {
        flows.machine(node);
        flows.tcp(node, control, [API], "the API");
        flows.tcp(node, End::Anywhere, [API], "the API at its public endpoint");
        for other in [control, worker] {
            for (protocol, what) in BETWEEN_NODES.into_iter().chain(CALICO) {
                flows.add(node, other, protocol, what);
            }
        }
    }
    flows.balanced(Role::ServiceLb, worker);
    flows.tcp(
        End::Anywhere,
        Role::ServiceLb,
        [one(80), HTTPS],
        "the cluster's ingress",
    );
}

fn oke(flows: &mut Flows) {
    let (endpoint, worker, pod) = (Role::ControlPlaneEndpoint, Role::Worker, Role::Pod);
    flows.tcp(End::Anywhere, endpoint, [API], "the API");
    flows.tcp(endpoint, End::Services, [HTTPS], "Oracle's services");
    flows.tcp(endpoint, worker, [one(10250)], "kubelet");
    flows.add(endpoint, worker, Protocol::PathMtu, "path MTU discovery");
    flows.add(worker, End::Anywhere, Protocol::PathMtu, "path MTU discovery");
    for node in [worker, pod] {
        flows.machine(node);
        flows.tcp(node, endpoint, [API, OKE_PROXY], "the control plane");
    }
    for from in [endpoint, worker, pod] {
        flows.add(from, pod, Protocol::All, "pods");
    }
    flows.balanced(Role::ServiceLb, worker);
    flows.tcp(
        End::Anywhere,
        Role::ServiceLb,
        [one(80), HTTPS],
        "the cluster's ingress",
    );
}

/// The ranges of an end; none for Oracle's services, which OCI names by a label of its own.
pub(super) fn ranges(end: End, plan: &NetworkPlan) -> Vec<IpNet> {
    match end {
        End::Role(role) => plan.subnet(role).map_or_else(Vec::new, |subnet| subnet.cidrs.clone()),
        End::Anywhere => vec![IpNet::V4(ipnet::Ipv4Net::default())],
        End::Management => plan
            .peering
            .as_ref()
            .map_or_else(Vec::new, |peering| peering.cidrs.clone()),
        End::ControlPlane => plan.control_plane.clone(),
        End::LinkLocal => vec![IpNet::from(LINK_LOCAL)],
        End::Services => Vec::new(),
    }
}

/// What OCI's own resolver, time and metadata services answer at.
const LINK_LOCAL: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::new(169, 254, 169, 254));
