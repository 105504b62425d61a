//! The workflows of GitHub Actions. Gitea's API stands for GitHub's: what is asked of it here is the same on both.

use std::collections::BTreeMap;
use std::path::PathBuf;

use git2::Oid;
use serde_json::{Value, json};

use super::{Machine, Ran, digest, example, filled, programs, words};
use crate::forge::reviewed::{FLEET, Reviewed};

/// A runner's part in a job: the machine, and what expressions stand for.
struct Runner<'a> {
    reviewed: &'a Reviewed,
    values: BTreeMap<&'static str, String>,
}

/// What became of a job.
struct Ended {
    /// Of the step that failed, else of the last one.
    ran: Ran,
    outputs: BTreeMap<String, String>,
    summary: String,
}

impl<'a> Runner<'a> {
    fn new(reviewed: &'a Reviewed, digest: &str) -> Self {
        let program = format!("file://{}", env!("CARGO_BIN_EXE_fleetwright"));
        Self {
            reviewed,
            values: BTreeMap::from([
                ("github.token", reviewed.gitea.token.clone()),
                ("github.event.pull_request.number", reviewed.pull.to_string()),
                ("vars.FLEETWRIGHT_URL", program),
                ("vars.FLEETWRIGHT_SHA256", digest.to_owned()),
                ("vars.FLEET_NAME", FLEET.to_owned()),
                ("secrets.KUBECONFIG", String::new()),
            ]),
        }
    }

    fn fill(&self, text: &str) -> String {
        filled(text, ("${{", "}}"), &self.values)
    }

    /// Runs a job for a commit, `head` being the one that its pull request ends with.
    fn run(&self, workflow: &Value, job: &str, (commit, head): (Oid, Option<Oid>)) -> Ended {
        let job = &workflow["jobs"][job];
        assert!(
            job["timeout-minutes"].is_u64() && job["permissions"].is_object(),
            "{job:#}"
        );
        assert_eq!(workflow["defaults"]["run"]["shell"], "bash");
        let mut machine = Machine::new();
        // The program comes from where the example gets it.
        let path = machine.env["PATH"].split_once(':').expect("folders").1.to_owned();
        machine.env.insert("PATH".to_owned(), path);
        self.prepare(&mut machine, (commit, head));
        for level in [&workflow["env"], &job["env"]] {
            machine
                .env
                .extend(words(level).map(|(name, text)| (name.to_owned(), self.fill(text))));
        }
        let mut last = None;
        let mut step_outputs = BTreeMap::new();
        for step in job["steps"].as_array().expect("steps") {
            let has_failed = last.as_ref().is_some_and(|ran: &Ran| ran.code != 0);
            if has_failed && step["if"] != "${{ always() }}" {
                continue;
            }
            let script = step["run"]
                .as_str()
                .unwrap_or_else(|| panic!("a step without a script: {step}"));
            assert!(!script.contains("${{"), "an expression within a script: {script}");
            let env = words(&step["env"])
                .map(|(name, text)| (name.to_owned(), self.fill(text)))
                .collect();
            let ran = machine.run(&["bash", "--noprofile", "--norc", "-eo", "pipefail"], script, &env);
            if let Some(id) = step["id"].as_str() {
                for (name, value) in handed_on(&machine.beside("output")) {
                    step_outputs.insert(format!("steps.{id}.outputs.{name}"), value);
                }
            }
            let more = std::fs::read_to_string(machine.beside("path")).expect("a file");
            for folder in more.lines() {
                let path = format!("{folder}:{}", machine.env["PATH"]);
                machine.env.insert("PATH".to_owned(), path);
            }
            std::fs::write(machine.beside("path"), "").expect("a file");
            if !has_failed {
                last = Some(ran);
            }
        }
        assert!(machine.is_untouched(), "the branch had something run");
        let named: BTreeMap<&str, String> = step_outputs
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone()))
            .collect();
        let outputs = words(&job["outputs"]).map(|(name, text)| (name.to_owned(), filled(text, ("${{", "}}"), &named)));
        Ended {
            ran: last.expect("steps"),
            outputs: outputs.collect(),
            summary: std::fs::read_to_string(machine.beside("summary")).expect("a file"),
        }
    }

    /// The variables that a runner sets, and the files that it makes.
    fn prepare(&self, machine: &mut Machine, (commit, head): (Oid, Option<Oid>)) {
        let server = format!("http://127.0.0.1:{}", self.reviewed.gitea.port());
        let event = head.map_or(
            json!({}),
            |head| json!({"pull_request": {"number": self.reviewed.pull, "head": {"sha": head.to_string()}}}),
        );
        let name = if head.is_some() { "pull_request" } else { "push" };
        for (variable, file, text) in [
            ("GITHUB_EVENT_PATH", "event.json", event.to_string()),
            ("GITHUB_OUTPUT", "output", String::new()),
            ("GITHUB_PATH", "path", String::new()),
            ("GITHUB_STEP_SUMMARY", "summary", String::new()),
        ] {
            let path = machine.beside(file);
            std::fs::write(&path, text).expect("a file");
            machine.env.insert(variable.to_owned(), path.display().to_string());
        }
        let temporary = machine.beside("temporary");
        std::fs::create_dir(&temporary).expect("a directory");
        for (variable, value) in [
            ("GITHUB_API_URL", format!("{server}/api/v1")),
            ("GITHUB_SERVER_URL", server),
            ("GITHUB_REPOSITORY", format!("tester/{}", self.reviewed.name)),
            ("GITHUB_EVENT_NAME", name.to_owned()),
            ("GITHUB_SHA", commit.to_string()),
            ("GITHUB_RUN_ID", "99".to_owned()),
            ("RUNNER_TEMP", temporary.display().to_string()),
        ] {
            machine.env.insert(variable.to_owned(), value);
        }
    }
}

