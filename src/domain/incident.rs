//! The record of an incident, and the steps that it can take.
//!
//! A breach that is likely to result in a risk to people is notified to the Information Commissioner
//! within 72 hours of the controller becoming aware of it, or later with the reasons for the delay; a
//! high risk is told to the people as well. The clock starts with awareness and nothing stops it:
//! neither the law nor this record knows a pause. Source: UK GDPR, Articles 33 and 34.
//!
//! Everything here is codes and numbers. Who is concerned is known to the agencies alone.

use serde::{Deserialize, Serialize};

use super::time::Timestamp;
use super::words::words;

/// How long the controller has, in seconds.
pub const CLOCK_SECONDS: i64 = 72 * 3600;

words! {
    /// What kind of incident.
    Nature {
        /// Two people were taken for one, and somebody was told so.
        WrongMatch = "wrong-match",
        /// Something was told to somebody who may not hear it.
        WrongDisclosure = "wrong-disclosure",
        /// A flag or a delivery was wrong.
        WrongData = "wrong-data",
        /// A key or certificate may be in wrong hands.
        KeyExposed = "key-exposed",
        /// Somebody used the system for what it is not for.
        Misuse = "misuse",
        /// Data were lost, or could not be reached.
        Unavailable = "unavailable",
        /// Something else.
        Other = "other",
    }
    /// The risk to the rights and freedoms of people.
    Risk {
        /// A risk is unlikely.
        None = "none",
        /// A risk is likely: the Commissioner is to be notified.
        Risk = "risk",
        /// A high risk is likely: the people are to be told as well.
        HighRisk = "high_risk",
    }
}

/// Why a step cannot be taken. Never carries what was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IncidentError {
    /// Not one of the words for this place.
    #[error("not one of the words that are allowed here")]
    Word,
    /// The controller cannot become aware in the future.
    #[error("the moment of awareness lies in the future [incident.future]")]
    Future,
    /// The incident is not where this step begins.
    #[error("the incident is not in a state from which this step can be taken [incident.state]")]
    State,
    /// The same account twice.
    #[error("the second person is the first: a decision needs two [incident.second_person]")]
    SecondPerson,
    /// Notified after 72 hours without saying why.
    #[error("72 hours have passed: say why the notification is late [incident.late_reason]")]
    LateReason,
    /// A reason for lateness where nothing is late.
    #[error("nothing is late: no reason for lateness is taken [incident.not_late]")]
    NotLate,
    /// A high risk is told to people unless a reason of the law stands in the way.
    #[error("the risk is high: tell the people, or name the ground of Article 34(3) [incident.people]")]
    People,
    /// A risk is notified.
    #[error("a risk was assessed: the Commissioner has to be notified [incident.commissioner]")]
    Commissioner,
}

/// Why people at high risk need not be told one by one.
pub const GROUNDS_NOT_TO_TELL: [&str; 3] = ["art34-3-a", "art34-3-b", "art34-3-c"];

/// A risk assessment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assessment {
    /// When.
    pub at: Timestamp,
    /// By which account.
    pub by: String,
    /// What it came to.
    pub risk: Risk,
    /// About how many people are concerned.
    pub people: u64,
    /// About how many records.
    pub records: u64,
    /// What may follow for people: codes such as `address-known-to-perpetrator`.
    pub consequences: Vec<String>,
    /// What was done: codes such as `pair-parted` or `recipients-told`.
    pub measures: Vec<String>,
    /// Why this risk.
    pub reason: String,
}

/// Who is notified, decided by two people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// When.
    pub at: Timestamp,
    /// By which account.
    pub by: String,
    /// The other account.
    pub seconded_by: String,
    /// Whether the Commissioner is notified.
    pub notify_commissioner: bool,
    /// Whether the people are told.
    pub notify_people: bool,
    /// Why; a decision not to notify has one like any other.
    pub reason: String,
    /// Why it comes later than 72 hours after awareness.
    pub late_reason: Option<String>,
}

/// The end of an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Closing {
    /// When.
    pub at: Timestamp,
    /// By which account.
    pub by: String,
    /// Why: what was learned, or that nothing is left to do.
    pub reason: String,
}

/// Where an incident is; each state has what only it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum State {
    /// Recorded, not assessed.
    Open,
    /// Assessed, not decided.
    Assessed {
        /// The newest assessment.
        assessment: Assessment,
    },
    /// Decided.
    Decided {
        /// The assessment that was decided on.
        assessment: Assessment,
        /// Who is notified.
        decision: Decision,
    },
    /// Nothing is left to do.
    Closed {
        /// The assessment that was decided on.
        assessment: Assessment,
        /// Who is notified.
        decision: Decision,
        /// How it ended.
        closing: Closing,
    },
}

