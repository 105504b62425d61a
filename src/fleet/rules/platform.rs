//! np-platform, cni, hcp-kind, flex-shape, private-needs-nlb, kms, arch, autoscale-zero, paused-expired, and names of
//! identities: what the platform can't do.

use serde_json::Value;

use super::Facts;
use crate::diag::{Code, Diagnostic, Severity};
use crate::fleet::check::did_you_mean;
use crate::fleet::model::{Cluster, Dialect, Hosted, NetworkSource, NodePool, Scale};
use crate::fleet::problems::Problems;

/// OCI's ten freeform tags a resource, less our four.
const FREEFORM: usize = 6;

/// What only hosted clusters can have wrong.
pub(super) fn hosted((cluster, hosted): (&Cluster, &Hosted), facts: &Facts<'_>, problems: &mut Problems<'_>) {
    let platform = match hosted.dialect {
        Dialect::Oci => "OCI",
        Dialect::None => "None",
        Dialect::Agent => "Agent",
    };
    let typed = hosted
        .hosted_cluster_patch
        .pointer("/platform/type")
        .and_then(Value::as_str);
    if let Some(typed) = typed.filter(|typed| *typed != platform) {
        let message = format!(
            "`{}` is of platform `{typed}`, its management cluster takes `{platform}`",
            cluster.name
        );
        problems.rule(
            Diagnostic::new(Code::NpPlatform, message),
            facts.at(&["hostedCluster", "platform"], problems),
        );
    }
    for pool in hosted.node_pools.values() {
        check_pool(pool, (hosted, platform), facts, problems);
    }
    let kind = cluster.network.kind.as_str();
    if kind != "OVNKubernetes" && kind != "Other" {
        let message = format!("network plugin `{kind}` is not supported for hosted clusters");
        let problem = Diagnostic::new(Code::Cni, message)
            .hint("take `OVNKubernetes`, or `Other` for one that installs itself; it can't be changed later");
        problems.rule(problem, facts.at(&["network", "type"], problems));
    }
    private(cluster, hosted, facts, problems);
    if hosted
        .hosted_cluster_patch
        .pointer("/secretEncryption/type")
        .and_then(Value::as_str)
        == Some("kms")
    {
        let problem = Diagnostic::new(Code::Kms, "there is no KMS provider for OCI")
            .hint("use `encryptionKey: {from: <namespace>/<name>}`, an AES-CBC key");
        problems.rule(
            problem,
            facts.at(&["hostedCluster", "secretEncryption", "type"], problems),
        );
    }
    paused((cluster, hosted), facts, problems);
}

/// What any cluster can have wrong.
pub(super) fn check(cluster: &Cluster, facts: &Facts<'_>, problems: &mut Problems<'_>) {
    let list = facts.merged.node.get("extraManifests");
    for (index, manifest) in cluster.extra_manifests.iter().enumerate() {
        if manifest.body.get("kind").and_then(Value::as_str) == Some("HostedControlPlane") {
            let place = list
                .and_then(|list| list.item(index))
                .map_or(facts.place, |node| node.place);
            let problem = Diagnostic::new(Code::HcpKind, "a HostedControlPlane is made by the operator alone")
                .hint("say what you want in `hostedCluster:`, from which the operator derives it");
            problems.rule(problem, place);
        }
    }
    let identities = &facts.manager.model.identities;
    if let Some(identity) = cluster
        .identity
        .as_deref()
        .filter(|name| !identities.contains_key(*name))
    {
        let message = format!(
            "management cluster `{}` has no identity `{identity}`",
            facts.manager.model.name
        );
        let mut problem = Diagnostic::new(Code::Dangling, message)
            .related(&facts.manager.place.span(problems.files), "this management cluster");
        problem
            .hints
            .extend(did_you_mean(identity, identities.keys().map(String::as_str)));
        problem.hints.push("add it to its `identities`".to_owned());
        problems.add(problem, facts.at(&["identity"], problems));
    }
    if cluster.freeform_tags.len() > FREEFORM {
        let count = cluster.freeform_tags.len();
        let message = format!(
            "`{}` has {count} freeform tags; {FREEFORM} is all there is room for",
            cluster.name
        );
        let problem = Diagnostic::new(Code::NotAllowed, message)
            .hint("OCI takes ten a resource, four of which mark what is ours; use `definedTags` for the others");
        problems.add(problem, facts.at(&["tags"], problems));
    }
}

