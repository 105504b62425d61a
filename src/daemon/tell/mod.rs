//! Telling where people look: `ClusterSync`, `FleetStatus` and Events on each management cluster, and hearing what people
//! ask for there.
//!
//! Invariant: nothing here holds up or decides reconciling. The daemon leaves word at a desk and goes on; one task a
//! management cluster writes what has changed, at its pace, and tries again where it can't. Nothing is written over a status
//! that was not read first: since when things are so outlives a run. Of several daemons that share a fleet each tells of its
//! own units, and the one that has the management cluster's own unit of the fleet.
//!
//! `compose`, `news`, `pace` and `series` are pure; `desk` is what the daemon sees, `teller` the task, `touched`
//! what it hears, `events` what it calls out.

mod compose;
mod desk;
mod events;
mod news;
mod pace;
mod series;
mod teller;
mod touched;

pub(super) use self::compose::FleetFacts;
pub(super) use self::desk::{Ask, Desk, Kept};
pub(super) use self::teller::Tellers;
