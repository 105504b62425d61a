//! Tests of the merge by hand-made cases, and of what must hold for any input. That it is the server's own merge is
//! shown by the differential tests (`tests/it/ssa_oracle.rs`).

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::resource::{FieldPath, PathElement};
use crate::schema::Schema;

const NOW: &str = "2026-01-02T00:00:00Z";
const EARLIER: &str = "2026-01-01T00:00:00Z";

fn schema() -> Schema {
    let port = json!({"type": "object", "properties": {
        "name": {"type": "string"},
        "port": {"type": "integer"},
        "protocol": {"type": "string", "default": "TCP"},
    }});
    let spec = json!({"type": "object", "properties": {
        "replicas": {"type": "integer"},
        "mode": {"type": "string", "default": "Auto"},
        "memory": {"x-kubernetes-int-or-string": true, "pattern": "^[0-9]+([KMGTPE]i)?$"},
        "ports": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["port", "protocol"], "items": port},
        "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
        "args": {"type": "array", "items": {"type": "string"}},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    }});
    let versions = json!([{"name": "v1", "storage": true, "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec, "status": {"type": "object", "properties": {"ready": {"type": "boolean"}}}}}}}]);
    let crd = json!({"spec": {"group": "example.com", "names": {"kind": "Thing"}, "versions": versions}});
    Schema::from_crd(&crd, "v1").unwrap()
}

fn thing(spec: &Value) -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "n", "namespace": "ns"}, "spec": spec})
}

fn path(names: &[&str]) -> FieldPath {
    FieldPath::new(
        names
            .iter()
            .map(|name| PathElement::Field((*name).to_owned()))
            .collect(),
    )
}

struct By<'a> {
    manager: &'a str,
    force: bool,
    now: &'a str,
}

fn answer(live: Option<&Value>, spec: &Value, by: &By<'_>) -> ApplyOutcome {
    let request = ApplyRequest {
        live,
        config: &thing(spec),
        manager: by.manager,
        force: by.force,
        schema: &schema(),
        now: by.now,
    };
    apply(request).unwrap()
}

fn applied(live: Option<&Value>, spec: &Value, manager: &str) -> Value {
    match answer(
        live,
        spec,
        &By {
            manager,
            force: true,
            now: NOW,
        },
    ) {
        ApplyOutcome::Applied(object) => object,
        ApplyOutcome::Conflicts(conflicts) => panic!("forced, and yet {conflicts:?}"),
    }
}

fn updated(live: Option<&Value>, new: &Value, manager: &str) -> Value {
    let request = UpdateRequest {
        live,
        new,
        manager,
        subresource: "",
        schema: &schema(),
        now: NOW,
    };
    update(request).unwrap()
}

fn owned_by(object: &Value, manager: &str) -> Value {
    let all = ManagedFields::of(object).unwrap();
    all.owned_by(|entry| entry.manager == manager).to_fields_v1()
}

#[test]
fn a_new_object_has_its_defaults_and_its_manager() {
    let object = applied(None, &json!({"ports": [{"port": 80}], "tags": ["a"]}), "us");
    assert_eq!(
        object["spec"],
        json!({"mode": "Auto", "ports": [{"port": 80, "protocol": "TCP"}], "tags": ["a"]})
    );
    assert_eq!(
        object["metadata"]["managedFields"],
        json!([{"manager": "us", "operation": "Apply", "apiVersion": "example.com/v1", "time": NOW, "fieldsType": "FieldsV1",
            "fieldsV1": {"f:spec": {
                "f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}},
                "f:tags": {"v:\"a\"": {}}}}}])
    );
    assert_eq!(object["metadata"]["generation"], 1);
}

#[test]
fn what_is_applied_no_more_is_removed_unless_another_applies_it() {
    let first = applied(
        None,
        &json!({"replicas": 1, "tags": ["a", "b"], "labels": {"x": "1"}}),
        "us",
    );
    let second = applied(Some(&first), &json!({"replicas": 1, "tags": ["b"]}), "them");
    let third = applied(Some(&second), &json!({"labels": {"y": "2"}}), "us");
    assert_eq!(
        third["spec"],
        json!({"mode": "Auto", "replicas": 1, "tags": ["b"], "labels": {"y": "2"}})
    );
    assert_eq!(third["metadata"]["generation"], 2);
}

