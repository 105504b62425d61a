//! Histories of writes to one object, step by step: what is asked of the reference, what we say, and whether it agrees.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use fleetwright::schema::{Gvk, Schema};
use fleetwright::ssa::{
    ApplyOutcome, ApplyRequest, FieldSet, ManagedFields, Operation, UpdateRequest, apply, field_set_of, update,
};
use serde_json::{Value, json};

use super::ssa_generator::{Generator, Random, Shape};
use super::ssa_reference::CRDS;

/// A kind under test, at all its versions.
pub(crate) struct Kind {
    pub(crate) versions: Vec<Schema>,
    /// Its defaults are the server's code: only what is merged is compared, not what is filled in.
    pub(crate) built_in: bool,
    /// The top-level fields that are generated.
    fields: Vec<&'static str>,
    /// Of `spec`, these alone; empty for all.
    spec: &'static [&'static str],
    /// What configurations are parts of, where a server is strict and made-up objects wouldn't do.
    whole: Option<Value>,
}

pub(crate) fn kinds(upstream: &Path) -> Vec<Kind> {
    let mut kinds = Vec::new();
    for crd in CRDS {
        let text = std::fs::read_to_string(upstream.join(crd)).expect("the CRD is readable");
        let crd: Value = serde_yaml::from_str(&text).expect("the CRD is YAML");
        let versions = crd["spec"]["versions"].as_array().expect("a CRD has versions");
        let names = versions.iter().filter_map(|version| version["name"].as_str());
        kinds.push(Kind {
            versions: names
                .map(|name| Schema::from_crd(&crd, name).expect("the CRD is structural"))
                .collect(),
            built_in: false,
            fields: vec!["spec"],
            spec: &[],
            whole: None,
        });
    }
    let core: Value = serde_json::from_str(include_str!("data/openapi-core-v1.json")).expect("JSON");
    let apps: Value = serde_json::from_str(include_str!("data/openapi-apps-v1.json")).expect("JSON");
    let built_in = |document: &Value, group, kind, fields, spec| Kind {
        versions: vec![
            Schema::from_openapi_v3(
                document,
                Gvk {
                    group,
                    version: "v1",
                    kind,
                },
            )
            .expect("the kind is there"),
        ],
        built_in: true,
        fields,
        spec,
        whole: None,
    };
    kinds.push(built_in(&core, "", "ConfigMap", vec!["data", "binaryData"], &[]));
    // Fields that the server allocates by, or picks others by, aren't the merge's business.
    const SERVICE: &[&str] = &[
        "ports",
        "selector",
        "sessionAffinity",
        "loadBalancerSourceRanges",
        "publishNotReadyAddresses",
    ];
    kinds.push(built_in(&core, "", "Service", vec!["spec"], SERVICE));
    kinds.push(built_in(&apps, "apps", "Deployment", vec!["spec"], &[]));
    kinds
}

impl Kind {
    /// Takes the schema that a server serves.
    pub(crate) fn serve(&mut self, schema: Schema) {
        self.versions = vec![schema];
    }

    /// Takes an object of which the server accepts nearly every part.
    pub(crate) fn keep_to(&mut self, whole: Value) {
        self.whole = Some(whole);
    }

    /// A whole object: what the configurations of a history are parts of.
    fn full(&self, random: &mut Random) -> Value {
        if let Some(whole) = &self.whole {
            let mut whole = whole.clone();
            whole["metadata"] = metadata(random);
            return whole;
        }
        let oddities = !self.built_in && random.percent(30);
        let shape = Shape {
            fields: 4 + random.below(8),
            oddities,
            plain: self.built_in,
        };
        let mut generator = Generator { random, shape };
        let root = self.versions[self.versions.len() - 1].root();
        let mut object = json!({"metadata": metadata(generator.random)});
        for field in &self.fields {
            let of = root.field(field).expect("generated fields are declared");
            let mut value = generator.value(of, 0);
            if !self.spec.is_empty() {
                value
                    .as_object_mut()
                    .expect("spec is an object")
                    .retain(|name, _| self.spec.contains(&name.as_str()));
                for name in self.spec {
                    if generator.random.percent(50) {
                        let inner = of.field(name).expect("named fields are declared");
                        value[*name] = generator.value(inner, 1);
                    }
                }
            }
            object[*field] = value;
        }
        object
    }
}

