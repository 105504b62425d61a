//! `render`.

use std::path::PathBuf;

use super::args::{FleetArgs, Global};
use super::{Exit, Printer, common};
use crate::ops;

/// Print the manifests that the fleet files come to, or write them into a directory
///
/// Without `-o` all manifests go to stdout as one YAML stream. With `-o DIR` each object is a file of its own, which suits
/// a rendered branch: files of objects that are gone are removed, unchanged ones are not touched.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    fleet: FleetArgs,

    /// Write a file for each object into this directory, which is made or must have been written by `render` before
    #[arg(long, short, value_name = "DIR")]
    output: Option<PathBuf>,
}

pub(super) fn run(args: &Args, _: &Global, printer: &Printer) -> anyhow::Result<Exit> {
    let loaded = common::load(&args.fleet, printer)?;
    let scope = common::scope_of(&args.fleet);
    loaded.check_scope(&scope)?;
    match &args.output {
        None => printer.documents(&ops::render_stream(&loaded, &scope)?)?,
        Some(directory) => {
            let written = ops::render_tree(&loaded, &scope, directory)?;
            printer.note(&format!(
                "{} objects in {}: {} written, {} unchanged, {} removed",
                written.total(),
                directory.display(),
                written.written,
                written.unchanged,
                written.removed
            ));
        }
    }
    Ok(if loaded.has_errors() { Exit::Error } else { Exit::Done })
}
