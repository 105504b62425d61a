//! What several commands do alike: load the fleet and show its problems, read the shared options.

use super::Printer;
use std::path::Path;

use super::args::{FleetArgs, PodArgs, SandboxArgs, TargetArgs};
use crate::diag::{Diagnostic, Severity};
use crate::ops::{self, Access, LoadOptions, LoadedFleet, Scope};
use crate::providers::kubernetes::ServiceAccount;
use crate::report::style::Style;
use crate::report::{self, oci_text};
use crate::resource::Revision;
use crate::sandbox::{self, Sandbox};

/// Where a sandbox is, unless a directory is named.
pub(super) const SANDBOX: &str = ".fleetwright/sandbox";

/// Loads the fleet and shows every problem on stderr.
pub(super) fn load(args: &FleetArgs, printer: &Printer) -> anyhow::Result<LoadedFleet> {
    let loaded = load_silently(args)?;
    show_problems(&loaded, printer);
    for line in &loaded.notes {
        printer.note(line);
    }
    Ok(loaded)
}

/// Shows what API servers would refuse of a plan, and which rules are about nothing, and adds it to the problems of the files.
pub(super) fn show_inadmissible(loaded: &mut LoadedFleet, planned: &ops::Planned, printer: &Printer) {
    for found in [&planned.inadmissible, &planned.idle] {
        show(found, loaded, printer, None);
        loaded.diagnostics.extend(found.iter().cloned());
    }
}

/// Looks for the lines that a plan comes from, and the commits that set them. Without them it is as good.
pub(super) fn trace(loaded: &LoadedFleet, planned: &mut ops::Planned, since: Option<&Revision>, printer: &Printer) {
    if let Err(error) = ops::trace(loaded, planned, since) {
        printer.note(&format!(
            "note: which commits set what changes is not known: {}",
            report::chain(&error)
        ));
    }
}

/// Shows which rules are about nothing.
pub(super) fn show_idle(loaded: &LoadedFleet, planned: &ops::Planned, printer: &Printer) {
    show(&planned.idle, loaded, printer, None);
}

/// Warnings of one code that are shown to who came for something else; `validate` shows all.
const ALIKE: usize = 3;

/// Shows the problems of the files on stderr, of those that are alike the first; only errors when quiet.
pub(super) fn show_problems(loaded: &LoadedFleet, printer: &Printer) {
    show(&loaded.diagnostics, loaded, printer, Some(ALIKE));
}

/// Shows every problem of the files on stderr; only errors when quiet.
pub(super) fn show_all_problems(loaded: &LoadedFleet, printer: &Printer) {
    show(&loaded.diagnostics, loaded, printer, None);
}

fn show(diagnostics: &[Diagnostic], loaded: &LoadedFleet, printer: &Printer, alike: Option<usize>) {
    let shown: Vec<_> = diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Error || !printer.is_quiet())
        .cloned()
        .collect();
    if !shown.is_empty() {
        let style = report::diagnostics::Style {
            color: printer.error_style() == Style::Coloured,
            alike,
        };
        printer.complain(&report::diagnostics::render(&shown, &loaded.files, style));
    }
}

/// Loads the fleet.
pub(super) fn load_silently(args: &FleetArgs) -> anyhow::Result<LoadedFleet> {
    match args.git.options(cache())? {
        Some(options) => load_fetched(&options, args.directory.locked),
        None => load_directory(&args.directory.at.fleet, args.directory.locked),
    }
}

/// Loads the fleet that is in a directory.
pub(super) fn load_directory(fleet: &Path, locked: bool) -> anyhow::Result<LoadedFleet> {
    let options = LoadOptions {
        directory: fleet.to_owned(),
        locked,
        now: jiff::Timestamp::now(),
    };
    Ok(ops::load(&options)?)
}

pub(super) fn load_fetched(options: &ops::FetchOptions, locked: bool) -> anyhow::Result<LoadedFleet> {
    let ops::FetchedTree { fetched, tree } = ops::fetch(options)?;
    let options = ops::TreeOptions {
        locked,
        now: options.now,
        earlier: None,
        templates: ops::Templates::default(),
    };
    let mut loaded = ops::load_tree(tree, &options)?;
    let signed = match &fetched.signer {
        Some(signer) => format!(", signed by {} ({})", signer.name, signer.key),
        None => String::new(),
    };
    let commit = format!("commit {} ({}){signed}", fetched.commit, fetched.name);
    loaded.notes.insert(0, commit);
    Ok(loaded)
}

/// A fleet's directory as it is named within the repository that it is in; as it was typed where that can't be told.
pub(super) fn in_repository(fleet: &Path) -> String {
    let typed = || fleet.to_string_lossy().into_owned();
    let Ok(whole) = std::fs::canonicalize(fleet) else {
        return typed();
    };
    let top = whole.ancestors().find(|folder| folder.join(".git").exists());
    let within = top.and_then(|top| whole.strip_prefix(top).ok());
    within.map_or_else(typed, |path| path.to_string_lossy().into_owned())
}

