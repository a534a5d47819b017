//! An auditor's bundle: an export that says which entry of the log records it.
//!
//! The file `bundle.json` names that entry, and nothing else: for whom the bundle was made, which
//! openings it has and which public keys lie beside it is all in the entry, so that the log itself
//! vouches for it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::canonical;
use super::digest::Digest;
use super::entry::{Body, Contribution, Entry, LogAccess, Outcome};
use crate::domain::ids::EventId;
use crate::domain::time::Timestamp;

/// The fields whose openings a bundle has. The subject's is never among them, nor the names of records and
/// families beside an answer: they would let its reader tell who is who across entries. Nor is the case:
/// it is the same in every entry of one case, and means something to the agency concerned alone.
const OPENED_FIELDS: [&str; 1] = ["actor"];
/// The same for an answer that the reader itself was given. What another agency was told stays closed:
/// it may speak of people whom that agency shields, or somebody has shielded since.
const OPENED_TO_ITS_RECIPIENT: [&str; 3] = ["actor", "answer", "case"];
/// The entry types that have such fields.
const OPENED_TYPES: [&str; 2] = ["enquiry", "family.disclosure"];

/// The file `bundle.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The entry that records the export.
    pub export: EventId,
    v: u8,
}

impl Manifest {
    /// The manifest of an export.
    pub const fn new(export: EventId) -> Self {
        Self { export, v: 1 }
    }

    /// The file's bytes.
    pub fn render(&self) -> Vec<u8> {
        (canonical::render(self) + "\n").into_bytes()
    }

    /// Reads the file; `None` unless [`Manifest::render`] would write exactly it.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let manifest: Self = serde_json::from_slice(bytes).ok()?;
        (manifest.v == 1 && manifest.render() == bytes).then_some(manifest)
    }
}

/// What the entry of an export says that is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The hash of the file of public keys.
    pub keys_sha256: Option<Digest>,
    /// For whom it was made; `None` where an operator exported for nobody in particular.
    pub reader: Option<String>,
    /// The account that made it.
    pub by: String,
    /// When its entry was written.
    pub at: Timestamp,
    /// How many entries witnesses vouched for at that moment; `None` where none did.
    pub witnessed: Option<u64>,
    /// What its reader may learn: supplier, feed and item; `None` where there are no openings.
    permitted: Option<BTreeSet<(String, String, String)>>,
}

impl Scope {
    /// Reads the scope from the entry with this event; `None` when it records no export.
    pub fn of_entry(entry: &[u8], event: EventId) -> Option<Self> {
        Self::of_export(entry).filter(|(found, _)| *found == event).map(|(_, scope)| scope)
    }

    /// The event and scope of an entry that records an export; `None` for any other entry.
    pub fn of_export(entry: &[u8]) -> Option<(EventId, Self)> {
        // Few entries are looks at the log: the others are not parsed.
        std::str::from_utf8(entry).ok().filter(|text| text.contains("\"action\":\"export\""))?;
        let entry = Entry::parse(entry).ok()?;
        let (event, at) = (entry.event(), entry.at());
        let Body::LogAccess(access) = entry.into_body() else { return None };
        let is_export = access.action.as_str() == "export" && access.outcome == Outcome::Answered;
        is_export.then(|| (event, Self::of(&access, at)))
    }

    fn of(access: &LogAccess, at: Timestamp) -> Self {
        let lines = access.decisions.iter().filter(|line| line.outcome == Contribution::Permitted);
        let lines = lines.map(|line| (line.supplier.to_string(), line.feed.to_string(), line.item.to_string()));
        let permitted = (access.openings.as_str() == "permitted").then(|| lines.collect());
        let reader = access.recipient.as_ref().map(ToString::to_string);
        let (by, witnessed) = (access.client.to_string(), access.witnessed);
        Self { keys_sha256: access.keys_sha256, reader, by, at, witnessed, permitted }
    }

    /// Whether the export has openings at all.
    pub fn has_openings(&self) -> bool {
        self.permitted.is_some()
    }

