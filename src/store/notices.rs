//! Notices: what agencies have to know, each written with the log entry that it tells of.

use super::statements::statements;
use super::value::{Row, values};
use super::{Store, StoreError, Tx};
use crate::domain::ids::{AgencyCode, EventId, NoticeId, ProgrammeCode};
use crate::domain::notice::NoticeKind;
use crate::domain::time::Timestamp;

macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT id, programme, agency, at, event, kind, acknowledged_at, acknowledgement FROM notice WHERE ",
            $condition
        )
    };
}

statements! {
    ADD = "INSERT INTO notice (id, programme, agency, at, event, kind, acknowledged_at, acknowledgement)
           VALUES ($1, $2, $3, $4, $5, $6, 0, NULL)";
    BY_ID = select!("id = $1");
    PAGE = select!("programme = $1 AND agency = $2 AND (at, id) > ($3, $4) ORDER BY at, id LIMIT $5");
    WAITING = select!("programme = $1 AND agency = $2 AND acknowledged_at = 0 AND (at, id) > ($3, $4)
                       ORDER BY at, id LIMIT $5");
    ACKNOWLEDGE = "UPDATE notice SET acknowledged_at = $2, acknowledgement = $3 WHERE id = $1 AND acknowledged_at = 0";
}

/// A notice as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredNotice {
    /// Its id.
    pub id: NoticeId,
    /// The programme.
    pub programme: ProgrammeCode,
    /// Whose inbox it is in.
    pub agency: AgencyCode,
    /// When it came.
    pub at: Timestamp,
    /// The log entry that it tells of; what the notice says is its sealed opening.
    pub event: EventId,
    /// What it is about.
    pub kind: NoticeKind,
    /// When the agency acknowledged it, and by which log entry.
    pub acknowledged: Option<(Timestamp, EventId)>,
}

impl Store {
    /// A notice by id.
    pub async fn notice(&self, id: NoticeId) -> Result<Option<StoredNotice>, StoreError> {
        self.fetch_optional(BY_ID, values![id.as_bytes()]).await?.as_ref().map(read).transpose()
    }

    /// An agency's notices in the order of coming, after a place; those that wait, or all.
    pub async fn notices(
        &self,
        programme: &ProgrammeCode,
        agency: &AgencyCode,
        waiting_only: bool,
        after: Option<(Timestamp, NoticeId)>,
        limit: i64,
    ) -> Result<Vec<StoredNotice>, StoreError> {
        let at = after.map_or(i64::MIN, |(at, _)| at.as_micros());
        let id = after.map_or_else(Vec::new, |(_, id)| id.as_bytes().to_vec());
        let values = values![programme.as_str(), agency.as_str(), at, &id, limit];
        self.fetch_all(if waiting_only { WAITING } else { PAGE }, values).await?.iter().map(read).collect()
    }
}

impl Tx {
    /// Puts a notice into an inbox: in the transaction of the entry that it tells of.
    pub async fn add_notice(&mut self, new: &StoredNotice) -> Result<(), StoreError> {
        let values = values![
            new.id.as_bytes(),
            new.programme.as_str(),
            new.agency.as_str(),
            new.at.as_micros(),
            new.event.as_bytes(),
            new.kind.as_str()
        ];
        self.execute(ADD, values).await.map(drop)
    }

    /// Notes that a notice was acknowledged. False when it was before.
    pub async fn acknowledge_notice(
        &mut self,
        id: NoticeId,
        at: Timestamp,
        entry: EventId,
    ) -> Result<bool, StoreError> {
        Ok(self.execute(ACKNOWLEDGE, values![id.as_bytes(), at.as_micros(), entry.as_bytes()]).await? == 1)
    }
}

fn read(row: &Row) -> Result<StoredNotice, StoreError> {
    let event = |bytes: Vec<u8>| EventId::from_slice(&bytes).map_err(|_| StoreError::Corrupt("event id"));
    let acknowledged = row.optional_bytes(7)?.map(event).transpose()?;
    Ok(StoredNotice {
        id: NoticeId::from_slice(&row.bytes(0)?).map_err(|_| StoreError::Corrupt("notice id"))?,
        programme: row.parsed(1, "programme")?,
        agency: row.parsed(2, "agency")?,
        at: Timestamp::from_micros(row.int(3)?),
        event: event(row.bytes(4)?)?,
        kind: row.parsed(5, "notice kind")?,
        acknowledged: acknowledged
            .map(|entry| Ok::<_, StoreError>((Timestamp::from_micros(row.int(6)?), entry)))
            .transpose()?,
    })
}
