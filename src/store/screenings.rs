//! Screenings: many questions handed over at once, sealed until each is decided.

use super::bulk::BulkInsert;
use super::statements::statements;
use super::value::{Row, Value, values};
use super::{Store, StoreError, Tx};
use crate::domain::ids::{AgencyCode, EventId, ProgrammeCode, ScreeningId};
use crate::domain::time::Timestamp;

pub(super) static ADD_ROWS: BulkInsert =
    BulkInsert::new("INSERT INTO screening_row (screening, row_number, question, outcome, event) VALUES", 5, "");

statements! {
    ADD = "INSERT INTO screening (id, programme, agency, client, idempotency_tag, head, row_count, state,
                                  received_at, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6, 0, 'receiving', $7, $8) ON CONFLICT (client, idempotency_tag) DO NOTHING";
    OPEN = "UPDATE screening SET state = 'open', digest = $2, row_count = $3 WHERE id = $1 AND state = 'receiving'";
    BY_ID = "SELECT id, programme, agency, client, digest, head, row_count, state, received_at, expires_at
             FROM screening WHERE id = $1";
    BY_TAG = "SELECT id, programme, agency, client, digest, head, row_count, state, received_at, expires_at
              FROM screening WHERE client = $1 AND idempotency_tag = $2";
    UNDER_WAY = "SELECT COUNT(*) FROM screening WHERE client = $1 AND expires_at > $2";
    COUNTS = "SELECT outcome, COUNT(*) FROM screening_row WHERE screening = $1 GROUP BY outcome ORDER BY outcome";
    ROWS = "SELECT row_number, question, outcome, event FROM screening_row
            WHERE screening = $1 AND row_number > $2 ORDER BY row_number LIMIT $3";
    DECIDE = "UPDATE screening_row SET outcome = $3, event = $4, question = $5
              WHERE screening = $1 AND row_number = $2 AND outcome = 'waiting'";
    QUESTIONS_AFTER = "SELECT screening, row_number, question FROM screening_row
                       WHERE outcome = 'waiting' AND (screening, row_number) > ($1, $2)
                       ORDER BY screening, row_number LIMIT $3";
    SET_QUESTION = "UPDATE screening_row SET question = $4 WHERE screening = $1 AND row_number = $2 AND question = $3";
    DROP_ROWS = "DELETE FROM screening_row WHERE screening IN (SELECT id FROM screening WHERE expires_at <= $1)";
    DROP_EXPIRED = "DELETE FROM screening WHERE expires_at <= $1";
    DROP_ROWS_OF = "DELETE FROM screening_row WHERE screening = $1";
    HOLD_RECEIVING = "UPDATE screening SET state = state WHERE id = $1 AND state = 'receiving'";
    DROP_ONE = "DELETE FROM screening WHERE id = $1 AND state = 'receiving'";
}

/// A screening that is about to be received.
#[derive(Debug, Clone)]
pub struct NewScreening {
    /// Its id.
    pub id: ScreeningId,
    /// The programme.
    pub programme: ProgrammeCode,
    /// Who asks.
    pub agency: AgencyCode,
    /// With which system.
    pub client: String,
    /// Keyed tag of the idempotency key.
    pub tag: [u8; 32],
    /// What all questions share, as sent.
    pub head: Vec<u8>,
    /// When it came.
    pub received_at: Timestamp,
    /// When it is forgotten.
    pub expires_at: Timestamp,
}

/// A screening as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Screening {
    /// Its id.
    pub id: ScreeningId,
    /// The programme.
    pub programme: ProgrammeCode,
    /// Who asks.
    pub agency: AgencyCode,
    /// With which system.
    pub client: String,
    /// Keyed digest of the file; `None` while it arrives.
    pub digest: Option<[u8; 32]>,
    /// What all questions share, as sent.
    pub head: Vec<u8>,
    /// How many questions.
    pub rows: i64,
    /// It was received whole.
    pub is_open: bool,
    /// When it came.
    pub received_at: Timestamp,
    /// When it is forgotten.
    pub expires_at: Timestamp,
}

