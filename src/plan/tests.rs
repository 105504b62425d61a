//! Whole plans, from values.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::change::{Action, Block, Change, Reason};
use super::upgrade::Staged;
use super::{DesiredUnit, Inputs, MANAGER, Plan, Revised, build};
use crate::fleet::model::{Cap, Fleet, Ignore, Limits, Suspensions};
use crate::inventory::{Entry, InventoryKey, UnitInventory};
use crate::plan::ignore::Contested;
use crate::providers::{Kind, LiveObject, Observation, Observed, Stored};
use crate::resource::mark::OWNER_ANNOTATION;
use crate::resource::{
    ClusterName, FleetName, FleetUid, ManagementClusterName, Manifest, OwnerMark, ResourceId, Revision, Stewardship,
    Target, UnitId,
};
use crate::schema::{Gvk, Schema};
use crate::ssa;

pub(super) const NOW: &str = "2026-01-01T00:00:00Z";

pub(super) fn mc() -> ManagementClusterName {
    ManagementClusterName::new("m")
}

pub(super) fn target() -> Target {
    Target::Kubernetes(mc())
}

pub(super) fn uid() -> FleetUid {
    FleetUid::new("f")
}

pub(super) fn cluster(name: &str) -> UnitId {
    UnitId::Cluster(ClusterName::new(name))
}

/// A ConfigMap of a unit, marked.
pub(super) fn manifest(unit: &UnitId, name: &str, data: &str) -> Manifest {
    let mut body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "ns"},
        "data": {"key": data}});
    let bare = Manifest::new(target(), unit.clone(), Stewardship::Managed, &body).unwrap();
    let mark = OwnerMark::for_object(&uid(), unit, &bare.id);
    body["metadata"]["annotations"] = json!({OWNER_ANNOTATION: mark.to_annotation()});
    Manifest::new(target(), unit.clone(), Stewardship::Managed, &body).unwrap()
}

pub(super) fn schema() -> Schema {
    Schema::deduced(Gvk {
        group: "",
        version: "v1",
        kind: "ConfigMap",
    })
}

/// What a server has after a manifest was applied.
pub(super) fn applied(manifest: &Manifest) -> Value {
    let request = ssa::ApplyRequest {
        live: None,
        config: &manifest.body(),
        manager: MANAGER,
        force: false,
        schema: &schema(),
        now: NOW,
    };
    match ssa::apply(request).unwrap() {
        ssa::ApplyOutcome::Applied(object) => object,
        ssa::ApplyOutcome::Conflicts(conflicts) => panic!("{conflicts:?}"),
    }
}

pub(super) fn present(object: &Value) -> Observed {
    Observed::Present(LiveObject {
        uid: "u".to_owned(),
        version: "7".to_owned(),
        text: object.to_string().into(),
    })
}

