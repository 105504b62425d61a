//! One cluster: layers → settings → the model, with everything derived that can be.
//!
//! Invariant: what is wrong here is about this cluster alone.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::addresses::Taken;
use super::cluster_network::own_balancer;
use super::decode::decode;
use super::endpoint;
use super::existing::Around;
use super::index::{Declared, Index, STRUCTURE, base_layers, flatten};
use super::kind::Kind;
use super::layers::merge;
use super::load::Loaded;
use super::lock::{Identities, LockedCluster};
use super::model::{self, Etcd, SecretUse};
use super::networks::{self, Networks};
use super::node::{Node, Yaml};
use super::ocid::{self, Expected};
use super::placement::{self, Load};
use super::pools;
use super::problems::Problems;
use super::release;
use super::rules;
use super::services;
use super::shared::{self, Management};
use super::spec::{self, Settings};
use super::waivers::Waivers;
use crate::diag::{Code, Diagnostic, Typed};
use crate::resource::{ClusterName, EnvironmentName, FleetUid};

/// What networks and clusters are resolved with.
#[derive(Clone, Copy)]
pub(super) struct Common<'a> {
    pub(super) spec: &'a spec::FleetSpec,
    pub(super) compartments: &'a BTreeMap<String, String>,
    pub(super) management: &'a Management,
    pub(super) uid: &'a FleetUid,
}

/// Resolves one cluster after another.
pub(super) struct Resolver<'a, 'b> {
    pub(super) loaded: &'a Loaded,
    pub(super) index: &'b Index<'a>,
    pub(super) common: Common<'b>,
    pub(super) networks: &'b Networks,
    pub(super) waivers: &'b Waivers,
    pub(super) now: jiff::Timestamp,
    pub(super) taken: &'b mut Taken,
    pub(super) load: Load,
    pub(super) identities: Identities,
    /// Clusters whose file of the lock can't be read.
    pub(super) lock_unreadable: BTreeSet<String>,
    /// Whether a rename can't be followed, so that a cluster without a pin may be the one meant.
    pub(super) hold_new: bool,
    /// What clusters of one environment and region have in common, merged.
    pub(super) bases: BTreeMap<(String, String), Node>,
}

/// What came of one cluster.
pub(super) struct Outcome {
    pub(super) cluster: Option<Box<model::Cluster>>,
    /// What to pin; none for a cluster with an error, so that a pin it has stays as it is.
    pub(super) pin: Option<LockedCluster>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// A cluster's settings: typed, and with places.
pub(super) struct Merged {
    pub(super) settings: Settings,
    /// The same, without `pools`.
    pub(super) node: Node,
    /// Its pools by name.
    pub(super) pools: Vec<super::node::Entry>,
}

impl<'a> Resolver<'a, '_> {
    /// Resolves one.
    pub(super) fn cluster(&mut self, declared: &Declared<'a>, pin: Option<&LockedCluster>) -> Outcome {
        let mut problems = Problems::new(&self.loaded.files, self.waivers, Some(declared.name));
        let mut pin = pin.cloned();
        // What an error elsewhere holds up says nothing itself: the error does.
        let held = declared.broken
            || self.index.good_fleet().is_none()
            || self.lock_unreadable.contains(declared.name)
            || (self.hold_new && pin.is_none());
        let found = if held {
            None
        } else {
            self.resolve(declared, &mut pin, &mut problems)
        };
        let cluster = found.filter(|_| !problems.failed()).map(Box::new);
        Outcome {
            pin: pin.filter(|_| cluster.is_some()),
            cluster,
            diagnostics: problems.found,
        }
    }

