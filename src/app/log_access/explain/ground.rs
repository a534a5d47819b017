//! What an entry says about a decision, whichever type it is of: who asked, for what, and under which texts.

use crate::domain::ids::{AgencyCode, AgreementRef, PurposeCode, RoleCode};
use crate::tlog::digest::Digest;
use crate::tlog::entry::{Body, Code, Decision, Feed, Outcome};

/// A decision as its entry records it.
pub(super) struct Ground<'a> {
    /// Who asked; none where an operator exported for nobody in particular.
    pub(super) agency: Option<&'a AgencyCode>,
    pub(super) client: &'a Code,
    pub(super) role: Option<&'a RoleCode>,
    /// What was asked for.
    pub(super) what: String,
    pub(super) purpose: Option<&'a PurposeCode>,
    pub(super) relationship: Option<&'a Code>,
    pub(super) emergency: Option<&'a Code>,
    pub(super) agreement: Option<&'a AgreementRef>,
    pub(super) agreement_sha256: Option<&'a Digest>,
    pub(super) rules_sha256: &'a Digest,
    pub(super) programme_sha256: Option<&'a Digest>,
    pub(super) agencies_sha256: Option<&'a Digest>,
    pub(super) match_keys_sha256: Option<&'a Digest>,
    pub(super) criteria_version: Option<&'a Code>,
    pub(super) outcome: &'a Outcome,
    pub(super) decisions: &'a [Decision],
    pub(super) feeds: &'a [Feed],
}

impl<'a> Ground<'a> {
    /// `None` for entries that record no decision about what somebody may be told.
    pub(super) fn of(body: &'a Body) -> Option<Self> {
        macro_rules! of {
            ($it:expr, $agency:expr, $what:expr) => {
                Self {
                    agency: $agency,
                    client: &$it.client,
                    role: None,
                    what: $what,
                    purpose: None,
                    relationship: None,
                    emergency: None,
                    agreement: $it.agreement.as_ref(),
                    agreement_sha256: $it.agreement_sha256.as_ref(),
                    rules_sha256: &$it.rules_sha256,
                    programme_sha256: None,
                    agencies_sha256: None,
                    match_keys_sha256: None,
                    criteria_version: None,
                    outcome: &$it.outcome,
                    decisions: &[],
                    feeds: &[],
                }
            };
        }
        Some(match body {
            Body::Enquiry(it) | Body::FamilyDisclosure(it) => Self {
                role: Some(&it.role),
                purpose: Some(&it.purpose),
                relationship: Some(&it.relationship),
                emergency: it.emergency.as_ref(),
                programme_sha256: Some(&it.programme_sha256),
                agencies_sha256: Some(&it.agencies_sha256),
                match_keys_sha256: Some(&it.match_keys_sha256),
                criteria_version: Some(&it.criteria_version),
                decisions: &it.decisions,
                feeds: &it.feeds,
                ..of!(it, Some(&it.recipient), answer(body, &it.mode))
            },
            Body::Statistics(it) => Self {
                role: Some(&it.role),
                purpose: Some(&it.purpose),
                programme_sha256: Some(&it.programme_sha256),
                agencies_sha256: Some(&it.agencies_sha256),
                match_keys_sha256: Some(&it.match_keys_sha256),
                criteria_version: Some(&it.criteria_version),
                decisions: &it.decisions,
                feeds: &it.feeds,
                ..of!(
                    it,
                    Some(&it.recipient),
                    format!("the table '{}' of counts in the profile '{}'", it.table, it.profile)
                )
            },
            Body::MatchView(it) => Self {
                role: Some(&it.role),
                purpose: Some(&it.purpose),
                relationship: Some(&it.relationship),
                programme_sha256: Some(&it.programme_sha256),
                agencies_sha256: Some(&it.agencies_sha256),
                match_keys_sha256: Some(&it.match_keys_sha256),
                decisions: &it.decisions,
                feeds: &it.feeds,
                ..of!(it, Some(&it.recipient), "a view of possible matches".to_owned())
            },
            Body::MatchRun(it) => Self {
                role: Some(&it.role),
                purpose: Some(&it.purpose),
                relationship: Some(&it.relationship),
                programme_sha256: Some(&it.programme_sha256),
                agencies_sha256: Some(&it.agencies_sha256),
                match_keys_sha256: Some(&it.match_keys_sha256),
                criteria_version: Some(&it.criteria_version),
                decisions: &it.decisions,
                feeds: &it.feeds,
                ..of!(it, Some(&it.recipient), format!("that the match run {} be begun", it.run))
            },
            Body::MatchRunStep(it) => {
                let ground = it.ground.as_ref();
                Self {
                    role: Some(&it.role),
                    purpose: ground.map(|ground| &ground.purpose),
                    relationship: ground.map(|ground| &ground.relationship),
                    programme_sha256: ground.map(|ground| &ground.programme_sha256),
                    agencies_sha256: ground.map(|ground| &ground.agencies_sha256),
                    match_keys_sha256: ground.map(|ground| &ground.match_keys_sha256),
                    decisions: &it.decisions,
                    ..of!(it, Some(&it.agency), format!("the step '{}' of the match run {}", it.step, it.run))
                }
            }
            Body::LogAccess(it) => {
                let mut what = format!("'{}' of the log", it.action);
                what.extend(it.filters.iter().map(|filter| format!(", {} {}", filter.by, filter.value)));
                what.extend(it.entry.map(|entry| format!(", entry {entry}")));
                Self {
                    role: it.role.as_ref(),
                    purpose: Some(&it.purpose),
                    programme_sha256: Some(&it.programme_sha256),
                    agencies_sha256: Some(&it.agencies_sha256),
                    decisions: &it.decisions,
                    ..of!(it, it.recipient.as_ref(), what)
                }
            }
            Body::ReferralStep(it) => Self {
                role: Some(&it.role),
                purpose: Some(&it.purpose),
                relationship: Some(&it.relationship),
                programme_sha256: Some(&it.programme_sha256),
                ..of!(
                    it,
                    Some(&it.agency),
                    format!("the step '{}' of the referral {}, to '{}'", it.step, it.referral, it.to)
                )
            },
            _ => return None,
        })
    }
}

/// What an answer was asked about, and in which form.
fn answer(body: &Body, mode: &Code) -> String {
    let about = if matches!(body, Body::Enquiry(_)) { "a person" } else { "a family by its number" };
    let as_a_mode = match mode.as_str() {
        "engagement" | "claim" => ", decided as 'criteria'",
        "preview" => ", decided as 'count'",
        _ => "",
    };
    format!("an answer about {about} in the form '{mode}'{as_a_mode}")
}
