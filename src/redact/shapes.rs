//! What secrets look like, whoever they are of.
//!
//! Each shape says what it is by itself (a key in PEM, a JWT, a token with a prefix), or has a name before it that does
//! (`password=`). Long runs of letters and digits are none: digests, OCIDs and certificates are those too.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

/// Names of what is secret, as they stand before `=` and `:`.
const NAMES: &str = "(?i-u:password|passwd|passphrase|pass_phrase|secret[_-]?(?:access[_-]?)?key|client[_-]?secret|\
    (?:access|refresh|identity|id|auth|security|session)[_-]?token|private[_-]?key|api[_-]?key|client-key-data|[a-z0-9]+_pwd)";

/// The shapes; of each, the group is the secret.
fn patterns() -> [String; 17] {
    let quote = r#"\\?["']?"#;
    let is = r"[ \t]*[:=][ \t]*";
    let plain = r#"[^\s,;&"'\\(){}<>$]"#;
    [
        // A key in PEM, whole, or cut off; in JSON too.
        r#"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----([^"]*?)-----END"#.to_owned(),
        r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----((?:[A-Za-z0-9+/=\s]|\\[nrt])+)".to_owned(),
        // A JWT, a document of registries in base64, a token of OCI.
        r"(eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{3,}(?:\.[A-Za-z0-9_-]*)*)".to_owned(),
        r"(eyJhdXRoc[A-Za-z0-9+/]{8,}={0,2})".to_owned(),
        r"(ST\$[A-Za-z0-9._~+/=-]+)".to_owned(),
        // Tokens that their makers have marked.
        r"((?:gh[pousr]_|github_pat_|glpat-|xox[abprs]-|sha256~)[A-Za-z0-9_-]{16,})".to_owned(),
        // Headers.
        format!(r"(?i-u:authorization){quote}{is}{quote}(?i-u:bearer|basic|token|digest)[ \t]+([A-Za-z0-9._~+/=-]+)"),
        r"(?i-u:bearer)[ \t]+([A-Za-z0-9._~+/=-]{16,})".to_owned(),
        // The password of a URL.
        r#"://[^/\s:@"'\\]*:([^/\s@"'\\]+)@"#.to_owned(),
        // What posts into a channel by its address alone.
        r"hooks\.slack\.com/services/([A-Za-z0-9/]{8,})".to_owned(),
        // What opens a door by its address alone: a pre-authenticated request, a signed URL.
        r"/p/([A-Za-z0-9_-]{20,})/n/".to_owned(),
        r#"[?&](?i-u:token|sig|signature)=([^\s&"'\\]{8,})"#.to_owned(),
        // Registries.
        format!(r#"\\?"auth\\?"{is}\\?"([A-Za-z0-9+/=]{{8,}})"#),
        // A name, and a value in quotes; behind `=`; or behind a colon, where it is no prose.
        format!(r#"{NAMES}{quote}{is}\\?"([^"\\(][^"\\]*)"#),
        format!(r"{NAMES}{quote}{is}'([^'(][^']*)'"),
        format!(r"{NAMES}[ \t]*=[ \t]*({plain}{{4,}})"),
        format!(r"{NAMES}:[ \t]+({plain}*[0-9]{plain}*)"),
    ]
}

/// A token by that name alone: much is called one.
const TOKEN: &str = r#"(?i-u:\btoken)\\?["']?[ \t]*[:=][ \t]*\\?["']?([A-Za-z0-9._~+/=-]{16,})"#;

/// None where it does not compile, which a test excludes.
static SHAPES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let all = patterns().join("|");
    Regex::new(&format!("{all}|{TOKEN}")).ok()
});

/// Whether something is called as secrets are: `password`, `db_password`, `client-secret`.
pub fn is_secret_name(name: &str) -> bool {
    static WHOLE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(&format!(r"(?:^|[._-]){NAMES}$")).ok());
    WHOLE.as_ref().is_none_or(|names| names.is_match(name))
}

/// Where there are secrets in a text.
pub(super) fn find(text: &str) -> Vec<Range<usize>> {
    let Some(shapes) = SHAPES.as_ref() else {
        return std::iter::once(0..text.len()).collect();
    };
    let secret = |captures: regex::Captures<'_>| captures.iter().skip(1).flatten().next().map(|group| group.range());
    let found = shapes.captures_iter(text).filter_map(secret);
    found
        .filter(|range| text.get(range.clone()).is_some_and(is_one))
        .collect()
}

/// Whether it is more than a short word, and not what stands where a secret was.
fn is_one(text: &str) -> bool {
    text.len() >= 3 && !text.trim().is_empty() && !text.contains(super::REDACTED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_shapes_compile() {
        assert!(SHAPES.is_some());
    }

    #[test]
    fn names_of_secrets_are_known_and_names_of_what_holds_one_are_not() {
        assert!(
            ["password", "db_password", "client-secret", "API_KEY", "mysql_pwd"]
                .iter()
                .all(|name| is_secret_name(name))
        );
        assert!(
            [
                "pullSecret",
                "sshKey",
                "passwordPolicy",
                "secretRef",
                "pwd",
                "compassword"
            ]
            .iter()
            .all(|name| !is_secret_name(name))
        );
    }
}
