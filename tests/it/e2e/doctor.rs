//! `doctor` on real servers: what is in order, and each thing that can be wrong.

use std::io::{Read as _, Write as _};

use serde_json::Value;

use super::{Stage, list, shown, text};
use crate::cli::{Ran, Workplace};
use crate::fleet_support::repository;
use crate::support::{ApiServer, kubeconfig};

/// Findings as `verdict check: message`, of one check.
fn findings(ran: &Ran, check: &str) -> Vec<String> {
    let report = ran.json();
    assert_eq!(report["schema"], "fleetwright.dev/doctor/v1");
    assert_eq!(report["well"], ran.code == 0);
    list(&report["findings"])
        .iter()
        .filter(|finding| finding["check"] == check)
        .inspect(|finding| assert_eq!(finding["verdict"] == "ok", finding["hint"] == Value::Null, "{finding}"))
        .map(|finding| format!("{}: {}", text(&finding["verdict"]), text(&finding["message"])))
        .collect()
}

#[test]
fn all_is_well_and_nothing_is_written() {
    let Some(stage) = Stage::new("well") else { return };
    let crds = repository("deploy/crds");
    stage.login.kubectl(&["apply", "-f", crds.to_str().expect("UTF-8")]);
    stage
        .login
        .kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]);
    stage.run(&["apply", "--yes"]).exits(0);
    let mark = stage.login.mark();
    let ran = stage.run(&["doctor", "-o", "json"]).exits(0);
    for (verb, path) in stage.login.requests_since(mark) {
        let asks = verb == "create" && path.starts_with("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews");
        assert!(asks || verb == "get" || verb == "list", "{verb} {path}");
    }
    assert_eq!(findings(&ran, "connection"), ["ok: the API server answers"]);
    assert_eq!(findings(&ran, "clock"), ["ok: the clock there agrees with ours"]);
    assert_eq!(findings(&ran, "kinds"), ["ok: all 4 kinds are served"]);
    assert_eq!(findings(&ran, "inventory"), ["ok: 1 units, 5 objects"]);
    assert!(findings(&ran, "version")[0].starts_with("ok: Kubernetes 1."));
    assert!(findings(&ran, "rights")[0].starts_with("ok: all "));
    assert!(findings(&ran, "files")[0].starts_with("ok: well: 1 clusters"));
    let told = stage.run(&["doctor"]).exits(0).stdout;
    assert!(told.contains("ok    connection m: the API server answers"), "{told}");
    assert!(told.contains(" 0 failed, 0 to look into."), "{told}");
}

#[test]
fn rights_that_are_missing_are_named() {
    let Some(mut stage) = Stage::new("unwell") else { return };
    let nobody = ApiServer::shared().expect("as before").login_without_rights();
    stage.login.kubeconfig = nobody.kubeconfig;
    let ran = stage.run(&["doctor", "-o", "json"]).exits(1);
    assert_eq!(findings(&ran, "connection"), ["ok: the API server answers"]);
    let rights = findings(&ran, "rights");
    for lacks in [
        "fail: no right to get, list, watch, create, patch, delete nodepools.hypershift.openshift.io",
        "fail: no right to get, create, patch, delete secrets pull-secret",
        "fail: no right to get, create, update, delete configmaps in namespace fleetwright-system",
        "fail: no right to list persistentvolumeclaims",
    ] {
        assert!(rights.iter().any(|right| right == lacks), "{lacks}: {rights:#?}");
    }
    assert_eq!(findings(&ran, "inventory"), ["fail: no right to list inventories"]);
    // Who only plans needs less.
    let ran = stage.run(&["doctor", "--read-only", "-o", "json"]).exits(1);
    let rights = findings(&ran, "rights");
    assert!(
        rights.contains(&"fail: no right to get, list nodepools.hypershift.openshift.io".to_owned()),
        "{rights:#?}"
    );
}

