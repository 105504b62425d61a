//! Which revision was in force before, by what is told of the fleet on its management clusters: the copy of the repository, which
//! knows it too, may be gone with the machine that it was on.
//!
//! Invariant: looked at once, before anything is in force. Where there is nobody who can say, nothing comes into force: what
//! can't be read is not absent. One answer is enough, so that a management cluster that is away holds up no other.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::timeout;

use super::Daemon;
use crate::ops::LoadedFleet;
use crate::providers::kubernetes::KubernetesProvider;
use crate::report::chain;
use crate::resource::Revision;
use crate::sync::{FleetSync, SyncKind, fleet_object};

/// No management cluster is waited for longer: one that hangs is not to hold up those that answer.
const PATIENCE: Duration = Duration::from_secs(10);

impl Daemon {
    /// Refuses a revision that does not follow what was in force, where nothing is in force yet.
    pub(super) async fn follows_what_was_told(&self, loaded: &LoadedFleet) -> Result<(), String> {
        // What an earlier run of this machine had in force needs no other witness.
        let source = &self.options.source;
        if self.in_force.is_some() || !source.may_refuse() || source.is_of_before() {
            return Ok(());
        }
        for before in self.told(loaded).await? {
            let source = source.clone();
            let follows = tokio::task::spawn_blocking(move || source.follows(&before).map_err(|error| chain(&*error)));
            follows.await.unwrap_or_else(|error| Err(error.to_string()))?;
        }
        Ok(())
    }

    /// The commits that management clusters tell of.
    async fn told(&self, loaded: &LoadedFleet) -> Result<BTreeSet<Revision>, String> {
        let scope = self.scope();
        let scope = loaded.scope(&scope);
        let connected = self
            .access()
            .connect_each(&loaded.fleet, scope.management_clusters())
            .await;
        let object = fleet_object(&loaded.fleet.name);
        let reads = connected
            .providers
            .iter()
            .map(async |(name, provider)| (name, told_by(provider, &object).await));
        let (mut told, mut answers) = (BTreeSet::new(), 0_usize);
        let mut why: Vec<String> = connected
            .failed
            .iter()
            .map(|(name, error)| format!("{name}: {}", chain(error)))
            .collect();
        for (name, read) in join_all(reads).await {
            match read {
                Ok(read) => {
                    answers += 1;
                    told.extend(read);
                }
                Err(error) => why.push(format!("{name}: {error}")),
            }
        }
        if answers == 0 && !why.is_empty() {
            return Err(format!(
                "no management cluster says which commit was in force before, so nothing shows that this one is newer ({}); it is \
                 asked again, and --allow-older with --allow-rewritten do without an answer",
                why.join("; ")
            ));
        }
        Ok(told)
    }
}

/// The commit that a management cluster tells of, if it does.
async fn told_by(provider: &KubernetesProvider, object: &str) -> Result<Option<Revision>, String> {
    let read = provider.read_sync::<FleetSync>(SyncKind::FleetStatus, object);
    let read = timeout(PATIENCE, read).await;
    let read = read.map_err(|_| format!("no answer within {} s", PATIENCE.as_secs()))?;
    let record = read.map_err(|error| chain(&error))?;
    // A directory's state is no commit, and nothing follows it.
    let is_commit = |text: &String| text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let revision = record.and_then(|record| record.status.revision);
    Ok(revision.filter(is_commit).map(Revision::new))
}
