//! The real thing, for tests: keys, certificates, policies, signatures, agencies and listeners, made
//! afresh for every test and served over TLS on this machine.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use porth::app::enrol::Enrolment;
use porth::app::gateway::Gateway;
use porth::app::policies::hex;
use porth::config::Config;
use porth::crypto::certs::{self, CertificateAuthority, Validity};
use porth::crypto::jwt::ClientKey;
use porth::crypto::kek::Kek;
use porth::crypto::keyring::{Keyring, Role};
use porth::crypto::random::SystemRandom;
use porth::crypto::seal::SealKeyPair;
use porth::crypto::token::LinkageKey;
use porth::domain::ids::AgencyCode;
use porth::domain::time::Timestamp;
use porth::runtime::{self, Running};
use porth::store::Location;

use super::agency::{Identity, TestAgency};
use super::database::{Backend, TestDatabase};

mod policies;

#[allow(unused_imports, reason = "for benches that raise ceilings")]
pub(crate) use policies::{EPOCH, PROGRAMME, activate, with_ceiling};

/// What client assertions name as audience.
pub(crate) const ISSUER: &str = "https://porth.test";
/// The log's origin.
pub(crate) const LOG: &str = "porth.test/2026";

/// A gateway that listens, with the repository's example policies in force.
pub(crate) struct TestGateway {
    pub(crate) running: Running,
    pub(crate) authority: CertificateAuthority,
    pub(crate) linkage: LinkageKey,
    /// Opens what only the shield officers may read.
    #[allow(dead_code, reason = "for suites that open entries")]
    pub(crate) shield: SealKeyPair,
    folder: tempfile::TempDir,
    pub(crate) database: TestDatabase,
    enrolled: AtomicU32,
}

impl TestGateway {
    /// With the configuration's usual limits.
    pub(crate) async fn start(backend: Backend) -> Self {
        Self::start_with(backend, "").await
    }

    /// With more lines at the end of the configuration: of its last table, `[keys]`, or such as `[limits]`.
    pub(crate) async fn start_with(backend: Backend, more: &str) -> Self {
        Self::start_under(backend, more, None).await
    }

    /// Likewise, with another daily ceiling in every agreement: for load that no agreement gives room to.
    pub(crate) async fn start_under(backend: Backend, more: &str, daily_ceiling: Option<u32>) -> Self {
        let edit = |text: &[u8]| daily_ceiling.map_or_else(|| text.to_vec(), |ceiling| with_ceiling(text, ceiling));
        Self::start_edited(backend, more, &edit).await
    }

    /// Likewise, with agreements that say something else than the repository's.
    pub(crate) async fn start_edited(backend: Backend, more: &str, edit: &dyn Fn(&[u8]) -> Vec<u8>) -> Self {
        let database = TestDatabase::create(backend).await;
        let now = database.store.now().await.expect("the database has a clock");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let authority = CertificateAuthority::create("Test agencies", Validity::days(now, 30), true, &random());
        let authority = authority.expect("an authority");
        let shield = SealKeyPair::generate(&random());
        write_keys(folder.path(), &shield, now);
        write_certificates(folder.path(), &authority, now);
        let config = write_config(folder.path(), &database.location, more);

        let prepared = runtime::prepare(&config).await.expect("the parts open");
        let linkage = LinkageKey::generate(&random());
        policies::put_in_force(&prepared.gateway, &linkage, edit).await;
        let running = runtime::start(&config, prepared).await.expect("the gateway starts");
        Self { running, authority, linkage, shield, folder, database, enrolled: AtomicU32::new(0) }
    }

    /// Where the gateway's keys, certificates and configuration lie.
    #[allow(dead_code, reason = "for benches that listen beside the gateway")]
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where the database is.
    #[allow(dead_code, reason = "for tests, not for benches")]
    pub(crate) fn database(&self) -> &porth::store::Location {
        &self.database.location
    }

    /// The gateway behind the listeners.
    pub(crate) fn gateway(&self) -> &Gateway {
        &self.running.gateway
    }

    /// The database's clock.
    pub(crate) async fn now(&self) -> Timestamp {
        self.gateway().store().now().await.expect("the database has a clock")
    }