    /// The fields of an entry whose openings it has; none unless everything that might contribute to
    /// what the entry answered is what its reader may learn too. Where nothing might, everything that was
    /// decided about has to be, or the question its reader's own.
    pub fn opened(&self, kind: &str, body: &str) -> &'static [&'static str] {
        let Some(permitted) = self.permitted.as_ref().filter(|_| OPENED_TYPES.contains(&kind)) else { return &[] };
        let Ok(decided) = serde_json::from_str::<Decided>(body) else { return &[] };
        // A feed that had delivered nothing yet is in no entry's `feeds`, and contributed nothing.
        let delivered =
            |line: &Line| decided.feeds.iter().any(|it| it.supplier == line.supplier && it.feed == line.feed);
        let permits = |line: &Line| line.outcome == Contribution::Permitted && delivered(line);
        let contributed: Vec<&Line> = decided.decisions.iter().filter(|line| permits(line)).collect();
        let covers = |line: &Line| permitted.contains(&(line.supplier.clone(), line.feed.clone(), line.item.clone()));
        let is_its = self.reader.as_ref() == Some(&decided.recipient);
        let covered = if contributed.is_empty() {
            // A refusal, or nothing that could contribute: whoever could have asked the same, or did.
            is_its || (!decided.decisions.is_empty() && decided.decisions.iter().all(covers))
        } else {
            contributed.into_iter().all(covers)
        };
        match (covered, is_its) {
            (false, _) => &[],
            (true, true) => &OPENED_TO_ITS_RECIPIENT,
            (true, false) => &OPENED_FIELDS,
        }
    }
}

#[derive(Deserialize)]
struct Decided {
    recipient: String,
    decisions: Vec<Line>,
    feeds: Vec<Source>,
}

#[derive(Deserialize)]
struct Source {
    supplier: String,
    feed: String,
}

#[derive(Clone, Deserialize)]
struct Line {
    supplier: String,
    feed: String,
    item: String,
    outcome: Contribution,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::testing::{self, ORIGIN};

    #[test]
    fn a_manifest_reads_back_and_any_flipped_byte_names_another_entry_or_none() {
        let manifest = Manifest::new(testing::event(3));
        let bytes = manifest.render();
        assert_eq!(Manifest::parse(&bytes), Some(manifest));
        for at in 0..bytes.len() {
            for change in 1..=255u8 {
                let mut other = bytes.clone();
                other[at] ^= change;
                assert_ne!(Manifest::parse(&other), Some(manifest), "byte {at}");
            }
        }
    }

    #[test]
    fn only_entries_whose_every_contribution_is_permitted_are_opened() {
        let entry = testing::render(ORIGIN, 4, testing::log_access());
        let scope = Scope::of_entry(&entry, testing::event(4)).expect("an export");
        assert_eq!(Scope::of_entry(&entry, testing::event(5)), None, "another event's");
        let other = testing::render(ORIGIN, 4, testing::submission(4));
        assert_eq!(Scope::of_entry(&other, testing::event(4)), None, "no export");
        let line = |item: &str, outcome: &str| {
            format!(
                "{{\"feed\":\"attendance\",\"item\":\"{item}\",\"outcome\":\"{outcome}\",\"supplier\":\"schools\"}}"
            )
        };
        let of = |recipient: &str, lines: &[String]| {
            let feeds = "[{\"feed\":\"attendance\",\"supplier\":\"schools\"}]";
            format!("{{\"decisions\":[{}],\"feeds\":{feeds},\"recipient\":\"{recipient}\"}}", lines.join(","))
        };
        let body = |lines: &[String]| of("another", lines);
        let lines = [line("A1", "permitted"), line("A9", "withheld")];
        assert_eq!(scope.opened("enquiry", &body(&lines)), ["actor"], "another's answer and case stay closed");
        let reader = scope.reader.clone().expect("somebody");
        assert_eq!(scope.opened("enquiry", &of(&reader, &lines)), ["actor", "answer", "case"], "its own");
        assert!(scope.opened("enquiry", &body(&[line("A1", "permitted"), line("A9", "permitted")])).is_empty());
        assert!(scope.opened("enquiry", &body(&[])).is_empty(), "another's refusal before anything was decided about");
        assert_eq!(scope.opened("enquiry", &of(&reader, &[])), ["actor", "answer", "case"], "its own");
        let refused = |item: &str| body(&[line(item, "withheld")]);
        assert_eq!(scope.opened("enquiry", &refused("A1")), ["actor"], "what its clause covers");
        assert!(scope.opened("enquiry", &refused("A9")).is_empty(), "what it does not");
        assert!(scope.opened("family.change", &body(&[])).is_empty(), "another type");
        assert!(scope.opened("enquiry", "{}").is_empty());
    }
}
