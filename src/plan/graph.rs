//! Order: which change waits for which.
//!
//! Hard edges are what a manifest depends on, and the namespace that it is in; deletes run against a fixed order of kinds,
//! since what is no longer in the files can't name its dependencies any more, and after what lets go of what they take away.

use std::collections::BTreeMap;

use super::change::{Action, Change, Reason};
use super::dependents::releases;
use crate::resource::{ManagementClusterName, Part, ResourceId, Target, UnitId};

/// For each change, by its index, the indices of those that must be done before.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Graph {
    /// Predecessors.
    pub before: Vec<Vec<usize>>,
}

/// The changes wait for each other in a ring; the ids are in the order of the ring.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("these objects wait for each other: {}", ring(.0))]
pub struct Cycle(pub Vec<ResourceId>);

fn ring(ids: &[ResourceId]) -> String {
    let mut names: Vec<String> = ids.iter().map(ToString::to_string).collect();
    names.extend(ids.first().map(ToString::to_string));
    names.join(" → ")
}

/// How late a kind is made and how early it is deleted: what holds others comes first. Networks outlive what is in them.
pub(super) fn rank(id: &ResourceId) -> u8 {
    match (&id.target, id.kind.as_str()) {
        // An address is held by the gateway that has it.
        (Target::Oci, "Vcn" | "Drg" | "PublicIp") => 0,
        (
            Target::Oci,
            "InternetGateway"
            | "NatGateway"
            | "ServiceGateway"
            | "LocalPeeringGateway"
            | "DrgAttachment"
            | "RemotePeeringConnection",
        ) => 1,
        (Target::Oci, "RouteTable" | "SecurityList" | "NetworkSecurityGroup" | "DhcpOptions") => 2,
        (Target::Oci, "Subnet" | "RouteTableRules") => 3,
        (Target::Oci, _) => 4,
        (Target::Kubernetes(_), "Namespace" | "CustomResourceDefinition") => 5,
        (Target::Kubernetes(_), "Secret" | "ConfigMap" | "ServiceAccount" | "OCIClusterIdentity") => 6,
        // Whoever deletes a Cluster deletes what it stands on.
        (Target::Kubernetes(_), "HostedCluster" | "Cluster") => 8,
        (Target::Kubernetes(_), kind) => match Part::of(kind) {
            Some(Part::ControlPlane | Part::PoolOfOci) => 9,
            Some(Part::Pool) => 10,
            // What makes machines anew goes before the machines.
            Some(Part::HealthCheck) => 11,
            Some(Part::Hosted | Part::Cluster | Part::Class | Part::Template) | None => 7,
        },
    }
}

impl Graph {
    /// The order of some changes.
    ///
    /// # Errors
    /// Where changes wait for each other in a ring.
    pub fn new(changes: &[Change]) -> Result<Self, Cycle> {
        let written: BTreeMap<&ResourceId, usize> = changes
            .iter()
            .enumerate()
            .filter(|(_, c)| c.writes() || c.is_remade() || (c.action == Action::Leave && c.reason == Reason::Unseen))
            .map(|(i, c)| (&c.id, i))
            .collect();
        let mut before = vec![Vec::new(); changes.len()];
        for (i, change) in changes.iter().enumerate() {
            if change.writes() {
                let namespace = change.id.namespace.as_ref().map(|name| ResourceId {
                    target: change.id.target.clone(),
                    group: String::new(),
                    kind: "Namespace".to_owned(),
                    namespace: None,
                    name: name.clone(),
                });
                let needed = change.depends_on.iter().chain(namespace.as_ref());
                before[i].extend(needed.filter_map(|id| written.get(id)).copied().filter(|&j| j != i));
                before[i].sort_unstable();
                before[i].dedup();
            } else if change.reason == Reason::Moved {
                // A record lets go of what another one has by then.
                before[i].extend(written.get(&change.id));
            }
        }
        order_deletes(changes, &mut before);
        // In another unit too: Secrets of a shared namespace are its management cluster's.
        for (delete, writes) in releases(changes) {
            before[delete].extend(writes);
            before[delete].sort_unstable();
            before[delete].dedup();
        }
        let graph = Self { before };
        graph.waves(changes).map(|_| graph.clone())
    }

    /// The changes in waves: no edges between the members of one.
    ///
    /// # Errors
    /// Where changes wait for each other in a ring.
    pub fn waves(&self, changes: &[Change]) -> Result<Vec<Vec<usize>>, Cycle> {
        let mut missing: Vec<usize> = self.before.iter().map(Vec::len).collect();
        let mut after = vec![Vec::new(); self.before.len()];
        for (i, before) in self.before.iter().enumerate() {
            for &j in before {
                after[j].push(i);
            }
        }
        let mut wave: Vec<usize> = (0..missing.len()).filter(|&i| missing[i] == 0).collect();
        let mut waves = Vec::new();
        let mut done = 0;
        while !wave.is_empty() {
            done += wave.len();
            let mut next = Vec::new();
            for &i in &wave {
                for &j in &after[i] {
                    missing[j] -= 1;
                    if missing[j] == 0 {
                        next.push(j);
                    }
                }
            }
            next.sort_unstable();
            waves.push(std::mem::replace(&mut wave, next));
        }
        if done == missing.len() {
            Ok(waves)
        } else {
            Err(self.find_ring(changes, &missing))
        }
    }

