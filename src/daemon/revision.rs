//! What the source holds, and whether it comes into force.
//!
//! Invariant: a revision comes into force as a whole, once it has loaded without an error; what does not leaves the last one in
//! force, and says why.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::task::JoinError;
use tracing::Span;

use super::poll::Found;
use super::reach::Reaches;
use super::telemetry::News;
use super::tell::FleetFacts;
use super::{Daemon, Options};
use crate::diag::Severity;
use crate::ops::LoadedFleet;
use crate::report::chain;
use crate::resource::UnitId;

/// What a look at the source came to: none where it holds what it did.
pub(super) type Looked = Result<Option<News>, String>;

impl Daemon {
    /// Begins to look whether the source holds something else than it did. A server may take its time, and nothing else waits
    /// for it.
    pub(super) fn begin_to_look(&mut self) {
        self.poll.begin(self.now());
        self.looks_begun += 1;
        let source = self.options.source.clone();
        let (seen, earlier) = (self.seen.clone(), self.in_force.clone());
        let telemetry = self.options.telemetry.clone();
        let span = Span::current();
        self.looks
            .spawn_blocking(move || span.in_scope(|| telemetry.look(&*source, seen.as_ref(), earlier.as_deref())));
    }

    /// Notes what a look came to, and brings what it found into force where that is in order.
    pub(super) async fn looked(&mut self, looked: Result<Looked, JoinError>) {
        let before = self.seen.clone();
        let looked = looked.unwrap_or_else(|error| Err(error.to_string()));
        let is_answered = looked.is_ok();
        self.take_news(looked).await;
        // Whatever became of the files: who can't be asked for them says nothing of the management clusters.
        self.reach_anew().await;
        let found = match self.seen == before {
            false => Found::News,
            true if is_answered => Found::Nothing,
            true => Found::Failed,
        };
        self.poll.looked(found, self.now());
        self.hear_what_waited();
        if self.options.source.is_of_before() {
            // It is in force again; now for what has come since.
            self.poll.ask(self.now());
        }
    }

    async fn take_news(&mut self, looked: Looked) {
        let news = match looked {
            Ok(news) => news,
            Err(error) => return self.refuse(&error),
        };
        self.options.board.report().source_seen = Some(Timestamp::now());
        let Some((there, loaded)) = news else {
            let in_force = self.in_force.as_ref().map(|loaded| &loaded.revised.revision);
            let is_in_force = in_force == self.seen.as_ref();
            if is_in_force {
                self.options.board.report().source_error = None;
                self.desk.refused(None);
            } else if let Some((_, error)) = self
                .refused
                .as_ref()
                .filter(|(what, _)| Some(what) == self.seen.as_ref())
            {
                // It was refused for what it is; whatever stood in the way of a look since is over.
                self.refuse(error);
            }
            if is_in_force && !self.is_kept {
                self.keep_in_force().await;
            }
            return;
        };
        // What could not be read is tried again: the disk may have been full.
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(error) => return self.refuse(&error),
        };
        if let Err(error) = self.follows_what_was_told(&loaded).await {
            return self.refuse(&error);
        }
        self.seen = Some(there.clone());
        let scope = self.scope();
        let in_order = loaded.check_scope(&scope).map_err(|error| error.to_string());
        match in_order
            .and_then(|()| is_in_order(&loaded))
            .and_then(|()| self.take(&loaded))
        {
            Ok(()) => self.bring_into_force(loaded).await,
            Err(error) => {
                self.refuse(&error);
                self.refused = Some((there, error));
            }
        }
    }

    /// Takes the fleet, unless it is followed already.
    fn take(&self, loaded: &LoadedFleet) -> Result<(), String> {
        let Options { name, taken, .. } = &self.options;
        let taken = taken.take(&loaded.revised.fleet, name.as_deref().unwrap_or_default());
        taken.map_err(|other| {
            format!(
                "these are the files of the fleet `{}`, which is followed as `{other}` already, and two would fight: take one of \
                 them out of the list",
                loaded.fleet.name
            )
        })
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

    /// Has the source keep for the next run what is in force; tried again with each look until it does.
    async fn keep_in_force(&mut self) {
        let source = self.options.source.clone();
        let took = tokio::task::spawn_blocking(move || source.took().map_err(|error| chain(&*error)));
        match took.await.unwrap_or_else(|error| Err(error.to_string())) {
            Ok(()) => self.is_kept = true,
            Err(error) => tracing::warn!(error, "the next run won't know what was in force"),
        }
    }

    async fn bring_into_force(&mut self, loaded: LoadedFleet) {
        let loaded = Arc::new(loaded);
        let before = self.in_force.replace(loaded.clone());
        self.reaches = Reaches::of(&loaded);
        // Contexts, tenancies or identities may have changed with it.
        let access = &self.options.access;
        let held = before
            .as_ref()
            .map(|before| access.held_on(&self.held, &before.fleet, &loaded.fleet));
        self.hold(held.unwrap_or_default());
        tracing::info!(revision = %loaded.revised.revision, fleet = loaded.summary(), "in force");
        self.is_kept = false;
        self.keep_in_force().await;
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
        self.keep_units();
        let now = self.now();
        // The first looks after a start are due already, and nobody has asked for them.
        let mut changed = before
            .as_ref()
            .map(|before| changed(before, &loaded))
            .unwrap_or_default();
        if let Some(before) = &before {
            // What is suspended from now on, or has other limits, is not to be written by what is under way; and what was
            // refused may be allowed now.
            let is_all = before.fleet.suspend != loaded.fleet.suspend || !before.fleet.has_policies_of(&loaded.fleet);
            // What was begun with goes by files that no longer hold: a revert ends what it reverts.
            self.look_at_all(|unit| is_all || changed.contains(unit));
        }
        changed.retain(|unit| loaded.rendered.units.contains_key(unit));
        self.options.telemetry.awaits_plans(&loaded.revised.revision, changed);
        // What left the files, or whose removal was committed to.
        for (_, unit) in self
            .recorded
            .iter()
            .filter(|(_, unit)| !loaded.rendered.units.contains_key(unit))
        {
            self.queue.insist(unit, now);
        }
        self.follow_clusters(&loaded);
        self.follow().await;
    }
}

/// The units of which the files say something else than before, or nothing any more.
fn changed(before: &LoadedFleet, now: &LoadedFleet) -> BTreeSet<UnitId> {
    let (before, now) = (&before.rendered.units, &now.rendered.units);
    let is_same = |unit: &UnitId| match (before.get(unit), now.get(unit)) {
        (Some(before), Some(now)) => before.digest == now.digest,
        _ => false,
    };
    let units = before.keys().chain(now.keys());
    units.filter(|unit| !is_same(unit)).cloned().collect()
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
