//! What left the files, asked for by its name, and what we deleted ourselves and want again: by the commands, in a sandbox.

use serde_json::Value;

use crate::cli::Workplace;
use crate::fleet_support::repository;
use crate::plan_against::edit;

const SANDBOX: [&str; 4] = ["--sandbox", "box", "--speed", "2000"];

fn applied() -> Workplace {
    let place = Workplace::copy_of(&repository("fleet"));
    place.run(&[&["apply", "--yes"], &SANDBOX[..]].concat()).exits(0);
    place
}

fn plan(place: &Workplace, args: &[&str], code: i32) -> Value {
    let args = [&["plan", "-o", "json"], args, &SANDBOX].concat();
    place.run(&args).exits(code).json()
}

fn deletes(plan: &Value) -> usize {
    let changes = plan["changes"].as_array().expect("changes").iter();
    changes.filter(|change| change["action"] == "delete").count()
}

#[test]
fn a_cluster_that_left_the_files_is_looked_at_by_its_name() {
    let place = applied();
    place.remove("clusters/payments.yaml");
    let refused = plan(&place, &["--cluster", "payments"], 3);
    assert!(deletes(&refused) > 10, "{refused:#}");
    let guards: Vec<&Value> = refused["refusals"].as_array().expect("refusals").iter().collect();
    assert!(guards.len() == 1 && guards[0]["guard"] == "protected", "{guards:#?}");

    edit(
        &place,
        "fleet.yaml",
        "spec:\n",
        "spec:\n  decommission: [{cluster: payments, reason: it is gone}]\n",
    );
    let meant = plan(&place, &["--cluster", "payments"], 0);
    assert_eq!(deletes(&meant), deletes(&refused));
    assert_eq!(meant["refusals"], Value::Array(Vec::new()));
    let unknown = place.run(&[&["plan", "--cluster", "paymnts"], &SANDBOX[..]].concat());
    assert_ne!(unknown.code, 0);
}

#[test]
fn what_we_deleted_and_did_not_see_go_is_no_doing_of_others() {
    let place = applied();
    let pool = ", memory: {profile: memory, replicas: 6}";
    edit(&place, "clusters/prod.yaml", pool, "");
    let ran = place.run(&[&["apply", "--yes"], &SANDBOX[..]].concat());
    assert!(ran.stderr.contains("being deleted"), "{}", ran.stderr);
    edit(
        &place,
        "clusters/prod.yaml",
        "{general: {profile: general}, gpu",
        &format!("{{general: {{profile: general}}{pool}, gpu"),
    );
    // Its nodes are drained meanwhile: each look passes some of the sandbox's time.
    for _ in 0..200 {
        let plan = place.run(&[&["plan", "-o", "json"], &SANDBOX[..]].concat()).json();
        let change = plan["changes"].as_array().expect("changes").iter();
        let of_pool: Vec<&Value> = change
            .filter(|change| change["object"]["name"] == "search-memory")
            .collect();
        assert_eq!(of_pool.len(), 1, "{plan:#}");
        assert_ne!(of_pool[0]["reason"], "vanished", "{plan:#}");
        if of_pool[0]["waits"] == Value::Array(Vec::new()) {
            assert_eq!(
                (&of_pool[0]["action"], &of_pool[0]["reason"]),
                (&"create".into(), &"new".into())
            );
            return;
        }
    }
    panic!("it is still there");
}

#[test]
fn what_the_fleet_leaves_to_others_is_not_deleted() {
    let place = applied();
    edit(
        &place,
        "clusters/payments.yaml",
        "spec:\n",
        "spec:\n  manage: observe\n",
    );
    edit(&place, "clusters/payments.yaml", "memory, gpu]", "memory]");
    let left = plan(&place, &[], 0);
    assert_eq!(deletes(&left), 0, "{left:#}");
    let changes = left["changes"].as_array().expect("changes");
    let pool = changes.iter().find(|change| change["object"]["name"] == "payments-gpu");
    let pool = pool.unwrap_or_else(|| panic!("it is shown: {left:#}"));
    assert_eq!(
        (&pool["action"], &pool["waits"][0]["by"]),
        (&"leave".into(), &"notManaged".into())
    );
    // When it is ours again, it goes.
    edit(&place, "clusters/payments.yaml", "manage: observe", "manage: pools");
    assert_eq!(deletes(&plan(&place, &[], 0)), 1);
}
