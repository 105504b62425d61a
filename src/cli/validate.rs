//! `validate`.

use super::args::{FleetArgs, Format, Global};
use super::{Exit, Printer, common};
use crate::report::json;

/// Check the fleet files: form, references, rules, templates; needs no cluster
///
/// Every problem of every file is shown in one run, with its place and a way out. Warnings do not fail the check.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    fleet: FleetArgs,

    /// Form of the output
    #[arg(long, short, value_enum, default_value_t, value_name = "FORM")]
    output: Format,
}

pub(super) fn run(args: &Args, _: &Global, printer: &Printer) -> anyhow::Result<Exit> {
    let loaded = match args.output {
        Format::Text => common::load(&args.fleet, printer)?,
        Format::Json => common::load_silently(&args.fleet)?,
    };
    match args.output {
        Format::Text => printer.note(&loaded.summary()),
        Format::Json => printer.json(&json::validation(&loaded.diagnostics))?,
    }
    Ok(if loaded.has_errors() { Exit::Error } else { Exit::Done })
}
