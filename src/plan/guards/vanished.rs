//! A network that has vanished as a whole is not made again unasked: rather is the place wrong than the network gone.
//!
//! OCI deletes no VCN while anything is in it. Where one that was made is gone, somebody took twenty things away, one after the
//! other; or we look where it never was: another tenancy's credentials, an address that answers with lists of its own. Made
//! again, it would be a twin in the second case, and in the first one nothing would be what it was: other OCIDs, other
//! addresses, no nodes. Neither is for a program to decide at night, so what has vanished of such a unit is refused until the
//! files say that it is meant.
//!
//! A subnet, a gateway, a rule: what is gone while its VCN is there was deleted by hand, for the VCN shows that the place is the
//! right one. That is drift, and mended as such. What has no VCN of ours (gateways in a management cluster's, load balancers
//! and names on networks of others) has anything recorded beside it, in its tenancy and region, to show that; where nothing is
//! left there, a few objects may have been deleted, and more are asked about.

use std::collections::{BTreeMap, BTreeSet};

use super::{Facts, Guard, Refusal, count};
use crate::plan::change::{Action, Change, Reason};
use crate::resource::{ResourceId, Target, UnitId};

/// Refuses to make again what has vanished with its VCN, or with all that is recorded in its tenancy and region.
pub(super) struct Vanished;

/// An OCI tenancy (none: that of the default credentials) and region.
pub type Place = (Option<String>, String);

/// So many objects somebody may well have deleted, though nothing is left beside them.
const FEW: usize = 3;

fn has_vanished(change: &Change) -> bool {
    let again = (change.action, change.reason) == (Action::Create, Reason::Vanished);
    again && change.id.target == Target::Oci && change.goes_ahead()
}

fn place(change: &Change) -> Option<Place> {
    let entry = change.oci.as_ref()?;
    Some((entry.tenancy.clone(), entry.region.clone()))
}

/// What the waiver of a unit names it by.
fn key(unit: &UnitId) -> &'static str {
    match unit {
        UnitId::ManagementCluster(_) => "managementCluster",
        UnitId::Network(_) => "network",
        UnitId::Cluster(_) => "cluster",
    }
}

