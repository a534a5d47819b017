//! Recalls: what is being recalled, how far its search has come, and what it found.

use super::statements::statements;
use super::value::{Row, values};
use super::{Store, StoreError, Tx};
use crate::domain::ids::{AgencyCode, EventId, MatchRunId, NoticeId, ProgrammeCode, RecallId};
use crate::domain::time::Timestamp;

macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT id, raised_by, agency, reason, opened_at, opened, state, place, undone_at, looked,
                    untouched, closed_at FROM recall WHERE programme = $1 AND ",
            $condition
        )
    };
}

statements! {
    ADD = "INSERT INTO recall (id, programme, raised_by, agency, tag, reason, opened_at, opened, state, place,
                               undone_at, looked, untouched, closed_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'searching', 0, 0, 0, 0, 0)";
    BY_ID = select!("id = $2");
    BY_TAG = select!("tag = $2");
    OPEN = select!("state <> $2 ORDER BY opened_at, id");
    ALL = select!("state <> $2 ORDER BY opened_at DESC, id LIMIT 200");
    ADVANCE = "UPDATE recall SET place = $3, looked = looked + $4, untouched = untouched + $5
               WHERE id = $1 AND place = $2 AND state = 'searching'";
    UNDONE = "UPDATE recall SET undone_at = $2 WHERE id = $1 AND undone_at = 0";
    MOVE = "UPDATE recall SET state = $3, closed_at = $4 WHERE id = $1 AND state = $2";
    ADD_FINDING = "INSERT INTO recall_finding (recall, of, event, agency, notice, is_certain)
                   VALUES ($1, $2, $3, $4, $5, $6)";
    HAS_FINDING = "SELECT COUNT(*) FROM recall_finding WHERE recall = $1 AND of = $2 AND event = $3";
    COUNTS = "SELECT of, is_certain, COUNT(*) FROM recall_finding WHERE recall = $1 GROUP BY of, is_certain";
    UNACKNOWLEDGED = "SELECT COUNT(*) FROM recall_finding JOIN notice ON notice.id = recall_finding.notice
                      WHERE recall_finding.recall = $1 AND notice.acknowledged_at = 0";
    FINDINGS = "SELECT of, event, agency, is_certain FROM recall_finding WHERE recall = $1 ORDER BY of, event";
    WAITING_AGENCIES = "SELECT DISTINCT recall_finding.agency FROM recall_finding
                        JOIN notice ON notice.id = recall_finding.notice
                        WHERE recall_finding.recall = $1 AND notice.acknowledged_at = 0
                        ORDER BY recall_finding.agency";
    RECALLED = "SELECT COUNT(*) FROM recall_finding WHERE event = $1 AND of = 'engagement'";
    /// Entries of the three types that tell somebody about persons, by their places in the log.
    ANSWERS = "SELECT log_leaf.idx, event.id, event.body FROM log_leaf JOIN event ON event.id = log_leaf.event
               WHERE log_leaf.idx >= $1 AND log_leaf.idx < $2
                 AND event.type IN ('enquiry', 'family.disclosure', 'match.run.step')
               ORDER BY log_leaf.idx";
    OLDEST_PENDING = "SELECT COALESCE(MIN(event.at), 0) FROM log_pending JOIN event ON event.id = log_pending.event";
    RUNS = "SELECT id FROM match_run WHERE programme = $1 AND state = 'closed' ORDER BY number";
}

/// Where a recall is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecallState {
    /// Answers are looked through, and new ones may still rest on it.
    Searching,
    /// Everybody was told; not everybody has acknowledged.
    Waiting,
    /// Everybody has acknowledged.
    Closed,
}

impl RecallState {
    /// The word in database, log and output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Searching => "searching",
            Self::Waiting => "waiting",
            Self::Closed => "closed",
        }
    }
}

/// What a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindingKind {
    /// An answer about a person or a family, a screening row or a claim check.
    Answer,
    /// The evidence that a family's engagement was recorded with.
    Engagement,
    /// A reading of a match run.
    Run,
    /// A family that has records of different people.
    Family,
}

impl FindingKind {
    /// The word in database and log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Engagement => "engagement",
            Self::Run => "run",
            Self::Family => "family",
        }
    }
}

/// A recall as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecall {
    /// Its id.
    pub id: RecallId,
    /// The officer's account; empty when a holder raised it.
    pub raised_by: String,
    /// The holder that raised it.
    pub agency: Option<AgencyCode>,
    /// Why, a code.
    pub reason: String,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// The log entry of its opening; its sealed opening says what was wrong.
    pub opened: EventId,
    /// Where it is.
    pub state: RecallState,
    /// Entries below this index were looked at.
    pub place: u64,
    /// When no new answer could rest on it any more.
    pub undone_at: Option<Timestamp>,
    /// Answers that had it in them.
    pub looked: u64,
    /// Of these, those that come out the same without it.
    pub untouched: u64,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
}

