//! A decision in sentences, for officers, for the console and for `porth policy explain`.
//!
//! Every sentence follows from agreements; none is about a person.

use std::collections::BTreeSet;

use super::book::PolicyBook;
use super::check::weakest_profile;
use super::decision::{Decision, Outcome, Permitted, Refusal, TermRef};
use super::matrix::powers;
use super::rules::RuleHit;
use crate::domain::agreement::{Item, Onward};
use crate::domain::ids::{AgencyCode, AreaCode, PowerCode};
use crate::domain::law;

/// What may contribute, what may not and why, and what that means for the answer.
pub fn permitted(book: &PolicyBook, permitted: &Permitted) -> Vec<String> {
    let terms = &permitted.terms;
    let mut sentences = vec![format!(
        "{} may ask for an answer of the form '{}' under {}.",
        name(book, &terms.recipient),
        terms.mode,
        terms.agreement
    )];
    sentences.extend(permitted.granted().map(|line| granted(book, line)));
    sentences.extend(permitted.denied().map(|line| denied(book, line)));
    let mut areas = |lead: &str, set: &BTreeSet<AreaCode>| {
        if !set.is_empty() {
            sentences.push(format!("{lead}: {}.", titles(book, set)));
        }
    };
    areas("The answer covers", &permitted.covered);
    areas("Only here can it say 'not met'", &permitted.complete);
    areas("The agreements withhold", &permitted.withheld);
    areas("The programme has no criterion for", &permitted.without_criteria);
    sentences.push(match permitted.onward() {
        Onward::None => "The answer may not be passed on.".to_owned(),
        Onward::WithSupplierConsent => {
            "The answer may be passed on only with the supplier's written consent.".to_owned()
        }
        Onward::Parties => "The answer may be passed on to parties of the agreement for the same purpose.".to_owned(),
    });
    sentences.push(format!(
        "It counts towards the {} enquiries a day of clause {} and holds until {}.",
        permitted.charge.daily_ceiling, permitted.charge.clause.term, permitted.valid_until
    ));
    sentences
}

/// Why an enquiry is refused.
pub fn refusal(book: &PolicyBook, refusal: &Refusal) -> Vec<String> {
    let mut sentences = vec![format!("The enquiry is refused. {}", reasons(&refusal.hits))];
    sentences.extend(refusal.decisions.iter().filter(|line| !line.outcome.is_in()).map(|line| denied(book, line)));
    sentences
}

fn granted(book: &PolicyBook, line: &Decision) -> String {
    let (who, what) = (name(book, &line.supplier), item(book, &line.item));
    match (&line.outcome, &line.supply, &line.receive) {
        (Outcome::Permitted { .. }, Some(supply), Some(receive)) => format!(
            "{who} contributes {what} from its feed {}: supply term {} of {} and receive clause {} of {}.{}{}{}",
            line.feed,
            supply.term,
            supply.agreement,
            receive.term,
            receive.agreement,
            powers_of(book, line),
            regime(book, supply, receive),
            privacy(book, supply)
        ),
        _ => format!("{who} hears {what} from its own feed {}.", line.feed),
    }
}

/// The statutes that both terms name.
fn powers_of(book: &PolicyBook, line: &Decision) -> String {
    let plain =
        |code: &PowerCode| law::plain(&law::POWERS, code.as_str()).map_or_else(|| code.to_string(), str::to_owned);
    let named: Vec<String> = powers(book, line).iter().map(plain).collect();
    format!(" It rests on {}.", named.join("; "))
}

/// That the flow is law-enforcement processing, where it is.
fn regime(book: &PolicyBook, supply: &TermRef, receive: &TermRef) -> &'static str {
    let part_3 = |term: &TermRef| book.agreement(&term.agreement).is_some_and(|known| known.text.is_law_enforcement());
    if part_3(supply) || part_3(receive) { " It is law-enforcement processing under Part 3." } else { "" }
}

/// What the supply term's privacy profile means, where that should be seen.
fn privacy(book: &PolicyBook, supply: &TermRef) -> String {
    let agreement = book.agreement(&supply.agreement);
    let term = agreement.and_then(|known| known.text.supplies().iter().find(|term| term.id == supply.term));
    let said = term.and_then(|term| weakest_profile(term.profile));
    said.map(|sentence| format!(" The term has {sentence}.")).unwrap_or_default()
}

fn denied(book: &PolicyBook, line: &Decision) -> String {
    let hits: &[RuleHit] = match &line.outcome {
        Outcome::Denied(hits) => hits,
        _ => &[],
    };
    format!(
        "{} does not contribute {} from its feed {}: {}",
        name(book, &line.supplier),
        item(book, &line.item),
        line.feed,
        reasons(hits)
    )
}

fn reasons(hits: &[RuleHit]) -> String {
    let each: Vec<String> = hits.iter().map(|hit| format!("{} ({})", hit.say, hit.rule)).collect();
    each.join(" ")
}

fn name(book: &PolicyBook, code: &AgencyCode) -> String {
    book.agency(code).map_or_else(|| code.to_string(), |agency| agency.name().to_owned())
}

fn item(book: &PolicyBook, item: &Item) -> String {
    match item {
        Item::Area(code) => format!("the area {}", title(book, code)),
        Item::Lead => "who leads".to_owned(),
        Item::Service => "its work with the family".to_owned(),
        Item::Attendance => "attendance bands".to_owned(),
        Item::Household => "the household".to_owned(),
        Item::Locality => "the locality".to_owned(),
    }
}

fn title(book: &PolicyBook, code: &AreaCode) -> String {
    book.programme().area(code).map_or_else(|| code.to_string(), |area| format!("{code} {}", area.title))
}

fn titles(book: &PolicyBook, set: &BTreeSet<AreaCode>) -> String {
    let each: Vec<String> = set.iter().map(|code| title(book, code)).collect();
    each.join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::decide::contributors;
    use super::super::fixtures::{feeds, shipped_book, terms, today};

    #[test]
    fn a_decision_reads_as_sentences() {
        let book = shipped_book();
        let asked =
            terms("housing", "housing-support/v1", "tenancy-support", "eligible", "housing-officer", "open_case");
        let sentences = super::permitted(&book, &contributors(&book, &asked, &feeds(), today()).expect("permitted"));
        for expected in [
            "Carrow Homes and Community Safety may ask for an answer of the form 'eligible' under housing-support/v1.",
            "The agreements withhold: A4 Work and money.",
            "The answer may not be passed on.",
        ] {
            assert!(sentences.iter().any(|sentence| sentence == expected), "{expected}\n{sentences:#?}");
        }
        let police = sentences.iter().find(|sentence| sentence.starts_with("Penmarrow Constabulary does not"));
        assert!(police.expect("a denied line").contains("(R06)"));
        let schools =
            sentences.iter().find(|sentence| sentence.starts_with("Carrow Schools and Education Welfare contr"));
        assert!(
            schools.expect("a granted line").contains("It rests on Children Act 2004 section 10"),
            "{sentences:#?}"
        );
    }

    #[test]
    fn a_refusal_gives_its_reason() {
        let book = shipped_book();
        let asked = terms("housing", "housing-support/v1", "tenancy-support", "areas", "housing-officer", "open_case");
        let refusal = contributors(&book, &asked, &feeds(), today()).expect_err("refused");
        let sentence = "The enquiry is refused. The recipient's clause does not allow this form of answer. (R03)";
        assert_eq!(super::refusal(&book, &refusal), [sentence]);
    }
}
