//! Key files on disk: private ones for their owner alone, and none ever overwritten.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::cli::output::Failure;

/// Makes a folder that only its owner can enter, unless it is there.
pub(crate) fn make_folder(folder: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| Failure::failed(format!("cannot make the folder {}: {}", folder.display(), error.kind())))
}

/// Refuses before anything is written if any of the files is there.
pub(crate) fn refuse_existing(folder: &Path, names: &[&str]) -> Result<(), Failure> {
    match names.iter().map(|name| folder.join(name)).find(|path| path.exists()) {
        Some(path) => Err(exists(&path)),
        None => Ok(()),
    }
}

/// Writes a file that only its owner reads: mode 0600.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write_new(path, bytes, 0o600)
}

/// Writes a file that nobody may change, and only its owner reads: mode 0400.
pub(crate) fn write_sealed(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write_new(path, bytes, 0o400)
}

/// Puts another content in the place of a file of mode 0400, whole or not at all.
pub(super) fn replace_sealed(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let temporary = path.with_extension("new");
    write_sealed(&temporary, bytes)?;
    let failed =
        |error: std::io::Error| Failure::failed(format!("cannot replace {}: {}", path.display(), error.kind()));
    fs::rename(&temporary, path).map_err(failed)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // A new name survives a crash only when its folder is on disk too.
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

/// Writes a file that anybody may read.
pub(crate) fn write_public(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write_new(path, bytes, 0o644)
}

/// Writes a value that anybody may read, as JSON for people's eyes too.
pub(crate) fn write_public_json(path: &Path, value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|_| Failure::failed("a public key cannot be written"))?;
    write_public(path, format!("{text}\n").as_bytes())
}

/// Reads a JSON file of public things.
pub(crate) fn read_public_json<T: DeserializeOwned>(path: &Path, wanted: &str) -> Result<T, Failure> {
    let text = crate::cli::operator::read_text(path)?;
    serde_json::from_str(&text).map_err(|error| {
        Failure::failed(format!("{} is not {wanted}: line {}", path.display(), error.line()))
            .next("check that it is the right file and whole")
    })
}

/// Replaces a file of public things by renaming a finished one over it.
pub(crate) fn replace_public(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let temporary = path.with_extension("new");
    let failed = |error: std::io::Error| Failure::failed(format!("cannot write {}: {}", path.display(), error.kind()));
    fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, path)).map_err(failed)
}

/// A private key in PEM; wiped when dropped.
pub(crate) fn private_key_pem(pkcs8: &[u8]) -> Zeroizing<String> {
    let body = Zeroizing::new(STANDARD.encode(pkcs8));
    // Room for all of it from the start: growing would leave a copy behind.
    let mut pem = Zeroizing::new(String::with_capacity(body.len() + body.len() / 64 + 64));
    pem.push_str("-----BEGIN PRIVATE KEY-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str("-----END PRIVATE KEY-----\n");
    pem
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Failure> {
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    match file.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all())) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(exists(path)),
        Err(error) => Err(Failure::failed(format!("cannot write {}: {}", path.display(), error.kind()))),
    }
}

fn exists(path: &Path) -> Failure {
    Failure::failed(format!("{} is there already, and is never overwritten", path.display()))
        .next("choose another folder, or move that file away if nothing needs it any more")
}

/// The names of the files in a folder; none if there is no such folder.
pub(crate) fn names_in(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).map(|entries| entries.flatten().map(|entry| entry.path()).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;
    use crate::crypto::random::SystemRandom;
    use crate::crypto::sign::SigningKey;
    use rustls_pki_types::PrivatePkcs8KeyDer;
    use rustls_pki_types::pem::PemObject as _;

    #[test]
    fn a_private_key_reads_back_from_its_pem() {
        let key = SigningKey::generate(&SystemRandom::new());
        let pem = private_key_pem(&key.to_pkcs8());
        assert!(pem.lines().all(|line| line.len() <= 64));
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).expect("PEM");
        let back = SigningKey::from_pkcs8(der.secret_pkcs8_der()).expect("PKCS #8");
        assert_eq!(back.verifying_key(), key.verifying_key());
    }

    #[test]
    fn a_private_file_is_its_owners_alone_and_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write_private(&path, b"first").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert!(write_private(&path, b"second").is_err());
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert!(refuse_existing(folder.path(), &["other", "key"]).is_err());
        refuse_existing(folder.path(), &["other"]).unwrap();
    }
}
