//! Every kind: made, seen as it is wanted, changed in place, refused where it can't be, deleted.

use fleetwright::providers::oci::Named;
use fleetwright::providers::{Observed, Provider as _};
use fleetwright::resource::mark::OWNER_ANNOTATION;
use fleetwright::resource::oci::{self, Change};
use fleetwright::resource::{OwnerMark, ResourceId};
use serde_json::{Value, json};

use super::world::{OTHER_COMPARTMENT, World, place, to, vcn};

/// Each kind's document, and a change of it that is made in place.
pub(super) fn network(world: &World) -> Vec<(Value, Value)> {
    let all =
        |protocol: &str| json!({"protocol": protocol, "destination": "0.0.0.0/0", "destinationType": "CIDR_BLOCK"});
    let from = |block: &str| json!({"protocol": "6", "source": block, "tcpOptions": {"destinationPortRange": {"min": 1, "max": 2}}});
    let in_group = |mut rule: Value, direction: &str| {
        rule["direction"] = direction.into();
        rule
    };
    let of_vcn = |kind: &str, name: &str, spec: Value| {
        let mut spec = spec;
        spec["vcnId"] = to("Vcn", "net");
        spec["displayName"] = name.into();
        world.document(kind, name, spec)
    };
    vec![
        (
            world.document(
                "Vcn",
                "net",
                json!({"displayName": "net", "cidrBlocks": ["10.0.0.0/16"], "dnsLabel": "net",
                "freeformTags": {"team": "payments"}}),
            ),
            json!({"cidrBlocks": ["10.0.0.0/16", "10.1.0.0/16"], "displayName": "network"}),
        ),
        (
            of_vcn(
                "DhcpOptions",
                "dhcp",
                json!({"domainNameType": "VCN_DOMAIN",
                "options": [{"type": "DomainNameServer", "serverType": "VcnLocalPlusInternet"}]}),
            ),
            json!({"options": [{"type": "DomainNameServer", "serverType": "CustomDnsServer", "customDnsServers": ["10.0.0.53"]}]}),
        ),
        (
            of_vcn("InternetGateway", "igw", json!({"isEnabled": true})),
            json!({"isEnabled": false}),
        ),
        (
            of_vcn("NatGateway", "nat", json!({"blockTraffic": false})),
            json!({"blockTraffic": true}),
        ),
        (
            of_vcn(
                "ServiceGateway",
                "sgw",
                json!({"services": [{"serviceId": {"$service": "all"}}]}),
            ),
            json!({"services": [{"serviceId": {"$service": "objectstorage"}}]}),
        ),
        (
            of_vcn("LocalPeeringGateway", "lpg", json!({})),
            json!({"displayName": "peering"}),
        ),
        (
            world.document("Drg", "drg", json!({"displayName": "drg"})),
            json!({"freeformTags": {"team": "net"}}),
        ),
        (
            world.document(
                "DrgAttachment",
                "attachment",
                json!({"displayName": "attachment", "drgId": to("Drg", "drg"),
                "networkDetails": {"type": "VCN", "id": to("Vcn", "net")}}),
            ),
            json!({"displayName": "attached"}),
        ),
        (
            world.document(
                "RemotePeeringConnection",
                "rpc",
                json!({"displayName": "rpc", "drgId": to("Drg", "drg")}),
            ),
            json!({"displayName": "remote"}),
        ),
        (
            world.document(
                "PublicIp",
                "address",
                json!({"displayName": "address", "lifetime": "RESERVED"}),
            ),
            json!({"displayName": "reserved"}),
        ),
        (
            of_vcn(
                "RouteTable",
                "routes",
                json!({"routeRules": [
                {"destination": "0.0.0.0/0", "destinationType": "CIDR_BLOCK", "networkEntityId": to("NatGateway", "nat")}]}),
            ),
            json!({"routeRules": [
                {"destination": "0.0.0.0/0", "networkEntityId": to("NatGateway", "nat"), "description": "out"},
                {"destination": {"$service": "objectstorage"}, "destinationType": "SERVICE_CIDR_BLOCK",
                 "networkEntityId": to("ServiceGateway", "sgw")}]}),
        ),
        (
            of_vcn(
                "SecurityList",
                "list",
                json!({"ingressSecurityRules": [from("10.0.0.0/16"), from("10.1.0.0/16")],
                "egressSecurityRules": [all("all")]}),
            ),
            json!({"ingressSecurityRules": [], "egressSecurityRules": [all("17"), all("6")]}),
        ),
        (
            of_vcn(
                "NetworkSecurityGroup",
                "group",
                json!({"securityRules": [
                in_group(from("10.0.0.0/16"), "INGRESS"), in_group(all("all"), "EGRESS")]}),
            ),
            json!({"securityRules": [in_group(all("all"), "EGRESS"), in_group(from("10.2.0.0/16"), "INGRESS")]}),
        ),
        (
            of_vcn(
                "Subnet",
                "workers",
                json!({"cidrBlock": "10.0.0.0/24", "dnsLabel": "workers",
                "prohibitPublicIpOnVnic": true, "routeTableId": to("RouteTable", "routes"),
                "dhcpOptionsId": to("DhcpOptions", "dhcp"), "securityListIds": [to("SecurityList", "list")]}),
            ),
            json!({"displayName": "nodes", "cidrBlock": "10.0.0.0/23"}),
        ),
    ]
}

