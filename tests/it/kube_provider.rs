//! The Kubernetes provider against a real API server.

use std::collections::BTreeMap;

use fleetwright::inventory::{Entry, UnitInventory};
use fleetwright::providers::kubernetes::{InventoryError, KubernetesProvider, Options};
use fleetwright::providers::{
    DeleteRequest, InventoryStore, LiveObject, Observation, ObserveRequest, Observed, OwnedField, Provider,
    ProviderError, WriteRequest,
};
use fleetwright::resource::{ClusterName, FleetUid, ManagementClusterName, Manifest, Stewardship, Target, UnitId};
use serde_json::{Value, json};

use crate::support::{ApiServer, Login};

/// A provider of a user of its own, and a namespace that is a fleet's name as well.
struct Bench {
    login: Login,
    provider: KubernetesProvider,
    space: String,
}

impl Bench {
    async fn new(space: &str) -> Option<Self> {
        let server = ApiServer::shared()?;
        let login = server.login();
        login.kubectl(&["create", "namespace", space]);
        let provider = connect(&login).await;
        Some(Self {
            login,
            provider,
            space: space.to_owned(),
        })
    }

    /// A ConfigMap of this fleet.
    fn config_map(&self, name: &str, data: &Value) -> Manifest {
        manifest(&json!({
            "apiVersion": "v1", "kind": "ConfigMap", "data": data,
            "metadata": {"name": name, "namespace": self.space, "labels": {"fleetwright.dev/fleet": self.space}}}))
    }

    async fn observe(&self, desired: &[&Manifest], recorded: &[&Entry]) -> Observation {
        let request = ObserveRequest {
            desired,
            recorded,
            fleet_label: &self.space,
            in_part: false,
        };
        self.provider.observe(request).await.expect("an observation")
    }

    async fn create(&self, manifest: &Manifest) -> Result<LiveObject, ProviderError> {
        self.apply(manifest, None, false).await
    }

    async fn apply(
        &self,
        manifest: &Manifest,
        live: Option<&LiveObject>,
        force: bool,
    ) -> Result<LiveObject, ProviderError> {
        let body = manifest.body();
        let request = write(manifest, &body, live, force);
        self.provider.write(request).await.map(|response| response.object)
    }

    /// The object as kubectl sees it.
    fn get(&self, kind: &str, name: &str) -> Value {
        self.login.get(&["-n", &self.space, kind, name])
    }
}

async fn connect(login: &Login) -> KubernetesProvider {
    KubernetesProvider::connect(&[&login.kubeconfig], "test", Options::default())
        .await
        .expect("a provider")
}

fn write<'a>(manifest: &'a Manifest, body: &'a Value, live: Option<&'a LiveObject>, force: bool) -> WriteRequest<'a> {
    WriteRequest {
        id: &manifest.id,
        api_version: &manifest.api_version,
        body,
        version: live.map(|live| live.version.as_str()),
        uid: live.map(|live| live.uid.as_str()),
        force,
        managed_fields: None,
        incarnation: 0,
    }
}

fn manifest(body: &Value) -> Manifest {
    let target = Target::Kubernetes(ManagementClusterName::new("m"));
    let unit = UnitId::Cluster(ClusterName::new("c"));
    Manifest::new(target, unit, Stewardship::Managed, body).expect("a manifest")
}

fn node_pool(space: &str, name: &str, replicas: u32) -> Manifest {
    manifest(&json!({
        "apiVersion": "hypershift.openshift.io/v1beta1", "kind": "NodePool",
        "metadata": {"name": name, "namespace": space, "labels": {"fleetwright.dev/fleet": space}},
        "spec": {"clusterName": "c", "replicas": replicas, "management": {"upgradeType": "Replace"},
            "platform": {"type": "None"}, "release": {"image": "registry.example/release:4.20.3"}}}))
}

fn entry(manifest: &Manifest, uid: Option<&str>) -> Entry {
    Entry {
        id: manifest.id.clone(),
        api_version: manifest.api_version.clone(),
        uid: uid.map(str::to_owned),
        digest: None,
        oci: None,
        going: false,
    }
}

fn present(observed: &Observed) -> &LiveObject {
    match observed {
        Observed::Present(object) => object,
        other => panic!("not present: {other:?}"),
    }
}

fn reason(observed: &Observed) -> &str {
    match observed {
        Observed::Unknown(reason) => reason,
        other => panic!("not unknown: {other:?}"),
    }
}

