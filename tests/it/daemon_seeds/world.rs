//! The daemons of a run, what they keep, and what befalls both.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use fleetwright::daemon::{self, Options, Pace, Telemetry};
use fleetwright::fleet::model::DriftAction;
use fleetwright::lease::Timing;
use fleetwright::ops::lease::{Holder, Part};
use fleetwright::ops::{self, Access, LoadedFleet, Meant};
use fleetwright::plan::Plan;
use fleetwright::plan::change::{Action, Block, Change};
use fleetwright::sandbox::fault::Spec;
use fleetwright::sandbox::kubernetes::Resource;
use fleetwright::sandbox::middleware::Dialect;
use fleetwright::sandbox::oci::Principal;
use fleetwright::sandbox::{self, Sandbox};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::files::{Commits, Wish};
use super::step::{Drift, Step};
use super::window::Window;
use super::{Met, NOW, RATE};
use crate::sandbox_seeds::bystanders::{self, Before};
use crate::sandbox_seeds::writes::SOMEBODY;
use crate::sandbox_seeds::{left, planned, state, writes};
use crate::ssa_generator::Random;

/// Within this time whatever was under way when a suspension came is at its end: the files are looked at each half minute,
/// and an answer may be slow.
const REACTION: Duration = Duration::from_secs(300);

/// Looks at whether it has come to rest; ten minutes lie between two. What was fought over rests for half an hour.
const LOOKS: usize = 24;

const REGION: &str = "us-ashburn-1";

struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

pub(super) struct World {
    seed: u64,
    sandbox: Arc<Sandbox>,
    access: Access,
    commits: Arc<Commits>,
    wish: Wish,
    /// What is said by the last revision that loads, and that.
    good: (Wish, LoadedFleet),
    daemons: Vec<Running>,
    windows: BTreeMap<&'static str, Window>,
    /// Clusters that an annotation suspends.
    annotated: BTreeSet<&'static str>,
    before: Before,
    foreign: BTreeMap<(String, String), Value>,
    met: Met,
}

impl World {
    pub(super) async fn of(seed: u64) -> Self {
        let commits = Arc::new(Commits::new());
        let wish = Wish::first();
        let loaded = commits.commit(&wish).expect("the first revision");
        let options = sandbox::Options {
            seed,
            faults: Spec::all(RATE),
            ..sandbox::Options::new(NOW.parse().expect("a time"))
        };
        let sandbox = ops::open_sandbox(options, Some(&loaded)).await.expect("a sandbox");
        sandbox.faults().rest();
        bystanders::put(&loaded, &sandbox);
        sandbox.clock().sleep(Duration::from_secs(600)).await;
        sandbox.settled().await;
        let before = Before::of(&loaded, &sandbox, state::objects(&loaded, &sandbox).await);
        let access = Access {
            sandbox: Some(sandbox.clone()),
            ..Access::default()
        };
        let mut world = Self {
            seed,
            sandbox,
            access,
            commits,
            good: (wish.clone(), loaded),
            wish,
            daemons: Vec::new(),
            windows: BTreeMap::new(),
            annotated: BTreeSet::new(),
            before,
            foreign: BTreeMap::new(),
            met: Met::default(),
        };
        world.sandbox.faults().resume();
        for number in 0..world.replicas() {
            let started = world.start(number);
            world.daemons.push(started);
        }
        world
    }

