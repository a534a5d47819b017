//! From the fields of one record to the values of its match keys.

use std::fmt;

use jiff::civil::Date;
use zeroize::Zeroize as _;

use super::cro::CroNumber;
use super::date::{BirthDate, ExpectedDate};
use super::derivation::derive_into;
use super::error::{IdentityError, Reason};
use super::generic::{GenericId, normalise_address, normalise_generic_postcode};
use super::name::{NameKind, NameReader};
use super::nhs::NhsNumber;
use super::nino::Nino;
use super::pnc::PncId;
use super::postcode::Postcode;
use super::raw::RawFields;
use super::text::ascii;
use super::uln::Uln;
use super::upn::{PermanentUpn, TemporaryUpn};
use super::uprn::Uprn;
use super::variants::{Grade, Variants};
use crate::domain::match_keys::{Derivation, MAX_COMPONENTS, MatchKeys, Normaliser, Tier};

/// The most values that one record gives for one key, alternates and former names included.
pub const MAX_VALUES_PER_KEY: usize = 8;

/// The values of one record's match keys, and how each of its fields was read.
///
/// The values are identifying until a keyed token replaces them: they are wiped when dropped, and
/// `Debug` shows counts alone.
#[derive(Default)]
pub struct Derived {
    bytes: Vec<u8>,
    values: Vec<Value>,
    fields: Vec<FieldOutcome>,
}

#[derive(Clone, Copy)]
struct Value {
    key: u16,
    start: u32,
    end: u32,
}

/// How the texts of one field were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldOutcome {
    /// The index of the field in [`MatchKeys::fields`].
    pub field: usize,
    /// How many texts gave a value.
    pub accepted: usize,
    /// Why the first text that gave none was refused. A field without any text is missing without
    /// an error of its kind.
    pub refused: Option<IdentityError>,
}

impl FieldOutcome {
    /// `None` if a text was accepted and none refused, else the class of what was wrong.
    pub fn reason(&self) -> Option<Reason> {
        match self.refused {
            Some(error) => Some(error.reason()),
            None => (self.accepted == 0).then_some(Reason::Missing),
        }
    }
}

impl Derived {
    /// The values in the order of the keys: the index of the key in [`MatchKeys::keys`], and the
    /// bytes that its token is made of. Several values of one key differ.
    pub fn values(&self) -> impl Iterator<Item = (usize, &[u8])> {
        self.values.iter().map(|value| (usize::from(value.key), &self.bytes[value.start as usize..value.end as usize]))
    }

    /// How each declared field was read, in the order of [`MatchKeys::fields`].
    pub fn fields(&self) -> &[FieldOutcome] {
        &self.fields
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.values.clear();
        self.fields.clear();
    }
}

impl Drop for Derived {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl fmt::Debug for Derived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Derived")
            .field("values", &self.values.len())
            .field("fields", &self.fields)
            .finish_non_exhaustive()
    }
}

/// Derives the values of one record. For many records make one [`Deriver`] and use it again.
pub fn derive(keys: &MatchKeys, raw: &RawFields<'_>, today: Date) -> Derived {
    let mut derived = Derived::default();
    Deriver::new(keys).derive(raw, today, &mut derived);
    derived
}

/// Derives record after record with the same buffers. One per thread.
pub struct Deriver {
    fields: Vec<FieldPlan>,
    plans: Vec<Plan>,
    parts: Vec<Part>,
    reader: Reader,
    variants: Variants,
}

/// How a field is read, and the parts that are taken of it.
struct FieldPlan {
    normaliser: Normaliser,
    parts: Vec<usize>,
}

/// A key, with its components as indices of parts.
struct Plan {
    parts: Vec<usize>,
    /// Which of `parts` are names to be sorted.
    sorted: Vec<usize>,
    /// A key of one component is its bytes alone, without a length.
    is_single: bool,
    tier: Tier,
}

/// A field and derivation that one or more keys use, with the values in the present record.
struct Part {
    field: usize,
    derivation: Derivation,
    bytes: Vec<u8>,
    values: Vec<PartValue>,
    /// How many of `values`, from the first, may link.
    linking: usize,
}

#[derive(Clone, Copy)]
struct PartValue {
    start: u32,
    end: u32,
    is_current: bool,
}

