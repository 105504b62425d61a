//! A HostedCluster and its NodePools → what the files would say of them, as far as there are words for it.
//!
//! Invariant: a draft may say too little or the wrong thing, and the comparison with what is live mends it; what it must not
//! do is to say something that the files do not take.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::hub::Hub;
use super::labels;
use super::live::{Hosted, Object, own_namespace};
use super::names;
use super::network;
use super::pool;
use super::release::{self, Release};
use super::services;
use super::words::is_size;
use super::{Options, note};
use crate::diag::{Code, Diagnostic};
use crate::fleet::LockedCluster;
use crate::resource::{Digest, NodePoolName};

/// One cluster of the files to be.
pub(super) struct Draft<'a> {
    pub(super) name: String,
    pub(super) environment: String,
    /// Everything that it says, its pools and patches among it.
    pub(super) settings: Map<String, Value>,
    /// Its patches, for the HostedCluster and by pool; they are put into the settings last.
    pub(super) patch: Map<String, Value>,
    pub(super) pool_patches: BTreeMap<String, Map<String, Value>>,
    pub(super) pin: LockedCluster,
    pub(super) live: &'a Hosted,
    /// The live NodePool of each pool.
    pub(super) pools: BTreeMap<String, &'a Object>,
    pub(super) hub: &'a Hub<'a>,
}

/// Base domain of a HostedCluster that has none: a name that leads nowhere, which a patch takes out again.
const NO_DOMAIN: &str = "none.invalid";

/// Drafts one; `taken` are the names that others have.
pub(super) fn draft<'a>(
    live: &'a Hosted,
    hub: &'a Hub<'a>,
    options: &Options,
    taken: &mut BTreeSet<String>,
) -> Result<Draft<'a>, Diagnostic> {
    let cluster = &live.cluster;
    let left_out = |why: &str| {
        let message = format!("{} {why}: it is not imported", cluster.shown());
        note(Code::ImportLeftOut, message)
    };
    let Some(release) = release::of(cluster) else {
        return Err(left_out("does not tell its version, by its image or its status").hint(
            "an image that is named by its digest needs a status in which that digest stands beside its version",
        ));
    };
    let Some(pull_secret) = cluster.text("/pullSecret/name").filter(|name| !name.is_empty()) else {
        return Err(left_out("names no pull secret"));
    };
    let name = names::free(&cluster.name, &cluster.namespace, taken);
    let mut settings = Map::new();
    let mut set = |key: &str, value: Value| drop(settings.insert(key.to_owned(), value));
    if let Some(region) = hub.oci.then(|| cluster.text("/platform/oci/region")).flatten() {
        set("region", region.into());
    } else {
        set("region", hub.region.clone().into());
    }
    for key in ["tenancy", "compartment"] {
        if let Some(ocid) = hub.oci.then(|| cluster.text(&format!("/platform/oci/{key}"))).flatten() {
            set(key, ocid.into());
        }
    }
    set("version", release.version.to_string().into());
    set("releaseRepository", release.repository.clone().into());
    let channel = format!("stable-{}.{}", release.version.major, release.version.minor);
    if let Some(typed) = cluster.text("/channel").filter(|typed| *typed != channel) {
        set("channel", typed.into());
    }
    let domain = cluster.text("/dns/baseDomain").filter(|domain| !domain.is_empty());
    let domain = domain.unwrap_or(NO_DOMAIN);
    set("baseDomain", domain.into());
    let single = |pointer: &str| cluster.text(pointer) == Some("SingleReplica");
    let (control_plane, infrastructure) = (
        single("/controllerAvailabilityPolicy"),
        single("/infrastructureAvailabilityPolicy"),
    );
    let word = |single: bool| if single { "single" } else { "high" };
    set("availability", word(control_plane).into());
    if infrastructure != control_plane {
        set("infrastructureAvailability", word(infrastructure).into());
    }
    set("etcd", etcd(cluster));
    set("fips", (cluster.spec.get("fips") == Some(&Value::Bool(true))).into());
    if hub.oci && cluster.text("/platform/oci/endpointAccess") == Some("PublicAndPrivate") {
        set("endpointAccess", "PublicAndPrivate".into());
    }
    let workers = network::most_used_subnet(&live.pools);
    set("network", network::draft(cluster, hub.oci, workers.clone()));
    let published = services::draft(cluster, (&cluster.name, domain), hub.node_port_address.as_deref());
    for (key, value) in published {
        set(key, value);
    }
    // Where each cluster's is called after it, the files say so once.
    let named = |name: &str| match name.strip_prefix(&cluster.name).filter(|rest| rest.starts_with('-')) {
        Some(rest) => json!({"name": format!("{{cluster}}{rest}")}),
        None => json!({"name": name}),
    };
    set("pullSecret", named(pull_secret));
    let others = [
        ("sshKey", "/sshKey/name"),
        ("trustBundle", "/additionalTrustBundle/name"),
        ("encryptionKey", "/secretEncryption/aescbc/activeKey/name"),
    ];
    for (key, pointer) in others {
        if let Some(name) = cluster.text(pointer).filter(|name| !name.is_empty()) {
            set(key, named(name));
        }
    }
    match cluster.text("/pausedUntil") {
        Some("true") => set("pausedUntil", true.into()),
        Some(time) if time.parse::<jiff::Timestamp>().is_ok() => set("pausedUntil", time.into()),
        _ => {}
    }
    let labels = labels::common(live);
    if !labels.is_empty() {
        set("labels", json!(labels));
    }
    let annotations = labels::annotations(cluster);
    if !annotations.is_empty() {
        set("annotations", json!(annotations));
    }
    if !hub.oci {
        // No object of theirs tells it, and none is rendered of it.
        set("poolDefaults", json!({"shape": pool::NO_SHAPE}));
    }
    let mut pin = pin(cluster, hub, &release);
    let mut pools = Map::new();
    let mut of_pools = BTreeMap::new();
    for object in &live.pools {
        let pool = names::pool_name(object, cluster, &pools);
        if object.name != format!("{}-{pool}", cluster.name) {
            pin.node_pools.insert(NodePoolName::new(&pool), object.name.clone());
        }
        let settings = pool::draft(object, (cluster, &release), hub.oci, workers.as_deref());
        pools.insert(pool.clone(), Value::Object(settings));
        of_pools.insert(pool, object);
    }
    if !pools.is_empty() {
        set("pools", Value::Object(pools));
    }
    let of_label = options.environment_label.as_ref();
    let environment = of_label
        .and_then(|label| cluster.labels.get(label))
        .map(|name| names::plain(name));
    Ok(Draft {
        environment: environment.unwrap_or_else(|| options.environment.clone()),
        name,
        settings,
        patch: Map::new(),
        pool_patches: BTreeMap::new(),
        pin,
        live,
        pools: of_pools,
        hub,
    })
}

