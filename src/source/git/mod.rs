//! A fleet straight from a Git repository, without a checkout and without a Git program.
//!
//! Invariant: trees are read from the object store of a bare copy, and nothing of a commit is read before its signature
//! is checked, where keys are given. No message holds a credential. Whatever a server does, a fetch ends at its deadline
//! and within its budget. May depend on `diag`, `resource`, and `source`'s own parts; Kubernetes and OCI are unknown here.
//!
//! [`Mirror::open`], [`Mirror::fetch`] and [`Mirror::read`] are the way; [`advance()`] says whether a fleet may go where the
//! branch has gone.
//!
//! One thing here is not bounded: libgit2 holds in memory what a server lists, and each object that was sent as a
//! difference. Whoever may push can make it use much of both.

mod advance;
mod cache;
mod error;
mod global;
mod known_hosts;
mod location;
mod mirror;
mod remote;
mod selection;
mod signature;
mod transfer;
mod tree;
mod turn;
mod whole;

pub use self::advance::{Advance, Allowed, Refusal, advance};
pub use self::error::{GitError, Phase, Said};
pub use self::global::{Timeouts, set_timeouts};
pub use self::known_hosts::{HostKeyProblem, KnownHosts, KnownHostsError};
pub use self::location::{Location, LocationError, Scheme};
pub use self::mirror::{Fetched, Mirror};
pub use self::remote::{Budget, Credentials, Proxy, Remote};
pub use self::selection::{Selection, SelectionError};
pub use self::signature::{Keys, OpenPgpKeysError, SignatureError, Signer, SshKeysError};
pub(super) use self::tree::read as tree_of;
