//! Waits: for a resource to be usable, and for what runs in the background to end.

use std::time::Duration;

use tokio::time::Instant;

use super::api::Place;
use super::calls::get;
use super::document::{Live, Phase};
use super::error::OciError;
use super::failure::{failed, refused};
use super::kinds::{Route, encode};
use super::provider::{OciProvider, Subject};
use crate::providers::ProviderError;
use crate::resource::{Digest, ResourceId};

/// How much later than the first the last pause may be.
const GROWTH: u32 = 10;

impl OciProvider {
    /// Looks at a resource until it is usable. `seen` is what is known of it already.
    pub(super) async fn until_ready(&self, subject: Subject<'_>, seen: Live) -> Result<Live, ProviderError> {
        let Subject { id, kind, .. } = subject;
        let mut pauses = self.pauses(id);
        let mut live = seen;
        loop {
            match live.phase(kind) {
                Phase::Ready => return Ok(live),
                Phase::Moving => {}
                Phase::Going | Phase::Gone => return Err(refused(id, "it is being deleted by somebody else")),
                Phase::Failed => {
                    let details = live.text("lifecycleDetails").unwrap_or("no details are given");
                    return Err(refused(id, format!("it has failed for good: {details}")));
                }
            }
            let state = live.text("lifecycleState").unwrap_or_default().to_owned();
            if !pauses.next().await {
                let seconds = self.options.deadline.as_secs();
                return Err(refused(id, format!("it is still {state} after {seconds}s")));
            }
            live = self
                .get(subject, &live.ocid)
                .await
                .map_err(|error| failed("read", id, error))?;
        }
    }

    /// Waits for a work request to end well.
    pub(super) async fn until_done(
        &self,
        id: &ResourceId,
        route: &Route,
        place: &Place,
        work: &str,
    ) -> Result<(), ProviderError> {
        let mut pauses = self.pauses(id);
        loop {
            let path = format!("/workRequests/{}", encode(work));
            let answer = self
                .client
                .call(get(route.service, place, "GetWorkRequest", path))
                .await
                .map_err(|error| failed("read the work request of", id, error))?;
            let status = answer.body.get("status").and_then(serde_json::Value::as_str);
            match status {
                Some("SUCCEEDED") => return Ok(()),
                Some("FAILED" | "CANCELED") => {
                    let compartment = answer.body.get("compartmentId").and_then(serde_json::Value::as_str);
                    let errors = self.work_errors(route, place, compartment, work).await;
                    return Err(refused(id, errors));
                }
                _ => {}
            }
            if !pauses.next().await {
                return Err(refused(id, format!("its work request {work} has not ended")));
            }
        }
    }

    async fn work_errors(&self, route: &Route, place: &Place, compartment: Option<&str>, work: &str) -> String {
        let path = format!("/workRequests/{}/errors", encode(work));
        let mut call = get(route.service, place, "ListWorkRequestErrors", path);
        call.query
            .extend(compartment.map(|compartment| ("compartmentId", compartment.to_owned())));
        let errors: Result<_, OciError> = self.client.list(call).await;
        let messages: Vec<String> = errors
            .unwrap_or_default()
            .iter()
            .filter_map(|error| error.get("message")?.as_str().map(str::to_owned))
            .collect();
        format!("its work request {work} failed: {}", messages.join("; "))
    }

    pub(super) fn pauses(&self, id: &ResourceId) -> Pauses {
        let seed = Digest::of_parts([id.kind.as_bytes(), id.name.as_bytes(), &self.options.seed.to_be_bytes()]);
        Pauses {
            next: self.options.pause,
            longest: self.options.pause * GROWTH,
            until: Instant::now() + self.options.deadline,
            // Each resource looks at times of its own: many that were begun together don't all come back at once.
            share: 0.75 + f64::from(seed.as_bytes()[0]) / 512.0,
        }
    }
}

/// Pauses that grow, up to a deadline.
pub(super) struct Pauses {
    next: Duration,
    longest: Duration,
    until: Instant,
    share: f64,
}

impl Pauses {
    /// Waits; false where the deadline has passed.
    pub(super) async fn next(&mut self) -> bool {
        if Instant::now() >= self.until {
            return false;
        }
        tokio::time::sleep(self.next.mul_f64(self.share)).await;
        self.next = (self.next * 3 / 2).min(self.longest);
        true
    }
}
