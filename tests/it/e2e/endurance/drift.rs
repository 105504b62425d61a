//! Somebody who changes live objects behind the daemon's back, and watches how long it takes to mend them.
//!
//! No object has its second turn within ten minutes: what is changed again sooner is a fight, which the daemon leaves alone.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, WatchEvent, WatchParams,
};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::super::{Stage, namespace};
use super::{CLUSTERS, name};

/// Nodes of each cluster's pool `b`, as the files have it.
pub(super) const NODES: u32 = 3;
/// While so much waits to be mended no more is changed: the test is of what grows, not of how fast this machine is.
const REPAIRS_AT_ONCE: usize = 30;

/// What is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    HostedCluster,
    NodePool,
}

impl Kind {
    fn resource(self) -> ApiResource {
        let (kind, plural) = match self {
            Self::HostedCluster => ("HostedCluster", "hostedclusters"),
            Self::NodePool => ("NodePool", "nodepools"),
        };
        ApiResource {
            group: "hypershift.openshift.io".to_owned(),
            version: "v1beta1".to_owned(),
            api_version: "hypershift.openshift.io/v1beta1".to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
        }
    }

    /// The value that is changed.
    fn value(self, object: &DynamicObject) -> String {
        match self {
            Self::HostedCluster => object.data["spec"]["channel"].to_string(),
            Self::NodePool => object.data["spec"]["replicas"].to_string(),
        }
    }
}

/// Kind and name; names are of one cluster each.
type Key = (Kind, String);

/// An object as it was last seen.
#[derive(Clone, Debug)]
struct Seen {
    at: Instant,
    version: u64,
    uid: String,
    value: String,
}

impl Seen {
    fn of(kind: Kind, object: &DynamicObject) -> Self {
        let version = object.metadata.resource_version.as_deref();
        Self {
            at: Instant::now(),
            version: version.and_then(|version| version.parse().ok()).unwrap_or_default(),
            uid: object.metadata.uid.clone().unwrap_or_default(),
            value: kind.value(object),
        }
    }
}

/// A change that waits to be mended.
#[derive(Debug)]
struct Drift {
    begun: Instant,
    /// The object as the change left it.
    left: Seen,
    is_gone: bool,
}

impl Drift {
    fn is_mended_by(&self, seen: &Seen) -> bool {
        let is_back = if self.is_gone {
            seen.uid != self.left.uid
        } else {
            seen.value != self.left.value
        };
        is_back && seen.version > self.left.version
    }
}

#[derive(Debug, Default)]
struct State {
    live: BTreeMap<Key, Seen>,
    waiting: BTreeMap<Key, Drift>,
    took: Vec<Duration>,
}

impl State {
    /// Takes in how an object is now, or that it was changed.
    fn settle(&mut self, key: &Key) {
        if let (Some(drift), Some(seen)) = (self.waiting.get(key), self.live.get(key))
            && drift.is_mended_by(seen)
        {
            self.took.push(seen.at.saturating_duration_since(drift.begun));
            self.waiting.remove(key);
        }
    }
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    mended: Notify,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn see(&self, kind: Kind, object: &DynamicObject) {
        let key = (kind, object.metadata.name.clone().unwrap_or_default());
        let mut state = self.state();
        state.live.insert(key.clone(), Seen::of(kind, object));
        state.settle(&key);
        drop(state);
        self.mended.notify_waiters();
    }
}

pub(super) struct Drifter {
    client: kube::Client,
    shared: Arc<Shared>,
    /// Ends with it.
    _watches: JoinSet<()>,
    turn: usize,
    passed_over: u32,
}

impl Drifter {
    /// Begins to watch.
    pub(super) async fn start(stage: &Stage) -> Self {
        let client = stage.login.client().await;
        let shared = Arc::<Shared>::default();
        let mut watches = JoinSet::new();
        for kind in [Kind::HostedCluster, Kind::NodePool] {
            watches.spawn(watch(client.clone(), kind, shared.clone()));
        }
        Self {
            client,
            shared,
            _watches: watches,
            turn: 0,
            passed_over: 0,
        }
    }

