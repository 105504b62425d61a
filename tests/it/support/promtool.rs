//! Prometheus' own tool, from Debian's package `prometheus`.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::skip;

/// Runs it with a text on its standard input, and gives what it says; none where it is not installed.
///
/// # Panics
/// Where it is not content; under CI where it is not installed.
pub(crate) fn promtool(args: &[&str], input: &str) -> Option<String> {
    let started = Command::new("promtool")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = started else {
        return skip("there is no promtool (Debian's package prometheus)");
    };
    // It reads all of it before it says anything.
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input.as_bytes()).ok();
    drop(stdin);
    let output = child.wait_with_output().expect("an end");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "promtool {args:?}: {said}");
    Some(said)
}
