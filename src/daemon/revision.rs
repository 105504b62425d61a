//! What the source holds, and whether it comes into force.
//!
//! Invariant: a revision comes into force as a whole, once it has loaded without an error; what does not leaves the last one in
//! force, and says why.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use tokio::task::{JoinError, JoinHandle};

use super::Daemon;
use super::poll::Found;
use super::telemetry::News;
use super::tell::FleetFacts;
use crate::diag::Severity;
use crate::ops::LoadedFleet;
use crate::report::chain;

/// What a look at the source came to; none where it holds what it held.
pub(super) type Looked = Result<Result<Option<News>, String>, JoinError>;

/// A look at the source that is under way. It takes as long as the server of the repository does: what was heard of live
/// objects is not to wait for that.
#[derive(Default)]
pub(super) struct Looking(Option<JoinHandle<Result<Option<News>, String>>>);

impl Looking {
    /// Waits for its end; for ever where none is under way.
    pub(super) async fn ended(&mut self) -> Looked {
        let Some(look) = &mut self.0 else {
            return std::future::pending().await;
        };
        let looked = look.await;
        self.0 = None;
        looked
    }
}

impl Daemon {
    /// Begins to look whether the source holds something else than it did.
    pub(super) fn begin_look(&mut self) {
        let source = self.options.source.clone();
        let (seen, earlier) = (self.seen.clone(), self.in_force.clone());
        let telemetry = self.options.telemetry.clone();
        let look = move || telemetry.look(&*source, seen.as_ref(), earlier.as_deref());
        self.looking = Looking(Some(tokio::task::spawn_blocking(look)));
        self.poll.begins();
    }

    /// Takes in what the look found.
    pub(super) async fn note_look(&mut self, looked: Looked) {
        let before = self.seen.clone();
        self.take_in(looked).await;
        let found = if self.seen == before {
            Found::Nothing
        } else {
            Found::News
        };
        self.poll.looked(found, self.now());
    }

    /// Brings what is new into force where it is in order.
    async fn take_in(&mut self, looked: Looked) {
        let news = match looked {
            Ok(Ok(news)) => news,
            Ok(Err(error)) => return self.refuse(&error),
            Err(error) => return self.refuse(&error.to_string()),
        };
        self.options.board.report().source_seen = Some(Timestamp::now());
        let Some((there, loaded)) = news else {
            let in_force = self.in_force.as_ref().map(|loaded| &loaded.revised.revision);
            if in_force == self.seen.as_ref() {
                self.options.board.report().source_error = None;
                self.desk.refused(None);
            }
            if !self.is_followed {
                self.follow().await;
            }
            return;
        };
        // What could not be read is tried again: the disk may have been full.
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(error) => return self.refuse(&error),
        };
        self.seen = Some(there);
        let scope = self.scope();
        let in_order = loaded.check_scope(&scope).map_err(|error| error.to_string());
        match in_order.and_then(|()| is_in_order(&loaded)) {
            Ok(()) => self.bring_into_force(loaded).await,
            Err(error) => self.refuse(&error),
        }
    }

    /// Tells why what the source holds is not in force; once, however often it is tried.
    fn refuse(&self, error: &str) {
        self.desk.refused(Some(error));
        self.options.telemetry.refused();
        let before = self.options.board.report().source_error.replace(error.to_owned());
        if before.as_deref() != Some(error) {
            tracing::warn!(error, "what the source holds does not come into force");
        }
    }

    async fn bring_into_force(&mut self, loaded: LoadedFleet) {
        let loaded = Arc::new(loaded);
        let before = self.in_force.replace(loaded.clone());
        // Contexts, tenancies or identities may have changed with it.
        let access = &self.options.access;
        let held = before
            .as_ref()
            .map(|before| access.held_on(&self.held, &before.fleet, &loaded.fleet));
        self.held = Arc::new(held.unwrap_or_default());
        self.options.telemetry.holds(&self.held);
        tracing::info!(revision = %loaded.revised.revision, fleet = loaded.summary(), "in force");
        let source = self.options.source.clone();
        let took = tokio::task::spawn_blocking(move || source.took().map_err(|error| chain(&*error)));
        if let Ok(Err(error)) = took.await {
            tracing::warn!(error, "the next run won't know what was in force");
        }
        {
            let mut report = self.options.board.report();
            report.revision = Some(loaded.revised.revision.clone());
            report.since = Some(Timestamp::now());
            report.source_error = None;
        }
        self.desk.in_force(
            &loaded,
            &self.access(),
            FleetFacts {
                revision: Some(loaded.revised.revision.to_string()),
                since: Some(Timestamp::now()),
                error: None,
            },
        );
        let scope = self.scope();
        self.tellers
            .serve(&self.desk, loaded.scope(&scope).management_clusters());
        if before
            .as_ref()
            .is_some_and(|before| before.fleet.suspend != loaded.fleet.suspend)
        {
            // What is suspended from now on is not to be written by what is under way.
            self.look_at_all(|_| true);
        }
        self.keep_units();
        let now = self.now();
        let mut changed = BTreeSet::new();
        for (unit, rendered) in &loaded.rendered.units {
            let known = before.as_ref().and_then(|before| before.rendered.units.get(unit));
            // The first looks after a start are due already, and nobody has asked for them.
            if before.is_some() && known.is_none_or(|known| known.digest != rendered.digest) {
                self.insist(unit);
                changed.insert(unit.clone());
            }
        }
        self.options.telemetry.awaits_plans(&loaded.revised.revision, changed);
        // What was refused may be allowed now.
        if before
            .as_ref()
            .is_some_and(|before| !before.fleet.has_policies_of(&loaded.fleet))
        {
            loaded.rendered.units.keys().for_each(|unit| self.insist(unit));
        }
        // What left the files, or whose removal was committed to.
        for (_, unit) in self
            .recorded
            .iter()
            .filter(|(_, unit)| !loaded.rendered.units.contains_key(unit))
        {
            self.queue.insist(unit, now);
        }
        let (access, telemetry) = (self.access(), self.options.telemetry.clone());
        let names = loaded.scope(&self.scope()).management_clusters().cloned().collect();
        self.availability.follow(loaded, names, access, telemetry);
        self.follow().await;
    }
}

/// Refuses a revision with errors in it.
fn is_in_order(loaded: &LoadedFleet) -> Result<(), String> {
    let errors: Vec<_> = loaded
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
        .collect();
    match errors.first() {
        None => Ok(()),
        Some(first) => Err(format!(
            "{} has {} errors, the first of them {}: {}",
            loaded.revised.revision,
            errors.len(),
            first.code,
            first.message
        )),
    }
}
