//! One object by name.

use std::sync::atomic::Ordering;

use super::KubernetesProvider;
use super::discovery::{Discovery, kind_of};
use super::http::{Answer, Call, HttpError, escape};
use super::list::Item;
use super::status::Refusal;
use crate::providers::{Kind, Observed};
use crate::resource::ResourceId;

impl KubernetesProvider {
    /// Reads one object afresh.
    pub(super) async fn read_one(&self, id: &ResourceId, api_version: &str) -> Observed {
        let kind = kind_of(id, api_version);
        match self.discovered(&kind).await {
            Ok(discovery) => self.look_up(&discovery, &kind, id).await,
            Err(error) => Observed::Unknown(error.to_string()),
        }
    }

    /// GETs an object. Absent only by the server's own word about that very object; a proxy's 404 is no such word, nor is
    /// the one for a path that the server does not know.
    pub(super) async fn look_up(&self, discovery: &Discovery, kind: &Kind, id: &ResourceId) -> Observed {
        let path = match discovery.path(kind, id) {
            Ok(path) => path,
            Err(reason) => return Observed::Unknown(reason),
        };
        seen(self.http.send(Call::get(path)).await, kind, id)
    }

    /// The same for an object of which it is enough to know how it was when a LIST showed the state `version`, or later.
    ///
    /// A plain GET has the server ask its store, and decode what that says. This one it answers out of its memory as soon as
    /// that has come to `version`: as true, and half the work. A server whose memory doesn't get there within seconds (an
    /// old one, or one that keeps the kind in a store of its own, whose versions are others) refuses; it is asked plainly.
    pub(super) async fn look_up_since(
        &self,
        discovery: &Discovery,
        (kind, id): (&Kind, &ResourceId),
        version: &str,
    ) -> Observed {
        if version.is_empty() || self.forgetful.load(Ordering::Relaxed) {
            return self.look_up(discovery, kind, id).await;
        }
        let path = match discovery.path(kind, id) {
            Ok(path) => path,
            Err(reason) => return Observed::Unknown(reason),
        };
        let call = Call::get(format!("{path}?resourceVersion={}", escape(version)));
        match self.http.send(call).await {
            Ok(answer) if [400, 410, 504].contains(&answer.status) => {
                self.forgetful.store(true, Ordering::Relaxed);
                self.look_up(discovery, kind, id).await
            }
            answer => seen(answer, kind, id),
        }
    }
}

/// What an answer says of an object.
fn seen(answer: Result<Answer, HttpError>, kind: &Kind, id: &ResourceId) -> Observed {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Observed::Unknown(format!("get {id}: {}", error.line())),
    };
    if answer.is_success() {
        return match Item::parse(&answer.text, kind) {
            Ok(item) => Observed::Present(item.object),
            Err(error) => Observed::Unknown(format!("get {id}: {error}")),
        };
    }
    let refusal = Refusal::about(&answer, id);
    if refusal.code == 404 && refusal.reason == "NotFound" {
        Observed::Absent
    } else {
        Observed::Unknown(refusal.unknown("get", &id.to_string()))
    }
}
