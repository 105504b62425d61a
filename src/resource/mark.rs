//! The owner mark: an annotation that says whose an object is, and which object it was put on.
//!
//! Operators copy labels and annotations from one object to another, so a mark is only worth something when it names the
//! very object that it stands on: a copied mark proves nothing, and nothing is pruned for it.

use serde::{Deserialize, Serialize};

use super::{FleetUid, ResourceId, UnitId};

/// The annotation that holds the mark.
pub const OWNER_ANNOTATION: &str = "fleetwright.dev/owner";
/// The annotation that says who answers for an object: a team, an address; free text.
pub const RESPONSIBLE_ANNOTATION: &str = "fleetwright.dev/responsible";
/// Label with the fleet's name, by which LISTs are narrowed; it proves nothing.
pub const FLEET_LABEL: &str = "fleetwright.dev/fleet";
/// Label with the cluster's name.
pub const CLUSTER_LABEL: &str = "fleetwright.dev/cluster";
/// Label with the shared network's name.
pub const NETWORK_LABEL: &str = "fleetwright.dev/network";
/// Label with the environment's name.
pub const ENVIRONMENT_LABEL: &str = "fleetwright.dev/environment";
/// Label with the fleet's uid on the records of what we made, and on nothing else.
pub const INVENTORY_LABEL: &str = "fleetwright.dev/inventory";
/// Label with the fleet's uid on the Leases of those who write it, and on nothing else.
pub const LEASE_LABEL: &str = "fleetwright.dev/lease";
/// The label by which Kubernetes tools say who manages an object.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";

/// Who made an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerMark {
    /// The fleet.
    pub fleet: FleetUid,
    /// The unit that it belongs to.
    pub unit: UnitId,
    object: MarkedObject,
}

/// The object that the mark was made for. Its control plane isn't named: what reads a mark knows where it reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct MarkedObject {
    group: String,
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    name: String,
}

/// Why an annotation is no mark.
#[derive(Debug, thiserror::Error)]
#[error("the owner annotation is no mark of ours")]
pub struct MarkError(#[from] serde_json::Error);

impl OwnerMark {
    /// The mark of one object.
    pub fn for_object(fleet: &FleetUid, unit: &UnitId, id: &ResourceId) -> Self {
        Self {
            fleet: fleet.clone(),
            unit: unit.clone(),
            object: MarkedObject {
                group: id.group.clone(),
                kind: id.kind.clone(),
                namespace: id.namespace.clone(),
                name: id.name.clone(),
            },
        }
    }

    /// Reads an annotation's value.
    ///
    /// # Errors
    /// Where it is not JSON of a mark's form.
    pub fn parse(annotation: &str) -> Result<Self, MarkError> {
        Ok(serde_json::from_str(annotation)?)
    }

    /// The annotation's value: compact JSON.
    pub fn to_annotation(&self) -> String {
        // Strings and a unit enum can't fail to serialise; an empty mark would prove nothing, so it could do no harm.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Whether it was made for this object by this fleet.
    pub fn is_for(&self, id: &ResourceId, fleet: &FleetUid) -> bool {
        let MarkedObject {
            group,
            kind,
            namespace,
            name,
        } = &self.object;
        self.fleet == *fleet && *group == id.group && *kind == id.kind && *namespace == id.namespace && *name == id.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{ClusterName, ManagementClusterName, Target};

    fn id(kind: &str, namespace: Option<&str>, name: &str) -> ResourceId {
        ResourceId {
            target: Target::Kubernetes(ManagementClusterName::new("m")),
            group: String::new(),
            kind: kind.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        }
    }

    #[test]
    fn a_mark_is_for_its_own_object_and_fleet_alone() {
        let fleet = FleetUid::new("f1");
        let object = id("Secret", Some("ns"), "pull-secret");
        let mark = OwnerMark::for_object(&fleet, &UnitId::Cluster(ClusterName::new("c")), &object);
        let read = OwnerMark::parse(&mark.to_annotation()).unwrap();
        assert_eq!(read, mark);
        assert!(read.is_for(&object, &fleet));
        assert!(!read.is_for(&object, &FleetUid::new("f2")));
        assert!(!read.is_for(&id("Secret", Some("ns-c"), "pull-secret"), &fleet));
        assert!(!read.is_for(&id("Secret", Some("ns"), "admin-kubeconfig"), &fleet));
        assert!(!read.is_for(&id("ConfigMap", Some("ns"), "pull-secret"), &fleet));
        assert!(!read.is_for(&id("Secret", None, "pull-secret"), &fleet));
    }

    #[test]
    fn the_value_is_compact_and_stable() {
        let unit = UnitId::Cluster(ClusterName::new("c"));
        let mark = OwnerMark::for_object(&FleetUid::new("f1"), &unit, &id("Namespace", None, "n"));
        assert_eq!(
            mark.to_annotation(),
            r#"{"fleet":"f1","unit":{"kind":"cluster","name":"c"},"object":{"group":"","kind":"Namespace","name":"n"}}"#
        );
        assert!(OwnerMark::parse("true").is_err());
        assert!(OwnerMark::parse("").is_err());
    }
}
