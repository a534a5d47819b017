//! An officer's vote: a signature over the request's hash, with what is voted, by whom and when, so
//! that an approval can be taken for nothing else.

use serde::{Deserialize, Serialize};

use super::binding::{Hash32, Message};
use crate::domain::ids::{AgencyCode, OpaqueRef, ReasonCode};
use crate::domain::labels;
use crate::domain::time::Timestamp;

/// How old a signature may be when it arrives, in seconds: the officer has just signed in.
pub const FRESH_SECONDS: i64 = 300;
/// How far ahead of the gateway's an officer's clock may be, in seconds.
pub const AHEAD_SECONDS: i64 = 30;

/// What is voted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// It may be released.
    Approve,
    /// It may not; one such vote ends the request.
    Refuse,
    /// An approval is taken back.
    Withdraw,
}

impl Choice {
    /// The word that is signed and logged.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Refuse => "refuse",
            Self::Withdraw => "withdraw",
        }
    }
}

/// A signed vote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Vote {
    /// The officer's agency.
    #[schema(value_type = String)]
    pub agency: AgencyCode,
    /// When it was signed, by the officer's own clock.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What is voted.
    pub choice: Choice,
    /// Which enrolled key signed.
    pub key_id: String,
    /// The agency's own keyed reference of the officer.
    #[schema(value_type = String)]
    pub person: OpaqueRef,
    /// Why, where it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub reason: Option<ReasonCode>,
    /// At the source: the record that it saw, bound to the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub record: Option<Hash32>,
    /// Ed25519, base64url.
    pub signature: String,
}

impl Vote {
    /// The bytes that are signed.
    pub fn signed_bytes(&self, request: &Hash32) -> Vec<u8> {
        Message::new(labels::REID_VOTE)
            .hash(request)
            .lp(self.choice.as_str().as_bytes())
            .lp(self.key_id.as_bytes())
            .lp(self.agency.as_str().as_bytes())
            .lp(self.person.as_str().as_bytes())
            .time(self.at)
            .lp(self.reason.as_ref().map_or("", ReasonCode::as_str).as_bytes())
            .maybe_hash(self.record.as_ref())
            .finish()
    }

    /// Whether the officer signed just now.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.at >= now.plus_seconds(-FRESH_SECONDS) && self.at <= now.plus_seconds(AHEAD_SECONDS)
    }

    /// Whether two votes are one person's.
    pub fn is_of_same_person(&self, other: &Self) -> bool {
        (&self.agency, &self.person) == (&other.agency, &other.person)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vote() -> Vote {
        Vote {
            agency: "education".parse().expect("a code"),
            at: "2026-11-21T10:00:00Z".parse().expect("a time"),
            choice: Choice::Approve,
            key_id: "reid-0".to_owned(),
            person: OpaqueRef::parse("AAAAAAAAAAAAAAAAAAAAAA").expect("22 characters"),
            reason: None,
            record: None,
            signature: String::new(),
        }
    }

    #[test]
    fn nothing_of_a_vote_can_change_without_its_bytes_changing() {
        let request = Hash32::of(b"request");
        let changes: [fn(&mut Vote); 7] = [
            |it| it.choice = Choice::Withdraw,
            |it| it.key_id.push('1'),
            |it| it.agency = "housing".parse().expect("a code"),
            |it| it.person = OpaqueRef::parse("AAAAAAAAAAAAAAAAAAAAAQ").expect("22 characters"),
            |it| it.at = it.at.plus_seconds(1),
            |it| it.reason = Some("no-ground".parse().expect("a code")),
            |it| it.record = Some(Hash32::of(b"record")),
        ];
        let mut seen = std::collections::BTreeSet::from([vote().signed_bytes(&request)]);
        assert!(seen.insert(vote().signed_bytes(&Hash32::of(b"another"))));
        for change in changes {
            let mut vote = vote();
            change(&mut vote);
            assert!(seen.insert(vote.signed_bytes(&request)));
        }
    }

    #[test]
    fn a_vote_is_fresh_for_five_minutes() {
        let at = vote().at;
        for (seconds, fresh) in [(-31, false), (-30, true), (0, true), (300, true), (301, false)] {
            assert_eq!(vote().is_fresh(at.plus_seconds(seconds)), fresh, "{seconds}");
        }
    }
}
