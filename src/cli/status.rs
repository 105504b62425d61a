//! `status`.

use super::args::{FleetArgs, Format, Global, TargetArgs};
use super::{Exit, Printer, common};
use crate::ops;
use crate::plan::ignore::Contested;
use crate::report::{json, status_text};

/// Show how far each cluster is, by what its objects say of themselves
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    fleet: FleetArgs,

    #[command(flatten)]
    target: TargetArgs,

    /// Form of the output
    #[arg(long, short, value_enum, default_value_t, value_name = "FORM")]
    output: Format,
}

pub(super) fn run(args: &Args, _: &Global, printer: &Printer) -> anyhow::Result<Exit> {
    let loaded = common::load(&args.fleet, printer)?;
    let runtime = common::runtime()?;
    let options = ops::PlanOptions {
        against: ops::Against::Live(Box::new(common::access(&args.target, Some(&loaded), &runtime)?)),
        scope: common::scope(&args.fleet, &args.target),
        contested: Contested::new(),
        adopt: false,
        even_suspended: false,
        now: common::now(),
    };
    loaded.check_scope(&options.scope)?;
    let clusters = runtime.block_on(ops::status(&loaded, &options))?;
    runtime.block_on(options.against.close())?;
    match args.output {
        Format::Text => printer.data(&status_text::render(&clusters, printer.style()))?,
        Format::Json => printer.json(&json::status(&clusters))?,
    }
    Ok(if loaded.has_errors() { Exit::Error } else { Exit::Done })
}
