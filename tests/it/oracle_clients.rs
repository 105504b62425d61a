//! Oracle's own clients, the Python SDK and the command line, drive the sandbox.
//!
//! They come from PyPI, in the versions of `tests/oracle_clients/requirements.txt`, into an environment under `target/`.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use fleetwright::http_server::Server;
use fleetwright::sandbox::clock::Clock;
use fleetwright::sandbox::fault::Never;
use fleetwright::sandbox::oci::{Identity, OciServer};
use fleetwright::sandbox::store::Memory;

use super::support::skip;

const REGION: &str = "eu-frankfurt-1";
const PEER_REGION: &str = "us-phoenix-1";
/// Seconds of the server's clock in one of the tests'.
const SPEED: f64 = 50.0;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The environment's folder; made once, and again when the requirements change.
fn environment() -> Result<&'static Path, &'static str> {
    static MADE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let made = MADE.get_or_init(make_environment);
    made.as_deref().map_err(String::as_str)
}

fn make_environment() -> Result<PathBuf, String> {
    let folder = root().join("target/testenv/oracle-clients");
    let requirements = root().join("tests/oracle_clients/requirements.txt");
    let wanted = std::fs::read_to_string(&requirements).map_err(|error| error.to_string())?;
    let marker = folder.join("installed.txt");
    if std::fs::read_to_string(&marker).is_ok_and(|installed| installed == wanted) {
        return Ok(folder);
    }
    writeln!(
        std::io::stderr(),
        "installing Oracle's clients from PyPI, once, for some minutes"
    )
    .ok();
    let run = |command: &mut Command| match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Err(error.to_string()),
    };
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))
        .map_err(|error| format!("there is no Python with venv: {error}"))?;
    run(Command::new(folder.join("bin/pip"))
        .args(["install", "--quiet", "--disable-pip-version-check", "--requirement"])
        .arg(&requirements))
    .map_err(|error| format!("Oracle's clients can't be installed: {error}"))?;
    std::fs::write(marker, wanted).map_err(|error| error.to_string())?;
    Ok(folder)
}

/// A server on a port, and a client's configuration for it.
struct Sandbox {
    api: Arc<OciServer>,
    server: Server,
    folder: tempfile::TempDir,
}

impl Sandbox {
    async fn start() -> Self {
        let identity = Identity::generate().unwrap();
        let clock = Clock::new(jiff::Timestamp::now(), SPEED);
        let api = OciServer::new(Arc::new(Memory), clock, Arc::new(Never), &identity).unwrap();
        let api = Arc::new(api.in_region(REGION));
        let server = Server::start(api.clone(), 0).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key.pem");
        // The SDK warns of keys without this label, as a guard against pasting one elsewhere.
        std::fs::write(&key, format!("{}OCI_API_KEY\n", identity.private_key())).unwrap();
        let config = identity.config_file(REGION, &key.display().to_string());
        std::fs::write(folder.path().join("config"), config).unwrap();
        for file in ["key.pem", "config"] {
            let owner = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            std::fs::set_permissions(folder.path().join(file), owner).unwrap();
        }
        Self { api, server, folder }
    }

    /// The lines that a script prints, each once, in order of the alphabet.
    async fn run(&self, environment: &Path, script: &str) -> Vec<String> {
        let mut command = Command::new(environment.join("bin/python"));
        // Away from the user's own configuration, and from a proxy that would be asked for loopback.
        let inherited = std::env::vars_os().filter(|(name, _)| {
            let name = name.to_string_lossy();
            !name.starts_with("OCI_") && !name.to_ascii_lowercase().ends_with("_proxy")
        });
        command
            .arg(root().join("tests/oracle_clients").join(script))
            .arg(self.folder.path().join("config"))
            .arg(format!("http://127.0.0.1:{}", self.server.port()))
            .arg(PEER_REGION)
            .env_clear()
            .envs(inherited)
            .env("HOME", self.folder.path());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap();
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(output.status.success(), "{out}\n{err}");
        let lines: BTreeSet<_> = out.lines().map(str::to_owned).collect();
        lines.into_iter().collect()
    }

    fn knew_every_operation(&self) {
        let unknown = self.api.unknown_operations();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_sdk_drives_every_kind() {
    let folder = match environment() {
        Ok(folder) => folder,
        Err(reason) => return skip(reason).unwrap_or_default(),
    };
    let sandbox = Sandbox::start().await;
    let went_well = sandbox.run(folder, "sdk.py").await;
    assert_eq!(
        went_well,
        [
            "compartment",
            "dhcp_options",
            "drg",
            "drg_attachment",
            "internet_gateway",
            "local_peering_gateway",
            "nat_gateway",
            "network_load_balancer",
            "network_security_group",
            "public_ip",
            "remote_peering_connection",
            "route_table",
            "security_list",
            "service_gateway",
            "signature",
            "subnet",
            "vcn",
            "zone",
        ]
    );
    assert_eq!(
        sandbox.api.unknown_operations().len(),
        0,
        "{:?}",
        sandbox.api.unknown_operations()
    );
    let living = sandbox.api.living();
    let left: Vec<_> = living.keys().filter(|kind| **kind != "WorkRequest").collect();
    assert!(left.is_empty(), "{living:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_drives_every_kind() {
    let folder = match environment() {
        Ok(folder) => folder,
        Err(reason) => return skip(reason).unwrap_or_default(),
    };
    let sandbox = Sandbox::start().await;
    let went_well = sandbox.run(folder, "cli.py").await;
    assert_eq!(
        went_well,
        [
            "deleted",
            "dns zone",
            "network dhcp-options",
            "network drg",
            "network drg-attachment",
            "network internet-gateway",
            "network local-peering-gateway",
            "network nat-gateway",
            "network nsg",
            "network public-ip",
            "network remote-peering-connection",
            "network route-table",
            "network security-list",
            "network service-gateway",
            "network subnet",
            "network vcn",
            "nlb network-load-balancer",
            "signature",
        ]
    );
    sandbox.knew_every_operation();
}
