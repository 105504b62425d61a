//! Options of commands that are about a fleet as a whole.

use clap::Args;

use super::args::FleetDirectory;
use super::git_args::GitArgs;
use super::{Printer, common};
use crate::ops::LoadedFleet;

/// Where the fleet is.
#[derive(Debug, Args)]
pub(super) struct WholeFleetArgs {
    #[command(flatten)]
    at: FleetDirectory,

    #[command(flatten)]
    pub(super) git: GitArgs,
}

impl WholeFleetArgs {
    /// Loads it and shows every problem on stderr.
    pub(super) fn load(&self, printer: &Printer) -> anyhow::Result<LoadedFleet> {
        let loaded = self.load_silently()?;
        common::show_problems(&loaded, printer);
        for line in &loaded.notes {
            printer.note(line);
        }
        Ok(loaded)
    }

    /// Loads it.
    pub(super) fn load_silently(&self) -> anyhow::Result<LoadedFleet> {
        match self.git.options(common::cache())? {
            Some(options) => common::load_fetched(&options, false),
            None => common::load_directory(&self.at.fleet, false),
        }
    }
}
