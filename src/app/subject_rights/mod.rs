//! People use their rights although nobody at the gateway knows their names.
//!
//! The agency that verified who somebody is opens a case with its own references. It gets a case number
//! and, when it asks, its own records and what was disclosed from them. Each other controller that holds records
//! of the person finds its own part in its own queue, without being told who opened the case, and answers
//! with bytes that are sealed to the case's key. Where a shield reaches the person nothing of this goes to
//! anybody's queue: what there is, is sealed to the shield officers, and every case has such a part,
//! padding for most. Whatever there is, the case looks the same to the agency that opened it.
//!
//! None of this asks an agreement: the law gives the right, nobody is shown another's records, and a
//! controller's answer is its own disclosure.
//!
//! | file | journey |
//! |---|---|
//! | `open.rs` | a case is opened, and its parts are found |
//! | `clock.rs` | the time for an answer is extended, stopped, ended |
//! | `data.rs` | an agency reads its own records of a case or part, and what was disclosed from them |
//! | `decide.rs` | what is decided about own records takes effect, and is taken back |
//! | `parts.rs` | a controller's queue and its answers |
//! | `replies.rs` | the agency that opened the case collects the answers |
//! | `complaints.rs` | the register of complaints |
//! | `shielded.rs` | what is for the shield officers |

mod clock;
mod complaints;
mod data;
mod decide;
mod open;
mod parts;
mod replies;
mod reseal;
pub mod shielded;

use serde::{Deserialize, Serialize};

pub use self::complaints::{ComplaintStep, NewComplaintTerms};
pub use self::data::{DisclosureSeen, OwnData, OwnRecordSeen};
pub use self::decide::Verdict;
pub use self::open::NewCase;
pub use self::parts::PartAnswer;
pub use self::replies::{Collected, CollectedReply};

use super::caller::AgencyCaller;
use super::enrol::code;
use super::error::AppError;
use super::gateway::Gateway;
use crate::crypto::random::{random_bytes, uuid_v7};
use crate::crypto::seal;
use crate::domain::ids::{EventId, FeedCode, OpaqueRef, RoleCode, SubjectCaseId, SubjectPartId};
use crate::domain::pair::RecordName;
use crate::domain::subject_case::{Clock, ClockFault, SubjectRight};
use crate::domain::time::Timestamp;
use crate::store::{NewEvent, StoreError, StoredCase, StoredPart};
use crate::tlog::entry::{Body, SubjectCase, SubjectCommitments};

/// Most records of one agency in one case: a person has one in each of its feeds, or two while they are merged.
pub const MOST_RECORDS: usize = 16;
/// What an answer is padded to: every sealed answer has one length.
pub const REPLY_PADDED: usize = 24 * 1024;
/// How long an answer is that was sealed to a case's key.
pub const REPLY_BYTES: usize = REPLY_PADDED + seal::OVERHEAD;
/// What the list of an agency's records is padded to.
const RECORDS_LENGTH: usize = 4096;
/// The sealed opening of the user who acted.
const ACTOR_LENGTH: usize = 96;
/// The sealed opening of the records that were acted on.
const DETAIL_LENGTH: usize = 4096;
/// Where a case's records are sealed.
pub(in crate::app) const CASE_PLACE: (&str, &str) = ("subject_case", "sealed");
/// Where a part's records are sealed.
pub(in crate::app) const PART_PLACE: (&str, &str) = ("subject_part", "sealed");
/// Where an answer without a key is sealed.
pub(in crate::app) const REPLY_PLACE: (&str, &str) = ("subject_part", "reply");

