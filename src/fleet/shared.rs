//! What several clusters use: management clusters, and the fleet's own settings.
//!
//! Invariant: a management cluster with an error is left out, so that whatever is placed on it fails.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde_json::{Map, Value};

use super::addresses;
use super::compartments::{self, Setting};
use super::decode::decode;
use super::fleet_doc;
use super::index::Index;
use super::kind::Kind;
use super::load::Document;
use super::model::{
    Cap, ClusterApi, ConflictRule, Decommission, Dialect, DriftAction, DriftRule, ExtraManifest, Identity, Limits,
    ManagementCluster, ManagementNetwork, OnConflict, SecretRef,
};
use super::node::{Node, Place, SourceFile};
use super::ocid::{self, Expected};
use super::problems::Problems;
use super::spec;
use crate::diag::{Code, Diagnostic, Typed};
use crate::resource::{ClusterName, ManagementClusterName, NetworkName, Ocid, UnitId};

/// A management cluster, and what only resolving needs to know of it.
#[derive(Debug)]
pub(super) struct Manager {
    pub(super) model: ManagementCluster,
    /// The environments that it takes; all where none.
    pub(super) environments: Option<Vec<String>>,
    /// The regions that it takes.
    pub(super) regions: Vec<String>,
    pub(super) place: Place,
}

/// All management clusters.
pub(super) type Management = BTreeMap<ManagementClusterName, Manager>;

/// Namespace of identities, unless typed.
const IDENTITY_NAMESPACE: &str = "cluster-api-provider-oci-system";

/// Resolves the management clusters.
pub(super) fn management_clusters(
    index: &Index<'_>,
    fleet: &spec::FleetSpec,
    problems: &mut Problems<'_>,
) -> Management {
    let mut all = Management::new();
    for document in index
        .of(Kind::ManagementCluster)
        .filter(|document| !index.is_broken(document))
    {
        let before = problems.found.len();
        let Some(manager) = manager(document, fleet, problems) else {
            continue;
        };
        let errors = problems.found.iter().skip(before);
        if errors
            .clone()
            .all(|problem| problem.severity != crate::diag::Severity::Error)
        {
            all.insert(manager.model.name.clone(), manager);
        }
    }
    all
}

/// Typed manifests, each with its place in the list that they were typed in.
pub(super) fn extra_manifests(
    typed: impl IntoIterator<Item = Map<String, Value>>,
    list: Option<&Node>,
    files: &[SourceFile],
) -> Vec<ExtraManifest> {
    let place = |position| Some(list?.item(position)?.place.span(files));
    let typed = typed.into_iter().enumerate();
    typed
        .map(|(position, body)| ExtraManifest {
            body: Value::Object(body),
            typed: Typed(place(position)),
        })
        .collect()
}

