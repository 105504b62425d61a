//! The documents that a user writes, as Rust types: their JSON Schemas, their validation and their decoding all come from
//! here.
//!
//! Invariant: no key that nothing reads. What can stand in every layer is in [`Settings`]; each of its fields is optional,
//! and `null` in a nearer layer removes what a farther one set.

#![allow(
    dead_code,
    reason = "some fields are read as nodes, with their places, and stand here for the schema and the check alone"
)]

mod documents;
mod fleet;
mod ignore;
mod machines;
mod network;
mod pool;
mod settings;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

pub(super) use documents::{
    ClusterApi, ClusterSpec, ClustersSpec, Dialect, EnvironmentSpec, IdentityType, ManagementClusterSpec, MovedSpec,
    ReleaseSpec, RingSpec,
};
pub(super) use fleet::{DriftAction, FleetSpec, OnConflict, Suspend, Waiver};
pub(super) use ignore::IgnoreRule;
pub(super) use machines::{ApplyStrategy, ClusterPatches, GroupKind, HealthCheck, PoolPatches, ResourceSet};
pub(super) use network::*;
pub(super) use pool::{Arch, Autoscale, CountOrPercent, PoolSpec, UpgradeType};
pub(super) use settings::*;

/// Texts by key, of which `null` removes one.
pub(super) type Texts = BTreeMap<String, Option<String>>;

/// Free-form fields of an API, as typed.
pub(super) type Patch = Map<String, Value>;
