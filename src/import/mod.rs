//! Live objects → the files of a fleet that renders to them.
//!
//! A draft says in the files' own words what it can. The fleet's own pipeline renders it, and what comes out is compared with
//! what is live, by the defaults of the server's schemas: each difference becomes a raw patch. So whether an import is right does
//! not depend on how good its guesses are; how short it is does. Then what clusters have in common goes into the layers above
//! them, and the result is rendered once more: where it is not the same to the byte, nothing is factored out.
//!
//! Invariant: pure. Content of Secrets never comes in here, so that none can go out. May depend on `fleet`, `render`, `schema`,
//! `ssa`, `resource` and `diag`.

mod compare;
mod draft;
mod factor;
mod hub;
mod labels;
mod layout;
mod live;
mod names;
mod network;
mod pool;
mod profiles;
mod release;
mod services;
mod settle;
mod words;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use self::draft::{Draft, draft};
use self::hub::Hub;
use self::layout::Layout;
use self::live::Hosted;
use self::settle::{Outcome, lock, run, settle};
use crate::diag::{Code, Diagnostic, Severity};
use crate::fleet::{Lock, Seed};
use crate::render::TemplateSet;
use crate::resource::{Digest, ManagementClusterName, UnitId};
use crate::schema::Schema;

/// What was read of one management cluster.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its name in the files to be.
    pub name: ManagementClusterName,
    /// The kubeconfig context.
    pub context: String,
    /// HostedClusters, of all namespaces.
    pub hosted_clusters: Vec<Value>,
    /// NodePools, of all namespaces.
    pub node_pools: Vec<Value>,
    /// The namespaces that HostedClusters are in.
    pub namespaces: Vec<Value>,
    /// The schema of HostedClusters there; without one each default of the server is kept as a patch.
    pub hosted_cluster_schema: Option<Arc<Schema>>,
    /// The schema of NodePools.
    pub node_pool_schema: Option<Arc<Schema>>,
}

impl Found {
    /// Nothing yet, of a management cluster whose context has its name.
    pub fn of(name: &str) -> Self {
        Self {
            name: ManagementClusterName::new(name),
            context: name.to_owned(),
            hosted_clusters: Vec::new(),
            node_pools: Vec::new(),
            namespaces: Vec::new(),
            hosted_cluster_schema: None,
            node_pool_schema: None,
        }
    }
}

/// What the objects do not tell.
#[derive(Clone, Debug)]
pub struct Options {
    /// The fleet's name.
    pub fleet: String,
    /// The environment of clusters whose label names none.
    pub environment: String,
    /// The label of HostedClusters that names their environment.
    pub environment_label: Option<String>,
    /// The region of management clusters on which no object names it.
    pub region: Option<String>,
    /// For the fleet's uid, and the time.
    pub seed: Seed,
}

/// What came of it.
#[derive(Debug)]
pub struct Imported {
    /// The fleet files, those of the lock among them, by path.
    pub files: BTreeMap<String, String>,
    /// HostedClusters in them.
    pub clusters: usize,
    /// NodePools in them.
    pub pools: usize,
    /// Whether what clusters have in common stands in the layers above them; else each has all of its own.
    pub is_factored: bool,
    /// What is not in them, and what is in them as a patch.
    pub diagnostics: Vec<Diagnostic>,
}

