//! Deletes, of one very object; of a namespace only while nobody else lives in it.

use ::http::Method;
use serde_json::json;

use super::KubernetesProvider;
use super::discovery::kind_of;
use super::http::Call;
use super::inhabited::is_being_deleted;
use super::observe::is_namespace;
use super::status::Refusal;
use crate::providers::{DeleteRequest, Observed, ProviderError};
use crate::resource::ResourceId;

impl KubernetesProvider {
    /// See [`crate::providers::Provider::delete`].
    ///
    /// The UID makes sure that it is the object that was meant. The resourceVersion is a precondition only of what has no
    /// status: elsewhere operators move it all the time, the more so while things are taken down, and what is to go goes
    /// whatever its status says.
    pub(super) async fn delete_one(&self, request: DeleteRequest<'_>) -> Result<(), ProviderError> {
        let id = request.id;
        let kind = kind_of(id, request.api_version);
        let discovery = self.discovered(&kind).await?;
        let path = discovery.path(&kind, id).map_err(|message| ProviderError::Invalid {
            id: Box::new(id.clone()),
            message,
        })?;
        if is_namespace(id)
            && let Err(inhabited) = self.is_left(&discovery, id).await
        {
            // Where it is on its way out already, by whoever's wish, there is nothing to keep.
            return match self.look_up(&discovery, &kind, id).await {
                Observed::Present(live) if live.uid == request.uid && is_being_deleted(&live) => Ok(()),
                Observed::Absent => Ok(()),
                _ => Err(inhabited),
            };
        }
        let mut preconditions = json!({"uid": request.uid});
        if has_no_status(id) {
            preconditions["resourceVersion"] = json!(request.version);
        }
        let options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": preconditions,
            "propagationPolicy": propagation(id),
        });
        let call = Call::json(Method::DELETE, path, &options);
        let answer = self
            .http
            .send(call)
            .await
            .map_err(|error| error.during(format!("delete {id}")))?;
        if answer.is_success() {
            return Ok(());
        }
        let refusal = Refusal::about(&answer, id);
        if refusal.code == 404 && refusal.reason == "NotFound" {
            return Ok(());
        }
        // The server's words on a precondition that fails are no form to go by; what is there now is.
        if refusal.code == 409
            && let Observed::Present(live) = self.look_up(&discovery, &kind, id).await
        {
            if live.uid != request.uid {
                return Err(ProviderError::Replaced(Box::new(id.clone())));
            }
            // A delete that was sent again, or somebody else's.
            if is_being_deleted(&live) {
                return Ok(());
            }
        }
        Err(refusal.into_error("delete", id))
    }
}

/// Whether only somebody's doing makes another version of an object.
fn has_no_status(id: &ResourceId) -> bool {
    id.group.is_empty() && matches!(id.kind.as_str(), "Secret" | "ConfigMap")
}

/// Whether what the object owns goes before it or after it.
///
/// HostedClusters, NodePools and the Cluster API kinds have operators with finalizers, which take down what they made in
/// the right order and only then let the object go; `Foreground` would have the garbage collector run ahead of them and
/// delete the children itself. Workloads have no such operator: their pods go first, so that an absent Deployment means
/// that nothing of it runs.
fn propagation(id: &ResourceId) -> &'static str {
    match id.group.as_str() {
        "apps" | "batch" => "Foreground",
        _ => "Background",
    }
}
