//! Incidents: recorded, assessed, decided by two people, closed; and the pack for whoever is notified.
//!
//! What is kept of an incident are codes and numbers; every step is an entry of the log in the same
//! transaction, with the hash of the whole record, so that the record of a day can be proved.

mod notice;
mod pack;
mod propose;

use super::enrol::code;
use super::error::AppError;
use super::gateway::Gateway;
use crate::crypto::random::uuid_v7;
use crate::domain::ids::IncidentId;
use crate::domain::incident::{Assessment, Closing, Decision, Incident, IncidentError, Nature, Risk, State};
use crate::domain::time::Timestamp;
use crate::store::{NewEvent, StoreError, StoredIncident};
use crate::tlog::digest::Digest;
use crate::tlog::entry::{Body, IncidentLink, IncidentStep};

pub use pack::{PackError, Packed};
pub use propose::{Proposal, ProposedDecision};

/// Incidents of one list.
const MOST: i64 = 500;

/// Why a step is not recorded.
#[derive(Debug, thiserror::Error)]
pub enum IncidentJourneyError {
    /// There is no such incident.
    #[error("there is no such incident")]
    Unknown,
    /// What an incident would be linked to is not there.
    #[error("there is no such recall, alert or log entry to link the incident to")]
    NoSuchLink,
    /// Somebody else changed it meanwhile.
    #[error("somebody else changed the incident meanwhile: look at it again")]
    Changed,
    /// The step itself is at fault.
    #[error(transparent)]
    Step(#[from] IncidentError),
    /// Something failed inside.
    #[error(transparent)]
    App(#[from] AppError),
}

impl From<StoreError> for IncidentJourneyError {
    fn from(error: StoreError) -> Self {
        Self::App(error.into())
    }
}

/// What an incident is linked to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// `recall`, `alert` or `entry`.
    pub of: String,
    /// Its id.
    pub name: String,
}

/// An incident with its id and links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentReport {
    /// Its id.
    pub id: IncidentId,
    /// What is recorded.
    pub incident: Incident,
    /// What it is linked to.
    pub links: Vec<Link>,
    /// When this was read, by the database's clock.
    pub now: Timestamp,
}

/// What is said when an incident is assessed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAssessment {
    /// The risk to people.
    pub risk: Risk,
    /// About how many people.
    pub people: u64,
    /// About how many records.
    pub records: u64,
    /// What may follow for people, codes.
    pub consequences: Vec<String>,
    /// What was done, codes.
    pub measures: Vec<String>,
    /// Why this risk.
    pub reason: String,
}

/// What is said when it is decided who is notified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDecision {
    /// The other account.
    pub seconded_by: String,
    /// Whether the Commissioner is notified.
    pub notify_commissioner: bool,
    /// Whether the people are told.
    pub notify_people: bool,
    /// Why.
    pub reason: String,
    /// Why it is late.
    pub late_reason: Option<String>,
}

impl Gateway {
    /// Records an incident. `aware_at` is when the controller became aware; now, if it is not given.
    ///
    /// # Errors
    ///
    /// [`IncidentJourneyError`].
    pub async fn open_incident(
        &self,
        by: &str,
        nature: Nature,
        reason: &str,
        aware_at: Option<Timestamp>,
        links: &[Link],
    ) -> Result<IncidentReport, IncidentJourneyError> {
        for link in links {
            self.check_link(link).await?;
        }
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        let id = IncidentId::new(uuid_v7(now, self.random()));
        let incident = Incident::open(now, aware_at.unwrap_or(now), by, nature, reason)?;
        let stored = stored(id, &incident, 1)?;
        tx.add_incident(self.programme(), &stored, incident.aware_at, now).await?;
        let mut entries = vec![self.incident_entry(id, &incident, &stored, now, (by, None), reason)?];
        for link in links {
            tx.link_incident(id, &link.of, &link.name).await?;
            entries.push(self.link_entry(id, &link.of, &link.name, by, now)?);
        }
        tx.add_events(&entries.iter().collect::<Vec<_>>()).await?;
        tx.commit().await?;
        self.wake_sequencer();
        self.incident_report(id).await?.ok_or(IncidentJourneyError::Unknown)
    }

