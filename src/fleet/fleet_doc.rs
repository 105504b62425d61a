//! What can be wrong with the `Fleet` document and with sections by region, beyond their form.
//!
//! Invariant: reports only.

use super::addresses;
use super::compartments;
use super::index::Index;
use super::kind::Kind;
use super::node::{Node, Place};
use super::ocid::{self, Expected};
use super::problems::Problems;
use crate::diag::{Code, Diagnostic};
use crate::resource::regions;

/// Checks them.
pub(super) fn check(index: &Index<'_>, problems: &mut Problems<'_>) {
    let Some(fleet) = index.fleet_spec() else { return };
    for entry in fleet.at(&["addresses", "pools"]).map_or(&[][..], Node::entries) {
        region(&entry.key, entry.place, problems);
        match addresses::parse(entry.value.as_str().unwrap_or_default()) {
            Ok(net) if addresses::v4(net).is_some() => {}
            Ok(_) => {
                let problem = Diagnostic::new(Code::BadRange, "an address pool is an IPv4 range");
                problems.add(problem, entry.value.place);
            }
            Err(message) => problems.add(Diagnostic::new(Code::BadRange, message), entry.value.place),
        }
    }
    for entry in fleet.get("compartments").map_or(&[][..], Node::entries) {
        let text = entry.value.as_str().unwrap_or_default();
        if !text.starts_with("ocid1.") {
            if let Err(problem) = compartments::path(text) {
                problems.add(*problem, entry.value.place);
            }
            continue;
        }
        let expected = Expected {
            key: &entry.key,
            kinds: &["compartment", "tenancy"],
            region: None,
        };
        ocid::check(text, expected, entry.value.place, problems);
    }
    sections(fleet, problems);
    for environment in index.of(Kind::Environment) {
        sections(&environment.spec, problems);
    }
}

fn sections(spec: &Node, problems: &mut Problems<'_>) {
    for entry in spec.get("regions").map_or(&[][..], Node::entries) {
        region(&entry.key, entry.place, problems);
    }
}

/// A region under which something stands. A warning: a program knows the regions of its day only.
pub(super) fn region(text: &str, place: Place, problems: &mut Problems<'_>) {
    let problem = match regions::find(text) {
        Some(region) if region.id == text => return,
        Some(region) => Diagnostic::new(Code::NotAllowed, format!("`{text}` is the short key of a region"))
            .hint(format!("write its id, `{}`", region.id)),
        None => {
            let mut problem = Diagnostic::new(Code::UnknownRegion, format!("`{text}` is no region known here"));
            problem.hints.extend(super::check::did_you_mean(text, regions::ids()));
            problem
        }
    };
    problems.add(problem, place);
}
