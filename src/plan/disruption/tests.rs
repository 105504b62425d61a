//! By tables: a field that changes, and what is said of it.

use serde_json::{Value, json};

use super::*;
use crate::fleet::{self, Lock, Seed, SourceFile};
use crate::plan::change::FieldDiff;
use crate::plan::change::tests::{change, plan};
use crate::plan::guards::Refusal;

const FLEET: &str = "
kind: Fleet
metadata: {name: test}
spec:
  defaults:
    baseDomain: test.example
    version: 4.20.3
    pullSecret: {from: sources/pull-secret}
    etcd: {storageClass: fast}
    region: us-ashburn-1
    network: {existing: {vcn: ocid1.vcn.oc1.iad.aaaa, workerSubnet: ocid1.subnet.oc1.iad.aaaa}, machine: 10.0.0.0/24}
---
kind: ManagementCluster
metadata: {name: m}
spec: {region: us-ashburn-1, dialect: none, nodePortAddress: api.test.example}
---
kind: Environment
metadata: {name: dev}
spec: {availability: single}
---
kind: NodePoolProfile
metadata: {name: base}
spec: {shape: VM.Standard.E5.Flex, ocpus: 4, memoryInGBs: 32, replicas: 6}
---
kind: Clusters
metadata: {name: all}
spec:
  environment: dev
  clusters:
    a:
      pools:
        slow: {profile: base}
        fast: {profile: base, maxSurge: '50%', maxUnavailable: 1}
        load: {profile: base, replicas: null, autoscale: 2-12}
        site: {profile: base, upgradeType: InPlace, maxUnavailable: 2}
    b:
      pools: {slow: {profile: base}}
";

fn fleet() -> Fleet {
    let files = [SourceFile {
        path: "fleet.yaml".into(),
        text: FLEET.into(),
    }];
    let seed = Seed {
        entropy: [7; 16],
        now: "2026-01-01T00:00:00Z".parse().unwrap(),
    };
    let resolved = fleet::resolve(&fleet::load(&files), &Lock::default(), &seed);
    let fleet = resolved.fleet;
    assert_eq!(fleet.clusters.len(), 2, "{:?}", resolved.diagnostics);
    fleet
}

fn updated(cluster: &str, kind: &str, name: &str, fields: &[(&str, Value, Value)]) -> Change {
    let mut change = change(cluster, kind, name, Action::Update);
    change.id.group = "hypershift.openshift.io".to_owned();
    let diff = |(field, before, after): &(&str, Value, Value)| FieldDiff {
        field: (*field).to_owned(),
        before: Some(before.clone()),
        after: Some(after.clone()),
        owner: None,
        replaces: false,
    };
    change.fields = fields.iter().map(diff).collect();
    change
}

fn one(kind: &str, name: &str, field: &str) -> Change {
    updated("a", kind, name, &[(field, json!("x"), json!("y"))])
}

fn said(changes: Vec<Change>) -> Forecast {
    said_of(&plan(changes), &|_| None)
}

fn said_of(plan: &Plan, nodes: &dyn Fn(&ResourceId) -> Option<u32>) -> Forecast {
    let facts = Facts {
        fleet: &fleet(),
        nodes,
        pace: Pace::default(),
    };
    forecast(plan, facts)
}

