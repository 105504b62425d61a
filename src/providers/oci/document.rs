//! What OCI shows, as a document of ours.

use serde_json::{Map, Value, json};

use super::api::Place;
use super::kinds::Route;
use super::tags;
use crate::providers::LiveObject;
use crate::resource::mark::OWNER_ANNOTATION;
use crate::resource::oci::{OciKind, TAG_PREFIX, without_nulls};
use crate::resource::reference::OCI_API_VERSION;
use crate::resource::{OwnerMark, PackedRules, ResourceId};

/// The annotation of a document by which a resource that is there already is taken over: its OCID.
pub const ADOPT_ANNOTATION: &str = "fleetwright.dev/adopt";

/// A resource as it was read.
#[derive(Clone, Debug)]
pub(super) struct Live {
    /// Its OCID.
    pub(super) ocid: String,
    /// Its etag; none where a list showed it.
    pub(super) etag: Option<String>,
    /// What OCI showed, but for security rules.
    pub(super) shown: Value,
    /// Those.
    rules: PackedRules,
}

/// What a `lifecycleState` comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Usable.
    Ready,
    /// Not yet, or not just now.
    Moving,
    /// On its way out.
    Going,
    /// Gone.
    Gone,
    /// Broken.
    Failed,
}

impl Live {
    /// Reads what OCI shows; none where it has no OCID.
    pub(super) fn new(mut shown: Value, etag: Option<String>) -> Option<Self> {
        let ocid = shown.get("id")?.as_str()?.to_owned();
        let rules = shown.as_object_mut().map(PackedRules::take).unwrap_or_default();
        Some(Self {
            ocid,
            etag,
            shown,
            rules,
        })
    }

    /// What OCI showed, untouched.
    pub(super) fn whole(&self) -> Map<String, Value> {
        let mut shown = self.shown.as_object().cloned().unwrap_or_default();
        self.rules.put_back(&mut shown);
        shown
    }

    /// Where it is in its life. A state that we don't know is one that passes.
    pub(super) fn phase(&self, kind: &OciKind) -> Phase {
        let Some(state) = self.shown.get("lifecycleState").and_then(Value::as_str) else {
            return Phase::Ready;
        };
        let states = kind.states;
        [
            (states.ready, Phase::Ready),
            (states.going, Phase::Going),
            (states.gone, Phase::Gone),
            (states.failed, Phase::Failed),
        ]
        .into_iter()
        .find(|(names, _)| names.contains(&state))
        .map_or(Phase::Moving, |(_, phase)| phase)
    }

    /// What of it others may refer to: all but its rules and tags, which are most of it.
    pub(super) fn referred_to(&self) -> Self {
        let fields = self.shown.as_object().into_iter().flatten();
        let kept = fields.filter(|(key, _)| !key.ends_with("Rules") && !key.ends_with("Tags"));
        Self {
            ocid: self.ocid.clone(),
            etag: self.etag.clone(),
            shown: Value::Object(kept.map(|(key, value)| (key.clone(), value.clone())).collect()),
            rules: PackedRules::default(),
        }
    }

    /// A field that is a string.
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.shown.get(field)?.as_str()
    }

    /// Its spec, in the form that a create takes: fields of the kind's table alone, our own tags left out.
    pub(super) fn spec(&self, route: &Route, kind: &OciKind, place: &Place) -> Map<String, Value> {
        let mut shown = self.whole();
        (route.as_created)(&mut shown);
        let mut spec: Map<String, Value> = kind
            .all_fields()
            .filter_map(|field| Some((field.name.to_owned(), shown.remove(field.name)?)))
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name, without_nulls(&value)))
            .collect();
        if let Some(tags) = spec.get_mut("freeformTags").and_then(Value::as_object_mut) {
            tags.retain(|key, _| !key.starts_with(TAG_PREFIX));
        }
        spec.insert("region".to_owned(), place.region.as_str().into());
        if let Some(tenancy) = &place.tenancy {
            spec.insert("tenancy".to_owned(), tenancy.as_str().into());
        }
        spec
    }

    /// What OCI shows beside the spec and rules: ids, states, what it chose itself.
    pub(super) fn status(&self, spec: &Map<String, Value>) -> Map<String, Value> {
        let shown = self.shown.as_object().into_iter().flatten();
        let not_status = |key: &str| spec.contains_key(key) || matches!(key, "freeformTags" | "systemTags");
        shown
            .filter(|(key, value)| !value.is_null() && !not_status(key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }
}

/// A document as it is observed.
pub(super) struct Document<'a> {
    /// What it is.
    pub(super) id: &'a ResourceId,
    /// Whose; none without our tags.
    pub(super) mark: Option<OwnerMark>,
    /// Its spec.
    pub(super) spec: Map<String, Value>,
    /// Its status.
    pub(super) status: Map<String, Value>,
}

impl Document<'_> {
    /// The document of a resource.
    pub(super) fn of<'a>(
        id: &'a ResourceId,
        live: &Live,
        route: &Route,
        kind: &OciKind,
        place: &Place,
    ) -> Document<'a> {
        let spec = live.spec(route, kind, place);
        Document {
            id,
            mark: tags::mark(&live.shown, id),
            status: live.status(&spec),
            spec,
        }
    }

    /// As an observation carries it.
    pub(super) fn into_live(self, uid: &str, version: Option<&str>) -> LiveObject {
        let mut metadata = json!({"name": self.id.name});
        if let Some(mark) = self.mark {
            metadata["annotations"] = json!({OWNER_ANNOTATION: mark.to_annotation()});
        }
        // Moved: the macro would copy them, for each of tens of thousands.
        let mut document = json!({"apiVersion": OCI_API_VERSION, "kind": self.id.kind});
        document["metadata"] = metadata;
        document["spec"] = self.spec.into();
        document["status"] = self.status.into();
        LiveObject {
            uid: uid.to_owned(),
            version: version.unwrap_or_default().to_owned(),
            text: document.to_string().into_boxed_str(),
        }
    }
}
