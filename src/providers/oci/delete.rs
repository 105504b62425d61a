//! Reads of one resource, and deletes.

use std::collections::BTreeSet;

use futures::StreamExt as _;
use http::Method;

use super::calls::{change, get, list_in};
use super::document::{Document, Live, Phase};
use super::error::OciError;
use super::failure::{failed, refused};
use super::kinds::{encode, route};
use super::parts::Wholes;
use super::provider::{Known, OciProvider, Subject};
use super::tags::{self, Whose};
use crate::providers::{DeleteRequest, Observed, ProviderError};
use crate::report::chain;
use crate::resource::oci;
use crate::resource::{Ocid, ResourceId};

/// So many times what changed since it was read is read again: it may be the end of another delete that changes it, as of the
/// other side of a peering.
const STALE: usize = 3;
/// Names shown of what stands in the way; more are counted.
const NAMES: usize = 10;

impl OciProvider {
    /// See [`crate::providers::Provider::read`].
    pub(super) async fn read_one(&self, id: &ResourceId) -> Observed {
        let Some(known) = self.known(id) else {
            return Observed::Unknown("where it is was never learned".to_owned());
        };
        let (Some(kind), Some(route)) = (oci::kind(&id.kind), route(&id.kind)) else {
            return self.read_part(id, &known.place, None, &Wholes::default()).await;
        };
        let subject = Subject {
            id,
            kind,
            route,
            place: &known.place,
        };
        let found = match &known.ocid {
            Some(ocid) => match self.get(subject, ocid).await {
                Ok(live) => Some(live),
                Err(error) if error.is_not_found() => None,
                Err(error) => return Observed::Unknown(chain(&error)),
            },
            None => None,
        };
        let found = match found {
            Some(live) => Some(live),
            // Gone, or hidden from us: what a list of its compartment does not hold is gone.
            None => match self.list(route, &known.place, &known.compartment).await {
                Err(error) => return Observed::Unknown(chain(&error)),
                Ok(listed) => listed.into_iter().find(|live| match &known.ocid {
                    Some(ocid) => live.ocid == *ocid,
                    None => tags::whose(&live.shown, id, &self.fleet) == Whose::Ours && live.phase(kind) != Phase::Gone,
                }),
            },
        };
        match found {
            Some(live) if live.phase(kind) != Phase::Gone => {
                let document = Document::of(id, &live, route, kind, &known.place);
                Observed::Present(document.into_live(&live.ocid, live.etag.as_deref()))
            }
            _ => Observed::Absent,
        }
    }

    /// See [`crate::providers::Provider::delete`].
    pub(super) async fn delete_one(&self, request: DeleteRequest<'_>) -> Result<(), ProviderError> {
        let id = request.id;
        let known = self
            .known(id)
            .ok_or_else(|| refused(id, "where it is was never learned"))?;
        self.is_on_course(id, &known.place)?;
        let (Some(kind), Some(route)) = (oci::kind(&id.kind), route(&id.kind)) else {
            return self.delete_part(id, &known.place, request.uid).await;
        };
        let subject = Subject {
            id,
            kind,
            route,
            place: &known.place,
        };
        for _ in 0..STALE {
            match self.delete_as_read(subject, &known, request.uid).await {
                Err(ProviderError::Stale(_)) => {}
                done => return done,
            }
        }
        self.delete_as_read(subject, &known, request.uid).await
    }

