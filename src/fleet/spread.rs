//! A pool over several failure domains: one group of machines in each.
//!
//! Invariant: which group is where never depends on the others: a group is named after its domain. Shares differ by one at
//! most, and what is over goes to the domains that are named first: so one machine more or less is one in one domain, and a
//! domain that is added takes from the others and gives none of them anything.

use std::collections::BTreeSet;

use super::model::{GroupKind, MachineGroup, Scale};
use super::node::{Node, Place};
use super::problems::Problems;
use super::spec::PoolSpec;
use crate::diag::{Code, Diagnostic};
use crate::resource::NodePoolName;

/// The groups of a pool: itself, where it is not spread.
pub(super) fn groups(
    pool: MachineGroup,
    (spec, node, place): (&PoolSpec, &Node, Place),
    problems: &mut Problems<'_>,
) -> Vec<MachineGroup> {
    // Where OCI puts the machines of its own pools is not said by failure domains.
    let typed = spec.failure_domains.as_ref();
    let Some(domains) = typed.filter(|_| pool.kind == GroupKind::MachineDeployment) else {
        return vec![pool];
    };
    let place = node.get("failureDomains").map_or(place, |node| node.place);
    let mut told = |message: String, hint: &str| {
        problems.add(Diagnostic::new(Code::NotAllowed, message).hint(hint), place);
    };
    let count = u32::try_from(domains.len()).unwrap_or(u32::MAX);
    let mut seen = BTreeSet::new();
    if let Some(twice) = domains.iter().find(|domain| !seen.insert(*domain)) {
        let message = format!("node pool `{}` names failure domain {twice} twice", pool.name);
        told(message, "name each once");
        return Vec::new();
    }
    if let Scale::Autoscale { max, .. } = pool.scale
        && max < count
    {
        let message = format!(
            "node pool `{}` is to have {max} nodes at most, over {count} failure domains",
            pool.name
        );
        told(message, "let it grow to one in each, or name fewer domains");
        return Vec::new();
    }
    (0..count)
        .zip(domains)
        .map(|(position, domain)| MachineGroup {
            name: NodePoolName::new(format!("{}-{domain}", pool.name)),
            object_name: format!("{}-{domain}", pool.object_name),
            failure_domain: Some(domain.to_string()),
            scale: match pool.scale {
                Scale::Replicas(all) => Scale::Replicas(share(all, count, position)),
                Scale::Autoscale { min, max } => Scale::Autoscale {
                    min: share(min, count, position),
                    max: share(max, count, position),
                },
            },
            ..pool.clone()
        })
        .collect()
}

/// What the domain at a position gets of all machines.
fn share(all: u32, domains: u32, position: u32) -> u32 {
    all.saturating_sub(position).div_ceil(domains.max(1))
}

#[cfg(test)]
mod tests {
    use super::share;

    fn shares(all: u32, domains: u32) -> Vec<u32> {
        (0..domains).map(|position| share(all, domains, position)).collect()
    }

    #[test]
    fn all_machines_are_divided_evenly() {
        assert_eq!(shares(7, 3), [3, 2, 2]);
        assert_eq!(shares(1, 3), [1, 0, 0]);
        for all in 0..100 {
            for domains in 1..8 {
                let shares = shares(all, domains);
                assert_eq!(shares.iter().sum::<u32>(), all);
                let (least, most) = (shares.iter().min().unwrap(), shares.iter().max().unwrap());
                assert!(most - least <= 1, "{shares:?}");
            }
        }
    }

    #[test]
    fn another_count_moves_just_the_difference() {
        for domains in 1..8 {
            for (before, after) in (0..40).flat_map(|before| (0..40).map(move |after| (before, after))) {
                let pairs = shares(before, domains).into_iter().zip(shares(after, domains));
                let moved: u32 = pairs.map(|(one, other)| one.abs_diff(other)).sum();
                assert_eq!(moved, before.abs_diff(after), "{before} to {after} in {domains}");
            }
        }
    }

    /// A domain that is added gets what any even division gives it at the least, all of it from the others; and wherever it is
    /// put, the others get nothing.
    #[test]
    fn an_added_domain_takes_no_more_than_it_must() {
        for all in 0..100 {
            for domains in 1..8 {
                let (before, after) = (shares(all, domains), shares(all, domains + 1));
                assert_eq!(after.last(), Some(&(all / (domains + 1))));
                for put in 0..=before.len() {
                    let mut others = after.clone();
                    others.remove(put);
                    assert!(
                        others.iter().zip(&before).all(|(after, before)| after <= before),
                        "{all} {put}"
                    );
                }
            }
        }
    }
}
