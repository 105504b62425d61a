//! The OCI resources that a fleet names and does not make: management clusters' networks, networks that exist, DNS zones.

use std::collections::{BTreeMap, BTreeSet};

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
    for (vcn_id, standing) in standing(fleet) {
        vcn(sandbox, &standing.place, vcn_id, &standing.ranges)?;
        for (subnet, range, public) in standing.cut() {
            let body = json!({"vcnId": vcn_id.as_str(), "cidrBlock": range.to_string(), "displayName": "existing",
                "prohibitPublicIpOnVnic": !public});
            put(sandbox, &standing.place, subnet, "subnets", body)?;
        }
    }
    // Hundreds of clusters share a zone.
    let zones: BTreeSet<Zone<'_>> = fleet.clusters.values().filter_map(Zone::of).collect();
    zones.iter().try_for_each(|zone| zone.set(sandbox))
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

/// The zone that clusters' records stand in, where it goes by its name.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Zone<'a> {
    name: &'a str,
    compartment: &'a str,
    tenancy: Option<&'a Ocid>,
    region: &'a str,
}

impl<'a> Zone<'a> {
    fn of(cluster: &'a Cluster) -> Option<Self> {
        let name = cluster.hosted()?.dns_zone.as_deref()?;
        let Some(Compartment::Id(compartment)) = &cluster.compartment else {
            return None;
        };
        (!name.starts_with("ocid1.")).then_some(Self {
            name,
            compartment: compartment.as_str(),
            tenancy: cluster.tenancy.as_ref(),
            region: &cluster.region,
        })
    }

    fn set(&self, sandbox: &Sandbox) -> Result<(), SandboxError> {
        let principal = principal(sandbox, self.tenancy);
        let oci = sandbox.oci();
        let path = format!("/20180115/zones/{}", self.name);
        if oci.act(&principal, self.region, "GET", &path, &Value::Null).is_ok() {
            return Ok(());
        }
        let body = json!({"compartmentId": self.compartment, "name": self.name, "zoneType": "PRIMARY"});
        let made = oci.act(&principal, self.region, "POST", "/20180115/zones", &body);
        made.map(drop).map_err(|refusal| SandboxError::Network {
            ocid: self.name.to_owned(),
            message: refusal.message,
        })
    }
}

fn principal(sandbox: &Sandbox, tenancy: Option<&Ocid>) -> Principal {
    let own = sandbox.identity().principal();
    Principal {
        tenancy: tenancy.map_or_else(|| own.tenancy.clone(), ToString::to_string),
        user: own.user.clone(),
    }
}

/// A VCN that exists, by what the clusters in it say.
struct Standing<'a> {
    place: Place<'a>,
    ranges: Vec<IpNet>,
    /// Its subnets, each with the range that it is cut out of, and whether it takes public addresses.
    subnets: BTreeMap<&'a Ocid, (IpNet, bool)>,
}

impl<'a> Standing<'a> {
    fn add(&mut self, existing: &'a ExistingNetwork, cluster: &'a Cluster) {
        let new = cluster.network.machine.iter().filter(|range| range.addr().is_ipv4());
        let first = new.clone().next().copied();
        let new: Vec<IpNet> = new.filter(|range| !self.ranges.contains(range)).copied().collect();
        self.ranges.extend(new);
        if self.ranges.is_empty() {
            // The files need not say: any will do.
            self.ranges.extend("10.0.0.0/16".parse::<IpNet>());
        }
        let Some(range) = first.or_else(|| self.ranges.first().copied()) else {
            return;
        };
        let endpoint = existing
            .endpoint_subnet
            .as_ref()
            .map(|id| (id, cluster.has_public_endpoint()));
        let workers = existing.worker_subnet.as_ref().map(|id| (id, false));
        for (id, public) in workers.into_iter().chain(endpoint) {
            if let OciId::Known(ocid) = id {
                self.subnets.entry(ocid).or_insert((range, false)).1 |= public;
            }
        }
        let pools = cluster
            .hosted()
            .into_iter()
            .flat_map(|hosted| hosted.node_pools.values());
        for ocid in pools.filter_map(|pool| pool.subnet.as_ref()) {
            self.subnets.entry(ocid).or_insert((range, false));
        }
    }

    /// The subnets with ranges of their own, which don't overlap.
    fn cut(&self) -> Vec<(&'a Ocid, IpNet, bool)> {
        let mut taken: BTreeMap<IpNet, usize> = BTreeMap::new();
        let mut cut = Vec::new();
        for (ocid, (range, public)) in &self.subnets {
            let nth = taken.entry(*range).or_default();
            let parts = range.subnets(range.prefix_len().saturating_add(PARTS));
            if let Some(part) = parts.ok().and_then(|mut parts| parts.nth(*nth)) {
                cut.push((*ocid, part, *public));
            }
            *nth += 1;
        }
        cut
    }
}

/// By as many bits subnets are smaller than the range that they stand in.
const PARTS: u8 = 3;

/// Networks that exist, each once.
fn standing(fleet: &Fleet) -> BTreeMap<&Ocid, Standing<'_>> {
    let mut found: BTreeMap<&Ocid, Standing<'_>> = BTreeMap::new();
    for cluster in fleet.clusters.values() {
        let network = match &cluster.network.source {
            NetworkSource::Existing(existing) => Some(existing),
            NetworkSource::Shared { name } => match fleet.networks.get(name).map(|network| &network.source) {
                Some(NetworkSource::Existing(existing)) => Some(existing),
                _ => None,
            },
            NetworkSource::Managed(_) | NetworkSource::Capoci { .. } => None,
        };
        if let Some(existing) = network
            && let Some(OciId::Known(vcn)) = &existing.vcn
        {
            let new = || Standing {
                place: place(cluster),
                ranges: Vec::new(),
                subnets: BTreeMap::new(),
            };
            found.entry(vcn).or_insert_with(new).add(existing, cluster);
        }
    }
    found
}

fn place(cluster: &Cluster) -> Place<'_> {
    Place {
        region: &cluster.region,
        tenancy: cluster.tenancy.as_ref(),
        compartment: cluster.compartment.as_ref(),
    }
}

fn vcn(sandbox: &Sandbox, place: &Place<'_>, ocid: &Ocid, ranges: &[IpNet]) -> Result<(), SandboxError> {
    let (v4, v6): (Vec<&IpNet>, Vec<&IpNet>) = ranges.iter().partition(|range| range.addr().is_ipv4());
    let texts = |ranges: Vec<&IpNet>| -> Vec<String> { ranges.into_iter().map(ToString::to_string).collect() };
    let mut body = json!({"cidrBlocks": texts(v4), "displayName": "existing"});
    if !v6.is_empty() {
        body["isIpv6Enabled"] = true.into();
        body["isOracleGuaAllocationEnabled"] = false.into();
        body["ipv6PrivateCidrBlocks"] = texts(v6).into();
    }
    put(sandbox, place, ocid, "vcns", body)
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
