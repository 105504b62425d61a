//! Who lives in a namespace that is to go, asked of a real API server and of such as answer by a script.

use std::collections::BTreeMap;

use fleetwright::inventory::Entry;
use fleetwright::providers::kubernetes::{KubernetesProvider, Options};
use fleetwright::providers::{DeleteRequest, Observation, ObserveRequest, Observed, Provider, ProviderError};
use fleetwright::resource::{ClusterName, INHABITANTS, ManagementClusterName, Manifest, Stewardship, Target, UnitId};
use serde_json::{Value, json};

use crate::kube_faults::{Scripted, status};
use crate::support::{ApiServer, Login};

fn manifest(body: &Value) -> Manifest {
    let target = Target::Kubernetes(ManagementClusterName::new("m"));
    let unit = UnitId::Cluster(ClusterName::new("c"));
    Manifest::new(target, unit, Stewardship::Managed, body).expect("a manifest")
}

/// What is seen where a namespace and some ConfigMaps in it are recorded, and no longer wanted.
async fn observe(provider: &KubernetesProvider, space: &str, config_maps: &[&str]) -> Observation {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}});
    let others = config_maps
        .iter()
        .map(|name| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": space}}));
    let entries: Vec<Entry> = [namespace]
        .into_iter()
        .chain(others)
        .map(|body| Entry {
            id: manifest(&body).id,
            api_version: "v1".to_owned(),
            uid: None,
            digest: None,
            oci: None,
            going: false,
        })
        .collect();
    let request = ObserveRequest {
        desired: &[],
        recorded: &entries.iter().collect::<Vec<_>>(),
        fleet_label: "f",
        in_part: false,
    };
    provider.observe(request).await.expect("an observation")
}

/// What is known of the namespace: who lives there, or why that is not known.
fn strangers(seen: &Observation) -> Result<Vec<String>, String> {
    let namespace = seen.objects.iter().find(|(id, _)| id.kind == "Namespace");
    let (id, observed) = namespace.expect("it was asked about");
    match observed {
        Observed::Unknown(reason) => Err(reason.clone()),
        Observed::Present(_) => Ok(seen.strangers.get(id).cloned().unwrap_or_default()),
        Observed::Absent => panic!("the namespace is there"),
    }
}

async fn connect(login: &Login) -> KubernetesProvider {
    KubernetesProvider::connect(&[&login.kubeconfig], "test", Options::default())
        .await
        .expect("a provider")
}

/// One object of each kind that people have in namespaces, as `Kind name`.
fn one_of_each() -> BTreeMap<&'static str, Value> {
    let services: Vec<Value> = ["APIServer", "OAuthServer", "Konnectivity", "Ignition"]
        .map(|service| json!({"service": service, "servicePublishingStrategy": {"type": "Route"}}))
        .into();
    let template = json!({"metadata": {"labels": {"of": "others"}},
        "spec": {"containers": [{"name": "c", "image": "example/c"}]}});
    let selector = json!({"matchLabels": {"of": "others"}});
    let runs = json!({"selector": selector, "template": template});
    let mut set = runs.clone();
    set["serviceName"] = json!("others");
    let job = json!({"template": {"spec": {"restartPolicy": "Never", "containers": template["spec"]["containers"]}}});
    BTreeMap::from([
        ("ConfigMap", json!({"apiVersion": "v1", "data": {"of": "others"}})),
        (
            "PersistentVolumeClaim",
            json!({"apiVersion": "v1", "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}),
        ),
        ("Pod", json!({"apiVersion": "v1", "spec": template["spec"]})),
        (
            "ReplicationController",
            json!({"apiVersion": "v1", "spec": {"selector": {"of": "others"}, "template": template}}),
        ),
        (
            "Service",
            json!({"apiVersion": "v1", "spec": {"ports": [{"port": 80}]}}),
        ),
        ("Deployment", json!({"apiVersion": "apps/v1", "spec": runs})),
        ("StatefulSet", json!({"apiVersion": "apps/v1", "spec": set})),
        ("DaemonSet", json!({"apiVersion": "apps/v1", "spec": runs})),
        ("ReplicaSet", json!({"apiVersion": "apps/v1", "spec": runs})),
        ("Job", json!({"apiVersion": "batch/v1", "spec": job})),
        (
            "CronJob",
            json!({"apiVersion": "batch/v1", "spec": {"schedule": "0 0 * * *", "jobTemplate": {"spec": job}}}),
        ),
        (
            "Ingress",
            json!({"apiVersion": "networking.k8s.io/v1", "spec": {"defaultBackend": {"service": {"name": "others", "port": {"number": 80}}}}}),
        ),
        (
            "HostedCluster",
            json!({"apiVersion": "hypershift.openshift.io/v1beta1", "spec": {
                "platform": {"type": "None"}, "pullSecret": {"name": "p"}, "sshKey": {},
                "release": {"image": "registry.example/release:4.20.3"},
                "networking": {"clusterNetwork": [{"cidr": "10.132.0.0/14"}]},
                "services": services}}),
        ),
        (
            "NodePool",
            json!({"apiVersion": "hypershift.openshift.io/v1beta1", "spec": {
                "clusterName": "c", "replicas": 1, "management": {"upgradeType": "Replace"},
                "platform": {"type": "None"}, "release": {"image": "registry.example/release:4.20.3"}}}),
        ),
        (
            "Cluster",
            json!({"apiVersion": "cluster.x-k8s.io/v1beta2", "spec": {
                "infrastructureRef": {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "OCICluster", "name": "c"}}}),
        ),
        (
            "VolumeSnapshot",
            json!({"apiVersion": "snapshot.storage.k8s.io/v1", "spec": {}}),
        ),
    ])
}

/// A definition of a kind that takes anything.
fn definition(group: &str, plural: &str, kind: &str) -> Value {
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        // Groups of this end are kept for those whose definition was approved.
        "metadata": {"name": format!("{plural}.{group}"), "annotations": {"api-approved.kubernetes.io": "unapproved, of a test"}},
        "spec": {"group": group, "scope": "Namespaced", "names": {"plural": plural, "kind": kind},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema}]}})
}

