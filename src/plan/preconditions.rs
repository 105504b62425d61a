//! What a unit needs that no document of ours makes.
//!
//! Looked at only where a control plane or a node pool is about to be made: a fleet that stands needs no more requests
//! for it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::build::Plan;
use super::change::{Action, Block};
use crate::render::Precondition;
use crate::resource::{OciId, ResourceId, UnitId};

/// Whether it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Met {
    /// It is not, or does not fit.
    No,
    /// Whoever has it was asked, and did not say.
    Unknown,
    /// Nothing here can look at it.
    Unchecked,
    /// It is.
    Yes,
}

/// What a look at something said.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Whether it is there.
    pub met: Met,
    /// What it is; what of it does not fit; or why that is not known. Nothing where it is plainly there or not.
    pub why: Vec<String>,
}

impl Finding {
    /// One that needs no reasons.
    pub const fn plain(met: Met) -> Self {
        Self { met, why: Vec::new() }
    }

    /// One with its reason.
    pub fn of(met: Met, why: impl Into<String>) -> Self {
        let why = vec![why.into()];
        Self { met, why }
    }
}

/// One thing that has to be there, and for whom.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Need {
    /// Whether it is there.
    pub met: Met,
    /// In words.
    pub what: String,
    /// What it is; what of it does not fit; or why that is not known. Nothing where it is plainly there or not.
    pub why: Vec<String>,
    /// The units that need it.
    pub units: BTreeSet<UnitId>,
}

/// The units whose preconditions matter: something of theirs that runs is about to be made.
pub fn units_to_check(plan: &Plan) -> BTreeSet<UnitId> {
    plan.changes
        .iter()
        .filter(|change| change.goes_ahead() && change.action == Action::Create && runs(&change.id))
        .map(|change| change.unit.clone())
        .collect()
}

fn runs(id: &ResourceId) -> bool {
    matches!(id.kind.as_str(), "HostedCluster" | "NodePool") || (id.kind == "Cluster" && id.group == "cluster.x-k8s.io")
}

/// Takes what was found: it is kept in the plan, and what is not there, does not fit or is not known to holds up the control
/// planes and pools that need it.
pub fn settle(plan: &mut Plan, found: impl IntoIterator<Item = (UnitId, Precondition, Finding)>) {
    let mut needs: BTreeMap<(Finding, String), BTreeSet<UnitId>> = BTreeMap::new();
    for (unit, precondition, finding) in found {
        let what = words(&precondition);
        if let Some(block) = block(&what, &finding) {
            let concerned = plan.changes.iter_mut().filter(|change| {
                change.goes_ahead() && change.writes() && change.unit == unit && concerns(&precondition, &change.id)
            });
            for change in concerned {
                change.blocks.push(block.clone());
            }
        }
        needs.entry((finding, what)).or_default().insert(unit);
    }
    plan.needs = needs
        .into_iter()
        .map(|((Finding { met, why }, what), units)| Need { met, what, why, units })
        .collect();
}

fn block(what: &str, finding: &Finding) -> Option<Block> {
    match finding.met {
        Met::No => Some(Block::Precondition {
            what: what.to_owned(),
            lacks: finding.why.clone(),
        }),
        Met::Unknown => Some(Block::Unknown {
            reason: sentence(what, &finding.why),
        }),
        Met::Unchecked | Met::Yes => None,
    }
}

fn concerns(precondition: &Precondition, id: &ResourceId) -> bool {
    match precondition {
        Precondition::Existing { pool: Some(pool), .. } => id.kind == "NodePool" && id.name == *pool,
        _ => runs(id),
    }
}

/// What is needed, with what of it does not fit.
pub fn sentence(what: &str, why: &[String]) -> String {
    if why.is_empty() {
        what.to_owned()
    } else {
        format!("{what}: {}", why.join("; "))
    }
}

