//! An information-sharing agreement: the immutable signed text, and beside it its status.
//!
//! The text carries neither status nor signatures, so that suspending an agreement does not change
//! what was signed. The bytes and their SHA-256 are kept: signatures and log entries are over them.

mod complete;
mod sections;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::ToSpan as _;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

pub use super::item::{AnswerMode, Item};
pub use sections::{
    Breach, CaldicottSignOff, Governance, Handling, Law, LegacyTokens, Party, PartyRole, PoliceRegime, Rights, Scope,
    Stage, Why,
};

use super::ids::{
    AgencyCode, AgreementCode, AgreementRef, BasisCode, PowerCode, ProgrammeCode, PurposeCode, RoleCode, TermCode,
};
use super::law;
use super::policy_file::{self, Fault, Faults, FileHash, says_something};
use super::time::Timestamp;

/// Where an agreement stands. Kept beside the text, as a series of log events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgreementStatus {
    /// Being written.
    Draft,
    /// Signed by its parties, not yet put in force.
    Signed,
    /// In force.
    InForce,
    /// Stopped for a while.
    Suspended,
    /// Ended by its date.
    Expired,
    /// Ended by a party.
    Withdrawn,
}

/// An agreement as it stands now: its text, its status and who has signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// The signed text.
    pub text: Arc<AgreementText>,
    /// Where it stands.
    pub status: AgreementStatus,
    /// The parties whose signatures over the text's hash were verified.
    pub signed_by: BTreeSet<AgencyCode>,
}

impl Agreement {
    /// The agreement signed by every party and put in force.
    pub fn in_force(text: Arc<AgreementText>) -> Self {
        let signed_by = text.parties().iter().map(|party| party.agency.clone()).collect();
        Self { text, status: AgreementStatus::InForce, signed_by }
    }
}

/// How a party's records are protected in the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Profile {
    /// Composite match keys, indexed.
    A,
    /// Field tokens, sealed.
    B,
    /// Fuzzy encodings, sealed.
    C,
}

/// Whether the recipient may pass an answer on. From the strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Onward {
    /// To nobody.
    None,
    /// Only after the supplier agreed in writing.
    WithSupplierConsent,
    /// To other parties of the agreement, for the same purpose.
    Parties,
}

impl Onward {
    /// The name in files and in the rule book.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::WithSupplierConsent => "with_supplier_consent",
            Self::Parties => "parties",
        }
    }
}

/// What an answer is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// One person.
    Person,
    /// The family.
    Household,
}

/// What a supplier lets the gateway use for whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SupplyTerm {
    /// Its code in the agreement.
    pub id: TermCode,
    /// What it says, in one plain sentence.
    pub plain: String,
    /// Whose data.
    pub supplier: AgencyCode,
    /// For whom.
    pub recipients: BTreeSet<AgencyCode>,
    /// What.
    pub items: BTreeSet<Item>,
    /// In which forms of answer.
    pub modes: BTreeSet<AnswerMode>,
    /// For what.
    pub purposes: BTreeSet<PurposeCode>,
    /// The statutes that permit it.
    pub power: BTreeSet<PowerCode>,
    /// The lawful basis.
    pub art6: BasisCode,
    /// Conditions for special category and criminal-offence data.
    pub conditions: BTreeSet<BasisCode>,
    /// How the records are protected in the gateway.
    pub profile: Profile,
    /// Whether answers may be passed on.
    pub onward: Onward,
}

/// What a recipient may be told, from whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiveClause {
    /// Its code in the agreement.
    pub id: TermCode,
    /// What it says, in one plain sentence.
    pub plain: String,
    /// Who is told.
    pub recipient: AgencyCode,
    /// From whose data.
    pub suppliers: BTreeSet<AgencyCode>,
    /// What.
    pub items: BTreeSet<Item>,
    /// In which forms of answer.
    pub modes: BTreeSet<AnswerMode>,
    /// For what.
    pub purposes: BTreeSet<PurposeCode>,
    /// The statutes that permit it.
    pub power: BTreeSet<PowerCode>,
    /// The lawful basis.
    pub art6: BasisCode,
    /// Conditions for special category and criminal-offence data.
    pub conditions: BTreeSet<BasisCode>,
    /// Who at the recipient may ask.
    pub roles: BTreeSet<RoleCode>,
    /// What an answer is about.
    pub unit: Unit,
    /// How many enquiries a day.
    pub daily_ceiling: u32,
    /// Whether it may be asked under in an emergency, when somebody is in danger now. Every such
    /// enquiry is reviewed afterwards.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub emergency: bool,
    /// Whether answers may be passed on.
    pub onward: Onward,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AgreementFile {
    id: AgreementCode,
    version: u32,
    #[serde(default)]
    supersedes: Option<u32>,
    title: String,
    programme: ProgrammeCode,
    #[serde(deserialize_with = "policy_file::date")]
    starts: Date,
    #[serde(deserialize_with = "policy_file::date")]
    ends: Date,
    #[serde(deserialize_with = "policy_file::date")]
    review_due: Date,
    review_grace_days: u16,
    reviewer: String,
    why: Why,
    scope: Scope,
    law: Law,
    handling: Handling,
    rights: Rights,
    breach: Breach,
    governance: Governance,
    party: Vec<Party>,
    #[serde(default)]
    supply: Vec<SupplyTerm>,
    #[serde(default)]
    receive: Vec<ReceiveClause>,
}

