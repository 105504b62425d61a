//! Leases by themselves, on a real API server: whoever stands by hears what happens to them, and waits for no look.

use std::sync::Arc;
use std::time::Duration;

use fleetwright::lease::Timing;
use fleetwright::ops::lease::{Claims, Holder, Keeper, Part, Standing};
use fleetwright::providers::kubernetes::{KubernetesProvider, LeaseStore, Options};
use fleetwright::resource::{FleetUid, ManagementClusterName};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::{ApiServer, Login};

/// Longer than anybody waits here: who looks again by itself is late for good.
const NEVER: Duration = Duration::from_secs(3600);
/// For what comes at once, on a machine however busy.
const SOON: Duration = Duration::from_secs(60);

/// One who holds a Lease, or stands by for it.
struct Kept {
    claims: Arc<Claims>,
    stop: CancellationToken,
    task: JoinHandle<()>,
    _stores: watch::Sender<LeaseStore>,
}

impl Kept {
    async fn start(login: &Login, fleet: &str, name: &str, part: Part, timing: Timing) -> Self {
        let provider = KubernetesProvider::connect(&[&login.kubeconfig], "test", Options::default()).await;
        let store = provider.expect("a provider").leases(&FleetUid::new(fleet));
        let holder = Holder {
            name: name.to_owned(),
            part,
            timing,
        };
        let claims = Arc::new(Claims::default());
        let stop = CancellationToken::new();
        let (stores, store) = watch::channel(store);
        let keeper = Keeper::new(&holder, on(), store, claims.clone());
        Self {
            task: tokio::spawn(keeper.run(stop.clone())),
            claims,
            stop,
            _stores: stores,
        }
    }

    async fn stands(&self, what: &str, is: impl Fn(&Standing) -> bool) {
        let stands = async {
            while !self.claims.standings().get(&on()).is_some_and(&is) {
                self.claims.changed().await;
            }
        };
        let told = tokio::time::timeout(SOON, stands).await;
        assert!(told.is_ok(), "{what}: {:?}", self.claims.standings());
    }

    async fn leads(&self) {
        self.stands("leads", |standing| matches!(standing, Standing::Leads))
            .await;
    }

    async fn stands_by(&self) {
        self.stands("stands by", |standing| matches!(standing, Standing::StandsBy { .. }))
            .await;
    }

    async fn shares(&self, count: usize) {
        self.stands(
            "shares",
            |standing| matches!(standing, Standing::Shares { members } if *members == count),
        )
        .await;
    }
}

fn on() -> ManagementClusterName {
    ManagementClusterName::new("m")
}

/// Nobody looks again in time.
fn patient(lease: Duration) -> Timing {
    Timing {
        retry: NEVER,
        ..Timing::of(lease)
    }
}

#[tokio::test]
async fn who_stands_by_takes_a_lease_once_it_is_over_and_one_that_is_released_at_once() {
    let Some(server) = ApiServer::shared() else { return };
    let login = server.login();
    let lease = Duration::from_secs(3);
    let dies = Kept::start(&login, "heard", "first", Part::Whole, Timing::of(lease)).await;
    dies.leads().await;
    let next = Kept::start(&login, "heard", "second", Part::Whole, patient(lease)).await;
    next.stands_by().await;
    dies.task.abort();
    next.leads().await;

    let lease = Duration::from_secs(600);
    let ends = Kept::start(&login, "heard-too", "first", Part::Whole, Timing::of(lease)).await;
    ends.leads().await;
    let next = Kept::start(&login, "heard-too", "second", Part::Whole, patient(lease)).await;
    next.stands_by().await;
    ends.stop.cancel();
    next.leads().await;
}

#[tokio::test]
async fn those_who_share_hear_of_each_other() {
    let Some(server) = ApiServer::shared() else { return };
    let login = server.login();
    // What is held is renewed: a look comes by itself when it would be lost, which is after six minutes.
    let timing = patient(Duration::from_secs(600));
    let first = Kept::start(&login, "shared-heard", "first", Part::Share, timing).await;
    first.shares(1).await;
    let second = Kept::start(&login, "shared-heard", "second", Part::Share, timing).await;
    second.shares(2).await;
    first.shares(2).await;
    second.stop.cancel();
    first.shares(1).await;
}
