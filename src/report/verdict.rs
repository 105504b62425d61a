//! What a plan or a check came to, in one word: for exit codes, and for whoever reads a report without its exit code.

use std::fmt;

use crate::plan::Plan;

/// What it came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All is as the files say.
    Clean,
    /// Nothing but drift.
    Drift,
    /// There is something to do.
    Changes,
    /// A guard refuses something.
    Refused,
    /// Something is wrong, or not known: more may change than is shown.
    Incomplete,
}

impl Verdict {
    const ALL: [Self; 5] = [Self::Clean, Self::Drift, Self::Changes, Self::Refused, Self::Incomplete];

    /// Of a plan, made of files with errors or without.
    pub fn of_plan(plan: &Plan, has_errors: bool) -> Self {
        if plan.is_refused() {
            Self::Refused
        // What could not be looked at may have changed: "no changes" would be more than is known.
        } else if has_errors || plan.has_unknowns() {
            Self::Incomplete
        } else if !plan.has_changes() {
            Self::Clean
        } else if plan.is_drift_only() {
            Self::Drift
        } else {
            Self::Changes
        }
    }

    /// One word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Drift => "drift",
            Self::Changes => "changes",
            Self::Refused => "refused",
            Self::Incomplete => "incomplete",
        }
    }

    /// The last line of a comment, invisible where the comment is shown. A comment without it is not whole.
    pub fn line(self) -> String {
        format!("<!-- fleetwright verdict: {} -->", self.word())
    }

    /// Reads such a line.
    pub fn from_line(line: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.line() == line)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_each_is_read_back() {
        for verdict in Verdict::ALL {
            assert_eq!(Verdict::from_line(&verdict.line()), Some(verdict));
        }
        assert_eq!(Verdict::from_line("<!-- fleetwright verdict: fine -->"), None);
    }
}
