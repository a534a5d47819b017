//! The gateway of the demonstration: keys, certificates, policies and listeners, made in a folder of
//! its own that goes away afterwards.

use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::policy_files;
use super::trouble::{Trouble, trouble};
use crate::app::gateway::Gateway;
use crate::app::load_policy::PartySignature;
use crate::app::policies::hex;
use crate::cli::agency::check_tokens::registrable;
use crate::cli::agency::key_file::LinkageKeyFile;
use crate::config::Config;
use crate::crypto::certs::{CertificateAuthority, Validity};
use crate::crypto::kek::Kek;
use crate::crypto::keyring::{Keyring, Role};
use crate::crypto::random::{Random as _, SystemRandom};
use crate::crypto::seal::SealKeyPair;
use crate::crypto::sign::{SigningKey, VerifyingKey};
use crate::domain::agreement::AgreementText;
use crate::domain::ids::{ProgrammeCode, TokenType};
use crate::domain::time::Timestamp;
use crate::runtime::{self, Running};
use crate::store::{Location, Store, TestToken};
use crate::tlog::entry::AgreementState;

/// The example programme.
pub(super) const PROGRAMME: &str = "tff";
/// What client assertions name as audience.
pub(super) const ISSUER: &str = "https://porth.demo";
/// The log's origin.
pub(super) const LOG: &str = "porth.demo/log";
/// The epoch of the linkage key.
const EPOCH: u32 = 1;
/// How long certificates hold.
pub(super) const DAYS: u32 = 7;

/// A folder that is removed when the demonstration ends, unless it is to be kept.
pub(super) struct Folder {
    path: PathBuf,
    pub(super) is_kept: bool,
}

impl Folder {
    pub(super) fn create(is_kept: bool) -> Result<Self, Trouble> {
        let mut name = [0; 8];
        SystemRandom::new().fill(&mut name);
        let path = std::env::temp_dir().join(format!("porth-demo-{}", hex(&name)));
        std::fs::DirBuilder::new().mode(0o700).create(&path).map_err(trouble("the temporary folder"))?;
        Ok(Self { path, is_kept })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.is_kept {
            let _ = std::fs::remove_dir_all(&self.path); // what cannot be removed lies in the system's own folder for such
        }
    }
}

/// A gateway that listens, and the keys that its operator, its auditors and the custodians hold.
pub(super) struct Workshop {
    pub(super) running: Running,
    pub(super) authority: CertificateAuthority,
    pub(super) linkage: LinkageKeyFile,
    pub(super) log_key: VerifyingKey,
    pub(super) receipt_key: VerifyingKey,
    /// Agreements in force, and the signatures under them.
    pub(super) agreements: usize,
    pub(super) signatures: usize,
}

impl Workshop {
    /// Makes every key, takes the policies into use and starts the listeners.
    pub(super) async fn open(folder: &Path) -> Result<Self, Trouble> {
        Self::open_at(folder, 0).await
    }

    /// Likewise, on a port of this machine; 0 takes a free one.
    pub(super) async fn open_at(folder: &Path, port: u16) -> Result<Self, Trouble> {
        let random = SystemRandom::new();
        let location = Location::Sqlite(folder.join("porth.sqlite"));
        let store = Store::connect(&location, 2).await.map_err(trouble("the database"))?;
        store.migrate().await.map_err(trouble("the schema"))?;
        let now = store.now().await.map_err(trouble("the clock"))?;
        store.close().await;

        let authority =
            CertificateAuthority::create("Demonstration agencies", Validity::days(now, DAYS), true, &random)
                .map_err(trouble("the certificate authority"))?;
        let (log_key, receipt_key) = make_keys(folder, now)?;
        make_certificates(folder, &authority, now)?;
        let config = write_config(folder, port)?;
        let prepared = runtime::prepare(&config).await.map_err(trouble("the gateway's parts"))?;
        let programme = ProgrammeCode::parse(PROGRAMME).map_err(trouble("the programme"))?;
        let linkage = LinkageKeyFile::generate(programme, EPOCH, &random);
        let (agreements, signatures) = put_in_force(&prepared.gateway).await?;
        register_key_checks(&prepared.gateway, &linkage).await?;
        let running = runtime::start(&config, prepared).await.map_err(trouble("the listeners"))?;
        Ok(Self { running, authority, linkage, log_key, receipt_key, agreements, signatures })
    }

