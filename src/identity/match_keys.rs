//! From the fields of one record to the values of its match keys.

use std::fmt;

use jiff::civil::Date;
use zeroize::Zeroize as _;

use super::error::{IdentityError, Reason};
use super::plan::{Part, Plan};
use super::raw::RawFields;
use super::reader::Reader;
use super::variants::Variants;
use crate::domain::match_keys::{Component, FieldLevel, FieldTokens, MatchKeys, Normaliser, Tier};

/// The most values that one record gives for one key, alternates and former names included.
pub const MAX_VALUES_PER_KEY: usize = 8;

/// The values of one record's match keys, and how each of its fields was read.
///
/// The values are identifying until a keyed token replaces them: they are wiped when dropped, and
/// `Debug` shows counts alone.
#[derive(Default)]
pub struct Derived {
    pub(super) bytes: Vec<u8>,
    pub(super) values: Vec<Value>,
    fields: Vec<FieldOutcome>,
}

#[derive(Clone, Copy)]
pub(super) struct Value {
    pub(super) key: u16,
    pub(super) start: u32,
    pub(super) end: u32,
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
    scratch: Vec<u8>,
}

/// How a field is read, and the parts that are taken of it.
struct FieldPlan {
    normaliser: Normaliser,
    parts: Vec<usize>,
}

impl Deriver {
    /// Plans the work for the levels of a file's weighed fields: what it derives are then values of
    /// [`MatchKeys::field_levels`], by their place there.
    pub fn of_fields(keys: &MatchKeys) -> Self {
        let component = |(field, level): (&FieldTokens, &FieldLevel)| Component {
            field: field.field,
            derivation: level.derivation,
        };
        let mut parts: Vec<Part> = Vec::new();
        let mut plans = Vec::new();
        for (at, component) in keys.field_levels().map(component).enumerate() {
            parts.push(Part::new(component.field, component.derivation));
            // As for a key that links: a form that others of the household share is none of the person's.
            plans.push(Plan { is_single: true, parts: vec![at], sorted: Vec::new(), tier: Tier::Link });
        }
        Self::planned(keys, plans, parts)
    }

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
        Self::planned(keys, plans, parts)
    }

    fn planned(keys: &MatchKeys, plans: Vec<Plan>, parts: Vec<Part>) -> Self {
        let fields = keys.fields().iter().enumerate().map(|(at, field)| FieldPlan {
            normaliser: field.normaliser,
            parts: (0..parts.len()).filter(|&part| parts[part].field == at).collect(),
        });
        let fields = fields.collect();
        Self { fields, plans, parts, reader: Reader::default(), variants: Variants::default(), scratch: Vec::new() }
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
                self.parts[part].fill(&self.variants, &mut self.scratch);
            }
            derived.fields.push(outcome);
        }
        for (key, plan) in self.plans.iter().enumerate() {
            plan.emit(key as u16, &self.parts, derived);
        }
    }
}

#[cfg(test)]
mod tests {
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
}
