//! From a fleet to the OCI API: whose credentials, where to, how fast; and what documents name and the fleet does not make.

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use serde_json::Value;

use super::connect::{Access, locked};
use super::load::LoadedFleet;
use super::signers;
use crate::fleet::model::SecretRef;
use crate::inventory::Entry;
use crate::plan::DesiredUnit;
use crate::plan::known::{LookUp, LookUps};
use crate::providers::oci::api::Place;
use crate::providers::oci::budget::{Budget, Rate};
use crate::providers::oci::client::{Client, Options as ClientOptions};
use crate::providers::oci::credentials::config_file::{self, ConfigFile};
use crate::providers::oci::credentials::instance::{InstanceOptions, InstancePrincipal, METADATA};
use crate::providers::oci::credentials::secret::{Read, SecretKey};
use crate::providers::oci::credentials::workload::{WorkloadIdentity, WorkloadOptions};
use crate::providers::oci::credentials::{Credentials, KeyError, Now};
use crate::providers::oci::endpoint::{EndpointError, Endpoints};
use crate::providers::oci::transport::{Https, HttpsOptions, TransportError};
use crate::providers::oci::{Details, LookupError, Named, OciProvider, Options};
use crate::resource::{Compartment, Lookup, Manifest, OciId, Ocid, ResourceId, UnitId};

/// Whose credentials calls are made by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// The profiles of a configuration file: for each tenancy the one that is of it.
    #[default]
    Config,
    /// Those of the machine that this runs on.
    InstancePrincipal,
    /// Those of the pod's service account on OKE.
    WorkloadIdentity,
    /// The API keys in the Secrets of the fleet's identities, on the management clusters.
    Secret,
}

/// How the OCI API is reached.
#[derive(Clone, Debug, Default)]
pub struct OciAccess {
    /// Whose credentials.
    pub auth: Auth,
    /// The configuration file; none: `~/.oci/config`.
    pub config: Option<PathBuf>,
    /// The profile for what names no tenancy; none: `DEFAULT`.
    pub profile: Option<String>,
    /// The home directory.
    pub home: Option<PathBuf>,
    /// Host of the Kubernetes API that this pod sees, for a workload identity.
    pub service_host: Option<String>,
    /// Folder of the service account's files, for a workload identity; none: where a pod has them.
    pub service_account: Option<PathBuf>,
    /// Other addresses: `URL` for all services, or `SERVICE=URL`; `metadata`, `auth` and `workload` are where identities
    /// come from.
    pub endpoints: Vec<String>,
    /// Calls per tenancy and region; none: the default.
    pub rate: Option<Rate>,
    /// What all connections draw from together; none: each has a budget of its own.
    pub budget: Option<Arc<Budget>>,
    /// Whether details that lists leave out are read of everything.
    pub full: bool,
    /// By which tags are dated, and by whose hours details are read where `full` does not ask for all of them.
    pub clock: Clock,
}

/// Tells the time of day.
#[derive(Clone)]
pub struct Clock(pub Now);

impl Default for Clock {
    fn default() -> Self {
        Self(Arc::new(jiff::Timestamp::now))
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Clock").field(&(self.0)()).finish()
    }
}

/// Why the OCI API can't be called at all.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// An address is none.
    #[error("--oci-endpoint {0} is no address")]
    Endpoint(String, #[source] EndpointError),
    /// A service that `--oci-endpoint` names is none.
    #[error(
        "--oci-endpoint names `{0}`, which is no service (core, identity, dns, loadbalancer, networkloadbalancer, \
         workrequests) and no giver of identities (metadata, auth, workload)"
    )]
    Service(String),
    /// No connections can be made.
    #[error("no connections to OCI can be made")]
    Transport(#[from] TransportError),
    /// The sandbox's key.
    #[error("the sandbox's key can't be used")]
    Key(#[from] KeyError),
    /// Two identities would have to sign for one tenancy.
    #[error(
        "clusters of tenancy {tenancy} use the identities `{one}` and `{other}`, and which of their keys signs can't be told: give them \
         one, or sign by another --oci-auth"
    )]
    Identities {
        /// The tenancy.
        tenancy: Ocid,
        /// One.
        one: String,
        /// Another.
        other: String,
    },
}

