//! `report`.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use super::args::duration;
use super::{Exit, Printer, common};
use crate::forge::{
    self, Address, Client, ClientOptions, Commit, Defaults, Forge, GitHub, GitLab, Gitea, Host, Key, LARGEST_ANSWER,
    Message, Post, Posted, Repository, Status, Token, Written,
};
use crate::providers::oci::transport::{Https, HttpsOptions};
use crate::report::verdict::Verdict;

/// Bytes of a report: far more than `plan` writes.
const LARGEST_REPORT: u64 = 4 << 20;
/// Bytes of the document that tells a job of GitHub what it is about.
const LARGEST_EVENT: u64 = 32 << 20;

/// Tell a pull request what a plan came to: its comment, written anew and never twice, and the status of its commit
///
/// Reads what `plan -o markdown` or `validate -o markdown` printed. In the pipelines of the hosts themselves nothing but --to
/// is needed: the rest comes from their variables. The token comes from the environment alone: GITHUB_TOKEN, GITLAB_TOKEN (or
/// CI_JOB_TOKEN), GITEA_TOKEN.
///
/// Exits as the plan did, once it is told: with 3 where a guard refuses, with 1 where something is wrong, not known, or where
/// there was no report.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The report; `-` is the standard input
    #[arg(value_name = "FILE", default_value = "-")]
    report: PathBuf,

    /// Where the repository is
    #[arg(long, value_enum, value_name = "HOST")]
    to: To,

    /// Address of the host's API, such as `https://git.example.com/api/v1` [default: GITHUB_API_URL or CI_API_V4_URL]
    #[arg(long, value_name = "URL")]
    api: Option<String>,

    /// The repository: OWNER/NAME, on GitLab also a number [default: GITHUB_REPOSITORY or CI_MERGE_REQUEST_PROJECT_ID]
    #[arg(long, value_name = "REPOSITORY")]
    repo: Option<String>,

    /// Number of the pull request that gets the comment [default: from GITHUB_EVENT_PATH, or CI_MERGE_REQUEST_IID; no comment
    /// without one]
    #[arg(long, value_name = "N")]
    pr: Option<u64>,

    /// The commit that gets the status, as a whole id [default: the pull request's last, from the same; else the one that was
    /// pushed]
    #[arg(long, value_name = "COMMIT")]
    sha: Option<String>,

    /// Page with more to read, for the comment and the status [default: that of the pipeline]
    #[arg(long, value_name = "URL")]
    link: Option<String>,

    /// What tells this report apart from others about the same fleet, such as an environment: each has its own comment and
    /// status
    #[arg(long, value_name = "KEY")]
    key: Option<String>,

    /// The fleet's name, for when there is no report, or none that says it: the comment and the status then say so
    #[arg(long, value_name = "NAME")]
    fleet_name: Option<String>,

    /// Set the status alone
    #[arg(long, conflicts_with = "no_status")]
    no_comment: bool,

    /// Write the comment alone
    #[arg(long)]
    no_status: bool,

    /// PEM file of certificate authorities to trust instead of the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,

    /// How long all of it may take, waits and repetitions among it
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = duration)]
    timeout: Duration,

    /// Print what would be sent, and send nothing; needs no token
    #[arg(long)]
    dry_run: bool,
}

/// A kind of code host.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum To {
    /// github.com, or a GitHub Enterprise Server.
    Github,
    /// gitlab.com, or a GitLab of one's own.
    Gitlab,
    /// Gitea or Forgejo.
    Gitea,
}

pub(super) fn run(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    let host = match args.to {
        To::Github => Host::GitHub,
        To::Gitlab => Host::GitLab,
        To::Gitea => Host::Gitea,
    };
    let message = Message::read(&report(&args.report)?, args.fleet_name.as_deref())?;
    let key = args.key.as_deref().map(Key::parse).transpose()?;
    let told = forge::defaults(host, &variable, event(host)?.as_ref());
    let forge = forge_of(args, host, &told)?;
    let post = post_of(args, &told, &message, (key.as_ref(), forge.as_ref()))?;
    let https = HttpsOptions {
        authority: args.ca.as_deref().map(authority).transpose()?,
        largest_answer: LARGEST_ANSWER,
        ..HttpsOptions::default()
    };
    let runtime = common::runtime()?;
    let address = Address::parse(required(args.api.as_ref().or(told.api.as_ref()), "--api URL")?)?;
    let posted = runtime.block_on(async {
        let mut client = Client::new(ClientOptions {
            exchange: Arc::new(Https::new(&https)?),
            address: address.clone(),
            forge,
            patience: args.timeout,
        });
        if args.dry_run {
            for call in forge::rehearse(&client, &post) {
                printer.data(&format!("{} {}\n", call.method.name(), address.of(&call)))?;
                if let Some(body) = &call.body {
                    printer.json(body)?;
                }
            }
            return anyhow::Ok(None);
        }
        Ok(Some(forge::post(&mut client, &post).await))
    })?;
    if let Some(verdict @ (Verdict::Refused | Verdict::Incomplete)) = message.verdict() {
        printer.note(&format!(
            "the report is of what is {verdict}: exiting as its command did"
        ));
    }
    let is_told = posted.is_none_or(|posted| say(&posted, &post, printer));
    Ok(match message.verdict() {
        _ if !is_told => Exit::Error,
        Some(Verdict::Clean | Verdict::Drift | Verdict::Changes) => Exit::Done,
        Some(Verdict::Refused) => Exit::Refused,
        Some(Verdict::Incomplete) | None => Exit::Error,
    })
}

