//! What a plan looks at: inventories, live objects, and what is asked for by annotations.
//!
//! Invariant: changes nothing; what was not seen is said to be unknown, by the provider, or away, as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::join_all;

use super::cloud::{self, Found};
use super::connect::Access;
use super::load::{LoadedFleet, Scope, ScopeView};
use super::plan::{PlanError, desired};
use super::there::There;
use crate::inventory::{Entry, InventoryKey};
use crate::plan::DesiredUnit;
use crate::providers::kubernetes::{KubernetesProvider, KubernetesStore};
use crate::providers::oci::OciProvider;
use crate::providers::{Observation, ObserveRequest, Provider, ProviderError, Stored};
use crate::resource::{ManagementClusterName, Manifest, ResourceId, Target, UnitId};
use crate::sync::{Read, fleet_object, names};

/// What was seen: connections, inventories and observations.
pub(super) struct Seen {
    pub(super) providers: BTreeMap<ManagementClusterName, Arc<KubernetesProvider>>,
    pub(super) oci: Option<Arc<OciProvider>>,
    pub(super) stores: BTreeMap<ManagementClusterName, KubernetesStore>,
    pub(super) inventories: BTreeMap<InventoryKey, Stored>,
    /// Objects that are recorded beside those, of units that were not looked into.
    pub(super) recorded_beside: usize,
    pub(super) observed: BTreeMap<Target, Observation>,
    pub(super) syncs: BTreeMap<ManagementClusterName, Read>,
    /// What the files name and somebody else made.
    pub(super) found: Found,
    /// Management clusters that did not answer, and why.
    pub(super) away: BTreeMap<ManagementClusterName, String>,
}

impl Seen {
    /// What nobody was asked for.
    pub(super) fn alone(observed: BTreeMap<Target, Observation>, inventories: BTreeMap<InventoryKey, Stored>) -> Self {
        Self {
            providers: BTreeMap::new(),
            oci: None,
            stores: BTreeMap::new(),
            inventories,
            recorded_beside: 0,
            observed,
            syncs: BTreeMap::new(),
            found: Found::default(),
            away: BTreeMap::new(),
        }
    }
}

/// Looks at everything in scope.
pub(super) async fn look(loaded: &LoadedFleet, access: &Access, scope: &Scope) -> Result<Seen, PlanError> {
    let view = loaded.scope(scope);
    let reached: Vec<ManagementClusterName> = view.management_clusters().cloned().collect();
    let mut there = There::connect(loaded, access, &reached, scope.even_in_part).await?;
    let inventories = renamed(there.inventories(loaded, access).await?, loaded);
    tracing::info!(units = inventories.len(), "read the inventories");
    let unfilled = Found::default();
    let rendered = desired(loaded, scope, &unfilled);
    let recorded = || inventories.values().flat_map(|stored| &stored.inventory.entries);
    let needed =
        cloud::is_needed(&rendered, recorded().map(|entry| &entry.id)) || !referred_to(loaded, &rendered).is_empty();
    let oci = match view.reaches(&Target::Oci) && needed {
        true => Some(cloud::connect(access, loaded, recorded()).await?),
        false => None,
    };
    let found = match &oci {
        Some(oci) => Found::look(&rendered, oci).await,
        None => Found::default(),
    };
    let planes = planes(&there.providers, oci.as_deref());
    let observed = observe(loaded, &planes, &desired(loaded, scope, &found), &inventories, &view).await;
    let observed = there.answered(observed)?;
    for (target, observation) in &observed {
        tracing::info!(%target, objects = observation.objects.len(), "observed");
    }
    // Last of all: what somebody asks for while the rest is looked at is heard.
    let syncs = read_syncs(loaded, scope, &there.providers).await;
    let There {
        providers,
        stores,
        away,
        ..
    } = there;
    Ok(Seen {
        providers,
        oci,
        stores,
        inventories,
        recorded_beside: 0,
        observed,
        syncs,
        found,
        away,
    })
}

/// So many units' `ClusterSync`s are read by their names; for more, a LIST of all is less work.
const FEW_SYNCS: usize = 16;

