//! The evidence bundle of a claim, checked offline: that its entries are in the log, and that what it
//! says is what they say.
//!
//! The finding itself stands in an entry only as a salted commitment. With the openings of an export,
//! which auditors have, it is compared word for word; without them, what can be compared is the frame:
//! who asked, when, against which engagement, by which programme files, and whether the verdict follows
//! from the reasons that are given for it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::Verifier;
use crate::domain::ids::EventId;
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::commitment::Opening;
use crate::tlog::digest::Digest;
use crate::tlog::entry::{Body, Enquiry, Entry, Outcome};
use crate::tlog::merkle::leaf_hash;
use crate::tlog::proof::{ProofFile, includes};
use crate::tlog::receipt::Receipt;

/// Changes of a criterion that carry a claim; `still_met` only on the ground of employment.
const CARRYING: [&str; 3] = ["progress", "stepped_down", "clear"];

/// What is wrong with a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClaimFault {
    /// The file is no bundle.
    Unreadable,
    /// An entry's text is no entry of this log.
    Entry,
    /// An entry has no proof, or one that cannot be read.
    Proof,
    /// A proof's checkpoint is not signed by the log, or not by enough witnesses.
    Checkpoint,
    /// An entry is not under the checkpoint of its proof.
    NotIncluded,
    /// Two checkpoints of one size have different roots.
    Forked,
    /// The receipt is not the gateway's, or of another entry.
    Receipt,
    /// The entry of the finding, or of its engagement, is not in the bundle.
    MissingEntry,
    /// An entry is no answered engagement or claim check, or of another recipient.
    OtherJourney,
    /// Time, programme file or criteria differ between the finding and the entries.
    Frame,
    /// The verdict does not follow from the reasons, or a reason is missing for what is in the way.
    Verdict,
    /// The opening is not that of the entry.
    Opening,
    /// The finding is not the one that the entry commits to.
    Finding,
}

impl ClaimFault {
    /// For programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unreadable => "bundle-unreadable",
            Self::Entry => "entry-malformed",
            Self::Proof => "proof-missing",
            Self::Checkpoint => "checkpoint-not-believed",
            Self::NotIncluded => "entry-not-included",
            Self::Forked => "log-forked",
            Self::Receipt => "receipt-not-believed",
            Self::MissingEntry => "entry-missing",
            Self::OtherJourney => "entry-of-another-journey",
            Self::Frame => "frame-differs",
            Self::Verdict => "verdict-does-not-follow",
            Self::Opening => "opening-forged",
            Self::Finding => "finding-differs",
        }
    }

    /// For people.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Unreadable => "the file is no evidence bundle",
            Self::Entry => "an entry's text is not an entry of this log",
            Self::Proof => "an entry has no proof, or one that cannot be read",
            Self::Checkpoint => "a checkpoint is not signed by the log and the witnesses that are trusted",
            Self::NotIncluded => "an entry is not in the log under the checkpoint of its proof",
            Self::Forked => "two checkpoints of one size have different roots: the log was forked",
            Self::Receipt => "the receipt is not the gateway's, or is of another entry",
            Self::MissingEntry => "the entry of the finding, or of its engagement, is not in the bundle",
            Self::OtherJourney => "an entry is no answered engagement or claim check of one recipient",
            Self::Frame => "times, programme files or criteria of the finding are not those of the entries",
            Self::Verdict => "the verdict does not follow from what is given for it",
            Self::Opening => "the opening is not what the entry commits to",
            Self::Finding => "the finding is not the one that the entry commits to",
        }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClaimReport {
    /// What is wrong, each kind once.
    pub faults: Vec<ClaimFault>,
    /// Entries whose proofs hold.
    pub proved: usize,
    /// Whether the finding was compared with the opening of its entry.
    pub is_finding_compared: bool,
    /// Whether the receipt was checked.
    pub is_receipt_checked: bool,
}

impl ClaimReport {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }

    fn add(&mut self, fault: ClaimFault) {
        if let Err(place) = self.faults.binary_search(&fault) {
            self.faults.insert(place, fault);
        }
    }

    fn hold(&mut self, holds: bool, fault: ClaimFault) {
        if !holds {
            self.add(fault);
        }
    }
}

#[derive(Deserialize)]
struct Bundle {
    disclosure: EventId,
    at: String,
    found: Value,
    onward: String,
    receipt: String,
    entries: Vec<Proved>,
}

#[derive(Deserialize)]
struct Proved {
    event: EventId,
    entry: String,
    proof: Option<String>,
}

