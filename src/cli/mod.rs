//! The command line: clap types and printing choices, one file a command, no logic.
//!
//! Invariant: stdout is data, stderr is everything else; commands build an `ops` options struct and show what comes back.

mod admit;
mod apply;
mod args;
mod ask_args;
mod common;
mod completion;
mod daemon;
mod daemon_list;
mod doctor;
mod explain;
mod git_args;
mod iam;
mod import;
mod init;
mod kubeconfig;
mod lease_args;
mod lock;
mod logging;
mod oci_args;
mod output;
mod panic;
mod plan;
mod progress;
mod rbac;
mod reconcile;
mod render;
mod report;
mod sandbox;
mod schema;
mod schemas;
mod schemas_args;
mod status;
mod suspend;
mod together;
mod validate;
mod webhook_args;
mod whole_fleet;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

pub use args::Global;
pub use logging::{LogFormat, Logging, start_logging};
pub use output::Printer;
pub use panic::redact_panics;

/// Exit codes, as documented in the README.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done; a plan with changes too, unless `--detailed-exitcode`.
    Done = 0,
    /// An error, a usage error among them.
    Error = 1,
    /// `--detailed-exitcode`: changes are pending.
    Changes = 2,
    /// Refused by a guard.
    Refused = 3,
    /// `--detailed-exitcode`: nothing but drift.
    Drift = 4,
}

/// Plans and applies fleets of OCI hosted clusters, from a few lines of YAML per cluster.
#[derive(Debug, Parser)]
#[command(name = "fleetwright", version, disable_help_subcommand = true, max_term_width = 110)]
#[command(after_help = "Exit codes: 0 done · 1 error · 3 refused by a guard; \
    with --detailed-exitcode also 2 changes pending · 4 nothing but drift.\n\
    Begin with `fleetwright init my-fleet`, then `fleetwright plan --fleet my-fleet --against nothing`.")]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Args),
    Import(import::Args),
    Validate(validate::Args),
    Admit(admit::Args),
    Render(render::Args),
    Explain(explain::Args),
    Plan(plan::Args),
    Report(report::Args),
    Apply(apply::Args),
    Status(status::Args),
    Daemon(daemon::Args),
    Reconcile(reconcile::Args),
    Suspend(suspend::Args),
    Resume(suspend::ResumeArgs),
    Kubeconfig(kubeconfig::Args),
    Rbac(rbac::Args),
    Iam(iam::Args),
    Doctor(doctor::Args),
    Sandbox(sandbox::Args),
    Lock(lock::Args),
    Schema(schema::Args),
    Schemas(schemas::Args),
    Completion(completion::Args),
}

impl Cli {
    /// Reads the command line.
    ///
    /// # Errors
    /// Where it makes no sense; requests for help and for the version are errors too.
    pub fn read() -> Result<Self, clap::Error> {
        let mut command = Self::command();
        let mut matches = command.try_get_matches_from_mut(std::env::args_os())?;
        together::check(&mut command, &matches)?;
        Self::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
    }

    /// The options that every command takes.
    pub fn global(&self) -> &Global {
        &self.global
    }

    /// Runs the command.
    ///
    /// # Errors
    /// What the user has to see; diagnostics and refusals are shown by the commands themselves.
    pub fn run(self, printer: &Printer) -> anyhow::Result<Exit> {
        let Self { global, command } = self;
        match command {
            Command::Init(args) => init::run(&args, printer),
            Command::Import(args) => import::run(&args, &global, printer),
            Command::Validate(args) => validate::run(&args, &global, printer),
            Command::Admit(args) => admit::run(&args, &global, printer),
            Command::Render(args) => render::run(&args, &global, printer),
            Command::Explain(args) => explain::run(&args, &global, printer),
            Command::Plan(args) => plan::run(&args, &global, printer),
            Command::Report(args) => report::run(&args, printer),
            Command::Apply(args) => apply::run(&args, &global, printer),
            Command::Status(args) => status::run(&args, &global, printer),
            Command::Daemon(args) => daemon::run(&args, &global, printer),
            Command::Reconcile(args) => reconcile::run(&args, &global, printer),
            Command::Suspend(args) => suspend::run(&args, &global, printer),
            Command::Resume(args) => suspend::resume(&args, &global, printer),
            Command::Kubeconfig(args) => kubeconfig::run(&args, &global, printer),
            Command::Rbac(args) => rbac::run(&args, &global, printer),
            Command::Iam(args) => iam::run(&args, &global, printer),
            Command::Doctor(args) => doctor::run(&args, &global, printer),
            Command::Sandbox(args) => sandbox::run(&args, &global, printer),
            Command::Lock(args) => lock::run(&args, &global, printer),
            Command::Schema(args) => schema::run(&args, printer),
            Command::Schemas(args) => schemas::run(&args, printer),
            Command::Completion(args) => completion::run(&args, printer),
        }
    }
}

/// Prints what clap says of a command line, in its colours where somebody looks; what was typed may hold a secret.
///
/// # Errors
/// Where stdout or stderr can't be written.
pub fn print_usage(error: &clap::Error, no_color: bool) -> std::io::Result<()> {
    use std::io::{IsTerminal as _, Write as _};
    if !error.use_stderr() {
        return error.print();
    }
    let rendered = error.render();
    let text = if std::io::stderr().is_terminal() && !no_color {
        rendered.ansi().to_string()
    } else {
        rendered.to_string()
    };
    std::io::stderr()
        .lock()
        .write_all(crate::redact::redacted(&text).as_bytes())
}

/// An error with its causes, as people get to see it.
pub fn error_text(error: &anyhow::Error, style: crate::report::style::Style) -> String {
    use crate::report::style::Tone;
    format!(
        "{} {}",
        style.paint(Tone::Bad, "error:"),
        crate::report::chain(error.as_ref())
    )
}
