use std::sync::{Arc, Mutex};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;
use crate::http_server::{Api, Request, Response, Server, full};

/// Keeps what it is sent.
#[derive(Default)]
struct Collector(Mutex<Vec<(String, Vec<u8>)>>);

impl Api for Collector {
    fn call(&self, request: Request) -> BoxFuture<'_, Response> {
        let path = request.uri().path().to_owned();
        self.0.lock().unwrap().push((path, request.into_body().to_vec()));
        std::future::ready(Response::new(full(""))).boxed()
    }
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let (first, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            break;
        }
    }
    value
}

/// The fields of a message in protobuf that have this number and a length.
fn fields(mut bytes: &[u8], wanted: u64) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let length = match key & 7 {
            0 => {
                varint(&mut bytes);
                continue;
            }
            1 => 8,
            2 => usize::try_from(varint(&mut bytes)).unwrap(),
            5 => 4,
            other => panic!("wire type {other}"),
        };
        let (field, rest) = bytes.split_at(length);
        bytes = rest;
        if key & 7 == 2 && key >> 3 == wanted {
            found.push(field);
        }
    }
    found
}

/// Names of the spans in an export, by the numbers of OTLP: request → resource spans → scope spans → spans → name.
fn names(export: &[u8]) -> Vec<String> {
    let mut found = vec![export];
    for number in [1, 2, 2, 5] {
        found = found.into_iter().flat_map(|message| fields(message, number)).collect();
    }
    found
        .into_iter()
        .map(|name| String::from_utf8(name.to_vec()).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_our_spans_and_those_of_nobody_else() {
    let collector = Arc::new(Collector::default());
    let server = Server::start(collector.clone(), 0).await.unwrap();
    let traces = Traces::to(Some(format!("http://{}/v1/traces", server.address()))).unwrap();
    let subscriber = tracing_subscriber::registry().with(traces.layer());
    tracing::subscriber::with_default(subscriber, || {
        let _batch = tracing::info_span!("batch", revision = "r1").entered();
        let _call = tracing::trace_span!("kubernetes", method = "GET", path = "/api").entered();
        let _foreign = tracing::info_span!(target: "hyper", "foreign").entered();
    });
    tokio::task::spawn_blocking(move || drop(traces)).await.unwrap();
    server.end().await;
    let sent = collector.0.lock().unwrap();
    let names: Vec<String> = sent.iter().flat_map(|(_, export)| names(export)).collect();
    assert_eq!(names, ["kubernetes", "batch"]);
    assert!(sent.iter().all(|(path, _)| path == "/v1/traces"), "{sent:?}");
    assert!(sent[0].1.windows(2).any(|bytes| bytes == b"r1"), "the attribute");
}

#[test]
fn nothing_waits_for_a_collector_that_is_not_there() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let traces = Traces::to(Some(format!("http://{address}/v1/traces"))).unwrap();
    let subscriber = tracing_subscriber::registry().with(traces.layer());
    tracing::subscriber::with_default(subscriber, || drop(tracing::info_span!("lost").entered()));
    // It comes to its end, whatever became of the span.
    drop(traces);
}
