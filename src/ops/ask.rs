//! `reconcile`, `suspend`, `resume`: what people ask of the daemon, by annotations of its custom resources.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};

use super::connect::{Access, AccessError};
use super::load::{LoadedFleet, Scope, ScopeError};
use crate::providers::ProviderError;
use crate::providers::kubernetes::{KubernetesProvider, NewSync, SyncPart};
use crate::resource::mark::OWNER_ANNOTATION;
use crate::resource::{ClusterName, ManagementClusterName, UnitId};
use crate::sync::annotations::{Keys, RECONCILE_REQUESTED_AT, UNTIL_RESUMED};
use crate::sync::suspension::{Place, suspended};
use crate::sync::{FleetSync, Read, Record, Suspension, SyncKind, UnitSync, fleet_object, unit_object};

/// Of what something is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meant {
    /// The whole fleet.
    Fleet,
    /// The clusters of an environment.
    Environment(String),
    /// One cluster.
    Cluster(String),
}

/// Why it can't be asked.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// It names what is not there.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// No connection.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// Nobody knows where it is.
    #[error("no management cluster has a ClusterSync of {0}, and the fleet files don't say where it runs")]
    Nowhere(UnitId),
    /// The kinds are not installed.
    #[error("{0} has no ClusterSync and FleetStatus to ask by: `kubectl apply -f deploy/crds` installs them")]
    NotInstalled(ManagementClusterName),
    /// It can't be written.
    #[error("{on} does not take it")]
    Write {
        /// The management cluster.
        on: ManagementClusterName,
        /// Why.
        #[source]
        source: ProviderError,
    },
    /// It can't be read whether it worked.
    #[error("{on} can't be read: {reason}")]
    Read {
        /// The management cluster.
        on: ManagementClusterName,
        /// Why.
        reason: String,
    },
}

/// An object to annotate.
struct Target {
    on: ManagementClusterName,
    provider: Arc<KubernetesProvider>,
    kind: SyncKind,
    name: String,
    unit: UnitId,
    /// Whether it is made where it is not there yet.
    is_made: bool,
}

/// What somebody asked of one object, and what came of it.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The management cluster.
    pub on: ManagementClusterName,
    /// `ClusterSync prod.payments`.
    pub object: String,
    /// What it says.
    pub told: Told,
}

/// What an object says of a request.
#[derive(Clone, Debug)]
pub enum Told {
    /// Nobody waited for it.
    Asked,
    /// Nobody answered in time.
    Silence,
    /// A unit was looked at.
    Unit(Box<UnitSync>),
    /// All units were.
    Fleet(Box<FleetSync>),
}

/// How long an answer is waited for; none: not at all.
pub type Patience = Option<Duration>;

/// How often an object that goes away under our hands is tried.
const TRIES: usize = 3;

/// Between two looks at whether it is answered.
const LOOK: Duration = Duration::from_millis(500);

async fn targets(loaded: &LoadedFleet, access: &Access, meant: &Meant) -> Result<Vec<Target>, AskError> {
    let scope = match meant {
        Meant::Fleet => Scope::default(),
        Meant::Environment(name) => Scope {
            environments: vec![name.clone()],
            ..Scope::default()
        },
        Meant::Cluster(name) => Scope {
            clusters: vec![name.clone()],
            ..Scope::default()
        },
    };
    loaded.check_scope(&scope)?;
    let fleet = &loaded.fleet;
    let all: Vec<ManagementClusterName> = fleet.management_clusters.keys().cloned().collect();
    let Meant::Cluster(name) = meant else {
        let providers = access.connect(fleet, &all).await?;
        let of_fleet = |(on, provider): (ManagementClusterName, _)| Target {
            unit: UnitId::ManagementCluster(on.clone()),
            on,
            provider,
            kind: SyncKind::FleetStatus,
            name: fleet_object(&fleet.name),
            is_made: true,
        };
        return Ok(providers.into_iter().map(of_fleet).collect());
    };
    let unit = UnitId::Cluster(ClusterName::new(name));
    let on = loaded.recorded_on(&unit);
    let is_made = on.is_some();
    let reached = on.map_or(all, |on| vec![on]);
    let providers = access.connect(fleet, &reached).await?;
    let of_unit = |(on, provider): (ManagementClusterName, _)| Target {
        on,
        provider,
        kind: SyncKind::ClusterSync,
        name: unit_object(&fleet.name, &unit),
        unit: unit.clone(),
        is_made,
    };
    Ok(providers.into_iter().map(of_unit).collect())
}

