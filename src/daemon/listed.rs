//! The list of fleets that one daemon follows, as people write it.
//!
//! Invariant: pure; what is let through can be followed, as far as that can be seen without asking anybody. A fleet's credentials
//! are named by their files and never stand here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::diag::{Code, Diagnostic};
use crate::fleet::{Settings, SourceFile, schema_of};
use crate::source::git::{Location, Selection};

/// Fleets that one daemon follows, each by a loop of its own.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ListedFleets {
    /// The fleets.
    pub fleets: Vec<Listed>,
}

/// A fleet: where its files are, and what is its own of the daemon's settings. Paths of files are meant from this file's directory.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Listed {
    /// What it is called in the log, in metrics (label `fleet`), in /status and in /readyz.
    #[schemars(regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// The repository that its files are in.
    pub git: Option<GitListed>,
    /// The directory that its files are in, where there is no repository.
    pub directory: Option<PathBuf>,
    /// Only what is recorded on these management clusters, instead of those of --management-cluster.
    #[serde(default)]
    pub management_clusters: Vec<String>,
    /// The kubeconfig with the contexts of its management clusters, instead of that of --kubeconfig.
    pub kubeconfig: Option<PathBuf>,
    /// Contexts of that by management cluster, beside those of --context.
    #[serde(default)]
    pub contexts: BTreeMap<String, String>,
    /// File with the secret that webhooks about its repository are signed with, instead of --webhook-secret-file.
    pub webhook_secret_file: Option<PathBuf>,
    /// How often its files are looked at, instead of --poll.
    #[schemars(regex(pattern = r"^[0-9]{1,6}[smh]$"))]
    pub poll: Option<String>,
    /// What is done about drift that its files (`drift:`) don't speak of, instead of --drift.
    pub drift: Option<DriftWord>,
}

/// What is done about drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DriftWord {
    /// It is mended.
    Correct,
    /// It is reported, and left as it is.
    Report,
    /// It is passed over.
    Off,
}

/// A repository, and how it is read: as the options of the same names say it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct GitListed {
    /// Https, ssh or file URL, or user@host:path; without a password.
    pub url: String,
    /// Branch, tag or commit; refs/heads/… and refs/tags/… to tell them apart, semver:^1.2 for the highest version's tag.
    pub r#ref: Option<String>,
    /// Directory of the fleet files within it.
    pub path: Option<String>,
    /// File with a token or a password; read each time.
    pub token_file: Option<PathBuf>,
    /// User that the token or password is of.
    pub user: Option<String>,
    /// Private key for ssh; its passphrase comes from FLEETWRIGHT_GIT_PASSPHRASE.
    pub ssh_key_file: Option<PathBuf>,
    /// Keys of ssh servers, as OpenSSH keeps them.
    pub known_hosts_file: Option<PathBuf>,
    /// PEM file of certificate authorities to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Proxy for https.
    pub proxy: Option<String>,
    /// SSH keys that may sign commits and tags (allowed_signers).
    pub signers_file: Option<PathBuf>,
    /// OpenPGP keys that may sign commits and tags.
    pub openpgp_keys_file: Option<PathBuf>,
    /// How long fetching may take.
    #[schemars(regex(pattern = r"^[1-9][0-9]{0,5}[smh]$"))]
    pub timeout: Option<String>,
    /// How much a server may send in one fetch, as in 200MiB.
    #[schemars(regex(pattern = r"^[1-9][0-9]{0,5}(KiB|MiB|GiB)$"))]
    pub max_size: Option<String>,
    /// Go back to an older commit than the one in force; meant for one run, after a branch was reset on purpose.
    #[serde(default)]
    pub allow_older: bool,
    /// Go to a commit that was not made on top of the one in force; meant for one run, after history was rewritten on purpose.
    #[serde(default)]
    pub allow_rewritten: bool,
}

