//! One of several daemons: the Leases that it holds, and which units are its own by them.
//!
//! Invariant: nothing is begun with that is not ours at that moment (see `ops::lease`); what is not ours waits, watched, for
//! the moment at which it is. May not plan or apply.

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::inventory::InventoryKey;
use crate::ops::lease::{Claim, Claims, Holder, Keeper, Standing};
use crate::ops::{Connected, LoadedFleet};
use crate::providers::kubernetes::{KubernetesProvider, LeaseStore};
use crate::report::chain;
use crate::resource::{ManagementClusterName, UnitId};

/// What a unit is recorded on.
type Homes = BTreeSet<ManagementClusterName>;

/// A replica.
pub(super) struct Replica {
    holder: Option<Holder>,
    claims: Arc<Claims>,
    keepers: BTreeMap<ManagementClusterName, Kept>,
    /// Management clusters whose Leases nobody keeps, since they can't be connected to.
    unreached: BTreeSet<ManagementClusterName>,
    homes: BTreeMap<UnitId, Homes>,
    ours: BTreeSet<UnitId>,
    /// Whether something is held, by which units may be ours that no file names any more.
    acts: bool,
    asks: bool,
}

struct Kept {
    /// The context by which its management cluster is reached.
    context: String,
    /// The connection that its Leases are kept by.
    provider: Arc<KubernetesProvider>,
    stores: watch::Sender<LeaseStore>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Replica {
    /// One that holds Leases this way; none: it works alone, and all is its own.
    pub(super) fn new(holder: Option<Holder>) -> Self {
        let claims = match &holder {
            Some(_) => Claims::default(),
            None => Claims::open(),
        };
        Self {
            holder,
            claims: Arc::new(claims),
            keepers: BTreeMap::new(),
            unreached: BTreeSet::new(),
            homes: BTreeMap::new(),
            ours: BTreeSet::new(),
            acts: false,
            asks: false,
        }
    }

    /// What may be worked on.
    pub(super) fn claims(&self) -> Arc<Claims> {
        self.claims.clone()
    }

    /// How it stands, by management cluster.
    pub(super) fn standings(&self) -> BTreeMap<ManagementClusterName, Standing> {
        self.claims.standings()
    }

    /// Holds Leases on these management clusters, and on no others. What is held already goes on, by another connection where
    /// there is one. What can't be connected to says so, and makes the others wait for nothing.
    pub(super) fn keep(
        &mut self,
        loaded: &LoadedFleet,
        connected: &Connected,
        names: &BTreeSet<ManagementClusterName>,
    ) {
        let Some(holder) = &self.holder else { return };
        let context = |name: &ManagementClusterName| loaded.fleet.management_clusters.get(name).map(|one| &one.context);
        let stays = |name: &ManagementClusterName, kept: &mut Kept| {
            let stays = names.contains(name) && context(name) == Some(&kept.context) && !kept.task.is_finished();
            if !stays {
                kept.stop.cancel();
            }
            stays
        };
        self.keepers.retain(stays);
        for (name, provider) in connected.providers.iter().filter(|(name, _)| names.contains(name)) {
            let store = provider.leases(&loaded.revised.fleet);
            if let Some(kept) = self.keepers.get_mut(name) {
                if !Arc::ptr_eq(&kept.provider, provider) {
                    kept.provider = provider.clone();
                    kept.stores.send_replace(store);
                }
                continue;
            }
            let stop = CancellationToken::new();
            let (stores, store) = watch::channel(store);
            let keeper = Keeper::new(holder, name.clone(), store, self.claims.clone());
            let kept = Kept {
                context: context(name).cloned().unwrap_or_default(),
                provider: provider.clone(),
                stores,
                task: tokio::spawn(keeper.run(stop.clone()).in_current_span()),
                stop,
            };
            self.keepers.insert(name.clone(), kept);
        }
        self.note_unreached(connected, names);
    }

    /// Waits until a keeper breaks off. Nothing is ours by what it held, and another begins when Leases are to be held again.
    pub(super) async fn broken(&mut self) -> String {
        let (on, ended) = poll_fn(|context| {
            for (on, kept) in &mut self.keepers {
                if let Poll::Ready(ended) = Pin::new(&mut kept.task).poll(context) {
                    return Poll::Ready((on.clone(), ended));
                }
            }
            Poll::Pending
        })
        .await;
        self.keepers.remove(&on);
        let why = ended
            .err()
            .map_or_else(|| "it ended".to_owned(), |error| error.to_string());
        self.claims.forget(&on);
        let error = format!("whoever keeps the lease broke off: {why}");
        self.claims.note(&on, &Standing::Fails { error });
        self.unreached.insert(on);
        why
    }

    /// Has those that nobody keeps Leases on stand as such.
    fn note_unreached(&mut self, connected: &Connected, names: &BTreeSet<ManagementClusterName>) {
        let failed = connected.failed.iter();
        // Who is kept already goes on by the connection that there was.
        let failed = failed.filter(|(name, _)| names.contains(*name) && !self.keepers.contains_key(*name));
        let failed: BTreeMap<_, _> = failed.collect();
        for name in &self.unreached {
            if !failed.contains_key(name) && !self.keepers.contains_key(name) {
                self.claims.forget(name);
            }
        }
        self.unreached = failed.keys().map(|name| (*name).clone()).collect();
        for (name, error) in failed {
            self.claims.note(name, &Standing::Fails { error: chain(error) });
        }
    }

    /// Takes in which units there are, and where each is recorded.
    pub(super) fn place(&mut self, units: &BTreeSet<UnitId>, loaded: &LoadedFleet, recorded: &BTreeSet<InventoryKey>) {
        let mut homes: BTreeMap<UnitId, Homes> = units
            .iter()
            .map(|unit| (unit.clone(), loaded.recorded_on(unit).into_iter().collect()))
            .collect();
        for (on, unit) in recorded {
            if let Some(homes) = homes.get_mut(unit) {
                homes.insert(on.clone());
            }
        }
        self.homes = homes;
        self.divide();
    }

    /// Finds out anew which units are ours; says whether that has changed.
    pub(super) fn divide(&mut self) -> bool {
        let may = |(unit, homes): &(&UnitId, &Homes)| self.claims.may(unit, homes);
        let ours: BTreeSet<UnitId> = self.homes.iter().filter(may).map(|(unit, _)| unit.clone()).collect();
        let changed = ours != self.ours;
        self.ours = ours;
        let standings = self.claims.standings();
        let acts = standings
            .values()
            .any(|one| matches!(one, Standing::Leads | Standing::Shares { .. }));
        self.asks |= acts && !self.acts;
        self.acts = acts;
        changed
    }

    /// Whether something is held.
    pub(super) fn acts(&self) -> bool {
        self.acts
    }

    /// Whether the inventories are to be read although no unit is due: the only one that is ours may be one that no file
    /// names any more. Says so once, until it is told that they could not be read.
    pub(super) fn asks_for_inventories(&mut self) -> bool {
        std::mem::take(&mut self.asks)
    }

    /// They could not be read.
    pub(super) fn ask_again(&mut self) {
        self.asks = true;
    }

    /// Whether a unit is for us to look at.
    pub(super) fn keeps(&self, unit: &UnitId) -> bool {
        self.claims.is_open() || self.ours.contains(unit)
    }

    /// Notes what is left to look at of a request to look at everything on a management cluster; says whether that is news.
    pub(super) fn looked(&self, on: &ManagementClusterName, request: &str, left: &BTreeSet<UnitId>) -> bool {
        let nowhere = Homes::new();
        let homes = left.iter().map(|unit| (unit, self.homes.get(unit).unwrap_or(&nowhere)));
        self.claims.looked(on, request, homes)
    }

    /// The units that are ours.
    pub(super) fn ours(&self) -> &BTreeSet<UnitId> {
        &self.ours
    }

    /// Whether, of units that have not been looked at, none is for us to look at. Before it is known which are, it is not.
    pub(super) fn has_seen_its_own(&self, unseen: &BTreeSet<UnitId>) -> bool {
        let standings = self.claims.standings();
        let is_known = |on: &ManagementClusterName| match standings.get(on) {
            Some(Standing::StandsBy { .. } | Standing::Leads | Standing::Shares { .. }) => true,
            Some(Standing::WaitsFor { .. } | Standing::Fails { .. }) | None => false,
        };
        self.keepers.keys().chain(&self.unreached).all(is_known) && !unseen.iter().any(|unit| self.keeps(unit))
    }

    /// Begins with those of some units that are ours still; the others are given back.
    pub(super) fn begin(&self, units: &BTreeSet<UnitId>) -> (Claim, BTreeSet<UnitId>) {
        let with_homes = |unit: &UnitId| (unit.clone(), self.homes.get(unit).cloned().unwrap_or_default());
        self.claims.begin(units.iter().map(with_homes).collect())
    }

    /// Lets go of all Leases. All work has ended by then.
    pub(super) async fn end(&mut self) {
        for kept in self.keepers.values() {
            kept.stop.cancel();
        }
        for (_, kept) in std::mem::take(&mut self.keepers) {
            // It has an end of its own; a panic in it is told by the runtime.
            kept.task.await.ok();
        }
    }
}

impl Drop for Replica {
    /// A daemon that is dropped and not ended holds nothing on: as of one that was killed, its Leases run out.
    fn drop(&mut self) {
        self.keepers.values().for_each(|kept| kept.task.abort());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::lease::Timing;
    use crate::ops::lease::Part;
    use crate::ops::{Access, LoadOptions, load};

    const FLEET: &str = "kind: Fleet\nmetadata: {name: f}\nspec: {}\n---\nkind: ManagementCluster\nmetadata: {name: m}\n\
         spec: {region: us-ashburn-1, dialect: none, nodePortAddress: m.example}\n---\n\
         kind: ManagementCluster\nmetadata: {name: n}\n\
         spec: {region: us-ashburn-1, dialect: none, nodePortAddress: n.example}\n";

    /// Leads to a server that nobody is, and not to `n`.
    const KUBECONFIG: &str = "{apiVersion: v1, kind: Config, users: [{name: u, user: {token: t}}],\n\
         clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1', insecure-skip-tls-verify: true}}],\n\
         contexts: [{name: m, context: {cluster: c, user: u}}]}";

    #[tokio::test]
    async fn a_keeper_that_breaks_off_leads_no_more_and_another_takes_its_place() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("fleet.yaml"), FLEET).unwrap();
        let loaded = load(&LoadOptions {
            directory: place.path().to_owned(),
            locked: false,
            now: jiff::Timestamp::UNIX_EPOCH,
        });
        let loaded = loaded.unwrap();
        let kubeconfig = place.path().join("kubeconfig");
        std::fs::write(&kubeconfig, KUBECONFIG).unwrap();
        let access = Access {
            kubeconfigs: vec![kubeconfig],
            ..Access::default()
        };
        let [m, n] = ["m", "n"].map(ManagementClusterName::new);
        let names = BTreeSet::from([m.clone(), n.clone()]);
        let connected = access.connect_each(&loaded.fleet, &names).await;
        let mut replica = Replica::new(Some(Holder {
            name: "a".to_owned(),
            part: Part::Whole,
            timing: Timing::of(Duration::from_secs(15)),
        }));
        let fails = |replica: &Replica, on: &ManagementClusterName, why: &str| {
            let standings = replica.standings();
            matches!(standings.get(on), Some(Standing::Fails { error }) if error.contains(why))
        };
        replica.keep(&loaded, &connected, &names);
        assert_eq!(replica.keepers.keys().collect::<Vec<_>>(), [&m]);
        assert!(fails(&replica, &n, "context `n`"), "{:?}", replica.standings());
        assert!(
            !replica.has_seen_its_own(&BTreeSet::new()),
            "who knows what is ours there?"
        );

        replica.claims.note(&m, &Standing::Leads);
        replica.keepers[&m].task.abort();
        replica.broken().await;
        assert!(fails(&replica, &m, "broke off"), "{:?}", replica.standings());
        assert!(replica.keepers.is_empty());
        replica.keep(&loaded, &connected, &names);
        assert_eq!(replica.keepers.keys().collect::<Vec<_>>(), [&m]);
        // One that left the files is not told of any more.
        replica.keep(&loaded, &connected, &BTreeSet::from([m]));
        assert!(!replica.standings().contains_key(&n));
    }
}
