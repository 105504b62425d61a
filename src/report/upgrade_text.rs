//! The way of a cluster to another release, in words.

use std::collections::BTreeMap;

use crate::plan::Plan;
use crate::plan::change::{Block, Change};
use crate::plan::upgrade::{Course, IMAGE};
use crate::resource::UnitId;

/// Why the control plane's next step is not taken although nothing of the way says so: the change that would take it does not
/// go ahead. None where it does.
pub fn stop(plan: &Plan, unit: &UnitId) -> Option<&'static str> {
    let is_step = |change: &&Change| {
        change.unit == *unit
            && change.id.kind == "HostedCluster"
            && change.all_fields().any(|diff| diff.field == IMAGE)
            && !change.goes_ahead()
            && !change.follows()
    };
    let change = plan.changes.iter().find(is_step)?;
    let is_refused = change.blocks.iter().any(|block| matches!(block, Block::Guard { .. }));
    Some(if is_refused { "is refused" } else { "does not go ahead" })
}

/// One line; none where one step is all of it, and where there is no way. What [`stop`] says comes with it.
pub fn line(course: &Course, stop: Option<&str>) -> Option<String> {
    if !course.goes_on() || course.gap.is_some() {
        return None;
    }
    let mut way = vec![course.from.to_string()];
    if let Some(under_way) = course.under_way.as_ref().filter(|version| **version != course.from) {
        way.push(format!("{under_way} (under way)"));
    }
    way.extend(course.steps.iter().map(ToString::to_string));
    let mut parts = Vec::new();
    if way.len() > 1 {
        parts.push(format!("control plane {}", way.join(" → ")));
    }
    let mut pools: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for pool in &course.pools {
        let from = pool.from.as_ref().map_or_else(|| "?".to_owned(), ToString::to_string);
        pools
            .entry(format!("{from} → {}", pool.to))
            .or_default()
            .push(&pool.name);
    }
    for (way, names) in pools {
        let plural = if names.len() == 1 { "" } else { "s" };
        parts.push(format!("pool{plural} {} {way}", names.join(", ")));
    }
    let mut text = parts.join(", then ");
    match (&course.waits, course.steps.first(), stop) {
        (Some(waits), ..) => text.push_str(&format!("; waits for {waits}")),
        (None, Some(next), Some(stop)) => {
            text.push_str(&format!("; the step to {next} {stop}, and the rest waits for it"));
        }
        (None, Some(next), None) => text.push_str(&format!("; now to {next}, the rest when that is complete")),
        (None, None, _) => {}
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use semver::Version;

    use super::*;
    use crate::plan::change::tests::{change, plan};
    use crate::plan::change::{Action, FieldDiff};
    use crate::plan::upgrade::PoolCourse;

    #[test]
    fn a_step_that_a_guard_refuses_is_not_taken_now() {
        let mut step = change("a", "HostedCluster", "a", Action::Update);
        step.fields = vec![FieldDiff {
            field: IMAGE.to_owned(),
            before: None,
            after: None,
            owner: None,
            replaces: false,
        }];
        let said = |step: &Change| stop(&plan(vec![step.clone()]), &step.unit);
        assert_eq!(said(&step), None);
        step.blocks.push(Block::Guard {
            guard: "supported-release",
        });
        assert_eq!(said(&step), Some("is refused"));
        step.blocks = vec![Block::NotManaged];
        assert_eq!(said(&step), Some("does not go ahead"));
        step.blocks = vec![Block::Upgrade { after: String::new() }];
        assert_eq!(said(&step), None, "it waits for its turn, and the way says for what");
    }

    #[test]
    fn says_the_steps_in_order_and_what_they_wait_for() {
        let pool = |name: &str| PoolCourse {
            name: name.to_owned(),
            from: Some(Version::new(4, 18, 20)),
            to: Version::new(4, 20, 3),
        };
        let mut course = Course {
            from: Version::new(4, 18, 20),
            steps: vec![Version::new(4, 19, 14), Version::new(4, 20, 3)],
            pools: vec![pool("a"), pool("b")],
            ..Course::default()
        };
        assert_eq!(
            line(&course, None).unwrap(),
            "control plane 4.18.20 → 4.19.14 → 4.20.3, then pools a, b 4.18.20 → 4.20.3; now to 4.19.14, the rest when that \
             is complete"
        );
        assert_eq!(
            line(&course, Some("is refused")).unwrap(),
            "control plane 4.18.20 → 4.19.14 → 4.20.3, then pools a, b 4.18.20 → 4.20.3; the step to 4.19.14 is refused, and \
             the rest waits for it"
        );
        course.under_way = Some(course.steps.remove(0));
        course.waits = Some("the control plane to complete 4.19.14 (25% complete)".to_owned());
        assert_eq!(
            line(&course, None).unwrap(),
            "control plane 4.18.20 → 4.19.14 (under way) → 4.20.3, then pools a, b 4.18.20 → 4.20.3; waits for the control \
             plane to complete 4.19.14 (25% complete)"
        );
        let one = Course {
            from: Version::new(4, 20, 1),
            steps: vec![Version::new(4, 20, 3)],
            ..Course::default()
        };
        assert_eq!(line(&one, None), None);
    }
}
