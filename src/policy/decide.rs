//! The decision: who may contribute what to an answer, before any record is read.
//!
//! It depends on the terms of the enquiry, the agreements, the feed calendar and the time, and on
//! nothing about a person; so it is equal for every person and safe to show and to log.

use std::collections::BTreeSet;

use serde::Serialize;

use super::book::{Ask, PolicyBook, Release};
use super::rules::RuleHit;
use crate::domain::agency::{Agency, AgencyKind};
use crate::domain::agreement::{AgreementText, AnswerMode, Item, Onward, ReceiveClause, Unit};
use crate::domain::ids::{AgencyCode, AgreementRef, AreaCode, FeedCode, PurposeCode, RoleCode, TermCode};
use crate::domain::law::BENEFITS_POWER;
use crate::domain::policy_file::FileHash;
use crate::domain::programme::{Area, Feed, Purpose, Relationship};
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
    fn of(text: &AgreementText, term: &TermCode) -> Self {
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

/// Decides an enquiry about a person or family.
///
/// # Errors
///
/// [`Refusal`] when no clause lets the asker ask, or no supplier may contribute.
pub fn contributors(
    book: &PolicyBook,
    terms: &Terms,
    feeds: &[SupplierFeed],
    now: Timestamp,
) -> Result<Permitted, Refusal> {
    decide(book, terms, feeds, now, false)
}

/// Decides which data may go into a table of statistics; only statistical purposes pass.
///
/// # Errors
///
/// [`Refusal`], as for [`contributors`].
pub fn contributors_for_statistics(
    book: &PolicyBook,
    terms: &Terms,
    feeds: &[SupplierFeed],
    now: Timestamp,
) -> Result<Permitted, Refusal> {
    decide(book, terms, feeds, now, true)
}

fn decide(
    book: &PolicyBook,
    terms: &Terms,
    feeds: &[SupplierFeed],
    now: Timestamp,
    for_statistics: bool,
) -> Result<Permitted, Refusal> {
    let refused = |hits, decisions, valid_until| Refusal { hits, decisions, valid_until };
    let fixed = |rule| refused(vec![RuleHit::fixed(rule)], Vec::new(), None);
    book.agency(&terms.recipient).ok_or_else(|| fixed(UNKNOWN_RECIPIENT))?;
    let purpose = book.programme().purpose(&terms.purpose).ok_or_else(|| fixed(UNKNOWN_PURPOSE))?;
    let agreement = &book.agreement(&terms.agreement).ok_or_else(|| fixed(NO_CLAUSE))?.text;
    let clauses: Vec<_> = agreement.receives().iter().filter(|c| c.recipient == terms.recipient).collect();
    if clauses.is_empty() {
        return Err(fixed(NO_CLAUSE));
    }
    let asks: Vec<_> =
        clauses.into_iter().map(|clause| ask(terms, agreement, clause, purpose, for_statistics, now)).collect();
    let heard = asks.iter().map(|ask| (ask, book.ask_hits(ask)));
    let (may, may_not): (Vec<_>, Vec<_>) = heard.partition(|(_, hits)| hits.is_empty());
    let may: Vec<&Ask<'_>> = may.into_iter().map(|(ask, _)| ask).collect();
    let mut boundary = Boundary::new(book, now);
    boundary.include(agreement);
    if may.is_empty() {
        let closest = may_not.into_iter().map(|(_, hits)| hits).min_by_key(Vec::len).unwrap_or_default();
        return Err(refused(closest, Vec::new(), Some(boundary.next)).filter_future(now));
    }
    let mut decisions = own(book, terms, now);
    let others: BTreeSet<_> = feeds.iter().filter(|feed| feed.supplier != terms.recipient).collect();
    for feed in others {
        decisions.extend(of_feed(book, &may, feed, &mut boundary, now));
    }
    decisions.sort();
    let (supplied, denied) = (
        decisions.iter().any(|line| matches!(line.outcome, Outcome::Permitted { .. })),
        decisions.iter().any(|line| !line.outcome.is_in()),
    );
    if denied && !supplied {
        let hits = vec![RuleHit::fixed(NOTHING_RELEASABLE)];
        return Err(refused(hits, decisions, Some(boundary.next)).filter_future(now));
    }
    Ok(permitted(book, terms, &may, decisions, boundary.next, now))
}

fn ask<'a>(
    terms: &'a Terms,
    agreement: &'a AgreementText,
    clause: &'a ReceiveClause,
    purpose: &'a Purpose,
    for_statistics: bool,
    now: Timestamp,
) -> Ask<'a> {
    Ask {
        recipient: &terms.recipient,
        agreement,
        clause,
        purpose,
        mode: terms.mode,
        role: &terms.role,
        relationship_fits: purpose.relationships.contains(&terms.relationship),
        for_statistics,
        now,
    }
}

