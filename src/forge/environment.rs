//! What a pipeline's environment says of the place that a report goes to.
//!
//! Invariant: pure; the variables come in as a function, the event as a document. What is said of another host is not taken.

use serde_json::Value;

use super::Host;
use super::gitlab::JOB_TOKEN;
use crate::resource::Secret;

/// A token and where it was found.
#[derive(Clone, Debug)]
pub struct Token {
    /// The token.
    pub secret: Secret,
    /// The variable that holds it.
    pub variable: &'static str,
}

impl Token {
    /// None, for what is not sent.
    pub fn none() -> Self {
        Self {
            secret: Secret::new(""),
            variable: "",
        }
    }
}

/// The variables that may hold the token, the better one first.
fn token_variables(host: Host) -> &'static [&'static str] {
    match host {
        Host::GitHub => &["GITHUB_TOKEN"],
        Host::GitLab => &["GITLAB_TOKEN", JOB_TOKEN],
        Host::Gitea => &["GITEA_TOKEN"],
    }
}

/// The token; the error says what to set.
///
/// # Errors
/// Where there is none.
pub fn token(host: Host, variable: &dyn Fn(&str) -> Option<String>) -> Result<Token, String> {
    let names = token_variables(host);
    let found = names.iter().find_map(|name| {
        let text = variable(name)?.trim().to_owned();
        // What is no header is no token.
        let fits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Token {
            secret: Secret::new(text),
            variable: name,
        })
    });
    found.ok_or_else(|| format!("there is no token: set {} in the environment", names.join(" or ")))
}

/// What is taken where no option says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Defaults {
    /// The API's address.
    pub api: Option<String>,
    /// The repository.
    pub repository: Option<String>,
    /// The number of the pull request.
    pub request: Option<u64>,
    /// The commit that the pull request ends with, or that was pushed.
    pub commit: Option<String>,
    /// The page of the pipeline.
    pub link: Option<String>,
    /// GitLab's: the branch that the pipeline is of.
    pub reference: Option<String>,
    /// GitLab's: the pipeline.
    pub pipeline: Option<u64>,
}

/// What the environment says. `event` is the document that GITHUB_EVENT_PATH leads to.
pub fn defaults(host: Host, variable: &dyn Fn(&str) -> Option<String>, event: Option<&Value>) -> Defaults {
    let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
    // Gitea's runner sets the variables of GitHub's.
    let on_gitea = variable("GITEA_ACTIONS").is_some();
    match host {
        Host::GitHub if !on_gitea => Defaults {
            api: variable("GITHUB_API_URL").or_else(|| Some("https://api.github.com".to_owned())),
            ..actions(&variable, event)
        },
        Host::Gitea if on_gitea => Defaults {
            api: variable("GITHUB_API_URL"),
            ..actions(&variable, event)
        },
        Host::GitHub => Defaults {
            api: Some("https://api.github.com".to_owned()),
            ..Defaults::default()
        },
        Host::Gitea => Defaults::default(),
        Host::GitLab => gitlab(&variable),
    }
}

fn actions(variable: &dyn Fn(&str) -> Option<String>, event: Option<&Value>) -> Defaults {
    let repository = variable("GITHUB_REPOSITORY");
    let pull = event.map(|event| &event["pull_request"]);
    let number = |text: String| text.strip_prefix("refs/pull/")?.split('/').next()?.parse().ok();
    // The commit that a pull request's job is about is one that the host made of the branch and its base.
    let of_a_pull = variable("GITHUB_EVENT_NAME").is_some_and(|name| name.starts_with("pull_request"));
    let head = pull.and_then(|pull| pull["head"]["sha"].as_str()).map(str::to_owned);
    let page = |server: String| {
        let run = variable("GITHUB_RUN_ID")?;
        Some(format!("{server}/{}/actions/runs/{run}", repository.clone()?))
    };
    Defaults {
        api: None,
        request: pull
            .and_then(|pull| pull["number"].as_u64())
            .or_else(|| variable("GITHUB_REF").and_then(number)),
        commit: head.or_else(|| variable("GITHUB_SHA").filter(|_| !of_a_pull)),
        link: variable("GITHUB_SERVER_URL").and_then(page),
        repository,
        reference: None,
        pipeline: None,
    }
}

