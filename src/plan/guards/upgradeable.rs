//! A control plane that says that it can't go on to the next minor version is not sent there.

use super::release_step::step;
use super::{Facts, Guard, Refusal};
use crate::plan::change::Change;
use crate::plan::upgrade::row;

/// Refuses a HostedCluster's step to another minor version while its condition `ClusterVersionUpgradeable` is false. The
/// operator would hold it up all the same, and the change would stand there half done.
pub(super) struct Upgradeable;

impl Guard for Upgradeable {
    fn name(&self) -> &'static str {
        "upgradeable"
    }

    fn check(&self, changes: &[Change], facts: &Facts<'_>) -> Vec<Refusal> {
        changes
            .iter()
            .filter_map(|change| {
                let (before, after) = step(change)?;
                let said = facts.courses.get(&change.unit)?.not_upgradeable.as_ref()?;
                (row(&after) > row(&before)).then(|| Refusal {
                    guard: self.name(),
                    message: format!(
                        "{} would go from {before} to {after}, and its control plane says that it can't: {said}",
                        change.id
                    ),
                    lift: "do what the condition ClusterVersionUpgradeable asks for; a patch of the same minor version may go \
                           ahead meanwhile"
                        .to_owned(),
                    objects: vec![change.id.clone()],
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::World;
    use super::*;
    use crate::plan::change::tests::change;
    use crate::plan::change::{Action, FieldDiff};
    use crate::plan::upgrade::{Course, IMAGE};

    #[test]
    fn a_step_that_the_control_plane_refuses_is_refused_and_a_patch_is_not() {
        let upgrade = |to: &str| {
            let mut upgrade = change("a", "HostedCluster", "a", Action::Update);
            let image = |version: &str| Some(format!("registry.example/release:{version}-multi").into());
            upgrade.fields = vec![FieldDiff {
                field: IMAGE.to_owned(),
                before: image("4.19.12"),
                after: image(to),
                owner: None,
                replaces: false,
            }];
            [upgrade]
        };
        let mut world = World::new();
        assert!(world.check(&Upgradeable, &upgrade("4.20.3")).is_empty());
        let course = Course {
            not_upgradeable: Some("an API that goes is in use".to_owned()),
            ..Course::default()
        };
        world.courses.insert(upgrade("4.20.3")[0].unit.clone(), course);
        let refusals = world.check(&Upgradeable, &upgrade("4.20.3"));
        assert!(
            refusals[0].message.contains("an API that goes is in use"),
            "{refusals:?}"
        );
        assert!(world.check(&Upgradeable, &upgrade("4.19.14")).is_empty());
    }
}
