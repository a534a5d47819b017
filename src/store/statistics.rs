//! Tables of counts as they were released, and the records that the next release counts.

use super::bulk::BulkInsert;
use super::links::read_marks;
use super::records::{StoredToken, unpack};
use super::statements::statements;
use super::value::{Row, Value, values};
use super::{Store, StoreError, Tx};
use crate::domain::ids::{AgencyCode, FeedCode, OpaqueRef, ProgrammeCode};
use crate::domain::time::Timestamp;

pub(super) static ADD_FIGURES: BulkInsert =
    BulkInsert::new("INSERT INTO statistics_figure (programme, series, figure, number, shown) VALUES", 5, "");

statements! {
    LATEST = "SELECT number, as_at, basis, sources FROM statistics_release
              WHERE programme = $1 AND series = $2 ORDER BY number DESC LIMIT 1";
    NEWEST = "SELECT series, MAX(number) FROM statistics_release WHERE programme = $1 GROUP BY series ORDER BY series";
    STANDING = "SELECT statistics_figure.figure, statistics_figure.number, statistics_release.as_at,
                       statistics_figure.shown
                FROM statistics_figure
                JOIN statistics_release ON statistics_release.programme = statistics_figure.programme
                  AND statistics_release.series = statistics_figure.series
                  AND statistics_release.number = statistics_figure.number
                WHERE statistics_figure.programme = $1 AND statistics_figure.series = $2
                  AND NOT EXISTS (SELECT 1 FROM statistics_figure later
                                  WHERE later.programme = statistics_figure.programme
                                    AND later.series = statistics_figure.series
                                    AND later.figure = statistics_figure.figure
                                    AND later.number > statistics_figure.number)
                ORDER BY statistics_figure.figure";
    /// The days of a release and of the earlier ones of which a figure stood when it was made.
    BEHIND = "SELECT as_at FROM statistics_release WHERE programme = $1 AND series = $2 AND number = $3
              UNION
              SELECT statistics_release.as_at FROM statistics_figure
              JOIN statistics_release ON statistics_release.programme = statistics_figure.programme
                AND statistics_release.series = statistics_figure.series
                AND statistics_release.number = statistics_figure.number
              WHERE statistics_figure.programme = $1 AND statistics_figure.series = $2
                AND statistics_figure.number <= $3
                AND NOT EXISTS (SELECT 1 FROM statistics_figure later
                                WHERE later.programme = statistics_figure.programme
                                  AND later.series = statistics_figure.series
                                  AND later.figure = statistics_figure.figure
                                  AND later.number > statistics_figure.number AND later.number <= $3)
              ORDER BY as_at";
    MEMBERS = "SELECT number, members FROM statistics_release
               WHERE programme = $1 AND series = $2 AND members <> $3 ORDER BY number";
    ADD = "INSERT INTO statistics_release (programme, series, number, as_at, basis, sources, members)
           VALUES ($1, $2, $3, $4, $5, $6, $7)";
    SET_MEMBERS = "UPDATE statistics_release SET members = $4
                   WHERE programme = $1 AND series = $2 AND number = $3";
    EVERY_MEMBERS = "SELECT programme, series, number, members FROM statistics_release
                     WHERE members <> $1 ORDER BY programme, series, number";
    REPLACE_MEMBERS = "UPDATE statistics_release SET members = $5
                       WHERE programme = $1 AND series = $2 AND number = $3 AND members = $4";
    /// Records that may be counted, in the order of their components. Nothing that a shield reaches is
    /// ever counted, whoever asks.
    COUNTED = "SELECT link.component, record.id, record.agency, record.feed, record.reference, record.tokens,
                      record.households, record.evidence, link.apart
               FROM link
               JOIN record ON record.id = link.record
               JOIN submission ON submission.id = record.submission
               WHERE link.visible_from <= $1 AND link.visible_to + 0 > $1 AND link.shielded = 0
                 AND submission.visible_from <= $1 AND submission.visible_to > $1
                 AND submission.programme = $2
                 AND replace($3, '|' || record.agency || '/' || record.feed || '|', '') <> $3
                 AND (link.component, link.record) > ($4, $5)
               ORDER BY link.component, link.record LIMIT $6";
}

