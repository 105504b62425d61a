//! How the OCI API is reached, as it is typed.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::args::PodArgs;
use crate::ops::{Auth, Clock, OciAccess};
use crate::providers::oci::budget::Rate;

/// How the OCI API is reached.
#[derive(Debug, Args)]
pub(super) struct OciArgs {
    /// Whose credentials calls to OCI are made by
    #[arg(long, help_heading = "OCI", value_enum, default_value_t, value_name = "WAY")]
    oci_auth: AuthKind,

    /// OCI configuration file; for each tenancy the profile that is of it is used [default: ~/.oci/config]
    #[arg(
        long,
        help_heading = "OCI",
        value_name = "FILE",
        env = "OCI_CLI_CONFIG_FILE",
        hide_env_values = true
    )]
    oci_config: Option<PathBuf>,

    /// Profile for what names no tenancy [default: DEFAULT]
    #[arg(
        long,
        help_heading = "OCI",
        value_name = "NAME",
        env = "OCI_CLI_PROFILE",
        hide_env_values = true
    )]
    oci_profile: Option<String>,

    /// Another address: URL for all of OCI's services, or SERVICE=URL; `{region}` stands for the region (repeatable).
    /// `metadata=`, `auth=` and `workload=` are where a machine's or a pod's identity comes from
    #[arg(long, help_heading = "OCI", value_name = "[SERVICE=]URL")]
    oci_endpoint: Vec<String>,

    /// Calls a second to each tenancy and region of OCI, and how many may come at once: RATE or RATE/BURST [default: 10/20]
    #[arg(long, help_heading = "OCI", value_name = "RATE[/BURST]", value_parser = rate)]
    oci_calls: Option<Rate>,

    /// How much of what OCI's lists leave out is read: of what changed, or of everything
    #[arg(long, help_heading = "OCI", value_enum, default_value_t, value_name = "HOW")]
    refresh: Refresh,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum AuthKind {
    /// The configuration file's API keys and session tokens
    #[default]
    Config,
    /// The machine's own identity
    InstancePrincipal,
    /// The pod's own identity, on OKE
    WorkloadIdentity,
    /// The Secrets of the fleet's identities, on the management clusters
    Secret,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Refresh {
    /// Security rules of the groups that are not as they were last written
    #[default]
    Changed,
    /// All security rules
    Full,
}

/// `10`, `10/20`.
fn rate(text: &str) -> Result<Rate, String> {
    let wrong = || "expected calls a second, such as 10, or with how many may come at once, such as 10/20".to_owned();
    let (rate, burst) = match text.split_once('/') {
        Some((rate, burst)) => (rate, Some(burst)),
        None => (text, None),
    };
    let per_second = rate.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate > 0.0);
    let per_second = per_second.ok_or_else(wrong)?;
    let burst = match burst {
        Some(burst) => burst.parse().ok().filter(|burst| *burst > 0).ok_or_else(wrong)?,
        None => Rate::default().burst,
    };
    Ok(Rate { per_second, burst })
}

impl OciArgs {
    /// As the operations take it.
    pub(super) fn access(&self, pod: &PodArgs) -> OciAccess {
        OciAccess {
            auth: match self.oci_auth {
                AuthKind::Config => Auth::Config,
                AuthKind::InstancePrincipal => Auth::InstancePrincipal,
                AuthKind::WorkloadIdentity => Auth::WorkloadIdentity,
                AuthKind::Secret => Auth::Secret,
            },
            config: self.oci_config.clone(),
            profile: self.oci_profile.clone(),
            home: std::env::home_dir(),
            service_host: pod.service_host.clone(),
            service_account: Some(pod.service_account.clone()),
            endpoints: self.oci_endpoint.clone(),
            rate: self.oci_calls,
            budget: None,
            full: matches!(self.refresh, Refresh::Full),
            clock: Clock::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_calls_a_second_and_a_burst() {
        let parsed = |text| rate(text).map(|rate| (rate.per_second, rate.burst));
        assert_eq!(parsed("2.5/7"), Ok((2.5, 7)));
        assert_eq!(parsed("4"), Ok((4.0, Rate::default().burst)));
        for wrong in ["", "0", "-1", "inf", "3/0", "3/x", "a"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }
}
