//! A server, a provider, and a fleet's documents.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;
use fleetwright::http_server::Api as _;
use fleetwright::inventory::{Entry, OciEntry};
use fleetwright::providers::oci::api::{Exchange, Place};
use fleetwright::providers::oci::client::{Client, Options as ClientOptions};
use fleetwright::providers::oci::credentials::{Credentials, CredentialsError, KeyMaterial, PrivateKey, Secret};
use fleetwright::providers::oci::endpoint::Endpoints;
use fleetwright::providers::oci::{Details, OciProvider, Options};
use fleetwright::providers::{
    DeleteRequest, LiveObject, Observation, ObserveRequest, Observed, Provider as _, ProviderError, WriteRequest,
};
use fleetwright::resource::mark::OWNER_ANNOTATION;
use fleetwright::resource::oci::{self, FieldDifference, Former, differences};
use fleetwright::resource::reference::{OCI_API_VERSION, Reference, oci_id};
use fleetwright::resource::{ClusterName, FleetUid, Manifest, OwnerMark, ResourceId, Stewardship, Target, UnitId};
use fleetwright::sandbox::clock::Clock;
use fleetwright::sandbox::fault::Never;
use fleetwright::sandbox::oci::{Identity, OciServer, Principal};
use fleetwright::sandbox::store::Memory;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use serde_json::{Value, json};

pub(super) const REGION: &str = "eu-frankfurt-1";
pub(super) const COMPARTMENT: &str = "ocid1.compartment.oc1..aaaapayments";
pub(super) const OTHER_COMPARTMENT: &str = "ocid1.compartment.oc1..aaaaother";

fn identity() -> &'static Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    IDENTITY.get_or_init(|| Identity::generate().unwrap())
}

struct Key(KeyMaterial);

impl Credentials for Key {
    fn get(&self) -> BoxFuture<'_, Result<KeyMaterial, CredentialsError>> {
        std::future::ready(Ok(self.0.clone())).boxed()
    }
}

/// The way to the server, on which answers get lost.
pub(super) struct Way {
    server: Arc<OciServer>,
    /// Answers to lose: method, and a part of the path.
    lose: Mutex<Vec<(&'static str, &'static str)>>,
    /// What somebody changes in the moment before the next delete: path, and the body of the PUT.
    meddle: Mutex<Option<(String, Value)>>,
    /// What answers to reads are made to say: a part of the path, and what takes the place of the same fields.
    say: Mutex<Vec<(&'static str, Value)>>,
    /// How long a page may be; however long where none.
    longest_page: Mutex<Option<usize>>,
    /// What was sent: method and path.
    pub(super) sent: Mutex<Vec<(String, String)>>,
}

impl Exchange for Way {
    fn exchange(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, Box<dyn std::error::Error + Send + Sync>>> {
        async move {
            let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
            self.sent.lock().unwrap().push((method.clone(), path.clone()));
            if self.is_too_long(request.uri().query().unwrap_or_default()) {
                let refusal = json!({"code": "InvalidParameter", "message": "limit is too large"});
                let mut response = http::Response::new(refusal.to_string().into());
                *response.status_mut() = http::StatusCode::BAD_REQUEST;
                return Ok(response);
            }
            let meddled = self.meddle.lock().unwrap().take_if(|_| method == "DELETE");
            if let Some((path, body)) = meddled {
                somebody(&self.server, "PUT", &path, &body);
            }
            let (parts, body) = self.server.call(request).await.into_parts();
            let mut bytes = body.collect().await?.to_bytes();
            if method == "GET" {
                bytes = self.said(&path, bytes);
            }
            let mut lose = self.lose.lock().unwrap();
            if let Some(i) = lose.iter().position(|(m, p)| *m == method && path.contains(p)) {
                lose.remove(i);
                return Err("the connection was reset".into());
            }
            Ok(http::Response::from_parts(parts, bytes))
        }
        .boxed()
    }
}

impl Way {
    fn is_too_long(&self, query: &str) -> bool {
        let limit = query.split('&').find_map(|pair| pair.strip_prefix("limit="));
        let limit = limit.map(|limit| limit.parse::<usize>().unwrap());
        limit
            .zip(*self.longest_page.lock().unwrap())
            .is_some_and(|(limit, longest)| limit > longest)
    }

