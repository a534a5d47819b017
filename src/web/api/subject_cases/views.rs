//! What goes in and out, and how journeys' values become it.

use serde::{Deserialize, Serialize};

use crate::app::subject_rights::{CaseSeen, DisclosureSeen, Done, OwnData, OwnRecordSeen, PartSeen};
use crate::domain::ids::{
    ComplaintId, CriterionCode, EventId, FeedCode, OpaqueRef, ReasonCode, RoleCode, SubjectCaseId, SubjectPartId,
};
use crate::domain::record::Evidence;
use crate::domain::subject_case::{NEITHER_CONFIRM_NOR_DENY, acknowledge_by};
use crate::store::StoredComplaint;

/// A record of the caller's own.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnSubjectRecord {
    /// The agency's feed.
    #[schema(value_type = String)]
    pub feed: FeedCode,
    /// The agency's own reference.
    #[serde(rename = "ref")]
    #[schema(value_type = String)]
    pub reference: OpaqueRef,
}

/// Who acts.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ActorBody {
    /// The role of the person who acts, as the programme declares it.
    #[schema(value_type = String)]
    pub role: RoleCode,
    /// The agency's own keyed reference of that person.
    #[schema(value_type = String)]
    pub user: OpaqueRef,
}

/// What an agency that verified who somebody is asks for on that person's behalf.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseBody {
    /// `access`, `objection`, `restriction`, `rectification`, `erasure` or `contested`.
    pub right: String,
    /// The agency's own records of the person, 1 to 16.
    pub records: Vec<OwnSubjectRecord>,
    /// The public half of a key pair that the agency made for this case: answers are sealed to it.
    #[serde(default)]
    pub reply_key: Option<String>,
    /// The role of the person who acts.
    #[schema(value_type = String)]
    pub role: RoleCode,
    /// The agency's own keyed reference of that person.
    #[schema(value_type = String)]
    pub user: OpaqueRef,
}

/// A change of the time for an answer.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClockBody {
    /// `extend`, `pause`, `resume` or `close`.
    pub step: String,
    /// `complex` or `numerous`; `identification` or `clarification`; `answered` or `withdrawn`.
    pub reason: String,
    /// The role of the person who acts.
    #[schema(value_type = String)]
    pub role: RoleCode,
    /// The agency's own keyed reference of that person.
    #[schema(value_type = String)]
    pub user: OpaqueRef,
}

/// What is decided about the caller's own records.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerdictBodyOfRight {
    /// `released`, `nothing-to-release`, `upheld`, `overridden`, `restricted`, `rectified`, `erased`, `contested` or `declined`.
    pub outcome: String,
    /// Why, as a code.
    #[schema(value_type = String, example = "checked-file")]
    pub reason: ReasonCode,
    /// Which criteria are contested; none for all of them.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub criteria: Vec<CriterionCode>,
    /// What the person gets, base64url: sealed to the case's key, or as it is where the case has none.
    #[serde(default)]
    pub reply: Option<String>,
    /// The role of the person who decides.
    #[schema(value_type = String)]
    pub role: RoleCode,
    /// The agency's own keyed reference of that person.
    #[schema(value_type = String)]
    pub user: OpaqueRef,
}

/// Why the effect of decisions ends.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LiftBody {
    /// Why, as a code.
    #[schema(value_type = String, example = "settled")]
    pub reason: ReasonCode,
    /// The role of the person who decides.
    #[schema(value_type = String)]
    pub role: RoleCode,
    /// The agency's own keyed reference of that person.
    #[schema(value_type = String)]
    pub user: OpaqueRef,
}

/// A complaint that the agency took.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ComplaintBody {
    /// What about, as a code; what was said stays with the agency.
    #[schema(value_type = String, example = "wrong-match")]
    pub about: ReasonCode,
    /// The agency's own case that it is about.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = "uuid")]
    pub case: Option<SubjectCaseId>,
    /// The role of the person who acts.
    #[schema(value_type = String)]
    pub role: RoleCode,
    /// The agency's own keyed reference of that person.
    #[schema(value_type = String)]
    pub user: OpaqueRef,
}

/// What becomes of a complaint.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ComplaintStepBody {
    /// `acknowledge` or `close`.
    pub step: String,
    /// With what it ended, as a code; for `close` alone.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "upheld")]
    pub outcome: Option<ReasonCode>,
    /// The role of the person who acts.
    #[schema(value_type = String)]
    pub role: RoleCode,
    /// The agency's own keyed reference of that person.
    #[schema(value_type = String)]
    pub user: OpaqueRef,
}

