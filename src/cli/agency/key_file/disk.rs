//! Key files on disk: a plain file of one's own that nobody else can read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use zeroize::Zeroizing;

use super::KeyFileError;

/// A key file is a few kilobytes; more is something else.
const MOST_BYTES: u64 = 256 * 1024;

/// Reads the bytes of a key file, wiped when dropped.
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    // The open file is looked at, not the path: it cannot be exchanged in between.
    let metadata = file.metadata().map_err(|error| unreadable(path, &error))?;
    let is_foreign = own_user().is_some_and(|user| user != metadata.uid());
    if !metadata.is_file() || is_foreign || !matches!(metadata.mode() & 0o7777, 0o400 | 0o600) {
        return Err(KeyFileError::Exposed(path.to_owned()));
    }
    if metadata.len() > MOST_BYTES {
        return Err(KeyFileError::Malformed { path: path.to_owned(), rule: "it is far too long for a key file" });
    }
    // Room for all of it from the start: growing would leave a copy behind.
    let mut text = Zeroizing::new(Vec::with_capacity(metadata.len() as usize + 1));
    file.take(metadata.len()).read_to_end(&mut text).map_err(|error| unreadable(path, &error))?;
    Ok(text)
}

pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), KeyFileError> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => KeyFileError::Exists(path.to_owned()),
        _ => unreadable(path, &error),
    })?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|error| unreadable(path, &error))
}

pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), KeyFileError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let finished = path.with_file_name(name);
    write_new(&finished, bytes)?;
    fs::rename(&finished, path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &io::Error) -> KeyFileError {
    KeyFileError::Unreadable { path: path.to_owned(), kind: error.kind() }
}

/// The user who runs this process: the owner of its own entry in `/proc`. `None` where there is no
/// `/proc`; the mode check stands alone there.
fn own_user() -> Option<u32> {
    fs::metadata("/proc/self").ok().map(|metadata| metadata.uid())
}
