//! `porth tokenise`: a spreadsheet of people becomes a file of tokens, on the agency's own machine.

mod batch_file;
mod cells;
mod fuzzy;
mod guess;
mod households;
mod interrupt;
mod minter;
mod pipeline;
mod preview;
mod quotes;
mod report;
mod row;
mod self_test;
mod source;

use std::collections::HashSet;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use clap::Args;
use jiff::civil::Date;
use serde_json::json;

use self::batch_file::BatchFile;
use self::fuzzy::Fuzzy;
use self::households::AddressCounts;
use self::minter::{AddressTag, add_field_checks};
use self::pipeline::{Chunk, PipelineError};
use self::preview::Preview;
use self::report::{FieldCounts, Report};
use self::row::{Refusal, Written};
use super::key_file::AgencyKeyFile;
use super::mapping::{Mapping, MappingFault};
use crate::cli::output::{Failure, Output};
use crate::domain::agreement::{AgreementText, Profile};
use crate::domain::match_keys::MatchKeys;
use crate::domain::programme::Programme;
use crate::domain::submission::{DUPLICATE_REF, Header, SCHEME};

pub(super) use self::cells::Cells;
pub(super) use self::households::LargeAddresses;
pub use self::households::MOST_ROWS_OF_ONE_ADDRESS;
pub use self::minter::Minter;
pub(super) use self::minter::{epoch_keys, has_person_type};
pub(super) use self::row::{RowWriter, Task, reference_of};
pub(super) use self::source::Source;

/// Arguments of `porth tokenise`.
#[derive(Debug, Args)]
pub struct TokeniseArgs {
    /// The CSV file of people, with a row of headings
    #[arg(required_unless_present_any = ["self_test", "guess"])]
    input: Option<PathBuf>,
    /// The mapping file: which column is what
    #[arg(long, short, required_unless_present_any = ["self_test", "guess"])]
    mapping: Option<PathBuf>,
    /// The agency's key file; twice while the linkage key is being changed, with an epoch in each
    #[arg(long, short, required_unless_present_any = ["self_test", "guess"])]
    keys: Vec<PathBuf>,
    /// Where the batch goes; `-` for standard output
    #[arg(long, short, required_unless_present_any = ["self_test", "dry_run", "guess"])]
    output: Option<PathBuf>,
    /// The programme's match-keys file, if not the one shipped with this program
    #[arg(long)]
    match_keys: Option<PathBuf>,
    /// The agreement's text: where a supply term of this agency in it has privacy profile B, tokens
    /// of the weighed fields are made as well; where it has profile C, fuzzy encodings
    #[arg(long, value_name = "FILE")]
    agreement: Option<PathBuf>,
    /// The encoding profile of fuzzy encodings, if not the one shipped with this program
    #[arg(long, value_name = "FILE", requires = "agreement")]
    clk_profile: Option<PathBuf>,
    /// The programme file, to check criteria, localities and the feed before sending
    #[arg(long)]
    programme: Option<PathBuf>,
    /// The day that the file describes, such as 2026-09-20; overrides the mapping
    #[arg(long, value_parser = crate::cli::typed::day)]
    as_at: Option<Date>,
    /// Show what would leave for the first rows, and write nothing
    #[arg(long, value_name = "ROWS", num_args = 0..=1, default_missing_value = "5", conflicts_with = "output")]
    dry_run: Option<usize>,
    /// How many threads work; all cores by default
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// Propose a mapping for this file of people from its headings and from counts over
    /// its cells, and make no tokens; --keys gives programme and agency
    #[arg(long, value_name = "FILE", conflicts_with_all = ["input", "mapping", "output", "dry_run", "self_test"])]
    guess: Option<PathBuf>,
    /// A new file for the proposed mapping, if not standard output
    #[arg(long, value_name = "FILE", requires = "guess")]
    out: Option<PathBuf>,
    /// Run the published known answers, and nothing else
    #[arg(long)]
    self_test: bool,
}

