//! Reviews, alerts, recalls, incidents and people's rights, in words.

use std::fmt::{Display, Write as _};

use super::{came, who};
use crate::tlog::entry::{Body, ReidStep, YesNo};

/// The sentence of an entry about how disclosures are watched and put right; `None` for other types.
pub(super) fn words(body: &Body) -> Option<String> {
    reviews(body).or_else(|| recalls(body)).or_else(|| rights(body))
}

fn reviews(body: &Body) -> Option<String> {
    Some(match body {
        Body::ReviewOfficer(it) => {
            format!(
                "{} of {} was {} as a reviewing officer: by {}, reason {}.",
                it.account, it.agency, it.action, it.by, it.reason
            )
        }
        Body::ReviewPlan(it) => format!(
            "{} drew {} of {} disclosures for review ({}), reason {}.",
            it.by, it.sample, it.population, it.strategy, it.reason
        ),
        Body::ReviewStep(it) => {
            let mut text =
                format!("{}: review of entry {} {}, from {} to {}", it.by, it.entry, it.step, it.from, it.to);
            add(&mut text, "finding", it.finding.as_ref());
            add(&mut text, "severity", it.severity.as_ref());
            add(&mut text, "action", it.action.as_ref());
            add(&mut text, "by the owner", it.owner.as_ref());
            add(&mut text, "due", it.due.as_ref());
            add(&mut text, "suspending", it.agreement.as_ref());
            format!("{text}, reason {}.", it.reason)
        }
        Body::ReviewReply(it) => format!(
            "{} replied {} to the finding about entry {}, reason {}.",
            who(Some(&it.agency), &it.client, None),
            it.position,
            it.entry,
            it.reason
        ),
        Body::AlertOpen(it) => {
            let mut text = format!("An alert was opened: {}, {}, of the day {}", it.kind, it.severity, it.day);
            add(&mut text, "about", it.agency.as_ref());
            add(&mut text, "client", it.client.as_ref());
            add(&mut text, "raised by entry", it.entry.as_ref());
            for figure in &it.figures {
                let _ = write!(text, ", {} {}", figure.of, figure.count); // a String takes every write
            }
            text + "."
        }
        Body::AlertStep(it) => {
            let mut text = format!("{}: {} of the alert {}, from {} to {}", it.by, it.step, it.alert, it.from, it.to);
            add(&mut text, "to", it.escalated_to.as_ref());
            format!("{text}, reason {}.", it.reason)
        }
        Body::AlertDecoy(it) => {
            format!("{}: a decoy was {}, there are {} now, reason {}.", it.by, it.action, it.decoys, it.reason)
        }
        Body::EmergencyReview(it) => {
            let by = match (&it.by, &it.client) {
                (Some(by), _) => by.to_string(),
                (None, Some(client)) => who(Some(&it.agency), client, it.role.as_ref()),
                (None, None) => it.agency.to_string(),
            };
            let when = if it.in_time == YesNo::Yes { "in time" } else { "late" };
            format!("{by} reviewed the emergency enquiry {} {when}: {}, reason {}.", it.entry, it.finding, it.reason)
        }
        _ => return None,
    })
}

