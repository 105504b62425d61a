//! How long the merge takes. The bounds are for unoptimised builds on a busy machine, so they only catch a change of
//! order; the figures are printed.

use std::hint::black_box;
use std::time::{Duration, Instant};

use fleetwright::schema::Schema;
use fleetwright::ssa::{ApplyOutcome, ApplyRequest, apply, field_changes, is_noop};
use serde_json::{Value, json};

use super::ssa_reference::upstream;

/// About as much as a real cluster says: some seventy leaves.
fn hosted_cluster() -> Value {
    let service = |name: &str| json!({"service": name, "servicePublishingStrategy": {"type": "NodePort", "nodePort": {"address": "10.0.0.1", "port": 30000}}});
    json!({"apiVersion": "hypershift.openshift.io/v1beta1", "kind": "HostedCluster",
    "metadata": {"name": "payments", "namespace": "clusters",
        "labels": {"fleetwright.dev/fleet": "f", "fleetwright.dev/unit": "u", "environment": "production", "team": "payments"},
        "annotations": {"fleetwright.dev/owner": "HostedCluster clusters/payments", "fleetwright.dev/revision": "abc"}},
    "spec": {
        "autoscaling": {"maxNodesTotal": 100, "maxPodGracePeriod": 60, "podPriorityThreshold": -10},
        "channel": "stable-4.20", "clusterID": "9d7ac6ce-7d5b-4e3a-8a6e-0c1d2e3f4a5b",
        "configuration": {
            "apiServer": {"audit": {"profile": "Default"}, "tlsSecurityProfile": {"type": "Intermediate"}},
            "image": {"registrySources": {"allowedRegistries": ["a.example.com", "b.example.com"]}},
            "oauth": {"identityProviders": [{"name": "sso", "type": "OpenID", "mappingMethod": "claim", "openID": {"clientID": "c", "issuer": "https://sso.example.com", "clientSecret": {"name": "s"}}}]}},
        "controllerAvailabilityPolicy": "HighlyAvailable", "infrastructureAvailabilityPolicy": "HighlyAvailable",
        "dns": {"baseDomain": "example.com", "publicZoneID": "z", "privateZoneID": "y"},
        "etcd": {"managementType": "Managed", "managed": {"storage": {"type": "PersistentVolume", "persistentVolume": {"size": "8Gi", "storageClassName": "fast"}}}},
        "fips": false, "infraID": "payments-abcde", "issuerURL": "https://kubernetes.default.svc",
        "networking": {"networkType": "OVNKubernetes", "clusterNetwork": [{"cidr": "10.132.0.0/14"}], "serviceNetwork": [{"cidr": "172.31.0.0/16"}], "machineNetwork": [{"cidr": "10.0.0.0/16"}]},
        "nodeSelector": {"a": "b", "c": "d"}, "olmCatalogPlacement": "management",
        "platform": {"type": "None"}, "pullSecret": {"name": "pull"}, "sshKey": {"name": "ssh"},
        "release": {"image": "quay.io/openshift-release-dev/ocp-release:4.20.1-x86_64"},
        "secretEncryption": {"type": "aescbc", "aescbc": {"activeKey": {"name": "key"}}},
        "services": [service("APIServer"), service("OAuthServer"), service("Konnectivity"), service("Ignition"), service("OIDC")],
        "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoSchedule"}],
    }})
}

fn each(times: u32, mut work: impl FnMut()) -> Duration {
    work();
    let start = Instant::now();
    for _ in 0..times {
        work();
    }
    start.elapsed() / times
}

#[test]
fn a_cluster_takes_microseconds_to_compare_and_tens_of_them_to_merge() {
    let Some(upstream) = upstream() else { return };
    let text = std::fs::read_to_string(upstream.join(super::ssa_reference::CRDS[0])).expect("the CRD is readable");
    let crd: Value = serde_yaml::from_str(&text).expect("YAML");
    let start = Instant::now();
    let schema = Schema::from_crd(&crd, "v1beta1").expect("a schema");
    let reading = start.elapsed();
    let desired = hosted_cluster();
    let merge = |live: Option<&Value>, config: &Value| {
        let request = ApplyRequest {
            live,
            config,
            manager: "fleetwright",
            force: false,
            schema: &schema,
            now: "2026-01-01T00:00:00Z",
        };
        match apply(request).expect("valid") {
            ApplyOutcome::Applied(object) => object,
            ApplyOutcome::Conflicts(conflicts) => panic!("{conflicts:?}"),
        }
    };
    let live = merge(None, &desired);
    let mut fewer = desired.clone();
    fewer["spec"].as_object_mut().expect("a spec").remove("fips");
    let noop = each(300, || {
        assert!(is_noop(black_box(&desired), &live, "fleetwright", &schema));
    });
    // Another manager's record is looked through as well.
    let mut shared = live.clone();
    let entries = shared["metadata"]["managedFields"]
        .as_array_mut()
        .expect("managedFields");
    let mut other = entries.first().cloned().expect("an entry");
    other["manager"] = json!("other");
    entries.push(other);
    let beside_another = each(300, || {
        assert!(is_noop(black_box(&desired), &shared, "fleetwright", &schema));
    });
    let same = each(100, || drop(black_box(merge(Some(&live), &desired))));
    let release = each(100, || drop(black_box(merge(Some(&live), &fewer))));
    let changes = each(100, || drop(black_box(field_changes(Some(&live), &desired, &schema))));
    println!(
        "schema {} KiB in {reading:?}; is_noop {noop:?}, beside another manager {beside_another:?}, apply {same:?}, apply with a release {release:?}, field_changes {changes:?}",
        schema.memory() / 1024
    );
    assert!(schema.memory() < 1 << 20, "{} bytes", schema.memory());
    assert!(noop < Duration::from_millis(2), "{noop:?}");
    assert!(beside_another < Duration::from_millis(2), "{beside_another:?}");
    assert!(same < Duration::from_millis(20), "{same:?}");
}
