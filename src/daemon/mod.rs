//! The daemon: keeps a fleet as its files say, for as long as it runs.
//!
//! Invariant: nothing but a plan of the revision in force is applied. A revision comes into force as a whole, once it has
//! loaded without an error; until the next one does, the last one stays. What a unit does is its own affair: one that fails
//! makes the others wait for nothing.
//!
//! `queue`, `reach`, `poll`, `corrections` and `state` are pure: which unit is looked at next, and with which others; when the
//! source is; what was mended too often; what a plan means. `batches` begins, `batch` looks and acts, `ending` finishes; `follow`
//! hears what happens to live objects, by `connections` that are made anew where they have to be; `source` knows the files and
//! `revision` brings them into force, `webhook` is told that they changed; `board`, `http` and `telemetry` tell those who ask the
//! daemon, `tell` those who ask the cluster; `requests` are what these want. `several` runs such a daemon for each of several
//! fleets, and `listed` are the files that name them.

mod batch;
mod batches;
mod before;
mod board;
mod connections;
mod corrections;
mod ending;
mod facts;
mod follow;
mod http;
mod listed;
mod listen;
mod poll;
mod queue;
mod reach;
mod replica;
mod requests;
mod revision;
mod several;
mod source;
mod state;
mod tally;
mod telemetry;
mod tell;
mod webhook;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use self::batches::{BATCHES, Ended, Running};
pub use self::board::{Board, Report, UnitReport};
use self::corrections::Corrections;
use self::facts::UnitFacts;
use self::follow::{Follower, Heard};
pub use self::http::{Shown, ShownFleet};
pub use self::listed::{DriftWord, GitListed, Listed, ListedFleets, Origin, schema as list_schema};
pub use self::listen::{ListenError, listen, listen_to_webhooks};
use self::poll::Poll;
pub use self::queue::Pace;
use self::queue::{End, Queue};
use self::reach::Reaches;
use self::replica::Replica;
use self::requests::{Moment, Requests};
use self::revision::Looked;
pub use self::several::{Taken, run as run_all};
pub use self::source::{Directory, Repository, Source, SourceFailure};
pub use self::state::State;
use self::telemetry::Availability;
pub use self::telemetry::Telemetry;
use self::tell::{Ask, Desk, Kept, Tellers};
pub use self::webhook::{Bell, Push, Received, Route, SecretError, Webhooks};
use crate::fleet::model::DriftAction;
use crate::inventory::InventoryKey;
use crate::ops::lease::Holder;
use crate::ops::{Access, Held, LoadedFleet, ProviderScope, Scope};
use crate::report::chain;
use crate::resource::{ManagementClusterName, Revision, UnitId};

/// How the daemon works.
#[derive(Clone)]
pub struct Options {
    /// What the fleet is called among several that one process follows; none where it is the only one.
    pub name: Option<String>,
    /// Who follows which fleet.
    pub taken: Arc<Taken>,
    /// The files.
    pub source: Arc<dyn Source>,
    /// How control planes are reached.
    pub access: Access,
    /// How often the files are looked at.
    pub poll: Duration,
    /// How often units are.
    pub pace: Pace,
    /// What is done about drift that no rule of the fleet files is about.
    pub drift: DriftAction,
    /// Only objects on this kind of control plane; none: on all.
    pub provider: Option<ProviderScope>,
    /// Only units that are recorded on these management clusters; empty: on all.
    pub management_clusters: Vec<String>,
    /// How it shares the work with others; none: it works alone.
    pub holder: Option<Holder>,
    /// Changes under way at once, in each batch.
    pub concurrency: usize,
    /// Where the state is shown.
    pub board: Arc<Board>,
    /// What has the files looked at between two polls.
    pub bell: Arc<Bell>,
    /// Where everything is measured.
    pub telemetry: Arc<Telemetry>,
}

/// The loop comes round at least so often, so that probes see that it does.
const PULSE: Duration = Duration::from_secs(15);

/// Runs until it is told to stop; what is under way is then finished, as far as that goes within ten seconds. What goes
/// wrong is told, and tried again.
pub async fn run(options: Options, stop: CancellationToken) {
    let mut daemon = Daemon::new(options);
    // Not only between two rounds: one may wait for a server.
    tokio::select! {
        () = daemon.go_round(&stop) => {}
        () = stop.cancelled() => {}
    }
    daemon.end().await;
}

