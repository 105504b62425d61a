//! The OCI provider against the sandbox's OCI server, in this process and on paused time: requests are signed, verified,
//! and answered as OCI would, lifecycles included.

mod blockers;
mod faults;
mod kinds;
mod pages;
mod parts;
mod region;
mod rules;
mod tags;
mod waits;
mod world;
