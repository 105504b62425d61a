//! The keys by which SSH servers are known: OpenSSH's `known_hosts`.
//!
//! Invariant: pure; a key is taken for a host only if a line says so. There is no trust on first use.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sha2::{Digest as _, Sha256};
use ssh_key::known_hosts::{HostPatterns, KnownHosts as Lines, Marker};

/// The lines of a `known_hosts` file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownHosts {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    patterns: HostPatterns,
    /// As servers send it.
    key: Vec<u8>,
    is_revoked: bool,
}

/// Why a file of known hosts can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KnownHostsError {
    /// A line that takes trust away can't be read, so it can't be told from whom.
    #[error("line {0} revokes a key and can't be read")]
    Revocation(usize),
    /// No line gives trust.
    #[error("it names no host whose key could be checked")]
    Empty,
}

/// Why a server's key is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostKeyProblem {
    /// There is no line for the host.
    #[error("known_hosts has no line for {host}; the server's key is {offered}: compare it with the server's own word")]
    Unknown {
        /// `host` or `[host]:port`.
        host: String,
        /// Type and fingerprint.
        offered: String,
    },
    /// There are lines for the host, with keys of other types.
    #[error(
        "known_hosts knows {host} by keys of type {known}, and the server shows {offered}: add a line for that type"
    )]
    OtherType {
        /// `host` or `[host]:port`.
        host: String,
        /// Type and fingerprint.
        offered: String,
        /// Types of the keys that are known.
        known: String,
    },
    /// There is a line for the host with another key of this type.
    #[error(
        "the key of {host} is not the one in known_hosts, it is {offered}: someone may listen in, or the server has a new key"
    )]
    Changed {
        /// `host` or `[host]:port`.
        host: String,
        /// Type and fingerprint.
        offered: String,
    },
    /// The key is marked as revoked.
    #[error("the key of {host}, {offered}, is marked as revoked in known_hosts")]
    Revoked {
        /// `host` or `[host]:port`.
        host: String,
        /// Type and fingerprint.
        offered: String,
    },
    /// The server's key could not be looked at.
    #[error("{host} shows no key that could be checked")]
    NoKey {
        /// `host` or `[host]:port`.
        host: String,
    },
}

impl KnownHosts {
    /// Reads a file's text. As OpenSSH does, it passes over lines that it can't read, unless they revoke a key.
    ///
    /// # Errors
    /// Where a revocation can't be read, or no line is left.
    pub fn parse(text: &str) -> Result<Self, KnownHostsError> {
        let mut entries = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            match Lines::new(line).next() {
                None => {}
                Some(Ok(entry)) => match (entry.marker(), entry.public_key().to_bytes()) {
                    // Servers do not show us certificates, so an authority that would sign them is of no use.
                    (Some(Marker::CertAuthority), _) => {}
                    (marker, Ok(key)) => entries.push(Entry {
                        patterns: entry.host_patterns().clone(),
                        key,
                        is_revoked: marker == Some(&Marker::Revoked),
                    }),
                    (_, Err(_)) => return Err(KnownHostsError::Revocation(number + 1)),
                },
                Some(Err(_)) if line.starts_with("@revoked") => return Err(KnownHostsError::Revocation(number + 1)),
                Some(Err(_)) => tracing::debug!(line = number + 1, "a line of known_hosts can't be read"),
            }
        }
        if entries.iter().all(|entry| entry.is_revoked) {
            return Err(KnownHostsError::Empty);
        }
        Ok(Self { entries })
    }

    /// Whether this is the host's key, in the form in which servers send it.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, host: &str, port: u16, key: &[u8]) -> Result<(), HostKeyProblem> {
        let host = name_of(host, port);
        let offered = describe(key);
        if self.entries.iter().any(|entry| entry.is_revoked && entry.key == key) {
            return Err(HostKeyProblem::Revoked { host, offered });
        }
        let known: Vec<&Entry> = self
            .entries
            .iter()
            .filter(|entry| !entry.is_revoked && matches(&entry.patterns, &host))
            .collect();
        if known.iter().any(|entry| entry.key == key) {
            return Ok(());
        }
        let mut types: Vec<&str> = known.iter().map(|entry| type_of(&entry.key)).collect();
        types.sort_unstable();
        types.dedup();
        Err(if types.is_empty() {
            HostKeyProblem::Unknown { host, offered }
        } else if types.contains(&type_of(key)) {
            HostKeyProblem::Changed { host, offered }
        } else {
            HostKeyProblem::OtherType {
                host,
                offered,
                known: types.join(", "),
            }
        })
    }
}

/// How a host is called in the file.
pub(super) fn name_of(host: &str, port: u16) -> String {
    let host = host.to_ascii_lowercase();
    match port {
        22 => host,
        port => format!("[{host}]:{port}"),
    }
}

fn matches(patterns: &HostPatterns, host: &str) -> bool {
    match patterns {
        HostPatterns::HashedName { salt, hash } => {
            let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, salt);
            ring::hmac::verify(&key, host.as_bytes(), hash).is_ok()
        }
        HostPatterns::Patterns(patterns) => {
            let is_like = |pattern: &str| is_like(pattern.to_ascii_lowercase().as_bytes(), host.as_bytes());
            let negated = |pattern: &String| pattern.strip_prefix('!').is_some_and(is_like);
            !patterns.iter().any(negated) && patterns.iter().any(|pattern| is_like(pattern))
        }
    }
}

