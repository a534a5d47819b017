//! The fuzzy and the exact comparison beside the programs that others use for them, in one run and on
//! the same data: `clkhash`, `anonlink`'s native code, DuckDB. `scripts/bench-peers` installs them and
//! runs this. Per CPU second of one thread, rounds in turns, the best of each side; results compared.

#![allow(clippy::print_stdout, reason = "figures are what a bench is run for")]

use std::collections::BTreeSet;
use std::fs;
use std::hint::black_box;
use std::path::{Path as FilePath, PathBuf};
use std::process::Command;
use std::time::Instant;

use porth::crypto::clk::ClkKey;
use porth::crypto::random::SystemRandom;
use porth::crypto::token::LinkageKey;
use porth::domain::clk::{EncodingProfile, Threshold};
use porth::domain::ids::ProgrammeCode;
use porth::domain::match_keys::MatchKeys;
use porth::domain::token::Blinded;
use porth::identity::{ClkEncoder, RawFields};
use porth::linkage::dice::{Path, alike};
use porth::linkage::join::join;

const ROUNDS: usize = 3;
/// A round of ours is repeated until it lasted so many CPU seconds: the clock is coarse.
const LEAST_SECONDS: f64 = 0.5;
const ROWS: u32 = 1_000_000;
const WORDS: usize = 16;
const PEOPLE: [&str; 2] =
    [include_str!("../tests/data/febrl/dataset4a.csv"), include_str!("../tests/data/febrl/dataset4b.csv")];
const KEYS: &str = include_str!("../policies/match-keys.febrl.toml");
const FIELDS: [&str; 4] = ["given_name", "surname", "date_of_birth", "postcode"];

