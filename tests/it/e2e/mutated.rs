//! A webhook of the management cluster that changes what is written: the plan shows what would be stored, and says so.

use serde_json::json;

use super::{Stage, namespace, text};
use crate::golden;
use crate::support::Holding;

#[test]
fn what_a_webhook_makes_of_a_change_is_what_is_shown() {
    let Some(stage) = Stage::new("mutated") else {
        return;
    };
    stage.run(&["apply", "--yes"]).exits(0);
    let patch = json!([{"op": "add", "path": "/spec/nodeDrainTimeout", "value": "30m"}]);
    let of = ("hypershift.openshift.io", "nodepools");
    let webhook = Holding::patching(&stage.login, &namespace("mutated"), of, patch);
    stage.cluster(
        "mutated",
        &[
            "a: {profile: general, replicas: 4}",
            "b: {profile: general, replicas: 3}",
        ],
    );
    // The API server takes a new configuration up some time after it was stored.
    let planned = (0..100)
        .map(|_| stage.run(&["plan"]).exits(0).stdout)
        .find(|text| text.contains("nodeDrainTimeout"));
    webhook.remove(&stage.login);
    let planned = planned.expect("the webhook's doing");
    golden::check("reports/mutating-webhook/plan.txt", &golden::timeless(&planned));
}

/// What guards refuse they refuse of what would really be written, and not only of what was asked for.
#[test]
fn what_a_webhook_makes_of_a_change_is_what_guards_judge() {
    let Some(stage) = Stage::new("demoted") else {
        return;
    };
    stage.run(&["apply", "--yes"]).exits(0);
    let image = || text(&stage.get("demoted", "hostedcluster", "demoted")["spec"]["release"]["image"]);
    let before = image();
    let lower = before.replace("4.19.12", "4.18.20");
    assert_ne!(before, lower);
    let patch = json!([{"op": "replace", "path": "/spec/release/image", "value": lower}]);
    let of = ("hypershift.openshift.io", "hostedclusters");
    let webhook = Holding::patching(&stage.login, &namespace("demoted"), of, patch);
    stage.fleet("    channel: candidate-4.19");
    let planned = (0..100)
        .map(|_| stage.run(&["plan"]))
        .find(|ran| ran.stdout.contains("4.18.20"));
    let planned = planned.expect("the webhook's doing").exits(3);
    let refused =
        "refused (release-step): HostedCluster clusters-demoted/demoted would go down from 4.19.12 to 4.18.20";
    assert!(planned.stdout.contains(refused), "{}", planned.stdout);
    let mark = stage.login.mark();
    stage.run(&["apply", "--yes"]).exits(3);
    assert_eq!(stage.writes_since(mark), Vec::<String>::new());
    assert_eq!(image(), before);
    webhook.remove(&stage.login);
}