/// Whether a text is as a pattern with `*` and `?` says. Takes time in proportion to the product of their lengths.
fn is_like(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut here) = (0, 0);
    let mut star = None;
    while here < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, here));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[here] => {
                at += 1;
                here += 1;
            }
            _ => match star {
                Some((star_at, taken)) => {
                    star = Some((star_at, taken + 1));
                    at = star_at + 1;
                    here = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// The name that a key begins with.
fn type_of(key: &[u8]) -> &str {
    let name = || {
        let (length, rest) = key.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let name = std::str::from_utf8(rest.get(..length)?).ok()?;
        name.bytes().all(|byte| byte.is_ascii_graphic()).then_some(name)
    };
    name().unwrap_or("unknown")
}

fn describe(key: &[u8]) -> String {
    format!(
        "{} SHA256:{}",
        type_of(key),
        STANDARD_NO_PAD.encode(Sha256::digest(key))
    )
}

#[cfg(test)]
mod tests {
    use ssh_key::PublicKey;

    use super::*;

    const ONE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
    const TWO: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";
    const OTHER: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBHwf2HMM5TRXvo2SQJjsNkiDD5KqiiNjrGVv3UUh+mMT5RHxiRtOnlqvjhQtBq0VpmpCV/PwUdhOig4vkbqAcEc=";

    fn key(text: &str) -> Vec<u8> {
        PublicKey::from_openssh(text).unwrap().to_bytes().unwrap()
    }

    #[test]
    fn a_key_is_taken_only_where_a_line_says_so() {
        let hosts = KnownHosts::parse(&format!(
            "# words\n\nexample.org,*.example.org,!bad.example.org {ONE} a comment\n"
        ))
        .unwrap();
        assert_eq!(hosts.check("example.org", 22, &key(ONE)), Ok(()));
        assert_eq!(hosts.check("Git.Example.ORG", 22, &key(ONE)), Ok(()));
        assert!(matches!(
            hosts.check("bad.example.org", 22, &key(ONE)),
            Err(HostKeyProblem::Unknown { .. })
        ));
        assert!(matches!(
            hosts.check("example.org", 2222, &key(ONE)),
            Err(HostKeyProblem::Unknown { host, .. }) if host == "[example.org]:2222"
        ));
        assert!(matches!(
            hosts.check("example.org", 22, &key(TWO)),
            Err(HostKeyProblem::Changed { offered, .. }) if offered.starts_with("ssh-ed25519 SHA256:")
        ));
        assert!(matches!(
            hosts.check("example.org", 22, &key(OTHER)),
            Err(HostKeyProblem::OtherType { known, .. }) if known == "ssh-ed25519"
        ));
    }

    #[test]
    fn a_hashed_name_is_compared_by_its_hash() {
        // `ssh-keygen -H` of a line for example.org.
        let salt = STANDARD_NO_PAD.encode([7; 20]);
        let signing = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &[7; 20]);
        let hash = STANDARD_NO_PAD.encode(ring::hmac::sign(&signing, b"example.org"));
        let hosts = KnownHosts::parse(&format!("|1|{salt}=|{hash}= {ONE}")).unwrap();
        assert_eq!(hosts.check("example.org", 22, &key(ONE)), Ok(()));
        assert!(hosts.check("example.com", 22, &key(ONE)).is_err());
    }

    #[test]
    fn a_revoked_key_is_refused_whoever_shows_it() {
        let hosts = KnownHosts::parse(&format!("example.org {ONE}\n@revoked * {ONE}\nexample.org {TWO}")).unwrap();
        assert!(matches!(
            hosts.check("example.org", 22, &key(ONE)),
            Err(HostKeyProblem::Revoked { .. })
        ));
        assert_eq!(hosts.check("example.org", 22, &key(TWO)), Ok(()));
        let broken = format!("example.org {ONE}\n@revoked * ssh-ed25519 nonsense");
        assert_eq!(KnownHosts::parse(&broken), Err(KnownHostsError::Revocation(2)));
    }

    #[test]
    fn a_file_without_a_host_is_refused() {
        assert_eq!(KnownHosts::parse(""), Err(KnownHostsError::Empty));
        assert_eq!(KnownHosts::parse("nonsense"), Err(KnownHostsError::Empty));
        assert_eq!(
            KnownHosts::parse(&format!("@cert-authority * {ONE}")),
            Err(KnownHostsError::Empty)
        );
    }

    #[test]
    fn a_key_of_nonsense_is_described_without_a_panic() {
        for key in [&b""[..], b"\0\0\0\xffx", b"\xff\xff\xff\xff", b"\0\0\0\x01\x07"] {
            assert!(describe(key).starts_with("unknown SHA256:"));
        }
    }

    #[test]
    fn patterns_match_as_shells_do() {
        for (pattern, text, want) in [
            ("*", "", true),
            ("a*c", "abbbc", true),
            ("a*c", "abbbd", false),
            ("a?c", "abc", true),
            ("*.*.org", "a.b.org", true),
            ("*aab", "aaaab", true),
            ("", "x", false),
        ] {
            assert_eq!(is_like(pattern.as_bytes(), text.as_bytes()), want, "{pattern} {text}");
        }
    }
}