impl Target {
    fn object(&self) -> String {
        format!("{} {}", self.kind.name(), self.name)
    }

    fn failed(&self, source: ProviderError) -> AskError {
        AskError::Write {
            on: self.on.clone(),
            source,
        }
    }

    /// Sets annotations; `null` removes one. Gives `false` where there is no object, and none is to be made.
    async fn annotate(&self, loaded: &LoadedFleet, annotations: &Map<String, Value>) -> Result<bool, AskError> {
        for _ in 0..TRIES {
            let Some(record) = self.record(loaded, annotations).await? else {
                return Ok(false);
            };
            let is_ours = crate::providers::kubernetes::unit_of(&record, self.kind, &loaded.revised.fleet).is_some();
            if !is_ours && record.annotations.contains_key(OWNER_ANNOTATION) {
                return Err(AskError::Read {
                    on: self.on.clone(),
                    reason: format!("{} is another fleet's of the same name", self.object()),
                });
            }
            let at = (self.kind, self.name.as_str(), record.uid.as_str());
            let patch = json!({"metadata": {"annotations": annotations}});
            let patched = self.provider.patch_sync::<Value>(at, SyncPart::Metadata, patch).await;
            match patched {
                Ok(Some(_)) => return Ok(true),
                // A daemon has just taken it away, as that of a cluster that it does not know yet or any more.
                Ok(None) | Err(ProviderError::Stale(_)) => {}
                Err(source) => return Err(self.failed(source)),
            }
        }
        Err(AskError::Read {
            on: self.on.clone(),
            reason: format!("{} was deleted meanwhile, {TRIES} times", self.object()),
        })
    }

    /// The object, made where it is to be and is not there: with what is asked in it from the beginning, since a daemon that knows
    /// no such cluster takes one away that asks for nothing.
    async fn record(
        &self,
        loaded: &LoadedFleet,
        annotations: &Map<String, Value>,
    ) -> Result<Option<Record<Value>>, AskError> {
        let read = self.provider.read_sync::<Value>(self.kind, &self.name).await;
        if let Some(record) = read.map_err(|source| self.failed(source))? {
            return Ok(Some(record));
        }
        if !self.is_made {
            return Ok(None);
        }
        let new = NewSync {
            kind: self.kind,
            name: &self.name,
            fleet: (&loaded.fleet.name, &loaded.revised.fleet),
            unit: &self.unit,
            annotations: annotations
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                .collect(),
        };
        let made = self.provider.create_sync::<Value>(&new).await;
        match made.map_err(|source| self.failed(source))? {
            Some(record) => Ok(Some(record)),
            None => Err(AskError::NotInstalled(self.on.clone())),
        }
    }

    /// What the object says once a request is answered and what that began is at its end; none: not yet.
    async fn told(&self, token: &str) -> Result<Option<Told>, ProviderError> {
        let is = |handled: &Option<String>| handled.as_deref() == Some(token);
        Ok(match self.kind {
            SyncKind::ClusterSync => {
                let record = self.provider.read_sync::<UnitSync>(self.kind, &self.name).await?;
                let status = record.map(|record| record.status);
                status
                    .filter(|status| is(&status.last_handled_reconcile_at) && status.state != "Reconciling")
                    .map(|status| Told::Unit(Box::new(status)))
            }
            SyncKind::FleetStatus => {
                let record = self.provider.read_sync::<FleetSync>(self.kind, &self.name).await?;
                let status = record.map(|record| record.status);
                status
                    .filter(|status| is(&status.last_handled_reconcile_at) && status.units.reconciling == 0)
                    .map(|status| Told::Fleet(Box::new(status)))
            }
        })
    }
}

