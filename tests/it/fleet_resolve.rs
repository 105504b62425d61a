//! What resolving promises: layers, lock, renames, isolation, independence of the order of files.

use fleetwright::fleet::model::Scale;
use fleetwright::fleet::{Lock, LockChangeKind, Resolved, SourceFile, explain, explain_derived, load};
use fleetwright::resource::NodePoolName;
use proptest::prelude::*;
use serde_json::json;

use super::fleet_support::{file, read, repository, resolved};

const BASE: &str = r#"
kind: Fleet
metadata: {name: acme}
spec:
  addresses: {pools: {us-ashburn-1: 10.16.0.0/12}, exclude: [10.16.0.0/16]}
  defaults:
    region: us-ashburn-1
    baseDomain: clusters.acme.example
    pullSecret: {from: fleetwright/pull-secret}
    etcd: {storageClass: oci-bv, size: 8Gi}
    labels: {a: fleet, b: fleet}
    poolDefaults: {drainTimeout: 10m}
  regions:
    us-ashburn-1: {owner: region-team, channel: fast-4.20}
---
kind: ManagementCluster
metadata: {name: iad-1}
spec: {region: us-ashburn-1, nodePortAddress: hcp.acme.example, capacity: 3}
---
kind: Environment
metadata: {name: dev}
spec:
  ring: 1
  owner: env-team
  labels: {b: env}
  availability: single
  regions: {us-ashburn-1: {labels: {c: env-region}}}
---
kind: Release
metadata: {name: stable}
spec: {rings: {0: {controlPlane: 4.20.3}, 1: {controlPlane: 4.20.3, pools: 4.19.12}}}
---
kind: NodePoolProfile
metadata: {name: general}
spec: {shape: VM.Standard.E5.Flex, ocpus: 8, memoryInGBs: 64, autoscale: 3-12, drainTimeout: 20m}
"#;

fn fleet(clusters: &str) -> Vec<SourceFile> {
    vec![file("base.yaml", BASE), file("clusters.yaml", clusters)]
}

fn resolve(clusters: &str, lock: &Lock) -> Resolved {
    let (_, resolved) = resolved(&fleet(clusters), lock);
    let errors: Vec<_> = resolved
        .diagnostics
        .iter()
        .map(|problem| problem.message.clone())
        .collect();
    assert!(
        resolved.fleet.failed.is_empty() && !resolved.fleet.incomplete,
        "{errors:?}"
    );
    resolved
}

const TWO: &str = "kind: Clusters
spec:
  environment: dev
  owner: shared-team
  pools: {workers: {profile: general}}
  clusters:
    a: {}
    b: {version: 4.19.12, labels: {a: null}, etcd: {size: 16Gi}, pools: {workers: {replicas: 2}, more: {profile: general, drainTimeout: null}}}
";

#[test]
fn the_nearest_layer_wins_and_maps_merge() {
    let fleet = resolve(TWO, &Lock::default()).fleet;
    let [a, b] = fleet.clusters.values().collect::<Vec<_>>()[..] else {
        panic!("two clusters")
    };
    assert_eq!(a.owner.as_deref(), Some("shared-team"));
    assert_eq!(a.hosted().unwrap().channel.as_deref(), Some("fast-4.20"));
    assert_eq!(json!(a.labels), json!({"a": "fleet", "b": "env", "c": "env-region"}));
    assert_eq!(
        json!(b.labels),
        json!({"b": "env", "c": "env-region"}),
        "`null` removes"
    );
    assert_eq!(
        (
            b.hosted().unwrap().etcd.size.as_str(),
            b.hosted().unwrap().etcd.storage_class.as_deref()
        ),
        ("16Gi", Some("oci-bv"))
    );
    // Rings move control plane and pools apart; a typed version is both.
    let workers = a.hosted().unwrap().node_pools.values().next().unwrap();
    assert_eq!(
        (
            a.hosted().unwrap().release.version.to_string(),
            workers.release.version.to_string()
        ),
        ("4.20.3".into(), "4.19.12".into())
    );
    assert!(
        b.hosted()
            .unwrap()
            .node_pools
            .values()
            .all(|pool| pool.release.version == b.hosted().unwrap().release.version)
    );
    assert_eq!(
        b.hosted().unwrap().release.image,
        "quay.io/openshift-release-dev/ocp-release:4.19.12-multi"
    );
    // `replicas` nearby drops `autoscale` of the profile.
    assert_eq!(workers.scale, Scale::Autoscale { min: 3, max: 12 });
    let [more, workers] = b.hosted().unwrap().node_pools.values().collect::<Vec<_>>()[..] else {
        panic!("two pools")
    };
    assert_eq!(workers.scale, Scale::Replicas(2));
    // poolDefaults < profile < pool.
    assert_eq!(workers.drain_timeout.as_deref(), Some("20m"));
    assert_eq!(more.drain_timeout, None);
}

