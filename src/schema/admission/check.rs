//! Validation of a value against its schema, all but its rules.
//!
//! The order of the checks, what each of them counts, and which messages of alternatives come up follow what API servers
//! do: their messages are part of what is promised.

use std::collections::BTreeSet;

use serde_json::{Map, Number, Value};

use super::correlate::Old;
use super::error::{ErrorKind, FieldError, ROOT};
use super::path::{Path, Step};
use super::shape::{Additional, Count, Declared, Range, Shape, Type, Types};
use super::text::{float, json_text, quote};

/// What a value came to.
#[derive(Default)]
struct Outcome {
    errors: Vec<FieldError>,
    /// How many checks it passed: of several alternatives that fail, the one that came farthest is reported.
    matches: usize,
}

impl Outcome {
    fn add(&mut self, error: FieldError) {
        self.errors.push(error);
    }

    fn merge(&mut self, mut other: Outcome) {
        self.errors.append(&mut other.errors);
        self.matches += other.matches;
    }

    fn is_valid(&self) -> bool {
        self.errors.is_empty()
    }
}

/// Validates a value that is the root of its schema. `old` excuses what it already had wrong; `prefix` is where the value
/// stands in its object, empty for the object itself.
pub(super) fn validate(shape: &Shape, value: &Value, old: Option<Old<'_>>, prefix: &str) -> Vec<FieldError> {
    let mut errors = unless_unchanged(shape, value, old, &Path::ROOT).errors;
    // Alternatives say the same again.
    let mut told = BTreeSet::new();
    errors.retain(|error| told.insert((error.path.clone(), error.body())));
    if prefix.is_empty() {
        return errors;
    }
    let moved = |mut error: FieldError| {
        error.path = match error.path.as_str() {
            ROOT => prefix.to_owned(),
            path => format!("{prefix}.{path}"),
        };
        error
    };
    errors.into_iter().map(moved).collect()
}

fn unless_unchanged(shape: &Shape, value: &Value, old: Option<Old<'_>>, path: &Path<'_>) -> Outcome {
    let mut outcome = check(shape, value, old, path);
    if !outcome.is_valid() && old.is_some_and(|old| old.is_unchanged(value)) {
        outcome.errors.clear();
    }
    outcome
}

fn check(shape: &Shape, value: &Value, old: Option<Old<'_>>, path: &Path<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    let here = Here {
        shape,
        value,
        old,
        path,
    };
    if value.is_null() {
        if shape.types == Types::Any || shape.nullable {
            outcome.matches += usize::from(shape.types != Types::Any || shape.format.is_some());
        } else {
            outcome.add(here.wrong_type("null"));
        }
        here.choices(&mut outcome);
        return outcome;
    }
    if shape.types != Types::Any || shape.format.is_some() {
        match here.type_error() {
            Some(error) => outcome.add(error),
            None => outcome.matches += 1,
        }
        outcome.matches += 1;
    }
    here.alternatives(&mut outcome);
    match value {
        Value::String(text) => here.text(text, &mut outcome),
        Value::Number(number) => here.number(number, &mut outcome),
        Value::Array(items) => here.list(items, &mut outcome),
        Value::Null | Value::Bool(_) | Value::Object(_) => {}
    }
    here.choices(&mut outcome);
    if let Value::Object(entries) = value {
        here.object(entries, &mut outcome);
    }
    // Those of the enumeration, of the alternatives, and of the whole.
    outcome.matches += 3;
    outcome
}

/// The value at hand.
struct Here<'a> {
    shape: &'a Shape,
    value: &'a Value,
    old: Option<Old<'a>>,
    path: &'a Path<'a>,
}

