//! `fleetwright sandbox` as a process, and kubectl as its client.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use serde_json::Value;

use crate::cli::Workplace;
use crate::fleet_support::repository;
use crate::support;

/// A served sandbox, ended with the test.
pub(crate) struct Served {
    child: Child,
    stdout: BufReader<ChildStdout>,
    pub(crate) said: Vec<String>,
}

impl Served {
    /// Starts it and waits for its four lines.
    pub(crate) fn start(place: &Workplace, args: &[&str]) -> Self {
        let args = [&["sandbox", "--dir", "box", "--speed", "2000"], args].concat();
        let mut child = place
            .command(&args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program to start");
        let mut stdout = BufReader::new(child.stdout.take().expect("its stdout"));
        let mut said = Vec::new();
        for _ in 0..4 {
            let mut line = String::new();
            stdout.read_line(&mut line).expect("a line");
            said.push(line.trim_end().to_owned());
        }
        Self { child, stdout, said }
    }

    fn says(&self, key: &str) -> &str {
        let line = self.said.iter().find_map(|line| line.strip_prefix(key));
        line.unwrap_or_else(|| panic!("no {key} in {:?}", self.said)).trim()
    }

    /// Ends it as Ctrl-C does; gives what it said on stderr.
    pub(crate) fn end(mut self) -> String {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-INT", &pid]).status().expect("kill");
        assert!(sent.success());
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).expect("the end of stdout");
        let mut stderr = String::new();
        let pipe = self.child.stderr.as_mut().expect("its stderr");
        pipe.read_to_string(&mut stderr).expect("the end of stderr");
        assert!(self.child.wait().expect("an end").success(), "{stderr}");
        stderr
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It has ended, unless the test failed.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

struct Kubectl<'a> {
    place: &'a Workplace,
    program: std::path::PathBuf,
}

impl<'a> Kubectl<'a> {
    fn find(place: &'a Workplace) -> Option<Self> {
        let program = match support::kubectl() {
            Ok(program) => program,
            Err(reason) => return support::skip(reason),
        };
        Some(Self { place, program })
    }

    fn try_run(&self, args: &[&str]) -> Output {
        Command::new(&self.program)
            .args(args)
            .args(["--kubeconfig", "box/kubeconfig"])
            .current_dir(self.place.path())
            .env("HOME", self.place.path())
            .output()
            .expect("kubectl")
    }

