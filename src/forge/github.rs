//! GitHub's REST API.

use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderName, HeaderValue, StatusCode};

use super::{AddressError, Call, Commit, Forge, Ours, Repository, Status, Token, issues, secret_header};

/// GitHub, and one repository there.
#[derive(Debug)]
pub struct GitHub {
    repository: String,
    token: Token,
}

impl GitHub {
    /// A repository.
    ///
    /// # Errors
    /// Where the name is no `OWNER/NAME`.
    pub fn new(repository: &Repository, token: Token) -> Result<Self, AddressError> {
        Ok(Self {
            repository: format!("/repos/{}", repository.of_an_owner()?),
            token,
        })
    }
}

impl Forge for GitHub {
    fn token(&self) -> &Token {
        &self.token
    }

    fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let bearer = format!("Bearer {}", self.token.secret.expose());
        vec![
            (AUTHORIZATION, secret_header(&bearer)),
            (ACCEPT, HeaderValue::from_static("application/vnd.github+json")),
            (
                HeaderName::from_static("x-github-api-version"),
                HeaderValue::from_static("2022-11-28"),
            ),
        ]
    }

    fn longest_comment(&self) -> usize {
        65_536
    }

    /// The token of a job is that of an app, which may not ask.
    fn without_user(&self) -> Ours {
        Ours::Program
    }

    fn comments(&self, request: u64, page: u32) -> Call {
        Call::get(format!(
            "{}/issues/{request}/comments?per_page=100&page={page}",
            self.repository
        ))
    }

    fn create(&self, request: u64, text: &str) -> Call {
        issues::create(&self.repository, request, text)
    }

    fn update(&self, _: u64, comment: u64, text: &str) -> Call {
        issues::update(&self.repository, comment, text)
    }

    fn status(&self, commit: &Commit, status: &Status) -> Call {
        issues::status(&self.repository, commit, (status, 140))
    }

    fn way_out(&self, status: StatusCode) -> &'static str {
        match status.as_u16() {
            401 => "GITHUB_TOKEN is wrong or has expired; set it to ${{ github.token }} in a workflow",
            403 => {
                "the token may not do this: a workflow's job needs `permissions: {pull-requests: write, statuses: write}`; \
                 for the pull request of a fork its token can only read, so report from a job that does not run on forks"
            }
            404 => {
                "there is no such repository, pull request or commit, or the token can't see it: look at --repo, --pr, \
                 --sha and the token's permissions"
            }
            _ => "",
        }
    }
}
