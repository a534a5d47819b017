//! The backup file: every table as framed rows, with a SHA-256 over all of it at the end.
//!
//! The format is in `docs/backup.md`. It says nothing of an engine: what one engine wrote the other
//! reads. Written and read as a stream, a frame at a time.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::domain::time::Timestamp;
use crate::store::{Cell, ColumnType, Table};

/// What every file begins with.
const MAGIC: &[u8; 16] = b"porth-backup/v1\n";
/// Bytes of rows after which a frame is written.
const FRAME: usize = 64 * 1024;
/// The longest frame that is written or believed.
const MOST_FRAME: usize = 64 * 1024 * 1024;

/// Why a backup file cannot be written or read. Never carries a value of a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransferError {
    /// The operating system.
    #[error("the backup file cannot be read or written: {0}")]
    File(io::ErrorKind),
    /// Something else, or another version of the format.
    #[error("the file is no backup of the format porth-backup/v1")]
    NotABackup,
    /// It stops before its end.
    #[error("the backup file is cut off: its end is missing")]
    CutOff,
    /// Its bytes are not those that were written.
    #[error("the backup file was altered: its SHA-256 is not the one at its end")]
    Altered,
    /// A frame that makes no sense.
    #[error("the backup file is malformed: {0}")]
    Malformed(&'static str),
}

impl From<io::Error> for TransferError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof { Self::CutOff } else { Self::File(error.kind()) }
    }
}

/// The first frame: what the file was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The schema version of its tables.
    pub schema_version: i64,
    /// The engine that it was read from.
    pub engine: String,
    /// When, by that database's clock.
    pub made_at: Timestamp,
    /// The log's origin.
    pub log_origin: String,
    /// How many entries the log has.
    pub log_size: u64,
    /// Entries that wait for their place.
    pub log_pending: u64,
    /// The log's newest checkpoint, signed; none before the first.
    pub checkpoint: Option<String>,
    /// The tables, in the order in which they follow.
    pub tables: Vec<String>,
}

/// A frame, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A table begins: its name, and its columns with their types.
    Table(TableHead),
    /// Rows of the table at hand.
    Rows(Vec<Vec<Cell>>),
    /// The table at hand is complete.
    EndOfTable,
    /// Everything was there, and its hash agrees.
    End(Ended),
}

/// How a file ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Rows of all tables.
    pub rows: u64,
    /// SHA-256 of everything before it: the last 32 bytes of the file.
    pub sha256: [u8; 32],
}

/// A table's name and columns as the file holds them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableHead {
    /// Its name.
    pub name: String,
    /// Name and type (`int`, `text`, `bytes`) of each column.
    pub columns: Vec<(String, String)>,
}

impl TableHead {
    /// A table's head.
    pub fn of(table: &Table) -> Self {
        let columns = table.columns.iter().map(|(name, kind)| (name.clone(), word(*kind).to_owned())).collect();
        Self { name: table.name.clone(), columns }
    }

    /// The same table of a database with the file's order of columns; `None` unless both have the
    /// same columns of the same types.
    pub fn in_order_of(&self, table: &Table) -> Option<Table> {
        let find = |(name, kind): &(String, String)| {
            table.columns.iter().find(|(own, of)| own == name && word(*of) == kind).cloned()
        };
        let columns: Vec<(String, ColumnType)> = self.columns.iter().map(find).collect::<Option<_>>()?;
        (columns.len() == table.columns.len()).then(|| Table { columns, ..table.clone() })
    }
}

fn word(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Int => "int",
        ColumnType::Text => "text",
        ColumnType::Bytes => "bytes",
    }
}

/// Writes a backup file.
pub struct FileWriter<W: Write> {
    to: W,
    sha256: Sha256,
    rows: Vec<u8>,
    rows_of_table: u64,
    rows_of_all: u64,
}

impl<W: Write> FileWriter<W> {
    /// Begins a file.
    ///
    /// # Errors
    ///
    /// [`TransferError::File`].
    pub fn begin(to: W, header: &Header) -> Result<Self, TransferError> {
        let (sha256, rows) = (Sha256::new(), Vec::with_capacity(FRAME));
        let mut writer = Self { to, sha256, rows, rows_of_table: 0, rows_of_all: 0 };
        writer.put(MAGIC)?;
        let json = serde_json::to_vec(header).map_err(|_| TransferError::Malformed("header"))?;
        writer.frame(b'H', &json)?;
        Ok(writer)
    }

    /// Begins a table.
    ///
    /// # Errors
    ///
    /// [`TransferError::File`].
    pub fn table(&mut self, head: &TableHead) -> Result<(), TransferError> {
        let json = serde_json::to_vec(head).map_err(|_| TransferError::Malformed("table"))?;
        self.rows_of_table = 0;
        self.frame(b'T', &json)
    }

