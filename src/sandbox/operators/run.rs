//! The loop: objects change or their time comes, a step says what to do, and it is done.
//!
//! Invariant: steps are taken in the order of the virtual times at which they fall due, and each sees that time as now,
//! however late the loop gets to it: what a fleet comes to does not depend on how fast the machine is, and a sandbox that
//! is opened again catches up with the time that has passed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::guest::{GuestCloud, GuestError};
use super::{Effect, Step, after, capi, hosted_cluster, node_pool, text};
use crate::sandbox::clock::Clock;
use crate::sandbox::kubernetes::{ApiServer, Event, Happening, Lagged, Refusal, Resource, Subscription};

/// Seconds until what could not be done is tried again.
const RETRY: i64 = 10;

/// How operators sign what they write.
const MANAGER: &str = "sandbox-operators";

/// A name that no object has.
const LOAD_BALANCER: &str = "/load-balancer";

const HYPERSHIFT: &str = "hypershift.openshift.io";

/// The operators of one management cluster, at work until they are ended or dropped.
#[derive(Debug)]
pub struct Operators {
    stop: CancellationToken,
    tasks: TaskTracker,
    idle: watch::Receiver<bool>,
}

impl Operators {
    /// Sets operators to work on an API server. What was left undone at the time `since` is caught up with.
    pub fn start(server: ApiServer, cloud: Arc<dyn GuestCloud>, clock: Clock, since: Timestamp) -> Self {
        let (idle_sender, idle) = watch::channel(false);
        let operators = Self {
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            idle,
        };
        let work = Loop {
            events: server.subscribe(),
            server,
            cloud,
            clock,
            kinds: BTreeMap::new(),
            objects: BTreeMap::new(),
            due: Due::default(),
            made: BTreeMap::new(),
        };
        let stop = operators.stop.clone();
        operators.tasks.spawn(async move {
            tokio::select! {
                () = work.run(since, &idle_sender) => {}
                () = stop.cancelled() => {}
            }
        });
        operators
    }

    /// Waits until nothing is left to do at this time.
    pub async fn idle(&self) {
        let mut idle = self.idle.clone();
        // An error means that they have ended: nothing is left to do then either.
        idle.wait_for(|idle| *idle).await.ok();
    }

