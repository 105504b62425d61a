//! OpenPGP signatures, and the keys that may make them.
//!
//! Invariant: a key signs only if its owner has said so by a signature of the primary key that holds; a revocation holds
//! whatever its date, since whoever has a lost key can date signatures back.

use pgp::composed::{Deserializable as _, DetachedSignature, SignedPublicKey, SignedPublicSubKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType};
use pgp::types::{KeyDetails, PublicParams, Tag, VerifyingKey};
use rsa::traits::PublicKeyParts as _;

use super::{Claim, RSA_BITS, SignatureError, Signer, Validity};

/// The OpenPGP keys that may sign.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys(Vec<SignedPublicKey>);

/// Why OpenPGP keys can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenPgpKeysError {
    /// They can't be read.
    #[error("this is no OpenPGP key as `gpg --armor --export` writes it: {0}")]
    Unreadable(String),
    /// There is no key.
    #[error("there is no OpenPGP key: expected what `gpg --armor --export` writes")]
    Empty,
}

impl Keys {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn add(&mut self, armored: &str) -> Result<(), OpenPgpKeysError> {
        let unreadable = |error: pgp::errors::Error| OpenPgpKeysError::Unreadable(error.to_string());
        let mut added = Vec::new();
        // Several exports in one file are several blocks.
        let mut rest = armored;
        while let Some(start) = rest.find(BEGIN) {
            let block = &rest[start..];
            let end = block[BEGIN.len()..]
                .find(BEGIN)
                .map_or(block.len(), |next| next + BEGIN.len());
            let (keys, _) = SignedPublicKey::from_armor_many(&block.as_bytes()[..end]).map_err(unreadable)?;
            for key in keys {
                added.push(key.map_err(unreadable)?);
            }
            rest = &block[end..];
        }
        if added.is_empty() {
            return Err(OpenPgpKeysError::Empty);
        }
        self.0.extend(added);
        Ok(())
    }
}

const BEGIN: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";

pub(super) fn verify(text: &str, claim: Claim<'_>, keys: &Keys, now: i64) -> Result<Signer, SignatureError> {
    let unreadable = |what: String| SignatureError::Unreadable(what);
    let (detached, _) =
        DetachedSignature::from_armor_single(text.as_bytes()).map_err(|error| unreadable(error.to_string()))?;
    let signature = &detached.signature;
    if signature.typ() != Some(SignatureType::Binary) {
        return Err(unreadable("it is not one over bytes".to_owned()));
    }
    let Some(made) = signature.created().map(|at| i64::from(at.as_secs())) else {
        return Err(unreadable("it does not say when it was made".to_owned()));
    };
    let mut wrong = None;
    for certificate in &keys.0 {
        let primary = &certificate.primary_key;
        if is_by(signature, primary) {
            if detached.verify(primary, claim.payload).is_ok() {
                let validity = of_primary(certificate).and_then(|by| is_good(primary, signature, by))?;
                return signer(certificate, primary, validity, claim, &[made, claim.time, now]);
            }
            wrong = Some(name(primary));
        }
        for subkey in certificate
            .public_subkeys
            .iter()
            .filter(|subkey| is_by(signature, &subkey.key))
        {
            if detached.verify(&subkey.key, claim.payload).is_ok() {
                // A subkey is good no longer than what it belongs to.
                of_primary(certificate)?
                    .validity
                    .check(&name(primary), &[made, claim.time, now])?;
                let validity = of_subkey(certificate, subkey).and_then(|by| is_good(&subkey.key, signature, by))?;
                return signer(certificate, &subkey.key, validity, claim, &[made, claim.time, now]);
            }
            wrong = Some(name(&subkey.key));
        }
    }
    Err(match wrong {
        Some(key) => SignatureError::Wrong(key),
        None => SignatureError::UnknownKey(issuer(signature)),
    })
}

fn name(key: &impl KeyDetails) -> String {
    format!("OpenPGP key {}", key.fingerprint().to_string().to_uppercase())
}

/// Whom a signature names as its maker; not yet proved.
fn issuer(signature: &Signature) -> String {
    let fingerprints = signature.issuer_fingerprint().into_iter().map(ToString::to_string);
    let ids = signature.issuer_key_id().into_iter().map(ToString::to_string);
    match fingerprints.chain(ids).next() {
        Some(id) => format!("OpenPGP key {}", id.to_uppercase()),
        None => "an OpenPGP key that it does not name".to_owned(),
    }
}

fn is_by(signature: &Signature, key: &impl KeyDetails) -> bool {
    let (fingerprint, id) = (key.fingerprint(), key.legacy_key_id());
    let fingerprints = signature.issuer_fingerprint();
    if fingerprints.is_empty() {
        signature.issuer_key_id().contains(&&id)
    } else {
        fingerprints.contains(&&fingerprint)
    }
}

/// What the owner says of a key, by the newest signature that holds.
#[derive(Clone, Copy)]
struct Bound {
    validity: Validity,
    may_sign: bool,
}

impl Bound {
    fn of(binding: &Signature, key: &impl KeyDetails) -> Self {
        let from = i64::from(key.created_at().as_secs());
        let lasts = binding.key_expiration_time().map(|lasts| i64::from(lasts.as_secs()));
        Self {
            validity: Validity {
                from: Some(from),
                // 0 stands for ever.
                until: lasts.filter(|lasts| *lasts > 0).map(|lasts| from + lasts),
            },
            may_sign: binding.key_flags().sign(),
        }
    }
}

