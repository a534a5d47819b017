//! What an entry says, in one sentence, for every type that this version knows.
//!
//! A sentence adds nothing to its entry: agencies, purposes, rules and reasons stand in it as the codes
//! that the entry has. Nobody in the data is in any of it.

mod conduct;
mod system;

use std::fmt::Write as _;

use super::{Body, Code, Contribution, Decision, Outcome};
use crate::domain::ids::{AgencyCode, AgreementRef, RoleCode};

impl Body {
    /// What the entry says, in one sentence. Rules are named by their codes: their own sentences are in the
    /// rule book of the day.
    pub fn in_words(&self) -> String {
        self.disclosure_in_words().or_else(|| system::words(self)).or_else(|| conduct::words(self)).unwrap_or_default()
    }

    /// What was told or refused to somebody; `None` for entries of other types.
    fn disclosure_in_words(&self) -> Option<String> {
        Some(match self {
            Self::Enquiry(it) | Self::FamilyDisclosure(it) => {
                let of = if matches!(self, Self::Enquiry(_)) { "a person" } else { "a family by its number" };
                let mut text = format!(
                    "{} asked about {of} in the form {} for {}, relationship {}",
                    who(Some(&it.recipient), &it.client, Some(&it.role)),
                    it.mode,
                    it.purpose,
                    it.relationship
                );
                if let Some(danger) = &it.emergency {
                    let _ = write!(text, ", in an emergency ({danger})"); // a String takes every write
                }
                text + &under(it.agreement.as_ref()) + &came(&it.outcome, "answered") + &counted(&it.decisions)
            }
            Self::Statistics(it) => {
                format!(
                    "{} asked for the table {} ({}) for {}",
                    who(Some(&it.recipient), &it.client, Some(&it.role)),
                    it.table,
                    it.profile,
                    it.purpose
                ) + &under(it.agreement.as_ref())
                    + &came(&it.outcome, "given")
                    + &counted(&it.decisions)
            }
            Self::MatchView(it) => {
                format!(
                    "{} asked to see possible matches for {}",
                    who(Some(&it.recipient), &it.client, Some(&it.role)),
                    it.purpose
                ) + &under(it.agreement.as_ref())
                    + &came(&it.outcome, "shown")
                    + &counted(&it.decisions)
            }
            Self::MatchRun(it) => {
                format!(
                    "{} asked for the match run {} for {}",
                    who(Some(&it.recipient), &it.client, Some(&it.role)),
                    it.run,
                    it.purpose
                ) + &under(it.agreement.as_ref())
                    + &came(&it.outcome, "begun")
                    + &counted(&it.decisions)
            }
            Self::MatchRunStep(it) => {
                format!(
                    "{}: step {} of the match run {}",
                    who(Some(&it.agency), &it.client, Some(&it.role)),
                    it.step,
                    it.run
                ) + &under_any(it.agreement.as_ref())
                    + &came(&it.outcome, "done")
                    + &counted(&it.decisions)
            }
            Self::LogAccess(it) => {
                let mut text =
                    format!("{}: {} of the log", who(it.recipient.as_ref(), &it.client, it.role.as_ref()), it.action);
                for filter in &it.filters {
                    let _ = write!(text, ", {} {}", filter.by, filter.value);
                }
                if let Some(entry) = it.entry {
                    let _ = write!(text, ", entry {entry}");
                }
                text + &under_any(it.agreement.as_ref())
                    + &came(&it.outcome, "shown")
                    + &format!(" {} entries.", it.count)
            }
            Self::ReferralStep(it) => {
                let mut text = format!(
                    "{}: step {} of the referral {}, to {}, for {}",
                    who(Some(&it.agency), &it.client, Some(&it.role)),
                    it.step,
                    it.referral,
                    it.to,
                    it.purpose
                );
                for (lead, named) in
                    [("with", it.with.as_ref().map(AgencyCode::as_str)), ("team", it.team.as_ref().map(Code::as_str))]
                {
                    if let Some(named) = named {
                        let _ = write!(text, ", {lead} {named}");
                    }
                }
                if let Some(answer) = it.answer {
                    let _ = write!(text, ", on the answer of entry {answer}");
                }
                text + &under(it.agreement.as_ref()) + &came(&it.outcome, "taken")
            }
            _ => return None,
        })
    }
}

/// Agency, client and role of whoever acted; an account where it is nobody's agency.
fn who(agency: Option<&AgencyCode>, client: &Code, role: Option<&RoleCode>) -> String {
    let mut text = match agency {
        Some(agency) => format!("{agency} through {client}"),
        None => format!("The account {client}"),
    };
    if let Some(role) = role {
        let _ = write!(text, " as {role}");
    }
    text
}

fn under(agreement: Option<&AgreementRef>) -> String {
    agreement.map_or_else(|| ", under no agreement that exists".to_owned(), |agreement| format!(", under {agreement}"))
}

/// Likewise of what may go under none.
fn under_any(agreement: Option<&AgreementRef>) -> String {
    agreement.map(|agreement| format!(", under {agreement}")).unwrap_or_default()
}

fn came(outcome: &Outcome, done: &str) -> String {
    match outcome {
        Outcome::Answered => format!(": {done}."),
        Outcome::Refused(rule) => format!(": refused, {rule}."),
    }
}

/// How many lines of a decision let something contribute.
fn counted(decisions: &[Decision]) -> String {
    if decisions.is_empty() {
        return String::new();
    }
    let permitted = decisions.iter().filter(|line| line.outcome == Contribution::Permitted).count();
    format!(" {permitted} of {} items might contribute.", decisions.len())
}

#[cfg(test)]
mod tests {
    use crate::tlog::entry::{AgreementState, AgreementStatus, Body};
    use crate::tlog::testing::{self, code};

    #[test]
    fn every_type_of_entry_reads_as_a_sentence_and_none_says_nothing() {
        for body in testing::bodies() {
            let (kind, words) = (body.kind(), body.in_words());
            assert!(words.len() > 20 && words.ends_with('.'), "{kind}: {words}");
            assert!(!words.contains("  ") && !words.contains(".."), "{kind}: {words}");
        }
    }

    #[test]
    fn a_change_of_status_says_of_what_from_where_to_where_by_whom_and_why() {
        let change = Body::AgreementStatus(AgreementStatus {
            agreement: "tff-2026/v3".parse().expect("a reference"),
            sha256: crate::tlog::digest::Digest::of(b"agreement"),
            from: Some(AgreementState::Signed),
            to: AgreementState::InForce,
            by: code("ops-1"),
            approved_by: vec![code("ig-1"), code("ig-2")],
            reason: code("board:2026-03"),
        });
        let said =
            "tff-2026/v3 went from signed to in_force: by ops-1, approved by ig-1 and ig-2, reason board:2026-03.";
        assert_eq!(change.in_words(), said);
    }

    #[test]
    fn a_question_says_who_asked_how_and_for_what_and_what_came_of_it() {
        let said = "early-help through early-help-cms as practitioner asked about a person in the form areas for \
                    family-support, relationship open-case, under tff-2026/v3: answered. 2 of 3 items might contribute.";
        assert_eq!(testing::enquiry(1).in_words(), said);
        assert!(testing::enquiry(3).in_words().contains(": refused, ceiling."));
    }
}
