//! `suspend` and `resume`.

use std::time::Duration;

use jiff::Timestamp;

use super::args::{Global, duration};
use super::ask_args::AskArgs;
use super::{Exit, Printer, common};
use crate::ops::{self, Access, LoadedFleet, Meant};

/// Have nothing of a cluster, an environment or the whole fleet written for a while
///
/// Sets annotations on the ClusterSync, or for more than a cluster on each management cluster's FleetStatus. What is
/// suspended is looked at and reported, and neither the daemon nor `apply` (unless told so) writes or deletes anything of it.
/// In Git the same is said by `suspend: {reason: …, until: …}` in a Fleet, Environment or Cluster document.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    ask: AskArgs,

    /// Why, for those who find it so
    #[arg(long, value_name = "TEXT")]
    reason: String,

    /// When it ends by itself, such as 2027-01-31T12:00:00Z [default: with `resume`]
    #[arg(long, value_name = "TIME", conflicts_with = "length")]
    until: Option<Timestamp>,

    /// How long it lasts, such as 90m or 8h [default: until `resume`]
    #[arg(long = "for", id = "length", value_name = "DURATION", value_parser = duration)]
    length: Option<Duration>,
}

/// End a suspension that was asked for by annotation
///
/// What the fleet files suspend stays suspended until a commit says otherwise, or its time is over.
#[derive(Debug, clap::Args)]
pub(super) struct ResumeArgs {
    #[command(flatten)]
    ask: AskArgs,
}

pub(super) fn run(args: &Args, _: &Global, printer: &Printer) -> anyhow::Result<Exit> {
    if args.reason.trim().is_empty() {
        anyhow::bail!("--reason says nothing");
    }
    let now = Timestamp::now();
    let until = match args.length {
        Some(length) => Some(now.checked_add(length)?),
        None => args.until,
    };
    if let Some(until) = until.filter(|until| *until <= now) {
        anyhow::bail!("{until} is over");
    }
    let runtime = common::runtime()?;
    let (loaded, access) = args.ask.open(printer, &runtime)?;
    for meant in args.ask.meant() {
        let objects = runtime.block_on(ops::suspend(&loaded, &access, &meant, args.reason.trim(), until))?;
        for object in objects {
            printer.note(&format!("annotated {object}"));
        }
        runtime.block_on(show(&loaded, &access, &meant, printer))?;
    }
    runtime.block_on(access.close())?;
    Ok(Exit::Done)
}

pub(super) fn resume(args: &ResumeArgs, _: &Global, printer: &Printer) -> anyhow::Result<Exit> {
    let runtime = common::runtime()?;
    let (loaded, access) = args.ask.open(printer, &runtime)?;
    for meant in args.ask.meant() {
        let objects = runtime.block_on(ops::resume(&loaded, &access, &meant))?;
        for object in objects {
            printer.note(&format!("annotated {object}"));
        }
        runtime.block_on(show(&loaded, &access, &meant, printer))?;
    }
    runtime.block_on(access.close())?;
    Ok(Exit::Done)
}

/// Says what is suspended now, by whatever wish.
async fn show(loaded: &LoadedFleet, access: &Access, meant: &Meant, printer: &Printer) -> anyhow::Result<()> {
    let suspended = ops::suspensions(loaded, access, meant).await?;
    if suspended.is_empty() {
        printer.data("nothing of that is suspended\n")?;
    }
    for (name, suspension) in suspended {
        printer.data(&format!("cluster {name} is suspended {suspension}\n"))?;
    }
    Ok(())
}
