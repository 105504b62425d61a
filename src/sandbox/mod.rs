//! Both control planes as in-process services: enough of the Kubernetes API and of OCI's for the tool itself, `kubectl`,
//! and Oracle's own SDK and CLI.
//!
//! Invariant: a service is a function of its stored state, the clock and the faults that it is given; time enters through
//! [`clock`] alone and randomness through seeds, so that the same seed gives the same run on virtual time. May depend on
//! `schema`, `ssa`, `resource`, `http_server` and the CRDs of `render`, and [`connect`] on `providers`; nothing outside `ops`
//! and `cli` may depend on it.
//!
//! - [`Sandbox`]: all of it together
//! - [`clock`]: virtual time
//! - [`store`]: what outlives the process, one file for both APIs
//! - [`fault`]: where the sandbox can be told to fail, and what it counted
//! - [`middleware`]: faults in front of a service
//! - [`kubernetes`], [`oci`]: the two APIs
//! - [`operators`]: what controllers do to the objects, simulated
//! - [`clusters`]: the management clusters behind one port
//! - [`connect`]: services in this process, as our own providers call them

pub mod clock;
mod cluster_api;
pub mod clusters;
pub mod connect;
pub mod fault;
mod guest_network;
mod instance;
pub mod kubernetes;
pub mod middleware;
pub mod oci;
pub mod operators;
pub mod store;

pub use self::instance::{Cluster, ClusterError, DEFAULT_SPEED, OpenError, Options, PutError, Sandbox};