impl Here<'_> {
    fn place(&self) -> String {
        if self.path.is_root() {
            return ROOT.to_owned();
        }
        self.path.dotted()
    }

    /// An error with the words that schemas use: `spec.x in body should …`.
    fn should(&self, value: impl Into<Value>, rest: &str) -> FieldError {
        FieldError::invalid(self.place(), value, format!("{} in body {rest}", self.path.dotted()))
    }

    /// An error that names no place but in its words.
    fn general(detail: String) -> FieldError {
        FieldError::invalid(ROOT, "", detail)
    }

    fn of_type(&self, wanted: &str, found: &str) -> FieldError {
        let detail = format!(
            "{} in body must be of type {wanted}: {}",
            self.path.dotted(),
            quote(found)
        );
        FieldError::new(self.place(), ErrorKind::TypeInvalid, Some(found.into()), detail)
    }

    fn wrong_type(&self, found: &str) -> FieldError {
        let wanted = match self.shape.types {
            Types::Any => "",
            Types::One(of) => of.name(),
            Types::IntOrString => "integer,string",
        };
        self.of_type(wanted, found)
    }

    fn type_error(&self) -> Option<FieldError> {
        let (found, found_format) = match self.value {
            Value::Null => return None,
            Value::Bool(_) => (Type::Boolean, ""),
            Value::Number(number) if is_integer(number) => (Type::Integer, "int64"),
            Value::Number(_) => (Type::Number, "float64"),
            Value::String(_) => (Type::String, ""),
            Value::Array(_) => (Type::Array, ""),
            Value::Object(_) => (Type::Object, ""),
        };
        let whole = || self.value.as_f64().is_some_and(is_whole);
        let takes = |of: Type| match self.shape.types {
            Types::Any => false,
            Types::One(one) => one == of,
            Types::IntOrString => matches!(of, Type::Integer | Type::String),
        };
        let fits = takes(found)
            || (found == Type::Number && takes(Type::Integer) && whole())
            || (found == Type::Integer && takes(Type::Number));
        let texty = matches!(found, Type::String | Type::Array);
        if self.shape.format.is_some() {
            if !texty && !fits && found_format != &*self.shape.format_name {
                return Some(self.of_type(&self.shape.format_name, found_format));
            }
            if texty && !takes(Type::Number) && !takes(Type::Integer) {
                return None;
            }
        }
        (!fits).then(|| self.wrong_type(found.name()))
    }

    fn choices(&self, outcome: &mut Outcome) {
        let choices = &self.shape.choices;
        if choices.is_empty() || choices.iter().any(|choice| is_choice(self.value, choice)) {
            return;
        }
        let names: Vec<String> = choices
            .iter()
            .map(|choice| choice.as_str().map_or_else(|| json_text(choice), str::to_owned))
            .collect();
        let names = names.iter().map(String::as_str);
        outcome.add(FieldError::not_supported(&self.place(), self.value.clone(), names));
    }

    fn text(&self, text: &str, outcome: &mut Outcome) {
        // Of length and pattern, only the first fault is told; the format is looked at besides.
        let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
        let Count { least, most } = self.shape.length;
        if let Some(most) = most.filter(|most| length > *most) {
            outcome.add(FieldError::too_long(self.place(), most));
        } else if let Some(least) = least.filter(|least| length < *least) {
            outcome.add(self.should(text, &format!("should be at least {least} chars long")));
        } else if let Some((pattern, _)) = self.shape.pattern.as_ref().filter(|(_, regex)| !regex.is_match(text)) {
            outcome.add(self.should(text, &format!("should match '{pattern}'")));
        }
        outcome.matches += 1;
        if let Some(Declared::Text(format)) = self.shape.format {
            if !format.accepts(text) {
                outcome.add(self.of_type(&self.shape.format_name, text));
            }
            outcome.matches += 1;
        }
    }

    fn number(&self, number: &Number, outcome: &mut Outcome) {
        if let Some(error) = self.out_of_type(number.as_f64().unwrap_or_default(), Some(number), "Checked") {
            outcome.add(error);
        }
        outcome.matches += 2;
        if let Some(range) = &self.shape.range {
            self.multiple(number, range, outcome);
            self.least(number, range, outcome);
            self.most(number, range, outcome);
        }
    }

    /// Whether a number, or a bound for it, is one of the declared type at all.
    fn out_of_type(&self, value: f64, exact: Option<&Number>, what: &str) -> Option<FieldError> {
        let whole = || match exact {
            Some(number) => number.is_i64() || (!is_integer(number) && value.fract() == 0.0 && fits_i64(value)),
            None => value.fract() == 0.0 && fits_i64(value),
        };
        let (type_name, format, fits) = match (self.shape.types, self.shape.format) {
            (Types::One(Type::Integer), Some(Declared::Int32)) => {
                let fits = whole() && (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&value);
                ("integer", "int32", fits)
            }
            (Types::One(Type::Integer), Some(Declared::Int64)) => ("integer", "int64", whole()),
            (Types::One(Type::Integer), _) => ("integer", "", whole()),
            (Types::One(Type::Number), Some(Declared::Float)) => {
                ("number", "float", value.abs() <= f64::from(f32::MAX))
            }
            _ => return None,
        };
        if fits {
            return None;
        }
        let with = match format {
            "" => "(default format)".to_owned(),
            format => format!("with format {format}"),
        };
        let place = self.path.dotted();
        Some(Self::general(format!(
            "{what} value must be of type {type_name} {with} in {place}"
        )))
    }

    fn multiple(&self, number: &Number, range: &Range, outcome: &mut Outcome) {
        let Some(factor) = range.multiple_of else { return };
        let wrong = self.out_of_type(factor, None, "MultipleOf");
        let (is_multiple, shown) = match number.as_i64().filter(|_| wrong.is_none()) {
            Some(integer) => {
                let factor = truncated(factor);
                (factor > 0 && integer % factor == 0, factor.to_string())
            }
            None => {
                let value = number.as_f64().unwrap_or_default();
                let times = if factor < 1.0 {
                    1.0 / factor * value
                } else {
                    value / factor
                };
                (factor > 0.0 && is_whole(times), float(factor))
            }
        };
        wrong.into_iter().for_each(|error| outcome.add(error));
        if !is_multiple {
            outcome.add(self.should(self.value.clone(), &format!("should be a multiple of {shown}")));
        }
    }

    fn least(&self, number: &Number, range: &Range, outcome: &mut Outcome) {
        let Some(least) = range.minimum else { return };
        let wrong = self.out_of_type(least, None, "Minimum boundary");
        let (order, shown) = compare(number, least, wrong.is_none());
        wrong.into_iter().for_each(|error| outcome.add(error));
        if range.exclusive_minimum && order.is_le() {
            outcome.add(self.should(self.value.clone(), &format!("should be greater than {shown}")));
        } else if order.is_lt() {
            outcome.add(self.should(
                self.value.clone(),
                &format!("should be greater than or equal to {shown}"),
            ));
        }
    }

    fn most(&self, number: &Number, range: &Range, outcome: &mut Outcome) {
        let Some(most) = range.maximum else { return };
        let wrong = self.out_of_type(most, None, "Maximum boundary");
        let (order, shown) = compare(number, most, wrong.is_none());
        wrong.into_iter().for_each(|error| outcome.add(error));
        if range.exclusive_maximum && order.is_ge() {
            outcome.add(self.should(self.value.clone(), &format!("should be less than {shown}")));
        } else if order.is_gt() {
            outcome.add(self.should(self.value.clone(), &format!("should be less than or equal to {shown}")));
        }
    }

    fn list(&self, items: &[Value], outcome: &mut Outcome) {
        if let Some(shape) = &self.shape.items {
            for (at, item) in items.iter().enumerate() {
                let path = self.path.then(Step::Index(at));
                let old = self.old.and_then(|old| old.item(item));
                outcome.merge(unless_unchanged(shape, item, old, &path));
            }
        }
        let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
        let Count { least, most } = self.shape.items_count;
        if let Some(least) = least.filter(|least| length < *least) {
            outcome.add(self.should(length, &format!("should have at least {least} items")));
        }
        if let Some(most) = most.filter(|most| length > *most) {
            outcome.add(FieldError::too_many(self.place(), items.len(), most));
        }
        if self.shape.unique_items && items.iter().enumerate().any(|(at, item)| items[..at].contains(item)) {
            outcome.add(self.should("", "shouldn't contain duplicates"));
        }
        outcome.matches += 2;
    }

    fn object(&self, entries: &Map<String, Value>, outcome: &mut Outcome) {
        let length = i64::try_from(entries.len()).unwrap_or(i64::MAX);
        let Count { least, most } = self.shape.properties_count;
        if let Some(least) = least.filter(|least| length < *least) {
            outcome.add(self.should(length, &format!("should have at least {least} properties")));
        }
        if let Some(most) = most.filter(|most| length > *most) {
            outcome.add(FieldError::too_many(self.place(), entries.len(), most));
        }
        for (name, entry) in entries {
            let shape = match (self.shape.property(name), &self.shape.additional) {
                (Some(shape), _) => shape,
                (None, Additional::Typed(shape)) => shape,
                (None, Additional::Nothing) => {
                    let place = self.path.dotted();
                    let detail = format!("{place}.{name} in body is a forbidden property");
                    outcome.add(FieldError::invalid(self.place(), name.as_str(), detail));
                    continue;
                }
                (None, Additional::Undeclared | Additional::Anything) => continue,
            };
            let path = self.path.field(name);
            // Both objects are converted to the version asked for, so that these two never count as unchanged.
            let frame = self.path.is_root() && matches!(name.as_str(), "apiVersion" | "kind");
            let old = self.old.filter(|_| !frame).and_then(|old| old.key(name));
            outcome.merge(unless_unchanged(shape, entry, old, &path));
        }
        for name in self
            .shape
            .required
            .iter()
            .filter(|name| !entries.contains_key(&***name))
        {
            outcome.add(FieldError::required(self.path.field(name).dotted(), ""));
        }
        outcome.matches += 1;
    }

    fn alternatives(&self, outcome: &mut Outcome) {
        // What is below an alternative is excused where it is unchanged, the alternative itself is not.
        let run = |shape: &Shape| check(shape, self.value, self.old, self.path);
        let shape = self.shape;
        let place = || quote(&self.path.dotted());
        if !shape.any_of.is_empty() {
            let mut best: Option<Outcome> = None;
            for one in &shape.any_of {
                let result = run(one);
                if result.is_valid() {
                    best = Some(result);
                    break;
                }
                if best.as_ref().is_none_or(|best| result.matches > best.matches) {
                    best = Some(result);
                }
            }
            if best.as_ref().is_some_and(|best| !best.is_valid()) {
                outcome.add(Self::general(format!(
                    "{} must validate at least one schema (anyOf)",
                    place()
                )));
            }
            best.into_iter().for_each(|best| outcome.merge(best));
        }
        if !shape.one_of.is_empty() {
            self.exactly_one(outcome, &run);
        }
        if !shape.all_of.is_empty() {
            let mut valid = 0;
            for one in &shape.all_of {
                let result = run(one);
                valid += usize::from(result.is_valid());
                outcome.merge(result);
            }
            if valid != shape.all_of.len() {
                let more = if valid == 0 { ". None validated" } else { "" };
                outcome.add(Self::general(format!(
                    "{} must validate all the schemas (allOf){more}",
                    place()
                )));
            }
        }
        if shape.not.as_ref().is_some_and(|not| run(not).is_valid()) {
            outcome.add(Self::general(format!("{} must not validate the schema (not)", place())));
        }
    }

    fn exactly_one(&self, outcome: &mut Outcome, run: &dyn Fn(&Shape) -> Outcome) {
        let mut valid = 0;
        let (mut first, mut best): (Option<Outcome>, Option<Outcome>) = (None, None);
        for one in &self.shape.one_of {
            let result = run(one);
            if result.is_valid() {
                valid += 1;
                best = None;
                first.get_or_insert(result);
            } else if valid == 0 && best.as_ref().is_none_or(|best| result.matches > best.matches) {
                best = Some(result);
            }
        }
        if valid == 1 {
            first.into_iter().for_each(|first| outcome.merge(first));
            return;
        }
        let more = match valid {
            0 => "Found none valid".to_owned(),
            several => format!("Found {several} valid alternatives"),
        };
        let place = quote(&self.path.dotted());
        outcome.add(Self::general(format!(
            "{place} must validate one and only one schema (oneOf). {more}"
        )));
        best.into_iter().for_each(|best| outcome.merge(best));
    }
}

