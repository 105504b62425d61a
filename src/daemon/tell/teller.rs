//! One management cluster's task: writes what has changed, and hears what is asked.

mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until};
use tracing::Instrument as _;

use super::desk::{Ask, Desk, Said};
use super::events::Events;
use super::pace::Pacer;
use super::touched::{Touched, Watcher};
use crate::daemon::connections::one_of;
use crate::daemon::state::State;
use crate::ops::{Access, LoadedFleet};
use crate::providers::fence::Fence;
use crate::providers::kubernetes::{KubernetesProvider, unit_of};
use crate::report::chain;
use crate::resource::{ManagementClusterName, UnitId};
use crate::sync::annotations::{PUSHED_AT, RECONCILE_REQUESTED_AT, is_of_suspension};
use crate::sync::{FleetSync, Read, Record, Records, SyncKind, UnitSync, fleet_object, unit_object};

/// Where the kinds are not installed, or nothing can be read, it is looked again after so long.
const LOOK_AGAIN: Duration = Duration::from_secs(15);
/// A status says nothing to a watch: of several daemons each reads so often what the others wrote.
const REFRESH: Duration = Duration::from_secs(30);
/// What can't be deleted is tried again after so long.
const SWEEP_AGAIN: Duration = Duration::from_secs(60);
/// More objects than this are read by a LIST.
const ONE_BY_ONE: usize = 8;
/// Units written in one round: the rest comes with the next, after what was asked meanwhile.
const IN_A_ROUND: usize = 64;

/// The tasks; they end with it.
#[derive(Default)]
pub(in crate::daemon) struct Tellers {
    tasks: JoinSet<()>,
    served: BTreeMap<ManagementClusterName, AbortHandle>,
}

impl Tellers {
    /// Waits until one breaks off; it begins anew when its management cluster is to be served again.
    pub(in crate::daemon) async fn broken(&mut self) -> String {
        let why = one_of(&mut self.tasks).await;
        self.served.retain(|_, task| !task.is_finished());
        why
    }

    /// Serves these management clusters; those that are served already go on.
    pub(in crate::daemon) fn serve<'a>(
        &mut self,
        desk: &Arc<Desk>,
        clusters: impl Iterator<Item = &'a ManagementClusterName>,
    ) {
        for on in clusters {
            if !self.served.contains_key(on) {
                let teller = Teller::new(on.clone(), desk.clone());
                let task = self.tasks.spawn(teller.run().in_current_span());
                self.served.insert(on.clone(), task);
            }
        }
    }
}

#[derive(Default)]
struct Slot {
    pacer: Pacer,
    /// The word that was taken last.
    count: u64,
}

struct Teller {
    on: ManagementClusterName,
    desk: Arc<Desk>,
    began: Instant,
    /// The same by the clock of the world.
    since: Timestamp,
    /// What was read, and written since; none before the first read.
    known: Option<Records>,
    /// Whether it may be otherwise by now. It is kept all the same: by what was before it is told what somebody asked for
    /// meanwhile, the end of a suspension too, which is nothing but an annotation that is not there any more.
    is_stale: bool,
    /// What was said last about not being able to.
    complaint: Option<String>,
    look_again: Instant,
    sweep_again: Instant,
    /// When what other daemons write is read again.
    refresh: Instant,
    units: BTreeMap<UnitId, Slot>,
    fleet: Slot,
    /// The last request to the whole fleet that is answered, once all is read by which the answer counts.
    handled: Option<String>,
    events: Events,
    /// Requests that the daemon was told of, by object.
    asked: BTreeMap<(SyncKind, String), String>,
    /// The push that the other daemons were told of last.
    passed_on: Option<String>,
    touched: Arc<Touched>,
    watches: JoinSet<()>,
}

/// What one round works with.
struct Round {
    loaded: Arc<LoadedFleet>,
    provider: Arc<KubernetesProvider>,
}

/// The kind is not there any more.
struct Uninstalled;

