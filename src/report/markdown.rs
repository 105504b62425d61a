//! A plan as the comment of a pull request.
//!
//! Invariant: the first line is a marker by which the comment is found and written anew, never twice, and the last one says
//! what the plan came to; the text is never longer than a host takes, and what was cut is counted. Nothing that a file or a live
//! object says can end the block that it stands in.

use std::fmt::Write as _;

use super::disruption_text;
use super::left_out;
use super::needs_text;
use super::plan_text::alike::Alike;
use super::plan_text::{PlanText, Totals, alike_more, listed};
use super::style::{Style, seen};
use super::units::{self, Weight};
use super::upgrade_text;
use super::verdict::Verdict;
use crate::diag::{Diagnostic, Severity};
use crate::plan::Plan;
use crate::plan::change::Change;
use crate::plan::preconditions::Met;

/// Bytes of a comment: GitHub takes 65,536 characters, and the marker, counts and notes of others want room.
const LONGEST: usize = 60 * 1024;
/// Bytes of what is shown of one unit.
const LONGEST_UNIT: usize = 12 * 1024;
/// Bytes that are kept for what comes after the units.
const TAIL: usize = 5 * 1024;
/// Bytes of a sentence: with ten of each kind that comes before the units, more than ten of these are left for the units.
const LONGEST_LINE: usize = 800;
/// The same of one that comes after them.
const LONGEST_HELD: usize = 300;

/// What a comment is about beside the plan.
#[derive(Clone, Copy, Debug)]
pub struct Comment<'a> {
    /// The fleet's name: a repository may hold several, and each has a comment of its own.
    pub fleet: &'a str,
    /// What the plan was compared with; none for the live state.
    pub compared_with: Option<&'a str>,
    /// What the plan came to: the last line, by which a comment is known to be whole.
    pub verdict: Verdict,
}

/// The line by which a fleet's comment is known.
pub fn marker(fleet: &str) -> String {
    format!("<!-- fleetwright plan of {} -->", unending(fleet))
}

/// A name as it may stand in an HTML comment, which two dashes might end.
pub fn unending(name: &str) -> String {
    name.replace("--", "-\u{200b}-")
}

impl Comment<'_> {
    /// The comment.
    pub fn render(&self, plan: &Plan) -> String {
        let mut text = format!("{}\n", marker(self.fleet));
        // Writing to a String can't fail.
        let _ = self.write(&mut text, plan);
        ended(&text, self.verdict)
    }

    fn write(&self, out: &mut String, plan: &Plan) -> std::fmt::Result {
        writeln!(out, "### fleetwright: {}\n", Totals::of(plan))?;
        let compared = match self.compared_with {
            Some(base) => format!(" compared with {}", code(base)),
            None => String::new(),
        };
        writeln!(
            out,
            "Fleet {}, revision {}{compared}.\n",
            code(self.fleet),
            code(plan.revised.revision.as_str())
        )?;
        refusals(out, plan)?;
        upgrades(out, plan)?;
        needs(out, plan)?;
        let warnings = plan.warnings();
        for warning in warnings.iter().take(10) {
            writeln!(out, "> **Warning:** {}\n", line(warning))?;
        }
        if warnings.len() > 10 {
            writeln!(out, "> …and {}\n", more(warnings.len() - 10, "warning"))?;
        }
        if let Some(line) = disruption_text::totals(&plan.forecast.totals) {
            writeln!(out, "**{}**\n", plain(&line))?;
        }
        let unknown = left_out::unknown(Totals::of(plan).unknown());
        let unknown = unknown.map(|line| format!("Not known: {line}"));
        for line in [
            unknown,
            left_out::narrowed(plan),
            left_out::ignored(plan),
            left_out::contested(plan),
        ]
        .into_iter()
        .flatten()
        {
            writeln!(out, "{}\n", self::line(&line))?;
        }
        let units = PlanText { style: Style::Plain }.units(plan);
        let mut shown = 0;
        for alike in &units {
            let section = section(plan, alike);
            if out.len() + section.len() + TAIL > LONGEST {
                break;
            }
            out.push_str(&section);
            shown += 1;
        }
        let (mut cut, mut totals) = (0, Totals::of_changes(&[]));
        for alike in units.iter().skip(shown) {
            // Those that are alike have as many changes each.
            let times = 1 + alike.others.len();
            cut += times;
            totals.add(&Totals::of_changes(alike.first), times);
        }
        if cut > 0 {
            let units = if cut == 1 {
                "cluster or network"
            } else {
                "clusters and networks"
            };
            writeln!(
                out,
                "…and {cut} more {units}, which did not fit: {}; `fleetwright plan` shows all.\n",
                totals.parts().join(", "),
            )?;
        }
        for held in plan.held.iter().take(10) {
            let left = format!("{}: {}", held.unit, held.reason);
            writeln!(out, "- left alone: {}", line_of(&left, LONGEST_HELD))?;
        }
        if plan.held.len() > 10 {
            writeln!(out, "- and {} more that are left alone", plan.held.len() - 10)?;
        }
        Ok(())
    }
}