    /// Walks backwards from a change that never got ready until one comes up again.
    fn find_ring(&self, changes: &[Change], missing: &[usize]) -> Cycle {
        let mut path: Vec<usize> = Vec::new();
        let mut at = missing.iter().position(|&n| n > 0);
        while let Some(i) = at {
            if let Some(start) = path.iter().position(|&j| j == i) {
                path.drain(..start);
                break;
            }
            path.push(i);
            at = self.before[i].iter().copied().find(|&j| missing[j] > 0);
        }
        Cycle(path.into_iter().map(|i| changes[i].id.clone()).collect())
    }
}

/// Which units' deletes go first: clusters live in networks, and both lead over the gateways of a management cluster.
fn tier(unit: &UnitId) -> u8 {
    match unit {
        UnitId::Cluster(_) => 0,
        UnitId::Network(_) => 1,
        UnitId::ManagementCluster(_) => 2,
    }
}

/// Within a unit, deletes go from the highest rank to the lowest, after the unit's writes: a new pool stands before the
/// old one goes. Of OCI resources, those of a network go after the clusters that may have lived in it, and those of a
/// management cluster last. What goes to be made anew waits for nothing: it is of no use, and what needs it waits for it.
fn order_deletes(changes: &[Change], before: &mut [Vec<usize>]) {
    let mut units: BTreeMap<(u8, &UnitId), Vec<usize>> = BTreeMap::new();
    for (i, change) in changes.iter().enumerate().filter(|(_, change)| !change.is_remade()) {
        units.entry((tier(&change.unit), &change.unit)).or_default().push(i);
    }
    // The last deletes of units by what they are recorded on, and the tier that they are of.
    let mut last: BTreeMap<(&ManagementClusterName, u8), Vec<usize>> = BTreeMap::new();
    for ((tier, _), members) in &units {
        let (mut deletes, writes): (Vec<usize>, Vec<usize>) = members.iter().partition(|&&i| changes[i].removes());
        deletes.sort_by_key(|&i| std::cmp::Reverse(rank(&changes[i].id)));
        let writes: Vec<usize> = writes.into_iter().filter(|&i| changes[i].goes_ahead()).collect();
        let mut previous: Vec<usize> = writes;
        let mut others = false;
        for level in deletes.chunk_by(|&i, &j| rank(&changes[i].id) == rank(&changes[j].id)) {
            // All levels after the first of OCI wait for it.
            let waits = !others && level.iter().all(|&i| changes[i].id.target == Target::Oci);
            for &i in level {
                before[i].extend(previous.iter().copied());
                if waits {
                    let sooner = last.range((&changes[i].recorded_on, 0)..(&changes[i].recorded_on, *tier));
                    before[i].extend(sooner.flat_map(|(_, last)| last));
                }
            }
            others |= waits;
            previous = level.to_vec();
        }
        for &i in previous.iter().filter(|&&i| changes[i].removes()) {
            last.entry((&changes[i].recorded_on, *tier)).or_default().push(i);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::change::tests::change;
    use super::*;

    fn order(changes: &[Change]) -> Vec<Vec<String>> {
        let graph = Graph::new(changes).unwrap();
        let names = |wave: &Vec<usize>| wave.iter().map(|&i| changes[i].id.name.clone()).collect();
        graph.waves(changes).unwrap().iter().map(names).collect()
    }

    #[test]
    fn a_namespace_comes_before_what_is_in_it_and_dependencies_hold() {
        let mut changes = vec![
            change("a", "NodePool", "a-x", Action::Create),
            change("a", "HostedCluster", "a", Action::Create),
            change("a", "Namespace", "clusters-a", Action::Create),
        ];
        changes[2].id.namespace = None;
        changes[0].depends_on = vec![changes[1].id.clone()];
        assert_eq!(order(&changes), [["clusters-a"], ["a"], ["a-x"]]);
    }

    #[test]
    fn what_holds_another_in_oci_goes_before_it() {
        let rank_of = |kind: &str| rank(&crate::resource::reference::oci_id(kind, "x"));
        for kind in crate::resource::oci::KINDS {
            // A gateway and a table of routes may each hold the other: what is rendered gives no gateway a table, so tables go first.
            let is_mutual = |blocker: &str| {
                let other = crate::resource::oci::kind(blocker);
                other.is_none_or(|other| other.blocked_by.contains(&kind.name))
            };
            for blocker in kind.blocked_by.iter().filter(|blocker| !is_mutual(blocker)) {
                assert!(rank_of(blocker) > rank_of(kind.name), "{blocker} holds {}", kind.name);
            }
        }
    }

    #[test]
    fn deletes_go_pools_first_then_cluster_then_the_rest() {
        let changes = [
            change("a", "Namespace", "ns", Action::Delete),
            change("a", "HostedCluster", "a", Action::Delete),
            change("a", "NodePool", "a-y", Action::Delete),
            change("a", "NodePool", "a-x", Action::Delete),
            change("a", "Secret", "s", Action::Delete),
        ];
        assert_eq!(
            order(&changes),
            vec![vec!["a-y", "a-x"], vec!["a"], vec!["s"], vec!["ns"]]
        );
    }

    #[test]
    fn of_a_cluster_of_machines_pools_go_first_then_the_control_plane_then_the_cluster_and_what_it_stands_on() {
        let kinds = [
            ("Namespace", "ns"),
            ("OCIMachineTemplate", "template"),
            ("OCICluster", "infrastructure"),
            ("Cluster", "cluster"),
            ("KubeadmControlPlane", "plane"),
            ("MachineDeployment", "pool"),
            ("MachineHealthCheck", "check"),
        ];
        let changes = kinds.map(|(kind, name)| change("a", kind, name, Action::Delete));
        assert_eq!(
            order(&changes),
            vec![
                vec!["check"],
                vec!["pool"],
                vec!["plane"],
                vec!["cluster"],
                vec!["template", "infrastructure"],
                vec!["ns"]
            ]
        );
    }

    #[test]
    fn a_new_pool_stands_before_the_old_one_goes() {
        let changes = [
            change("a", "NodePool", "old", Action::Delete),
            change("a", "NodePool", "new", Action::Create),
        ];
        assert_eq!(order(&changes), [["new"], ["old"]]);
    }

    #[test]
    fn a_network_goes_after_the_clusters_in_it_and_gateways_between_regions_last() {
        let on_oci = |unit: UnitId, kind: &str, name: &str| {
            let mut change = change("a", kind, name, Action::Delete);
            change.unit = unit;
            change.id.target = Target::Oci;
            change
        };
        let management = ManagementClusterName::new("m");
        let network = || UnitId::Network(crate::resource::NetworkName::new("n"));
        let mut changes = vec![
            on_oci(UnitId::ManagementCluster(management), "Drg", "drg"),
            on_oci(network(), "Subnet", "subnet"),
            on_oci(network(), "Vcn", "vcn"),
            change("a", "HostedCluster", "a", Action::Delete),
            change("b", "HostedCluster", "b", Action::Delete),
            change("b", "Namespace", "ns", Action::Delete),
        ];
        assert_eq!(
            order(&changes),
            vec![vec!["a", "b"], vec!["ns"], vec!["subnet"], vec!["vcn"], vec!["drg"]]
        );
        // What is recorded elsewhere has nothing to do with it.
        changes[1].recorded_on = ManagementClusterName::new("other");
        assert!(Graph::new(&changes).unwrap().before[1].is_empty());
    }

    #[test]
    fn what_can_not_be_seen_still_holds_up_what_is_deleted_after_it() {
        let mut changes = [
            change("a", "HostedCluster", "a", Action::Leave),
            change("a", "Namespace", "ns", Action::Delete),
        ];
        changes[0].reason = Reason::Removed;
        assert_eq!(Graph::new(&changes).unwrap().before[1], [0]);
    }

    #[test]
    fn what_goes_to_be_made_anew_waits_for_nothing_and_what_needs_it_waits_for_that() {
        let mut changes = vec![
            change("a", "LocalPeeringGateway", "ended", Action::Delete),
            change("a", "RouteTable", "leads-there", Action::Update),
            change("a", "ConfigMap", "other", Action::Create),
            change("a", "ConfigMap", "old", Action::Delete),
        ];
        changes[0].reason = Reason::Ended;
        changes[1].depends_on = vec![changes[0].id.clone()];
        let graph = Graph::new(&changes).unwrap();
        assert_eq!(graph.before, [vec![], vec![0], vec![], vec![1, 2]]);
        crate::plan::dependents::block_dependents(&mut changes, &graph).unwrap();
        let goes: Vec<bool> = changes.iter().map(Change::goes_ahead).collect();
        assert_eq!(goes, [true, false, true, true]);
    }

    #[test]
    fn a_ring_is_named() {
        let mut changes = vec![
            change("a", "ConfigMap", "x", Action::Create),
            change("a", "ConfigMap", "y", Action::Create),
            change("a", "ConfigMap", "z", Action::Create),
        ];
        for i in 0..3 {
            changes[i].depends_on = vec![changes[(i + 1) % 3].id.clone()];
        }
        let error = Graph::new(&changes).unwrap_err();
        assert_eq!(error.0.len(), 3);
        assert!(error.to_string().contains(" → "), "{error}");
    }
}
