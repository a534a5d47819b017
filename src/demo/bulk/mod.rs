//! `porth bench run`: persons out of the records of several agencies, from sorted column files.
//!
//! The matching is that of every enquiry and match run ([`linkage::joining`](crate::linkage::joining)); what is
//! measured here is how it grows with the records. Exporting, reading and joining are timed apart.
//!
//! | file | its noun |
//! |---|---|
//! | [`people`] | invented people as agencies hold them, and their forty keys |
//! | [`files`] | column files, written and read |
//! | [`arrival`] | a few records more |

mod arrival;
mod files;
mod people;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, value_parser};
use serde::Serialize;

use self::arrival::Arrival;
use self::files::{read_columns, write_columns};
use self::people::{KEYS, Society};
use crate::cli::output::{Failure, Output};
use crate::linkage::joining::persons;
use crate::linkage::rules::LinkRules;

/// At the top, six agencies of a million records each.
const MOST_SECONDS: f64 = 60.0;
const MOST_MIB: f64 = 4096.0;

/// Arguments of `porth bench run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// How many records each agency holds at the top of the curve; the other points are a tenth and three tenths
    #[arg(long, default_value_t = 20_000, value_parser = value_parser!(u32).range(1_000..=2_000_000))]
    records: u32,
    /// How many agencies there are
    #[arg(long, default_value_t = 6, value_parser = value_parser!(u32).range(2..=12))]
    agencies: u32,
    /// How many threads read and write
    #[arg(long, default_value_t = 2, value_parser = value_parser!(u32).range(1..=64))]
    threads: u32,
    /// Where the column files go meanwhile: 700 bytes for each record
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Report {
    machine: String,
    threads: u32,
    curve: Vec<Point>,
    arrival: Arrival,
}

/// One size.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Point {
    agencies: u32,
    records: u32,
    tokens: u64,
    export_seconds: f64,
    reading_seconds: f64,
    joining_seconds: f64,
    /// What both took of all cores together.
    cpu_seconds: f64,
    /// The most memory of the process while it read and joined.
    peak_mib: f64,
    persons: usize,
    /// Records that were put to another person than their own.
    mistaken: usize,
}

impl Point {
    fn seconds(&self) -> f64 {
        self.reading_seconds + self.joining_seconds
    }
}

/// Runs `porth bench run`.
///
/// # Errors
///
/// [`Failure`] if files cannot be written or read.
pub fn run(args: &RunArgs, output: &Output) -> Result<(), Failure> {
    let parent = args.folder.clone().unwrap_or_else(std::env::temp_dir);
    let folder = Folder(parent.join(format!("porth-bench-{}", std::process::id())));
    let report =
        measure(args, &folder.0, output).map_err(|error| Failure::failed(format_args!("column files: {error}")))?;
    output.result(table(&report), &report);
    if report.arrival.is_same {
        Ok(())
    } else {
        Err(Failure::faulty("added records gave other persons than a whole run"))
    }
}

fn measure(args: &RunArgs, folder: &Path, output: &Output) -> std::io::Result<Report> {
    let rules = people::rules().map_err(std::io::Error::other)?;
    let threads = args.threads as usize;
    let mut curve = Vec::new();
    for each in [args.records / 10, args.records / 10 * 3, args.records] {
        output.note(format_args!("{} agencies, {each} records each", args.agencies));
        let society = Society { agencies: args.agencies, each, arriving: 0 };
        curve.push(point(society, &folder.join(format!("of-{each}")), &rules, threads)?);
    }
    // As many as one agency of the top has, held by all of them, and a hundredth more.
    output.note(format_args!("{} records more", args.records / 100));
    let before = Society { agencies: args.agencies, each: args.records / args.agencies, arriving: 0 };
    let arrival = arrival::add(before, args.records / 100, folder, &rules, threads)?;
    Ok(Report { machine: machine(), threads: args.threads, curve, arrival })
}

fn point(society: Society, folder: &Path, rules: &LinkRules, threads: usize) -> std::io::Result<Point> {
    let records = society.records();
    let start = Instant::now();
    let tokens = write_columns(society, 0..records, folder, threads)?;
    let export_seconds = start.elapsed().as_secs_f64();

    forget_peak();
    let cpu_before = cpu_seconds();
    let start = Instant::now();
    let columns = read_columns(folder, records, rules, threads)?;
    let reading_seconds = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let found = persons(records, columns, &[], rules);
    let joining_seconds = start.elapsed().as_secs_f64();
    let cpu_seconds = cpu_seconds() - cpu_before;
    let peak_mib = peak();
    std::fs::remove_dir_all(folder)?;

    let place = |(record, first): (u32, &u32)| (record, *first);
    let of = |record: u32| society.person_of(record);
    Ok(Point {
        agencies: society.agencies,
        records,
        tokens,
        export_seconds,
        reading_seconds,
        joining_seconds,
        cpu_seconds,
        peak_mib,
        persons: (0..).zip(&found).map(place).filter(|(record, first)| record == first).count(),
        mistaken: (0..).zip(&found).map(place).filter(|(record, first)| of(*record) != of(*first)).count(),
    })
}

