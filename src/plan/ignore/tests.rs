use serde_json::{Value, json};

use super::*;
use crate::diag::Typed;
use crate::plan::change::tests::change;
use crate::plan::change::{Action, Change, OwnedBy};
use crate::plan::tests::{NOW, World, applied, cluster, manifest, present, schema, short};
use crate::plan::{Plan, confirm};
use crate::providers::Observed;
use crate::resource::oci::Former;
use crate::resource::{ClusterName, Manifest, Pointer, Target, oci as kinds};
use crate::ssa;

fn span() -> Span {
    Span {
        file: "fleet.yaml".into(),
        line: 9,
        column: 7,
        start: 0,
        end: 1,
    }
}

/// A rule of the files.
fn rule(pointer: Option<&str>, manager: Option<&str>) -> IgnoreRule {
    IgnoreRule {
        source: RuleSource::Typed(Typed(Some(span()))),
        kind: None,
        name: None,
        cluster: None,
        pointer: pointer.map(|text| Pointer::parse(text).unwrap()),
        manager: manager.map(str::to_owned),
    }
}

/// A world in which a ConfigMap was applied, with these rules.
fn world(rules: Vec<IgnoreRule>) -> (World, Manifest) {
    let mut world = World::new();
    world.fleet.ignore.rules = rules;
    let object = manifest(&cluster("a"), "x", "1");
    world.want(&object);
    world.made(&object);
    (world, object)
}

/// Somebody else applies this over the live object.
fn written(world: &mut World, object: &Manifest, by: &str, change: &Value) {
    let mut config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "ns"}});
    for (key, value) in change.as_object().unwrap() {
        match config.get_mut(key).and_then(Value::as_object_mut) {
            Some(below) => below.extend(value.as_object().unwrap().clone()),
            None => config[key] = value.clone(),
        }
    }
    let live = applied(object);
    let request = ssa::ApplyRequest {
        live: Some(&live),
        config: &config,
        manager: by,
        force: true,
        schema: &schema(),
        now: NOW,
    };
    let ssa::ApplyOutcome::Applied(moved) = ssa::apply(request).unwrap() else {
        panic!("a conflict");
    };
    world.observed.insert(object.id.clone(), present(&moved));
}

fn ignored(plan: &Plan) -> Vec<String> {
    let fields = plan.ignored.iter();
    fields.map(|it| format!("{} {}", it.diff.field, it.rule)).collect()
}

fn written_document(change: &Change) -> Value {
    confirm::document(change).unwrap().expose().clone()
}

#[test]
fn what_a_rule_covers_is_no_change_and_no_drift_whoever_changed_it() {
    let (mut world, object) = world(vec![rule(Some("/data/key"), None)]);
    written(&mut world, &object, "kubectl-edit", &json!({"data": {"key": "theirs"}}));
    let plan = world.plan();
    assert_eq!(
        (short(&plan.changes), plan.unchanged),
        (vec![], 1),
        "{:?}",
        plan.changes
    );
    assert_eq!(ignored(&plan), [".data.key fleet.yaml:9:7"]);
    let diff = &plan.ignored[0].diff;
    assert_eq!((&diff.before, &diff.after), (&Some(json!("theirs")), &Some(json!("1"))));
    assert!(!plan.has_changes() && plan.idle_rules.is_empty());

    world.fleet.ignore.rules.clear();
    assert_eq!(world.plan().changes.len(), 1, "without the rule it is drift");
}

