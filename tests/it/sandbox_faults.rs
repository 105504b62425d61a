//! Each fault of the sandbox's Kubernetes side, as a client sees it, in this process and over HTTP: what a real server
//! would show, that one can go on from it, and that it is counted under its name.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use fleetwright::http_server::Server;
use fleetwright::sandbox::clusters::Clusters;
use fleetwright::sandbox::fault::Point;
use fleetwright::sandbox::middleware::Dialect;
use fleetwright::sandbox::{Options, Sandbox};
use futures::{AsyncBufReadExt as _, TryStreamExt as _};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use crate::support;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

#[derive(Clone, Copy, Debug)]
enum Way {
    InProcess,
    Http,
}

const WAYS: [Way; 2] = [Way::InProcess, Way::Http];

/// A sandbox in which one fault strikes two times of three, and a client that repeats nothing.
struct Stage {
    sandbox: Arc<Sandbox>,
    client: kube::Client,
    point: Point,
    server: Option<Server>,
}

/// An answer: its status, its `Retry-After`, its body.
type Answer = (u16, Option<String>, Value);

impl Stage {
    /// With ConfigMaps of these names.
    async fn new(way: Way, point: Point, maps: &[&str]) -> Self {
        let mut options = Options::new("2026-01-01T00:00:00Z".parse().expect("a time"));
        options.faults = format!("{point}=1").parse().expect("a specification");
        options.speed = 2_000.0;
        let sandbox = Sandbox::open(options).await.expect("a sandbox");
        sandbox.faults().rest();
        for name in maps {
            sandbox.put("m", &map(name)).await.expect("the object to be made");
        }
        let (client, server) = match way {
            Way::InProcess => (sandbox.kube_client("m").await.expect("a client"), None),
            Way::Http => {
                let server = Server::start(Arc::new(Clusters(sandbox.clone())), 0)
                    .await
                    .expect("a server");
                let url = format!("http://127.0.0.1:{}/clusters/m", server.port());
                let mut config = kube::Config::new(url.parse().expect("an address"));
                config.default_retry = false;
                (kube::Client::try_from(config).expect("a client"), Some(server))
            }
        };
        sandbox.faults().resume();
        Self {
            sandbox,
            client,
            point,
            server,
        }
    }

    async fn try_send(&self, method: &str, path: &str, body: &Value) -> Result<Answer, kube::Error> {
        let media = if method == "PATCH" {
            "application/merge-patch+json"
        } else {
            "application/json"
        };
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", media)
            .body(kube::client::Body::from(body.to_string().into_bytes()))
            .expect("a request");
        let answer = self.client.send(request).await?;
        let after = answer.headers().get("retry-after");
        let after = after.map(|value| value.to_str().expect("a text").to_owned());
        let code = answer.status().as_u16();
        let bytes = answer.into_body().collect().await?.to_bytes();
        Ok((code, after, serde_json::from_slice(&bytes).expect("JSON")))
    }

    async fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.try_send(method, path, body).await.expect("an answer")
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &Value::Null).await
    }

    /// Past the faults.
    async fn put(&self, name: &str) {
        self.sandbox.put("m", &map(name)).await.expect("the object to be made");
    }

    async fn watch(&self, version: &str) -> Lines {
        let path = format!("{MAPS}?watch=1&resourceVersion={version}");
        let request = http::Request::get(path).body(Vec::new()).expect("a request");
        let lines = self.client.request_stream(request).await.expect("a stream").lines();
        Lines(Box::pin(lines))
    }

    /// The version at which a list is, unspoilt.
    async fn version(&self) -> String {
        self.sandbox.faults().rest();
        let (_, _, list) = self.get(MAPS).await;
        self.sandbox.faults().resume();
        version(&list)
    }

    /// How often the fault struck here; no other did.
    fn struck(&self) -> u64 {
        let counts = self.sandbox.faults_of(Dialect::Kubernetes);
        for (point, (passed, struck)) in &counts {
            assert!(struck <= passed, "{point}");
            assert!(*struck == 0 || *point == self.point, "{point} beside {}", self.point);
        }
        counts.get(&self.point).map_or(0, |(_, struck)| *struck)
    }

    async fn end(self) {
        if let Some(server) = self.server {
            server.end().await;
        }
    }
}

