//! What entries say, one struct for each type: the only place that fixes their fields.
//!
//! Integers and strings only; a field that does not apply is absent, never `null`. A new type is a
//! struct here, or in a file below for its noun, and a line in the table of [`Body`].

mod access;
mod agreements;
mod families;
mod incidents;
mod log;
mod matches;
mod recalls;
mod review;
mod rights;
mod runs;
mod shields;

use serde::{Deserialize, Serialize};

pub use self::access::{AccessCommitments, Filter, LogAccess, LogWitnesses, WitnessNamed};
pub use self::agreements::{AgreementApproval, AgreementRequest, AgreementSignature, AgreementState, AgreementStatus};
pub use self::families::{FamilyChange, FamilyCommitments, ReferralCommitments, ReferralStep};
pub use self::incidents::{
    EmergencyReview, IncidentLink, IncidentStep, NotShared, NotSharedCommitments, ReviewerCommitments,
};
pub use self::log::{LogOpen, LogRestore, PreviousLog};
pub use self::matches::{
    AskCommitments, DecisionCommitments, FuzzyStep, MatchAsk, MatchDecision, MatchView, NumberCommitments,
    ViewCommitments, WeightsLearned, WeightsStep,
};
pub use self::recalls::{
    NoticeAcknowledgement, NoticeCommitments, RecallCommitments, RecallNotice, RecallOpen, RecallStep,
};
pub use self::review::{AlertDecoy, AlertOpen, AlertStep, Figure, ReviewOfficer, ReviewPlan, ReviewReply, ReviewStep};
pub use self::rights::{Deletion, LegalHold, SubjectCase, SubjectCommitments};
pub use self::runs::{MatchRun, MatchRunStep, RunCommitments, RunCount, RunInput, RunStepGround};
pub use self::shields::{ShieldReview, ShieldReviewCommitments};
use super::{Code, EntryError};
use crate::domain::ids::{
    AgencyCode, AgreementRef, EventId, FeedCode, ProgrammeCode, PurposeCode, RoleCode, SubmissionId,
};
use crate::domain::time::Timestamp;
use crate::domain::token::{decode_base64url, encode_base64url};
use crate::tlog::commitment::Commitment;
use crate::tlog::digest::Digest;

macro_rules! bodies {
    ($($(#[$doc:meta])* $name:ident($fields:ty) = $kind:literal;)*) => {
        /// What happened: one variant for each entry type.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        #[serde(untagged)]
        pub enum Body {$(
            $(#[$doc])*
            $name($fields),
        )*}

        impl Body {
            /// The names of all entry types that this version knows.
            pub const KINDS: &'static [&'static str] = &[$($kind),*];

            pub(super) fn parse(kind: &str, json: &str) -> Result<Self, EntryError> {
                match kind {
                    $($kind => serde_json::from_str(json).map(Self::$name).map_err(|_| EntryError::Body),)*
                    _ => Err(EntryError::UnknownType),
                }
            }

            /// The entry type's name.
            pub const fn kind(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => $kind,)*
                }
            }
        }
    };
}

