//! The Kubernetes provider against a server that fails now and then: what only asks goes on, and what a second time would change
//! nothing; all else that writes is sent once.
//!
//! The server is the sandbox's, on paused time, behind a hand that spoils answers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use fleetwright::inventory::{Entry, UnitInventory};
use fleetwright::providers::kubernetes::{KubernetesProvider, Options};
use fleetwright::providers::{
    InventoryStore as _, LiveObject, ObserveRequest, Observed, Provider as _, ProviderError, WriteRequest,
};
use fleetwright::resource::{ClusterName, FleetUid, ManagementClusterName, Manifest, Stewardship, Target, UnitId};
use fleetwright::sandbox::{self, Sandbox};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::time::Instant;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Answer = Response<UnsyncBoxBody<Bytes, BoxError>>;

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq)]
enum Fate {
    /// The sandbox answers.
    Fine,
    /// It is answered by this, and does not reach the sandbox.
    Status(u16),
    /// The same, with a time after which to come back.
    StatusAfter(u16, &'static str),
    /// The same with this body.
    Says(u16, &'static str),
    /// The sandbox carries it out, and the connection breaks before the answer.
    Broken,
    /// The same in the middle of the answer.
    Half,
}

type Judge = dyn Fn(&Method, &str, usize) -> Fate + Send + Sync;

/// A sandbox with two ConfigMaps and a Secret of the fleet `f`; one of the ConfigMaps has lost its label.
struct Stage {
    sandbox: Arc<Sandbox>,
    provider: KubernetesProvider,
    /// When which request came.
    sent: Arc<Mutex<Vec<(String, Instant)>>>,
}

impl Stage {
    /// `judge` is asked about each request: its method, its path with query, and how many came before to the same path.
    async fn new(judge: impl Fn(&Method, &str, usize) -> Fate + Send + Sync + 'static) -> Self {
        let sandbox = Sandbox::open(sandbox::Options::new("2026-01-01T00:00:00Z".parse().expect("a time")));
        let sandbox = sandbox.await.expect("a sandbox");
        for object in [
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n", "labels": {"fleetwright.dev/fleet": "f"}}}),
            config_map("a").body(),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b", "namespace": "n"}}),
            secret().body(),
        ] {
            sandbox.put("m", &object).await.expect("the object to be made");
        }
        let sent: Arc<Mutex<Vec<(String, Instant)>>> = Arc::default();
        let (behind, seen, judge): (_, _, Arc<Judge>) = (sandbox.clone(), sent.clone(), Arc::new(judge));
        let service = tower::service_fn(move |request: Request<Body>| {
            let (behind, seen, judge) = (behind.clone(), seen.clone(), judge.clone());
            async move {
                let path = request.uri().path_and_query().expect("a path").to_string();
                let before = {
                    let mut seen = seen.lock().expect("the paths");
                    let before = seen.iter().filter(|(other, _)| *other == path).count();
                    seen.push((path.clone(), Instant::now()));
                    before
                };
                let fate = judge(request.method(), &path, before);
                spoil(&behind, request, fate).await
            }
        });
        let options = Options {
            seed: Some(1),
            ..Options::default()
        };
        let provider = KubernetesProvider::with_client(kube::Client::new(service, "default"), options);
        Self {
            sandbox,
            provider,
            sent,
        }
    }

    async fn observe(&self) -> Result<BTreeMap<String, Observed>, ProviderError> {
        let desired = [
            namespace(),
            config_map("a"),
            config_map("b"),
            config_map("new"),
            secret(),
        ];
        let request = ObserveRequest {
            desired: &desired.iter().collect::<Vec<_>>(),
            recorded: &[],
            fleet_label: "f",
            in_part: false,
        };
        let seen = self.provider.observe(request).await?;
        assert!(seen.schemas.keys().any(|kind| kind.kind == "ConfigMap"), "no schema");
        Ok(seen.objects.into_iter().map(|(id, object)| (id.name, object)).collect())
    }

    /// Makes a ConfigMap, or sends it again as of what was seen.
    async fn write(&self, name: &str, seen: Option<&LiveObject>) -> Result<LiveObject, ProviderError> {
        let manifest = config_map(name);
        let mut body = manifest.body();
        body["metadata"]["annotations"] = json!({"fleetwright.dev/owner": "the mark"});
        let request = WriteRequest {
            id: &manifest.id,
            api_version: "v1",
            body: &body,
            version: seen.map(|seen| &*seen.version),
            uid: seen.map(|seen| &*seen.uid),
            force: false,
            managed_fields: None,
            incarnation: 0,
        };
        self.provider.write(request).await.map(|written| written.object)
    }

    /// When requests came whose path has this in it.
    fn times(&self, part: &str) -> Vec<Instant> {
        let sent = self.sent.lock().expect("the paths");
        sent.iter()
            .filter(|(path, _)| path.contains(part))
            .map(|(_, at)| *at)
            .collect()
    }

    fn paths(&self) -> Vec<String> {
        let sent = self.sent.lock().expect("the paths");
        sent.iter().map(|(path, _)| path.clone()).collect()
    }
}

async fn spoil(sandbox: &Sandbox, request: Request<Body>, fate: Fate) -> Result<Answer, BoxError> {
    let refused = |code: u16, text: String| {
        let mut answer = Response::new(
            Full::new(Bytes::from(text))
                .map_err(|never| match never {})
                .boxed_unsync(),
        );
        *answer.status_mut() = StatusCode::from_u16(code).expect("a status");
        Ok(answer)
    };
    let status = |code: u16| json!({"kind": "Status", "code": code, "reason": "Busy", "message": "busy"}).to_string();
    match fate {
        Fate::Status(code) => return refused(code, status(code)),
        Fate::Says(code, text) => return refused(code, text.to_owned()),
        Fate::StatusAfter(code, after) => {
            let mut answer: Answer = refused(code, status(code))?;
            answer.headers_mut().insert("retry-after", after.parse()?);
            return Ok(answer);
        }
        Fate::Fine | Fate::Broken | Fate::Half => {}
    }
    let answer = sandbox.kube_client("m").await?.send(request).await?;
    let (head, body) = answer.into_parts();
    let bytes = body.collect().await?.to_bytes();
    let gone = || -> BoxError { std::io::Error::from(std::io::ErrorKind::ConnectionReset).into() };
    match fate {
        Fate::Broken => Err(gone()),
        Fate::Half => {
            let half = bytes.slice(..bytes.len() / 2);
            let frames = futures::stream::iter([Ok(Frame::data(half)), Err(gone())]);
            Ok(Response::from_parts(head, StreamBody::new(frames).boxed_unsync()))
        }
        _ => Ok(Response::from_parts(
            head,
            Full::new(bytes).map_err(|never| match never {}).boxed_unsync(),
        )),
    }
}

fn manifest(body: &Value) -> Manifest {
    let target = Target::Kubernetes(ManagementClusterName::new("m"));
    let unit = UnitId::Cluster(ClusterName::new("c"));
    Manifest::new(target, unit, Stewardship::Managed, body).expect("a manifest")
}

fn namespace() -> Manifest {
    manifest(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}))
}

