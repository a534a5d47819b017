//! The key pair of match runs: the gateway seals to the public half and never has the private one.

use std::path::Path;

use serde::Serialize;
use zeroize::Zeroizing;

use super::files::{self, names_in};
use crate::cli::agency::read_owners_file;
use crate::cli::output::{Failure, Output};
use crate::crypto::random::SystemRandom;
use crate::crypto::seal::SealKeyPair;
use crate::crypto::secret::Secret;

const PRIVATE: &str = "match-run-private.key";
const PUBLIC: &str = "match-run-public.txt";

#[derive(Serialize)]
struct Made {
    private_file: String,
    public_file: String,
    public_key: String,
}

/// Makes the pair.
pub(super) fn init(folder: &Path, output: Output) -> Result<(), Failure> {
    let is_wrapped =
        |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("blinding.v"));
    if names_in(folder).iter().any(|path| is_wrapped(path)) {
        return Err(Failure::failed("the folder holds the gateway's keys").next(
            "the gateway must never hold the match run's private key: make it where matches are run, as another user",
        ));
    }
    files::make_folder(folder)?;
    files::refuse_existing(folder, &[PRIVATE, PUBLIC])?;
    let pair = SealKeyPair::generate(&SystemRandom::new());
    let mut private = Zeroizing::new(String::with_capacity(128));
    private.push_str("# Opens field tokens and fuzzy encodings of every record: match runs only.\n");
    private.push_str(&pair.secret().expose_hex());
    private.push('\n');
    let made = Made {
        private_file: folder.join(PRIVATE).display().to_string(),
        public_file: folder.join(PUBLIC).display().to_string(),
        public_key: pair.public().to_text(),
    };
    files::write_private(Path::new(&made.private_file), private.as_bytes())?;
    files::write_public(Path::new(&made.public_file), format!("{}\n", made.public_key).as_bytes())?;
    output.result(
        format_args!("Made {} and {}.\nPublic key: {}", made.private_file, made.public_file, made.public_key),
        &made,
    );
    output.note(
        "Give the operator the public file alone (keys.match_run_public_key). Whoever has the private file and the \
         database can count field tokens and guess common names: keep it where matches are run, away from the gateway.",
    );
    Ok(())
}

/// Reads the pair from its private file.
///
/// # Errors
///
/// [`Failure`] when others can read the file, or it is not one.
pub(in crate::cli) fn read_pair(path: &Path) -> Result<SealKeyPair, Failure> {
    let bytes = read_owners_file(path)?;
    let text = std::str::from_utf8(&bytes).ok();
    let line =
        text.and_then(|text| text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#')));
    let secret = line.and_then(|line| Secret::from_hex(line).ok());
    let refused = || {
        Failure::unusable(format!("{} is not a match run's private key", path.display()))
            .next("`porth keys init --for match-run` makes one")
    };
    secret.map(SealKeyPair::from_private).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_private_file_reads_back_and_is_not_made_beside_the_gateways_keys() {
        let folder = tempfile::tempdir().expect("a folder");
        let of = folder.path().join("match-run");
        init(&of, Output::new(true)).expect("made");
        let pair = read_pair(&of.join(PRIVATE)).expect("its own file");
        let public = std::fs::read_to_string(of.join(PUBLIC)).expect("written");
        assert_eq!(pair.public().to_text(), public.trim());
        assert!(init(&of, Output::new(true)).is_err(), "never overwritten");
        assert!(read_pair(&of.join(PUBLIC)).is_err());

        let gateway = folder.path().join("keys");
        files::make_folder(&gateway).expect("a folder");
        std::fs::write(gateway.join("blinding.v1.json"), "{}").expect("written");
        assert!(init(&gateway, Output::new(true)).is_err());
        assert!(!gateway.join(PRIVATE).exists());
    }
}
