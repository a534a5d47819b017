//! Canned questions that start-up asks of the rule book: what must be denied is denied, for the right
//! reason, and what must be allowed is allowed. A gateway whose book fails refuses to start.
//!
//! Safety rests on the forbids, so there is a canned denial for every one of them: a scene in which
//! that rule alone stands in the way. The scenes have their own programme, agencies and agreements
//! and do not depend on the shipped ones.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::book::{Ask, PolicyBook, Release};
use super::decide::{areas_of, is_benefits_data};
use super::rules::{ERROR, RuleBook, RuleHit};
use crate::domain::agency::Agency;
use crate::domain::agreement::{Agreement, AgreementStatus, AgreementText, AnswerMode, Item};
use crate::domain::ids::{AgencyCode, RoleCode};
use crate::domain::programme::{Programme, Relationship};
use crate::domain::time::Timestamp;

/// Why the gateway must not start with this rule book.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelfTestError {
    /// What must be allowed is denied.
    #[error("the canned permission is denied [not-allowed]")]
    NotAllowed,
    /// What a rule must deny is allowed, or is denied for another reason.
    #[error("the canned denial of rule {0} did not happen as it must [not-denied]")]
    NotDenied(&'static str),
    /// The scenes themselves cannot be set.
    #[error("the canned scene of rule {0} cannot be set [scene]")]
    Scene(&'static str),
}

/// Asks every canned question of the book's rules.
///
/// # Errors
///
/// [`SelfTestError`] for the first answer that is not as it must be.
pub fn self_test(book: &PolicyBook) -> Result<(), SelfTestError> {
    let rules = book.shared_rules();
    let baseline = hits(&rules, &[], |_| {}).ok_or(SelfTestError::Scene("R00"))?;
    if !baseline.is_empty() {
        return Err(SelfTestError::NotAllowed);
    }
    for denial in &DENIALS {
        let hits = hits(&rules, denial.edits, denial.change).ok_or(SelfTestError::Scene(denial.rules[0]))?;
        if !hits.iter().map(|hit| hit.rule.as_str()).eq(denial.rules.iter().copied()) {
            return Err(SelfTestError::NotDenied(denial.rules[0]));
        }
    }
    // An agency that the facts do not know makes rules fail; a failing rule must deny.
    let failing = hits(&rules, &[], |scene| scene.supplier = "nobody").ok_or(SelfTestError::Scene(ERROR.0))?;
    if failing.iter().any(|hit| hit.rule == ERROR.0) { Ok(()) } else { Err(SelfTestError::NotDenied(ERROR.0)) }
}

/// Which canned text an edit changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    Programme,
    Asker,
    Holder,
    Supply,
    Receive,
}

type Edit = (Text, &'static str, &'static str);

/// A scene in which the listed rules, and no others, stand in the way.
struct Denial {
    rules: &'static [&'static str],
    edits: &'static [Edit],
    change: fn(&mut Scene),
}

/// What a scene sets besides the texts.
struct Scene {
    supplier: &'static str,
    item: &'static str,
    relationship: Relationship,
    for_statistics: bool,
    supply: Standing,
    receive: Standing,
}

/// How one of the two agreements stands.
struct Standing {
    status: AgreementStatus,
    unsigned_by: Option<&'static str>,
}

pub(super) const NOW: &str = "2026-11-21T10:00:00Z";

pub(super) const PROGRAMME: &str = r#"
programme = "canned"
title = "Canned programme"
[eligibility]
plain = "One area is enough here."
threshold_areas = 1
[[area]]
code = "N"
title = "Neutral"
plain = "Nothing sensitive."
[[area]]
code = "M"
title = "Also neutral"
plain = "Nothing sensitive either."
no_criteria = true
[[area]]
code = "C"
title = "Crime"
plain = "Criminal-offence data."
no_criteria = true
criminal_offence = true
[[area]]
code = "S"
title = "Special"
plain = "Special category data."
no_criteria = true
special_category = true
[[area]]
code = "H"
title = "Health"
plain = "Health data as well."
no_criteria = true
special_category = true
health = true
[[criterion]]
code = "n1"
area = "N"
plain = "Something neutral holds."
applies_to = "any"
window = "current"
effective_from = 2020-01-01
[[purpose]]
code = "help"
plain = "To help somebody who asks."
relationships = ["referral"]
wra_prescribed = true
crime_and_disorder = false
[[relationship]]
code = "referral"
plain = "Somebody referred the family."
[[role]]
code = "worker"
plain = "Works with families."
[[feed]]
agency = "holder"
code = "data"
plain = "What the holder knows."
criteria = ["n1"]
cadence = "daily"
expected_every_days = 1
grace_days = 1
effective_from = 2020-01-01
"#;

