//! What rules pass over, and what was not asked for, in JSON.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{ObjectReport, PlaceReport, UnitReport, object, place, unit};
use crate::fleet::model::RuleSource;
use crate::plan::Plan;
use crate::plan::ignore::IgnoredField;

/// A difference that a rule says to pass over.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IgnoredReport {
    /// The unit.
    pub unit: UnitReport,
    /// The object.
    pub object: ObjectReport,
    /// `.spec.replicas`.
    pub field: String,
    /// What is there; of a secret only that it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<Value>,
    /// What the files say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<Value>,
    /// Who set what is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manager: Option<String>,
    /// The rule.
    pub rule: RuleReport,
}

/// A rule of `ignore`: the name of a built-in one, or the place of one in the fleet files.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuleReport {
    /// The name of one that comes with this program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub built_in: Option<&'static str>,
    /// Who writes the field again as often as it is mended: then it is no rule's, and ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contested_by: Option<String>,
    /// Where it is typed.
    #[serde(flatten)]
    pub place: PlaceReport,
}

/// What part of a plan is shown.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NarrowedReport {
    /// Whether it is only what moved by itself.
    pub drift: bool,
    /// The kinds that it is about; empty: all.
    pub kinds: Vec<String>,
    /// Changes that are not shown.
    pub hidden: usize,
}

pub(super) fn ignored(plan: &Plan) -> Vec<IgnoredReport> {
    plan.ignored.iter().map(one).collect()
}

fn one(field: &IgnoredField) -> IgnoredReport {
    IgnoredReport {
        unit: unit(&field.unit),
        object: object(&field.id),
        field: field.diff.field.clone(),
        live: field.diff.before.clone(),
        files: field.diff.after.clone(),
        manager: field.diff.owner.as_ref().map(|owner| owner.manager.clone()),
        rule: RuleReport {
            built_in: match &field.rule {
                RuleSource::BuiltIn(id) => Some(id),
                RuleSource::Typed(_) | RuleSource::Contested { .. } => None,
            },
            contested_by: field.contested_by().map(str::to_owned),
            place: place(field.rule.span()),
        },
    }
}

pub(super) fn narrowed(plan: &Plan) -> Option<NarrowedReport> {
    let narrowed = plan.narrowed.as_ref()?;
    Some(NarrowedReport {
        drift: narrowed.to.drift,
        kinds: narrowed.to.kinds.clone(),
        hidden: narrowed.hidden,
    })
}
