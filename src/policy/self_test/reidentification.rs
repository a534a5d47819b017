//! The canned questions on re-identification: one for each of its rules.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Edit, NOW, SelfTestError, Standing, Text, agreement, edited};
use crate::domain::agency::Agency;
use crate::domain::agreement::AgreementStatus;
use crate::domain::ids::{AgencyCode, PowerCode, RoleCode};
use crate::domain::programme::Programme;
use crate::domain::reidentification::Field;
use crate::domain::time::Timestamp;
use crate::policy::book::{AskWho, PolicyBook};
use crate::policy::rules::{RuleBook, RuleHit};

pub(super) const TERM: &str = r#"
[[reidentify]]
id = "asks-who"
plain = "The asker may ask the holder who somebody is."
requester = "asker"
sources = ["holder"]
purposes = ["help"]
power = ["CA2004-s10"]
art6 = "6-1-e"
conditions = ["sch1-18"]
roles = ["worker"]
fields = ["names"]
approvals = 2
approvers = ["holder", "other"]
daily_ceiling = 1
emergency = true
mode = "brokered"
"#;

/// A scene in which the rule, and no other, stands in the way.
pub(super) struct WhoDenial {
    pub(super) rule: &'static str,
    edits: &'static [Edit],
    change: fn(&mut Scene),
}

struct Scene {
    power: &'static str,
    emergency: bool,
    standing: Standing,
}

const POWER: &str = r#"power = ["CA2004-s10"]"#;

const fn denial(rule: &'static str, edits: &'static [Edit]) -> WhoDenial {
    WhoDenial { rule, edits, change: |_| {} }
}
const fn changed(rule: &'static str, edits: &'static [Edit], change: fn(&mut Scene)) -> WhoDenial {
    WhoDenial { rule, edits, change }
}

