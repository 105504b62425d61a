//! What has to be there and is not ours to make, in words.

use crate::plan::preconditions::{Met, Need, sentence};

/// Whether it is there: `missing:`.
pub(super) fn word(need: &Need) -> &'static str {
    match need.met {
        Met::No if need.why.is_empty() => "missing:",
        Met::No => "does not fit:",
        Met::Unchecked | Met::Yes => "needed, not checked:",
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
