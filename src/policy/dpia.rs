//! The pack that supports a data protection impact assessment: who can get what, on what basis, how long it
//! is kept, what protects it and what is open, from the policy book as it stands.
//!
//! Everything here follows from the configuration; what only people can say is left to them, by name.
//! Nothing is about a person whose data are held.

mod render;

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan as _;
use jiff::civil::Date;
use serde::Serialize;

use super::book::PolicyBook;
use super::decision::SupplierFeed;
use super::matrix::{Gap, cells, gaps};
use crate::domain::agency::{Agency, Officers, Standing};
use crate::domain::agreement::{
    Agreement, AgreementStatus, AnswerMode, Handling, Item, Law, Onward, Party, Profile, ReceiveClause, Rights,
    SupplyTerm, Unit, Why,
};
use crate::domain::ids::{AgencyCode, AgreementRef, AreaCode, BasisCode, PowerCode, PurposeCode, RoleCode, TermCode};
use crate::domain::time::Timestamp;

/// Days before a date at which it is named among what is open.
const SOON: i64 = 60;

/// The pack.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pack {
    /// The programme.
    pub programme: String,
    /// Its title.
    pub title: String,
    /// As at when.
    pub as_at: String,
    /// The version of the criteria in use.
    pub criteria_version: String,
    /// SHA-256 of the rule book.
    pub rules_sha256: String,
    /// Facts of the installation, as the configuration has them; none where files alone were read.
    pub installation: Vec<(String, String)>,
    /// Who takes part.
    pub agencies: Vec<AgencyPart>,
    /// What is held.
    pub areas: Vec<AreaPart>,
    /// What is delivered.
    pub feeds: Vec<FeedPart>,
    /// Who can get what, on what basis.
    pub flows: Vec<Flow>,
    /// The agreements behind it.
    pub agreements: Vec<AgreementPart>,
    /// The rules that hold whatever an agreement says.
    pub limits: Vec<(String, String)>,
    /// What is open: what somebody has to do or to decide.
    pub open: Vec<String>,
    /// What the agreements do not make possible, which may be as it should.
    pub gaps: Vec<Gap>,
}

/// An agency.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AgencyPart {
    /// Its code.
    pub code: AgencyCode,
    /// Its name.
    pub name: String,
    /// What it does.
    pub plain: String,
    /// What kind of body it is.
    pub kind: &'static str,
    /// What the law makes of it.
    pub standing: Standing,
    /// Who answers for data protection there.
    pub officers: Officers,
    /// The areas that its name alone reveals.
    pub reveals: BTreeSet<AreaCode>,
    /// Whether it supplies data.
    pub supplies: bool,
}

/// A criteria area and what kind of data it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AreaPart {
    /// Its code.
    pub code: AreaCode,
    /// Its title.
    pub title: String,
    /// Special category data.
    pub special_category: bool,
    /// Criminal-offence data.
    pub criminal_offence: bool,
    /// Health data.
    pub health: bool,
    /// Its criteria in use: code and wording.
    pub criteria: Vec<(String, String)>,
}

/// A feed of the calendar.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FeedPart {
    /// Whose.
    pub supplier: AgencyCode,
    /// Which.
    pub feed: String,
    /// What it is.
    pub plain: String,
    /// Expected every so many days.
    pub every_days: u32,
    /// What it may carry.
    pub items: Vec<Item>,
    /// The agreement that its newest delivery named; none before the first.
    pub delivered_under: Option<AgreementRef>,
}

/// One way in which data of one agency reach another, as decided now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Flow {
    /// Who is told.
    pub recipient: AgencyCode,
    /// Whose data.
    pub supplier: AgencyCode,
    /// Which items.
    pub items: BTreeSet<Item>,
    /// For what.
    pub purposes: BTreeSet<PurposeCode>,
    /// In which forms.
    pub modes: BTreeSet<AnswerMode>,
    /// The agreement and clause under which it is received.
    pub receive: (AgreementRef, TermCode),
    /// The agreement and term under which it is supplied.
    pub supply: (AgreementRef, TermCode),
    /// The powers that both name.
    pub powers: BTreeSet<PowerCode>,
    /// Lawful bases: the supplier's, the recipient's.
    pub bases: (BasisCode, BasisCode),
    /// Conditions for special category and criminal-offence data that both name.
    pub conditions: BTreeSet<BasisCode>,
    /// Whether special category data are in it.
    pub special_category: bool,
    /// Whether criminal-offence data are in it.
    pub criminal_offence: bool,
    /// Whether health data are in it.
    pub health: bool,
    /// Whether it is law-enforcement processing under Part 3.
    pub law_enforcement: bool,
    /// Who there may ask.
    pub roles: BTreeSet<RoleCode>,
    /// What an answer is about.
    pub unit: Unit,
    /// How many enquiries a day.
    pub daily_ceiling: u32,
    /// Whether it may be passed on: the stricter of both.
    pub onward: Onward,
    /// How the supplier's records are protected in the gateway.
    pub profile: Profile,
}