    /// Ends them.
    pub async fn end(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for Operators {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// An object: its kind, namespace and name.
type Key = (String, String, String);

struct Loop {
    server: ApiServer,
    events: Subscription,
    cloud: Arc<dyn GuestCloud>,
    clock: Clock,
    /// The kinds that are worked on, by kind.
    kinds: BTreeMap<String, Resource>,
    objects: BTreeMap<Key, Known>,
    due: Due,
    /// What clusters have made, by their UID: each thing is made once in this process, so that what somebody deletes
    /// stays deleted.
    made: BTreeMap<String, BTreeSet<String>>,
}

/// An object as it was last seen: as text, since a tree of maps takes ten times as much.
struct Known {
    text: Box<str>,
    /// The cluster that a node pool is of.
    cluster: String,
}

impl Known {
    fn of(object: &Value) -> Self {
        Self {
            text: object.to_string().into_boxed_str(),
            cluster: text(object, "/spec/clusterName").to_owned(),
        }
    }

    fn object(&self) -> Value {
        // It was written by `of`.
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

/// Why a step was not done to its end.
#[derive(Debug, thiserror::Error)]
enum Undone {
    #[error("the API server refuses: {0}")]
    Refused(String),
    #[error(transparent)]
    Guest(#[from] GuestError),
    #[error("the guest's load balancer is being deleted")]
    StillThere,
}

impl From<Refusal> for Undone {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal.message)
    }
}

impl Loop {
    async fn run(mut self, since: Timestamp, idle: &watch::Sender<bool>) {
        self.look(since);
        loop {
            self.listen(self.clock.now());
            if let Some((at, key)) = self.due.pop(self.clock.now()) {
                self.act(&key, at).await;
                // What this step has led to happened at its time.
                self.listen(at);
                continue;
            }
            idle.send_replace(true);
            let next = self.due.next();
            let clock = &self.clock;
            let wake = async {
                match next {
                    Some(time) => clock.until(time).await,
                    None => std::future::pending().await,
                }
            };
            let event = tokio::select! {
                event = self.events.next() => Some(event),
                () = wake => None,
            };
            idle.send_replace(false);
            match event {
                Some(Ok(event)) => self.learn(event, self.clock.now()),
                Some(Err(Lagged)) => self.look(self.clock.now()),
                None => {}
            }
        }
    }

    /// Takes in all that is there.
    fn look(&mut self, at: Timestamp) {
        for crd in self.server.list(&crds(), None).unwrap_or_default() {
            self.work_on(&crd);
        }
        let mut there = BTreeSet::new();
        for (kind, resource) in self.kinds.clone() {
            for object in self.server.list(&resource, None).unwrap_or_default() {
                let key = key(&kind, &object);
                there.insert(key.clone());
                self.take(key, object, at);
            }
        }
        let gone: Vec<Key> = self
            .objects
            .keys()
            .filter(|key| !there.contains(*key))
            .cloned()
            .collect();
        for key in gone {
            self.forget(&key, at);
        }
    }

    /// Takes in all that has happened.
    fn listen(&mut self, at: Timestamp) {
        loop {
            match self.events.try_next() {
                Ok(Some(event)) => self.learn(event, at),
                Ok(None) => return,
                Err(Lagged) => self.look(at),
            }
        }
    }

    fn learn(&mut self, event: Event, at: Timestamp) {
        let kind = text(&event.object, "/kind").to_owned();
        if kind == "CustomResourceDefinition" && event.happening != Happening::Deleted {
            self.work_on(&event.object);
        }
        if self.kinds.get(&kind).is_none_or(|known| known.group != event.group) {
            return;
        }
        let key = key(&kind, &event.object);
        match event.happening {
            Happening::Added | Happening::Modified => self.take(key, event.object, at),
            Happening::Deleted => self.forget(&key, at),
        }
    }

    fn work_on(&mut self, crd: &Value) {
        if let Some((kind, resource)) = operated(crd) {
            self.kinds.insert(kind, resource);
        }
    }

    fn take(&mut self, key: Key, mut object: Value, at: Timestamp) {
        // Most of an object, and no operator looks at it.
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
        }
        self.touch_related(&key, &object, at);
        self.objects.insert(key.clone(), Known::of(&object));
        self.due.at(key, at);
    }

    fn forget(&mut self, key: &Key, at: Timestamp) {
        self.due.drop(key);
        if let Some(known) = self.objects.remove(key) {
            let object = known.object();
            self.made.remove(text(&object, "/metadata/uid"));
            self.touch_related(key, &object, at);
        }
    }

    /// Has those looked at whose steps depend on an object.
    fn touch_related(&mut self, (kind, namespace, name): &Key, object: &Value, at: Timestamp) {
        let related: Vec<Key> = match kind.as_str() {
            "NodePool" => {
                let cluster = text(object, "/spec/clusterName").to_owned();
                vec![("HostedCluster".to_owned(), namespace.clone(), cluster)]
            }
            "HostedCluster" => self.pools(namespace, name).map(|(key, _)| key.clone()).collect(),
            _ => Vec::new(),
        };
        for key in related {
            if self.objects.contains_key(&key) {
                self.due.at(key, at);
            }
        }
    }

    fn pools<'a>(&'a self, namespace: &'a str, cluster: &'a str) -> impl Iterator<Item = (&'a Key, &'a Known)> {
        let first = ("NodePool".to_owned(), namespace.to_owned(), String::new());
        self.objects
            .range(first..)
            .take_while(move |((kind, space, _), _)| kind == "NodePool" && space == namespace)
            .filter(move |(_, pool)| pool.cluster == cluster)
    }

    /// Takes one step of an object.
    async fn act(&mut self, key: &Key, at: Timestamp) {
        let Some(object) = self.objects.get(key).map(Known::object) else {
            return;
        };
        let (kind, namespace, name) = key;
        let step = match kind.as_str() {
            "HostedCluster" => {
                let pools: Vec<Value> = self.pools(namespace, name).map(|(_, pool)| pool.object()).collect();
                hosted_cluster::step(&object, &pools.iter().collect::<Vec<_>>(), at)
            }
            "NodePool" => {
                let cluster = text(&object, "/spec/clusterName").to_owned();
                let cluster = ("HostedCluster".to_owned(), namespace.clone(), cluster);
                node_pool::step(&object, self.objects.get(&cluster).map(Known::object).as_ref(), at)
            }
            _ => capi::step(&object, at),
        };
        let again = step.again;
        match self.take_step(key, &object, step).await {
            Ok(()) => {
                if let Some(again) = again {
                    self.due.at(key.clone(), again.max(after(at, 1)));
                }
            }
            Err(undone) => {
                tracing::debug!(%kind, %namespace, %name, %undone, "an operator tries again later");
                self.due.at(key.clone(), after(at, RETRY));
            }
        }
    }

    async fn take_step(&mut self, key: &Key, object: &Value, step: Step) -> Result<(), Undone> {
        let (kind, namespace, name) = key;
        let Some(resource) = self.kinds.get(kind).cloned() else {
            return Ok(());
        };
        for effect in step.effects {
            self.effect(object, effect).await?;
        }
        let place = (namespace.as_str(), name.as_str());
        let mut version = object["metadata"]["resourceVersion"].clone();
        if let Some(status) = step.status {
            let change = json!({"status": status});
            let now = self.server.patch(MANAGER, &resource, place, "status", &change)?;
            version = now["metadata"]["resourceVersion"].clone();
        }
        if let Some(mut patch) = step.patch {
            // Others write finalizers and owners too: theirs are not to be lost.
            patch["metadata"]["resourceVersion"] = version;
            self.server.patch(MANAGER, &resource, place, "", &patch)?;
        }
        Ok(())
    }

    async fn effect(&mut self, object: &Value, effect: Effect) -> Result<(), Undone> {
        match effect {
            Effect::Create(new) => {
                let name = text(&new, "/metadata/name");
                if self.is_to_be_made(object, name) {
                    match self.server.create(MANAGER, &new) {
                        Err(refusal) if refusal.reason != "AlreadyExists" => return Err(refusal.into()),
                        _ => self.was_made(object, name),
                    }
                }
            }
            Effect::DeletePool(name) => {
                if let Some(pools) = self.kinds.get("NodePool") {
                    self.server.delete(pools, text(object, "/metadata/namespace"), &name)?;
                }
            }
            Effect::EnsureLoadBalancer => {
                if self.is_to_be_made(object, LOAD_BALANCER) {
                    self.cloud.ensure(object).await?;
                    self.was_made(object, LOAD_BALANCER);
                }
            }
            Effect::RemoveLoadBalancer => {
                if !self.cloud.remove(object).await? {
                    return Err(Undone::StillThere);
                }
            }
        }
        Ok(())
    }

    fn is_to_be_made(&self, owner: &Value, what: &str) -> bool {
        let made = self.made.get(text(owner, "/metadata/uid"));
        !made.is_some_and(|made| made.contains(what))
    }

    fn was_made(&mut self, owner: &Value, what: &str) {
        let made = self.made.entry(text(owner, "/metadata/uid").to_owned()).or_default();
        made.insert(what.to_owned());
    }
}

fn key(kind: &str, object: &Value) -> Key {
    (
        kind.to_owned(),
        text(object, "/metadata/namespace").to_owned(),
        text(object, "/metadata/name").to_owned(),
    )
}

fn crds() -> Resource {
    Resource::new("apiextensions.k8s.io", "v1", "customresourcedefinitions")
}

/// The kind that a CRD defines, in the version that is stored, if operators work on it.
fn operated(crd: &Value) -> Option<(String, Resource)> {
    let group = text(crd, "/spec/group");
    let kind = text(crd, "/spec/names/kind");
    let ours = match group {
        HYPERSHIFT => matches!(kind, "HostedCluster" | "NodePool"),
        _ => capi::GROUPS.contains(&group),
    };
    let versions = crd.pointer("/spec/versions").and_then(Value::as_array)?;
    let stored = versions.iter().find(|version| version["storage"] == true)?;
    let resource = Resource::new(group, text(stored, "/name"), text(crd, "/spec/names/plural"));
    ours.then(|| (kind.to_owned(), resource))
}

/// When objects are looked at: each once, at the earliest time that was asked for.
#[derive(Default)]
struct Due {
    by_time: BTreeSet<(Timestamp, Key)>,
    by_key: BTreeMap<Key, Timestamp>,
}

impl Due {
    fn at(&mut self, key: Key, time: Timestamp) {
        match self.by_key.get(&key) {
            Some(earlier) if *earlier <= time => {}
            _ => {
                self.drop(&key);
                self.by_time.insert((time, key.clone()));
                self.by_key.insert(key, time);
            }
        }
    }

    fn drop(&mut self, key: &Key) {
        if let Some(time) = self.by_key.remove(key) {
            self.by_time.remove(&(time, key.clone()));
        }
    }

    /// The first that is due by a time.
    fn pop(&mut self, by: Timestamp) -> Option<(Timestamp, Key)> {
        let first = self.by_time.first().filter(|(time, _)| *time <= by)?.clone();
        self.drop(&first.1);
        Some(first)
    }

    fn next(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(time, _)| *time)
    }
}
