//! Regular expressions in Go's dialect, which is the one that schemas are written in.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;

/// Patterns, each compiled once: schemas repeat theirs.
#[derive(Default)]
pub(super) struct Patterns(BTreeMap<String, Arc<Regex>>);

impl Patterns {
    pub(super) fn compile(&mut self, pattern: &str) -> Result<Arc<Regex>, regex::Error> {
        if let Some(known) = self.0.get(pattern) {
            return Ok(Arc::clone(known));
        }
        let compiled = Arc::new(go_regex(pattern)?);
        self.0.insert(pattern.to_owned(), Arc::clone(&compiled));
        Ok(compiled)
    }
}

/// A pattern in Go's dialect. The two differ in what `\d`, `\w` and `\s` mean (ASCII in Go), and in characters that this
/// dialect gives a meaning within brackets: `[`, `&&`, `--`, `~~`.
pub(super) fn go_regex(pattern: &str) -> Result<Regex, regex::Error> {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut chars = pattern.chars().peekable();
    let mut in_class = false;
    let mut class_start = false;
    while let Some(c) = chars.next() {
        let was_start = std::mem::take(&mut class_start);
        match c {
            '\\' => match chars.next() {
                Some('d') => out.push_str("[0-9]"),
                Some('D') => out.push_str("[^0-9]"),
                Some('w') => out.push_str("[0-9A-Za-z_]"),
                Some('W') => out.push_str("[^0-9A-Za-z_]"),
                Some('s') => out.push_str("[\\t\\n\\f\\r ]"),
                Some('S') => out.push_str("[^\\t\\n\\f\\r ]"),
                Some('b') => out.push_str("(?-u:\\b)"),
                // Go takes any escaped punctuation as itself; so does this dialect for what is ASCII.
                Some(other) => out.extend(['\\', other]),
                None => out.push('\\'),
            },
            '[' if in_class => match named_class(chars.clone()) {
                Some(name) => {
                    out.push('[');
                    out.extend(chars.by_ref().take(name));
                }
                None => out.push_str("\\["),
            },
            '[' => {
                in_class = true;
                class_start = true;
                out.push('[');
                if chars.peek() == Some(&'^') {
                    out.extend(chars.next());
                }
            }
            ']' if in_class && was_start => out.push_str("\\]"),
            ']' => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' if in_class => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
    Regex::new(&out)
}

/// How many characters of `:alpha:]`, or `:^alpha:]`, follow on a bracket within brackets; none where that bracket is one of the class.
fn named_class(mut rest: impl Iterator<Item = char>) -> Option<usize> {
    if rest.next() != Some(':') {
        return None;
    }
    let mut length = 1;
    for c in rest.by_ref() {
        length += 1;
        match c {
            ':' => return (rest.next() == Some(']')).then_some(length + 1),
            '^' | 'a'..='z' => {}
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_what_go_means() {
        let matches = |pattern: &str, text: &str| go_regex(pattern).unwrap().is_match(text);
        assert!(!matches(r"^\d+$", "٣"));
        assert!(matches(r"^[[&&a]$", "&") && matches(r"^[]a]$", "]"));
        assert!(matches(r"^[[:alpha:]]+$", "abc"));
        assert!(matches(r"^[[:^alpha:]x]+$", "1x2"));
        // A colon is one like any other, last in its class too.
        let reason = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$";
        assert!(matches(reason, "Ready") && matches(reason, "a:b") && !matches(reason, "a:"));
        assert!(matches(r"^[:a]+[b]$", "a:b") && matches(r"^[[:]+$", "[:"));
        assert!(matches(r"^\p{L}+$", "é"));
    }
}
