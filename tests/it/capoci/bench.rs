//! A Kubernetes server with the controller on it, and an OCI server.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, OnceLock};

use fleetwright::http_server::Server;
use fleetwright::sandbox::clock::Clock;
use fleetwright::sandbox::fault::Never;
use fleetwright::sandbox::oci::{Identity, OciServer};
use fleetwright::sandbox::store::Memory;
use serde_json::{Value, json};

use super::controller::{Controller, program};
use crate::support::{ApiServer, Login, skip};

pub(super) const REGION: &str = "eu-frankfurt-1";
pub(super) const COMPARTMENT: &str = "ocid1.compartment.oc1..aaaacapoci";
/// Where the template of identities puts them.
pub(super) const IDENTITIES: &str = "cluster-api-provider-oci-system";
/// Seconds of the OCI server's clock in one of the controller's: so many that what is deleted is soon shown no longer.
/// Until then the controller, when it begins anew, deletes it again, is answered 404, and waits for twice as long.
const SPEED: f64 = 600.0;

/// The Kubernetes side. It is a server of its own: webhooks are registered for all of it.
pub(super) struct Bench {
    pub(super) login: Login,
    controller: Controller,
    _server: ApiServer,
}

impl Bench {
    pub(super) fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Bench>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    fn start() -> Option<Self> {
        let program = match program() {
            Ok(program) => program,
            Err(reason) => return skip(reason),
        };
        let server = ApiServer::start()?;
        let login = server.login();
        login.kubectl(&["create", "namespace", IDENTITIES]);
        let controller = Controller::start(program, &server.login(), server.folder());
        Some(Self {
            login,
            controller,
            _server: server,
        })
    }

    /// Does what Cluster API's own controller does where it runs: it makes the Cluster the owner of its infrastructure.
    pub(super) fn adopt(&self, space: &str, name: &str) {
        let owner = json!({"metadata": {"ownerReferences": [self.owner(space, name)]}}).to_string();
        self.login.kubectl(&[
            "patch",
            "ocicluster",
            name,
            "-n",
            space,
            "--type=merge",
            "--field-manager=capi",
            "-p",
            &owner,
        ]);
    }

    /// The owner reference to a Cluster.
    pub(super) fn owner(&self, space: &str, name: &str) -> Value {
        let cluster = self.login.get(&["cluster", name, "-n", space]);
        json!({
            "apiVersion": cluster["apiVersion"],
            "kind": "Cluster",
            "name": name,
            "uid": cluster["metadata"]["uid"],
            "blockOwnerDeletion": true,
            "controller": true,
        })
    }

    /// Waits until the controller calls the cluster ready, and returns it.
    ///
    /// # Panics
    /// Where that does not come.
    pub(super) fn ready(&self, cloud: &Cloud, space: &str, name: &str) -> Value {
        // Written last, after the condition and the spec.
        let wait = ["wait", "--for=jsonpath={.status.ready}=true", "--timeout=120s"];
        self.await_with(cloud, &[&wait[..], &["ocicluster", name, "-n", space]].concat());
        let live = self.live(space, name);
        let conditions = live["status"]["conditions"].as_array().expect("conditions");
        let states: Vec<_> = conditions.iter().map(|it| (&it["type"], &it["status"])).collect();
        assert_eq!(
            states,
            [
                (&json!("Ready"), &json!("True")),
                (&json!("ClusterReady"), &json!("True"))
            ]
        );
        live
    }

    /// Deletes a cluster, and waits until the controller has let go of it.
    pub(super) fn delete(&self, cloud: &Cloud, space: &str, name: &str) {
        self.await_with(cloud, &["delete", "ocicluster", name, "-n", space, "--timeout=180s"]);
    }

    pub(super) fn live(&self, space: &str, name: &str) -> Value {
        self.login.get(&["ocicluster", name, "-n", space])
    }

    fn await_with(&self, cloud: &Cloud, args: &[&str]) {
        let output = self.login.try_kubectl(args, "");
        assert!(
            output.status.success(),
            "{}{:?}\n{}\n{}",
            String::from_utf8_lossy(&output.stderr),
            cloud.api.unknown_operations(),
            self.login
                .kubectl(&["get", "events", "-A", "--field-selector=type=Warning"]),
            self.controller.log_tail()
        );
    }
}

/// The OCI side.
pub(super) struct Cloud {
    pub(super) api: Arc<OciServer>,
    identity: Identity,
    server: Server,
    folder: tempfile::TempDir,
}

impl Cloud {
    pub(super) async fn start() -> Self {
        let identity = Identity::generate().unwrap();
        let clock = Clock::new(jiff::Timestamp::now(), SPEED);
        let api = OciServer::new(Arc::new(Memory), clock, Arc::new(Never), &identity).unwrap();
        let api = Arc::new(api.in_region(REGION));
        let server = Server::start(api.clone(), 0).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (key, config) = (folder.path().join("key.pem"), folder.path().join("config"));
        std::fs::write(&key, identity.private_key()).unwrap();
        std::fs::write(&config, identity.config_file(REGION, &key.display().to_string())).unwrap();
        for file in [key, config] {
            std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        Self {
            api,
            identity,
            server,
            folder,
        }
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port())
    }

    pub(super) fn config(&self) -> String {
        self.folder.path().join("config").display().to_string()
    }

    pub(super) fn tenancy(&self) -> &str {
        &self.identity.principal().tenancy
    }

    /// The Secret that an identity of type `UserPrincipal` names.
    pub(super) fn secret(&self, space: &str) -> Value {
        let key_id = self.identity.key_id();
        let fingerprint = key_id.rsplit('/').next().expect("a fingerprint");
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "oci-user", "namespace": space},
            "stringData": {
                "tenancy": self.tenancy(),
                "user": self.identity.principal().user,
                "fingerprint": fingerprint,
                "key": self.identity.private_key(),
                "passphrase": "",
                "region": REGION,
            },
        })
    }

    /// `clientOverrides` that lead to this server.
    pub(super) fn overrides(&self) -> Value {
        let clients = [
            "vCN",
            "networkLoadBalancer",
            "loadBalancer",
            "identity",
            "compute",
            "computeManagement",
            "workrequest",
        ];
        clients
            .iter()
            .map(|client| (format!("{client}ClientUrl"), Value::from(self.url())))
            .collect()
    }

    /// What there is, by kind; work requests are not counted.
    pub(super) fn living(&self) -> BTreeMap<&'static str, Vec<String>> {
        let mut living = self.api.living();
        living.remove("WorkRequest");
        living.values_mut().for_each(|ids| ids.sort());
        living.retain(|_, ids| !ids.is_empty());
        living
    }

    /// # Panics
    /// Where an operation was asked for that the sandbox does not have.
    pub(super) fn knew_every_operation(&self) {
        assert_eq!(self.api.unknown_operations(), BTreeMap::new());
    }
}
