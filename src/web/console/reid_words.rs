//! Requests to learn who somebody is, in plain words.

use super::plain::Tag;
use crate::app::reidentification::view::Part;
use crate::domain::reidentification::state::State;
use crate::domain::reidentification::vote::Choice;
use crate::domain::reidentification::{Field, Handling};

/// Where a request is.
pub(super) const fn state(state: &State) -> Tag {
    let (said, colour) = match state {
        State::Voting {} => ("Waits for approvals", "yellow"),
        State::Authorised { .. } => ("Approved, waits for the log", "blue"),
        State::Certified { .. } => ("Approved, waits for the source", "blue"),
        State::Answered { .. } => ("Answered, waits to be collected", "blue"),
        State::Collected { .. } => ("Collected, waits for the receipt", "blue"),
        State::Lapsed { .. } => ("Collected, no receipt came", "orange"),
        State::Closed { .. } => ("Closed", "green"),
        State::Refused { .. } => ("Refused", "red"),
        State::Withdrawn {} => ("Taken back", "grey"),
        State::Expired {} => ("Expired", "grey"),
    };
    Tag { said, colour }
}

/// What part somebody's agency has.
pub(super) const fn part(part: Part) -> &'static str {
    match part {
        Part::Requester => "Your agency asked",
        Part::Approver => "Your agency’s officers may approve",
        Part::Source => "Your agency is asked about a record of its own",
    }
}

/// What of an identity is asked for.
pub(super) const fn field(field: Field) -> &'static str {
    match field {
        Field::Names => "names",
        Field::DateOfBirth => "date of birth",
        Field::Address => "address",
        Field::Contact => "telephone or e-mail",
        Field::CaseReference => "the source’s number of the case",
    }
}

/// How it is handled.
pub(super) const fn handling(handling: Handling) -> &'static str {
    match handling {
        Handling::Ordinary => "Ordinary: the agreement’s approvers, within three days",
        Handling::Emergency => "Emergency: two signatures, one of them the source’s; reviewed the same day",
    }
}

/// What somebody voted.
pub(super) const fn choice(choice: Choice) -> &'static str {
    match choice {
        Choice::Approve => "approved",
        Choice::Refuse => "refused",
        Choice::Withdraw => "took the approval back",
    }
}

/// What a step of the log was.
pub(super) fn step(word: &str) -> &str {
    match word {
        "request" => "asked",
        "show" => "read the request",
        "approve" => "approved",
        "authorise" => "found the approvals enough",
        "refuse" => "refused",
        "withdraw" => "took it back",
        "reopen" => "opened it for approvals again",
        "certify" => "issued the release certificate",
        "answer" => "answered with a sealed envelope",
        "collect" => "handed the envelope over",
        "receive" => "countersigned the receipt",
        "fault" => "found a fault on its own machine",
        "expire" => "ended it, because its time was up",
        other => other,
    }
}

/// A step of the way that every request takes, and where this one is on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stage {
    pub(super) said: &'static str,
    pub(super) hint: &'static str,
    pub(super) tag: Tag,
}

/// The way of every request, up to where one is.
pub(super) fn track(state: &State) -> Vec<Stage> {
    const WAY: [(&str, &str); 6] = [
        ("Asked", "The data team asked, and it is in the log."),
        ("Approved", "Enough different people signed, one of them at the agency that holds the identity."),
        ("Certified", "The approvals are under a witnessed checkpoint of the log, and the gateway certified them."),
        ("Answered", "The source sealed the identity on its own machine. The gateway cannot open it."),
        ("Collected", "The data team fetched the envelope."),
        ("Closed", "The data team countersigned, and the envelope is gone."),
    ];
    const ENDED: [(&str, &str); 2] = [WAY[0], ("Ended", "Nothing is released under it any more.")];
    let (way, done): (&[_], usize) = match state {
        State::Voting {} => (&WAY, 1),
        State::Authorised { .. } => (&WAY, 2),
        State::Certified { .. } => (&WAY, 3),
        State::Answered { .. } => (&WAY, 4),
        State::Collected { .. } | State::Lapsed { .. } => (&WAY, 5),
        State::Closed { .. } => (&WAY, 6),
        State::Refused { .. } | State::Withdrawn {} | State::Expired {} => (&ENDED, 2),
    };
    let stage = |(at, (said, hint)): (usize, &(&'static str, &'static str))| Stage {
        said,
        hint,
        tag: match at.cmp(&done) {
            std::cmp::Ordering::Less => Tag { said: "Done", colour: "green" },
            std::cmp::Ordering::Equal => Tag { said: "Next", colour: "blue" },
            std::cmp::Ordering::Greater => Tag { said: "Not yet", colour: "grey" },
        },
    };
    way.iter().enumerate().map(stage).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_track_says_what_is_done_and_what_is_next() {
        let tags = |state: State| track(&state).into_iter().map(|stage| stage.tag.said).collect::<Vec<_>>();
        assert_eq!(tags(State::Voting {}), ["Done", "Next", "Not yet", "Not yet", "Not yet", "Not yet"]);
        assert_eq!(tags(State::Withdrawn {}), ["Done", "Done"]);
        let envelope = crate::domain::reidentification::binding::Hash32::of(b"envelope");
        assert!(tags(State::Closed { envelope }).iter().all(|tag| *tag == "Done"));
    }
}
