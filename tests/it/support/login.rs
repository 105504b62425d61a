//! Users of a test server.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::audit::{self, Mark, Sent};

/// Tokens of users that may do everything, and of such that may do nothing until a test gives them a role.
pub(crate) const ADMINS: usize = 512;
pub(crate) const NOBODIES: usize = 32;

/// The token file: token, name, uid, groups.
pub(crate) fn token_file() -> String {
    let admins = (0..ADMINS).map(|n| format!("token-admin-{n},admin-{n},admin-{n},system:masters\n"));
    let nobodies = (0..NOBODIES).map(|n| format!("token-nobody-{n},nobody-{n},nobody-{n}\n"));
    admins.chain(nobodies).collect()
}

/// A user that nobody else in this process is: its requests can be told from those of other tests.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    /// User name, as RBAC knows it.
    pub(crate) user: String,
    /// Bearer token.
    pub(crate) token: String,
    /// The server's address.
    pub(crate) url: String,
    /// The server's certificate, as a file.
    pub(crate) authority: PathBuf,
    /// A kubeconfig with one context, `test`.
    pub(crate) kubeconfig: PathBuf,
    pub(super) kubectl: PathBuf,
    pub(super) log: PathBuf,
    pub(super) folder: PathBuf,
}

impl Login {
    /// A raw client.
    pub(crate) async fn client(&self) -> kube::Client {
        let text = std::fs::read_to_string(&self.kubeconfig).expect("the kubeconfig");
        let config = kube::config::Kubeconfig::from_yaml(&text).expect("a kubeconfig");
        let options = kube::config::KubeConfigOptions::default();
        let config = kube::Config::from_custom_kubeconfig(config, &options)
            .await
            .expect("a config");
        kube::Client::try_from(config).expect("a client")
    }

    /// The port of the server.
    pub(crate) fn port(&self) -> u16 {
        let port = self.url.rsplit(':').next().and_then(|port| port.parse().ok());
        port.expect("an address with a port")
    }

    /// The same user, who comes by another port of this machine.
    pub(crate) fn by_port(&self, port: u16, path: &Path) -> Self {
        let login = Self {
            url: format!("https://127.0.0.1:{port}"),
            kubeconfig: path.to_owned(),
            ..self.clone()
        };
        kubeconfig(path, &[("test", &login)]);
        login
    }

    /// The end of the server's request log.
    pub(crate) fn mark(&self) -> Mark {
        audit::mark(&self.log)
    }

    /// What this user sent since, `(verb, path with query)`, in order.
    pub(crate) fn requests_since(&self, mark: Mark) -> Vec<(String, String)> {
        let sent = self.sent_since(mark).into_iter();
        sent.map(|sent| (sent.verb, sent.path)).collect()
    }

    /// The same with all that is known of each request.
    pub(crate) fn sent_since(&self, mark: Mark) -> Vec<Sent> {
        let all = audit::since(&self.log, mark).into_iter();
        all.filter(|sent| sent.user == self.user).collect()
    }

    /// Runs kubectl as this user.
    pub(crate) fn try_kubectl(&self, args: &[&str], stdin: &str) -> Output {
        let mut child = Command::new(&self.kubectl)
            .args(args)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("KUBECACHEDIR", self.folder.join("kubectl-cache"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl starts");
        let mut pipe = child.stdin.take().expect("a pipe");
        let text = stdin.to_owned();
        // Written beside the reading: neither pipe may fill up while the other is waited for.
        let writer = std::thread::spawn(move || drop(pipe.write_all(text.as_bytes())));
        let output = child.wait_with_output().expect("kubectl ends");
        writer.join().expect("the writer ends");
        output
    }

    /// Runs kubectl as this user and returns what it printed.
    ///
    /// # Panics
    /// Where it fails.
    pub(crate) fn kubectl(&self, args: &[&str]) -> String {
        self.kubectl_in(args, "")
    }

    /// The same with something on its standard input (`-f -`).
    pub(crate) fn kubectl_in(&self, args: &[&str], stdin: &str) -> String {
        let output = self.try_kubectl(args, stdin);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kubectl {args:?}: {errors}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// One object as kubectl prints it, managedFields included.
    pub(crate) fn get(&self, args: &[&str]) -> serde_json::Value {
        let text = self.kubectl(&[&["get", "-o", "json", "--show-managed-fields"], args].concat());
        serde_json::from_str(&text).expect("JSON")
    }
}

/// Writes a kubeconfig whose contexts are these logins, the first one current.
pub(crate) fn kubeconfig(path: &Path, contexts: &[(&str, &Login)]) {
    let list = |f: &dyn Fn(&str, &Login) -> serde_json::Value| -> Vec<_> {
        contexts.iter().map(|(name, login)| f(name, login)).collect()
    };
    let config = serde_json::json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": contexts.first().map(|(name, _)| *name),
        "clusters": list(&|name, login| serde_json::json!({"name": name, "cluster": {
            "server": login.url, "certificate-authority": login.authority}})),
        "users": list(&|name, login| serde_json::json!({"name": name, "user": {"token": login.token}})),
        "contexts": list(&|name, _| serde_json::json!({"name": name, "context": {"cluster": name, "user": name}})),
    });
    std::fs::write(path, config.to_string()).expect("the kubeconfig is written");
}