/// Gives the connection; nothing is sent yet. What is recorded may be in tenancies that the fleet files no longer name.
pub(super) async fn connect<'a>(
    access: &Access,
    loaded: &LoadedFleet,
    recorded: impl Iterator<Item = &'a Entry>,
) -> Result<Arc<OciProvider>, CloudError> {
    let named = loaded.fleet.tenancies().into_iter().map(ToString::to_string);
    let recorded = recorded.filter_map(|entry| entry.oci.as_ref()?.tenancy.clone());
    let tenancies: BTreeSet<String> = named.chain(recorded).collect();
    let Some(held) = &access.held else {
        let (made, _) = make(access, loaded, tenancies).await?;
        return Ok(Arc::new(made));
    };
    if let Some((_, known)) = locked(&held.oci).clone().filter(|(of, _)| of.is_superset(&tenancies)) {
        return Ok(known);
    }
    let (made, credentials) = make(access, loaded, tenancies.clone()).await?;
    let made = Arc::new(made);
    if credentials == Profiles::Read {
        *locked(&held.oci) = Some((tenancies, made.clone()));
    }
    Ok(made)
}

/// Whether it is known which credentials are for which tenancy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Profiles {
    /// It is.
    Read,
    /// The file that says so can't be read: the next connection may be another.
    Unread,
}

async fn make(
    access: &Access,
    loaded: &LoadedFleet,
    tenancies: BTreeSet<String>,
) -> Result<(OciProvider, Profiles), CloudError> {
    let now: Now = Arc::new(jiff::Timestamp::now);
    if let Some(sandbox) = &access.sandbox {
        let mut options = sandbox.oci_client(&tenancies)?;
        options.now = now.clone();
        options.budget = access.oci.rate;
        options.shared_budget = access.oci.budget.clone();
        options.metrics = access.metrics.clone();
        options.endpoints = addresses(&access.oci.endpoints)?.services;
        return Ok((provider(options, access, loaded), Profiles::Read));
    }
    let mut profiles = Profiles::Read;
    let mut options = ClientOptions::new(Arc::new(Https::new(&HttpsOptions::default())?));
    options.metrics = access.metrics.clone();
    let addresses = addresses(&access.oci.endpoints)?;
    options.endpoints = addresses.services;
    if let Some(rate) = access.oci.rate {
        options.budget = Some(rate);
    }
    options.shared_budget = access.oci.budget.clone();
    match access.oci.auth {
        Auth::Config => profiles = config(&access.oci, &tenancies, &now, &mut options).await,
        Auth::InstancePrincipal => {
            options.default_credentials = Some(Arc::new(InstancePrincipal::new(InstanceOptions {
                exchange: options.exchange.clone(),
                metadata: addresses.metadata.unwrap_or_else(|| METADATA.to_owned()),
                auth: addresses.auth,
                now: now.clone(),
            })));
        }
        Auth::WorkloadIdentity => {
            let host = access.oci.service_host.as_deref().unwrap_or_default();
            let mut of_pod = WorkloadOptions::in_cluster(host, now.clone());
            if let Some(address) = addresses.workload {
                of_pod.address = address;
            }
            if let Some(folder) = &access.oci.service_account {
                of_pod = of_pod.with_account(folder);
            }
            options.default_credentials = Some(Arc::new(WorkloadIdentity::new(of_pod)));
        }
        Auth::Secret => (options.credentials, profiles) = secrets(access, loaded).await?,
    }
    // Credentials that are not bound to a tenancy are asked whatever tenancy a document names.
    if let (Auth::InstancePrincipal | Auth::WorkloadIdentity, Some(own)) =
        (access.oci.auth, options.default_credentials.clone())
    {
        options.credentials = tenancies.into_iter().map(|tenancy| (tenancy, own.clone())).collect();
    }
    Ok((provider(options, access, loaded), profiles))
}

