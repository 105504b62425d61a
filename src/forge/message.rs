//! What is said of a report on a code host: the comment and the status, made of what `plan -o markdown` or `validate -o
//! markdown` printed.
//!
//! Invariant: pure. The comment begins with the marker, is no longer than the host takes, and never shows part of a report as
//! if it were the whole: a report without its last line is no report.

use super::{Commit, State};
use crate::report::markdown::unending;
use crate::report::verdict::Verdict;

/// What a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// What would change.
    Plan,
    /// What is wrong with the files.
    Files,
}

impl Subject {
    fn word(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Files => "files",
        }
    }
}

/// What can't be said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Something else.
    #[error(
        "this is no report: its first line has to be the marker that `plan -o markdown` and `validate -o markdown` begin with"
    )]
    NoReport,
    /// No report.
    #[error(
        "the report is empty or breaks off, so none was made: its command says why (with --fleet-name NAME the comment and \
         the status say so too)"
    )]
    Missing,
    /// Files that can't be read say no name.
    #[error(
        "the report does not say of which fleet it is: the files can't be read (give --fleet-name NAME to have it told all the same)"
    )]
    Nameless,
    /// Whoever may change a branch could speak for another fleet.
    #[error("the report is of fleet `{told}`, and --fleet-name says `{named}`")]
    Other {
        /// What the report says.
        told: String,
        /// What the command line says.
        named: String,
    },
    /// Not a name.
    #[error("`{0}` is no {1}: letters, digits and `.`, `_`, `-`, `/`, at most 64")]
    Name(String, &'static str),
}

/// What tells reports about one fleet apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// Reads one.
    ///
    /// # Errors
    /// Where it can't stand in a comment's marker and a status's name.
    pub fn parse(text: &str) -> Result<Self, MessageError> {
        word(text, "key").map(Self)
    }
}

fn word(text: &str, what: &'static str) -> Result<String, MessageError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    if text.is_empty() || text.len() > 64 || !text.chars().all(fits) {
        return Err(MessageError::Name(text.chars().take(64).collect(), what));
    }
    Ok(text.to_owned())
}

/// A report, ready to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    subject: Subject,
    fleet: String,
    /// None where no report was made.
    verdict: Option<Verdict>,
    headline: String,
    /// All below the marker.
    text: String,
}

impl Message {
    /// Reads a report. One that is empty or breaks off stands for none, of the fleet of this name.
    ///
    /// # Errors
    /// Where it is something else, or none and of no fleet.
    pub fn read(report: &str, fleet: Option<&str>) -> Result<Self, MessageError> {
        let report = report.trim();
        let (marker, text) = report.split_once('\n').unwrap_or((report, ""));
        let about = subject_of(marker.trim_end());
        if about.is_none() && !report.is_empty() {
            return Err(MessageError::NoReport);
        }
        let (subject, told) = about.unwrap_or((Subject::Plan, None));
        let named = fleet.map(|fleet| word(fleet, "fleet's name")).transpose()?;
        if let (Some(told), Some(named)) = (&told, &named)
            && told != named
        {
            return Err(MessageError::Other {
                told: told.clone(),
                named: named.clone(),
            });
        }
        let nameless = || match report.is_empty() {
            true => MessageError::Missing,
            false => MessageError::Nameless,
        };
        let fleet = told.or(named).ok_or_else(nameless)?;
        let whole = text.rsplit_once('\n').and_then(|(text, last)| {
            let verdict = Verdict::from_line(last.trim())?;
            Some((text.trim_end(), verdict))
        });
        Ok(match whole {
            None => Self::missing(subject, fleet),
            Some((text, verdict)) => Self {
                subject,
                fleet,
                verdict: Some(verdict),
                headline: headline(text),
                text: text.to_owned(),
            },
        })
    }

    fn missing(subject: Subject, fleet: String) -> Self {
        let headline = format!("no report of {fleet} could be made");
        let text = format!(
            "### fleetwright: {headline}\n\nThe pipeline says why. What stood here before was of an earlier commit."
        );
        Self {
            subject,
            fleet,
            verdict: None,
            headline,
            text,
        }
    }

    /// What it came to; none where no report was made.
    pub fn verdict(&self) -> Option<Verdict> {
        self.verdict
    }

