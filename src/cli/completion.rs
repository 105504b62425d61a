//! `completion`.

use clap::CommandFactory as _;

use super::{Cli, Exit, Printer};

/// Print a shell's completion script
///
/// Put it where the shell looks, for instance:
///   fleetwright completion bash > /etc/bash_completion.d/fleetwright
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

pub(super) fn run(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "fleetwright", &mut script);
    printer.data(&String::from_utf8(script)?)?;
    Ok(Exit::Done)
}