/// The signed text of one version of an agreement.
#[derive(Clone)]
pub struct AgreementText {
    bytes: Vec<u8>,
    hash: FileHash,
    reference: AgreementRef,
    read: Arc<AgreementFile>,
}

impl AgreementText {
    /// Reads the signed bytes.
    ///
    /// # Errors
    ///
    /// [`Faults`] for unknown or missing keys, empty sentences, dates out of order, terms between
    /// agencies that are not parties, empty lists, and powers, bases or conditions that are not in
    /// the register of [`law`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Faults> {
        let read: AgreementFile = policy_file::read(bytes)?;
        let faults = read.faults();
        let reference = AgreementRef { id: read.id.clone(), version: read.version };
        let text = Self { bytes: bytes.to_vec(), hash: FileHash::of(bytes), reference, read: Arc::new(read) };
        Faults::or(faults, text)
    }

    /// The bytes as signed.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
    /// Their SHA-256.
    pub fn hash(&self) -> FileHash {
        self.hash
    }
    /// Which agreement and version this is.
    pub fn reference(&self) -> &AgreementRef {
        &self.reference
    }
    /// The version that this one replaces.
    pub fn supersedes(&self) -> Option<u32> {
        self.read.supersedes
    }
    /// Its title.
    pub fn title(&self) -> &str {
        &self.read.title
    }
    /// The programme it belongs to.
    pub fn programme(&self) -> &ProgrammeCode {
        &self.read.programme
    }
    /// First day.
    pub fn starts(&self) -> Date {
        self.read.starts
    }
    /// Last day.
    pub fn ends(&self) -> Date {
        self.read.ends
    }
    /// The day by which it must have been reviewed.
    pub fn review_due(&self) -> Date {
        self.read.review_due
    }
    /// The last day on which an overdue review is borne with.
    pub fn last_day_of_grace(&self) -> Date {
        self.read.review_due.checked_add(i64::from(self.read.review_grace_days).days()).unwrap_or(Date::MAX)
    }
    /// Who reviews it.
    pub fn reviewer(&self) -> &str {
        &self.read.reviewer
    }
    /// Why it exists.
    pub fn why(&self) -> &Why {
        &self.read.why
    }
    /// Whom and what it covers.
    pub fn scope(&self) -> &Scope {
        &self.read.scope
    }
    /// The law it rests on.
    pub fn law(&self) -> &Law {
        &self.read.law
    }
    /// How data are handled.
    pub fn handling(&self) -> &Handling {
        &self.read.handling
    }
    /// How people use their rights.
    pub fn rights(&self) -> &Rights {
        &self.read.rights
    }
    /// What happens after a breach.
    pub fn breach(&self) -> &Breach {
        &self.read.breach
    }
    /// Who watches over it.
    pub fn governance(&self) -> &Governance {
        &self.read.governance
    }
    /// Its parties, in the text's order.
    pub fn parties(&self) -> &[Party] {
        &self.read.party
    }
    /// Whether an agency is a party.
    pub fn has_party(&self, agency: &AgencyCode) -> bool {
        self.read.party.iter().any(|party| party.agency == *agency)
    }
    /// Whether an agency's tokens may be made of an older system's hash values on a day.
    pub fn takes_legacy_tokens(&self, agency: &AgencyCode, day: Date) -> bool {
        let mut parties = self.read.party.iter().filter(|party| party.agency == *agency);
        parties.any(|party| party.legacy_tokens.as_ref().is_some_and(|legacy| day <= legacy.until))
    }
    /// The supply terms, in the text's order.
    pub fn supplies(&self) -> &[SupplyTerm] {
        &self.read.supply
    }
    /// Whether an agency supplies under a privacy profile: one of its supply terms has it.
    pub fn has_profile(&self, agency: &AgencyCode, profile: Profile) -> bool {
        self.supplies().iter().any(|term| term.supplier == *agency && term.profile == profile)
    }
    /// The receive clauses, in the text's order.
    pub fn receives(&self) -> &[ReceiveClause] {
        &self.read.receive
    }

    /// The first instant at which it holds.
    pub fn starts_at(&self) -> Timestamp {
        Timestamp::start_of(self.starts())
    }
    /// The first instant at which it no longer holds.
    pub fn ends_before(&self) -> Timestamp {
        after(self.ends())
    }
    /// The first instant at which its review is overdue beyond the grace period.
    pub fn review_before(&self) -> Timestamp {
        after(self.last_day_of_grace())
    }
    /// The next instant after `now` at which its own dates change what it permits.
    pub fn next_boundary(&self, now: Timestamp) -> Option<Timestamp> {
        let dates = [self.starts_at(), self.ends_before(), self.review_before()];
        dates.into_iter().chain(self.caldicott_from()).filter(|at| *at > now).min()
    }
    /// The first instant at which the Caldicott Guardian's sign-off counts; none without one.
    pub fn caldicott_from(&self) -> Option<Timestamp> {
        self.law().caldicott_sign_off.as_ref().map(|sign_off| Timestamp::start_of(sign_off.on))
    }
    /// Whether its flows are law-enforcement processing under Part 3 of the Data Protection Act 2018.
    pub fn is_law_enforcement(&self) -> bool {
        self.law().police_regime == Some(PoliceRegime::LawEnforcement)
    }
}