#[test]
fn a_server_that_is_away_and_a_context_that_is_not_there_are_told() {
    let Some(mut stage) = Stage::new("away") else { return };
    let ran = stage.run(&["doctor", "-o", "json", "--context", "elsewhere"]).exits(1);
    assert!(findings(&ran, "connection")[0].contains("no access by context `elsewhere`"));
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address").port()
    };
    let mut login = stage.login.clone();
    login.url = format!("https://127.0.0.1:{port}");
    stage.login.kubeconfig = stage.place.path().join("nowhere");
    kubeconfig(&stage.login.kubeconfig, &[("test", &login)]);
    let ran = stage.run(&["doctor", "-o", "json"]).exits(1);
    let found = findings(&ran, "connection");
    assert!(found.len() == 1 && found[0].contains("refused"), "{found:?}");
    assert_eq!(findings(&ran, "rights"), [""; 0]);
}

/// A server that says how old it is, and an hour ago what time it is; nothing else.
#[test]
fn a_server_that_is_too_old_and_a_clock_that_is_off_are_told() {
    let Some(mut stage) = Stage::new("aged") else { return };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut login = stage.login.clone();
    login.url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap_or_default();
            let version = request[..read].starts_with(b"GET /version ");
            let date = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1);
            let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT");
            let (status, body) = if version {
                ("200 OK", r#"{"major": "1", "minor": "29+"}"#)
            } else {
                ("404 Not Found", "{}")
            };
            let length = body.len();
            let head = format!("date: {date}\r\ncontent-length: {length}\r\nconnection: close");
            write!(stream, "HTTP/1.1 {status}\r\n{head}\r\n\r\n{body}").ok();
        }
    });
    stage.login.kubeconfig = stage.place.path().join("aged");
    kubeconfig(&stage.login.kubeconfig, &[("test", &login)]);
    let ran = stage.run(&["doctor", "-o", "json"]).exits(1);
    assert_eq!(findings(&ran, "version"), ["fail: Kubernetes 1.29"]);
    let clock = findings(&ran, "clock");
    assert!(
        clock[0].starts_with("fail: the clock there is 3600 s behind") || clock[0].contains(" 3601 s "),
        "{clock:?}"
    );
}

#[test]
fn a_repository_is_told_with_what_was_taken_from_it() {
    let Some(stage) = Stage::new("fetched") else { return };
    let commit = super::daemon::commit(&stage, "all of it").to_string();
    let url = format!("file://{}", stage.place.fleet().display());
    let ran = stage.run(&["doctor", "-o", "json", "--git", &url]);
    assert!(
        findings(&ran, "git")[0].starts_with(&format!("ok: commit {commit}")),
        "{}",
        ran.stdout
    );
}

#[test]
fn files_and_repositories_that_are_not_in_order_are_told() {
    let place = Workplace::new(&[(
        "fleet.yaml",
        "kind: Fleet\nmetadata: {name: ill}\nspec: {basedomain: x}\n",
    )]);
    let run = |args: &[&str]| shown(args, place.run(args));
    let ran = run(&["doctor", "-o", "json"]).exits(1);
    assert!(
        findings(&ran, "files")[0].starts_with("fail: ill: 0 clusters"),
        "{}",
        ran.stdout
    );
    let ran = run(&["doctor", "-o", "json", "--fleet", "nowhere"]).exits(1);
    assert!(findings(&ran, "files")[0].contains("nowhere"), "{}", ran.stdout);
    let url = format!("file://{}", place.path().join("nowhere").display());
    let ran = run(&["doctor", "-o", "json", "--git", &url]).exits(1);
    assert_eq!(findings(&ran, "git").len(), 1, "{}", ran.stdout);
}

