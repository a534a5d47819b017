//! From the fields of one person to tokens, of every epoch at hand, with the same buffers each time.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::civil::Date;

use super::super::key_file::{EpochTypeKeys, hex};
use crate::domain::ids::TokenType;
use crate::domain::match_keys::{MatchKeys, Tier};
use crate::domain::submission::{EpochKeys, MOST_HOUSEHOLDS, TokensByEpoch};
use crate::domain::token::Token;
use crate::identity::{Derived, Deriver, FieldOutcome, MAX_VALUES_PER_KEY, RawFields};

/// Sixteen bytes that stand for an address: the beginning of its token in the oldest epoch.
pub(in crate::cli::agency) type AddressTag = [u8; 16];

/// Makes tokens. One per thread.
pub struct Minter<'a> {
    /// The token types, each with whether it stands for a household.
    types: Vec<(&'a TokenType, bool)>,
    epochs: &'a [EpochTypeKeys],
    /// The place of each key's name among all, sorted.
    ranks: Vec<u16>,
    by_rank: Vec<usize>,
    deriver: Deriver,
    derived: Derived,
    counts: Vec<usize>,
    minted: Vec<Minted>,
}

#[derive(Clone, Copy)]
struct Minted {
    is_household: bool,
    epoch: u8,
    rank: u16,
    token: Token,
}

impl<'a> Minter<'a> {
    /// Plans the work for a file of match keys and the type keys that [`AgencyKeyFile::type_keys`]
    /// gives for it.
    ///
    /// [`AgencyKeyFile::type_keys`]: super::super::key_file::AgencyKeyFile::type_keys
    pub fn new(keys: &'a MatchKeys, epochs: &'a [EpochTypeKeys]) -> Self {
        let types = keys.keys().iter().map(|key| (&key.name, key.tier == Tier::Household)).collect();
        Self::with(types, epochs, Deriver::new(keys))
    }

    /// Plans the work for the weighed fields of a file, and the type keys that
    /// [`AgencyKeyFile::field_type_keys`] gives for it.
    ///
    /// [`AgencyKeyFile::field_type_keys`]: super::super::key_file::AgencyKeyFile::field_type_keys
    pub fn of_fields(keys: &'a MatchKeys, epochs: &'a [EpochTypeKeys]) -> Self {
        let types = keys.field_levels().map(|(_, level)| (&level.name, false)).collect();
        Self::with(types, epochs, Deriver::of_fields(keys))
    }

