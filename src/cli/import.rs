//! `import`.

use std::path::PathBuf;

use super::args::{Global, TargetArgs};
use super::{Exit, Printer, common};
use crate::diag::{Code, Diagnostic, Severity};
use crate::ops::{self, ImportOptions};

/// Write the fleet files of what runs already
///
/// Reads the HostedClusters and NodePools of a management cluster and writes files that render to the same objects: what
/// clusters have in common goes into the Fleet's defaults, environments and node pool profiles, networks are taken as they
/// are, by their OCIDs, and Secrets by their names; what Secrets hold is never read. What the files have no words for is kept
/// as a raw patch. Nothing on the management cluster is changed: `apply --adopt` takes the objects over later, and changes
/// no spec.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Directory to make; it must not exist, or be empty
    #[arg(long, short, value_name = "DIR")]
    output: PathBuf,

    /// The fleet's name
    #[arg(long, value_name = "NAME", default_value = "imported")]
    name: String,

    /// The environment of the clusters
    #[arg(long, value_name = "NAME", default_value = "imported")]
    environment: String,

    /// The label of HostedClusters that names the environment of each
    #[arg(long, value_name = "KEY")]
    environment_label: Option<String>,

    /// The OCI region of management clusters on which no object tells it
    #[arg(long, value_name = "REGION")]
    region: Option<String>,

    #[command(flatten)]
    target: TargetArgs,
}

pub(super) fn run(args: &Args, _: &Global, printer: &Printer) -> anyhow::Result<Exit> {
    let runtime = common::runtime()?;
    let access = common::access(&args.target, None, &runtime)?;
    let options = ImportOptions {
        access,
        fleet: args.name.clone(),
        environment: args.environment.clone(),
        environment_label: args.environment_label.clone(),
        region: args.region.clone(),
        now: jiff::Timestamp::now(),
    };
    let imported = runtime.block_on(ops::import(&options));
    runtime.block_on(options.access.close())?;
    let imported = imported?;
    say(&imported.diagnostics, printer);
    if imported.clusters == 0 && imported.is_incomplete() {
        printer.complain("nothing can be imported: nothing was written");
        return Ok(Exit::Error);
    }
    let written = ops::write_imported(&imported, &args.output)?;
    let directory = args.output.display();
    if !imported.is_factored {
        printer.note("each cluster has all of its own: with defaults for all of them something else would be rendered");
    }
    printer.note(&format!(
        "{} hosted clusters with {} node pools in {} files in {directory}",
        imported.clusters,
        imported.pools,
        written.len()
    ));
    printer.note(&format!(
        "\nNext:\n  fleetwright validate --fleet {directory}\n  \
         fleetwright plan --adopt --fleet {directory}      # the marks of this fleet, and nothing else\n  \
         fleetwright apply --adopt --fleet {directory}     # takes the objects over; no spec changes"
    ));
    Ok(if imported.is_incomplete() {
        Exit::Error
    } else {
        Exit::Done
    })
}

/// What is kept as a patch, waived or left out. Notes keep quiet where people asked for that.
fn say(diagnostics: &[Diagnostic], printer: &Printer) {
    for problem in diagnostics {
        let word = match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "note",
        };
        let mut line = match problem.code {
            Code::ImportPatch | Code::ImportUnsaid => problem.message.clone(),
            code => format!("{word}[{code}]: {}", problem.message),
        };
        for hint in &problem.hints {
            line.push_str(&format!("\n  hint: {hint}"));
        }
        match problem.severity {
            Severity::Error => printer.complain(&line),
            Severity::Warning | Severity::Info => printer.note(&line),
        }
    }
}
