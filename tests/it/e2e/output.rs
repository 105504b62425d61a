//! What the program says, where, and how it ends: a contract with people and with other programs.

use std::process::Stdio;

use super::form::problems;
use super::{Stage, list, shown};
use crate::cli::{Ran, Workplace};

#[track_caller]
fn has_the_form(ran: &Ran, form: &str) {
    let place = Workplace::new(&[]);
    let schema = place.run(&["schema", &format!("output/{form}")]).exits(0).json();
    assert_eq!(problems(&ran.json(), &schema), Vec::<String>::new());
    assert_eq!(ran.json()["schema"], schema["properties"]["schema"]["const"]);
}

#[test]
fn json_has_the_form_of_its_schema_at_every_turn() {
    let Some(stage) = Stage::new("output") else { return };
    let json = |args: &[&str], code: i32| stage.run(&[args, &["-o", "json"]].concat()).exits(code);
    has_the_form(&json(&["status"], 0), "status.v1");
    has_the_form(&json(&["plan"], 0), "plan.v1");
    let applied = json(&["apply", "--yes"], 0);
    has_the_form(&applied, "apply.v1");
    assert_eq!(list(&applied.json()["results"]).len(), 5);
    assert!(
        list(&applied.json()["results"])
            .iter()
            .all(|result| result["result"] == "done")
    );

    // Drift, a change, a delete; then a refusal and a failure.
    stage.kubectl("output", &["scale", "nodepool", "output-a", "--replicas=7"]);
    has_the_form(&json(&["plan", "--detailed-exitcode"], 4), "plan.v1");
    stage.cluster("output", &["a: {profile: general, replicas: 4}"]);
    has_the_form(&json(&["plan", "--detailed-exitcode"], 2), "plan.v1");
    let status = json(&["status"], 0);
    has_the_form(&status, "status.v1");
    assert_eq!(status.json()["clusters"][0]["pending"], 2);
    stage.fleet("  limits: {deletes: 0}");
    let refused = json(&["apply", "--yes"], 3);
    has_the_form(&refused, "apply.v1");
    assert_eq!(refused.json()["plan"]["refusals"][0]["guard"], "delete-cap");
    assert_eq!(list(&refused.json()["results"]).len(), 0);
    stage.place.write(
        "clusters/broken.yaml",
        "kind: Cluster\nmetadata: {name: broken}\nspec: {environment: dve}\n",
    );
    let broken = json(&["plan", "--detailed-exitcode"], 3);
    has_the_form(&broken, "plan.v1");
    assert_eq!(broken.json()["held"][0]["unit"]["name"], "broken");
    assert_eq!(broken.json()["diagnostics"][0]["file"], "clusters/broken.yaml");
}

#[test]
fn exit_codes_say_what_came_of_it() {
    let Some(stage) = Stage::new("codes") else { return };
    stage.run(&["plan"]).exits(0);
    stage.run(&["plan", "--detailed-exitcode"]).exits(2);
    // Nobody is there to say yes.
    let unasked = stage.run(&["apply"]).exits(1);
    assert!(unasked.stderr.contains("give --yes"), "{}", unasked.stderr);
    stage.run(&["apply", "--yes"]).exits(0);
    stage.run(&["plan", "--detailed-exitcode"]).exits(0);
    stage.kubectl("codes", &["delete", "nodepool", "codes-a"]);
    stage.run(&["plan"]).exits(0);
    stage.run(&["plan", "--detailed-exitcode"]).exits(4);
    stage.without_cluster("codes");
    stage.run(&["plan"]).exits(3);
    stage.run(&["apply", "--yes"]).exits(3);
    // A file that can't be read: no delete follows from what is not in it.
    stage.place.write("clusters/codes.yaml", "kind: Cluster\n\tmetadata\n");
    let broken = stage.run(&["plan", "--detailed-exitcode"]).exits(3);
    assert!(broken.stdout.contains("refused (incomplete)"), "{}", broken.stdout);
    stage.cluster(
        "codes",
        &["a: {profile: general}", "b: {profile: general, replicas: 3}"],
    );
    stage.place.write("clusters/other.yaml", "kind: Cluster\n\tmetadata\n");
    stage.run(&["plan", "--detailed-exitcode"]).exits(1);
}

