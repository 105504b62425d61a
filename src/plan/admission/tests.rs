use serde_json::json;

use super::*;
use crate::plan::change::tests::{change, plan};
use crate::plan::change::{Body, Precondition};
use crate::providers::LiveObject;
use crate::resource::{ClusterName, ManagementClusterName, Reference, Stewardship};
use crate::schema::Schema;

fn crd() -> Value {
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
        "vcn": {"type": "string", "pattern": "^ocid1[.]vcn[.].*[.]real$"},
        "size": {"type": "integer", "maximum": 9},
        "region": {"type": "string", "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "region is immutable"}]},
    }}}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.io"},
        "spec": {"group": "example.io", "scope": "Namespaced", "names": {"plural": "things", "kind": "Thing"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}]},
    })
}

fn definitions() -> DefinitionSets {
    let mut sets = DefinitionSets::default();
    sets.everywhere.add(crd()).unwrap();
    sets
}

fn on() -> Target {
    Target::Kubernetes(ManagementClusterName::new("m"))
}

fn thing(spec: &Value) -> Value {
    json!({"apiVersion": "example.io/v1", "kind": "Thing", "metadata": {"name": "a", "namespace": "n"}, "spec": spec})
}

fn manifest(spec: &Value) -> Manifest {
    let unit = UnitId::Cluster(ClusterName::new("a"));
    Manifest::new(on(), unit, Stewardship::Managed, &thing(spec)).unwrap()
}

fn causes(checked: Checked) -> Vec<(String, String)> {
    match checked {
        Checked::Bad(bad) => bad.causes,
        Checked::Good => Vec::new(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_known_only_later_is_not_held_against_anyone() {
    let vcn = Reference::to_oci("Vcn", "a").to_value();
    assert_eq!(causes(check(&manifest(&json!({"vcn": vcn})), &definitions())), []);
    let found = causes(check(
        &manifest(&json!({"vcn": vcn, "size": 10, "more": 1})),
        &definitions(),
    ));
    assert_eq!(
        found,
        [("spec.more".to_owned(), "unknown field \"spec.more\"".to_owned())]
    );
    let found = causes(check(&manifest(&json!({"vcn": "x", "size": 10})), &definitions()));
    let fields: Vec<&str> = found.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["spec.size", "spec.vcn"]);
}

#[test]
fn one_management_cluster_may_have_a_definition_of_its_own() {
    let mut sets = definitions();
    let mut other = crd();
    other["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["size"]["maximum"] =
        json!(20);
    sets.only_on
        .entry(ManagementClusterName::new("m"))
        .or_default()
        .add(other)
        .unwrap();
    assert_eq!(causes(check(&manifest(&json!({"size": 10})), &sets)), []);
    let mut object = manifest(&json!({}));
    object.id.kind = "Map".to_owned();
    assert_eq!(check(&object, &sets), Checked::NotChecked);
    object.id.kind = "Thing".to_owned();
    object.api_version = "example.io/v2".to_owned();
    assert_eq!(causes(check(&object, &sets))[0].0, "apiVersion");
}

fn written(action: Action, spec: &Value) -> Change {
    let mut change = change("a", "Thing", "a", action);
    change.id = manifest(spec).id;
    change.api_version = "example.io/v1".to_owned();
    change.payload.body = Body::Plain(thing(spec).to_string().into());
    // Nobody is recorded as the owner of what is there.
    change.payload.force = true;
    change.precondition = Some(Precondition {
        uid: "u".to_owned(),
        version: "7".to_owned(),
    });
    change
}

fn seen(spec: &Value) -> BTreeMap<Target, Observation> {
    let mut live = thing(spec);
    live["metadata"]["resourceVersion"] = json!("7");
    live["metadata"]["uid"] = json!("u");
    let object = Observed::Present(LiveObject {
        uid: "u".to_owned(),
        version: "7".to_owned(),
        text: live.to_string().into(),
    });
    let kind = Kind {
        group: "example.io".to_owned(),
        version: "v1".to_owned(),
        kind: "Thing".to_owned(),
    };
    let schema = std::sync::Arc::new(Schema::from_crd(&crd(), "v1").unwrap());
    let observation = Observation {
        objects: BTreeMap::from([(manifest(spec).id, object)]),
        schemas: BTreeMap::from([(kind, schema)]),
        ..Observation::default()
    };
    BTreeMap::from([(on(), observation)])
}

#[test]
fn a_change_that_a_rule_forbids_is_refused_before_it_is_sent() {
    let old = json!({"region": "a", "size": 12});
    let observed = seen(&old);
    let mut forbidden = plan(vec![written(Action::Update, &json!({"region": "b"}))]);
    let bad = settle(&mut forbidden, &definitions(), &observed, "2026-01-01T00:00:00Z").unwrap();
    // The size was too large before, and is left as it was.
    assert_eq!(
        bad[0].causes,
        [(
            "spec.region".to_owned(),
            "Invalid value: \"b\": region is immutable".to_owned()
        )]
    );
    assert!(bad[0].is_update && !forbidden.changes[0].goes_ahead());
    assert_eq!(
        forbidden.refusals[0].message,
        "the API server would refuse Thing n/a: spec.region: Invalid value: \"b\": region is immutable"
    );
    let mut allowed = plan(vec![written(Action::Update, &json!({"region": "a"}))]);
    let bad = settle(&mut allowed, &definitions(), &observed, "2026-01-01T00:00:00Z").unwrap();
    assert!(bad.is_empty() && allowed.changes[0].goes_ahead());
}

#[test]
fn what_others_set_and_the_definition_does_not_know_is_let_be() {
    let observed = seen(&json!({"region": "a", "newer": true}));
    let mut ours = plan(vec![written(Action::Update, &json!({"region": "a", "size": 2}))]);
    let bad = settle(&mut ours, &definitions(), &observed, "2026-01-01T00:00:00Z").unwrap();
    assert_eq!(bad, []);
}

#[test]
fn a_create_is_judged_as_its_document() {
    let mut plan = plan(vec![written(Action::Create, &json!({"size": 10}))]);
    let bad = settle(&mut plan, &definitions(), &BTreeMap::new(), "2026-01-01T00:00:00Z").unwrap();
    assert_eq!((bad.len(), plan.refusals.len()), (1, 1));
    assert!(!bad[0].is_update && plan.is_refused());
}
