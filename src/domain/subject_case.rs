//! A case of a person's rights: what was asked for, what may come of it, and until when.
//!
//! The agency that verified who the person is opens the case; every controller that holds a part
//! answers for itself. Nobody hears from the gateway whether another part exists.

use jiff::ToSpan as _;
use jiff::civil::Date;

use super::time::Timestamp;
use super::words::words;

/// What every reply in every case says, to everybody.
pub const NEITHER_CONFIRM_NOR_DENY: &str = "This reply neither confirms nor denies that any other organisation holds, shared or restricted information \
     about anybody.";

/// Days within which a complaint has to be acknowledged (Data Protection Act 2018 s.164A, inserted by the
/// Data (Use and Access) Act 2025 s.103).
const ACKNOWLEDGE_DAYS: i64 = 30;
const MICROS_A_DAY: i64 = 86_400_000_000;

words! {
    /// Which right a person uses.
    SubjectRight {
        /// To know what is held and who got it (UK GDPR article 15).
        Access = "access",
        /// That it is not processed any more (article 21).
        Objection = "objection",
        /// That it is kept and not used, while something is settled (article 18).
        Restriction = "restriction",
        /// That it is put right (article 16).
        Rectification = "rectification",
        /// That it is removed (article 17).
        Erasure = "erasure",
        /// That it says that the person disputes it.
        Contested = "contested",
    }
    /// What a controller decides about its own part.
    PartOutcome {
        /// What may be given is in the reply.
        Released = "released",
        /// An exemption covers all of it, or there is nothing: the person is told neither.
        NothingToRelease = "nothing-to-release",
        /// The objection stands.
        Upheld = "upheld",
        /// Compelling grounds override the objection.
        Overridden = "overridden",
        /// The records are kept and not used.
        Restricted = "restricted",
        /// The records are put right with the next delivery.
        Rectified = "rectified",
        /// The records go with the next delivery, and are not used until then.
        Erased = "erased",
        /// The records say that they are disputed.
        Contested = "contested",
        /// Nothing is done, for the reason given.
        Declined = "declined",
    }
    /// What a decision does to a record.
    Effect {
        /// The record contributes to nothing: it is as if it were not held.
        Restricted = "restricted",
        /// What it says of a criterion is `contested`.
        Contested = "contested",
    }
    /// What becomes of the time for an answer.
    ClockStep {
        /// Two months more.
        Extend = "extend",
        /// The clock is stopped until the person has answered.
        Pause = "pause",
        /// It runs again.
        Resume = "resume",
        /// The person has the answer.
        Close = "close",
    }
    /// Why the time for an answer changes.
    ClockReason {
        /// The request is complex.
        Complex = "complex",
        /// The person made many requests.
        Numerous = "numerous",
        /// Who asks has to be shown first.
        Identification = "identification",
        /// What is asked for has to be clear first.
        Clarification = "clarification",
        /// The person answered, or was answered.
        Answered = "answered",
        /// The person took the request back.
        Withdrawn = "withdrawn",
    }
}

impl SubjectRight {
    /// Whether an outcome is one of this right's.
    pub fn takes(self, outcome: PartOutcome) -> bool {
        use PartOutcome::{
            Contested, Declined, Erased, NothingToRelease, Overridden, Rectified, Released, Restricted, Upheld,
        };
        match self {
            Self::Access => matches!(outcome, Released | NothingToRelease),
            Self::Objection => matches!(outcome, Upheld | Overridden | Restricted),
            Self::Restriction => matches!(outcome, Restricted | Declined),
            Self::Rectification => matches!(outcome, Rectified | Restricted | Contested | Declined),
            Self::Erasure => matches!(outcome, Erased | Restricted | Declined),
            Self::Contested => matches!(outcome, Contested | Restricted | Declined),
        }
    }
}

