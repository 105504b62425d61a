//! Criterion benches of the pure stages, over fleets made in memory: no disk, no network.
//!
//! `cargo bench`, or `cargo bench -- render` for those whose name holds that. What is written here is one cluster in six
//! objects, as in `peers/gen.py`. The schemas are upstream's where FLEETWRIGHT_UPSTREAM or `../shared/upstream` has them;
//! without them HostedClusters and NodePools count as objects of unknown fields, and `schema` and `admission` are left out.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a bench that can't go on says so and ends"
)]
#![allow(missing_docs, reason = "criterion's macros write undocumented functions")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fleetwright::fleet::model::Fleet;
use fleetwright::fleet::{self, Lock, Seed, SourceFile, objects};
use fleetwright::inventory::{Entry, InventoryKey, UnitInventory};
use fleetwright::plan::upgrade::Staged;
use fleetwright::plan::{self, DesiredUnit, Inputs, Revised};
use fleetwright::providers::{Copied, Kind, LiveObject, Observation, Observed, Sensitive, Stored};
use fleetwright::redact::{redacted, remember};
use fleetwright::render::{self, Rendered, TemplateSet};
use fleetwright::resource::{ManagementClusterName, Manifest, Revision, Target, UnitId};
use fleetwright::schema::Schema;
use fleetwright::schema::admission::{
    Admission, Definitions, FieldValidation, Request, Submission, Subresource, admit, review,
};
use fleetwright::ssa::{self, ApplyOutcome, ApplyRequest};
use serde_json::{Value, json};

const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];
const NOW: &str = "2026-01-01T00:00:00Z";

const FLEET: &str = "\
kind: Fleet
metadata: {name: bench}
spec:
  waivers: [{rule: scale-hc, reason: one server takes it all}]
  defaults:
    baseDomain: bench.example
    version: 4.19.12
    pullSecret: {from: bench-sources/pull-secret}
    sshKey: {from: bench-sources/ssh-key}
    etcd: {storageClass: oci-bv}
    region: us-ashburn-1
    network:
      existing: {vcn: ocid1.vcn.oc1.iad.aaaa, workerSubnet: ocid1.subnet.oc1.iad.aaaa}
---
kind: ManagementCluster
metadata: {name: management}
spec: {region: us-ashburn-1, context: bench, dialect: none, nodePortAddress: api.bench.example, capacity: 100000}
---
kind: Environment
metadata: {name: prod}
spec: {availability: high}
---
kind: NodePoolProfile
metadata: {name: workers}
spec: {shape: VM.Standard.E5.Flex, ocpus: 4, memoryInGBs: 32, replicas: 3}
---
kind: NodePoolProfile
metadata: {name: infra}
spec: {shape: VM.Standard.E5.Flex, ocpus: 4, memoryInGBs: 32, replicas: 2}
";

/// A fleet's files and its lock's.
struct Files {
    documents: Vec<SourceFile>,
    lock: Vec<SourceFile>,
}

fn seed() -> Seed {
    Seed {
        templates: 1,
        entropy: [7; 16],
        now: NOW.parse().expect("a time"),
    }
}

fn file(path: String, text: String) -> SourceFile {
    SourceFile {
        path: path.into(),
        text: text.into(),
    }
}

impl Files {
    fn new(clusters: usize) -> Self {
        let mut documents = vec![file("fleet.yaml".to_owned(), FLEET.to_owned())];
        for n in 0..clusters {
            let (high, low) = (n / 256 % 128, n % 256);
            let text = format!(
                "kind: Cluster\nmetadata: {{name: c{n:05}}}\nspec:\n  environment: prod\n  \
                 network: {{machine: 10.{high}.{low}.0/24}}\n  pools: [workers, infra]\n"
            );
            documents.push(file(format!("clusters/c{n:05}.yaml"), text));
        }
        let resolved = fleet::resolve(&fleet::load(&documents), &Lock::default(), &seed());
        let lock = resolved
            .lock
            .files()
            .into_iter()
            .map(|(path, text)| file(path, text))
            .collect();
        Self { documents, lock }
    }

    fn resolve(&self) -> Fleet {
        let (lock, _) = Lock::parse(&self.lock);
        fleet::resolve(&fleet::load(&self.documents), &lock, &seed()).fleet
    }

    fn render(&self, templates: &TemplateSet) -> (Fleet, Rendered) {
        let fleet = self.resolve();
        let rendered = render::render(&fleet, templates);
        (fleet, rendered)
    }
}

fn templates() -> TemplateSet {
    TemplateSet::new(&[]).expect("the built-in templates")
}

