//! The records on an API server as the store that plan and apply know.

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::inventory::{InventoryStore, StoredInventory};
use crate::inventory::UnitInventory;
use crate::providers::{self, InventoryError, Stored};
use crate::resource::FleetUid;

impl providers::InventoryStore for InventoryStore {
    fn load_all<'a>(&'a self, fleet: &'a FleetUid) -> BoxFuture<'a, Result<Vec<Stored>, InventoryError>> {
        async move {
            let records = InventoryStore::load_all(self, fleet).await?;
            let stored = |StoredInventory { inventory, version }| Stored {
                inventory,
                version: Some(version),
                supersedes: None,
            };
            Ok(records.into_iter().map(stored).collect())
        }
        .boxed()
    }

    fn save<'a>(
        &'a self,
        inventory: &'a UnitInventory,
        expected: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Option<String>, InventoryError>> {
        async move {
            if !inventory.entries.is_empty() {
                return InventoryStore::save(self, inventory, expected).await.map(Some);
            }
            if let Some(version) = expected {
                let stored = StoredInventory {
                    inventory: inventory.clone(),
                    version: version.to_owned(),
                };
                self.remove(&stored).await?;
            }
            Ok(None)
        }
        .boxed()
    }
}
