//! The one integration-test binary: linking is what costs.

mod render_crds;
mod render_fixture;
mod render_golden;
mod render_properties;
mod render_templates;
