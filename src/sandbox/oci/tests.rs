//! The server, called in this process by a client that signs.

use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use rsa::RsaPrivateKey;
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::DecodePrivateKey as _;
use rsa::signature::{SignatureEncoding as _, Signer as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Identity, Limits, OciServer, Principal};
use crate::sandbox::clock::Clock;
use crate::sandbox::fault::{Faults, Never, Point};
use crate::sandbox::http::{Api as _, Request};
use crate::sandbox::store::Memory;

const COMPARTMENT: &str = "ocid1.compartment.oc1..aaaapayments";

fn identity() -> &'static Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    IDENTITY.get_or_init(|| Identity::generate().unwrap())
}

struct Answer {
    status: u16,
    body: Value,
    headers: http::HeaderMap,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    fn id(&self) -> String {
        assert_eq!(self.status / 100, 2, "{}", self.body);
        self.body["id"].as_str().unwrap().to_owned()
    }
}

/// A client's view of one server.
struct Client {
    server: OciServer,
    clock: Clock,
    key: SigningKey<rsa::sha2::Sha256>,
    key_id: String,
    host: &'static str,
    date: Timestamp,
}

impl Client {
    fn new() -> Self {
        Self::with(Arc::new(Never))
    }

    fn with(faults: Arc<dyn Faults>) -> Self {
        let clock = Clock::new(Timestamp::from_second(1_800_000_000).unwrap(), 1.0);
        let server = OciServer::new(Arc::new(Memory), clock.clone(), faults, identity()).unwrap();
        let key = RsaPrivateKey::from_pkcs8_pem(identity().private_key()).unwrap();
        Self {
            server,
            clock,
            key: SigningKey::new(key),
            key_id: identity().key_id(),
            host: "iaas.eu-frankfurt-1.oraclecloud.com",
            date: Timestamp::now(),
        }
    }

    fn signed(&self, method: &str, path: &str, body: Option<&Value>) -> Request {
        let bytes = body.map(Value::to_string).unwrap_or_default();
        let date = format!("{}", self.date.strftime("%a, %d %b %Y %H:%M:%S GMT"));
        let mut headers = vec![
            ("date", date),
            ("(request-target)", format!("{} {path}", method.to_ascii_lowercase())),
            ("host", self.host.to_owned()),
        ];
        if matches!(method, "POST" | "PUT" | "PATCH") {
            headers.push(("content-length", bytes.len().to_string()));
            headers.push(("content-type", "application/json".to_owned()));
            headers.push(("x-content-sha256", STANDARD.encode(Sha256::digest(&bytes))));
        }
        let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
        let lines: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let signature = STANDARD.encode(self.key.sign(lines.join("\n").as_bytes()).to_bytes());
        let mut request = http::Request::builder().method(method).uri(path);
        for (name, value) in headers.iter().filter(|(name, _)| !name.starts_with('(')) {
            request = request.header(*name, value);
        }
        let authorization = format!(
            "Signature version=\"1\",keyId=\"{}\",algorithm=\"rsa-sha256\",headers=\"{}\",signature=\"{signature}\"",
            self.key_id,
            names.join(" ")
        );
        request
            .header("authorization", authorization)
            .body(bytes.into())
            .unwrap()
    }

