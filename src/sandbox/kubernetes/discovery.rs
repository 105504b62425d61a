//! What is served: aggregated discovery, the older documents that it replaces, and the server's version.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::kind::{Kind, Version};
use crate::schema::Origin;

/// The release whose behaviour is followed.
pub(super) const VERSION: &str = "v1.36.3";

/// Groups of requests that are answered and never stored.
const REVIEWS: [(&str, &[(&str, &str)]); 2] = [
    ("authentication.k8s.io", &[("selfsubjectreviews", "SelfSubjectReview")]),
    (
        "authorization.k8s.io",
        &[
            ("selfsubjectaccessreviews", "SelfSubjectAccessReview"),
            ("selfsubjectrulesreviews", "SelfSubjectRulesReview"),
        ],
    ),
];

/// `/version`
pub(super) fn version() -> Value {
    json!({"major": "1", "minor": "36", "emulationMajor": "1", "emulationMinor": "36", "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "35", "gitVersion": VERSION, "gitCommit": "", "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "", "platform": "linux/amd64"})
}

/// A group's versions, the preferred one first, each with its kinds.
type Groups<'a> = Vec<(&'a str, Vec<(&'a str, Served<'a>)>)>;

/// The kinds of one version.
type Served<'a> = Vec<(&'a Kind, &'a Version)>;

fn groups(kinds: &[Arc<Kind>]) -> Groups<'_> {
    let mut groups: BTreeMap<&str, BTreeMap<&str, Served<'_>>> = BTreeMap::new();
    for kind in kinds {
        for version in kind.versions.iter().filter(|version| version.served) {
            let versions = groups.entry(&kind.name.group).or_default();
            versions.entry(&version.name).or_default().push((kind, version));
        }
    }
    for (group, _) in REVIEWS {
        groups.entry(group).or_default().entry("v1").or_default();
    }
    let ordered = groups.into_iter().map(|(group, versions)| {
        let mut versions: Vec<_> = versions.into_iter().collect();
        versions.sort_by(|a, b| priority(b.0).cmp(&priority(a.0)).then_with(|| a.0.cmp(b.0)));
        (group, versions)
    });
    ordered.collect()
}

/// Stable before beta before alpha, then the higher number.
pub(super) fn priority(version: &str) -> (u8, u64, u64) {
    let parsed = || {
        let rest = version.strip_prefix('v')?;
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (major, rest) = rest.split_at_checked(end)?;
        let major: u64 = major.parse().ok()?;
        Some(match rest {
            "" => (3, major, 0),
            _ => match (rest.strip_prefix("beta"), rest.strip_prefix("alpha")) {
                (Some(minor), _) => (2, major, minor.parse().ok()?),
                (_, Some(minor)) => (1, major, minor.parse().ok()?),
                _ => return None,
            },
        })
    };
    parsed().unwrap_or_default()
}

fn reviews(group: &str) -> &'static [(&'static str, &'static str)] {
    REVIEWS
        .iter()
        .find(|(known, _)| *known == group)
        .map_or(&[], |(_, reviews)| reviews)
}

/// `/api` or `/apis` in the aggregated form.
pub(super) fn aggregated(kinds: &[Arc<Kind>], core: bool, version: &str) -> Value {
    let items = groups(kinds).into_iter().filter(|(group, _)| group.is_empty() == core);
    let items = items.map(|(group, versions)| {
        let versions = versions.into_iter().map(|(version, kinds)| {
            let mut resources: Vec<Value> = kinds.iter().map(|(kind, at)| resource(kind, at)).collect();
            resources.extend(reviews(group).iter().map(|(plural, kind)| {
                json!({"resource": plural, "responseKind": {"group": "", "version": "", "kind": kind},
                    "scope": "Cluster", "singularResource": kind.to_lowercase(), "verbs": ["create"]})
            }));
            json!({"version": version, "resources": resources, "freshness": "Current"})
        });
        let metadata = if core { json!({}) } else { json!({"name": group}) };
        json!({"metadata": metadata, "versions": versions.collect::<Vec<_>>()})
    });
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": format!("apidiscovery.k8s.io/{version}"), "metadata": {},
        "items": items.collect::<Vec<_>>()})
}

