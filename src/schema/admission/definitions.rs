//! A set of definitions, and what it says of a kind. A version is compiled when it is first asked for: a folder may hold
//! a hundred definitions of which a fleet uses three.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::Value;

use super::super::crd::{self, Definition};
use super::{Admission, AdmissionError, Rejected};

/// Definitions, by group and kind.
#[derive(Debug, Default)]
pub struct Definitions {
    kinds: BTreeMap<(String, String), Held>,
}

#[derive(Debug)]
struct Held {
    /// As `kind: CustomResourceDefinition` has it.
    document: Value,
    definition: Definition,
    /// One a version, in the definition's order.
    compiled: Vec<OnceLock<Result<Admission, AdmissionError>>>,
}

/// What a set of definitions says of a kind at a version.
#[derive(Clone, Copy, Debug)]
pub enum Lookup<'a> {
    /// Objects of it can be judged.
    Known(&'a Admission),
    /// No definition is about the kind.
    Unknown,
    /// The kind is defined, and not served at this version.
    NotServed(&'a Definition),
    /// The definition can't be compiled.
    Broken(&'a AdmissionError),
}

/// Why a document isn't taken into a set.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DefinitionError {
    /// It is something else.
    #[error("it is no CustomResourceDefinition of apiextensions.k8s.io/v1")]
    Other,
    /// A server would not take it.
    #[error("an API server would refuse it")]
    Refused(#[source] Box<Rejected>),
    /// The set has the kind already: of two feature sets, one has to be chosen.
    #[error("{kind} of {group} is defined twice")]
    Twice {
        /// Its group.
        group: String,
        /// Its kind.
        kind: String,
    },
}

/// Whether a document says that it is a definition.
pub fn is_definition(document: &Value) -> bool {
    document["kind"] == "CustomResourceDefinition" && document["apiVersion"] == "apiextensions.k8s.io/v1"
}

impl Definitions {
    /// Adds one.
    ///
    /// # Errors
    /// Where it is none, a server would refuse it, or its kind is there already.
    pub fn add(&mut self, document: Value) -> Result<(), DefinitionError> {
        if !is_definition(&document) {
            return Err(DefinitionError::Other);
        }
        let definition = crd::check(&document).map_err(|why| DefinitionError::Refused(Box::new(why)))?;
        let key = (definition.group.clone(), definition.names.kind.clone());
        if self.kinds.contains_key(&key) {
            let (group, kind) = key;
            return Err(DefinitionError::Twice { group, kind });
        }
        let compiled = definition.versions.iter().map(|_| OnceLock::new()).collect();
        let held = Held {
            document,
            definition,
            compiled,
        };
        self.kinds.insert(key, held);
        Ok(())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// The names of the kinds that are defined.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.kinds.keys().map(|(_, kind)| kind.as_str())
    }

    /// What is said of a kind, by its `group/version` and name.
    pub fn find(&self, api_version: &str, kind: &str) -> Lookup<'_> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let Some(held) = self.kinds.get(&(group.to_owned(), kind.to_owned())) else {
            return Lookup::Unknown;
        };
        let versions = held.definition.versions.iter().zip(&held.compiled);
        let mut served = versions.filter(|(one, _)| one.served && one.name == version);
        let Some((_, compiled)) = served.next() else {
            return Lookup::NotServed(&held.definition);
        };
        match compiled.get_or_init(|| Admission::new(&held.document, version)) {
            Ok(admission) => Lookup::Known(admission),
            Err(error) => Lookup::Broken(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn crd() -> Value {
        json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "things.example.io"},
            "spec": {
                "group": "example.io",
                "scope": "Namespaced",
                "names": {"plural": "things", "kind": "Thing"},
                "versions": [
                    {"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}},
                    {"name": "v0", "served": false, "storage": false, "schema": {"openAPIV3Schema": {"type": "object"}}},
                ],
            },
        })
    }

    #[test]
    fn a_kind_is_found_at_the_versions_that_are_served() {
        let mut all = Definitions::default();
        assert!(all.is_empty());
        all.add(crd()).unwrap();
        assert!(matches!(all.find("example.io/v1", "Thing"), Lookup::Known(_)));
        assert!(matches!(all.find("example.io/v0", "Thing"), Lookup::NotServed(_)));
        assert!(matches!(all.find("example.io/v9", "Thing"), Lookup::NotServed(_)));
        assert!(matches!(all.find("v1", "Thing"), Lookup::Unknown));
    }

    #[test]
    fn what_is_no_good_definition_is_refused() {
        let mut all = Definitions::default();
        assert!(matches!(all.add(json!({"kind": "Thing"})), Err(DefinitionError::Other)));
        assert!(matches!(all.add(json!(7)), Err(DefinitionError::Other)));
        let mut broken = crd();
        broken["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["type"] = json!("thing");
        assert!(matches!(all.add(broken), Err(DefinitionError::Refused(_))));
        all.add(crd()).unwrap();
        assert!(matches!(all.add(crd()), Err(DefinitionError::Twice { .. })));
    }
}
