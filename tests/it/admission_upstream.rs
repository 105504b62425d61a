//! Upstream's own CRD test suites, judged offline: verdict, the object as it is stored, and upstream's words.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use fleetwright::schema::admission::{Admission, Admitted, FieldValidation, Rejected, Request, Subresource, admit};
use serde_json::{Value, json};

use super::ssa_reference::upstream;

fn yaml(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap();
    serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn files(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    found.sort();
    found
}

fn rules(schema: &Value) -> usize {
    match schema {
        Value::Object(entries) => entries
            .iter()
            .map(|(name, value)| match (name.as_str(), value) {
                ("x-kubernetes-validations", Value::Array(rules)) => rules.len(),
                _ => rules(value),
            })
            .sum(),
        Value::Array(items) => items.iter().map(rules).sum(),
        _ => 0,
    }
}

#[test]
fn every_upstream_crd_compiles() {
    let Some(upstream) = upstream() else { return };
    let (mut count, mut versions) = (0, 0);
    for folder in ["hypershift/crds", "cluster-api/crds", "capoci/crds"] {
        for file in files(&upstream.join(folder), ".yaml") {
            let crd = yaml(&file);
            for version in crd["spec"]["versions"].as_array().unwrap() {
                let name = version["name"].as_str().unwrap();
                let made = Admission::new(&crd, name);
                assert!(made.is_ok(), "{} {name}: {:?}", file.display(), made.err());
                count += rules(&version["schema"]);
                versions += 1;
            }
        }
    }
    println!("{versions} versions, {count} rules");
    // A reader that finds nothing would pass too.
    assert!(count >= 700, "{count} rules");
}

/// A case of a suite.
pub(crate) struct Case {
    /// The suite's file.
    pub(crate) suite: String,
    /// `hostedclusters`, `nodepools`.
    pub(crate) plural: &'static str,
    /// Whether it is about the feature set that holds what is still tried out.
    pub(crate) preview: bool,
    /// `onCreate`, `onUpdate`.
    pub(crate) verb: &'static str,
    pub(crate) json: Value,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, preview {}: {}", self.suite, self.preview, self.json["name"])
    }
}

/// Every case, once for each feature set that it holds for.
pub(crate) fn cases() -> Vec<Case> {
    let Some(upstream) = upstream() else { return Vec::new() };
    let mut all = Vec::new();
    for file in files(&upstream.join("hypershift/testsuites"), ".testsuite.yaml") {
        let suite = yaml(&file);
        let plural = match suite["crdName"].as_str().unwrap() {
            "hostedclusters.hypershift.openshift.io" => "hostedclusters",
            "nodepools.hypershift.openshift.io" => "nodepools",
            other => panic!("{}: no definition of {other}", file.display()),
        };
        // A suite that needs a gate is about the preview's CRD alone; the others hold for both.
        let previews: &[bool] = if suite["featureGates"].is_null() {
            &[false, true]
        } else {
            &[true]
        };
        for preview in previews {
            for verb in ["onCreate", "onUpdate"] {
                for json in suite["tests"][verb].as_array().into_iter().flatten() {
                    all.push(Case {
                        suite: file.file_name().unwrap().to_string_lossy().into_owned(),
                        plural,
                        preview: *preview,
                        verb,
                        json: json.clone(),
                    });
                }
            }
        }
    }
    all
}

/// The definition of a feature set.
pub(crate) fn definition(plural: &str, preview: bool) -> Value {
    let file = match (plural, preview) {
        ("hostedclusters", false) => "hostedclusters-Hypershift-Default.crd.yaml",
        ("hostedclusters", true) => "hostedclusters-Hypershift-TechPreviewNoUpgrade.crd.yaml",
        (_, false) => "nodepools-Default.crd.yaml",
        (_, true) => "nodepools-TechPreviewNoUpgrade.crd.yaml",
    };
    yaml(&upstream().unwrap().join("hypershift/crds").join(file))
}

/// The CRD as it was before a rule came in: the only patches that the suites have.
pub(crate) fn loosened(crd: &Value, patches: &[Value]) -> Value {
    let mut crd = crd.clone();
    for patch in patches {
        assert_eq!(patch["op"], "remove");
        let (parent, index) = patch["path"].as_str().unwrap().rsplit_once('/').unwrap();
        let rules = crd.pointer_mut(parent).unwrap().as_array_mut().unwrap();
        rules.remove(index.parse::<usize>().unwrap());
    }
    crd
}

pub(crate) fn parse(text: &Value) -> Value {
    serde_yaml::from_str(text.as_str().unwrap_or("null")).unwrap()
}

struct Judge {
    crd: Value,
    admission: Admission,
    seconds: f64,
    validated: u32,
}

impl Judge {
    fn new(crd: Value) -> Self {
        Self {
            admission: Admission::new(&crd, "v1beta1").unwrap(),
            crd,
            seconds: 0.0,
            validated: 0,
        }
    }

