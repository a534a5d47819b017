//! The gateway's one configuration file: TOML, unknown keys refused. [`console`] is the console's part.

pub mod console;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use self::console::{AccessConfig, ConsoleConfig, Persona, ProviderConfig};
use crate::domain::alert::hours::Hours;
use crate::domain::alert::rules::Thresholds;
use crate::domain::ids::{AgencyCode, ProgrammeCode};
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
    /// What is worth an alert to the information-governance officers.
    #[serde(default)]
    pub alerts: AlertConfig,
    /// The console for officers, data team and auditors; without it there is none.
    #[serde(default)]
    pub console: Option<ConsoleConfig>,
}

/// What is worth an alert to the information-governance officers. Days are those of UTC.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlertConfig {
    /// Seconds between two looks at what was logged since.
    pub every_seconds: u32,
    /// A day with more questions than so many times the middle one of the last 28 with any is a spike.
    pub spike_times: u32,
    /// And only a day with so many questions.
    pub spike_least: u32,
    /// The share of people known is looked at from so many answers of a client a day on.
    pub match_rate_least: u32,
    /// Per cent of the people whom a client asks about who have to be known; fewer look like guessing.
    pub match_rate_percent: u32,
    /// How often an agency may ask about one person in a day.
    pub repeats_a_day: u32,
    /// How many people an agency may ask about for the first time in a day.
    pub new_subjects_a_day: u32,
    /// The same by agency code, for agencies whose caseload is another: `{ early-help-hub = 500 }`.
    pub new_subjects_of: BTreeMap<AgencyCode, u32>,
    /// The hours that agencies declared, by agency code, on the clock of the United Kingdom:
    /// `{ housing = { from = 8, until = 18, weekends = false } }`. Without an entry no hour is odd.
    pub hours: BTreeMap<AgencyCode, DeclaredHours>,
}

impl Default for AlertConfig {
    fn default() -> Self {
        let Thresholds { spike_times, spike_least, match_rate_least, match_rate_percent, .. } = Thresholds::default();
        let Thresholds { repeats_a_day, new_subjects_a_day, .. } = Thresholds::default();
        let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            every_seconds: 30,
            spike_times: small(spike_times),
            spike_least: small(spike_least),
            match_rate_least: small(match_rate_least),
            match_rate_percent: small(match_rate_percent),
            repeats_a_day: small(repeats_a_day),
            new_subjects_a_day: small(new_subjects_a_day),
            new_subjects_of: BTreeMap::new(),
            hours: BTreeMap::new(),
        }
    }
}

impl AlertConfig {
    /// As the rules take it.
    pub fn thresholds(&self) -> Thresholds {
        let budget = |(agency, most): (&AgencyCode, &u32)| (agency.clone(), u64::from(*most));
        let hours = |(agency, declared): (&AgencyCode, &DeclaredHours)| {
            let DeclaredHours { from, until, weekends } = *declared;
            (agency.clone(), Hours { from, until, weekends })
        };
        Thresholds {
            spike_times: self.spike_times.into(),
            spike_least: self.spike_least.into(),
            match_rate_least: self.match_rate_least.into(),
            match_rate_percent: self.match_rate_percent.into(),
            repeats_a_day: self.repeats_a_day.into(),
            new_subjects_a_day: self.new_subjects_a_day.into(),
            new_subjects_of: self.new_subjects_of.iter().map(budget).collect(),
            hours: self.hours.iter().map(hours).collect(),
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        let is_wrong = |hours: &DeclaredHours| hours.from >= hours.until || hours.until > 24;
        if self.hours.values().any(is_wrong) {
            return Err(ConfigError::Unusable("alerts.hours: from is less than until, and until at most 24"));
        }
        if self.match_rate_percent > 100 || self.spike_times == 0 || self.every_seconds == 0 {
            return Err(ConfigError::Unusable(
                "alerts: match_rate_percent is at most 100, spike_times and every_seconds at least 1",
            ));
        }
        Ok(())
    }
}

/// The hours that an agency declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredHours {
    /// The first hour, 0 to 23.
    pub from: u8,
    /// The hour at which it ends, 1 to 24.
    pub until: u8,
    /// Whether Saturdays and Sundays are days like others.
    #[serde(default)]
    pub weekends: bool,
}

/// Whether a text can stand in an entry of the log as it is.
fn is_reason(text: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_.:/".contains(c);
    (1..=128).contains(&text.len()) && text.chars().all(is_allowed)
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
    /// Why there are none: letters, digits and `-_.:/`. Production has to say it, and it goes into the log.
    pub unwatched_because: Option<String>,
}

impl Default for WitnessConfig {
    fn default() -> Self {
        Self { keys: Vec::new(), quorum: 1, stop_after_minutes: 240, unwatched_because: None }
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
        config.alerts.check()?;
        config.console.iter().try_for_each(|console| console.check(config.mode))?;
        if let Some(reason) = &witnesses.unwatched_because
            && (!witnesses.keys.is_empty() || !is_reason(reason))
        {
            return Err(ConfigError::Unusable(
                "witnesses.unwatched_because is a reason of letters, digits and -_.:/, and stands where there are no witnesses.keys",
            ));
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
        self.console.iter_mut().for_each(|console| console.resolve(own));
        self.database.resolve(folder);
    }

    /// Where this machine remembers the newest checkpoint.
    pub fn state_file(&self) -> PathBuf {
        self.state_file.clone().unwrap_or_else(|| self.keys.folder.with_file_name(STATE_FILE))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn alerts(text: &str) -> Result<Thresholds, ConfigError> {
        let config: AlertConfig = toml::from_str(text).expect("well-formed");
        config.check()?;
        Ok(config.thresholds())
    }

    #[test]
    fn thresholds_are_the_rules_own_unless_the_file_says_otherwise() {
        assert_eq!(alerts("").expect("nothing said"), Thresholds::default());
        let said = alerts(
            "repeats_a_day = 9\nnew_subjects_of = { housing = 40 }\nhours = { housing = { from = 8, until = 18 } }",
        );
        let said = said.expect("usable");
        let housing = AgencyCode::parse("housing").expect("a code");
        assert_eq!((said.repeats_a_day, said.new_subjects_of[&housing]), (9, 40));
        assert_eq!(said.hours[&housing], Hours { from: 8, until: 18, weekends: false });
    }

    #[test]
    fn hours_that_end_before_they_begin_and_impossible_thresholds_are_refused() {
        for bad in [
            "hours = { housing = { from = 18, until = 8 } }",
            "hours = { housing = { from = 8, until = 25 } }",
            "match_rate_percent = 101",
            "spike_times = 0",
            "every_seconds = 0",
        ] {
            assert!(matches!(alerts(bad), Err(ConfigError::Unusable(_))), "{bad}");
        }
    }
}
