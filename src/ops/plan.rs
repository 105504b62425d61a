//! `plan`: what would change, against the live state or against nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt as _;
use futures::future::{join_all, try_join_all};

use super::admission;
use super::base::Base;
use super::caps;
use super::cloud::{self, CloudError, Found};
use super::connect::{Access, AccessError};
use super::forecast;
use super::load::{LoadedFleet, Scope, ScopeError, ScopeView};
use super::preconditions;
use crate::diag::Diagnostic;
use crate::inventory::{Entry, InventoryKey};
use crate::plan::admission::Inadmissible;
use crate::plan::{self, DesiredUnit, Inputs, Plan};
use crate::providers::kubernetes::{KubernetesProvider, KubernetesStore};
use crate::providers::oci::OciProvider;
use crate::providers::{InventoryStore, Observation, ObserveRequest, Observed, Provider, ProviderError, Stored};
use crate::resource::{ManagementClusterName, Manifest, ResourceId, Revision, Target, UnitId};
use crate::sandbox::store::StoreError;
use crate::source::Ancestry;
use crate::sync::suspension::{Place, suspended};
use crate::sync::{Read, Suspension};

/// What a plan is made against.
#[derive(Clone, Debug)]
pub enum Against {
    /// The live state of the management clusters.
    Live(Box<Access>),
    /// Nothing: as if no object were there. Talks to nobody.
    Nothing,
    /// What another rendering would have left. Talks to nobody.
    Rendered(Arc<Base>),
}

impl Against {
    /// Ends what was opened for it.
    ///
    /// # Errors
    /// Where a sandbox's state can't be written.
    pub async fn close(&self) -> Result<(), StoreError> {
        match self {
            Self::Live(access) => access.close().await,
            Self::Nothing | Self::Rendered(_) => Ok(()),
        }
    }
}

/// Options of `plan`.
#[derive(Clone, Debug)]
pub struct PlanOptions {
    /// Against what.
    pub against: Against,
    /// Which part of the fleet.
    pub scope: Scope,
    /// Whether what was found may be adopted.
    pub adopt: bool,
    /// Whether what is suspended may be changed all the same.
    pub even_suspended: bool,
    /// The time for predicted managedFields, RFC 3339.
    pub now: String,
}

/// A plan, and the connections that it was made over, for an `apply` to go on with.
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// The management clusters.
    pub providers: BTreeMap<ManagementClusterName, Arc<KubernetesProvider>>,
    /// The OCI API; none where nothing of the fleet lives there.
    pub oci: Option<Arc<OciProvider>>,
    /// OCI documents of which something was not read.
    pub unread: usize,
    /// Their inventories.
    pub stores: BTreeMap<ManagementClusterName, KubernetesStore>,
    /// Inventories as they were read, old unit names replaced.
    pub inventories: BTreeMap<InventoryKey, Stored>,
    /// What the management clusters tell of the fleet, and what is asked for there.
    pub syncs: BTreeMap<ManagementClusterName, Read>,
    /// What the servers would refuse of it, in the places that it comes from; the plan's refusals cover it.
    pub inadmissible: Vec<Diagnostic>,
}

