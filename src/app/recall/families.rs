//! What rests on a wrong match beside single answers: looks at families, readings of match runs, and
//! families that have records of different people.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::pair_name;
use super::search::{Ground, Told};
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::domain::agency::AgencyKind;
use crate::domain::claim::{Person, RecordName};
use crate::domain::evidence::Member;
use crate::domain::family;
use crate::domain::ids::{EventId, MatchRunId, OpaqueRef};
use crate::domain::notice::NoticeBody;
use crate::domain::recall::{Verdict, Wrong};
use crate::domain::tfid::Tfid;
use crate::linkage::match_run::CandidateFamily;
use crate::store::{FindingKind, RunState, StoredRecall};

/// What the sealed opening of a look at a family holds of its people.
#[derive(Deserialize)]
struct FamilyLook {
    members: Vec<Member>,
}

/// What the opening beside it holds of their records.
#[derive(Deserialize)]
struct FamilyNames {
    records: Vec<Vec<family::RecordName>>,
}

impl Gateway {
    /// A look at a family in which one person was two showed the wrong people. A wrong delivery is
    /// found by the answers and engagements that rest on it, not here.
    pub(super) async fn judge_family_look(
        &self,
        ground: &mut Ground<'_>,
        event: EventId,
    ) -> Result<Option<Verdict>, AppError> {
        if matches!(ground.wrong, Wrong::Delivery { .. }) {
            return Ok(None);
        }
        let Some(entry) = self.store().sealed_entry(event, "answer").await? else { return Ok(None) };
        let value: Value = self.open_answer(event, &entry.sealed)?;
        let Ok(look) = serde_json::from_value::<FamilyLook>(value) else { return Ok(None) };
        let Some(entry) = self.store().sealed_entry(event, "names").await? else { return Ok(None) };
        let names = self.open_field(event, "names", &entry.sealed)?;
        let Ok(FamilyNames { records }) = serde_json::from_slice(&names) else { return Ok(None) };
        let person = |(records, member): (Vec<family::RecordName>, Member)| Person {
            records: records.into_iter().map(name).collect(),
            member,
        };
        let persons: Vec<Person> = records.into_iter().zip(look.members).map(person).collect();
        Ok(self.parted_in(ground, &persons).await?.map(|_| Verdict::Wrong))
    }

    /// A reading of a run in which one person of a family was two.
    pub(super) async fn judge_run(
        &self,
        ground: &mut Ground<'_>,
        run: MatchRunId,
    ) -> Result<Option<Verdict>, AppError> {
        if matches!(ground.wrong, Wrong::Delivery { .. }) {
            return Ok(None);
        }
        let Some(run) = self.store().match_run(self.programme(), run).await? else { return Ok(None) };
        if run.state != RunState::Closed || run.removed_at.is_some() {
            return Ok(None);
        }
        let families: Vec<CandidateFamily> = self.families_of(&run).await?;
        for family in families {
            let person = |records: &Vec<family::RecordName>| Person {
                records: records.iter().cloned().map(name).collect(),
                member: Member { statements: Vec::new() },
            };
            let persons: Vec<Person> = family.people.iter().map(person).collect();
            if self.parted_in(ground, &persons).await?.is_some() {
                return Ok(Some(Verdict::Wrong));
            }
        }
        Ok(None)
    }

    /// The families that have records of different people now, for the agency that keeps families.
    pub(super) async fn families_with(&self, recall: &StoredRecall, wrong: &Wrong) -> Result<Vec<Told>, AppError> {
        let policies = self.current_policies().await?;
        let keeper = policies.book().agencies().find(|agency| agency.kind() == AgencyKind::Programme);
        let Some(keeper) = keeper.map(|agency| agency.code().clone()) else { return Ok(Vec::new()) };
        let view = self.store().view(self.programme()).await?;
        let generation = view.ok_or_else(|| AppError::Policy("no programme is loaded".to_owned()))?.generation;
        let mut references: BTreeSet<OpaqueRef> = BTreeSet::new();
        match wrong {
            Wrong::Pairs { pairs } => references.extend(pairs.iter().map(|(a, _)| a.reference.clone())),
            Wrong::Record { record } => drop(references.insert(record.reference.clone())),
            Wrong::Delivery { .. } => return Ok(Vec::new()),
        }
        let references: Vec<OpaqueRef> = references.into_iter().collect();
        let mut tx = self.store().begin().await?;
        let families: BTreeSet<Tfid> = tx.families_of(&references).await?.into_iter().map(|(tfid, _)| tfid).collect();
        drop(tx);
        let mut told = Vec::new();
        for tfid in families {
            let records: Vec<RecordName> = self.store().family_records(&tfid).await?.into_iter().map(name).collect();
            let mut has_both = false;
            for (a, b) in wrong.parted(&records) {
                let is_open = !self.is_shielded_now(generation, &pair_name(&records[a])).await?
                    && !self.is_shielded_now(generation, &pair_name(&records[b])).await?;
                has_both |= is_open;
            }
            if has_both {
                told.push(Told {
                    of: FindingKind::Family,
                    event: mark_of(recall, &tfid),
                    agency: keeper.clone(),
                    is_certain: true,
                    body: NoticeBody::FamilyAttention { recall: recall.id, tfid },
                    entry: None,
                });
            }
        }
        Ok(told)
    }
}

/// Stands for a family in a recall's findings; the recall's random id keeps it from being recomputed
/// for a guessed number elsewhere.
fn mark_of(recall: &StoredRecall, tfid: &Tfid) -> [u8; 16] {
    let hash = Sha256::new().chain_update(recall.id.as_bytes()).chain_update(tfid.to_text().as_bytes()).finalize();
    let mut mark = [0; 16];
    mark.copy_from_slice(&hash[..16]);
    mark
}

fn name(name: family::RecordName) -> RecordName {
    RecordName { agency: name.agency, feed: name.feed, reference: name.reference }
}