/// The asker's own records: in the set for the items that its own feeds supply.
fn own(book: &PolicyBook, terms: &Terms, now: Timestamp) -> Vec<Decision> {
    let day = now.date();
    let feeds = book.programme().feeds().iter();
    let feeds = feeds.filter(|feed| feed.agency == terms.recipient && feed.is_effective(day));
    let lines = feeds.flat_map(|feed| {
        let items = book.programme().items_of(feed, day).into_iter().filter(|item| terms.mode.draws_on(item));
        items.map(|item| Decision {
            supplier: feed.agency.clone(),
            feed: feed.code.clone(),
            submitted_under: None,
            item,
            supply: None,
            receive: None,
            outcome: Outcome::Own,
        })
    });
    lines.collect()
}

/// The lines of one feed of another agency. A feed that the calendar does not list supplies nothing.
fn of_feed(
    book: &PolicyBook,
    may: &[&Ask<'_>],
    submitted: &SupplierFeed,
    boundary: &mut Boundary,
    now: Timestamp,
) -> Vec<Decision> {
    let day = now.date();
    let Some(feed) = book.programme().feed(&submitted.supplier, &submitted.feed).filter(|f| f.is_effective(day)) else {
        return Vec::new();
    };
    if let Some(agreement) = book.agreement(&submitted.agreement) {
        boundary.include(&agreement.text);
    }
    let Some(mode) = may.first().map(|ask| ask.mode) else {
        return Vec::new();
    };
    let items = book.programme().items_of(feed, day).into_iter().filter(|item| mode.draws_on(item));
    items.map(|item| of_item(book, may, feed, &submitted.agreement, item)).collect()
}

/// One line: the first pair of receive clause and supply term that allows the item, in the order of
/// the texts; otherwise the pair with the fewest rules against it.
fn of_item(book: &PolicyBook, may: &[&Ask<'_>], feed: &Feed, submitted_under: &AgreementRef, item: Item) -> Decision {
    let line = |supply, receive, item, outcome| Decision {
        supplier: feed.agency.clone(),
        feed: feed.code.clone(),
        submitted_under: Some(submitted_under.clone()),
        item,
        supply,
        receive,
        outcome,
    };
    let areas = areas_of(book, &feed.agency, &item);
    let benefits_data = is_benefits_data(book, feed);
    let text = book.agreement(submitted_under).map(|agreement| &*agreement.text);
    let terms = text.into_iter().flat_map(|text| text.supplies().iter().map(move |term| (text, term)));
    let terms: Vec<_> = terms.filter(|(_, term)| term.supplier == feed.agency).collect();
    let mut closest: Option<(TermRef, TermRef, Vec<RuleHit>)> = None;
    for ask in may {
        for (text, term) in &terms {
            let release = Release {
                ask,
                agreement: text,
                term,
                supplier: &feed.agency,
                item: &item,
                areas: &areas,
                benefits_data,
            };
            let hits = book.release_hits(&release);
            let (supply, receive) = (TermRef::of(text, &term.id), TermRef::of(ask.agreement, &ask.clause.id));
            if hits.is_empty() {
                let onward = term.onward.min(ask.clause.onward);
                return line(Some(supply), Some(receive), item, Outcome::Permitted { onward });
            }
            if closest.as_ref().is_none_or(|(_, _, fewest)| hits.len() < fewest.len()) {
                closest = Some((supply, receive, hits));
            }
        }
    }
    match closest {
        Some((supply, receive, hits)) => line(Some(supply), Some(receive), item, Outcome::Denied(hits)),
        None => line(None, None, item, Outcome::Denied(vec![RuleHit::fixed(NO_SUPPLY)])),
    }
}

/// The area that the item is, or those that naming its supplier reveals.
pub(super) fn areas_of<'b>(book: &'b PolicyBook, supplier: &AgencyCode, item: &Item) -> Vec<&'b Area> {
    let programme = book.programme();
    if let Some(area) = item.area() {
        return programme.area(area).into_iter().collect();
    }
    let reveals = book.agency(supplier).filter(|_| item.names_supplier()).map(Agency::reveals_areas);
    reveals.into_iter().flatten().filter_map(|area| programme.area(area)).collect()
}