fn provider(options: ClientOptions, access: &Access, loaded: &LoadedFleet) -> OciProvider {
    let details = if access.oci.full {
        Details::Full
    } else {
        Details::Changed
    };
    let mut own = Options {
        details,
        now: access.oci.clock.0.clone(),
        ..Options::default()
    };
    if access.sandbox.is_some() {
        // Its clock runs faster than ours.
        own.pause = SANDBOX_PAUSE;
    }
    OciProvider::new(Client::new(options), loaded.fleet.uid.clone(), own)
}

/// The first pause between two looks at what the sandbox is making.
const SANDBOX_PAUSE: Duration = Duration::from_millis(20);

/// For each tenancy the profile that is of it, and the default one.
async fn config(access: &OciAccess, tenancies: &BTreeSet<String>, now: &Now, options: &mut ClientOptions) -> Profiles {
    let home = access.home.clone();
    let path = access
        .config
        .clone()
        .or_else(|| home.as_ref().map(|home| home.join(".oci/config")))
        .unwrap_or_default();
    let of = |profile: &str| -> Arc<dyn Credentials> {
        Arc::new(ConfigFile::new(path.clone(), profile, home.clone(), now.clone()))
    };
    // A file that can't be read is said of each object that is looked for: nothing else of the fleet has to wait for it.
    let read = config_file::profiles(&path).await;
    let known = if read.is_ok() { Profiles::Read } else { Profiles::Unread };
    let profiles = read.unwrap_or_default();
    let default = access.profile.as_deref().unwrap_or(config_file::DEFAULT);
    for tenancy in tenancies {
        let is_of = |name: &&String| profiles.get(*name).is_some_and(|of| of.as_ref() == Some(tenancy));
        let named = profiles.keys().filter(|name| name.as_str() == default).find(is_of);
        if let Some(name) = named.or_else(|| profiles.keys().find(is_of)) {
            options.credentials.insert(tenancy.clone(), of(name));
        }
    }
    options.default_credentials = Some(of(default));
    known
}

/// For each tenancy the key of the identity that its clusters use. One whose management cluster can't be connected to is
/// answered with that by its own calls: other tenancies have nothing to do with it.
async fn secrets(
    access: &Access,
    loaded: &LoadedFleet,
) -> Result<(BTreeMap<String, Arc<dyn Credentials>>, Profiles), CloudError> {
    let mut found: BTreeMap<String, Arc<dyn Credentials>> = BTreeMap::new();
    let mut known = Profiles::Read;
    for (tenancy, signer) in signers::of(&loaded.fleet)? {
        let name = signer.on.clone();
        let SecretRef {
            namespace,
            name: secret,
        } = signer.secret.clone();
        let place = format!("{namespace}/{secret}");
        let connected = access.connect(&loaded.fleet, std::slice::from_ref(&name)).await;
        let read: Read = match connected.map(|mut connected| connected.remove(&name)) {
            Ok(Some(reader)) => reader.secret_reader(name, namespace, secret),
            Ok(None) => continue,
            Err(error) => {
                known = Profiles::Unread;
                let why = crate::report::chain(&error);
                Arc::new(move || Box::pin(ready(Err(why.clone().into()))))
            }
        };
        found.insert(tenancy.to_string(), Arc::new(SecretKey::new(place, read)));
    }
    Ok((found, known))
}

/// Addresses other than OCI's own.
#[derive(Debug, Default)]
struct Addresses {
    services: Endpoints,
    /// The metadata service, with its version.
    metadata: Option<String>,
    /// Who gives tokens to a machine.
    auth: Option<String>,
    /// Who gives tokens to a pod.
    workload: Option<String>,
}