/// Where a fleet's files are.
#[derive(Debug)]
pub enum Origin<'a> {
    /// In a repository.
    Git(&'a GitListed),
    /// In a directory.
    Directory(&'a Path),
}

/// The JSON Schema of the list, for editors.
pub fn schema() -> Value {
    schema_of::<ListedFleets>()
}

impl Listed {
    /// Where its files are; none where it is not said, which [`ListedFleets::read`] refuses.
    pub fn origin(&self) -> Option<Origin<'_>> {
        let directory = || self.directory.as_deref().map(Origin::Directory);
        self.git.as_ref().map(Origin::Git).or_else(directory)
    }
}

impl ListedFleets {
    /// Reads a list.
    ///
    /// # Errors
    /// Where it can't be followed: everything that is wrong with it.
    pub fn read(file: SourceFile) -> Result<Self, Vec<Diagnostic>> {
        let settings = Settings::<Self>::read(file)?;
        let mut check = Check {
            settings: &settings,
            found: Vec::new(),
            names: BTreeMap::new(),
            places: BTreeMap::new(),
        };
        check.all();
        match check.found {
            found if found.is_empty() => Ok(settings.value),
            found => Err(found),
        }
    }
}

struct Check<'a> {
    settings: &'a Settings<ListedFleets>,
    found: Vec<Diagnostic>,
    /// By what they are called, the number of the first.
    names: BTreeMap<&'a str, usize>,
    /// By where they lead.
    places: BTreeMap<String, usize>,
}

impl<'a> Check<'a> {
    fn all(&mut self) {
        let fleets = &self.settings.value.fleets;
        if fleets.is_empty() {
            let problem = Diagnostic::new(Code::MissingKey, "there is no fleet to follow");
            self.report(
                problem.hint("write one like `- {name: payments, git: {url: https://…}}`"),
                &["fleets"],
            );
        }
        for (number, listed) in fleets.iter().enumerate() {
            self.one(number, listed);
        }
    }

    fn report(&mut self, problem: Diagnostic, path: &[&str]) {
        self.found.push(problem.at(&self.settings.span(path)));
    }

    fn one(&mut self, number: usize, listed: &'a Listed) {
        let at = number.to_string();
        if let Some(first) = self.names.insert(&listed.name, number) {
            let problem = Diagnostic::new(
                Code::ListedTwice,
                format!("two fleets of the list are called `{}`", listed.name),
            );
            let before = self.settings.span(&["fleets", &first.to_string(), "name"]);
            let problem = problem
                .related(&before, "the first")
                .hint("give each a name of its own");
            self.report(problem, &["fleets", &at, "name"]);
        }
        let git = ["fleets", at.as_str(), "git"];
        let leads_to = match (&listed.git, &listed.directory) {
            (Some(found), None) => self.repository(found, git),
            (None, Some(directory)) => Some(format!("directory {}", directory.display())),
            (None, None) => {
                let message = format!("where the files of `{}` are is not said", listed.name);
                let problem = Diagnostic::new(Code::MissingKey, message);
                self.report(problem.hint("give it `git` or `directory`"), &["fleets", &at]);
                None
            }
            (Some(_), Some(_)) => {
                let message = format!("the files of `{}` are in a repository or in a directory", listed.name);
                let problem = Diagnostic::new(Code::NotAllowed, message);
                self.report(problem.hint("take one of the two away"), &["fleets", &at, "directory"]);
                None
            }
        };
        let first = leads_to.and_then(|leads_to| self.places.insert(leads_to, number));
        if let Some(first) = first {
            let message = format!("`{}` leads to the same files as another fleet of the list", listed.name);
            let before = self.settings.span(&["fleets", &first.to_string()]);
            let problem = Diagnostic::new(Code::ListedTwice, message).related(&before, "this one");
            let problem = problem.hint("two loops would fight over one fleet: take one of them away");
            self.report(problem, &["fleets", &at]);
        }
    }

