//! The fleet files: YAML with spans → layers → the resolved model.
//!
//! Invariant: pure; takes file texts, gives a model and every diagnostic. May depend on `diag` and `resource` alone.

pub mod model;
pub mod objects;

mod addresses;
mod belongs;
mod check;
mod cluster;
mod cluster_network;
mod compartments;
mod decode;
mod endpoint;
mod existing;
mod explain;
mod fleet_doc;
mod hosted;
pub mod ignore;
mod index;
mod kind;
mod layers;
mod leaving;
mod load;
mod lock;
mod machines;
mod moves;
mod networks;
mod node;
mod ocid;
mod oke;
mod placement;
mod pools;
mod problems;
mod release;
mod resolve;
mod rules;
mod security_rules;
mod self_managed;
mod services;
mod settings;
mod shape;
mod shared;
mod spec;
mod spread;
mod suspend;
mod topology;
mod vcn;
mod waivers;
mod within;
mod yaml;
mod yaml_1_1;

pub use explain::{Derived, Explained, Explainer, Origin, explain, explain_derived};
pub use kind::{Kind, schema_of};
pub use load::{Loaded, load};
pub use lock::{Lock, LockChange, LockChangeKind, LockedCluster, LockedFleet, LockedNetwork};
pub use node::SourceFile;
pub use resolve::{Resolved, Seed, resolve};
pub use settings::Settings;
pub(crate) use waivers::rule_id;
