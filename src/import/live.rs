//! Live objects, as far as an import looks at them.
//!
//! Invariant: an object that lacks what every one of its kind has is left out, and said so; nothing in it can make a reader fail.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Found, note};
use crate::diag::{Code, Diagnostic};
use crate::schema::Schema;

/// A live object.
pub(super) struct Object {
    pub(super) kind: &'static str,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
    /// With the defaults of its schema, and without what is null.
    pub(super) spec: Value,
    /// As the server sent it.
    pub(super) whole: Value,
}

/// A HostedCluster and its NodePools.
pub(super) struct Hosted {
    pub(super) cluster: Object,
    pub(super) pools: Vec<Object>,
    /// Labels of its namespace; none where that is not called after it, and so stays with whoever made it.
    pub(super) namespace_labels: Option<BTreeMap<String, String>>,
}

impl Object {
    fn read(kind: &'static str, whole: &Value, schema: Option<&Schema>) -> Result<Self, Diagnostic> {
        let text = |key: &str| {
            let found = whole.pointer(&format!("/metadata/{key}"))?.as_str()?;
            Some(found.to_owned()).filter(|text| !text.is_empty())
        };
        let (Some(namespace), Some(name)) = (text("namespace"), text("name")) else {
            return Err(left_out(kind, "", "has no name, or no namespace"));
        };
        let shown = format!("{namespace}/{name}");
        if whole.pointer("/metadata/deletionTimestamp").is_some() {
            return Err(left_out(kind, &shown, "is being deleted"));
        }
        if !whole.get("spec").is_some_and(Value::is_object) {
            return Err(left_out(kind, &shown, "has no `spec`"));
        }
        Ok(Self {
            kind,
            labels: texts(whole, "labels"),
            annotations: texts(whole, "annotations"),
            spec: defaulted(whole, schema),
            whole: whole.clone(),
            namespace,
            name,
        })
    }

    /// A text of the spec, below it: `/dns/baseDomain`.
    pub(super) fn text(&self, pointer: &str) -> Option<&str> {
        self.spec.pointer(pointer)?.as_str()
    }

    /// As people call it: `HostedCluster clusters/a`.
    pub(super) fn shown(&self) -> String {
        format!("{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// The spec of an object as its server keeps it: what is left to defaults is written out, what is null is not there.
pub(super) fn defaulted(object: &Value, schema: Option<&Schema>) -> Value {
    let mut whole = Map::new();
    for key in ["apiVersion", "kind", "spec"] {
        if let Some(value) = object.get(key) {
            whole.insert(key.to_owned(), value.clone());
        }
    }
    let mut whole = Value::Object(whole);
    if let Some(schema) = schema {
        schema.apply_defaults(&mut whole);
    }
    let mut spec = whole.get_mut("spec").map(Value::take).unwrap_or_default();
    without_nulls(&mut spec);
    spec
}

fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

fn texts(object: &Value, key: &str) -> BTreeMap<String, String> {
    let map = object.get("metadata").and_then(|metadata| metadata.get(key));
    let entries = map.and_then(Value::as_object).into_iter().flatten();
    entries
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// The namespace that the files give a cluster of that name.
pub(super) fn own_namespace(name: &str) -> String {
    format!("clusters-{name}")
}

/// Reads the HostedClusters of a management cluster, by namespace and name.
pub(super) fn read(found: &Found, diagnostics: &mut Vec<Diagnostic>) -> Vec<Hosted> {
    let mut all = |objects: &[Value], kind, schema| -> Vec<Object> {
        let mut read = Vec::new();
        for object in objects {
            match Object::read(kind, object, schema) {
                Ok(object) => read.push(object),
                Err(problem) => diagnostics.push(problem),
            }
        }
        read
    };
    let clusters = all(
        &found.hosted_clusters,
        "HostedCluster",
        found.hosted_cluster_schema.as_deref(),
    );
    let pools = all(&found.node_pools, "NodePool", found.node_pool_schema.as_deref());
    let mut hosted: BTreeMap<(String, String), Hosted> = BTreeMap::new();
    for cluster in clusters {
        let key = (cluster.namespace.clone(), cluster.name.clone());
        hosted.entry(key).or_insert(Hosted {
            cluster,
            pools: Vec::new(),
            namespace_labels: None,
        });
    }
    for pool in pools {
        let of = pool.text("/clusterName").unwrap_or_default().to_owned();
        match hosted.get_mut(&(pool.namespace.clone(), of.clone())) {
            Some(hosted) => hosted.pools.push(pool),
            None => {
                let shown = format!("{}/{}", pool.namespace, pool.name);
                let why = format!("is of HostedCluster `{of}`, which is not imported");
                diagnostics.push(left_out("NodePool", &shown, &why));
            }
        }
    }
    let mut hosted: Vec<Hosted> = hosted.into_values().collect();
    for hosted in &mut hosted {
        hosted.pools.sort_by(|a, b| a.name.cmp(&b.name));
        let own = &hosted.cluster.namespace;
        if *own == own_namespace(&hosted.cluster.name) {
            let is_own = |space: &&Value| space.pointer("/metadata/name").and_then(Value::as_str) == Some(own);
            let space = found.namespaces.iter().find(is_own);
            hosted.namespace_labels = Some(space.map(|space| texts(space, "labels")).unwrap_or_default());
        }
    }
    hosted
}

fn left_out(kind: &str, shown: &str, why: &str) -> Diagnostic {
    note(Code::ImportLeftOut, format!("{kind} {shown} {why}: it is not imported"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_makes_no_sense_is_left_out_and_said() {
        let mut found = Found::of("m");
        let named = |name: &str| json!({"namespace": "n", "name": name});
        found.hosted_clusters = vec![
            json!(null),
            json!({"metadata": 7, "spec": {}}),
            json!({"metadata": {"name": "a", "namespace": ["n"]}, "spec": {}}),
            json!({"metadata": named("b"), "spec": "text"}),
            json!({"metadata": {"name": "c", "namespace": "n", "deletionTimestamp": "now"}, "spec": {}}),
            json!({"metadata": named("d"), "spec": {"dns": [null]}}),
        ];
        found.node_pools = vec![
            json!({"metadata": named("p"), "spec": {"clusterName": "b"}}),
            json!({"metadata": named("q"), "spec": {"clusterName": {"no": "text"}}}),
            json!({"metadata": named("r"), "spec": {"clusterName": "d", "replicas": null}}),
        ];
        let mut said = Vec::new();
        let hosted = read(&found, &mut said);
        assert_eq!(hosted.len(), 1);
        assert_eq!(hosted[0].cluster.shown(), "HostedCluster n/d");
        assert_eq!(hosted[0].pools[0].spec, json!({"clusterName": "d"}));
        assert_eq!(said.len(), 7);
        assert!(said.iter().all(|said| said.message.ends_with("it is not imported")));
    }
}