fn metadata(random: &mut Random) -> Value {
    let mut metadata = json!({});
    let words = ["a", "b", "c"];
    for field in ["labels", "annotations"] {
        if random.percent(60) {
            let count = random.below(4);
            let entries: BTreeMap<&str, &str> = (0..count)
                .map(|_| (*random.pick(&words), *random.pick(&["1", "2"])))
                .collect();
            metadata[field] = json!(entries);
        }
    }
    if random.percent(40) {
        let all: BTreeSet<&str> = (0..random.below(4))
            .map(|_| *random.pick(&["x.io/a", "x.io/b", "x.io/c"]))
            .collect();
        metadata["finalizers"] = json!(all);
    }
    if random.percent(30) {
        let mut references = Vec::new();
        for uid in ["u1", "u2"] {
            if random.percent(60) {
                references.push(json!({"apiVersion": "v1", "kind": "K", "name": random.pick(&words), "uid": uid}));
            }
        }
        metadata["ownerReferences"] = json!(references);
    }
    metadata
}

/// One write.
#[derive(Clone)]
pub(crate) struct Case {
    /// The seed of its history; none for one that was kept.
    pub(crate) seed: Option<u64>,
    pub(crate) kind: usize,
    pub(crate) version: usize,
    pub(crate) question: Value,
}

impl Case {
    /// What we say to it, in the words of the reference.
    pub(crate) fn ours(&self, kinds: &[Kind], twist: Twist) -> Value {
        let schema = &kinds[self.kind].versions[self.version];
        let question = &self.question;
        let live = Some(&question["live"]).filter(|live| !live.is_null());
        let manager = question["manager"].as_str().expect("a manager");
        let now = question["now"].as_str().expect("a time");
        if question["op"] == "update" {
            let request = UpdateRequest {
                live,
                new: &question["config"],
                manager,
                subresource: question["subresource"].as_str().unwrap_or(""),
                schema,
                now,
            };
            return match update(request) {
                Ok(object) => json!({"object": object}),
                Err(error) => json!({"error": error.to_string()}),
            };
        }
        let twisted = twist.live(live);
        let request = ApplyRequest {
            live: twisted.as_ref().or(live),
            config: &question["config"],
            manager,
            force: question["force"].as_bool().expect("force is a boolean") || twist == Twist::AlwaysForce,
            schema,
            now,
        };
        match apply(request) {
            Ok(ApplyOutcome::Applied(object)) => json!({"object": object}),
            Ok(ApplyOutcome::Conflicts(conflicts)) => {
                let conflicts: Vec<Value> = conflicts
                    .iter()
                    .map(|conflict| {
                        let version = match conflict.operation {
                            Operation::Apply => "",
                            Operation::Update => &conflict.api_version,
                        };
                        json!([
                            conflict.manager,
                            conflict.subresource,
                            version,
                            conflict.field.to_string()
                        ])
                    })
                    .collect();
                json!({"conflicts": conflicts})
            }
            Err(error) => json!({"error": error.to_string()}),
        }
    }
}

/// Ways of merging wrongly, to see that the comparison notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Twist {
    None,
    /// Conflicts are passed over.
    AlwaysForce,
    /// What was applied before is forgotten, so that nothing is ever removed.
    NeverRelease,
}

impl Twist {
    fn live(self, live: Option<&Value>) -> Option<Value> {
        let mut live = live?.clone();
        if self != Self::NeverRelease {
            return None;
        }
        let entries = live["metadata"]["managedFields"].as_array_mut()?;
        entries.retain(|entry| entry["operation"] != "Apply");
        Some(live)
    }
}

/// The names under which a coverage counter is kept.
pub(crate) const COVERED: [&str; 15] = [
    "force",
    "conflict",
    "co-ownership",
    "release",
    "release of a co-owned field",
    "Update managers",
    "version change",
    "list-map",
    "set",
    "atomic list",
    "nested defaults",
    "before-first-apply",
    "manager limits",
    "status subresource",
    "duplicates",
];