/// What the lock is to keep of it: the names that it has, and an id of which its infra id begins, where it can.
fn pin(cluster: &Object, hub: &Hub<'_>, release: &Release) -> LockedCluster {
    let parts = [hub.name.as_str(), &cluster.namespace, &cluster.name].map(str::as_bytes);
    let mut id: String = Digest::of_parts(parts).to_hex().chars().take(16).collect();
    let suffix = cluster
        .text("/infraID")
        .and_then(|id| id.strip_prefix(&cluster.name)?.strip_prefix('-'));
    let is_short = |suffix: &&str| suffix.len() == 5 && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if let Some(suffix) = suffix.filter(is_short) {
        id.replace_range(..5, suffix);
    }
    let digest = release.digest.as_ref();
    let digest: Option<Digest> = digest.and_then(|digest| serde_json::from_value(json!(digest)).ok());
    LockedCluster {
        id,
        object_name: cluster.name.clone(),
        namespace: Some(cluster.namespace.clone()).filter(|space| *space != own_namespace(&cluster.name)),
        node_pools: BTreeMap::new(),
        management_cluster: hub.name.clone(),
        addresses: None,
        releases: digest
            .map(|digest| (release.version.to_string(), digest))
            .into_iter()
            .collect(),
    }
}

fn etcd(cluster: &Object) -> Value {
    let volume = "/etcd/managed/storage/persistentVolume";
    let mut etcd = Map::new();
    let size = cluster.text(&format!("{volume}/size"));
    if let Some(size) = size.filter(|size| is_size(size)) {
        etcd.insert("size".to_owned(), size.into());
    }
    if let Some(class) = cluster
        .text(&format!("{volume}/storageClassName"))
        .filter(|it| !it.is_empty())
    {
        etcd.insert("storageClass".to_owned(), class.into());
    }
    Value::Object(etcd)
}
