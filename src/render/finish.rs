//! From a template's documents to manifests: what no template may forget or change.
//!
//! Raw patches, labels, the owner mark, what depends on what, whether we write it; and what is refused whoever wrote it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::machines;
use crate::diag::{Code, Diagnostic, Span};
use crate::fleet::model::{Cluster, Manage};
use crate::resource::lookup::malformed_lookups;
use crate::resource::mark::{MANAGED_BY_LABEL, OWNER_ANNOTATION, RESPONSIBLE_ANNOTATION};
use crate::resource::reference::{OCI_GROUP, malformed_references, references};
use crate::resource::{FleetUid, Manifest, OwnerMark, ResourceId, Stewardship, Target, UnitId};

const HYPERSHIFT: &str = "hypershift.openshift.io";

/// A document and where it comes from.
pub(super) struct Document {
    pub(super) body: Value,
    /// The template, or where an extra manifest was typed; for diagnostics.
    pub(super) span: Option<Span>,
    /// `template \`hosted-cluster.yaml.j2\``, `an extra manifest`.
    pub(super) origin: String,
}

/// What all documents of one unit have in common.
pub(super) struct Unit<'a> {
    pub(super) id: &'a UnitId,
    pub(super) fleet: &'a FleetUid,
    /// Where its Kubernetes documents live.
    pub(super) target: Target,
    /// Labels for each of them.
    pub(super) labels: BTreeMap<String, String>,
    /// Who answers for it.
    pub(super) responsible: Option<&'a str>,
    /// The cluster, where the unit is one.
    pub(super) cluster: Option<&'a Cluster>,
    /// How far it is ours to write.
    pub(super) manage: Manage,
    /// Namespaces whose objects are only observed whatever `manage` says.
    pub(super) observed_namespaces: BTreeSet<String>,
    /// Objects of another unit that every HostedCluster of this one needs (shared namespaces and copies).
    pub(super) elsewhere: Vec<ResourceId>,
}

