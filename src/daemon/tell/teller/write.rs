//! Writing: what differs, of what is ours.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;
use tokio::time::Instant;

use super::super::compose;
use super::super::desk::{Board, Said};
use super::super::news;
use super::{Handled, IN_A_ROUND, Round, SWEEP_AGAIN, Slot, Teller, Uninstalled, not_installed};
use crate::providers::ProviderError;
use crate::providers::kubernetes::{NewSync, SyncPart, owner_of, sync_id, unit_of};
use crate::report::chain;
use crate::resource::UnitId;
use crate::resource::mark::OWNER_ANNOTATION;
use crate::sync::annotations::{PUSHED_AT, is_suspended};
use crate::sync::suspension::{Place, suspended};
use crate::sync::{FleetSync, Read, Record, SyncKind, UnitSync, fleet_object, merge_patch, unit_object};

impl Teller {
    /// Writes what is due. Where a server does not answer, the other units are not tried.
    pub(super) async fn write_units(&mut self, round: &Round) -> Result<(), String> {
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
                let Some(said) = board.units.get_mut(&unit) else {
                    continue;
                };
                let word = said.clone();
                said.deeds = news::Deeds::default();
                word
            };
            let wrote = self
                .write_unit(round, &unit, &said)
                .await
                .map_err(|_| not_installed())?;
            let now = self.now();
            let Some(slot) = self.units.get_mut(&unit) else {
                continue;
            };
            match wrote {
                Ok(()) => {
                    slot.pacer.wrote(now);
                    self.fleet.pacer.change(now);
                }
                Err(error) => {
                    slot.pacer.failed(now);
                    // What was done is told with the next attempt.
                    if let Some(kept) = self.desk.board().units.get_mut(&unit) {
                        kept.deeds.made += said.deeds.made;
                        kept.deeds.mended.extend(said.deeds.mended);
                    }
                    let text = chain(&error);
                    if matches!(error, ProviderError::Transport { .. }) {
                        return Err(text);
                    }
                    match error {
                        // Somebody asked for something meanwhile: it is read again, and then written.
                        ProviderError::Stale(_) => tracing::debug!(%unit, error = text, "its ClusterSync has changed"),
                        _ => tracing::warn!(%unit, error = text, "its ClusterSync can't be written"),
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
        let after = compose::unit(
            &record.status,
            unit,
            &said.facts,
            handled,
            record.generation,
            Timestamp::now(),
        );
        match self.write_status(round, KIND, &record, &after).await {
            Ok(Some(written)) => {
                let all = news::unit(&record.status, &after, &said.deeds);
                self.events.publish(&round.provider, KIND, &written, all).await;
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

    pub(super) async fn write_fleet(&mut self, round: &Round) -> Result<(), Uninstalled> {
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
                let text = chain(&error);
                match error {
                    ProviderError::Stale(_) => {
                        tracing::debug!(on = %self.on, error = text, "the FleetStatus has changed");
                    }
                    _ => tracing::warn!(on = %self.on, error = text, "the FleetStatus can't be written"),
                }
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
            let here = self.here(round, &board);
            let about = (suspension, self.handled.as_deref());
            let name = round.loaded.fleet.name.as_str();
            compose::fleet(
                &record.status,
                name,
                &board.fleet,
                here.into_iter(),
                about,
                (record.generation, now),
            )
        };
        match self.write_status(round, KIND, record, &after).await {
            Ok(Some(written)) => {
                let all = news::fleet(&record.status, &after);
                self.events.publish(&round.provider, KIND, &written, all).await;
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
                    Ok(Some(record)) => {
                        self.notice(round, kind, None, &record);
                        record
                    }
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
                id: Box::new(sync_id(kind, name)),
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
        let part = SyncPart::Status {
            version: &record.version,
        };
        round.provider.patch_sync(at, part, patch).await
    }

    /// What is told of each of the fleet's units here, by this daemon or by another; none where nothing is yet.
    fn here<'a>(&'a self, round: &Round, board: &Board) -> Vec<Option<&'a UnitSync>> {
        let (fleet, uid) = (&round.loaded.fleet.name, &round.loaded.revised.fleet);
        let records = self.known.iter().flat_map(|known| known.units.values());
        let is_kept = |unit: &UnitId| board.kept.as_ref().is_none_or(|kept| kept.holds(&self.on, unit));
        let told: BTreeMap<UnitId, &UnitSync> = records
            .filter(|record| !record.status.state.is_empty())
            .filter_map(|record| Some((unit_of(record, SyncKind::ClusterSync, uid)?, record)))
            .filter(|(unit, record)| is_kept(unit) && unit_object(fleet, unit) == record.name)
            .map(|(unit, record)| (unit, &record.status))
            .collect();
        let places = board.kept.iter().flat_map(|kept| &kept.places);
        let untold = places
            .filter(|(on, unit)| *on == self.on && !told.contains_key(unit))
            .map(|_| None);
        let untold: Vec<_> = untold.collect();
        told.into_values().map(Some).chain(untold).collect()
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

    /// Tells the other daemons of the fleet that somebody pushed; tried again until there is something to write it to. Nothing
    /// waits for it, since each looks at the source now and then as well.
    pub(super) async fn pass_on_push(&mut self, round: &Round) {
        const KIND: SyncKind = SyncKind::FleetStatus;
        let pushed = self.desk.board().pushed.clone();
        if pushed == self.passed_on {
            return;
        }
        let name = fleet_object(&round.loaded.fleet.name);
        let known = self.known.as_ref().and_then(|known| known.fleets.get(&name));
        let uid = &round.loaded.revised.fleet;
        let ours = known.filter(|record| unit_of(record, KIND, uid).is_some());
        let Some(at) = ours.map(|record| record.uid.clone()) else {
            return;
        };
        let patch = json!({"metadata": {"annotations": {PUSHED_AT: pushed}}});
        let at = (KIND, name.as_str(), at.as_str());
        let told = round.provider.patch_sync::<FleetSync>(at, SyncPart::Metadata, patch);
        match told.await {
            Ok(_) => self.passed_on = pushed,
            Err(error) => {
                tracing::debug!(on = %self.on, error = chain(&error), "the other daemons are not told of a push");
            }
        }
    }

    /// Takes away what tells of units that there are no more, or that are recorded elsewhere; only what is marked as ours.
    pub(super) async fn sweep(&mut self, round: &Round) {
        let fleet = &round.loaded.fleet;
        if fleet.incomplete || Instant::now() < self.sweep_again {
            return;
        }
        let strays: Vec<Record<UnitSync>> = {
            let board = self.desk.board();
            let Some(kept) = &board.kept else { return };
            let now = Timestamp::now();
            let is_stray = |record: &Record<UnitSync>| {
                let unit = unit_of(record, SyncKind::ClusterSync, &round.loaded.revised.fleet);
                let is_told_of =
                    |unit: &UnitId| kept.holds(&self.on, unit) && unit_object(&fleet.name, unit) == record.name;
                // What somebody suspended stays so: there may be more of it than is known here.
                unit.is_some_and(|unit| !is_told_of(&unit)) && !is_suspended(&record.annotations, now)
            };
            let records = self.known.iter().flat_map(|known| known.units.values());
            records.filter(|record| is_stray(record)).cloned().collect()
        };
        for record in strays {
            let name = &record.name;
            match round.provider.delete_sync(SyncKind::ClusterSync, &record).await {
                Ok(()) => tracing::info!(name, "its unit is gone, and so is its ClusterSync"),
                // Somebody has just written to it; what that was is heard of, and then looked at.
                Err(ProviderError::Stale(_)) => continue,
                Err(error) => {
                    tracing::warn!(name, error = chain(&error), "a ClusterSync of no unit can't be deleted");
                    self.sweep_again = Instant::now() + SWEEP_AGAIN;
                    return;
                }
            }
            self.forget(SyncKind::ClusterSync, name);
        }
    }
}

fn lost(kind: SyncKind, name: &str) -> ProviderError {
    ProviderError::Stale(Box::new(sync_id(kind, name)))
}
