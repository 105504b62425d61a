//! What a unit needs that no document of ours makes.
//!
//! Looked at only where a control plane or a node pool is about to be made: a fleet that stands needs no more requests
//! for it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::build::Plan;
use super::change::{Action, Block};
use crate::render::Precondition;
use crate::resource::{OciId, UnitId};

/// Whether it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Met {
    /// It is not.
    No,
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
    /// What of it does not fit, or why nobody looked; nothing where it is plainly there or not.
    pub why: Vec<String>,
}

impl Finding {
    /// One that needs no reasons.
    pub const fn plain(met: Met) -> Self {
        Self { met, why: Vec::new() }
    }

    /// It could not be looked at.
    pub fn unchecked(why: impl Into<String>) -> Self {
        let why = vec![why.into()];
        Self {
            met: Met::Unchecked,
            why,
        }
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
    /// What of it does not fit, or why nobody looked; nothing where it is plainly there or not.
    pub why: Vec<String>,
    /// The units that need it.
    pub units: BTreeSet<UnitId>,
}

/// The units whose preconditions matter: something of theirs that runs is about to be made.
pub fn units_to_check(plan: &Plan) -> BTreeSet<UnitId> {
    plan.changes
        .iter()
        .filter(|change| change.goes_ahead() && change.action == Action::Create && runs(&change.id.kind))
        .map(|change| change.unit.clone())
        .collect()
}

fn runs(kind: &str) -> bool {
    matches!(kind, "HostedCluster" | "NodePool")
}

/// Takes what was found: it is kept in the plan, and what is not there, or does not fit, holds up the control planes and
/// pools that need it.
pub fn settle(plan: &mut Plan, found: impl IntoIterator<Item = (UnitId, Precondition, Finding)>) {
    let mut needs: BTreeMap<(Finding, String), BTreeSet<UnitId>> = BTreeMap::new();
    for (unit, precondition, finding) in found {
        needs.entry((finding, words(&precondition))).or_default().insert(unit);
    }
    plan.needs = needs
        .into_iter()
        .map(|((Finding { met, why }, what), units)| Need { met, what, why, units })
        .collect();
    for need in plan.needs.iter().filter(|need| need.met == Met::No) {
        let concerned = plan.changes.iter_mut().filter(|change| {
            change.goes_ahead() && change.writes() && runs(&change.id.kind) && need.units.contains(&change.unit)
        });
        for change in concerned {
            change.blocks.push(Block::Precondition {
                what: need.what.clone(),
                lacks: need.why.clone(),
            });
        }
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
            within,
            ..
        } => {
            let what = match resource {
                OciId::Known(ocid) => ocid.as_str(),
                OciId::Named(lookup) => &lookup.name,
            };
            let range = if within.is_empty() {
                String::new()
            } else {
                format!(", within {}", within.join(", "))
            };
            match role.as_str() {
                "vcn" => format!("the VCN {what} in {region}"),
                role => format!("the subnet {what} in {region}, for {role}{range}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::change::tests::{change, plan};

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
                    Finding::unchecked("no rights"),
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
}
