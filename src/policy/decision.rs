//! What was decided: the terms of an enquiry, the permitted set line by line, or the refusal.
//!
//! All of it follows from agreements, the feed calendar and the time; nothing is about a person.

use std::collections::BTreeSet;

use serde::Serialize;

use super::rules::RuleHit;
use crate::domain::agreement::{AgreementText, AnswerMode, Item, Onward, Unit};
use crate::domain::ids::{AgencyCode, AgreementRef, AreaCode, FeedCode, PurposeCode, RoleCode, TermCode};
use crate::domain::policy_file::FileHash;
use crate::domain::programme::Relationship;
use crate::domain::time::Timestamp;

/// The agreement named does not exist, or has no clause for the asker; the two are not told apart.
pub const NO_CLAUSE: (&str, &str) = ("P01", "No agreement of this name has a clause for the asker.");
/// The programme has no such purpose.
pub const UNKNOWN_PURPOSE: (&str, &str) = ("P02", "The programme has no such purpose.");
/// The asker may ask, but no supplier may contribute.
pub const NOTHING_RELEASABLE: (&str, &str) = ("P03", "No supplier may contribute anything to this answer.");
/// The feed came under an agreement that does not exist or has no term of its supplier.
pub const NO_SUPPLY: (&str, &str) = ("P04", "The agreement that the feed came under has no term of its supplier.");
/// The asker is not an agency of the programme.
pub const UNKNOWN_RECIPIENT: (&str, &str) = ("P05", "The asker is not an agency of the programme.");

/// Sentences of the refusals that come before the rule book.
pub const BEFORE_THE_BOOK: [(&str, &str); 5] =
    [NO_CLAUSE, UNKNOWN_PURPOSE, NOTHING_RELEASABLE, NO_SUPPLY, UNKNOWN_RECIPIENT];

/// The terms of an enquiry: everything about it but the person.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Terms {
    /// Who asks.
    pub recipient: AgencyCode,
    /// Under which agreement.
    pub agreement: AgreementRef,
    /// For what.
    pub purpose: PurposeCode,
    /// In which form.
    pub mode: AnswerMode,
    /// In which role the asking person acts.
    pub role: RoleCode,
    /// Why this family now.
    pub relationship: Relationship,
}

/// A feed that the gateway holds, and the agreement named in its submission.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SupplierFeed {
    /// Whose feed.
    pub supplier: AgencyCode,
    /// Which feed.
    pub feed: FeedCode,
    /// The agreement that it was submitted under.
    pub agreement: AgreementRef,
}

/// A term of a signed text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct TermRef {
    /// Which agreement and version.
    pub agreement: AgreementRef,
    /// The hash of its text.
    pub file: FileHash,
    /// Which supply term or receive clause.
    pub term: TermCode,
}

impl TermRef {
    pub(super) fn of(text: &AgreementText, term: &TermCode) -> Self {
        Self { agreement: text.reference().clone(), file: text.hash(), term: term.clone() }
    }
}

/// What was decided about one item of one feed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The asker's own record: always in the set.
    Own,
    /// In the set.
    Permitted {
        /// The stricter of what both terms say about passing the answer on.
        onward: Onward,
    },
    /// Outside the set, with the rules that stand in the way of the pair of terms that came closest.
    Denied(Vec<RuleHit>),
}

impl Outcome {
    /// Whether the item may contribute.
    pub fn is_in(&self) -> bool {
        !matches!(self, Self::Denied(_))
    }
}

/// One line of a decision.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Decision {
    /// Whose data.
    pub supplier: AgencyCode,
    /// From which feed.
    pub feed: FeedCode,
    /// The agreement named in the feed's submission; none for the asker's own, which need none.
    pub submitted_under: Option<AgreementRef>,
    /// What.
    pub item: Item,
    /// The supply term that allowed it or came closest; none for the asker's own.
    pub supply: Option<TermRef>,
    /// The receive clause that allowed it or came closest; none for the asker's own.
    pub receive: Option<TermRef>,
    /// In the set or not, and why not.
    pub outcome: Outcome,
}

