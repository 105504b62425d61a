//! What API servers would say of what is planned, by the definitions at hand: before anything is sent, and for those who
//! may not send anything.
//!
//! A create is judged as its document, an update as what the merge makes of the live object, so that rules that compare
//! with what was run here too. What is not known yet (the OCID of what the same run makes) is stood in for, and nothing
//! that is said of it counts.

mod sets;
mod stand_in;

use std::collections::BTreeMap;

use serde_json::Value;

pub use sets::DefinitionSets;
pub use stand_in::fill as stand_in;

use super::build::Plan;
use super::change::{Action, Block, Change};
use super::decide::{MANAGER, payload_value};
use super::graph::Cycle;
use super::guards::Refusal;
use crate::providers::{Kind, Observation, Observed};
use crate::resource::{Manifest, ResourceId, Target, UnitId};
use crate::schema::Schema;
use crate::schema::admission::{
    Admission, FieldValidation, Lookup, Rejected, Submission, Verdict, judge, unknown_fields,
};
use crate::ssa;

/// The guard's name.
pub const ADMISSION: &str = "admission";

/// An object that a server would refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inadmissible {
    /// The object.
    pub id: ResourceId,
    /// The unit that it belongs to.
    pub unit: UnitId,
    /// Whether it is there already.
    pub is_update: bool,
    /// The fields and what a server says of them, in its words; never empty.
    pub causes: Vec<(String, String)>,
}

/// What is said of a rendered object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// Nothing is wrong.
    Good,
    /// A server would refuse it.
    Bad(Inadmissible),
    /// No definition is about its kind.
    NotChecked,
    /// Its definition can't be used; why.
    Broken(String),
}

/// Judges a rendered object as a new one.
pub fn check(manifest: &Manifest, definitions: &DefinitionSets) -> Checked {
    let mut document = manifest.body();
    let stood_in = stand_in::fill(&mut document);
    let about = About {
        id: &manifest.id,
        unit: &manifest.unit,
        api_version: &manifest.api_version,
        stood_in: &stood_in,
    };
    about.judge(&document, None, definitions)
}

struct About<'a> {
    id: &'a ResourceId,
    unit: &'a UnitId,
    api_version: &'a str,
    stood_in: &'a [String],
}

/// What a live object would become.
struct Update<'a> {
    old: &'a Value,
    new: &'a Value,
}

impl About<'_> {
    /// Judges our document as a new object, or as what the merge makes of a live one.
    fn judge(&self, document: &Value, update: Option<&Update<'_>>, definitions: &DefinitionSets) -> Checked {
        let Target::Kubernetes(on) = &self.id.target else {
            return Checked::NotChecked;
        };
        let causes = match definitions.find(on, self.api_version, &self.id.kind) {
            Lookup::Known(admission) => self.all_causes(admission, document, update),
            Lookup::Unknown => return Checked::NotChecked,
            Lookup::Broken(error) => return Checked::Broken(crate::report::chain(error)),
            Lookup::NotServed(definition) => {
                let served = definition.versions.iter().filter(|version| version.served);
                let served: Vec<&str> = served.map(|version| version.name.as_str()).collect();
                let why = format!("{} is not served, {} is", self.api_version, served.join(", "));
                vec![("apiVersion".to_owned(), why)]
            }
        };
        if causes.is_empty() {
            return Checked::Good;
        }
        Checked::Bad(Inadmissible {
            id: self.id.clone(),
            unit: self.unit.clone(),
            is_update: update.is_some(),
            causes,
        })
    }

    fn all_causes(
        &self,
        admission: &Admission,
        document: &Value,
        update: Option<&Update<'_>>,
    ) -> Vec<(String, String)> {
        let submission = Submission {
            object: update.map_or(document, |update| update.new),
            old: update.map(|update| update.old),
            // Of a live object, fields that the definition at hand doesn't know are others' business: it may be an old one.
            field_validation: FieldValidation::Ignore,
            repeated: &[],
        };
        let unknown = unknown_fields(admission.schema(), document).into_iter();
        let mut causes: Vec<(String, String)> = unknown
            .map(|field| {
                let said = format!("unknown field \"{field}\"");
                (field, said)
            })
            .collect();
        // Strict reading comes first, as a server has it.
        if causes.is_empty()
            && let Verdict::Rejected { why, .. } = judge(admission, submission)
        {
            causes = causes_of(&why);
        }
        self.known(causes)
    }

    /// What is said of fields whose values are known.
    fn known(&self, mut causes: Vec<(String, String)>) -> Vec<(String, String)> {
        // That rules were not run follows from the others; or from what is known later, and is nobody's fault.
        causes.retain(|(_, body)| !body.contains("some validation rules were not checked"));
        causes.retain(|(path, _)| !self.stood_in.iter().any(|known| is_at_or_below(path, known)));
        // A server tells some of them several times.
        let mut seen = std::collections::BTreeSet::new();
        causes.retain(|cause| seen.insert(cause.clone()));
        causes
    }
}

fn causes_of(why: &Rejected) -> Vec<(String, String)> {
    match why {
        Rejected::Invalid { errors, .. } => errors.iter().map(|error| (error.path.clone(), error.body())).collect(),
        Rejected::Unreadable { message } => vec![("<nil>".to_owned(), message.clone())],
    }
}

