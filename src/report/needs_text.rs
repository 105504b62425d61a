//! What has to be there and is not ours to make, in words.

use crate::plan::Plan;
use crate::plan::preconditions::{Met, Need, sentence};

/// Those that are told: what is there where more is to be said of it than that.
pub(super) fn told(plan: &Plan) -> impl Iterator<Item = &Need> {
    plan.needs
        .iter()
        .filter(|need| need.met != Met::Yes || !need.why.is_empty())
}

/// Whether it is there: `missing:`.
pub(super) fn word(need: &Need) -> &'static str {
    match need.met {
        Met::No if need.why.is_empty() => "missing:",
        Met::No => "does not fit:",
        Met::Unknown => "needed, not known:",
        Met::Unchecked => "needed, not checked:",
        Met::Yes => "found:",
    }
}

/// What, and for whom.
pub(super) fn what(need: &Need) -> String {
    let for_whom = match (need.units.len(), need.units.first()) {
        (1, Some(unit)) => unit.to_string(),
        (n, _) => format!("{n} clusters"),
    };
    format!("{} (for {for_whom})", sentence(&need.what, &need.why))
}

/// All of it on one line.
pub(super) fn line(need: &Need) -> String {
    format!("{} {}", word(need), what(need))
}
