//! A cluster whose control plane is made of machines: what only that kind has.

use super::belongs;
use super::cluster::Parts;
use super::machines::{self, Sorts};
use super::model::{ClusterKind, ControlPlane, GroupKind, SelfManaged};
use super::node::{Entry, Node, Yaml};
use super::pools::PoolPlaces;
use super::problems::Problems;
use super::spec;

const SORTS: Sorts = &[
    (spec::GroupKind::MachineDeployment, GroupKind::MachineDeployment),
    (spec::GroupKind::MachinePool, GroupKind::MachinePool),
];
const LONGEST_NAME: usize = 44;

/// Resolves it; none, and said why, where something lacks.
pub(super) fn resolve(parts: Parts<'_>, problems: &mut Problems<'_>) -> Option<(ClusterKind, PoolPlaces)> {
    machines::name_fits(
        ("OCICluster", &parts.pin.object_name, LONGEST_NAME),
        parts.place,
        problems,
    );
    let control_plane = control_plane(parts, problems);
    let (machines, places) = machines::resolve(parts, SORTS, problems)?;
    let own = SelfManaged {
        control_plane: control_plane?,
        machines,
    };
    Some((ClusterKind::SelfManaged(Box::new(own)), places))
}

fn control_plane(parts: Parts<'_>, problems: &mut Problems<'_>) -> Option<ControlPlane> {
    let typed = parts.merged.node.get("controlPlane");
    let entry = Entry {
        key: "controlPlane".into(),
        place: typed.map_or(parts.place, |node| node.place),
        value: typed.cloned().unwrap_or(Node {
            place: parts.place,
            value: Yaml::Map(Vec::new()),
        }),
    };
    belongs::check_control_plane(&entry.value, spec::ClusterKind::SelfManaged, problems);
    let (spec, node) = machines::typed(parts, &entry, problems)?;
    let machine = machines::machine(parts, (&entry, &spec, &node), GroupKind::MachineDeployment, problems);
    // Sizes of `poolDefaults` and profiles are those of pools.
    let typed = entry.value.get("replicas");
    let replicas = typed.and(spec.replicas).unwrap_or(3);
    machines::odd(replicas, typed.map_or(entry.place, |node| node.place), problems);
    Some(ControlPlane {
        object_name: format!("{}-control-plane", parts.pin.object_name),
        replicas,
        machine: machine?,
        health_check: spec.health_check.as_ref().map(machines::health_check),
        patches: machines::patches(node.get("patches"), problems),
    })
}