impl Unit<'_> {
    /// Makes manifests, sorted by id.
    ///
    /// # Errors
    /// Everything that is wrong with any document.
    pub(super) fn finish(&self, documents: Vec<Document>) -> Result<Vec<Manifest>, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        let mut manifests: BTreeMap<ResourceId, Manifest> = BTreeMap::new();
        for document in documents {
            let (span, origin) = (document.span.clone(), document.origin.clone());
            match self.manifest(document) {
                Ok(manifest) => {
                    let id = manifest.id.clone();
                    if manifests.insert(id.clone(), manifest).is_some() {
                        let message = format!("{origin} gives {id}, which is there already");
                        problems.push(place(Diagnostic::new(Code::DuplicateObject, message), span));
                    }
                }
                Err(problem) => problems.push(*problem),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let ids: BTreeSet<ResourceId> = manifests.keys().cloned().collect();
        let mut manifests: Vec<Manifest> = manifests.into_values().collect();
        for manifest in &mut manifests {
            self.depend(manifest, &ids);
        }
        Ok(manifests)
    }

    fn manifest(&self, document: Document) -> Result<Manifest, Box<Diagnostic>> {
        let Document { mut body, span, origin } = document;
        let problem = |code, message: String| Box::new(place(Diagnostic::new(code, message), span.clone()));
        let Some(map) = body.as_object_mut() else {
            return Err(problem(
                Code::TemplateOutput,
                format!("{origin} gives a document that is no mapping"),
            ));
        };
        let kind = string(map, "kind");
        if kind == "HostedControlPlane" {
            let message =
                format!("{origin} gives a HostedControlPlane, which HyperShift makes itself of its HostedCluster");
            return Err(problem(Code::ForbiddenObject, message));
        }
        if kind == "Secret" && ["data", "stringData"].iter().any(|key| map.contains_key(*key)) {
            let message = format!("{origin} gives a Secret with its data in plain text");
            let hint = "name a source instead: `$copyFrom: {namespace: …, name: …}`";
            return Err(Box::new(problem(Code::ForbiddenObject, message).hint(hint)));
        }
        if let Some(cluster) = self.cluster {
            patch(map, cluster);
        }
        let group = group(&string(map, "apiVersion"));
        let target = if group == OCI_GROUP {
            Target::Oci
        } else {
            self.target.clone()
        };
        let id = ResourceId {
            target,
            group,
            kind,
            namespace: metadata(map, "namespace"),
            name: metadata(map, "name").unwrap_or_default(),
        };
        if !self.mark(map, &id) {
            return Err(problem(
                Code::TemplateOutput,
                format!("{origin} gives a document whose `metadata` is no mapping"),
            ));
        }
        if let Some(path) = malformed_references(&body).first() {
            let message = format!("{origin} gives {id}, whose `{path}` is no reference");
            let hint = r#"a reference is {"$ref": {"kind": …, "name": …}, "field": …}"#;
            return Err(Box::new(problem(Code::TemplateOutput, message).hint(hint)));
        }
        if let Some(path) = malformed_lookups(&body).first() {
            let message = format!("{origin} gives {id}, whose `{path}` is no look-up");
            let hint =
                r#"a look-up is {"$lookup": {"kind": …, "name": …, "compartmentId": …, "region": …}, "field": "id"}"#;
            return Err(Box::new(problem(Code::TemplateOutput, message).hint(hint)));
        }
        let made = Manifest::new(id.target.clone(), self.id.clone(), self.stewardship(&id), &body);
        let mut manifest =
            made.map_err(|error| problem(Code::TemplateOutput, format!("{origin} gives no manifest: {error}")))?;
        let references = references(&body).into_iter();
        manifest.depends_on = references.map(|(_, reference)| reference.id).collect();
        Ok(manifest)
    }

    /// Adds labels and the mark; false where `metadata`, or one of the two maps in it, is something else.
    fn mark(&self, body: &mut Map<String, Value>, id: &ResourceId) -> bool {
        let mark = OwnerMark::for_object(self.fleet, self.id, id).to_annotation();
        let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) else {
            return false;
        };
        let Some(labels) = submap(metadata, "labels") else {
            return false;
        };
        for (key, value) in &self.labels {
            labels.entry(key.clone()).or_insert_with(|| value.as_str().into());
            // What finds and tells apart our objects is not a template's to choose.
            if key.starts_with("fleetwright.dev/") || key == MANAGED_BY_LABEL {
                labels.insert(key.clone(), value.as_str().into());
            }
        }
        let Some(annotations) = submap(metadata, "annotations") else {
            return false;
        };
        annotations.insert(OWNER_ANNOTATION.to_owned(), mark.into());
        if let Some(who) = self.responsible {
            annotations.entry(RESPONSIBLE_ANNOTATION).or_insert_with(|| who.into());
        }
        true
    }

    fn stewardship(&self, id: &ResourceId) -> Stewardship {
        let namespace = if is_namespace(id) {
            Some(&id.name)
        } else {
            id.namespace.as_ref()
        };
        if self.manage.covers(id) && !namespace.is_some_and(|namespace| self.observed_namespaces.contains(namespace)) {
            Stewardship::Managed
        } else {
            Stewardship::Observed
        }
    }

    /// Adds to what a manifest refers to what else it depends on.
    fn depend(&self, manifest: &mut Manifest, ids: &BTreeSet<ResourceId>) {
        let mut needs: BTreeSet<ResourceId> = std::mem::take(&mut manifest.depends_on).into_iter().collect();
        let id = &manifest.id;
        if let Some(namespace) = &id.namespace {
            let elsewhere = self.elsewhere.iter();
            needs.extend(
                ids.iter()
                    .chain(elsewhere)
                    .filter(|other| is_namespace(other) && other.name == *namespace)
                    .cloned(),
            );
        }
        let beside = |other: &&ResourceId| other.namespace == id.namespace && other.target == id.target;
        if id.group == HYPERSHIFT && id.kind == "HostedCluster" {
            let config = |other: &&ResourceId| other.group.is_empty() && matches!(&*other.kind, "Secret" | "ConfigMap");
            needs.extend(ids.iter().chain(&self.elsewhere).filter(beside).filter(config).cloned());
        }
        if id.group == HYPERSHIFT && id.kind == "NodePool" {
            let owner = |other: &&ResourceId| other.group == HYPERSHIFT && other.kind == "HostedCluster";
            needs.extend(ids.iter().filter(beside).filter(owner).cloned());
        }
        if machines::is_cluster_api(&id.group) {
            needs.extend(machines::needs(manifest, ids.iter().filter(beside)));
            needs.extend(self.cluster.and_then(|cluster| machines::class(id, cluster)));
        }
        manifest.depends_on = needs.into_iter().collect();
    }
}

