//! Whether an answer is of the region that was asked.
//!
//! An address can lead elsewhere: a region's name left out of `--oci-endpoint`, a proxy that knows one region alone. What such a
//! place says is no lie, it is about something else: its lists can be read, and hold nothing of ours. So an OCID of another
//! region or realm is an error, and an empty list says that something is absent only where the place has shown what region it
//! is: by anything that it lists, else by Oracle's services, which every region has, under OCIDs of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use super::api::{Place, Service};
use super::calls::get;
use super::error::OciError;
use super::failure::refused;
use super::provider::{OciProvider, nonsense};
use super::shelf::Shelf;
use crate::providers::ProviderError;
use crate::report::chain;
use crate::resource::{ResourceId, regions};

/// What an OCID is of, where that is not the region that was asked: `eu-frankfurt-1`, or the realm. What is global is of every
/// region of its realm.
pub(super) fn elsewhere(ocid: &str, asked: &str) -> Option<String> {
    let parts: Vec<&str> = ocid.split('.').collect();
    let ["ocid1", _, realm, region, _, ..] = parts.as_slice() else {
        return None;
    };
    let of = || regions::find(region).map_or(*region, |known| known.id).to_owned();
    match regions::find(asked) {
        Some(known) if *realm != known.realm => Some(format!("realm {realm}")),
        Some(known) => (!region.is_empty() && *region != known.id && *region != known.key).then(of),
        // Of a region that is newer than the table neither key nor realm is known: only that it is none of the others.
        None => regions::find(region).map(|known| known.id.to_owned()),
    }
}

/// Fails where an OCID is of another region.
pub(super) fn of_region(ocid: &str, place: &Place, operation: &'static str) -> Result<(), OciError> {
    match elsewhere(ocid, &place.region) {
        None => Ok(()),
        Some(of) => Err(OciError::Elsewhere {
            operation,
            asked: place.region.clone(),
            ocid: ocid.to_owned(),
            of,
        }),
    }
}

/// What places have shown of themselves in one observation.
#[derive(Default)]
pub(super) struct Proofs {
    seen: BTreeSet<Place>,
    asked: tokio::sync::Mutex<BTreeMap<Place, Result<(), String>>>,
}

impl Proofs {
    /// Takes note of a list that was read: what it holds is of the region, or the list had failed.
    pub(super) fn note(&mut self, service: Service, place: &Place, shelf: &Shelf) {
        if service == Service::Core && !shelf.is_empty() {
            self.seen.insert(place.clone());
        }
    }
}

impl OciProvider {
    /// Whether a place has shown that it is the region that was asked; where it has not, why nothing follows from its lists.
    pub(super) async fn prove(&self, place: &Place, proofs: &Proofs) -> Result<(), String> {
        if proofs.seen.contains(place) {
            return Ok(());
        }
        let mut asked = proofs.asked.lock().await;
        if let Some(known) = asked.get(place) {
            return known.clone();
        }
        let proof = self.ask_services(place).await;
        let proof = proof.map(drop).map_err(|error| {
            format!(
                "nothing is listed, and whether {} was asked is not proved: {}",
                place.region,
                chain(&error)
            )
        });
        asked.insert(place.clone(), proof.clone());
        proof
    }

    /// The services that a region lists, each under an OCID of that region.
    pub(super) async fn list_services(&self, place: &Place) -> Result<Vec<serde_json::Value>, OciError> {
        const OPERATION: &str = "ListServices";
        let call = get(Service::Core, place, OPERATION, "/services".to_owned());
        let listed = self.client.list(call).await?;
        let ids = listed.iter().filter_map(|service| service.get("id")?.as_str());
        let mut none = true;
        for id in ids {
            of_region(id, place, OPERATION)?;
            none = false;
        }
        if none {
            return Err(nonsense(OPERATION, "a region without any of Oracle's services is none"));
        }
        Ok(listed)
    }

    /// Takes note that a create was answered from elsewhere, and says what to do about what it has made there.
    pub(super) fn strayed(&self, id: &ResourceId, place: &Place, error: &OciError) -> ProviderError {
        let mut astray = self.astray.lock().unwrap_or_else(PoisonError::into_inner);
        astray.insert(place.clone());
        refused(
            id,
            format!(
                "{error}; delete it there: this run writes nothing more to {}",
                place.region
            ),
        )
    }

    /// Refuses writes to a place that has answered from elsewhere since the last observation.
    pub(super) fn is_on_course(&self, id: &ResourceId, place: &Place) -> Result<(), ProviderError> {
        let astray = self.astray.lock().unwrap_or_else(PoisonError::into_inner);
        if astray.contains(place) {
            let region = &place.region;
            return Err(refused(
                id,
                format!("a create for {region} was answered from elsewhere: nothing more is written there in this run"),
            ));
        }
        Ok(())
    }

    /// A new observation finds out anew where its answers come from.
    pub(super) fn begin_anew(&self) {
        self.astray.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ocid_is_of_its_region_by_id_or_key_and_of_its_realm() {
        let of = |ocid: &str, asked: &str| elsewhere(ocid, asked);
        for fits in [
            "ocid1.vcn.oc1.fra.aaaa",
            "ocid1.vcn.oc1.eu-frankfurt-1.aaaa",
            "ocid1.vcn.oc1.eu-frankfurt-1.future.aaaa",
            "ocid1.dns-zone.oc1..aaaa",
            "no OCID at all",
        ] {
            assert_eq!(of(fits, "eu-frankfurt-1"), None, "{fits}");
        }
        assert_eq!(
            of("ocid1.vcn.oc1.iad.aaaa", "eu-frankfurt-1").as_deref(),
            Some("us-ashburn-1")
        );
        assert_eq!(of("ocid1.vcn.oc1.xyz.aaaa", "eu-frankfurt-1").as_deref(), Some("xyz"));
        assert_eq!(
            of("ocid1.zone.oc2..aaaa", "eu-frankfurt-1").as_deref(),
            Some("realm oc2")
        );
        // Of a region that is newer than the table.
        assert_eq!(of("ocid1.vcn.oc1.eu-nowhere-1.aaaa", "eu-nowhere-1"), None);
        assert_eq!(of("ocid1.vcn.oc1.nwh.aaaa", "eu-nowhere-1"), None);
        assert_eq!(
            of("ocid1.vcn.oc1.fra.aaaa", "eu-nowhere-1").as_deref(),
            Some("eu-frankfurt-1")
        );
    }
}
