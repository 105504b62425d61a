//! A control plane goes up one minor version at a time, and never down.

use semver::Version;

use super::{Facts, Guard, Refusal};
use crate::plan::change::{Action, Change};
use crate::plan::upgrade::{IMAGE, row, version};
use crate::resource::ResourceId;

/// Refuses a HostedCluster's release that leaves out a minor version, or goes back to a lower one. Where the files name what
/// to go through, a change is a step of that way, and leaves out nothing.
pub(super) struct ReleaseStep;

/// The versions that a change leads a control plane from and to.
pub(super) fn step(change: &Change) -> Option<(Version, Version)> {
    if !(change.goes_ahead() && change.action == Action::Update && change.id.kind == "HostedCluster") {
        return None;
    }
    let diff = change.fields.iter().find(|diff| diff.field == IMAGE)?;
    let before = version(diff.before.as_ref()?.as_str()?)?;
    let after = version(diff.after.as_ref()?.as_str()?)?;
    Some((before, after))
}

/// Says of control planes that go back within their minor version what that means: it is let through, for there may be no
/// other way out of a bad patch.
pub(super) fn warnings(changes: &[Change]) -> Vec<String> {
    let steps = changes.iter().filter_map(|change| Some((change, step(change)?)));
    steps
        .filter(|(_, (before, after))| row(before) == row(after) && after < before)
        .map(|(change, (before, after))| {
            format!(
                "{} goes down from {before} to {after}: no control plane is supported to go back, not even by a patch",
                change.id
            )
        })
        .collect()
}

/// The node pools of a control plane that get another release with it: they don't go without it.
fn pools<'a>(changes: &'a [Change], of: &'a Change) -> impl Iterator<Item = ResourceId> + 'a {
    let with_it = changes.iter().filter(|change| {
        change.unit == of.unit
            && change.id.kind == "NodePool"
            && change.action == Action::Update
            && change.fields.iter().any(|diff| diff.field == IMAGE)
    });
    with_it.map(|change| change.id.clone())
}

impl Guard for ReleaseStep {
    fn name(&self) -> &'static str {
        "release-step"
    }

    fn check(&self, changes: &[Change], facts: &Facts<'_>) -> Vec<Refusal> {
        changes
            .iter()
            .filter_map(|change| {
                let (before, after) = step(change)?;
                // A way leads through what the files name, and not through what a webhook does.
                let course = facts.courses.get(&change.unit);
                let course = course.filter(|_| !change.mutated.contains(IMAGE));
                let (message, lift) = if row(&after) < row(&before) {
                    (
                        format!("{} would go down from {before} to {after}", change.id),
                        "a control plane can't go back to a lower minor version; put the version back".to_owned(),
                    )
                } else if row(&after) > row(&before) + 1 && course.is_none_or(|course| course.gap.is_some()) {
                    let (low, high) = course
                        .and_then(|course| course.gap.as_ref())
                        .map_or((&before, &after), |gap| (&gap.after, &gap.before));
                    (
                        format!(
                            "{} would go from {before} to {after}, leaving out a minor version",
                            change.id
                        ),
                        format!(
                            "control planes go up one minor version at a time: name a release of each between {low} and \
                             {high} in `via` (`via: [x.y.z]`), or in a ring of a `Release` document, and they are taken \
                             one after the other"
                        ),
                    )
                } else {
                    return None;
                };
                Some(Refusal {
                    guard: self.name(),
                    message,
                    lift,
                    objects: std::iter::once(change.id.clone()).chain(pools(changes, change)).collect(),
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::World;
    use super::*;
    use crate::plan::change::FieldDiff;
    use crate::plan::change::tests::change;
    use crate::plan::upgrade::{Course, Gap};

    fn upgrade(before: &str, after: &str) -> Change {
        let mut upgrade = change("a", "HostedCluster", "a", Action::Update);
        let image = |version: &str| Some(format!("registry.example/release:{version}-multi").into());
        upgrade.fields = vec![FieldDiff {
            field: IMAGE.to_owned(),
            before: image(before),
            after: image(after),
            owner: None,
            replaces: false,
        }];
        upgrade
    }

    #[test]
    fn a_way_that_leaves_out_nothing_is_let_through() {
        let changes = [upgrade("4.18.20", "4.20.3")];
        let mut world = World::new();
        let mut course = Course {
            from: Version::new(4, 18, 20),
            ..Course::default()
        };
        world.courses.insert(changes[0].unit.clone(), course.clone());
        assert!(world.check(&ReleaseStep, &changes).is_empty());
        course.gap = Some(Gap {
            after: Version::new(4, 18, 20),
            before: Version::new(4, 20, 3),
        });
        world.courses.insert(changes[0].unit.clone(), course);
        let refusals = world.check(&ReleaseStep, &changes);
        assert!(
            refusals[0].lift.contains("between 4.18.20 and 4.20.3 in `via`"),
            "{refusals:?}"
        );
    }

    #[test]
    fn what_a_webhook_makes_of_a_step_is_no_step_of_the_way() {
        let mut changes = [upgrade("4.18.20", "4.20.3")];
        let mut world = World::new();
        world.courses.insert(changes[0].unit.clone(), Course::default());
        assert!(world.check(&ReleaseStep, &changes).is_empty());
        changes[0].mutated.insert(IMAGE.to_owned());
        assert_eq!(world.check(&ReleaseStep, &changes).len(), 1);
    }

    #[test]
    fn the_pools_go_nowhere_without_their_control_plane() {
        let mut pool = upgrade("4.20.3", "4.19.14");
        pool.id.kind = "NodePool".to_owned();
        let mut scaled = change("a", "NodePool", "a-x", Action::Update);
        scaled.fields = vec![FieldDiff {
            field: ".spec.replicas".to_owned(),
            ..pool.fields[0].clone()
        }];
        let changes = [upgrade("4.20.3", "4.19.14"), pool, scaled];
        let refusals = World::new().check(&ReleaseStep, &changes);
        assert_eq!(refusals[0].objects, [changes[0].id.clone(), changes[1].id.clone()]);
    }

    fn is_refused(before: &str, after: &str) -> bool {
        !World::new().check(&ReleaseStep, &[upgrade(before, after)]).is_empty()
    }

    #[test]
    fn going_back_by_a_patch_is_let_through_and_said() {
        let said = warnings(&[upgrade("4.20.3", "4.20.1"), upgrade("4.20.1", "4.20.3")]);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains("from 4.20.3 to 4.20.1"), "{said:?}");
        assert!(warnings(&[upgrade("4.20.3", "4.19.12")]).is_empty(), "that is refused");
    }

    #[test]
    fn goes_up_one_minor_version_at_a_time_and_never_down() {
        assert!(!is_refused("4.19.12", "4.19.14"));
        assert!(!is_refused("4.19.12", "4.20.3"));
        assert!(is_refused("4.19.12", "4.21.0"));
        assert!(is_refused("4.20.3", "4.19.12"));
        assert!(!is_refused("4.20.3", "4.20.1"));
        assert!(!is_refused("4.22.9", "5.0.1"));
        assert!(is_refused("4.21.9", "5.0.1"));
    }

    #[test]
    fn a_digest_says_nothing() {
        assert_eq!(version("registry.example/release@sha256:00"), None);
    }
}