/// Why nothing is done in a case. None of it depends on what others hold.
#[derive(Debug, thiserror::Error)]
pub enum SubjectError {
    /// The caller has no such case, part or complaint.
    #[error("the caller has no such case, part or complaint")]
    Unknown,
    /// One of the caller's own records is not in its feeds.
    #[error("a feed of the caller's shows no such record")]
    Record,
    /// The programme declares no such role.
    #[error("the programme declares no such role")]
    Role,
    /// The number of records.
    #[error("a case has 1 to 16 records of the agency's own")]
    Count,
    /// The words do not go together.
    #[error("the step, outcome and reason do not go together")]
    Words,
    /// An answer has not the length that all have, or there is one where none belongs.
    #[error("an answer is sealed to the case's key at its one length, and goes with `released` alone")]
    Reply,
    /// The key is none that answers can be sealed to.
    #[error("the reply key is not a public sealing key")]
    Key,
    /// It was answered before.
    #[error("the part was answered before")]
    Answered,
    /// The time for an answer.
    #[error(transparent)]
    Clock(#[from] ClockFault),
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// Something failed inside.
    #[error(transparent)]
    App(#[from] AppError),
}

impl From<StoreError> for SubjectError {
    fn from(error: StoreError) -> Self {
        Self::App(error.into())
    }
}

/// Who acts in a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActingUser {
    /// The role of the person who acts.
    pub role: RoleCode,
    /// The agency's own keyed reference of that person.
    pub user: OpaqueRef,
}

/// An agency's own record, as it names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OwnName {
    /// The feed.
    pub feed: FeedCode,
    /// The agency's own reference.
    #[serde(rename = "ref")]
    pub reference: OpaqueRef,
}

/// A case, as the agency that opened it sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseSeen {
    /// The case number.
    pub id: SubjectCaseId,
    /// The right.
    pub right: SubjectRight,
    /// The time for an answer.
    pub clock: Clock,
    /// Whether answers are sealed to a key that only the agency has.
    pub has_reply_key: bool,
    /// Whether the last day is over.
    pub is_overdue: bool,
}

/// A part, as its controller sees it. Nothing says who opened the case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartSeen {
    /// Its number.
    pub id: SubjectPartId,
    /// The right.
    pub right: SubjectRight,
    /// The case's time for an answer.
    pub clock: Clock,
    /// The public key that the answer is sealed to, or nothing.
    pub reply_key: String,
    /// What was decided; empty before.
    pub outcome: String,
    /// Whether the last day is over.
    pub is_overdue: bool,
}

/// Something that was done, with its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done<T> {
    /// What it came to.
    pub value: T,
    /// The log entry.
    pub disclosure: EventId,
    /// When.
    pub at: Timestamp,
    /// Signed promise that the entry is in the log.
    pub receipt: String,
}

/// What somebody acts on: a case that its agency opened, or a part in a controller's queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matter {
    /// A case, by its agency.
    Case(SubjectCaseId),
    /// A part, by its controller.
    Part(SubjectPartId),
}

/// A matter with the records of the caller's own that it is about.
struct OwnMatter {
    number: [u8; 16],
    text: String,
    right: SubjectRight,
    clock: Clock,
    records: Vec<RecordName>,
}

/// What an entry says besides who acts.
#[derive(Default)]
struct Said<'a> {
    action: &'a str,
    reason: Option<&'a str>,
    result: Option<&'a str>,
    due: Option<jiff::civil::Date>,
}

impl Gateway {
    /// The caller's own case or part.
    async fn own_matter(&self, caller: &AgencyCaller, matter: Matter) -> Result<OwnMatter, SubjectError> {
        let (number, text, right, clock, sealed) = match matter {
            Matter::Case(id) => {
                let case = self.own_case(caller, id).await?;
                (
                    *id.as_bytes(),
                    id.to_string(),
                    case.right,
                    case.clock,
                    self.open_records_of(CASE_PLACE, id.as_bytes(), &case.sealed)?,
                )
            }
            Matter::Part(id) => {
                let part = self.own_part(caller, id).await?;
                (
                    *id.as_bytes(),
                    id.to_string(),
                    part.right,
                    part.clock,
                    self.open_records_of(PART_PLACE, id.as_bytes(), &part.sealed)?,
                )
            }
        };
        let name =
            |own: OwnName| RecordName { agency: caller.agency.clone(), feed: own.feed, reference: own.reference };
        Ok(OwnMatter { number, text, right, clock, records: sealed.into_iter().map(name).collect() })
    }

    /// A case's records, by its agency.
    pub(in crate::app) fn records_of_case(&self, case: &StoredCase) -> Result<Vec<RecordName>, AppError> {
        let own = self.open_records_of(CASE_PLACE, case.id.as_bytes(), &case.sealed)?;
        let name = |own: OwnName| RecordName { agency: case.agency.clone(), feed: own.feed, reference: own.reference };
        Ok(own.into_iter().map(name).collect())
    }