/// A namespace with the account that Pods are admitted for.
fn space(login: &Login, name: &str) {
    login.kubectl(&["create", "namespace", name]);
    login.kubectl(&["create", "serviceaccount", "default", "-n", name]);
}

#[tokio::test]
async fn whatever_people_may_have_there_is_named() {
    let Some(server) = ApiServer::start() else { return };
    let login = server.login();
    let snapshots = definition("snapshot.storage.k8s.io", "volumesnapshots", "VolumeSnapshot");
    login.kubectl_in(&["create", "-f", "-"], &snapshots.to_string());
    let crd = "crd/volumesnapshots.snapshot.storage.k8s.io";
    login.kubectl(&["wait", "--for=condition=Established", crd, "--timeout=60s"]);
    space(&login, "housed");
    let objects = one_of_each();
    let kinds: Vec<&str> = INHABITANTS.iter().map(|one| one.kind).collect();
    assert_eq!(objects.len(), kinds.len(), "a kind without an example: {kinds:?}");
    let named = |kind: &str, name: &str| {
        let mut object = objects[kind].clone();
        object["kind"] = json!(kind);
        object["metadata"] = json!({"name": name, "namespace": "housed"});
        object
    };
    // What the fleet has there, what the server puts there, and what goes with the namespace as a part of it.
    let own = named("ConfigMap", "ours");
    let of_server = named("ConfigMap", "kube-root-ca.crt");
    let account =
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot", "namespace": "housed"}});
    // What has an owner goes with that.
    let mut owned = named("Pod", "owned");
    owned["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "others", "uid": "7"}]);
    let all = json!({"apiVersion": "v1", "kind": "List", "items": [own, of_server, account, owned]});
    login.kubectl_in(&["create", "--validate=false", "-f", "-"], &all.to_string());
    let provider = connect(&login).await;
    assert_eq!(
        strangers(&observe(&provider, "housed", &["ours"]).await),
        Ok(Vec::new())
    );

    let all: Vec<Value> = kinds.iter().map(|kind| named(kind, "others")).collect();
    let all = json!({"apiVersion": "v1", "kind": "List", "items": all});
    login.kubectl_in(&["create", "--validate=false", "-f", "-"], &all.to_string());
    let mut found = strangers(&observe(&provider, "housed", &["ours"]).await).expect("it is known");
    found.sort();
    let mut expected: Vec<String> = kinds.iter().map(|kind| format!("{kind} housed/others")).collect();
    expected.sort();
    assert_eq!(found, expected);

    // What came after the look that a plan was made by is seen as well.
    let namespace = login.get(&["namespace", "housed"]);
    let [uid, version] = ["uid", "resourceVersion"].map(|field| namespace["metadata"][field].as_str().expect("text"));
    let id = manifest(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "housed"}})).id;
    let delete = || {
        provider.delete(DeleteRequest {
            id: &id,
            api_version: "v1",
            uid,
            version,
        })
    };
    let error = delete().await.expect_err("others live there");
    assert!(matches!(error, ProviderError::Inhabited { .. }), "{error:?}");
    assert!(error.to_string().contains("others live there: "), "{error}");
    let namespace = login.get(&["namespace", "housed"]);
    assert_eq!(namespace["metadata"]["deletionTimestamp"], Value::Null);

    // Once somebody deletes the namespace nothing can be kept, and nothing is to be said of it.
    login.kubectl(&["delete", "namespace", "housed", "--wait=false"]);
    assert_eq!(
        strangers(&observe(&provider, "housed", &["ours"]).await),
        Ok(Vec::new())
    );
}