    /// Enrols another system of an agency, with a certificate and a key of its own.
    pub(crate) async fn agency(&self, code: &str) -> TestAgency<'_> {
        let number = self.enrolled.fetch_add(1, Ordering::Relaxed);
        let agency = AgencyCode::parse(code).expect("an agency code");
        let identity = self.certificate(code).await;
        let key = ClientKey::generate(&random());
        let enrolment = Enrolment {
            agency: agency.clone(),
            client: format!("{code}-{number}"),
            kid: key.public().thumbprint(),
            key: key.public(),
            certificate: identity.fingerprint,
            not_after: self.now().await.plus_seconds(86_400),
        };
        self.gateway().enrol(&enrolment, "operator").await.expect("enrolled");
        TestAgency::new(self, agency, enrolment.client, key, identity)
    }

    /// A certificate of the agencies' authority that is not enrolled.
    pub(crate) async fn certificate(&self, code: &str) -> Identity {
        let agency = AgencyCode::parse(code).expect("an agency code");
        let request = certs::request(&agency).expect("a request");
        let validity = Validity::days(self.now().await, 20);
        let certificate = self.authority.client(&request.pem, &agency, validity, &random()).expect("a certificate");
        Identity {
            fingerprint: certs::fingerprint(&certificate.der),
            certificate_pem: certificate.pem,
            key_pem: request.key_pem.to_string(),
        }
    }

    /// Waits until everything that was committed has its place in the log.
    pub(crate) async fn wait_sequenced(&self) {
        for _ in 0..400 {
            if self.gateway().store().pending_count().await.expect("a count") == 0 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        panic!("entries still wait for their places in the log");
    }

    /// How many log entries of a type and outcome there are.
    pub(crate) async fn events(&self, kind: &str, outcome: &str) -> i64 {
        let counts = self.gateway().store().event_counts().await.expect("counts");
        counts.iter().filter(|(k, o, _)| k == kind && o == outcome).map(|(_, _, count)| count).sum()
    }

    /// Stops listeners and jobs in good order.
    pub(crate) async fn stop(self) {
        self.running.stop().await;
    }
}

pub(crate) fn random() -> SystemRandom {
    SystemRandom::new()
}

fn write_keys(folder: &Path, shield: &SealKeyPair, now: Timestamp) {
    use std::os::unix::fs::PermissionsExt as _;
    let kek_file = folder.join("kek");
    std::fs::write(&kek_file, Kek::new_file_text(&random()).as_bytes()).expect("written");
    std::fs::set_permissions(&kek_file, std::fs::Permissions::from_mode(0o600)).expect("ours");
    let kek = Kek::from_file(&kek_file).expect("a key-encryption key");
    Keyring::init(&folder.join("keys"), &Role::GATEWAY, &kek, &random(), now).expect("keys");
    Keyring::init(&folder.join("checkpoint"), &[Role::Checkpoint], &kek, &random(), now).expect("a checkpoint key");
    std::fs::write(folder.join("shield.pub"), shield.public().to_text()).expect("written");
    // Sealed to where the configuration says `match_run_public_key = "match-run.pub"`.
    let match_run = SealKeyPair::generate(&random());
    std::fs::write(folder.join("match-run.pub"), match_run.public().to_text()).expect("written");
    std::fs::write(folder.join("match-run.key"), match_run.secret().expose_hex().as_bytes()).expect("written");
    std::fs::set_permissions(folder.join("match-run.key"), std::fs::Permissions::from_mode(0o600)).expect("ours");
}

fn write_certificates(folder: &Path, authority: &CertificateAuthority, now: Timestamp) {
    let server =
        authority.server(&["localhost".to_owned()], Validity::days(now, 30), &random()).expect("a certificate");
    let list = authority.revocation_list(1, &[], now.plus_seconds(-60), now.plus_seconds(86_400)).expect("a list");
    for (name, text) in [
        ("server.pem", server.certificate.pem.as_str()),
        ("server.key", server.key_pem.as_str()),
        ("agencies.pem", authority.certificate().pem.as_str()),
        ("agencies.crl", list.pem.as_str()),
    ] {
        std::fs::write(folder.join(name), text).expect("written");
    }
}

fn write_config(folder: &Path, location: &Location, more: &str) -> Config {
    let database = match location {
        Location::Sqlite(path) => format!("sqlite = '{}'", path.display()),
        Location::Postgres(url) => {
            std::fs::write(folder.join("postgres-url"), url).expect("written");
            "postgres_url_file = \"postgres-url\"".to_owned()
        }
    };
    let text = format!(
        r#"
mode = "pilot"
programme = "{PROGRAMME}"
issuer = "{ISSUER}"
log_origin = "{LOG}"

[database]
{database}
connections = 8

[listen]
agencies = "127.0.0.1:0"
operator = "127.0.0.1:0"

[tls]
certificate = "server.pem"
private_key = "server.key"
client_roots = ["agencies.pem"]
revocation_lists = ["agencies.crl"]

[keys]
folder = "keys"
kek_file = "kek"
shield_public_key = "shield.pub"
checkpoint_folder = "checkpoint"

{more}
"#
    );
    let path: PathBuf = folder.join("porth.toml");
    std::fs::write(&path, text).expect("written");
    Config::read(&path).expect("a configuration")
}

/// Hexadecimal, as configuration and headers write hashes.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    hex(bytes)
}
