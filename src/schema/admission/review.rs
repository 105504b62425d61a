//! What a server would say of a whole document, and what it would do with it: the verdict, and field by field what it
//! would forget and fill in.

use serde_json::Value;

use super::super::crd;
use super::definitions::{Definitions, Lookup, is_definition};
use super::path::{Path, Step};
use super::pipeline::{FieldValidation, Request, Subresource, admit};
use super::{Admission, AdmissionError, Admitted, Rejected, unknown};

/// A document to be judged.
#[derive(Clone, Copy, Debug)]
pub struct Submission<'a> {
    /// The document, as it would be sent.
    pub object: &'a Value,
    /// What is stored, as it was read; none for a create.
    pub old: Option<&'a Value>,
    /// What becomes of unknown fields.
    pub field_validation: FieldValidation,
    /// Paths of fields that the text has more than once.
    pub repeated: &'a [String],
}

/// What is said of a document.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It is taken.
    Admitted(Effect),
    /// It is not.
    Rejected {
        /// The server's answer.
        why: Rejected,
        /// Of fields that are unknown or come twice: where, and what is said of them.
        fields: Vec<(String, String)>,
    },
    /// No definition is about its kind.
    NotChecked,
    /// Its kind is defined, and not served at its version; these are.
    NotServed(Vec<String>),
    /// The definition of its kind can't be used; why.
    Broken(String),
}

/// What becomes of a document that is taken.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effect {
    /// What the answer warns of.
    pub warnings: Vec<String>,
    /// Fields that are not stored.
    pub dropped: Vec<String>,
    /// Fields that are filled in, and with what.
    pub defaulted: Vec<(String, Value)>,
}

/// Judges a document by the definition of its kind; a definition itself is judged as such.
pub fn review(definitions: &Definitions, submission: Submission<'_>) -> Verdict {
    let Submission { object, .. } = submission;
    let text = |key: &str| object[key].as_str().unwrap_or_default();
    if is_definition(object) {
        return match crd::check(object) {
            Ok(_) => Verdict::Admitted(Effect::default()),
            Err(why) => Verdict::Rejected {
                why,
                fields: Vec::new(),
            },
        };
    }
    match definitions.find(text("apiVersion"), text("kind")) {
        Lookup::Known(admission) => judge(admission, submission),
        Lookup::Unknown => Verdict::NotChecked,
        Lookup::NotServed(definition) => {
            let served = definition.versions.iter().filter(|version| version.served);
            Verdict::NotServed(served.map(|version| version.name.clone()).collect())
        }
        Lookup::Broken(error) => Verdict::Broken(chain(error)),
    }
}

fn chain(error: &AdmissionError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

/// Judges a document as one of the kind.
pub fn judge(admission: &Admission, submission: Submission<'_>) -> Verdict {
    let Submission {
        object,
        old,
        field_validation,
        repeated,
    } = submission;
    let stored = old.map(|old| as_stored(admission, old));
    let sent = stored.as_ref().map(|stored| with_version(object, stored));
    let request = Request {
        object: sent.as_ref().unwrap_or(object),
        old: stored.as_ref(),
        subresource: Subresource::None,
        field_validation,
        repeated,
    };
    match admit(admission, request) {
        Ok(admitted) => Verdict::Admitted(effect(object, admitted, old.is_some())),
        Err(why) => Verdict::Rejected {
            fields: match &why {
                Rejected::Unreadable { .. } => unreadable_fields(admission, object, repeated),
                Rejected::Invalid { .. } => Vec::new(),
            },
            why,
        },
    }
}

/// What a server reads from its store, whatever somebody made of it since: pruned, with defaults, at this version.
fn as_stored(admission: &Admission, old: &Value) -> Value {
    let mut stored = old.clone();
    let schema = admission.schema();
    if let Some(entries) = stored.as_object_mut() {
        entries.insert("apiVersion".to_owned(), schema.api_version().into());
    }
    schema.prune(&mut stored);
    schema.apply_defaults(&mut stored);
    if let Some(metadata) = stored.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.entry("resourceVersion").or_insert_with(|| "1".into());
    }
    stored
}

/// Whoever writes an update says which version he has seen; what is in a file says none.
fn with_version(object: &Value, stored: &Value) -> Value {
    let mut sent = object.clone();
    if let Some(metadata) = sent.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert(
            "resourceVersion".to_owned(),
            stored["metadata"]["resourceVersion"].clone(),
        );
    }
    sent
}

fn unreadable_fields(admission: &Admission, object: &Value, repeated: &[String]) -> Vec<(String, String)> {
    let twice = repeated
        .iter()
        .map(|path| (path.clone(), format!("duplicate field \"{path}\"")));
    let unknown = unknown::fields(admission.schema(), object).into_iter();
    let unknown = unknown.map(|path| {
        let what = format!("unknown field \"{path}\"");
        (path, what)
    });
    twice.chain(unknown).collect()
}

