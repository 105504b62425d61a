//! What must hold of a write before it is looked at: that it names what it is sent to, that it is about the version that is
//! there, and that its namespace takes it.

use serde_json::Value;

use super::kind::{Kind, ResourceName};
use super::object::{Key, Stored, meta_text, metadata_mut};
use super::place::Place;
use super::refusal::{About, Cause, Refusal};
use super::write::{Way, Writer};
use crate::schema::Origin;

impl Writer<'_> {
    pub(super) fn check_identity(&self, place: Place<'_>, object: &mut Value) -> Result<(), Refusal> {
        let name = meta_text(object, "name");
        if !name.is_empty() && name != place.name {
            return Err(Refusal::bad_request(format!(
                "the name of the object ({name}) does not match the name on the URL ({})",
                place.name
            )));
        }
        let namespace = meta_text(object, "namespace");
        if !namespace.is_empty() && namespace != place.namespace {
            let message = "the namespace of the provided object does not match the namespace sent on the request";
            return Err(Refusal::bad_request(message));
        }
        if let Some(metadata) = metadata_mut(object) {
            metadata.insert("name".to_owned(), Value::from(place.name));
            if !place.namespace.is_empty() {
                metadata.insert("namespace".to_owned(), Value::from(place.namespace));
            }
        }
        Ok(())
    }

    pub(super) fn check_preconditions(
        &self,
        place: Place<'_>,
        object: &Value,
        stored: &Stored,
        way: Way,
    ) -> Result<(), Refusal> {
        let uid = meta_text(object, "uid");
        if !uid.is_empty() && uid != stored.uid {
            if way == Way::Patch {
                let cause = Cause::invalid("metadata.uid", &Value::from(uid), "field is immutable");
                return Err(Refusal::invalid(place.about_kind(), vec![cause.clone(), cause]));
            }
            let why = format!(
                "StorageError: invalid object, Code: 4, Key: {}, ResourceVersion: 0, AdditionalErrorMsg: Precondition \
                 failed: UID in precondition: {uid}, UID in object meta: {}",
                storage_key(place),
                stored.uid
            );
            return Err(Refusal::conflict(place.about(), &why));
        }
        let version = meta_text(object, "resourceVersion");
        if version.is_empty() {
            if way == Way::Put && !may_omit_version(place.kind) {
                let why = "must be specified for an update";
                let cause = Cause::invalid("metadata.resourceVersion", &Value::from(0), why);
                return Err(Refusal::invalid(place.about(), vec![cause]));
            }
            return Ok(());
        }
        let Ok(number) = version.parse::<u64>() else {
            let quoted = Value::from(version);
            return Err(Refusal::internal(format!(
                "strconv.ParseUint: parsing {quoted}: invalid syntax"
            )));
        };
        if number != stored.version && number != 0 {
            return Err(Refusal::modified(place.about()));
        }
        Ok(())
    }

    /// A namespace must be there, and stay, for something to be made in it.
    pub(super) fn check_namespace(&self, place: Place<'_>) -> Result<(), Refusal> {
        if place.namespace.is_empty() {
            return Ok(());
        }
        let namespaces = ResourceName::new("", "namespaces");
        let about = About {
            group: "",
            what: "namespaces",
            name: place.namespace,
        };
        let Some(namespace) = self.state.get(&namespaces, &Key::new("", place.namespace)) else {
            return Err(Refusal::not_found(about));
        };
        let namespace: Value = serde_json::from_str(&namespace.text).unwrap_or_default();
        if meta_text(&namespace, "deletionTimestamp").is_empty() {
            return Ok(());
        }
        let name = place.namespace;
        let cause = Cause {
            reason: "NamespaceTerminating",
            message: format!("namespace {name} is being terminated"),
            field: "metadata.namespace".to_owned(),
        };
        let why = format!("unable to create new content in namespace {name} because it is being terminated");
        Err(Refusal::forbidden(place.about(), &why, vec![cause]))
    }
}

/// Kinds that a PUT may replace whatever their version.
fn may_omit_version(kind: &Kind) -> bool {
    let strict =
        kind.is("apiextensions.k8s.io", "customresourcedefinitions") || kind.is("coordination.k8s.io", "leases");
    kind.origin == Origin::BuiltIn && !strict
}

fn storage_key(place: Place<'_>) -> String {
    let group = match place.kind.origin {
        Origin::Custom => format!("{}/", place.kind.name.group),
        Origin::BuiltIn => String::new(),
    };
    let namespace = match place.namespace {
        "" => String::new(),
        namespace => format!("{namespace}/"),
    };
    format!("/registry/{group}{}/{namespace}{}", place.kind.name.plural, place.name)
}
