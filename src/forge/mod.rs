//! Code hosts: the comment of a pull request and the status of a commit, on GitHub, GitLab and Gitea.
//!
//! Invariant: what is asked is built and what is answered is read apart from the sending. A token goes to the one API that is
//! named and nowhere else: no redirect and no link of an answer is followed. A comment is written anew only where it begins with
//! our marker and is ours, as far as the host says whose it is; nothing is deleted. May depend on `report`, `resource` and on
//! the transport of `providers`; knows nothing of fleets or plans.

mod call;
mod client;
mod environment;
mod gitea;
mod github;
mod gitlab;
mod issues;
mod message;
mod post;
#[cfg(test)]
mod tests;

use http::{HeaderName, HeaderValue, StatusCode};

pub use call::{Address, AddressError, Call, Commit, Method, Repeat, Repository};
pub use client::{Client, ClientOptions, LARGEST_ANSWER, SendError};
pub use environment::{Defaults, Token, defaults, token};
pub use gitea::Gitea;
pub use github::GitHub;
pub use gitlab::GitLab;
pub use message::{Key, Message, MessageError, Subject};
pub use post::{Post, Posted, Written, post, rehearse};

/// What kind of code host it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// github.com, or a GitHub Enterprise Server.
    GitHub,
    /// gitlab.com, or a GitLab of one's own.
    GitLab,
    /// Gitea, and Forgejo, which speaks the same.
    Gitea,
}

/// What a code host's API is like: requests as values, and answers read.
pub trait Forge: Send + Sync {
    /// Whom we are.
    fn token(&self) -> &Token;

    /// What every request carries, the token among it.
    fn headers(&self) -> Vec<(HeaderName, HeaderValue)>;

    /// Characters that a comment may have.
    fn longest_comment(&self) -> usize;

    /// A text as it may stand in a comment: where a host acts on what it reads, that is undone here.
    fn harmless(&self, text: &str) -> String {
        text.to_owned()
    }

    /// Asks whose the token is; no user where it is of a kind that has none.
    fn who(&self) -> Call {
        Call::get("/user".to_owned())
    }

    /// Whose comments are ours, where the host does not say whose the token is.
    fn without_user(&self) -> Ours;

    /// Asks for a page of the comments of a pull request, from 1 on.
    fn comments(&self, request: u64, page: u32) -> Call;

    /// Reads such a page.
    ///
    /// # Errors
    /// Where it is none.
    fn read_comments(&self, body: &[u8]) -> Result<Vec<Comment>, serde_json::Error> {
        read_listed(body)
    }

    /// Makes a comment.
    fn create(&self, request: u64, text: &str) -> Call;

    /// Writes a comment anew.
    fn update(&self, request: u64, comment: u64, text: &str) -> Call;

    /// Sets a commit's status.
    fn status(&self, commit: &Commit, status: &Status) -> Call;

    /// What may be done about a refusal.
    fn way_out(&self, status: StatusCode) -> &'static str;
}

/// Whose comments are ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ours {
    /// Those of this user.
    User(u64),
    /// Those of programs: the token is a program's.
    Program,
    /// It can't be told: all that carry our marker.
    Unknown,
}

impl Ours {
    /// Whether a comment is.
    pub fn wrote(self, comment: &Comment) -> bool {
        match self {
            Self::User(id) => comment.author == Some(id),
            Self::Program => comment.by_program,
            Self::Unknown => true,
        }
    }
}

/// A comment, as a host lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Its id.
    pub id: u64,
    /// The user who wrote it, where that is known.
    pub author: Option<u64>,
    /// Whether that is a program.
    pub by_program: bool,
    /// Its text.
    pub text: String,
}

/// Whether a commit is fit to be merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is.
    Success,
    /// It is not.
    Failure,
    /// It is not known.
    Error,
}

/// The status of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// What stands beside the others of the commit: a later one of the same name takes its place.
    pub name: String,
    /// How it is.
    pub state: State,
    /// In a few words.
    pub description: String,
    /// Where there is more to read.
    pub link: Option<String>,
}

/// The form of a user that all three hosts have.
#[derive(serde::Deserialize)]
struct User {
    id: u64,
    /// GitHub's alone.
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// The form of a comment that all three hosts have.
#[derive(serde::Deserialize)]
struct Listed {
    id: u64,
    #[serde(default)]
    body: Option<String>,
    #[serde(alias = "author")]
    user: Option<User>,
    /// GitLab's: written by itself, about what happened.
    #[serde(default)]
    system: bool,
}

fn read_listed(body: &[u8]) -> Result<Vec<Comment>, serde_json::Error> {
    let listed: Vec<Listed> = serde_json::from_slice(body)?;
    let told = listed.into_iter().filter(|one| !one.system);
    Ok(told
        .map(|one| Comment {
            id: one.id,
            author: one.user.as_ref().map(|user| user.id),
            by_program: one.user.and_then(|user| user.kind).as_deref() == Some("Bot"),
            text: one.body.unwrap_or_default(),
        })
        .collect())
}

/// No more characters than that.
fn shortened(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(longest.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// A header that is never shown. What is no header can't be a token; it is sent empty, and refused.
fn secret_header(text: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}
