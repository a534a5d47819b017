//! Column files: what an export step writes and a run reads, one key after the other.
//!
//! An entry is 16 bytes of a stored token and 4 bytes of the record's place, big-endian; a file is
//! sorted by both.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::people::{EPOCH, Entry, KEYS, Society, link_token};
use crate::domain::token::Blinded;
use crate::linkage::column::{self, Column};
use crate::linkage::record::LinkToken;
use crate::linkage::rules::LinkRules;

/// Bytes of an entry.
const ENTRY: usize = 20;
/// Entries that are read at a time.
const AT_ONCE: usize = 32 * 1024;
/// Bytes of a record's row: a token for each key, zeros for none.
const ROW: usize = KEYS * 16;

/// Where the column of a key is.
pub(super) fn path_of(folder: &Path, key: usize) -> PathBuf {
    folder.join(format!("key-{key:02}"))
}

/// Writes the columns of some records; how many tokens there are.
pub(super) fn write_columns(society: Society, records: Range<u32>, folder: &Path, threads: usize) -> io::Result<u64> {
    std::fs::create_dir_all(folder)?;
    let from = records.start;
    let entries: Vec<Entry> = records.map(|record| society.entry(record)).collect();
    let counts = by_key(threads, |key| {
        let token = |(place, entry): (u32, &Entry)| Some((entry.token(key)?, place));
        let mut column: Vec<(u128, u32)> = (from..).zip(&entries).filter_map(token).collect();
        column.sort_unstable();
        let mut file = BufWriter::with_capacity(1 << 20, File::create(path_of(folder, key))?);
        for (value, place) in &column {
            file.write_all(&value.to_be_bytes())?;
            file.write_all(&place.to_be_bytes())?;
        }
        file.flush()?;
        Ok(column.len() as u64)
    })?;
    Ok(counts.into_iter().sum())
}

/// Reads every column of a folder.
pub(super) fn read_columns(folder: &Path, records: u32, rules: &LinkRules, threads: usize) -> io::Result<Vec<Column>> {
    by_key(threads, |key| {
        let mut file = ColumnFile::open(&path_of(folder, key))?;
        let column = Column::read(key as u16, EPOCH, records, &mut file, rules).map_err(io::Error::other)?;
        file.finish()?;
        Ok(column)
    })
}

/// Does something for every key, on a few threads; results in the order of keys.
pub(super) fn by_key<T: Send>(threads: usize, work: impl Fn(usize) -> io::Result<T> + Sync) -> io::Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, io::Result<T>)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let key = next.fetch_add(1, Ordering::Relaxed);
                    if key >= KEYS {
                        return;
                    }
                    let result = work(key);
                    done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((key, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(key, _)| *key);
    done.into_iter().map(|(_, result)| result).collect()
}

/// A column being read. What goes wrong on the way ends it, and is told by [`finish`](Self::finish).
pub(super) struct ColumnFile {
    file: File,
    buffer: Vec<u8>,
    at: usize,
    filled: usize,
    fault: Option<io::Error>,
}

impl ColumnFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: File::open(path)?, buffer: vec![0; ENTRY * AT_ONCE], at: 0, filled: 0, fault: None })
    }

    /// Whether it was read well to its end.
    pub(super) fn finish(self) -> io::Result<()> {
        match self.fault {
            Some(fault) => Err(fault),
            None if self.at < self.filled => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            None => Ok(()),
        }
    }

    fn fill(&mut self) {
        (self.at, self.filled) = (0, 0);
        while self.filled < self.buffer.len() {
            match self.file.read(&mut self.buffer[self.filled..]) {
                Ok(0) => return,
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.fault = Some(error);
                    self.filled = 0;
                    return;
                }
            }
        }
    }
}

impl Iterator for ColumnFile {
    type Item = column::Entry;

    fn next(&mut self) -> Option<column::Entry> {
        if self.at == self.filled {
            self.fill();
        }
        let entry = self.buffer[self.at..self.filled].first_chunk::<ENTRY>()?;
        self.at += ENTRY;
        let (value, place) = entry.split_first_chunk::<16>()?;
        Some((Blinded::new(*value), u32::from_be_bytes(place.try_into().ok()?)))
    }
}

/// Writes the tokens of records, a row each.
pub(super) fn write_rows(society: Society, records: Range<u32>, path: &Path) -> io::Result<()> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    for record in records {
        let entry = society.entry(record);
        for key in 0..KEYS {
            file.write_all(&entry.token(key).unwrap_or_default().to_be_bytes())?;
        }
    }
    file.flush()
}

/// Rows of tokens, to be read one by one.
pub(super) struct RowFile(File);

impl RowFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        File::open(path).map(Self)
    }

    /// The tokens of a record.
    pub(super) fn tokens(&mut self, record: u32) -> io::Result<Vec<LinkToken>> {
        let mut row = [0; ROW];
        self.0.seek(SeekFrom::Start(u64::from(record) * ROW as u64))?;
        self.0.read_exact(&mut row)?;
        let (values, _) = row.as_chunks::<16>();
        let held = values.iter().map(|value| u128::from_be_bytes(*value)).enumerate().filter(|(_, value)| *value != 0);
        Ok(held.map(|(key, value)| link_token(key, value)).collect())
    }
}
