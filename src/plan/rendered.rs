//! What another rendering of the fleet would have left behind, as if it had been applied and nobody had touched it since: what
//! a plan sees that compares two renderings and talks to no control plane.
//!
//! Invariant: an object of both renderings with one text is as it should be; what stands for an OCID is the same text for both.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::cloud;
use super::decide::MANAGER;
use super::known::{Known, LookUps};
use crate::inventory::{Entry, InventoryKey, UnitInventory};
use crate::providers::{Kind, LiveObject, Observation, Observed, Stored};
use crate::resource::{FleetUid, ManagementClusterName, Manifest, ResourceId, Stewardship, Target, UnitId};
use crate::schema::{Gvk, Schema};
use crate::ssa;

/// One unit of the other rendering.
#[derive(Clone, Debug)]
pub struct RenderedUnit<'a> {
    /// The unit.
    pub unit: &'a UnitId,
    /// Its manifests.
    pub manifests: &'a [Manifest],
    /// The management cluster whose inventory would hold it.
    pub recorded_on: ManagementClusterName,
}

/// What would be there.
#[derive(Default)]
pub struct AsApplied {
    /// What would be seen, by target.
    pub observed: BTreeMap<Target, Observation>,
    /// What would be recorded.
    pub inventories: BTreeMap<InventoryKey, Stored>,
}

/// Where some units would have been applied, and others, `beside`, that they refer to.
pub fn as_applied<'a>(
    fleet: &FleetUid,
    units: &[RenderedUnit<'a>],
    beside: impl Iterator<Item = &'a Manifest>,
    now: &str,
) -> AsApplied {
    let mut there = AsApplied::default();
    for manifest in beside.chain(units.iter().flat_map(|unit| unit.manifests)) {
        let live = live(manifest, manifest.canonical().to_owned());
        let observation = there.observed.entry(manifest.id.target.clone()).or_default();
        observation.objects.insert(manifest.id.clone(), Observed::Present(live));
        if manifest.id.target != Target::Oci {
            let schemas = &mut observation.schemas;
            schemas.entry(kind(manifest)).or_insert_with(|| schema(manifest));
        }
    }
    // References are filled in once everything has its id.
    let filled = filled(&there.observed, units, now);
    for (id, text) in filled {
        if let Some(Observed::Present(live)) = there
            .observed
            .get_mut(&id.target)
            .and_then(|observation| observation.objects.get_mut(&id))
        {
            live.text = text;
        }
    }
    for unit in units {
        let mut inventory = UnitInventory::new(fleet.clone(), unit.unit.clone());
        let managed = |manifest: &&Manifest| manifest.stewardship == Stewardship::Managed;
        for manifest in unit.manifests.iter().filter(managed) {
            inventory.record(Entry {
                id: manifest.id.clone(),
                api_version: manifest.api_version.clone(),
                uid: Some(uid(&manifest.id)),
                digest: Some(manifest.digest()),
                oci: (manifest.id.target == Target::Oci).then(|| cloud::entry(&manifest.body(), None, 0)),
                going: false,
            });
        }
        let key = (unit.recorded_on.clone(), unit.unit.clone());
        there.inventories.insert(
            key,
            Stored {
                inventory,
                version: None,
            },
        );
    }
    there
}

/// The documents with their references filled in, and the marks of whoever applied them.
fn filled(
    observed: &BTreeMap<Target, Observation>,
    units: &[RenderedUnit<'_>],
    now: &str,
) -> Vec<(ResourceId, Box<str>)> {
    let (inventories, looked_up) = (BTreeMap::new(), LookUps::new());
    let known = Known::new(observed, &inventories, &looked_up);
    let mut filled = Vec::new();
    for manifest in units.iter().flat_map(|unit| unit.manifests) {
        let mut document = manifest.body();
        if manifest.refers() {
            known.fill(&mut document);
        }
        if manifest.id.target != Target::Oci {
            let schema = observed
                .get(&manifest.id.target)
                .and_then(|observation| observation.schemas.get(&kind(manifest)));
            document = schema
                .and_then(|schema| applied(&document, schema, now))
                .unwrap_or(document);
        }
        filled.push((manifest.id.clone(), document.to_string().into_boxed_str()));
    }
    filled
}

fn applied(document: &Value, schema: &Schema, now: &str) -> Option<Value> {
    let outcome = ssa::apply(ssa::ApplyRequest {
        live: None,
        config: document,
        manager: MANAGER,
        force: false,
        schema,
        now,
    });
    match outcome {
        Ok(ssa::ApplyOutcome::Applied(object)) => Some(object),
        Ok(ssa::ApplyOutcome::Conflicts(_)) | Err(_) => None,
    }
}

fn live(manifest: &Manifest, text: String) -> LiveObject {
    LiveObject {
        uid: uid(&manifest.id),
        version: String::new(),
        text: text.into_boxed_str(),
    }
}

/// What stands for the id that a control plane would have given.
fn uid(id: &ResourceId) -> String {
    format!("(id of {}/{})", id.kind, id.name)
}

/// The kind of what such a stand-in is the id of.
pub(super) fn kind_of_id(text: &str) -> Option<&str> {
    let (kind, _) = text.strip_prefix("(id of ")?.strip_suffix(')')?.split_once('/')?;
    Some(kind)
}

fn kind(manifest: &Manifest) -> Kind {
    Kind {
        group: manifest.id.group.clone(),
        version: manifest.version().to_owned(),
        kind: manifest.id.kind.clone(),
    }
}

/// Without a control plane nobody says how lists merge: they are taken as a whole.
fn schema(manifest: &Manifest) -> Arc<Schema> {
    Arc::new(Schema::deduced(Gvk {
        group: &manifest.id.group,
        version: manifest.version(),
        kind: &manifest.id.kind,
    }))
}
