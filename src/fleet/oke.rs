//! A cluster of Oracle's own Kubernetes service: what only that kind has.

use super::cluster::Parts;
use super::machines::{self, Sorts};
use super::model::{ClusterKind, GroupKind, Oke};
use super::pools::PoolPlaces;
use super::problems::Problems;
use super::spec;

const SORTS: Sorts = &[
    (spec::GroupKind::Managed, GroupKind::Managed),
    (spec::GroupKind::Virtual, GroupKind::Virtual),
    (spec::GroupKind::MachineDeployment, GroupKind::MachineDeployment),
];
const LONGEST_NAME: usize = 31;

/// Resolves it; none, and said why, where something lacks.
pub(super) fn resolve(parts: Parts<'_>, problems: &mut Problems<'_>) -> Option<(ClusterKind, PoolPlaces)> {
    let (machines, places) = machines::resolve(parts, SORTS, problems)?;
    let name = &parts.pin.object_name;
    machines::name_fits(("OCIManagedControlPlane", name, LONGEST_NAME), parts.place, problems);
    for pool in machines.pools.values().filter(|pool| pool.kind == GroupKind::Managed) {
        let place = places.get(&pool.name).map_or(parts.place, |(_, place)| *place);
        machines::name_fits(
            ("OCIManagedMachinePool", &pool.object_name, LONGEST_NAME),
            place,
            problems,
        );
    }
    Some((ClusterKind::Oke(Box::new(Oke { machines })), places))
}
