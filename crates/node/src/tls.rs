//! TLS 1.3 and 1.2, by rustls.
//!
//! ```toml
//! [tls]                              # in node.toml; paths are within the node's folder
//! certificate = "tls/cert.pem"       # with the key: the node listens with TLS, and with nothing else
//! key = "tls/key.pem"
//! roots = "tls/roots.pem"            # who vouches for peers; default: the system's roots
//!
//! [[peer]]
//! url = "https://p2.example:7411"
//! certificate = "peers/p2.pem"       # this one, which may vouch for itself, and no other
//! ```
//! TLS keeps what is sent from others' eyes. It proves nothing to the record: what counts there is signed, whoever carried
//! it, and verified by one library that is not this one (docs/decisions/0014).
use crate::config::{Config, Peer};
use crate::folder::{FolderError, check_mode};
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::Deserialize;
use std::fs;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

/// Where systems keep the roots they trust: Debian, Fedora, Alpine and the BSDs.
const SYSTEM_ROOTS: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
/// Who has not said by then what it speaks is let go.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// So many may be saying it at once.
const HANDSHAKES_MAX: usize = 256;

/// `[tls]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The node's certificate, and those that vouch for it, in PEM; with `key`: the node listens with TLS.
    pub certificate: Option<String>,
    /// Its secret key, in PEM.
    pub key: Option<String>,
    /// Who vouches for peers, in PEM; default: the system's roots.
    pub roots: Option<String>,
}

/// What the node shows who asks it; `None`: it listens without TLS.
pub(crate) fn server(dir: &Path, config: &Config) -> Result<Option<Arc<ServerConfig>>, FolderError> {
    let Some(settings) = &config.tls else { return Ok(None) };
    let (certificate, key) = match (&settings.certificate, &settings.key) {
        (None, None) => return Ok(None),
        (Some(certificate), Some(key)) => (dir.join(certificate), dir.join(key)),
        _ => return Err(misfit(&dir.join("node.toml"), "one of `certificate` and `key`", "both, or none of them")),
    };
    let chain = certificates(&certificate)?;
    let pem = read(&key)?;
    check_mode(&key)?;
    let secret = PrivateKeyDer::from_pem_slice(&pem).map_err(|e| misfit(&key, &e.to_string(), "a key in PEM"))?;
    let config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, secret));
    let mut config =
        config.map_err(|e| misfit(&certificate, &e.to_string(), "a certificate, and the key that fits"))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(Arc::new(config)))
}

/// What the node asks this peer to show; `None`: it is asked without TLS.
pub(crate) fn of_peer(dir: &Path, config: &Config, peer: &Peer) -> Result<Option<TlsConfig>, FolderError> {
    let roots = config.tls.as_ref().and_then(|tls| tls.roots.as_ref());
    let pems = match (peer.url.starts_with("https://"), &peer.certificate) {
        (false, None) => return Ok(None),
        (false, Some(_)) => {
            let found = format!("peer {} with a certificate at {}", peer.name, peer.url);
            return Err(misfit(&dir.join("node.toml"), &found, "a `certificate` only where the `url` is https://"));
        }
        (true, pinned) => pinned.as_ref().or(roots).map(|file| dir.join(file)),
    };
    match pems {
        Some(path) => trusting(&path).map(Some),
        None => trusting(&system_roots()).map(Some),
    }
}

/// Trusts whom the certificates in this file vouch for, themselves among them.
pub fn trusting(pem: &Path) -> Result<TlsConfig, FolderError> {
    Ok(trusting_these(&certificates(pem)?))
}

/// Believes nobody.
pub fn trusting_nobody() -> TlsConfig {
    trusting_these(&[])
}

fn trusting_these(trusted: &[CertificateDer<'static>]) -> TlsConfig {
    let trusted: Vec<Certificate<'static>> = trusted.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    let config = TlsConfig::builder().provider(TlsProvider::Rustls).unversioned_rustls_crypto_provider(provider());
    config.root_certs(RootCerts::new_with_certs(&trusted)).build()
}

/// The file of the roots that this system trusts; `SSL_CERT_FILE` names another, as elsewhere.
pub fn system_roots() -> PathBuf {
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let found = || SYSTEM_ROOTS.iter().map(PathBuf::from).find(|path| path.exists());
    named.or_else(found).unwrap_or_else(|| PathBuf::from(SYSTEM_ROOTS[0]))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, FolderError> {
    let pem = read(path)?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match read {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(misfit(path, "no certificate", "at least one, in PEM")),
        Err(error) => Err(misfit(path, &error.to_string(), "certificates in PEM")),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, FolderError> {
    fs::read(path).map_err(|error| FolderError::Tls {
        path: path.to_path_buf(),
        found: error.to_string(),
        allowed: "a file in PEM that can be read".to_string(),
    })
}

fn misfit(path: &Path, found: &str, allowed: &str) -> FolderError {
    FolderError::Tls { path: path.to_path_buf(), found: found.to_string(), allowed: allowed.to_string() }
}

/// Takes connections that speak TLS. Who speaks something else, or nothing, holds up nobody.
pub(crate) struct Listener {
    address: SocketAddr,
    incoming: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
}

impl Listener {
    pub(crate) fn new(mut tcp: TcpListener, config: Arc<ServerConfig>) -> io::Result<Listener> {
        let address = tcp.local_addr()?;
        let (sender, incoming) = mpsc::channel(1);
        let (acceptor, slots) = (TlsAcceptor::from(config), Arc::new(Semaphore::new(HANDSHAKES_MAX)));
        tokio::spawn(async move {
            loop {
                let Ok(slot) = slots.clone().acquire_owned().await else { return };
                let (stream, from) = tokio::select! {
                    accepted = axum::serve::Listener::accept(&mut tcp) => accepted,
                    // Nobody listens any more: the port is free.
                    () = sender.closed() => return,
                };
                let (acceptor, sender) = (acceptor.clone(), sender.clone());
                tokio::spawn(async move {
                    // As for any connection: small answers leave at once.
                    let _ = stream.set_nodelay(true);
                    if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                        let _ = sender.send((stream, from)).await;
                    }
                    drop(slot);
                });
            }
        });
        Ok(Listener { address, incoming })
    }
}

impl axum::serve::Listener for Listener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.incoming.recv().await {
            Some(accepted) => accepted,
            None => pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}
