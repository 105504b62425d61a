//! Options of commands that are about a fleet as a whole.

use std::path::PathBuf;

use clap::Args;

use super::args::DirectoryArgs;
use super::git_args::GitArgs;
use super::{Printer, common};
use crate::ops::LoadedFleet;

/// Where the fleet is.
#[derive(Debug, Args)]
pub(super) struct WholeFleetArgs {
    /// Directory of the fleet files
    #[arg(
        long,
        value_name = "DIR",
        default_value = "fleet",
        env = "FLEETWRIGHT_FLEET",
        hide_env_values = true
    )]
    pub(super) fleet: PathBuf,

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
            None => common::load_directory(&DirectoryArgs {
                fleet: self.fleet.clone(),
                cluster: Vec::new(),
                environment: Vec::new(),
                locked: false,
            }),
        }
    }
}
