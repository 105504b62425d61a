//! Where the daemon leaves word, and finds what was asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::{Notify, watch};

use super::compose::FleetFacts;
use super::news::Deeds;
use crate::daemon::facts::UnitFacts;
use crate::inventory::InventoryKey;
use crate::ops::lease::Claims;
use crate::ops::{Access, LoadedFleet};
use crate::resource::{ManagementClusterName, UnitId};

/// Something that somebody asked for by an annotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::daemon) struct Ask {
    /// Where.
    pub(in crate::daemon) on: ManagementClusterName,
    /// Of which unit; none: of all that are recorded there.
    pub(in crate::daemon) unit: Option<UnitId>,
    /// What to say when it is answered; none: something else than a look was asked for, a suspension or its end.
    pub(in crate::daemon) token: Option<String>,
}

/// What was last said of a unit.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) facts: UnitFacts,
    /// The last request that was answered.
    pub(super) handled: Option<String>,
    /// What was done since it was last taken.
    pub(super) deeds: Deeds,
    /// Raised with each word.
    pub(super) count: u64,
}

/// What was last said of the fleet.
#[derive(Clone, Default)]
pub(super) struct Board {
    pub(super) current: Option<(Arc<LoadedFleet>, Access)>,
    pub(super) fleet: FleetFacts,
    /// The last push that a webhook told of, for the other daemons of the fleet.
    pub(super) pushed: Option<String>,
    pub(super) units: BTreeMap<UnitId, Said>,
    /// What there is to tell of; none: not known yet.
    pub(super) kept: Option<Kept>,
}

/// What there is to tell of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::daemon) struct Kept {
    /// Units where they are wanted or recorded.
    pub(in crate::daemon) places: BTreeSet<InventoryKey>,
    /// Units whose files have errors: where they are wanted is not known.
    pub(in crate::daemon) failed: BTreeSet<UnitId>,
}

impl Kept {
    /// Whether a unit has anything on a management cluster.
    pub(super) fn holds(&self, on: &ManagementClusterName, unit: &UnitId) -> bool {
        self.failed.contains(unit) || self.places.contains(&(on.clone(), unit.clone()))
    }
}

/// The desk.
pub(in crate::daemon) struct Desk {
    claims: Arc<Claims>,
    board: Mutex<Board>,
    changes: watch::Sender<u64>,
    asks: Mutex<Vec<Ask>>,
    asked: Notify,
    pushes: Notify,
}

impl Desk {
    /// An empty one; what these claims give is what is told of.
    pub(in crate::daemon) fn of(claims: Arc<Claims>) -> Self {
        Self {
            claims,
            board: Mutex::default(),
            changes: watch::Sender::default(),
            asks: Mutex::default(),
            asked: Notify::default(),
            pushes: Notify::default(),
        }
    }

    pub(super) fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Forgets what was said of other units than these: somebody else tells of them.
    pub(in crate::daemon) fn retain(&self, units: &BTreeSet<UnitId>) {
        self.board().units.retain(|unit, _| units.contains(unit));
        self.changed();
    }

    pub(super) fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Says that there may be something to tell.
    pub(in crate::daemon) fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Says that a revision is in force, and how control planes are reached from now on.
    pub(in crate::daemon) fn in_force(&self, loaded: &Arc<LoadedFleet>, access: &Access, fleet: FleetFacts) {
        let mut board = self.board();
        board.current = Some((loaded.clone(), access.clone()));
        board.fleet = fleet;
        drop(board);
        self.changed();
    }

    /// Says how control planes are reached from now on, by the revision that is in force.
    pub(in crate::daemon) fn reached_by(&self, access: &Access) {
        if let Some((_, before)) = &mut self.board().current {
            before.clone_from(access);
        }
        self.changed();
    }

    /// Says that a webhook told of a push: each of the other daemons of the fleet is to look at the source too. One that works
    /// alone has nobody to tell.
    pub(in crate::daemon) fn pushed(&self) {
        if !self.claims.is_open() {
            self.board().pushed = Some(Timestamp::now().to_string());
            self.changed();
        }
    }

    pub(super) fn push_heard(&self) {
        self.pushes.notify_one();
    }

    /// Waits until another daemon says that somebody pushed.
    pub(in crate::daemon) async fn pushes(&self) {
        self.pushes.notified().await;
    }

    /// Says why what the source holds is not in force; none: it is.
    pub(in crate::daemon) fn refused(&self, error: Option<&str>) {
        let mut board = self.board();
        if board.fleet.error.as_deref() != error {
            board.fleet.error = error.map(str::to_owned);
            drop(board);
            self.changed();
        }
    }

    /// Says what there is to tell of, once that is known.
    pub(in crate::daemon) fn keep(&self, kept: Kept) {
        let mut board = self.board();
        if board.kept.as_ref() != Some(&kept) {
            board.units.retain(|unit, said| kept.holds(&said.facts.on, unit));
            board.kept = Some(kept);
            drop(board);
            self.changed();
        }
    }

    /// Says how a unit stands, and which request that answers.
    pub(in crate::daemon) fn say(&self, unit: &UnitId, facts: UnitFacts, handled: Option<String>) {
        let mut board = self.board();
        let before = board.units.remove(unit);
        let (mut deeds, count, known) = match before {
            Some(said) => (said.deeds, said.count, said.handled),
            None => (Deeds::default(), 0, None),
        };
        if let Some(details) = &facts.details {
            deeds.made += details.made;
            deeds.mended.extend(details.mended.iter().cloned());
            // A fight over a field is told by its end; memory is not to grow with it.
            deeds.mended.truncate(100);
        }
        let said = Said {
            facts,
            handled: handled.or(known),
            deeds,
            count: count + 1,
        };
        board.units.insert(unit.clone(), said);
        drop(board);
        self.changed();
    }

    pub(super) fn ask(&self, ask: Ask) {
        let mut asks = self.asks.lock().unwrap_or_else(PoisonError::into_inner);
        if !asks.contains(&ask) {
            asks.push(ask);
        }
        drop(asks);
        self.asked.notify_one();
    }

    /// Waits until something was asked, and takes it.
    pub(in crate::daemon) async fn asks(&self) -> Vec<Ask> {
        loop {
            let asks = std::mem::take(&mut *self.asks.lock().unwrap_or_else(PoisonError::into_inner));
            if !asks.is_empty() {
                return asks;
            }
            self.asked.notified().await;
        }
    }
}