#[test]
fn crds_that_are_missing_or_lack_the_platform_are_told_and_so_are_credentials() {
    let Some(server) = ApiServer::start_bare() else { return };
    let login = server.login();
    let place = Workplace::copy_of(&repository("fleet"));
    let path = place.path().join("kubeconfig");
    kubeconfig(&path, &[("iad-1", &login)]);
    let path = path.display().to_string();
    let args = [
        "doctor",
        "--management-cluster",
        "iad-1",
        "--kubeconfig",
        &path,
        "-o",
        "json",
    ];
    let ran = shown(&args, place.run(&args)).exits(1);
    let kinds = findings(&ran, "kinds");
    let missing = |kind: &str| {
        let start = format!("fail: {kind}: the server has no kind");
        kinds.iter().any(|found| found.starts_with(&start))
    };
    assert!(
        missing("HostedCluster in hypershift.openshift.io/v1beta1"),
        "{kinds:#?}"
    );
    assert!(
        missing("OCIClusterIdentity in infrastructure.cluster.x-k8s.io/v1beta2"),
        "{kinds:#?}"
    );
    let credentials = findings(&ran, "credentials");
    assert!(
        credentials.len() == 2 && credentials[0].contains("can't be read"),
        "{credentials:?}"
    );

    // As upstream has it, without our platform.
    let crd = std::fs::read_to_string(repository("schemas/crds/hostedclusters.hypershift.openshift.io.yaml"));
    let mut crd: Value = serde_yaml::from_str(&crd.expect("the CRD")).expect("YAML");
    for version in crd["spec"]["versions"].as_array_mut().expect("versions") {
        let platform = version.pointer_mut("/schema/openAPIV3Schema/properties/spec/properties/platform");
        let platform = platform.expect("a platform").as_object_mut().expect("a schema");
        platform.remove("x-kubernetes-validations");
        let fields = platform["properties"].as_object_mut().expect("fields");
        assert!(fields.remove("oci").is_some());
    }
    login.kubectl_in(&["create", "--validate=false", "-f", "-"], &crd.to_string());
    login.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]);
    let lacks = "fail: the HostedCluster CRD has no `spec.platform.oci`: the API server would drop it";
    // Its schema is published a moment after it is served.
    let told = (0..100).any(|_| findings(&place.run(&args), "kinds").iter().any(|found| found == lacks));
    assert!(told, "{:#?}", findings(&place.run(&args), "kinds"));
}

#[test]
fn a_sandbox_has_all_that_the_demo_fleet_needs() {
    let place = Workplace::copy_of(&repository("fleet"));
    let ran = place.run(&["doctor", "--sandbox", "box", "-o", "json"]).exits(0);
    assert_eq!(findings(&ran, "credentials").len(), 2, "{}", ran.stdout);
    assert_eq!(findings(&ran, "connection").len(), 2, "{}", ran.stdout);
}

/// A Git server that lets nobody in.
fn git_server() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap_or_default();
            assert!(
                read > 0 && request.starts_with(b"GET /fleet.git/info/refs"),
                "another request"
            );
            let head = "www-authenticate: Basic realm=\"git\"\r\ncontent-length: 0\r\nconnection: close";
            write!(stream, "HTTP/1.1 401 Unauthorized\r\n{head}\r\n\r\n").ok();
        }
    });
    format!("http://{address}/fleet.git")
}

#[test]
fn a_git_token_that_is_refused_is_told_with_what_to_do() {
    let place = Workplace::new(&[]);
    std::fs::write(place.path().join("token"), "a-token-of-yesterday\n").expect("a file");
    let url = git_server();
    let told = |more: &[&str]| {
        let args = [&["doctor", "-o", "json", "--git", &url][..], more].concat();
        let ran = shown(&args, place.run(&args)).exits(1);
        assert!(
            !ran.stdout.contains("yesterday") && !ran.stderr.contains("yesterday"),
            "the token is shown"
        );
        let report = ran.json();
        let found = list(&report["findings"]);
        assert_eq!(found.len(), 1, "{report}");
        assert_eq!(
            (&found[0]["check"], &found[0]["verdict"]),
            (&"git".into(), &"fail".into())
        );
        (text(&found[0]["message"]), text(&found[0]["hint"]))
    };
    let (message, hint) = told(&["--git-token-file", "token"]);
    assert!(
        message.contains("refuses the credentials") && message.contains("may read the repository"),
        "{message}"
    );
    assert!(
        hint.starts_with("make a token with leave to read this repository"),
        "{hint}"
    );
    let (message, hint) = told(&[]);
    assert!(message.contains("without credentials"), "{message}");
    assert!(
        hint.starts_with("--git-token-file or FLEETWRIGHT_GIT_TOKEN gives a token"),
        "{hint}"
    );
}
