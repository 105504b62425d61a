//! One that speaks TLS for a server on loopback that does not.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// It; nobody is served any more once it is dropped.
pub(crate) struct Tls {
    port: u16,
    _runtime: Runtime,
}

impl Tls {
    /// Stands before the server at this port, with a certificate for 127.0.0.1 that vouches for itself.
    pub(crate) fn before(port: u16) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("its address");
        let acceptor = TlsAcceptor::from(config());
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(acceptor.clone(), client, port));
            }
        });
        Self {
            port: address.port(),
            _runtime: runtime,
        }
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The file that makes it trusted.
    pub(crate) fn authority() -> PathBuf {
        key("loopback.pem")
    }

    /// The file of an authority that it has nothing to do with.
    pub(crate) fn other_authority() -> PathBuf {
        key("stranger.pem")
    }
}

fn key(name: &str) -> PathBuf {
    crate::fleet_support::repository("tests/it/oci_client/keys").join(name)
}

/// What a server on loopback speaks TLS by, for whoever trusts [`Tls::authority`].
pub(crate) fn config() -> Arc<ServerConfig> {
    let certificate = CertificateDer::from_pem_file(Tls::authority()).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(key("loopback.key.pem")).expect("a key");
    let provider = tokio_rustls::rustls::crypto::ring::default_provider();
    let config = ServerConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("they belong together");
    Arc::new(config)
}

/// Copies both ways until both sides have said all. A client that does not trust us has gone by then.
async fn forward(acceptor: TlsAcceptor, client: TcpStream, port: u16) -> std::io::Result<()> {
    let mut client = acceptor.accept(client).await?;
    let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}