bodies! {
    /// A question and its answer or refusal.
    Enquiry(Box<Enquiry>) = "enquiry";
    /// A table of counts that left, or was refused.
    Statistics(Box<Statistics>) = "statistics";
    /// A look at a family by its number, and its answer or refusal.
    FamilyDisclosure(Box<Enquiry>) = "family.disclosure";
    /// Something that became of a family.
    FamilyChange(Box<FamilyChange>) = "family.change";
    /// One delivery of a feed.
    Submission(Submission) = "submission";
    /// A set of policy files that came into force.
    PolicyLoad(PolicyLoad) = "policy.load";
    /// A party's signature under an agreement.
    AgreementSignature(AgreementSignature) = "agreement.signature";
    /// Somebody asks that an agreement be put in force, or takes that back.
    AgreementRequest(AgreementRequest) = "agreement.request";
    /// An officer approves that an agreement be put in force.
    AgreementApproval(AgreementApproval) = "agreement.approval";
    /// An agreement's change of status.
    AgreementStatus(AgreementStatus) = "agreement.status";
    /// An agency's change of status.
    AgencyStatus(AgencyStatus) = "agency.status";
    /// Something that happened to a key.
    KeyEvent(KeyEvent) = "key.event";
    /// The openings of some events were destroyed.
    Erasure(Erasure) = "erasure";
    /// The first entry of a log.
    LogOpen(LogOpen) = "log.open";
    /// A client, key, certificate or feed was suspended or resumed.
    Standing(Standing) = "standing";
    /// The database was restored from a backup that lacks entries known elsewhere.
    LogRestore(LogRestore) = "log.restore";
    /// A step of a referral, taken or refused.
    ReferralStep(Box<ReferralStep>) = "referral.step";
    /// An agency is asked to verify records of its own.
    MatchAsk(MatchAsk) = "match.ask";
    /// An agency decided about a record of its own, or took its decision back.
    MatchDecision(MatchDecision) = "match.decision";
    /// Possible matches were shown to the data team, or refused.
    MatchView(Box<MatchView>) = "match.view";
    /// Weights of weighed fields were learned from the visible records.
    WeightsLearned(WeightsLearned) = "weights.learn";
    /// Weights were applied to the visible records, or withdrawn.
    WeightsStep(WeightsStep) = "weights.step";
    /// Fuzzy encodings of the visible records were compared and took effect, or were taken back.
    FuzzyStep(FuzzyStep) = "fuzzy.step";
    /// A match run was begun, or refused.
    MatchRun(Box<MatchRun>) = "match.run";
    /// A step of a match run.
    MatchRunStep(Box<MatchRunStep>) = "match.run.step";
    /// The log was searched, read, replayed or exported.
    LogAccess(Box<LogAccess>) = "log.access";
    /// A wrong match or delivery is recalled.
    RecallOpen(RecallOpen) = "recall.open";
    /// An agency is told that an answer which it received was wrong.
    RecallNotice(RecallNotice) = "recall.notice";
    /// A recall went on, or ended.
    RecallStep(RecallStep) = "recall.step";
    /// An agency acknowledged a notice.
    NoticeAcknowledgement(NoticeAcknowledgement) = "notice.acknowledgement";
    /// A step of an incident's record.
    IncidentStep(IncidentStep) = "incident.step";
    /// An incident was linked to something, or its notice pack was written.
    IncidentLink(IncidentLink) = "incident.link";
    /// An emergency enquiry was reviewed.
    EmergencyReview(EmergencyReview) = "emergency.review";
    /// Somebody was asked to share and decided not to.
    NotShared(NotShared) = "decision.not_to_share";
    /// An agency noted when it means to look at a record of its own again.
    ShieldReview(ShieldReview) = "shield.review";
    /// A reviewing officer was registered, or is one no longer.
    ReviewOfficer(ReviewOfficer) = "review.officer";
    /// A sample of disclosures was drawn.
    ReviewPlan(Box<ReviewPlan>) = "review.plan";
    /// A step of the review of one disclosure.
    ReviewStep(Box<ReviewStep>) = "review.step";
    /// An agency replied to a finding about its own disclosure.
    ReviewReply(ReviewReply) = "review.reply";
    /// An alert was opened.
    AlertOpen(AlertOpen) = "alert.open";
    /// An officer closed or escalated an alert.
    AlertStep(AlertStep) = "alert.step";
    /// A decoy was registered or removed.
    AlertDecoy(AlertDecoy) = "alert.decoy";
    /// Something was done in a case of a person's rights.
    SubjectCase(Box<SubjectCase>) = "subject.case";
    /// A freeze on deletion was placed or lifted.
    LegalHold(LegalHold) = "legal.hold";
    /// Something was deleted when its time was over.
    Deletion(Deletion) = "retention.deletion";
    /// The witnesses were changed, or on what terms they are believed.
    LogWitnesses(LogWitnesses) = "log.witnesses";
}