/// What a case came upon, judged by the reference's answer.
pub(crate) fn covers(case: &Case, kinds: &[Kind], answer: &Value) -> BTreeSet<&'static str> {
    let mut covered = BTreeSet::new();
    let question = &case.question;
    if answer.get("conflicts").is_some() {
        covered.insert("conflict");
    }
    let Some(after) = answer.get("object") else {
        return covered;
    };
    let (Ok(before), Ok(now)) = (ManagedFields::of(&question["live"]), ManagedFields::of(after)) else {
        return covered;
    };
    let schema = &kinds[case.kind].versions[case.version];
    let manager = question["manager"].as_str().unwrap_or("");
    let others = |fields: &ManagedFields| fields.owned_by(|entry| entry.manager != manager);
    let own = |fields: &ManagedFields| {
        fields
            .applied_by(manager)
            .map(|entry| entry.fields.clone())
            .unwrap_or_default()
    };
    let applies = question["op"] == "apply";
    if applies && question["force"] == true && !others(&before).is_subset(&others(&now)) {
        covered.insert("force");
    }
    if !own(&now).leaves().intersection(&others(&now)).is_empty() {
        covered.insert("co-ownership");
    }
    let released = own(&before).difference(&own(&now)).leaves();
    if applies && !released.is_empty() {
        let there = field_set_of(after, schema);
        if !released.difference(&there).is_empty() {
            covered.insert("release");
        }
        if !released.intersection(&others(&now)).is_empty() {
            covered.insert("release of a co-owned field");
        }
    }
    let versions: BTreeSet<&str> = now.entries().iter().map(|entry| entry.api_version.as_str()).collect();
    if versions.len() > 1 {
        covered.insert("version change");
    }
    for entry in now.entries() {
        if entry.operation == Operation::Update {
            covered.insert("Update managers");
        }
        if entry.manager == "before-first-apply" {
            covered.insert("before-first-apply");
        }
        if entry.manager == "ancient-changes" {
            covered.insert("manager limits");
        }
    }
    shapes(&own(&now), after, &mut covered);
    let twice = |object: &Value| {
        let ports = object
            .pointer("/spec/ports")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let keys: BTreeSet<String> = ports
            .iter()
            .map(|port| format!("{} {}", port["port"], port["protocol"]))
            .collect();
        keys.len() < ports.len()
    };
    if twice(&question["live"]) || twice(after) {
        covered.insert("duplicates");
    }
    if question["subresource"] == "status" {
        covered.insert("status subresource");
    }
    let known = field_set_of(&question["live"], schema).union(&field_set_of(&question["config"], schema));
    let new = field_set_of(after, schema).difference(&known);
    if applies
        && new
            .iter()
            .any(|path| path.elements().len() > 2 && path.to_string().starts_with(".spec"))
    {
        covered.insert("nested defaults");
    }
    covered
}

fn shapes(own: &FieldSet, after: &Value, covered: &mut BTreeSet<&'static str>) {
    use fleetwright::resource::PathElement;
    for path in own.iter() {
        match path.elements().last() {
            Some(PathElement::Key(_)) => {
                covered.insert("list-map");
            }
            Some(PathElement::Value(_)) => {
                covered.insert("set");
            }
            _ => {
                let names = path.elements().iter().map(|element| match element {
                    PathElement::Field(name) => Some(name.as_str()),
                    _ => None,
                });
                let there = names.into_iter().try_fold(after, |here, name| here.get(name?));
                if there.is_some_and(Value::is_array) {
                    covered.insert("atomic list");
                }
            }
        }
    }
}

/// A history in the making.
pub(crate) struct History {
    seed: u64,
    random: Random,
    kind: usize,
    full: Value,
    live: Value,
    step: usize,
    length: usize,
    /// Many managers, one write each, so that the oldest are folded.
    crowded: bool,
    clock: usize,
    plain: bool,
}

