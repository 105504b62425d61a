//! A fleet with networks of its own in a sandbox, on paused time: what is planned over both control planes is what both
//! of them log afterwards, through drift, lost rights, strangers and crashes.

mod adoption;
mod astray;
mod budget;
mod crash;
mod drift;
mod endpoint;
mod existing;
mod faults;
mod hubs;
mod ignore;
mod order;
mod refused;
mod regions;
mod reports;
mod rights;
mod said;
mod saved;
mod suspended;
mod taken_out;
mod teardown;
mod upgrade;
mod vanished;
pub(crate) mod world;