fn addresses(typed: &[String]) -> Result<Addresses, CloudError> {
    use crate::providers::oci::api::Service;
    let mut addresses = Addresses::default();
    for text in typed {
        let bad = |source| CloudError::Endpoint(text.clone(), source);
        let named = text.split_once('=').filter(|(name, _)| !name.contains(':'));
        let services = std::mem::take(&mut addresses.services);
        let Some((name, url)) = named else {
            addresses.services = services.with_all(text).map_err(bad)?;
            continue;
        };
        let service = match name {
            "core" => Service::Core,
            "identity" => Service::Identity,
            "dns" => Service::Dns,
            "loadbalancer" => Service::LoadBalancer,
            "networkloadbalancer" => Service::NetworkLoadBalancer,
            "workrequests" => Service::WorkRequests,
            "metadata" | "auth" | "workload" => {
                // Like a service's address, but without a region.
                Endpoints::new().with_all(url).map_err(bad)?;
                let own = Some(url.trim_end_matches('/').to_owned());
                match name {
                    "metadata" => addresses.metadata = own,
                    "auth" => addresses.auth = own,
                    _ => addresses.workload = own,
                }
                addresses.services = services;
                continue;
            }
            _ => return Err(CloudError::Service(name.to_owned())),
        };
        addresses.services = services.with(service, url).map_err(bad)?;
    }
    Ok(addresses)
}

/// What was found of what documents name, and the manifests in which it stands.
#[derive(Default)]
pub(super) struct Found {
    pub(super) look_ups: LookUps,
    units: BTreeMap<UnitId, Vec<Manifest>>,
}

/// Look-ups under way at once.
const LOOK_UPS: usize = 16;

impl Found {
    /// Asks for everything that the documents of some units name.
    pub(super) async fn look(desired: &BTreeMap<UnitId, DesiredUnit<'_>>, provider: &OciProvider) -> Self {
        let manifests = desired.values().flat_map(|unit| unit.manifests);
        let wanted: BTreeSet<LookUp> = manifests
            .filter(|manifest| manifest.looks_up())
            .flat_map(|manifest| LookUp::all(&manifest.body()))
            .collect();
        let asked = wanted.into_iter().map(|look_up| async move {
            let found = find(&look_up, provider).await;
            (look_up, found.map_err(|error| crate::report::chain(&error)))
        });
        let asked: Vec<_> = asked.collect();
        let look_ups: LookUps = futures::stream::iter(asked).buffer_unordered(LOOK_UPS).collect().await;
        let units = desired
            .iter()
            .filter(|(_, unit)| {
                unit.manifests
                    .iter()
                    .any(|manifest| names_something(manifest, &look_ups))
            })
            .map(|(id, unit)| {
                let filled = unit.manifests.iter().map(|manifest| filled(manifest, &look_ups));
                (id.clone(), filled.collect())
            })
            .collect();
        Self { look_ups, units }
    }

    /// The unit's manifests with what was found.
    pub(super) fn manifests<'a>(&'a self, unit: &UnitId, rendered: &'a [Manifest]) -> &'a [Manifest] {
        self.units.get(unit).map_or(rendered, Vec::as_slice)
    }
}

fn names_something(manifest: &Manifest, look_ups: &LookUps) -> bool {
    !look_ups.is_empty() && manifest.looks_up() && !LookUp::all(&manifest.body()).is_empty()
}

/// A manifest with what was found; its digest stays that of what the fleet files say.
fn filled(manifest: &Manifest, look_ups: &LookUps) -> Manifest {
    if !names_something(manifest, look_ups) {
        return manifest.clone();
    }
    let mut body = manifest.body();
    crate::plan::known::fill_found(&mut body, look_ups);
    manifest.with_body(&body)
}

async fn find(look_up: &LookUp, provider: &OciProvider) -> Result<Value, LookupError> {
    let what: Value = serde_json::from_str(&look_up.what).unwrap_or_default();
    if let Some(lookup) = Lookup::parse(&what) {
        return resource(&lookup, look_up.tenancy.as_deref(), provider)
            .await
            .map(Value::from);
    }
    match Compartment::parse(&what) {
        Some(compartment) => {
            let place = Place {
                tenancy: look_up.tenancy.clone(),
                region: look_up.region.clone(),
            };
            self::compartment(&compartment, &place, provider).await.map(Value::from)
        }
        None => Err(LookupError::Kind(look_up.what.clone())),
    }
}