#[test]
fn a_conflict_names_the_owner_and_the_field() {
    let live = applied(None, &json!({"replicas": 1}), "them");
    let outcome = answer(
        Some(&live),
        &json!({"replicas": 2}),
        &By {
            manager: "us",
            force: false,
            now: NOW,
        },
    );
    let ApplyOutcome::Conflicts(conflicts) = outcome else {
        panic!("{outcome:?}")
    };
    let [conflict] = conflicts.as_slice() else {
        panic!("{conflicts:?}")
    };
    assert_eq!(
        (conflict.manager.as_str(), conflict.operation),
        ("them", Operation::Apply)
    );
    assert_eq!(conflict.field.to_string(), ".spec.replicas");
    assert_eq!(
        (conflict.api_version.as_str(), conflict.time.as_str()),
        ("example.com/v1", NOW)
    );
    let forced = applied(Some(&live), &json!({"replicas": 2}), "us");
    assert_eq!(owned_by(&forced, "them"), json!({}));
    assert_eq!(owned_by(&forced, "us"), json!({"f:spec": {"f:replicas": {}}}));
}

#[test]
fn applying_again_changes_nothing_not_even_the_time() {
    let spec = json!({"replicas": 1, "args": ["x"]});
    let ApplyOutcome::Applied(live) = answer(
        None,
        &spec,
        &By {
            manager: "us",
            force: true,
            now: EARLIER,
        },
    ) else {
        panic!("a create meets no conflicts")
    };
    assert_eq!(applied(Some(&live), &spec, "us"), live);
}

#[test]
fn fields_of_an_untracked_object_belong_to_before_first_apply() {
    let live = thing(&json!({"replicas": 1}));
    let object = applied(Some(&live), &json!({"mode": "Manual"}), "us");
    assert_eq!(
        owned_by(&object, "before-first-apply"),
        json!({"f:spec": {".": {}, "f:replicas": {}}})
    );
    assert_eq!(object["spec"], json!({"replicas": 1, "mode": "Manual"}));
}

#[test]
fn an_update_takes_what_it_changes_from_the_others() {
    let live = applied(None, &json!({"replicas": 1, "args": ["x"]}), "us");
    let mut new = live.clone();
    new["spec"]["replicas"] = json!(2);
    let object = updated(Some(&live), &new, "edit");
    assert_eq!(owned_by(&object, "us"), json!({"f:spec": {"f:args": {}}}));
    assert_eq!(owned_by(&object, "edit"), json!({"f:spec": {"f:replicas": {}}}));
}

#[test]
fn the_oldest_updates_are_folded_into_one_entry() {
    let mut live = applied(None, &json!({"replicas": 0}), "us");
    for i in 0..12 {
        let mut new = live.clone();
        new["spec"]["labels"][format!("l{i}")] = json!("x");
        live = updated(Some(&live), &new, &format!("m{i:02}"));
    }
    let managers = ManagedFields::of(&live).unwrap();
    let updates: Vec<&str> = managers
        .entries()
        .into_iter()
        .filter(|entry| entry.operation == Operation::Update)
        .map(|entry| entry.manager.as_str())
        .collect();
    assert_eq!(updates.len(), 10, "{updates:?}");
    assert!(updates.contains(&"ancient-changes"), "{updates:?}");
}

#[test]
fn a_status_is_written_through_its_subresource_alone() {
    let live = applied(None, &json!({"replicas": 1}), "us");
    let mut new = live.clone();
    new["status"] = json!({"ready": true});
    new["spec"]["replicas"] = json!(5);
    let ignored = updated(Some(&live), &new, "controller");
    assert_eq!(ignored.get("status"), None);
    let request = UpdateRequest {
        live: Some(&live),
        new: &new,
        manager: "controller",
        subresource: "status",
        schema: &schema(),
        now: NOW,
    };
    let object = update(request).unwrap();
    assert_eq!(
        (&object["status"], &object["spec"]["replicas"]),
        (&json!({"ready": true}), &json!(1))
    );
    assert_eq!(
        owned_by(&object, "controller"),
        json!({"f:status": {".": {}, "f:ready": {}}})
    );
}

