//! Whether what units need, and nothing of the fleet makes, is there.
//!
//! Invariant: what could not be looked at is neither there nor missing.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt as _;

use super::connect::Access;
use super::load::LoadedFleet;
use super::look::Seen;
use super::{cloud, existing};
use crate::fleet::model::ClusterApi;
use crate::plan::preconditions::{Finding, Met};
use crate::plan::{self, Plan};
use crate::providers::kubernetes::KubernetesProvider;
use crate::providers::oci::OciProvider;
use crate::providers::{Observed, Provider};
use crate::render::Precondition;
use crate::resource::{ManagementClusterName, ResourceId, Target, UnitId};
use crate::schema::Schema;

/// Looks under way at once.
const LOOKS: usize = 16;

/// Where something is needed, and what.
type Key<'a> = (Option<ManagementClusterName>, &'a Precondition);

/// Looks at what units need that nothing of ours makes, for those that are about to be made. Without access to anything,
/// nothing is looked at.
pub(super) async fn check(loaded: &LoadedFleet, plan: &mut Plan, seen: &Seen, access: Option<&Access>) {
    let mut wanted: BTreeMap<Key<'_>, Vec<UnitId>> = BTreeMap::new();
    for unit in plan::preconditions::units_to_check(plan) {
        let on = loaded.recorded_on(&unit);
        let needs = loaded.rendered.units.get(&unit).map(|rendered| &rendered.preconditions);
        for precondition in needs.into_iter().flatten() {
            wanted.entry((on.clone(), precondition)).or_default().push(unit.clone());
        }
    }
    let is_existing = |(_, precondition): &Key<'_>| matches!(precondition, Precondition::Existing { .. });
    let oci = match wanted.keys().any(is_existing) {
        true => connected(loaded, seen, access).await,
        false => Err(String::new()),
    };
    let looks = wanted.into_iter().map(|((on, precondition), units)| {
        let oci = &oci;
        async move {
            let provider = on.as_ref().and_then(|name| seen.providers.get(name));
            let finding = match (precondition, oci, provider, units.first()) {
                (Precondition::Existing { .. }, Ok(oci), _, Some(unit)) => {
                    existing::look(precondition, unit, loaded, oci).await
                }
                (Precondition::Existing { .. }, Err(why), ..) if !why.is_empty() => {
                    Finding::of(Met::Unchecked, why.clone())
                }
                (_, _, Some(provider), _) => is_met(precondition, provider, seen, (loaded, on.as_ref())).await,
                _ => Finding::plain(Met::Unchecked),
            };
            (units, precondition, finding)
        }
    });
    let looks: Vec<_> = looks.collect();
    let found: Vec<_> = futures::stream::iter(looks).buffer_unordered(LOOKS).collect().await;
    let found = found.into_iter().flat_map(|(units, precondition, finding)| {
        let of = move |unit| (unit, precondition.clone(), finding.clone());
        units.into_iter().map(of)
    });
    plan::preconditions::settle(plan, found);
}

/// The connection to OCI, which nothing else of these units may need. Where there is none, why; nothing where nobody asks.
async fn connected(loaded: &LoadedFleet, seen: &Seen, access: Option<&Access>) -> Result<Arc<OciProvider>, String> {
    match (&seen.oci, access) {
        (Some(oci), _) => Ok(oci.clone()),
        (None, None) => Err(String::new()),
        (None, Some(access)) => {
            let made = cloud::connect(access, loaded, std::iter::empty()).await;
            made.map_err(|error| crate::report::chain(&error))
        }
    }
}

async fn is_met(
    precondition: &Precondition,
    provider: &KubernetesProvider,
    seen: &Seen,
    (loaded, on): (&LoadedFleet, Option<&ManagementClusterName>),
) -> Finding {
    let told = |there: Option<bool>| {
        Finding::plain(there.map_or(Met::Unchecked, |there| if there { Met::Yes } else { Met::No }))
    };
    match precondition {
        Precondition::Object { id } => match provider.read(id, version(id, loaded)).await {
            Observed::Present(_) => told(Some(true)),
            Observed::Absent => told(Some(false)),
            Observed::Unknown(why) => Finding::of(Met::Unchecked, why),
        },
        Precondition::RouteApi => told(provider.serves("route.openshift.io", "Route").await),
        Precondition::OciPlatform => {
            let observation = on.and_then(|name| seen.observed.get(&Target::Kubernetes(name.clone())));
            let schemas = observation.map(|observation| &observation.schemas);
            let hosted = schemas.and_then(|all| all.iter().find(|(kind, _)| kind.kind == "HostedCluster"));
            told(hosted.map(|(_, schema)| admits_oci(schema)))
        }
        Precondition::NodePortAddress { .. }
        | Precondition::DnsRecord { .. }
        | Precondition::Existing { .. }
        | Precondition::Peering { .. } => told(None),
    }
}

/// The version that an object is asked for in.
fn version(id: &ResourceId, loaded: &LoadedFleet) -> &'static str {
    let Target::Kubernetes(on) = &id.target else {
        return "v1";
    };
    let contract = loaded.fleet.management_clusters.get(on).map(|it| it.cluster_api);
    match contract.filter(|_| id.group == "cluster.x-k8s.io") {
        Some(ClusterApi::V1Beta1) => "v1beta1",
        Some(ClusterApi::V1Beta2) => "v1beta2",
        None => "v1",
    }
}

/// Whether a HostedCluster's schema has the OCI platform: as a declared field, since a field that is not declared has a
/// type in schemas too.
pub(super) fn admits_oci(schema: &Schema) -> bool {
    let platform = schema.root().field("spec").and_then(|spec| spec.field("platform"));
    platform.is_some_and(|platform| platform.field("oci").is_some())
}
