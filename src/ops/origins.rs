//! Where what a plan changes was typed, and by which commit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::load::LoadedFleet;
use super::plan::Planned;
use super::taken_out::{self, Gone};
use super::tracer::Tracer;
use crate::diag::Span;
use crate::plan::Plan;
use crate::plan::change::{Change, Reason};
use crate::plan::origins::{Origins, SetBy, TakenOut, Typed};
use crate::report::units::worst_first;
use crate::resource::{ResourceId, Revision, UnitId};
use crate::source::{LineSetBy, SourceError, blame};

/// Units that are looked into: a reader goes through no more, and each takes a while.
const UNITS: usize = 200;

/// Looks for what the files changed, of the units that a report shows first. `since` is what the plan was compared with; none: what was last
/// applied.
///
/// # Errors
/// Where the repository can't be read; the places are known all the same.
pub fn trace(loaded: &LoadedFleet, planned: &mut Planned, since: Option<&Revision>) -> Result<(), SourceError> {
    let (mut origins, mut tracer) = (Origins::default(), Tracer::new(loaded));
    let mut places: BTreeMap<(&ResourceId, &str), Vec<Span>> = BTreeMap::new();
    let mut units: BTreeSet<&UnitId> = BTreeSet::new();
    let mut gone = Vec::new();
    for change in looked_into(&planned.plan) {
        units.insert(&change.unit);
        if change.reason == Reason::New {
            if !origins.units.contains_key(&change.unit)
                && let Some(span) = tracer.unit(&change.unit)
            {
                origins.units.insert(change.unit.clone(), Typed { span, commit: None });
            }
            continue;
        }
        if change.reason == Reason::Removed {
            // Of what no line names any more, that which lets go of it is what there is to see.
            if let Some(leave) = loaded.fleet.decommission.get(&change.unit) {
                let span = leave.span.clone();
                origins.units.insert(change.unit.clone(), Typed { span, commit: None });
            } else if let Some(since) = since.cloned().or_else(|| last_applied(planned, &[&change.unit].into())) {
                let (unit, id) = (&change.unit, &change.id);
                gone.push(Gone { unit, id, since });
            }
            continue;
        }
        for field in &change.fields {
            let path = field.field.trim_start_matches('.');
            let found = tracer.field(&change.unit, &change.id, path);
            if !found.is_empty() {
                places.insert((&change.id, &field.field), found);
            }
        }
    }
    origins.fleet = tracer.fleet();
    for change in planned.plan.changes.iter().filter(|change| !change.blocks.is_empty()) {
        if !origins.stopped.contains_key(&change.unit)
            && let Some(span) = tracer.unit(&change.unit)
        {
            origins.stopped.insert(change.unit.clone(), span);
        }
    }
    let mut lines: BTreeMap<Arc<str>, BTreeSet<u32>> = BTreeMap::new();
    let of_units = origins.units.values().map(|typed| &typed.span);
    for span in places.values().flatten().chain(of_units) {
        lines.entry(span.file.clone()).or_default().insert(span.line);
    }
    let applied = || last_applied(planned, &units);
    let since = since.cloned().or_else(applied);
    let set = blame(loaded.tree(), &lines, since.as_ref());
    let by = |span: &Span| {
        let by = set.as_ref().ok()?.get(&(span.file.clone(), span.line))?;
        Some(set_by(by))
    };
    for typed in origins.units.values_mut() {
        typed.commit = by(&typed.span);
    }
    for ((id, field), places) in places {
        // Of several lines that a field follows from, it is the one that was set since.
        let set = places.iter().find_map(|span| Some((span, Some(by(span)?))));
        if let Some((span, commit)) = set.or_else(|| Some((places.first()?, None))) {
            let span = span.clone();
            let of_object = origins.fields.entry(id.clone()).or_default();
            of_object.insert(field.to_owned(), Typed { span, commit });
        }
    }
    let taken_out = taken_out::look(loaded, gone).map(|found| {
        let taken_out = found.into_iter();
        origins.taken_out = taken_out
            .map(|(id, (by, was))| (id, TakenOut { by: set_by(&by), was }))
            .collect();
    });
    planned.plan.origins = origins;
    set.map(drop).and(taken_out)
}

fn set_by(by: &LineSetBy) -> SetBy {
    match by {
        LineSetBy::Commit { id, subject } => SetBy::Commit {
            id: id.clone(),
            subject: subject.clone(),
        },
        LineSetBy::Worktree => SetBy::Worktree,
    }
}

/// What the files changed, of the worst units: they are shown first, and read.
fn looked_into(plan: &Plan) -> impl Iterator<Item = &Change> {
    let units = worst_first(plan).into_iter();
    let of_files = units.filter(|changes| changes.iter().any(is_of_the_files));
    of_files.take(UNITS).flatten().filter(|change| is_of_the_files(change))
}

fn is_of_the_files(change: &Change) -> bool {
    matches!(change.reason, Reason::Changed | Reason::New | Reason::Removed)
}

/// The oldest revision that any of these units was last applied from; none where one was never.
fn last_applied(planned: &Planned, units: &BTreeSet<&UnitId>) -> Option<Revision> {
    let recorded = |unit: &&UnitId| {
        let of_unit = planned.inventories.iter().filter(|((_, known), _)| known == *unit);
        of_unit
            .map(|(_, stored)| (stored.inventory.revision_time, stored.inventory.revision.clone()))
            .min()
    };
    let all: Option<Vec<_>> = units.iter().map(recorded).collect();
    all?.into_iter().min().map(|(_, revision)| revision)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::change::Action;
    use crate::plan::change::tests::{change, plan};

    #[test]
    fn the_worst_units_are_looked_into_whatever_their_names_are() {
        let mut changes: Vec<Change> = (0..UNITS)
            .map(|i| change(&format!("c{i:03}"), "NodePool", "x", Action::Update))
            .collect();
        changes.push(change("z", "HostedCluster", "z", Action::Delete));
        changes.push(change("z", "NodePool", "z-x", Action::Update));
        let plan = plan(changes);
        let units: BTreeSet<&str> = looked_into(&plan).map(|change| change.unit.name()).collect();
        assert_eq!(units.len(), UNITS);
        assert!(units.contains("z") && !units.contains("c199"), "{units:?}");
    }
}
