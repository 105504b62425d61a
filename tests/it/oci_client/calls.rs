//! Retries, pages, budgets and identities, on tokio's paused time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fleetwright::providers::oci::api::{Place, Service};
use fleetwright::providers::oci::budget::{Budget, Purse, Rate};
use fleetwright::providers::oci::client::Client;
use fleetwright::providers::oci::counts::Kind;
use fleetwright::providers::oci::error::OciError;
use fleetwright::providers::oci::transport::NotSent;
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::verify::{Of, public_der, verify};
use super::{Given, KEY_A, KEY_B, REGION, Script, TENANCY, answer, call, chain, key, key_id, refusal};

fn lost() -> super::Said {
    Some(Err("the connection broke".into()))
}

#[tokio::test(start_paused = true)]
async fn requests_bear_a_signature_that_verifies() {
    let script = Script::new(|_, _| {
        answer(
            200,
            &[("etag", "e1"), ("opc-work-request-id", "w1")],
            &json!({"id": "x"}),
        )
    });
    let client = script.client();
    let mut list = call(Method::GET, "/vcns");
    list.query = vec![
        ("compartmentId", "a b+c/ü&=".to_owned()),
        ("displayName", "x~y".to_owned()),
    ];
    let mut create = call(Method::POST, "/vcns");
    create.body = Some(json!({"displayName": "ü"}));
    create.retry_token = Some("t".repeat(64));
    let mut update = call(Method::PUT, "/vcns/ocid1.vcn.oc1..x");
    update.body = Some(json!({}));
    update.if_match = Some("\"e1\"".to_owned());
    let calls = [
        list,
        create,
        update,
        call(Method::DELETE, "/vcns/a%2Fb"),
        call(Method::POST, "/drgs/x/actions/upgrade"),
    ];
    let public = public_der(KEY_A);
    for call in calls {
        let sent = client.call(call.clone()).await.expect("an answer");
        assert_eq!(
            (sent.etag.as_deref(), sent.work_request.as_deref()),
            (Some("e1"), Some("w1"))
        );
        let request = script.seen().pop().expect("a request");
        assert_eq!(request.method(), call.method);
        assert_eq!(request.uri().host(), Some("iaas.eu-frankfurt-1.oraclecloud.com"));
        let now = Timestamp::now();
        let known = verify(&request, Of::Service, now, |_| Some(public.clone()));
        assert_eq!(known, Ok(key_id("u", &key(KEY_A))), "{:?}", call.method);
        let header = |name: &str| {
            request
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(header("opc-retry-token"), call.retry_token);
        assert_eq!(header("if-match"), call.if_match);
        assert_eq!(header("opc-request-id").map(|id| id.len()), Some(32));
        // The verifier sees what is changed on the way.
        let mut changed = request.clone();
        *changed.uri_mut() = format!("{}x", request.uri()).parse().unwrap();
        assert!(verify(&changed, Of::Service, now, |_| Some(public.clone())).is_err());
        assert!(verify(&request, Of::Service, now, |_| Some(public_der(KEY_B))).is_err());
        if call.body.is_some() {
            let mut changed = request.clone();
            *changed.body_mut() = "{}  ".into();
            assert!(verify(&changed, Of::Service, now, |_| Some(public.clone())).is_err());
        }
    }
    assert_eq!(
        script.seen()[0].uri().query(),
        Some("compartmentId=a%20b%2Bc%2F%C3%BC%26%3D&displayName=x~y")
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_shows_how_far_the_clock_there_is_ahead() {
    let script = Script::new(|n, _| {
        let at = Timestamp::now() + jiff::SignedDuration::from_secs(600);
        let date = at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let headers: &[(&str, &str)] = if n == 1 { &[] } else { &[("date", &date)] };
        answer(200, headers, &json!([]))
    });
    let client = script.client();
    client.call(call(Method::GET, "/vcns")).await.expect("an answer");
    assert_eq!(client.clock_ahead(), None);
    client.call(call(Method::GET, "/vcns")).await.expect("an answer");
    let ahead = client.clock_ahead().expect("a date").as_secs();
    assert!((590..=600).contains(&ahead), "{ahead}");
}

#[tokio::test(start_paused = true)]
async fn all_attempts_of_a_create_bear_one_token() {
    let script = Script::new(|n, _| match n {
        1 => lost(),
        2 => refusal(503, "ServiceUnavailable", &[("retry-after", "20")]),
        3 => refusal(429, "TooManyRequests", &[]),
        4 => refusal(409, "IncorrectState", &[]),
        _ => answer(200, &[], &json!({"id": "x"})),
    });
    let client = script.client();
    let mut create = call(Method::POST, "/vcns");
    create.body = Some(json!({"displayName": "a"}));
    create.retry_token = Some("token".to_owned());
    let begun = Instant::now();
    assert_eq!(client.call(create).await.expect("an answer").body, json!({"id": "x"}));
    assert!(
        begun.elapsed() >= Duration::from_secs(20),
        "Retry-After was not waited for"
    );
    let seen = script.seen();
    assert_eq!(seen.len(), 5);
    for request in &seen {
        for name in ["opc-retry-token", "opc-request-id", "x-content-sha256"] {
            assert_eq!(request.headers().get(name), seen[0].headers().get(name), "{name}");
        }
        assert_eq!(request.body(), seen[0].body());
    }
    let counts = client.counts();
    assert_eq!((counts.retries, counts.total()), (4, 5));
    let of = |status| {
        counts.calls.get(&Kind {
            service: Service::Core,
            operation: "Some",
            status,
        })
    };
    assert_eq!(of(None), Some(&1));
    assert_eq!(of(Some(503)), Some(&1));
    assert_eq!(of(Some(200)), Some(&1));
}

#[tokio::test(start_paused = true)]
async fn an_action_without_a_token_is_never_made_twice() {
    for said in [
        lost,
        || refusal(500, "InternalServerError", &[]),
        || refusal(503, "ServiceUnavailable", &[]),
    ] {
        let script = Script::new(move |_, _| said());
        let error = script
            .client()
            .call(call(Method::POST, "/x/actions/connect"))
            .await
            .expect_err("it failed");
        assert_eq!(script.seen().len(), 1);
        assert!(error.outcome_unknown(), "{error:?}");
    }
    // What was never sent has not happened.
    let script = Script::new(|n, _| match n {
        1 | 2 => Some(Err(Box::new(NotSent("no route".into())))),
        _ => answer(204, &[], &Value::Null),
    });
    let sent = script
        .client()
        .call(call(Method::POST, "/x/actions/connect"))
        .await
        .expect("an answer");
    assert_eq!((sent.body, script.seen().len()), (Value::Null, 3));
    // An answer that makes no sense is not a reason to do it again, nor a proof that it wasn't done.
    let script = Script::new(|_, _| Some(Ok(http::Response::new("<html>".into()))));
    let error = script
        .client()
        .call(call(Method::POST, "/x/actions/connect"))
        .await
        .expect_err("it failed");
    assert!(
        matches!(error, OciError::Nonsense { .. }) && error.outcome_unknown(),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_at_its_deadline() {
    let script = Script::new(|_, _| None);
    let mut options = script.options();
    options.deadline = Duration::from_secs(70);
    options.attempt_timeout = Duration::from_secs(30);
    let begun = Instant::now();
    let error = Client::new(options)
        .call(call(Method::GET, "/vcns"))
        .await
        .expect_err("it failed");
    assert_eq!(begun.elapsed().as_secs(), 70);
    let OciError::Deadline {
        attempts: 3,
        sent: true,
        source: Some(source),
        ..
    } = &error
    else {
        panic!("{error:?}")
    };
    assert!(matches!(**source, OciError::Transport { .. }));
    // A pause that goes beyond the deadline is not begun: the refusal says more.
    let script = Script::new(|_, _| refusal(429, "TooManyRequests", &[("retry-after", "3600")]));
    let begun = Instant::now();
    let error = script
        .client()
        .call(call(Method::GET, "/vcns"))
        .await
        .expect_err("it failed");
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(
        error.service().and_then(|error| error.retry_after),
        Some(Duration::from_secs(3600))
    );
}

#[tokio::test(start_paused = true)]
async fn one_that_hangs_or_only_fails_is_waited_for_once() {
    let hangs = Script::new(|n, _| if n > 4 { answer(200, &[], &json!([])) } else { None });
    let fails = Script::new(|n, _| match n {
        1..=9 => refusal(503, "ServiceUnavailable", &[]),
        _ => answer(200, &[], &json!([])),
    });
    for script in [hangs, fails] {
        let mut options = script.options();
        options.deadline = Duration::from_secs(70);
        options.attempt_timeout = Duration::from_secs(30);
        let client = Client::new(options);
        let took = async |path| {
            let begun = Instant::now();
            let error = client.call(call(Method::GET, path)).await.expect_err("it failed");
            (begun.elapsed().as_secs(), fleetwright::report::chain(&error))
        };
        took("/vcns").await;
        // The next one is tried once, and then nobody is asked for a while.
        let (once, _) = took("/subnets").await;
        assert!(once <= 30, "{once}s");
        let (at_once, said) = took("/subnets").await;
        assert_eq!(at_once, 0);
        assert!(said.contains("was not asked: it did not answer moments ago"), "{said}");
        let mut answered = false;
        for _ in 0..20 {
            tokio::time::advance(Duration::from_secs(20)).await;
            answered |= client.call(call(Method::GET, "/vcns")).await.is_ok();
        }
        assert!(answered);
    }
}

#[tokio::test(start_paused = true)]
async fn what_alone_can_not_be_read_keeps_nobody_from_the_rest() {
    let script = Script::new(|_, request| match request.uri().path().ends_with("/broken") {
        true => refusal(500, "InternalError", &[]),
        false => answer(200, &[], &json!([])),
    });
    let client = script.client();
    for _ in 0..3 {
        client.call(call(Method::GET, "/broken")).await.expect_err("it fails");
        client.call(call(Method::GET, "/vcns")).await.expect("an answer");
    }
}

#[tokio::test(start_paused = true)]
async fn lists_go_to_their_end() {
    let script = Script::new(|n, _| match n {
        1 => answer(200, &[("opc-next-page", "p 2")], &json!([1, 2])),
        2 => answer(200, &[("opc-next-page", "p3")], &json!([])),
        3 => answer(200, &[("opc-next-page", "p4")], &json!({"items": [3]})),
        4 => answer(200, &[("opc-next-page", "")], &json!([4])),
        _ => refusal(400, "InvalidParameter", &[]),
    });
    let mut list = call(Method::GET, "/vcns");
    list.query = vec![("limit", "2".to_owned())];
    let items = script.client().list(list).await.expect("a list");
    assert_eq!(items, [json!(1), json!(2), json!(3), json!(4)]);
    let queries: Vec<String> = script
        .seen()
        .iter()
        .map(|seen| seen.uri().query().unwrap().to_owned())
        .collect();
    assert_eq!(
        queries,
        ["limit=2", "limit=2&page=p%202", "limit=2&page=p3", "limit=2&page=p4"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_that_has_no_end_or_is_none_is_an_error() {
    let script = Script::new(|n, _| answer(200, &[("opc-next-page", ["a", "b"][n % 2])], &json!([n])));
    let error = script
        .client()
        .list(call(Method::GET, "/vcns"))
        .await
        .expect_err("it goes round");
    assert!(matches!(error, OciError::Nonsense { .. }), "{error:?}");
    assert_eq!(script.seen().len(), 3);
    for body in [json!({"id": "x"}), Value::Null, json!("text")] {
        let script = Script::new(move |_, _| answer(200, &[], &body));
        assert!(script.client().list(call(Method::GET, "/vcns")).await.is_err());
    }
    // The last page failing loses the list: known in part is not known.
    let script = Script::new(|n, _| match n {
        1 => answer(200, &[("opc-next-page", "b")], &json!([1])),
        _ => refusal(404, "NotAuthorizedOrNotFound", &[]),
    });
    let error = script
        .client()
        .list(call(Method::GET, "/vcns"))
        .await
        .expect_err("a page is lost");
    assert!(error.is_not_found());
}

#[tokio::test(start_paused = true)]
async fn what_is_fresh_is_waited_for_only_where_asked() {
    let script = || {
        Script::new(|n, _| match n {
            1 => refusal(404, "NotAuthorizedOrNotFound", &[]),
            2 => refusal(400, "RelatedResourceNotAuthorizedOrNotFound", &[]),
            _ => answer(200, &[], &json!({})),
        })
    };
    let eager = script();
    let error = eager
        .client()
        .call(call(Method::GET, "/vcns/x"))
        .await
        .expect_err("not there");
    assert!(error.is_not_found() && !error.outcome_unknown());
    assert_eq!(eager.seen().len(), 1);
    let patient = script();
    patient
        .client()
        .call_fresh(call(Method::POST, "/subnets"))
        .await
        .expect("an answer");
    assert_eq!(patient.seen().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_what_a_caller_and_oracle_need() {
    let script = Script::new(|_, _| {
        answer(
            412,
            &[("opc-request-id", "abc/def")],
            &json!({"code": "NoEtagMatch", "message": "etag\nof ST$eyJsecret differs", "other": "eyJsecret"}),
        )
    });
    let error = script
        .client()
        .call(call(Method::DELETE, "/vcns/x"))
        .await
        .expect_err("stale");
    assert!(error.is_stale() && !error.is_conflict() && !error.is_not_found());
    assert_eq!(error.code(), Some("NoEtagMatch"));
    assert_eq!(
        error.to_string(),
        "Some was refused with 412 NoEtagMatch: etag of (redacted) differs (opc-request-id abc/def)"
    );
    assert!(!chain(&error).contains("eyJsecret"));
    // A body that isn't OCI's is not shown.
    let script = Script::new(|_, _| {
        Some(Ok(http::Response::builder()
            .status(400)
            .body("secret page".into())
            .unwrap()))
    });
    let error = script
        .client()
        .call(call(Method::GET, "/vcns/x"))
        .await
        .expect_err("refused");
    assert!(!chain(&error).contains("secret"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_wrong_is_named() {
    let now: Timestamp = "2026-05-04T03:20:00Z".parse().unwrap();
    let refused = |date: &'static str| {
        let script = Script::new(move |_, _| refusal(401, "NotAuthenticated", &[("date", date)]));
        let mut options = script.options();
        options.now = Arc::new(move || now);
        async move {
            Client::new(options)
                .call(call(Method::GET, "/vcns"))
                .await
                .expect_err("refused")
                .to_string()
        }
    };
    let ahead = refused("Mon, 04 May 2026 03:10:00 GMT").await;
    assert!(ahead.contains("clock is 600s ahead"), "{ahead}");
    let behind = refused("Mon, 04 May 2026 03:30:00 GMT").await;
    assert!(behind.contains("clock is 600s behind"), "{behind}");
    let right = refused("Mon, 04 May 2026 03:16:00 GMT").await;
    assert!(!right.contains("clock"), "{right}");
}

#[tokio::test(start_paused = true)]
async fn the_budget_is_kept_and_counted() {
    let script = Script::new(|_, _| answer(200, &[], &json!([])));
    let mut options = script.options();
    options.budget = Some(Rate {
        per_second: 10.0,
        burst: 20,
    });
    let client = Client::new(options);
    let begun = Instant::now();
    let calls = (0..50).map(|_| client.call(call(Method::GET, "/vcns")));
    for sent in futures::future::join_all(calls).await {
        sent.expect("an answer");
    }
    let passed = begun.elapsed().as_secs_f64();
    assert!((2.9..3.2).contains(&passed), "30 calls past the burst took {passed} s");
    let counts = client.counts();
    // Each of 30 callers waited a tenth longer than the one before.
    assert!(
        (45.0..48.0).contains(&counts.waited.as_secs_f64()),
        "{:?}",
        counts.waited
    );
    let purse = Purse {
        tenancy: TENANCY.to_owned(),
        region: REGION.to_owned(),
    };
    assert_eq!(counts.left, BTreeMap::from([(purse, 0)]));
    // Waiting for the budget is not the service's being slow.
    let mut options = script.options();
    options.budget = Some(Rate {
        per_second: 0.001,
        burst: 1,
    });
    let client = Client::new(options);
    for _ in 0..2 {
        client.call(call(Method::GET, "/vcns")).await.expect("an answer");
    }
}

#[tokio::test(start_paused = true)]
async fn clients_that_share_a_budget_wait_for_each_other() {
    let script = Script::new(|_, _| answer(200, &[], &json!([])));
    let shared = Arc::new(Budget::new(Rate {
        per_second: 10.0,
        burst: 20,
    }));
    let client = || {
        let mut options = script.options();
        options.shared_budget = Some(shared.clone());
        Client::new(options)
    };
    let clients = [client(), client()];
    let begun = Instant::now();
    let calls = (0..50).map(|n: usize| clients[n % 2].call(call(Method::GET, "/vcns")));
    for sent in futures::future::join_all(calls).await {
        sent.expect("an answer");
    }
    let passed = begun.elapsed().as_secs_f64();
    assert!((2.9..3.2).contains(&passed), "30 calls past the burst took {passed} s");
    assert_eq!(clients[0].counts().left, clients[1].counts().left);
    // One that is made later, as for a new revision, does not begin with a full one.
    client().call(call(Method::GET, "/vcns")).await.expect("an answer");
    assert!(begun.elapsed().as_secs_f64() > passed + 0.05);
}

#[tokio::test(start_paused = true)]
async fn each_tenancy_has_its_own_identity() {
    const OTHER: &str = "ocid1.tenancy.oc1..bbbb";
    let script = Script::new(|_, _| answer(200, &[], &json!({})));
    let place = |tenancy: &str| {
        let mut call = call(Method::GET, "/vcns");
        call.place = Place {
            tenancy: Some(tenancy.to_owned()),
            ..call.place
        };
        call
    };
    let client = script.client();
    client
        .call(place(TENANCY))
        .await
        .expect("the default one is of this tenancy");
    let error = client
        .call(place(OTHER))
        .await
        .expect_err("the default one is of another");
    assert!(chain(&error).contains(OTHER), "{error:?}");
    assert_eq!(script.seen().len(), 1, "nothing is sent with another's key");

    let mut options = script.options();
    options.credentials.insert(OTHER.to_owned(), Given::new(&[KEY_B]));
    Client::new(options).call(place(OTHER)).await.expect("it has its own");
    let request = script.seen().pop().unwrap();
    let known = verify(&request, Of::Service, Timestamp::now(), |_| Some(public_der(KEY_B)));
    assert_eq!(known, Ok(key_id("u", &key(KEY_B))));

    let mut options = script.options();
    options.default_credentials = None;
    let error = Client::new(options)
        .call(call(Method::GET, "/vcns"))
        .await
        .expect_err("nobody");
    assert!(matches!(error, OciError::Credentials { .. }) && !error.outcome_unknown());
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_replaced_is_tried_once_more() {
    let new = key_id("u", &key(KEY_B));
    let known = new.clone();
    let script = Script::new(move |_, request| {
        let good = verify(request, Of::Service, Timestamp::now(), |id| {
            (id == known).then(|| public_der(KEY_B))
        });
        match good {
            Ok(_) => answer(200, &[], &json!({})),
            Err(_) => refusal(401, "NotAuthenticated", &[]),
        }
    });
    let mut options = script.options();
    options.default_credentials = Some(Given::new(&[KEY_A, KEY_B]));
    let client = Client::new(options);
    // Signed by nobody's key at first; an action is signed again as well, since it was refused.
    client
        .call(call(Method::POST, "/x/actions/connect"))
        .await
        .expect("an answer");
    client.call(call(Method::GET, "/vcns")).await.expect("an answer");
    assert_eq!(script.seen().len(), 3);
    // Where there is no other key the refusal stands.
    let script = Script::new(|_, _| refusal(401, "NotAuthenticated", &[]));
    let error = script
        .client()
        .call(call(Method::GET, "/vcns"))
        .await
        .expect_err("refused");
    assert!(error.is_unauthorized());
    assert_eq!(script.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_sent_is_not() {
    let script = Script::new(|_, _| answer(200, &[], &json!({})));
    let client = script.client();
    let mut long = call(Method::POST, "/vcns");
    long.retry_token = Some("t".repeat(65));
    let mut split = call(Method::PUT, "/vcns/x");
    split.if_match = Some("a\r\nb: c".to_owned());
    let mut nowhere = call(Method::GET, "/vcns");
    nowhere.place.region = "eu-nowhere-1".to_owned();
    for call in [long, split, nowhere, call(Method::GET, "/vcns/../drgs")] {
        let error = client.call(call).await.expect_err("it makes no sense");
        assert!(!error.outcome_unknown(), "{error:?}");
    }
    assert!(script.seen().is_empty());
    assert!(!format!("{client:?}").contains("PRIVATE"), "{client:?}");
}
