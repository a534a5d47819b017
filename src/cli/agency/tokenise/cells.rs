//! The cells of one row: decoded, and without what a spreadsheet puts around a value.

use csv::ByteRecord;

use crate::cli::agency::mapping::{Encoding, clean};

/// One row's cells, in buffers that the next row uses again.
#[derive(Default)]
pub(in crate::cli::agency) struct Cells {
    text: String,
    places: Vec<Result<(usize, usize), &'static str>>,
}

impl Cells {
    /// Takes a row in place of the one before.
    pub(in crate::cli::agency) fn read(&mut self, record: &ByteRecord, encoding: Encoding) {
        self.text.clear();
        self.places.clear();
        for bytes in record {
            let start = self.text.len();
            let place = encoding.decode(bytes, &mut self.text).map(|()| {
                let whole = &self.text[start..];
                let value = clean(whole);
                let start = start + (value.as_ptr() as usize - whole.as_ptr() as usize);
                (start, start + value.len())
            });
            self.places.push(place);
        }
    }

    /// The value of a cell, or the code of why its bytes are no text.
    pub(in crate::cli::agency) fn get(&self, column: usize) -> Result<&str, &'static str> {
        match self.places.get(column) {
            Some(Ok((start, end))) => Ok(&self.text[*start..*end]),
            Some(Err(code)) => Err(code),
            None => Ok(""),
        }
    }

    /// Whether the row has a cell for every heading, and beyond them only empty ones.
    pub(in crate::cli::agency) fn fits(&self, width: usize) -> bool {
        self.places.len() >= width && (width..self.places.len()).all(|column| self.get(column) == Ok(""))
    }

    /// Whether every cell is empty.
    pub(in crate::cli::agency) fn is_blank(&self) -> bool {
        (0..self.places.len()).all(|column| self.get(column) == Ok(""))
    }

    pub(in crate::cli::agency) fn iter(&self) -> impl Iterator<Item = Result<&str, &'static str>> {
        (0..self.places.len()).map(|column| self.get(column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(encoding: Encoding, cells: &[&[u8]]) -> Cells {
        let mut read = Cells::default();
        read.read(&ByteRecord::from(vec![&b"from the row before"[..]]), Encoding::Utf8);
        read.read(&ByteRecord::from(cells.to_vec()), encoding);
        read
    }

    #[test]
    fn every_cell_stands_for_itself() {
        let row = cells(Encoding::Utf8, &[b" '007 ", "\u{a0}José\u{a0}".as_bytes(), b"Jos\xe9", b"", b"end"]);
        let values: Vec<_> = row.iter().collect();
        assert_eq!(values, [Ok("007"), Ok("José"), Err("cell.not_utf8"), Ok(""), Ok("end")]);
        let row = cells(Encoding::Windows1252, &[b"\xa0Jos\xe9\xa0", b"x"]);
        assert_eq!(row.iter().collect::<Vec<_>>(), [Ok("José"), Ok("x")]);
    }

    #[test]
    fn empty_cells_after_the_last_heading_do_not_matter_and_others_do() {
        let row = cells(Encoding::Utf8, &[b"a", b"b", b" ", b""]);
        assert!(row.fits(2) && row.fits(4) && !row.fits(5) && !row.fits(1) && !row.is_blank());
        assert!(cells(Encoding::Utf8, &[b"", b"\xc2\xa0"]).is_blank());
    }
}
