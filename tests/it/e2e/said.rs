//! What a program says on stderr while it runs.
//!
//! Invariant: it is read as it comes, so that the program never waits for us; nothing is waited for longer than a ceiling.

use std::io::{BufRead as _, BufReader, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use super::wait::CEILING;

/// The lines.
pub(super) struct Said {
    lines: Receiver<String>,
    text: String,
}

impl Said {
    /// Those of a program's stderr.
    pub(super) fn by(stderr: impl Read + Send + 'static) -> Self {
        let (send, lines) = channel();
        // Ends with the program, or with the test.
        std::thread::spawn(move || {
            let lines = BufReader::new(stderr).lines().map_while(Result::ok);
            lines.into_iter().try_for_each(|line| send.send(line))
        });
        Self {
            lines,
            text: String::new(),
        }
    }

    /// Waits until there is a line that holds all these words, and gives it. Lines are taken once.
    #[track_caller]
    pub(super) fn until(&mut self, words: &[&str]) -> String {
        let end = Instant::now() + CEILING;
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.text.push_str(&line);
                    self.text.push('\n');
                    if words.iter().all(|word| line.contains(word)) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("it does not say {words:?}, but:\n{}", self.text),
                Err(RecvTimeoutError::Disconnected) => panic!("it ended before it said {words:?}:\n{}", self.text),
            }
        }
    }

    /// What was taken so far.
    pub(super) fn so_far(&self) -> &str {
        &self.text
    }

    /// Everything, once the program has ended.
    pub(super) fn until_the_end(&mut self) -> &str {
        for line in &self.lines {
            self.text.push_str(&line);
            self.text.push('\n');
        }
        &self.text
    }
}
