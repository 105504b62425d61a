//! Rights one by one, and the roles that give them.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::e2e::{list, text};
use crate::support::Login;

fn documents(text: &str) -> Vec<Value> {
    serde_yaml::Deserializer::from_str(text)
        .map(|document| Value::deserialize(document).expect("YAML"))
        .collect()
}

/// One right, as RBAC has it: a rule of one verb on one resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Right {
    namespace: Option<String>,
    group: String,
    pub(super) resource: String,
    name: Option<String>,
    pub(super) verb: String,
}

impl Right {
    pub(super) fn is(&self, resource: &str, verb: &str) -> bool {
        self.resource == resource && self.verb == verb
    }

    /// Whether it is on one object alone, of this name.
    pub(super) fn is_on(&self, name: &str) -> bool {
        self.name.as_deref() == Some(name)
    }

    fn rule(&self) -> Value {
        if self.resource.starts_with('/') {
            return json!({"nonResourceURLs": [self.resource], "verbs": [self.verb]});
        }
        let mut rule = json!({"apiGroups": [self.group], "resources": [self.resource], "verbs": [self.verb]});
        if let Some(name) = &self.name {
            rule["resourceNames"] = json!([name]);
        }
        rule
    }

    /// Asks whether a user has it.
    pub(super) fn question(&self, user: &str) -> Value {
        let mut spec = json!({"user": user});
        if self.resource.starts_with('/') {
            spec["nonResourceAttributes"] = json!({"path": self.resource, "verb": self.verb});
        } else {
            let (resource, below) = self.resource.split_once('/').unwrap_or((&self.resource, ""));
            spec["resourceAttributes"] = json!({"group": self.group, "resource": resource, "subresource": below, "verb": self.verb,
                "namespace": self.namespace.as_deref().unwrap_or_default(), "name": self.name.as_deref().unwrap_or_default()});
        }
        json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec})
    }
}

/// What printed roles come to.
pub(super) fn rights(printed: &str) -> Vec<Right> {
    let mut rights = BTreeSet::new();
    let strings = |value: &Value| -> Vec<String> {
        value
            .as_array()
            .map_or_else(Vec::new, |all| all.iter().map(text).collect())
    };
    for role in documents(printed).iter().filter(|d| d["rules"].is_array()) {
        for rule in list(&role["rules"]) {
            let resources = [strings(&rule["resources"]), strings(&rule["nonResourceURLs"])].concat();
            let groups = strings(&rule["apiGroups"]);
            let mut names: Vec<Option<String>> = strings(&rule["resourceNames"]).into_iter().map(Some).collect();
            if names.is_empty() {
                names.push(None);
            }
            for (resource, name) in resources.iter().flat_map(|r| names.iter().map(move |n| (r, n))) {
                for verb in strings(&rule["verbs"]) {
                    rights.insert(Right {
                        namespace: role["metadata"]["namespace"].as_str().map(str::to_owned),
                        group: groups.first().cloned().unwrap_or_default(),
                        resource: resource.clone(),
                        name: name.clone(),
                        verb,
                    });
                }
            }
        }
    }
    rights.into_iter().collect()
}

/// Roles and bindings that give a user just these.
pub(super) fn bound(user: &str, rights: &[&Right]) -> Vec<Value> {
    let places: BTreeSet<&Option<String>> = rights.iter().map(|right| &right.namespace).collect();
    let place = |namespace: &Option<String>| {
        let rules: Vec<Value> = rights
            .iter()
            .filter(|right| right.namespace == *namespace)
            .map(|right| right.rule())
            .collect();
        let kind = if namespace.is_some() { "Role" } else { "ClusterRole" };
        let metadata = json!({"name": user, "namespace": namespace});
        let api = "rbac.authorization.k8s.io/v1";
        [
            json!({"apiVersion": api, "kind": kind, "metadata": metadata, "rules": rules}),
            json!({"apiVersion": api, "kind": format!("{kind}Binding"), "metadata": metadata,
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": user},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}]}),
        ]
    };
    places.into_iter().flat_map(place).collect()
}

pub(super) fn create(login: &Login, documents: &[Value], more: &[&str]) -> String {
    let all: String = documents.iter().fold(String::new(), |mut all, document| {
        writeln!(all, "---\n{document}").expect("a line");
        all
    });
    let args = [&["create", "--validate=false", "-f", "-"], more].concat();
    login.kubectl_in(&args, &all)
}

/// Waits until the server goes by what it was told: it hears of its own rules with a delay.
pub(super) fn takes_effect(login: &Login, questions: &[(Value, bool)]) {
    let all: Vec<Value> = questions.iter().map(|(question, _)| question.clone()).collect();
    let expected: Vec<String> = questions.iter().map(|(_, answer)| answer.to_string()).collect();
    let form = ["-o", "jsonpath={.status.allowed}{\"\\n\"}"];
    for _ in 0..600 {
        let answers = create(login, &all, &form);
        if answers.lines().eq(expected.iter().map(String::as_str)) {
            return;
        }
    }
    panic!("the rules have not taken effect");
}
