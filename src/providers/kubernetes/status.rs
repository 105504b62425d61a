//! What a server says when it refuses.
//!
//! The server's words may quote what was sent. For a Secret they are dropped, and only the reason and the names of the
//! fields are kept.

use serde::Deserialize;

use super::http::Answer;
use crate::providers::{OwnedField, ProviderError};
use crate::resource::ResourceId;

/// Longer messages are cut: they list a thousand allowed values, or quote a whole document.
const MESSAGE_LIMIT: usize = 2_000;

/// The reason of a cause that names a field's other owner.
const MANAGER_CONFLICT: &str = "FieldManagerConflict";

/// A refusal.
#[derive(Debug, thiserror::Error)]
#[error("the server says {code}: {message}")]
pub(super) struct Refusal {
    pub(super) code: u16,
    /// `Conflict`, `NotFound`, …; empty where the answer was no Status.
    pub(super) reason: String,
    pub(super) message: String,
    /// Whether rights are missing. Admission answers 403 too (a quota, a namespace that is going away), in other words.
    lacks_rights: bool,
    causes: Vec<Cause>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    reason: String,
    message: String,
    details: Details,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Details {
    causes: Vec<Cause>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Cause {
    reason: String,
    message: String,
    field: String,
}

/// Whether an object's content is secret.
pub(super) fn is_secret(id: &ResourceId) -> bool {
    id.group.is_empty() && id.kind == "Secret"
}

impl Refusal {
    /// Reads an answer about no object, or one that is no secret.
    pub(super) fn of(answer: &Answer) -> Self {
        let status: Status = serde_json::from_str(&answer.text).unwrap_or_default();
        let message = if status.message.is_empty() {
            // A proxy's page, or plain text: whatever it is, it is no word of the API server's.
            "no further words".to_owned()
        } else {
            clean(&status.message)
        };
        let causes = status.details.causes;
        Self {
            code: answer.status,
            reason: status.reason,
            lacks_rights: answer.status == 403 && message.contains(" cannot ") && causes.is_empty(),
            message,
            causes,
        }
    }

    /// Reads an answer about an object.
    pub(super) fn about(answer: &Answer, id: &ResourceId) -> Self {
        let mut refusal = Self::of(answer);
        if is_secret(id) {
            refusal.hide();
        }
        refusal
    }

    /// Keeps the fields' names and drops all that may quote a value.
    fn hide(&mut self) {
        let fields: Vec<&str> = self.causes.iter().map(|cause| cause.field.as_str()).collect();
        let fields = clean(&fields.join(", "));
        self.message = match (self.reason.is_empty(), fields.is_empty()) {
            (true, _) => "its words are not shown, for they may quote the secret".to_owned(),
            (false, true) => self.reason.clone(),
            (false, false) => format!("{} ({fields})", self.reason),
        };
        // Who owns a field is no secret, and is needed.
        for cause in self.causes.iter_mut().filter(|cause| cause.reason != MANAGER_CONFLICT) {
            cause.message.clear();
        }
    }

    /// The fields that others own, where that is the refusal.
    fn owned_fields(&self) -> Vec<OwnedField> {
        let mut fields: Vec<OwnedField> = self
            .causes
            .iter()
            .filter(|cause| cause.reason == MANAGER_CONFLICT)
            .map(|cause| OwnedField {
                field: cause.field.clone(),
                manager: manager(&cause.message).to_owned(),
            })
            .collect();
        fields.sort_by(|a, b| (&a.field, &a.manager).cmp(&(&b.field, &b.manager)));
        fields.dedup();
        fields
    }

    /// As the error of a write, a preview or a delete.
    pub(super) fn into_error(self, verb: &str, id: &ResourceId) -> ProviderError {
        let what = id.to_string();
        if self.lacks_rights {
            return ProviderError::Forbidden {
                verb: verb.to_owned(),
                what,
            };
        }
        match self.code {
            409 => match self.owned_fields() {
                fields if fields.is_empty() => ProviderError::Stale(Box::new(id.clone())),
                fields => ProviderError::Conflict(fields),
            },
            // Who is not known has no less rights than before: its credentials have expired.
            401 | 429 | 502..=504 => self.into_transport(verb, &what),
            // What a document's form is at fault for is a 500 when the merge finds it.
            500 if !self.reason.is_empty() => self.into_transport(verb, &what),
            _ => ProviderError::Invalid {
                id: Box::new(id.clone()),
                message: self.message,
            },
        }
    }

    /// As the error of a request that is about no object, or that may go well another time.
    pub(super) fn into_transport(self, verb: &str, what: &str) -> ProviderError {
        if self.lacks_rights {
            return ProviderError::Forbidden {
                verb: verb.to_owned(),
                what: what.to_owned(),
            };
        }
        ProviderError::Transport {
            what: format!("{verb} {what}"),
            source: Box::new(self),
        }
    }

    /// Whether it takes a rule more, and nothing else.
    pub(super) fn lacks_rights(&self) -> bool {
        self.lacks_rights
    }

    /// Why something can't be known, in one line.
    pub(super) fn unknown(&self, verb: &str, what: &str) -> String {
        if self.lacks_rights {
            format!("no right to {verb} {what}")
        } else {
            format!("{verb} {what}: {self}")
        }
    }
}

/// `conflict with "NAME" using v1` or `conflict with "NAME" with subresource "status" using v1 at TIME`.
fn manager(message: &str) -> &str {
    message.split('"').nth(1).unwrap_or("another manager")
}

/// One line of bounded length, without control characters.
fn clean(text: &str) -> String {
    let mut line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MESSAGE_LIMIT)
        .collect();
    if text.chars().nth(MESSAGE_LIMIT).is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::{ManagementClusterName, Target};

    fn id(kind: &str) -> ResourceId {
        ResourceId {
            target: Target::Kubernetes(ManagementClusterName::new("m")),
            group: String::new(),
            kind: kind.to_owned(),
            namespace: Some("n".to_owned()),
            name: "x".to_owned(),
        }
    }

    fn error(kind: &str, code: u16, status: &serde_json::Value) -> ProviderError {
        let answer = Answer {
            status: code,
            text: status.to_string(),
        };
        Refusal::about(&answer, &id(kind)).into_error("patch", &id(kind))
    }

    #[test]
    fn a_conflict_names_each_field_and_its_manager() {
        let causes = json!([
            {"reason": "FieldManagerConflict", "message": "conflict with \"helm\" using v1", "field": ".data.b"},
            {"reason": "FieldManagerConflict", "message": "conflict with \"kubectl\" using v1", "field": ".data.a"}]);
        let status = json!({"reason": "Conflict", "message": "Apply failed", "details": {"causes": causes}});
        let ProviderError::Conflict(fields) = error("ConfigMap", 409, &status) else {
            panic!("no conflict")
        };
        let pairs: Vec<_> = fields.iter().map(|f| (f.field.as_str(), f.manager.as_str())).collect();
        assert_eq!(pairs, [(".data.a", "kubectl"), (".data.b", "helm")]);
    }

    #[test]
    fn a_409_without_an_owner_is_a_lost_race() {
        let status = json!({"reason": "Conflict", "message": "the object has been modified"});
        assert!(matches!(error("ConfigMap", 409, &status), ProviderError::Stale(_)));
    }

    #[test]
    fn a_secrets_refusal_quotes_nothing() {
        let quoted = json!({"message": "failed: .stringData.b: got hunter2"});
        let caused = json!({"reason": "Invalid", "message": "data[a]: Invalid value: \"hunter2\"",
            "details": {"causes": [{"message": "hunter2", "field": "data[a]"}]}});
        for (code, status) in [(500, quoted), (422, caused)] {
            let error = error("Secret", code, &status);
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn a_quota_is_a_refusal_and_no_lack_of_rights() {
        let quota = json!({"reason": "Forbidden", "message": "pods \"x\" is forbidden: exceeded quota"});
        assert!(matches!(error("Pod", 403, &quota), ProviderError::Invalid { .. }));
        let rbac = json!({"reason": "Forbidden",
            "message": "pods \"x\" is forbidden: User \"u\" cannot patch resource \"pods\""});
        assert!(matches!(error("Pod", 403, &rbac), ProviderError::Forbidden { .. }));
    }

    #[test]
    fn messages_are_one_line_and_bounded() {
        let status = json!({"message": format!("a\nb\u{1b}[31m{}", "x".repeat(5_000))});
        let ProviderError::Invalid { message, .. } = error("Pod", 422, &status) else {
            panic!("not invalid")
        };
        assert!(message.starts_with("a b [31m") && message.chars().count() == MESSAGE_LIMIT + 1);
    }
}
