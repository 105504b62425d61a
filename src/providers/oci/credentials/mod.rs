//! Who we are to OCI: one way of coming by a key in each file.
//!
//! Invariant: a secret is held in a type that can't be printed, and an identity is whole or an error: an empty part never
//! stands for anything. Keys change while the program runs: [`Credentials::get`] is asked before each call. May depend on
//! nothing but the calls' shapes; addresses and files come in as values.
//!
//! Only the configuration file's and the Secret's keys are signed with as they are; the other two buy tokens with them. None
//! of the four has met Oracle's own services: they are tried against servers that play those.
//!
//! - [`key`]: private keys in the forms that OpenSSL writes them
//! - [`config_file`]: `~/.oci/config`, with API keys and session tokens
//! - [`secret`]: an API key in a Kubernetes Secret
//! - [`instance`]: instance principal: the certificate of the machine that we run on
//! - [`workload`]: OKE workload identity: the service account of the pod that we run in

mod ask;
pub mod config_file;
pub mod instance;
pub mod key;
pub mod secret;
mod session;
pub mod workload;

use std::sync::Arc;

use futures::future::BoxFuture;
use jiff::Timestamp;

pub use key::{KeyError, PrivateKey};

pub use crate::resource::Secret;

/// What a request is signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyMaterial {
    /// `<tenancy>/<user>/<fingerprint>`, or `ST$<token>`.
    pub key_id: Secret,
    /// The key.
    pub key: PrivateKey,
    /// OCID of the tenancy whose identity this is, where that is known.
    pub tenancy: Option<String>,
}

/// A source of keys.
pub trait Credentials: Send + Sync {
    /// What to sign the next request with. Cheap where nothing has changed.
    fn get(&self) -> BoxFuture<'_, Result<KeyMaterial, CredentialsError>>;

    /// Told when a service did not accept this key: the next [`Credentials::get`] comes by it afresh.
    fn refused<'a>(&'a self, _material: &'a KeyMaterial) -> BoxFuture<'a, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// What tells the time: the machine's clock, or a simulated one.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// Nobody was named for a tenancy.
    #[error("there are no credentials for tenancy {0}")]
    NoneFor(String),
    /// Neither a tenancy nor default credentials were named.
    #[error("there are no default credentials, and the resource names no tenancy")]
    NoDefault,
    /// A part is absent or empty.
    #[error("{place} lacks `{part}`")]
    Missing {
        /// The file, Secret or answer.
        place: String,
        /// The part.
        part: &'static str,
    },
    /// A part is not what it should be.
    #[error("{place}: {what}")]
    Invalid {
        /// The file, Secret or answer.
        place: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A key can't be read.
    #[error("the key of {place} can't be used")]
    Key {
        /// The file, Secret or answer.
        place: String,
        /// Why.
        #[source]
        source: KeyError,
    },
    /// A file or a Secret can't be read, or nobody answers at an address.
    #[error("{place} can't be read")]
    Unreadable {
        /// The file, Secret or address.
        place: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An address refuses.
    #[error("{place} answers with status {status}{hint}")]
    Refused {
        /// The address.
        place: String,
        /// HTTP status.
        status: u16,
        /// What to look at; begins with a colon, may be empty.
        hint: &'static str,
    },
}

/// A part that must be there, without the white space around it.
fn part<'a>(value: Option<&'a str>, place: &str, part: &'static str) -> Result<&'a str, CredentialsError> {
    value
        .map(str::trim)
        .filter(|value| !value.is_empty())
        .ok_or_else(|| CredentialsError::Missing {
            place: place.to_owned(),
            part,
        })
}

/// An API key: the parts of its identity, and the key.
fn api_key(
    place: &str,
    tenancy: &str,
    user: &str,
    fingerprint: &str,
    key: PrivateKey,
) -> Result<KeyMaterial, CredentialsError> {
    // Else the service says no more than that nobody is known by this key.
    if !key.fingerprint().eq_ignore_ascii_case(fingerprint) {
        return Err(CredentialsError::Invalid {
            place: place.to_owned(),
            what: "`fingerprint` is not that of the key",
        });
    }
    Ok(KeyMaterial {
        key_id: Secret::unremembered(format!("{tenancy}/{user}/{fingerprint}")),
        key,
        tenancy: Some(tenancy.to_owned()),
    })
}
