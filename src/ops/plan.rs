//! `plan`: what would change, against the live state or against nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt as _;

use super::admission;
use super::base::Base;
use super::caps;
use super::cloud::{CloudError, Found};
use super::connect::{Access, AccessError};
use super::contests;
use super::forecast;
use super::ignore;
use super::load::{LoadedFleet, Scope, ScopeError, ScopeView};
use super::look::{Seen, look};
use super::preconditions;
use super::supported;
use super::unread::Unread;
use crate::diag::Diagnostic;
use crate::inventory::InventoryKey;
use crate::plan::admission::Inadmissible;
use crate::plan::change::Preview;
use crate::plan::graph::Cycle;
use crate::plan::ignore::Contested;
use crate::plan::upgrade::{Way, stage};
use crate::plan::{self, DesiredUnit, Inputs, Plan};
use crate::providers::kubernetes::{KubernetesProvider, KubernetesStore};
use crate::providers::oci::OciProvider;
use crate::providers::{Observation, Observed, Provider, ProviderError, Stored};
use crate::resource::{ManagementClusterName, ResourceId, Revision, Target, UnitId};
use crate::sandbox::Sandbox;
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
    /// The sandbox that it is, where it is one.
    pub fn sandbox(&self) -> Option<&Sandbox> {
        match self {
            Self::Live(access) => access.sandbox.as_deref(),
            Self::Nothing | Self::Rendered(_) => None,
        }
    }

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
    /// What is fought over, and left as it is.
    pub contested: Contested,
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
    pub unread: Unread,
    /// Their inventories.
    pub stores: BTreeMap<ManagementClusterName, KubernetesStore>,
    /// Inventories as they were read, old unit names replaced.
    pub inventories: BTreeMap<InventoryKey, Stored>,
    /// What the management clusters tell of the fleet, and what is asked for there.
    pub syncs: BTreeMap<ManagementClusterName, Read>,
    /// Management clusters that did not answer; only where a plan of the rest was asked for.
    pub away: BTreeSet<ManagementClusterName>,
    /// Units in scope that were left alone for that, and why.
    pub unreached: BTreeMap<UnitId, String>,
    /// Units of which something is refused since the ledger that counts it can't be used, and why; only where a plan of the
    /// rest was asked for.
    pub uncounted: BTreeMap<UnitId, String>,
    /// What the servers would refuse of it, in the places that it comes from; the plan's refusals cover it.
    pub inadmissible: Vec<Diagnostic>,
    /// Rules of `ignore` that are about nothing.
    pub idle: Vec<Diagnostic>,
}

