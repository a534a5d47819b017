//! A listener's TLS that follows its files.
//!
//! Revocation lists are short-lived and certificates are renewed while the gateway runs. New
//! connections use the newest configuration that was whole; connections that exist finish the request
//! they are at and close, so that nobody goes on under an older revocation list. A broken file changes nothing: the old lists stay, and they refuse
//! everybody once their own date passes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::{ClientTrust, ListenerTls, NamedBytes, TlsError, TlsMaterial};

/// Where a listener's TLS is read from.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The listener's certificate, leaf first.
    pub certificate: PathBuf,
    /// Its private key.
    pub private_key: PathBuf,
    /// The agency issuing authorities; empty for the console listener.
    pub client_roots: Vec<PathBuf>,
    /// Their revocation lists.
    pub revocation_lists: Vec<PathBuf>,
    /// Whether clients must show a certificate: `true` for the agency listener.
    pub needs_client_certificate: bool,
}

impl TlsFiles {
    /// Reads the files.
    pub fn read(&self) -> Result<TlsMaterial, TlsError> {
        let all = |paths: &[PathBuf]| paths.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>();
        let clients = if self.needs_client_certificate {
            Some(ClientTrust { roots: all(&self.client_roots)?, revocation_lists: all(&self.revocation_lists)? })
        } else {
            None
        };
        Ok(TlsMaterial { certificate: read(&self.certificate)?, private_key: read(&self.private_key)?, clients })
    }
}

fn read(path: &Path) -> Result<NamedBytes, TlsError> {
    let file = path.display().to_string();
    match fs::read(path) {
        Ok(bytes) => Ok(NamedBytes::new(file, bytes)),
        Err(error) => Err(TlsError::Unreadable { file, kind: error.kind() }),
    }
}

type Source = Box<dyn Fn() -> Result<TlsMaterial, TlsError> + Send + Sync>;

/// Gives each new connection the TLS of the moment.
pub struct TlsReloader {
    source: Source,
    current: RwLock<ListenerTls>,
    /// The digest of the material in use; held while reloading so that two reloads cannot cross.
    digest: Mutex<[u8; 32]>,
}

impl TlsReloader {
    /// Starts from files.
    pub fn from_files(files: TlsFiles) -> Result<Self, TlsError> {
        Self::new(move || files.read())
    }

    /// Starts from any source of material, read again at each reload.
    pub fn new(source: impl Fn() -> Result<TlsMaterial, TlsError> + Send + Sync + 'static) -> Result<Self, TlsError> {
        let material = source()?;
        let current = ListenerTls::new(&material)?;
        Ok(Self { source: Box::new(source), current: RwLock::new(current), digest: Mutex::new(digest(&material)) })
    }

    /// The TLS for a connection that begins now.
    pub fn current(&self) -> ListenerTls {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the source again; `true` if it had changed. On an error the old configuration stays.
    ///
    /// Reads files: call it where blocking is allowed.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let mut used = self.digest.lock().unwrap_or_else(PoisonError::into_inner);
        let material = (self.source)()?;
        let found = digest(&material);
        if *used == found {
            return Ok(false);
        }
        let fresh = ListenerTls::new(&material)?;
        let old = std::mem::replace(&mut *self.current.write().unwrap_or_else(PoisonError::into_inner), fresh);
        old.superseded.cancel();
        *used = found;
        Ok(true)
    }

    /// Reloads every so often until shutdown.
    pub async fn follow(self: Arc<Self>, every: Duration, shutdown: CancellationToken) {
        while shutdown.run_until_cancelled(tokio::time::sleep(every)).await.is_some() {
            let reloader = Arc::clone(&self);
            match tokio::task::spawn_blocking(move || reloader.reload()).await {
                Ok(Ok(true)) => tracing::info!("the listener's TLS files changed; new connections use them"),
                Ok(Ok(false)) => {}
                Ok(Err(error)) => {
                    metrics::counter!("porth_tls_reload_failures_total").increment(1);
                    tracing::error!(error = %error, "the listener's TLS files changed but cannot be used");
                }
                Err(_) => tracing::error!("reading the listener's TLS files failed"),
            }
        }
    }
}

fn digest(material: &TlsMaterial) -> [u8; 32] {
    let mut hasher = Sha256::new();
    let trust = material.clients.iter().flat_map(|trust| trust.roots.iter().chain(&trust.revocation_lists));
    for part in [&material.certificate, &material.private_key].into_iter().chain(trust) {
        hasher.update((part.bytes.len() as u64).to_be_bytes());
        hasher.update(part.bytes.as_slice());
    }
    hasher.finalize().into()
}