    fn said(&self, path: &str, bytes: Bytes) -> Bytes {
        let say = self.say.lock().unwrap();
        let Some((_, instead)) = say.iter().find(|(part, _)| path.contains(part)) else {
            return bytes;
        };
        let mut body: Value = serde_json::from_slice(&bytes).unwrap();
        match (body.as_object_mut(), instead) {
            (Some(body), Value::Object(fields)) => body.extend(fields.clone()),
            _ => body = instead.clone(),
        }
        body.to_string().into()
    }
}

pub(super) struct World {
    pub(super) server: Arc<OciServer>,
    pub(super) way: Arc<Way>,
    pub(super) provider: OciProvider,
    pub(super) fleet: FleetUid,
    pub(super) unit: UnitId,
    pub(super) clock: Clock,
    pub(super) ocids: Mutex<BTreeMap<ResourceId, String>>,
}

impl World {
    pub(super) fn new() -> Self {
        let clock = Clock::new(Timestamp::from_second(1_800_000_000).unwrap(), 1.0);
        let server = OciServer::new(Arc::new(Memory), clock.clone(), Arc::new(Never), identity()).unwrap();
        Self::on(Arc::new(server), clock, "fleet-1", (Details::Changed, Endpoints::new()))
    }

    /// Another process of this fleet, all of whose calls go to one address.
    pub(super) fn by_way_of(&self, url: &str) -> Self {
        let endpoints = Endpoints::new().with_all(url).unwrap();
        let server = Arc::clone(&self.server);
        let world = Self::on(server, self.clock.clone(), "fleet-1", (Details::Changed, endpoints));
        *world.ocids.lock().unwrap() = self.ocids.lock().unwrap().clone();
        world
    }

    /// Another process, of this fleet or another, on the same server.
    pub(super) fn another(&self, fleet: &str, details: Details) -> Self {
        let world = Self::on(
            Arc::clone(&self.server),
            self.clock.clone(),
            fleet,
            (details, Endpoints::new()),
        );
        *world.ocids.lock().unwrap() = self.ocids.lock().unwrap().clone();
        world
    }

    fn on(server: Arc<OciServer>, clock: Clock, fleet: &str, (details, endpoints): (Details, Endpoints)) -> Self {
        let way = Arc::new(Way {
            server: Arc::clone(&server),
            lose: Mutex::default(),
            meddle: Mutex::default(),
            say: Mutex::default(),
            longest_page: Mutex::default(),
            sent: Mutex::default(),
        });
        let key = KeyMaterial {
            key_id: Secret::unremembered(identity().key_id()),
            key: PrivateKey::from_pem(identity().private_key(), None).unwrap(),
            tenancy: Some(identity().principal().tenancy.clone()),
        };
        let exchange: Arc<dyn Exchange> = way.clone();
        let client = Client::new(ClientOptions {
            default_credentials: Some(Arc::new(Key(key))),
            budget: None,
            endpoints,
            attempts: 1,
            seed: Some(1),
            ..ClientOptions::new(exchange)
        });
        let fleet = FleetUid::new(fleet);
        let now = clock.clone();
        let options = Options {
            details,
            now: Arc::new(move || now.now()),
            ..Options::default()
        };
        Self {
            server,
            way,
            provider: OciProvider::new(client, fleet.clone(), options),
            fleet,
            unit: UnitId::Cluster(ClusterName::new("payments")),
            clock,
            ocids: Mutex::default(),
        }
    }

    /// Has somebody change a resource in the moment before the next delete.
    pub(super) fn meddle(&self, path: &str, body: Value) {
        *self.way.meddle.lock().unwrap() = Some((path.to_owned(), body));
    }

