//! Instance pools.

use serde_json::{Value, json};

use super::{COMPARTMENT, Client};

async fn made() -> (Client, String, String) {
    let client = Client::new();
    let vcn = client.vcn("10.0.0.0/16").await;
    let subnet = client
        .make("subnets", &vcn, json!({"cidrBlock": "10.0.1.0/24"}))
        .await
        .id();
    client.pass(5).await;
    let launch = json!({"shape": "VM.Standard.E5.Flex", "createVnicDetails": {"skipSourceDestCheck": true}});
    let details = json!({"instanceType": "compute", "launchDetails": launch});
    let body = json!({"compartmentId": COMPARTMENT, "displayName": "workers", "instanceDetails": details});
    let configuration = client.post("instanceConfigurations", body).await.id();
    let domains = client
        .get(&format!("availabilityDomains?compartmentId={COMPARTMENT}"))
        .await
        .body;
    let domains = domains.as_array().expect("a list").iter();
    let places: Vec<Value> = domains
        .map(|domain| json!({"availabilityDomain": domain["name"], "primarySubnetId": subnet}))
        .collect();
    let body = json!({"compartmentId": COMPARTMENT, "displayName": "workers", "size": 3,
        "instanceConfigurationId": configuration, "placementConfigurations": places});
    let pool = client.post("instancePools", body).await;
    assert_eq!(pool.body["lifecycleState"], "PROVISIONING");
    (client, pool.id(), configuration)
}

async fn states(client: &Client, pool: &str) -> Vec<String> {
    let path = format!("instancePools/{pool}/instances?compartmentId={COMPARTMENT}");
    let listed = client.get(&path).await.body;
    let all = listed.as_array().expect("a list").iter();
    all.map(|instance| instance["state"].as_str().expect("a state").to_owned())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_pool_comes_to_its_size_and_takes_its_instances_with_it() {
    let (client, pool, configuration) = made().await;
    client.pass(60).await;
    let path = format!("instancePools/{pool}");
    assert_eq!(client.get(&path).await.body["lifecycleState"], "RUNNING");
    assert_eq!(states(&client, &pool).await, ["Running"; 3]);

    assert_eq!(
        client.put(&path, json!({"size": 5})).await.body["lifecycleState"],
        "SCALING"
    );
    client.pass(60).await;
    assert_eq!(states(&client, &pool).await, ["Running"; 5]);
    client.put(&path, json!({"size": 1})).await;
    client.pass(60).await;
    assert_eq!(states(&client, &pool).await, ["Running"]);
    assert_eq!(client.get(&path).await.body["lifecycleState"], "RUNNING");

    let of = format!("instanceConfigurations/{configuration}");
    assert_eq!(client.delete(&of).await.status, 409, "the pool uses it");
    assert_eq!(client.delete(&path).await.status, 204);
    client.pass(60).await;
    assert_eq!(client.get(&path).await.body["lifecycleState"], "TERMINATED");
    assert_eq!(states(&client, &pool).await, Vec::<String>::new());
    assert_eq!(client.delete(&of).await.status, 204);
    client.pass(1).await;
    assert_eq!(client.get(&of).await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn a_pool_needs_a_configuration_and_a_place() {
    let (client, pool, configuration) = made().await;
    let body = json!({"compartmentId": COMPARTMENT, "size": 1, "instanceConfigurationId": configuration,
        "placementConfigurations": []});
    assert_eq!(client.post("instancePools", body).await.code(), "MissingParameter");
    client.pass(60).await;
    let other = json!({"instanceConfigurationId": "ocid1.instanceconfiguration.oc1..none"});
    let refused = client.put(&format!("instancePools/{pool}"), other).await;
    assert_eq!(refused.code(), "RelatedResourceNotAuthorizedOrNotFound");
}