impl Planned {
    fn of(mut plan: Plan, seen: Seen, loaded: &LoadedFleet, bad: &[Inadmissible]) -> Self {
        plan.forecast = forecast::of(&plan, &loaded.fleet, &seen.observed);
        Self {
            plan,
            unread: unread(&seen.observed),
            providers: seen.providers,
            oci: seen.oci,
            stores: seen.stores,
            inventories: seen.inventories,
            syncs: seen.syncs,
            inadmissible: admission::diagnostics(loaded, bad),
        }
    }
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The scope names what is not there.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// No connection.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// No connection to OCI.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// The inventories can't be read: what was made is not known, so nothing may be concluded.
    #[error("the inventories on {name} can't be read")]
    Inventory {
        /// The management cluster.
        name: ManagementClusterName,
        /// Why.
        #[source]
        source: ProviderError,
    },
    /// A control plane can't be reached.
    #[error("{target} can't be observed")]
    Observe {
        /// Which.
        target: Target,
        /// Why.
        #[source]
        source: ProviderError,
    },
    /// Deletes can't be counted.
    #[error(transparent)]
    Cap(#[from] super::caps::CapError),
    /// Objects wait for each other.
    #[error(transparent)]
    Cycle(#[from] plan::graph::Cycle),
}

/// What was seen: connections, inventories and observations.
pub(super) struct Seen {
    pub(super) providers: BTreeMap<ManagementClusterName, Arc<KubernetesProvider>>,
    pub(super) oci: Option<Arc<OciProvider>>,
    stores: BTreeMap<ManagementClusterName, KubernetesStore>,
    inventories: BTreeMap<InventoryKey, Stored>,
    pub(super) observed: BTreeMap<Target, Observation>,
    pub(super) syncs: BTreeMap<ManagementClusterName, Read>,
    found: Found,
}

impl Seen {
    /// What nobody was asked for.
    fn alone(observed: BTreeMap<Target, Observation>, inventories: BTreeMap<InventoryKey, Stored>) -> Self {
        Self {
            providers: BTreeMap::new(),
            oci: None,
            stores: BTreeMap::new(),
            inventories,
            observed,
            syncs: BTreeMap::new(),
            found: Found::default(),
        }
    }
}

/// Makes a plan of what differs between two renderings. Units of which nothing does are not looked into.
async fn plan_after(base: &Base, loaded: &LoadedFleet, options: &PlanOptions) -> Result<Planned, PlanError> {
    let compared = base.compare(loaded, &options.scope, &options.now);
    let options = PlanOptions {
        scope: compared.scope,
        ..options.clone()
    };
    let mut observed = nothing(&desired(loaded, &options.scope, &Found::default()));
    for (target, there) in compared.there.observed {
        let observation = observed.entry(target).or_default();
        observation.objects.extend(there.objects);
        observation.schemas.extend(there.schemas);
    }
    let seen = Seen::alone(observed, compared.there.inventories);
    let mut plan = decide(loaded, &options, &seen)?;
    plan.unchanged += compared.unchanged;
    // Nobody has written what is only rendered.
    for field in plan.changes.iter_mut().flat_map(|change| &mut change.fields) {
        field.owner = None;
    }
    let bad = plan::admission::settle(&mut plan, &loaded.definitions.sets, &seen.observed, &options.now)?;
    preconditions::check(loaded, &mut plan, &seen).await;
    Ok(Planned::of(plan, seen, loaded, &bad))
}

/// Makes a plan.
///
/// # Errors
/// Where a control plane can't be reached, or its inventories can't be read.
pub async fn plan(loaded: &LoadedFleet, options: &PlanOptions) -> Result<Planned, PlanError> {
    loaded.check_scope(&options.scope)?;
    if let Against::Rendered(base) = &options.against {
        return plan_after(base, loaded, options).await;
    }
    let seen = match &options.against {
        Against::Live(access) => look(loaded, access, &options.scope).await?,
        Against::Nothing | Against::Rendered(_) => {
            let observed = nothing(&desired(loaded, &options.scope, &Found::default()));
            Seen::alone(observed, BTreeMap::new())
        }
    };
    let mut plan = decide(loaded, options, &seen)?;
    tracing::info!(changes = plan.changes.len(), unchanged = plan.unchanged, "decided");
    let bad = plan::admission::settle(&mut plan, &loaded.definitions.sets, &seen.observed, &options.now)?;
    preconditions::check(loaded, &mut plan, &seen).await;
    confirm(&mut plan, &seen).await;
    let mut planned = Planned::of(plan, seen, loaded, &bad);
    if let Against::Live(_) = &options.against {
        caps::foresee_deletes(loaded, &mut planned).await?;
    }
    Ok(planned)
}

/// Looks at everything in scope.
pub(super) async fn look(loaded: &LoadedFleet, access: &Access, scope: &Scope) -> Result<Seen, PlanError> {
    let view = loaded.scope(scope);
    let reached: Vec<ManagementClusterName> = view.management_clusters().cloned().collect();
    let providers = access.connect(&loaded.fleet, &reached).await?;
    let stores: BTreeMap<_, _> = providers
        .iter()
        .map(|(name, provider)| (name.clone(), provider.inventory()))
        .collect();
    let inventories = renamed(inventories(loaded, &stores).await?, loaded);
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
    let planes = planes(&providers, oci.as_deref());
    let observed = observe(loaded, &planes, &desired(loaded, scope, &found), &inventories, &view).await?;
    for (target, observation) in &observed {
        tracing::info!(%target, objects = observation.objects.len(), "observed");
    }
    // Last of all: what somebody asks for while the rest is looked at is heard.
    let syncs = read_syncs(&providers).await;
    Ok(Seen {
        providers,
        oci,
        stores,
        inventories,
        observed,
        syncs,
        found,
    })
}

async fn read_syncs(
    providers: &BTreeMap<ManagementClusterName, Arc<KubernetesProvider>>,
) -> BTreeMap<ManagementClusterName, Read> {
    let reads = providers
        .iter()
        .map(|(name, provider)| async move { (name.clone(), provider.read_syncs().await) });
    join_all(reads).await.into_iter().collect()
}

/// Documents of which the observation says that it left something out.
fn unread(observed: &BTreeMap<Target, Observation>) -> usize {
    let objects = observed
        .get(&Target::Oci)
        .into_iter()
        .flat_map(|seen| seen.objects.values());
    objects
        .filter(|seen| matches!(seen, Observed::Present(live) if live.text.contains("\"unread\":{")))
        .count()
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

/// The plan of what was seen.
pub(super) fn decide(loaded: &LoadedFleet, options: &PlanOptions, seen: &Seen) -> Result<Plan, PlanError> {
    let view = loaded.scope(&options.scope);
    let newer = newer_units(loaded, &seen.inventories, &view);
    let suspended = match (options.even_suspended, &options.against) {
        (false, Against::Live(_)) => suspended_units(loaded, options, seen),
        _ => BTreeMap::new(),
    };
    Ok(plan::build(&Inputs {
        fleet: &loaded.fleet,
        desired: desired(loaded, &options.scope, &seen.found),
        wanted_elsewhere: wanted_elsewhere(loaded, &options.scope),
        failed: loaded.failed.clone(),
        in_scope: &|unit| view.holds(unit),
        targets: &|target| view.reaches(target),
        inventories: &seen.inventories,
        observed: &seen.observed,
        looked_up: &seen.found.look_ups,
        revised: loaded.revised.clone(),
        newer: &newer,
        suspended,
        adopt: options.adopt,
        now: &options.now,
    })?)
}

/// What is wanted of the units in scope.
fn desired<'a>(loaded: &'a LoadedFleet, scope: &Scope, found: &'a Found) -> BTreeMap<UnitId, DesiredUnit<'a>> {
    let view = loaded.scope(scope);
    loaded
        .rendered
        .units
        .iter()
        .filter(|(unit, _)| view.holds(unit))
        .filter_map(|(unit, rendered)| {
            let recorded_on = loaded.recorded_on(unit)?;
            Some((
                unit.clone(),
                DesiredUnit {
                    manifests: found.manifests(unit, &rendered.manifests),
                    recorded_on,
                },
            ))
        })
        .collect()
}

/// What the units out of scope want.
fn wanted_elsewhere<'a>(loaded: &'a LoadedFleet, scope: &Scope) -> BTreeSet<&'a ResourceId> {
    let view = loaded.scope(scope);
    let units = loaded.rendered.units.iter().filter(|(unit, _)| !view.holds(unit));
    units
        .flat_map(|(_, unit)| &unit.manifests)
        .map(|manifest| &manifest.id)
        .collect()
}

/// An observation in which nothing is there.
fn nothing(desired: &BTreeMap<UnitId, DesiredUnit<'_>>) -> BTreeMap<Target, Observation> {
    let mut observed: BTreeMap<Target, Observation> = BTreeMap::new();
    for manifest in desired.values().flat_map(|unit| unit.manifests) {
        observed
            .entry(manifest.id.target.clone())
            .or_default()
            .objects
            .insert(manifest.id.clone(), Observed::Absent);
    }
    observed
}

async fn inventories(
    loaded: &LoadedFleet,
    stores: &BTreeMap<ManagementClusterName, KubernetesStore>,
) -> Result<BTreeMap<InventoryKey, Stored>, PlanError> {
    let uid = &loaded.revised.fleet;
    let loads = stores.iter().map(|(name, store)| async move {
        match store.load_all(uid).await {
            Ok(all) => Ok((name.clone(), all)),
            Err(source) => Err(PlanError::Inventory {
                name: name.clone(),
                source,
            }),
        }
    });
    let mut map = BTreeMap::new();
    for (name, all) in try_join_all(loads).await? {
        for stored in all {
            map.insert((name.clone(), stored.inventory.unit.clone()), stored);
        }
    }
    Ok(map)
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
) -> Result<BTreeMap<Target, Observation>, PlanError> {
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
        match provider.observe(request).await {
            Ok(observation) => Ok((target.clone(), observation)),
            Err(source) => Err(PlanError::Observe {
                target: target.clone(),
                source,
            }),
        }
    });
    Ok(try_join_all(looks).await?.into_iter().collect())
}