fn check_pool(pool: &NodePool, (hosted, platform): (&Hosted, &str), facts: &Facts<'_>, problems: &mut Problems<'_>) {
    let name = &pool.name;
    let typed = pool.node_pool_patch.pointer("/platform/type").and_then(Value::as_str);
    if let Some(typed) = typed.filter(|typed| *typed != platform) {
        let message = format!("node pool `{name}` is of platform `{typed}`, its cluster of `{platform}`");
        problems.rule(
            Diagnostic::new(Code::NpPlatform, message),
            facts.pool(name, "nodePool", problems),
        );
    }
    let flexible = pool.shape.ends_with(".Flex");
    let place = facts.pool(name, "shape", problems);
    if flexible && (pool.ocpus.is_none() || pool.memory_gbs.is_none()) {
        let lacking = match (pool.ocpus, pool.memory_gbs) {
            (None, None) => "`ocpus` and `memoryInGBs`",
            (None, _) => "`ocpus`",
            _ => "`memoryInGBs`",
        };
        let message = format!(
            "node pool `{name}`: the flexible shape `{}` needs {lacking}",
            pool.shape
        );
        problems.rule(Diagnostic::new(Code::FlexShape, message), place);
    } else if !flexible && (pool.ocpus.is_some() || pool.memory_gbs.is_some()) {
        let message = format!(
            "node pool `{name}`: the size of shape `{}` is fixed, `ocpus` and `memoryInGBs` change nothing",
            pool.shape
        );
        let mut problem = Diagnostic::new(Code::FlexShape, message).hint("take them out, or choose a `.Flex` shape");
        problem.severity = Severity::Warning;
        problems.rule(problem, place);
    }
    let zero = |value: &Option<Value>| value.as_ref().is_some_and(|value| *value == 0 || *value == "0%");
    if pool.upgrade_type == "InPlace" && pool.max_surge.is_some() {
        let message = format!("node pool `{name}` updates its nodes in place, where there is no surge");
        let problem = Diagnostic::new(Code::NotAllowed, message).hint("take `maxSurge` out, or set it to `null` here");
        problems.add(problem, facts.pool(name, "maxSurge", problems));
    } else if zero(&pool.max_unavailable) && (zero(&pool.max_surge) || pool.upgrade_type == "InPlace") {
        let message = format!("node pool `{name}` could never be updated: no node may be missing, and none is added");
        let problem =
            Diagnostic::new(Code::NotAllowed, message).hint("let one of `maxSurge` and `maxUnavailable` be above zero");
        problems.add(problem, facts.pool(name, "maxUnavailable", problems));
    }
    if pool.arch == "arm64" && hosted.dialect == Dialect::Oci {
        let problem = Diagnostic::new(
            Code::ArchPlatform,
            format!("node pool `{name}`: the API does not admit arm64 on OCI yet"),
        )
        .hint("the API server will refuse it unless its CRDs have been extended");
        problems.rule(problem, facts.pool(name, "arch", problems));
    }
    if let Scale::Autoscale { min: 0, .. } = pool.scale {
        let problem = Diagnostic::new(
            Code::AutoscaleZero,
            format!("node pool `{name}` can't scale from zero on this platform"),
        )
        .hint("begin at 1, or use `replicas: 0` for a pool that is off");
        problems.rule(problem, facts.pool(name, "autoscale", problems));
    }
}

/// The private endpoint's load balancer needs a subnet. A network made here has one.
fn private(cluster: &Cluster, hosted: &Hosted, facts: &Facts<'_>, problems: &mut Problems<'_>) {
    let (existing, key) = match &cluster.network.source {
        NetworkSource::Existing(existing) => (Some(existing), "existing"),
        NetworkSource::Shared { name } => match facts.networks.get(name).map(|network| &network.source) {
            Some(NetworkSource::Existing(existing)) => (Some(existing), "shared"),
            _ => (None, "shared"),
        },
        NetworkSource::Managed(_) | NetworkSource::Capoci { .. } => (None, ""),
    };
    if hosted.dialect == Dialect::Oci && existing.is_some_and(|existing| existing.endpoint_subnet.is_none()) {
        let message = format!(
            "access `{}` needs a subnet for its load balancer",
            hosted.endpoint_access
        );
        let problem = Diagnostic::new(Code::PrivateNeedsNlb, message).hint("name the `endpointSubnet` of the network");
        problems.rule(problem, facts.at(&["network", key], problems));
    }
}

fn paused((cluster, hosted): (&Cluster, &Hosted), facts: &Facts<'_>, problems: &mut Problems<'_>) {
    let Some(text) = hosted.hosted_cluster_patch.get("pausedUntil").and_then(Value::as_str) else {
        return;
    };
    let place = match facts.merged.node.get("pausedUntil") {
        Some(node) => node.place,
        None => facts.at(&["hostedCluster", "pausedUntil"], problems),
    };
    if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") {
        return;
    }
    match text.parse::<jiff::Timestamp>() {
        Ok(time) if time > facts.now => {}
        Ok(_) => {
            let problem = Diagnostic::new(
                Code::PausedExpired,
                format!("the pause of `{}` ended at {text}", cluster.name),
            )
            .hint("take `pausedUntil` out");
            problems.rule(problem, place);
        }
        Err(_) => {
            let mut problem = Diagnostic::new(Code::PausedExpired, format!("`{text}` is no time, nor `true`"))
                .hint("write it like `2027-01-31T12:00:00Z`");
            problem.severity = Severity::Error;
            problems.rule(problem, place);
        }
    }
}