/// From files in memory to manifests.
fn rendering(c: &mut Criterion) {
    let templates = templates();
    let mut group = c.benchmark_group("load, resolve, render");
    for size in SIZES {
        let files = Files::new(size);
        let (_, rendered) = files.render(&templates);
        let objects: usize = rendered.units.values().map(|unit| unit.manifests.len()).sum();
        assert_eq!(objects, 6 * size, "{:?}", rendered.diagnostics);
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |b| {
            b.iter(|| files.render(&templates));
        });
    }
    group.finish();

    let files = Files::new(1_000);
    let (fleet, _) = files.render(&templates);
    let loaded = fleet::load(&files.documents);
    let (lock, _) = Lock::parse(&files.lock);
    let mut group = c.benchmark_group("1000 clusters");
    group.bench_function("load", |b| b.iter(|| fleet::load(black_box(&files.documents))));
    group.bench_function("parse the lock", |b| b.iter(|| Lock::parse(black_box(&files.lock))));
    group.bench_function("resolve", |b| {
        b.iter(|| fleet::resolve(black_box(&loaded), &lock, &seed()));
    });
    group.bench_function("render", |b| b.iter(|| render::render(black_box(&fleet), &templates)));
    // What a commit to one cluster costs a daemon, but for reading the tree.
    let rendered = render::render(&fleet, &templates);
    let mut before = fleet.clone();
    let one = before.clusters.values_mut().next().expect("a cluster");
    if let Some(hosted) = one.hosted_mut() {
        hosted.fips = !hosted.fips;
    }
    let earlier = render::Earlier {
        fleet: &before,
        rendered: &rendered,
    };
    group.bench_function("render after one has changed", |b| {
        b.iter(|| {
            let after = render::render_after(Some(earlier), black_box(&fleet), &templates);
            assert_eq!(after.taken_over, 999);
            after
        });
    });
    group.finish();
}

/// The definitions of upstream's kinds, where they are.
fn definitions() -> Vec<Value> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/upstream");
    let folder = std::env::var_os("FLEETWRIGHT_UPSTREAM").map_or_else(beside, PathBuf::from);
    ["hostedclusters-Hypershift-Default", "nodepools-Default"]
        .iter()
        .filter_map(|name| std::fs::read_to_string(folder.join(format!("hypershift/crds/{name}.crd.yaml"))).ok())
        .map(|text| serde_yaml::from_str(&text).expect("a definition"))
        .collect()
}

/// The shape of a kind of the core group, as far as the fleets here use it; and of one whose definition is not at hand.
fn plain(kind: &Kind) -> Value {
    let text = json!({"type": "string"});
    let properties = match kind.kind.as_str() {
        "Secret" => json!({"type": text, "data": {"type": "object", "additionalProperties": text}}),
        _ => json!({"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}),
    };
    json!({"spec": {"group": kind.group, "names": {"kind": kind.kind}, "versions": [{"name": kind.version,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}}}]}})
}

fn schemas(manifests: &[&Manifest]) -> BTreeMap<Kind, Arc<Schema>> {
    let definitions = definitions();
    let mut schemas = BTreeMap::new();
    for manifest in manifests {
        let kind = kind_of(manifest);
        schemas.entry(kind).or_insert_with_key(|kind| {
            let defined = definitions
                .iter()
                .find(|crd| crd["spec"]["names"]["kind"] == *kind.kind);
            let schema = match defined {
                Some(crd) => Schema::from_crd(crd, &kind.version),
                None => Schema::from_crd(&plain(kind), &kind.version),
            };
            Arc::new(schema.expect("a schema"))
        });
    }
    schemas
}

fn kind_of(manifest: &Manifest) -> Kind {
    Kind {
        group: manifest.id.group.clone(),
        version: manifest.version().to_owned(),
        kind: manifest.id.kind.clone(),
    }
}

/// What a provider would want of a manifest: `$copyFrom` filled in.
fn expanded(manifest: &Manifest) -> Value {
    let mut body = manifest.body();
    if let Some(map) = body.as_object_mut()
        && map.remove("$copyFrom").is_some()
    {
        map.insert("type".to_owned(), "Opaque".into());
        map.insert("data".to_owned(), json!({"content": "eyJhdXRocyI6e319"}));
    }
    body
}

/// The object as a server has it after our first apply.
fn live(manifest: &Manifest, schema: &Schema, number: usize) -> Value {
    let config = expanded(manifest);
    let request = ApplyRequest {
        live: None,
        config: &config,
        manager: plan::MANAGER,
        force: false,
        schema,
        now: NOW,
    };
    let Ok(ApplyOutcome::Applied(mut live)) = ssa::apply(request) else {
        panic!("{} can't be applied", manifest.id)
    };
    live["metadata"]["uid"] = format!("uid-{number}").into();
    live["metadata"]["resourceVersion"] = number.to_string().into();
    live["metadata"]["creationTimestamp"] = NOW.into();
    live
}

