//! What another programme file would change: how many families of the present cohort would become
//! eligible or cease to be, and how many would meet or no longer meet each area. Counts only.
//!
//! The permitted set is that of statistics, decided on the agreements in force; the families are those
//! of the present records; only the file by which they are judged differs. Nothing changes for anybody.
//!
//! Counts are coarse, and what two previews tell when compared is bounded: all of one day rest on one
//! state of records and agreements, and a recipient may try a few different files a day.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::caller::AgencyCaller;
use super::enquire::evidence::Found;
use super::enquire::log_entry::Asked;
use super::enquire::{self, EnquiryError, Question};
use super::error::AppError;
use super::gateway::Gateway;
use super::writer::{Disclosure, Written};
use crate::crypto::random::uuid_v7;
use crate::domain::agreement::AnswerMode;
use crate::domain::evidence::{Assessment, EvidenceState, Facts, Member};
use crate::domain::ids::{AgreementRef, AreaCode, EventId, OpaqueRef, PurposeCode, RoleCode};
use crate::domain::programme::{Programme, Relationship};
use crate::domain::submission::SCHEME;
use crate::policy::decide::contributors_for_statistics;
use crate::policy::decision::{Permitted, Refusal, SupplierFeed};
use crate::policy::rules::RuleHit;
use crate::store::CeilingKey;
use crate::tlog::digest::Digest;

/// How often a preview is decided anew because something changed meanwhile.
const MOST_TRIES: usize = 4;
/// Counts below this are hidden, none among them: each is about few families. Others are given to the
/// nearest multiple of it.
pub const SMALLEST_COUNT: usize = 5;
/// Most different programme files that a recipient may try on a day.
const MOST_FILES_A_DAY: i64 = 5;
/// Why a preview has to wait until tomorrow.
const HELD: (&str, &str) =
    ("V01", "Records or agreements changed since the day's first preview: the next is possible tomorrow (UTC).");

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPreview {
    /// The agreement whose receive clause lets the agency count.
    #[schema(value_type = String, example = "programme-delivery/v1")]
    pub agreement: AgreementRef,
    /// A purpose of statistics.
    #[schema(value_type = String)]
    pub purpose: PurposeCode,
    /// Why now: as the purpose allows.
    pub relationship: Relationship,
    /// The role in which the asking person acts.
    #[schema(value_type = String)]
    pub role: RoleCode,
    /// The agency's own keyed reference of the person who asks.
    #[schema(value_type = String)]
    pub user: OpaqueRef,
    /// The whole text of the other programme file.
    pub programme_file: String,
}

/// Why there is no preview.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    /// As with any question.
    #[error(transparent)]
    Enquiry(#[from] EnquiryError),
    /// The file is no programme file, or another programme's.
    #[error("the text is not a well-formed programme file of this programme: {0}")]
    File(String),
}

impl From<AppError> for PreviewError {
    fn from(error: AppError) -> Self {
        Self::Enquiry(error.into())
    }
}
impl From<crate::store::StoreError> for PreviewError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Enquiry(error.into())
    }
}

/// A count that is hidden while it is small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Count {
    /// To the nearest multiple of [`SMALLEST_COUNT`].
    Shown(usize),
    /// Fewer than [`SMALLEST_COUNT`], none among them.
    Hidden(Hidden),
}

/// The word for a hidden count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hidden {
    /// Fewer than [`SMALLEST_COUNT`].
    #[serde(rename = "fewer_than_5")]
    Few,
}

impl Count {
    fn of(count: usize) -> Self {
        if count < SMALLEST_COUNT {
            Self::Hidden(Hidden::Few)
        } else {
            Self::Shown((count + SMALLEST_COUNT / 2) / SMALLEST_COUNT * SMALLEST_COUNT)
        }
    }
}

/// What would change of one area.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AreaPreview {
    /// Which area.
    pub area: AreaCode,
    /// Families that meet it by the other file and not by the present one.
    pub would_meet: Count,
    /// Families that meet it by the present file and not by the other one.
    pub would_cease: Count,
}

/// What would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previewed {
    /// How many families were judged by both files.
    pub families: Count,
    /// Families that would become eligible.
    pub would_become_eligible: Count,
    /// Families that would cease to be eligible.
    pub would_cease: Count,
    /// Area by area, in the other file's order, then those that only the present file has.
    pub areas: Vec<AreaPreview>,
    /// The version of the criteria in force.
    pub criteria_version: String,
    /// The version that the other file has today.
    pub other_version: String,
    /// SHA-256 of the other file, hexadecimal.
    pub other_sha256: String,
}

/// A preview with its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedPreview {
    /// The log entry.
    pub disclosure: EventId,
    /// What would change.
    pub previewed: Previewed,
    /// Signed promise that the entry is in the log.
    pub receipt: String,
}