#[test]
fn names_and_ranges_are_derived() {
    let fleet = resolve(TWO, &Lock::default()).fleet;
    let a = fleet.clusters.values().next().unwrap();
    assert_eq!(
        (
            a.namespace.as_str(),
            a.hosted().unwrap().control_plane_namespace.as_str()
        ),
        ("clusters-a", "clusters-a-a")
    );
    assert!(a.hosted().unwrap().infra_id.starts_with("a-"));
    assert_eq!(
        a.hosted().unwrap().node_pools.values().next().unwrap().object_name,
        "a-workers"
    );
    let services: Vec<_> = a
        .hosted()
        .unwrap()
        .services
        .iter()
        .map(|service| (service.name.as_str(), service.address.as_deref()))
        .collect();
    let address = Some("hcp.acme.example");
    assert_eq!(
        services,
        [
            ("APIServer", address),
            ("OAuthServer", address),
            ("Konnectivity", address),
            ("Ignition", address)
        ]
    );
    let plan = a.network.source.plan().unwrap();
    let [vcn] = plan.vcn[..] else { panic!("one range") };
    assert_eq!(vcn.prefix_len(), 20);
    assert_eq!(a.network.machine, plan.workers());
    let pool: ipnet::IpNet = "10.16.0.0/12".parse().unwrap();
    let excluded: ipnet::IpNet = "10.16.0.0/16".parse().unwrap();
    assert!(pool.contains(&vcn) && !excluded.contains(&vcn));
}

#[test]
fn the_lock_keeps_what_it_pinned() {
    let first = resolve(TWO, &Lock::default());
    assert_eq!(first.lock.clusters.len(), 2);
    // It reads back as it was written.
    let files: Vec<_> = first.lock.files().iter().map(|(name, text)| file(name, text)).collect();
    let (read, problems) = Lock::parse(&files);
    assert!(problems.is_empty());
    assert_eq!(read, first.lock);
    // A third cluster, sorted before the others, changes nothing of theirs.
    let three = TWO.replace("    a: {}", "    0-first: {}\n    a: {}");
    let second = resolve(&three, &read);
    let changes: Vec<_> = read.differs(&second.lock);
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!(changes[0].change, LockChangeKind::Added);
    // One that is gone gives its place back, and the others stay.
    let third = resolve(&TWO.replace("    a: {}\n", ""), &second.lock);
    let kept = |lock: &Lock| {
        lock.clusters
            .values()
            .find(|pin| pin.object_name == "b")
            .cloned()
            .unwrap()
    };
    assert_eq!(third.lock.clusters.len(), 1);
    assert_eq!(kept(&third.lock), kept(&first.lock));
    assert_eq!(third.lock.fleet, first.lock.fleet);
}

#[test]
fn a_rename_keeps_every_object() {
    let first = resolve(TWO, &Lock::default());
    let renamed = format!(
        "{}---\nkind: Moved\nspec: [{{from: cluster/a, to: cluster/z}}]\n",
        TWO.replace("    a: {}", "    z: {}")
    );
    let second = resolve(&renamed, &first.lock);
    let (old, new) = (
        first.fleet.clusters.values().next().unwrap(),
        second.fleet.clusters.values().last().unwrap(),
    );
    assert_eq!((old.name.as_str(), new.name.as_str()), ("a", "z"));
    let identity = |cluster: &fleetwright::fleet::model::Cluster| {
        json!([
            cluster.id,
            cluster.object_name,
            cluster.namespace,
            cluster.hosted().unwrap().infra_id,
            cluster.network,
            cluster.hosted().unwrap().node_pools
        ])
    };
    assert_eq!(identity(old), identity(new));
    // The old name, used again, is another cluster with objects of other names.
    let again = TWO.replace("    a: {}", "    a: {}\n    z: {}");
    let third = resolve(&again, &second.lock);
    let newcomer = third.fleet.clusters.values().next().unwrap();
    assert_eq!(newcomer.name.as_str(), "a");
    assert_ne!(newcomer.id, old.id);
    assert_ne!(newcomer.object_name, old.object_name);
}

