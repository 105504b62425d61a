//! Connections that outlive one plan, for as long as what they were made by says the same.
//!
//! Invariant: what can't be read is not the same as before, and nothing new either: a file may be about to be replaced.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock};

use tokio::time::Instant;

use super::connect::{Access, locked};
use crate::fleet::model::Fleet;
use crate::providers::kubernetes::{KubernetesProvider, ServiceAccount, files_of};
use crate::providers::oci::OciProvider;
use crate::resource::{Digest, ManagementClusterName};

/// Connections that are made once and used again, for whoever plans often.
#[derive(Debug, Default)]
pub struct Held {
    pub(super) kubernetes: Mutex<BTreeMap<ManagementClusterName, Arc<KubernetesProvider>>>,
    /// With the tenancies that it has credentials for.
    pub(super) oci: Mutex<Option<(BTreeSet<String>, Arc<OciProvider>)>>,
    /// Management clusters that did not answer: until when they are not asked again, and why.
    pub(super) away: Mutex<BTreeMap<ManagementClusterName, (Instant, String)>>,
    /// What they go by, as it was when the first was made; none where it could not be read.
    credentials: OnceLock<Option<Digest>>,
}

impl Access {
    /// Notes by what the first connection is made.
    pub(super) fn note_credentials(&self) {
        if let Some(held) = &self.held {
            held.credentials.get_or_init(|| self.credentials());
        }
    }

    /// What is good still of connections that were made for a fleet, after its files have changed: those to management clusters
    /// that are reached as before, by files that hold what they held. With OCI it begins anew.
    pub fn held_on(&self, held: &Held, before: &Fleet, now: &Fleet) -> Held {
        let credentials = held.credentials.get().copied().flatten();
        if credentials.is_none() || credentials != self.credentials() {
            return Held::default();
        }
        let contexts = |fleet: &Fleet| -> BTreeMap<ManagementClusterName, String> {
            let clusters = fleet.management_clusters.iter();
            clusters
                .map(|(name, cluster)| (name.clone(), cluster.context.clone()))
                .collect()
        };
        let (before, now) = (contexts(before), contexts(now));
        let mut known = locked(&held.kubernetes).clone();
        known.retain(|name, _| now.contains_key(name) && before.get(name) == now.get(name));
        Held {
            kubernetes: Mutex::new(known),
            credentials: OnceLock::from(credentials),
            ..Held::default()
        }
    }

    /// Whether what the connections were made by says something else now: another token, certificate, authority or address.
    pub fn is_renewed(&self) -> bool {
        let Some(before) = self.held.as_ref().and_then(|held| held.credentials.get()) else {
            return false;
        };
        self.credentials().is_some_and(|now| *before != Some(now))
    }

    /// What the kubeconfigs, or the pod's service account, say, and the files that they name; none where one can't be read. A
    /// token in a file of its own is no part of it, for that is read again by whoever signs in with it.
    fn credentials(&self) -> Option<Digest> {
        let authority = self.in_cluster.as_ref().map(ServiceAccount::authority);
        let paths = match &authority {
            Some(authority) => std::slice::from_ref(authority),
            None => self.kubeconfigs.as_slice(),
        };
        let texts: Option<Vec<Vec<u8>>> = paths.iter().map(|path| std::fs::read(path).ok()).collect();
        let mut texts = texts?;
        if authority.is_none() {
            let named = paths.iter().flat_map(|path| files_of(path));
            // What another context names may never have been there.
            texts.extend(named.map(|path| std::fs::read(path).unwrap_or_default()));
        }
        Some(Digest::of_parts(texts.iter().map(Vec::as_slice)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::connect::tests::{fleet, kubeconfig, pod};

    #[tokio::test]
    async fn a_connection_is_kept_while_it_leads_to_the_same_place_by_the_same_kubeconfig() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (fleet(folder.path(), "one"), fleet(folder.path(), "two"));
        let file = folder.path().join("kubeconfig");
        std::fs::write(&file, kubeconfig("first")).unwrap();
        let held = Arc::new(Held::default());
        let access = Access {
            kubeconfigs: vec![file.clone()],
            held: Some(held.clone()),
            ..Access::default()
        };
        let name = ManagementClusterName::new("m");
        let made = access.connect(&one, std::slice::from_ref(&name)).await.unwrap();
        let kept = |before: &Fleet, now: &Fleet| {
            locked(&access.held_on(&held, before, now).kubernetes)
                .get(&name)
                .cloned()
        };
        assert!(Arc::ptr_eq(&kept(&one, &one).unwrap(), &made[&name]));
        assert!(kept(&one, &two).is_none(), "another context");
        assert!(!access.is_renewed());
        std::fs::write(&file, kubeconfig("second")).unwrap();
        assert!(kept(&one, &one).is_none(), "other credentials");
        assert!(access.is_renewed());
        std::fs::remove_file(&file).unwrap();
        assert!(kept(&one, &one).is_none(), "unknown is not the same");
        assert!(!access.is_renewed(), "and nothing new");
    }

    #[tokio::test]
    async fn renewed_is_what_a_kubeconfig_names_too_and_the_authority_of_a_pod() {
        let folder = tempfile::tempdir().unwrap();
        let one = fleet(folder.path(), "one");
        let name = ManagementClusterName::new("m");
        let (file, certificate) = (folder.path().join("kubeconfig"), folder.path().join("client.crt"));
        // Beside the kubeconfig, as its relative path says.
        let text = kubeconfig("t").replace(r#""token":"t""#, r#""client-certificate":"client.crt","token":"t""#);
        assert!(text.contains("client.crt"));
        std::fs::write(&file, text).unwrap();
        std::fs::write(&certificate, "first").unwrap();
        let of_file = Access {
            kubeconfigs: vec![file],
            held: Some(Arc::default()),
            ..Access::default()
        };
        let of_pod = Access {
            in_cluster: Some(pod(folder.path())),
            held: Some(Arc::default()),
            ..Access::default()
        };
        assert!(
            !of_file.is_renewed() && !of_pod.is_renewed(),
            "there is no connection yet"
        );
        of_file.note_credentials();
        of_pod.connect(&one, std::slice::from_ref(&name)).await.unwrap();
        // The token of a pod is read again each time.
        std::fs::write(folder.path().join("token"), "other").unwrap();
        assert!(!of_file.is_renewed() && !of_pod.is_renewed());
        std::fs::write(&certificate, "second").unwrap();
        assert!(of_file.is_renewed() && !of_pod.is_renewed());
        std::fs::write(folder.path().join("ca.crt"), "\n").unwrap();
        assert!(of_pod.is_renewed());
    }
}
