//! A fleet's files, the sandbox that they are applied in, and what others do there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use fleetwright::apply::{Observer, Outcome};
use fleetwright::ops::{self, Access, Against, LoadOptions, LoadedFleet, PlanOptions, Planned, Scope};
use fleetwright::sandbox::fault::Spec;
use fleetwright::sandbox::kubernetes::Resource;
use fleetwright::sandbox::oci::{LoggedWrite, Principal};
use fleetwright::sandbox::{Options, Sandbox};
use serde_json::Value;

use super::said::{Told, is_settled, text};
use crate::cli::Workplace;
use crate::fleet_support::repository;

pub(super) const TENANCY: &str = "ocid1.tenancy.oc1..aaaaaaaaacme";
/// Where clusters are unless they say otherwise.
pub(super) const CLUSTERS: &str = "ocid1.compartment.oc1..aaaaaaaaclusters";
/// The other one.
pub(super) const OTHERS: &str = "ocid1.compartment.oc1..aaaaaaaaothers";
pub(super) const REGION: &str = "us-ashburn-1";
pub(super) const NOW: &str = "2026-11-21T12:00:00Z";

/// Runs within which a fleet has to be as its files say, without faults.
const ROUNDS: usize = 6;

/// A fleet of one management cluster, without its clusters; `MORE` stands for further lines of its spec.
pub(crate) const FLEET: &str = "
kind: Fleet
metadata: {name: acme}
spec:
  compartments:
    platform: ocid1.compartment.oc1..aaaaaaaaplatform
    clusters: ocid1.compartment.oc1..aaaaaaaaclusters
    others: ocid1.compartment.oc1..aaaaaaaaothers
  addresses: {pools: {us-ashburn-1: 10.16.0.0/12}, perCluster: 20, exclude: [10.16.0.0/16]}
  defaults:
    tenancy: ocid1.tenancy.oc1..aaaaaaaaacme
    compartment: clusters
    region: us-ashburn-1
    baseDomain: acme.example
    version: 4.19.12
    pullSecret: {from: fleetwright/pull-secret}
    etcd: {storageClass: fast}
    network: {peerWith: management}
  limits: {deletes: 200}
MORE
---
kind: ManagementCluster
metadata: {name: m}
spec:
  region: us-ashburn-1
  context: test
  dialect: oci
  operatorVersion: \"4.20\"
  nodePortAddress: hcp.acme.example
  cidrs: [10.16.0.0/16]
  network:
    vcn: ocid1.vcn.oc1.iad.amaaaaaamanagementvcn
    compartment: platform
    routeTables: [ocid1.routetable.oc1.iad.aaaaaaaamanagementnodes]
---
kind: Environment
metadata: {name: dev}
spec: {availability: single}
---
kind: NodePoolProfile
metadata: {name: general}
spec: {shape: VM.Standard.E5.Flex, ocpus: 4, memoryInGBs: 32, replicas: 2}
";

/// The world of one test.
pub(super) struct World {
    pub(super) place: Workplace,
    pub(super) loaded: LoadedFleet,
    pub(super) sandbox: Arc<Sandbox>,
    pub(super) access: Access,
    /// When plans are made.
    pub(super) now: String,
}

impl World {
    /// A fleet of these clusters, each with one pool and more lines for its spec, in a new sandbox.
    pub(super) async fn of(clusters: &[(&str, &str)]) -> Self {
        Self::with_more("", clusters).await
    }

    /// The same with more lines for the Fleet's spec, or further documents.
    pub(super) async fn with_more(more: &str, clusters: &[(&str, &str)]) -> Self {
        let place = Workplace::new(&[]);
        write_fleet(&place, more);
        for (name, spec) in clusters {
            write_cluster(&place, name, spec);
        }
        Self::open(place).await
    }

    /// A fleet of these files, the lock among them, in a new sandbox.
    pub(super) async fn of_files(files: &[(&str, &str)]) -> Self {
        Self::open(Workplace::new(files)).await
    }

