//! `schemas`.

use super::args::{FleetArgs, FleetDirectory, TargetArgs};
use super::{Exit, Printer, common};
use crate::ops;

/// Keep the definitions of the fleet's kinds beside its files, so that a pull request is checked by them
///
/// CustomResourceDefinitions below schemas/ in the fleet directory hold for every management cluster; those in a folder of
/// a management cluster's name hold for it, before the others. `validate` and `plan` judge by them what is rendered, as an
/// API server would.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Pull(Pull),
}

/// Read them from the management clusters
///
/// Writes schemas/MANAGEMENT_CLUSTER/KIND.GROUP.yaml, without descriptions, for each kind that the files render.
/// Commit what it writes. It takes the right to get customresourcedefinitions, which no other command needs.
#[derive(Debug, clap::Args)]
struct Pull {
    #[command(flatten)]
    fleet: FleetDirectory,

    #[command(flatten)]
    target: TargetArgs,
}

pub(super) fn run(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    let Command::Pull(Pull { fleet, target }) = &args.command;
    let directory = fleet.fleet.clone();
    let loaded = common::load(&FleetArgs::all_of(directory.clone()), printer)?;
    let runtime = common::runtime()?;
    let access = common::access(target, Some(&loaded), &runtime)?;
    let pulled = runtime.block_on(ops::pull_definitions(&loaded, &access, &directory))?;
    runtime.block_on(ops::Against::Live(Box::new(access)).close())?;
    for file in &pulled.written {
        printer.data(&format!("{file}\n"))?;
    }
    for (on, kind, why) in &pulled.missing {
        printer.complain(&format!("{kind} on {on}: {why}"));
    }
    printer.note(&format!(
        "{} written, {} unchanged, {} not read",
        pulled.written.len(),
        pulled.unchanged,
        pulled.missing.len()
    ));
    Ok(if pulled.missing.is_empty() {
        Exit::Done
    } else {
        Exit::Error
    })
}