    /// Reads a resource, and deletes it as it was read if it is ours.
    async fn delete_as_read(&self, subject: Subject<'_>, known: &Known, uid: &str) -> Result<(), ProviderError> {
        let Subject { id, kind, route, .. } = subject;
        let live = match self.get(subject, uid).await {
            Ok(live) => live,
            // Whether that means that it is gone is for `read` to find out.
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => return Err(failed("read", id, error)),
        };
        if matches!(live.phase(kind), Phase::Going | Phase::Gone) {
            return Ok(());
        }
        if tags::whose(&live.shown, id, &self.fleet) != Whose::Ours {
            return Err(refused(id, format!("{} carries no mark of ours for it", live.ocid)));
        }
        let path = route.path(&live.ocid);
        let mut call = change(
            route.service,
            subject.place,
            route.operations.delete,
            Method::DELETE,
            path,
            None,
        );
        call.if_match.clone_from(&live.etag);
        match self.client.call(call).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) if error.is_conflict() => {
                let blockers = self.blockers(subject, known, &live).await;
                if blockers.is_empty() {
                    return Err(failed("delete", id, error));
                }
                let more = blockers.len().saturating_sub(NAMES);
                let mut names: Vec<String> = blockers.into_iter().take(NAMES).collect();
                if more > 0 {
                    names.push(format!("and {more} more"));
                }
                Err(refused(id, format!("blocked by {}", names.join(", "))))
            }
            Err(error) => Err(failed("delete", id, error)),
        }
    }

    /// What still hangs on a resource, as far as it can be seen: for people, who have to know what to look for. It may be in
    /// any compartment; those that the fleet uses there are looked through.
    async fn blockers(&self, subject: Subject<'_>, known: &Known, live: &Live) -> BTreeSet<String> {
        let mut compartments = self.compartments(subject.place);
        compartments.insert(known.compartment.clone());
        let lists: Vec<_> = subject
            .kind
            .blocked_by
            .iter()
            .flat_map(|kind| {
                compartments
                    .iter()
                    .map(move |compartment| (*kind, compartment.as_str()))
            })
            .map(|(kind, compartment)| self.blockers_of_kind(kind, subject, compartment, live))
            .collect();
        futures::stream::iter(lists)
            .buffer_unordered(self.options.concurrency)
            .concat()
            .await
            .into_iter()
            .collect()
    }

    async fn blockers_of_kind(
        &self,
        name: &'static str,
        subject: Subject<'_>,
        compartment: &str,
        live: &Live,
    ) -> Vec<String> {
        let unseen = |error: &OciError| {
            // A list that is refused may hide it.
            vec![format!(
                "perhaps a {name} in {compartment}, where none can be listed ({error})"
            )]
        };
        let listed = match (name, subject.kind.name) {
            ("Vnic", "NetworkSecurityGroup") => {
                let path = format!("/networkSecurityGroups/{}/vnics", encode(&live.ocid));
                let call = get(
                    subject.route.service,
                    subject.place,
                    "ListNetworkSecurityGroupVnics",
                    path,
                );
                let vnics = self.client.list(call).await.unwrap_or_default();
                return vnics
                    .iter()
                    .filter_map(|vnic| Some(format!("Vnic {}", vnic.get("vnicId")?.as_str()?)))
                    .collect();
            }
            ("PrivateIp", "Subnet") => {
                let mut call = get(
                    subject.route.service,
                    subject.place,
                    "ListPrivateIps",
                    "/privateIps".to_owned(),
                );
                call.query.push(("subnetId", live.ocid.clone()));
                let addresses = self.client.list(call).await.unwrap_or_default();
                return addresses
                    .iter()
                    .filter_map(|ip| {
                        Some(format!(
                            "PrivateIp {} ({})",
                            ip.get("ipAddress")?.as_str()?,
                            ip.get("id")?.as_str()?
                        ))
                    })
                    .collect();
            }
            ("LoadBalancer", _) => {
                let call = list_in(
                    super::api::Service::LoadBalancer,
                    subject.place,
                    "ListLoadBalancers",
                    "/loadBalancers",
                    compartment,
                    &[],
                );
                match self.client.list(call).await {
                    Ok(shown) => shown.into_iter().filter_map(|shown| Live::new(shown, None)).collect(),
                    Err(error) => return unseen(&error),
                }
            }
            _ => match route(name) {
                Some(route) => match self.list(route, subject.place, compartment).await {
                    Ok(listed) => listed,
                    Err(error) => return unseen(&error),
                },
                None => Vec::new(),
            },
        };
        let of_vcn = [
            live.text("defaultRouteTableId"),
            live.text("defaultSecurityListId"),
            live.text("defaultDhcpOptionsId"),
        ];
        listed
            .iter()
            .filter(|other| other.ocid != live.ocid && names(&other.shown, &live.ocid))
            // They go with their VCN.
            .filter(|other| !of_vcn.contains(&Some(other.ocid.as_str())))
            .filter(|other| {
                oci::kind(name).is_none_or(|kind| !matches!(other.phase(kind), Phase::Gone | Phase::Going))
            })
            .map(|other| {
                let shown_as = other.text("displayName").unwrap_or_default();
                format!("{name} {shown_as} ({})", Ocid::new(&other.ocid))
            })
            .collect()
    }
}

/// Whether an OCID stands anywhere in what was shown.
fn names(shown: &serde_json::Value, ocid: &str) -> bool {
    match shown {
        serde_json::Value::String(text) => text == ocid,
        serde_json::Value::Array(items) => items.iter().any(|item| names(item, ocid)),
        serde_json::Value::Object(map) => map.values().any(|item| names(item, ocid)),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => false,
    }
}