/// What is wrong with a fleet's files, as a comment of its own.
pub fn problems(fleet: &str, diagnostics: &[Diagnostic]) -> String {
    let marker = marker(fleet).replace(" plan of ", " files of ");
    let summary = match super::diagnostics::summary(diagnostics) {
        summary if summary.is_empty() => "the fleet files are in order".to_owned(),
        summary => summary,
    };
    let mut text = format!("{marker}\n### fleetwright: {summary}\n\n");
    let mut shown = 0;
    for one in diagnostics {
        let place = one
            .span
            .as_ref()
            .map_or_else(String::new, |span| format!(" {}", code(&span.to_string())));
        let mut line = format!("- **{}**{place}: {}", one.code, plain(&one.message));
        for hint in &one.hints {
            let _ = write!(line, "; {}", plain(hint));
        }
        if text.len() + line.len() + TAIL > LONGEST {
            break;
        }
        let _ = writeln!(text, "{line}");
        shown += 1;
    }
    if shown < diagnostics.len() {
        let _ = writeln!(text, "\n…and {} more, which did not fit.", diagnostics.len() - shown);
    }
    let is_wrong = diagnostics.iter().any(|one| one.severity == Severity::Error);
    ended(&text, if is_wrong { Verdict::Incomplete } else { Verdict::Clean })
}

/// With the verdict on a line of its own, which no list and no quotation takes in.
fn ended(text: &str, verdict: Verdict) -> String {
    format!("{}\n\n{}\n", text.trim_end(), verdict.line())
}

fn upgrades(out: &mut String, plan: &Plan) -> std::fmt::Result {
    let told = plan.courses.iter();
    let told: Vec<_> = told
        .filter_map(|(unit, course)| Some((unit, upgrade_text::line(course, upgrade_text::stop(plan, unit))?)))
        .collect();
    for (unit, way) in told.iter().take(10) {
        writeln!(out, "- upgrade of {}", line(&format!("{unit}: {way}")))?;
    }
    if told.len() > 10 {
        writeln!(out, "- and {} more upgrades", told.len() - 10)?;
    }
    if !told.is_empty() {
        writeln!(out)?;
    }
    Ok(())
}

/// What has to be there and is not ours to make.
fn needs(out: &mut String, plan: &Plan) -> std::fmt::Result {
    let open: Vec<_> = plan.needs.iter().filter(|need| need.met != Met::Yes).collect();
    for need in open.iter().take(10) {
        writeln!(out, "- {}", line(&needs_text::line(need)))?;
    }
    if open.len() > 10 {
        let rest = &open[10..];
        let missing = rest.iter().filter(|need| need.met == Met::No).count();
        writeln!(out, "- and {}, {missing} of them not there", more(rest.len(), "need"))?;
    }
    if !open.is_empty() {
        writeln!(out)?;
    }
    Ok(())
}

/// `1 more warning`, `3 more warnings`.
fn more(n: usize, noun: &str) -> String {
    format!("{n} more {noun}{}", if n == 1 { "" } else { "s" })
}

fn refusals(out: &mut String, plan: &Plan) -> std::fmt::Result {
    for refusal in plan.refusals.iter().take(10) {
        writeln!(
            out,
            "> **Refused** ({}): {}\n>\n> To lift: {}\n",
            code(refusal.guard),
            line(&refusal.message),
            line(&refusal.lift)
        )?;
    }
    if plan.refusals.len() > 10 {
        writeln!(out, "> …and {} more refusals\n", plan.refusals.len() - 10)?;
    }
    Ok(())
}

/// One unit and those that are like it, folded; what is refused or takes something away is open.
fn section(plan: &Plan, alike: &Alike<'_>) -> String {
    let changes = alike.first;
    let Some(first) = changes.first() else {
        return String::new();
    };
    let weight = units::weight(plan, changes);
    let open = if weight >= Weight::Replacement { " open" } else { "" };
    let sign = match weight {
        Weight::Refused => "⛔ ",
        Weight::Delete | Weight::Replacement => "⚠️ ",
        Weight::Update | Weight::Little => "",
    };
    let (text, left_out) = cut(&alike.text);
    let more = match left_out.len() {
        0 => String::new(),
        lines => {
            let begun = left_out.iter().filter(|line| is_head(line)).count();
            let with = match begun {
                0 => String::new(),
                begun => format!(", of {}", self::more(begun, "change")),
            };
            format!("…and {}{with}\n", self::more(lines, "line"))
        }
    };
    let fence = fence(&text);
    let others = if alike.others.is_empty() {
        String::new()
    } else {
        let names = listed(&alike.others);
        let names: Vec<&str> = names.split_whitespace().collect();
        plain(&format!("{} {}.", alike_more(&alike.others), names.join(" "))) + "\n\n"
    };
    format!(
        "<details{open}><summary>{sign}<b>{}</b>{}: {}</summary>\n\n{fence}text\n{text}{more}{fence}\n\n{others}</details>\n\n",
        html(&first.unit.to_string()),
        html(&and_others(alike)),
        counted(changes),
    )
}

