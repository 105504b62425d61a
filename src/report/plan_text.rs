//! A plan for people: by unit, field by field, what waits and why, totals last.

use std::fmt::{self, Write as _};

use serde_json::Value;

use super::disruption_text;
use super::style::{Style, Tone};
use super::units;
use crate::plan::Plan;
use crate::plan::change::{Action, Block, Change, FieldDiff, OwnedBy, Preview, Reason};
use crate::plan::guards;
use crate::plan::preconditions::Met;
use crate::resource::Target;
use crate::resource::mark::MANAGED_BY_LABEL;

/// How much is shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlanText {
    /// Colour.
    pub style: Style,
}

/// Longest value shown on one line, in characters.
const LONGEST: usize = 100;

impl PlanText {
    /// The text.
    pub fn render(&self, plan: &Plan) -> String {
        let mut out = String::new();
        // Writing to a String can't fail.
        let _ = self.write(&mut out, plan);
        out
    }

    /// The text of one unit's changes alone.
    pub(super) fn unit(&self, plan: &Plan, changes: &[Change]) -> String {
        let mut out = String::new();
        let _ = self.changes(&mut out, plan, changes);
        out
    }

    /// Each change, and what it costs.
    fn changes(&self, out: &mut String, plan: &Plan, changes: &[Change]) -> fmt::Result {
        for change in changes {
            self.change(out, change)?;
            if let Some(line) = plan.forecast.changes.get(&change.id).and_then(disruption_text::line) {
                writeln!(out, "      {} {line}", self.style.paint(Tone::Warn, "!"))?;
            }
        }
        Ok(())
    }

    fn write(&self, out: &mut String, plan: &Plan) -> fmt::Result {
        let style = self.style;
        for unit in units::worst_first(plan) {
            if let Some(first) = unit.first() {
                let on = style.paint(Tone::Faint, format!("on {}", first.recorded_on));
                writeln!(out, "{} {on}", style.paint(Tone::Strong, &first.unit))?;
            }
            self.changes(out, plan, unit)?;
            writeln!(out)?;
        }
        for held in &plan.held {
            writeln!(
                out,
                "{} {}: {}",
                style.paint(Tone::Warn, "left alone:"),
                held.unit,
                held.reason
            )?;
        }
        if !plan.held.is_empty() {
            writeln!(out)?;
        }
        for need in plan.needs.iter().filter(|need| need.met != Met::Yes) {
            let for_whom = match (need.units.len(), need.units.first()) {
                (1, Some(unit)) => unit.to_string(),
                (n, _) => format!("{n} clusters"),
            };
            let (tone, word) = match need.met {
                Met::No => (Tone::Bad, "missing:"),
                Met::Unchecked | Met::Yes => (Tone::Faint, "needed, not checked:"),
            };
            writeln!(out, "{} {} (for {for_whom})", style.paint(tone, word), need.what)?;
        }
        if plan.needs.iter().any(|need| need.met != Met::Yes) {
            writeln!(out)?;
        }
        for warning in guards::warnings(&plan.changes) {
            writeln!(out, "{} {warning}", style.paint(Tone::Warn, "warning:"))?;
        }
        for refusal in &plan.refusals {
            writeln!(
                out,
                "{} {}",
                style.paint(Tone::Bad, format!("refused ({}):", refusal.guard)),
                refusal.message
            )?;
            for id in refusal.objects.iter().take(5) {
                writeln!(out, "    {id}")?;
            }
            if refusal.objects.len() > 5 {
                writeln!(out, "    and {} more", refusal.objects.len() - 5)?;
            }
            writeln!(out, "  to lift: {}\n", refusal.lift)?;
        }
        if let Some(line) = disruption_text::totals(&plan.forecast.totals) {
            writeln!(out, "{line}")?;
        }
        writeln!(out, "{}", Totals::of(plan))
    }

