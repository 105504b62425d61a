//! Where diagnostics of one unit are collected, with waivers applied.
//!
//! Invariant: a waived rule neither reports nor fails anything.

use super::node::{Place, SourceFile};
use super::waivers::{Waivers, rule_id};
use crate::diag::{Diagnostic, Severity};

/// Collects the problems of one cluster, network or of the whole fleet.
pub(super) struct Problems<'a> {
    pub(super) files: &'a [SourceFile],
    waivers: &'a Waivers,
    /// The cluster that they are about.
    cluster: Option<&'a str>,
    pub(super) found: Vec<Diagnostic>,
}

impl<'a> Problems<'a> {
    pub(super) fn new(files: &'a [SourceFile], waivers: &'a Waivers, cluster: Option<&'a str>) -> Self {
        Self {
            files,
            waivers,
            cluster,
            found: Vec::new(),
        }
    }

    /// An empty collection beside this one.
    pub(super) fn fresh(&self, cluster: Option<&'a str>) -> Self {
        Self::new(self.files, self.waivers, cluster)
    }

    /// A problem at a place.
    pub(super) fn add(&mut self, problem: Diagnostic, place: Place) {
        let problem = problem.at(&place.span(self.files));
        self.found.push(match self.cluster {
            Some(cluster) => problem.cluster(cluster),
            None => problem,
        });
    }

    /// A rule's problem, unless it is waived.
    pub(super) fn rule(&mut self, problem: Diagnostic, place: Place) {
        if self.waivers.waive(&problem, self.cluster) {
            return;
        }
        let problem = match (rule_id(problem.code), self.cluster) {
            (Some(rule), Some(cluster)) => problem.hint(format!(
                "to accept it: `waivers: [{{rule: {rule}, cluster: {cluster}, reason: …}}]` in the `Fleet` document"
            )),
            (Some(rule), None) => problem.hint(format!(
                "to accept it: `waivers: [{{rule: {rule}, reason: …}}]` in the `Fleet` document"
            )),
            (None, _) => problem,
        };
        self.add(problem, place);
    }

    /// Whether there is an error among them.
    pub(super) fn failed(&self) -> bool {
        self.found.iter().any(|problem| problem.severity == Severity::Error)
    }
}
