//! Where each value of a cluster comes from, and what it overrode: for one cluster, worked out when asked.
//!
//! Invariant: walks the same layers, by the same rules, as resolving; keeps nothing between two questions.

use serde::Serialize;
use serde_json::{Value, json};

use super::index::{Declared, Index, STRUCTURE, flatten};
use super::kind::Kind;
use super::layers::excludes;
use super::load::Loaded;
use super::model::{ClusterKind, Fleet, Hosted, Machines};
use super::node::{Entry, Node, Yaml};
use super::release::ring_in_force;
use crate::diag::Span;

/// One place that set a value.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    /// The layer: `built-in`, `Fleet`, `Environment`, `Fleet, region`, `Environment, region`, `NodePoolProfile`,
    /// `Clusters`, `Cluster`; `Release` of what a ring sets.
    pub layer: &'static str,
    /// Where.
    pub span: Span,
    /// What it set; `null` where it removed what was there.
    pub value: Value,
}

/// A value and its history.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explained {
    /// Dotted path in the terms of the fleet files: `etcd.size`, `pools.general.autoscale`.
    pub field: String,
    /// The value that counts; `null` where it was removed.
    pub value: Value,
    /// What set it.
    pub origin: Origin,
    /// What was overridden, the farthest layer first.
    pub overridden: Vec<Origin>,
}

/// A value that follows from others.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Derived {
    /// Dotted path in the terms of the model: `infraId`, `pools.general.objectName`.
    pub field: String,
    /// The value.
    pub value: Value,
    /// What it follows from.
    pub from: String,
}

/// Explains a cluster's settings: all of them, or those at and below one field. None where there is no such cluster.
pub fn explain(loaded: &Loaded, cluster: &str, field: Option<&str>) -> Option<Vec<Explained>> {
    Explainer::new(loaded).explain(cluster, field)
}

/// Explains several clusters of one fleet.
pub struct Explainer<'a> {
    pub(super) loaded: &'a Loaded,
    index: Index<'a>,
}

impl<'a> Explainer<'a> {
    /// Of this fleet.
    pub fn new(loaded: &'a Loaded) -> Self {
        Self {
            loaded,
            index: Index::new(loaded, &mut Vec::new()),
        }
    }

    /// As [`explain`].
    pub fn explain(&self, cluster: &str, field: Option<&str>) -> Option<Vec<Explained>> {
        explain_in(self.loaded, &self.index, cluster, field)
    }

    /// What a document that is no cluster's says by itself, and where. None where there is no such document.
    pub fn document(&self, kind: Kind, name: &str) -> Option<Vec<Explained>> {
        let document = self.index.get(kind, name)?;
        Some(alone(self.loaded, (kind.name(), &document.spec), ""))
    }

    /// Where a cluster's environment is named.
    pub fn environment(&self, cluster: &str) -> Option<Span> {
        let named = self.index.clusters.get(cluster)?.near("environment")?;
        Some(named.place.span(&self.loaded.files))
    }

    /// Where the `Fleet` document begins.
    pub fn fleet(&self) -> Option<Span> {
        Some(self.index.fleet?.place.span(&self.loaded.files))
    }

    /// Where a document begins.
    pub fn place(&self, kind: Kind, name: &str) -> Option<Span> {
        let document = self.index.get(kind, name)?;
        Some(document.place.span(&self.loaded.files))
    }
}

