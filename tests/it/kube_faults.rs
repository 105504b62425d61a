//! The Kubernetes provider against servers that misbehave: nothing that they say makes an object absent.
//!
//! No API server is needed: what answers is a script.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fleetwright::providers::kubernetes::{KubernetesProvider, Options};
use fleetwright::providers::{ObserveRequest, Observed, Provider, ProviderError, WriteRequest, WriteResponse};
use fleetwright::resource::{ClusterName, ManagementClusterName, Manifest, Stewardship, Target, UnitId};
use serde_json::{Value, json};

/// Answers a path with a status and a body; none is never answered.
type Script = dyn Fn(&str) -> Option<(u16, String)> + Send + Sync;

/// A server that answers by a script. Its thread waits on a socket and ends with the process.
pub(crate) struct Scripted {
    address: String,
    paths: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    pub(crate) fn start(script: impl Fn(&str) -> Option<(u16, String)> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("its address"));
        let paths = Arc::new(Mutex::new(Vec::new()));
        let (script, seen): (Arc<Script>, _) = (Arc::new(script), paths.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (script, seen) = (script.clone(), seen.clone());
                std::thread::spawn(move || serve(stream, &*script, &seen));
            }
        });
        Self { address, paths }
    }

    pub(crate) async fn provider(&self) -> KubernetesProvider {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config");
        let config = json!({"apiVersion": "v1", "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": self.address}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]});
        std::fs::write(&path, config.to_string()).expect("a kubeconfig");
        let options = Options {
            deadline: Duration::from_secs(2),
            ..Options::default()
        };
        KubernetesProvider::connect(&[&path], "c", options)
            .await
            .expect("a provider")
    }

    /// What is seen of one ConfigMap.
    async fn observe(&self) -> Result<Observed, ProviderError> {
        let manifest = config_map();
        let request = ObserveRequest {
            desired: &[&manifest],
            recorded: &[],
            fleet_label: "f",
            in_part: false,
        };
        let mut seen = self.provider().await.observe(request).await?;
        assert_eq!(seen.objects.len(), 1);
        Ok(seen.objects.remove(&manifest.id).expect("it was asked about"))
    }

    fn lists(&self) -> usize {
        self.paths
            .lock()
            .expect("the paths")
            .iter()
            .filter(|path| path.contains("labelSelector"))
            .count()
    }
}

fn serve(stream: TcpStream, script: &Script, seen: &Mutex<Vec<String>>) {
    let Ok(mut writer) = stream.try_clone() else { return };
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while reader.read_line(&mut head).is_ok_and(|read| read > 2) {}
        let Some(path) = head.split(' ').nth(1) else { return };
        seen.lock().expect("the paths").push(path.to_owned());
        let length = head
            .lines()
            .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let Some((status, body)) = script(path) else {
            // Until the client gives up.
            reader.read_to_end(&mut Vec::new()).ok();
            return;
        };
        let answer = format!(
            "HTTP/1.1 {status} Scripted\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        if writer.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn config_map() -> Manifest {
    let target = Target::Kubernetes(ManagementClusterName::new("m"));
    let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "n"}});
    Manifest::new(
        target,
        UnitId::Cluster(ClusterName::new("c")),
        Stewardship::Managed,
        &body,
    )
    .expect("a manifest")
}

pub(crate) fn status(code: u16, reason: &str) -> (u16, String) {
    let body = json!({"kind": "Status", "apiVersion": "v1", "code": code, "reason": reason, "message": reason});
    (code, body.to_string())
}

