//! Puts a gateway together from its configuration, and runs it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::error::AppError;
use crate::app::gateway::{Gateway, GatewayKeys, GatewayNames};
use crate::app::held_checkpoint::{self, HeldError};
use crate::app::load_policy::check_whole;
use crate::app::retention::kept_erasures::{self, KeptError};
use crate::app::sequence::{Sequencer, open_log};
use crate::app::trust_file::{TrustFile, keys_in};
use crate::app::witness::{WitnessRule, Witnesses};
use crate::app::writer::Writer;
use crate::config::{Config, ConfigError, Mode, SequencerConfig, WitnessConfig};
use crate::crypto::certs;
use crate::crypto::kek::{Kek, KekError, KekProvider};
use crate::crypto::keyring::{Keyring, KeyringError, Role};
use crate::crypto::production::{KeyFact, KeyFacts, production_refusals};
use crate::crypto::random::SystemRandom;
use crate::crypto::seal::SealPublicKey;
use crate::domain::time::Timestamp;
use crate::jobs;
use crate::store::{Store, StoreError};
use crate::web::console::provider::ProviderError;
use crate::web::console::{Console, router as console_router};
use crate::web::serve::{ServeLimits, Transport, serve};
use crate::web::tls::{ListenerTls, TlsError, TlsFiles, TlsReloader};

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The key-encryption key.
    #[error(transparent)]
    Kek(#[from] KekError),
    /// The key folder.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The database or the policies.
    #[error(transparent)]
    App(#[from] AppError),
    /// The log is behind what this machine remembers.
    #[error(transparent)]
    Held(#[from] HeldError),
    /// What was erased before is not known, or could not be erased again.
    #[error(transparent)]
    Erasures(#[from] KeptError),
    /// A file that must be there.
    #[error("cannot read {path}: {kind}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the operating system said.
        kind: std::io::ErrorKind,
    },
    /// The shield officers' key file.
    #[error("{0} does not hold a shield public key")]
    ShieldKey(PathBuf),
    /// The match run's key file.
    #[error("{0} does not hold a match run's public key")]
    MatchRunKey(PathBuf),
    /// The sign-in provider's files.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// A certificate that cannot be read.
    #[error("{0} does not hold a certificate")]
    Certificate(PathBuf),
    /// Production mode refuses the set-up, for each of these reasons.
    #[error("production mode refuses to start:\n{}", .0.join("\n"))]
    Refused(Vec<String>),
    /// An address that cannot be listened on.
    #[error("cannot listen on {address}: {kind}")]
    Listen {
        /// Which.
        address: String,
        /// What the operating system said.
        kind: std::io::ErrorKind,
    },
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        Self::App(error.into())
    }
}

/// A gateway whose parts are open, before it listens.
pub struct Prepared {
    /// The gateway.
    pub gateway: Gateway,
    /// Sequences the log in this process, in pilots.
    pub sequencer: Option<Arc<Sequencer>>,
    writer: tokio::task::JoinHandle<()>,
}

/// Opens database and keys, and destroys again what was erased before the database was restored: the one way to a
/// gateway, for `porth serve` and for every command that needs one. The schema must be in place.
///
/// # Errors
///
/// [`StartError`] saying what is missing and what to do.
pub async fn prepare(config: &Config) -> Result<Prepared, StartError> {
    let kek = open_kek(config)?;
    let keyring = whole_keyring(config, &kek)?;
    let checkpoint = checkpoint_keyring(config, &kek)?;
    // Everything about keys comes before the database: a gateway that may not start touches no data.
    let keys = gateway_keys(config, &kek, &keyring)?;
    if config.mode == Mode::Production {
        refuse(production_lines(config, &kek, &keyring, checkpoint.as_ref())?)?;
    }
    let witnesses = witnesses_of(config)?;
    let store = Store::connect(&config.database.location()?, config.database.connections).await?;
    store.check_schema().await?;
    let (writer, writer_task) = Writer::start(store.clone());
    let gateway = Gateway::with_witnesses(
        store.clone(),
        writer,
        keys,
        GatewayNames {
            programme: config.programme.clone(),
            log: config.log_origin.clone(),
            issuer: config.issuer.clone(),
        },
        Arc::new(SystemRandom::new()),
        witnesses,
    );
    open_log(&store, &config.log_origin).await?;
    // Before anything is read: a restored backup brings nothing back, whichever command comes first.
    let erased = gateway.erase_again(&kept_erasures::beside(&config.state_file()), jobs::RETENTION).await?;
    if erased.erased > 0 {
        tracing::warn!(
            code = "retention.restored",
            count = erased.erased,
            "the database could open entries that were erased once: they are erased again, and an entry says so"
        );
    }
    if gateway.record_witnesses(config.witnesses.unwatched_because.as_deref()).await?.is_some() {
        tracing::warn!(code = "log.witnesses", "the witnesses are others than the log said: that is an entry now");
    }
    let sequencer = match &checkpoint {
        Some(keyring) => Some(Arc::new(Sequencer::new(store, keyring.signing_key(Role::Checkpoint)?))),
        None => None,
    };
    Ok(Prepared { gateway, sequencer, writer: writer_task })
}

/// Opens the database alone, for commands that need no keys.
///
/// # Errors
///
/// [`StartError::Erasures`] where it can open what was erased once.
pub async fn open_database(config: &Config) -> Result<Store, StartError> {
    let store = Store::connect(&config.database.location()?, config.database.connections).await?;
    let erased = kept_erasures::beside(&config.state_file());
    kept_erasures::refuse_restored(&store, &config.programme, &erased).await?;
    Ok(store)
}

/// The witnesses that the configuration names.
///
/// # Errors
///
/// [`ConfigError`] when a text is not a witness's verifier key.
pub fn witnesses_of(config: &Config) -> Result<Option<Witnesses>, ConfigError> {
    let rule = (!config.witnesses.keys.is_empty()).then(|| witness_rule(&config.witnesses));
    let unusable = |_| ConfigError::Unusable("witnesses.keys: a text is not a witness's verifier key");
    rule.map(Witnesses::new).transpose().map_err(unusable)
}

/// What the configuration says of witnesses.
pub fn witness_rule(config: &WitnessConfig) -> WitnessRule {
    WitnessRule {
        keys: config.keys.clone(),
        quorum: config.quorum,
        stop_after: Duration::from_secs(u64::from(config.stop_after_minutes) * 60),
    }
}

/// The key-encryption key that the configuration names.
///
/// # Errors
///
/// [`StartError`] when it cannot be had.
pub fn open_kek(config: &Config) -> Result<Kek, StartError> {
    kek_from(config.keys.kek_file.as_deref(), config.keys.kek_credential.as_deref())
}

/// What auditors have to trust of a gateway, as far as its configuration and key folders give it: the log's own
/// keys only where the gateway sequences the log itself.
///
/// # Errors
///
/// [`StartError`] when the keys cannot be opened.
pub fn trust_file(config: &Config) -> Result<TrustFile, StartError> {
    let (kek, origin) = (open_kek(config)?, config.log_origin.clone());
    let keys = |folder: &Path, role| keys_in(folder, &kek, role, &origin);
    let log_keys = config.keys.checkpoint_folder.as_deref().map(|folder| keys(folder, Role::Checkpoint));
    let witnesses = &config.witnesses;
    let stop_after = Duration::from_secs(60 * u64::from(witnesses.stop_after_minutes));
    Ok(TrustFile {
        receipt_keys: keys(&config.keys.folder, Role::Receipt)?,
        certificate_keys: keys(&config.keys.folder, Role::Certificate)?,
        log_keys: log_keys.transpose()?.unwrap_or_default(),
        origin: origin.clone(),
        ..TrustFile::default()
    }
    .with_witnesses(witnesses.keys.clone(), witnesses.quorum, stop_after))
}

/// The key-encryption key that the sequencer's configuration names.
///
/// # Errors
///
/// [`StartError`] when it cannot be had.
pub fn open_sequencer_kek(config: &SequencerConfig) -> Result<Kek, StartError> {
    kek_from(config.keys.kek_file.as_deref(), config.keys.kek_credential.as_deref())
}

fn kek_from(file: Option<&Path>, credential: Option<&str>) -> Result<Kek, StartError> {
    match (file, credential) {
        (Some(path), _) => Ok(Kek::from_file(path)?),
        (None, Some(name)) => {
            let folder = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
            let folder = folder.ok_or(ConfigError::Unusable("keys.kek_credential needs systemd to start porth"))?;
            Ok(Kek::from_systemd(&folder, name)?)
        }
        (None, None) => Err(ConfigError::Unusable("set one of keys.kek_file and keys.kek_credential").into()),
    }
}

/// The keys of a gateway process.
///
/// # Errors
///
/// [`StartError`] when one is missing.
pub fn gateway_keys(config: &Config, kek: &Kek, keyring: &Keyring) -> Result<GatewayKeys, StartError> {
    let path = &config.keys.shield_public_key;
    let shield =
        std::fs::read_to_string(path).map_err(|error| StartError::File { path: path.clone(), kind: error.kind() })?;
    let match_run = config.keys.match_run_public_key.as_ref().map(|path| read_seal_key(path)).transpose()?;
    Ok(GatewayKeys {
        blinder: keyring.blinder(&config.programme)?,
        fields: kek.field_sealer(),
        tagger: keyring.tagger()?,
        receipt: keyring.signing_key(Role::Receipt)?,
        certificate: keyring.signing_key(Role::Certificate)?,
        access: keyring.access_tokens(&config.issuer)?,
        pseudonyms: keyring.pseudonymiser()?,
        shield: SealPublicKey::parse(shield.trim()).map_err(|_| StartError::ShieldKey(path.clone()))?,
        match_run,
    })
}

fn read_seal_key(path: &Path) -> Result<SealPublicKey, StartError> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| StartError::File { path: path.to_owned(), kind: error.kind() })?;
    SealPublicKey::parse(text.trim()).map_err(|_| StartError::MatchRunKey(path.to_owned()))
}

