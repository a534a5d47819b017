//! Notices: what an agency has to know about answers that it received.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::ids::{EventId, OpaqueRef, RecallId};
use super::tfid::Tfid;
use super::time::Timestamp;

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoticeKind {
    /// An answer that the agency received rested on a match or delivery that was wrong.
    AnswerWrong,
    /// A family of the programme has records of different people.
    FamilyAttention,
}

impl NoticeKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::AnswerWrong, Self::FamilyAttention];

    /// The word in database and API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AnswerWrong => "answer_wrong",
            Self::FamilyAttention => "family_attention",
        }
    }
}

impl fmt::Display for NoticeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is no kind of notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a kind of notice")]
pub struct NoticeKindError;

impl FromStr for NoticeKind {
    type Err = NoticeKindError;
    fn from_str(text: &str) -> Result<Self, NoticeKindError> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(NoticeKindError)
    }
}

/// What a notice says. It names nothing that its reader was not given before: the reader's own entry,
/// the reader's own case, a family's number that the reader issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum NoticeBody {
    /// An answer was wrong.
    AnswerWrong {
        /// The recall that found it.
        recall: RecallId,
        /// The log entry of the answer.
        entry: EventId,
        /// When it was given.
        answered_at: Timestamp,
        /// The reader's own reference of the case that it was given for, where the entry has one.
        case: Option<OpaqueRef>,
        /// In which form it was asked: a mode, `engagement`, `claim`, `family` or `match-run`.
        form: String,
        /// Whether it would certainly have been another answer; false where the records of that day
        /// can no longer be told apart.
        certain: bool,
    },
    /// A family has records of different people.
    FamilyAttention {
        /// The recall that found it.
        recall: RecallId,
        /// The family's number.
        tfid: Tfid,
    },
}

impl NoticeBody {
    /// Which kind of notice says this.
    pub fn kind(&self) -> NoticeKind {
        match self {
            Self::AnswerWrong { .. } => NoticeKind::AnswerWrong,
            Self::FamilyAttention { .. } => NoticeKind::FamilyAttention,
        }
    }

    /// The log entry of the answer that it is about.
    pub fn entry(&self) -> Option<EventId> {
        match self {
            Self::AnswerWrong { entry, .. } => Some(*entry),
            Self::FamilyAttention { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_read_back_and_nothing_else_is_one() {
        for kind in NoticeKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert_eq!("gossip".parse::<NoticeKind>(), Err(NoticeKindError));
    }

    #[test]
    fn a_body_reads_back_as_written_and_knows_its_kind() {
        let body = NoticeBody::AnswerWrong {
            recall: RecallId::from_slice(&[1; 16]).expect("16 bytes"),
            entry: EventId::from_slice(&[2; 16]).expect("16 bytes"),
            answered_at: Timestamp::from_micros(5),
            case: OpaqueRef::parse("AAAAAAAAAAAAAAAAAAAAAA").ok(),
            form: "areas".to_owned(),
            certain: true,
        };
        let text = serde_json::to_string(&body).expect("plain data");
        assert_eq!(serde_json::from_str::<NoticeBody>(&text).expect("reads back"), body);
        assert_eq!((body.kind(), body.entry()), (NoticeKind::AnswerWrong, EventId::from_slice(&[2; 16]).ok()));
    }
}
