//! One management cluster's task: writes what has changed, and hears what is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::compose;
use super::desk::{Ask, Desk, Said};
use super::news::{self, News};
use super::pace::Pacer;
use super::series::{Next, Series};
use super::touched::{Touched, Watcher};
use crate::ops::{Access, LoadedFleet};
use crate::providers::ProviderError;
use crate::providers::kubernetes::{INVENTORY_NAMESPACE, KubernetesProvider, NewSync, SyncPart, owner_of, unit_of};
use crate::report::chain;
use crate::resource::mark::OWNER_ANNOTATION;
use crate::resource::{ManagementClusterName, UnitId};
use crate::sync::annotations::{RECONCILE_REQUESTED_AT, is_of_suspension};
use crate::sync::suspension::{Place, suspended};
use crate::sync::{
    API_VERSION, FleetSync, Read, Record, Records, SyncKind, UnitSync, fleet_object, merge_patch, unit_object,
};

/// Where the kinds are not installed, or nothing can be read, it is looked again after so long.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// More objects than this are read by a LIST.
const ONE_BY_ONE: usize = 8;
/// Units written in one round: the rest comes with the next, after what was asked meanwhile.
const IN_A_ROUND: usize = 64;

/// The tasks; they end with it.
#[derive(Default)]
pub(in crate::daemon) struct Tellers {
    tasks: JoinSet<()>,
    served: BTreeSet<ManagementClusterName>,
}

