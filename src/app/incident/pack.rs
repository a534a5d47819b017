//! The notice pack of an incident: what the Commissioner and joint controllers are told, and proof of it.
//!
//! It has what happened, when, how many records, which agencies and which entries of the log, each with
//! its text and its inclusion proof. It names nobody: entries hold no identity, and no opening is in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::notice::words;
use super::{IncidentJourneyError, IncidentReport};
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::domain::agency::Agency;
use crate::domain::ids::{AgencyCode, EventId, IncidentId, RecallId};
use crate::store::StoreError;
use crate::tlog::digest::Digest;
use crate::tlog::entry::{Body, Entry, EntryFacts};

/// Why a pack is not written.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The folder has something in it.
    #[error("{0}: the folder is not empty; a pack is never mixed with anything")]
    NotEmpty(PathBuf),
    /// A file cannot be written.
    #[error("cannot write {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The incident cannot be read.
    #[error(transparent)]
    Incident(#[from] IncidentJourneyError),
}

impl From<AppError> for PackError {
    fn from(error: AppError) -> Self {
        Self::Incident(error.into())
    }
}
impl From<StoreError> for PackError {
    fn from(error: StoreError) -> Self {
        Self::Incident(error.into())
    }
}

/// What a pack has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packed {
    /// Entries of the log, each with its text.
    pub entries: u64,
    /// Those of them that have a proof already.
    pub proved: u64,
    /// Agencies that received an answer that it is about.
    pub agencies: u64,
}

/// What an incident's recalls and entries come to.
#[derive(Default)]
pub(super) struct Reach {
    pub(super) entries: BTreeSet<EventId>,
    /// Answers that a recall found to be wrong, by the agency that received them.
    pub(super) wrong: BTreeMap<AgencyCode, u64>,
    /// Answers that the incident is linked to itself: nothing says that they were wrong.
    pub(super) linked: BTreeMap<AgencyCode, u64>,
    /// What these answers told: areas and other items.
    pub(super) items: BTreeSet<String>,
    /// Where the Data Protection Officers of these agencies are reached; of all where none is named.
    pub(super) officers: Vec<(AgencyCode, String)>,
    pub(super) recalls: Vec<Value>,
    pub(super) alerts: Vec<String>,
}

impl Reach {
    /// Everybody who received something.
    fn agencies(&self) -> BTreeSet<&AgencyCode> {
        self.wrong.keys().chain(self.linked.keys()).collect()
    }
}

impl Gateway {
    /// Writes the notice pack into a folder. That it was written is an entry of the log first.
    ///
    /// # Errors
    ///
    /// [`PackError`].
    pub async fn pack_incident(&self, id: IncidentId, by: &str, folder: &Path) -> Result<Packed, PackError> {
        let report = self.incident_report(id).await?.ok_or(IncidentJourneyError::Unknown)?;
        let is_used = std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
        if is_used {
            return Err(PackError::NotEmpty(folder.to_owned()));
        }
        let reach = self.reach_of(&report).await?;
        let record = record(&report, &reach);
        let text = serde_json::to_string_pretty(&record).unwrap_or_default() + "\n";
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        let hash = Digest::of(text.as_bytes()).to_string();
        tx.add_events(&[&self.link_entry(id, "pack", &hash, by, now)?]).await?;
        tx.commit().await?;
        self.wake_sequencer();

        write(folder, "incident.json", text.as_bytes())?;
        write(folder, "notice.md", words(&report, &reach).as_bytes())?;
        let mut packed = Packed { entries: 0, proved: 0, agencies: reach.agencies().len() as u64 };
        for event in &reach.entries {
            let Some(proved) = self.prove_entry(*event).await? else { continue };
            packed.entries += 1;
            write(folder, &format!("entries/{event}.json"), proved.entry.as_bytes())?;
            if let Some(proof) = proved.proof {
                packed.proved += 1;
                write(folder, &format!("entries/{event}.tlog-proof"), proof.as_bytes())?;
            }
        }
        Ok(packed)
    }

