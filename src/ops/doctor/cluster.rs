//! One management cluster.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;
use jiff::Timestamp;

use super::{DoctorOptions, clock};
use crate::ops::cloud::Auth;
use crate::ops::load::LoadedFleet;
use crate::ops::preconditions::admits_oci;
use crate::providers::kubernetes::{INVENTORY_NAMESPACE, KubernetesProvider};
use crate::providers::{InventoryStore as _, Kind, ProviderError};
use crate::render::Precondition;
use crate::report::chain;
use crate::report::doctor_text::Finding;
use crate::resource::{ManagementClusterName, Target};
use crate::rights::kubernetes::{Grant, Needs, needed};
use crate::rights::rbac::{phrase, question};
use crate::sync::{self, SyncKind};

/// The first version with aggregated discovery as we read it.
const OLDEST: (u32, u32) = (1, 30);
/// Questions under way at once.
const QUESTIONS: usize = 16;

/// All checks of a management cluster; those that take a connection only where there is one.
pub(super) async fn examine(
    loaded: &LoadedFleet,
    name: &ManagementClusterName,
    options: &DoctorOptions,
) -> Vec<Finding> {
    let connected = options.access.connect(&loaded.fleet, std::slice::from_ref(name)).await;
    let provider = match connected {
        Ok(mut connected) => connected.remove(name),
        Err(error) => {
            let hint = "the kubeconfig needs a context for it; a pod reaches the one cluster that it runs in";
            return vec![Finding::fail("connection", name.as_str(), chain(&error), hint)];
        }
    };
    let Some(provider) = provider else { return Vec::new() };
    let (mut findings, is_reached) = greet(&provider, name, options.access.sandbox.is_some()).await;
    if is_reached {
        let (kinds, rights, inventory) = futures::join!(
            kinds(loaded, &provider, name),
            rights(loaded, &provider, name, options),
            inventory(loaded, &provider, name)
        );
        findings.extend(kinds);
        findings.extend(rights);
        findings.push(inventory);
    }
    findings
}

/// Connection, version, clock; and whether there is a server at all.
async fn greet(provider: &KubernetesProvider, name: &ManagementClusterName, is_sandbox: bool) -> (Vec<Finding>, bool) {
    let subject = name.as_str();
    let greeting = match provider.greet().await {
        Ok(greeting) => greeting,
        Err(error @ ProviderError::Forbidden { .. }) => {
            let hint = "its version and its clock are not known: `fleetwright rbac` has the rule for /version";
            return (vec![Finding::warn("version", subject, chain(&error), hint)], true);
        }
        Err(error) => {
            let hint = "is the address right, the server up, the token valid, and port 6443 or 443 open from here?";
            return (vec![Finding::fail("connection", subject, chain(&error), hint)], false);
        }
    };
    let version = match greeting.version {
        Some((major, minor)) if (major, minor) < OLDEST => Finding::fail(
            "version",
            subject,
            format!("Kubernetes {major}.{minor}"),
            format!("{}.{} is the first that is known to do", OLDEST.0, OLDEST.1),
        ),
        Some((major, minor)) => Finding::ok("version", subject, format!("Kubernetes {major}.{minor}")),
        None => Finding::warn(
            "version",
            subject,
            "the server does not say which version it is",
            format!("it has to be {}.{} or later", OLDEST.0, OLDEST.1),
        ),
    };
    let mut findings = vec![Finding::ok("connection", subject, "the API server answers"), version];
    // A sandbox has a clock of its own, and is meant to.
    if !is_sandbox {
        findings.push(clock::compare(subject, greeting.date, Timestamp::now()));
    }
    (findings, true)
}

