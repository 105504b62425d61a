//! `daemon`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use futures::future::join_all;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::args::{FleetDirectory, Global, TargetArgs, duration};
use super::daemon_list::{self, List};
use super::git_args::GitArgs;
use super::lease_args::ReplicaArgs;
use super::webhook_args::WebhookArgs;
use super::{Exit, Printer, common};
use crate::daemon::{self, Directory, Options, Pace, Repository, Shown, Source, Taken};
use crate::fleet::model::DriftAction;
use crate::http_server::Server;
use crate::ops::{self, Access, LoadedFleet};
use crate::providers::oci::budget::{Budget, Rate};
use crate::source::git::Allowed;

/// Keep the live state as the fleet files say, until told to stop
///
/// Looks at the files regularly, in a directory or in a Git repository (--git). A revision comes into force once it has
/// loaded without an error and its lock is up to date; until then the last one stays in force, and /status says why. Live
/// objects are watched: what somebody changes is mended (or reported, with --drift report), and each cluster is looked at now
/// and then whether anything was heard of it or not. All guards hold; the cap on deletes counts over 24 hours, over all
/// daemons of a management cluster. Ctrl-C or SIGTERM: what is under way is finished, and the next run goes on from there.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Try it:\n  fleetwright daemon --sandbox --listen 127.0.0.1:8080 --verbose\n  \
    curl -s http://127.0.0.1:8080/status\n\n\
    Several daemons of one fleet: --replicas standby, and one of them works at a time; or --replicas sharded, and each has\n\
    its share. Without, run one: several do no harm, since every write names what was read, and do everything twice. A\n\
    daemon in each management cluster takes what is recorded there with --management-cluster NAME.\n\n\
    Webhooks: at the Git server give the URL with the path /webhook, content type application/json, pushes alone. GitHub,\n\
    Gitea and others sign each of them with the secret. GitLab sends its \"Secret token\" as it is, which whoever reads it can\n\
    use again: give it a secret of its own, and only over TLS, ended before this address. Of several replicas any may be\n\
    told: it tells the others by an annotation of the FleetStatus. Daemons of one management cluster\n\
    each do not tell each other: give each of them a webhook.\n\n\
    Several fleets in one process (--config fleets.yaml), none of which waits for another:\n  \
    fleets:\n  \
    - name: payments\n    \
    git: {url: https://git.example.com/payments/fleet.git, ref: main, tokenFile: payments-token}\n  \
    - name: data\n    \
    git: {url: ssh://git@git.example.com/data/fleet.git, path: clusters, sshKeyFile: data-key}\n    \
    webhookSecretFile: data-webhook-secret\n\n\
    Paths are meant from the file's directory. The other options hold for all of them; Leases, caps\n\
    and statuses are each fleet's own, the budget of calls to OCI is everybody's. /status has them by\n\
    name, metrics by the label `fleet`."
)]
pub(super) struct Args {
    #[command(flatten)]
    at: FleetDirectory,

    #[command(flatten)]
    git: GitArgs,

    /// Follow the fleets that this file lists, each from its own repository, instead of one: see `fleetwright schema daemon/fleets`
    #[arg(long, value_name = "FILE", conflicts_with_all = ["fleet", "git"])]
    config: Option<PathBuf>,

    #[command(flatten)]
    target: TargetArgs,

    /// Go back to an older commit than the one in force; meant for one run, after a branch was reset on purpose
    #[arg(long, help_heading = "Git", requires = "git")]
    allow_older: bool,

    /// Go to a commit that was not made on top of the one in force; meant for one run, after history was rewritten on purpose
    #[arg(long, help_heading = "Git", requires = "git")]
    allow_rewritten: bool,

    /// How often the fleet files are looked at; a little sooner, so that a commit is live by the end of it
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    poll: Duration,

    /// How often each cluster is looked at, whether anything was heard of it or not
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration)]
    resync: Duration,

    /// What is done when somebody else changes a live object, where the fleet files (`drift:`) don't say
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    drift: DriftPolicy,

    /// Changes under way at once, in each batch of clusters
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: u16,

    #[command(flatten)]
    replicas: ReplicaArgs,

    /// Address for /livez, /readyz, /status and /metrics [default: none]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,

    #[command(flatten)]
    webhooks: WebhookArgs,
}

/// What is done about drift.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum DriftPolicy {
    /// It is mended.
    #[default]
    Correct,
    /// It is reported, and left as it is.
    Report,
    /// It is passed over.
    Off,
}

/// Nothing is looked at more often, whatever is asked for.
const SHORTEST: Duration = Duration::from_secs(1);
/// How long listeners may take to end.
const LISTENERS: Duration = Duration::from_millis(500);

