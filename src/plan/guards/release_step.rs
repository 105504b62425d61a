//! A control plane goes up one minor version at a time, and never down.

use semver::Version;

use super::{Facts, Guard, Refusal};
use crate::plan::change::{Action, Change};

/// Refuses a HostedCluster's release that leaves out a minor version, or goes back to a lower one.
pub(super) struct ReleaseStep;

const IMAGE: &str = ".spec.release.image";

/// The version in a release image's tag: `…:4.20.3-multi`. None for a digest, or another way of naming.
fn version(image: &str) -> Option<Version> {
    let (_, tag) = image.rsplit_once(':')?;
    let tag = tag
        .strip_suffix("-multi")
        .or_else(|| tag.strip_suffix("-x86_64"))
        .unwrap_or(tag);
    Version::parse(tag).ok()
}

/// Minor versions in one row: 5.0 follows 4.22 as 4.23 would.
fn row(version: &Version) -> u64 {
    version.minor + version.major.saturating_sub(4) * 23
}

/// The versions that a change leads a control plane from and to.
fn step(change: &Change) -> Option<(Version, Version)> {
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

impl Guard for ReleaseStep {
    fn name(&self) -> &'static str {
        "release-step"
    }

    fn check(&self, changes: &[Change], _: &Facts<'_>) -> Vec<Refusal> {
        changes
            .iter()
            .filter_map(|change| {
                let (before, after) = step(change)?;
                let (message, lift) = if row(&after) < row(&before) {
                    (
                        format!("{} would go down from {before} to {after}", change.id),
                        "a control plane can't go back to a lower minor version; put the version back".to_owned(),
                    )
                } else if row(&after) > row(&before) + 1 {
                    (
                        format!(
                            "{} would go from {before} to {after}, leaving out a minor version",
                            change.id
                        ),
                        "go up one minor version at a time, each when the one before is completed".to_owned(),
                    )
                } else {
                    return None;
                };
                Some(Refusal {
                    guard: self.name(),
                    message,
                    lift,
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
    use crate::plan::change::FieldDiff;
    use crate::plan::change::tests::change;

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
