//! One change: what is to be done with one object, why, and what stands in its way.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::inventory::OciEntry;
use crate::providers::{Sensitive, WriteRequest};
use crate::resource::{Digest, ManagementClusterName, Reference, ResourceId, UnitId};

/// What is done with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// It is made.
    Create,
    /// It is changed in place.
    Update,
    /// It is there, made by someone else: it is marked as ours and changed to what is wanted.
    Adopt,
    /// It is deleted.
    Delete,
    /// It is gone already: the inventory drops it.
    Forget,
    /// Nothing is done; the blocks say why.
    Leave,
}

/// Why a change is wanted. Shown to people; no decision rests on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    /// The fleet wants it and it has never been there.
    New,
    /// It was made and has gone since.
    Vanished,
    /// The fleet files changed.
    Changed,
    /// The live object was changed by someone else.
    Drifted,
    /// What it is copied from changed; nobody touched the copy.
    SourceChanged,
    /// What it names by its OCID or name is made anew; nobody touched what names it.
    ReferenceChanged,
    /// It exists, made by someone else.
    Found,
    /// It exists, marked as ours, and no inventory knows it.
    Unrecorded,
    /// The fleet files do not hold it any more.
    Removed,
    /// The peering that it was one side of has ended, and no gateway is connected twice: it goes, and is made anew after that.
    Ended,
    /// It is to be deleted and is gone already.
    Gone,
    /// It belongs to another unit now.
    Moved,
    /// It can't be looked at.
    Unseen,
}

/// How the result of a change is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Preview {
    /// Computed here, from managedFields and the schema.
    Predicted,
    /// Computed here and confirmed by the server's dry-run.
    Confirmed,
    /// The server's dry-run answered something else than the prediction (a webhook, a default in its code); this is the
    /// server's answer.
    Server,
    /// Nothing to preview, or nothing to preview it with: the document as it is.
    Document,
}

/// One field's way.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldDiff {
    /// `.spec.replicas`.
    pub field: String,
    /// What it is now; absent where it is not set. Of a secret only that it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What it will be; absent where it is removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// Who set the present value, where managedFields record it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<FieldOwner>,
    /// Whether only another resource could have it: no call changes it in place.
    #[serde(skip)]
    pub replaces: bool,
}

/// A field manager, and when it last wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldOwner {
    /// Its name.
    pub manager: String,
    /// RFC 3339; absent where not recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
}

/// What keeps a change from being made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "by", rename_all = "camelCase")]
pub enum Block {
    /// A guard refuses it; `Plan::refusals` says how that is lifted.
    Guard {
        /// The guard's name.
        guard: &'static str,
    },
    /// The live state is not known.
    Unknown {
        /// Why not.
        reason: String,
    },
    /// The fleet leaves this object to another tool (`manage:`).
    NotManaged,
    /// Another field manager owns what we want, and the policy is to fail.
    Conflict {
        /// The fields and their managers.
        fields: Vec<OwnedBy>,
    },
    /// What it needs is itself blocked.
    Dependency {
        /// What it needs.
        needs: ResourceId,
    },
    /// The object was deleted and is not gone yet; only then can it be made again.
    Terminating {
        /// Since when, RFC 3339.
        since: String,
        /// What holds it, sorted as on the object.
        finalizers: Vec<String>,
    },
    /// The server says that it would refuse it.
    Invalid {
        /// In its words.
        message: String,
    },
    /// Something that it needs, and that is not ours to make, is not there.
    Precondition {
        /// What.
        what: String,
        /// How it is there and does not fit; where it is not there, nothing.
        lacks: Vec<String>,
    },
    /// It follows by itself, once an upgrade has come so far.
    Upgrade {
        /// After what.
        after: String,
    },
    /// Whoever runs the plan leaves it alone for now.
    LeftAlone {
        /// Why.
        reason: String,
    },
    /// Somebody else writes these fields again as often as they are mended.
    Contested {
        /// The fields and who was seen to write them.
        fields: Vec<OwnedBy>,
    },
    /// It moved by itself, and the fleet files say to pass that over.
    Ignored,
    /// No provider of this version writes objects of that control plane.
    NoProvider,
}