impl Guard for Vanished {
    fn name(&self) -> &'static str {
        "vanished"
    }

    fn check(&self, changes: &[Change], facts: &Facts<'_>) -> Vec<Refusal> {
        let mut of_unit: BTreeMap<&UnitId, Vec<&Change>> = BTreeMap::new();
        let mut of_place: BTreeMap<Place, usize> = BTreeMap::new();
        for change in changes.iter().filter(|change| has_vanished(change)) {
            of_unit.entry(&change.unit).or_default().push(change);
            if let Some(place) = place(change) {
                *of_place.entry(place).or_default() += 1;
            }
        }
        // A record of before the files named their tenancy has none.
        let is_empty = |place: &Place| {
            let untold = (None, place.1.clone());
            !facts.sighted.contains(place) && !facts.sighted.contains(&untold)
        };
        let empty: BTreeSet<Place> = of_place
            .into_iter()
            .filter(|(place, vanished)| *vanished > FEW && is_empty(place))
            .map(|(place, _)| place)
            .collect();
        let meant = |unit: &UnitId| facts.remake.get(unit).is_some_and(|until| *until > facts.now);
        let refuse = |(unit, vanished): (&UnitId, Vec<&Change>)| {
            let with_its_vcn = vanished.iter().any(|change| change.id.kind == "Vcn");
            let covered = vanished
                .iter()
                .filter(|change| with_its_vcn || place(change).is_some_and(|place| empty.contains(&place)));
            let objects: Vec<ResourceId> = covered.map(|change| change.id.clone()).collect();
            let regions: BTreeSet<String> = vanished.iter().filter_map(|change| Some(place(change)?.1)).collect();
            let regions: Vec<String> = regions.into_iter().collect();
            let message = format!(
                "{unit}: {} that {} recorded as made {} not to be seen in {}{}",
                count(objects.len(), "OCI resource"),
                if objects.len() == 1 { "is" } else { "are" },
                if objects.len() == 1 { "is" } else { "are" },
                regions.join(", "),
                if with_its_vcn {
                    ", its VCN among them"
                } else {
                    ", nor is anything else that was looked for there"
                },
            );
            (!objects.is_empty()).then(|| Refusal {
                guard: self.name(),
                message,
                lift: format!(
                    "make sure that this is the right place: the credentials' tenancy, the compartment, the address \
                     (--oci-endpoint). If it was deleted there and is to be made again, new from the ground, say so in \
                     the Fleet document: waivers: [{{rule: vanished, {}: {}, reason: …, until: <day>}}]",
                    key(unit),
                    unit.name()
                ),
                objects,
            })
        };
        of_unit
            .into_iter()
            .filter(|(unit, _)| !meant(unit))
            .filter_map(refuse)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::super::tests::World;
    use super::*;
    use crate::inventory::OciEntry;
    use crate::plan::change::tests::change;

    fn gone(unit: &str, kind: &str, name: &str) -> Change {
        let mut change = change(unit, kind, name, Action::Create);
        change.reason = Reason::Vanished;
        change.id.target = Target::Oci;
        change.oci = Some(OciEntry {
            region: "eu-frankfurt-1".to_owned(),
            tenancy: Some("t".to_owned()),
            ..OciEntry::default()
        });
        change
    }

    fn refused(world: &World, changes: &[Change]) -> Vec<Vec<String>> {
        let names = |refusal: Refusal| refusal.objects.into_iter().map(|id| id.name).collect();
        world.check(&Vanished, changes).into_iter().map(names).collect()
    }

    fn here() -> Place {
        (Some("t".to_owned()), "eu-frankfurt-1".to_owned())
    }

    #[test]
    fn a_vcn_is_asked_about_with_all_that_has_vanished_with_it_and_the_rest_is_mended() {
        let mut world = World::new();
        world.sighted.insert(here());
        let changes = [
            gone("a", "Vcn", "a"),
            gone("a", "Subnet", "a-workers"),
            gone("b", "Subnet", "b-workers"),
            gone("b", "NatGateway", "b"),
        ];
        assert_eq!(refused(&world, &changes), [["a", "a-workers"]]);
        assert_eq!(refused(&world, &changes[1..]), Vec::<Vec<String>>::new());
        let mut new = changes[0].clone();
        new.reason = Reason::New;
        assert_eq!(refused(&world, &[new]), Vec::<Vec<String>>::new());
        let mut dropped = changes[0].clone();
        (dropped.action, dropped.reason) = (Action::Forget, Reason::Gone);
        assert_eq!(refused(&world, &[dropped]), Vec::<Vec<String>>::new());
    }

    #[test]
    fn where_nothing_is_left_beside_them_more_than_a_few_are_asked_about() {
        let mut world = World::new();
        let changes = [
            gone("a", "NetworkLoadBalancer", "a"),
            gone("a", "DnsRecords", "a"),
            gone("b", "NetworkLoadBalancer", "b"),
            gone("b", "DnsRecords", "b"),
        ];
        assert_eq!(refused(&world, &changes), [["a", "a"], ["b", "b"]]);
        assert_eq!(refused(&world, &changes[1..]), Vec::<Vec<String>>::new());
        world.sighted.insert((Some("t".to_owned()), "us-ashburn-1".to_owned()));
        assert_eq!(
            refused(&world, &changes).len(),
            2,
            "another region shows nothing of this one"
        );
        world.sighted.insert((None, "eu-frankfurt-1".to_owned()));
        assert_eq!(refused(&world, &changes), Vec::<Vec<String>>::new());
    }

    #[test]
    fn it_is_made_again_where_the_files_say_so_until_their_day() {
        let mut world = World::new();
        let changes = [gone("a", "Vcn", "a"), gone("b", "Vcn", "b")];
        let until = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24);
        world.remake.insert(changes[0].unit.clone(), until);
        assert_eq!(refused(&world, &changes), [["b"]]);
        let lift = world.check(&Vanished, &changes).remove(0).lift;
        assert!(lift.contains("{rule: vanished, cluster: b,"), "{lift}");
        world.now = until;
        assert_eq!(refused(&world, &changes), [["a"], ["b"]]);
    }
}
