//! Who has signed a commit or a tag.
//!
//! Invariant: pure. Nothing is taken as signed unless a key that was given has signed these very bytes, is good for that
//! now, and was at the time that the commit names: whoever holds a key that has expired can date a commit back.

mod openpgp;
mod ssh;

use jiff::Timestamp;

pub use self::openpgp::OpenPgpKeysError;
pub use self::ssh::SshKeysError;

/// The keys that may sign.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    ssh: ssh::Keys,
    openpgp: openpgp::Keys,
}

impl Keys {
    /// Adds SSH keys, in the form of OpenSSH's `allowed_signers`. Times in it are UTC.
    ///
    /// # Errors
    /// Where a line can't be read, or there is none.
    pub fn add_ssh(&mut self, text: &str) -> Result<(), SshKeysError> {
        self.ssh.add(text)
    }

    /// Takes SSH keys away again: one public key a line.
    ///
    /// # Errors
    /// Where a line can't be read.
    pub fn revoke_ssh(&mut self, text: &str) -> Result<(), SshKeysError> {
        self.ssh.revoke(text)
    }

    /// Adds OpenPGP keys, as `gpg --armor --export` writes them.
    ///
    /// # Errors
    /// Where a key can't be read, or there is none.
    pub fn add_openpgp(&mut self, armored: &str) -> Result<(), OpenPgpKeysError> {
        self.openpgp.add(armored)
    }

    /// Who has signed a file for some purpose with an SSH key; `now` in seconds since 1970.
    ///
    /// # Errors
    /// Where that is none of the keys, or the signature is not good.
    pub fn signer_of(
        &self,
        payload: &[u8],
        signature: &[u8],
        purpose: &'static str,
        now: i64,
    ) -> Result<Signer, SignatureError> {
        let claim = Claim {
            payload,
            signature,
            time: now,
            is_tag: false,
            purpose,
        };
        verify(claim, self, now)
    }

    /// Whether nobody may sign.
    pub fn is_empty(&self) -> bool {
        self.ssh.is_empty() && self.openpgp.is_empty()
    }
}

/// Who has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// What the list of keys calls them.
    pub name: String,
    /// The key's fingerprint.
    pub key: String,
    /// Whether the tag was signed rather than the commit.
    pub by_tag: bool,
}

/// What is said to be signed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim<'a> {
    /// The bytes.
    pub(super) payload: &'a [u8],
    /// The signature, if there is one.
    pub(super) signature: &'a [u8],
    /// When it was made, by its own word: seconds since 1970.
    pub(super) time: i64,
    /// Whether it is a tag.
    pub(super) is_tag: bool,
    /// What it was signed for, where a signature says that.
    pub(super) purpose: &'static str,
}

/// What Git signs for.
pub(super) const GIT: &str = "git";

/// Why something does not count as signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is no signature.
    #[error("it is not signed")]
    Unsigned,
    /// The signature can't be read.
    #[error("its signature can't be read: {0}")]
    Unreadable(String),
    /// The key is not one of those given.
    #[error("it is signed by {0}, which is not one of the keys that may sign")]
    UnknownKey(String),
    /// The bytes are not those that were signed.
    #[error("its signature by {0} is wrong: something else was signed")]
    Wrong(String),
    /// It is signed for another purpose.
    #[error("its signature by {key} is for {purpose}, not for `{wanted}`")]
    Purpose {
        /// The key.
        key: String,
        /// What it should be for: `git`, `fleetwright-plan`.
        wanted: String,
        /// The purpose.
        purpose: String,
    },
    /// The key is not good yet, or no more.
    #[error("it is signed by {key}, which is good {}", span(*.from, *.until))]
    Expired {
        /// The key.
        key: String,
        /// From when it is good, seconds since 1970.
        from: Option<i64>,
        /// Until when.
        until: Option<i64>,
    },
    /// The key was revoked.
    #[error("it is signed by {0}, which was revoked")]
    Revoked(String),
    /// The signature is of a kind that can be forged.
    #[error("its signature by {key} is too weak: {what}")]
    Weak {
        /// The key.
        key: String,
        /// What is weak.
        what: &'static str,
    },
    /// The tag was signed under another name.
    #[error("the tag was signed as `{signed}`, and is called `{called}` now")]
    TagName {
        /// The name that was signed.
        signed: String,
        /// The name that it has.
        called: String,
    },
}

