//! What a unit needs that no document of ours makes: said, so that a plan can show and check it.
//!
//! Not made, and why: a load balancer in front of a management cluster's nodes (its backends are that cluster's nodes, which
//! the fleet doesn't know unless it says so, and one serves all clusters on it); DNS records without a zone or a known target; the
//! rules of the far side of a peering (the management cluster's VCN belongs to whoever made that cluster).

use serde::Serialize;

use super::{endpoint, machines};
use crate::fleet::model::{
    Cluster, ClusterKind, Dialect, ExistingNetwork, Hosted, Manage, ManagementCluster, Network, NetworkPlan,
    NetworkSource, SecretUse,
};
use crate::resource::{OciId, Reference, ResourceId, Target};

/// One thing that has to be there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Precondition {
    /// An object that others make: a Secret that is used in place.
    Object {
        /// The object.
        id: ResourceId,
    },
    /// A load balancer at this address that hands node ports on to the management cluster's nodes.
    NodePortAddress {
        /// Its address, by which workers reach the control plane.
        address: String,
        /// The fixed node ports; where empty, HyperShift picks them, and the whole range is needed.
        ports: Vec<u16>,
    },
    /// A DNS name that leads to a published service.
    DnsRecord {
        /// The name.
        hostname: String,
        /// The service.
        service: String,
        /// `Route`: leads to the router; `LoadBalancer`: to the service's own load balancer.
        strategy: String,
    },
    /// The management cluster serves `route.openshift.io`.
    RouteApi,
    /// The management cluster's HostedCluster and NodePool CRDs admit `platform.type: OCI` (see `render::crds`).
    OciPlatform,
    /// A VCN or subnet that others made: it is there, in its region, and fits what it is used for.
    Existing {
        /// What it is, or what it is found by.
        resource: OciId,
        /// OCI region id.
        region: String,
        /// `vcn`, `endpoint`, `workers`, `pool NAME`.
        role: String,
        /// The machine networks of the cluster: a VCN holds each of them, and of a subnet for workers each range is within one
        /// of them. Where empty, any ranges will do.
        machine: Vec<String>,
        /// The VCN that a subnet is in, where that is not one of ours; of a VCN none.
        vcn: Option<OciId>,
        /// Whether something in the subnet is to have a public address.
        public: bool,
        /// The NodePool that alone uses the subnet; none where the whole cluster does.
        pool: Option<String>,
    },
    /// The security rules of the management cluster's VCN admit the network that is peered with it.
    Peering {
        /// Our side.
        gateway: ResourceId,
        /// The far side's ranges.
        cidrs: Vec<String>,
    },
}

/// What a cluster needs, sorted. Nothing where nothing of it is written. With the shared network that it uses.
pub(super) fn of_cluster(
    cluster: &Cluster,
    management: Option<&ManagementCluster>,
    shared: Option<&Network>,
) -> Vec<Precondition> {
    let mut needs = Vec::new();
    let hosted = cluster.hosted();
    if let (Some(hosted), Manage::All) = (hosted, cluster.manage) {
        secrets(cluster, hosted, &mut needs);
        published(cluster, (hosted, management), &mut needs);
    }
    // One that the files have comes before the cluster in one plan.
    if let (ClusterKind::Topology(own), Manage::All) = (&cluster.kind, cluster.manage)
        && !own.class.is_ours
    {
        needs.push(Precondition::Object {
            id: machines::class_of(cluster, &own.class),
        });
    }
    let on_oci = hosted.is_some_and(|hosted| hosted.dialect == Dialect::Oci);
    if on_oci && matches!(cluster.manage, Manage::All | Manage::Pools) {
        needs.push(Precondition::OciPlatform);
    }
    let source = &cluster.network.source;
    match (source, shared.map(|network| &network.source)) {
        (NetworkSource::Managed(plan), _) if cluster.manage != Manage::Observe => {
            needs.extend(peering(&cluster.object_name, plan));
        }
        // Documents of the other dialects name nothing of OCI.
        (NetworkSource::Existing(existing), _)
        | (NetworkSource::Shared { .. }, Some(NetworkSource::Existing(existing)))
            if on_oci =>
        {
            needs.extend(there(
                existing,
                &cluster.region,
                &machine(cluster),
                cluster.has_public_endpoint(),
            ));
        }
        _ => {}
    }
    if let Some(hosted) = hosted.filter(|_| on_oci && matches!(cluster.manage, Manage::All | Manage::Pools)) {
        needs.extend(of_pools(cluster, hosted, shared));
    }
    needs.sort();
    needs.dedup();
    needs
}

/// What a shared network needs.
pub(super) fn of_network(network: &Network) -> Vec<Precondition> {
    match &network.source {
        NetworkSource::Managed(plan) if network.manage != Manage::Observe => {
            peering(&network.object_name, plan).into_iter().collect()
        }
        NetworkSource::Existing(existing) => {
            let mut needs = there(existing, &network.region, &[], false);
            needs.sort();
            needs
        }
        NetworkSource::Managed(_) | NetworkSource::Shared { .. } | NetworkSource::Capoci { .. } => Vec::new(),
    }
}

