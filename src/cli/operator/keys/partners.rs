//! Keys that partners make on their own machines: shield officers, signatories, agencies' systems.

use std::path::Path;

use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::custodian::key_file_failure;
use super::files;
use crate::app::policies::hex;
use crate::cli::agency::key_file::AgencyKeyFile;
use crate::cli::operator::read_text;
use crate::cli::output::{Failure, Output};
use crate::crypto::certs;
use crate::crypto::jwt::ClientKey;
use crate::crypto::random::SystemRandom;
use crate::crypto::seal::SealKeyPair;
use crate::crypto::sign::{SigningKey, VerifyingKey};
use crate::domain::ids::{AgencyCode, ProgrammeCode};
use crate::domain::token::{decode_base64url, encode_base64url};

/// What a signatory hands in to be enrolled; nothing of it is secret.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli::operator) struct SignatoryCard {
    /// For which agency the key signs.
    pub(in crate::cli::operator) agency: AgencyCode,
    /// Follows from the key.
    pub(in crate::cli::operator) key_id: String,
    /// Ed25519, base64url.
    public_key: String,
}

impl SignatoryCard {
    fn new(agency: &AgencyCode, key: &VerifyingKey) -> Self {
        Self { agency: agency.clone(), key_id: signatory_key_id(key), public_key: encode_base64url(key.as_bytes()) }
    }

    /// The key, if it is one and the id is its own.
    pub(in crate::cli::operator) fn key(&self) -> Option<[u8; 32]> {
        let bytes = decode_base64url::<32>(&self.public_key)?;
        let key = VerifyingKey::from_bytes(&bytes).ok()?;
        (signatory_key_id(&key) == self.key_id).then_some(bytes)
    }
}

/// The id of a signatory's key: the start of the SHA-256 of its public half.
pub(in crate::cli::operator) fn signatory_key_id(key: &VerifyingKey) -> String {
    format!("ed25519-{}", &hex(&Sha256::digest(key.as_bytes()))[..16])
}

/// Reads an Ed25519 private key in PEM.
pub(in crate::cli) fn read_signing_key(path: &Path) -> Result<SigningKey, Failure> {
    let pem = Zeroizing::new(read_text(path)?);
    let refused = || {
        Failure::unusable(format!("{} does not hold an Ed25519 private key in PEM", path.display()))
            .next("`porth keys init --for signatory` makes one")
    };
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| refused())?;
    SigningKey::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| refused())
}

#[derive(Serialize)]
struct ShieldMade {
    private_file: String,
    public_file: String,
    public_key: String,
}

/// Makes the shield officers' pair.
pub(super) fn init_shield(folder: &Path, output: Output) -> Result<(), Failure> {
    files::make_folder(folder)?;
    files::refuse_existing(folder, &["shield-private.key", "shield-public.txt"])?;
    let pair = SealKeyPair::generate(&SystemRandom::new());
    let mut private = Zeroizing::new(String::with_capacity(128));
    private.push_str("# Opens what the log says of restricted people: shield officers only.\n");
    private.push_str(&pair.secret().expose_hex());
    private.push('\n');
    let made = ShieldMade {
        private_file: folder.join("shield-private.key").display().to_string(),
        public_file: folder.join("shield-public.txt").display().to_string(),
        public_key: pair.public().to_text(),
    };
    files::write_private(Path::new(&made.private_file), private.as_bytes())?;
    files::write_public(Path::new(&made.public_file), format!("{}\n", made.public_key).as_bytes())?;
    output.result(
        format_args!("Made {} and {}.\nPublic key: {}", made.private_file, made.public_file, made.public_key),
        &made,
    );
    output.note(
        "Give the operator the public file alone (keys.shield_public_key). The private file belongs to the named \
         shield officers; two of them should each keep a copy offline.",
    );
    Ok(())
}

/// Makes a key that signs agreements.
pub(super) fn init_signatory(folder: &Path, agency: &AgencyCode, output: Output) -> Result<(), Failure> {
    files::make_folder(folder)?;
    files::refuse_existing(folder, &["signatory.key", "signatory.json"])?;
    let key = SigningKey::generate(&SystemRandom::new());
    let card = SignatoryCard::new(agency, &key.verifying_key());
    files::write_private(&folder.join("signatory.key"), files::private_key_pem(&key.to_pkcs8()).as_bytes())?;
    files::write_public_json(&folder.join("signatory.json"), &card)?;
    output.result(
        format_args!(
            "Made signatory.key and signatory.json in {}.\nKey id {}, public key {}",
            folder.display(),
            card.key_id,
            card.public_key
        ),
        &card,
    );
    output.note("Send signatory.json to the operator, and read the key id to two people there on the telephone.");
    Ok(())
}

#[derive(Serialize)]
struct AgencyMade {
    folder: String,
    files: Vec<&'static str>,
    assertion_key_id: String,
}

/// Makes what an agency's system needs to connect and to name its own records.
pub(super) fn init_agency(
    folder: &Path,
    agency: &AgencyCode,
    programme: &ProgrammeCode,
    output: Output,
) -> Result<(), Failure> {
    const FILES: [&str; 5] =
        ["client.key", "client-request.pem", "assertion.key", "assertion.jwk.json", "agency-keys.json"];
    files::make_folder(folder)?;
    files::refuse_existing(folder, &FILES)?;
    let random = SystemRandom::new();
    let request = certs::request(agency).map_err(Failure::failed)?;
    let assertion = ClientKey::generate(&random);
    files::write_private(&folder.join(FILES[0]), request.key_pem.as_bytes())?;
    files::write_public(&folder.join(FILES[1]), request.pem.as_bytes())?;
    files::write_private(&folder.join(FILES[2]), files::private_key_pem(&assertion.to_pkcs8()).as_bytes())?;
    files::write_public_json(&folder.join(FILES[3]), &assertion.public().to_jwk())?;
    AgencyKeyFile::generate(programme.clone(), agency.clone(), &random)
        .write(&folder.join(FILES[4]))
        .map_err(key_file_failure)?;
    let made = AgencyMade {
        folder: folder.display().to_string(),
        files: FILES.to_vec(),
        assertion_key_id: assertion.public().thumbprint(),
    };
    output.result(
        format_args!(
            "Made in {}: {}.\nAssertion key id: {}",
            made.folder,
            made.files.join(", "),
            made.assertion_key_id
        ),
        &made,
    );
    output.note(
        "Send client-request.pem and assertion.jwk.json to the operator; the .key files and agency-keys.json never \
         leave the agency. Take in the custodian's share with `porth keys add-share`.",
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signatory_card_whose_id_is_not_the_keys_own_gives_no_key() {
        let key = SigningKey::generate(&SystemRandom::new()).verifying_key();
        let agency = AgencyCode::parse("housing").unwrap();
        let card = SignatoryCard::new(&agency, &key);
        assert_eq!(card.key(), Some(*key.as_bytes()));
        let swapped = SignatoryCard { key_id: "ed25519-0000000000000000".to_owned(), ..card };
        assert_eq!(swapped.key(), None);
    }
}
