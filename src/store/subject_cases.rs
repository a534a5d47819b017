//! Cases of people's rights, the parts of source controllers, marks on records, and complaints.

use super::statements::{ListStatement, statements};
use super::value::{Row, Value, values};
use super::{Store, StoreError, Tx};
use crate::domain::ids::{
    AgencyCode, ComplaintId, EventId, FeedCode, OpaqueRef, ProgrammeCode, SubjectCaseId, SubjectPartId,
};
use crate::domain::pair::RecordName;
use crate::domain::subject_case::{Clock, Effect, SubjectRight};
use crate::domain::time::Timestamp;

/// Every visible record of these components, shielded ones included.
pub(super) static OF_COMPONENTS: ListStatement = ListStatement::new(
    "SELECT record.agency, record.feed, record.reference, record.restricted, link.component, link.person, link.shielded
     FROM link
     JOIN record ON record.id = link.record
     JOIN submission ON submission.id = record.submission
     WHERE link.visible_from <= $1 AND link.visible_to + 0 > $1
       AND submission.visible_from <= $1 AND submission.visible_to > $1
       AND link.component IN ({list})
     ORDER BY record.agency, record.feed, record.reference",
    1,
);

macro_rules! case {
    ($condition:literal) => {
        concat!(
            "SELECT id, agency, kind, opened_at, extended, paused_at, paused_for, closed_at, reply_key, request_hash,
                    sealed, shield, event FROM subject_case WHERE ",
            $condition
        )
    };
}

macro_rules! part {
    ($condition:literal) => {
        concat!(
            "SELECT subject_part.id, subject_part.controller, subject_part.sealed, subject_part.state,
                    subject_part.outcome, subject_part.answered_at, subject_part.reply, subject_part.event,
                    subject_case.id, subject_case.kind, subject_case.opened_at, subject_case.extended,
                    subject_case.paused_at, subject_case.paused_for, subject_case.closed_at, subject_case.reply_key
             FROM subject_part JOIN subject_case ON subject_case.id = subject_part.subject_case WHERE ",
            $condition
        )
    };
}

macro_rules! complaint {
    ($condition:literal) => {
        concat!(
            "SELECT id, agency, about, subject_case, received_at, acknowledged_at, closed_at, outcome
             FROM subject_complaint WHERE ",
            $condition
        )
    };
}

