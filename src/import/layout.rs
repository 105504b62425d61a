//! Drafts → the files of a fleet, with what they have in common in the layers above them, or without.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::draft::Draft;
use super::factor::{built_in, fill, lift, prune};
use super::hub::Hub;
use super::names::plain;
use super::network;
use super::profiles;
use super::yaml;

type Settings = Map<String, Value>;

/// Files by their paths.
pub(super) type Files = BTreeMap<String, String>;

/// What stands at the head of the first file.
const HEAD: &str = "# Written by `fleetwright import`; from here on it is yours.\n";

/// What the files are made of.
#[derive(Default)]
pub(super) struct Layout {
    fleet: String,
    waivers: Vec<Value>,
    defaults: Settings,
    hubs: BTreeMap<String, Settings>,
    environments: BTreeMap<String, Settings>,
    profiles: BTreeMap<String, Settings>,
    networks: BTreeMap<String, Settings>,
    /// By environment and name.
    clusters: BTreeMap<String, BTreeMap<String, Settings>>,
}

impl Layout {
    /// With everything at its own cluster.
    pub(super) fn flat(fleet: &str, hubs: &[&Hub<'_>], drafts: &[Draft<'_>], waivers: &[Value]) -> Self {
        let mut clusters: BTreeMap<String, BTreeMap<String, Settings>> = BTreeMap::new();
        for draft in drafts {
            let of_environment = clusters.entry(draft.environment.clone()).or_default();
            of_environment.insert(draft.name.clone(), draft.whole());
        }
        Self {
            fleet: fleet.to_owned(),
            waivers: waivers.to_vec(),
            hubs: hubs.iter().map(|hub| (hub.name.to_string(), hub.spec())).collect(),
            environments: clusters.keys().map(|name| (name.clone(), Settings::new())).collect(),
            clusters,
            ..Self::default()
        }
    }

    /// With what is common in the layers above.
    pub(super) fn factored(mut self, drafts: &[Draft<'_>]) -> Self {
        let built_in = built_in();
        let mut placed: Vec<(&Hub<'_>, &mut Settings)> = Vec::new();
        for (name, settings) in self.clusters.values_mut().flatten() {
            let draft = drafts.iter().find(|draft| draft.name == *name);
            placed.extend(draft.map(|draft| (draft.hub, settings)));
        }
        self.networks = network::share(&mut placed);
        let mut all: Vec<&mut Settings> = self.clusters.values_mut().flat_map(BTreeMap::values_mut).collect();
        self.profiles = profiles::extract(&mut all);
        all.iter_mut().for_each(|settings| fill(settings, &built_in));
        self.defaults = lift(&mut all);
        for (environment, clusters) in &mut self.clusters {
            let mut of_environment: Vec<&mut Settings> = clusters.values_mut().collect();
            if of_environment.len() > 1 {
                self.environments.insert(environment.clone(), lift(&mut of_environment));
            }
        }
        let clusters = self.clusters.values_mut().flat_map(BTreeMap::values_mut).collect();
        let environments = self.environments.values_mut().collect();
        prune(&mut [vec![&mut self.defaults], environments, clusters], &built_in);
        for settings in self.clusters.values_mut().flat_map(BTreeMap::values_mut) {
            profiles::shorten(settings);
        }
        self
    }

    /// As text.
    pub(super) fn files(&self) -> Files {
        let mut spec = Map::new();
        if !self.defaults.is_empty() {
            spec.insert("defaults".to_owned(), Value::Object(self.defaults.clone()));
        }
        if !self.waivers.is_empty() {
            spec.insert("waivers".to_owned(), Value::Array(self.waivers.clone()));
        }
        let mut first = vec![of_kind("Fleet", &self.fleet, &spec)];
        first.extend(all_of("ManagementCluster", &self.hubs));
        first.extend(all_of("Environment", &self.environments));
        let mut files = Files::from([("fleet.yaml".to_owned(), format!("{HEAD}{}", documents(&first)))]);
        if !self.profiles.is_empty() {
            let profiles: Vec<Value> = all_of("NodePoolProfile", &self.profiles).collect();
            files.insert("profiles.yaml".to_owned(), documents(&profiles));
        }
        if !self.networks.is_empty() {
            let networks: Vec<Value> = all_of("Network", &self.networks).collect();
            files.insert("networks.yaml".to_owned(), documents(&networks));
        }
        for (environment, clusters) in &self.clusters {
            let spec = json!({"environment": environment, "clusters": clusters});
            let document = json!({"kind": "Clusters", "spec": spec});
            files.insert(format!("clusters/{}.yaml", plain(environment)), documents(&[document]));
        }
        files
    }
}

impl Draft<'_> {
    /// Its settings with its patches in them.
    fn whole(&self) -> Settings {
        let mut settings = self.settings.clone();
        if !self.patch.is_empty() {
            settings.insert("hostedCluster".to_owned(), Value::Object(self.patch.clone()));
        }
        let mut pools = settings.get_mut("pools").and_then(Value::as_object_mut);
        for (name, patch) in &self.pool_patches {
            let pool = pools.as_mut().and_then(|pools| pools.get_mut(name)?.as_object_mut());
            if let Some(pool) = pool {
                pool.insert("nodePool".to_owned(), Value::Object(patch.clone()));
            }
        }
        settings
    }
}

fn of_kind(kind: &str, name: &str, spec: &Settings) -> Value {
    json!({"kind": kind, "metadata": {"name": name}, "spec": spec})
}

fn all_of<'a>(kind: &'a str, specs: &'a BTreeMap<String, Settings>) -> impl Iterator<Item = Value> + 'a {
    specs.iter().map(move |(name, spec)| of_kind(kind, name, spec))
}

fn documents(all: &[Value]) -> String {
    let texts: Vec<String> = all.iter().map(yaml::document).collect();
    texts.join("---\n")
}
