//! `schema`.

use super::{Exit, Printer};
use crate::ops;

/// Print a JSON Schema: of the fleet files, for editors, or of a command's JSON output
///
/// In an editor that knows the YAML language server, put this line on top of a fleet file:
///   # yaml-language-server: $schema=path/to/fleet.json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// Which one; without it, their names are listed
    name: Option<String>,
}

pub(super) fn run(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    let all = ops::schemas();
    match &args.name {
        None => {
            let names: String = all.keys().map(|name| format!("{name}\n")).collect();
            printer.data(&names)?;
        }
        Some(name) => match all.get(name) {
            Some(schema) => printer.json(schema)?,
            None => {
                let names: Vec<&str> = all.keys().map(String::as_str).collect();
                anyhow::bail!("there is no schema `{name}`; there are: {}", names.join(", "));
            }
        },
    }
    Ok(Exit::Done)
}
