//! What a fleet expects to find: namespaces and Secrets that it copies or uses, and what it leaves to other tools.
//!
//! All contents are made up, apart from the sandbox's own key in Secrets that hold OCI credentials.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::SandboxError;
use crate::fleet::model::{Cluster, Fleet, SecretUse};
use crate::ops::load::LoadedFleet;
use crate::resource::{COPY_FROM, ManagementClusterName, Manifest, Stewardship, Target};
use crate::sandbox::Sandbox;

/// A Secret or ConfigMap: its management cluster, kind, namespace and name.
type Place = (ManagementClusterName, &'static str, String, String);

/// Content by key.
type Content = BTreeMap<&'static str, String>;

/// Puts there what is not there yet.
pub(super) async fn set(sandbox: &Sandbox, loaded: &LoadedFleet) -> Result<(), SandboxError> {
    let sources = sources(sandbox, &loaded.fleet);
    for (name, cluster) in &loaded.fleet.management_clusters {
        if cluster.routes {
            put(sandbox, name, &route_api()).await?;
        }
        let of_sources = sources.keys().filter(|place| place.0 == *name).map(|place| &place.2);
        // Where an operator is installed there is its namespace.
        let of_identities = cluster.identities.values().map(|identity| &identity.namespace);
        for namespace in of_sources.chain(of_identities).collect::<BTreeSet<_>>() {
            put(sandbox, name, &namespace_of(namespace)).await?;
        }
    }
    for (place, content) in &sources {
        put(sandbox, &place.0, &document(place, content)).await?;
    }
    for (cluster, object) in left_to_others(loaded, &sources) {
        put(sandbox, &cluster, &object).await?;
    }
    Ok(())
}

async fn put(sandbox: &Sandbox, cluster: &ManagementClusterName, object: &Value) -> Result<(), SandboxError> {
    let put = sandbox.put(cluster.as_str(), object).await;
    put.map_err(|source| SandboxError::Scene {
        what: format!("{} on {cluster}", name(object)),
        source,
    })
}

fn name(object: &Value) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    match text("/metadata/namespace") {
        "" => format!("{} {}", text("/kind"), text("/metadata/name")),
        namespace => format!("{} {namespace}/{}", text("/kind"), text("/metadata/name")),
    }
}

fn namespace_of(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

/// What a management cluster serves that is an OpenShift cluster itself, or has a router of its own.
fn route_api() -> Value {
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "routes.route.openshift.io"},
        "spec": {
            "group": "route.openshift.io",
            "scope": "Namespaced",
            "names": {"plural": "routes", "singular": "route", "kind": "Route", "listKind": "RouteList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema}],
        },
    })
}

/// What the fleet reads, with contents of the right form. One Secret may serve several ends.
fn sources(sandbox: &Sandbox, fleet: &Fleet) -> BTreeMap<Place, Content> {
    let mut sources: BTreeMap<Place, Content> = BTreeMap::new();
    let hosted = fleet
        .clusters
        .values()
        .filter_map(|cluster| Some((cluster, cluster.hosted()?)));
    for (cluster, hosted) in hosted {
        let made_up = [
            (
                Some(&hosted.pull_secret),
                "Secret",
                ".dockerconfigjson",
                r#"{"auths":{"registry.sandbox":{"auth":"c2FuZGJveA=="}}}"#,
            ),
            (
                hosted.ssh_key.as_ref(),
                "Secret",
                "id_rsa.pub",
                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHNhbmRib3g sandbox",
            ),
            (
                hosted.encryption_key.as_ref(),
                "Secret",
                "key",
                "0123456789abcdef0123456789abcdef",
            ),
            (
                hosted.trust_bundle.as_ref(),
                "ConfigMap",
                "ca-bundle.crt",
                "# No authority is trusted in the sandbox.\n",
            ),
        ];
        for (used, kind, key, content) in made_up {
            if let Some(place) = used.and_then(|used| source(cluster, kind, used)) {
                sources.entry(place).or_default().insert(key, content.to_owned());
            }
        }
    }
    for (name, management_cluster) in &fleet.management_clusters {
        for (identity_name, identity) in &management_cluster.identities {
            if let Some(secret) = &identity.principal_secret {
                let place = (name.clone(), "Secret", secret.namespace.clone(), secret.name.clone());
                let user = fleet.clusters.values().find(|cluster| {
                    cluster.management_cluster == *name && cluster.identity.as_deref() == Some(identity_name)
                });
                let credentials = credentials(
                    sandbox,
                    user.and_then(|cluster| Some(cluster.tenancy.as_ref()?.as_str())),
                );
                sources.entry(place).or_default().extend(credentials);
            }
        }
    }
    sources
}

