//! The metadata of an object: names, labels, annotations, owners, finalizers, and what an update may not change.

use serde_json::{Map, Value};

use super::error::FieldError;
use super::names::{label, label_value, qualified, subdomain};

const MOST_ANNOTATION_BYTES: usize = 256 * 1024;

/// Metadata, and where they stand.
pub(super) struct Metadata<'a> {
    entries: Option<&'a Map<String, Value>>,
    path: &'a str,
}

/// How a name is judged. The second argument says whether it is the beginning of one only.
pub(super) type NameRule = fn(&str, bool) -> Vec<String>;

/// Names of custom resources.
pub(super) fn object_name(name: &str, is_prefix: bool) -> Vec<String> {
    subdomain(&masked(name, is_prefix))
}

/// Names of which nothing is known but that they are part of a path.
pub(super) fn path_segment(name: &str, is_prefix: bool) -> Vec<String> {
    if !is_prefix && matches!(name, "." | "..") {
        return vec![format!("may not be '{name}'")];
    }
    let forbidden = ["/", "%"].iter().filter(|part| name.contains(**part));
    forbidden.map(|part| format!("may not contain '{part}'")).collect()
}

/// What a generated suffix follows may end in a dash.
fn masked(name: &str, is_prefix: bool) -> String {
    match name.strip_suffix('-') {
        // The last two characters make way for one: so do servers.
        Some(rest) if is_prefix && !rest.is_empty() => {
            let mut rest = rest.to_owned();
            rest.pop();
            rest.push('a');
            rest
        }
        _ => name.to_owned(),
    }
}

impl<'a> Metadata<'a> {
    pub(super) fn new(object: &'a Value, path: &'a str) -> Self {
        Self {
            entries: object.get("metadata").and_then(Value::as_object),
            path,
        }
    }