#[tokio::test]
async fn a_create_is_applied_by_our_manager_and_then_seen() {
    let Some(bench) = Bench::new("kp-create").await else {
        return;
    };
    let pool = node_pool(&bench.space, "pool", 2);
    assert!(matches!(
        bench.observe(&[&pool], &[]).await.objects[&pool.id],
        Observed::Absent
    ));
    let made = bench.create(&pool).await.expect("created");
    let live = bench.get("nodepool", "pool");
    assert_eq!(live["spec"]["replicas"], 2);
    assert_eq!(live["metadata"]["uid"], made.uid.as_str());
    let managers = live["metadata"]["managedFields"].as_array().expect("managers");
    assert_eq!(managers.len(), 1);
    assert_eq!(
        (&managers[0]["manager"], &managers[0]["operation"]),
        (&json!("fleetwright"), &json!("Apply"))
    );
    // What we say to make a create a create must not become a field of ours.
    assert_eq!(
        managers[0]["fieldsV1"]["f:metadata"],
        json!({"f:labels": {"f:fleetwright.dev/fleet": {}}})
    );
    let seen = bench.observe(&[&pool], &[]).await;
    let seen = present(&seen.objects[&pool.id]);
    assert_eq!((&seen.uid, &seen.version), (&made.uid, &made.version));
    assert_eq!(
        seen.parse().expect("JSON")["metadata"]["managedFields"],
        live["metadata"]["managedFields"]
    );
}

#[tokio::test]
async fn looking_at_what_is_as_it_should_be_sends_lists_and_secret_reads_alone() {
    let Some(bench) = Bench::new("kp-quiet").await else {
        return;
    };
    let mut desired = vec![manifest(&json!({
        "apiVersion": "v1", "kind": "Secret", "stringData": {"a": "b"},
        "metadata": {"name": "s", "namespace": bench.space, "labels": {"fleetwright.dev/fleet": bench.space}}}))];
    desired.extend((0..5).map(|n| bench.config_map(&format!("c{n}"), &json!({"n": n.to_string()}))));
    desired.extend((0..3).map(|n| node_pool(&bench.space, &format!("p{n}"), n)));
    for manifest in &desired {
        bench.create(manifest).await.expect("created");
    }
    let desired: Vec<&Manifest> = desired.iter().collect();
    // The first look fetches the schemas.
    let seen = bench.observe(&desired, &[]).await;
    assert_eq!(
        seen.schemas.keys().map(|kind| kind.kind.as_str()).collect::<Vec<_>>(),
        ["ConfigMap", "Secret", "NodePool"]
    );
    let mark = bench.login.mark();
    let seen = bench.observe(&desired, &[]).await;
    assert_eq!((seen.objects.len(), seen.schemas.len()), (9, 3));
    seen.objects
        .values()
        .for_each(|observed| assert!(!present(observed).uid.is_empty()));
    let mut sent = bench.login.requests_since(mark);
    // Lists of different kinds are under way at once.
    sent.sort();
    let label = "labelSelector=fleetwright.dev%2Ffleet%3Dkp-quiet&limit=2500";
    let sent: Vec<_> = sent.iter().map(|(verb, path)| (verb.as_str(), path.as_str())).collect();
    assert_eq!(
        sent,
        [
            ("get", "/api"),
            ("get", "/api/v1/namespaces/kp-quiet/secrets/s"),
            ("get", "/apis"),
            ("get", "/openapi/v3"),
            ("list", &format!("/api/v1/configmaps?{label}")),
            (
                "list",
                &format!("/apis/hypershift.openshift.io/v1beta1/nodepools?{label}")
            ),
        ]
    );
}

#[tokio::test]
async fn schemas_are_kept_on_disk_by_their_hash_and_fetched_again_only_when_it_changes() {
    let Some(bench) = Bench::new("kp-schemas").await else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let pool = node_pool(&bench.space, "pool", 1);
    let look = async || {
        let options = Options {
            schema_cache: Some(folder.path().join("cache")),
            ..Options::default()
        };
        let provider = KubernetesProvider::connect(&[&bench.login.kubeconfig], "test", options)
            .await
            .expect("one");
        let request = ObserveRequest {
            desired: &[&pool],
            recorded: &[],
            fleet_label: &bench.space,
            in_part: false,
        };
        let mark = bench.login.mark();
        let seen = provider.observe(request).await.expect("an observation");
        let schema = seen.schemas.values().next().expect("a schema");
        assert_eq!(
            (schema.kind(), schema.api_version()),
            ("NodePool", "hypershift.openshift.io/v1beta1")
        );
        let sent = bench.login.requests_since(mark);
        sent.into_iter()
            .filter(|(_, path)| path.starts_with("/openapi/v3"))
            .count()
    };
    assert_eq!(look().await, 2);
    assert_eq!(look().await, 1);
    std::fs::remove_dir_all(folder.path().join("cache")).expect("removed");
    assert_eq!(look().await, 2);
}

