//! mce-skew, np-skew: versions that the operator, or a node pool, can't be at.

use semver::Version;

use super::Facts;
use crate::diag::{Code, Diagnostic, Severity};
use crate::fleet::model::Cluster;
use crate::fleet::problems::Problems;

/// Minors in one row: 5.0 counts as 4.23, as the operator has it.
fn row(major: u64, minor: u64) -> u64 {
    if major >= 5 { minor.saturating_add(23) } else { minor }
}

fn row_of(version: &Version) -> u64 {
    row(version.major, version.minor)
}

pub(super) fn check(cluster: &Cluster, facts: &Facts<'_>, problems: &mut Problems<'_>) {
    let version = &cluster.release.version;
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
    for pool in cluster.node_pools.values() {
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
