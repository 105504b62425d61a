//! What a daemon stands on goes away, one thing at a time, and comes back: nothing is done wrong meanwhile, what is wrong is
//! said, and it goes on by itself.

mod api_server;
mod away;
mod branch;
mod disk;
pub(super) mod git;
mod storm;
mod suspend;
mod token;

use serde_json::Value;

use super::Stage;
use super::daemon::Daemon;

/// Drift and commits alone tell it to look: a regular look would hide that they were not heard of.
pub(super) const SELDOM: [&str; 2] = ["--resync", "1h"];

/// Writes the stage's cluster with pools `a` and `b` of so many nodes.
fn wish(stage: &Stage, a: u32, b: u32) {
    let pool = |name: &str, replicas| format!("{name}: {{profile: general, replicas: {replicas}}}");
    stage.cluster(&stage.name, &[&pool("a", a), &pool("b", b)]);
}

/// What `/status` says of the stage's cluster.
fn unit(stage: &Stage, daemon: &Daemon) -> Value {
    daemon.status()["units"][format!("cluster {}", stage.name)].clone()
}

/// Whether `/metrics` has such a line.
fn measures(daemon: &Daemon, line: &str) -> bool {
    daemon.get("/metrics").1.lines().any(|one| one == line)
}

/// Waits until the stage's cluster is looked at and in sync.
#[track_caller]
pub(super) fn in_sync(stage: &Stage, daemon: &mut Daemon) {
    daemon.says(&["looked at", &format!("cluster {}", stage.name), "in sync"]);
}
