//! A daemon on paused time, over the sandbox: commits, drift, faults and restarts come as a seed says. It always ends with
//! what the last good revision says, touches nothing that is not the fleet's, and writes nothing of what is suspended.
//!
//! Ten seeds are run, 50 under `CI=true`, and 500 by `FLEETWRIGHT_SEEDS=500 cargo test --release --test it daemon_seeds`.

mod files;
mod step;
mod window;
mod world;

use self::world::World;
use crate::sandbox_seeds::{all_seeds, seeds};
use crate::ssa_generator::Random;

const NOW: &str = "2026-11-21T12:00:00Z";

/// Things that happen in a run.
const STEPS: usize = 16;

/// How often each fault strikes.
const RATE: f64 = 0.01;

/// What a run met, for all seeds together to have met everything.
#[derive(Clone, Copy, Debug, Default)]
struct Met {
    windows: usize,
    drifts: usize,
    kills: usize,
    /// Namespaces that stayed for others' sake.
    housed: usize,
    struck: u64,
}

fn run(seed: u64) -> Met {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut random = Random::new(seed);
        let mut world = World::of(seed).await;
        for _ in 0..STEPS {
            let (step, pause) = step::next(&mut random);
            world.happens(step).await;
            tokio::time::sleep(pause).await;
        }
        world.comes_to_rest(&mut random).await
    })
}

#[test]
fn whatever_happens_the_last_good_revision_is_what_there_is_in_the_end() {
    let last = seeds();
    let met = all_seeds(last, run);
    let sum = |of: fn(&Met) -> u64| met.iter().map(of).sum::<u64>();
    // Of one seed one can't ask that it holds everything.
    if last >= 10 {
        assert!(sum(|met| met.windows as u64) > 0, "nothing was ever suspended: {met:?}");
        assert!(sum(|met| met.drifts as u64) > 0, "nothing ever drifted: {met:?}");
        assert!(sum(|met| met.kills as u64) > 0, "nobody was ever killed: {met:?}");
        let housed = sum(|met| met.housed as u64);
        assert!(housed > 0, "no namespace ever stayed for others' sake: {met:?}");
        assert!(sum(|met| met.struck) > 100, "faults hardly struck: {met:?}");
    }
}