/// Something that a recall found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFinding {
    /// What it is.
    pub of: FindingKind,
    /// The log entry of the answer; for a family 16 bytes that stand for its number.
    pub event: [u8; 16],
    /// Who received it.
    pub agency: AgencyCode,
    /// The notice that tells of it.
    pub notice: NoticeId,
    /// Whether it would certainly have been another answer.
    pub is_certain: bool,
}

/// What a recall found, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecallCounts {
    /// Answers that were wrong: answers, engagements, readings of runs.
    pub wrong: u64,
    /// Of these, those that could not be told apart any more and may have been right.
    pub unsettled: u64,
    /// Families that want attention.
    pub families: u64,
    /// Engagements among the wrong answers: claims that rest on them are held up.
    pub engagements: u64,
    /// Notices that nobody has acknowledged.
    pub unacknowledged: u64,
}

impl Store {
    /// A recall by id.
    pub async fn recall(&self, programme: &ProgrammeCode, id: RecallId) -> Result<Option<StoredRecall>, StoreError> {
        self.fetch_optional(BY_ID, values![programme.as_str(), id.as_bytes()]).await?.as_ref().map(read).transpose()
    }

    /// The recalls that are not closed, oldest first.
    pub async fn open_recalls(&self, programme: &ProgrammeCode) -> Result<Vec<StoredRecall>, StoreError> {
        self.fetch_all(OPEN, values![programme.as_str(), "closed"]).await?.iter().map(read).collect()
    }

    /// The newest recalls, closed ones too.
    pub async fn recalls(&self, programme: &ProgrammeCode) -> Result<Vec<StoredRecall>, StoreError> {
        self.fetch_all(ALL, values![programme.as_str(), ""]).await?.iter().map(read).collect()
    }

    /// What a recall found, in numbers.
    pub async fn recall_counts(&self, id: RecallId) -> Result<RecallCounts, StoreError> {
        let mut counts = RecallCounts::default();
        for row in self.fetch_all(COUNTS, values![id.as_bytes()]).await? {
            let (of, is_certain, count) = (row.text(0)?, row.int(1)? == 1, row.int(2)? as u64);
            match of.as_str() {
                "family" => counts.families += count,
                _ => counts.wrong += count,
            }
            counts.engagements += if of == "engagement" { count } else { 0 };
            counts.unsettled += if is_certain { 0 } else { count };
        }
        let row = self.fetch_optional(UNACKNOWLEDGED, values![id.as_bytes()]).await?;
        counts.unacknowledged = row.ok_or(StoreError::Corrupt("count"))?.int(0)? as u64;
        Ok(counts)
    }

    /// The wrong answers that a recall found: what, which log entry, who received it, whether it is certain.
    pub async fn recall_findings(&self, id: RecallId) -> Result<Vec<(String, [u8; 16], AgencyCode, bool)>, StoreError> {
        let rows = self.fetch_all(FINDINGS, values![id.as_bytes()]).await?;
        rows.iter()
            .map(|row| Ok((row.text(0)?, row.array(1, "finding")?, row.parsed(2, "agency")?, row.int(3)? == 1)))
            .collect()
    }

    /// The agencies that have not acknowledged everything.
    pub async fn recall_waits_for(&self, id: RecallId) -> Result<Vec<AgencyCode>, StoreError> {
        let rows = self.fetch_all(WAITING_AGENCIES, values![id.as_bytes()]).await?;
        rows.iter().map(|row| row.parsed(0, "agency")).collect()
    }

    /// Whether the evidence of an engagement was recalled.
    pub async fn is_recalled(&self, engagement: EventId) -> Result<bool, StoreError> {
        let row = self.fetch_optional(RECALLED, values![engagement.as_bytes()]).await?;
        Ok(row.ok_or(StoreError::Corrupt("count"))?.int(0)? > 0)
    }

    /// Entries that told somebody about persons, from `start` up to and without `end`.
    pub async fn answers_in_log(&self, start: u64, end: u64) -> Result<Vec<(EventId, Vec<u8>)>, StoreError> {
        let rows = self.fetch_all(ANSWERS, values![start as i64, end as i64]).await?;
        rows.iter()
            .map(|row| {
                let id = EventId::from_slice(&row.bytes(1)?).map_err(|_| StoreError::Corrupt("event id"))?;
                Ok((id, row.bytes(2)?))
            })
            .collect()
    }

    /// The time of the oldest entry that waits for its place in the log.
    pub async fn oldest_pending(&self) -> Result<Option<Timestamp>, StoreError> {
        let row = self.fetch_optional(OLDEST_PENDING, values![]).await?.ok_or(StoreError::Corrupt("time"))?;
        Ok(Some(row.int(0)?).filter(|at| *at > 0).map(Timestamp::from_micros))
    }

