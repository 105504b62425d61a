//! What holds of every rendering: determinism, isolation, order, stewardship, patches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fleetwright::diag::Code;
use fleetwright::fleet::model::{Cluster, Dialect, Fleet, Manage, NetworkSource, Preset, SecretUse};
use fleetwright::render::{Earlier, Precondition, Rendered, TemplateSet, render, render_after};
use fleetwright::resource::{
    ClusterName, FleetName, FleetUid, Manifest, NetworkName, NodePoolName, OwnerMark, Stewardship, UnitId,
    mark::OWNER_ANNOTATION, reference,
};
use serde_json::json;

use crate::render_fixture::{cluster, fleet, gpu_pool, hosted, hub, managed, routes};
use crate::render_golden::rendered;

fn many() -> Vec<Cluster> {
    let dialects = [Dialect::Oci, Dialect::None, Dialect::Agent];
    (0..60)
        .map(|i| {
            let mut cluster = cluster(&format!("c{i:03}"), dialects[i % 3]);
            if i % 4 == 0 {
                cluster.network.source = managed(Preset::HostedPublic);
            }
            let pool = gpu_pool(cluster.name.as_str());
            hosted(&mut cluster).node_pools.insert(NodePoolName::new("gpu"), pool);
            cluster
        })
        .collect()
}

fn bytes(rendered: &Rendered) -> BTreeMap<String, Vec<String>> {
    let unit = |(id, unit): (&UnitId, &Arc<fleetwright::render::Unit>)| {
        let mut lines: Vec<String> = unit
            .manifests
            .iter()
            .map(|m| format!("{:?} {}", m.depends_on, m.canonical()))
            .collect();
        lines.push(unit.digest.to_string());
        (id.to_string(), lines)
    };
    rendered.units.iter().map(unit).collect()
}

fn manifests<'a>(rendered: &'a Rendered, cluster: &str) -> &'a [Manifest] {
    &rendered.units[&UnitId::Cluster(ClusterName::new(cluster))].manifests
}

fn find<'a>(manifests: &'a [Manifest], kind: &str, name: &str) -> &'a Manifest {
    let found = manifests
        .iter()
        .find(|manifest| manifest.id.kind == kind && manifest.id.name == name);
    found.unwrap_or_else(|| panic!("no {kind} {name}"))
}

#[test]
fn the_same_model_gives_the_same_bytes_in_whatever_order_it_was_made() {
    let forwards = bytes(&rendered(&fleet(many())));
    let backwards = bytes(&rendered(&fleet(many().into_iter().rev())));
    assert_eq!(forwards, backwards);
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(forwards, one.install(|| bytes(&rendered(&fleet(many())))));
}

#[test]
fn a_cluster_renders_alike_whoever_else_is_in_the_fleet() {
    let all = bytes(&rendered(&fleet(many())));
    let alone = bytes(&rendered(&fleet(many().into_iter().take(1))));
    assert_eq!(all["cluster c000"], alone["cluster c000"]);
}

#[test]
fn a_digest_changes_with_any_field_and_with_nothing_else() {
    let digest = |cluster: Cluster| rendered(&fleet([cluster])).units[&UnitId::Cluster(ClusterName::new("a"))].digest;
    let base = || cluster("a", Dialect::None);
    let before = digest(base());
    assert_eq!(before, digest(base()));
    let changes: [fn(&mut Cluster); 5] = [
        |cluster| hosted(cluster).fips = true,
        |cluster| cluster.manage = Manage::Pools,
        |cluster| cluster.labels = BTreeMap::new(),
        |cluster| hosted(cluster).hosted_cluster_patch = json!({"autoscaling": {"maxNodesTotal": 9}}),
        |cluster| hosted(cluster).node_pools.clear(),
    ];
    for change in changes {
        let mut changed = base();
        change(&mut changed);
        assert_ne!(before, digest(changed));
    }
}

type Commit = (&'static str, usize, fn(&mut Fleet));

/// What one commit may do to a fleet, and how many of its sixty clusters have to be evaluated again for it.
fn commits() -> Vec<Commit> {
    fn of<'a>(fleet: &'a mut Fleet, name: &str) -> &'a mut Cluster {
        fleet.clusters.get_mut(&ClusterName::new(name)).expect("a cluster")
    }
    vec![
        ("nothing", 0, |_| {}),
        ("a field of a cluster", 1, |fleet| hosted(of(fleet, "c007")).fips = true),
        ("a pool", 1, |fleet| hosted(of(fleet, "c007")).node_pools.clear()),
        ("an extra manifest", 1, |fleet| {
            let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}});
            of(fleet, "c007").extra_manifests = vec![map.into()];
        }),
        ("who writes it", 1, |fleet| of(fleet, "c007").manage = Manage::Observe),
        ("a namespace that becomes another's too", 2, |fleet| {
            of(fleet, "c007").namespace = of(fleet, "c008").namespace.clone();
        }),
        ("a cluster that goes", 0, |fleet| {
            fleet.clusters.remove(&ClusterName::new("c007"));
        }),
        ("a cluster that can't be rendered", 1, |fleet| {
            of(fleet, "c000").compartment = None;
        }),
        ("a shared network", 60, |fleet| {
            let hub = hub();
            fleet.networks.insert(hub.name.clone(), hub);
        }),
        ("the management cluster", 60, |fleet| {
            for cluster in fleet.management_clusters.values_mut() {
                cluster.labels.insert("a".to_owned(), "b".to_owned());
            }
        }),
        ("the fleet's uid", 60, |fleet| fleet.uid = FleetUid::new("another")),
        ("the fleet's name", 60, |fleet| fleet.name = FleetName::new("another")),
    ]
}