    fn admit(
        &mut self,
        mut object: Value,
        old: Option<&Value>,
        subresource: Subresource,
    ) -> Result<Admitted, Rejected> {
        object["metadata"] = json!({"name": "a-name", "namespace": "a-namespace", "resourceVersion": "1"});
        let request = Request {
            object: &object,
            old,
            subresource,
            // Suites write through a client that drops what it doesn't know.
            field_validation: FieldValidation::Ignore,
            repeated: &[],
        };
        let started = Instant::now();
        let outcome = admit(&self.admission, request);
        self.seconds += started.elapsed().as_secs_f64();
        self.validated += 1;
        outcome
    }

    fn create(&mut self, case: &Value) -> Result<(), String> {
        let outcome = self.admit(parse(&case["initial"]), None, Subresource::None);
        compare(stored(outcome), &case["expectedError"], &case["expected"]).map(drop)
    }

    fn update(&mut self, case: &Value) -> Result<(), String> {
        let initial = parse(&case["initial"]);
        let first = match case["initialCRDPatches"].as_array() {
            None => self.admit(initial.clone(), None, Subresource::None),
            Some(patches) => Self::new(loosened(&self.crd, patches)).admit(initial.clone(), None, Subresource::None),
        };
        let mut old = first
            .map_err(|error| format!("the initial object is refused: {error}"))?
            .object;
        if !initial["status"].is_null() {
            let mut with_status = old.clone();
            with_status["status"] = initial["status"].clone();
            let second = self.admit(with_status, Some(&old), Subresource::Status);
            old = second
                .map_err(|error| format!("the initial status is refused: {error}"))?
                .object;
        }
        let new = parse(&case["updated"]);
        let outcome = self.admit(new.clone(), Some(&old), Subresource::None);
        let is_about_status = !case["expectedStatusError"].is_null() || !new["status"].is_null();
        let expected = if is_about_status {
            &Value::Null
        } else {
            &case["expected"]
        };
        let Some(updated) = compare(stored(outcome), &case["expectedError"], expected)?.filter(|_| is_about_status)
        else {
            return Ok(());
        };
        let mut with_status = updated.clone();
        with_status["status"] = new["status"].clone();
        let outcome = self.admit(with_status, Some(&updated), Subresource::Status);
        compare(stored(outcome), &case["expectedStatusError"], &case["expected"]).map(drop)
    }
}

/// What would be stored, or the server's message.
fn stored(outcome: Result<Admitted, Rejected>) -> Result<Value, String> {
    outcome.map(|admitted| admitted.object).map_err(|why| why.to_string())
}

/// Compares with what a suite expects; gives the object where one was to be had.
pub(crate) fn compare(
    outcome: Result<Value, String>,
    error: &Value,
    expected: &Value,
) -> Result<Option<Value>, String> {
    match (outcome, error.as_str()) {
        (Ok(object), None) => {
            if let Some(text) = expected.as_str() {
                let wanted: Value = serde_yaml::from_str(text).unwrap();
                let mut bare = object.clone();
                bare.as_object_mut().unwrap().remove("metadata");
                if bare != wanted {
                    return Err(format!("stored is\n{bare}\nupstream stores\n{wanted}"));
                }
            }
            Ok(Some(object))
        }
        (Ok(_), Some(wanted)) => Err(format!("passes, upstream refuses: {wanted}")),
        (Err(found), None) => Err(format!("is refused, upstream lets it pass: {found}")),
        (Err(found), Some(wanted)) if found.contains(wanted) => Ok(None),
        (Err(found), Some(wanted)) => Err(format!("is refused in other words: wanted {wanted:?}, got {found}")),
    }
}

#[test]
fn verdicts_on_upstreams_cases_are_upstreams() {
    if upstream().is_none() {
        return;
    }
    let mut judges = BTreeMap::new();
    let (mut count, mut objects) = (0, 0);
    let mut astray = Vec::new();
    for case in cases() {
        count += 1;
        objects += usize::from(!case.json["expected"].is_null());
        let judge = judges
            .entry((case.plural, case.preview))
            .or_insert_with(|| Judge::new(definition(case.plural, case.preview)));
        let verdict = match case.verb {
            "onCreate" => judge.create(&case.json),
            _ => judge.update(&case.json),
        };
        if let Err(why) = verdict {
            astray.push(format!("{case}: {why}"));
        }
    }
    println!(
        "{count} cases, {objects} with the object expected, {} astray",
        astray.len()
    );
    for ((kind, preview), judge) in &judges {
        let micros = judge.seconds * 1e6 / f64::from(judge.validated);
        println!(
            "{kind} preview {preview}: {} objects, {micros:.0} µs each",
            judge.validated
        );
    }
    assert!(astray.is_empty(), "{}", astray.join("\n"));
    assert!(count >= 440 && objects >= 40, "{count} cases, {objects} objects");
}
