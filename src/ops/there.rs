//! The management clusters that answer, and those that do not.
//!
//! Invariant: one that fails once is away for the whole of a plan: nothing is concluded from what it answered before.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;

use super::connect::Access;
use super::load::LoadedFleet;
use super::plan::PlanError;
use crate::inventory::InventoryKey;
use crate::providers::kubernetes::{KubernetesProvider, KubernetesStore};
use crate::providers::{InventoryStore, Observation, ProviderError, Stored};
use crate::report::chain;
use crate::resource::{ManagementClusterName, Target};

/// Connections to what answers.
pub(super) struct There {
    pub(super) providers: BTreeMap<ManagementClusterName, Arc<KubernetesProvider>>,
    pub(super) stores: BTreeMap<ManagementClusterName, KubernetesStore>,
    /// What does not, and why.
    pub(super) away: BTreeMap<ManagementClusterName, String>,
    /// Whether the rest does where one does not answer.
    even_in_part: bool,
}

impl There {
    /// # Errors
    /// Where one can't be connected to; with `even_in_part`, where none can.
    pub(super) async fn connect(
        loaded: &LoadedFleet,
        access: &Access,
        wanted: &[ManagementClusterName],
        even_in_part: bool,
    ) -> Result<Self, PlanError> {
        let mut there = Self {
            providers: BTreeMap::new(),
            stores: BTreeMap::new(),
            away: BTreeMap::new(),
            even_in_part,
        };
        let mut asked = Vec::new();
        for name in wanted {
            match access.away(name).filter(|_| even_in_part && wanted.len() > 1) {
                Some(why) => drop(there.away.insert(name.clone(), why)),
                None => asked.push(name.clone()),
            }
        }
        match access.connect(&loaded.fleet, &asked).await {
            Ok(providers) => there.providers = providers,
            Err(error) if !even_in_part || wanted.len() < 2 => return Err(error.into()),
            Err(_) => {
                let mut each = access.connect_each(&loaded.fleet, &asked).await;
                there.providers = each.providers;
                if there.providers.is_empty()
                    && let Some((_, error)) = each.failed.pop_first()
                {
                    return Err(error.into());
                }
                let failed = each.failed.into_iter();
                there.away.extend(failed.map(|(name, error)| (name, chain(&error))));
            }
        }
        if there.providers.is_empty()
            && let Some((name, why)) = there.away.pop_first()
        {
            return Err(PlanError::Away { name, why });
        }
        let stores = there.providers.iter();
        there.stores = stores
            .map(|(name, provider)| (name.clone(), provider.inventory()))
            .collect();
        Ok(there)
    }

    /// Reads the inventories of all.
    ///
    /// # Errors
    /// Where one can't be read; in part, where none can.
    pub(super) async fn inventories(
        &mut self,
        loaded: &LoadedFleet,
        access: &Access,
    ) -> Result<BTreeMap<InventoryKey, Stored>, PlanError> {
        let uid = &loaded.revised.fleet;
        let reads = self
            .stores
            .iter()
            .map(|(name, store)| async move { (name.clone(), store.load_all(uid).await) });
        let mut map = BTreeMap::new();
        for (name, read) in join_all(reads).await {
            match read {
                Ok(all) => {
                    access.answers(&name);
                    let all = all.into_iter();
                    map.extend(all.map(|stored| ((name.clone(), stored.inventory.unit.clone()), stored)));
                }
                Err(source) => {
                    let of = name.clone();
                    let error = PlanError::Inventory { name: of, source };
                    access.is_away(&name, &chain(&error));
                    self.lose(&name, error)?;
                }
            }
        }
        Ok(map)
    }

    /// Takes in what was observed.
    ///
    /// # Errors
    /// Where one could not be; in part, where that is OCI, or no management cluster is left.
    pub(super) fn answered(
        &mut self,
        looks: Vec<(Target, Result<Observation, ProviderError>)>,
    ) -> Result<BTreeMap<Target, Observation>, PlanError> {
        let mut observed = BTreeMap::new();
        for (target, look) in looks {
            match (look, target) {
                (Ok(observation), target) => drop(observed.insert(target, observation)),
                (Err(source), Target::Kubernetes(name)) => {
                    let target = Target::Kubernetes(name.clone());
                    self.lose(&name, PlanError::Observe { target, source })?;
                }
                (Err(source), target @ Target::Oci) => return Err(PlanError::Observe { target, source }),
            }
        }
        Ok(observed)
    }

    fn lose(&mut self, name: &ManagementClusterName, error: PlanError) -> Result<(), PlanError> {
        self.providers.remove(name);
        self.stores.remove(name);
        if !self.even_in_part || self.providers.is_empty() {
            return Err(error);
        }
        self.away.insert(name.clone(), chain(&error));
        Ok(())
    }
}
