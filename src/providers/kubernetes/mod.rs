//! Kubernetes API servers as a provider.
//!
//! Invariant: one request shape in, one [`ProviderError`] or observation out; bodies of Secrets reach neither errors nor
//! logs. May depend on `providers`, `resource`, `inventory` and `schema`; knows nothing of fleets or plans.
//!
//! What is sent:
//!
//! - **observe**: two requests of aggregated discovery, the index of the schemas (and those that changed), one LIST a kind,
//!   a GET for each object that its LIST lacked and for each Secret. LISTs and GETs name no `resourceVersion`: that asks
//!   for the most recent state, which servers since 1.31 answer from their watch cache after making sure that it is
//!   current. `resourceVersion=0` would be no cheaper there and could show a state from before our own last write, in
//!   which an object that we made is absent.
//! - **write**: one apply-patch, its precondition inside the document (see `write`); one JSON patch before it where
//!   another tool's managedFields are taken over.
//! - **delete**: one DELETE with the UID as precondition; before that of a Namespace, a LIST of metadata of each kind that
//!   others may have there.
//! - **watch**: a LIST of metadata, then a watch of it, for whoever stays.
//!
//! Requests that change nothing are sent again where they fail; writes only where they did not reach the server, or it says
//! that it was too busy to begin (see `retry`).
//!
//! Connections are pooled HTTP/1.1, which is what kube's client speaks.

mod conditions;
mod connect;
mod copy;
mod definitions;
mod delete;
mod discovery;
mod everything;
mod health;
mod http;
mod inhabited;
mod inventory;
mod lease;
mod ledger;
mod lines;
mod list;
mod lookup;
mod observe;
mod remembered;
mod retry;
mod schemas;
mod secret;
mod status;
mod sync;
mod watch;
mod write;

use futures::FutureExt as _;
use futures::future::BoxFuture;

pub use self::conditions::Conditions;
pub use self::connect::{ConnectError, ExecPlugins, KubernetesProvider, Options, ServiceAccount, files_of};
pub use self::health::Greeting;
pub use self::inventory::{INVENTORY_NAMESPACE, InventoryError, KubernetesStore};
pub use self::lease::{Draft, LeaseStore};
pub use self::ledger::StoredLedger;
pub use self::sync::{NewSync, SyncPart, owner_of, sync_id, unit_of};
pub use self::watch::{Followed, Told, Watch, WatchError, Which};
use super::{
    DeleteRequest, Observation, ObserveRequest, Observed, Provider, ProviderError, WriteRequest, WriteResponse,
};
use crate::resource::ResourceId;

impl Provider for KubernetesProvider {
    fn observe<'a>(&'a self, request: ObserveRequest<'a>) -> BoxFuture<'a, Result<Observation, ProviderError>> {
        self.observe_all(request).boxed()
    }

    fn read<'a>(&'a self, id: &'a ResourceId, api_version: &'a str) -> BoxFuture<'a, Observed> {
        self.read_one(id, api_version).boxed()
    }

    fn preview<'a>(&'a self, request: WriteRequest<'a>) -> BoxFuture<'a, Result<WriteResponse, ProviderError>> {
        self.apply(request, write::Mode::Preview).boxed()
    }

    fn write<'a>(&'a self, request: WriteRequest<'a>) -> BoxFuture<'a, Result<WriteResponse, ProviderError>> {
        self.apply(request, write::Mode::Write).boxed()
    }

    fn delete<'a>(&'a self, request: DeleteRequest<'a>) -> BoxFuture<'a, Result<(), ProviderError>> {
        self.delete_one(request).boxed()
    }
}
