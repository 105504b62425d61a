//! What templates see.
//!
//! `fleet` (name, uid), `cluster`, `managementCluster` as in the model; and worked out here, so that no template has to:
//! `namespaces` and `copies` of this unit, `services` in the one order, `links` (OCIDs of the network, or references to
//! what will have one), `network` (what to make, where the unit makes a network; else null), `machines` (what clusters of
//! machines need; null of hosted ones), `balancer` and `records` (what leads to the cluster), `remoteRegions` (of networks that are peered with the management cluster from another region).

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use minijinja::context;
use minijinja::value::{Serde, Value};
use serde::Serialize;

use super::endpoint;
use super::firewall::{self, Subnet};
use super::machines;
use crate::diag::{Code, Diagnostic};
use crate::fleet::model::{
    Cluster, Dialect, ExistingNetwork, Fleet, Hosted, Manage, ManagementCluster, Network, NetworkPlan, NetworkSource,
    SecretRef, SecretUse, Service,
};
use crate::resource::{ClusterName, Compartment, ManagementClusterName, OciId, Ocid, Reference};

/// HyperShift's list of services can't change after creation, its order included; so there is one order.
const SERVICE_ORDER: [&str; 4] = ["APIServer", "OAuthServer", "Konnectivity", "Ignition"];

/// A Secret or ConfigMap copied beside a HostedCluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Copy {
    pub(super) kind: &'static str,
    pub(super) namespace: String,
    pub(super) name: String,
    from: SecretRef,
}

/// What a cluster's objects name of its network.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Links {
    vcn: Option<serde_json::Value>,
    endpoint_subnet: Option<serde_json::Value>,
    worker_subnet: Option<serde_json::Value>,
}

/// A network to make.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NetworkContext<'a> {
    /// The stem of its objects' names.
    stem: &'a str,
    region: &'a str,
    tenancy: Option<&'a Ocid>,
    compartment: Option<&'a Compartment>,
    plan: &'a NetworkPlan,
    /// The VCN's IPv4 ranges.
    ranges: Vec<IpNet>,
    /// And its IPv6 ones.
    ipv6: Vec<IpNet>,
    /// Whether anything in it has addresses on the internet.
    public: bool,
    subnets: Vec<Subnet>,
    freeform_tags: BTreeMap<String, String>,
    defined_tags: &'a BTreeMap<String, BTreeMap<String, String>>,
}

/// What several clusters want in one management cluster, so that it belongs to none of them.
#[derive(Debug, Default)]
pub(super) struct Shared {
    namespaces: BTreeMap<(ManagementClusterName, String), BTreeSet<ClusterName>>,
}

impl Shared {
    /// Looks through the whole fleet.
    pub(super) fn of(fleet: &Fleet) -> Self {
        let mut namespaces: BTreeMap<_, BTreeSet<ClusterName>> = BTreeMap::new();
        for cluster in fleet.clusters.values() {
            let key = (cluster.management_cluster.clone(), cluster.namespace.clone());
            namespaces.entry(key).or_default().insert(cluster.name.clone());
        }
        namespaces.retain(|_, clusters| clusters.len() > 1);
        Self { namespaces }
    }

    /// Whether the cluster's namespace is another's too.
    pub(super) fn has(&self, cluster: &Cluster) -> bool {
        let key = (cluster.management_cluster.clone(), cluster.namespace.clone());
        self.namespaces.contains_key(&key)
    }
}

/// The values of all templates' contexts that clusters have in common, made once.
pub(super) struct Contexts<'a> {
    fleet: &'a Fleet,
    pub(super) shared: Shared,
    fleet_value: Value,
    management: BTreeMap<&'a ManagementClusterName, Value>,
}

impl<'a> Contexts<'a> {
    /// Prepares what is common.
    pub(super) fn new(fleet: &'a Fleet) -> Self {
        let value = |cluster: &'a ManagementCluster| Value::from(Serde(cluster));
        Self {
            shared: Shared::of(fleet),
            fleet_value: context! { name => fleet.name.as_str(), uid => fleet.uid.as_str() },
            management: fleet
                .management_clusters
                .iter()
                .map(|(name, cluster)| (name, value(cluster)))
                .collect(),
            fleet,
        }
    }