/// Where a question of a screening is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RowOutcome {
    /// Not decided yet.
    Waiting,
    /// Answered; the answer is in its log entry.
    Answered,
    /// The day's ceiling was reached.
    Ceiling,
    /// The agreements do not permit it.
    Refused,
}

impl RowOutcome {
    /// As stored and as the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Answered => "answered",
            Self::Ceiling => "ceiling",
            Self::Refused => "refused",
        }
    }

    fn parse(text: &str) -> Result<Self, StoreError> {
        let all = [Self::Waiting, Self::Answered, Self::Ceiling, Self::Refused];
        all.into_iter().find(|outcome| outcome.as_str() == text).ok_or(StoreError::Corrupt("screening outcome"))
    }
}

/// A question of a screening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScreeningRow {
    /// Its place in the caller's order, from 1.
    pub number: i64,
    /// Sealed; empty once it is decided.
    pub question: Vec<u8>,
    /// Where it is in its life.
    pub outcome: RowOutcome,
    /// Its log entry, once decided.
    pub event: Option<EventId>,
}

impl Store {
    /// A screening by id.
    pub async fn screening(&self, id: ScreeningId) -> Result<Option<Screening>, StoreError> {
        let row = self.fetch_optional(BY_ID, values![id.as_bytes()]).await?;
        row.as_ref().map(read_screening).transpose()
    }

    /// The screening that a client's idempotency tag stands for.
    pub async fn screening_by_tag(&self, client: &str, tag: &[u8; 32]) -> Result<Option<Screening>, StoreError> {
        let row = self.fetch_optional(BY_TAG, values![client, tag]).await?;
        row.as_ref().map(read_screening).transpose()
    }

    /// How many screenings of a client are not forgotten yet.
    pub async fn screenings_of(&self, client: &str, now: Timestamp) -> Result<i64, StoreError> {
        let row = self.fetch_optional(UNDER_WAY, values![client, now.as_micros()]).await?;
        row.ok_or(StoreError::Corrupt("count"))?.int(0)
    }

    /// How many questions of a screening are where in their life.
    pub async fn screening_counts(&self, id: ScreeningId) -> Result<Vec<(RowOutcome, i64)>, StoreError> {
        let rows = self.fetch_all(COUNTS, values![id.as_bytes()]).await?;
        rows.iter().map(|row| Ok((RowOutcome::parse(&row.text(0)?)?, row.int(1)?))).collect()
    }

    /// A page of sealed questions that wait, of all screenings, after a place; `None` from the start.
    pub async fn sealed_questions(
        &self,
        after: Option<(ScreeningId, i64)>,
        limit: i64,
    ) -> Result<Vec<(ScreeningId, i64, Vec<u8>)>, StoreError> {
        let place = after.as_ref().map_or((&b""[..], 0), |(id, number)| (id.as_bytes().as_slice(), *number));
        let rows = self.fetch_all(QUESTIONS_AFTER, values![place.0, place.1, limit]).await?;
        rows.iter()
            .map(|row| {
                let id = ScreeningId::from_slice(&row.bytes(0)?).map_err(|_| StoreError::Corrupt("screening id"))?;
                Ok((id, row.int(1)?, row.bytes(2)?))
            })
            .collect()
    }

    /// A page of a screening's questions, in the caller's order.
    pub async fn screening_rows(
        &self,
        id: ScreeningId,
        after: i64,
        limit: i64,
    ) -> Result<Vec<ScreeningRow>, StoreError> {
        let rows = self.fetch_all(ROWS, values![id.as_bytes(), after, limit]).await?;
        rows.iter().map(read_row).collect()
    }
}

impl Tx {
    /// Begins to receive a screening. False when the client's key stands for another already.
    pub async fn add_screening(&mut self, new: &NewScreening) -> Result<bool, StoreError> {
        let values = values![
            new.id.as_bytes(),
            new.programme.as_str(),
            new.agency.as_str(),
            &new.client,
            &new.tag,
            &new.head,
            new.received_at.as_micros(),
            new.expires_at.as_micros()
        ];
        Ok(self.execute(ADD, values).await? == 1)
    }

