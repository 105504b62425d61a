//! Clusters that Cluster API makes of machines: what their templates see, and what is done with the documents afterwards.
//!
//! Invariant: what Cluster API reads once, when it makes a machine, is never changed in place: its name carries a digest of
//! what it says, so that another content is another object, and what names it follows.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::finish::{Document, merge};
use super::firewall;
use crate::fleet::model::{
    ClassRef, Cluster, ClusterApi, ClusterKind, Fleet, MachineGroup, Machines, NetworkPlan, NetworkSource, Patches,
    Role, Scale, SecurityGroup, SecurityRule, SubnetPlan, Taint,
};
use crate::resource::{Digest, Manifest, Reference, ResourceId, Target};

/// Kinds whose content makes machines, and is read just then.
const BY_CONTENT: [&str; 3] = ["OCIMachineTemplate", "KubeadmConfigTemplate", "KubeadmConfig"];

/// Where OCI tells a machine its own id; cloud-init fills it in.
const PROVIDER_ID: &str = r#"oci://{{ ds["id"] }}"#;

/// What templates see beside the model.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Context {
    /// The network that machines are put into; none where Cluster API Provider OCI makes it.
    network: Option<MadeNetwork>,
    /// The security groups that it makes of such a network; empty where they are its own.
    groups: Vec<Value>,
    /// Namespace of the identity; none where it has none of that name.
    identity_namespace: Option<String>,
    /// Arguments of every kubelet of the control plane, in the form of the contract.
    kubelet: Value,
    /// What is worked out of each pool, by its name.
    pools: BTreeMap<String, PoolContext>,
    /// Values of a class's variables, as the API lists them.
    variables: Variables,
}

/// Values of a class's variables, as the API lists them.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Variables {
    cluster: Vec<Value>,
    control_plane: Vec<Value>,
}

fn variables(values: &BTreeMap<String, Value>) -> Vec<Value> {
    let one = |(name, value): (&String, &Value)| json!({"name": name, "value": value});
    values.iter().map(one).collect()
}

/// What is worked out of one pool.
#[derive(Debug, Serialize)]
struct PoolContext {
    /// As of the control plane, with the labels of its nodes.
    kubelet: Value,
    taints: Vec<Value>,
    /// Of the object that holds its size.
    annotations: BTreeMap<String, String>,
    /// Those of a class's variables that hold for it alone.
    variables: Vec<Value>,
}

/// A network of ours, as Cluster API Provider OCI names its parts: each is there, and to be left as it is.
#[derive(Debug, Serialize)]
struct MadeNetwork {
    vcn: Value,
    cidrs: Vec<IpNet>,
    subnets: Vec<Value>,
    groups: Vec<Value>,
}

impl Context {
    /// Of a cluster whose network, if it is a shared one, is there.
    pub(super) fn of(cluster: &Cluster, machines: &Machines, fleet: &Fleet) -> Self {
        let management = fleet.management_clusters.get(&cluster.management_cluster);
        let contract = management.map(|it| it.cluster_api).unwrap_or_default();
        let identity = cluster.identity.as_ref();
        let identity = identity.and_then(|name| management?.identities.get(name));
        let pools = machines.pools.values();
        Self {
            network: made(cluster, fleet),
            groups: match &cluster.network.source {
                NetworkSource::Capoci { groups } => groups.iter().map(group).collect(),
                _ => Vec::new(),
            },
            identity_namespace: identity.map(|identity| identity.namespace.clone()),
            kubelet: kubelet(None, contract),
            pools: pools
                .map(|pool| (pool.name.to_string(), PoolContext::of(pool, contract)))
                .collect(),
            variables: match &cluster.kind {
                ClusterKind::Topology(own) => Variables {
                    cluster: variables(&own.variables),
                    control_plane: variables(&own.control_plane.variables),
                },
                ClusterKind::Hosted(_) | ClusterKind::SelfManaged(_) | ClusterKind::Oke(_) => Variables::default(),
            },
        }
    }
}

impl PoolContext {
    fn of(pool: &MachineGroup, contract: ClusterApi) -> Self {
        let taint = |taint: &Taint| match &taint.value {
            Some(value) => json!({"key": taint.key, "value": value, "effect": taint.effect}),
            None => json!({"key": taint.key, "effect": taint.effect}),
        };
        let mut annotations = pool.annotations.clone();
        if let Scale::Autoscale { min, max } = pool.scale {
            for (end, count) in [("min", min), ("max", max)] {
                let key = format!("cluster.x-k8s.io/cluster-api-autoscaler-node-group-{end}-size");
                annotations.entry(key).or_insert_with(|| count.to_string());
            }
        }
        Self {
            kubelet: kubelet(Some(pool), contract),
            taints: pool.taints.iter().map(taint).collect(),
            annotations,
            variables: variables(&pool.variables),
        }
    }
}

