//! Until the time that was agreed on, nothing of a cluster goes, whoever lists it where.

use std::collections::BTreeSet;

use super::protected::is_protected;
use super::{Facts, Guard, Refusal, ahead_by};
use crate::plan::change::{Action, Change};
use crate::resource::UnitId;

/// Refuses every change of a unit within its `protectUntil` that left the files, or that would lose an object of a protected
/// kind. `decommission` does not lift it.
pub(super) struct ProtectUntil;

/// Its name.
pub const PROTECT_UNTIL: &str = "protect-until";

impl Guard for ProtectUntil {
    fn name(&self) -> &'static str {
        PROTECT_UNTIL
    }

    fn check(&self, changes: &[Change], facts: &Facts<'_>) -> Vec<Refusal> {
        let is_within = |unit: &UnitId| facts.protect_until.get(unit).is_some_and(|until| *until > facts.now);
        let units: BTreeSet<&UnitId> = changes
            .iter()
            .filter(|change| change.action == Action::Delete && change.goes_ahead() && is_within(&change.unit))
            .filter(|change| !facts.units.contains(&change.unit) || is_protected(change))
            .map(|change| &change.unit)
            .collect();
        let held = |change: &Change| {
            let until = facts.protect_until.get_key_value(&change.unit);
            until.filter(|(unit, _)| units.contains(unit))
        };
        ahead_by(changes, held)
            .into_iter()
            .map(|(unit, (until, objects))| Refusal {
                guard: self.name(),
                message: format!("{unit} is protected until {until}, and something of it would be deleted"),
                lift:
                    "wait until then; or put it back with an earlier `protectUntil`, apply that, and take it away in a \
                       commit after it, listed under `decommission`"
                        .to_owned(),
                objects,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::super::tests::{World, decommission};
    use super::*;
    use crate::plan::change::tests::change;

    #[test]
    fn no_commit_takes_a_cluster_away_before_its_time() {
        let changes = [
            change("gone", "HostedCluster", "gone", Action::Delete),
            change("gone", "NodePool", "gone-x", Action::Delete),
            change("stays", "NodePool", "stays-x", Action::Delete),
        ];
        let mut world = World::new();
        let until = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1);
        world.units.insert(changes[2].unit.clone());
        for change in &changes {
            world.decommission.insert(change.unit.clone(), decommission());
            world.protect_until.insert(change.unit.clone(), until);
        }
        let refusals = world.check(&ProtectUntil, &changes);
        assert_eq!(refusals.len(), 1, "a pool of a cluster that stays may go: {refusals:?}");
        assert_eq!(refusals[0].objects, [changes[0].id.clone(), changes[1].id.clone()]);
        world.now = until;
        assert!(world.check(&ProtectUntil, &changes).is_empty());
    }
}