fn explain_in(loaded: &Loaded, index: &Index<'_>, cluster: &str, field: Option<&str>) -> Option<Vec<Explained>> {
    let declared = index.clusters.get(cluster)?;
    let layers = declared.layers(loaded, index);
    let mut settings: Vec<(&'static str, Node)> = Vec::new();
    for layer in &layers {
        // One layer merged over nothing: without keys of structure, and with patches kept.
        let mut node = Node {
            place: layer.node.place,
            value: Yaml::Map(Vec::new()),
        };
        keep_nulls(&mut node, layer.node);
        settings.push((layer.name, node));
    }
    let mut walk = Walk {
        loaded,
        found: Vec::new(),
    };
    let views: Vec<_> = settings.iter().map(|(name, node)| (*name, node)).collect();
    walk.map(&views, "", &["pools", "poolDefaults"]);
    for (name, sources) in pools(declared, loaded, index, &views) {
        let views: Vec<_> = sources.iter().map(|(name, node)| (*name, *node)).collect();
        walk.map(&views, &format!("pools.{name}"), &[]);
    }
    let mut found = walk.found;
    if let Some(ring) = ring_in_force(&flatten(&layers), index) {
        found.extend(alone(loaded, (Kind::Release.name(), ring), "ring"));
    }
    found.extend(suspensions(declared, loaded, index));
    if let Some(field) = field {
        found.retain(|one| {
            one.field == field || one.field.strip_prefix(field).is_some_and(|rest| rest.starts_with('.'))
        });
    }
    found.sort_by(|a, b| a.field.cmp(&b.field));
    Some(found)
}

/// What one node says by itself.
fn alone(loaded: &Loaded, layer: (&'static str, &Node), path: &str) -> Vec<Explained> {
    let mut walk = Walk {
        loaded,
        found: Vec::new(),
    };
    walk.map(&[layer], path, &[]);
    walk.found
}

/// Every suspension that is about a cluster: each holds by itself, so that none overrides another.
fn suspensions(declared: &Declared<'_>, loaded: &Loaded, index: &Index<'_>) -> Vec<Explained> {
    let environment = declared.environment(index);
    let own = match declared.own.get("suspend") {
        Some(node) => Some(("Cluster", node)),
        None => declared.near("suspend").map(|node| ("Clusters", node)),
    };
    let of_fleet = index.fleet_spec().and_then(|spec| spec.get("suspend"));
    let of_environment = environment.and_then(|document| document.spec.get("suspend"));
    [("Fleet", of_fleet), ("Environment", of_environment)]
        .into_iter()
        .filter_map(|(layer, node)| Some((layer, node?)))
        .chain(own)
        .map(|(layer, node)| Explained {
            field: "suspend".to_owned(),
            value: node.to_json(),
            origin: Origin {
                layer,
                span: node.place.span(&loaded.files),
                value: node.to_json(),
            },
            overridden: Vec::new(),
        })
        .collect()
}

/// Explains what no file sets and is derived: each value of the resolved cluster with the fields that it follows from, in
/// the words of [`explain`], or of the lock. None where the cluster did not resolve.
pub fn explain_derived(fleet: &Fleet, cluster: &str) -> Option<Vec<Derived>> {
    let cluster = fleet.clusters.values().find(|one| one.name.as_str() == cluster)?;
    let lock = format!("fleet.lock/clusters/{}.yaml", cluster.name);
    let mut found = Vec::new();
    let mut add = |field: &str, value: Value, from: &str| {
        found.push(Derived {
            field: field.to_owned(),
            value,
            from: from.to_owned(),
        });
    };
    add("id", json!(cluster.id), &lock);
    add("objectName", json!(cluster.object_name), &lock);
    add(
        "managementCluster",
        json!(cluster.management_cluster),
        &format!("managementCluster, or {lock}"),
    );
    add("namespace", json!(cluster.namespace), "objectName");
    match &cluster.kind {
        ClusterKind::Hosted(hosted) => of_hosted(hosted, &mut add),
        ClusterKind::SelfManaged(own) => of_machines(&own.machines, &mut add),
        ClusterKind::Oke(oke) => of_machines(&oke.machines, &mut add),
        // What Cluster API makes by a class it names itself.
        ClusterKind::Topology(own) => add(
            "class.namespace",
            json!(own.class.namespace.as_ref().unwrap_or(&cluster.namespace)),
            "class, or namespace",
        ),
    }
    add(
        "network.machine",
        json!(cluster.network.machine),
        "network.machine, or the network's workers",
    );
    if let Some(plan) = cluster.network.source.plan() {
        add("network.vcn", json!(plan.vcn), &format!("network.vcn, or {lock}"));
        for subnet in &plan.subnets {
            let field = format!("network.subnets.{}", subnet.role.name());
            add(&field, json!(subnet.cidrs), "network.vcn, network.preset");
        }
        add("network.dnsLabel", json!(plan.dns_label), "objectName, id");
    }
    found.sort_by(|a, b| a.field.cmp(&b.field));
    Some(found)
}

type Add<'a> = &'a mut dyn FnMut(&str, Value, &str);

fn of_hosted(hosted: &Hosted, add: Add<'_>) {
    add(
        "controlPlaneNamespace",
        json!(hosted.control_plane_namespace),
        "namespace, objectName",
    );
    add("infraId", json!(hosted.infra_id), "objectName, id");
    add("dialect", json!(hosted.dialect), "the management cluster's dialect");
    add(
        "release.version",
        json!(hosted.release.version),
        "version, or ring of the Release document",
    );
    add(
        "release.image",
        json!(hosted.release.image),
        "releaseRepository, release.version",
    );
    add("channel", json!(hosted.channel), "channel, or release.version");
    add(
        "services",
        json!(hosted.services),
        "publish, services, the management cluster's nodePortAddress",
    );
    for pool in hosted.node_pools.values() {
        let field = |name: &str| format!("pools.{}.{name}", pool.name);
        add(&field("objectName"), json!(pool.object_name), "objectName");
        add(
            &field("release.version"),
            json!(pool.release.version),
            "its version, the cluster's, or ring of the Release document",
        );
    }
}

fn of_machines(machines: &Machines, add: Add<'_>) {
    for pool in machines.pools.values() {
        let field = |name: &str| format!("pools.{}.{name}", pool.name);
        add(&field("objectName"), json!(pool.object_name), "objectName");
        add(&field("version"), json!(pool.version), "its version, or the cluster's");
    }
}

/// The settings of a layer's document, its `null`s too.
fn keep_nulls(into: &mut Node, from: &Node) {
    if let Yaml::Map(entries) = &mut into.value {
        entries.extend(
            from.entries()
                .iter()
                .filter(|entry| !STRUCTURE.contains(&&*entry.key))
                .cloned(),
        );
    }
}

type Sources<'n> = Vec<(&'static str, &'n Node)>;

/// What each pool is made of: all layers' `poolDefaults`, its profile, and all layers' own section of it.
fn pools<'n>(
    declared: &Declared<'n>,
    loaded: &'n Loaded,
    index: &Index<'n>,
    layers: &[(&'static str, &'n Node)],
) -> Vec<(String, Sources<'n>)> {
    let merged = flatten(&declared.layers(loaded, index));
    let mut all = Vec::new();
    for entry in merged.get("pools").map_or(&[][..], Node::entries) {
        let mut sources: Sources<'n> = layers
            .iter()
            .filter_map(|(name, node)| Some((*name, node.get("poolDefaults")?)))
            .collect();
        let profile = entry
            .value
            .get("profile")
            .or_else(|| merged.at(&["poolDefaults", "profile"]));
        if let Some(profile) = profile
            .and_then(Node::as_str)
            .and_then(|name| index.get(Kind::NodePoolProfile, name))
        {
            sources.push(("NodePoolProfile", &profile.spec));
        }
        let own = layers
            .iter()
            .filter_map(|(name, node)| Some((*name, node.at(&["pools", &entry.key])?)));
        sources.extend(own);
        all.push((entry.key.to_string(), sources));
    }
    all
}

struct Walk<'a> {
    loaded: &'a Loaded,
    found: Vec<Explained>,
}

