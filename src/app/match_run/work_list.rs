//! Which of its own records a holder is asked to decide about after a run: those with an address of which
//! its own file says that a criterion is met, by a flag or by the attendance bands from which one is computed,
//! and of which it has said nothing since.
//!
//! Whether a record is in a candidate family would tell that others say something of the same people. So
//! nothing goes in here but the agency's own rows, its own decisions and the programme file by which the run
//! judged: no run's result, no shield of anybody else, no link. The agency could make the list itself.

use super::{MatchRunError, RunGround};
use crate::app::caller::AgencyCaller;
use crate::app::gateway::Gateway;
use crate::domain::evidence::{Contribution, Deliveries, Facts};
use crate::domain::ids::{FeedCode, MatchRunId, OpaqueRef};
use crate::domain::programme::Programme;
use crate::domain::record::{Coverage, FlagState, Role};
use crate::domain::time::Timestamp;
use crate::store::{RunState, StoreError};

/// Records of a page.
const PAGE: usize = 200;
/// Rows that are read at once: more, since most have no flag that is met.
const ROWS: i64 = 1000;

/// A record to decide about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkItem {
    /// The agency's feed.
    pub feed: FeedCode,
    /// The agency's own reference.
    pub reference: OpaqueRef,
    /// The role that its file gives.
    pub role: Role,
    /// The day that its file describes.
    pub as_at: Timestamp,
}

/// A page of a work list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WorkList {
    /// The records, by feed and reference.
    pub items: Vec<WorkItem>,
    /// Where the next page begins; `None` at the end.
    pub next_after: Option<(FeedCode, OpaqueRef)>,
}

impl Gateway {
    /// A page of the caller's work list of a closed run.
    ///
    /// # Errors
    ///
    /// [`MatchRunError::Unknown`] where no feed of the caller's is among the run's inputs.
    pub async fn match_run_work_list(
        &self,
        caller: &AgencyCaller,
        id: MatchRunId,
        after: Option<&(FeedCode, OpaqueRef)>,
    ) -> Result<WorkList, MatchRunError> {
        let run = self.store().match_run(self.programme(), id).await?.ok_or(MatchRunError::Unknown)?;
        let ground = RunGround::read(&run)?;
        if !ground.inputs.iter().any(|input| input.agency == caller.agency) {
            return Err(MatchRunError::Unknown);
        }
        if run.state != RunState::Closed {
            return Err(MatchRunError::NotDue);
        }
        let programme = self.store().document(ground.programme_sha256.as_bytes()).await?;
        let missing = StoreError::Corrupt("a file that a match run names is not in the database");
        let programme = Programme::parse(&programme.ok_or(missing)?.body);
        let programme = programme.map_err(|_| StoreError::Corrupt("the programme file of a match run"))?;
        let (deliveries, set) = (Deliveries::new(), Contribution::default());
        let facts = Facts::new(&programme, &deliveries, &set, ground.as_at);
        let generation = self.store().view(self.programme()).await?.map_or(0, |view| view.generation);
        let mut list = WorkList::default();
        let mut place = after.cloned();
        loop {
            let from = place.as_ref().map_or(("", ""), |(feed, reference)| (feed.as_str(), reference.as_str()));
            let agency = &caller.agency;
            let rows = self.store().unvalidated_records(self.programme(), generation, agency, id, from, ROWS).await?;
            let is_last = (rows.len() as i64) < ROWS;
            for row in rows {
                let evidence = self.open_evidence(row.id, &row.evidence)?;
                let computed = facts.version().criteria.iter().filter_map(|it| facts.flag_of_attendance(it, &evidence));
                let is_met = evidence.flags.iter().cloned().chain(computed).any(|flag| flag.state == FlagState::Met);
                place = Some((row.name.feed.clone(), row.name.reference.clone()));
                if is_met && row.has_home && evidence.coverage == Coverage::Current {
                    let (feed, reference) = (row.name.feed, row.name.reference);
                    list.items.push(WorkItem { feed, reference, role: evidence.role, as_at: row.as_at });
                }
                if list.items.len() == PAGE {
                    list.next_after = place;
                    return Ok(list);
                }
            }
            if is_last {
                return Ok(list);
            }
        }
    }
}
