//! The answer in plain words. What this version does not know it leaves to `--json`.

use serde_json::Value;

use crate::domain::evidence::EvidenceState;
use crate::domain::ids::AgencyCode;
use crate::domain::record::EvidenceGrade;
use crate::web::api::enquiries::{CountView, CoverageView, EligibleView, EnquiryView, LeadView};

/// The signed promise that the enquiry is in the log.
pub(in crate::cli::agency) fn receipt(answer: &Value) -> Option<&str> {
    answer["receipt"].as_str()
}

/// Says an answer.
pub(in crate::cli::agency) fn say(value: &Value) -> String {
    let mut lines = Vec::new();
    let Ok(answer) = serde_json::from_value::<EnquiryView>(value.clone()) else {
        return "The gateway answered in a form that this version does not know; see --json.".to_owned();
    };
    if let Some(found) = &answer.eligible {
        eligible(found, &mut lines);
    } else if let Some(found) = &answer.count {
        count(found, &mut lines);
    } else if let Some(areas) = &answer.areas {
        lines.push("By area:".to_owned());
        for found in areas {
            let sentence = finding(found.state, found.grade, [&found.evidence_month, &found.judgement_month]);
            lines.push(format!("  {}: {sentence}{}", found.code, in_brackets(age(found.as_at, found.is_late))));
        }
    } else if let Some(criteria) = &answer.criteria {
        lines.push("By criterion:".to_owned());
        for found in criteria {
            let sentence = finding(found.state, found.grade, [&found.evidence_month, &found.judgement_month]);
            let age = in_brackets(age(found.as_at, found.is_late));
            lines.push(format!("  {} (area {}): {sentence}{age}", found.code, found.area));
        }
    } else if let Some(found) = &answer.lead {
        lead(found, &mut lines);
    } else {
        lines.push("The gateway answered in a form that this version does not know; see --json.".to_owned());
    }
    let not_covered = answer.not_covered.unwrap_or_default().join(", ");
    if !not_covered.is_empty() {
        lines.push(format!("Not covered by the programme's criteria, and counted neither way: {not_covered}."));
    }
    lines.push(format!("Criteria as of {}.", answer.criteria_version));
    lines.push(match answer.onward.as_str() {
        "none" => "It may not be passed on.".to_owned(),
        "with_supplier_consent" => "It may be passed on only with the supplier's consent.".to_owned(),
        "parties" => "It may be passed on to the parties of the agreement.".to_owned(),
        other => format!("Passing it on: {other}"),
    });
    if !answer.legacy_tokens.is_empty() {
        let agencies: Vec<&str> = answer.legacy_tokens.iter().map(AgencyCode::as_str).collect();
        lines.push(format!(
            "Weak identifiers: {} may match with an older system's hash values, under a dated exception.",
            agencies.join(", ")
        ));
    }
    lines.push(format!("Logged as {} at {}.", answer.disclosure, answer.at));
    lines.join("\n")
}

fn eligible(found: &EligibleView, lines: &mut Vec<String>) {
    lines.push(
        match found.state {
            EvidenceState::Met => "The family is eligible.",
            EvidenceState::NotMet => {
                "The family is not eligible: every area that counts is covered, and too few are met."
            }
            _ => "It is not known whether the family is eligible. That is no answer of \"no\".",
        }
        .to_owned(),
    );
    if found.grade == Some(EvidenceGrade::Professional) {
        lines.push("It rests in part on professional judgement.".to_owned());
    }
    covers(&found.covers, lines);
}

fn count(found: &CountView, lines: &mut Vec<String>) {
    lines.push(match found.met {
        1 => "1 area is met.".to_owned(),
        met => format!("{met} areas are met."),
    });
    if found.professional > 0 {
        lines.push(format!("{} of them by professional judgement alone.", found.professional));
    }
    if found.open > 0 {
        lines.push(format!("Of {} more it cannot be said; silence is not a \"no\".", found.open));
    }
    covers(&found.covers, lines);
}

fn covers(covers: &[CoverageView], lines: &mut Vec<String>) {
    for covered in covers {
        let state = if covered.is_withheld {
            "no agreement lets you hear anybody on it".to_owned()
        } else {
            age(covered.as_at, covered.is_late).unwrap_or_else(|| "nobody has supplied it yet".to_owned())
        };
        lines.push(format!("  Area {}: {state}", covered.area));
    }
}

fn lead(lead: &LeadView, lines: &mut Vec<String>) {
    match lead.state.as_str() {
        "known" => {
            let agency = lead.agency_name.as_ref().or(lead.agency.as_ref()).map_or("?", String::as_str);
            let team = lead.team_name.as_ref().or(lead.team.as_ref()).map_or("?", String::as_str);
            let since = lead.since.as_ref().map(|since| format!(", since {since}")).unwrap_or_default();
            lines.push(format!("{agency} leads: {team}{since}."));
            lines.extend(lead.contact.as_ref().map(|contact| format!("Contact: {contact}")));
        }
        "withheld_by_policy" => lines.push("No agreement lets you hear anybody on who leads.".to_owned()),
        _ => lines.push("Nobody whom you may hear says that they lead.".to_owned()),
    }
    lines.extend(age(lead.as_at, lead.is_late).map(|age| format!("The feeds that would say: {age}.")));
}

