//! What a write does to the fields of all managers.

use std::collections::BTreeMap;

use serde_json::Value;

use super::apply::SsaError;
use super::compare::{Comparison, compare};
use super::field_set::FieldSet;
use super::managed::{EntryId, ManagedEntry, ManagedFields, Operation};
use super::merge::merge;
use super::reconcile::reconcile;
use super::remove::remove;
use super::to_set::set_of;
use super::validate::{Duplicates, validate};
use super::value::equal;
use crate::schema::{Origin, Schema, TypeRef};

pub(super) struct Updater<'a> {
    pub(super) schema: &'a Schema,
    /// Fields that the server throws away, whoever sends them.
    pub(super) ignored: FieldSet,
    /// The same, as the fields of managers that wrote at other versions are concerned.
    pub(super) ignored_elsewhere: FieldSet,
}

/// What came of a write that may meet conflicts.
pub(super) enum Written<T> {
    Done(T),
    Conflicts(BTreeMap<EntryId, FieldSet>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Force {
    Yes,
    No,
}

/// A version of the kind at which some manager's fields are meant.
enum Version {
    Known(TypeRef),
    /// The server has forgotten it; so are the fields.
    Gone,
}

impl Updater<'_> {
    fn version(&self, api_version: &str) -> Result<Version, SsaError> {
        match (self.schema.root_at(api_version), self.schema.origin()) {
            (Some(root), _) => Ok(Version::Known(root)),
            (None, Origin::BuiltIn) => Ok(Version::Gone),
            (None, Origin::Custom) => Err(SsaError::UnknownVersion(api_version.to_owned())),
        }
    }

    /// The type of an object at another version; it must be valid there too.
    fn convert(&self, object: &Value, api_version: &str) -> Result<Version, SsaError> {
        let version = self.version(api_version)?;
        if let Version::Known(root) = version
            && root != self.schema.root_type()
        {
            validate(self.schema, root, object, Duplicates::Refused).map_err(|violation| SsaError::Conversion {
                api_version: api_version.to_owned(),
                violation,
            })?;
        }
        Ok(version)
    }

    /// Brings entries that were written under an older schema in line.
    fn reconcile(&self, live: &Value, managers: &mut ManagedFields) -> Result<(), SsaError> {
        let mut gone = Vec::new();
        for (id, entry) in &mut managers.entries {
            match self.convert(live, &entry.api_version)? {
                Version::Gone => gone.push(id.clone()),
                Version::Known(root) => {
                    if let Some(set) = reconcile(self.schema, root, &entry.fields) {
                        entry.fields = set;
                    }
                }
            }
        }
        for id in gone {
            managers.entries.remove(&id);
        }
        Ok(())
    }

    /// Takes from all other managers what the write changed or removed.
    fn write(
        &self,
        objects: (&Value, &Value),
        managers: &mut ManagedFields,
        writer: &EntryId,
        force: Force,
    ) -> Result<Written<Comparison>, SsaError> {
        let (before, after) = objects;
        let own = compare(self.schema, self.schema.root_type(), before, after).without(&self.ignored);
        let mut others: BTreeMap<String, Comparison> = BTreeMap::new();
        let mut conflicts: BTreeMap<EntryId, FieldSet> = BTreeMap::new();
        let mut gone = Vec::new();
        for (id, entry) in managers.entries.iter().filter(|(id, _)| *id != writer) {
            if entry.api_version != self.schema.api_version() && !others.contains_key(&entry.api_version) {
                let (Version::Known(root), Version::Known(_)) = (
                    self.convert(before, &entry.api_version)?,
                    self.convert(after, &entry.api_version)?,
                ) else {
                    gone.push(id.clone());
                    continue;
                };
                let comparison = compare(self.schema, root, before, after).without(&self.ignored_elsewhere);
                others.insert(entry.api_version.clone(), comparison);
            }
            let comparison = others.get(&entry.api_version).unwrap_or(&own);
            let both = entry
                .fields
                .intersection(&comparison.modified)
                .union(&entry.fields.intersection(&comparison.added));
            if !both.is_empty() {
                conflicts.insert(id.clone(), both);
            }
        }
        if force == Force::No && !conflicts.is_empty() {
            return Ok(Written::Conflicts(conflicts));
        }
        for id in gone {
            managers.entries.remove(&id);
        }
        for (id, entry) in &mut managers.entries {
            if id == writer {
                continue;
            }
            if let Some(lost) = conflicts.get(id) {
                entry.fields = entry.fields.difference(lost);
            }
            let comparison = others.get(&entry.api_version).unwrap_or(&own);
            if !comparison.removed.is_empty() {
                entry.fields = entry.fields.difference(&comparison.removed);
            }
        }
        managers.entries.retain(|_, entry| !entry.fields.is_empty());
        Ok(Written::Done(own))
    }

    /// Records a write of a whole object: the writer owns what it changed.
    pub(super) fn update(
        &self,
        objects: (&Value, &Value),
        mut managers: ManagedFields,
        writer: &EntryId,
    ) -> Result<ManagedFields, SsaError> {
        self.reconcile(objects.0, &mut managers)?;
        let comparison = match self.write(objects, &mut managers, writer, Force::Yes)? {
            Written::Done(comparison) => comparison,
            // Forced writes meet none.
            Written::Conflicts(_) => Comparison::default(),
        };
        let before = managers.entries.remove(writer);
        let kept = before
            .as_ref()
            .map(|entry| entry.fields.difference(&comparison.removed))
            .unwrap_or_default();
        let fields = kept
            .union(&comparison.modified)
            .union(&comparison.added)
            .recursive_difference(&self.ignored);
        if !fields.is_empty() {
            managers.entries.insert(
                writer.clone(),
                ManagedEntry {
                    manager: writer.manager.clone(),
                    operation: Operation::Update,
                    api_version: self.schema.api_version().to_owned(),
                    time: before.map(|entry| entry.time).unwrap_or_default(),
                    subresource: writer.subresource.clone(),
                    fields,
                },
            );
        }
        Ok(managers)
    }

    /// Merges a configuration; the object is none where it is as it was.
    pub(super) fn apply(
        &self,
        objects: (&Value, &Value),
        mut managers: ManagedFields,
        writer: &EntryId,
        force: Force,
    ) -> Result<Written<(Option<Value>, ManagedFields)>, SsaError> {
        let (live, config) = objects;
        let root = self.schema.root_type();
        self.reconcile(live, &mut managers)?;
        let mut merged = merge(self.schema, root, live, config);
        let fields = set_of(self.schema, root, config).recursive_difference(&self.ignored);
        let last = managers.entries.remove(writer);
        let entry = ManagedEntry {
            manager: writer.manager.clone(),
            operation: Operation::Apply,
            api_version: self.schema.api_version().to_owned(),
            time: last.as_ref().map(|last| last.time.clone()).unwrap_or_default(),
            subresource: writer.subresource.clone(),
            fields,
        };
        // What was applied before and is applied again can't be pruned, and that is nearly always all of it. An item that
        // was applied as `{}` can: its keys are defaults that nobody owns, and without them there is no item.
        let pruning = last.filter(|last| {
            let again = last.api_version == entry.api_version
                && last.fields.is_subset(&entry.fields)
                && !last.fields.has_bare_item();
            !(last.fields.is_empty() || again)
        });
        managers.entries.insert(writer.clone(), entry);
        if let Some(last) = pruning {
            merged = self.prune(merged, &managers, &last)?;
        }
        match self.write((live, &merged), &mut managers, writer, force)? {
            Written::Conflicts(conflicts) => Ok(Written::Conflicts(conflicts)),
            Written::Done(_) => {
                let object = (!equal(live, &merged)).then_some(merged);
                Ok(Written::Done((object, managers)))
            }
        }
    }

    /// Takes out what the manager applied the last time, not this time, and nobody else owns.
    fn prune(&self, merged: Value, managers: &ManagedFields, last: &ManagedEntry) -> Result<Value, SsaError> {
        let Version::Known(root) = self.convert(&merged, &last.api_version)? else {
            return Ok(merged);
        };
        let last_fields = last.fields.with_named_fields(self.schema, Some(root));
        let pruned = remove(self.schema, root, &merged, &last_fields);
        let pruned = self.add_back_owned(&merged, pruned, &last.api_version, managers)?;
        // Of what is gone now, only what this manager owned may go.
        let Version::Known(root) = self.convert(&pruned, &last.api_version)? else {
            return Ok(merged);
        };
        let pruned_fields = set_of(self.schema, root, &pruned).with_named_fields(self.schema, Some(root));
        let merged_fields = set_of(self.schema, root, &merged).with_named_fields(self.schema, Some(root));
        let lost = merged_fields.difference(&pruned_fields).intersection(&last_fields);
        Ok(remove(self.schema, root, &merged, &lost))
    }

    /// Puts back what others own, or this manager's new configuration does.
    fn add_back_owned(
        &self,
        merged: &Value,
        mut pruned: Value,
        first: &str,
        managers: &ManagedFields,
    ) -> Result<Value, SsaError> {
        let mut owned: BTreeMap<&str, FieldSet> = BTreeMap::new();
        for entry in managers.entries.values() {
            let known = owned.entry(entry.api_version.as_str()).or_default();
            *known = known.union(&entry.fields);
        }
        let order = owned.contains_key(first).then_some(first).into_iter();
        let order = order.chain(owned.keys().copied().filter(|version| *version != first));
        for api_version in order {
            let (Version::Known(root), Version::Known(_)) =
                (self.convert(merged, api_version)?, self.convert(&pruned, api_version)?)
            else {
                continue;
            };
            let named = |set: &FieldSet| set.with_named_fields(self.schema, Some(root));
            let keep = named(&set_of(self.schema, root, &pruned))
                .union(&owned.get(api_version).map(named).unwrap_or_default());
            let lost = named(&set_of(self.schema, root, merged)).difference(&keep);
            pruned = remove(self.schema, root, merged, &lost);
        }
        Ok(pruned)
    }
}