/// What units out of scope make and those in scope refer to: a shared network's ids, say.
fn referred_to<'a>(loaded: &'a LoadedFleet, desired: &BTreeMap<UnitId, DesiredUnit<'a>>) -> Vec<&'a Manifest> {
    let needed: BTreeSet<&ResourceId> = desired
        .values()
        .flat_map(|unit| unit.manifests)
        .flat_map(|manifest| &manifest.depends_on)
        .collect();
    loaded
        .rendered
        .units
        .iter()
        .filter(|(unit, _)| !desired.contains_key(unit))
        .flat_map(|(_, unit)| &unit.manifests)
        .filter(|manifest| manifest.id.target == Target::Oci && needed.contains(&manifest.id))
        .collect()
}

/// Units in scope whose inventory was last written from a commit that lies ahead of the one at hand. Of the others it is not
/// asked: after a while each was written from a commit of its own, and each is a walk through the history.
fn newer_units(
    loaded: &LoadedFleet,
    inventories: &BTreeMap<InventoryKey, Stored>,
    view: &ScopeView<'_>,
) -> BTreeMap<UnitId, Revision> {
    let mut relations: BTreeMap<&Revision, Ancestry> = BTreeMap::new();
    let mut newer = BTreeMap::new();
    for ((_, unit), stored) in inventories.iter().filter(|((_, unit), _)| view.holds(unit)) {
        let recorded = &stored.inventory.revision;
        let time = stored.inventory.revision_time;
        let relation = *relations
            .entry(recorded)
            .or_insert_with(|| loaded.relation_to(recorded));
        let behind = match relation {
            Ancestry::Backward => true,
            Ancestry::Same | Ancestry::Forward | Ancestry::Diverged => false,
            // Of two commits of which one is not in this clone, their times are all there is to go by.
            Ancestry::Unknown => time > 0 && loaded.revised.time > 0 && time > loaded.revised.time,
        };
        if behind {
            newer.insert(unit.clone(), recorded.clone());
        }
    }
    newer
}

