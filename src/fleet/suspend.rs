//! `suspend` of the fleet, of environments and of clusters.
//!
//! Invariant: what is typed and has an error suspends all the same, without an end: the error says so, and nothing is written
//! against somebody's wish meanwhile.

use super::decode::decode;
use super::index::Index;
use super::kind::Kind;
use super::model::{Suspend, Suspensions};
use super::node::{Node, Yaml};
use super::problems::Problems;
use super::spec;
use crate::diag::{Code, Diagnostic};
use crate::resource::{ClusterName, EnvironmentName};

/// Reads them all.
pub(super) fn suspensions(index: &Index<'_>, now: jiff::Timestamp, problems: &mut Problems<'_>) -> Suspensions {
    let fleet = index.fleet_spec().and_then(|spec| spec.get("suspend"));
    let mut all = Suspensions {
        fleet: fleet.and_then(|node| read(node, now, problems)),
        ..Suspensions::default()
    };
    for document in index.of(Kind::Environment) {
        if let Some(suspend) = document.spec.get("suspend").and_then(|node| read(node, now, problems)) {
            all.environments.insert(EnvironmentName::new(&document.name), suspend);
        }
    }
    for (name, declared) in &index.clusters {
        let Some(node) = declared.near("suspend") else { continue };
        let mut own = problems.fresh(Some(declared.name));
        if let Some(suspend) = read(node, now, &mut own) {
            all.clusters.insert(ClusterName::new(*name), suspend);
        }
        let found = std::mem::take(&mut own.found);
        problems.found.extend(found);
    }
    all
}

fn read(node: &Node, now: jiff::Timestamp, problems: &mut Problems<'_>) -> Option<Suspend> {
    if matches!(node.value, Yaml::Null) {
        return None;
    }
    let span = node.place.span(problems.files);
    // An error of form has been reported where the document was checked.
    let typed = decode::<spec::Suspend>(node).ok();
    let reason = typed.as_ref().map(|typed| typed.reason.clone()).unwrap_or_default();
    let text = typed.and_then(|typed| typed.until);
    let until = text.as_deref().and_then(|text| {
        let place = node.get("until").unwrap_or(node).place;
        match text.parse::<jiff::Timestamp>() {
            Ok(until) => {
                if until <= now {
                    let problem = Diagnostic::new(Code::SuspendExpired, format!("the suspension ended on {text}"))
                        .hint("take `suspend` out, or agree on a later end");
                    problems.add(problem, place);
                }
                Some(until)
            }
            Err(_) => {
                let problem = Diagnostic::new(Code::WrongType, format!("`{text}` is no time"))
                    .hint("write it like `2027-03-31T12:00:00Z`");
                problems.add(problem, place);
                None
            }
        }
    });
    Some(Suspend { reason, until, span })
}
