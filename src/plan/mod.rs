//! What would change, why, in which order, and what forbids it.
//!
//! Invariant: pure; a plan is data and `apply` makes no choice of its own. May depend on everything pure, and on the data
//! types of `providers`.

pub mod admission;
mod build;
pub mod change;
mod cloud;
pub mod confirm;
mod conflict;
mod decide;
pub mod disruption;
pub mod drift;
pub mod graph;
pub mod guards;
pub mod known;
mod mask;
mod ownership;
pub mod preconditions;
pub mod rendered;
pub mod saved;
#[cfg(test)]
mod tests;

pub use build::{DesiredUnit, Held, Inputs, Plan, Revised, Settled, build};
pub use confirm::document;
pub use decide::MANAGER;
