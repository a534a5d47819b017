//! Pairs: what people or a match run decided about two records, and in which words.

use super::ids::{AgencyCode, FeedCode, OpaqueRef};
use super::words::words;

/// Names a record for good: row ids change with every snapshot, this does not.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordName {
    /// The agency that holds the record.
    pub agency: AgencyCode,
    /// The feed that delivers it.
    pub feed: FeedCode,
    /// The agency's own reference.
    pub reference: OpaqueRef,
}

/// Two different records, the smaller first.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PairNames {
    first: RecordName,
    second: RecordName,
}

impl PairNames {
    /// Orders two records; `None` when they are one.
    pub fn new(a: RecordName, b: RecordName) -> Option<Self> {
        match a.cmp(&b) {
            std::cmp::Ordering::Less => Some(Self { first: a, second: b }),
            std::cmp::Ordering::Greater => Some(Self { first: b, second: a }),
            std::cmp::Ordering::Equal => None,
        }
    }

    /// Both records, the smaller first.
    pub fn both(&self) -> [&RecordName; 2] {
        [&self.first, &self.second]
    }

    /// What a pair token of an origin is made of.
    pub fn parts(&self, origin: PairOrigin) -> [&str; 7] {
        let Self { first, second } = self;
        [
            origin.as_str(),
            first.agency.as_str(),
            first.feed.as_str(),
            first.reference.as_str(),
            second.agency.as_str(),
            second.feed.as_str(),
            second.reference.as_str(),
        ]
    }
}

words! {
    /// What a pair in force does: all but `apart` join the two records.
    PairOrigin {
        /// Both holders confirmed.
        Confirmed = "confirmed",
        /// The two are different people.
        Apart = "apart",
        /// A match run weighed them.
        Weighed = "weighed",
        /// A match run compared their encodings.
        Fuzzy = "fuzzy",
    }
    /// Where a pair is in its life.
    PairState {
        /// Asked about, not decided.
        Proposed = "proposed",
        /// Every later link honours it.
        InForce = "in_force",
        /// A holder said no: it does nothing, and it is not asked about again for the same reasons.
        Refused = "refused",
        /// It was taken back.
        Reversed = "reversed",
    }
    /// What a holder says about its own record.
    Decision {
        /// The fields stand, and nobody else known to the holder fits them.
        Confirm = "confirm",
        /// Either is not so.
        Reject = "reject",
        /// The record is linked with records of other people.
        Split = "split",
        /// The record and another of the holder's own are one person.
        Merge = "merge",
    }
    /// Why a holder decides as it does.
    Reason {
        /// Compared with the agency's own file.
        CheckedFile = "checked-file",
        /// Compared with the source, such as a register or a birth certificate.
        CheckedSource = "checked-source",
        /// Asked the person or family.
        CheckedPerson = "checked-person",
        /// A field of the record is wrong; it is corrected with the next delivery.
        RecordWrong = "record-wrong",
        /// The holder knows a twin or sibling whom the fields fit.
        TwinOrSibling = "twin-or-sibling",
        /// The holder knows a parent or child of the same name.
        ParentOrChild = "parent-or-child",
        /// The holder knows an unrelated person whom the fields fit.
        Namesake = "namesake",
        /// The record is about somebody else.
        OtherPerson = "other-person",
        /// The holder has the person twice.
        Duplicate = "duplicate",
    }
    /// Why a holder takes its decision back.
    ReversalReason {
        /// The decision was a mistake.
        Mistake = "mistake",
        /// Something came to light.
        NewEvidence = "new-evidence",
        /// The person or family objected.
        Complaint = "complaint",
    }
}

impl PairOrigin {
    /// Whether a pair of this origin joins the two records.
    pub fn joins(self) -> bool {
        self != Self::Apart
    }
}

impl Decision {
    /// Whether a reason goes with the decision.
    pub fn takes(self, reason: Reason) -> bool {
        use Reason::{
            CheckedFile, CheckedPerson, CheckedSource, Duplicate, Namesake, OtherPerson, ParentOrChild, RecordWrong,
            TwinOrSibling,
        };
        match self {
            Self::Confirm => matches!(reason, CheckedFile | CheckedSource | CheckedPerson),
            Self::Reject => {
                matches!(reason, RecordWrong | TwinOrSibling | ParentOrChild | Namesake | OtherPerson)
            }
            Self::Split => matches!(reason, TwinOrSibling | ParentOrChild | Namesake | OtherPerson),
            Self::Merge => reason == Duplicate,
        }
    }
}

impl Reason {
    /// Whether a rejection for this reason says that the two records are of different people: a wrong
    /// field says nothing about who is meant.
    pub fn parts(self) -> bool {
        self != Self::RecordWrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_the_same_whichever_record_is_named_first() {
        let name = |agency: &str| RecordName {
            agency: agency.parse().expect("a code"),
            feed: "cases".parse().expect("a code"),
            reference: OpaqueRef::parse("AAAAAAAAAAAAAAAAAAAAAA").expect("22"),
        };
        let (a, b) = (name("education"), name("police"));
        assert_eq!(PairNames::new(a.clone(), b.clone()), PairNames::new(b, a.clone()));
        assert_eq!(PairNames::new(a.clone(), a), None);
    }

    #[test]
    fn words_read_back_and_every_decision_has_a_reason_that_no_other_takes_by_accident() {
        for origin in PairOrigin::ALL {
            assert_eq!(origin.as_str().parse(), Ok(*origin));
        }
        assert!("maybe".parse::<Decision>().is_err());
        for reason in Reason::ALL {
            let takers: Vec<_> = Decision::ALL.iter().filter(|decision| decision.takes(*reason)).collect();
            assert!(!takers.is_empty(), "{reason}");
            assert!(takers.len() == 1 || takers == [&Decision::Reject, &Decision::Split], "{reason}: {takers:?}");
        }
        assert!(!Reason::RecordWrong.parts() && Reason::Namesake.parts());
    }
}
