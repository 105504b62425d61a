//! mce-skew, np-skew, upgrade-step: versions that the operator, or a node pool, can't be at, and ways that lead nowhere.

use semver::Version;

use super::Facts;
use crate::diag::{Code, Diagnostic, Severity};
use crate::fleet::model::{Cluster, Hosted};
use crate::fleet::problems::Problems;

/// Minors in one row: 5.0 counts as 4.23, as the operator has it.
fn row(major: u64, minor: u64) -> u64 {
    if major >= 5 { minor.saturating_add(23) } else { minor }
}

/// Minor versions in one row.
pub(in crate::fleet) fn row_of(version: &Version) -> u64 {
    row(version.major, version.minor)
}

pub(super) fn check((_, hosted): (&Cluster, &Hosted), facts: &Facts<'_>, problems: &mut Problems<'_>) {
    let version = &hosted.release.version;
    let key = if facts.merged.node.get("version").is_some() {
        "version"
    } else {
        "ring"
    };
    let place = facts.at(&[key], problems);
    let operator = facts.manager.model.operator_version.as_deref();
    if let Some((major, minor)) = operator.and_then(|text| text.split_once('.'))
        && let (Ok(major), Ok(minor)) = (major.parse::<u64>(), minor.parse::<u64>())
    {
        let (ours, theirs) = (row_of(version), row(major, minor));
        if ours > theirs || ours + 2 < theirs {
            let name = &facts.manager.model.name;
            let word = if ours > theirs {
                "newer than"
            } else {
                "more than two minors older than"
            };
            let message = format!("{version} is {word} what the operator of `{name}` ({major}.{minor}) supports");
            let problem = Diagnostic::new(Code::MceSkew, message)
                .related(&facts.manager.place.span(problems.files), "this management cluster");
            problems.rule(problem, place);
        }
    }
    check_way(hosted, facts, problems);
    for pool in hosted.node_pools.values() {
        let theirs = &pool.release.version;
        let behind = row_of(version).saturating_sub(row_of(theirs));
        let pool_key = facts
            .pools
            .get(&pool.name)
            .is_some_and(|(node, _)| node.get("version").is_some());
        let place = if pool_key {
            facts.pool(&pool.name, "version", problems)
        } else {
            place
        };
        if theirs > version {
            let message = format!(
                "node pool `{}` runs {theirs}, its control plane only {version}",
                pool.name
            );
            let problem = Diagnostic::new(Code::NpSkew, message)
                .hint("control planes go first: move the control plane, and the pools once it is done");
            problems.rule(problem, place);
        } else if behind >= 3 {
            let message = format!(
                "node pool `{}` runs {theirs}, {behind} minors behind its control plane's {version}",
                pool.name
            );
            let mut problem = Diagnostic::new(Code::NpSkew, message);
            if behind == 3 {
                problem.severity = Severity::Warning;
                problem = problem
                    .hint("three is the most that is supported: move the pool before the control plane moves again");
            } else {
                problem = problem.hint("three is the most that is supported");
            }
            problems.rule(problem, place);
        }
    }
}

/// What a control plane is to go through has to be below where it goes, and to leave out no minor version from there on.
/// Where it begins only the control plane itself knows.
fn check_way(hosted: &Hosted, facts: &Facts<'_>, problems: &mut Problems<'_>) {
    let target = &hosted.release.version;
    let key = ["via", "ring"]
        .into_iter()
        .find(|key| facts.merged.node.get(key).is_some());
    let place = facts.at(&[key.unwrap_or("via")], problems);
    let mut way: Vec<&Version> = hosted.via.iter().map(|release| &release.version).collect();
    if let Some(beyond) = way.iter().find(|version| **version >= target) {
        let message = format!("the way to {target} is to lead through {beyond}, which is not below it");
        let problem = Diagnostic::new(Code::UpgradeStep, message)
            .hint("name only versions that come before the cluster's `version`, or take `via` out");
        problems.rule(problem, place);
        return;
    }
    way.push(target);
    for pair in way.windows(2) {
        let [from, to] = pair else { continue };
        let is_known = |row| hosted.known.iter().any(|release| row_of(&release.version) == row);
        if !(row_of(from) + 1..row_of(to)).all(is_known) {
            let message = format!("the way from {from} to {to} leaves out a minor version");
            let problem = Diagnostic::new(Code::UpgradeStep, message).hint(
                "name a version of each minor version in between, here or in a ring of a `Release` document: control \
                     planes go up one at a time",
            );
            problems.rule(problem, place);
        }
    }
}
