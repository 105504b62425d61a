//! Colour: never the only carrier of meaning.

use std::fmt;

/// Whether output is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// No escape sequences.
    #[default]
    Plain,
    /// ANSI colours.
    Coloured,
}

/// What a piece of text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Something is made.
    Good,
    /// Something is changed, or waits.
    Warn,
    /// Something is taken away, or is wrong.
    Bad,
    /// A heading.
    Strong,
    /// Context.
    Faint,
}

/// A text in which what can't be seen is written out: a character that turns the direction of writing around, or has no width, would
/// have a reader see something else than what stands there.
pub fn seen(text: String) -> String {
    let is_hidden = |c: char| matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    if !text.contains(is_hidden) {
        return text;
    }
    let shown = |c: char| match is_hidden(c) {
        true => c.escape_unicode().to_string(),
        false => c.to_string(),
    };
    text.chars().map(shown).collect()
}

impl Style {
    /// A piece of text in a tone.
    pub fn paint<T: fmt::Display>(self, tone: Tone, text: T) -> Painted<T> {
        Painted {
            style: self,
            tone,
            text,
        }
    }
}

/// Text that shows itself in its tone.
pub struct Painted<T> {
    style: Style,
    tone: Tone,
    text: T,
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = match (self.style, self.tone) {
            (Style::Plain, _) => return self.text.fmt(f),
            (Style::Coloured, Tone::Good) => "32",
            (Style::Coloured, Tone::Warn) => "33",
            (Style::Coloured, Tone::Bad) => "31",
            (Style::Coloured, Tone::Strong) => "1",
            (Style::Coloured, Tone::Faint) => "2",
        };
        write!(f, "\x1b[{code}m{}\x1b[0m", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_not_be_seen_is_written_out() {
        assert_eq!(seen("a\u{202e}b\u{200b} ö→\n".to_owned()), "a\\u{202e}b\\u{200b} ö→\n");
    }
}