#[test]
fn what_is_written_beside_it_leaves_it_as_it_is() {
    let (mut world, object) = world(vec![rule(Some("/data/key"), None)]);
    // The files change both the field and the labels.
    let mut body = manifest(&cluster("a"), "x", "2").body();
    body["metadata"]["labels"] = json!({"team": "net"});
    let changed = Manifest::new(object.id.target.clone(), object.unit.clone(), object.stewardship, &body).unwrap();
    let fleet = world.fleet;
    world = World::new();
    world.fleet = fleet;
    world.made(&object);
    world.want(&changed);
    let plan = world.plan();
    let fields: Vec<&str> = plan.changes[0].fields.iter().map(|diff| diff.field.as_str()).collect();
    assert_eq!(fields, [".metadata.labels.team"]);
    assert_eq!(
        written_document(&plan.changes[0])["data"],
        json!({"key": "1"}),
        "we own it: to leave it out removes it"
    );
    assert_eq!(ignored(&plan), [".data.key fleet.yaml:9:7"]);

    written(&mut world, &object, "them", &json!({"data": {"key": "theirs"}}));
    let plan = world.plan();
    assert_eq!(
        written_document(&plan.changes[0])["data"],
        json!({}),
        "it is theirs, and stays so"
    );
}

#[test]
fn what_is_made_afresh_has_it_as_the_files_say() {
    let mut world = World::new();
    world.fleet.ignore.rules = vec![rule(Some("/data"), None)];
    world.want(&manifest(&cluster("a"), "x", "1"));
    let plan = world.plan();
    assert_eq!(written_document(&plan.changes[0])["data"], json!({"key": "1"}));
    assert!(plan.idle_rules.is_empty(), "it is about what is to be made");
}

#[test]
fn a_rule_by_manager_is_about_what_that_manager_owns() {
    let (mut world, object) = world(vec![rule(None, Some("scaler"))]);
    assert_eq!(world.plan().idle_rules, [span()], "nobody of that name");
    written(&mut world, &object, "scaler", &json!({"data": {"key": "theirs"}}));
    let plan = world.plan();
    assert_eq!(
        (plan.changes.len(), ignored(&plan).len(), plan.idle_rules.len()),
        (0, 1, 0)
    );
    written(&mut world, &object, "somebody", &json!({"data": {"key": "theirs"}}));
    assert_eq!(world.plan().changes.len(), 1);
}

#[test]
fn a_built_in_rule_is_about_controllers_and_never_about_people() {
    let built_in = IgnoreRule {
        source: RuleSource::BuiltIn("x"),
        ..rule(Some("/data/key"), None)
    };
    let (mut world, object) = world(vec![built_in]);
    for (manager, drift) in [
        ("hypershift-operator", 0),
        ("kubectl-edit", 1),
        ("helm", 1),
        ("manager", 0),
    ] {
        written(&mut world, &object, manager, &json!({"data": {"key": "theirs"}}));
        assert_eq!(world.plan().changes.len(), drift, "{manager}");
    }
    assert!(world.plan().idle_rules.is_empty(), "no place in the files");
}

#[test]
fn our_marks_are_put_back_whatever_a_rule_says() {
    let (mut world, object) = world(vec![rule(None, Some("them"))]);
    let stolen = json!({"metadata": {"annotations": {"fleetwright.dev/owner": "{}"}}});
    written(&mut world, &object, "them", &stolen);
    let plan = world.plan();
    assert_eq!((plan.changes.len(), ignored(&plan).len()), (1, 0));
}

#[test]
fn a_rule_is_about_its_kind_name_and_cluster() {
    let object = manifest(&cluster("a"), "x", "1");
    let is_about = |change: &dyn Fn(&mut IgnoreRule)| {
        let mut rule = rule(Some("/data"), None);
        change(&mut rule);
        rule.is_about(&object.id, &object.unit)
    };
    assert!(is_about(&|rule| rule.kind = Some("ConfigMap".to_owned())));
    assert!(!is_about(&|rule| rule.kind = Some("Secret".to_owned())));
    assert!(!is_about(&|rule| rule.name = Some("y".to_owned())));
    assert!(is_about(&|rule| rule.cluster = Some(ClusterName::new("a"))));
    assert!(!is_about(&|rule| rule.cluster = Some(ClusterName::new("b"))));
}