/// Where this program keeps what it can come by again.
pub(super) fn cache() -> Option<std::path::PathBuf> {
    let named = std::env::var_os("XDG_CACHE_HOME").map(std::path::PathBuf::from);
    let parent = named
        .filter(|path| path.is_absolute())
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
    parent.map(|path| path.join("fleetwright"))
}

/// Which part of the fleet is meant.
pub(super) fn scope_of(args: &FleetArgs) -> Scope {
    Scope {
        clusters: args.directory.cluster.clone(),
        environments: args.directory.environment.clone(),
        ..Scope::default()
    }
}

/// Which part of the fleet, on which control planes.
pub(super) fn scope(args: &FleetArgs, target: &TargetArgs) -> Scope {
    Scope {
        provider: provider(target),
        management_clusters: target.management_cluster.clone(),
        ..scope_of(args)
    }
}

/// The only kind of control plane that is meant, if it is one.
pub(super) fn provider(target: &TargetArgs) -> Option<ops::ProviderScope> {
    use super::args::ProviderKind;
    target.provider.map(|kind| match kind {
        ProviderKind::Kubernetes => ops::ProviderScope::Kubernetes,
        ProviderKind::Oci => ops::ProviderScope::Oci,
    })
}

/// How a sandbox is opened.
pub(super) fn sandbox_options(directory: Option<std::path::PathBuf>, args: &SandboxArgs) -> sandbox::Options {
    sandbox::Options {
        directory,
        seed: args.seed,
        faults: args.faults.clone(),
        speed: args.speed,
        limited: !args.no_limits,
        now: jiff::Timestamp::now(),
    }
}

/// How the control planes are reached; a sandbox is made ready for the fleet, and runs in the runtime from then on.
pub(super) fn access(
    args: &TargetArgs,
    loaded: Option<&LoadedFleet>,
    runtime: &tokio::runtime::Runtime,
) -> anyhow::Result<Access> {
    if let Some(directory) = &args.sandbox {
        let options = sandbox_options(Some(directory.clone()), &args.sandbox_options);
        let sandbox = runtime.block_on(ops::open_sandbox(options, loaded))?;
        return Ok(Access {
            sandbox: Some(sandbox),
            management_clusters: args.management_cluster.clone(),
            // How much of OCI is read, and how fast: how it is reached is another matter here.
            oci: args.oci.access(&args.pod),
            ..Access::default()
        });
    }
    let kubeconfigs = kubeconfigs(args);
    let asked_for = args.kubeconfig.is_some() || !args.context.is_empty();
    let here = in_cluster(&args.pod).filter(|_| !asked_for && kubeconfigs.iter().all(|path| !path.exists()));
    Ok(Access {
        kubeconfigs,
        in_cluster: here,
        contexts: Access::contexts_of(&args.context),
        management_clusters: args.management_cluster.clone(),
        allow_exec: args.allow_exec,
        cache: cache(),
        oci: args.oci.access(&args.pod),
        sandbox: None,
        held: None,
        metrics: std::sync::Arc::default(),
    })
}

/// The kubeconfig files that are looked into, in their order.
pub(super) fn kubeconfigs(args: &TargetArgs) -> Vec<std::path::PathBuf> {
    match &args.kubeconfig {
        // KUBECONFIG may list several files, as for kubectl.
        Some(paths) => std::env::split_paths(paths)
            .filter(|path| !path.as_os_str().is_empty())
            .collect(),
        None => std::env::home_dir()
            .map(|home| home.join(".kube/config"))
            .into_iter()
            .collect(),
    }
}

/// The cluster that this runs in, where it runs in a pod.
fn in_cluster(pod: &PodArgs) -> Option<ServiceAccount> {
    let host = pod.service_host.as_deref().filter(|host| !host.is_empty())?;
    let port: u16 = pod.service_port.as_deref()?.parse().ok()?;
    let server = if host.contains(':') {
        format!("https://[{host}]:{port}")
    } else {
        format!("https://{host}:{port}")
    };
    Some(ServiceAccount {
        server,
        folder: pod.service_account.clone(),
    })
}

/// Says what was asked of OCI.
pub(super) fn say_calls(planned: &ops::Planned, printer: &Printer) {
    if let Some(oci) = &planned.oci {
        printer.note(&oci_text::render(
            &oci.client().counts(),
            (planned.unread.count, planned.unread.since.as_deref()),
        ));
    }
}

/// Says which of a sandbox's faults struck, of how many times that they could have.
pub(super) fn say_faults(sandbox: Option<&Sandbox>, printer: &Printer) {
    let counts = sandbox.map(|sandbox| sandbox.faults().counts()).unwrap_or_default();
    let struck: Vec<String> = counts
        .into_iter()
        .filter(|(_, (_, struck))| *struck > 0)
        .map(|(point, (passed, struck))| format!("{point}: {struck} of {passed}"))
        .collect();
    if !struck.is_empty() {
        printer.note(&format!("faults that struck: {}", struck.join(", ")));
    }
}

/// Ends with Ctrl-C or SIGTERM; listens for both from now on.
pub(super) fn told_to_end() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// The time, RFC 3339, in seconds.
pub(super) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The runtime that a command talks in.
pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
