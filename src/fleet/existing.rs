//! Networks that exist: each part by OCID, or by its name within a compartment.
//!
//! Invariant: a name is looked up when a plan is made; until then it is carried as it was typed.

use super::cluster::Common;
use super::compartments::{self, Setting};
use super::node::Node;
use super::ocid::{self, Expected};
use super::problems::Problems;
use super::spec;
use crate::diag::{Code, Diagnostic};
use crate::fleet::model::ExistingNetwork;
use crate::resource::{Compartment, Lookup, OciId, Ocid};

/// What its parts have in common.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) region: &'a str,
    pub(super) tenancy: Option<&'a Ocid>,
    /// The compartment of what names none.
    pub(super) compartment: Option<&'a Compartment>,
    /// Whether objects name the VCN, so that it has to be given.
    pub(super) named: bool,
}

struct Part<'a> {
    key: &'static str,
    kind: &'static str,
    node: &'a Node,
}

/// Resolves one; none where it has no VCN.
pub(super) fn resolve(
    existing: &spec::Existing,
    node: &Node,
    (common, around): (&Common<'_>, Around<'_>),
    problems: &mut Problems<'_>,
) -> Option<ExistingNetwork> {
    if existing.vcn.is_none() && around.named {
        let problem = Diagnostic::new(Code::MissingKey, "an existing network needs its `vcn`")
            .hint("its OCID, or `{name: …, compartment: …}`");
        problems.add(problem, super::check::first_key(node));
        return None;
    }
    let part = |key, kind| Part {
        key,
        kind,
        node: node.get(key).unwrap_or(node),
    };
    let vcn = match &existing.vcn {
        Some(vcn) => Some(id(vcn, &part("vcn", "Vcn"), (common, around), problems)?),
        None => None,
    };
    // Subnets are looked for beside their VCN.
    let beside = match &vcn {
        Some(OciId::Named(lookup)) => Some(&lookup.compartment),
        Some(OciId::Known(_)) | None => around.compartment,
    };
    let around = Around {
        compartment: beside,
        ..around
    };
    let mut subnet = |typed: &Option<spec::ByIdOrName>, key| {
        let found = id(typed.as_ref()?, &part(key, "Subnet"), (common, around), problems)?;
        Some(match found {
            OciId::Named(lookup) => OciId::Named(Box::new(Lookup {
                vcn: vcn.clone(),
                ..*lookup
            })),
            OciId::Known(ocid) => OciId::Known(ocid),
        })
    };
    Some(ExistingNetwork {
        endpoint_subnet: subnet(&existing.endpoint_subnet, "endpointSubnet"),
        worker_subnet: subnet(&existing.worker_subnet, "workerSubnet"),
        vcn,
    })
}

fn id(
    typed: &spec::ByIdOrName,
    part: &Part<'_>,
    (common, around): (&Common<'_>, Around<'_>),
    problems: &mut Problems<'_>,
) -> Option<OciId> {
    let named = match typed {
        spec::ByIdOrName::Id(text) => {
            let expected = Expected {
                key: part.key,
                kinds: &[if part.kind == "Vcn" { "vcn" } else { "subnet" }],
                region: Some(around.region),
            };
            return Some(OciId::Known(ocid::check(text, expected, part.node.place, problems)));
        }
        spec::ByIdOrName::Name(named) => named,
    };
    let compartment = match &named.compartment {
        Some(text) => {
            let setting = Setting {
                text,
                place: part.node.get("compartment").unwrap_or(part.node).place,
                names: common.compartments,
                region: around.region,
                tenancy: around.tenancy,
            };
            compartments::resolve(setting, problems)?
        }
        None => {
            let Some(compartment) = around.compartment else {
                let message = format!(
                    "`{}` is to be looked up by name, and there is no compartment to look in",
                    part.key
                );
                let problem = Diagnostic::new(Code::MissingKey, message)
                    .hint("give one beside the name: `{name: …, compartment: …}`");
                problems.add(problem, super::check::first_key(part.node));
                return None;
            };
            compartment.clone()
        }
    };
    Some(OciId::Named(Box::new(Lookup {
        kind: part.kind.to_owned(),
        name: named.name.clone(),
        compartment,
        region: around.region.to_owned(),
        tenancy: around.tenancy.cloned(),
        vcn: None,
    })))
}