async fn read_syncs(
    loaded: &LoadedFleet,
    scope: &Scope,
    providers: &BTreeMap<ManagementClusterName, Arc<KubernetesProvider>>,
) -> BTreeMap<ManagementClusterName, Read> {
    let few = scope.units.as_ref().filter(|units| units.len() <= FEW_SYNCS);
    let names: Option<BTreeSet<String>> =
        few.map(|units| units.iter().flat_map(|unit| names(&loaded.fleet, unit)).collect());
    let (names, fleet) = (names.as_ref(), fleet_object(&loaded.fleet.name));
    let reads = providers.iter().map(|(name, provider)| {
        let fleet = &fleet;
        async move {
            let read = match names {
                Some(names) => provider.read_syncs_of(fleet, names).await,
                None => provider.read_syncs().await,
            };
            (name.clone(), read)
        }
    });
    join_all(reads).await.into_iter().collect()
}

/// The control planes that can be talked to.
pub(super) fn planes<'a>(
    providers: &'a BTreeMap<ManagementClusterName, Arc<KubernetesProvider>>,
    oci: Option<&'a OciProvider>,
) -> BTreeMap<Target, &'a dyn Provider> {
    let clusters = providers
        .iter()
        .map(|(name, provider)| (Target::Kubernetes(name.clone()), &**provider as &dyn Provider));
    clusters
        .chain(oci.map(|oci| (Target::Oci, oci as &dyn Provider)))
        .collect()
}

/// Follows `Moved`: what was recorded under an old name is the new unit's, so that a rename prunes nothing.
/// The record itself gets its new name when it is stored next.
fn renamed(mut inventories: BTreeMap<InventoryKey, Stored>, loaded: &LoadedFleet) -> BTreeMap<InventoryKey, Stored> {
    for moved in &loaded.fleet.moved {
        let old: Vec<InventoryKey> = inventories
            .keys()
            .filter(|(_, unit)| *unit == moved.from)
            .cloned()
            .collect();
        for key in old {
            let new = (key.0.clone(), moved.to.clone());
            if !inventories.contains_key(&new)
                && let Some(mut stored) = inventories.remove(&key)
            {
                stored.inventory.unit = moved.to.clone();
                inventories.insert(new, stored);
            }
        }
    }
    inventories
}

async fn observe(
    loaded: &LoadedFleet,
    planes: &BTreeMap<Target, &dyn Provider>,
    desired: &BTreeMap<UnitId, DesiredUnit<'_>>,
    inventories: &BTreeMap<InventoryKey, Stored>,
    scope: &ScopeView<'_>,
) -> Vec<(Target, Result<Observation, ProviderError>)> {
    let label = loaded.fleet.name.as_str();
    let shared = referred_to(loaded, desired);
    let shared = &shared;
    let looks = planes.iter().map(|(target, provider)| async move {
        let manifests: Vec<&Manifest> = desired
            .values()
            .flat_map(|unit| unit.manifests)
            .chain(shared.iter().copied())
            .filter(|manifest| manifest.id.target == *target)
            .collect();
        let wanted: BTreeSet<&ResourceId> = manifests.iter().map(|manifest| &manifest.id).collect();
        let recorded: Vec<&Entry> = inventories
            .iter()
            .filter(|((_, unit), _)| scope.holds(unit) && !loaded.failed.contains_key(unit))
            .flat_map(|(_, stored)| &stored.inventory.entries)
            // OCI's lists lag behind: what is recorded is asked for by its OCID before it is called absent.
            .filter(|entry| entry.id.target == *target && (*target == Target::Oci || !wanted.contains(&entry.id)))
            .collect();
        let request = ObserveRequest {
            desired: &manifests,
            recorded: &recorded,
            fleet_label: label,
            in_part: desired.len() < loaded.rendered.units.len(),
        };
        (target.clone(), provider.observe(request).await)
    });
    join_all(looks).await
}

/// What units out of scope make and those in scope refer to: a shared network's ids, say.
fn referred_to<'a>(loaded: &'a LoadedFleet, desired: &BTreeMap<UnitId, DesiredUnit<'a>>) -> Vec<&'a Manifest> {
    let units = loaded.rendered.units.iter();
    let outside: Vec<_> = units.filter(|(unit, _)| !desired.contains_key(unit)).collect();
    if outside.is_empty() {
        return Vec::new();
    }
    let needed: BTreeSet<&ResourceId> = desired
        .values()
        .flat_map(|unit| unit.manifests)
        .flat_map(|manifest| &manifest.depends_on)
        .collect();
    outside
        .into_iter()
        .flat_map(|(_, unit)| &unit.manifests)
        .filter(|manifest| manifest.id.target == Target::Oci && needed.contains(&manifest.id))
        .collect()
}
