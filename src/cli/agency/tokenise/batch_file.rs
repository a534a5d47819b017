//! The batch on disk: written beside its place, moved there when it is whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::crypto::random::{SystemRandom, random_bytes};

/// A file in the making. Dropped before [`BatchFile::finish`], it leaves nothing behind.
pub(super) struct BatchFile {
    writer: BufWriter<File>,
    unfinished: PathBuf,
    path: PathBuf,
    is_finished: bool,
}

impl BatchFile {
    /// Begins a file that only its owner can read: tokens are pseudonyms of people.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().ok_or(io::ErrorKind::InvalidInput)?);
        name.push(format!(".{:08x}.part", u32::from_be_bytes(random_bytes(&SystemRandom::new()))));
        let unfinished = path.with_file_name(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        let writer = BufWriter::with_capacity(1 << 18, file);
        Ok(Self { writer, unfinished, path: path.to_owned(), is_finished: false })
    }

    /// Moves the whole file to its place, over an older one.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.writer.flush()?;
        self.writer.get_ref().sync_all()?;
        fs::rename(&self.unfinished, &self.path)?;
        self.is_finished = true;
        Ok(())
    }
}

impl Write for BatchFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl Drop for BatchFile {
    fn drop(&mut self) {
        if !self.is_finished {
            // Nothing more can be done about a file that will not go.
            let _ = fs::remove_file(&self.unfinished);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("batch.ndjson");
        let mut dropped = BatchFile::create(&path).expect("creates");
        dropped.write_all(b"half").expect("writes");
        drop(dropped);
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);

        let mut whole = BatchFile::create(&path).expect("creates");
        whole.write_all(b"whole").expect("writes");
        assert!(!path.exists());
        whole.finish().expect("finishes");
        assert_eq!(fs::read(&path).expect("there"), b"whole");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }
}
