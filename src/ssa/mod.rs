//! Server-side apply, computed here: field sets, managedFields, the merge.
//!
//! Invariant: pure; equal to the API server's own answer (differential tests against its library). May depend on
//! `resource` and `schema`.