    async fn send(&self, request: Request) -> Answer {
        let response = self.server.call(request).await;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status.as_u16(),
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
            headers: parts.headers,
        }
    }

    async fn with_header(&self, method: &str, path: &str, body: Value, header: (&'static str, &str)) -> Answer {
        let mut request = self.signed(method, path, Some(&body).filter(|body| !body.is_null()));
        request.headers_mut().insert(header.0, header.1.parse().unwrap());
        self.send(request).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(self.signed("GET", &format!("/20160918/{path}"), None)).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.signed("POST", &format!("/20160918/{path}"), Some(&body)))
            .await
    }

    async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(self.signed("PUT", &format!("/20160918/{path}"), Some(&body)))
            .await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.send(self.signed("DELETE", &format!("/20160918/{path}"), None))
            .await
    }

    async fn vcn(&self, block: &str) -> String {
        self.post(
            "vcns",
            json!({"compartmentId": COMPARTMENT, "cidrBlocks": [block], "dnsLabel": "net"}),
        )
        .await
        .id()
    }

    async fn make(&self, path: &str, vcn: &str, more: Value) -> Answer {
        let mut body = json!({"compartmentId": COMPARTMENT, "vcnId": vcn});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.post(path, body).await
    }

    async fn pass(&self, seconds: u64) {
        self.clock.sleep(std::time::Duration::from_secs(seconds)).await;
    }
}

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
async fn only_what_is_signed_right_is_answered() {
    let mut client = Client::new();
    let path = "/20160918/regions";
    assert_eq!(client.send(client.signed("GET", path, None)).await.status, 200);

    let mut unsigned = client.signed("GET", path, None);
    unsigned.headers_mut().remove("authorization");
    let mut elsewhere = client.signed("GET", path, None);
    *elsewhere.uri_mut() = "/20160918/vcns".parse().unwrap();
    let mut other_host = client.signed("GET", path, None);
    other_host.headers_mut().insert("host", "example.org".parse().unwrap());
    let mut other_body = client.signed("POST", "/20160918/vcns", Some(&json!({"compartmentId": "a"})));
    *other_body.body_mut() = json!({"compartmentId": "b"}).to_string().into();
    let mut other_digest = client.signed("POST", "/20160918/vcns", Some(&json!({})));
    other_digest
        .headers_mut()
        .insert("x-content-sha256", "AAAA".parse().unwrap());
    for request in [unsigned, elsewhere, other_host, other_body, other_digest] {
        let what = format!("{request:?}");
        let answer = client.send(request).await;
        assert_eq!((answer.status, answer.code()), (401, "NotAuthenticated"), "{what}");
    }

    client.date = Timestamp::now() - jiff::SignedDuration::from_mins(6);
    assert_eq!(
        client.send(client.signed("GET", path, None)).await.status,
        401,
        "an old date"
    );
    client.date = Timestamp::now();
    client.key_id.push('0');
    assert_eq!(
        client.send(client.signed("GET", path, None)).await.status,
        401,
        "an unknown key"
    );
    client.server.register(client.key_id.clone(), identity());
    assert_eq!(client.send(client.signed("GET", path, None)).await.status, 200);
    client.server.revoke(&client.key_id);
    assert_eq!(
        client.send(client.signed("GET", path, None)).await.status,
        401,
        "a revoked key"
    );
}

#[tokio::test(start_paused = true)]
async fn an_etag_guards_updates_and_deletes() {
    let client = Client::new();
    let path = format!("/20160918/vcns/{}", client.vcn("10.0.0.0/16").await);
    client.pass(5).await;
    let read = client.send(client.signed("GET", &path, None)).await;
    let etag = read.header("etag").to_owned();
    let name = |name: &str| json!({ "displayName": name });
    let first = client.with_header("PUT", &path, name("a"), ("if-match", &etag)).await;
    assert_eq!((first.status, first.body["displayName"].as_str()), (200, Some("a")));
    let second = client.with_header("PUT", &path, name("b"), ("if-match", &etag)).await;
    assert_eq!((second.status, second.code()), (412, "NoEtagMatch"));
    let delete = client
        .with_header("DELETE", &path, Value::Null, ("if-match", &etag))
        .await;
    assert_eq!(delete.status, 412);
    let now = client.send(client.signed("GET", &path, None)).await;
    assert_eq!(now.body["displayName"], "a");
}

#[tokio::test(start_paused = true)]
async fn a_retry_token_makes_one_resource() {
    let client = Client::new();
    let token = ("opc-retry-token", "one");
    let body = json!({"compartmentId": COMPARTMENT, "cidrBlocks": ["10.0.0.0/16"]});
    let send = async |body: Value| client.with_header("POST", "/20160918/vcns", body, token).await;
    let first = send(body.clone()).await;
    assert_eq!(send(body.clone()).await.id(), first.id());
    let other = send(json!({"compartmentId": COMPARTMENT, "cidrBlocks": ["10.1.0.0/16"]})).await;
    assert_eq!((other.status, other.code()), (409, "InvalidatedRetryToken"));
    assert_eq!(client.server.writes().len(), 1);

    assert_eq!(client.delete(&format!("vcns/{}", first.id())).await.status, 204);
    assert_eq!(
        send(body.clone()).await.code(),
        "InvalidatedRetryToken",
        "its resource is gone"
    );
    client.pass(24 * 3600).await;
    assert_ne!(send(body).await.id(), first.id(), "a day later the token is forgotten");
}

