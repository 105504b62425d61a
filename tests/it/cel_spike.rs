//! Upstream's own CRD test suites, judged offline: its rules in the `cel` crate, the rest by a small validator.

mod functions;
mod schema;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use cel::Env;
use serde_json::{Value, json};

use self::schema::{Compiled, Schema};

/// Upstream's files, or `None` with the reason printed; under CI their absence is a failure.
#[expect(
    clippy::disallowed_methods,
    reason = "tests are told by the environment where their data is"
)]
fn upstream() -> Option<PathBuf> {
    let given = std::env::var("FLEETWRIGHT_UPSTREAM").ok().map(PathBuf::from);
    let found = given.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/upstream"));
    if found.join("hypershift/crds").is_dir() {
        return Some(found);
    }
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "upstream's CRDs are not at {}",
        found.display()
    );
    println!(
        "skipped: upstream's CRDs are not at {}; set FLEETWRIGHT_UPSTREAM",
        found.display()
    );
    None
}

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

fn schema(crd: &Value, version: &str, env: &Env, compiled: &mut Compiled) -> Schema {
    let versions = crd["spec"]["versions"].as_array().unwrap();
    let version = versions.iter().find(|v| v["name"] == version).unwrap();
    let mut root = version["schema"]["openAPIV3Schema"].clone();
    // Every object has these, whatever its schema says.
    root["properties"]["metadata"] = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    Schema::new(&root, env, compiled)
}

#[test]
fn every_rule_of_upstreams_crds_compiles() {
    let Some(upstream) = upstream() else { return };
    let env = functions::environment().unwrap();
    let mut all = Compiled::default();
    let started = Instant::now();
    for folder in ["hypershift/crds", "cluster-api/crds", "capoci/crds"] {
        for file in files(&upstream.join(folder), ".yaml") {
            let crd = yaml(&file);
            for version in crd["spec"]["versions"].as_array().unwrap() {
                schema(&crd, version["name"].as_str().unwrap(), &env, &mut all);
            }
        }
    }
    println!(
        "{} rules, {} failed, {:?}",
        all.rules,
        all.failed.len(),
        started.elapsed()
    );
    assert!(all.failed.is_empty(), "{:#?}", all.failed);
    // A reader that finds nothing would pass too.
    assert!(all.rules >= 700, "{} rules", all.rules);
}

/// What a case came to.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Agrees,
    /// Refused as upstream refuses, in other words.
    OtherWords(String),
    Disagrees(String),
}

struct Judge {
    env: Arc<Env>,
    crd: Value,
    schema: Schema,
    seconds: f64,
    validated: u32,
    /// Objects that the rules alone refused.
    by_rules: u32,
}

fn parse(text: &Value) -> Value {
    serde_yaml::from_str(text.as_str().unwrap_or("null")).unwrap()
}

impl Judge {
    fn new(crd: Value, env: &Arc<Env>) -> Self {
        let schema = schema(&crd, "v1beta1", env, &mut Compiled::default());
        Self {
            env: Arc::clone(env),
            crd,
            schema,
            seconds: 0.0,
            validated: 0,
            by_rules: 0,
        }
    }

    fn settle(&self, object: &mut Value) {
        object["metadata"] = json!({"name": "a-name", "namespace": "a-namespace"});
        self.schema.settle(object);
    }

    fn validate(&mut self, value: &Value, old: Option<&Value>) -> Vec<String> {
        let started = Instant::now();
        let errors = self.schema.validate(value, old, &self.env);
        self.seconds += started.elapsed().as_secs_f64();
        self.validated += 1;
        self.by_rules += u32::from(!errors.is_empty() && self.schema.shape(value, old).is_empty());
        errors
    }

    fn compare(errors: &[String], expected: &Value, what: &str) -> Verdict {
        match (errors.is_empty(), expected.as_str()) {
            (true, None) => Verdict::Agrees,
            (true, Some(wanted)) => Verdict::Disagrees(format!("{what} passes, upstream refuses: {wanted}")),
            (false, None) => Verdict::Disagrees(format!("{what} is refused, upstream lets it pass: {errors:?}")),
            (false, Some(wanted)) if errors.iter().any(|error| error.contains(wanted)) => Verdict::Agrees,
            (false, Some(wanted)) => Verdict::OtherWords(format!("wanted {wanted:?}, got {errors:?}")),
        }
    }

    fn create(&mut self, case: &Value) -> Verdict {
        let mut object = parse(&case["initial"]);
        object.as_object_mut().unwrap().remove("status");
        self.settle(&mut object);
        let errors = self.validate(&object, None);
        Self::compare(&errors, &case["expectedError"], "create")
    }

