//! Tokens a second on one core: from fields to the text of tokens, beside the bare HMAC of the same
//! number of values with the keyed state at hand. Prints both and the ratio.

#![allow(clippy::print_stdout, reason = "figures are what a bench is run for")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit as _, Mac as _};
use porth::cli::agency::key_file::{AgencyKeyFile, LinkageKeyFile};
use porth::cli::agency::tokenise::Minter;
use porth::crypto::random::SystemRandom;
use porth::domain::ids::{AgencyCode, ProgrammeCode};
use porth::domain::match_keys::MatchKeys;
use porth::domain::submission::MOST_TOKENS;
use porth::identity::{RawFields, UK_MATCH_KEYS};
use sha2::Sha256;

const PEOPLE: usize = 2_000;
const ROUND: Duration = Duration::from_millis(400);
const ROUNDS: usize = 5;

fn main() {
    typical();
    forty_keys();
}

/// The forty keys of the public test set over its own records, beside HMACs of messages of the very
/// same lengths.
fn forty_keys() {
    let keys = MatchKeys::parse(include_str!("../policies/match-keys.febrl.toml")).expect("the shipped file");
    let random = SystemRandom::new();
    let programme = ProgrammeCode::parse("tff").expect("a code");
    let mut file = AgencyKeyFile::generate(programme.clone(), AgencyCode::parse("education").expect("a code"), &random);
    file.add(LinkageKeyFile::generate(programme, 1, &random).whole()).expect("one programme");
    let type_keys = file.type_keys(&keys).expect("whole keys");
    let mut lines = include_str!("../tests/data/febrl/dataset4a.csv").lines();
    let fields: Vec<Option<usize>> =
        lines.next().expect("a header").split(',').map(|name| keys.field_index(name.trim())).collect();
    let people: Vec<Vec<&str>> = lines.map(|line| line.split(',').map(str::trim).collect()).collect();
    let today = jiff::civil::date(2005, 1, 1);
    let raw_of = |person: &[&'static str]| {
        let mut raw = RawFields::new();
        let known = fields.iter().zip(person).filter_map(|(field, text)| Some(((*field)?, *text)));
        known.for_each(|(field, text)| raw.push_at(field, text));
        raw
    };
    // "porth/v1/token", the type and the programme with their lengths, norm, epoch, and the value's length.
    let around = 14 + (2 + 3) + 2 + (2 + 3) + 4 + 2;
    let mut lengths: Vec<usize> = Vec::new();
    for person in &people {
        let derived = porth::identity::derive(&keys, &raw_of(person), today);
        lengths.extend(derived.values().map(|(_, value)| around + value.len()));
    }
    let mut minter = Minter::new(&keys, &type_keys);
    let mut text = Vec::new();
    let mut whole = || {
        let mut tokens = 0;
        text.clear();
        for person in &people {
            minter.mint(&raw_of(person), today, true, MOST_TOKENS);
            minter.write(false, &mut text);
            tokens += minter.count().0;
        }
        black_box(&text);
        tokens
    };
    let keyed = Hmac::<Sha256>::new_from_slice(&[7; 32]).expect("any length");
    let message = [b'A'; 1024];
    let mut bare = || {
        for &length in &lengths {
            let mut mac = keyed.clone();
            mac.update(&message[..length.min(message.len())]);
            black_box(mac.finalize().into_bytes());
        }
        lengths.len()
    };
    let (mut best_whole, mut best_bare) = (0.0_f64, 0.0_f64);
    for _ in 0..ROUNDS {
        best_whole = best_whole.max(rate(&mut whole));
        best_bare = best_bare.max(rate(&mut bare));
    }
    let each = lengths.len() as f64 / people.len() as f64;
    println!("\nforty keys, {} records of the public test set", people.len());
    println!("tokens a record                {each:>12.1}");
    println!("bare keyed HMAC, same lengths  {best_bare:>12.0}");
    println!("tokens a second, core          {best_whole:>12.0}");
    println!("people a second, core          {:>12.0}", best_whole / each);
    println!("ratio                          {:>11.1}%", 100.0 * best_whole / best_bare);
}

fn typical() {
    let keys = MatchKeys::parse(UK_MATCH_KEYS).expect("the shipped file");
    let random = SystemRandom::new();
    let programme = ProgrammeCode::parse("tff").expect("a code");
    let mut file = AgencyKeyFile::generate(programme.clone(), AgencyCode::parse("education").expect("a code"), &random);
    file.add(LinkageKeyFile::generate(programme, 1, &random).whole()).expect("one programme");
    let type_keys = file.type_keys(&keys).expect("whole keys");
    let people: Vec<[String; 5]> = (0..PEOPLE).map(person).collect();
    let names = ["forename", "surname", "dob", "postcode", "upn"];
    let fields = names.map(|name| keys.field_index(name).expect("a field"));

    let mut minter = Minter::new(&keys, &type_keys);
    let mut text = Vec::new();
    let mut tokens_a_person = 0.0;
    let mut whole = || {
        let mut tokens = 0;
        text.clear();
        for person in &people {
            let mut raw = RawFields::new();
            fields.iter().zip(person).for_each(|(&field, text)| raw.push_at(field, text));
            minter.mint(&raw, jiff::civil::date(2026, 9, 20), true, MOST_TOKENS);
            minter.write(false, &mut text);
            tokens += minter.count().0;
        }
        black_box(&text);
        tokens_a_person = tokens as f64 / PEOPLE as f64;
        tokens
    };
    let keyed = Hmac::<Sha256>::new_from_slice(&[7; 32]).expect("any length");
    let mut bare = || {
        for person in 0..PEOPLE * 10 {
            let mut mac = keyed.clone();
            mac.update(b"JOHN OBRIEN 2009-04-17 TR1 1AA ");
            mac.update(&person.to_be_bytes());
            black_box(mac.finalize().into_bytes());
        }
        PEOPLE * 10
    };
    // In turns, so that a busy machine slows both; the best round of each counts.
    let (mut best_whole, mut best_bare) = (0.0_f64, 0.0_f64);
    for _ in 0..ROUNDS {
        best_whole = best_whole.max(rate(&mut whole));
        best_bare = best_bare.max(rate(&mut bare));
    }
    println!("tokens a person                {tokens_a_person:>12.1}");
    println!("bare keyed HMAC a second, core {best_bare:>12.0}");
    println!("tokens a second, core          {best_whole:>12.0}");
    println!("people a second, core          {:>12.0}", best_whole / tokens_a_person);
    println!("ratio                          {:>11.1}%", 100.0 * best_whole / best_bare);
}

fn rate(work: &mut impl FnMut() -> usize) -> f64 {
    let (start, mut done) = (Instant::now(), 0);
    while start.elapsed() < ROUND {
        done += work();
    }
    done as f64 / start.elapsed().as_secs_f64()
}

/// Somebody who does not exist.
fn person(number: usize) -> [String; 5] {
    let forenames = ["Jowan", "Morwenna", "Piran", "Demelza", "Kerensa", "Jory", "Tamsin", "Denzil"];
    let surnames = ["Penrose", "Trelawny", "Polglase", "Rosewarne", "Nancarrow", "Carlyon", "O'Brien"];
    let day = 2 + number % 27;
    [
        forenames[number % forenames.len()].to_owned(),
        surnames[number % surnames.len()].to_owned(),
        format!("{}-{:02}-{day:02}", 1990 + number % 30, 1 + number % 12),
        format!("TR{} {}AA", 1 + number % 20, 1 + number % 9),
        String::new(),
    ]
}