    fn with(types: Vec<(&'a TokenType, bool)>, epochs: &'a [EpochTypeKeys], deriver: Deriver) -> Self {
        let mut by_rank: Vec<usize> = (0..types.len()).collect();
        by_rank.sort_by_key(|&key| types[key].0);
        let mut ranks = vec![0; by_rank.len()];
        for (rank, &key) in by_rank.iter().enumerate() {
            ranks[key] = rank as u16;
        }
        let counts = vec![0; by_rank.len()];
        let derived = Derived::default();
        Self { types, epochs, ranks, by_rank, deriver, derived, counts, minted: Vec::new() }
    }

    /// Makes the tokens of one person, at most `most` of them: where former names give more, each
    /// key keeps its surest values.
    pub fn mint(&mut self, raw: &RawFields<'_>, today: Date, with_household: bool, most: usize) {
        self.minted.clear();
        self.deriver.derive(raw, today, &mut self.derived);
        self.counts.fill(0);
        for (key, _) in self.derived.values() {
            self.counts[key] += usize::from(!self.types[key].1);
        }
        let most_a_key = self.most_a_key(most);
        self.counts.fill(0);
        let (mut people, mut households) = (0, 0);
        for (key, value) in self.derived.values() {
            let is_household = self.types[key].1;
            self.counts[key] += 1;
            if (is_household && !with_household) || (!is_household && self.counts[key] > most_a_key) {
                continue;
            }
            for (at, epoch) in self.epochs.iter().enumerate() {
                let Some(type_key) = &epoch.keys[key] else { continue };
                let (count, limit) =
                    if is_household { (&mut households, MOST_HOUSEHOLDS) } else { (&mut people, most) };
                if *count < limit {
                    *count += 1;
                    let token = type_key.token(value);
                    self.minted.push(Minted { is_household, epoch: at as u8, rank: self.ranks[key], token });
                }
            }
        }
        // Stable: the values of one key stay in the order of their sureness.
        self.minted.sort_by_key(|minted| (minted.is_household, minted.epoch, minted.rank));
    }

    fn most_a_key(&self, most: usize) -> usize {
        let total = |cap: usize| self.counts.iter().map(|&count| count.min(cap)).sum::<usize>() * self.epochs.len();
        (1..=MAX_VALUES_PER_KEY).rev().find(|&cap| total(cap) <= most).unwrap_or(1)
    }

    /// How each field was read.
    pub fn fields(&self) -> &[FieldOutcome] {
        self.derived.fields()
    }

    /// How many tokens stand for the person, and how many for the household.
    pub fn count(&self) -> (usize, usize) {
        let households = self.minted.iter().filter(|minted| minted.is_household).count();
        (self.minted.len() - households, households)
    }

    /// The addresses of the person that was minted last, each as a tag.
    pub(in crate::cli::agency) fn addresses(&self) -> impl Iterator<Item = AddressTag> {
        let first = self.minted.iter().find(|minted| minted.is_household).map(|minted| minted.epoch);
        self.minted.iter().filter(move |minted| minted.is_household && Some(minted.epoch) == first).map(|minted| {
            let [tag @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = *minted.token.as_bytes();
            tag
        })
    }

    /// Writes one side of the tokens as JSON: epoch, type, tokens.
    pub fn write(&self, household: bool, out: &mut Vec<u8>) {
        out.push(b'{');
        let mut last: Option<&Minted> = None;
        for minted in self.minted.iter().filter(|minted| minted.is_household == household) {
            match last {
                Some(last) if last.epoch == minted.epoch && last.rank == minted.rank => out.push(b','),
                Some(last) if last.epoch == minted.epoch => {
                    out.extend_from_slice(b"],");
                    self.write_type(minted, out);
                }
                _ => {
                    out.extend_from_slice(if last.is_some() { b"]},\"" } else { b"\"" });
                    write_number(self.epochs[usize::from(minted.epoch)].epoch, out);
                    out.extend_from_slice(b"\":{");
                    self.write_type(minted, out);
                }
            }
            write_token(&minted.token, out);
            last = Some(minted);
        }
        out.extend_from_slice(if last.is_some() { b"]}}" } else { b"}" });
    }

    fn write_type(&self, minted: &Minted, out: &mut Vec<u8>) {
        out.push(b'"');
        // A type's name is a code: nothing in it needs escaping.
        out.extend_from_slice(self.types[self.by_rank[usize::from(minted.rank)]].0.as_str().as_bytes());
        out.extend_from_slice(b"\":[");
    }

    /// One side of the tokens as a request carries them.
    pub(in crate::cli::agency) fn tokens(&self, household: bool) -> TokensByEpoch {
        let mut tokens = TokensByEpoch::new();
        for minted in self.minted.iter().filter(|minted| minted.is_household == household) {
            let name = self.types[self.by_rank[usize::from(minted.rank)]].0.clone();
            let epoch = self.epochs[usize::from(minted.epoch)].epoch;
            tokens.entry(epoch).or_default().entry(name).or_default().push(minted.token);
        }
        tokens
    }
}

/// The key checks of the types that these fields can complete, epoch by epoch.
pub(in crate::cli::agency) fn epoch_keys(
    keys: &MatchKeys,
    epochs: &[EpochTypeKeys],
    has_field: impl Fn(usize) -> bool,
) -> Vec<EpochKeys> {
    let is_complete = |key: usize| keys.keys()[key].components.iter().all(|component| has_field(component.field));
    let checks = |epoch: &EpochTypeKeys| EpochKeys {
        epoch: epoch.epoch,
        key_checks: (0..keys.keys().len())
            .filter(|&key| is_complete(key))
            .filter_map(|key| Some((keys.keys()[key].name.clone(), hex(&epoch.keys[key].as_ref()?.key_check()))))
            .collect(),
    };
    epochs.iter().map(checks).collect()
}

/// Adds the key checks of the weighed fields' types.
pub(super) fn add_field_checks(
    epochs: &mut [EpochKeys],
    keys: &MatchKeys,
    field_keys: &[EpochTypeKeys],
    has_field: impl Fn(usize) -> bool,
) {
    for epoch in epochs {
        let Some(ours) = field_keys.iter().find(|ours| ours.epoch == epoch.epoch) else { continue };
        for ((field, level), key) in keys.field_levels().zip(&ours.keys) {
            if let Some(key) = key.as_ref().filter(|_| has_field(field.field)) {
                epoch.key_checks.insert(level.name.clone(), hex(&key.key_check()));
            }
        }
    }
}

/// Whether one of these types stands for a person.
pub(in crate::cli::agency) fn has_person_type<'k>(
    keys: &MatchKeys,
    mut types: impl Iterator<Item = &'k TokenType>,
) -> bool {
    types.any(|name| keys.key(name).is_some_and(|key| key.tier != Tier::Household))
}

fn write_token(token: &Token, out: &mut Vec<u8>) {
    let mut text = *b"\"0000000000000000000000000000000000000000000\"";
    let written = URL_SAFE_NO_PAD.encode_slice(token.as_bytes(), &mut text[1..44]);
    debug_assert_eq!(written, Ok(43), "32 bytes are 43 characters");
    out.extend_from_slice(&text);
}

pub(super) fn write_number(mut number: u32, out: &mut Vec<u8>) {
    let mut digits = [0; 10];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return out.extend_from_slice(&digits[at..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::agency::key_file::{AgencyKeyFile, LinkageKeyFile};
    use crate::crypto::random::SystemRandom;
    use crate::domain::ids::{AgencyCode, ProgrammeCode};
    use crate::domain::profile::MOST_FIELD_TOKENS;
    use crate::domain::submission::MOST_TOKENS;

    const TODAY: Date = jiff::civil::date(2026, 9, 20);

    fn uk() -> MatchKeys {
        MatchKeys::parse(crate::identity::UK_MATCH_KEYS).expect("the shipped file")
    }

    fn type_keys(keys: &MatchKeys, epochs: &[u32]) -> Vec<EpochTypeKeys> {
        let programme = ProgrammeCode::parse("tff").expect("a code");
        let agency = AgencyCode::parse("education").expect("a code");
        let random = SystemRandom::new();
        let mut file = AgencyKeyFile::generate(programme.clone(), agency, &random);
        for &epoch in epochs {
            file.add(LinkageKeyFile::generate(programme.clone(), epoch, &random).whole()).expect("one programme");
        }
        file.type_keys(keys).expect("whole keys")
    }

    const JOHN: [(&str, &str); 6] = [
        ("nhs", "999 000 0018"),
        ("forename", "John"),
        ("surname", "O'Brien"),
        ("dob", "2009-04-17"),
        ("postcode", "TR1 1AA"),
        ("uprn", "10012345"),
    ];

    fn raw<'t>(keys: &MatchKeys, fields: &[(&str, &'t str)]) -> RawFields<'t> {
        let mut raw = RawFields::new();
        for (field, text) in fields {
            assert!(raw.push(keys, field, text), "{field}");
        }
        raw
    }

    #[test]
    fn what_is_written_by_hand_is_what_serde_writes() {
        let keys = uk();
        for epochs in [&[1][..], &[9, 10]] {
            let epochs = type_keys(&keys, epochs);
            let mut minter = Minter::new(&keys, &epochs);
            let former: Vec<_> = JOHN.into_iter().chain([("surname", "Penrose"), ("postcode", "PL1 1AA")]).collect();
            for fields in [&JOHN[..], &former, &JOHN[..1], &JOHN[5..], &[]] {
                minter.mint(&raw(&keys, fields), TODAY, true, MOST_TOKENS);
                for household in [false, true] {
                    let mut text = Vec::new();
                    minter.write(household, &mut text);
                    let expected = serde_json::to_string(&minter.tokens(household)).expect("plain data");
                    assert_eq!(String::from_utf8(text).expect("ASCII"), expected);
                }
            }
        }
    }

    #[test]
    fn many_former_names_stay_within_the_limit_and_every_key_keeps_its_surest_value() {
        let keys = uk();
        let epochs = type_keys(&keys, &[1, 2]);
        let mut minter = Minter::new(&keys, &epochs);
        let mut fields = JOHN.to_vec();
        fields.extend([("surname", "Penrose"), ("surname", "Trelawny"), ("forename", "Jack"), ("postcode", "PL1 1AA")]);
        fields.extend([("postcode", "EX1 1AA"), ("uprn", "10099999")]);
        minter.mint(&raw(&keys, &JOHN), TODAY, true, MOST_TOKENS);
        let present = minter.tokens(false);
        for most in [MOST_TOKENS, 64] {
            minter.mint(&raw(&keys, &fields), TODAY, true, most);
            let (people, households) = minter.count();
            assert!(people <= most && households == 2, "{people} {households}");
            let tokens = minter.tokens(false);
            for (epoch, types) in &present {
                for (name, values) in types {
                    assert_eq!(tokens[epoch][name][0], values[0], "{name}");
                }
            }
        }
    }

    #[test]
    fn an_address_has_one_tag_whoever_lives_there_and_none_without_a_household() {
        let keys = uk();
        let epochs = type_keys(&keys, &[1, 2]);
        let mut minter = Minter::new(&keys, &epochs);
        minter.mint(&raw(&keys, &JOHN), TODAY, true, MOST_TOKENS);
        let john: Vec<_> = minter.addresses().collect();
        minter.mint(&raw(&keys, &[("uprn", "010012345"), ("nhs", "9990000026")]), TODAY, true, MOST_TOKENS);
        assert_eq!((john.len(), john), (1, minter.addresses().collect()));
        minter.mint(&raw(&keys, &JOHN), TODAY, false, MOST_TOKENS);
        assert_eq!((minter.addresses().count(), minter.count().1), (0, 0));
    }

    #[test]
    fn weighed_fields_give_a_token_for_each_level_under_keys_of_their_own() {
        let keys = uk();
        let (programme, random) = (ProgrammeCode::parse("tff").expect("a code"), SystemRandom::new());
        let agency = AgencyCode::parse("education").expect("a code");
        let mut file = AgencyKeyFile::generate(programme.clone(), agency, &random);
        file.add(LinkageKeyFile::generate(programme, 1, &random).whole()).expect("one programme");
        let epochs = file.field_type_keys(&keys);
        let mut minter = Minter::of_fields(&keys, &epochs);
        minter.mint(&raw(&keys, &JOHN), TODAY, true, MOST_FIELD_TOKENS);
        let tokens = &minter.tokens(false)[&1];
        let of = |name: &str| tokens.get(&TokenType::parse(name).expect("a type")).map_or(0, Vec::len);
        assert_eq!(
            (of("forename_exact"), of("forename_soundex"), of("dob_year-month"), of("uprn_exact")),
            (1, 1, 1, 1)
        );
        assert_eq!((of("upn_exact"), minter.count().1), (0, 0), "no number, no token; an address makes no household");
        let mut checks = vec![EpochKeys { epoch: 1, key_checks: std::collections::BTreeMap::new() }];
        add_field_checks(&mut checks, &keys, &epochs, |_| true);
        assert!(tokens.keys().all(|name| checks[0].key_checks.contains_key(name)));
        assert_eq!(checks[0].key_checks.len(), keys.field_levels().count());
        let mut text = Vec::new();
        minter.write(false, &mut text);
        let expected = serde_json::to_string(&minter.tokens(false)).expect("plain data");
        assert_eq!(String::from_utf8(text).expect("ASCII"), expected);
    }

    #[test]
    fn only_types_that_the_columns_can_complete_have_a_key_check() {
        let keys = uk();
        let epochs = type_keys(&keys, &[1]);
        let fields: Vec<usize> = ["nhs", "dob", "uprn"].map(|name| keys.field_index(name).expect("a field")).to_vec();
        let checks = epoch_keys(&keys, &epochs, |field| fields.contains(&field));
        let names: Vec<&str> = checks[0].key_checks.keys().map(TokenType::as_str).collect();
        assert_eq!(names, ["nhs", "nhs-dob", "uprn"]);
        assert!(checks[0].key_checks.values().all(|check| check.len() == 16));
    }

    #[test]
    fn numbers_are_written_as_they_are() {
        for number in [0, 7, 10, 1_234_567_890, u32::MAX] {
            let mut text = Vec::new();
            write_number(number, &mut text);
            assert_eq!(text, number.to_string().as_bytes());
        }
    }
}