/// Runs `porth tokenise`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next.
pub fn run(args: TokeniseArgs, output: &Output) -> Result<(), Failure> {
    // A build that normalises otherwise than all others would match nobody: checked at every run.
    let counts = self_test::run().map_err(|failure| Failure::faulty(format!("self-test: {failure}")))?;
    if args.self_test {
        let text = format!("{} normalisation answers and {} token answers hold", counts.identity, counts.tokens);
        output.result(text, &json!({ "identity": counts.identity, "tokens": counts.tokens }));
        return Ok(());
    }
    if let Some(path) = &args.guess {
        return guess::run(path, &args, output);
    }
    let (Some(input), Some(mapping)) = (&args.input, &args.mapping) else {
        return Err(Failure::failed("an input file, `--mapping` and `--keys` are needed"));
    };
    let mapping = read_mapping(mapping)?;
    if let Some(path) = &args.programme {
        let programme = Programme::parse(&read_file(path)?);
        let programme = programme.map_err(|faults| Failure::unusable(format!("{}: {faults}", path.display())))?;
        mapping.check_programme(&programme).map_err(|fault| refused_mapping(&fault))?;
    }
    let match_keys = read_match_keys(args.match_keys.as_deref())?;
    let key_file = read_keys(&args.keys, &mapping)?;
    let type_keys = key_file.type_keys(&match_keys).map_err(Failure::unusable)?;
    let field_keys = match &args.agreement {
        Some(path) if supplies_fields(path, &mapping)? => key_file.field_type_keys(&match_keys),
        _ => Vec::new(),
    };
    let fuzzy = Fuzzy::read(args.agreement.as_deref(), args.clk_profile.as_deref(), &mapping, &match_keys, &key_file)?;
    if fuzzy.is_some() {
        output.note(format_args!("note: {}", fuzzy::WEAKEST));
    }
    let as_at = args.as_at.or(mapping.as_at).ok_or_else(|| {
        Failure::failed("as_at.missing: neither the mapping nor `--as-at` says which day the file describes")
    })?;

    let source = Source::open(input, mapping.file, &mapping.columns())?;
    if let Some(said) = source.form.said() {
        output.note(format_args!("note: {said}"));
    }
    let plan = mapping.bind(&source.headings, &match_keys).map_err(|fault| refused_mapping(&fault))?;
    let has_field = |field| plan.fields.iter().any(|bound| bound.field == field);
    let mut epochs = epoch_keys(&match_keys, &type_keys, has_field);
    if epochs.iter().any(|epoch| !has_person_type(&match_keys, epoch.key_checks.keys())) {
        return Err(Failure::unusable(
            "mapping.no_keys: the mapped columns complete no match key for which there is a key",
        )
        .next("map more columns, or ask your key custodian for more types"));
    }
    add_field_checks(&mut epochs, &match_keys, &field_keys, has_field);
    let header = Header {
        programme: mapping.programme.clone(),
        agency: mapping.agency.clone(),
        feed: mapping.feed.clone(),
        agreement: mapping.agreement.clone(),
        mode: mapping.batch.mode,
        rows: mapping.rows,
        as_at,
        scheme: SCHEME.to_owned(),
        norm: match_keys.norm(),
        match_keys: super::key_file::hex(match_keys.sha256()),
        epochs,
    };

    let threads = args.threads.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from);
    let stop = interrupt::watch();
    let no_addresses = LargeAddresses::default();
    let task = Task {
        mapping: &mapping,
        plan: &plan,
        match_keys: &match_keys,
        key_file: &key_file,
        type_keys: &type_keys,
        field_keys: &field_keys,
        as_at,
        encoding: source.form.encoding,
        fuzzy: fuzzy.as_ref(),
        large: &no_addresses,
    };
    let large = if plan.fields.iter().any(|bound| bound.is_place) {
        count_addresses(&source, &task, threads, &stop)?
    } else {
        LargeAddresses::default()
    };
    let task = Task { large: &large, ..task };

    let mut report = Report::new(source.form, large.len());
    let job = Job { source: &source, task: &task, threads, stop: &stop, header: &header };
    match (args.dry_run, args.output.as_deref()) {
        (Some(rows), _) => {
            let mut preview = Preview::new(rows);
            job.write(&mut preview, &mut report)?;
            preview.print(&task, &header, &report, output);
        }
        (None, Some(path)) if path != Path::new("-") => {
            let unwritable = |error: std::io::Error| Failure::failed(format!("{}: {error}", path.display()));
            let mut file = BatchFile::create(path).map_err(unwritable)?;
            job.write(&mut file, &mut report)?;
            if report.records > 0 {
                file.finish().map_err(unwritable)?;
            }
            output.result(&report, &report);
        }
        _ => {
            job.write(&mut std::io::BufWriter::new(std::io::stdout().lock()), &mut report)?;
            // Standard output holds the batch: the report goes beside it.
            if output.is_json() {
                output.note(serde_json::to_string(&report).unwrap_or_default());
            } else {
                output.note(&report);
            }
        }
    }
    if report.records == 0 {
        return Err(
            Failure::failed("batch.empty: no row can be used").next("the report above says why each row was refused")
        );
    }
    Ok(())
}

/// What became of a row: where its line stands, or why there is none.
type Outcome = Result<(Range<usize>, Written), Refusal>;

/// What a worker made of a chunk.
#[derive(Default)]
struct Lines {
    text: Vec<u8>,
    rows: Vec<(u64, Outcome)>,
    fields: FieldCounts,
}

struct Job<'a> {
    source: &'a Source,
    task: &'a Task<'a>,
    threads: usize,
    stop: &'a AtomicBool,
    header: &'a Header,
}

