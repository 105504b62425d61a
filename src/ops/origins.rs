//! Where what a plan changes was typed, and by which commit.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::load::LoadedFleet;
use super::plan::Planned;
use super::taken_out::{self, Gone};
use super::tracer::{Lines, Tracer};
use crate::diag::Span;
use crate::plan::Plan;
use crate::plan::change::{Change, Reason};
use crate::plan::origins::{Origins, SetBy, TakenOut, Typed};
use crate::report::units::worst_first;
use crate::resource::{ResourceId, Revision, UnitId};
use crate::source::{LineSetBy, SourceError, blame};

/// Units that are looked into: a reader goes through no more, and each takes a while.
const UNITS: usize = 200;
/// Files of which it is asked who set their lines: each is a walk through the history.
const FILES: usize = 48;

/// Looks for what the files changed, of the units that a report shows first. `since` is what the plan was compared with; none: what was
/// last applied, unit by unit.
///
/// # Errors
/// Where the repository can't be read; the places are known all the same.
pub fn trace(loaded: &LoadedFleet, planned: &mut Planned, since: Option<&Revision>) -> Result<(), SourceError> {
    let mut tracer = Tracer::new(loaded);
    let mut origins = Origins {
        fleet: tracer.fleet(),
        ..Origins::default()
    };
    let mut places = Places::default();
    let mut gone = Vec::new();
    let applied = last_applied(planned);
    for change in looked_into(&planned.plan) {
        let (unit, id) = (&change.unit, &change.id);
        let since = since.or_else(|| applied.get(unit).copied()).cloned();
        if change.reason == Reason::Removed {
            // Of what no line names any more, that which lets go of it is what there is to see.
            if let Some(leave) = loaded.fleet.decommission.get(unit) {
                places.add(since.as_ref(), Of::Unit(unit), vec![leave.span.clone()]);
            } else if let Some(since) = since {
                gone.push(Gone { unit, id, since });
            }
            continue;
        }
        if change.reason == Reason::New {
            places.add(
                since.as_ref(),
                Of::Unit(unit),
                tracer.unit(unit).into_iter().collect::<Vec<_>>(),
            );
            // What is new of a unit that was there before.
            if since.is_some() {
                places.add(since.as_ref(), Of::Object(id), tracer.part(unit, id));
            }
            continue;
        }
        for field in change.all_fields() {
            let path = field.field.trim_start_matches('.');
            let found = tracer.field(unit, id, path);
            places.add(since.as_ref(), Of::Field(id, &field.field), found);
        }
    }
    for change in planned.plan.changes.iter().filter(|change| !change.blocks.is_empty()) {
        if !origins.stopped.contains_key(&change.unit)
            && let Some(span) = tracer.unit(&change.unit)
        {
            origins.stopped.insert(change.unit.clone(), span);
        }
    }
    let told = places.tell(loaded, &mut origins);
    let taken_out = taken_out::look(loaded, gone).map(|found| {
        let taken_out = found.into_iter();
        let taken_out = taken_out.map(|(id, (by, was))| (id, TakenOut { by: set_by(&by), was }));
        origins.taken_out = taken_out.collect();
    });
    planned.plan.origins = origins;
    told.and(taken_out)
}

/// What is traced.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Of<'p> {
    Unit(&'p UnitId),
    Object(&'p ResourceId),
    Field(&'p ResourceId, &'p str),
}

/// Where things may have been typed, by the revision since which somebody has; none: whenever that was.
#[derive(Default)]
struct Places<'p>(BTreeMap<Option<Revision>, BTreeMap<Of<'p>, Lines>>);

impl<'p> Places<'p> {
    fn add(&mut self, since: Option<&Revision>, of: Of<'p>, lines: impl Into<Lines>) {
        self.0.entry(since.cloned()).or_default().insert(of, lines.into());
    }

    /// Says of each where it was typed, and what set that line since.
    fn tell(self, loaded: &LoadedFleet, origins: &mut Origins) -> Result<(), SourceError> {
        let (mut result, mut files) = (Ok(()), FILES);
        let texts: BTreeMap<&str, &str> = loaded.files.iter().map(|file| (&*file.path, &*file.text)).collect();
        let lines_of = |span: &Span| lines(texts.get(&*span.file).copied(), span);
        for (since, places) in self.0 {
            let mut lines: BTreeMap<Arc<str>, BTreeSet<u32>> = BTreeMap::new();
            for span in places.values().flat_map(Lines::all) {
                let of_file = lines.entry(span.file.clone()).or_default();
                of_file.extend(lines_of(span));
            }
            while lines.len() > files {
                lines.pop_last();
            }
            files -= lines.len();
            let set = blame(loaded.tree(), &lines, since.as_ref()).unwrap_or_else(|error| {
                result = Err(error);
                BTreeMap::new()
            });
            for (of, places) in places {
                // Of several lines that something follows from, it is the one that was set since.
                let all = places
                    .all()
                    .flat_map(|span| lines_of(span).map(move |line| (span, line)));
                let newest = all
                    .filter_map(|(span, line)| Some((span, line, set.get(&(span.file.clone(), line))?)))
                    .map(|(span, line, by)| Typed {
                        span: Span { line, ..span.clone() },
                        commit: Some(set_by(by)),
                    })
                    .next();
                let first = || {
                    places.said.first().map(|span| Typed {
                        span: span.clone(),
                        commit: None,
                    })
                };
                let Some(typed) = newest.or_else(first) else { continue };
                match of {
                    Of::Unit(unit) => drop(origins.units.insert(unit.clone(), typed)),
                    Of::Object(id) => drop(origins.objects.insert(id.clone(), typed)),
                    Of::Field(id, field) => {
                        let of_object = origins.fields.entry(id.clone()).or_default();
                        of_object.insert(field.to_owned(), typed);
                    }
                }
            }
        }
        result
    }
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

/// The lines of a stretch of a text.
fn lines(text: Option<&str>, span: &Span) -> RangeInclusive<u32> {
    let range = usize::try_from(span.start).ok().zip(usize::try_from(span.end).ok());
    let stretch = range.and_then(|(start, end)| text?.get(start..end)).unwrap_or_default();
    let more = stretch.trim_end().matches('\n').count();
    span.line..=span.line.saturating_add(u32::try_from(more).unwrap_or(0))
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

/// The revision that units were last applied from.
fn last_applied(planned: &Planned) -> BTreeMap<&UnitId, &Revision> {
    let mut oldest: BTreeMap<&UnitId, (i64, &Revision)> = BTreeMap::new();
    for ((_, unit), stored) in &planned.inventories {
        let this = (stored.inventory.revision_time, &stored.inventory.revision);
        let known = oldest.entry(unit).or_insert(this);
        *known = this.min(*known);
    }
    oldest
        .into_iter()
        .map(|(unit, (_, revision))| (unit, revision))
        .collect()
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
