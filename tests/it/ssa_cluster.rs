//! A whole HostedCluster by upstream's own schema: compact in memory, and found unchanged beside other managers.
//! How long that takes is measured in `benches/`.

use fleetwright::schema::Schema;
use fleetwright::ssa::{ApplyOutcome, ApplyRequest, apply, is_noop};
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

#[test]
fn a_cluster_is_found_unchanged_alone_and_beside_another_manager() {
    let Some(upstream) = upstream() else { return };
    let text = std::fs::read_to_string(upstream.join(super::ssa_reference::CRDS[0])).expect("the CRD is readable");
    let crd: Value = serde_yaml::from_str(&text).expect("YAML");
    let schema = Schema::from_crd(&crd, "v1beta1").expect("a schema");
    assert!(schema.memory() < 1 << 20, "{} bytes", schema.memory());
    let desired = hosted_cluster();
    let request = ApplyRequest {
        live: None,
        config: &desired,
        manager: "fleetwright",
        force: false,
        schema: &schema,
        now: "2026-01-01T00:00:00Z",
    };
    let ApplyOutcome::Applied(live) = apply(request).expect("valid") else {
        panic!("a new object has no conflicts");
    };
    assert!(is_noop(&desired, &live, "fleetwright", &schema));

    let mut shared = live.clone();
    let entries = shared["metadata"]["managedFields"]
        .as_array_mut()
        .expect("managedFields");
    let mut other = entries.first().cloned().expect("an entry");
    other["manager"] = json!("other");
    entries.push(other);
    assert!(is_noop(&desired, &shared, "fleetwright", &schema));

    let mut fewer = desired.clone();
    fewer["spec"].as_object_mut().expect("a spec").remove("fips");
    assert!(!is_noop(&fewer, &live, "fleetwright", &schema));
}
