//! Alerts, the figures of days behind them, and decoys.

use std::collections::BTreeMap;

use super::statements::{ListStatement, statements};
use super::value::{Row, Value, values};
use super::{Store, StoreError, Tx};
use crate::domain::ids::{AgencyCode, EventId, FeedCode, OpaqueRef, ProgrammeCode};
use crate::domain::time::Timestamp;

/// The tags under which entries are found again, of some entries.
pub(super) static TAGS_OF: ListStatement =
    ListStatement::new("SELECT event, tag FROM subject_index WHERE event IN ({list}) ORDER BY event, tag", 0);

statements! {
    ADD_ALERT = "INSERT INTO alert (event, mark, kind, severity, agency, client, day, entry, figures, state,
                                    last_event, opened_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'open', $1, $10) ON CONFLICT (mark) DO NOTHING";
    ALERT = "SELECT event, kind, severity, agency, client, day, entry, figures, state, escalated_to, last_event, opened_at
             FROM alert WHERE event = $1";
    ALERTS = "SELECT event, kind, severity, agency, client, day, entry, figures, state, escalated_to, last_event, opened_at
              FROM alert WHERE (CAST($1 AS BIGINT) = 1 OR state <> 'closed') AND ($2 = '' OR kind = $2)
              ORDER BY opened_at DESC, event DESC LIMIT $3";
    MOVE_ALERT = "UPDATE alert SET state = $3, escalated_to = $4, last_event = $5 WHERE event = $1 AND last_event = $2";
    OPEN_BY_KIND = "SELECT kind, COUNT(*), MIN(opened_at) FROM alert WHERE state <> 'closed' GROUP BY kind ORDER BY kind";
    PUT_DAY = "INSERT INTO alert_day (agency, client, day, figures) VALUES ($1, $2, $3, $4)
               ON CONFLICT (agency, client, day) DO UPDATE SET figures = excluded.figures";
    DAY = "SELECT figures FROM alert_day WHERE agency = $1 AND client = $2 AND day = $3";
    EARLIER = "SELECT figures FROM alert_day WHERE agency = $1 AND client = $2 AND day < $3 ORDER BY day DESC LIMIT $4";
    FORGET_DAYS = "DELETE FROM alert_day WHERE day < $1";
    /// Questions of an agency under a tag before an entry, newest first.
    ASKED_BEFORE = "SELECT event.id, event.at, event.outcome FROM subject_index
                    JOIN event ON event.id = subject_index.event
                    WHERE subject_index.tag = $1 AND event.recipient = $2 AND event.type = 'enquiry' AND event.id < $3
                    ORDER BY event.id DESC LIMIT $4";
    ADD_DECOY = "INSERT INTO alert_decoy (id, sealed, registered_at) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING";
    SET_DECOY = "UPDATE alert_decoy SET sealed = $3 WHERE id = $1 AND sealed = $2";
    DROP_DECOY = "DELETE FROM alert_decoy WHERE id = $1";
    DECOYS = "SELECT id, sealed FROM alert_decoy ORDER BY registered_at, id";
    DECOY_COUNT = "SELECT COUNT(*) FROM alert_decoy";
    /// The visible record of a name.
    RECORD_NAMED = "SELECT record.id, record.submission, record.tokens, record.households FROM record
                    JOIN link ON link.record = record.id AND link.visible_from <= $1 AND link.visible_to + 0 > $1
                    JOIN submission ON submission.id = record.submission
                    WHERE submission.programme = $2 AND record.agency = $3 AND record.feed = $4 AND record.reference = $5
                    ORDER BY record.id DESC LIMIT 1";
}

/// An alert as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAlert {
    /// The entry that opened it.
    pub event: EventId,
    /// What it is about.
    pub kind: String,
    /// How grave it is until somebody has looked.
    pub severity: String,
    /// Whose questions raised it.
    pub agency: Option<AgencyCode>,
    /// Which of its clients.
    pub client: Option<String>,
    /// The day of the questions, days since 1970, UTC.
    pub day: i64,
    /// The single entry that raised it.
    pub entry: Option<EventId>,
    /// JSON of what was seen.
    pub figures: String,
    /// Where it is.
    pub state: String,
    /// To whom it was escalated.
    pub escalated_to: Option<String>,
    /// The entry of the last step.
    pub last_event: EventId,
    /// When it was opened.
    pub opened_at: Timestamp,
}

