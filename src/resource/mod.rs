//! What is wanted, as data: identifiers, manifests, references between them, digests.
//!
//! Invariant: nothing here talks to anything; a manifest never holds a secret. May depend on no other module.

mod digest;
mod ids;
mod inhabitants;
pub mod lookup;
mod manifest;
pub mod mark;
pub mod oci;
mod packed;
mod part;
mod path;
pub mod pointer;
pub mod reference;
pub(crate) mod regions;
mod secret;

pub use digest::Digest;
pub use ids::{
    ClusterName, EnvironmentName, FleetName, FleetUid, ManagementClusterName, NetworkName, NodePoolName, Ocid,
    ResourceId, Revision, Target, UnitId,
};
pub use inhabitants::{INHABITANTS, Inhabitant};
pub use lookup::{Compartment, Lookup, OciId};
pub use manifest::{COPY_FROM, Manifest, ManifestError, Stewardship};
pub use mark::OwnerMark;
pub(crate) use packed::PackedRules;
pub use part::Part;
pub(crate) use path::visit_objects;
pub use path::{FieldPath, PathElement};
pub use pointer::Pointer;
pub use reference::Reference;
pub use secret::Secret;
