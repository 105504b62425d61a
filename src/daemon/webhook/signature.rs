//! What proves where a webhook comes from.
//!
//! Invariant: pure; each comparison takes the same time whatever is compared.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use ring::hmac;

use crate::resource::Secret;

/// What a request brings along.
#[derive(Clone, Copy)]
pub(super) enum Proof<'a> {
    /// HMAC-SHA256 of the body, in hex.
    Hex(&'a [u8]),
    /// HMAC-SHA256 of `id.time.body`, in base64 after `v1,`; several ones while a secret is exchanged. The time is not
    /// looked at: what is sent again does no harm.
    Standard {
        id: &'a [u8],
        time: &'a [u8],
        signatures: &'a [u8],
    },
    /// The secret itself.
    Token(&'a [u8]),
}

/// A secret in this form is a key in base64.
const KEY: &str = "whsec_";

impl<'a> Proof<'a> {
    /// The strongest of those that the headers hold. Gitea sends that of GitHub too.
    pub(super) fn of(headers: &'a HeaderMap) -> Option<Self> {
        let header = |name: &str| headers.get(name).map(|value| value.as_bytes());
        for name in ["x-hub-signature-256", "x-gitea-signature", "x-signature-256"] {
            if let Some(value) = header(name) {
                return Some(Self::Hex(value.strip_prefix(b"sha256=").unwrap_or(value)));
            }
        }
        if let (Some(signatures), Some(id), Some(time)) = (
            header("webhook-signature"),
            header("webhook-id"),
            header("webhook-timestamp"),
        ) {
            return Some(Self::Standard { id, time, signatures });
        }
        header("x-gitlab-token").map(Self::Token)
    }

    /// Whether it was made with the secret, for this body.
    pub(super) fn holds(self, secret: &Secret, body: &[u8]) -> bool {
        let secret = secret.expose().as_bytes();
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        match self {
            Self::Hex(text) => from_hex(text).is_some_and(|tag| hmac::verify(&key, body, &tag).is_ok()),
            Self::Standard { id, time, signatures } => {
                let Some(key) = standard_key(secret) else { return false };
                let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
                let message = [id, b".", time, b".", body].concat();
                signatures
                    .split(|byte| *byte == b' ')
                    .take(8)
                    .filter_map(|one| STANDARD.decode(one.strip_prefix(b"v1,")?).ok())
                    .any(|tag| hmac::verify(&key, &message, &tag).is_ok())
            }
            // Compared by what they make of a text, which takes the same time for all of them.
            Self::Token(token) => {
                let theirs = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, token), b"token");
                hmac::verify(&key, b"token", theirs.as_ref()).is_ok() && token.len() == secret.len()
            }
        }
    }
}

/// The key of a secret `whsec_…`; that of any other is its text.
fn standard_key(secret: &[u8]) -> Option<Vec<u8>> {
    match secret.strip_prefix(KEY.as_bytes()) {
        Some(encoded) => STANDARD.decode(encoded).ok().filter(|key| !key.is_empty()),
        None => Some(secret.to_vec()),
    }
}

fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    if text.len() != 64 {
        return None;
    }
    text.chunks_exact(2)
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 2, with a longer key than the file of a secret may have.
    const KEY: &str = "Jefe";
    const BODY: &[u8] = b"what do ya want for nothing?";
    const TAG: &str = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";

    fn holds(headers: &[(&'static str, &str)], secret: &str, body: &[u8]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        Proof::of(&map).is_some_and(|proof| proof.holds(&Secret::new(secret), body))
    }

    #[test]
    fn signatures_of_each_server_hold_for_their_body_alone() {
        let prefixed = format!("sha256={TAG}");
        for headers in [
            [("x-hub-signature-256", prefixed.as_str())],
            [("x-gitea-signature", TAG)],
            [("x-signature-256", prefixed.as_str())],
            [("x-signature-256", TAG)],
        ] {
            assert!(holds(&headers, KEY, BODY), "{headers:?}");
            assert!(!holds(&headers, "Jefa", BODY), "{headers:?}");
            assert!(!holds(&headers, KEY, b"something else"), "{headers:?}");
        }
        for bad in [
            "",
            "sha256=",
            &TAG[..62],
            &TAG.replace('5', "g"),
            &format!("{TAG}00"),
            "ü",
        ] {
            assert!(!holds(&[("x-hub-signature-256", bad)], KEY, BODY), "{bad}");
        }
        assert!(!holds(&[], KEY, BODY));
    }

    #[test]
    fn a_token_is_compared_as_a_whole() {
        assert!(holds(&[("x-gitlab-token", KEY)], KEY, BODY));
        for bad in ["", "Jef", "Jefe ", "jefe", "Jefe\0"] {
            let mut map = HeaderMap::new();
            let Ok(value) = http::HeaderValue::from_bytes(bad.as_bytes()) else {
                continue;
            };
            map.insert("x-gitlab-token", value);
            let proof = Proof::of(&map).unwrap();
            assert!(!proof.holds(&Secret::new(KEY), BODY), "{bad}");
        }
    }

    #[test]
    fn signed_ids_and_times_hold_with_a_key_in_base64_or_a_text() {
        let key = b"0123456789abcdef0123456789abcdef";
        let message = [b"msg.1700000000.".as_slice(), BODY].concat();
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), &message);
        let old = format!("v1,{} v1,{}", STANDARD.encode([0; 32]), STANDARD.encode(tag));
        let headers = |id| {
            [
                ("webhook-id", id),
                ("webhook-timestamp", "1700000000"),
                ("webhook-signature", old.as_str()),
            ]
        };
        let secret = format!("whsec_{}", STANDARD.encode(key));
        assert!(holds(&headers("msg"), &secret, BODY));
        assert!(holds(&headers("msg"), std::str::from_utf8(key).unwrap(), BODY));
        assert!(!holds(&headers("other"), &secret, BODY));
        assert!(!holds(&headers("msg"), "whsec_", BODY));
        // Without the id there is nothing to check.
        assert!(!holds(&headers("msg")[1..], &secret, BODY));
    }

    #[test]
    fn a_token_does_not_stand_in_for_a_signature_that_is_wrong() {
        assert!(!holds(
            &[("x-gitea-signature", "00"), ("x-gitlab-token", KEY)],
            KEY,
            BODY
        ));
    }
}