    /// Every third run is that of two replicas, one of which stands by, and every third that of three who share the units.
    fn parts(&self) -> &'static [Part] {
        match self.seed % 3 {
            0 => &[Part::Whole; 2],
            1 => &[Part::Share; 3],
            _ => &[],
        }
    }

    fn replicas(&self) -> usize {
        self.parts().len().max(1)
    }

    fn start(&self, number: usize) -> Running {
        let holder = self.parts().get(number).map(|part| Holder {
            name: format!("daemon-{number}"),
            part: *part,
            timing: Timing::default(),
        });
        let options = Options {
            name: None,
            taken: Arc::default(),
            source: self.commits.clone(),
            access: self.access.clone(),
            poll: Duration::from_secs(30),
            pace: Pace::default(),
            drift: DriftAction::Correct,
            provider: None,
            management_clusters: Vec::new(),
            holder,
            concurrency: 8,
            board: Arc::default(),
            bell: Arc::default(),
            telemetry: Arc::new(Telemetry::new(self.access.metrics.clone())),
        };
        let stop = CancellationToken::new();
        Running {
            task: tokio::spawn(daemon::run(options, stop.clone())),
            stop,
        }
    }

    fn commit(&mut self) {
        if let Some(loaded) = self.commits.commit(&self.wish) {
            self.good = (self.wish.clone(), loaded);
        }
    }

    pub(super) async fn happens(&mut self, step: Step) {
        match step {
            Step::Scale(cluster, nodes) => {
                let name = self.wish.name(cluster);
                self.wish.cluster(name).pools.insert("general", nodes);
                self.commit();
            }
            Step::Pool(cluster) => {
                let name = self.wish.name(cluster);
                let pools = &mut self.wish.cluster(name).pools;
                if pools.remove("more").is_none() {
                    pools.insert("more", 1);
                }
                self.commit();
            }
            Step::Add => {
                self.wish.add();
                self.commit();
            }
            Step::Remove(cluster) if self.wish.clusters.len() > 1 => {
                let name = self.wish.name(cluster);
                self.resume(name).await;
                self.wish.remove(name);
                self.commit();
            }
            Step::Remove(_) => {}
            Step::SuspendInFiles(cluster) => {
                let name = self.wish.name(cluster);
                let was = self.wish.cluster(name).suspended;
                if was {
                    self.window_ends(name).await;
                }
                self.wish.cluster(name).suspended = !was;
                self.commit();
                if !self.wish.broken && !was {
                    self.window_begins(name, cluster).await;
                }
            }
            Step::Suspend(cluster) => {
                let name = self.wish.name(cluster);
                if self.annotated.contains(name) {
                    self.resume(name).await;
                } else if self.good.0.clusters.contains_key(name) {
                    self.ask(name, true).await;
                    self.annotated.insert(name);
                    self.window_begins(name, cluster).await;
                }
            }
            Step::Break => {
                self.wish.broken = !self.wish.broken;
                self.commit();
            }
            Step::Drift(cluster, drift) => self.drifts(cluster, drift).await,
            Step::Foreign(cluster) => self.foreign(cluster).await,
            Step::Restart(number) => {
                let number = number % self.daemons.len();
                let started = self.start(number);
                let running = std::mem::replace(&mut self.daemons[number], started);
                running.stop.cancel();
                running.task.await.expect("it ends by itself");
            }
            Step::Kill(number) => {
                self.met.kills += 1;
                let number = number % self.daemons.len();
                self.daemons[number].task.abort();
                let started = self.start(number);
                let killed = std::mem::replace(&mut self.daemons[number], started);
                let end = killed.task.await;
                assert!(
                    end.is_err_and(|error| error.is_cancelled()),
                    "it ended before it was killed"
                );
            }
        }
    }

    /// Somebody asks for a suspension, or for its end.
    async fn ask(&self, name: &str, suspend: bool) {
        self.sandbox.faults().rest();
        let loaded = &self.good.1;
        let meant = Meant::Cluster(name.to_owned());
        let done = if suspend {
            ops::suspend(loaded, &self.access, &meant, "a look", None).await
        } else {
            ops::resume(loaded, &self.access, &meant).await
        };
        self.sandbox.faults().resume();
        done.unwrap_or_else(|error| panic!("seed {}: {name}, suspend {suspend}: {error:?}", self.seed));
    }

    async fn window_begins(&mut self, name: &'static str, cluster: usize) {
        tokio::time::sleep(REACTION).await;
        if !self.windows.contains_key(name) {
            let window = Window::open(&self.sandbox, name).await;
            self.windows.insert(name, window);
            self.met.windows += 1;
        }
        // There is something that a daemon would like to write, or where the cluster is not there yet, all of it.
        self.drifts(cluster, Drift::ScalePool).await;
    }

    async fn window_ends(&mut self, name: &str) {
        if let Some(window) = self.windows.remove(name) {
            window.is_untouched(&self.sandbox, self.seed).await;
        }
    }

    /// Ends every suspension of a cluster; the files' one from the next commit on.
    async fn resume(&mut self, name: &'static str) {
        self.window_ends(name).await;
        self.wish.cluster(name).suspended = false;
        if self.annotated.remove(name) {
            self.ask(name, false).await;
        }
    }

    /// Somebody changes what is ours, where it is there.
    async fn drifts(&mut self, cluster: usize, drift: Drift) {
        let name = self.wish.name(cluster);
        let namespace = format!("clusters-{name}");
        let hub = self.sandbox.cluster("m").await.expect("the API server");
        let server = hub.server();
        let hypershift = |plural| Resource::new("hypershift.openshift.io", "v1beta1", plural);
        let pool = format!("{name}-general");
        let done = match drift {
            Drift::ScalePool => {
                let change = json!({"spec": {"replicas": 9}});
                server
                    .patch("somebody", &hypershift("nodepools"), (&namespace, &pool), "", &change)
                    .is_ok()
            }
            Drift::DeletePool => server.delete(&hypershift("nodepools"), &namespace, &pool).is_ok(),
            Drift::ChangeHostedCluster => {
                let change = json!({"spec": {"etcd": {"managed": {"storage": {"persistentVolume": {"size": "77Gi"}}}},
                    "autoscaling": {"maxNodesTotal": 7}}, "metadata": {"labels": {"fleetwright.io/cluster": "x"}}});
                server
                    .patch(
                        "somebody",
                        &hypershift("hostedclusters"),
                        (&namespace, name),
                        "",
                        &change,
                    )
                    .is_ok()
            }
            Drift::DeleteSecret => server
                .delete(&Resource::new("", "v1", "secrets"), &namespace, "pull-secret")
                .is_ok(),
            Drift::EmptyRouteTable => self.changes(
                "RouteTable",
                "routeTables",
                &format!("{name}-private"),
                &json!({"routeRules": []}),
            ),
            Drift::EmptySecurityList => self.changes(
                "SecurityList",
                "securityLists",
                &format!("{name}-workers"),
                &json!({"ingressSecurityRules": [], "egressSecurityRules": []}),
            ),
            Drift::RenameNetwork => self.changes("Vcn", "vcns", name, &json!({"displayName": "renamed"})),
        };
        self.met.drifts += usize::from(done);
        if let Some(window) = self.windows.get_mut(name) {
            window.look_again(&self.sandbox).await;
        }
    }

    /// Changes a resource of ours that has this name, if it lives.
    fn changes(&self, kind: &str, plural: &str, name: &str, change: &Value) -> bool {
        let somebody = Principal {
            tenancy: self.sandbox.identity().principal().tenancy.clone(),
            user: SOMEBODY.to_owned(),
        };
        let resources = self.sandbox.oci().resources();
        let found = resources.iter().find(|resource| {
            resource.kind == kind
                && resource.body["displayName"] == name
                && resource.body["freeformTags"]["fleetwright-fleet"].is_string()
        });
        found.is_some_and(|resource| {
            let path = format!("/20160918/{plural}/{}", resource.id);
            self.sandbox.oci().act(&somebody, REGION, "PUT", &path, change).is_ok()
        })
    }

    /// Somebody puts an object of his own beside ours.
    async fn foreign(&mut self, cluster: usize) {
        let name = self.wish.name(cluster);
        let namespace = format!("clusters-{name}");
        let hub = self.sandbox.cluster("m").await.expect("the API server");
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"of": "others"},
            "metadata": {"name": format!("others-{}", self.foreign.len()), "namespace": namespace}});
        if let Ok(made) = hub.server().create("somebody", &object) {
            let at = (
                namespace,
                made["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
            );
            self.foreign.insert(at, made);
        }
        if let Some(window) = self.windows.get_mut(name) {
            window.look_again(&self.sandbox).await;
        }
    }

    /// Ends what stands in the way, and fails where that does not come to what the last good revision says.
    pub(super) async fn comes_to_rest(mut self, random: &mut Random) -> Met {
        let seed = self.seed;
        let names: Vec<&'static str> = self.wish.clusters.keys().copied().collect();
        for name in names {
            self.resume(name).await;
        }
        self.wish.broken = false;
        self.commit();
        if random.percent(50) {
            tokio::time::sleep(REACTION).await;
            self.wish.broken = true;
            self.commit();
        }
        self.sandbox.faults().rest();
        let loaded = &self.good.1;
        let mut last = String::new();
        let mut looks = 0;
        loop {
            tokio::time::sleep(Duration::from_secs(600)).await;
            let (open, planned) = planned(loaded, &self.access).await.expect("a plan without faults");
            if !open || self.is_held_by_others(&planned.plan) {
                break;
            }
            looks += 1;
            assert!(
                looks < LOOKS,
                "seed {seed} does not come to rest: {last}\nnow:\n{}",
                left(&planned)
            );
            last = left(&planned);
        }
        for running in &self.daemons {
            assert!(!running.task.is_finished(), "seed {seed}: a daemon has ended");
            running.stop.cancel();
        }
        for running in std::mem::take(&mut self.daemons) {
            running.task.await.expect("it ends by itself");
        }
        self.is_as_wished().await;
        writes::check(loaded, &self.sandbox, self.before.writes, seed);
        let objects = state::objects(loaded, &self.sandbox).await;
        self.before.is_untouched(&self.sandbox, &objects, seed);
        let struck = [Dialect::Kubernetes, Dialect::Oci].map(|dialect| {
            let counts = self.sandbox.faults_of(dialect);
            counts.values().map(|(_, struck)| struck).sum::<u64>()
        });
        self.met.housed = self.housing_others().len();
        Met {
            struck: struck.iter().sum(),
            ..self.met
        }
    }

    /// Clusters that are gone from the files and in whose namespaces somebody has an object of his own.
    fn housing_others(&self) -> BTreeSet<&str> {
        let wish = &self.good.0;
        let houses = self
            .foreign
            .keys()
            .filter_map(|(namespace, _)| namespace.strip_prefix("clusters-"));
        houses.filter(|name| !wish.clusters.contains_key(name)).collect()
    }

    /// Whether nothing is left to do but to delete namespaces in which others live, all of which the guard refuses, and what comes
    /// after them.
    fn is_held_by_others(&self, plan: &Plan) -> bool {
        let houses: BTreeSet<String> = self
            .housing_others()
            .iter()
            .map(|name| format!("clusters-{name}"))
            .collect();
        let waits = |change: &Change| {
            let is_of_others = houses
                .iter()
                .any(|house| *house == format!("clusters-{}", change.unit.name()));
            let is_held =
                |block: &Block| matches!(block, Block::Guard { guard: "inhabited" } | Block::Dependency { .. });
            is_of_others && change.action == Action::Delete && change.blocks.iter().any(is_held)
        };
        let refused: BTreeSet<String> = plan
            .refusals
            .iter()
            .filter(|refusal| refusal.guard == "inhabited")
            .flat_map(|refusal| refusal.objects.iter().map(|id| id.name.clone()))
            .collect();
        refused == houses && plan.settled.is_empty() && plan.changes.iter().all(waits)
    }

    /// Looks at the control planes themselves, not through our own eyes.
    async fn is_as_wished(&self) {
        let seed = self.seed;
        let wish = &self.good.0;
        let hub = self.sandbox.cluster("m").await.expect("the API server");
        let list = |plural| {
            let resource = Resource::new("hypershift.openshift.io", "v1beta1", plural);
            hub.server().list(&resource, None).expect("a list")
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let clusters: BTreeSet<String> = list("hostedclusters")
            .iter()
            .map(|one| text(&one["metadata"]["name"]))
            .collect();
        let wanted: BTreeSet<String> = wish.clusters.keys().map(|name| (*name).to_owned()).collect();
        assert_eq!(clusters, wanted, "seed {seed}");
        let pools: BTreeMap<String, u64> = list("nodepools")
            .iter()
            .map(|one| {
                (
                    text(&one["metadata"]["name"]),
                    one["spec"]["replicas"].as_u64().unwrap_or_default(),
                )
            })
            .collect();
        let wanted: BTreeMap<String, u64> = wish
            .clusters
            .iter()
            .flat_map(|(name, cluster)| {
                let pools = cluster.pools.iter();
                pools.map(move |(pool, nodes)| (format!("{name}-{pool}"), *nodes as u64))
            })
            .collect();
        assert_eq!(pools, wanted, "seed {seed}");
        let networks: BTreeSet<String> = self
            .sandbox
            .oci()
            .resources()
            .iter()
            .filter(|one| {
                one.kind == "Vcn"
                    && self
                        .sandbox
                        .oci()
                        .living()
                        .get("Vcn")
                        .is_some_and(|ids| ids.contains(&one.id))
            })
            .filter(|one| {
                one.body["freeformTags"]["fleetwright-id"]
                    .as_str()
                    .is_some_and(|id| id != "copied")
            })
            .map(|one| text(&one.body["displayName"]))
            .collect();
        let wanted: BTreeSet<String> = wish.clusters.keys().map(|name| (*name).to_owned()).collect();
        // The network of a cluster whose namespace stays goes after that.
        let housing = self.housing_others();
        let others: BTreeSet<&String> = networks.difference(&wanted).collect();
        assert!(
            networks.is_superset(&wanted) && others.iter().all(|name| housing.contains(name.as_str())),
            "seed {seed}: {networks:?}, wanted {wanted:?}, held {housing:?}"
        );
        for ((namespace, name), before) in &self.foreign {
            let there = hub
                .server()
                .get(&Resource::new("", "v1", "configmaps"), namespace, name)
                .expect("an answer");
            assert_eq!(
                there.map(|there| there["data"].clone()),
                Some(before["data"].clone()),
                "seed {seed}: {name}"
            );
        }
    }
}