impl Deriver {
    /// Plans the work for a file of match keys.
    pub fn new(keys: &MatchKeys) -> Self {
        let mut parts: Vec<Part> = Vec::new();
        let plans = keys.keys().iter().map(|key| {
            let mut indices = Vec::with_capacity(key.components.len());
            for component in &key.components {
                let same = |part: &Part| part.field == component.field && part.derivation == component.derivation;
                indices.push(parts.iter().position(same).unwrap_or_else(|| {
                    parts.push(Part::new(component.field, component.derivation));
                    parts.len() - 1
                }));
            }
            let is_name = |at: &usize| keys.fields()[key.components[*at].field].normaliser.is_name();
            let sorted = if key.any_order { (0..key.components.len()).filter(is_name).collect() } else { Vec::new() };
            Plan { is_single: indices.len() == 1, parts: indices, sorted, tier: key.tier }
        });
        let plans = plans.collect();
        let fields = keys.fields().iter().enumerate().map(|(at, field)| FieldPlan {
            normaliser: field.normaliser,
            parts: (0..parts.len()).filter(|&part| parts[part].field == at).collect(),
        });
        let fields = fields.collect();
        Self { fields, plans, parts, reader: Reader::default(), variants: Variants::default() }
    }

    /// Replaces what is in `derived` by the values of a record.
    ///
    /// `today` is the day against which ages and future dates are judged.
    pub fn derive(&mut self, raw: &RawFields<'_>, today: Date, derived: &mut Derived) {
        derived.clear();
        for (field, plan) in self.fields.iter().enumerate() {
            self.variants.clear();
            let mut outcome = FieldOutcome { field, accepted: 0, refused: None };
            for (position, text) in raw.of(field).enumerate() {
                match self.reader.read(plan.normaliser, text, position == 0, today, &mut self.variants) {
                    Ok(()) => outcome.accepted += 1,
                    Err(error) => outcome.refused = outcome.refused.or(Some(error)),
                }
            }
            self.variants.sort();
            for &part in &plan.parts {
                self.parts[part].fill(&self.variants, &mut self.reader.derived);
            }
            derived.fields.push(outcome);
        }
        for (key, plan) in self.plans.iter().enumerate() {
            plan.emit(key as u16, &self.parts, derived);
        }
    }
}

impl Part {
    fn new(field: usize, derivation: Derivation) -> Self {
        Self { field, derivation, bytes: Vec::new(), values: Vec::new(), linking: 0 }
    }

    fn fill(&mut self, variants: &Variants, scratch: &mut Vec<u8>) {
        self.bytes.clear();
        self.values.clear();
        self.linking = 0;
        for (value, span) in variants.iter() {
            if !derive_into(value, self.derivation, scratch) {
                continue;
            }
            let known = self.values.iter().position(|known| self.value(*known) == scratch.as_slice());
            if let Some(known) = known {
                self.values[known].is_current |= span.is_current;
                continue;
            }
            if self.values.len() == MAX_VALUES_PER_KEY {
                break;
            }
            let start = self.bytes.len() as u32;
            self.bytes.extend_from_slice(scratch);
            self.values.push(PartValue { start, end: self.bytes.len() as u32, is_current: span.is_current });
            if span.grade != Grade::Suggest {
                self.linking = self.values.len();
            }
        }
    }

    fn value(&self, value: PartValue) -> &[u8] {
        &self.bytes[value.start as usize..value.end as usize]
    }
}

impl Plan {
    /// Adds the key's values: first of the surest forms alone, then with one other form, and so on.
    fn emit(&self, key: u16, parts: &[Part], derived: &mut Derived) {
        let mut counts = [0; MAX_COMPONENTS];
        let mut furthest = 0;
        for (count, &part) in counts.iter_mut().zip(&self.parts) {
            let part = &parts[part];
            *count = match self.tier {
                Tier::Link => part.linking,
                Tier::Suggest => part.values.len(),
                // Only the address that is current, in its surest form.
                Tier::Household => usize::from(part.linking > 0 && part.values[0].is_current),
            };
            if *count == 0 {
                return;
            }
            furthest += *count - 1;
        }
        let first = derived.values.len();
        let mut chosen = [0; MAX_COMPONENTS];
        if furthest == 0 {
            self.write(key, parts, &chosen, first, derived); // nearly every key of nearly every record
            return;
        }
        for distance in 0..=furthest {
            if !self.choose(0, distance, &counts, &mut chosen, key, parts, first, derived) {
                return;
            }
        }
    }