fn config_map(name: &str) -> Manifest {
    let metadata = json!({"name": name, "namespace": "n", "labels": {"fleetwright.dev/fleet": "f"}});
    manifest(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}))
}

fn secret() -> Manifest {
    let metadata = json!({"name": "s", "namespace": "n", "labels": {"fleetwright.dev/fleet": "f"}});
    manifest(&json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata}))
}

/// The record of a unit that has one object.
fn recorded() -> (FleetUid, UnitInventory) {
    let fleet = FleetUid::new("f");
    let mut inventory = UnitInventory::new(fleet.clone(), UnitId::Cluster(ClusterName::new("c")));
    inventory.record(Entry {
        id: config_map("a").id,
        api_version: "v1".to_owned(),
        uid: None,
        digest: None,
        oci: None,
        going: false,
    });
    (fleet, inventory)
}

#[tokio::test(start_paused = true)]
async fn a_record_whose_answer_was_lost_is_known_to_be_ours() {
    for fate in [Fate::Broken, Fate::Half] {
        let lost = fate.clone();
        // The answer to each write of a record is lost.
        let stage = Stage::new(move |method, path, _| {
            let is_write = [Method::POST, Method::PUT].contains(method) && path.contains("/configmaps");
            if is_write { lost.clone() } else { Fate::Fine }
        })
        .await;
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "fleetwright-system"}});
        stage.sandbox.put("m", &namespace).await.expect("a namespace");
        let store = stage.provider.inventory();
        let (fleet, mut inventory) = recorded();
        let version = store.save(&inventory, None).await.expect("it is there");
        inventory.generation += 1;
        let next = store.save(&inventory, version.as_deref()).await.expect("it is there");
        assert_ne!(version, next, "{fate:?}");
        let read = store.load_all(&fleet).await.expect("the records");
        assert_eq!(read.len(), 1);
        assert_eq!((&read[0].inventory, &read[0].version), (&inventory, &next), "{fate:?}");
        // What was written by another since is no word of ours.
        inventory.generation += 1;
        assert!(store.save(&inventory, version.as_deref()).await.is_err(), "{fate:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_a_failing_server_did_not_store_is_sent_again_and_so_is_its_namespace() {
    let stage = Stage::new(move |method, path, before| {
        let is_write = [Method::POST, Method::PUT].contains(method);
        // Without its namespace, the first record comes to nothing too.
        let fails = is_write && (before == 0 || path.contains("/configmaps") && before == 2);
        if fails { Fate::Status(500) } else { Fate::Fine }
    })
    .await;
    let store = stage.provider.inventory();
    let (fleet, mut inventory) = recorded();
    let version = store.save(&inventory, None).await.expect("it is stored");
    inventory.generation += 1;
    store.save(&inventory, version.as_deref()).await.expect("it is stored");
    let read = store.load_all(&fleet).await.expect("the records");
    assert_eq!(read.iter().map(|one| &one.inventory).collect::<Vec<_>>(), [&inventory]);
    assert_eq!(stage.times("/api/v1/namespaces?").len(), 2);
}

