//! Who takes over from another does not undo what it has not heard of: what was applied by newer files is left.

use serde_json::Value;

use super::Stage;
use super::daemon::{commit, has_replicas};
use super::lease::Replica;
use super::telemetry::push;
use super::wait::until;
use crate::support::{Behind, Gate, Gitea};

/// When the fleet's Leases were last renewed.
fn renewals(stage: &Stage) -> Value {
    let label = format!("fleetwright.dev/lease={}", stage.uid());
    let leases = stage.login.get(&["leases", "-n", "fleetwright-system", "-l", &label]);
    let times = leases["items"].as_array().expect("leases").iter();
    times.map(|lease| lease["spec"]["renewTime"].clone()).collect()
}

#[test]
fn one_who_has_not_heard_of_a_commit_does_not_undo_it_when_it_takes_over() {
    let (Some(gitea), Some(stage)) = (Gitea::start(), Stage::new("behind")) else {
        return;
    };
    super::sync::install(&stage);
    gitea.make("behind");
    commit(&stage, "first");
    push(&gitea, &stage);
    let gate = Gate::before(gitea.port());
    let gated = format!("http://127.0.0.1:{}/tester/behind.git", gate.port());
    let token = stage.place.path().join("token");
    std::fs::write(&token, &gitea.token).expect("a file");
    let start = |name, url: &str, poll| {
        let cache = stage.place.path().join(format!("cache-of-{name}"));
        let [token, cache] = [&token, &cache].map(|path| path.to_str().expect("a path of text"));
        let git = [
            "--git",
            url,
            "--ref",
            "main",
            "--git-token-file",
            token,
            "--git-cache",
            cache,
        ];
        let leases = ["--replicas", "standby", "--lease-duration", "2s", "--poll", poll];
        Replica::start(&stage, name, &[&git[..], &leases].concat())
    };
    let mut first = start("first", &gitea.url("behind"), "1s");
    first.says(&["looked at", "cluster behind", "in sync"]);
    // Without a webhook it hears of nothing for an hour.
    let mut second = start("second", &gated, "1h");
    second.says(&["in force"]);
    second.says(&["leases", "StandsBy"]);

    let pools = [
        "a: {profile: general, replicas: 5}",
        "b: {profile: general, replicas: 3}",
    ];
    stage.cluster("behind", &pools);
    commit(&stage, "second");
    push(&gitea, &stage);
    has_replicas(&stage, "behind-a", 5);
    gate.put(Behind::Silence);
    let mark = stage.login.mark();
    first.signal("-KILL");
    second.says(&["Leads"]);
    until("it asks what there is", || (gate.held() > 0).then_some(()));
    // Meanwhile it goes by the files that it has.
    for _ in 0..3 {
        let before = renewals(&stage);
        until("its Lease is renewed", || (renewals(&stage) != before).then_some(()));
    }
    gate.put(Behind::Server);
    second.says(&["looked at", "cluster behind", "in sync"]);
    has_replicas(&stage, "behind-a", 5);
    let mut writes = second.writes_since(mark);
    writes.retain(|write| write.contains("/nodepools"));
    assert!(writes.is_empty(), "{writes:?}");
    second.ends();
}