    /// The same with its state in a directory beside the fleet's, for the program to go on with.
    pub(super) async fn on_disk(clusters: &[(&str, &str)], directory: &str) -> Self {
        let world = Self::of(clusters).await;
        let options = Options {
            directory: Some(world.place.path().join(directory)),
            ..Options::new(NOW.parse().expect("a time"))
        };
        let sandbox = ops::open_sandbox(options, Some(&world.loaded))
            .await
            .expect("a sandbox");
        Self { sandbox, ..world }
    }

    /// A fleet of `examples/`, with the lock that it comes with, in a new sandbox.
    pub(super) async fn example(name: &str) -> Self {
        let place = Workplace::copy_of(&repository("examples").join(name));
        let options = LoadOptions {
            locked: true,
            ..load_options(&place)
        };
        let committed = ops::load(&options).expect("the example");
        assert!(!committed.has_errors(), "{:#?}", committed.diagnostics);
        Self::open(place).await
    }

    /// The same with files that were changed before the sandbox was made ready for them.
    pub(super) async fn changed_example(name: &str, change: impl FnOnce(&Workplace)) -> Self {
        let place = Workplace::copy_of(&repository("examples").join(name));
        change(&place);
        Self::open(place).await
    }

    /// The same where faults strike; they rest at first.
    pub(super) async fn troubled(name: &str, seed: u64, rate: f64) -> Self {
        let place = Workplace::copy_of(&repository("examples").join(name));
        let options = Options {
            seed,
            faults: Spec::all(rate),
            ..Options::new(NOW.parse().expect("a time"))
        };
        let world = Self::with(place, options).await;
        world.sandbox.faults().rest();
        world
    }

    async fn open(place: Workplace) -> Self {
        Self::with(place, Options::new(NOW.parse().expect("a time"))).await
    }

    async fn with(place: Workplace, options: Options) -> Self {
        let loaded = load(&place);
        let sandbox = ops::open_sandbox(options, Some(&loaded)).await.expect("a sandbox");
        let access = Access {
            sandbox: Some(sandbox.clone()),
            ..Access::default()
        };
        Self {
            place,
            loaded,
            sandbox,
            access,
            now: NOW.to_owned(),
        }
    }

    /// Writes the Fleet's file anew.
    pub(super) fn fleet(&mut self, more: &str) {
        write_fleet(&self.place, more);
        self.loaded = load(&self.place);
    }

    /// Writes a cluster's file anew.
    pub(super) fn cluster(&mut self, name: &str, spec: &str) {
        write_cluster(&self.place, name, spec);
        self.loaded = load(&self.place);
    }

    /// Reads the files again, whatever is wrong with them, and locks what they come to.
    pub(super) fn reload(&mut self) {
        let options = load_options(&self.place);
        let loaded = ops::load(&options).expect("the fleet");
        ops::write_lock(&loaded, &self.place.fleet()).expect("a lock");
        self.loaded = ops::load(&options).expect("the fleet again");
    }

    /// Changes a file of the fleet.
    #[track_caller]
    pub(super) fn edit(&mut self, path: &str, change: impl FnOnce(&str) -> String) {
        let before = std::fs::read_to_string(self.place.fleet().join(path)).expect("the file");
        let after = change(&before);
        assert_ne!(before, after, "nothing of {path} was changed");
        self.place.write(path, &after);
        self.loaded = load(&self.place);
    }

    /// Takes files out of an example, and says in its Fleet that the units in them are to go, however many objects that is.
    #[track_caller]
    pub(super) fn retire(&mut self, files: &[&str], units: &[&str]) {
        files.iter().for_each(|file| self.place.remove(file));
        let units = units.iter().map(|unit| format!("{{{unit}, reason: it was a test}}"));
        let listed = units.collect::<Vec<_>>().join(", ");
        self.edit("fleet.yaml", |text| {
            text.replacen(
                "\nspec:\n",
                &format!("\nspec:\n  limits: {{deletes: 20}}\n  decommission: [{listed}]\n"),
                1,
            )
        });
    }