fn span(from: Option<i64>, until: Option<i64>) -> String {
    let text = |seconds: i64| Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |at| at.to_string());
    match (from.map(text), until.map(text)) {
        (Some(from), Some(until)) => format!("from {from} until {until}"),
        (Some(from), None) => format!("from {from}"),
        (None, Some(until)) => format!("until {until}"),
        (None, None) => "at no time".to_owned(),
    }
}

/// Fewer bits than this can be broken.
const RSA_BITS: usize = 2048;

/// When a key is good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Validity {
    from: Option<i64>,
    until: Option<i64>,
}

impl Validity {
    fn holds(self, at: i64) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }

    /// Refuses unless the key is good at all these times.
    fn check(self, key: &str, times: &[i64]) -> Result<(), SignatureError> {
        if times.iter().all(|time| self.holds(*time)) {
            Ok(())
        } else {
            Err(SignatureError::Expired {
                key: key.to_owned(),
                from: self.from,
                until: self.until,
            })
        }
    }
}

/// Who has signed; `now` in seconds since 1970.
///
/// # Errors
/// Where that is none of the keys, or the signature is not good.
pub(super) fn verify(claim: Claim<'_>, keys: &Keys, now: i64) -> Result<Signer, SignatureError> {
    let text = std::str::from_utf8(claim.signature)
        .map_err(|_| SignatureError::Unreadable("it is no text".to_owned()))?
        .trim();
    if text.is_empty() {
        Err(SignatureError::Unsigned)
    } else if text.starts_with("-----BEGIN SSH SIGNATURE-----") {
        ssh::verify(text, claim, &keys.ssh, now)
    } else if text.starts_with("-----BEGIN PGP SIGNATURE-----") {
        openpgp::verify(text, claim, &keys.openpgp, now)
    } else {
        let what = "neither an SSH signature nor an OpenPGP one";
        Err(SignatureError::Unreadable(what.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_signature_is_told() {
        let said = |signature: &[u8]| {
            let claim = Claim {
                payload: b"x",
                signature,
                time: 0,
                is_tag: false,
                purpose: GIT,
            };
            verify(claim, &Keys::default(), 0).unwrap_err()
        };
        assert_eq!(said(b" \n"), SignatureError::Unsigned);
        for signature in [
            &b"\xff\xfe"[..],
            b"-----BEGIN SIGNED MESSAGE-----\n",
            b"-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----",
            b"-----BEGIN SSH SIGNATURE-----",
            b"-----BEGIN PGP SIGNATURE-----\n\nAAAA\n-----END PGP SIGNATURE-----",
            b"-----BEGIN PGP SIGNATURE-----",
        ] {
            assert!(
                matches!(said(signature), SignatureError::Unreadable(_)),
                "{:?}",
                said(signature)
            );
        }
    }

    #[test]
    fn a_key_is_good_from_its_first_second_until_before_its_last() {
        let validity = Validity {
            from: Some(10),
            until: Some(20),
        };
        assert_eq!(validity.check("k", &[10, 19]), Ok(()));
        let error = validity.check("k", &[15, 20]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "it is signed by k, which is good from 1970-01-01T00:00:10Z until 1970-01-01T00:00:20Z"
        );
        assert!(validity.check("k", &[9, 15]).is_err());
        assert_eq!(Validity::default().check("k", &[i64::MIN, i64::MAX]), Ok(()));
    }
}
