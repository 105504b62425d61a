//! What runs already → fleet files that render to it.

mod fleets;
mod hostile;
mod kept;
mod properties;
mod sandbox;
mod server;

use std::collections::BTreeMap;
use std::sync::Arc;

use fleetwright::fleet::model::Fleet;
use fleetwright::fleet::{Lock, Seed, SourceFile, load, resolve};
use fleetwright::import::{Found, Imported, Options, import};
use fleetwright::render::crds::OWN;
use fleetwright::render::{Rendered, TemplateSet, render};
use fleetwright::resource::mark::MANAGED_BY_LABEL;
use fleetwright::schema::Schema;
use serde_json::Value;

pub(super) const NOW: &str = "2026-11-21T12:00:00Z";

fn seed() -> Seed {
    Seed {
        entropy: [7; 16],
        now: NOW.parse().expect("a time"),
        templates: 1,
    }
}

fn options() -> Options {
    Options {
        fleet: "imported".to_owned(),
        environment: "imported".to_owned(),
        environment_label: None,
        region: Some("eu-frankfurt-1".to_owned()),
        seed: seed(),
    }
}

/// The schemas that the sandbox's API servers have.
fn schema(plural: &str) -> Arc<Schema> {
    let (_, text) = OWN.iter().find(|(name, _)| name.starts_with(plural)).expect("the CRD");
    let crd: Value = serde_yaml::from_str(text).expect("a CRD");
    Arc::new(Schema::from_crd(&crd, "v1beta1").expect("a schema"))
}

/// What others would have made of a rendered fleet: objects of the kinds that are imported, without marks of ours.
pub(super) fn of_others(rendered: &Rendered) -> Vec<Value> {
    let manifests = rendered.units.values().flat_map(|unit| &unit.manifests);
    let imported =
        manifests.filter(|manifest| ["Namespace", "HostedCluster", "NodePool"].contains(&&*manifest.id.kind));
    let mut objects: Vec<Value> = imported.map(|manifest| manifest.body()).collect();
    for object in &mut objects {
        for map in ["labels", "annotations"] {
            if let Some(Value::Object(map)) = object["metadata"].get_mut(map) {
                map.retain(|key, _| !key.starts_with("fleetwright.dev/") && key != MANAGED_BY_LABEL);
            }
        }
    }
    // A namespace before what is in it, and a control plane before its pools.
    let order = |object: &Value| {
        ["Namespace", "HostedCluster", "NodePool"]
            .iter()
            .position(|kind| object["kind"] == *kind)
    };
    objects.sort_by_key(order);
    objects
}

pub(super) fn rendered(fleet: &Fleet) -> Rendered {
    let rendered = render(fleet, &TemplateSet::new(&[]).expect("the templates"));
    assert!(rendered.failed.is_empty(), "{:#?}", rendered.diagnostics);
    rendered
}

/// As the sandbox keeps them, on management cluster `m`.
fn found(objects: &[Value]) -> Found {
    found_by(objects, (schema("hostedclusters"), schema("nodepools")))
}

/// As a server with these schemas of HostedClusters and NodePools keeps them.
fn found_by(objects: &[Value], (clusters, pools): (Arc<Schema>, Arc<Schema>)) -> Found {
    let mut found = Found::of("m");
    for object in objects {
        let mut object = object.clone();
        match object["kind"].as_str() {
            Some("Namespace") => found.namespaces.push(object),
            Some("NodePool") => {
                pools.apply_defaults(&mut object);
                found.node_pools.push(object);
            }
            _ => {
                clusters.apply_defaults(&mut object);
                found.hosted_clusters.push(object);
            }
        }
    }
    found.hosted_cluster_schema = Some(clusters);
    found.node_pool_schema = Some(pools);
    found
}

fn imported(found: &[Found]) -> Imported {
    import(found, &options(), &TemplateSet::new(&[]).expect("the templates"))
}

/// Loads what was written; fails where the lock is not as it should be already.
#[track_caller]
fn reloaded(imported: &Imported) -> Rendered {
    let files: Vec<SourceFile> = imported
        .files
        .iter()
        .map(|(path, text)| SourceFile {
            path: path.as_str().into(),
            text: text.as_str().into(),
        })
        .collect();
    let (lock, broken) = Lock::parse(&files);
    assert_eq!(broken, []);
    let resolved = resolve(&load(&files), &lock, &seed());
    let errors = resolved
        .diagnostics
        .iter()
        .filter(|found| found.severity == fleetwright::diag::Severity::Error);
    assert_eq!(
        errors.collect::<Vec<_>>(),
        Vec::<&fleetwright::diag::Diagnostic>::new(),
        "{:#?}",
        imported.files
    );
    assert_eq!(lock.differs(&resolved.lock), []);
    rendered(&resolved.fleet)
}

/// Specs of what is imported as a server keeps them, by kind, namespace and name.
fn specs(objects: &[Value]) -> BTreeMap<String, Value> {
    let found = found(objects);
    let kept = [found.hosted_clusters, found.node_pools].concat();
    let named = |object: &Value| {
        let text = |pointer: &str| {
            object
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        format!(
            "{} {}/{}",
            text("/kind"),
            text("/metadata/namespace"),
            text("/metadata/name")
        )
    };
    kept.iter()
        .map(|object| (named(object), object["spec"].clone()))
        .collect()
}

/// The codes of what was said, and how often.
fn codes(imported: &Imported) -> BTreeMap<&'static str, usize> {
    let mut codes = BTreeMap::new();
    for said in &imported.diagnostics {
        *codes.entry(said.code.id()).or_default() += 1;
    }
    codes
}
