//! What rules leave as it is on OCI and on a management cluster: no change, no drift, and never written over.

use serde_json::{Value, json};

use super::drift::since;
use super::said::{goes_ahead, is_settled, text};
use super::world::World;

/// Somebody else updates a resource.
fn put(world: &World, plural: &str, ocid: &str, body: &Value) {
    world.act("PUT", &format!("/20160918/{plural}/{ocid}"), body);
}

#[tokio::test(start_paused = true)]
async fn what_oci_writes_into_defined_tags_is_left_as_it_is_by_a_built_in_rule() {
    let tags = |center: u8| format!("  definedTags: {{Oracle-Tags: {{CreatedBy: us}}, Cost: {{center: '{center}'}}}}");
    let mut world = World::of(&[("a", &tags(7))]).await;
    world.converges().await;
    let vcn = world.ocid("Vcn", "a");
    let written = json!({"definedTags": {
        "Oracle-Tags": {"CreatedBy": "oci/somebody", "CreatedOn": "2026-11-21"},
        "Cost": {"center": "7"},
    }});
    put(&world, "vcns", &vcn, &written);
    let planned = world.plan().await;
    assert!(is_settled(&planned), "{}", text(&planned));
    let said = "1 field is ignored by rules: 1 by built-in oracle-tags";
    assert!(text(&planned).contains(said), "{}", text(&planned));

    // Another tag is mended, and theirs goes with it as it is.
    world.cluster("a", &tags(8));
    let planned = world.plan().await;
    assert_eq!(goes_ahead(&planned)["Update Vcn/a"], [".spec.definedTags.Cost.center"]);
    world.converges().await;
    let now = world.oci("vcns", &vcn)["definedTags"].clone();
    assert_eq!(now["Oracle-Tags"], written["definedTags"]["Oracle-Tags"], "{now}");
    assert_eq!(now["Cost"]["center"], "8", "{now}");

    // Without the rule it is drift as any other.
    world.fleet("  ignore: {without: [oracle-tags]}");
    let planned = world.plan().await;
    let field = ".spec.definedTags.Oracle-Tags.CreatedBy";
    assert_eq!(goes_ahead(&planned)["Update Vcn/a"], [field], "{}", text(&planned));
}

#[tokio::test(start_paused = true)]
async fn a_rule_of_the_files_leaves_a_list_and_a_tag_to_others_and_creates_as_the_files_say() {
    let rules = "  ignore:
    rules:
      - {kind: SecurityList, name: a-workers, pointer: /spec/ingressSecurityRules}
      - {kind: Vcn, pointer: /spec/freeformTags/stage}";
    let mut world = World::with_more(rules, &[("a", "  tags: {stage: early}")]).await;
    world.converges().await;
    let (list, vcn) = (world.ocid("SecurityList", "a-workers"), world.ocid("Vcn", "a"));
    let made = world.oci("securityLists", &list)["ingressSecurityRules"].clone();
    assert!(
        made.as_array().is_some_and(|rules| !rules.is_empty()),
        "made as the files say"
    );
    put(&world, "securityLists", &list, &json!({"ingressSecurityRules": []}));
    let mut tags = world.oci("vcns", &vcn)["freeformTags"].clone();
    tags["stage"] = json!("late");
    put(&world, "vcns", &vcn, &json!({"freeformTags": tags}));
    let planned = world.plan().await;
    assert!(is_settled(&planned), "{}", text(&planned));
    assert!(
        planned.plan.ignored.len() > 1 && planned.idle.is_empty(),
        "{:?}",
        planned.idle
    );

    // The files drop the tag, and change something beside it: what others set stays.
    world.cluster("a", "  tags: {team: net}");
    world.converges().await;
    let now = world.oci("vcns", &vcn)["freeformTags"].clone();
    assert_eq!((&now["stage"], &now["team"]), (&json!("late"), &json!("net")), "{now}");
    assert_eq!(world.oci("securityLists", &list)["ingressSecurityRules"], json!([]));

    // Once the rule goes, it is mended.
    world.fleet("  ignore: {rules: [{kind: Vcn, pointer: /spec/freeformTags/stage}]}");
    let from = world.written();
    world.converges().await;
    assert_eq!(since(&world, from), ["UpdateSecurityList a-workers"]);
    assert_eq!(
        world.oci("securityLists", &list)["ingressSecurityRules"]
            .as_array()
            .map(Vec::len),
        made.as_array().map(Vec::len)
    );
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_is_about_nothing_is_a_warning_of_a_whole_plan_with_its_place() {
    let rules = "  ignore:
    rules:
      - {kind: NodePool, name: nobody, pointer: /spec/replicas}
      - {kind: NodePool, pointer: /spec/replicas}";
    let world = World::with_more(rules, &[("a", "")]).await;
    world.converges().await;
    let planned = world.plan().await;
    assert_eq!(planned.idle.len(), 1, "{:?}", planned.idle);
    let (idle, text) = (
        &planned.idle[0],
        std::fs::read_to_string(world.place.fleet().join("fleet.yaml")).expect("it"),
    );
    let span = idle.span.as_ref().expect("a place");
    let line = text.lines().nth(span.line as usize - 1).expect("the line");
    assert!(line.contains("nobody") && idle.code.id() == "FW0307", "{idle:?}");
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_can_not_be_followed_holds_everything_up() {
    let world = World::of(&[("a", "")]).await;
    world.converges().await;
    for rule in [
        "{kind: NodePol, pointer: /spec/replicas}",
        "{kind: NodePool, pointer: spec.replicas}",
        "{kind: NodePool}",
        "{pointer: /metadata/annotations}",
    ] {
        let before = std::fs::read_to_string(world.place.fleet().join("fleet.yaml")).expect("it");
        let broken = before.replacen("\nspec:\n", &format!("\nspec:\n  ignore: {{rules: [{rule}]}}\n"), 1);
        world.place.write("fleet.yaml", &broken);
        let planned = world.place.run(&["plan", "--against", "nothing"]).exits(1);
        assert!(
            planned.stderr.contains("error[FW0306]") && planned.stderr.contains("fleet.yaml:"),
            "{}",
            planned.stderr
        );
        assert!(
            planned
                .stdout
                .contains("left alone: management m and 1 more: a rule of `ignore`"),
            "{rule}: {}",
            planned.stdout
        );
        world.place.write("fleet.yaml", &before);
    }
}