fn newest<'a>(signatures: impl Iterator<Item = &'a Signature>) -> Option<&'a Signature> {
    signatures.max_by_key(|signature| signature.created().map_or(0, |at| at.as_secs()))
}

fn of_primary(certificate: &SignedPublicKey) -> Result<Bound, SignatureError> {
    let primary = &certificate.primary_key;
    let details = &certificate.details;
    let revocations = details.revocation_signatures.iter().chain(&details.direct_signatures);
    if revocations
        .filter(|signature| signature.typ() == Some(SignatureType::KeyRevocation))
        .any(|signature| signature.verify_key(primary).is_ok())
    {
        return Err(SignatureError::Revoked(name(primary)));
    }
    let direct = details
        .direct_signatures
        .iter()
        .filter(|signature| signature.typ() == Some(SignatureType::Key) && signature.verify_key(primary).is_ok());
    let of_users = details.users.iter().flat_map(|user| {
        let holds = |signature: &&Signature| signature.verify_certification(primary, Tag::UserId, &user.id).is_ok();
        let own = || user.signatures.iter().filter(holds);
        let is_revoked = own().any(|signature| signature.typ() == Some(SignatureType::CertRevocation));
        own().filter(move |signature| !is_revoked && signature.is_certification())
    });
    newest(direct.chain(of_users))
        .map(|binding| Bound::of(binding, primary))
        .ok_or_else(|| unbound(primary))
}

fn of_subkey(certificate: &SignedPublicKey, subkey: &SignedPublicSubKey) -> Result<Bound, SignatureError> {
    let primary = &certificate.primary_key;
    let own = |typ| {
        subkey.signatures.iter().filter(move |signature| {
            signature.typ() == Some(typ) && signature.verify_subkey_binding(primary, &subkey.key).is_ok()
        })
    };
    if own(SignatureType::SubkeyRevocation).next().is_some() {
        return Err(SignatureError::Revoked(name(&subkey.key)));
    }
    // Whoever binds another's key to their own would sign with it in their name; so the subkey has to agree.
    let agrees = |binding: &&Signature| {
        let back = binding.embedded_signature();
        back.is_some_and(|back| back.verify_primary_key_binding(&subkey.key, primary).is_ok())
    };
    newest(own(SignatureType::SubkeyBinding).filter(agrees))
        .map(|binding| Bound::of(binding, &subkey.key))
        .ok_or_else(|| unbound(&subkey.key))
}

fn unbound(key: &impl KeyDetails) -> SignatureError {
    SignatureError::Purpose {
        key: name(key),
        wanted: super::GIT.to_owned(),
        purpose: "nothing: no signature of its owner says what it is for".to_owned(),
    }
}

/// Whether the key may make such a signature; when it may.
fn is_good(key: &impl VerifyingKey, signature: &Signature, bound: Bound) -> Result<Validity, SignatureError> {
    if !bound.may_sign {
        return Err(SignatureError::Purpose {
            key: name(key),
            wanted: super::GIT.to_owned(),
            purpose: "other things than signing, by its owner's word".to_owned(),
        });
    }
    let weak = |what| Err(SignatureError::Weak { key: name(key), what });
    match key.public_params() {
        PublicParams::RSA(rsa) if rsa.key.n().bits() < RSA_BITS => return weak("its RSA key has fewer than 2048 bits"),
        PublicParams::DSA(_) => return weak("DSA"),
        _ => {}
    }
    match signature.hash_alg() {
        Some(HashAlgorithm::Sha256 | HashAlgorithm::Sha384 | HashAlgorithm::Sha512) => {}
        Some(HashAlgorithm::Sha3_256 | HashAlgorithm::Sha3_512) => {}
        _ => return weak("its hash can be forged"),
    }
    let mut validity = bound.validity;
    let made = signature.created().map_or(0, |at| i64::from(at.as_secs()));
    let lasts = signature
        .signature_expiration_time()
        .map(|lasts| i64::from(lasts.as_secs()));
    if let Some(lasts) = lasts.filter(|lasts| *lasts > 0) {
        let until = made + lasts;
        validity.until = Some(validity.until.map_or(until, |other| other.min(until)));
    }
    Ok(validity)
}

fn signer(
    certificate: &SignedPublicKey,
    key: &impl KeyDetails,
    validity: Validity,
    claim: Claim<'_>,
    times: &[i64],
) -> Result<Signer, SignatureError> {
    let key = name(key);
    validity.check(&key, times)?;
    let user = certificate.details.users.first();
    let user = user.map(|user| String::from_utf8_lossy(user.id.id()).into_owned());
    Ok(Signer {
        name: user.unwrap_or_else(|| key.clone()),
        key,
        by_tag: claim.is_tag,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_key_is_refused() {
        let mut keys = Keys::default();
        assert_eq!(keys.add("words"), Err(OpenPgpKeysError::Empty));
        let broken = format!("{BEGIN}\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n");
        assert!(keys.add(&broken).is_err());
        assert!(keys.is_empty());
    }
}
