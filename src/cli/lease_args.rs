//! Options about Leases, and who holds them.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::args::duration;
use crate::lease::Timing;
use crate::ops::lease::{Holder, Part};

/// How several daemons share one fleet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Replicas {
    /// This daemon is the only one, and asks for no Lease.
    #[default]
    Alone,
    /// One works; the others stand by, and the next takes over once its Lease is over.
    Standby,
    /// Each has a share of the clusters.
    Sharded,
}

/// How a daemon shares the work with others.
#[derive(Debug, Args)]
pub(super) struct ReplicaArgs {
    /// How several daemons share the work, by Leases in fleetwright-system on each management cluster
    #[arg(long, value_enum, default_value_t, value_name = "HOW")]
    replicas: Replicas,

    /// How long a Lease is held without a renewal: so long after a replica died, another takes over
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = duration)]
    lease_duration: Duration,

    /// What this replica is called in its Lease [default: the pod's or the machine's name]
    #[arg(long, value_name = "NAME", env = "HOSTNAME", hide_env_values = true)]
    replica_name: Option<String>,
}

impl ReplicaArgs {
    /// Who holds Leases, and which; none where none are.
    pub(super) fn holder(&self) -> Option<Holder> {
        let part = match self.replicas {
            Replicas::Alone => return None,
            Replicas::Standby => Part::Whole,
            Replicas::Sharded => Part::Share,
        };
        Some(Holder {
            name: name(self.replica_name.as_deref(), "daemon"),
            part,
            timing: Timing::of(self.lease_duration.max(Duration::from_secs(1))),
        })
    }
}

/// The holder of a run by hand.
pub(super) fn by_hand() -> Holder {
    let host = std::env::var_os("HOSTNAME").and_then(|host| host.into_string().ok());
    Holder {
        name: name(host.as_deref(), "apply"),
        part: Part::Whole,
        timing: Timing::default(),
    }
}

/// A name that can be shown, and is not too long for a Lease.
fn name(typed: Option<&str>, otherwise: &str) -> String {
    let shown = typed
        .unwrap_or_default()
        .chars()
        .filter(char::is_ascii_graphic)
        .take(60);
    let shown: String = shown.collect();
    if shown.is_empty() { otherwise.to_owned() } else { shown }
}
