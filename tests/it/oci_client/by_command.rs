//! Whose credentials the program itself uses, by its options: identities that are not typed come from loopback.

use std::sync::Arc;

use serde_json::Value;

use super::cloud::{Cloud, Server, certificate};
use super::{KEY_A, TENANCY, key};
use crate::cli::Workplace;
use crate::fleet_support::repository;

/// What `doctor` finds about signed calls.
async fn signed_calls(cloud: &Arc<Cloud>, server: &Server, way: &str, addresses: &[String]) -> Vec<Value> {
    let address = server.address.clone();
    let (way, addresses) = (way.to_owned(), addresses.to_vec());
    let ran = tokio::task::spawn_blocking(move || {
        let place = Workplace::copy_of(&repository("fleet"));
        let account = place.path().join("account");
        std::fs::create_dir(&account).expect("a folder");
        std::fs::write(account.join("token"), "shown\n").expect("a file");
        std::fs::write(account.join("ca.crt"), certificate(KEY_A, TENANCY)).expect("a file");
        let mut args = vec![
            "doctor",
            "--fleet",
            "fleet",
            "-o",
            "json",
            "--oci-auth",
            &way,
            "--oci-endpoint",
            &address,
        ];
        args.extend(addresses.iter().flat_map(|one| ["--oci-endpoint", one.as_str()]));
        args.extend(["--service-account", "account"]);
        // It finds no management cluster.
        place.run(&args).exits(1).json()
    });
    let found = ran.await.expect("an end");
    assert!(!cloud.state.lock().unwrap().asked.is_empty());
    let all = found["findings"].as_array().expect("findings").iter();
    all.filter(|one| one["check"] == "credentials" && one["subject"].as_str().is_some_and(|it| it.contains("ocid1.")))
        .cloned()
        .collect()
}

fn are_good(calls: &[Value]) {
    assert!(!calls.is_empty());
    for call in calls {
        assert_eq!(call["verdict"], "ok", "{call:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_signs_by_its_certificate() {
    let (cloud, server) = Cloud::start().await;
    let addresses = [
        format!("metadata={}/opc/v2", server.address),
        format!("auth={}", server.address),
    ];
    let calls = signed_calls(&cloud, &server, "instance-principal", &addresses).await;
    assert!(calls.iter().all(|call| call["verdict"] == "fail"), "{calls:#?}");
    cloud.state.lock().unwrap().machine = Some((certificate(KEY_A, TENANCY), KEY_A.to_owned()));
    are_good(&signed_calls(&cloud, &server, "instance-principal", &addresses).await);
    assert!(cloud.state.lock().unwrap().issued > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_signs_by_its_service_account() {
    let (cloud, server) = Cloud::start().await;
    let addresses = [format!("workload={}", server.address)];
    cloud.state.lock().unwrap().account = "another".to_owned();
    let calls = signed_calls(&cloud, &server, "workload-identity", &addresses).await;
    assert!(calls.iter().all(|call| call["verdict"] == "fail"), "{calls:#?}");
    cloud.state.lock().unwrap().account = "shown".to_owned();
    are_good(&signed_calls(&cloud, &server, "workload-identity", &addresses).await);
    assert!(cloud.state.lock().unwrap().issued > 0);
}

/// A service that answers so, by a clock that is so many seconds ahead of ours.
async fn service(status: u16, body: Value, ahead: i64) -> Server {
    Server::start(move |_| {
        let date = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(ahead);
        let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        http::Response::builder()
            .status(status)
            .header("date", date)
            .body(body.to_string().into())
            .expect("an answer")
    })
    .await
}

/// What `doctor` says of credentials and clocks, with an API key: verdict, message and hint of each check.
async fn judged(server: &Server, check: &str) -> Vec<(String, String, String)> {
    let address = server.address.clone();
    let check = check.to_owned();
    let ran = tokio::task::spawn_blocking(move || {
        let place = Workplace::copy_of(&repository("fleet"));
        let fleet = std::fs::read_to_string(place.fleet().join("fleet.yaml")).expect("the fleet");
        let tenancy = fleet
            .split("tenancy: ")
            .nth(1)
            .and_then(|rest| rest.split_whitespace().next());
        let path = place.path().join("key.pem");
        std::fs::write(&path, KEY_A).expect("a key");
        let config = format!(
            "[DEFAULT]\nuser=ocid1.user.oc1..aaaa\nfingerprint={}\ntenancy={}\nregion=us-ashburn-1\nkey_file={}\n",
            key(KEY_A).fingerprint(),
            tenancy.expect("a tenancy"),
            path.display()
        );
        std::fs::write(place.path().join("config"), config).expect("a file");
        let args = [
            "doctor",
            "--fleet",
            "fleet",
            "-o",
            "json",
            "--oci-config",
            "config",
            "--oci-endpoint",
            &address,
        ];
        // It finds no management cluster.
        place.run(&args).exits(1).json()
    });
    let found = ran.await.expect("an end");
    let all = found["findings"].as_array().expect("findings").iter();
    let text = |finding: &Value, field: &str| finding[field].as_str().unwrap_or_default().to_owned();
    let said: Vec<_> = all
        .filter(|one| one["check"] == *check && text(one, "subject").contains("ocid1.tenancy."))
        .map(|one| (text(one, "verdict"), text(one, "message"), text(one, "hint")))
        .collect();
    assert!(!said.is_empty(), "nothing is said of {check}: {found:#}");
    said
}

/// A few seconds go by meanwhile.
fn is_about(message: &str, seconds: u32) -> bool {
    (seconds - 5..=seconds + 5)
        .any(|seconds| message.contains(&format!(" {seconds} s ")) || message.contains(&format!(" {seconds}s ")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_off_is_told_before_anything_is_refused_for_it() {
    for (ahead, verdict, direction) in [
        (400, "fail", "ahead of ours"),
        (-400, "fail", "behind ours"),
        (200, "warn", "ahead of ours"),
    ] {
        let server = service(200, Value::Array(Vec::new()), ahead).await;
        for (said, message, hint) in judged(&server, "clock").await {
            assert_eq!(said, verdict, "{message}");
            let seconds = u32::try_from(ahead.abs()).expect("a number");
            assert!(is_about(&message, seconds) && message.ends_with(direction), "{message}");
            assert!(hint.contains("NTP"), "{hint}");
        }
        for (said, message, _) in judged(&server, "credentials").await {
            assert_eq!(said, "ok", "{message}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_refused_is_told_whether_it_is_the_clock_or_the_key() {
    let refusal = serde_json::json!({"code": "NotAuthenticated", "message": "The required information to complete authentication was not provided."});
    let server = service(401, refusal.clone(), -400).await;
    for (said, message, hint) in judged(&server, "credentials").await {
        assert_eq!(said, "fail", "{message}");
        assert!(message.contains("401 NotAuthenticated"), "{message}");
        assert!(
            message.contains("this machine's clock is ")
                && is_about(&message, 400)
                && message.contains("ahead of the service's"),
            "{message}"
        );
        assert!(hint.contains("clock by NTP"), "{hint}");
    }
    for (said, message, _) in judged(&server, "clock").await {
        assert!(said == "fail" && is_about(&message, 400), "{said} {message}");
    }
    let server = service(401, refusal, 0).await;
    for (said, message, hint) in judged(&server, "credentials").await {
        assert!(said == "fail" && !message.contains("clock"), "{message}");
        assert!(hint.contains("fingerprint") && !hint.contains("clock"), "{hint}");
    }
    for (said, message, _) in judged(&server, "clock").await {
        assert_eq!(said, "ok", "{message}");
    }
}
