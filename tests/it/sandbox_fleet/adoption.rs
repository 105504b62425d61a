//! Networks that somebody made by hand under the names that the fleet wants: taken over when told, and then wholly.

use std::collections::BTreeMap;

use fleetwright::fleet::model::Role;
use fleetwright::ops::Planned;
use fleetwright::plan::change::Action;
use fleetwright::resource::ClusterName;
use serde_json::{Value, json};

use super::said::{Told, change, goes_ahead, is_settled, text, unknown};
use super::world::{CLUSTERS, World};

/// The VCN of management cluster `m`, and the compartment of its gateways.
const MANAGEMENT: (&str, &str) = (
    "ocid1.vcn.oc1.iad.amaaaaaamanagementvcn",
    "ocid1.compartment.oc1..aaaaaaaaplatform",
);

/// What was made by hand: OCIDs by `kind/name`.
type Made = BTreeMap<String, String>;

fn plural(kind: &str) -> String {
    let mut letters = kind.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    first.into_iter().chain(letters).collect::<String>() + "s"
}

/// Makes one thing as somebody else, with a tag of theirs.
async fn make(world: &World, made: &mut Made, (kind, name): (&str, &str), more: Value) -> String {
    let mut body = json!({"compartmentId": CLUSTERS, "displayName": name, "freeformTags": {"made-by": "hand"}});
    let fields = body.as_object_mut().expect("an object");
    fields.extend(more.as_object().expect("an object").clone());
    let answer = world.act("POST", &format!("/20160918/{}", plural(kind)), &body);
    world.pass(1).await;
    let ocid = answer["id"].as_str().expect("an OCID").to_owned();
    made.insert(format!("{kind}/{name}"), ocid.clone());
    ocid
}

/// Cluster `a`'s network as somebody made it by hand: without DHCP options, without some routes and rules, unpeered.
async fn by_hand(world: &World) -> Made {
    let cluster = &world.loaded.fleet.clusters[&ClusterName::new("a")];
    let plan = cluster.network.source.plan().expect("a network of its own").clone();
    let mut made = Made::new();
    let vcn = json!({"cidrBlocks": plan.vcn, "dnsLabel": plan.dns_label});
    let vcn = make(world, &mut made, ("Vcn", "a"), vcn).await;
    let nat = make(world, &mut made, ("NatGateway", "a"), json!({"vcnId": vcn})).await;
    let services = world.act("GET", "/20160918/services", &Value::Null);
    let services = services.as_array().expect("services").iter();
    let all = services.filter(|service| {
        service["cidrBlock"]
            .as_str()
            .is_some_and(|label| label.starts_with("all-"))
    });
    let all = all
        .map(|service| json!({"serviceId": service["id"]}))
        .collect::<Vec<_>>();
    make(
        world,
        &mut made,
        ("ServiceGateway", "a"),
        json!({"vcnId": vcn, "services": all}),
    )
    .await;
    make(
        world,
        &mut made,
        ("LocalPeeringGateway", "a-management"),
        json!({"vcnId": vcn}),
    )
    .await;
    let far = json!({"vcnId": MANAGEMENT.0, "compartmentId": MANAGEMENT.1});
    make(world, &mut made, ("LocalPeeringGateway", "m-a"), far).await;
    let route = json!({"destination": "0.0.0.0/0", "destinationType": "CIDR_BLOCK", "networkEntityId": nat});
    let table = json!({"vcnId": vcn, "routeRules": [route]});
    let table = make(world, &mut made, ("RouteTable", "a-private"), table).await;
    for subnet in &plan.subnets {
        let name = match subnet.role {
            Role::Workers => "a-workers",
            Role::Endpoint => "a-endpoint",
            Role::LoadBalancers => "a-load-balancers",
            _ => panic!("{:?} is not of this preset", subnet.role),
        };
        let rule = json!({"source": "0.0.0.0/0", "protocol": "all", "isStateless": false});
        let list = json!({"vcnId": vcn, "ingressSecurityRules": [rule], "egressSecurityRules": []});
        let list = make(world, &mut made, ("SecurityList", name), list).await;
        let body = json!({"vcnId": vcn, "cidrBlock": subnet.cidrs[0], "dnsLabel": subnet.role.dns_label(), "routeTableId": table,
            "securityListIds": [list], "prohibitPublicIpOnVnic": true, "prohibitInternetIngress": true});
        make(world, &mut made, ("Subnet", name), body).await;
    }
    made
}

fn tags(world: &World, kind: &str, ocid: &str) -> Value {
    world.oci(&plural(kind), ocid)["freeformTags"].clone()
}

/// The adoptions of a plan, by `kind/name`.
fn adoptions(planned: &Planned) -> Vec<String> {
    let changes = planned
        .plan
        .changes
        .iter()
        .filter(|change| change.action == Action::Adopt);
    let mut names: Vec<String> = changes
        .map(|change| format!("{}/{}", change.id.kind, change.id.name))
        .collect();
    names.sort();
    names
}