/// Opens database and checkpoint key for a sequencer that runs as a process of its own.
///
/// # Errors
///
/// [`StartError`] saying what is missing or refused.
pub async fn prepare_sequencer(config: &SequencerConfig) -> Result<(Store, Sequencer), StartError> {
    let kek = open_sequencer_kek(config)?;
    let keyring = Keyring::open(&config.keys.checkpoint_folder, &kek)?;
    let key = keyring.signing_key(Role::Checkpoint)?;
    if config.mode == Mode::Production {
        let mut facts =
            KeyFacts { keys: KeyFact::of_kek(&kek), certificates: Vec::new(), kek_origin: Some(kek.origin()) };
        facts.keys.extend(keyring.facts());
        let mut lines: Vec<String> = production_refusals(&facts).into_iter().map(|refusal| refusal.line).collect();
        if Role::GATEWAY.into_iter().any(|role| !keyring.versions(role).is_empty()) {
            lines.push(
                "the folder of the checkpoint key also holds gateway keys: keep the checkpoint key in a folder of its own"
                    .to_owned(),
            );
        }
        refuse(lines)?;
    }
    let store = Store::connect(&config.database.location()?, config.database.connections).await?;
    store.check_schema().await?;
    open_log(&store, &config.log_origin).await?;
    Ok((store.clone(), Sequencer::new(store, key)))
}

