//! CRDs: our own of the kinds that we render, and the OCI platform as a patch of HyperShift's.
//!
//! The patch is data, in `schemas/patches/oci-platform`; only how to find a CEL rule is said here.

use serde::Deserialize;
use serde_json::{Map, Value};

/// Our own CRDs as YAML, by name: good for an API server that has none of HyperShift's or CAPOCI's.
pub const OWN: [(&str, &str); 3] = [
    (
        "hostedclusters.hypershift.openshift.io",
        include_str!("../../schemas/crds/hostedclusters.hypershift.openshift.io.yaml"),
    ),
    (
        "nodepools.hypershift.openshift.io",
        include_str!("../../schemas/crds/nodepools.hypershift.openshift.io.yaml"),
    ),
    (
        "ociclusteridentities.infrastructure.cluster.x-k8s.io",
        include_str!("../../schemas/crds/ociclusteridentities.infrastructure.cluster.x-k8s.io.yaml"),
    ),
];

/// The patch files as YAML.
pub const OCI_PLATFORM: [&str; 2] = [
    include_str!("../../schemas/patches/oci-platform/hostedclusters.yaml"),
    include_str!("../../schemas/patches/oci-platform/nodepools.yaml"),
];

const RULES: &str = "x-kubernetes-validations";

/// Why the patch does not fit a CRD.
#[derive(Debug, thiserror::Error)]
pub enum PatchError {
    /// A patch file is not of its form.
    #[error("the patch file is not of its form")]
    Form(#[from] serde_yaml::Error),
    /// It is no CRD that has a patch.
    #[error("there is no OCI platform patch for `{0}`")]
    NotOurs(String),
    /// The CRD has an OCI platform of its own.
    #[error("`{0}` has an OCI platform already")]
    AlreadyThere(String),
    /// Something that the patch changes is not where it was.
    #[error("`{crd}` has nothing at `{path}` for the patch to change")]
    Missing {
        /// The CRD.
        crd: String,
        /// Below `openAPIV3Schema`.
        path: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PatchFile {
    crd: String,
    patch: Vec<Operation>,
    rules: Vec<RuleChange>,
}

/// RFC 6902, `add` alone.
#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
enum Operation {
    Add { path: String, value: Value },
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum RuleChange {
    Add {
        path: String,
        add: Value,
    },
    /// Widens the one rule that has `find` in its text.
    Or {
        path: String,
        find: String,
        or: String,
        message: String,
    },
}

/// Adds the OCI platform to an upstream HostedCluster or NodePool CRD, in every version that it has.
///
/// # Errors
/// Where it is another CRD, has an OCI platform already, or has changed where the patch would change it. The CRD may then be
/// half changed, and is to be thrown away.
pub fn apply_oci_platform(crd: &mut Value) -> Result<(), PatchError> {
    let name = crd
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    for text in OCI_PLATFORM {
        let file: PatchFile = serde_yaml::from_str(text)?;
        if file.crd == name {
            return file.apply(&name, crd);
        }
    }
    Err(PatchError::NotOurs(name))
}

impl PatchFile {
    fn apply(&self, crd_name: &str, crd: &mut Value) -> Result<(), PatchError> {
        let missing = |path: &str| PatchError::Missing {
            crd: crd_name.to_owned(),
            path: path.to_owned(),
        };
        let versions = crd.pointer_mut("/spec/versions").and_then(Value::as_array_mut);
        for version in versions.ok_or_else(|| missing("/spec/versions"))? {
            let schema = version.pointer_mut("/schema/openAPIV3Schema");
            let schema = schema.ok_or_else(|| missing("/schema/openAPIV3Schema"))?;
            if schema
                .pointer("/properties/spec/properties/platform/properties/oci")
                .is_some()
            {
                return Err(PatchError::AlreadyThere(crd_name.to_owned()));
            }
            for Operation::Add { path, value } in &self.patch {
                add(schema, path, value).ok_or_else(|| missing(path))?;
            }
            for change in &self.rules {
                change.apply(schema).ok_or_else(|| missing(change.path()))?;
            }
        }
        Ok(())
    }
}

impl RuleChange {
    fn path(&self) -> &str {
        match self {
            Self::Add { path, .. } | Self::Or { path, .. } => path,
        }
    }

    fn apply(&self, schema: &mut Value) -> Option<()> {
        let at = schema.pointer_mut(self.path())?.as_object_mut()?;
        match self {
            Self::Add { add, .. } => {
                let rules = at.entry(RULES).or_insert_with(|| Value::Array(Vec::new()));
                rules.as_array_mut()?.push(add.clone());
            }
            Self::Or { find, or, message, .. } => {
                let rules = at.get_mut(RULES)?.as_array_mut()?;
                let says = |rule: &&mut Map<String, Value>| {
                    rule.get("rule")
                        .and_then(Value::as_str)
                        .is_some_and(|text| text.contains(find))
                };
                let mut found = rules.iter_mut().filter_map(Value::as_object_mut).filter(says);
                let rule = found.next().filter(|_| found.next().is_none())?;
                let text = format!("({}) || {or}", rule.get("rule")?.as_str()?);
                rule.insert("rule".to_owned(), text.into());
                rule.insert("message".to_owned(), message.as_str().into());
            }
        }
        Some(())
    }
}

/// RFC 6902 `add`, for a member of an object or the end of an array.
fn add(root: &mut Value, path: &str, value: &Value) -> Option<()> {
    let (parent, key) = path.rsplit_once('/')?;
    match root.pointer_mut(parent)? {
        Value::Object(map) => drop(map.insert(key.replace("~1", "/").replace("~0", "~"), value.clone())),
        Value::Array(items) if key == "-" => items.push(value.clone()),
        _ => return None,
    }
    Some(())
}
