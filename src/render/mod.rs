//! Templates: the resolved model → manifests.
//!
//! Invariant: pure and deterministic: same model, same bytes. May depend on `diag`, `resource` and `fleet::model`.
