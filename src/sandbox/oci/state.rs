//! What the server holds: resources, what they hold on to, and what happens to them next.
//!
//! Invariant: the indexes follow from the records, and every change of a record goes through [`State::amend`] or
//! [`State::insert`], which keep them so and mark the row to be stored. Security rules are packed while a record is in the
//! state, and there when it is taken out to be changed. Time is what the caller says it is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::call::{Call, text};
use super::kind::Kind;
use super::kinds;
use super::limits::Limits;
use super::log::Log;
use super::models::Body;
use super::refusal::Refusal;
use super::retry::Tokens;
use crate::resource::PackedRules;
use crate::resource::regions::{self, Region};
use crate::sandbox::store::{Store, StoreError, Write};

/// How long what is gone is still shown.
const VISIBLE: SignedDuration = SignedDuration::from_mins(10);
/// Rows of everything but resources.
pub(super) const META: &str = "oci/meta";
const SEQUENCE: &str = "sequence";

/// Kind, region and compartment.
type Place = (&'static str, &'static str, String);

/// What happens to a record by itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Then {
    /// Fields change.
    Set(Body),
    /// It is gone, but still shown.
    Gone,
    /// It is shown no longer.
    Purge,
}

/// One resource.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) kind: &'static Kind,
    pub(super) id: String,
    pub(super) tenancy: String,
    /// Empty where the kind is global.
    pub(super) region: &'static str,
    pub(super) sequence: u64,
    version: u64,
    /// What reads show, but for what is packed.
    pub(super) body: Body,
    /// What other reads show: rules of a group, records of a zone.
    pub(super) extra: Body,
    then: VecDeque<(Timestamp, Then)>,
    /// Security rules of the body, while nobody changes it.
    packed: PackedRules,
}

/// A record's row.
#[derive(Serialize, Deserialize)]
struct Row {
    tenancy: String,
    region: String,
    sequence: u64,
    version: u64,
    body: Body,
    extra: Body,
    then: VecDeque<(Timestamp, Then)>,
}

impl Record {
    /// What a read answers.
    pub(super) fn view(&self) -> Value {
        Value::Object(self.whole())
    }

    fn whole(&self) -> Body {
        let mut body = self.body.clone();
        self.packed.put_back(&mut body);
        body
    }

    /// Changes with every change of the record, those that time makes included.
    pub(super) fn etag(&self) -> String {
        let tail = self.id.len().saturating_sub(8);
        format!("{}-{:x}", self.id.get(tail..).unwrap_or_default(), self.version)
    }

    pub(super) fn text(&self, field: &str) -> &str {
        text(&self.body, field)
    }

    pub(super) fn state(&self) -> &str {
        self.text("lifecycleState")
    }

    pub(super) fn compartment(&self) -> &str {
        self.text("compartmentId")
    }

    /// Whether it is neither gone nor going.
    pub(super) fn lives(&self) -> bool {
        self.state() != self.kind.life.gone && self.state() != self.kind.life.unmaking
    }

    /// Whether it is gone, and merely still shown.
    pub(super) fn gone(&self) -> bool {
        self.state() == self.kind.life.gone
    }

    fn references(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        if !self.gone() {
            collect(&self.body, &mut found);
            collect(&self.extra, &mut found);
            found.remove(&self.id);
        }
        found
    }

    fn place(&self) -> Place {
        (self.kind.name, self.region, self.compartment().to_owned())
    }

    fn row(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(&Row {
            tenancy: self.tenancy.clone(),
            region: self.region.to_owned(),
            sequence: self.sequence,
            version: self.version,
            body: self.whole(),
            extra: self.extra.clone(),
            then: self.then.clone(),
        })
    }
}

