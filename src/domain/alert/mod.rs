//! Alerts: warnings that information-governance officers look into, raised on what was asked and how.
//!
//! | file | what |
//! |---|---|
//! | this one | the kinds of alert, and where an alert is |
//! | [`rules`] | what a day's figures of a client or an agency raise |
//! | [`hours`] | the hours that an agency declared, by the clock on its wall |

pub mod hours;
pub mod rules;

use crate::domain::programme::Relationship;
pub use crate::domain::review::finding::Severity;
use crate::domain::review::kinds::{Listed, is_listed};
use crate::domain::words::words;

/// Entry types of which every single entry raises an alert: somebody's data were read under a right of
/// theirs, a wrong match is recalled, the log is watched otherwise than before.
pub const LISTED: &[Listed] = &[
    ("subject.case", &["opened", "data-read", "collected", "shield-read"]),
    ("recall.open", &[]),
    ("log.witnesses", &[]),
];

/// Relationships with the same consequence, whatever the entry's type.
pub const LISTED_RELATIONSHIPS: &[Relationship] = &[Relationship::Emergency];

/// Whether an entry raises an alert whatever the figures say.
pub fn is_always_told(kind: &str, action: Option<&str>, relationship: Option<&str>) -> bool {
    let has_relationship = |known: &Relationship| relationship == Some(known.as_str());
    is_listed((kind, action), LISTED) || LISTED_RELATIONSHIPS.iter().any(has_relationship)
}

words! {
    /// What an alert is about.
    Kind {
        /// Far more was asked in a day than on earlier days.
        VolumeSpike = "volume_spike",
        /// Few of the people asked about were known: somebody may be guessing.
        LowMatchRate = "low_match_rate",
        /// One person was asked about again and again in a day.
        RepeatOnOnePerson = "repeat_on_one_person",
        /// Something was asked outside the hours that the agency declared.
        OddHours = "odd_hours",
        /// A refusal was followed by an answer about the same person.
        RefusedThenGranted = "refused_then_granted",
        /// Somebody whom nobody has a reason to ask about was asked about.
        DecoyTouched = "decoy_touched",
        /// More people than the day's budget were asked about for the first time.
        NewSubjects = "new_subjects",
        /// An entry of which every single one is told.
        ListedEntry = "listed_entry",
    }
}

impl Kind {
    /// How grave it is until somebody has looked.
    pub const fn severity(self) -> Severity {
        match self {
            Self::DecoyTouched => Severity::High,
            Self::OddHours => Severity::Low,
            _ => Severity::Medium,
        }
    }
}

words! {
    /// Where an alert is.
    State {
        /// Nobody has decided about it.
        Open = "open",
        /// Somebody else decides.
        Escalated = "escalated",
        /// Over.
        Closed = "closed",
    }
}

words! {
    /// What an officer does with an alert.
    Step {
        /// It is dealt with, or was nothing.
        Close = "close",
        /// Somebody else has to decide.
        Escalate = "escalate",
    }
}

impl State {
    /// Where it goes; `None` when that cannot be done with an alert that is here.
    pub const fn after(self, step: Step) -> Option<Self> {
        match (self, step) {
            (Self::Open | Self::Escalated, Step::Close) => Some(Self::Closed),
            (Self::Open, Step::Escalate) => Some(Self::Escalated),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_closed_once_and_escalated_once() {
        let mut found = Vec::new();
        for from in State::ALL {
            for step in Step::ALL {
                found.extend(from.after(*step).map(|to| (from.as_str(), step.as_str(), to.as_str())));
            }
        }
        assert_eq!(
            found,
            [("open", "close", "closed"), ("open", "escalate", "escalated"), ("escalated", "close", "closed")]
        );
    }

    #[test]
    fn an_emergency_and_a_request_of_a_person_are_always_told() {
        assert!(is_always_told("enquiry", None, Some("emergency")) && is_always_told("recall.open", None, None));
        assert!(!is_always_told("enquiry", None, Some("screening")) && !is_always_told("submission", None, None));
        assert!(
            is_always_told("subject.case", Some("opened"), None)
                && !is_always_told("subject.case", Some("decided"), None)
        );
    }
}
