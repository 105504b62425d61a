//! Structural schemas: what the merge, the normal forms and the defaults of a kind follow.
//!
//! Invariant: pure. May depend on `resource` alone.

/// The structural schema of one kind.
#[derive(Debug)]
pub struct Schema {}
