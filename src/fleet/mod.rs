//! The fleet files: YAML with spans → layers → the resolved model.
//!
//! Invariant: pure; takes file texts, gives a model and every diagnostic. May depend on `diag` and `resource` alone.

pub mod model;
