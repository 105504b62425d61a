//! SSH signatures, and lists of the keys that may make them.
//!
//! Invariant: a line that can't be read is an error: it may have been the one that takes a key's time away.

use jiff::civil::DateTime;
use ssh_key::{HashAlg, PublicKey, SshSig, public::KeyData};

use super::{Claim, RSA_BITS, SignatureError, Signer, Validity};

/// The SSH keys that may sign.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    allowed: Vec<Allowed>,
    revoked: Vec<KeyData>,
}

#[derive(Clone, Debug)]
struct Allowed {
    /// Whose.
    name: String,
    key: KeyData,
    /// Patterns of namespaces; none: all.
    namespaces: Option<Vec<String>>,
    validity: Validity,
}

/// Why a list of SSH keys can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SshKeysError {
    /// A line says nothing that is understood.
    #[error("line {line}: {what}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// There is no key.
    #[error("there is no key: expected lines such as `name@example.org ssh-ed25519 AAAA…`")]
    Empty,
}

impl Keys {
    pub(super) fn is_empty(&self) -> bool {
        self.allowed.is_empty()
    }

    pub(super) fn add(&mut self, text: &str) -> Result<(), SshKeysError> {
        let mut added = Vec::new();
        for (line, content) in lines(text) {
            added.push(allowed(content).map_err(|what| SshKeysError::Line { line, what })?);
        }
        if added.is_empty() {
            return Err(SshKeysError::Empty);
        }
        self.allowed.extend(added);
        Ok(())
    }

    pub(super) fn revoke(&mut self, text: &str) -> Result<(), SshKeysError> {
        for (line, content) in lines(text) {
            let key = PublicKey::from_openssh(content).map_err(|_| SshKeysError::Line {
                line,
                what: "this is no public key",
            })?;
            self.revoked.push(key.key_data().clone());
        }
        Ok(())
    }
}

fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(number, line)| (number + 1, line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// `name [options] type key [comment]`
fn allowed(line: &str) -> Result<Allowed, &'static str> {
    let mut words = words(line).ok_or("a quotation mark is not closed")?.into_iter();
    let name = words.next().ok_or("expected a name")?;
    let mut next = words.next().ok_or("expected a key after the name")?;
    let mut namespaces = None;
    let mut validity = Validity::default();
    // Names of key types hold no comma and no `=`, options are nothing else.
    if !next.starts_with("ssh-") && !next.starts_with("ecdsa-") && !next.starts_with("sk-") {
        for option in split_options(&next) {
            let (key, value) = option.split_once('=').unwrap_or((option, ""));
            let value = value.trim_matches('"');
            match key.to_ascii_lowercase().as_str() {
                "namespaces" => namespaces = Some(value.split(',').map(str::to_owned).collect()),
                "valid-after" => validity.from = Some(time(value)?),
                "valid-before" => validity.until = Some(time(value)?),
                "cert-authority" => return Err("certificates of keys are not supported: name the keys themselves"),
                _ => return Err("unknown option: expected namespaces, valid-after or valid-before"),
            }
        }
        next = words.next().ok_or("expected a key after the options")?;
    }
    let data = words.next().ok_or("expected the key after its type")?;
    let key = PublicKey::from_openssh(&format!("{next} {data}")).map_err(|_| "this is no public key")?;
    Ok(Allowed {
        name: name.trim_matches('"').to_owned(),
        key: key.key_data().clone(),
        namespaces,
        validity,
    })
}

/// Parts between white space that is not quoted.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut is_quoted = false;
    for c in line.chars() {
        match c {
            '"' => {
                is_quoted = !is_quoted;
                word.push(c);
            }
            c if c.is_whitespace() && !is_quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    (!is_quoted).then_some(words)
}

/// Options between commas that are not quoted.
fn split_options(text: &str) -> Vec<&str> {
    let mut is_quoted = false;
    text.split(|c| {
        is_quoted ^= c == '"';
        c == ',' && !is_quoted
    })
    .collect()
}

/// `YYYYMMDD[HHMM[SS]][Z]`
fn time(text: &str) -> Result<i64, &'static str> {
    const WRONG: &str = "expected a time such as 20270131 or 20270131235959Z";
    let digits = text.strip_suffix('Z').unwrap_or(text);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) || !matches!(digits.len(), 8 | 12 | 14) {
        return Err(WRONG);
    }
    let whole = format!("{digits:0<14}");
    let at = DateTime::strptime("%Y%m%d%H%M%S", &whole).map_err(|_| WRONG)?;
    let zoned = at.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| WRONG)?;
    Ok(zoned.timestamp().as_second())
}

