//! What a kube-apiserver says of a custom resource: whether it takes it, in which form, and why not.
//!
//! An [`Admission`] is made once of a version of a CustomResourceDefinition. [`admit`] runs one object through all that a
//! server does between reading a request and storing the object: unknown fields, pruning, defaults, metadata, schema,
//! uniqueness in sets and keyed lists, rules. What was wrong before an update and is left as it was, is let pass, as
//! servers do since 1.30.
//!
//! Invariant: messages are the server's, to the letter, since people and programs match on them; differential tests hold
//! them against a real server. Where several errors come up, ours are in a fixed order and a server's are not. May depend
//! on `schema` alone.
//!
//! Not mirrored: the cost limits of rules (a rule is stopped after so many steps instead), the static types of CEL (a
//! field that no schema has is an error when the rule runs, not when the definition is made), the order of the keys of
//! owner references where they are shown, sums of keyed lists and sets in rules (their items follow one another).

mod cel;
mod check;
mod correlate;
mod definitions;
mod embedded;
mod error;
mod format;
mod identity;
mod meta;
pub(super) mod names;
mod path;
mod pattern;
mod pipeline;
mod review;
mod scale;
mod shape;
#[cfg(test)]
mod tests;
mod text;
mod unknown;
mod url;

use std::sync::Arc;

use serde_json::Value;

pub use definitions::{DefinitionError, Definitions, Lookup, is_definition};
pub use error::{Cause, ErrorKind, FieldError, Rejected};
pub use pipeline::{Admitted, FieldValidation, Request, Subresource, admit};
pub use review::{Effect, Submission, Verdict, judge, review};
pub use unknown::fields as unknown_fields;

use super::{Schema, SchemaError};
use correlate::Old;
use meta::{Metadata, object_name};
use scale::Scale;
use shape::{Compiler, Shape};

/// Why no admission can be made of a definition.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AdmissionError {
    /// The definition can't be read.
    #[error("the definition can't be read")]
    Schema(#[from] SchemaError),
    /// The schema is nested deeper than any that a server takes.
    #[error("the schema is nested too deeply")]
    TooDeep,
    /// A pattern is no regular expression.
    #[error("`{pattern}` is no regular expression")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// Why.
        #[source]
        source: Box<regex::Error>,
    },
    /// A rule is no CEL expression.
    #[error("the rule `{rule}` does not compile: {why}")]
    Rule {
        /// The rule.
        rule: String,
        /// Why.
        why: String,
    },
    /// The functions of rules contradict each other: a fault of this program.
    #[error("no environment for rules: {0}")]
    Environment(String),
}

/// Why a rule or a message does not compile; none where it does.
pub(super) fn expression_error(source: &str) -> Option<String> {
    match cel::compile(&serde_json::json!([{"rule": source}])) {
        Ok(_) => None,
        Err(AdmissionError::Rule { why, .. }) => Some(why),
        Err(other) => Some(other.to_string()),
    }
}

/// Why a pattern is no regular expression; none where it is one.
pub(super) fn pattern_error(pattern: &str) -> Option<String> {
    pattern::go_regex(pattern).err().map(|error| error.to_string())
}

/// One version of a definition, compiled.
#[derive(Clone, Debug)]
pub struct Admission(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    schema: Schema,
    shape: Shape,
    group: String,
    kind: String,
    plural: String,
    namespaced: bool,
    scale: Option<Scale>,
}

impl Admission {
    /// Compiles one version of a definition (`apiextensions.k8s.io/v1`).
    ///
    /// # Errors
    /// Where the definition has no such version, or one of its patterns or rules can't be compiled.
    pub fn new(crd: &Value, version: &str) -> Result<Self, AdmissionError> {
        let schema = Schema::from_crd(crd, version)?;
        let spec = &crd["spec"];
        let versions = spec["versions"].as_array().into_iter().flatten();
        let chosen = versions
            .into_iter()
            .find(|one| one["name"] == version)
            .ok_or_else(|| SchemaError::NoSuchVersion(version.to_owned()))?;
        let mut compiler = Compiler::default();
        let mut shape = compiler.shape(&chosen["schema"]["openAPIV3Schema"], 0)?;
        shape.embedded = true;
        Ok(Self(Arc::new(Compiled {
            shape,
            group: spec["group"].as_str().unwrap_or_default().to_owned(),
            kind: schema.kind().to_owned(),
            plural: spec["names"]["plural"].as_str().unwrap_or_default().to_owned(),
            namespaced: spec["scope"] == "Namespaced",
            scale: Scale::of(&chosen["subresources"]["scale"]),
            schema,
        })))
    }

    /// The structural schema of the version.
    pub fn schema(&self) -> &Schema {
        &self.0.schema
    }

    /// Whether objects live in namespaces.
    pub fn is_namespaced(&self) -> bool {
        self.0.namespaced
    }

