//! The sandbox as a whole: both APIs over one store, one clock and one schedule of faults, with operators at work.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::cluster_api;
use super::fault::{Point, Schedule, Share, Spec};
use super::guest_network::GuestNetwork;
use super::kubernetes::{ApiServer, Resource};
use super::middleware::{Dialect, Faulty};
use super::oci::{Identity, Limits, OciServer, Principal};
use super::operators::run::Operators;
use super::store::disk::{Disk, InUse};
use super::store::{Memory, Store, StoreError, Write};
use crate::http_server::Api;
use crate::render::crds;
use crate::sync::{self, SyncKind};

/// Virtual seconds that pass in one: a minute a second, so that a control plane takes eight seconds and its nodes five more.
pub const DEFAULT_SPEED: f64 = 60.0;

/// The file within the directory.
const STATE: &str = "state.redb";

/// How what is put there is signed.
const MANAGER: &str = "sandbox";

/// What the sandbox keeps for itself.
const TABLE: &str = "sandbox";
const CLOCK: &str = "clock";
/// The API servers that there are, by name.
const CLUSTERS: &str = "sandbox/clusters";

/// How often the clock is written down, in real time.
const TICK: Duration = Duration::from_secs(1);

/// While nobody has a sandbox open its clock goes on, as far as anything can still be under way.
const LONGEST_ABSENCE: SignedDuration = SignedDuration::from_hours(24);

/// How a sandbox is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where its state is kept; none: in memory.
    pub directory: Option<PathBuf>,
    /// What faults are drawn from.
    pub seed: u64,
    /// How often which fault strikes.
    pub faults: Spec,
    /// Virtual seconds in a second.
    pub speed: f64,
    /// Whether OCI's service limits are those of a new tenancy; else there are none.
    pub limited: bool,
    /// The machine's time, with which a new sandbox's clock begins.
    pub now: Timestamp,
}

impl Options {
    /// In memory, without faults, at the default speed.
    pub fn new(now: Timestamp) -> Self {
        Self {
            directory: None,
            seed: 0,
            faults: Spec::default(),
            speed: DEFAULT_SPEED,
            limited: true,
            now,
        }
    }
}

/// Why a sandbox can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error(
        "another process has the sandbox in {0} open: end it, or use what it serves by {0}/kubeconfig and {0}/oci/config",
        directory.display()
    )]
    InUse {
        /// The directory.
        directory: PathBuf,
    },
    /// The directory can't be made.
    #[error("the sandbox's directory {} can't be made", directory.display())]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The state can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A management cluster can't be opened.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

/// Why there is no API server of a name.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The state can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It does not take a CRD of ours.
    #[error("the sandbox's API server does not take the CRD {name}: {message}")]
    Crd {
        /// The CRD.
        name: &'static str,
        /// Why.
        message: String,
    },
}

/// Why an object can't be put there.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// There is no API server.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The server refuses it.
    #[error("the sandbox's API server refuses it: {0}")]
    Refused(String),
}

/// A sandbox.
pub struct Sandbox {
    store: Arc<dyn Store>,
    disk: Option<Arc<Disk>>,
    clock: Clock,
    /// The machine's time.
    real: Clock,
    /// The time up to which everything had happened when it was opened.
    since: Timestamp,
    faults: Arc<Schedule>,
    kubernetes_faults: Arc<Share>,
    oci_faults: Arc<Share>,
    identity: Identity,
    oci: Arc<OciServer>,
    clusters: Mutex<BTreeMap<String, Arc<Cluster>>>,
    closed: CancellationToken,
}

/// One API server with its operators.
#[derive(Debug)]
pub struct Cluster {
    server: ApiServer,
    faulty: Faulty,
    operators: Operators,
}

impl Cluster {
    /// The API as others see it: behind the faults.
    pub fn api(&self) -> &dyn Api {
        &self.faulty
    }

    /// The server itself.
    pub fn server(&self) -> &ApiServer {
        &self.server
    }
}

/// The clock's row.
#[derive(Serialize, Deserialize)]
struct Told {
    shown: Timestamp,
    at: Timestamp,
}

