//! One object by name.

use super::KubernetesProvider;
use super::discovery::{Discovery, kind_of};
use super::http::Call;
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
        let answer = match self.http.send(Call::get(path)).await {
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
}
