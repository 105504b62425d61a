//! Progress of an apply: a bar on a terminal, lines in a pipe, nothing when quiet. Always on stderr.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressStyle};

use super::Printer;
use crate::apply::{ChangeResult, Event, Observer};
use crate::plan::change::Action;
use crate::redact::redacted;
use crate::report::style::Tone;
use crate::resource::UnitId;

/// Shows events as they happen.
pub(super) struct Progress<'a> {
    printer: &'a Printer,
    bar: Option<ProgressBar>,
}

impl<'a> Progress<'a> {
    pub(super) fn new(printer: &'a Printer) -> Self {
        let bar = (!printer.is_quiet() && std::io::stderr().is_terminal()).then(|| {
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {wide_msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(0).with_style(style)
        });
        Self { printer, bar }
    }

    /// Takes the bar away, so that what follows stands on a clean line.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(redacted(text)),
            None => self.printer.note(text),
        }
    }
}

impl Observer for Progress<'_> {
    fn event(&self, event: &Event) {
        let style = self.printer.error_style();
        match event {
            Event::Started { changes, .. } => {
                if let Some(bar) = &self.bar {
                    bar.set_length(*changes as u64);
                }
            }
            Event::Changing { id, .. } => {
                if let Some(bar) = &self.bar {
                    bar.set_message(id.to_string());
                }
            }
            Event::Changed {
                id,
                unit,
                action,
                result,
            } => {
                // What each management cluster has is called the same on all of them.
                let on = match unit {
                    UnitId::ManagementCluster(name) => format!(" on {name}"),
                    UnitId::Cluster(_) | UnitId::Network(_) => String::new(),
                };
                if let Some(bar) = &self.bar {
                    bar.inc(1);
                }
                match result {
                    ChangeResult::Done => self.line(&format!("{} {id}{on}", style.paint(Tone::Good, done(*action)))),
                    ChangeResult::Deleting => {
                        self.line(&format!("{} {id}{on}", style.paint(Tone::Warn, "deleting")));
                    }
                    ChangeResult::Failed { message } => {
                        self.complain(&format!("{} {id}: {message}", style.paint(Tone::Bad, "failed")));
                    }
                    ChangeResult::Skipped { needs } => {
                        self.complain(&format!(
                            "{} {id}: it needs {needs}, which failed",
                            style.paint(Tone::Bad, "skipped")
                        ));
                    }
                    ChangeResult::Interrupted => {
                        self.line(&format!("{} {id}", style.paint(Tone::Warn, "not begun")));
                    }
                }
            }
            Event::Waiting { id, message } => {
                self.line(&format!("{} {id}: {message}", style.paint(Tone::Faint, "waiting for")));
            }
            Event::Ready { id } => self.line(&format!("{} {id}", style.paint(Tone::Good, "ready"))),
        }
    }
}

impl Progress<'_> {
    /// Says what has to be seen even when quiet, above the bar where there is one.
    pub(super) fn complain(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => self.printer.complain(text),
        }
    }
}

fn done(action: Action) -> &'static str {
    match action {
        Action::Create => "created",
        Action::Update => "updated",
        Action::Adopt => "adopted",
        Action::Delete => "deleted",
        Action::Forget => "forgot",
        Action::Leave => "left",
    }
}
