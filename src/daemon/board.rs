//! What the daemon knows of itself, for whoever asks.
//!
//! Invariant: data alone; nothing decides by it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

use super::state::State;
use crate::ops::lease::Standing;
use crate::resource::{ManagementClusterName, Revision, UnitId};

/// The state of the daemon, shared with its HTTP server.
#[derive(Debug, Default)]
pub struct Board(Mutex<Report>);

/// A report on everything.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The revision in force; none until one has loaded.
    pub revision: Option<Revision>,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Why what the source holds now is not in force; none where it is.
    pub source_error: Option<String>,
    /// When the source was last looked at with success.
    pub source_seen: Option<Timestamp>,
    /// When the loop last came round.
    #[serde(skip)]
    pub alive: Option<Timestamp>,
    /// Whether every unit has been looked at since the start.
    pub caught_up: bool,
    /// How this replica stands, by management cluster; none where it works alone.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub leases: BTreeMap<ManagementClusterName, Standing>,
    /// The units that are this replica's.
    pub units: BTreeMap<String, UnitReport>,
    /// Why control planes are not followed, by control plane and kind.
    pub not_followed: BTreeMap<String, String>,
}

/// A report on one unit.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnitReport {
    /// How it stands; none where it could not be looked at.
    #[serde(flatten)]
    pub state: Option<State>,
    /// Why the last attempt did not succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When that was seen.
    pub seen: Timestamp,
}

impl Board {
    /// The report, to be read or changed.
    pub fn report(&self) -> MutexGuard<'_, Report> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how a unit stands.
    pub(super) fn note(&self, unit: &UnitId, looked_at: UnitReport) {
        let mut report = self.report();
        let before = report.units.insert(unit.to_string(), looked_at.clone());
        let UnitReport { state, error, .. } = looked_at;
        let is_news = before.is_none_or(|before| before.state != state || before.error != error);
        drop(report);
        if is_news {
            match (&state, error) {
                (_, Some(error)) => tracing::warn!(%unit, error, "can't be brought in sync"),
                (Some(state @ (State::Refused { .. } | State::Drifted { .. } | State::Held { .. })), None) => {
                    tracing::warn!(%unit, %state, "looked at");
                }
                (Some(state), None) => tracing::info!(%unit, %state, "looked at"),
                (None, None) => {}
            }
        }
    }
}