#[test]
fn what_a_server_would_refuse_is_refused() {
    let schema = schema();
    let refuse = |live: Option<&Value>, config: &Value| {
        let request = ApplyRequest {
            live,
            config,
            manager: "us",
            force: true,
            schema: &schema,
            now: NOW,
        };
        apply(request).unwrap_err()
    };
    let twice = refuse(None, &thing(&json!({"tags": ["a", "a"]})));
    assert_eq!(
        twice.to_string(),
        ".spec.tags[=\"a\"] stands twice in its list in the configuration"
    );
    assert!(matches!(
        refuse(None, &thing(&json!({"unknown": 1}))),
        SsaError::Config(_)
    ));
    assert!(matches!(
        refuse(None, &thing(&json!({"replicas": "1"}))),
        SsaError::Config(_)
    ));
    assert!(matches!(
        refuse(None, &json!({"apiVersion": "v1", "kind": "Thing"})),
        SsaError::WrongType { .. }
    ));
    let mut with = thing(&json!({}));
    with["metadata"]["managedFields"] = json!([]);
    assert_eq!(refuse(None, &with), SsaError::ManagedFieldsApplied);
    with["metadata"]["managedFields"] = json!([{"manager": "m", "operation": "Delete", "apiVersion": "v1"}]);
    assert!(matches!(
        refuse(Some(&with), &thing(&json!({}))),
        SsaError::ManagedFields(_)
    ));
    with["metadata"]["managedFields"] = json!([{"manager": "m", "operation": "Apply", "apiVersion": "example.com/v9",
        "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {}}}]);
    assert!(matches!(
        refuse(Some(&with), &thing(&json!({}))),
        SsaError::UnknownVersion(_)
    ));
}

#[test]
fn the_quick_test_sees_values_and_ownership() {
    let schema = schema();
    let spec = json!({"replicas": 1, "memory": "1Gi", "ports": [{"port": 80}, {"port": 81}], "tags": ["a"], "labels": {"x": "1"}});
    let live = applied(None, &spec, "us");
    let noop = |desired: &Value| is_noop(&thing(desired), &live, "us", &schema);
    assert!(noop(&spec));
    let mut alike = spec.clone();
    alike["memory"] = json!("1024Mi");
    assert!(noop(&alike), "another spelling of the same quantity");
    for (pointer, value) in [
        ("/replicas", json!(2)),
        ("/memory", json!("2Gi")),
        ("/ports", json!([{"port": 80}])),
        ("/ports", json!([{"port": 81}, {"port": 80}])),
        ("/ports/0", json!({"port": 80, "name": "http"})),
        ("/tags", json!(["a", "b"])),
        ("/tags", json!([])),
        ("/labels", json!({"x": "1", "y": "2"})),
        ("/labels", json!({})),
    ] {
        let mut other = spec.clone();
        *other.pointer_mut(pointer).unwrap() = value.clone();
        assert!(!noop(&other), "{pointer} = {value}");
    }
    let mut fewer = spec.clone();
    fewer.as_object_mut().unwrap().remove("replicas");
    assert!(!noop(&fewer), "a field was released");
    assert!(!is_noop(&thing(&spec), &live, "them", &schema), "another manager");
    let stolen = applied(Some(&live), &json!({"replicas": 3}), "them");
    assert!(!is_noop(&thing(&spec), &stolen, "us", &schema), "a field was taken");
}

#[test]
fn the_quick_test_heeds_what_a_write_does_to_the_record_of_others() {
    let schema = schema();
    let theirs = applied(None, &json!({"args": ["x"], "labels": {"x": "1"}}), "them");
    let spec = json!({"replicas": 1});
    let live = applied(Some(&theirs), &spec, "us");
    assert!(is_noop(&thing(&spec), &live, "us", &schema));
    let of_theirs = |key: &str, value: Value| {
        let mut live = live.clone();
        let entries = live["metadata"]["managedFields"].as_array_mut().unwrap();
        let entry = entries.iter_mut().find(|entry| entry["manager"] == "them").unwrap();
        entry[key] = value;
        live
    };
    let within_a_list = json!({"f:spec": {"f:args": {"f:zz": {}}, "f:labels": {"f:x": {}}}});
    for changed in [
        of_theirs("fieldsV1", within_a_list),
        of_theirs("fieldsV1", json!({})),
        of_theirs("fieldsV1", Value::Null),
    ] {
        assert_ne!(applied(Some(&changed), &spec, "us"), changed);
        assert!(!is_noop(&thing(&spec), &changed, "us", &schema), "{changed}");
    }
    // The server refuses to write there, so nothing changes.
    let elsewhere = of_theirs("apiVersion", json!("example.com/v9"));
    assert!(is_noop(&thing(&spec), &elsewhere, "us", &schema));
}

#[test]
fn the_quick_test_sees_that_an_unkept_field_is_contested() {
    let schema = schema();
    let mut config = thing(&json!({"replicas": 1}));
    config["metadata"]["labels"] = json!({});
    let by = |live: Option<&Value>, manager: &str| {
        let request = ApplyRequest {
            live,
            config: &config,
            manager,
            force: true,
            schema: &schema,
            now: NOW,
        };
        let Ok(ApplyOutcome::Applied(object)) = apply(request) else {
            panic!("forced");
        };
        object
    };
    let ours = by(None, "us");
    assert!(ours["metadata"].get("labels").is_none(), "empty metadata aren't kept");
    assert!(is_noop(&config, &ours, "us", &schema));
    let theirs = by(Some(&ours), "them");
    assert_ne!(by(Some(&theirs), "us"), theirs);
    assert!(!is_noop(&config, &theirs, "us", &schema));
}

#[test]
fn where_nobody_is_recorded_even_applying_nothing_begins_a_record() {
    let schema = schema();
    let mut nothing = thing(&json!({}));
    nothing.as_object_mut().unwrap().remove("spec");
    assert!(is_noop(&nothing, &nothing, "us", &schema), "there is nothing to record");
    let mut live = nothing.clone();
    live["spec"] = json!({"replicas": 1});
    assert!(!is_noop(&nothing, &live, "us", &schema));
    let request = ApplyRequest {
        live: Some(&live),
        config: &nothing,
        manager: "us",
        force: false,
        schema: &schema,
        now: NOW,
    };
    let Ok(ApplyOutcome::Applied(after)) = apply(request) else {
        panic!("nobody is in the way");
    };
    assert_eq!(
        owned_by(&after, "before-first-apply"),
        json!({"f:spec": {".": {}, "f:replicas": {}}})
    );
}

#[test]
fn changes_are_of_fields_in_order() {
    let before = thing(
        &json!({"replicas": 1, "memory": "1Gi", "ports": [{"port": 80, "protocol": "TCP"}], "tags": ["a"], "args": ["x"]}),
    );
    let after = thing(
        &json!({"memory": "1024Mi", "ports": [{"port": 80, "protocol": "TCP", "name": "h"}], "tags": ["b"], "args": ["x", "y"], "labels": {"k": "v"}}),
    );
    let changes: Vec<String> = field_changes(Some(&before), &after, &schema())
        .into_iter()
        .map(|change| {
            let show = |value: Option<Value>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
            format!("{} {} {}", change.field, show(change.before), show(change.after))
        })
        .collect();
    assert_eq!(
        changes,
        [
            r#".spec.args ["x"] ["x","y"]"#,
            r#".spec.labels.k - "v""#,
            r#".spec.ports[port=80,protocol="TCP"].name - "h""#,
            r#".spec.replicas 1 -"#,
            r#".spec.tags[="a"] "a" -"#,
            r#".spec.tags[="b"] - "b""#,
        ]
    );
}

#[test]
fn a_new_order_is_one_change_of_the_list() {
    let before = thing(&json!({"tags": ["a", "b"]}));
    let after = thing(&json!({"tags": ["b", "a"]}));
    let changes = field_changes(Some(&before), &after, &schema());
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].field.to_string(), ".spec.tags");
}

#[test]
fn owners_are_named_with_their_time() {
    let first = applied(None, &json!({"args": ["x"], "tags": ["a"]}), "us");
    let live = applied(Some(&first), &json!({"tags": ["a"]}), "them");
    let names =
        |field: &FieldPath| -> Vec<String> { owner_of(&live, field).into_iter().map(|owner| owner.manager).collect() };
    assert_eq!(names(&path(&["spec", "args"])), ["us"]);
    assert_eq!(
        names(&path(&["spec", "args"]).join(PathElement::Index(0))),
        ["us"],
        "in a list that is owned as a whole"
    );
    let tag = path(&["spec", "tags"]).join(PathElement::Value(json!("a")));
    assert_eq!(names(&tag), ["them", "us"]);
    assert_eq!(owner_of(&live, &tag)[1].time, NOW);
    assert!(names(&path(&["spec", "mode"])).is_empty());
    assert!(names(&FieldPath::root()).is_empty());
}

#[test]
fn taking_over_lets_a_later_release_remove_the_field() {
    let mut theirs = thing(&json!({"replicas": 1, "labels": {"x": "1", "y": "2"}}));
    theirs["metadata"]["labels"] = json!({"l": "1"});
    let live = updated(None, &theirs, "kubectl-client-side-apply");
    let before = ManagedFields::of(&live).unwrap();
    let everything = before.owned_by(|_| true);
    let by_kubectl = |manager: &str, operation| manager.starts_with("kubectl") && operation == Operation::Update;
    let entries = take_over(&live, &by_kubectl, &everything, "us", NOW).unwrap();
    let mut adopted = live;
    adopted["metadata"]["managedFields"] = entries;
    assert_eq!(owned_by(&adopted, "kubectl-client-side-apply"), json!({}));
    let object = applied(Some(&adopted), &json!({"labels": {"x": "1"}}), "us");
    assert_eq!(object["spec"], json!({"mode": "Auto", "labels": {"x": "1"}}));
    assert_eq!(object["metadata"].get("labels"), None);
}

#[test]
fn taking_over_moves_only_what_is_asked_for() {
    let live = applied(None, &json!({"replicas": 1, "args": ["x"]}), "flux");
    let wanted = FieldSet::of([&path(&["spec", "args"])]);
    let entries = take_over(&live, &|manager, _| manager == "flux", &wanted, "us", NOW).unwrap();
    let managers = ManagedFields::parse(entries.as_array().unwrap()).unwrap();
    assert_eq!(managers.applied_by("us").unwrap().fields, wanted);
    assert_eq!(
        managers.applied_by("flux").unwrap().fields.to_fields_v1(),
        json!({"f:spec": {"f:replicas": {}}})
    );
    assert_eq!(take_over(&live, &|_, _| false, &wanted, "us", NOW), None);
}

#[test]
fn a_set_reads_and_writes_the_servers_form() {
    let fields =
        json!({"f:a": {".": {}, "f:b": {}}, "f:l": {"k:{\"n\":\"x\\u003cy\"}": {}, "v:1": {}, "i:2": {"f:c": {}}}});
    let set = FieldSet::from_fields_v1(&fields).unwrap();
    assert_eq!(set.len(), 5);
    assert_eq!(set.to_fields_v1(), fields);
    assert_eq!(
        FieldSet::from_fields_v1(&json!({"z:new": {}, "f:a": {}}))
            .unwrap()
            .len(),
        1
    );
    for bad in [
        json!([]),
        json!({"f": {}}),
        json!({"k:{": {}}),
        json!({"i:x": {}}),
        json!({"v:": {}}),
        json!({"f:a": 1}),
    ] {
        assert!(FieldSet::from_fields_v1(&bad).is_err(), "{bad}");
    }
}

fn element() -> impl Strategy<Value = PathElement> {
    prop_oneof![
        "[a-c]".prop_map(PathElement::Field),
        (0..3_u8).prop_map(|n| PathElement::Key(vec![("k".to_owned(), json!(n))])),
        "[a-c]".prop_map(|text| PathElement::Value(json!(text))),
        (0..3_usize).prop_map(PathElement::Index),
    ]
}

fn paths() -> impl Strategy<Value = Vec<FieldPath>> {
    let path = prop::collection::vec(element(), 1..4).prop_map(FieldPath::new);
    prop::collection::vec(path, 0..12)
}

fn spec() -> impl Strategy<Value = Value> {
    let ports = prop::collection::btree_set(0..3_u8, 0..3);
    let words = || prop::collection::btree_set("[a-c]", 0..3);
    (
        prop::option::of(0..3_u8),
        ports,
        words(),
        prop::option::of(words()),
        words(),
    )
        .prop_map(|(replicas, ports, tags, args, labels)| {
            let mut spec = json!({"tags": tags});
            if let Some(replicas) = replicas {
                spec["replicas"] = json!(replicas);
            }
            spec["ports"] = ports
                .into_iter()
                .map(|port| json!({"port": port, "name": "p"}))
                .collect();
            if let Some(args) = args {
                spec["args"] = json!(args);
            }
            if !labels.is_empty() {
                spec["labels"] = Value::Object(labels.into_iter().map(|label| (label, json!("x"))).collect());
            }
            spec
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sets_obey_the_algebra(a in paths(), b in paths()) {
        let (a, b) = (FieldSet::of(&a), FieldSet::of(&b));
        let both = a.intersection(&b);
        prop_assert_eq!(&a.union(&b), &b.union(&a));
        prop_assert_eq!(&both, &b.intersection(&a));
        prop_assert_eq!(&a.difference(&b).union(&both), &a);
        prop_assert!(a.difference(&b).intersection(&b).is_empty());
        prop_assert_eq!(a.union(&b).len() + both.len(), a.len() + b.len());
        prop_assert!(both.is_subset(&a) && a.is_subset(&a.union(&b)));
        prop_assert_eq!(a.is_subset(&b), a.difference(&b).is_empty());
        prop_assert!(a.recursive_difference(&b).is_subset(&a.difference(&b)));
        prop_assert!(a.leaves().is_subset(&a));
        prop_assert!(a.iter().all(|path| a.contains(&path)));
        prop_assert_eq!(a.iter().count(), a.len());
        prop_assert_eq!(&FieldSet::from_fields_v1(&a.to_fields_v1()).unwrap(), &a);
    }

    #[test]
    fn applying_twice_is_applying_once(first in spec(), second in spec()) {
        let schema = schema();
        let theirs = applied(None, &first, "them");
        let once = applied(Some(&theirs), &second, "us");
        prop_assert_eq!(&applied(Some(&once), &second, "us"), &once);
        prop_assert!(is_noop(&thing(&second), &once, "us", &schema));
        prop_assert!(field_changes(Some(&once), &once, &schema).is_empty());
        // Whatever we desire stands there, and we own it.
        let desired = field_set_of(&thing(&second), &schema);
        prop_assert!(desired.leaves().difference(&field_set_of(&once, &schema)).iter().all(|path| path.to_string().starts_with(".metadata")));
    }

    #[test]
    fn the_quick_test_never_says_so_wrongly(first in spec(), second in spec()) {
        let live = applied(None, &first, "us");
        if is_noop(&thing(&second), &live, "us", &schema()) {
            prop_assert_eq!(applied(Some(&live), &second, "us"), live);
        }
    }

    #[test]
    fn releasing_all_leaves_the_others_untouched(ours in spec(), theirs in spec()) {
        let alone = applied(None, &theirs, "them");
        let together = applied(Some(&alone), &ours, "us");
        let mut nothing = thing(&json!({}));
        nothing.as_object_mut().unwrap().remove("spec");
        let schema = schema();
        let request = ApplyRequest { live: Some(&together), config: &nothing, manager: "us", force: true, schema: &schema, now: NOW };
        let ApplyOutcome::Applied(left) = apply(request).unwrap() else { panic!("forced") };
        prop_assert!(ManagedFields::of(&left).unwrap().applied_by("us").is_none());
        let owned = |object: &Value| ManagedFields::of(object).unwrap().owned_by(|entry| entry.manager == "them");
        prop_assert_eq!(owned(&left), owned(&together));
        prop_assert!(owned(&together).leaves().is_subset(&field_set_of(&left, &schema)));
    }
}