impl Body {
    /// Puts every list in the order that canonical entries have.
    pub(super) fn sort(&mut self) {
        match self {
            Self::Enquiry(enquiry) | Self::FamilyDisclosure(enquiry) => {
                enquiry.decisions.sort_by(|a, b| a.key().cmp(&b.key()));
                enquiry.feeds.sort_by(|a, b| a.key().cmp(&b.key()));
                enquiry.decisions.iter_mut().for_each(|decision| decision.rules_hit.sort());
            }
            Self::Statistics(table) => {
                table.decisions.sort_by(|a, b| a.key().cmp(&b.key()));
                table.feeds.sort_by(|a, b| a.key().cmp(&b.key()));
                table.decisions.iter_mut().for_each(|decision| decision.rules_hit.sort());
            }
            Self::MatchView(view) => {
                view.decisions.sort_by(|a, b| a.key().cmp(&b.key()));
                view.feeds.sort_by(|a, b| a.key().cmp(&b.key()));
                view.decisions.iter_mut().for_each(|decision| decision.rules_hit.sort());
            }
            Self::MatchRun(run) => {
                run.decisions.sort_by(|a, b| a.key().cmp(&b.key()));
                run.feeds.sort_by(|a, b| a.key().cmp(&b.key()));
                run.decisions.iter_mut().for_each(|decision| decision.rules_hit.sort());
                run.inputs.sort_by_key(|input| input.submission);
            }
            Self::MatchRunStep(step) => {
                step.decisions.sort_by(|a, b| a.key().cmp(&b.key()));
                step.decisions.iter_mut().for_each(|decision| decision.rules_hit.sort());
                step.counts.iter_mut().for_each(|counts| counts.sort_by(|a, b| a.of.cmp(&b.of)));
            }
            Self::LogAccess(access) => {
                access.decisions.sort_by(|a, b| a.key().cmp(&b.key()));
                access.decisions.iter_mut().for_each(|decision| decision.rules_hit.sort());
                access.filters.sort();
            }
            Self::LogWitnesses(rule) => rule.witnesses.sort(),
            Self::AgreementStatus(status) => status.approved_by.sort(),
            Self::PolicyLoad(load) => load.agreements.sort_by(|a, b| a.agreement.cmp(&b.agreement)),
            Self::Erasure(erasure) => erasure.events.sort(),
            Self::NotShared(decision) => decision.items.sort(),
            Self::ReviewOfficer(officer) => {
                officer.keys.sort();
                officer.clients.sort();
            }
            Self::ReviewPlan(plan) => {
                plan.filters.sort();
                plan.entries.sort();
            }
            Self::AlertOpen(alert) => alert.figures.sort(),
            _ => {}
        }
    }

    /// Whether a sorted list names one thing twice.
    pub(super) fn repeats(&self) -> bool {
        fn any<T>(list: &[T], same: impl Fn(&T, &T) -> bool) -> bool {
            list.windows(2).any(|pair| same(&pair[0], &pair[1]))
        }
        match self {
            Self::Enquiry(enquiry) | Self::FamilyDisclosure(enquiry) => {
                any(&enquiry.decisions, |a, b| a.key() == b.key())
                    || any(&enquiry.feeds, |a, b| a.key() == b.key())
                    || enquiry.decisions.iter().any(|decision| any(&decision.rules_hit, |a, b| a == b))
            }
            Self::Statistics(table) => {
                any(&table.decisions, |a, b| a.key() == b.key())
                    || any(&table.feeds, |a, b| a.key() == b.key())
                    || table.decisions.iter().any(|decision| any(&decision.rules_hit, |a, b| a == b))
            }
            Self::MatchView(view) => {
                any(&view.decisions, |a, b| a.key() == b.key())
                    || any(&view.feeds, |a, b| a.key() == b.key())
                    || view.decisions.iter().any(|decision| any(&decision.rules_hit, |a, b| a == b))
            }
            Self::MatchRun(run) => {
                any(&run.decisions, |a, b| a.key() == b.key())
                    || any(&run.feeds, |a, b| a.key() == b.key())
                    || run.decisions.iter().any(|decision| any(&decision.rules_hit, |a, b| a == b))
                    || any(&run.inputs, |a, b| a.submission == b.submission)
            }
            Self::MatchRunStep(step) => {
                any(&step.decisions, |a, b| a.key() == b.key())
                    || step.decisions.iter().any(|decision| any(&decision.rules_hit, |a, b| a == b))
                    || step.counts.as_ref().is_some_and(|counts| any(counts, |a, b| a.of == b.of))
            }
            Self::LogAccess(access) => {
                any(&access.decisions, |a, b| a.key() == b.key())
                    || access.decisions.iter().any(|decision| any(&decision.rules_hit, |a, b| a == b))
                    || any(&access.filters, |a, b| a.by == b.by)
            }
            Self::LogWitnesses(rule) => any(&rule.witnesses, |a, b| a == b),
            Self::AgreementStatus(status) => any(&status.approved_by, |a, b| a == b),
            Self::PolicyLoad(load) => any(&load.agreements, |a, b| a.agreement == b.agreement),
            Self::Erasure(erasure) => any(&erasure.events, |a, b| a == b),
            Self::NotShared(decision) => any(&decision.items, |a, b| a == b),
            Self::ReviewOfficer(officer) => any(&officer.keys, |a, b| a == b) || any(&officer.clients, |a, b| a == b),
            Self::ReviewPlan(plan) => any(&plan.filters, |a, b| a == b) || any(&plan.entries, |a, b| a == b),
            Self::AlertOpen(alert) => any(&alert.figures, |a, b| a.of == b.of),
            _ => false,
        }
    }
}