impl Verifier<'_> {
    /// Checks a bundle as `porth claim engage` and `porth claim check` write it. `openings` are lines of
    /// an export's openings; those of other entries are passed over.
    pub fn verify_claim(&self, bundle: &[u8], openings: &[u8]) -> ClaimReport {
        let mut report = ClaimReport::default();
        let Ok(bundle) = serde_json::from_slice::<Bundle>(bundle) else {
            report.add(ClaimFault::Unreadable);
            return report;
        };
        let mut roots = BTreeMap::new();
        for held in self.held {
            match Checkpoint::open(held, self.origin, self.log_keys) {
                Ok((checkpoint, _)) => report.hold(is_first(&mut roots, &checkpoint), ClaimFault::Forked),
                Err(_) => report.add(ClaimFault::Checkpoint),
            }
        }
        let mut entries = BTreeMap::new();
        for proved in &bundle.entries {
            self.check_inclusion(proved, &mut roots, &mut report);
            match Entry::parse(proved.entry.as_bytes()) {
                Ok(entry) if entry.event() == proved.event && entry.log() == self.origin => {
                    entries.insert(proved.event, (entry, leaf_hash(proved.entry.as_bytes())));
                }
                _ => report.add(ClaimFault::Entry),
            }
        }
        let Some((entry, leaf)) = entries.get(&bundle.disclosure) else {
            report.add(ClaimFault::MissingEntry);
            return report;
        };
        if !self.receipt_keys.is_empty() {
            report.is_receipt_checked = true;
            let receipt = Receipt::open(bundle.receipt.as_bytes(), self.origin, self.receipt_keys);
            let is_its = receipt.is_ok_and(|it| (it.event, it.leaf, it.at) == (bundle.disclosure, *leaf, entry.at()));
            report.hold(is_its, ClaimFault::Receipt);
        }
        let engagement = bundle.found["engagement"]["entry"].as_str().and_then(|id| id.parse::<EventId>().ok());
        match engagement.map(|id| entries.get(&id)) {
            None => report.hold(answered(entry, "engagement").is_some(), ClaimFault::OtherJourney),
            Some(None) => report.add(ClaimFault::MissingEntry),
            Some(Some((engagement, _))) => check_frame(&bundle.found, entry, engagement, &mut report),
        }
        report.hold(bundle.at == entry.at().to_string(), ClaimFault::Frame);
        check_finding(&bundle, entry, openings, &mut report);
        report
    }

    fn check_inclusion(&self, proved: &Proved, roots: &mut BTreeMap<u64, String>, report: &mut ClaimReport) {
        let Some(proof) = proved.proof.as_deref().and_then(ProofFile::parse) else {
            return report.add(ClaimFault::Proof);
        };
        let Ok((checkpoint, note)) = Checkpoint::open(proof.checkpoint.as_bytes(), self.origin, self.log_keys) else {
            return report.add(ClaimFault::Checkpoint);
        };
        if self.quorum > 0 {
            let is_cosigned = note.verify(self.witnesses).is_ok_and(|by| by.len() >= self.quorum);
            report.hold(is_cosigned, ClaimFault::Checkpoint);
        }
        report.hold(is_first(roots, &checkpoint), ClaimFault::Forked);
        let leaf = leaf_hash(proved.entry.as_bytes());
        if includes(checkpoint.size, &checkpoint.root, proof.index, &leaf, &proof.hashes) {
            report.proved += 1;
        } else {
            report.add(ClaimFault::NotIncluded);
        }
    }
}

/// Whether no other root is known of a tree of this size.
fn is_first(roots: &mut BTreeMap<u64, String>, checkpoint: &Checkpoint) -> bool {
    let root = checkpoint.root.to_string();
    *roots.entry(checkpoint.size).or_insert_with(|| root.clone()) == root
}

fn answered<'e>(entry: &'e Entry, mode: &str) -> Option<&'e Enquiry> {
    match entry.body() {
        Body::Enquiry(enquiry) if enquiry.mode.as_str() == mode && enquiry.outcome == Outcome::Answered => {
            Some(enquiry)
        }
        _ => None,
    }
}

/// What the finding of a claim check says of its entries must be what they say.
fn check_frame(found: &Value, entry: &Entry, engagement: &Entry, report: &mut ClaimReport) {
    let (Some(then), Some(now)) = (answered(engagement, "engagement"), answered(entry, "claim")) else {
        return report.add(ClaimFault::OtherJourney);
    };
    report.hold(then.recipient == now.recipient, ClaimFault::OtherJourney);
    let is_of = |side: &Value, at: &Entry, programme: &Digest| {
        side["at"] == at.at().to_string() && side["programme_sha256"] == programme.to_string()
    };
    report.hold(is_of(&found["engagement"], engagement, &then.programme_sha256), ClaimFault::Frame);
    report.hold(is_of(&found["now"], entry, &now.programme_sha256), ClaimFault::Frame);
    report.hold(found["now"]["criteria_version"] == now.criteria_version.as_str(), ClaimFault::Frame);
    report.hold(follows(found), ClaimFault::Verdict);
}

/// Whether the verdict is what the reasons make of it, and no criterion that does not carry the claim
/// is without a reason.
fn follows(found: &Value) -> bool {
    let list = |name: &str| found[name].as_array().map(Vec::as_slice);
    let (Some(reasons), Some(pairs), Some(areas)) = (list("reasons"), list("pairs"), list("areas")) else {
        return false;
    };
    let verdict = match (reasons.is_empty(), reasons.iter().any(|reason| reason["needs_review"] == true)) {
        (true, _) => "ready",
        (false, true) => "human_review",
        (false, false) => "not_ready",
    };
    let by_work = found["route"] == "employment" && found["is_work_confirmed"] == true;
    let carries = |change: &Value| {
        change.as_str().is_some_and(|change| CARRYING.contains(&change) || (by_work && change == "still_met"))
    };
    let is_carried = pairs.iter().chain(areas).all(|one| carries(&one["change"]));
    found["verdict"] == verdict && (verdict != "ready" || is_carried)
}

/// With the opening of the answer: the finding is the one that the entry commits to.
fn check_finding(bundle: &Bundle, entry: &Entry, openings: &[u8], report: &mut ClaimReport) {
    let Body::Enquiry(enquiry) = entry.body() else { return };
    let lines = openings.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let of_entry = |line: &[u8]| {
        let (event, opening) = Opening::parse_line(line).ok()?;
        (event == bundle.disclosure && opening.field() == "answer").then_some(opening)
    };
    for opening in lines.filter_map(of_entry) {
        if !opening.opens(&enquiry.commitments.answer) {
            report.add(ClaimFault::Opening);
            continue;
        }
        report.is_finding_compared = true;
        let said: Value = serde_json::from_slice(opening.value()).unwrap_or_default();
        report.hold(said["claim"] == bundle.found && said["onward"] == bundle.onward.as_str(), ClaimFault::Finding);
    }
}