/// A watch, a line at a time.
struct Lines(std::pin::Pin<Box<dyn futures::Stream<Item = std::io::Result<String>> + Send>>);

impl Lines {
    /// The next event; none where the watch has ended.
    async fn next(&mut self) -> Option<Value> {
        let line = tokio::time::timeout(Duration::from_secs(20), self.0.try_next()).await;
        let line = line.expect("an event in time").expect("a stream that ends in order")?;
        Some(serde_json::from_str(&line).expect("JSON"))
    }
}

fn map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}})
}

fn version(object: &Value) -> String {
    object["metadata"]["resourceVersion"]
        .as_str()
        .expect("a version")
        .to_owned()
}

fn name(object: &Value) -> String {
    object["metadata"]["name"].as_str().expect("a name").to_owned()
}

/// A refusal in an API server's form.
fn refusal(answer: &Answer) -> (u16, &str) {
    let (code, _, body) = answer;
    assert_eq!((&body["kind"], &body["status"]), (&json!("Status"), &json!("Failure")));
    assert_eq!(body["code"], *code, "{body}");
    (*code, body["reason"].as_str().expect("a reason"))
}

async fn befalls(way: Way, point: Point) {
    match point {
        Point::Conflict => conflicts(way).await,
        Point::NoEtagMatch => no_etags(way).await,
        Point::TooManyRequests => refuses(way, point, (429, "TooManyRequests")).await,
        Point::InternalError => refuses(way, point, (500, "InternalError")).await,
        Point::Unavailable => refuses(way, point, (503, "ServiceUnavailable")).await,
        Point::AnswerLost => loses_answers(way).await,
        Point::Slow => is_slow(way).await,
        Point::LostRights => forbids(way).await,
        Point::WatchDropped => drops_watches(way).await,
        Point::WatchStale => has_forgotten(way).await,
        Point::ShortPage => cuts_pages(way).await,
    }
}

#[tokio::test]
async fn each_fault_is_what_a_real_server_shows_and_one_can_go_on() {
    for way in WAYS {
        for point in Point::ALL {
            befalls(way, point).await;
        }
    }
}

/// 409 of a write over an old state; reads and creates pass.
async fn conflicts(way: Way) {
    let stage = Stage::new(way, Point::Conflict, &["a"]).await;
    let change = json!({"data": {"k": "v"}});
    let path = format!("{MAPS}/a");
    for _ in 0..2 {
        assert_eq!(refusal(&stage.send("PATCH", &path, &change).await), (409, "Conflict"));
        assert!(stage.get(&path).await.2.get("data").is_none(), "it was written");
    }
    let (code, _, after) = stage.send("PATCH", &path, &change).await;
    assert_eq!((code, &after["data"]["k"]), (200, &json!("v")));
    assert_eq!(stage.send("POST", MAPS, &map("b")).await.0, 201);
    assert_eq!(stage.struck(), 2);
    stage.end().await;
}

/// Kubernetes has no etags: what would strike does not.
async fn no_etags(way: Way) {
    let stage = Stage::new(way, Point::NoEtagMatch, &["a"]).await;
    let path = format!("{MAPS}/a");
    for _ in 0..3 {
        assert_eq!(stage.send("PATCH", &path, &json!({"data": {"k": "v"}})).await.0, 200);
        assert_eq!(stage.get(&path).await.0, 200);
    }
    assert_eq!(stage.struck(), 0);
    stage.end().await;
}

/// A refusal of anything, after which nothing has changed.
async fn refuses(way: Way, point: Point, expected: (u16, &str)) {
    let stage = Stage::new(way, point, &[]).await;
    let answer = stage.get(MAPS).await;
    assert_eq!(refusal(&answer), expected);
    assert_eq!(answer.1.as_deref(), (point == Point::TooManyRequests).then_some("1"));
    assert_eq!(refusal(&stage.send("POST", MAPS, &map("a")).await), expected);
    let (code, _, list) = stage.get(MAPS).await;
    assert_eq!((code, &list["items"]), (200, &json!([])));
    assert_eq!(stage.struck(), 2);
    stage.end().await;
}

