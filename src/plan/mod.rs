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
mod dependents;
pub mod disruption;
pub mod drift;
pub mod graph;
pub mod guards;
pub mod ignore;
pub mod known;
mod mask;
pub mod narrow;
pub mod origins;
mod ownership;
pub mod preconditions;
mod records;
pub mod rendered;
mod rollout;
pub mod saved;
#[cfg(test)]
mod tests;
mod unwanted;
pub mod upgrade;

pub use build::{DesiredUnit, Held, Inputs, Plan, Revised, Settled, build, judge_answers};
pub use confirm::document;
pub use decide::MANAGER;
