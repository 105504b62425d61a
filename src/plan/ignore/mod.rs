//! What of live objects is left as it is, by rules: no change, no drift, and never written over.
//!
//! A rule works on what is wanted of an object that is there: what it covers is held as it is, in value and in owner, before
//! anything is compared. So a plan, an apply and the daemon see the same, and what is made afresh has it as the files say.
//!
//! Invariant: pure; what says what an object is, and the marks by which we know it, is never left out.

mod held;
mod hint;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use serde_json::Value;

use super::change::{FieldDiff, OwnedBy};
use crate::diag::Span;
use crate::fleet::model::{Ignore, IgnoreRule, RuleSource};
use crate::resource::{FieldPath, PathElement, ResourceId, Target, UnitId};

pub(super) use held::{Left, kubernetes, oci};
pub use hint::rule_for;

/// A difference that a rule says to pass over.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IgnoredField {
    /// The object.
    pub id: ResourceId,
    /// The unit that it belongs to.
    pub unit: UnitId,
    /// What is there, and what the files say.
    pub diff: FieldDiff,
    /// The rule.
    pub rule: RuleSource,
}

impl IgnoredField {
    /// Who writes it again as often as it is mended, where that is why.
    pub fn contested_by(&self) -> Option<&str> {
        match &self.rule {
            RuleSource::Contested { manager, .. } => Some(manager),
            RuleSource::Typed(_) | RuleSource::BuiltIn(_) => None,
        }
    }
}

/// Fields that somebody writes again as often as they are mended, by object: they are left as they are.
pub type Contested = BTreeMap<ResourceId, Vec<OwnedBy>>;

/// The rules, and which of them have been about something.
pub(super) struct Rules<'a> {
    rules: &'a [IgnoreRule],
    met: Vec<AtomicBool>,
    contested: BTreeMap<&'a ResourceId, Vec<IgnoreRule>>,
    /// Which are about a kind; under none, those that are about every kind.
    of_kind: BTreeMap<Option<&'a str>, Vec<usize>>,
}

impl<'a> Rules<'a> {
    pub(super) fn new(ignore: &'a Ignore, contested: &'a Contested) -> Self {
        let mut of_kind: BTreeMap<Option<&str>, Vec<usize>> = BTreeMap::new();
        for (at, rule) in ignore.rules.iter().enumerate() {
            of_kind.entry(rule.kind.as_deref()).or_default().push(at);
        }
        Self {
            rules: &ignore.rules,
            met: ignore.rules.iter().map(|_| AtomicBool::new(false)).collect(),
            contested: contested
                .iter()
                .map(|(id, fields)| (id, fields.iter().map(|owned| contested_rule(id, owned)).collect()))
                .collect(),
            of_kind,
        }
    }

    /// Those that are about an object.
    pub(super) fn about(&self, id: &ResourceId, unit: &UnitId) -> About<'_> {
        let any = self.of_kind.get(&None).into_iter().flatten();
        let own = self.of_kind.get(&Some(id.kind.as_str())).into_iter().flatten();
        let mut places: Vec<usize> = any.chain(own).copied().collect();
        places.sort_unstable();
        let rules = places
            .into_iter()
            .filter_map(|at| Some((self.rules.get(at)?, self.met.get(at)?)));
        About {
            rules: rules.filter(|(rule, _)| rule.is_about(id, unit)).collect(),
            contested: self.contested.get(id).map_or(&[], Vec::as_slice),
        }
    }

    /// The places of rules of the files that were about nothing.
    pub(super) fn idle(&self) -> Vec<Span> {
        let rules = self.rules.iter().zip(&self.met);
        let idle = rules.filter(|(_, met)| !met.load(Ordering::Relaxed));
        idle.filter_map(|(rule, _)| rule.source.span().cloned()).collect()
    }
}

/// What has a field left that is fought over.
fn contested_rule(id: &ResourceId, OwnedBy { field, manager }: &OwnedBy) -> IgnoreRule {
    // Fields of Kubernetes objects have names of their own for the items of lists; a pointer would mean every item.
    let pointer = (id.target == Target::Oci).then(|| hint::pointer(id, field));
    IgnoreRule {
        source: RuleSource::Contested {
            field: field.clone(),
            manager: manager.clone(),
        },
        kind: None,
        name: None,
        cluster: None,
        pointer: pointer.flatten(),
        manager: None,
    }
}

/// The rules that are about one object, in their order; those of what is fought over come last.
pub(super) struct About<'a> {
    rules: Vec<(&'a IgnoreRule, &'a AtomicBool)>,
    contested: &'a [IgnoreRule],
}

impl<'a> About<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.contested.is_empty()
    }

    fn rules(&self) -> impl Iterator<Item = &'a IgnoreRule> {
        self.rules.iter().map(|(rule, _)| *rule).chain(self.contested)
    }

    /// Whether some rule of the files has met nothing yet.
    pub(super) fn wants_to_meet(&self) -> bool {
        let is_typed = |rule: &IgnoreRule| matches!(rule.source, RuleSource::Typed(_));
        let mut rules = self.rules.iter();
        rules.any(|(rule, met)| is_typed(rule) && !met.load(Ordering::Relaxed))
    }

    /// Notes which rules are about something in what is wanted or in what is there.
    pub(super) fn meet(&self, document: &Value, live: Option<&Value>) {
        for (rule, met) in self.rules.iter().filter(|(_, met)| !met.load(Ordering::Relaxed)) {
            let finds = |value: &Value| rule.pointer.as_ref().is_none_or(|pointer| pointer.finds(value));
            let is_known = || {
                rule.manager
                    .as_ref()
                    .is_none_or(|name| live.is_some_and(|live| has_manager(live, name)))
            };
            if (finds(document) || live.is_some_and(finds)) && is_known() {
                met.store(true, Ordering::Relaxed);
            }
        }
    }
}

fn has_manager(live: &Value, name: &str) -> bool {
    let entries = live.pointer("/metadata/managedFields").and_then(Value::as_array);
    entries.into_iter().flatten().any(|entry| entry["manager"] == name)
}

/// Whether a field says what an object is, or is a mark by which we know it.
fn is_ours(path: &FieldPath) -> bool {
    let mut names = path.elements().iter().map(|element| match element {
        PathElement::Field(name) => name.as_str(),
        PathElement::Key(_) | PathElement::Value(_) | PathElement::Index(_) => "",
    });
    match (names.next(), names.next(), names.next()) {
        (None | Some("apiVersion" | "kind"), ..) | (Some("metadata"), None | Some("name" | "namespace" | "uid"), _) => {
            true
        }
        (Some("metadata"), Some("labels" | "annotations"), Some(name)) => name.starts_with("fleetwright.dev/"),
        _ => false,
    }
}

/// What is passed over, and would not be let through either: it should be known.
pub fn warnings(ignored: &[IgnoredField]) -> Vec<String> {
    // What is fought over is told apart, whatever it is.
    let by_rules = ignored.iter().filter(|field| field.contested_by().is_none());
    let fixed = by_rules.filter(|field| field.diff.replaces || super::guards::is_fixed(&field.id.kind, &field.diff));
    fixed
        .map(|IgnoredField { id, diff, rule, .. }| {
            let field = &diff.field;
            format!(
                "{id}: {field} is not as the files say and can't be changed in place; a rule passes it over ({rule})"
            )
        })
        .collect()
}

#[cfg(test)]
mod tests;