fn words(precondition: &Precondition) -> String {
    match precondition {
        Precondition::Object { id } => format!("{id} on {}", id.target),
        Precondition::NodePortAddress { address, ports } if ports.is_empty() => {
            format!(
                "a load balancer at {address} that hands node ports 30000-32767 on to the management cluster's nodes"
            )
        }
        Precondition::NodePortAddress { address, ports } => {
            let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
            let ports = ports.join(", ");
            format!("a load balancer at {address} that hands node ports {ports} on to the management cluster's nodes")
        }
        Precondition::DnsRecord {
            hostname,
            service,
            strategy,
        } => {
            let to = if strategy == "Route" {
                "the router"
            } else {
                "the service's own load balancer"
            };
            format!("a DNS record {hostname} that leads to {to} ({service})")
        }
        Precondition::RouteApi => "the API route.openshift.io on the management cluster".to_owned(),
        Precondition::OciPlatform => {
            "HostedCluster and NodePool CRDs that admit platform OCI (schemas/patches/oci-platform)".to_owned()
        }
        Precondition::Peering { gateway, cidrs } => {
            format!(
                "security rules in the VCN of {} that admit what comes through {}",
                cidrs.join(", "),
                gateway.name
            )
        }
        Precondition::Existing {
            resource,
            region,
            role,
            machine,
            ..
        } => {
            let what = match resource {
                OciId::Known(ocid) => ocid.as_str(),
                OciId::Named(lookup) => &lookup.name,
            };
            let ranges = machine.join(", ");
            match role.as_str() {
                "vcn" if machine.is_empty() => format!("the VCN {what} in {region}"),
                "vcn" => format!("the VCN {what} in {region}, with {ranges} in it"),
                role if machine.is_empty() => format!("the subnet {what} in {region}, for {role}"),
                role => format!("the subnet {what} in {region}, for {role}, within {ranges}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::change::tests::{change, plan};
    use crate::resource::Ocid;

    #[test]
    fn what_is_not_there_holds_up_what_runs_on_it_and_nothing_else() {
        let changes = vec![
            change("a", "Namespace", "ns", Action::Create),
            change("a", "HostedCluster", "a", Action::Create),
            change("b", "HostedCluster", "b", Action::Create),
            change("c", "NodePool", "c-x", Action::Update),
        ];
        let units: Vec<UnitId> = changes.iter().map(|change| change.unit.clone()).collect();
        let mut plan = plan(changes);
        assert_eq!(
            units_to_check(&plan),
            BTreeSet::from([units[1].clone(), units[2].clone()])
        );
        settle(
            &mut plan,
            [
                (units[1].clone(), Precondition::RouteApi, Finding::plain(Met::No)),
                (
                    units[2].clone(),
                    Precondition::OciPlatform,
                    Finding::of(Met::Unchecked, "no rights"),
                ),
            ],
        );
        let going: Vec<&str> = plan
            .changes
            .iter()
            .filter(|change| change.goes_ahead())
            .map(|change| change.id.name.as_str())
            .collect();
        assert_eq!(going, ["ns", "b", "c-x"]);
        assert_eq!(plan.needs.len(), 2);
    }

    #[test]
    fn what_was_asked_for_and_not_told_is_not_known_and_a_pools_own_subnet_is_that_pools_matter() {
        let changes = vec![
            change("a", "HostedCluster", "a", Action::Create),
            change("a", "NodePool", "a-x", Action::Create),
            change("a", "NodePool", "a-y", Action::Create),
        ];
        let unit = changes[0].unit.clone();
        let mut plan = plan(changes);
        let existing = Precondition::Existing {
            resource: OciId::Known(Ocid::new("ocid1.subnet.oc1.iad.x")),
            region: "us-ashburn-1".to_owned(),
            role: "pool x".to_owned(),
            machine: Vec::new(),
            vcn: None,
            public: false,
            pool: Some("a-x".to_owned()),
        };
        settle(&mut plan, [(unit, existing, Finding::of(Met::Unknown, "404"))]);
        let blocked: Vec<_> = plan.changes.iter().filter(|change| !change.goes_ahead()).collect();
        assert_eq!(blocked.len(), 1);
        assert_eq!(blocked[0].id.name, "a-x");
        let Block::Unknown { reason } = &blocked[0].blocks[0] else {
            panic!("{:?}", blocked[0].blocks)
        };
        assert_eq!(
            reason,
            "the subnet ocid1.subnet.oc1.iad.x in us-ashburn-1, for pool x: 404"
        );
    }
}
