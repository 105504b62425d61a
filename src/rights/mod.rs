//! Which rights a fleet needs on the control planes that it is kept on: RBAC rules and OCI policy statements.
//!
//! Invariant: pure, and the only list of rights; what is printed for an administrator and what is checked by `doctor` come
//! from it. Every right is there for a call that is really made: a test takes each away and sees something fail. May depend
//! on `fleet::model`, `render`, `resource` and `sync`.

pub mod kubernetes;
pub mod oci;
pub mod plural;
pub mod rbac;
