//! What holds for every operation.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::Limits;
use super::{COMPARTMENT, Client, identity};
use crate::sandbox::fault::{Faults, Never, Point};
use crate::sandbox::store::{Store, StoreError, Write};

#[tokio::test(start_paused = true)]
async fn only_what_is_signed_right_is_answered() {
    let mut client = Client::new();
    let path = "/20160918/regions";
    assert_eq!(client.send(client.signed("GET", path, None)).await.status, 200);

    let mut unsigned = client.signed("GET", path, None);
    unsigned.headers_mut().remove("authorization");
    let mut elsewhere = client.signed("GET", path, None);
    *elsewhere.uri_mut() = "/20160918/vcns".parse().unwrap();
    let mut other_host = client.signed("GET", path, None);
    other_host.headers_mut().insert("host", "example.org".parse().unwrap());
    let mut other_body = client.signed("POST", "/20160918/vcns", Some(&json!({"compartmentId": "a"})));
    *other_body.body_mut() = json!({"compartmentId": "b"}).to_string().into();
    let mut other_digest = client.signed("POST", "/20160918/vcns", Some(&json!({})));
    other_digest
        .headers_mut()
        .insert("x-content-sha256", "AAAA".parse().unwrap());
    for request in [unsigned, elsewhere, other_host, other_body, other_digest] {
        let what = format!("{request:?}");
        let answer = client.send(request).await;
        assert_eq!((answer.status, answer.code()), (401, "NotAuthenticated"), "{what}");
    }

    client.date = Timestamp::now() - jiff::SignedDuration::from_mins(6);
    assert_eq!(
        client.send(client.signed("GET", path, None)).await.status,
        401,
        "an old date"
    );
    client.date = Timestamp::now();
    client.key_id.push('0');
    assert_eq!(
        client.send(client.signed("GET", path, None)).await.status,
        401,
        "an unknown key"
    );
    client.server.register(client.key_id.clone(), identity());
    assert_eq!(client.send(client.signed("GET", path, None)).await.status, 200);
    client.server.revoke(&client.key_id);
    assert_eq!(
        client.send(client.signed("GET", path, None)).await.status,
        401,
        "a revoked key"
    );
}

#[tokio::test(start_paused = true)]
async fn an_etag_guards_updates_and_deletes() {
    let client = Client::new();
    let path = format!("/20160918/vcns/{}", client.vcn("10.0.0.0/16").await);
    client.pass(5).await;
    let read = client.send(client.signed("GET", &path, None)).await;
    let etag = read.header("etag").to_owned();
    let name = |name: &str| json!({ "displayName": name });
    let first = client.with_header("PUT", &path, name("a"), ("if-match", &etag)).await;
    assert_eq!((first.status, first.body["displayName"].as_str()), (200, Some("a")));
    let second = client.with_header("PUT", &path, name("b"), ("if-match", &etag)).await;
    assert_eq!((second.status, second.code()), (412, "NoEtagMatch"));
    let delete = client
        .with_header("DELETE", &path, Value::Null, ("if-match", &etag))
        .await;
    assert_eq!(delete.status, 412);
    let now = client.send(client.signed("GET", &path, None)).await;
    assert_eq!(now.body["displayName"], "a");
}

#[tokio::test(start_paused = true)]
async fn a_retry_token_makes_one_resource() {
    let client = Client::new();
    let token = ("opc-retry-token", "one");
    let body = json!({"compartmentId": COMPARTMENT, "cidrBlocks": ["10.0.0.0/16"]});
    let send = async |body: Value| client.with_header("POST", "/20160918/vcns", body, token).await;
    let first = send(body.clone()).await;
    assert_eq!(send(body.clone()).await.id(), first.id());
    let other = send(json!({"compartmentId": COMPARTMENT, "cidrBlocks": ["10.1.0.0/16"]})).await;
    assert_eq!((other.status, other.code()), (409, "InvalidatedRetryToken"));
    assert_eq!(client.server.writes().len(), 1);

    assert_eq!(client.delete(&format!("vcns/{}", first.id())).await.status, 204);
    assert_eq!(
        send(body.clone()).await.code(),
        "InvalidatedRetryToken",
        "its resource is gone"
    );
    client.pass(24 * 3600).await;
    assert_ne!(send(body).await.id(), first.id(), "a day later the token is forgotten");
}

#[tokio::test(start_paused = true)]
async fn pages_hold_everything_once() {
    let client = Client::new();
    let mut made = Vec::new();
    for index in 0..7 {
        made.push(client.vcn(&format!("10.{index}.0.0/16")).await);
    }
    let mut seen = Vec::new();
    let mut page = String::new();
    loop {
        let query = format!("vcns?compartmentId={COMPARTMENT}&limit=3{page}");
        let answer = client.get(&query).await;
        let ids = answer.body.as_array().unwrap().iter();
        seen.extend(ids.map(|vcn| vcn["id"].as_str().unwrap().to_owned()));
        if seen.len() == 3 {
            client.vcn("10.99.0.0/16").await;
        }
        match answer.header("opc-next-page") {
            "" => break,
            next => page = format!("&page={next}"),
        }
    }
    made.reverse();
    assert_eq!(
        seen, made,
        "the newest first, and none twice though one came in between"
    );
    assert_eq!(client.get("vcns").await.code(), "MissingParameter");
    let bad = client.get(&format!("vcns?compartmentId={COMPARTMENT}&page=!")).await;
    assert_eq!((bad.status, bad.code()), (400, "InvalidParameter"));
}