struct Daemon {
    options: Options,
    began: Instant,
    queue: Queue,
    in_force: Option<Arc<LoadedFleet>>,
    reaches: Reaches,
    /// Whether the source keeps what is in force for the next run.
    is_kept: bool,
    /// What the source held when it was last looked at, in force or not.
    seen: Option<Revision>,
    /// What was refused for what it is, and why; told again once what else stood in the way is over.
    refused: Option<(Revision, String)>,
    held: Arc<Held>,
    recorded: BTreeSet<InventoryKey>,
    replica: Replica,
    /// Units that have not been looked at since the start.
    unseen: Option<BTreeSet<UnitId>>,
    /// A look at the source that is under way; never more than one.
    looks: JoinSet<Looked>,
    looks_begun: u64,
    /// Requests, each with how many looks had begun when it was made.
    waiting: Vec<(u64, Ask)>,
    batches: JoinSet<Ended>,
    running: BTreeMap<u64, Running>,
    begun: u64,
    follower: Follower,
    availability: Availability,
    is_followed: bool,
    /// Management clusters that can't be connected to.
    unreached: BTreeSet<ManagementClusterName>,
    heard: Arc<Heard>,
    corrections: Arc<Mutex<Corrections>>,
    desk: Arc<Desk>,
    tellers: Tellers,
    requests: Requests,
    is_recorded_known: bool,
    poll: Poll,
}