/// A world to plan in.
pub(super) struct World {
    pub(super) fleet: Fleet,
    desired: BTreeMap<UnitId, Vec<Manifest>>,
    elsewhere: Vec<ResourceId>,
    failed: BTreeMap<UnitId, String>,
    inventories: BTreeMap<InventoryKey, Stored>,
    pub(super) observed: BTreeMap<ResourceId, Observed>,
    pub(super) contested: Contested,
    scope: Option<UnitId>,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            fleet: Fleet {
                name: FleetName::new("fleet"),
                uid: uid(),
                management_clusters: BTreeMap::new(),
                networks: BTreeMap::new(),
                clusters: BTreeMap::new(),
                failed: BTreeSet::new(),
                limits: Limits {
                    deletes: Cap::Count(9),
                    disrupted_nodes: None,
                },
                decommission: BTreeMap::new(),
                moved: Vec::new(),
                conflicts: Vec::new(),
                drift: Vec::new(),
                ignore: Ignore::default(),
                suspend: Suspensions::default(),
                waived: BTreeMap::new(),
                remake: BTreeMap::new(),
                incomplete: false,
            },
            desired: BTreeMap::new(),
            elsewhere: Vec::new(),
            failed: BTreeMap::new(),
            inventories: BTreeMap::new(),
            observed: BTreeMap::new(),
            contested: Contested::new(),
            scope: None,
        }
    }

    pub(super) fn want(&mut self, manifest: &Manifest) {
        self.desired
            .entry(manifest.unit.clone())
            .or_default()
            .push(manifest.clone());
        self.observed.entry(manifest.id.clone()).or_insert(Observed::Absent);
    }

    /// As after an apply: it is there, and recorded.
    pub(super) fn made(&mut self, manifest: &Manifest) {
        self.observed.insert(manifest.id.clone(), present(&applied(manifest)));
        self.recorded(manifest);
    }

    pub(super) fn recorded(&mut self, manifest: &Manifest) {
        let stored = self
            .inventories
            .entry((mc(), manifest.unit.clone()))
            .or_insert_with(|| Stored {
                inventory: UnitInventory::new(uid(), manifest.unit.clone()),
                version: Some("1".to_owned()),
            });
        stored.inventory.record(Entry {
            id: manifest.id.clone(),
            api_version: "v1".to_owned(),
            uid: Some("u".to_owned()),
            digest: Some(manifest.digest()),
            oci: None,
            going: false,
        });
    }

    pub(super) fn plan(&self) -> Plan {
        let kind = Kind {
            group: String::new(),
            version: "v1".to_owned(),
            kind: "ConfigMap".to_owned(),
        };
        let observation = Observation {
            objects: self.observed.clone(),
            schemas: BTreeMap::from([(kind, std::sync::Arc::new(schema()))]),
            ..Observation::default()
        };
        let desired = self.desired.iter().map(|(unit, manifests)| {
            (
                unit.clone(),
                DesiredUnit {
                    manifests,
                    recorded_on: mc(),
                },
            )
        });
        build(&Inputs {
            fleet: &self.fleet,
            desired: desired.collect(),
            wanted_elsewhere: self.elsewhere.iter().collect(),
            failed: self.failed.clone(),
            in_scope: &|unit| self.scope.as_ref().is_none_or(|scope| scope == unit),
            targets: &|_| true,
            inventories: &self.inventories,
            recorded_beside: 0,
            observed: &BTreeMap::from([(target(), observation)]),
            looked_up: &BTreeMap::new(),
            revised: Revised {
                fleet: uid(),
                revision: Revision::new("r"),
                time: 0,
            },
            newer: &BTreeMap::new(),
            beside: &BTreeMap::new(),
            suspended: BTreeMap::new(),
            staged: &Staged::default(),
            contested: &self.contested,
            adopt: false,
            now: NOW,
        })
        .unwrap()
    }
}

pub(super) fn short(changes: &[Change]) -> Vec<(&str, Action, Reason)> {
    changes
        .iter()
        .map(|change| (change.id.name.as_str(), change.action, change.reason))
        .collect()
}

#[test]
fn what_was_applied_plans_to_nothing() {
    let mut world = World::new();
    let object = manifest(&cluster("a"), "x", "1");
    world.want(&object);
    assert_eq!(short(&world.plan().changes), [("x", Action::Create, Reason::New)]);
    world.made(&object);
    let plan = world.plan();
    assert_eq!(
        (short(&plan.changes), plan.unchanged),
        (vec![], 1),
        "{:?}",
        plan.changes
    );
}

#[test]
fn change_and_drift_are_told_apart() {
    let mut world = World::new();
    let (old, new) = (manifest(&cluster("a"), "x", "1"), manifest(&cluster("a"), "x", "2"));
    world.made(&old);
    world.want(&new);
    assert_eq!(short(&world.plan().changes), [("x", Action::Update, Reason::Changed)]);
    assert!(!world.plan().is_drift_only());
    world.recorded(&new);
    let plan = world.plan();
    assert_eq!(short(&plan.changes), [("x", Action::Update, Reason::Drifted)]);
    assert!(plan.is_drift_only());
    assert_eq!(plan.changes[0].fields[0].field, ".data.key");
}