fn made(cluster: &Cluster, fleet: &Fleet) -> Option<MadeNetwork> {
    let (plan, stem): (&NetworkPlan, &str) = match &cluster.network.source {
        NetworkSource::Managed(plan) => (plan, &cluster.object_name),
        NetworkSource::Shared { name } => {
            let network = fleet.networks.get(name)?;
            (network.source.plan()?, &network.object_name)
        }
        NetworkSource::Existing(_) | NetworkSource::Capoci { .. } => return None,
    };
    let id = |kind: &str, role: Role| Reference::to_oci(kind, &format!("{stem}-{}", role.name())).to_value();
    let subnet = |subnet: &SubnetPlan| {
        let role = subnet.role.name();
        let sort = if subnet.public { "public" } else { "private" };
        let cidr = subnet.cidrs.iter().find(|net| net.addr().is_ipv4());
        let id = id("Subnet", subnet.role);
        json!({"role": role, "name": role, "type": sort, "cidr": cidr, "id": id, "skip": true})
    };
    let group = |subnet: &SubnetPlan| {
        let role = subnet.role.name();
        let id = id("NetworkSecurityGroup", subnet.role);
        firewall::is_in_group(subnet.role, plan).then(|| json!({"role": role, "name": role, "id": id}))
    };
    Some(MadeNetwork {
        vcn: Reference::to_oci("Vcn", stem).to_value(),
        cidrs: plan.vcn.iter().filter(|net| net.addr().is_ipv4()).copied().collect(),
        subnets: plan.subnets.iter().map(subnet).collect(),
        groups: plan.subnets.iter().filter_map(group).collect(),
    })
}

/// A group in full.
fn group((role, group): (&String, &SecurityGroup)) -> Value {
    let rule = |rule: &SecurityRule, kind: &str, end: &str| {
        let mut said = json!({
            "protocol": rule.protocol,
            "isStateless": false,
            "description": rule.description,
            end: rule.far,
            format!("{end}Type"): rule.far_type,
        });
        if let Some(ports) = &rule.ports {
            let options = if rule.protocol == "6" {
                "tcpOptions"
            } else {
                "udpOptions"
            };
            said[options] = json!({"destinationPortRange": ports});
        }
        if let Some(icmp) = &rule.icmp {
            said["icmpOptions"] = json!(icmp);
        }
        json!({kind: said})
    };
    let ingress = group.ingress.iter().map(|it| rule(it, "ingressRule", "source"));
    let egress = group.egress.iter().map(|it| rule(it, "egressRule", "destination"));
    json!({
        "name": role,
        "role": role,
        "ingressRules": ingress.collect::<Vec<_>>(),
        "egressRules": egress.collect::<Vec<_>>(),
    })
}

fn kubelet(pool: Option<&MachineGroup>, contract: ClusterApi) -> Value {
    let mut arguments = BTreeMap::from([
        ("cloud-provider", "external".to_owned()),
        ("provider-id", PROVIDER_ID.to_owned()),
    ]);
    let labels = pool.map(|pool| pool.node_labels.iter().map(|(key, value)| format!("{key}={value}")));
    let labels: Vec<String> = labels.into_iter().flatten().collect();
    if !labels.is_empty() {
        arguments.insert("node-labels", labels.join(","));
    }
    match contract {
        ClusterApi::V1Beta1 => json!(arguments),
        ClusterApi::V1Beta2 => arguments
            .into_iter()
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect(),
    }
}

/// Merges the raw patches over what the templates gave, and names what is named by its content.
pub(super) fn complete(documents: &mut [Document], cluster: &Cluster, machines: &Machines) {
    for document in documents.iter_mut() {
        patch(&mut document.body, cluster, machines);
    }
    let mut renamed: BTreeMap<(String, String), String> = BTreeMap::new();
    for document in documents.iter_mut() {
        let kind = text(&document.body, "/kind");
        if !BY_CONTENT.contains(&kind.as_str()) {
            continue;
        }
        let content = document.body.get("spec").map(Value::to_string).unwrap_or_default();
        let digest = Digest::of(content.as_bytes()).to_hex();
        let before = text(&document.body, "/metadata/name");
        let after = format!("{before}-{}", digest.get(..8).unwrap_or(&digest));
        if let Some(name) = document.body.pointer_mut("/metadata/name") {
            *name = after.as_str().into();
        }
        renamed.insert((kind, before), after);
    }
    for spec in documents
        .iter_mut()
        .filter_map(|document| document.body.get_mut("spec"))
    {
        follow(spec, &renamed);
    }
}

