//! `lock`.

use super::args::{DirectoryArgs, Global};
use super::{Exit, Printer, common};
use crate::ops;
use crate::report::plan_text::PlanText;

/// Update fleet.lock/, which pins what would otherwise float: addresses, placement, ids
///
/// Other commands work with an updated lock in memory and say so; only this one writes it. Commit the result. With
/// `--locked` nothing is written, and a lock that would change is an error.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    fleet: DirectoryArgs,

    /// Take the newest built-in templates, and show what they change and which nodes that replaces
    ///
    /// The lock names the version of the built-in templates, so that a newer fleetwright renders what the older one did. This
    /// names the newest in it. Nothing is applied: commit the lock, and review the plan as that of any other commit.
    #[arg(long, conflicts_with = "locked")]
    upgrade: bool,
}

pub(super) fn run(args: &Args, _: &Global, printer: &Printer) -> anyhow::Result<Exit> {
    let directory = &args.fleet.at.fleet;
    let (loaded, step) = if args.upgrade {
        let templates = ops::Templates::default();
        let step = ops::upgrade(directory, templates, jiff::Timestamp::now());
        let ops::Upgrade { from, to, loaded, plan } = common::runtime()?.block_on(step)?;
        (loaded, Some((from, to, plan)))
    } else {
        (common::load_directory(directory, args.fleet.locked)?, None)
    };
    common::show_problems(&loaded, printer);
    if loaded.has_errors() {
        printer.complain("fleet.lock was left as it is: mend the errors first");
        return Ok(Exit::Error);
    }
    match step {
        Some((from, to, _)) if from == to => printer.note(&format!("the templates are the newest, version {to}")),
        Some((from, to, plan)) => {
            if let Some(plan) = plan {
                printer.data(&PlanText { style: printer.style() }.render(&plan))?;
            }
            printer.note(&format!("the templates go from version {from} to {to}"));
        }
        None => {}
    }
    let written = ops::write_lock(&loaded, directory)?;
    if written.is_empty() {
        printer.note("fleet.lock is up to date");
    }
    for line in written {
        printer.note(&line);
    }
    Ok(Exit::Done)
}