impl Sandbox {
    /// Opens a sandbox, or makes a new one.
    ///
    /// # Errors
    /// Where another process has it open, or its state can't be read.
    pub async fn open(options: Options) -> Result<Arc<Self>, OpenError> {
        let disk = match &options.directory {
            Some(directory) => Some(Arc::new(open_disk(directory)?)),
            None => None,
        };
        let store: Arc<dyn Store> = match &disk {
            Some(disk) => disk.clone(),
            None => Arc::new(Memory),
        };
        let real = Clock::new(options.now, 1.0);
        let (since, now) = time(&*store, &options)?;
        let clock = Clock::new(now, options.speed);
        let faults = Arc::new(Schedule::from_seed(options.seed, options.faults.clone()));
        let identity = identity(&store, disk.is_some())?;
        let kubernetes_faults = Arc::new(Share::of(faults.clone()));
        let oci_faults = Arc::new(Share::of(faults.clone()));
        let clusters: Vec<String> = store.load(CLUSTERS)?.into_iter().map(|(_, name, _)| name).collect();
        // What they hold of a large fleet takes a while to read, each mostly on one core.
        let (oci, servers) = std::thread::scope(|scope| {
            let servers = scope.spawn(|| {
                let servers = clusters.iter().map(|name| {
                    let faults = kubernetes_faults.clone();
                    Ok((name, ApiServer::new(name, store.clone(), clock.clone(), faults)?))
                });
                servers.collect::<Result<Vec<_>, StoreError>>()
            });
            let oci = OciServer::new(store.clone(), clock.clone(), oci_faults.clone(), &identity);
            (
                oci,
                servers.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            )
        });
        let (mut oci, servers) = (oci?, servers?);
        if !options.limited {
            oci = oci.with_limits(Limits::lifted());
        }
        let sandbox = Arc::new(Self {
            store,
            disk,
            clock,
            real,
            since,
            faults,
            kubernetes_faults,
            oci_faults,
            identity,
            oci: Arc::new(oci),
            clusters: Mutex::default(),
            closed: CancellationToken::new(),
        });
        sandbox.write_clock();
        for (name, server) in servers {
            let cluster = sandbox.set_to_work(server)?;
            sandbox.clusters.lock().await.insert(name.clone(), cluster);
        }
        if sandbox.disk.is_some() {
            tokio::spawn(tick(Arc::downgrade(&sandbox), sandbox.closed.clone()));
        }
        Ok(sandbox)
    }

    /// The API server of a management cluster, made with the CRDs of the kinds that a fleet has where it is new.
    ///
    /// # Errors
    /// Where its state can't be read.
    pub async fn cluster(&self, name: &str) -> Result<Arc<Cluster>, ClusterError> {
        let mut clusters = self.clusters.lock().await;
        if let Some(cluster) = clusters.get(name) {
            return Ok(cluster.clone());
        }
        let server = ApiServer::new(
            name,
            self.store.clone(),
            self.clock.clone(),
            self.kubernetes_faults.clone(),
        )?;
        let cluster = self.set_to_work(server)?;
        self.store.write(vec![Write {
            table: CLUSTERS.to_owned(),
            key: name.to_owned(),
            value: Some(String::new()),
        }]);
        clusters.insert(name.to_owned(), cluster.clone());
        Ok(cluster)
    }

    /// Has an API server know its kinds, and operators work on it.
    fn set_to_work(&self, server: ApiServer) -> Result<Arc<Cluster>, ClusterError> {
        install_crds(&server)?;
        let operators = Operators::start(
            server.clone(),
            Arc::new(GuestNetwork::new(self.oci.clone())),
            self.clock.clone(),
            self.since,
        );
        let faulty = Faulty::new(
            Arc::new(server.clone()),
            Dialect::Kubernetes,
            self.kubernetes_faults.clone(),
            self.clock.clone(),
        );
        Ok(Arc::new(Cluster {
            server,
            faulty,
            operators,
        }))
    }

    /// The OCI API as others see it: behind the faults.
    pub fn oci_api(&self) -> Arc<dyn Api> {
        Arc::new(Faulty::new(
            self.oci.clone(),
            Dialect::Oci,
            self.oci_faults.clone(),
            self.clock.clone(),
        ))
    }

    /// The OCI server itself.
    pub fn oci(&self) -> &Arc<OciServer> {
        &self.oci
    }

    /// The sandbox's own user.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Lets the sandbox's own key in as a user of another tenancy too; gives the id under which requests name it.
    pub fn admit(&self, tenancy: &str) -> String {
        let own = self.identity.principal();
        let principal = Principal {
            tenancy: tenancy.to_owned(),
            user: own.user.clone(),
        };
        let key_id = [tenancy, &own.user, self.identity.fingerprint()].join("/");
        match Identity::from_pem(principal, self.identity.private_key()) {
            Ok(identity) => self.oci.register(key_id.clone(), &identity),
            // It was read from this very text before.
            Err(error) => tracing::error!(%error, "the sandbox's own key can't be read"),
        }
        key_id
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The faults, and how often they struck.
    pub fn faults(&self) -> &Schedule {
        &self.faults
    }

    /// What of the faults befell the APIs of one dialect, by point: how often it was passed, and how often it struck.
    pub fn faults_of(&self, dialect: Dialect) -> BTreeMap<Point, (u64, u64)> {
        match dialect {
            Dialect::Kubernetes => self.kubernetes_faults.counts(),
            Dialect::Oci => self.oci_faults.counts(),
        }
    }

    /// Makes a Kubernetes object past all faults, unless it is there: for whatever has to be there before a fleet.
    ///
    /// # Errors
    /// Where the server refuses it, or can't be opened.
    pub async fn put(&self, cluster: &str, object: &Value) -> Result<(), PutError> {
        match self.cluster(cluster).await?.server.create(MANAGER, object) {
            Ok(_) => Ok(()),
            Err(refusal) if refusal.reason == "AlreadyExists" => Ok(()),
            Err(refusal) => Err(PutError::Refused(refusal.message)),
        }
    }

    /// Waits until the operators have done all that falls due by now.
    pub async fn settled(&self) {
        let clusters: Vec<_> = self.clusters.lock().await.values().cloned().collect();
        for cluster in clusters {
            cluster.operators.idle().await;
        }
    }

    /// Ends the operators and has everything on disk.
    ///
    /// # Errors
    /// Where it can't be written.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.closed.cancel();
        let clusters = std::mem::take(&mut *self.clusters.lock().await);
        for cluster in clusters.into_values() {
            cluster.operators.end().await;
        }
        self.write_clock();
        match &self.disk {
            Some(disk) => disk.close(),
            None => Ok(()),
        }
    }