fn resource(kind: &Kind, version: &Version) -> Value {
    // Kinds of the server itself leave out the group and version that they are listed under; custom ones do not.
    let response = |name: &str| match kind.origin {
        Origin::BuiltIn => json!({"group": "", "version": "", "kind": name}),
        Origin::Custom => json!({"group": kind.name.group, "version": version.name, "kind": name}),
    };
    let mut resource = json!({"resource": kind.name.plural, "responseKind": response(&kind.kind),
        "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": kind.singular, "verbs": kind.verbs()});
    if !kind.short.is_empty() {
        resource["shortNames"] = json!(kind.short);
    }
    if !kind.categories.is_empty() {
        resource["categories"] = json!(kind.categories);
    }
    let subresources: Vec<Value> = subresources(kind, version)
        .into_iter()
        .map(|(name, verbs)| match name {
            "scale" => json!({"subresource": name, "verbs": verbs,
                "responseKind": {"group": "autoscaling", "version": "v1", "kind": "Scale"}}),
            _ => json!({"subresource": name, "verbs": verbs, "responseKind": response(&kind.kind)}),
        })
        .collect();
    if !subresources.is_empty() {
        resource["subresources"] = Value::Array(subresources);
    }
    resource
}

fn subresources(kind: &Kind, version: &Version) -> Vec<(&'static str, &'static [&'static str])> {
    let mut all: Vec<(&str, &[&str])> = Vec::new();
    if kind.is("", "namespaces") {
        all.push(("finalize", &["update"]));
    }
    if version.status {
        all.push(("status", &["get", "patch", "update"]));
    }
    if version.scale.is_some() {
        all.push(("scale", &["get", "patch", "update"]));
    }
    all
}

/// `/api`
pub(super) fn api_versions() -> Value {
    json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})
}

/// `/apis`
pub(super) fn group_list(kinds: &[Arc<Kind>]) -> Value {
    let groups = groups(kinds);
    let named = groups.iter().filter(|(group, _)| !group.is_empty());
    let all: Vec<Value> = named.map(|(group, versions)| group_entry(group, versions)).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": all})
}

/// `/apis/<group>`
pub(super) fn group(kinds: &[Arc<Kind>], wanted: &str) -> Option<Value> {
    let groups = groups(kinds);
    let (group, versions) = groups.iter().find(|(group, _)| *group == wanted && !group.is_empty())?;
    let mut entry = group_entry(group, versions);
    entry["kind"] = Value::from("APIGroup");
    entry["apiVersion"] = Value::from("v1");
    Some(entry)
}

fn group_entry(group: &str, versions: &[(&str, Vec<(&Kind, &Version)>)]) -> Value {
    let entry = |version: &str| json!({"groupVersion": format!("{group}/{version}"), "version": version});
    let all: Vec<Value> = versions.iter().map(|(version, _)| entry(version)).collect();
    json!({"name": group, "versions": all, "preferredVersion": versions.first().map(|(version, _)| entry(version))})
}

/// `/api/v1`, `/apis/<group>/<version>`
pub(super) fn resource_list(kinds: &[Arc<Kind>], group: &str, version: &str) -> Option<Value> {
    let groups = groups(kinds);
    let (_, versions) = groups.iter().find(|(name, _)| *name == group)?;
    let (_, here) = versions.iter().find(|(name, _)| *name == version)?;
    let mut resources = Vec::new();
    for (kind, version) in here {
        let mut entry = json!({"name": kind.name.plural, "singularName": kind.singular,
            "namespaced": kind.namespaced, "kind": kind.kind, "verbs": kind.verbs()});
        if !kind.short.is_empty() {
            entry["shortNames"] = json!(kind.short);
        }
        if !kind.categories.is_empty() {
            entry["categories"] = json!(kind.categories);
        }
        resources.push(entry);
        for (name, verbs) in subresources(kind, version) {
            let mut entry = json!({"name": format!("{}/{name}", kind.name.plural), "singularName": "",
                "namespaced": kind.namespaced, "kind": kind.kind, "verbs": verbs});
            if name == "scale" {
                entry["kind"] = Value::from("Scale");
                entry["group"] = Value::from("autoscaling");
                entry["version"] = Value::from("v1");
            }
            resources.push(entry);
        }
    }
    resources.extend(reviews(group).iter().map(|(plural, kind)| {
        json!({"name": plural, "singularName": kind.to_lowercase(), "namespaced": false, "kind": kind, "verbs": ["create"]})
    }));
    let mut list = Map::new();
    let group_version = if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    };
    list.insert("kind".to_owned(), Value::from("APIResourceList"));
    list.insert("apiVersion".to_owned(), Value::from("v1"));
    list.insert("groupVersion".to_owned(), Value::from(group_version));
    list.insert("resources".to_owned(), Value::Array(resources));
    Some(Value::Object(list))
}
