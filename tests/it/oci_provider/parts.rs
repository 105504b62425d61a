//! Parts of what belongs to others, and load balancers with theirs.

use fleetwright::providers::{Observed, Provider as _, ProviderError};
use fleetwright::resource::OwnerMark;
use fleetwright::resource::mark::OWNER_ANNOTATION;
use serde_json::{Value, json};

use super::world::{COMPARTMENT, World, to, vcn};

#[tokio::test(start_paused = true)]
async fn our_rules_come_and_go_in_a_route_table_of_somebody_else() {
    let world = World::new();
    world.create(&vcn(&world, "net", "10.0.0.0/16")).await;
    let vcn_id = world.ocid("Vcn", "net");
    let gateway = world.document(
        "LocalPeeringGateway",
        "g",
        json!({"displayName": "g", "vcnId": to("Vcn", "net")}),
    );
    world.create(&gateway).await;
    let nat = world.act(
        "POST",
        "/20160918/natGateways",
        &json!({"compartmentId": COMPARTMENT, "vcnId": vcn_id}),
    );
    let theirs = json!({"destination": "0.0.0.0/0", "destinationType": "CIDR_BLOCK", "networkEntityId": nat["id"]});
    let table = world.act(
        "POST",
        "/20160918/routeTables",
        &json!({"compartmentId": COMPARTMENT, "vcnId": vcn_id, "routeRules": [theirs]}),
    );
    let path = format!("/20160918/routeTables/{}", table["id"].as_str().unwrap());
    let rules = |blocks: &[&str]| {
        let rules: Vec<Value> = blocks
            .iter()
            .map(|block| json!({"destination": block, "networkEntityId": to("LocalPeeringGateway", "g"), "description": "to payments"}))
            .collect();
        world.document(
            "RouteTableRules",
            "payments",
            json!({"routeTableId": table["id"], "routeRules": rules}),
        )
    };
    let first = rules(&["10.8.0.0/16", "10.9.0.0/16"]);
    let id = world.manifest(&first).id;
    assert!(matches!(
        world.observe(&[&gateway, &first], &[]).await.objects[&id],
        Observed::Absent
    ));
    world.create(&first).await;
    let seen = world.observe(&[&gateway, &first], &[]).await;
    assert_eq!(world.differences(&first, &seen.objects[&id]), []);

    let second = rules(&["10.9.0.0/16", "10.10.0.0/16"]);
    assert_eq!(world.differences(&second, &seen.objects[&id]).len(), 2);
    world.update(&second).await.unwrap();
    let shown = world.act("GET", &path, &Value::Null);
    assert_eq!(shown["routeRules"].as_array().unwrap().len(), 3, "{shown}");
    assert!(shown.to_string().contains("0.0.0.0/0"), "theirs stays");
    assert!(!shown.to_string().contains("10.8.0.0/16"));

    // Recorded alone, by another process: only the mark says what is ours.
    let entry = world.entry("RouteTableRules", "payments");
    let next = world.another("fleet-1", Default::default());
    assert!(matches!(
        next.observe(&[], &[&entry]).await.objects[&id],
        Observed::Present(_)
    ));
    // So it is where the other process ended before it could write down that it had made them.
    let begun = fleetwright::inventory::Entry {
        uid: None,
        ..entry.clone()
    };
    let later = world.another("fleet-1", Default::default());
    let seen = later.observe(&[], &[&begun]).await;
    assert!(matches!(&seen.objects[&id], Observed::Present(live) if table["id"] == *live.uid));
    next.delete(&id).await.unwrap();
    assert!(matches!(next.provider.read(&id, "v1").await, Observed::Absent));
    let shown = world.act("GET", &path, &Value::Null);
    assert_eq!(shown["routeRules"].as_array().unwrap().len(), 1, "{shown}");

    // A route of somebody else to the same place is theirs until it is adopted.
    let taken = rules(&["0.0.0.0/0"]);
    let seen = world.observe(&[&gateway, &taken], &[]).await;
    let Observed::Present(live) = &seen.objects[&id] else {
        panic!("{:?}", seen.objects)
    };
    assert_eq!(live.parse().unwrap()["metadata"]["annotations"], Value::Null);
    assert!(world.write(&taken, None).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_zone_is_read_once_however_many_sets_are_in_it() {
    let world = World::new();
    let zone = json!({"compartmentId": COMPARTMENT, "name": "example.com", "zoneType": "PRIMARY"});
    world.act("POST", "/20180115/zones", &zone);
    world.clock.sleep(std::time::Duration::from_secs(60)).await;
    let sets: Vec<Value> = (0..12)
        .map(|i| {
            let domain = format!("API-{i}.example.com");
            let items = json!([{"domain": domain, "rtype": "A", "ttl": 300, "rdata": "10.0.0.1"}]);
            let spec = json!({"zoneNameOrId": "example.com", "domain": domain, "rtype": "A", "items": items});
            world.document("DnsRecords", &format!("api-{i}"), spec)
        })
        .collect();
    for set in &sets[..11] {
        world.create(set).await;
    }
    world.sent("GET", "/records");
    let wanted: Vec<&Value> = sets.iter().collect();
    let seen = world.observe(&wanted, &[]).await;
    let reads = world.sent("GET", "/records");
    assert!(reads <= 5, "{reads} for 12 sets");
    for set in &sets[..11] {
        let observed = &seen.objects[&world.manifest(set).id];
        assert_eq!(world.differences(set, observed), []);
        let Observed::Present(live) = observed else {
            panic!("{observed:?}")
        };
        assert!(live.parse().unwrap()["metadata"]["annotations"][OWNER_ANNOTATION].is_string());
    }
    assert!(matches!(seen.objects[&world.manifest(&sets[11]).id], Observed::Absent));
}

#[tokio::test(start_paused = true)]
async fn records_are_marked_beside_themselves() {
    let world = World::new();
    let zone = json!({"compartmentId": COMPARTMENT, "name": "example.com", "zoneType": "PRIMARY"});
    world.act("POST", "/20180115/zones", &zone);
    world.clock.sleep(std::time::Duration::from_secs(60)).await;
    let records = |addresses: &[&str]| {
        let items: Vec<Value> = addresses
            .iter()
            .map(|address| json!({"domain": "api.example.com", "rtype": "A", "ttl": 300, "rdata": address}))
            .collect();
        world.document(
            "DnsRecords",
            "api",
            json!({"zoneNameOrId": "example.com", "domain": "api.example.com", "rtype": "A", "items": items}),
        )
    };
    let first = records(&["10.0.0.1", "10.0.0.2"]);
    let id = world.manifest(&first).id;
    assert!(matches!(world.observe_one(&first).await, Observed::Absent));
    world.create(&first).await;
    let seen = world.observe_one(&first).await;
    assert_eq!(world.differences(&first, &seen), []);
    let second = records(&["10.0.0.2", "10.0.0.3"]);
    assert_eq!(world.differences(&second, &seen).len(), 2);
    world.update(&second).await.unwrap();
    assert_eq!(world.differences(&second, &world.observe_one(&second).await), []);

    // Written by somebody else since they were seen: what was decided on that is not written over it.
    let zone = "/20180115/zones/example.com/records";
    let rrset = format!("{zone}/api.example.com/A");
    let theirs = json!({"items": [{"domain": "api.example.com", "rtype": "A", "ttl": 300, "rdata": "10.0.0.9"}]});
    let Observed::Present(seen) = world.observe_one(&first).await else {
        panic!("they are there")
    };
    world.act("PUT", &rrset, &theirs);
    let written = world.write_over(&first, &seen).await;
    assert!(matches!(written, Err(ProviderError::Stale(_))), "{written:?}");
    assert!(world.act("GET", &rrset, &Value::Null).to_string().contains("10.0.0.9"));
    world.update(&second).await.unwrap();

    // Another fleet sees records that are not its own, and leaves them alone.
    let other = world.another("fleet-2", Default::default());
    let theirs = other.document("DnsRecords", "api", second["spec"].clone());
    let Observed::Present(live) = other.observe_one(&theirs).await else {
        panic!("they are there")
    };
    let owner = live.parse().unwrap()["metadata"]["annotations"][OWNER_ANNOTATION].clone();
    let owner = OwnerMark::parse(owner.as_str().expect("a mark")).expect("a mark");
    assert_ne!(owner.fleet.as_str(), "fleet-2");
    assert!(other.write(&theirs, None).await.is_err());
    assert!(other.delete(&id).await.is_err());

    world.delete(&id).await.unwrap();
    assert!(matches!(world.observe_one(&second).await, Observed::Absent));
    let left = world.act("GET", "/20180115/zones/example.com/records", &Value::Null);
    assert!(!left.to_string().contains("fleetwright"), "{left}");

    // A name is kept by OCI with a final dot.
    let alias = world.document(
        "DnsRecords",
        "alias",
        json!({"zoneNameOrId": "example.com", "domain": "www.example.com", "rtype": "CNAME",
            "items": [{"domain": "www.example.com", "rtype": "CNAME", "ttl": 300, "rdata": "Router.example.com"}]}),
    );
    world.create(&alias).await;
    let kept = world.act("GET", &format!("{zone}/www.example.com/CNAME"), &Value::Null);
    assert_eq!(kept["items"][0]["rdata"], "router.example.com.");
    let seen = world.observe_one(&alias).await;
    assert_eq!(world.differences(&alias, &seen), []);
    world.delete(&world.manifest(&alias).id).await.unwrap();

    // Where the mark would stand, somebody keeps something: neither that nor the set is written.
    let beside = format!("{zone}/_fleetwright-a.api.example.com/TXT");
    let theirs = json!({"items": [{"domain": "_fleetwright-a.api.example.com", "rtype": "TXT", "ttl": 300, "rdata": "\"theirs\""}]});
    world.act("PUT", &beside, &theirs);
    let refused = world.write(&first, None).await.expect_err("a refusal").to_string();
    assert!(refused.contains("`theirs`, which is not ours"), "{refused}");
    let left = world.act("GET", zone, &Value::Null).to_string();
    assert!(left.contains("theirs") && !left.contains("10.0.0.1"), "{left}");
    world.act("DELETE", &beside, &Value::Null);

    let nowhere = world.document(
        "DnsRecords",
        "lost",
        json!({"zoneNameOrId": "example.org", "domain": "a.example.org", "rtype": "A", "items": []}),
    );
    assert!(matches!(world.observe_one(&nowhere).await, Observed::Unknown(_)));
}

#[tokio::test(start_paused = true)]
async fn a_load_balancer_is_changed_part_by_part() {
    let world = World::new();
    world.create(&vcn(&world, "net", "10.0.0.0/16")).await;
    let in_vcn = |kind: &str, name: &str, more: Value| {
        let mut spec = json!({"displayName": name, "vcnId": to("Vcn", "net")});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        world.document(kind, name, spec)
    };
    world
        .create(&in_vcn("Subnet", "endpoint", json!({"cidrBlock": "10.0.0.0/24"})))
        .await;
    world.create(&in_vcn("NetworkSecurityGroup", "group", json!({}))).await;
    let balancer = |port: u16, set: &str, groups: Value| {
        world.document(
            "NetworkLoadBalancer",
            "api",
            json!({
                "displayName": "api", "subnetId": to("Subnet", "endpoint"), "isPrivate": true,
                "networkSecurityGroupIds": groups,
                "backendSets": {set: {"policy": "FIVE_TUPLE",
                    "healthChecker": {"protocol": "TCP", "port": port},
                    "backends": [{"ipAddress": "10.0.0.9", "port": port}]}},
                "listeners": {"api": {"name": "api", "defaultBackendSetName": set, "port": 6443, "protocol": "TCP"}},
            }),
        )
    };
    let first = balancer(30443, "api", json!([]));
    let id = world.manifest(&first).id;
    world.create(&first).await;
    let seen = world.observe_one(&first).await;
    assert_eq!(world.differences(&first, &seen), []);
    for next in [
        balancer(30444, "api", json!([to("NetworkSecurityGroup", "group")])),
        balancer(30444, "other", json!([])),
    ] {
        world.update(&next).await.unwrap();
        let seen = world.observe_one(&next).await;
        assert_eq!(world.differences(&next, &seen), []);
    }
    world.delete(&id).await.unwrap();
    world.until_gone(&id).await;
}

#[tokio::test(start_paused = true)]
async fn gateways_of_two_regions_are_peered_by_one_side() {
    let world = World::new();
    let elsewhere = "uk-london-1";
    let document = |kind: &str, name: &str, region: &str, more: Value| {
        let mut document = world.document(kind, name, json!({"displayName": name, "region": region}));
        document["spec"]
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        document
    };
    for (name, region) in [("here", super::world::REGION), ("there", elsewhere)] {
        world.create(&document("Drg", name, region, json!({}))).await;
    }
    let there = document(
        "RemotePeeringConnection",
        "there",
        elsewhere,
        json!({"drgId": to("Drg", "there")}),
    );
    world.create(&there).await;
    let here = document(
        "RemotePeeringConnection",
        "here",
        super::world::REGION,
        json!({"drgId": to("Drg", "here"), "peerId": to("RemotePeeringConnection", "there"), "peerRegionName": elsewhere}),
    );
    world.create(&here).await;
    assert_eq!(world.differences(&here, &world.observe_one(&here).await), []);
    let Observed::Present(live) = world.observe_one(&there).await else {
        panic!("it is there")
    };
    assert_eq!(live.parse().unwrap()["status"]["peeringStatus"], "PEERED");
}
