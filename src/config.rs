//! The gateway's one configuration file: TOML, unknown keys refused.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::domain::ids::{AgencyCode, AgreementRef, ProgrammeCode, RoleCode};
use crate::store::Location;

/// How strict the gateway is about its own set-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Refuses example keys, weak file permissions and whatever else a pilot may do.
    Production,
    /// For trials on synthetic or consented data; says so wherever it matters.
    Pilot,
}

/// The configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `production` refuses example keys, weak permissions and whatever else is listed below; `pilot`
    /// is for synthetic or consented data and says so.
    pub mode: Mode,
    /// Code of the programme that this gateway serves; the same as in `policies/programme.toml`.
    pub programme: ProgrammeCode,
    /// What agencies' assertions name as audience, and access tokens as issuer.
    pub issuer: String,
    /// Name of the disclosure log, such as `gw.example.gov.uk/2026`; fixed once the log is open.
    pub log_origin: String,
    /// Where the data is kept.
    pub database: Database,
    /// Where the gateway listens.
    pub listen: Listen,
    /// TLS of the agency listener.
    pub tls: Tls,
    /// Where the keys are.
    pub keys: Keys,
    /// Where this machine remembers the log's newest checkpoint, `porth-log-state` beside
    /// `keys.folder` unless set; `serve` does not start on a log that is behind it. Has to be writable
    /// by the user who runs the process.
    #[serde(default)]
    pub state_file: Option<PathBuf>,
    /// Limits on what callers may do.
    #[serde(default)]
    pub limits: Limits,
    /// How long things are kept.
    #[serde(default)]
    pub retention: Retention,
    /// Partner agencies that cosign the log's checkpoints. Without them nobody outside notices when the
    /// log is taken back or rewritten.
    #[serde(default)]
    pub witnesses: WitnessConfig,
    /// The console for officers, data team and auditors; without it there is none.
    #[serde(default)]
    pub console: Option<ConsoleConfig>,
}

/// Partner agencies that cosign the log's checkpoints.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WitnessConfig {
    /// Verifier keys of the witnesses, as `porth witness key` prints them; none: releases go on unwatched.
    pub keys: Vec<String>,
    /// How many of them have to have seen the log.
    pub quorum: usize,
    /// Minutes after which releases stop when fewer have.
    pub stop_after_minutes: u32,
}

impl Default for WitnessConfig {
    fn default() -> Self {
        Self { keys: Vec::new(), quorum: 1, stop_after_minutes: 240 }
    }
}

/// Where the data is kept: one of the two.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// One of two: an SQLite file, for one gateway process.
    pub sqlite: Option<PathBuf>,
    /// One of two: a file that holds a PostgreSQL connection string, readable by its user alone.
    pub postgres_url_file: Option<PathBuf>,
    /// Connections to the database.
    #[serde(default = "default_connections")]
    pub connections: u32,
}

/// Where the gateway listens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// Address and port for agencies' systems: TLS 1.3 with client certificates.
    pub agencies: String,
    /// Address and port for the operator: health and figures over plain HTTP; keep it on the loopback
    /// interface.
    #[serde(default = "default_operator")]
    pub operator: String,
}

/// TLS of the agency listener.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The gateway's certificate chain, leaf first, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM, mode 0600.
    pub private_key: PathBuf,
    /// Certificates of the authorities that issue agencies' certificates.
    pub client_roots: Vec<PathBuf>,
    /// A list for each of them; read again every half minute. A lapsed list keeps everybody out.
    pub revocation_lists: Vec<PathBuf>,
}

/// Where the keys are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// Wrapped keys as `porth keys init --for gateway` makes them.
    pub folder: PathBuf,
    /// One of two: the key-encryption key, a plain file of mode 0400 or 0600, owned by the user who
    /// runs the gateway.
    pub kek_file: Option<PathBuf>,
    /// One of two: the key-encryption key, name of a systemd credential (`LoadCredentialEncrypted=`).
    pub kek_credential: Option<String>,
    /// The shield officers' public key, as `porth keys init --for shield` makes it.
    pub shield_public_key: PathBuf,
    /// The match run's public key, as `porth keys init --for match-run` makes it; without it evidence of the privacy
    /// profiles B and C is refused.
    #[serde(default)]
    pub match_run_public_key: Option<PathBuf>,
    /// The checkpoint key; set, the gateway sequences the log itself. Pilots only: production refuses
    /// it, and `porth sequence` runs as a user of its own.
    pub checkpoint_folder: Option<PathBuf>,
}

/// The configuration of `porth sequence`, a process and user of its own in production.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SequencerConfig {
    /// `production` or `pilot`, as the gateway's.
    pub mode: Mode,
    /// Name of the disclosure log, the same as the gateway's.
    pub log_origin: String,
    /// The gateway's database.
    pub database: Database,
    /// Where the checkpoint key is.
    pub keys: SequencerKeys,
    /// Where this machine remembers the log's newest checkpoint, `porth-log-state` beside
    /// `keys.checkpoint_folder` unless set; `sequence` does not go on with a log that is behind it.
    #[serde(default)]
    pub state_file: Option<PathBuf>,
}

