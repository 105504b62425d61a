//! Reference pages and schemas are generated from the code; these tests keep the committed ones current.
//!
//! `FLEETWRIGHT_BLESS=1 cargo test reference` writes them anew.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use clap::CommandFactory as _;
use fleetwright::cli::Cli;
use fleetwright::diag::{Code, Severity};

/// Compares a committed file with what the code says, or writes it.
#[track_caller]
pub(crate) fn keep(path: &str, wanted: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("FLEETWRIGHT_BLESS").is_some() {
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::write(&file, wanted).expect("a file");
        return;
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        found == wanted,
        "{path} is not current: FLEETWRIGHT_BLESS=1 cargo test reference"
    );
}

#[test]
fn the_schemas_of_json_output_are_current() {
    let all = fleetwright::ops::schemas();
    let is_kept_here = |name: &str| name.starts_with("output/") || name.starts_with("daemon/");
    let output: Vec<_> = all.iter().filter(|(name, _)| is_kept_here(name)).collect();
    assert!(output.len() >= 5, "{output:?}");
    for (name, schema) in output {
        let mut text = serde_json::to_string_pretty(schema).expect("JSON");
        text.push('\n');
        keep(&format!("schemas/{name}.json"), &text);
    }
}

#[test]
fn the_page_of_diagnostics_is_current_and_complete() {
    let mut page = String::from(
        "# Diagnostics\n\nGenerated from `src/diag/code.rs`. A code is never reused for another problem. Rules (`FW05…`) \
         can be waived with a reason:\n`waivers: [{rule: cp-ha-prod, cluster: NAME, reason: …, until: 2027-03-31}]` in \
         the Fleet document.\n\n| code | severity | meaning |\n|---|---|---|\n",
    );
    for code in Code::ALL {
        let severity = match code.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "info",
        };
        writeln!(page, "| {} | {severity} | {} |", code.id(), code.summary()).expect("a line");
    }
    keep("docs/reference/diagnostics.md", &page);
}

#[test]
fn the_page_of_ignore_rules_is_current() {
    let mut page = String::from(
        "# Built-in ignore rules\n\nGenerated from `src/fleet/ignore/built_in.rs`. What these fields hold is left as it is: \
         a difference is no change and no drift, and\nis never written over. What is made afresh has them as the files \
         say. Of Kubernetes' objects a rule covers a field only while a\ncontroller wrote it last: what was changed with \
         kubectl, helm or a console is drift as ever.\n\nThe Fleet document switches single rules off with \
         `ignore: {without: [NAME]}`, all of them with `ignore: {builtIn: false}`.\n\n\
         | name | who writes there | kinds | fields | what |\n|---|---|---|---|---|\n",
    );
    for rule in fleetwright::fleet::ignore::BUILT_IN {
        let code = |words: &[&str]| {
            words
                .iter()
                .map(|word| format!("`{word}`"))
                .collect::<Vec<_>>()
                .join(" ")
        };
        let kinds = match rule.kinds {
            [] => "every kind of OCI resource".to_owned(),
            kinds => code(kinds),
        };
        let (id, writer, fields, what) = (rule.id, rule.writer, code(rule.pointers), rule.what);
        writeln!(page, "| `{id}` | {writer} | {kinds} | {fields} | {what} |").expect("a line");
    }
    keep("docs/reference/ignore-rules.md", &page);
}

#[test]
fn the_page_of_commands_is_current() {
    let mut page = String::from("# Commands\n\nGenerated from the program's own `--help`.\n");
    let mut command = Cli::command().term_width(100);
    command.build();
    write!(page, "\n```text\n{}```\n", command.clone().render_long_help()).expect("help");
    for sub in command.get_subcommands_mut() {
        let name = sub.get_name().to_owned();
        let help = sub.clone().term_width(100).render_long_help().to_string();
        let help: String = help.lines().map(|line| format!("{}\n", line.trim_end())).collect();
        write!(page, "\n## fleetwright {name}\n\n```text\n{help}```\n").expect("help");
        for below in sub.get_subcommands().filter(|below| below.get_name() != "help") {
            let below_name = below.get_name();
            let help = below.clone().term_width(100).render_long_help().to_string();
            let help: String = help.lines().map(|line| format!("{}\n", line.trim_end())).collect();
            write!(page, "\n## fleetwright {name} {below_name}\n\n```text\n{help}```\n").expect("help");
        }
    }
    keep("docs/reference/commands.md", &page);
}

/// What the program prints for the demo fleet.
fn printed(args: &[&str]) -> String {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_fleetwright"))
        .args(args)
        .arg("--fleet")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("fleet"))
        .output()
        .expect("the program to start");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn the_rights_of_the_example_installation_are_current() {
    let on = ["--management-cluster", "iad-1"];
    let rules = printed(&[&["rbac"], &on[..]].concat());
    keep("deploy/kustomize/overlays/example/rbac.yaml", &rules);
    let rules = printed(&[&["rbac", "--read-only", "--oci-secrets"], &on[..]].concat());
    keep("tests/cases/rights/read-only.yaml", &rules);
    let workload = ["iam", "--workload", "fleetwright-system/fleetwright"];
    keep(
        "deploy/kustomize/overlays/example/policy.txt",
        &printed(&[&workload, &on[..]].concat()),
    );
    let read_only = printed(&["iam", "--read-only", "--dynamic-group", "planners"]);
    keep("tests/cases/rights/read-only.txt", &read_only);
    assert!(
        !read_only.contains(" to manage ") && !read_only.contains(" to use "),
        "{read_only}"
    );
}

#[test]
fn the_page_of_metrics_is_current() {
    let mut page = String::from(
        "# Metrics\n\nGenerated from `src/metrics/catalog.rs`. `fleetwright daemon --listen ADDRESS` serves them at \
         `/metrics`, in Prometheus' text\nformat 0.0.4. Times are in seconds since 1970. Series of units and clusters go \
         with the unit or the cluster.\nWhere several fleets are followed (`--config`), the series of each bear its name in a label `fleet`; \
         `process_*`, the version and webhooks are the\nprocess's own.\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n",
    );
    for entry in fleetwright::metrics::catalog::ALL {
        let labels: Vec<String> = entry.labels.iter().map(|label| format!("`{label}`")).collect();
        let (kind, labels) = (entry.kind.as_str(), labels.join(", "));
        writeln!(page, "| `{}` | {kind} | {labels} | {} |", entry.name, entry.help).expect("a line");
    }
    keep("docs/reference/metrics.md", &page);
}