/// Merges a cluster's raw patches over `spec`.
fn patch(body: &mut Map<String, Value>, cluster: &Cluster) {
    let Some(hosted) = cluster.hosted() else { return };
    if group(&string(body, "apiVersion")) != HYPERSHIFT {
        return;
    }
    let name = metadata(body, "name").unwrap_or_default();
    let patch = match string(body, "kind").as_str() {
        "HostedCluster" if name == cluster.object_name => Some(&hosted.hosted_cluster_patch),
        "NodePool" => {
            let pool = hosted.node_pools.values().find(|pool| pool.object_name == name);
            pool.map(|pool| &pool.node_pool_patch)
        }
        _ => None,
    };
    if let Some(Value::Object(patch)) = patch {
        let spec = body.entry("spec").or_insert_with(|| Value::Object(Map::new()));
        merge(spec, patch);
    }
}

/// Maps merge deeply, `null` removes, everything else replaces.
pub(crate) fn merge(into: &mut Value, patch: &Map<String, Value>) {
    if !into.is_object() {
        *into = Value::Object(Map::new());
    }
    let Some(map) = into.as_object_mut() else {
        return;
    };
    for (key, value) in patch {
        match value {
            Value::Null => drop(map.remove(key)),
            Value::Object(deeper) => merge(map.entry(key.clone()).or_insert(Value::Null), deeper),
            _ => drop(map.insert(key.clone(), value.clone())),
        }
    }
}

/// Whether an object is a Namespace.
pub(super) fn is_namespace(id: &ResourceId) -> bool {
    id.group.is_empty() && id.kind == "Namespace" && id.target != Target::Oci
}

fn submap<'a>(map: &'a mut Map<String, Value>, key: &str) -> Option<&'a mut Map<String, Value>> {
    let value = map.entry(key.to_owned()).or_insert(Value::Null);
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut()
}

fn string(map: &Map<String, Value>, key: &str) -> String {
    map.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn metadata(map: &Map<String, Value>, key: &str) -> Option<String> {
    map.get("metadata")?.get(key)?.as_str().map(str::to_owned)
}

fn group(api_version: &str) -> String {
    api_version.split_once('/').map_or("", |(group, _)| group).to_owned()
}

fn place(problem: Diagnostic, span: Option<Span>) -> Diagnostic {
    match span {
        Some(span) => problem.at(&span),
        None => problem,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_patch_merges_maps_replaces_lists_and_removes_by_null() {
        let mut spec = json!({"a": {"b": 1, "c": 2}, "list": [1, 2], "gone": {"x": 1}, "text": "t"});
        let patch =
            json!({"a": {"b": null, "d": {"e": null, "f": 3}}, "list": [3], "gone": null, "text": {"now": "map"}});
        merge(&mut spec, patch.as_object().unwrap());
        assert_eq!(
            spec,
            json!({"a": {"c": 2, "d": {"f": 3}}, "list": [3], "text": {"now": "map"}})
        );
    }
}
