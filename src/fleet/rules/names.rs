//! ns-length, capoci-name, and names that are none: what can't be called so.

use std::collections::BTreeMap;

use super::{Facts, Wide};
use crate::diag::{Code, Diagnostic};
use crate::fleet::check::did_you_mean;
use crate::fleet::kind::Kind;
use crate::fleet::model::{Cluster, Hosted};
use crate::fleet::node::Place;
use crate::fleet::problems::Problems;

/// The most that a namespace's or a label's name may have.
const LABEL: usize = 63;
/// The most that an OCICluster's name may have.
const OCI_CLUSTER: usize = 44;

fn is_dns_label(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.bytes().all(inner) && !name.starts_with('-') && !name.ends_with('-')
}

/// Whether the API takes it as a label's value.
fn is_label_value(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let edge = |byte: Option<u8>| byte.is_none_or(|byte| byte.is_ascii_alphanumeric());
    text.len() <= LABEL && text.bytes().all(inner) && edge(text.bytes().next()) && edge(text.bytes().next_back())
}

/// Whether the API takes it as a label's key: `name`, or `domain/name`.
fn is_label_key(text: &str) -> bool {
    let (domain, name) = text.rsplit_once('/').unwrap_or(("", text));
    let domain_fits = domain.split('.').all(is_dns_label) || (domain.is_empty() && !text.starts_with('/'));
    !name.is_empty() && is_label_value(name) && domain_fits && domain.len() <= 253
}

/// Labels that the API would refuse.
fn labels(all: &BTreeMap<String, String>, place: impl Fn(&str) -> Place, problems: &mut Problems<'_>) {
    for (key, value) in all {
        if !is_label_key(key) {
            let problem = Diagnostic::new(Code::NotAllowed, format!("`{key}` can't be the key of a label"))
                .hint("write it like `team` or `acme.example/team`");
            problems.add(problem, place(key));
        } else if !is_label_value(value) {
            let problem = Diagnostic::new(Code::NotAllowed, format!("`{value}` can't be the value of a label")).hint(
                "it has at most 63 letters, digits, `-`, `_` and `.`; free text goes into `annotations` or `tags`",
            );
            problems.add(problem, place(key));
        }
    }
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
        let pinned = cluster.node_pools().find(|made| made.name == *pool);
        let derived = || format!("{}-{pool}", cluster.object_name);
        let object = pinned.map_or_else(derived, |made| made.object_name.clone());
        if object.len() > LABEL {
            let message = format!(
                "the node pool's object name `{object}` has {} characters, {LABEL} is the most",
                object.len()
            );
            problems.add(Diagnostic::new(Code::NotAllowed, message), *place);
        }
    }
    labels(
        &cluster.labels,
        |key| {
            facts
                .merged
                .node
                .at(&["labels", key])
                .map_or(facts.place, |node| node.place)
        },
        problems,
    );
}

/// Node labels, and what HyperShift makes names of.
pub(super) fn hosted((_, hosted): (&Cluster, &Hosted), facts: &Facts<'_>, problems: &mut Problems<'_>) {
    for pool in hosted.node_pools.values() {
        let Some((node, place)) = facts.pools.get(&pool.name) else {
            continue;
        };
        labels(
            &pool.node_labels,
            |key| node.at(&["nodeLabels", key]).map_or(*place, |node| node.place),
            problems,
        );
    }
    let length = hosted.control_plane_namespace.len();
    if length > LABEL {
        let message = format!(
            "the control-plane namespace `{}` has {length} characters",
            hosted.control_plane_namespace
        );
        let over = length - LABEL;
        let problem = Diagnostic::new(Code::NsLength, message).hint(format!(
            "{LABEL} is the most; the name is in it twice, so make it {} shorter",
            over.div_ceil(2)
        ));
        problems.rule(problem, facts.place);
    }
    if hosted.infra_id.len() > OCI_CLUSTER {
        let message = format!(
            "the infra id `{}` has {} characters",
            hosted.infra_id,
            hosted.infra_id.len()
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
        let names_of = |kind: Kind| -> Vec<&str> {
            let named = wide.index.named.keys().filter(|(of, _)| *of == kind);
            named.map(|(_, name)| *name).collect()
        };
        let clusters: Vec<&str> = wide.index.clusters.keys().copied().collect();
        let of_one = [
            ("cluster", &waiver.cluster, "cluster", clusters),
            ("network", &waiver.network, "network", names_of(Kind::Network)),
            (
                "managementCluster",
                &waiver.management_cluster,
                "management cluster",
                names_of(Kind::ManagementCluster),
            ),
        ];
        for (key, name, what, known) in of_one {
            let node = nodes.and_then(|nodes| nodes.item(index)).and_then(|node| node.get(key));
            if let (Some(name), Some(node)) = (name.as_deref(), node)
                && !known.contains(&name)
            {
                let message = format!("a waiver for `{name}`, which is no {what}");
                let mut problem = Diagnostic::new(Code::WaiverExpired, message);
                problem.hints.extend(did_you_mean(name, known));
                problems.add(problem, node.place);
            }
        }
    }
}