/// `name=value`, and `name<<END`, lines, `END`.
fn handed_on(path: &PathBuf) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(path).expect("a file");
    let mut lines = text.lines();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        if let Some((name, end)) = line.split_once("<<") {
            let value: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
            found.push((name.to_owned(), value.join("\n")));
        } else if let Some((name, value)) = line.split_once('=') {
            found.push((name.to_owned(), value.to_owned()));
        }
    }
    found
}

#[test]
fn a_pull_request_is_planned_without_rights_and_told_of_by_a_job_without_its_files() {
    let (Some(()), Some((reviewed, head))) = (programs(), Reviewed::new("by-actions")) else {
        return;
    };
    let workflow = example("github-actions/plan.yaml");
    assert!(
        workflow["on"]
            .as_object()
            .is_some_and(|on| on.keys().eq(["pull_request"])),
        "{}",
        workflow["on"]
    );
    assert_eq!(workflow["permissions"], json!({}));
    assert_eq!(workflow["jobs"]["plan"]["permissions"], json!({"contents": "read"}));
    assert_eq!(
        workflow["jobs"]["report"]["permissions"],
        json!({"pull-requests": "write", "statuses": "write"})
    );
    let digest = digest();
    let mut runner = Runner::new(&reviewed, &digest);
    let name = format!("fleetwright/plan/{FLEET}");

    // GitHub tries the merge out.
    let merge = reviewed.commit(&[reviewed.base, head]);
    reviewed.push(merge, "merged");
    let planned = runner.run(&workflow, "plan", (merge, Some(head)));
    assert_eq!(planned.ran.code, 0, "{}", planned.ran.said);
    assert!(
        planned.summary.contains("~ .spec.replicas: 2 → 5"),
        "{}",
        planned.summary
    );
    runner
        .values
        .insert("needs.plan.outputs.report", planned.outputs["report"].clone());
    for _ in 0..2 {
        let told = runner.run(&workflow, "report", (merge, Some(head)));
        assert_eq!(told.ran.code, 0, "{}", told.ran.said);
    }
    let reports = reviewed.reports();
    assert_eq!(reports.len(), 1, "{reports:#?}");
    assert!(
        reports[0].contains("2 → 5") && reports[0].contains(&head.to_string()),
        "{reports:#?}"
    );
    assert_eq!(
        reviewed.status(head, &name).map(|(state, _)| state).as_deref(),
        Some("success")
    );
    assert_eq!(reviewed.status(merge, &name), None);

    // A cluster leaves the files without a word: the guard's No is told, and fails both jobs.
    reviewed.place.remove("clusters/first.yaml");
    reviewed.place.run(&["lock"]).exits(0);
    let next = reviewed.commit(&[head]);
    reviewed.push(next, "change");
    let merge = reviewed.commit(&[reviewed.base, next]);
    reviewed.push(merge, "merged");
    let planned = runner.run(&workflow, "plan", (merge, Some(next)));
    assert_eq!(planned.ran.code, 3, "{}", planned.ran.said);
    runner
        .values
        .insert("needs.plan.outputs.report", planned.outputs["report"].clone());
    let told = runner.run(&workflow, "report", (merge, Some(next)));
    assert_eq!(told.ran.code, 3, "{}", told.ran.said);
    let reports = reviewed.reports();
    assert_eq!(reports.len(), 1, "{reports:#?}");
    assert!(reports[0].contains("> **Refused**"), "{reports:#?}");
    assert_eq!(
        reviewed.status(next, &name).map(|(state, _)| state).as_deref(),
        Some("failure")
    );

    // The files can't be read: there is no plan, and nothing old is left standing.
    reviewed.place.write("fleet.yaml", "kind: Fleet\nmetadata: {name: [}\n");
    let broken = reviewed.commit(&[next]);
    reviewed.push(broken, "change");
    let merge = reviewed.commit(&[reviewed.base, broken]);
    reviewed.push(merge, "merged");
    let planned = runner.run(&workflow, "plan", (merge, Some(broken)));
    assert_ne!(planned.ran.code, 0, "{}", planned.ran.said);
    runner
        .values
        .insert("needs.plan.outputs.report", planned.outputs["report"].clone());
    let told = runner.run(&workflow, "report", (merge, Some(broken)));
    assert_eq!(told.ran.code, planned.ran.code, "{}", told.ran.said);
    let reports = reviewed.reports();
    assert!(
        reports.len() == 1 && reports[0].contains(&broken.to_string()),
        "{reports:#?}"
    );
    let state = reviewed.status(broken, &name).map(|(state, _)| state);
    assert!(matches!(state.as_deref(), Some("error" | "failure")), "{state:?}");
}