statements! {
    ADD_CASE = "INSERT INTO subject_case (id, programme, agency, kind, opened_at, extended, paused_at, paused_for,
                                          closed_at, reply_key, request_tag, request_hash, sealed, shield, event)
                VALUES ($1, $2, $3, $4, $5, 0, 0, 0, 0, $6, $7, $8, $9, $10, $11)
                ON CONFLICT (agency, request_tag) DO NOTHING";
    CASE = case!("id = $1");
    CASE_OF_REQUEST = case!("agency = $1 AND request_tag = $2");
    CASES_OF = case!("programme = $1 AND agency = $2 ORDER BY opened_at, id");
    CASES = case!("programme = $1 ORDER BY opened_at, id");
    CASES_CLOSED = case!("programme = $1 AND closed_at > 0 AND closed_at < $2 ORDER BY id");
    /// A step is taken from where the case was, or not at all.
    SET_CLOCK = "UPDATE subject_case SET extended = $2, paused_at = $3, paused_for = $4, closed_at = $5
                 WHERE id = $1 AND extended = $6 AND paused_at = $7 AND paused_for = $8 AND closed_at = $9";
    DROP_PARTS = "DELETE FROM subject_part WHERE subject_case = $1";
    DROP_CASE = "DELETE FROM subject_case WHERE id = $1";
    ADD_PART = "INSERT INTO subject_part (id, subject_case, controller, sealed, state, outcome, answered_at)
                VALUES ($1, $2, $3, $4, 'waiting', '', 0)";
    PART = part!("subject_part.id = $1");
    PARTS_OF = part!("subject_case.programme = $1 AND subject_part.controller = $2 AND subject_case.closed_at = 0
                      ORDER BY subject_case.opened_at, subject_part.id");
    PARTS_OF_CASE = part!("subject_part.subject_case = $1 ORDER BY subject_part.answered_at, subject_part.id");
    ANSWER_PART = "UPDATE subject_part SET state = 'answered', outcome = $2, answered_at = $3, reply = $4, event = $5
                   WHERE id = $1 AND state = 'waiting'";
    ADD_MARK = "INSERT INTO record_hold (programme, agency, feed, reference, effect, criterion, subject_case, since)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                ON CONFLICT (programme, agency, feed, reference, effect, criterion) DO NOTHING";
    DROP_MARKS = "DELETE FROM record_hold WHERE programme = $1 AND agency = $2 AND feed = $3 AND reference = $4
                  AND subject_case = $5";
    MARKS = "SELECT agency, feed, reference, effect, criterion, subject_case FROM record_hold WHERE programme = $1
             ORDER BY agency, feed, reference, effect, criterion";
    ADD_COMPLAINT = "INSERT INTO subject_complaint (id, programme, agency, about, subject_case, received_at,
                                                    acknowledged_at, closed_at, outcome, request_tag)
                     VALUES ($1, $2, $3, $4, $5, $6, 0, 0, '', $7)
                     ON CONFLICT (agency, request_tag) DO NOTHING";
    COMPLAINT = complaint!("id = $1");
    COMPLAINT_OF_REQUEST = complaint!("agency = $1 AND request_tag = $2");
    COMPLAINTS_OF = complaint!("programme = $1 AND agency = $2 ORDER BY received_at, id");
    COMPLAINTS = complaint!("programme = $1 ORDER BY received_at, id");
    COMPLAINTS_CLOSED = complaint!("programme = $1 AND closed_at > 0 AND closed_at < $2 ORDER BY id");
    STEP_COMPLAINT = "UPDATE subject_complaint SET acknowledged_at = $2, closed_at = $3, outcome = $4
                      WHERE id = $1 AND closed_at = 0";
    DROP_COMPLAINT = "DELETE FROM subject_complaint WHERE id = $1";
    SEALED = "SELECT id, sealed FROM subject_case ORDER BY id";
    SEALED_PARTS = "SELECT subject_part.id, subject_part.sealed, subject_part.reply, subject_case.reply_key
                    FROM subject_part JOIN subject_case ON subject_case.id = subject_part.subject_case
                    ORDER BY subject_part.id";
    RESEAL = "UPDATE subject_case SET sealed = $2 WHERE id = $1";
    RESEAL_PART = "UPDATE subject_part SET sealed = $2, reply = $3 WHERE id = $1";
}

/// A record of some person's, with its place among the links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonRecord {
    /// The record.
    pub name: RecordName,
    /// Its own agency restricts it.
    pub is_restricted: bool,
    /// The component and the person that it is linked to.
    pub person: (i64, i64),
    /// A restriction reaches it.
    pub is_shielded: bool,
}

/// A case as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCase {
    /// The case number.
    pub id: SubjectCaseId,
    /// The agency that opened it.
    pub agency: AgencyCode,
    /// The right.
    pub right: SubjectRight,
    /// The time for an answer.
    pub clock: Clock,
    /// The public key that answers are sealed to, or nothing.
    pub reply_key: String,
    /// Keyed, of the request that opened it.
    pub request_hash: [u8; 32],
    /// The agency's own records, sealed.
    pub sealed: Vec<u8>,
    /// What is for the shield officers, sealed to them.
    pub shield: Vec<u8>,
    /// The entry that opened it.
    pub event: EventId,
}

/// A source controller's part of a case that is about to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPart {
    /// Its number.
    pub id: SubjectPartId,
    /// Whose records.
    pub controller: AgencyCode,
    /// Which records, sealed.
    pub sealed: Vec<u8>,
}

/// A source controller's part of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPart {
    /// Its number.
    pub id: SubjectPartId,
    /// Whose records.
    pub controller: AgencyCode,
    /// Which records, sealed.
    pub sealed: Vec<u8>,
    /// What was decided; empty before.
    pub outcome: String,
    /// When.
    pub answered_at: Option<Timestamp>,
    /// The answer, sealed.
    pub reply: Option<Vec<u8>>,
    /// The entry of the answer.
    pub event: Option<EventId>,
    /// The case.
    pub case: SubjectCaseId,
    /// The right.
    pub right: SubjectRight,
    /// The case's time for an answer.
    pub clock: Clock,
    /// The public key that answers are sealed to, or nothing.
    pub reply_key: String,
}