/// Where a Secret comes from: what is copied elsewhere, or what is used in place.
fn source(cluster: &Cluster, kind: &'static str, used: &SecretUse) -> Option<Place> {
    let (namespace, name) = match &used.copy_from {
        Some(from) => (from.namespace.clone(), from.name.clone()),
        None => (cluster.namespace.clone(), used.name.clone()),
    };
    Some((cluster.management_cluster.clone(), kind, namespace, name))
}

/// An API key as a UserPrincipal needs it: the sandbox's own.
fn credentials(sandbox: &Sandbox, tenancy: Option<&str>) -> [(&'static str, String); 4] {
    let identity = sandbox.identity();
    let own = identity.principal();
    [
        ("tenancy", tenancy.unwrap_or(&own.tenancy).to_owned()),
        ("user", own.user.clone()),
        ("fingerprint", identity.fingerprint().to_owned()),
        ("key", identity.private_key().to_owned()),
    ]
}

fn document((_, kind, namespace, name): &Place, content: &Content) -> Value {
    let metadata = json!({"namespace": namespace, "name": name});
    if *kind == "ConfigMap" {
        return json!({"apiVersion": "v1", "kind": kind, "metadata": metadata, "data": content});
    }
    let pull_secret = content.len() == 1 && content.contains_key(".dockerconfigjson");
    let form = if pull_secret {
        "kubernetes.io/dockerconfigjson"
    } else {
        "Opaque"
    };
    json!({"apiVersion": "v1", "kind": kind, "metadata": metadata, "type": form, "stringData": content})
}

/// What the fleet shows but leaves to other tools to make, as these would make it.
fn left_to_others(loaded: &LoadedFleet, sources: &BTreeMap<Place, Content>) -> Vec<(ManagementClusterName, Value)> {
    let mut objects = Vec::new();
    let manifests = loaded.rendered.units.values().flat_map(|unit| &unit.manifests);
    // What names a network that is still to be made is made by others later than by us.
    let of_others = |manifest: &&Manifest| {
        manifest.stewardship == Stewardship::Observed && !manifest.canonical().contains("{\"$ref\"")
    };
    for manifest in manifests.filter(of_others) {
        let Target::Kubernetes(cluster) = &manifest.id.target else {
            continue;
        };
        let mut body = manifest.body();
        let Some(document) = body.as_object_mut() else { continue };
        // Labels and marks are ours to set, and these are not our objects.
        if let Some(Value::Object(metadata)) = document.get_mut("metadata") {
            metadata.retain(|key, _| key == "name" || key == "namespace");
        }
        if let Some(from) = document.remove(COPY_FROM) {
            fill(document, cluster, &from, sources);
        }
        objects.push((cluster.clone(), body));
    }
    // A namespace before what is in it.
    objects.sort_by_key(|(_, body)| body.pointer("/metadata/namespace").is_some());
    objects
}

fn fill(
    document: &mut Map<String, Value>,
    cluster: &ManagementClusterName,
    from: &Value,
    sources: &BTreeMap<Place, Content>,
) {
    let text = |key: &str| from.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let kind = if document.get("kind") == Some(&json!("ConfigMap")) {
        "ConfigMap"
    } else {
        "Secret"
    };
    let place = (cluster.clone(), kind, text("namespace"), text("name"));
    if let Some(content) = sources.get(&place)
        && let Value::Object(source) = self::document(&place, content)
    {
        for key in ["data", "stringData", "type"] {
            if let Some(value) = source.get(key) {
                document.entry(key).or_insert_with(|| value.clone());
            }
        }
    }
}
