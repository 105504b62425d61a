//! Both examples under a few schedules of faults: they come to what they come to without, and nothing is made twice.

use fleetwright::plan::ignore::Contested;
use std::sync::atomic::AtomicBool;

use fleetwright::apply;
use fleetwright::ops::{self, Against, PlanOptions, Scope};

use super::said::{Told, is_settled, text};
use super::world::{NOW, World, living};

/// How often each fault strikes.
const RATE: f64 = 0.03;
/// Runs within which a fleet has to be as its files say.
const ROUNDS: usize = 30;

/// Three, or as many as `FLEETWRIGHT_SEEDS` says.
fn seeds() -> std::ops::RangeInclusive<u64> {
    let asked = std::env::var_os("FLEETWRIGHT_SEEDS").and_then(|text| text.to_str()?.parse().ok());
    1..=asked.unwrap_or(3)
}

/// Applies until there is nothing to do; faults rest while that is found out.
async fn comes_up(world: &World, seed: u64) {
    let options = PlanOptions {
        against: Against::Live(Box::new(world.access.clone())),
        scope: Scope::default(),
        contested: Contested::new(),
        adopt: false,
        even_suspended: false,
        now: NOW.to_owned(),
    };
    let mut said = String::new();
    for _ in 0..ROUNDS {
        world.sandbox.faults().resume();
        let told = Told::default();
        // A plan that fails changes nothing, and is made again.
        match ops::plan(&world.loaded, &options).await {
            Ok(planned) => {
                let run = apply::Options::default();
                ops::apply(&world.loaded, &planned, run, &told, &AtomicBool::new(false)).await;
            }
            Err(error) => said = format!("{error:?}"),
        }
        world.pass(10).await;
        world.sandbox.faults().rest();
        let planned = world.plan().await;
        if is_settled(&planned) {
            return;
        }
        said = format!("{said}\n{}\n{:#?}", text(&planned), told.failures());
    }
    panic!("seed {seed}: {said}");
}

async fn comes_to_the_same(example: &str) {
    let calm = World::example(example).await;
    calm.converges().await;
    calm.pass(180).await;
    for seed in seeds() {
        let world = World::troubled(example, seed, RATE).await;
        comes_up(&world, seed).await;
        world.made_once();
        world.pass(180).await;
        assert_eq!(living(&world), living(&calm), "seed {seed}");
        let planned = world.plan().await;
        assert!(is_settled(&planned), "seed {seed}: {}", text(&planned));
    }
}

#[tokio::test(start_paused = true)]
async fn peerings_between_regions_come_up_under_faults() {
    comes_to_the_same("two-regions").await;
}

#[tokio::test(start_paused = true)]
async fn endpoints_and_names_come_up_under_faults() {
    comes_to_the_same("private-endpoint").await;
}
