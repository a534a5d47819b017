//! What an entry can be found by, derived from its bytes and from nothing else.
//!
//! Types that this version does not know have facets too: fields of the usual names are read whatever
//! the type is.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use super::super::canonical;
use super::{Code, EntryError};
use crate::domain::ids::EventId;
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
    /// Another entry that this one is about: one that was reviewed, looked at, recalled, erased or linked.
    About = "about";
    /// A rule that withheld something, or the code of a refusal.
    Rule = "rule";
    /// A legal power of the terms under which something might contribute. Lines that were withheld went
    /// under no power, whatever terms came closest.
    Power = "power";
    /// An agreement version that the entry names.
    Agreement = "agreement";
    /// An agency that asked, supplied, signed, delivered or was decided about.
    Agency = "agency";
    /// A criteria area that was decided about, permitted or withheld, or another item such as `lead`.
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
    /// The terms of permitted lines, which say under which powers; the texts are kept outside the log.
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
        let words = [body.of, body.covers].into_iter().flatten();
        let names_entry = words.into_iter().any(|word| matches!(word.as_str(), Some("entry" | "alert")));
        let one = [body.entry, body.alert, body.disclosure, body.answer, body.name.filter(|_| names_entry)];
        let many = [body.events, body.entries].into_iter().flatten();
        let many = many.flat_map(|list| list.as_array().cloned().unwrap_or_default());
        for named in one.into_iter().flatten().chain(many) {
            let event = named.as_str().and_then(|text| text.parse::<EventId>().ok());
            facets.add(Facet::About, event.map(|event| event.to_string()));
        }
        Ok(facets)
    }

    fn add_decision(&mut self, line: Line, receives: Option<&Digest>) {
        let is_permitted = line.outcome.as_deref() == Some("permitted");
        self.add(Facet::Agency, Some(line.supplier));
        self.add(Facet::Area, Some(line.item));
        for rule in line.rules_hit {
            self.add(Facet::Rule, Some(rule));
        }
        for (term, text) in [(line.supply, line.supply_sha256.as_ref()), (line.receive, receives)] {
            let Some((agreement, term)) = term.as_deref().and_then(|term| term.rsplit_once('/')) else { continue };
            self.add(Facet::Agreement, Some(agreement.to_owned()));
            if let Some(text) = text.filter(|_| is_permitted) {
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
    // A field of a usual name that holds something else says nothing.
    #[serde(default)]
    entry: Option<Value>,
    #[serde(default)]
    alert: Option<Value>,
    #[serde(default)]
    disclosure: Option<Value>,
    #[serde(default)]
    answer: Option<Value>,
    #[serde(default)]
    events: Option<Value>,
    #[serde(default)]
    entries: Option<Value>,
    /// What `name` is the name of.
    #[serde(default)]
    of: Option<Value>,
    #[serde(default)]
    covers: Option<Value>,
    #[serde(default)]
    name: Option<Value>,
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
    outcome: Option<String>,
    #[serde(default)]
    rules_hit: Vec<String>,
}

#[derive(Deserialize)]
struct Source {
    supplier: String,
}

#[cfg(test)]
mod tests {
    use super::super::{Body, Contribution, Enquiry};
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
    fn a_line_that_was_withheld_went_under_no_power_and_is_found_by_all_else() {
        let Body::Enquiry(mut enquiry) = testing::enquiry(1) else { panic!("an enquiry") };
        enquiry.decisions[0].supply = Some(testing::code("benefits-data/v1/supply-b"));
        enquiry.decisions[0].supply_sha256 = Some(Digest::of(b"benefits"));
        let named = |enquiry: &Enquiry| {
            let entry = testing::render(ORIGIN, 1, Body::Enquiry(Box::new(enquiry.clone())));
            let facets = Facets::of(&entry).expect("an entry");
            let agreements = values(&facets, Facet::Agreement).contains(&"benefits-data/v1");
            let areas = values(&facets, Facet::Area).contains(&"A6");
            assert!(agreements && areas, "the line itself is found: {facets:?}");
            facets.terms.iter().any(|term| term.text == *Digest::of(b"benefits").as_bytes())
        };
        assert_eq!(enquiry.decisions[0].outcome, Contribution::Withheld);
        assert!(!named(&enquiry));
        enquiry.decisions[0].outcome = Contribution::Permitted;
        assert!(named(&enquiry));
    }

    #[test]
    fn entries_are_found_by_the_entries_that_they_are_about() {
        let mut about = Vec::new();
        for (number, body) in testing::bodies().into_iter().enumerate() {
            let facets = Facets::of(&testing::render(ORIGIN, number, body)).expect("an entry");
            if !values(&facets, Facet::About).is_empty() {
                about.push(values(&facets, Facet::Kind)[0].to_owned());
            }
        }
        for kind in ["review.step", "review.reply", "alert.step", "emergency.review", "erasure", "recall.notice"] {
            assert!(about.iter().any(|found| found == kind), "{kind}: {about:?}");
        }
        assert!(!about.iter().any(|found| found == "enquiry"), "{about:?}");
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
