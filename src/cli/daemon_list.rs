//! The list of fleets of `daemon --config`, and what each of them adds to the options of all.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use super::args::duration;
use super::git_args::{self, GitArgs};
use super::{Printer, common};
use crate::daemon::{Directory, DriftWord, GitListed, Listed, ListedFleets, Origin, Repository, Source};
use crate::fleet::SourceFile;
use crate::fleet::model::DriftAction;
use crate::ops::{Access, FetchOptions, LoadedFleet};
use crate::report;
use crate::report::style::Style;
use crate::source::git::Allowed;

/// A list, and the directory that its paths are meant from.
pub(super) struct List {
    fleets: Vec<Listed>,
    directory: PathBuf,
    /// What https goes through where a fleet does not say.
    proxy: Option<String>,
}

/// Reads a list; shows what is wrong with it.
pub(super) fn read(path: &Path, of_all: &GitArgs, printer: &Printer) -> anyhow::Result<List> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} can't be read", path.display()))?;
    let file = SourceFile {
        path: path.to_string_lossy().into(),
        text: text.into(),
    };
    let list = ListedFleets::read(file.clone()).map_err(|found| {
        let style = report::diagnostics::Style {
            color: printer.error_style() == Style::Coloured,
            alike: None,
        };
        printer.complain(&report::diagnostics::render(&found, &[file], style));
        anyhow::anyhow!("{} is no list of fleets: see above", path.display())
    })?;
    let timeouts = list
        .fleets
        .iter()
        .filter_map(|listed| listed.git.as_ref()?.timeout.as_deref());
    if let Some(shortest) = timeouts.filter_map(|text| duration(text).ok()).min() {
        // libgit2 knows one for the whole process.
        git_args::wait_no_longer(shortest);
    }
    Ok(List {
        fleets: list.fleets,
        directory: path.parent().unwrap_or(Path::new("")).to_owned(),
        proxy: of_all.git_proxy.clone(),
    })
}

/// One fleet of a list.
pub(super) struct One<'a> {
    list: &'a List,
    listed: &'a Listed,
}

impl List {
    /// Each of its fleets.
    pub(super) fn each(&self) -> impl Iterator<Item = One<'_>> {
        self.fleets.iter().map(|listed| One { list: self, listed })
    }
}

impl One<'_> {
    /// What it is called.
    pub(super) fn name(&self) -> &str {
        &self.listed.name
    }

    fn path(&self, path: &Path) -> PathBuf {
        self.list.directory.join(path)
    }

    fn fetch(&self, git: &GitListed) -> anyhow::Result<FetchOptions> {
        let path = |path: &Option<PathBuf>| path.as_deref().map(|path| self.path(path));
        let args = GitArgs::of(git, path).map(|mut args| {
            args.git_proxy = args.git_proxy.or_else(|| self.list.proxy.clone());
            args
        });
        let options = args.and_then(|args| args.options(common::cache()));
        let options = options.with_context(|| format!("fleet `{}`", self.name()))?;
        let mut options = options.context("a repository without a URL")?;
        if git.token_file.is_none() {
            // The environment's is meant for whichever repository.
            options.token = None;
        }
        Ok(options)
    }

    /// Where its files come from.
    pub(super) fn source(&self) -> anyhow::Result<Arc<dyn Source>> {
        Ok(match self.listed.origin() {
            Some(Origin::Git(git)) => {
                let allowed = Allowed {
                    older: git.allow_older,
                    rewritten: git.allow_rewritten,
                };
                Arc::new(Repository::new(self.fetch(git)?, allowed))
            }
            Some(Origin::Directory(path)) => Arc::new(Directory { path: self.path(path) }),
            None => anyhow::bail!("where the files of `{}` are is not said", self.name()),
        })
    }

    /// Its files, as they are now.
    pub(super) fn load(&self) -> anyhow::Result<LoadedFleet> {
        match self.listed.origin() {
            Some(Origin::Git(git)) => common::load_fetched(&self.fetch(git)?, true),
            Some(Origin::Directory(path)) => common::load_directory(&self.path(path), false),
            None => anyhow::bail!("where the files of `{}` are is not said", self.name()),
        }
    }

    /// How its control planes are reached, where the others' are reached so; what is counted of it is its own.
    pub(super) fn access(&self, of_all: &Access) -> Access {
        let mut access = Access {
            metrics: Arc::default(),
            ..of_all.clone()
        };
        if let Some(path) = &self.listed.kubeconfig {
            access.kubeconfigs = vec![self.path(path)];
            access.in_cluster = None;
        }
        if !self.listed.contexts.is_empty() {
            let contexts = self.listed.contexts.iter();
            access
                .contexts
                .extend(contexts.map(|(name, context)| (name.clone(), context.clone())));
            access.in_cluster = None;
        }
        access.management_clusters = self.management_clusters(&of_all.management_clusters);
        access
    }

    /// The management clusters that it is kept on; empty: all.
    pub(super) fn management_clusters(&self, of_all: &[String]) -> Vec<String> {
        match self.listed.management_clusters.as_slice() {
            [] => of_all.to_vec(),
            own => own.to_vec(),
        }
    }

    /// How often its files are looked at.
    pub(super) fn poll(&self, of_all: Duration) -> anyhow::Result<Duration> {
        match &self.listed.poll {
            Some(text) => duration(text).map_err(|error| anyhow::anyhow!("`poll` of fleet `{}`: {error}", self.name())),
            None => Ok(of_all),
        }
    }

    /// What is done about its drift.
    pub(super) fn drift(&self, of_all: DriftAction) -> DriftAction {
        match self.listed.drift {
            Some(DriftWord::Correct) => DriftAction::Correct,
            Some(DriftWord::Report) => DriftAction::Report,
            Some(DriftWord::Off) => DriftAction::Off,
            None => of_all,
        }
    }

    /// The file of the secret that webhooks about it are signed with.
    pub(super) fn webhook_secret(&self) -> Option<PathBuf> {
        self.listed.webhook_secret_file.as_deref().map(|path| self.path(path))
    }
}
