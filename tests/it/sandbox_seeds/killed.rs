//! The program itself on a sandbox on disk: killed in the middle, again and again, and then run to its end.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;

use fleetwright::ops::{self, LoadedFleet};
use fleetwright::sandbox::Options;
use fleetwright::sandbox::fault::Spec;
use serde_json::Value;

use super::bystanders::Before;
use super::{demo, options, state};
use crate::cli::Workplace;
use crate::fleet_support::repository;

/// On the sandbox in `box`, fast.
const SANDBOX: [&str; 4] = ["--sandbox", "box", "--speed", "2000"];

fn args<'a>(command: &[&'a str]) -> Vec<&'a str> {
    [command, &SANDBOX].concat()
}

/// Kills an apply as soon as it has said that it has made so many things.
fn killed_after(place: &Workplace, made: usize) {
    let mut child = place
        .command(&args(&["apply", "--yes"]))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program to start");
    let mut stderr = BufReader::new(child.stderr.take().expect("its stderr"));
    let (mut seen, mut said) = (0, String::new());
    while seen < made {
        let start = said.len();
        let read = stderr.read_line(&mut said).expect("a line");
        assert_ne!(read, 0, "it ended before it was to be killed:\n{said}");
        seen += usize::from(said[start..].starts_with("created"));
    }
    // SIGKILL.
    child.kill().expect("it to be there");
    child.wait().expect("its end");
}

/// What both control planes hold once the operators are done.
fn state_of(loaded: &LoadedFleet, place: &Workplace) -> BTreeMap<String, Value> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let fresh = ops::open_sandbox(options(0, Spec::default()), Some(loaded));
        let before = Before::of(loaded, &fresh.await.expect("a sandbox"), BTreeMap::new());
        let kept = Options {
            directory: Some(place.path().join("box")),
            ..Options::new(jiff::Timestamp::now())
        };
        let sandbox = ops::open_sandbox(kept, Some(loaded)).await.expect("what was kept");
        sandbox.clock().sleep(Duration::from_secs(3 * 3600)).await;
        sandbox.settled().await;
        let objects = state::objects(loaded, &sandbox).await;
        state::are_ready(&objects, 0);
        let state = state::comparable(&objects, &sandbox, &before);
        sandbox.close().await.expect("a flush");
        state
    })
}

/// Applies to the end, after which there is nothing to do.
fn finish(place: &Workplace) {
    place.run(&args(&["apply", "--yes"])).exits(0);
    let plan = place.run(&args(&["plan", "--detailed-exitcode"])).exits(0);
    assert!(plan.stdout.contains("Nothing to do"), "{}", plan.stdout);
}

#[test]
fn an_apply_on_disk_that_was_killed_is_finished_by_the_next() {
    let loaded = demo();
    let (calm, killed) = (
        Workplace::copy_of(&repository("fleet")),
        Workplace::copy_of(&repository("fleet")),
    );
    finish(&calm);
    for made in [2, 25, 40] {
        killed_after(&killed, made);
    }
    finish(&killed);
    let (expected, found) = (state_of(&loaded, &calm), state_of(&loaded, &killed));
    assert!(expected.len() > 150, "{}", expected.len());
    for (name, object) in &expected {
        assert_eq!(found.get(name), Some(object), "{name}");
    }
    let more: Vec<&String> = found.keys().filter(|name| !expected.contains_key(*name)).collect();
    assert!(more.is_empty(), "{more:?}");
}

#[test]
fn a_sandbox_has_a_budget_where_one_is_named_and_is_reached_by_no_kubeconfig() {
    let place = Workplace::copy_of(&repository("fleet"));
    place.run(&args(&["apply", "--yes"])).exits(0);
    let plan = place.run(&args(&["plan"])).exits(0).stderr;
    assert!(plan.contains("OCI: ") && !plan.contains("for the budget"), "{plan}");
    let spared = place.run(&args(&["plan", "--oci-calls", "50/1"])).exits(0).stderr;
    assert!(spared.contains("for the budget"), "{spared}");
    let refused = place.run(&args(&["plan", "--kubeconfig", "box/kubeconfig"])).exits(1);
    assert!(
        refused
            .stderr
            .contains("'--kubeconfig <FILE>' cannot be used with '--sandbox [<DIR>]'"),
        "{}",
        refused.stderr
    );
    // What the environment says is meant for other commands.
    let mut plan = place.command(&args(&["plan"]));
    for name in ["KUBECONFIG", "OCI_CLI_CONFIG_FILE", "OCI_CLI_PROFILE"] {
        plan.env(name, "nowhere");
    }
    let output = plan.output().expect("the program to start");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