#[test]
fn going_on_from_an_earlier_rendering_gives_what_rendering_afresh_gives() {
    let templates = TemplateSet::new(&[]).unwrap();
    for (what, changed, commit) in commits() {
        for back in [false, true] {
            let (mut before, mut after) = (fleet(many()), fleet(many()));
            commit(if back { &mut before } else { &mut after });
            let earlier = Earlier {
                fleet: &before,
                rendered: &render(&before, &templates),
            };
            let (again, afresh) = (
                render_after(Some(earlier), &after, &templates),
                render(&after, &templates),
            );
            assert_eq!(bytes(&again), bytes(&afresh), "{what}, back: {back}");
            assert_eq!(again.failed, afresh.failed, "{what}, back: {back}");
            let evaluated = after.clusters.len() - again.taken_over;
            let came_back = usize::from(back && after.clusters.len() > before.clusters.len());
            assert_eq!(evaluated, changed + came_back, "{what}, back: {back}");
        }
    }
}

#[test]
fn other_templates_make_everything_anew() {
    let before = fleet(many());
    let rendered = render(&before, &TemplateSet::new(&[]).unwrap());
    let (name, text) = TemplateSet::built_in()
        .iter()
        .find(|(name, _)| *name == "hosted-cluster.yaml.j2")
        .expect("the template");
    let text = format!("{text}\n{{# a line of our own #}}\n");
    let own = TemplateSet::new(&[((*name).to_owned(), text, Arc::from("templates/own"))]).unwrap();
    let earlier = Earlier {
        fleet: &before,
        rendered: &rendered,
    };
    assert_eq!(render_after(Some(earlier), &before, &own).taken_over, 0);
}

#[test]
fn a_unit_that_fails_fails_alone() {
    let mut clusters = many();
    clusters[0].compartment = None;
    clusters[1].management_cluster = fleetwright::resource::ManagementClusterName::new("nowhere");
    clusters[2].extra_manifests = vec![json!({"kind": "ConfigMap"}).into()];
    clusters[3].network.source = NetworkSource::Shared {
        name: NetworkName::new("nowhere"),
    };
    let healthy = bytes(&rendered(&fleet(many())));
    let mut fleet = fleet(clusters);
    fleet.failed.insert(ClusterName::new("unresolved"));
    let rendered = render(&fleet, &TemplateSet::new(&[]).unwrap());
    let failed = ["c000", "c001", "c002", "c003", "unresolved"].map(|name| UnitId::Cluster(ClusterName::new(name)));
    assert_eq!(rendered.failed, BTreeSet::from(failed));
    let mut codes: Vec<(&str, Code)> = rendered
        .diagnostics
        .iter()
        .map(|problem| (problem.clusters[0].as_str(), problem.code))
        .collect();
    codes.dedup();
    assert_eq!(
        codes,
        [
            ("c000", Code::MissingKey),
            ("c001", Code::Dangling),
            ("c002", Code::TemplateOutput),
            ("c003", Code::Dangling)
        ]
    );
    for (unit, lines) in bytes(&rendered) {
        assert_eq!(lines, healthy[&unit]);
    }
}

#[test]
fn two_units_that_want_one_object_both_fail() {
    let shared = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "common"}});
    let mut clusters = ["a", "b", "c"].map(|name| cluster(name, Dialect::None));
    clusters[0].extra_manifests = vec![shared.clone().into()];
    clusters[2].extra_manifests = vec![shared.into()];
    let rendered = render(&fleet(clusters), &TemplateSet::new(&[]).unwrap());
    assert_eq!(rendered.diagnostics.len(), 1);
    assert_eq!(rendered.diagnostics[0].code, Code::DuplicateObject);
    assert_eq!(rendered.diagnostics[0].clusters, ["a", "c"]);
    assert_eq!(
        rendered.failed,
        BTreeSet::from(["a", "c"].map(|name| UnitId::Cluster(ClusterName::new(name))))
    );
    assert!(rendered.units.contains_key(&UnitId::Cluster(ClusterName::new("b"))));
}