/// What is sealed in a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedPart {
    /// Its number.
    pub id: SubjectPartId,
    /// The records, sealed.
    pub records: Vec<u8>,
    /// The answer, sealed.
    pub reply: Option<Vec<u8>>,
    /// The answer is sealed at rest by the gateway, not to a case's key.
    pub is_reply_ours: bool,
}

/// What a decision did to a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordMark {
    /// Which record.
    pub name: RecordName,
    /// What.
    pub effect: Effect,
    /// The criterion that is contested; empty for the whole record.
    pub criterion: String,
    /// The number of the case or part under which it was decided.
    pub matter: [u8; 16],
}

/// A complaint that is about to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewComplaint {
    /// Its number.
    pub id: ComplaintId,
    /// The agency that took it.
    pub agency: AgencyCode,
    /// What about, as a code.
    pub about: String,
    /// The case that it is about.
    pub case: Option<SubjectCaseId>,
    /// When it came in.
    pub received_at: Timestamp,
}

/// A complaint in the register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredComplaint {
    /// Its number.
    pub id: ComplaintId,
    /// The agency that took it.
    pub agency: AgencyCode,
    /// What about, as a code.
    pub about: String,
    /// The case that it is about.
    pub case: Option<SubjectCaseId>,
    /// When it came in.
    pub received_at: Timestamp,
    /// When that was told to the person.
    pub acknowledged_at: Option<Timestamp>,
    /// When it ended.
    pub closed_at: Option<Timestamp>,
    /// With what; empty before.
    pub outcome: String,
}

impl RecordMark {
    /// Whether it is about a record.
    pub fn is_of(&self, agency: &AgencyCode, feed: &FeedCode, reference: &OpaqueRef) -> bool {
        (&self.name.reference, &self.name.agency, &self.name.feed) == (reference, agency, feed)
    }
}

impl Store {
    /// Every visible record of components, shielded ones included.
    pub async fn records_of_components(
        &self,
        generation: i64,
        components: &[i64],
    ) -> Result<Vec<PersonRecord>, StoreError> {
        let mut found = Vec::new();
        for piece in components.chunks(ListStatement::MOST) {
            let (sql, length) = OF_COMPONENTS.text(piece.len());
            let mut list: Vec<Value<'_>> = vec![generation.into()];
            list.extend((0..length).map(|n| Value::Int(piece.get(n).copied().unwrap_or(-1))));
            for row in self.fetch_all(sql, &list).await? {
                found.push(PersonRecord {
                    name: read_name(&row)?,
                    is_restricted: row.int(3)? == 1,
                    person: (row.int(4)?, row.int(5)?),
                    is_shielded: row.int(6)? == 1,
                });
            }
        }
        Ok(found)
    }

    /// A case by its number.
    pub async fn subject_case(&self, id: SubjectCaseId) -> Result<Option<StoredCase>, StoreError> {
        self.fetch_optional(CASE, values![id.as_bytes()]).await?.as_ref().map(read_case).transpose()
    }

    /// An agency's cases, or everybody's, oldest first.
    pub async fn subject_cases(
        &self,
        programme: &ProgrammeCode,
        agency: Option<&AgencyCode>,
    ) -> Result<Vec<StoredCase>, StoreError> {
        let rows = match agency {
            Some(agency) => self.fetch_all(CASES_OF, values![programme.as_str(), agency.as_str()]).await?,
            None => self.fetch_all(CASES, values![programme.as_str()]).await?,
        };
        rows.iter().map(read_case).collect()
    }

    /// Cases that were closed before a moment.
    pub async fn cases_closed_before(
        &self,
        programme: &ProgrammeCode,
        before: Timestamp,
    ) -> Result<Vec<StoredCase>, StoreError> {
        let rows = self.fetch_all(CASES_CLOSED, values![programme.as_str(), before.as_micros()]).await?;
        rows.iter().map(read_case).collect()
    }

    /// A part by its number.
    pub async fn subject_part(&self, id: SubjectPartId) -> Result<Option<StoredPart>, StoreError> {
        self.fetch_optional(PART, values![id.as_bytes()]).await?.as_ref().map(read_part).transpose()
    }

    /// A controller's parts of open cases, oldest first.
    pub async fn subject_parts(
        &self,
        programme: &ProgrammeCode,
        controller: &AgencyCode,
    ) -> Result<Vec<StoredPart>, StoreError> {
        let rows = self.fetch_all(PARTS_OF, values![programme.as_str(), controller.as_str()]).await?;
        rows.iter().map(read_part).collect()
    }