/// An agreement.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AgreementPart {
    /// Which.
    pub agreement: AgreementRef,
    /// Its title.
    pub title: String,
    /// SHA-256 of the signed text.
    pub sha256: String,
    /// Where it stands.
    pub status: AgreementStatus,
    /// Its first day, last day, the day of review and the last day of grace.
    pub days: [String; 4],
    /// Who reviews it.
    pub reviewer: String,
    /// Why it exists and why less would not do.
    pub why: Why,
    /// Its parties.
    pub parties: Vec<Party>,
    /// Those who have signed.
    pub signed_by: BTreeSet<AgencyCode>,
    /// The law it rests on.
    pub law: Law,
    /// How data are handled and how long they are kept.
    pub handling: Handling,
    /// How people use their rights.
    pub rights: Rights,
}

/// Makes the pack.
pub fn pack(
    book: &PolicyBook,
    delivered: &[SupplierFeed],
    installation: Vec<(String, String)>,
    now: Timestamp,
) -> Pack {
    let programme = book.programme();
    let all = cells(book, delivered, None, now);
    let version = programme.criteria_at(now.date());
    let limits = book.rules().forbids().filter(|rule| rule.rule.starts_with('S'));
    Pack {
        programme: programme.code().to_string(),
        title: programme.title().to_owned(),
        as_at: now.to_string(),
        criteria_version: version.name(),
        rules_sha256: book.rules().hash().to_string(),
        installation,
        agencies: book.agencies().map(|agency| agency_part(book, agency)).collect(),
        areas: programme
            .areas()
            .iter()
            .map(|area| AreaPart {
                code: area.code.clone(),
                title: area.title.clone(),
                special_category: area.special_category,
                criminal_offence: area.criminal_offence,
                health: area.health,
                criteria: version.of_area(&area.code).map(|it| (it.code.to_string(), it.plain.clone())).collect(),
            })
            .collect(),
        feeds: programme
            .feeds()
            .iter()
            .filter(|feed| feed.is_effective(now.date()))
            .map(|feed| FeedPart {
                supplier: feed.agency.clone(),
                feed: feed.code.to_string(),
                plain: feed.plain.clone(),
                every_days: u32::from(feed.expected_every_days),
                items: programme.items_of(feed, now.date()).into_iter().collect(),
                delivered_under: delivered
                    .iter()
                    .find(|known| known.supplier == feed.agency && known.feed == feed.code)
                    .map(|known| known.agreement.clone()),
            })
            .collect(),
        flows: flows(book, &all),
        agreements: book.agreements().map(agreement_part).collect(),
        limits: limits.map(|rule| (rule.rule.clone(), rule.say.clone())).collect(),
        open: open(book, now.date()),
        gaps: gaps(book, &all, now),
    }
}

fn agency_part(book: &PolicyBook, agency: &Agency) -> AgencyPart {
    AgencyPart {
        code: agency.code().clone(),
        name: agency.name().to_owned(),
        plain: agency.plain().to_owned(),
        kind: agency.kind().as_str(),
        standing: agency.standing(),
        officers: agency.officers().clone(),
        reveals: agency.reveals_areas().clone(),
        supplies: book.programme().feeds().iter().any(|feed| feed.agency == *agency.code()),
    }
}