    fn change(&self, out: &mut String, change: &Change) -> fmt::Result {
        let style = self.style;
        let (sign, tone) = match change.action {
            Action::Create => ("+", Tone::Good),
            Action::Update => ("~", Tone::Warn),
            Action::Adopt => ("@", Tone::Warn),
            Action::Delete => ("-", Tone::Bad),
            Action::Forget => ("x", Tone::Faint),
            Action::Leave => ("?", Tone::Faint),
        };
        let reason = style.paint(Tone::Faint, reason(change));
        writeln!(out, "  {} {}  {reason}", style.paint(tone, sign), change.id)?;
        let marks = change
            .fields
            .iter()
            .filter(|field| change.action == Action::Adopt && is_mark(field))
            .count();
        for field in change.fields.iter().filter(|field| marks == 0 || !is_mark(field)) {
            self.field(out, field, change.reason)?;
        }
        if marks > 0 {
            writeln!(out, "      {} our labels and owner mark", style.paint(Tone::Good, "+"))?;
        }
        if change.action == Action::Adopt && change.id.target == Target::Oci {
            writeln!(out, "      {} our owner mark", style.paint(Tone::Good, "+"))?;
        }
        if change.action == Action::Update && change.fields.is_empty() && change.goes_ahead() {
            writeln!(out, "      (nothing but who owns its fields differs)")?;
        }
        if change.preview == Preview::Server {
            writeln!(
                out,
                "      (as the server's dry-run answers: it differs from our prediction)"
            )?;
        }
        for block in &change.blocks {
            writeln!(out, "      {} {}", style.paint(Tone::Bad, "waits:"), BlockText(block))?;
            if let Block::Conflict { fields } = block {
                writeln!(
                    out,
                    "        to settle it, add to `conflicts` in the Fleet document (`force` takes the field, `yield` leaves it):"
                )?;
                for owned in fields {
                    writeln!(out, "          - {}", rule(&change.id.kind, owned))?;
                }
            }
        }
        Ok(())
    }

    fn field(&self, out: &mut String, field: &FieldDiff, reason: Reason) -> fmt::Result {
        let style = self.style;
        let owner = match (&field.owner, reason) {
            (Some(owner), _) => {
                let when = owner.time.as_deref().unwrap_or("time not recorded");
                format!("  set by {}, {when}", owner.manager)
            }
            (None, Reason::Drifted) if field.before.is_none() => {
                "  was removed; by whom and when is not recorded".to_owned()
            }
            (None, Reason::Drifted) => "  by whom and when is not recorded".to_owned(),
            (None, _) => String::new(),
        };
        let owner = style.paint(Tone::Faint, owner);
        let path = &field.field;
        match (&field.before, &field.after) {
            (None, Some(after)) => {
                writeln!(
                    out,
                    "      {} {path}: {}{owner}",
                    style.paint(Tone::Good, "+"),
                    short(after)
                )
            }
            (Some(before), None) => {
                writeln!(
                    out,
                    "      {} {path}: {}{owner}",
                    style.paint(Tone::Bad, "-"),
                    short(before)
                )
            }
            (Some(before), Some(after)) => self.both(out, path, before, after, &owner),
            (None, None) => Ok(()),
        }
    }

    /// Both values on one line where they fit, else their differing lines.
    fn both(
        &self,
        out: &mut String,
        path: &str,
        before: &Value,
        after: &Value,
        owner: &dyn fmt::Display,
    ) -> fmt::Result {
        let sign = self.style.paint(Tone::Warn, "~");
        if let (Value::String(before), Value::String(after)) = (before, after)
            && (before.contains('\n') || after.contains('\n'))
        {
            writeln!(out, "      {sign} {path}:{owner}")?;
            let diff = similar::TextDiff::from_lines(before.as_str(), after.as_str());
            for hunk in diff.unified_diff().context_radius(2).iter_hunks() {
                for line in hunk.to_string().lines() {
                    let tone = match line.as_bytes().first() {
                        Some(b'+') => Tone::Good,
                        Some(b'-') => Tone::Bad,
                        _ => Tone::Faint,
                    };
                    writeln!(out, "          {}", self.style.paint(tone, visible(line)))?;
                }
            }
            return Ok(());
        }
        writeln!(out, "      {sign} {path}: {} → {}{owner}", short(before), short(after))
    }
}

