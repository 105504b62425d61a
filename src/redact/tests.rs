//! What is taken out, and what is left as it is.

use std::io::Write as _;

use proptest::prelude::*;
use serde_json::json;

use super::*;

const JWT: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl";

#[test]
fn what_has_the_shape_of_a_secret_is_taken_out_and_what_is_around_it_stays() {
    let pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIEabc+/=\nZZZ\n-----END RSA PRIVATE KEY-----\n";
    let cases = [
        (
            pem.to_owned(),
            "-----BEGIN RSA PRIVATE KEY-----(redacted)-----END RSA PRIVATE KEY-----\n",
        ),
        (
            "got -----BEGIN PRIVATE KEY-----\nMIIabc".to_owned(),
            "got -----BEGIN PRIVATE KEY-----(redacted)",
        ),
        (
            r#"{"key":"-----BEGIN EC PRIVATE KEY-----\nMII\n-----END EC PRIVATE KEY-----\n","b":1}"#.to_owned(),
            r#"{"key":"-----BEGIN EC PRIVATE KEY-----(redacted)-----END EC PRIVATE KEY-----\n","b":1}"#,
        ),
        (format!("token {JWT} is bad"), "token (redacted) is bad"),
        (
            format!("Authorization: Bearer {JWT}"),
            "Authorization: Bearer (redacted)",
        ),
        (
            "authorization: Basic dXNlcjpwYXNz, more".to_owned(),
            "authorization: Basic (redacted), more",
        ),
        ("keyId ST$abc.def-g bad".to_owned(), "keyId (redacted) bad"),
        (
            "https://me:hunter2@git.example/x.git".to_owned(),
            "https://me:(redacted)@git.example/x.git",
        ),
        ("pass_phrase=hunter2".to_owned(), "pass_phrase=(redacted)"),
        ("db_password = hunter-two\n".to_owned(), "db_password = (redacted)\n"),
        (
            "MYSQL_PWD=hunter-two PWD=/home/me".to_owned(),
            "MYSQL_PWD=(redacted) PWD=/home/me",
        ),
        (
            "https://hooks.slack.com/services/T01/B02/abcdef".to_owned(),
            "https://hooks.slack.com/services/(redacted)",
        ),
        (
            "https://objectstorage.r.oraclecloud.com/p/kJ3xTqLz_Vb9WmYc7RnHsPdG/n/ns/b/b/o/x".to_owned(),
            "https://objectstorage.r.oraclecloud.com/p/(redacted)/n/ns/b/b/o/x",
        ),
        (
            "https://x.example/s?a=b&sig=aGVsbG93b3Js%3D&c=d".to_owned(),
            "https://x.example/s?a=b&sig=(redacted)&c=d",
        ),
        (
            "https://x.example/s?token=abcdef123456".to_owned(),
            "https://x.example/s?token=(redacted)",
        ),
        (
            "dial: password=hunter2&user=me".to_owned(),
            "dial: password=(redacted)&user=me",
        ),
        (r#"{"password":"hun ter"}"#.to_owned(), r#"{"password":"(redacted)"}"#),
        (
            r#"{"m":"{\"password\":\"hunter2\"}"}"#.to_owned(),
            r#"{"m":"{\"password\":\"(redacted)\"}"}"#,
        ),
        (
            r#"{"auths":{"quay.io":{"auth":"dXNlcjpwYXNz"}}}"#.to_owned(),
            r#"{"auths":{"quay.io":{"auth":"(redacted)"}}}"#,
        ),
        (
            ".dockerconfigjson: eyJhdXRocyI6eyJxdWF5LmlvIjp7fX19".to_owned(),
            ".dockerconfigjson: (redacted)",
        ),
        (
            "client-key-data: LS0tLS1CRUdJTiBSU0E=".to_owned(),
            "client-key-data: (redacted)",
        ),
        ("token: abcdefghijklmnop0".to_owned(), "token: (redacted)"),
        (
            "push with ghp_0123456789abcdefghij failed".to_owned(),
            "push with (redacted) failed",
        ),
        ("sha256~0123456789abcdefghijklmnopqrstuvwxyz_-".to_owned(), "(redacted)"),
    ];
    for (text, wanted) in cases {
        assert_eq!(redacted(&text), wanted, "{text}");
        assert_eq!(redacted(wanted), wanted, "what was redacted stays as it is");
    }
}

#[test]
fn what_is_no_secret_goes_out_as_it_is() {
    for text in [
        "ocid1.vcn.oc1.iad.amaaaaaa2u5cspya5hnhyovhpx3ghnhwg6vdxyayizegovlt5emkvnqfbquq",
        "quay.io/ocp-release@sha256:8f4e6a0b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b",
        "opc-request-id 06C45D188009454FF88BB8A8724C81EC/EE28ABC8ED2F8B999AE25B2397F22778",
        "-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBaMQswCQYDVQQGEwJJ\n-----END CERTIFICATE-----",
        "the password: it is missing; a passphrase: none was given",
        "set GITHUB_TOKEN in the environment; --git-token-file FILE; token: is bad",
        "~ .data..dockerconfigjson: \"(sensitive 70b0687f)\" → \"(sensitive 65f970f0)\"",
        "pullSecret: {from: fleetwright/pull-secret}",
        "http://127.0.0.1:8080/status, ssh://git@host:22/x",
        "fingerprint=20:3b:97:13:55:1c:5b:0d:d3:37:d8:50:4e:c5:3a:34",
    ] {
        assert!(matches!(redacted(text), Cow::Borrowed(_)), "{text}: {}", redacted(text));
    }
}

#[test]
fn what_was_remembered_is_taken_out_in_every_form() {
    let pem = "-----BEGIN CANARY-----\nbGluZS1vbmUtb2YtdGhlLWtleQ\nbGluZS10d28tb2YtdGhlLWtleQ\n-----END CANARY-----";
    remember(pem);
    remember("the-canary-in-the-mine");
    remember("short");
    remember("kind: Mine\nshafts: [{name: of-the-canary}]\n");
    let escaped = json!({ "m": pem }).to_string();
    assert!(!redacted(&escaped).contains("bGluZS"), "{}", redacted(&escaped));
    assert_eq!(redacted("a the-canary-in-the-mine b"), "a (redacted) b");
    // As a Secret's data has it.
    assert_eq!(redacted("a: dGhlLWNhbmFyeS1pbi10aGUtbWluZQ=="), "a: (redacted)==");
    for text in ["a short b", "kind: Mine", "shafts: [{name: of-the-canary}]"] {
        assert_eq!(redacted(text), text);
    }
    let mut value = json!({"a": ["the-canary-in-the-mine"], "b": 1});
    redact_value(&mut value);
    assert_eq!(value, json!({"a": ["(redacted)"], "b": 1}));
}

#[test]
fn a_writer_redacts_each_message() {
    let mut out = Vec::new();
    let mut writer = Redacting(&mut out);
    writer.write_all(b"password=hunter2\n").unwrap();
    writer.write_all(&[0xff, b'\n']).unwrap();
    assert_eq!(out, b"password=(redacted)\n\xff\n");
}

proptest! {
    /// A password anywhere in a document: it is gone, and the document is one still.
    #[test]
    fn json_stays_json_without_its_secrets(before in ".{0,40}", secret in "[a-z]{6,12}[0-9]{3,8}", after in ".{0,40}", pretty: bool) {
        let document = json!({"a": format!("{before} password={secret} {after}"), "password": secret, "b": [before, after]});
        let text = if pretty { serde_json::to_string_pretty(&document).unwrap() } else { document.to_string() };
        let clean = redacted(&text);
        prop_assert!(!clean.contains(&secret), "{clean}");
        prop_assert!(serde_json::from_str::<Value>(&clean).is_ok(), "{clean}");
    }

    /// Once is enough.
    #[test]
    fn what_was_redacted_stays(text in "(password=|token: |://a:|eyJ|[a-z0-9@\"'. ]){0,30}") {
        let once = redacted(&text).into_owned();
        prop_assert_eq!(redacted(&once), once.clone());
    }
}
