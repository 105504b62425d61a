//! Upstream's own CRD test suites on the sandbox, and on a real API server as the judge of the judge: every case's verdict
//! is upstream's on both. Offline, the same cases are run by `admission_upstream`.
//!
//! Each feature set is installed in an API group of its own, so that one server holds them all; the definitions that a
//! case begins with, before some rule came in, are a second version of such a group. No rule looks at either name.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fleetwright::schema::crd::bare;
use http::Method;
use http_body_util::BodyExt as _;
use kube::Client;
use serde_json::{Value, json};

use super::sandbox::Sandbox;
use crate::admission_upstream::{Case, cases, compare, definition, loosened, parse};
use crate::ssa_reference::upstream;
use crate::support::ApiServer;

const NAMESPACE: &str = "default";

/// Cases whose verdict is not upstream's, by suite and name, with the reason; on which server it says itself.
const ASTRAY: &[(&str, &str, &str)] = &[];

/// A kind in an API group of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    plural: &'static str,
    preview: bool,
    /// The patches that come off the initial version; empty for none.
    patches: String,
}

impl Place {
    fn of(case: &Case) -> Self {
        Self {
            plural: case.plural,
            preview: case.preview,
            patches: match &case.json["initialCRDPatches"] {
                Value::Null => String::new(),
                patches => patches.to_string(),
            },
        }
    }
}

/// The definition of a place, in a group of this name.
fn moved(place: &Place, group: &str) -> Value {
    // Descriptions are most of its bytes, and no part of any verdict.
    let mut crd = bare(&definition(place.plural, place.preview));
    let mut versions = vec![crd["spec"]["versions"][0].clone()];
    if !place.patches.is_empty() {
        let patches: Value = serde_json::from_str(&place.patches).unwrap();
        let mut initial = loosened(&crd, patches.as_array().unwrap())["spec"]["versions"][0].clone();
        initial["name"] = json!("v1alpha1");
        initial["storage"] = json!(false);
        versions.push(initial);
    }
    crd["spec"]["versions"] = Value::Array(versions);
    crd["spec"]["group"] = json!(group);
    crd["metadata"] = json!({"name": format!("{}.{group}", place.plural)});
    crd
}

/// A server under test.
struct Judge {
    client: Client,
    groups: BTreeMap<Place, String>,
}

impl Judge {
    async fn send(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json")
            .body(kube::client::Body::from(body.to_string().into_bytes()))
            .unwrap();
        let response = self.client.send(request).await.unwrap();
        let code = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (code, serde_json::from_slice(&bytes).unwrap())
    }

