//! `validate`.

use super::args::{FleetArgs, Global, ReportFormat};
use super::schemas_args::SchemasArgs;
use super::{Exit, Printer, common};
use crate::ops;
use crate::report::{json, junit, markdown, sarif};

/// Check the fleet files: form, references, rules, templates, and what API servers would refuse; needs no cluster
///
/// Every problem of every file is shown in one run, with its place and a way out. Warnings do not fail the check.
///
/// What the files render is judged by the CustomResourceDefinitions below schemas/ in the fleet directory, as `fleetwright
/// admit` does it and an API server would; `fleetwright schemas pull` reads them from the management clusters. Kinds that no
/// definition is about are named.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    fleet: FleetArgs,

    #[command(flatten)]
    schemas: SchemasArgs,

    /// Form of the output
    #[arg(long, short, value_enum, default_value_t, value_name = "FORM")]
    output: ReportFormat,
}

pub(super) fn run(args: &Args, _: &Global, printer: &Printer) -> anyhow::Result<Exit> {
    let mut loaded = common::load_silently(&args.fleet)?;
    args.schemas.judge(&mut loaded)?;
    let admission = ops::check_admission(&loaded, &common::scope_of(&args.fleet));
    loaded.diagnostics.extend(admission.diagnostics.iter().cloned());
    if args.output != ReportFormat::Json {
        common::show_all_problems(&loaded, printer);
        for line in loaded.notes.iter().chain(&admission.note()) {
            printer.note(line);
        }
    }
    match args.output {
        ReportFormat::Text => printer.note(&loaded.summary()),
        ReportFormat::Json => {
            let not_checked = admission.not_checked.iter();
            let kinds = not_checked.map(|(api_version, kind)| (api_version.as_str(), kind.as_str()));
            printer.json(&json::validation(&loaded.diagnostics, kinds))?;
        }
        ReportFormat::Markdown => printer.data(&markdown::problems(loaded.fleet.name.as_str(), &loaded.diagnostics))?,
        ReportFormat::Sarif => {
            let directory = common::in_repository(&args.fleet.directory.at.fleet);
            printer.json(&sarif::of_diagnostics(&loaded.diagnostics, &directory))?;
        }
        ReportFormat::Junit => printer.data(&junit::of_diagnostics(&loaded.diagnostics))?,
    }
    Ok(if loaded.has_errors() { Exit::Error } else { Exit::Done })
}
