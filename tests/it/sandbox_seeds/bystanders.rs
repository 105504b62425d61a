//! What others have beside the fleet: networks in its compartments, routes in the tables that it shares. None of it may
//! change.

use std::collections::{BTreeMap, BTreeSet};

use fleetwright::ops::LoadedFleet;
use fleetwright::resource::Compartment;
use fleetwright::sandbox::Sandbox;
use fleetwright::sandbox::oci::{Principal, Resource};
use serde_json::{Value, json};

const USER: &str = "ocid1.user.oc1..aaaaaaaanetworkteam";

/// Everything that is there before the fleet's first run.
pub(crate) struct Before {
    resources: BTreeMap<String, Resource>,
    shared: BTreeSet<String>,
    objects: BTreeMap<String, Value>,
    /// Writes in the log.
    pub(crate) writes: usize,
}

impl Before {
    /// Remembers what is there. `objects` are those of the API servers.
    pub(crate) fn of(loaded: &LoadedFleet, sandbox: &Sandbox, objects: BTreeMap<String, Value>) -> Self {
        let networks = loaded
            .fleet
            .management_clusters
            .values()
            .filter_map(|cluster| cluster.network.as_ref());
        Self {
            resources: by_id(sandbox),
            shared: networks
                .flat_map(|network| &network.route_tables)
                .map(ToString::to_string)
                .collect(),
            objects,
            writes: sandbox.oci().writes().len(),
        }
    }

    /// OCIDs of what was there.
    pub(crate) fn holds(&self, ocid: &str) -> bool {
        self.resources.contains_key(ocid)
    }

    /// Fails where anything of it is not as it was.
    pub(crate) fn is_untouched(&self, sandbox: &Sandbox, objects: &BTreeMap<String, Value>, seed: u64) {
        let now = by_id(sandbox);
        for (id, before) in &self.resources {
            let after = now
                .get(id)
                .unwrap_or_else(|| panic!("seed {seed}: {} {id} is gone", before.kind));
            if self.shared.contains(id) {
                let (was, is) = (rules(before), rules(after));
                assert!(
                    !was.is_empty() && was.is_subset(&is),
                    "seed {seed}: {id}: {was:?} {is:?}"
                );
            } else {
                assert_eq!(after, before, "seed {seed}");
            }
        }
        for (name, before) in &self.objects {
            let after = objects
                .get(name)
                .unwrap_or_else(|| panic!("seed {seed}: {name} is gone"));
            for field in [
                "/metadata/uid",
                "/metadata/labels",
                "/metadata/annotations",
                "/spec",
                "/data",
                "/type",
            ] {
                assert_eq!(
                    after.pointer(field),
                    before.pointer(field),
                    "seed {seed}: {field} of {name}"
                );
            }
        }
    }
}

fn by_id(sandbox: &Sandbox) -> BTreeMap<String, Resource> {
    let all = sandbox.oci().resources().into_iter();
    all.map(|resource| (resource.id.clone(), resource)).collect()
}

fn rules(table: &Resource) -> BTreeSet<String> {
    let rules = table.body["routeRules"].as_array();
    rules.into_iter().flatten().map(Value::to_string).collect()
}

/// Puts others' things beside the fleet's.
pub(crate) fn put(loaded: &LoadedFleet, sandbox: &Sandbox) {
    let own = &sandbox.identity().principal().tenancy;
    let act = |tenancy: Option<String>, region: &str, method: &str, path: &str, body: Value| -> Value {
        let principal = Principal {
            tenancy: tenancy.unwrap_or_else(|| own.clone()),
            user: USER.to_owned(),
        };
        let done = sandbox.oci().act(&principal, region, method, path, &body);
        done.unwrap_or_else(|refusal| panic!("{method} {path}: {}", refusal.message))
    };
    // A copied mark proves nothing.
    let tags = json!({"fleetwright-fleet": loaded.fleet.uid.as_str(), "fleetwright-id": "copied"});
    let clusters = loaded.fleet.clusters.values();
    let places: BTreeSet<(Option<String>, String, String)> = clusters
        .filter_map(|cluster| match &cluster.compartment {
            Some(Compartment::Id(compartment)) => Some((
                cluster.tenancy.as_ref().map(ToString::to_string),
                cluster.region.clone(),
                compartment.to_string(),
            )),
            _ => None,
        })
        .collect();
    assert!(!places.is_empty(), "no compartment is known by its OCID");
    for (tenancy, region, compartment) in places {
        let vcn = json!({"compartmentId": compartment, "displayName": "others", "cidrBlocks": ["192.168.0.0/16"],
            "freeformTags": tags});
        let vcn = act(tenancy.clone(), &region, "POST", "/20160918/vcns", vcn);
        let group = json!({"compartmentId": compartment, "displayName": "others", "vcnId": vcn["id"]});
        act(tenancy, &region, "POST", "/20160918/networkSecurityGroups", group);
    }
    let clusters = loaded.fleet.management_clusters.values();
    for network in clusters.filter_map(|cluster| cluster.network.as_ref()) {
        let tenancy = network.tenancy.as_ref().map(ToString::to_string);
        let Compartment::Id(compartment) = &network.compartment else {
            continue;
        };
        let gateway = json!({"compartmentId": compartment.as_str(), "displayName": "others", "isEnabled": true,
            "vcnId": network.vcn.as_str()});
        let gateway = act(
            tenancy.clone(),
            &network.region,
            "POST",
            "/20160918/internetGateways",
            gateway,
        );
        let rule = json!({"destination": "0.0.0.0/0", "destinationType": "CIDR_BLOCK", "networkEntityId": gateway["id"],
            "description": "others' way out"});
        for table in &network.route_tables {
            let path = format!("/20160918/routeTables/{table}");
            act(
                tenancy.clone(),
                &network.region,
                "PUT",
                &path,
                json!({"routeRules": [rule]}),
            );
        }
    }
}
