//! The answer in plain words. The one place that knows where things stand in an answer; what it
//! does not know it leaves to `--json`.

use serde_json::Value;

/// The signed promise that the enquiry is in the log.
pub(super) fn receipt(answer: &Value) -> Option<&str> {
    answer["receipt"].as_str()
}

/// Says an answer.
pub(super) fn say(value: &Value) -> String {
    let answer = &value["answer"];
    let mut lines = Vec::new();
    match answer["mode"].as_str() {
        Some("eligible") => eligible(answer, &mut lines),
        Some("areas") => areas(answer, &mut lines),
        Some("lead") => lead(answer, &value["contact"], &mut lines),
        _ => lines.push("The gateway answered in a form that this version does not know; see --json.".to_owned()),
    }
    let not_covered = codes(&answer["not_covered"]);
    if !not_covered.is_empty() {
        lines.push(format!("Not covered by the programme's criteria, and counted neither way: {not_covered}."));
    }
    if let Some(version) = value["criteria_version"].as_str() {
        lines.push(format!("Criteria as of {version}."));
    }
    if let Some(onward) = value["onward"].as_str().filter(|onward| !onward.is_empty()) {
        lines.push(format!("What you may do with it: {onward}"));
    }
    if let (Some(disclosure), Some(at)) = (value["disclosure"].as_str(), value["at"].as_str()) {
        lines.push(format!("Logged as {disclosure} at {at}."));
    }
    lines.join("\n")
}

fn eligible(answer: &Value, lines: &mut Vec<String>) {
    lines.push(
        match answer["eligible"].as_str() {
            Some("met") => "The family is eligible.",
            Some("not_met") => "The family is not eligible: every area that counts is covered, and too few are met.",
            _ => "It is not known whether the family is eligible. That is no answer of \"no\".",
        }
        .to_owned(),
    );
    if answer["grade"].as_str() == Some("professional") {
        lines.push("It rests in part on professional judgement.".to_owned());
    }
    for covered in answer["covers"].as_array().into_iter().flatten() {
        let area = covered["area"].as_str().unwrap_or("?");
        let state = if covered["is_withheld"].as_bool() == Some(true) {
            "no agreement lets you hear anybody on it".to_owned()
        } else {
            age(&covered["age"]).unwrap_or_else(|| "nobody has supplied it yet".to_owned())
        };
        lines.push(format!("  Area {area}: {state}"));
    }
}

fn areas(answer: &Value, lines: &mut Vec<String>) {
    lines.push("By area:".to_owned());
    for found in answer["areas"].as_array().into_iter().flatten() {
        let area = found["area"].as_str().unwrap_or("?");
        let mut sentence = state(found["state"].as_str()).to_owned();
        if let Some(month) = found["newest"].as_str() {
            sentence.push_str(", newest evidence ");
            sentence.push_str(month);
        }
        if found["grade"].as_str() == Some("professional") {
            sentence += ", on professional judgement";
        }
        if let Some(age) = age(&found["age"]) {
            sentence = format!("{sentence} ({age})");
        }
        lines.push(format!("  {area}: {sentence}"));
    }
}

fn lead(answer: &Value, contact: &Value, lines: &mut Vec<String>) {
    let lead = &answer["lead"];
    match lead["state"].as_str() {
        Some("known") => {
            let agency = contact["agency"].as_str().or(lead["agency"].as_str()).unwrap_or("?");
            let team = contact["team"].as_str().or(lead["team_route"].as_str()).unwrap_or("?");
            let since = lead["since"].as_str().map(|since| format!(", since {since}")).unwrap_or_default();
            lines.push(format!("{agency} leads: {team}{since}."));
            if let Some(contact) = contact["contact"].as_str() {
                lines.push(format!("Contact: {contact}"));
            }
        }
        Some("withheld_by_policy") => lines.push("No agreement lets you hear anybody on who leads.".to_owned()),
        _ => lines.push("Nobody whom you may hear says that they lead.".to_owned()),
    }
    lines.extend(age(&answer["age"]).map(|age| format!("The feeds that would say: {age}.")));
}

fn state(state: Option<&str>) -> &'static str {
    match state {
        Some("met") => "met",
        Some("not_met") => "not met; everybody who should say so did, in date",
        Some("not_known") => "not known; silence is not a \"no\"",
        Some("stale") => "stale; the evidence or the feed is too old to say",
        Some("not_assessable") => "cannot be assessed for the person",
        Some("contested") => "contested; the evidence is disputed",
        Some("withheld_by_policy") => "withheld; no agreement lets you hear anybody on it",
        _ => "a state that this version does not know; see --json",
    }
}

/// How old the feeds are that would say so.
fn age(age: &Value) -> Option<String> {
    age.as_object()?;
    let late = if age["is_late"].as_bool() == Some(true) { ", a feed is late" } else { "" };
    Some(match age["oldest_as_at"].as_str() {
        Some(day) => format!("feeds as of {day}{late}"),
        None => "nothing was delivered yet".to_owned(),
    })
}

fn codes(list: &Value) -> String {
    let codes: Vec<&str> = list.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    codes.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn silence_is_never_said_as_no() {
        let said = say(&json!({ "answer": { "mode": "eligible", "eligible": "not_known", "covers": [
            { "area": "A1", "is_withheld": true, "age": null }, { "area": "A2", "is_withheld": false, "age": null } ] } }));
        assert!(said.contains("It is not known") && said.contains("no agreement lets you hear"), "{said}");
        assert!(!said.contains("is not eligible"), "{said}");
        let said = say(&json!({ "answer": { "mode": "areas", "areas": [
            { "area": "A1", "state": "not_known", "age": { "oldest_as_at": "2026-09-01", "is_late": true } }, { "area": "A2", "state": "withheld_by_policy" } ] } }));
        assert!(
            said.contains("A1: not known; silence is not a \"no\" (feeds as of 2026-09-01, a feed is late)")
                && said.contains("A2: withheld"),
            "{said}"
        );
    }

    #[test]
    fn an_answer_is_said_whole() {
        let said = say(&json!({
            "disclosure": "0199", "at": "2026-09-20T10:00:00.000000Z", "criteria_version": "2026-04-01",
            "onward": "Tell the family.", "receipt": "signed",
            "contact": { "agency": "Early Help Hub", "team": "West", "contact": "Telephone 01632 960200" },
            "answer": { "mode": "lead", "lead": { "state": "known", "agency": "early-help-hub", "team_route": "west",
                "since": "2026-03" }, "age": null },
        }));
        assert_eq!(
            said,
            "Early Help Hub leads: West, since 2026-03.\nContact: Telephone 01632 960200\nCriteria as of 2026-04-01.\n\
             What you may do with it: Tell the family.\nLogged as 0199 at 2026-09-20T10:00:00.000000Z."
        );
    }

    #[test]
    fn an_answer_of_another_version_is_not_misread() {
        for value in [json!({}), json!({ "answer": { "mode": "count", "count": 3 } }), json!([1])] {
            assert!(say(&value).contains("--json"), "{value}");
        }
    }
}