/// The log entry of what was done.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EntryView {
    /// The log entry.
    #[schema(value_type = String, format = "uuid")]
    pub disclosure: EventId,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// Signed promise that the entry is in the log.
    pub receipt: String,
}

/// A case of the agency's own.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CaseView {
    /// The case number.
    #[schema(value_type = String, format = "uuid")]
    pub id: SubjectCaseId,
    /// The right.
    pub right: String,
    /// `open`, `paused` or `closed`.
    pub state: String,
    /// When it was opened.
    #[schema(format = DateTime)]
    pub opened_at: String,
    /// The last day for an answer; `null` while the clock stands, and once the case is closed.
    #[schema(format = Date)]
    pub due_on: Option<String>,
    /// Whether the time was extended.
    pub extended: bool,
    /// Whether the last day is over.
    pub overdue: bool,
    /// `case-key` where answers are sealed to a key that the gateway does not have; `gateway` where they are sealed at rest alone.
    pub protection: String,
}

/// A case, and what was done.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CaseDoneView {
    /// The case.
    pub case: CaseView,
    /// The log entry.
    pub entry: EntryView,
    /// The same for everybody.
    pub statement: String,
}

/// The agency's own cases.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CasesView {
    /// Oldest first.
    pub cases: Vec<CaseView>,
    /// The same for everybody.
    pub statement: String,
}

/// A part of somebody's case about records of the agency's own.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PartView {
    /// Its number.
    #[schema(value_type = String, format = "uuid")]
    pub id: SubjectPartId,
    /// The right.
    pub right: String,
    /// The last day for an answer; `null` while the clock stands.
    #[schema(format = Date)]
    pub due_on: Option<String>,
    /// Whether the last day is over.
    pub overdue: bool,
    /// The public key to seal the answer to; `null` where there is none.
    pub reply_key: Option<String>,
    /// What was decided; `null` before.
    pub outcome: Option<String>,
}

/// The agency's queue.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PartsView {
    /// Oldest first.
    pub parts: Vec<PartView>,
    /// The same for everybody.
    pub statement: String,
}

/// A part, and what was done.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PartDoneView {
    /// The part.
    pub part: PartView,
    /// The log entry.
    pub entry: EntryView,
    /// The same for everybody.
    pub statement: String,
}

/// A record of the agency's own, as it delivered it.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OwnRecordView {
    /// The feed.
    #[schema(value_type = String)]
    pub feed: FeedCode,
    /// The agency's own reference.
    #[serde(rename = "ref")]
    #[schema(value_type = String)]
    pub reference: OpaqueRef,
    /// The day that the delivery describes; `null` where the feed does not show the record any more.
    #[schema(format = Date)]
    pub as_at: Option<String>,
    /// What the record says.
    #[schema(value_type = Option<Object>)]
    pub says: Option<Evidence>,
    /// It is kept and not used.
    pub restricted: bool,
    /// The criteria that are contested; `*` for all of them.
    pub contested: Vec<String>,
}

/// A disclosure from the agency's own records about the person.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DisclosureView {
    /// The log entry.
    #[schema(value_type = String, format = "uuid")]
    pub disclosure: EventId,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
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
    /// Which items of the agency's own feeds could be in it.
    pub items: Vec<String>,
}

/// The agency's own data.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OwnDataView {
    /// The records.
    pub records: Vec<OwnRecordView>,
    /// What was disclosed from them about this person, oldest first.
    pub disclosures: Vec<DisclosureView>,
    /// The log entry.
    pub entry: EntryView,
    /// The same for everybody.
    pub statement: String,
}

/// Something that was done.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SubjectDoneView {
    /// The log entry.
    pub entry: EntryView,
    /// The same for everybody.
    pub statement: String,
}

/// One controller's answer.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReplyView {
    /// The number that it is sealed with.
    #[schema(value_type = String, format = "uuid")]
    pub part: SubjectPartId,
    /// `case-key` or `gateway`.
    pub protection: String,
    /// Ciphertext, or the answer itself; base64url.
    pub body: String,
}

/// What was released for the person so far.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RepliesView {
    /// In the order in which they came.
    pub replies: Vec<ReplyView>,
    /// The log entry.
    pub entry: EntryView,
    /// The same for everybody.
    pub statement: String,
}