    /// Adds a row to the table at hand.
    ///
    /// # Errors
    ///
    /// [`TransferError`]; a row that is too long for a frame is refused.
    pub fn row(&mut self, cells: &[Cell]) -> Result<(), TransferError> {
        for cell in cells {
            match cell {
                Cell::Null => self.rows.push(0),
                Cell::Int(value) => {
                    self.rows.push(1);
                    self.rows.extend_from_slice(&value.to_be_bytes());
                }
                Cell::Text(text) => push_bytes(&mut self.rows, 2, text.as_bytes())?,
                Cell::Bytes(bytes) => push_bytes(&mut self.rows, 3, bytes)?,
            }
        }
        self.rows_of_table += 1;
        if self.rows.len() >= FRAME { self.flush_rows() } else { Ok(()) }
    }

    /// Ends the table at hand.
    ///
    /// # Errors
    ///
    /// [`TransferError::File`].
    pub fn end_table(&mut self) -> Result<(), TransferError> {
        self.flush_rows()?;
        self.rows_of_all += self.rows_of_table;
        let rows = self.rows_of_table;
        self.frame(b'E', &rows.to_be_bytes())
    }

    /// Ends the file with the hash of all of it; gives the number of rows, the hash and what was written to.
    ///
    /// # Errors
    ///
    /// [`TransferError::File`].
    pub fn end(mut self) -> Result<(Ended, W), TransferError> {
        let rows = self.rows_of_all;
        self.frame(b'Z', &rows.to_be_bytes())?;
        let sha256: [u8; 32] = self.sha256.finalize().into();
        self.to.write_all(&sha256)?;
        self.to.flush()?;
        Ok((Ended { rows, sha256 }, self.to))
    }

    fn flush_rows(&mut self) -> Result<(), TransferError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.rows);
        self.frame(b'R', &rows)?;
        self.rows = rows;
        self.rows.clear();
        Ok(())
    }

    fn frame(&mut self, kind: u8, payload: &[u8]) -> Result<(), TransferError> {
        if payload.len() > MOST_FRAME {
            return Err(TransferError::Malformed("a row is longer than a frame"));
        }
        let length = u32::try_from(payload.len()).map_err(|_| TransferError::Malformed("a frame is too long"))?;
        self.put(&[kind])?;
        self.put(&length.to_be_bytes())?;
        self.put(payload)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), TransferError> {
        self.sha256.update(bytes);
        Ok(self.to.write_all(bytes)?)
    }
}

fn push_bytes(to: &mut Vec<u8>, kind: u8, bytes: &[u8]) -> Result<(), TransferError> {
    let length = u32::try_from(bytes.len()).map_err(|_| TransferError::Malformed("a value is too long"))?;
    to.push(kind);
    to.extend_from_slice(&length.to_be_bytes());
    to.extend_from_slice(bytes);
    Ok(())
}

/// Reads a backup file. What comes before [`Frame::End`] is not yet known to be whole.
pub struct FileReader<R: Read> {
    from: R,
    sha256: Sha256,
    header: Header,
    /// The table at hand: how many columns, and the rows so far.
    table: Option<(usize, u64)>,
    rows: u64,
}

impl<R: Read> FileReader<R> {
    /// Begins to read.
    ///
    /// # Errors
    ///
    /// [`TransferError`] when the file does not begin like a backup.
    pub fn begin(mut from: R) -> Result<Self, TransferError> {
        let mut magic = [0; MAGIC.len()];
        from.read_exact(&mut magic).map_err(|_| TransferError::NotABackup)?;
        if magic != *MAGIC {
            return Err(TransferError::NotABackup);
        }
        let mut sha256 = Sha256::new();
        sha256.update(magic);
        let (kind, payload) = read_frame(&mut from, &mut sha256)?;
        let header = (kind == b'H').then(|| serde_json::from_slice(&payload).ok()).flatten();
        let header = header.ok_or(TransferError::Malformed("header"))?;
        Ok(Self { from, sha256, header, table: None, rows: 0 })
    }

    /// What the file was made from.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The next frame.
    ///
    /// # Errors
    ///
    /// [`TransferError`]; nothing after one can be believed.
    pub fn next_frame(&mut self) -> Result<Frame, TransferError> {
        let malformed = TransferError::Malformed;
        let (kind, payload) = read_frame(&mut self.from, &mut self.sha256)?;
        match (kind, self.table) {
            (b'T', None) => {
                let head: TableHead = serde_json::from_slice(&payload).map_err(|_| malformed("table"))?;
                if head.columns.is_empty() {
                    return Err(malformed("a table without columns"));
                }
                self.table = Some((head.columns.len(), 0));
                Ok(Frame::Table(head))
            }
            (b'R', Some((columns, seen))) => {
                let rows = read_rows(&payload, columns).ok_or(malformed("rows"))?;
                self.table = Some((columns, seen + rows.len() as u64));
                Ok(Frame::Rows(rows))
            }
            (b'E', Some((_, seen))) if payload == seen.to_be_bytes() => {
                self.rows += seen;
                self.table = None;
                Ok(Frame::EndOfTable)
            }
            (b'Z', None) if payload == self.rows.to_be_bytes() => {
                let sha256: [u8; 32] = self.sha256.clone().finalize().into();
                let mut written = [0; 32];
                self.from.read_exact(&mut written)?;
                if written != sha256 {
                    return Err(TransferError::Altered);
                }
                if self.from.read(&mut [0])? != 0 {
                    return Err(malformed("something after the end"));
                }
                Ok(Frame::End(Ended { rows: self.rows, sha256 }))
            }
            _ => Err(malformed("a frame in the wrong place, or a count of rows that does not agree")),
        }
    }
}

