//! What is rendered, document by document, against `tests/cases/render/`. `FLEETWRIGHT_BLESS=1` writes those files anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use fleetwright::fleet::model::{Dialect, Fleet, Manage, NetworkSource, NodePool, Preset};
use fleetwright::render::{Rendered, TemplateSet, Unit, render};
use fleetwright::resource::{Digest, NetworkName, NodePoolName};
use serde_json::json;

use crate::fleet_support::repository;
use crate::golden;
use crate::render_fixture::{cluster, fleet, gpu_pool, hosted, hub, managed, pool, routes};

pub(crate) fn rendered(fleet: &Fleet) -> Rendered {
    let rendered = render(fleet, &TemplateSet::new(&[]).unwrap());
    assert_eq!(rendered.diagnostics, []);
    assert_eq!(rendered.failed, BTreeSet::new());
    rendered
}

/// A unit as a reader wants it: what surrounds each document, then the document.
pub(crate) fn show(unit: &Unit) -> String {
    let mut text = String::new();
    for precondition in &unit.preconditions {
        writeln!(text, "# needs {}", serde_json::to_string(precondition).unwrap()).unwrap();
    }
    for manifest in &unit.manifests {
        writeln!(
            text,
            "---\n# {} on {}, {:?}",
            manifest.id, manifest.id.target, manifest.stewardship
        )
        .unwrap();
        for id in &manifest.depends_on {
            writeln!(text, "# after {id}").unwrap();
        }
        text.push_str(&serde_yaml::to_string(&manifest.body()).unwrap());
    }
    text
}

/// Compares with one golden file.
pub(crate) fn check_file(name: &str, got: &str) {
    golden::check(&format!("render/{name}"), got);
}

/// Compares with the golden files of a case, one a unit; none may be missing, none left over.
fn check(case: &str, rendered: &Rendered) {
    let mut wanted = BTreeSet::new();
    for (id, unit) in &rendered.units {
        let name = format!("{}-{}.yaml", id.kind(), id.name());
        check_file(&format!("{case}/{name}"), &show(unit));
        wanted.insert(name);
    }
    assert_eq!(golden::names(&golden::folder(&format!("render/{case}"))), wanted);
}

/// A lock names the version of the templates that its fleet is rendered with, and a newer program renders that one byte for byte:
/// from the first release on, what changes a template is another version of all of them, in a folder of its own.
#[test]
fn templates_of_a_version_stay_as_they_were() {
    let folder = repository("templates");
    for version in golden::names(&folder) {
        let folder = folder.join(&version);
        let digests = golden::names(&folder).into_iter().map(|name| {
            let digest = Digest::of(&std::fs::read(folder.join(&name)).unwrap());
            format!("{}  {name}\n", digest.to_hex())
        });
        golden::check(&format!("templates/{version}.sha256"), &digests.collect::<String>());
    }
}

/// The fleets of the cases.
pub(crate) fn cases() -> [(&'static str, Fleet); 5] {
    [
        ("oci-existing", oci_existing()),
        ("oci-managed", oci_managed()),
        ("oci-shared", oci_shared()),
        ("other-dialects", other_dialects()),
        ("shared-namespace", shared_namespace()),
    ]
}

fn oci_existing() -> Fleet {
    let mut payments = cluster("payments", Dialect::Oci);
    hosted(&mut payments)
        .node_pools
        .insert(NodePoolName::new("gpu"), gpu_pool("payments"));
    let arm = NodePool {
        arch: "arm64".to_owned(),
        shape: "VM.Standard.A1.Flex".to_owned(),
        ..pool("payments", "arm")
    };
    hosted(&mut payments).node_pools.insert(NodePoolName::new("arm"), arm);
    hosted(&mut payments).services = routes("payments");
    fleet([payments])
}

fn oci_managed() -> Fleet {
    let mut payments = cluster("payments", Dialect::Oci);
    payments.network.source = managed(Preset::HostedPrivate);
    fleet([payments])
}

fn oci_shared() -> Fleet {
    let mut clusters = ["alpha", "beta"].map(|name| cluster(name, Dialect::Oci));
    for cluster in &mut clusters {
        cluster.network.source = NetworkSource::Shared {
            name: NetworkName::new("hub"),
        };
    }
    let mut fleet = fleet(clusters);
    fleet.networks.insert(NetworkName::new("hub"), hub());
    fleet
}

fn other_dialects() -> Fleet {
    let mut none = cluster("none", Dialect::None);
    hosted(&mut none).hosted_cluster_patch =
        json!({"dns": {"baseDomainPrefix": ""}, "channel": null, "nodeSelector": {"role": "hcp"}});
    let mut agent = cluster("agent", Dialect::Agent);
    agent.manage = Manage::Pools;
    let pool = hosted(&mut agent)
        .node_pools
        .get_mut(&NodePoolName::new("general"))
        .unwrap();
    pool.node_pool_patch = json!({"platform": {"agent": {"agentLabelSelector": {"matchLabels": {"size": "large"}}}}});
    fleet([none, agent])
}

fn shared_namespace() -> Fleet {
    fleet(["alpha", "beta"].map(|name| {
        let mut cluster = cluster(name, Dialect::None);
        cluster.namespace = "clusters".to_owned();
        hosted(&mut cluster).pull_secret.name = "pull-secret".to_owned();
        cluster
    }))
}

#[test]
fn a_cluster_on_oci_in_a_network_that_exists() {
    check("oci-existing", &rendered(&oci_existing()));
}

#[test]
fn a_cluster_on_oci_in_a_network_of_its_own_to_be_made() {
    check("oci-managed", &rendered(&oci_managed()));
}

#[test]
fn two_clusters_in_a_shared_public_network_to_be_made() {
    check("oci-shared", &rendered(&oci_shared()));
}

#[test]
fn clusters_in_the_dialects_that_upstream_admits() {
    check("other-dialects", &rendered(&other_dialects()));
}

#[test]
fn clusters_that_share_a_namespace_leave_it_to_their_management_cluster() {
    check("shared-namespace", &rendered(&shared_namespace()));
}

#[test]
fn there_is_a_golden_folder_for_every_case_and_no_other() {
    let mut wanted: BTreeSet<String> = cases().into_iter().map(|(name, _)| name.to_owned()).collect();
    wanted.extend(["demo-fleet", "networks"].map(str::to_owned));
    assert_eq!(golden::names(&golden::folder("render")), wanted);
}
