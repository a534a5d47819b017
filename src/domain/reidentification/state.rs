//! Where a request is. Each state carries what only it has; nothing but [`State::after`] moves one.

use serde::{Deserialize, Serialize};

use super::binding::Hash32;
use crate::domain::ids::{AgencyCode, EventId, ReasonCode};
use crate::domain::time::Timestamp;

/// How long what was collected may be fetched again, in seconds.
pub const FETCH_AGAIN_SECONDS: i64 = 15 * 60;

/// Where a request is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub enum State {
    /// Officers vote.
    Voting {},
    /// Enough have approved; the entry that says so waits to be under a cosigned checkpoint.
    Authorised {
        /// That entry.
        entry: EventId,
    },
    /// The gateway has certified it; the source may answer.
    Certified {
        /// The entry that it rests on.
        entry: EventId,
        /// The certificate, good for one answer.
        certificate: String,
        /// Until when.
        not_after: Timestamp,
    },
    /// The source has answered; the envelope waits.
    Answered {
        /// The certificate that was used.
        certificate: String,
        /// SHA-256 of the envelope: the only one that there ever is.
        envelope: Hash32,
    },
    /// The requester has fetched the envelope, and may again for a while.
    Collected {
        /// The certificate that was used.
        certificate: String,
        /// SHA-256 of the envelope.
        envelope: Hash32,
        /// Until when.
        until: Timestamp,
    },
    /// The requester fetched it and did not countersign in time: the envelope is gone. A receipt that
    /// comes late still closes the request.
    Lapsed {
        /// The certificate that was used.
        certificate: String,
        /// SHA-256 of the envelope.
        envelope: Hash32,
    },
    /// The requester has countersigned; the envelope is gone.
    Closed {
        /// SHA-256 of the envelope.
        envelope: Hash32,
    },
    /// An officer or the source said no.
    Refused {
        /// Whose officer.
        by: AgencyCode,
        /// Why.
        reason: ReasonCode,
    },
    /// The requester took it back.
    Withdrawn {},
    /// Nobody did what was due in time.
    Expired {},
}

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An approval that is not the last one.
    Approve,
    /// The approval that makes them enough.
    Authorise {
        /// The entry that says so.
        entry: EventId,
    },
    /// An approval was taken back, or an officer's key revoked: there are too few again.
    Reopen,
    /// The certificate is issued, or again after it lapsed unused.
    Certify {
        /// Its id.
        certificate: String,
        /// Until when.
        not_after: Timestamp,
    },
    /// The source answers under a certificate.
    Answer {
        /// Which.
        certificate: String,
        /// SHA-256 of the envelope.
        envelope: Hash32,
    },
    /// The requester fetches the envelope.
    Collect,
    /// The requester countersigns.
    Receive {
        /// What it opened.
        envelope: Hash32,
    },
    /// Somebody says no.
    Refuse {
        /// Whose officer.
        by: AgencyCode,
        /// Why.
        reason: ReasonCode,
    },
    /// The requester takes the request back.
    Withdraw,
    /// Time is up.
    Expire,
}

