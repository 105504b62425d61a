//! `iam`.

use super::args::Global;
use super::whole_fleet::WholeFleetArgs;
use super::{Exit, Printer};
use crate::ops::{self, IamOptions, IamSubject};
use crate::rights::kubernetes::Purpose;
use crate::rights::rbac::Account;

/// Print the OCI policy statements that this fleet needs
///
/// One for each type of resource in each compartment that the fleet's documents name. They are written from Oracle's policy
/// reference and have never been tried against OCI itself: have them read by who knows your tenancy.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    fleet: WholeFleetArgs,

    /// The group of users that gets the rights
    #[arg(long, value_name = "NAME", default_value = "fleetwright")]
    group: String,

    /// The dynamic group that gets them: `--oci-auth instance-principal`
    #[arg(long, value_name = "NAME", conflicts_with = "group")]
    dynamic_group: Option<String>,

    /// The service account that gets them: `--oci-auth workload-identity`
    #[arg(long, value_name = "NAMESPACE/NAME", conflicts_with_all = ["group", "dynamic_group"])]
    workload: Option<Account>,

    /// The management cluster that the workload runs on; needed where the fleet has several
    #[arg(long, value_name = "NAME", requires = "workload")]
    management_cluster: Option<String>,

    /// Only what `plan` and `status` need
    #[arg(long)]
    read_only: bool,
}

pub(super) fn run(args: &Args, _: &Global, printer: &Printer) -> anyhow::Result<Exit> {
    let loaded = args.fleet.load(printer)?;
    let subject = match (&args.dynamic_group, &args.workload) {
        (Some(name), _) => IamSubject::DynamicGroup(name.clone()),
        (None, Some(account)) => IamSubject::Workload(account.clone()),
        (None, None) => IamSubject::Group(args.group.clone()),
    };
    let options = IamOptions {
        subject,
        management_cluster: args.management_cluster.clone(),
        purpose: if args.read_only { Purpose::Look } else { Purpose::Keep },
    };
    printer.data(&ops::iam(&loaded, &options)?)?;
    Ok(Exit::Done)
}
