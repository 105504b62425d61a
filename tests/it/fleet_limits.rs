//! Size, on both sides: large fleets are quick, and hostile ones end early.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use fleetwright::diag::Code;
use fleetwright::fleet::{Lock, SourceFile, load};

use super::fleet_support::{file, read, repository, resolved};

/// What a team with many clusters writes, some of them with exceptions.
fn large(clusters: usize) -> Vec<SourceFile> {
    let mut files = vec![file(
        "fleet.yaml",
        "kind: Fleet
metadata: {name: large}
spec:
  addresses: {pools: {us-ashburn-1: 10.0.0.0/9, eu-frankfurt-1: 11.0.0.0/9}, perCluster: 23}
  thresholds: {networksPerRegion: 1000}
  defaults:
    baseDomain: clusters.acme.example
    pullSecret: {from: fleetwright/pull-secret}
    etcd: {storageClass: oci-bv}
---
kind: Release
metadata: {name: stable}
spec: {rings: {0: {controlPlane: 4.20.3}, 1: {controlPlane: 4.20.3, pools: 4.19.12}}}
---
kind: NodePoolProfile
metadata: {name: general}
spec: {shape: VM.Standard.E5.Flex, ocpus: 8, memoryInGBs: 64, autoscale: 3-12}
---
kind: NodePoolProfile
metadata: {name: gpu}
spec: {shape: VM.GPU.A10.1, replicas: 2, taints: [\"nvidia.com/gpu=true:NoSchedule\"]}
---
kind: Environment
metadata: {name: prod}
spec: {ring: 1}
---
kind: Environment
metadata: {name: dev}
spec: {ring: 0, availability: single}
",
    )];
    let mut management = String::new();
    for number in 0..clusters.div_ceil(60) {
        for region in ["us-ashburn-1", "eu-frankfurt-1"] {
            writeln!(
                management,
                "---\nkind: ManagementCluster\nmetadata: {{name: {region}-{number}}}\nspec: {{region: {region}, nodePortAddress: hcp-{number}.{region}.acme.example}}"
            )
            .unwrap();
        }
    }
    files.push(file("management.yaml", &management));
    // A quarter in files of their own, the rest in `Clusters` of fifty.
    for number in 0..clusters / 4 {
        let text = format!(
            "kind: Cluster\nmetadata: {{name: own-{number}}}\nspec:\n  environment: prod\n  region: eu-frankfurt-1\n  owner: team-{}\n  pools: [general, gpu]\n",
            number % 40
        );
        files.push(file(&format!("clusters/own-{number}.yaml"), &text));
    }
    let rest: Vec<usize> = (clusters / 4..clusters).collect();
    for (part, numbers) in rest.chunks(50).enumerate() {
        let mut text =
            "kind: Clusters\nspec:\n  environment: dev\n  region: us-ashburn-1\n  pools: {workers: {profile: general, replicas: 2}}\n  clusters:\n"
                .to_owned();
        for number in numbers {
            match number % 5 {
                0 => writeln!(text, "    many-{number}:\n      owner: team-{number}\n      pools:\n        workers: {{replicas: 4}}\n        gpu: {{profile: gpu}}\n      labels: {{a: b}}"),
                1 => writeln!(text, "    many-{number}: {{pools: {{workers: {{autoscale: 2-6}}}}}}"),
                _ => writeln!(text, "    many-{number}: {{}}"),
            }
            .unwrap();
        }
        files.push(file(&format!("clusters/part-{part}.yaml"), &text));
    }
    files
}

fn lines(files: &[SourceFile]) -> usize {
    files.iter().map(|file| file.text.lines().count()).sum()
}

#[test]
fn a_thousand_clusters_take_at_most_eight_thousand_lines() {
    let files = large(1_000);
    let lines = lines(&files);
    assert!(lines <= 8_000, "{lines} lines");
    let (_, resolved) = resolved(&files, &Lock::default());
    assert_eq!(resolved.fleet.clusters.len(), 1_000);
    assert!(resolved.diagnostics.is_empty(), "{:?}", resolved.diagnostics.first());
}

#[test]
fn time_grows_with_the_number_of_clusters_and_not_faster() {
    let time = |clusters| {
        let files = large(clusters);
        let once = || {
            let begin = Instant::now();
            let (_, resolved) = resolved(&files, &Lock::default());
            assert_eq!(resolved.fleet.clusters.len(), clusters);
            begin.elapsed()
        };
        once().min(once())
    };
    let (small, big) = (time(250), time(2_000));
    // Eight times as many; a quadratic step would take 64 times as long. Room for a busy machine.
    assert!(big < small * 24, "250 clusters: {small:?}, 2000: {big:?}");
}

#[test]
fn a_production_cluster_with_three_node_pools_takes_ten_lines() {
    let files = read(&repository("fleet"));
    let payments = files
        .iter()
        .find(|file| &*file.path == "clusters/payments.yaml")
        .unwrap();
    let count = payments.text.lines().count();
    assert!(count <= 10, "{count} lines");
    let (_, resolved) = resolved(&files, &Lock::parse(&files).0);
    let cluster = resolved
        .fleet
        .clusters
        .values()
        .find(|cluster| cluster.name.as_str() == "payments")
        .unwrap();
    assert_eq!(cluster.node_pools().count(), 3);
    assert_eq!(cluster.environment.as_str(), "prod");
}

/// Loads hostile input, and says how long it took and what came of it.
fn hostile(text: &str) -> (Duration, Vec<Code>) {
    let files = [
        file("a.yaml", text),
        file("b.yaml", "kind: Fleet\nmetadata: {name: acme}\n"),
    ];
    let begin = Instant::now();
    let (loaded, resolved) = resolved(&files, &Lock::default());
    assert!(resolved.fleet.incomplete);
    (
        begin.elapsed(),
        loaded.diagnostics().iter().map(|problem| problem.code).collect(),
    )
}

#[test]
fn hostile_files_end_in_an_error_soon() {
    let bomb = |width: usize, depth: usize| {
        let mut text = format!("a0: &a0 [{}]\n", vec!["x"; width].join(", "));
        for level in 1..depth {
            let aliases = vec![format!("*a{}", level - 1); width].join(", ");
            writeln!(text, "a{level}: &a{level} [{aliases}]").unwrap();
        }
        text
    };
    let cases = [
        ("alias bomb", bomb(10, 12), Code::Budget),
        (
            "many aliases of one large anchor",
            format!(
                "a: &a [{}]\nb: [{}]\n",
                vec!["x"; 1_000].join(","),
                vec!["*a"; 10_000].join(",")
            ),
            Code::Budget,
        ),
        ("a hundred MiB", "# padding\n".repeat(10 << 20), Code::TooLarge),
        (
            "deep flow",
            format!("a: {}{}", "[".repeat(100_000), "]".repeat(100_000)),
            Code::Budget,
        ),
        (
            "deep blocks",
            (0..3_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect(),
            Code::Budget,
        ),
        ("deep list", "- ".repeat(100_000), Code::Budget),
        ("an alias inside of its anchor", "a: &a [*a]\n".to_owned(), Code::Syntax),
    ];
    for (name, text, code) in cases {
        let (time, codes) = hostile(&text);
        assert_eq!(codes.first(), Some(&code), "{name}: {codes:?}");
        assert!(time < Duration::from_secs(5), "{name} took {time:?}");
    }
}

#[test]
fn a_mapping_with_many_keys_is_checked_in_little_time() {
    let mut text = "kind: Environment\nmetadata: {name: a}\nspec:\n  labels:\n".to_owned();
    for number in 0..50_000 {
        writeln!(text, "    k{number}: v").unwrap();
    }
    text.push_str("    k7: w\n");
    let begin = Instant::now();
    let loaded = load(&[file("a.yaml", &text)]);
    assert_eq!(loaded.diagnostics().len(), 1);
    assert_eq!(loaded.diagnostics()[0].code, Code::DuplicateKey);
    assert!(begin.elapsed() < Duration::from_secs(5));
}