#[test]
fn what_a_hosted_clusters_field_does() {
    let table = [
        (".spec.release.image", Class::ControlPlaneRollout, 0),
        (".spec.controlPlaneRelease.image", Class::ControlPlaneRollout, 0),
        (
            ".spec.configuration.oauth.identityProviders",
            Class::ControlPlaneRollout,
            0,
        ),
        (
            ".spec.secretEncryption.aescbc.activeKey.name",
            Class::ControlPlaneRollout,
            0,
        ),
        (".spec.somethingNew", Class::ControlPlaneRollout, 0),
        (".spec.pullSecret.name", Class::NodeReplacement, 4),
        (".spec.sshKey.name", Class::NodeReplacement, 4),
        (".spec.additionalTrustBundle.name", Class::NodeReplacement, 4),
        (".spec.imageContentSources[0].mirrors", Class::NodeReplacement, 4),
        (".spec.configuration.proxy.httpProxy", Class::NodeReplacement, 4),
        (".spec.configuration.image", Class::NodeReplacement, 4),
        (".spec.infrastructureAvailabilityPolicy", Class::RollingRestart, 0),
        (".spec.operatorConfiguration.ingressOperator", Class::RollingRestart, 0),
        (
            ".metadata.annotations.hypershift.openshift.io/restart-date",
            Class::RollingRestart,
            0,
        ),
        (
            ".metadata.annotations.hypershift.openshift.io/image-overrides",
            Class::ControlPlaneRollout,
            0,
        ),
        (".spec.networking.apiServer.allowedCIDRBlocks", Class::InPlace, 0),
        (".spec.autoscaling.maxNodesTotal", Class::InPlace, 0),
        (".spec.channel", Class::None, 0),
        (".spec.pausedUntil", Class::None, 0),
        (".metadata.labels.team", Class::None, 0),
    ];
    for (field, class, pools) in table {
        let change = one("HostedCluster", "a", field);
        let disruption = said(vec![change.clone()])
            .changes
            .remove(&change.id)
            .unwrap_or_default();
        assert_eq!((disruption.class, disruption.pools.len()), (class, pools), "{field}");
        let rolls = matches!(class, Class::ControlPlaneRollout | Class::NodeReplacement);
        assert_eq!(disruption.control_plane, rolls, "{field}");
    }
}

#[test]
fn what_a_node_pools_field_does() {
    let table = [
        (".spec.release.image", Class::NodeReplacement),
        (".spec.platform.oci.instanceType", Class::NodeReplacement),
        (".spec.platform.oci.bootVolumeSizeInGBs", Class::NodeReplacement),
        (".spec.config", Class::NodeReplacement),
        (".spec.tuningConfig", Class::NodeReplacement),
        (".spec.nodeLabels.a", Class::InPlace),
        (".spec.taints", Class::InPlace),
        (".spec.autoScaling.max", Class::InPlace),
        (".spec.management.autoRepair", Class::InPlace),
        (".spec.management.replace.rollingUpdate.maxSurge", Class::InPlace),
        (".spec.nodeDrainTimeout", Class::InPlace),
        (".spec.pausedUntil", Class::None),
    ];
    for (field, class) in table {
        let change = one("NodePool", "a-slow", field);
        let disruption = said(vec![change.clone()])
            .changes
            .remove(&change.id)
            .unwrap_or_default();
        assert_eq!(disruption.class, class, "{field}");
        assert_eq!(
            disruption.pools.len(),
            usize::from(class == Class::NodeReplacement),
            "{field}"
        );
    }
}

#[test]
fn nodes_time_and_the_way_of_it_follow_the_pool() {
    let exactly = Count::exactly;
    let table = [
        ("a-slow", Rollout::Replace, exactly(6), (1, 0), exactly(60)),
        ("a-fast", Rollout::Replace, exactly(6), (3, 1), exactly(20)),
        (
            "a-load",
            Rollout::Replace,
            Count { min: 2, max: 12 },
            (1, 0),
            Count { min: 20, max: 120 },
        ),
        ("a-site", Rollout::InPlace, exactly(6), (0, 2), exactly(30)),
    ];
    for (name, how, nodes, (surge, unavailable), minutes) in table {
        let change = one("NodePool", name, ".spec.release.image");
        let disruption = said(vec![change.clone()]).changes.remove(&change.id).unwrap();
        let pool = &disruption.pools[0];
        assert_eq!((pool.how, pool.nodes, pool.surge), (how, nodes, surge), "{name}");
        assert_eq!((pool.unavailable, pool.minutes), (unavailable, minutes), "{name}");
    }
}

