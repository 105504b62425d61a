//! One resource, kept small.
//!
//! Invariant: a record at rest is the text that the store has, and the few fields that lists and counts look at. Whoever looks
//! at more of it opens it: it is parsed then, and stays so until [`Warm::drain`] tells that it may be closed. One that was
//! changed has no row until [`Record::close`] has been called.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::call::text;
use super::kind::Kind;
use super::models::Body;
use crate::resource::regions;

/// Bytes of a row from which on a record stays open.
const LARGE: usize = 64 << 10;

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
    pub(super) version: u64,
    pub(super) then: VecDeque<(Timestamp, Then)>,
    head: Head,
    /// As it is stored.
    row: Box<str>,
    opened: OnceCell<Box<Opened>>,
    /// What it says now, where that is not what is stored.
    changed: Option<Box<Opened>>,
    warm: Warm,
}

/// What is looked at most.
#[derive(Debug, Default)]
struct Head {
    compartment: Box<str>,
    display_name: Box<str>,
    /// Of the few kinds that go by one: zones, compartments.
    name: Box<str>,
    state: Box<str>,
}

/// All that a record says.
#[derive(Debug, Default, Deserialize)]
struct Opened {
    /// What reads show.
    body: Body,
    /// What other reads show: rules of a group, records of a zone.
    extra: Body,
}

/// The ids of records that were opened and not closed since.
#[derive(Clone, Debug, Default)]
pub(super) struct Warm(Arc<Mutex<Vec<String>>>);

impl Warm {
    /// Those that may be closed.
    pub(super) fn drain(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, id: &str) {
        let mut warm = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        warm.push(id.to_owned());
    }
}

/// A record's row.
#[derive(Serialize, Deserialize)]
struct Row<'a> {
    tenancy: Cow<'a, str>,
    region: Cow<'a, str>,
    sequence: u64,
    version: u64,
    body: Cow<'a, Body>,
    extra: Cow<'a, Body>,
    then: Cow<'a, VecDeque<(Timestamp, Then)>>,
}

impl Record {
    /// A record of the first version that says this.
    pub(super) fn new(
        kind: &'static Kind,
        id: &str,
        tenancy: &str,
        region: &'static str,
        sequence: u64,
        body: Body,
    ) -> Self {
        let opened = Opened {
            body,
            extra: Body::new(),
        };
        Self {
            kind,
            id: id.to_owned(),
            tenancy: tenancy.to_owned(),
            region,
            sequence,
            version: 1,
            then: VecDeque::new(),
            head: Head::default(),
            row: Box::default(),
            opened: OnceCell::new(),
            changed: Some(Box::new(opened)),
            warm: Warm::default(),
        }
    }

    /// The record that a row holds.
    pub(super) fn read(kind: &'static Kind, id: String, row: String) -> Result<Self, serde_json::Error> {
        let read: Row<'_> = serde_json::from_str(&row)?;
        let opened = Opened {
            body: read.body.into_owned(),
            extra: read.extra.into_owned(),
        };
        let record = Self {
            kind,
            id,
            tenancy: read.tenancy.into_owned(),
            region: regions::find(&read.region).map_or("", |region| region.id),
            sequence: read.sequence,
            version: read.version,
            then: read.then.into_owned(),
            head: Head::of(&opened.body),
            row: row.into_boxed_str(),
            opened: OnceCell::from(Box::new(opened)),
            changed: None,
            warm: Warm::default(),
        };
        Ok(record)
    }

    /// As it is stored; none while it is being changed.
    pub(super) fn row(&self) -> Option<&str> {
        self.changed.is_none().then_some(&*self.row)
    }

    /// Makes it small; what was changed is what is to be stored.
    pub(super) fn close(&mut self, warm: &Warm) {
        if let Some(changed) = &self.changed {
            let row = serde_json::to_string(&Row {
                tenancy: Cow::Borrowed(&self.tenancy),
                region: Cow::Borrowed(self.region),
                sequence: self.sequence,
                version: self.version,
                body: Cow::Borrowed(&changed.body),
                extra: Cow::Borrowed(&changed.extra),
                then: Cow::Borrowed(&self.then),
            });
            // Only maps whose keys are no texts can't be written.
            let Ok(row) = row else { return };
            self.head = Head::of(&changed.body);
            self.row = row.into_boxed_str();
            self.opened = self.changed.take().map(OnceCell::from).unwrap_or_default();
        }
        self.warm = warm.clone();
        // There are few large ones, and reading them takes long: a zone has the records of all clusters.
        if self.row.len() < LARGE {
            self.opened.take();
        }
    }

    fn opened(&self) -> &Opened {
        self.changed.as_deref().unwrap_or_else(|| {
            self.opened.get_or_init(|| {
                self.warm.note(&self.id);
                Box::new(self.parsed())
            })
        })
    }

