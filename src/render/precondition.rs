//! What a unit needs that no document of ours makes: said, so that a plan can show and check it.
//!
//! Not made, and why: a load balancer in front of a management cluster's nodes (its backends are that cluster's nodes, which
//! the fleet doesn't know, and one serves all clusters on it); DNS records (whose zone they go to is not in the fleet); the
//! far end of a peering (the management cluster's VCN belongs to whoever made that cluster).

use serde::Serialize;

use crate::fleet::model::{
    Cluster, Dialect, Manage, ManagementCluster, Network, NetworkPlan, NetworkSource, SecretUse,
};
use crate::resource::{Reference, ResourceId, Target};

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
    /// Our peering gateway is connected to one of the management cluster's VCN, which routes back.
    Peering {
        /// Our side.
        gateway: ResourceId,
        /// The far side's ranges.
        cidrs: Vec<String>,
    },
}

/// What a cluster needs, sorted. Nothing where nothing of it is written.
pub(super) fn of_cluster(cluster: &Cluster) -> Vec<Precondition> {
    let mut needs = Vec::new();
    if matches!(cluster.manage, Manage::All) {
        secrets(cluster, &mut needs);
        published(cluster, &mut needs);
    }
    if cluster.dialect == Dialect::Oci && matches!(cluster.manage, Manage::All | Manage::Pools) {
        needs.push(Precondition::OciPlatform);
    }
    if let NetworkSource::Managed(plan) = &cluster.network.source
        && cluster.manage != Manage::Observe
    {
        needs.extend(peering(&cluster.object_name, plan));
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
        _ => Vec::new(),
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

fn secrets(cluster: &Cluster, needs: &mut Vec<Precondition>) {
    let secrets = [
        Some(&cluster.pull_secret),
        cluster.ssh_key.as_ref(),
        cluster.encryption_key.as_ref(),
    ];
    let secrets = secrets.into_iter().flatten().map(|used| ("Secret", used));
    for (kind, SecretUse { name, copy_from }) in
        secrets.chain(cluster.trust_bundle.iter().map(|used| ("ConfigMap", used)))
    {
        let (namespace, name) = match copy_from {
            Some(from) => (&from.namespace, &from.name),
            None => (&cluster.namespace, name),
        };
        let target = Target::Kubernetes(cluster.management_cluster.clone());
        needs.push(object(target, kind, namespace, name));
    }
}

fn published(cluster: &Cluster, needs: &mut Vec<Precondition>) {
    let by = |strategy: &'static str| {
        cluster
            .services
            .iter()
            .filter(move |service| service.strategy == strategy)
    };
    for first in by("NodePort") {
        if let Some(address) = &first.address {
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
        if let Some(hostname) = &service.hostname {
            needs.push(Precondition::DnsRecord {
                hostname: hostname.clone(),
                service: service.name.clone(),
                strategy: service.strategy.clone(),
            });
        }
    }
}

fn peering(stem: &str, plan: &NetworkPlan) -> Option<Precondition> {
    plan.peer_with_management.then(|| Precondition::Peering {
        gateway: Reference::to_oci("LocalPeeringGateway", &format!("{stem}-management")).id,
        cidrs: plan.management_cidrs.iter().map(ToString::to_string).collect(),
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