/// A release without its figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRelease {
    /// Its number.
    pub number: i64,
    /// The day that it describes.
    pub as_at: Timestamp,
    /// What was decided.
    pub basis: [u8; 32],
    /// The feeds that it rests on, JSON.
    pub sources: String,
}

/// A figure as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingFigure {
    /// Its lasting name.
    pub figure: String,
    /// The release that set it.
    pub number: i64,
    /// The day that that release describes.
    pub as_at: Timestamp,
    /// The count as shown; none when it is kept back.
    pub shown: Option<i64>,
}

/// A release that is about to be stored.
#[derive(Debug, Clone)]
pub struct NewRelease<'a> {
    /// The release.
    pub release: StoredRelease,
    /// Those counted, sealed.
    pub members: Vec<u8>,
    /// The figures that it sets.
    pub figures: &'a [(String, Option<i64>)],
    /// Releases of which a figure still stands; the members of others are forgotten.
    pub standing: &'a [i64],
}

/// A record that may be counted.
#[derive(Debug, Clone)]
pub struct CountedRecord {
    /// The component that it is in.
    pub component: i64,
    /// Its id.
    pub id: i64,
    /// Whose.
    pub agency: AgencyCode,
    /// From which feed.
    pub feed: FeedCode,
    /// The agency's reference.
    pub reference: OpaqueRef,
    /// Blinded tokens.
    pub tokens: Vec<StoredToken>,
    /// Blinded household tokens.
    pub households: Vec<StoredToken>,
    /// Sealed evidence.
    pub evidence: Vec<u8>,
    /// On which side of which splits the person stands.
    pub apart: Vec<[u8; 16]>,
}

/// Sealed members of a release: programme, series, number and the sealed bytes.
pub type SealedMembers = (String, String, i64, Vec<u8>);

impl Store {
    /// The newest release of a series.
    pub async fn latest_release(
        &self,
        programme: &ProgrammeCode,
        series: &str,
    ) -> Result<Option<StoredRelease>, StoreError> {
        let row = self.fetch_optional(LATEST, values![programme.as_str(), series]).await?;
        row.as_ref().map(read_release).transpose()
    }

    /// Every series with the number of its newest release.
    pub async fn newest_releases(&self, programme: &ProgrammeCode) -> Result<Vec<(String, i64)>, StoreError> {
        read_newest(&self.fetch_all(NEWEST, values![programme.as_str()]).await?)
    }

    /// Every figure of a series as it stands.
    pub async fn standing_figures(
        &self,
        programme: &ProgrammeCode,
        series: &str,
    ) -> Result<Vec<StandingFigure>, StoreError> {
        let rows = self.fetch_all(STANDING, values![programme.as_str(), series]).await?;
        rows.iter()
            .map(|row| {
                Ok(StandingFigure {
                    figure: row.text(0)?,
                    number: row.int(1)?,
                    as_at: Timestamp::from_micros(row.int(2)?),
                    shown: row.optional_int(3)?,
                })
            })
            .collect()
    }

    /// The days whose records a release shows: its own, and those of earlier releases of which a figure stood in it.
    pub async fn days_behind_release(
        &self,
        programme: &ProgrammeCode,
        series: &str,
        number: i64,
    ) -> Result<Vec<Timestamp>, StoreError> {
        let rows = self.fetch_all(BEHIND, values![programme.as_str(), series, number]).await?;
        rows.iter().map(|row| Ok(Timestamp::from_micros(row.int(0)?))).collect()
    }