    /// Every part of a case, answered ones in the order of answering.
    pub async fn parts_of_case(&self, case: SubjectCaseId) -> Result<Vec<StoredPart>, StoreError> {
        let rows = self.fetch_all(PARTS_OF_CASE, values![case.as_bytes()]).await?;
        rows.iter().map(read_part).collect()
    }

    /// What decisions did to records and still do.
    pub async fn record_marks(&self, programme: &ProgrammeCode) -> Result<Vec<RecordMark>, StoreError> {
        let rows = self.fetch_all(MARKS, values![programme.as_str()]).await?;
        let read = |row: &Row| {
            let effect = row.text(3)?.parse().map_err(|_| StoreError::Corrupt("effect"))?;
            Ok(RecordMark { name: read_name(row)?, effect, criterion: row.text(4)?, matter: row.array(5, "matter")? })
        };
        rows.iter().map(read).collect()
    }

    /// A complaint by its number.
    pub async fn complaint(&self, id: ComplaintId) -> Result<Option<StoredComplaint>, StoreError> {
        self.fetch_optional(COMPLAINT, values![id.as_bytes()]).await?.as_ref().map(read_complaint).transpose()
    }

    /// An agency's complaints, or everybody's, oldest first.
    pub async fn complaints(
        &self,
        programme: &ProgrammeCode,
        agency: Option<&AgencyCode>,
    ) -> Result<Vec<StoredComplaint>, StoreError> {
        let rows = match agency {
            Some(agency) => self.fetch_all(COMPLAINTS_OF, values![programme.as_str(), agency.as_str()]).await?,
            None => self.fetch_all(COMPLAINTS, values![programme.as_str()]).await?,
        };
        rows.iter().map(read_complaint).collect()
    }

    /// Complaints that were closed before a moment.
    pub async fn complaints_closed_before(
        &self,
        programme: &ProgrammeCode,
        before: Timestamp,
    ) -> Result<Vec<StoredComplaint>, StoreError> {
        let rows = self.fetch_all(COMPLAINTS_CLOSED, values![programme.as_str(), before.as_micros()]).await?;
        rows.iter().map(read_complaint).collect()
    }

    /// The sealed records of every case.
    pub async fn sealed_cases(&self) -> Result<Vec<(SubjectCaseId, Vec<u8>)>, StoreError> {
        let rows = self.fetch_all(SEALED, values![]).await?;
        rows.iter().map(|row| Ok((case_id(row, 0)?, row.bytes(1)?))).collect()
    }

    /// What is sealed in every part.
    pub async fn sealed_parts(&self) -> Result<Vec<SealedPart>, StoreError> {
        let rows = self.fetch_all(SEALED_PARTS, values![]).await?;
        let read = |row: &Row| {
            let is_reply_ours = row.text(3)?.is_empty();
            Ok(SealedPart {
                id: part_id(row, 0)?,
                records: row.bytes(1)?,
                reply: row.optional_bytes(2)?,
                is_reply_ours,
            })
        };
        rows.iter().map(read).collect()
    }
}

impl Tx {
    /// Stores a case. False when a request of the same tag was first.
    pub async fn add_subject_case(
        &mut self,
        programme: &ProgrammeCode,
        case: &StoredCase,
        request_tag: &[u8; 32],
    ) -> Result<bool, StoreError> {
        let values = values![
            case.id.as_bytes(),
            programme.as_str(),
            case.agency.as_str(),
            case.right.as_str(),
            case.clock.opened_at.as_micros(),
            &case.reply_key,
            request_tag,
            &case.request_hash,
            &case.sealed,
            &case.shield,
            case.event.as_bytes()
        ];
        Ok(self.execute(ADD_CASE, values).await? == 1)
    }

    /// The case that a request of a tag opened.
    pub async fn case_of_request(
        &mut self,
        agency: &AgencyCode,
        request_tag: &[u8; 32],
    ) -> Result<Option<StoredCase>, StoreError> {
        let row = self.fetch_optional(CASE_OF_REQUEST, values![agency.as_str(), request_tag]).await?;
        row.as_ref().map(read_case).transpose()
    }