/// Makes a fleet of what was found.
pub fn import(found: &[Found], options: &Options, templates: &TemplateSet) -> Imported {
    let mut diagnostics = Vec::new();
    let read: Vec<(&Found, Vec<Hosted>)> = found
        .iter()
        .map(|found| (found, live::read(found, &mut diagnostics)))
        .collect();
    let mut hubs: Vec<(Hub<'_>, &[Hosted])> = Vec::new();
    for (found, hosted) in &read {
        match Hub::of(found, hosted, options) {
            Ok(hub) => hubs.push((hub, hosted)),
            Err(problem) => diagnostics.push(problem),
        }
    }
    let mut taken = BTreeSet::new();
    let mut drafts: Vec<Draft<'_>> = Vec::new();
    for (hub, hosted) in &hubs {
        for hosted in *hosted {
            match draft(hosted, hub, options, &mut taken) {
                Ok(draft) => drafts.push(draft),
                Err(problem) => diagnostics.push(problem),
            }
        }
    }
    let hubs: Vec<&Hub<'_>> = hubs.iter().map(|(hub, _)| hub).collect();
    let settled = settle(&mut drafts, &hubs, (templates, options), &mut diagnostics);
    say_patches(&drafts, &mut diagnostics);
    for draft in &drafts {
        let unsaid = labels::unsaid(draft.live);
        if !unsaid.is_empty() {
            let message = format!(
                "the files have no place for these, which stay as they are: {}",
                unsaid.join(", ")
            );
            diagnostics.push(note(Code::ImportUnsaid, message));
        }
    }
    let flat = Layout::flat(&options.fleet, &hubs, &drafts, &settled.waivers);
    let mut files = flat.files();
    let pinned = Lock {
        fleet: settled.outcome.resolved.lock.fleet.clone(),
        ..lock(&drafts)
    };
    let factored = flat.factored(&drafts).files();
    let again = run(&factored, &pinned, (templates, options));
    let mut last = settled.outcome;
    let is_factored = units(&again) == units(&last);
    if is_factored {
        (files, last) = (factored, again);
    }
    files.extend(last.resolved.lock.files());
    diagnostics.sort_by(|a, b| (a.severity, a.code, &a.message).cmp(&(b.severity, b.code, &b.message)));
    Imported {
        files,
        clusters: drafts.len(),
        pools: drafts.iter().map(|draft| draft.pools.len()).sum(),
        is_factored,
        diagnostics,
    }
}

/// What renders, by unit. Networks that are there already render to nothing.
fn units(outcome: &Outcome) -> BTreeMap<&UnitId, Digest> {
    let units = outcome
        .rendered
        .units
        .iter()
        .filter(|(_, unit)| !unit.manifests.is_empty());
    units.map(|(id, unit)| (id, unit.digest)).collect()
}

/// Says what is kept as a patch; of objects of a kind that have the same fields in theirs at once.
fn say_patches(drafts: &[Draft<'_>], diagnostics: &mut Vec<Diagnostic>) {
    const NAMED: usize = 5;
    let mut alike: BTreeMap<(&str, Vec<String>), Vec<String>> = BTreeMap::new();
    for draft in drafts {
        let pools = draft.pool_patches.iter();
        let of_pools = pools.filter_map(|(name, patch)| Some((*draft.pools.get(name)?, patch)));
        for (object, patch) in std::iter::once((&draft.live.cluster, &draft.patch)).chain(of_pools) {
            let fields: Vec<String> = leaves(patch).collect();
            if !fields.is_empty() {
                let names = alike.entry((object.kind, fields)).or_default();
                names.push(format!("{}/{}", object.namespace, object.name));
            }
        }
    }
    for ((kind, fields), names) in alike {
        let (plural, more) = (
            if names.len() == 1 { "" } else { "s" },
            names.len().saturating_sub(NAMED),
        );
        let mut shown = names.into_iter().take(NAMED).collect::<Vec<_>>().join(", ");
        if more > 0 {
            shown.push_str(&format!(" and {more} more"));
        }
        let message = format!("kept as a patch of {kind}{plural} {shown}: {}", fields.join(", "));
        diagnostics.push(note(Code::ImportPatch, message));
    }
}

/// The fields of a patch, two levels deep: `spec.networking.allocateNodeCIDRs`.
fn leaves(patch: &serde_json::Map<String, Value>) -> impl Iterator<Item = String> + '_ {
    patch.iter().flat_map(|(key, value)| match value {
        Value::Object(inner) if !inner.is_empty() => inner.keys().map(|below| format!("spec.{key}.{below}")).collect(),
        _ => vec![format!("spec.{key}")],
    })
}

/// A name for the files of one that is none: `hub/api:6443` → `hub-api-6443`.
pub fn plain_name(name: &str) -> String {
    names::plain(name)
}

fn note(code: Code, message: String) -> Diagnostic {
    Diagnostic::new(code, message)
}

impl Imported {
    /// Whether something of what was found is in no file.
    pub fn is_incomplete(&self) -> bool {
        self.diagnostics
            .iter()
            .any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}
