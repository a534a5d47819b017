//! What reviews and alerts need to know of an entry, whatever its type is: read from fields of the usual
//! names, so that types which this version does not know are drawn and counted too.

use serde::Deserialize;
use serde_json::Value;

use super::super::canonical;
use super::EntryError;
use crate::domain::ids::{AgencyCode, AgreementRef, EventId};
use crate::domain::time::Timestamp;

/// An entry as reviews and alerts see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryFacts {
    /// Its type.
    pub kind: String,
    /// Its event.
    pub event: EventId,
    /// When it happened.
    pub at: Timestamp,
    /// To whom something was told or refused: the recipient, or the agency that acted.
    pub agency: Option<AgencyCode>,
    /// Through which client.
    pub client: Option<String>,
    /// By which account.
    pub by: Option<String>,
    /// The relationship that was stated.
    pub relationship: Option<String>,
    /// What was done, in types that say so.
    pub action: Option<String>,
    /// Whether something was answered; `None` in types without an outcome.
    pub is_answered: Option<bool>,
    /// Items that might contribute, sorted.
    pub items: Vec<String>,
    /// Agreements under which it went: the one named, and those of the terms that decided; sorted.
    pub agreements: Vec<AgreementRef>,
}

/// A body of any type: a field of a usual name that holds something else says nothing.
#[derive(Deserialize)]
struct Loose {
    #[serde(default)]
    recipient: Option<Value>,
    #[serde(default)]
    agency: Option<Value>,
    #[serde(default)]
    client: Option<Value>,
    #[serde(default)]
    by: Option<Value>,
    #[serde(default)]
    relationship: Option<Value>,
    #[serde(default)]
    action: Option<Value>,
    #[serde(default)]
    outcome: Option<Value>,
    #[serde(default)]
    agreement: Option<Value>,
    #[serde(default)]
    decisions: Vec<Line>,
}

#[derive(Deserialize)]
struct Line {
    item: String,
    #[serde(default)]
    supply: Option<String>,
    #[serde(default)]
    receive: Option<String>,
    #[serde(default)]
    outcome: Option<String>,
}

impl EntryFacts {
    /// Reads them from an entry's bytes.
    ///
    /// # Errors
    ///
    /// [`EntryError`] when the bytes are not an entry.
    pub fn of(entry: &[u8]) -> Result<Self, EntryError> {
        let envelope = canonical::envelope(entry)?;
        let body: Loose = serde_json::from_str(envelope.body).map_err(|_| EntryError::Body)?;
        let at = envelope.at.parse().map_err(|_| EntryError::Envelope("at is not a time"))?;
        let permitted = body.decisions.iter().filter(|line| line.outcome.as_deref() == Some("permitted"));
        let mut items: Vec<String> = permitted.clone().map(|line| line.item.clone()).collect();
        items.sort();
        items.dedup();
        let terms = permitted.flat_map(|line| [&line.supply, &line.receive]).flatten();
        let named = terms.filter_map(|term| term.rsplit_once('/')?.0.parse().ok());
        let own: Option<AgreementRef> = text(body.agreement).and_then(|agreement| agreement.parse().ok());
        let mut agreements: Vec<AgreementRef> = named.chain(own).collect();
        agreements.sort();
        agreements.dedup();
        let agency = text(body.recipient).or_else(|| text(body.agency));
        Ok(Self {
            kind: envelope.kind.to_owned(),
            event: envelope.event,
            at,
            agency: agency.and_then(|code| AgencyCode::parse(&code).ok()),
            client: text(body.client),
            by: text(body.by),
            relationship: text(body.relationship),
            action: text(body.action),
            is_answered: body.outcome.map(|outcome| outcome.as_str() == Some("answered")),
            items,
            agreements,
        })
    }
}

fn text(value: Option<Value>) -> Option<String> {
    match value {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::testing;

    #[test]
    fn facts_of_an_enquiry_are_what_it_says_and_any_type_has_some() {
        let facts = EntryFacts::of(&testing::render(testing::ORIGIN, 1, testing::enquiry(1))).expect("an entry");
        assert_eq!((facts.kind.as_str(), facts.event, facts.at), ("enquiry", testing::event(1), testing::at(1)));
        assert_eq!(facts.is_answered, Some(true));
        assert!(facts.agency.is_some() && facts.client.is_some() && facts.relationship.is_some());
        assert!(!facts.items.is_empty() && !facts.agreements.is_empty(), "{facts:?}");
        for (number, body) in testing::bodies().into_iter().enumerate() {
            let kind = body.kind();
            let facts = EntryFacts::of(&testing::render(testing::ORIGIN, number, body)).expect("an entry");
            assert_eq!(facts.kind, kind);
        }
    }
}
