//! Of what `reconcile`, `suspend` and `resume` ask something.

use super::args::{FleetArgs, TargetArgs};
use super::{Printer, common};
use crate::ops::{Access, LoadedFleet, Meant};

/// What is meant, and how it is reached.
#[derive(Debug, clap::Args)]
pub(super) struct AskArgs {
    /// The cluster; without one, and without --cluster and --environment, the whole fleet
    #[arg(value_name = "CLUSTER", conflicts_with_all = ["cluster", "environment"])]
    cluster_name: Option<String>,

    #[command(flatten)]
    fleet: FleetArgs,

    #[command(flatten)]
    target: TargetArgs,
}

impl AskArgs {
    /// All that is meant.
    pub(super) fn meant(&self) -> Vec<Meant> {
        let directory = &self.fleet.directory;
        let clusters = self
            .cluster_name
            .iter()
            .chain(&directory.cluster)
            .cloned()
            .map(Meant::Cluster);
        let environments = directory.environment.iter().cloned().map(Meant::Environment);
        let meant: Vec<Meant> = clusters.chain(environments).collect();
        if meant.is_empty() { vec![Meant::Fleet] } else { meant }
    }

    /// Loads the fleet, and says how its management clusters are reached.
    pub(super) fn open(
        &self,
        printer: &Printer,
        runtime: &tokio::runtime::Runtime,
    ) -> anyhow::Result<(LoadedFleet, Access)> {
        let loaded = common::load(&self.fleet, printer)?;
        let access = common::access(&self.target, Some(&loaded), runtime)?;
        Ok((loaded, access))
    }
}