pub(super) const DENIALS: [WhoDenial; 22] = [
    denial(
        "I01",
        &[
            (Text::Who, r#"requester = "asker""#, r#"requester = "other""#),
            (Text::Who, r#"approvers = ["holder", "other"]"#, r#"approvers = ["holder"]"#),
        ],
    ),
    denial("I02", &[(Text::Who, r#"sources = ["holder"]"#, r#"sources = ["other"]"#)]),
    denial("I03", &[(Text::Who, r#"purposes = ["help"]"#, r#"purposes = ["harm"]"#)]),
    denial("I04", &[(Text::Who, r#"roles = ["worker"]"#, r#"roles = ["watcher"]"#)]),
    denial("I05", &[(Text::Who, r#"fields = ["names"]"#, r#"fields = ["contact"]"#)]),
    changed("I06", &[], |scene| scene.power = "EA1996"),
    changed("I07", &[(Text::Who, "emergency = true", "emergency = false")], |scene| scene.emergency = true),
    changed("I08", &[], |scene| scene.standing.status = AgreementStatus::Suspended),
    denial("I09", &[(Text::Who, "starts = 2026-04-01", "starts = 2026-11-22")]),
    denial(
        "I10",
        &[
            (Text::Who, "ends = 2029-03-31", "ends = 2026-11-20"),
            (Text::Who, "review_due = 2027-06-30", "review_due = 2026-11-20"),
        ],
    ),
    denial("I11", &[(Text::Who, "review_due = 2027-06-30", "review_due = 2026-10-23")]),
    changed("I12", &[], |scene| scene.standing.unsigned_by = Some("holder")),
    denial("I13", &[(Text::Asker, r#"kind = "programme""#, r#"kind = "council""#)]),
    denial("I14", &[(Text::Programme, "wra_prescribed = true", "wra_prescribed = true\nstatistical = true")]),
    denial("I15", &[(Text::Holder, r#"kind = "council""#, r#"kind = "benefits""#)]),
    changed("I16", &[(Text::Who, POWER, r#"power = ["CDA1998-s17A"]"#)], |scene| scene.power = "CDA1998-s17A"),
    changed("I17", &[(Text::Who, POWER, r#"power = ["LA2011-s1"]"#)], |scene| scene.power = "LA2011-s1"),
    changed(
        "I18",
        &[
            (Text::Who, POWER, r#"power = ["DEA2017-s35"]"#),
            (Text::Holder, "dea_specified_person = true", "dea_specified_person = false"),
        ],
        |scene| scene.power = "DEA2017-s35",
    ),
    changed("I19", &[(Text::Who, POWER, r#"power = ["CDA1998-s115"]"#)], |scene| scene.power = "CDA1998-s115"),
    denial(
        "I20",
        &[(Text::Holder, r#"kind = "council""#, r#"kind = "police""#), (Text::Who, "police_regime = \"part-2\"", "")],
    ),
    denial("I21", &[(Text::Who, r#"art6 = "6-1-e""#, r#"art6 = "6-1-f""#)]),
    denial(
        "I22",
        &[
            (Text::Holder, r#"kind = "council""#, r#"kind = "nhs""#),
            (Text::Who, "caldicott_sign_off = { post = \"the guardian\", on = 2026-01-01 }", ""),
        ],
    ),
];

/// Asks every canned question on re-identification; books from before there was any have none.
pub(super) fn self_test(rules: &Arc<RuleBook>) -> Result<(), SelfTestError> {
    if !rules.has_reidentification() {
        return Ok(());
    }
    let baseline = hits(rules, &[], |_| {}).ok_or(SelfTestError::Scene("R00"))?;
    if !baseline.is_empty() {
        return Err(SelfTestError::NotAllowed);
    }
    for denial in &DENIALS {
        let hits = hits(rules, denial.edits, denial.change).ok_or(SelfTestError::Scene(denial.rule))?;
        if !hits.iter().map(|hit| hit.rule.as_str()).eq([denial.rule]) {
            return Err(SelfTestError::NotDenied(denial.rule));
        }
    }
    Ok(())
}

fn hits(rules: &Arc<RuleBook>, edits: &[Edit], change: impl Fn(&mut Scene)) -> Option<Vec<RuleHit>> {
    let standing = Standing { status: AgreementStatus::InForce, unsigned_by: None };
    let mut scene = Scene { power: "CA2004-s10", emergency: false, standing };
    change(&mut scene);
    let programme = Programme::parse(edited(Text::Programme, edits)?.as_bytes()).ok()?;
    // The canned asker belongs to the programme team, which alone may ask this.
    let asker = super::ASKER.replacen(r#"kind = "council""#, r#"kind = "programme""#, 1);
    let of_asker = edits.iter().filter(|(text, _, _)| *text == Text::Asker);
    let asker = of_asker.fold(asker, |text, (_, from, to)| text.replacen(from, to, 1));
    let agencies =
        [asker.as_str(), edited(Text::Holder, edits)?.as_str()].map(|text| Agency::parse(text.as_bytes()).ok());
    let mut agencies = agencies.into_iter().collect::<Option<Vec<_>>>()?;
    agencies.push(Agency::parse(asker.replacen("\"asker\"", "\"other\"", 1).as_bytes()).ok()?);
    let who = agreement(Text::Who, &scene.standing, edits)?;
    let text = who.text.clone();
    let book = PolicyBook::new(Arc::new(programme), agencies, [who], rules.clone(), 0).ok()?;
    let ask = AskWho {
        requester: &AgencyCode::parse("asker").ok()?,
        source: &AgencyCode::parse("holder").ok()?,
        agreement: &text,
        term: text.reidentifies().first()?,
        purpose: book.programme().purposes().first()?,
        power: &PowerCode::parse(scene.power).ok()?,
        role: &RoleCode::parse("worker").ok()?,
        fields: &BTreeSet::from([Field::Names]),
        emergency: scene.emergency,
        now: NOW.parse::<Timestamp>().ok()?,
    };
    Some(book.reidentify_hits(&ask))
}