#[tokio::test(start_paused = true)]
async fn pages_hold_everything_once() {
    let client = Client::new();
    let mut made = Vec::new();
    for index in 0..7 {
        made.push(client.vcn(&format!("10.{index}.0.0/16")).await);
    }
    let mut seen = Vec::new();
    let mut page = String::new();
    loop {
        let query = format!("vcns?compartmentId={COMPARTMENT}&limit=3{page}");
        let answer = client.get(&query).await;
        let ids = answer.body.as_array().unwrap().iter();
        seen.extend(ids.map(|vcn| vcn["id"].as_str().unwrap().to_owned()));
        if seen.len() == 3 {
            client.vcn("10.99.0.0/16").await;
        }
        match answer.header("opc-next-page") {
            "" => break,
            next => page = format!("&page={next}"),
        }
    }
    made.reverse();
    assert_eq!(
        seen, made,
        "the newest first, and none twice though one came in between"
    );
    assert_eq!(client.get("vcns").await.code(), "MissingParameter");
    let bad = client.get(&format!("vcns?compartmentId={COMPARTMENT}&page=!")).await;
    assert_eq!((bad.status, bad.code()), (400, "InvalidParameter"));
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
async fn limits_are_those_of_a_new_tenancy() {
    let client = Client::new();
    let vcn = client.vcn("10.0.0.0/16").await;
    assert_eq!(client.make("natGateways", &vcn, json!({})).await.status, 200);
    let second = client.make("natGateways", &vcn, json!({})).await;
    assert_eq!((second.status, second.code()), (400, "LimitExceeded"));
    let lifted = Client::new();
    let server = lifted.server.with_limits(Limits {
        vcns: 1,
        ..Limits::lifted()
    });
    let lifted = Client {
        server,
        ..Client::new()
    };
    lifted.vcn("10.0.0.0/16").await;
    let body = json!({"compartmentId": COMPARTMENT, "cidrBlocks": ["10.1.0.0/16"]});
    assert_eq!(lifted.post("vcns", body).await.code(), "LimitExceeded");
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
async fn lost_rights_look_like_nothing_there() {
    let client = Client::new();
    let vcn = client.vcn("10.0.0.0/16").await;
    client.server.deny(COMPARTMENT);
    for path in [format!("vcns/{vcn}"), format!("vcns?compartmentId={COMPARTMENT}")] {
        let answer = client.get(&path).await;
        assert_eq!((answer.status, answer.code()), (404, "NotAuthorizedOrNotFound"));
    }
    client.server.allow(COMPARTMENT);
    assert_eq!(client.get(&format!("vcns/{vcn}")).await.status, 200);
    let foreign = client.get("vcns?compartmentId=ocid1.tenancy.oc1..other").await;
    assert_eq!(foreign.status, 404);
}

#[tokio::test(start_paused = true)]
async fn unknown_operations_and_methods_say_so() {
    let client = Client::new();
    let unknown = client.get("vlans?compartmentId=x").await;
    assert_eq!((unknown.status, unknown.code()), (404, "NotFound"));
    assert_eq!(client.server.unknown_operations().get("GET /20160918/vlans"), Some(&1));
    assert_eq!(client.delete("vcns").await.code(), "MethodNotAllowed");
    let text = client.signed("POST", "/20160918/vcns", Some(&json!("text")));
    assert_eq!(client.send(text).await.code(), "CannotParseRequest");
}

#[tokio::test(start_paused = true)]
async fn a_short_page_says_that_more_follows() {
    struct Short;
    impl Faults for Short {
        fn strikes(&self, point: Point) -> bool {
            point == Point::ShortPage
        }
    }
    let client = Client::with(Arc::new(Short));
    for index in 0..3 {
        client.vcn(&format!("10.{index}.0.0/16")).await;
    }
    let page = client.get(&format!("vcns?compartmentId={COMPARTMENT}&limit=4")).await;
    assert_eq!(page.body.as_array().unwrap().len(), 2);
    assert_ne!(page.header("opc-next-page"), "");
}