#[tokio::test(start_paused = true)]
async fn limits_are_those_of_a_new_tenancy() {
    let client = Client::new();
    let vcn = client.vcn("10.0.0.0/16").await;
    assert_eq!(client.make("natGateways", &vcn, json!({})).await.status, 200);
    let second = client.make("natGateways", &vcn, json!({})).await;
    assert_eq!((second.status, second.code()), (400, "LimitExceeded"));
    let lifted = Client::new();
    let server = lifted.server.with_limits(Limits {
        vcns: 1,
        ..Limits::lifted()
    });
    let lifted = Client {
        server,
        ..Client::new()
    };
    lifted.vcn("10.0.0.0/16").await;
    let body = json!({"compartmentId": COMPARTMENT, "cidrBlocks": ["10.1.0.0/16"]});
    assert_eq!(lifted.post("vcns", body).await.code(), "LimitExceeded");
}

#[tokio::test(start_paused = true)]
async fn lost_rights_look_like_nothing_there() {
    let client = Client::new();
    let vcn = client.vcn("10.0.0.0/16").await;
    client.server.deny(COMPARTMENT);
    for path in [format!("vcns/{vcn}"), format!("vcns?compartmentId={COMPARTMENT}")] {
        let answer = client.get(&path).await;
        assert_eq!((answer.status, answer.code()), (404, "NotAuthorizedOrNotFound"));
    }
    client.server.allow(COMPARTMENT);
    assert_eq!(client.get(&format!("vcns/{vcn}")).await.status, 200);
    let foreign = client.get("vcns?compartmentId=ocid1.tenancy.oc1..other").await;
    assert_eq!(foreign.status, 404);
}

#[tokio::test(start_paused = true)]
async fn unknown_operations_and_methods_say_so() {
    let client = Client::new();
    let unknown = client.get("vlans?compartmentId=x").await;
    assert_eq!((unknown.status, unknown.code()), (404, "NotFound"));
    assert_eq!(client.server.unknown_operations().get("GET /20160918/vlans"), Some(&1));
    assert_eq!(client.delete("vcns").await.code(), "MethodNotAllowed");
    let text = client.signed("POST", "/20160918/vcns", Some(&json!("text")));
    assert_eq!(client.send(text).await.code(), "CannotParseRequest");
}

#[tokio::test(start_paused = true)]
async fn a_short_page_says_that_more_follows() {
    struct Short;
    impl Faults for Short {
        fn strikes(&self, point: Point) -> bool {
            point == Point::ShortPage
        }
    }
    let client = Client::with(Arc::new(Short));
    for index in 0..3 {
        client.vcn(&format!("10.{index}.0.0/16")).await;
    }
    let page = client.get(&format!("vcns?compartmentId={COMPARTMENT}&limit=4")).await;
    assert_eq!(page.body.as_array().unwrap().len(), 2);
    assert_ne!(page.header("opc-next-page"), "");
}

#[tokio::test(start_paused = true)]
async fn a_restart_forgets_nothing() {
    #[derive(Default)]
    struct Rows(Mutex<BTreeMap<(String, String), String>>);
    impl Store for Rows {
        fn load(&self, prefix: &str) -> Result<Vec<(String, String, String)>, StoreError> {
            let rows = self.0.lock().unwrap().clone().into_iter();
            let wanted = rows.filter(|((table, _), _)| table.starts_with(prefix));
            Ok(wanted.map(|((table, key), value)| (table, key, value)).collect())
        }

        fn write(&self, rows: Vec<Write>) {
            let mut stored = self.0.lock().unwrap();
            for row in rows {
                match row.value {
                    Some(value) => stored.insert((row.table, row.key), value),
                    None => stored.remove(&(row.table, row.key)),
                };
            }
        }
    }
    let store = Arc::new(Rows::default());
    let before = Client::over(store.clone(), Arc::new(Never));
    let body = json!({"compartmentId": COMPARTMENT, "cidrBlocks": ["10.0.0.0/16"]});
    let token = ("opc-retry-token", "one");
    let made = before.with_header("POST", "/20160918/vcns", body.clone(), token).await;
    let group = before.make("networkSecurityGroups", &made.id(), json!({})).await.id();
    let rules = json!({"securityRules": [{"direction": "EGRESS", "protocol": "all", "destination": "0.0.0.0/0"}]});
    let add = format!("networkSecurityGroups/{group}/actions/addSecurityRules");
    assert_eq!(before.post(&add, rules).await.status, 200);

    let after = Client::over(store, Arc::new(Never));
    let path = format!("vcns/{}", made.id());
    assert_eq!(after.get(&path).await.body, made.body);
    assert_eq!(
        after.with_header("POST", "/20160918/vcns", body, token).await.id(),
        made.id()
    );
    let listed = after.get(&format!("networkSecurityGroups/{group}/securityRules")).await;
    assert_eq!(listed.body.as_array().unwrap().len(), 1);
    assert_eq!(after.delete(&path).await.code(), "Conflict", "the group is in it");
    assert_ne!(after.vcn("10.1.0.0/16").await, made.id());
    after.pass(5).await;
    assert_eq!(after.get(&path).await.body["lifecycleState"], "AVAILABLE");
}
