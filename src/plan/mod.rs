//! What would change, why, in which order, and what forbids it.
//!
//! Invariant: pure; a plan is data and `apply` makes no choice of its own.
