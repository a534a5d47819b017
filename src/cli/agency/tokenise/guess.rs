//! `porth tokenise --guess`: a mapping proposed from a file's headings and from counts over its
//! cells. Headings are repeated, cells never.

mod facts;
mod proposal;
mod words;

use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::path::Path;

use csv::ByteRecord;
use serde_json::json;

use self::facts::Facts;
use self::proposal::Owner;
use super::cells::Cells;
use super::pipeline::read_error;
use super::{Source, TokeniseArgs, read_match_keys};
use crate::cli::agency::connection::now;
use crate::cli::agency::key_file::AgencyKeyFile;
use crate::cli::agency::mapping::{Encoding, FileForm, Mapping};
use crate::cli::output::{Failure, Output};
use crate::domain::match_keys::MatchKeys;

/// How many rows are looked at: enough for figures, and memory that does not grow with the file.
const MOST_ROWS: usize = 10_000;
/// How much of the file is looked at to find out whether it is UTF-8.
const ENCODING_BYTES: u64 = 1 << 20;

/// Proposes a mapping for the file.
pub(super) fn run(path: &Path, args: &TokeniseArgs, output: &Output) -> Result<(), Failure> {
    let match_keys = read_match_keys(args.match_keys.as_deref())?;
    let owner = owner(args)?;
    let source = Source::open(path, file_form(path)?, &[])?;
    let facts = look(&source, &match_keys, args)?;
    if !proposal::has_headings(&facts, &match_keys) {
        return Err(Failure::failed("guess.no_header: no cell of the first row names a field, or it holds a person")
            .next("put a row of headings first, such as `Forename`, `Date of birth`, `Postcode`"));
    }
    let Some(text) = proposal::write(&facts, &match_keys, source.form, &owner) else {
        return Err(Failure::failed("guess.nothing: no column can be taken for a field with any confidence")
            .next("write the mapping by hand; docs/tokenise.md describes it"));
    };
    // What this program proposes it must be able to read.
    Mapping::parse(text.as_bytes()).map_err(|fault| Failure::faulty(format!("guess.unreadable: {fault}")))?;
    match &args.out {
        Some(path) => {
            let file = OpenOptions::new().write(true).create_new(true).open(path);
            let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
            written.map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?;
            output.result(
                format!("{}: read every line before it is used", path.display()),
                &json!({ "mapping": path.display().to_string() }),
            );
        }
        None => output.result(text.trim_end(), &json!({ "mapping": text })),
    }
    Ok(())
}

/// Programme and agency of the key file, if one is named.
fn owner(args: &TokeniseArgs) -> Result<Owner, Failure> {
    let Some(path) = args.keys.first() else { return Ok(Owner { programme: None, agency: None }) };
    let keys = AgencyKeyFile::read(path).map_err(Failure::unusable)?;
    Ok(Owner { programme: Some(keys.programme().clone()), agency: Some(keys.agency().clone()) })
}

fn file_form(path: &Path) -> Result<FileForm, Failure> {
    let unreadable = |error: std::io::Error| Failure::failed(format!("{}: {error}", path.display()));
    let mut sample = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(ENCODING_BYTES).read_to_end(&mut sample).map_err(unreadable)?;
    // A letter that the sample cuts in two is no fault.
    let is_utf8 = std::str::from_utf8(&sample).map_or_else(|error| error.error_len().is_none(), |_| true);
    let encoding = if is_utf8 { Encoding::Utf8 } else { Encoding::Windows1252 };
    Ok(FileForm { delimiter: None, encoding })
}

fn look(source: &Source, match_keys: &MatchKeys, args: &TokeniseArgs) -> Result<Facts, Failure> {
    let today = args.as_at.unwrap_or_else(|| now().date());
    let mut facts = Facts::new(&source.headings, match_keys);
    let (mut rows, mut record, mut cells) = (source.rows()?, ByteRecord::new(), Cells::default());
    for row in 2..MOST_ROWS + 2 {
        let more = rows.read_byte_record(&mut record);
        if !more.map_err(|error| Failure::failed(read_error(error, row as u64)))? {
            break;
        }
        cells.read(&record, source.form.encoding);
        if cells.fits(source.headings.len()) && !cells.is_blank() {
            facts.add(&cells, match_keys, today);
        }
    }
    Ok(facts)
}
