//! What an examination found, a line a check.

use std::fmt::Write as _;

use super::style::{Style, Tone};

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// In order.
    Ok,
    /// It works, and somebody should know.
    Warn,
    /// Something will not work.
    Fail,
}

impl Verdict {
    /// `ok`, `warn`, `fail`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }

    fn tone(self) -> Tone {
        match self {
            Self::Ok => Tone::Good,
            Self::Warn => Tone::Warn,
            Self::Fail => Tone::Bad,
        }
    }
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at: `files`, `git`, `connection`, `version`, `clock`, `rights`, `kinds`, `inventory`, `credentials`.
    pub check: &'static str,
    /// Where: a management cluster, a region of OCI; empty for what is in one place only.
    pub subject: String,
    /// How it ended.
    pub verdict: Verdict,
    /// What was found.
    pub message: String,
    /// What to do; none where nothing is to be done.
    pub hint: Option<String>,
}

impl Finding {
    /// In order.
    pub fn ok(check: &'static str, subject: &str, message: impl Into<String>) -> Self {
        Self {
            check,
            subject: subject.to_owned(),
            verdict: Verdict::Ok,
            message: message.into(),
            hint: None,
        }
    }

    /// Something to know.
    pub fn warn(check: &'static str, subject: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Warn,
            hint: Some(hint.into()),
            ..Self::ok(check, subject, message)
        }
    }

    /// Something that will not work.
    pub fn fail(check: &'static str, subject: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Fail,
            ..Self::warn(check, subject, message, hint)
        }
    }
}

/// Whether nothing failed.
pub fn is_well(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.verdict != Verdict::Fail)
}

/// The lines, and the count of what is not in order.
pub fn render(findings: &[Finding], style: Style) -> String {
    let mut out = String::new();
    for finding in findings {
        let Finding {
            check,
            subject,
            verdict,
            message,
            hint,
        } = finding;
        let place = if subject.is_empty() {
            (*check).to_owned()
        } else {
            format!("{check} {subject}")
        };
        let word = style.paint(verdict.tone(), format!("{:4}", verdict.word()));
        // Writing to a String can't fail.
        let _ = writeln!(out, "{word}  {place}: {message}");
        if let Some(hint) = hint {
            let _ = writeln!(out, "      {hint}");
        }
    }
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let (failed, warned) = (count(Verdict::Fail), count(Verdict::Warn));
    let _ = writeln!(
        out,
        "{} checks: {failed} failed, {warned} to look into.",
        findings.len()
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_a_check_and_what_to_do_below_it() {
        let findings = [
            Finding::ok("files", "", "1 cluster"),
            Finding::fail("clock", "iad-1", "off by 400 s", "set it"),
        ];
        assert_eq!(
            render(&findings, Style::Plain),
            "ok    files: 1 cluster\nfail  clock iad-1: off by 400 s\n      set it\n2 checks: 1 failed, 0 to look into.\n"
        );
        assert!(!is_well(&findings) && is_well(&findings[..1]));
    }
}
