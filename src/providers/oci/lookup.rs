//! Looking things up that are not ours: networks that exist, and compartments by their path.

use serde_json::Value;

use super::api::{Place, Service};
use super::calls::list_in;
use super::document::{Live, Phase};
use super::error::OciError;
use super::kinds::route;
use super::provider::{OciProvider, Subject};
use crate::resource::oci;
use crate::resource::reference::oci_id;

/// Why something was not found.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// There is none of that name.
    #[error("there is no {kind} `{name}` in {inside}")]
    None {
        /// What was looked for.
        kind: String,
        /// Its name.
        name: String,
        /// The compartment, or the VCN.
        inside: String,
    },
    /// Names are not unique, and there are several.
    #[error("there are {count} {kind}s `{name}` in {inside}; name one by its OCID")]
    Several {
        /// What was looked for.
        kind: String,
        /// Its name.
        name: String,
        /// The compartment, or the VCN.
        inside: String,
        /// How many.
        count: usize,
    },
    /// Not a kind that can be looked up.
    #[error("a {0} can't be looked up")]
    Kind(String),
    /// OCI did not say.
    #[error("{what} failed")]
    Call {
        /// What was asked for.
        what: String,
        /// Why it failed.
        #[source]
        source: OciError,
    },
    /// A path begins at the tenancy, and nobody says which.
    #[error("the path `{0}` begins at a tenancy, and neither the fleet files nor the credentials say at which")]
    NoTenancy(String),
}

/// A resource that was looked up: all that OCI shows of it.
#[derive(Clone, Debug)]
pub struct FoundResource {
    /// Its OCID.
    pub ocid: String,
    /// What OCI shows.
    pub shown: Value,
}

impl From<Live> for FoundResource {
    fn from(live: Live) -> Self {
        let shown = Value::Object(live.whole());
        Self { ocid: live.ocid, shown }
    }
}

/// What is looked for by its name. Names are unique neither in a compartment nor in a VCN.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// Kind of OCI document.
    pub kind: &'a str,
    /// Its `displayName`.
    pub name: &'a str,
    /// OCID of the compartment that it is in.
    pub compartment: &'a str,
    /// OCID of the VCN that it is in, where that is known: others of the name are in other networks.
    pub vcn: Option<&'a str>,
}

impl OciProvider {
    /// The resource of that name.
    ///
    /// # Errors
    /// Where there is none, or more than one, or OCI does not say.
    pub async fn find_by_name(&self, place: &Place, named: Named<'_>) -> Result<FoundResource, LookupError> {
        let Named {
            kind,
            name,
            compartment,
            vcn,
        } = named;
        let (Some(table), Some(route)) = (oci::kind(kind), route(kind)) else {
            return Err(LookupError::Kind(kind.to_owned()));
        };
        let listed = self.list(route, place, compartment).await;
        let mut fitting = listed.map_err(|source| LookupError::Call {
            what: format!("the list of the {kind}s in {compartment}"),
            source,
        })?;
        fitting.retain(|live| {
            let is_there = !matches!(live.phase(table), Phase::Gone | Phase::Going);
            is_there && live.text("displayName") == Some(name) && (vcn.is_none() || live.text("vcnId") == vcn)
        });
        one(fitting, kind, name, vcn.unwrap_or(compartment)).map(FoundResource::from)
    }

    /// The resource of that OCID.
    ///
    /// # Errors
    /// Where it can't be read: gone, hidden from us, or no answer.
    pub async fn find_by_ocid(&self, place: &Place, kind: &str, ocid: &str) -> Result<FoundResource, LookupError> {
        let (Some(table), Some(route)) = (oci::kind(kind), route(kind)) else {
            return Err(LookupError::Kind(kind.to_owned()));
        };
        let id = oci_id(kind, ocid);
        let subject = Subject {
            id: &id,
            kind: table,
            route,
            place,
        };
        match self.get(subject, ocid).await {
            Ok(live) if live.phase(table) == Phase::Gone => one(Vec::new(), kind, ocid, "OCI any more"),
            Ok(live) => Ok(live),
            Err(source) => Err(LookupError::Call {
                what: format!("the read of {kind} {ocid}"),
                source,
            }),
        }
        .map(FoundResource::from)
    }

    /// OCID of the tenancy that the default credentials are of: where a path begins.
    ///
    /// # Errors
    /// Where they do not say.
    pub async fn own_tenancy(&self, path: &str) -> Result<String, LookupError> {
        let own = self.client.own_tenancy().await;
        own.ok_or_else(|| LookupError::NoTenancy(path.to_owned()))
    }

    /// The OCID of a compartment, by its path below another (or below the tenancy): `parent/child`.
    ///
    /// # Errors
    /// Where a step of the path leads to none, or OCI does not say.
    pub async fn resolve_compartment(&self, place: &Place, root: &str, path: &str) -> Result<String, LookupError> {
        let mut at = root.to_owned();
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let call = list_in(
                Service::Identity,
                place,
                "ListCompartments",
                "/compartments",
                &at,
                &[("name", name)],
            );
            let listed = self.client.list(call).await.map_err(|source| LookupError::Call {
                what: format!("the list of the compartments in {at}"),
                source,
            })?;
            let mut fitting: Vec<Live> = listed.into_iter().filter_map(|shown| Live::new(shown, None)).collect();
            fitting.retain(|live| {
                live.text("name") == Some(name) && live.text("lifecycleState").is_none_or(|state| state == "ACTIVE")
            });
            at = one(fitting, "compartment", name, &at)?.ocid;
        }
        Ok(at)
    }
}

fn one(fitting: Vec<Live>, kind: &str, name: &str, inside: &str) -> Result<Live, LookupError> {
    let count = fitting.len();
    let mut fitting = fitting.into_iter();
    match (fitting.next(), count) {
        (Some(live), 1) => Ok(live),
        (None, _) => Err(LookupError::None {
            kind: kind.to_owned(),
            name: name.to_owned(),
            inside: inside.to_owned(),
        }),
        (Some(_), _) => Err(LookupError::Several {
            kind: kind.to_owned(),
            name: name.to_owned(),
            inside: inside.to_owned(),
            count,
        }),
    }
}