fn changed(document: &Value, change: &Value) -> Value {
    let mut document = document.clone();
    document["spec"]
        .as_object_mut()
        .unwrap()
        .extend(change.as_object().unwrap().clone());
    document
}

#[tokio::test(start_paused = true)]
async fn every_kind_is_made_seen_changed_in_place_and_deleted() {
    let world = World::new();
    let all = network(&world);
    let seen = |kind: &str| all.iter().any(|(document, _)| document["kind"] == kind);
    for kind in oci::KINDS {
        let elsewhere = ["RouteTableRules", "DnsRecords", "NetworkLoadBalancer"].contains(&kind.name);
        assert!(seen(kind.name) || elsewhere, "{} is not tried", kind.name);
    }

    let documents: Vec<&Value> = all.iter().map(|(document, _)| document).collect();
    let before = world.observe(&documents, &[]).await;
    for (id, observed) in &before.objects {
        assert!(matches!(observed, Observed::Absent), "{id}: {observed:?}");
    }
    for document in &documents {
        world.create(document).await;
    }
    let writes = world.server.writes().len();
    let made = world.observe(&documents, &[]).await;
    for document in &documents {
        let id = world.manifest(document).id;
        let observed = &made.objects[&id];
        assert_eq!(world.differences(document, observed), [], "{id}");
        let Observed::Present(live) = observed else { panic!() };
        let live = live.parse().unwrap();
        let mark = OwnerMark::parse(live["metadata"]["annotations"][OWNER_ANNOTATION].as_str().unwrap()).unwrap();
        assert!(mark.is_for(&id, &world.fleet), "{id}");
        assert_eq!(mark.unit, world.unit);
        assert!(
            !live["spec"]["freeformTags"].to_string().contains("fleetwright"),
            "{live}"
        );
        assert_eq!(live["status"]["id"], world.ocids.lock().unwrap()[&id].as_str());
    }
    // What is as it is wanted is not written.
    for document in &documents {
        world.update(document).await.unwrap();
    }
    assert_eq!(world.server.writes().len(), writes);

    let changes: Vec<Value> = all.iter().map(|(document, change)| changed(document, change)).collect();
    for document in &changes {
        let id = world.manifest(document).id;
        let differences = world.differences(document, &world.observe_one_beside(document, &changes).await);
        assert!(!differences.is_empty(), "{id}");
        assert!(
            differences.iter().all(|d| d.change == Change::InPlace),
            "{id}: {differences:?}"
        );
        if let Err(error) = world.update(document).await {
            panic!("{id}: {}", fleetwright::report::chain(&error));
        }
        assert_eq!(
            world.differences(document, &world.observe_one_beside(document, &changes).await),
            [],
            "{id}"
        );
    }

    for document in documents.iter().rev() {
        let id = world.manifest(document).id;
        if let Err(error) = world.delete(&id).await {
            panic!("{id}: {}", fleetwright::report::chain(&error));
        }
        world.until_gone(&id).await;
    }
    let after = world.observe(&documents, &[]).await;
    for (id, observed) in &after.objects {
        assert!(matches!(observed, Observed::Absent), "{id}: {observed:?}");
    }
    assert_eq!(world.server.unknown_operations(), Default::default());
}