fn main() {
    let Ok(python) = std::env::var("PORTH_PEERS_PYTHON") else {
        println!("run scripts/bench-peers, which installs the peers and says where they are");
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let peers = Peers { python, folder: folder.path().to_owned() };
    println!("machine: {}", machine());
    let people = people();
    encoding(&peers, &people);
    fuzzy(&peers, &people);
    exact(&peers);
}

/// From fields to filters: the product normalises, salts, adds noise and balances besides.
fn encoding(peers: &Peers, people: &[[String; 4]]) {
    let keys = MatchKeys::parse(KEYS).expect("the shipped file");
    let profile = EncodingProfile::parse(PROFILE.as_bytes()).expect("well-formed");
    let programme = ProgrammeCode::parse("bench").expect("a code");
    let root = LinkageKey::generate(&SystemRandom::new());
    let places = FIELDS.map(|name| keys.field_index(name).expect("declared"));
    let fresh = || ClkEncoder::new(&keys, &profile, ClkKey::derive(&root, &programme, 1, &profile)).expect("fits");
    let mut filters = 0;
    let mut encode = |encoder: &mut ClkEncoder<ClkKey>| {
        filters = 0;
        for person in people {
            let mut raw = RawFields::new();
            places.iter().zip(person).for_each(|(&place, text)| raw.push_at(place, text));
            filters += usize::from(black_box(encoder.encode(&raw, jiff::civil::date(2005, 1, 1))).is_some());
        }
        people.len() as f64
    };
    let csv = peers.write("people.csv", write_csv(people).as_bytes());
    let theirs = || {
        let said = peers.run(&["clk", &csv, "60,60,60,50", &peers.path("unused.bin")]);
        people.len() as f64 / said.seconds
    };
    // Pieces and names that came before are remembered: over a file of a county nearly all of them, over ten
    // thousand records from the beginning some.
    let mut encoder = fresh();
    let (ours, theirs) = in_turns(&mut || encode(&mut encoder), &mut || theirs());
    let (from_nothing, _) = in_turns(&mut || encode(&mut fresh()), &mut || 0.0);
    // A year of birth that is missing or wrong gives no filter.
    println!("\nfuzzy encodings of 1024 bits, {} records, {filters} with a filter", people.len());
    judge("records encoded a CPU second", ours, "clkhash", theirs, 10.0);
    judge("the same, each pass from an empty memory", from_nothing, "clkhash", theirs, 0.0);
}

const PROFILE: &str = "version = 1\nnorm = 1\nname = 'bench'\nbits = 1024\nhardening = 'balance'\nnoise_halvings = 7\n\
    threshold = 800\nsalt = 'date_of_birth'\nleast_fields = 3\n\
    [[field]]\nof = 'given_name'\nq = 2\nbits = 60\n\
    [[field]]\nof = 'surname'\nq = 2\nbits = 60\n\
    [[field]]\nof = 'date_of_birth:month-day'\nq = 1\npositional = true\nbits = 60\n\
    [[field]]\nof = 'postcode'\nq = 1\npositional = true\nbits = 50\n";

/// All pairs of the filters that `clkhash` made, some 40% full.
fn fuzzy(peers: &Peers, people: &[[String; 4]]) {
    let csv = peers.write("people.csv", write_csv(people).as_bytes());
    let file = peers.path("filters.bin");
    peers.run(&["clk", &csv, "150,150,150,120", &file]);
    let bytes = fs::read(&file).expect("the filters");
    let (words, _) = bytes.as_chunks::<8>();
    let filters: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
    let count = filters.len() / WORDS;
    let comparisons = (count * count) as f64;
    let ones: u32 = filters.iter().map(|word| word.count_ones()).sum();
    let full = 100.0 * f64::from(ones) / (filters.len() * 64) as f64;
    for (threshold, targets) in [(800, true), (700, false)] {
        let least = Threshold::thousandths(threshold).expect("in range");
        println!("\nDice {least} and over, {count} x {count} filters of {} bits, {full:.0}% ones", WORDS * 64);
        let pairs_file = peers.path("pairs.bin");
        let text = least.to_string();
        for path in Path::ALL.into_iter().filter(|path| path.is_here()) {
            let mut found = Vec::new();
            let mut ours = || {
                found = alike(&filters, &filters, WORDS, least, path, usize::MAX).expect("room");
                comparisons
            };
            let theirs = || comparisons / peers.run(&["dice", &file, &text, &pairs_file]).seconds;
            let (ours, theirs) = in_turns(&mut ours, &mut || theirs());
            let target = match (targets, path) {
                (false, _) => 0.0,
                (true, Path::Avx512) => 8.0,
                (true, _) => 1.5,
            };
            judge(&format!("comparisons a CPU second, {path:?}"), ours, "anonlink", theirs, target);
            let ours: BTreeSet<(u32, u32)> = found.iter().map(|pair| (pair.left, pair.right)).collect();
            compare(&ours, &read_pairs(&pairs_file));
        }
    }
}

/// Two columns of stored tokens, half of them in both.
fn exact(peers: &Peers) {
    let token = |seed: u32| {
        let mixed = (u128::from(seed) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        Blinded::new((mixed ^ mixed >> 67 ^ mixed << 31).to_be_bytes())
    };
    // A step that has no factor in common with the number of rows visits each once, in no order.
    let left: Vec<Blinded> = (0..ROWS).map(token).collect();
    let right: Vec<Blinded> =
        (0..u64::from(ROWS)).map(|row| token((row * 514_229 % u64::from(ROWS)) as u32 + ROWS / 2)).collect();
    let bytes = |column: &[Blinded]| column.iter().flat_map(|token| *token.as_bytes()).collect::<Vec<u8>>();
    let (left_file, right_file) = (peers.write("left.bin", &bytes(&left)), peers.write("right.bin", &bytes(&right)));
    let pairs_file = peers.path("pairs.bin");
    let mut pairs: Vec<(u32, u32)> = Vec::new();
    let mut ours = || {
        pairs = Vec::new();
        join(&left, &right, 100, |left, right| pairs.push((left, right)));
        f64::from(2 * ROWS)
    };
    let theirs = || f64::from(2 * ROWS) / peers.run(&["join", &left_file, &right_file, &pairs_file]).seconds;
    let (ours, theirs) = in_turns(&mut ours, &mut || theirs());
    println!("\nexact join of {ROWS} x {ROWS} tokens of 16 bytes, pairs kept");
    judge("rows a CPU second", ours, "DuckDB", theirs, 2.0);
    compare(&pairs.iter().copied().collect(), &read_pairs(&pairs_file));
}

/// The best of each side, in turns, so that a busy machine slows both.
fn in_turns(ours: &mut impl FnMut() -> f64, theirs: &mut impl FnMut() -> f64) -> (f64, f64) {
    let (mut best_ours, mut best_theirs) = (0.0_f64, 0.0_f64);
    for _ in 0..ROUNDS {
        let (start, mut done) = (cpu_seconds(), 0.0);
        let mut spent = 0.0;
        while spent < LEAST_SECONDS {
            done += ours();
            spent = cpu_seconds() - start;
        }
        best_ours = best_ours.max(done / spent);
        best_theirs = best_theirs.max(theirs());
    }
    (best_ours, best_theirs)
}

fn judge(what: &str, ours: f64, peer: &str, theirs: f64, target: f64) {
    let ratio = ours / theirs;
    let verdict = match target {
        0.0 => "printed".to_owned(),
        target if ratio >= target => format!("target {target}: met"),
        target => format!("target {target}: MISSED"),
    };
    println!("{what:<42} {ours:>14.0}");
    println!("  {peer:<40} {theirs:>14.0}   ratio {ratio:.1}   {verdict}");
}

fn compare(ours: &BTreeSet<(u32, u32)>, theirs: &BTreeSet<(u32, u32)>) {
    let alone = ours.difference(theirs).count() + theirs.difference(ours).count();
    println!("  pairs {}, found by one side only {alone}", ours.len());
}

struct Peers {
    python: String,
    folder: PathBuf,
}

struct Said {
    seconds: f64,
}

impl Peers {
    fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().expect("a plain path").to_owned()
    }

    fn write(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path(name);
        fs::write(&path, bytes).expect("room in the temporary folder");
        path
    }

    fn run(&self, arguments: &[&str]) -> Said {
        let script = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/peers.py");
        let output = Command::new(&self.python).arg(script).args(arguments).output().expect("python runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        Said { seconds: said["seconds"].as_f64().expect("a number") }
    }
}

fn read_pairs(file: &str) -> BTreeSet<(u32, u32)> {
    let bytes = fs::read(file).expect("the peer's pairs");
    let (pairs, _) = bytes.as_chunks::<8>();
    let number = |bytes: &[u8]| u32::from_ne_bytes(bytes.try_into().expect("four bytes"));
    pairs.iter().map(|pair| (number(&pair[..4]), number(&pair[4..]))).collect()
}

fn people() -> Vec<[String; 4]> {
    let mut people = Vec::new();
    for text in PEOPLE {
        let mut lines = text.lines();
        let header: Vec<&str> = lines.next().expect("a header").split(',').map(str::trim).collect();
        let places = FIELDS.map(|name| header.iter().position(|heading| *heading == name).expect("a column"));
        people.extend(lines.map(|line| {
            let cells: Vec<&str> = line.split(',').map(str::trim).collect();
            places.map(|place| cells[place].to_owned())
        }));
    }
    people
}

fn write_csv(people: &[[String; 4]]) -> String {
    people.iter().map(|person| person.join(",") + "\n").collect()
}

/// CPU seconds of this thread where the system says (Linux), else of the clock on the wall.
fn cpu_seconds() -> f64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let said = fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = said.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    nanoseconds.map_or_else(|| START.get_or_init(Instant::now).elapsed().as_secs_f64(), |number| number / 1e9)
}

fn machine() -> String {
    let about = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = about.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "{}, {cores} cores, widest path {:?}, load {}",
        model.map_or("unknown", |(_, name)| name),
        Path::best(),
        load.split(' ').next().unwrap_or("unknown")
    )
}
