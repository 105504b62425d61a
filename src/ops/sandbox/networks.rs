//! The OCI resources that a fleet names and does not make: management clusters' networks, networks that exist, DNS zones.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde_json::{Value, json};

use super::SandboxError;
use crate::fleet::model::{Cluster, ExistingNetwork, Fleet, NetworkSource};
use crate::resource::{Compartment, OciId, Ocid};
use crate::sandbox::Sandbox;
use crate::sandbox::oci::Principal;

/// A network that somebody else made.
struct Place<'a> {
    region: &'a str,
    tenancy: Option<&'a Ocid>,
    compartment: Option<&'a Compartment>,
}

/// Puts there what is not there yet.
pub(super) fn set(sandbox: &Sandbox, fleet: &Fleet) -> Result<(), SandboxError> {
    for management_cluster in fleet.management_clusters.values() {
        let Some(network) = &management_cluster.network else {
            continue;
        };
        let place = Place {
            region: &network.region,
            tenancy: network.tenancy.as_ref(),
            compartment: Some(&network.compartment),
        };
        vcn(sandbox, &place, &network.vcn, &management_cluster.cidrs)?;
        for table in &network.route_tables {
            let body = json!({"vcnId": network.vcn.as_str(), "routeRules": [], "displayName": "management"});
            put(sandbox, &place, table, "routeTables", body)?;
        }
        if let Some(drg) = &network.drg {
            attached_drg(sandbox, &place, drg, &network.vcn)?;
        }
    }
    for (existing, place, ranges) in existing(fleet) {
        let OciId::Known(vcn_id) = &existing.vcn else { continue };
        vcn(sandbox, &place, vcn_id, &ranges)?;
        let halves = ranges.first().map(halves).unwrap_or_default();
        let subnets = [&existing.worker_subnet, &existing.endpoint_subnet];
        for (subnet, range) in subnets.into_iter().zip(halves) {
            if let Some(OciId::Known(subnet)) = subnet {
                let body = json!({"vcnId": vcn_id.as_str(), "cidrBlock": range.to_string(), "displayName": "existing",
                    "prohibitPublicIpOnVnic": true});
                put(sandbox, &place, subnet, "subnets", body)?;
            }
        }
    }
    for cluster in fleet.clusters.values() {
        zone(sandbox, cluster)?;
    }
    Ok(())
}

/// The DRG that a management cluster's VCN hangs on.
fn attached_drg(sandbox: &Sandbox, place: &Place<'_>, ocid: &Ocid, vcn: &Ocid) -> Result<(), SandboxError> {
    let principal = principal(sandbox, place.tenancy);
    let path = format!("/20160918/drgs/{ocid}");
    let oci = sandbox.oci();
    if oci.act(&principal, place.region, "GET", &path, &Value::Null).is_ok() {
        return Ok(());
    }
    put(sandbox, place, ocid, "drgs", json!({"displayName": "existing"}))?;
    let body = json!({"drgId": ocid.as_str(), "displayName": "existing",
        "networkDetails": {"type": "VCN", "id": vcn.as_str()}});
    let attached = oci.act(&principal, place.region, "POST", "/20160918/drgAttachments", &body);
    attached.map(drop).map_err(|refusal| SandboxError::Network {
        ocid: ocid.to_string(),
        message: refusal.message,
    })
}

/// The zone that a cluster's records stand in, where it goes by its name.
fn zone(sandbox: &Sandbox, cluster: &Cluster) -> Result<(), SandboxError> {
    let (Some(name), Some(Compartment::Id(compartment))) = (&cluster.dns_zone, &cluster.compartment) else {
        return Ok(());
    };
    if name.starts_with("ocid1.") {
        return Ok(());
    }
    let principal = principal(sandbox, cluster.tenancy.as_ref());
    let oci = sandbox.oci();
    let there = oci.act(
        &principal,
        &cluster.region,
        "GET",
        &format!("/20180115/zones/{name}"),
        &Value::Null,
    );
    if there.is_ok() {
        return Ok(());
    }
    let body = json!({"compartmentId": compartment.as_str(), "name": name, "zoneType": "PRIMARY"});
    let made = oci.act(&principal, &cluster.region, "POST", "/20180115/zones", &body);
    made.map(drop).map_err(|refusal| SandboxError::Network {
        ocid: name.clone(),
        message: refusal.message,
    })
}

fn principal(sandbox: &Sandbox, tenancy: Option<&Ocid>) -> Principal {
    let own = sandbox.identity().principal();
    Principal {
        tenancy: tenancy.map_or_else(|| own.tenancy.clone(), ToString::to_string),
        user: own.user.clone(),
    }
}

/// Networks that exist, with the ranges of what runs there; each once.
fn existing(fleet: &Fleet) -> Vec<(&ExistingNetwork, Place<'_>, Vec<IpNet>)> {
    let mut found: BTreeMap<&OciId, (&ExistingNetwork, Place<'_>, Vec<IpNet>)> = BTreeMap::new();
    for cluster in fleet.clusters.values() {
        let network = match &cluster.network.source {
            NetworkSource::Existing(existing) => Some(existing),
            NetworkSource::Shared { name } => match fleet.networks.get(name).map(|network| &network.source) {
                Some(NetworkSource::Existing(existing)) => Some(existing),
                _ => None,
            },
            NetworkSource::Managed(_) => None,
        };
        if let Some(existing) = network {
            let (_, _, ranges) = found
                .entry(&existing.vcn)
                .or_insert_with(|| (existing, place(cluster), Vec::new()));
            ranges.extend(
                cluster
                    .network
                    .machine
                    .iter()
                    .filter(|range| !ranges.contains(range))
                    .copied()
                    .collect::<Vec<_>>(),
            );
        }
    }
    found.into_values().collect()
}

fn place(cluster: &Cluster) -> Place<'_> {
    Place {
        region: &cluster.region,
        tenancy: cluster.tenancy.as_ref(),
        compartment: cluster.compartment.as_ref(),
    }
}

/// Half of a range for workers, half for endpoints.
fn halves(range: &IpNet) -> Vec<IpNet> {
    let halves = range.subnets(range.prefix_len() + 1);
    halves.map(Iterator::collect).unwrap_or_default()
}

fn vcn(sandbox: &Sandbox, place: &Place<'_>, ocid: &Ocid, ranges: &[IpNet]) -> Result<(), SandboxError> {
    let v4: Vec<String> = ranges
        .iter()
        .filter(|range| range.addr().is_ipv4())
        .map(ToString::to_string)
        .collect();
    put(
        sandbox,
        place,
        ocid,
        "vcns",
        json!({"cidrBlocks": v4, "displayName": "existing"}),
    )
}

fn put(sandbox: &Sandbox, place: &Place<'_>, ocid: &Ocid, kind: &str, mut body: Value) -> Result<(), SandboxError> {
    // What stands in a compartment that is known by its path alone can't be said before that is there.
    let Some(Compartment::Id(compartment)) = place.compartment else {
        return Ok(());
    };
    body["compartmentId"] = compartment.as_str().into();
    let principal = principal(sandbox, place.tenancy);
    let placed = sandbox.oci().place(
        ocid.as_str(),
        &principal,
        place.region,
        &format!("/20160918/{kind}"),
        &body,
    );
    placed.map_err(|refusal| SandboxError::Network {
        ocid: ocid.to_string(),
        message: refusal.message,
    })
}
