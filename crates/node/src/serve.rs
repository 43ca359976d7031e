//! A node that listens.
//!
//! ```text
//! let running = serve(Path::new("p1"), Options { scenario_clock: true, ..Options::default() }).await?;
//! running.url()                     http://127.0.0.1:7411
//! running.stop().await              answers what is under way, then ends
//! ```
//! It opens the folder first: a byte that does not fit, or another process on the folder, and it does not listen at all.
use crate::api;
use crate::attempts;
use crate::clock::Clock;
use crate::folder::{Folder, FolderError};
use crate::reads::{Reads, ReadsError};
use crate::receipts::{self, Receipts};
use crate::scrub;
use crate::shell::Shell;
use crate::tls;
use crate::wire::Peer;
use axum::serve::ListenerExt as _;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::TcpListener;

/// How long the end may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a node is served.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The clock moves only by `POST /api/clock`, from this machine.
    pub scenario_clock: bool,
    /// Where to listen, whatever the settings say.
    pub listen: Option<SocketAddr>,
}

/// Why a node does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Its folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Its read log.
    #[error(transparent)]
    Reads(#[from] ReadsError),
    /// The address.
    #[error("{address}: {error}\nhint: is another process listening there? `listen` in node.toml names the address")]
    Listen {
        /// Where it was to listen.
        address: SocketAddr,
        /// Why it cannot.
        error: io::Error,
    },
    /// A scenario's clock could be moved from afar.
    #[error("{0}: a scenario's clock is for loopback only\nhint: listen on 127.0.0.1, or use the system's clock")]
    ScenarioBeyondLoopback(SocketAddr),
}

/// A node that runs.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    speaks_tls: bool,
    shell: Handle,
    server: tokio::task::JoinHandle<io::Result<()>>,
    thread: JoinHandle<()>,
}

struct Handle(Shell);

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shell")
    }
}

impl Running {
    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as a URL.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.speaks_tls { "https" } else { "http" }, self.address)
    }

    /// Answers what is under way, then ends. The folder is free when this returns.
    pub async fn stop(self) {
        self.shell.0.stop_waiting();
        // A connection that does not end is dropped with the process.
        let _ = tokio::time::timeout(PATIENCE, self.server).await;
        self.shell.0.stop();
        let _ = tokio::task::spawn_blocking(move || self.thread.join()).await;
    }
}

/// Opens a node's folder and serves it.
pub async fn serve(dir: &Path, options: Options) -> Result<Running, ServeError> {
    let dir = dir.to_path_buf();
    let opened = tokio::task::spawn_blocking(move || {
        let mut folder = Folder::read(&dir)?;
        folder.verify()?;
        let node = folder.open(options.scenario_clock)?;
        let mut reads = Reads::open(&folder.dir)?;
        node.read_digests().iter().try_for_each(|day| reads.check(day))?;
        let receipts = Receipts::open(&folder.dir)
            .map_err(|error| FolderError::Read { path: folder.dir.join(receipts::FILE), error })?;
        Ok::<_, ServeError>((folder, node, reads, receipts))
    });
    let (folder, node, reads, receipts) = match opened.await {
        Ok(opened) => opened?,
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    };
    let address = options.listen.unwrap_or(folder.config.listen);
    if options.scenario_clock && !address.ip().is_loopback() {
        return Err(ServeError::ScenarioBeyondLoopback(address));
    }
    let shown = tls::server(&folder.dir, &folder.config)?;
    let peers = folder.config.peers.iter().map(|peer| {
        let tls = tls::of_peer(&folder.dir, &folder.config, peer)?;
        Ok(Peer { name: peer.name.clone(), url: peer.url.trim_end_matches('/').to_string(), tls })
    });
    let peers: Vec<Peer> = peers.collect::<Result<_, FolderError>>()?;
    let failed = |error| ServeError::Listen { address, error };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let clock = if options.scenario_clock { Clock::scenario() } else { Clock::System };
    let founding = node.founding().clone();
    let (shell, thread) = Shell::start(node, clock, &peers);
    scrub::start(&shell, &folder);
    let receipts = Arc::new(receipts);
    let (name, pacing) = (&folder.config.name, folder.config.pacing);
    receipts::start(&shell, &receipts, name, &peers, &founding, pacing);
    attempts::start(&shell, name, &peers, &founding, pacing);
    let service = api::router(shell.clone(), folder, founding, reads, receipts, address, shown.is_some())
        .into_make_service_with_connect_info::<SocketAddr>();
    let mut stopping = shell.stopping();
    let stop = async move {
        let _ = stopping.wait_for(|stop| *stop).await;
    };
    let speaks_tls = shown.is_some();
    let server = match shown {
        Some(shown) => {
            let listener = tls::Listener::new(listener, shown).map_err(failed)?.tap_io(|_| ());
            tokio::spawn(axum::serve(listener, service).with_graceful_shutdown(stop).into_future())
        }
        None => tokio::spawn(axum::serve(listener, service).with_graceful_shutdown(stop).into_future()),
    };
    Ok(Running { address, speaks_tls, shell: Handle(shell), server, thread })
}
