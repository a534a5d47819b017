//! Quotation marks, watched while the file is read.
//!
//! A mark that is opened and never closed makes a CSV reader take all following rows for one cell,
//! without a word. Rows would be lost uncounted, so such a file is refused with the row's number.

use std::io::{self, Read};

/// The longest row that is read: memory must not grow with a file that is no table.
const MOST_BYTES_A_ROW: usize = 4 << 20;

/// A reader that fails where quotation marks do not pair.
pub(in crate::cli::agency) struct Quotes<R> {
    inner: R,
    delimiter: u8,
    state: State,
    /// The row that is being read, by the number that a spreadsheet shows.
    row: u64,
    bytes_in_row: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first byte of a cell.
    Start,
    /// In a cell without quotation marks around it.
    Plain,
    Quoted,
    /// After a mark in a quoted cell: the cell's end, or the first of a doubled mark.
    Closing,
}

/// The row whose quotation marks do not pair, or that is too long.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("row {0}")]
pub(super) struct QuoteFault(pub(super) u64);

impl<R> Quotes<R> {
    pub(super) fn new(inner: R, delimiter: u8) -> Self {
        Self { inner, delimiter, state: State::Start, row: 1, bytes_in_row: 0 }
    }

    fn fault(&self) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, QuoteFault(self.row))
    }

    fn watch(&mut self, bytes: &[u8]) -> io::Result<()> {
        for &byte in bytes {
            let is_end = matches!(byte, b'\r' | b'\n') && self.state != State::Quoted;
            if is_end {
                // Empty lines are no rows.
                self.row += u64::from(self.bytes_in_row > 0);
                (self.bytes_in_row, self.state) = (0, State::Start);
                continue;
            }
            self.bytes_in_row += 1;
            if self.bytes_in_row > MOST_BYTES_A_ROW {
                return Err(self.fault());
            }
            self.state = match (self.state, byte) {
                (State::Quoted, b'"') => State::Closing,
                (State::Start | State::Closing, b'"') | (State::Quoted, _) => State::Quoted,
                (_, byte) if byte == self.delimiter => State::Start,
                (State::Closing, b' ') => State::Closing,
                (State::Closing, _) => return Err(self.fault()),
                (State::Start | State::Plain, _) => State::Plain,
            };
        }
        Ok(())
    }
}

impl<R: Read> Read for Quotes<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        if read == 0 && !buffer.is_empty() && self.state == State::Quoted {
            return Err(self.fault());
        }
        self.watch(&buffer[..read])?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(), u64> {
        // A byte at a time: nothing may depend on where a buffer ends.
        struct Bytes<'a>(&'a [u8]);
        impl Read for Bytes<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let (first, rest) = self.0.split_at(self.0.len().min(1));
                buffer[..first.len()].copy_from_slice(first);
                self.0 = rest;
                Ok(first.len())
            }
        }
        let mut text_read = String::new();
        Quotes::new(Bytes(text.as_bytes()), b',').read_to_string(&mut text_read).map(drop).map_err(|error| {
            error.get_ref().and_then(|fault| fault.downcast_ref::<QuoteFault>()).expect("a quote fault").0
        })
    }

    #[test]
    fn marks_that_pair_go_by_and_marks_that_do_not_name_their_row() {
        for good in [
            "a,b\r\n\"one\r\ntwo\",\"a \"\"b\"\"\"\r\n",
            "a,5\" pipe\n=\"001\",b\"c\n",
            "\"\",\"\"",
            "\"a\" ,b",
            "\"a\"\n\n\n\"b\"",
            "a, \"b",
        ] {
            assert_eq!(read(good), Ok(()), "{good}");
        }
        for (bad, row) in [
            ("a,b\nx,\"y\n1,2\n", 2),
            ("a,b\n\n\r\nx,\"said \"hello\" twice\"\n1,2\n", 2),
            ("a,b\r\n1,2\r\nx,\"y\r\n\"z\",1\r\n", 3),
            ("\"", 1),
        ] {
            assert_eq!(read(bad), Err(row), "{bad}");
        }
        assert_eq!(read(&"a".repeat(MOST_BYTES_A_ROW + 1)), Err(1));
    }
}