pub(super) const ASKER: &str = r#"
code = "asker"
name = "The asker"
plain = "Asks the canned questions."
kind = "council"
reveals_areas = []
[standing]
public_authority = true
relevant_authority = true
dea_specified_person = true
wra_qualifying_person = true
"#;

pub(super) const HOLDER: &str = r#"
code = "holder"
name = "The holder"
plain = "Holds the canned data."
kind = "council"
reveals_areas = ["M"]
[standing]
public_authority = true
dea_specified_person = true
"#;

pub(super) const HEADER: &str = r#"
version = 1
title = "Canned agreement"
programme = "canned"
starts = 2026-04-01
ends = 2029-03-31
review_due = 2027-06-30
review_grace_days = 28
reviewer = "The canned reviewer"
[why]
objective = "to be asked"
benefit = "to be safe"
less_would_not_do = "nothing less"
proportionality = "in proportion"
[scope]
subjects = ["nobody"]
frequency = "at start-up"
direction = "to the asker"
[law]
confidentiality = "no confidence"
appropriate_policy_document = "document"
dpia = "assessment"
dpia_date = 2026-01-01
dea_register = "register entry"
police_regime = "part-2"
caldicott_sign_off = { post = "the guardian", on = 2026-01-01 }
[handling]
retention = "not retained"
deletion = "not needed"
security = "in memory"
storage = "in memory"
training = "not needed"
accuracy = "made up and true"
need_to_know = "the start-up"
[rights]
privacy_notice = "not needed"
contact = "not needed"
subject_access = "not needed"
objections = "not needed"
complaints = "not needed"
[breach]
plain = "not needed"
notify_within_hours = 1
[governance]
board = "the canned board"
audit_right = "everybody"
termination = "whenever asked"
exit = "nothing stays"
[[party]]
agency = "asker"
role = "controller"
signatory = "the asker"
[[party]]
agency = "holder"
role = "controller"
signatory = "the holder"
[[party]]
agency = "other"
role = "controller"
signatory = "the other"
"#;

pub(super) const SUPPLY: &str = r#"
[[supply]]
id = "supplies"
plain = "The holder supplies the asker."
supplier = "holder"
recipients = ["asker"]
items = ["N", "M", "C", "S", "H", "lead"]
modes = ["areas"]
purposes = ["help"]
power = ["CA2004-s10"]
art6 = "6-1-e"
conditions = ["9-2-g", "sch1-18"]
profile = "A"
onward = "none"
"#;

pub(super) const RECEIVE: &str = r#"
[[receive]]
id = "receives"
plain = "The asker hears from the holder."
recipient = "asker"
suppliers = ["holder"]
items = ["N", "M", "C", "S", "H", "lead"]
modes = ["areas"]
purposes = ["help"]
power = ["CA2004-s10"]
art6 = "6-1-e"
conditions = ["9-2-g", "sch1-18"]
roles = ["worker"]
unit = "household"
daily_ceiling = 1
onward = "none"
"#;

const ITEMS: &str = r#"items = ["N", "M","#;
const POWER: &str = r#"power = ["CA2004-s10"]"#;
const S115: &str = r#"power = ["CDA1998-s115"]"#;
const DEA: &str = r#"power = ["DEA2017-s35"]"#;
const WRA: &str = r#"power = ["WRA2012-s131"]"#;
const CONDITIONS: &str = r#"conditions = ["9-2-g", "sch1-18"]"#;
const BENEFITS: Edit = (Text::Holder, r#"kind = "council""#, r#"kind = "benefits""#);
const UNDER_WRA: Edit = (Text::Supply, POWER, WRA);

const LAST_LINES: &str = "expected_every_days = 1\ngrace_days = 1\neffective_from = 2020-01-01\n";
/// The asker has a feed of its own.
const ANOTHER_FEED: &str = r#"expected_every_days = 1
grace_days = 1
effective_from = 2020-01-01
[[feed]]
agency = "asker"
code = "own"
plain = "What the asker knows."
criteria = []
items = ["locality"]
cadence = "daily"
expected_every_days = 1
grace_days = 1
effective_from = 2020-01-01
"#;

const fn denial(rules: &'static [&'static str], edits: &'static [Edit]) -> Denial {
    Denial { rules, edits, change: |_| {} }
}
const fn changed(rules: &'static [&'static str], edits: &'static [Edit], change: fn(&mut Scene)) -> Denial {
    Denial { rules, edits, change }
}

