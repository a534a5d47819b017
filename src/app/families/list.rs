//! The programme team reads which families there are, a page at a time: how each came, whether it is
//! attached, and who works with it.
//!
//! A page is one look in mode `lead`, decided before any record is read, charged once and one entry of the
//! log, which tells of every family on it. A family of which no record may be seen is passed over, and the
//! page filled with the next: how many were passed over is told to nobody but the shield officers.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::request::FamilyTerms;
use super::{FamilyEntry, FamilyError, MOST_TRIES, Standing, Tried};
use crate::app::caller::AgencyCaller;
use crate::app::enquire::family::FoundFamily;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::domain::agreement::AnswerMode;
use crate::domain::family::{IdentificationRoute, LeadState};
use crate::domain::tfid::Tfid;
use crate::domain::time::{Month, Timestamp};

/// Families of a page.
pub const PER_PAGE: usize = 25;
/// Families that are looked at for one page at the most; the next page goes on after them.
const MOST_LOOKED_AT: usize = 400;
/// Rows that are read at once.
const ROWS: i64 = 50;

/// Which families are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// All.
    #[default]
    All,
    /// Those that are not attached yet.
    NotAttached,
    /// Those that are attached, and nobody is known to have seen since.
    NotEngaged,
    /// Those for which somebody led, and nobody does now.
    NobodyLeads,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FamilyListing {
    /// Under what.
    pub terms: FamilyTerms,
    /// Which families.
    pub which: Which,
    /// The last family of the page before.
    pub after: Option<Tfid>,
}

/// A family of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedFamily {
    /// Its number.
    pub tfid: Tfid,
    /// How it came to the programme.
    pub route: IdentificationRoute,
    /// The day on which its number was issued.
    pub issued_on: Date,
    /// The day on which it was attached.
    pub attached_on: Option<Date>,
    /// Whether somebody leads; absent when no supplier may be heard on it.
    pub lead_state: Option<LeadState>,
    /// The first month of contact after the month of attachment.
    pub engaged_since: Option<Month>,
    /// The newest month of contact with any service that may be heard.
    pub last_contact: Option<Month>,
}

/// A page of the list, with its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FamilyPage {
    /// Its place in the log.
    pub entry: FamilyEntry,
    /// The families, in an order that means nothing.
    pub families: Vec<ListedFamily>,
    /// Where the next page begins; `None` at the end.
    pub next_after: Option<Tfid>,
}

impl ListedFamily {
    fn is_of(&self, which: Which) -> bool {
        match which {
            Which::All => true,
            Which::NotAttached => self.attached_on.is_none(),
            Which::NotEngaged => self.attached_on.is_some() && self.engaged_since.is_none(),
            Which::NobodyLeads => self.lead_state == Some(LeadState::Ended),
        }
    }
}

impl Gateway {
    /// A page of the families that the agreements let the caller see.
    ///
    /// # Errors
    ///
    /// [`FamilyError`]; refusals by agreement are in the log too.
    pub async fn list_families(
        &self,
        caller: &AgencyCaller,
        request: &FamilyListing,
    ) -> Result<FamilyPage, FamilyError> {
        for _ in 0..MOST_TRIES {
            if let Some(page) = self.try_to_list_families(caller, request).await? {
                return Ok(page);
            }
        }
        Err(AppError::Interrupted.into())
    }

    async fn try_to_list_families(&self, caller: &AgencyCaller, request: &FamilyListing) -> Tried<FamilyPage> {
        let stage = self.family_stage().await?;
        let question = self.family_question(&request.terms, AnswerMode::Lead, &stage.policies)?;
        let about = serde_json::to_vec(&("list", request.which, &request.after));
        let about = about.map_err(|_| AppError::Internal("a listing cannot be written"))?;
        let Some(permission) = self.permit_family_look(&stage, caller, &question, about, Ok(())).await? else {
            return Ok(None);
        };
        let (mut families, mut found) = (Vec::new(), FoundFamily::default());
        let (mut after, mut looked_at) = (request.after, 0);
        let next_after = 'pages: loop {
            let rows = self.store().families_after(self.programme(), after.as_ref(), ROWS).await?;
            let is_last = (rows.len() as i64) < ROWS;
            for row in rows {
                if looked_at == MOST_LOOKED_AT {
                    break 'pages after;
                }
                looked_at += 1;
                let records = self.store().family_records(&row.tfid).await?.into_iter().collect();
                let standing = Standing { family: Some(row), records };
                let one = self.find_family(&permission, &standing.records).await?;
                let Some(family) = &standing.family else { continue };
                after = Some(family.tfid);
                let work = self.work_of(&permission, &family.tfid, standing.family.as_ref(), &one).await?;
                let listed = ListedFamily {
                    tfid: family.tfid,
                    route: family.route,
                    issued_on: family.issued_at.date(),
                    attached_on: family.attached_at.map(Timestamp::date),
                    lead_state: work.lead_state,
                    engaged_since: work.engaged_since,
                    last_contact: work.services.iter().filter_map(|service| service.last_contact).max(),
                };
                let is_told = standing.if_seen(&one).is_some() && listed.is_of(request.which);
                // There is a next page only where somebody is on it: an empty one would tell of families that
                // are there and may not be seen.
                if is_told && families.len() == PER_PAGE {
                    break 'pages families.last().map(|last: &ListedFamily| last.tfid);
                }
                found.absorb(one, is_told);
                families.extend(is_told.then_some(listed));
            }
            if is_last {
                break None;
            }
        };
        let Some(entry) = self.release_family(&permission, &found, &families).await? else { return Ok(None) };
        Ok(Some(FamilyPage { entry, families, next_after }))
    }
}
