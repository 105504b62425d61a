//! What a push says of itself: which reference of which repository; nothing else is read.
//!
//! Invariant: pure.

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde::Deserialize;

/// A push, as the sender tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// Such as `refs/heads/main`.
    pub reference: String,
    /// Such as `platform/fleet`; none where the sender does not say.
    pub repository: Option<String>,
}

/// Why it is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("the body is no JSON that tells of a push: a `ref` is expected")]
    Body,
    #[error("choose application/json as the webhook's content type")]
    Form,
}

#[derive(Deserialize)]
struct Body {
    r#ref: String,
    #[serde(default)]
    repository: Option<Repository>,
    #[serde(default)]
    project: Option<Project>,
}

/// GitHub and Gitea tell it by `full_name`, GitLab beside it; others just by name.
#[derive(Deserialize)]
#[serde(untagged)]
enum Repository {
    Name(String),
    Object {
        #[serde(default)]
        full_name: Option<String>,
    },
}

#[derive(Deserialize)]
struct Project {
    path_with_namespace: String,
}

impl Push {
    /// Reads a body.
    pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, Malformed> {
        let kind = headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
        if kind.is_some_and(|kind| kind.starts_with(b"application/x-www-form-urlencoded")) {
            return Err(Malformed::Form);
        }
        let body: Body = serde_json::from_slice(body).map_err(|_| Malformed::Body)?;
        let named = match body.repository {
            Some(Repository::Name(name)) => Some(name),
            Some(Repository::Object { full_name }) => full_name,
            None => None,
        };
        Ok(Self {
            reference: body.r#ref,
            repository: body.project.map(|project| project.path_with_namespace).or(named),
        })
    }

    /// Whether it may be of the repository at a URL. Servers have several names, so that the host is of no account.
    pub fn is_of(&self, url: &str) -> bool {
        let Some(repository) = &self.repository else {
            return true;
        };
        let plain = |text: &str| {
            let text = text.trim_matches('/').to_ascii_lowercase();
            text.strip_suffix(".git").map(str::to_owned).unwrap_or(text)
        };
        let (url, repository) = (plain(url), plain(repository));
        url.strip_suffix(&repository)
            .is_some_and(|before| before.ends_with(['/', ':']))
    }
}

/// Whether it tells of a push. One that does not say what it tells of is taken for one.
pub(super) fn is_push(headers: &HeaderMap) -> bool {
    let events = ["x-gitea-event", "x-github-event", "x-gitlab-event"];
    let event = events.iter().find_map(|name| headers.get(*name));
    event.is_none_or(|event| ["push", "Push Hook", "Tag Push Hook"].iter().any(|push| event == push))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<(String, Option<String>), Malformed> {
        Push::read(&HeaderMap::new(), body.as_bytes()).map(|push| (push.reference, push.repository))
    }

    #[test]
    fn each_server_tells_reference_and_repository() {
        let fleet = || Ok(("refs/heads/main".to_owned(), Some("platform/fleet".to_owned())));
        let github = r#"{"ref": "refs/heads/main", "before": "0", "repository": {"id": 1, "full_name": "platform/fleet"}, "commits": [{}]}"#;
        let gitlab = r#"{"object_kind": "push", "ref": "refs/heads/main", "project": {"path_with_namespace": "platform/fleet"},
            "repository": {"name": "fleet", "url": "x"}}"#;
        assert_eq!(read(github), fleet());
        assert_eq!(read(gitlab), fleet());
        assert_eq!(
            read(r#"{"ref": "refs/heads/main", "repository": "platform/fleet"}"#),
            fleet()
        );
        assert_eq!(
            read(r#"{"ref": "refs/tags/v1"}"#),
            Ok(("refs/tags/v1".to_owned(), None))
        );
        for bad in [
            "",
            "{",
            "[]",
            "{}",
            "null",
            r#"{"ref": 1}"#,
            r#"{"ref": "x", "repository": 7}"#,
            "\u{0}",
        ] {
            assert_eq!(read(bad), Err(Malformed::Body), "{bad}");
        }
        let deep = "[".repeat(1 << 20);
        assert_eq!(read(&deep), Err(Malformed::Body));
    }

    #[test]
    fn a_repository_is_known_by_the_end_of_its_url() {
        let of = |repository: &str, url: &str| {
            let push = Push {
                reference: String::new(),
                repository: Some(repository.to_owned()),
            };
            push.is_of(url)
        };
        assert!(of("platform/fleet", "https://git.example.org/platform/fleet.git"));
        assert!(of("Platform/Fleet", "ssh://git@git.example.org/platform/fleet"));
        assert!(of("platform/fleet", "https://git.example.org/prefix/platform/fleet/"));
        assert!(!of("form/fleet", "https://git.example.org/platform/fleet.git"));
        assert!(!of("platform/other", "https://git.example.org/platform/fleet.git"));
    }

    #[test]
    fn what_is_no_push_is_told_by_its_headers() {
        let is = |name: &'static str, value: &'static str| {
            is_push(&HeaderMap::from_iter([(
                http::HeaderName::from_static(name),
                value.parse().unwrap(),
            )]))
        };
        assert!(is("x-github-event", "push") && is("x-gitlab-event", "Tag Push Hook") && is("x-other", "y"));
        assert!(!is("x-github-event", "ping") && !is("x-gitea-event", "issues") && !is("x-gitlab-event", "Note Hook"));
    }
}
