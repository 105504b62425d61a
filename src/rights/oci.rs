//! The rights on OCI, as policy statements.
//!
//! Written from Oracle's policy reference; none of it has met the real service. What is granted is bound to the compartments
//! that the documents name, and to the types of resource that the calls of each kind touch.

use std::collections::{BTreeMap, BTreeSet};

use super::kubernetes::Purpose;
use crate::render::{Precondition, Rendered};
use crate::resource::lookup::{Pending, lookups};
use crate::resource::{Compartment, Manifest, OciId, Ocid, Stewardship, Target};

/// What may be done, each including those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// Lists, without what users typed.
    Inspect,
    /// Reads.
    Read,
    /// Works with what is there.
    Use,
    /// Everything.
    Manage,
}

impl Verb {
    fn name(self) -> &'static str {
        match self {
            Self::Inspect => "inspect",
            Self::Read => "read",
            Self::Use => "use",
            Self::Manage => "manage",
        }
    }
}

/// Who gets the rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A group of users.
    Group(String),
    /// A dynamic group: instances, mostly.
    DynamicGroup(String),
    /// A service account on an OKE cluster of the enhanced kind.
    Workload {
        /// Its namespace.
        namespace: String,
        /// Its name.
        account: String,
        /// OCID of the OKE cluster.
        cluster: Ocid,
    },
}

impl Subject {
    fn who(&self) -> String {
        match self {
            Self::Group(name) => format!("group {name}"),
            Self::DynamicGroup(name) => format!("dynamic-group {name}"),
            Self::Workload { .. } => "any-user".to_owned(),
        }
    }

    fn condition(&self) -> String {
        match self {
            Self::Group(_) | Self::DynamicGroup(_) => String::new(),
            Self::Workload {
                namespace,
                account,
                cluster,
            } => format!(
                " where all {{request.principal.type = 'workload', request.principal.namespace = '{namespace}', \
                 request.principal.service_account = '{account}', request.principal.cluster_id = '{cluster}'}}"
            ),
        }
    }
}

/// Types that the calls of a kind touch: its own, and those that it is attached to or that are attached to it.
///
/// A part of something else's (`RouteTableRules`) is written by an update of the whole.
const TYPES: &[(&str, &[(Verb, &str)])] = &[
    ("Vcn", &[(Verb::Manage, "vcns")]),
    ("DhcpOptions", &[(Verb::Manage, "dhcp-options"), (Verb::Manage, "vcns")]),
    ("Drg", &[(Verb::Manage, "drgs")]),
    (
        "DrgAttachment",
        &[
            (Verb::Manage, "drgs"),
            (Verb::Manage, "vcns"),
            (Verb::Manage, "route-tables"),
        ],
    ),
    (
        "InternetGateway",
        &[(Verb::Manage, "internet-gateways"), (Verb::Manage, "vcns")],
    ),
    ("PublicIp", &[(Verb::Manage, "public-ips")]),
    (
        "NatGateway",
        &[
            (Verb::Manage, "nat-gateways"),
            (Verb::Manage, "vcns"),
            (Verb::Use, "public-ips"),
        ],
    ),
    (
        "ServiceGateway",
        &[(Verb::Manage, "service-gateways"), (Verb::Manage, "vcns")],
    ),
    (
        "LocalPeeringGateway",
        &[(Verb::Manage, "local-peering-gateways"), (Verb::Manage, "vcns")],
    ),
    (
        "RemotePeeringConnection",
        &[(Verb::Manage, "remote-peering-connections"), (Verb::Manage, "drgs")],
    ),
    ("RouteTable", ROUTES),
    ("RouteTableRules", ROUTES),
    (
        "SecurityList",
        &[(Verb::Manage, "security-lists"), (Verb::Manage, "vcns")],
    ),
    (
        "NetworkSecurityGroup",
        &[(Verb::Manage, "network-security-groups"), (Verb::Manage, "vcns")],
    ),
    (
        "Subnet",
        &[
            (Verb::Manage, "subnets"),
            (Verb::Manage, "vcns"),
            (Verb::Manage, "route-tables"),
            (Verb::Manage, "security-lists"),
            (Verb::Manage, "dhcp-options"),
        ],
    ),
    (
        "NetworkLoadBalancer",
        &[
            (Verb::Manage, "network-load-balancers"),
            (Verb::Use, "subnets"),
            (Verb::Use, "network-security-groups"),
            (Verb::Use, "vnics"),
            (Verb::Use, "private-ips"),
            (Verb::Use, "public-ips"),
        ],
    ),
    ("DnsRecords", &[(Verb::Manage, "dns-records"), (Verb::Use, "dns-zones")]),
];

