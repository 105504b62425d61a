//! The one integration-test binary: linking is what costs.


mod fleet_broken;
mod fleet_demo;
mod fleet_support;
