//! Networks that others made, named in the files by their names alone.

use serde_json::{Value, json};

use super::said::{is_settled, text, unknown};
use super::world::{CLUSTERS, TENANCY, World, hosted_clusters, node_pools};

const NAMED: &str = "  network:
    existing:
      vcn: {name: theirs}
      endpointSubnet: {name: theirs-endpoint}
      workerSubnet: {name: theirs-workers}
    machine: 10.40.0.0/20";

/// Makes a VCN and its two subnets, as somebody else.
async fn make(world: &World, compartment: &str) -> [String; 3] {
    let ocid = |made: Value| made["id"].as_str().expect("an OCID").to_owned();
    let body = json!({"compartmentId": compartment, "cidrBlocks": ["10.40.0.0/16"], "displayName": "theirs"});
    let vcn = ocid(world.act("POST", "/20160918/vcns", &body));
    world.pass(5).await;
    let subnet = |name: &str, range: &str| {
        let body = json!({"compartmentId": compartment, "vcnId": vcn, "cidrBlock": range, "displayName": name,
            "prohibitPublicIpOnVnic": true});
        ocid(world.act("POST", "/20160918/subnets", &body))
    };
    let endpoint = subnet("theirs-endpoint", "10.40.16.0/24");
    let workers = subnet("theirs-workers", "10.40.0.0/20");
    world.pass(5).await;
    [vcn, endpoint, workers]
}

#[tokio::test(start_paused = true)]
async fn the_example_on_networks_that_exist_is_applied() {
    let world = World::example("existing-network").await;
    world.converges().await;
}

async fn leads_to(world: &World, [vcn, endpoint, workers]: &[String; 3]) {
    let cluster = world
        .get(&hosted_clusters(), "clusters-a", "a")
        .await
        .expect("the control plane");
    let network = &cluster["spec"]["platform"]["oci"]["networkConfig"];
    assert_eq!(network["vcn"]["ocid"], *vcn);
    assert_eq!(network["nlbSubnet"]["ocid"], *endpoint);
    let pool = world
        .get(&node_pools(), "clusters-a", "a-general")
        .await
        .expect("the pool");
    assert_eq!(pool["spec"]["platform"]["oci"]["subnet"]["ocid"], *workers);
}

#[tokio::test(start_paused = true)]
async fn a_network_is_found_by_its_name() {
    let world = World::of(&[("a", NAMED)]).await;
    let made = make(&world, CLUSTERS).await;
    let from = world.written();
    world.converges().await;
    leads_to(&world, &made).await;
    assert!(world.our_writes(from).is_empty(), "what others made was written to");
}

#[tokio::test(start_paused = true)]
async fn where_there_is_no_such_name_the_cluster_waits_and_the_plan_says_for_what() {
    let world = World::of(&[("a", NAMED), ("b", "")]).await;
    let planned = world.plan().await;
    assert!(planned.plan.has_unknowns());
    let reasons = unknown(&planned);
    assert!(
        reasons["HostedCluster/a"].contains("there is no Vcn `theirs`"),
        "{reasons:#?}"
    );
    assert!(
        text(&planned).contains("there is no Vcn `theirs`"),
        "{}",
        text(&planned)
    );
    world.apply(&planned, &super::said::Told::default()).await;
    assert!(world.get(&hosted_clusters(), "clusters-a", "a").await.is_none());
    assert!(world.get(&hosted_clusters(), "clusters-b", "b").await.is_some());

    let made = make(&world, CLUSTERS).await;
    world.converges().await;
    leads_to(&world, &made).await;
}

#[tokio::test(start_paused = true)]
async fn of_two_of_a_name_none_is_taken() {
    let world = World::of(&[("a", NAMED)]).await;
    make(&world, CLUSTERS).await;
    make(&world, CLUSTERS).await;
    let planned = world.plan().await;
    let reasons = unknown(&planned);
    assert!(
        reasons["HostedCluster/a"].contains("there are 2 Vcns `theirs`"),
        "{reasons:#?}"
    );
}

#[tokio::test(start_paused = true)]
async fn compartments_are_found_by_their_path() {
    let spec = format!("  compartment: parent/child\n{NAMED}");
    let world = World::of(&[("a", &spec), ("b", "  compartment: parent/child")]).await;
    let planned = world.plan().await;
    assert!(planned.plan.has_unknowns());
    let reasons = unknown(&planned);
    assert!(
        reasons["Vcn/b"].contains("there is no compartment `parent`"),
        "{reasons:#?}"
    );

    let mut at = TENANCY.to_owned();
    for name in ["parent", "child"] {
        let body = json!({"compartmentId": at, "name": name, "description": name});
        let made = world.act("POST", "/20160918/compartments", &body);
        at = made["id"].as_str().expect("an OCID").to_owned();
        world.pass(5).await;
    }
    let made = make(&world, &at).await;
    world.converges().await;
    leads_to(&world, &made).await;
    assert_eq!(world.oci("vcns", &world.ocid("Vcn", "b"))["compartmentId"], at);
    let cluster = world
        .get(&hosted_clusters(), "clusters-b", "b")
        .await
        .expect("the control plane");
    assert_eq!(cluster["spec"]["platform"]["oci"]["compartment"], at);
    let planned = world.plan().await;
    assert!(is_settled(&planned), "{}", text(&planned));
}