/// Every reason why production would not start with this configuration, a line each; looks at files
/// only, not at the database.
pub fn all_refusals(config: &Config) -> Vec<String> {
    let look = || {
        let kek = open_kek(config)?;
        let keyring = whole_keyring(config, &kek)?;
        let checkpoint = checkpoint_keyring(config, &kek)?;
        gateway_keys(config, &kek, &keyring)?;
        production_lines(config, &kek, &keyring, checkpoint.as_ref())
    };
    look().unwrap_or_else(|error: StartError| vec![error.to_string()])
}

/// The gateway's keys, every role among them: one that is missing shows now, not at its first use.
fn whole_keyring(config: &Config, kek: &Kek) -> Result<Keyring, StartError> {
    let keyring = Keyring::open(&config.keys.folder, kek)?;
    match Role::GATEWAY.into_iter().find(|role| keyring.versions(*role).is_empty()) {
        Some(missing) => Err(KeyringError::Missing(missing).into()),
        None => Ok(keyring),
    }
}

fn checkpoint_keyring(config: &Config, kek: &Kek) -> Result<Option<Keyring>, StartError> {
    let folder = config.keys.checkpoint_folder.as_ref();
    Ok(folder.map(|folder| Keyring::open(folder, kek)).transpose()?)
}

fn refuse(lines: Vec<String>) -> Result<(), StartError> {
    if lines.is_empty() { Ok(()) } else { Err(StartError::Refused(lines)) }
}

