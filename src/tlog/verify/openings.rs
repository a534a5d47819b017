//! Openings checked beside the entries of one bundle.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Deserialize;

use super::fault::{Fault, FaultKind};
use super::scope::Due;
use crate::domain::ids::EventId;
use crate::tlog::commitment::{Commitment, Opening};

/// The commitments of any entry type: the object `commitments` of its body.
#[derive(Deserialize)]
struct Committed {
    #[serde(default)]
    commitments: BTreeMap<String, Commitment>,
}

/// Reads the commitments of a body; `None` if they are not in the form of commitments.
fn commitments(body: &str) -> Option<BTreeMap<String, Commitment>> {
    if !body.contains("\"commitments\":") {
        return Some(BTreeMap::new());
    }
    serde_json::from_str::<Committed>(body).ok().map(|body| body.commitments)
}

/// Commitments of the bundle at hand that wait for their openings.
#[derive(Default)]
pub(super) struct Unopened {
    waiting: HashMap<(EventId, String), (u64, Commitment)>,
    opened: HashSet<(EventId, String)>,
}

/// What a whole export lacks, to be compared with its erasure entries at the end.
#[derive(Default)]
pub(super) struct Ledger {
    /// Events without all their openings, and their indexes.
    pub(super) missing: BTreeMap<EventId, u64>,
    /// Events that erasure entries name.
    pub(super) erased: HashSet<EventId>,
    /// How many openings matched.
    pub(super) matched: u64,
}

impl Unopened {
    /// Expects the openings of an entry, of the fields that are due; `false` if its commitments are not
    /// in their form.
    pub(super) fn expect(&mut self, index: u64, event: EventId, body: &str, due: Due) -> bool {
        let Some(commitments) = commitments(body) else { return false };
        for (field, commitment) in commitments {
            if due.has(&field) {
                self.waiting.insert((event, field), (index, commitment));
            }
        }
        true
    }

    /// Compares the lines of one event only.
    pub(super) fn compare_one(self, file: &[u8], event: EventId, ledger: &mut Ledger) -> Vec<Fault> {
        let name = event.to_string();
        let is_its = |line: &[u8]| std::str::from_utf8(line).is_ok_and(|line| line.contains(&name));
        let own: Vec<u8> =
            file.split_inclusive(|byte| *byte == b'\n').filter(|line| is_its(line)).flatten().copied().collect();
        self.compare(&own, ledger)
    }

    /// Compares a bundle's openings file with its entries; what stays unopened goes to the ledger.
    pub(super) fn compare(mut self, file: &[u8], ledger: &mut Ledger) -> Vec<Fault> {
        let mut faults = Vec::new();
        for line in lines(file) {
            let fault = match line.map(Opening::parse_line) {
                Some(Ok((event, opening))) => self.open(event, &opening, ledger),
                _ => Some(Fault::new(FaultKind::OpeningMalformed)),
            };
            faults.extend(fault);
        }
        for ((event, _), (index, _)) in self.waiting {
            ledger.missing.insert(event, index);
        }
        faults
    }

    fn open(&mut self, event: EventId, opening: &Opening, ledger: &mut Ledger) -> Option<Fault> {
        let key = (event, opening.field().to_owned());
        let Some((index, commitment)) = self.waiting.remove(&key) else {
            let kind = if self.opened.contains(&key) { FaultKind::OpeningRepeated } else { FaultKind::OpeningUnknown };
            return Some(Fault::new(kind).of(event));
        };
        self.opened.insert(key);
        if opening.opens(&commitment) {
            ledger.matched += 1;
            return None;
        }
        Some(Fault::new(FaultKind::OpeningForged).at(index).of(event))
    }
}

/// The lines of a file; `None` for a last line that does not end.
fn lines(file: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    file.split_inclusive(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\n"))
}

/// The events that an openings file opens.
pub(super) fn events(file: &[u8]) -> impl Iterator<Item = EventId> {
    lines(file).flatten().filter_map(|line| Opening::parse_line(line).ok()).map(|(event, _)| event)
}
