//! Invented people, and their tokens under the test's linkage key.

use porth::crypto::token::{LinkageKey, TypeKey};
use porth::domain::ids::{ProgrammeCode, TokenType};
use porth::domain::token::encode_base64url;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::gateway::{EPOCH, PROGRAMME, hexadecimal};

const NORM: u16 = 1;
/// The token types that the tests use: one that links, one that stands for an address.
pub(crate) const LINKING: &str = "k3";
pub(crate) const ADDRESS: &str = "uprn";

/// An invented person at an invented address.
#[derive(Clone, Copy)]
pub(crate) struct Person {
    pub(crate) name: &'static str,
    pub(crate) address: &'static str,
}

impl Person {
    pub(crate) const fn new(name: &'static str, address: &'static str) -> Self {
        Self { name, address }
    }

    /// A record of the person with one flag, as at the day of its file.
    pub(crate) fn record(&self, linkage: &LinkageKey, role: &str, flags: Value) -> Value {
        json!({
            "ref": reference(self.name), "role": role, "tokens": self.tokens(linkage),
            "household": { EPOCH.to_string(): { ADDRESS: [token(linkage, ADDRESS, self.address)] } },
            "flags": flags,
        })
    }

    /// The person's linking tokens.
    pub(crate) fn tokens(&self, linkage: &LinkageKey) -> Value {
        json!({ EPOCH.to_string(): { LINKING: [token(linkage, LINKING, self.name)] } })
    }
}

/// A flag that began at the start of this school year.
pub(crate) fn flag(criterion: &str, state: &str) -> Value {
    json!({ "criterion": criterion, "state": state, "from": "2026-09-03" })
}

/// The header's entry of the test's epoch.
pub(crate) fn epoch(linkage: &LinkageKey) -> Value {
    let check = |name: &str| hexadecimal(&type_key(linkage, name).key_check());
    json!({ "epoch": EPOCH, "key_checks": { LINKING: check(LINKING), ADDRESS: check(ADDRESS) } })
}

/// A whole file: header, rows, end line.
pub(crate) fn file(header: &Value, rows: &[Value]) -> String {
    let end = json!({ "end": rows.len() });
    let lines = std::iter::once(header).chain(rows).chain([&end]);
    lines.fold(String::new(), |file, line| file + &line.to_string() + "\n")
}

/// A question of the Early Help Hub.
pub(crate) fn question(linkage: &LinkageKey, mode: &str, person: &Person) -> Value {
    json!({
        "programme": PROGRAMME, "agreement": "early-help-core/v1", "purpose": "early-help-screening", "mode": mode,
        "relationship": "referral", "role": "hub-screener", "case": reference("case"), "user": reference("user"),
        "scheme": "pt1", "norm": NORM, "epochs": [epoch(linkage)], "tokens": person.tokens(linkage),
    })
}

/// An agency's keyed reference; here of a name that nobody has.
pub(crate) fn reference(name: &str) -> String {
    encode_base64url(&Sha256::digest(name)[..16])
}

/// A token of a value.
pub(crate) fn token(linkage: &LinkageKey, token_type: &str, value: &str) -> String {
    type_key(linkage, token_type).token(value.as_bytes()).to_text()
}

/// The key of a token type.
pub(crate) fn type_key(linkage: &LinkageKey, token_type: &str) -> TypeKey {
    let programme = ProgrammeCode::parse(PROGRAMME).expect("a code");
    TypeKey::derive(linkage, &programme, EPOCH, &TokenType::parse(token_type).expect("a type"), NORM)
}
