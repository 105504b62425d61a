//! The one integration-test binary: linking is what costs.

#[cfg(test)]
mod cel_spike;
