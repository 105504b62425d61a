//! Diagnostics as text, each with the lines that it is about.
//!
//! Invariant: pure; the same diagnostics give the same text, whatever the terminal.

use std::collections::BTreeMap;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::diag::{Code, Diagnostic, Severity, Span};
use crate::fleet::SourceFile;

/// How to print.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// Whether to use colours.
    pub color: bool,
    /// So many warnings of one code are shown, of errors ten times as many, and the others counted; none: all are.
    pub alike: Option<usize>,
}

/// Of errors that are alike so many times as many are shown as of warnings.
const ERRORS: usize = 10;
/// At most so many clusters are named that one problem holds up.
const NAMED: usize = 5;

/// All diagnostics, and a line that counts them. Nothing for none.
pub fn render(diagnostics: &[Diagnostic], sources: &[SourceFile], style: Style) -> String {
    let renderer = if style.color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let texts: BTreeMap<&str, &str> = sources.iter().map(|file| (&*file.path, &*file.text)).collect();
    let mut text = String::new();
    let mut told: BTreeMap<(Code, bool), usize> = BTreeMap::new();
    let most = |is_error: bool| style.alike.map(|alike| if is_error { alike * ERRORS } else { alike });
    for diagnostic in diagnostics {
        let is_error = diagnostic.severity == Severity::Error;
        let count = told.entry((diagnostic.code, is_error)).or_default();
        *count += usize::from(matches!(diagnostic.severity, Severity::Error | Severity::Warning));
        if most(is_error).is_some_and(|most| *count > most) {
            continue;
        }
        text.push_str(&renderer.render(&groups(diagnostic, &texts)));
        text.push_str("\n\n");
    }
    for ((code, is_error), count) in told {
        let more = most(is_error).map_or(0, |most| count.saturating_sub(most));
        if more > 0 {
            let title = format!("{more} more like these; `fleetwright validate` shows them");
            let level = if is_error { Level::ERROR } else { Level::WARNING };
            let group = Group::with_title(level.primary_title(title.as_str()).id(code.id()));
            text.push_str(&renderer.render(&[group]));
            text.push_str("\n\n");
        }
    }
    let summary = summary(diagnostics);
    if !summary.is_empty() {
        text.push_str(&summary);
        text.push('\n');
    }
    text
}

/// `3 errors, 1 warning`; empty for none.
pub fn summary(diagnostics: &[Diagnostic]) -> String {
    let mut parts = Vec::new();
    for (severity, word) in [
        (Severity::Error, "error"),
        (Severity::Warning, "warning"),
        (Severity::Info, "note"),
    ] {
        let count = diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity == severity)
            .count();
        match count {
            0 => {}
            1 => parts.push(format!("1 {word}")),
            _ => parts.push(format!("{count} {word}s")),
        }
    }
    parts.join(", ")
}

fn groups<'a>(diagnostic: &'a Diagnostic, texts: &BTreeMap<&'a str, &'a str>) -> Vec<Group<'a>> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::NOTE,
    };
    let title = level
        .primary_title(diagnostic.message.as_str())
        .id(diagnostic.code.id());
    let mut group = Group::with_title(title);
    if let Some(span) = &diagnostic.span {
        let beside: Vec<_> = diagnostic
            .related
            .iter()
            .filter(|related| related.span.file == span.file)
            .collect();
        let mut here = snippet(span, texts).annotation(
            AnnotationKind::Primary
                .span(range(span, texts))
                .label((!diagnostic.label.is_empty()).then_some(diagnostic.label.as_str())),
        );
        for related in beside {
            here = here.annotation(
                AnnotationKind::Context
                    .span(range(&related.span, texts))
                    .label(related.message.as_str()),
            );
        }
        group = group.element(here);
        for related in diagnostic
            .related
            .iter()
            .filter(|related| related.span.file != span.file)
        {
            group = group.element(
                snippet(&related.span, texts).annotation(
                    AnnotationKind::Context
                        .span(range(&related.span, texts))
                        .label(related.message.as_str()),
                ),
            );
        }
    }
    for hint in &diagnostic.hints {
        group = group.element(Level::HELP.message(hint.as_str()));
    }
    if let Some(clusters) = clusters(diagnostic) {
        group = group.element(Level::NOTE.message(clusters));
    }
    vec![group]
}

