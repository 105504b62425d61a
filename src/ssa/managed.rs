//! `metadata.managedFields`: who set which fields.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::field_set::FieldSet;
use super::fields_v1::FieldsError;

/// How a manager wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub enum Operation {
    /// By server-side apply.
    Apply,
    /// By any other write.
    Update,
}

impl Operation {
    /// The word that managedFields have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

/// One entry of managedFields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagedEntry {
    /// The manager's name.
    pub manager: String,
    /// How it wrote.
    pub operation: Operation,
    /// At which version the fields are meant.
    pub api_version: String,
    /// When it last changed something: RFC 3339; empty where it never did.
    pub time: String,
    /// Through which subresource; empty for the object itself.
    pub subresource: String,
    /// What it owns.
    pub fields: FieldSet,
}

/// What tells entries apart. A manager that applies has one entry whatever version it applies at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EntryId {
    pub(super) manager: String,
    pub(super) operation: Operation,
    /// Empty for Apply.
    pub(super) api_version: String,
    pub(super) subresource: String,
}

/// All entries of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManagedFields {
    pub(super) entries: BTreeMap<EntryId, ManagedEntry>,
}

/// Why managedFields can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManagedFieldsError {
    /// Something isn't of the type that it should be.
    #[error("managedFields: {0} is missing, or isn't of the right type")]
    Malformed(&'static str),
    /// An operation that isn't known.
    #[error("managedFields: there is no operation `{0}`")]
    Operation(String),
    /// A form of fields that isn't known.
    #[error("managedFields: there is no fieldsType `{0}`")]
    FieldsType(String),
    /// The fields of an entry can't be read.
    #[error("managedFields: the fields of `{manager}` can't be read")]
    Fields {
        /// Whose.
        manager: String,
        /// Why.
        #[source]
        source: FieldsError,
    },
}

impl ManagedEntry {
    pub(super) fn id(&self) -> EntryId {
        EntryId::new(&self.manager, self.operation, &self.api_version, &self.subresource)
    }

    fn parse(entry: &Value) -> Result<Self, ManagedFieldsError> {
        let text = |key: &'static str| match entry.get(key) {
            None | Some(Value::Null) => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(_) => Err(ManagedFieldsError::Malformed(key)),
        };
        let operation = match text("operation")?.as_str() {
            "Apply" => Operation::Apply,
            "Update" => Operation::Update,
            other => return Err(ManagedFieldsError::Operation(other.to_owned())),
        };
        let api_version = text("apiVersion")?;
        if api_version.is_empty() {
            return Err(ManagedFieldsError::Malformed("apiVersion"));
        }
        match text("fieldsType")?.as_str() {
            "FieldsV1" => {}
            other => return Err(ManagedFieldsError::FieldsType(other.to_owned())),
        }
        let manager = text("manager")?;
        let fields = match entry.get("fieldsV1") {
            None | Some(Value::Null) => FieldSet::new(),
            Some(fields) => FieldSet::from_fields_v1(fields).map_err(|source| ManagedFieldsError::Fields {
                manager: manager.clone(),
                source,
            })?,
        };
        Ok(Self {
            manager,
            operation,
            api_version,
            time: text("time")?,
            subresource: text("subresource")?,
            fields,
        })
    }

    fn encode(&self) -> Value {
        let mut entry = Map::new();
        let mut put = |key: &str, value: &str| {
            if !value.is_empty() {
                entry.insert(key.to_owned(), Value::from(value));
            }
        };
        put("apiVersion", &self.api_version);
        put("fieldsType", "FieldsV1");
        put("manager", &self.manager);
        put("operation", self.operation.as_str());
        put("subresource", &self.subresource);
        put("time", &self.time);
        entry.insert("fieldsV1".to_owned(), self.fields.to_fields_v1());
        Value::Object(entry)
    }
}

impl EntryId {
    pub(super) fn new(manager: &str, operation: Operation, api_version: &str, subresource: &str) -> Self {
        Self {
            manager: manager.to_owned(),
            operation,
            api_version: match operation {
                Operation::Apply => String::new(),
                Operation::Update => api_version.to_owned(),
            },
            subresource: subresource.to_owned(),
        }
    }
}

impl ManagedFields {
    /// Reads the managedFields of an object; one that has none has no entries.
    ///
    /// # Errors
    /// Where a server couldn't read them either.
    pub fn of(object: &Value) -> Result<Self, ManagedFieldsError> {
        match object
            .get("metadata")
            .and_then(|metadata| metadata.get("managedFields"))
        {
            None | Some(Value::Null) => Ok(Self::default()),
            Some(Value::Array(entries)) => Self::parse(entries),
            Some(_) => Err(ManagedFieldsError::Malformed("metadata.managedFields")),
        }
    }

    /// Reads a list of entries.
    ///
    /// # Errors
    /// Where a server couldn't read them either.
    pub fn parse(entries: &[Value]) -> Result<Self, ManagedFieldsError> {
        let mut all = BTreeMap::new();
        for entry in entries {
            let entry = ManagedEntry::parse(entry)?;
            all.insert(entry.id(), entry);
        }
        Ok(Self { entries: all })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries in the server's order: appliers first, then the oldest first, then by name.
    pub fn entries(&self) -> Vec<&ManagedEntry> {
        let mut entries: Vec<&ManagedEntry> = self.entries.values().collect();
        entries.sort_by(|a, b| {
            a.operation
                .cmp(&b.operation)
                .then_with(|| seconds(&a.time).cmp(&seconds(&b.time)))
                .then_with(|| a.manager.cmp(&b.manager))
                .then_with(|| a.api_version.cmp(&b.api_version))
                .then_with(|| a.subresource.cmp(&b.subresource))
        });
        entries
    }

    /// The entry of a manager that applies.
    pub fn applied_by(&self, manager: &str) -> Option<&ManagedEntry> {
        self.entries.get(&EntryId::new(manager, Operation::Apply, "", ""))
    }

    /// All that some managers own.
    pub fn owned_by(&self, who: impl Fn(&ManagedEntry) -> bool) -> FieldSet {
        self.entries
            .values()
            .filter(|entry| who(entry))
            .fold(FieldSet::new(), |all, entry| all.union(&entry.fields))
    }

    /// The list as it stands in an object; none where there are no entries.
    pub fn encode(&self) -> Option<Value> {
        let entries: Vec<Value> = self.entries().into_iter().map(ManagedEntry::encode).collect();
        (!entries.is_empty()).then_some(Value::Array(entries))
    }
}

/// The second that a time stamp names; that of none is before all others, as with the server.
pub(super) fn seconds(time: &str) -> i64 {
    time.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_second)
}
