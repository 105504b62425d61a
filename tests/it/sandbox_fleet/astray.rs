//! An address that leads to another region, where lists can be read and hold nothing: nothing follows from that.

use super::drift::since;
use super::said::{Told, change, goes_ahead, is_settled, text, unknown};
use super::world::World;

/// Where nothing of these fleets is.
const STOCKHOLM: &str = "https://iaas.eu-stockholm-1.oraclecloud.com";

fn lead_astray(world: &mut World) {
    world.access.oci.endpoints = vec![STOCKHOLM.to_owned()];
}

#[tokio::test(start_paused = true)]
async fn nothing_is_made_again_dropped_or_deleted_where_another_region_answers() {
    let mut world = World::of(&[("a", ""), ("b", "")]).await;
    world.converges().await;
    let recorded = World::recorded(&world.plan().await);
    let living = world.sandbox.oci().living();
    lead_astray(&mut world);
    world.decommission("b");

    let planned = world.plan().await;
    assert!(planned.plan.has_unknowns());
    let goes = goes_ahead(&planned);
    assert!(
        !goes
            .keys()
            .any(|name| name.contains("Vcn/") || name.contains("Subnet/")),
        "{goes:#?}"
    );
    for name in ["Vcn/a", "Subnet/a-workers", "Vcn/b"] {
        let reason = &unknown(&planned)[name];
        assert!(reason.contains("us-ashburn-1"), "{reason}");
        assert!(reason.contains("which is of eu-stockholm-1"), "{reason}");
        assert!(reason.contains("--oci-endpoint"), "{reason}");
    }
    let from = world.written();
    world.apply(&planned, &Told::default()).await;
    assert_eq!(since(&world, from), Vec::<String>::new());
    assert_eq!(world.sandbox.oci().living()["Vcn"], living["Vcn"]);
    let now = World::recorded(&world.plan().await);
    let networks = |recorded: &std::collections::BTreeMap<String, Vec<String>>| -> Vec<String> {
        let names = recorded.values().flatten().cloned();
        names
            .filter(|name| name.starts_with("Vcn/") || name.starts_with("Subnet/"))
            .collect()
    };
    assert_eq!(networks(&now), networks(&recorded));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_made_for_the_first_time_either() {
    let mut world = World::of(&[("a", "")]).await;
    lead_astray(&mut world);
    let planned = world.plan().await;
    assert!(!change(&planned, "Vcn", "a").goes_ahead(), "{}", text(&planned));
    let from = world.written();
    world.apply(&planned, &Told::default()).await;
    assert_eq!(since(&world, from), Vec::<String>::new());
    world.access.oci.endpoints.clear();
    world.converges().await;
    assert!(is_settled(&world.plan().await));
}