fn is_at_or_below(path: &str, of: &str) -> bool {
    path.strip_prefix(of)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// Judges what a plan would write, and refuses what a server would; gives that.
///
/// # Errors
/// None of a plan that [`super::build()`] made.
pub fn settle(
    plan: &mut Plan,
    definitions: &DefinitionSets,
    observed: &BTreeMap<Target, Observation>,
    now: &str,
) -> Result<Vec<Inadmissible>, Cycle> {
    if definitions.is_empty() {
        return Ok(Vec::new());
    }
    let judged = |change: &Change| match judge_change(change, definitions, observed, now) {
        Some(Checked::Bad(bad)) => Some(bad),
        Some(Checked::Good | Checked::NotChecked | Checked::Broken(_)) | None => None,
    };
    let bad: Vec<Inadmissible> = plan
        .changes
        .iter()
        .filter(|change| is_asked(change))
        .filter_map(judged)
        .collect();
    plan.refuse_all(refusals(&bad))?;
    Ok(bad)
}

/// Changes that would be made, and those that a guard alone keeps: why they can't be is worth knowing then too.
fn is_asked(change: &Change) -> bool {
    change.writes() && change.blocks.iter().all(|block| matches!(block, Block::Guard { .. }))
}

fn judge_change(
    change: &Change,
    definitions: &DefinitionSets,
    observed: &BTreeMap<Target, Observation>,
    now: &str,
) -> Option<Checked> {
    let Target::Kubernetes(on) = &change.id.target else {
        return None;
    };
    if let Lookup::Unknown = definitions.find(on, &change.api_version, &change.id.kind) {
        return None;
    }
    let mut document = payload_value(&change.payload.body)?.expose().clone();
    let stood_in = stand_in::fill(&mut document);
    let about = About {
        id: &change.id,
        unit: &change.unit,
        api_version: &change.api_version,
        stood_in: &stood_in,
    };
    if change.action == Action::Create {
        return Some(about.judge(&document, None, definitions));
    }
    let observation = observed.get(&change.id.target)?;
    let Some(Observed::Present(live)) = observation.objects.get(&change.id) else {
        return None;
    };
    let mut old = live.parse().ok()?;
    // Of another rendering, ids are stood for too.
    stand_in::fill(&mut old);
    let schema = observation.schemas.get(&kind(change))?;
    let new = merged(change, &document, old.clone(), schema, now)?;
    let update = Update { old: &old, new: &new };
    Some(about.judge(&document, Some(&update), definitions))
}

fn kind(change: &Change) -> Kind {
    let (_, version) = change.api_version.split_once('/').unwrap_or(("", &change.api_version));
    Kind {
        group: change.id.group.clone(),
        version: version.to_owned(),
        kind: change.id.kind.clone(),
    }
}

/// What the write would make of the live object; none where that can't be told.
fn merged(change: &Change, document: &Value, mut live: Value, schema: &Schema, now: &str) -> Option<Value> {
    if let (Some(fields), Some(metadata)) = (
        &change.payload.managed_fields,
        live.get_mut("metadata").and_then(Value::as_object_mut),
    ) {
        metadata.insert("managedFields".to_owned(), fields.clone());
    }
    let request = ssa::ApplyRequest {
        live: Some(&live),
        config: document,
        manager: MANAGER,
        force: change.payload.force,
        schema,
        now,
    };
    match ssa::apply(request) {
        Ok(ssa::ApplyOutcome::Applied(result)) => Some(result),
        Ok(ssa::ApplyOutcome::Conflicts(_)) | Err(_) => None,
    }
}

/// A refusal for all objects of which the same is said.
fn refusals(bad: &[Inadmissible]) -> Vec<Refusal> {
    let mut alike: BTreeMap<(bool, String), Vec<ResourceId>> = BTreeMap::new();
    for one in bad {
        let said = (one.is_update, told_all(&one.causes));
        alike.entry(said).or_default().push(one.id.clone());
    }
    let mut refusals = Vec::new();
    for ((is_update, said), mut objects) in alike {
        objects.sort();
        refusals.push(Refusal {
            guard: ADMISSION,
            message: format!("the API server would refuse {}: {said}", names(&objects)),
            lift: lift(is_update).to_owned(),
            objects,
        });
    }
    refusals
}

fn told_all(causes: &[(String, String)]) -> String {
    let all: Vec<String> = causes.iter().map(told).collect();
    all.join("; ")
}

fn names(objects: &[ResourceId]) -> String {
    match objects {
        [] => String::new(),
        [only] => only.to_string(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    }
}

/// A cause in a server's form; what is said of unknown fields names them.
pub fn told((field, body): &(String, String)) -> String {
    if body.starts_with("unknown field") {
        body.clone()
    } else {
        format!("{field}: {body}")
    }
}

/// The way out.
pub fn lift(is_update: bool) -> &'static str {
    if is_update {
        "put the old value back (`fleetwright explain` shows what sets it); what can't be changed in place needs an object \
         of another name"
    } else {
        "mend the value (`fleetwright explain` shows what sets it), or bring the definitions up to date with \
         `fleetwright schemas pull`"
    }
}

#[cfg(test)]
mod tests;
