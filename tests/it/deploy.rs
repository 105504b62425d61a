//! What is installed: the plain manifests and the chart, one like the other, and taken by a real API server.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::CommandFactory as _;
use fleetwright::cli::Cli;
use fleetwright::daemon::ListedFleets;
use fleetwright::fleet::SourceFile;
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::fleet_support::repository;
use crate::support::{ApiServer, kubectl, skip};

/// Helm, which is built for it where there is Go; none where it can't be had.
fn helm() -> Option<PathBuf> {
    let root = repository(".");
    let helm = root.join("target/testenv/helm");
    if helm.is_file() {
        return Some(helm);
    }
    match Command::new(root.join("tests/helm/build.sh")).status() {
        Ok(status) if status.success() && helm.is_file() => Some(helm),
        result => skip(&format!("there is no Helm: tests/helm/build.sh: {result:?}")),
    }
}

#[track_caller]
fn output(program: &Path, args: &[&str]) -> Result<String, String> {
    let output = Command::new(program)
        .args(args)
        .current_dir(repository("."))
        .output()
        .map_err(|error| error.to_string())?;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    if output.status.success() {
        Ok(text(output.stdout))
    } else {
        Err(text(output.stderr))
    }
}

fn documents(text: &str) -> Vec<Value> {
    serde_yaml::Deserializer::from_str(text)
        .map(|document| Value::deserialize(document).expect("YAML"))
        .filter(|document| !document.is_null())
        .collect()
}

/// Objects by kind and name, without what Helm alone writes.
fn objects(text: &str) -> BTreeMap<String, Value> {
    let named = |mut object: Value| {
        if let Some(labels) = object.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
            labels.remove("helm.sh/chart");
            labels.remove("app.kubernetes.io/managed-by");
        }
        // Helm installs CRDs as they are, and kustomize labels them.
        if object["kind"] == "CustomResourceDefinition"
            && let Some(metadata) = object["metadata"].as_object_mut()
        {
            metadata.remove("labels");
        }
        let text = |pointer: &str| {
            object
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        (format!("{} {}", text("/kind"), text("/metadata/name")), object)
    };
    documents(text).into_iter().map(named).collect()
}

const CHART: &str = "deploy/helm/fleetwright";
const RELEASE: &[&str] = &[
    "template",
    "fleetwright",
    CHART,
    "-n",
    "fleetwright-system",
    "--include-crds",
];

fn rendered(helm: &Path, values: &[&str]) -> Result<String, String> {
    let settings = values.iter().flat_map(|value| ["--set-json", value]);
    output(helm, &RELEASE.iter().copied().chain(settings).collect::<Vec<_>>())
}

fn built(folder: &str) -> Option<String> {
    match kubectl() {
        Ok(kubectl) => Some(output(&kubectl, &["kustomize", folder]).expect("it builds")),
        Err(reason) => skip(reason),
    }
}

#[test]
fn the_chart_gives_what_the_plain_manifests_are() {
    let (Some(helm), Some(plain)) = (helm(), built("deploy/kustomize/base")) else {
        return;
    };
    let mut plain = objects(&plain);
    // Helm makes the namespace of a release itself.
    let namespace = plain.remove("Namespace fleetwright-system").expect("a namespace");
    assert_eq!(
        namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"],
        "restricted"
    );
    let chart = objects(&rendered(&helm, &[]).expect("the defaults do"));
    assert_eq!(chart.keys().collect::<Vec<_>>(), plain.keys().collect::<Vec<_>>());
    for (name, object) in &plain {
        assert_eq!(chart[name], *object, "{name}");
    }
    assert!(chart.len() >= 7, "{:?}", chart.keys());
}

