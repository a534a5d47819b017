//! What was kept long enough is deleted, with evidence of it and without what was deleted; a freeze keeps it.
//!
//! An entry of the log stays for ever. What opens it is destroyed: from then on its commitments tell nothing,
//! and every proof about it is as good as before. The periods are the programme file's, a rule an item; without a
//! rule nothing of the item is deleted.
//!
//! | file | what |
//! |---|---|
//! | `erase.rs` | what opens entries is destroyed, and an `erasure` entry names them |
//! | `holds.rs` | freezes are placed and lifted |
//! | `kept_erasures.rs` | which entries were erased is kept outside the database, so that a restored backup brings nothing back |

mod erase;
mod holds;
pub mod kept_erasures;

pub use self::erase::Erased;

use sha2::{Digest as _, Sha256};

use super::enrol::code;
use super::error::AppError;
use super::gateway::Gateway;
use crate::domain::ids::EventId;
use crate::domain::retention::{Covered, DataItem, Hold, RetentionRule};
use crate::domain::time::Timestamp;
use crate::store::{OpenedEntry, StoredCase, StoredComplaint, Tx};
use crate::tlog::digest::Digest;
use crate::tlog::entry::{Body, Deletion};

/// Entries that are looked at in one step.
const PAGE: i64 = 500;

/// What a run came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ran {
    /// Entries whose openings were destroyed.
    pub erased: u64,
    /// Closed cases that were deleted.
    pub cases: u64,
    /// Closed complaints that were deleted.
    pub complaints: u64,
    /// What a freeze, or a decision that is still in effect, kept.
    pub held: u64,
}