#[tokio::test]
async fn a_kind_that_the_server_does_not_have_is_passed_over_and_one_that_is_silent_is_not() {
    let Some(server) = ApiServer::start_bare() else { return };
    let login = server.login();
    space(&login, "bare");
    let provider = connect(&login).await;
    let mark = login.mark();
    assert_eq!(strangers(&observe(&provider, "bare", &[]).await), Ok(Vec::new()));
    // That it has none is asked of the kinds that a definition brings, for a server that starts names them late.
    let asked: Vec<String> = login
        .requests_since(mark)
        .into_iter()
        .map(|(_, path)| path)
        .filter(|path| path.ends_with("?limit=1"))
        .collect();
    assert_eq!(asked.len(), 5, "{asked:?}");

    // A group whose own server is away.
    let service = json!({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": {"name": "v1.snapshot.storage.k8s.io"},
        "spec": {"group": "snapshot.storage.k8s.io", "version": "v1", "insecureSkipTLSVerify": true,
            "groupPriorityMinimum": 1000, "versionPriority": 10,
            "service": {"namespace": "bare", "name": "nobody"}}});
    login.kubectl_in(&["create", "-f", "-"], &service.to_string());
    let named = ["get", "--raw", "/apis/snapshot.storage.k8s.io/v1/volumesnapshots"];
    let is_away = || String::from_utf8_lossy(&login.try_kubectl(&named, "").stderr).contains("unable to handle");
    assert!((0..600).any(|_| is_away()), "the group is served by somebody");
    let reason = strangers(&observe(&provider, "bare", &[]).await).expect_err("it is not known");
    assert!(
        reason.starts_with("who lives there is not known: ") && reason.contains("snapshot"),
        "{reason}"
    );
}

fn list(items: &Value) -> (u16, String) {
    (200, json!({"metadata": {}, "items": items}).to_string())
}

/// A server that has namespaces and nothing else, and answers with `late` where it is asked for what it does not name.
fn script(late: &'static str, code: u16) -> Scripted {
    Scripted::start(move |path| {
        let resources = json!([{"resource": "namespaces", "scope": "Cluster", "responseKind": {"kind": "Namespace"}}]);
        let core = json!([{"versions": [{"version": "v1", "freshness": "Current", "resources": resources}]}]);
        let groups = |items: Value| {
            (
                200,
                json!({"kind": "APIGroupDiscoveryList", "items": items}).to_string(),
            )
        };
        let namespace = json!({"metadata": {"name": "n", "uid": "u", "resourceVersion": "7"}});
        Some(match path {
            "/api" => groups(core),
            "/apis" => groups(json!([])),
            "/openapi/v3" => (200, r#"{"paths": {}}"#.to_owned()),
            _ if path.starts_with(late) && code == 200 => list(&json!([])),
            _ if path.starts_with(late) => status(code, "Scripted"),
            _ if path.starts_with("/api/v1/namespaces?") => list(&json!([namespace])),
            _ => status(404, "NotFound"),
        })
    })
}

#[tokio::test]
async fn a_server_that_is_starting_is_not_taken_for_one_without_the_kind() {
    const CLUSTERS: &str = "/apis/cluster.x-k8s.io/";
    let seen = |code| async move {
        let server = script(CLUSTERS, code);
        strangers(&observe(&server.provider().await, "n", &[]).await)
    };
    assert_eq!(seen(404).await, Ok(Vec::new()));
    for (code, word) in [(503, "503"), (200, "only begun to serve clusters")] {
        let reason = seen(code).await.expect_err("it is not known");
        assert!(reason.contains(word), "{reason}");
    }
}
