//! The decision: who may contribute what to an answer, before any record is read.
//!
//! It depends on the terms of the enquiry, the agreements, the feed calendar and the time, and on
//! nothing about a person; so it is equal for every person and safe to show and to log.

use std::collections::BTreeSet;

use super::book::{Ask, Judge, PolicyBook, Release};
use super::decision::{
    Charge, Decision, NO_CLAUSE, NO_SUPPLY, NOTHING_RELEASABLE, Outcome, Permitted, Refusal, SupplierFeed, TermRef,
    Terms, UNKNOWN_PURPOSE, UNKNOWN_RECIPIENT,
};
use super::rules::RuleHit;
use crate::domain::agency::{Agency, AgencyKind};
use crate::domain::agreement::{AgreementText, Item, ReceiveClause};
use crate::domain::ids::{AgencyCode, AgreementRef, AreaCode};
use crate::domain::law::BENEFITS_POWER;
use crate::domain::programme::{Area, Feed, Purpose, Relationship};
use crate::domain::time::Timestamp;

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
    decide(book, book, terms, feeds, now, false)
}

/// As [`contributors`], with the rules asked through `judge`.
pub(super) fn contributors_by(
    judge: &impl Judge,
    book: &PolicyBook,
    terms: &Terms,
    feeds: &[SupplierFeed],
    now: Timestamp,
) -> Result<Permitted, Refusal> {
    decide(judge, book, terms, feeds, now, false)
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
    decide(book, book, terms, feeds, now, true)
}

fn decide(
    judge: &impl Judge,
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
    let heard = asks.iter().map(|ask| (ask, judge.ask(ask)));
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
        decisions.extend(of_feed(judge, book, &may, feed, &mut boundary, now));
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
        // An emergency is a ground only where the signed clause says that it may be.
        relationship_fits: purpose.relationships.contains(&terms.relationship)
            && (terms.relationship != Relationship::Emergency || clause.emergency),
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
    judge: &impl Judge,
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
    if let Some(agreement) = book.in_place_of(&submitted.agreement) {
        boundary.include(&agreement.text);
    }
    let Some(mode) = may.first().map(|ask| ask.mode) else {
        return Vec::new();
    };
    let items = book.programme().items_of(feed, day).into_iter().filter(|item| mode.draws_on(item));
    let benefits_data = is_benefits_data(book, feed);
    items.map(|item| of_item(judge, book, may, (feed, benefits_data), &submitted.agreement, item)).collect()
}

