//! `plan --out` and `apply FILE`, as a pipeline has them: on a sandbox on disk.

use std::process::Command;

use crate::cli::Workplace;
use crate::fleet_support::repository;
use crate::plan_against::edit;

const SANDBOX: [&str; 4] = ["--sandbox", "box", "--speed", "2000"];

fn args<'a>(command: &[&'a str]) -> Vec<&'a str> {
    [command, &SANDBOX].concat()
}

#[test]
fn a_plan_is_kept_signed_applied_once_and_refused_when_stale() {
    let place = Workplace::copy_of(&repository("fleet"));
    place.run(&args(&["apply", "--yes"])).exits(0);
    let ten = "replicas: 6}, gpu";
    edit(&place, "clusters/prod.yaml", ten, "replicas: 7}, gpu");
    let plan = place.run(&args(&["plan", "--out", "seven.plan"])).exits(0);
    assert!(
        plan.stderr.contains("kept in seven.plan: 1 change of worktree:"),
        "{}",
        plan.stderr
    );

    // Nobody has signed it yet; somebody does, who may; then somebody changes a byte of it.
    let keygen = |args: &[&str]| {
        let done = Command::new("ssh-keygen").args(args).current_dir(place.path()).output();
        let done = done.expect("ssh-keygen");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    keygen(&["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", "key"]);
    let public = std::fs::read_to_string(place.path().join("key.pub")).expect("a key");
    std::fs::write(place.path().join("signers"), format!("reviewer@example.com {public}")).expect("a file");
    let signed = ["apply", "seven.plan", "--require-signature", "signers"];
    let refused = place.run(&args(&signed)).exits(3);
    assert!(
        refused
            .stderr
            .contains("seven.plan.sig is not there: nobody has signed the plan"),
        "{}",
        refused.stderr
    );
    keygen(&["-q", "-Y", "sign", "-n", "git", "-f", "key", "seven.plan"]);
    let refused = place.run(&args(&signed)).exits(3);
    assert!(
        refused.stderr.contains("does not count as signed"),
        "{}",
        refused.stderr
    );
    std::fs::remove_file(place.path().join("seven.plan.sig")).expect("it");
    keygen(&["-q", "-Y", "sign", "-n", "fleetwright-plan", "-f", "key", "seven.plan"]);
    let whole = std::fs::read_to_string(place.path().join("seven.plan")).expect("it");
    std::fs::write(place.path().join("seven.plan"), format!("{whole} ")).expect("it");
    place.run(&args(&signed)).exits(3);
    std::fs::write(place.path().join("seven.plan"), &whole).expect("it");

    // Applied without a question, once; the second time there is nothing left of it.
    let applied = place.run(&args(&signed)).exits(0);
    assert!(
        applied.stderr.contains("signed by reviewer@example.com"),
        "{}",
        applied.stderr
    );
    assert!(applied.stdout.contains(".spec.replicas: 6 → 7"), "{}", applied.stdout);
    let again = place.run(&args(&["apply", "seven.plan"])).exits(0);
    assert!(again.stderr.contains("nothing of it is left to do"), "{}", again.stderr);

    // What the files come to since is not what was looked at.
    edit(&place, "clusters/prod.yaml", "replicas: 7}, gpu", "replicas: 8}, gpu");
    place.run(&args(&["plan", "--out", "eight.plan"])).exits(0);
    edit(&place, "clusters/prod.yaml", "replicas: 8}, gpu", "replicas: 9}, gpu");
    let stale = place.run(&args(&["apply", "eight.plan"])).exits(3);
    assert!(
        stale.stderr.contains("the plan is stale: cluster search: its files"),
        "{}",
        stale.stderr
    );
    assert!(stale.stderr.contains("nothing was changed"), "{}", stale.stderr);
    let left = place.run(&args(&["plan", "-o", "json"])).exits(0).json();
    assert_eq!(left["changes"][0]["fields"][0]["before"], 7, "{left:#}");
}

#[test]
fn only_what_can_be_applied_is_kept() {
    let place = Workplace::copy_of(&repository("fleet"));
    let refused = place.run(&["plan", "--against", "nothing", "--out", "p"]).exits(1);
    assert!(refused.stderr.contains("leave --against away"), "{}", refused.stderr);
    std::fs::write(place.path().join("p"), "no plan").expect("a file");
    let refused = place.run(&args(&["apply", "p"])).exits(1);
    assert!(
        refused.stderr.contains("is no plan that `plan --out` wrote"),
        "{}",
        refused.stderr
    );
}