    /// The line by which the comment is known.
    pub fn marker(&self, key: Option<&Key>) -> String {
        let key = key.map_or_else(String::new, |key| format!(" ({})", key.0));
        let name = unending(&format!("{}{key}", self.fleet));
        format!("<!-- fleetwright {} of {name} -->", self.subject.word())
    }

    /// The name of the status.
    pub fn status_name(&self, key: Option<&Key>) -> String {
        let key = key.map_or_else(String::new, |key| format!("/{}", key.0));
        format!("fleetwright/{}/{}{key}", self.subject.word(), self.fleet)
    }

    /// How the status is.
    pub fn state(&self) -> State {
        match self.verdict {
            Some(Verdict::Clean | Verdict::Drift | Verdict::Changes) => State::Success,
            Some(Verdict::Refused | Verdict::Incomplete) => State::Failure,
            None => State::Error,
        }
    }

    /// The same in a few words.
    pub fn description(&self) -> String {
        match self.verdict {
            Some(Verdict::Refused) => format!("refused by a guard. {}", self.headline),
            Some(Verdict::Incomplete) => format!("not all is known or right. {}", self.headline),
            _ => self.headline.clone(),
        }
    }

    /// The comment, of at most so many characters.
    pub fn comment(&self, key: Option<&Key>, commit: Option<&Commit>, link: Option<&str>, longest: usize) -> String {
        let marker = self.marker(key);
        let commit = commit.map(|commit| format!("commit {}", commit.as_str()));
        let link = link.map(|link| format!("[pipeline](<{link}>)"));
        let of: Vec<String> = [commit, link].into_iter().flatten().collect();
        let foot = match of.is_empty() {
            true => String::new(),
            false => format!("\n\n{}\n", of.join(" · ")),
        };
        // The marker's line ends, and what is cut is told of.
        let room = longest.saturating_sub(marker.chars().count() + foot.chars().count() + CUT.chars().count() + 1);
        format!("{marker}\n{}{foot}", cut(&self.text, room))
    }
}

/// What a marker has between two dashes, which would end it.
const JOINT: char = '\u{200b}';

const CUT: &str = "\n\n…the rest did not fit: the pipeline has it.";

/// Whole sections that fit.
fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let end = text.char_indices().nth(room).map_or(text.len(), |(at, _)| at);
    let fitting = text.get(..end).unwrap_or_default();
    // Neither a folded section nor a block of code may stay open.
    let after_section = fitting.rfind("\n</details>\n").map(|at| at + "\n</details>\n".len());
    let before_sections = fitting.find("<details").or_else(|| fitting.find("```"));
    let end = after_section.or(before_sections).unwrap_or(end);
    format!("{}{CUT}", fitting.get(..end).unwrap_or_default().trim_end())
}

/// Of which fleet the marker is, where its files say so, and what about it.
fn subject_of(marker: &str) -> Option<(Subject, Option<String>)> {
    let inner = marker.strip_prefix("<!-- fleetwright ")?.strip_suffix(" -->")?;
    let (subject, fleet) = [Subject::Plan, Subject::Files].into_iter().find_map(|subject| {
        let fleet = inner.strip_prefix(subject.word())?.strip_prefix(" of ")?;
        Some((subject, fleet))
    })?;
    if fleet.is_empty() {
        return Some((subject, None));
    }
    let fleet = word(&fleet.replace(JOINT, ""), "fleet's name").ok()?;
    Some((subject, Some(fleet)))
}

