//! What can be said of rules of `ignore` only once a fleet is rendered, or planned.

use std::collections::BTreeSet;

use super::load::{LoadedFleet, Scope};
use super::plan::Against;
use crate::diag::{Code, Diagnostic, nearest};
use crate::fleet::ignore::known_kinds;
use crate::fleet::model::Fleet;
use crate::plan::Plan;
use crate::plan::admission::DefinitionSets;
use crate::render::Rendered;

/// Rules that name a kind of which nobody has heard: they may have been meant for anything, so that no rule can be followed.
pub(super) fn unknown_kinds(fleet: &mut Fleet, rendered: &Rendered, definitions: &DefinitionSets) -> Vec<Diagnostic> {
    let manifests = rendered.units.values().flat_map(|unit| &unit.manifests);
    let sets = definitions.only_on.values().chain([&definitions.everywhere]);
    let typed = || fleet.ignore.rules.iter().filter(|rule| rule.source.span().is_some());
    if typed().next().is_none() {
        return Vec::new();
    }
    let mut known: BTreeSet<&str> = known_kinds().collect();
    known.extend(manifests.map(|manifest| manifest.id.kind.as_str()));
    known.extend(sets.flat_map(|set| set.kinds()));
    let mut found = Vec::new();
    for rule in typed() {
        let (Some(kind), Some(span)) = (&rule.kind, rule.source.span()) else {
            continue;
        };
        if known.contains(kind.as_str()) {
            continue;
        }
        let mut problem = Diagnostic::new(Code::IgnoreRule, format!("there is no kind `{kind}` in the fleet")).at(span);
        let near = nearest(kind, known.iter().copied());
        problem.hints.extend(near.map(|near| format!("did you mean `{near}`?")));
        found.push(problem);
    }
    fleet.ignore.is_broken |= !found.is_empty();
    found
}

/// Rules that were about nothing in a whole fleet, all of which was looked at.
pub(super) fn idle(loaded: &LoadedFleet, plan: &Plan, scope: &Scope, against: &Against) -> Vec<Diagnostic> {
    let is_whole = scope.is_whole() && matches!(against, Against::Live(_)) && plan.suspended.is_empty();
    if !is_whole || loaded.has_errors() || plan.has_unknowns() || !plan.held.is_empty() {
        return Vec::new();
    }
    let idle = plan.idle_rules.iter().map(|span| {
        Diagnostic::new(
            Code::IgnoreIdle,
            "nothing in the whole fleet is what this rule is about",
        )
        .at(span)
        .hint("mend its kind, name, cluster, pointer or manager, or take it out")
    });
    idle.collect()
}
