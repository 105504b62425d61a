//! Events of `events.k8s.io/v1`: news for whoever watches a namespace.
//!
//! Invariant: nothing waits for one. What can't be published is only logged, for it is in the status as well.

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::news::News;
use super::series::{Next, Series};
use crate::providers::kubernetes::{INVENTORY_NAMESPACE, KubernetesProvider};
use crate::report::chain;
use crate::sync::{API_VERSION, Record, SyncKind};

/// What was published of late.
pub(super) struct Events {
    began: Instant,
    series: Series,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            series: Series::default(),
        }
    }
}

impl Events {
    /// Publishes news about an object.
    pub(super) async fn publish<T>(
        &mut self,
        provider: &KubernetesProvider,
        kind: SyncKind,
        object: &Record<T>,
        all: Vec<News>,
    ) {
        for news in all {
            let now = self.began.elapsed();
            let time = Timestamp::now();
            let published = match self.series.next(&object.name, &news, now) {
                Next::Again { event, count } => {
                    let patch = json!({"series": {"count": count, "lastObservedTime": micro(time)}});
                    match provider.patch_event(&event, &patch).await {
                        Ok(true) => continue,
                        Ok(false) => {
                            self.series.ended(&object.name, &news);
                            None
                        }
                        Err(error) => Some(error),
                    }
                }
                Next::First => None,
            };
            let failed = match published {
                Some(error) => Some(error),
                None => {
                    let name = format!("{}.{:x}", object.name, time.as_nanosecond());
                    let event = event(&name, kind, object, &news, time);
                    match provider.create_event(&event).await {
                        Ok(()) => {
                            self.series.began(&object.name, &news, name, now);
                            None
                        }
                        Err(error) => Some(error),
                    }
                }
            };
            if let Some(error) = failed {
                tracing::debug!(
                    object = object.name,
                    error = chain(&error),
                    "an Event can't be published"
                );
            }
        }
    }
}

/// A time as Events have it.
fn micro(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

fn event<T>(name: &str, kind: SyncKind, object: &Record<T>, news: &News, time: Timestamp) -> Value {
    json!({
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": INVENTORY_NAMESPACE},
        "eventTime": micro(time),
        "reportingController": "fleetwright.dev/daemon",
        "reportingInstance": "fleetwright",
        "type": if news.is_warning { "Warning" } else { "Normal" },
        "reason": news.reason,
        "action": news.action,
        "note": news.note,
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": kind.name(),
            "namespace": INVENTORY_NAMESPACE,
            "name": object.name,
            "uid": object.uid,
        },
    })
}