    /// Installs what the cases need, and waits until it is served.
    async fn prepare(client: Client, cases: &[Case]) -> Self {
        let mut judge = Self {
            client,
            groups: BTreeMap::new(),
        };
        for case in cases {
            let number = judge.groups.len();
            let group = format!("set-{number}.suites.test");
            judge.groups.entry(Place::of(case)).or_insert(group);
        }
        for (place, group) in &judge.groups {
            let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
            let (code, answer) = judge.send(Method::POST, path, &moved(place, group)).await;
            assert_eq!(code, 201, "{answer}");
        }
        for (place, group) in &judge.groups {
            let deadline = Instant::now() + Duration::from_secs(60);
            let path = judge.path(place, "v1beta1", "");
            while judge.send(Method::GET, &path, &Value::Null).await.0 != 200 {
                assert!(Instant::now() < deadline, "{group} isn't served");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        judge
    }

    fn path(&self, place: &Place, version: &str, rest: &str) -> String {
        let group = &self.groups[place];
        format!("/apis/{group}/{version}/namespaces/{NAMESPACE}/{}{rest}", place.plural)
    }

    /// Writes an object; gives what is stored, or the server's message.
    async fn write(&self, place: &Place, what: Write<'_>) -> Result<Value, String> {
        let mut object = what.object.clone();
        object["apiVersion"] = json!(format!("{}/{}", self.groups[place], what.version));
        object["metadata"] = json!({"name": what.name, "namespace": NAMESPACE});
        if let Some(seen) = what.seen {
            object["metadata"]["resourceVersion"] = seen["metadata"]["resourceVersion"].clone();
        }
        let (method, rest) = match what.seen {
            None => (Method::POST, String::new()),
            Some(_) => (Method::PUT, format!("/{}{}", what.name, what.subresource)),
        };
        // Suites write through a client that drops what it doesn't know.
        let dry = if what.is_dry { "&dryRun=All" } else { "" };
        let rest = format!("{rest}?fieldValidation=Ignore{dry}");
        let (code, mut answer) = self.send(method, &self.path(place, what.version, &rest), &object).await;
        if code >= 300 {
            return Err(answer["message"].as_str().unwrap_or_default().to_owned());
        }
        answer["apiVersion"] = what.object["apiVersion"].clone();
        Ok(answer)
    }

    async fn verdict(&self, case: &Case, name: &str) -> Result<(), String> {
        let place = Place::of(case);
        let json = &case.json;
        let initial = parse(&json["initial"]);
        let write = Write {
            object: &initial,
            name,
            version: "v1beta1",
            seen: None,
            subresource: "",
            is_dry: true,
        };
        if case.verb == "onCreate" {
            let outcome = self.write(&place, write).await;
            return compare(outcome, &json["expectedError"], &json["expected"]).map(drop);
        }
        let version = if place.patches.is_empty() {
            "v1beta1"
        } else {
            "v1alpha1"
        };
        let real = Write { is_dry: false, ..write };
        let mut old = self.write(&place, Write { version, ..real }).await;
        if let (Ok(stored), true) = (&old, initial["status"].is_object()) {
            let mut with_status = stored.clone();
            with_status["status"] = initial["status"].clone();
            let status = Write {
                object: &with_status,
                version,
                seen: Some(stored),
                subresource: "/status",
                ..real
            };
            old = self.write(&place, status).await;
        }
        let old = old.map_err(|message| format!("the initial object is refused: {message}"))?;
        let new = parse(&json["updated"]);
        let update = Write {
            object: &new,
            seen: Some(&old),
            ..real
        };
        let outcome = self.write(&place, update).await;
        let is_about_status = !json["expectedStatusError"].is_null() || !new["status"].is_null();
        let expected = if is_about_status {
            &Value::Null
        } else {
            &json["expected"]
        };
        let Some(updated) = compare(outcome, &json["expectedError"], expected)?.filter(|_| is_about_status) else {
            return Ok(());
        };
        let mut with_status = updated.clone();
        with_status["status"] = new["status"].clone();
        let status = Write {
            object: &with_status,
            seen: Some(&updated),
            subresource: "/status",
            ..real
        };
        let outcome = self.write(&place, status).await;
        compare(outcome, &json["expectedStatusError"], &json["expected"]).map(drop)
    }
}

#[derive(Clone, Copy)]
struct Write<'a> {
    object: &'a Value,
    name: &'a str,
    version: &'a str,
    /// What is there, for an update.
    seen: Option<&'a Value>,
    subresource: &'a str,
    is_dry: bool,
}

async fn run(client: Client, cases: &[Case], server: &str) {
    let judge = Judge::prepare(client, cases).await;
    let mut astray = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        if let Err(why) = judge.verdict(case, &format!("case-{number}")).await {
            let is_known = ASTRAY
                .iter()
                .any(|(suite, name, _)| case.suite.ends_with(suite) && case.json["name"] == *name);
            if !is_known {
                astray.push(format!("{case}: {why}"));
            }
        }
    }
    println!("{server}: {} cases in {} feature sets", cases.len(), judge.groups.len());
    assert!(astray.is_empty(), "{server}: {}:\n{}", astray.len(), astray.join("\n"));
}

#[tokio::test]
async fn upstreams_suites_pass_on_the_sandbox_and_on_a_real_server() {
    if upstream().is_none() {
        return;
    }
    let cases = cases();
    assert!(cases.len() >= 440, "{} cases", cases.len());
    assert!(ASTRAY.len() * 50 <= cases.len(), "at most one in fifty may be astray");
    let sandbox = Sandbox::start().await;
    run(sandbox.client(), &cases, "sandbox").await;
    let Some(real) = ApiServer::start_bare() else { return };
    run(real.login().client().await, &cases, "kube-apiserver").await;
}
