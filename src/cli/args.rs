//! Options that several commands share.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::common::SANDBOX;
use super::git_args::GitArgs;
use super::logging::LogFormat;
use super::oci_args::OciArgs;
use crate::sandbox::{DEFAULT_SPEED, fault};

/// Options of every command.
#[derive(Debug, Args)]
pub struct Global {
    /// Colour on a terminal, always, or never (NO_COLOR is obeyed)
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Color,

    /// Say less: no progress, no totals, no warnings
    #[arg(long, short, global = true)]
    pub quiet: bool,

    /// Log to stderr what is done and sent (repeat for more); secrets are never logged
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,

    /// Form of the log, and of all else on stderr
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORM")]
    pub log_format: LogFormat,
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Form of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: one document, its schema in schemas/output.
    Json,
}

/// Form of what a pipeline shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ReportFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: one document, its schema in schemas/output.
    Json,
    /// The comment of a pull request: its first line is a marker by which it is found and written anew.
    Markdown,
    /// SARIF 2.1.0: problems and refusals, for a code host to show beside the lines.
    Sarif,
    /// JUnit's XML: a test case for each problem and each cluster, failed where something stands in the way.
    Junit,
}

/// Where the fleet is on this machine.
#[derive(Debug, Args)]
pub(super) struct FleetDirectory {
    /// Directory of the fleet files
    #[arg(
        long,
        value_name = "DIR",
        default_value = "fleet",
        env = "FLEETWRIGHT_FLEET",
        hide_env_values = true
    )]
    pub(super) fleet: PathBuf,
}

/// Where the fleet is on this machine, and which part of it is meant.
#[derive(Debug, Args)]
pub(super) struct DirectoryArgs {
    #[command(flatten)]
    pub(super) at: FleetDirectory,

    /// Only this cluster (repeatable)
    #[arg(long, value_name = "NAME")]
    pub(super) cluster: Vec<String>,

    /// Only clusters of this environment (repeatable)
    #[arg(long, value_name = "NAME")]
    pub(super) environment: Vec<String>,

    /// Refuse when `lock` would change fleet.lock/
    #[arg(long)]
    pub(super) locked: bool,
}

/// Where the fleet is, and which part of it is meant.
#[derive(Debug, Args)]
pub(super) struct FleetArgs {
    #[command(flatten)]
    pub(super) directory: DirectoryArgs,

    #[command(flatten)]
    pub(super) git: GitArgs,
}

impl FleetArgs {
    /// The whole of a fleet on this machine.
    pub(super) fn all_of(fleet: PathBuf) -> Self {
        Self {
            directory: DirectoryArgs {
                at: FleetDirectory { fleet },
                cluster: Vec::new(),
                environment: Vec::new(),
                locked: false,
            },
            git: GitArgs::none(),
        }
    }
}

/// How a sandbox behaves.
#[derive(Debug, Args)]
pub(super) struct SandboxArgs {
    /// What the sandbox's faults are drawn from
    #[arg(long, help_heading = "Sandbox", value_name = "N", default_value_t = 0)]
    pub(super) seed: u64,

    /// How often which fault strikes in the sandbox: NAME=RATE,…, such as 429=0.05,answer-lost=0.02, or all=0.02
    #[arg(
        long,
        help_heading = "Sandbox",
        value_name = "SPEC",
        default_value = "",
        hide_default_value = true
    )]
    pub(super) faults: fault::Spec,

    /// Seconds of the sandbox's clock that pass in one of yours
    #[arg(long, help_heading = "Sandbox", value_name = "X", default_value_t = DEFAULT_SPEED, value_parser = speed)]
    pub(super) speed: f64,

    /// Without the service limits that OCI gives a new tenancy
    #[arg(long, help_heading = "Sandbox")]
    pub(super) no_limits: bool,
}

/// A rate at which a clock can run.
fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().ok().filter(|speed| (0.001..=1_000_000.0).contains(speed));
    speed.ok_or_else(|| "expected a number from 0.001 to 1000000".to_owned())
}

