//! The networks that clusters share.
//!
//! Invariant: a network with an error is left out, so that the clusters in it fail.

use std::collections::BTreeMap;

use super::addresses::Taken;
use super::cluster::Common;
use super::decode::decode;
use super::existing::{self, Around};
use super::index::Index;
use super::kind::Kind;
use super::load::Document;
use super::lock::{Identities, Lock, LockedNetwork};
use super::model::{Manage, Network, NetworkSource, Preset};
use super::ocid::{self, Expected};
use super::problems::Problems;
use super::shared::{self, Manager};
use super::spec;
use super::vcn::{self, Wish};
use crate::diag::{Code, Diagnostic};
use crate::resource::NetworkName;

/// All shared networks.
pub(super) type Networks = BTreeMap<NetworkName, Network>;

/// Resolves the shared networks.
pub(super) fn resolve(
    index: &Index<'_>,
    common: &Common<'_>,
    (taken, lock, identities): (&mut Taken, &mut Lock, &mut Identities),
    problems: &mut Problems<'_>,
) -> Networks {
    let mut networks = Networks::new();
    for document in index.of(Kind::Network).filter(|document| !index.is_broken(document)) {
        if lock.unreadable_for_network(&document.name) {
            continue;
        }
        let mut own = problems.fresh(None);
        if let Some(network) = network(document, common, (taken, lock, identities), &mut own)
            && !own.failed()
        {
            networks.insert(network.name.clone(), network);
        }
        problems.found.append(&mut own.found);
    }
    networks
}

fn network(
    document: &Document,
    common: &Common<'_>,
    (taken, lock, identities): (&mut Taken, &mut Lock, &mut Identities),
    problems: &mut Problems<'_>,
) -> Option<Network> {
    let node = &document.spec;
    let spec: spec::NetworkSpec = match decode(node) {
        Ok(spec) => spec,
        Err(error) => {
            problems.add(
                Diagnostic::new(Code::WrongType, error.message),
                error.place.unwrap_or(document.place),
            );
            return None;
        }
    };
    shared::known_region(node.get("region")?, problems);
    let manager = owner(&spec, document, common, problems)?;
    let name = NetworkName::new(&document.name);
    let pin = lock.networks.entry(name.clone()).or_insert_with(|| {
        let (id, object_name) = identities.first(common.uid, "network", &document.name);
        LockedNetwork {
            id,
            object_name,
            addresses: None,
        }
    });
    let typed = spec
        .tenancy
        .as_ref()
        .or(common.spec.defaults.as_ref().and_then(|all| all.tenancy.as_ref()));
    let tenancy = typed.map(|text| {
        let expected = Expected {
            key: "tenancy",
            kinds: &["tenancy"],
            region: Some(&spec.region),
        };
        let place = node.get("tenancy").map_or(document.place, |node| node.place);
        ocid::check(text, expected, place, problems)
    });
    let within = (spec.region.as_str(), tenancy.as_ref());
    let compartment = common.compartment(node.get("compartment"), within, problems);
    let source = match &spec.existing {
        Some(existing) => {
            let around = Around {
                region: &spec.region,
                tenancy: tenancy.as_ref(),
                compartment: compartment.as_ref(),
                named: true,
            };
            NetworkSource::Existing(existing::resolve(
                existing,
                node.get("existing")?,
                (common, around),
                problems,
            )?)
        }
        None => {
            let wish = Wish {
                preset: spec.preset.map_or(Preset::HostedPrivate, preset),
                peer: spec.peer_with,
                node,
                availability_domain: spec.availability_domain.as_deref(),
                public_ips: spec.public_ips.as_deref().unwrap_or_default(),
                endpoint_balancer: false,
                region: &spec.region,
                id: &pin.id,
                label: &pin.object_name,
                place: document.place,
            };
            let plan = vcn::plan(wish, &mut pin.addresses, (common, taken, manager), problems)?;
            NetworkSource::Managed(Box::new(plan))
        }
    };
    Some(Network {
        object_name: pin.object_name.clone(),
        id: pin.id.clone(),
        tenancy,
        compartment,
        manage: spec.manage.map_or(Manage::All, manage),
        management_cluster: manager.model.name.clone(),
        region: spec.region,
        source,
        freeform_tags: spec.tags,
        defined_tags: spec.defined_tags,
        name,
    })
}

fn preset(preset: spec::NetworkPreset) -> Preset {
    match preset {
        spec::NetworkPreset::HostedPrivate => Preset::HostedPrivate,
        spec::NetworkPreset::HostedPublic => Preset::HostedPublic,
        spec::NetworkPreset::SelfManaged => Preset::SelfManaged,
        spec::NetworkPreset::Oke => Preset::Oke,
    }
}

/// The management cluster that writes a shared network.
fn owner<'a>(
    spec: &spec::NetworkSpec,
    document: &Document,
    common: &Common<'a>,
    problems: &mut Problems<'_>,
) -> Option<&'a Manager> {
    if let Some(name) = &spec.management_cluster {
        let found = common
            .management
            .values()
            .find(|manager| manager.model.name.as_str() == name);
        if found.is_none() {
            let place = document
                .spec
                .get("managementCluster")
                .map_or(document.place, |node| node.place);
            let message = format!("there is no management cluster called `{name}`, or it has an error");
            problems.add(Diagnostic::new(Code::Dangling, message), place);
        }
        return found;
    }
    let mut there = common
        .management
        .values()
        .filter(|manager| manager.model.region == spec.region);
    match (there.next(), there.next()) {
        (Some(only), None) => Some(only),
        (first, _) => {
            let count = if first.is_none() { "no" } else { "more than one" };
            problems.add(
                Diagnostic::new(
                    Code::NoPlacement,
                    format!("there is {count} management cluster in `{}`", spec.region),
                )
                .hint("name the one that writes this network: `managementCluster: <name>`"),
                document.place,
            );
            None
        }
    }
}

/// A spec's word as the model's.
pub(super) fn manage(manage: spec::Manage) -> Manage {
    match manage {
        spec::Manage::Observe => Manage::Observe,
        spec::Manage::Network => Manage::Network,
        spec::Manage::Pools => Manage::Pools,
        spec::Manage::All => Manage::All,
    }
}
