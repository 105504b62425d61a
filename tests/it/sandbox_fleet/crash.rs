//! A run that ends anywhere: the next one finds what was made and goes on.

use std::future::poll_fn;
use std::task::Poll;

use fleetwright::ops::Planned;
use futures::FutureExt as _;

use super::said::{Told, is_settled, text};
use super::world::{World, living};

/// Applies one change at a time until so much was written to OCI, and drops the run there. Gives whether it was dropped.
pub(super) async fn cut_off(world: &World, writes: usize) -> bool {
    cut_off_plan(world, &world.plan().await, writes).await
}

/// The same with a plan that was made before.
pub(super) async fn cut_off_plan(world: &World, planned: &Planned, writes: usize) -> bool {
    let told = Told::default();
    let options = fleetwright::apply::Options {
        concurrency: 1,
        ..fleetwright::apply::Options::default()
    };
    let interrupted = std::sync::atomic::AtomicBool::new(false);
    let from = world.written();
    let run = fleetwright::ops::apply(&world.loaded, planned, options, &told, &interrupted);
    let mut run = Box::pin(run);
    poll_fn(|context| {
        if world.written() >= from + writes {
            return Poll::Ready(true);
        }
        run.poll_unpin(context).map(|_| false)
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_run_cut_off_anywhere_is_finished_by_the_next() {
    let whole = World::of(&[("a", "")]).await;
    whole.converges().await;
    whole.pass(180).await;
    let all = whole.our_writes(0).len();
    assert!(all > 15, "{all}");
    let mut cut = 0;
    for writes in 1..all {
        let world = World::of(&[("a", "")]).await;
        cut += usize::from(cut_off(&world, writes).await);
        world.converges().await;
        world.made_once();
        world.pass(180).await;
        assert_eq!(living(&world), living(&whole), "cut off after {writes}");
    }
    // The last writes may all fall into one turn of the run.
    assert!(cut > 10, "{cut} of {all}");
}

#[tokio::test(start_paused = true)]
async fn so_is_one_that_is_cut_off_again_and_again() {
    let world = World::of(&[("a", "")]).await;
    let mut runs = 0;
    while cut_off(&world, 2).await {
        runs += 1;
        assert!(runs < 60, "{}", text(&world.plan().await));
    }
    assert!(runs > 5, "{runs}");
    world.converges().await;
    world.made_once();
}

#[tokio::test(start_paused = true)]
async fn a_teardown_cut_off_anywhere_is_finished_by_the_next() {
    for writes in [1, 2, 5, 9, 14] {
        let mut world = World::of(&[("a", ""), ("b", "")]).await;
        world.converges().await;
        world.pass(120).await;
        world.decommission("a");
        assert!(cut_off(&world, writes).await, "the run ended before write {writes}");
        world.converges().await;
        let planned = world.plan().await;
        assert!(is_settled(&planned), "{}", text(&planned));
        assert!(!World::recorded(&planned).contains_key("cluster a"));
        world.made_once();
    }
}