/// An earlier question about the same person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedBefore {
    /// Its entry.
    pub event: EventId,
    /// When.
    pub at: Timestamp,
    /// Whether it was refused.
    pub is_refused: bool,
}

impl Store {
    /// An alert by the entry that opened it.
    pub async fn alert(&self, event: EventId) -> Result<Option<StoredAlert>, StoreError> {
        self.fetch_optional(ALERT, values![event.as_bytes()]).await?.as_ref().map(read_alert).transpose()
    }

    /// Alerts, newest first; closed ones too where asked for.
    pub async fn alerts(
        &self,
        with_closed: bool,
        kind: Option<&str>,
        limit: i64,
    ) -> Result<Vec<StoredAlert>, StoreError> {
        let rows = self.fetch_all(ALERTS, values![with_closed, kind.unwrap_or(""), limit]).await?;
        rows.iter().map(read_alert).collect()
    }

    /// How many alerts of each kind are not closed, and when the oldest was opened.
    pub async fn open_alerts(&self) -> Result<Vec<(String, u64, Timestamp)>, StoreError> {
        let rows = self.fetch_all(OPEN_BY_KIND, values![]).await?;
        let read = |row: &Row| Ok((row.text(0)?, row.int(1)? as u64, Timestamp::from_micros(row.int(2)?)));
        rows.iter().map(read).collect()
    }

    /// The tags of some entries.
    pub async fn tags_of_events(&self, events: &[EventId]) -> Result<BTreeMap<EventId, Vec<[u8; 16]>>, StoreError> {
        let mut tags: BTreeMap<EventId, Vec<[u8; 16]>> = BTreeMap::new();
        for piece in events.chunks(ListStatement::MOST) {
            let (sql, length) = TAGS_OF.text(piece.len());
            let listed = (0..length).map(|n| piece.get(n).map_or(Value::Bytes(b""), |event| event.as_bytes().into()));
            for row in self.fetch_all(sql, &listed.collect::<Vec<_>>()).await? {
                tags.entry(event(row.bytes(0)?)?).or_default().push(row.array(1, "a tag")?);
            }
        }
        Ok(tags)
    }

    /// Questions of an agency under a tag before an entry, newest first.
    pub async fn asked_before(
        &self,
        tag: &[u8; 16],
        agency: &AgencyCode,
        before: EventId,
        limit: i64,
    ) -> Result<Vec<AskedBefore>, StoreError> {
        let rows = self.fetch_all(ASKED_BEFORE, values![tag, agency.as_str(), before.as_bytes(), limit]).await?;
        let read = |row: &Row| {
            let is_refused = row.optional_text(2)?.as_deref() == Some("refused");
            Ok(AskedBefore { event: event(row.bytes(0)?)?, at: Timestamp::from_micros(row.int(1)?), is_refused })
        };
        rows.iter().map(read).collect()
    }

    /// Every decoy, with what is sealed of it.
    pub async fn decoys(&self) -> Result<Vec<([u8; 16], Vec<u8>)>, StoreError> {
        let rows = self.fetch_all(DECOYS, values![]).await?;
        rows.iter().map(|row| Ok((row.array(0, "decoy")?, row.bytes(1)?))).collect()
    }

    /// The tokens and household tokens of the record of a name that a generation sees.
    pub async fn record_named(
        &self,
        programme: &ProgrammeCode,
        generation: i64,
        (agency, feed, reference): (&AgencyCode, &FeedCode, &OpaqueRef),
    ) -> Result<Option<(Vec<super::StoredToken>, Vec<super::StoredToken>)>, StoreError> {
        let values = values![generation, programme.as_str(), agency.as_str(), feed.as_str(), reference.as_str()];
        let row = self.fetch_optional(RECORD_NAMED, values).await?;
        let unpacked =
            |row: Row| Ok((super::records::unpack(&row.bytes(2)?)?, super::records::unpack(&row.bytes(3)?)?));
        row.map(unpacked).transpose()
    }
}