    /// A cluster's context.
    ///
    /// # Errors
    /// Where the model names something that is not there, or lacks what the dialect needs.
    pub(super) fn cluster(&self, cluster: &Cluster) -> Result<Value, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        let management = self.management.get(&cluster.management_cluster).cloned();
        if management.is_none() {
            let message = format!("there is no management cluster `{}`", cluster.management_cluster);
            problems.push(Diagnostic::new(Code::Dangling, message));
        }
        let links = self.links(cluster).unwrap_or_else(|problem| {
            problems.push(*problem);
            Links::default()
        });
        let published = cluster.hosted().into_iter().flat_map(|hosted| &hosted.services);
        for service in published.filter(|service| service.strategy == "NodePort" && service.address.is_none()) {
            let message = format!("{} is published by node port, but no address leads there", service.name);
            let hint = "set `nodePortAddress` of the management cluster";
            problems.push(Diagnostic::new(Code::MissingKey, message).hint(hint));
        }
        if let Some(hosted) = cluster.hosted().filter(|hosted| hosted.dialect == Dialect::Oci)
            && problems.is_empty()
        {
            problems.extend(missing(cluster, (hosted, &links)));
        }
        let network = cluster.network.source.plan().map(|plan| NetworkContext {
            tenancy: cluster.tenancy.as_ref(),
            compartment: compartment(cluster.compartment.as_ref(), &mut problems),
            freeform_tags: tags(&cluster.freeform_tags, cluster.owner.as_ref()),
            defined_tags: &cluster.defined_tags,
            ..NetworkContext::of(plan, &cluster.object_name, &cluster.region)
        });
        if !problems.is_empty() {
            let place = |problem: Diagnostic| match (&cluster.typed.0, &problem.span) {
                (Some(span), None) => problem.at(span),
                _ => problem,
            };
            return Err(problems.into_iter().map(place).collect());
        }
        let machines = cluster
            .machines()
            .map(|machines| machines::Context::of(cluster, machines, self.fleet));
        let shared = self.shared.has(cluster);
        let namespaces = if shared || cluster.namespace_of_others {
            vec![]
        } else {
            vec![cluster.namespace.as_str()]
        };
        let copies = if shared {
            BTreeSet::new()
        } else {
            copies(cluster).collect()
        };
        Ok(context! {
            fleet => self.fleet_value.clone(),
            managementCluster => management,
            cluster => Value::from(Serde(cluster)),
            namespaces => Value::from(Serde(&namespaces)),
            copies => Value::from(Serde(&copies)),
            services => Value::from(Serde(services(cluster))),
            links => Value::from(Serde(&links)),
            network => Value::from(Serde(&network)),
            machines => Value::from(Serde(&machines)),
            balancer => Value::from(Serde(endpoint::balancer(cluster))),
            records => Value::from(Serde(endpoint::records(
                cluster,
                self.fleet.management_clusters.get(&cluster.management_cluster),
            ))),
        })
    }

    /// A management cluster's context: with the namespaces, and the copies in them, that several of its clusters share.
    pub(super) fn management_cluster(&self, cluster: &ManagementCluster) -> Value {
        let here = |key: &&(ManagementClusterName, String)| key.0 == cluster.name;
        let sharing = self.fleet.clusters.values();
        let sharing = sharing.filter(|other| other.management_cluster == cluster.name && self.shared.has(other));
        let of_others = sharing.clone().filter(|other| other.namespace_of_others);
        let of_others: BTreeSet<&str> = of_others.map(|other| other.namespace.as_str()).collect();
        let namespaces: Vec<&str> = self
            .shared
            .namespaces
            .keys()
            .filter(here)
            .map(|(_, name)| name.as_str())
            .filter(|name| !of_others.contains(name))
            .collect();
        let copies: BTreeSet<Copy> = sharing.flat_map(copies).collect();
        context! {
            fleet => self.fleet_value.clone(),
            managementCluster => self.management.get(&cluster.name).cloned(),
            namespaces => Value::from(Serde(&namespaces)),
            copies => Value::from(Serde(&copies)),
            remoteRegions => Value::from(Serde(&self.remote_regions(&cluster.name))),
        }
    }

    /// The regions of the networks of ours that are peered with a management cluster from another region.
    fn remote_regions(&self, management: &ManagementClusterName) -> BTreeSet<&str> {
        let clusters = self.fleet.clusters.values();
        let clusters = clusters.map(|it| (&it.network.source, it.manage, it.region.as_str()));
        let networks = self
            .fleet
            .networks
            .values()
            .map(|it| (&it.source, it.manage, it.region.as_str()));
        clusters
            .chain(networks)
            .filter(|(source, manage, _)| {
                let peering = source.plan().and_then(|plan| plan.peering.as_ref());
                let remote = peering.is_some_and(|peering| peering.remote && peering.with == *management);
                remote && *manage != Manage::Observe
            })
            .map(|(.., region)| region)
            .collect()
    }

    /// A shared network's context.
    ///
    /// # Errors
    /// Where a network to be made lacks a compartment.
    pub(super) fn network(&self, network: &Network) -> Result<Value, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        let context = network.source.plan().map(|plan| NetworkContext {
            tenancy: network.tenancy.as_ref(),
            compartment: compartment(network.compartment.as_ref(), &mut problems),
            freeform_tags: network.freeform_tags.clone(),
            defined_tags: &network.defined_tags,
            ..NetworkContext::of(plan, &network.object_name, &network.region)
        });
        if !problems.is_empty() {
            return Err(problems);
        }
        let management = self.management.get(&network.management_cluster).cloned();
        Ok(context! {
            fleet => self.fleet_value.clone(),
            managementCluster => management,
            network => Value::from(Serde(&context)),
        })
    }

    fn links(&self, cluster: &Cluster) -> Result<Links, Box<Diagnostic>> {
        match &cluster.network.source {
            NetworkSource::Managed(_) => Ok(made(&cluster.object_name)),
            NetworkSource::Existing(existing) => Ok(known(existing)),
            NetworkSource::Capoci { .. } => Ok(Links::default()),
            NetworkSource::Shared { name } => match self.fleet.networks.get(name) {
                Some(Network {
                    source: NetworkSource::Managed(_),
                    object_name,
                    ..
                }) => Ok(made(object_name)),
                Some(Network {
                    source: NetworkSource::Existing(existing),
                    ..
                }) => Ok(known(existing)),
                Some(_) | None => {
                    let message = format!("there is no network `{name}` that could be shared");
                    Err(Box::new(Diagnostic::new(Code::Dangling, message)))
                }
            },
        }
    }
}

