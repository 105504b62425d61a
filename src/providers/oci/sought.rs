//! What an observation looks for: the documents of a plan, and what is recorded.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde_json::Value;

use super::api::Place;
use super::document::ADOPT_ANNOTATION;
use super::write::placed;
use crate::inventory::Entry;
use crate::resource::{Manifest, ResourceId};

/// What is looked for.
pub(super) struct Sought<'a> {
    pub(super) id: &'a ResourceId,
    /// None for what is recorded alone.
    pub(super) manifest: Option<&'a Manifest>,
    pub(super) entry: Option<&'a Entry>,
    /// Where the document says that it is.
    at: Option<(Place, String)>,
}

impl<'a> Sought<'a> {
    /// Where it may be: where its document says, then where it was made.
    pub(super) fn compartments(&self) -> Vec<(Place, String)> {
        let recorded = self.entry.and_then(|entry| entry.oci.as_ref()).map(|oci| {
            let place = Place {
                tenancy: oci.tenancy.clone(),
                region: oci.region.clone(),
            };
            (place, oci.compartment.clone())
        });
        let mut all: Vec<(Place, String)> = self.at.iter().cloned().chain(recorded).collect();
        all.dedup();
        all
    }

    /// The document; null for what is recorded alone. Parsed each time: thousands of them take more room than time.
    pub(super) fn body(&self) -> Value {
        self.manifest.map(Manifest::body).unwrap_or_default()
    }
}

/// All that is desired, and what is recorded alone.
pub(super) fn sought<'a>(desired: &[&'a Manifest], recorded: &[&'a Entry]) -> Vec<Sought<'a>> {
    let mut entries: BTreeMap<&ResourceId, &'a Entry> = recorded.iter().map(|entry| (&entry.id, *entry)).collect();
    let places: Vec<_> = desired
        .par_iter()
        .map(|manifest| manifest.body().get("spec").and_then(placed))
        .collect();
    let mut all: Vec<Sought<'a>> = desired
        .iter()
        .zip(places)
        .map(|(manifest, at)| Sought {
            id: &manifest.id,
            at,
            manifest: Some(*manifest),
            entry: entries.remove(&manifest.id),
        })
        .collect();
    all.extend(entries.into_values().map(|entry| Sought {
        id: &entry.id,
        manifest: None,
        entry: Some(entry),
        at: None,
    }));
    all
}

/// The OCID that a document asks to be taken over.
pub(super) fn adopts(body: &Value) -> Option<&str> {
    body.pointer("/metadata/annotations")?.get(ADOPT_ANNOTATION)?.as_str()
}

/// The name that a resource is to have.
pub(super) fn name(body: &Value) -> Option<&str> {
    body.get("spec")?.get("displayName")?.as_str()
}
