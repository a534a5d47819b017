//! The same clause written out as one static permit: a third evaluator for the tests.
//!
//! A permit is made for a pair of a receive clause and a supply term from the texts themselves, with every
//! value in it as a literal and every limit that the pair cannot meet as the absence of a permit. Nothing
//! of the rule book or of the entities is used; only the facts of the request remain.

use std::collections::BTreeSet;

use super::book::PolicyBook;
use crate::domain::agency::{Agency, AgencyKind};
use crate::domain::agreement::{Agreement, AgreementStatus, Onward, PoliceRegime, ReceiveClause, SupplyTerm};
use crate::domain::ids::{BasisCode, PowerCode};
use crate::domain::time::Timestamp;

/// The permit's text; none where no request can pass.
pub(super) fn written_out(
    book: &PolicyBook,
    (receiving, clause): (&Agreement, &ReceiveClause),
    (supplying, term): (&Agreement, &SupplyTerm),
) -> Option<String> {
    let asker = book.agency(&clause.recipient)?;
    let holder = book.agency(&term.supplier)?;
    let stands = |agreement: &Agreement| {
        agreement.status == AgreementStatus::InForce
            && [&clause.recipient, &term.supplier].iter().all(|party| agreement.signed_by.contains(*party))
    };
    let named = clause.suppliers.contains(&term.supplier) && term.recipients.contains(&clause.recipient);
    if !named
        || !stands(receiving)
        || !stands(supplying)
        || !law_allows(receiving, clause, supplying, term, asker, holder)
    {
        return None;
    }
    let items = shared(&clause.items, &term.items)?;
    let items: Vec<String> = items.iter().map(|item| format!("Item::\"{item}\"")).collect();
    let items = format!("[{}]", items.join(", "));
    let texts = |all: Vec<String>| {
        let quoted: Vec<String> = all.iter().map(|one| format!("\"{one}\"")).collect();
        format!("[{}]", quoted.join(", "))
    };
    let mut when = vec![
        format!("context.supplier == Agency::\"{}\"", term.supplier),
        format!("{items}.contains(resource)"),
        format!("(context.areas == [resource] || {items}.containsAll(context.areas))"),
        format!("{}.contains(context.mode)", texts(shared(&clause.modes, &term.modes)?)),
        format!("{}.contains(context.purpose)", texts(shared(&clause.purposes, &term.purposes)?)),
        format!("{}.contains(context.role)", texts(clause.roles.iter().map(ToString::to_string).collect())),
        "context.relationshipFits".to_owned(),
        "context.forStatistics == context.purposeIsStatistical".to_owned(),
    ];
    let (receive, supply) = (&receiving.text, &supplying.text);
    when.push(format!("context.now >= {}", instant(receive.starts_at().max(supply.starts_at()))));
    let ends = [receive.ends_before(), supply.ends_before(), receive.review_before(), supply.review_before()];
    when.push(format!("context.now < {}", instant(ends.into_iter().min()?)));
    when.extend(limits(book, (receiving, clause), (supplying, term), asker, holder));
    Some(format!(
        "permit (principal == Agency::\"{}\", action == Action::\"release\", resource) when {{ {} }};",
        clause.recipient,
        when.join(" && ")
    ))
}

/// What of the law depends on the pair alone.
fn law_allows(
    receiving: &Agreement,
    clause: &ReceiveClause,
    supplying: &Agreement,
    term: &SupplyTerm,
    asker: &Agency,
    holder: &Agency,
) -> bool {
    let register =
        |agreement: &Agreement, powers| !names(powers, "DEA2017-s35") || agreement.text.law().dea_register.is_some();
    let specified = |agency: &Agency| agency.standing().dea_specified_person && agency.kind() != AgencyKind::Nhs;
    let either = |code| names(&term.power, code) || names(&clause.power, code);
    let dea = !either("DEA2017-s35") || specified(asker) && specified(holder);
    let police = [asker, holder].iter().any(|agency| agency.kind() == AgencyKind::Police);
    let regime = |agreement: &Agreement| agreement.text.law().police_regime;
    let regimes = !police || regime(receiving).is_some() && regime(supplying).is_some();
    let part_3 = |agreement: &Agreement| regime(agreement) == Some(PoliceRegime::LawEnforcement);
    let justice = matches!(asker.kind(), AgencyKind::Police | AgencyKind::Justice);
    let apart = part_3(receiving) == part_3(supplying) && (justice || !part_3(receiving));
    let interests = |basis: &BasisCode| matches!(basis.as_str(), "6-1-f" | "6-1-ea");
    let wrong_basis = holder.standing().public_authority && interests(&term.art6)
        || asker.standing().public_authority && interests(&clause.art6);
    let crime = (!either("CDA1998-s115") || asker.standing().relevant_authority) && (!either("OMA2007-s14") || justice);
    register(supplying, &term.power)
        && register(receiving, &clause.power)
        && dea
        && regimes
        && apart
        && !wrong_basis
        && crime
}