/// One line: the first pair of receive clause and supply term that allows the item, in the order of
/// the texts; otherwise the pair with the fewest rules against it.
fn of_item(
    judge: &impl Judge,
    book: &PolicyBook,
    may: &[&Ask<'_>],
    (feed, benefits_data): (&Feed, bool),
    submitted_under: &AgreementRef,
    item: Item,
) -> Decision {
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
    let text = book.in_place_of(submitted_under).map(|agreement| &*agreement.text);
    let terms = text.into_iter().flat_map(|text| text.supplies().iter().map(move |term| (text, term)));
    let terms: Vec<_> = terms.filter(|(_, term)| term.supplier == feed.agency).collect();
    let terms = preferring(terms, |(_, term)| may.iter().any(|ask| term.recipients.contains(ask.recipient)));
    let asks = preferring(may.to_vec(), |ask| ask.clause.suppliers.contains(&feed.agency));
    let mut closest: Option<(TermRef, TermRef, Vec<RuleHit>)> = None;
    for ask in asks {
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
            let hits = judge.release(&release);
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

/// Those that fit, when any does: the others could only be denied. All of them when none fits, so
/// that the rules can say why.
fn preferring<T>(all: Vec<T>, fits: impl Fn(&T) -> bool) -> Vec<T> {
    let (fitting, others): (Vec<T>, Vec<T>) = all.into_iter().partition(|one| fits(one));
    if fitting.is_empty() { others } else { fitting }
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

/// Whether a feed carries benefits data: it comes from the benefits department, was received under its
/// power, or speaks of a criterion of which such a feed speaks, on whatever day. Who else than the
/// department could say that a benefit is paid? The strictest source decides for all.
pub(super) fn is_benefits_data(book: &PolicyBook, feed: &Feed) -> bool {
    let of_department = |feed: &Feed| {
        book.agency(&feed.agency).is_some_and(|agency| agency.kind() == AgencyKind::Benefits)
            || feed.received_under.iter().any(|power| power.as_str() == BENEFITS_POWER)
    };
    let shares_a_criterion = |other: &&Feed| other.criteria.iter().any(|code| feed.criteria.contains(code));
    of_department(feed) || book.programme().feeds().iter().filter(shares_a_criterion).any(of_department)
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rstest::rstest;

    use super::super::fixtures::{AGREEMENTS, feeds, shipped_book, shipped_book_with, terms, today};
    use super::*;
    use crate::domain::agreement::{Agreement, Onward};

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

    /// A text that everybody signed, and that lists everything that could be listed.
    #[rstest]
    #[case::police("police")]
    #[case::schools("education")]
    fn an_agreement_that_grants_them_worklessness_grants_nothing_in_any_form(#[case] who: &str) {
        let every_form = "modes = [\"eligible\", \"count\", \"areas\", \"criteria\"]";
        let text = AGREEMENTS[0]
            .replacen("id = \"benefits-data\"", "id = \"benefits-onward\"", 1)
            .replacen("dpia_date =", "police_regime = \"part-2\"\ndpia_date =", 1)
            .replace("early-help-hub", who)
            .replace("modes = [\"eligible\", \"count\", \"areas\"]", every_form)
            .replace("modes = [\"areas\"]", every_form);
        let text = AgreementText::parse(text.as_bytes()).unwrap_or_else(|faults| panic!("{faults}"));
        let book = shipped_book();
        let all = book.agreements().cloned().chain([Agreement::in_force(Arc::new(text))]);
        let book = book.with_agreements(all.collect()).expect("fits");
        let under =
            |feed: SupplierFeed| SupplierFeed { agreement: "benefits-onward/v1".parse().expect("fits"), ..feed };
        let benefits: Vec<_> = feeds().into_iter().filter(|f| f.feed.as_str() == "benefits").map(under).collect();
        for mode in ["eligible", "count", "areas", "criteria"] {
            let asked =
                terms(who, "benefits-onward/v1", "family-support", mode, "early-help-practitioner", "open_case");
            let refusal = contributors(&book, &asked, &benefits, today()).expect_err("the law stops it");
            let theirs: Vec<_> = refusal.decisions.iter().filter(|line| line.supplier != asked.recipient).collect();
            assert!(!theirs.is_empty());
            for line in theirs {
                assert!(matches!(&line.outcome, Outcome::Denied(hits) if rules(hits) == ["S02", "S03"]), "{line:?}");
            }
        }
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

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]
        #[test]
        fn a_feed_is_judged_alike_whichever_other_feeds_there_are(chosen in 0_u16..1024) {
            static BOOK: std::sync::LazyLock<PolicyBook> = std::sync::LazyLock::new(shipped_book);
            let terms = terms("programme-team", "programme-delivery/v1", "claim-validation", "criteria", "claims-officer", "screening");
            let all = contributors(&BOOK, &terms, &feeds(), today()).expect("permitted");
            let some: Vec<_> = feeds().into_iter().enumerate().filter(|(n, _)| chosen >> n & 1 == 1).map(|(_, f)| f).collect();
            let lines = match contributors(&BOOK, &terms, &some, today()) {
                Ok(permitted) => permitted.decisions,
                Err(refusal) => refusal.decisions,
            };
            let is_chosen = |line: &&Decision| some.iter().any(|f| f.supplier == line.supplier && f.feed == line.feed);
            let expected: Vec<_> = all.decisions.iter().filter(is_chosen).cloned().collect();
            proptest::prop_assert_eq!(lines, expected);
        }
    }
}
