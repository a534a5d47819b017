//! Emergency enquiries, until somebody has reviewed them.

use super::statements::statements;
use super::value::{Row, values};
use super::{Store, StoreError, Tx};
use crate::domain::ids::{AgencyCode, EventId, ProgrammeCode};
use crate::domain::time::Timestamp;

macro_rules! select {
    ($condition:literal) => {
        concat!("SELECT event, agency, client, at, due_at, reviewed_at, review FROM emergency WHERE ", $condition)
    };
}

statements! {
    ADD = "INSERT INTO emergency (event, programme, agency, client, at, due_at, reviewed_at, review)
           VALUES ($1, $2, $3, $4, $5, $6, 0, NULL)";
    BY_EVENT = select!("event = $1");
    WAITING = select!("programme = $1 AND reviewed_at = 0 ORDER BY at, event LIMIT 500");
    WAITING_OF = select!("programme = $1 AND agency = $2 AND reviewed_at = 0 ORDER BY at, event LIMIT 500");
    OVERDUE = "SELECT COUNT(*) FROM emergency WHERE client = $1 AND reviewed_at = 0 AND due_at <= $2";
    REVIEW = "UPDATE emergency SET reviewed_at = $2, review = $3 WHERE event = $1 AND reviewed_at = 0";
}

/// An emergency enquiry as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEmergency {
    /// The log entry of the enquiry.
    pub event: EventId,
    /// Who asked.
    pub agency: AgencyCode,
    /// Through which client.
    pub client: String,
    /// When.
    pub at: Timestamp,
    /// A review is due by then.
    pub due_at: Timestamp,
    /// When it was reviewed, and the log entry of that.
    pub reviewed: Option<(Timestamp, EventId)>,
}

impl Store {
    /// The emergency enquiry that an entry records.
    pub async fn emergency(&self, event: EventId) -> Result<Option<StoredEmergency>, StoreError> {
        self.fetch_optional(BY_EVENT, values![event.as_bytes()]).await?.as_ref().map(read).transpose()
    }

    /// Emergency enquiries that nobody has reviewed, oldest first: an agency's, or everybody's.
    pub async fn unreviewed_emergencies(
        &self,
        programme: &ProgrammeCode,
        agency: Option<&AgencyCode>,
    ) -> Result<Vec<StoredEmergency>, StoreError> {
        let rows = match agency {
            Some(agency) => self.fetch_all(WAITING_OF, values![programme.as_str(), agency.as_str()]).await?,
            None => self.fetch_all(WAITING, values![programme.as_str()]).await?,
        };
        rows.iter().map(read).collect()
    }

    /// How many emergency enquiries of a client are overdue for their review.
    pub async fn overdue_emergencies(&self, client: &str, now: Timestamp) -> Result<i64, StoreError> {
        let row = self.fetch_optional(OVERDUE, values![client, now.as_micros()]).await?;
        row.ok_or(StoreError::Corrupt("count"))?.int(0)
    }
}

impl Tx {
    /// Keeps an emergency enquiry until it is reviewed: in the transaction of its entry.
    pub async fn add_emergency(&mut self, programme: &ProgrammeCode, new: &StoredEmergency) -> Result<(), StoreError> {
        let values = values![
            new.event.as_bytes(),
            programme.as_str(),
            new.agency.as_str(),
            &new.client,
            new.at.as_micros(),
            new.due_at.as_micros()
        ];
        self.execute(ADD, values).await.map(drop)
    }

    /// Notes that an emergency enquiry was reviewed. False when it was before.
    pub async fn review_emergency(
        &mut self,
        event: EventId,
        at: Timestamp,
        review: EventId,
    ) -> Result<bool, StoreError> {
        Ok(self.execute(REVIEW, values![event.as_bytes(), at.as_micros(), review.as_bytes()]).await? == 1)
    }
}

fn read(row: &Row) -> Result<StoredEmergency, StoreError> {
    let event = |bytes: Vec<u8>| EventId::from_slice(&bytes).map_err(|_| StoreError::Corrupt("event id"));
    let review = row.optional_bytes(6)?.map(event).transpose()?;
    let reviewed_at = Timestamp::from_micros(row.int(5)?);
    Ok(StoredEmergency {
        event: event(row.bytes(0)?)?,
        agency: row.parsed(1, "agency")?,
        client: row.text(2)?,
        at: Timestamp::from_micros(row.int(3)?),
        due_at: Timestamp::from_micros(row.int(4)?),
        reviewed: review.map(|review| (reviewed_at, review)),
    })
}
