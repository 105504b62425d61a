//! What others change on OCI: named field by field, and just that is put back.

use serde_json::{Value, json};

use super::said::{goes_ahead, is_settled, text};
use super::world::World;
use fleetwright::plan::change::{Action, Reason};

/// The operations of our writes since, with the names of what they are of.
pub(super) fn since(world: &World, from: usize) -> Vec<String> {
    let writes = world.our_writes(from).into_iter();
    writes
        .map(|write| format!("{} {}", write.operation, write.display_name))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_security_rule_that_somebody_removed_is_put_back() {
    let world = World::of(&[("a", "")]).await;
    world.converges().await;
    let list = world.ocid("SecurityList", "a-workers");
    let before = world.oci("securityLists", &list);
    let mut rules = before["ingressSecurityRules"].as_array().expect("rules").clone();
    let removed = rules.pop().expect("a rule");
    world.act(
        "PUT",
        &format!("/20160918/securityLists/{list}"),
        &json!({"ingressSecurityRules": rules}),
    );
    let planned = world.plan().await;
    let changes = goes_ahead(&planned);
    assert_eq!(changes.keys().collect::<Vec<_>>(), ["Update SecurityList/a-workers"]);
    let fields = &changes["Update SecurityList/a-workers"];
    assert!(
        fields.iter().all(|field| field.contains("ingressSecurityRules")),
        "{fields:?}"
    );
    assert!(planned.plan.is_drift_only(), "{}", text(&planned));
    let from = world.written();
    world.converges().await;
    assert_eq!(since(&world, from), ["UpdateSecurityList a-workers"]);
    let after = world.oci("securityLists", &list);
    let after = after["ingressSecurityRules"].as_array().expect("rules");
    assert!(after.contains(&removed), "{after:#?}");
    assert_eq!(
        Some(after.len()),
        before["ingressSecurityRules"].as_array().map(Vec::len)
    );
}

#[tokio::test(start_paused = true)]
async fn routes_that_somebody_changed_are_put_back() {
    let world = World::of(&[("a", "")]).await;
    world.converges().await;
    let table = world.ocid("RouteTable", "a-private");
    let before = world.oci("routeTables", &table)["routeRules"].clone();
    let mut rules = before.as_array().expect("rules").clone();
    rules.retain(|rule| rule["destination"] != "0.0.0.0/0");
    assert_ne!(Value::from(rules.clone()), before);
    world.act(
        "PUT",
        &format!("/20160918/routeTables/{table}"),
        &json!({"routeRules": rules}),
    );
    let planned = world.plan().await;
    let changes = goes_ahead(&planned);
    assert_eq!(changes.keys().collect::<Vec<_>>(), ["Update RouteTable/a-private"]);
    let fields = &changes["Update RouteTable/a-private"];
    assert!(fields.iter().all(|field| field.contains("routeRules")), "{fields:?}");
    assert!(text(&planned).contains("0.0.0.0/0"), "{}", text(&planned));
    let from = world.written();
    world.converges().await;
    assert_eq!(since(&world, from), ["UpdateRouteTable a-private"]);
    let after = world.oci("routeTables", &table)["routeRules"].clone();
    assert_eq!(after.as_array().map(Vec::len), before.as_array().map(Vec::len));
}

#[tokio::test(start_paused = true)]
async fn our_tags_are_put_back_and_those_of_others_stay() {
    let mut world = World::of(&[("a", "  tags: {cost-center: '7', stage: early}")]).await;
    world.converges().await;
    let vcn = world.ocid("Vcn", "a");
    let tags = |world: &World| world.oci("vcns", &vcn)["freeformTags"].clone();
    let mut changed = tags(&world);
    let map = changed.as_object_mut().expect("tags");
    map.remove("cost-center").expect("our tag");
    map.insert("scanned-by".to_owned(), "their tool".into());
    world.act(
        "PUT",
        &format!("/20160918/vcns/{vcn}"),
        &json!({"freeformTags": changed}),
    );

    let planned = world.plan().await;
    let changes = goes_ahead(&planned);
    assert_eq!(changes.keys().collect::<Vec<_>>(), ["Update Vcn/a"]);
    assert_eq!(changes["Update Vcn/a"], [".spec.freeformTags.cost-center"]);
    let from = world.written();
    world.converges().await;
    assert_eq!(since(&world, from), ["UpdateVcn a"]);
    assert_eq!(tags(&world)["cost-center"], "7");
    assert_eq!(tags(&world)["scanned-by"], "their tool");

    // A tag that the files no longer hold goes, and still theirs stays.
    world.cluster("a", "  tags: {cost-center: '7'}");
    let planned = world.plan().await;
    assert_eq!(goes_ahead(&planned)["Update Vcn/a"], [".spec.freeformTags.stage"]);
    world.converges().await;
    let now = tags(&world);
    assert_eq!(now.get("stage"), None, "{now}");
    assert_eq!(now["scanned-by"], "their tool");
    assert!(is_settled(&world.plan().await));
}

#[tokio::test(start_paused = true)]
async fn a_mark_that_somebody_took_off_is_put_back_and_said_to_be() {
    let world = World::of(&[("a", "")]).await;
    world.converges().await;
    let vcn = world.ocid("Vcn", "a");
    let mut tags = world.oci("vcns", &vcn)["freeformTags"].clone();
    let map = tags.as_object_mut().expect("tags");
    map.retain(|key, _| !key.starts_with("fleetwright-"));
    world.act("PUT", &format!("/20160918/vcns/{vcn}"), &json!({"freeformTags": tags}));
    let planned = world.plan().await;
    assert_eq!(goes_ahead(&planned).keys().collect::<Vec<_>>(), ["Update Vcn/a"]);
    let said = text(&planned);
    assert!(
        said.contains("+ our owner mark") && !said.contains("who owns its fields"),
        "{said}"
    );
    world.converges().await;
    let after = world.oci("vcns", &vcn)["freeformTags"].clone();
    assert!(after["fleetwright-fleet"].is_string(), "{after}");
}

/// A peering that one side ended can't be taken up again: what is left of it is made anew, once no route leads there.
#[tokio::test(start_paused = true)]
async fn a_peering_that_somebody_ended_is_refused_until_no_route_leads_there_and_made_anew_then() {
    let world = World::of(&[("a", "")]).await;
    world.converges().await;
    let delete = |plural: &str, ocid: &str| world.act("DELETE", &format!("/20160918/{plural}/{ocid}"), &Value::Null);
    let without_routes_to = |table: &str, gateway: &str| {
        let mut rules = world.oci("routeTables", table)["routeRules"].clone();
        let list = rules.as_array_mut().expect("rules");
        list.retain(|rule| rule["networkEntityId"] != gateway);
        world.act(
            "PUT",
            &format!("/20160918/routeTables/{table}"),
            &json!({"routeRules": rules}),
        );
    };
    let (far, near) = (
        world.ocid("LocalPeeringGateway", "m-a"),
        world.ocid("LocalPeeringGateway", "a-management"),
    );
    without_routes_to("ocid1.routetable.oc1.iad.aaaaaaaamanagementnodes", &far);
    delete("localPeeringGateways", &far);
    world.pass(5).await;
    let planned = world.plan().await;
    let refusals = &planned.plan.refusals;
    assert_eq!(refusals.len(), 1, "{}", text(&planned));
    assert_eq!(refusals[0].objects[0].name, "a-management", "{}", text(&planned));
    assert!(refusals[0].lift.contains("delete it by hand"), "{}", refusals[0].lift);

    let nodes = "ocid1.routetable.oc1.iad.aaaaaaaamanagementnodes";
    let mut now = [far, near];
    // Whichever side was deleted: that which connects and that which does not.
    for deleted in ["m-a", "a-management"] {
        let [far, near] = &now;
        without_routes_to(&world.ocid("RouteTable", "a-private"), near);
        if deleted == "a-management" {
            without_routes_to(nodes, far);
            delete("localPeeringGateways", near);
        }
        world.pass(5).await;
        let planned = world.plan().await;
        assert!(planned.plan.refusals.is_empty(), "{}", text(&planned));
        let going: Vec<_> = planned
            .plan
            .changes
            .iter()
            .filter(|change| change.action == Action::Delete)
            .collect();
        assert!(
            going.len() == 1 && going[0].reason == Reason::Ended,
            "{}",
            text(&planned)
        );
        assert_ne!(going[0].id.name, deleted);
        world.converges().await;
        let after = ["m-a", "a-management"].map(|name| world.ocid("LocalPeeringGateway", name));
        assert!(after.iter().all(|ocid| !now.contains(ocid)), "both are new");
        for ocid in &after {
            assert_eq!(world.oci("localPeeringGateways", ocid)["peeringStatus"], "PEERED");
        }
        let leads_to = |table: &str, gateway: &str| {
            let rules = world.oci("routeTables", table)["routeRules"].clone();
            let rules = rules.as_array().expect("rules").clone();
            rules.iter().any(|rule| rule["networkEntityId"] == gateway)
        };
        assert!(leads_to(nodes, &after[0]) && leads_to(&world.ocid("RouteTable", "a-private"), &after[1]));
        now = after;
    }
}

/// Nobody has to put the route back: it leads to what somebody deleted, and was to go before that.
#[tokio::test(start_paused = true)]
async fn what_names_something_that_is_made_anew_has_not_drifted() {
    let world = World::of(&[("a", "")]).await;
    world.converges().await;
    let gateway = world.ocid("NatGateway", "a");
    let table = format!("/20160918/routeTables/{}", world.ocid("RouteTable", "a-private"));
    let mut rules = world.act("GET", &table, &Value::Null)["routeRules"].clone();
    let rules = rules.as_array_mut().expect("rules");
    rules.retain(|rule| rule["networkEntityId"] != gateway.as_str());
    world.act("PUT", &table, &json!({"routeRules": rules}));
    world.act("DELETE", &format!("/20160918/natGateways/{gateway}"), &Value::Null);
    world.pass(5).await;
    let planned = world.plan().await;
    let reason = |kind: &str, name: &str| {
        let mut changes = planned.plan.changes.iter();
        changes
            .find(|change| change.id.kind == kind && change.id.name == name)
            .map(|change| change.reason)
    };
    assert_eq!(reason("NatGateway", "a"), Some(Reason::Vanished), "{}", text(&planned));
    assert_eq!(
        reason("RouteTable", "a-private"),
        Some(Reason::ReferenceChanged),
        "{}",
        text(&planned)
    );
    assert!(
        text(&planned).contains("what it refers to is made anew"),
        "{}",
        text(&planned)
    );
    world.converges().await;
    assert_ne!(world.ocid("NatGateway", "a"), gateway);
}
