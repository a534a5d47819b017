//! An agency reads its own records of a case or part, and what was disclosed from them.
//!
//! Shown are the disclosures that were about this person. What was asked about another of the family is
//! that person's affair and is left out, although it may have rested on the same record; so is what an
//! agency got that shields the person.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{ActingUser, Done, Matter, Said, SubjectError};
use crate::app::caller::AgencyCaller;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::domain::ids::{AgencyCode, EventId, FeedCode, OpaqueRef};
use crate::domain::pair::RecordName;
use crate::domain::record::Evidence;
use crate::domain::subject_case::Effect;
use crate::domain::time::Timestamp;
use crate::store::{RecordEntry, RecordMark, StoreError};
use crate::tlog::canonical;

/// The caller's own data in a case or part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnData {
    /// The records, by feed and reference.
    pub records: Vec<OwnRecordSeen>,
    /// What was disclosed from them about this person, oldest first.
    pub disclosures: Vec<DisclosureSeen>,
}

/// A record as its own agency delivered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnRecordSeen {
    /// The feed.
    pub feed: FeedCode,
    /// The agency's own reference.
    pub reference: OpaqueRef,
    /// The day that the delivery describes; `None` where the feed does not show the record any more.
    pub as_at: Option<Date>,
    /// What the record says.
    pub evidence: Option<Evidence>,
    /// It is kept and not used.
    pub is_restricted: bool,
    /// The criteria that are contested; an empty text for all of them.
    pub contested: Vec<String>,
}

/// One disclosure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisclosureSeen {
    /// The log entry.
    pub disclosure: EventId,
    /// When.
    pub at: Timestamp,
    /// The entry type.
    pub kind: String,
    /// Who got it.
    pub recipient: String,
    /// What for.
    pub purpose: String,
    /// In which form.
    pub mode: String,
    /// Under which agreement.
    pub agreement: String,
    /// Which items of the caller's own feeds could be in it.
    pub items: Vec<String>,
}

/// An entry, as far as this needs it.
#[derive(Deserialize)]
struct Disclosed {
    #[serde(default)]
    recipient: Option<String>,
    #[serde(default)]
    agency: Option<String>,
    #[serde(default)]
    purpose: String,
    #[serde(default)]
    mode: String,
    #[serde(default)]
    agreement: String,
    #[serde(default)]
    decisions: Vec<Line>,
}

#[derive(Deserialize)]
struct Line {
    supplier: String,
    item: String,
    outcome: String,
}

impl Gateway {
    /// Gives the caller its own data. The look is an entry before anything is shown.
    ///
    /// # Errors
    ///
    /// [`SubjectError`]; nothing is shown then.
    pub async fn subject_data(
        &self,
        caller: &AgencyCaller,
        matter: Matter,
        user: &ActingUser,
    ) -> Result<Done<OwnData>, SubjectError> {
        self.check_acting(user).await?;
        let own = self.own_matter(caller, matter).await?;
        let view = self.store().view(self.programme()).await?;
        let view = view.ok_or_else(|| AppError::Policy("no programme is loaded".to_owned()))?;
        let records = self.own_records(&caller.agency, &own.records, view.generation).await?;
        let (_, persons) = self.persons_of(&caller.agency, &own.records, view.generation).await?;
        let entries = self.entries_of_records(&own.records).await?;
        let disclosures = disclosures(entries, &caller.agency, &persons.shielding)?;

        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        let said = Said { action: "data-read", due: own.clock.due_on(), ..Said::default() };
        let entry = self.subject_entry(caller, user, (&own.text, own.right.as_str()), &said, &own.records, now)?;
        tx.add_events(&[&entry]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(self.done(&entry, OwnData { records, disclosures })?)
    }

    async fn own_records(
        &self,
        agency: &AgencyCode,
        names: &[RecordName],
        generation: i64,
    ) -> Result<Vec<OwnRecordSeen>, AppError> {
        let mut by_feed: BTreeMap<&FeedCode, Vec<OpaqueRef>> = BTreeMap::new();
        for name in names {
            by_feed.entry(&name.feed).or_default().push(name.reference.clone());
        }
        let marks = self.store().record_marks(self.programme()).await?;
        let mut seen = Vec::new();
        for (feed, references) in by_feed {
            let shown = self.store().shown_records(self.programme(), generation, (agency, feed), &references).await?;
            for reference in references {
                let record = shown.iter().find(|record| record.reference == reference);
                let of_record = |mark: &&RecordMark| mark.is_of(agency, feed, &reference);
                let own: Vec<&RecordMark> = marks.iter().filter(of_record).collect();
                let contested = own.iter().filter(|mark| mark.effect == Effect::Contested);
                seen.push(OwnRecordSeen {
                    feed: feed.clone(),
                    as_at: record.map(|record| record.as_at.date()),
                    evidence: record.map(|record| self.open_evidence(record.id, &record.evidence)).transpose()?,
                    is_restricted: own.iter().any(|mark| mark.effect == Effect::Restricted),
                    contested: contested.map(|mark| mark.criterion.clone()).collect(),
                    reference,
                });
            }
        }
        Ok(seen)
    }
}

/// What was disclosed about the person of these records.
fn disclosures(
    entries: Vec<RecordEntry>,
    own: &AgencyCode,
    shielding: &BTreeSet<AgencyCode>,
) -> Result<Vec<DisclosureSeen>, StoreError> {
    let mut seen: BTreeMap<(Timestamp, EventId), DisclosureSeen> = BTreeMap::new();
    for entry in entries.into_iter().filter(|entry| entry.of.is_asked_about) {
        let corrupt = || StoreError::Corrupt("a log entry");
        let envelope = canonical::envelope(&entry.body).map_err(|_| corrupt())?;
        let said: Disclosed = serde_json::from_str(envelope.body).map_err(|_| corrupt())?;
        let recipient = said.recipient.or(said.agency).unwrap_or_default();
        if shielding.iter().any(|agency| agency.as_str() == recipient && agency != own) {
            continue;
        }
        let is_own = |line: &&Line| line.supplier == own.as_str() && line.outcome == "permitted";
        let items: BTreeSet<String> = said.decisions.iter().filter(is_own).map(|line| line.item.clone()).collect();
        seen.insert(
            (entry.at, entry.event),
            DisclosureSeen {
                disclosure: entry.event,
                at: entry.at,
                kind: envelope.kind.to_owned(),
                recipient,
                purpose: said.purpose,
                mode: said.mode,
                agreement: said.agreement,
                items: items.into_iter().collect(),
            },
        );
    }
    Ok(seen.into_values().collect())
}
