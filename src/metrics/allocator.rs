//! What the program's allocator tells of itself.
//!
//! Invariant: a library knows no allocator; the program that brings one says how it is asked, once, before anything else runs.

use std::sync::OnceLock;

/// Bytes that are allocated; none where they can't be told.
pub type Allocated = fn() -> Option<u64>;

static ASK: OnceLock<Allocated> = OnceLock::new();

/// Says how the program's allocator is asked; the first to say so is kept to.
pub fn is_asked_by(ask: Allocated) {
    ASK.get_or_init(|| ask);
}

/// Bytes that are allocated now; none where nobody said how to ask.
pub fn allocated() -> Option<u64> {
    ASK.get().and_then(|ask| ask())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_to_say_how_is_asked() {
        is_asked_by(|| Some(7));
        is_asked_by(|| None);
        assert_eq!(allocated(), Some(7));
    }
}