impl State {
    /// The word in the table, in entries and on the wire.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Voting {} => "voting",
            Self::Authorised { .. } => "authorised",
            Self::Certified { .. } => "certified",
            Self::Answered { .. } => "answered",
            Self::Collected { .. } => "collected",
            Self::Lapsed { .. } => "lapsed",
            Self::Closed { .. } => "closed",
            Self::Refused { .. } => "refused",
            Self::Withdrawn {} => "withdrawn",
            Self::Expired {} => "expired",
        }
    }

    /// Whether nothing can be decided or released any more.
    pub const fn is_end(&self) -> bool {
        matches!(
            self,
            Self::Lapsed { .. } | Self::Closed { .. } | Self::Refused { .. } | Self::Withdrawn {} | Self::Expired {}
        )
    }

    /// Whether the state itself is over, whatever the request's own day: a collected envelope whose
    /// quarter of an hour has passed.
    pub fn has_lapsed(&self, now: Timestamp) -> bool {
        matches!(self, Self::Collected { until, .. } if *until <= now)
    }

    /// Whether the source can still say no, and the requester take it back: until it was fetched.
    const fn can_be_called_off(&self) -> bool {
        matches!(self, Self::Voting {} | Self::Authorised { .. } | Self::Certified { .. } | Self::Answered { .. })
    }

    /// Where an event leads from here; `None` where it may not happen.
    pub fn after(&self, event: Event, now: Timestamp) -> Option<Self> {
        use Event as E;
        Some(match (self, event) {
            (Self::Voting {}, E::Authorise { entry }) => Self::Authorised { entry },
            (Self::Voting {}, E::Approve)
            | (Self::Voting {} | Self::Authorised { .. } | Self::Certified { .. }, E::Reopen) => Self::Voting {},
            (Self::Authorised { entry }, E::Certify { certificate, not_after }) => {
                Self::Certified { entry: *entry, certificate, not_after }
            }
            (Self::Certified { entry, not_after: ended, .. }, E::Certify { certificate, not_after })
                if *ended <= now =>
            {
                Self::Certified { entry: *entry, certificate, not_after }
            }
            (Self::Certified { certificate, not_after, .. }, E::Answer { certificate: used, envelope })
                if *certificate == used && now < *not_after =>
            {
                Self::Answered { certificate: used, envelope }
            }
            (Self::Answered { certificate, envelope }, E::Collect) => Self::Collected {
                certificate: certificate.clone(),
                envelope: *envelope,
                until: now.plus_seconds(FETCH_AGAIN_SECONDS),
            },
            // What was opened was opened: a receipt is taken whenever it comes.
            (Self::Collected { envelope, .. } | Self::Lapsed { envelope, .. }, E::Receive { envelope: opened })
                if *envelope == opened =>
            {
                Self::Closed { envelope: opened }
            }
            (Self::Collected { certificate, envelope, .. }, E::Expire) => {
                Self::Lapsed { certificate: certificate.clone(), envelope: *envelope }
            }
            (from, E::Refuse { by, reason }) if from.can_be_called_off() => Self::Refused { by, reason },
            (from, E::Withdraw) if from.can_be_called_off() => Self::Withdrawn {},
            (from, E::Expire) if !from.is_end() => Self::Expired {},
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(0).plus_seconds(seconds)
    }

    fn states() -> Vec<State> {
        let (entry, envelope) = ("01990000-0000-7000-8000-000000000001".parse().expect("an id"), Hash32::of(b"e"));
        let certificate = || "c".to_owned();
        vec![
            State::Voting {},
            State::Authorised { entry },
            State::Certified { entry, certificate: certificate(), not_after: at(900) },
            State::Answered { certificate: certificate(), envelope },
            State::Collected { certificate: certificate(), envelope, until: at(900) },
            State::Lapsed { certificate: certificate(), envelope },
            State::Closed { envelope },
            State::Refused { by: "education".parse().expect("a code"), reason: "no-ground".parse().expect("a code") },
            State::Withdrawn {},
            State::Expired {},
        ]
    }

    fn events() -> Vec<Event> {
        let (entry, envelope) = ("01990000-0000-7000-8000-000000000001".parse().expect("an id"), Hash32::of(b"e"));
        vec![
            Event::Approve,
            Event::Authorise { entry },
            Event::Reopen,
            Event::Certify { certificate: "d".to_owned(), not_after: at(1800) },
            Event::Answer { certificate: "c".to_owned(), envelope },
            Event::Collect,
            Event::Receive { envelope },
            Event::Refuse { by: "education".parse().expect("a code"), reason: "no-ground".parse().expect("a code") },
            Event::Withdraw,
            Event::Expire,
        ]
    }

    /// Every pair of state and event, and where it leads: `.` is nowhere.
    #[test]
    fn a_request_goes_nowhere_but_where_this_table_says() {
        let table = [
            // approve authorise reopen certify answer collect receive refuse withdraw expire
            ("voting", "voting authorised voting . . . . refused withdrawn expired"),
            ("authorised", ". . voting certified . . . refused withdrawn expired"),
            ("certified", ". . voting . answered . . refused withdrawn expired"),
            ("answered", ". . . . . collected . refused withdrawn expired"),
            ("collected", ". . . . . . closed . . lapsed"),
            ("lapsed", ". . . . . . closed . . ."),
            ("closed", ". . . . . . . . . ."),
            ("refused", ". . . . . . . . . ."),
            ("withdrawn", ". . . . . . . . . ."),
            ("expired", ". . . . . . . . . ."),
        ];
        for (state, (word, row)) in states().iter().zip(table) {
            assert_eq!(state.word(), word);
            for (event, expected) in events().into_iter().zip(row.split(' ')) {
                let label = format!("{word}, {event:?}");
                let next = state.after(event, at(10));
                assert_eq!(next.as_ref().map_or(".", State::word), expected, "{label}");
            }
        }
    }

    #[test]
    fn a_certificate_is_good_for_its_own_answer_in_its_own_time() {
        let certified = &states()[2];
        let answer =
            |certificate: &str| Event::Answer { certificate: certificate.to_owned(), envelope: Hash32::of(b"e") };
        assert!(certified.after(answer("c"), at(899)).is_some());
        assert_eq!(certified.after(answer("c"), at(900)), None);
        assert_eq!(certified.after(answer("another"), at(10)), None);
        let again = Event::Certify { certificate: "d".to_owned(), not_after: at(1800) };
        assert!(certified.after(again, at(900)).is_some(), "one that lapsed unused is issued anew");
    }

    #[test]
    fn what_was_collected_is_open_for_a_quarter_of_an_hour_and_its_receipt_is_taken_later_too() {
        let collected = &states()[4];
        let receive = |envelope: &[u8]| Event::Receive { envelope: Hash32::of(envelope) };
        let lapsed = collected.after(Event::Expire, at(900)).expect("its time is up");
        for state in [collected, &lapsed] {
            assert!(state.after(receive(b"e"), at(10_000)).is_some_and(|state| state.word() == "closed"));
            assert_eq!(state.after(receive(b"another"), at(10)), None);
        }
        assert!(!collected.has_lapsed(at(899)) && collected.has_lapsed(at(900)));
    }

    #[test]
    fn a_state_reads_back_as_written() {
        for state in states() {
            let text = serde_json::to_string(&state).expect("a form");
            assert_eq!(serde_json::from_str::<State>(&text).expect("its own form"), state);
        }
    }
}
