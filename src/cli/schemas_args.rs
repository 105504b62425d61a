//! By which definitions objects are judged.

use std::path::PathBuf;

use clap::Args;

use crate::ops::LoadedFleet;

/// By which definitions objects are judged.
#[derive(Debug, Args)]
pub(super) struct SchemasArgs {
    /// Judge objects by the CustomResourceDefinitions of this file or directory, and not by the fleet's own in schemas/
    /// (repeatable)
    #[arg(long, value_name = "FILE_OR_DIR")]
    schemas: Vec<PathBuf>,
}

impl SchemasArgs {
    /// Takes them for the fleet.
    pub(super) fn judge(&self, loaded: &mut LoadedFleet) -> anyhow::Result<()> {
        Ok(loaded.judge_by(&self.schemas)?)
    }
}
