//! Makes a plan true.
//!
//! Invariant: the only module that changes anything, and it takes nothing but a plan. May not know of fleet files or
//! templates.

mod event;
mod executor;
mod record;
mod wait;

pub use event::{ChangeResult, Event, Observer};
pub use executor::{Options, Outcome, Run, execute};
