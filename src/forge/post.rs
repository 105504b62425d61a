//! Telling: the status first, since merges wait for it, then the comment.
//!
//! Invariant: one comment a marker, however often this runs and whatever becomes of an answer.

use super::{Call, Client, Comment, Commit, Ours, SendError, Status};

/// Pages of comments that are looked through: ten thousand comments and more.
const PAGES: u32 = 200;

/// What is told.
#[derive(Clone, Debug)]
pub struct Post {
    /// The pull request that gets a comment.
    pub request: Option<u64>,
    /// The commit that gets a status.
    pub commit: Option<Commit>,
    /// The first line of the comment.
    pub marker: String,
    /// The comment, with that line.
    pub text: String,
    /// The status.
    pub status: Status,
}

/// What became of a comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It was made.
    Created,
    /// It was written anew.
    Updated,
    /// It is as it was.
    Unchanged,
}

/// What became of it all.
#[derive(Debug)]
pub struct Posted {
    /// Of the status, where there is a commit.
    pub status: Option<Result<(), SendError>>,
    /// Of the comment, where there is a pull request.
    pub comment: Option<Result<Written, SendError>>,
}

/// Tells it.
pub async fn post(client: &mut Client, post: &Post) -> Posted {
    let status = match &post.commit {
        Some(commit) => {
            let call = client.forge.status(commit, &post.status);
            Some(client.send(&call).await.map(drop))
        }
        None => None,
    };
    let comment = match post.request {
        Some(request) => Some(write(client, request, post).await),
        None => None,
    };
    Posted { status, comment }
}

/// What would be sent, for people to look at.
pub fn rehearse(client: &Client, post: &Post) -> Vec<Call> {
    let status = post
        .commit
        .iter()
        .map(|commit| client.forge.status(commit, &post.status));
    let comment = post.request.iter().flat_map(|request| {
        [
            client.forge.comments(*request, 1),
            client.forge.create(*request, &post.text),
        ]
    });
    status.chain(comment).collect()
}

async fn write(client: &mut Client, request: u64, post: &Post) -> Result<Written, SendError> {
    let ours = whose(client).await?;
    let mut looked_again = false;
    loop {
        let found = find(client, request, &post.marker, ours).await?;
        let Some((first, others)) = found.split_first() else {
            let call = client.forge.create(request, &post.text);
            match client.send(&call).await {
                // Whether it was made is to be seen.
                Err(error @ SendError::Unclear { .. }) if !looked_again => {
                    client.settle(error).await?;
                    looked_again = true;
                    continue;
                }
                answer => return answer.map(|_| Written::Created),
            }
        };
        let written = update(client, request, first, &post.text).await?;
        // Two pipelines at once may each have made one; what could be someone else's is left alone.
        if ours != Ours::Unknown {
            let elsewhere = format!("{}\nThe report stands in an earlier comment.", post.marker);
            for other in others {
                update(client, request, other, &elsewhere).await?;
            }
        }
        return Ok(match written {
            // It is the one that was made before the answer was lost.
            Written::Unchanged if looked_again => Written::Created,
            written => written,
        });
    }
}

async fn update(client: &mut Client, request: u64, comment: &Comment, text: &str) -> Result<Written, SendError> {
    if same(&comment.text, text) {
        return Ok(Written::Unchanged);
    }
    let call = client.forge.update(request, comment.id, text);
    client.send(&call).await?;
    Ok(Written::Updated)
}

/// Hosts trim, and some end lines in their own way.
fn same(a: &str, b: &str) -> bool {
    a.trim().lines().eq(b.trim().lines())
}

async fn whose(client: &mut Client) -> Result<Ours, SendError> {
    #[derive(serde::Deserialize)]
    struct Me {
        id: u64,
    }
    let call = client.forge.who();
    match client.send(&call).await {
        Ok(answer) => match serde_json::from_slice::<Me>(&answer.body) {
            Ok(me) => Ok(Ours::User(me.id)),
            Err(source) => {
                let call = client.name(&call);
                Err(SendError::Unreadable { call, source })
            }
        },
        Err(SendError::Refused { status, .. }) if matches!(status.as_u16(), 403 | 404) => {
            Ok(client.forge.without_user())
        }
        Err(error) => Err(error),
    }
}

/// Our comments with the marker, in the order that the host has them in.
async fn find(client: &mut Client, request: u64, marker: &str, ours: Ours) -> Result<Vec<Comment>, SendError> {
    let mut found = Vec::new();
    for page in 1..=PAGES {
        let call = client.forge.comments(request, page);
        let answer = client.send(&call).await?;
        let comments = client.forge.read_comments(&answer.body).map_err(|source| {
            let call = client.name(&call);
            SendError::Unreadable { call, source }
        })?;
        let is_it = |comment: &Comment| {
            let first = comment.text.lines().next().unwrap_or_default();
            first.trim() == marker && ours.wrote(comment)
        };
        found.extend(comments.into_iter().filter(is_it));
        if !answer.has_more {
            return Ok(found);
        }
    }
    let call = client.forge.comments(request, PAGES);
    Err(SendError::Endless(client.name(&call)))
}