/// A value on one line, cut where it is long.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{}… ({} characters)", &text[..cut], text.chars().count()),
        None => text,
    }
}

/// Whether it is one of the labels and annotations by which we know our objects, put on for the first time: every adoption
/// has the same handful.
fn is_mark(field: &FieldDiff) -> bool {
    let names = field
        .field
        .strip_prefix(".metadata.labels.")
        .or_else(|| field.field.strip_prefix(".metadata.annotations."));
    field.before.is_none() && names.is_some_and(|name| name.starts_with("fleetwright.dev/") || name == MANAGED_BY_LABEL)
}

/// A line of a live object's text: it must not steer the terminal.
fn visible(line: &str) -> String {
    line.chars()
        .map(|c| {
            if c.is_control() && c != '\t' {
                c.escape_unicode().to_string()
            } else {
                c.to_string()
            }
        })
        .collect()
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

fn reason(change: &Change) -> &'static str {
    match change.reason {
        Reason::New => "new",
        Reason::Vanished => "was deleted by someone else: made again",
        Reason::Changed => "the fleet files changed",
        Reason::Drifted => "drift: changed by someone else",
        Reason::SourceChanged => "what it is copied from changed",
        Reason::Found => "exists, made by someone else",
        Reason::Unrecorded => "is marked as ours, and is in no inventory",
        Reason::Removed => "no longer in the fleet files",
        Reason::Gone => "gone already: dropped from the inventory",
        Reason::Moved => "belongs to another unit now: recorded there",
        Reason::Unseen => "not known",
    }
}

/// A block in words.
pub(super) struct BlockText<'a>(pub(super) &'a Block);

impl fmt::Display for BlockText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Block::Guard { guard } => write!(f, "refused by the guard `{guard}` (see below)"),
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
            Block::Precondition { what } => write!(f, "it needs {what}, which is not there"),
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

/// The last line.
pub(super) struct Totals {
    pub(super) create: usize,
    pub(super) update: usize,
    pub(super) adopt: usize,
    pub(super) delete: usize,
    pub(super) forget: usize,
    pub(super) waiting: usize,
    pub(super) unchanged: usize,
}

impl Totals {
    pub(super) fn of(plan: &Plan) -> Self {
        Self {
            unchanged: plan.unchanged,
            ..Self::of_changes(&plan.changes)
        }
    }

    /// Of some changes alone.
    pub(super) fn of_changes(changes: &[Change]) -> Self {
        let going = |action| {
            let of_action = changes.iter().filter(|change| change.action == action);
            of_action.filter(|change| change.goes_ahead()).count()
        };
        Self {
            create: going(Action::Create),
            update: going(Action::Update),
            adopt: going(Action::Adopt),
            delete: going(Action::Delete),
            forget: going(Action::Forget),
            waiting: changes.iter().filter(|change| !change.goes_ahead()).count(),
            unchanged: 0,
        }
    }

    /// `2 to create`, `1 waiting`: what there is of each.
    pub(super) fn parts(&self) -> Vec<String> {
        let Self {
            create,
            update,
            adopt,
            delete,
            forget,
            waiting,
            unchanged: _,
        } = self;
        let counts = [
            (create, "to create"),
            (update, "to update"),
            (adopt, "to adopt"),
            (delete, "to delete"),
            (forget, "to forget"),
            (waiting, "waiting"),
        ];
        let there = counts.iter().filter(|(count, _)| **count > 0);
        there.map(|(count, what)| format!("{count} {what}")).collect()
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (parts, unchanged) = (self.parts(), self.unchanged);
        if parts.is_empty() {
            write!(f, "Nothing to do: {unchanged} objects are as the fleet files say.")
        } else {
            write!(f, "Plan: {}; {unchanged} unchanged.", parts.join(", "))
        }
    }
}