pub(super) fn resource<'a>(
    lookup: &'a Lookup,
    tenancy: Option<&'a str>,
    provider: &'a OciProvider,
) -> futures::future::BoxFuture<'a, Result<String, LookupError>> {
    Box::pin(async move {
        let tenancy = lookup.tenancy.as_ref().map(|ocid| ocid.as_str()).or(tenancy);
        let place = Place {
            tenancy: tenancy.map(str::to_owned),
            region: lookup.region.clone(),
        };
        let compartment = self::compartment(&lookup.compartment, &place, provider).await?;
        let vcn = match &lookup.vcn {
            None => None,
            Some(OciId::Known(ocid)) => Some(ocid.to_string()),
            Some(OciId::Named(vcn)) => Some(resource(vcn, tenancy, provider).await?),
        };
        let named = Named {
            kind: &lookup.kind,
            name: &lookup.name,
            compartment: &compartment,
            vcn: vcn.as_deref(),
        };
        Ok(provider.find_by_name(&place, named).await?.ocid)
    })
}

async fn compartment(compartment: &Compartment, place: &Place, provider: &OciProvider) -> Result<String, LookupError> {
    match compartment {
        Compartment::Id(ocid) => Ok(ocid.to_string()),
        Compartment::Path { tenancy, path } => {
            let tenancy = tenancy
                .as_ref()
                .map(ToString::to_string)
                .or_else(|| place.tenancy.clone());
            let place = Place {
                tenancy: tenancy.clone(),
                region: place.region.clone(),
            };
            let root = match tenancy {
                Some(tenancy) => tenancy,
                None => provider.own_tenancy(path).await?,
            };
            provider.resolve_compartment(&place, &root, path).await
        }
    }
}

/// Whether anything of these units is OCI's.
pub(super) fn is_needed<'a>(
    desired: &BTreeMap<UnitId, DesiredUnit<'_>>,
    mut recorded: impl Iterator<Item = &'a ResourceId>,
) -> bool {
    use crate::resource::Target;
    let names = |manifest: &Manifest| manifest.id.target == Target::Oci || manifest.looks_up();
    desired.values().flat_map(|unit| unit.manifests).any(names) || recorded.any(|id| id.target == Target::Oci)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_secret_where_nobody_can_look_is_missed_by_its_own_tenancy_alone() {
        let options = crate::ops::LoadOptions {
            directory: std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fleet"),
            locked: true,
            now: jiff::Timestamp::UNIX_EPOCH,
        };
        let loaded = crate::ops::load(&options).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        // It has other contexts than the fleet names.
        std::fs::write(&kubeconfig, crate::ops::connect::tests::kubeconfig("t")).unwrap();
        let access = Access {
            kubeconfigs: vec![kubeconfig],
            ..Access::default()
        };
        let (found, known) = secrets(&access, &loaded).await.unwrap();
        assert_eq!((found.len(), known), (1, Profiles::Unread));
        let error = found.values().next().unwrap().get().await.unwrap_err();
        let said = crate::report::chain(&error);
        assert!(said.contains("can't be read") && said.contains("context"), "{said}");
    }

    #[test]
    fn a_service_that_is_none_is_refused() {
        let error = addresses(&["compute=http://127.0.0.1:1".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("`compute`"), "{error}");
        assert!(addresses(&["http://127.0.0.1:1".to_owned(), "core=http://127.0.0.1:2".to_owned()]).is_ok());
        assert!(addresses(&["core=nonsense".to_owned()]).is_err());
        assert!(addresses(&["auth=nonsense".to_owned()]).is_err());
    }

    #[test]
    fn who_gives_identities_has_an_address_too() {
        let typed = [
            "metadata=http://127.0.0.1:1/opc/v2/",
            "auth=http://127.0.0.1:2",
            "workload=https://127.0.0.1:3",
        ];
        let found = addresses(&typed.map(str::to_owned)).unwrap();
        let found = [found.metadata, found.auth, found.workload].map(Option::unwrap);
        assert_eq!(
            found,
            ["http://127.0.0.1:1/opc/v2", "http://127.0.0.1:2", "https://127.0.0.1:3"]
        );
    }
}