/// A question and its answer or refusal. No field depends on whether the person is known or shielded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enquiry {
    /// SHA-256 of the request as received, without what stands for a person: tokens, case, user, and
    /// epochs, whose key checks tell which identifiers somebody has.
    pub request: Digest,
    /// Who asked.
    pub recipient: AgencyCode,
    /// Through which enrolled client.
    pub client: Code,
    /// The agreement version named in the question; absent when it names none that exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<AgreementRef>,
    /// SHA-256 of that agreement's signed text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement_sha256: Option<Digest>,
    /// SHA-256 of the rule book in force.
    pub rules_sha256: Digest,
    /// SHA-256 of the programme file in force.
    pub programme_sha256: Digest,
    /// SHA-256 over every agency's file in force.
    pub agencies_sha256: Digest,
    /// SHA-256 of the match keys in force: they decide who is meant.
    pub match_keys_sha256: Digest,
    /// Version of the criteria used.
    pub criteria_version: Code,
    /// What the answer is for.
    pub purpose: PurposeCode,
    /// The recipient's relationship with the person, as stated.
    pub relationship: Code,
    /// In an emergency, what kind of danger; absent otherwise. Every entry with it is reviewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emergency: Option<Code>,
    /// The role of the person who asked.
    pub role: RoleCode,
    /// The answer mode: `eligible`, `count`, `areas`, `criteria` or `lead`; or the journey that asked:
    /// `engagement` and `claim`, both decided as `criteria`, and `preview`, decided as `count`.
    pub mode: Code,
    /// Answered, or refused and why.
    pub outcome: Outcome,
    /// Every (supplier, item) of the question, decided before any record was read.
    pub decisions: Vec<Decision>,
    /// The feeds of the permitted set, and how fresh they were.
    pub feeds: Vec<Feed>,
    /// Commitments to what the entry must not say in clear.
    pub commitments: Commitments,
    /// The true path, sealed to the shield officers; padding when there is none.
    pub shield_opening: ShieldOpening,
}

/// A table of counts that left, or was refused. It is about nobody: everything is in clear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statistics {
    /// The table, such as `areas-by-locality`.
    pub table: Code,
    /// `internal` or `public`.
    pub profile: Code,
    /// What was hidden and how the rest was rounded, as a code.
    pub rule: Code,
    /// Number of the release; absent when the table was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<u64>,
    /// The day that the release describes; absent when the table was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_at: Option<Timestamp>,
    /// SHA-256 of the table as it left, JSON; absent when it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_sha256: Option<Digest>,
    /// Who asked.
    pub recipient: AgencyCode,
    /// Through which enrolled client.
    pub client: Code,
    /// The agreement version named; absent when it names none that exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<AgreementRef>,
    /// SHA-256 of that agreement's signed text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement_sha256: Option<Digest>,
    /// SHA-256 of the rule book in force.
    pub rules_sha256: Digest,
    /// SHA-256 of the programme file in force.
    pub programme_sha256: Digest,
    /// SHA-256 over every agency's file in force.
    pub agencies_sha256: Digest,
    /// SHA-256 of the match keys in force: they decide who is one person.
    pub match_keys_sha256: Digest,
    /// Version of the criteria in force.
    pub criteria_version: Code,
    /// What the table is for.
    pub purpose: PurposeCode,
    /// The role of the person who asked.
    pub role: RoleCode,
    /// Given, or refused and why.
    pub outcome: Outcome,
    /// Every (supplier, item), decided before any record was read.
    pub decisions: Vec<Decision>,
    /// The feeds of the permitted set, and how fresh they were.
    pub feeds: Vec<Feed>,
}