/// Has every reference to an object by kind and name follow its new name.
fn follow(value: &mut Value, renamed: &BTreeMap<(String, String), String>) {
    match value {
        Value::Object(map) => {
            if let (Some(Value::String(kind)), Some(Value::String(name))) = (map.get("kind"), map.get("name"))
                && let Some(after) = renamed.get(&(kind.clone(), name.clone()))
            {
                map.insert("name".to_owned(), after.as_str().into());
            }
            map.values_mut().for_each(|value| follow(value, renamed));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| follow(value, renamed)),
        _ => {}
    }
}

/// Whether a group is Cluster API's or one of its providers'.
pub(super) fn is_cluster_api(group: &str) -> bool {
    group == "cluster.x-k8s.io" || group.ends_with(".cluster.x-k8s.io")
}

/// What of the objects beside it a document of Cluster API needs: what it names, and its cluster.
pub(super) fn needs<'a>(manifest: &Manifest, beside: impl Iterator<Item = &'a ResourceId>) -> BTreeSet<ResourceId> {
    let body = manifest.body();
    let mut named = BTreeSet::new();
    if let Some(spec) = body.get("spec") {
        names(spec, &mut named);
    }
    if let Some(name) = body.pointer("/spec/clusterName").and_then(Value::as_str) {
        named.insert(("Cluster", name));
    }
    let is_named = |id: &&ResourceId| named.contains(&(id.kind.as_str(), id.name.as_str())) && **id != manifest.id;
    beside.filter(is_named).cloned().collect()
}

/// The class that a Cluster is of, which another unit may have.
pub(super) fn class(of: &ResourceId, cluster: &Cluster) -> Option<ResourceId> {
    match &cluster.kind {
        ClusterKind::Topology(own) if of.kind == "Cluster" => Some(class_of(cluster, &own.class)),
        _ => None,
    }
}

/// The class, as an object.
pub(super) fn class_of(cluster: &Cluster, class: &ClassRef) -> ResourceId {
    ResourceId {
        target: Target::Kubernetes(cluster.management_cluster.clone()),
        group: "cluster.x-k8s.io".to_owned(),
        kind: "ClusterClass".to_owned(),
        namespace: Some(class.namespace.as_ref().unwrap_or(&cluster.namespace).clone()),
        name: class.name.clone(),
    }
}

/// Every kind and name that stand side by side.
fn names<'a>(value: &'a Value, found: &mut BTreeSet<(&'a str, &'a str)>) {
    match value {
        Value::Object(map) => {
            if let (Some(Value::String(kind)), Some(Value::String(name))) = (map.get("kind"), map.get("name")) {
                found.insert((kind, name));
            }
            map.values().for_each(|value| names(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| names(value, found)),
        _ => {}
    }
}

/// Merges the patch of a document's kind over its spec, or over that of what it is a template of.
fn patch(body: &mut Value, cluster: &Cluster, machines: &Machines) {
    let (kind, name) = (text(body, "/kind"), text(body, "/metadata/name"));
    let control_plane = match &cluster.kind {
        ClusterKind::SelfManaged(own) => Some(&own.control_plane),
        ClusterKind::Hosted(_) | ClusterKind::Oke(_) | ClusterKind::Topology(_) => None,
    };
    let control_plane = control_plane.map(|it| (it.object_name.as_str(), &it.patches));
    let pools = machines
        .pools
        .values()
        .map(|pool| (pool.object_name.as_str(), &pool.patches));
    let parts = control_plane.into_iter().chain(pools);
    let of_part = parts.filter(|(stem, _)| *stem == name).map(|(_, patches)| patches);
    let patches: Vec<&Patches> = std::iter::once(&machines.patches).chain(of_part).collect();
    for patch in patches
        .into_iter()
        .filter_map(|patches| patches.get(&kind)?.as_object())
    {
        let at = if kind.ends_with("Template") {
            "/spec/template/spec"
        } else {
            "/spec"
        };
        if body.pointer(at).is_none() {
            let Some(map) = body.as_object_mut() else { return };
            map.insert("spec".to_owned(), Value::Object(Map::new()));
        }
        if let Some(spec) = body.pointer_mut(at) {
            merge(spec, patch);
        }
    }
}

fn text(value: &Value, pointer: &str) -> String {
    let text = value.pointer(pointer).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}
