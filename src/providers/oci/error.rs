//! Why a call failed: what a caller must tell apart.
//!
//! Invariant: nothing that was sent is shown. Of an answer only `code` and `message` are kept, the latter with what looks
//! like a token or a key taken out.

use std::time::Duration;

use super::credentials::CredentialsError;
use super::endpoint::EndpointError;
use crate::redact::{REDACTED, redacted};

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum OciError {
    /// The service answered with a refusal.
    #[error(transparent)]
    Service(Box<ServiceError>),
    /// Time ran out, retries included; the source is the last failure before.
    #[error("{operation} did not come to an end within {}s ({attempts} attempts)", .deadline.as_secs())]
    Deadline {
        /// The operation.
        operation: &'static str,
        /// The time that was given.
        deadline: Duration,
        /// How many attempts were begun.
        attempts: u32,
        /// Whether the service may have carried the call out.
        sent: bool,
        /// What the attempt before the last one came to.
        source: Option<Box<OciError>>,
    },
    /// No answer came.
    #[error("{operation} got no answer")]
    Transport {
        /// The operation.
        operation: &'static str,
        /// Whether the service may have carried the call out.
        sent: bool,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There are no credentials, or they can't be used.
    #[error("{operation} can't be signed")]
    Credentials {
        /// The operation.
        operation: &'static str,
        /// Why.
        source: CredentialsError,
    },
    /// Where to send the call isn't known.
    #[error("{operation} has no address")]
    Endpoint {
        /// The operation.
        operation: &'static str,
        /// Why.
        source: EndpointError,
    },
    /// Another region answered.
    #[error(
        "{operation} for {asked} was answered with {ocid}, which is of {of}: the address (--oci-endpoint) leads elsewhere"
    )]
    Elsewhere {
        /// The operation.
        operation: &'static str,
        /// The region that was asked.
        asked: String,
        /// The OCID in the answer.
        ocid: String,
        /// What it is of.
        of: String,
    },
    /// The answer, or the call itself, makes no sense.
    #[error("{operation}: {what}")]
    Nonsense {
        /// The operation.
        operation: &'static str,
        /// What is wrong with it.
        what: String,
        /// Whether the service may have carried the call out.
        sent: bool,
    },
}

/// A refusal by the service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation} was refused with {status} {code}: {message}{} (opc-request-id {request_id})", hint(.skew))]
pub struct ServiceError {
    /// HTTP status.
    pub status: u16,
    /// OCI's code, `NotAuthorizedOrNotFound`; empty where the answer had none.
    pub code: String,
    /// OCI's words, secrets taken out.
    pub message: String,
    /// The operation.
    pub operation: &'static str,
    /// `opc-request-id` as the service gave it, else as we sent it: what Oracle's support asks for.
    pub request_id: String,
    /// `Retry-After`.
    pub retry_after: Option<Duration>,
    /// On 401: how far our clock is from the service's in seconds, positive where ours is ahead; only where that is more
    /// than OCI bears with.
    pub skew: Option<i64>,
}

fn hint(skew: &Option<i64>) -> String {
    skew.map_or_else(String::new, |seconds| {
        let direction = if seconds > 0 { "ahead of" } else { "behind" };
        format!("; this machine's clock is {}s {direction} the service's", seconds.abs())
    })
}

impl OciError {
    /// The service's refusal, where it is one.
    pub fn service(&self) -> Option<&ServiceError> {
        match self {
            Self::Service(error) => Some(error),
            Self::Deadline { .. }
            | Self::Transport { .. }
            | Self::Credentials { .. }
            | Self::Endpoint { .. }
            | Self::Elsewhere { .. }
            | Self::Nonsense { .. } => None,
        }
    }

    /// HTTP status of a refusal.
    pub fn status(&self) -> Option<u16> {
        self.service().map(|error| error.status)
    }

    /// OCI's code of a refusal.
    pub fn code(&self) -> Option<&str> {
        self.service().map(|error| error.code.as_str())
    }

    /// 404: gone, or hidden from us. Never a proof that it is gone.
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(404)
    }

    /// 412: it changed since its etag was read.
    pub fn is_stale(&self) -> bool {
        self.status() == Some(412)
    }

    /// 409: its state, or that of something that hangs on it, does not allow the call now.
    pub fn is_conflict(&self) -> bool {
        self.status() == Some(409)
    }

    /// 401 or 403.
    pub fn is_unauthorized(&self) -> bool {
        matches!(self.status(), Some(401 | 403))
    }

    /// Whether the service may have carried the call out although it failed: its outcome must be looked up before the call
    /// is made another time without a retry token.
    pub fn outcome_unknown(&self) -> bool {
        match self {
            Self::Service(error) => error.status >= 500,
            Self::Deadline { sent, .. } | Self::Transport { sent, .. } | Self::Nonsense { sent, .. } => *sent,
            // What it did there can't be looked up here.
            Self::Credentials { .. } | Self::Endpoint { .. } | Self::Elsewhere { .. } => false,
        }
    }
}

/// A service's words, fit to be shown: one line, at most 500 characters, without what looks like a token or a key.
pub(super) fn redact(message: &str) -> String {
    const LONGEST: usize = 500;
    let clean = redacted(message);
    let words: Vec<&str> = clean
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .map(|word| if looks_secret(word) { REDACTED } else { word })
        .collect();
    let line = words.join(" ");
    match line.char_indices().nth(LONGEST) {
        None => line,
        Some((end, _)) => format!("{}…", &line[..end]),
    }
}

/// A request's id as errors show it: up to three parts of hexadecimal digits, which support asks for. Anything else is text of
/// somebody's, and treated as such.
pub(super) fn request_id(text: &str) -> String {
    let is_part =
        |part: &str| (1..=64).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    if text.split('/').count() <= 3 && text.split('/').all(is_part) {
        text.to_owned()
    } else {
        redact(text)
    }
}

/// In what a service says, long runs without the dots of an OCID are keys, whatever they look like.
fn looks_secret(word: &str) -> bool {
    word.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=')))
        .any(|run| run.len() > 80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_request_is_shown_whole_and_nothing_else_passes_for_one() {
        let id = format!("{0}/{0}/{0}", "FEDCBA98765432100a2c4e6f8b1d3f5e");
        assert_eq!(request_id(&id), id);
        for odd in [format!("{id}/00"), "a".repeat(200), "ST$token".to_owned()] {
            assert_eq!(request_id(&odd), "(redacted)", "{odd}");
        }
    }

    #[test]
    fn a_message_is_one_short_line_without_secrets() {
        assert_eq!(
            redact("The VCN\n ocid1.vcn.oc1.iad.aaaa is  busy"),
            "The VCN ocid1.vcn.oc1.iad.aaaa is busy"
        );
        assert_eq!(redact("keyId ST$abc.def bad"), "keyId (redacted) bad");
        assert_eq!(redact("token eyJhbGciOi.e30.x bad"), "token (redacted) bad");
        assert_eq!(redact(&format!("key {} bad", "A".repeat(90))), "key (redacted) bad");
        let pem = "got -----BEGIN PRIVATE KEY-----\nMIIabc\n-----END PRIVATE KEY----- here";
        assert!(!redact(pem).contains("MIIabc"), "{}", redact(pem));
        assert!(!redact("-----BEGIN PRIVATE KEY-----\nMIIabc").contains("MIIabc"));
        assert_eq!(redact(&"long ".repeat(200)).chars().count(), 501);
    }
}
