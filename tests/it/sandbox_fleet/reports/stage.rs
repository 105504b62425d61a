//! A fleet that stands, and the reports of a plan of it.

use std::collections::BTreeMap;

use fleetwright::fleet::Lock;
use fleetwright::ops::{self, Against, PlanOptions, Planned, Scope};
use fleetwright::plan::narrow::Narrow;
use fleetwright::report::markdown::Comment;
use fleetwright::report::plan_text::PlanText;
use fleetwright::report::verdict::Verdict;
use fleetwright::report::{diagnostics, json, junit, sarif};
use fleetwright::sandbox::kubernetes::Resource;
use serde_json::Value;

use super::super::world::{NOW, World};
use crate::fleet_support::{file, resolved};
use crate::golden;

/// The fleet, its clusters in a network that there is; `MORE` stands for further lines of its spec.
pub(super) const FLEET: &str = "\
kind: Fleet
metadata: {name: acme}
spec:
  defaults:
    baseDomain: acme.example
    version: 4.19.12
    pullSecret: {from: fleetwright/pull-secret}
    etcd: {storageClass: fast}
    region: us-ashburn-1
    network:
      existing: {vcn: ocid1.vcn.oc1.iad.aaaa, workerSubnet: ocid1.subnet.oc1.iad.aaaa}
      machine: 10.0.64.0/20
MORE
---
kind: ManagementCluster
metadata: {name: m}
spec: {region: us-ashburn-1, context: test, dialect: none, nodePortAddress: hcp.acme.example}
---
kind: Environment
metadata: {name: dev}
spec: {availability: single}
";

/// What pools are made of.
pub(super) const PROFILES: &str = "\
kind: NodePoolProfile
metadata: {name: general}
spec: {shape: VM.Standard.E5.Flex, ocpus: 4, memoryInGBs: 32, replicas: 3}
---
kind: NodePoolProfile
metadata: {name: memory}
spec: {shape: VM.Standard.E5.Flex, ocpus: 8, memoryInGBs: 128, replicas: 2}
";

/// Two pools.
pub(super) const POOLS: &str = "  pools: [general, memory]";

/// A fleet and its sandbox.
pub(super) struct Stage(pub(super) World);

impl Stage {
    /// These clusters, with further lines for their specs, applied.
    pub(super) async fn of(clusters: &[(&str, &str)]) -> Self {
        Self::with("", clusters).await
    }

    /// The same with further lines for the Fleet's spec, or further documents.
    pub(super) async fn with(more: &str, clusters: &[(&str, &str)]) -> Self {
        let stage = Self::unapplied(&FLEET.replace("MORE", more), clusters).await;
        stage.settle().await;
        stage
    }