/// The salted commitments of an enquiry. Each has one opening, kept outside the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commitments {
    /// The person asked about.
    pub subject: Commitment,
    /// The recipient's case.
    pub case: Commitment,
    /// The user who asked.
    pub actor: Commitment,
    /// The answer, with the evidence as it was evaluated.
    pub answer: Commitment,
    /// What names records or families beside the answer, of journeys that keep such; no bundle opens it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<Commitment>,
}

/// How an enquiry ended: `"answered"`, or `{"refused":"code"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// An answer left, `not_known` included.
    Answered,
    /// Nothing left; the code of the refusal.
    Refused(Code),
}

/// Whether one supplier's item may contribute to an answer, and under which texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// Whose records.
    pub supplier: AgencyCode,
    /// From which feed.
    pub feed: FeedCode,
    /// A criteria area, `lead`, `service`, `attendance`, `household` or `locality`.
    pub item: Code,
    /// The supply term, such as `tff-schools-2026/v3/supply-A4`; absent when none covers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supply: Option<Code>,
    /// SHA-256 of the agreement text that holds the supply term.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supply_sha256: Option<Digest>,
    /// The receive clause; absent when none covers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receive: Option<Code>,
    /// What was decided.
    pub outcome: Contribution,
    /// The rules that withheld it.
    pub rules_hit: Vec<Code>,
}

impl Decision {
    pub(super) fn key(&self) -> (&AgencyCode, &FeedCode, &Code) {
        (&self.supplier, &self.feed, &self.item)
    }
}

/// Whether an item may contribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contribution {
    /// It may.
    Permitted,
    /// Agreement or law forbid it.
    Withheld,
}

/// How fresh one feed was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feed {
    /// Whose feed.
    pub supplier: AgencyCode,
    /// Which.
    pub feed: FeedCode,
    /// The date its newest submission speaks of; absent when there is none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_at: Option<Timestamp>,
    /// `yes` where the agreement lets its tokens be made of an older system's hash values: weak ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legacy_tokens: Option<YesNo>,
    /// Whether the calendar expected a newer one.
    pub late: YesNo,
}

impl Feed {
    pub(super) fn key(&self) -> (&AgencyCode, &FeedCode) {
        (&self.supplier, &self.feed)
    }
}

/// A truth value: entries hold strings and integers only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum YesNo {
    /// True.
    Yes,
    /// False.
    No,
}

impl From<bool> for YesNo {
    fn from(value: bool) -> Self {
        if value { Self::Yes } else { Self::No }
    }
}

/// Length of every shield opening: 32 bytes of encapsulated key, 208 of padded text, 16 of tag.
pub const SHIELD_OPENING_BYTES: usize = 256;

/// The sealed true path of an enquiry: the same length in every entry, so that its presence tells nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ShieldOpening(Box<[u8; SHIELD_OPENING_BYTES]>);

impl ShieldOpening {
    /// Wraps sealed bytes.
    pub fn new(sealed: [u8; SHIELD_OPENING_BYTES]) -> Self {
        Self(Box::new(sealed))
    }

    /// The sealed bytes.
    pub fn as_bytes(&self) -> &[u8; SHIELD_OPENING_BYTES] {
        &self.0
    }
}
impl TryFrom<String> for ShieldOpening {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        decode_base64url(&text).map(Self::new).ok_or("not a shield opening of 256 bytes in base64url")
    }
}
impl From<ShieldOpening> for String {
    fn from(opening: ShieldOpening) -> Self {
        encode_base64url(&opening.0[..])
    }
}