/// What of the law depends on the request as well.
fn limits(
    book: &PolicyBook,
    (receiving, clause): (&Agreement, &ReceiveClause),
    (supplying, term): (&Agreement, &SupplyTerm),
    asker: &Agency,
    holder: &Agency,
) -> Vec<String> {
    let either = |code| names(&term.power, code) || names(&clause.power, code);
    let mut when = Vec::new();
    if either("CDA1998-s17A") {
        when.push("context.forStatistics".to_owned());
    }
    if either("CDA1998-s115") || receiving.text.is_law_enforcement() {
        when.push("context.crimeAndDisorder".to_owned());
    }
    if either("OMA2007-s14") {
        when.push("context.criminalOffence && context.crimeAndDisorder".to_owned());
    }
    let barred = matches!(asker.kind(), AgencyKind::Police | AgencyKind::School | AgencyKind::Nhs);
    let stays = term.onward == Onward::None && clause.onward == Onward::None;
    let may_hear = asker.standing().wra_qualifying_person && !barred && stays;
    let released = names(&term.power, "WRA2012-s131");
    when.push(match (may_hear, released, released || names(&term.power, "DEA2017-s35")) {
        (true, true, _) => "context.wraPrescribed".to_owned(),
        (true, false, true) => "(!context.benefitsData || context.wraPrescribed)".to_owned(),
        (_, false, _) => "!context.benefitsData".to_owned(),
        (false, true, _) => "1 == 2".to_owned(),
    });
    let general = ["LA2011-s1", "LGA1972-s111", "CA1989-s17", "EA1996", "ESA2008", "PUPIL-REGS-2013"];
    let only_general = |powers: &BTreeSet<PowerCode>| powers.iter().all(|power| general.contains(&power.as_str()));
    let weak = only_general(&term.power) || only_general(&clause.power);
    let in_both = |codes: &[&str]| {
        [&term.conditions, &clause.conditions].iter().all(|set| set.iter().any(|code| codes.contains(&code.as_str())))
    };
    if weak || !in_both(&["10-official-authority", "sch1-6", "sch1-10", "sch1-18"]) {
        when.push("!context.criminalOffence".to_owned());
    }
    if weak || !in_both(&["9-2-a", "9-2-c", "9-2-g", "9-2-h"]) {
        when.push("!context.specialCategory".to_owned());
    }
    let from = receiving.text.caldicott_from().zip(supplying.text.caldicott_from());
    let signed_off = from.map(|(a, b)| format!("context.now >= {}", instant(a.max(b))));
    when.push(match (holder.kind() == AgencyKind::Nhs, signed_off) {
        (true, Some(signed_off)) => signed_off,
        (true, None) => "1 == 2".to_owned(),
        (false, Some(signed_off)) => format!("(!context.health || {signed_off})"),
        (false, None) => "!context.health".to_owned(),
    });
    let has_feed = book.programme().feeds().iter().any(|feed| feed.agency == clause.recipient);
    let has_term =
        book.agreements().any(|known| known.text.supplies().iter().any(|it| it.supplier == clause.recipient));
    if has_feed || has_term {
        when.push("context.purpose != \"audit\"".to_owned());
    }
    when
}

fn names(powers: &BTreeSet<PowerCode>, code: &str) -> bool {
    powers.iter().any(|power| power.as_str() == code)
}

/// What both list; none when they share nothing.
fn shared<T: Ord + ToString>(a: &BTreeSet<T>, b: &BTreeSet<T>) -> Option<Vec<String>> {
    let both: Vec<String> = a.intersection(b).map(ToString::to_string).collect();
    (!both.is_empty()).then_some(both)
}

fn instant(at: Timestamp) -> String {
    format!("datetime(\"{}\")", at.to_string().replace(".000000Z", "Z").replace("000Z", "Z"))
}