/// What a route leads to has to be attachable, too: that is part of managing it, where its own document says that it is.
const ROUTES: &[(Verb, &str)] = &[(Verb::Manage, "route-tables"), (Verb::Manage, "vcns")];

fn types(kind: &str) -> &'static [(Verb, &'static str)] {
    TYPES
        .iter()
        .find(|(name, _)| *name == kind)
        .map_or(&[], |(_, types)| types)
}

/// Statements by tenancy; those of the default credentials' own stand under none.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Policy {
    grants: BTreeMap<Option<String>, BTreeMap<String, BTreeMap<&'static str, Verb>>>,
    /// What could not be granted, and why.
    notes: BTreeSet<String>,
}

/// The rights that a fleet needs.
pub fn policy(rendered: &Rendered, purpose: Purpose) -> Policy {
    let mut policy = Policy::default();
    for unit in rendered.units.values() {
        for manifest in &unit.manifests {
            if manifest.id.target == Target::Oci {
                policy.manifest(manifest, purpose);
            }
            if manifest.refers() {
                policy.look_ups(manifest);
            }
        }
        for precondition in &unit.preconditions {
            policy.precondition(precondition);
        }
    }
    policy
}

impl Policy {
    /// The statements, with their tenancies and what is left to be said as comments.
    pub fn statements(&self, subject: &Subject) -> String {
        let (who, condition) = (subject.who(), subject.condition());
        let mut lines = vec![
            "# From Oracle's policy reference, and never tried against OCI itself: read before you take it over."
                .to_owned(),
        ];
        for (tenancy, compartments) in &self.grants {
            lines.push(match tenancy {
                Some(tenancy) => format!("\n# in {tenancy}"),
                None => "\n# in the tenancy of the credentials".to_owned(),
            });
            for (place, types) in compartments {
                for (name, verb) in types {
                    let verb = verb.name();
                    lines.push(format!("Allow {who} to {verb} {name} in {place}{condition}"));
                }
            }
        }
        if !self.notes.is_empty() {
            lines.push(String::new());
        }
        lines.extend(self.notes.iter().map(|note| format!("# {note}")));
        lines.join("\n") + "\n"
    }

    /// Whether OCI is not needed at all.
    pub fn is_empty(&self) -> bool {
        self.grants.is_empty() && self.notes.is_empty()
    }

    fn manifest(&mut self, manifest: &Manifest, purpose: Purpose) {
        let body = manifest.body();
        let spec = |name: &str| body.pointer(&format!("/spec/{name}"));
        let tenancy = spec("tenancy").and_then(|value| value.as_str()).map(str::to_owned);
        let Some(compartment) = spec("compartmentId").and_then(Compartment::parse) else {
            self.notes
                .insert(format!("{}: its compartment is not known", manifest.id));
            return;
        };
        let writes = manifest.stewardship == Stewardship::Managed && purpose == Purpose::Keep;
        for (verb, name) in types(&manifest.id.kind) {
            let verb = if writes { *verb } else { Verb::Read };
            self.grant(tenancy.as_ref(), &compartment, name, verb);
        }
    }

    fn look_ups(&mut self, manifest: &Manifest) {
        let body = manifest.body();
        let tenancy = body
            .pointer("/spec/tenancy")
            .and_then(|value| value.as_str())
            .map(str::to_owned);
        for (_, pending) in lookups(&body) {
            match pending {
                Pending::Resource(lookup) => self.read(&OciId::Named(Box::new(lookup))),
                Pending::Compartment(compartment) => self.inspect(tenancy.as_ref(), &compartment),
            }
        }
    }