    /// Moves a case's clock. False when it is not where it was any more.
    pub async fn set_clock(&mut self, id: SubjectCaseId, from: &Clock, to: &Clock) -> Result<bool, StoreError> {
        let micros = |at: Option<Timestamp>| at.map_or(0, Timestamp::as_micros);
        let values = values![
            id.as_bytes(),
            to.is_extended,
            micros(to.paused_at),
            to.paused_for,
            micros(to.closed_at),
            from.is_extended,
            micros(from.paused_at),
            from.paused_for,
            micros(from.closed_at)
        ];
        Ok(self.execute(SET_CLOCK, values).await? == 1)
    }

    /// Removes a case and its parts.
    pub async fn drop_subject_case(&mut self, id: SubjectCaseId) -> Result<(), StoreError> {
        self.execute(DROP_PARTS, values![id.as_bytes()]).await?;
        self.execute(DROP_CASE, values![id.as_bytes()]).await.map(drop)
    }

    /// Stores a controller's part of a case.
    pub async fn add_subject_part(&mut self, case: SubjectCaseId, part: &NewPart) -> Result<(), StoreError> {
        let values = values![part.id.as_bytes(), case.as_bytes(), part.controller.as_str(), &part.sealed];
        self.execute(ADD_PART, values).await.map(drop)
    }

    /// Notes a controller's answer. False when it was answered before.
    pub async fn answer_subject_part(
        &mut self,
        id: SubjectPartId,
        outcome: &str,
        now: Timestamp,
        reply: Option<&[u8]>,
        event: EventId,
    ) -> Result<bool, StoreError> {
        let values = values![id.as_bytes(), outcome, now.as_micros(), reply, event.as_bytes()];
        Ok(self.execute(ANSWER_PART, values).await? == 1)
    }

    /// Notes what a decision does to a record.
    pub async fn add_record_mark(
        &mut self,
        programme: &ProgrammeCode,
        mark: &RecordMark,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let RecordName { agency, feed, reference } = &mark.name;
        let values = values![
            programme.as_str(),
            agency.as_str(),
            feed.as_str(),
            reference.as_str(),
            mark.effect.as_str(),
            &mark.criterion,
            &mark.matter,
            now.as_micros()
        ];
        self.execute(ADD_MARK, values).await.map(drop)
    }

    /// Takes back what a case or part did to a record; gives how many marks went.
    pub async fn drop_record_marks(
        &mut self,
        programme: &ProgrammeCode,
        name: &RecordName,
        matter: &[u8; 16],
    ) -> Result<u64, StoreError> {
        let RecordName { agency, feed, reference } = name;
        let values = values![programme.as_str(), agency.as_str(), feed.as_str(), reference.as_str(), matter];
        self.execute(DROP_MARKS, values).await
    }

    /// Stores a complaint. False when a request of the same tag was first.
    pub async fn add_complaint(
        &mut self,
        programme: &ProgrammeCode,
        new: &NewComplaint,
        request_tag: &[u8; 32],
    ) -> Result<bool, StoreError> {
        let case: Option<&[u8]> = new.case.as_ref().map(|id| id.as_bytes().as_slice());
        let values = values![
            new.id.as_bytes(),
            programme.as_str(),
            new.agency.as_str(),
            &new.about,
            case,
            new.received_at.as_micros(),
            request_tag
        ];
        Ok(self.execute(ADD_COMPLAINT, values).await? == 1)
    }

    /// The complaint that a request of a tag brought.
    pub async fn complaint_of_request(
        &mut self,
        agency: &AgencyCode,
        request_tag: &[u8; 32],
    ) -> Result<Option<StoredComplaint>, StoreError> {
        let row = self.fetch_optional(COMPLAINT_OF_REQUEST, values![agency.as_str(), request_tag]).await?;
        row.as_ref().map(read_complaint).transpose()
    }

    /// Notes where a complaint is. False once it is closed.
    pub async fn step_complaint(&mut self, complaint: &StoredComplaint) -> Result<bool, StoreError> {
        let micros = |at: Option<Timestamp>| at.map_or(0, Timestamp::as_micros);
        let values = values![
            complaint.id.as_bytes(),
            micros(complaint.acknowledged_at),
            micros(complaint.closed_at),
            &complaint.outcome
        ];
        Ok(self.execute(STEP_COMPLAINT, values).await? == 1)
    }