/// A fleet that has been applied, as a plan finds it.
struct Applied {
    fleet: Fleet,
    rendered: Rendered,
    observed: BTreeMap<Target, Observation>,
    inventories: BTreeMap<InventoryKey, Stored>,
}

impl Applied {
    fn new(clusters: usize) -> Self {
        let (fleet, rendered) = Files::new(clusters).render(&templates());
        let manifests: Vec<&Manifest> = rendered.units.values().flat_map(|unit| &unit.manifests).collect();
        let schemas = schemas(&manifests);
        let mut observation = Observation::default();
        let mut inventories = BTreeMap::new();
        for (number, manifest) in manifests.iter().enumerate() {
            let live = live(manifest, &schemas[&kind_of(manifest)], number);
            let object = LiveObject {
                uid: format!("uid-{number}"),
                version: number.to_string(),
                text: live.to_string().into(),
            };
            observation
                .objects
                .insert(manifest.id.clone(), Observed::Present(object));
            if manifest.canonical().contains("$copyFrom") {
                let copied = Copied {
                    document: Sensitive::new(expanded(manifest)),
                    uid: "uid-of-the-source".to_owned(),
                    version: "1".to_owned(),
                };
                observation.copied.insert(manifest.id.clone(), copied);
            }
            let key = (management(), manifest.unit.clone());
            let stored = inventories.entry(key).or_insert_with(|| Stored {
                inventory: UnitInventory::new(fleet.uid.clone(), manifest.unit.clone()),
                version: Some("1".to_owned()),
            });
            stored.inventory.record(Entry {
                id: manifest.id.clone(),
                api_version: manifest.api_version.clone(),
                uid: Some(format!("uid-{number}")),
                digest: Some(manifest.digest()),
                oci: None,
                going: false,
            });
        }
        observation.schemas = schemas;
        let target = Target::Kubernetes(management());
        let observed = BTreeMap::from([(target, observation)]);
        Self {
            fleet,
            rendered,
            observed,
            inventories,
        }
    }

    fn plan(&self) -> plan::Plan {
        let units = self.rendered.units.iter();
        let desired: BTreeMap<UnitId, DesiredUnit<'_>> = units
            .map(|(id, unit)| {
                (
                    id.clone(),
                    DesiredUnit {
                        manifests: &unit.manifests,
                        recorded_on: management(),
                    },
                )
            })
            .collect();
        plan::build(&Inputs {
            fleet: &self.fleet,
            desired,
            wanted_elsewhere: std::collections::BTreeSet::new(),
            targets: &|_| true,
            failed: BTreeMap::new(),
            in_scope: &|_| true,
            recorded_beside: 0,
            inventories: &self.inventories,
            observed: &self.observed,
            looked_up: &BTreeMap::new(),
            revised: Revised {
                fleet: self.fleet.uid.clone(),
                revision: Revision::new("r"),
                time: 0,
            },
            newer: &BTreeMap::new(),
            beside: &BTreeMap::new(),
            suspended: BTreeMap::new(),
            staged: &Staged::default(),
            contested: &BTreeMap::new(),
            adopt: false,
            now: NOW,
        })
        .expect("no cycle")
    }
}

fn management() -> ManagementClusterName {
    ManagementClusterName::new("management")
}

