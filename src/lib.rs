//! fleetwright: a fleet of OCI hosted clusters as a few lines of YAML in Git, planned, applied and kept so.
//!
//! # The way of the data
//!
//! ```text
//! Git tree ──load──▶ Sources ──resolve──▶ Fleet ──render──▶ Desired ─┐
//!                                                                    ├─plan──▶ Plan ──apply──▶ Outcome
//! Kubernetes, OCI ─────────────observe──────────────────▶ Observed ──┘
//! ```
//!
//! Load, resolve, render and plan are pure: no clock, no randomness, no environment, no disk, no network; what they need
//! comes in as values. Observe and apply are the only ones that talk, and only apply changes anything.
//!
//! # Modules
//!
//! Pure (a test, `tests/it/architecture.rs`, keeps them so):
//!
//! - [`diag`]: problems in what the user wrote, collected, with codes and places
//! - [`resource`]: identifiers, manifests, digests, field paths
//! - [`fleet`]: YAML with spans → layers → the resolved model; the lock; semantic rules
//! - [`render`]: templates → manifests
//! - [`schema`]: structural schemas: field types, defaults, pruning
//! - [`ssa`]: field sets, managedFields, the server-side-apply merge
//! - [`status`]: readiness as a function of one object
//! - [`inventory`]: the record of what we have made
//! - [`plan`]: changes with reasons, guards, order
//! - [`sync`]: the custom resources that tell how a fleet stands, and what people ask for by them
//! - [`redact`]: takes secrets out of whatever text goes out
//! - [`rights`]: what a fleet may do on its control planes, and no more
//! - [`report`]: text and JSON views of all of these
//! - [`lease`]: who may write, by what was seen of Leases
//! - [`import`]: live objects → the files of a fleet that renders to them
//!
//! With I/O:
//!
//! - [`source`]: reads the fleet's files and its Git revision
//! - [`providers`]: Kubernetes and OCI behind one trait
//! - [`http_server`]: a small HTTP/1.1 server with bounds, for the sandbox and the daemon
//! - [`metrics`]: what is counted and measured, for Prometheus
//! - `otel`: traces for OpenTelemetry, a feature
//! - [`sandbox`]: both of their APIs as in-process services, with simulated operators and injected faults
//! - [`apply`]: walks a plan, writes, waits, records
//! - [`daemon`]: keeps a fleet as its files say: watches, queues, batches of plans
//! - [`forge`]: the comments of pull requests and the statuses of commits, on the hosts of code
//! - [`ops`]: one operation a file, made of the above
//! - [`cli`]: clap types and printing choices

pub mod apply;
pub mod cli;
pub mod daemon;
pub mod diag;
pub mod fleet;
pub mod forge;
pub mod http_server;
pub mod import;
pub mod inventory;
pub mod lease;
pub mod metrics;
pub mod ops;
#[cfg(feature = "otel")]
pub mod otel;
pub mod plan;
pub mod providers;
pub mod redact;
pub mod render;
pub mod report;
pub mod resource;
pub mod rights;
pub mod sandbox;
pub mod schema;
pub mod source;
pub mod ssa;
pub mod status;
pub mod sync;
