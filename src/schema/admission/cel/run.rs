//! Runs the rules of a schema over an object, from the outside in.

use std::sync::Arc;

use cel::common::ast::IdedExpr;
use cel::common::types::CelOptional;
use cel::{Context, Env, ExecutionError};
use serde_json::{Map, Value};

use super::super::correlate::{Old, predecessor};
use super::super::error::{ErrorKind, FieldError};
use super::super::path::{Path, Step};
use super::super::shape::{Additional, Shape, Type, Types};
use super::bind::bind;
use super::{Reason, Rule, environment, fuel};

/// Longer messages are not shown.
const MOST_MESSAGE_BYTES: usize = 5 * 1024;

/// What the rules say.
#[derive(Default)]
pub(in super::super) struct Verdict {
    pub(in super::super) errors: Vec<FieldError>,
    /// Of what was as wrong before.
    pub(in super::super) excused: Vec<FieldError>,
}

/// Runs all rules of a schema. `old` is what the object takes the place of.
pub(in super::super) fn run(shape: &Shape, value: &Value, old: Option<&Value>) -> Verdict {
    let mut run = Run {
        verdict: Verdict::default(),
    };
    let excuse = Excuse {
        current: old.map(|old| Old::new(old, shape)),
        above: None,
        is_root: true,
    };
    // Made once, and proved by the rules that were compiled with it.
    if let Ok(env) = environment() {
        let place = Place {
            value,
            old,
            path: &Path::ROOT,
            excuse,
        };
        run.visit(env, shape, shape, place);
    }
    run.verdict
}

/// Whether what is wrong here was so before.
#[derive(Clone, Copy)]
struct Excuse<'a> {
    /// The old value of this very place.
    current: Option<Old<'a>>,
    /// Else, the nearest place above that has one, and its new value.
    above: Option<(Old<'a>, &'a Value)>,
    is_root: bool,
}

impl<'a> Excuse<'a> {
    fn holds(&self, value: &Value) -> bool {
        match (self.current, self.above) {
            (Some(old), _) => old.is_unchanged(value),
            (None, Some((old, new))) => old.is_unchanged(new),
            (None, None) => false,
        }
    }

    fn key(self, name: &str, here: &'a Value) -> Self {
        let Some(current) = self.current else { return self };
        if self.is_root && matches!(name, "apiVersion" | "kind") {
            return Self {
                current: None,
                above: None,
                is_root: false,
            };
        }
        self.below(current.key(name), current, here)
    }

    fn item(self, item: &Value, here: &'a Value) -> Self {
        let Some(current) = self.current else { return self };
        self.below(current.item(item), current, here)
    }

    fn below(self, next: Option<Old<'a>>, current: Old<'a>, here: &'a Value) -> Self {
        Self {
            current: next,
            above: Some((current, here)),
            is_root: false,
        }
    }
}

/// A value, and what is known of its past.
#[derive(Clone, Copy)]
struct Place<'a> {
    value: &'a Value,
    old: Option<&'a Value>,
    path: &'a Path<'a>,
    excuse: Excuse<'a>,
}

struct Run {
    verdict: Verdict,
}

