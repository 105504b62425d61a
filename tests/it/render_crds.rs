//! Our CRDs, and the OCI platform patch against upstream's.

use std::path::PathBuf;

use fleetwright::render::crds::{self, PatchError};
use serde_json::{Value, json};

/// Upstream's data: beside the project, or where `FLEETWRIGHT_UPSTREAM` points. Without it a test is skipped, but not in CI.
#[expect(clippy::disallowed_methods, reason = "tests find their data by the environment")]
pub(crate) fn upstream() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/upstream");
    let dir = std::env::var("FLEETWRIGHT_UPSTREAM").map_or(beside, PathBuf::from);
    if dir.join("hypershift/crds").is_dir() {
        return Some(dir);
    }
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "upstream's CRDs are needed under CI"
    );
    println!("skipped: no upstream CRDs beside the project, and FLEETWRIGHT_UPSTREAM is not set");
    None
}

pub(crate) const HYPERSHIFT: [&str; 4] = [
    "hostedclusters-Hypershift-Default.crd.yaml",
    "hostedclusters-Hypershift-TechPreviewNoUpgrade.crd.yaml",
    "nodepools-Default.crd.yaml",
    "nodepools-TechPreviewNoUpgrade.crd.yaml",
];

fn read(path: PathBuf) -> Value {
    serde_yaml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

const PLATFORM: &str = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/platform";

#[test]
fn the_patch_applies_to_every_upstream_crd_and_only_once() {
    let Some(upstream) = upstream() else { return };
    for name in HYPERSHIFT {
        let before = read(upstream.join("hypershift/crds").join(name));
        let types = |crd: &Value| {
            crd.pointer(&format!("{PLATFORM}/properties/type/enum"))
                .unwrap()
                .clone()
        };
        assert!(
            !types(&before).as_array().unwrap().contains(&json!("OCI")),
            "{name} admits OCI: the patch has had its day"
        );
        let mut after = before.clone();
        crds::apply_oci_platform(&mut after).unwrap();
        assert!(types(&after).as_array().unwrap().contains(&json!("OCI")), "{name}");
        assert!(
            after.pointer(&format!("{PLATFORM}/properties/oci/required")).is_some(),
            "{name}"
        );
        let again = crds::apply_oci_platform(&mut after);
        assert!(matches!(again, Err(PatchError::AlreadyThere(_))), "{name}: {again:?}");
    }
}

#[test]
fn the_rule_on_arm64_is_widened_and_no_other() {
    let Some(upstream) = upstream() else { return };
    for name in &HYPERSHIFT[2..] {
        let rules = |crd: &Value| -> Vec<String> {
            let rules = crd.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec/x-kubernetes-validations");
            rules
                .unwrap()
                .as_array()
                .unwrap()
                .iter()
                .map(|rule| rule["rule"].as_str().unwrap().to_owned())
                .collect()
        };
        let before = read(upstream.join("hypershift/crds").join(name));
        let mut after = before.clone();
        crds::apply_oci_platform(&mut after).unwrap();
        let changed: Vec<(String, String)> = rules(&before)
            .into_iter()
            .zip(rules(&after))
            .filter(|(before, after)| before != after)
            .collect();
        assert_eq!(changed.len(), 1, "{name}");
        assert_eq!(
            changed[0].1,
            format!("({}) || self.platform.type == 'OCI'", changed[0].0)
        );
        assert_eq!(rules(&before).len(), rules(&after).len());
    }
}

#[test]
fn a_crd_that_has_changed_where_the_patch_would_is_refused() {
    let crd = |schema: Value| json!({"metadata": {"name": "nodepools.hypershift.openshift.io"}, "spec": {"versions": [{"schema": {"openAPIV3Schema": schema}}]}});
    let platform = json!({"properties": {"type": {"enum": ["None"]}}});
    let without_rule =
        json!({"properties": {"spec": {"properties": {"platform": platform}, "x-kubernetes-validations": []}}});
    let refused = crds::apply_oci_platform(&mut crd(without_rule));
    assert!(
        matches!(&refused, Err(PatchError::Missing { path, .. }) if path == "/properties/spec"),
        "{refused:?}"
    );
    let refused = crds::apply_oci_platform(&mut crd(json!({})));
    assert!(matches!(refused, Err(PatchError::Missing { .. })), "{refused:?}");
    let refused = crds::apply_oci_platform(&mut json!({"metadata": {"name": "pods"}}));
    assert!(
        matches!(&refused, Err(PatchError::NotOurs(name)) if name == "pods"),
        "{refused:?}"
    );
}

#[test]
fn our_own_crds_have_the_platform_of_the_patch() {
    for text in crds::OCI_PLATFORM {
        let patch: Value = serde_yaml::from_str(text).unwrap();
        let (_, own) = crds::OWN.into_iter().find(|(name, _)| *name == patch["crd"]).unwrap();
        let own: Value = serde_yaml::from_str(own).unwrap();
        let platform = own.pointer(PLATFORM).unwrap();
        let added = patch["patch"]
            .as_array()
            .unwrap()
            .iter()
            .find(|op| op["path"].as_str().unwrap().ends_with("/oci"));
        assert_eq!(platform["properties"]["oci"], added.unwrap()["value"]);
        assert_eq!(platform["x-kubernetes-validations"][0], patch["rules"][0]["add"]);
    }
}

#[test]
fn our_own_crds_carry_their_names_and_say_which_fields_they_leave_open() {
    for (name, text) in crds::OWN {
        let crd: Value = serde_yaml::from_str(text).unwrap();
        assert_eq!(crd["metadata"]["name"], name);
        assert_eq!(
            name,
            format!(
                "{}.{}",
                crd["spec"]["names"]["plural"].as_str().unwrap(),
                crd["spec"]["group"].as_str().unwrap()
            )
        );
        let schema = crd.pointer("/spec/versions/0/schema/openAPIV3Schema").unwrap();
        typed(schema, name);
    }
}

/// A structural schema gives every field a type, or says that any will do.
fn typed(schema: &Value, path: &str) {
    let open = schema["x-kubernetes-int-or-string"] == true || schema["x-kubernetes-preserve-unknown-fields"] == true;
    assert!(schema["type"].is_string() || open, "{path} has no type");
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        typed(property, &format!("{path}.{name}"));
    }
    if schema["type"] == "array" {
        typed(&schema["items"], &format!("{path}[]"));
    }
}