fn agreement_part(agreement: &Agreement) -> AgreementPart {
    let text = &agreement.text;
    let days = [text.starts(), text.ends(), text.review_due(), text.last_day_of_grace()];
    AgreementPart {
        agreement: text.reference().clone(),
        title: text.title().to_owned(),
        sha256: text.hash().to_string(),
        status: agreement.status,
        days: days.map(|day| day.to_string()),
        reviewer: text.reviewer().to_owned(),
        why: text.why().clone(),
        parties: text.parties().to_vec(),
        signed_by: agreement.signed_by.clone(),
        law: text.law().clone(),
        handling: text.handling().clone(),
        rights: text.rights().clone(),
    }
}

/// The cells that are allowed, put together by the pair of terms that allows them.
fn flows(book: &PolicyBook, all: &[super::matrix::Cell]) -> Vec<Flow> {
    let mut flows: BTreeMap<_, Flow> = BTreeMap::new();
    for cell in all.iter().filter(|cell| cell.allowed && !cell.own) {
        let (Some(supplier), Some(item), [supply, receive]) = (&cell.supplier, &cell.item, &cell.terms[..]) else {
            continue;
        };
        let named = (
            book.agreement(&supply.agreement)
                .and_then(|known| known.text.supplies().iter().find(|t| t.id == supply.term)),
            book.agreement(&receive.agreement)
                .and_then(|known| known.text.receives().iter().find(|c| c.id == receive.term)),
        );
        let (Some(term), Some(clause)) = named else { continue };
        let flow =
            flows.entry((cell.recipient.clone(), supplier.clone(), supply.clone(), receive.clone())).or_insert_with(
                || new_flow(book, supplier, (supply.agreement.clone(), term), (receive.agreement.clone(), clause)),
            );
        flow.items.insert(item.clone());
        flow.purposes.insert(cell.purpose.clone());
        flow.modes.insert(cell.mode);
        let reveals = book.agency(supplier).filter(|_| item.names_supplier()).map(Agency::reveals_areas);
        for area in item.area().into_iter().chain(reveals.into_iter().flatten()) {
            let Some(area) = book.programme().area(area) else { continue };
            flow.special_category |= area.special_category;
            flow.criminal_offence |= area.criminal_offence;
            flow.health |= area.health;
        }
    }
    flows.into_values().collect()
}

fn new_flow(
    book: &PolicyBook,
    supplier: &AgencyCode,
    (supplied, term): (AgreementRef, &SupplyTerm),
    (received, clause): (AgreementRef, &ReceiveClause),
) -> Flow {
    let part_3 = |of: &AgreementRef| book.agreement(of).is_some_and(|known| known.text.is_law_enforcement());
    Flow {
        recipient: clause.recipient.clone(),
        supplier: supplier.clone(),
        items: BTreeSet::new(),
        purposes: BTreeSet::new(),
        modes: BTreeSet::new(),
        law_enforcement: part_3(&supplied) || part_3(&received),
        receive: (received, clause.id.clone()),
        supply: (supplied, term.id.clone()),
        powers: term.power.union(&clause.power).cloned().collect(),
        bases: (term.art6.clone(), clause.art6.clone()),
        conditions: term.conditions.union(&clause.conditions).cloned().collect(),
        special_category: false,
        criminal_offence: false,
        health: false,
        roles: clause.roles.clone(),
        unit: clause.unit,
        daily_ceiling: clause.daily_ceiling,
        onward: term.onward.min(clause.onward),
        profile: term.profile,
    }
}

