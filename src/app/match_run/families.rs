//! The data team reads a closed run's candidate families. A disclosure like any other: decided again by
//! what is in force now, logged before it leaves, and without families of which a record is gone or shielded.

use super::log_entry::{Acting, Said, ceiling};
use super::{MatchRunError, RunDisclosure, RunGround, RunTerms, terms, undeclared};
use crate::app::caller::AgencyCaller;
use crate::app::enquire::EnquiryError;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::domain::agreement::AnswerMode;
use crate::domain::ids::MatchRunId;
use crate::domain::pair::RecordName;
use crate::linkage::match_run::{CandidateFamily, output};
use crate::store::StoreError;
use crate::tlog::digest::Digest;

/// Families of a closed run, with their place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenFamilies {
    /// The log entry, and the promise that it is in the log.
    pub entry: RunDisclosure,
    /// The families, as far as they may still be shown.
    pub families: Vec<CandidateFamily>,
}

impl Gateway {
    /// Gives the candidate families of a closed run to the agency that began it.
    ///
    /// # Errors
    ///
    /// [`MatchRunError`]; refusals by agreement are in the log.
    pub async fn match_run_families(
        &self,
        caller: &AgencyCaller,
        id: MatchRunId,
        asked: &RunTerms,
    ) -> Result<GivenFamilies, MatchRunError> {
        let run = self.closed_run(caller, id).await?;
        let ground = RunGround::read(&run)?;
        let view = self.store().view(self.programme()).await?;
        let view = view.ok_or_else(|| AppError::Policy("no programme is loaded".to_owned()))?;
        let policies = self.policies_at(view.policy_revision).await?;
        if policies.programme().role(&asked.role).is_none() {
            return Err(undeclared());
        }
        let acting = Acting { caller, terms: asked, policies: &policies, view };
        let wanted = terms(&caller.agency, &asked.agreement, AnswerMode::Criteria, &asked.role, asked.relationship)?;
        let feeds = ground.supplier_feeds();
        let decided = self.decisions().contributors(policies.book(), &wanted, &feeds, view.now);
        let permitted = match &decided {
            Ok(permitted) => permitted,
            Err(refusal) => {
                let reason = refusal.hits.first().map_or("refused", |hit| &hit.rule);
                let said = Said { refused: Some(reason), decisions: &refusal.decisions, ..Said::default() };
                let entry = self.run_step_entry(&acting, id, "families", said)?;
                let error = self.write_run_refusal(&acting, entry, refusal.hits.clone()).await?;
                return Err(error.unwrap_or(MatchRunError::NoLonger));
            }
        };
        // What was permitted at its time and is not now would still be in the families' areas.
        self.check_permits(&run, &ground).await?;
        let lines = self.output_of(&run).await?;
        let mut families = Vec::new();
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let family: CandidateFamily =
                serde_json::from_slice(line).map_err(|_| StoreError::Corrupt("a line of a match run"))?;
            families.push(family);
        }
        let name = |name: &crate::domain::family::RecordName| RecordName {
            agency: name.agency.clone(),
            feed: name.feed.clone(),
            reference: name.reference.clone(),
        };
        let names: Vec<RecordName> =
            families.iter().flat_map(|family| family.people.iter().flatten()).map(name).collect();
        let open = self.open_records(view.generation, names).await?;
        families.retain(|family| family.people.iter().flatten().all(|record| open.contains_key(&name(record))));
        let plain = output(&families).map_err(|_| AppError::Internal("families cannot be written"))?;
        let said = Said {
            sha256: Some(Digest::of(&plain)),
            counts: vec![("families", families.len() as u64)],
            decisions: &permitted.decisions,
            ..Said::default()
        };
        let mut entry = self.run_step_entry(&acting, id, "families", said)?;
        let shown: Vec<RecordName> =
            families.iter().flat_map(|family| family.people.iter().flatten()).map(name).collect();
        entry.records = self.record_uses(&shown);
        let used_up = Said { refused: Some("ceiling"), decisions: &permitted.decisions, ..Said::default() };
        let over = self.run_step_entry(&acting, id, "families", used_up)?;
        let (key, most) = ceiling(permitted, &acting);

        let mut tx = self.store().begin().await?;
        tx.lock_programme(self.programme()).await?;
        if tx.decided_on(self.programme()).await? != Some((view.policy_revision, view.generation)) {
            return Err(AppError::Interrupted.into());
        }
        let is_over = tx.charge(&key, 1).await? >= most;
        let written = if is_over { &over } else { &entry };
        if is_over {
            tx.refund(&key, 1).await?;
        }
        tx.add_events(&[written]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        let (disclosure, receipt) = (written.id, self.receipt(written.id, written.leaf_hash, written.at)?);
        if is_over {
            return Err(EnquiryError::CeilingReached { disclosure, receipt }.into());
        }
        Ok(GivenFamilies { entry: RunDisclosure { disclosure, receipt }, families })
    }
}
