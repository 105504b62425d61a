//! How a control plane and its pools come to the release that the files want: in steps, each when the one before is complete.
//!
//! A control plane goes up one minor version at a time, through what the files name in `via`, else through the releases that
//! `Release` documents name; what it was asked for once is where it goes on from, whatever they name by then. A pool follows once its control
//! plane has completed a version that is not below the pool's own, and may leave out minor versions, as far as the skew
//! goes. What is not the turn of yet is wanted as it is, so that the rest of its document is written meanwhile.
//!
//! Invariant: pure; a version that can't be told stages nothing, and the guards judge the whole way at once. Of a control
//! plane that never completed any version nothing is held up either: its operator has the order then.

mod live;
mod path;
mod stage;
#[cfg(test)]
mod tests;

use semver::Version;

pub use path::{Gap, path, row, version};
pub use stage::{HeldBack, Staged, Way, stage};

/// The field that a release is in, of a HostedCluster and of a NodePool alike.
pub const IMAGE: &str = ".spec.release.image";

/// The way of one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Course {
    /// What the control plane completed last; what it is asked for where that can't be told.
    pub from: Version,
    /// What the control plane is still to be asked for, in order.
    pub steps: Vec<Version>,
    /// What it is asked for, and has not completed.
    pub under_way: Option<Version>,
    /// Pools that follow.
    pub pools: Vec<PoolCourse>,
    /// What the next step waits for; none where it is taken now.
    pub waits: Option<String>,
    /// Where a minor version is left out.
    pub gap: Option<Gap>,
    /// Why the control plane says that it can't go on to another minor version.
    pub not_upgradeable: Option<String>,
}

impl Default for Course {
    fn default() -> Self {
        Self {
            from: Version::new(0, 0, 0),
            steps: Vec::new(),
            under_way: None,
            pools: Vec::new(),
            waits: None,
            gap: None,
            not_upgradeable: None,
        }
    }
}

impl Course {
    /// Whether it takes more than what is done now.
    pub fn goes_on(&self) -> bool {
        self.steps.len() > 1 || self.waits.is_some() || !self.pools.is_empty()
    }
}

/// The way of one pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolCourse {
    /// The pool, as the fleet files call it.
    pub name: String,
    /// What it runs; none where its image doesn't say.
    pub from: Option<Version>,
    /// Where it goes.
    pub to: Version,
}
