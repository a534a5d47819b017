//! The key pair of one case: answers are sealed to it, and the agency that opened the case alone opens them.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::cli::agency::read_owners_file;
use crate::cli::operator::keys::files;
use crate::cli::output::Failure;
use crate::crypto::random::SystemRandom;
use crate::crypto::seal::{SealKeyPair, SealPublicKey};
use crate::crypto::secret::Secret;

/// Makes a pair, writes the private half into a new file, and gives the public one.
pub(super) fn make(path: &Path) -> Result<SealPublicKey, Failure> {
    if path.exists() {
        return Err(Failure::failed(format!("{} is there already", path.display())).next("name another file"));
    }
    let pair = SealKeyPair::generate(&SystemRandom::new());
    let mut private = Zeroizing::new(String::with_capacity(128));
    private.push_str("# Opens the answers in one case of a person's rights.\n");
    private.push_str(&pair.secret().expose_hex());
    private.push('\n');
    files::write_private(path, private.as_bytes())?;
    Ok(pair.public().clone())
}

/// Reads a private key that [`make`] wrote, or the shield officers'.
pub(super) fn read(path: &Path) -> Result<SealKeyPair, Failure> {
    let bytes = read_owners_file(path)?;
    let text = std::str::from_utf8(&bytes).ok();
    let line =
        text.and_then(|text| text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#')));
    let secret = line.and_then(|line| Secret::from_hex(line).ok());
    let refused = || Failure::unusable(format!("{} is not a private sealing key", path.display()));
    secret.map(SealKeyPair::from_private).ok_or_else(refused)
}

/// Base64url without padding.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_private_file_reads_back_is_its_owners_alone_and_is_never_overwritten() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("case.key");
        let public = make(&path).expect("made");
        assert_eq!(read(&path).expect("its own").public().to_text(), public.to_text());
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o077, 0);
        assert!(make(&path).is_err());
    }
}