fn gitlab(variable: &dyn Fn(&str) -> Option<String>) -> Defaults {
    let number = |name| variable(name).and_then(|text| text.parse().ok());
    let here = variable("CI_PROJECT_ID");
    // A fork's pipeline runs there, and the merge request is here.
    let repository = variable("CI_MERGE_REQUEST_PROJECT_ID").or_else(|| here.clone());
    let is_here = repository == here;
    Defaults {
        api: variable("CI_API_V4_URL").or_else(|| Some("https://gitlab.com/api/v4".to_owned())),
        request: number("CI_MERGE_REQUEST_IID"),
        // Of a pipeline for merged results CI_COMMIT_SHA is a commit that nobody made.
        commit: variable("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA").or_else(|| variable("CI_COMMIT_SHA")),
        link: variable("CI_PIPELINE_URL"),
        reference: variable("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME").or_else(|| variable("CI_COMMIT_REF_NAME")),
        pipeline: number("CI_PIPELINE_ID").filter(|_| is_here),
        repository,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn of(host: Host, pairs: &[(&str, &str)], event: Option<&Value>) -> Defaults {
        let map: BTreeMap<&str, &str> = pairs.iter().copied().collect();
        defaults(host, &|name| map.get(name).map(|value| (*value).to_owned()), event)
    }

    const ACTIONS: [(&str, &str); 7] = [
        ("GITHUB_API_URL", "https://api.github.com"),
        ("GITHUB_REPOSITORY", "o/r"),
        ("GITHUB_REF", "refs/pull/7/merge"),
        ("GITHUB_SHA", "aaaa"),
        ("GITHUB_EVENT_NAME", "pull_request"),
        ("GITHUB_SERVER_URL", "https://github.com"),
        ("GITHUB_RUN_ID", "99"),
    ];

    #[test]
    fn the_commit_of_a_pull_request_is_the_one_that_the_branch_ends_with() {
        let event = json!({"pull_request": {"number": 7, "head": {"sha": "bbbb"}}});
        let told = of(Host::GitHub, &ACTIONS, Some(&event));
        assert_eq!((told.request, told.commit.as_deref()), (Some(7), Some("bbbb")));
        assert_eq!(told.link.as_deref(), Some("https://github.com/o/r/actions/runs/99"));
        // The merge that GitHub tries out is never given a status: nobody would see it.
        let told = of(Host::GitHub, &ACTIONS, None);
        assert_eq!((told.request, told.commit), (Some(7), None));
        let push = [
            &ACTIONS[..],
            &[("GITHUB_EVENT_NAME", "push"), ("GITHUB_REF", "refs/heads/main")],
        ]
        .concat();
        let told = of(Host::GitHub, &push, Some(&json!({})));
        assert_eq!((told.request, told.commit.as_deref()), (None, Some("aaaa")));
    }

    #[test]
    fn what_is_said_of_another_host_is_not_taken() {
        assert_eq!(of(Host::Gitea, &ACTIONS, None), Defaults::default());
        let gitea = [
            &ACTIONS[..],
            &[("GITEA_ACTIONS", "true"), ("GITHUB_API_URL", "https://g/api/v1")],
        ]
        .concat();
        assert_eq!(of(Host::Gitea, &gitea, None).api.as_deref(), Some("https://g/api/v1"));
        assert_eq!(of(Host::GitHub, &gitea, None).repository, None);
    }

    #[test]
    fn a_fork_s_pipeline_reports_to_the_project_of_the_merge_request() {
        let fork = [
            ("CI_API_V4_URL", "https://gitlab.example.com/api/v4"),
            ("CI_PROJECT_ID", "2"),
            ("CI_MERGE_REQUEST_PROJECT_ID", "1"),
            ("CI_MERGE_REQUEST_IID", "7"),
            ("CI_COMMIT_SHA", "aaaa"),
            ("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", "bbbb"),
            ("CI_PIPELINE_ID", "5"),
        ];
        let told = of(Host::GitLab, &fork, None);
        assert_eq!((told.repository.as_deref(), told.pipeline), (Some("1"), None));
        assert_eq!((told.commit.as_deref(), told.request), (Some("bbbb"), Some(7)));
        let here = [
            &fork[..],
            &[("CI_PROJECT_ID", "1"), ("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", "")],
        ]
        .concat();
        let told = of(Host::GitLab, &here, None);
        assert_eq!((told.pipeline, told.commit.as_deref()), (Some(5), Some("aaaa")));
    }

    #[test]
    fn a_token_is_taken_from_its_variable_and_never_shown() {
        let job = |name: &str| (name == JOB_TOKEN).then(|| " hunter2\n".to_owned());
        let found = token(Host::GitLab, &job).unwrap();
        assert_eq!((found.secret.expose(), found.variable), ("hunter2", JOB_TOKEN));
        assert!(!format!("{found:?}").contains("hunter2"));
        assert!(token(Host::GitHub, &job).unwrap_err().contains("GITHUB_TOKEN"));
        let broken = |_: &str| Some("a\nb".to_owned());
        assert!(token(Host::Gitea, &broken).unwrap_err().contains("GITEA_TOKEN"));
    }
}