    /// Match runs that are closed, in their order.
    pub async fn closed_runs(&self, programme: &ProgrammeCode) -> Result<Vec<MatchRunId>, StoreError> {
        let rows = self.fetch_all(RUNS, values![programme.as_str()]).await?;
        let read = |row: &Row| MatchRunId::from_slice(&row.bytes(0)?).map_err(|_| StoreError::Corrupt("match run id"));
        rows.iter().map(read).collect()
    }
}

impl Tx {
    /// Opens a recall.
    pub async fn add_recall(
        &mut self,
        programme: &ProgrammeCode,
        new: &StoredRecall,
        tag: &[u8; 32],
    ) -> Result<(), StoreError> {
        let agency = new.agency.as_ref().map_or("", AgencyCode::as_str);
        let values = values![
            new.id.as_bytes(),
            programme.as_str(),
            &new.raised_by,
            agency,
            tag,
            &new.reason,
            new.opened_at.as_micros(),
            new.opened.as_bytes()
        ];
        self.execute(ADD, values).await.map(drop)
    }

    /// The recall that a request of this tag opened.
    pub async fn recall_by_tag(
        &mut self,
        programme: &ProgrammeCode,
        tag: &[u8; 32],
    ) -> Result<Option<StoredRecall>, StoreError> {
        self.fetch_optional(BY_TAG, values![programme.as_str(), tag]).await?.as_ref().map(read).transpose()
    }

    /// Notes how far the search has come. False when somebody else took it on meanwhile.
    pub async fn advance_recall(
        &mut self,
        recall: &StoredRecall,
        place: u64,
        looked: u64,
        untouched: u64,
    ) -> Result<bool, StoreError> {
        let values = values![recall.id.as_bytes(), recall.place as i64, place as i64, looked as i64, untouched as i64];
        Ok(self.execute(ADVANCE, values).await? == 1)
    }

    /// Notes that no new answer can rest on what was wrong.
    pub async fn note_undone(&mut self, id: RecallId, at: Timestamp) -> Result<(), StoreError> {
        self.execute(UNDONE, values![id.as_bytes(), at.as_micros()]).await.map(drop)
    }

    /// Moves a recall on. False when it is not where it was.
    pub async fn move_recall(
        &mut self,
        id: RecallId,
        from: RecallState,
        to: RecallState,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let closed_at = if to == RecallState::Closed { at.as_micros() } else { 0 };
        Ok(self.execute(MOVE, values![id.as_bytes(), from.as_str(), to.as_str(), closed_at]).await? == 1)
    }

    /// Keeps what was found.
    pub async fn add_finding(&mut self, recall: RecallId, new: &NewFinding) -> Result<(), StoreError> {
        let values = values![
            recall.as_bytes(),
            new.of.as_str(),
            &new.event,
            new.agency.as_str(),
            new.notice.as_bytes(),
            new.is_certain
        ];
        self.execute(ADD_FINDING, values).await.map(drop)
    }

    /// Whether something was found before.
    pub async fn has_finding(
        &mut self,
        recall: RecallId,
        of: FindingKind,
        event: &[u8; 16],
    ) -> Result<bool, StoreError> {
        let row = self.fetch_optional(HAS_FINDING, values![recall.as_bytes(), of.as_str(), event]).await?;
        Ok(row.ok_or(StoreError::Corrupt("count"))?.int(0)? > 0)
    }
}

fn read(row: &Row) -> Result<StoredRecall, StoreError> {
    let agency = row.text(2)?;
    let time = |micros: i64| Some(micros).filter(|micros| *micros > 0).map(Timestamp::from_micros);
    Ok(StoredRecall {
        id: RecallId::from_slice(&row.bytes(0)?).map_err(|_| StoreError::Corrupt("recall id"))?,
        raised_by: row.text(1)?,
        agency: if agency.is_empty() { None } else { Some(row.parsed(2, "agency")?) },
        reason: row.text(3)?,
        opened_at: Timestamp::from_micros(row.int(4)?),
        opened: EventId::from_slice(&row.bytes(5)?).map_err(|_| StoreError::Corrupt("event id"))?,
        state: match row.text(6)?.as_str() {
            "searching" => RecallState::Searching,
            "waiting" => RecallState::Waiting,
            "closed" => RecallState::Closed,
            _ => return Err(StoreError::Corrupt("recall state")),
        },
        place: row.int(7)? as u64,
        undone_at: time(row.int(8)?),
        looked: row.int(9)? as u64,
        untouched: row.int(10)? as u64,
        closed_at: time(row.int(11)?),
    })
}
