//! What happens during an apply, as one typed stream: bars, lines, JSON and metrics are views of it.

use serde::Serialize;

use crate::plan::change::Action;
use crate::resource::{ResourceId, UnitId};

/// Something that happened.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "camelCase")]
pub enum Event {
    /// The run begins; so many changes will be tried.
    Started {
        /// Changes that go ahead.
        changes: usize,
        /// Units that they belong to.
        units: usize,
    },
    /// One change is being made.
    Changing {
        /// The object.
        id: ResourceId,
        /// The unit.
        unit: UnitId,
        /// What is done.
        action: Action,
    },
    /// One change came to an end.
    Changed {
        /// The object.
        id: ResourceId,
        /// The unit.
        unit: UnitId,
        /// What was done.
        action: Action,
        /// What came of it.
        result: ChangeResult,
    },
    /// An object is waited for.
    Waiting {
        /// The object.
        id: ResourceId,
        /// What it says of itself.
        message: String,
    },
    /// An object that was waited for is ready.
    Ready {
        /// The object.
        id: ResourceId,
    },
}

/// What came of a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "camelCase")]
pub enum ChangeResult {
    /// Done.
    Done,
    /// The delete is accepted; finalizers are at work.
    Deleting,
    /// It failed.
    Failed {
        /// Why.
        message: String,
    },
    /// It was not tried, because what it needs failed.
    Skipped {
        /// What it needs.
        needs: ResourceId,
    },
    /// It was not tried, because the run was interrupted.
    Interrupted,
}

impl ChangeResult {
    /// Whether the change was made.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Done | Self::Deleting)
    }
}

/// Takes events as they happen; it must not block.
pub trait Observer: Sync {
    /// One event.
    fn event(&self, event: &Event);
}