#[test]
fn a_record_of_a_renamed_environment_moves_nothing() {
    let first = resolve(TWO, &Lock::default());
    let renamed = format!("{TWO}---\nkind: Moved\nspec: [{{from: environment/development, to: environment/dev}}]\n");
    let second = resolve(&renamed, &first.lock);
    assert_eq!(second.lock, first.lock);
    assert!(second.fleet.moved.is_empty(), "no unit is called by it");
    let ids = |fleet: &fleetwright::fleet::model::Fleet| json!(fleet.clusters);
    assert_eq!(ids(&second.fleet), ids(&first.fleet));
}

#[test]
fn a_rename_that_can_not_be_followed_makes_nothing_new() {
    let first = resolve(TWO, &Lock::default());
    let files = fleet(&format!(
        "{}---\nkind: Moved\nspec: [{{from: cluster/a, to: cluster/zz}}]\n",
        TWO.replace("    a: {}", "    z: {}")
    ));
    let (_, second) = resolved(&files, &first.lock);
    assert!(second.fleet.incomplete, "nothing may be pruned");
    assert_eq!(
        second.fleet.failed.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["z"]
    );
    assert_eq!(second.lock, first.lock, "what was pinned stays, and nothing is added");
}

#[test]
fn a_lock_that_can_not_be_read_gives_no_new_identity() {
    let first = resolve(TWO, &Lock::default());
    let mut files: Vec<_> = first.lock.files().iter().map(|(name, text)| file(name, text)).collect();
    files
        .iter_mut()
        .filter(|file| file.path.ends_with("clusters/a.yaml"))
        .for_each(|file| file.text = "id: [".into());
    let (lock, problems) = Lock::parse(&files);
    assert_eq!(problems.len(), 1);
    let (_, second) = resolved(&fleet(TWO), &lock);
    assert_eq!(
        second.fleet.failed.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["a"]
    );
    assert_eq!(second.fleet.clusters.len(), 1);
}

#[test]
fn a_release_pinned_by_digest_is_rendered_by_digest() {
    let mut lock = resolve(TWO, &Lock::default()).lock;
    let digest = fleetwright::resource::Digest::of(b"release");
    for pin in lock.clusters.values_mut() {
        pin.releases.insert("4.20.3".to_owned(), digest);
    }
    let files: Vec<_> = lock.files().iter().map(|(name, text)| file(name, text)).collect();
    let (read, _) = Lock::parse(&files);
    let fleet = resolve(TWO, &read).fleet;
    let a = fleet.clusters.values().next().unwrap();
    assert_eq!(
        a.hosted().unwrap().release.image,
        format!("quay.io/openshift-release-dev/ocp-release@{digest}")
    );
    assert!(
        a.hosted()
            .unwrap()
            .node_pools
            .values()
            .all(|pool| pool.release.image.ends_with(":4.19.12-multi"))
    );
}

#[test]
fn a_typed_network_is_not_handed_out_to_another() {
    // The first new cluster by name would take any free block; the second one's range is typed.
    let base = BASE.replace("10.16.0.0/12}", "10.17.0.0/19}");
    let files = [
        file("base.yaml", &base),
        file(
            "c.yaml",
            &TWO.replace("a: {}", "a: {}\n    c: {network: {vcn: 10.17.0.0/20}}")
                .replace("b: {", "b: {network: {vcn: 10.17.64.0/20}, "),
        ),
    ];
    let (_, resolved) = resolved(&files, &Lock::default());
    let a = resolved.fleet.clusters.values().next().unwrap();
    let plan = a.network.source.plan().unwrap();
    assert_eq!(plan.vcn[0].to_string(), "10.17.16.0/20");
}

#[test]
fn a_shared_document_with_an_error_stops_pruning() {
    let broken =
        format!("{TWO}---\nkind: Network\nmetadata: {{name: hub}}\nspec: {{region: us-ashburn-1, existing: {{}}}}\n");
    let (_, resolved) = resolved(&fleet(&broken), &Lock::default());
    assert_eq!(resolved.fleet.clusters.len(), 2);
    assert!(resolved.fleet.incomplete);
}