impl Planned {
    fn of(
        mut plan: Plan,
        seen: Seen,
        (loaded, scope): (&LoadedFleet, &Scope),
        bad: &[Inadmissible],
    ) -> Result<Self, PlanError> {
        let unreached = unreached(loaded, &loaded.scope(scope), &seen);
        plan.forecast = forecast::of(&plan, loaded, &seen.observed);
        forecast::cap(&mut plan, loaded, &seen.observed)?;
        Ok(Self {
            plan,
            unread: Unread::of(&seen.observed),
            providers: seen.providers,
            oci: seen.oci,
            stores: seen.stores,
            inventories: seen.inventories,
            syncs: seen.syncs,
            away: seen.away.keys().cloned().collect(),
            unreached,
            uncounted: BTreeMap::new(),
            inadmissible: admission::diagnostics(loaded, bad),
            idle: Vec::new(),
        })
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
    /// It did not answer to another look.
    #[error("management cluster {name} did not answer a moment ago: {why}")]
    Away {
        /// The management cluster.
        name: ManagementClusterName,
        /// Why.
        why: String,
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
    Cycle(#[from] Cycle),
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
    let seen = Seen {
        recorded_beside: compared.recorded_beside,
        ..Seen::alone(observed, compared.there.inventories)
    };
    let mut plan = decide(loaded, &options, &seen)?;
    plan.unchanged += compared.unchanged;
    // Nobody has written what is only rendered.
    for field in plan.changes.iter_mut().flat_map(|change| &mut change.fields) {
        field.owner = None;
    }
    let bad = plan::admission::settle(&mut plan, &loaded.definitions.sets, &seen.observed, &options.now)?;
    preconditions::check(loaded, &mut plan, &seen, None).await;
    Planned::of(plan, seen, (loaded, &options.scope), &bad)
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
    let access = match &options.against {
        Against::Live(access) => Some(access.as_ref()),
        Against::Nothing | Against::Rendered(_) => None,
    };
    preconditions::check(loaded, &mut plan, &seen, access).await;
    supported::refuse(&mut plan, &seen).await?;
    confirm(&mut plan, &seen).await?;
    if plan.changes.iter().any(|change| change.preview == Preview::Server) {
        // Guards have judged what was predicted; what would be written is what the server answered.
        with_inputs(loaded, options, &seen, |inputs| plan::judge_answers(&mut plan, inputs))?;
        supported::refuse(&mut plan, &seen).await?;
    }
    plan.contests = contests::told(loaded, &plan, &seen.syncs);
    let mut planned = Planned::of(plan, seen, (loaded, &options.scope), &bad)?;
    planned.idle = ignore::idle(loaded, &planned.plan, &options.scope, &options.against);
    if let Against::Live(_) = &options.against {
        caps::foresee(loaded, &mut planned, options.scope.even_in_part).await?;
    }
    Ok(planned)
}

/// The plan of what was seen.
pub(super) fn decide(loaded: &LoadedFleet, options: &PlanOptions, seen: &Seen) -> Result<Plan, PlanError> {
    Ok(with_inputs(loaded, options, seen, plan::build)?)
}

/// What a plan of what was seen is made of.
fn with_inputs<R>(loaded: &LoadedFleet, options: &PlanOptions, seen: &Seen, make: impl FnOnce(&Inputs<'_>) -> R) -> R {
    let view = loaded.scope(&options.scope);
    let elsewhere = elsewhere(loaded, &seen.inventories, &view);
    let suspended = match (options.even_suspended, &options.against) {
        (false, Against::Live(_)) => suspended_units(loaded, options, seen),
        _ => BTreeMap::new(),
    };
    let mut desired = desired(loaded, &options.scope, &seen.found);
    let unreached = unreached(loaded, &view, seen);
    desired.retain(|unit, _| !unreached.contains_key(unit));
    let mut failed = loaded.failed.clone();
    failed.extend(unreached);
    let way = match &options.against {
        Against::Live(_) => Way::Live,
        Against::Nothing | Against::Rendered(_) => Way::Rendered,
    };
    let staged = stage(&loaded.fleet, &desired, &seen.observed, way);
    for (unit, manifests) in &staged.units {
        desired
            .entry(unit.clone())
            .and_modify(|unit| unit.manifests = manifests);
    }
    make(&Inputs {
        fleet: &loaded.fleet,
        desired,
        staged: &staged,
        wanted_elsewhere: wanted_elsewhere(loaded, &options.scope),
        failed,
        in_scope: &|unit| view.holds(unit),
        targets: &|target| view.reaches(target),
        inventories: &seen.inventories,
        recorded_beside: seen.recorded_beside,
        observed: &seen.observed,
        looked_up: &seen.found.look_ups,
        revised: loaded.revised.clone(),
        newer: &elsewhere.newer,
        beside: &elsewhere.beside,
        suspended,
        contested: &options.contested,
        adopt: options.adopt,
        now: &options.now,
    })
}

/// Units in scope of which too little was seen, since a management cluster did not answer: those that are recorded there, and
/// those that are recorded nowhere else, for they may be.
fn unreached(loaded: &LoadedFleet, view: &ScopeView<'_>, seen: &Seen) -> BTreeMap<UnitId, String> {
    let Some((first, why)) = seen.away.first_key_value() else {
        return BTreeMap::new();
    };
    let wanted = loaded.rendered.units.keys().filter(|unit| view.holds(unit));
    let units = wanted.filter_map(|unit| {
        let on = loaded.recorded_on(unit)?;
        let is_recorded = || seen.inventories.contains_key(&(on.clone(), unit.clone()));
        let reason = match seen.away.get(&on) {
            Some(why) => why.clone(),
            None if is_recorded() => return None,
            None => format!("it may be recorded on {first}: {why}"),
        };
        Some((unit.clone(), reason))
    });
    units.collect()
}

/// What is wanted of the units in scope.
pub(super) fn desired<'a>(
    loaded: &'a LoadedFleet,
    scope: &Scope,
    found: &'a Found,
) -> BTreeMap<UnitId, DesiredUnit<'a>> {
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

/// The revisions that units were last applied from, where those are none that the one at hand came after.
#[derive(Default)]
struct Elsewhere {
    /// Of units whose inventory was last written from a commit that lies ahead of the one at hand.
    newer: BTreeMap<UnitId, Revision>,
    /// Of those whose commit lies on another branch.
    beside: BTreeMap<UnitId, Revision>,
}

/// Asks it of the units in scope alone: after a while each was written from a commit of its own, and each is a walk through
/// the history.
fn elsewhere(loaded: &LoadedFleet, inventories: &BTreeMap<InventoryKey, Stored>, view: &ScopeView<'_>) -> Elsewhere {
    let mut relations: BTreeMap<&Revision, Ancestry> = BTreeMap::new();
    let mut found = Elsewhere::default();
    for ((_, unit), stored) in inventories.iter().filter(|((_, unit), _)| view.holds(unit)) {
        let recorded = &stored.inventory.revision;
        let time = stored.inventory.revision_time;
        let relation = *relations
            .entry(recorded)
            .or_insert_with(|| loaded.relation_to(recorded));
        let is_later = time > 0 && loaded.revised.time > 0 && time >= loaded.revised.time;
        let units = match relation {
            Ancestry::Backward => &mut found.newer,
            Ancestry::Diverged => &mut found.beside,
            // Of two commits of which one is not in this clone, their times are all there is to go by.
            // Programs commit more than once a second.
            Ancestry::Unknown if is_later => &mut found.newer,
            Ancestry::Same | Ancestry::Forward | Ancestry::Unknown => continue,
        };
        units.insert(unit.clone(), recorded.clone());
    }
    found
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
        // Of what does not answer more is not known than this.
        if !view.holds(&unit) || seen.away.contains_key(&on) {
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

/// Has the server's dry-run confirm what was predicted, for what changes or is made, and for nothing else.
async fn confirm(plan: &mut Plan, seen: &Seen) -> Result<(), Cycle> {
    let wanted = plan::confirm::wanted(plan);
    let previews = wanted
        .into_iter()
        .filter_map(|i| Some((i, plan.changes.get(i)?)))
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
    plan::confirm::settle(plan, answers, &seen.observed)
}