/// Which clusters wait for it, unless the text says so already.
fn clusters(diagnostic: &Diagnostic) -> Option<String> {
    let names = &diagnostic.clusters;
    match names.as_slice() {
        [] => None,
        [only] if diagnostic.message.contains(&format!("`{only}`")) => None,
        names => {
            let verb = match diagnostic.severity {
                Severity::Error => "holds up",
                Severity::Warning | Severity::Info => "concerns",
            };
            let shown = names
                .iter()
                .take(NAMED)
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", ");
            let rest = names.len().saturating_sub(NAMED);
            let more = if rest > 0 {
                format!(" and {rest} more")
            } else {
                String::new()
            };
            let word = if names.len() == 1 { "cluster" } else { "clusters" };
            Some(format!("{verb} {word} {shown}{more}"))
        }
    }
}

fn snippet<'a, T: Clone>(span: &'a Span, texts: &BTreeMap<&'a str, &'a str>) -> Snippet<'a, T> {
    let text = texts.get(&*span.file).copied().unwrap_or_default();
    Snippet::source(text).path(&*span.file)
}

/// The span's bytes, cut to its first line and to what the text has.
fn range(span: &Span, texts: &BTreeMap<&str, &str>) -> std::ops::Range<usize> {
    let text = texts.get(&*span.file).copied().unwrap_or_default();
    let floor = |at: u32| {
        let at = usize::try_from(at).unwrap_or(usize::MAX).min(text.len());
        (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
    };
    let start = floor(span.start);
    let end = floor(span.end).max(start);
    let line = text.get(start..end).and_then(|part| part.find('\n'));
    start..line.map_or(end, |at| start + at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Code;

    fn span(file: &str, start: u32, end: u32) -> Span {
        Span {
            file: file.into(),
            line: 1,
            column: 1,
            start,
            end,
        }
    }

    fn files() -> Vec<SourceFile> {
        vec![SourceFile {
            path: "a.yaml".into(),
            text: "kind: Flöße\nname: x\n".into(),
        }]
    }

    #[test]
    fn what_is_alike_is_counted_errors_only_where_they_are_many() {
        let of = |code: Code, place| Diagnostic::new(code, "odd").at(&span("a.yaml", place, place + 1));
        let mut all: Vec<Diagnostic> = (0..5).map(|place| of(Code::EtcdStorage, place)).collect();
        all.extend((0..23).map(|place| of(Code::UnknownKind, place)));
        let warnings = all.iter().filter(|one| one.severity == Severity::Warning).count();
        assert_eq!(warnings, 5);
        let style = Style {
            alike: Some(2),
            ..Style::default()
        };
        let text = render(&all, &files(), style);
        assert_eq!(text.matches(": odd").count(), 2 + 20, "{text}");
        assert_eq!(text.matches("]: 3 more like these; ").count(), 2, "{text}");
        assert!(text.ends_with("23 errors, 5 warnings\n"), "{text}");
        assert_eq!(render(&all, &files(), Style::default()).matches(": odd").count(), 28);
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let problem = Diagnostic::new(Code::UnknownKind, "no such kind")
            .at(&span("a.yaml", 6, 13))
            .hint("look");
        let plain = render(std::slice::from_ref(&problem), &files(), Style::default());
        let styled = render(
            &[problem],
            &files(),
            Style {
                color: true,
                ..Style::default()
            },
        );
        assert!(!plain.contains('\u{1b}') && styled.contains('\u{1b}'));
        assert!(
            plain.starts_with("error[FW0201]: no such kind\n --> a.yaml:1:7\n"),
            "{plain}"
        );
        assert!(
            plain.contains("^^^^^\n") && plain.contains("= help: look") && plain.ends_with("1 error\n"),
            "{plain}"
        );
    }

    #[test]
    fn a_span_outside_of_its_text_is_no_panic() {
        for (start, end) in [(0, 900), (900, 901), (9, 9), (10, 9), (8, 9)] {
            for file in ["a.yaml", "gone.yaml"] {
                let problem = Diagnostic::new(Code::Syntax, "odd")
                    .at(&span(file, start, end))
                    .related(&span("gone.yaml", start, end), "too");
                assert!(render(&[problem], &files(), Style::default()).contains("odd"));
            }
        }
    }

    #[test]
    fn many_clusters_are_counted_and_none_gives_nothing() {
        let mut problem = Diagnostic::new(Code::Dangling, "gone").at(&span("a.yaml", 0, 4));
        problem.clusters = (0..9).map(|number| format!("c{number}")).collect();
        let text = render(&[problem.clone(), problem], &files(), Style::default());
        assert!(
            text.contains("holds up clusters `c0`, `c1`, `c2`, `c3`, `c4` and 4 more"),
            "{text}"
        );
        assert!(text.ends_with("2 errors\n"));
        assert_eq!(render(&[], &files(), Style::default()), "");
    }
}