#[test]
fn a_renamed_cluster_and_a_renamed_network_keep_their_objects() {
    let ids = |cluster_name: &str, network_name: &str| -> BTreeSet<_> {
        let mut cluster = cluster("stem", Dialect::Oci);
        cluster.name = ClusterName::new(cluster_name);
        cluster.network.source = NetworkSource::Shared {
            name: NetworkName::new(network_name),
        };
        let mut network = hub();
        network.name = NetworkName::new(network_name);
        let mut fleet = fleet([cluster]);
        fleet.networks.insert(network.name.clone(), network);
        let rendered = rendered(&fleet);
        let manifests = rendered.units.values().flat_map(|unit| &unit.manifests);
        manifests
            .map(|manifest| (manifest.id.clone(), manifest.depends_on.clone()))
            .collect()
    };
    let before = ids("old", "old-hub");
    assert_eq!(before, ids("new", "new-hub"));
    assert!(
        before
            .iter()
            .any(|(id, _)| id.kind == "HostedCluster" && id.name == "stem")
    );
    assert!(before.iter().any(|(id, _)| id.kind == "Vcn" && id.name == "hub"));
}

#[test]
fn every_object_carries_its_own_mark() {
    let fleet = fleet(many());
    for unit in rendered(&fleet).units.values() {
        for manifest in &unit.manifests {
            let body = manifest.body();
            let mark = OwnerMark::parse(body["metadata"]["annotations"][OWNER_ANNOTATION].as_str().unwrap()).unwrap();
            assert!(mark.is_for(&manifest.id, &fleet.uid), "{}", manifest.id);
            assert_eq!(mark.unit, manifest.unit);
            assert_eq!(body["metadata"]["labels"]["fleetwright.dev/fleet"], "acme");
        }
    }
}

#[test]
fn everything_that_is_named_is_waited_for_and_there_is_no_cycle() {
    let mut fleet = fleet(many());
    fleet.networks.insert(NetworkName::new("hub"), hub());
    let mut user = cluster("zz", Dialect::Oci);
    user.network.source = NetworkSource::Shared {
        name: NetworkName::new("hub"),
    };
    fleet.clusters.insert(user.name.clone(), user);
    let rendered = rendered(&fleet);
    let all: BTreeMap<_, &Manifest> = rendered
        .units
        .values()
        .flat_map(|unit| &unit.manifests)
        .map(|manifest| (&manifest.id, manifest))
        .collect();
    let mut references = 0;
    for manifest in all.values() {
        for (path, reference) in reference::references(&manifest.body()) {
            references += 1;
            assert!(manifest.depends_on.contains(&reference.id), "{} at {path}", manifest.id);
        }
        for id in &manifest.depends_on {
            assert!(
                all.contains_key(id),
                "{} waits for {id}, which nobody makes",
                manifest.id
            );
        }
    }
    assert!(references > 200, "{references}");
    let mut done = BTreeSet::new();
    while done.len() < all.len() {
        let ready: Vec<_> = all
            .iter()
            .filter(|(id, manifest)| !done.contains(*id) && manifest.depends_on.iter().all(|need| done.contains(need)))
            .map(|(id, _)| *id)
            .collect();
        assert!(!ready.is_empty(), "a cycle");
        done.extend(ready);
    }
}

#[test]
fn what_is_not_managed_is_only_observed() {
    let written = |manage: Manage| -> BTreeSet<String> {
        let mut cluster = cluster("a", Dialect::Oci);
        cluster.network.source = managed(Preset::HostedPrivate);
        cluster.manage = manage;
        let rendered = rendered(&fleet([cluster]));
        let managed = manifests(&rendered, "a")
            .iter()
            .filter(|manifest| manifest.stewardship == Stewardship::Managed);
        managed.map(|manifest| manifest.id.kind.clone()).collect()
    };
    assert_eq!(written(Manage::Observe), BTreeSet::new());
    let network = written(Manage::Network);
    assert!(network.contains("Vcn") && network.contains("Subnet"));
    assert!(
        ["Namespace", "Secret", "HostedCluster", "NodePool"]
            .iter()
            .all(|kind| !network.contains(*kind))
    );
    let pools = written(Manage::Pools);
    assert_eq!(pools.difference(&network).collect::<Vec<_>>(), ["NodePool"]);
    let all = written(Manage::All);
    assert!(
        ["Namespace", "Secret", "ConfigMap", "HostedCluster"]
            .iter()
            .all(|kind| all.contains(*kind))
    );
}