#[test]
fn placement_fills_capacity_and_no_more() {
    let four = TWO.replace("    a: {}", "    a: {}\n    c: {}\n    d: {}");
    let (_, resolved) = resolved(&fleet(&four), &Lock::default());
    assert_eq!(resolved.fleet.clusters.len(), 3);
    assert_eq!(resolved.fleet.failed.len(), 1);
}

#[test]
fn explain_tells_who_set_a_value_and_whom_it_overrode() {
    let loaded = load(&fleet(TWO));
    let one = |cluster: &str, field: &str| {
        let found = explain(&loaded, cluster, Some(field)).unwrap();
        assert_eq!(found.len(), 1, "{field}: {found:?}");
        found.into_iter().next().unwrap()
    };
    let owner = one("a", "owner");
    assert_eq!((owner.value, owner.origin.layer), (json!("shared-team"), "Clusters"));
    let overridden: Vec<_> = owner
        .overridden
        .iter()
        .map(|origin| (origin.layer, origin.value.clone()))
        .collect();
    assert_eq!(
        overridden,
        [
            ("Environment", json!("env-team")),
            ("Fleet, region", json!("region-team"))
        ]
    );
    assert_eq!(owner.origin.span.to_string(), "clusters.yaml:4:10");
    let size = one("b", "etcd.size");
    assert_eq!((size.value, size.overridden.len()), (json!("16Gi"), 2));
    assert_eq!(one("b", "labels.a").value, json!(null));
    let replicas = one("b", "pools.workers.replicas");
    assert_eq!((replicas.value, replicas.origin.layer), (json!(2), "Cluster"));
    assert_eq!(
        explain(&loaded, "b", Some("pools.workers.autoscale")),
        Some(vec![]),
        "dropped by `replicas`"
    );
    assert_eq!(one("a", "pools.workers.autoscale").origin.layer, "NodePoolProfile");
    assert_eq!(one("a", "fips").origin.layer, "built-in");
    assert_eq!(explain(&loaded, "nobody", None), None);
}

#[test]
fn what_is_derived_names_what_it_follows_from() {
    let fleet = resolve(TWO, &Lock::default()).fleet;
    let all = explain_derived(&fleet, "a").unwrap();
    let version = all.iter().find(|one| one.field == "release.version").unwrap();
    assert_eq!(version.value, json!("4.20.3"));
    assert!(version.from.contains("ring"));
    assert!(
        all.iter()
            .any(|one| one.field == "network.vcn" && one.from.contains("fleet.lock/clusters/a.yaml"))
    );
    assert_eq!(explain_derived(&fleet, "nobody"), None);
}

#[test]
fn the_model_serialises_for_templates_in_camel_case() {
    let fleet = resolve(TWO, &Lock::default()).fleet;
    let value = serde_json::to_value(fleet.clusters.values().next().unwrap()).unwrap();
    for key in [
        "objectName",
        "controlPlaneNamespace",
        "freeformTags",
        "nodePools",
        "endpointAccess",
        "hostedClusterPatch",
    ] {
        assert!(value.get(key).is_some(), "{key}");
    }
}

#[test]
fn the_lock_keeps_names_that_others_chose() {
    let one = "kind: Cluster\nmetadata: {name: a}\nspec: {environment: dev, pools: [general]}\n";
    let mut lock = resolve(one, &Lock::default()).lock;
    let pin = lock.clusters.values_mut().next().expect("a pin");
    pin.namespace = Some("clusters".to_owned());
    pin.node_pools
        .insert(NodePoolName::new("general"), "workers-of-a".to_owned());
    let files: Vec<SourceFile> = lock.files().iter().map(|(path, text)| file(path, text)).collect();
    let (read, broken) = Lock::parse(&files);
    assert_eq!((&read, broken.len()), (&lock, 0));
    let again = resolve(one, &read);
    assert_eq!(again.lock, lock);
    let cluster = again.fleet.clusters.values().next().expect("a cluster");
    assert_eq!(
        (cluster.namespace.as_str(), cluster.namespace_of_others),
        ("clusters", true)
    );
    let pool = cluster.node_pools().next().expect("a pool");
    assert_eq!(
        (pool.name.as_str(), pool.object_name.as_str()),
        ("general", "workers-of-a")
    );
}

