//! What a hosted cluster makes in the cloud by itself: the load balancer of its ingress, in the VCN that it was given.
//!
//! Nobody lists it in Git, and as long as it is there its subnet can't be deleted: that is why a fleet's teardown has to wait
//! for the HostedCluster to be gone.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::Value;

/// Why the cloud did not do it.
#[derive(Debug, thiserror::Error)]
#[error("the guest's load balancer can't be {what}: {message}")]
pub struct GuestError {
    /// `made`, `deleted`.
    pub what: &'static str,
    /// The cloud's words.
    pub message: String,
}

/// The cloud, as a guest's cloud controller sees it.
pub trait GuestCloud: Send + Sync {
    /// Makes the load balancer of a HostedCluster, unless it is there.
    fn ensure<'a>(&'a self, cluster: &'a Value) -> BoxFuture<'a, Result<(), GuestError>>;

    /// Deletes it; whether it is gone.
    fn remove<'a>(&'a self, cluster: &'a Value) -> BoxFuture<'a, Result<bool, GuestError>>;
}

/// No cloud: nothing is made, and what is to go is gone.
#[derive(Debug, Default)]
pub struct NoCloud;

impl GuestCloud for NoCloud {
    fn ensure<'a>(&'a self, _: &'a Value) -> BoxFuture<'a, Result<(), GuestError>> {
        async { Ok(()) }.boxed()
    }

    fn remove<'a>(&'a self, _: &'a Value) -> BoxFuture<'a, Result<bool, GuestError>> {
        async { Ok(true) }.boxed()
    }
}