    /// What is wrong with a new object, pruned and with its defaults.
    pub fn validate_create(&self, new: &Value) -> Vec<FieldError> {
        let mut errors = self.type_errors(new);
        if !errors.is_empty() {
            return errors;
        }
        let Compiled {
            shape,
            namespaced,
            scale,
            ..
        } = &*self.0;
        errors.extend(Metadata::new(new, "metadata").on_create(*namespaced, object_name));
        errors.extend(check::validate(shape, new, None, ""));
        if let Some(scale) = scale {
            errors.extend(scale.spec_errors(new));
            errors.extend(scale.status_errors(new));
        }
        errors.extend(embedded::validate(shape, new));
        errors.extend(identity::validate(shape, new));
        self.run_rules(new, None, &mut errors);
        errors
    }

    /// What is wrong with an object that takes the place of another; both pruned and with their defaults.
    pub fn validate_update(&self, new: &Value, old: &Value) -> Vec<FieldError> {
        self.update(new, old).0
    }

    /// The errors, and those of rules that are excused since they were there before.
    fn update(&self, new: &Value, old: &Value) -> (Vec<FieldError>, Vec<FieldError>) {
        let mut errors = self.common_errors(new, old);
        let wrong_type = self.type_errors(new);
        if !wrong_type.is_empty() {
            errors.extend(wrong_type);
            return (errors, Vec::new());
        }
        let Compiled { shape, scale, .. } = &*self.0;
        errors.extend(Metadata::new(new, "metadata").on_update(&Metadata::new(old, "metadata")));
        errors.extend(check::validate(shape, new, Some(Old::new(old, shape)), ""));
        if let Some(scale) = scale {
            errors.extend(scale.spec_errors(new));
            errors.extend(scale.status_errors(new));
        }
        errors.extend(embedded::validate(shape, new));
        if identity::validate(shape, old).is_empty() {
            errors.extend(identity::validate(shape, new));
        }
        let excused = self.run_rules(new, Some(old), &mut errors);
        (errors, excused)
    }

    /// What is wrong with an object whose status alone takes the place of another.
    pub fn validate_status(&self, new: &Value, old: &Value) -> Vec<FieldError> {
        self.update_status(new, old).0
    }

    fn update_status(&self, new: &Value, old: &Value) -> (Vec<FieldError>, Vec<FieldError>) {
        let mut errors = self.common_errors(new, old);
        let wrong_type = self.type_errors(new);
        if !wrong_type.is_empty() {
            errors.extend(wrong_type);
            return (errors, Vec::new());
        }
        let Compiled { shape, scale, .. } = &*self.0;
        errors.extend(Metadata::new(new, "metadata").on_update(&Metadata::new(old, "metadata")));
        if let (Some(status), Some(below)) = (new.get("status"), shape.property("status")) {
            let before = Old::new(old, shape).key("status");
            errors.extend(check::validate(below, status, before, "status"));
        }
        if let Some(scale) = scale {
            errors.extend(scale.status_errors(new));
        }
        if identity::validate(shape, old).is_empty() {
            errors.extend(identity::validate(shape, new));
        }
        let excused = self.run_rules(new, Some(old), &mut errors);
        (errors, excused)
    }

    /// What is looked at in the metadata of every kind before its own strategy does so once more: of an update, causes
    /// come up several times.
    fn common_errors(&self, new: &Value, old: &Value) -> Vec<FieldError> {
        let metadata = Metadata::new(new, "metadata");
        let mut errors = metadata.on_create(self.0.namespaced, meta::path_segment);
        errors.extend(metadata.on_update(&Metadata::new(old, "metadata")));
        errors
    }

    /// Adds what the rules say, unless the object has another shape than they expect; gives what is excused.
    fn run_rules(&self, new: &Value, old: Option<&Value>, errors: &mut Vec<FieldError>) -> Vec<FieldError> {
        let shape = &self.0.shape;
        if !shape.has_rules {
            return Vec::new();
        }
        if errors.iter().any(|error| error.kind.blocks_rules()) {
            let why = "some validation rules were not checked because the object was invalid; correct the existing errors \
                       to complete validation";
            errors.push(FieldError::invalid(error::ROOT, Value::Null, why));
            return Vec::new();
        }
        let verdict = cel::run(shape, new, old);
        errors.extend(verdict.errors);
        verdict.excused
    }

    fn type_errors(&self, object: &Value) -> Vec<FieldError> {
        let wanted = [
            ("kind", self.0.kind.as_str()),
            ("apiVersion", self.0.schema.api_version()),
        ];
        let wrong = wanted.into_iter().filter(|(field, wanted)| object[*field] != *wanted);
        wrong
            .map(|(field, wanted)| {
                let found = object[field].as_str().unwrap_or_default();
                FieldError::invalid(field, found, format!("must be {wanted}"))
            })
            .collect()
    }
}
