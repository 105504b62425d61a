//! Whose credentials the program itself uses, by its options: identities that are not typed come from loopback.

use std::sync::Arc;

use serde_json::Value;

use super::cloud::{Cloud, Server, certificate};
use super::{KEY_A, TENANCY};
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