#[test]
fn a_field_that_is_fought_over_is_left_and_the_rest_of_its_object_is_mended() {
    let mut body = manifest(&cluster("a"), "x", "1").body();
    body["metadata"]["labels"] = json!({"team": "net"});
    let plain = manifest(&cluster("a"), "x", "1");
    let object = Manifest::new(plain.id.target.clone(), plain.unit.clone(), plain.stewardship, &body).unwrap();
    let mut world = World::new();
    world.want(&object);
    world.made(&object);
    let fought = OwnedBy {
        field: ".data.key".to_owned(),
        manager: "scaler".to_owned(),
    };
    world.contested.insert(object.id.clone(), vec![fought]);
    assert!(world.plan().ignored.is_empty(), "it is as it should be just now");
    written(&mut world, &object, "scaler", &json!({"data": {"key": "theirs"}}));
    let plan = world.plan();
    assert_eq!((plan.changes.len(), plan.warnings()), (0, Vec::new()));
    assert_eq!(
        (plan.ignored[0].diff.field.as_str(), plan.ignored[0].contested_by()),
        (".data.key", Some("scaler"))
    );

    let Some(Observed::Present(live)) = world.observed.get(&object.id) else {
        panic!("it is there");
    };
    let mut live = live.parse().unwrap();
    live["metadata"]["labels"]["team"] = json!("theirs");
    world.observed.insert(object.id.clone(), present(&live));
    let plan = world.plan();
    let fields: Vec<&str> = plan.changes[0].fields.iter().map(|diff| diff.field.as_str()).collect();
    assert_eq!(fields, [".metadata.labels.team"]);
    let document = written_document(&plan.changes[0]);
    assert_eq!(
        (&document["data"], &document["metadata"]["labels"]["team"]),
        (&json!({}), &json!("net")),
        "it is not taken, and the rest is put right"
    );
    assert_eq!(plan.ignored.len(), 1);
}

#[test]
fn what_can_not_be_changed_is_said_where_it_is_passed_over() {
    let of = |kind: &str, field: &str| {
        let change = change("a", kind, "a", Action::Update);
        let mut diff = FieldDiff {
            field: field.to_owned(),
            before: None,
            after: None,
            owner: None,
            replaces: false,
        };
        diff.replaces = field == ".spec.vcnId";
        IgnoredField {
            id: change.id,
            unit: change.unit,
            diff,
            rule: rule(None, None).source,
        }
    };
    let all = [
        of("HostedCluster", ".spec.fips"),
        of("HostedCluster", ".spec.release.image"),
        of("Subnet", ".spec.vcnId"),
    ];
    let said = warnings(&all);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said[0].contains(".spec.fips is not as the files say") && said[0].contains("fleet.yaml:9:7"),
        "{said:?}"
    );
}

/// What is left of an OCI spec, and what was passed over.
fn on_oci(pointer: &str, kind: &str, documents: (Value, Value), former: &[&str]) -> Option<(Value, Vec<String>)> {
    let ignore = Ignore {
        rules: vec![rule(Some(pointer), None)],
        is_broken: false,
    };
    let tags: Vec<String> = former.iter().map(|&key| key.to_owned()).collect();
    let former = Former {
        tags: &tags,
        fields: &[],
    };
    left_on_oci((&ignore, None), kind, documents, former)
}

/// The same by these rules, or of a field that is fought over.
fn left_on_oci(
    (ignore, fought): (&Ignore, Option<&str>),
    kind: &str,
    (wanted, live): (Value, Value),
    former: Former<'_>,
) -> Option<(Value, Vec<String>)> {
    let mut of = change("a", kind, "a", Action::Update);
    of.id.target = Target::Oci;
    let fought = fought.map(|field| OwnedBy {
        field: field.to_owned(),
        manager: "somebody".to_owned(),
    });
    let contested = Contested::from([(of.id.clone(), fought.into_iter().collect())]);
    let rules = Rules::new(ignore, &contested);
    let about = rules.about(&of.id, &of.unit);
    let documents = (&json!({"spec": wanted}), &json!({"spec": live}));
    let left = super::oci(&about, &of, kinds::kind(kind).unwrap(), documents, former)?;
    let fields = left.ignored.into_iter().map(|field| field.diff.field).collect();
    Some((left.document["spec"].clone(), fields))
}

