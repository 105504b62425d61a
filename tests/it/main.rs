//! The one integration-test binary: linking is what costs.

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
