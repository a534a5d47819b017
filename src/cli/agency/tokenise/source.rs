//! The agency's file: how it is written, its headings, and its rows as often as they are needed.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::cells::Cells;
use super::pipeline::{PipelineError, read_error};
use super::quotes::Quotes;
use crate::cli::agency::mapping::{Delimiter, Encoding, FileForm, IS_UTF8, NOT_UTF8, is_same};
use crate::cli::output::Failure;

/// Rows of the agency's file.
pub(in crate::cli::agency) type Rows = csv::Reader<Quotes<File>>;

/// How much of a file is looked at to find out how it is written.
const SAMPLE_BYTES: u64 = 1 << 16;

/// How a file is written, as the mapping declares or as it was found.
#[derive(Debug, Clone, Copy, Serialize)]
pub(in crate::cli::agency) struct InputForm {
    pub(in crate::cli::agency) delimiter: Delimiter,
    /// Whether the delimiter was found rather than declared.
    pub(in crate::cli::agency) delimiter_detected: bool,
    pub(in crate::cli::agency) encoding: Encoding,
}

impl InputForm {
    /// What parts the cells, where that was found, and is not what everybody expects.
    pub(in crate::cli::agency) fn said(&self) -> Option<String> {
        (self.delimiter_detected && self.delimiter != Delimiter::Comma).then(|| {
            let word = self.delimiter.as_str();
            format!("the cells are parted by a {word}, as was found; `delimiter = \"{word}\"` under [file] declares it")
        })
    }
}

/// The agency's file, which is read more than once.
pub(in crate::cli::agency) struct Source {
    file: File,
    length: u64,
    /// Where the row of headings begins.
    start: u64,
    pub(in crate::cli::agency) headings: Vec<String>,
    pub(in crate::cli::agency) form: InputForm,
}

impl Source {
    /// Opens a file. Without a declared delimiter it is the one that finds the most of `columns`
    /// among the headings, and of equal ones the one that gives the most cells.
    pub(in crate::cli::agency) fn open(path: &Path, declared: FileForm, columns: &[&str]) -> Result<Self, Failure> {
        let unreadable = |error: std::io::Error| Failure::failed(format!("{}: {error}", path.display()));
        let mut file = File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(Failure::failed(format!("{}: not a plain file; it is read twice", path.display())));
        }
        let mut sample = Vec::new();
        (&mut file).take(SAMPLE_BYTES).read_to_end(&mut sample).map_err(unreadable)?;
        refuse_other_kinds(&sample)?;
        let mut start = 0;
        if sample.starts_with(b"\xef\xbb\xbf") {
            if declared.encoding == Encoding::Windows1252 {
                return Err(is_utf8());
            }
            start = 3;
        }
        let mut delimiter = declared.delimiter;
        // A first line that only Excel reads, and does not count.
        if let Some((length, named)) = separator_line(&sample[start..]) {
            start += length;
            delimiter = delimiter.or(named);
        }
        let form = InputForm {
            delimiter: delimiter.unwrap_or_else(|| detect(&sample[start..], columns)),
            delimiter_detected: delimiter.is_none(),
            encoding: declared.encoding,
        };
        let source = Self { file, length: metadata.len(), start: start as u64, headings: Vec::new(), form };
        let mut record = ByteRecord::new();
        let mut rows = source.rows()?;
        let header = rows.byte_headers().map_err(|error| Failure::failed(read_error(error, 1)))?;
        record.clone_from(header);
        let mut cells = Cells::default();
        cells.read(&record, form.encoding);
        let heading = |cell: Result<&str, &'static str>| match cell {
            Ok(text) => Ok(text.split_whitespace().collect::<Vec<_>>().join(" ")),
            Err(IS_UTF8) => Err(is_utf8()),
            Err(NOT_UTF8) => Err(Failure::failed("input.not_utf8: the row of headings is not UTF-8 text").next(
                "save the sheet as \"CSV UTF-8\", or write `encoding = \"windows-1252\"` under [file] of the mapping",
            )),
            Err(_) => Err(Failure::failed("input.not_windows_1252: the row of headings is not Windows-1252 text")),
        };
        let mut headings = cells.iter().map(heading).collect::<Result<Vec<String>, Failure>>()?;
        while headings.len() > 1 && headings.last().is_some_and(String::is_empty) {
            headings.pop(); // empty cells after the last heading
        }
        if headings.iter().all(String::is_empty) {
            return Err(Failure::failed("input.empty: the file is empty, or its first row is"));
        }
        Ok(Self { headings, ..source })
    }

    /// The file from its beginning; the header row is not among the rows.
    pub(in crate::cli::agency) fn rows(&self) -> Result<Rows, Failure> {
        let unreadable = |error: std::io::Error| Failure::failed(PipelineError::Read(error.kind()));
        let mut file = self.file.try_clone().map_err(unreadable)?;
        file.seek(SeekFrom::Start(self.start)).map_err(unreadable)?;
        let delimiter = self.form.delimiter.byte();
        let mut builder = ReaderBuilder::new();
        builder.flexible(true).buffer_capacity(1 << 18).delimiter(delimiter);
        Ok(builder.from_reader(Quotes::new(file, delimiter)))
    }

    /// A bar on standard error; nothing when that is no terminal.
    pub(super) fn progress(&self, what: &'static str) -> ProgressBar {
        let bar = ProgressBar::new(self.length);
        if let Ok(style) = ProgressStyle::with_template("{msg:20} {wide_bar} {bytes}/{total_bytes} {eta}") {
            bar.set_style(style);
        }
        bar.with_message(what)
    }
}