/// The write happens, and the connection breaks.
async fn loses_answers(way: Way) {
    let stage = Stage::new(way, Point::AnswerLost, &[]).await;
    stage
        .try_send("POST", MAPS, &map("a"))
        .await
        .expect_err("an answer that was to be lost");
    let (code, _, made) = stage.get(&format!("{MAPS}/a")).await;
    assert_eq!((code, name(&made)), (200, "a".to_owned()));
    assert_eq!(stage.struck(), 1);
    stage.end().await;
}

/// By the sandbox's own clock.
async fn is_slow(way: Way) {
    let stage = Stage::new(way, Point::Slow, &[]).await;
    let begun = stage.sandbox.clock().now();
    assert_eq!(stage.get(MAPS).await.0, 200);
    let taken = stage.sandbox.clock().now().duration_since(begun);
    assert!(taken.as_secs() >= 20, "{taken:?}");
    assert_eq!(stage.struck(), 1);
    stage.end().await;
}

/// 403; what there is to ask for is told to everybody.
async fn forbids(way: Way) {
    let stage = Stage::new(way, Point::LostRights, &["a"]).await;
    assert_eq!(stage.get("/apis").await.0, 200);
    assert_eq!(stage.get("/api/v1").await.0, 200);
    assert_eq!(stage.struck(), 0);
    assert_eq!(refusal(&stage.get(MAPS).await), (403, "Forbidden"));
    let gone = stage.send("DELETE", &format!("{MAPS}/a"), &Value::Null).await;
    assert_eq!(refusal(&gone), (403, "Forbidden"));
    let (code, _, list) = stage.get(MAPS).await;
    assert_eq!((code, name(&list["items"][0])), (200, "a".to_owned()));
    assert_eq!(stage.struck(), 2);
    stage.end().await;
}

/// A watch ends without a word; whoever goes on from the last version that was told misses nothing and is told nothing
/// twice.
async fn drops_watches(way: Way) {
    let stage = Stage::new(way, Point::WatchDropped, &["before"]).await;
    let mut last = stage.version().await;
    let names: Vec<String> = (0..6).map(|n| format!("map-{n}")).collect();
    let (mut told, mut watches) = (Vec::new(), 0);
    for name in &names {
        stage.put(name).await;
    }
    while told.len() < names.len() {
        let mut lines = stage.watch(&last).await;
        watches += 1;
        // The first watch is told all but the last, which it is dropped over; from then on there is one left.
        while told.len() < names.len()
            && let Some(event) = lines.next().await
        {
            assert_eq!(event["type"], "ADDED");
            last = version(&event["object"]);
            told.push(self::name(&event["object"]));
        }
    }
    assert_eq!(told, names);
    assert_eq!((watches, stage.struck()), (3, 2), "{way:?}");
    stage.end().await;
}

/// 410 in the stream of a watch that goes on from a version: a list afterwards gives one from which a watch goes on.
async fn has_forgotten(way: Way) {
    let stage = Stage::new(way, Point::WatchStale, &["a"]).await;
    let mut last = stage.version().await;
    for strike in 1..=2 {
        let mut lines = stage.watch(&last).await;
        let event = lines.next().await.expect("an error");
        let status = &event["object"];
        assert_eq!((&event["type"], &status["kind"]), (&json!("ERROR"), &json!("Status")));
        assert_eq!((&status["code"], &status["reason"]), (&json!(410), &json!("Expired")));
        let message = status["message"].as_str().expect("a message");
        let numbers = message.strip_prefix(&format!("too old resource version: {last} ("));
        let oldest: u64 = numbers
            .and_then(|rest| rest.strip_suffix(')')?.parse().ok())
            .expect(message);
        assert!(oldest > last.parse().expect("a number"), "{message}");
        assert!(lines.next().await.is_none(), "the watch ends");
        assert_eq!(stage.struck(), strike);
        stage.put(&format!("b-{strike}")).await;
        last = version(&stage.get(MAPS).await.2);
    }
    // One that begins with what is there can't be too late.
    let mut all = stage.watch("0").await;
    assert_eq!(all.next().await.expect("an event")["type"], "ADDED");
    stage.put("c").await;
    let before = last.clone();
    let mut lines = stage.watch(&before).await;
    let event = lines.next().await.expect("an event");
    assert_eq!(
        (&event["type"], name(&event["object"])),
        (&json!("ADDED"), "c".to_owned())
    );
    assert_eq!(stage.struck(), 2);
    drop((all, lines));
    stage.end().await;
}