/// ` and 99 more`; nothing where there is no other.
fn and_others(alike: &Alike<'_>) -> String {
    match alike.others.len() {
        0 => String::new(),
        others => format!(" and {others} more like it, in each"),
    }
}

/// `2 to create, 1 waiting`.
fn counted(changes: &[Change]) -> String {
    let totals = Totals::of_changes(changes);
    totals.parts().join(", ")
}

/// Whole lines of a text that fit, and those that do not.
fn cut(text: &str) -> (String, Vec<&str>) {
    let mut kept = String::with_capacity(text.len().min(LONGEST_UNIT));
    let mut left_out = Vec::new();
    for line in text.split_inclusive('\n') {
        if text.len() > LONGEST_UNIT && (!left_out.is_empty() || kept.len() + line.len() > LONGEST_UNIT) {
            left_out.push(line);
        } else {
            kept.push_str(line);
        }
    }
    (kept, left_out)
}

/// Whether a line is the first of a change: what is said of it stands farther to the right.
fn is_head(line: &str) -> bool {
    line.strip_prefix("  ").is_some_and(|rest| !rest.starts_with(' '))
}

/// Longer than any run of backticks in the text.
fn fence(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    "`".repeat(longest.max(2) + 1)
}

/// A word in code.
fn code(text: &str) -> String {
    let text: String = seen(text.to_owned()).chars().filter(|c| !c.is_control()).collect();
    let fence = "`".repeat(text.split(|c| c != '`').map(str::len).max().unwrap_or_default() + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') || text.is_empty() {
        " "
    } else {
        ""
    };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// As [`plain`], and not too long.
fn line(text: &str) -> String {
    line_of(text, LONGEST_LINE)
}

fn line_of(text: &str, longest: usize) -> String {
    let mut plain = String::new();
    for c in seen(text.to_owned()).chars() {
        if plain.len() >= longest {
            plain.push('…');
            break;
        }
        push_plain(&mut plain, c);
    }
    plain
}

/// A sentence: it begins no list, mentions nobody, holds no markup.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    seen(text.to_owned()).chars().for_each(|c| push_plain(&mut plain, c));
    plain
}