/// Has the daemon look at its source, and at a cluster or at everything, at once; waits for what comes of it.
///
/// # Errors
/// Where it can't be asked. That nobody answers is none.
pub async fn reconcile(
    loaded: &LoadedFleet,
    access: &Access,
    meant: &Meant,
    patience: Patience,
    progress: &(dyn Fn(&str) + Sync),
) -> Result<Vec<Answer>, AskError> {
    let targets = targets(loaded, access, meant).await?;
    let token = Timestamp::now().to_string();
    let annotations = Map::from_iter([(RECONCILE_REQUESTED_AT.to_owned(), Value::from(token.as_str()))]);
    let mut open = Vec::new();
    for target in targets {
        if target.annotate(loaded, &annotations).await? {
            progress(&format!("asked by {} on {}", target.object(), target.on));
            open.push(target);
        }
    }
    if let (true, Meant::Cluster(name)) = (open.is_empty(), meant) {
        return Err(AskError::Nowhere(UnitId::Cluster(ClusterName::new(name))));
    }
    let answer = |target: &Target, told| Answer {
        on: target.on.clone(),
        object: target.object(),
        told,
    };
    let Some(patience) = patience else {
        return Ok(open.iter().map(|target| answer(target, Told::Asked)).collect());
    };
    let until = Instant::now() + patience;
    let mut answers = Vec::new();
    while !open.is_empty() && Instant::now() < until {
        sleep(LOOK.min(until - Instant::now())).await;
        let mut waiting = Vec::new();
        for target in open {
            match target.told(&token).await {
                Ok(Some(told)) => {
                    progress(&format!("answered by {} on {}", target.object(), target.on));
                    answers.push(answer(&target, told));
                }
                Ok(None) => waiting.push(target),
                Err(error) => {
                    // A server that is away for a moment may come back in time.
                    tracing::debug!(error = crate::report::chain(&error), "can't look for an answer");
                    waiting.push(target);
                }
            }
        }
        open = waiting;
    }
    answers.extend(open.iter().map(|target| answer(target, Told::Silence)));
    Ok(answers)
}

/// Suspends something on every management cluster that has it.
///
/// # Errors
/// Where it can't be asked; it may then be asked of some management clusters and not of others, and asking again does.
pub async fn suspend(
    loaded: &LoadedFleet,
    access: &Access,
    meant: &Meant,
    reason: &str,
    until: Option<Timestamp>,
) -> Result<Vec<String>, AskError> {
    let keys = keys(meant);
    let until = until.map_or_else(|| UNTIL_RESUMED.to_owned(), |until| until.to_string());
    let annotations = Map::from_iter([(keys.until, Value::from(until)), (keys.reason, Value::from(reason))]);
    set(loaded, access, meant, &annotations).await
}

/// Takes a suspension by annotation away; what the fleet files suspend stays so.
///
/// # Errors
/// As [`suspend`].
pub async fn resume(loaded: &LoadedFleet, access: &Access, meant: &Meant) -> Result<Vec<String>, AskError> {
    let keys = keys(meant);
    let annotations = Map::from_iter([(keys.until, Value::Null), (keys.reason, Value::Null)]);
    set(loaded, access, meant, &annotations).await
}

fn keys(meant: &Meant) -> Keys {
    match meant {
        Meant::Environment(name) => Keys::new(Some(name)),
        Meant::Fleet | Meant::Cluster(_) => Keys::new(None),
    }
}

/// Gives the objects that were annotated, in words.
async fn set(
    loaded: &LoadedFleet,
    access: &Access,
    meant: &Meant,
    annotations: &Map<String, Value>,
) -> Result<Vec<String>, AskError> {
    let mut objects = Vec::new();
    for target in targets(loaded, access, meant).await? {
        if target.annotate(loaded, annotations).await? {
            objects.push(format!("{} on {}", target.object(), target.on));
        }
    }
    match (objects.is_empty(), meant) {
        (true, Meant::Cluster(name)) => Err(AskError::Nowhere(UnitId::Cluster(ClusterName::new(name)))),
        _ => Ok(objects),
    }
}

/// The clusters that are suspended now, by whatever wish, of those that are meant.
///
/// # Errors
/// Where there is no connection.
pub async fn suspensions(
    loaded: &LoadedFleet,
    access: &Access,
    meant: &Meant,
) -> Result<BTreeMap<ClusterName, Suspension>, AskError> {
    let fleet = &loaded.fleet;
    let all: Vec<ManagementClusterName> = fleet.management_clusters.keys().cloned().collect();
    let mut reads: BTreeMap<ManagementClusterName, Read> = BTreeMap::new();
    for (on, provider) in access.connect(fleet, &all).await? {
        reads.insert(on, provider.read_syncs().await);
    }
    let now = Timestamp::now();
    let is_meant = |name: &ClusterName, environment: &str| match meant {
        Meant::Fleet => true,
        Meant::Environment(meant) => meant == environment,
        Meant::Cluster(meant) => meant == name.as_str(),
    };
    let clusters = fleet.clusters.values();
    Ok(clusters
        .filter(|cluster| is_meant(&cluster.name, cluster.environment.as_str()))
        .filter_map(|cluster| {
            let unit = UnitId::Cluster(cluster.name.clone());
            let on = &cluster.management_cluster;
            let place = Place {
                unit: &unit,
                on,
                read: reads.get(on)?,
            };
            Some((cluster.name.clone(), suspended(fleet, place, now)?))
        })
        .collect())
}
