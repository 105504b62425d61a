//! The transport over real sockets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use fleetwright::providers::oci::api::Exchange as _;
use fleetwright::providers::oci::client::{Client, Options};
use fleetwright::providers::oci::endpoint::Endpoints;
use fleetwright::providers::oci::error::OciError;
use fleetwright::providers::oci::transport::{Https, HttpsOptions, NotSent};
use http::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::cloud::{Cloud, Server, https, serve};
use super::{Given, KEY_A, call};
use crate::support::tls_config;

fn client(address: &str, attempts: u32) -> Client {
    let mut options = Options::new(https());
    options.default_credentials = Some(Given::new(&[KEY_A]));
    options.endpoints = Endpoints::new().with_all(address).expect("an address");
    options.attempts = attempts;
    Client::new(options)
}

#[tokio::test]
async fn what_is_sent_over_a_socket_verifies() {
    let (cloud, server) = Cloud::start().await;
    let id = cloud.state.lock().unwrap().know_only("u", KEY_A);
    let client = cloud.client(&server, Given::new(&[KEY_A]));
    let mut list = call(Method::GET, "/vcns");
    list.query = vec![("displayName", "a b+ü/&=*'()".to_owned())];
    let mut create = call(Method::POST, "/vcns");
    create.body = Some(json!({"displayName": "ü"}));
    let mut update = call(Method::PUT, "/vcns/x%2F%C3%BC");
    update.body = Some(json!({}));
    let action = call(Method::POST, "/drgs/x/actions/upgrade");
    for call in [list, create, update, action, call(Method::DELETE, "/vcns/x")] {
        client.call(call).await.expect("its signature is good");
    }
    assert_eq!(cloud.state.lock().unwrap().let_in, vec![id; 5]);
}

#[tokio::test]
async fn a_connection_that_breaks_leaves_the_outcome_open() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().unwrap());
    let breaking = tokio::spawn(async move {
        let mut seen = 0;
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 1024];
            let _read = stream.read(&mut head).await;
            seen += 1;
            // The first answer is cut off, the second never begins.
            if seen == 1 {
                let _written = stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"id\"")
                    .await;
            }
            if seen == 2 {
                break;
            }
        }
        seen
    });
    let action = call(Method::POST, "/x/actions/connect");
    for _ in 0..2 {
        let error = client(&address, 8)
            .call(action.clone())
            .await
            .expect_err("no whole answer");
        assert!(matches!(error, OciError::Transport { sent: true, .. }), "{error:?}");
        assert!(error.outcome_unknown());
    }
    assert_eq!(breaking.await.unwrap(), 2);
    // Nobody listens any more: then nothing was sent.
    let error = client(&address, 1).call(action).await.expect_err("nobody is there");
    assert!(matches!(error, OciError::Transport { sent: false, .. }), "{error:?}");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let asked = Arc::new(AtomicU32::new(0));
    let count = asked.clone();
    let server = Server::start(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Response::builder()
            .status(307)
            .header("location", "/elsewhere")
            .body(Bytes::new())
            .unwrap()
    })
    .await;
    let error = client(&server.address, 8)
        .call(call(Method::GET, "/vcns"))
        .await
        .expect_err("no answer");
    assert_eq!((error.status(), asked.load(Ordering::SeqCst)), (Some(307), 1));
}

#[tokio::test]
async fn nothing_goes_far_without_tls() {
    let request = Request::get("http://192.0.2.1/20160918/vcns")
        .body(Bytes::new())
        .unwrap();
    let error = https().exchange(request).await.expect_err("it is far");
    assert!(error.is::<NotSent>(), "{error:?}");
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_and_no_other() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("https://{}", listener.local_addr().unwrap());
    let acceptor = tokio_rustls::TlsAcceptor::from(tls_config());
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    serve(TokioIo::new(stream), |_| Response::new("{}".into())).await;
                }
            });
        }
    });
    client(&address, 1)
        .call(call(Method::GET, "/vcns"))
        .await
        .expect("it is trusted");
    let other = include_bytes!("keys/stranger.pem").to_vec();
    let stranger = Https::new(&HttpsOptions {
        authority: Some(other),
        ..HttpsOptions::default()
    })
    .expect("a transport");
    let error = stranger
        .exchange(Request::get(&address).body(Bytes::new()).unwrap())
        .await;
    assert!(error.is_err_and(|error| error.is::<NotSent>()));
    for nothing in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let none = Https::new(&HttpsOptions {
            authority: Some(nothing.into()),
            ..HttpsOptions::default()
        });
        assert!(none.is_err());
    }
    serving.abort();
}