/// A field and its manager.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnedBy {
    /// The field.
    pub field: String,
    /// Its manager.
    pub manager: String,
}

/// The manager of a field that no record names one of.
pub const NOBODY_RECORDED: &str = "somebody who is not recorded";

/// What was read and must still be so when it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Precondition {
    /// UID or OCID.
    pub uid: String,
    /// resourceVersion or etag.
    pub version: String,
}

/// Whose a live object is, by the inventory and by its mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// In the inventory under this UID (or without one, the create having been cut off), and marked as itself.
    Ours,
    /// Not there.
    Nobody,
    /// In the inventory, but the mark is gone, or names another object.
    Unmarked,
    /// Marked by another fleet, whose uid this is.
    Fleet(String),
    /// In the inventory under another UID, and unmarked: somebody deleted ours and made this one.
    Replaced,
    /// Not in the inventory, but marked as itself by this fleet: the inventory was lost. The mark alone proves nothing.
    Unrecorded,
    /// Not in the inventory, and not marked as itself.
    Foreign,
}

/// The document to write. It is never part of any output.
#[derive(Clone, Debug)]
pub enum Body {
    /// Nothing: a delete.
    None,
    /// Canonical JSON text.
    Plain(Arc<str>),
    /// A document with secrets in it.
    Secret(Sensitive),
}

/// What is written, beside the document.
#[derive(Clone, Debug)]
pub struct Payload {
    /// The document.
    pub body: Body,
    /// Digest of the manifest, for the inventory.
    pub digest: Option<Digest>,
    /// Whether conflicts are overruled.
    pub force: bool,
    /// The managedFields to put in place first, when fields are taken over from other managers.
    pub managed_fields: Option<Value>,
}

impl Payload {
    /// The payload of a delete.
    pub fn none() -> Self {
        Self {
            body: Body::None,
            digest: None,
            force: false,
            managed_fields: None,
        }
    }
}

/// What an upgrade makes of an object later, that other things change of now.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Later {
    /// The field, from what is there to what follows.
    pub field: FieldDiff,
    /// After what.
    pub after: String,
}

/// One change.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The object.
    pub id: ResourceId,
    /// The unit that it belongs to.
    pub unit: UnitId,
    /// The management cluster whose inventory holds it.
    pub recorded_on: ManagementClusterName,
    /// `group/version` to write it by.
    pub api_version: String,
    /// What is done.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// Field by field.
    pub fields: Vec<FieldDiff>,
    /// What follows by itself once this is made and an upgrade has come so far: it is no part of what is written now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub later: Option<Box<Later>>,
    /// How `fields` is known.
    pub preview: Preview,
    /// What keeps it from being made; empty when it goes ahead.
    pub blocks: Vec<Block>,
    /// What was read; none for a create.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precondition: Option<Precondition>,
    /// Digest of what is there of an object that is to go: its labels, and what it is to be.
    #[serde(skip)]
    pub seen: Option<Digest>,
    /// The UID and the version of what its contents are copied from; none for what copies nothing.
    #[serde(skip)]
    pub source: Option<Precondition>,
    /// Fields that the server would set otherwise than the write asks for: a webhook's doing, and nobody's who typed something.
    #[serde(skip)]
    pub mutated: BTreeSet<String>,
    /// Whose the live object is; guards read it.
    #[serde(skip)]
    pub ownership: Ownership,
    /// What has to be there before.
    #[serde(skip)]
    pub depends_on: Vec<ResourceId>,
    /// What is written.
    #[serde(skip)]
    pub payload: Payload,
    /// What the record is to keep of an OCI document, or keeps of one that is to go; none for others.
    #[serde(skip)]
    pub oci: Option<OciEntry>,
    /// References of the document to what is made before it in the same run.
    #[serde(skip)]
    pub unresolved: Vec<Reference>,
}

impl Change {
    /// Whether it would be made.
    pub fn goes_ahead(&self) -> bool {
        self.blocks.is_empty() && self.action != Action::Leave
    }