    fn get(&self, field: &str) -> Option<&'a Value> {
        self.entries?.get(field)
    }

    fn text(&self, field: &str) -> &'a str {
        self.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    fn at(&self, field: &str) -> String {
        format!("{}.{field}", self.path)
    }

    fn strings(&self, field: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let entries = self.get(field).and_then(Value::as_object).into_iter().flatten();
        entries.map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default()))
    }

    fn finalizers(&self) -> Vec<&'a str> {
        let all = self.get("finalizers").and_then(Value::as_array).into_iter().flatten();
        all.filter_map(Value::as_str).collect()
    }

    /// What is wrong with the metadata of a new object.
    pub(super) fn on_create(&self, namespaced: bool, rule: NameRule) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut add = |field: &str, value: &str, wrong: Vec<String>| {
            errors.extend(
                wrong
                    .into_iter()
                    .map(|why| FieldError::invalid(self.at(field), value, why)),
            );
        };
        let (name, prefix) = (self.text("name"), self.text("generateName"));
        if !prefix.is_empty() {
            add("generateName", prefix, rule(prefix, true));
        }
        if !name.is_empty() {
            add("name", name, rule(name, false));
        } else if prefix.is_empty() {
            errors.push(FieldError::required(
                self.at("name"),
                "name or generateName is required",
            ));
        }
        let namespace = self.text("namespace");
        match (namespaced, namespace.is_empty()) {
            (true, true) => errors.push(FieldError::required(self.at("namespace"), "")),
            (true, false) => {
                let wrong = label(namespace).into_iter();
                errors.extend(wrong.map(|why| FieldError::invalid(self.at("namespace"), namespace, why)));
            }
            (false, false) => errors.push(FieldError::forbidden(self.at("namespace"), "not allowed on this type")),
            (false, true) => {}
        }
        if let Some(generation) = self
            .get("generation")
            .and_then(Value::as_i64)
            .filter(|generation| *generation < 0)
        {
            let why = "must be greater than or equal to 0";
            errors.push(FieldError::invalid(self.at("generation"), generation, why));
        }
        self.labels(&mut errors);
        self.annotations(&mut errors);
        self.owners(&mut errors);
        self.check_finalizers(&mut errors);
        self.managers(&mut errors);
        errors
    }

    /// What is wrong with the metadata that take the place of others.
    pub(super) fn on_update(&self, old: &Self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if old.get("deletionTimestamp").is_some_and(|time| !time.is_null()) {
            let known = old.finalizers();
            let mut new: Vec<&str> = self
                .finalizers()
                .into_iter()
                .filter(|one| !known.contains(one))
                .collect();
            new.sort_unstable();
            new.dedup();
            if !new.is_empty() {
                let quoted: Vec<String> = new.into_iter().map(super::text::quote).collect();
                let detail = format!(
                    "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                    quoted.join(", ")
                );
                errors.push(FieldError::forbidden(self.at("finalizers"), detail));
            }
        }
        if self.text("resourceVersion").is_empty() {
            errors.push(FieldError::invalid(
                self.at("resourceVersion"),
                "",
                "must be specified for an update",
            ));
        }
        let generation = |of: &Self| of.get("generation").and_then(Value::as_i64).unwrap_or_default();
        if generation(self) < generation(old) {
            let why = "must not be decremented";
            errors.push(FieldError::invalid(self.at("generation"), generation(self), why));
        }
        for field in ["name", "namespace", "uid"] {
            if self.text(field) != old.text(field) {
                errors.push(FieldError::invalid(
                    self.at(field),
                    self.text(field),
                    "field is immutable",
                ));
            }
        }
        for field in ["creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] {
            let value = |of: &Self| of.get(field).cloned().unwrap_or_default();
            if value(self) != value(old) {
                errors.push(FieldError::invalid(self.at(field), value(self), "field is immutable"));
            }
        }
        self.labels(&mut errors);
        self.annotations(&mut errors);
        self.owners(&mut errors);
        self.managers(&mut errors);
        errors
    }

    fn labels(&self, errors: &mut Vec<FieldError>) {
        let at = || self.at("labels");
        for (name, value) in self.strings("labels") {
            errors.extend(
                qualified(name)
                    .into_iter()
                    .map(|why| FieldError::invalid(at(), name, why)),
            );
            errors.extend(
                label_value(value)
                    .into_iter()
                    .map(|why| FieldError::invalid(at(), value, why)),
            );
        }
    }

    fn annotations(&self, errors: &mut Vec<FieldError>) {
        let at = || self.at("annotations");
        let mut size = 0;
        for (name, value) in self.strings("annotations") {
            let wrong = qualified(&name.to_lowercase());
            errors.extend(wrong.into_iter().map(|why| FieldError::invalid(at(), name, why)));
            size += name.len() + value.len();
        }
        if size > MOST_ANNOTATION_BYTES {
            errors.push(FieldError::too_long(at(), 262_144));
        }
    }

    fn owners(&self, errors: &mut Vec<FieldError>) {
        let at = self.at("ownerReferences");
        let owners = self
            .get("ownerReferences")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let mut controller: Option<String> = None;
        for owner in owners {
            let text = |field: &str| owner[field].as_str().unwrap_or_default();
            let version = text("apiVersion").rsplit('/').next().unwrap_or_default();
            if version.is_empty() || text("apiVersion").matches('/').count() > 1 {
                let why = "version must not be empty";
                errors.push(FieldError::invalid(format!("{at}.apiVersion"), text("apiVersion"), why));
            }
            for field in ["kind", "name", "uid"] {
                if text(field).is_empty() {
                    errors.push(FieldError::invalid(format!("{at}.{field}"), "", "must not be empty"));
                }
            }
            if text("apiVersion") == "v1" && text("kind") == "Event" {
                let why = "/v1, Kind=Event is disallowed from being an owner";
                errors.push(FieldError::invalid(at.clone(), owner.clone(), why));
            }
            if owner["controller"] == Value::Bool(true) {
                let this = format!("{}/{}", text("kind"), text("name"));
                match &controller {
                    None => controller = Some(this),
                    Some(first) => {
                        let detail = format!(
                            "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {this}"
                        );
                        let all = self.get("ownerReferences").cloned().unwrap_or_default();
                        errors.push(FieldError::invalid(at.clone(), all, detail));
                    }
                }
            }
        }
    }

    fn check_finalizers(&self, errors: &mut Vec<FieldError>) {
        let at = || self.at("finalizers");
        let all = self.finalizers();
        for name in &all {
            errors.extend(
                qualified(name)
                    .into_iter()
                    .map(|why| FieldError::invalid(at(), *name, why)),
            );
        }
        if all.contains(&"orphan") && all.contains(&"foregroundDeletion") {
            let why = "finalizer orphan and foregroundDeletion cannot be both set";
            errors.push(FieldError::invalid(at(), all, why));
        }
    }

    fn managers(&self, errors: &mut Vec<FieldError>) {
        let all = self
            .get("managedFields")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        for (at, entry) in all.enumerate() {
            let place = |field: &str| format!("{}.managedFields[{at}].{field}", self.path);
            let text = |field: &str| entry[field].as_str().unwrap_or_default();
            if !matches!(text("operation"), "Apply" | "Update") {
                let why = "must be `Apply` or `Update`";
                errors.push(FieldError::invalid(place("operation"), text("operation"), why));
            }
            if !matches!(text("fieldsType"), "" | "FieldsV1") {
                let why = "must be `FieldsV1`";
                errors.push(FieldError::invalid(place("fieldsType"), text("fieldsType"), why));
            }
            for (field, most) in [("manager", 128_u16), ("subresource", 256)] {
                if text(field).len() > usize::from(most) {
                    errors.push(FieldError::too_long(place(field), most.into()));
                }
            }
        }
    }

    /// What a server says beside its answer of finalizers that an object did not have before.
    pub(super) fn warnings(&self, old: Option<&Self>) -> Vec<String> {
        let known = old.map(Self::finalizers).unwrap_or_default();
        let mut new: Vec<&str> = self
            .finalizers()
            .into_iter()
            .filter(|one| !known.contains(one))
            .collect();
        new.sort_unstable();
        new.dedup();
        let mut warnings = Vec::new();
        for name in new {
            let begin = format!("{}: {}", self.at("finalizers"), super::text::quote(name));
            warnings.extend(qualified(name).into_iter().map(|why| format!("{begin}: {why}")));
            if name.contains('/') || matches!(name, "orphan" | "foregroundDeletion" | "kubernetes") {
                continue;
            }
            let (how, so_that) = if name.contains('.') {
                (" including a path (/)", " with other finalizer writers")
            } else {
                ("", " with other finalizer writers")
            };
            warnings.push(format!(
                "{begin}: prefer a domain-qualified finalizer name{how} to avoid accidental conflicts{so_that}"
            ));
        }
        warnings
    }
}

