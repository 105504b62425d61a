//! Changes that only another resource could have: refused before anything is tried, with the way out.

use super::said::{change, text};
use super::world::{FLEET, World};

#[tokio::test(start_paused = true)]
async fn a_subnet_can_not_move_to_an_availability_domain() {
    let mut world = World::of(&[("a", "")]).await;
    world.converges().await;
    world.cluster("a", "  network: {availabilityDomain: 'Fwsb:IAD-AD-1'}");
    let planned = world.plan().await;
    let refusals = &planned.plan.refusals;
    let of_subnet = refusals.iter().find(|refusal| {
        refusal
            .objects
            .iter()
            .any(|id| id.kind == "Subnet" && id.name == "a-workers")
    });
    let refusal = of_subnet.unwrap_or_else(|| panic!("{}", text(&planned)));
    assert_eq!(refusal.guard, "immutable");
    assert!(refusal.message.contains("availabilityDomain"), "{}", refusal.message);
    assert!(refusal.lift.contains("put the old value back"), "{}", refusal.lift);
    assert!(planned.plan.is_refused());
    assert!(!change(&planned, "Subnet", "a-workers").goes_ahead());
}

#[tokio::test(start_paused = true)]
async fn dns_labels_stay_as_they_were_made() {
    let mut world = World::of(&[("a", ""), ("b", "")]).await;
    world.converges().await;
    let template = include_str!("../../../templates/1/network.yaml.j2");
    let renamed = template
        .replace("dnsLabel: {{ plan.dnsLabel }}", "dnsLabel: x{{ plan.dnsLabel }}")
        .replace("dnsLabel: {{ subnet.dnsLabel }}", "dnsLabel: x{{ subnet.dnsLabel }}")
        // Templates of a fleet's own keep no text that they put together themselves.
        .replace("stem ~ \"-management\"", "[stem, \"-management\"] | join");
    assert_ne!(renamed, template);
    world.place.write("templates/network.yaml.j2", &renamed);
    world.cluster("a", "");
    let planned = world.plan().await;
    let refusals = planned
        .plan
        .refusals
        .iter()
        .filter(|refusal| refusal.guard == "immutable");
    let refused: Vec<String> = refusals
        .flat_map(|refusal| &refusal.objects)
        .map(|id| format!("{}/{}", id.kind, id.name))
        .collect();
    for name in ["Vcn/a", "Vcn/b", "Subnet/a-workers", "Subnet/b-workers"] {
        assert!(refused.iter().any(|refused| refused == name), "{}", text(&planned));
    }
    let from = world.written();
    world.apply(&planned, &super::said::Told::default()).await;
    assert!(world.our_writes(from).is_empty(), "{:#?}", world.our_writes(from));
}

/// Its internet gateway and the rules that let traffic in would go, and the subnets stay open to what no longer comes.
#[tokio::test(start_paused = true)]
async fn a_public_network_does_not_become_half_a_private_one() {
    let public = "  network: {preset: hosted-public}";
    let mut world = World::of(&[("a", public), ("b", "")]).await;
    world.converges().await;
    world.cluster("a", "  network: {preset: hosted-private}");
    let planned = world.plan().await;
    let refusals = &planned.plan.refusals;
    let refusal = refusals.iter().find(|refusal| {
        refusal
            .message
            .contains("rest of its network, and what stands in it, stays as it is")
    });
    let refusal = refusal.unwrap_or_else(|| panic!("{}", text(&planned)));
    let of = |kind: &str| refusal.objects.iter().any(|id| id.kind == kind);
    assert!(of("Subnet") && of("InternetGateway"), "{:#?}", refusal.objects);
    let from = world.written();
    world.apply(&planned, &super::said::Told::default()).await;
    assert!(world.our_writes(from).is_empty(), "{:#?}", world.our_writes(from));
}

/// By the program itself: what it says, and how it ends.
#[test]
fn the_program_refuses_it_with_its_exit_code() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut world = runtime.block_on(World::of(&[("a", "")]));
    let sandbox = ["--sandbox", "state", "--fleet", "fleet"];
    world.place.run(&[&["apply", "--yes"], &sandbox[..]].concat()).exits(0);
    world.cluster("a", "  network: {availabilityDomain: 'Fwsb:IAD-AD-1'}");
    let ran = world.place.run(&[&["apply", "--yes"], &sandbox[..]].concat()).exits(3);
    assert!(ran.stdout.contains("refused (immutable):"), "{}", ran.stdout);
    assert!(ran.stdout.contains("to lift: put the old value back"), "{}", ran.stdout);
    assert!(ran.stderr.contains("nothing was changed"), "{}", ran.stderr);
    world.place.run(&[&["plan"], &sandbox[..]].concat()).exits(3);
}

/// That a day has passed is no reason for all of the fleet to stand still.
#[test]
fn a_waiver_past_its_day_holds_up_its_cluster_alone() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let world = runtime.block_on(World::of(&[("a", ""), ("b", "")]));
    let waivers = "  waivers:
  - {rule: cp-ha-prod, cluster: a, reason: a test, until: 2026-01-31}
  - {rule: cp-ha-prod, cluster: b, reason: a test, until: 9998-12-31}";
    let fleet = FLEET.replace("{availability: single}", "{availability: single, production: true}");
    world.place.write("fleet.yaml", &fleet.replace("MORE", waivers));
    let run = |args: &[&str], code| {
        let sandbox = ["--sandbox", "state", "--fleet", "fleet"];
        world.place.run(&[args, &sandbox[..]].concat()).exits(code)
    };
    let warned = world.place.run(&["validate", "--fleet", "fleet"]).exits(0);
    let told = "the waiver of `cp-ha-prod` ended on 2026-01-31: changes of the clusters that need it are refused";
    assert!(warned.stderr.contains(told), "{}", warned.stderr);
    let refused = run(&["apply", "--yes"], 3);
    assert!(
        refused.stdout.contains("refused (expired-waiver):"),
        "{}",
        refused.stdout
    );
    run(&["apply", "--yes", "--keep-going"], 3);
    let left = run(&["plan"], 3).stdout;
    assert!(
        left.contains("cluster a on m") && !left.contains("cluster b on m"),
        "{left}"
    );
}
