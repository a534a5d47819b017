//! The repository's example policies: loaded, signed by every party and put in force.

use std::path::{Path, PathBuf};

use porth::app::gateway::Gateway;
use porth::app::load_policy::{PartySignature, PolicyFiles};
use porth::crypto::sign::SigningKey;
use porth::crypto::token::{LinkageKey, TypeKey};
use porth::domain::agreement::AgreementText;
use porth::domain::ids::{AgreementRef, ProgrammeCode, TokenType};
use porth::tlog::entry::AgreementState;

use super::random;

/// The example programme.
pub(crate) const PROGRAMME: &str = "tff";
/// The epoch of the linkage key.
pub(crate) const EPOCH: u32 = 1;

/// Takes the example policies into use, agreements signed and in force, key checks registered.
///
/// `edit` may change the agreements' texts before anybody signs them.
pub(super) async fn put_in_force(gateway: &Gateway, linkage: &LinkageKey, edit: &dyn Fn(&[u8]) -> Vec<u8>) {
    let mut files = read_files();
    files.agreements.iter_mut().for_each(|text| *text = edit(text));
    gateway.load_policies(&files, "operator").await.expect("the example policies load");
    sign_everything(gateway, &files).await;
    register_key_checks(gateway, linkage).await;
}

/// An agreement's text with another daily ceiling in every receive clause.
pub(crate) fn with_ceiling(agreement: &[u8], ceiling: u32) -> Vec<u8> {
    let text = std::str::from_utf8(agreement).expect("an agreement is UTF-8");
    let line = |line: &str| match line.split_once(" = ") {
        Some(("daily_ceiling", _)) => format!("daily_ceiling = {ceiling}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect::<String>().into_bytes()
}

fn read_files() -> PolicyFiles {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let read = |path: &Path| std::fs::read(path).expect("a policy file");
    let tomls = |name: &str| -> Vec<Vec<u8>> {
        files_of(&folder.join(name)).iter().filter(|path| !is_cases(path)).map(|path| read(path)).collect()
    };
    let rules = files_of(&folder.join("rules"));
    let rules = rules.iter().filter(|path| path.extension().is_some_and(|it| it != "toml"));
    PolicyFiles {
        programme: read(&folder.join("programme.toml")),
        match_keys: read(&folder.join("match-keys.toml")),
        agencies: tomls("agencies"),
        rules: rules.map(|path| (name_of(path), read(path))).collect(),
        agreements: tomls("agreements"),
    }
}

fn files_of(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a policy folder");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

fn name_of(path: &Path) -> String {
    path.file_name().expect("a file").to_string_lossy().into_owned()
}

fn is_cases(path: &Path) -> bool {
    name_of(path).ends_with(".cases.toml")
}

async fn sign_everything(gateway: &Gateway, files: &PolicyFiles) {
    let agencies = gateway.store().agencies().await.expect("agencies");
    let mut keys = Vec::new();
    for (agency, _) in agencies {
        let key = SigningKey::generate(&random());
        let key_id = format!("{agency}-signatory");
        let public = *key.verifying_key().as_bytes();
        gateway.enrol_signatory(&key_id, &agency, &public, "operator").await.expect("enrolled");
        keys.push((agency, key_id, key));
    }
    for text in &files.agreements {
        let agreement = AgreementText::parse(text).expect("an agreement");
        for (agency, key_id, key) in &keys {
            if agreement.has_party(agency) {
                let signature = PartySignature {
                    agreement: agreement.reference().clone(),
                    key_id: key_id.clone(),
                    signature: key.sign(text).to_vec(),
                };
                gateway.sign_agreement(&signature).await.expect("signed");
            }
        }
        let of = agreement.reference();
        gateway.set_agreement_status(of, AgreementState::Signed, "board", "approved").await.expect("changed");
        activate(gateway, of).await;
    }
}

/// Two officers put an agreement in force.
pub(crate) async fn activate(gateway: &Gateway, agreement: &AgreementRef) {
    gateway.request_activation(agreement, "board", "approved").await.expect("asked");
    for officer in ["ig-officer-1", "ig-officer-2"] {
        gateway.approve_activation(agreement, officer).await.expect("approved");
    }
}

async fn register_key_checks(gateway: &Gateway, linkage: &LinkageKey) {
    let programme = ProgrammeCode::parse(PROGRAMME).expect("a code");
    let policies = gateway.current_policies().await.expect("policies");
    let check = |token_type: &TokenType| {
        let key = TypeKey::derive(linkage, &programme, EPOCH, token_type, policies.norm());
        (token_type.clone(), key.key_check())
    };
    let checks: Vec<_> = policies.token_types().map(check).collect();
    let differing = gateway.register_key_checks(EPOCH, &checks, &[], "custodian").await.expect("registered");
    assert!(differing.is_empty());
}