/// What a management cluster's identities need.
pub(super) fn of_management_cluster(cluster: &ManagementCluster) -> Vec<Precondition> {
    let secrets = cluster
        .identities
        .values()
        .filter_map(|identity| identity.principal_secret.as_ref());
    let mut needs: Vec<_> = secrets
        .map(|secret| {
            let target = Target::Kubernetes(cluster.name.clone());
            object(target, "Secret", &secret.namespace, &secret.name)
        })
        .collect();
    needs.sort();
    needs.dedup();
    needs
}

fn secrets(cluster: &Cluster, hosted: &Hosted, needs: &mut Vec<Precondition>) {
    let secrets = [
        Some(&hosted.pull_secret),
        hosted.ssh_key.as_ref(),
        hosted.encryption_key.as_ref(),
    ];
    let secrets = secrets.into_iter().flatten().map(|used| ("Secret", used));
    for (kind, SecretUse { name, copy_from }) in
        secrets.chain(hosted.trust_bundle.iter().map(|used| ("ConfigMap", used)))
    {
        let (namespace, name) = match copy_from {
            Some(from) => (&from.namespace, &from.name),
            None => (&cluster.namespace, name),
        };
        let target = Target::Kubernetes(cluster.management_cluster.clone());
        needs.push(object(target, kind, namespace, name));
    }
}

/// The parts of an existing network.
fn there(existing: &ExistingNetwork, region: &str, machine: &[String], public: bool) -> Vec<Precondition> {
    let one =
        |resource: &OciId, role: &str, machine: &[String], vcn: Option<&OciId>, public: bool| Precondition::Existing {
            resource: resource.clone(),
            region: region.to_owned(),
            role: role.to_owned(),
            machine: machine.to_vec(),
            vcn: vcn.cloned(),
            public,
            pool: None,
        };
    let vcn = existing.vcn.as_ref();
    let endpoint = existing.endpoint_subnet.as_ref();
    let workers = existing.worker_subnet.as_ref();
    vcn.map(|id| one(id, "vcn", machine, None, false))
        .into_iter()
        .chain(endpoint.map(|id| one(id, "endpoint", &[], vcn, public)))
        .chain(workers.map(|id| one(id, "workers", machine, vcn, false)))
        .collect()
}

/// The subnets that pools name for themselves.
fn of_pools(cluster: &Cluster, hosted: &Hosted, shared: Option<&Network>) -> Vec<Precondition> {
    let vcn = match (&cluster.network.source, shared.map(|network| &network.source)) {
        (NetworkSource::Existing(existing), _)
        | (NetworkSource::Shared { .. }, Some(NetworkSource::Existing(existing))) => existing.vcn.clone(),
        _ => None,
    };
    let pools = hosted.node_pools.values();
    let named = pools.filter_map(|pool| Some((pool, pool.subnet.clone()?)));
    named
        .map(|(pool, subnet)| Precondition::Existing {
            resource: OciId::Known(subnet),
            region: cluster.region.clone(),
            role: format!("pool {}", pool.name),
            machine: machine(cluster),
            vcn: vcn.clone(),
            public: false,
            pool: Some(pool.object_name.clone()),
        })
        .collect()
}

fn machine(cluster: &Cluster) -> Vec<String> {
    cluster.network.machine.iter().map(ToString::to_string).collect()
}

fn published(
    cluster: &Cluster,
    (hosted, management): (&Hosted, Option<&ManagementCluster>),
    needs: &mut Vec<Precondition>,
) {
    let own = hosted.endpoint.as_ref().map(|own| &own.hostname);
    let made = endpoint::records(cluster, management);
    let by = |strategy: &'static str| {
        hosted
            .services
            .iter()
            .filter(move |service| service.strategy == strategy)
    };
    for first in by("NodePort") {
        if let Some(address) = first.address.as_ref().filter(|address| Some(*address) != own) {
            let mut ports: Vec<u16> = by("NodePort")
                .filter(|service| service.address.as_ref() == Some(address))
                .filter_map(|service| service.port)
                .collect();
            ports.sort_unstable();
            let address = address.clone();
            needs.push(Precondition::NodePortAddress { address, ports });
        }
    }
    if by("Route").next().is_some() {
        needs.push(Precondition::RouteApi);
    }
    for service in by("Route").chain(by("LoadBalancer")) {
        let hostname = service.hostname.as_ref();
        if let Some(hostname) = hostname.filter(|name| made.iter().all(|record| record.domain != **name)) {
            needs.push(Precondition::DnsRecord {
                hostname: hostname.clone(),
                service: service.name.clone(),
                strategy: service.strategy.clone(),
            });
        }
    }
}

fn peering(stem: &str, plan: &NetworkPlan) -> Option<Precondition> {
    let peering = plan.peering.as_ref()?;
    let kind = if peering.remote {
        "DrgAttachment"
    } else {
        "LocalPeeringGateway"
    };
    Some(Precondition::Peering {
        gateway: Reference::to_oci(kind, &format!("{stem}-management")).id,
        cidrs: peering.cidrs.iter().map(ToString::to_string).collect(),
    })
}

fn object(target: Target, kind: &str, namespace: &str, name: &str) -> Precondition {
    Precondition::Object {
        id: ResourceId {
            target,
            group: String::new(),
            kind: kind.to_owned(),
            namespace: Some(namespace.to_owned()),
            name: name.to_owned(),
        },
    }
}
