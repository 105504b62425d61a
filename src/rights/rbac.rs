//! Rights as the RBAC documents that give them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::kubernetes::{Grant, Verb};
use crate::resource::FleetName;

/// A service account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// What is not `namespace/name`.
#[derive(Debug, thiserror::Error)]
#[error("expected NAMESPACE/NAME")]
pub struct AccountError;

impl std::str::FromStr for Account {
    type Err = AccountError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (namespace, name) = text.split_once('/').ok_or(AccountError)?;
        if namespace.is_empty() || name.is_empty() || name.contains('/') {
            return Err(AccountError);
        }
        Ok(Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        })
    }
}

/// The name of a fleet's roles: one for looking, one for keeping, so that both can stand side by side.
pub fn role_name(fleet: &FleetName, purpose: super::kubernetes::Purpose) -> String {
    use super::kubernetes::Purpose;
    match purpose {
        Purpose::Keep => format!("fleetwright-{fleet}"),
        Purpose::Look => format!("fleetwright-{fleet}-read-only"),
    }
}

/// A ClusterRole for what is anywhere, a Role for each namespace that is known, and their bindings.
pub fn documents(grants: &BTreeSet<Grant>, role: &str, account: &Account) -> Vec<Value> {
    let mut documents = Vec::new();
    let mut places: BTreeMap<Option<&str>, Vec<&Grant>> = BTreeMap::new();
    for grant in grants {
        let place = match grant {
            Grant::Resource { namespace, .. } => namespace.as_deref(),
            Grant::Path(_) => None,
        };
        places.entry(place).or_default().push(grant);
    }
    for (namespace, grants) in places {
        let (kind, binding) = match namespace {
            None => ("ClusterRole", "ClusterRoleBinding"),
            Some(_) => ("Role", "RoleBinding"),
        };
        let mut metadata = json!({
            "name": role,
            "labels": {"app.kubernetes.io/name": "fleetwright", "app.kubernetes.io/component": "rights"},
        });
        if let Some(namespace) = namespace {
            metadata["namespace"] = Value::from(namespace);
        }
        documents.push(json!({
            "apiVersion": API, "kind": kind, "metadata": metadata, "rules": rules(&grants),
        }));
        documents.push(json!({
            "apiVersion": API, "kind": binding, "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
            "subjects": [{"kind": "ServiceAccount", "namespace": account.namespace, "name": account.name}],
        }));
    }
    documents
}

/// The specification of a SelfSubjectAccessReview that asks for a right.
pub fn question(grant: &Grant) -> Value {
    match grant {
        Grant::Path(path) => json!({"nonResourceAttributes": {"path": path, "verb": grant.verb()}}),
        Grant::Resource {
            namespace,
            group,
            resource,
            name,
            ..
        } => {
            let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
            json!({"resourceAttributes": {
                "namespace": namespace.as_deref().unwrap_or_default(), "group": group, "resource": resource,
                "subresource": subresource, "name": name.as_deref().unwrap_or_default(), "verb": grant.verb(),
            }})
        }
    }
}

/// What a right is on, in words: `secrets pull-secret in namespace a`.
pub fn phrase(grant: &Grant) -> String {
    match grant {
        Grant::Path(path) => path.clone(),
        Grant::Resource {
            namespace,
            group,
            resource,
            name,
            ..
        } => {
            let mut text = resource.clone();
            if !group.is_empty() {
                text = format!("{text}.{group}");
            }
            if let Some(name) = name {
                text = format!("{text} {name}");
            }
            match namespace {
                Some(namespace) => format!("{text} in namespace {namespace}"),
                None => text,
            }
        }
    }
}

const API: &str = "rbac.authorization.k8s.io/v1";

/// As few rules as say the same: resources of a group that are used alike share one.
fn rules(grants: &[&Grant]) -> Vec<Value> {
    type Named<'a> = BTreeMap<(&'a str, &'a str, Option<&'a str>), BTreeSet<Verb>>;
    let mut verbs = Named::new();
    let mut paths = Vec::new();
    for grant in grants {
        match grant {
            Grant::Resource {
                group,
                resource,
                name,
                verb,
                ..
            } => {
                let key = (group.as_str(), resource.as_str(), name.as_deref());
                verbs.entry(key).or_default().insert(*verb);
            }
            Grant::Path(path) => paths.push(path.as_str()),
        }
    }
    // By name first, so that one rule has all names that are used alike, then all resources.
    let mut names: BTreeMap<(&str, &str, BTreeSet<Verb>, bool), Vec<&str>> = BTreeMap::new();
    for ((group, resource, name), verbs) in verbs {
        names
            .entry((group, resource, verbs, name.is_some()))
            .or_default()
            .extend(name);
    }
    type Like<'a> = (&'a str, BTreeSet<Verb>, Vec<&'a str>);
    let mut rules: BTreeMap<Like<'_>, Vec<&str>> = BTreeMap::new();
    for ((group, resource, verbs, _), names) in names {
        rules.entry((group, verbs, names)).or_default().push(resource);
    }
    let mut documents: Vec<Value> = rules
        .into_iter()
        .map(|((group, verbs, names), resources)| {
            let verbs: Vec<&str> = verbs.into_iter().map(Verb::name).collect();
            let mut rule = json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
            if !names.is_empty() {
                rule["resourceNames"] = names.into();
            }
            rule
        })
        .collect();
    if !paths.is_empty() {
        documents.push(json!({"nonResourceURLs": paths, "verbs": ["get"]}));
    }
    documents
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(namespace: Option<&str>, resource: &str, name: Option<&str>, verb: Verb) -> Grant {
        Grant::Resource {
            namespace: namespace.map(str::to_owned),
            group: String::new(),
            resource: resource.to_owned(),
            name: name.map(str::to_owned),
            verb,
        }
    }

    #[test]
    fn what_is_used_alike_shares_a_rule_and_a_name_stays_with_its_verbs() {
        let grants = BTreeSet::from([
            grant(None, "configmaps", None, Verb::Get),
            grant(None, "namespaces", None, Verb::Get),
            grant(None, "namespaces", None, Verb::List),
            grant(None, "secrets", Some("a"), Verb::Get),
            grant(None, "secrets", Some("b"), Verb::Get),
            grant(None, "secrets", Some("c"), Verb::Delete),
            grant(None, "services", None, Verb::Get),
            grant(Some("n"), "secrets", Some("d"), Verb::Get),
            Grant::Path("/api".to_owned()),
        ]);
        let account: Account = "home/me".parse().unwrap();
        let documents = documents(&grants, "role", &account);
        let kinds: Vec<&str> = documents.iter().filter_map(|d| d["kind"].as_str()).collect();
        assert_eq!(kinds, ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]);
        assert_eq!(
            documents[0]["rules"],
            json!([
                {"apiGroups": [""], "resources": ["configmaps", "services"], "verbs": ["get"]},
                {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["a", "b"]},
                {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "list"]},
                {"apiGroups": [""], "resources": ["secrets"], "verbs": ["delete"], "resourceNames": ["c"]},
                {"nonResourceURLs": ["/api"], "verbs": ["get"]},
            ])
        );
        assert_eq!(documents[2]["metadata"]["namespace"], "n");
        assert_eq!(
            documents[3]["subjects"],
            json!([{"kind": "ServiceAccount", "namespace": "home", "name": "me"}])
        );
    }

    #[test]
    fn an_account_is_a_namespace_and_a_name() {
        for wrong in ["", "a", "/a", "a/", "a/b/c"] {
            assert!(wrong.parse::<Account>().is_err(), "{wrong}");
        }
    }
}