fn recalls(body: &Body) -> Option<String> {
    Some(match body {
        Body::RecallOpen(it) => {
            let by = match (&it.by, &it.agency, &it.client) {
                (Some(by), ..) => by.to_string(),
                (None, Some(agency), Some(client)) => who(Some(agency), client, it.role.as_ref()),
                _ => "Somebody".to_owned(),
            };
            format!("{by} opened the recall {}, named by {}, reason {}.", it.recall, it.named_by, it.reason)
        }
        Body::RecallNotice(it) => {
            let mut text = format!(
                "{} is told by the notice {} of the recall {} that something was wrong: {}",
                it.recipient, it.notice, it.recall, it.of
            );
            add(&mut text, "entry", it.entry.as_ref());
            text + if it.certain == YesNo::Yes { ", for certain." } else { ", perhaps." }
        }
        Body::RecallStep(it) => format!(
            "The recall {} is {}: {} answers looked at, {} wrong, {} unsettled.",
            it.recall, it.step, it.looked_at, it.wrong, it.unsettled
        ),
        Body::NoticeAcknowledgement(it) => format!(
            "{} acknowledged the notice {}: {}.",
            who(Some(&it.agency), &it.client, Some(&it.role)),
            it.notice,
            it.action
        ),
        Body::IncidentStep(it) => {
            let mut text = format!("{}: the incident {} ({}) is {}", it.by, it.incident, it.nature, it.to);
            add(&mut text, "risk", it.risk.as_ref());
            add(&mut text, "the Commissioner is notified:", it.notify_commissioner.map(yes_no).as_ref());
            add(&mut text, "the people are told:", it.notify_people.map(yes_no).as_ref());
            add(&mut text, "late because of", it.late_reason.as_ref());
            add(&mut text, "seconded by", it.seconded_by.as_ref());
            format!("{text}, reason {}.", it.reason)
        }
        Body::IncidentLink(it) => match it.of.as_str() {
            "pack" => {
                format!("{} wrote the notice pack of the incident {}; its record is {}.", it.by, it.incident, it.name)
            }
            of => format!("{} linked the incident {} to the {of} {}.", it.by, it.incident, it.name),
        },
        _ => return None,
    })
}

fn rights(body: &Body) -> Option<String> {
    Some(match body {
        Body::NotShared(it) => {
            let by = match (&it.by, &it.client) {
                (Some(by), _) => format!("{by}, for {}", it.agency),
                (None, Some(client)) => who(Some(&it.agency), client, it.role.as_ref()),
                (None, None) => it.agency.to_string(),
            };
            let items: Vec<&str> = it.items.iter().map(super::Code::as_str).collect();
            let (items, asked_by, purpose) = (items.join(", "), &it.asked_by, &it.purpose);
            format!(
                "{by}: decided not to share {items} with {asked_by} for {purpose}, basis {}, reason {}.",
                it.basis, it.reason
            )
        }
        Body::SubjectCase(it) => {
            let mut text = format!(
                "{}: {} in a case of the right {}",
                who(it.agency.as_ref(), &it.client, it.role.as_ref()),
                it.action,
                it.right
            );
            add(&mut text, "number", it.matter.as_ref());
            add(&mut text, "result", it.result.as_ref());
            add(&mut text, "due", it.due.as_ref());
            add(&mut text, "reason", it.reason.as_ref());
            text + "."
        }
        Body::ReidStep(it) => reidentification(it),
        Body::LegalHold(it) => {
            let mut text =
                format!("{}: the freeze {} on deletion was {}, covering {}", it.by, it.hold, it.action, it.covers);
            if let Some(name) = &it.name {
                let _ = write!(text, " {name}");
            }
            format!("{text}, reason {}.", it.reason)
        }
        Body::Deletion(it) => format!(
            "{} deleted {} of {} older than {} months; freezes kept {}.",
            it.by, it.count, it.item, it.months, it.held
        ),
        Body::ShieldReview(it) => format!(
            "{} noted when to look at a record of its own again.",
            who(Some(&it.agency), &it.client, Some(&it.role))
        ),
        _ => return None,
    })
}

fn reidentification(it: &ReidStep) -> String {
    let by = if it.client.as_str() == "gateway" {
        "The gateway".to_owned()
    } else {
        who(Some(&it.agency), &it.client, it.role.as_ref())
    };
    let mut text = format!("{by}: {} in a request to learn who somebody is", it.step);
    add(&mut text, "number", it.request.as_ref());
    add(&mut text, "asking", it.source.as_ref());
    add(&mut text, "for", it.purpose.as_ref());
    add(&mut text, "by the power", it.power.as_ref());
    add(&mut text, "under", it.agreement.as_ref());
    add(&mut text, "handled as", it.handling.as_ref());
    add(&mut text, "reason", it.reason.as_ref());
    add(&mut text, "now", it.to.as_ref());
    text + &came(&it.outcome, "done")
}

/// Adds what an entry may leave out.
fn add(text: &mut String, lead: &str, value: Option<&impl Display>) {
    if let Some(value) = value {
        let _ = write!(text, ", {lead} {value}"); // a String takes every write
    }
}

const fn yes_no(value: YesNo) -> &'static str {
    match value {
        YesNo::Yes => "yes",
        YesNo::No => "no",
    }
}