pub(super) fn run(args: &Args, _: &Global, printer: &Printer) -> anyhow::Result<Exit> {
    let runtime = common::runtime()?;
    let list = match &args.config {
        Some(path) => Some(daemon_list::read(path, &args.git, printer)?),
        None => None,
    };
    // A sandbox is made ready for what the fleets expect to find there.
    let loaded = match args.target.sandbox {
        Some(_) => load(args, list.as_ref(), printer)?,
        None => Vec::new(),
    };
    let access = access(args, &loaded, &runtime)?;
    drop(loaded);
    let fleets = match &list {
        Some(list) => listed(args, list, &access)?,
        None => vec![alone(args, source(args)?, access.clone())],
    };
    let ended = runtime.block_on(async {
        let stop = CancellationToken::new();
        let told = common::told_to_end()?;
        let server = match args.listen {
            Some(address) => {
                let shown = Shown::of(&fleets, access.metrics.clone());
                Some(daemon::listen(shown, address).await?)
            }
            None => None,
        };
        if let Some(server) = &server {
            printer.data(&format!("listening: {}\n", server.address()))?;
        }
        let secrets: BTreeMap<String, PathBuf> = list
            .iter()
            .flat_map(List::each)
            .filter_map(|one| Some((one.name().to_owned(), one.webhook_secret()?)))
            .collect();
        let webhooks = args
            .webhooks
            .listen(&fleets, &secrets, access.metrics.clone(), printer)
            .await?;
        let daemon = daemon::run_all(fleets, stop.clone());
        tokio::pin!(daemon);
        tokio::pin!(told);
        tokio::select! {
            () = &mut daemon => {}
            () = &mut told => {
                printer.note("ending: finishing what is under way; the next run goes on from there");
                stop.cancel();
                daemon.await;
            }
        }
        let servers = server.into_iter().chain(webhooks).map(Server::end);
        // Who reads slowly is not waited for: all is over in ten seconds.
        timeout(LISTENERS, join_all(servers)).await.ok();
        ops::Against::Live(Box::new(access)).close().await?;
        Ok(Exit::Done)
    });
    // A fetch may wait for its server still, and the fleet's Leases are let go of.
    runtime.shutdown_background();
    ended
}

/// How control planes are reached. Whatever is followed, and however often its connections begin anew, OCI is asked within one
/// budget.
fn access(args: &Args, loaded: &[LoadedFleet], runtime: &Runtime) -> anyhow::Result<Access> {
    let mut access = common::access(&args.target, loaded.first(), runtime)?;
    if let Some(sandbox) = &access.sandbox {
        for loaded in loaded.iter().skip(1) {
            runtime.block_on(ops::ready_sandbox(sandbox, loaded))?;
        }
    }
    // Nobody has to be spared in a sandbox, unless somebody asks for it.
    let rate = access.oci.rate.or_else(|| access.sandbox.is_none().then(Rate::default));
    access.oci.budget = rate.map(|rate| Arc::new(Budget::new(rate)));
    Ok(access)
}

/// What is done for the only fleet.
fn alone(args: &Args, source: Arc<dyn Source>, access: Access) -> Options {
    Options {
        name: None,
        taken: Arc::default(),
        source,
        poll: args.poll.max(SHORTEST),
        pace: Pace {
            resync: args.resync.max(SHORTEST),
            ..Pace::default()
        },
        drift: match args.drift {
            DriftPolicy::Correct => DriftAction::Correct,
            DriftPolicy::Report => DriftAction::Report,
            DriftPolicy::Off => DriftAction::Off,
        },
        provider: common::provider(&args.target),
        management_clusters: args.target.management_cluster.clone(),
        holder: args.replicas.holder(),
        concurrency: args.concurrency.into(),
        board: Arc::default(),
        bell: Arc::default(),
        telemetry: Arc::new(daemon::Telemetry::new(access.metrics.clone())),
        access,
    }
}

/// What is done for each fleet of a list.
fn listed(args: &Args, list: &List, access: &Access) -> anyhow::Result<Vec<Options>> {
    let taken = Arc::<Taken>::default();
    let each = list.each().map(|one| {
        let of_all = alone(args, one.source()?, one.access(access));
        Ok(Options {
            name: Some(one.name().to_owned()),
            taken: taken.clone(),
            poll: one.poll(of_all.poll)?.max(SHORTEST),
            drift: one.drift(of_all.drift),
            management_clusters: one.management_clusters(&of_all.management_clusters),
            ..of_all
        })
    });
    each.collect()
}

fn source(args: &Args) -> anyhow::Result<Arc<dyn Source>> {
    Ok(match args.git.options(common::cache())? {
        Some(options) => {
            let allowed = Allowed {
                older: args.allow_older,
                rewritten: args.allow_rewritten,
            };
            Arc::new(Repository::new(options, allowed))
        }
        None => Arc::new(Directory {
            path: args.at.fleet.clone(),
        }),
    })
}

fn load(args: &Args, list: Option<&List>, printer: &Printer) -> anyhow::Result<Vec<LoadedFleet>> {
    let loaded = match (list, args.git.options(common::cache())?) {
        (Some(list), _) => list.each().map(|one| one.load()).collect::<anyhow::Result<_>>()?,
        (None, Some(options)) => vec![common::load_fetched(&options, true)?],
        (None, None) => vec![common::load_directory(&args.at.fleet, false)?],
    };
    loaded.iter().for_each(|loaded| common::show_problems(loaded, printer));
    Ok(loaded)
}
