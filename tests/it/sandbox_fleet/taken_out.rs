//! Lines that are taken out of the files: what they had set goes, or the plan says why it can't.

use serde_json::Value;

use super::drift::since;
use super::said::{Told, change, goes_ahead, is_settled, text};
use super::world::World;

/// A cluster whose file loses a line that OCI can't follow: it is named, refused with what hangs on it, and nothing is written.
async fn is_refused(with: &str, kind: &str, name: &str, field: &str) -> World {
    let mut world = World::of(&[("a", with)]).await;
    world.converges().await;
    world.cluster("a", "");
    let planned = world.plan().await;
    let taken_out = change(&planned, kind, name);
    let diff = taken_out.fields.iter().find(|diff| diff.field == field);
    let diff = diff.unwrap_or_else(|| panic!("{}", text(&planned)));
    assert!(diff.before.is_some() && diff.after.is_none(), "{diff:?}");
    assert!(!taken_out.goes_ahead(), "{}", text(&planned));
    let refusals = &planned.plan.refusals;
    assert!(
        refusals.iter().all(|refusal| refusal.guard == "immutable"),
        "{refusals:#?}"
    );
    let refused = refusals.iter().find(|refusal| refusal.objects.contains(&taken_out.id));
    assert!(
        refused.is_some_and(|refusal| refusal.message.contains(field)),
        "{refusals:#?}"
    );
    let shown = text(&planned);
    assert!(shown.contains(&format!("- {field}: ")), "{shown}");
    let from = world.written();
    world.apply(&planned, &Told::default()).await;
    assert_eq!(since(&world, from), Vec::<String>::new());

    world.cluster("a", with);
    assert!(is_settled(&world.plan().await), "put back, it is as it was");
    world.cluster("a", "");
    world
}

#[tokio::test(start_paused = true)]
async fn a_reserved_address_can_not_be_taken_from_its_gateway_and_stays_with_it() {
    let world = is_refused("  network: {publicIps: [nat]}", "NatGateway", "a", ".spec.publicIpId").await;
    let planned = world.plan().await;
    let address = change(&planned, "PublicIp", "a-nat");
    assert!(!address.goes_ahead(), "{}", text(&planned));
    let refusals = &planned.plan.refusals;
    assert!(refusals[0].objects.contains(&address.id), "{refusals:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_subnet_does_not_leave_its_availability_domain() {
    let with = "  network: {availabilityDomain: 'Fwsb:IAD-AD-1'}";
    is_refused(with, "Subnet", "a-workers", ".spec.availabilityDomain").await;
}

#[tokio::test(start_paused = true)]
async fn ipv6_is_not_switched_off_and_no_subnet_loses_it_alone() {
    let with = "  network: {vcn: [10.20.0.0/20, 'fd12:3456:789a::/56']}";
    let mut world = World::of(&[("a", with)]).await;
    world.converges().await;
    world.cluster("a", "  network: {vcn: 10.20.0.0/20}");
    let planned = world.plan().await;
    let refusal = &planned.plan.refusals[0];
    assert_eq!(refusal.guard, "immutable", "{}", text(&planned));
    assert!(refusal.message.contains(".spec.isIpv6Enabled"), "{}", refusal.message);
    let workers = change(&planned, "Subnet", "a-workers");
    assert!(
        workers
            .fields
            .iter()
            .any(|diff| diff.field.starts_with(".spec.ipv6CidrBlocks")),
        "{}",
        text(&planned)
    );
    assert!(!workers.goes_ahead(), "{}", text(&planned));
    let from = world.written();
    world.apply(&planned, &Told::default()).await;
    assert_eq!(since(&world, from), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_defined_tag_goes_and_those_of_others_stay() {
    let with = |keys: &str| format!("  definedTags: {{ops: {{{keys}}}}}");
    let mut world = World::of(&[("a", &with("cost: '7', stage: early"))]).await;
    world.converges().await;
    let vcn = world.ocid("Vcn", "a");
    let tags = |world: &World| world.oci("vcns", &vcn)["definedTags"].clone();
    let mut changed = tags(&world);
    changed["ops"]["scanned"] = "by their tool".into();
    changed["audit"]["owner"] = "theirs".into();
    let path = format!("/20160918/vcns/{vcn}");
    world.act("PUT", &path, &serde_json::json!({"definedTags": changed}));
    assert!(is_settled(&world.plan().await));

    world.cluster("a", &with("cost: '7'"));
    let planned = world.plan().await;
    assert_eq!(goes_ahead(&planned)["Update Vcn/a"], [".spec.definedTags.ops.stage"]);
    assert!(
        text(&planned).contains("- .spec.definedTags.ops.stage: "),
        "{}",
        text(&planned)
    );
    world.converges().await;
    let now = tags(&world);
    assert_eq!(now["ops"], serde_json::json!({"cost": "7", "scanned": "by their tool"}));
    assert_eq!(now["audit"]["owner"], "theirs");

    world.cluster("a", "");
    assert_eq!(
        goes_ahead(&world.plan().await)["Update Vcn/a"],
        [".spec.definedTags.ops.cost"]
    );
    world.converges().await;
    assert_eq!(tags(&world)["ops"], serde_json::json!({"scanned": "by their tool"}));
    let subnet = world.ocid("Subnet", "a-workers");
    assert_eq!(world.oci("subnets", &subnet)["definedTags"], serde_json::json!({}));
}

#[tokio::test(start_paused = true)]
async fn rules_and_a_flag_that_a_template_no_longer_names_go_in_place() {
    let mut world = World::of(&[("a", "")]).await;
    let template = include_str!("../../../templates/1/network.yaml.j2")
        // Templates of a fleet's own keep no text that they put together themselves.
        .replace("stem ~ \"-management\"", "[stem, \"-management\"] | join");
    let before = template.replace("blockTraffic: false", "blockTraffic: true");
    world.place.write("templates/network.yaml.j2", &before);
    world.cluster("a", "");
    world.converges().await;
    let after = template
        .replace("  blockTraffic: false\n", "")
        .replace("  egressSecurityRules: {{ subnet.egress }}\n", "");
    world.place.write("templates/network.yaml.j2", &after);
    world.cluster("a", "");

    let planned = world.plan().await;
    let changes = goes_ahead(&planned);
    assert_eq!(changes["Update NatGateway/a"], [".spec.blockTraffic"]);
    let rules = &changes["Update SecurityList/a-workers"];
    assert!(
        !rules.is_empty()
            && rules
                .iter()
                .all(|field| field.starts_with(".spec.egressSecurityRules[")),
        "{rules:?}"
    );
    world.converges().await;
    let gateway = world.oci("natGateways", &world.ocid("NatGateway", "a"));
    assert_eq!(gateway["blockTraffic"], false);
    let list = world.oci("securityLists", &world.ocid("SecurityList", "a-workers"));
    assert_eq!(list["egressSecurityRules"], Value::Array(Vec::new()));
    assert!(is_settled(&world.plan().await));
}