/// Fewer items than asked for, and a token for the rest.
async fn cuts_pages(way: Way) {
    let names = ["a", "b", "c", "d", "e", "f", "g"];
    let stage = Stage::new(way, Point::ShortPage, &names).await;
    // Whole lists have no pages.
    assert_eq!(
        stage.get(MAPS).await.2["items"].as_array().expect("items").len(),
        names.len()
    );
    assert_eq!(stage.struck(), 0);
    let first = format!("{MAPS}?limit=4");
    let (mut path, mut pages, mut seen, mut versions) = (first.clone(), Vec::new(), Vec::new(), BTreeSet::new());
    loop {
        let (code, _, page) = stage.get(&path).await;
        assert_eq!(code, 200, "{page}");
        versions.insert(version(&page));
        let items = page["items"].as_array().expect("items");
        pages.push(items.len());
        seen.extend(items.iter().map(name));
        let left = page["metadata"]["remainingItemCount"].as_u64().unwrap_or(0);
        assert_eq!(seen.len() as u64 + left, names.len() as u64);
        match page["metadata"]["continue"].as_str() {
            Some(token) if !token.is_empty() => path = format!("{first}&continue={token}"),
            _ => break,
        }
    }
    assert_eq!((seen, pages), (names.map(str::to_owned).to_vec(), vec![2, 2, 3]));
    assert_eq!((versions.len(), stage.struck()), (1, 2));
    stage.end().await;
}

/// A real client, over HTTP: it waits for what comes only after a watch of its was dropped and another refused.
#[tokio::test(flavor = "multi_thread")]
async fn kubectl_waits_on_through_a_dropped_and_a_stale_watch() {
    let program = match support::kubectl() {
        Ok(program) => program,
        Err(reason) => return support::skip(reason).unwrap_or_default(),
    };
    let mut options = Options::new("2026-01-01T00:00:00Z".parse().expect("a time"));
    options.faults = "watch-dropped=1,watch-stale=1".parse().expect("a specification");
    let sandbox = Sandbox::open(options).await.expect("a sandbox");
    sandbox.faults().rest();
    sandbox.put("m", &map("a")).await.expect("a map");
    let server = Server::start(Arc::new(Clusters(sandbox.clone())), 0).await;
    let server = server.expect("a server");
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = Command::new(program)
        .args(["--server", &format!("http://127.0.0.1:{}/clusters/m", server.port())])
        .args(["wait", "configmap/a", "--for=jsonpath={.data.k}=done", "--timeout=60s"])
        .env("KUBECACHEDIR", folder.path())
        .env("KUBECONFIG", folder.path().join("none"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("kubectl starts");
    let client = sandbox.kube_client("m").await.expect("a client");
    let set = async |value: &str| {
        let change = json!({"data": {"k": value}}).to_string().into_bytes();
        let request = http::Request::patch(format!("{MAPS}/a"))
            .header("content-type", "application/merge-patch+json")
            .body(change)
            .expect("a request");
        client.request::<Value>(request).await.expect("a change");
    };
    let counted = |point| sandbox.faults().counts().get(&point).copied().unwrap_or_default();
    let pause = || tokio::time::sleep(Duration::from_millis(10));
    let watched = async {
        // Told what there is, and then of a change: a client goes on from there. One that was told of none asks anew.
        let told = async |lines: u64| {
            while counted(Point::WatchDropped).0 < lines {
                pause().await;
            }
        };
        told(1).await;
        set("first").await;
        told(2).await;
        sandbox.faults().resume();
        set("second").await;
        while counted(Point::WatchDropped).1 == 0 || counted(Point::WatchStale).1 == 0 {
            pause().await;
        }
        sandbox.faults().rest();
        set("done").await;
    };
    let in_time = tokio::time::timeout(Duration::from_secs(60), watched).await;
    if in_time.is_err() {
        child.kill().expect("kubectl to be there");
    }
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output()).await;
    let output = ended.expect("a wait").expect("kubectl ends");
    assert!(in_time.is_ok(), "{:?}", sandbox.faults().counts());
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout), "configmap/a condition met\n");
    server.end().await;
}