    /// Decommissions a cluster: its file goes, and the Fleet's says so.
    pub(super) fn decommission(&mut self, name: &str) {
        self.place.remove(&format!("clusters/{name}.yaml"));
        self.fleet(&format!("  decommission: [{{cluster: {name}, reason: it was a test}}]"));
    }

    pub(super) async fn plan(&self) -> Planned {
        self.planned(false).await
    }

    /// With what was found taken over.
    pub(super) async fn plan_to_adopt(&self) -> Planned {
        self.planned(true).await
    }

    async fn planned(&self, adopt: bool) -> Planned {
        let options = PlanOptions {
            against: Against::Live(Box::new(self.access.clone())),
            scope: Scope::default(),
            contested: BTreeMap::new(),
            adopt,
            even_suspended: false,
            now: self.now.clone(),
        };
        ops::plan(&self.loaded, &options).await.expect("a plan")
    }

    pub(super) async fn apply(&self, planned: &Planned, observer: &dyn Observer) -> Outcome {
        let options = fleetwright::apply::Options::default();
        ops::apply(&self.loaded, planned, options, observer, &AtomicBool::new(false)).await
    }

    /// Plans and applies until there is nothing to do; fails where that takes too long. Gives the number of applies.
    #[track_caller]
    pub(super) fn converges(&self) -> impl Future<Output = usize> {
        let caller = std::panic::Location::caller();
        async move {
            for round in 0..ROUNDS {
                let planned = self.plan().await;
                if is_settled(&planned) {
                    return round;
                }
                let told = Told::default();
                self.apply(&planned, &told).await;
                if round + 1 == ROUNDS {
                    panic!("{caller}: {}\n{:#?}", text(&planned), told.failures());
                }
                self.pass(60).await;
            }
            unreachable!("the last round returns or panics")
        }
    }

    /// Minutes by the sandbox's clock.
    pub(super) async fn pass(&self, minutes: u64) {
        self.sandbox.clock().sleep(Duration::from_secs(minutes * 60)).await;
        self.sandbox.settled().await;
    }

    /// A call by somebody who is not us.
    #[track_caller]
    pub(super) fn act(&self, method: &str, path: &str, body: &Value) -> Value {
        self.act_in(REGION, method, path, body)
    }

    /// The same in some region.
    #[track_caller]
    pub(super) fn act_in(&self, region: &str, method: &str, path: &str, body: &Value) -> Value {
        let tenancies = self.loaded.fleet.tenancies();
        let tenancy = tenancies.first().map_or(TENANCY, |ocid| ocid.as_str());
        let somebody = Principal {
            tenancy: tenancy.to_owned(),
            user: "ocid1.user.oc1..aaaaaaaasomebody".to_owned(),
        };
        match self.sandbox.oci().act(&somebody, region, method, path, body) {
            Ok(answer) => answer,
            Err(refusal) => panic!("{method} {path}: {} {}", refusal.code, refusal.message),
        }
    }

    /// One resource as OCI shows it.
    #[track_caller]
    pub(super) fn oci(&self, plural: &str, ocid: &str) -> Value {
        self.act("GET", &format!("/20160918/{plural}/{ocid}"), &Value::Null)
    }

    /// The OCID of what lives of a kind under a name.
    #[track_caller]
    pub(super) fn ocid(&self, kind: &str, name: &str) -> String {
        let living = self.sandbox.oci().living();
        let made = self.sandbox.oci().writes();
        let of_that_name = made.iter().rev().find(|write| {
            write.operation.starts_with("Create")
                && write.kind == kind
                && write.display_name == name
                && living.get(kind).is_some_and(|living| living.contains(&write.resource))
        });
        match of_that_name {
            Some(write) => write.resource.clone(),
            None => panic!("no {kind} {name} lives"),
        }
    }

