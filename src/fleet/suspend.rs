//! `suspend` of the fleet, of environments and of clusters.
//!
//! Invariant: what is typed and has an error suspends all the same, without an end: the error says so, and nothing is written
//! against somebody's wish meanwhile.

use super::decode::decode;
use super::index::Index;
use super::kind::Kind;
use super::model::{Suspend, Suspensions};
use super::node::Node;
use super::problems::Problems;
use super::spec;
use crate::diag::{Code, Diagnostic};
use crate::resource::{ClusterName, EnvironmentName};

/// Reads them all.
pub(super) fn suspensions(index: &Index<'_>, now: jiff::Timestamp, problems: &mut Problems<'_>) -> Suspensions {
    let mut all = Suspensions::default();
    if let Some(node) = index.fleet_spec().and_then(|spec| spec.get("suspend")) {
        let mut own = problems.fresh(None);
        all.fleet = Some(read(node, now, &mut own));
        // What is wrong with the form of a document was said where that was checked.
        if index.good_fleet().is_some() {
            problems.found.append(&mut own.found);
        }
    }
    for document in index.of(Kind::Environment) {
        let Some(node) = document.spec.get("suspend") else {
            continue;
        };
        let mut own = problems.fresh(None);
        let suspend = read(node, now, &mut own);
        all.environments.insert(EnvironmentName::new(&document.name), suspend);
        if !index.is_broken(document) {
            problems.found.append(&mut own.found);
        }
    }
    for (name, declared) in &index.clusters {
        let Some(node) = declared.near("suspend") else { continue };
        let mut own = problems.fresh(Some(declared.name));
        all.clusters.insert(ClusterName::new(*name), read(node, now, &mut own));
        if !declared.broken {
            problems.found.append(&mut own.found);
        }
    }
    all
}

fn read(node: &Node, now: jiff::Timestamp, problems: &mut Problems<'_>) -> Suspend {
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
    Suspend { reason, until, span }
}
