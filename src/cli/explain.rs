//! `explain`.

use super::args::{FleetArgs, Format, Global};
use super::{Exit, Printer, common};
use crate::ops;
use crate::report::{explain_text, json};

/// Show where each value of a cluster comes from, as `git blame` shows a line
///
/// For each value: the file, line and layer that set it, and what that overrode. FIELD is a dotted path in the terms of
/// the fleet files; it stands for itself and all below it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The cluster
    cluster_name: String,

    /// A field, such as `network.machine` or `pools.general`
    field: Option<String>,

    #[command(flatten)]
    fleet: FleetArgs,

    /// Form of the output
    #[arg(long, short, value_enum, default_value_t, value_name = "FORM")]
    output: Format,
}

pub(super) fn run(args: &Args, _: &Global, printer: &Printer) -> anyhow::Result<Exit> {
    let loaded = common::load_silently(&args.fleet)?;
    let explained = ops::explain(&loaded, &args.cluster_name, args.field.as_deref())?;
    match args.output {
        Format::Text => printer.data(&explain_text::render(&explained, printer.style()))?,
        Format::Json => printer.json(&json::explanation(&args.cluster_name, &explained))?,
    }
    if loaded.has_errors() {
        printer.note("some fleet files have errors; `fleetwright validate` shows them");
    }
    Ok(Exit::Done)
}