/// What was seen, as words.
fn words(seen: &BTreeMap<String, Observed>) -> Vec<String> {
    let word = |observed: &Observed| match observed {
        Observed::Absent => "absent".to_owned(),
        Observed::Present(_) => "present".to_owned(),
        Observed::Unknown(reason) => reason.clone(),
    };
    seen.iter()
        .map(|(name, observed)| format!("{name} {}", word(observed)))
        .collect()
}

const ALL: [&str; 5] = ["a present", "b present", "n present", "new absent", "s present"];

#[tokio::test(start_paused = true)]
async fn one_failure_of_each_read_changes_nothing_that_is_seen() {
    let unspoilt = Stage::new(|_, _, _| Fate::Fine).await;
    assert_eq!(words(&unspoilt.observe().await.expect("an observation")), ALL);
    let reads = unspoilt.paths();
    for part in [
        "/api",
        "/apis",
        "/openapi/v3",
        "/openapi/v3/api/v1",
        "labelSelector",
        "/secrets/s",
        "/configmaps/b",
    ] {
        assert!(reads.iter().any(|path| path.contains(part)), "{part} in {reads:?}");
    }
    let once =
        |fate: Fate| move |_: &Method, _: &str, before: usize| if before == 0 { fate.clone() } else { Fate::Fine };
    for fate in [429, 500, 502, 503, 504]
        .map(Fate::Status)
        .into_iter()
        .chain([Fate::Broken, Fate::Half])
    {
        let stage = Stage::new(once(fate.clone())).await;
        assert_eq!(words(&stage.observe().await.expect("an observation")), ALL, "{fate:?}");
        assert_eq!(stage.paths().len(), 2 * reads.len(), "{fate:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_fails_for_good_stays_unknown_and_is_not_asked_for_ever() {
    let lists = |fate: Fate| {
        move |_: &Method, path: &str, _: usize| {
            if path.contains("configmaps?labelSelector") {
                fate.clone()
            } else {
                Fate::Fine
            }
        }
    };
    for (fate, attempts, says) in [
        (Fate::Status(500), 4, "500"),
        (Fate::Status(503), 10, "503"),
        (Fate::Broken, 4, "connection reset"),
        (Fate::Half, 4, "connection reset"),
        (Fate::Status(403), 1, "403"),
    ] {
        let stage = Stage::new(lists(fate.clone())).await;
        let begun = Instant::now();
        let seen = words(&stage.observe().await.expect("an observation"));
        for line in seen
            .iter()
            .filter(|line| ["a ", "b ", "new "].iter().any(|name| line.starts_with(name)))
        {
            assert!(
                line.contains("list configmaps") && line.contains(says),
                "{fate:?}: {line}"
            );
        }
        assert!(seen.contains(&"s present".to_owned()), "{seen:?}");
        assert_eq!(stage.times("configmaps?labelSelector").len(), attempts, "{fate:?}");
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
    let stage = Stage::new(|_, path, _| if path == "/apis" { Fate::Status(500) } else { Fate::Fine }).await;
    let error = stage.observe().await.expect_err("no discovery");
    assert!(matches!(error, ProviderError::Transport { .. }), "{error}");
    assert_eq!(stage.times("/apis").len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_server_is_left_alone_for_as_long_as_it_asks() {
    let busy = |after: &'static str| {
        move |_: &Method, path: &str, before: usize| {
            if path == "/apis" && before == 0 {
                Fate::StatusAfter(429, after)
            } else {
                Fate::Fine
            }
        }
    };
    let stage = Stage::new(busy("7")).await;
    assert_eq!(words(&stage.observe().await.expect("an observation")), ALL);
    let [first, second] = stage.times("/apis")[..] else {
        panic!("not two requests")
    };
    let pause = (second - first).as_millis();
    assert!((7_000..=7_501).contains(&pause), "{pause}");
    // Longer than a request may take at all: whoever asked is told at once.
    for never in ["3600", "18446744073709551615"] {
        let stage = Stage::new(busy(never)).await;
        let begun = Instant::now();
        let error = stage.observe().await.expect_err("no discovery");
        let source = std::error::Error::source(&error).expect("a source").to_string();
        assert!(source.contains("429"), "{source}");
        assert_eq!((stage.times("/apis").len(), begun.elapsed()), (1, Duration::ZERO));
    }
}

/// Fates that leave open whether a write was carried out, and whether it was.
const OPEN: [(Fate, bool); 5] = [
    (Fate::Status(500), false),
    (Fate::Status(502), false),
    (Fate::Status(504), false),
    (Fate::Broken, true),
    (Fate::Half, true),
];

#[tokio::test(start_paused = true)]
async fn an_update_whose_fate_is_open_is_sent_once() {
    for (fate, _) in OPEN {
        let spoilt = fate.clone();
        let stage = Stage::new(move |method, _, before| {
            if method == Method::PATCH && before > 0 {
                spoilt.clone()
            } else {
                Fate::Fine
            }
        })
        .await;
        let made = stage.write("new", None).await.expect("it to be made");
        let error = stage.write("new", Some(&made)).await.expect_err("no answer");
        assert!(matches!(error, ProviderError::Transport { .. }), "{fate:?}: {error}");
        assert_eq!(stage.times("fieldManager").len(), 2, "{fate:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_create_whose_fate_is_open_is_sent_again_and_found_where_it_came_through() {
    for (fate, is_done) in OPEN {
        let spoilt = fate.clone();
        let stage = Stage::new(move |method, _, before| {
            if method == Method::PATCH && before == 0 {
                spoilt.clone()
            } else {
                Fate::Fine
            }
        })
        .await;
        let made = stage.write("new", None).await;
        let made = made.unwrap_or_else(|error| panic!("{fate:?}: {error}"));
        assert_eq!(stage.times("fieldManager").len(), 2, "{fate:?}");
        assert_eq!(
            stage.times("/configmaps/new").len(),
            if is_done { 3 } else { 2 },
            "{fate:?}"
        );
        let Some(Observed::Present(seen)) = stage.observe().await.expect("an observation").remove("new") else {
            panic!("{fate:?}: it is not there");
        };
        assert_eq!((&seen.uid, &seen.version), (&made.uid, &made.version), "{fate:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_create_that_conflicts_with_what_is_not_there_is_sent_again_and_not_for_ever() {
    for spoilt in [2, usize::MAX] {
        let stage = Stage::new(move |method, _, before| {
            if method == Method::PATCH && before < spoilt {
                Fate::Status(409)
            } else {
                Fate::Fine
            }
        })
        .await;
        let made = stage.write("new", None).await;
        assert_eq!(made.is_ok(), spoilt == 2, "{made:?}");
        assert_eq!(stage.times("fieldManager").len(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_a_busy_server_did_not_begin_is_sent_again() {
    for fate in [Fate::StatusAfter(429, "2"), Fate::Status(503)] {
        let spoilt = fate.clone();
        let stage = Stage::new(move |method, _, before| {
            if method == Method::PATCH && before < 2 {
                spoilt.clone()
            } else {
                Fate::Fine
            }
        })
        .await;
        stage.write("new", None).await.expect("the third attempt");
        assert_eq!(stage.times("fieldManager").len(), 3, "{fate:?}");
        let made = stage.sandbox.kube_client("m").await.expect("a client");
        let request = Request::get("/api/v1/namespaces/n/configmaps/new")
            .body(Vec::new())
            .expect("a request");
        made.request::<Value>(request).await.expect("it to be there");
    }
}

/// A server that keeps a kind in a store of its own does not know the version that another kind's LIST showed. It has
/// waited for it already when it says so.
#[tokio::test(start_paused = true)]
async fn a_version_that_a_server_never_comes_to_is_not_waited_for_again() {
    const TOO_LARGE: &str = r#"{"kind": "Status", "code": 504, "reason": "Timeout", "message": "Too large resource version",
        "details": {"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}], "retryAfterSeconds": 1}}"#;
    let stage = Stage::new(|_, path, _| {
        if path.contains("secrets/s?resourceVersion") {
            Fate::Says(504, TOO_LARGE)
        } else {
            Fate::Fine
        }
    })
    .await;
    assert_eq!(words(&stage.observe().await.expect("an observation")), ALL);
    assert_eq!(stage.times("/secrets/s").len(), 2, "{:?}", stage.paths());
}