/// A complaint in the register.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ComplaintView {
    /// Its number.
    #[schema(value_type = String, format = "uuid")]
    pub id: ComplaintId,
    /// What about.
    pub about: String,
    /// The case that it is about.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub case: Option<SubjectCaseId>,
    /// When it came in.
    #[schema(format = DateTime)]
    pub received_at: String,
    /// The last day for telling the person that it came in; `null` once that is done.
    #[schema(format = Date)]
    pub acknowledge_by: Option<String>,
    /// `received`, `acknowledged` or `closed`.
    pub state: String,
    /// With what it ended; `null` before.
    pub outcome: Option<String>,
}

/// A complaint, and what was done.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ComplaintDoneView {
    /// The complaint.
    pub complaint: ComplaintView,
    /// The log entry.
    pub entry: EntryView,
    /// The same for everybody.
    pub statement: String,
}

/// The agency's complaints.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ComplaintsView {
    /// Oldest first.
    pub complaints: Vec<ComplaintView>,
    /// The same for everybody.
    pub statement: String,
}

pub(super) fn own_data_view(done: &Done<OwnData>) -> OwnDataView {
    let contested = |all: &[String]| {
        all.iter().map(|criterion| if criterion.is_empty() { "*".to_owned() } else { criterion.clone() }).collect()
    };
    let record = |record: &OwnRecordSeen| OwnRecordView {
        feed: record.feed.clone(),
        reference: record.reference.clone(),
        as_at: record.as_at.map(|day| day.to_string()),
        says: record.evidence.clone(),
        restricted: record.is_restricted,
        contested: contested(&record.contested),
    };
    let disclosure = |seen: &DisclosureSeen| DisclosureView {
        disclosure: seen.disclosure,
        at: seen.at.to_string(),
        kind: seen.kind.clone(),
        recipient: seen.recipient.clone(),
        purpose: seen.purpose.clone(),
        mode: seen.mode.clone(),
        agreement: seen.agreement.clone(),
        items: seen.items.clone(),
    };
    OwnDataView {
        records: done.value.records.iter().map(record).collect(),
        disclosures: done.value.disclosures.iter().map(disclosure).collect(),
        entry: entry_view(done),
        statement: statement(),
    }
}

pub(super) fn case_view(case: &CaseSeen) -> CaseView {
    CaseView {
        id: case.id,
        right: case.right.to_string(),
        state: case.clock.state().to_owned(),
        opened_at: case.clock.opened_at.to_string(),
        due_on: case.clock.due_on().map(|day| day.to_string()),
        extended: case.clock.is_extended,
        overdue: case.is_overdue,
        protection: protection(case.has_reply_key),
    }
}

pub(super) fn part_view(part: &PartSeen) -> PartView {
    let said = |text: &String| (!text.is_empty()).then(|| text.clone());
    PartView {
        id: part.id,
        right: part.right.to_string(),
        due_on: part.clock.due_on().map(|day| day.to_string()),
        overdue: part.is_overdue,
        reply_key: said(&part.reply_key),
        outcome: said(&part.outcome),
    }
}

pub(super) fn complaint_view(complaint: &StoredComplaint) -> ComplaintView {
    let state = match (complaint.closed_at, complaint.acknowledged_at) {
        (Some(_), _) => "closed",
        (None, Some(_)) => "acknowledged",
        (None, None) => "received",
    };
    let waits = complaint.acknowledged_at.is_none() && complaint.closed_at.is_none();
    ComplaintView {
        id: complaint.id,
        about: complaint.about.clone(),
        case: complaint.case,
        received_at: complaint.received_at.to_string(),
        acknowledge_by: waits.then(|| acknowledge_by(complaint.received_at).to_string()),
        state: state.to_owned(),
        outcome: (!complaint.outcome.is_empty()).then(|| complaint.outcome.clone()),
    }
}

pub(super) fn case_done(done: &Done<CaseSeen>) -> CaseDoneView {
    CaseDoneView { case: case_view(&done.value), entry: entry_view(done), statement: statement() }
}

pub(super) fn complaint_done(done: &Done<StoredComplaint>) -> ComplaintDoneView {
    ComplaintDoneView { complaint: complaint_view(&done.value), entry: entry_view(done), statement: statement() }
}

pub(super) fn subject_done(done: &Done<()>) -> SubjectDoneView {
    SubjectDoneView { entry: entry_view(done), statement: statement() }
}

pub(super) fn entry_view<T>(done: &Done<T>) -> EntryView {
    EntryView { disclosure: done.disclosure, at: done.at.to_string(), receipt: done.receipt.clone() }
}

pub(super) fn protection(is_sealed_to_key: bool) -> String {
    if is_sealed_to_key { "case-key" } else { "gateway" }.to_owned()
}

pub(super) fn statement() -> String {
    NEITHER_CONFIRM_NOR_DENY.to_owned()
}
