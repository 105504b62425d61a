//! The loop: objects change or their time comes, a step says what to do, and it is done.
//!
//! Invariant: steps are taken in the order of the virtual times at which they fall due, and each sees that time as now,
//! however late the loop gets to it: what a fleet comes to does not depend on how fast the machine is, and a sandbox that
//! is opened again catches up with the time that has passed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::guest::{GuestCloud, GuestError};
use super::reflector::{Seen, follow};
use super::{Effect, Step, after, capi, hosted_cluster, node_pool, text};
use crate::sandbox::client::{Client, Refused, Resource};
use crate::sandbox::clock::Clock;
use crate::sandbox::http::Api;

/// Seconds until what could not be done is tried again.
const RETRY: i64 = 10;

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
    pub fn start(api: Arc<dyn Api>, cloud: Arc<dyn GuestCloud>, clock: Clock, since: Timestamp) -> Self {
        let (idle_sender, idle) = watch::channel(false);
        let (sender, seen) = unbounded_channel();
        let operators = Self {
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            idle,
        };
        let work = Loop {
            client: Client::new(api),
            cloud,
            clock,
            since,
            objects: BTreeMap::new(),
            followed: BTreeMap::new(),
            due: Due::default(),
            made: BTreeMap::new(),
            sender,
            tasks: operators.tasks.clone(),
        };
        let stop = operators.stop.clone();
        operators.tasks.spawn(async move {
            tokio::select! {
                () = work.run(seen, &idle_sender) => {}
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
    client: Client,
    cloud: Arc<dyn GuestCloud>,
    clock: Clock,
    since: Timestamp,
    objects: BTreeMap<Key, Value>,
    /// Kinds that are followed, and whether they have been listed.
    followed: BTreeMap<Resource, bool>,
    due: Due,
    /// What clusters have made, by their UID: each thing is made once in this process, so that what somebody deletes
    /// stays deleted.
    made: BTreeMap<String, BTreeSet<String>>,
    sender: UnboundedSender<Seen>,
    tasks: TaskTracker,
}

/// Why a step was not done to its end.
#[derive(Debug, thiserror::Error)]
enum Undone {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Guest(#[from] GuestError),
    #[error("the guest's load balancer is being deleted")]
    StillThere,
}

impl Loop {
    async fn run(mut self, mut seen: UnboundedReceiver<Seen>, idle: &watch::Sender<bool>) {
        self.follow(Resource::crds());
        loop {
            while let Ok(news) = seen.try_recv() {
                self.learn(news);
            }
            let now = self.clock.now();
            let listed = self.followed.values().all(|listed| *listed);
            if listed && let Some((at, key)) = self.due.pop(now) {
                self.act(&key, at).await;
                continue;
            }
            idle.send_if_modified(|idle| !std::mem::replace(idle, listed) && listed);
            let next = self.due.next().filter(|_| listed);
            let wake = async {
                match next {
                    Some(time) => self.clock.until(time).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                news = seen.recv() => match news {
                    Some(news) => self.learn(news),
                    None => return,
                },
                () = wake => {}
            }
            idle.send_replace(false);
        }
    }

    fn follow(&mut self, resource: Resource) {
        if self.followed.contains_key(&resource) {
            return;
        }
        self.followed.insert(resource.clone(), false);
        let follower = follow(self.client.clone(), resource, self.clock.clone(), self.sender.clone());
        self.tasks.spawn(follower);
    }

    /// Takes in what was seen, and notes who has to look at it.
    fn learn(&mut self, news: Seen) {
        match news {
            Seen::All(resource, objects) => {
                // What is there before the first list was there before this process.
                let first = self.followed.insert(resource.clone(), true) == Some(false);
                let at = if first { self.since } else { self.clock.now() };
                let new: BTreeSet<Key> = objects.iter().map(|object| key(&resource, object)).collect();
                let kind = resource.kind.as_str();
                let gone: Vec<Key> = self
                    .objects
                    .keys()
                    .filter(|key| key.0 == kind && !new.contains(*key))
                    .cloned()
                    .collect();
                for key in gone {
                    self.forget(&key, at);
                }
                for object in objects {
                    self.take(&resource, object, at);
                }
            }
            Seen::Present(resource, object) => self.take(&resource, object, self.clock.now()),
            Seen::Gone(resource, object) => self.forget(&key(&resource, &object), self.clock.now()),
        }
    }

    fn take(&mut self, resource: &Resource, object: Value, at: Timestamp) {
        if resource.kind == "CustomResourceDefinition" {
            if let Some(resource) = operated(&object) {
                self.follow(resource);
            }
            return;
        }
        let key = key(resource, &object);
        let version = |object: &Value| text(object, "/metadata/resourceVersion").to_owned();
        let known = self
            .objects
            .get(&key)
            .is_some_and(|known| version(known) == version(&object));
        if !known {
            self.objects.insert(key.clone(), object);
            self.touch(&key, at);
        }
    }

    fn forget(&mut self, key: &Key, at: Timestamp) {
        self.due.drop(key);
        if let Some(object) = self.objects.remove(key) {
            self.made.remove(text(&object, "/metadata/uid"));
            self.touch_related(key, &object, at);
        }
    }

    /// Has an object looked at, and those that depend on it.
    fn touch(&mut self, key: &Key, at: Timestamp) {
        self.due.at(key.clone(), at);
        if let Some(object) = self.objects.get(key).cloned() {
            self.touch_related(key, &object, at);
        }
    }

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

    fn pools<'a>(&'a self, namespace: &'a str, cluster: &'a str) -> impl Iterator<Item = (&'a Key, &'a Value)> {
        let first = ("NodePool".to_owned(), namespace.to_owned(), String::new());
        self.objects
            .range(first..)
            .take_while(move |((kind, space, _), _)| kind == "NodePool" && space == namespace)
            .filter(move |(_, pool)| text(pool, "/spec/clusterName") == cluster)
    }

    /// Takes one step of an object.
    async fn act(&mut self, key: &Key, at: Timestamp) {
        let Some(object) = self.objects.get(key).cloned() else {
            return;
        };
        let (kind, namespace, name) = key;
        let step = match kind.as_str() {
            "HostedCluster" => {
                let pools: Vec<&Value> = self.pools(namespace, name).map(|(_, pool)| pool).collect();
                hosted_cluster::step(&object, &pools, at)
            }
            "NodePool" => {
                let cluster = text(&object, "/spec/clusterName").to_owned();
                let cluster = ("HostedCluster".to_owned(), namespace.clone(), cluster);
                node_pool::step(&object, self.objects.get(&cluster), at)
            }
            _ => capi::step(&object, at),
        };
        let again = step.again;
        match self.take_step(key, &object, step, at).await {
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

    async fn take_step(&mut self, key: &Key, object: &Value, step: Step, at: Timestamp) -> Result<(), Undone> {
        let Some(resource) = self.followed.keys().find(|resource| resource.kind == key.0).cloned() else {
            return Ok(());
        };
        for effect in step.effects {
            self.effect(object, effect).await?;
        }
        let place = (&resource, key.1.as_str(), key.2.as_str());
        if let Some(status) = step.status {
            let now = self.client.patch_status(place, &json!({"status": status})).await?;
            self.take(&resource, now, at);
        }
        if let Some(mut patch) = step.patch {
            // Others write finalizers and owners too: theirs are not to be lost.
            let version = self.objects.get(key).map(|now| text(now, "/metadata/resourceVersion"));
            patch["metadata"]["resourceVersion"] = json!(version);
            let now = self.client.patch(place, &patch).await?;
            let ends = now.pointer("/metadata/deletionTimestamp").is_some() && super::finalizers(&now).is_empty();
            if ends {
                self.forget(key, at);
            } else {
                self.take(&resource, now, at);
            }
        }
        Ok(())
    }

    async fn effect(&mut self, object: &Value, effect: Effect) -> Result<(), Undone> {
        match effect {
            Effect::Create(new) => {
                let name = text(&new, "/metadata/name");
                if self.is_to_be_made(object, name) {
                    self.client.create(&secrets(), &new).await?;
                    self.was_made(object, name);
                }
            }
            Effect::DeletePool(name) => {
                let namespace = text(object, "/metadata/namespace");
                if let Some(pools) = self.followed.keys().find(|resource| resource.kind == "NodePool") {
                    self.client.delete((pools, namespace, &name)).await?;
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

fn key(resource: &Resource, object: &Value) -> Key {
    (
        resource.kind.clone(),
        text(object, "/metadata/namespace").to_owned(),
        text(object, "/metadata/name").to_owned(),
    )
}

fn secrets() -> Resource {
    Resource {
        group: String::new(),
        version: "v1".to_owned(),
        plural: "secrets".to_owned(),
        kind: "Secret".to_owned(),
    }
}

/// The kind that a CRD defines, in the version that is stored, if operators work on it.
fn operated(crd: &Value) -> Option<Resource> {
    let group = text(crd, "/spec/group");
    let kind = text(crd, "/spec/names/kind");
    let ours = match group {
        HYPERSHIFT => matches!(kind, "HostedCluster" | "NodePool"),
        _ => capi::GROUPS.contains(&group),
    };
    let versions = crd.pointer("/spec/versions").and_then(Value::as_array)?;
    let stored = versions.iter().find(|version| version["storage"] == true)?;
    ours.then(|| Resource {
        group: group.to_owned(),
        version: text(stored, "/name").to_owned(),
        plural: text(crd, "/spec/names/plural").to_owned(),
        kind: kind.to_owned(),
    })
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