impl State {
    /// The word in database, log and output.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Assessed { .. } => "assessed",
            Self::Decided { .. } => "decided",
            Self::Closed { .. } => "closed",
        }
    }
}

/// Everything that is recorded of an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Incident {
    /// When it was recorded.
    pub opened_at: Timestamp,
    /// When the controller became aware.
    pub aware_at: Timestamp,
    /// By which account it was recorded.
    pub opened_by: String,
    /// What kind.
    pub nature: Nature,
    /// Why it is an incident, a code.
    pub reason: String,
    /// Where it is.
    pub state: State,
    /// Assessments and decisions that a later assessment replaced, oldest first.
    pub replaced: Vec<State>,
}

impl Incident {
    /// Records an incident.
    ///
    /// # Errors
    ///
    /// [`IncidentError::Future`].
    pub fn open(
        now: Timestamp,
        aware_at: Timestamp,
        by: &str,
        nature: Nature,
        reason: &str,
    ) -> Result<Self, IncidentError> {
        if aware_at > now {
            return Err(IncidentError::Future);
        }
        let (opened_by, reason) = (by.to_owned(), reason.to_owned());
        Ok(Self { opened_at: now, aware_at, opened_by, nature, reason, state: State::Open, replaced: Vec::new() })
    }

    /// Takes an assessment, the first or a new one. A decision that was made on an older one no longer
    /// holds, and stays in the record.
    ///
    /// # Errors
    ///
    /// [`IncidentError::State`] once it is closed.
    pub fn assess(&mut self, assessment: Assessment) -> Result<(), IncidentError> {
        if matches!(self.state, State::Closed { .. }) {
            return Err(IncidentError::State);
        }
        let before = std::mem::replace(&mut self.state, State::Assessed { assessment });
        if before != State::Open {
            self.replaced.push(before);
        }
        Ok(())
    }

    /// Takes the decision who is notified.
    ///
    /// # Errors
    ///
    /// [`IncidentError`]: not assessed, one person alone, late without a reason, or against the risk.
    pub fn decide(&mut self, decision: Decision) -> Result<(), IncidentError> {
        let State::Assessed { assessment } = &self.state else { return Err(IncidentError::State) };
        if decision.by == decision.seconded_by {
            return Err(IncidentError::SecondPerson);
        }
        if assessment.risk != Risk::None && !decision.notify_commissioner {
            return Err(IncidentError::Commissioner);
        }
        if assessment.risk == Risk::HighRisk
            && !decision.notify_people
            && !GROUNDS_NOT_TO_TELL.contains(&decision.reason.as_str())
        {
            return Err(IncidentError::People);
        }
        let is_late = decision.notify_commissioner && self.remaining_seconds(decision.at) < 0;
        match (is_late, decision.late_reason.is_some()) {
            (true, false) => return Err(IncidentError::LateReason),
            (false, true) => return Err(IncidentError::NotLate),
            _ => {}
        }
        self.state = State::Decided { assessment: assessment.clone(), decision };
        Ok(())
    }

    /// Closes it.
    ///
    /// # Errors
    ///
    /// [`IncidentError::State`] unless it is decided.
    pub fn close(&mut self, closing: Closing) -> Result<(), IncidentError> {
        let State::Decided { assessment, decision } = &self.state else { return Err(IncidentError::State) };
        self.state = State::Closed { assessment: assessment.clone(), decision: decision.clone(), closing };
        Ok(())
    }

    /// How much of the 72 hours is left, in seconds; below zero once they are over. Nothing stops it.
    pub fn remaining_seconds(&self, now: Timestamp) -> i64 {
        self.aware_at.plus_seconds(CLOCK_SECONDS).as_seconds() - now.as_seconds()
    }

    /// Whether the Commissioner may still have to be told.
    pub fn is_clock_running(&self) -> bool {
        matches!(self.state, State::Open | State::Assessed { .. })
    }

    /// The newest assessment.
    pub fn assessment(&self) -> Option<&Assessment> {
        match &self.state {
            State::Open => None,
            State::Assessed { assessment } | State::Decided { assessment, .. } | State::Closed { assessment, .. } => {
                Some(assessment)
            }
        }
    }

