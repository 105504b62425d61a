//! Why a change is wanted, what keeps it from being made, and what would settle that.

use std::fmt::{self, Write as _};

use serde_json::Value;

use crate::plan::change::{Action, Block, Change, OwnedBy, Reason};
use crate::plan::ignore::rule_for;
use crate::report::style::{Style, Tone};
use crate::resource::Target;

/// Writes what stands in the way of a change.
pub(super) fn write(out: &mut String, change: &Change, style: Style) -> fmt::Result {
    for (i, block) in change.blocks.iter().enumerate() {
        // What several refusals cover is told once.
        if change.blocks.iter().take(i).any(|other| other == block) {
            continue;
        }
        write!(out, "      {} ", style.paint(Tone::Bad, "waits:"))?;
        match block {
            // What lives is known not to be there: it is something that it names.
            Block::Unknown { reason } if change.action == Action::Create => {
                writeln!(out, "what it needs is not known: {reason}")?;
            }
            Block::Dependency { needs } if change.removes() => {
                writeln!(out, "it goes after {needs}, which waits itself")?;
            }
            block => writeln!(out, "{}", BlockText(block))?,
        }
        let (what, rules) = match block {
            Block::Conflict { fields } => (
                "to settle it, add to `conflicts` in the Fleet document (`force` takes the field, `yield` leaves it):",
                fields.iter().map(|owned| rule(&change.id.kind, owned)).collect(),
            ),
            Block::Contested { fields } => (
                "to leave it to whoever writes it, add to `ignore.rules` in the Fleet document:",
                fields
                    .iter()
                    .filter_map(|owned| rule_for(&change.id, &owned.field))
                    .collect(),
            ),
            Block::Guard { .. }
            | Block::Unknown { .. }
            | Block::NotManaged
            | Block::Dependency { .. }
            | Block::Terminating { .. }
            | Block::Invalid { .. }
            | Block::Precondition { .. }
            | Block::Upgrade { .. }
            | Block::LeftAlone { .. }
            | Block::Ignored
            | Block::NoProvider => ("", Vec::new()),
        };
        if !rules.is_empty() {
            writeln!(out, "        {what}")?;
        }
        for rule in rules {
            writeln!(out, "          - {rule}")?;
        }
    }
    Ok(())
}

/// The rule by which a field would be taken.
fn rule(kind: &str, owned: &OwnedBy) -> String {
    let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    let quoted = |text: &str| {
        if plain(text) {
            text.to_owned()
        } else {
            Value::from(text).to_string()
        }
    };
    let field = owned.field.trim_start_matches('.');
    format!(
        "{{kind: {kind}, field: {}, manager: {}, action: force}}",
        quoted(field),
        quoted(&owned.manager)
    )
}

/// Why a change is wanted.
pub(super) fn reason(change: &Change) -> &'static str {
    match change.reason {
        Reason::New => "new",
        Reason::Vanished => "was deleted by someone else: made again",
        Reason::Changed => "the fleet files changed",
        Reason::Drifted if change.id.target == Target::Oci => {
            "drift: changed by someone else (OCI's audit log says by whom)"
        }
        Reason::Drifted => "drift: changed by someone else",
        Reason::SourceChanged => "what it is copied from changed",
        Reason::ReferenceChanged => "what it refers to is made anew",
        Reason::Found => "exists, made by someone else",
        Reason::Unrecorded => "is marked as ours, and is in no inventory",
        Reason::Removed if change.action == Action::Forget => {
            "stays as it is: the files let go of its management cluster, and nobody looks there any more"
        }
        Reason::Removed => "no longer in the fleet files",
        Reason::Ended => {
            "its peering has ended, and no gateway is connected twice: deleted, and made anew by the next run"
        }
        Reason::Gone => "gone already: dropped from the inventory",
        Reason::Moved => "belongs to another unit now: recorded there",
        Reason::Unseen => "not known",
    }
}

/// A block in words.
pub(in crate::report) struct BlockText<'a>(pub(in crate::report) &'a Block);

impl fmt::Display for BlockText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Block::Guard { guard } => write!(f, "refused by the guard `{guard}`"),
            Block::Unknown { reason } => write!(f, "its live state is not known: {reason}"),
            Block::NotManaged => f.write_str("the fleet leaves it to another tool (`manage:`)"),
            Block::Conflict { fields } => {
                for (i, field) in fields.iter().enumerate() {
                    let comma = if i == 0 { "" } else { ", " };
                    write!(f, "{comma}{} is owned by field manager {}", field.field, field.manager)?;
                }
                Ok(())
            }
            Block::Dependency { needs } => write!(f, "needs {needs}, which waits itself"),
            Block::Terminating { since, finalizers } => {
                write!(f, "it is still being deleted (since {since}")?;
                if !finalizers.is_empty() {
                    write!(f, "; held by finalizers: {}", finalizers.join(", "))?;
                }
                f.write_str("); the next run after that makes it")
            }
            Block::Invalid { message } => write!(f, "the server would refuse it: {message}"),
            Block::Precondition { what, lacks } if lacks.is_empty() => {
                write!(f, "it needs {what}, which is not there")
            }
            Block::Precondition { what, lacks } => {
                write!(f, "it needs {what}, which does not fit: {}", lacks.join("; "))
            }
            Block::Upgrade { after } => write!(f, "for {after}"),
            Block::LeftAlone { reason } => write!(f, "left alone: {reason}"),
            Block::Contested { fields } => {
                for (i, field) in fields.iter().enumerate() {
                    let comma = if i == 0 { "" } else { ", " };
                    let OwnedBy { field, manager } = field;
                    write!(
                        f,
                        "{comma}{field} is written again by {manager} as often as it is mended"
                    )?;
                }
                Ok(())
            }
            Block::Ignored => f.write_str("the fleet passes its drift over (`drift:`)"),
            Block::NoProvider => f.write_str("nothing in this run writes to that control plane"),
        }
    }
}
