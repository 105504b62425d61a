//! A plan for people: by unit, field by field, what waits and why, totals last.

pub(super) mod alike;
mod block;
mod field;
mod members;
mod totals;

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

pub(super) use block::BlockText;
pub(super) use totals::Totals;

use super::style::{Style, Tone, seen};
use super::{disruption_text, left_out, needs_text, units, upgrade_text};
use crate::plan::Plan;
use crate::plan::change::{Action, Change, Preview};
use crate::plan::disruption::Class;
use crate::plan::preconditions::Met;
use crate::resource::{Target, UnitId};

/// How much is shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlanText {
    /// Colour.
    pub style: Style,
}

/// Objects of a refusal that are named.
const NAMED: usize = 5;
/// Units that are named where the same holds for all of them.
const NAMED_UNITS: usize = 200;
/// Where a line of names is broken, in characters.
const WIDTH: usize = 100;

impl PlanText {
    /// The text.
    pub fn render(&self, plan: &Plan) -> String {
        let mut out = String::new();
        // Writing to a String can't fail.
        let _ = self.write(&mut out, plan);
        seen(out)
    }

    /// The units, the worst first; those that are alike together.
    pub(super) fn units<'a>(&self, plan: &'a Plan) -> Vec<alike::Alike<'a>> {
        let units = units::worst_first(plan).into_iter();
        let with_text = units.map(|changes| (changes, self.unit(plan, changes)));
        alike::together(with_text.collect())
    }

    /// The text of one unit's changes alone.
    fn unit(&self, plan: &Plan, changes: &[Change]) -> String {
        let mut out = String::new();
        let _ = self.changes(&mut out, plan, changes);
        seen(out)
    }

    /// Each change, and what it costs. What is just as with the change before is said once.
    fn changes(&self, out: &mut String, plan: &Plan, changes: &[Change]) -> fmt::Result {
        let style = self.style;
        let mut last: Option<(Action, &'static str, String)> = None;
        for change in changes {
            let (sign, tone) = match change.action {
                Action::Create => ("+", Tone::Good),
                Action::Update => ("~", Tone::Warn),
                Action::Adopt => ("@", Tone::Warn),
                Action::Delete => ("-", Tone::Bad),
                Action::Forget => ("x", Tone::Faint),
                Action::Leave => ("?", Tone::Faint),
            };
            let mut details = String::new();
            self.details(&mut details, change, plan)?;
            let this = (change.action, block::reason(change), details);
            let is_same = !this.2.is_empty() && last.as_ref() == Some(&this);
            let why = if is_same { "the same" } else { this.1 };
            let cost = plan.forecast.changes.get(&change.id);
            let is_in_place = cost.is_some_and(|cost| cost.class == Class::InPlace);
            let why = style.paint(
                Tone::Faint,
                format!("{why}{}", if is_in_place { " (in place)" } else { "" }),
            );
            writeln!(out, "  {} {}  {why}", style.paint(tone, sign), change.id)?;
            if !is_same {
                out.push_str(&this.2);
            }
            last = Some(this);
            if let Some(line) = cost.and_then(|cost| disruption_text::line(cost, &change.id)) {
                writeln!(out, "      {} {line}", style.paint(Tone::Warn, "!"))?;
            }
        }
        Ok(())
    }

    fn write(&self, out: &mut String, plan: &Plan) -> fmt::Result {
        let style = self.style;
        for alike in self.units(plan) {
            if let Some(first) = alike.first.first() {
                let on = style.paint(Tone::Faint, format!("on {}", first.recorded_on));
                let typed = plan.origins.units.get(&first.unit);
                let typed = typed.map_or_else(String::new, |typed| {
                    format!("  {}", style.paint(Tone::Faint, field::origin(typed)))
                });
                writeln!(out, "{} {on}{typed}", style.paint(Tone::Strong, &first.unit))?;
            }
            out.push_str(&alike.text);
            if !alike.others.is_empty() {
                let more = alike_more(&alike.others);
                writeln!(out, "{}{}", style.paint(Tone::Strong, &more), listed(&alike.others))?;
            }
            writeln!(out)?;
        }
        self.held(out, plan)?;
        self.needs(out, plan)?;
        for (unit, course) in &plan.courses {
            if let Some(line) = upgrade_text::line(course, upgrade_text::stop(plan, unit)) {
                writeln!(out, "{} {unit}: {line}", style.paint(Tone::Strong, "upgrade:"))?;
            }
        }
        for warning in plan.warnings() {
            writeln!(out, "{} {warning}", style.paint(Tone::Warn, "warning:"))?;
        }
        self.refusals(out, plan)?;
        let totals = Totals::of(plan);
        if let Some(line) = left_out::unknown(totals.unknown()) {
            writeln!(out, "{} {line}", style.paint(Tone::Bad, "not known:"))?;
        }
        if let Some(line) = disruption_text::totals(&plan.forecast.totals) {
            writeln!(out, "{line}")?;
        }
        for line in [
            left_out::ignored(plan),
            left_out::contested(plan),
            left_out::narrowed(plan),
        ]
        .into_iter()
        .flatten()
        {
            writeln!(out, "{line}")?;
        }
        writeln!(out, "{totals}")
    }

    /// What is left alone, by the reason for it.
    fn held(&self, out: &mut String, plan: &Plan) -> fmt::Result {
        let mut by_reason: BTreeMap<&str, Vec<&UnitId>> = BTreeMap::new();
        for held in &plan.held {
            by_reason.entry(&held.reason).or_default().push(&held.unit);
        }
        let word = self.style.paint(Tone::Warn, "left alone:");
        for (reason, units) in &by_reason {
            match units[..] {
                [unit] => writeln!(out, "{word} {unit}: {reason}")?,
                [first, ref others @ ..] => {
                    let and = if others.len() == 1 { "1 more" } else { "more" };
                    writeln!(
                        out,
                        "{word} {first} and {and}: {reason}\n    {}",
                        listed(others).trim_start()
                    )?;
                }
                [] => {}
            }
        }
        if !by_reason.is_empty() {
            writeln!(out)?;
        }
        Ok(())
    }

    /// What has to be there and is not ours to make.
    fn needs(&self, out: &mut String, plan: &Plan) -> fmt::Result {
        let style = self.style;
        for need in needs_text::told(plan) {
            let tone = match need.met {
                Met::No | Met::Unknown => Tone::Bad,
                Met::Unchecked | Met::Yes => Tone::Faint,
            };
            let word = style.paint(tone, needs_text::word(need));
            writeln!(out, "{word} {}", needs_text::what(need))?;
        }
        if needs_text::told(plan).next().is_some() {
            writeln!(out)?;
        }
        Ok(())
    }

    fn refusals(&self, out: &mut String, plan: &Plan) -> fmt::Result {
        let style = self.style;
        for refusal in &plan.refusals {
            writeln!(
                out,
                "{} {}",
                style.paint(Tone::Bad, format!("refused ({}):", refusal.guard)),
                refusal.message
            )?;
            for id in refusal.objects.iter().take(NAMED) {
                writeln!(out, "    {id}")?;
            }
            if refusal.objects.len() > NAMED {
                writeln!(out, "    and {} more", refusal.objects.len() - NAMED)?;
            }
            writeln!(out, "  to lift: {}\n", refusal.lift)?;
        }
        Ok(())
    }

    /// What is to be said of a change besides what it is, why it is wanted, and what it costs.
    fn details(&self, out: &mut String, change: &Change, plan: &Plan) -> fmt::Result {
        let style = self.style;
        let is_mark = |field: &&_| change.action == Action::Adopt && field::is_new_mark(field);
        let members = members::alike(&change.fields);
        for (at, field) in change.fields.iter().enumerate().filter(|(_, field)| !is_mark(field)) {
            match members.get(&at) {
                Some(members) => members.write(out, style)?,
                None if members.values().any(|members| members.holds(at)) => {}
                None => field::write(out, field, change, plan.origins.field(&change.id, &field.field), style)?,
            }
        }
        if change.fields.iter().any(|field| is_mark(&field)) {
            writeln!(out, "      {} our labels and owner mark", style.paint(Tone::Good, "+"))?;
        }
        if let Some(later) = &change.later {
            let when = format!("later, by itself; waits for {}:", later.after);
            writeln!(out, "      {}", style.paint(Tone::Faint, when))?;
            let typed = plan.origins.field(&change.id, &later.field.field);
            field::write(out, &later.field, change, typed, style)?;
        }
        let is_oci = change.id.target == Target::Oci;
        // There the mark is no field: an update of nothing is one of our tags, which somebody took off.
        let has_lost_its_mark = change.action == Action::Update && is_oci && change.fields.is_empty();
        if is_oci && (change.action == Action::Adopt || has_lost_its_mark) {
            writeln!(out, "      {} our owner mark", style.paint(Tone::Good, "+"))?;
        }
        if let Some(typed) = plan.origins.objects.get(&change.id) {
            writeln!(out, "      {}", style.paint(Tone::Faint, field::origin(typed)))?;
        }
        if let Some(taken_out) = plan.origins.taken_out.get(&change.id) {
            let line = field::taken_out(taken_out);
            writeln!(out, "      {}", style.paint(Tone::Faint, line))?;
        }
        if change.action == Action::Update && change.fields.is_empty() && change.goes_ahead() && !is_oci {
            writeln!(out, "      (nothing but who owns its fields differs)")?;
        }
        if change.preview == Preview::Server {
            writeln!(
                out,
                "      (as the server's dry-run answers: it differs from our prediction)"
            )?;
        }
        block::write(out, change, style)
    }
}

/// `the same in 99 more clusters:`
pub(super) fn alike_more(others: &[&UnitId]) -> String {
    let kind = others.first().map_or("unit", |unit| match unit {
        UnitId::Cluster(_) => "cluster",
        UnitId::Network(_) => "network",
        UnitId::ManagementCluster(_) => "management cluster",
    });
    let plural = if others.len() == 1 { "" } else { "s" };
    format!("the same, name for name, in {} more {kind}{plural}:", others.len())
}

/// Names, on lines that are not too long, each after the start of a line of its own; of very many the first.
pub(super) fn listed(units: &[&UnitId]) -> String {
    let mut text = String::new();
    let mut width = WIDTH;
    for (i, unit) in units.iter().take(NAMED_UNITS).enumerate() {
        let comma = if i + 1 == units.len() { "" } else { "," };
        let name = format!(" {}{comma}", unit.name());
        if width + name.len() > WIDTH {
            text.push_str("\n   ");
            width = 0;
        }
        width += name.len();
        text.push_str(&name);
    }
    if units.len() > NAMED_UNITS {
        let _ = write!(text, " and {} more", units.len() - NAMED_UNITS);
    }
    text
}