#[tokio::test]
async fn a_conflict_names_the_field_and_the_manager_and_changes_nothing() {
    let Some(bench) = Bench::new("kp-conflict").await else {
        return;
    };
    let pool = node_pool(&bench.space, "pool", 2);
    let made = bench.create(&pool).await.expect("created");
    let args = [
        "-n",
        &bench.space,
        "patch",
        "nodepool",
        "pool",
        "--type=merge",
        "--field-manager=autoscaler",
    ];
    bench
        .login
        .kubectl(&[&args[..], &["-p", r#"{"spec": {"replicas": 5}}"#]].concat());
    let now = bench.provider.read(&pool.id, &pool.api_version).await;
    let now = present(&now);
    assert_ne!(now.version, made.version);
    let Err(ProviderError::Conflict(fields)) = bench.apply(&pool, Some(now), false).await else {
        panic!("no conflict")
    };
    let autoscaler = OwnedField {
        field: ".spec.replicas".to_owned(),
        manager: "autoscaler".to_owned(),
    };
    assert_eq!(fields, [autoscaler]);
    assert_eq!(bench.get("nodepool", "pool")["spec"]["replicas"], 5);
    bench.apply(&pool, Some(now), true).await.expect("forced");
    assert_eq!(bench.get("nodepool", "pool")["spec"]["replicas"], 2);
}

#[tokio::test]
async fn a_write_as_of_an_older_version_is_stale_and_changes_nothing() {
    let Some(bench) = Bench::new("kp-stale").await else {
        return;
    };
    let first = bench
        .create(&bench.config_map("c", &json!({"a": "1"})))
        .await
        .expect("created");
    let second = bench.config_map("c", &json!({"a": "2"}));
    bench.apply(&second, Some(&first), false).await.expect("updated");
    let third = bench.config_map("c", &json!({"a": "3"}));
    let error = bench.apply(&third, Some(&first), true).await.expect_err("stale");
    assert!(
        matches!(&error, ProviderError::Stale(id) if **id == third.id),
        "{error:?}"
    );
    assert_eq!(bench.get("configmap", "c")["data"]["a"], "2");
}

#[tokio::test]
async fn an_update_of_what_is_gone_does_not_make_it_anew() {
    let Some(bench) = Bench::new("kp-gone").await else {
        return;
    };
    for wanted in [
        node_pool(&bench.space, "x", 1),
        bench.config_map("x", &json!({"a": "1"})),
    ] {
        let made = bench.create(&wanted).await.expect("created");
        let kind = wanted.id.kind.to_lowercase();
        bench.login.kubectl(&["-n", &bench.space, "delete", &kind, "x"]);
        let error = bench.apply(&wanted, Some(&made), false).await.expect_err("gone");
        assert!(matches!(error, ProviderError::Stale(_)), "{error:?}");
        // Nor does an update reach another object that has its name now.
        let again = bench.create(&wanted).await.expect("created anew");
        let other = LiveObject {
            uid: made.uid,
            ..again.clone()
        };
        bench
            .apply(&wanted, Some(&other), true)
            .await
            .expect_err("another object");
        assert_eq!(
            bench.get(&kind, "x")["metadata"]["resourceVersion"],
            again.version.as_str()
        );
    }
}

#[tokio::test]
async fn a_create_over_something_that_exists_is_refused_and_leaves_it_as_it_is() {
    let Some(bench) = Bench::new("kp-exists").await else {
        return;
    };
    let theirs = [
        node_pool(&bench.space, "x", 7),
        bench.config_map("x", &json!({"theirs": "1"})),
    ];
    let ours = [
        node_pool(&bench.space, "x", 1),
        bench.config_map("x", &json!({"ours": "1"})),
    ];
    for (theirs, ours) in theirs.iter().zip(&ours) {
        bench.login.kubectl_in(&["create", "-f", "-"], theirs.canonical());
        let kind = theirs.id.kind.to_lowercase();
        let before = bench.get(&kind, "x");
        // With a conflict, and without one.
        for force in [false, true] {
            let error = bench.apply(ours, None, force).await.expect_err("exists");
            assert!(matches!(error, ProviderError::Exists(_)), "{error:?}");
            let body = ours.body();
            let error = bench
                .provider
                .preview(write(ours, &body, None, force))
                .await
                .expect_err("exists");
            assert!(matches!(error, ProviderError::Exists(_)), "{error:?}");
        }
        assert_eq!(bench.get(&kind, "x"), before);
    }
}

#[tokio::test]
async fn a_preview_shows_the_servers_result_and_changes_nothing() {
    let Some(bench) = Bench::new("kp-preview").await else {
        return;
    };
    let pool = node_pool(&bench.space, "pool", 2);
    let body = pool.body();
    let shown = bench
        .provider
        .preview(write(&pool, &body, None, false))
        .await
        .expect("a preview")
        .object;
    // A default of the schema.
    assert_eq!(shown.parse().expect("JSON")["spec"]["arch"], "amd64");
    assert!(matches!(
        bench.provider.read(&pool.id, &pool.api_version).await,
        Observed::Absent
    ));
    let made = bench.create(&pool).await.expect("created");
    let bigger = node_pool(&bench.space, "pool", 3);
    let body = bigger.body();
    let shown = bench
        .provider
        .preview(write(&bigger, &body, Some(&made), false))
        .await
        .expect("a preview")
        .object;
    assert_eq!(shown.parse().expect("JSON")["spec"]["replicas"], 3);
    assert_eq!(bench.get("nodepool", "pool")["spec"]["replicas"], 2);
}

#[tokio::test]
async fn a_document_that_the_server_refuses_says_why() {
    let Some(bench) = Bench::new("kp-invalid").await else {
        return;
    };
    let mut body = node_pool(&bench.space, "pool", 2).body();
    body["spec"]["replicaz"] = json!(3);
    let unknown_field = bench.create(&manifest(&body)).await.expect_err("refused").to_string();
    assert!(
        unknown_field.contains(".spec.replicaz: field not declared in schema"),
        "{unknown_field}"
    );
    let mut body = node_pool(&bench.space, "pool", 2).body();
    body["spec"]["platform"]["type"] = json!("Moon");
    let error = bench.create(&manifest(&body)).await.expect_err("refused");
    assert!(
        matches!(&error, ProviderError::Invalid { message, .. } if message.contains("Moon")),
        "{error:?}"
    );
    let nowhere = bench
        .create(&node_pool("kp-no-such-namespace", "pool", 2))
        .await
        .expect_err("refused")
        .to_string();
    assert!(
        nowhere.contains("namespaces \"kp-no-such-namespace\" not found"),
        "{nowhere}"
    );
}

#[tokio::test]
async fn without_rights_all_is_unknown_and_says_so() {
    let Some(bench) = Bench::new("kp-rights").await else {
        return;
    };
    let config = bench.config_map("c", &json!({"a": "1"}));
    let secret = manifest(&json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "s", "namespace": bench.space}}));
    bench.create(&config).await.expect("created");
    let nobody = ApiServer::shared().expect("the server").login_without_rights();
    let poor = Bench {
        provider: connect(&nobody).await,
        login: nobody,
        space: bench.space.clone(),
    };
    let seen = poor.observe(&[&config, &secret], &[]).await;
    assert_eq!(reason(&seen.objects[&config.id]), "no right to list configmaps");
    assert_eq!(reason(&seen.objects[&secret.id]), "no right to get Secret kp-rights/s");
    let error = poor.create(&config).await.expect_err("forbidden");
    assert_eq!(error.to_string(), "no right to patch ConfigMap kp-rights/c");
    // Rights to one kind bring back that kind, and no other.
    bench.login.kubectl(&[
        "create",
        "clusterrole",
        "kp-rights",
        "--verb=list",
        "--resource=configmaps",
    ]);
    let role = ["create", "clusterrolebinding", "kp-rights", "--clusterrole=kp-rights"];
    bench
        .login
        .kubectl(&[&role[..], &[&format!("--user={}", poor.login.user)]].concat());
    let granted = async {
        // The authorizer follows its own watch.
        while matches!(
            poor.observe(&[&config], &[]).await.objects[&config.id],
            Observed::Unknown(_)
        ) {}
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), granted)
        .await
        .expect("rights in time");
    let seen = poor.observe(&[&config, &secret], &[]).await;
    assert!(matches!(seen.objects[&config.id], Observed::Present(_)));
    assert!(matches!(seen.objects[&secret.id], Observed::Unknown(_)));
}