async fn adopted(world: &World) -> Made {
    let made = by_hand(world).await;
    let planned = world.plan_to_adopt().await;
    let told = Told::default();
    let outcome = world.apply(&planned, &told).await;
    assert!(outcome.is_success(), "{:#?}", told.failures());
    made
}

#[tokio::test(start_paused = true)]
async fn what_somebody_made_is_not_touched_until_told() {
    let world = World::of(&[("a", "")]).await;
    let made = by_hand(&world).await;
    let planned = world.plan().await;
    assert_eq!(adoptions(&planned), made.keys().cloned().collect::<Vec<_>>());
    let refusals = &planned.plan.refusals;
    assert_eq!(refusals.len(), 1, "{}", text(&planned));
    assert_eq!((refusals[0].guard, refusals[0].objects.len()), ("adoption", made.len()));
    assert!(
        refusals[0].lift.contains("run again with --adopt"),
        "{}",
        refusals[0].lift
    );
    let shown = text(&planned);
    assert!(
        shown.contains("@ RouteTable a-private  exists, made by someone else"),
        "{shown}"
    );

    // Even where the rest goes on, nothing is put into what is not ours.
    let from = world.written();
    world.apply(&planned, &Told::default()).await;
    let written = world.our_writes(from);
    assert!(written.is_empty(), "{written:#?}");
    for (name, ocid) in &made {
        let kind = name.split('/').next().expect("a kind");
        assert_eq!(tags(&world, kind, ocid), json!({"made-by": "hand"}), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_somebody_made_is_marked_and_mended_in_place() {
    let world = World::of(&[("a", "")]).await;
    let made = by_hand(&world).await;
    let planned = world.plan_to_adopt().await;
    assert!(planned.plan.refusals.is_empty(), "{}", text(&planned));
    assert_eq!(adoptions(&planned), made.keys().cloned().collect::<Vec<_>>());
    let fields = &goes_ahead(&planned)["Adopt RouteTable/a-private"];
    assert!(
        fields.iter().all(|field| field.starts_with(".spec.routeRules")),
        "{fields:?}"
    );
    assert!(!fields.is_empty());
    let vcn = "  @ Vcn a  exists, made by someone else\n      + our owner mark\n";
    assert!(text(&planned).contains(vcn), "{}", text(&planned));
    let from = world.written();
    let told = Told::default();
    let outcome = world.apply(&planned, &told).await;
    assert!(outcome.is_success(), "{:#?}", told.failures());

    let mut new = Vec::new();
    for write in world.our_writes(from) {
        assert!(!write.operation.starts_with("Delete"), "{write:#?}");
        if write.operation.starts_with("Create") {
            new.push(format!("{}/{}", write.kind, write.display_name));
        }
    }
    assert_eq!(new, ["DhcpOptions/a"], "nothing else was missing");
    for (name, ocid) in &made {
        let (kind, display_name) = name.split_once('/').expect("a kind");
        assert_eq!(world.ocid(kind, display_name), *ocid, "{name}");
        let tags = tags(&world, kind, ocid);
        assert_eq!(tags["made-by"], "hand", "{name}");
        assert_eq!(tags["fleetwright-unit"], "cluster a", "{name}");
    }
    let near = world.oci("localPeeringGateways", &made["LocalPeeringGateway/a-management"]);
    assert_eq!(near["peeringStatus"], "PEERED");
    let again = world.plan().await;
    assert!(is_settled(&again), "{}", text(&again));

    // From now on it is as if it had been made by us: what somebody changes is drift.
    let list = &made["SecurityList/a-workers"];
    world.act(
        "PUT",
        &format!("/20160918/securityLists/{list}"),
        &json!({"ingressSecurityRules": []}),
    );
    let planned = world.plan().await;
    assert_eq!(
        goes_ahead(&planned).keys().collect::<Vec<_>>(),
        ["Update SecurityList/a-workers"]
    );
    assert!(planned.plan.is_drift_only());
}

#[tokio::test(start_paused = true)]
async fn an_adoption_cut_off_anywhere_is_finished_by_the_next_run() {
    for writes in 1.. {
        let world = World::of(&[("a", "")]).await;
        let made = by_hand(&world).await;
        let cut = super::crash::cut_off_plan(&world, &world.plan_to_adopt().await, writes).await;
        let planned = world.plan_to_adopt().await;
        let told = Told::default();
        let outcome = world.apply(&planned, &told).await;
        assert!(outcome.is_success(), "cut off after {writes}: {:#?}", told.failures());
        let again = world.plan().await;
        assert!(is_settled(&again), "cut off after {writes}: {}", text(&again));
        for (name, ocid) in &made {
            let (kind, display_name) = name.split_once('/').expect("a kind");
            assert_eq!(world.ocid(kind, display_name), *ocid, "cut off after {writes}: {name}");
        }
        if !cut {
            assert!(writes > 15, "the whole run is {writes} writes");
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_rename_keeps_what_was_adopted() {
    let mut world = World::of(&[("a", "")]).await;
    let made = adopted(&world).await;
    world.place.remove("clusters/a.yaml");
    world
        .place
        .write("moved.yaml", "kind: Moved\nspec: [{from: cluster/a, to: cluster/b}]\n");
    world.cluster("b", "");
    let planned = world.plan().await;
    assert!(planned.plan.refusals.is_empty(), "{}", text(&planned));
    let others = goes_ahead(&planned);
    assert!(others.keys().all(|name| name.starts_with("Update ")), "{others:#?}");
    world.converges().await;
    let living = world.sandbox.oci().living();
    for (name, ocid) in &made {
        let kind = name.split('/').next().expect("a kind");
        assert!(living[kind].contains(ocid), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_adopted_goes_only_with_its_cluster_and_when_the_files_say_so() {
    let mut world = World::of(&[("a", ""), ("b", "")]).await;
    let made = adopted(&world).await;
    world.converges().await;
    world.pass(120).await;

    // No longer wanted, and nobody said that it may go.
    world.cluster("a", "  network: {peerWith: none}");
    let planned = world.plan().await;
    let refusals: Vec<_> = planned
        .plan
        .refusals
        .iter()
        .filter(|refusal| refusal.guard == "adopted")
        .collect();
    assert_eq!(refusals.len(), 1, "{}", text(&planned));
    let names: Vec<&str> = refusals[0].objects.iter().map(|id| id.name.as_str()).collect();
    assert_eq!(names, ["a-management", "m-a"]);
    assert!(refusals[0].lift.contains("delete it by hand"), "{}", refusals[0].lift);
    world.cluster("a", "");
    assert!(is_settled(&world.plan().await));

    world.place.remove("clusters/a.yaml");
    world.fleet("");
    let planned = world.plan().await;
    let guards: Vec<&str> = planned.plan.refusals.iter().map(|refusal| refusal.guard).collect();
    assert!(guards.contains(&"protected"), "{}", text(&planned));
    let from = world.written();
    world.apply(&planned, &Told::default()).await;
    assert!(world.our_writes(from).is_empty());

    world.fleet("  decommission: [{cluster: a, reason: it was a test}]");
    world.converges().await;
    let living = world.sandbox.oci().living();
    for (name, ocid) in &made {
        let kind = name.split('/').next().expect("a kind");
        assert!(!living[kind].contains(ocid), "{name}");
    }
    assert!(!World::recorded(&world.plan().await).contains_key("cluster a"));
}

#[tokio::test(start_paused = true)]
async fn of_two_of_a_name_none_is_taken_and_no_third_is_made() {
    let world = World::of(&[("a", ""), ("b", "")]).await;
    let mut made = Made::new();
    let mut ranges = ["172.16.0.0/16", "172.17.0.0/16"].into_iter();
    for range in ranges.by_ref() {
        make(&world, &mut made, ("Vcn", "a"), json!({"cidrBlocks": [range]})).await;
    }
    let planned = world.plan_to_adopt().await;
    let reasons = unknown(&planned);
    assert!(reasons["Vcn/a"].contains("2 Vcns are called `a`"), "{reasons:#?}");
    assert!(!change(&planned, "Subnet", "a-workers").goes_ahead());
    world.apply(&planned, &Told::default()).await;
    let made = world
        .our_writes(0)
        .into_iter()
        .filter(|write| write.operation == "CreateVcn");
    let names: Vec<String> = made.map(|write| write.display_name).collect();
    assert!(!names.contains(&"a".to_owned()), "{names:?}");
    assert!(names.contains(&"b".to_owned()), "the rest goes on: {names:?}");
}

/// The annotation is set by a template of the fleet's own.
#[tokio::test(start_paused = true)]
async fn of_two_of_a_name_the_one_that_is_said_is_taken() {
    let mut world = World::of(&[("a", "")]).await;
    let network = &world.loaded.fleet.clusters[&ClusterName::new("a")].network;
    let plan = network.source.plan().expect("a plan").clone();
    let mut made = Made::new();
    let body = json!({"cidrBlocks": plan.vcn, "dnsLabel": plan.dns_label});
    let one = make(&world, &mut made, ("Vcn", "a"), body.clone()).await;
    let other = make(&world, &mut made, ("Vcn", "a"), body).await;
    let template = include_str!("../../../templates/1/network.yaml.j2");
    let said = format!(
        "  name: {{{{ name }}}}\n{{% if kind == \"Vcn\" %}}\n  annotations: {{fleetwright.dev/adopt: {other}}}\n{{% endif %}}\n"
    );
    let own = template
        .replace("  name: {{ name }}\n", &said)
        // Templates of a fleet's own keep no text that they put together themselves.
        .replace("stem ~ \"-management\"", "[stem, \"-management\"] | join");
    assert_ne!(own, template);
    world.place.write("templates/network.yaml.j2", &own);
    world.cluster("a", "");
    let planned = world.plan_to_adopt().await;
    assert_eq!(adoptions(&planned), ["Vcn/a"], "{}", text(&planned));
    let told = Told::default();
    let outcome = world.apply(&planned, &told).await;
    assert!(outcome.is_success(), "{:#?}", told.failures());
    assert_eq!(tags(&world, "Vcn", &other)["fleetwright-unit"], "cluster a");
    assert_eq!(tags(&world, "Vcn", &one), json!({"made-by": "hand"}));
    assert!(is_settled(&world.plan().await));
}

#[tokio::test(start_paused = true)]
async fn what_another_fleet_has_marked_is_refused() {
    let first = World::of(&[("a", "")]).await;
    first.converges().await;
    let mut other = World::of(&[("a", "")]).await;
    // The same files under another uid: a lock that was lost, say.
    other
        .place
        .write("fleet.lock/fleet.yaml", "uid: 11111111-2222-4333-8444-555555555555\n");
    other.fleet("");
    let (sandbox, access) = (first.sandbox.clone(), first.access.clone());
    let other = World {
        sandbox,
        access,
        ..other
    };
    let planned = other.plan_to_adopt().await;
    let of_oci: Vec<_> = planned
        .plan
        .refusals
        .iter()
        .filter(|refusal| refusal.guard == "not-ours")
        .collect();
    let named: Vec<String> = of_oci
        .iter()
        .flat_map(|refusal| &refusal.objects)
        .map(|id| format!("{}/{}", id.kind, id.name))
        .collect();
    for name in ["Vcn/a", "Subnet/a-workers", "RouteTable/a-private", "NatGateway/a"] {
        assert!(named.iter().any(|named| named == name), "{name}: {}", text(&planned));
    }
    let from = other.written();
    other.apply(&planned, &Told::default()).await;
    let written = other.our_writes(from);
    assert!(written.is_empty(), "{written:#?}");
}

#[tokio::test(start_paused = true)]
async fn what_only_another_resource_could_have_is_not_adopted() {
    let world = World::of(&[("a", "")]).await;
    let plan = world.loaded.fleet.clusters[&ClusterName::new("a")]
        .network
        .source
        .plan()
        .expect("a plan")
        .clone();
    let mut made = Made::new();
    make(
        &world,
        &mut made,
        ("Vcn", "a"),
        json!({"cidrBlocks": plan.vcn, "dnsLabel": "theirs"}),
    )
    .await;
    let planned = world.plan_to_adopt().await;
    let refusal = planned
        .plan
        .refusals
        .iter()
        .find(|refusal| refusal.guard == "immutable");
    let refusal = refusal.unwrap_or_else(|| panic!("{}", text(&planned)));
    assert!(refusal.message.contains("dnsLabel"), "{}", refusal.message);
    let from = world.written();
    world.apply(&planned, &Told::default()).await;
    // The management cluster's side of the peering has nothing to do with it; in the VCN there is nothing of ours.
    let written = world.our_writes(from).into_iter().map(|write| write.display_name);
    let in_the_vcn: Vec<String> = written.filter(|name| name != "m-a" && name != "management").collect();
    assert!(in_the_vcn.is_empty(), "{in_the_vcn:?}");
}

/// By the program itself: what it says, and how it ends.
#[test]
fn the_program_refuses_and_says_what_to_do() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let place = runtime.block_on(async {
        let world = World::on_disk(&[("a", "")], "state").await;
        by_hand(&world).await;
        world.sandbox.close().await.expect("an end");
        world.place
    });
    let args = ["--sandbox", "state", "--fleet", "fleet"];
    let run = |args: &[&str], more: &[&str]| place.run(&[args, more].concat());
    let planned = run(&["plan"], &args).exits(3);
    assert!(
        planned
            .stdout
            .contains("refused (adoption): 12 objects exist already, made by someone else"),
        "{}",
        planned.stdout
    );
    assert!(
        planned.stdout.contains("then run again with --adopt"),
        "{}",
        planned.stdout
    );
    let refused = run(&["apply", "--yes"], &args).exits(3);
    assert!(refused.stderr.contains("nothing was changed"), "{}", refused.stderr);
    run(&["apply", "--yes", "--adopt"], &args).exits(0);
    let planned = run(&["plan", "--detailed-exitcode"], &args).exits(0);
    assert!(planned.stdout.contains("Nothing to do"), "{}", planned.stdout);
}
