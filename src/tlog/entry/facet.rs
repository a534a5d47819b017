//! What an entry can be found by, derived from its bytes and from nothing else.
//!
//! Types that this version does not know have facets too: fields of the usual names are read whatever
//! the type is.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;

use super::super::canonical;
use super::{Code, EntryError};
use crate::tlog::digest::Digest;

macro_rules! facets {
    ($($(#[$doc:meta])* $name:ident = $word:literal;)*) => {
        /// One way to narrow a search.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Facet {$(
            $(#[$doc])*
            $name,
        )*}

        impl Facet {
            /// All of them; the one that narrows most, as a rule, first.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The word in queries and in the index.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }
        }
    };
}

facets! {
    /// A rule that withheld something, or the code of a refusal.
    Rule = "rule";
    /// A legal power under which something was decided.
    Power = "power";
    /// An agreement version that the entry names.
    Agreement = "agreement";
    /// An agency that asked, supplied, signed, delivered or was decided about.
    Agency = "agency";
    /// A criteria area that was decided about, or another item such as `lead`.
    Area = "area";
    /// What it was for.
    Purpose = "purpose";
    /// In which role.
    Role = "role";
    /// `answered` or `refused`.
    Outcome = "outcome";
    /// The entry type.
    Kind = "type";
}

impl fmt::Display for Facet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A supply term or receive clause that an entry names, in a text that it names by its hash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TermNamed {
    /// The hash of the agreement's text.
    pub text: [u8; 32],
    /// The term's code in it.
    pub term: String,
}

/// Everything that an entry can be found by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facets {
    /// Facet and value.
    pub values: BTreeSet<(Facet, String)>,
    /// The terms that say under which powers it was decided; the texts are kept outside the log.
    pub terms: BTreeSet<TermNamed>,
}

impl Facets {
    /// Reads them from an entry's bytes.
    ///
    /// # Errors
    ///
    /// [`EntryError`] when the bytes are not an entry.
    pub fn of(entry: &[u8]) -> Result<Self, EntryError> {
        let envelope = canonical::envelope(entry)?;
        let body: Loose = serde_json::from_str(envelope.body).map_err(|_| EntryError::Body)?;
        let mut facets = Self::default();
        facets.add(Facet::Kind, Some(envelope.kind.to_owned()));
        for agency in [body.recipient, body.agency, body.party, body.source] {
            facets.add(Facet::Agency, agency);
        }
        facets.add(Facet::Agreement, body.agreement);
        for loaded in body.agreements {
            facets.add(Facet::Agreement, Some(loaded.agreement));
        }
        facets.add(Facet::Purpose, body.purpose);
        facets.add(Facet::Role, body.role);
        facets.add(Facet::Power, body.power);
        match body.outcome {
            None => {}
            Some(Ended::Answered(word)) => facets.add(Facet::Outcome, Some(word)),
            Some(Ended::Refused { refused }) => {
                facets.add(Facet::Outcome, Some("refused".to_owned()));
                facets.add(Facet::Rule, Some(refused));
            }
        }
        for line in body.decisions {
            facets.add_decision(line, body.agreement_sha256.as_ref());
        }
        for feed in body.feeds {
            facets.add(Facet::Agency, Some(feed.supplier));
        }
        Ok(facets)
    }

    fn add_decision(&mut self, line: Line, receives: Option<&Digest>) {
        self.add(Facet::Agency, Some(line.supplier));
        self.add(Facet::Area, Some(line.item));
        for rule in line.rules_hit {
            self.add(Facet::Rule, Some(rule));
        }
        for (term, text) in [(line.supply, line.supply_sha256.as_ref()), (line.receive, receives)] {
            let Some((agreement, term)) = term.as_deref().and_then(|term| term.rsplit_once('/')) else { continue };
            self.add(Facet::Agreement, Some(agreement.to_owned()));
            if let Some(text) = text {
                self.terms.insert(TermNamed { text: *text.as_bytes(), term: term.to_owned() });
            }
        }
    }

    /// Adds a value; texts that are no codes cannot be searched for and are left out.
    fn add(&mut self, facet: Facet, value: Option<String>) {
        if let Some(value) = value.filter(|value| value.parse::<Code>().is_ok()) {
            self.values.insert((facet, value));
        }
    }
}

/// A body of any type, as far as a search cares.
#[derive(Deserialize)]
struct Loose {
    #[serde(default)]
    recipient: Option<String>,
    #[serde(default)]
    agency: Option<String>,
    #[serde(default)]
    party: Option<String>,
    #[serde(default)]
    agreement: Option<String>,
    #[serde(default)]
    agreement_sha256: Option<Digest>,
    #[serde(default)]
    agreements: Vec<Loaded>,
    #[serde(default)]
    purpose: Option<String>,
    #[serde(default)]
    role: Option<String>,
    #[serde(default)]
    power: Option<String>,
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    outcome: Option<Ended>,
    #[serde(default)]
    decisions: Vec<Line>,
    #[serde(default)]
    feeds: Vec<Source>,
}

#[derive(Deserialize)]
struct Loaded {
    agreement: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Ended {
    Answered(String),
    Refused { refused: String },
}

#[derive(Deserialize)]
struct Line {
    supplier: String,
    item: String,
    #[serde(default)]
    supply: Option<String>,
    #[serde(default)]
    supply_sha256: Option<Digest>,
    #[serde(default)]
    receive: Option<String>,
    #[serde(default)]
    rules_hit: Vec<String>,
}

#[derive(Deserialize)]
struct Source {
    supplier: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::testing::{self, ORIGIN};

    fn values(facets: &Facets, facet: Facet) -> Vec<&str> {
        facets.values.iter().filter(|(of, _)| *of == facet).map(|(_, value)| value.as_str()).collect()
    }

    #[test]
    fn an_enquiry_is_found_by_everyone_and_everything_in_its_decision() {
        let entry = testing::render(ORIGIN, 1, testing::enquiry(1));
        let facets = Facets::of(&entry).expect("an entry");
        assert_eq!(values(&facets, Facet::Kind), ["enquiry"]);
        assert_eq!(values(&facets, Facet::Outcome), ["answered"]);
        assert!(values(&facets, Facet::Agency).contains(&"schools"), "{facets:?}");
        assert!(!values(&facets, Facet::Area).is_empty() && !values(&facets, Facet::Purpose).is_empty());
        assert!(facets.terms.iter().any(|term| term.term == "supply-a"), "{facets:?}");
        assert!(facets.terms.iter().any(|term| term.term == "receive-b"), "{facets:?}");
    }

    #[test]
    fn every_type_has_facets_and_a_commitment_is_none() {
        for (number, body) in testing::bodies().into_iter().enumerate() {
            let entry = testing::render(ORIGIN, number, body);
            let facets = Facets::of(&entry).expect("an entry");
            assert_eq!(values(&facets, Facet::Kind).len(), 1);
            let long = facets.values.iter().any(|(_, value)| value.len() >= 43);
            assert!(!long, "no commitment, hash or token is a facet: {facets:?}");
        }
        assert!(Facets::of(b"{}").is_err());
    }
}
