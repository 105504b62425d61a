//! The status of the two kinds. Their CRDs are made from these types.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::condition::Condition;
use crate::resource::UnitId;

/// A time, in seconds: what changes no more often than that needs no finer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(Timestamp);

impl Time {
    /// A time without its fraction.
    pub fn new(time: Timestamp) -> Self {
        Self::of_second(time.as_second())
    }

    /// Seconds since 1970; the first of them where there is no such time.
    pub fn of_second(second: i64) -> Self {
        Self(Timestamp::from_second(second).unwrap_or_default())
    }

    /// The time.
    pub fn timestamp(self) -> Timestamp {
        self.0
    }
}

impl Default for Time {
    fn default() -> Self {
        Self::of_second(0)
    }
}

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl JsonSchema for Time {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

/// Characters of one text; the rest is cut.
const TEXT_LIMIT: usize = 1_024;

/// A text of bounded length on one line.
pub fn cut(text: &str) -> String {
    let mut short: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(TEXT_LIMIT)
        .collect();
    if text.chars().nth(TEXT_LIMIT).is_some() {
        short.push('…');
    }
    short
}

/// A unit of the fleet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct UnitRef {
    /// `cluster`, `network`, `management`.
    pub kind: String,
    /// Its name in the fleet files.
    pub name: String,
}

impl From<&UnitId> for UnitRef {
    fn from(unit: &UnitId) -> Self {
        Self {
            kind: unit.kind().to_owned(),
            name: unit.name().to_owned(),
        }
    }
}

/// How a unit stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct UnitSync {
    /// The generation of this object that was looked at.
    pub observed_generation: i64,
    /// The unit.
    pub unit: UnitRef,
    /// Its environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// `InSync`, `Reconciling`, `Drifted`, `Refused`, `Waiting`, `Held`, `Suspended`, `Failed`, `Unknown`.
    pub state: String,
    /// The same for people.
    pub message: String,
    /// The revision by which it was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_revision: Option<String>,
    /// The revision that last changed something of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied_revision: Option<String>,
    /// Why the last attempt did not succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<LastError>,
    /// What is left to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
    /// What moved by itself, and has not been mended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
    /// What is recorded of it.
    pub inventory: Inventory,
    /// What keeps it from being written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspension: Option<SuspensionReport>,
    /// The last `fleetwright.dev/reconcile-requested-at` that was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// Ready, Drifted, Suspended, Stalled.
    pub conditions: Vec<Condition>,
}

/// Why an attempt did not succeed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct LastError {
    /// In words.
    pub message: String,
    /// When that was first seen.
    pub since: Time,
}

/// What is left to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Pending {
    /// How many changes.
    pub count: i64,
    /// The first of them.
    pub changes: Vec<PendingChange>,
}

/// One change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PendingChange {
    /// `NodePool clusters-payments/payments-gpu`.
    pub object: String,
    /// `create`, `update`, `adopt`, `delete`, `forget`, `leave`.
    pub action: String,
    /// What it waits for; absent where it is only to be made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
}

/// What moved by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Drift {
    /// How many objects.
    pub count: i64,
    /// When the first of them was first seen so.
    pub since: Time,
    /// The first of them.
    pub objects: Vec<DriftedObject>,
}

/// An object that moved by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DriftedObject {
    /// `NodePool clusters-payments/payments-gpu`.
    pub object: String,
    /// When that was first seen.
    pub since: Time,
    /// Whether it is gone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub vanished: bool,
    /// The first of its fields that are not as they should be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<DriftedField>,
}

/// A field that is not as it should be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DriftedField {
    /// `.spec.replicas`.
    pub field: String,
    /// The field manager that set it, where managedFields record one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manager: Option<String>,
    /// When that manager last wrote, where recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written_at: Option<String>,
    /// Whether it is written again as often as it is mended: then it is left alone for a while.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub contested: bool,
}

/// What is recorded of a unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Inventory {
    /// Objects.
    pub objects: i64,
    /// Those of them on API servers.
    pub kubernetes: i64,
    /// Those of them on OCI.
    pub oci: i64,
    /// By kind.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub kinds: BTreeMap<String, i64>,
}

/// A suspension.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SuspensionReport {
    /// Why.
    pub reason: String,
    /// When it ends by itself; absent: when somebody ends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// Where it is asked for.
    pub by: String,
}

/// How a fleet stands, on one management cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FleetSync {
    /// The generation of this object that was looked at.
    pub observed_generation: i64,
    /// The fleet's name.
    pub fleet: String,
    /// The revision in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// Why what the source holds now is not in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<LastError>,
    /// Units recorded here.
    pub units: UnitCounts,
    /// The last `fleetwright.dev/reconcile-requested-at` that was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// Ready, Drifted, Suspended, Stalled.
    pub conditions: Vec<Condition>,
}

/// Units by how they stand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct UnitCounts {
    /// All.
    pub total: i64,
    /// As they should be.
    pub ready: i64,
    /// With drift that was not mended.
    pub drifted: i64,
    /// Refused, or held for an error in their files.
    pub refused: i64,
    /// Suspended.
    pub suspended: i64,
    /// Not looked at, or failed.
    pub failed: i64,
    /// Waiting for something that nobody has made yet.
    pub waiting: i64,
    /// At work, or not told of yet.
    pub reconciling: i64,
}