    fn precondition(&mut self, precondition: &Precondition) {
        if let Precondition::Existing { resource, .. } = precondition {
            self.read(resource);
        }
    }

    /// What others made and is only looked at.
    fn read(&mut self, resource: &OciId) {
        match resource {
            OciId::Known(ocid) => {
                self.notes.insert(format!(
                    "also needed: read {} in the compartment of {ocid}, which the fleet files don't name",
                    if ocid.as_str().starts_with("ocid1.vcn.") {
                        "vcns"
                    } else {
                        "subnets"
                    }
                ));
            }
            OciId::Named(lookup) => {
                let tenancy = lookup.tenancy.as_ref().map(ToString::to_string);
                if let Some((_, name)) = types(&lookup.kind).first() {
                    self.grant(tenancy.as_ref(), &lookup.compartment, name, Verb::Read);
                }
                if let Some(vcn) = &lookup.vcn {
                    self.read(vcn);
                }
            }
        }
    }

    fn grant(&mut self, tenancy: Option<&String>, compartment: &Compartment, name: &'static str, verb: Verb) {
        self.inspect(tenancy, compartment);
        let known = self
            .grants
            .entry(tenancy.cloned())
            .or_default()
            .entry(place(compartment))
            .or_default()
            .entry(name)
            .or_insert(verb);
        *known = verb.max(*known);
    }

    /// A path is followed from the tenancy's root down.
    fn inspect(&mut self, tenancy: Option<&String>, compartment: &Compartment) {
        if let Compartment::Path { .. } = compartment {
            let places = self.grants.entry(tenancy.cloned()).or_default();
            places
                .entry("tenancy".to_owned())
                .or_default()
                .insert("compartments", Verb::Inspect);
        }
    }
}

/// As a statement names it: a root compartment is the tenancy itself.
fn place(compartment: &Compartment) -> String {
    match compartment {
        Compartment::Id(ocid) if ocid.as_str().starts_with("ocid1.tenancy.") => "tenancy".to_owned(),
        Compartment::Id(ocid) => format!("compartment id {ocid}"),
        Compartment::Path { path, .. } => format!("compartment {}", path.replace('/', ":")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::oci::KINDS;

    #[test]
    fn every_kind_has_its_types_and_no_other_kind_does() {
        let table: BTreeSet<&str> = TYPES.iter().map(|(kind, _)| *kind).collect();
        let kinds: BTreeSet<&str> = KINDS.iter().map(|kind| kind.name).collect();
        assert_eq!(table, kinds);
        for (kind, types) in TYPES {
            assert_eq!(types[0].0, Verb::Manage, "{kind} can't be made");
        }
    }

    #[test]
    fn the_widest_verb_counts_and_a_root_is_the_tenancy() {
        let mut policy = Policy::default();
        let root = Compartment::Id(Ocid::new("ocid1.tenancy.oc1..a"));
        policy.grant(None, &root, "vcns", Verb::Manage);
        policy.grant(None, &root, "vcns", Verb::Read);
        let path = Compartment::Path {
            tenancy: None,
            path: "a/b".to_owned(),
        };
        policy.grant(Some(&"t".to_owned()), &path, "subnets", Verb::Use);
        let said = policy.statements(&Subject::DynamicGroup("d".to_owned()));
        let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("Allow")).collect();
        assert_eq!(
            lines,
            [
                "Allow dynamic-group d to manage vcns in tenancy",
                "Allow dynamic-group d to use subnets in compartment a:b",
                "Allow dynamic-group d to inspect compartments in tenancy",
            ]
        );
        let workload = Subject::Workload {
            namespace: "n".to_owned(),
            account: "a".to_owned(),
            cluster: Ocid::new("ocid1.cluster.x"),
        };
        assert!(policy.statements(&workload).contains(
            "Allow any-user to manage vcns in tenancy where all {request.principal.type = 'workload', \
             request.principal.namespace = 'n', request.principal.service_account = 'a', \
             request.principal.cluster_id = 'ocid1.cluster.x'}"
        ));
    }
}
