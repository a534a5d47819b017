//! The agency's side: identifiers, dates, names and addresses are read, normalised and derived into
//! the values of match keys. Version 1 of the normalisation rules (`norm` 1).
//!
//! Everything here runs on the agency's own machine, before the linkage key turns values into
//! tokens; the gateway never uses it. One file per identifier. A value that is missing, a
//! placeholder or wrong gives no match-key value, only a coded outcome for the data-quality report,
//! and no error text ever repeats a value. `tests/vectors/norm-v1.json` states the rules as cases
//! in a form that any language can run; [`self_test`] runs them.
//!
//! ```
//! use porth::domain::match_keys::MatchKeys;
//! use porth::identity::{RawFields, derive};
//!
//! let keys = MatchKeys::parse(porth::identity::UK_MATCH_KEYS).expect("the file is tested");
//! let mut person = RawFields::new();
//! person.push(&keys, "nhs", "999 000 0018");
//! person.push(&keys, "dob", "2009-04-17");
//! let derived = derive(&keys, &person, jiff::civil::date(2026, 9, 20));
//! let names: Vec<&str> = derived.values().map(|(key, _)| keys.keys()[key].name.as_str()).collect();
//! assert_eq!(names, ["nhs-dob", "nhs"]);
//! ```

mod clk;
mod cro;
mod date;
mod derivation;
mod error;
mod generic;
mod household;
mod legacy;
mod match_keys;
mod name;
mod name_words;
mod nhs;
mod nicknames;
mod nino;
mod plan;
mod pnc;
mod postcode;
mod raw;
mod reader;
mod self_test;
mod test_people;
mod text;
mod uln;
mod upn;
mod uprn;
mod variants;

#[cfg(test)]
mod families;

pub use clk::{ClkEncoder, UK_CLK_PROFILE};
pub use cro::CroNumber;
pub use date::{BirthDate, ExpectedDate};
pub use error::{IdentityError, Reason};
pub use generic::{GenericId, normalise_address, normalise_generic_postcode};
pub use legacy::LegacyHash;
pub use match_keys::{Derived, Deriver, FieldOutcome, MAX_VALUES_PER_KEY, derive};
pub use name::{NameForms, NameKind, normalise_name};
pub use nhs::NhsNumber;
pub use nicknames::NICKNAMES_VERSION;
pub use nino::Nino;
pub use pnc::PncId;
pub use postcode::Postcode;
pub use raw::RawFields;
pub use self_test::{SelfTestFailure, self_test};
pub use test_people::{TEST_PEOPLE, TEST_PEOPLE_TODAY, test_people};
pub use uln::Uln;
pub use upn::{PermanentUpn, TemporaryUpn};
pub use uprn::Uprn;

/// The match keys of the United Kingdom programme, as shipped in `policies/match-keys.toml`.
pub const UK_MATCH_KEYS: &str = include_str!("../../policies/match-keys.toml");
