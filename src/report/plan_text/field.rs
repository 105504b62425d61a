//! One field's way: its value before and after on one line where they fit, who had set it, and which line of the files does.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use serde_json::Value;

use crate::plan::change::{Change, FieldDiff, Reason};
use crate::plan::origins::{SetBy, TakenOut, Typed};
use crate::report::style::{Style, Tone};
use crate::resource::Target;
use crate::resource::mark::{MANAGED_BY_LABEL, OWNER_ANNOTATION, OwnerMark};

/// Longest value shown on one line, in characters.
const LONGEST: usize = 100;
/// The same of a member of a set, which is its own name, and of lists and maps.
const LONGEST_MEMBER: usize = 240;
/// What is shown of a long value before the place where it differs.
const BEFORE: usize = 30;

/// Writes one field of a change.
pub(super) fn write(
    out: &mut String,
    field: &FieldDiff,
    change: &Change,
    typed: Option<&Typed>,
    style: Style,
) -> fmt::Result {
    let typed = typed.map_or_else(String::new, |typed| format!("  {}", origin(typed)));
    let owner = style.paint(Tone::Faint, format!("{typed}{}", owner(field, change)));
    let (path, is_member) = match field.field.rsplit_once("[=") {
        Some((list, member)) if member.ends_with(']') => (format!("{list}[]"), true),
        _ => (field.field.clone(), false),
    };
    let mark = path.strip_prefix(".metadata.annotations.") == Some(OWNER_ANNOTATION);
    let shown = |value: &Value| {
        let of_mark = mark.then(|| value.as_str().and_then(|text| OwnerMark::parse(text).ok()));
        match of_mark.flatten() {
            Some(mark) => format!("{} of fleet {}", mark.unit, mark.fleet),
            None if is_member || !value.is_string() => cut(&value.to_string(), LONGEST_MEMBER),
            None => cut(&value.to_string(), LONGEST),
        }
    };
    if let Some((before, after)) = spread(field).filter(|_| !mark && !is_member) {
        let (sign, tone) = match (&field.before, &field.after) {
            (None, _) => ("+", Tone::Good),
            (_, None) => ("-", Tone::Bad),
            _ => ("~", Tone::Warn),
        };
        writeln!(out, "      {} {path}:{owner}", style.paint(tone, sign))?;
        return lines(out, &before, &after, style);
    }
    match (&field.before, &field.after) {
        (None, Some(after)) => {
            writeln!(
                out,
                "      {} {path}: {}{owner}",
                style.paint(Tone::Good, "+"),
                shown(after)
            )
        }
        (Some(before), None) => {
            writeln!(
                out,
                "      {} {path}: {}{owner}",
                style.paint(Tone::Bad, "-"),
                shown(before)
            )
        }
        (Some(before), Some(after)) => {
            let sign = style.paint(Tone::Warn, "~");
            let is_long = |value: &Value| plain(value).chars().count() > LONGEST;
            if !mark && (is_long(before) || is_long(after)) {
                let (before, after) = around(before, after);
                return writeln!(out, "      {sign} {path}: {before} → {after}{owner}");
            }
            writeln!(out, "      {sign} {path}: {} → {}{owner}", shown(before), shown(after))
        }
        (None, None) => Ok(()),
    }
}

/// Who set what is there, as far as that is of interest and known.
fn owner(field: &FieldDiff, change: &Change) -> String {
    match (&field.owner, change.reason) {
        (Some(owner), _) => {
            let when = owner.time.as_deref().unwrap_or("time not recorded");
            format!("  was set by {}, {when}", owner.manager)
        }
        // It is so of every field there: the change says it once.
        (None, Reason::Drifted) if change.id.target == Target::Oci => String::new(),
        (None, Reason::Drifted) if field.before.is_none() => {
            "  was removed; by whom and when is not recorded".to_owned()
        }
        (None, Reason::Drifted) => "  by whom and when is not recorded".to_owned(),
        (None, _) => String::new(),
    }
}

/// Both values as lines, where one line would not hold them: texts of several lines, and long lists and maps.
fn spread(field: &FieldDiff) -> Option<(String, String)> {
    let values = [&field.before, &field.after];
    let is_long = |value: &Value| match value {
        Value::String(text) => text.trim_end().contains('\n'),
        Value::Array(_) | Value::Object(_) => value.to_string().chars().count() > LONGEST_MEMBER,
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    };
    if !values.into_iter().flatten().any(is_long) {
        return None;
    }
    let [before, after] = values.map(|value| match value {
        None => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => format!("{value:#}\n"),
    });
    Some((before, after))
}

/// The lines that differ, and two on either side.
fn lines(out: &mut String, before: &str, after: &str, style: Style) -> fmt::Result {
    let diff = similar::TextDiff::from_lines(before, after);
    for hunk in diff.unified_diff().context_radius(2).iter_hunks() {
        for line in hunk.to_string().lines() {
            let tone = match line.as_bytes().first() {
                Some(b'+') => Tone::Good,
                Some(b'-') => Tone::Bad,
                _ => Tone::Faint,
            };
            writeln!(out, "          {}", style.paint(tone, visible(line)))?;
        }
    }
    Ok(())
}

/// `clusters/a.yaml:12, commit 1a2b3c4d5e: Raise the replicas`
pub(super) fn origin(typed: &Typed) -> String {
    let place = format!("{}:{}", typed.span.file, typed.span.line);
    match &typed.commit {
        None => place,
        Some(by) => format!("{place}, {}", commit(by)),
    }
}