    /// Chooses forms whose ranks add up to `distance`; `false` once the key has its share of values.
    #[expect(clippy::too_many_arguments, reason = "a recursion over fixed tables, called once")]
    fn choose(
        &self,
        at: usize,
        distance: usize,
        counts: &[usize; MAX_COMPONENTS],
        chosen: &mut [usize; MAX_COMPONENTS],
        key: u16,
        parts: &[Part],
        first: usize,
        derived: &mut Derived,
    ) -> bool {
        if at == self.parts.len() {
            self.write(key, parts, chosen, first, derived);
            return derived.values.len() - first < MAX_VALUES_PER_KEY;
        }
        let rest: usize = counts[at + 1..self.parts.len()].iter().map(|count| count - 1).sum();
        for rank in distance.saturating_sub(rest)..counts[at].min(distance + 1) {
            chosen[at] = rank;
            if !self.choose(at + 1, distance - rank, counts, chosen, key, parts, first, derived) {
                return false;
            }
        }
        true
    }

    fn write(&self, key: u16, parts: &[Part], chosen: &[usize; MAX_COMPONENTS], first: usize, derived: &mut Derived) {
        let start = derived.bytes.len();
        let value = |at: usize| {
            let part = &parts[self.parts[at]];
            part.value(part.values[chosen[at]])
        };
        if self.is_single {
            derived.bytes.extend_from_slice(value(0));
        } else if self.sorted.is_empty() {
            for at in 0..self.parts.len() {
                push_with_length(value(at), &mut derived.bytes);
            }
        } else {
            let mut names = [&[][..]; MAX_COMPONENTS];
            for (name, &at) in names.iter_mut().zip(&self.sorted) {
                *name = value(at);
            }
            let names = &mut names[..self.sorted.len()];
            names.sort_unstable();
            let mut names = names.iter();
            for at in 0..self.parts.len() {
                let name = if self.sorted.contains(&at) { names.next() } else { None };
                push_with_length(name.unwrap_or(&value(at)), &mut derived.bytes);
            }
        }
        let (known, new) = derived.bytes.split_at(start);
        let is_known =
            derived.values[first..].iter().any(|value| &known[value.start as usize..value.end as usize] == new);
        if is_known {
            derived.bytes.truncate(start);
        } else {
            derived.values.push(Value { key, start: start as u32, end: derived.bytes.len() as u32 });
        }
    }
}