impl History {
    pub(crate) fn new(seed: u64, kinds: &[Kind]) -> Self {
        let mut random = Random::new(seed);
        let kind = random.below(kinds.len());
        let full = kinds[kind].full(&mut random);
        let crowded = random.percent(6);
        Self {
            seed,
            kind,
            full,
            live: Value::Null,
            step: 0,
            length: if crowded { 18 } else { 3 + random.below(6) },
            crowded,
            clock: 0,
            plain: kinds[kind].built_in,
            random,
        }
    }

    pub(crate) fn live(&self) -> &Value {
        &self.live
    }

    pub(crate) fn is_over(&self) -> bool {
        self.step >= self.length
    }

    /// The next write.
    pub(crate) fn next(&mut self, kinds: &[Kind]) -> Case {
        self.step += 1;
        if self.random.percent(70) {
            self.clock += 1;
        }
        let kind = &kinds[self.kind];
        let version = if self.random.percent(50) {
            kind.versions.len() - 1
        } else {
            self.random.below(kind.versions.len())
        };
        let now = format!("2026-01-01T00:{:02}:{:02}Z", self.clock / 60, self.clock % 60);
        if !self.live.is_null() && self.random.percent(4) {
            // As if nobody had been tracked so far.
            self.live["metadata"]
                .as_object_mut()
                .expect("objects have metadata")
                .remove("managedFields");
        }
        if self.random.percent(4) {
            self.age();
        }
        let updates = if self.crowded { 85 } else { 25 };
        let question = if self.random.percent(updates) && (!self.live.is_null() || !kind.built_in) {
            self.update(kind, version, &now)
        } else {
            self.apply(kind, version, &now)
        };
        Case {
            seed: Some(self.seed),
            kind: self.kind,
            version,
            question,
        }
    }

    pub(crate) fn went(&mut self, answer: &Value) {
        if let Some(object) = answer.get("object") {
            self.live = object.clone();
        }
    }

    /// Makes a set look as if it had been written under an older schema, in which the owned fields were containers.
    fn age(&mut self) {
        let Some(entries) = self
            .live
            .pointer_mut("/metadata/managedFields")
            .and_then(Value::as_array_mut)
        else {
            return;
        };
        if entries.is_empty() {
            return;
        }
        let entry = self.random.below(entries.len());
        let mut here = &mut entries[entry]["fieldsV1"];
        for _ in 0..6 {
            let Some(fields) = here.as_object_mut() else { return };
            let names: Vec<String> = fields.keys().filter(|name| *name != ".").cloned().collect();
            if names.is_empty() {
                fields.insert("f:zz".to_owned(), json!({}));
                return;
            }
            let name = self.random.pick(&names).clone();
            here = &mut fields[&name];
        }
    }

