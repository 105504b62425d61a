//! A small structural validator: as much as is needed to judge upstream's cases.

use std::collections::BTreeMap;
use std::sync::Arc;

use cel::common::types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString};
use cel::common::value::Val;
use cel::{Context, Env, Program};
use regex::Regex;
use serde_json::{Map, Value, json};

use super::functions::{go_regex, parse_duration};

/// One schema, its rules compiled.
#[derive(Default)]
pub(super) struct Schema {
    kind: String,
    nullable: bool,
    preserve: bool,
    int_or_string: bool,
    embedded: bool,
    default: Option<Value>,
    required: Vec<String>,
    properties: BTreeMap<String, Schema>,
    additional: Option<Box<Schema>>,
    items: Option<Box<Schema>>,
    list_type: String,
    list_keys: Vec<String>,
    allowed: Vec<Value>,
    pattern: Option<(String, Regex)>,
    format: String,
    bounds: BTreeMap<&'static str, f64>,
    exclusive: (bool, bool),
    all_of: Vec<Schema>,
    any_of: Vec<Schema>,
    one_of: Vec<Schema>,
    not: Option<Box<Schema>>,
    rules: Vec<Rule>,
}

struct Rule {
    source: String,
    program: Program,
    message: Option<String>,
    uses_old: bool,
}

/// What compiling the rules of a schema came to.
#[derive(Default)]
pub(super) struct Compiled {
    pub(super) rules: usize,
    pub(super) failed: Vec<String>,
}

const BOUNDS: [&str; 8] = [
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
];

