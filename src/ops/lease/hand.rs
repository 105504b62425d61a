//! Leases for one run by hand: the same that daemons hold, for as long as it takes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{Claim, Claims, Holder, Keeper, Standing};
use crate::ops::Planned;
use crate::providers::ProviderError;
use crate::resource::{FleetUid, ManagementClusterName, UnitId};

/// Why a run by hand does not get its Leases.
#[derive(Debug, thiserror::Error)]
pub enum HandError {
    /// Somebody else has them.
    #[error("{who} on {on} holds the lease of this fleet, and did not let go of it in time")]
    Held {
        /// The management cluster.
        on: ManagementClusterName,
        /// Who.
        who: String,
    },
    /// They can't be read.
    #[error("the leases on {on} can't be read")]
    Unreadable {
        /// The management cluster.
        on: ManagementClusterName,
        /// Why.
        #[source]
        source: ProviderError,
    },
    /// There was no answer.
    #[error("the leases of this fleet could not be had in time")]
    Late,
    /// They can't be written.
    #[error("the leases on {on} can't be held: {error}")]
    Unusable {
        /// The management cluster.
        on: ManagementClusterName,
        /// Why, its causes included.
        error: String,
    },
}

/// Leases that are held. They are released by [`Hold::release`]; one that is dropped runs out.
pub struct Hold {
    /// The work that they are held for.
    pub claim: Claim,
    stop: CancellationToken,
    keepers: JoinSet<()>,
}

/// Rounds in which they may fail: what passes at once is no reason to give up.
const ROUNDS: u32 = 3;

/// Takes the Leases of all that a plan writes to, and waits for them for so long.
///
/// # Errors
/// Where they can't be used, or somebody else holds one.
pub async fn hold(planned: &Planned, fleet: &FleetUid, holder: &Holder, patience: Duration) -> Result<Hold, HandError> {
    let units = units(planned);
    let wanted: BTreeSet<ManagementClusterName> = units.values().flatten().cloned().collect();
    let claims = Arc::new(Claims::default());
    let stop = CancellationToken::new();
    let mut keepers = JoinSet::new();
    for on in &wanted {
        let Some(provider) = planned.providers.get(on) else {
            continue;
        };
        let store = provider.leases(fleet);
        // What can't be read is an error at once, and not only once all patience is gone.
        let read = store.list().await;
        read.map_err(|source| HandError::Unreadable { on: on.clone(), source })?;
        // A run is over before credentials are renewed.
        let (_, stores) = watch::channel(store);
        keepers.spawn(Keeper::new(holder, on.clone(), stores, claims.clone()).run(stop.clone()));
    }
    let all_lead = async {
        let mut failing = None;
        loop {
            let standings = claims.standings();
            let missing = wanted.iter().find(|on| standings.get(*on) != Some(&Standing::Leads));
            match missing.and_then(|on| Some((on, standings.get(on)?))) {
                Some((on, Standing::Fails { error })) => {
                    let until = *failing.get_or_insert_with(|| Instant::now() + holder.timing.retry * ROUNDS);
                    // As long as it stays the same error, nothing changes.
                    if timeout_at(until, claims.changed()).await.is_err() {
                        let error = error.clone();
                        return Err(HandError::Unusable { on: on.clone(), error });
                    }
                }
                _ if missing.is_none() => return Ok(()),
                _ => {
                    failing = None;
                    claims.changed().await;
                }
            }
        }
    };
    let outcome = timeout(patience, all_lead).await;
    let held = Hold {
        claim: claims.begin(units).0,
        stop,
        keepers,
    };
    let error = match outcome {
        Ok(Ok(())) => return Ok(held),
        Ok(Err(error)) => error,
        Err(_) => not_in_time(&wanted, &claims.standings()),
    };
    held.release().await;
    Err(error)
}

impl Hold {
    /// Lets go of them, so that the next one need not wait.
    pub async fn release(mut self) {
        drop(self.claim);
        self.stop.cancel();
        while self.keepers.join_next().await.is_some() {}
    }
}

/// Who else it was that had them, or why they could not be held.
fn not_in_time(
    wanted: &BTreeSet<ManagementClusterName>,
    standings: &BTreeMap<ManagementClusterName, Standing>,
) -> HandError {
    let told = wanted.iter().find_map(|on| {
        let held = |who| Some(HandError::Held { on: on.clone(), who });
        match standings.get(on)? {
            Standing::StandsBy { holder } => held(holder.clone()?),
            Standing::WaitsFor { members } => held(members.join(", ")),
            Standing::Fails { error } => Some(HandError::Unusable {
                on: on.clone(),
                error: error.clone(),
            }),
            Standing::Leads | Standing::Shares { .. } => None,
        }
    });
    told.unwrap_or(HandError::Late)
}

/// What a plan works on, and where that is recorded.
fn units(planned: &Planned) -> BTreeMap<UnitId, BTreeSet<ManagementClusterName>> {
    let plan = &planned.plan;
    let changes = plan.changes.iter().filter(|change| change.goes_ahead());
    let changes = changes.map(|change| (&change.unit, &change.recorded_on));
    let settled = plan.settled.iter().map(|settled| (&settled.unit, &settled.recorded_on));
    let mut units: BTreeMap<UnitId, BTreeSet<ManagementClusterName>> = BTreeMap::new();
    for (unit, on) in changes.chain(settled) {
        units.entry(unit.clone()).or_default().insert(on.clone());
    }
    units
}