impl Gateway {
    /// Deletes what was kept long enough. Interrupted, the next run goes on.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn retain(&self, by: &str) -> Result<Ran, AppError> {
        let mut ran = Ran::default();
        self.erase_old_openings(by, &mut ran).await?;
        self.delete_old_cases(by, &mut ran).await?;
        self.delete_old_complaints(by, &mut ran).await?;
        Ok(ran)
    }

    async fn erase_old_openings(&self, by: &str, ran: &mut Ran) -> Result<(), AppError> {
        let policies = self.current_policies().await?;
        let now = self.store().now().await?;
        let rules: Vec<&RetentionRule> =
            DataItem::ALL.iter().filter_map(|item| policies.programme().retention(*item)).collect();
        let Some(newest) = rules.iter().map(|rule| rule.cutoff(now)).max() else { return Ok(()) };
        let is_over = |entry: &OpenedEntry| {
            let item = DataItem::of_entry(&entry.kind);
            rules.iter().any(|rule| Some(rule.item) == item && entry.at < rule.cutoff(now))
        };
        let mut place: Option<(Timestamp, EventId)> = None;
        loop {
            let page = self.store().opened_before(newest, place, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            place = Some((last.at, last.event));
            let over: Vec<EventId> = page.iter().filter(|entry| is_over(entry)).map(|entry| entry.event).collect();
            let erased = self.erase_entries(&over, "retention", by).await?;
            ran.erased += erased.erased;
            ran.held += erased.held;
        }
    }

    /// A case goes with its parts, unless a decision under it still keeps a record from use.
    async fn delete_old_cases(&self, by: &str, ran: &mut Ran) -> Result<(), AppError> {
        let Some((rule, programme_sha256, before)) = self.rule_now(DataItem::SubjectCases).await? else {
            return Ok(());
        };
        let old = self.store().cases_closed_before(self.programme(), before).await?;
        if old.is_empty() {
            return Ok(());
        }
        let marks = self.store().record_marks(self.programme()).await?;
        let mut tx = self.store().begin().await?;
        tx.lock_programme(self.programme()).await?;
        let holds = holds_in_force(&tx.legal_holds(self.programme()).await?);
        let (mut gone, mut held): (Vec<String>, u64) = (Vec::new(), 0);
        for case in old {
            let parts = self.store().parts_of_case(case.id).await?;
            let matters = || parts.iter().map(|part| part.id.as_bytes()).chain([case.id.as_bytes()]);
            let is_in_effect = marks.iter().any(|mark| matters().any(|matter| *matter == mark.matter));
            let covered = covered_case(&case, parts.iter().map(|part| part.controller.to_string()));
            if is_in_effect || holds.iter().any(|hold| hold.keeps(&covered)) {
                held += 1;
                continue;
            }
            tx.drop_subject_case(case.id).await?;
            gone.push(case.id.to_string());
        }
        ran.cases += gone.len() as u64;
        ran.held += held;
        self.finish_deletion(tx, (&rule, programme_sha256, before), gone, held, by).await
    }

    async fn delete_old_complaints(&self, by: &str, ran: &mut Ran) -> Result<(), AppError> {
        let Some((rule, programme_sha256, before)) = self.rule_now(DataItem::Complaints).await? else {
            return Ok(());
        };
        let old = self.store().complaints_closed_before(self.programme(), before).await?;
        if old.is_empty() {
            return Ok(());
        }
        let mut tx = self.store().begin().await?;
        tx.lock_programme(self.programme()).await?;
        let holds = holds_in_force(&tx.legal_holds(self.programme()).await?);
        let (mut gone, mut held): (Vec<String>, u64) = (Vec::new(), 0);
        for complaint in old {
            if holds.iter().any(|hold| hold.keeps(&covered_complaint(&complaint))) {
                held += 1;
                continue;
            }
            tx.drop_complaint(complaint.id).await?;
            gone.push(complaint.id.to_string());
        }
        ran.complaints += gone.len() as u64;
        ran.held += held;
        self.finish_deletion(tx, (&rule, programme_sha256, before), gone, held, by).await
    }

    /// Makes a deletion durable, with the entry that says what is gone, if anything is.
    async fn finish_deletion(
        &self,
        mut tx: Tx,
        (rule, programme_sha256, before): (&RetentionRule, [u8; 32], Timestamp),
        gone: Vec<String>,
        held: u64,
        by: &str,
    ) -> Result<(), AppError> {
        if !gone.is_empty() {
            let entry = deletion(rule, programme_sha256, before, gone, held, by)?;
            let now = tx.now().await?;
            tx.add_events(&[&self.event(now, entry)?]).await?;
        }
        tx.commit().await?;
        self.wake_sequencer();
        Ok(())
    }

    async fn rule_now(&self, item: DataItem) -> Result<Option<(RetentionRule, [u8; 32], Timestamp)>, AppError> {
        let policies = self.current_policies().await?;
        let now = self.store().now().await?;
        let rule = policies.programme().retention(item).cloned();
        Ok(rule.map(|rule| {
            let before = rule.cutoff(now);
            (rule, *policies.programme_sha256(), before)
        }))
    }
}

/// The evidence of what was deleted.
fn deletion(
    rule: &RetentionRule,
    programme_sha256: [u8; 32],
    before: Timestamp,
    mut gone: Vec<String>,
    held: u64,
    by: &str,
) -> Result<Body, AppError> {
    gone.sort_unstable();
    let mut digest = Sha256::new();
    for number in &gone {
        digest.update(number.as_bytes());
        digest.update(b"\n");
    }
    Ok(Body::Deletion(Deletion {
        item: code(rule.item.as_str())?,
        programme_sha256: Digest::new(programme_sha256),
        months: u64::from(rule.months),
        before,
        count: gone.len() as u64,
        held,
        digest: Digest::new(digest.finalize().into()),
        by: code(by)?,
    }))
}

/// Those that stand.
fn holds_in_force(all: &[crate::store::StoredHold]) -> Vec<Hold> {
    all.iter().filter(|hold| hold.lifted.is_none()).map(|hold| hold.hold.clone()).collect()
}

fn covered_case(case: &StoredCase, controllers: impl Iterator<Item = String>) -> Covered {
    Covered {
        id: case.id.to_string(),
        agencies: controllers.chain([case.agency.to_string()]).collect(),
        ..Covered::default()
    }
}

fn covered_complaint(complaint: &StoredComplaint) -> Covered {
    let agencies = [complaint.agency.to_string()].into();
    Covered { id: complaint.id.to_string(), agencies, ..Covered::default() }
}