    /// Changes the object whose turn it is, unless enough waits to be mended.
    pub(super) async fn drift(&mut self) {
        if self.shared.state().waiting.len() >= REPAIRS_AT_ONCE {
            self.passed_over += 1;
            return;
        }
        self.turn += 1;
        // Primes to all counts: each object has its turn before one has its second, in no order that the daemon could know.
        let place = self.turn * 733 % (2 * CLUSTERS);
        let (cluster, is_pool) = (name(place / 2), place.is_multiple_of(2));
        let (kind, name) = if is_pool {
            (Kind::NodePool, format!("{cluster}-b"))
        } else {
            (Kind::HostedCluster, cluster.clone())
        };
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &namespace(&cluster), &kind.resource());
        let is_gone = is_pool && self.turn.is_multiple_of(4);
        let begun = Instant::now();
        let left = if is_gone {
            let there = api.get(&name).await.expect("the object is there");
            api.delete(&name, &DeleteParams::default()).await.expect("a delete");
            Seen::of(kind, &there)
        } else {
            let patch = match kind {
                Kind::HostedCluster => serde_json::json!({"spec": {"channel": format!("candidate-4.{}", self.turn)}}),
                Kind::NodePool => serde_json::json!({"spec": {"replicas": 10 + self.turn % 90}}),
            };
            let params = PatchParams {
                field_manager: Some("somebody".to_owned()),
                ..PatchParams::default()
            };
            let left = api.patch(&name, &params, &Patch::Merge(&patch)).await;
            Seen::of(kind, &left.expect("a change"))
        };
        let drift = Drift { begun, left, is_gone };
        let mut state = self.shared.state();
        let key = (kind, name);
        state.waiting.insert(key.clone(), drift);
        state.settle(&key);
    }

    /// Waits until nothing waits to be mended.
    pub(super) async fn all_is_mended(&self, patience: Duration) {
        let mended = async {
            loop {
                let mut news = pin!(self.shared.mended.notified());
                news.as_mut().enable();
                if self.shared.state().waiting.is_empty() {
                    return;
                }
                news.await;
            }
        };
        let in_time = tokio::time::timeout(patience, mended).await;
        let waiting: Vec<Key> = self.shared.state().waiting.keys().cloned().collect();
        in_time.unwrap_or_else(|_| panic!("never mended: {waiting:?}"));
    }

    /// How long repairs took.
    pub(super) fn repairs(&self) -> Repairs {
        let mut took = self.shared.state().took.clone();
        took.sort();
        Repairs {
            took,
            passed_over: self.passed_over,
        }
    }
}

/// Follows all objects of a kind.
async fn watch(client: kube::Client, kind: Kind, shared: Arc<Shared>) {
    let api: Api<DynamicObject> = Api::all_with(client, &kind.resource());
    loop {
        let Ok(list) = api.list(&ListParams::default()).await else {
            continue;
        };
        list.items.iter().for_each(|object| shared.see(kind, object));
        let mut version = list.metadata.resource_version.unwrap_or_default();
        // A watch ends after some minutes; one that can't go on begins with a list.
        'going: while let Ok(events) = api.watch(&WatchParams::default(), &version).await {
            let mut events = pin!(events);
            while let Some(event) = events.next().await {
                match event {
                    Ok(WatchEvent::Added(object) | WatchEvent::Modified(object)) => {
                        version = object.metadata.resource_version.clone().unwrap_or_default();
                        shared.see(kind, &object);
                    }
                    Ok(WatchEvent::Deleted(_) | WatchEvent::Bookmark(_)) => {}
                    Ok(WatchEvent::Error(_)) | Err(_) => break 'going,
                }
            }
        }
    }
}

/// From a change's request to the event that shows it mended, the shortest first.
pub(super) struct Repairs {
    took: Vec<Duration>,
    passed_over: u32,
}

impl Repairs {
    pub(super) fn count(&self) -> usize {
        self.took.len()
    }
}

impl fmt::Display for Repairs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |percent: usize| {
            let place = (self.took.len() * percent).div_ceil(100).saturating_sub(1);
            self.took.get(place).copied().unwrap_or_default().as_secs_f64()
        };
        write!(
            f,
            "{} times, p50 {:.2} s, p99 {:.2} s, longest {:.2} s; {} turns passed over",
            self.took.len(),
            at(50),
            at(99),
            at(100),
            self.passed_over
        )
    }
}