    async fn reach_of(&self, report: &IncidentReport) -> Result<Reach, PackError> {
        let mut reach = Reach::default();
        for link in &report.links {
            match link.of.as_str() {
                "alert" => reach.alerts.push(link.name.clone()),
                "entry" => {
                    if let Ok(event) = link.name.parse::<EventId>() {
                        reach.entries.insert(event);
                        if let Some(agency) = self.recipient_of(event).await? {
                            *reach.linked.entry(agency).or_default() += 1;
                        }
                    }
                }
                "recall" => {
                    if let Ok(recall) = link.name.parse::<RecallId>() {
                        self.add_recall(recall, &mut reach).await?;
                    }
                }
                _ => {}
            }
        }
        for event in &reach.entries {
            let Some(body) = self.store().event_body(*event).await? else { continue };
            let facts = EntryFacts::of(&body).map_err(|_| StoreError::Corrupt("a log entry"))?;
            reach.items.extend(facts.items);
        }
        let policies = self.current_policies().await?;
        let reached: BTreeSet<AgencyCode> = reach.agencies().into_iter().cloned().collect();
        let is_concerned = |agency: &&Agency| reached.is_empty() || reached.contains(agency.code());
        let officer = |agency: &Agency| {
            let contact = agency.officers().data_protection_officer.clone();
            contact.map(|contact| (agency.code().clone(), contact))
        };
        let officers = policies.book().agencies().filter(is_concerned).filter_map(officer).collect();
        reach.officers = officers;
        Ok(reach)
    }

    async fn add_recall(&self, id: RecallId, reach: &mut Reach) -> Result<(), PackError> {
        let Some(report) = self.recall_report(id).await? else { return Ok(()) };
        reach.entries.insert(report.recall.opened);
        for (of, event, agency, _) in self.store().recall_findings(id).await? {
            *reach.wrong.entry(agency).or_default() += 1;
            if of != "family" {
                let event = EventId::from_slice(&event).map_err(|_| StoreError::Corrupt("event id"))?;
                reach.entries.insert(event);
            }
        }
        let counts = report.counts;
        reach.recalls.push(json!({
            "recall": id.to_string(), "state": report.recall.state.as_str(), "reason": report.recall.reason,
            "opened_at": report.recall.opened_at.to_string(), "looked_at": report.recall.looked,
            "untouched": report.recall.untouched, "wrong": counts.wrong, "unsettled": counts.unsettled,
            "engagements": counts.engagements, "families": counts.families,
            "waits_for": report.waits_for,
        }));
        Ok(())
    }

    /// Who received what an entry records.
    async fn recipient_of(&self, event: EventId) -> Result<Option<AgencyCode>, AppError> {
        let Some(body) = self.store().event_body(event).await? else { return Ok(None) };
        let entry = Entry::parse(&body).map_err(|_| StoreError::Corrupt("a log entry"))?;
        Ok(match entry.into_body() {
            Body::Enquiry(asked) | Body::FamilyDisclosure(asked) => Some(asked.recipient),
            Body::MatchView(view) => Some(view.recipient),
            Body::MatchRun(run) => Some(run.recipient),
            Body::MatchRunStep(step) => Some(step.agency),
            Body::Statistics(table) => Some(table.recipient),
            _ => None,
        })
    }
}

fn record(report: &IncidentReport, reach: &Reach) -> Value {
    let by_agency = |counts: &BTreeMap<AgencyCode, u64>| -> BTreeMap<String, u64> {
        counts.iter().map(|(agency, count)| (agency.to_string(), *count)).collect()
    };
    json!({
        "incident": report.id.to_string(),
        "record": report.incident,
        "written_at": report.now.to_string(),
        "seconds_left_of_72_hours": report.incident.remaining_seconds(report.now),
        "recalls": reach.recalls,
        "alerts": reach.alerts,
        "wrong_answers": by_agency(&reach.wrong),
        "linked_answers": by_agency(&reach.linked),
        "told": reach.items,
        "data_protection_officers":
            reach.officers.iter().map(|(agency, contact)| (agency.as_str(), contact)).collect::<BTreeMap<_, _>>(),
        "entries": reach.entries.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn write(folder: &Path, name: &str, data: &[u8]) -> Result<(), PackError> {
    let path = folder.join(name);
    let failed = |source| PackError::File { path: path.clone(), source };
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(failed)?;
    }
    std::fs::write(&path, data).map_err(failed)
}
