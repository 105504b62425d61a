//! The OCI API as a provider: networking, and what of load balancers, DNS and identity a fleet's networks need.
//!
//! Invariant: a 404 is unknown until a list of its compartment, proved readable, lacks the resource; nothing is created with
//! a token that another resource had, and nothing is updated or deleted that carries another mark than ours. May depend on
//! `providers`, `resource` and `inventory`; knows nothing of fleets or plans. The only module that names `oci_rust_sdk`.
//!
//! # Documents
//!
//! A resource is a document like any other: `apiVersion: oci.fleetwright.dev/v1alpha1`, `kind`, `metadata.name`, and a
//! `spec` with the fields of OCI's create call under OCI's own names, and besides: `region` (id), `tenancy` (OCID, may be
//! absent), and for some kinds what OCI has separate calls for (`securityRules` of a group, `peerId` of a gateway). What is
//! observed has the same shape, `status` added (`id`, `lifecycleState`, `timeCreated`, …), and where its freeform tags name
//! the resource as ours, the owner mark as the annotation that Kubernetes objects carry it in: so that the planner reads
//! both alike.

pub mod api;
pub mod budget;
mod calls;
pub mod client;
pub mod counts;
pub mod credentials;
mod delete;
mod document;
pub mod endpoint;
pub mod error;
mod failure;
mod identity;
mod kinds;
mod lookup;
mod observe;
mod parts;
mod provider;
mod region;
mod retry;
mod services;
mod shelf;
mod shown;
mod sign;
mod silence;
mod sought;
mod step;
mod storm;
mod tags;
pub mod transport;
mod wait;
mod wire;
mod write;

pub use self::document::ADOPT_ANNOTATION;
pub use self::lookup::{FoundResource, LookupError, Named};
pub use self::provider::{Details, OciProvider, Options};
