//! Gitea's API, and Forgejo's.

use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, StatusCode};

use super::{AddressError, Call, Commit, Forge, Ours, Repository, Status, Token, issues, secret_header};

/// A Gitea, and one repository there.
#[derive(Debug)]
pub struct Gitea {
    repository: String,
    token: Token,
}

impl Gitea {
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

impl Forge for Gitea {
    fn token(&self) -> &Token {
        &self.token
    }

    fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let header = format!("token {}", self.token.secret.expose());
        vec![(AUTHORIZATION, secret_header(&header))]
    }

    /// Gitea has no limit of its own; GitHub's is enough.
    fn longest_comment(&self) -> usize {
        65_536
    }

    fn without_user(&self) -> Ours {
        Ours::Unknown
    }

    /// Gitea answers with all of them; the page is for those of its kin that have pages.
    fn comments(&self, request: u64, page: u32) -> Call {
        Call::get(format!(
            "{}/issues/{request}/comments?limit=50&page={page}",
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
        issues::status(&self.repository, commit, (status, 255))
    }

    fn way_out(&self, status: StatusCode) -> &'static str {
        match status.as_u16() {
            401 => "GITEA_TOKEN is wrong or has been taken back",
            403 => {
                "the token may not do this: it needs the scopes write:issue and write:repository, and its user a place among \
                 the repository's collaborators; for the pull request of a fork, report from a job that does not run on forks"
            }
            404 => {
                "there is no such repository, pull request or commit, or the token can't see it: look at --api (it ends with \
                 /api/v1), --repo, --pr and --sha"
            }
            _ => "",
        }
    }
}
