//! How the values of one key are put together from the forms of its parts.

use super::derivation::derive_into;
use super::match_keys::{Derived, MAX_VALUES_PER_KEY, Value};
use super::variants::{Grade, Variants};
use crate::domain::match_keys::{Derivation, MAX_COMPONENTS, Tier};

/// A key, with its components as indices of parts.
pub(super) struct Plan {
    pub(super) parts: Vec<usize>,
    /// Which of `parts` are names to be sorted.
    pub(super) sorted: Vec<usize>,
    /// A key of one component is its bytes alone, without a length.
    pub(super) is_single: bool,
    pub(super) tier: Tier,
}

/// A field and derivation that one or more keys use, with the values in the present record.
pub(super) struct Part {
    pub(super) field: usize,
    pub(super) derivation: Derivation,
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

impl Part {
    pub(super) fn new(field: usize, derivation: Derivation) -> Self {
        Self { field, derivation, bytes: Vec::new(), values: Vec::new(), linking: 0 }
    }

    pub(super) fn fill(&mut self, variants: &Variants, scratch: &mut Vec<u8>) {
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
    pub(super) fn emit(&self, key: u16, parts: &[Part], derived: &mut Derived) {
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
