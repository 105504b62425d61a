//! The two control planes behind one trait.
//!
//! Invariant: only here, in `apply`, `source` and `ops` is anything talked to. Three observations exist: absent, present,
//! unknown; an error of any kind is unknown, never absent.

pub mod fence;
pub mod kubernetes;
pub mod oci;
pub(crate) mod pause;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::Value;

use crate::inventory::{Entry, UnitInventory};
use crate::resource::{FleetUid, Manifest, ResourceId, UnitId};
use crate::schema::Schema;

/// What was seen of one object.
#[derive(Clone, Debug)]
pub enum Observed {
    /// Proved not to be there.
    Absent,
    /// There.
    Present(LiveObject),
    /// Not known: a timeout, lost rights, a group whose discovery failed. Leads to no write and no delete.
    Unknown(String),
}

/// A live object, kept as the server's JSON text until somebody looks at it. `Debug` leaves the text out: it may be that
/// of a Secret.
#[derive(Clone)]
pub struct LiveObject {
    /// UID or OCID.
    pub uid: String,
    /// resourceVersion or etag: the precondition of the next write.
    pub version: String,
    /// The JSON text, managedFields included.
    pub text: Box<str>,
}

impl LiveObject {
    /// The object, parsed.
    ///
    /// # Errors
    /// Where the server sent what is no JSON.
    pub fn parse(&self) -> Result<Value, serde_json::Error> {
        serde_json::from_str(&self.text)
    }
}

impl std::fmt::Debug for LiveObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { uid, version, text } = self;
        f.debug_struct("LiveObject")
            .field("uid", uid)
            .field("version", version)
            .field("bytes", &text.len())
            .finish()
    }
}

/// What to look at.
pub struct ObserveRequest<'a> {
    /// All that is wanted on this target.
    pub desired: &'a [&'a Manifest],
    /// What the inventories hold beyond that.
    pub recorded: &'a [&'a Entry],
    /// Value of the fleet label, by which LISTs are narrowed.
    pub fleet_label: &'a str,
    /// Whether all this is a part of the fleet: a few objects are then asked for by name, since a LIST shows them all.
    pub in_part: bool,
}

/// What was seen.
#[derive(Default)]
pub struct Observation {
    /// One for each object asked about; none is left out.
    pub objects: BTreeMap<ResourceId, Observed>,
    /// Schemas of the kinds seen: by group, version and kind. A kind without one is previewed by the server alone.
    pub schemas: BTreeMap<Kind, Arc<Schema>>,
    /// Desired documents whose `copyFrom` was filled in, by id: what is really wanted of them.
    pub copied: BTreeMap<ResourceId, Copied>,
    /// Of namespaces that are recorded and not desired: what lives there and was not asked about, in words. One in which nothing
    /// does is left out; one that could not be looked into is unknown itself.
    pub strangers: BTreeMap<ResourceId, Vec<String>>,
}

/// A document whose `copyFrom` was filled in. Holds secrets.
#[derive(Clone, Debug)]
pub struct Copied {
    /// The document.
    pub document: Sensitive,
    /// The UID of what was copied.
    pub uid: String,
    /// Its resourceVersion.
    pub version: String,
}

/// Group, version and kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind {
    /// Group; empty for core.
    pub group: String,
    /// Version.
    pub version: String,
    /// Kind.
    pub kind: String,
}

/// A document that holds a secret. It can't be printed, and is only handed to a writer or a merge.
#[derive(Clone)]
pub struct Sensitive(Value);

impl Sensitive {
    /// Wraps a document.
    pub fn new(value: Value) -> Self {
        Self(value)
    }

    /// The document, for a request's body or a merge; never for output.
    pub fn expose(&self) -> &Value {
        &self.0
    }
}

impl std::fmt::Debug for Sensitive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(sensitive)")
    }
}

/// One write.
pub struct WriteRequest<'a> {
    /// The object.
    pub id: &'a ResourceId,
    /// Its `apiVersion`.
    pub api_version: &'a str,
    /// The document to apply.
    pub body: &'a Value,
    /// resourceVersion or etag that was read; none for what must not exist yet.
    pub version: Option<&'a str>,
    /// The UID that was read.
    pub uid: Option<&'a str>,
    /// Whether conflicts are overruled.
    pub force: bool,
    /// Entries of other managers to be moved to ours first (taking over what another tool applied); the whole new
    /// `metadata.managedFields`.
    pub managed_fields: Option<&'a Value>,
    /// How many times the object has been made before; part of OCI's retry token.
    pub incarnation: u32,
}