#[test]
fn what_can_not_be_seen_is_left_alone_and_holds_up_what_needs_it() {
    let mut world = World::new();
    let mut needs = manifest(&cluster("a"), "y", "1");
    let unseen = manifest(&cluster("a"), "x", "1");
    needs.depends_on = vec![unseen.id.clone()];
    world.want(&unseen);
    world.want(&needs);
    world
        .observed
        .insert(unseen.id.clone(), Observed::Unknown("timeout".to_owned()));
    let plan = world.plan();
    assert_eq!(
        short(&plan.changes),
        [("x", Action::Leave, Reason::Unseen), ("y", Action::Create, Reason::New)]
    );
    assert_eq!(plan.changes[1].blocks, [Block::Dependency { needs: unseen.id }]);
    assert!(plan.has_unknowns());
}

#[test]
fn a_failed_unit_is_neither_changed_nor_pruned() {
    let mut world = World::new();
    let object = manifest(&cluster("a"), "x", "1");
    world.made(&object);
    world.want(&manifest(&cluster("b"), "y", "1"));
    world.failed.insert(cluster("a"), "a template failed".to_owned());
    let plan = world.plan();
    assert_eq!(short(&plan.changes), [("y", Action::Create, Reason::New)]);
    assert_eq!(plan.held.len(), 1);
}

#[test]
fn an_object_that_changes_hands_is_not_pruned_and_its_old_record_lets_go_last() {
    let mut world = World::new();
    let management = UnitId::ManagementCluster(mc());
    let before = manifest(&cluster("a"), "x", "1");
    let after = manifest(&management, "x", "1");
    world.made(&before);
    world.want(&after);
    let plan = world.plan();
    let expected = [
        ("x", Action::Update, Reason::Changed),
        ("x", Action::Forget, Reason::Moved),
    ];
    assert_eq!(short(&plan.changes), expected);
    assert_eq!(plan.graph.before[1], [0]);
    assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
}

#[test]
fn nothing_is_pruned_that_a_failed_management_unit_may_want() {
    let mut world = World::new();
    world.made(&manifest(&cluster("a"), "x", "1"));
    world.want(&manifest(&cluster("a"), "y", "1"));
    world
        .failed
        .insert(UnitId::ManagementCluster(mc()), "a template failed".to_owned());
    let plan = world.plan();
    let change = plan.changes.iter().find(|change| change.id.name == "x").unwrap();
    assert!(!change.goes_ahead() && change.action == Action::Leave, "{change:?}");
    let reason = format!("management {} may want it, and is left alone: a template failed", mc());
    assert_eq!(change.blocks, [Block::Unknown { reason }]);
}

#[test]
fn nothing_is_pruned_that_a_unit_out_of_scope_wants() {
    let mut world = World::new();
    let object = manifest(&cluster("a"), "x", "1");
    world.made(&object);
    world.want(&manifest(&cluster("a"), "y", "1"));
    world.scope = Some(cluster("a"));
    world.elsewhere = vec![object.id.clone()];
    assert_eq!(short(&world.plan().changes), [("y", Action::Create, Reason::New)]);
    world.elsewhere.clear();
    assert!(
        world
            .plan()
            .changes
            .iter()
            .any(|change| change.action == Action::Delete)
    );
}

#[test]
fn what_is_out_of_scope_is_not_pruned() {
    let mut world = World::new();
    world.made(&manifest(&cluster("gone"), "x", "1"));
    world.want(&manifest(&cluster("a"), "y", "1"));
    world.scope = Some(cluster("a"));
    assert_eq!(short(&world.plan().changes), [("y", Action::Create, Reason::New)]);
}

#[test]
fn what_was_found_waits_to_be_adopted() {
    let mut world = World::new();
    let object = manifest(&cluster("a"), "x", "1");
    let mut found = applied(&object);
    found["metadata"].as_object_mut().unwrap().remove("annotations");
    world.want(&object);
    world.observed.insert(object.id.clone(), present(&found));
    let plan = world.plan();
    assert_eq!(short(&plan.changes), [("x", Action::Adopt, Reason::Found)]);
    assert_eq!(plan.refusals[0].guard, "adoption");
}

#[test]
fn what_is_removed_and_gone_is_forgotten() {
    let mut world = World::new();
    let object = manifest(&cluster("a"), "x", "1");
    world.recorded(&object);
    world.observed.insert(object.id.clone(), Observed::Absent);
    world.want(&manifest(&cluster("a"), "y", "1"));
    assert!(short(&world.plan().changes).contains(&("x", Action::Forget, Reason::Gone)));
}