impl Job<'_> {
    /// Writes header, records and end line.
    fn write(&self, out: &mut impl Write, report: &mut Report) -> Result<(), Failure> {
        let task = self.task;
        let failed = |error: std::io::Error| Failure::failed(PipelineError::Write(error.kind()));
        let header = serde_json::to_string(self.header).map_err(|_| Failure::failed("the header cannot be written"))?;
        writeln!(out, "{header}").map_err(failed)?;
        let progress = self.source.progress("tokenising");
        let mut seen: HashSet<[u8; 16]> = HashSet::new();
        let work = |writer: &mut RowWriter<'_>, chunk: &mut Chunk<Lines>| {
            let (rows, lines) = chunk.split();
            lines.text.clear();
            lines.rows.clear();
            for (row, record) in rows {
                let start = lines.text.len();
                let written = writer.write(record, &mut lines.text);
                lines.fields.add(writer);
                lines.rows.push((row, written.map(|written| (start..lines.text.len(), written))));
            }
        };
        let consume = |chunk: &mut Chunk<Lines>| {
            progress.set_position(chunk.bytes_read);
            let Lines { text, rows, fields } = &mut chunk.made;
            report.add_fields(fields);
            for (row, written) in rows.drain(..) {
                match written {
                    Err(refusal) => report.refuse(row, refusal),
                    Ok((_, written)) if !seen.insert(written.reference) => {
                        report.refuse(row, Refusal::new("record key", DUPLICATE_REF));
                    }
                    Ok((range, written)) => {
                        report.accept(&written);
                        out.write_all(&text[range]).map_err(|error| PipelineError::Write(error.kind()))?;
                    }
                }
            }
            Ok(())
        };
        let worker = || RowWriter::new(task);
        pipeline::run(self.source.rows()?, self.threads, self.stop, worker, work, consume).map_err(Failure::failed)?;
        progress.finish_and_clear();
        writeln!(out, "{{\"end\":{}}}", report.records).and_then(|()| out.flush()).map_err(failed)?;
        let is_mapped = |field| task.plan.fields.iter().any(|bound| bound.field == field);
        report.finish(task.match_keys, is_mapped);
        Ok(())
    }
}

fn count_addresses(
    source: &Source,
    task: &Task<'_>,
    threads: usize,
    stop: &AtomicBool,
) -> Result<LargeAddresses, Failure> {
    let progress = source.progress("counting addresses");
    let mut counts = AddressCounts::default();
    let work = |writer: &mut RowWriter<'_>, chunk: &mut Chunk<Vec<AddressTag>>| {
        let (rows, tags) = chunk.split();
        for (_, record) in rows {
            tags.extend(writer.addresses(record));
        }
    };
    let consume = |chunk: &mut Chunk<Vec<AddressTag>>| {
        progress.set_position(chunk.bytes_read);
        chunk.made.drain(..).for_each(|tag| counts.add(tag));
        Ok(())
    };
    pipeline::run(source.rows()?, threads, stop, || RowWriter::new(task), work, consume).map_err(Failure::failed)?;
    progress.finish_and_clear();
    Ok(counts.into_large())
}

/// Runs the published known answers; how many came out right.
pub(super) fn golden_vectors() -> Result<usize, String> {
    self_test::run().map(|counts| counts.identity + counts.tokens)
}

pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::unusable(format!("{}: {error}", path.display())))
}

pub(super) fn read_mapping(path: &Path) -> Result<Mapping, Failure> {
    Mapping::parse(&read_file(path)?).map_err(|fault| refused_mapping(&fault))
}

pub(super) fn read_match_keys(path: Option<&Path>) -> Result<MatchKeys, Failure> {
    let text = match path {
        None => crate::identity::UK_MATCH_KEYS.to_owned(),
        Some(path) => String::from_utf8(read_file(path)?)
            .map_err(|_| Failure::unusable(format!("{}: not UTF-8 text", path.display())))?,
    };
    MatchKeys::parse(&text).map_err(Failure::unusable)
}

/// Whether a supply term of the mapping's agency in an agreement has the profile of field tokens.
fn supplies_fields(path: &Path, mapping: &Mapping) -> Result<bool, Failure> {
    let text = AgreementText::parse(&read_file(path)?);
    let text = text.map_err(|faults| Failure::unusable(format!("{}: {faults}", path.display())))?;
    if *text.reference() != mapping.agreement {
        let sentence =
            format!("agreement.other: {} is {}, the mapping names another", path.display(), text.reference());
        return Err(Failure::unusable(sentence));
    }
    Ok(text.has_profile(&mapping.agency, Profile::B))
}

/// Reads one key file, or two that hold an epoch each.
fn read_keys(paths: &[PathBuf], mapping: &Mapping) -> Result<AgencyKeyFile, Failure> {
    let keys = AgencyKeyFile::read_all(paths).map_err(Failure::unusable)?;
    if *keys.programme() != mapping.programme || *keys.agency() != mapping.agency {
        let sentence = "key_file.other: the key file is of another programme or agency than the mapping";
        return Err(Failure::unusable(sentence));
    }
    Ok(keys)
}

pub(super) fn refused_mapping(fault: &MappingFault) -> Failure {
    Failure::unusable(fault).next("docs/tokenise.md describes the mapping file")
}

/// One row of a file, for a command that needs no other.
pub(super) fn find_row(source: &Source, row: u64) -> Result<csv::ByteRecord, Failure> {
    let at = usize::try_from(row).ok().and_then(|row| row.checked_sub(2));
    let record = at.and_then(|at| source.rows().ok()?.into_byte_records().nth(at));
    record.and_then(Result::ok).ok_or_else(|| {
        Failure::failed(
            "row.missing: the file has no such row; rows are counted as a spreadsheet does, the header is 1",
        )
    })
}
