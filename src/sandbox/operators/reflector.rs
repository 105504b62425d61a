//! Follows the objects of one kind: a list, then a watch, and both again whenever the watch ends.

use std::time::Duration;

use futures::StreamExt as _;
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

use crate::sandbox::client::{Client, Resource};
use crate::sandbox::clock::Clock;

/// Pause after a list that failed, by the sandbox's clock.
const PAUSE: Duration = Duration::from_secs(1);

/// What was seen of a kind.
pub(super) enum Seen {
    /// All that there is now; what is not among it is gone.
    All(Resource, Vec<Value>),
    /// An object as it is now.
    Present(Resource, Value),
    /// An object as it was when it went.
    Gone(Resource, Value),
}

/// Tells what it sees until nobody listens any more.
pub(super) async fn follow(client: Client, resource: Resource, clock: Clock, tell: UnboundedSender<Seen>) {
    loop {
        if tell.is_closed() {
            return;
        }
        let (objects, version) = match client.list(&resource).await {
            Ok(listed) => listed,
            Err(error) => {
                // A kind whose CRD was just made is not served yet.
                tracing::debug!(%error, "the operators can't list");
                clock.sleep(PAUSE).await;
                continue;
            }
        };
        if tell.send(Seen::All(resource.clone(), objects)).is_err() {
            return;
        }
        let watch = match client.watch(&resource, &version).await {
            Ok(watch) => watch,
            Err(error) => {
                tracing::debug!(%error, "the operators can't watch");
                clock.sleep(PAUSE).await;
                continue;
            }
        };
        let mut watch = std::pin::pin!(watch);
        loop {
            let event = tokio::select! {
                event = watch.next() => event,
                () = tell.closed() => return,
            };
            let seen = match event {
                Some((kind, object)) if kind == "ADDED" || kind == "MODIFIED" => {
                    Seen::Present(resource.clone(), object)
                }
                Some((kind, object)) if kind == "DELETED" => Seen::Gone(resource.clone(), object),
                Some((kind, _)) if kind == "BOOKMARK" => continue,
                // An ERROR, of which 410 is the usual one, or the end.
                _ => break,
            };
            if tell.send(seen).is_err() {
                return;
            }
        }
    }
}
