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
    machines:
      kind: selfManaged
      version: 1.31.1
      compartment: ocid1.compartment.oc1..aaaa
      network: {madeBy: capoci}
      poolDefaults: {shape: VM.Standard.E5.Flex, ocpus: 1, image: ocid1.image.oc1.iad.aaaa}
      pools: {md: {replicas: 4, maxUnavailable: 1}}
    a:
      pools:
        slow: {profile: base}
        fast: {profile: base, config: [kubelet], maxSurge: '50%', maxUnavailable: 1}
        load: {profile: base, replicas: null, autoscale: 2-12}
        site: {profile: base, upgradeType: InPlace, maxUnavailable: 2}
    b:
      pools: {slow: {profile: base}}
    classed:
      kind: topology
      version: 1.31.1
      class: classes/small
      pools: {one: {class: worker, replicas: 3}, two: {class: worker, replicas: 2, maxUnavailable: 1}}
";

fn fleet() -> Fleet {
    let files = [SourceFile {
        path: "fleet.yaml".into(),
        text: FLEET.into(),
    }];
    let seed = Seed {
        templates: 1,
        entropy: [7; 16],
        now: "2026-01-01T00:00:00Z".parse().unwrap(),
    };
    let resolved = fleet::resolve(&fleet::load(&files), &Lock::default(), &seed);
    let fleet = resolved.fleet;
    assert_eq!(fleet.clusters.len(), 4, "{:?}", resolved.diagnostics);
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
    said_with(plan, nodes, &|_, _| None)
}

