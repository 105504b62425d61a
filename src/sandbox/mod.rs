//! Both control planes as in-process services: enough of the Kubernetes API and of OCI's for the tool itself, `kubectl`,
//! and Oracle's own SDK and CLI.
//!
//! Invariant: a service is a function of its stored state, the clock and the faults that it is given; time enters through
//! [`clock`] alone and randomness through seeds, so that the same seed gives the same run on virtual time. May depend on
//! `schema`, `ssa` and `resource`; nothing outside `ops` and `cli` may depend on it.
//!
//! - [`clock`]: virtual time
//! - [`store`]: what outlives the process, one file for both APIs
//! - [`fault`]: where the sandbox can be told to fail, and what it counted
//! - [`http`]: the shape of a service
//! - [`middleware`]: faults in front of a service
//! - [`operators`]: what controllers do to the objects, simulated
//! - [`serve`]: a service over HTTP on loopback
//! - [`oci`]: OCI's API

mod client;
pub mod clock;
pub mod fault;
pub mod http;
pub mod middleware;
pub mod oci;
pub mod operators;
pub mod serve;
pub mod store;