impl Schema {
    pub(super) fn new(json: &Value, env: &Env, compiled: &mut Compiled) -> Self {
        let text = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
        let flag = |key: &str| json[key].as_bool().unwrap_or_default();
        let strings = |key: &str| -> Vec<String> {
            let list = json[key].as_array().into_iter().flatten();
            list.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let mut schema = Self {
            kind: text("type"),
            nullable: flag("nullable"),
            preserve: flag("x-kubernetes-preserve-unknown-fields"),
            int_or_string: flag("x-kubernetes-int-or-string"),
            embedded: flag("x-kubernetes-embedded-resource"),
            default: json.get("default").cloned(),
            required: strings("required"),
            list_type: text("x-kubernetes-list-type"),
            list_keys: strings("x-kubernetes-list-map-keys"),
            allowed: json["enum"].as_array().cloned().unwrap_or_default(),
            format: text("format"),
            exclusive: (flag("exclusiveMinimum"), flag("exclusiveMaximum")),
            ..Self::default()
        };
        schema.bounds = BOUNDS
            .iter()
            .filter_map(|key| Some((*key, json[*key].as_f64()?)))
            .collect();
        if let Some(pattern) = json["pattern"].as_str() {
            match go_regex(pattern) {
                Ok(regex) => schema.pattern = Some((pattern.to_owned(), regex)),
                Err(error) => compiled.failed.push(format!("pattern {pattern}: {error}")),
            }
        }
        for (name, child) in json["properties"].as_object().into_iter().flatten() {
            schema.properties.insert(name.clone(), Self::new(child, env, compiled));
        }
        let mut child = |key: &str| {
            json.get(key)
                .filter(|v| v.is_object())
                .map(|v| Box::new(Self::new(v, env, compiled)))
        };
        schema.items = child("items");
        schema.additional = child("additionalProperties");
        schema.not = child("not");
        let mut list = |key: &str| -> Vec<Self> {
            json[key]
                .as_array()
                .into_iter()
                .flatten()
                .map(|v| Self::new(v, env, compiled))
                .collect()
        };
        (schema.all_of, schema.any_of, schema.one_of) = (list("allOf"), list("anyOf"), list("oneOf"));
        for rule in json["x-kubernetes-validations"].as_array().into_iter().flatten() {
            compiled.rules += 1;
            let source = rule["rule"].as_str().unwrap_or_default();
            match env.compile(source) {
                Ok(program) => schema.rules.push(Rule {
                    source: source.to_owned(),
                    uses_old: program.references().has_variable("oldSelf"),
                    message: rule["message"].as_str().map(|message| message.trim().to_owned()),
                    program,
                }),
                Err(error) => compiled.failed.push(format!("{source}: {error}")),
            }
        }
        schema
    }

    /// Takes out what the schema does not know, then fills in defaults.
    pub(super) fn settle(&self, value: &mut Value) {
        match value {
            Value::Object(map) => {
                if !self.preserve && self.additional.is_none() && !self.embedded && self.kind == "object" {
                    map.retain(|key, _| self.properties.contains_key(key));
                }
                for (name, child) in &self.properties {
                    let is_null = map.get(name).is_some_and(Value::is_null);
                    if is_null && !child.nullable && child.default.is_some() {
                        map.remove(name);
                    }
                    if let (false, Some(default)) = (map.contains_key(name), &child.default) {
                        map.insert(name.clone(), default.clone());
                    }
                    if let Some(value) = map.get_mut(name) {
                        child.settle(value);
                    }
                }
                if let Some(additional) = &self.additional {
                    map.values_mut().for_each(|value| additional.settle(value));
                }
            }
            Value::Array(list) => {
                if let Some(items) = &self.items {
                    list.iter_mut().for_each(|value| items.settle(value));
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// Validates an object; `old` is the one that it replaces.
    pub(super) fn validate(&self, value: &Value, old: Option<&Value>, env: &Arc<Env>) -> Vec<String> {
        let mut errors = self.shape(value, old);
        // As the API server does: rules run beside a wrong value, but not on what has another shape than they expect.
        const BLOCKING: [&str; 5] = [
            ": Required value",
            ": Unsupported value",
            ": Too long",
            ": Too many",
            ": must be of type",
        ];
        if !errors
            .iter()
            .any(|error| BLOCKING.iter().any(|sign| error.contains(sign)))
        {
            self.run(value, old, "", env, &mut errors);
        }
        errors
    }

    /// What is wrong with an object without regard to its rules.
    pub(super) fn shape(&self, value: &Value, old: Option<&Value>) -> Vec<String> {
        let mut errors = Vec::new();
        self.check(value, old, "", &mut errors);
        errors
    }

    fn check(&self, value: &Value, old: Option<&Value>, path: &str, errors: &mut Vec<String>) {
        let mut found = Vec::new();
        if value.is_null() && self.nullable {
            return;
        }
        if !self.has_type(value) {
            found.push(format!("{path}: Invalid value: must be of type {}", self.kind));
        }
        if !self.allowed.is_empty() && !self.allowed.contains(value) {
            let names: Vec<String> = self.allowed.iter().map(Value::to_string).collect();
            found.push(format!(
                "{path}: Unsupported value: {value}: supported values: {}",
                names.join(", ")
            ));
        }
        self.check_bounds(value, path, &mut found);
        self.check_text(value, path, &mut found);
        let passes = |schema: &Self| {
            let mut errors = Vec::new();
            schema.check(value, None, path, &mut errors);
            errors.is_empty()
        };
        let one = self.one_of.is_empty() || self.one_of.iter().filter(|s| passes(s)).count() == 1;
        let any = self.any_of.is_empty() || self.any_of.iter().any(passes);
        if !one || !any || !self.all_of.iter().all(passes) || self.not.as_ref().is_some_and(|s| passes(s)) {
            found.push(format!(
                "{path}: Invalid value: {value}: fails allOf, anyOf, oneOf or not"
            ));
        }
        if let Value::Object(map) = value {
            for name in self.required.iter().filter(|name| !map.contains_key(*name)) {
                found.push(format!("{}: Required value", join(path, name)));
            }
        }
        if let Value::Array(list) = value {
            self.check_unique(list, path, &mut found);
        }
        // What was there before may stay as it is ("ratcheting").
        if old != Some(value) {
            errors.append(&mut found);
        }
        self.each_child(value, old, path, &mut |schema, value, old, path| {
            schema.check(value, old, path, errors);
        });
    }

    fn has_type(&self, value: &Value) -> bool {
        if self.int_or_string {
            return value.is_string() || value.is_i64() || value.is_u64();
        }
        match self.kind.as_str() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            _ => true,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of items are small")]
    fn check_bounds(&self, value: &Value, path: &str, found: &mut Vec<String>) {
        let bound = |key: &str| self.bounds.get(key).copied();
        let too_few = |key: &str, size: usize| bound(key).is_some_and(|least| (size as f64) < least);
        let too_many = |key: &str, size: usize| bound(key).is_some_and(|most| (size as f64) > most);
        let limit = |key: &str| bound(key).unwrap_or_default();
        match value {
            Value::String(text) => {
                let size = text.chars().count();
                if too_few("minLength", size) {
                    found.push(format!(
                        "{path} in body should be at least {} chars long",
                        limit("minLength")
                    ));
                }
                if too_many("maxLength", size) {
                    found.push(format!(
                        "{path}: Too long: may not be more than {} bytes",
                        limit("maxLength")
                    ));
                }
            }
            Value::Array(list) => {
                if too_few("minItems", list.len()) {
                    found.push(format!(
                        "{path} in body should have at least {} items",
                        limit("minItems")
                    ));
                }
                if too_many("maxItems", list.len()) {
                    let (most, plural) = (limit("maxItems"), if limit("maxItems") == 1.0 { "" } else { "s" });
                    found.push(format!(
                        "{path}: Too many: {}: must have at most {most} item{plural}",
                        list.len()
                    ));
                }
            }
            Value::Object(map) => {
                if too_few("minProperties", map.len()) {
                    found.push(format!(
                        "{path} in body should have at least {} properties",
                        limit("minProperties")
                    ));
                }
                if too_many("maxProperties", map.len()) {
                    found.push(format!(
                        "{path}: Too many: must have at most {} items",
                        limit("maxProperties")
                    ));
                }
            }
            Value::Number(number) => {
                let number = number.as_f64().unwrap_or_default();
                let (open_min, open_max) = self.exclusive;
                if bound("minimum").is_some_and(|least| number < least || (open_min && number == least)) {
                    found.push(format!(
                        "{path} in body should be greater than or equal to {}",
                        limit("minimum")
                    ));
                }
                if bound("maximum").is_some_and(|most| number > most || (open_max && number == most)) {
                    found.push(format!(
                        "{path} in body should be less than or equal to {}",
                        limit("maximum")
                    ));
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn check_text(&self, value: &Value, path: &str, found: &mut Vec<String>) {
        let Value::String(text) = value else { return };
        if let Some((pattern, regex)) = &self.pattern
            && !regex.is_match(text)
        {
            found.push(format!("{path} in body should match '{pattern}'"));
        }
        let is_well = match self.format.as_str() {
            "date-time" => text.parse::<jiff::Timestamp>().is_ok(),
            "duration" => parse_duration(text).is_some(),
            "uuid" => go_regex("^(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$")
                .is_ok_and(|regex| regex.is_match(text)),
            _ => true,
        };
        if !is_well {
            found.push(format!("{path} in body must be of type {}: {text:?}", self.format));
        }
    }

    fn check_unique(&self, list: &[Value], path: &str, found: &mut Vec<String>) {
        let key = |item: &Value| match self.list_type.as_str() {
            "map" => json!(self.list_keys.iter().map(|key| &item[key.as_str()]).collect::<Vec<_>>()),
            _ => item.clone(),
        };
        if !matches!(self.list_type.as_str(), "map" | "set") {
            return;
        }
        for (i, item) in list.iter().enumerate() {
            if list[..i].iter().any(|other| key(other) == key(item)) {
                found.push(format!("{path}[{i}]: Duplicate value: {}", key(item)));
            }
        }
    }

    /// Calls for each child that has a schema, with the old child that corresponds to it.
    fn each_child<'v>(&self, value: &'v Value, old: Option<&'v Value>, path: &str, call: &mut ForChild<'_, 'v>) {
        match value {
            Value::Object(map) => {
                for (name, child) in map {
                    let schema = self.properties.get(name).or(self.additional.as_deref());
                    if let Some(schema) = schema {
                        call(schema, child, old.and_then(|old| old.get(name)), &join(path, name));
                    }
                }
            }
            Value::Array(list) => {
                let Some(items) = &self.items else { return };
                for (i, child) in list.iter().enumerate() {
                    let same = |other: &&Value| {
                        self.list_keys
                            .iter()
                            .all(|key| other[key.as_str()] == child[key.as_str()])
                    };
                    // Only the items of a keyed list are the same ones as before.
                    let old = match (self.list_type.as_str(), old) {
                        ("map", Some(Value::Array(old))) => old.iter().find(same),
                        _ => None,
                    };
                    call(items, child, old, &format!("{path}[{i}]"));
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn run(&self, value: &Value, old: Option<&Value>, path: &str, env: &Arc<Env>, errors: &mut Vec<String>) {
        if value.is_null() {
            return;
        }
        if !self.rules.is_empty() {
            let mut context = Context::with_env(Arc::clone(env));
            context.add_variable_as_val("self", self.bind(value));
            if let Some(old) = old {
                context.add_variable_as_val("oldSelf", self.bind(old));
            }
            for rule in &self.rules {
                if rule.uses_old && old.is_none() || !rule.uses_old && old == Some(value) {
                    continue;
                }
                let fault = match rule.program.execute(&context) {
                    Ok(cel::Value::Bool(true)) => continue,
                    Ok(cel::Value::Bool(false)) => String::new(),
                    Ok(other) => format!(" (evaluated to {other:?})"),
                    Err(error) => format!(" ({error})"),
                };
                let message = rule
                    .message
                    .clone()
                    .unwrap_or_else(|| format!("failed rule: {}", rule.source));
                errors.push(format!("{path}: Invalid value: {message}{fault}"));
            }
        }
        self.each_child(value, old, path, &mut |schema, value, old, path| {
            schema.run(value, old, path, env, errors);
        });
    }

    /// The value as CEL sees it: strings borrowed; names of fields escaped, names of map keys not.
    fn bind<'v>(&self, value: &'v Value) -> Box<dyn Val + 'v> {
        match value {
            Value::Null => Box::new(CelNull),
            Value::Bool(flag) => Box::new(CelBool::from(*flag)),
            Value::Number(number) => match number.as_i64() {
                Some(integer) if self.kind != "number" => Box::new(CelInt::from(integer)),
                _ => Box::new(CelDouble::from(number.as_f64().unwrap_or_default())),
            },
            Value::String(text) => Box::new(CelString::from(text.as_str())),
            Value::Array(list) => {
                let mut list: Vec<&Value> = list.iter().collect();
                // The order of these says nothing, so that equality must not see it.
                if self.list_type == "map" {
                    let key = |item: &Value| {
                        self.list_keys
                            .iter()
                            .map(|key| item[key.as_str()].to_string())
                            .collect()
                    };
                    list.sort_by_cached_key(|item| -> Vec<String> { key(item) });
                } else if self.list_type == "set" {
                    list.sort_by_cached_key(|item| item.to_string());
                }
                let any = Self::default();
                let items = self.items.as_deref().unwrap_or(&any);
                CelList::from(list.into_iter().map(|item| items.bind(item)).collect::<Vec<_>>()).into_box()
            }
            Value::Object(map) => self.bind_map(map),
        }
    }

    #[expect(
        clippy::disallowed_types,
        reason = "what the crate's map is made of; no order of it is seen"
    )]
    fn bind_map<'v>(&self, map: &'v Map<String, Value>) -> Box<dyn Val + 'v> {
        let any = Self::default();
        let fields: std::collections::HashMap<CelMapKey<'v>, Box<dyn Val + 'v>> = map
            .iter()
            .map(|(name, value)| match self.properties.get(name) {
                Some(schema) => (escape(name), schema.bind(value)),
                None => (
                    name.as_str().into(),
                    self.additional.as_deref().unwrap_or(&any).bind(value),
                ),
            })
            .collect();
        CelMap::from(fields).into_box()
    }
}

/// Called with a child's schema, the child, the old child that it replaces, and its path.
type ForChild<'c, 'v> = dyn FnMut(&Schema, &'v Value, Option<&'v Value>, &str) + 'c;

/// Boxing that infers.
trait IntoBox<'v> {
    fn into_box(self) -> Box<dyn Val + 'v>;
}

impl<'v, T: Val + 'v> IntoBox<'v> for T {
    fn into_box(self) -> Box<dyn Val + 'v> {
        Box::new(self)
    }
}

/// A field's name as rules write it: CEL has no other way to say `a-b` or `namespace`.
fn escape(name: &str) -> CelMapKey<'_> {
    const RESERVED: [&str; 20] = [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "while",
    ];
    if RESERVED.contains(&name) {
        return format!("__{name}__").into();
    }
    if !name.contains(['.', '-', '/']) && !name.contains("__") {
        return name.into();
    }
    let escaped = name.replace("__", "__underscores__").replace('.', "__dot__");
    escaped.replace('-', "__dash__").replace('/', "__slash__").into()
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}
