//! The one integration-test binary: linking is what costs.

mod architecture;
mod cli;
mod e2e;
mod kube_provider;
mod kube_support;
mod render_fixture;
mod render_golden;
mod support;