impl Teller {
    fn new(on: ManagementClusterName, desk: Arc<Desk>) -> Self {
        let now = Instant::now();
        Self {
            on,
            desk,
            began: now,
            since: Timestamp::now(),
            known: None,
            is_stale: true,
            complaint: None,
            look_again: now,
            sweep_again: now,
            refresh: now,
            units: BTreeMap::new(),
            fleet: Slot::default(),
            handled: None,
            events: Events::default(),
            asked: BTreeMap::new(),
            passed_on: None,
            touched: Arc::default(),
            watches: JoinSet::new(),
        }
    }

    async fn run(mut self) {
        let mut changes = self.desk.changes();
        let touched = self.touched.clone();
        loop {
            let count = *changes.borrow_and_update();
            let wake = self.round(count).await;
            tokio::select! {
                // The desk is held here too: it does not close.
                _ = changes.changed() => {}
                () = touched.wait() => {}
                why = one_of(&mut self.watches) => {
                    tracing::error!(on = %self.on, why, "a watch broke off, which is a fault of this program: it begins anew");
                    // What it would have told is read, and all of them begin after that.
                    self.watches = JoinSet::new();
                    self.is_stale = true;
                    self.look_again = Instant::now() + LOOK_AGAIN;
                }
                () = sleep_until(wake) => {}
            }
        }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Does what is due; gives the time of what is due next.
    async fn round(&mut self, count: u64) -> Instant {
        let asleep = Instant::now() + LOOK_AGAIN;
        let current = self.desk.board().current.clone();
        let Some((loaded, access)) = current else { return asleep };
        if !loaded.fleet.management_clusters.contains_key(&self.on) {
            return asleep;
        }
        if self.is_stale && Instant::now() < self.look_again {
            return self.look_again;
        }
        if let Err(error) = self.round_with(loaded, &access, count).await {
            self.complain(&error);
            self.is_stale = true;
            self.look_again = Instant::now() + LOOK_AGAIN;
            return self.look_again;
        }
        let due = self
            .units
            .values()
            .chain([&self.fleet])
            .filter_map(|slot| slot.pacer.due())
            .min();
        due.map_or(asleep, |due| asleep.min(self.began + due))
    }

    async fn round_with(&mut self, loaded: Arc<LoadedFleet>, access: &Access, count: u64) -> Result<(), String> {
        let only = std::slice::from_ref(&self.on);
        let providers = access
            .connect(&loaded.fleet, only)
            .await
            .map_err(|error| chain(&error))?;
        let Some(provider) = providers.get(&self.on).cloned() else {
            return Err("there is no connection".to_owned());
        };
        let round = Round { loaded, provider };
        if self.is_stale {
            self.read_all(&round).await?;
            self.complaint = None;
            if self.watches.is_empty() {
                for kind in SyncKind::ALL {
                    let watcher = Watcher {
                        on: self.on.clone(),
                        kind,
                        desk: self.desk.clone(),
                        touched: self.touched.clone(),
                    };
                    self.watches.spawn(watcher.run().in_current_span());
                }
            }
        }
        let is_shared = !self.desk.claims().is_open();
        if is_shared && Instant::now() >= self.refresh {
            self.read_all(&round).await?;
            self.refresh = Instant::now() + REFRESH;
            let now = self.now();
            self.fleet.pacer.change(now);
        }
        self.hear(&round).await?;
        self.pass_on_push(&round).await;
        // One who stands by hears, and tells nothing.
        let Some(fences) = self.desk.claims().fences(&self.on) else {
            self.units.clear();
            self.fleet = Slot::default();
            self.handled = None;
            return Ok(());
        };
        // Taken before the words by which it was looked at.
        let looked = self.desk.claims().looked_at(&self.on);
        self.take_word(count);
        Fence::around(fences, self.write(&round, looked)).await
    }

    async fn write(&mut self, round: &Round, looked: Option<String>) -> Result<(), String> {
        self.write_units(round).await?;
        // An answer counts what it began, so that is written first.
        let is_all_written = self.units.values().all(|slot| slot.pacer.due().is_none());
        if let Some(request) = looked.filter(|_| is_all_written) {
            self.desk.claims().tell(&self.on, &request);
        }
        // Of several who share a management cluster, the one that has its own unit tells of the whole.
        let unit = UnitId::ManagementCluster(self.on.clone());
        if self.desk.claims().may(&unit, &BTreeSet::from([self.on.clone()])) {
            self.note_answer(round).await?;
            self.write_fleet(round)
                .await
                .map_err(|_: Uninstalled| not_installed())?;
            self.sweep(round).await;
        } else {
            // Another one tells, and answers what is asked meanwhile.
            self.fleet = Slot::default();
            self.handled = None;
        }
        Ok(())
    }

    /// Takes in that a request to the whole fleet is answered, and reads by what: others have written their part.
    async fn note_answer(&mut self, round: &Round) -> Result<(), String> {
        let answered = self.desk.claims().answered(&self.on);
        if answered.is_some() && answered != self.handled {
            if !self.desk.claims().is_open() {
                self.read_all(round).await?;
            }
            self.handled = answered;
            let now = self.now();
            self.fleet.pacer.change(now);
        }
        Ok(())
    }

    /// Says once why nothing is told.
    fn complain(&mut self, error: &str) {
        if self.complaint.as_deref() != Some(error) {
            tracing::warn!(on = %self.on, error, "ClusterSync and FleetStatus are not written");
            self.complaint = Some(error.to_owned());
        }
    }

    async fn read_all(&mut self, round: &Round) -> Result<(), String> {
        let discovered = round.provider.discover_anew().await;
        discovered.map_err(|error| chain(&error))?;
        match round.provider.read_syncs().await {
            Read::NotInstalled => Err(not_installed()),
            Read::Unknown(why) => Err(why),
            Read::Known(records) => {
                let before = self.known.take().unwrap_or_default();
                for record in records.units.values() {
                    self.notice(round, SyncKind::ClusterSync, before.units.get(&record.name), record);
                }
                for record in records.fleets.values() {
                    self.notice(round, SyncKind::FleetStatus, before.fleets.get(&record.name), record);
                }
                self.known = Some(records);
                if std::mem::take(&mut self.is_stale) {
                    self.doubt_suspensions();
                }
                Ok(())
            }
        }
    }

    /// Has what was last seen to be suspended looked at again. A suspension that a look saw and that was not heard of here, since
    /// nothing could be read just then, may have ended meanwhile: nothing that is read tells of that.
    fn doubt_suspensions(&self) {
        let suspended: Vec<UnitId> = {
            let board = self.desk.board();
            let is_meant =
                |said: &Said| said.facts.on == self.on && matches!(said.facts.state, Some(State::Suspended { .. }));
            let units = board.units.iter().filter(|(_, said)| is_meant(said));
            units.map(|(unit, _)| unit.clone()).collect()
        };
        for unit in suspended {
            self.desk.ask(Ask {
                on: self.on.clone(),
                unit: Some(unit),
                token: None,
            });
        }
    }

    /// Reads again what somebody changed.
    async fn hear(&mut self, round: &Round) -> Result<(), String> {
        let touched = self.touched.take();
        if touched.len() > ONE_BY_ONE {
            return self.read_all(round).await;
        }
        for (kind, name) in touched {
            match kind {
                SyncKind::ClusterSync => {
                    let read = round.provider.read_sync::<UnitSync>(kind, &name).await;
                    let record = read.map_err(|error| chain(&error))?;
                    let Some(known) = &mut self.known else { continue };
                    let before = known.units.remove(&name);
                    if let Some(record) = record {
                        known.units.insert(name, record.clone());
                        self.notice(round, kind, before.as_ref(), &record);
                    }
                }
                SyncKind::FleetStatus => {
                    let read = round.provider.read_sync::<FleetSync>(kind, &name).await;
                    let record = read.map_err(|error| chain(&error))?;
                    let Some(known) = &mut self.known else { continue };
                    let before = known.fleets.remove(&name);
                    if let Some(record) = record {
                        known.fleets.insert(name, record.clone());
                        self.notice(round, kind, before.as_ref(), &record);
                    }
                }
            }
        }
        Ok(())
    }

    /// Tells the daemon what an object's annotations newly ask for.
    fn notice<T: Handled>(&mut self, round: &Round, kind: SyncKind, before: Option<&Record<T>>, now: &Record<T>) {
        let fleet = &round.loaded.fleet.name;
        let unit = match kind {
            SyncKind::FleetStatus if now.name == fleet_object(fleet) => None,
            SyncKind::FleetStatus => return,
            SyncKind::ClusterSync => {
                let unit = unit_of(now, kind, &round.loaded.revised.fleet);
                match unit.filter(|unit| unit_object(fleet, unit) == now.name) {
                    Some(unit) => Some(unit),
                    None => return,
                }
            }
        };
        let pushed = now.annotations.get(PUSHED_AT);
        let is_new = match before {
            Some(before) => before.annotations.get(PUSHED_AT) != pushed,
            // What was pushed before this daemon began, it has seen when it looked at the source for the first time.
            None => pushed.is_some_and(|at| at.parse().is_ok_and(|at: Timestamp| at >= self.since)),
        };
        if kind == SyncKind::FleetStatus && is_new && pushed.is_some() && pushed != self.passed_on.as_ref() {
            tracing::info!("somebody pushed, as another daemon of the fleet was told");
            self.desk.push_heard();
        }
        let key = (kind, now.name.clone());
        let token = now.annotations.get(RECONCILE_REQUESTED_AT).cloned();
        let is_open = |token: &String| now.status.handled() != Some(token) && self.asked.get(&key) != Some(token);
        let token = token.filter(is_open);
        let suspensions = |record: &Record<T>| -> BTreeMap<String, String> {
            let all = record.annotations.iter().filter(|(key, _)| is_of_suspension(key));
            all.map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        // One that is seen for the first time may have been made to suspend something.
        let differs = before.map(suspensions).unwrap_or_default() != suspensions(now);
        if let Some(token) = &token {
            self.asked.insert(key, token.clone());
        }
        if token.is_some() || differs {
            tracing::info!(object = now.name, ?token, "asked to look");
            self.desk.ask(Ask {
                on: self.on.clone(),
                unit,
                token,
            });
        }
    }

    /// Takes what the daemon said since.
    fn take_word(&mut self, count: u64) {
        let now = self.now();
        let board = self.desk.board();
        self.units.retain(|unit, _| board.units.contains_key(unit));
        let here = BTreeSet::from([self.on.clone()]);
        let is_told = |unit: &UnitId, said: &Said| said.facts.on == self.on && self.desk.claims().may(unit, &here);
        for (unit, said) in board.units.iter().filter(|(unit, said)| is_told(unit, said)) {
            let slot = self.units.entry(unit.clone()).or_default();
            if slot.count != said.count {
                slot.count = said.count;
                slot.pacer.change(now);
            }
        }
        if self.fleet.count != count {
            self.fleet.count = count;
            self.fleet.pacer.change(now);
        }
    }
}

/// Statuses that say which request was answered last.
trait Handled: Clone + Default + serde::Serialize + serde::de::DeserializeOwned {
    fn handled(&self) -> Option<&String>;
}

impl Handled for UnitSync {
    fn handled(&self) -> Option<&String> {
        self.last_handled_reconcile_at.as_ref()
    }
}

impl Handled for FleetSync {
    fn handled(&self) -> Option<&String> {
        self.last_handled_reconcile_at.as_ref()
    }
}

fn not_installed() -> String {
    "they are not installed there: `kubectl apply -f deploy/crds` installs them; until then /status alone tells"
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::lease::Claims;

    #[tokio::test]
    async fn one_that_breaks_off_begins_anew_when_it_is_to_serve_again() {
        let desk = Arc::new(Desk::of(Arc::new(Claims::open())));
        let on = ManagementClusterName::new("m");
        let mut tellers = Tellers::default();
        tellers.serve(&desk, std::iter::once(&on));
        tellers.served[&on].abort();
        tellers.broken().await;
        assert!(tellers.served.is_empty());
        tellers.serve(&desk, std::iter::once(&on));
        assert!(!tellers.served[&on].is_finished());
    }
}
