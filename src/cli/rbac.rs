//! `rbac`.

use super::args::Global;
use super::whole_fleet::WholeFleetArgs;
use super::{Exit, Printer};
use crate::ops::{self, RbacOptions};
use crate::rights::kubernetes::Purpose;
use crate::rights::rbac::Account;

/// Print the RBAC rules that this fleet needs on a management cluster
///
/// They follow from what the fleet renders: the kinds, what is done with each, and the Secrets by name. Nothing is granted
/// that no call needs. Print them anew when a kind or a Secret of another name comes into the fleet files; and leave the old
/// ones in place until what left the files is gone, for it takes rights to delete it. The namespaces that are named, fleetwright-system
/// among them, have to be there.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Try it:\n  fleetwright rbac --management-cluster iad-1 | kubectl apply -f -\n  \
    fleetwright rbac --management-cluster iad-1 --read-only --service-account ci/planner"
)]
pub(super) struct Args {
    #[command(flatten)]
    fleet: WholeFleetArgs,

    /// The management cluster; needed where the fleet has several
    #[arg(long, value_name = "NAME")]
    management_cluster: Option<String>,

    /// Who gets the rights
    #[arg(
        long,
        value_name = "NAMESPACE/NAME",
        default_value = "fleetwright-system/fleetwright"
    )]
    service_account: Account,

    /// Only what `plan`, `status` and `doctor` need
    #[arg(long)]
    read_only: bool,

    /// Also the Secrets of the fleet's OCI identities, as `--oci-auth secret` reads them
    #[arg(long)]
    oci_secrets: bool,
}

pub(super) fn run(args: &Args, _: &Global, printer: &Printer) -> anyhow::Result<Exit> {
    let loaded = args.fleet.load(printer)?;
    let options = RbacOptions {
        management_cluster: args.management_cluster.clone(),
        account: args.service_account.clone(),
        purpose: if args.read_only { Purpose::Look } else { Purpose::Keep },
        reads_keys: args.oci_secrets,
    };
    printer.data(&ops::rbac(&loaded, &options)?)?;
    Ok(Exit::Done)
}
