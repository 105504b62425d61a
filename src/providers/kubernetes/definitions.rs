//! The definition of a kind, where a server has one.

use super::KubernetesProvider;
use super::discovery::Addressing;
use crate::providers::{Kind, Observed};
use crate::resource::{ResourceId, Target};

impl KubernetesProvider {
    /// Reads the CustomResourceDefinition of a kind; absent where the kind comes from elsewhere. `target` is this server.
    pub async fn read_definition(&self, kind: &Kind, target: Target) -> Observed {
        let discovery = match self.discovered(kind).await {
            Ok(discovery) => discovery,
            Err(error) => return Observed::Unknown(crate::report::chain(&error)),
        };
        match discovery.find(kind) {
            Ok(Addressing { plural, .. }) => {
                let id = ResourceId {
                    target,
                    group: "apiextensions.k8s.io".to_owned(),
                    kind: "CustomResourceDefinition".to_owned(),
                    namespace: None,
                    name: format!("{plural}.{}", kind.group),
                };
                self.read_one(&id, "apiextensions.k8s.io/v1").await
            }
            Err(reason) => Observed::Unknown(reason),
        }
    }
}
