//! Rights that are lost in the middle: what can't be seen is neither deleted nor made again, and the rest goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fleetwright::apply::{Event, Observer};
use fleetwright::plan::change::{Action, Block};
use fleetwright::sandbox::Sandbox;

use super::said::{Told, change, is_settled, text, unknown};
use super::world::{OTHERS, World};

const ELSEWHERE: &str = "  compartment: others";

#[tokio::test(start_paused = true)]
async fn what_can_no_longer_be_seen_is_unknown_and_the_rest_goes_on() {
    let mut world = World::of(&[("a", ""), ("b", ELSEWHERE)]).await;
    world.converges().await;
    let living = world.sandbox.oci().living();
    world.sandbox.oci().deny(OTHERS);
    world.cluster("a", "  tags: {cost-center: '7'}");
    world.cluster("b", &format!("{ELSEWHERE}\n  tags: {{cost-center: '7'}}"));

    let planned = world.plan().await;
    assert!(planned.plan.has_unknowns());
    let lost = change(&planned, "Vcn", "b");
    assert!(!lost.goes_ahead());
    assert!(
        lost.blocks.iter().any(|block| matches!(block, Block::Unknown { .. })),
        "{:?}",
        lost.blocks
    );
    let reasons = unknown(&planned);
    for name in ["Vcn/b", "Subnet/b-workers", "NatGateway/b"] {
        assert!(
            reasons[name].contains("NotAuthorizedOrNotFound"),
            "{name}: {reasons:#?}"
        );
    }
    assert!(text(&planned).contains("NotAuthorizedOrNotFound"), "{}", text(&planned));
    let from = world.written();
    let told = Told::default();
    world.apply(&planned, &told).await;
    let writes = world.our_writes(from);
    assert!(!writes.is_empty());
    for write in &writes {
        assert!(write.operation.starts_with("Update"), "{write:#?}");
        let of_b = write.display_name == "b" || write.display_name.starts_with("b-");
        assert!(!of_b, "{write:#?}");
    }
    assert_eq!(world.sandbox.oci().living(), living);
    assert_eq!(
        world.oci("vcns", &world.ocid("Vcn", "a"))["freeformTags"]["cost-center"],
        "7"
    );

    world.sandbox.oci().allow(OTHERS);
    world.converges().await;
    assert_eq!(
        world.oci("vcns", &world.ocid("Vcn", "b"))["freeformTags"]["cost-center"],
        "7"
    );
    assert_eq!(world.sandbox.oci().living(), living);
    world.made_once();
}

#[tokio::test(start_paused = true)]
async fn nothing_is_deleted_that_can_not_be_seen() {
    let mut world = World::of(&[("a", ""), ("b", ELSEWHERE)]).await;
    world.converges().await;
    world.pass(120).await;
    let living = world.sandbox.oci().living();
    world.decommission("b");
    world.sandbox.oci().deny(OTHERS);
    let planned = world.plan().await;
    assert!(planned.plan.has_unknowns(), "{}", text(&planned));
    let network = planned.plan.changes.iter().filter(|change| change.id.kind == "Vcn");
    let actions: Vec<(Action, bool)> = network.map(|change| (change.action, change.goes_ahead())).collect();
    assert!(actions.iter().all(|(_, goes_ahead)| !goes_ahead), "{}", text(&planned));
    let from = world.written();
    world.apply(&planned, &Told::default()).await;
    let deleted: Vec<_> = world
        .our_writes(from)
        .into_iter()
        .filter(|write| write.display_name.starts_with('b'))
        .collect();
    assert!(deleted.is_empty(), "{deleted:#?}");
    assert!(World::recorded(&world.plan().await).contains_key("cluster b"));

    world.sandbox.oci().allow(OTHERS);
    world.converges().await;
    assert!(!World::recorded(&world.plan().await).contains_key("cluster b"));
    assert!(living["Vcn"].len() > world.sandbox.oci().living()["Vcn"].len());
}

/// Takes the rights away when so many changes have ended.
struct Denying {
    sandbox: Arc<Sandbox>,
    left: AtomicUsize,
    told: Told,
}

impl Observer for Denying {
    fn event(&self, event: &Event) {
        if matches!(event, Event::Changed { .. }) && self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.sandbox.oci().deny(OTHERS);
        }
        self.told.event(event);
    }
}

#[tokio::test(start_paused = true)]
async fn rights_lost_while_a_network_is_made_leave_no_twin_behind() {
    for after in [1, 3, 8, 15] {
        let world = World::of(&[("a", ""), ("b", ELSEWHERE)]).await;
        let planned = world.plan().await;
        let observer = Denying {
            sandbox: world.sandbox.clone(),
            left: AtomicUsize::new(after),
            told: Told::default(),
        };
        let outcome = world.apply(&planned, &observer).await;
        assert!(!outcome.is_success(), "after {after}");
        assert!(!observer.told.failures().is_empty(), "after {after}");
        let planned = world.plan().await;
        assert!(planned.plan.has_unknowns(), "after {after}: {}", text(&planned));
        let from = world.written();
        world.apply(&planned, &Told::default()).await;
        for write in world.our_writes(from) {
            assert!(!write.operation.starts_with("Delete"), "after {after}: {write:#?}");
        }
        world.sandbox.oci().allow(OTHERS);
        world.converges().await;
        assert!(is_settled(&world.plan().await), "after {after}");
        world.made_once();
    }
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_gets_no_answer_is_no_delete_done() {
    let mut world = World::of(&[("a", ""), ("b", ELSEWHERE)]).await;
    world.converges().await;
    world.pass(120).await;
    let vcn = world.ocid("Vcn", "b");
    world.decommission("b");
    let planned = world.plan().await;
    assert!(change(&planned, "Vcn", "b").goes_ahead(), "{}", text(&planned));
    // Between the plan and the run.
    world.sandbox.oci().deny(OTHERS);
    let from = world.written();
    let told = Told::default();
    let outcome = world.apply(&planned, &told).await;
    assert!(!outcome.is_success());
    let of_b = |write: &fleetwright::sandbox::oci::LoggedWrite| write.display_name.starts_with("b-");
    assert!(
        !world.our_writes(from).iter().any(of_b),
        "{:#?}",
        world.our_writes(from)
    );
    assert!(World::recorded(&world.plan().await)["cluster b"].contains(&"Vcn/b".to_owned()));

    world.sandbox.oci().allow(OTHERS);
    world.converges().await;
    assert!(!world.sandbox.oci().living()["Vcn"].contains(&vcn));
    assert!(!World::recorded(&world.plan().await).contains_key("cluster b"));
    world.made_once();
}
