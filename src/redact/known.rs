//! The secrets that this process has read.
//!
//! Invariant: bounded; nothing comes out but whether and where a text holds one. A secret is found whole, cut short at either
//! end, and as base64 has it; one of several lines is found line by line, so that it does not matter how they are joined.

use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Shorter ones would be found in words that are none.
const SHORTEST: usize = 8;
/// What is looked for of a longer one: where that is found, it is compared.
const ANCHOR: usize = 16;
/// Pieces that are remembered: the oldest is forgotten first, for tokens are exchanged every hour. A key of 4,096 bits has fifty, a
/// token two; what finds so many takes some megabytes.
const MOST: usize = 8_192;

static KNOWN: RwLock<Known> = RwLock::new(Known {
    pieces: BTreeSet::new(),
    order: VecDeque::new(),
    searcher: OnceLock::new(),
});

struct Known {
    pieces: BTreeSet<Arc<str>>,
    order: VecDeque<Arc<str>>,
    /// Made when a text is looked through, for secrets are read by the hundreds and texts seldom between them.
    searcher: OnceLock<Option<Searcher>>,
}

/// What finds any of them in one pass.
struct Searcher {
    automaton: AhoCorasick,
    /// The piece of each pattern, and whether the pattern is its end.
    of: Vec<(Arc<str>, bool)>,
}

/// Remembers a secret, so that no text that goes out holds it. What is shorter than 8 bytes is not remembered; nor, of several
/// lines, one that other texts may have as well: it is words, or a name and a value.
pub fn remember(secret: &str) {
    let secret = secret.trim();
    let is_one_line = !secret.contains('\n');
    let is_code = |line: &str| {
        let is_letter = |c: char| c.is_ascii_alphanumeric() || "+/=_.~-".contains(c);
        line.len() >= ANCHOR && !line.starts_with("-----") && line.chars().all(is_letter)
    };
    let mut pieces: Vec<String> = secret
        .lines()
        .map(str::trim)
        .filter(|line| {
            if is_one_line {
                line.len() >= SHORTEST
            } else {
                is_code(line)
            }
        })
        .map(str::to_owned)
        .collect();
    if pieces.is_empty() {
        return;
    }
    pieces.push(STANDARD.encode(secret).trim_end_matches('=').to_owned());
    if KNOWN.read().unwrap_or_else(PoisonError::into_inner).holds(&pieces) {
        return;
    }
    KNOWN.write().unwrap_or_else(PoisonError::into_inner).add(pieces);
}

/// Where a text holds any.
pub(super) fn find(text: &str) -> Vec<Range<usize>> {
    KNOWN.read().unwrap_or_else(PoisonError::into_inner).find(text)
}

impl Known {
    fn holds(&self, pieces: &[String]) -> bool {
        pieces.iter().all(|piece| self.pieces.contains(piece.as_str()))
    }

    fn add(&mut self, pieces: Vec<String>) {
        for piece in pieces {
            let piece: Arc<str> = piece.into();
            if self.pieces.insert(piece.clone()) {
                self.order.push_back(piece);
            }
        }
        while self.order.len() > MOST {
            if let Some(oldest) = self.order.pop_front() {
                self.pieces.remove(&oldest);
            }
        }
        self.searcher = OnceLock::new();
    }

    fn find(&self, text: &str) -> Vec<Range<usize>> {
        let searcher = self.searcher.get_or_init(|| Searcher::of(&self.pieces));
        searcher.as_ref().map_or_else(Vec::new, |searcher| searcher.find(text))
    }
}

impl Searcher {
    /// None where there is nothing to look for.
    fn of(pieces: &BTreeSet<Arc<str>>) -> Option<Self> {
        let mut of = Vec::new();
        let mut patterns = Vec::new();
        for piece in pieces {
            let bytes = piece.as_bytes();
            let length = bytes.len().min(ANCHOR);
            for (anchor, is_end) in [(&bytes[..length], false), (&bytes[bytes.len() - length..], true)] {
                of.push((piece.clone(), is_end));
                patterns.push(anchor.to_owned());
            }
        }
        (!patterns.is_empty()).then(|| AhoCorasick::new(patterns).ok().map(|automaton| Self { automaton, of }))?
    }

    fn find(&self, text: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let bytes = text.as_bytes();
        for anchor in self.automaton.find_overlapping_iter(text) {
            let Some((piece, is_end)) = self.of.get(anchor.pattern().as_usize()) else {
                continue;
            };
            let piece = piece.as_bytes();
            let (start, end) = if *is_end {
                let same = common(bytes[..anchor.end()].iter().rev(), piece.iter().rev());
                (anchor.end() - same, anchor.end())
            } else {
                let same = common(bytes[anchor.start()..].iter(), piece.iter());
                (anchor.start(), anchor.start() + same)
            };
            // What a piece ends in may be half a character.
            let start = (start..=anchor.start()).find(|at| text.is_char_boundary(*at));
            let end = (anchor.end()..=end).rev().find(|at| text.is_char_boundary(*at));
            if let (Some(start), Some(end)) = (start, end) {
                found.push(start..end);
            }
        }
        found
    }
}

/// How many bytes are the same from the beginning on.
fn common<'a>(a: impl Iterator<Item = &'a u8>, b: impl Iterator<Item = &'a u8>) -> usize {
    a.zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(secrets: &[&str]) -> Known {
        let mut known = Known {
            pieces: BTreeSet::new(),
            order: VecDeque::new(),
            searcher: OnceLock::new(),
        };
        known.add(secrets.iter().map(|secret| (*secret).to_owned()).collect());
        known
    }

    fn found(known: &Known, text: &str) -> Vec<String> {
        let ranges = known.find(text);
        ranges.into_iter().map(|range| text[range].to_owned()).collect()
    }

    #[test]
    fn a_secret_is_found_whole_and_cut_off_at_either_end() {
        let secret = "0123456789abcdefghijklmnopqrstuvwxyz";
        let known = known(&[secret]);
        assert_eq!(found(&known, &format!("<{secret}>")), [secret, secret]);
        assert_eq!(found(&known, "<0123456789abcdefghij…"), ["0123456789abcdefghij"]);
        assert_eq!(found(&known, "…ghijklmnopqrstuvwxyz>"), ["ghijklmnopqrstuvwxyz"]);
        assert!(found(&known, "0123456789 abcdef").is_empty());
    }

    #[test]
    fn as_many_are_kept_as_there_is_room_for_and_the_oldest_goes_first() {
        let mut known = known(&["the first one"]);
        for i in 0..MOST {
            known.add(vec![format!("secret number {i}")]);
        }
        assert!(known.searcher.get().is_none(), "nothing was looked through yet");
        assert_eq!(known.order.len(), MOST);
        assert!(found(&known, "the first one").is_empty());
        assert!(!found(&known, "a secret number 7 b").is_empty());
    }

    #[test]
    fn what_is_not_ascii_is_cut_at_its_letters() {
        let known = known(&["schlüssel-größe-überall"]);
        assert!(!found(&known, "ein schlüssel-größe-überall ö").is_empty());
        assert!(!found(&known, "schlüssel-größö").is_empty());
    }
}
