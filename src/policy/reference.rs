//! A second evaluator, in plain Rust, against which the rule book is tested; the clauses written out one by
//! one (`permits`) are a third.
//!
//! It reads agreements and agencies directly and shares no code with the Cedar facts. The tests
//! enumerate, over the shipped agreements, every listed value and one that is not listed, each side
//! of each date, and each status; both evaluators must name exactly the same rules, and the permits let
//! pass exactly what these do. Pairs of terms
//! that have nothing to do with each other are sampled. The canned scenes of the self-test add what
//! no shipped agreement contains.

use std::collections::BTreeSet;

use super::book::{Ask, PolicyBook, Release};
use crate::domain::agency::{Agency, AgencyKind};
use crate::domain::agreement::{Agreement, AgreementStatus, Item, PoliceRegime};
use crate::domain::ids::{AgencyCode, BasisCode, PowerCode};

/// The rules that keep the recipient from asking.
fn ask_hits(book: &PolicyBook, ask: &Ask<'_>) -> BTreeSet<&'static str> {
    let stands = book.agreement(ask.agreement.reference()).expect("in the book");
    let day = ask.now.date();
    let clause = ask.clause;
    let checks = [
        ("R01", clause.recipient == *ask.recipient),
        ("R02", clause.purposes.contains(&ask.purpose.code)),
        ("R03", clause.modes.contains(&ask.mode)),
        ("R04", clause.roles.contains(ask.role)),
        ("R05", ask.relationship_fits),
        ("R15", ask.for_statistics == ask.purpose.statistical),
        ("T01", stands.status == AgreementStatus::InForce),
        ("T02", day >= ask.agreement.starts()),
        ("T03", day <= ask.agreement.ends()),
        ("T04", day <= ask.agreement.last_day_of_grace()),
        ("T05", stands.signed_by.contains(ask.recipient)),
        ("S17", ask.purpose.code.as_str() != "audit" || !supplies(book, ask.recipient)),
    ];
    failed(&checks)
}

fn supplies(book: &PolicyBook, agency: &AgencyCode) -> bool {
    book.programme().feeds().iter().any(|feed| feed.agency == *agency)
        || book.agreements().any(|agreement| agreement.text.supplies().iter().any(|term| term.supplier == *agency))
}

/// The rules that keep the item out of the answer.
pub(super) fn release_hits(book: &PolicyBook, release: &Release<'_>) -> BTreeSet<&'static str> {
    let (ask, term, clause) = (release.ask, release.term, release.ask.clause);
    let receive = book.agreement(ask.agreement.reference()).expect("in the book");
    let supply = book.agreement(release.agreement.reference()).expect("in the book");
    let asker = book.agency(ask.recipient).expect("described");
    let holder = book.agency(release.supplier).expect("described");
    let day = ask.now.date();
    let named: BTreeSet<Item> = match release.item {
        Item::Lead | Item::Service => holder.reveals_areas().iter().cloned().map(Item::Area).collect(),
        _ => BTreeSet::new(),
    };
    let carried = |is: &dyn Fn(&crate::domain::programme::Area) -> bool| {
        let own = std::iter::once(release.item.clone()).chain(named.iter().cloned());
        own.filter_map(|item| book.programme().area(item.area()?).cloned()).any(|area| is(&area))
    };
    let (criminal, special, health) =
        (carried(&|a| a.criminal_offence), carried(&|a| a.special_category), carried(&|a| a.health));
    let names_power = |code: &str| has(&term.power, code) || has(&clause.power, code);
    let benefits = release.benefits_data || has(&term.power, "WRA2012-s131");
    let weak = ["LA2011-s1", "LGA1972-s111", "CA1989-s17", "EA1996", "ESA2008", "PUPIL-REGS-2013"];
    let only_weak = |powers: &BTreeSet<PowerCode>| powers.iter().all(|power| weak.contains(&power.as_str()));
    let either = |set: &BTreeSet<BasisCode>, codes: &[&str]| set.iter().any(|code| codes.contains(&code.as_str()));
    let both = |codes: &[&str]| either(&term.conditions, codes) && either(&clause.conditions, codes);
    let register = |agreement: &Agreement, powers: &BTreeSet<PowerCode>| {
        !has(powers, "DEA2017-s35") || agreement.text.law().dea_register.is_some()
    };
    let police = asker.kind() == AgencyKind::Police || holder.kind() == AgencyKind::Police;
    let regime = |agreement: &Agreement| agreement.text.law().police_regime.is_some();
    let guardian =
        |agreement: &Agreement| agreement.text.law().caldicott_sign_off.as_ref().is_some_and(|by| by.on <= day);
    let part_3 = |agreement: &Agreement| agreement.text.law().police_regime == Some(PoliceRegime::LawEnforcement);
    let medical = health || holder.kind() == AgencyKind::Nhs;
    let interests = |basis: &BasisCode| ["6-1-f", "6-1-ea"].contains(&basis.as_str());
    let signed = |agreement: &Agreement, who: &AgencyCode| agreement.signed_by.contains(who);
    let barred = [AgencyKind::Police, AgencyKind::School, AgencyKind::Nhs].contains(&asker.kind());
    let specified = |agency: &Agency| agency.standing().dea_specified_person && agency.kind() != AgencyKind::Nhs;
    let dea = specified(asker) && specified(holder);
    let own_power = has(&term.power, "WRA2012-s131") || has(&term.power, "DEA2017-s35");
    let stays = term.onward.as_str() == "none" && clause.onward.as_str() == "none";
    let justice = [AgencyKind::Police, AgencyKind::Justice].contains(&asker.kind());
    let crime = ask.purpose.crime_and_disorder;
    let wrong_basis = holder.standing().public_authority && interests(&term.art6)
        || asker.standing().public_authority && interests(&clause.art6);
    let checks = [
        ("R06", clause.suppliers.contains(release.supplier)),
        ("R07", clause.items.contains(release.item)),
        ("R08", term.supplier == *release.supplier),
        ("R09", term.recipients.contains(ask.recipient)),
        ("R10", term.items.contains(release.item)),
        ("R11", term.modes.contains(&ask.mode)),
        ("R12", term.purposes.contains(&ask.purpose.code)),
        ("R13", named.is_subset(&clause.items)),
        ("R14", named.is_subset(&term.items)),
        ("T06", signed(receive, release.supplier)),
        ("T07", supply.status == AgreementStatus::InForce),
        ("T08", day >= release.agreement.starts()),
        ("T09", day <= release.agreement.ends()),
        ("T10", day <= release.agreement.last_day_of_grace()),
        ("T11", signed(supply, ask.recipient) && signed(supply, release.supplier)),
        ("S01", ask.for_statistics || !names_power("CDA1998-s17A")),
        ("S02", !benefits || asker.standing().wra_qualifying_person),
        ("S03", !benefits || !barred),
        ("S04", !benefits || ask.purpose.wra_prescribed),
        ("S05", !release.benefits_data || own_power),
        ("S06", !benefits || stays),
        ("S07", !(criminal || special) || !only_weak(&term.power) && !only_weak(&clause.power)),
        ("S08", !names_power("DEA2017-s35") || dea),
        ("S09", register(supply, &term.power) && register(receive, &clause.power)),
        ("S10", !medical || guardian(supply) && guardian(receive)),
        ("S11", !criminal || both(&["10-official-authority", "sch1-6", "sch1-10", "sch1-18"])),
        ("S12", !special || both(&["9-2-a", "9-2-c", "9-2-g", "9-2-h"])),
        ("S13", !names_power("CDA1998-s115") || asker.standing().relevant_authority && crime),
        ("S14", !names_power("OMA2007-s14") || criminal && crime && justice),
        ("S15", !police || regime(supply) && regime(receive)),
        ("S16", !wrong_basis),
        ("S18", !part_3(supply) && !part_3(receive) || part_3(supply) && part_3(receive) && crime && justice),
    ];
    failed(&checks).into_iter().chain(ask_hits(book, ask)).collect()
}

fn failed(checks: &[(&'static str, bool)]) -> BTreeSet<&'static str> {
    checks.iter().filter(|(_, holds)| !holds).map(|(rule, _)| *rule).collect()
}

fn has(powers: &BTreeSet<PowerCode>, code: &str) -> bool {
    powers.iter().any(|power| power.as_str() == code)
}

mod tests {
    use rstest::rstest;

    use cedar_policy::{Authorizer, Decision, Entities, PolicySet};

    use super::super::decide::{areas_of, is_benefits_data};
    use super::super::fixtures::{shipped_book_with, today};
    use super::super::permits::written_out;
    use super::super::rules::RuleHit;
    use super::*;
    use crate::domain::agreement::{AgreementText, AnswerMode, ReceiveClause};
    use crate::domain::ids::RoleCode;
    use crate::domain::programme::Purpose;
    use crate::domain::time::Timestamp;

    fn ids(hits: &[RuleHit]) -> BTreeSet<&str> {
        hits.iter().map(|hit| hit.rule.as_str()).collect()
    }

    /// Every listed value and one that is not.
    fn with_another<'a, T: PartialEq>(listed: impl Iterator<Item = &'a T>, all: &'a [T]) -> Vec<&'a T> {
        let mut values: Vec<&T> = listed.collect();
        values.extend(all.iter().find(|value| !values.contains(value)));
        values
    }

    fn purposes<'b>(book: &'b PolicyBook, clause: &ReceiveClause) -> Vec<&'b Purpose> {
        let all = book.programme().purposes();
        with_another(all.iter().filter(|purpose| clause.purposes.contains(&purpose.code)), all)
    }

    fn roles(book: &PolicyBook, clause: &ReceiveClause) -> Vec<RoleCode> {
        let all: Vec<RoleCode> = book.programme().roles().iter().map(|role| role.code.clone()).collect();
        with_another(clause.roles.iter(), &all).into_iter().cloned().collect()
    }

    /// Just before and at each date of the text.
    fn instants(text: &AgreementText) -> Vec<Timestamp> {
        let dates = [text.starts_at(), text.review_before(), text.ends_before()];
        dates.into_iter().flat_map(|at| [Timestamp::from_micros(at.as_micros() - 1), at]).collect()
    }

    /// Whether the written-out permit lets the request pass.
    fn passes(book: &PolicyBook, permit: Option<&PolicySet>, release: &Release<'_>) -> bool {
        let request = book.release_request(release).expect("a request that fits the schema");
        permit.is_some_and(|permit| {
            let response = Authorizer::new().is_authorized(&request, permit, &Entities::empty());
            assert_eq!(response.diagnostics().errors().count(), 0, "a permit needs nothing but the request");
            response.decision() == Decision::Allow
        })
    }

    fn suspended(agreement: &mut Agreement) {
        agreement.status = AgreementStatus::Suspended;
    }
    fn unsigned(agreement: &mut Agreement) {
        agreement.signed_by.clear();
    }
    fn half_signed(agreement: &mut Agreement) {
        agreement.signed_by.retain(|agency| agency.as_str() < "education");
    }
    fn as_it_stands(_: &mut Agreement) {}

    #[rstest]
    #[case::in_force(as_it_stands, true)]
    #[case::suspended(suspended, false)]
    #[case::unsigned(unsigned, false)]
    fn both_evaluators_agree_on_who_may_ask(#[case] change: fn(&mut Agreement), #[case] every_date: bool) {
        let book = shipped_book_with(1, change);
        let (mut asked, mut allowed) = (0, 0);
        for agreement in book.agreements() {
            let text = &*agreement.text;
            let instants = if every_date { instants(text) } else { vec![today()] };
            for clause in text.receives() {
                let another = clause.suppliers.first().expect("draws on somebody");
                for recipient in [&clause.recipient, another] {
                    for purpose in purposes(&book, clause) {
                        for mode in with_another(clause.modes.iter(), &AnswerMode::ALL) {
                            for role in &roles(&book, clause) {
                                for (n, now) in instants.iter().enumerate() {
                                    // The two flags meet every value of everything else in turn.
                                    let relationship_fits = (asked + n) % 3 > 0;
                                    let for_statistics = purpose.statistical == ((asked + n) % 4 > 0);
                                    let ask = Ask {
                                        recipient,
                                        agreement: text,
                                        clause,
                                        purpose,
                                        mode: *mode,
                                        role,
                                        relationship_fits,
                                        for_statistics,
                                        now: *now,
                                    };
                                    let hits = book.ask_hits(&ask);
                                    assert_eq!(ids(&hits), ask_hits(&book, &ask), "{ask:?}");
                                    asked += 1;
                                    allowed += usize::from(hits.is_empty());
                                }
                            }
                        }
                    }
                }
            }
        }
        assert!(asked > 500 && (allowed > 0) == every_date, "{allowed} of {asked} were allowed");
    }

    #[rstest]
    #[case::in_force(as_it_stands, 0)]
    #[case::suspended(suspended, 1)]
    #[case::half_signed(half_signed, 2)]
    fn all_three_evaluators_agree_on_what_may_be_released(#[case] change: fn(&mut Agreement), #[case] slice: usize) {
        let book = shipped_book_with(1, change);
        let (mut pair, mut asked, mut allowed) = (0, 0, 0);
        for receiving in book.agreements() {
            for clause in receiving.text.receives() {
                for supplying in book.agreements() {
                    for term in supplying.text.supplies() {
                        pair += 1;
                        let related =
                            clause.suppliers.contains(&term.supplier) && term.recipients.contains(&clause.recipient);
                        // Pairs that have nothing to do with each other are sampled.
                        if !related && pair % 29 != slice || related && slice > 0 && pair % 7 != slice {
                            continue;
                        }
                        let programme = book.programme();
                        let feeds: Vec<_> =
                            programme.feeds().iter().filter(|feed| feed.agency == term.supplier).collect();
                        let items: BTreeSet<Item> =
                            clause.items.union(&term.items).cloned().chain(["A6".parse().expect("item")]).collect();
                        let role = clause.roles.first().expect("has a role");
                        let dates = instants(&supplying.text);
                        let permit = written_out(&book, (receiving, clause), (supplying, term))
                            .map(|text| text.parse::<PolicySet>().unwrap_or_else(|error| panic!("{error}: {text}")));
                        for purpose in purposes(&book, clause) {
                            for mode in with_another(clause.modes.iter(), &AnswerMode::ALL) {
                                for item in &items {
                                    let now = if asked % 3 == 0 { dates[asked % dates.len()] } else { today() };
                                    let ask = Ask {
                                        recipient: &clause.recipient,
                                        agreement: &receiving.text,
                                        clause,
                                        purpose,
                                        mode: *mode,
                                        role,
                                        relationship_fits: true,
                                        for_statistics: purpose.statistical,
                                        now,
                                    };
                                    let release = Release {
                                        ask: &ask,
                                        agreement: &supplying.text,
                                        term,
                                        supplier: &term.supplier,
                                        item,
                                        areas: &areas_of(&book, &term.supplier, item),
                                        benefits_data: is_benefits_data(&book, feeds[0]),
                                    };
                                    let hits = book.release_hits(&release);
                                    assert_eq!(ids(&hits), release_hits(&book, &release), "{release:?}");
                                    assert_eq!(
                                        hits.is_empty(),
                                        passes(&book, permit.as_ref(), &release),
                                        "{release:?}"
                                    );
                                    asked += 1;
                                    allowed += usize::from(hits.is_empty());
                                }
                            }
                        }
                    }
                }
            }
        }
        assert!(asked > 500 && (slice > 0 || allowed > 100), "{allowed} of {asked} were allowed");
    }
}
