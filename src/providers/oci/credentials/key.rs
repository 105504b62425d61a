//! RSA private keys: PKCS#8 and PKCS#1, encrypted or not.
//!
//! Invariant: a key can't be printed, and is kept in one form (PKCS#8 without a passphrase, which is what the signer reads)
//! whatever form it came in.

use std::sync::Arc;

use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockCipher, BlockDecrypt, BlockDecryptMut as _, BlockEncryptMut, KeyInit, KeyIvInit as _};
use md5::{Digest as _, Md5};
use rsa::pkcs1::DecodeRsaPrivateKey as _;
use rsa::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, EncodePublicKey as _, LineEnding};
use rsa::{RsaPrivateKey, RsaPublicKey};

use super::Secret;

/// Why a key can't be used. The parser's own words are left out: they may quote what they could not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is no PEM block of a private key in the text.
    #[error("it holds no private key in PEM form")]
    NoKey,
    /// It is encrypted, and no passphrase is given.
    #[error("it is encrypted, and there is no passphrase")]
    NoPassphrase,
    /// It can't be decrypted.
    #[error(
        "the passphrase does not fit, or the cipher is not one of AES-CBC and DES-EDE3-CBC (PKCS#8: AES-CBC alone)"
    )]
    Undecryptable,
    /// It is no RSA key.
    #[error("it can't be read as an RSA key")]
    NotRsa,
    /// No key could be made.
    #[error("a key can't be made")]
    NotMade,
}

/// An RSA private key.
#[derive(Clone)]
pub struct PrivateKey(Arc<Inner>);

struct Inner {
    key: RsaPrivateKey,
    pem: Secret,
    public: Vec<u8>,
}

impl PrivateKey {
    /// Reads a key from its PEM text; a passphrase that isn't needed is not used.
    ///
    /// # Errors
    /// Where it is none, or the passphrase is absent or wrong.
    pub fn from_pem(text: &str, passphrase: Option<&Secret>) -> Result<Self, KeyError> {
        let (label, block) = private_block(text).ok_or(KeyError::NoKey)?;
        let passphrase = || {
            passphrase
                .map(Secret::expose)
                .filter(|passphrase| !passphrase.is_empty())
                .ok_or(KeyError::NoPassphrase)
        };
        let key = match label {
            "PRIVATE KEY" => RsaPrivateKey::from_pkcs8_pem(block).map_err(|_| KeyError::NotRsa)?,
            "ENCRYPTED PRIVATE KEY" => {
                RsaPrivateKey::from_pkcs8_encrypted_pem(block, passphrase()?).map_err(|_| KeyError::Undecryptable)?
            }
            _ if block.contains("Proc-Type:") => {
                let der = decrypt_traditional(block, passphrase()?).ok_or(KeyError::Undecryptable)?;
                RsaPrivateKey::from_pkcs1_der(&der).map_err(|_| KeyError::Undecryptable)?
            }
            _ => RsaPrivateKey::from_pkcs1_pem(block).map_err(|_| KeyError::NotRsa)?,
        };
        Self::of(key)
    }

