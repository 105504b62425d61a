//! The one integration-test binary: linking is what costs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "clippy takes only functions marked as tests for tests; here all is"
)]

mod admission_server;
mod admission_upstream;
mod admit;
mod admit_fleet;
mod admit_hostile;
mod architecture;
mod capoci;
mod cli;
mod cluster_api;
mod conformance;
mod daemon_seeds;
mod deploy;
mod e2e;
mod fleet_broken;
mod fleet_demo;
mod fleet_limits;
mod fleet_resolve;
mod fleet_schemas;
mod fleet_support;
mod forecast;
mod forge;
mod git_source;
mod golden;
mod gone;
mod import;
mod kept_plans;
mod kube_faults;
mod kube_inhabited;
mod kube_lease;
mod kube_provider;
mod kube_retry;
mod kube_support;
mod left_behind;
mod monitoring;
mod oci_client;
mod oci_provider;
mod oracle_clients;
mod pinned;
mod pipelines;
mod plan_against;
mod plan_origins;
mod plan_reports;
mod plan_saved;
mod redacted;
mod reference;
mod render_admission;
mod render_crds;
mod render_demo;
mod render_fixture;
mod render_golden;
mod render_networks;
mod render_properties;
mod render_reachability;
mod render_templates;
mod sandbox_faults;
mod sandbox_fleet;
mod sandbox_kubeconfig;
mod sandbox_operators;
mod sandbox_seeds;
mod sandbox_served;
mod sandbox_store;
mod ssa_cases;
mod ssa_cluster;
mod ssa_generator;
mod ssa_oracle;
mod ssa_reference;
mod ssa_server;
#[allow(dead_code, reason = "each test uses the part of the support that it needs")]
mod support;
mod sync_crds;
mod upgrades;