    /// A fleet's document and its clusters; nothing is there yet.
    pub(super) async fn unapplied(fleet: &str, clusters: &[(&str, &str)]) -> Self {
        let mut files: BTreeMap<String, String> = clusters
            .iter()
            .map(|(name, spec)| (format!("clusters/{name}.yaml"), cluster(name, spec)))
            .collect();
        files.insert("fleet.yaml".to_owned(), fleet.to_owned());
        files.insert("profiles.yaml".to_owned(), PROFILES.to_owned());
        // Ids and addresses that are the same each time.
        let sources: Vec<_> = files.iter().map(|(path, text)| file(path, text)).collect();
        let (_, resolved) = resolved(&sources, &Lock::default());
        files.extend(resolved.lock.files());
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, &**text)).collect();
        Self(World::of_files(&files).await)
    }

    /// Applied, and left alone for a while.
    pub(super) async fn settle(&self) {
        self.0.converges().await;
        self.0.pass(60).await;
    }

    /// Writes a cluster's file anew.
    pub(super) fn cluster(&mut self, name: &str, spec: &str) {
        self.0
            .place
            .write(&format!("clusters/{name}.yaml"), &cluster(name, spec));
        self.0.reload();
    }

    /// Takes a cluster's file away.
    pub(super) fn without(&mut self, name: &str) {
        self.0.place.remove(&format!("clusters/{name}.yaml"));
        self.0.reload();
    }

    /// Writes the Fleet's file anew, with further lines for its spec.
    pub(super) fn fleet(&mut self, more: &str) {
        self.0.place.write("fleet.yaml", &FLEET.replace("MORE", more));
        self.0.reload();
    }

    /// Somebody patches an object of cluster `a`'s namespace.
    #[track_caller]
    pub(super) fn patch(
        &self,
        manager: &str,
        resource: &Resource,
        name: &str,
        change: &Value,
    ) -> impl Future<Output = ()> {
        self.patch_in(manager, resource, ("clusters-a", name), change)
    }

    /// The same in any namespace.
    pub(super) async fn patch_in(&self, manager: &str, resource: &Resource, at: (&str, &str), change: &Value) {
        let cluster = self.0.sandbox.cluster("m").await.expect("the API server");
        let patched = cluster.server().patch(manager, resource, at, "", change);
        patched.expect("a patch");
    }

    /// Somebody deletes an object.
    pub(super) async fn delete(&self, resource: &Resource, at: (&str, &str)) {
        let cluster = self.0.sandbox.cluster("m").await.expect("the API server");
        cluster.server().delete(resource, at.0, at.1).expect("a delete");
    }

    /// Somebody makes an object.
    pub(super) async fn create(&self, manager: &str, object: &Value) {
        let cluster = self.0.sandbox.cluster("m").await.expect("the API server");
        cluster.server().create(manager, object).expect("an object");
    }

    /// What a plan of all says.
    pub(super) async fn report(&self) -> Report {
        self.plan(&Narrow::default()).await
    }

    /// What a part of it says.
    pub(super) async fn plan(&self, to: &Narrow) -> Report {
        let planned = self.0.plan().await;
        self.of_plan(planned, to)
    }

    /// What a plan says that was made in some other way.
    pub(super) async fn planned(&self, options: impl FnOnce(&mut PlanOptions)) -> Report {
        let mut all = PlanOptions {
            against: Against::Live(Box::new(self.0.access.clone())),
            scope: Scope::default(),
            adopt: false,
            even_suspended: false,
            now: NOW.to_owned(),
            contested: BTreeMap::new(),
        };
        options(&mut all);
        let planned = ops::plan(&self.0.loaded, &all).await.expect("a plan");
        self.of_plan(planned, &Narrow::default())
    }

    fn of_plan(&self, mut planned: Planned, to: &Narrow) -> Report {
        let loaded = &self.0.loaded;
        if to.is_less() {
            ops::narrow(loaded, &mut planned, &Scope::default(), to).expect("known kinds");
        }
        ops::trace(loaded, &mut planned, None).expect("the lines");
        let found = [&loaded.diagnostics[..], &planned.inadmissible, &planned.idle].concat();
        let problems = diagnostics::render(&found, &loaded.files, diagnostics::Style::default());
        let verdict = Verdict::of_plan(&planned.plan, loaded.has_errors());
        Report {
            planned,
            found,
            problems,
            verdict,
        }
    }
}

/// A plan, and what is wrong with the files.
pub(super) struct Report {
    planned: Planned,
    found: Vec<fleetwright::diag::Diagnostic>,
    problems: String,
    verdict: Verdict,
}

impl Report {
    /// As it is printed.
    #[track_caller]
    pub(super) fn text(&self, name: &str) -> &Self {
        let plan = PlanText::default().render(&self.planned.plan);
        let verdict = self.verdict;
        golden::check(
            &format!("reports/{name}/plan.txt"),
            &golden::timeless(&format!("{}{plan}verdict: {verdict}\n", self.problems)),
        );
        self
    }

    /// As the comment of a pull request.
    #[track_caller]
    pub(super) fn markdown(&self, name: &str) -> &Self {
        let comment = Comment {
            fleet: "acme",
            compared_with: None,
            verdict: self.verdict,
        };
        let text = comment.render(&self.planned.plan);
        golden::check(&format!("reports/{name}/comment.md"), &golden::timeless(&text));
        self
    }

    /// For programs.
    #[track_caller]
    pub(super) fn json(&self, name: &str) -> &Self {
        let report = json::plan(&self.planned.plan, &self.found);
        let text = serde_json::to_string_pretty(&report).expect("JSON");
        golden::check(&format!("reports/{name}/plan.json"), &(text + "\n"));
        self
    }

    /// For pipelines.
    #[track_caller]
    pub(super) fn for_pipelines(&self, name: &str) -> &Self {
        let log = sarif::of_plan(&self.planned.plan, &self.found, "fleet");
        let text = serde_json::to_string_pretty(&log).expect("JSON");
        golden::check(&format!("reports/{name}/plan.sarif"), &(text + "\n"));
        let cases = junit::of_plan(&self.planned.plan, &self.found);
        golden::check(&format!("reports/{name}/plan.junit.xml"), &cases);
        self
    }
}

fn cluster(name: &str, spec: &str) -> String {
    let pools = if spec.contains("  pools:") {
        ""
    } else {
        "  pools: [general]\n"
    };
    let spec = if spec.is_empty() {
        String::new()
    } else {
        format!("{spec}\n")
    };
    format!("kind: Cluster\nmetadata: {{name: {name}}}\nspec:\n  environment: dev\n{pools}{spec}")
}