/// Whether a feed comes from the benefits department, or was received under its power.
pub(super) fn is_benefits_data(book: &PolicyBook, feed: &Feed) -> bool {
    let from_department = book.agency(&feed.agency).is_some_and(|agency| agency.kind() == AgencyKind::Benefits);
    from_department || feed.received_under.iter().any(|power| power.as_str() == BENEFITS_POWER)
}

fn permitted(
    book: &PolicyBook,
    terms: &Terms,
    may: &[&Ask<'_>],
    decisions: Vec<Decision>,
    valid_until: Timestamp,
    now: Timestamp,
) -> Permitted {
    let programme = book.programme();
    let version = programme.criteria_at(now.date());
    let with_criteria = version.areas();
    let lines_of = |is_in: bool| -> BTreeSet<_> {
        let lines = decisions.iter().filter(|line| line.outcome.is_in() == is_in);
        lines.filter_map(|line| Some((&line.supplier, &line.feed, line.item.area()?))).collect()
    };
    let (granted, denied) = (lines_of(true), lines_of(false));
    let covered: BTreeSet<AreaCode> = granted.iter().map(|(_, _, area)| (*area).clone()).collect();
    let is_complete = |area: &AreaCode| {
        version.of_area(area).all(|criterion| {
            let mut expected = programme.expected_feeds(&criterion.code, now.date()).peekable();
            // Records of one feed can stand under two agreements; the feed is whole only if both are in.
            let is_whole = |feed: &Feed| {
                let line = (&feed.agency, &feed.code, area);
                granted.contains(&line) && !denied.contains(&line)
            };
            expected.peek().is_some() && expected.all(is_whole)
        })
    };
    let is_withheld = |area: &AreaCode| {
        let item = Item::Area(area.clone());
        let is_listed = may.iter().any(|ask| ask.mode.draws_on(&item) && ask.clause.items.contains(&item));
        !is_listed || denied.iter().any(|(_, _, kept_back)| *kept_back == area)
    };
    let complete = covered.iter().filter(|area| is_complete(area)).cloned().collect();
    let withheld = with_criteria.difference(&covered).filter(|area| is_withheld(area)).cloned().collect();
    let without_criteria = programme
        .areas()
        .iter()
        .map(|area| &area.code)
        .filter(|code| !with_criteria.contains(*code))
        .cloned()
        .collect();
    Permitted {
        terms: terms.clone(),
        agreement_file: may[0].agreement.hash(),
        charge: charge(may, &decisions),
        criteria_version: version.name(),
        rules: book.rules().hash(),
        decisions,
        covered,
        complete,
        withheld,
        without_criteria,
        valid_until,
    }
}

/// Of the clauses that were used, the one with the lowest ceiling; the first when only the asker's
/// own records are in the set.
fn charge(may: &[&Ask<'_>], decisions: &[Decision]) -> Charge {
    let used = |ask: &&&Ask<'_>| {
        decisions.iter().any(|line| {
            line.outcome.is_in() && line.receive.as_ref().is_some_and(|clause| clause.term == ask.clause.id)
        })
    };
    let ask = may.iter().filter(used).min_by_key(|ask| ask.clause.daily_ceiling).unwrap_or(&may[0]);
    Charge {
        clause: TermRef::of(ask.agreement, &ask.clause.id),
        daily_ceiling: ask.clause.daily_ceiling,
        unit: ask.clause.unit,
    }
}

/// The next instant at which a date of any agreement or of the calendar changes what is permitted.
struct Boundary {
    now: Timestamp,
    next: Timestamp,
}

impl Boundary {
    fn new(book: &PolicyBook, now: Timestamp) -> Self {
        let change = book.programme().next_change(now.date()).map(Timestamp::start_of);
        Self { now, next: change.unwrap_or(Timestamp::from_micros(i64::MAX)) }
    }

    fn include(&mut self, text: &AgreementText) {
        if let Some(at) = text.next_boundary(self.now) {
            self.next = self.next.min(at);
        }
    }
}

impl Refusal {
    /// A boundary that never comes is none.
    fn filter_future(mut self, now: Timestamp) -> Self {
        self.valid_until = self.valid_until.filter(|at| *at > now && at.as_micros() < i64::MAX);
        self
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use rstest::rstest;

    use super::super::rules::RuleBook;
    use super::*;
    use crate::domain::agreement::Agreement;
    use crate::domain::programme::Programme;

    pub(crate) const AGENCIES: [&str; 10] = [
        include_str!("../../policies/agencies/childrens-social-care.toml"),
        include_str!("../../policies/agencies/early-help-hub.toml"),
        include_str!("../../policies/agencies/education.toml"),
        include_str!("../../policies/agencies/hearth.toml"),
        include_str!("../../policies/agencies/housing.toml"),
        include_str!("../../policies/agencies/jobcentre-feed.toml"),
        include_str!("../../policies/agencies/kestrel.toml"),
        include_str!("../../policies/agencies/police.toml"),
        include_str!("../../policies/agencies/programme-team.toml"),
        include_str!("../../policies/agencies/youth-justice.toml"),
    ];
    pub(crate) const AGREEMENTS: [&str; 7] = [
        include_str!("../../policies/agreements/benefits-data.toml"),
        include_str!("../../policies/agreements/charity-referral.toml"),
        include_str!("../../policies/agreements/early-help-core.toml"),
        include_str!("../../policies/agreements/housing-support.toml"),
        include_str!("../../policies/agreements/police-contact.toml"),
        include_str!("../../policies/agreements/programme-delivery.toml"),
        include_str!("../../policies/agreements/safeguarding-partners.toml"),
    ];

    pub(crate) fn shipped_programme() -> Arc<Programme> {
        Arc::new(Programme::parse(include_bytes!("../../policies/programme.toml")).expect("well-formed"))
    }

    pub(crate) fn shipped_book_with(revision: u64, change: impl Fn(&mut Agreement)) -> PolicyBook {
        let agencies = AGENCIES.iter().map(|file| Agency::parse(file.as_bytes()).expect("well-formed"));
        let agreements = AGREEMENTS.iter().map(|file| {
            let text = AgreementText::parse(file.as_bytes()).unwrap_or_else(|faults| panic!("{faults}"));
            let mut agreement = Agreement::in_force(Arc::new(text));
            change(&mut agreement);
            agreement
        });
        let rules = Arc::new(RuleBook::shipped().expect("valid"));
        PolicyBook::new(shipped_programme(), agencies, agreements, rules, revision).expect("consistent")
    }

    pub(crate) fn shipped_book() -> PolicyBook {
        shipped_book_with(1, |_| {})
    }

    pub(crate) fn today() -> Timestamp {
        "2026-11-21T10:00:00Z".parse().expect("well-formed")
    }

    pub(crate) fn terms(
        who: &str,
        agreement: &str,
        purpose: &str,
        mode: &str,
        role: &str,
        relationship: &str,
    ) -> Terms {
        let name = |text: &str| serde_json::Value::String(text.to_owned());
        Terms {
            recipient: who.parse().expect("well-formed"),
            agreement: agreement.parse().expect("well-formed"),
            purpose: purpose.parse().expect("well-formed"),
            mode: serde_json::from_value(name(mode)).expect("a mode"),
            role: role.parse().expect("well-formed"),
            relationship: serde_json::from_value(name(relationship)).expect("a relationship"),
        }
    }

    /// One submission of every feed, each under the agreement that its supplier would name.
    pub(crate) fn feeds() -> Vec<SupplierFeed> {
        let under = [
            ("education", "attendance", "early-help-core/v1"),
            ("education", "welfare", "early-help-core/v1"),
            ("childrens-social-care", "cases", "early-help-core/v1"),
            ("early-help-hub", "assessments", "early-help-core/v1"),
            ("youth-justice", "orders", "early-help-core/v1"),
            ("housing", "tenancies", "early-help-core/v1"),
            ("police", "outcomes", "safeguarding-partners/v1"),
            ("kestrel", "casework", "safeguarding-partners/v1"),
            ("jobcentre-feed", "benefits", "benefits-data/v1"),
            ("hearth", "casework", "charity-referral/v1"),
        ];
        let feed = |(supplier, feed, agreement): (&str, &str, &str)| SupplierFeed {
            supplier: supplier.parse().expect("well-formed"),
            feed: feed.parse().expect("well-formed"),
            agreement: agreement.parse().expect("well-formed"),
        };
        under.into_iter().map(feed).collect()
    }

    fn areas(set: &BTreeSet<AreaCode>) -> Vec<&str> {
        set.iter().map(AreaCode::as_str).collect()
    }
    fn rules(hits: &[RuleHit]) -> Vec<&str> {
        hits.iter().map(|hit| hit.rule.as_str()).collect()
    }

    #[rstest]
    #[case::hub("early-help-hub", "early-help-core/v1", "early-help-screening", "areas", "hub-screener", "referral", &["A1", "A2", "A3", "A4"])]
    #[case::housing("housing", "housing-support/v1", "tenancy-support", "eligible", "housing-officer", "open_case", &["A1", "A2", "A3"])]
    #[case::charity("hearth", "charity-referral/v1", "family-support", "eligible", "family-worker", "referral", &["A2", "A3"])]
    #[case::social_care("childrens-social-care", "safeguarding-partners/v1", "safeguarding", "criteria", "social-worker", "statutory_enquiry", &["A1", "A2", "A3"])]
    #[case::police("police", "police-contact/v1", "lead-contact", "lead", "safeguarding-officer", "open_case", &[])]
    fn the_same_family_is_answered_over_different_areas(
        #[case] who: &str,
        #[case] agreement: &str,
        #[case] purpose: &str,
        #[case] mode: &str,
        #[case] role: &str,
        #[case] relationship: &str,
        #[case] covered: &[&str],
    ) {
        let terms = terms(who, agreement, purpose, mode, role, relationship);
        let permitted = contributors(&shipped_book(), &terms, &feeds(), today()).expect("permitted");
        assert_eq!(areas(&permitted.covered), covered);
        assert_eq!(areas(&permitted.without_criteria), ["A5", "A6"]);
        let with_criteria = ["A1", "A2", "A3", "A4"];
        let withheld: Vec<_> = with_criteria.into_iter().filter(|area| !covered.contains(area)).collect();
        assert_eq!(areas(&permitted.withheld), withheld);
    }

    #[test]
    fn the_hub_can_hear_not_met_only_where_it_draws_on_every_expected_supplier() {
        let terms =
            terms("early-help-hub", "early-help-core/v1", "early-help-screening", "areas", "hub-screener", "referral");
        let permitted = contributors(&shipped_book(), &terms, &feeds(), today()).expect("permitted");
        assert_eq!(areas(&permitted.complete), ["A2", "A3", "A4"], "police convictions stay outside for A1");
        let fewer: Vec<_> = feeds().into_iter().filter(|feed| feed.feed.as_str() != "welfare").collect();
        let permitted = contributors(&shipped_book(), &terms, &fewer, today()).expect("permitted");
        assert_eq!(areas(&permitted.complete), ["A3", "A4"]);
    }

    #[test]
    fn the_asker_s_own_records_are_always_in_the_set() {
        let terms =
            terms("early-help-hub", "early-help-core/v1", "early-help-screening", "areas", "hub-screener", "referral");
        let permitted = contributors(&shipped_book(), &terms, &[], today()).expect("own records alone");
        let own = feeds().into_iter().find(|feed| feed.supplier == terms.recipient).expect("listed");
        assert!(permitted.allows(&own, &"A3".parse().expect("item")));
        assert!(!permitted.allows(&own, &Item::Lead), "the mode does not draw on it");
        assert!(permitted.includes(&own));
        assert_eq!(permitted.feeds().len(), 1);
        assert_eq!(permitted.onward(), Onward::None);
    }

    #[test]
    fn records_of_one_feed_are_judged_by_the_agreement_they_came_under() {
        let terms =
            terms("early-help-hub", "early-help-core/v1", "early-help-screening", "areas", "hub-screener", "referral");
        let good = feeds().into_iter().find(|feed| feed.feed.as_str() == "attendance").expect("listed");
        let gone = SupplierFeed { agreement: "early-help-core/v9".parse().expect("reference"), ..good.clone() };
        let mut both = feeds();
        both.push(gone.clone());
        let permitted = contributors(&shipped_book(), &terms, &both, today()).expect("permitted");
        let area = "A2".parse().expect("item");
        assert!(permitted.allows(&good, &area) && permitted.includes(&good));
        assert!(!permitted.allows(&gone, &area) && !permitted.includes(&gone));
        assert!(!areas(&permitted.complete).contains(&"A2"), "a part of the feed is outside the set");
    }

    #[test]
    fn a_domestic_abuse_service_is_named_only_where_its_area_is_agreed() {
        let book = shipped_book();
        let kestrel: AgencyCode = "kestrel".parse().expect("code");
        let ask = |role| terms("early-help-hub", "early-help-core/v1", "family-support", "lead", role, "open_case");
        let named = |role| {
            let permitted = contributors(&book, &ask(role), &feeds(), today()).expect("permitted");
            permitted.pairs().contains(&(kestrel.clone(), Item::Lead))
        };
        assert!(named("early-help-practitioner"));
        assert!(!named("hub-screener"));
    }

    #[test]
    fn every_denied_line_says_why_and_every_permitted_line_by_which_terms() {
        let terms =
            terms("early-help-hub", "early-help-core/v1", "early-help-screening", "areas", "hub-screener", "referral");
        let permitted = contributors(&shipped_book(), &terms, &feeds(), today()).expect("permitted");
        let police = permitted.denied().find(|line| line.supplier.as_str() == "police").expect("denied");
        assert!(matches!(&police.outcome, Outcome::Denied(hits) if !hits.is_empty()));
        for line in permitted.granted().filter(|line| line.outcome != Outcome::Own) {
            assert!(line.supply.is_some() && line.receive.is_some(), "{line:?}");
        }
        let jobcentre = permitted.granted().find(|line| line.supplier.as_str() == "jobcentre-feed").expect("granted");
        let supply = jobcentre.supply.as_ref().expect("has terms");
        let receive = jobcentre.receive.as_ref().expect("has terms");
        assert_eq!((supply.agreement.id.as_str(), receive.agreement.id.as_str()), ("benefits-data", "early-help-core"));
        assert_ne!(supply.file, receive.file);
    }

    #[rstest]
    #[case::unknown_agreement("police", "no-such/v1", "lead-contact", "lead", "safeguarding-officer", "open_case", &["P01"])]
    #[case::not_a_recipient("police", "housing-support/v1", "lead-contact", "lead", "safeguarding-officer", "open_case", &["P01"])]
    #[case::unknown_agency("stranger", "housing-support/v1", "lead-contact", "lead", "safeguarding-officer", "open_case", &["P05"])]
    #[case::unknown_purpose("police", "police-contact/v1", "curiosity", "lead", "safeguarding-officer", "open_case", &["P02"])]
    #[case::purpose("police", "police-contact/v1", "tenancy-support", "lead", "safeguarding-officer", "open_case", &["R02"])]
    #[case::mode("police", "police-contact/v1", "lead-contact", "areas", "safeguarding-officer", "open_case", &["R03"])]
    #[case::role("police", "police-contact/v1", "lead-contact", "lead", "hub-screener", "open_case", &["R04"])]
    #[case::relationship("police", "police-contact/v1", "lead-contact", "lead", "safeguarding-officer", "screening", &["R05"])]
    #[case::statistics("programme-team", "programme-delivery/v1", "statistics", "count", "data-analyst", "screening", &["R15"])]
    fn a_refusal_names_the_rule(
        #[case] who: &str,
        #[case] agreement: &str,
        #[case] purpose: &str,
        #[case] mode: &str,
        #[case] role: &str,
        #[case] relationship: &str,
        #[case] expected: &[&str],
    ) {
        let terms = terms(who, agreement, purpose, mode, role, relationship);
        let refusal = contributors(&shipped_book(), &terms, &feeds(), today()).expect_err("refused");
        assert_eq!(rules(&refusal.hits), expected);
    }

    #[test]
    fn when_no_supplier_may_contribute_the_enquiry_is_refused_with_every_line() {
        let terms = terms("police", "police-contact/v1", "lead-contact", "lead", "safeguarding-officer", "open_case");
        let suspended = shipped_book_with(1, |agreement| {
            if agreement.text.reference().id.as_str() != "police-contact" {
                agreement.status = crate::domain::agreement::AgreementStatus::Suspended;
            }
        });
        let refusal = contributors(&suspended, &terms, &feeds(), today()).expect_err("refused");
        assert_eq!(rules(&refusal.hits), ["P03"]);
        assert!(
            refusal
                .decisions
                .iter()
                .any(|line| matches!(&line.outcome, Outcome::Denied(hits) if rules(hits) == ["T07"]))
        );
    }

    #[test]
    fn statistics_pass_by_their_own_door_only() {
        let book = shipped_book();
        let count =
            terms("programme-team", "programme-delivery/v1", "statistics", "count", "data-analyst", "screening");
        let permitted = contributors_for_statistics(&book, &count, &feeds(), today()).expect("permitted");
        assert_eq!(areas(&permitted.covered), ["A1", "A2", "A3", "A4"]);
        let person = Terms { purpose: "audit".parse().expect("code"), ..count };
        assert!(contributors_for_statistics(&book, &person, &feeds(), today()).is_err());
        assert!(contributors(&book, &person, &feeds(), today()).is_ok());
    }

    #[test]
    fn a_decision_holds_until_its_boundary() {
        let book = shipped_book();
        let terms =
            terms("early-help-hub", "early-help-core/v1", "early-help-screening", "areas", "hub-screener", "referral");
        let mut now = today();
        for expected in ["2027-04-01T00:00:00Z", "2027-07-29T00:00:00Z"] {
            let permitted = contributors(&book, &terms, &feeds(), now).expect("permitted");
            assert_eq!(permitted.valid_until, expected.parse().expect("time"));
            let last = Timestamp::from_micros(permitted.valid_until.as_micros() - 1);
            assert_eq!(contributors(&book, &terms, &feeds(), last).as_ref(), Ok(&permitted));
            now = permitted.valid_until;
        }
        let refusal = contributors(&book, &terms, &feeds(), now).expect_err("review overdue");
        assert_eq!(rules(&refusal.hits), ["T04"]);
    }

    #[test]
    fn the_lowest_ceiling_of_the_clauses_used_is_charged() {
        let ask = |role| terms("early-help-hub", "early-help-core/v1", "family-support", "lead", role, "open_case");
        let charge = |role| contributors(&shipped_book(), &ask(role), &feeds(), today()).expect("permitted").charge;
        assert_eq!(charge("early-help-practitioner").daily_ceiling, 60);
        assert_eq!(charge("hub-screener").daily_ceiling, 600);
    }

    #[test]
    fn the_order_of_the_feeds_changes_nothing() {
        let book = shipped_book();
        let terms =
            terms("early-help-hub", "early-help-core/v1", "early-help-screening", "areas", "hub-screener", "referral");
        let mut turned = feeds();
        turned.reverse();
        turned.extend(feeds());
        let decide = |feeds: &[SupplierFeed]| contributors(&book, &terms, feeds, today());
        assert_eq!(decide(&feeds()), decide(&turned));
    }
}