fn manager(document: &Document, fleet: &spec::FleetSpec, problems: &mut Problems<'_>) -> Option<Manager> {
    let node = &document.spec;
    let spec: spec::ManagementClusterSpec = match decode(node) {
        Ok(spec) => spec,
        Err(error) => {
            problems.add(
                Diagnostic::new(Code::WrongType, error.message),
                error.place.unwrap_or(document.place),
            );
            return None;
        }
    };
    if let Some(region) = node.get("region") {
        known_region(region, problems);
    }
    let oke = spec.oke.as_ref().zip(node.get("oke")).map(|(text, node)| {
        let expected = Expected {
            key: "oke",
            kinds: &["cluster"],
            region: Some(&spec.region),
        };
        ocid::check(text, expected, node.place, problems)
    });
    let cidrs = ranges(&spec.cidrs, node.get("cidrs"), problems);
    let network = spec.network.as_ref().zip(node.get("network"));
    let network = network.and_then(|(typed, node)| network_of(typed, (node, &spec.region), fleet, problems));
    let mut identities = BTreeMap::new();
    for (name, identity) in spec.identities {
        let place = node
            .at(&["identities", &name])
            .map_or(document.place, |node| node.place);
        if (identity.kind == spec::IdentityType::UserPrincipal) != identity.principal_secret.is_some() {
            let message = match identity.kind {
                spec::IdentityType::UserPrincipal => "a `UserPrincipal` needs a `principalSecret`",
                _ => "only a `UserPrincipal` has a `principalSecret`",
            };
            problems.add(Diagnostic::new(Code::MissingKey, message), place);
        }
        let kind = match identity.kind {
            spec::IdentityType::UserPrincipal => "UserPrincipal",
            spec::IdentityType::InstancePrincipal => "InstancePrincipal",
            spec::IdentityType::Workload => "Workload",
        };
        let identity = Identity {
            name: name.clone(),
            kind: kind.to_owned(),
            namespace: identity.namespace.unwrap_or_else(|| IDENTITY_NAMESPACE.to_owned()),
            principal_secret: identity.principal_secret.as_deref().and_then(secret_ref),
            allowed_namespaces: identity.allowed_namespaces,
        };
        identities.insert(name, identity);
    }
    for (position, manifest) in spec.extra_manifests.iter().enumerate() {
        if manifest.get("kind").and_then(Value::as_str) == Some("HostedControlPlane") {
            let item = node.get("extraManifests").and_then(|list| list.item(position));
            let problem = Diagnostic::new(Code::HcpKind, "a HostedControlPlane is made by the operator alone");
            problems.rule(problem, item.map_or(document.place, |item| item.place));
        }
    }
    Some(Manager {
        environments: spec.accepts.environment.map(many),
        regions: spec.accepts.region.map_or_else(|| vec![spec.region.clone()], many),
        place: document.place,
        model: ManagementCluster {
            name: ManagementClusterName::new(&document.name),
            context: spec.context.unwrap_or_else(|| document.name.clone()),
            region: spec.region,
            oke,
            capacity: spec.capacity,
            cluster_api: match spec.cluster_api {
                spec::ClusterApi::V1Beta1 => ClusterApi::V1Beta1,
                spec::ClusterApi::V1Beta2 => ClusterApi::V1Beta2,
            },
            dialect: match spec.dialect {
                spec::Dialect::Oci => Dialect::Oci,
                spec::Dialect::None => Dialect::None,
                spec::Dialect::Agent => Dialect::Agent,
            },
            routes: spec.routes,
            operator_version: spec.operator_version,
            cidrs,
            network,
            nodes: spec.nodes,
            compact: spec.compact,
            node_port_address: spec.node_port_address,
            router_address: spec.router_address,
            labels: spec.labels,
            identities,
            extra_manifests: extra_manifests(spec.extra_manifests, node.get("extraManifests"), problems.files),
        },
    })
}

/// What a management cluster tells of its own VCN.
fn network_of(
    typed: &spec::ManagementNetwork,
    (node, region): (&Node, &str),
    fleet: &spec::FleetSpec,
    problems: &mut Problems<'_>,
) -> Option<ManagementNetwork> {
    let tenancy = fleet
        .defaults
        .as_ref()
        .and_then(|all| all.tenancy.as_deref())
        .map(Ocid::new);
    let names = fleet.compartments.clone().unwrap_or_default();
    let setting = Setting {
        text: &typed.compartment,
        place: node.get("compartment").unwrap_or(node).place,
        names: &names,
        region,
        tenancy: tenancy.as_ref(),
    };
    let compartment = compartments::resolve(setting, problems);
    let mut ocid = |text: &str, key: &'static str, kind: &'static str, node: &Node| {
        let expected = Expected {
            key,
            kinds: &[kind],
            region: Some(region),
        };
        ocid::check(text, expected, node.place, problems)
    };
    let vcn = ocid(&typed.vcn, "vcn", "vcn", node.get("vcn").unwrap_or(node));
    let drg = typed.drg.as_ref();
    let drg = drg.map(|text| ocid(text, "drg", "drg", node.get("drg").unwrap_or(node)));
    let list = node.get("routeTables").unwrap_or(node);
    let tables = typed.route_tables.iter().enumerate();
    let route_tables = tables
        .map(|(at, text)| ocid(text, "routeTables", "routetable", list.item(at).unwrap_or(list)))
        .collect();
    let list = node.get("nodes").unwrap_or(node);
    let mut nodes = Vec::new();
    for (at, text) in typed.nodes.iter().enumerate() {
        match text.parse() {
            Ok(address) => nodes.push(address),
            Err(_) => {
                let problem = Diagnostic::new(Code::BadRange, format!("`{text}` is no IP address"));
                problems.add(problem, list.item(at).unwrap_or(list).place);
            }
        }
    }
    Some(ManagementNetwork {
        region: region.to_owned(),
        tenancy,
        compartment: compartment?,
        vcn,
        route_tables,
        drg,
        nodes,
    })
}