#[test]
fn fewer_replicas_take_nodes_away() {
    let scale = |before: u32, after: u32| {
        let field = (".spec.replicas", json!(before), json!(after));
        let totals = said(vec![updated("a", "NodePool", "a-slow", &[field])]).totals;
        (totals.removed.max, totals.pools)
    };
    assert_eq!(scale(6, 4), (2, 0));
    assert_eq!(scale(4, 6), (0, 0));
}

#[test]
fn deletes_lose_what_they_held() {
    let mut cluster = one("HostedCluster", "a", ".spec");
    let mut pool = one("NodePool", "a-slow", ".spec");
    for change in [&mut cluster, &mut pool] {
        change.action = Action::Delete;
        change.fields.clear();
    }
    let forecast = said_of(&plan(vec![cluster.clone(), pool.clone()]), &|id| {
        (id.name == "a-slow").then_some(5)
    });
    assert_eq!(forecast.changes[&cluster.id].class, Class::DataLoss);
    assert_eq!(forecast.changes[&pool.id].removed, Count::exactly(5));
    assert_eq!((forecast.totals.lost, forecast.totals.clusters), (1, 1));
}

#[test]
fn what_is_refused_says_the_way_out_and_costs_nothing() {
    let change = one("HostedCluster", "a", ".spec.networking.serviceNetwork");
    let mut refused = plan(vec![change.clone()]);
    let refusal = Refusal {
        guard: "immutable",
        message: String::new(),
        lift: "make another".to_owned(),
        objects: vec![change.id.clone()],
    };
    refused.refuse(refusal).unwrap();
    let forecast = said_of(&refused, &|_| None);
    let disruption = &forecast.changes[&change.id];
    assert_eq!(
        (disruption.class, disruption.way_out.as_deref()),
        (Class::Refused, Some("make another"))
    );
    assert_eq!(forecast.totals, Totals::default());
}

#[test]
fn a_pool_is_counted_once_and_a_new_one_not_at_all() {
    let mut new = one("NodePool", "a-fast", ".spec");
    new.action = Action::Create;
    let forecast = said(vec![
        one("HostedCluster", "a", ".spec.pullSecret.name"),
        one("NodePool", "a-slow", ".spec.release.image"),
        new,
        updated(
            "b",
            "HostedCluster",
            "b",
            &[(".spec.sshKey.name", json!("x"), json!("y"))],
        ),
    ]);
    let Totals {
        clusters,
        control_planes,
        pools,
        nodes,
        minutes,
        ..
    } = forecast.totals;
    // Of a: slow, load and site; of b: slow.
    assert_eq!((clusters, control_planes, pools), (2, 2, 4));
    assert_eq!(
        (nodes, minutes),
        (Count { min: 20, max: 30 }, Count { min: 60, max: 120 })
    );
}

#[test]
fn a_profile_that_many_share_is_told_as_one_number() {
    let changes: Vec<Change> = ["a-slow", "a-fast", "a-load", "a-site"]
        .map(|name| one("NodePool", name, ".spec.platform.oci.instanceType"))
        .into();
    let totals = said(changes).totals;
    assert_eq!((totals.clusters, totals.control_planes, totals.pools), (1, 0, 4));
    assert_eq!(totals.nodes, Count { min: 20, max: 30 });
}

#[test]
fn the_nodes_that_are_there_count() {
    let change = one("NodePool", "a-load", ".spec.release.image");
    let mut forecast = said_of(&plan(vec![change]), &|id| (id.name == "a-load").then_some(9));
    assert_eq!(
        (forecast.totals.nodes, forecast.totals.minutes),
        (Count::exactly(9), Count::exactly(90))
    );
    forecast.go_by(Pace { node_minutes: 4 });
    let minutes = forecast.changes.values().map(|one| one.pools[0].minutes);
    assert_eq!(minutes.collect::<Vec<_>>(), [Count::exactly(36)]);
    assert_eq!(forecast.totals.minutes, Count::exactly(36));
}