    /// What we have written to OCI, and nobody else, from some write on.
    pub(super) fn our_writes(&self, from: usize) -> Vec<LoggedWrite> {
        let own = &self.sandbox.identity().principal().user;
        let writes = self.sandbox.oci().writes();
        let ours = writes
            .into_iter()
            .skip(from)
            .filter(|write| write.principal.user == *own);
        ours.collect()
    }

    /// How much has been written to OCI up to now.
    pub(super) fn written(&self) -> usize {
        self.sandbox.oci().writes().len()
    }

    /// One object of the management cluster.
    pub(super) async fn get(&self, resource: &Resource, namespace: &str, name: &str) -> Option<Value> {
        let cluster = self.sandbox.cluster("m").await.expect("the API server");
        cluster.server().get(resource, namespace, name).expect("an answer")
    }

    /// `kind/name` of what the inventories hold, by unit.
    pub(super) fn recorded(planned: &Planned) -> BTreeMap<String, Vec<String>> {
        let inventories = planned.inventories.iter();
        inventories
            .map(|((_, unit), stored)| {
                let entries = stored.inventory.entries.iter();
                let names = entries.map(|entry| format!("{}/{}", entry.id.kind, entry.id.name));
                (unit.to_string(), names.collect())
            })
            .collect()
    }

    /// No OCI resource of ours was ever made twice.
    #[track_caller]
    pub(super) fn made_once(&self) {
        let mut made = BTreeMap::new();
        for write in self.our_writes(0) {
            if write.operation.starts_with("Create") {
                let name = (write.kind, write.display_name.clone());
                let twin = made.insert(name, write.resource.clone());
                assert_eq!(twin, None, "{} {} was made twice", write.kind, write.display_name);
            }
        }
    }
}

fn write_fleet(place: &Workplace, more: &str) {
    place.write("fleet.yaml", &FLEET.replace("MORE", more));
}

fn write_cluster(place: &Workplace, name: &str, spec: &str) {
    let pools = if spec.contains("  pools:") {
        ""
    } else {
        "  pools: [general]\n"
    };
    let text = format!("kind: Cluster\nmetadata: {{name: {name}}}\nspec:\n  environment: dev\n{pools}{spec}\n");
    place.write(&format!("clusters/{name}.yaml"), &text);
}

fn load_options(place: &Workplace) -> LoadOptions {
    LoadOptions {
        directory: place.fleet(),
        locked: false,
        now: NOW.parse().expect("a time"),
    }
}

/// Loads the files, and locks what they come to.
#[track_caller]
fn load(place: &Workplace) -> LoadedFleet {
    let options = load_options(place);
    let loaded = ops::load(&options).expect("the fleet");
    assert!(!loaded.has_errors(), "{:#?}", loaded.diagnostics);
    ops::write_lock(&loaded, &place.fleet()).expect("a lock");
    ops::load(&options).expect("the fleet again")
}

/// How much lives, by kind; work requests are forgotten after a while.
pub(super) fn living(world: &World) -> BTreeMap<&'static str, usize> {
    let mut living = world.sandbox.oci().living();
    living.remove("WorkRequest");
    living.retain(|_, ocids| !ocids.is_empty());
    living.into_iter().map(|(kind, ocids)| (kind, ocids.len())).collect()
}

/// The same of what carries a mark of ours, whatever guests make meanwhile.
pub(super) fn ours(world: &World) -> BTreeMap<&'static str, usize> {
    let mut ours = BTreeMap::new();
    for resource in world.sandbox.oci().resources() {
        if resource.body["freeformTags"]["fleetwright-fleet"].is_string() {
            *ours.entry(resource.kind).or_default() += 1;
        }
    }
    ours
}

/// HostedClusters.
pub(super) fn hosted_clusters() -> Resource {
    Resource::new("hypershift.openshift.io", "v1beta1", "hostedclusters")
}

/// NodePools.
pub(super) fn node_pools() -> Resource {
    Resource::new("hypershift.openshift.io", "v1beta1", "nodepools")
}