    /// Takes a risk assessment.
    ///
    /// # Errors
    ///
    /// [`IncidentJourneyError`].
    pub async fn assess_incident(
        &self,
        id: IncidentId,
        by: &str,
        new: &NewAssessment,
    ) -> Result<IncidentReport, IncidentJourneyError> {
        check_codes(new.consequences.iter().chain(&new.measures))?;
        self.step_incident(id, (by, None), &new.reason, |incident, now| {
            let NewAssessment { risk, people, records, consequences, measures, reason } = new.clone();
            let by = by.to_owned();
            incident.assess(Assessment { at: now, by, risk, people, records, consequences, measures, reason })
        })
        .await
    }

    /// Takes the decision who is notified: two accounts.
    ///
    /// # Errors
    ///
    /// [`IncidentJourneyError`].
    pub async fn decide_incident(
        &self,
        id: IncidentId,
        by: &str,
        new: &NewDecision,
    ) -> Result<IncidentReport, IncidentJourneyError> {
        check_codes(new.late_reason.iter())?;
        self.step_incident(id, (by, Some(&new.seconded_by)), &new.reason, |incident, now| {
            let NewDecision { seconded_by, notify_commissioner, notify_people, reason, late_reason } = new.clone();
            let by = by.to_owned();
            incident.decide(Decision {
                at: now,
                by,
                seconded_by,
                notify_commissioner,
                notify_people,
                reason,
                late_reason,
            })
        })
        .await
    }

    /// Closes an incident.
    ///
    /// # Errors
    ///
    /// [`IncidentJourneyError`].
    pub async fn close_incident(
        &self,
        id: IncidentId,
        by: &str,
        reason: &str,
    ) -> Result<IncidentReport, IncidentJourneyError> {
        self.step_incident(id, (by, None), reason, |incident, now| {
            incident.close(Closing { at: now, by: by.to_owned(), reason: reason.to_owned() })
        })
        .await
    }

    /// Links an incident to a recall, an alert or a log entry.
    ///
    /// # Errors
    ///
    /// [`IncidentJourneyError`].
    pub async fn link_incident(
        &self,
        id: IncidentId,
        by: &str,
        link: &Link,
    ) -> Result<IncidentReport, IncidentJourneyError> {
        let before = self.store().incident(self.programme(), id).await?.ok_or(IncidentJourneyError::Unknown)?;
        if matches!(read(&before)?.state, State::Closed { .. }) {
            return Err(IncidentError::State.into());
        }
        self.check_link(link).await?;
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        // The record stays as it is and is a revision on: whoever closes it meanwhile is told to look again.
        if !tx.change_incident(&before).await? {
            return Err(IncidentJourneyError::Changed);
        }
        tx.link_incident(id, &link.of, &link.name).await?;
        tx.add_events(&[&self.link_entry(id, &link.of, &link.name, by, now)?]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        self.incident_report(id).await?.ok_or(IncidentJourneyError::Unknown)
    }

    /// An incident; `None` when there is none of this id.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn incident_report(&self, id: IncidentId) -> Result<Option<IncidentReport>, AppError> {
        match self.store().incident(self.programme(), id).await? {
            Some(stored) => Ok(Some(self.report_of(&stored).await?)),
            None => Ok(None),
        }
    }