/// Values that use everything.
const ALL: &[&str] = &[
    r#"git={"url": "git@git.example.com:platform/fleet.git", "ref": "semver:^1.2", "path": "fleets/a", "secret": "git",
        "use": ["token", "key", "known_hosts", "ca.crt"], "signers": "signers", "signersUse": ["signers", "openpgp.asc"]}"#,
    r#"ociAuth="workload-identity""#,
    r#"extraArgs=["--drift=report"]"#,
    r#"extraEnv=[{"name": "HTTPS_PROXY", "value": "http://proxy.example:3128"}]"#,
    r#"image={"pullSecrets": [{"name": "pull"}]}"#,
    r#"serviceAccount={"name": "other", "annotations": {"a": "b"}}"#,
    r#"networkPolicy={"extraEgress": [{"ports": [{"port": 12250, "protocol": "TCP"}]}]}"#,
    r#"managementCluster="iad-1""#,
    r#"replicasBy="sharded""#,
    r#"webhook={"secret": "hooks"}"#,
    r#"podAnnotations={"a": "b"}"#,
    r#"priorityClassName="system-cluster-critical""#,
];

/// Values that follow several fleets.
const SEVERAL: &[&str] = &[
    r#"fleets=[
        {"name": "payments", "git": {"url": "https://git.example.com/payments.git", "tokenFile": "../secrets/payments.git/token"}},
        {"name": "data", "git": {"url": "https://git.example.com/data.git"}, "webhookSecretFile": "../secrets/payments.git/hook"}]"#,
    r#"fleetSecrets=["payments.git"]"#,
    r#"podAnnotations={"a": "b"}"#,
];

/// The list of fleets in a ConfigMap, as the daemon reads it.
#[track_caller]
fn list(text: &str) -> ListedFleets {
    let maps = objects(text);
    let map = maps
        .iter()
        .find(|(name, _)| name.starts_with("ConfigMap "))
        .expect("a ConfigMap")
        .1;
    let file = SourceFile {
        path: "fleets.yaml".into(),
        text: map["data"]["fleets.yaml"].as_str().expect("a list").into(),
    };
    ListedFleets::read(file).expect("it can be followed")
}

fn deployment(text: &str) -> Value {
    let found = objects(text)
        .into_iter()
        .find(|(name, _)| name.starts_with("Deployment "));
    found.expect("a Deployment").1
}

#[test]
fn the_arguments_are_those_that_the_program_takes() {
    let (Some(helm), Some(example)) = (helm(), built("deploy/kustomize/overlays/example")) else {
        return;
    };
    let base = built("deploy/kustomize/base").expect("as before");
    let full = rendered(&helm, ALL).expect("the values do");
    let several = rendered(&helm, SEVERAL).expect("the values do");
    let plain_several = built("deploy/kustomize/overlays/several").expect("as before");
    for text in [&several, &plain_several] {
        let names: Vec<String> = list(text).fleets.into_iter().map(|listed| listed.name).collect();
        assert_eq!(names, ["payments", "data"]);
        let pod = &deployment(text)["spec"]["template"];
        let text = text.to_string();
        assert!(
            text.contains("--webhook-listen=0.0.0.0:8081") && !text.contains("--git="),
            "{pod}"
        );
        let service = &objects(&text)["Service fleetwright"];
        assert_eq!(service["spec"]["ports"].as_array().map(Vec::len), Some(2), "{service}");
        let policy = &objects(&text)["NetworkPolicy fleetwright"];
        assert!(policy.to_string().contains("webhook"), "{policy}");
    }
    for text in [&base, &example, &full, &several, &plain_several] {
        let container = deployment(text).pointer("/spec/template/spec/containers/0").cloned();
        let args = container.expect("a container")["args"].clone();
        let args: Vec<String> = serde_json::from_value(args).expect("strings");
        let given = std::iter::once("fleetwright").chain(args.iter().map(String::as_str));
        let matches = Cli::command()
            .try_get_matches_from(given)
            .unwrap_or_else(|error| panic!("{args:?}: {error}"));
        assert_eq!(matches.subcommand_name(), Some("daemon"));
    }
}