/// Why metadata can't be read at all, in the words of Go's JSON reader.
pub(super) fn unreadable(object: &Value) -> Option<String> {
    let metadata = object.get("metadata")?;
    let cannot = |found: &Value, field: &str, wanted: &str| {
        let found = match found {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        match field {
            "" => format!("json: cannot unmarshal {found} into Go value of type {wanted}"),
            field => format!("json: cannot unmarshal {found} into Go struct field ObjectMeta.{field} of type {wanted}"),
        }
    };
    let Some(entries) = metadata.as_object() else {
        return (!metadata.is_null()).then(|| cannot(metadata, "", "v1.ObjectMeta"));
    };
    for (name, value) in entries.iter().filter(|(_, value)| !value.is_null()) {
        let wrong = match name.as_str() {
            "name" | "generateName" | "namespace" | "resourceVersion" | "selfLink" if !value.is_string() => {
                Some("string")
            }
            "uid" if !value.is_string() => Some("types.UID"),
            "generation" if !value.is_i64() => Some("int64"),
            "labels" | "annotations" if !value.is_object() => Some("map[string]string"),
            "finalizers" if !value.is_array() => Some("[]string"),
            "ownerReferences" if !value.is_array() => Some("[]v1.OwnerReference"),
            "managedFields" if !value.is_array() => Some("[]v1.ManagedFieldsEntry"),
            _ => None,
        };
        if let Some(wanted) = wrong {
            return Some(cannot(value, name, wanted));
        }
        let texts: Box<dyn Iterator<Item = &Value>> = match (name.as_str(), value) {
            ("labels" | "annotations", Value::Object(entries)) => Box::new(entries.values()),
            ("finalizers", Value::Array(items)) => Box::new(items.iter()),
            _ => continue,
        };
        if let Some(odd) = texts.filter(|text| !text.is_null()).find(|text| !text.is_string()) {
            return Some(cannot(odd, name, "string"));
        }
    }
    None
}