#[test]
fn what_is_merged_is_applied_as_its_plan_says() {
    let (Some(()), Some((reviewed, head))) = (programs(), Reviewed::new("applied-by-actions")) else {
        return;
    };
    let workflow = example("github-actions/apply.yaml");
    assert_eq!(workflow["concurrency"]["cancel-in-progress"], false);
    assert_eq!(workflow["jobs"]["apply"]["permissions"], json!({"contents": "read"}));
    let digest = digest();
    let mut runner = Runner::new(&reviewed, &digest);
    let sandbox = reviewed.place.path().join("box");
    let target = format!("--sandbox {} --speed 100000", sandbox.display());
    runner.values.insert("vars.FLEETWRIGHT_TARGET", target);
    for (commit, planned) in [
        (reviewed.base, "4 to create"),
        (head, "1 to update"),
        (head, "Nothing to do"),
    ] {
        let applied = runner.run(&workflow, "apply", (commit, None));
        assert_eq!(applied.ran.code, 0, "{}", applied.ran.said);
        assert!(applied.summary.contains(planned), "{}", applied.summary);
    }
    let plan = reviewed.place.run(&["plan", "--sandbox", "box", "--detailed-exitcode"]);
    assert_eq!(plan.code, 0, "{}", plan.stdout);
    // What is not the program that was named is not run.
    runner.values.insert("vars.FLEETWRIGHT_SHA256", "0".repeat(64));
    let refused = runner.run(&workflow, "apply", (head, None));
    assert_ne!(refused.ran.code, 0);
    assert!(refused.ran.said.contains("sha256sum"), "{}", refused.ran.said);
}
