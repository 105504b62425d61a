//! The rules of a schema (`x-kubernetes-validations`), compiled, and run over an object.
//!
//! Invariant: no rule runs away: each loop is charged with the number of items that it goes over, and a rule that has used
//! up its share is an error. The `cel` crate does not know static types: what servers refuse when a definition is made
//! (a field that no schema has) is an error here when the rule runs.

mod bind;
mod fuel;
mod functions;
mod lists;
mod network;
mod quantity;
mod run;
mod time;
mod value;

use std::sync::{Arc, LazyLock};

use cel::common::ast::IdedExpr;
use cel::{DeclarationError, Env};
use serde_json::Value;

use super::AdmissionError;

pub(super) use run::run;

/// What kind of error a rule reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    Invalid,
    Forbidden,
    Required,
    Duplicate,
}

/// One rule.
#[derive(Debug)]
pub(super) struct Rule {
    source: Box<str>,
    program: IdedExpr,
    message: Option<Box<str>>,
    message_program: Option<IdedExpr>,
    reason: Reason,
    /// Written out: `spec.x`, `labels[a.b]`.
    field: Option<Box<str>>,
    uses_old: bool,
    old_is_optional: bool,
}

/// The environment is the same for all rules; that it can be made is proved by a test.
static ENVIRONMENT: LazyLock<Result<Arc<Env>, DeclarationError>> =
    LazyLock::new(|| functions::environment().map(Arc::new));

fn environment() -> Result<&'static Arc<Env>, AdmissionError> {
    ENVIRONMENT
        .as_ref()
        .map_err(|source| AdmissionError::Environment(source.to_string()))
}

/// Compiles the rules of one schema.
pub(super) fn compile(rules: &Value) -> Result<Box<[Rule]>, AdmissionError> {
    rules.as_array().into_iter().flatten().map(rule).collect()
}

fn rule(json: &Value) -> Result<Rule, AdmissionError> {
    let text = |key: &str| json[key].as_str().unwrap_or_default();
    let program = |source: &str| {
        let program = environment()?.compile(source).map_err(|why| AdmissionError::Rule {
            rule: source.trim().to_owned(),
            why: why.to_string(),
        })?;
        let uses_old = program.references().has_variable("oldSelf");
        let mut expression = program.expression().clone();
        fuel::meter(&mut expression);
        Ok::<_, AdmissionError>((expression, uses_old))
    };
    let source = text("rule");
    let (expression, uses_old) = program(source)?;
    let message_program = match text("messageExpression") {
        "" => None,
        source => Some(program(source)?.0),
    };
    let message = Some(text("message")).filter(|message| !message.is_empty());
    Ok(Rule {
        source: source.trim().into(),
        program: expression,
        message: message.map(|message| message.trim().into()),
        message_program,
        reason: match text("reason") {
            "FieldValueForbidden" => Reason::Forbidden,
            "FieldValueRequired" => Reason::Required,
            "FieldValueDuplicate" => Reason::Duplicate,
            _ => Reason::Invalid,
        },
        field: field_path(text("fieldPath")).map(Into::into),
        uses_old,
        old_is_optional: json["optionalOldSelf"] == Value::Bool(true),
    })
}

/// `.spec.labels['a.b']` as paths are written: `spec.labels[a.b]`.
fn field_path(path: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix("['") {
            let (key, after) = quoted.split_once("']")?;
            // A field whose name needs quotes is still a field; only a server's schema tells it from a key.
            out.push_str(&format!("[{}]", key.replace("\\'", "'").replace("\\\\", "\\")));
            rest = after;
            continue;
        }
        let name = rest.strip_prefix('.')?;
        let end = name.find(['.', '[']).unwrap_or(name.len());
        if !out.is_empty() {
            out.push('.');
        }
        out.push_str(&name[..end]);
        rest = &name[end..];
    }
    Some(out).filter(|out| !out.is_empty())
}
