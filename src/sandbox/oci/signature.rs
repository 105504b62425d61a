//! Request signatures: is this request from who it says it is from?
//!
//! Invariant: no request is answered whose signature does not cover what OCI demands: the request line, the host, the
//! date, and of a body its length, type and digest. There is no way around it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::call::Principal;
use super::identity::Keys;
use super::refusal::Refusal;
use crate::http_server::Request;

/// How far a request's date may be off.
const MAX_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// What an `Authorization` header says.
#[derive(Debug, Default)]
struct Authorization<'a> {
    version: &'a str,
    key_id: &'a str,
    algorithm: &'a str,
    headers: &'a str,
    signature: &'a str,
}

fn parse(header: &str) -> Option<Authorization<'_>> {
    let mut rest = header.strip_prefix("Signature ")?;
    let mut parsed = Authorization::default();
    loop {
        rest = rest.trim_start_matches([' ', ',']);
        if rest.is_empty() {
            return Some(parsed);
        }
        let (name, after) = rest.split_once("=\"")?;
        let (value, after) = after.split_once('"')?;
        rest = after;
        match name {
            "version" => parsed.version = value,
            "keyId" => parsed.key_id = value,
            "algorithm" => parsed.algorithm = value,
            "headers" => parsed.headers = value,
            "signature" => parsed.signature = value,
            _ => {}
        }
    }
}

/// Verifies a request, and gives its principal.
pub(super) fn verify(request: &Request, keys: &Keys, now: Timestamp) -> Result<Principal, Refusal> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let refuse = |why: &str| Refusal::unauthenticated(why);
    let authorization = header("authorization").ok_or_else(|| refuse("the request is not signed"))?;
    let Some(parsed) = parse(authorization).filter(|it| !it.key_id.is_empty() && !it.signature.is_empty()) else {
        return Err(refuse("the authorization header is no signature"));
    };
    if parsed.version != "1" || parsed.algorithm != "rsa-sha256" {
        return Err(refuse("the signature must be of version 1 and algorithm rsa-sha256"));
    }

    let signed: Vec<String> = parsed.headers.split_whitespace().map(str::to_ascii_lowercase).collect();
    let covers = |name: &str| signed.iter().any(|signed| signed == name);
    let has_body = matches!(request.method().as_str(), "POST" | "PUT" | "PATCH");
    let mut demanded = vec!["(request-target)", "host"];
    if has_body {
        demanded.extend(["content-length", "content-type", "x-content-sha256"]);
    }
    if let Some(name) = demanded.into_iter().find(|name| !covers(name)) {
        return Err(refuse(&format!("the signature does not cover {name}")));
    }
    let date = match (covers("x-date"), covers("date")) {
        (true, _) => header("x-date"),
        (false, true) => header("date"),
        (false, false) => return Err(refuse("the signature does not cover date or x-date")),
    };
    let date = date
        .and_then(|date| jiff::fmt::rfc2822::parse(date).ok())
        .ok_or_else(|| refuse("the date is no date"))?;
    if date.timestamp().duration_since(now).abs() > MAX_SKEW {
        return Err(refuse("the date is more than five minutes off"));
    }
    if has_body {
        let digest = STANDARD.encode(Sha256::digest(request.body()));
        if header("x-content-sha256") != Some(&digest) {
            return Err(refuse("x-content-sha256 is not the digest of the body"));
        }
        if header("content-length") != Some(&request.body().len().to_string()) {
            return Err(refuse("content-length is not the length of the body"));
        }
    }

    let mut lines = Vec::with_capacity(signed.len());
    for name in &signed {
        let value = match name.as_str() {
            "(request-target)" => {
                let target = request
                    .uri()
                    .path_and_query()
                    .map_or("/", http::uri::PathAndQuery::as_str);
                format!("{} {target}", request.method().as_str().to_ascii_lowercase())
            }
            other => header(other)
                .ok_or_else(|| refuse(&format!("the signature covers {other}, which is not sent")))?
                .to_owned(),
        };
        lines.push(format!("{name}: {value}"));
    }
    let signature = STANDARD.decode(parsed.signature).unwrap_or_default();
    keys.verify(parsed.key_id, lines.join("\n").as_bytes(), &signature)
        .cloned()
        .ok_or_else(|| refuse("the key is unknown, or the signature is not made with it"))
}