#[test]
fn a_shared_namespace_is_observed_unless_a_cluster_in_it_is_ours() {
    let stewardship = |manage: [Manage; 2]| {
        let clusters = ["a", "b"].into_iter().zip(manage).map(|(name, manage)| {
            let mut cluster = cluster(name, Dialect::None);
            cluster.namespace = "clusters".to_owned();
            cluster.manage = manage;
            cluster
        });
        let rendered = rendered(&fleet(clusters));
        let unit = rendered
            .units
            .iter()
            .find(|(id, _)| id.kind() == "management")
            .unwrap()
            .1;
        find(&unit.manifests, "Namespace", "clusters").stewardship
    };
    assert_eq!(stewardship([Manage::Observe, Manage::Pools]), Stewardship::Observed);
    assert_eq!(stewardship([Manage::Observe, Manage::All]), Stewardship::Managed);
}

#[test]
fn services_come_in_the_one_order_in_whatever_order_they_are_given() {
    let order = |reverse: bool| {
        let mut cluster = cluster("a", Dialect::None);
        hosted(&mut cluster).services = routes("a");
        if reverse {
            hosted(&mut cluster).services.reverse();
        }
        let rendered = rendered(&fleet([cluster]));
        let body = find(manifests(&rendered, "a"), "HostedCluster", "a").body();
        let services = body["spec"]["services"].as_array().unwrap();
        services
            .iter()
            .map(|service| service["service"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(order(false), ["APIServer", "OAuthServer", "Konnectivity", "Ignition"]);
    assert_eq!(order(true), order(false));
}

#[test]
fn a_raw_patch_is_merged_over_what_is_rendered() {
    let mut cluster = cluster("a", Dialect::None);
    hosted(&mut cluster).hosted_cluster_patch =
        json!({"etcd": {"managed": {"storage": {"persistentVolume": {"size": "16Gi"}}}}, "sshKey": null});
    let pool = hosted(&mut cluster)
        .node_pools
        .get_mut(&NodePoolName::new("general"))
        .unwrap();
    pool.node_pool_patch = json!({"management": {"replace": null}, "pausedUntil": "true"});
    let rendered = rendered(&fleet([cluster]));
    let hosted_cluster = find(manifests(&rendered, "a"), "HostedCluster", "a").body();
    let volume = &hosted_cluster["spec"]["etcd"]["managed"]["storage"]["persistentVolume"];
    assert_eq!(*volume, json!({"size": "16Gi", "storageClassName": "oci-bv"}));
    assert_eq!(hosted_cluster["spec"].get("sshKey"), None);
    let pool = find(manifests(&rendered, "a"), "NodePool", "a-general").body();
    assert_eq!(
        pool["spec"]["management"],
        json!({"upgradeType": "Replace", "autoRepair": true})
    );
    assert_eq!(pool["spec"]["pausedUntil"], "true");
}

#[test]
fn extra_manifests_get_the_clusters_namespace_unless_they_say_otherwise() {
    let extra =
        |kind: &str, metadata| json!({"apiVersion": "example.com/v1", "kind": kind, "metadata": metadata}).into();
    let mut cluster = cluster("a", Dialect::None);
    cluster.extra_manifests = vec![
        extra("Policy", json!({"name": "here"})),
        extra("Policy", json!({"name": "there", "namespace": "other"})),
        extra("Policy", json!({"name": "nowhere", "namespace": null})),
        extra("ClusterRole", json!({"name": "role"})),
    ];
    let rendered = rendered(&fleet([cluster]));
    let manifests = manifests(&rendered, "a");
    let namespace = |kind, name| find(manifests, kind, name).id.namespace.as_deref();
    assert_eq!(namespace("Policy", "here"), Some("clusters-a"));
    assert_eq!(namespace("Policy", "there"), Some("other"));
    assert_eq!(namespace("Policy", "nowhere"), None);
    assert_eq!(namespace("ClusterRole", "role"), None);
    assert_eq!(find(manifests, "Policy", "here").depends_on.len(), 1);
}

#[test]
fn a_secret_that_is_used_in_place_is_a_precondition_and_no_object() {
    let mut cluster = cluster("a", Dialect::None);
    hosted(&mut cluster).pull_secret = SecretUse {
        name: "there-already".to_owned(),
        copy_from: None,
    };
    let rendered = rendered(&fleet([cluster]));
    let unit = &rendered.units[&UnitId::Cluster(ClusterName::new("a"))];
    assert!(
        unit.manifests
            .iter()
            .all(|manifest| manifest.id.name != "there-already")
    );
    let needs =
        |precondition: &Precondition| matches!(precondition, Precondition::Object { id } if id.name == "there-already");
    assert!(unit.preconditions.iter().any(needs));
}

#[test]
fn an_empty_fleet_renders_to_nothing() {
    let mut empty: Fleet = fleet([]);
    empty.management_clusters.clear();
    let rendered = rendered(&empty);
    assert!(rendered.units.is_empty() && rendered.failed.is_empty());
}
