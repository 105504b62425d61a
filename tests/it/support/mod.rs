//! A real API server for tests.
//!
//! ```ignore
//! let Some(server) = ApiServer::shared() else { return };
//! let login = server.login();
//! ```
//!
//! `shared` is one server for the whole test process: keep apart by namespaces and fleet names of your own. Tests that
//! kill a server, need several, or look at all of one, `start` their own. Without the binaries (and without Go to build
//! them) both say so and return none, except under `CI`, where that is a failure.
//!
//! Invariant: what is started here dies with the test process, however that ends, and its files go with it.

use std::io::Write as _;

mod admission;
mod assets;
mod audit;
mod crds;
mod echo;
mod gate;
mod gitea;
mod keeper;
mod login;
mod promtool;
mod proxy;
mod server;
mod sshd;
mod tls;

pub(crate) use admission::Holding;
#[allow(unused_imports, reason = "the type of what a test keeps")]
pub(crate) use audit::{Mark, Sent};
pub(crate) use echo::Echo;
pub(crate) use gate::{Behind, Gate};
pub(crate) use gitea::Gitea;
#[allow(unused_imports, reason = "the type of what a test keeps")]
pub(crate) use login::{Login, kubeconfig};
pub(crate) use promtool::promtool;
pub(crate) use proxy::Proxy;
pub(crate) use server::ApiServer;
pub(crate) use sshd::Sshd;
pub(crate) use tls::{Tls, config as tls_config};

/// The upstream definitions that the shared server has, as YAML documents; the error says what is missing.
pub(crate) fn crds() -> Result<&'static str, &'static str> {
    crds::documents()
}

/// The definitions of Cluster API's kinds that upstream's data lacks: kubeadm's and the add-ons'; the error says what is
/// missing.
pub(crate) fn kubeadm_crds() -> Result<&'static str, &'static str> {
    crds::kubeadm_documents()
}

/// Where kubectl is; the error says what is missing.
pub(crate) fn kubectl() -> Result<std::path::PathBuf, &'static str> {
    assets::find().map(|assets| assets.kubectl.clone())
}

/// Whether a skipped test is a failure.
pub(crate) fn under_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true" || value == "1")
}

/// Says that a test is skipped, and why.
///
/// # Panics
/// Under CI.
pub(crate) fn skip<T>(reason: &str) -> Option<T> {
    assert!(!under_ci(), "under CI nothing is skipped: {reason}");
    // Not `eprintln!`: the harness swallows that of a test that passes.
    writeln!(std::io::stderr(), "SKIPPED: {reason}").ok();
    None
}