pub(super) fn verify(text: &str, claim: Claim<'_>, keys: &Keys, now: i64) -> Result<Signer, SignatureError> {
    let signature = SshSig::from_pem(text).map_err(|error| SignatureError::Unreadable(error.to_string()))?;
    let data = signature.public_key();
    let public = PublicKey::from(data.clone());
    let key = format!("SSH key {}", public.fingerprint(HashAlg::Sha256));
    if keys.revoked.contains(data) {
        return Err(SignatureError::Revoked(key));
    }
    let known: Vec<&Allowed> = keys.allowed.iter().filter(|allowed| allowed.key == *data).collect();
    if known.is_empty() {
        return Err(SignatureError::UnknownKey(key));
    }
    if signature.namespace() != claim.purpose {
        return Err(SignatureError::Purpose {
            key,
            wanted: claim.purpose.to_owned(),
            purpose: signature.namespace().escape_default().to_string(),
        });
    }
    if data.rsa().is_some_and(|rsa| bits(rsa.n.as_bytes()) < RSA_BITS) {
        let what = "its RSA key has fewer than 2048 bits";
        return Err(SignatureError::Weak { key, what });
    }
    if public.verify(claim.purpose, claim.payload, &signature).is_err() {
        return Err(SignatureError::Wrong(key));
    }
    // One key may be there twice, with times that follow each other.
    let mut refused = None;
    for allowed in known {
        match may_sign(allowed, &key, claim.purpose, &[claim.time, now]) {
            Ok(()) => {
                return Ok(Signer {
                    name: allowed.name.clone(),
                    key,
                    by_tag: claim.is_tag,
                });
            }
            Err(error) => refused = Some(error),
        }
    }
    Err(refused.unwrap_or(SignatureError::UnknownKey(key)))
}

fn may_sign(allowed: &Allowed, key: &str, purpose: &str, times: &[i64]) -> Result<(), SignatureError> {
    let is_for_it = |patterns: &Vec<String>| patterns.iter().any(|pattern| pattern == purpose || pattern == "*");
    if allowed.namespaces.as_ref().is_some_and(|patterns| !is_for_it(patterns)) {
        return Err(SignatureError::Purpose {
            key: key.to_owned(),
            wanted: purpose.to_owned(),
            purpose: allowed
                .namespaces
                .iter()
                .flatten()
                .cloned()
                .collect::<Vec<_>>()
                .join(","),
        });
    }
    allowed.validity.check(key, times)
}

fn bits(number: &[u8]) -> usize {
    let digits = number
        .iter()
        .position(|byte| *byte != 0)
        .map_or(&[][..], |first| &number[first..]);
    let first = digits.first().map_or(0, |byte| byte.leading_zeros() as usize);
    digits.len() * 8 - first
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    fn read(text: &str) -> Result<Keys, SshKeysError> {
        let mut keys = Keys::default();
        keys.add(text).map(|()| keys)
    }

    #[test]
    fn reads_lists_of_keys() {
        let keys = read(&format!(
            "# who\na@example.org {KEY} a comment\n\n\
             \"b@example.org\" namespaces=\"file,git\",valid-after=\"20260101\",valid-before=20270131235959Z {KEY}\n"
        ))
        .unwrap();
        assert_eq!(keys.allowed.len(), 2);
        assert_eq!(keys.allowed[0].validity, Validity::default());
        assert_eq!(keys.allowed[1].name, "b@example.org");
        assert_eq!(
            keys.allowed[1].namespaces,
            Some(vec!["file".to_owned(), "git".to_owned()])
        );
        let validity = Validity {
            from: Some(1_767_225_600),
            until: Some(1_801_439_999),
        };
        assert_eq!(keys.allowed[1].validity, validity);
    }

    #[test]
    fn what_is_not_understood_is_an_error_with_its_line() {
        for (line, what) in [
            ("a", "expected a key after the name"),
            ("a ssh-ed25519", "expected the key after its type"),
            ("a ssh-ed25519 nonsense", "this is no public key"),
            (
                &format!("a cert-authority {KEY}"),
                "certificates of keys are not supported: name the keys themselves",
            ),
            (
                &format!("a valid-before=\"soon\" {KEY}"),
                "expected a time such as 20270131 or 20270131235959Z",
            ),
            (
                &format!("a valid-before=20271399 {KEY}"),
                "expected a time such as 20270131 or 20270131235959Z",
            ),
            (
                &format!("a no-touch {KEY}"),
                "unknown option: expected namespaces, valid-after or valid-before",
            ),
            (&format!("\"a {KEY}"), "a quotation mark is not closed"),
        ] {
            let error = read(&format!("# one\n{line}")).unwrap_err();
            assert_eq!(error, SshKeysError::Line { line: 2, what }, "{line}");
        }
        assert_eq!(read("# none").unwrap_err(), SshKeysError::Empty);
        assert!(Keys::default().revoke("nonsense").is_err());
    }

    #[test]
    fn counts_bits_from_the_first_that_is_set() {
        assert_eq!(bits(&[]), 0);
        assert_eq!(bits(&[0, 0]), 0);
        assert_eq!(bits(&[0, 1]), 1);
        assert_eq!(bits(&[0x80, 0]), 16);
    }
}
