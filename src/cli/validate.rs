//! `validate`.

use super::args::{FleetArgs, Global, ReportFormat};
use super::{Exit, Printer, common};
use crate::report::{json, junit, markdown, sarif};

/// Check the fleet files: form, references, rules, templates; needs no cluster
///
/// Every problem of every file is shown in one run, with its place and a way out. Warnings do not fail the check.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    fleet: FleetArgs,

    /// Form of the output
    #[arg(long, short, value_enum, default_value_t, value_name = "FORM")]
    output: ReportFormat,
}

pub(super) fn run(args: &Args, _: &Global, printer: &Printer) -> anyhow::Result<Exit> {
    let loaded = match args.output {
        ReportFormat::Json => common::load_silently(&args.fleet)?,
        _ => common::load(&args.fleet, printer)?,
    };
    match args.output {
        ReportFormat::Text => printer.note(&loaded.summary()),
        ReportFormat::Json => printer.json(&json::validation(&loaded.diagnostics))?,
        ReportFormat::Markdown => printer.data(&markdown::problems(loaded.fleet.name.as_str(), &loaded.diagnostics))?,
        ReportFormat::Sarif => {
            let directory = common::in_repository(&args.fleet.directory.at.fleet);
            printer.json(&sarif::of_diagnostics(&loaded.diagnostics, &directory))?;
        }
        ReportFormat::Junit => printer.data(&junit::of_diagnostics(&loaded.diagnostics))?,
    }
    Ok(if loaded.has_errors() { Exit::Error } else { Exit::Done })
}
