//! What GitHub's API and Gitea's, which was made after it, have alike: a pull request is commented on as an issue is.

use serde_json::json;

use super::{Call, Commit, Method, Repeat, State, Status, shortened};

/// Makes a comment; `repository` is the path of the repository.
pub(super) fn create(repository: &str, request: u64, text: &str) -> Call {
    let path = format!("{repository}/issues/{request}/comments");
    Call::write(Method::Post, path, json!({"body": text}), Repeat::Never)
}

/// Writes a comment anew.
pub(super) fn update(repository: &str, comment: u64, text: &str) -> Call {
    let path = format!("{repository}/issues/comments/{comment}");
    Call::write(Method::Patch, path, json!({"body": text}), Repeat::Safe)
}

/// Sets a commit's status, whose description may have so many characters.
pub(super) fn status(repository: &str, commit: &Commit, (status, longest): (&Status, usize)) -> Call {
    let path = format!("{repository}/statuses/{}", commit.as_str());
    let mut body = json!({
        "state": match status.state {
            State::Success => "success",
            State::Failure => "failure",
            State::Error => "error",
        },
        "context": status.name,
        "description": shortened(&status.description, longest),
    });
    if let Some(link) = &status.link {
        body["target_url"] = json!(link);
    }
    // Twice is once: the latest of a context counts.
    Call::write(Method::Post, path, body, Repeat::Safe)
}