fn read_frame(from: &mut impl Read, sha256: &mut Sha256) -> Result<(u8, Vec<u8>), TransferError> {
    let mut head = [0; 5];
    from.read_exact(&mut head)?;
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
    if length > MOST_FRAME {
        return Err(TransferError::Malformed("a frame is too long"));
    }
    let mut payload = Vec::new();
    // Grows as bytes arrive: a forged length takes no memory.
    from.take(length as u64).read_to_end(&mut payload)?;
    if payload.len() != length {
        return Err(TransferError::CutOff);
    }
    sha256.update(head);
    sha256.update(&payload);
    Ok((head[0], payload))
}

fn read_rows(mut bytes: &[u8], columns: usize) -> Option<Vec<Vec<Cell>>> {
    let mut rows = Vec::new();
    while !bytes.is_empty() {
        let mut row = Vec::with_capacity(columns);
        for _ in 0..columns {
            row.push(read_cell(&mut bytes)?);
        }
        rows.push(row);
    }
    Some(rows)
}

fn read_cell(bytes: &mut &[u8]) -> Option<Cell> {
    let (kind, rest) = bytes.split_first()?;
    let (cell, rest) = match kind {
        0 => (Cell::Null, rest),
        1 => {
            let (value, rest) = rest.split_first_chunk::<8>()?;
            (Cell::Int(i64::from_be_bytes(*value)), rest)
        }
        2 | 3 => {
            let (length, rest) = rest.split_first_chunk::<4>()?;
            let (value, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
            let value = value.to_vec();
            (if *kind == 2 { Cell::Text(String::from_utf8(value).ok()?) } else { Cell::Bytes(value) }, rest)
        }
        _ => return None,
    };
    *bytes = rest;
    Some(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            schema_version: 5,
            engine: "sqlite".to_owned(),
            made_at: Timestamp::from_micros(1),
            log_origin: "gw.example/2026".to_owned(),
            log_size: 0,
            log_pending: 0,
            checkpoint: None,
            tables: vec!["t".to_owned()],
        }
    }

    fn rows() -> Vec<Vec<Cell>> {
        vec![
            vec![Cell::Int(i64::MIN), Cell::Text("\u{e9}\n".to_owned()), Cell::Bytes(vec![0, 255])],
            vec![Cell::Null, Cell::Null, Cell::Bytes(Vec::new())],
            vec![Cell::Int(7), Cell::Text(String::new()), Cell::Bytes(vec![9; FRAME + 1])],
            vec![Cell::Int(8), Cell::Null, Cell::Null],
        ]
    }

    fn file() -> Vec<u8> {
        let columns = [("a", "int"), ("b", "text"), ("c", "bytes")].map(|(n, k)| (n.to_owned(), k.to_owned()));
        let head = TableHead { name: "t".to_owned(), columns: columns.to_vec() };
        let mut writer = FileWriter::begin(Vec::new(), &header()).expect("memory");
        writer.table(&head).expect("memory");
        for row in rows() {
            writer.row(&row).expect("memory");
        }
        writer.end_table().expect("memory");
        let (ended, bytes) = writer.end().expect("memory");
        assert_eq!(ended.rows, 4);
        assert_eq!(bytes[bytes.len() - 32..], ended.sha256);
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Vec<Vec<Cell>>, TransferError> {
        let mut reader = FileReader::begin(bytes)?;
        let mut rows = Vec::new();
        loop {
            match reader.next_frame()? {
                Frame::Rows(more) => rows.extend(more),
                Frame::End(_) => return Ok(rows),
                Frame::Table(_) | Frame::EndOfTable => {}
            }
        }
    }

    #[test]
    fn what_was_written_is_read_and_the_same_rows_are_the_same_bytes() {
        let bytes = file();
        assert_eq!(read(&bytes), Ok(rows()));
        assert_eq!(FileReader::begin(&bytes[..]).expect("begins").header(), &header());
        assert_eq!(bytes, file());
    }

    #[test]
    fn a_flipped_bit_a_missing_end_and_a_longer_file_are_refused() {
        let bytes = file();
        for place in (0..bytes.len()).step_by(97).chain([bytes.len() - 1]) {
            let mut altered = bytes.clone();
            altered[place] ^= 4;
            assert!(read(&altered).is_err(), "byte {place}");
        }
        for length in (0..bytes.len()).step_by(101).chain([bytes.len() - 1]) {
            assert!(read(&bytes[..length]).is_err(), "cut off at {length}");
        }
        assert!(read(&[&bytes[..], b"x"].concat()).is_err());
        assert_eq!(read(b"-- PostgreSQL database dump\n\n\n"), Err(TransferError::NotABackup));
    }
}