/// By the program itself: what it says, and how it ends.
#[test]
fn the_program_does_the_rest_and_says_that_something_is_not_known() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let world = runtime.block_on(World::of(&[("a", NAMED), ("b", "")]));
    let args = ["--sandbox", "state", "--fleet", "fleet"];
    let ran = world.place.run(&[&["apply", "--yes"], &args[..]].concat()).exits(1);
    assert!(ran.stdout.contains("there is no Vcn `theirs`"), "{}", ran.stdout);
    let ran = world.place.run(&[&["plan"], &args[..]].concat()).exits(1);
    assert!(!ran.stdout.contains("clusters-b"), "b is done: {}", ran.stdout);
}

/// The OCIDs of what was made, instead of names.
fn by_ocid([vcn, endpoint, workers]: &[String; 3], rest: &str) -> String {
    format!(
        "  network:\n    existing: {{vcn: {vcn}, endpointSubnet: {endpoint}, workerSubnet: {workers}}}\n    machine: {rest}"
    )
}

#[tokio::test(start_paused = true)]
async fn a_network_that_does_not_fit_is_refused_before_anything_is_put_on_it() {
    let mut world = World::of(&[("b", "")]).await;
    let made = make(&world, CLUSTERS).await;
    let other = make(&world, CLUSTERS).await;
    let [vcn, endpoint, workers] = made.clone();
    let cases = [
        (
            "a public endpoint",
            by_ocid(&made, "10.40.0.0/20\n  endpointAccess: PublicAndPrivate"),
            "it is private",
        ),
        (
            "a range",
            by_ocid(&made, "10.50.0.0/20"),
            "its range 10.40.0.0/20 is not within 10.50.0.0/20",
        ),
        (
            "a VCN",
            by_ocid(&[other[0].clone(), endpoint, workers], "10.40.0.0/20"),
            "it is in ocid1.vcn.",
        ),
    ];
    for (what, spec, said) in cases {
        world.cluster("a", &spec);
        let planned = world.plan().await;
        let told = text(&planned);
        assert!(told.contains("does not fit: ") && told.contains(said), "{what}: {told}");
        world.apply(&planned, &super::said::Told::default()).await;
        assert!(
            world.get(&hosted_clusters(), "clusters-a", "a").await.is_none(),
            "{what}"
        );
    }
    world.cluster("a", &by_ocid(&made, "10.40.0.0/20"));
    world.converges().await;
    assert!(!vcn.is_empty());
    leads_to(&world, &made).await;
}

/// Where nothing else of the fleet is in OCI, it is asked all the same.
#[tokio::test(start_paused = true)]
async fn networks_by_ocid_are_looked_at_though_nothing_else_needs_oci() {
    let mut world = World::of(&[("a", NAMED)]).await;
    let made = make(&world, CLUSTERS).await;
    world.cluster("a", &by_ocid(&made, "10.50.0.0/20"));
    let told = text(&world.plan().await);
    assert!(told.contains("is not within 10.50.0.0/20"), "{told}");
}

/// An OCID that OCI has no answer for: mistyped, or hidden from whoever looks.
#[tokio::test(start_paused = true)]
async fn a_subnet_that_oci_does_not_answer_for_holds_up_what_is_to_be_put_on_it_and_nothing_else() {
    let mut world = World::of(&[("a", NAMED)]).await;
    let made = make(&world, CLUSTERS).await;
    let [vcn, endpoint, _] = made.clone();
    let nowhere = "ocid1.subnet.oc1.iad.aaaaaaaanowhere7k2m9x4n7q3w8v5t".to_owned();
    let fits = by_ocid(&made, "10.40.0.0/20");
    world.cluster("a", &by_ocid(&[vcn, endpoint, nowhere.clone()], "10.40.0.0/20"));
    let planned = world.plan().await;
    let told = text(&planned);
    assert!(
        told.contains("needed, not known: ") && told.contains("mend the OCID"),
        "{told}"
    );
    assert!(unknown(&planned)["HostedCluster/a"].contains(&nowhere), "{told}");
    world.apply(&planned, &super::said::Told::default()).await;
    assert!(world.get(&hosted_clusters(), "clusters-a", "a").await.is_none());

    // Of a pool's own subnet that pool alone is held up.
    let pools = format!(
        "{fits}\n  pools:\n    general: {{profile: general}}\n    other: {{profile: general, subnet: {nowhere}}}"
    );
    world.cluster("a", &pools);
    let planned = world.plan().await;
    let told = text(&planned);
    let reasons = unknown(&planned);
    assert_eq!(reasons.keys().collect::<Vec<_>>(), ["NodePool/a-other"], "{told}");
    assert!(reasons["NodePool/a-other"].contains("for pool other"), "{reasons:#?}");
    // What was found is shown.
    let found = format!("found: the subnet {}", made[2]);
    assert!(
        told.contains(&found) && told.contains("10.40.0.0/20, private"),
        "{told}"
    );
    world.apply(&planned, &super::said::Told::default()).await;
    let kind = node_pools();
    assert!(world.get(&kind, "clusters-a", "a-general").await.is_some());
    assert!(world.get(&kind, "clusters-a", "a-other").await.is_none());
}