/// All is as it should be, and found to be so.
fn planning(c: &mut Criterion) {
    let mut group = c.benchmark_group("plan, nothing changed");
    for size in SIZES {
        let applied = Applied::new(size);
        let plan = applied.plan();
        assert_eq!((plan.unchanged, plan.changes.len()), (6 * size, 0));
        group.throughput(Throughput::Elements(6 * size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |b| b.iter(|| applied.plan()));
    }
    group.finish();
}

/// One HostedCluster: merged as a server would, and found unchanged.
fn merging(c: &mut Criterion) {
    let (_, rendered) = Files::new(1).render(&templates());
    let manifests: Vec<&Manifest> = rendered.units.values().flat_map(|unit| &unit.manifests).collect();
    let schemas = schemas(&manifests);
    let mut group = c.benchmark_group("ssa");
    for kind in ["HostedCluster", "NodePool", "Secret"] {
        let manifest = manifests
            .iter()
            .find(|manifest| manifest.id.kind == kind)
            .expect("one of each kind");
        let schema = &*schemas[&kind_of(manifest)];
        let config = expanded(manifest);
        let live = live(manifest, schema, 1);
        assert!(ssa::is_noop(&config, &live, plan::MANAGER, schema), "{kind}");
        let request = ApplyRequest {
            live: Some(&live),
            config: &config,
            manager: plan::MANAGER,
            force: false,
            schema,
            now: NOW,
        };
        group.bench_function(BenchmarkId::new("apply", kind), |b| {
            b.iter(|| ssa::apply(black_box(request)));
        });
        group.bench_function(BenchmarkId::new("is_noop", kind), |b| {
            b.iter(|| ssa::is_noop(black_box(&config), black_box(&live), plan::MANAGER, schema));
        });
        let text = live.to_string();
        group.bench_function(BenchmarkId::new("parse", kind), |b| {
            b.iter(|| serde_json::from_str::<Value>(black_box(&text)));
        });
    }
    group.finish();
}

/// From a definition to what the merge goes by.
fn compiling(c: &mut Criterion) {
    let mut group = c.benchmark_group("schema");
    for crd in definitions() {
        let kind = crd["spec"]["names"]["kind"].as_str().expect("a kind").to_owned();
        group.bench_function(kind, |b| b.iter(|| Schema::from_crd(black_box(&crd), "v1beta1")));
    }
    group.finish();
}

/// One object through all that a server does before it stores it.
fn admitting(c: &mut Criterion) {
    let (_, rendered) = Files::new(1).render(&templates());
    let manifests: Vec<&Manifest> = rendered.units.values().flat_map(|unit| &unit.manifests).collect();
    let mut group = c.benchmark_group("admission");
    for crd in definitions() {
        let kind = crd["spec"]["names"]["kind"].as_str().expect("a kind");
        let manifest = manifests.iter().find(|manifest| manifest.id.kind == kind);
        let object = manifest.expect("one of each kind").body();
        let admission = Admission::new(&crd, "v1beta1").expect("a definition");
        let create = Request {
            object: &object,
            old: None,
            subresource: Subresource::None,
            field_validation: FieldValidation::Strict,
            repeated: &[],
        };
        let mut stored = admit(&admission, create).expect("it is valid").object;
        stored["metadata"]["resourceVersion"] = Value::from("2");
        stored["metadata"]["uid"] = Value::from("00000000-0000-4000-a000-000000000000");
        let update = Request {
            object: &stored,
            old: Some(&stored),
            ..create
        };
        admit(&admission, update).expect("it is still valid");
        group.bench_function(BenchmarkId::new("compile", kind), |b| {
            b.iter(|| Admission::new(black_box(&crd), "v1beta1"));
        });
        group.throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::new("create", kind), |b| {
            b.iter(|| admit(&admission, black_box(create)));
        });
        group.bench_function(BenchmarkId::new("update", kind), |b| {
            b.iter(|| admit(&admission, black_box(update)));
        });
        // As the command does it: the text read, the object judged with its defaults and what is dropped.
        let text = serde_yaml::to_string(&object).expect("YAML");
        let files = [file("a.yaml".to_owned(), text)];
        let mut all = Definitions::default();
        all.add(crd.clone()).expect("a good definition");
        group.bench_function(BenchmarkId::new("admit", kind), |b| {
            b.iter(|| {
                let read = objects::read(black_box(&files));
                let submission = Submission {
                    object: &read.objects[0].value,
                    old: None,
                    field_validation: FieldValidation::Strict,
                    repeated: &read.objects[0].repeated,
                };
                review(&all, submission)
            });
        });
    }
    group.finish();
}

/// A mebibyte of what goes out, as a plan's text has it: no line of it holds a secret, as is mostly so.
fn text_of_a_plan() -> String {
    let mut text = String::new();
    for n in 0.. {
        if text.len() >= 1 << 20 {
            break;
        }
        text.push_str(&format!(
            "cluster c{n:05} on management\n  ~ NodePool clusters-c{n:05}/c{n:05}-workers  the fleet files changed\n      \
             ~ .spec.replicas: 3 → 4  clusters/c{n:05}.yaml:7, commit 1a2b3c4d5e: Give it a node more  was set by \
             fleetwright, 2026-11-21T12:00:00Z\n"
        ));
    }
    text
}

/// Last of all: what is remembered is so for the rest of the process. 256 are as many as it remembers.
fn redacting(c: &mut Criterion) {
    let mut group = c.benchmark_group("redact a MiB");
    let text = text_of_a_plan();
    group.throughput(Throughput::Bytes(text.len() as u64));
    let mut known = 0;
    for secrets in [0, 16, 256] {
        while known < secrets {
            remember(&format!("a1b2c3d4e5f6a7b8-{known:03}"));
            known += 1;
        }
        assert_eq!(redacted(&text), text, "a secret is in it");
        group.bench_function(BenchmarkId::new("secrets", secrets), |b| {
            b.iter(|| redacted(black_box(&text)).len());
        });
    }
    group.finish();
}

criterion_group! {
    name = pure;
    // The largest fleets take seconds a run: ten samples show what there is to see.
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    targets = rendering, planning, merging, compiling, admitting, redacting
}
criterion_main!(pure);
