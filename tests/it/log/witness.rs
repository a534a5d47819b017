//! A partner agency witnesses the log: it follows what goes on, finds what does not, and releases stop
//! when it falls silent.

use std::fs;

use porth::app::signers::KeySigner;
use porth::crypto::kek::Kek;
use porth::crypto::keyring::{Keyring, Role};
use porth::domain::time::Timestamp;
use porth::store::NewCosignature;
use porth::tlog::checkpoint::Checkpoint;
use porth::tlog::merkle::leaf_hash;
use porth::web::api::cosignatures::GOES_ON;
use porth::web::api::openapi::document;
use rstest::rstest;

use super::{KNOWN, asked_twice, trust};
use crate::cli::gateway::{Ran, porth};
use crate::support::agency::TestAgency;
use crate::support::database::Backend;
use crate::support::gateway::{ISSUER, LOG, TestGateway};

const NAME: &str = "witness.police.example";

/// A witness's files, beside the gateway's: only a test may keep them there.
fn witness_files(home: &TestGateway, agency: &TestAgency<'_>) {
    use std::os::unix::fs::PermissionsExt as _;
    let pem = pem_of(&agency.key.to_pkcs8());
    for (name, text) in [
        ("client.pem", agency.identity.certificate_pem.as_str()),
        ("client.key", agency.identity.key_pem.as_str()),
        ("assertion.key", pem.as_str()),
    ] {
        let path = home.folder().join(name);
        fs::write(&path, text).expect("writes");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("ours");
    }
    let connection = format!(
        "gateway = 'https://localhost:{}'\nissuer = '{ISSUER}'\nroot = 'agencies.pem'\ncertificate = 'client.pem'\n\
         private_key = 'client.key'\nclient_id = '{}'\nassertion_key = 'assertion.key'\n",
        home.running.agencies.port(),
        agency.client
    );
    fs::write(home.folder().join("connection.toml"), connection).expect("writes");
}