    /// Has answers to reads of such a path say something else from now on.
    pub(super) fn say(&self, path: &'static str, instead: Value) {
        self.way.say.lock().unwrap().insert(0, (path, instead));
    }

    /// Has lists refused whose pages were to be longer.
    pub(super) fn takes_pages_up_to(&self, items: usize) {
        *self.way.longest_page.lock().unwrap() = Some(items);
    }

    /// Loses the next answer to such a request.
    pub(super) fn lose(&self, method: &'static str, path: &'static str) {
        self.way.lose.lock().unwrap().push((method, path));
    }

    /// How often such a request was sent since this was last asked.
    pub(super) fn sent(&self, method: &str, path: &str) -> usize {
        let sent = std::mem::take(&mut *self.way.sent.lock().unwrap());
        sent.iter().filter(|(m, p)| m == method && p.contains(path)).count()
    }

    /// A document of the fleet, references not resolved.
    #[expect(clippy::needless_pass_by_value, reason = "called with literals")]
    pub(super) fn document(&self, kind: &str, name: &str, spec: Value) -> Value {
        let mark = OwnerMark::for_object(&self.fleet, &self.unit, &oci_id(kind, name));
        let mut document = json!({
            "apiVersion": OCI_API_VERSION,
            "kind": kind,
            "metadata": {"name": name, "annotations": {OWNER_ANNOTATION: mark.to_annotation()}},
            "spec": {"region": REGION, "compartmentId": COMPARTMENT},
        });
        document["spec"]
            .as_object_mut()
            .unwrap()
            .extend(spec.as_object().unwrap().clone());
        document
    }

    pub(super) fn manifest(&self, document: &Value) -> Manifest {
        Manifest::new(Target::Oci, self.unit.clone(), Stewardship::Managed, document).unwrap()
    }

    /// References resolved, as the executor does it.
    pub(super) fn resolved(&self, value: &Value) -> Value {
        if let Some(reference) = Reference::parse(value) {
            return self.ocids.lock().unwrap()[&reference.id].as_str().into();
        }
        match value {
            Value::Object(map) => map
                .iter()
                .map(|(key, value)| (key.clone(), self.resolved(value)))
                .collect(),
            Value::Array(items) => items.iter().map(|item| self.resolved(item)).collect(),
            other => other.clone(),
        }
    }

    pub(super) async fn write(&self, document: &Value, uid: Option<&str>) -> Result<LiveObject, ProviderError> {
        self.write_as(document, uid, 0).await
    }

    /// Writes over what was seen, if it still is as it was.
    pub(super) async fn write_over(&self, document: &Value, seen: &LiveObject) -> Result<LiveObject, ProviderError> {
        let seen = (seen.uid.as_str(), seen.version.as_str());
        self.send(document, Some(seen), 0).await
    }

    pub(super) async fn write_as(
        &self,
        document: &Value,
        uid: Option<&str>,
        incarnation: u32,
    ) -> Result<LiveObject, ProviderError> {
        self.send(document, uid.map(|uid| (uid, "")), incarnation).await
    }

    async fn send(
        &self,
        document: &Value,
        seen: Option<(&str, &str)>,
        incarnation: u32,
    ) -> Result<LiveObject, ProviderError> {
        let body = self.resolved(document);
        let id = self.manifest(document).id;
        let request = WriteRequest {
            id: &id,
            api_version: OCI_API_VERSION,
            body: &body,
            version: seen.map(|(_, version)| version),
            uid: seen.map(|(uid, _)| uid),
            force: false,
            managed_fields: None,
            incarnation,
        };
        let response = self.provider.write(request).await?;
        self.ocids.lock().unwrap().insert(id, response.object.uid.clone());
        Ok(response.object)
    }

    pub(super) async fn create(&self, document: &Value) -> LiveObject {
        match self.write(document, None).await {
            Ok(live) => live,
            Err(error) => panic!("{}: {}", self.manifest(document).id, fleetwright::report::chain(&error)),
        }
    }

