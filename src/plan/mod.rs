//! What would change, why, in which order, and what forbids it.
//!
//! Invariant: pure; a plan is data and `apply` makes no choice of its own. May depend on everything pure, and on the data
//! types of `providers`.

pub mod change;
pub mod graph;
pub mod guards;
