//! Compartments as typed: an OCID, a name from the fleet's list, or a path from the tenancy's root.
//!
//! Invariant: a path stays a path, since nothing here can ask OCI whose it is.

use std::collections::BTreeMap;

use super::cluster::Common;
use super::node::{Node, Place};
use super::ocid::{self, Expected};
use super::problems::Problems;
use crate::diag::{Code, Diagnostic};
use crate::resource::{Compartment, Ocid};

/// Where a compartment stands, and what it may be.
#[derive(Clone, Copy)]
pub(super) struct Setting<'a> {
    pub(super) text: &'a str,
    pub(super) place: Place,
    /// The fleet's names.
    pub(super) names: &'a BTreeMap<String, String>,
    pub(super) region: &'a str,
    /// The tenancy that a path begins in.
    pub(super) tenancy: Option<&'a Ocid>,
}

impl Common<'_> {
    /// A compartment, where one is typed.
    pub(super) fn compartment(
        &self,
        node: Option<&Node>,
        (region, tenancy): (&str, Option<&Ocid>),
        problems: &mut Problems<'_>,
    ) -> Option<Compartment> {
        let node = node?;
        let setting = Setting {
            text: node.as_str()?,
            place: node.place,
            names: self.compartments,
            region,
            tenancy,
        };
        resolve(setting, problems)
    }
}

/// Reads one.
pub(super) fn resolve(setting: Setting<'_>, problems: &mut Problems<'_>) -> Option<Compartment> {
    let Setting { text, place, names, .. } = setting;
    if let Some(value) = names.get(text) {
        return literal(value, setting, problems);
    }
    if text.starts_with("ocid1.") || text.contains('/') {
        return literal(text, setting, problems);
    }
    let mut problem = Diagnostic::new(Code::Dangling, format!("the fleet has no compartment called `{text}`"));
    let known = names.keys().map(String::as_str);
    problem.hints.extend(super::check::suggest(text, known));
    let hint = "type its OCID or its path (`parent/child`), or name it in `compartments` of the `Fleet` document";
    problems.add(problem.hint(hint), place);
    None
}

fn literal(text: &str, setting: Setting<'_>, problems: &mut Problems<'_>) -> Option<Compartment> {
    if text.starts_with("ocid1.") {
        let expected = Expected {
            key: "compartment",
            kinds: &["compartment", "tenancy"],
            region: Some(setting.region),
        };
        return Some(Compartment::Id(ocid::check(text, expected, setting.place, problems)));
    }
    match path(text) {
        Ok(path) => Some(Compartment::Path {
            tenancy: setting.tenancy.cloned(),
            path: path.to_owned(),
        }),
        Err(problem) => {
            problems.add(*problem, setting.place);
            None
        }
    }
}

/// A path as it is kept: names with one `/` between them. One `/` before the first is fine, so that a compartment right
/// below the root can be told from a name.
///
/// # Errors
/// Where a name is empty or has blanks around it.
pub(super) fn path(text: &str) -> Result<&str, Box<Diagnostic>> {
    let path = text.strip_prefix('/').unwrap_or(text);
    if path.split('/').all(|name| !name.is_empty() && name.trim() == name) {
        return Ok(path);
    }
    let problem = Diagnostic::new(Code::NotAllowed, format!("`{text}` is no path of compartments"));
    Err(Box::new(
        problem.hint("write it like `parent/child`, from the tenancy's root down"),
    ))
}