fn forge_of(args: &Args, host: Host, told: &Defaults) -> anyhow::Result<Arc<dyn Forge>> {
    let repository = args.repo.as_ref().or(told.repository.as_ref());
    let repository = Repository::parse(required(repository, "--repo")?)?;
    let token = match forge::token(host, &variable) {
        Ok(token) => token,
        Err(_) if args.dry_run => Token::none(),
        Err(missing) => anyhow::bail!(missing),
    };
    Ok(match host {
        Host::GitHub => Arc::new(GitHub::new(&repository, token)?),
        Host::Gitea => Arc::new(Gitea::new(&repository, token)?),
        Host::GitLab => {
            // Another project knows nothing of this pipeline.
            let pipeline = told.pipeline.filter(|_| args.repo.is_none());
            Arc::new(GitLab::new(&repository, token, told.reference.clone(), pipeline))
        }
    })
}

fn post_of(
    args: &Args,
    told: &Defaults,
    message: &Message,
    (key, forge): (Option<&Key>, &dyn Forge),
) -> anyhow::Result<Post> {
    let commit = args.sha.as_ref().or(told.commit.as_ref());
    let commit = commit.map(|text| Commit::parse(text)).transpose()?;
    let link = args
        .link
        .as_ref()
        .or(told.link.as_ref())
        .map(|text| page(text))
        .transpose()?;
    let request = args.pr.or(told.request).filter(|_| !args.no_comment);
    if request.is_none() && (commit.is_none() || args.no_status) {
        anyhow::bail!("neither a pull request nor a commit is known: give --pr N, --sha COMMIT or both");
    }
    let comment = message.comment(key, commit.as_ref(), link.as_deref(), forge.longest_comment());
    Ok(Post {
        request,
        marker: message.marker(key),
        text: forge.harmless(&comment),
        status: Status {
            name: message.status_name(key),
            state: message.state(),
            description: message.description(),
            link,
        },
        commit: commit.filter(|_| !args.no_status),
    })
}

/// Says what became of it; whether all was told.
fn say(posted: &Posted, post: &Post, printer: &Printer) -> bool {
    match &posted.status {
        Some(Ok(())) => printer.note(&format!("status {}: set", post.status.name)),
        Some(Err(error)) => printer.complain(&format!("the status was not set: {}", crate::report::chain(error))),
        None => printer.note("no status: no commit is named, or none is wanted"),
    }
    match &posted.comment {
        Some(Ok(Written::Created)) => printer.note("comment: made"),
        Some(Ok(Written::Updated)) => printer.note("comment: written anew"),
        Some(Ok(Written::Unchanged)) => printer.note("comment: as it was"),
        Some(Err(error)) => printer.complain(&format!("the comment was not written: {}", crate::report::chain(error))),
        None => printer.note("no comment: no pull request is named, or none is wanted"),
    }
    !matches!(posted.status, Some(Err(_))) && !matches!(posted.comment, Some(Err(_)))
}

fn required<'a>(value: Option<&'a String>, option: &str) -> anyhow::Result<&'a str> {
    value
        .map(String::as_str)
        .with_context(|| format!("{option} is needed: no variable of a pipeline says it"))
}

fn variable(name: &str) -> Option<String> {
    std::env::var_os(name)?.into_string().ok()
}

/// A page that may be linked to.
fn page(text: &str) -> anyhow::Result<String> {
    let url = url::Url::parse(text).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none()
    });
    Ok(url
        .context("--link has to be an http or https URL without a password")?
        .into())
}

/// What GitHub and Gitea tell a job.
fn event(host: Host) -> anyhow::Result<Option<Value>> {
    let path = std::env::var_os("GITHUB_EVENT_PATH").filter(|path| !path.is_empty() && host != Host::GitLab);
    let Some(path) = path else {
        return Ok(None);
    };
    let path = Path::new(&path);
    let text = read(path, LARGEST_EVENT)?;
    let event = serde_json::from_str(&text);
    Ok(Some(event.with_context(|| format!("{} is no JSON", path.display()))?))
}

fn report(path: &Path) -> anyhow::Result<String> {
    if path != Path::new("-") {
        return read(path, LARGEST_REPORT);
    }
    let mut text = String::new();
    let mut stdin = std::io::stdin().lock().take(LARGEST_REPORT + 1);
    stdin
        .read_to_string(&mut text)
        .context("the standard input can't be read")?;
    anyhow::ensure!(text.len() as u64 <= LARGEST_REPORT, "the report is too large");
    Ok(text)
}

fn read(path: &Path, largest: u64) -> anyhow::Result<String> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(largest + 1).read_to_string(&mut text))
        .with_context(|| format!("{} can't be read", path.display()))?;
    anyhow::ensure!(text.len() as u64 <= largest, "{} is too large", path.display());
    Ok(text)
}

fn authority(path: &Path) -> anyhow::Result<Vec<u8>> {
    Ok(read(path, LARGEST_REPORT)?.into_bytes())
}
