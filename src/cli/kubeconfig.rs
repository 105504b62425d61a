//! `kubeconfig`.

use std::path::PathBuf;

use super::args::{FleetArgs, Global, TargetArgs};
use super::{Exit, Printer, common};
use crate::ops;

/// Print the kubeconfig of a cluster, or put it into a kubeconfig file
///
/// Reads the Secret that the cluster's operator keeps on its management cluster. Cluster, user and context all get the
/// cluster's name. What is printed is a secret: with --merge nothing is.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The cluster
    #[arg(value_name = "CLUSTER")]
    cluster_name: String,

    /// Put it into this kubeconfig file, beside what is there, instead of printing it [default when given without a value:
    /// the first file of KUBECONFIG, or ~/.kube/config]
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    merge: Option<Option<PathBuf>>,

    /// Name of the entries [default: the cluster's]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Replace entries of that name that lead to another server
    #[arg(long, requires = "merge")]
    overwrite: bool,

    #[command(flatten)]
    fleet: FleetArgs,

    #[command(flatten)]
    target: TargetArgs,
}

pub(super) fn run(args: &Args, _: &Global, printer: &Printer) -> anyhow::Result<Exit> {
    let runtime = common::runtime()?;
    let loaded = common::load(&args.fleet, printer)?;
    let access = common::access(&args.target, Some(&loaded), &runtime)?;
    let name = args.name.as_deref().unwrap_or(&args.cluster_name);
    let fetched = runtime.block_on(ops::kubeconfig::fetch(&loaded, &access, &args.cluster_name, name));
    runtime.block_on(access.close())?;
    let entry = fetched?;
    match &args.merge {
        None => printer.secret(&entry.alone()?)?,
        Some(file) => {
            let path = file
                .clone()
                .or_else(|| common::kubeconfigs(&args.target).into_iter().next());
            let path =
                path.ok_or_else(|| anyhow::anyhow!("there is no home directory: name the file, --merge=FILE"))?;
            ops::kubeconfig::merge_into(&path, &entry, args.overwrite)?;
            printer.note(&format!("context {name} is in {}", path.display()));
            printer.note(&format!("  kubectl --context {name} get nodes"));
        }
    }
    Ok(Exit::Done)
}
