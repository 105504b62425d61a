//! What happens to a daemon and its fleet, drawn from a seed.

use std::time::Duration;

use crate::ssa_generator::Random;

/// One thing that happens. Clusters are meant by a number that is taken modulo how many there are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// A commit: a pool gets so many nodes.
    Scale(usize, usize),
    /// A commit: a second pool comes, or goes.
    Pool(usize),
    /// A commit: a cluster comes.
    Add,
    /// A commit: a cluster leaves, and the Fleet says that it may.
    Remove(usize),
    /// A commit: a cluster is suspended, or no longer.
    SuspendInFiles(usize),
    /// The same by annotation.
    Suspend(usize),
    /// A commit that does not load, or one that makes that good.
    Break,
    /// Somebody changes an object.
    Drift(usize, Drift),
    /// Somebody's own object appears beside ours.
    Foreign(usize),
    /// A daemon is told to end, and started again.
    Restart(usize),
    /// A daemon is no more from one moment to the next, and started again.
    Kill(usize),
}

/// What somebody changes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Drift {
    ScalePool,
    DeletePool,
    ChangeHostedCluster,
    DeleteSecret,
    EmptyRouteTable,
    EmptySecurityList,
    RenameNetwork,
}

const DRIFTS: [Drift; 7] = [
    Drift::ScalePool,
    Drift::DeletePool,
    Drift::ChangeHostedCluster,
    Drift::DeleteSecret,
    Drift::EmptyRouteTable,
    Drift::EmptySecurityList,
    Drift::RenameNetwork,
];

/// The next step, and how long after it the one that follows comes: now and then at once, so that it meets what is under way.
pub(super) fn next(random: &mut Random) -> (Step, Duration) {
    let cluster = random.below(1000);
    let step = match random.below(100) {
        0..12 => Step::Scale(cluster, 1 + random.below(8)),
        12..22 => Step::Pool(cluster),
        22..30 => Step::Add,
        30..38 => Step::Remove(cluster),
        38..46 => Step::SuspendInFiles(cluster),
        46..54 => Step::Suspend(cluster),
        54..59 => Step::Break,
        59..84 => Step::Drift(cluster, *random.pick(&DRIFTS)),
        84..88 => Step::Foreign(cluster),
        88..93 => Step::Restart(cluster),
        _ => Step::Kill(cluster),
    };
    let pause = match random.below(4) {
        0 => Duration::from_millis(random.below(3000) as u64),
        1 => Duration::from_secs(random.below(60) as u64),
        _ => Duration::from_secs(60 + random.below(600) as u64),
    };
    (step, pause)
}