    /// Those counted in releases of which a figure still stands, sealed.
    pub async fn release_members(
        &self,
        programme: &ProgrammeCode,
        series: &str,
    ) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        let rows = self.fetch_all(MEMBERS, values![programme.as_str(), series, &b""[..]]).await?;
        rows.iter().map(|row| Ok((row.int(0)?, row.bytes(1)?))).collect()
    }

    /// Sealed members of every release.
    pub async fn sealed_members(&self) -> Result<Vec<SealedMembers>, StoreError> {
        let rows = self.fetch_all(EVERY_MEMBERS, values![&b""[..]]).await?;
        rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?, row.int(2)?, row.bytes(3)?))).collect()
    }

    /// A page of the records that may be counted at a generation: of these feeds, and reached by no
    /// shield. They come component by component.
    pub async fn counted_records(
        &self,
        programme: &ProgrammeCode,
        generation: i64,
        feeds: &[(AgencyCode, FeedCode)],
        after: (i64, i64),
        limit: i64,
    ) -> Result<Vec<CountedRecord>, StoreError> {
        let feeds: String =
            feeds.iter().fold("|".to_owned(), |text, (agency, feed)| format!("{text}{agency}/{feed}||"));
        let values = values![generation, programme.as_str(), &feeds, after.0, after.1, limit];
        self.fetch_all(COUNTED, values).await?.iter().map(read_record).collect()
    }
}

impl Tx {
    /// As [`Store::newest_releases`], as this transaction sees it.
    pub async fn newest_releases(&mut self, programme: &ProgrammeCode) -> Result<Vec<(String, i64)>, StoreError> {
        read_newest(&self.fetch_all(NEWEST, values![programme.as_str()]).await?)
    }

    /// Stores a release. [`StoreError::Conflict`] when another of its number was first.
    pub async fn add_release(
        &mut self,
        programme: &ProgrammeCode,
        series: &str,
        new: &NewRelease<'_>,
    ) -> Result<(), StoreError> {
        let release = &new.release;
        let values = values![
            programme.as_str(),
            series,
            release.number,
            release.as_at.as_micros(),
            &release.basis,
            &release.sources,
            &new.members
        ];
        self.execute(ADD, values).await?;
        let figures: Vec<Value<'_>> = new
            .figures
            .iter()
            .flat_map(|(figure, shown)| {
                [
                    programme.as_str().into(),
                    series.into(),
                    figure.into(),
                    release.number.into(),
                    shown.map_or(Value::NoInt, Value::Int),
                ]
            })
            .collect();
        self.insert_many(&ADD_FIGURES, &figures).await?;
        let kept = self.fetch_all(MEMBERS, values![programme.as_str(), series, &b""[..]]).await?;
        for row in &kept {
            let number = row.int(0)?;
            if !new.standing.contains(&number) {
                self.execute(SET_MEMBERS, values![programme.as_str(), series, number, &b""[..]]).await?;
            }
        }
        Ok(())
    }

    /// Puts members, sealed again, in the place of what was read; no change when they were forgotten.
    pub async fn replace_members(&mut self, old: &SealedMembers, sealed: &[u8]) -> Result<(), StoreError> {
        let (programme, series, number, before) = old;
        let values = values![programme, series, *number, before, sealed];
        self.execute(REPLACE_MEMBERS, values).await.map(drop)
    }
}

fn read_newest(rows: &[Row]) -> Result<Vec<(String, i64)>, StoreError> {
    rows.iter().map(|row| Ok((row.text(0)?, row.int(1)?))).collect()
}

fn read_release(row: &Row) -> Result<StoredRelease, StoreError> {
    Ok(StoredRelease {
        number: row.int(0)?,
        as_at: Timestamp::from_micros(row.int(1)?),
        basis: row.array(2, "basis of a release")?,
        sources: row.text(3)?,
    })
}

fn read_record(row: &Row) -> Result<CountedRecord, StoreError> {
    Ok(CountedRecord {
        component: row.int(0)?,
        id: row.int(1)?,
        agency: row.parsed(2, "agency")?,
        feed: row.parsed(3, "feed")?,
        reference: OpaqueRef::parse(&row.text(4)?).map_err(|_| StoreError::Corrupt("record reference"))?,
        tokens: unpack(&row.bytes(5)?)?,
        households: unpack(&row.bytes(6)?)?,
        evidence: row.bytes(7)?,
        apart: read_marks(row.optional_bytes(8)?)?,
    })
}
