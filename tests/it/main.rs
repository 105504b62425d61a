//! The one integration-test binary: linking is what costs.

mod architecture;
mod render_fixture;
mod render_golden;
