//! What the server holds: resources, what they hold on to, and what happens to them next.
//!
//! Invariant: the indexes follow from the records, and every change of a record goes through [`State::amend`] or
//! [`State::insert`], which keep them so and mark the row to be stored. Records are closed while nobody looks into them
//! ([`State::rest`]). Time is what the caller says it is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::{SignedDuration, Timestamp};
use rayon::prelude::*;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::call::Call;
use super::kind::Kind;
use super::kinds;
use super::limits::Limits;
use super::log::Log;
use super::models::Body;
use super::record::Warm;
pub(super) use super::record::{Record, Then};
use super::refusal::Refusal;
use super::retry::Tokens;
use crate::resource::regions::Region;
use crate::sandbox::store::{Store, StoreError, Write};

/// How long what is gone is still shown.
const VISIBLE: SignedDuration = SignedDuration::from_mins(10);
/// Rows that are parsed at a time.
const LOADED_AT_A_TIME: usize = 1_024;
/// Rows of everything but resources.
pub(super) const META: &str = "oci/meta";
const SEQUENCE: &str = "sequence";

/// Kind, region and compartment.
type Place = (&'static str, &'static str, String);

/// The whole state of the server.
#[derive(Debug, Default)]
pub(super) struct State {
    /// By their sequence: a list goes through thousands, and OCIDs are long.
    records: BTreeMap<u64, Record>,
    by_id: BTreeMap<String, u64>,
    places: BTreeMap<Place, BTreeSet<u64>>,
    /// Of those that are called something: by what.
    names: BTreeSet<(Box<str>, u64)>,
    /// By OCID: the records that name it, but for those that are gone.
    holders: BTreeMap<String, BTreeSet<u64>>,
    /// Those that are gone and still shown.
    gone: BTreeSet<u64>,
    due: BTreeSet<(Timestamp, u64)>,
    /// Records that somebody looked into.
    warm: Warm,
    sequence: u64,
    changed: BTreeSet<u64>,
    removed: Vec<(&'static str, String)>,
    pub(super) limits: Limits,
    /// Compartments that no caller may see.
    pub(super) denied: BTreeSet<String>,
    pub(super) log: Log,
    pub(super) tokens: Tokens,
    /// The OCID that the next resource gets.
    pub(super) foretold: Option<String>,
}

impl State {
    /// Reads what is stored.
    pub(super) fn load(store: &dyn Store) -> Result<Self, StoreError> {
        let unreadable = |source| StoreError {
            what: "read",
            source: Box::new(source),
        };
        let mut state = Self::default();
        let mut resources = Vec::new();
        for (table, key, value) in store.load("oci/")? {
            if let Some(kind) = table.strip_prefix("oci/").and_then(kinds::named) {
                resources.push((kind, key, value));
            } else if table == META && key == SEQUENCE {
                state.sequence = serde_json::from_str(&value).map_err(unreadable)?;
            } else if table == super::retry::TABLE {
                state.tokens.restore(key, &value).map_err(unreadable)?;
            }
        }
        while !resources.is_empty() {
            // Some at a time: their rows are given back before the next are read.
            let some = resources.split_off(resources.len().saturating_sub(LOADED_AT_A_TIME));
            let warm = &state.warm;
            let read = some.into_par_iter().map(|(kind, id, row)| {
                let mut record = Record::read(kind, id, row)?;
                let references = record.references();
                record.close(warm);
                Ok((record, references))
            });
            for (record, references) in read.collect::<Result<Vec<_>, _>>().map_err(unreadable)? {
                state.index(record, references);
            }
        }
        state.changed.clear();
        Ok(state)
    }

