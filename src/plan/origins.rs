//! Where what a plan changes was typed, and by which commit.
//!
//! Invariant: says only what is known. A field without an entry follows from something that no single line says.

use std::collections::BTreeMap;

use crate::diag::Span;
use crate::resource::{ResourceId, Revision, UnitId};

/// Where one thing was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed {
    /// The place in the fleet files.
    pub span: Span,
    /// What set that line since the fleet was last applied; none where that is not known, or the line is older.
    pub commit: Option<SetBy>,
}

/// What set a line, or took one out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetBy {
    /// A commit.
    Commit {
        /// Its id.
        id: Revision,
        /// The first line of its message.
        subject: String,
    },
    /// Nobody has committed it yet.
    Worktree,
}

/// How an object left the files, of a unit that is still in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenOut {
    /// What took it out.
    pub by: SetBy,
    /// The first line, of those that the object came from, that went with it: as the file was before. None where it went for another
    /// reason: something was added, or is set by something that no line of its unit says.
    pub was: Option<Span>,
}

/// The places of a plan.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    /// Of fields, as the plan names them: `.spec.replicas`.
    pub fields: BTreeMap<ResourceId, BTreeMap<String, Typed>>,
    /// Of units that the plan makes, and, where the files let go of them, of those that it deletes.
    pub units: BTreeMap<UnitId, Typed>,
    /// Of objects that are new in a unit that was there before.
    pub objects: BTreeMap<ResourceId, Typed>,
    /// Of objects that go while their unit stays.
    pub taken_out: BTreeMap<ResourceId, TakenOut>,
    /// Where units are typed of which something is not made as it stands.
    pub stopped: BTreeMap<UnitId, Span>,
    /// The `Fleet` document, which says what is let go of and what is accepted.
    pub fleet: Option<Span>,
}

impl Origins {
    /// Where somebody can do something about what stops a unit: where it is typed, else the fleet itself.
    pub fn to_mend(&self, unit: &UnitId) -> Option<&Span> {
        self.stopped.get(unit).or(self.fleet.as_ref())
    }

    /// Where a field was typed.
    pub fn field(&self, id: &ResourceId, field: &str) -> Option<&Typed> {
        self.fields.get(id)?.get(field)
    }
}