/// The parts of a server that works.
fn well(path: &str) -> Option<(u16, String)> {
    let resources = json!([{"resource": "configmaps", "scope": "Namespaced", "responseKind": {"kind": "ConfigMap"}}]);
    let core = json!([{"versions": [{"version": "v1", "freshness": "Current", "resources": resources}]}]);
    let groups = |items: Value| {
        (
            200,
            json!({"kind": "APIGroupDiscoveryList", "items": items}).to_string(),
        )
    };
    match path {
        "/api" => Some(groups(core)),
        "/apis" => Some(groups(json!([]))),
        "/openapi/v3" => Some((200, r#"{"paths": {}}"#.to_owned())),
        _ if path.contains("labelSelector") => Some(page(&[], None)),
        _ => Some(status(404, "NotFound")),
    }
}

fn page(names: &[&str], token: Option<&str>) -> (u16, String) {
    let item = |name| json!({"metadata": {"name": name, "namespace": "n", "uid": "u", "resourceVersion": "7"}});
    let items: Vec<Value> = names.iter().map(item).collect();
    (
        200,
        json!({"metadata": {"continue": token}, "items": items}).to_string(),
    )
}

fn reason(observed: Result<Observed, ProviderError>) -> String {
    match observed {
        Ok(Observed::Unknown(reason)) => reason,
        other => panic!("not unknown: {other:?}"),
    }
}

#[tokio::test]
async fn the_scripted_server_is_well_and_has_nothing() {
    let server = Scripted::start(well);
    assert!(matches!(server.observe().await, Ok(Observed::Absent)));
}

#[tokio::test]
async fn a_server_that_never_answers_is_an_error_within_the_deadline() {
    let error = Scripted::start(|_| None).observe().await.expect_err("an error");
    assert_eq!(error.to_string(), "discovery at /api failed");
    let source = std::error::Error::source(&error).expect("a source").to_string();
    assert_eq!(source, "no answer within 2s");
}

#[tokio::test]
async fn a_list_that_never_answers_makes_its_objects_unknown() {
    let server = Scripted::start(|path| {
        if path.contains("labelSelector") {
            None
        } else {
            well(path)
        }
    });
    assert_eq!(reason(server.observe().await), "list configmaps: no answer within 2s");
}

#[tokio::test]
async fn a_404_that_is_no_word_of_the_api_servers_is_unknown() {
    let page = || Some((404, "<html>no such site</html>".to_owned()));
    let server = Scripted::start(move |path| {
        if path.contains("/namespaces/") {
            page()
        } else {
            well(path)
        }
    });
    let reason = reason(server.observe().await);
    assert!(reason.starts_with("get ConfigMap n/x: the server says 404"), "{reason}");
    assert!(!reason.contains("html"), "{reason}");
}

#[tokio::test]
async fn a_server_that_is_overloaded_for_good_leaves_things_unknown() {
    let busy = |path: &str| {
        if path.contains("/namespaces/") {
            Some(status(503, "Busy"))
        } else {
            well(path)
        }
    };
    let server = Scripted::start(busy);
    assert!(reason(server.observe().await).starts_with("get ConfigMap n/x: "));
    // It was asked more than once within the deadline.
    assert!(
        server
            .paths
            .lock()
            .expect("the paths")
            .iter()
            .filter(|path| path.ends_with("/x"))
            .count()
            > 1
    );
}

#[tokio::test]
async fn half_an_answer_is_unknown_and_not_half_a_list() {
    for text in [
        r#"{"items": [{"metadata": {"name": "x""#,
        r#"{"items": [{"metadata": {}}]}"#,
        "no JSON",
    ] {
        let text = move || Some((200, text.to_owned()));
        let server = Scripted::start(move |path| {
            if path.contains("labelSelector") {
                text()
            } else {
                well(path)
            }
        });
        assert!(reason(server.observe().await).starts_with("list configmaps: the answer makes no sense"));
    }
}

#[tokio::test]
async fn a_list_whose_token_expired_begins_again_and_not_for_ever() {
    let expired = |last: fn(usize) -> bool| {
        let pages = Mutex::new(0);
        Scripted::start(move |path| {
            if !path.contains("labelSelector") {
                return well(path);
            }
            if !path.contains("continue=") {
                return Some(page(&["other"], Some("token")));
            }
            let mut pages = pages.lock().expect("the count");
            *pages += 1;
            Some(if last(*pages) {
                page(&["x"], None)
            } else {
                status(410, "Expired")
            })
        })
    };
    let once = expired(|page| page > 1);
    assert!(matches!(once.observe().await, Ok(Observed::Present(_))));
    assert_eq!(once.lists(), 4);
    let always = expired(|_| false);
    assert!(reason(always.observe().await).contains("410"));
    assert_eq!(always.lists(), 6);
}

/// Creates a ConfigMap on a server that says that it is busy, and then that the object is there already: this one.
async fn create_over(live: Value) -> Result<WriteResponse, ProviderError> {
    let answers = Mutex::new(0);
    let server = Scripted::start(move |path| {
        if path.contains("?fieldManager=") {
            let mut answers = answers.lock().expect("the count");
            *answers += 1;
            let (code, reason) = if *answers == 1 {
                (503, "Busy")
            } else {
                (409, "AlreadyExists")
            };
            return Some(status(code, reason));
        }
        if path.ends_with("/configmaps/x") {
            return Some((200, live.to_string()));
        }
        well(path)
    });
    let id = config_map().id;
    let request = WriteRequest {
        id: &id,
        api_version: "v1",
        body: &marked("1"),
        version: None,
        uid: None,
        force: false,
        managed_fields: None,
        incarnation: 0,
    };
    server.provider().await.write(request).await
}

fn marked(value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"key": value},
        "metadata": {"name": "x", "namespace": "n", "annotations": {"fleetwright.dev/owner": "the mark"}}})
}

#[tokio::test]
async fn a_create_that_was_repeated_finds_what_the_first_made() {
    let server_added = json!({"uid": "u", "resourceVersion": "7", "annotations": {"another": "one"}});
    let mut live = marked("1");
    for (key, value) in server_added.as_object().expect("a map") {
        match value {
            Value::Object(more) => {
                let map = live["metadata"][key].as_object_mut().expect("a map");
                map.extend(more.clone());
            }
            value => live["metadata"][key] = value.clone(),
        }
    }
    let made = create_over(live.clone()).await.expect("it is what was to be made");
    assert_eq!((&*made.object.uid, &*made.object.version), ("u", "7"));

    let with = |pointer: &str, value: Value| {
        let mut other = live.clone();
        *other.pointer_mut(pointer).expect("a field") = value;
        other
    };
    for other in [
        with("/data/key", json!("2")),
        with("/metadata/annotations/fleetwright.dev~1owner", json!("another mark")),
        with("/metadata/annotations", json!({})),
    ] {
        let error = create_over(other).await.expect_err("it is another");
        assert!(matches!(error, ProviderError::Exists(_)), "{error}");
    }
}
