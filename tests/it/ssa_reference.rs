//! The reference that the merge is compared with: kube-apiserver's own request handling, as a process that answers JSON
//! lines (`tests/oracle`).

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use serde_json::Value;

use crate::support::skip;

/// The upstream CRDs that the tests merge by.
pub(crate) const CRDS: [&str; 3] = [
    "hypershift/crds/hostedclusters-Hypershift-Default.crd.yaml",
    "hypershift/crds/nodepools-Default.crd.yaml",
    "capoci/crds/infrastructure.cluster.x-k8s.io_ociclusters.yaml",
];

/// Where upstream's data are; says why not where they aren't, and fails where that mustn't be.
pub(crate) fn upstream() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let given = std::env::var_os("FLEETWRIGHT_UPSTREAM").map(PathBuf::from);
    let found = given
        .into_iter()
        .chain([here.join("../shared/upstream")])
        .find(|dir| CRDS.iter().all(|crd| dir.join(crd).is_file()));
    if found.is_none() {
        return skip("the upstream CRDs are missing: set FLEETWRIGHT_UPSTREAM");
    }
    found
}

/// The oracle's binary, built if need be, and once however many tests ask.
fn binary() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOUND.get_or_init(find).as_deref()
}

fn find() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let given = std::env::var_os("FLEETWRIGHT_SSA_ORACLE").map(PathBuf::from);
    let assets = std::env::var_os("KUBEBUILDER_ASSETS").map(|dir| PathBuf::from(dir).join("ssa-oracle"));
    let built = here.join("target/testenv/ssa-oracle");
    if let Some(found) = given
        .into_iter()
        .chain(assets)
        .chain([built.clone()])
        .find(|path| path.is_file())
    {
        return Some(found);
    }
    let script = here.join("tests/oracle/build.sh");
    if !script.is_file() || Command::new("go").arg("version").output().is_err() {
        return skip("the oracle isn't built, and Go, which builds it, is missing");
    }
    let status = Command::new(&script).status().expect("tests/oracle/build.sh runs");
    assert!(status.success(), "tests/oracle/build.sh failed");
    Some(built)
}

pub(crate) struct Reference {
    process: Child,
    questions: Option<Sender<String>>,
    writer: Option<JoinHandle<()>>,
    answers: BufReader<ChildStdout>,
}

impl Reference {
    /// Starts it; none where it can't be had.
    pub(crate) fn start(upstream: &Path) -> Option<Self> {
        let mut command = Command::new(binary()?);
        for crd in CRDS {
            command.arg("--crd").arg(upstream.join(crd));
        }
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Its warnings about made-up objects say nothing.
            .stderr(Stdio::null())
            .spawn()
            .expect("the oracle starts");
        let stdin = process.stdin.take().expect("stdin is piped");
        let stdout = process.stdout.take().expect("stdout is piped");
        let (questions, inbox) = channel::<String>();
        // A thread of its own, so that neither side waits for the other to read.
        let writer = std::thread::spawn(move || feed(stdin, inbox.iter()));
        Some(Self {
            process,
            questions: Some(questions),
            writer: Some(writer),
            answers: BufReader::new(stdout),
        })
    }

    /// Asks a batch of questions and waits for all answers.
    pub(crate) fn ask(&mut self, questions: &[Value]) -> Vec<Value> {
        let inbox = self.questions.as_ref().expect("open until dropped");
        for question in questions {
            inbox.send(question.to_string()).expect("the oracle listens");
        }
        questions.iter().map(|_| self.answer()).collect()
    }

    fn answer(&mut self) -> Value {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the oracle answers");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("the oracle answered {line:?}: {error}"))
    }
}

fn feed(mut stdin: ChildStdin, questions: impl Iterator<Item = String>) {
    for question in questions {
        if writeln!(stdin, "{question}").is_err() {
            return;
        }
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        // Its input ends, and so does it.
        drop(self.questions.take());
        if let Some(writer) = self.writer.take() {
            let _ended = writer.join();
        }
        let _status = self.process.wait();
    }
}
