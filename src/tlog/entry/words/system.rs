//! Agreements, deliveries, keys, linkage and the log itself, in words.

use std::fmt::Write as _;

use super::who;
use crate::tlog::entry::{AgreementState, Body, Code, SubmissionMode};

/// The sentence of an entry about how the programme is set up and fed; `None` for other types.
pub(super) fn words(body: &Body) -> Option<String> {
    agreements(body).or_else(|| keys(body)).or_else(|| linkage(body))
}

fn agreements(body: &Body) -> Option<String> {
    Some(match body {
        Body::PolicyLoad(it) => format!(
            "{} loaded the policy files of {}, revision {}, with {} agreements.",
            it.by,
            it.programme,
            it.revision,
            it.agreements.len()
        ),
        Body::AgreementSignature(it) => {
            format!("{} signed {} with the key {}; the text is {}.", it.party, it.agreement, it.key, it.sha256)
        }
        Body::AgreementRequest(it) => {
            let what = if it.action.as_str() == "withdrawn" { "took back the request" } else { "asked" };
            format!("{} {what} that {} be put in force, reason {}.", it.by, it.agreement, it.reason)
        }
        Body::AgreementApproval(it) => format!("{} approved that {} be put in force.", it.by, it.agreement),
        Body::AgreementStatus(it) => {
            let mut text = moved(&it.agreement.to_string(), it.from.map(state), state(it.to), &it.by);
            if !it.approved_by.is_empty() {
                let by: Vec<&str> = it.approved_by.iter().map(Code::as_str).collect();
                let _ = write!(text, ", approved by {}", by.join(" and ")); // a String takes every write
            }
            format!("{text}, reason {}.", it.reason)
        }
        Body::AgencyStatus(it) => {
            let from = it.from.as_ref().map(Code::as_str);
            format!("{}, reason {}.", moved(it.agency.as_str(), from, it.to.as_str(), &it.by), it.reason)
        }
        Body::Standing(it) => {
            let (of, name) = (&it.of, &it.name);
            format!("The {of} {name} of {} is {} from now on: by {}, reason {}.", it.agency, it.to, it.by, it.reason)
        }
        Body::Submission(it) => {
            let what = match it.mode {
                SubmissionMode::Snapshot => "a snapshot",
                SubmissionMode::Delta => "a delta",
                SubmissionMode::Retraction => "a retraction",
            };
            let rows = it.rows.as_ref().map(ToString::to_string);
            let rows = rows.or_else(|| it.rows_accepted.map(|rows| rows.to_string())).unwrap_or_default();
            format!(
                "{} delivered its feed {} under {}: {what} of {}, {rows} rows stored, {} refused.",
                it.agency,
                it.feed,
                it.agreement,
                it.as_at.date(),
                it.rows_rejected
            )
        }
        _ => return None,
    })
}

fn keys(body: &Body) -> Option<String> {
    Some(match body {
        Body::KeyEvent(it) => {
            format!("The key {} for {} was {}: by {}, reason {}.", it.key, it.used_for, it.action, it.by, it.reason)
        }
        Body::Erasure(it) => {
            let count = it.events.len();
            format!("{} destroyed what opens {count} entries, reason {}.", it.by, it.reason)
        }
        Body::LogOpen(it) => match &it.previous {
            None => format!("The log of {} begins.", it.programme),
            Some(before) => {
                format!(
                    "The log of {} begins; it goes on from {} of {} entries.",
                    it.programme, before.origin, before.size
                )
            }
        },
        Body::LogRestore(it) => format!(
            "{} accepted that the database was restored to {} entries where {} were known: {} are missing, reason {}.",
            it.by, it.size, it.known_size, it.missing, it.reason
        ),
        Body::LogWitnesses(it) => {
            let mut text = format!("{} witnesses are believed, {} are enough", it.witnesses.len(), it.quorum);
            if let Some(reason) = &it.reason {
                let _ = write!(text, ", reason {reason}");
            }
            text + "."
        }
        _ => return None,
    })
}

fn linkage(body: &Body) -> Option<String> {
    Some(match body {
        Body::MatchAsk(it) => format!("{} is asked to verify records of its own for {}.", it.recipient, it.purpose),
        Body::MatchDecision(it) => format!(
            "{}: {} of a record of its own in the possible match {}, reason {}.",
            who(Some(&it.agency), &it.client, Some(&it.role)),
            it.action,
            it.possible_match,
            it.reason
        ),
        Body::FamilyChange(it) => format!(
            "{} on a family: {}, decided on entry {} under {} for {}, reason {}.",
            who(Some(&it.agency), &it.client, Some(&it.role)),
            it.action,
            it.disclosure,
            it.agreement,
            it.purpose,
            it.reason
        ),
        Body::WeightsLearned(it) => {
            format!("{} learned weights from generation {}; they are {}.", it.by, it.generation, it.weights_sha256)
        }
        Body::WeightsStep(it) => {
            let weights =
                it.weights_sha256.map_or_else(|| "the weights".to_owned(), |sha256| format!("the weights {sha256}"));
            format!("{}: {} of {weights} to generation {}.", it.by, it.step, it.generation)
        }
        Body::FuzzyStep(it) => {
            format!(
                "{}: {} of fuzzy encodings to generation {}; privacy {}.",
                it.by, it.step, it.generation, it.privacy
            )
        }
        _ => return None,
    })
}

/// What went from where to where, and by whom.
fn moved(what: &str, from: Option<&str>, to: &str, by: &Code) -> String {
    match from {
        Some(from) => format!("{what} went from {from} to {to}: by {by}"),
        None => format!("{what} began as {to}: by {by}"),
    }
}

const fn state(state: AgreementState) -> &'static str {
    match state {
        AgreementState::Draft => "draft",
        AgreementState::Signed => "signed",
        AgreementState::InForce => "in_force",
        AgreementState::Suspended => "suspended",
        AgreementState::Expired => "expired",
        AgreementState::Withdrawn => "withdrawn",
    }
}