/// One delivery of a feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submission {
    /// The submission's id.
    pub submission: SubmissionId,
    /// Who delivered.
    pub agency: AgencyCode,
    /// Which feed.
    pub feed: FeedCode,
    /// Under which agreement version.
    pub agreement: AgreementRef,
    /// Replaces the feed's records, or adds and retracts.
    pub mode: SubmissionMode,
    /// The date the delivery speaks of.
    pub as_at: Timestamp,
    /// Rows stored; in early entries alone. Shielded records are among them, and who is told how many
    /// others a run or a table counted could tell by subtraction how many: they are a band now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_accepted: Option<u64>,
    /// The band that the number of rows stored is in: `0`, `1-15`, `16-31`, `32-63` and so on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<Code>,
    /// Rows refused.
    pub rows_rejected: u64,
    /// Tokens that it retired, so that nothing matches by them any more; in early entries alone. An agency
    /// retires tokens where a child was adopted, so that the number is a commitment now.
    #[serde(default, skip_serializing_if = "is_none")]
    pub tokens_retired: u64,
    /// Commitments to what the entry must not say in clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commitments: Option<SubmissionCommitments>,
    /// Keyed digest of the delivery as received: the gateway made it of the running digest that
    /// docs/submissions.md defines, so that nobody else can test a guess about a small file.
    pub digest: Digest,
}

/// The salted commitments of a [`Submission`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmissionCommitments {
    /// How many tokens it retired: in decimal, 0 in nearly every entry.
    pub retired: Commitment,
    /// How many rows were stored, in decimal.
    pub rows: Commitment,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

/// What a submission does to the records of its feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubmissionMode {
    /// Replaces them.
    Snapshot,
    /// Adds and retracts.
    Delta,
    /// Takes an earlier submission back.
    Retraction,
}

/// A set of policy files that came into force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyLoad {
    /// The programme.
    pub programme: ProgrammeCode,
    /// The agreement-state revision that cached decisions are keyed by.
    pub revision: u64,
    /// SHA-256 of the programme file.
    pub programme_sha256: Digest,
    /// SHA-256 of the match-key file.
    pub match_keys_sha256: Digest,
    /// SHA-256 of the rule book.
    pub rules_sha256: Digest,
    /// SHA-256 over every agency's file.
    pub agencies_sha256: Digest,
    /// Every agreement version loaded.
    pub agreements: Vec<LoadedAgreement>,
    /// The account that loaded them; never a person's name.
    pub by: Code,
}

/// An agreement version and its signed text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadedAgreement {
    /// Which.
    pub agreement: AgreementRef,
    /// SHA-256 of its signed text.
    pub sha256: Digest,
}

/// An agency's change of status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgencyStatus {
    /// Which.
    pub agency: AgencyCode,
    /// Its status before; absent for a new agency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Code>,
    /// Its status from now on, such as `enrolled` or `suspended`.
    pub to: Code,
    /// The account that changed it; never a person's name.
    pub by: Code,
    /// Why.
    pub reason: Code,
}

/// Something that happened to a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyEvent {
    /// Which key: its identifier, never its bytes.
    pub key: Code,
    /// What the key is for, such as `checkpoint` or `blinding`.
    pub used_for: Code,
    /// What happened, such as `created`, `announced`, `retired`, `destroyed` or `compromised`.
    pub action: Code,
    /// SHA-256 of the public key, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_sha256: Option<Digest>,
    /// The account that did it; never a person's name.
    pub by: Code,
    /// Why.
    pub reason: Code,
}

/// The openings of some events were destroyed. Their entries stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erasure {
    /// Which events; at most about 1,600 fit in one entry.
    pub events: Vec<EventId>,
    /// The legal reason.
    pub reason: Code,
    /// The account or job that did it; never a person's name.
    pub by: Code,
}

/// A client, key, certificate or feed was suspended or resumed. Agencies and agreements have entries
/// of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// What kind: `certificate`, `client`, `client-key`, `feed` or `signatory`.
    pub of: Code,
    /// Its name: a fingerprint, an id, `client/key id` or `agency/feed`.
    pub name: Code,
    /// Whose it is.
    pub agency: AgencyCode,
    /// Its standing from now on: `active` or `suspended`.
    pub to: Code,
    /// The account that changed it; never a person's name.
    pub by: Code,
    /// Why.
    pub reason: Code,
}