/// `taken out by commit 1a2b3c4d5e: No more GPUs (it was clusters/a.yaml:12)`
pub(super) fn taken_out(taken_out: &TakenOut) -> String {
    let by = match &taken_out.by {
        SetBy::Worktree => "taken out, not committed".to_owned(),
        by @ SetBy::Commit { .. } => format!("taken out by {}", commit(by)),
    };
    match &taken_out.was {
        Some(was) => format!("{by} (it was {}:{})", was.file, was.line),
        None => by,
    }
}

fn commit(by: &SetBy) -> String {
    match by {
        SetBy::Worktree => "not committed".to_owned(),
        SetBy::Commit { id, subject } => {
            let id = id.as_str();
            format!("commit {}: {}", id.get(..10).unwrap_or(id), visible(subject))
        }
    }
}

/// Both of two long values from shortly before the place where they differ: what is the same in front of it could be all that fits.
fn around(before: &Value, after: &Value) -> (String, String) {
    let (one, other) = (plain(before), plain(after));
    let same = one.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    let from = same.saturating_sub(BEFORE);
    let shown = |value: &Value, text: &str| {
        let rest: String = text.chars().skip(from).collect();
        let rest = if from > 0 { format!("…{rest}") } else { rest };
        match value {
            Value::String(_) => cut(&Value::from(rest).to_string(), LONGEST),
            _ => cut(&rest, LONGEST),
        }
    };
    (shown(before, &one), shown(after, &other))
}

/// A text as it is, and anything else as JSON.
fn plain(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

/// A value on one line, cut where it is long.
fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((cut, _)) => format!("{}… ({} characters)", &text[..cut], text.chars().count()),
        None => text.to_owned(),
    }
}

/// Whether it is one of the labels and annotations by which we know our objects, put on for the first time: every adoption
/// has the same handful.
pub(super) fn is_new_mark(field: &FieldDiff) -> bool {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::change::Action;
    use crate::plan::change::tests::change;
    use crate::resource::{ClusterName, FleetUid, UnitId};

    fn shown(path: &str, before: Option<Value>, after: Option<Value>) -> String {
        let diff = FieldDiff {
            field: path.to_owned(),
            before,
            after,
            owner: None,
            replaces: false,
        };
        let mut text = String::new();
        write(
            &mut text,
            &diff,
            &change("a", "NodePool", "a", Action::Update),
            None,
            Style::Plain,
        )
        .unwrap();
        text.trim().to_owned()
    }

    #[test]
    fn of_long_values_that_part_is_shown_which_differs() {
        let long = |end: &str| Some(json!(format!("{}{end}", "x".repeat(150))));
        let text = shown(".spec.a", long("one"), long("two"));
        let same = "x".repeat(30);
        assert_eq!(text, format!("~ .spec.a: \"…{same}one\" → \"…{same}two\""));
        let text = shown(".spec.a", Some(json!("y".repeat(150))), long(""));
        assert!(text.contains("yy… (152 characters) → \"xx"), "{text}");
    }

    #[test]
    fn of_long_lists_that_part_is_shown_which_differs() {
        let taints = |last: &str| {
            let taint = |key: &str| json!({"effect": "NoSchedule", "key": key, "value": "true"});
            Some(json!([
                taint("nvidia.com/gpu"),
                taint("example.com/a-key-of-some-length"),
                taint("example.com/another"),
                taint("example.com/third"),
                taint(last)
            ]))
        };
        let text = shown(".spec.taints", taints("a"), taints("b"));
        let told: Vec<&str> = text.lines().map(str::trim).collect();
        assert_eq!(told[0], "~ .spec.taints:");
        for line in [r#"-    "key": "a","#, r#"+    "key": "b","#] {
            assert!(told.contains(&line), "{text}");
        }
        assert!(!text.contains("nvidia"), "{text}");
    }

    #[test]
    fn what_is_new_and_long_is_shown_whole() {
        let text = shown(".data.conf", None, Some(json!("[a]\nb = 1\n")));
        let told: Vec<&str> = text.lines().map(str::trim).collect();
        assert_eq!((told[0], &told[2..]), ("+ .data.conf:", &["+[a]", "+b = 1"][..]));
        let hosts: Vec<String> = (0..20).map(|i| format!("host-{i}.example.com")).collect();
        let text = shown(".spec.noProxy", Some(json!(hosts)), None);
        assert!(
            text.starts_with("- .spec.noProxy:\n") && text.contains("-  \"host-19.example.com\""),
            "{text}"
        );
    }

    #[test]
    fn a_member_of_a_set_is_told_once() {
        let rule = json!({"protocol": "6", "source": "10.0.0.0/8"});
        let path = format!(".spec.rules[={rule}]");
        assert_eq!(
            shown(&path, None, Some(rule.clone())),
            format!("+ .spec.rules[]: {rule}")
        );
    }

    #[test]
    fn of_an_owner_mark_it_is_told_whose_it_is() {
        let id = change("a", "NodePool", "a", Action::Update).id;
        let mark = |cluster: &str| {
            let unit = UnitId::Cluster(ClusterName::new(cluster));
            Some(json!(
                OwnerMark::for_object(&FleetUid::new("f"), &unit, &id).to_annotation()
            ))
        };
        let path = format!(".metadata.annotations.{OWNER_ANNOTATION}");
        assert_eq!(
            shown(&path, mark("a"), mark("b")),
            "~ .metadata.annotations.fleetwright.dev/owner: cluster a of fleet f → cluster b of fleet f"
        );
    }
}