impl Walk<'_> {
    fn map(&mut self, layers: &[(&'static str, &Node)], path: &str, skip: &[&str]) {
        let mut keys: Vec<&str> = Vec::new();
        for (_, node) in layers {
            for entry in node.entries() {
                if !keys.contains(&&*entry.key) && !skip.contains(&&*entry.key) {
                    keys.push(&entry.key);
                }
            }
        }
        for key in keys {
            let field = if path.is_empty() {
                key.to_owned()
            } else {
                format!("{path}.{key}")
            };
            self.key(layers, key, &field);
        }
    }

    fn key(&mut self, layers: &[(&'static str, &Node)], key: &str, field: &str) {
        // A nearer layer that sets a key which excludes this one removes it.
        let last_excluder = layers.iter().rposition(|(_, node)| {
            node.entries()
                .iter()
                .any(|entry| excludes(&entry.key, key) && !is_null(&entry.value))
        });
        let setters: Vec<(usize, &'static str, &Entry)> = layers
            .iter()
            .enumerate()
            .filter_map(|(at, (name, node))| Some((at, *name, node.entry(key)?)))
            .collect();
        let Some((last, _, nearest)) = setters.last() else {
            return;
        };
        if last_excluder.is_some_and(|excluder| excluder > *last) {
            return;
        }
        if matches!(nearest.value.value, Yaml::Map(_)) {
            // Maps merge: those since the last value that was none.
            let from = setters
                .iter()
                .rposition(|(_, _, entry)| !matches!(entry.value.value, Yaml::Map(_)));
            let maps: Vec<_> = setters
                .iter()
                .skip(from.map_or(0, |at| at + 1))
                .map(|(_, name, entry)| (*name, &entry.value))
                .collect();
            return self.map(&maps, field, &[]);
        }
        let mut origins: Vec<Origin> = setters
            .iter()
            .map(|(_, name, entry)| Origin {
                layer: name,
                span: entry.value.place.span(&self.loaded.files),
                value: entry.value.to_json(),
            })
            .collect();
        let Some(origin) = origins.pop() else { return };
        self.found.push(Explained {
            field: field.to_owned(),
            value: origin.value.clone(),
            origin,
            overridden: origins,
        });
    }
}

fn is_null(node: &Node) -> bool {
    matches!(node.value, Yaml::Null)
}
