//! The kinds of fleet documents, and their JSON Schemas.
//!
//! Invariant: one list; whatever goes through all kinds goes through it.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::spec;

/// The API version of fleet documents.
pub(super) const API_VERSION: &str = "fleetwright.dev/v1alpha1";
/// A DNS label.
const NAME: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";

/// A kind of fleet document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The fleet itself.
    Fleet,
    /// Where control planes run.
    ManagementCluster,
    /// A layer between the fleet and its clusters.
    Environment,
    /// Versions by ring.
    Release,
    /// What node pools have in common.
    NodePoolProfile,
    /// A network that clusters share.
    Network,
    /// One cluster.
    Cluster,
    /// Many clusters.
    Clusters,
    /// Renames.
    Moved,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Fleet,
        Self::ManagementCluster,
        Self::Environment,
        Self::Release,
        Self::NodePoolProfile,
        Self::Network,
        Self::Cluster,
        Self::Clusters,
        Self::Moved,
    ];

    /// What stands behind `kind:`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fleet => "Fleet",
            Self::ManagementCluster => "ManagementCluster",
            Self::Environment => "Environment",
            Self::Release => "Release",
            Self::NodePoolProfile => "NodePoolProfile",
            Self::Network => "Network",
            Self::Cluster => "Cluster",
            Self::Clusters => "Clusters",
            Self::Moved => "Moved",
        }
    }

    /// What to call one in a message.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Fleet => "fleet",
            Self::ManagementCluster => "management cluster",
            Self::Environment => "environment",
            Self::Release => "release",
            Self::NodePoolProfile => "node pool profile",
            Self::Network => "network",
            Self::Cluster | Self::Clusters => "cluster",
            Self::Moved => "rename",
        }
    }

    /// Whether its documents need a name.
    pub(super) fn is_named(self) -> bool {
        !matches!(self, Self::Clusters | Self::Moved)
    }

    /// The JSON Schema (draft 7, which editors know best) of a document of this kind.
    pub fn schema(self) -> Value {
        let spec = match self {
            Self::Fleet => schema_of::<spec::FleetSpec>(),
            Self::ManagementCluster => schema_of::<spec::ManagementClusterSpec>(),
            Self::Environment => schema_of::<spec::EnvironmentSpec>(),
            Self::Release => schema_of::<spec::ReleaseSpec>(),
            Self::NodePoolProfile => schema_of::<spec::PoolSpec>(),
            Self::Network => schema_of::<spec::NetworkSpec>(),
            Self::Cluster => schema_of::<spec::ClusterSpec>(),
            Self::Clusters => schema_of::<spec::ClustersSpec>(),
            Self::Moved => schema_of::<Vec<spec::MovedSpec>>(),
        };
        self.document(spec)
    }

    /// A schema for documents of every kind, which leaves the rest to the kind's own: for editors, which check a directory
    /// by one schema.
    pub fn any_schema() -> Value {
        let choices: Vec<_> = Self::ALL
            .iter()
            .map(|kind| {
                json!({
                    "if": {"properties": {"kind": {"const": kind.name()}}, "required": ["kind"]},
                    "then": {"$ref": format!("{}.json", kind.name())},
                })
            })
            .collect();
        json!({
            "$schema": "http://json-schema.org/draft-07/schema#",
            "title": "Document",
            "description": "A document of a fleet, of any kind.",
            "type": "object",
            "properties": {"kind": {"description": "The kind of document.", "enum": Self::ALL.map(Self::name)}},
            "required": ["kind"],
            "allOf": choices,
        })
    }

    /// A document's schema around its spec's.
    fn document(self, mut spec: Value) -> Value {
        let definitions = take(&mut spec, "definitions").unwrap_or_else(|| json!({}));
        let description = take(&mut spec, "description").unwrap_or_else(|| json!("Renames, oldest first."));
        for key in ["$schema", "title"] {
            take(&mut spec, key);
        }
        let mut required = vec!["kind"];
        if self.is_named() {
            required.push("metadata");
        }
        if matches!(
            self,
            Self::ManagementCluster | Self::Release | Self::Network | Self::Clusters | Self::Moved
        ) {
            required.push("spec");
        }
        let name = if self.is_named() { json!(["name"]) } else { json!([]) };
        json!({
            "$schema": "http://json-schema.org/draft-07/schema#",
            "title": self.name(),
            "description": description,
            "type": "object",
            "properties": {
                "apiVersion": {
                    "description": "The API version; may be left out.",
                    "const": API_VERSION,
                },
                "kind": {"description": "The kind of document.", "const": self.name()},
                "metadata": {
                    "description": "Its name.",
                    "type": "object",
                    "properties": {
                        "name": {"description": "A DNS label.", "type": "string", "pattern": NAME},
                    },
                    "required": name,
                    "additionalProperties": false,
                },
                "spec": spec,
            },
            "required": required,
            "additionalProperties": false,
            "definitions": definitions,
        })
    }
}

/// The JSON Schema (draft 7) of a type.
pub fn schema_of<T: JsonSchema>() -> Value {
    SchemaSettings::draft07()
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

fn take(value: &mut Value, key: &str) -> Option<Value> {
    value.as_object_mut()?.remove(key)
}