fn production_lines(
    config: &Config,
    kek: &Kek,
    keyring: &Keyring,
    checkpoint: Option<&Keyring>,
) -> Result<Vec<String>, StartError> {
    let mut facts = KeyFacts { keys: KeyFact::of_kek(kek), certificates: Vec::new(), kek_origin: Some(kek.origin()) };
    facts.keys.extend(keyring.facts());
    facts.keys.extend(checkpoint.map(Keyring::facts).unwrap_or_default());
    for path in config.tls.client_roots.iter().chain([&config.tls.certificate]) {
        let pem = std::fs::read_to_string(path)
            .map_err(|error| StartError::File { path: path.clone(), kind: error.kind() })?;
        let name = path.display().to_string();
        let summary = certs::der_of_pem(&pem).and_then(|der| certs::summarise(&der));
        facts.certificates.push((name, summary.map_err(|_| StartError::Certificate(path.clone()))?));
    }
    if let Some((_, server)) = facts.certificates.last() {
        facts.keys.push(tls_key_fact(server.public_key_fingerprint, &config.tls.private_key)?);
    }
    let mut lines: Vec<String> = production_refusals(&facts).into_iter().map(|refusal| refusal.line).collect();
    if config.witnesses.keys.is_empty() && config.witnesses.unwatched_because.is_none() {
        lines.push(
            "nobody outside witnesses the log: witnesses.keys, or in witnesses.unwatched_because the reason why not"
                .to_owned(),
        );
    }
    if config.tls.revocation_lists.is_empty() {
        lines.push("no revocation list is configured: tls.revocation_lists".to_owned());
    } else {
        let tls = listener_tls(config)?;
        let now = machine_time().as_seconds();
        if tls.revocation_lists_lapse_at.is_some_and(|at| at <= now) {
            lines.push(
                "a revocation list has lapsed: fetch the authority's newest list, or issue one with \
                 `porth keys revocation-list`"
                    .to_owned(),
            );
        }
        if tls.certificate_lapses_at <= now {
            lines.push("the gateway's certificate has lapsed: issue a new one".to_owned());
        }
    }
    if keyring.versions(Role::Checkpoint).last().is_some() {
        lines.push(
            "the gateway's key folder holds the checkpoint key: move it to a folder of the sequencer's own user"
                .to_owned(),
        );
    }
    if checkpoint.is_some() {
        lines.push(
            "the checkpoint key is in the gateway process: leave out keys.checkpoint_folder and run `porth sequence` \
             as a user of its own"
                .to_owned(),
        );
    }
    Ok(lines)
}

/// The listener's private key, known by its public half.
fn tls_key_fact(fingerprint: [u8; 32], path: &Path) -> Result<KeyFact, StartError> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata =
        std::fs::metadata(path).map_err(|error| StartError::File { path: path.to_owned(), kind: error.kind() })?;
    let file = Some((path.to_owned(), metadata.mode() & 0o777));
    Ok(KeyFact { role: "TLS".to_owned(), fingerprint, patterned: false, file })
}

/// The agency listener's TLS as the files are now.
///
/// # Errors
///
/// [`TlsError`] naming the file.
pub fn listener_tls(config: &Config) -> Result<ListenerTls, TlsError> {
    ListenerTls::new(&tls_files(config).read()?)
}

fn tls_files(config: &Config) -> TlsFiles {
    TlsFiles {
        certificate: config.tls.certificate.clone(),
        private_key: config.tls.private_key.clone(),
        client_roots: config.tls.client_roots.clone(),
        revocation_lists: config.tls.revocation_lists.clone(),
        needs_client_certificate: true,
    }
}