fn said_with(
    plan: &Plan,
    nodes: &dyn Fn(&ResourceId) -> Option<u32>,
    wanted: &dyn Fn(&ClusterName, &ResourceId) -> Option<Value>,
) -> Forecast {
    let facts = Facts {
        fleet: &fleet(),
        nodes: &|id| nodes(id).map(Count::exactly),
        wanted,
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
        (".spec.auditWebhook.name", Class::ControlPlaneRollout, 0),
        (".spec.autoNode", Class::ControlPlaneRollout, 0),
        (".spec.configuration.apiServer.audit", Class::ControlPlaneRollout, 0),
        (".spec.kubeAPIServerDNSName", Class::ControlPlaneRollout, 0),
        (".spec.labels.team", Class::ControlPlaneRollout, 0),
        (".spec.nodeSelector.role", Class::ControlPlaneRollout, 0),
        (".spec.serviceAccountSigningKey.name", Class::ControlPlaneRollout, 0),
        (".spec.tolerations", Class::ControlPlaneRollout, 0),
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
        (".spec.monitoring.metricsSet", Class::InPlace, 0),
        (".spec.channel", Class::None, 0),
        (".spec.updateService", Class::None, 0),
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
fn nodes_go_however_a_pool_comes_to_have_fewer() {
    let count = |min, max| Some(Count { min, max });
    let replicas = |before: Value, after: Value| (".spec.replicas", before, after);
    let bound = |key: &'static str, before: Value, after: Value| (key, before, after);
    let (min, max) = (".spec.autoScaling.min", ".spec.autoScaling.max");
    type Case<'a> = (&'a [(&'a str, Value, Value)], Option<u32>, Option<Count>);
    let table: [Case<'_>; 8] = [
        (&[replicas(json!(8), json!(1))], None, count(7, 7)),
        (&[replicas(json!(8), json!(9))], Some(8), None),
        // A bound that is lowered: by what is there, else by what there may be.
        (&[bound(max, json!(24), json!(2))], Some(6), count(4, 4)),
        (&[bound(max, json!(24), json!(8))], Some(6), None),
        (&[bound(max, json!(24), json!(2))], None, count(0, 22)),
        // From a count to bounds, and back.
        (
            &[
                replicas(json!(6), Value::Null),
                bound(min, Value::Null, json!(1)),
                bound(max, Value::Null, json!(2)),
            ],
            None,
            count(4, 4),
        ),
        (
            &[
                replicas(Value::Null, json!(1)),
                bound(min, json!(6), Value::Null),
                bound(max, json!(24), Value::Null),
            ],
            Some(6),
            count(5, 5),
        ),
        (
            &[
                replicas(Value::Null, json!(1)),
                (".spec.autoScaling", json!({"min": 6, "max": 24}), Value::Null),
            ],
            None,
            count(5, 23),
        ),
    ];
    for (fields, live, gone) in table {
        let mut pool = change("a", "NodePool", "a-slow", Action::Update);
        pool.fields = fields
            .iter()
            .map(|(field, before, after)| FieldDiff {
                field: (*field).to_owned(),
                before: Some(before.clone()).filter(|value| !value.is_null()),
                after: Some(after.clone()).filter(|value| !value.is_null()),
                owner: None,
                replaces: false,
            })
            .collect();
        assert_eq!(super::fields::removed(&pool, live), gone, "{fields:?} of {live:?}");
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
fn a_patch_of_the_rollout_says_how_it_goes() {
    let change = one("NodePool", "a-slow", ".spec.platform.oci.instanceType");
    let table = [
        (
            json!({"replace": {"strategy": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 0}}}),
            json!(null),
            (Rollout::Replace, 6, 20),
        ),
        (
            json!({"upgradeType": "InPlace", "inPlace": {"maxUnavailable": 2}}),
            json!(null),
            (Rollout::InPlace, 6, 30),
        ),
        (
            json!({"replace": {"strategy": "OnDelete"}}),
            json!(null),
            (Rollout::OnDelete, 0, 0),
        ),
        (json!({}), json!("true"), (Rollout::Paused, 0, 0)),
        (json!({}), json!("false"), (Rollout::Replace, 6, 60)),
        (json!({}), json!("2026-01-01T00:00:00Z"), (Rollout::Replace, 6, 60)),
    ];
    for (management, paused, (how, nodes, minutes)) in table {
        let mut management = management;
        if management.get("upgradeType").is_none() {
            management["upgradeType"] = "Replace".into();
        }
        let object = json!({"spec": {"management": management, "pausedUntil": paused}});
        let plan = plan(vec![change.clone()]);
        let forecast = said_with(&plan, &|_| None, &|cluster, id| {
            (cluster.as_str() == "a" && id.name == "a-slow").then(|| object.clone())
        });
        let pool = &forecast.changes[&change.id].pools[0];
        assert_eq!((pool.how, pool.minutes.max), (how, minutes), "{object}");
        let totals = forecast.totals;
        let disrupted = if how == Rollout::InPlace {
            totals.updated
        } else {
            totals.nodes
        };
        assert_eq!(disrupted, Count::exactly(nodes), "{object}");
        assert_eq!(totals.pools, usize::from(nodes > 0), "{object}");
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
fn a_volume_that_goes_takes_what_is_on_it_along() {
    for kind in ["PersistentVolumeClaim", "PersistentVolume"] {
        let claim = change("a", kind, "data", Action::Delete);
        let forecast = said_of(&plan(vec![claim.clone()]), &|_| None);
        assert_eq!(forecast.changes[&claim.id].class, Class::DataLoss);
        assert_eq!(forecast.totals.lost, 1);
        let said = crate::report::disruption_text::line(&forecast.changes[&claim.id], &claim.id);
        assert_eq!(said.as_deref(), Some("data loss: what is on its volume goes"));
    }
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
        (Count { min: 14, max: 24 }, Count { min: 60, max: 120 })
    );
    assert_eq!(forecast.totals.updated, Count::exactly(6), "in place");
}

#[test]
fn a_profile_that_many_share_is_told_as_one_number() {
    let changes: Vec<Change> = ["a-slow", "a-fast", "a-load", "a-site"]
        .map(|name| one("NodePool", name, ".spec.platform.oci.instanceType"))
        .into();
    let totals = said(changes).totals;
    assert_eq!((totals.clusters, totals.control_planes, totals.pools), (1, 0, 4));
    assert_eq!(totals.nodes, Count { min: 14, max: 24 });
    assert_eq!(totals.updated, Count::exactly(6), "in place");
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

#[test]
fn what_is_in_a_config_that_pools_name_rolls_them() {
    let map = |name: &str, field: &str| {
        let mut map = one("ConfigMap", name, field);
        map.id.group = String::new();
        map
    };
    let content = map("kubelet", ".data.config");
    let mut forecast = said(vec![
        content.clone(),
        map("kubelet", ".metadata.labels.x"),
        map("other", ".data.config"),
    ]);
    let pools = |disruption: Disruption| -> Vec<String> {
        assert_eq!(disruption.class, Class::NodeReplacement);
        disruption.pools.into_iter().map(|pool| pool.object_name).collect()
    };
    assert_eq!(forecast.totals.nodes, Count::exactly(6));
    // One and the same object in this table: what it says last counts, and that is nothing.
    forecast = said(vec![content.clone()]);
    assert_eq!(pools(forecast.changes.remove(&content.id).unwrap()), ["a-fast"]);
    assert!(forecast.changes.is_empty());
}

#[test]
fn what_oci_changes_goes_on_running_and_what_it_can_not_is_refused() {
    let of_oci = |field: &str, replaces: bool| {
        let mut change = one("Subnet", "a-workers", field);
        change.id.target = crate::resource::Target::Oci;
        change.fields[0].replaces = replaces;
        change
    };
    let class = |change: &Change, refused: bool| {
        let mut of = plan(vec![change.clone()]);
        if refused {
            let refusal = Refusal {
                guard: "immutable",
                message: String::new(),
                lift: "make another network".to_owned(),
                objects: vec![change.id.clone()],
            };
            of.refuse(refusal).unwrap();
        }
        said_of(&of, &|_| None).changes.remove(&change.id).unwrap_or_default()
    };
    assert_eq!(class(&of_oci(".spec.routeTableId", false), false).class, Class::InPlace);
    assert_eq!(
        class(&of_oci(".spec.freeformTags.team", false), false).class,
        Class::None
    );
    let other = class(&of_oci(".spec.cidrBlock", true), true);
    assert_eq!(
        (other.class, other.way_out.as_deref()),
        (Class::Refused, Some("make another network"))
    );
}

#[test]
fn nodes_are_counted_with_the_first_that_rolls_them_and_of_what_is_meant_to_go_not_at_all() {
    let mut follows = one("NodePool", "a-slow", ".spec.release.image");
    follows.blocks.push(Block::Upgrade { after: String::new() });
    let mut gone = one("NodePool", "b-slow", ".spec");
    gone.unit = UnitId::Cluster(crate::resource::ClusterName::new("b"));
    gone.action = Action::Delete;
    let mut whole = plan(vec![one("HostedCluster", "a", ".spec.sshKey.name"), follows, gone]);
    whole.forecast = said_of(&whole, &|id| (id.name == "b-slow").then_some(5));
    let counted = |plan: &Plan| -> Vec<u64> { disrupted(plan).into_iter().map(|(_, nodes)| nodes).collect() };
    assert_eq!(counted(&whole), [6 + 6 + 12 + 6, 0, 5]);
    for disruption in whole.forecast.changes.values_mut() {
        disruption.is_meant = disruption.pools.is_empty();
    }
    assert_eq!(counted(&whole), [30, 0]);
    assert_eq!(nodes_of(&fleet()), 6 + 6 + 12 + 6 + 6 + 4 + 5);
}

#[test]
fn what_a_field_of_a_cluster_of_machines_does() {
    let table = [
        (
            "KubeadmControlPlane",
            "machines-control-plane",
            ".spec.version",
            Class::ControlPlaneRollout,
            0,
        ),
        (
            "KubeadmControlPlane",
            "machines-control-plane",
            ".spec.machineTemplate.infrastructureRef",
            Class::ControlPlaneRollout,
            0,
        ),
        (
            "KubeadmControlPlane",
            "machines-control-plane",
            ".spec.replicas",
            Class::InPlace,
            0,
        ),
        (
            "MachineDeployment",
            "machines-md",
            ".spec.template.spec.version",
            Class::NodeReplacement,
            4,
        ),
        (
            "MachineDeployment",
            "machines-md",
            ".spec.template.spec.infrastructureRef",
            Class::NodeReplacement,
            4,
        ),
        (
            "MachineDeployment",
            "machines-md",
            ".spec.template.spec.nodeDrainTimeout",
            Class::InPlace,
            0,
        ),
        (
            "MachineDeployment",
            "machines-md",
            ".spec.strategy.rollingUpdate",
            Class::InPlace,
            0,
        ),
        (
            "OCIMachineTemplate",
            "machines-md-12345678",
            ".metadata.labels",
            Class::None,
            0,
        ),
        ("Cluster", "machines", ".spec.paused", Class::InPlace, 0),
    ];
    for (kind, name, field, class, nodes) in table {
        let mut change = updated("machines", kind, name, &[(field, json!("x"), json!("y"))]);
        change.id.group = "cluster.x-k8s.io".to_owned();
        let forecast = said(vec![change.clone()]);
        let found = forecast.changes.get(&change.id).map(|it| it.class).unwrap_or_default();
        assert_eq!(
            (found, forecast.totals.nodes),
            (class, Count::exactly(nodes)),
            "{kind} {field}"
        );
    }
    let mut fewer = updated(
        "machines",
        "MachineDeployment",
        "machines-md",
        &[(".spec.replicas", json!(4), json!(1))],
    );
    fewer.id.group = "cluster.x-k8s.io".to_owned();
    assert_eq!(said(vec![fewer]).totals.removed, Count::exactly(3));
    for (kind, class) in [
        ("KubeadmControlPlane", Class::DataLoss),
        ("OCIManagedControlPlane", Class::DataLoss),
        ("MachineDeployment", Class::NodeReplacement),
    ] {
        let gone = change("machines", kind, "machines", Action::Delete);
        assert_eq!(said(vec![gone.clone()]).changes[&gone.id].class, class, "{kind}");
    }
}

#[test]
fn what_a_field_of_a_cluster_of_a_class_does() {
    let of = |fields: &[(&str, Value, Value)]| {
        let mut change = updated("classed", "Cluster", "classed", fields);
        change.id.group = "cluster.x-k8s.io".to_owned();
        let forecast = said(vec![change.clone()]);
        let class = forecast.changes.get(&change.id).map(|it| it.class).unwrap_or_default();
        let totals = forecast.totals;
        (class, totals.control_planes, totals.nodes.max, totals.removed.max)
    };
    let field = |name: &str| of(&[(name, json!("x"), json!("y"))]);
    for name in ["version", "class", "classRef.name", "variables[name=imageId].value"] {
        let name = format!(".spec.topology.{name}");
        assert_eq!(field(&name), (Class::NodeReplacement, 1, 5, 0), "{name}");
    }
    let plane = ".spec.topology.controlPlane";
    let machines = field(&format!("{plane}.variables.overrides[name=shape].value"));
    assert_eq!(machines, (Class::ControlPlaneRollout, 1, 0, 0));
    assert_eq!(field(&format!("{plane}.replicas")), (Class::InPlace, 0, 0, 0));
    let pool = |field: &str| format!(".spec.topology.workers.machineDeployments[name=two].{field}");
    assert_eq!(field(&pool("class")), (Class::NodeReplacement, 0, 2, 0));
    assert_eq!(field(&pool("metadata.annotations.x")), (Class::InPlace, 0, 0, 0));
    let fewer = of(&[(&pool("replicas"), json!(2), json!(1))]);
    assert_eq!(fewer, (Class::NodeReplacement, 0, 0, 1));
    // A new pool rolls nothing, whatever else does.
    let new = of(&[
        (".spec.topology.version", json!("v1.31.0"), json!("v1.31.1")),
        (
            ".spec.topology.workers.machineDeployments",
            json!([{"name": "one", "class": "worker"}]),
            json!([{"name": "one", "class": "worker"}, {"name": "two", "class": "worker"}]),
        ),
    ]);
    assert_eq!(new, (Class::NodeReplacement, 1, 3, 0));
}

#[test]
fn a_class_is_followed_by_all_its_clusters() {
    let class = |name: &str| {
        let mut change = updated("a", "ClusterClass", name, &[(".spec.patches", json!(1), json!(2))]);
        change.unit = UnitId::ManagementCluster(crate::resource::ManagementClusterName::new("m"));
        change.id.group = "cluster.x-k8s.io".to_owned();
        change.id.namespace = Some("classes".to_owned());
        change
    };
    let change = class("small");
    let forecast = said(vec![change.clone()]);
    let totals = forecast.totals;
    assert_eq!((totals.clusters, totals.control_planes, totals.pools), (1, 1, 2));
    assert_eq!(totals.nodes, Count::exactly(5));
    let cost = &forecast.changes[&change.id];
    assert_eq!(cost.clusters, [ClusterName::new("classed")]);
    assert!(said(vec![class("nobodys")]).changes.is_empty());
}

#[test]
fn a_cluster_of_a_class_takes_its_control_plane_along() {
    let delete = |kind: &str| change("classed", kind, "classed", Action::Delete);
    let cluster = delete("Cluster");
    let class = |changes: Vec<Change>| said(changes).changes.get(&cluster.id).map(|it| it.class);
    assert_eq!(class(vec![cluster.clone()]), Some(Class::DataLoss));
    assert_eq!(class(vec![cluster.clone(), delete("KubeadmControlPlane")]), None);
}
