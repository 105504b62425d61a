//! The same requests to two servers: the sandbox's and the real one, which must answer alike.
//!
//! Cases are text: a name, and requests one a line. What differs between any two runs of one server (UIDs, times,
//! versions, addresses) is evened out by [`normal`] and nothing else is.

mod case;
mod normal;
mod sandbox;

use std::collections::BTreeMap;

use self::case::Case;
use self::sandbox::Sandbox;
use crate::support::ApiServer;
use kube::Client;

/// A server, and what is sent to it.
async fn answers(client: &Client, case: &Case, namespace: &str) -> Vec<String> {
    let mut answers = Vec::new();
    for step in &case.steps {
        let (code, body) = step.send(client, namespace).await;
        answers.push(normal::text(code, body, namespace));
    }
    answers
}

async fn prepare(client: &Client) {
    let crd: serde_json::Value = serde_yaml::from_str(include_str!("cases/widgets.yaml")).expect("YAML");
    let step = case::Step::post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd);
    let (code, body) = step.send(client, "").await;
    assert!(code == 201 || code == 409, "{body}");
    // The real server serves a kind some moments after it took its definition.
    loop {
        let (code, body) = case::Step::get("/apis/example.io/v1/namespaces/default/widgets")
            .send(client, "")
            .await;
        let (published, _) = case::Step::get("/openapi/v3/apis/example.io/v1").send(client, "").await;
        if code == 200 && published == 200 {
            break;
        }
        assert!(code == 404 || published == 404, "{body}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

async fn agree(text: &str, at_least: usize) {
    let Some(real) = ApiServer::shared() else { return };
    let real = real.login().client().await;
    let sandbox = Sandbox::start().await;
    let ours = sandbox.client();
    prepare(&real).await;
    prepare(&ours).await;
    let cases = case::read(text);
    assert!(cases.len() >= at_least, "{} cases", cases.len());
    compare(&real, &ours, &cases).await;
}

/// Runs cases on both, and fails where they answer differently. Says how often which status was the answer.
async fn compare(real: &Client, ours: &Client, cases: &[Case]) -> BTreeMap<String, usize> {
    let mut wrong = Vec::new();
    let mut codes = BTreeMap::new();
    for case in cases {
        let namespace = case.namespace();
        let made = serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        for client in [real, ours] {
            let (code, body) = case::Step::post("/api/v1/namespaces", made.clone())
                .send(client, "")
                .await;
            assert_eq!(code, 201, "{body}");
        }
        let (expected, found) = (
            answers(real, case, &namespace).await,
            answers(ours, case, &namespace).await,
        );
        for ((step, expected), found) in case.steps.iter().zip(&expected).zip(&found) {
            let code = expected.split(' ').next().unwrap_or_default();
            *codes.entry(code.to_owned()).or_default() += 1;
            if expected != found {
                wrong.push(format!(
                    "{}\n  {step}\n  real    {expected}\n  sandbox {found}",
                    case.name
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} answers differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    codes
}

#[tokio::test]
async fn writes_are_answered_alike() {
    agree(include_str!("cases/writes.txt"), 60).await;
}

#[tokio::test]
async fn deletes_are_answered_alike() {
    agree(include_str!("cases/deletes.txt"), 14).await;
}

#[tokio::test]
async fn reads_are_answered_alike() {
    agree(include_str!("cases/reads.txt"), 18).await;
}

#[tokio::test]
async fn applies_are_answered_alike() {
    agree(include_str!("cases/apply.txt"), 26).await;
}

#[tokio::test]
async fn custom_resources_are_answered_alike() {
    agree(include_str!("cases/custom.txt"), 34).await;
}

mod flows;
mod kubectl;
mod kubectl_watch;
mod suites;
mod upstream;
