//! A webhook of the management cluster that changes what is written: the plan shows what would be stored, and says so.

use serde_json::json;

use super::{Stage, namespace};
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