/// Where the sequencer's keys are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SequencerKeys {
    /// Folder of the wrapped checkpoint key and nothing else.
    pub checkpoint_folder: PathBuf,
    /// One of two: the sequencer's own key-encryption key, a file that only its owner reads.
    pub kek_file: Option<PathBuf>,
    /// One of two: the sequencer's own key-encryption key, name of a systemd credential.
    pub kek_credential: Option<String>,
}

/// Limits on what callers may do.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Largest submission, in mebibytes.
    pub submission_mebibytes: u32,
    /// Most rows of a submission.
    pub submission_rows: u32,
    /// Requests that a client may make at once before it is slowed.
    pub burst: u32,
    /// Requests a second that a client may keep up.
    pub requests_per_second: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { submission_mebibytes: 2048, submission_rows: 2_000_000, burst: 200, requests_per_second: 50.0 }
    }
}

/// How long things are kept.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Days for which the sealed pages of a match run are kept after it was closed, so that it can be
    /// computed again; its digests and log entries stay.
    pub match_run_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { match_run_days: 400 }
    }
}

/// The console for officers, data team and auditors.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsoleConfig {
    /// Address and port for browsers: TLS 1.3, no client certificates.
    pub listen: String,
    /// Where browsers find it, such as `https://porth.example.gov.uk`; the sign-in comes back there.
    pub address: String,
    /// The organisation's name in the header of every page.
    pub organisation: String,
    /// The console's certificate chain, leaf first, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM, mode 0600.
    pub private_key: PathBuf,
    /// The provider by which people sign in.
    #[serde(default)]
    pub provider: Option<ProviderConfig>,
    /// Who is let in as what. The first line whose claim the provider gives a person counts.
    #[serde(default)]
    pub access: Vec<AccessConfig>,
    /// A page where anybody may sign in as any of the lines of access. For demonstrations with invented
    /// people; production mode refuses it.
    #[serde(default)]
    pub demonstration_sign_in: bool,
}

/// An OpenID Connect provider.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderConfig {
    /// The provider's issuer; its configuration is read from `/.well-known/openid-configuration` below it.
    pub issuer: String,
    /// The console's name at the provider.
    pub client_id: String,
    /// A file that holds the console's secret at the provider, readable by its user alone.
    pub client_secret_file: PathBuf,
    /// The claim of the identity token that lists a person's roles or groups.
    #[serde(default = "default_roles_claim")]
    pub roles_claim: String,
    /// Certificates of the authorities that the provider's certificate may be from, PEM.
    #[serde(default = "default_roots")]
    pub roots: PathBuf,
}

/// A line of access: whoever has the claim works in this part, on behalf of this agency.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessConfig {
    /// The value that the provider's claim has to hold.
    pub claim: String,
    /// Which pages there are for them.
    pub persona: Persona,
    /// On behalf of which agency they look.
    pub agency: AgencyCode,
    /// The agreement whose receive clauses allow it.
    pub agreement: AgreementRef,
    /// Their role in the programme.
    pub role: RoleCode,
}

/// What somebody comes to the console for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Persona {
    /// Information governance: agreements, log, reviews, rights, approvals.
    Officer,
    /// The data team: match runs, families, tables, requests.
    DataTeam,
    /// Audit: reads and verifies, changes nothing.
    Auditor,
    /// Keeps the gateway running; sees nothing about anybody.
    Operator,
}

impl Persona {
    /// Every persona.
    pub const ALL: [Self; 4] = [Self::Officer, Self::DataTeam, Self::Auditor, Self::Operator];

    /// As people are told.
    pub const fn plain(self) -> &'static str {
        match self {
            Self::Officer => "Information governance officer",
            Self::DataTeam => "Data team",
            Self::Auditor => "Auditor",
            Self::Operator => "Operator",
        }
    }
}

fn default_roles_claim() -> String {
    "roles".to_owned()
}

fn default_roots() -> PathBuf {
    PathBuf::from("/etc/ssl/certs/ca-certificates.crt")
}

/// What the file with the newest checkpoint is called unless the configuration says otherwise.
const STATE_FILE: &str = "porth-log-state";

fn default_connections() -> u32 {
    16
}

fn default_operator() -> String {
    crate::web::operator::DEFAULT_ADDRESS.to_string()
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {path}: {kind}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        kind: std::io::ErrorKind,
    },
    /// The file does not parse; the message names key and line.
    #[error("the configuration {path} is not well-formed: {message}")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong and where.
        message: String,
    },
    /// Keys that do not go together.
    #[error("the configuration is not usable: {0}")]
    Unusable(&'static str),
}