fn is_utf8() -> Failure {
    Failure::failed("input.is_utf8: the mapping declares Windows-1252, but the file is UTF-8")
        .next("write `encoding = \"utf-8\"` under [file] of the mapping")
}

/// Refuses what is no text of single bytes: UTF-16, with its mark or without, and workbooks.
fn refuse_other_kinds(sample: &[u8]) -> Result<(), Failure> {
    if sample.starts_with(b"PK\x03\x04") || sample.starts_with(&[0xd0, 0xcf, 0x11, 0xe0]) {
        return Err(Failure::failed("input.workbook: the file is a workbook or an archive, not CSV")
            .next("open it in the spreadsheet program and save the sheet as \"CSV UTF-8\""));
    }
    let has_mark = sample.starts_with(&[0xff, 0xfe]) || sample.starts_with(&[0xfe, 0xff]);
    if has_mark || sample.contains(&0) {
        return Err(Failure::failed("input.utf16: the file is UTF-16 (\"Unicode text\"), or no text at all")
            .next("save the sheet as \"CSV UTF-8\""));
    }
    Ok(())
}

/// `sep=;` and its line end: how long it is, and what it names.
fn separator_line(text: &[u8]) -> Option<(usize, Option<Delimiter>)> {
    let [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', named, rest @ ..] = text else { return None };
    let end = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    (end > 0).then(|| (5 + end, Delimiter::ALL.into_iter().find(|delimiter| delimiter.byte() == *named)))
}

fn detect(sample: &[u8], columns: &[&str]) -> Delimiter {
    let score = |delimiter: Delimiter| {
        let mut builder = ReaderBuilder::new();
        builder.flexible(true).delimiter(delimiter.byte());
        let mut reader = builder.from_reader(sample);
        let Ok(header) = reader.byte_headers() else { return (0, 0) };
        let is_column =
            |cell: &&[u8]| columns.iter().any(|column| is_same(String::from_utf8_lossy(cell).trim(), column));
        (header.iter().filter(is_column).count(), header.len())
    };
    let mut best = (Delimiter::Comma, score(Delimiter::Comma));
    for delimiter in Delimiter::ALL {
        let score = score(delimiter);
        if score > best.1 {
            best = (delimiter, score);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_is_the_one_that_finds_the_headings() {
        for (text, columns, found) in [
            ("ID,Born\n1,2", &["ID", "Born"][..], Delimiter::Comma),
            ("ID;Born;Notes, a, b, c, d\n", &["ID", "Born"], Delimiter::Semicolon),
            ("ID\tBorn\n", &["Born"], Delimiter::Tab),
            ("ID|Born\n", &[], Delimiter::Pipe),
            ("\"A;B;C;D\",Born\n", &["Born"], Delimiter::Comma),
            ("ID\n", &["ID"], Delimiter::Comma),
        ] {
            assert_eq!(detect(text.as_bytes(), columns), found, "{text}");
        }
    }

    #[test]
    fn the_line_for_excel_alone_is_told_from_a_heading() {
        assert_eq!(separator_line(b"sep=;\r\nID;Born"), Some((7, Some(Delimiter::Semicolon))));
        assert_eq!(separator_line(b"SEP=,\nID"), Some((6, Some(Delimiter::Comma))));
        assert_eq!(separator_line(b"sep=^\nID"), Some((6, None)));
        assert_eq!(separator_line(b"sep=d,ID\n"), None);
        assert_eq!(separator_line(b"Separated,ID\n"), None);
    }
}
