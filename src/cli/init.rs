//! `init`.

use std::path::PathBuf;

use super::{Exit, Printer};
use crate::ops;

/// Make a new fleet directory: a few commented files that validate, render and plan as they are
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Directory to make; it must not exist, or be empty
    #[arg(default_value = "fleet", value_name = "DIR")]
    directory: PathBuf,

    /// The fleet's name
    #[arg(long, value_name = "NAME", default_value = "my-fleet")]
    name: String,
}

pub(super) fn run(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    for path in ops::init(&args.directory, &args.name)? {
        printer.note(&format!("wrote {}", path.display()));
    }
    let directory = args.directory.display();
    printer.note(&format!(
        "\nNext:\n  fleetwright validate --fleet {directory}\n  \
         fleetwright lock --fleet {directory}      # pins addresses and placement; commit the result\n  \
         fleetwright plan --fleet {directory} --against nothing"
    ));
    Ok(Exit::Done)
}
