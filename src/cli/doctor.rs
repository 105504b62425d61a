//! `doctor`.

use super::args::{Format, Global, TargetArgs};
use super::whole_fleet::WholeFleetArgs;
use super::{Exit, Printer, common};
use crate::ops::{self, DoctorOptions, FetchError};
use crate::report::doctor_text::{self, Finding};
use crate::report::json;
use crate::rights::kubernetes::Purpose;
use crate::source::git::GitError;

/// Look whether everything that this fleet needs is there, and say what to do where it is not
///
/// The files, the repository, and for each management cluster the connection, its version and clock, the kinds, our rights
/// one by one, the inventories; for OCI the credentials and the clock. Nothing is written. The exit code is 1 where
/// something fails.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    fleet: WholeFleetArgs,

    #[command(flatten)]
    target: TargetArgs,

    /// Only the rights that `plan` and `status` need
    #[arg(long)]
    read_only: bool,

    /// Form of the output
    #[arg(long, short, value_enum, default_value_t, value_name = "FORM")]
    output: Format,
}

pub(super) fn run(args: &Args, _: &Global, printer: &Printer) -> anyhow::Result<Exit> {
    let findings = examine(args, printer)?;
    match args.output {
        Format::Text => printer.data(&doctor_text::render(&findings, printer.style()))?,
        Format::Json => printer.json(&json::doctor(&findings))?,
    }
    Ok(if doctor_text::is_well(&findings) {
        Exit::Done
    } else {
        Exit::Error
    })
}

/// What to do where a repository is not read.
fn fetch_hint(error: Option<&FetchError>) -> &'static str {
    match error {
        Some(FetchError::Git(GitError::Credentials { given: true, .. })) => {
            "make a token with leave to read this repository, and give it by --git-token-file or FLEETWRIGHT_GIT_TOKEN; \
             --git-user says whose it is, where the server asks for that"
        }
        Some(FetchError::Git(GitError::Credentials { given: false, .. })) => {
            "--git-token-file or FLEETWRIGHT_GIT_TOKEN gives a token, --git-ssh-key a key for ssh"
        }
        _ => "is the URL right, the token or key good, and the server reachable from here?",
    }
}

fn examine(args: &Args, printer: &Printer) -> anyhow::Result<Vec<Finding>> {
    let repository = args.fleet.git.git.as_deref();
    let loaded = match args.fleet.load_silently() {
        Ok(loaded) => loaded,
        Err(error) => {
            let hint = fetch_hint(error.downcast_ref());
            let error = crate::report::chain(error.as_ref());
            return Ok(vec![match repository {
                Some(_) => Finding::fail("git", "", error, hint),
                None => Finding::fail("files", "", error, "--fleet DIR or --git URL says where they are"),
            }]);
        }
    };
    common::show_problems(&loaded, printer);
    let mut findings = Vec::new();
    if repository.is_some() {
        findings.push(Finding::ok(
            "git",
            "",
            loaded.notes.first().cloned().unwrap_or_default(),
        ));
    }
    let runtime = common::runtime()?;
    let access = common::access(&args.target, Some(&loaded), &runtime)?;
    let options = DoctorOptions {
        access: access.clone(),
        purpose: if args.read_only { Purpose::Look } else { Purpose::Keep },
        management_clusters: args.target.management_cluster.clone(),
    };
    findings.extend(runtime.block_on(ops::doctor(&loaded, &options)));
    runtime.block_on(ops::Against::Live(Box::new(access)).close())?;
    Ok(findings)
}
