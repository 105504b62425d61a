//! What a plan or a run says, in the words in which tests ask for it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use fleetwright::apply::{ChangeResult, Event, Observer};
use fleetwright::ops::Planned;
use fleetwright::plan::change::{Action, Block, Change};
use fleetwright::report::plan_text::PlanText;

/// The wave in which each object's change is made, by `kind/name`.
pub(super) fn waves(planned: &Planned) -> BTreeMap<String, usize> {
    let plan = &planned.plan;
    let waves = plan.graph.waves(&plan.changes).expect("no ring");
    let mut of = BTreeMap::new();
    for (number, wave) in waves.iter().enumerate() {
        for &index in wave {
            let id = &plan.changes[index].id;
            of.insert(format!("{}/{}", id.kind, id.name), number);
        }
    }
    of
}

/// Fails unless of each chain one is made after the other.
#[track_caller]
pub(super) fn are_in_order(waves: &BTreeMap<String, usize>, chains: &[&[&str]]) {
    for pair in chains.iter().flat_map(|chain| chain.windows(2)) {
        let of = |name: &str| {
            *waves
                .get(name)
                .unwrap_or_else(|| panic!("{name} is not among {waves:#?}"))
        };
        assert!(of(pair[0]) < of(pair[1]), "{pair:?}: {waves:#?}");
    }
}

/// Whether nothing is left to do or to find out.
pub(super) fn is_settled(planned: &Planned) -> bool {
    let plan = &planned.plan;
    !plan.has_changes() && !plan.has_unknowns() && !plan.is_refused() && plan.settled.is_empty()
}

/// The plan as people read it.
pub(super) fn text(planned: &Planned) -> String {
    PlanText::default().render(&planned.plan)
}

/// The change of an object.
#[track_caller]
pub(super) fn change<'a>(planned: &'a Planned, kind: &str, name: &str) -> &'a Change {
    let mut changes = planned.plan.changes.iter();
    match changes.find(|change| change.id.kind == kind && change.id.name == name) {
        Some(change) => change,
        None => panic!("no change of {kind}/{name}:\n{}", text(planned)),
    }
}

/// What goes ahead: `action kind/name`, with the fields that change.
pub(super) fn goes_ahead(planned: &Planned) -> BTreeMap<String, Vec<String>> {
    let changes = planned.plan.changes.iter().filter(|change| change.goes_ahead());
    changes
        .map(|change| {
            let name = format!("{:?} {}/{}", change.action, change.id.kind, change.id.name);
            (name, change.fields.iter().map(|diff| diff.field.clone()).collect())
        })
        .collect()
}

/// Why changes are not known, by `kind/name`.
pub(super) fn unknown(planned: &Planned) -> BTreeMap<String, String> {
    let mut unknown = BTreeMap::new();
    for change in &planned.plan.changes {
        for block in &change.blocks {
            if let Block::Unknown { reason } = block {
                unknown.insert(format!("{}/{}", change.id.kind, change.id.name), reason.clone());
            }
        }
    }
    unknown
}

/// What a run told: `kind/name`, the action and how it ended, in order.
#[derive(Default)]
pub(super) struct Told(Mutex<Vec<(String, Action, ChangeResult)>>);

impl Told {
    pub(super) fn ended(&self) -> Vec<(String, Action, ChangeResult)> {
        self.0.lock().expect("no panic in between").clone()
    }

    /// When an object's change ended, as an index.
    #[track_caller]
    pub(super) fn when(&self, name: &str) -> usize {
        let ended = self.ended();
        match ended.iter().position(|(of, _, _)| of == name) {
            Some(index) => index,
            None => panic!("{name} is not among {ended:#?}"),
        }
    }

    /// What failed, and why; what was skipped for it is not among them.
    pub(super) fn failures(&self) -> BTreeMap<String, String> {
        let ended = self.ended().into_iter();
        ended
            .filter_map(|(name, _, result)| match result {
                ChangeResult::Failed { message } => Some((name, message)),
                _ => None,
            })
            .collect()
    }
}

impl Observer for Told {
    fn event(&self, event: &Event) {
        if let Event::Changed { id, action, result, .. } = event {
            let name = format!("{}/{}", id.kind, id.name);
            let mut ended = self.0.lock().expect("no panic in between");
            ended.push((name, *action, result.clone()));
        }
    }
}

/// Applies an example by the program itself, which names something that it makes, and has nothing to do then.
pub(super) fn program_applies(example: &str, made: &str) {
    let place = crate::cli::Workplace::copy_of(&crate::fleet_support::repository(&format!("examples/{example}")));
    let run = |args: &[&str]| {
        place
            .run(&[args, &["--sandbox", "state", "--fleet", "fleet"]].concat())
            .exits(0)
    };
    let applied = run(&["apply", "--yes"]).stdout;
    assert!(applied.contains(made), "{applied}");
    let planned = run(&["plan", "--detailed-exitcode"]).stdout;
    assert!(planned.contains("Nothing to do"), "{planned}");
}