#[test]
fn what_can_not_be_looked_at_is_an_error_and_not_nothing_to_do() {
    let Some(stage) = Stage::new("blind") else { return };
    stage.run(&["apply", "--yes"]).exits(0);
    let Some(server) = crate::support::ApiServer::shared() else {
        return;
    };
    let nobody = server.login_without_rights();
    let kubeconfig = nobody.kubeconfig.to_str().expect("a path in UTF-8");
    let args = ["plan", "--detailed-exitcode", "--kubeconfig", kubeconfig];
    let blind = shown(&args, stage.place.run(&args)).exits(1);
    assert!(blind.stderr.contains("no right to list"), "{}", blind.stderr);

    // The inventories can be read, and Secrets, and nothing else.
    for (role, verbs, resources) in [("records", "list", "configmaps"), ("secrets", "get", "secrets")] {
        let name = format!("blind-{role}");
        let user = format!("--user={}", nobody.user);
        let (verbs, resources) = (format!("--verb={verbs}"), format!("--resource={resources}"));
        stage
            .login
            .kubectl(&["create", "clusterrole", &name, &verbs, &resources]);
        stage.login.kubectl(&[
            "create",
            "clusterrolebinding",
            &name,
            &format!("--clusterrole={name}"),
            &user,
        ]);
    }
    let blind = shown(&args, stage.place.run(&args)).exits(1);
    assert!(
        blind.stdout.contains("? NodePool clusters-blind/blind-a"),
        "{}",
        blind.stdout
    );
    assert!(
        blind.stdout.contains("its live state is not known: "),
        "{}",
        blind.stdout
    );
    let apply = ["apply", "--yes", "--kubeconfig", kubeconfig];
    shown(&apply, stage.place.run(&apply)).exits(1);

    let nowhere = stage.place.path().join("nowhere").display().to_string();
    let args = ["plan", "--kubeconfig", &nowhere];
    let lost = shown(&args, stage.place.run(&args)).exits(1);
    assert!(
        lost.stderr.contains("management cluster m can't be reached"),
        "{}",
        lost.stderr
    );
}

#[test]
fn usage_errors_end_with_1_and_help_with_0() {
    let place = Workplace::new(&[]);
    for args in [
        &["plna"][..],
        &["plan", "--no-such-flag"],
        &["plan", "--against"],
        &["apply", "--wait=soon"],
        &[],
    ] {
        let wrong = place.run(args).exits(1);
        assert_eq!(wrong.stdout, "", "{args:?}");
        assert_ne!(wrong.stderr, "", "{args:?}");
    }
    for args in [&["--help"][..], &["--version"], &["plan", "--help"]] {
        let helped = place.run(args).exits(0);
        assert_eq!(helped.stderr, "", "{args:?}");
        assert_ne!(helped.stdout, "", "{args:?}");
    }
    let missing = place.run(&["validate"]).exits(1);
    assert!(
        missing.stderr.contains("can't read the fleet directory fleet"),
        "{}",
        missing.stderr
    );
}

/// A fleet that a plan against nothing shows whole, without a server.
fn small() -> Workplace {
    let place = Workplace::new(&[]);
    std::fs::remove_dir(place.fleet()).ok();
    place.run(&["init"]).exits(0);
    place.run(&["lock"]).exits(0);
    place
}