/// The clause that one enquiry is charged to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Charge {
    /// Which clause.
    pub clause: TermRef,
    /// How many enquiries a day it bears.
    pub daily_ceiling: u32,
    /// What an answer is about.
    pub unit: Unit,
}

/// The set that an answer may be computed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permitted {
    /// The terms that were decided on.
    pub terms: Terms,
    /// The hash of the named agreement's text.
    pub agreement_file: FileHash,
    /// Every line, permitted and denied, sorted by supplier, feed, agreement of submission and item.
    pub decisions: Vec<Decision>,
    /// The lowest ceiling among the clauses that were used; charged once per enquiry.
    pub charge: Charge,
    /// The areas to which some record in the set can speak, sorted.
    pub covered: BTreeSet<AreaCode>,
    /// Those for which the set holds every feed that the calendar expects: only these can be `not_met`.
    pub complete: BTreeSet<AreaCode>,
    /// The areas with a criterion that the agreement keeps from the asker, sorted.
    pub withheld: BTreeSet<AreaCode>,
    /// The areas without a criterion in the version used: named as not covered, counted neither way.
    pub without_criteria: BTreeSet<AreaCode>,
    /// The version of the criteria.
    pub criteria_version: String,
    /// The hash of the rule book.
    pub rules: FileHash,
    /// The first instant at which the decision may be another.
    pub valid_until: Timestamp,
}

impl Permitted {
    /// Whether an item of records that came in this feed, under this agreement, may contribute.
    pub fn allows(&self, feed: &SupplierFeed, item: &Item) -> bool {
        let under = (feed.supplier != self.terms.recipient).then_some(&feed.agreement);
        let key = (&feed.supplier, &feed.feed, under, item);
        let found =
            self.decisions.binary_search_by(|d| (&d.supplier, &d.feed, d.submitted_under.as_ref(), &d.item).cmp(&key));
        found.is_ok_and(|at| self.decisions[at].outcome.is_in())
    }

    /// Whether any item of such records may contribute: only then are they in the set.
    pub fn includes(&self, feed: &SupplierFeed) -> bool {
        let is_own = feed.supplier == self.terms.recipient;
        self.granted().any(|line| {
            line.supplier == feed.supplier
                && line.feed == feed.feed
                && (is_own || line.submitted_under.as_ref() == Some(&feed.agreement))
        })
    }

    /// The lines in the set.
    pub fn granted(&self) -> impl Iterator<Item = &Decision> {
        self.decisions.iter().filter(|line| line.outcome.is_in())
    }

    /// The lines outside the set.
    pub fn denied(&self) -> impl Iterator<Item = &Decision> {
        self.decisions.iter().filter(|line| !line.outcome.is_in())
    }

    /// The sorted set of (supplier, item).
    pub fn pairs(&self) -> BTreeSet<(AgencyCode, Item)> {
        self.granted().map(|line| (line.supplier.clone(), line.item.clone())).collect()
    }

    /// The feeds whose records are in the set.
    pub fn feeds(&self) -> BTreeSet<(AgencyCode, FeedCode)> {
        self.granted().map(|line| (line.supplier.clone(), line.feed.clone())).collect()
    }

    /// The strictest rule on passing the answer on among everything that may contribute.
    pub fn onward(&self) -> Onward {
        let each = self.granted().filter_map(|line| match line.outcome {
            Outcome::Permitted { onward } => Some(onward),
            _ => None,
        });
        each.min().unwrap_or(Onward::None)
    }
}

/// The enquiry is refused. Everything here follows from agreements and may be shown to the asker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the agreements do not permit the enquiry")]
pub struct Refusal {
    /// The rules that stand in the way, by id.
    pub hits: Vec<RuleHit>,
    /// The lines that were decided before the refusal, for the log.
    pub decisions: Vec<Decision>,
    /// The first instant at which the decision may be another, if there is one.
    pub valid_until: Option<Timestamp>,
}

impl Refusal {
    /// A boundary that never comes is none.
    pub(super) fn filter_future(mut self, now: Timestamp) -> Self {
        self.valid_until = self.valid_until.filter(|at| *at > now && at.as_micros() < i64::MAX);
        self
    }
}
