//! What is particular about networking.

use serde_json::{Value, json};

use super::{COMPARTMENT, Client};

#[tokio::test(start_paused = true)]
async fn a_vcn_lives_from_provisioning_to_not_found() {
    let client = Client::new();
    let made = client
        .post(
            "vcns",
            json!({"compartmentId": COMPARTMENT, "cidrBlocks": ["10.0.0.0/16"]}),
        )
        .await;
    let path = format!("vcns/{}", made.id());
    assert_eq!(made.body["lifecycleState"], "PROVISIONING");
    assert!(made.id().starts_with("ocid1.vcn.oc1.fra."), "{}", made.id());
    client.pass(5).await;
    let ready = client.get(&path).await;
    assert_eq!(ready.body["lifecycleState"], "AVAILABLE");
    assert_ne!(ready.header("etag"), made.header("etag"));

    for (field, kind) in [
        ("defaultRouteTableId", "routeTables"),
        ("defaultSecurityListId", "securityLists"),
        ("defaultDhcpOptionsId", "dhcps"),
    ] {
        let default = format!("{kind}/{}", ready.body[field].as_str().unwrap());
        assert_eq!(client.get(&default).await.body["lifecycleState"], "AVAILABLE");
        assert_eq!(
            client.delete(&default).await.status,
            409,
            "{field} is deleted with its VCN alone"
        );
    }

    assert_eq!(client.delete(&path).await.status, 204);
    assert_eq!(client.get(&path).await.body["lifecycleState"], "TERMINATING");
    client.pass(10).await;
    assert_eq!(client.get(&path).await.body["lifecycleState"], "TERMINATED");
    client.pass(3600).await;
    let gone = client.get(&path).await;
    assert_eq!((gone.status, gone.code()), (404, "NotAuthorizedOrNotFound"));
}

