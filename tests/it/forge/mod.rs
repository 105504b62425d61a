//! `report`: what a pull request is told, on a real Gitea and on small servers that stand for GitHub and GitLab.

mod gitea;
pub(crate) mod host;
mod hosts;
pub(crate) mod reviewed;

use std::path::PathBuf;

use crate::cli::{Ran, Workplace};

/// The first lines and the last one of a plan's report, as `plan -o markdown` prints it.
pub(crate) fn report_of(fleet: &str, headline: &str, verdict: &str) -> String {
    format!(
        "<!-- fleetwright plan of {fleet} -->\n### fleetwright: {headline}\n\nFleet `{fleet}`, revision `abc`.\n\n\
         <!-- fleetwright verdict: {verdict} -->\n"
    )
}

/// A machine need not have certificate authorities, and on loopback none is needed.
pub(crate) fn authorities() -> PathBuf {
    crate::fleet_support::repository("tests/it/oci_client/keys/loopback.pem")
}

/// A run of `report` and what it is told by its environment.
pub(crate) struct Reporter<'a> {
    pub(crate) place: &'a Workplace,
    pub(crate) env: Vec<(&'a str, String)>,
}

impl Reporter<'_> {
    /// Reports a text. Nothing that is said holds a token.
    #[track_caller]
    pub(crate) fn run(&self, report: &str, args: &[&str]) -> Ran {
        std::fs::write(self.place.path().join("report.md"), report).expect("a file");
        let mut command = self.place.command(&[&["report", "report.md", "-vv"], args].concat());
        command.env("SSL_CERT_FILE", authorities());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        let ran = Ran::of(command.output().expect("the program"));
        for (name, token) in self.env.iter().filter(|(name, _)| name.ends_with("_TOKEN")) {
            let shown = ran.stdout.contains(token) || ran.stderr.contains(token);
            assert!(!shown, "{name} is shown: {ran:?}");
        }
        ran
    }
}