impl Tx {
    /// Opens an alert. False when there is one of its mark already.
    pub async fn add_alert(&mut self, alert: &StoredAlert, mark: &str) -> Result<bool, StoreError> {
        let values = values![
            alert.event.as_bytes(),
            mark,
            &alert.kind,
            &alert.severity,
            alert.agency.as_ref().map(AgencyCode::as_str),
            alert.client.as_deref(),
            alert.day,
            alert.entry.as_ref().map(|entry| entry.as_bytes().as_slice()),
            &alert.figures,
            alert.opened_at.as_micros(),
        ];
        Ok(self.execute(ADD_ALERT, values).await? == 1)
    }

    /// Takes an alert on, from exactly the step before. False when somebody else was first.
    pub async fn move_alert(
        &mut self,
        alert: EventId,
        before: EventId,
        (state, escalated_to): (&str, Option<&str>),
        event: EventId,
    ) -> Result<bool, StoreError> {
        let values = values![alert.as_bytes(), before.as_bytes(), state, escalated_to, event.as_bytes()];
        Ok(self.execute(MOVE_ALERT, values).await? == 1)
    }

    /// The figures of a day, JSON.
    pub async fn alert_day(
        &mut self,
        agency: &AgencyCode,
        client: &str,
        day: i64,
    ) -> Result<Option<String>, StoreError> {
        let row = self.fetch_optional(DAY, values![agency.as_str(), client, day]).await?;
        row.map(|row| row.text(0)).transpose()
    }

    /// The figures of the days before, newest first.
    pub async fn alert_days_before(
        &mut self,
        agency: &AgencyCode,
        client: &str,
        day: i64,
        limit: i64,
    ) -> Result<Vec<String>, StoreError> {
        let rows = self.fetch_all(EARLIER, values![agency.as_str(), client, day, limit]).await?;
        rows.iter().map(|row| row.text(0)).collect()
    }

    /// Keeps the figures of a day.
    pub async fn put_alert_day(
        &mut self,
        agency: &AgencyCode,
        client: &str,
        day: i64,
        figures: &str,
    ) -> Result<(), StoreError> {
        self.execute(PUT_DAY, values![agency.as_str(), client, day, figures]).await.map(drop)
    }

    /// Forgets the figures of days before a day.
    pub async fn forget_alert_days(&mut self, before: i64) -> Result<u64, StoreError> {
        self.execute(FORGET_DAYS, values![before]).await
    }

    /// Registers a decoy. False when it is registered.
    pub async fn add_decoy(&mut self, id: &[u8; 16], sealed: &[u8], now: Timestamp) -> Result<bool, StoreError> {
        Ok(self.execute(ADD_DECOY, values![id, sealed, now.as_micros()]).await? == 1)
    }

    /// Replaces what is sealed of a decoy by the same under another key.
    pub async fn replace_decoy(&mut self, id: &[u8; 16], sealed: &[u8], again: &[u8]) -> Result<(), StoreError> {
        self.execute(SET_DECOY, values![id, sealed, again]).await.map(drop)
    }

    /// Removes a decoy. False when there is none of this id.
    pub async fn drop_decoy(&mut self, id: &[u8; 16]) -> Result<bool, StoreError> {
        Ok(self.execute(DROP_DECOY, values![id]).await? == 1)
    }

    /// How many decoys there are.
    pub async fn decoy_count(&mut self) -> Result<u64, StoreError> {
        let row = self.fetch_optional(DECOY_COUNT, values![]).await?.ok_or(StoreError::Corrupt("count"))?;
        Ok(row.int(0)? as u64)
    }
}

fn event(bytes: Vec<u8>) -> Result<EventId, StoreError> {
    EventId::from_slice(&bytes).map_err(|_| StoreError::Corrupt("event id"))
}

fn read_alert(row: &Row) -> Result<StoredAlert, StoreError> {
    Ok(StoredAlert {
        event: event(row.bytes(0)?)?,
        kind: row.text(1)?,
        severity: row.text(2)?,
        agency: row.optional_text(3)?.map(|_| row.parsed(3, "agency")).transpose()?,
        client: row.optional_text(4)?,
        day: row.int(5)?,
        entry: row.optional_bytes(6)?.map(event).transpose()?,
        figures: row.text(7)?,
        state: row.text(8)?,
        escalated_to: row.optional_text(9)?,
        last_event: event(row.bytes(10)?)?,
        opened_at: Timestamp::from_micros(row.int(11)?),
    })
}