/// A normalised value is far below 65,536 bytes: every reader bounds its text.
fn push_with_length(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Reads a text by its declared normaliser.
#[derive(Default)]
pub(super) struct Reader {
    names: NameReader,
    line: String,
    derived: Vec<u8>,
}

impl Reader {
    pub(super) fn read(
        &mut self,
        normaliser: Normaliser,
        text: &str,
        is_current: bool,
        today: Date,
        out: &mut Variants,
    ) -> Result<(), IdentityError> {
        let mut push = |value: &str| out.push(value, Grade::Primary, is_current);
        match normaliser {
            Normaliser::Nhs => push(NhsNumber::parse(text)?.as_str()),
            Normaliser::Upn => push(PermanentUpn::parse(text)?.as_str()),
            Normaliser::TemporaryUpn => push(TemporaryUpn::parse(text)?.as_str()),
            Normaliser::Nino => push(Nino::parse(text)?.as_str()),
            Normaliser::Uln => push(Uln::parse(text)?.as_str()),
            Normaliser::Pnc => push(PncId::parse(text, today.year())?.as_str()),
            Normaliser::Cro => push(CroNumber::parse(text)?.as_str()),
            Normaliser::Uprn => push(Uprn::parse(text)?.as_str()),
            Normaliser::Postcode => push(Postcode::parse(text)?.as_str()),
            Normaliser::Date(format) => push(ascii(&BirthDate::parse(text, format, today)?.to_bytes())),
            Normaliser::ExpectedDate(format) => push(ascii(&ExpectedDate::parse(text, format, today)?.to_bytes())),
            Normaliser::GenericId => push(GenericId::parse(text)?.as_str()),
            Normaliser::GenericPostcode => {
                normalise_generic_postcode(text, &mut self.line)?;
                push(&self.line);
            }
            Normaliser::FreeAddress => {
                normalise_address(text, &mut self.line)?;
                push(&self.line);
            }
            Normaliser::Forename => self.names.read(text, NameKind::Forename, is_current, out)?,
            Normaliser::Surname => self.names.read(text, NameKind::Surname, is_current, out)?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::ids::TokenType;
    use crate::identity::UK_MATCH_KEYS;

    const TODAY: Date = jiff::civil::date(2026, 9, 20);

    fn values(key: &str, fields: &[(&str, &str)]) -> Vec<String> {
        let keys = MatchKeys::parse(UK_MATCH_KEYS).expect("the shipped file");
        let mut raw = RawFields::new();
        for (field, text) in fields {
            assert!(raw.push(&keys, field, text), "{field}");
        }
        let name = TokenType::parse(key).expect("a type");
        let wanted = keys.keys().iter().position(|key| key.name == name).expect("a key of the file");
        let derived = derive(&keys, &raw, TODAY);
        let values = derived.values().filter(|(key, _)| *key == wanted);
        values.map(|(_, bytes)| bytes.escape_ascii().to_string()).collect()
    }

    const JOHN: [(&str, &str); 4] =
        [("forename", "John"), ("surname", "O’Brien"), ("dob", "2009-04-17"), ("postcode", "tr11aa")];

    #[test]
    fn the_key_of_the_published_token_is_derived_byte_for_byte() {
        let keys = MatchKeys::parse(UK_MATCH_KEYS).expect("the shipped file");
        let mut raw = RawFields::new();
        for (field, text) in JOHN {
            raw.push(&keys, field, text);
        }
        let k3 = keys.keys().iter().position(|key| key.name.as_str() == "k3").expect("k3");
        let derived = derive(&keys, &raw, TODAY);
        let (_, value) = derived.values().find(|(key, _)| *key == k3).expect("complete");
        assert_eq!(value, b"\x00\x04JOHN\x00\x06OBRIEN\x00\x0a2009-04-17\x00\x07TR1 1AA");
    }

    #[test]
    fn a_component_that_is_missing_dummy_or_wrong_gives_no_value() {
        for (field, text) in [("dob", ""), ("dob", "1900-01-01"), ("postcode", "ZZ99 3VZ"), ("forename", "Baby")] {
            let fields: Vec<_> =
                JOHN.iter().map(|(name, good)| (*name, if *name == field { text } else { good })).collect();
            assert!(values("k3", &fields).is_empty(), "{field}");
        }
    }

    #[test]
    fn former_names_and_postcodes_give_further_values_up_to_a_cap() {
        let mut fields = JOHN.to_vec();
        fields.extend([("surname", "Penrose"), ("postcode", "PL1 1AA")]);
        let k3 = values("k3", &fields);
        assert_eq!(k3.len(), 4);
        assert!(k3[0].contains("OBRIEN") && k3[0].contains("TR1"), "the current ones come first");
        fields.extend([("surname", "Tre-Pol-Pen"), ("postcode", "EX1 1AA")]);
        let many = values("k3", &fields);
        assert_eq!(many.len(), MAX_VALUES_PER_KEY);
        assert_eq!(many[0], k3[0]);
    }

    #[test]
    fn a_former_address_makes_no_household() {
        assert_eq!(values("uprn", &[("uprn", "10012345"), ("uprn", "10099999")]), ["000010012345"]);
        assert!(values("uprn", &[("uprn", "unknown"), ("uprn", "10099999")]).is_empty());
    }

    #[test]
    fn swapped_names_give_one_value_and_initials_link_nobody() {
        let dated = |forename, surname| {
            [
                ("forename", forename),
                ("surname", surname),
                ("dob", "2009-04-17"),
                ("uprn", "10012345"),
                ("postcode", "TR1 1AA"),
            ]
        };
        assert_eq!(values("k7", &dated("Paul", "John")), values("k7", &dated("John", "Paul")));
        assert!(!values("k7", &dated("Paul", "John")).is_empty());
        assert!(values("k3", &dated("J.", "Paul")).is_empty());
        assert!(values("k4", &dated("J.", "Paul")).is_empty());
    }

    #[test]
    fn an_adopted_child_can_be_cut_from_the_former_name() {
        let keys = MatchKeys::parse(UK_MATCH_KEYS).expect("the shipped file");
        let mut raw = RawFields::new();
        for (field, text) in [("surname", "New"), ("nhs", "9990000018"), ("surname", "Old"), ("nhs", "9434765919")] {
            raw.push(&keys, field, text);
        }
        raw.keep_current_only();
        let derived = derive(&keys, &raw, TODAY);
        assert_eq!(derived.values().map(|(_, bytes)| bytes).collect::<Vec<_>>(), [b"9990000018"]);
    }

    #[test]
    fn outcomes_say_what_was_wrong_and_never_the_value() {
        let keys = MatchKeys::parse(UK_MATCH_KEYS).expect("the shipped file");
        let mut raw = RawFields::new();
        raw.push(&keys, "nhs", "9434765918");
        raw.push(&keys, "dob", "2009-04-17");
        let derived = derive(&keys, &raw, TODAY);
        let outcome = |name| derived.fields()[keys.field_index(name).expect("declared")];
        assert_eq!(outcome("nhs").refused.map(IdentityError::code), Some("nhs.check_digit"));
        assert_eq!(outcome("nhs").reason(), Some(Reason::Invalid));
        assert_eq!((outcome("dob").reason(), outcome("upn").reason()), (None, Some(Reason::Missing)));
        let shown = format!("{derived:?} {raw:?}");
        assert!(!shown.contains("9434765918") && !shown.contains("2009"), "{shown}");
    }

    #[test]
    fn a_typical_record_has_about_ten_tokens_that_link_or_place() {
        let keys = MatchKeys::parse(UK_MATCH_KEYS).expect("the shipped file");
        let mut raw = RawFields::new();
        for (field, text) in JOHN {
            raw.push(&keys, field, text);
        }
        for (field, text) in [("nhs", "9990000018"), ("upn", "B801200005001"), ("uprn", "10012345")] {
            raw.push(&keys, field, text);
        }
        let derived = derive(&keys, &raw, TODAY);
        let tiers = derived.values().map(|(key, _)| keys.keys()[key].tier);
        let count = tiers.filter(|tier| *tier != Tier::Suggest).count();
        assert!((8..=12).contains(&count), "{count}");
    }

    #[test]
    fn buffers_used_again_carry_nothing_over() {
        let keys = MatchKeys::parse(UK_MATCH_KEYS).expect("the shipped file");
        let mut deriver = Deriver::new(&keys);
        let mut derived = Derived::default();
        let mut full = RawFields::new();
        for (field, text) in JOHN {
            full.push(&keys, field, text);
        }
        deriver.derive(&full, TODAY, &mut derived);
        assert!(derived.values().count() > 0);
        deriver.derive(&RawFields::new(), TODAY, &mut derived);
        assert_eq!(derived.values().count(), 0);
    }

    const NORMALISERS: [&str; 16] = [
        "nhs",
        "upn",
        "temporary-upn",
        "nino",
        "uln",
        "pnc",
        "cro",
        "uprn",
        "postcode",
        "date:iso",
        "date:yyyymmdd",
        "date:dmy",
        "generic-id",
        "generic-postcode",
        "free-address",
        "expected-date:iso",
    ];

    fn read(name: &str, text: &str) -> Result<Vec<String>, IdentityError> {
        let mut variants = Variants::default();
        let normaliser = Normaliser::parse(name).expect("a normaliser");
        Reader::default().read(normaliser, text, true, TODAY, &mut variants)?;
        Ok(variants.iter().map(|(value, _)| value.to_owned()).collect())
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_being_repeated(text in "\\PC{0,40}|[0-9A-Za-z/ -]{4,16}|\\d{10}") {
            for name in NORMALISERS.iter().chain(&["forename", "surname"]) {
                match read(name, &text) {
                    Ok(values) => prop_assert!(values.iter().all(|value| !value.is_empty())),
                    Err(error) => {
                        let shown = format!("{error} {error:?}");
                        prop_assert!(text.trim().len() < 9 || !shown.contains(text.trim()), "{}", name);
                    }
                }
            }
        }

        #[test]
        fn normalising_twice_is_normalising_once(text in "[0-9A-Za-z/ -]{2,16}|\\d{8,12}|[A-Z]{2}\\d{6}[A-D]?|[A-Z]{1,2}\\d{1,2}[A-Z]? ?\\d[A-Z]{2}|20[012]\\d-0\\d-[012]\\d|SF\\d\\d/\\d{1,5}[A-Z]|\\d\\d/\\d{1,5}[A-Z]") {
            for name in NORMALISERS.iter().filter(|name| !matches!(**name, "date:dmy" | "date:yyyymmdd")) {
                if let Ok(once) = read(name, &text) {
                    prop_assert_eq!(read(name, &once[0]), Ok(once.clone()), "{}", name);
                }
            }
        }
    }
}
