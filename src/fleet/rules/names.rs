//! ns-length, capoci-name, and names that are none: what can't be called so.

use super::{Facts, Wide};
use crate::diag::{Code, Diagnostic};
use crate::fleet::check::did_you_mean;
use crate::fleet::model::Cluster;
use crate::fleet::problems::Problems;

/// The most that a namespace's or a label's name may have.
const LABEL: usize = 63;
/// The most that an OCICluster's name may have.
const OCI_CLUSTER: usize = 44;

fn is_dns_label(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.bytes().all(inner) && !name.starts_with('-') && !name.ends_with('-')
}

pub(super) fn check(cluster: &Cluster, facts: &Facts<'_>, problems: &mut Problems<'_>) {
    let name = cluster.name.as_str();
    if !is_dns_label(name) {
        let message = format!("`{name}` can't be the name of a cluster");
        let problem = Diagnostic::new(Code::NotAllowed, message)
            .hint("it has lower-case letters, digits and `-`, and begins and ends with a letter or digit");
        problems.add(problem, facts.place);
        return;
    }
    for (pool, (_, place)) in facts.pools {
        if !is_dns_label(pool.as_str()) {
            let problem = Diagnostic::new(Code::NotAllowed, format!("`{pool}` can't be the name of a node pool"))
                .hint("it has lower-case letters, digits and `-`, and begins and ends with a letter or digit");
            problems.add(problem, *place);
        }
        let object = format!("{}-{pool}", cluster.object_name);
        if object.len() > LABEL {
            let message = format!(
                "the node pool's object name `{object}` has {} characters, {LABEL} is the most",
                object.len()
            );
            problems.add(Diagnostic::new(Code::NotAllowed, message), *place);
        }
    }
    let length = cluster.control_plane_namespace.len();
    if length > LABEL {
        let message = format!(
            "the control-plane namespace `{}` has {length} characters",
            cluster.control_plane_namespace
        );
        let over = length - LABEL;
        let problem = Diagnostic::new(Code::NsLength, message).hint(format!(
            "{LABEL} is the most; the name is in it twice, so make it {} shorter",
            over.div_ceil(2)
        ));
        problems.rule(problem, facts.place);
    }
    if cluster.infra_id.len() > OCI_CLUSTER {
        let message = format!(
            "the infra id `{}` has {} characters",
            cluster.infra_id,
            cluster.infra_id.len()
        );
        let problem = Diagnostic::new(Code::CapociName, message).hint(format!(
            "Cluster API Provider OCI takes {OCI_CLUSTER} at most; choose a shorter name"
        ));
        problems.rule(problem, facts.place);
    }
}

/// Names in the `Fleet` document that stand for nothing.
pub(super) fn fleet(wide: &Wide<'_>, problems: &mut Problems<'_>) {
    let nodes = wide.index.fleet_spec().and_then(|fleet| fleet.get("waivers"));
    for (index, waiver) in wide.spec.waivers.iter().flatten().enumerate() {
        let Some(name) = waiver.cluster.as_deref() else {
            continue;
        };
        let node = nodes
            .and_then(|nodes| nodes.item(index))
            .and_then(|node| node.get("cluster"));
        if let (false, Some(node)) = (wide.index.clusters.contains_key(name), node) {
            let mut problem = Diagnostic::new(
                Code::WaiverExpired,
                format!("a waiver for `{name}`, which is no cluster"),
            );
            problem
                .hints
                .extend(did_you_mean(name, wide.index.clusters.keys().copied()));
            problems.add(problem, node.place);
        }
    }
}
