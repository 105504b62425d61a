//! The one integration-test binary: linking is what costs.

#[cfg(test)]
mod cel_spike;
mod fleet_demo;
mod fleet_support;