    /// Makes a key of 2048 bits, as OCI's session keys are. Takes tenths of a second: not for an async thread.
    ///
    /// # Errors
    /// Where the system gives no randomness.
    pub fn generate() -> Result<Self, KeyError> {
        let key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).map_err(|_| KeyError::NotMade)?;
        Self::of(key)
    }

    /// OCI's fingerprint: MD5 of the public key's DER form, in hexadecimal with colons.
    pub fn fingerprint(&self) -> String {
        colons(&Md5::digest(&self.0.public))
    }

    /// The public key, base64 of its DER form: the lines of a PEM file without their ends.
    pub(super) fn public_base64(&self) -> String {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(&self.0.public)
    }

    /// The public key as a PEM file.
    pub(super) fn public_pem(&self) -> String {
        let base64 = self.public_base64();
        let lines: Vec<&str> = (0..base64.len())
            .step_by(64)
            .filter_map(|at| base64.get(at..(at + 64).min(base64.len())))
            .collect();
        format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            lines.join("\n")
        )
    }

    /// PKCS#8 without a passphrase.
    pub(in crate::providers::oci) fn pkcs8_pem(&self) -> &Secret {
        &self.0.pem
    }

    pub(in crate::providers::oci) fn rsa(&self) -> &RsaPrivateKey {
        &self.0.key
    }

    fn of(key: RsaPrivateKey) -> Result<Self, KeyError> {
        let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|_| KeyError::NotRsa)?;
        let public = RsaPublicKey::from(&key)
            .to_public_key_der()
            .map_err(|_| KeyError::NotRsa)?;
        Ok(Self(Arc::new(Inner {
            pem: Secret::new(pem.as_str()),
            public: public.into_vec(),
            key,
        })))
    }
}

impl PartialEq for PrivateKey {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.key == other.0.key
    }
}

impl Eq for PrivateKey {}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(private key)")
    }
}

/// Bytes in hexadecimal with colons between them.
pub(super) fn colons(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.join(":")
}

/// The first block of a private key, and its label. Oracle's console appends a line of its own (`OCI_API_KEY`) to the keys
/// that it makes; certificates may stand beside the key.
fn private_block(text: &str) -> Option<(&str, &str)> {
    ["PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY"]
        .into_iter()
        .filter_map(|label| {
            let begin = text.find(&format!("-----BEGIN {label}-----"))?;
            let end = format!("-----END {label}-----");
            let length = text.get(begin..)?.find(&end)? + end.len();
            Some((begin, label, text.get(begin..begin + length)?))
        })
        .min_by_key(|(begin, ..)| *begin)
        .map(|(_, label, block)| (label, block))
}

/// The DER form of a key in the PEM form of OpenSSL before PKCS#8 (`Proc-Type: 4,ENCRYPTED`); none where it can't be had.
fn decrypt_traditional(block: &str, passphrase: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    let mut lines = block.lines().map(str::trim).skip(1);
    let mut info = None;
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        info = line.strip_prefix("DEK-Info:").or(info);
    }
    let (cipher, iv) = info?.trim().split_once(',')?;
    let iv = hex(iv.trim())?;
    let text: String = lines.take_while(|line| !line.starts_with("-----")).collect();
    let data = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
    match cipher.trim() {
        "AES-128-CBC" => decrypt::<aes::Aes128>(data, passphrase, &iv, 16),
        "AES-192-CBC" => decrypt::<aes::Aes192>(data, passphrase, &iv, 24),
        "AES-256-CBC" => decrypt::<aes::Aes256>(data, passphrase, &iv, 32),
        "DES-EDE3-CBC" => decrypt::<des::TdesEde3>(data, passphrase, &iv, 24),
        _ => None,
    }
}

fn decrypt<C>(mut data: Vec<u8>, passphrase: &str, iv: &[u8], key_length: usize) -> Option<Vec<u8>>
where
    C: BlockCipher + BlockDecrypt + BlockEncryptMut + KeyInit,
{
    // The salt is the beginning of the initialisation vector; the key is a chain of MD5 sums.
    let salt = iv.get(..8)?;
    let mut key: Vec<u8> = Vec::new();
    let mut sum: Vec<u8> = Vec::new();
    while key.len() < key_length {
        sum = Md5::new()
            .chain_update(&sum)
            .chain_update(passphrase)
            .chain_update(salt)
            .finalize()
            .to_vec();
        key.extend_from_slice(&sum);
    }
    let decryptor = cbc::Decryptor::<C>::new_from_slices(key.get(..key_length)?, iv).ok()?;
    let length = decryptor.decrypt_padded_mut::<Pkcs7>(&mut data).ok()?.len();
    data.truncate(length);
    Some(data)
}

fn hex(text: &str) -> Option<Vec<u8>> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}