impl Gateway {
    /// Judges the present cohort by another programme file as well, and counts.
    ///
    /// # Errors
    ///
    /// [`PreviewError`]; refusals by agreement are in the log.
    pub async fn preview(&self, caller: &AgencyCaller, new: &NewPreview) -> Result<LoggedPreview, PreviewError> {
        let other = Programme::parse(new.programme_file.as_bytes());
        let other = other.map_err(|faults| PreviewError::File(first_keys(&faults)))?;
        if other.code() != self.programme() {
            return Err(PreviewError::File("it is another programme's".to_owned()));
        }
        for _ in 0..MOST_TRIES {
            if let Some(logged) = self.try_preview(caller, new, &other).await? {
                return Ok(logged);
            }
        }
        Err(AppError::Interrupted.into())
    }

    async fn try_preview(
        &self,
        caller: &AgencyCaller,
        new: &NewPreview,
        other: &Programme,
    ) -> Result<Option<LoggedPreview>, PreviewError> {
        let view = self.store().view(self.programme()).await?;
        let view = view.ok_or_else(|| AppError::Policy("no programme is loaded".to_owned()))?;
        let policies = self.policies_at(view.policy_revision).await?;
        if policies.programme().purpose(&new.purpose).is_none() || policies.programme().role(&new.role).is_none() {
            return Err(EnquiryError::from(enquire::QuestionFault::Undeclared).into());
        }

        // Decided before any record is read.
        let question = about_nobody(self, new, policies.norm());
        let terms = enquire::terms(caller, &question);
        let feeds = self.contributing_feeds(view.generation, &policies).await?;
        let supplier_feeds: Vec<SupplierFeed> = feeds.iter().map(enquire::supplier_feed).collect();
        let decision = contributors_for_statistics(policies.book(), &terms, &supplier_feeds, view.now);
        let request_hash = self.request_hash(&caller.client, new)?;
        let asked = Asked {
            caller,
            question: &question,
            form: "preview",
            policies: &policies,
            feeds: &feeds,
            request_hash,
            view,
        };
        let permitted = match decision {
            Ok(permitted) => permitted,
            Err(refusal) => return Ok(self.refused(&asked, &refusal).await?),
        };
        // Read after the state that this is decided on, so that what was previewed on another is seen.
        let tried = self.store().used_on_day(&self.preview_account(), day(&asked)).await?;
        if tried.iter().any(|tried| !tried.clause.starts_with(&state_of(&asked))) {
            let hits = vec![RuleHit { rule: HELD.0.to_owned(), say: HELD.1.to_owned() }];
            let held = Refusal { hits, decisions: permitted.decisions, valid_until: None };
            return Ok(self.refused(&asked, &held).await?);
        }
        let families = self.cohort(&asked, &permitted).await?;
        let previewed = compare(&asked, &permitted, &families, other);
        let file = CeilingKey {
            agreement: self.preview_account(),
            clause: format!("{}{}", state_of(&asked), previewed.other_sha256),
            recipient: caller.agency.to_string(),
            day: day(&asked),
        };
        let mut ceilings = vec![(enquire::ceiling_key(&asked, &permitted), i64::from(permitted.charge.daily_ceiling))];
        if !tried.contains(&file) {
            let files = CeilingKey { agreement: self.preview_files(), clause: String::new(), ..file.clone() };
            ceilings.push((files, MOST_FILES_A_DAY));
        }
        ceilings.push((file, i64::MAX));
        self.keep_preview(&asked, &permitted, previewed, ceilings).await
    }

    /// Under which name the day's previews are counted, file by file. No agreement has such a name.
    fn preview_account(&self) -> String {
        format!("preview {}", self.programme())
    }

    /// Under which name the day's different files are counted.
    fn preview_files(&self) -> String {
        format!("preview files {}", self.programme())
    }

    async fn keep_preview(
        &self,
        asked: &Asked<'_>,
        permitted: &Permitted,
        previewed: Previewed,
        ceilings: Vec<(CeilingKey, i64)>,
    ) -> Result<Option<LoggedPreview>, PreviewError> {
        let id = EventId::new(uuid_v7(asked.view.now, self.random()));
        let opening = serde_json::to_vec(&previewed).map_err(|_| AppError::Internal("a preview cannot be written"))?;
        let nobody = Found::nobody();
        let (entry, over_ceiling) = self.answer_entries(id, asked, permitted, &nobody, opening.into())?;
        let (leaf, refused_leaf) = (entry.leaf_hash, over_ceiling.leaf_hash);
        let disclosure = Disclosure {
            entry,
            decided_on: asked.decided_on(self.programme()),
            ceilings,
            over_ceiling: Some(over_ceiling),
            reply: None,
            engagement: None,
            emergency: None,
        };
        let written = self.writer().commit(disclosure).await?;
        self.wake_sequencer();
        match written {
            Written::Entry | Written::Repeated => {
                let receipt = self.receipt(id, leaf, asked.view.now)?;
                Ok(Some(LoggedPreview { disclosure: id, previewed, receipt }))
            }
            Written::Outdated => Ok(None),
            Written::OverCeiling => {
                let receipt = self.receipt(id, refused_leaf, asked.view.now)?;
                Err(EnquiryError::CeilingReached { disclosure: id, receipt }.into())
            }
        }
    }
}

