//! A Kubernetes API server, as a service in this process: what the tool and `kubectl` need of one, answered as the real
//! server answers it.
//!
//! Invariant: one request at a time changes the state, whole or not at all; what controllers of a real cluster do about
//! owners, namespaces and definitions has happened when the request is answered. May depend on `schema` and `ssa`, which
//! say what is stored; knows no kind of ours.
//!
//! - [`ApiServer`]: the service, and the same operations as functions
//! - `request`, `body`, `protobuf`, `selector`: what is asked for
//! - `write` (`place`, `precondition`, `unmerged`, `draw`), `patch`, `strategic`, `scale`, `delete`: what changes
//! - `core`, `meta`, `validate`: what may be stored
//! - `list`, `watch`, `table`: what is shown
//! - `discovery`, `openapi`, `kind`: what is served
//! - `state`, `object`: what is stored

mod body;
mod core;
mod delete;
mod direct;
mod discovery;
mod draw;
mod kind;
mod list;
mod meta;
mod object;
mod openapi;
mod patch;
mod place;
mod precondition;
mod protobuf;
mod refusal;
mod request;
mod scale;
mod selector;
mod serve;
mod state;
mod strategic;
mod table;
mod unmerged;
mod validate;
mod watch;
mod write;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::json;

use self::kind::ResourceName;
use self::object::Key;
use self::place::Place;
use self::request::WriteOptions;
use self::state::State;
use self::write::Writer;
use super::clock::Clock;
use super::fault::Faults;
use super::store::{Store, StoreError};

pub use self::direct::{Event, Lagged, Resource, Subscription};
pub use self::refusal::{Cause, Refusal};
pub use self::state::Happening;

/// Namespaces that every cluster has.
const NAMESPACES: [&str; 4] = ["default", "kube-system", "kube-public", "kube-node-lease"];

/// A Kubernetes API server.
#[derive(Clone)]
pub struct ApiServer(Arc<Inner>);

struct Inner {
    name: String,
    clock: Clock,
    faults: Arc<dyn Faults>,
    state: Mutex<State>,
    /// The revision, for those who wait for the next.
    news: tokio::sync::watch::Sender<u64>,
}

impl std::fmt::Debug for ApiServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiServer")
            .field("name", &self.0.name)
            .finish_non_exhaustive()
    }
}

impl ApiServer {
    /// The server of this name, with what the store holds of it; a new one has the usual namespaces and nothing else.
    ///
    /// # Errors
    /// Where the store can't be read.
    pub fn new(name: &str, store: Arc<dyn Store>, clock: Clock, faults: Arc<dyn Faults>) -> Result<Self, StoreError> {
        let state = State::load(name, store)?;
        let inner = Inner {
            name: name.to_owned(),
            clock,
            faults,
            news: tokio::sync::watch::Sender::new(state.revision),
            state: Mutex::new(state),
        };
        let server = Self(Arc::new(inner));
        server.0.write(|writer| {
            let namespaces = ResourceName::new("", "namespaces");
            let Some(kind) = writer.state.kind(&namespaces) else {
                return;
            };
            let Some(version) = kind.stored() else { return };
            for name in NAMESPACES {
                if writer.state.get(&namespaces, &Key::new("", name)).is_some() {
                    continue;
                }
                let place = Place {
                    kind: &kind,
                    version,
                    namespace: "",
                    name: "",
                    subresource: "",
                };
                let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
                // These are valid, and not there yet.
                drop(writer.create(place, object, &WriteOptions::by("kube-apiserver")));
            }
        });
        Ok(server)
    }

    /// Forgets the events up to now: watches and lists that want an older state are told that it is gone.
    pub fn compact(&self) {
        self.0.lock().compact();
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and tells those who wait.
    fn write<T>(&self, change: impl FnOnce(&mut Writer<'_>) -> T) -> T {
        let mut state = self.lock();
        let before = state.revision;
        let mut writer = Writer {
            state: &mut state,
            now: self.clock.now(),
            server: &self.name,
            warnings: Vec::new(),
        };
        let result = change(&mut writer);
        let revision = state.revision;
        drop(state);
        if revision != before {
            self.news.send_replace(revision);
        }
        result
    }
}