    fn update(&mut self, case: &Value) -> Verdict {
        let mut old = parse(&case["initial"]);
        let status = old.as_object_mut().unwrap().remove("status");
        self.settle(&mut old);
        let errors = if case["initialCRDPatches"].is_null() {
            self.validate(&old, None)
        } else {
            self.loosened(&case["initialCRDPatches"]).validate(&old, None)
        };
        if !errors.is_empty() {
            return Verdict::Disagrees(format!("the initial object is refused: {errors:?}"));
        }
        if let Some(status) = status {
            old["status"] = status;
            self.settle(&mut old);
        }
        let mut new = parse(&case["updated"]);
        let status = new.as_object_mut().unwrap().remove("status");
        if let Some(status) = old.get("status") {
            new["status"] = status.clone();
        }
        self.settle(&mut new);
        let errors = self.validate(&new, Some(&old));
        let verdict = Self::compare(&errors, &case["expectedError"], "update");
        match status {
            Some(status) if verdict == Verdict::Agrees && errors.is_empty() => {
                let old = new.clone();
                new["status"] = status;
                self.settle(&mut new);
                let errors = self.validate(&new, Some(&old));
                Self::compare(&errors, &case["expectedStatusError"], "status update")
            }
            _ => verdict,
        }
    }

    /// The CRD as it was before a rule came in: the only patches that the suites have.
    fn loosened(&self, patches: &Value) -> Self {
        let mut crd = self.crd.clone();
        for patch in patches.as_array().unwrap() {
            assert_eq!(patch["op"], "remove");
            let (parent, index) = patch["path"].as_str().unwrap().rsplit_once('/').unwrap();
            let rules = crd.pointer_mut(parent).unwrap().as_array_mut().unwrap();
            rules.remove(index.parse::<usize>().unwrap());
        }
        Self::new(crd, &self.env)
    }
}

#[test]
fn verdicts_on_upstreams_cases_are_upstreams() {
    let Some(upstream) = upstream() else { return };
    let env = Arc::new(functions::environment().unwrap());
    let crds = upstream.join("hypershift/crds");
    let judge = |file: &str| Judge::new(yaml(&crds.join(file)), &env);
    let mut judges: BTreeMap<(&str, bool), Judge> = BTreeMap::from([
        (
            ("hostedclusters", false),
            judge("hostedclusters-Hypershift-Default.crd.yaml"),
        ),
        (
            ("hostedclusters", true),
            judge("hostedclusters-Hypershift-TechPreviewNoUpgrade.crd.yaml"),
        ),
        (("nodepools", false), judge("nodepools-Default.crd.yaml")),
        (("nodepools", true), judge("nodepools-TechPreviewNoUpgrade.crd.yaml")),
    ]);
    let mut cases = 0;
    let mut astray = Vec::new();
    for file in files(&upstream.join("hypershift/testsuites"), ".testsuite.yaml") {
        let suite = yaml(&file);
        let kind = if suite["crdName"].as_str().unwrap().starts_with("nodepools") {
            "nodepools"
        } else {
            "hostedclusters"
        };
        // A suite that needs a gate is about the preview's CRD alone; the others hold for both.
        let previews: &[bool] = if suite["featureGates"].is_null() {
            &[false, true]
        } else {
            &[true]
        };
        for preview in previews {
            let judge = judges.get_mut(&(kind, *preview)).unwrap();
            for verb in ["onCreate", "onUpdate"] {
                for case in suite["tests"][verb].as_array().into_iter().flatten() {
                    cases += 1;
                    let verdict = if verb == "onCreate" {
                        judge.create(case)
                    } else {
                        judge.update(case)
                    };
                    if verdict != Verdict::Agrees {
                        let name = file.file_name().unwrap().to_string_lossy().into_owned();
                        astray.push(format!("{name}, preview {preview}: {}: {verdict:?}", case["name"]));
                    }
                }
            }
        }
    }
    let disagreeing = astray.iter().filter(|line| line.contains("Disagrees(")).count();
    println!(
        "{cases} cases, {disagreeing} of another verdict, {} in other words",
        astray.len() - disagreeing
    );
    for ((kind, preview), judge) in &judges {
        let micros = judge.seconds * 1e6 / f64::from(judge.validated);
        println!(
            "{kind} preview {preview}: {} objects, {micros:.0} µs each",
            judge.validated
        );
    }
    assert!(astray.is_empty(), "{astray:#?}");
    let by_rules: u32 = judges.values().map(|judge| judge.by_rules).sum();
    println!("{by_rules} of them refused by rules alone");
    assert!(by_rules >= 180, "{by_rules} by rules: were they run?");
    assert!(cases >= 440, "{cases} cases");
}
