//! What somebody suspends is heard, whatever else happens to the object that says so.

use fleetwright::ops::{self, Meant};
use fleetwright::providers::ProviderError;
use fleetwright::providers::kubernetes::NewSync;
use fleetwright::resource::{ClusterName, UnitId};
use fleetwright::sync::{SyncKind, UnitSync, unit_object};

use super::world::World;

#[tokio::test(start_paused = true)]
async fn a_cluster_sync_that_somebody_suspends_meanwhile_is_not_taken_away() {
    let world = World::of(&[("a", "")]).await;
    let fleet = &world.loaded.fleet;
    let names: Vec<_> = fleet.management_clusters.keys().cloned().collect();
    let providers = world.access.connect(fleet, &names).await.expect("a connection");
    let (_, provider) = providers.iter().next().expect("one");
    let unit = UnitId::Cluster(ClusterName::new("a"));
    let name = unit_object(&fleet.name, &unit);
    let new = NewSync {
        kind: SyncKind::ClusterSync,
        name: &name,
        fleet: (&fleet.name, &world.loaded.revised.fleet),
        unit: &unit,
        annotations: std::collections::BTreeMap::new(),
    };
    let read = provider.create_sync::<UnitSync>(&new).await.expect("an answer");
    let read = read.expect("it is installed");
    let meant = Meant::Cluster("a".to_owned());
    ops::suspend(&world.loaded, &world.access, &meant, "a look", None)
        .await
        .expect("a suspension");

    let swept = provider.delete_sync(SyncKind::ClusterSync, &read).await;
    assert!(matches!(swept, Err(ProviderError::Stale(_))), "{swept:?}");
    let now = provider.read_sync::<UnitSync>(SyncKind::ClusterSync, &name).await;
    let now = now.expect("an answer").expect("it is there still");
    assert!(
        now.annotations.keys().any(|key| key.contains("suspend")),
        "{:?}",
        now.annotations
    );
    provider
        .delete_sync(SyncKind::ClusterSync, &now)
        .await
        .expect("as it was read");
}