/// Units in scope that are suspended; those that left the files among them.
fn suspended_units(loaded: &LoadedFleet, options: &PlanOptions, seen: &Seen) -> BTreeMap<UnitId, Suspension> {
    // By an unreadable clock nothing has ended.
    let now = options.now.parse().unwrap_or(jiff::Timestamp::MIN);
    let view = loaded.scope(&options.scope);
    let wanted = loaded
        .rendered
        .units
        .keys()
        .filter_map(|unit| Some((loaded.recorded_on(unit)?, unit.clone())));
    let not_read = Read::Unknown("it was not looked at".to_owned());
    let mut units = BTreeMap::new();
    for (on, unit) in wanted.chain(seen.inventories.keys().cloned()) {
        if !view.holds(&unit) {
            continue;
        }
        let read = seen.syncs.get(&on).unwrap_or(&not_read);
        let place = Place {
            unit: &unit,
            on: &on,
            read,
        };
        if let Some(suspension) = suspended(&loaded.fleet, place, now) {
            units.insert(unit, suspension);
        }
    }
    units
}

/// Dry-runs under way at once: each is as much work for the server as a write.
const PREVIEWS: usize = 16;

/// Has the server's dry-run confirm what was predicted, for the objects that change and for no other.
async fn confirm(plan: &mut Plan, seen: &Seen) {
    let previews = plan
        .changes
        .iter()
        .enumerate()
        .filter(|(_, change)| plan::confirm::is_wanted(change))
        .map(|(i, change)| async move {
            let Target::Kubernetes(name) = &change.id.target else {
                return None;
            };
            let provider = seen.providers.get(name)?;
            let body = plan::document(change)?;
            Some((i, provider.preview(change.request(body.expose())).await))
        });
    let previews: Vec<_> = previews.collect();
    let mut answers: Vec<_> = futures::stream::iter(previews)
        .buffer_unordered(PREVIEWS)
        .filter_map(std::future::ready)
        .collect()
        .await;
    answers.sort_by_key(|(i, _)| *i);
    plan::confirm::settle(plan, answers, &seen.observed);
}