    fn generator(&mut self) -> Generator<'_> {
        let shape = Shape {
            fields: 4,
            oddities: false,
            plain: self.plain,
        };
        Generator {
            random: &mut self.random,
            shape,
        }
    }

    fn apply(&mut self, kind: &Kind, version: usize, now: &str) -> Value {
        let schema = &kind.versions[version];
        let keep = 60 + self.random.below(40);
        let full = self.full.clone();
        let mut config = self.vary(kind, schema, &full, keep);
        name(&mut config, schema);
        let manager = *self.random.pick(&["fleetwright", "flux", "argo"]);
        let force = self.random.percent(45);
        json!({"op": "apply", "live": self.live, "config": config, "manager": manager, "force": force, "now": now})
    }

    fn update(&mut self, kind: &Kind, version: usize, now: &str) -> Value {
        let schema = &kind.versions[version];
        let base = if self.live.is_null() {
            self.full.clone()
        } else {
            self.live.clone()
        };
        let status = !self.live.is_null() && !kind.built_in && self.random.percent(20);
        let mut config = base.clone();
        if status {
            let of = schema
                .root()
                .field("status")
                .expect("the kinds under test have a status");
            let mut generator = self.generator();
            config["status"] = generator.value(of, 3);
        } else if kind.built_in {
            // No defaults may come in: they are the server's code.
            for field in ["data", "binaryData"] {
                if let (Some(value), Some(of)) = (base.get(field), schema.root().field(field)) {
                    config[field] = self.generator().variation(of, value, 80);
                }
            }
            if let Some(selector) = base["spec"]
                .get("selector")
                .filter(|selector| kind.spec.contains(&"selector") && selector.is_object())
            {
                let of = schema
                    .root()
                    .field("spec")
                    .and_then(|spec| spec.field("selector"))
                    .expect("declared");
                config["spec"]["selector"] = self.generator().variation(of, selector, 80);
            }
            if base["spec"].get("replicas").is_some() {
                config["spec"]["replicas"] = json!(self.random.below(4));
            }
            let labels = metadata(&mut self.random);
            if let Some(labels) = labels.get("labels") {
                config["metadata"]["labels"] = labels.clone();
            }
        } else {
            config = self.vary(kind, schema, &base, if self.crowded { 99 } else { 90 });
        }
        if self.crowded {
            // Something of its own, so that its entry lasts.
            config["metadata"]["annotations"][format!("x.io/m{}", self.step)] = json!("x");
        }
        if kind.built_in && self.random.percent(30) {
            // Two items of one key: only kinds whose rules are switched off take them.
            if let Some(items) = config.pointer_mut("/spec/ports").and_then(Value::as_array_mut)
                && let Some(mut item) = items.first().cloned()
            {
                item["name"] = json!("twice");
                items.push(item);
            }
        }
        if !status && self.random.percent(4) {
            // A client may set managedFields, and begin them anew.
            config["metadata"]["managedFields"] = self
                .random
                .pick(&[json!([]), json!([{}]), json!([{"manager": "x"}])])
                .clone();
        } else if !status && self.random.percent(50) {
            config["metadata"]
                .as_object_mut()
                .expect("metadata is a map")
                .remove("managedFields");
        }
        name(&mut config, schema);
        let manager = if self.crowded {
            format!("m{}", self.step)
        } else {
            (*self.random.pick(&["kubectl-edit", "helm", "controller", "flux"])).to_owned()
        };
        let subresource = if status { "status" } else { "" };
        json!({"op": "update", "live": self.live, "config": config, "manager": manager, "force": false, "subresource": subresource, "now": now})
    }

    /// A part of an object: of its metadata and the generated fields.
    fn vary(&mut self, kind: &Kind, schema: &Schema, of: &Value, keep: usize) -> Value {
        let mut out = json!({});
        let mut generator = self.generator();
        let mut metadata = of["metadata"].clone();
        let inner = schema.root().field("metadata").expect("metadata are declared");
        for field in ["labels", "annotations", "finalizers", "ownerReferences"] {
            if let (Some(value), Some(of)) = (metadata.get(field), inner.field(field)) {
                generator.shape.plain = true;
                metadata[field] = generator.variation(of, value, keep);
            }
        }
        generator.shape.plain = kind.built_in;
        out["metadata"] = metadata;
        for field in &kind.fields {
            if let (Some(value), Some(of)) = (of.get(*field), schema.root().field(field)) {
                let mut varied = generator.variation(of, value, keep);
                if let (Some(spec), false) = (varied.as_object_mut(), kind.spec.is_empty()) {
                    spec.retain(|name, _| kind.spec.contains(&name.as_str()));
                }
                out[*field] = known(&varied, of);
            }
        }
        out
    }
}

/// Without fields that this version doesn't declare: the server would refuse them.
fn known(value: &Value, of: fleetwright::schema::SchemaView<'_>) -> Value {
    match value {
        Value::Object(entries) => Value::Object(
            entries
                .iter()
                .filter_map(|(name, entry)| {
                    let inner = of.field(name).or_else(|| of.additional())?;
                    Some((name.clone(), known(entry, inner)))
                })
                .collect(),
        ),
        Value::Array(items) => match of.items() {
            Some(inner) => Value::Array(items.iter().map(|item| known(item, inner)).collect()),
            None => value.clone(),
        },
        _ => value.clone(),
    }
}

fn name(config: &mut Value, schema: &Schema) {
    config["apiVersion"] = json!(schema.api_version());
    config["kind"] = json!(schema.kind());
    config["metadata"]["name"] = json!("n");
    config["metadata"]["namespace"] = json!("ns");
}
