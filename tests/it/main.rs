//! The one integration-test binary: linking is what costs.

mod fleet_broken;
mod fleet_demo;
mod fleet_limits;
mod fleet_resolve;
mod fleet_schemas;
mod fleet_support;
