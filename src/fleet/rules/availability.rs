//! cp-ha-prod, infra-ha, etcd-storage, latency, annotations: what production should not do without.

use super::Facts;
use crate::diag::{Code, Diagnostic};
use crate::fleet::model::{Cluster, Hosted};
use crate::fleet::problems::Problems;

const SINGLE: &str = "SingleReplica";
const PREFIX: &str = "hypershift.openshift.io/";

pub(super) fn check((cluster, hosted): (&Cluster, &Hosted), facts: &Facts<'_>, problems: &mut Problems<'_>) {
    let (name, environment) = (&cluster.name, &cluster.environment);
    if facts.production && hosted.controller_availability == SINGLE {
        let problem = Diagnostic::new(
            Code::CpHaProd,
            format!("the control plane of `{name}` has a single replica, and `{environment}` serves production"),
        )
        .hint("set `availability: high`; it can't be changed once the cluster exists");
        problems.rule(problem, facts.at(&["availability"], problems));
    }
    let typed = facts.merged.settings.infrastructure_availability.is_some();
    if facts.production && typed && hosted.infrastructure_availability == SINGLE {
        let problem = Diagnostic::new(
            Code::InfraHa,
            format!("what the platform runs on `{name}`'s workers has a single replica, in production"),
        )
        .hint("set `infrastructureAvailability: high`");
        problems.rule(problem, facts.at(&["infrastructureAvailability"], problems));
    }
    if hosted.etcd.storage_class.is_none() {
        let message = format!("etcd of `{name}` takes the default storage class, whatever that is");
        let problem = Diagnostic::new(Code::EtcdStorage, message)
            .hint("set `etcd: {storageClass: …}` to one whose fsync takes less than 10 ms; it can't be changed later");
        problems.rule(problem, facts.at(&["etcd"], problems));
    }
    if facts.manager.model.region != cluster.region {
        let message = format!(
            "`{name}` has its workers in `{}` and its control plane in `{}`",
            cluster.region, facts.manager.model.region
        );
        let problem = Diagnostic::new(Code::Latency, message)
            .hint("a round trip of more than 200 ms between the two is not supported");
        problems.rule(problem, facts.at(&["managementCluster"], problems));
    }
    if facts.production {
        for key in cluster.annotations.keys().filter(|key| is_override(key)) {
            let problem = Diagnostic::new(
                Code::Annotations,
                format!("`{key}` is an unsupported override, in production"),
            );
            problems.rule(problem, facts.at(&["annotations", key], problems));
        }
    }
}

/// Whether an annotation replaces images, or switches checks or parts off.
fn is_override(key: &str) -> bool {
    key.strip_prefix(PREFIX).is_some_and(|name| {
        name == "image-overrides"
            || name.ends_with("-image")
            || name.starts_with("skip-")
            || name.starts_with("disable-")
    })
}