impl Config {
    /// Reads the file; relative paths in it are taken from its folder.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] saying what is wrong and where.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let mut config: Self = parse(path)?;
        config.resolve(path.parent().unwrap_or(Path::new("")));
        config.database.location()?;
        one_kek(config.keys.kek_file.as_ref(), config.keys.kek_credential.as_ref())?;
        let witnesses = &config.witnesses;
        if !witnesses.keys.is_empty() && !(1..=witnesses.keys.len()).contains(&witnesses.quorum) {
            return Err(ConfigError::Unusable(
                "witnesses.quorum is at least 1 and at most the number of witnesses.keys",
            ));
        }
        if let Some(console) = &config.console {
            console.check(config.mode)?;
        }
        Ok(config)
    }

    fn resolve(&mut self, folder: &Path) {
        let own = |path: &mut PathBuf| *path = folder.join(&*path);
        own(&mut self.tls.certificate);
        own(&mut self.tls.private_key);
        self.tls.client_roots.iter_mut().for_each(own);
        self.tls.revocation_lists.iter_mut().for_each(own);
        own(&mut self.keys.folder);
        own(&mut self.keys.shield_public_key);
        self.keys.match_run_public_key.iter_mut().for_each(own);
        self.keys.kek_file.iter_mut().for_each(own);
        self.keys.checkpoint_folder.iter_mut().for_each(own);
        self.state_file.iter_mut().for_each(own);
        if let Some(console) = &mut self.console {
            own(&mut console.certificate);
            own(&mut console.private_key);
            if let Some(provider) = &mut console.provider {
                own(&mut provider.client_secret_file);
                own(&mut provider.roots);
            }
        }
        self.database.resolve(folder);
    }

    /// Where this machine remembers the newest checkpoint.
    pub fn state_file(&self) -> PathBuf {
        self.state_file.clone().unwrap_or_else(|| self.keys.folder.with_file_name(STATE_FILE))
    }
}

impl ConsoleConfig {
    fn check(&self, mode: Mode) -> Result<(), ConfigError> {
        let unusable = |sentence| Err(ConfigError::Unusable(sentence));
        if !self.address.starts_with("https://") || self.address["https://".len()..].contains('/') {
            return unusable("console.address is of the form https://host or https://host:port");
        }
        if self.access.is_empty() {
            return unusable("console.access has no line: nobody could sign in");
        }
        if self.demonstration_sign_in && mode == Mode::Production {
            return unusable("console.demonstration_sign_in lets anybody in: production mode refuses it");
        }
        if self.provider.is_none() && !self.demonstration_sign_in {
            return unusable("console.provider is missing: nobody could sign in");
        }
        Ok(())
    }
}

impl SequencerConfig {
    /// Where this machine remembers the newest checkpoint.
    pub fn state_file(&self) -> PathBuf {
        self.state_file.clone().unwrap_or_else(|| self.keys.checkpoint_folder.with_file_name(STATE_FILE))
    }

    /// Reads the file; relative paths in it are taken from its folder.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] saying what is wrong and where.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let mut config: Self = parse(path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        config.keys.checkpoint_folder = folder.join(&config.keys.checkpoint_folder);
        config.keys.kek_file.iter_mut().for_each(|path| *path = folder.join(&*path));
        config.state_file.iter_mut().for_each(|path| *path = folder.join(&*path));
        config.database.resolve(folder);
        config.database.location()?;
        one_kek(config.keys.kek_file.as_ref(), config.keys.kek_credential.as_ref())?;
        Ok(config)
    }
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| ConfigError::File { path: path.to_owned(), kind: error.kind() })?;
    toml::from_str(&text)
        .map_err(|error| ConfigError::Malformed { path: path.to_owned(), message: place_of(&error, &text) })
}

fn one_kek(file: Option<&PathBuf>, credential: Option<&String>) -> Result<(), ConfigError> {
    if file.is_some() == credential.is_some() {
        return Err(ConfigError::Unusable("set one of keys.kek_file and keys.kek_credential"));
    }
    Ok(())
}

impl Database {
    fn resolve(&mut self, folder: &Path) {
        let own = |path: &mut PathBuf| *path = folder.join(&*path);
        self.sqlite.iter_mut().for_each(own);
        self.postgres_url_file.iter_mut().for_each(own);
    }

    /// Where the data is kept.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] unless exactly one place is named and can be read.
    pub fn location(&self) -> Result<Location, ConfigError> {
        match (&self.sqlite, &self.postgres_url_file) {
            (Some(path), None) => Ok(Location::Sqlite(path.clone())),
            (None, Some(path)) => {
                let url = std::fs::read_to_string(path)
                    .map_err(|error| ConfigError::File { path: path.clone(), kind: error.kind() })?;
                Ok(Location::Postgres(url.trim().to_owned()))
            }
            _ => Err(ConfigError::Unusable("set one of database.sqlite and database.postgres_url_file")),
        }
    }
}

/// What TOML says, without the line that it quotes: a mistyped key may stand beside a secret's path.
fn place_of(error: &toml::de::Error, text: &str) -> String {
    let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
    match line {
        Some(line) => format!("line {line}: {}", error.message()),
        None => error.message().to_owned(),
    }
}
