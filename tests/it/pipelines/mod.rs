//! The pipelines below examples/: every `run:` and `script:` is executed as its runner would, against a real Gitea.
//!
//! What a runner does itself is done here: expressions and parameters are put in, steps hand values on by files, a step that
//! fails ends its job.

mod github;
mod gitlab;
mod lint;
mod tekton;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::fleet_support::repository;
use crate::support::skip;

type Env = BTreeMap<String, String>;

/// What the scripts of the examples call; none where it is missing.
fn programs() -> Option<()> {
    for program in ["bash", "git", "curl", "timeout", "sha256sum", "base64", "od", "install"] {
        let answer = Command::new(program).arg("--version").output();
        if !answer.is_ok_and(|output| output.status.success()) {
            return skip(&format!("there is no {program}, which the examples' scripts call"));
        }
    }
    Some(())
}

/// A file below examples/pipelines.
fn example(path: &str) -> Value {
    let path = repository("examples/pipelines").join(path);
    let text = std::fs::read_to_string(&path).expect("the example");
    serde_yaml::from_str(&text).expect("YAML")
}

/// A machine of a runner: a directory, a home, and the program on its path.
struct Machine {
    folder: tempfile::TempDir,
    env: Env,
}

/// What a script came to.
#[derive(Debug)]
struct Ran {
    code: i32,
    said: String,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(folder.path().join("work")).expect("a directory");
        // What a branch could have the machine run, if it were let: see `Reviewed::new`.
        let ran = folder.path().join("ran");
        let config = format!("[filter \"lfs\"]\n\tsmudge = \"touch {}; cat\"\n", ran.display());
        std::fs::write(folder.path().join(".gitconfig"), config).expect("a file");
        let bin = Path::new(env!("CARGO_BIN_EXE_fleetwright")).parent().expect("a folder");
        let path = std::env::var_os("PATH")
            .unwrap_or_default()
            .into_string()
            .expect("UTF-8");
        let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
        let env = [
            ("PATH", format!("{}:{path}", text(bin))),
            ("HOME", text(folder.path())),
            ("SSL_CERT_FILE", text(&crate::forge::authorities())),
        ];
        Self {
            env: env.map(|(name, value)| (name.to_owned(), value)).into(),
            folder,
        }
    }

    /// Whether nothing was run for the branch.
    fn is_untouched(&self) -> bool {
        !self.beside("ran").exists()
    }

    /// Where scripts run.
    fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// A file beside that.
    fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a program on a script; one that does not end is ended.
    fn run(&self, program: &[&str], script: &str, more: &Env) -> Ran {
        let file = self.beside("script");
        std::fs::write(&file, script).expect("a file");
        let output = Command::new("timeout")
            .args(["--kill-after=10", "300"])
            .args(program)
            .arg(&file)
            .current_dir(self.work())
            .env_clear()
            .envs(&self.env)
            .envs(more)
            .stdin(std::process::Stdio::null())
            .output()
            .expect("timeout of coreutils");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ran {
            code: output.status.code().unwrap_or(-1),
            said: format!("{script}\n=>\n{}{}", text(&output.stdout), text(&output.stderr)),
        }
    }
}

/// Every `OPEN name CLOSE` of a text replaced by what it stands for.
///
/// # Panics
/// Where a name stands for nothing: the example asks for what its runner does not have.
fn filled(text: &str, (open, close): (&str, &str), values: &BTreeMap<&str, String>) -> String {
    let mut parts = text.split(open);
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part
            .split_once(close)
            .unwrap_or_else(|| panic!("{open} has no end: {text}"));
        let value = values.get(name.trim());
        filled.push_str(value.unwrap_or_else(|| panic!("nothing is known of `{}`", name.trim())));
        filled.push_str(rest);
    }
    filled
}

/// The words of a map whose values are words.
fn words(value: &Value) -> impl Iterator<Item = (&str, &str)> {
    let entries = value.as_object().into_iter().flatten();
    entries.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
}

/// The SHA-256 of the program.
fn digest() -> String {
    let output = Command::new("sha256sum")
        .arg(env!("CARGO_BIN_EXE_fleetwright"))
        .output();
    let output = output.expect("sha256sum of coreutils").stdout;
    let text = String::from_utf8(output).expect("UTF-8");
    text.split(' ').next().unwrap_or_default().to_owned()
}