const DENIALS: [Denial; 44] = [
    denial(&["R01"], &[(Text::Receive, r#"recipient = "asker""#, r#"recipient = "other""#)]),
    denial(&["R02"], &[(Text::Receive, r#"["help"]"#, r#"["harm"]"#)]),
    denial(&["R03"], &[(Text::Receive, r#"["areas"]"#, r#"["count"]"#)]),
    denial(&["R04"], &[(Text::Receive, r#"["worker"]"#, r#"["watcher"]"#)]),
    changed(&["R05"], &[], |scene| scene.relationship = Relationship::Screening),
    denial(&["R06"], &[(Text::Receive, r#"suppliers = ["holder"]"#, r#"suppliers = ["other"]"#)]),
    denial(&["R07"], &[(Text::Receive, ITEMS, r#"items = ["M","#)]),
    denial(&["R08"], &[(Text::Supply, r#"supplier = "holder""#, r#"supplier = "other""#)]),
    denial(&["R09"], &[(Text::Supply, r#"recipients = ["asker"]"#, r#"recipients = ["other"]"#)]),
    denial(&["R10"], &[(Text::Supply, ITEMS, r#"items = ["M","#)]),
    denial(&["R11"], &[(Text::Supply, r#"["areas"]"#, r#"["count"]"#)]),
    denial(&["R12"], &[(Text::Supply, r#"["help"]"#, r#"["harm"]"#)]),
    changed(&["R13"], &[(Text::Receive, ITEMS, r#"items = ["N","#)], |scene| scene.item = "lead"),
    changed(&["R14"], &[(Text::Supply, ITEMS, r#"items = ["N","#)], |scene| scene.item = "lead"),
    changed(&["R15"], &[], |scene| scene.for_statistics = true),
    changed(&["T01"], &[], |scene| scene.receive.status = AgreementStatus::Suspended),
    denial(&["T02"], &[(Text::Receive, "starts = 2026-04-01", "starts = 2026-11-22")]),
    denial(
        &["T03"],
        &[
            (Text::Receive, "ends = 2029-03-31", "ends = 2026-11-20"),
            (Text::Receive, "review_due = 2027-06-30", "review_due = 2026-11-20"),
        ],
    ),
    denial(&["T04"], &[(Text::Receive, "review_due = 2027-06-30", "review_due = 2026-10-23")]),
    changed(&["T05"], &[], |scene| scene.receive.unsigned_by = Some("asker")),
    changed(&["T06"], &[], |scene| scene.receive.unsigned_by = Some("holder")),
    changed(&["T07"], &[], |scene| scene.supply.status = AgreementStatus::Withdrawn),
    denial(&["T08"], &[(Text::Supply, "starts = 2026-04-01", "starts = 2026-11-22")]),
    denial(
        &["T09"],
        &[
            (Text::Supply, "ends = 2029-03-31", "ends = 2026-11-20"),
            (Text::Supply, "review_due = 2027-06-30", "review_due = 2026-11-20"),
        ],
    ),
    denial(&["T10"], &[(Text::Supply, "review_due = 2027-06-30", "review_due = 2026-10-23")]),
    changed(&["T11"], &[], |scene| scene.supply.unsigned_by = Some("holder")),
    denial(&["S01"], &[(Text::Supply, POWER, r#"power = ["CDA1998-s17A"]"#)]),
    denial(
        &["S02"],
        &[BENEFITS, UNDER_WRA, (Text::Asker, "wra_qualifying_person = true", "wra_qualifying_person = false")],
    ),
    // A school is never a qualifying person, so this limit never stands alone.
    denial(
        &["S02", "S03"],
        &[
            BENEFITS,
            UNDER_WRA,
            (Text::Asker, r#"kind = "council""#, r#"kind = "school""#),
            (Text::Asker, "wra_qualifying_person = true", ""),
        ],
    ),
    denial(&["S04"], &[BENEFITS, UNDER_WRA, (Text::Programme, "wra_prescribed = true", "")]),
    denial(&["S05"], &[BENEFITS]),
    denial(&["S06"], &[BENEFITS, UNDER_WRA, (Text::Receive, r#"onward = "none""#, r#"onward = "parties""#)]),
    changed(&["S07"], &[(Text::Supply, POWER, r#"power = ["LA2011-s1"]"#)], |scene| scene.item = "C"),
    denial(
        &["S08"],
        &[(Text::Supply, POWER, DEA), (Text::Holder, "dea_specified_person = true", "dea_specified_person = false")],
    ),
    denial(&["S09"], &[(Text::Supply, POWER, DEA), (Text::Supply, "dea_register = \"register entry\"", "")]),
    changed(
        &["S10"],
        &[(Text::Receive, "caldicott_sign_off = { post = \"the guardian\", on = 2026-01-01 }", "")],
        |scene| scene.item = "H",
    ),
    changed(&["S11"], &[(Text::Receive, CONDITIONS, r#"conditions = ["9-2-g"]"#)], |scene| scene.item = "C"),
    changed(&["S12"], &[(Text::Supply, CONDITIONS, r#"conditions = ["sch1-18"]"#)], |scene| scene.item = "S"),
    denial(&["S13"], &[(Text::Receive, POWER, S115)]),
    changed(
        &["S14"],
        &[
            (Text::Receive, POWER, r#"power = ["OMA2007-s14"]"#),
            (Text::Programme, "crime_and_disorder = false", "crime_and_disorder = true"),
        ],
        |scene| scene.item = "C",
    ),
    denial(
        &["S15"],
        &[
            (Text::Asker, r#"kind = "council""#, r#"kind = "police""#),
            (Text::Asker, "wra_qualifying_person = true", ""),
            (Text::Supply, "police_regime = \"part-2\"", ""),
        ],
    ),
    denial(&["S16"], &[(Text::Supply, r#"art6 = "6-1-e""#, r#"art6 = "6-1-f""#)]),
    denial(
        &["S17"],
        &[
            (Text::Programme, "code = \"help\"", "code = \"audit\""),
            (Text::Programme, LAST_LINES, ANOTHER_FEED),
            (Text::Supply, r#"["help"]"#, r#"["audit"]"#),
            (Text::Receive, r#"["help"]"#, r#"["audit"]"#),
        ],
    ),
    denial(&["S18"], &[(Text::Receive, "police_regime = \"part-2\"", "police_regime = \"part-3\"")]),
];

/// Sets the scene and asks both: whether the asker may ask, and whether the item may contribute.
fn hits(rules: &Arc<RuleBook>, edits: &[Edit], change: impl Fn(&mut Scene)) -> Option<Vec<RuleHit>> {
    let all: BTreeSet<RuleHit> = staged(rules, edits, change, |book, release| {
        book.ask_hits(release.ask).into_iter().chain(book.release_hits(release)).collect()
    })?;
    Some(all.into_iter().collect())
}

/// Sets the scene and hands it to a question; `None` when it cannot be set.
fn staged<T>(
    rules: &Arc<RuleBook>,
    edits: &[Edit],
    change: impl Fn(&mut Scene),
    question: impl FnOnce(&PolicyBook, &Release<'_>) -> T,
) -> Option<T> {
    let standing = || Standing { status: AgreementStatus::InForce, unsigned_by: None };
    let mut scene = Scene {
        supplier: "holder",
        item: "N",
        relationship: Relationship::Referral,
        for_statistics: false,
        supply: standing(),
        receive: standing(),
    };
    change(&mut scene);
    let programme = Programme::parse(edited(Text::Programme, edits)?.as_bytes()).ok()?;
    let agencies: Option<Vec<Agency>> = [Text::Asker, Text::Holder]
        .into_iter()
        .map(|text| Agency::parse(edited(text, edits)?.as_bytes()).ok())
        .collect();
    let mut agencies = agencies?;
    agencies.push(Agency::parse(ASKER.replacen("\"asker\"", "\"other\"", 1).as_bytes()).ok()?);
    let supply = agreement(Text::Supply, &scene.supply, edits)?;
    let receive = agreement(Text::Receive, &scene.receive, edits)?;
    let (supply_text, receive_text) = (supply.text.clone(), receive.text.clone());
    let book = PolicyBook::new(Arc::new(programme), agencies, [supply, receive], rules.clone(), 0).ok()?;
    let (recipient, supplier) = (AgencyCode::parse("asker").ok()?, AgencyCode::parse(scene.supplier).ok()?);
    let role = RoleCode::parse("worker").ok()?;
    let purpose = book.programme().purposes().first()?;
    let item: Item = scene.item.parse().ok()?;
    let ask = Ask {
        recipient: &recipient,
        agreement: &receive_text,
        clause: receive_text.receives().first()?,
        purpose,
        mode: AnswerMode::Areas,
        role: &role,
        relationship_fits: purpose.relationships.contains(&scene.relationship),
        for_statistics: scene.for_statistics,
        now: NOW.parse::<Timestamp>().ok()?,
    };
    let release = Release {
        ask: &ask,
        agreement: &supply_text,
        term: supply_text.supplies().first()?,
        supplier: &supplier,
        item: &item,
        areas: &areas_of(&book, &supplier, &item),
        benefits_data: is_benefits_data(&book, book.programme().feeds().first()?),
    };
    Some(question(&book, &release))
}

fn agreement(which: Text, standing: &Standing, edits: &[Edit]) -> Option<Agreement> {
    let text = AgreementText::parse(edited(which, edits)?.as_bytes()).ok()?;
    let mut agreement = Agreement::in_force(Arc::new(text));
    agreement.status = standing.status;
    agreement.signed_by.retain(|party| standing.unsigned_by != Some(party.as_str()));
    Some(agreement)
}

/// A canned text after the edits meant for it; `None` when an edit does not find its place.
fn edited(which: Text, edits: &[Edit]) -> Option<String> {
    let mut text = match which {
        Text::Programme => PROGRAMME.to_owned(),
        Text::Asker => ASKER.to_owned(),
        Text::Holder => HOLDER.to_owned(),
        Text::Supply => format!("id = \"canned-supply\"{HEADER}{SUPPLY}"),
        Text::Receive => format!("id = \"canned-receive\"{HEADER}{RECEIVE}"),
    };
    for (_, from, to) in edits.iter().filter(|(text, _, _)| *text == which) {
        if !text.contains(from) {
            return None;
        }
        text = text.replacen(from, to, 1);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::shipped_book;
    use super::*;

    fn book_with(rules: RuleBook) -> PolicyBook {
        let programme = Programme::parse(PROGRAMME.as_bytes()).expect("well-formed");
        PolicyBook::new(Arc::new(programme), [], [], Arc::new(rules), 0).expect("consistent")
    }

    #[test]
    fn the_shipped_book_passes() {
        assert_eq!(self_test(&shipped_book()), Ok(()));
    }

    #[test]
    fn every_rule_that_forbids_has_a_canned_denial() {
        let rules = RuleBook::shipped().expect("valid");
        let canned: BTreeSet<&str> = DENIALS.iter().flat_map(|denial| denial.rules).copied().collect();
        let forbids: BTreeSet<&str> = rules.forbids().map(|rule| rule.rule.as_str()).collect();
        assert_eq!(canned, forbids);
    }

    #[test]
    fn the_plain_rust_evaluator_names_the_same_rules_in_every_scene() {
        let rules = Arc::new(RuleBook::shipped().expect("valid"));
        for denial in &DENIALS {
            let expected = staged(&rules, denial.edits, denial.change, super::super::reference::release_hits);
            assert_eq!(expected, Some(denial.rules.iter().copied().collect()));
        }
    }

    #[test]
    fn a_book_that_lost_any_one_rule_fails() {
        for rule in RuleBook::shipped().expect("valid").forbids() {
            let book = book_with(RuleBook::shipped().expect("valid").without(&rule.rule));
            assert!(matches!(self_test(&book), Err(SelfTestError::NotDenied(_))), "{}", rule.rule);
        }
    }
}