    fn resolve(
        &mut self,
        declared: &Declared<'a>,
        pin: &mut Option<LockedCluster>,
        problems: &mut Problems<'_>,
    ) -> Option<model::Cluster> {
        let environment = self.environment(declared, problems)?;
        let region_node = declared.region(self.index);
        let merged = self.merged(declared, (environment, region_node), problems)?;
        let settings = &merged.settings;
        let node = &merged.node;

        let region = match (&settings.region, &settings.management_cluster) {
            (Some(region), _) => region.clone(),
            (None, Some(name)) => {
                let there = self
                    .common
                    .management
                    .values()
                    .find(|manager| manager.model.name.as_str() == name);
                there?.model.region.clone()
            }
            (None, None) => {
                let message = format!("cluster `{}` has no `region`", declared.name);
                let hint = "set it here, in its environment, or in `defaults` of the `Fleet` document";
                problems.add(Diagnostic::new(Code::MissingKey, message).hint(hint), declared.place);
                return None;
            }
        };
        if let Some(node) = node.get("region") {
            shared::known_region(node, problems);
            if problems.failed() {
                return None;
            }
        }
        let typed = node.get("managementCluster");
        let wish = placement::Wish {
            cluster: declared.name,
            environment: &environment.name,
            region: &region,
            typed: typed.and_then(|node| Some((node.as_str()?, node.place))),
            pinned: pin.as_ref(),
            place: declared.place,
        };
        let manager = placement::find(wish, self.common.management, &mut self.load, problems)?;
        let pin = pin.get_or_insert_with(|| {
            let (id, object_name) = self.identities.first(self.common.uid, "cluster", declared.name);
            LockedCluster {
                id,
                object_name,
                management_cluster: manager.model.name.clone(),
                addresses: None,
                releases: BTreeMap::new(),
            }
        });
        pin.management_cluster.clone_from(&manager.model.name);

        let tenancy = settings.tenancy.as_ref().map(|text| {
            let expected = Expected {
                key: "tenancy",
                kinds: &["tenancy"],
                region: Some(&region),
            };
            let place = node.get("tenancy").map_or(declared.place, |node| node.place);
            ocid::check(text, expected, place, problems)
        });
        let within = (region.as_str(), tenancy.as_ref());
        let compartment = self.common.compartment(node.get("compartment"), within, problems);
        let around = Around {
            region: &region,
            tenancy: tenancy.as_ref(),
            compartment: compartment.as_ref(),
        };
        let network = self.network(&merged, (declared, around), (pin, manager), problems)?;
        let release = release::control_plane(&merged, (self.index, declared.place), problems)?;
        let channel = settings
            .channel
            .clone()
            .unwrap_or_else(|| format!("stable-{}.{}", release.version.major, release.version.minor));
        let Some(base_domain) = settings.base_domain.clone() else {
            let message = format!("cluster `{}` has no `baseDomain`", declared.name);
            let hint = "set it for all of them in `defaults` of the `Fleet` document";
            problems.add(Diagnostic::new(Code::MissingKey, message).hint(hint), declared.place);
            return None;
        };
        let Some(pull_secret) = settings.pull_secret.as_ref().and_then(secret_use) else {
            let message = format!("cluster `{}` has no `pullSecret`", declared.name);
            let hint = "set it for all of them in `defaults` of the `Fleet` document: `pullSecret: {from: <namespace>/<name>}`";
            problems.add(Diagnostic::new(Code::MissingKey, message).hint(hint), declared.place);
            return None;
        };
        let object_name = pin.object_name.clone();
        let namespace = format!("clusters-{object_name}");
        let availability = settings.availability.unwrap_or(spec::Availability::High);
        let infrastructure = settings.infrastructure_availability.unwrap_or(availability);
        let etcd = settings.etcd.clone().unwrap_or_default();
        let own = own_balancer(settings).then(|| endpoint::hostname(&object_name, &base_domain));
        let address = own.as_ref().or(manager.model.node_port_address.as_ref());
        let services = services::derive(
            &merged,
            (&object_name, &base_domain),
            (manager, address),
            (declared.place, problems),
        );
        let dns_zone = settings.dns.as_ref().and_then(|dns| dns.zone.clone());
        let endpoint = own.and_then(|hostname| {
            let typed = node.at(&["network", "endpoint", "loadBalancer"]);
            let wish = endpoint::Wish {
                hostname,
                services: &services,
                plan: network.source.plan(),
                dns_zone: dns_zone.as_deref(),
                manager,
                place: typed.map_or(declared.place, |node| node.place),
            };
            endpoint::derive(wish, problems)
        });
        let mut cluster = model::Cluster {
            name: ClusterName::new(declared.name),
            id: pin.id.clone(),
            environment: EnvironmentName::new(&environment.name),
            management_cluster: manager.model.name.clone(),
            owner: settings.owner.clone(),
            manage: settings.manage.map_or(model::Manage::All, networks::manage),
            dialect: manager.model.dialect,
            tenancy,
            compartment,
            identity: settings.identity.clone(),
            control_plane_namespace: format!("{namespace}-{}", object_name.replace('.', "-")),
            infra_id: format!("{object_name}-{}", pin.id.get(..5).unwrap_or(&pin.id)),
            namespace,
            labels: present(settings.labels.as_ref()),
            annotations: present(settings.annotations.as_ref()),
            freeform_tags: present(settings.tags.as_ref()),
            defined_tags: settings
                .defined_tags
                .iter()
                .flatten()
                .filter_map(|(namespace, tags)| Some((namespace.clone(), present(Some(tags.as_ref()?)))))
                .collect(),
            channel: Some(channel),
            base_domain,
            controller_availability: availability_word(availability),
            infrastructure_availability: availability_word(infrastructure),
            etcd: Etcd {
                size: etcd.size.unwrap_or_else(|| "8Gi".to_owned()),
                storage_class: etcd.storage_class,
            },
            fips: settings.fips.unwrap_or(false),
            network,
            endpoint_access: match settings.endpoint_access {
                Some(spec::EndpointAccess::PublicAndPrivate) => "PublicAndPrivate",
                Some(spec::EndpointAccess::Private) | None => "Private",
            }
            .to_owned(),
            services,
            endpoint,
            dns_zone,
            pull_secret,
            ssh_key: settings.ssh_key.as_ref().and_then(secret_use),
            trust_bundle: settings.trust_bundle.as_ref().and_then(secret_use),
            encryption_key: settings.encryption_key.as_ref().and_then(secret_use),
            hosted_cluster_patch: patch(settings),
            node_pools: BTreeMap::new(),
            extra_manifests: shared::extra_manifests(
                settings.extra_manifests.iter().flatten().cloned(),
                node.get("extraManifests"),
                &self.loaded.files,
            ),
            typed: Typed(Some(declared.place.span(&self.loaded.files))),
            object_name,
            region,
            release,
        };
        let pool_places = pools::resolve(&mut cluster, &merged, self.index, problems);
        for release in
            std::iter::once(&mut cluster.release).chain(cluster.node_pools.values_mut().map(|pool| &mut pool.release))
        {
            if let Some(digest) = pin.releases.get(&release.version.to_string()) {
                let repository = settings.release_repository.as_deref().unwrap_or_default();
                release.image = format!("{repository}@{digest}");
            }
        }
        let facts = rules::Facts {
            merged: &merged,
            manager,
            pools: &pool_places,
            production: production(environment),
            spec: self.common.spec,
            networks: self.networks,
            now: self.now,
            place: declared.place,
        };
        rules::cluster(&cluster, &facts, problems);
        Some(cluster)
    }

