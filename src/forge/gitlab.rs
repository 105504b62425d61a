//! GitLab's REST API.

use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::json;

use super::{Call, Commit, Forge, Method, Ours, Repeat, Repository, State, Status, Token, secret_header, shortened};

/// The variable with the token that every job has.
pub(super) const JOB_TOKEN: &str = "CI_JOB_TOKEN";

/// A GitLab, and one project there.
#[derive(Debug)]
pub struct GitLab {
    project: String,
    token: Token,
    reference: Option<String>,
    pipeline: Option<u64>,
}

impl GitLab {
    /// A project; the branch and the pipeline that a status belongs to, where they are known.
    pub fn new(project: &Repository, token: Token, reference: Option<String>, pipeline: Option<u64>) -> Self {
        Self {
            project: format!("/projects/{}", project.segment()),
            token,
            reference,
            pipeline,
        }
    }

    fn is_job_token(&self) -> bool {
        self.token.variable == JOB_TOKEN
    }
}

impl Forge for GitLab {
    fn token(&self) -> &Token {
        &self.token
    }

    fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let name = if self.is_job_token() {
            "job-token"
        } else {
            "private-token"
        };
        vec![(HeaderName::from_static(name), secret_header(self.token.secret.expose()))]
    }

    fn longest_comment(&self) -> usize {
        1_000_000
    }

    /// A line that begins with a slash is a command to GitLab, done with the token's rights.
    fn harmless(&self, text: &str) -> String {
        let line = |line: &str| match line.trim_start().starts_with('/') {
            true => format!("\u{200b}{line}"),
            false => line.to_owned(),
        };
        text.split_inclusive(['\n', '\r']).map(line).collect()
    }

    fn without_user(&self) -> Ours {
        Ours::Unknown
    }

    fn comments(&self, request: u64, page: u32) -> Call {
        Call::get(format!(
            "{}/merge_requests/{request}/notes?order_by=created_at&sort=asc&per_page=100&page={page}",
            self.project
        ))
    }

    fn create(&self, request: u64, text: &str) -> Call {
        let path = format!("{}/merge_requests/{request}/notes", self.project);
        Call::write(Method::Post, path, json!({"body": text}), Repeat::Never)
    }

    fn update(&self, request: u64, comment: u64, text: &str) -> Call {
        let path = format!("{}/merge_requests/{request}/notes/{comment}", self.project);
        Call::write(Method::Put, path, json!({"body": text}), Repeat::Safe)
    }

    fn status(&self, commit: &Commit, status: &Status) -> Call {
        let path = format!("{}/statuses/{}", self.project, commit.as_str());
        let mut body = json!({
            "state": match status.state {
                State::Success => "success",
                State::Failure | State::Error => "failed",
            },
            "name": status.name,
            "description": shortened(&status.description, 255),
        });
        if let Some(link) = &status.link {
            body["target_url"] = json!(link);
        }
        if let Some(reference) = &self.reference {
            body["ref"] = json!(reference);
        }
        if let Some(pipeline) = self.pipeline {
            body["pipeline_id"] = json!(pipeline);
        }
        Call::write(Method::Post, path, body, Repeat::Safe)
    }

    fn way_out(&self, status: StatusCode) -> &'static str {
        match status.as_u16() {
            // GitLab answers each of them to a token that it knows and does not let in.
            401 | 403 | 404 if self.is_job_token() => {
                "a job's own token can't write notes: give GITLAB_TOKEN, a project access token with the role Reporter (Developer \
                 for the status of a commit) and the scope api"
            }
            401 => "GITLAB_TOKEN is wrong or has expired",
            403 => {
                "the token may not do this: it needs the scope api and the role Reporter, Developer for the status of a commit; \
                 a pipeline of a fork has no such token"
            }
            404 => {
                "there is no such project, merge request or commit, or the token can't see it: look at --api (it ends with \
                 /api/v4), --repo, --pr and --sha"
            }
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Secret;

    #[test]
    fn no_line_is_a_command() {
        let token = Token {
            secret: Secret::new("x"),
            variable: "GITLAB_TOKEN",
        };
        let gitlab = GitLab::new(&Repository::parse("1").unwrap(), token, None, None);
        let text = "a / b\n/approve\r\n```\n/merge\n  /close\n/";
        assert_eq!(
            gitlab.harmless(text),
            "a / b\n\u{200b}/approve\r\n```\n\u{200b}/merge\n\u{200b}  /close\n\u{200b}/"
        );
    }
}