/// The machine's own clock: certificates and lists are judged by it, as TLS itself does. Decisions
/// about data use the database's.
#[expect(clippy::disallowed_methods, reason = "certificates are made and judged by the machine's clock")]
pub fn machine_time() -> Timestamp {
    Timestamp::from_micros(jiff::Timestamp::now().as_microsecond())
}

/// A gateway that listens.
pub struct Running {
    /// The gateway.
    pub gateway: Gateway,
    /// Where agencies connect.
    pub agencies: std::net::SocketAddr,
    /// Where the operator looks.
    pub operator: std::net::SocketAddr,
    /// Where officers, the data team and auditors look, if there is a console.
    pub console: Option<std::net::SocketAddr>,
    shutdown: CancellationToken,
    tasks: TaskTracker,
    writer: tokio::task::JoinHandle<()>,
}

impl Running {
    /// Drains the listeners, finishes the jobs and closes the database.
    pub async fn stop(self) {
        self.shutdown.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        let store = self.gateway.store().clone();
        drop(self.gateway);
        let _ = tokio::time::timeout(Duration::from_secs(10), self.writer).await;
        store.close().await;
    }

    /// Ends when the listeners have ended.
    pub fn shutdown(&self) -> CancellationToken {
        self.shutdown.clone()
    }
}

/// Starts listeners and jobs.
///
/// # Errors
///
/// [`StartError`], policies that fail their self-test among them.
pub async fn start(config: &Config, prepared: Prepared) -> Result<Running, StartError> {
    let Prepared { gateway, sequencer, writer } = prepared;
    check_whole(&*gateway.current_policies().await?)?;
    let state_file = config.state_file();
    refuse_older_log(gateway.store(), &state_file).await?;
    // What the log says was erased is in the file too, from now on.
    let erased = kept_erasures::beside(&state_file);
    gateway.follow_erasures(&erased, jobs::RETENTION).await?;
    let tls = Arc::new(TlsReloader::from_files(tls_files(config))?);
    let agencies = bind(&config.listen.agencies).await?;
    let operator = bind(&config.listen.operator).await?;
    let address = |listener: &TcpListener, name: &str| {
        listener.local_addr().map_err(|error| StartError::Listen { address: name.to_owned(), kind: error.kind() })
    };
    let (agencies_at, operator_at) =
        (address(&agencies, &config.listen.agencies)?, address(&operator, &config.listen.operator)?);

    let shutdown = CancellationToken::new();
    let tasks = TaskTracker::new();
    let memory = jobs::LogMemory::default();
    let router = crate::web::api::router(gateway.clone(), config.limits);
    tasks.spawn(serve(agencies, Transport::Tls(Arc::clone(&tls)), router, ServeLimits::default(), shutdown.clone()));
    tasks.spawn(Arc::clone(&tls).follow(Duration::from_secs(30), shutdown.clone()));
    let console_at = start_console(config, &gateway, &tasks, &shutdown).await?;
    if let Ok(metrics) = crate::telemetry::install_metrics() {
        let checks = ready_checks(&gateway, &tls, &memory);
        let router = crate::web::operator::router(checks, metrics.clone(), shutdown.clone());
        tasks.spawn(serve(operator, Transport::Plain, router, ServeLimits::default(), shutdown.clone()));
        tasks.spawn(crate::telemetry::keep_metrics(metrics, shutdown.clone()));
    }
    tasks.spawn(jobs::publish(gateway.clone(), shutdown.clone()));
    tasks.spawn(jobs::propose(gateway.clone(), shutdown.clone()));
    tasks.spawn(jobs::recall(gateway.clone(), shutdown.clone()));
    tasks.spawn(jobs::remember_log(gateway.store().clone(), state_file, memory, shutdown.clone()));
    tasks.spawn(jobs::measure(gateway.clone(), shutdown.clone()));
    let watched = (config.alerts.thresholds(), Duration::from_secs(config.alerts.every_seconds.into()));
    tasks.spawn(jobs::watch(gateway.clone(), watched, shutdown.clone()));
    tasks.spawn(jobs::retain(gateway.clone(), erased, shutdown.clone()));
    tasks.spawn(jobs::tidy(gateway.clone(), config.retention.match_run_days, shutdown.clone()));
    if let Some(sequencer) = sequencer {
        tasks.spawn(jobs::sequence(sequencer, Some(gateway.clone()), shutdown.clone()));
    }
    Ok(Running { gateway, agencies: agencies_at, operator: operator_at, console: console_at, shutdown, tasks, writer })
}