    /// The rows that changed since the last call.
    pub(super) fn rows(&mut self) -> Vec<Write> {
        let changed = std::mem::take(&mut self.changed);
        let mut rows = self.tokens.rows();
        if !changed.is_empty() {
            rows.push(Write {
                table: META.to_owned(),
                key: SEQUENCE.to_owned(),
                value: Some(self.sequence.to_string()),
            });
        }
        for sequence in changed {
            if let Some((record, row)) = self.records.get(&sequence).and_then(|it| Some((it, it.row()?))) {
                rows.push(Write {
                    table: format!("oci/{}", record.kind.name),
                    key: record.id.clone(),
                    value: Some(row.to_owned()),
                });
            }
        }
        rows.extend(self.removed.drain(..).map(|(kind, key)| Write {
            table: format!("oci/{kind}"),
            key,
            value: None,
        }));
        rows
    }

    /// Lets happen what is due.
    pub(super) fn settle(&mut self, now: Timestamp) {
        while let Some((time, sequence)) = self.due.first().filter(|(time, _)| *time <= now).copied() {
            self.due.remove(&(time, sequence));
            let Some(record) = self.records.get_mut(&sequence) else {
                continue;
            };
            let id = record.id.clone();
            let Some((_, then)) = record.then.pop_front() else {
                continue;
            };
            match then {
                Then::Set(fields) => self.amend(&id, |record| record.body_mut().extend(fields)),
                Then::Gone => self.amend(&id, |record| {
                    let gone = record.kind.life.gone;
                    record.body_mut().insert("lifecycleState".to_owned(), gone.into());
                    let purge = time.checked_add(VISIBLE).unwrap_or(Timestamp::MAX);
                    record.then = VecDeque::from([(purge, Then::Purge)]);
                }),
                Then::Purge => {
                    if let Some(record) = self.take(&id) {
                        self.changed.remove(&sequence);
                        self.removed.push((record.kind.name, id));
                    }
                    continue;
                }
            }
        }
    }

    /// Closes the records that were looked into.
    pub(super) fn rest(&mut self) {
        for id in self.warm.drain() {
            let sequence = self.by_id.get(&id);
            if let Some(record) = sequence.and_then(|sequence| self.records.get_mut(sequence)) {
                record.close(&self.warm);
            }
        }
    }