    pub(super) async fn update(&self, document: &Value) -> Result<LiveObject, ProviderError> {
        let id = self.manifest(document).id;
        let uid = self.ocids.lock().unwrap()[&id].clone();
        self.write(document, Some(&uid)).await
    }

    pub(super) async fn delete(&self, id: &ResourceId) -> Result<(), ProviderError> {
        let uid = self.ocids.lock().unwrap()[id].clone();
        let request = DeleteRequest {
            id,
            api_version: OCI_API_VERSION,
            uid: &uid,
            version: "",
        };
        self.provider.delete(request).await
    }

    pub(super) async fn observe(&self, documents: &[&Value], recorded: &[&Entry]) -> Observation {
        let manifests: Vec<Manifest> = documents.iter().map(|document| self.manifest(document)).collect();
        let desired: Vec<&Manifest> = manifests.iter().collect();
        let request = ObserveRequest {
            desired: &desired,
            recorded,
            fleet_label: "fleet",
            in_part: false,
        };
        self.provider.observe(request).await.unwrap()
    }

    pub(super) async fn observe_one(&self, document: &Value) -> Observed {
        let id = self.manifest(document).id;
        self.observe(&[document], &[]).await.objects.remove(&id).unwrap()
    }

    /// What an observation differs in from what is wanted.
    pub(super) fn differences(&self, document: &Value, observed: &Observed) -> Vec<FieldDifference> {
        let Observed::Present(live) = observed else {
            panic!("{}: {observed:?}", self.manifest(document).id);
        };
        let kind = oci::kind(document["kind"].as_str().unwrap()).unwrap();
        differences(
            kind,
            &self.resolved(document)["spec"],
            &live.parse().unwrap()["spec"],
            Former::default(),
        )
    }

    /// The record of what was made.
    pub(super) fn entry(&self, kind: &str, name: &str) -> Entry {
        let id = oci_id(kind, name);
        Entry {
            uid: self.ocids.lock().unwrap().get(&id).cloned(),
            id,
            api_version: OCI_API_VERSION.to_owned(),
            digest: None,
            oci: Some(OciEntry {
                region: REGION.to_owned(),
                compartment: COMPARTMENT.to_owned(),
                ..OciEntry::default()
            }),
            going: false,
        }
    }

    /// Waits until a resource is gone.
    pub(super) async fn until_gone(&self, id: &ResourceId) {
        for _ in 0..100 {
            match self.provider.read(id, OCI_API_VERSION).await {
                Observed::Absent => return,
                Observed::Present(_) => self.clock.sleep(std::time::Duration::from_secs(5)).await,
                Observed::Unknown(reason) => panic!("{id}: {reason}"),
            }
        }
        panic!("{id} stays");
    }

    /// A call of somebody else.
    pub(super) fn act(&self, method: &str, path: &str, body: &Value) -> Value {
        somebody(&self.server, method, path, body)
    }

    pub(super) fn ocid(&self, kind: &str, name: &str) -> String {
        self.ocids.lock().unwrap()[&oci_id(kind, name)].clone()
    }
}

fn somebody(server: &OciServer, method: &str, path: &str, body: &Value) -> Value {
    somebody_in(server, REGION, method, path, body)
}

pub(super) fn somebody_in(server: &OciServer, region: &str, method: &str, path: &str, body: &Value) -> Value {
    let principal = Principal {
        tenancy: identity().principal().tenancy.clone(),
        user: "ocid1.user.oc1..somebodyelse".to_owned(),
    };
    match server.act(&principal, region, method, path, body) {
        Ok(answer) => answer,
        Err(refusal) => panic!("{method} {path}: {refusal:?}"),
    }
}

pub(super) fn place() -> Place {
    Place {
        tenancy: None,
        region: REGION.to_owned(),
    }
}

/// A reference to another document's OCID.
pub(super) fn to(kind: &str, name: &str) -> Value {
    Reference::to_oci(kind, name).to_value()
}

pub(super) fn vcn(world: &World, name: &str, block: &str) -> Value {
    world.document("Vcn", name, json!({"displayName": name, "cidrBlocks": [block]}))
}