#[test]
fn values_that_make_no_sense_are_refused() {
    let Some(helm) = helm() else { return };
    for (wrong, says) in [
        (r#"replicas=-1"#, "replicas"),
        (r#"git={"url": "fleet"}"#, "url"),
        (r#"git={"url": "https://a/b", "use": ["passphrase"]}"#, "use"),
        (r#"ociAuth="root""#, "ociAuth"),
        (r#"replicsa=2"#, "replicsa"),
        (r#"fleets=[{"git": {"url": "https://a/b"}}]"#, "name"),
    ] {
        let refused = rendered(&helm, &[wrong]).expect_err(wrong);
        assert!(refused.contains(says), "{wrong}: {refused}");
    }
}

#[test]
fn a_server_takes_all_of_it_and_the_pod_is_as_restricted_as_can_be() {
    let (Some(helm), Some(server)) = (helm(), ApiServer::shared()) else {
        return;
    };
    let login = server.login();
    let namespace = "deployed-here";
    login.kubectl_in(
        &["create", "-f", "-"],
        &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace,
            "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}})
        .to_string(),
    );
    // Where the demo fleet's own Secrets are.
    login.try_kubectl(&["create", "namespace", "fleetwright"], "");
    let base = built("deploy/kustomize/base").expect("kubectl is there");
    let example = built("deploy/kustomize/overlays/example").expect("kubectl is there");
    let full = rendered(&helm, ALL).expect("the values do");
    let several = rendered(&helm, SEVERAL).expect("the values do");
    let plain_several = built("deploy/kustomize/overlays/several").expect("kubectl is there");
    for text in [&base, &example, &full, &several, &plain_several] {
        let text = text.replace("fleetwright-system", namespace);
        // The server's own checks, and nothing stored; unknown fields are errors.
        login.kubectl_in(
            &[
                "apply",
                "--dry-run=server",
                "--server-side",
                "--validate=strict",
                "-f",
                "-",
            ],
            &text,
        );
        let pod = deployment(&text)["spec"]["template"].clone();
        let mut metadata = pod["metadata"].clone();
        metadata["name"] = json!("pod");
        metadata["namespace"] = json!(namespace);
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod["spec"]});
        login.kubectl_in(&["create", "--dry-run=server", "-f", "-"], &pod.to_string());
        let container = &pod["spec"]["containers"][0];
        assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
        assert!(container["resources"]["limits"]["memory"].is_string());
    }
}

#[test]
fn a_service_monitor_is_made_where_it_is_asked_for() {
    let (Some(helm), Some(plain)) = (helm(), built("deploy/kustomize/components/service-monitor")) else {
        return;
    };
    let asked = rendered(&helm, &[r#"serviceMonitor={"enabled": true}"#]).expect("the values do");
    let name = "ServiceMonitor fleetwright";
    assert_eq!(objects(&asked)[name], objects(&plain)[name]);
}

/// No registry is asked here: what can be seen without one is that the recipe is what it should be.
#[test]
fn the_image_is_small_and_runs_as_nobody() {
    let text = std::fs::read_to_string(repository("deploy/Containerfile")).expect("it is there");
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let stages: Vec<&&str> = lines.iter().filter(|line| line.starts_with("FROM ")).collect();
    assert_eq!(stages.len(), 2, "{stages:?}");
    assert!(
        stages[1].contains("distroless") && stages[1].contains(":nonroot"),
        "{stages:?}"
    );
    assert!(stages.iter().all(|stage| !stage.contains("latest")), "{stages:?}");
    let base = std::fs::read_to_string(repository("deploy/kustomize/base/deployment.yaml")).expect("it is there");
    assert!(lines.contains(&"USER 65532:65532") && base.contains("runAsUser: 65532"));
    assert!(lines.contains(&r#"ENTRYPOINT ["/usr/local/bin/fleetwright"]"#));
    let manifest = include_str!("../../Cargo.toml");
    let minimum = manifest.lines().find_map(|line| line.strip_prefix("rust-version = "));
    let minimum = minimum.expect("a version").trim_matches('"');
    assert!(
        stages[0].contains(&format!("rust:{minimum}-")),
        "{stages:?} and rust-version {minimum}"
    );

    // What is copied is there, and let through.
    let ignore = std::fs::read_to_string(repository(".containerignore")).expect("it is there");
    for line in lines
        .iter()
        .filter(|line| line.starts_with("COPY ") && !line.contains("--from"))
    {
        let mut words: Vec<&str> = line.split(' ').skip(1).collect();
        words.pop();
        for word in words {
            assert!(repository(word).exists(), "{word}");
            assert!(ignore.contains(&format!("!{word}")), "{word} is ignored");
        }
    }
}

/// The last stage with images that need no registry in place of the two that do: what is compiled, and glibc, are not seen.
#[test]
fn the_last_stage_builds() {
    if output(Path::new("buildah"), &["--version"]).is_err() {
        skip::<()>("buildah is not installed");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let text = std::fs::read_to_string(repository("deploy/Containerfile")).expect("it is there");
    let last = text.rfind("\nFROM ").expect("stages");
    let (_, last) = text[last + 1..].split_once('\n').expect("lines");
    let recipe =
        format!("FROM scratch AS build\nCOPY Cargo.toml /src/target/release/fleetwright\nFROM scratch\n{last}");
    let file = folder.path().join("Containerfile");
    std::fs::write(&file, recipe).expect("a file");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (root, run, file) = (path("root"), path("run"), file.display().to_string());
    let common = ["--storage-driver", "vfs", "--root", &root, "--runroot", &run];
    let build = [
        "build",
        "--isolation",
        "chroot",
        "--ignorefile",
        ".containerignore",
        "-f",
        &file,
        "-t",
        "it",
        ".",
    ];
    output(Path::new("buildah"), &[&common[..], &build].concat()).unwrap_or_else(|error| panic!("{error}"));
    let inspect = [&common[..], &["inspect", "--type", "image", "it"]].concat();
    let image = output(Path::new("buildah"), &inspect).expect("an image");
    let image: Value = serde_json::from_str(&image).expect("JSON");
    let config = &image["OCIv1"]["config"];
    assert_eq!(config["User"], "65532:65532", "{config}");
    assert_eq!(config["Entrypoint"], json!(["/usr/local/bin/fleetwright"]), "{config}");
}

#[test]
fn versions_are_the_programs_own() {
    let version = env!("CARGO_PKG_VERSION");
    for (file, line) in [
        ("deploy/helm/fleetwright/Chart.yaml", format!("appVersion: {version}")),
        ("deploy/helm/fleetwright/Chart.yaml", format!("version: {version}")),
        (
            "deploy/kustomize/base/deployment.yaml",
            format!("image: fleetwright:{version}"),
        ),
        (
            "deploy/kustomize/overlays/example/kustomization.yaml",
            format!("newTag: {version}"),
        ),
        (
            "deploy/kustomize/overlays/several/kustomization.yaml",
            format!("newTag: {version}"),
        ),
    ] {
        let text = std::fs::read_to_string(repository(file)).expect("it is there");
        assert!(text.lines().any(|found| found.trim() == line), "{file} lacks `{line}`");
    }
}

/// What pods and machines get their identities by is reached under the policies that are installed.
#[test]
fn the_network_policies_let_tokens_be_had() {
    let port = format!("port: {}", fleetwright::providers::oci::credentials::workload::PORT);
    let metadata = fleetwright::providers::oci::credentials::instance::METADATA;
    let address = metadata
        .trim_start_matches("http://")
        .split('/')
        .next()
        .expect("an address");
    for file in [
        "kustomize/base/network-policy.yaml",
        "helm/fleetwright/templates/network-policy.yaml",
    ] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("deploy")
            .join(file);
        let text = std::fs::read_to_string(path).expect("a policy");
        for needed in [port.as_str(), &format!("cidr: {address}/32")] {
            assert!(text.contains(needed), "{file}: {needed}");
        }
    }
}