/// Every copy that a cluster needs.
pub(super) fn copies(cluster: &Cluster) -> impl Iterator<Item = Copy> + '_ {
    let hosted = cluster.hosted();
    let secrets = hosted.map(|hosted| {
        [
            Some(&hosted.pull_secret),
            hosted.ssh_key.as_ref(),
            hosted.encryption_key.as_ref(),
        ]
    });
    let secrets = secrets.into_iter().flatten().flatten().map(|used| ("Secret", used));
    let bundle = hosted.and_then(|hosted| hosted.trust_bundle.as_ref());
    secrets
        .chain(bundle.map(|used| ("ConfigMap", used)))
        .filter_map(|(kind, SecretUse { name, copy_from })| {
            // A source beside the HostedCluster is the object itself.
            let from = copy_from
                .clone()
                .filter(|from| (&from.namespace, &from.name) != (&cluster.namespace, name))?;
            Some(Copy {
                kind,
                namespace: cluster.namespace.clone(),
                name: name.clone(),
                from,
            })
        })
}

fn services(cluster: &Cluster) -> Vec<&Service> {
    let mut services: Vec<&Service> = cluster
        .hosted()
        .map_or_else(Vec::new, |hosted| hosted.services.iter().collect());
    let place = |service: &Service| SERVICE_ORDER.iter().position(|name| *name == service.name);
    services.sort_by_key(|service| place(service).unwrap_or(SERVICE_ORDER.len()));
    services
}

/// The tags as typed; who answers for the objects is one of them unless a tag says so already.
pub(super) fn tags(typed: &BTreeMap<String, String>, owner: Option<&String>) -> BTreeMap<String, String> {
    let mut tags = typed.clone();
    if let Some(owner) = owner {
        tags.entry("owner".to_owned()).or_insert_with(|| owner.clone());
    }
    tags
}

/// For what is given otherwise.
static NO_TAGS: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();

impl<'a> NetworkContext<'a> {
    /// What follows from the plan alone.
    fn of(plan: &'a NetworkPlan, stem: &'a str, region: &'a str) -> Self {
        let (ipv6, ranges) = plan.vcn.iter().partition(|net| net.addr().is_ipv6());
        Self {
            stem,
            region,
            tenancy: None,
            compartment: None,
            plan,
            ranges,
            ipv6,
            public: plan.subnets.iter().any(|subnet| subnet.public),
            subnets: firewall::subnets(plan),
            freeform_tags: BTreeMap::new(),
            defined_tags: &NO_TAGS,
        }
    }
}

fn known(existing: &ExistingNetwork) -> Links {
    Links {
        vcn: existing.vcn.as_ref().map(OciId::to_value),
        endpoint_subnet: existing.endpoint_subnet.as_ref().map(OciId::to_value),
        worker_subnet: existing.worker_subnet.as_ref().map(OciId::to_value),
    }
}

fn made(stem: &str) -> Links {
    let subnet = |role| Some(Reference::to_oci("Subnet", &format!("{stem}-{role}")).to_value());
    Links {
        vcn: Some(Reference::to_oci("Vcn", stem).to_value()),
        endpoint_subnet: subnet("endpoint"),
        worker_subnet: subnet("workers"),
    }
}

fn compartment<'a>(typed: Option<&'a Compartment>, problems: &mut Vec<Diagnostic>) -> Option<&'a Compartment> {
    if typed.is_none() {
        problems.push(Diagnostic::new(
            Code::MissingKey,
            "a network to be made needs a `compartment`",
        ));
    }
    typed
}

/// What the `oci` dialect can't do without.
fn missing(cluster: &Cluster, (hosted, links): (&Hosted, &Links)) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let mut need = |there: bool, what: &str| {
        if !there {
            problems.push(Diagnostic::new(
                Code::MissingKey,
                format!("a HostedCluster on OCI needs {what}"),
            ));
        }
    };
    need(cluster.tenancy.is_some(), "a `tenancy`");
    need(cluster.compartment.is_some(), "a `compartment`");
    for pool in hosted.node_pools.values().filter(|pool| pool.subnet.is_none()) {
        let what = format!(
            "a subnet for node pool `{}`: its own, or the network's worker subnet",
            pool.name
        );
        need(links.worker_subnet.is_some(), &what);
    }
    problems
}
