//! The provider: a client, whose resources it makes, and what it has learned of where they are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::Value;

use super::api::{Call, Place};
use super::calls::{get, list_in};
use super::client::Client;
use super::credentials::Now;
use super::document::Live;
use super::error::OciError;
use super::kinds::Route;
use super::region::of_region;
use super::services::{self, OracleService};
use crate::providers::{
    DeleteRequest, Observation, ObserveRequest, Observed, Provider, ProviderError, WriteRequest, WriteResponse,
};
use crate::resource::oci::OciKind;
use crate::resource::{FleetUid, ResourceId};

/// How much of what lists leave out is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Details {
    /// The rules of those groups alone whose tag says that they were left as another document had it. Of the others the
    /// observation says which it did not read, and as of when they were known.
    #[default]
    Changed,
    /// All.
    Full,
}

/// How the provider goes about its work.
#[derive(Clone)]
pub struct Options {
    /// How much is read.
    pub details: Details,
    /// How long a resource may take to become usable after a write.
    pub deadline: Duration,
    /// The first pause between two looks at it; later ones grow to ten times that.
    pub pause: Duration,
    /// LISTs and reads under way at once; how many go out a second is the client's budget to say.
    pub concurrency: usize,
    /// Spreads the looks of many that wait.
    pub seed: u64,
    /// The clock by which tags are dated.
    pub now: Now,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            details: Details::Changed,
            deadline: Duration::from_secs(15 * 60),
            pause: Duration::from_secs(1),
            concurrency: 16,
            seed: 0,
            now: Arc::new(jiff::Timestamp::now),
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("details", &self.details)
            .field("deadline", &self.deadline)
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}

/// The OCI API.
pub struct OciProvider {
    pub(super) client: Client,
    pub(super) fleet: FleetUid,
    pub(super) options: Options,
    known: Mutex<BTreeMap<ResourceId, Known>>,
    made: Mutex<BTreeSet<String>>,
    /// Places where a create was answered from another region.
    pub(super) astray: Mutex<BTreeSet<Place>>,
    services: tokio::sync::Mutex<BTreeMap<Place, Arc<[OracleService]>>>,
    zones: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

/// Where a resource is: a reader is given nothing but its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) place: Place,
    pub(super) compartment: String,
    /// Its OCID, where it was seen or made.
    pub(super) ocid: Option<String>,
}

/// A resource of a kind at a place: what every call of it needs.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) id: &'a ResourceId,
    pub(super) kind: &'static OciKind,
    pub(super) route: &'static Route,
    pub(super) place: &'a Place,
}

/// Items that a page of a list is to have: left to themselves, services answer with fewer, and each page is a call of the budget.
/// More would be more than is good to hold at a time, since a security list takes fifty kilobytes while it is read.
const PAGE: usize = 250;

impl OciProvider {
    /// A provider for the resources of one fleet.
    pub fn new(client: Client, fleet: FleetUid, options: Options) -> Self {
        Self {
            client,
            fleet,
            options,
            known: Mutex::default(),
            made: Mutex::default(),
            astray: Mutex::default(),
            services: tokio::sync::Mutex::default(),
            zones: Mutex::default(),
        }
    }

    /// Waits for a turn at a DNS zone: an etag of a set may be that of its whole zone, and our own writes would overtake one another.
    pub(super) async fn turn(&self, zone: &str) -> tokio::sync::OwnedMutexGuard<()> {
        let turns = {
            let mut zones = self.zones.lock().unwrap_or_else(PoisonError::into_inner);
            zones.entry(zone.to_owned()).or_default().clone()
        };
        turns.lock_owned().await
    }

    /// The client: for its counts, and for what is no resource of a document.
    pub fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn learn(&self, id: &ResourceId, known: Known) {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get_mut(id) {
            // That it is not seen now does not say that it has another OCID.
            Some(before) if known.ocid.is_none() => {
                let ocid = before.ocid.take();
                *before = Known { ocid, ..known };
            }
            _ => drop(all.insert(id.clone(), known)),
        }
    }

    pub(super) fn known(&self, id: &ResourceId) -> Option<Known> {
        let all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(id).cloned()
    }

    /// The compartments of what is known at a place.
    pub(super) fn compartments(&self, place: &Place) -> BTreeSet<String> {
        let all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let there = all.values().filter(|known| known.place == *place);
        there.map(|known| known.compartment.clone()).collect()
    }

