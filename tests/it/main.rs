//! The one integration-test binary: linking is what costs.