#[tokio::test]
async fn an_object_whose_label_was_taken_off_is_present_and_not_absent() {
    let Some(bench) = Bench::new("kp-label").await else {
        return;
    };
    let (desired, recorded) = (bench.config_map("d", &json!({})), bench.config_map("r", &json!({})));
    bench.create(&desired).await.expect("created");
    bench.create(&recorded).await.expect("created");
    bench.login.kubectl(&[
        "-n",
        &bench.space,
        "label",
        "configmap",
        "d",
        "r",
        "fleetwright.dev/fleet-",
    ]);
    let absent = bench.config_map("never-made", &json!({}));
    let seen = bench.observe(&[&desired, &absent], &[&entry(&recorded, None)]).await;
    assert_eq!(seen.objects.len(), 3);
    assert!(matches!(seen.objects[&desired.id], Observed::Present(_)));
    assert!(matches!(seen.objects[&recorded.id], Observed::Present(_)));
    assert!(matches!(seen.objects[&absent.id], Observed::Absent));
}

#[tokio::test]
async fn what_lies_in_a_namespace_that_is_not_there_is_absent_without_a_request_each() {
    let Some(bench) = Bench::new("kp-nowhere").await else {
        return;
    };
    let namespace = manifest(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kp-later"}}));
    let mut all = vec![namespace];
    all.extend((0..20).map(|n| node_pool("kp-later", &format!("p{n}"), 1)));
    // Its namespace isn't asked about, so it is.
    all.push(bench.config_map("c", &json!({})));
    let mark = bench.login.mark();
    let seen = bench.observe(&all.iter().collect::<Vec<_>>(), &[]).await;
    assert!(
        seen.objects.len() == 22
            && seen
                .objects
                .values()
                .all(|observed| matches!(observed, Observed::Absent))
    );
    let mut gets: Vec<_> = bench
        .login
        .requests_since(mark)
        .into_iter()
        .filter(|(verb, _)| verb == "get")
        .collect();
    gets.retain(|(_, path)| !path.starts_with("/openapi/"));
    gets.sort();
    let paths: Vec<_> = gets.iter().map(|(_, path)| path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "/api",
            "/api/v1/namespaces/kp-later",
            "/api/v1/namespaces/kp-nowhere/configmaps/c",
            "/apis"
        ]
    );
}