    /// The decision that holds.
    pub fn decision(&self) -> Option<&Decision> {
        match &self.state {
            State::Decided { decision, .. } | State::Closed { decision, .. } => Some(decision),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AWARE: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

    fn after(hours: i64) -> Timestamp {
        AWARE.plus_seconds(hours * 3600)
    }

    fn open() -> Incident {
        Incident::open(after(2), AWARE, "ig-1", Nature::WrongMatch, "recall").expect("not in the future")
    }

    fn assessed(risk: Risk) -> Incident {
        let mut incident = open();
        incident.assess(assessment(risk)).expect("it is open");
        incident
    }

    fn assessment(risk: Risk) -> Assessment {
        Assessment {
            at: after(3),
            by: "ig-1".to_owned(),
            risk,
            people: 2,
            records: 2,
            consequences: vec!["wrong-support".to_owned()],
            measures: vec!["pair-parted".to_owned()],
            reason: "limited-harm".to_owned(),
        }
    }

    fn decision(hours: i64, commissioner: bool, people: bool) -> Decision {
        Decision {
            at: after(hours),
            by: "dpo-1".to_owned(),
            seconded_by: "siro-1".to_owned(),
            notify_commissioner: commissioner,
            notify_people: people,
            reason: "duty".to_owned(),
            late_reason: None,
        }
    }

    #[test]
    fn the_clock_runs_from_awareness_and_goes_below_zero() {
        let incident = open();
        assert_eq!(incident.remaining_seconds(after(2)), 70 * 3600);
        assert_eq!(incident.remaining_seconds(after(73)), -3600);
        assert_eq!(Incident::open(after(0), after(1), "ig-1", Nature::Other, "x"), Err(IncidentError::Future));
    }

    #[test]
    fn a_decision_needs_two_people_and_an_assessment() {
        assert_eq!(open().decide(decision(4, true, false)), Err(IncidentError::State));
        let mut alone = decision(4, true, false);
        alone.seconded_by.clone_from(&alone.by);
        assert_eq!(assessed(Risk::Risk).decide(alone), Err(IncidentError::SecondPerson));
        assert!(assessed(Risk::Risk).decide(decision(4, true, false)).is_ok());
    }

    #[test]
    fn the_risk_binds_the_decision() {
        assert_eq!(assessed(Risk::Risk).decide(decision(4, false, false)), Err(IncidentError::Commissioner));
        assert!(assessed(Risk::None).decide(decision(4, false, false)).is_ok());
        assert_eq!(assessed(Risk::HighRisk).decide(decision(4, true, false)), Err(IncidentError::People));
        let ground = Decision { reason: "art34-3-a".to_owned(), ..decision(4, true, false) };
        assert!(assessed(Risk::HighRisk).decide(ground).is_ok());
        assert!(assessed(Risk::HighRisk).decide(decision(4, true, true)).is_ok());
    }

    #[test]
    fn a_late_notification_says_why_and_an_early_one_does_not() {
        assert_eq!(assessed(Risk::Risk).decide(decision(80, true, false)), Err(IncidentError::LateReason));
        let reasons = |hours| Decision { late_reason: Some("found-late".to_owned()), ..decision(hours, true, false) };
        assert!(assessed(Risk::Risk).decide(reasons(80)).is_ok());
        assert_eq!(assessed(Risk::Risk).decide(reasons(8)), Err(IncidentError::NotLate));
        assert!(assessed(Risk::None).decide(decision(80, false, false)).is_ok(), "nothing is notified late");
    }

    #[test]
    fn a_new_assessment_ends_the_decision_and_keeps_it_in_the_record() {
        let mut incident = assessed(Risk::None);
        incident.decide(decision(4, false, false)).expect("no risk");
        incident.assess(assessment(Risk::Risk)).expect("not closed");
        assert!(incident.is_clock_running() && incident.decision().is_none());
        assert_eq!(incident.replaced.len(), 1);
        let closing = || Closing { at: after(6), by: "ig-1".to_owned(), reason: "done".to_owned() };
        assert_eq!(incident.close(closing()), Err(IncidentError::State));
        incident.decide(decision(5, true, false)).expect("a risk is notified");
        incident.close(closing()).expect("decided");
        assert_eq!(incident.assess(assessment(Risk::None)), Err(IncidentError::State));
        let text = serde_json::to_string(&incident).expect("plain data");
        assert_eq!(serde_json::from_str::<Incident>(&text).expect("reads back"), incident);
    }
}
