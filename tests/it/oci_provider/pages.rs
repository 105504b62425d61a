//! How long the pages of lists are.

use fleetwright::providers::Observed;

use super::world::{World, vcn};

#[tokio::test(start_paused = true)]
async fn a_service_that_takes_no_such_page_is_asked_without() {
    let world = World::new();
    let network = vcn(&world, "net", "10.0.0.0/16");
    world.create(&network).await;
    world.sent("GET", "/vcns");
    assert!(matches!(world.observe_one(&network).await, Observed::Present(_)));
    assert_eq!(world.sent("GET", "/vcns"), 1);
    world.takes_pages_up_to(100);
    assert!(matches!(world.observe_one(&network).await, Observed::Present(_)));
    assert_eq!(world.sent("GET", "/vcns"), 2);
}