#[tokio::test]
async fn a_kind_that_the_server_lacks_is_unknown() {
    let Some(bench) = Bench::new("kp-kinds").await else {
        return;
    };
    let lacking = manifest(&json!({"apiVersion": "nowhere.example/v1", "kind": "Thing",
        "metadata": {"name": "t", "namespace": bench.space}}));
    let newer = manifest(&json!({"apiVersion": "hypershift.openshift.io/v9", "kind": "NodePool",
        "metadata": {"name": "p", "namespace": bench.space}}));
    let seen = bench.observe(&[&lacking, &newer], &[]).await;
    assert!(reason(&seen.objects[&lacking.id]).contains("is its CRD installed?"));
    assert!(reason(&seen.objects[&newer.id]).contains("only as v1beta1"));
    // A record of a version that is no longer served is read in one that is.
    let pool = node_pool(&bench.space, "p", 1);
    bench.create(&pool).await.expect("created");
    let old = Entry {
        api_version: "hypershift.openshift.io/v1alpha1".to_owned(),
        ..entry(&pool, None)
    };
    assert!(matches!(
        bench.observe(&[], &[&old]).await.objects[&pool.id],
        Observed::Present(_)
    ));
}

#[tokio::test]
async fn a_delete_takes_the_object_that_was_meant_and_no_other() {
    let Some(bench) = Bench::new("kp-delete").await else {
        return;
    };
    let wanted = bench.config_map("c", &json!({}));
    let made = bench.create(&wanted).await.expect("created");
    let delete = |uid, version| DeleteRequest {
        id: &wanted.id,
        api_version: "v1",
        uid,
        version,
    };
    let error = bench
        .provider
        .delete(delete("00000000-0000-0000-0000-000000000000", &made.version))
        .await
        .expect_err("another");
    assert!(matches!(error, ProviderError::Replaced(_)), "{error:?}");
    assert_eq!(bench.get("configmap", "c")["metadata"]["uid"], made.uid.as_str());

    // What has no status is as it was looked at, or stays.
    let keep = ["label", "configmap", "c", "keep=me", "-n", &bench.space];
    bench.login.kubectl(&keep);
    let error = bench.provider.delete(delete(&made.uid, &made.version)).await;
    let error = error.expect_err("it was changed since");
    assert!(matches!(error, ProviderError::Stale(_)), "{error:?}");
    let live = bench.provider.read(&wanted.id, "v1").await;
    let now = present(&live).version.clone();
    bench.provider.delete(delete(&made.uid, &now)).await.expect("deleted");
    assert!(matches!(bench.provider.read(&wanted.id, "v1").await, Observed::Absent));
    bench
        .provider
        .delete(delete(&made.uid, &now))
        .await
        .expect("gone already is well");
}

#[tokio::test]
async fn managed_fields_of_another_tool_are_taken_over_before_the_apply() {
    let Some(bench) = Bench::new("kp-adopt").await else {
        return;
    };
    let theirs = bench.config_map("c", &json!({"kept": "1", "dropped": "1"}));
    let args = ["apply", "--server-side", "--field-manager=helm", "-f", "-"];
    bench.login.kubectl_in(&args, theirs.canonical());
    let live = bench.provider.read(&theirs.id, "v1").await;
    let live = present(&live).clone();
    let mut fields = live.parse().expect("JSON")["metadata"]["managedFields"].clone();
    fields[0]["manager"] = json!("fleetwright");
    let ours = bench.config_map("c", &json!({"kept": "2"}));
    let body = ours.body();
    let request = |live: &'static LiveObject| WriteRequest {
        managed_fields: Some(Box::leak(Box::new(fields.clone()))),
        incarnation: 0,
        ..write(
            Box::leak(Box::new(ours.clone())),
            Box::leak(Box::new(body.clone())),
            Some(live),
            false,
        )
    };
    let live: &'static LiveObject = Box::leak(Box::new(live));
    let shown = bench
        .provider
        .preview(request(live))
        .await
        .expect("a preview")
        .object
        .parse()
        .expect("JSON");
    assert_eq!(shown["data"]["kept"], "2");
    assert_eq!(
        bench.get("configmap", "c")["data"],
        json!({"kept": "1", "dropped": "1"})
    );
    bench.provider.write(request(live)).await.expect("adopted");
    let after = bench.get("configmap", "c");
    assert_eq!(after["data"], json!({"kept": "2"}));
    assert_eq!(after["metadata"]["managedFields"].as_array().map(Vec::len), Some(1));
    // As of the version from before the take-over, nothing of it happens.
    let error = bench.provider.write(request(live)).await.expect_err("stale");
    assert!(matches!(error, ProviderError::Stale(_)), "{error:?}");
    assert_eq!(bench.get("configmap", "c"), after);
}

