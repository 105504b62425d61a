//! The whole way in a sandbox: objects that others made are imported, adopted, and kept as they are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fleetwright::apply::{Event, Observer};
use fleetwright::fleet::model::{Dialect, ExistingNetwork, Fleet, NetworkSource};
use fleetwright::ops::{self, Access, Against, ImportOptions, LoadOptions, LoadedFleet, PlanOptions, Planned, Scope};
use fleetwright::plan::change::Action;
use fleetwright::report::plan_text::PlanText;
use fleetwright::resource::{NodePoolName, OciId, Ocid};
use fleetwright::sandbox::{Options, Sandbox};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::fleets::fleets;
use super::{NOW, of_others, rendered};
use crate::cli::Workplace;
use crate::render_fixture::{cluster, fleet, gpu_pool, hosted};

/// Who does not listen.
struct Nobody;

impl Observer for Nobody {
    fn event(&self, _: &Event) {}
}

pub(super) const SECRET: &str = "c2VjcmV0LW9mLXRoZS1wdWxs";

struct World {
    place: Workplace,
    access: Access,
    sandbox: Arc<Sandbox>,
}

impl World {
    /// A sandbox in which others have made what a fleet renders to.
    async fn of(fleet: &Fleet, directory: Option<&str>) -> Self {
        let place = Workplace::new(&[]);
        let options = Options {
            directory: directory.map(|name| place.path().join(name)),
            ..Options::new(NOW.parse().expect("a time"))
        };
        let sandbox = ops::open_sandbox(options, None).await.expect("a sandbox");
        for object in of_others(&rendered(fleet)) {
            sandbox.put("m", &object).await.expect("an object");
        }
        for cluster in fleet.clusters.values() {
            for (name, key) in [("pull-secret", ".dockerconfigjson"), ("ssh-key", "id_rsa.pub")] {
                let metadata = json!({"namespace": cluster.namespace, "name": format!("{}-{name}", cluster.name)});
                let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {key: SECRET}});
                sandbox.put("m", &secret).await.expect("a Secret");
            }
        }
        sandbox.settled().await;
        let access = Access {
            sandbox: Some(sandbox.clone()),
            management_clusters: vec!["m".to_owned()],
            ..Access::default()
        };
        Self { place, access, sandbox }
    }

    /// Imports into `fleet/`, and loads it.
    async fn imported(&self) -> LoadedFleet {
        let options = ImportOptions {
            access: self.access.clone(),
            fleet: "imported".to_owned(),
            environment: "imported".to_owned(),
            environment_label: None,
            region: Some("eu-frankfurt-1".to_owned()),
            now: NOW.parse().expect("a time"),
        };
        let imported = ops::import(&options).await.expect("an import");
        assert!(!imported.is_incomplete(), "{:#?}", imported.diagnostics);
        let written = ops::write_imported(&imported, &self.place.fleet()).expect("files");
        assert_eq!(written.len(), imported.files.len());
        let options = LoadOptions {
            directory: self.place.fleet(),
            locked: true,
            now: NOW.parse().expect("a time"),
        };
        let loaded = ops::load(&options).expect("the fleet");
        assert!(!loaded.has_errors(), "{:#?}", loaded.diagnostics);
        loaded
    }

    async fn plan(&self, loaded: &LoadedFleet, adopt: bool) -> Planned {
        let options = PlanOptions {
            against: Against::Live(Box::new(self.access.clone())),
            scope: Scope::default(),
            contested: BTreeMap::new(),
            adopt,
            even_suspended: false,
            now: NOW.to_owned(),
        };
        ops::plan(loaded, &options).await.expect("a plan")
    }
}

/// Fails unless all that a plan does is to put our marks on what is there.
#[track_caller]
fn is_adoption_alone(planned: &Planned, loaded: &LoadedFleet) {
    let shown = PlanText::default().render(&planned.plan);
    let objects = of_others(&loaded.rendered).len();
    assert_eq!(planned.plan.changes.len(), objects, "{shown}");
    for change in &planned.plan.changes {
        assert_eq!(change.action, Action::Adopt, "{shown}");
        for field in &change.fields {
            let is_mark =
                field.field.contains("fleetwright.dev/") || field.field.contains("app.kubernetes.io/managed-by");
            assert!(
                field.field.starts_with(".metadata.") && is_mark,
                "{}: {shown}",
                field.field
            );
        }
    }
    assert!(!planned.plan.is_refused(), "{shown}");
}

pub(super) fn three() -> Fleet {
    let clusters = ["a", "b", "c"].map(|name| {
        let mut cluster = cluster(name, Dialect::None);
        cluster.namespace = "clusters".to_owned();
        let it = hosted(&mut cluster);
        it.hosted_cluster_patch = json!({"configuration": {"apiServer": {"audit": {"profile": "None"}}}});
        let pool = gpu_pool(name);
        it.node_pools.insert(NodePoolName::new("gpu"), pool);
        it.encryption_key = None;
        it.trust_bundle = None;
        cluster
    });
    let mut fleet = fleet(clusters);
    fleet
        .management_clusters
        .values_mut()
        .for_each(|it| it.dialect = Dialect::None);
    fleet
}

