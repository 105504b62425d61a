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

/// What is not there yet is tried too: by somebody's rule it may be refused, or become something else.
#[test]
fn what_is_new_in_a_namespace_that_is_there_is_tried_by_the_server() {
    let Some(stage) = Stage::new("tried") else {
        return;
    };
    stage.run(&["apply", "--yes"]).exits(0);
    let (name, of) = (namespace("tried"), ("hypershift.openshift.io", "nodepools"));
    let patch = json!([{"op": "replace", "path": "/spec/replicas", "value": 1}]);
    let webhook = Holding::patching(&stage.login, &name, of, patch);
    let pools = [
        "a: {profile: general}",
        "b: {profile: general, replicas: 3}",
        "c: {profile: general}",
    ];
    stage.cluster("tried", &pools);
    let planned = (0..100)
        .map(|_| stage.run(&["plan"]).exits(0).stdout)
        .find(|text| text.contains("~ .spec.replicas: 2 → 1"));
    webhook.remove(&stage.login);
    let planned = planned.expect("the webhook's doing");
    assert!(planned.contains("+ NodePool clusters-tried/tried-c  new"), "{planned}");

    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {"resourceRules": [{
                "apiGroups": [of.0], "apiVersions": ["*"], "operations": ["CREATE"], "resources": [of.1],
            }]},
            "validations": [{"expression": "!object.metadata.name.endsWith('-c')", "message": "no more pools for tried"}],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {
            "policyName": name,
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}},
        },
    });
    for object in [policy, binding] {
        stage.login.kubectl_in(&["create", "-f", "-"], &object.to_string());
    }
    let refused = (0..200)
        .map(|_| stage.run(&["plan"]).stdout)
        .find(|text| text.contains("waits: the server would refuse it: "));
    stage.login.kubectl(&[
        "delete",
        "validatingadmissionpolicybinding,validatingadmissionpolicy",
        &name,
    ]);
    let refused = refused.expect("the policy's word");
    assert!(refused.contains("no more pools for tried"), "{refused}");
}