    /// Adds questions, numbered from `first`. False when the screening is not being received any more.
    pub async fn add_screening_rows(
        &mut self,
        id: ScreeningId,
        first: i64,
        sealed: &[Vec<u8>],
    ) -> Result<bool, StoreError> {
        if self.execute(HOLD_RECEIVING, values![id.as_bytes()]).await? == 0 {
            return Ok(false);
        }
        let values: Vec<Value<'_>> = sealed
            .iter()
            .zip(first..)
            .flat_map(|(question, number)| {
                let waiting = RowOutcome::Waiting.as_str();
                [id.as_bytes().into(), number.into(), question.into(), waiting.into(), Value::NoBytes]
            })
            .collect();
        self.insert_many(&ADD_ROWS, &values).await?;
        Ok(true)
    }

    /// Says that a screening was received whole. False when it no longer waits for that.
    pub async fn open_screening(&mut self, id: ScreeningId, digest: &[u8; 32], rows: i64) -> Result<bool, StoreError> {
        Ok(self.execute(OPEN, values![id.as_bytes(), digest, rows]).await? == 1)
    }

    /// Records what became of a question, and forgets the question. One that was decided stays.
    pub async fn decide_screening_row(
        &mut self,
        id: ScreeningId,
        number: i64,
        outcome: RowOutcome,
        event: EventId,
    ) -> Result<(), StoreError> {
        let values = values![id.as_bytes(), number, outcome.as_str(), event.as_bytes(), Value::Bytes(b"")];
        self.execute(DECIDE, values).await.map(drop)
    }

    /// Puts a question, sealed again, in the place of what was read; no change when it was decided.
    pub async fn replace_question(
        &mut self,
        id: ScreeningId,
        number: i64,
        old: &[u8],
        new: &[u8],
    ) -> Result<(), StoreError> {
        self.execute(SET_QUESTION, values![id.as_bytes(), number, old, new]).await.map(drop)
    }

    /// Removes a screening that was not received whole; one that was stays.
    pub async fn drop_screening(&mut self, id: ScreeningId) -> Result<(), StoreError> {
        if self.execute(HOLD_RECEIVING, values![id.as_bytes()]).await? == 0 {
            return Ok(());
        }
        self.execute(DROP_ROWS_OF, values![id.as_bytes()]).await?;
        self.execute(DROP_ONE, values![id.as_bytes()]).await.map(drop)
    }

    /// Forgets screenings whose time is over.
    pub async fn forget_screenings(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        self.execute(DROP_ROWS, values![now.as_micros()]).await?;
        self.execute(DROP_EXPIRED, values![now.as_micros()]).await
    }
}

fn read_screening(row: &Row) -> Result<Screening, StoreError> {
    let digest = row.optional_bytes(4)?;
    Ok(Screening {
        id: ScreeningId::from_slice(&row.bytes(0)?).map_err(|_| StoreError::Corrupt("screening id"))?,
        programme: row.parsed(1, "programme")?,
        agency: row.parsed(2, "agency")?,
        client: row.text(3)?,
        digest: digest.map(|bytes| bytes.try_into().map_err(|_| StoreError::Corrupt("digest"))).transpose()?,
        head: row.bytes(5)?,
        rows: row.int(6)?,
        is_open: row.text(7)? == "open",
        received_at: Timestamp::from_micros(row.int(8)?),
        expires_at: Timestamp::from_micros(row.int(9)?),
    })
}

fn read_row(row: &Row) -> Result<ScreeningRow, StoreError> {
    let event = row.optional_bytes(3)?;
    Ok(ScreeningRow {
        number: row.int(0)?,
        question: row.bytes(1)?,
        outcome: RowOutcome::parse(&row.text(2)?)?,
        event: event.map(|id| EventId::from_slice(&id).map_err(|_| StoreError::Corrupt("event id"))).transpose()?,
    })
}
