//! Which requests a server got, from its audit log.
//!
//! The log is written before a request is handled and in step with it, so that whoever has an answer finds the request.

use std::path::Path;

/// What the server writes down: every request once, as it comes in.
pub(crate) const POLICY: &str = r#"{"apiVersion": "audit.k8s.io/v1", "kind": "Policy",
 "omitStages": ["ResponseStarted", "ResponseComplete", "Panic"],
 "rules": [{"level": "Metadata"}]}"#;

/// A place in the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark(usize);

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Who.
    pub(crate) user: String,
    /// With what program.
    pub(crate) agent: String,
    /// `get`, `list`, `patch`, …
    pub(crate) verb: String,
    /// Path and query.
    pub(crate) path: String,
    /// When the server got it.
    pub(crate) at: String,
}

/// The end of the log.
pub(crate) fn mark(log: &Path) -> Mark {
    Mark(std::fs::read(log).map_or(0, |bytes| bytes.len()))
}

/// What came since, in order.
pub(crate) fn since(log: &Path, mark: Mark) -> Vec<Sent> {
    let bytes = std::fs::read(log).unwrap_or_default();
    bytes[mark.0.min(bytes.len())..]
        .split(|byte| *byte == b'\n')
        // A line that is still being written belongs to a request that nobody has an answer to.
        .filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok())
        .map(|event| {
            let text = |pointer: &str| event.pointer(pointer).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
            Sent {
                // Under impersonation the audit log names both; who logged in is what counts here.
                user: text("/user/username"),
                agent: text("/userAgent"),
                verb: text("/verb"),
                path: text("/requestURI"),
                at: text("/requestReceivedTimestamp"),
            }
        })
        .collect()
}
