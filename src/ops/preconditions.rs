//! Whether what units need, and nothing of the fleet makes, is there.
//!
//! Invariant: what could not be looked at is neither there nor missing.

use std::collections::BTreeMap;

use super::cloud;
use super::load::LoadedFleet;
use super::plan::Seen;
use crate::plan::preconditions::Met;
use crate::plan::{self, Plan};
use crate::providers::kubernetes::KubernetesProvider;
use crate::providers::{Observed, Provider};
use crate::render::Precondition;
use crate::resource::{ManagementClusterName, Target};
use crate::schema::Schema;

/// Looks at what units need that nothing of ours makes, for those that are about to be made.
pub(super) async fn check(loaded: &LoadedFleet, plan: &mut Plan, seen: &Seen) {
    let mut found = Vec::new();
    let mut known: BTreeMap<(Option<ManagementClusterName>, &Precondition), Met> = BTreeMap::new();
    for unit in plan::preconditions::units_to_check(plan) {
        let Some(rendered) = loaded.rendered.units.get(&unit) else {
            continue;
        };
        let on = loaded.recorded_on(&unit);
        for precondition in &rendered.preconditions {
            let key = (on.clone(), precondition);
            let met = match known.get(&key) {
                Some(met) => *met,
                None => {
                    let provider = on.as_ref().and_then(|name| seen.providers.get(name));
                    let met = match (precondition, provider, &seen.oci) {
                        (Precondition::Existing { .. }, _, Some(oci)) => {
                            cloud::exists(precondition, &unit, loaded, oci).await
                        }
                        (_, Some(provider), _) => is_met(precondition, provider, seen, on.as_ref()).await,
                        (_, None, _) => Met::Unchecked,
                    };
                    known.insert(key, met);
                    met
                }
            };
            found.push((unit.clone(), precondition.clone(), met));
        }
    }
    plan::preconditions::settle(plan, found);
}

async fn is_met(
    precondition: &Precondition,
    provider: &KubernetesProvider,
    seen: &Seen,
    on: Option<&ManagementClusterName>,
) -> Met {
    let told = |there: Option<bool>| there.map_or(Met::Unchecked, |there| if there { Met::Yes } else { Met::No });
    match precondition {
        Precondition::Object { id } => match provider.read(id, "v1").await {
            Observed::Present(_) => Met::Yes,
            Observed::Absent => Met::No,
            Observed::Unknown(_) => Met::Unchecked,
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
        | Precondition::Peering { .. } => Met::Unchecked,
    }
}

/// Whether a HostedCluster's schema has the OCI platform: as a declared field, since a field that is not declared has a
/// type in schemas too.
pub(super) fn admits_oci(schema: &Schema) -> bool {
    let platform = schema.root().field("spec").and_then(|spec| spec.field("platform"));
    platform.is_some_and(|platform| platform.field("oci").is_some())
}