/// The first heading, without what is before the colon.
fn headline(text: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix("### fleetwright: "));
    line.unwrap_or("a report").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "<!-- fleetwright plan of acme -->\n### fleetwright: Plan: 2 to create.\n\n<details><summary>a</summary>\n\nx\n\n</details>\n\n<!-- fleetwright verdict: changes -->\n";

    #[test]
    fn each_fleet_and_each_key_has_a_marker_and_a_status_of_its_own() {
        let message = Message::read(REPORT, None).unwrap();
        let key = Key::parse("eu/dev").unwrap();
        assert_eq!(message.marker(None), "<!-- fleetwright plan of acme -->");
        assert_eq!(message.marker(Some(&key)), "<!-- fleetwright plan of acme (eu/dev) -->");
        assert_eq!(message.status_name(None), "fleetwright/plan/acme");
        assert_eq!(message.status_name(Some(&key)), "fleetwright/plan/acme/eu/dev");
        assert_eq!(message.state(), State::Success);
        assert_eq!(message.description(), "Plan: 2 to create.");
        for wrong in ["", "a b", "a\nb", "-->", &"k".repeat(65)] {
            assert!(Key::parse(wrong).is_err(), "{wrong}");
        }
        let dashes = REPORT.replace("of acme", "of a-\u{200b}-b");
        let message = Message::read(&dashes, None).unwrap();
        assert_eq!(message.status_name(None), "fleetwright/plan/a--b");
        assert_eq!(
            format!("{}\n", message.marker(None)),
            dashes.split_inclusive('\n').next().unwrap()
        );
        assert!(Message::read(REPORT, Some("acme")).is_ok());
        let other = Message::read(REPORT, Some("globex"));
        assert!(matches!(other, Err(MessageError::Other { .. })), "{other:?}");
        let files = REPORT.replace("plan of", "files of");
        assert_eq!(
            Message::read(&files, None).unwrap().status_name(None),
            "fleetwright/files/acme"
        );
    }

    #[test]
    fn the_comment_says_of_which_commit_it_is_and_keeps_the_verdict_to_itself() {
        let commit = Commit::parse(&"a".repeat(40)).unwrap();
        let message = Message::read(REPORT, None).unwrap();
        let comment = message.comment(None, Some(&commit), Some("https://ci.example.com/1"), 65_536);
        assert!(
            comment.starts_with("<!-- fleetwright plan of acme -->\n### fleetwright: Plan"),
            "{comment}"
        );
        assert!(
            comment.ends_with(&format!(
                "\n\ncommit {} · [pipeline](<https://ci.example.com/1>)\n",
                "a".repeat(40)
            )),
            "{comment}"
        );
        assert!(!comment.contains("verdict"), "{comment}");
    }

    #[test]
    fn what_is_refused_or_not_known_is_no_success() {
        for (word, state) in [
            ("clean", State::Success),
            ("drift", State::Success),
            ("refused", State::Failure),
            ("incomplete", State::Failure),
        ] {
            let message =
                Message::read(&REPORT.replace("verdict: changes", &format!("verdict: {word}")), None).unwrap();
            assert_eq!(message.state(), state, "{word}");
        }
    }

    #[test]
    fn part_of_a_report_is_none() {
        let part = REPORT.split("<!-- fleetwright verdict").next().unwrap();
        let message = Message::read(part, None).unwrap();
        assert_eq!((message.verdict(), message.state()), (None, State::Error));
        let comment = message.comment(None, None, None, 65_536);
        assert!(
            comment.contains("no report of acme could be made") && !comment.contains("to create"),
            "{comment}"
        );
        assert_eq!(Message::read("\n", Some("acme")).unwrap().state(), State::Error);
        assert_eq!(Message::read("", None), Err(MessageError::Missing));
        // Files that can't be read have no name.
        let nameless = REPORT
            .replace("of acme", "of ")
            .replace("changes -->", "incomplete -->");
        assert_eq!(Message::read(&nameless, None), Err(MessageError::Nameless));
        let named = Message::read(&nameless, Some("acme")).unwrap();
        assert_eq!(
            (named.state(), named.status_name(None).as_str()),
            (State::Failure, "fleetwright/plan/acme")
        );
        assert_eq!(Message::read("error: no\n", Some("acme")), Err(MessageError::NoReport));
    }

    #[test]
    fn a_long_report_is_cut_between_its_sections() {
        let section = format!(
            "<details><summary>a</summary>\n\n```text\n{}\n```\n\n</details>\n\n",
            "ö".repeat(900)
        );
        let long = REPORT.replace("<details>", &format!("{}<details>", section.repeat(100)));
        let message = Message::read(&long, None).unwrap();
        let comment = message.comment(None, None, None, 65_536);
        assert!(comment.chars().count() <= 65_536, "{}", comment.chars().count());
        assert!(comment.chars().count() > 60_000, "{}", comment.chars().count());
        assert!(comment.ends_with(CUT), "{comment}");
        assert_eq!(
            comment.matches("<details").count(),
            comment.matches("</details>").count()
        );
        assert_eq!(comment.matches("```").count() % 2, 0);
    }
}