/// `months` are those of the newest evidence and of the newest professional judgement.
fn finding(state: EvidenceState, grade: Option<EvidenceGrade>, months: [&Option<String>; 2]) -> String {
    let mut sentence = match state {
        EvidenceState::Met => "met",
        EvidenceState::NotMet => "not met; everybody who should say so did, in date",
        EvidenceState::NotKnown => "not known; silence is not a \"no\"",
        EvidenceState::Stale => "stale; the evidence or the feed is too old to say",
        EvidenceState::NotAssessable => "cannot be assessed for the person",
        EvidenceState::Contested => "contested; the evidence is disputed",
        EvidenceState::WithheldByPolicy => "withheld; no agreement lets you hear anybody on it",
    }
    .to_owned();
    let [newest, judged] = months;
    if let Some(month) = newest {
        sentence.push_str(", newest evidence ");
        sentence.push_str(month);
    }
    if grade == Some(EvidenceGrade::Professional) {
        sentence += ", on professional judgement";
    } else if let Some(month) = judged {
        sentence.push_str(", professional judgement too ");
        sentence.push_str(month);
    }
    sentence
}

/// How old the feeds are that would say so; `None` where no feed is heard.
fn age(as_at: Option<jiff::civil::Date>, is_late: Option<bool>) -> Option<String> {
    let late = if is_late? { ", a feed is late" } else { "" };
    Some(match as_at {
        Some(day) => format!("feeds as of {day}{late}"),
        None => "nothing was delivered yet".to_owned(),
    })
}

fn in_brackets(text: Option<String>) -> String {
    text.map(|text| format!(" ({text})")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// An answer in the form that the gateway gives, with these members in place of nothing.
    fn answer(mode: &str, members: Value) -> Value {
        let mut answer = json!({
            "disclosure": "01990000-0000-7000-8000-000000000000", "at": "2026-09-20T10:00:00.000000Z", "mode": mode,
            "eligible": null, "count": null, "criteria": null, "areas": null, "lead": null, "not_covered": null,
            "onward": "none", "criteria_version": "2026-04-01", "receipt": "signed", "padding": "000",
        });
        for (name, value) in members.as_object().expect("an object") {
            answer[name] = value.clone();
        }
        answer
    }

    #[test]
    fn silence_is_never_said_as_no() {
        let covers = json!([
            { "area": "A1", "is_withheld": true, "as_at": null, "is_late": null },
            { "area": "A2", "is_withheld": false, "as_at": null, "is_late": null },
        ]);
        let said =
            say(&answer("eligible", json!({ "eligible": { "state": "not_known", "grade": null, "covers": covers } })));
        assert!(said.contains("It is not known") && said.contains("no agreement lets you hear"), "{said}");
        assert!(!said.contains("is not eligible"), "{said}");
        let said =
            say(&answer("count", json!({ "count": { "met": 0, "professional": 0, "open": 2, "covers": covers } })));
        assert!(said.starts_with("0 areas are met.\nOf 2 more it cannot be said"), "{said}");
        let found = |code: &str, state: &str, as_at: Value, is_late: Value| {
            json!({ "code": code, "area": "A1", "state": state, "grade": null, "evidence_month": null, "judgement_month": null,
                    "as_at": as_at, "is_late": is_late })
        };
        let list = json!([
            found("A1", "not_known", json!("2026-09-01"), json!(true)),
            found("A2", "withheld_by_policy", Value::Null, Value::Null),
        ]);
        let said = say(&answer("areas", json!({ "areas": list })));
        assert!(
            said.contains("A1: not known; silence is not a \"no\" (feeds as of 2026-09-01, a feed is late)")
                && said.contains("A2: withheld"),
            "{said}"
        );
        let said = say(&answer("criteria", json!({ "criteria": list })));
        assert!(said.contains("A1 (area A1): not known"), "{said}");
    }

    #[test]
    fn an_answer_is_said_whole() {
        let said = say(&answer(
            "lead",
            json!({ "lead": {
            "state": "known", "agency": "early-help-hub", "agency_name": "Early Help Hub", "team": "west",
            "team_name": "West", "contact": "Telephone 01632 960200", "since": "2026-03", "as_at": null, "is_late": null,
        } }),
        ));
        assert_eq!(
            said,
            "Early Help Hub leads: West, since 2026-03.\nContact: Telephone 01632 960200\nCriteria as of 2026-04-01.\n\
             It may not be passed on.\nLogged as 01990000-0000-7000-8000-000000000000 at 2026-09-20T10:00:00.000000Z."
        );
    }

    #[test]
    fn an_answer_of_another_version_is_not_misread() {
        for value in [json!({}), json!({ "answer": { "mode": "eligible" } }), json!([1]), answer("other", json!({}))] {
            assert!(say(&value).contains("--json"), "{value}");
        }
    }
}
