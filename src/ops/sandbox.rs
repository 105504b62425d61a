//! The sandbox, made ready for a fleet; and served.

mod networks;
mod scene;
mod serve;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::load::LoadedFleet;
use crate::sandbox::{OpenError, Options, PutError, Sandbox};

pub use self::serve::{ServeError, ServeOptions, Served, serve_sandbox};

/// Why there is no sandbox to work on.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// It can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// What a fleet needs can't be put there.
    #[error("the sandbox can't be made ready: {what}")]
    Scene {
        /// Which object.
        what: String,
        /// Why.
        #[source]
        source: PutError,
    },
    /// A network that the fleet names can't be put there.
    #[error("the sandbox can't be made ready: {ocid}: {message}")]
    Network {
        /// Its OCID.
        ocid: String,
        /// What the sandbox's own API answers.
        message: String,
    },
}

/// Opens a sandbox and puts there what a fleet expects others to have made. What has fallen due since it was last open is
/// done when this returns.
///
/// # Errors
/// Where it can't be opened, or its API refuses what is put there.
pub async fn open_sandbox(options: Options, fleet: Option<&LoadedFleet>) -> Result<Arc<Sandbox>, SandboxError> {
    let sandbox = Sandbox::open(options).await?;
    match fleet {
        Some(loaded) => ready_sandbox(&sandbox, loaded).await?,
        None => sandbox.settled().await,
    }
    Ok(sandbox)
}

/// Puts into an open sandbox what a fleet expects others to have made.
///
/// # Errors
/// Where its API refuses what is put there.
pub async fn ready_sandbox(sandbox: &Arc<Sandbox>, loaded: &LoadedFleet) -> Result<(), SandboxError> {
    scene::set(sandbox, loaded).await?;
    networks::set(sandbox, &loaded.fleet)?;
    sandbox.settled().await;
    Ok(())
}

/// The tenancies that a fleet is in.
pub(super) fn tenancies(loaded: &LoadedFleet) -> BTreeSet<String> {
    loaded.fleet.tenancies().into_iter().map(ToString::to_string).collect()
}
