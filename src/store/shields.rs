//! When agencies mean to look at their own shields again.

use super::statements::statements;
use super::value::{Row, values};
use super::{Store, StoreError, Tx};
use crate::domain::ids::{AgencyCode, FeedCode, OpaqueRef, ProgrammeCode};
use crate::domain::time::Timestamp;
use jiff::civil::Date;

statements! {
    /// An agency's own records that it restricts, as a generation shows them; nothing of any other agency's.
    OWN = "SELECT record.feed, record.reference, shield_review.review_on
           FROM submission
           JOIN record ON record.submission = submission.id AND record.restricted = 1
           JOIN link ON link.record = record.id AND link.visible_from <= $1 AND link.visible_to + 0 > $1
           LEFT JOIN shield_review ON shield_review.programme = submission.programme
                AND shield_review.agency = record.agency AND shield_review.feed = record.feed
                AND shield_review.reference = record.reference
           WHERE submission.visible_from <= $1 AND submission.visible_to > $1
             AND submission.programme = $2 AND submission.agency = $3
             AND (record.feed, record.reference) > ($4, $5)
           ORDER BY record.feed, record.reference LIMIT $6";
    NOTE = "INSERT INTO shield_review (programme, agency, feed, reference, review_on, noted_at)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (programme, agency, feed, reference)
            DO UPDATE SET review_on = excluded.review_on, noted_at = excluded.noted_at";
}

/// A record that an agency restricts itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnShield {
    /// The agency's feed.
    pub feed: FeedCode,
    /// The agency's own reference.
    pub reference: OpaqueRef,
    /// The day on which the agency means to look at it again.
    pub review_on: Option<Date>,
}

impl Store {
    /// The records that an agency restricts itself, in the order of feed and reference, after one.
    pub async fn own_shields(
        &self,
        programme: &ProgrammeCode,
        generation: i64,
        agency: &AgencyCode,
        after: Option<(&FeedCode, &OpaqueRef)>,
        limit: i64,
    ) -> Result<Vec<OwnShield>, StoreError> {
        let (feed, reference) = after.map_or(("", ""), |(feed, reference)| (feed.as_str(), reference.as_str()));
        let values = values![generation, programme.as_str(), agency.as_str(), feed, reference, limit];
        self.fetch_all(OWN, values).await?.iter().map(read).collect()
    }
}

impl Tx {
    /// Notes when an agency means to look at a record of its own again, restricted or not.
    pub async fn note_shield_review(
        &mut self,
        programme: &ProgrammeCode,
        agency: &AgencyCode,
        (feed, reference): (&FeedCode, &OpaqueRef),
        review_on: Date,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let day = review_on.to_string();
        let values =
            values![programme.as_str(), agency.as_str(), feed.as_str(), reference.as_str(), &day, now.as_micros()];
        self.execute(NOTE, values).await.map(drop)
    }
}

fn read(row: &Row) -> Result<OwnShield, StoreError> {
    let reference = OpaqueRef::parse(&row.text(1)?).map_err(|_| StoreError::Corrupt("record reference"))?;
    let review_on = row.optional_text(2)?.map(|day| day.parse()).transpose();
    let review_on = review_on.map_err(|_| StoreError::Corrupt("day"))?;
    Ok(OwnShield { feed: row.parsed(0, "feed")?, reference, review_on })
}