#[tokio::test(start_paused = true)]
async fn what_others_made_is_imported_adopted_and_then_there_is_nothing_to_do() {
    let fleet = three();
    let world = World::of(&fleet, None).await;
    let loaded = world.imported().await;
    let refused = world.plan(&loaded, false).await;
    assert_eq!(refused.plan.refusals[0].guard, "adoption");
    let planned = world.plan(&loaded, true).await;
    is_adoption_alone(&planned, &loaded);
    let before = specs_of(&world).await;
    let options = fleetwright::apply::Options::default();
    let outcome = ops::apply(&loaded, &planned, options, &Nobody, &AtomicBool::new(false)).await;
    assert!(outcome.is_success());
    assert_eq!(specs_of(&world).await, before, "a spec was changed");
    let planned = world.plan(&loaded, false).await;
    assert!(
        !planned.plan.has_changes(),
        "{}",
        PlanText::default().render(&planned.plan)
    );
}

async fn specs_of(world: &World) -> BTreeMap<String, Value> {
    let cluster = world.sandbox.cluster("m").await.expect("the API server");
    let mut objects = Vec::new();
    for plural in ["hostedclusters", "nodepools"] {
        let kind = fleetwright::sandbox::kubernetes::Resource::new("hypershift.openshift.io", "v1beta1", plural);
        objects.extend(cluster.server().list(&kind, None).expect("a list"));
    }
    super::specs(&objects)
}

#[tokio::test(start_paused = true)]
async fn clusters_on_oci_are_adopted_on_the_networks_that_they_name() {
    let clusters = ["a", "b"].map(|name| {
        let mut cluster = cluster(name, Dialect::Oci);
        let ocid = |kind: &str| Some(OciId::Known(Ocid::new(format!("ocid1.{kind}.oc1.eu-frankfurt-1.its"))));
        cluster.network.source = NetworkSource::Existing(ExistingNetwork {
            vcn: ocid("vcn"),
            endpoint_subnet: Some(OciId::Known(Ocid::new("ocid1.subnet.oc1.eu-frankfurt-1.endpoint"))),
            worker_subnet: ocid("subnet"),
        });
        cluster
    });
    let world = World::of(&fleet(clusters), None).await;
    let loaded = world.imported().await;
    ops::ready_sandbox(&world.sandbox, &loaded).await.expect("the networks");
    is_adoption_alone(&world.plan(&loaded, true).await, &loaded);
}

#[tokio::test(start_paused = true)]
async fn generated_fleets_come_back_as_they_were() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..8 {
        let fleet = fleets().new_tree(&mut runner).expect("a fleet").current();
        let world = World::of(&fleet, None).await;
        let loaded = world.imported().await;
        // What is on OCI is looked for there, and this sandbox has no networks: that is for others to test.
        if fleet.management_clusters.values().all(|it| it.dialect != Dialect::Oci) {
            is_adoption_alone(&world.plan(&loaded, true).await, &loaded);
        }
        let again = of_others(&loaded.rendered);
        let live = specs_of(&world).await;
        for (name, spec) in super::specs(&of_others(&rendered(&fleet))) {
            assert_eq!(super::specs(&again)[&name], spec, "{name}, live {:#?}", live.get(&name));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_secrets_hold_is_in_no_file() {
    let world = World::of(&three(), None).await;
    world.imported().await;
    let mut texts = Vec::new();
    read_all(&world.place.fleet(), &mut texts);
    assert!(texts.len() > 4);
    assert!(texts.iter().any(|text| text.contains("{cluster}-pull-secret")));
    for text in texts {
        assert!(!text.contains(SECRET) && !text.contains("secret-of-the-pull"), "{text}");
    }
}

fn read_all(folder: &std::path::Path, texts: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read_all(&path, texts);
        } else {
            texts.push(std::fs::read_to_string(&path).expect("a file"));
        }
    }
}

/// By the program itself: what it says, and how it ends.
#[test]
fn the_program_writes_a_fleet_and_says_what_to_do_next() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let place = runtime.block_on(async {
        let world = World::of(&three(), Some("state")).await;
        world.sandbox.close().await.expect("an end");
        world.place
    });
    let import = [
        "import",
        "--sandbox",
        "state",
        "--management-cluster",
        "m",
        "-o",
        "fleet",
    ];
    let lost = place.run(&import).exits(1);
    assert!(
        lost.stderr.contains("hint: say it: `--region us-ashburn-1`"),
        "{}",
        lost.stderr
    );
    assert!(!place.fleet().exists());
    let region = ["--region", "eu-frankfurt-1"];
    let ran = place.run(&[&import[..], &region].concat()).exits(0);
    assert!(
        ran.stderr
            .contains("kept as a patch of HostedClusters clusters/a, clusters/b, clusters/c: spec.configuration")
            && ran.stderr.contains("3 hosted clusters with 6 node pools in ")
            && ran.stderr.contains("fleetwright apply --adopt --fleet fleet"),
        "{}",
        ran.stderr
    );
    place.run(&["validate", "--fleet", "fleet", "--locked"]).exits(0);
    let on = ["--sandbox", "state", "--fleet", "fleet"];
    place
        .run(&[&["plan", "--detailed-exitcode"][..], &on].concat())
        .exits(3);
    place.run(&[&["apply", "--yes", "--adopt"][..], &on].concat()).exits(0);
    place
        .run(&[&["plan", "--detailed-exitcode"][..], &on].concat())
        .exits(0);
    let full = place.run(&[&import[..], &region].concat()).exits(1);
    assert!(
        full.stderr.contains("is not empty: nothing was written"),
        "{}",
        full.stderr
    );
    place.run(&["import", "--sandbox", "state", "-o", "other"]).exits(1);
}