#[tokio::test]
async fn secrets_are_copied_and_appear_nowhere() {
    let Some(bench) = Bench::new("kp-copy").await else {
        return;
    };
    // base64 of the word, and the word.
    let shown = ["hunter2", "aHVudGVyMg=="];
    let source = [
        "create",
        "secret",
        "generic",
        "source",
        "--from-literal=password=hunter2",
    ];
    bench.login.kubectl(&[&["-n", &bench.space], &source[..]].concat());
    let copy = |name: &str, from: &str| {
        manifest(
            &json!({"apiVersion": "v1", "kind": "Secret", "$copyFrom": {"namespace": bench.space, "name": from},
            "metadata": {"name": name, "namespace": bench.space, "labels": {"fleetwright.dev/fleet": bench.space}}}),
        )
    };
    let (good, twin, bad) = (copy("good", "source"), copy("twin", "source"), copy("bad", "nowhere"));
    let mark = bench.login.mark();
    let seen = bench.observe(&[&good, &twin, &bad], &[]).await;
    let reads = bench.login.requests_since(mark);
    assert_eq!(
        reads
            .iter()
            .filter(|(_, path)| path.ends_with("/secrets/source"))
            .count(),
        1
    );
    assert!(!reads.iter().any(|(verb, _)| verb == "list"), "{reads:?}");
    assert_eq!(
        reason(&seen.objects[&bad.id]),
        "Secret kp-copy/nowhere, from which it is copied, is not there"
    );
    assert!(matches!(seen.objects[&good.id], Observed::Absent));
    let expanded = seen.copied[&good.id].document.expose();
    assert_eq!(expanded["data"]["password"], shown[1]);
    assert_eq!(expanded.get("$copyFrom"), None);
    let response = bench
        .provider
        .write(write(&good, expanded, None, false))
        .await
        .expect("created");
    assert_eq!(bench.get("secret", "good")["data"]["password"], shown[1]);

    let mut texts = vec![
        format!("{seen:?}", seen = seen.objects),
        format!("{:?}", seen.copied),
        format!("{response:?}"),
    ];
    let live = bench.observe(&[&good], &[]).await;
    texts.push(format!("{:?}", live.objects));
    let word = |data: Value| {
        let mut body = expanded.clone();
        body.as_object_mut()
            .expect("a map")
            .extend(data.as_object().expect("a map").clone());
        body
    };
    for body in [
        word(json!({"data": {"password": "hunter2"}})),
        word(json!({"stringData": {"password": ["hunter2"]}})),
        word(json!({"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "aHVudGVyMg=="}})),
    ] {
        let request = WriteRequest {
            body: &body,
            ..write(&twin, &body, None, false)
        };
        let error = bench.provider.write(request).await.expect_err("refused");
        texts.push(format!("{error} {error:?}"));
    }
    for text in texts {
        assert!(!shown.iter().any(|word| text.contains(word)), "{text}");
    }
}

#[tokio::test]
async fn twelve_hundred_objects_come_in_three_pages() {
    let Some(mut bench) = Bench::new("kp-many").await else {
        return;
    };
    let options = Options {
        page: 500,
        ..Options::default()
    };
    let provider = KubernetesProvider::connect(&[&bench.login.kubeconfig], "test", options).await;
    bench.provider = provider.expect("a provider");
    let all: Vec<Manifest> = (0..1_200)
        .map(|n| bench.config_map(&format!("c{n:04}"), &json!({"n": n.to_string()})))
        .collect();
    let items: Vec<Value> = all.iter().map(Manifest::body).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string();
    bench.login.kubectl_in(&["create", "-f", "-"], &list);
    let mark = bench.login.mark();
    let seen = bench.observe(&all.iter().collect::<Vec<_>>(), &[]).await;
    let lists = bench
        .login
        .requests_since(mark)
        .into_iter()
        .filter(|(verb, _)| verb == "list")
        .count();
    assert_eq!(lists, 3);
    assert_eq!(seen.objects.len(), 1_200);
    for manifest in &all {
        let live: Value = present(&seen.objects[&manifest.id]).parse().expect("JSON");
        assert_eq!(live["data"], manifest.body()["data"]);
    }
}

fn record(bench: &Bench, fleet: &FleetUid, cluster: &str) -> UnitInventory {
    let mut inventory = UnitInventory::new(fleet.clone(), UnitId::Cluster(ClusterName::new(cluster)));
    inventory.record(entry(&node_pool(&bench.space, cluster, 1), Some("uid")));
    inventory
}

fn lost_race(result: Result<Option<String>, ProviderError>, unit: &UnitId) {
    let error = result.expect_err("lost");
    assert!(
        matches!(&error, ProviderError::LostRace(of) if **of == *unit),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_inventory_comes_back_as_it_was_stored_and_the_slower_of_two_runs_loses() {
    let Some(bench) = Bench::new("kp-inventory").await else {
        return;
    };
    let fleet = FleetUid::new("fleet of kp-inventory");
    let store = bench.provider.inventory();
    assert!(store.load_all(&fleet).await.expect("none yet").is_empty());
    let (mut first, second) = (record(&bench, &fleet, "b"), record(&bench, &fleet, "a"));
    let version = store.save(&first, None).await.expect("stored").expect("a version");
    store.save(&second, None).await.expect("stored");
    let another = FleetUid::new("another");
    store.save(&record(&bench, &another, "a"), None).await.expect("stored");

    let mark = bench.login.mark();
    let loaded = store.load_all(&fleet).await.expect("loaded");
    assert_eq!(bench.login.requests_since(mark).len(), 1);
    assert_eq!(
        loaded.iter().map(|stored| &stored.inventory).collect::<Vec<_>>(),
        [&second, &first]
    );
    assert_eq!(loaded[1].version.as_ref(), Some(&version));

    first.generation = 1;
    let newer = store.save(&first, Some(&version)).await.expect("stored");
    // The slower run is another process, which has its own store.
    let slow = bench.provider.inventory();
    let mut slower = loaded[1].inventory.clone();
    slower.generation = 9;
    lost_race(slow.save(&slower, None).await, &slower.unit);
    lost_race(slow.save(&slower, Some(&version)).await, &slower.unit);
    slower.entries.clear();
    lost_race(slow.save(&slower, Some(&version)).await, &slower.unit);
    let loaded = store.load_all(&fleet).await.expect("loaded");
    assert_eq!((loaded[1].inventory.generation, &loaded[1].version), (1, &newer));

    first.entries.clear();
    assert_eq!(store.save(&first, newer.as_deref()).await.expect("removed"), None);
    assert_eq!(store.load_all(&fleet).await.expect("loaded").len(), 1);
}

#[tokio::test]
async fn inventories_read_often_are_read_anew_only_where_they_changed() {
    let Some(bench) = Bench::new("kp-remembered").await else {
        return;
    };
    let fleet = FleetUid::new("kp-remembered");
    let own = bench.provider.inventory();
    for unit in ["a", "b", "c"] {
        let made = own.save(&record(&bench, &fleet, unit), None).await;
        made.expect("stored");
    }
    let options = Options {
        remembers_inventories: true,
        ..Options::default()
    };
    let often = KubernetesProvider::connect(&[&bench.login.kubeconfig], "test", options)
        .await
        .expect("a connection");
    // Each plan has a store of its own.
    let asked = async || {
        let mark = bench.login.mark();
        let loaded = often.inventory().load_all(&fleet).await.expect("loaded");
        (loaded, bench.login.requests_since(mark).len())
    };
    let as_it_is = async || own.load_all(&fleet).await.expect("loaded");
    let shown = |all: &[fleetwright::providers::Stored]| format!("{all:?}");

    let (loaded, requests) = asked().await;
    assert_eq!((shown(&loaded), requests), (shown(&as_it_is().await), 1));
    let (again, requests) = asked().await;
    assert_eq!((shown(&again), requests), (shown(&loaded), 1), "nothing changed");

    // Somebody else changes one, takes one away and makes one.
    let mut changed = loaded[1].inventory.clone();
    changed.generation = 7;
    let version = loaded[1].version.as_deref();
    own.save(&changed, version).await.expect("stored");
    let mut gone = loaded[2].inventory.clone();
    gone.entries.clear();
    own.save(&gone, loaded[2].version.as_deref()).await.expect("removed");
    own.save(&record(&bench, &fleet, "d"), None).await.expect("stored");
    let (loaded, requests) = asked().await;
    assert_eq!(
        (shown(&loaded), requests),
        (shown(&as_it_is().await), 3),
        "a LIST, and two GETs"
    );
    assert_eq!((loaded.len(), loaded[1].inventory.generation), (3, 7));

    // What it writes itself it knows.
    let mut changed = loaded[0].inventory.clone();
    changed.generation = 9;
    let saved = often.inventory().save(&changed, loaded[0].version.as_deref()).await;
    saved.expect("stored");
    let (loaded, requests) = asked().await;
    assert_eq!((shown(&loaded), requests), (shown(&as_it_is().await), 1));

    // What can't be understood is an error each time, and not what it was before.
    let name = bench.login.kubectl(&[
        "get",
        "configmaps",
        "-n",
        "fleetwright-system",
        "-l",
        "fleetwright.dev/inventory=kp-remembered",
        "-o",
        "name",
    ]);
    let name = name.lines().next().expect("one").to_owned();
    let patch = json!({"data": {"inventory.json": "{}"}}).to_string();
    bench
        .login
        .kubectl(&["patch", &name, "-n", "fleetwright-system", "--type=merge", "-p", &patch]);
    for _ in 0..2 {
        let read = often.inventory().load_all(&fleet).await;
        assert!(matches!(read, Err(ProviderError::Transport { .. })), "{read:?}");
    }
}

#[tokio::test]
async fn a_renamed_units_inventory_is_replaced_in_one_step_and_its_old_name_is_free() {
    let Some(bench) = Bench::new("kp-rename").await else {
        return;
    };
    let fleet = FleetUid::new("kp-rename");
    bench
        .provider
        .inventory()
        .save(&record(&bench, &fleet, "old"), None)
        .await
        .expect("stored");
    let store = bench.provider.inventory();
    let mut stored = store.load_all(&fleet).await.expect("loaded").remove(0);
    stored.inventory.unit = UnitId::Cluster(ClusterName::new("new"));
    store
        .save(&stored.inventory, stored.version.as_deref())
        .await
        .expect("stored");
    let units = |all: Vec<fleetwright::providers::Stored>| -> Vec<String> {
        all.iter()
            .map(|stored| stored.inventory.unit.name().to_owned())
            .collect()
    };
    assert_eq!(units(store.load_all(&fleet).await.expect("loaded")), ["new"]);
    let reused = record(&bench, &fleet, "old");
    store.save(&reused, None).await.expect("stored");
    assert_eq!(units(store.load_all(&fleet).await.expect("loaded")), ["new", "old"]);
    lost_race(bench.provider.inventory().save(&reused, None).await, &reused.unit);
}

#[tokio::test]
async fn a_newer_or_damaged_inventory_is_an_error() {
    let Some(bench) = Bench::new("kp-newer").await else {
        return;
    };
    let store = bench.provider.inventory();
    let cases = BTreeMap::from([
        ("kp-format-2", r#"{"format": 2, "shape": "of tomorrow"}"#),
        ("kp-damaged", r#"{"format": 1, "entries": 7}"#),
        ("kp-no-json", "entries: []"),
    ]);
    for (fleet, text) in cases {
        let uid = FleetUid::new(fleet);
        store.save(&record(&bench, &uid, "a"), None).await.expect("stored");
        let args = ["-n", "fleetwright-system"];
        let selector = format!("fleetwright.dev/inventory={fleet}");
        let name = bench
            .login
            .kubectl(&[&args[..], &["get", "configmap", "-l", &selector, "-o", "name"]].concat());
        let patch = json!({"data": {"inventory.json": text}}).to_string();
        bench
            .login
            .kubectl(&[&args[..], &["patch", name.trim(), "--type=merge", "-p", &patch]].concat());
        let error = store.load_all(&uid).await.expect_err("an error");
        let source = std::error::Error::source(&error).and_then(|source| source.downcast_ref());
        match (fleet, source) {
            ("kp-format-2", Some(InventoryError::Newer { found: 2, .. })) => {}
            ("kp-damaged" | "kp-no-json", Some(InventoryError::Damaged { .. })) => {}
            (_, other) => panic!("{fleet}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_server_that_is_gone_is_an_error_and_never_an_empty_one() {
    let Some(mut own) = ApiServer::start_bare() else {
        return;
    };
    let login = own.login();
    let provider = connect(&login).await;
    let pool = manifest(&json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "p", "namespace": "default"}}));
    let request = |desired| ObserveRequest {
        desired,
        recorded: &[],
        fleet_label: "f",
        in_part: false,
    };
    let desired = [&pool];
    assert!(matches!(
        provider.observe(request(&desired)).await.expect("seen").objects[&pool.id],
        Observed::Absent
    ));
    own.end();
    let error = provider.observe(request(&desired)).await.err().expect("an error");
    assert!(matches!(error, ProviderError::Transport { .. }), "{error:?}");
    assert!(matches!(
        provider.read(&pool.id, &pool.api_version).await,
        Observed::Unknown(_)
    ));
    let store = provider.inventory();
    store.load_all(&FleetUid::new("f")).await.expect_err("an error");
}