impl World {
    /// What is seen of one document when all are asked for: its references lead to the others.
    async fn observe_one_beside(&self, document: &Value, all: &[Value]) -> Observed {
        let id = self.manifest(document).id;
        let all: Vec<&Value> = all.iter().collect();
        self.observe(&all, &[]).await.objects.remove(&id).unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn what_can_not_be_changed_in_place_is_refused_before_anything_is_called() {
    let world = World::new();
    world.create(&vcn(&world, "net", "10.0.0.0/16")).await;
    let subnet = |block: &str, private: bool| {
        world.document(
            "Subnet",
            "workers",
            json!({"vcnId": to("Vcn", "net"), "cidrBlock": block,
            "prohibitPublicIpOnVnic": private, "displayName": block}),
        )
    };
    world.create(&subnet("10.0.0.0/24", true)).await;
    let writes = world.server.writes().len();
    let error = world.update(&subnet("10.0.0.0/23", false)).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("`.spec.prohibitPublicIpOnVnic` can't be changed in place"),
        "{error}"
    );
    assert_eq!(world.server.writes().len(), writes);
}

#[tokio::test(start_paused = true)]
async fn a_vcn_takes_and_loses_address_blocks_one_by_one() {
    let world = World::new();
    let with = |blocks: &[&str]| world.document("Vcn", "net", json!({"displayName": "net", "cidrBlocks": blocks}));
    world.create(&with(&["10.0.0.0/16"])).await;
    let more = with(&["10.0.0.0/16", "10.1.0.0/16", "10.2.0.0/16"]);
    world.update(&more).await.unwrap();
    assert_eq!(world.differences(&more, &world.observe_one(&more).await), []);
    let fewer = with(&["10.0.0.0/16", "10.2.0.0/16"]);
    world.update(&fewer).await.unwrap();
    assert_eq!(world.differences(&fewer, &world.observe_one(&fewer).await), []);
}

#[tokio::test(start_paused = true)]
async fn a_resource_moves_between_compartments_in_place() {
    let world = World::new();
    let mut document = vcn(&world, "net", "10.0.0.0/16");
    let made = world.create(&document).await;
    document["spec"]["compartmentId"] = OTHER_COMPARTMENT.into();
    // Its record says where it was made: there it is found.
    let entry = world.entry("Vcn", "net");
    let observed = world.observe(&[&document], &[&entry]).await;
    let differences = world.differences(&document, &observed.objects[&entry.id]);
    assert_eq!(differences.len(), 1);
    assert_eq!(differences[0].change, Change::InPlace);
    let moved = world.update(&document).await.unwrap();
    assert_eq!(moved.uid, made.uid);
    assert_eq!(world.differences(&document, &world.observe_one(&document).await), []);
}

#[tokio::test(start_paused = true)]
async fn two_networks_are_peered_by_one_side() {
    let world = World::new();
    world.create(&vcn(&world, "hosted", "10.0.0.0/16")).await;
    world.create(&vcn(&world, "management", "10.1.0.0/16")).await;
    let gateway = |name: &str, peer: Option<Value>| {
        world.document(
            "LocalPeeringGateway",
            name,
            json!({"displayName": name, "vcnId": to("Vcn", name), "peerId": peer}),
        )
    };
    let acceptor = gateway("management", None);
    world.create(&acceptor).await;
    let requestor = gateway("hosted", Some(to("LocalPeeringGateway", "management")));
    let live = world.create(&requestor).await;
    assert_eq!(live.parse().unwrap()["status"]["peeringStatus"], "PEERED");
    assert_eq!(world.differences(&requestor, &world.observe_one(&requestor).await), []);
    assert_eq!(world.differences(&acceptor, &world.observe_one(&acceptor).await), []);

    // Once the other side is gone, nothing but a new gateway can be peered.
    let other = ResourceId {
        name: "management".to_owned(),
        ..world.manifest(&acceptor).id
    };
    world.delete(&other).await.unwrap();
    world.until_gone(&other).await;
    let differences = world.differences(&requestor, &world.observe_one(&requestor).await);
    assert_eq!(differences.len(), 1, "{differences:?}");
    assert_eq!(differences[0].change, Change::Replace);
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_is_refused_says_what_is_in_the_way() {
    let world = World::new();
    let network = vcn(&world, "net", "10.0.0.0/16");
    world.create(&network).await;
    let id = world.manifest(&network).id;
    let vcn_id = world.ocid("Vcn", "net");
    let foreign = world.act(
        "POST",
        "/20160918/subnets",
        &json!({"compartmentId": super::world::COMPARTMENT, "vcnId": vcn_id, "cidrBlock": "10.0.1.0/24", "displayName": "theirs"}),
    );
    let error = world.delete(&id).await.unwrap_err().to_string();
    assert!(error.contains("blocked by Subnet theirs"), "{error}");
    assert!(error.contains(foreign["id"].as_str().unwrap()), "{error}");
    assert!(matches!(world.provider.read(&id, "v1").await, Observed::Present(_)));
}

#[tokio::test(start_paused = true)]
async fn what_exists_is_found_by_name_and_by_path() {
    let world = World::new();
    let made = world.create(&vcn(&world, "prod-vcn", "10.0.0.0/16")).await;
    let compartment = super::world::COMPARTMENT;
    let named = |kind, name| Named {
        kind,
        name,
        compartment,
        vcn: None,
    };
    let found = world
        .provider
        .find_by_name(&place(), named("Vcn", "prod-vcn"))
        .await
        .unwrap();
    assert_eq!(found.ocid, made.uid);
    assert_eq!(found.shown["cidrBlocks"], json!(["10.0.0.0/16"]));
    let none = world
        .provider
        .find_by_name(&place(), named("Vcn", "prod"))
        .await
        .unwrap_err();
    assert!(none.to_string().starts_with("there is no Vcn `prod`"), "{none}");
    let other = world.act(
        "POST",
        "/20160918/vcns",
        &json!({"compartmentId": compartment, "cidrBlocks": ["10.9.0.0/16"], "displayName": "prod-vcn"}),
    );
    let several = world
        .provider
        .find_by_name(&place(), named("Vcn", "prod-vcn"))
        .await
        .unwrap_err();
    assert!(
        several.to_string().starts_with("there are 2 Vcns `prod-vcn`"),
        "{several}"
    );
    // A subnet is looked for in its VCN: two networks may each have one of a name.
    let subnet = |vcn: &Value, block: &str| {
        let body = json!({"compartmentId": compartment, "vcnId": vcn, "cidrBlock": block, "displayName": "workers"});
        world.act("POST", "/20160918/subnets", &body)["id"].clone()
    };
    let made_vcn = Value::from(made.uid.as_str());
    let (ours, theirs) = (subnet(&made_vcn, "10.0.1.0/24"), subnet(&other["id"], "10.9.1.0/24"));
    for (vcn, expected) in [(&made_vcn, &ours), (&other["id"], &theirs)] {
        let vcn = vcn.as_str();
        let inside = Named {
            vcn,
            ..named("Subnet", "workers")
        };
        let found = world.provider.find_by_name(&place(), inside).await.unwrap();
        assert_eq!(Value::from(found.ocid), *expected);
        let none = Named {
            vcn,
            ..named("Subnet", "endpoints")
        };
        let none = world
            .provider
            .find_by_name(&place(), none)
            .await
            .unwrap_err()
            .to_string();
        assert!(none.contains("no Subnet `endpoints` in ocid1.vcn."), "{none}");
    }
    let by_ocid = world.provider.find_by_ocid(&place(), "Vcn", &made.uid).await.unwrap();
    assert_eq!(by_ocid.shown["displayName"], "prod-vcn");

    let root = world.act(
        "POST",
        "/20160918/compartments",
        &json!({"compartmentId": compartment, "name": "teams", "description": "-"}),
    );
    let child = world.act(
        "POST",
        "/20160918/compartments",
        &json!({"compartmentId": root["id"], "name": "payments", "description": "-"}),
    );
    // A compartment is not active at once.
    world.clock.sleep(std::time::Duration::from_secs(60)).await;
    let resolved = world
        .provider
        .resolve_compartment(&place(), compartment, "teams/payments")
        .await;
    assert_eq!(resolved.unwrap(), child["id"].as_str().unwrap());
    assert!(
        world
            .provider
            .resolve_compartment(&place(), compartment, "teams/billing")
            .await
            .is_err()
    );
}