fn table(report: &Report) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "machine: {}; {} threads read, one joins; {KEYS} keys", report.machine, report.threads);
    for point in &report.curve {
        let _ = writeln!(
            text,
            "{} agencies, {} records, {} tokens: reading {:.2} s, joining {:.2} s, together {:.2} s ({:.2} s of CPU), \
             {:.2} µs of CPU a record, peak {:.0} MiB (export before: {:.1} s); {} persons, {} records put to another's",
            point.agencies,
            point.records,
            point.tokens,
            point.reading_seconds,
            point.joining_seconds,
            point.seconds(),
            point.cpu_seconds,
            point.cpu_seconds * 1e6 / f64::from(point.records),
            point.peak_mib,
            point.export_seconds,
            point.persons,
            point.mistaken
        );
    }
    if let (Some(bottom), Some(top)) = (report.curve.first(), report.curve.last()) {
        let growth = top.seconds() / bottom.seconds();
        let cpu_growth = top.cpu_seconds / bottom.cpu_seconds;
        let times = f64::from(top.records) / f64::from(bottom.records);
        let _ = writeln!(
            text,
            "{times:.1} times the records take {growth:.1} times as long, and {cpu_growth:.1} times the CPU"
        );
        let met = |is_met: bool| if is_met { "met" } else { "MISSED" };
        if top.records >= 6_000_000 {
            let _ = writeln!(text, "target {MOST_SECONDS} s: {}", met(top.seconds() <= MOST_SECONDS));
            let _ = writeln!(text, "target {MOST_MIB} MiB: {}", met(top.peak_mib <= MOST_MIB));
        }
    }
    let Arrival { records, arriving, clustered, looking_seconds, clustering_seconds, is_same } = &report.arrival;
    let _ = writeln!(
        text,
        "{arriving} records more upon {records}: {:.2} s ({looking_seconds:.2} s to find what they touch, \
         {clustering_seconds:.2} s to cluster {clustered} records); the same persons as a whole run: {}",
        report.arrival.seconds(),
        if *is_same { "yes" } else { "NO" }
    );
    text.trim_end().to_owned()
}

/// A folder that goes with its owner.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// CPU seconds of the process, ended threads included, in hundredths; not a number where the system does not say.
fn cpu_seconds() -> f64 {
    let about = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name, which may hold anything: the 12th and 13th, in ticks of a hundredth.
    let rest = about.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks: Vec<f64> = rest.split(' ').skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    if let [user, system] = ticks[..] { (user + system) / 100.0 } else { f64::NAN }
}

/// Begins a new peak of memory; where the system refuses that, it is that of the process.
fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The most memory that the process had since, in mebibytes.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    kib.map_or(f64::NAN, |kib| kib / 1024.0)
}

fn machine() -> String {
    let about = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = about.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let model = model.map_or("unknown", |(_, name)| name);
    format!("{model}, {cores} cores, load {}", load.split(' ').next().unwrap_or("unknown"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linkage::cluster::clusters;
    use crate::linkage::record::LinkRecord;

    #[test]
    fn column_files_give_the_persons_that_the_records_themselves_give() {
        let folder = tempfile::tempdir().expect("a folder");
        let society = Society { agencies: 6, each: 700, arriving: 0 };
        let rules = people::rules().expect("rules");
        write_columns(society, 0..society.records(), folder.path(), 2).expect("written");
        let columns = read_columns(folder.path(), society.records(), &rules, 2).expect("read");
        let found = persons(society.records(), columns, &[], &rules);

        let record = |key| LinkRecord { key, tokens: society.entry(key).tokens(), households: Vec::new() };
        let records: Vec<LinkRecord<u32>> = (0..society.records()).map(record).collect();
        let mut expected = vec![0; records.len()];
        for cluster in clusters(&records, &rules) {
            cluster.members().iter().for_each(|&member| expected[member] = *cluster.name(&records));
        }
        assert_eq!(found, expected);
        let joined = (0..).zip(&found).filter(|(record, first): &(u32, &u32)| record != *first).count();
        assert!(joined > 2_000, "{joined} of 4,200 records go to the person of another");
    }

    #[test]
    fn records_that_arrive_join_whom_they_would_have_joined_from_the_beginning() {
        let folder = tempfile::tempdir().expect("a folder");
        let before = Society { agencies: 6, each: 400, arriving: 0 };
        let rules = people::rules().expect("rules");
        let arrival = arrival::add(before, 100, folder.path(), &rules, 2).expect("files");
        assert!(arrival.is_same && arrival.clustered > 150, "{arrival:?}");
        assert!(arrival.clustered < 1_000, "not everything is clustered anew: {arrival:?}");
    }
}
