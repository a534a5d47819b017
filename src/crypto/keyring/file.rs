//! Wrapped secrets on disk: one JSON file each, readable by its owner alone.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{KeyringError, Kind, Role};
use crate::crypto::aead;
use crate::crypto::kek::KekProvider;
use crate::crypto::mac::push_lp;
use crate::crypto::random::Random;
use crate::crypto::secret::Secret;
use crate::crypto::sign::VerifyingKey;
use crate::domain::labels;
use crate::domain::time::Timestamp;
use crate::domain::token::{decode_base64url, encode_base64url};

/// A wrapped secret as it lies in the folder.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretFile {
    pub(super) name: Role,
    kind: Kind,
    pub(super) version: u32,
    pub(super) created: Timestamp,
    pub(super) kek_version: u32,
    wrapped: String,
}

pub(super) fn read_secret(path: &Path, kek: &dyn KekProvider) -> Result<(SecretFile, Secret<32>), KeyringError> {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    let malformed = || KeyringError::Malformed(path.to_owned());
    let text = fs::read(path).map_err(|error| file_error(path, &error))?;
    let file: SecretFile = serde_json::from_slice(&text).map_err(|_| malformed())?;
    let named = path.file_name().is_some_and(|name| *name == *file_name(file.name, file.version));
    if !named || file.kind != file.name.kind() {
        return Err(malformed());
    }
    let key = kek
        .key(file.kek_version)
        .ok_or_else(|| KeyringError::UnknownKek { path: path.to_owned(), version: file.kek_version })?;
    let wrapped = URL_SAFE_NO_PAD.decode(&file.wrapped).map_err(|_| malformed())?;
    let secret = aead::open(key, &place(file.name, file.version), &wrapped)
        .and_then(|bytes| Secret::from_slice(&bytes).ok())
        .ok_or_else(|| KeyringError::Refused(path.to_owned()))?;
    Ok((file, secret))
}

pub(super) fn write_secret(
    folder: &Path,
    role: Role,
    version: u32,
    secret: &Secret<32>,
    kek: &dyn KekProvider,
    random: &dyn Random,
    now: Timestamp,
) -> Result<(), KeyringError> {
    let path = file_path(folder, role, version);
    if path.exists() {
        return Err(KeyringError::Exists(role));
    }
    write_new(&path, wrap(role, version, now, secret, kek, random).as_bytes())?;
    sync_folder(folder)
}

pub(super) fn wrap(
    role: Role,
    version: u32,
    created: Timestamp,
    secret: &Secret<32>,
    kek: &dyn KekProvider,
    random: &dyn Random,
) -> String {
    let kek_version = kek.current_version();
    let key = kek.key(kek_version).expect("a provider has the key of its current version");
    let wrapped = encode_base64url(&aead::seal(random, key, &place(role, version), secret.expose()));
    let file = SecretFile { name: role, kind: role.kind(), version, created, kek_version, wrapped };
    serde_json::to_string_pretty(&file).expect("numbers, names and base64url always serialise") + "\n"
}

/// Binds a wrapped secret to its role and version: files cannot be exchanged for one another.
fn place(role: Role, version: u32) -> Vec<u8> {
    let mut info = labels::WRAP.as_bytes().to_vec();
    push_lp(&mut info, role.name().as_bytes());
    info.extend_from_slice(&version.to_be_bytes());
    info
}

fn file_name(role: Role, version: u32) -> String {
    format!("{}.v{version}.json", role.name())
}

pub(super) fn file_path(folder: &Path, role: Role, version: u32) -> PathBuf {
    folder.join(file_name(role, version))
}

/// Every file of the folder that is named like a secret, in a fixed order; certificates and other
/// files may lie beside them.
pub(super) fn secret_files(folder: &Path) -> Result<Vec<PathBuf>, KeyringError> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = entries.map_err(|error| file_error(folder, &error))?;
    let is_secret = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.strip_suffix(".json").is_some_and(|stem| stem.contains(".v"))
    };
    let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).filter(is_secret).collect();
    paths.sort();
    Ok(paths)
}

/// Keeps the public half of a signing key whose secret is about to go: `receipt.v1.public`.
pub(super) fn write_public(folder: &Path, role: Role, version: u32, key: &VerifyingKey) -> Result<(), KeyringError> {
    let text = encode_base64url(key.as_bytes()) + "\n";
    replace(folder, &folder.join(format!("{}.v{version}.{PUBLIC}", role.name())), text.as_bytes())
}

/// The public halves that [`write_public`] kept.
pub(super) fn retired_keys(folder: &Path) -> Result<BTreeMap<(Role, u32), VerifyingKey>, KeyringError> {
    let mut keys = BTreeMap::new();
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    for entry in entries.map_err(|error| file_error(folder, &error))? {
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension != PUBLIC) {
            continue;
        }
        let malformed = || KeyringError::Malformed(path.clone());
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let (name, version) = stem.split_once(".v").ok_or_else(malformed)?;
        let role = Role::SIGNING.into_iter().find(|role| role.name() == name).ok_or_else(malformed)?;
        let version: u32 = version.parse().map_err(|_| malformed())?;
        let text = fs::read_to_string(&path).map_err(|error| file_error(&path, &error))?;
        let key = decode_base64url::<32>(text.trim()).and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok());
        keys.insert((role, version), key.ok_or_else(malformed)?);
    }
    Ok(keys)
}

const PUBLIC: &str = "public";

pub(super) fn make_folder(folder: &Path) -> Result<(), KeyringError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| file_error(folder, &error))
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), KeyringError> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .map_err(|error| file_error(path, &error))
}

/// A new file's name survives a crash only when its folder is on disk too.
pub(super) fn sync_folder(folder: &Path) -> Result<(), KeyringError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| file_error(folder, &error))
}

pub(super) fn file_error(path: &Path, error: &io::Error) -> KeyringError {
    KeyringError::File { path: path.to_owned(), kind: error.kind() }
}

/// Replaces a file by renaming a finished one over it.
pub(super) fn replace(folder: &Path, path: &Path, bytes: &[u8]) -> Result<(), KeyringError> {
    let temporary = path.with_extension("new");
    write_new(&temporary, bytes)?;
    fs::rename(&temporary, path).map_err(|error| file_error(path, &error))?;
    sync_folder(folder)
}