fn collect(body: &Body, found: &mut BTreeSet<String>) {
    fn visit(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::String(text) if text.starts_with("ocid1.") => {
                found.insert(text.clone());
            }
            Value::Array(items) => items.iter().for_each(|item| visit(item, found)),
            Value::Object(body) => collect(body, found),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    // Tags and metadata only mention.
    let mentions = [
        "freeformTags",
        "definedTags",
        "metadata",
        "extendedMetadata",
        "compartmentId",
    ];
    for (_, value) in body.iter().filter(|(key, _)| !mentions.contains(&key.as_str())) {
        visit(value, found);
    }
}

/// The whole state of the server.
#[derive(Debug, Default)]
pub(super) struct State {
    records: BTreeMap<String, Record>,
    places: BTreeMap<Place, BTreeSet<(u64, String)>>,
    /// By OCID: the records that name it.
    holders: BTreeMap<String, BTreeSet<String>>,
    due: BTreeSet<(Timestamp, String)>,
    sequence: u64,
    changed: BTreeSet<String>,
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
        for (table, key, value) in store.load("oci/")? {
            if let Some(kind) = table.strip_prefix("oci/").and_then(kinds::named) {
                let row: Row = serde_json::from_str(&value).map_err(unreadable)?;
                state.put(Record {
                    kind,
                    id: key,
                    tenancy: row.tenancy,
                    region: regions::find(&row.region).map_or("", |region| region.id),
                    sequence: row.sequence,
                    version: row.version,
                    body: row.body,
                    extra: row.extra,
                    then: row.then,
                    packed: PackedRules::default(),
                });
            } else if table == META && key == SEQUENCE {
                state.sequence = serde_json::from_str(&value).map_err(unreadable)?;
            } else if table == super::retry::TABLE {
                state.tokens.restore(key, &value).map_err(unreadable)?;
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
        for id in changed {
            // A row that can't be written as JSON does not exist: its keys are texts.
            if let Some((kind, value)) = self.records.get(&id).and_then(|it| Some((it.kind, it.row().ok()?))) {
                rows.push(Write {
                    table: format!("oci/{}", kind.name),
                    key: id,
                    value: Some(value),
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
        while let Some((time, id)) = self.due.first().filter(|(time, _)| *time <= now).cloned() {
            self.due.remove(&(time, id.clone()));
            let Some((_, then)) = self.records.get_mut(&id).and_then(|record| record.then.pop_front()) else {
                continue;
            };
            match then {
                Then::Set(fields) => self.amend(&id, |record| record.body.extend(fields)),
                Then::Gone => self.amend(&id, |record| {
                    let gone = record.kind.life.gone;
                    record.body.insert("lifecycleState".to_owned(), gone.into());
                    let purge = time.checked_add(VISIBLE).unwrap_or(Timestamp::MAX);
                    record.then = VecDeque::from([(purge, Then::Purge)]);
                }),
                Then::Purge => {
                    if let Some(record) = self.take(&id) {
                        self.changed.remove(&id);
                        self.removed.push((record.kind.name, id));
                    }
                    continue;
                }
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
        let mut record = Record {
            kind,
            id: id.to_owned(),
            tenancy: call.principal.tenancy.clone(),
            region: if kind.global { "" } else { call.region.id },
            sequence,
            version: 1,
            body,
            extra: Body::new(),
            then: VecDeque::new(),
            packed: PackedRules::default(),
        };
        if record.state() == life.making && life.making != life.ready {
            let ready = super::call::body([("lifecycleState", life.ready.into())]);
            record.then.push_back((after(call.now, life.makes), Then::Set(ready)));
        }
        self.put(record);
    }

    fn put(&mut self, mut record: Record) {
        let id = record.id.clone();
        self.places
            .entry(record.place())
            .or_default()
            .insert((record.sequence, id.clone()));
        for target in record.references() {
            self.holders.entry(target).or_default().insert(id.clone());
        }
        if let Some((time, _)) = record.then.front() {
            self.due.insert((*time, id.clone()));
        }
        record.packed = PackedRules::take(&mut record.body);
        self.changed.insert(id.clone());
        self.records.insert(id, record);
    }

    fn take(&mut self, id: &str) -> Option<Record> {
        let mut record = self.records.remove(id)?;
        std::mem::take(&mut record.packed).put_back(&mut record.body);
        if let Some(place) = self.places.get_mut(&record.place()) {
            place.remove(&(record.sequence, id.to_owned()));
        }
        for target in record.references() {
            if let Some(holders) = self.holders.get_mut(&target) {
                holders.remove(id);
                if holders.is_empty() {
                    self.holders.remove(&target);
                }
            }
        }
        if let Some((time, _)) = record.then.front() {
            self.due.remove(&(*time, id.to_owned()));
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
            record.version += 1;
            self.put(record);
        }
    }

    /// Says what happens to a record next, instead of what was to happen.
    pub(super) fn schedule(&mut self, id: &str, then: impl IntoIterator<Item = (Timestamp, Then)>) {
        self.amend(id, |record| record.then = then.into_iter().collect());
    }

    /// A record, whoever asks.
    pub(super) fn find(&self, id: &str) -> Option<&Record> {
        self.records.get(id)
    }

    /// The record of a kind that the caller may see.
    pub(super) fn get(&self, call: &Call, kind: &Kind, id: &str) -> Result<&Record, Refusal> {
        self.records
            .get(id)
            .filter(|record| record.kind.is(kind) && self.visible(call, record))
            .ok_or_else(Refusal::not_found)
    }

    /// The living record of a kind that a field of the body names.
    pub(super) fn related(&self, call: &Call, field: &str, kind: &Kind, id: &str) -> Result<&Record, Refusal> {
        self.records
            .get(id)
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
            .filter_map(|(_, id)| self.records.get(id))
    }

    /// The OCIDs of what lives, by kind.
    pub(super) fn living(&self) -> BTreeMap<&'static str, Vec<String>> {
        let mut living: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for record in self.records.values().filter(|record| record.lives()) {
            living.entry(record.kind.name).or_default().push(record.id.clone());
        }
        living
    }

    /// Something that lives in a compartment.
    pub(super) fn occupant(&self, compartment: &str) -> Option<&Record> {
        self.places
            .iter()
            .filter(|((kind, _, place), _)| place == compartment && *kind != super::work::WORK_REQUEST.name)
            .flat_map(|(_, ids)| ids)
            .filter_map(|(_, id)| self.records.get(id))
            .find(|record| !record.gone())
    }

    /// All records of a kind.
    pub(super) fn all(&self, kind: &Kind) -> impl Iterator<Item = &Record> {
        self.places
            .range((kind.name, "", String::new())..)
            .take_while(|((name, _, _), _)| *name == kind.name)
            .flat_map(|(_, ids)| ids)
            .filter_map(|(_, id)| self.records.get(id))
    }

    /// The records that name an OCID and are not gone.
    pub(super) fn holders(&self, id: &str) -> impl Iterator<Item = &Record> {
        self.holders
            .get(id)
            .into_iter()
            .flatten()
            .filter_map(|id| self.records.get(id))
    }

    /// The records of a kind that name an OCID.
    pub(super) fn held<'a>(&'a self, id: &str, kind: &'a Kind) -> impl Iterator<Item = &'a Record> {
        self.holders(id).filter(|record| record.kind.is(kind))
    }
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
