//! The one integration-test binary: linking is what costs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper of tests fails its test as the test itself does"
)]

mod fleet_broken;
mod fleet_demo;
mod fleet_limits;
mod fleet_resolve;
mod fleet_schemas;
mod fleet_support;