impl PartOutcome {
    /// What it does to the records, at once.
    pub fn effect(self) -> Option<Effect> {
        match self {
            Self::Upheld | Self::Restricted | Self::Erased => Some(Effect::Restricted),
            Self::Contested => Some(Effect::Contested),
            _ => None,
        }
    }
}

impl ClockStep {
    /// Whether a reason goes with the step.
    pub fn takes(self, reason: ClockReason) -> bool {
        use ClockReason::{Answered, Clarification, Complex, Identification, Numerous, Withdrawn};
        match self {
            Self::Extend => matches!(reason, Complex | Numerous),
            Self::Pause => matches!(reason, Identification | Clarification),
            Self::Resume => reason == Answered,
            Self::Close => matches!(reason, Answered | Withdrawn),
        }
    }
}

/// Why the time for an answer stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClockFault {
    /// The case is closed.
    #[error("the case is closed")]
    Closed,
    /// There is one extension.
    #[error("the time was extended before")]
    Extended,
    /// An extension has to be told within the first month.
    #[error("the time is over: an extension has to be told within the first month")]
    Overdue,
    /// It stands already.
    #[error("the clock is stopped already")]
    Paused,
    /// It runs already.
    #[error("the clock runs")]
    Running,
}

/// The time for an answer: one month, two more where that is told in time, none while the clock stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// When the case was opened.
    pub opened_at: Timestamp,
    /// Two months were added.
    pub is_extended: bool,
    /// Since when it stands.
    pub paused_at: Option<Timestamp>,
    /// How long it stood before, in microseconds.
    pub paused_for: i64,
    /// When the case was closed.
    pub closed_at: Option<Timestamp>,
}

impl Clock {
    /// A clock that begins to run.
    pub fn begin(now: Timestamp) -> Self {
        Self { opened_at: now, is_extended: false, paused_at: None, paused_for: 0, closed_at: None }
    }

    /// Takes a step.
    ///
    /// # Errors
    ///
    /// [`ClockFault`] when the step does not fit.
    pub fn after(mut self, step: ClockStep, now: Timestamp) -> Result<Self, ClockFault> {
        if self.closed_at.is_some() {
            return Err(ClockFault::Closed);
        }
        match (step, self.paused_at) {
            (ClockStep::Extend, _) if self.is_extended => return Err(ClockFault::Extended),
            (ClockStep::Extend, _) if self.is_overdue(now) => return Err(ClockFault::Overdue),
            (ClockStep::Extend, _) => self.is_extended = true,
            (ClockStep::Pause, Some(_)) => return Err(ClockFault::Paused),
            (ClockStep::Pause, None) => self.paused_at = Some(now),
            (ClockStep::Resume, None) => return Err(ClockFault::Running),
            (ClockStep::Resume, Some(since)) => {
                self.paused_for += (now.as_micros() - since.as_micros()).max(0);
                self.paused_at = None;
            }
            (ClockStep::Close, _) => self.closed_at = Some(now),
        }
        Ok(self)
    }

    /// The last day for an answer; `None` while the clock stands, and once the case is closed.
    ///
    /// A month ends on the day of the same number, or on the last day of a shorter month. Time for which the
    /// clock stood is added in whole days.
    pub fn due_on(&self) -> Option<Date> {
        if self.paused_at.is_some() || self.closed_at.is_some() {
            return None;
        }
        let months: i64 = if self.is_extended { 3 } else { 1 };
        let stood = self.paused_for.div_euclid(MICROS_A_DAY) + i64::from(self.paused_for % MICROS_A_DAY > 0);
        let due = self.opened_at.date().checked_add(months.months()).unwrap_or(Date::MAX);
        Some(due.checked_add(stood.days()).unwrap_or(Date::MAX))
    }

    /// Whether the last day is over.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.due_on().is_some_and(|due| now.date() > due)
    }

    /// `open`, `paused` or `closed`.
    pub fn state(&self) -> &'static str {
        match (self.closed_at, self.paused_at) {
            (Some(_), _) => "closed",
            (None, Some(_)) => "paused",
            (None, None) => "open",
        }
    }
}

