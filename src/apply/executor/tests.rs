//! The executor on paused time, over a store that takes its while.

use futures::future::BoxFuture;
use tokio::time::{sleep, timeout};

use super::*;
use crate::inventory::UnitInventory;
use crate::plan::change::tests::{change, plan};
use crate::providers::{Observation, ObserveRequest, WriteRequest, WriteResponse};
use crate::resource::FleetUid;

/// A store whose every save takes a second.
struct Slow;

impl InventoryStore for Slow {
    fn load_all<'a>(&'a self, _: &'a FleetUid) -> BoxFuture<'a, Result<Vec<Stored>, ProviderError>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn save<'a>(
        &'a self,
        _: &'a UnitInventory,
        _: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Option<String>, ProviderError>> {
        sleep(Duration::from_secs(1)).map(|()| Ok(Some("1".to_owned()))).boxed()
    }
}

/// A control plane on which every write is refused.
struct Refuses;

fn refusal(verb: &str) -> ProviderError {
    ProviderError::Forbidden {
        verb: verb.to_owned(),
        what: "anything".to_owned(),
    }
}

impl Provider for Refuses {
    fn observe<'a>(&'a self, _: ObserveRequest<'a>) -> BoxFuture<'a, Result<Observation, ProviderError>> {
        async { Err(refusal("list")) }.boxed()
    }

    fn read<'a>(&'a self, _: &'a ResourceId, _: &'a str) -> BoxFuture<'a, Observed> {
        async { Observed::Unknown("no right".to_owned()) }.boxed()
    }

    fn preview<'a>(&'a self, _: WriteRequest<'a>) -> BoxFuture<'a, Result<WriteResponse, ProviderError>> {
        async { Err(refusal("patch")) }.boxed()
    }

    fn write<'a>(&'a self, _: WriteRequest<'a>) -> BoxFuture<'a, Result<WriteResponse, ProviderError>> {
        async { Err(refusal("patch")) }.boxed()
    }

    fn delete<'a>(&'a self, _: DeleteRequest<'a>) -> BoxFuture<'a, Result<(), ProviderError>> {
        async { Err(refusal("delete")) }.boxed()
    }
}

struct Nobody;

impl Observer for Nobody {
    fn event(&self, _: &Event) {}
}

/// One that fails at once closes its record while another of the unit still stores it.
#[tokio::test(start_paused = true)]
async fn a_change_that_fails_while_its_record_is_being_stored_holds_nobody_up() {
    let mut elsewhere = change("a", "ConfigMap", "y", Action::Create);
    elsewhere.id.target = Target::Kubernetes(ManagementClusterName::new("unknown"));
    let plan = plan(vec![change("a", "ConfigMap", "x", Action::Create), elsewhere]);
    let provider: &dyn Provider = &Refuses;
    let store: &dyn InventoryStore = &Slow;
    let management = ManagementClusterName::new("m");
    let run = Run {
        plan: &plan,
        providers: &BTreeMap::from([(Target::Kubernetes(management.clone()), provider)]),
        stores: &BTreeMap::from([(management, store)]),
        inventories: &BTreeMap::new(),
        revised: &plan.revised,
        options: Options::default(),
        interrupted: &AtomicBool::new(false),
    };
    let outcome = timeout(Duration::from_secs(60), execute(&run, &Nobody))
        .await
        .expect("an end");
    assert!(
        matches!(
            &outcome.results[..],
            [Some(ChangeResult::Failed { .. }), Some(ChangeResult::Failed { .. })]
        ),
        "{:?}",
        outcome.results
    );
    assert!(outcome.inventory_errors.is_empty(), "{:?}", outcome.inventory_errors);
}
