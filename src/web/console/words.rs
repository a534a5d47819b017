//! Entries and states in plain words.

use jiff::tz::TimeZone;

use crate::app::policies::Policies;
use crate::domain::agreement::{AgreementStatus, AnswerMode};
use crate::domain::ids::AgencyCode;
use crate::domain::time::{Month, Timestamp};
use crate::tlog::entry::{AgreementState, Body, Contribution, Decision, Entry, Outcome};

/// A moment as people in the United Kingdom read it: "20 September 2026 at 11:15".
pub(super) fn moment(at: Timestamp) -> String {
    let zone = TimeZone::get("Europe/London").unwrap_or(TimeZone::UTC);
    jiff::Timestamp::from_microsecond(at.as_micros())
        .map_or_else(|_| at.to_string(), |at| at.to_zoned(zone).strftime("%-d %B %Y at %H:%M").to_string())
}

/// A day: "20 September 2026".
pub(super) fn day(day: jiff::civil::Date) -> String {
    day.strftime("%-d %B %Y").to_string()
}

/// A month: "September 2026".
pub(super) fn month(month: Month) -> String {
    month.first_day().strftime("%B %Y").to_string()
}

/// What an agency is called.
pub(super) fn agency(policies: &Policies, code: &AgencyCode) -> String {
    policies.agency(code).map_or_else(|| code.to_string(), |agency| agency.name().to_owned())
}

/// Where an agreement stands: its word, and the colour of its tag, which says nothing that the word does not.
pub(super) fn status(status: AgreementStatus) -> (&'static str, &'static str) {
    match status {
        AgreementStatus::Draft => ("Draft", "grey"),
        AgreementStatus::Signed => ("Signed, not in force", "blue"),
        AgreementStatus::InForce => ("In force", "green"),
        AgreementStatus::Suspended => ("Suspended", "red"),
        AgreementStatus::Expired => ("Expired", "grey"),
        AgreementStatus::Withdrawn => ("Withdrawn", "grey"),
    }
}

/// The same, as the log has it.
fn state(state: AgreementState) -> &'static str {
    let same = match state {
        AgreementState::Draft => AgreementStatus::Draft,
        AgreementState::Signed => AgreementStatus::Signed,
        AgreementState::InForce => AgreementStatus::InForce,
        AgreementState::Suspended => AgreementStatus::Suspended,
        AgreementState::Expired => AgreementStatus::Expired,
        AgreementState::Withdrawn => AgreementStatus::Withdrawn,
    };
    status(same).0
}

/// What one entry says, in one or two sentences.
pub(super) fn sentence(entry: &Entry, policies: &Policies) -> String {
    let at = moment(entry.at());
    let name = |code: &AgencyCode| agency(policies, code);
    match entry.body() {
        Body::Enquiry(it) | Body::FamilyDisclosure(it) => {
            let purpose = policies.programme().purpose(&it.purpose);
            let purpose = purpose.map_or_else(|| it.purpose.to_string(), |purpose| lower_first(&purpose.plain));
            let about = if matches!(entry.body(), Body::Enquiry(_)) { "a person's family" } else { "a family" };
            let asked = asked_for(it.mode.as_str());
            let under = it.agreement.as_ref().map_or_else(String::new, |agreement| format!(" under {agreement}"));
            format!(
                "On {at} {} asked {asked} {about}{under}, for: {}. {}",
                name(&it.recipient),
                purpose.trim_end_matches('.'),
                answered(&it.outcome, &it.decisions, policies)
            )
        }
        Body::Statistics(it) => {
            format!("On {at} {} asked for the table {}. {}", name(&it.recipient), it.table, plain_outcome(&it.outcome))
        }
        Body::Submission(it) => format!("On {at} {} delivered its feed {}.", name(&it.agency), it.feed),
        Body::LogAccess(it) => {
            let who = it.recipient.as_ref().map_or_else(|| "The operator".to_owned(), &name);
            let what = match it.action.as_str() {
                "search" => "searched this log",
                "read" => "read an entry of this log",
                "replay" => "made an entry's decision again",
                "export" => "exported this log",
                _ => "looked at this log",
            };
            format!("On {at} {who} {what}. {}", plain_outcome(&it.outcome))
        }
        Body::AgreementStatus(it) => format!("On {at} the agreement {} became “{}”.", it.agreement, state(it.to)),
        Body::AgreementSignature(it) => format!("On {at} {} signed the agreement {}.", name(&it.party), it.agreement),
        Body::PolicyLoad(it) => format!("On {at} policy files came into use, revision {}.", it.revision),
        other => format!("On {at}: {}", lower_first(&other.in_words())),
    }
}

fn asked_for(mode: &str) -> &'static str {
    match mode {
        _ if mode == AnswerMode::Eligible.as_str() => "whether the programme is for",
        _ if mode == AnswerMode::Count.as_str() => "in how many areas criteria are met for",
        _ if mode == AnswerMode::Areas.as_str() => "in which areas criteria are met for",
        _ if mode == AnswerMode::Criteria.as_str() => "which criteria are met for",
        _ if mode == AnswerMode::Lead.as_str() => "who leads for",
        "engagement" => "to note the engagement of",
        "claim" => "for a claim to be checked for",
        "preview" => "what other criteria would change for",
        _ => "about",
    }
}

fn answered(outcome: &Outcome, decisions: &[Decision], policies: &Policies) -> String {
    let rule = |code: &str| {
        let say = policies.book().rules().say(code);
        say.map_or_else(|| code.to_owned(), |say| format!("{} ({code})", say.trim_end_matches('.')))
    };
    match outcome {
        Outcome::Refused(code) => format!("Porth refused: {}.", rule(code.as_str())),
        Outcome::Answered => {
            let permitted = decisions.iter().filter(|line| line.outcome == Contribution::Permitted);
            let mut suppliers: Vec<String> = permitted.map(|line| agency(policies, &line.supplier)).collect();
            suppliers.sort();
            suppliers.dedup();
            let withheld = decisions.iter().filter(|line| line.outcome == Contribution::Withheld).count();
            let kept = match withheld {
                0 => String::new(),
                1 => " One item was withheld by policy.".to_owned(),
                more => format!(" {more} items were withheld by policy."),
            };
            format!("Porth answered from what these might contribute: {}.{kept}", suppliers.join(", "))
        }
    }
}

fn plain_outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Answered => "It was allowed.".to_owned(),
        Outcome::Refused(code) => format!("It was refused: {code}."),
    }
}

/// The text with a small first letter.
pub(super) fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summer_moment_is_told_in_summer_time() {
        let at: Timestamp = "2026-09-20T10:15:00.000000Z".parse().expect("a time");
        assert_eq!(moment(at), "20 September 2026 at 11:15");
        assert_eq!(day(jiff::civil::date(2026, 9, 3)), "3 September 2026");
    }
}