fn is_integer(number: &Number) -> bool {
    number.is_i64() || number.is_u64()
}

/// Whether a float stands for an integer that JSON can carry.
fn is_whole(value: f64) -> bool {
    const MOST: f64 = 9_007_199_254_740_991.0;
    value.is_finite()
        && value.abs() <= MOST
        && (value - value.round()).abs() <= 1e-9 * value.abs().max(f64::MIN_POSITIVE)
}

fn fits_i64(value: f64) -> bool {
    value.abs() < 9.223_372_036_854_776e18
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a bound for integers is cut off as servers do, and saturates"
)]
fn truncated(value: f64) -> i64 {
    value as i64
}

/// How a number stands to a bound, and how the bound is written.
fn compare(number: &Number, bound: f64, as_integers: bool) -> (std::cmp::Ordering, String) {
    if let Some(integer) = number.as_i64().filter(|_| as_integers) {
        let bound = truncated(bound);
        return (integer.cmp(&bound), bound.to_string());
    }
    let value = number.as_f64().unwrap_or_default();
    (value.total_cmp(&bound), float(bound))
}

/// Numbers are compared as the listed one's type, which cuts a fraction off.
fn is_choice(value: &Value, choice: &Value) -> bool {
    match (value, choice) {
        // Null is no choice, not even where it is listed.
        (Value::Null, _) => false,
        (Value::Number(value), Value::Number(choice)) => match choice.as_i64() {
            Some(choice) => value.as_i64().or_else(|| value.as_f64().map(truncated)) == Some(choice),
            None => value.as_f64() == choice.as_f64(),
        },
        (value, choice) => value == choice,
    }
}
