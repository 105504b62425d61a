//! The one integration-test binary: linking is what costs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "clippy takes only functions marked as tests for tests; here all is"
)]

mod architecture;
mod fleet_demo;
mod fleet_support;
mod kube_provider;
mod kube_support;
mod render_admission;
mod render_crds;
mod render_demo;
mod render_fixture;
mod render_golden;
mod render_properties;
mod render_templates;
mod support;