/// The last day on which a complaint that came in may be acknowledged.
pub fn acknowledge_by(received: Timestamp) -> Date {
    received.date().checked_add(ACKNOWLEDGE_DAYS.days()).unwrap_or(Date::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn due(clock: &Clock) -> String {
        clock.due_on().expect("it runs").to_string()
    }

    #[test]
    fn an_answer_is_due_within_a_month_and_within_three_when_that_was_told_in_time() {
        for (opened, month, three) in [
            ("2026-01-31T09:00:00Z", "2026-02-28", "2026-04-30"),
            ("2026-09-20T23:59:59Z", "2026-10-20", "2026-12-20"),
            ("2027-12-31T00:00:00Z", "2028-01-31", "2028-03-31"),
        ] {
            let clock = Clock::begin(at(opened));
            assert_eq!(due(&clock), month);
            let last_day = Timestamp::start_of(month.parse().expect("a day"));
            assert!(!clock.is_overdue(last_day.plus_seconds(86_399)), "{opened}: the whole of the last day counts");
            assert!(clock.is_overdue(last_day.plus_seconds(86_400)));
            let extended = clock.after(ClockStep::Extend, last_day).expect("in time");
            assert_eq!(due(&extended), three);
            assert_eq!(extended.after(ClockStep::Extend, last_day), Err(ClockFault::Extended));
            assert_eq!(clock.after(ClockStep::Extend, last_day.plus_seconds(86_400)), Err(ClockFault::Overdue));
        }
    }

    #[test]
    fn a_stopped_clock_has_no_last_day_and_the_time_for_which_it_stood_is_added() {
        let clock = Clock::begin(at("2026-09-01T12:00:00Z"));
        let paused = clock.after(ClockStep::Pause, at("2026-09-03T12:00:00Z")).expect("it runs");
        assert_eq!((paused.due_on(), paused.state()), (None, "paused"));
        assert!(!paused.is_overdue(at("2027-09-01T12:00:00Z")));
        assert_eq!(paused.after(ClockStep::Pause, at("2026-09-04T12:00:00Z")), Err(ClockFault::Paused));
        let resumed = paused.after(ClockStep::Resume, at("2026-09-05T12:00:01Z")).expect("it stands");
        assert_eq!(due(&resumed), "2026-10-04", "two days and a second are three days");
        assert_eq!(resumed.after(ClockStep::Resume, at("2026-09-06T12:00:00Z")), Err(ClockFault::Running));
        let closed = paused.after(ClockStep::Close, at("2026-09-06T12:00:00Z")).expect("open");
        assert_eq!((closed.due_on(), closed.state()), (None, "closed"));
        for step in ClockStep::ALL {
            assert_eq!(closed.after(*step, at("2026-09-07T12:00:00Z")), Err(ClockFault::Closed), "{step}");
        }
    }

    #[test]
    fn words_read_back_and_every_right_can_be_granted_and_refused() {
        for right in SubjectRight::ALL {
            assert_eq!(right.as_str().parse(), Ok(*right));
            let taken: Vec<_> = PartOutcome::ALL.iter().filter(|outcome| right.takes(**outcome)).collect();
            assert!(taken.len() >= 2, "{right}: {taken:?}");
            let acts = taken.iter().any(|outcome| outcome.effect().is_some());
            assert_eq!(acts, *right != SubjectRight::Access, "{right}");
        }
        for step in ClockStep::ALL {
            assert!(ClockReason::ALL.iter().any(|reason| step.takes(*reason)), "{step}");
        }
        assert!("forget".parse::<SubjectRight>().is_err());
    }

    #[test]
    fn a_complaint_is_acknowledged_within_thirty_days() {
        assert_eq!(acknowledge_by(at("2026-09-20T10:00:00Z")).to_string(), "2026-10-20");
        assert_eq!(acknowledge_by(at("2026-01-31T10:00:00Z")).to_string(), "2026-03-02");
    }
}
