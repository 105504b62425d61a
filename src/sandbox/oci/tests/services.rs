//! Compute, load balancers, DNS, identity.

use serde_json::{Value, json};

use super::super::Principal;
use super::{Answer, COMPARTMENT, Client, identity};

impl Client {
    async fn at(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.send(self.signed(method, path, body.as_ref())).await
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_keeps_its_subnet_until_it_is_gone() {
    let client = Client::new();
    let vcn = client.vcn("10.0.0.0/16").await;
    let subnet = client
        .make("subnets", &vcn, json!({"cidrBlock": "10.0.0.0/24"}))
        .await
        .id();
    let operator = Principal {
        tenancy: identity().principal().tenancy.clone(),
        user: "ocid1.nodepool.simulated".to_owned(),
    };
    let launch = json!({"compartmentId": COMPARTMENT, "availabilityDomain": "Fwsb:EU-FRANKFURT-1-AD-1",
        "shape": "VM.Standard.E5.Flex", "createVnicDetails": {"subnetId": subnet}});
    let act =
        |method: &str, path: &str, body: &Value| client.server.act(&operator, "eu-frankfurt-1", method, path, body);
    let instance = act("POST", "/20160918/instances", &launch).unwrap();
    let id = instance["id"].as_str().unwrap();
    assert_eq!(client.server.writes().last().unwrap().principal, operator);
    client.pass(60).await;
    assert_eq!(
        client.get(&format!("instances/{id}")).await.body["lifecycleState"],
        "RUNNING"
    );
    let attached = client
        .get(&format!("vnicAttachments?compartmentId={COMPARTMENT}&instanceId={id}"))
        .await;
    let vnic = client
        .get(&format!("vnics/{}", attached.body[0]["vnicId"].as_str().unwrap()))
        .await;
    assert_eq!(vnic.body["privateIp"], "10.0.0.2");
    assert_eq!(client.delete(&format!("subnets/{subnet}")).await.code(), "Conflict");
    act("DELETE", &format!("/20160918/instances/{id}"), &Value::Null).unwrap();
    assert_eq!(
        client.delete(&format!("subnets/{subnet}")).await.code(),
        "Conflict",
        "it is still going"
    );
    client.pass(60).await;
    assert_eq!(client.delete(&format!("subnets/{subnet}")).await.status, 204);
}

#[tokio::test(start_paused = true)]
async fn a_network_load_balancer_changes_by_work_requests() {
    let client = Client::new();
    let vcn = client.vcn("10.0.0.0/16").await;
    let subnet = json!({"cidrBlock": "10.0.0.0/24", "prohibitPublicIpOnVnic": true});
    let subnet = client.make("subnets", &vcn, subnet).await.id();
    let root = "/20200501/networkLoadBalancers";
    let body = |private: bool| {
        json!({"compartmentId": COMPARTMENT, "displayName": "api", "subnetId": subnet, "isPrivate": private,
            "backendSets": {"api": {"policy": "FIVE_TUPLE", "healthChecker": {"protocol": "TCP", "port": 6443}}},
            "listeners": {"api": {"name": "api", "defaultBackendSetName": "api", "port": 6443, "protocol": "TCP"}}})
    };
    let public = client.at("POST", root, Some(body(false))).await;
    assert_eq!(public.code(), "InvalidParameter", "the subnet is private");
    let made = client.at("POST", root, Some(body(true))).await;
    assert_eq!((made.status, &made.body["lifecycleState"]), (202, &json!("CREATING")));
    assert_eq!(made.body["ipAddresses"][0]["ipAddress"], "10.0.0.2");
    let path = format!("{root}/{}", made.id());
    let early = client.at("PUT", &path, Some(json!({"displayName": "x"}))).await;
    assert_eq!(early.code(), "IncorrectState");
    let work = async |answer: &Answer| {
        let path = format!("/20200501/workRequests/{}", answer.header("opc-work-request-id"));
        client.at("GET", &path, None).await.body
    };
    assert_eq!(work(&made).await["status"], "ACCEPTED");
    client.pass(10).await;
    assert_eq!(work(&made).await["status"], "SUCCEEDED");
    assert_eq!(work(&made).await["operationType"], "CREATE_NETWORK_LOAD_BALANCER");

    let backends = format!("{path}/backendSets/api/backends");
    let added = client
        .at("POST", &backends, Some(json!({"ipAddress": "10.0.0.9", "port": 6443})))
        .await;
    assert_eq!(added.status, 202);
    assert_eq!(client.at("GET", &path, None).await.body["lifecycleState"], "UPDATING");
    client.pass(10).await;
    let listed = client.at("GET", &backends, None).await;
    assert_eq!(listed.body["items"][0]["name"], "10.0.0.9:6443");
    let in_use = client.at("DELETE", &format!("{path}/backendSets/api"), None).await;
    assert_eq!(in_use.code(), "Conflict");

    assert_eq!(client.delete(&format!("subnets/{subnet}")).await.code(), "Conflict");
    assert_eq!(client.at("DELETE", &path, None).await.status, 202);
    client.pass(10).await;
    assert_eq!(client.at("GET", &path, None).await.body["lifecycleState"], "DELETED");
    assert_eq!(client.delete(&format!("subnets/{subnet}")).await.status, 204);
}

#[tokio::test(start_paused = true)]
async fn a_load_balancer_hangs_in_its_subnet() {
    let client = Client::new();
    let vcn = client.vcn("10.0.0.0/16").await;
    let subnet = client
        .make("subnets", &vcn, json!({"cidrBlock": "10.0.0.0/24"}))
        .await
        .id();
    let body = json!({"compartmentId": COMPARTMENT, "displayName": "ingress", "shapeName": "flexible",
        "subnetIds": [subnet]});
    let made = client.at("POST", "/20170115/loadBalancers", Some(body)).await;
    assert_eq!(made.status, 204);
    client.pass(10).await;
    let work = format!(
        "/20170115/loadBalancerWorkRequests/{}",
        made.header("opc-work-request-id")
    );
    let work = client.at("GET", &work, None).await.body;
    assert_eq!(work["lifecycleState"], "SUCCEEDED");
    let path = format!("/20170115/loadBalancers/{}", work["loadBalancerId"].as_str().unwrap());
    assert_eq!(
        client.at("GET", &path, None).await.body["ipAddresses"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(client.delete(&format!("subnets/{subnet}")).await.code(), "Conflict");
    assert_eq!(client.at("DELETE", &path, None).await.status, 204);
    client.pass(10).await;
    assert_eq!(client.delete(&format!("subnets/{subnet}")).await.status, 204);
}

#[tokio::test(start_paused = true)]
async fn records_change_by_set_and_by_patch() {
    let client = Client::new();
    let zone = json!({"name": "example.com.", "compartmentId": COMPARTMENT, "zoneType": "PRIMARY"});
    let made = client.at("POST", "/20180115/zones", Some(zone.clone())).await;
    assert!(made.id().starts_with("ocid1.dns-zone.oc1.."), "{}", made.id());
    assert_eq!(
        client.at("POST", "/20180115/zones", Some(zone)).await.code(),
        "Conflict"
    );
    let set = format!("/20180115/zones/{}/records/api.example.com/A", made.id());
    let items = |data: &[&str]| {
        let items = data
            .iter()
            .map(|data| json!({"domain": "api.example.com", "rtype": "A", "rdata": data, "ttl": 60}));
        json!({"items": items.collect::<Vec<_>>()})
    };
    let written = client.at("PUT", &set, Some(items(&["10.0.0.1"]))).await;
    assert_eq!(written.body["items"][0]["rdata"], "10.0.0.1");
    let by_name = "/20180115/zones/example.com/records/API.example.com/A";
    assert_eq!(
        client.at("GET", by_name, None).await.body["items"],
        written.body["items"]
    );
    let patched = client.at("PATCH", &set, Some(items(&["10.0.0.2"]))).await;
    assert_eq!(patched.body["items"].as_array().unwrap().len(), 2);
    let stale = client
        .with_header("PUT", &set, items(&[]), ("if-match", written.header("etag")))
        .await;
    assert_eq!(stale.code(), "NoEtagMatch");
    let elsewhere = json!({"items": [{"domain": "example.org", "rtype": "A", "rdata": "10.0.0.1", "ttl": 60}]});
    let records = format!("/20180115/zones/{}/records", made.id());
    assert_eq!(
        client.at("PUT", &records, Some(elsewhere)).await.code(),
        "InvalidParameter"
    );
    assert_eq!(client.at("DELETE", &set, None).await.status, 204);
    let left = client.at("GET", &records, None).await;
    let kinds: Vec<_> = left.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["rtype"])
        .collect();
    assert_eq!(kinds, ["NS", "SOA"]);
}

#[tokio::test(start_paused = true)]
async fn a_compartment_is_there_without_being_made() {
    let client = Client::new();
    assert_eq!(
        client.get(&format!("compartments/{COMPARTMENT}")).await.body["lifecycleState"],
        "ACTIVE"
    );
    let tenancy = &identity().principal().tenancy;
    let body = json!({"compartmentId": tenancy, "name": "payments", "description": "-"});
    let made = client.post("compartments", body.clone()).await.id();
    assert_eq!(
        client.post("compartments", body).await.code(),
        "NotAuthorizedOrResourceAlreadyExists"
    );
    let listed = client
        .get(&format!("compartments?compartmentId={tenancy}&name=payments"))
        .await;
    assert_eq!(listed.body[0]["id"], *made);
    let vcn = json!({"compartmentId": made, "cidrBlocks": ["10.0.0.0/16"]});
    let vcn = client.post("vcns", vcn).await.id();
    client.pass(5).await;
    let path = format!("compartments/{made}");
    assert_eq!(client.delete(&path).await.code(), "Conflict", "a VCN is in it");
    assert_eq!(client.delete(&format!("vcns/{vcn}")).await.status, 204);
    client.pass(5).await;
    assert_eq!(client.delete(&path).await.status, 204);
}