impl std::fmt::Debug for AgreementText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AgreementText({}, {})", self.reference, self.hash)
    }
}
impl PartialEq for AgreementText {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}
impl Eq for AgreementText {}

/// The first instant after a day.
fn after(day: Date) -> Timestamp {
    Timestamp::start_of(day).plus_seconds(86_400)
}

impl AgreementFile {
    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        self.empty_sentences(&mut faults);
        if self.version == 0 || self.supersedes.is_some_and(|old| old == 0 || old >= self.version) {
            let sentence = "versions count from 1 and replace an earlier one";
            faults.push(Fault::at("version", "version", sentence));
        }
        if self.ends < self.starts {
            faults.push(Fault::at("ends", "order", "it ends before it starts"));
        }
        if self.review_due < self.starts || self.review_due > self.ends {
            faults.push(Fault::at("review_due", "order", "the review falls between start and end"));
        }
        if self.law.dpia_date > self.starts {
            let sentence = "the impact assessment comes before the agreement starts";
            faults.push(Fault::at("law.dpia_date", "order", sentence));
        }
        if !(1..=72).contains(&self.breach.notify_within_hours) {
            let sentence = "the regulator must hear within 72 hours";
            faults.push(Fault::at("breach.notify_within_hours", "range", sentence));
        }
        for (n, party) in self.party.iter().enumerate() {
            if party.legacy_tokens.as_ref().is_some_and(|legacy| !says_something(&legacy.plain)) {
                let sentence = "say in one plain sentence why old hash values are taken";
                faults.push(Fault::at(format!("party[{n}].legacy_tokens.plain"), "empty", sentence));
            }
        }
        let parties: BTreeSet<_> = self.party.iter().map(|party| &party.agency).collect();
        if parties.len() != self.party.len() || parties.len() < 2 {
            faults.push(Fault::at("party", "parties", "an agreement has two or more parties, each listed once"));
        }
        let mut ids = BTreeSet::new();
        for (n, term) in self.supply.iter().enumerate() {
            let at = |key: &str| format!("supply[{n}].{key}");
            if !ids.insert(&term.id) {
                faults.push(Fault::at(at("id"), "duplicate", "the code is listed twice"));
            }
            self.common(&at, &Common::from(term), &parties, &mut faults);
            if term.recipients.contains(&term.supplier) {
                faults.push(Fault::at(at("recipients"), "self", "an agency does not supply itself"));
            }
        }
        for (n, clause) in self.receive.iter().enumerate() {
            let at = |key: &str| format!("receive[{n}].{key}");
            if !ids.insert(&clause.id) {
                faults.push(Fault::at(at("id"), "duplicate", "the code is listed twice"));
            }
            self.common(&at, &Common::from(clause), &parties, &mut faults);
            if clause.suppliers.contains(&clause.recipient) {
                faults.push(Fault::at(at("suppliers"), "self", "a recipient's own records are always in its set"));
            }
            if clause.roles.is_empty() {
                faults.push(Fault::at(at("roles"), "empty", "somebody must be named who may ask"));
            }
            if clause.daily_ceiling == 0 {
                faults.push(Fault::at(at("daily_ceiling"), "empty", "a ceiling of nothing permits nothing"));
            }
        }
        if ids.is_empty() {
            faults.push(Fault::at("supply", "empty", "an agreement has at least one term"));
        }
        faults
    }

    /// The rules that supply terms and receive clauses share.
    fn common(
        &self,
        at: &dyn Fn(&str) -> String,
        term: &Common<'_>,
        parties: &BTreeSet<&AgencyCode>,
        faults: &mut Vec<Fault>,
    ) {
        if !says_something(term.plain) {
            faults.push(Fault::at(at("plain"), "empty", "say it in one plain sentence"));
        }
        if !parties.contains(term.one) {
            faults.push(Fault::at(at(term.one_key), "not-a-party", "the agency is not a party of this agreement"));
        }
        if term.many.is_empty() {
            faults.push(Fault::at(at(term.many_key), "empty", "name at least one agency"));
        }
        if term.many.iter().any(|agency| !parties.contains(agency)) {
            faults.push(Fault::at(at(term.many_key), "not-a-party", "an agency is not a party of this agreement"));
        }
        for (key, is_empty) in [
            ("items", term.items.is_empty()),
            ("modes", term.modes.is_empty()),
            ("purposes", term.purposes.is_empty()),
            ("power", term.power.is_empty()),
        ] {
            if is_empty {
                faults.push(Fault::at(at(key), "empty", "name at least one"));
            }
        }
        if term.items.iter().filter_map(Item::area).any(|area| self.scope.areas_out.contains(area)) {
            let sentence = "the agreement leaves this area out on purpose";
            faults.push(Fault::at(at("items"), "area-out", sentence));
        }
        if term.power.iter().any(|code| law::plain(&law::POWERS, code.as_str()).is_none()) {
            faults.push(Fault::at(at("power"), "unknown-power", "the register has no such legal power"));
        }
        if law::plain(&law::LAWFUL_BASES, term.art6.as_str()).is_none() {
            faults.push(Fault::at(at("art6"), "unknown-basis", "the register has no such lawful basis"));
        }
        if term.conditions.iter().any(|code| law::plain(&law::CONDITIONS, code.as_str()).is_none()) {
            faults.push(Fault::at(at("conditions"), "unknown-condition", "the register has no such condition"));
        }
    }

    fn empty_sentences(&self, faults: &mut Vec<Fault>) {
        let sentences: [(&str, &str); 30] = [
            ("title", &self.title),
            ("reviewer", &self.reviewer),
            ("why.objective", &self.why.objective),
            ("why.benefit", &self.why.benefit),
            ("why.less_would_not_do", &self.why.less_would_not_do),
            ("why.proportionality", &self.why.proportionality),
            ("scope.frequency", &self.scope.frequency),
            ("scope.direction", &self.scope.direction),
            ("law.confidentiality", &self.law.confidentiality),
            ("law.appropriate_policy_document", &self.law.appropriate_policy_document),
            ("law.dpia", &self.law.dpia),
            ("law.dea_register", self.law.dea_register.as_deref().unwrap_or("not given")),
            ("law.caldicott_sign_off.post", self.law.caldicott_sign_off.as_ref().map_or("not given", |by| &by.post)),
            ("handling.retention", &self.handling.retention),
            ("handling.deletion", &self.handling.deletion),
            ("handling.security", &self.handling.security),
            ("handling.storage", &self.handling.storage),
            ("handling.training", &self.handling.training),
            ("handling.accuracy", &self.handling.accuracy),
            ("handling.need_to_know", &self.handling.need_to_know),
            ("rights.privacy_notice", &self.rights.privacy_notice),
            ("rights.contact", &self.rights.contact),
            ("rights.subject_access", &self.rights.subject_access),
            ("rights.objections", &self.rights.objections),
            ("rights.complaints", &self.rights.complaints),
            ("breach.plain", &self.breach.plain),
            ("governance.board", &self.governance.board),
            ("governance.audit_right", &self.governance.audit_right),
            ("governance.termination", &self.governance.termination),
            ("governance.exit", &self.governance.exit),
        ];
        for (key, text) in sentences {
            if !says_something(text) {
                faults.push(Fault::at(key, "empty", "a required field says nothing"));
            }
        }
        if self.scope.subjects.iter().all(|subject| subject.trim().is_empty()) {
            faults.push(Fault::at("scope.subjects", "empty", "name the classes of people"));
        }
        for (n, party) in self.party.iter().enumerate() {
            if !says_something(&party.signatory) {
                faults.push(Fault::at(format!("party[{n}].signatory"), "empty", "name the post that signs"));
            }
        }
    }
}

