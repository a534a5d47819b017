use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::*;
use crate::domain::clk::Threshold;

const TODAY: Date = jiff::civil::date(2026, 9, 20);

/// A stream of these tests' own; the product's is in `crypto`.
struct TestStream(u8);

impl KeyStream for TestStream {
    fn digest(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&[self.0; 32]).expect("any length");
        for part in parts {
            mac.update(&(part.len() as u16).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

fn uk() -> MatchKeys {
    MatchKeys::parse(crate::identity::UK_MATCH_KEYS).expect("the shipped file")
}

fn profile(changes: &[(&str, &str)]) -> EncodingProfile {
    let mut text = UK_CLK_PROFILE.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    EncodingProfile::parse(text.as_bytes()).expect("well-formed")
}

fn encode(profile: &EncodingProfile, key: u8, fields: &[(&str, &str)]) -> Option<Vec<u64>> {
    let keys = uk();
    let mut encoder = ClkEncoder::new(&keys, profile, TestStream(key)).expect("fits");
    let mut raw = RawFields::new();
    for (field, text) in fields {
        assert!(raw.push(&keys, field, text), "{field}");
    }
    encoder.encode(&raw, TODAY).map(<[u64]>::to_vec)
}

const JOWAN: [(&str, &str); 4] =
    [("forename", "Jowan"), ("surname", "Trelawny"), ("dob", "2009-04-17"), ("postcode", "TR1 1AA")];

fn with(field: &str, text: &'static str) -> Vec<(&'static str, &'static str)> {
    JOWAN.iter().map(|(name, good)| (*name, if *name == field { text } else { good })).collect()
}

fn ones(filter: &[u64]) -> u32 {
    filter.iter().map(|word| word.count_ones()).sum()
}

fn common(one: &[u64], other: &[u64]) -> u32 {
    one.iter().zip(other).map(|(one, other)| (one & other).count_ones()).sum()
}

fn dice(one: &[u64], other: &[u64]) -> f64 {
    f64::from(2 * common(one, other)) / f64::from(ones(one) + ones(other))
}

#[test]
fn a_misspelt_name_stays_near_and_another_person_is_far() {
    for hardening in ["\"balance\"", "\"fold\""] {
        let profile = profile(&[("\"balance\"", hardening)]);
        let filter = |fields: &[(&str, &str)]| encode(&profile, 1, fields).expect("complete");
        let jowan = filter(&JOWAN);
        let misspelt = filter(&with("surname", "Trelawney"));
        let other = filter(&[
            ("forename", "Kerensa"),
            ("surname", "Polglase"),
            ("dob", "2009-11-02"),
            ("postcode", "PL31 2QQ"),
        ]);
        let (near, far) = (dice(&jowan, &misspelt), dice(&jowan, &other));
        assert!(near > far + 0.15, "{hardening}: {near} {far}");
        if hardening == "\"balance\"" {
            let threshold = Threshold::thousandths(850).expect("in range");
            let is_one = |other: &[u64]| threshold.is_reached(common(&jowan, other), ones(&jowan), ones(other));
            assert!(is_one(&misspelt) && !is_one(&other), "{near} {far}");
        }
    }
}

#[test]
fn another_year_of_birth_leaves_no_more_in_common_than_a_stranger_has() {
    let profile = profile(&[]);
    let jowan = encode(&profile, 1, &JOWAN).expect("complete");
    let later = encode(&profile, 1, &with("dob", "2010-04-17")).expect("complete");
    assert!(dice(&jowan, &later) < 0.65, "{}", dice(&jowan, &later));
}

#[test]
fn balanced_filters_all_have_the_same_number_of_ones() {
    let profile = profile(&[]);
    for fields in [JOWAN.to_vec(), with("forename", "Bo"), with("surname", "Featherstonehaugh-Cholmondeley")] {
        assert_eq!(ones(&encode(&profile, 1, &fields).expect("complete")), 512);
    }
}

#[test]
fn before_hardening_the_number_of_ones_tells_little_of_a_name_s_length() {
    // Without salt and collisions it would be the same; collisions are all that is left.
    let raw = |surname: &'static str| {
        let keys = uk();
        let mut encoder = ClkEncoder::new(&keys, &profile(&[]), TestStream(1)).expect("fits");
        let mut raw = RawFields::new();
        for (field, text) in with("surname", surname) {
            raw.push(&keys, field, text);
        }
        encoder.encode(&raw, TODAY).expect("complete");
        ones(&encoder.raw)
    };
    let (short, long) = (raw("Ng"), raw("Featherstonehaugh"));
    assert!(short.abs_diff(long) < 30, "{short} {long}");
}

#[test]
fn a_record_that_lacks_its_year_or_too_many_fields_has_no_filter() {
    let profile = profile(&[]);
    assert!(encode(&profile, 1, &[]).is_none());
    assert!(encode(&profile, 1, &with("dob", "")).is_none());
    assert!(encode(&profile, 1, &with("dob", "1900-01-01")).is_none());
    assert!(encode(&profile, 1, &with("forename", "")).is_some(), "three of four are enough");
    let two = [("forename", ""), ("surname", "Trelawny"), ("dob", "2009-04-17"), ("postcode", "ZZ99 3VZ")];
    assert!(encode(&profile, 1, &two).is_none());
}

#[test]
fn an_empty_field_sets_nothing() {
    let profile = profile(&[]);
    let keys = uk();
    let ones_of = |postcode: &'static str| {
        let mut encoder = ClkEncoder::new(&keys, &profile, TestStream(1)).expect("fits");
        // The last position before noise: a noise that cannot hit is not allowed, so look inside.
        let mut raw = RawFields::new();
        for (field, text) in with("postcode", postcode) {
            raw.push(&keys, field, text);
        }
        encoder.encode(&raw, TODAY).expect("three fields");
        ones(&encoder.raw)
    };
    assert!(ones_of("") + 20 < ones_of("TR1 1AA"));
}

#[test]
fn the_same_record_has_the_same_filter_and_another_key_another() {
    let profile = profile(&[]);
    let one = encode(&profile, 1, &JOWAN).expect("complete");
    assert_eq!(encode(&profile, 1, &JOWAN).expect("complete"), one);
    let other = encode(&profile, 2, &JOWAN).expect("complete");
    assert!(dice(&one, &other) < 0.65, "{}", dice(&one, &other));
}

#[test]
fn former_names_are_not_in_a_filter() {
    let profile = profile(&[]);
    let mut fields = JOWAN.to_vec();
    fields.push(("surname", "Penrose"));
    assert_eq!(encode(&profile, 1, &fields), encode(&profile, 1, &JOWAN));
}

#[test]
fn noise_turns_over_about_as_many_bits_as_declared_and_the_same_each_time() {
    for (halvings, least, most) in [("4", 400, 640), ("7", 40, 90)] {
        let profile = profile(&[("noise_halvings = 7", &format!("noise_halvings = {halvings}"))]);
        let hardener = Hardener::new(&profile, &TestStream(1));
        let turned = |seed: u64| {
            let before: Vec<u64> = (0..8).map(|word| seed.wrapping_mul(word + 0x9e37_79b9)).collect();
            let mut after = before.clone();
            hardener.add_noise(&TestStream(1), &mut after);
            let mut again = before.clone();
            hardener.add_noise(&TestStream(1), &mut again);
            assert_eq!(after, again);
            before.iter().zip(&after).map(|(before, after)| (before ^ after).count_ones()).sum::<u32>()
        };
        // 16 filters of 512 bits.
        let all: u32 = (1..=16).map(turned).sum();
        assert!((least..=most).contains(&all), "{halvings}: {all}");
    }
}

#[test]
fn folding_halves_a_filter() {
    let profile = profile(&[("\"balance\"", "\"fold\"")]);
    assert_eq!((profile.raw_bits(), profile.bits()), (2048, 1024));
    let hardener = Hardener::new(&profile, &TestStream(1));
    let mut raw: Vec<u64> = (0..32).map(|word| 1 << word).collect();
    let mut noisy = raw.clone();
    hardener.add_noise(&TestStream(1), &mut noisy);
    let mut finished = Vec::new();
    hardener.finish(&TestStream(1), &mut raw, &mut finished);
    let expected: Vec<u64> = (0..16).map(|word| noisy[word] ^ noisy[word + 16]).collect();
    assert_eq!(finished, expected);
}

#[test]
fn a_used_encoder_gives_what_a_new_one_gives() {
    let keys = uk();
    let profile = profile(&[]);
    let mut encoder = ClkEncoder::new(&keys, &profile, TestStream(1)).expect("fits");
    for fields in [JOWAN.to_vec(), with("surname", "Penrose"), with("dob", ""), JOWAN.to_vec()] {
        let mut raw = RawFields::new();
        for (field, text) in &fields {
            raw.push(&keys, field, text);
        }
        assert_eq!(encoder.encode(&raw, TODAY).map(<[u64]>::to_vec), self::encode(&profile, 1, &fields));
    }
    assert!(Threshold::thousandths(0).is_none());
}

/// SHA-256 of the filters of every record of a public file, under a profile with the changes.
fn digest_of_all(profile: &str) -> String {
    use sha2::Digest as _;
    let keys = MatchKeys::parse(include_str!("../../../policies/match-keys.febrl.toml")).expect("the shipped file");
    let profile = EncodingProfile::parse(profile.as_bytes()).expect("well-formed");
    let mut encoder = ClkEncoder::new(&keys, &profile, TestStream(7)).expect("fits");
    let mut lines = include_str!("../../../tests/data/febrl/dataset4a.csv").lines();
    let fields: Vec<Option<usize>> =
        lines.next().expect("a header").split(',').map(|name| keys.field_index(name.trim())).collect();
    let mut hash = Sha256::new();
    for line in lines {
        let mut raw = RawFields::new();
        let texts = fields.iter().zip(line.split(',').map(str::trim));
        texts.filter_map(|(field, text)| Some(((*field)?, text))).for_each(|(field, text)| raw.push_at(field, text));
        match encoder.encode(&raw, jiff::civil::date(2005, 1, 1)) {
            Some(filter) => filter.iter().for_each(|word| hash.update(word.to_be_bytes())),
            None => hash.update(b"none"),
        }
    }
    hash.finalize().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// The filters of five thousand people stay what they were, bit by bit: those that were sent before have
/// to meet those that are sent now.
#[test]
fn the_filters_of_a_public_file_are_the_published_ones() {
    let shipped = include_str!("../../../policies/clk-profile.febrl.toml").to_owned();
    let folded = shipped.replace("'balance'", "'fold'").replace("\"balance\"", "\"fold\"");
    assert_ne!(folded, shipped);
    let fewer = folded.replace("bits = 1024", "bits = 512");
    assert_ne!(fewer, folded);
    assert_eq!(
        [shipped, folded, fewer].map(|profile| digest_of_all(&profile)),
        [
            "0104d9fbb7822108c3c03d692e2a1e946cf5919b11f12035c5d9583d3bbc97e0",
            "4c55903bfdeb8bd0e4a34015b826fb97ae0e079f3d6a46cd350fa0fe8ae107c0",
            "ce752b11deb9333ad810c07e9225d092e6e87915d638fb18ee12bbf70100b830",
        ]
    );
}
