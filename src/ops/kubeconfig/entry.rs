//! Kubeconfigs as documents: one cluster's under a name of its own, and its way into a file with others.
//!
//! Invariant: pure; what others wrote into a file stays as it is.

use serde_yaml::{Mapping, Value};

use crate::resource::Secret;

/// Why a kubeconfig can't be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum KubeconfigError {
    /// It is no YAML, or not of this form; what the parser says might quote it.
    #[error("it is no kubeconfig")]
    Form,
    /// It names no context, or one that is not there.
    #[error("it has no context that could be used")]
    Context,
    /// The file has an entry of that name that leads elsewhere.
    #[error(
        "there is a {kind} `{name}` already, which leads elsewhere: --overwrite replaces it, --name gives another name"
    )]
    Taken {
        /// `cluster`, `user`, `context`.
        kind: &'static str,
        /// The name.
        name: String,
    },
}

/// The kinds of entries: the list, and the key of what an entry holds.
const KINDS: [(&str, &str); 3] = [("clusters", "cluster"), ("users", "user"), ("contexts", "context")];

/// One cluster, one user and one context, all of the same name.
#[derive(Clone)]
pub struct Entry {
    name: String,
    /// What the entries hold, in the order of [`KINDS`].
    held: [Value; 3],
}

fn parse(text: &str) -> Result<Mapping, KubeconfigError> {
    match serde_yaml::from_str(text) {
        Ok(Value::Mapping(config)) => Ok(config),
        Ok(Value::Null) => Ok(Mapping::new()),
        Ok(_) | Err(_) => Err(KubeconfigError::Form),
    }
}

/// What the entry of a name holds.
fn find<'a>(config: &'a Mapping, (list, key): (&str, &str), name: &str) -> Option<&'a Value> {
    let entries = config.get(list)?.as_sequence()?;
    let entry = entries
        .iter()
        .find(|entry| entry.get("name").and_then(Value::as_str) == Some(name))?;
    entry.get(key)
}

impl Entry {
    /// The cluster to which a kubeconfig leads by itself, under another name.
    ///
    /// # Errors
    /// Where it leads nowhere.
    pub fn read(text: &Secret, name: &str) -> Result<Self, KubeconfigError> {
        let config = parse(text.expose())?;
        let [clusters, users, contexts] = KINDS;
        let only = || {
            let entries = config.get(contexts.0)?.as_sequence()?;
            entries.first().filter(|_| entries.len() == 1)?.get("name")?.as_str()
        };
        let current = config.get("current-context").and_then(Value::as_str);
        let current = current.filter(|current| !current.is_empty()).or_else(only);
        let context = current.and_then(|current| find(&config, contexts, current));
        let context = context.ok_or(KubeconfigError::Context)?;
        let named = |kind: (&str, &str)| {
            let name = context.get(kind.1).and_then(Value::as_str)?;
            find(&config, kind, name).cloned()
        };
        let (Some(cluster), Some(user)) = (named(clusters), named(users)) else {
            return Err(KubeconfigError::Context);
        };
        let mut renamed = context.as_mapping().cloned().unwrap_or_default();
        renamed.insert("cluster".into(), name.into());
        renamed.insert("user".into(), name.into());
        Ok(Self {
            name: name.to_owned(),
            held: [cluster, user, Value::Mapping(renamed)],
        })
    }

    /// A file of this alone.
    ///
    /// # Errors
    /// Where it can't be written down.
    pub fn alone(&self) -> Result<Secret, KubeconfigError> {
        let mut config = Mapping::new();
        self.put(&mut config);
        config.insert("current-context".into(), self.name.as_str().into());
        written(&config)
    }

    /// A file's text with this in it. An entry of the name that leads to the same server is replaced, another only where
    /// that is wanted.
    ///
    /// # Errors
    /// Where the file is no kubeconfig, or has another entry of that name.
    pub fn merged(&self, file: &Secret, overwrite: bool) -> Result<Secret, KubeconfigError> {
        let mut config = parse(file.expose())?;
        let [clusters, ..] = KINDS;
        let server = |cluster: &Value| cluster.get("server").cloned();
        let same = find(&config, clusters, &self.name).map(server) == self.held.first().map(server);
        if !overwrite && !same {
            for kind in KINDS {
                if find(&config, kind, &self.name).is_some() {
                    return Err(KubeconfigError::Taken {
                        kind: kind.1,
                        name: self.name.clone(),
                    });
                }
            }
        }
        self.put(&mut config);
        written(&config)
    }