#[test]
fn stdout_is_data_and_colour_is_asked_for() {
    let place = small();
    let plain = place.run(&["plan", "--against", "nothing"]).exits(0);
    assert!(
        !plain.stdout.contains('\u{1b}') && !plain.stderr.contains('\u{1b}'),
        "a pipe gets no colours"
    );
    let coloured = place
        .run(&["plan", "--against", "nothing", "--color", "always"])
        .exits(0);
    assert!(coloured.stdout.contains("\u{1b}[32m+"), "{}", coloured.stdout);
    let bare = coloured
        .stdout
        .split('\u{1b}')
        .map(|part| part.split_once('m').map_or(part, |(_, rest)| rest));
    assert_eq!(
        bare.collect::<String>().len(),
        plain.stdout.len() + coloured.stdout.find('\u{1b}').unwrap_or(0)
    );

    // NO_COLOR settles what is left open; who asks for colour by an option gets it.
    let with = |args: &[&str]| {
        let output = place.command(args).env("NO_COLOR", "1").output().expect("a run");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    assert_eq!(with(&["plan", "--against", "nothing"]), plain.stdout);
    assert_eq!(
        with(&["plan", "--against", "nothing", "--color", "always"]),
        coloured.stdout
    );
    assert_eq!(
        with(&["plan", "--against", "nothing", "--color", "never"]),
        plain.stdout
    );

    place.write(
        "zzz.yaml",
        "kind: Cluster\nmetadata: {name: zzz}\nspec: {environment: nowhere}\n",
    );
    let json = place.run(&["plan", "--against", "nothing", "-o", "json"]).exits(1);
    json.json();
    assert!(json.stderr.contains("nowhere"), "{}", json.stderr);
}

#[test]
fn quiet_leaves_errors_and_data() {
    let Some(stage) = Stage::new("quiet") else { return };
    std::fs::remove_dir_all(stage.place.fleet().join("fleet.lock/clusters")).expect("a lock");
    let loud = stage.run(&["plan"]).exits(0);
    assert!(loud.stderr.contains("fleet.lock is not up to date"), "{}", loud.stderr);
    let quiet = stage.run(&["plan", "--quiet"]).exits(0);
    assert_eq!(quiet.stderr, "");
    assert_eq!(quiet.stdout, loud.stdout);
    stage.place.run(&["lock"]).exits(0);
    assert_eq!(stage.run(&["apply", "--yes", "--quiet"]).exits(0).stderr, "");
    stage.cluster("quiet", &["a: {profile: no-such}"]);
    assert!(stage.run(&["plan", "--quiet"]).exits(1).stderr.contains("no-such"));
}

#[test]
fn an_extra_manifest_is_pointed_at_where_it_was_typed() {
    let place = small();
    let extra = "  extraManifests:\n\
        \x20   - {apiVersion: v1, kind: ConfigMap, metadata: {name: fine}}\n\
        \x20   - apiVersion: v1\n      kind: Secret\n      metadata: {name: no}\n      stringData: {a: plain}\n";
    let path = place.fleet().join("clusters/first.yaml");
    let text = std::fs::read_to_string(&path).expect("the first cluster");
    let line = text.trim_end().lines().count() + 3;
    place.write("clusters/first.yaml", &format!("{}\n{extra}", text.trim_end()));
    let said = place.run(&["validate"]).exits(1);
    let said = format!("{}{}", said.stdout, said.stderr);
    assert!(said.contains("gives a Secret with its data in plain text"), "{said}");
    assert!(said.contains(&format!("clusters/first.yaml:{line}:7")), "{said}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let place = small();
    for args in [
        &["plan", "--against", "nothing", "--quiet"][..],
        &["schema", "output/plan.v1"],
        &["--help"],
        &["completion", "bash"],
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = place
            .command(args)
            .stdout(writer)
            .stderr(Stdio::piped())
            .output()
            .expect("a run");
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
    }
}

#[test]
fn an_apply_that_waits_says_what_for_and_ends_with_what_is_not_ready() {
    let Some(stage) = Stage::new("patient") else { return };
    let waited = stage.run(&["apply", "--yes", "--wait=1s"]).exits(1);
    // No operator is at work here.
    assert!(
        waited
            .stderr
            .contains("waiting for NodePool clusters-patient/patient-a: "),
        "{}",
        waited.stderr
    );
    assert!(
        waited
            .stderr
            .contains("not ready in time: HostedCluster clusters-patient/patient: "),
        "{}",
        waited.stderr
    );
    // What is ready by being there is not waited for.
    assert!(
        !waited.stderr.contains("not ready in time: Secret"),
        "{}",
        waited.stderr
    );
    stage.is_settled();
    let status = stage.run(&["status"]).exits(0);
    assert!(status.stdout.contains("0 of 1 clusters ready."), "{}", status.stdout);
}

#[test]
fn a_lost_inventory_leads_to_a_question_and_never_to_a_delete() {
    let Some(stage) = Stage::new("amnesia") else { return };
    stage.run(&["apply", "--yes"]).exits(0);
    let before = stage.uids("amnesia");
    let label = format!("fleetwright.dev/inventory={}", stage.uid());
    stage
        .login
        .kubectl(&["delete", "configmaps", "-n", "fleetwright-system", "-l", &label]);
    stage.cluster("amnesia", &["b: {profile: general, replicas: 3}"]);
    let refused = stage.run(&["apply", "--yes"]).exits(3);
    assert!(
        refused.stdout.contains("is marked as ours, and is in no inventory"),
        "{}",
        refused.stdout
    );
    stage.run(&["apply", "--yes", "--adopt"]).exits(0);
    // Nobody knows that the pool was ours but its mark, and a mark alone deletes nothing.
    assert_eq!(stage.uids("amnesia"), before);
    stage.is_settled();
}