    fn parsed(&self) -> Opened {
        // The row was written here, or was read before.
        serde_json::from_str(&self.row).unwrap_or_default()
    }

    fn opened_mut(&mut self) -> &mut Opened {
        let opened = match self.changed.take() {
            Some(changed) => changed,
            None => self.opened.take().unwrap_or_else(|| Box::new(self.parsed())),
        };
        self.changed.insert(opened)
    }

    /// What reads show.
    pub(super) fn body(&self) -> &Body {
        &self.opened().body
    }

    /// What other reads show: rules of a group, records of a zone.
    pub(super) fn extra(&self) -> &Body {
        &self.opened().extra
    }

    /// The same, to be changed.
    pub(super) fn body_mut(&mut self) -> &mut Body {
        &mut self.opened_mut().body
    }

    /// The same, to be changed.
    pub(super) fn extra_mut(&mut self) -> &mut Body {
        &mut self.opened_mut().extra
    }

    /// Makes it another version, which is to be stored whether or not more than its schedule has changed.
    pub(super) fn touch(&mut self) {
        self.opened_mut();
        self.version += 1;
    }

    /// What a read answers. Parsed for this alone where nobody has opened it: lists show thousands.
    pub(super) fn view(&self) -> Value {
        let opened = self.changed.as_deref().or_else(|| self.opened.get().map(Box::as_ref));
        Value::Object(match opened {
            Some(opened) => opened.body.clone(),
            None => self.parsed().body,
        })
    }

    /// Changes with every change of the record, those that time makes included.
    pub(super) fn etag(&self) -> String {
        let tail = self.id.len().saturating_sub(8);
        format!("{}-{:x}", self.id.get(tail..).unwrap_or_default(), self.version)
    }

    /// A field that is text; empty where it is not there.
    pub(super) fn text(&self, field: &str) -> &str {
        match field {
            _ if self.changed.is_some() => text(self.body(), field),
            "compartmentId" => &self.head.compartment,
            "displayName" => &self.head.display_name,
            "name" => &self.head.name,
            "lifecycleState" => &self.head.state,
            _ => text(self.body(), field),
        }
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

    /// The OCIDs that it holds on to.
    pub(super) fn references(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        if !self.gone() {
            collect(self.body(), &mut found);
            collect(self.extra(), &mut found);
            found.remove(&self.id);
        }
        found
    }
}

impl Head {
    fn of(body: &Body) -> Self {
        Self {
            compartment: text(body, "compartmentId").into(),
            display_name: text(body, "displayName").into(),
            name: text(body, "name").into(),
            state: text(body, "lifecycleState").into(),
        }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::network::vcn::VCN;
    use super::*;

    #[test]
    fn a_record_at_rest_is_text_and_says_the_same_as_before() {
        let body = json!({
            "id": "ocid1.vcn.a", "compartmentId": "c", "displayName": "n", "lifecycleState": "AVAILABLE",
            "cidrBlocks": ["10.0.0.0/16"], "defaultRouteTableId": "ocid1.routetable.a",
            "freeformTags": {"by": "ocid1.user.a"},
        });
        let warm = Warm::default();
        let mut record = Record::new(&VCN, "ocid1.vcn.a", "t", "", 7, body.as_object().unwrap().clone());
        record.extra_mut().insert("x".to_owned(), json!(1));
        assert_eq!((record.row(), record.state()), (None, "AVAILABLE"));
        record.close(&warm);
        let row = record.row().unwrap().to_owned();
        assert_eq!(
            (record.compartment(), record.text("displayName"), record.lives()),
            ("c", "n", true)
        );
        assert_eq!(warm.drain(), [""; 0], "nothing was opened for that");
        assert_eq!(record.references(), BTreeSet::from(["ocid1.routetable.a".to_owned()]));
        assert_eq!(warm.drain(), ["ocid1.vcn.a"], "once, however often it was looked at");
        assert_eq!((record.view(), record.extra().get("x")), (body, Some(&json!(1))));
        record.close(&warm);
        record.view();
        assert_eq!(warm.drain(), [""; 0], "what is shown is not kept");

        record
            .body_mut()
            .insert("lifecycleState".to_owned(), json!("TERMINATED"));
        assert!(record.row().is_none() && record.gone() && record.references().is_empty());
        record.touch();
        record.close(&warm);
        assert!(record.gone() && record.row() != Some(&row));

        let again = Record::read(&VCN, "ocid1.vcn.a".to_owned(), record.row().unwrap().to_owned()).unwrap();
        assert_eq!((again.view(), again.etag()), (record.view(), record.etag()));
        assert_eq!((again.sequence, again.tenancy.as_str(), again.gone()), (7, "t", true));
    }
}