impl Run {
    /// `rules` is the schema whose rules are run, `shape` the one that says what the value is: they differ below `allOf`.
    fn visit(&mut self, env: &Arc<Env>, rules: &Shape, shape: &Shape, place: Place<'_>) {
        if !rules.has_rules || place.value.is_null() {
            return;
        }
        self.here(env, rules, shape, place);
        for nested in &rules.all_of {
            let excuse = Excuse {
                current: None,
                ..place.excuse
            };
            self.visit(env, nested, shape, Place { excuse, ..place });
        }
        match place.value {
            Value::Object(entries) => self.entries(env, rules, shape, entries, place),
            Value::Array(items) => {
                let (Some(inner), Some(below)) = (&rules.items, &shape.items) else {
                    return;
                };
                let old = place.old.and_then(Value::as_array);
                for (at, item) in items.iter().enumerate() {
                    let next = Place {
                        value: item,
                        old: old.and_then(|old| predecessor(&shape.identity, old, item)),
                        path: &place.path.then(Step::Index(at)),
                        excuse: place.excuse.item(item, place.value),
                    };
                    self.visit(env, inner, below, next);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn entries(
        &mut self,
        env: &Arc<Env>,
        rules: &Shape,
        shape: &Shape,
        entries: &Map<String, Value>,
        place: Place<'_>,
    ) {
        for (name, entry) in entries {
            let (inner, below, step) = match (rules.property(name), &rules.additional, &shape.additional) {
                (Some(inner), ..) => match shape.property(name) {
                    Some(below) => (inner, below, Step::Field(name)),
                    None => continue,
                },
                (None, Additional::Typed(inner), Additional::Typed(below)) => (&**inner, &**below, Step::Key(name)),
                _ => continue,
            };
            let next = Place {
                value: entry,
                old: place.old.and_then(|old| old.get(name)).filter(|old| !old.is_null()),
                path: &place.path.then(step),
                excuse: place.excuse.key(name, place.value),
            };
            self.visit(env, inner, below, next);
        }
    }

    fn here(&mut self, env: &Arc<Env>, rules: &Shape, shape: &Shape, place: Place<'_>) {
        if rules.rules.is_empty() {
            return;
        }
        let mut context = Context::with_env(Arc::clone(env));
        context.add_variable_as_val("self", bind(place.value, shape));
        let mut bound = None;
        for rule in &rules.rules {
            if rule.uses_old && place.old.is_none() && !rule.old_is_optional {
                continue;
            }
            if (rule.uses_old || rule.message_program.is_some()) && bound != Some(rule.old_is_optional) {
                let old = place.old.map(|old| bind(old, shape));
                match (old, rule.old_is_optional) {
                    (Some(old), false) => context.add_variable_as_val("oldSelf", old),
                    (Some(old), true) => context.add_variable_as_val("oldSelf", Box::new(CelOptional::of(old))),
                    (None, true) => context.add_variable_as_val("oldSelf", Box::new(CelOptional::none())),
                    (None, false) => {}
                }
                bound = Some(rule.old_is_optional);
            }
            self.judge(rule, &context, shape, place);
        }
    }

    fn judge(&mut self, rule: &Rule, context: &Context<'_, '_>, shape: &Shape, place: Place<'_>) {
        let failed = |detail: String| FieldError::invalid(place.path.bracketed(), type_name(shape), detail);
        let told = rule.message.as_deref().unwrap_or(&rule.source);
        match execute(&rule.program, context) {
            Ok(cel::Value::Bool(true)) => return,
            Ok(cel::Value::Bool(false)) => {}
            Ok(_) => {
                let detail = format!("cel expression must evaluate to a bool for rule: {told}");
                return self.verdict.errors.push(failed(detail));
            }
            Err(Fault::UsedUp) => {
                let detail =
                    "validation failed due to running out of cost budget, no further validation rules will be run";
                return self.verdict.errors.push(failed(detail.to_owned()));
            }
            Err(Fault::Overload) => {
                let detail = format!(
                    "'no such overload': call arguments did not match a supported operator, function or macro signature for rule: {told}"
                );
                return self.verdict.errors.push(failed(detail));
            }
            Err(Fault::Other(why)) => {
                return self
                    .verdict
                    .errors
                    .push(failed(format!("{why} evaluating rule: {told}")));
            }
        }
        let detail = message(rule, context).unwrap_or_else(|| match &rule.message {
            Some(message) => message.to_string(),
            None => format!("failed rule: {}", rule.source),
        });
        let path = match &rule.field {
            None => place.path.bracketed(),
            Some(field) if place.path.is_root() => field.to_string(),
            Some(field) => format!("{}.{field}", place.path.bracketed()),
        };
        let is_compound = shape.is_type(Type::Object) || shape.is_type(Type::Array);
        let value = (!is_compound).then(|| place.value.clone());
        let error = match rule.reason {
            Reason::Invalid => FieldError::new(path, ErrorKind::Invalid, value, detail),
            Reason::Forbidden => FieldError::forbidden(path, detail),
            Reason::Required => FieldError::required(path, &detail),
            Reason::Duplicate => FieldError::new(path, ErrorKind::Duplicate, value, ""),
        };
        if !rule.uses_old && place.excuse.holds(place.value) {
            self.verdict.excused.push(error);
        } else {
            self.verdict.errors.push(error);
        }
    }
}

fn type_name(shape: &Shape) -> &'static str {
    match shape.types {
        Types::One(of) => of.name(),
        Types::Any | Types::IntOrString => "",
    }
}

/// The message that an expression makes; none where it fails, or makes what can't be shown.
fn message(rule: &Rule, context: &Context<'_, '_>) -> Option<String> {
    let Ok(cel::Value::String(text)) = execute(rule.message_program.as_ref()?, context) else {
        return None;
    };
    let text = text.trim();
    let shown = !text.is_empty() && text.len() <= MOST_MESSAGE_BYTES && !text.contains('\n');
    shown.then(|| text.to_owned())
}

/// Why a rule has no result.
enum Fault {
    UsedUp,
    Overload,
    Other(String),
}

fn execute(program: &IdedExpr, context: &Context<'_, '_>) -> Result<cel::Value, Fault> {
    fuel::refill();
    let result = cel::Value::resolve(program, context);
    if fuel::is_used_up() {
        return Err(Fault::UsedUp);
    }
    result.map_err(|error| match error {
        ExecutionError::NoSuchKey(key) => Fault::Other(format!("no such key: {key}")),
        ExecutionError::IndexOutOfBounds(at) => Fault::Other(format!("index out of bounds: {}", plain(&at))),
        ExecutionError::DivisionByZero(_) => Fault::Other("division by zero".to_owned()),
        ExecutionError::RemainderByZero(_) => Fault::Other("modulus by zero".to_owned()),
        ExecutionError::Overflow(..) => Fault::Other("integer overflow".to_owned()),
        ExecutionError::NoSuchOverload(_)
        | ExecutionError::UnexpectedType { .. }
        | ExecutionError::UnsupportedBinaryOperator(..)
        | ExecutionError::ValuesNotComparable(..) => Fault::Overload,
        ExecutionError::FunctionError { message, .. } => Fault::Other(message),
        other => Fault::Other(other.to_string()),
    })
}

fn plain(value: &cel::Value) -> String {
    match value {
        cel::Value::Int(at) => at.to_string(),
        other => format!("{other:?}"),
    }
}
