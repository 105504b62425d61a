//! How much is asked of OCI, and how fast.

use std::collections::BTreeMap;
use std::sync::Arc;

use fleetwright::ops::{Clock, Planned};
use fleetwright::providers::oci::budget::Rate;
use jiff::Timestamp;
use tokio::time::Instant;

use super::said::{Told, is_settled, text};
use super::world::World;

/// A network whose subnets have security groups.
const ALONE: &str = "
---
kind: Network
metadata: {name: alone}
spec: {region: us-ashburn-1, compartment: clusters, preset: self-managed}";

/// Requests by operation.
fn asked(planned: &Planned) -> BTreeMap<&'static str, u64> {
    let mut asked = BTreeMap::new();
    let counts = planned.oci.as_ref().expect("a connection to OCI").client().counts();
    for (kind, count) in counts.calls {
        *asked.entry(kind.operation).or_default() += count;
    }
    asked
}

/// At some hour of a day.
fn at(hour: i64) -> Clock {
    let time = Timestamp::from_second(hour * 3_600 + 59).expect("a time");
    Clock(Arc::new(move || time))
}

#[tokio::test(start_paused = true)]
async fn a_plan_without_changes_asks_for_lists_and_for_what_is_in_none() {
    const RULES: &str = "ListNetworkSecurityGroupSecurityRules";
    let mut world = World::with_more(ALONE, &[("a", ""), ("b", "")]).await;
    world.converges().await;
    let groups = world.sandbox.oci().living()["NetworkSecurityGroup"].len() as u64;
    assert!(groups > 0);
    let mut rules_read = Vec::new();
    for hour in 0..24 {
        world.access.oci.clock = at(hour);
        let before = world.sandbox.oci().calls();
        let planned = world.plan().await;
        assert!(is_settled(&planned), "{}", text(&planned));
        let mut counted = asked(&planned);
        for (operation, count) in &counted {
            let served = world.sandbox.oci().calls()[*operation] - before.get(*operation).copied().unwrap_or(0);
            assert_eq!(served, *count, "{operation}");
        }
        rules_read.push(counted.remove(RULES).unwrap_or(0));
        // The management cluster's route table is others', and in no list of ours: it is read, once for all clusters.
        let reads: Vec<_> = counted
            .iter()
            .filter(|(operation, _)| !operation.starts_with("List"))
            .collect();
        assert_eq!(reads, [(&"GetRouteTable", &1)], "{counted:#?}");
        // Two compartments, and not two clusters, are what lists are by.
        assert!(counted.values().all(|count| *count <= 2), "{counted:#?}");
    }
    // Each group has its hour of the day, in which its rules are read though its tag says that they are as they were left.
    assert_eq!(rules_read.iter().sum::<u64>(), groups, "{rules_read:?}");
    assert!(rules_read.contains(&0), "{rules_read:?}");

    world.access.oci.full = true;
    let planned = world.plan().await;
    let in_full = asked(&planned);
    assert_eq!(in_full[RULES], groups, "{in_full:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_rate_that_was_asked_for_is_kept() {
    let mut world = World::of(&[("a", "")]).await;
    let rate = Rate {
        per_second: 2.0,
        burst: 1,
    };
    world.access.oci.rate = Some(rate);
    let begun = Instant::now();
    let planned = world.plan().await;
    let told = Told::default();
    assert!(
        world.apply(&planned, &told).await.is_success(),
        "{:#?}",
        told.failures()
    );
    let counts = planned.oci.as_ref().expect("a connection to OCI").client().counts();
    let total = counts.total();
    assert!(total > 20, "{counts:#?}");
    let least = (total as f64 - 1.0) / rate.per_second;
    let taken = begun.elapsed().as_secs_f64();
    assert!(taken >= least, "{total} calls in {taken} s");
    assert!(counts.waited.as_secs_f64() > 0.0);
    assert!(is_settled(&world.plan().await));
}