/// What a write came to.
#[derive(Clone, Debug)]
pub struct WriteResponse {
    /// The object as the server has it now (or would have it).
    pub object: LiveObject,
}

/// Why a call failed. Display never shows a raw response body: that may hold what was sent.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// Another manager owns a field.
    #[error("{} owned by another field manager", fields(.0))]
    Conflict(Vec<OwnedField>),
    /// The object changed since it was read.
    #[error("{0} changed since it was read")]
    Stale(Box<ResourceId>),
    /// Another object has taken the name of the one that was to be deleted.
    #[error("{0} was replaced by another object of its name, which is left alone")]
    Replaced(Box<ResourceId>),
    /// Others have something in the namespace that was to be deleted, or nobody knows.
    #[error("{id} is left alone: {why}")]
    Inhabited {
        /// The namespace.
        id: Box<ResourceId>,
        /// Who, or why that is not known.
        why: String,
    },
    /// A create found the object there already.
    #[error("{0} exists already")]
    Exists(Box<ResourceId>),
    /// Another run stored the unit's inventory since this one read it.
    #[error("the inventory of {0} was changed by another run since it was read")]
    LostRace(Box<UnitId>),
    /// The server refused the document.
    #[error("the server refuses {id}: {message}")]
    Invalid {
        /// The object.
        id: Box<ResourceId>,
        /// The server's words, secrets taken out.
        message: String,
    },
    /// No rights.
    #[error("no right to {verb} {what}")]
    Forbidden {
        /// `list`, `patch`, …
        verb: String,
        /// What on.
        what: String,
    },
    /// The call did not come through, or its answer made no sense.
    #[error("{what} failed")]
    Transport {
        /// The call.
        what: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

fn fields(conflicts: &[OwnedField]) -> String {
    let plural = if conflicts.len() == 1 { "field is" } else { "fields are" };
    format!("{} {plural}", conflicts.len())
}

/// A field that another manager owns.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnedField {
    /// The field.
    pub field: String,
    /// The manager.
    pub manager: String,
}

/// One delete.
pub struct DeleteRequest<'a> {
    /// The object.
    pub id: &'a ResourceId,
    /// Its `apiVersion`.
    pub api_version: &'a str,
    /// The UID that was read: another object of that name is left alone.
    pub uid: &'a str,
    /// resourceVersion or etag that was read: where nothing but somebody's doing moves it, another state of it is left alone.
    pub version: &'a str,
}

/// A control plane.
pub trait Provider: Send + Sync {
    /// Looks at everything asked for. Failures are `Unknown` on the objects that they concern; only a control plane that
    /// can't be reached at all is an error.
    fn observe<'a>(&'a self, request: ObserveRequest<'a>) -> BoxFuture<'a, Result<Observation, ProviderError>>;

    /// Reads one object afresh.
    fn read<'a>(&'a self, id: &'a ResourceId, api_version: &'a str) -> BoxFuture<'a, Observed>;

    /// What a write would come to, by the server's own word; changes nothing.
    fn preview<'a>(&'a self, request: WriteRequest<'a>) -> BoxFuture<'a, Result<WriteResponse, ProviderError>>;

    /// Writes.
    fn write<'a>(&'a self, request: WriteRequest<'a>) -> BoxFuture<'a, Result<WriteResponse, ProviderError>>;

    /// Asks for the object to be deleted; that it is gone is seen by `read`.
    fn delete<'a>(&'a self, request: DeleteRequest<'a>) -> BoxFuture<'a, Result<(), ProviderError>>;
}

/// An inventory as it was read.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The record.
    pub inventory: UnitInventory,
    /// Its resourceVersion; none for one that does not exist yet.
    pub version: Option<String>,
}

/// Where the inventories of one management cluster's units are kept.
pub trait InventoryStore: Send + Sync {
    /// Reads all of a fleet's.
    ///
    /// An unreadable record, or one of a newer format, is an error: nothing may be concluded from the rest.
    fn load_all<'a>(&'a self, fleet: &'a FleetUid) -> BoxFuture<'a, Result<Vec<Stored>, ProviderError>>;

    /// Stores one over the version that was read (none: it must not exist yet), and gives the new version. A record
    /// without entries is taken away, and has no version.
    fn save<'a>(
        &'a self,
        inventory: &'a UnitInventory,
        expected: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Option<String>, ProviderError>>;
}