    /// The newest incidents.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn incident_reports(&self) -> Result<Vec<IncidentReport>, AppError> {
        let mut reports = Vec::new();
        for stored in self.store().incidents(self.programme(), MOST).await? {
            reports.push(self.report_of(&stored).await?);
        }
        Ok(reports)
    }

    async fn report_of(&self, stored: &StoredIncident) -> Result<IncidentReport, AppError> {
        let links = self.store().incident_links(stored.id).await?;
        let links = links.into_iter().map(|(of, name)| Link { of, name }).collect();
        let now = self.store().now().await?;
        Ok(IncidentReport { id: stored.id, incident: read(stored)?, links, now })
    }

    async fn step_incident(
        &self,
        id: IncidentId,
        by: (&str, Option<&String>),
        reason: &str,
        step: impl FnOnce(&mut Incident, Timestamp) -> Result<(), IncidentError>,
    ) -> Result<IncidentReport, IncidentJourneyError> {
        let before = self.store().incident(self.programme(), id).await?.ok_or(IncidentJourneyError::Unknown)?;
        let mut incident = read(&before)?;
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        step(&mut incident, now)?;
        let changed = stored(id, &incident, before.revision)?;
        if !tx.change_incident(&changed).await? {
            return Err(IncidentJourneyError::Changed);
        }
        tx.add_events(&[&self.incident_entry(id, &incident, &changed, now, by, reason)?]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        self.incident_report(id).await?.ok_or(IncidentJourneyError::Unknown)
    }

    fn incident_entry(
        &self,
        id: IncidentId,
        incident: &Incident,
        stored: &StoredIncident,
        now: Timestamp,
        (by, seconded_by): (&str, Option<&String>),
        reason: &str,
    ) -> Result<NewEvent, AppError> {
        let decision = incident.decision();
        let body = IncidentStep {
            incident: id,
            aware_at: incident.aware_at,
            nature: code(incident.nature.as_str())?,
            to: code(incident.state.as_str())?,
            risk: incident.assessment().map(|assessment| code(assessment.risk.as_str())).transpose()?,
            notify_commissioner: decision.map(|decision| decision.notify_commissioner.into()),
            notify_people: decision.map(|decision| decision.notify_people.into()),
            late_reason: decision.and_then(|decision| decision.late_reason.as_deref()).map(code).transpose()?,
            reason: code(reason)?,
            record_sha256: Digest::of(stored.facts.as_bytes()),
            by: code(by)?,
            seconded_by: seconded_by.map(|account| code(account)).transpose()?,
        };
        self.event(now, Body::IncidentStep(body))
    }

    pub(super) fn link_entry(
        &self,
        id: IncidentId,
        of: &str,
        name: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<NewEvent, AppError> {
        let body = IncidentLink { incident: id, of: code(of)?, name: code(name)?, by: code(by)? };
        self.event(now, Body::IncidentLink(body))
    }

    /// An incident is linked to what there is.
    async fn check_link(&self, link: &Link) -> Result<(), IncidentJourneyError> {
        let is_there = match link.of.as_str() {
            "recall" => match link.name.parse() {
                Ok(recall) => self.store().recall(self.programme(), recall).await?.is_some(),
                Err(_) => false,
            },
            "entry" => match link.name.parse() {
                Ok(event) => self.store().event_body(event).await?.is_some(),
                Err(_) => false,
            },
            "alert" => match link.name.parse() {
                Ok(event) => self.store().alert(event).await?.is_some(),
                Err(_) => false,
            },
            _ => false,
        };
        if is_there { Ok(()) } else { Err(IncidentJourneyError::NoSuchLink) }
    }
}

fn stored(id: IncidentId, incident: &Incident, revision: i64) -> Result<StoredIncident, AppError> {
    let facts = serde_json::to_string(incident).map_err(|_| AppError::Internal("an incident cannot be written"))?;
    Ok(StoredIncident { id, state: incident.state.as_str().to_owned(), facts, revision })
}

fn read(stored: &StoredIncident) -> Result<Incident, StoreError> {
    serde_json::from_str(&stored.facts).map_err(|_| StoreError::Corrupt("an incident"))
}

/// Everything that is recorded in words is a code: no name of a person fits in one.
fn check_codes<'a>(mut codes: impl Iterator<Item = &'a String>) -> Result<(), AppError> {
    codes.try_for_each(|text| code(text).map(drop))
}