#[tokio::test(start_paused = true)]
async fn a_subnet_lies_in_its_vcn_beside_the_others() {
    let client = Client::new();
    let vcn = client.vcn("10.0.0.0/16").await;
    let subnet = async |more: Value| client.make("subnets", &vcn, more).await;
    let first = subnet(json!({"cidrBlock": "10.0.1.0/24", "dnsLabel": "a", "prohibitPublicIpOnVnic": true})).await;
    assert_eq!(first.body["virtualRouterIp"], "10.0.1.1");
    assert_eq!(first.body["subnetDomainName"], "a.net.oraclevcn.com");
    assert_eq!(first.body["prohibitInternetIngress"], true);
    assert_eq!(
        subnet(json!({"cidrBlock": "10.1.0.0/24"})).await.code(),
        "InvalidParameter"
    );
    assert_eq!(
        subnet(json!({"cidrBlock": "10.0.1.128/25"})).await.code(),
        "InvalidParameter"
    );
    assert_eq!(
        subnet(json!({"cidrBlock": "10.0.2.0/24", "dnsLabel": "a"}))
            .await
            .code(),
        "Conflict"
    );
    let foreign = client.vcn("10.2.0.0/16").await;
    let table = client
        .make("routeTables", &foreign, json!({"routeRules": []}))
        .await
        .id();
    let wrong = subnet(json!({"cidrBlock": "10.0.2.0/24", "routeTableId": table})).await;
    assert_eq!(wrong.code(), "InvalidParameter");
    let nowhere = client
        .make("subnets", "ocid1.vcn.oc1.fra.none", json!({"cidrBlock": "10.0.2.0/24"}))
        .await;
    assert_eq!(
        (nowhere.status, nowhere.code()),
        (400, "RelatedResourceNotAuthorizedOrNotFound")
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_held_is_not_deleted() {
    let client = Client::new();
    let vcn = client.vcn("10.0.0.0/16").await;
    let gateway = client
        .make("internetGateways", &vcn, json!({"isEnabled": true}))
        .await
        .id();
    let rule = json!({"networkEntityId": gateway, "destination": "0.0.0.0/0", "destinationType": "CIDR_BLOCK"});
    let table = client
        .make("routeTables", &vcn, json!({"routeRules": [rule]}))
        .await
        .id();
    let subnet = client
        .make(
            "subnets",
            &vcn,
            json!({"cidrBlock": "10.0.0.0/24", "routeTableId": table}),
        )
        .await
        .id();
    for (path, holder) in [
        (format!("vcns/{vcn}"), ""),
        (format!("internetGateways/{gateway}"), &*table),
        (format!("routeTables/{table}"), &*subnet),
    ] {
        let refused = client.delete(&path).await;
        assert_eq!((refused.status, refused.code()), (409, "Conflict"), "{path}");
        assert!(refused.body["message"].as_str().unwrap().contains(holder));
    }
    for path in [
        format!("subnets/{subnet}"),
        format!("routeTables/{table}"),
        format!("internetGateways/{gateway}"),
        format!("vcns/{vcn}"),
    ] {
        let deleted = client.delete(&path).await;
        assert_eq!(deleted.status, 204, "{path}: {}", deleted.body);
        client.pass(10).await;
    }
    assert!(client.server.living().is_empty(), "{:?}", client.server.living());
}

#[tokio::test(start_paused = true)]
async fn rules_of_a_group_have_ids_and_limits() {
    let client = Client::new();
    let vcn = client.vcn("10.0.0.0/16").await;
    let group = client.make("networkSecurityGroups", &vcn, json!({})).await.id();
    let other = client.make("networkSecurityGroups", &vcn, json!({})).await.id();
    let rules = |count: u16| -> Value {
        let ports = (1..=count).map(|port| {
            json!({"direction": "INGRESS", "protocol": "6", "source": "10.0.0.0/16",
                "tcpOptions": {"destinationPortRange": {"min": port, "max": port}}})
        });
        json!({"securityRules": ports.collect::<Vec<_>>()})
    };
    let path = |what: &str| format!("networkSecurityGroups/{group}/{what}");
    assert_eq!(
        client.post(&path("actions/addSecurityRules"), rules(26)).await.status,
        400
    );
    for _ in 0..4 {
        assert_eq!(
            client.post(&path("actions/addSecurityRules"), rules(25)).await.status,
            200
        );
    }
    let over = client.post(&path("actions/addSecurityRules"), rules(21)).await;
    assert_eq!(over.code(), "LimitExceeded");
    let listed = client.get(&path("securityRules?limit=1000")).await;
    let ids: std::collections::BTreeSet<_> = listed
        .body
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 100);

    let first = ids.first().unwrap();
    let removed = client
        .post(
            &path("actions/removeSecurityRules"),
            json!({"securityRuleIds": [first]}),
        )
        .await;
    assert_eq!(removed.status, 204);
    let again = client
        .post(
            &path("actions/removeSecurityRules"),
            json!({"securityRuleIds": [first]}),
        )
        .await;
    assert_eq!(again.status, 400);
    let to_group = json!({"securityRules": [{"direction": "EGRESS", "protocol": "all", "destination": other,
        "destinationType": "NETWORK_SECURITY_GROUP"}]});
    assert_eq!(
        client.post(&path("actions/addSecurityRules"), to_group).await.status,
        200
    );
    assert_eq!(
        client.delete(&format!("networkSecurityGroups/{other}")).await.code(),
        "Conflict"
    );
}

#[tokio::test(start_paused = true)]
async fn two_gateways_peer_and_part() {
    let client = Client::new();
    let (left, right) = (client.vcn("10.0.0.0/16").await, client.vcn("10.1.0.0/16").await);
    let twin = client.vcn("10.0.0.0/16").await;
    let near = client.make("localPeeringGateways", &left, json!({})).await.id();
    let far = client.make("localPeeringGateways", &right, json!({})).await.id();
    let same = client.make("localPeeringGateways", &twin, json!({})).await.id();
    let connect = format!("localPeeringGateways/{near}/actions/connect");
    assert_eq!(client.post(&connect, json!({"peerId": same})).await.code(), "Conflict");
    assert_eq!(client.post(&connect, json!({"peerId": far})).await.status, 204);
    for (id, block) in [(&near, "10.1.0.0/16"), (&far, "10.0.0.0/16")] {
        let gateway = client.get(&format!("localPeeringGateways/{id}")).await;
        assert_eq!(gateway.body["peeringStatus"], "PEERED");
        assert_eq!(gateway.body["peerAdvertisedCidr"], block);
    }
    assert_eq!(
        client.post(&connect, json!({"peerId": far})).await.code(),
        "IncorrectState"
    );
    assert_eq!(client.delete(&format!("localPeeringGateways/{near}")).await.status, 204);
    let left_over = client.get(&format!("localPeeringGateways/{far}")).await;
    assert_eq!(left_over.body["peeringStatus"], "REVOKED");
}

#[tokio::test(start_paused = true)]
async fn connections_peer_across_regions() {
    let mut client = Client::new();
    let mut ends = Vec::new();
    for (host, region) in [
        ("iaas.eu-frankfurt-1.oraclecloud.com", "eu-frankfurt-1"),
        ("iaas.us-phoenix-1.oraclecloud.com", "us-phoenix-1"),
    ] {
        client.host = host;
        let drg = client.post("drgs", json!({"compartmentId": COMPARTMENT})).await.id();
        let body = json!({"compartmentId": COMPARTMENT, "drgId": drg});
        ends.push((client.post("remotePeeringConnections", body).await.id(), region, drg));
    }
    let [(near, near_region, drg), (far, ..)] = &*ends else {
        panic!()
    };
    let body = json!({"peerId": near, "peerRegionName": near_region});
    let path = format!("remotePeeringConnections/{far}");
    assert_eq!(client.post(&format!("{path}/actions/connect"), body).await.status, 204);
    let connection = client.get(&path).await;
    assert_eq!(connection.body["peeringStatus"], "PEERED");
    assert_eq!(
        client.get(&format!("drgs/{drg}")).await.status,
        404,
        "a DRG is seen in its own region"
    );
    client.host = "127.0.0.1:8080";
    let prefixed = format!("/regions/eu-frankfurt-1/20160918/drgs/{drg}");
    assert_eq!(client.send(client.signed("GET", &prefixed, None)).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_vcn_is_updating_while_its_cidrs_change() {
    let client = Client::new();
    let vcn = client.vcn("10.0.0.0/16").await;
    let subnet = client
        .make("subnets", &vcn, json!({"cidrBlock": "10.0.0.0/24"}))
        .await
        .id();
    client.pass(5).await;
    let added = client
        .post(
            &format!("vcns/{vcn}/actions/addCidr"),
            json!({"cidrBlock": "10.7.0.0/16"}),
        )
        .await;
    assert_eq!(added.status, 202);
    assert_eq!(
        client.get(&format!("vcns/{vcn}")).await.body["lifecycleState"],
        "UPDATING"
    );
    let early = client.make("subnets", &vcn, json!({"cidrBlock": "10.7.0.0/24"})).await;
    assert_eq!((early.status, early.code()), (409, "IncorrectState"));
    let renamed = client
        .put(&format!("subnets/{subnet}"), json!({"displayName": "x"}))
        .await;
    assert_eq!(renamed.status, 409);
    client.pass(10).await;
    let work = client
        .get(&format!("workRequests/{}", added.header("opc-work-request-id")))
        .await;
    assert_eq!(work.body["status"], "SUCCEEDED");
    assert_eq!(
        client
            .make("subnets", &vcn, json!({"cidrBlock": "10.7.0.0/24"}))
            .await
            .status,
        200
    );
    let removed = client
        .post(
            &format!("vcns/{vcn}/actions/removeCidr"),
            json!({"cidrBlock": "10.0.0.0/16"}),
        )
        .await;
    assert_eq!(removed.code(), "Conflict", "a subnet is in it");
}

#[tokio::test(start_paused = true)]
async fn blocks_of_a_subnet_come_and_go() {
    let client = Client::new();
    let vcn = client.vcn("10.0.0.0/16").await;
    let made = client.make("subnets", &vcn, json!({"cidrBlock": "10.0.1.0/24"})).await;
    let other = client.make("subnets", &vcn, json!({"cidrBlock": "10.0.2.0/24"})).await;
    client.pass(5).await;
    let path = format!("subnets/{}", made.id());
    let act = async |action: &str, body: Value| {
        let answer = client.post(&format!("{path}/actions/{action}"), body).await;
        client.pass(5).await;
        answer
    };
    let blocks = async || client.get(&path).await.body["ipv4CidrBlocks"].clone();
    let overlapping = act("addIpv4Cidr", json!({"ipv4CidrBlock": "10.0.2.128/25"})).await;
    assert_eq!(overlapping.code(), "InvalidParameter");
    let outside = act("addIpv4Cidr", json!({"ipv4CidrBlock": "10.1.0.0/24"})).await;
    assert_eq!(outside.code(), "InvalidParameter");
    assert_eq!(
        act("addIpv4Cidr", json!({"ipv4CidrBlock": "10.0.3.0/24"})).await.status,
        202
    );
    assert_eq!(blocks().await, json!(["10.0.1.0/24", "10.0.3.0/24"]));
    let larger = json!({"originalCidrBlock": "10.0.3.0/24", "newCidrBlock": "10.0.4.0/23"});
    assert_eq!(act("modifyIpv4Cidr", larger).await.status, 202);
    assert_eq!(
        act("removeIpv4Cidr", json!({"ipv4CidrBlock": "10.0.1.0/24"}))
            .await
            .status,
        202
    );
    assert_eq!(blocks().await, json!(["10.0.4.0/23"]));
    let last = act("removeIpv4Cidr", json!({"ipv4CidrBlock": "10.0.4.0/23"})).await;
    assert_eq!(last.code(), "InvalidParameter");
    // What has become free may be taken by another.
    let taken = json!({"ipv4CidrBlock": "10.0.1.0/24"});
    let other = format!("subnets/{}/actions/addIpv4Cidr", other.id());
    assert_eq!(client.post(&other, taken).await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn a_vcn_has_ipv6_blocks_of_oracle_s_and_of_its_own() {
    let client = Client::new();
    let vcn = client.vcn("10.0.0.0/16").await;
    let path = format!("vcns/{vcn}");
    let act = async |action: &str, body: Value| {
        let answer = client.post(&format!("{path}/actions/{action}"), body).await;
        client.pass(5).await;
        answer
    };
    let own = json!({"ipv6PrivateCidrBlock": "fd12:3456:789a::/56"});
    assert_eq!(act("addIpv6Cidr", own.clone()).await.status, 202);
    assert_eq!(act("addIpv6Cidr", own).await.code(), "InvalidParameter");
    let of_oracle = json!({"isOracleGuaAllocationEnabled": true});
    assert_eq!(act("addIpv6Cidr", of_oracle.clone()).await.status, 202);
    assert_eq!(act("addIpv6Cidr", of_oracle).await.status, 409);
    let shown = client.get(&path).await.body;
    assert_eq!(shown["ipv6PrivateCidrBlocks"], json!(["fd12:3456:789a::/56"]));
    let block = shown["ipv6CidrBlocks"][0].as_str().expect("a block").to_owned();
    assert_eq!(act("removeIpv6Cidr", json!({"ipv6CidrBlock": block})).await.status, 202);
    assert_eq!(client.get(&path).await.body["ipv6CidrBlocks"], json!([]));
    assert_eq!(
        act("removeIpv6Cidr", json!({"ipv6CidrBlock": block})).await.code(),
        "InvalidParameter"
    );
}