    fn write_clock(&self) {
        let told = Told {
            shown: self.clock.now(),
            at: self.real.now(),
        };
        let value = serde_json::to_string(&told).ok();
        self.store.write(vec![Write {
            table: TABLE.to_owned(),
            key: CLOCK.to_owned(),
            value,
        }]);
    }
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox")
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

/// Has an API server know the kinds that a fleet has, and those by which a daemon tells how it stands.
fn install_crds(server: &ApiServer) -> Result<(), ClusterError> {
    for (name, yaml) in crds::OWN {
        let crd: Value = serde_yaml::from_str(yaml).map_err(|error| ClusterError::Crd {
            name,
            message: error.to_string(),
        })?;
        server.install_crd(&crd).map_err(|refusal| ClusterError::Crd {
            name,
            message: refusal.message,
        })?;
    }
    let definitions = Resource::new("apiextensions.k8s.io", "v1", "customresourcedefinitions");
    for definition in cluster_api::definitions() {
        let name = definition["metadata"]["name"].as_str().unwrap_or_default();
        // Somebody may have applied upstream's.
        let is_there = server.get(&definitions, "", name).is_ok_and(|there| there.is_some());
        if let Some(refusal) = (!is_there).then(|| server.install_crd(&definition).err()).flatten() {
            return Err(ClusterError::Crd {
                name: "Cluster API",
                message: refusal.message,
            });
        }
    }
    for kind in SyncKind::ALL {
        let refused = server.install_crd(&sync::crd::definition(kind)).err();
        if let Some(refusal) = refused {
            return Err(ClusterError::Crd {
                name: kind.name(),
                message: refusal.message,
            });
        }
    }
    Ok(())
}

async fn tick(sandbox: std::sync::Weak<Sandbox>, closed: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(TICK) => {}
            () = closed.cancelled() => return,
        }
        match sandbox.upgrade() {
            Some(sandbox) => sandbox.write_clock(),
            None => return,
        }
    }
}

fn open_disk(directory: &Path) -> Result<Disk, OpenError> {
    let failed = |source| OpenError::Directory {
        directory: directory.to_owned(),
        source,
    };
    if !directory.exists() {
        std::fs::create_dir_all(directory).map_err(failed)?;
        // Keys and made-up secrets are in there: no repository is to take it in.
        std::fs::write(directory.join(".gitignore"), "*\n").map_err(failed)?;
    }
    Disk::open(&directory.join(STATE)).map_err(|error| {
        if error.source.is::<InUse>() {
            OpenError::InUse {
                directory: directory.to_owned(),
            }
        } else {
            error.into()
        }
    })
}

/// The time when the state was left, and the time that it is now.
fn time(store: &dyn Store, options: &Options) -> Result<(Timestamp, Timestamp), StoreError> {
    let rows = store.load(TABLE)?;
    let row = rows.into_iter().find(|(table, key, _)| table == TABLE && key == CLOCK);
    let Some(told) = row.and_then(|(_, _, value)| serde_json::from_str::<Told>(&value).ok()) else {
        return Ok((options.now, options.now));
    };
    let away = options.now.duration_since(told.at).max(SignedDuration::ZERO);
    let passed = SignedDuration::try_from_secs_f64(away.as_secs_f64() * options.speed).unwrap_or(LONGEST_ABSENCE);
    let now = told.shown.checked_add(passed.min(LONGEST_ABSENCE));
    Ok((told.shown, now.unwrap_or(told.shown)))
}

/// The sandbox's own user. Making a key takes a while: what is kept nowhere shares one in this process.
fn identity(store: &Arc<dyn Store>, kept: bool) -> Result<Identity, StoreError> {
    static SHARED: OnceLock<Identity> = OnceLock::new();
    if kept {
        return Identity::kept_in(&**store);
    }
    if let Some(identity) = SHARED.get() {
        return Ok(identity.clone());
    }
    let made = Identity::kept_in(&Memory)?;
    Ok(SHARED.get_or_init(|| made).clone())
}