    /// A number that no other resource has.
    pub(super) fn next(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// A new OCID.
    pub(super) fn mint(&mut self, kind: &Kind, region: &Region) -> String {
        if let Some(id) = self.foretold.take() {
            return id;
        }
        let number = self.next();
        let place = match region {
            _ if kind.global => "",
            // The oldest regions have their key in OCIDs.
            Region {
                key: key @ ("iad" | "phx" | "lhr" | "fra"),
                ..
            } => key,
            other => other.id,
        };
        format!("ocid1.{}.{}.{place}.{}", kind.ocid, region.realm, unique(number))
    }

    /// Takes in a new resource of that id, in its first state.
    pub(super) fn insert(&mut self, call: &Call, kind: &'static Kind, id: &str, mut body: Body) {
        let life = &kind.life;
        let sequence = self.next();
        let defaults = [
            ("id", Value::from(id)),
            ("displayName", format!("{}{sequence}", kind.ocid).into()),
            ("timeCreated", time(call.now)),
            ("lifecycleState", life.making.into()),
            ("freeformTags", Value::Object(Body::new())),
            ("definedTags", Value::Object(Body::new())),
        ];
        for (key, value) in defaults {
            body.entry(key).or_insert(value);
        }
        let region = if kind.global { "" } else { call.region.id };
        let mut record = Record::new(kind, id, &call.principal.tenancy, region, sequence, body);
        if record.state() == life.making && life.making != life.ready {
            let ready = super::call::body([("lifecycleState", life.ready.into())]);
            record.then.push_back((after(call.now, life.makes), Then::Set(ready)));
        }
        self.put(record);
    }

    fn put(&mut self, mut record: Record) {
        let references = record.references();
        record.close(&self.warm);
        self.index(record, references);
    }

    fn index(&mut self, record: Record, references: BTreeSet<String>) {
        let sequence = record.sequence;
        self.places.entry(place(&record)).or_default().insert(sequence);
        if let Some(named) = named(&record) {
            self.names.insert(named);
        }
        if record.gone() {
            self.gone.insert(sequence);
        }
        for target in references {
            self.holders.entry(target).or_default().insert(sequence);
        }
        if let Some((time, _)) = record.then.front() {
            self.due.insert((*time, sequence));
        }
        self.changed.insert(sequence);
        self.by_id.insert(record.id.clone(), sequence);
        self.records.insert(sequence, record);
    }

    fn take(&mut self, id: &str) -> Option<Record> {
        let sequence = self.by_id.remove(id)?;
        let record = self.records.remove(&sequence)?;
        if let Some(place) = self.places.get_mut(&place(&record)) {
            place.remove(&sequence);
        }
        if let Some(named) = named(&record) {
            self.names.remove(&named);
        }
        self.gone.remove(&sequence);
        for target in record.references() {
            if let Some(holders) = self.holders.get_mut(&target) {
                holders.remove(&sequence);
                if holders.is_empty() {
                    self.holders.remove(&target);
                }
            }
        }
        if let Some((time, _)) = record.then.front() {
            self.due.remove(&(*time, sequence));
        }
        Some(record)
    }

    /// Takes a record out for a moment, so that it can be read while the rest changes; [`Self::attach`] puts it back.
    pub(super) fn detach(&mut self, id: &str) -> Option<Record> {
        self.take(id)
    }

    /// Puts back what was detached.
    pub(super) fn attach(&mut self, record: Record) {
        self.put(record);
    }

    /// Changes a record; of one that is not there, nothing.
    pub(super) fn amend(&mut self, id: &str, change: impl FnOnce(&mut Record)) {
        if let Some(mut record) = self.take(id) {
            change(&mut record);
            record.touch();
            self.put(record);
        }
    }

    /// Says what happens to a record next, instead of what was to happen.
    pub(super) fn schedule(&mut self, id: &str, then: impl IntoIterator<Item = (Timestamp, Then)>) {
        self.amend(id, |record| record.then = then.into_iter().collect());
    }

    /// A record, whoever asks.
    pub(super) fn find(&self, id: &str) -> Option<&Record> {
        self.records.get(self.by_id.get(id)?)
    }

    /// The record of a kind that the caller may see.
    pub(super) fn get(&self, call: &Call, kind: &Kind, id: &str) -> Result<&Record, Refusal> {
        self.find(id)
            .filter(|record| record.kind.is(kind) && self.visible(call, record))
            .ok_or_else(Refusal::not_found)
    }

    /// The living record of a kind that a field of the body names.
    pub(super) fn related(&self, call: &Call, field: &str, kind: &Kind, id: &str) -> Result<&Record, Refusal> {
        self.find(id)
            .filter(|record| record.kind.is(kind) && self.visible(call, record) && record.lives())
            .ok_or_else(|| Refusal::related(field, id))
    }

    fn visible(&self, call: &Call, record: &Record) -> bool {
        record.tenancy == call.principal.tenancy
            && (record.region.is_empty() || record.region == call.region.id)
            && !self.denied.contains(record.compartment())
    }

    /// Whether a caller may use a compartment. One that was never seen is there.
    pub(super) fn open(&self, call: &Call, compartment: &str) -> bool {
        let foreign = |record: &Record| record.tenancy != call.principal.tenancy || !record.lives();
        let mut parts = compartment.split('.');
        let ocid = parts.next() == Some("ocid1");
        match (ocid, parts.next()) {
            (true, Some("tenancy")) if compartment != call.principal.tenancy => false,
            (true, Some("tenancy" | "compartment")) => {
                !self.denied.contains(compartment) && !self.find(compartment).is_some_and(foreign)
            }
            _ => false,
        }
    }

    /// The records of a kind in a place, the oldest first.
    pub(super) fn within(&self, kind: &Kind, region: &Region, compartment: &str) -> impl Iterator<Item = &Record> {
        let region = if kind.global { "" } else { region.id };
        self.places
            .get(&(kind.name, region, compartment.to_owned()))
            .into_iter()
            .flatten()
            .filter_map(|sequence| self.records.get(sequence))
    }

    /// Those of them that may pass a filter, where it is by what they are called or by an OCID that they name.
    pub(super) fn likely<'a>(
        &'a self,
        (kind, region, compartment): (&'a Kind, &'a Region, &'a str),
        filter: Option<(&str, &'a str)>,
    ) -> Box<dyn Iterator<Item = &'a Record> + 'a> {
        let region_name = if kind.global { "" } else { region.id };
        let is_there = move |record: &&Record| {
            record.kind.name == kind.name && record.region == region_name && record.compartment() == compartment
        };
        match filter {
            Some(("displayName", wanted)) => {
                let named = self.names.range((wanted.into(), 0)..);
                let named = named.take_while(move |(name, _)| **name == *wanted);
                let records = named.filter_map(|(_, sequence)| self.records.get(sequence));
                Box::new(records.filter(is_there))
            }
            Some((_, wanted)) if wanted.starts_with("ocid1.") => {
                let gone = self.gone.iter().filter_map(|sequence| self.records.get(sequence));
                Box::new(self.holders(wanted).chain(gone).filter(is_there))
            }
            Some(_) | None => Box::new(self.within(kind, region, compartment)),
        }
    }

    /// The OCIDs of what lives, by kind.
    pub(super) fn living(&self) -> BTreeMap<&'static str, Vec<String>> {
        let mut living: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for record in self.records.values().filter(|record| record.lives()) {
            living.entry(record.kind.name).or_default().push(record.id.clone());
        }
        living.values_mut().for_each(|ids| ids.sort_unstable());
        living
    }

    /// Something that lives in a compartment.
    pub(super) fn occupant(&self, compartment: &str) -> Option<&Record> {
        self.places
            .iter()
            .filter(|((kind, _, place), _)| place == compartment && *kind != super::work::WORK_REQUEST.name)
            .flat_map(|(_, ids)| ids)
            .filter_map(|sequence| self.records.get(sequence))
            .find(|record| !record.gone())
    }

    /// All records of a kind.
    pub(super) fn all(&self, kind: &Kind) -> impl Iterator<Item = &Record> {
        self.places
            .range((kind.name, "", String::new())..)
            .take_while(|((name, _, _), _)| *name == kind.name)
            .flat_map(|(_, ids)| ids)
            .filter_map(|sequence| self.records.get(sequence))
    }

    /// The records that name an OCID and are not gone.
    pub(super) fn holders(&self, id: &str) -> impl Iterator<Item = &Record> {
        self.holders
            .get(id)
            .into_iter()
            .flatten()
            .filter_map(|sequence| self.records.get(sequence))
    }

    /// The records of a kind that name an OCID.
    pub(super) fn held<'a>(&'a self, id: &str, kind: &'a Kind) -> impl Iterator<Item = &'a Record> {
        self.holders(id).filter(|record| record.kind.is(kind))
    }
}

fn named(record: &Record) -> Option<(Box<str>, u64)> {
    let name = record.text("displayName");
    (!name.is_empty()).then(|| (name.into(), record.sequence))
}

fn place(record: &Record) -> Place {
    (record.kind.name, record.region, record.compartment().to_owned())
}

/// A time as OCI writes it.
pub(super) fn time(time: Timestamp) -> Value {
    Value::from(format!("{time:.3}"))
}

/// That many seconds later.
pub(super) fn after(now: Timestamp, seconds: i64) -> Timestamp {
    now.checked_add(SignedDuration::from_secs(seconds))
        .unwrap_or(Timestamp::MAX)
}

/// The last part of an OCID: 60 characters of base 32, like those of the real ones.
fn unique(number: u64) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let digest = Sha256::digest(number.to_be_bytes());
    let digits = digest
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .take(52)
        .filter_map(|digit| ALPHABET.get(usize::from(digit) + 8))
        .map(|letter| char::from(*letter));
    "aaaaaaaa".chars().chain(digits).collect()
}
