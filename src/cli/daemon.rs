//! `daemon`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use futures::future::join_all;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::args::{FleetDirectory, Global, TargetArgs, duration};
use super::git_args::GitArgs;
use super::lease_args::ReplicaArgs;
use super::webhook_args::WebhookArgs;
use super::{Exit, Printer, common};
use crate::daemon::{self, Directory, Options, Pace, Repository, Source};
use crate::fleet::model::DriftAction;
use crate::http_server::Server;
use crate::ops;
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
    told: it tells the others by an annotation of the FleetStatus."
)]
pub(super) struct Args {
    #[command(flatten)]
    at: FleetDirectory,

    #[command(flatten)]
    git: GitArgs,

    #[command(flatten)]
    target: TargetArgs,

    /// Go back to an older commit than the one in force; meant for one run, after a branch was reset on purpose
    #[arg(long, help_heading = "Git", requires = "git")]
    allow_older: bool,

    /// Go to a commit that was not made on top of the one in force; meant for one run, after history was rewritten on purpose
    #[arg(long, help_heading = "Git", requires = "git")]
    allow_rewritten: bool,

    /// How often the fleet files are looked at
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

/// How long listeners may take to end.
const LISTENERS: Duration = Duration::from_millis(500);

pub(super) fn run(args: &Args, _: &Global, printer: &Printer) -> anyhow::Result<Exit> {
    let runtime = common::runtime()?;
    // A sandbox is made ready for what the fleet expects to find there.
    let loaded = match args.target.sandbox {
        Some(_) => Some(load(args, printer)?),
        None => None,
    };
    let access = common::access(&args.target, loaded.as_ref(), &runtime)?;
    drop(loaded);
    let options = Options {
        source: source(args)?,
        access: access.clone(),
        poll: args.poll.max(Duration::from_secs(1)),
        pace: Pace {
            resync: args.resync.max(Duration::from_secs(1)),
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
    };
    let ended = runtime.block_on(async {
        let stop = CancellationToken::new();
        let told = common::told_to_end()?;
        let server = match args.listen {
            Some(address) => Some(daemon::listen(options.board.clone(), options.telemetry.clone(), address).await?),
            None => None,
        };
        if let Some(server) = &server {
            printer.data(&format!("listening: {}\n", server.address()))?;
        }
        let webhooks = args.webhooks.listen(&options, printer).await?;
        let daemon = daemon::run(options, stop.clone());
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

fn load(args: &Args, printer: &Printer) -> anyhow::Result<ops::LoadedFleet> {
    let loaded = match args.git.options(common::cache())? {
        Some(options) => common::load_fetched(&options, true)?,
        None => common::load_directory(&args.at.fleet, false)?,
    };
    common::show_problems(&loaded, printer);
    Ok(loaded)
}
