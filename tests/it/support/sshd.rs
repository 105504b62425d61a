//! A real sshd that serves Git repositories of this machine, as the user that runs the tests.

use std::fs;
use std::path::{Path, PathBuf};

use super::keeper::{Kept, free_port};
use super::skip;

/// A running sshd.
#[derive(Debug)]
pub(crate) struct Sshd {
    _server: Kept,
    folder: PathBuf,
    /// The port on loopback.
    pub(crate) port: u16,
}

impl Sshd {
    /// One with this host key (a private key's file) that lets in whoever has the other half of `authorized`; none where
    /// there is no sshd.
    ///
    /// # Panics
    /// Under CI where there is none; where it does not start.
    pub(crate) fn start(host_key: &Path, authorized: &str) -> Option<Self> {
        let places = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"];
        let Some(sshd) = places.into_iter().find(|place| Path::new(place).is_file()) else {
            return skip("there is no sshd: install openssh-server (it need not run)");
        };
        // Where root starts it, it wants its place for what it does without rights. Others can't make it and need it not.
        fs::create_dir_all("/run/sshd").ok();
        let folder = tempfile::Builder::new()
            .prefix("sshd")
            .tempdir()
            .expect("a directory")
            .keep();
        let port = free_port();
        let file = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).expect("a file");
            path
        };
        let keys = file("authorized_keys", authorized);
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nPidFile none\n",
            host_key.display(),
            keys.display()
        );
        let config = file("config", &config);
        let config = config.to_str().expect("a path of text");
        let server = Kept::start(&folder, None, &[sshd, "-D", "-e", "-f", config], &[]);
        server.wait_for("Server listening on 127.0.0.1");
        Some(Self {
            _server: server,
            folder,
            port,
        })
    }

    /// The URL of a repository on this machine.
    pub(crate) fn url(&self, repository: &Path) -> String {
        format!("ssh://{}@127.0.0.1:{}{}", user(), self.port, repository.display())
    }

    /// A place for files, removed at the end.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Who we are.
pub(crate) fn user() -> String {
    let output = std::process::Command::new("id").arg("-un").output().expect("id");
    String::from_utf8(output.stdout)
        .expect("a name of text")
        .trim()
        .to_owned()
}