impl Daemon {
    fn new(options: Options) -> Self {
        let now = Instant::now();
        let replica = Replica::new(options.holder.clone());
        options.telemetry.draws_on(options.access.oci.budget.clone());
        Self {
            queue: Queue::new(options.pace),
            poll: Poll::new(options.poll),
            options,
            began: now,
            in_force: None,
            reaches: Reaches::default(),
            is_kept: false,
            seen: None,
            refused: None,
            held: Arc::default(),
            recorded: BTreeSet::new(),
            unseen: None,
            looks: JoinSet::new(),
            looks_begun: 0,
            waiting: Vec::new(),
            batches: JoinSet::new(),
            running: BTreeMap::new(),
            begun: 0,
            follower: Follower::default(),
            availability: Availability::default(),
            is_followed: false,
            unreached: BTreeSet::new(),
            heard: Arc::default(),
            corrections: Arc::default(),
            desk: Arc::new(Desk::of(replica.claims())),
            replica,
            tellers: Tellers::default(),
            requests: Requests::default(),
            is_recorded_known: false,
        }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    async fn go_round(&mut self, stop: &CancellationToken) {
        let (heard, desk) = (self.heard.clone(), self.desk.clone());
        let claims = self.replica.claims();
        let bell = self.options.bell.clone();
        loop {
            self.options.board.report().alive = Some(Timestamp::now());
            if self.poll.is_due(self.now()) {
                self.begin_to_look();
            }
            self.begin_batches();
            self.options.telemetry.queued(self.queue.standing(self.now()));
            let due = self.queue.next(self.takes()).filter(|_| self.batches.len() < BATCHES);
            let wake = due.into_iter().chain(self.poll.next()).min();
            let wake = wake.map_or_else(|| Instant::now() + PULSE, |wake| self.began + wake);
            tokio::select! {
                () = stop.cancelled() => return,
                Some(ended) = self.batches.join_next() => match ended {
                    Ok(ended) => self.note(ended),
                    Err(error) => tracing::error!(%error, "a batch broke off"),
                },
                Some(looked) = self.looks.join_next() => self.looked(looked).await,
                units = heard.take() => {
                    let now = self.now();
                    for unit in units {
                        self.queue.ask(&unit, now);
                    }
                }
                asks = desk.asks() => asks.into_iter().for_each(|ask| self.hear(ask)),
                () = claims.changed() => self.divide(),
                why = connections::broken(
                    (&mut self.follower, &mut self.availability),
                    (&mut self.replica, &mut self.tellers),
                ) => {
                    tracing::error!(
                        why,
                        "a task broke off, which is a fault of this program: it begins anew with the next look at the source"
                    );
                    self.is_followed = false;
                }
                () = bell.rung() => {
                    self.poll.ask(self.now());
                    desk.pushed();
                }
                () = desk.pushes() => self.poll.ask(self.now()),
                () = sleep_until(wake.min(Instant::now() + PULSE)) => {}
            }
        }
    }

    /// Has a unit looked at whatever became of it before.
    fn insist(&mut self, unit: &UnitId) {
        let now = self.now();
        self.queue.insist(unit, now);
        self.corrections().forget(unit);
    }

    fn corrections(&self) -> MutexGuard<'_, Corrections> {
        self.corrections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep_units(&mut self) {
        let Some(loaded) = &self.in_force else { return };
        let scope = self.scope();
        let scope = loaded.scope(&scope);
        let recorded = self.recorded.iter().map(|(_, unit)| unit);
        let units = loaded.rendered.units.keys().chain(recorded);
        let units: BTreeSet<UnitId> = units.filter(|unit| scope.holds(unit)).cloned().collect();
        let names: BTreeSet<String> = units.iter().map(ToString::to_string).collect();
        self.options.board.report().units.retain(|name, _| names.contains(name));
        // What has gone from files and records is not waited for.
        let unseen = self.unseen.get_or_insert_with(|| units.clone());
        unseen.retain(|unit| units.contains(unit));
        self.requests.keep(&units);
        if self.is_recorded_known {
            let wanted = loaded.rendered.units.keys();
            let wanted = wanted.filter_map(|unit| Some((loaded.recorded_on(unit)?, unit.clone())));
            self.desk.keep(Kept {
                places: wanted.chain(self.recorded.iter().cloned()).collect(),
                failed: loaded.failed.keys().cloned().collect(),
            });
        }
        self.corrections().keep(&units);
        self.queue.keep(&units, self.began.elapsed());
        self.options.telemetry.keep(&units);
        self.replica.place(&units, loaded, &self.recorded);
        self.take_ours();
        self.note_looked();
    }

    /// Finds out anew which units are ours.
    fn divide(&mut self) {
        let acted = self.replica.acts();
        if self.replica.divide() {
            self.take_ours();
        }
        if !acted && self.replica.acts() {
            // Whoever worked before may have been told of a commit that is not here yet.
            self.poll.ask(self.now());
        }
        self.options.board.report().leases = self.replica.standings();
        self.note_looked();
        // What all have looked at is to be told by one of them.
        self.desk.changed();
        self.check_caught_up();
    }

    /// Looks at what is ours, and leaves the rest to others.
    fn take_ours(&mut self) {
        let now = self.now();
        let ours = self.replica.ours();
        if self.replica.claims().is_open() {
            return;
        }
        self.corrections().keep(ours);
        self.queue.only(ours, now);
        self.options.telemetry.keep(ours);
        self.desk.retain(ours);
        let names: BTreeSet<String> = ours.iter().map(ToString::to_string).collect();
        self.options.board.report().units.retain(|name, _| names.contains(name));
    }

    /// The part of the fleet that this daemon keeps.
    fn scope(&self) -> Scope {
        Scope {
            management_clusters: self.options.management_clusters.clone(),
            ..Scope::default()
        }
    }

    fn access(&self) -> Access {
        Access {
            held: Some(self.held.clone()),
            ..self.options.access.clone()
        }
    }

    /// Hears what somebody asked for by an annotation. What is under way of what is meant begins nothing more, for it may have been
    /// suspended. Who waits for an answer gets one by what the source holds now: it is looked at first.
    fn hear(&mut self, ask: Ask) {
        self.look_at_what_is_meant(&ask);
        if ask.token.is_some() {
            // Only the last of several is told of.
            let is_other = |(_, other): &(u64, Ask)| (&other.on, &other.unit) != (&ask.on, &ask.unit);
            self.waiting.retain(is_other);
            self.waiting.push((self.looks_begun, ask));
            self.poll.ask(self.now());
        }
    }

    /// Does what was asked for before the look at the source that has ended began, whatever that found.
    fn hear_what_waited(&mut self) {
        let ended = self.looks_begun;
        let waiting = std::mem::take(&mut self.waiting);
        let (due, waiting) = waiting.into_iter().partition(|(begun, _)| *begun < ended);
        self.waiting = waiting;
        for (_, ask) in due {
            self.answer(ask);
        }
    }

    fn look_at_what_is_meant(&mut self, ask: &Ask) {
        let Some(loaded) = self.in_force.clone() else { return };
        let is_there = |unit: &UnitId| loaded.recorded_on(unit).is_none_or(|there| there == ask.on);
        self.look_at_all(|unit| ask.unit.as_ref().map_or_else(|| is_there(unit), |meant| meant == unit));
    }

    /// Looks at what is meant, and tells it to who asked.
    fn answer(&mut self, ask: Ask) {
        let Some(loaded) = self.in_force.clone() else { return };
        self.look_at_what_is_meant(&ask);
        let is_there = |unit: &UnitId| loaded.recorded_on(unit).is_none_or(|there| there == ask.on);
        if let Some(token) = ask.token {
            match ask.unit {
                Some(unit) => self.requests.ask(&unit, token),
                None => {
                    let units = loaded
                        .rendered
                        .units
                        .keys()
                        .chain(self.recorded.iter().map(|(_, unit)| unit));
                    let units = units.filter(|unit| is_there(unit)).cloned().collect();
                    self.requests.ask_all(&ask.on, units, token);
                }
            }
            self.note_looked();
        }
    }

    fn look_at_all(&mut self, is_meant: impl Fn(&UnitId) -> bool) {
        for (batch, running) in &self.running {
            if running.units.iter().any(&is_meant) && !running.halt.swap(true, Ordering::Relaxed) {
                tracing::info!(batch, "what is under way begins nothing more, and is looked at again");
            }
        }
        let in_files = self.in_force.iter().flat_map(|loaded| loaded.rendered.units.keys());
        let meant: BTreeSet<UnitId> = in_files
            .chain(self.recorded.iter().map(|(_, unit)| unit))
            .filter(|unit| is_meant(unit))
            .cloned()
            .collect();
        meant.iter().for_each(|unit| self.insist(unit));
    }

    /// Tells on how a unit stands.
    fn tell(&mut self, unit: &UnitId, facts: Option<UnitFacts>, began: Moment) {
        let handled = self.requests.looked(unit, began);
        if let Some(facts) = facts {
            self.desk.say(unit, facts, handled);
        }
    }

    fn note(&mut self, ended: Ended) {
        self.running.remove(&ended.batch);
        let (now, at) = (self.now(), Timestamp::now());
        let (board, telemetry) = (self.options.board.clone(), self.options.telemetry.clone());
        let fleet = self.in_force.clone();
        let fleet = fleet.as_ref().map(|loaded| &loaded.fleet);
        match ended.result {
            Ok(mut done) => {
                // What was given to another meanwhile is that one's to tell of.
                let kept = |(unit, _): &(UnitId, _)| self.replica.keeps(unit);
                let (kept, given): (_, BTreeMap<_, _>) = done.units.into_iter().partition(kept);
                done.units = kept;
                for (unit, looked) in &given {
                    self.queue.end(unit, looked.end, now);
                }
                telemetry.looked(&done.units, &done.tally, ended.time, fleet);
                for (unit, looked) in done.units {
                    let report = UnitReport {
                        state: Some(looked.state),
                        error: looked.error,
                        seen: at,
                    };
                    board.note(&unit, report);
                    self.tell(&unit, looked.facts, ended.began);
                    self.queue.end(&unit, looked.end, now);
                    if let Some(unseen) = self.unseen.as_mut().filter(|_| looked.end != End::Unreached) {
                        unseen.remove(&unit);
                    }
                }
                let mut recorded = done.recorded;
                let there = self.recorded.iter().filter(|(on, _)| done.away.contains(on));
                recorded.extend(there.cloned());
                let is_known = self.is_recorded_known || done.away.is_empty();
                if self.recorded != recorded || self.is_recorded_known != is_known {
                    self.is_recorded_known = is_known;
                    self.recorded = recorded;
                    self.keep_units();
                }
            }
            Err(error) => {
                let error = chain(&error);
                if ended.units.is_empty() {
                    self.replica.ask_again();
                }
                let kept = |unit: &UnitId| self.replica.keeps(unit);
                let (kept, given): (_, BTreeSet<_>) = ended.units.into_iter().partition(kept);
                for unit in &given {
                    self.queue.end(unit, End::Unreached, now);
                }
                telemetry.failed(&kept, ended.time, fleet);
                for unit in &kept {
                    let report = UnitReport {
                        state: None,
                        error: Some(error.clone()),
                        seen: at,
                    };
                    board.note(unit, report);
                    let facts = self.unseen_facts(unit, &error);
                    self.tell(unit, facts, ended.began);
                    self.queue.end(unit, End::Unreached, now);
                }
            }
        }
        self.note_looked();
        self.check_caught_up();
    }

    /// Says of which requests to look at everything nothing that is ours is left.
    fn note_looked(&self) {
        let mut is_news = false;
        for (on, token, left) in self.requests.wide() {
            is_news |= self.replica.looked(on, token, left);
        }
        if is_news {
            self.desk.changed();
        }
    }

    fn check_caught_up(&self) {
        let has_seen = |unseen: &BTreeSet<UnitId>| self.replica.has_seen_its_own(unseen);
        if self.unseen.as_ref().is_some_and(has_seen) {
            let before = std::mem::replace(&mut self.options.board.report().caught_up, true);
            if !before {
                tracing::info!("every unit has been looked at");
            }
        }
    }

    fn unseen_facts(&self, unit: &UnitId, error: &str) -> Option<UnitFacts> {
        let loaded = self.in_force.as_ref()?;
        Some(UnitFacts {
            error: Some(error.to_owned()),
            ..facts::unseen(loaded, unit, loaded.recorded_on(unit)?)
        })
    }

    /// Finishes what is under way, and begins nothing more.
    async fn end(&mut self) {
        self.replica.claims().interrupt();
        ending::in_time(&mut self.batches, self.replica.end()).await;
    }
}
