//! Keys, tokens and passphrases.
//!
//! Invariant: none of the ways to print a value shows one.

/// Text that can't be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text, and has the redactor remember it: should it get out by another way, it is not shown.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        crate::redact::remember(&text);
        Self(text)
    }

    /// Wraps a text that is held as a secret and of which parts are none, such as an identity's OCIDs: those are shown
    /// elsewhere.
    pub fn unremembered(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for a request or a parser; never for output.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Secret::new("hunter2");
        assert_eq!(
            format!("{secret:?} {:#?}", Some(&secret)),
            "(secret) Some(\n    (secret),\n)"
        );
        assert_eq!(secret.expose(), "hunter2");
    }
}
