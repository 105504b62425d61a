//! Verifies request signatures by what a server sees alone; shares no code with what made them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request};
use jiff::Timestamp;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use rsa::RsaPublicKey;
use rsa::pkcs1::EncodeRsaPublicKey as _;
use rsa::pkcs8::DecodePublicKey as _;

/// Which headers must be signed.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Of {
    /// A service's.
    Service,
    /// The auth service's, where the host is not signed.
    Auth,
}

/// The key id, where the signature is good at `now`; `public` finds the DER form of a key id's public key.
pub(super) fn verify(
    request: &Request<Bytes>,
    of: Of,
    now: Timestamp,
    public: impl Fn(&str) -> Option<Vec<u8>>,
) -> Result<String, String> {
    let header = |name: &str| {
        let mut values = request.headers().get_all(name).iter();
        let value = values.next()?.to_str().ok()?;
        values.next().is_none().then(|| value.to_owned())
    };
    let authorization = header("authorization").ok_or("no authorization")?;
    let fields = authorization.strip_prefix("Signature ").ok_or("not a signature")?;
    let field = |name: &str| {
        fields
            .split(',')
            .find_map(|field| field.trim().strip_prefix(name)?.strip_prefix("=\"")?.strip_suffix('"'))
            .ok_or_else(|| format!("no {name}"))
    };
    if field("version")? != "1" || field("algorithm")? != "rsa-sha256" {
        return Err("another version or algorithm".to_owned());
    }
    let signed: Vec<&str> = field("headers")?.split(' ').collect();
    let date = if signed.contains(&"x-date") { "x-date" } else { "date" };
    let mut needed = vec![date, "(request-target)"];
    if of == Of::Service {
        needed.push("host");
    }
    if matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH) {
        needed.extend(["content-length", "content-type", "x-content-sha256"]);
        let digest = ring::digest::digest(&ring::digest::SHA256, request.body());
        if header("x-content-sha256") != Some(STANDARD.encode(digest)) {
            return Err("the body has another digest".to_owned());
        }
        if header("content-length") != Some(request.body().len().to_string()) {
            return Err("the body has another length".to_owned());
        }
    }
    if let Some(missing) = needed.iter().find(|name| !signed.contains(name)) {
        return Err(format!("{missing} is not signed"));
    }
    let dated = header(date).ok_or("no date")?;
    let dated = jiff::fmt::rfc2822::parse(&dated).map_err(|error| error.to_string())?;
    if now.duration_since(dated.timestamp()).abs().as_secs() > 300 {
        return Err("the date is too far off".to_owned());
    }
    let mut lines = Vec::new();
    for name in &signed {
        let value = if *name == "(request-target)" {
            let target = request.uri().path_and_query().ok_or("no path")?;
            format!("{} {target}", request.method().as_str().to_lowercase())
        } else {
            header(name).ok_or_else(|| format!("no {name}, or several"))?
        };
        lines.push(format!("{name}: {value}"));
    }
    let key_id = field("keyId")?;
    let public = public(key_id).ok_or_else(|| format!("nobody is known as {key_id}"))?;
    let public = RsaPublicKey::from_public_key_der(&public).map_err(|error| error.to_string())?;
    let public = public.to_pkcs1_der().map_err(|error| error.to_string())?;
    let signature = STANDARD
        .decode(field("signature")?)
        .map_err(|error| error.to_string())?;
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public.as_bytes())
        .verify(lines.join("\n").as_bytes(), &signature)
        .map_err(|_| "the signature does not fit".to_owned())?;
    Ok(key_id.to_owned())
}

/// The DER form of a private key's public key.
pub(super) fn public_der(pem: &str) -> Vec<u8> {
    use rsa::pkcs8::{DecodePrivateKey as _, EncodePublicKey as _};
    let key = rsa::RsaPrivateKey::from_pkcs8_pem(pem).expect("a key");
    key.to_public_key()
        .to_public_key_der()
        .expect("its DER form")
        .into_vec()
}