/// Whether what is rendered can be stored there.
async fn kinds(loaded: &LoadedFleet, provider: &KubernetesProvider, name: &ManagementClusterName) -> Vec<Finding> {
    const CHECK: &str = "kinds";
    let subject = name.as_str();
    let manifests = loaded.rendered.units.values().flat_map(|unit| &unit.manifests);
    let wanted: BTreeSet<Kind> = manifests
        .filter(|manifest| manifest.id.target == Target::Kubernetes(name.clone()))
        .map(|manifest| Kind {
            group: manifest.id.group.clone(),
            version: manifest.version().to_owned(),
            kind: manifest.id.kind.clone(),
        })
        .collect();
    let missing = match provider.not_served(&wanted).await {
        Ok(missing) => missing,
        Err(error) => {
            let hint = "without discovery nothing of the fleet can be looked at there";
            return vec![Finding::fail(CHECK, subject, chain(&error), hint)];
        }
    };
    let mut findings: Vec<Finding> = missing
        .into_iter()
        .map(|(kind, reason)| {
            let hint = "install the operator that brings this CRD (HyperShift, Cluster API, CAPOCI), in this version";
            Finding::fail(CHECK, subject, format!("{kind}: {reason}"), hint)
        })
        .collect();
    if findings.is_empty() {
        findings.push(Finding::ok(
            CHECK,
            subject,
            format!("all {} kinds are served", wanted.len()),
        ));
    }
    if let Some(false) = provider.serves(sync::GROUP, SyncKind::ClusterSync.name()).await {
        let message = "ClusterSync and FleetStatus are not installed: how the fleet stands is told by /status alone";
        let hint = "`kubectl apply -f deploy/crds` installs them";
        findings.push(Finding::warn(CHECK, subject, message, hint));
    }
    if needs_oci_platform(loaded, name)
        && let Some(kind) = wanted.iter().find(|kind| kind.kind == "HostedCluster")
    {
        findings.push(match provider.schema_of(kind).await {
            Some(schema) if admits_oci(&schema) => {
                Finding::ok(CHECK, subject, "the HostedCluster CRD knows the OCI platform")
            }
            Some(_) => Finding::fail(
                CHECK,
                subject,
                "the HostedCluster CRD has no `spec.platform.oci`: the API server would drop it",
                "patch HyperShift's CRDs: see schemas/patches/oci-platform",
            ),
            None => Finding::warn(
                CHECK,
                subject,
                "whether the HostedCluster CRD knows the OCI platform is not known: its schema can't be read",
                "`fleetwright rbac` has the rules for /openapi/v3",
            ),
        });
    }
    findings
}

fn needs_oci_platform(loaded: &LoadedFleet, name: &ManagementClusterName) -> bool {
    loaded.rendered.units.iter().any(|(unit, rendered)| {
        rendered.preconditions.contains(&Precondition::OciPlatform) && loaded.recorded_on(unit).as_ref() == Some(name)
    })
}

/// Each right that the fleet needs there, by the server's own word.
async fn rights(
    loaded: &LoadedFleet,
    provider: &KubernetesProvider,
    name: &ManagementClusterName,
    options: &DoctorOptions,
) -> Vec<Finding> {
    const CHECK: &str = "rights";
    let subject = name.as_str();
    let grants = needed(&Needs {
        fleet: &loaded.fleet,
        rendered: &loaded.rendered,
        on: name,
        home: INVENTORY_NAMESPACE,
        purpose: options.purpose,
        reads_keys: options.access.oci.auth == Auth::Secret,
    });
    let asked = grants
        .iter()
        .map(|grant| async move { (grant, provider.may(&question(grant)).await) });
    let asked: Vec<_> = asked.collect();
    let answers: Vec<_> = futures::stream::iter(asked).buffer_unordered(QUESTIONS).collect().await;
    let mut lacking: BTreeMap<String, BTreeSet<&Grant>> = BTreeMap::new();
    for (grant, answer) in answers {
        match answer {
            Ok(true) => {}
            Ok(false) => {
                lacking.entry(phrase(grant)).or_default().insert(grant);
            }
            Err(error) => {
                let hint =
                    "the rule for selfsubjectaccessreviews is missing, which every user has on an ordinary cluster";
                return vec![Finding::warn(CHECK, subject, chain(&error), hint)];
            }
        }
    }
    if lacking.is_empty() {
        return vec![Finding::ok(CHECK, subject, format!("all {} are there", grants.len()))];
    }
    let hint = format!("`fleetwright rbac --management-cluster {name}` prints the rules: have them applied");
    lacking
        .into_iter()
        .map(|(on, grants)| {
            let verbs: Vec<&str> = grants.into_iter().map(Grant::verb).collect();
            Finding::fail(
                CHECK,
                subject,
                format!("no right to {} {on}", verbs.join(", ")),
                hint.clone(),
            )
        })
        .collect()
}

async fn inventory(loaded: &LoadedFleet, provider: &KubernetesProvider, name: &ManagementClusterName) -> Finding {
    const CHECK: &str = "inventory";
    match provider.inventory().load_all(&loaded.revised.fleet).await {
        Ok(all) if all.is_empty() => Finding::ok(CHECK, name.as_str(), "nothing has been made there yet"),
        Ok(all) => {
            let objects: usize = all.iter().map(|stored| stored.inventory.entries.len()).sum();
            let message = format!("{} units, {objects} objects", all.len());
            Finding::ok(CHECK, name.as_str(), message)
        }
        Err(error) => Finding::fail(
            CHECK,
            name.as_str(),
            chain(&error),
            format!("without its records nothing is planned there: look at the ConfigMaps in {INVENTORY_NAMESPACE}"),
        ),
    }
}