impl Tellers {
    /// Serves these management clusters; those that are served already go on.
    pub(in crate::daemon) fn serve<'a>(
        &mut self,
        desk: &Arc<Desk>,
        clusters: impl Iterator<Item = &'a ManagementClusterName>,
    ) {
        for on in clusters {
            if self.served.insert(on.clone()) {
                self.tasks.spawn(Teller::new(on.clone(), desk.clone()).run());
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
    /// What was read, and written since; none where that can't be known.
    known: Option<Records>,
    /// What was said last about not being able to.
    complaint: Option<String>,
    look_again: Instant,
    units: BTreeMap<UnitId, Slot>,
    fleet: Slot,
    series: Series,
    /// Requests that the daemon was told of, by object.
    asked: BTreeMap<(SyncKind, String), String>,
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
            known: None,
            complaint: None,
            look_again: now,
            units: BTreeMap::new(),
            fleet: Slot::default(),
            series: Series::default(),
            asked: BTreeMap::new(),
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
        if self.known.is_none() && Instant::now() < self.look_again {
            return self.look_again;
        }
        if let Err(error) = self.round_with(loaded, &access, count).await {
            self.complain(&error);
            self.known = None;
            self.look_again = Instant::now() + LOOK_AGAIN;
            return self.look_again;
        }
        let due = self.units.values().chain([&self.fleet]).filter_map(|slot| slot.pacer.due()).min();
        due.map_or(asleep, |due| asleep.min(self.began + due))
    }

    async fn round_with(&mut self, loaded: Arc<LoadedFleet>, access: &Access, count: u64) -> Result<(), String> {
        let only = std::slice::from_ref(&self.on);
        let providers = access.connect(&loaded.fleet, only).await.map_err(|error| chain(&error))?;
        let Some(provider) = providers.get(&self.on).cloned() else {
            return Err("there is no connection".to_owned());
        };
        let round = Round { loaded, provider };
        if self.known.is_none() {
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
                    self.watches.spawn(watcher.run());
                }
            }
        }
        self.hear(&round).await?;
        self.take_word(count);
        let gone = |_: Uninstalled| not_installed();
        self.write_units(&round).await.map_err(gone)?;
        self.write_fleet(&round).await.map_err(gone)?;
        self.sweep(&round).await;
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
                Ok(())
            }
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
        let key = (kind, now.name.clone());
        let token = now.annotations.get(RECONCILE_REQUESTED_AT).cloned();
        let is_open = |token: &String| now.status.handled() != Some(token) && self.asked.get(&key) != Some(token);
        let token = token.filter(is_open);
        let suspensions = |record: &Record<T>| -> BTreeMap<String, String> {
            let all = record.annotations.iter().filter(|(key, _)| is_of_suspension(key));
            all.map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        let differs = before.is_some_and(|before| suspensions(before) != suspensions(now));
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
        for (unit, said) in board.units.iter().filter(|(_, said)| said.facts.on == self.on) {
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

    async fn write_units(&mut self, round: &Round) -> Result<(), Uninstalled> {
        let now = self.now();
        let is_due = |slot: &Slot| slot.pacer.due().is_some_and(|due| due <= now);
        let due: Vec<UnitId> = self
            .units
            .iter()
            .filter(|(_, slot)| is_due(slot))
            .map(|(unit, _)| unit.clone())
            .take(IN_A_ROUND)
            .collect();
        for unit in due {
            let said = {
                let mut board = self.desk.board();
                let Some(said) = board.units.get_mut(&unit) else { continue };
                let word = said.clone();
                said.deeds = news::Deeds::default();
                word
            };
            let wrote = self.write_unit(round, &unit, &said).await?;
            let now = self.now();
            let Some(slot) = self.units.get_mut(&unit) else { continue };
            match wrote {
                Ok(()) => slot.pacer.wrote(now),
                Err(error) => {
                    tracing::warn!(%unit, error = chain(&error), "its ClusterSync can't be written");
                    slot.pacer.failed(now);
                    // What was done is told with the next attempt.
                    if let Some(kept) = self.desk.board().units.get_mut(&unit) {
                        kept.deeds.made += said.deeds.made;
                        kept.deeds.mended.extend(said.deeds.mended);
                    }
                }
            }
        }
        Ok(())
    }

    async fn write_unit(
        &mut self,
        round: &Round,
        unit: &UnitId,
        said: &Said,
    ) -> Result<Result<(), ProviderError>, Uninstalled> {
        const KIND: SyncKind = SyncKind::ClusterSync;
        let name = unit_object(&round.loaded.fleet.name, unit);
        let known = self.known.as_ref().and_then(|known| known.units.get(&name)).cloned();
        let record = match self.ours(round, KIND, (&name, unit), known).await? {
            Ok(record) => record,
            Err(error) => return Ok(Err(error)),
        };
        let handled = said.handled.as_deref();
        let after = compose::unit(&record.status, unit, &said.facts, handled, record.generation, Timestamp::now());
        match self.write_status(round, KIND, &record, &after).await {
            Ok(Some(written)) => {
                let all = news::unit(&record.status, &after, &said.deeds);
                self.publish(&round.provider, KIND, &written, all).await;
                self.notice(round, KIND, Some(&record), &written);
                self.remember_unit(written);
                Ok(Ok(()))
            }
            // Somebody deleted it: it is made anew.
            Ok(None) => {
                self.forget(KIND, &name);
                Ok(Err(lost(KIND, &name)))
            }
            Err(error) => {
                self.touched.add(KIND, name);
                Ok(Err(error))
            }
        }
    }

    async fn write_fleet(&mut self, round: &Round) -> Result<(), Uninstalled> {
        const KIND: SyncKind = SyncKind::FleetStatus;
        let now = self.now();
        if self.fleet.pacer.due().is_none_or(|due| due > now) {
            return Ok(());
        }
        let name = fleet_object(&round.loaded.fleet.name);
        let known = self.known.as_ref().and_then(|known| known.fleets.get(&name)).cloned();
        let unit = UnitId::ManagementCluster(self.on.clone());
        let wrote = match self.ours(round, KIND, (&name, &unit), known).await? {
            Ok(record) => self.write_fleet_status(round, &unit, &record).await,
            Err(error) => Err(error),
        };
        let now = self.now();
        match wrote {
            Ok(()) => self.fleet.pacer.wrote(now),
            Err(error) => {
                tracing::warn!(on = %self.on, error = chain(&error), "the FleetStatus can't be written");
                self.fleet.pacer.failed(now);
            }
        }
        Ok(())
    }

    async fn write_fleet_status(
        &mut self,
        round: &Round,
        unit: &UnitId,
        record: &Record<FleetSync>,
    ) -> Result<(), ProviderError> {
        const KIND: SyncKind = SyncKind::FleetStatus;
        let now = Timestamp::now();
        let read = Read::Known(self.known.clone().unwrap_or_default());
        let place = Place {
            unit,
            on: &self.on,
            read: &read,
        };
        let suspension = suspended(&round.loaded.fleet, place, now).map(|suspension| suspension.to_string());
        let after = {
            let board = self.desk.board();
            let here = board.units.values().map(|said| &said.facts).filter(|facts| facts.on == self.on);
            let handled = board.handled.get(&self.on).map(String::as_str);
            let about = (suspension, handled);
            let name = round.loaded.fleet.name.as_str();
            compose::fleet(&record.status, name, &board.fleet, here, about, (record.generation, now))
        };
        match self.write_status(round, KIND, record, &after).await {
            Ok(Some(written)) => {
                let all = news::fleet(&record.status, &after);
                self.publish(&round.provider, KIND, &written, all).await;
                self.notice(round, KIND, Some(record), &written);
                if let Some(known) = &mut self.known {
                    known.fleets.insert(written.name.clone(), written);
                }
                Ok(())
            }
            Ok(None) => {
                self.forget(KIND, &record.name);
                Err(lost(KIND, &record.name))
            }
            Err(error) => {
                self.touched.add(KIND, record.name.clone());
                Err(error)
            }
        }
    }

    /// The object as it is known, or made, and marked as ours.
    async fn ours<T: Handled>(
        &mut self,
        round: &Round,
        kind: SyncKind,
        (name, unit): (&str, &UnitId),
        known: Option<Record<T>>,
    ) -> Result<Result<Record<T>, ProviderError>, Uninstalled> {
        let (fleet, uid) = (&round.loaded.fleet.name, &round.loaded.revised.fleet);
        let record = match known {
            Some(record) => record,
            None => {
                let new = NewSync {
                    kind,
                    name,
                    fleet: (fleet, uid),
                    unit,
                    annotations: BTreeMap::new(),
                };
                match round.provider.create_sync(&new).await {
                    Ok(Some(record)) => record,
                    Ok(None) => return Err(Uninstalled),
                    Err(error) => return Ok(Err(error)),
                }
            }
        };
        if unit_of(&record, kind, uid).as_ref() == Some(unit) {
            return Ok(Ok(record));
        }
        if record.annotations.contains_key(OWNER_ANNOTATION) {
            return Ok(Err(ProviderError::Invalid {
                id: Box::new(crate::providers::kubernetes::sync_id(kind, name)),
                message: "it is marked as another fleet's, and is left alone".to_owned(),
            }));
        }
        // Somebody made it by hand, to ask for something.
        let patch = json!({"metadata": {"annotations": {OWNER_ANNOTATION: owner_of(kind, name, uid, unit)}}});
        let at = (kind, name, record.uid.as_str());
        match round.provider.patch_sync::<T>(at, SyncPart::Metadata, patch).await {
            Ok(Some(record)) => Ok(Ok(record)),
            Ok(None) => Ok(Err(lost(kind, name))),
            Err(error) => Ok(Err(error)),
        }
    }

    /// Writes what differs; gives the object as it is then, or none where it is gone.
    async fn write_status<T: Handled>(
        &self,
        round: &Round,
        kind: SyncKind,
        record: &Record<T>,
        after: &T,
    ) -> Result<Option<Record<T>>, ProviderError> {
        let value = |status: &T| serde_json::to_value(status).unwrap_or_default();
        let Some(patch) = merge_patch(&value(&record.status), &value(after)) else {
            return Ok(Some(record.clone()));
        };
        let at = (kind, record.name.as_str(), record.uid.as_str());
        let patch = json!({"status": patch});
        round.provider.patch_sync(at, SyncPart::Status, patch).await
    }

    fn remember_unit(&mut self, record: Record<UnitSync>) {
        if let Some(known) = &mut self.known {
            known.units.insert(record.name.clone(), record);
        }
    }

    fn forget(&mut self, kind: SyncKind, name: &str) {
        if let Some(known) = &mut self.known {
            match kind {
                SyncKind::ClusterSync => drop(known.units.remove(name)),
                SyncKind::FleetStatus => drop(known.fleets.remove(name)),
            }
        }
    }

    /// Takes away what tells of units that there are no more, or that are recorded elsewhere; only what is marked as ours.
    async fn sweep(&mut self, round: &Round) {
        let fleet = &round.loaded.fleet;
        if fleet.incomplete {
            return;
        }
        let strays: Vec<(String, String)> = {
            let board = self.desk.board();
            let Some(kept) = &board.kept else { return };
            let is_stray = |record: &Record<UnitSync>| {
                let Some(unit) = unit_of(record, SyncKind::ClusterSync, &round.loaded.revised.fleet) else {
                    return false;
                };
                let elsewhere = board.units.get(&unit).is_some_and(|said| said.facts.on != self.on);
                !kept.contains(&unit) || elsewhere || unit_object(&fleet.name, &unit) != record.name
            };
            let records = self.known.iter().flat_map(|known| known.units.values());
            records
                .filter(|record| is_stray(record))
                .map(|record| (record.name.clone(), record.uid.clone()))
                .collect()
        };
        for (name, uid) in strays {
            match round.provider.delete_sync(SyncKind::ClusterSync, &name, &uid).await {
                Ok(()) => tracing::info!(name, "its unit is gone, and so is its ClusterSync"),
                Err(error) => {
                    tracing::warn!(name, error = chain(&error), "a ClusterSync of no unit can't be deleted");
                    self.touched.add(SyncKind::ClusterSync, name.clone());
                }
            }
            self.forget(SyncKind::ClusterSync, &name);
        }
    }

    /// Publishes news about an object. What can't be published is only logged: it is in the status as well.
    async fn publish<T>(&mut self, provider: &KubernetesProvider, kind: SyncKind, object: &Record<T>, all: Vec<News>) {
        for news in all {
            let now = self.now();
            let time = Timestamp::now();
            let published = match self.series.next(&object.name, &news, now) {
                Next::Again { event, count } => {
                    let patch = json!({"series": {"count": count, "lastObservedTime": micro(time)}});
                    match provider.patch_event(&event, &patch).await {
                        Ok(true) => continue,
                        Ok(false) => {
                            self.series.ended(&object.name, &news);
                            None
                        }
                        Err(error) => Some(error),
                    }
                }
                Next::First => None,
            };
            let failed = match published {
                Some(error) => Some(error),
                None => {
                    let name = format!("{}.{:x}", object.name, time.as_nanosecond());
                    let event = event(&name, kind, object, &news, time);
                    match provider.create_event(&event).await {
                        Ok(()) => {
                            self.series.began(&object.name, &news, name, now);
                            None
                        }
                        Err(error) => Some(error),
                    }
                }
            };
            if let Some(error) = failed {
                tracing::debug!(object = object.name, error = chain(&error), "an Event can't be published");
            }
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
    "they are not installed there: `kubectl apply -f deploy/crds` installs them; until then /status alone tells".to_owned()
}

fn lost(kind: SyncKind, name: &str) -> ProviderError {
    ProviderError::Stale(Box::new(crate::providers::kubernetes::sync_id(kind, name)))
}

/// A time as Events have it.
fn micro(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

fn event<T>(name: &str, kind: SyncKind, object: &Record<T>, news: &News, time: Timestamp) -> Value {
    json!({
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": INVENTORY_NAMESPACE},
        "eventTime": micro(time),
        "reportingController": "fleetwright.dev/daemon",
        "reportingInstance": "fleetwright",
        "type": if news.is_warning { "Warning" } else { "Normal" },
        "reason": news.reason,
        "action": news.action,
        "note": news.note,
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": kind.name(),
            "namespace": INVENTORY_NAMESPACE,
            "name": object.name,
            "uid": object.uid,
        },
    })
}