/// Listens for browsers, if the configuration has a console.
async fn start_console(
    config: &Config,
    gateway: &Gateway,
    tasks: &TaskTracker,
    shutdown: &CancellationToken,
) -> Result<Option<std::net::SocketAddr>, StartError> {
    let Some(settings) = &config.console else { return Ok(None) };
    let tls = Arc::new(TlsReloader::from_files(TlsFiles {
        certificate: settings.certificate.clone(),
        private_key: settings.private_key.clone(),
        client_roots: Vec::new(),
        revocation_lists: Vec::new(),
        needs_client_certificate: false,
    })?);
    let listener = bind(&settings.listen).await?;
    let at = listener
        .local_addr()
        .map_err(|error| StartError::Listen { address: settings.listen.clone(), kind: error.kind() })?;
    let router =
        console_router(Console::new(gateway.clone(), settings.clone(), config.state_file(), trust_file(config)?)?);
    tasks.spawn(serve(listener, Transport::Tls(Arc::clone(&tls)), router, ServeLimits::default(), shutdown.clone()));
    tasks.spawn(tls.follow(Duration::from_secs(30), shutdown.clone()));
    Ok(Some(at))
}

/// Refuses a database whose log is behind the newest checkpoint that this machine remembers, or
/// another history: it was restored from an older backup, or its log was rewritten.
///
/// # Errors
///
/// [`StartError::Held`].
pub async fn refuse_older_log(store: &Store, state_file: &Path) -> Result<(), StartError> {
    let held = held_checkpoint::read(state_file)?;
    Ok(held_checkpoint::compare(store, held.as_ref(), state_file).await?)
}

fn ready_checks(
    gateway: &Gateway,
    tls: &Arc<TlsReloader>,
    memory: &jobs::LogMemory,
) -> crate::web::operator::ReadyChecks {
    let (store, tls, memory) = (gateway.store().clone(), Arc::clone(tls), memory.clone());
    let (clock, log) = (gateway.store().clone(), gateway.store().clone());
    let witnessed = gateway.clone();
    crate::web::operator::ReadyChecks::default()
        .with("database", move || {
            let store = store.clone();
            async move { store.check_schema().await.map_err(|error| error.to_string()) }
        })
        .with("log", move || {
            let store = log.clone();
            async move { log_is_keeping_up(&store).await }
        })
        .with("witnesses", move || {
            let gateway = witnessed.clone();
            async move { gateway.check_witnesses().await.map_err(|error| error.to_string()) }
        })
        .with("log history", move || {
            let trouble = memory.trouble();
            async move { trouble.map_or(Ok(()), Err) }
        })
        .with("revocation lists", move || {
            let (tls, clock) = (Arc::clone(&tls), clock.clone());
            async move {
                let now = clock.now().await.map_err(|error| error.to_string())?;
                match tls.current().revocation_lists_lapse_at {
                    Some(at) if at <= now.as_seconds() => Err("a revocation list has lapsed".to_owned()),
                    _ => Ok(()),
                }
            }
        })
}

/// Entries that wait for their place a minute after the last checkpoint mean that nobody sequences:
/// the receipts that went out promise otherwise.
async fn log_is_keeping_up(store: &Store) -> Result<(), String> {
    let say = |error: StoreError| error.to_string();
    if store.pending_count().await.map_err(say)? == 0 {
        return Ok(());
    }
    let now = store.now().await.map_err(say)?;
    match store.newest_checkpoint().await.map_err(say)? {
        Some((_, at, _)) if at.plus_seconds(60) > now => Ok(()),
        _ => Err("entries wait for their place in the log: is `porth sequence` running?".to_owned()),
    }
}

async fn bind(address: &str) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| StartError::Listen { address: address.to_owned(), kind: error.kind() })
}