    #[track_caller]
    fn run(&self, args: &[&str]) -> String {
        let output = self.try_run(args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kubectl {args:?}: {stderr}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    #[track_caller]
    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.run(&[args, &["-o", "json"]].concat())).expect("JSON")
    }
}

#[test]
fn kubectl_works_by_the_kubeconfig_and_finds_its_things_again_after_a_restart() {
    let place = Workplace::new(&[]);
    let Some(kubectl) = Kubectl::find(&place) else { return };
    let served = Served::start(&place, &[]);
    assert_eq!(served.says("contexts:"), "sandbox");
    let objects = "{apiVersion: v1, kind: Namespace, metadata: {name: space}}\n---\n\
                   {apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: space}, data: {k: v}}\n";
    std::fs::write(place.path().join("objects.yaml"), objects).expect("a file");
    kubectl.run(&["apply", "-f", "objects.yaml"]);
    assert_eq!(
        kubectl.json(&["get", "configmap", "c", "-n", "space"])["data"]["k"],
        "v"
    );
    let crds = kubectl.run(&["get", "crds", "-o", "name"]);
    assert!(crds.contains("hostedclusters.hypershift.openshift.io"), "{crds}");
    let stderr = served.end();
    assert!(stderr.contains("the next run goes on from here"), "{stderr}");

    let served = Served::start(&place, &[]);
    assert_eq!(
        kubectl.json(&["get", "configmap", "c", "-n", "space"])["data"]["k"],
        "v"
    );
    served.end();
}

#[test]
fn a_hosted_cluster_that_kubectl_makes_comes_up_and_goes_in_order() {
    let place = Workplace::copy_of(&repository("fleet"));
    let Some(kubectl) = Kubectl::find(&place) else { return };
    // Its network is there already: kubectl can't fill in the OCIDs of one that is still to be made.
    let rendered = place.run(&["render", "--cluster", "ledger"]).exits(0).stdout;
    let served = Served::start(&place, &["--fleet", "fleet"]);
    assert_eq!(served.says("contexts:"), "fra-1, iad-1");
    kubectl.run(&["config", "use-context", "fra-1"]);
    // Copies are filled in by the program alone: kubectl takes the rest.
    let documents: Vec<&str> = rendered
        .split("\n---\n")
        .filter(|document| !document.contains("$copyFrom"))
        .collect();
    let file = place.path().join("ledger.yaml");
    std::fs::write(&file, documents.join("\n---\n")).expect("a file");
    kubectl.run(&["apply", "--server-side", "-f", "ledger.yaml"]);
    let space = ["-n", "clusters-ledger"];
    let wait = |what: &[&str]| kubectl.run(&[&["wait", "--timeout=60s"], what, &space].concat());
    wait(&["--for=condition=Available", "hostedcluster/ledger"]);
    wait(&["--for=condition=Ready", "nodepool", "--all"]);
    let pools = kubectl.json(&[&["get", "nodepools"], &space[..]].concat());
    assert_eq!(pools["items"][0]["status"]["replicas"], 3);
    let secrets = kubectl.run(&["get", "secrets", "-o", "name", "-n", "clusters-ledger"]);
    assert!(secrets.contains("ledger-admin-kubeconfig"), "{secrets}");
    kubectl.run(&[
        "delete",
        "hostedcluster",
        "ledger",
        "-n",
        "clusters-ledger",
        "--timeout=60s",
    ]);
    let left = kubectl.run(&["get", "nodepools,hostedclusters", "-A", "-o", "name"]);
    assert!(!left.contains("/ledger"), "{left}");
    served.end();
}

fn endpoint(served: &Served) -> String {
    format!("{}/regions/{{region}}", served.says("oci url:"))
}

/// How the program reaches both servers, but for whose credentials.
fn reached(endpoint: &str) -> [&str; 8] {
    [
        "--fleet",
        "fleet",
        "--kubeconfig",
        "box/kubeconfig",
        "--oci-endpoint",
        endpoint,
        "--oci-calls",
        "1000/1000",
    ]
}

#[test]
fn the_program_applies_over_http_and_has_nothing_to_do_then() {
    let place = Workplace::copy_of(&repository("fleet"));
    let served = Served::start(&place, &["--fleet", "fleet"]);
    let endpoint = endpoint(&served);
    let reached = [&reached(&endpoint)[..], &["--oci-config", "box/oci/config"]].concat();
    place.run(&[&["apply", "--yes"], &reached[..]].concat()).exits(0);
    let stdout = place
        .run(&[&["plan", "--detailed-exitcode"], &reached[..]].concat())
        .exits(0)
        .stdout;
    assert!(!stdout.contains("known after apply"), "{stdout}");
    served.end();
}

/// The server's own address is that of one region: who leaves the other's name out of `--oci-endpoint` is told.
#[test]
fn an_address_of_another_region_is_told_and_nothing_is_made_there() {
    let place = Workplace::copy_of(&repository("fleet"));
    let served = Served::start(&place, &["--fleet", "fleet"]);
    let right = endpoint(&served);
    let wrong = served.says("oci url:").to_owned();
    let with = |command: &[&str], endpoint: &str| {
        let args = [&reached(endpoint)[..], &["--oci-config", "box/oci/config"]].concat();
        [command, &args[..]]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let run = |args: Vec<String>| place.run(&args.iter().map(String::as_str).collect::<Vec<_>>());
    run(with(&["apply", "--yes"], &right)).exits(0);
    let ran = run(with(&["plan"], &wrong)).exits(1);
    assert!(ran.stdout.contains("which is of eu-frankfurt-1"), "{}", ran.stdout);
    assert!(ran.stdout.contains("--oci-endpoint"), "{}", ran.stdout);
    run(with(&["apply", "--yes"], &wrong)).exits(1);
    run(with(&["plan", "--detailed-exitcode"], &right)).exits(0);
    served.end();
}

/// The keys of the fleet's identities, out of the Secrets that its management clusters hold.
#[test]
fn a_key_in_a_secret_signs_what_the_program_asks_of_oci() {
    let place = Workplace::copy_of(&repository("fleet"));
    let Some(kubectl) = Kubectl::find(&place) else { return };
    let served = Served::start(&place, &["--fleet", "fleet"]);
    let endpoint = endpoint(&served);
    let by_secret = [&reached(&endpoint)[..], &["--oci-auth", "secret"]].concat();
    place.run(&[&["apply", "--yes"], &by_secret[..]].concat()).exits(0);
    let plan = [&["plan", "--detailed-exitcode"], &by_secret[..]].concat();
    place.run(&plan).exits(0);

    for context in ["fra-1", "iad-1"] {
        kubectl.run(&["config", "use-context", context]);
        let other = r#"{"stringData": {"fingerprint": "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff"}}"#;
        kubectl.run(&["patch", "secret", "oci-user", "-n", "fleetwright", "-p", other]);
    }
    let ran = place.run(&plan).exits(1);
    assert!(ran.stdout.contains("fingerprint"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("BEGIN"), "{}", ran.stdout);
    served.end();
}

#[test]
fn oracles_configuration_file_is_there_with_a_profile_for_each_tenancy() {
    let place = Workplace::copy_of(&repository("fleet"));
    let served = Served::start(&place, &[]);
    assert_eq!(served.says("oci config:"), "box/oci/config");
    assert!(served.says("oci url:").starts_with("http://127.0.0.1:"));
    let config = std::fs::read_to_string(place.path().join("box/oci/config")).expect("a file");
    let profile = |name: &str| -> String {
        let (_, rest) = config.split_once(&format!("[{name}]\n")).expect("a profile");
        rest.lines()
            .take_while(|line| !line.starts_with('['))
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert!(profile("DEFAULT").contains("tenancy=ocid1.tenancy.oc1..aaaaaaaaacme4y7n2m5kxw9v3tq6rz8hjc"));
    assert!(!profile("SANDBOX").contains("acme"));
    let key = profile("DEFAULT")
        .lines()
        .find_map(|line| line.strip_prefix("key_file=").map(str::to_owned))
        .expect("a key");
    assert!(std::path::Path::new(&key).is_absolute(), "{key}");
    assert!(std::fs::read_to_string(key).expect("the key").contains("PRIVATE KEY"));
    served.end();
}

/// From the first apply to the last delete, each request of it signed and answered over a socket.
#[test]
fn a_cluster_is_taken_down_over_http() {
    let place = Workplace::copy_of(&repository("examples/private-endpoint"));
    let served = Served::start(&place, &["--fleet", "fleet"]);
    let endpoint = endpoint(&served);
    let reached = [&reached(&endpoint)[..], &["--oci-config", "box/oci/config"]].concat();
    let apply = [&["apply", "--yes", "--wait"], &reached[..]].concat();
    place.run(&apply).exits(0);
    let there = place.run(&[&["status"], &reached[..]].concat()).stdout;
    assert!(there.contains("payments"), "{there}");

    place.remove("clusters/payments.yaml");
    let fleet = std::fs::read_to_string(place.fleet().join("fleet.yaml")).expect("the file");
    let decommission =
        "\nspec:\n  limits: {deletes: 50}\n  decommission: [{cluster: payments, reason: it was a test}]\n";
    place.write("fleet.yaml", &fleet.replacen("\nspec:\n", decommission, 1));
    let ran = place.run(&apply).exits(0);
    assert!(ran.stdout.contains("Vcn payments"), "{}", ran.stdout);
    let planned = place
        .run(&[&["plan", "--detailed-exitcode"], &reached[..]].concat())
        .exits(0);
    assert!(!planned.stdout.contains("payments"), "{}", planned.stdout);
    served.end();
}