/// The day of a preview, in days since 1970, UTC.
fn day(asked: &Asked<'_>) -> i64 {
    asked.view.now.as_seconds().div_euclid(86_400)
}

/// The state of agreements and records that a preview rests on.
fn state_of(asked: &Asked<'_>) -> String {
    format!("{}/{}/", asked.view.policy_revision, asked.view.generation)
}

/// The terms of a preview as a question that carries nobody.
fn about_nobody(gateway: &Gateway, new: &NewPreview, norm: u16) -> Question {
    Question {
        programme: gateway.programme().clone(),
        agreement: new.agreement.clone(),
        purpose: new.purpose.clone(),
        mode: AnswerMode::Count,
        relationship: new.relationship,
        emergency: None,
        role: new.role.clone(),
        case: new.user.clone(), // there is no case; the reference is the person's who asks
        user: new.user.clone(),
        scheme: SCHEME.to_owned(),
        norm,
        epochs: Vec::new(),
        tokens: BTreeMap::default(),
        household: BTreeMap::default(),
    }
}

fn compare(asked: &Asked<'_>, permitted: &Permitted, families: &[Vec<Member>], other: &Programme) -> Previewed {
    let (set, deliveries) = (enquire::contribution(permitted), enquire::deliveries(asked));
    let present = asked.policies.programme();
    let by_present = Facts::new(present, &deliveries, &set, asked.view.now);
    let by_other = Facts::new(other, &deliveries, &set, asked.view.now);
    let mut areas: Vec<AreaCode> = other.areas().iter().map(|area| area.code.clone()).collect();
    areas.extend(present.areas().iter().map(|area| area.code.clone()).filter(|code| other.area(code).is_none()));
    let mut changes: Vec<[usize; 2]> = vec![[0; 2]; areas.len()];
    let [mut becoming, mut ceasing] = [0; 2];
    for members in families {
        let (now, then) = (Assessment::of(members, &by_present), Assessment::of(members, &by_other));
        let is_eligible = [now.eligible(present), then.eligible(other)].map(|state| state == EvidenceState::Met);
        becoming += usize::from(is_eligible == [false, true]);
        ceasing += usize::from(is_eligible == [true, false]);
        for (area, change) in areas.iter().zip(&mut changes) {
            let is_met = [&now, &then].map(|assessment| {
                assessment.areas.iter().any(|found| found.area == *area && found.state == EvidenceState::Met)
            });
            change[0] += usize::from(is_met == [false, true]);
            change[1] += usize::from(is_met == [true, false]);
        }
    }
    let area = |(area, [would_meet, would_cease]): (AreaCode, [usize; 2])| AreaPreview {
        area,
        would_meet: Count::of(would_meet),
        would_cease: Count::of(would_cease),
    };
    Previewed {
        families: Count::of(families.len()),
        would_become_eligible: Count::of(becoming),
        would_cease: Count::of(ceasing),
        areas: areas.into_iter().zip(changes).map(area).collect(),
        criteria_version: by_present.version().name(),
        other_version: by_other.version().name(),
        other_sha256: Digest::new(*other.file().as_bytes()).to_string(),
    }
}

/// Where the file is at fault: keys and codes, never what stands there.
fn first_keys(faults: &crate::domain::policy_file::Faults) -> String {
    let keys: Vec<String> = faults.0.iter().take(5).map(|fault| format!("{} {}", fault.key, fault.code)).collect();
    keys.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_of_few_families_is_hidden_and_so_is_none_and_others_are_rounded() {
        let text = |count| serde_json::to_string(&Count::of(count)).expect("plain data");
        for few in 0..5 {
            assert_eq!(text(few), "\"fewer_than_5\"");
        }
        for (count, shown) in [(5, "5"), (7, "5"), (8, "10"), (12, "10"), (13, "15"), (102, "100")] {
            assert_eq!(text(count), shown);
        }
        assert_eq!(serde_json::from_str::<Count>("\"fewer_than_5\"").expect("reads"), Count::of(0));
    }
}