    async fn own_case(&self, caller: &AgencyCaller, id: SubjectCaseId) -> Result<StoredCase, SubjectError> {
        let case = self.store().subject_case(id).await?;
        case.filter(|case| case.agency == caller.agency).ok_or(SubjectError::Unknown)
    }

    async fn own_part(&self, caller: &AgencyCaller, id: SubjectPartId) -> Result<StoredPart, SubjectError> {
        let part = self.store().subject_part(id).await?;
        part.filter(|part| part.controller == caller.agency).ok_or(SubjectError::Unknown)
    }

    async fn check_acting(&self, user: &ActingUser) -> Result<(), SubjectError> {
        let policies = self.current_policies().await?;
        policies.programme().role(&user.role).map(drop).ok_or(SubjectError::Role)
    }

    fn seal_records(&self, place: (&str, &str), row: &[u8], records: &[OwnName]) -> Result<Vec<u8>, AppError> {
        let plain = serde_json::to_vec(records).map_err(|_| AppError::Internal("records cannot be written"))?;
        let sealed = self.keys().fields.seal_to_length(self.random(), place.0, place.1, row, &plain, RECORDS_LENGTH);
        sealed.map_err(|_| AppError::Internal("too many records for one case"))
    }

    fn open_records_of(&self, place: (&str, &str), row: &[u8], sealed: &[u8]) -> Result<Vec<OwnName>, AppError> {
        let plain = self.keys().fields.open(place.0, place.1, row, sealed);
        let plain = plain.map_err(|_| StoreError::Corrupt("a case's sealed records do not open"))?;
        Ok(serde_json::from_slice(&plain).map_err(|_| StoreError::Corrupt("a case's records"))?)
    }

    /// The entry of something that was done, on behalf of a user of the caller's. Its openings have one length.
    fn subject_entry(
        &self,
        caller: &AgencyCaller,
        user: &ActingUser,
        (matter, right): (&str, &str),
        said: &Said<'_>,
        records: &[RecordName],
        now: Timestamp,
    ) -> Result<NewEvent, AppError> {
        let id = EventId::new(uuid_v7(now, self.random()));
        let who = user.user.as_str().as_bytes().to_vec();
        let (actor, sealed_actor) = self.commit(id, "actor", who, ACTOR_LENGTH)?;
        let lines: Vec<String> =
            records.iter().map(|name| format!("{}/{}", name.feed, name.reference.as_str())).collect();
        let (detail, sealed_detail) = self.commit(id, "detail", lines.join("\n").into_bytes(), DETAIL_LENGTH)?;
        let body = Body::SubjectCase(Box::new(SubjectCase {
            matter: Some(code(matter)?),
            right: code(right)?,
            action: code(said.action)?,
            agency: Some(caller.agency.clone()),
            client: code(&caller.client)?,
            role: Some(user.role.clone()),
            reason: said.reason.map(code).transpose()?,
            result: said.result.map(code).transpose()?,
            due: said.due.map(|due| code(&due.to_string())).transpose()?,
            commitments: SubjectCommitments { actor, detail },
        }));
        let mut event = self.event_with_id(id, now, body)?;
        event.recipient = Some(caller.agency.to_string());
        event.openings = vec![("actor", sealed_actor), ("detail", sealed_detail)];
        event.records = self.record_uses(records);
        Ok(event)
    }

    fn done<T>(&self, entry: &NewEvent, value: T) -> Result<Done<T>, AppError> {
        let receipt = self.receipt(entry.id, entry.leaf_hash, entry.at)?;
        Ok(Done { value, disclosure: entry.id, at: entry.at, receipt })
    }

    /// A number that tells nothing of when it was given.
    fn random_number(&self) -> uuid::Uuid {
        uuid::Builder::from_random_bytes(random_bytes(self.random())).into_uuid()
    }
}

fn case_seen(case: &StoredCase, now: Timestamp) -> CaseSeen {
    CaseSeen {
        id: case.id,
        right: case.right,
        clock: case.clock,
        has_reply_key: !case.reply_key.is_empty(),
        is_overdue: case.clock.is_overdue(now),
    }
}