    fn environment(&self, declared: &Declared<'a>, problems: &mut Problems<'_>) -> Option<&'a super::load::Document> {
        let Some(node) = declared.near("environment") else {
            let message = format!("cluster `{}` has no `environment`", declared.name);
            let names = self.index.names(Kind::Environment);
            let mut problem = Diagnostic::new(Code::MissingKey, message);
            problem.hints.extend(super::check::suggest("", names));
            problems.add(problem, declared.place);
            return None;
        };
        let name = node.as_str().unwrap_or_default();
        let Some(found) = self.index.get(Kind::Environment, name) else {
            let mut problem = Diagnostic::new(Code::Dangling, format!("there is no environment called `{name}`"));
            problem
                .hints
                .extend(super::check::suggest(name, self.index.names(Kind::Environment)));
            problems.add(problem, node.place);
            return None;
        };
        // Its own errors have been reported; its clusters can't be known.
        (!self.index.is_broken(found)).then_some(found)
    }

    /// Merges the layers and decodes the result.
    fn merged(
        &mut self,
        declared: &Declared<'a>,
        (environment, region): (&'a super::load::Document, Option<&'a Node>),
        problems: &mut Problems<'_>,
    ) -> Option<Merged> {
        let region = region.and_then(Node::as_str);
        let key = (environment.name.clone(), region.unwrap_or_default().to_owned());
        let (loaded, index) = (self.loaded, self.index);
        let base = self
            .bases
            .entry(key)
            .or_insert_with(|| flatten(&base_layers(loaded, index, Some(environment), region)));
        let mut node = base.clone();
        if let Some(shared) = declared.shared() {
            merge(&mut node, shared, STRUCTURE);
        }
        merge(&mut node, declared.own, STRUCTURE);
        let mut pools = Vec::new();
        if let Yaml::Map(entries) = &mut node.value
            && let Some(found) = entries.iter().position(|entry| &*entry.key == "pools")
            && let Yaml::Map(found) = entries.remove(found).value.value
        {
            pools = found;
        }
        match decode(&node) {
            Ok(settings) => Some(Merged { settings, node, pools }),
            Err(error) => {
                let place = error.place.unwrap_or(declared.place);
                problems.add(Diagnostic::new(Code::WrongType, error.message), place);
                None
            }
        }
    }
}

/// Whether an environment serves production.
fn production(environment: &super::load::Document) -> bool {
    match environment.spec.get("production").map(|node| &node.value) {
        Some(Yaml::Bool(typed)) => *typed,
        _ => ["prod", "production"].contains(&environment.name.as_str()),
    }
}

fn availability_word(availability: spec::Availability) -> String {
    match availability {
        spec::Availability::High => "HighlyAvailable",
        spec::Availability::Single => "SingleReplica",
    }
    .to_owned()
}

/// A map without what was removed.
pub(super) fn present(map: Option<&spec::Texts>) -> BTreeMap<String, String> {
    map.into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.clone()?)))
        .collect()
}

fn secret_use(value: &spec::SecretUse) -> Option<SecretUse> {
    let copy_from = value.from.as_deref().and_then(shared::secret_ref);
    let name = value.name.clone().or_else(|| Some(copy_from.as_ref()?.name.clone()))?;
    Some(SecretUse { name, copy_from })
}

/// The raw patch, over what short names without a field in the model give.
fn patch(settings: &Settings) -> Value {
    let mut patch = serde_json::Map::new();
    match &settings.paused_until {
        Some(spec::PausedUntil::Flag(true)) => drop(patch.insert("pausedUntil".to_owned(), json!("true"))),
        Some(spec::PausedUntil::Time(time)) => drop(patch.insert("pausedUntil".to_owned(), json!(time))),
        Some(spec::PausedUntil::Flag(false)) | None => {}
    }
    patch.extend(settings.hosted_cluster.clone().unwrap_or_default());
    Value::Object(patch)
}
