//! `porth policy sign`: a signatory signs an agreement's text, without any database.
//!
//! The signature is Ed25519 over the file's bytes as they are. The `.sig` file is JSON, so that other
//! tools can make one too: sign the bytes, write the signature in base64url.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::cli::operator::keys::{read_signing_key, signatory_key_id, write_public};
use crate::cli::operator::read_bytes;
use crate::cli::output::{Failure, Output};
use crate::domain::agreement::AgreementText;
use crate::domain::ids::AgreementRef;
use crate::domain::token::encode_base64url;

/// Arguments of `porth policy sign`.
#[derive(Debug, Args)]
pub(super) struct SignArgs {
    /// The agreement's file
    #[arg(long, value_name = "FILE")]
    agreement: PathBuf,
    /// The signatory's private key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Where the signature is written; beside the agreement unless given
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// A party's signature as a file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignatureFile {
    /// What was signed.
    pub(super) agreement: AgreementRef,
    /// SHA-256 of the text, in hexadecimal.
    pub(super) sha256: String,
    /// Whose key.
    pub(super) key_id: String,
    /// Ed25519, base64url.
    pub(super) signature: String,
}

/// Signs, and says what was signed.
pub(super) fn run(args: &SignArgs, output: Output) -> Result<(), Failure> {
    let bytes = read_bytes(&args.agreement)?;
    let text = AgreementText::parse(&bytes)
        .map_err(|faults| Failure::failed(format!("{}: {faults}", args.agreement.display())))?;
    let key = read_signing_key(&args.key)?;
    let signed = SignatureFile {
        agreement: text.reference().clone(),
        sha256: text.hash().to_string(),
        key_id: signatory_key_id(&key.verifying_key()),
        signature: encode_base64url(&key.sign(&bytes)),
    };
    let out = args.out.clone().unwrap_or_else(|| beside(&args.agreement, &signed.key_id));
    let file = serde_json::to_string_pretty(&signed).map_err(|_| Failure::failed("the signature cannot be written"))?;
    write_public(&out, format!("{file}\n").as_bytes())?;
    output.result(
        format_args!(
            "Signed {} \"{}\" with {}.\nSHA-256 of the text: {}\nWrote {}",
            signed.agreement,
            text.title(),
            signed.key_id,
            signed.sha256,
            out.display()
        ),
        &signed,
    );
    Ok(())
}

/// `early-help-core.toml` signed by one key: `early-help-core.<key id>.sig`.
fn beside(agreement: &Path, key_id: &str) -> PathBuf {
    agreement.with_extension(format!("{key_id}.sig"))
}
