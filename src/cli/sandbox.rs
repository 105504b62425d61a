//! `sandbox`.

use std::path::{Path, PathBuf};

use super::args::{FleetArgs, Global, SandboxArgs};
use super::{Exit, Printer, common};
use crate::ops;

/// Serve both control planes on loopback, for kubectl, Oracle's clients and this program
///
/// A sandbox is enough of the Kubernetes API for a fleet's management clusters and enough of OCI's API for its networks, with
/// simulated operators that bring hosted clusters up, upgrade and delete them. No cluster, no cloud account and no network
/// are needed. Its clock runs faster than yours; its state is kept in a directory and goes on where it was left.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Try it:\n  \
    fleetwright sandbox --fleet fleet &\n  \
    export KUBECONFIG=.fleetwright/sandbox/kubeconfig\n  \
    kubectl get hostedclusters -A --watch\n\n\
    `plan`, `apply` and `status` take --sandbox and need no server. The two don't have one directory open at a time.\n\n\
    Faults: --faults 429=0.05,answer-lost=0.02 or --faults all=0.02, the later winning. They are 409, 412, 429, 500, 503, \
    answer-lost (the write happens, the answer does not come), slow, lost-rights, watch-dropped, watch-stale, short-page. \
    The same --seed gives the same ones.")]
pub(super) struct Args {
    /// Where its state, the kubeconfig and the OCI configuration are kept
    #[arg(long, value_name = "DIR", default_value = common::SANDBOX)]
    dir: PathBuf,

    /// Port of the Kubernetes API on 127.0.0.1 [default: any that is free]
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    kube_port: u16,

    /// Port of the OCI API on 127.0.0.1 [default: any that is free]
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    oci_port: u16,

    #[command(flatten)]
    sandbox: SandboxArgs,

    /// Directory of fleet files: a management cluster is served for each of theirs, with what the fleet expects to find
    /// [default: fleet, where there is one; else a management cluster called `sandbox`]
    #[arg(long, value_name = "DIR", env = "FLEETWRIGHT_FLEET", hide_env_values = true)]
    fleet: Option<PathBuf>,
}

pub(super) fn run(args: &Args, _: &Global, printer: &Printer) -> anyhow::Result<Exit> {
    let default = PathBuf::from("fleet");
    let fleet = args
        .fleet
        .clone()
        .or_else(|| default.join("fleet.yaml").exists().then_some(default));
    let loaded = match fleet {
        Some(fleet) => Some(common::load(&FleetArgs::all_of(fleet), printer)?),
        None => None,
    };
    let options = ops::ServeOptions {
        directory: args.dir.clone(),
        sandbox: common::sandbox_options(None, &args.sandbox),
        kube_port: args.kube_port,
        oci_port: args.oci_port,
    };
    common::runtime()?.block_on(serve(&options, (loaded.as_ref(), args.fleet.as_deref()), printer))?;
    Ok(Exit::Done)
}

async fn serve(
    options: &ops::ServeOptions,
    (loaded, typed): (Option<&ops::LoadedFleet>, Option<&Path>),
    printer: &Printer,
) -> anyhow::Result<()> {
    let served = ops::serve_sandbox(options, loaded).await?;
    let of = typed.map_or_else(String::new, |fleet| format!(" --fleet {}", fleet.display()));
    // Listened for from the first poll on: whoever reads our lines may end us at once.
    let told = common::told_to_end()?;
    printer.data(&format!(
        "kubeconfig: {}\ncontexts:   {}\noci config: {}\noci url:    {}\n",
        served.kubeconfig.display(),
        served.contexts.join(", "),
        served.oci_config.display(),
        served.oci_url,
    ))?;
    printer.note("serving until Ctrl-C; in another terminal:");
    printer.note(&format!("  export KUBECONFIG={}", served.kubeconfig.display()));
    for context in &served.contexts {
        printer.note(&format!(
            "  kubectl --context {context} get hostedclusters,nodepools -A"
        ));
    }
    printer.note(&format!(
        "  oci --config-file {} --endpoint {}/regions/<region> network vcn list -c <compartment>",
        served.oci_config.display(),
        served.oci_url
    ));
    printer.note(&format!(
        "  fleetwright plan{of} --kubeconfig {} --oci-config {} --oci-endpoint '{}/regions/{{region}}'",
        served.kubeconfig.display(),
        served.oci_config.display(),
        served.oci_url
    ));
    told.await;
    printer.note("ending; the next run goes on from here");
    common::say_faults(Some(&served.sandbox), printer);
    Ok(served.end().await?)
}