/// What somebody has to do or to decide.
fn open(book: &PolicyBook, today: Date) -> Vec<String> {
    let mut open = Vec::new();
    let soon = today.checked_add(SOON.days()).unwrap_or(Date::MAX);
    let a_year_ago = today.checked_sub(1.year()).unwrap_or(Date::MIN);
    for agreement in book.agreements() {
        let (text, of) = (&agreement.text, agreement.text.reference());
        if matches!(agreement.status, AgreementStatus::Expired | AgreementStatus::Withdrawn) {
            continue;
        }
        if agreement.status != AgreementStatus::InForce {
            open.push(format!("{of} is loaded and not in force: nothing flows under it"));
        }
        for party in text.parties().iter().filter(|party| !agreement.signed_by.contains(&party.agency)) {
            open.push(format!("{of}: {} has not signed", party.agency));
        }
        if text.ends() < today {
            open.push(format!("{of} ended on {}", text.ends()));
        } else if text.ends() <= soon {
            open.push(format!("{of} ends on {}", text.ends()));
        }
        if text.last_day_of_grace() < today {
            open.push(format!("{of}: the review was due on {} and the grace is over", text.review_due()));
        } else if text.review_due() < today {
            let last = text.last_day_of_grace();
            open.push(format!("{of}: the review was due on {}; flows stop after {last}", text.review_due()));
        } else if text.review_due() <= soon {
            open.push(format!("{of}: the review is due on {}", text.review_due()));
        }
        if text.law().dpia_date < a_year_ago {
            open.push(format!("{of}: its impact assessment is of {}, more than a year ago", text.law().dpia_date));
        }
        open.extend(text.missing().into_iter().map(|fault| format!("{of}: {}: {}", fault.key, fault.sentence)));
        for term in text.supplies().iter().filter(|term| term.profile == Profile::C) {
            open.push(format!("{of}: term {} has privacy profile C, the weakest", term.id));
        }
        for party in text.parties() {
            if let Some(legacy) = &party.legacy_tokens {
                let (who, until) = (&party.agency, legacy.until);
                open.push(format!("{of}: {who} may match with old hash values until {until}"));
            }
        }
    }
    for agency in book.agencies() {
        let officers = agency.officers();
        for (post, named) in [
            ("register number", &officers.ico_number),
            ("data protection officer", &officers.data_protection_officer),
            ("senior information risk owner", &officers.risk_owner),
        ] {
            if named.is_none() {
                open.push(format!("{}: its file names no {post}", agency.code()));
            }
        }
    }
    open
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{feeds, shipped_book, shipped_book_with, today};
    use super::*;

    #[test]
    fn every_flow_of_the_pack_is_one_that_is_allowed_and_names_its_basis() {
        let book = shipped_book();
        let pack = pack(&book, &feeds(), Vec::new(), today());
        assert!(pack.flows.len() > 10, "{}", pack.flows.len());
        for flow in &pack.flows {
            assert!(!flow.powers.is_empty() && !flow.items.is_empty() && !flow.roles.is_empty(), "{flow:?}");
            assert!(!flow.criminal_offence || !flow.conditions.is_empty(), "{flow:?}");
        }
        let benefits: Vec<_> = pack.flows.iter().filter(|flow| flow.supplier.as_str() == "jobcentre-feed").collect();
        let to: BTreeSet<&str> = benefits.iter().map(|flow| flow.recipient.as_str()).collect();
        assert_eq!(to, BTreeSet::from(["early-help-hub", "programme-team"]));
        assert!(benefits.iter().all(|flow| flow.onward == Onward::None));
        assert_eq!(pack.open, Vec::<String>::new());
        assert!(pack.agreements.iter().all(|part| !part.handling.keep_months.is_empty()));
    }

    #[test]
    fn what_is_not_signed_or_not_in_force_is_open_and_flows_nowhere() {
        let book = shipped_book_with(1, |agreement| {
            if agreement.text.reference().id.as_str() == "housing-support" {
                agreement.status = AgreementStatus::Draft;
                agreement.signed_by.retain(|party| party.as_str() != "housing");
            }
        });
        let pack = pack(&book, &feeds(), Vec::new(), today());
        for expected in ["housing-support/v1 is loaded and not in force", "housing-support/v1: housing has not signed"]
        {
            assert!(pack.open.iter().any(|line| line.starts_with(expected)), "{:#?}", pack.open);
        }
        assert!(pack.flows.iter().all(|flow| flow.receive.0.id.as_str() != "housing-support"));
    }

    #[test]
    fn the_document_has_every_flow_and_leaves_to_people_what_only_they_can_say() {
        let book = shipped_book();
        let installation = vec![("Witnesses".to_owned(), "2 of 3".to_owned())];
        let pack = pack(&book, &feeds(), installation, today());
        let text = pack.to_markdown();
        for flow in &pack.flows {
            assert!(text.contains(flow.receive.1.as_str()) && text.contains(flow.supply.1.as_str()), "{flow:?}");
        }
        for expected in ["Witnesses", "2 of 3", "S03", "To be written by the officer", "children"] {
            assert!(text.contains(expected), "{expected}");
        }
        assert!(text.lines().filter(|line| line.starts_with('|')).all(|line| line.ends_with('|')));
    }
}