#[test]
fn a_secrets_name_may_hold_the_clusters() {
    let two =
        "kind: Clusters\nspec: {environment: dev, pullSecret: {name: '{cluster}-pull'}, clusters: {a: {}, b: {}}}\n";
    let fleet = resolve(two, &Lock::default()).fleet;
    let names = fleet
        .clusters
        .values()
        .filter_map(|cluster| Some(cluster.hosted()?.pull_secret.name.as_str()));
    assert_eq!(names.collect::<Vec<_>>(), ["a-pull", "b-pull"]);
}

#[test]
fn an_existing_network_has_to_be_named_only_where_objects_name_it() {
    let one = "kind: Cluster\nmetadata: {name: a}\nspec: {environment: dev, network: {existing: {}}}\n";
    let of = |dialect: &str| {
        let base = BASE.replace("capacity: 3", &format!("capacity: 3, dialect: {dialect}"));
        let (_, resolved) = crate::fleet_support::resolved(
            &[file("base.yaml", &base), file("clusters.yaml", one)],
            &Lock::default(),
        );
        let messages = resolved.diagnostics.into_iter().map(|problem| problem.message);
        (resolved.fleet.clusters.len(), messages.collect::<Vec<_>>())
    };
    assert_eq!(of("none"), (1, Vec::new()));
    assert_eq!(of("agent"), (1, Vec::new()));
    assert_eq!(of("oci"), (0, vec!["an existing network needs its `vcn`".to_owned()]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_files_does_not_matter(order in Just((0..14usize).collect::<Vec<_>>()).prop_shuffle()) {
        let files: Vec<_> = read(&repository("fleet")).into_iter().filter(|file| !file.path.starts_with("fleet.lock/")).collect();
        prop_assert_eq!(files.len(), order.len());
        let shuffled: Vec<_> = order.iter().map(|at| files[*at].clone()).collect();
        let (_, one) = resolved(&files, &Lock::default());
        let (_, two) = resolved(&shuffled, &Lock::default());
        prop_assert_eq!(&one.lock, &two.lock);
        prop_assert_eq!(serde_json::to_string(&one.fleet).unwrap(), serde_json::to_string(&two.fleet).unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in "[a-z:{}\\[\\]&*#|>?!%\"' \n\r\té€😀\u{0}-]{0,200}") {
        let files = [file("base.yaml", BASE), file("noise.yaml", &text), file("more.yaml", &format!("kind: Cluster\n{text}"))];
        let (loaded, resolved) = resolved(&files, &Lock::default());
        fleetwright::report::diagnostics::render(&resolved.diagnostics, loaded.files(), Default::default());
    }
}

#[test]
fn suspensions_are_kept_apart_and_each_is_explained() {
    let clusters = r#"
kind: Clusters
spec:
  environment: dev
  pools: [general]
  suspend: {reason: both}
  clusters:
    a: {}
    b: {suspend: {reason: own, until: 2999-01-01T00:00:00Z}}
    c: {suspend: null}
"#;
    let resolved = resolve(clusters, &Lock::default());
    let of = |name: &str| {
        let found = resolved
            .fleet
            .suspend
            .clusters
            .iter()
            .find(|(known, _)| known.as_str() == name);
        found.map(|(_, suspend)| (suspend.reason.as_str(), suspend.until.is_some()))
    };
    assert_eq!(
        (of("a"), of("b"), of("c")),
        (Some(("both", false)), Some(("own", true)), Some(("both", false)))
    );
    assert!(resolved.fleet.suspend.fleet.is_none() && resolved.fleet.suspend.environments.is_empty());
    let loaded = load(&fleet(clusters));
    let explained = |name: &str| explain(&loaded, name, Some("suspend")).unwrap();
    let layers = |name: &str| explained(name).iter().map(|one| one.origin.layer).collect::<Vec<_>>();
    assert_eq!((layers("a"), layers("b")), (vec!["Clusters"], vec!["Cluster"]));
    assert_eq!(layers("c"), ["Clusters"], "none of its own lifts what it shares");
    assert_eq!(explained("b")[0].value["reason"], "own");
}