fn effect(sent: &Value, admitted: Admitted, is_update: bool) -> Effect {
    let mut effect = Effect {
        warnings: admitted.warnings,
        ..Effect::default()
    };
    let known = |value: &Value, name: &str| value.get(name).is_some();
    for (name, value) in admitted.object.as_object().into_iter().flatten() {
        // What is filled into the metadata is the server's own; an old status is kept whatever is sent.
        if name == "metadata" || (name == "status" && is_update) {
            continue;
        }
        let path = Path::ROOT.field(name);
        match sent.get(name) {
            Some(before) => compare(before, value, &path, &mut effect),
            None => effect.defaulted.push((path.dotted(), value.clone())),
        }
    }
    for name in sent.as_object().into_iter().flatten().map(|(name, _)| name) {
        if !known(&admitted.object, name) {
            effect.dropped.push(name.clone());
        }
    }
    effect
}

fn compare(sent: &Value, stored: &Value, path: &Path<'_>, effect: &mut Effect) {
    match (sent, stored) {
        (Value::Object(sent), Value::Object(stored)) => {
            for (name, value) in stored {
                let path = path.field(name);
                match sent.get(name) {
                    Some(Value::Null) | None if !value.is_null() => {
                        effect.defaulted.push((path.dotted(), value.clone()));
                    }
                    Some(before) => compare(before, value, &path, effect),
                    None => {}
                }
            }
            let gone = sent.keys().filter(|name| !stored.contains_key(*name));
            effect.dropped.extend(gone.map(|name| path.field(name).dotted()));
        }
        (Value::Array(sent), Value::Array(stored)) => {
            for (at, (sent, stored)) in sent.iter().zip(stored).enumerate() {
                compare(sent, stored, &path.then(Step::Index(at)), effect);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn definitions() -> Definitions {
        let schema = json!({"type": "object", "properties": {
            "spec": {"type": "object", "properties": {
                "size": {"type": "integer", "default": 3},
                "fixed": {"type": "string", "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "fixed is fixed"}]},
                "parts": {"type": "array", "items": {"type": "object", "properties": {
                    "name": {"type": "string"}, "kind": {"type": "string", "default": "plain"}}}},
            }},
            "status": {"type": "object", "properties": {"ready": {"type": "boolean"}}},
        }});
        let mut all = Definitions::default();
        all.add(json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "things.example.io"},
            "spec": {"group": "example.io", "scope": "Namespaced", "names": {"plural": "things", "kind": "Thing"},
                "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": schema}}]},
        }))
        .unwrap();
        all
    }

    fn thing(spec: &Value) -> Value {
        json!({"apiVersion": "example.io/v1", "kind": "Thing", "metadata": {"name": "a", "namespace": "n"}, "spec": spec})
    }

    fn of(object: &Value, old: Option<&Value>, field_validation: FieldValidation) -> Verdict {
        let submission = Submission {
            object,
            old,
            field_validation,
            repeated: &[],
        };
        review(&definitions(), submission)
    }

    #[test]
    fn says_what_is_filled_in_and_what_is_forgotten() {
        let mut object = thing(&json!({"more": 1, "parts": [{"name": "x"}]}));
        object["status"] = json!({"ready": true});
        let Verdict::Admitted(effect) = of(&object, None, FieldValidation::Warn) else {
            panic!("it is refused")
        };
        assert_eq!(effect.warnings, ["unknown field \"spec.more\""]);
        assert_eq!(effect.dropped, ["spec.more", "status"]);
        let filled = [("spec.parts[0].kind", json!("plain")), ("spec.size", json!(3))];
        assert_eq!(effect.defaulted, filled.map(|(path, value)| (path.to_owned(), value)));
    }

    #[test]
    fn unknown_fields_are_named_one_by_one() {
        let object = thing(&json!({"more": 1, "most": 2}));
        let Verdict::Rejected { why, fields } = of(&object, None, FieldValidation::Strict) else {
            panic!("it is admitted")
        };
        assert!(why.to_string().contains("strict decoding error"), "{why}");
        let paths: Vec<&str> = fields.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["spec.more", "spec.most"]);
    }

    #[test]
    fn an_update_is_held_against_what_is_stored() {
        // What somebody reads from a server has more in it than what a file says.
        let mut old = thing(&json!({"fixed": "a", "size": 3}));
        old["metadata"]["resourceVersion"] = json!("7");
        old["metadata"]["uid"] = json!("u");
        old["status"] = json!({"ready": true});
        let same = of(&thing(&json!({"fixed": "a"})), Some(&old), FieldValidation::Strict);
        assert!(matches!(same, Verdict::Admitted(_)), "{same:?}");
        let Verdict::Rejected { why, .. } = of(&thing(&json!({"fixed": "b"})), Some(&old), FieldValidation::Strict)
        else {
            panic!("it is admitted")
        };
        assert_eq!(
            why.to_string(),
            "Thing.example.io \"a\" is invalid: spec.fixed: Invalid value: \"b\": fixed is fixed"
        );
    }

    #[test]
    fn what_no_definition_is_about_is_not_checked() {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}});
        assert_eq!(of(&map, None, FieldValidation::Strict), Verdict::NotChecked);
        let mut other = thing(&json!({}));
        other["apiVersion"] = json!("example.io/v2");
        let verdict = of(&other, None, FieldValidation::Strict);
        assert_eq!(verdict, Verdict::NotServed(vec!["v1".to_owned()]));
    }
}
