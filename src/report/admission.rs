//! What an API server would say of objects, as text: compilers' form, a line for each place.

use std::fmt::{self, Write as _};

use serde_json::Value;

use super::style::{Style, Tone};
use crate::diag::Span;
use crate::schema::admission::{Rejected, Verdict};

/// An object, and what is said of it.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Where it stands.
    pub place: Span,
    /// `group/version`, or `v1`.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Namespace; empty where it has none.
    pub namespace: String,
    /// Name; empty where it has none.
    pub name: String,
    /// Whether it was judged as an update of an old one.
    pub is_update: bool,
    /// What is said of it.
    pub verdict: Verdict,
    /// The same, in its places: causes of a refusal, fields that are not stored.
    pub remarks: Vec<Remark>,
}

/// Something about a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Where the field stands, or the nearest one above it that does.
    pub place: Span,
    /// `spec.platform.type`; `<nil>` for the whole object.
    pub field: String,
    /// The `reason` of a server's cause; empty for what is no cause of one.
    pub reason: &'static str,
    /// What is said, without the field.
    pub message: String,
}

/// How often which verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Taken.
    pub admitted: usize,
    /// Not taken.
    pub rejected: usize,
    /// Of kinds that no definition is about.
    pub not_checked: usize,
    /// Of kinds whose definition can't be used.
    pub failed: usize,
}

impl Count {
    /// Counts verdicts.
    pub fn of(all: &[Judged]) -> Self {
        let mut count = Self::default();
        for judged in all {
            let of = match &judged.verdict {
                Verdict::Admitted(_) => &mut count.admitted,
                Verdict::Rejected { .. } | Verdict::NotServed(_) => &mut count.rejected,
                Verdict::NotChecked => &mut count.not_checked,
                Verdict::Broken(_) => &mut count.failed,
            };
            *of += 1;
        }
        count
    }

    /// `3 admitted, 1 rejected, 2 not checked`.
    pub fn line(self) -> String {
        let Self {
            admitted,
            rejected,
            not_checked,
            failed,
        } = self;
        let mut line = format!("{admitted} admitted, {rejected} rejected, {not_checked} not checked");
        if failed > 0 {
            line.push_str(&format!(", {failed} failed"));
        }
        line
    }
}

/// A server's answer to a version that it does not serve, as kubectl tells it.
pub fn no_match(judged: &Judged, served: &[String]) -> String {
    let Judged { kind, api_version, .. } = judged;
    let message = format!("no matches for kind \"{kind}\" in version \"{api_version}\"");
    match served {
        [] => message,
        served => format!("{message}; served are {}", served.join(", ")),
    }
}

/// How much is shown.
#[derive(Clone, Copy, Debug)]
pub struct AdmissionText {
    /// Colour.
    pub style: Style,
    /// Whether each field that is filled in is shown, and not their number alone.
    pub defaults: bool,
}

impl AdmissionText {
    /// All objects, in their order.
    pub fn render(&self, all: &[Judged]) -> String {
        let mut text = String::new();
        for judged in all {
            self.object(judged, &mut text);
        }
        text
    }

    fn object(&self, judged: &Judged, text: &mut String) {
        let object = match judged.namespace.as_str() {
            "" => format!("{} {}", judged.kind, judged.name),
            namespace => format!("{} {namespace}/{}", judged.kind, judged.name),
        };
        let update = if judged.is_update { " as an update" } else { "" };
        let (tone, said) = match &judged.verdict {
            Verdict::Admitted(effect) => (
                Tone::Good,
                match effect.defaulted.len() {
                    0 => format!("admitted{update}"),
                    1 => format!("admitted{update}, 1 default filled in"),
                    count => format!("admitted{update}, {count} defaults filled in"),
                },
            ),
            Verdict::Rejected { .. } => (Tone::Bad, format!("rejected{update}")),
            Verdict::NotServed(served) => (Tone::Bad, format!("rejected: {}", no_match(judged, served))),
            Verdict::NotChecked => (
                Tone::Warn,
                format!("not checked: {}", why_not_checked(&judged.api_version)),
            ),
            Verdict::Broken(why) => (Tone::Bad, format!("failed: its definition can't be used: {why}")),
        };
        let place = &judged.place;
        add_line(
            text,
            format_args!("{place}: {object}: {}", self.style.paint(tone, said)),
        );
        if let Verdict::Rejected {
            why: Rejected::Unreadable { message },
            ..
        } = &judged.verdict
        {
            add_line(text, format_args!("  {message}"));
        }
        let word = match &judged.verdict {
            Verdict::Admitted(_) => self.style.paint(Tone::Warn, "warning: ").to_string(),
            _ => String::new(),
        };
        for Remark {
            place,
            field,
            reason,
            message,
        } in &judged.remarks
        {
            // What is said of unknown fields names them.
            let field = if reason.is_empty() {
                String::new()
            } else {
                format!("{field}: ")
            };
            add_line(text, format_args!("  {place}: {word}{field}{message}"));
        }
        if let Verdict::Admitted(effect) = &judged.verdict {
            for warning in effect.warnings.iter().filter(|warning| !is_remarked(judged, warning)) {
                add_line(text, format_args!("  {word}{warning}"));
            }
            if self.defaults {
                for (field, value) in &effect.defaulted {
                    add_line(
                        text,
                        format_args!("  {} {field}: {value}", self.style.paint(Tone::Faint, "default")),
                    );
                }
            }
        }
    }
}

fn add_line(text: &mut String, line: fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    text.write_fmt(line).ok();
    text.push('\n');
}

/// Whether a warning has been shown in its place already.
fn is_remarked(judged: &Judged, warning: &str) -> bool {
    judged.remarks.iter().any(|remark| remark.message == warning)
}

/// Why nothing is said of an object.
pub fn why_not_checked(api_version: &str) -> &'static str {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    // Groups of Kubernetes itself have no dot, or end as this.
    if !group.contains('.') || (group.ends_with(".k8s.io") && !group.contains("x-k8s")) {
        "a kind of Kubernetes itself, which no definition describes"
    } else {
        "no definition of its kind was given"
    }
}

/// Values of defaults, for programs.
pub(super) fn defaults(judged: &Judged) -> Vec<(&str, &Value)> {
    match &judged.verdict {
        Verdict::Admitted(effect) => effect
            .defaulted
            .iter()
            .map(|(field, value)| (field.as_str(), value))
            .collect(),
        _ => Vec::new(),
    }
}
