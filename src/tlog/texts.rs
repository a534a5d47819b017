//! The texts that entries rest on: which of them the log names, by which hash, and who signed them.
//!
//! In a bundle every such file is named by its own SHA-256, so that whoever has the log can tell whether a text
//! is the one that was decided by. Fields of the usual names are read whatever an entry's type is.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::digest::Digest;
use crate::domain::time::Timestamp;

/// What a text is. Displayed, it is the name of its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TextKind {
    /// An agreement, as it was signed.
    Agreement,
    /// The programme file.
    Programme,
    /// The match keys.
    MatchKeys,
    /// The rule book: each file's name and bytes, both after their lengths in 8 bytes, big-endian, by name.
    Rules,
    /// The agencies' files: a line `name SHA-256` for each, by name.
    Agencies,
    /// One agency's file, which such a line names.
    Agency,
}

impl fmt::Display for TextKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Agreement => "agreement",
            Self::Programme => "programme",
            Self::MatchKeys => "match_keys",
            Self::Rules => "rules",
            Self::Agencies => "agencies",
            Self::Agency => "agency",
        })
    }
}

/// Where a text is named for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstNamed {
    /// The entry's index.
    pub index: u64,
    /// When it was written.
    pub at: Option<Timestamp>,
}

/// A party's signature under a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureNamed {
    /// The entry that records it.
    pub index: u64,
    /// The key, by its identifier.
    pub key: String,
    /// The hash of the signature.
    pub sha256: Digest,
}

/// Every text that entries name.
#[derive(Debug, Clone, Default)]
pub struct NamedTexts {
    /// What is named, and where first.
    pub texts: BTreeMap<(TextKind, Digest), FirstNamed>,
    /// The newest signature of each party under each text: an earlier one made place for it.
    pub signatures: BTreeMap<(Digest, String), SignatureNamed>,
    /// The hash of each signatory's public key, by its identifier, as it was enrolled.
    pub signatories: BTreeMap<String, Digest>,
}

impl NamedTexts {
    /// Takes note of what one entry names: its type, its time and its body.
    pub fn add(&mut self, index: u64, (kind, at, body): (&str, &str, &str)) {
        let Ok(body) = serde_json::from_str::<Value>(body) else { return };
        let first = FirstNamed { index, at: at.parse().ok() };
        self.walk(&body, first);
        let digest = |value: &Value| value.as_str().and_then(|text| Digest::parse(text).ok());
        let word = |name: &str| body[name].as_str().map(str::to_owned);
        match kind {
            "agreement.signature" => {
                let (text, sha256) = (digest(&body["sha256"]), digest(&body["signature_sha256"]));
                if let (Some(text), Some(party), Some(key), Some(sha256)) = (text, word("party"), word("key"), sha256) {
                    self.signatures.insert((text, party), SignatureNamed { index, key, sha256 });
                    self.name(TextKind::Agreement, text, first);
                }
            }
            "key.event" if body["used_for"] == "signatory" => {
                if let (Some(key), Some(sha256)) = (word("key"), digest(&body["public_sha256"])) {
                    self.signatories.insert(key, sha256);
                }
            }
            "policy.load" => {
                let loaded = body["agreements"].as_array().into_iter().flatten();
                for text in loaded.filter_map(|loaded| digest(&loaded["sha256"])) {
                    self.name(TextKind::Agreement, text, first);
                }
            }
            _ => {}
        }
    }

    fn name(&mut self, kind: TextKind, sha256: Digest, first: FirstNamed) {
        self.texts.entry((kind, sha256)).or_insert(first);
    }

    /// Fields of the usual names, however deep they lie.
    fn walk(&mut self, value: &Value, first: FirstNamed) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let kind = match name.as_str() {
                        "agreement_sha256" | "supply_sha256" => Some(TextKind::Agreement),
                        "programme_sha256" => Some(TextKind::Programme),
                        "match_keys_sha256" => Some(TextKind::MatchKeys),
                        "rules_sha256" => Some(TextKind::Rules),
                        "agencies_sha256" => Some(TextKind::Agencies),
                        _ => None,
                    };
                    match (kind, value.as_str().and_then(|text| Digest::parse(text).ok())) {
                        (Some(kind), Some(sha256)) => self.name(kind, sha256, first),
                        _ => self.walk(value, first),
                    }
                }
            }
            Value::Array(list) => list.iter().for_each(|value| self.walk(value, first)),
            _ => {}
        }
    }
}

/// The hashes of the agencies' files in the list of them; `None` when it is no such list.
pub fn agencies_in(list: &[u8]) -> Option<Vec<Digest>> {
    let text = std::str::from_utf8(list).ok()?;
    text.lines().map(|line| Digest::parse(line.split_once(' ')?.1).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::canonical;
    use crate::tlog::testing::{self, ORIGIN};

    #[test]
    fn what_entries_rest_on_is_found_with_the_entry_that_named_it_first() {
        let mut named = NamedTexts::default();
        for (number, body) in testing::bodies().into_iter().enumerate() {
            let entry = testing::render(ORIGIN, number, body);
            let envelope = canonical::envelope(&entry).expect("an entry");
            named.add(number as u64, (envelope.kind, envelope.at, envelope.body));
        }
        for (kind, text) in [
            (TextKind::Agreement, &b"agreement"[..]),
            (TextKind::Agreement, b"schools"),
            (TextKind::Programme, b"programme"),
            (TextKind::MatchKeys, b"match keys"),
            (TextKind::Rules, b"rules"),
            (TextKind::Agencies, b"agencies"),
        ] {
            let first = named.texts.get(&(kind, Digest::of(text))).copied();
            assert_eq!(first.map(|first| (first.index, first.at)), Some((0, Some(testing::at(0)))), "{kind}");
        }
        let signature = &named.signatures[&(Digest::of(b"agreement"), "schools".to_owned())];
        assert_eq!(signature.sha256, Digest::of(b"signature"));
        assert!(!named.signatories.contains_key("checkpoint-2026"), "a key of the log is no signatory's");
    }

    #[test]
    fn a_list_of_agencies_files_names_each() {
        let digest = Digest::of(b"x");
        assert_eq!(agencies_in(format!("a {digest}\nb {digest}\n").as_bytes()), Some(vec![digest; 2]));
        assert_eq!(agencies_in(b"a b\n"), None);
    }
}