    /// Whether nothing but the step of an upgrade before it keeps it from being made: a later run makes it.
    pub fn follows(&self) -> bool {
        let is_turn = |block: &Block| matches!(block, Block::Upgrade { .. });
        !self.blocks.is_empty() && self.blocks.iter().all(is_turn)
    }

    /// The fields that it changes, now and later.
    pub fn all_fields(&self) -> impl Iterator<Item = &FieldDiff> {
        self.fields
            .iter()
            .chain(self.later.as_deref().map(|later| &later.field))
    }

    /// Whether the live object moved by itself: the fleet files say what they said before.
    pub fn is_drift(&self) -> bool {
        matches!(self.reason, Reason::Drifted | Reason::Vanished | Reason::Ended)
    }

    /// Whether it takes an object away, or would if the object could be looked at.
    pub fn removes(&self) -> bool {
        self.action == Action::Delete || (self.action == Action::Leave && self.reason == Reason::Removed)
    }

    /// Whether it goes to be made anew.
    pub fn is_remade(&self) -> bool {
        self.reason == Reason::Ended
    }

    /// The request that makes it, for a document that the caller holds. A preview leaves the managedFields out: two writes
    /// can't be previewed.
    pub fn request<'a>(&'a self, body: &'a Value) -> WriteRequest<'a> {
        let precondition = self.precondition.as_ref();
        WriteRequest {
            id: &self.id,
            api_version: &self.api_version,
            body,
            version: precondition.map(|precondition| precondition.version.as_str()),
            uid: precondition.map(|precondition| precondition.uid.as_str()),
            force: self.payload.force,
            managed_fields: self.payload.managed_fields.as_ref(),
            incarnation: self.oci.as_ref().map_or(0, |entry| entry.incarnation),
        }
    }

    /// Whether it writes a document.
    pub fn writes(&self) -> bool {
        matches!(self.action, Action::Create | Action::Update | Action::Adopt)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::plan::graph::Graph;
    use crate::plan::{Plan, Revised};
    use crate::resource::{ClusterName, FleetUid, ManagementClusterName, Revision, Target};

    /// A change of a cluster's object that nothing stands in the way of.
    pub(crate) fn change(cluster: &str, kind: &str, name: &str, action: Action) -> Change {
        Change {
            id: ResourceId {
                target: Target::Kubernetes(ManagementClusterName::new("m")),
                group: String::new(),
                kind: kind.to_owned(),
                namespace: Some(format!("clusters-{cluster}")),
                name: name.to_owned(),
            },
            unit: UnitId::Cluster(ClusterName::new(cluster)),
            recorded_on: ManagementClusterName::new("m"),
            api_version: "v1".to_owned(),
            action,
            reason: Reason::Changed,
            fields: Vec::new(),
            preview: Preview::Document,
            blocks: Vec::new(),
            precondition: None,
            seen: None,
            mutated: BTreeSet::new(),
            source: None,
            ownership: Ownership::Ours,
            depends_on: Vec::new(),
            payload: Payload::none(),
            oci: None,
            unresolved: Vec::new(),
            later: None,
        }
    }

    /// A plan of such changes and nothing else.
    pub(crate) fn plan(changes: Vec<Change>) -> Plan {
        Plan {
            revised: Revised {
                fleet: FleetUid::new("f"),
                revision: Revision::new("r"),
                time: 0,
            },
            graph: Graph::new(&changes).unwrap(),
            changes,
            unchanged: 0,
            settled: Vec::new(),
            refusals: Vec::new(),
            held: Vec::new(),
            needs: Vec::new(),
            suspended: BTreeMap::new(),
            courses: BTreeMap::new(),
            protections: BTreeMap::new(),
            forecast: crate::plan::disruption::Forecast::default(),
            ignored: Vec::new(),
            contests: Vec::new(),
            idle_rules: Vec::new(),
            beside: BTreeMap::new(),
            narrowed: None,
            origins: crate::plan::origins::Origins::default(),
        }
    }
}