    /// Remembers what this process made: for a few minutes OCI's services may not agree that it is there.
    pub(super) fn made(&self, ocid: &str) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.insert(ocid.to_owned());
    }

    /// Whether a text or a document names something that this process made.
    pub(super) fn names_fresh(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.is_fresh(text),
            Value::Array(items) => items.iter().any(|item| self.names_fresh(item)),
            Value::Object(map) => map.values().any(|item| self.names_fresh(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    pub(super) fn is_fresh(&self, ocid: &str) -> bool {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.contains(ocid)
    }

    /// Reads one resource.
    pub(super) async fn get(&self, subject: Subject<'_>, ocid: &str) -> Result<Live, OciError> {
        let Subject { route, place, .. } = subject;
        let call = get(route.service, place, route.operations.get, route.path(ocid));
        let answer = if self.is_fresh(ocid) {
            self.client.call_fresh(call).await?
        } else {
            self.client.call(call).await?
        };
        let live = Live::new(answer.body, answer.etag);
        let live = live.ok_or_else(|| nonsense(route.operations.get, "the answer has no id"))?;
        of_region(&live.ocid, place, route.operations.get)?;
        Ok(live)
    }

    /// Lists a compartment's resources of a kind.
    pub(super) async fn list(&self, route: &Route, place: &Place, compartment: &str) -> Result<Vec<Live>, OciError> {
        let call = list_in(
            route.service,
            place,
            route.operations.list,
            route.collection,
            compartment,
            route.list_query,
        );
        let listed = self.list_by_long_pages(call, |shown| Live::new(shown, None)).await?;
        let live: Option<Vec<Live>> = listed.into_iter().collect();
        let live = live.ok_or_else(|| nonsense(route.operations.list, "the answer has an item without id"))?;
        live.iter()
            .try_for_each(|live| of_region(&live.ocid, place, route.operations.list))?;
        Ok(live)
    }

    /// A list to its end, each item read as soon as its page is there.
    pub(super) async fn list_by_long_pages<T: Send + 'static>(
        &self,
        call: Call,
        read: impl Fn(Value) -> T + Copy + Send + Sync + 'static,
    ) -> Result<Vec<T>, OciError> {
        let mut paged = call.clone();
        paged.query.push(("limit", PAGE.to_string()));
        match self.client.list_as(paged, read).await {
            // Not every service says how long a page may be: it knows best.
            Err(error) if error.status() == Some(400) => self.client.list_as(call, read).await,
            listed => listed,
        }
    }

    /// The region's services; asked for once.
    pub(super) async fn services(&self, place: &Place) -> Result<Arc<[OracleService]>, OciError> {
        let mut cached = self.services.lock().await;
        if let Some(services) = cached.get(place) {
            return Ok(Arc::clone(services));
        }
        let services: Arc<[OracleService]> = services::parse(&self.list_services(place).await?).into();
        cached.insert(place.clone(), Arc::clone(&services));
        Ok(services)
    }

    /// The same, asked for in any case.
    pub(super) async fn ask_services(&self, place: &Place) -> Result<Arc<[OracleService]>, OciError> {
        self.services.lock().await.remove(place);
        self.services(place).await
    }
}

pub(super) fn nonsense(operation: &'static str, what: &str) -> OciError {
    OciError::Nonsense {
        operation,
        what: what.to_owned(),
        sent: true,
    }
}

impl std::fmt::Debug for OciProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OciProvider")
            .field("fleet", &self.fleet)
            .field("client", &self.client)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Provider for OciProvider {
    fn observe<'a>(&'a self, request: ObserveRequest<'a>) -> BoxFuture<'a, Result<Observation, ProviderError>> {
        async move { Ok(self.observe_all(&request).await) }.boxed()
    }

    fn read<'a>(&'a self, id: &'a ResourceId, _: &'a str) -> BoxFuture<'a, Observed> {
        self.read_one(id).boxed()
    }

    /// OCI has no dry run; what a write would come to is what stands in the document, and no call is made for that.
    fn preview<'a>(&'a self, request: WriteRequest<'a>) -> BoxFuture<'a, Result<WriteResponse, ProviderError>> {
        let object = crate::providers::LiveObject {
            uid: request.uid.unwrap_or_default().to_owned(),
            version: request.version.unwrap_or_default().to_owned(),
            text: request.body.to_string().into_boxed_str(),
        };
        std::future::ready(Ok(WriteResponse { object })).boxed()
    }

    fn write<'a>(&'a self, request: WriteRequest<'a>) -> BoxFuture<'a, Result<WriteResponse, ProviderError>> {
        self.write_one(request).boxed()
    }

    fn delete<'a>(&'a self, request: DeleteRequest<'a>) -> BoxFuture<'a, Result<(), ProviderError>> {
        self.delete_one(request).boxed()
    }
}