fn push_plain(plain: &mut String, c: char) {
    match c {
        '\n' | '\r' => plain.push(' '),
        '\\' | '*' | '_' | '[' | ']' | '#' | '|' | '~' => plain.extend(['\\', c]),
        '<' => plain.push_str("&lt;"),
        '>' => plain.push_str("&gt;"),
        '&' => plain.push_str("&amp;"),
        // Hosts write to whoever is named so.
        '@' => plain.push_str("@\u{200b}"),
        c if c.is_control() => {}
        c => plain.push(c),
    }
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::plan::change::tests::change;
    use crate::plan::change::tests::plan as plan_of;
    use crate::plan::change::{Action, Block, FieldDiff};
    use crate::plan::preconditions::Need;

    const COMMENT: Comment<'_> = Comment {
        fleet: "acme",
        compared_with: None,
        verdict: Verdict::Changes,
    };

    fn field(before: &str, after: &str) -> FieldDiff {
        FieldDiff {
            field: ".spec.x".to_owned(),
            before: Some(json!(before)),
            after: Some(json!(after)),
            owner: None,
            replaces: false,
        }
    }

    #[test]
    fn the_worst_comes_first_and_is_open() {
        let mut refused = change("c", "HostedCluster", "c", Action::Delete);
        refused.blocks.push(Block::Guard { guard: "protected" });
        let plan = plan_of(vec![
            change("a", "NodePool", "a-x", Action::Create),
            change("b", "NodePool", "b-x", Action::Delete),
            refused,
        ]);
        let text = COMMENT.render(&plan);
        let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what}: {text}"));
        assert!(text.starts_with("<!-- fleetwright plan of acme -->\n"));
        assert!(at("<details open><summary>⛔ <b>cluster c</b>") < at("<details open><summary>⚠️ <b>cluster b</b>"));
        assert!(at("<b>cluster b</b>") < at("<details><summary><b>cluster a</b>: 1 to create"));
    }

    #[test]
    fn nothing_in_a_value_ends_its_block_or_names_somebody() {
        let mut hostile = change("a", "ConfigMap", "a", Action::Update);
        hostile.fields.push(field("x", "```\n</details>\n````\n@everyone"));
        hostile.blocks.push(Block::Guard { guard: "g" });
        let mut plan = plan_of(vec![hostile]);
        plan.refusals.push(crate::plan::guards::Refusal {
            guard: "g",
            message: "<img src=x> *not* @octocat".to_owned(),
            lift: "a\n# b".to_owned(),
            objects: Vec::new(),
        });
        let text = COMMENT.render(&plan);
        assert!(text.contains("`````text\n"), "{text}");
        assert!(text.contains("&lt;img src=x&gt; \\*not\\* @\u{200b}octocat"), "{text}");
        assert!(!text.contains("\n# b"), "{text}");

        // Nor is anything turned around, or hidden.
        let mut turned = change("a", "ConfigMap", "a", Action::Update);
        turned.fields.push(field("x", "a\u{202e}b\u{200b}c"));
        let text = COMMENT.render(&plan_of(vec![turned]));
        assert!(text.contains("a\\u{202e}b\\u{200b}c"), "{text}");
    }

    #[test]
    fn a_long_plan_is_cut_and_what_was_cut_is_counted() {
        let long = "y".repeat(90);
        let changes = (0..3000).map(|i| {
            let name = format!("c{i:04}");
            let mut one = change(&name, "NodePool", &name, Action::Update);
            one.fields.push(field(&long, &format!("value {i}")));
            one
        });
        let plan = plan_of(changes.collect());
        let text = COMMENT.render(&plan);
        assert!(text.len() <= LONGEST, "{}", text.len());
        assert!(text.contains("3000 to update"), "{}", &text[..300]);
        let shown = text.matches("<details").count();
        let cut = format!(
            "…and {0} more clusters and networks, which did not fit: {0} to update; ",
            3000 - shown
        );
        assert!(shown > 50 && text.contains(&cut), "{shown}");

        let mut one = change("a", "NodePool", "a", Action::Update);
        one.fields.extend((0..2000).map(|_| field(&long, "z")));
        let text = COMMENT.render(&plan_of(vec![one]));
        assert!(
            text.len() < LONGEST_UNIT + TAIL && text.contains("more lines\n```"),
            "{}",
            text.len()
        );
    }

    #[test]
    fn of_a_unit_that_is_cut_the_changes_are_counted_too() {
        let many = (0..300).map(|i| {
            let mut one = change("a", "NodePool", &format!("a-{i:03}"), Action::Update);
            one.fields.push(field(&"y".repeat(90), &format!("value {i}")));
            one
        });
        let text = COMMENT.render(&plan_of(many.collect()));
        assert!(text.contains("<b>cluster a</b>: 300 to update"), "{}", &text[..600]);
        let shown = text.matches("  ~ NodePool").count();
        let left = format!(", of {} more changes\n```", 300 - shown);
        assert!(shown > 10 && shown < 300 && text.contains(&left), "{shown}: {text}");
    }

    #[test]
    fn what_units_need_is_said_and_what_is_there_is_not() {
        let mut plan = plan_of(vec![change("a", "HostedCluster", "a", Action::Create)]);
        let need = |met: Met, what: &str| Need {
            met,
            what: what.to_owned(),
            why: Vec::new(),
            units: BTreeSet::from([plan.changes[0].unit.clone()]),
        };
        let mut needs = vec![
            need(Met::No, "Secret sources/pull-secret on m"),
            need(Met::Unchecked, "a DNS record api.a"),
            need(Met::Yes, "the API route.openshift.io"),
        ];
        needs.extend((0..10).map(|i| need(Met::No, &format!("Secret x{i}"))));
        plan.needs = needs;
        let text = COMMENT.render(&plan);
        assert!(
            text.contains(
                "- missing: Secret sources/pull-secret on m (for cluster a)\n- needed, not checked: a DNS record"
            ),
            "{text}"
        );
        assert!(text.contains("- and 2 more needs, 2 of them not there\n"), "{text}");
        assert!(!text.contains("route.openshift.io"), "{text}");
    }

    #[test]
    fn no_sentence_takes_the_place_of_the_rest() {
        let mut plan = plan_of(vec![change("a", "NodePool", "a", Action::Update)]);
        for _ in 0..12 {
            plan.refusals.push(crate::plan::guards::Refusal {
                guard: "g",
                message: "<very> ".repeat(5000),
                lift: "long ".repeat(5000),
                objects: Vec::new(),
            });
            plan.contests.push("@somebody ".repeat(5000));
            plan.held.push(crate::plan::Held {
                unit: plan.changes[0].unit.clone(),
                reason: "& ".repeat(5000),
            });
        }
        let text = COMMENT.render(&plan);
        assert!(text.len() <= LONGEST, "{}", text.len());
        assert!(text.contains("<b>cluster a</b>: 1 to update"), "the changes are there");
    }
}