    fn put(&self, config: &mut Mapping) {
        for (key, value) in [("apiVersion", "v1"), ("kind", "Config")] {
            config.entry(key.into()).or_insert_with(|| value.into());
        }
        for ((list, key), held) in KINDS.into_iter().zip(&self.held) {
            let mut entry = Mapping::new();
            entry.insert("name".into(), self.name.as_str().into());
            entry.insert(key.into(), held.clone());
            let entries = config.entry(list.into()).or_insert_with(|| Value::Sequence(Vec::new()));
            // An empty list may stand there as null.
            if entries.is_null() {
                *entries = Value::Sequence(Vec::new());
            }
            let Some(entries) = entries.as_sequence_mut() else {
                continue;
            };
            let of_name = |entry: &Value| entry.get("name").and_then(Value::as_str) == Some(self.name.as_str());
            match entries.iter_mut().find(|entry| of_name(entry)) {
                Some(there) => *there = Value::Mapping(entry),
                None => entries.push(Value::Mapping(entry)),
            }
        }
    }
}

fn written(config: &Mapping) -> Result<Secret, KubeconfigError> {
    serde_yaml::to_string(config)
        .map(Secret::unremembered)
        .map_err(|_| KubeconfigError::Form)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADMIN: &str = "
apiVersion: v1
kind: Config
clusters: [{name: cluster, cluster: {server: 'https://a:6443', certificate-authority-data: Q0E=}}]
users: [{name: admin, user: {client-key-data: S0VZ}}]
contexts: [{name: admin, context: {cluster: cluster, user: admin, namespace: default}}]
current-context: admin
";

    fn entry(name: &str) -> Entry {
        Entry::read(&Secret::new(ADMIN), name).unwrap()
    }

    fn names(text: &Secret, list: &str) -> Vec<String> {
        let config = parse(text.expose()).unwrap();
        let entries = config[list].as_sequence().unwrap().iter();
        entries
            .map(|entry| entry["name"].as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn a_cluster_is_known_by_its_own_name() {
        let alone = entry("orders").alone().unwrap();
        for list in ["clusters", "users", "contexts"] {
            assert_eq!(names(&alone, list), ["orders"]);
        }
        let config = parse(alone.expose()).unwrap();
        let context = &config["contexts"][0]["context"];
        assert_eq!(context["cluster"], "orders");
        assert_eq!(context["namespace"], "default");
        assert_eq!(config["current-context"], "orders");
    }

    #[test]
    fn what_others_wrote_into_a_file_stays() {
        let file = "kind: Config\npreferences: {colors: true}\ncurrent-context: mine\nusers: null\n\
            clusters: [{name: mine, cluster: {server: 'https://mine'}}]\nextensions: [{name: x}]\n";
        let merged = entry("orders").merged(&Secret::new(file), false).unwrap();
        assert_eq!(names(&merged, "clusters"), ["mine", "orders"]);
        assert_eq!(names(&merged, "users"), ["orders"]);
        let config = parse(merged.expose()).unwrap();
        assert_eq!(config["current-context"], "mine");
        assert_eq!(config["preferences"]["colors"], true);
        assert_eq!(config["extensions"][0]["name"], "x");
        // Once more: new credentials for the same server take the place of the old.
        let again = entry("orders").merged(&merged, false).unwrap();
        assert_eq!(again, merged);
    }

    #[test]
    fn an_entry_that_leads_elsewhere_is_not_replaced_unasked() {
        let file = Secret::new("clusters: [{name: orders, cluster: {server: 'https://other'}}]\n");
        let refused = entry("orders").merged(&file, false).map(drop);
        assert!(
            matches!(refused, Err(KubeconfigError::Taken { kind: "cluster", .. })),
            "{refused:?}"
        );
        let merged = entry("orders").merged(&file, true).unwrap();
        assert!(merged.expose().contains("https://a:6443") && !merged.expose().contains("https://other"));
        let user = Secret::new("users: [{name: orders, user: {token: t}}]\n");
        let refused = entry("orders").merged(&user, false).map(drop);
        assert!(
            matches!(refused, Err(KubeconfigError::Taken { kind: "user", .. })),
            "{refused:?}"
        );
    }

    #[test]
    fn what_leads_nowhere_is_refused_without_a_word_of_it() {
        let read = |text: &str| Entry::read(&Secret::new(text), "a").map(drop).unwrap_err();
        assert_eq!(read("]: hunter2"), KubeconfigError::Form);
        assert_eq!(read("hunter2"), KubeconfigError::Form);
        assert_eq!(read(""), KubeconfigError::Context);
        assert_eq!(
            read(&ADMIN.replace("current-context: admin", "current-context: x")),
            KubeconfigError::Context
        );
        assert_eq!(
            read(&ADMIN.replace("users: [{name: admin", "users: [{name: other")),
            KubeconfigError::Context
        );
        assert!(
            Entry::read(&Secret::new(ADMIN.replace("current-context: admin", "")), "a").is_ok(),
            "the only one"
        );
    }
}
