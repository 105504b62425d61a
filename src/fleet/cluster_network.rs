//! A cluster's ranges, and which OCI network its workers live in: one of its own, a shared one, or one that exists.
//!
//! Invariant: of the three just one; only a network of its own takes addresses from the pool.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::cluster::{Merged, Resolver};
use super::existing::{self, Around};
use super::index::Declared;
use super::lock::LockedCluster;
use super::model::{ClusterNetwork, NetworkPlan, NetworkSource, Preset};
use super::node::Node;
use super::problems::Problems;
use super::security_rules;
use super::shared::{self, Manager};
use super::spec::{self, Settings};
use super::vcn;
use crate::diag::{Code, Diagnostic};
use crate::resource::NetworkName;

impl Resolver<'_, '_> {
    /// Resolves the network; none, and said why, where there is none.
    pub(super) fn network(
        &mut self,
        merged: &Merged,
        (declared, around): (&Declared<'_>, Around<'_>),
        (pin, manager): (&mut LockedCluster, &Manager),
        problems: &mut Problems<'_>,
    ) -> Option<ClusterNetwork> {
        let settings = merged.settings.network.clone().unwrap_or_default();
        let node = merged.node.get("network")?;
        let common = self.common;
        let region = around.region;
        let pods = ranges(settings.cluster, node.get("cluster"), problems);
        let mut machine = ranges(settings.machine, node.get("machine"), problems);
        let kind = merged.settings.kind.unwrap_or_default();
        let source = if kind == spec::ClusterKind::Topology {
            // Its class says which network there is, and its provider makes it.
            pin.addresses = None;
            NetworkSource::Capoci {
                groups: BTreeMap::new(),
            }
        } else if settings.made_by == Some(spec::MadeBy::Capoci) && kind != spec::ClusterKind::Hosted {
            pin.addresses = None;
            let groups = match (&settings.groups, node.get("groups")) {
                (Some(typed), Some(node)) => security_rules::groups(typed, (node, region), problems),
                _ => BTreeMap::new(),
            };
            NetworkSource::Capoci { groups }
        } else if let Some(existing) = settings.existing.as_ref().filter(|_| kind == spec::ClusterKind::Hosted) {
            pin.addresses = None;
            let found = existing::resolve(existing, node.get("existing")?, (&common, around), problems);
            NetworkSource::Existing(found?)
        } else if let Some(name) = &settings.shared {
            pin.addresses = None;
            let key = NetworkName::new(name);
            let place = node.get("shared").map_or(declared.place, |node| node.place);
            let Some(found) = self.networks.get(&key) else {
                let message = format!("there is no network called `{name}`, or it has an error");
                let mut problem = Diagnostic::new(Code::Dangling, message);
                let names = self.networks.keys().map(NetworkName::as_str);
                problem.hints.extend(super::check::suggest(name, names));
                problems.add(problem, place);
                return None;
            };
            if found.region != region {
                let message = format!("network `{name}` is in `{}`, the cluster in `{region}`", found.region);
                problems.add(Diagnostic::new(Code::NotAllowed, message), place);
            }
            if let Some(plan) = found.source.plan() {
                if !fits(plan.preset, kind) {
                    let preset = plan.preset.name();
                    let (what, hint) = match kind {
                        spec::ClusterKind::Hosted => (
                            "for a cluster with a control plane of its own",
                            "name one of preset `hosted-private` or `hosted-public`",
                        ),
                        spec::ClusterKind::SelfManaged => {
                            ("not for a self-managed cluster", "name one of preset `self-managed`")
                        }
                        spec::ClusterKind::Oke | spec::ClusterKind::Topology => {
                            ("not for an OKE cluster", "name one of preset `oke`")
                        }
                    };
                    let message = format!("network `{name}` is made as `{preset}`, {what}");
                    problems.add(Diagnostic::new(Code::NotAllowed, message).hint(hint), place);
                }
                if machine.is_empty() {
                    machine = machines(plan, &pods);
                }
            }
            if kind != spec::ClusterKind::Hosted && matches!(found.source, NetworkSource::Existing(_)) {
                let message =
                    format!("network `{name}` exists already, and does not tell the subnets of a control plane");
                let hint =
                    "set `madeBy: capoci`, and name its parts in `patches`, in `networkSpec` of the infrastructure";
                problems.add(Diagnostic::new(Code::NotAllowed, message).hint(hint), place);
            }
            NetworkSource::Shared { name: key }
        } else {
            let wish = vcn::Wish {
                preset: match (kind, settings.preset) {
                    (spec::ClusterKind::SelfManaged, _) => Preset::SelfManaged,
                    (spec::ClusterKind::Oke, _) => Preset::Oke,
                    (_, Some(spec::HostedPreset::HostedPublic)) => Preset::HostedPublic,
                    (_, Some(spec::HostedPreset::HostedPrivate) | None) => Preset::HostedPrivate,
                },
                peer: settings.peer_with,
                node,
                availability_domain: settings.availability_domain.as_deref(),
                public_ips: settings.public_ips.as_deref().unwrap_or_default(),
                endpoint_balancer: own_balancer(&merged.settings),
                region,
                id: &pin.id,
                label: &pin.object_name,
                place: declared.place,
            };
            let plan = vcn::plan(wish, &mut pin.addresses, (&common, self.taken, manager), problems)?;
            if machine.is_empty() {
                machine = machines(&plan, &pods);
            }
            NetworkSource::Managed(Box::new(plan))
        };
        Some(ClusterNetwork {
            machine,
            cluster: pods,
            host_prefix: settings.host_prefix,
            service: ranges(settings.service, node.get("service"), problems),
            kind: match settings.kind {
                Some(spec::NetworkType::OpenShiftSDN) => "OpenShiftSDN",
                Some(spec::NetworkType::Calico) => "Calico",
                Some(spec::NetworkType::Other) => "Other",
                Some(spec::NetworkType::OVNKubernetes) | None => "OVNKubernetes",
            }
            .to_owned(),
            source,
        })
    }
}

fn ranges(value: Option<spec::OneOrMany>, node: Option<&Node>, problems: &mut Problems<'_>) -> Vec<IpNet> {
    value.map_or_else(Vec::new, |value| shared::ranges(&shared::many(value), node, problems))
}

/// Whether a network of this preset has the subnets that a kind of cluster needs.
fn fits(preset: Preset, kind: spec::ClusterKind) -> bool {
    match kind {
        spec::ClusterKind::Hosted => preset.is_hosted(),
        spec::ClusterKind::SelfManaged => preset == Preset::SelfManaged,
        spec::ClusterKind::Oke => preset == Preset::Oke,
        spec::ClusterKind::Topology => false,
    }
}

/// The ranges of workers, of the families that pods have.
fn machines(plan: &NetworkPlan, pods: &[IpNet]) -> Vec<IpNet> {
    let same = |net: &&IpNet| pods.iter().any(|pods| pods.addr().is_ipv6() == net.addr().is_ipv6());
    plan.workers().iter().filter(same).copied().collect()
}

/// Whether a load balancer of ours is wished for at the endpoint.
pub(super) fn own_balancer(settings: &Settings) -> bool {
    let endpoint = settings.network.as_ref().and_then(|network| network.endpoint.as_ref());
    endpoint.and_then(|endpoint| endpoint.load_balancer) == Some(true)
}
