//! Simulated operators: what HyperShift, Cluster API and its OCI provider would do to the objects that they own.
//!
//! Invariant: what an operator does to one object is a pure function of that object, of the few around it and of the time;
//! all that it remembers is in the objects' own statuses and annotations, as with real operators, so that it goes on after
//! a restart as if nothing had been. Operators are clients of the API server like any other and see nothing that others
//! don't. Nobody has watched real operators on OCI: HyperShift's OCI platform is a proposal, and the sequences here are those
//! of its siblings.
//!
//! - [`hosted_cluster`], [`node_pool`]: HyperShift's two kinds
//! - [`capi`]: Cluster API and its OCI provider, readiness alone
//! - [`guest`]: what a hosted cluster makes in the cloud by itself
//! - [`run`]: the loop that watches, steps and writes

pub mod capi;
mod conditions;
pub mod guest;
pub mod hosted_cluster;
pub mod node_pool;
mod release;
pub mod run;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde_json::{Value, json};

/// What a step wants done, in this order: effects, status, patch. Nothing of it is done twice by being wanted twice.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// What concerns other objects. One that can't be finished yet puts off all that follows.
    pub effects: Vec<Effect>,
    /// The whole new status; none: it stays.
    pub status: Option<Value>,
    /// A merge patch of the rest of the object.
    pub patch: Option<Value>,
    /// When to look again though nothing changes; none: only when something does.
    pub again: Option<Timestamp>,
}

/// What a step does beside the object itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Makes an object where there is none.
    Create(Value),
    /// Deletes a NodePool of the cluster's namespace.
    DeletePool(String),
    /// Has the guest's cloud controller make its load balancer.
    EnsureLoadBalancer,
    /// Has it deleted, and waits until it is gone.
    RemoveLoadBalancer,
}

impl Step {
    /// Takes a status if it is not the one that the object has.
    fn with_status(mut self, object: &Value, status: Value) -> Self {
        self.status = (object.get("status") != Some(&status)).then_some(status);
        self
    }

    /// Looks again at a time, or earlier if that is wanted already.
    fn at(mut self, time: Timestamp) -> Self {
        self.again = Some(self.again.map_or(time, |again| again.min(time)));
        self
    }
}

/// Text at a pointer without escapes; empty where there is none.
pub(in crate::sandbox) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    // `Value::pointer` copies each step, and this is asked for by the hundred for each of thousands.
    let mut steps = pointer.split('/').skip(1);
    let found = steps.try_fold(object, |value, step| match value {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        value => value.get(step),
    });
    found.and_then(Value::as_str).unwrap_or_default()
}

/// A time at a pointer.
fn time(object: &Value, pointer: &str) -> Option<Timestamp> {
    text(object, pointer).parse().ok()
}

/// A time as the API has it: whole seconds.
fn stamp(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Some time after another; both are virtual, and neither nears the end of the calendar.
fn after(time: Timestamp, seconds: i64) -> Timestamp {
    time.checked_add(jiff::SignedDuration::from_secs(seconds))
        .unwrap_or(Timestamp::MAX)
}

/// When an object was asked to go.
fn deleted_at(object: &Value) -> Option<Timestamp> {
    time(object, "/metadata/deletionTimestamp")
}

fn finalizers(object: &Value) -> Vec<&str> {
    let list = object.pointer("/metadata/finalizers").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The patch that adds a finalizer; none where it is there.
fn with_finalizer(object: &Value, name: &str) -> Option<Value> {
    let mut all = finalizers(object);
    if all.contains(&name) {
        return None;
    }
    all.push(name);
    Some(json!({"metadata": {"finalizers": all}}))
}

/// The patch that takes a finalizer away; none where it is not there.
fn without_finalizer(object: &Value, name: &str) -> Option<Value> {
    let all = finalizers(object);
    let rest: Vec<&str> = all.iter().copied().filter(|other| *other != name).collect();
    (rest.len() < all.len()).then(|| json!({"metadata": {"finalizers": rest}}))
}

/// `spec.pausedUntil`: `true`, or a time that lies ahead. The time, where it is one.
fn paused_until(object: &Value, now: Timestamp) -> Option<Option<Timestamp>> {
    let until = text(object, "/spec/pausedUntil");
    if until.eq_ignore_ascii_case("true") {
        return Some(None);
    }
    let time: Timestamp = until.parse().ok()?;
    (time > now).then_some(Some(time))
}
