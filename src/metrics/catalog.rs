//! Every metric.
//!
//! Those of hosted clusters and OCI calls bear the names that the proposal for HyperShift on OCI gives them.

use super::{Entry, Family, Kind};

/// Upper bounds of the histograms' buckets, in seconds: from an answer of a server nearby to a wait for a cloud.
pub const BUCKETS: [f64; 12] = [0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// A label, to be counted.
macro_rules! unit {
    ($label:literal) => {
        ()
    };
}

macro_rules! families {
    ($($kind:ident $constant:ident = $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(
            #[doc = $help]
            pub static $constant: Family<{ <[()]>::len(&[$(unit!($label)),*]) }> =
                Family::new(Kind::$kind, $name, [$($label),*], $help);
        )*

        /// All of them, in the order of documentation and output.
        pub static ALL: &[Entry] = &[$($constant.entry()),*];
    };
}

families! {
    Gauge BUILD_INFO = "fleetwright_build_info" ["version"] "1, with the version of the program.";

    Gauge REVISION_INFO = "fleetwright_revision_info" ["revision"] "1, with the revision in force.";
    Gauge REVISION_SINCE = "fleetwright_revision_in_force_timestamp_seconds" [] "When the revision in force came into force.";
    Gauge SOURCE_SEEN = "fleetwright_source_last_success_timestamp_seconds" [] "When the source was last looked at with success.";
    Gauge SOURCE_REFUSED = "fleetwright_source_refused" [] "1 while what the source holds does not come into force, or can't be looked at.";
    Counter SOURCE_ERRORS = "fleetwright_source_errors_total" [] "Looks at the source that ended without a revision that may be in force.";
    Histogram FETCH_SECONDS = "fleetwright_source_fetch_seconds" ["result"] "Looks at the source, for a Git repository a fetch each; result: ok, error.";
    Counter FETCHES = "fleetwright_source_fetches_total" ["code"] "Looks at the source by what came of them: ok; of a Git repository unreachable, stalled, deadline, certificate, host_key, credentials, no_repository, moved, empty, absent, partial, too_much, signature, history (it would go back, or was rewritten), no_path, cache, damaged, misconfigured, failed; of a directory failed.";
    Histogram LOAD_SECONDS = "fleetwright_source_load_seconds" ["result"] "Readings of a new revision, from its files to rendered manifests; result: ok, error.";
    Histogram PLAN_LAG = "fleetwright_revision_plan_seconds" [] "From the end of the fetch that brought a revision to plans of all units that it changed; none for the first revision after a start.";
    Counter WEBHOOKS = "fleetwright_webhooks_total" ["result"] "Requests to the webhook address; result: accepted, ignored, limited, unproved, malformed, misplaced, unable.";

    Gauge LOOP_SEEN = "fleetwright_loop_last_timestamp_seconds" [] "When the daemon's loop last came round.";
    Gauge LEASES = "fleetwright_lease" ["management_cluster", "standing"] "1, with how this replica stands; standing: leads, shares, waits, stands_by, fails.";
    Gauge CAUGHT_UP = "fleetwright_caught_up" [] "1 once every unit has been looked at since the start.";
    Gauge QUEUE_LENGTH = "fleetwright_queue_length" [] "Units that are due and wait for their turn.";
    Gauge QUEUE_OLDEST = "fleetwright_queue_oldest_seconds" [] "How long the unit that has waited longest is due; 0 where none is.";
    Gauge UNDER_WAY = "fleetwright_units_under_way" [] "Units that are being looked at.";
    Histogram RECONCILE_SECONDS = "fleetwright_reconcile_seconds" ["kind", "outcome"] "Looks at a unit, changes included; units of a batch share its time; outcome: the state that the unit was found in, or failed.";

    Gauge UNITS = "fleetwright_units" ["kind", "state"] "Units by kind (cluster, network, management) and state.";
    Gauge UNIT_IN_SYNC = "fleetwright_unit_in_sync" ["kind", "name"] "Whether a unit was as its files say when it was last looked at; none while it is suspended.";
    Gauge UNIT_SEEN = "fleetwright_unit_last_success_timestamp_seconds" ["kind", "name"] "When a unit was last looked at without a failure; where it never was, when it was first looked at.";
    Gauge DRIFTED = "fleetwright_drifted_objects" [] "Objects that somebody else changed and that are left so.";
    Gauge REFUSED = "fleetwright_refused_changes" ["guard"] "Changes that a guard stands in the way of.";
    Counter CHANGES = "fleetwright_changes_total" ["action", "kind", "cause", "result"] "Changes that were tried; cause: files, drift; result: done, deleting, failed, skipped, interrupted.";

    Counter KUBERNETES_REQUESTS = "fleetwright_kubernetes_requests_total" ["verb", "code"] "Requests to API servers, repeated ones included; code: none where no answer came.";
    Histogram KUBERNETES_SECONDS = "fleetwright_kubernetes_request_seconds" ["verb"] "Requests to API servers; of a watch the time to its first byte.";
    Counter WATCH_RESTARTS = "fleetwright_watch_restarts_total" ["management_cluster", "kind"] "Watches that broke and began anew.";
    Gauge NOT_FOLLOWED = "fleetwright_watches_broken" [] "Kinds on control planes that can't be watched now.";

    Counter OCI_CALLS = "hypershift_oci_api_calls_total" ["operation", "result", "code"] "Calls to OCI, repeated ones included; result: success, throttled, refused, error; code: none where no answer came.";
    Histogram OCI_SECONDS = "fleetwright_oci_call_seconds" ["service"] "Calls to OCI.";
    Counter OCI_WAITED = "fleetwright_oci_budget_wait_seconds_total" [] "Time that calls to OCI waited for the budget.";
    Gauge OCI_LEFT = "fleetwright_oci_budget_left" ["tenancy", "region"] "Calls to OCI that the budget would let through at once.";

    Gauge CLUSTER_AVAILABLE = "hypershift_hostedcluster_available" ["management_cluster", "cluster"] "Whether a HostedCluster says that it is available.";
    Gauge CLUSTER_CONDITION = "fleetwright_hostedcluster_condition" ["management_cluster", "cluster", "condition"] "1 where a condition of a HostedCluster is true, 0 where it is false; none where it is unknown. Condition: Degraded, Progressing, EtcdAvailable, DataPlaneConnectionAvailable.";
    Gauge CLUSTERS_SEEN = "fleetwright_hostedclusters_last_success_timestamp_seconds" ["management_cluster"] "When the HostedClusters of a management cluster were last read; where they never were, since when that is tried.";
    Counter RECONCILE_ERRORS = "hypershift_hostedcluster_reconcile_errors_total" ["platform"] "Looks at a cluster that failed; platform: as in HostedCluster.";

    Counter SERIES_DROPPED = "fleetwright_metric_series_dropped_total" [] "Values that were not recorded, since their metric has too many series.";

    Counter PROCESS_CPU = "process_cpu_seconds_total" [] "Processor time that was used.";
    Gauge PROCESS_RESIDENT = "process_resident_memory_bytes" [] "Resident memory.";
    Gauge PROCESS_ALLOCATED = "fleetwright_process_allocated_bytes" [] "Memory that the allocator has given out and not got back; that of the C libraries within (Git, SSH, TLS for Git) is not counted.";
    Gauge PROCESS_TASKS = "fleetwright_process_tasks" [] "Asynchronous tasks that have begun and not ended.";
    Gauge PROCESS_VIRTUAL = "process_virtual_memory_bytes" [] "Virtual memory.";
    Gauge PROCESS_FDS = "process_open_fds" [] "Open file descriptors.";
    Gauge PROCESS_MAX_FDS = "process_max_fds" [] "File descriptors that may be open.";
    Gauge PROCESS_START = "process_start_time_seconds" [] "When the process began.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_keep_to_the_conventions_and_are_taken_once() {
        let names: BTreeSet<&str> = ALL.iter().map(|entry| entry.name).collect();
        assert_eq!(names.len(), ALL.len());
        for entry in ALL {
            let prefixes = ["fleetwright_", "hypershift_", "process_"];
            assert!(
                prefixes.iter().any(|prefix| entry.name.starts_with(prefix)),
                "{}",
                entry.name
            );
            assert_eq!(
                entry.name.ends_with("_total"),
                entry.kind == Kind::Counter,
                "{}",
                entry.name
            );
            if entry.kind == Kind::Histogram {
                assert!(entry.name.ends_with("_seconds"), "{}", entry.name);
            }
            assert!(
                entry.help.ends_with('.') && !entry.labels.iter().any(|label| ["le", "fleet"].contains(label)),
                "{}",
                entry.name
            );
        }
        assert!(BUCKETS.is_sorted());
    }
}