#[test]
fn on_oci_what_is_fought_over_is_left_too() {
    let documents = (
        json!({"routeRules": [], "displayName": "x"}),
        json!({"routeRules": [{"destination": "0.0.0.0/0"}], "displayName": "theirs"}),
    );
    let none = Ignore::default();
    let field = r#".spec.routeRules[={"destination":"0.0.0.0/0"}]"#;
    let (left, fields) = left_on_oci((&none, Some(field)), "RouteTable", documents.clone(), Former::default()).unwrap();
    assert_eq!((left, fields.len()), (json!({"displayName": "x"}), 1));
    let (left, fields) = left_on_oci(
        (&none, Some(".spec.displayName")),
        "RouteTable",
        documents,
        Former::default(),
    )
    .unwrap();
    assert_eq!(left["routeRules"], json!([]), "the rest is put right");
    assert_eq!(fields, [".spec.displayName"]);
}

#[test]
fn on_oci_a_field_is_left_out_and_what_that_would_take_away_is_named_as_it_is() {
    let tags = (
        json!({"displayName": "a", "definedTags": {"Oracle-Tags": {"CreatedBy": "us"}, "Cost": {"center": "7"}}}),
        json!({"displayName": "a", "definedTags": {"Oracle-Tags": {"CreatedBy": "them"}, "Cost": {"center": "8"}}}),
    );
    let (left, fields) = on_oci("/spec/definedTags/Oracle-Tags", "Vcn", tags, &[]).unwrap();
    assert_eq!(left["definedTags"]["Oracle-Tags"]["CreatedBy"], "them");
    assert_eq!(
        left["definedTags"]["Cost"]["center"], "7",
        "another namespace is as ever"
    );
    assert_eq!(fields, [".spec.definedTags.Oracle-Tags.CreatedBy"]);

    // A tag that the files dropped would be taken off.
    let freeform = || {
        (
            json!({"freeformTags": {"a": "1"}}),
            json!({"freeformTags": {"a": "1", "b": "2"}}),
        )
    };
    let (left, fields) = on_oci("/spec/freeformTags/b", "Vcn", freeform(), &["b"]).unwrap();
    assert_eq!((left["freeformTags"]["b"].clone(), fields.len()), (json!("2"), 1));
    assert!(
        on_oci("/spec/freeformTags/b", "Vcn", freeform(), &[]).is_none(),
        "nobody would take it off"
    );

    let rules = (
        json!({"routeRules": [], "displayName": "x"}),
        json!({"routeRules": [{"destination": "0.0.0.0/0"}]}),
    );
    let (left, fields) = on_oci("/spec/routeRules", "RouteTable", rules, &[]).unwrap();
    assert_eq!((left, fields.len()), (json!({"displayName": "x"}), 1));
}

#[test]
fn on_oci_what_was_taken_out_of_the_files_is_left_where_a_rule_says_so() {
    let live = json!({"publicIpId": "p", "blockTraffic": true});
    let fields = [vec!["publicIpId".to_owned()], vec!["blockTraffic".to_owned()]];
    let former = Former {
        tags: &[],
        fields: &fields,
    };
    let left = |pointer: &str| {
        let ignore = Ignore {
            rules: vec![rule(Some(pointer), None)],
            is_broken: false,
        };
        left_on_oci((&ignore, None), "NatGateway", (json!({}), live.clone()), former)
    };
    let (_, ignored) = left("/spec/publicIpId").unwrap();
    assert_eq!(ignored, [".spec.publicIpId"]);
    assert!(left("/spec/routeTableId").is_none());
}
