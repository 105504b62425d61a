//! `lock`.

use super::args::{DirectoryArgs, Global};
use super::{Exit, Printer, common};
use crate::ops;

/// Update fleet.lock/, which pins what would otherwise float: addresses, placement, ids
///
/// Other commands work with an updated lock in memory and say so; only this one writes it. Commit the result. With
/// `--locked` nothing is written, and a lock that would change is an error.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    fleet: DirectoryArgs,
}

pub(super) fn run(args: &Args, _: &Global, printer: &Printer) -> anyhow::Result<Exit> {
    let loaded = common::load_directory(&args.fleet.at.fleet, args.fleet.locked)?;
    common::show_problems(&loaded, printer);
    if loaded.has_errors() {
        printer.complain("fleet.lock was left as it is: mend the errors first");
        return Ok(Exit::Error);
    }
    let written = ops::write_lock(&loaded, &args.fleet.at.fleet)?;
    if written.is_empty() {
        printer.note("fleet.lock is up to date");
    }
    for line in written {
        printer.note(&line);
    }
    Ok(Exit::Done)
}
