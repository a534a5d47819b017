//! `porth policy design-keys`: which combinations of fields become match keys.
//!
//! Reads files of a test set or of invented people, whose columns are named like the declared fields.
//! Values become tokens under a key that this process throws away; the choice sees these alone.

use std::hash::{BuildHasher as _, RandomState};
use std::path::PathBuf;

use clap::Args;
use jiff::civil::Date;
use serde::Serialize;

use crate::cli::output::{Failure, Output};
use crate::domain::match_keys::{Component, Derivation, MatchKeys, Normaliser, Tier};
use crate::identity::{Derived, Deriver, RawFields};
use crate::linkage::design::entropy::Entropy;
use crate::linkage::design::{Design, MOST_PARTS, Sample, Settings, design};

/// Arguments of `porth policy design-keys`.
#[derive(Debug, Args)]
pub(super) struct DesignArgs {
    /// A match-keys file: its fields are combined, whatever its keys are
    #[arg(long, value_name = "FILE")]
    match_keys: PathBuf,
    /// Fields that are left out
    #[arg(long, value_name = "FIELD")]
    without: Vec<String>,
    /// How many keys at most
    #[arg(long, default_value_t = 40)]
    keys: usize,
    /// Bits above those of all pairs of records: 4 expects a sixteenth of a chance agreement
    #[arg(long, default_value_t = 4)]
    margin_bits: u32,
    /// Say what each key of the file is worth instead of choosing others
    #[arg(long)]
    weigh_only: bool,
    /// The day against which ages are judged, if not today
    #[arg(long, value_parser = crate::cli::typed::day)]
    as_at: Option<Date>,
    /// CSV files, one of each agency
    #[arg(required = true, value_name = "CSV")]
    files: Vec<PathBuf>,
}

#[derive(Serialize)]
struct View {
    records: usize,
    needed_millibits: u32,
    candidates: usize,
    sure_pairs: usize,
    survives_in_10_000: u32,
    keys: Vec<KeyView>,
}

#[derive(Serialize)]
struct KeyView {
    components: Vec<String>,
    evidence_millibits: u32,
}

/// A field and what is taken of it.
struct Part {
    component: Component,
    name: String,
}

/// Runs `porth policy design-keys`.
///
/// # Errors
///
/// [`Failure`] with the file that cannot be read or has too many fields.
pub(super) fn run(args: &DesignArgs, output: Output) -> Result<(), Failure> {
    let text = std::fs::read_to_string(&args.match_keys).map_err(unreadable(&args.match_keys))?;
    let keys = MatchKeys::parse(&text).map_err(Failure::unusable)?;
    let parts = if args.weigh_only { parts_of_keys(&keys) } else { parts(&keys, &args.without) };
    if parts.is_empty() || parts.len() > MOST_PARTS {
        let message = format_args!("the fields give {} parts; at most {MOST_PARTS} are weighed", parts.len());
        return Err(Failure::unusable(message).next("leave out fields with --without"));
    }
    let sample = sample(&keys, &parts, args)?;
    if args.weigh_only {
        weigh(&keys, &parts, &sample, output);
        return Ok(());
    }
    let settings =
        Settings { margin_millibits: args.margin_bits.saturating_mul(1000), keys: args.keys, ..Settings::default() };
    let permitted = |combination: &[usize]| {
        let components: Vec<Component> = combination.iter().map(|&part| parts[part].component).collect();
        keys.permits(&components, Tier::Link)
    };
    print(&design(&sample, &settings, &permitted), &parts, &sample, output);
    Ok(())
}

/// What may be taken of the declared fields.
fn parts(keys: &MatchKeys, without: &[String]) -> Vec<Part> {
    let mut parts = Vec::new();
    for (at, field) in keys.fields().iter().enumerate().filter(|(_, field)| !without.contains(&field.name)) {
        let taken = derivations(field.normaliser).iter().filter(|taken| field.normaliser.allows(**taken));
        parts.extend(taken.map(|&derivation| part(keys, Component { field: at, derivation })));
    }
    parts
}

fn derivations(normaliser: Normaliser) -> &'static [Derivation] {
    use Derivation as D;
    match normaliser {
        Normaliser::Forename | Normaliser::Surname => &[D::Exact, D::Prefix(3), D::Soundex, D::Initial],
        Normaliser::FreeAddress => &[D::Exact, D::Prefix(5), D::Soundex],
        Normaliser::GenericPostcode => &[D::Exact, D::DigitsSorted],
        Normaliser::Postcode => &[D::Exact, D::Sector, D::District],
        Normaliser::Date(_) => &[D::Exact, D::DayMonthSorted, D::DigitsSorted, D::YearMonth, D::MonthDay, D::Year],
        _ => &[D::Exact],
    }
}