/// One or many, as many.
pub(super) fn many(value: spec::OneOrMany) -> Vec<String> {
    match value {
        spec::OneOrMany::One(one) => vec![one],
        spec::OneOrMany::Many(many) => many,
    }
}

/// `namespace/name`
pub(super) fn secret_ref(text: &str) -> Option<SecretRef> {
    let (namespace, name) = text.split_once('/')?;
    Some(SecretRef {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    })
}

/// Reads ranges; those that are none are reported at their item, or at the whole value where it is no list.
pub(super) fn ranges(texts: &[String], node: Option<&Node>, problems: &mut Problems<'_>) -> Vec<IpNet> {
    let mut nets = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        match addresses::parse(text) {
            Ok(net) => nets.push(net),
            Err(message) => {
                if let Some(node) = node {
                    let place = node.item(index).unwrap_or(node).place;
                    problems.add(Diagnostic::new(Code::BadRange, message), place);
                }
            }
        }
    }
    nets
}

/// Reports a region that nobody knows.
pub(super) fn known_region(node: &Node, problems: &mut Problems<'_>) {
    fleet_doc::region(node.as_str().unwrap_or_default(), node.place, problems);
}

/// The caps; without any typed, nothing protected is deleted beyond three at a time.
pub(super) fn limits(spec: &spec::FleetSpec) -> Limits {
    let limits = spec.limits.as_ref();
    Limits {
        deletes: limits
            .and_then(|limits| limits.deletes.as_ref())
            .map_or(Cap::Count(3), cap),
        disrupted_nodes: limits.and_then(|limits| limits.disrupted_nodes.as_ref()).map(cap),
    }
}

fn cap(value: &spec::CountOrPercent) -> Cap {
    match value {
        spec::CountOrPercent::Count(count) => Cap::Count(u64::from(*count)),
        // Its form is checked; what is not a number allows nothing.
        spec::CountOrPercent::Percent(text) => Cap::Percent(text.trim_end_matches('%').parse().unwrap_or(0)),
    }
}

/// The leaves to delete.
pub(super) fn decommission(
    index: &Index<'_>,
    spec: &spec::FleetSpec,
    problems: &mut Problems<'_>,
) -> BTreeMap<UnitId, Decommission> {
    let nodes = index.fleet_spec().and_then(|fleet| fleet.get("decommission"));
    let mut leaves = BTreeMap::new();
    for (position, item) in spec.decommission.iter().flatten().enumerate() {
        let Some(node) = nodes.and_then(|nodes| nodes.item(position)) else {
            continue;
        };
        let unit = match (&item.cluster, &item.network, &item.management) {
            (Some(name), None, None) => UnitId::Cluster(ClusterName::new(name)),
            (None, Some(name), None) => UnitId::Network(NetworkName::new(name)),
            (None, None, Some(name)) => UnitId::ManagementCluster(ManagementClusterName::new(name)),
            _ => {
                let message = "name a `cluster`, a `network` or a `management`";
                problems.add(Diagnostic::new(Code::MissingKey, message), node.place);
                continue;
            }
        };
        let leave = Decommission {
            reason: item.reason.clone(),
            span: node.place.span(problems.files),
        };
        leaves.insert(unit, leave);
    }
    leaves
}

/// The drift rules.
pub(super) fn drift(spec: &spec::FleetSpec) -> Vec<DriftRule> {
    let rules = spec.drift.iter().flatten();
    rules
        .map(|rule| DriftRule {
            kind: rule.kind.clone(),
            name: rule.name.clone(),
            cluster: rule.cluster.as_deref().map(ClusterName::new),
            field: rule.field.clone(),
            action: match rule.action {
                spec::DriftAction::Off => DriftAction::Off,
                spec::DriftAction::Report => DriftAction::Report,
                spec::DriftAction::Correct => DriftAction::Correct,
            },
        })
        .collect()
}

/// The conflict rules.
pub(super) fn conflicts(spec: &spec::FleetSpec) -> Vec<ConflictRule> {
    let rules = spec.conflicts.iter().flatten();
    rules
        .map(|rule| ConflictRule {
            kind: rule.kind.clone(),
            field: rule.field.clone(),
            manager: rule.manager.clone(),
            action: match rule.action {
                spec::OnConflict::Force => OnConflict::Force,
                spec::OnConflict::Yield => OnConflict::Yield,
                spec::OnConflict::Fail => OnConflict::Fail,
            },
        })
        .collect()
}