/// Which control planes are talked to, and how.
#[derive(Debug, Args)]
pub(super) struct TargetArgs {
    /// Work on the sandbox in this directory instead of on real control planes: it is made where there is none, and runs
    /// within this process [default when given without a value: .fleetwright/sandbox]
    #[arg(long, help_heading = "Sandbox", value_name = "DIR", num_args = 0..=1, default_missing_value = SANDBOX)]
    pub(super) sandbox: Option<PathBuf>,

    #[command(flatten)]
    pub(super) sandbox_options: SandboxArgs,

    /// Kubeconfig with the contexts of the management clusters
    #[arg(long, value_name = "FILE", env = "KUBECONFIG", hide_env_values = true)]
    pub(super) kubeconfig: Option<PathBuf>,

    /// Kubeconfig context: CONTEXT for a fleet with one management cluster, else MANAGEMENT_CLUSTER=CONTEXT (repeatable)
    #[arg(long, value_name = "CONTEXT")]
    pub(super) context: Vec<String>,

    /// Only what lives on this control plane
    #[arg(long, value_enum)]
    pub(super) provider: Option<ProviderKind>,

    /// Only what is recorded on this management cluster, and no connection to others (repeatable)
    #[arg(long, value_name = "NAME")]
    pub(super) management_cluster: Vec<String>,

    /// Let the kubeconfig run the credential program that it names
    #[arg(long)]
    pub(super) allow_exec: bool,

    #[command(flatten)]
    pub(super) oci: OciArgs,

    #[command(flatten)]
    pub(super) pod: PodArgs,
}

/// What a pod finds out about the cluster that it runs in; nobody types it.
#[derive(Debug, Args)]
pub(super) struct PodArgs {
    /// The API server's address
    #[arg(long, value_name = "HOST", env = "KUBERNETES_SERVICE_HOST", hide = true)]
    pub(super) service_host: Option<String>,

    /// Its port
    #[arg(long, value_name = "PORT", env = "KUBERNETES_SERVICE_PORT", hide = true)]
    pub(super) service_port: Option<String>,

    /// Folder of the service account's files
    #[arg(
        long,
        value_name = "DIR",
        env = "FLEETWRIGHT_SERVICE_ACCOUNT",
        default_value = "/var/run/secrets/kubernetes.io/serviceaccount",
        hide = true
    )]
    pub(super) service_account: PathBuf,
}

/// A kind of control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ProviderKind {
    /// API servers of management clusters.
    Kubernetes,
    /// The OCI API.
    Oci,
}

/// `90s`, `10m`, `1h`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let number: u64 = number
        .parse()
        .map_err(|_| "expected a number and a unit, such as 90s, 10m or 1h".to_owned())?;
    let seconds = match unit {
        "s" => Some(number),
        "m" => number.checked_mul(60),
        "h" => number.checked_mul(3600),
        _ => return Err("the unit is one of s, m, h".to_owned()),
    };
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| "that is too long".to_owned())
}

/// `500KiB`, `200MiB`, `2GiB`: bytes.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let number: u64 = number
        .parse()
        .map_err(|_| "expected a number and a unit, such as 500KiB, 200MiB or 2GiB".to_owned())?;
    let bytes = match unit {
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err("the unit is one of KiB, MiB, GiB".to_owned()),
    };
    number
        .checked_mul(bytes)
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| "that is out of range".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_sizes() {
        assert_eq!(size("200MiB"), Ok(200 << 20));
        assert_eq!(size("1KiB"), Ok(1024));
        assert!(size("10").unwrap_err().contains("unit"));
        assert!(size("MiB").unwrap_err().contains("number"));
        assert!(size("0GiB").is_err() && size("99999999999999999GiB").is_err());
    }

    #[test]
    fn reads_durations() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("10m"), Ok(Duration::from_secs(600)));
        assert!(duration("10").unwrap_err().contains("unit"));
        assert!(duration("m").unwrap_err().contains("number"));
        assert!(duration("99999999999999999h").unwrap_err().contains("too long"));
    }
}