    /// The gateway behind the listeners.
    pub(super) fn gateway(&self) -> &Gateway {
        &self.running.gateway
    }

    /// The database's clock.
    pub(super) async fn now(&self) -> Result<Timestamp, Trouble> {
        self.gateway().store().now().await.map_err(trouble("the clock"))
    }

    /// Waits until everything that was committed has its place in the log.
    pub(super) async fn wait_sequenced(&self) -> Result<(), Trouble> {
        for _ in 0..600 {
            if self.gateway().store().pending_count().await.map_err(trouble("the log"))? == 0 {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        Err(Trouble::new("the log", "entries still wait for their places after 15 seconds"))
    }
}

fn make_keys(folder: &Path, now: Timestamp) -> Result<(VerifyingKey, VerifyingKey), Trouble> {
    let random = SystemRandom::new();
    let kek_file = folder.join("kek");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&kek_file)
        .map_err(trouble("the key-encryption key"))?;
    let text = Kek::new_file_text(&random);
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(trouble("the key-encryption key"))?;
    let kek = Kek::from_file(&kek_file).map_err(trouble("the key-encryption key"))?;
    let keys = Keyring::init(&folder.join("keys"), &Role::GATEWAY, &kek, &random, now).map_err(trouble("the keys"))?;
    let checkpoint = Keyring::init(&folder.join("checkpoint"), &[Role::Checkpoint], &kek, &random, now)
        .map_err(trouble("the checkpoint key"))?;
    let shield = SealKeyPair::generate(&random);
    write(folder, "shield.pub", &shield.public().to_text())?;
    let public = |ring: &Keyring, role| ring.signing_key(role).map(|key| key.verifying_key()).map_err(trouble("a key"));
    Ok((public(&checkpoint, Role::Checkpoint)?, public(&keys, Role::Receipt)?))
}

fn make_certificates(folder: &Path, authority: &CertificateAuthority, now: Timestamp) -> Result<(), Trouble> {
    let names = ["localhost".to_owned()];
    let server = authority
        .server(&names, Validity::days(now, DAYS), &SystemRandom::new())
        .map_err(trouble("the gateway's certificate"))?;
    let list = authority
        .revocation_list(1, &[], now.plus_seconds(-60), now.plus_seconds(i64::from(DAYS) * 86_400))
        .map_err(trouble("the revocation list"))?;
    write(folder, "server.pem", &server.certificate.pem)?;
    write(folder, "server.key", &server.key_pem)?;
    write(folder, "agencies.pem", &authority.certificate().pem)?;
    write(folder, "agencies.crl", &list.pem)
}

/// Who is let in to the demonstration's console as what.
const CONSOLE_ACCESS: &str = r#"
[[console.access]]
claim = "officer"
persona = "officer"
agency = "programme-team"
agreement = "programme-delivery/v1"
role = "auditor"

[[console.access]]
claim = "second-officer"
persona = "officer"
agency = "programme-team"
agreement = "programme-delivery/v1"
role = "auditor"

[[console.access]]
claim = "data-protection-officer"
persona = "officer"
agency = "programme-team"
agreement = "programme-delivery/v1"
role = "auditor"

[[console.access]]
claim = "data-team"
persona = "data-team"
agency = "programme-team"
agreement = "programme-delivery/v1"
role = "data-analyst"

[[console.access]]
claim = "auditor"
persona = "auditor"
agency = "programme-team"
agreement = "programme-delivery/v1"
role = "auditor"

[[console.access]]
claim = "operator"
persona = "operator"
agency = "programme-team"
agreement = "programme-delivery/v1"
role = "data-analyst"
"#;

fn write_config(folder: &Path, port: u16) -> Result<Config, Trouble> {
    // A page's address is in its configuration, so its port is chosen before anything listens.
    let console = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let console = console.map_err(trouble("a port for the console"))?.port();
    // All askers are on this one machine: the usual share of requests would be the bottleneck.
    let text = format!(
        r#"mode = "pilot"
programme = "{PROGRAMME}"
issuer = "{ISSUER}"
log_origin = "{LOG}"

[database]
sqlite = "porth.sqlite"

[listen]
agencies = "127.0.0.1:{port}"
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

[limits]
burst = 2000
requests_per_second = 2000.0

[console]
listen = "127.0.0.1:{console}"
address = "https://localhost:{console}"
organisation = "Demonstration council"
certificate = "server.pem"
private_key = "server.key"
demonstration_sign_in = true
{CONSOLE_ACCESS}"#
    );
    write(folder, "porth.toml", &text)?;
    Config::read(&folder.join("porth.toml")).map_err(trouble("the configuration"))
}

/// Loads the policies; every party signs its agreements; the board puts them in force.
async fn put_in_force(gateway: &Gateway) -> Result<(usize, usize), Trouble> {
    let random = SystemRandom::new();
    let files = policy_files::files();
    gateway.load_policies(&files, "operator").await.map_err(trouble("the policies"))?;
    let mut signatories = Vec::new();
    for (agency, _) in gateway.store().agencies().await.map_err(trouble("the agencies"))? {
        let key = SigningKey::generate(&random);
        let key_id = format!("{agency}-signatory");
        let public = *key.verifying_key().as_bytes();
        gateway.enrol_signatory(&key_id, &agency, &public, "operator").await.map_err(trouble("a signatory"))?;
        signatories.push((agency, key_id, key));
    }
    let mut signatures = 0;
    for bytes in &files.agreements {
        let text = AgreementText::parse(bytes).map_err(|faults| Trouble::new("an agreement", faults))?;
        for (_, key_id, key) in signatories.iter().filter(|(agency, _, _)| text.has_party(agency)) {
            let signature = PartySignature {
                agreement: text.reference().clone(),
                key_id: key_id.clone(),
                signature: key.sign(bytes).to_vec(),
            };
            gateway.sign_agreement(&signature).await.map_err(trouble("a signature"))?;
            signatures += 1;
        }
        let of = text.reference();
        let signed = gateway.set_agreement_status(of, AgreementState::Signed, "board", "signed").await;
        signed.map_err(trouble("an agreement's status"))?;
        gateway.request_activation(of, "board", "approved").await.map_err(trouble("an agreement's request"))?;
        for officer in ["ig-officer-1", "ig-officer-2"] {
            gateway.approve_activation(of, officer).await.map_err(trouble("an agreement's approval"))?;
        }
    }
    Ok((files.agreements.len(), signatures))
}

async fn register_key_checks(gateway: &Gateway, linkage: &LinkageKeyFile) -> Result<(), Trouble> {
    let policies = gateway.current_policies().await.map_err(trouble("the policies"))?;
    let types: Vec<TokenType> = policies.token_types().cloned().collect();
    let mut checks = Vec::new();
    for (token_type, text) in linkage.key_checks(&types, policies.norm()) {
        let check = u64::from_str_radix(&text, 16).map_err(trouble("a key check"))?;
        checks.push((token_type, check.to_be_bytes()));
    }
    let match_keys = policies.match_keys();
    let tests = registrable(match_keys, linkage.type_keys(match_keys)).into_iter();
    let tests: Vec<TestToken> =
        tests.map(|(token_type, digest)| TestToken { epoch: EPOCH, token_type, digest }).collect();
    let registered = gateway.register_key_checks(EPOCH, &checks, &tests, "custodian").await;
    registered.map(drop).map_err(trouble("the key checks"))
}

pub(super) fn write(folder: &Path, name: &str, text: &str) -> Result<(), Trouble> {
    std::fs::write(folder.join(name), text).map_err(trouble("a file of the demonstration"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Persona;

    #[test]
    fn the_demonstration_offers_every_part_and_production_refuses_its_sign_in() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = write_config(folder.path(), 0).expect("a configuration");
        let console = config.console.expect("a console");
        assert!(console.demonstration_sign_in && console.provider.is_none());
        for persona in Persona::ALL {
            assert!(console.access.iter().any(|line| line.persona == persona), "{persona:?}");
        }
        let officers = console.access.iter().filter(|line| line.persona == Persona::Officer);
        assert!(officers.map(|line| line.claim.as_str()).eq(super::super::desk::OFFICERS));

        let path = folder.path().join("porth.toml");
        let text = std::fs::read_to_string(&path).expect("the file");
        std::fs::write(&path, text.replacen("\"pilot\"", "\"production\"", 1)).expect("written");
        let refused = Config::read(&path).expect_err("anybody could sign in");
        assert!(refused.to_string().contains("demonstration_sign_in"), "{refused}");
    }
}