    /// Removes a complaint.
    pub async fn drop_complaint(&mut self, id: ComplaintId) -> Result<(), StoreError> {
        self.execute(DROP_COMPLAINT, values![id.as_bytes()]).await.map(drop)
    }

    /// Puts a case's records, sealed again, in the place of what was read.
    pub async fn reseal_case(&mut self, id: SubjectCaseId, sealed: &[u8]) -> Result<(), StoreError> {
        self.execute(RESEAL, values![id.as_bytes(), sealed]).await.map(drop)
    }

    /// Likewise a part's records and its answer.
    pub async fn reseal_part(
        &mut self,
        id: SubjectPartId,
        sealed: &[u8],
        reply: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        self.execute(RESEAL_PART, values![id.as_bytes(), sealed, reply]).await.map(drop)
    }
}

fn read_name(row: &Row) -> Result<RecordName, StoreError> {
    let reference = OpaqueRef::parse(&row.text(2)?).map_err(|_| StoreError::Corrupt("reference"))?;
    let (agency, feed): (AgencyCode, FeedCode) = (row.parsed(0, "agency")?, row.parsed(1, "feed")?);
    Ok(RecordName { agency, feed, reference })
}

fn read_case(row: &Row) -> Result<StoredCase, StoreError> {
    Ok(StoredCase {
        id: case_id(row, 0)?,
        agency: row.parsed(1, "agency")?,
        right: row.parsed(2, "right")?,
        clock: read_clock(row, 3)?,
        reply_key: row.text(8)?,
        request_hash: row.array(9, "request hash")?,
        sealed: row.bytes(10)?,
        shield: row.bytes(11)?,
        event: event_id(&row.bytes(12)?)?,
    })
}

fn read_part(row: &Row) -> Result<StoredPart, StoreError> {
    Ok(StoredPart {
        id: part_id(row, 0)?,
        controller: row.parsed(1, "agency")?,
        sealed: row.bytes(2)?,
        outcome: row.text(4)?,
        answered_at: moment(row.int(5)?),
        reply: row.optional_bytes(6)?,
        event: row.optional_bytes(7)?.as_deref().map(event_id).transpose()?,
        case: case_id(row, 8)?,
        right: row.parsed(9, "right")?,
        clock: read_clock(row, 10)?,
        reply_key: row.text(15)?,
    })
}

fn read_complaint(row: &Row) -> Result<StoredComplaint, StoreError> {
    let case = row.optional_bytes(3)?;
    let case = case.map(|id| SubjectCaseId::from_slice(&id)).transpose();
    Ok(StoredComplaint {
        id: ComplaintId::from_slice(&row.bytes(0)?).map_err(|_| StoreError::Corrupt("complaint number"))?,
        agency: row.parsed(1, "agency")?,
        about: row.text(2)?,
        case: case.map_err(|_| StoreError::Corrupt("case number"))?,
        received_at: Timestamp::from_micros(row.int(4)?),
        acknowledged_at: moment(row.int(5)?),
        closed_at: moment(row.int(6)?),
        outcome: row.text(7)?,
    })
}

/// Five columns from `first` on: opened, extended, paused at, paused for, closed.
fn read_clock(row: &Row, first: usize) -> Result<Clock, StoreError> {
    Ok(Clock {
        opened_at: Timestamp::from_micros(row.int(first)?),
        is_extended: row.int(first + 1)? == 1,
        paused_at: moment(row.int(first + 2)?),
        paused_for: row.int(first + 3)?,
        closed_at: moment(row.int(first + 4)?),
    })
}

fn moment(micros: i64) -> Option<Timestamp> {
    (micros > 0).then(|| Timestamp::from_micros(micros))
}

fn case_id(row: &Row, column: usize) -> Result<SubjectCaseId, StoreError> {
    SubjectCaseId::from_slice(&row.bytes(column)?).map_err(|_| StoreError::Corrupt("case number"))
}

fn part_id(row: &Row, column: usize) -> Result<SubjectPartId, StoreError> {
    SubjectPartId::from_slice(&row.bytes(column)?).map_err(|_| StoreError::Corrupt("part number"))
}

fn event_id(bytes: &[u8]) -> Result<EventId, StoreError> {
    EventId::from_slice(bytes).map_err(|_| StoreError::Corrupt("event id"))
}
