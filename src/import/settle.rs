//! Drafts → drafts that render to what is live: what differs becomes a patch, what a rule is against is waived, and what the
//! files can't hold is left out.
//!
//! Invariant: nothing is believed of a draft that the fleet's own pipeline did not make of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::compare::difference;
use super::draft::Draft;
use super::hub::Hub;
use super::layout::{Files, Layout};
use super::{Options, note};
use crate::diag::{Code, Diagnostic, Severity};
use crate::fleet::{self, Lock, Resolved, SourceFile, rule_id};
use crate::render::{Rendered, TemplateSet, render};
use crate::resource::{ClusterName, UnitId};

type Patch = Map<String, Value>;

/// Rounds after which nothing new comes to light: a patch of a patch is the deepest that there is.
const ROUNDS: usize = 6;

/// What the pipeline made of some files.
pub(super) struct Outcome {
    pub(super) resolved: Resolved,
    pub(super) rendered: Rendered,
}

/// Loads, resolves and renders.
pub(super) fn run(files: &Files, lock: &Lock, (templates, options): (&TemplateSet, &Options)) -> Outcome {
    let files: Vec<SourceFile> = files
        .iter()
        .map(|(path, text)| SourceFile {
            path: path.as_str().into(),
            text: text.as_str().into(),
        })
        .collect();
    let resolved = fleet::resolve(&fleet::load(&files), lock, &options.seed);
    let rendered = render(&resolved.fleet, templates);
    Outcome { resolved, rendered }
}

/// The lock that drafts ask for.
pub(super) fn lock(drafts: &[Draft<'_>]) -> Lock {
    Lock {
        clusters: drafts
            .iter()
            .map(|draft| (ClusterName::new(&draft.name), draft.pin.clone()))
            .collect(),
        ..Lock::default()
    }
}

/// What came of it.
pub(super) struct Settled {
    pub(super) outcome: Outcome,
    pub(super) waivers: Vec<Value>,
}

/// Settles all drafts.
pub(super) fn settle(
    drafts: &mut Vec<Draft<'_>>,
    hubs: &[&Hub<'_>],
    (templates, options): (&TemplateSet, &Options),
    diagnostics: &mut Vec<Diagnostic>,
) -> Settled {
    let mut waived: BTreeSet<(&'static str, String)> = BTreeSet::new();
    let mut waivers: Vec<Value> = Vec::new();
    let mut round = 0;
    let outcome = loop {
        let files = Layout::flat(&options.fleet, hubs, drafts, &waivers).files();
        let outcome = run(&files, &lock(drafts), (templates, options));
        round += 1;
        let before = (drafts.len(), waived.len());
        weed(&outcome, drafts, &mut waived, diagnostics);
        waived.retain(|(_, cluster)| drafts.iter().any(|draft| draft.name == *cluster));
        waivers = waived.iter().map(|(rule, cluster)| waiver(rule, cluster)).collect();
        let mut is_patched = false;
        for draft in drafts.iter_mut() {
            is_patched |= draft.mend(&outcome);
        }
        if round == ROUNDS || (!is_patched && before == (drafts.len(), waived.len())) {
            break outcome;
        }
    };
    let errors = outcome.resolved.diagnostics.iter();
    let of_all = errors.filter(|problem| problem.severity == Severity::Error && problem.clusters.is_empty());
    diagnostics.extend(of_all.map(|problem| note(problem.code, problem.message.clone())));
    for draft in drafts.iter() {
        if !draft.is_exact(&outcome) {
            let message = format!("{} does not come out of the files as it is", draft.live.cluster.shown());
            diagnostics.push(note(Code::ImportInexact, message).hint("`plan` shows what is different"));
        }
    }
    Settled { outcome, waivers }
}

/// In the words of the Fleet's document.
fn waiver(rule: &str, cluster: &str) -> Value {
    json!({"rule": rule, "cluster": cluster, "reason": "it was so when it was imported"})
}

/// Waives rules that clusters break, and takes out those that fail for another reason.
fn weed(
    outcome: &Outcome,
    drafts: &mut Vec<Draft<'_>>,
    waived: &mut BTreeSet<(&'static str, String)>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let found = || outcome.resolved.diagnostics.iter().chain(&outcome.rendered.diagnostics);
    let mut failed: BTreeMap<&str, &Diagnostic> = BTreeMap::new();
    for problem in found().filter(|problem| problem.severity == Severity::Error) {
        for cluster in &problem.clusters {
            match rule_id(problem.code) {
                Some(rule) => {
                    if waived.insert((rule, cluster.clone())) {
                        let message = format!(
                            "{cluster} breaks the rule `{rule}`, which is waived for it: {}",
                            problem.message
                        );
                        diagnostics.push(note(Code::ImportWaived, message));
                    }
                }
                None => drop(failed.entry(cluster).or_insert(problem)),
            }
        }
    }
    drafts.retain(|draft| {
        let Some(problem) = failed.get(draft.name.as_str()) else {
            return true;
        };
        let message = format!(
            "{} can't be in the files: {}: it is not imported",
            draft.live.cluster.shown(),
            problem.message
        );
        diagnostics.push(note(Code::ImportLeftOut, message));
        false
    });
}

impl Draft<'_> {
    /// Puts into its patches in what the rendered objects differ from the live ones; whether there was anything.
    fn mend(&mut self, outcome: &Outcome) -> bool {
        let Some((patch, pools)) = self.differences(outcome) else {
            return false;
        };
        let is_mended = !patch.is_empty() || !pools.is_empty();
        merge(&mut self.patch, patch);
        for (pool, patch) in pools {
            merge(self.pool_patches.entry(pool).or_default(), patch);
        }
        is_mended
    }

    fn is_exact(&self, outcome: &Outcome) -> bool {
        let differences = self.differences(outcome);
        differences.is_some_and(|(patch, pools)| patch.is_empty() && pools.is_empty())
    }

    /// For the HostedCluster and by pool; none where the cluster did not render.
    fn differences(&self, outcome: &Outcome) -> Option<(Patch, BTreeMap<String, Patch>)> {
        let unit = outcome
            .rendered
            .units
            .get(&UnitId::Cluster(ClusterName::new(&self.name)))?;
        let body = |kind: &str, name: &str| {
            let mut manifests = unit.manifests.iter();
            let found = manifests.find(|manifest| manifest.id.kind == kind && manifest.id.name == name);
            found.map(crate::resource::Manifest::body).unwrap_or_default()
        };
        let (cluster, found) = (&self.live.cluster, self.hub.found);
        let rendered = body("HostedCluster", &cluster.name);
        let patch = difference(cluster, &rendered, found.hosted_cluster_schema.as_deref()).patch;
        let mut pools = BTreeMap::new();
        for (name, pool) in &self.pools {
            let rendered = body("NodePool", &pool.name);
            let patch = difference(pool, &rendered, found.node_pool_schema.as_deref()).patch;
            if !patch.is_empty() {
                pools.insert(name.clone(), patch);
            }
        }
        Some((patch, pools))
    }
}

/// One patch over another: maps merge, all else replaces; a null stays, as it is meant for what is rendered.
fn merge(into: &mut Patch, over: Patch) {
    for (key, value) in over {
        match (into.get_mut(&key), value) {
            (Some(Value::Object(into)), Value::Object(over)) => merge(into, over),
            (_, value) => drop(into.insert(key, value)),
        }
    }
}
