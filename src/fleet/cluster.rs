//! One cluster: layers → settings → the model, with everything derived that can be.
//!
//! Invariant: what is wrong here is about this cluster alone.

use std::collections::{BTreeMap, BTreeSet};

use super::addresses::Taken;
use super::belongs;
use super::decode::decode;
use super::existing::Around;
use super::hosted;
use super::index::{Declared, Index, STRUCTURE, base_layers, flatten};
use super::kind::Kind;
use super::layers::merge;
use super::load::Loaded;
use super::lock::{Identities, LockedCluster};
use super::model;
use super::networks::{self, Networks};
use super::node::{Node, Place, Yaml};
use super::ocid::{self, Expected};
use super::oke;
use super::placement::{self, Load};
use super::problems::Problems;
use super::rules;
use super::self_managed;
use super::shared::{self, Management, Manager};
use super::spec::{self, Settings};
use super::topology;
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
    pub(super) releases: &'a super::release::Known,
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

/// What a cluster of any kind is made of, beside its settings.
#[derive(Clone, Copy)]
pub(super) struct Parts<'a> {
    /// As declared.
    pub(super) name: &'a str,
    pub(super) merged: &'a Merged,
    pub(super) index: &'a Index<'a>,
    /// The releases that the fleet knows of.
    pub(super) releases: &'a super::release::Known,
    pub(super) manager: &'a Manager,
    pub(super) pin: &'a LockedCluster,
    pub(super) network: &'a model::ClusterNetwork,
    pub(super) namespace: &'a str,
    pub(super) region: &'a str,
    /// Where the cluster is declared.
    pub(super) place: Place,
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
        belongs::check(declared, settings, problems);
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
                namespace: None,
                node_pools: BTreeMap::new(),
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
            named: manager.model.dialect == model::Dialect::Oci,
        };
        let network = self.network(&merged, (declared, around), (pin, manager), problems)?;
        let namespace = pin
            .namespace
            .clone()
            .unwrap_or_else(|| format!("clusters-{}", pin.object_name));
        let parts = Parts {
            name: declared.name,
            merged: &merged,
            index: self.index,
            releases: self.common.releases,
            manager,
            pin,
            network: &network,
            namespace: &namespace,
            region: &region,
            place: declared.place,
        };
        let (kind, pool_places) = match settings.kind.unwrap_or_default() {
            spec::ClusterKind::Hosted => hosted::resolve(parts, problems)?,
            spec::ClusterKind::SelfManaged => self_managed::resolve(parts, problems)?,
            spec::ClusterKind::Oke => oke::resolve(parts, problems)?,
            spec::ClusterKind::Topology => topology::resolve(parts, problems)?,
        };
        let cluster = model::Cluster {
            name: ClusterName::new(declared.name),
            id: pin.id.clone(),
            environment: EnvironmentName::new(&environment.name),
            management_cluster: manager.model.name.clone(),
            owner: settings.owner.clone(),
            manage: settings.manage.map_or(model::Manage::All, networks::manage),
            tenancy,
            compartment,
            identity: settings.identity.clone(),
            object_name: pin.object_name.clone(),
            labels: present(settings.labels.as_ref()),
            annotations: present(settings.annotations.as_ref()),
            freeform_tags: present(settings.tags.as_ref()),
            defined_tags: settings
                .defined_tags
                .iter()
                .flatten()
                .filter_map(|(namespace, tags)| Some((namespace.clone(), present(Some(tags.as_ref()?)))))
                .collect(),
            protect_until: protect_until(&merged, problems),
            extra_manifests: shared::extra_manifests(
                settings.extra_manifests.iter().flatten().cloned(),
                node.get("extraManifests"),
                &self.loaded.files,
            ),
            typed: Typed(Some(declared.place.span(&self.loaded.files))),
            namespace_of_others: pin.namespace.is_some(),
            namespace,
            network,
            region,
            kind,
        };
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

/// A map without what was removed.
pub(super) fn present(map: Option<&spec::Texts>) -> BTreeMap<String, String> {
    map.into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.clone()?)))
        .collect()
}

/// Until when nothing of the cluster is deleted.
fn protect_until(merged: &Merged, problems: &mut Problems<'_>) -> Option<jiff::Timestamp> {
    let text = merged.settings.protect_until.as_deref()?;
    let until = text.parse().ok();
    if let (None, Some(node)) = (until, merged.node.get("protectUntil")) {
        let problem = Diagnostic::new(Code::WrongType, format!("`{text}` is no time"))
            .hint("write it like `2027-03-31T12:00:00Z`");
        problems.add(problem, node.place);
    }
    until
}