    /// Says where a repository leads to.
    fn repository(&mut self, git: &GitListed, [fleets, at, key]: [&str; 3]) -> Option<String> {
        let location = git.url.parse::<Location>();
        if let Err(error) = &location {
            // What is refused may hold a password: it is not repeated.
            let problem = Diagnostic::new(Code::NotAllowed, error.to_string());
            self.report(problem, &[fleets, at, key, "url"]);
        }
        let selection = git.r#ref.as_deref().map(str::parse::<Selection>).transpose();
        if let Err(error) = &selection {
            let problem = Diagnostic::new(Code::NotAllowed, error.to_string());
            self.report(problem, &[fleets, at, key, "ref"]);
        }
        let path = git.path.as_deref().unwrap_or_default().trim_matches('/');
        let selection = selection.ok()?.unwrap_or_default();
        Some(format!("{} {selection:?} {path}", location.ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ListedFleets, Vec<(&'static str, String)>> {
        let file = SourceFile {
            path: "fleets.yaml".into(),
            text: text.into(),
        };
        let said = |problem: Diagnostic| {
            assert!(
                !problem.hints.is_empty() || problem.code == Code::NotAllowed,
                "{problem:?}"
            );
            let place = problem.span.map(|span| span.to_string()).unwrap_or_default();
            (problem.code.id(), format!("{place} {}", problem.message))
        };
        ListedFleets::read(file).map_err(|found| found.into_iter().map(said).collect())
    }

    #[test]
    fn each_fleet_has_what_is_its_own() {
        let text = "fleets:\n- name: payments\n  git: {url: 'git@git.example.com:a/b.git', ref: semver:^1, tokenFile: token}\n  \
                    poll: 1m\n  drift: report\n  contexts: {m: admin}\n- {name: data, directory: ../data}\n\
                    - {name: more, git: {url: 'ssh://git@git.example.com/a/b.git', ref: semver:^1, path: more}}\n";
        let read = read(text).unwrap();
        let [payments, data, more] = &read.fleets[..] else {
            panic!("{read:?}");
        };
        assert_eq!(payments.drift, Some(DriftWord::Report));
        assert_eq!(payments.contexts["m"], "admin");
        assert!(matches!(data.origin(), Some(Origin::Directory(path)) if path == Path::new("../data")));
        assert!(matches!(more.origin(), Some(Origin::Git(git)) if git.path.as_deref() == Some("more")));
    }

    #[test]
    fn what_can_not_be_followed_is_said_with_its_place() {
        for (text, code, said) in [
            ("fleets: []", "FW0204", "1:9 there is no fleet"),
            ("", "FW0203", "1:1 "),
            ("fleets: [{name: a}]", "FW0204", "where the files of `a` are"),
            ("fleets: [{name: A, directory: x}]", "FW0203", "1:17 "),
            (
                "fleets: [{name: a, directory: x, git: {url: 'https://h/a'}}]",
                "FW0205",
                "or in a directory",
            ),
            (
                "fleets: [{name: a, directory: x}, {name: a, directory: y}]",
                "FW0308",
                "1:42 two fleets",
            ),
            (
                "fleets: [{name: a, directory: x}, {name: b, directory: x}]",
                "FW0308",
                "1:35 `b` leads to",
            ),
            ("fleets: [{name: a, git: {url: fleet}}]", "FW0205", "1:31 "),
            (
                "fleets: [{name: a, git: {url: 'https://h/a', ref: 'semver:nope'}}]",
                "FW0205",
                "1:51 ",
            ),
            ("fleets: [{name: a, directory: x, pol: 1s}]", "FW0202", "pol"),
            ("fleets: [{name: a, directory: x, poll: soon}]", "FW0203", "1:40 "),
        ] {
            let found = read(text).unwrap_err();
            let is_said = |(code_found, message): &(&str, String)| *code_found == code && message.contains(said);
            assert!(found.iter().any(is_said), "{text}: {found:?}");
        }
        let same = "fleets:\n- {name: a, git: {url: 'git@h:a/b.git', path: x/}}\n- {name: b, git: {url: 'ssh://git@h/a/b.git', path: x}}\n";
        assert_eq!(read(same).unwrap_err()[0].0, "FW0308");
    }

    #[test]
    fn a_password_in_a_url_is_refused_and_not_repeated() {
        let found = read("fleets: [{name: a, git: {url: 'https://me:hunter2@h/a'}}]").unwrap_err();
        assert!(!format!("{found:?}").contains("hunter2"), "{found:?}");
    }
}
