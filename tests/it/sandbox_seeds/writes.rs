//! What the sandbox's log of writes has to say: everything made once, nothing changed that is somebody else's.

use std::collections::BTreeMap;

use fleetwright::ops::LoadedFleet;
use fleetwright::sandbox::Sandbox;
use fleetwright::sandbox::oci::LoggedWrite;

const GUEST: &str = "ocid1.user.oc1..aaaaaaaaguestcloudcontroller";
/// Who changes what is ours behind our back.
pub(crate) const SOMEBODY: &str = "ocid1.user.oc1..aaaaaaaasomebody";

/// What a resource is, whoever made it however often: its kind, place and name.
type What = (&'static str, String, String);

/// Looks at every write of a run; `since` of them were made before it. Gives how many resources the fleet made.
pub(crate) fn check(loaded: &LoadedFleet, sandbox: &Sandbox, since: usize, seed: u64) -> usize {
    let own = &sandbox.identity().principal().user;
    let mut living: BTreeMap<What, String> = BTreeMap::new();
    let mut made = 0;
    for write in sandbox.oci().writes().iter().skip(since) {
        let ours = is_ours(loaded, write);
        let may = match () {
            () if write.principal.user == *own => ours || is_shared(loaded, write),
            () if write.principal.user == SOMEBODY => !write.operation.starts_with("Create"),
            () if write.principal.user == GUEST => write.kind == "NetworkLoadBalancer" && !ours,
            () => false,
        };
        assert!(
            may,
            "seed {seed}: {} by {} of {} {}, which is not theirs: {:?}",
            write.operation, write.principal.user, write.kind, write.resource, write.tags
        );
        if write.operation.starts_with("Create") {
            let by_fleet = write.principal.user == *own;
            assert!(
                !by_fleet || write.retry_token.is_some(),
                "seed {seed}: {} {} was made without a retry token",
                write.kind,
                write.display_name
            );
            made += usize::from(by_fleet);
            let before = living.insert(what(write), write.resource.clone());
            assert_eq!(
                before, None,
                "seed {seed}: {} {} was made twice, the second is {}",
                write.kind, write.display_name, write.resource
            );
        }
        if write.operation.starts_with("Delete") {
            living.retain(|_, resource| *resource != write.resource);
        }
    }
    made
}

fn what(write: &LoggedWrite) -> What {
    let place = write.principal.tenancy.clone();
    let name = match write.tags.get("fleetwright-id") {
        Some(id) => id.clone(),
        None => write.display_name.clone(),
    };
    (write.kind, place, name)
}

fn is_ours(loaded: &LoadedFleet, write: &LoggedWrite) -> bool {
    let fleet = write.tags.get("fleetwright-fleet");
    fleet.is_some_and(|tag| *tag == loaded.fleet.uid.as_str()) && write.tags.contains_key("fleetwright-id")
}

/// Somebody else's resource in which the fleet has rules of its own: the route tables of management clusters.
fn is_shared(loaded: &LoadedFleet, write: &LoggedWrite) -> bool {
    let networks = loaded
        .fleet
        .management_clusters
        .values()
        .filter_map(|cluster| cluster.network.as_ref());
    let mut tables = networks.flat_map(|network| &network.route_tables);
    write.operation == "UpdateRouteTable" && tables.any(|table| table.as_str() == write.resource)
}
