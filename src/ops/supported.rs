//! Which releases operators manage, asked only where a control plane is to be sent to one.
//!
//! Invariant: an operator that does not say refuses nothing; of one that can't be asked it is not known.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::look::Seen;
use crate::plan::Plan;
use crate::plan::change::Block;
use crate::plan::graph::Cycle;
use crate::plan::guards::supported_release::{Supported, asked_for, check, parse};
use crate::providers::{Observed, Provider};
use crate::resource::{ManagementClusterName, ResourceId, Target};
use crate::rights::kubernetes::SUPPORTED_VERSIONS;

/// Where HyperShift's operator publishes them.
const NAMESPACE: &str = "hypershift";

/// Refuses releases that the operators don't manage.
pub(super) async fn refuse(plan: &mut Plan, seen: &Seen) -> Result<(), Cycle> {
    let asked: BTreeSet<ManagementClusterName> = plan
        .changes
        .iter()
        .filter_map(|change| asked_for(change).map(|(on, _)| on.clone()))
        .collect();
    let mut supported = BTreeMap::new();
    let mut unknown = BTreeMap::new();
    for on in asked {
        match read(&on, seen).await {
            Ok(Some(versions)) => drop(supported.insert(on, versions)),
            Ok(None) => {}
            Err(reason) => drop(unknown.insert(on, reason)),
        }
    }
    if !unknown.is_empty() {
        plan.leave_alone(|change| {
            let (on, _) = asked_for(change)?;
            let reason = unknown.get(on)?.clone();
            Some(Block::Unknown { reason })
        })?;
    }
    plan.refuse_all(check(plan, &supported))
}

/// What the operator says, if it says anything; else why that is not known.
async fn read(on: &ManagementClusterName, seen: &Seen) -> Result<Option<Supported>, String> {
    let Some(provider) = seen.providers.get(on) else {
        return Ok(None);
    };
    let id = ResourceId {
        target: Target::Kubernetes(on.clone()),
        group: String::new(),
        kind: "ConfigMap".to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
        name: SUPPORTED_VERSIONS.to_owned(),
    };
    let live = match provider.read(&id, "v1").await {
        Observed::Present(live) => live,
        Observed::Absent => return Ok(None),
        Observed::Unknown(reason) => return Err(reason),
    };
    let object = live.parse().unwrap_or_default();
    let text = object.pointer("/data").and_then(|data| data.get(SUPPORTED_VERSIONS));
    Ok(text.and_then(Value::as_str).and_then(parse))
}