/// The parts that the keys of the file are made of.
fn parts_of_keys(keys: &MatchKeys) -> Vec<Part> {
    let mut components: Vec<Component> = Vec::new();
    for component in keys.keys().iter().flat_map(|key| &key.components) {
        if !components.contains(component) {
            components.push(*component);
        }
    }
    components.into_iter().map(|component| part(keys, component)).collect()
}

fn part(keys: &MatchKeys, component: Component) -> Part {
    let field = &keys.fields()[component.field].name;
    let name = match component.derivation {
        Derivation::Exact => field.clone(),
        taken => format!("{field}:{}", taken.name()),
    };
    Part { component, name }
}

/// The files as tokens of parts. Each part is derived like a key of its own.
fn sample(keys: &MatchKeys, parts: &[Part], args: &DesignArgs) -> Result<Sample, Failure> {
    use std::fmt::Write as _;
    let mut text = "version = 1\nnorm = 1\ntest_set = true\nkeys = [".to_owned();
    for (at, part) in parts.iter().enumerate() {
        let _ = write!(text, "{{ name = 'p{at}', components = ['{}'], tier = 'suggest' }},", part.name);
    }
    text.push_str("]\n[fields]\n");
    let declared = std::fs::read_to_string(&args.match_keys).map_err(unreadable(&args.match_keys))?;
    let declared: toml::Table = declared.parse().map_err(Failure::unusable)?;
    for field in keys.fields() {
        let read_as = declared.get("fields").and_then(|fields| fields.get(&field.name)?.as_str()).unwrap_or_default();
        let _ = writeln!(text, "{} = '{read_as}'", field.name);
    }
    let single = MatchKeys::parse(&text).map_err(Failure::unusable)?;

    let as_at = args.as_at.unwrap_or_else(|| jiff::Zoned::now().date());
    let hasher = RandomState::new();
    let mut deriver = Deriver::new(&single);
    let mut derived = Derived::default();
    let mut sample = Sample { field_of: parts.iter().map(|part| part.component.field).collect(), records: Vec::new() };
    for path in &args.files {
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).map_err(unreadable(path))?;
        let headings = reader.headers().map_err(unreadable(path))?.clone();
        for row in reader.records() {
            let row = row.map_err(unreadable(path))?;
            let mut raw = RawFields::new();
            for (heading, text) in headings.iter().zip(&row) {
                raw.push(&single, heading, text);
            }
            deriver.derive(&raw, as_at, &mut derived);
            let mut record = vec![Vec::new(); parts.len()];
            for (part, value) in derived.values() {
                record[part].push(hasher.hash_one((part, value)));
            }
            sample.records.push(record);
        }
    }
    Ok(sample)
}

fn unreadable<E: std::fmt::Display>(path: &std::path::Path) -> impl Fn(E) -> Failure {
    move |error| Failure::unusable(format_args!("{}: {error}", path.display()))
}

/// Says what each key of the file is worth.
fn weigh(keys: &MatchKeys, parts: &[Part], sample: &Sample, output: Output) {
    let entropy = Entropy::independent_of_people(sample);
    for key in keys.keys() {
        let place = |component: &Component| parts.iter().position(|part| part.component == *component);
        let mut places: Vec<usize> = key.components.iter().filter_map(place).collect();
        places.sort_unstable();
        let millibits = entropy.of_all(&places);
        output.result(
            format_args!("{}: {}.{:03} bits", key.name, millibits / 1000, millibits % 1000),
            &serde_json::json!({ "name": key.name.as_str(), "evidence_millibits": millibits }),
        );
    }
}

fn print(design: &Design, parts: &[Part], sample: &Sample, output: Output) {
    let components = |places: &[usize]| places.iter().map(|&part| parts[part].name.clone()).collect::<Vec<_>>();
    let view = View {
        records: sample.records.len(),
        needed_millibits: design.needed_millibits,
        candidates: design.candidates,
        sure_pairs: design.sure_pairs,
        survives_in_10_000: design.survives_in_10_000,
        keys: design
            .keys
            .iter()
            .map(|key| KeyView { components: components(&key.parts), evidence_millibits: key.millibits })
            .collect(),
    };
    output.note(format_args!(
        "{} records, {} bits needed, {} combinations, damage learnt from {} pairs, of which the keys survive {} in 10,000",
        view.records,
        f64::from(view.needed_millibits) / 1000.0,
        view.candidates,
        view.sure_pairs,
        view.survives_in_10_000
    ));
    let mut text = String::new();
    for (at, key) in view.keys.iter().enumerate() {
        use std::fmt::Write as _;
        let _ = write!(
            text,
            "{}[[keys]]\nname = \"f{:02}\"\ncomponents = {:?}\ntier = \"link\"\nevidence_millibits = {}\n",
            if at == 0 { "" } else { "\n" },
            at + 1,
            key.components,
            key.evidence_millibits
        );
    }
    output.result(text.trim_end(), &view);
}