/// What a supply term and a receive clause have in common.
struct Common<'a> {
    plain: &'a str,
    one: &'a AgencyCode,
    one_key: &'static str,
    many: &'a BTreeSet<AgencyCode>,
    many_key: &'static str,
    items: &'a BTreeSet<Item>,
    modes: &'a BTreeSet<AnswerMode>,
    purposes: &'a BTreeSet<PurposeCode>,
    power: &'a BTreeSet<PowerCode>,
    art6: &'a BasisCode,
    conditions: &'a BTreeSet<BasisCode>,
}

impl<'a> From<&'a SupplyTerm> for Common<'a> {
    fn from(term: &'a SupplyTerm) -> Self {
        let SupplyTerm { plain, supplier, recipients, items, modes, purposes, power, art6, conditions, .. } = term;
        let (one_key, many_key) = ("supplier", "recipients");
        Self {
            plain,
            one: supplier,
            one_key,
            many: recipients,
            many_key,
            items,
            modes,
            purposes,
            power,
            art6,
            conditions,
        }
    }
}
impl<'a> From<&'a ReceiveClause> for Common<'a> {
    fn from(clause: &'a ReceiveClause) -> Self {
        let ReceiveClause { plain, recipient, suppliers, items, modes, purposes, power, art6, conditions, .. } = clause;
        let (one_key, many_key) = ("recipient", "suppliers");
        Self {
            plain,
            one: recipient,
            one_key,
            many: suppliers,
            many_key,
            items,
            modes,
            purposes,
            power,
            art6,
            conditions,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const SHIPPED: &str = include_str!("../../policies/agreements/early-help-core.toml");

    #[test]
    fn an_agreement_keeps_its_bytes_and_their_hash() {
        let text = AgreementText::parse(SHIPPED.as_bytes()).unwrap_or_else(|faults| panic!("{faults}"));
        assert_eq!(text.bytes(), SHIPPED.as_bytes());
        assert_eq!(text.hash(), FileHash::of(SHIPPED.as_bytes()));
        assert_eq!(text.reference().to_string(), "early-help-core/v1");
    }

    #[test]
    fn its_last_day_and_the_last_day_of_grace_still_count() {
        let text = AgreementText::parse(SHIPPED.as_bytes()).expect("well-formed");
        assert_eq!(text.ends_before(), Timestamp::start_of(text.ends().tomorrow().expect("not the last day")));
        assert_eq!(text.next_boundary(Timestamp::from_micros(0)), Some(text.starts_at()));
        assert_eq!(text.next_boundary(text.starts_at()), Some(text.review_before()));
        assert_eq!(text.next_boundary(text.review_before()), Some(text.ends_before()));
        assert_eq!(text.next_boundary(text.ends_before()), None);
    }

    #[rstest]
    #[case::status("version = 1", "version = 1\nstatus = \"in_force\"", "", "malformed")]
    #[case::order("starts = 2026-04-01", "starts = 2036-04-01", "ends", "order")]
    #[case::missing("reviewer =", "reviever =", "", "malformed")]
    #[case::power("\"CA2004-s10\"", "\"CA2004-s99\"", "supply[0].power", "unknown-power")]
    #[case::basis("art6 = \"6-1-e\"", "art6 = \"6-1-z\"", "supply[0].art6", "unknown-basis")]
    #[case::condition("\"sch1-18\"", "\"sch1-99\"", "", "unknown-condition")]
    #[case::stranger("supplier = \"education\"", "supplier = \"stranger\"", "supply[0].supplier", "not-a-party")]
    #[case::nothing("modes = [", "modes = [] #", "supply[0].modes", "empty")]
    #[case::hours("notify_within_hours = 24", "notify_within_hours = 96", "breach.notify_within_hours", "range")]
    fn a_faulty_agreement_is_refused_with_its_key_and_code(
        #[case] from: &str,
        #[case] to: &str,
        #[case] key: &str,
        #[case] code: &str,
    ) {
        let faulty = SHIPPED.replacen(from, to, 1);
        assert_ne!(faulty, SHIPPED, "the replacement must find its text");
        let faults = AgreementText::parse(faulty.as_bytes()).expect_err("faulty");
        assert!(faults.0.iter().any(|f| f.code == code && (key.is_empty() || f.key == key)), "{faults}");
    }
}
