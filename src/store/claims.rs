//! Engagements of families, and referrals on their way.

use super::statements::statements;
use super::value::{Row, values};
use super::{Store, StoreError, Tx};
use crate::domain::ids::{AgencyCode, EventId, ProgrammeCode, ReferralId};
use crate::domain::time::Timestamp;
use jiff::civil::Date;

statements! {
    ADD_ENGAGEMENT = "INSERT INTO engagement_baseline (event, programme, recipient, engaged_on, at)
                      VALUES ($1, $2, $3, $4, $5)";
    ENGAGEMENT = "SELECT event, programme, recipient, engaged_on, at FROM engagement_baseline WHERE event = $1";
    ADD_REFERRAL = "INSERT INTO referral (id, programme, agency, door, state, last_event, received_at, changed_at)
                    VALUES ($1, $2, $3, $4, $5, $6, $7, $7)";
    REFERRAL = "SELECT id, programme, agency, door, state, last_event, received_at, changed_at FROM referral
                WHERE id = $1";
    MOVE_REFERRAL = "UPDATE referral SET state = $3, last_event = $4, changed_at = $5
                     WHERE id = $1 AND state = $2 AND last_event = $6";
}

/// That a family was engaged, and which entry holds the evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engagement {
    /// The log entry.
    pub event: EventId,
    /// The programme.
    pub programme: ProgrammeCode,
    /// Who recorded it.
    pub recipient: AgencyCode,
    /// The day of engagement, as stated.
    pub engaged_on: Date,
    /// When the evidence was looked at.
    pub at: Timestamp,
}

/// A referral as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReferral {
    /// Its id.
    pub id: ReferralId,
    /// The programme.
    pub programme: ProgrammeCode,
    /// The agency that received it.
    pub agency: AgencyCode,
    /// Where it came in.
    pub door: String,
    /// Where it is.
    pub state: String,
    /// The log entry of the newest step.
    pub last_event: EventId,
    /// When it came in.
    pub received_at: Timestamp,
    /// When the newest step was taken.
    pub changed_at: Timestamp,
}

impl Store {
    /// The engagement that an entry records.
    pub async fn engagement(&self, event: EventId) -> Result<Option<Engagement>, StoreError> {
        let row = self.fetch_optional(ENGAGEMENT, values![event.as_bytes()]).await?;
        row.map(|row| {
            Ok(Engagement {
                event,
                programme: row.parsed(1, "programme")?,
                recipient: row.parsed(2, "agency")?,
                engaged_on: row.parsed(3, "day")?,
                at: Timestamp::from_micros(row.int(4)?),
            })
        })
        .transpose()
    }

    /// A referral by id.
    pub async fn referral(&self, id: ReferralId) -> Result<Option<StoredReferral>, StoreError> {
        let row = self.fetch_optional(REFERRAL, values![id.as_bytes()]).await?;
        row.as_ref().map(read_referral).transpose()
    }
}

impl Tx {
    /// Records an engagement.
    pub async fn add_engagement(&mut self, new: &Engagement) -> Result<(), StoreError> {
        let day = new.engaged_on.to_string();
        let values =
            values![new.event.as_bytes(), new.programme.as_str(), new.recipient.as_str(), &day, new.at.as_micros()];
        self.execute(ADD_ENGAGEMENT, values).await.map(drop)
    }

    /// Takes in a referral.
    pub async fn add_referral(&mut self, new: &StoredReferral) -> Result<(), StoreError> {
        let values = values![
            new.id.as_bytes(),
            new.programme.as_str(),
            new.agency.as_str(),
            &new.door,
            &new.state,
            new.last_event.as_bytes(),
            new.received_at.as_micros()
        ];
        self.execute(ADD_REFERRAL, values).await.map(drop)
    }

    /// Moves a referral on from the state and entry that the step was decided on. False when somebody
    /// else moved it meanwhile.
    pub async fn move_referral(
        &mut self,
        from: &StoredReferral,
        to: &str,
        event: EventId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let values =
            values![from.id.as_bytes(), &from.state, to, event.as_bytes(), now.as_micros(), from.last_event.as_bytes()];
        Ok(self.execute(MOVE_REFERRAL, values).await? == 1)
    }
}

fn read_referral(row: &Row) -> Result<StoredReferral, StoreError> {
    let event = |column| EventId::from_slice(&row.bytes(column)?).map_err(|_| StoreError::Corrupt("event id"));
    Ok(StoredReferral {
        id: ReferralId::from_slice(&row.bytes(0)?).map_err(|_| StoreError::Corrupt("referral id"))?,
        programme: row.parsed(1, "programme")?,
        agency: row.parsed(2, "agency")?,
        door: row.text(3)?,
        state: row.text(4)?,
        last_event: event(5)?,
        received_at: Timestamp::from_micros(row.int(6)?),
        changed_at: Timestamp::from_micros(row.int(7)?),
    })
}
