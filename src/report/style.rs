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
