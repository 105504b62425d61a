//! What libgit2 keeps for the whole process: how long it waits for a server, and whom it trusts.
//!
//! Invariant: the one module where unsafe is allowed. Timeouts are set once, before anything is fetched; authorities are
//! only ever added.

#![expect(
    unsafe_code,
    reason = "libgit2 has these settings for the process alone, without a lock of its own"
)]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::error::Said;
use crate::resource::Digest;

/// How long a server is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection is made.
    pub connect: Duration,
    /// While a server that is connected says nothing.
    pub silence: Duration,
}

impl Default for Timeouts {
    /// 10 s and 30 s.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            silence: Duration::from_secs(30),
        }
    }
}

/// Sets for the whole process how long servers are waited for, and says what holds: the first who sets it decides.
pub fn set_timeouts(timeouts: Timeouts) -> Timeouts {
    static SET: OnceLock<Timeouts> = OnceLock::new();
    *SET.get_or_init(|| {
        let milliseconds = |duration: Duration| i32::try_from(duration.as_millis()).unwrap_or(i32::MAX).max(1);
        // SAFETY: each writes one integer that transports read when they connect. It is written once, and whoever fetches
        // has come by here first, so no thread reads it meanwhile.
        let set = unsafe {
            git2::opts::set_server_connect_timeout_in_milliseconds(milliseconds(timeouts.connect))
                .and_then(|()| git2::opts::set_server_timeout_in_milliseconds(milliseconds(timeouts.silence)))
        };
        if let Err(error) = set {
            tracing::error!(%error, "how long Git servers are waited for can't be set");
        }
        timeouts
    })
}

/// Trusts the certificate authorities of a PEM file, besides those that are trusted already. A file that has other contents
/// by now is read again.
pub(super) fn trust(file: &Path) -> Result<(), Said> {
    static TRUSTED: Mutex<BTreeSet<Digest>> = Mutex::new(BTreeSet::new());
    let contents = std::fs::read(file).map_err(|error| Said(error.to_string()))?;
    let mut trusted = TRUSTED.lock().unwrap_or_else(PoisonError::into_inner);
    if trusted.insert(Digest::of(&contents)) {
        // SAFETY: OpenSSL adds to its store of certificates under a lock of its own; the store is made when libgit2 starts,
        // and ours keeps two of these calls apart.
        let added = unsafe { git2::opts::set_ssl_cert_file(file) };
        if let Err(error) = added {
            trusted.remove(&Digest::of(&contents));
            return Err(Said(error.message().to_owned()));
        }
    }
    Ok(())
}
