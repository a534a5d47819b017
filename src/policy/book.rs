//! The policy book: programme, agencies, agreements as they stand, and the rules, ready to decide.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, LazyLock};

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression as Fact,
};

use super::rules::{ERROR, RuleBook, RuleHit};
use crate::domain::agency::Agency;
use crate::domain::agreement::{
    Agreement, AgreementStatus, AgreementText, AnswerMode, Item, ReceiveClause, SupplyTerm,
};
use crate::domain::ids::{AgencyCode, AgreementRef, RoleCode, TermCode};
use crate::domain::programme::{Area, Programme, Purpose};
use crate::domain::time::Timestamp;

/// Why a policy book cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// Two agencies with one code.
    #[error("two agency files have one code [duplicate-agency]")]
    DuplicateAgency,
    /// Two texts of one version of an agreement.
    #[error("two texts claim to be one version of an agreement [duplicate-agreement]")]
    DuplicateAgreement,
    /// An agreement of another programme.
    #[error("an agreement belongs to another programme [other-programme]")]
    OtherProgramme,
    /// An agency's name reveals an area that the programme does not list, so no limit could be applied.
    #[error("an agency reveals an area that the programme does not list [unknown-area]")]
    UnknownArea,
    /// A term lists the area of a criterion that its agreement leaves out on purpose.
    #[error("a term lists the area of a criterion that its agreement leaves out on purpose [criterion-out]")]
    CriterionOut,
    /// The facts do not fit the rule book's schema.
    #[error("the facts of an agency or agreement do not fit the rule book [facts]")]
    Facts,
}

/// A day that never comes, within what the rule book's clock can hold.
const NEVER: Timestamp = Timestamp::from_micros(253_370_764_800_000_000); // the year 9999

/// Everything a decision depends on besides the enquiry and the time. Immutable: a change of any
/// agreement's state makes a new book with a higher revision.
#[derive(Debug)]
pub struct PolicyBook {
    programme: Arc<Programme>,
    agencies: BTreeMap<AgencyCode, Agency>,
    agreements: BTreeMap<AgreementRef, Agreement>,
    rules: Arc<RuleBook>,
    entities: Entities,
    revision: u64,
}

impl PolicyBook {
    /// Puts a book together; `revision` is the database's counter of agreement-state changes.
    ///
    /// # Errors
    ///
    /// [`BookError`] for duplicates, an agreement of another programme, or facts that do not fit.
    pub fn new(
        programme: Arc<Programme>,
        agencies: impl IntoIterator<Item = Agency>,
        agreements: impl IntoIterator<Item = Agreement>,
        rules: Arc<RuleBook>,
        revision: u64,
    ) -> Result<Self, BookError> {
        let mut by_code = BTreeMap::new();
        for agency in agencies {
            if agency.reveals_areas().iter().any(|area| programme.area(area).is_none()) {
                return Err(BookError::UnknownArea);
            }
            if by_code.insert(agency.code().clone(), agency).is_some() {
                return Err(BookError::DuplicateAgency);
            }
        }
        let mut by_reference = BTreeMap::new();
        for agreement in agreements {
            if agreement.text.programme() != programme.code() {
                return Err(BookError::OtherProgramme);
            }
            if lists_criterion_left_out(&programme, &agreement.text) {
                return Err(BookError::CriterionOut);
            }
            if by_reference.insert(agreement.text.reference().clone(), agreement).is_some() {
                return Err(BookError::DuplicateAgreement);
            }
        }
        let suppliers = suppliers(&programme, &by_reference);
        let entities = entities(&by_code, &by_reference, &suppliers, &rules).ok_or(BookError::Facts)?;
        Ok(Self { programme, agencies: by_code, agreements: by_reference, rules, entities, revision })
    }

    /// The same programme, agencies and rules with other agreements.
    ///
    /// # Errors
    ///
    /// [`BookError`], as for [`PolicyBook::new`].
    pub fn with_agreements(&self, agreements: Vec<Agreement>) -> Result<Self, BookError> {
        let agencies: Vec<Agency> = self.agencies.values().cloned().collect();
        Self::new(Arc::clone(&self.programme), agencies, agreements, Arc::clone(&self.rules), self.revision)
    }

    /// The agreement by which records are judged that came under `reference`: that one, or where it was
    /// replaced, the version that replaced it. The supplier signed both, and the newer text decides.
    pub fn in_place_of(&self, reference: &AgreementRef) -> Option<&Agreement> {
        let mut current = self.agreements.get(reference)?;
        while current.status == AgreementStatus::Expired {
            let version = current.text.reference().version;
            let next = self.agreements.values().find(|other| {
                other.text.reference().id == reference.id
                    && other.text.reference().version > version
                    && other.text.supersedes() == Some(version)
                    && matches!(other.status, AgreementStatus::InForce | AgreementStatus::Suspended)
            });
            match next {
                Some(next) => current = next,
                None => break,
            }
        }
        Some(current)
    }

    /// The programme.
    pub fn programme(&self) -> &Programme {
        &self.programme
    }
    /// The agencies, by code.
    pub fn agencies(&self) -> impl Iterator<Item = &Agency> {
        self.agencies.values()
    }
    /// The agency of this code.
    pub fn agency(&self, code: &AgencyCode) -> Option<&Agency> {
        self.agencies.get(code)
    }
    /// The agreements, by reference.
    pub fn agreements(&self) -> impl Iterator<Item = &Agreement> {
        self.agreements.values()
    }
    /// The agreement of this reference.
    pub fn agreement(&self, reference: &AgreementRef) -> Option<&Agreement> {
        self.agreements.get(reference)
    }
    /// The rule book.
    pub fn rules(&self) -> &RuleBook {
        &self.rules
    }
    pub(crate) fn shared_rules(&self) -> Arc<RuleBook> {
        Arc::clone(&self.rules)
    }
    /// The revision of the agreements' state that this book was made from.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The rules that keep the recipient from asking under a clause; none when it may ask.
    pub(crate) fn ask_hits(&self, ask: &Ask<'_>) -> Vec<RuleHit> {
        self.hits(self.ask_request(ask))
    }

    /// The rules that keep an item of a supplier out of the answer; none when it may contribute.
    pub(crate) fn release_hits(&self, release: &Release<'_>) -> Vec<RuleHit> {
        self.hits(self.release_request(release))
    }

    pub(super) fn ask_request(&self, ask: &Ask<'_>) -> Option<Request> {
        let resource = uid("ReceiveClause", &term_id(ask.agreement, &ask.clause.id));
        self.request(ask, "ask", resource, ask.facts())
    }

    pub(super) fn release_request(&self, release: &Release<'_>) -> Option<Request> {
        let resource = uid("Item", &release.item.to_string());
        self.request(release.ask, "release", resource, release.facts())
    }

    fn request(
        &self,
        ask: &Ask<'_>,
        action: &str,
        resource: Option<EntityUid>,
        facts: Option<Vec<(&'static str, Fact)>>,
    ) -> Option<Request> {
        let facts = facts?.into_iter().map(|(name, fact)| (name.to_owned(), fact));
        let context = Context::from_pairs(facts).ok()?;
        let (principal, action) = (uid("Agency", ask.recipient.as_str())?, uid("Action", action)?);
        Request::new(principal, action, resource?, context, Some(self.rules.schema())).ok()
    }

    /// A request that cannot be made is refused like one that cannot be evaluated.
    fn hits(&self, request: Option<Request>) -> Vec<RuleHit> {
        request.map_or_else(|| vec![RuleHit::fixed(ERROR)], |request| self.rules.hits(&request, &self.entities))
    }

    pub(super) fn entities(&self) -> &Entities {
        &self.entities
    }
}

/// Whoever says which rules stand in the way: the book, or something that watches it.
pub(super) trait Judge {
    /// Of asking under a clause.
    fn ask(&self, ask: &Ask<'_>) -> Vec<RuleHit>;
    /// Of an item's contribution.
    fn release(&self, release: &Release<'_>) -> Vec<RuleHit>;
}

impl Judge for PolicyBook {
    fn ask(&self, ask: &Ask<'_>) -> Vec<RuleHit> {
        self.ask_hits(ask)
    }
    fn release(&self, release: &Release<'_>) -> Vec<RuleHit> {
        self.release_hits(release)
    }
}

/// Whether a term lists an area whose criterion the agreement leaves out.
fn lists_criterion_left_out(programme: &Programme, text: &AgreementText) -> bool {
    let out = &text.scope().criteria_out;
    let areas =
        || programme.criteria().iter().filter(|criterion| out.contains(&criterion.code)).map(|found| &found.area);
    let listed = || text.supplies().iter().map(|term| &term.items).chain(text.receives().iter().map(|c| &c.items));
    !out.is_empty() && areas().any(|area| listed().any(|items| items.contains(&Item::Area(area.clone()))))
}

/// The facts of an enquiry under one receive clause.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) recipient: &'a AgencyCode,
    pub(crate) agreement: &'a AgreementText,
    pub(crate) clause: &'a ReceiveClause,
    pub(crate) purpose: &'a Purpose,
    pub(crate) mode: AnswerMode,
    pub(crate) role: &'a RoleCode,
    pub(crate) relationship_fits: bool,
    pub(crate) for_statistics: bool,
    pub(crate) now: Timestamp,
}

impl Ask<'_> {
    fn facts(&self) -> Option<Vec<(&'static str, Fact)>> {
        Some(vec![
            ("receive", reference("ReceiveClause", &term_id(self.agreement, &self.clause.id))?),
            ("purpose", text(self.purpose.code.as_str())),
            ("mode", text(self.mode.as_str())),
            ("role", text(self.role.as_str())),
            ("relationshipFits", Fact::new_bool(self.relationship_fits)),
            ("forStatistics", Fact::new_bool(self.for_statistics)),
            ("purposeIsStatistical", Fact::new_bool(self.purpose.statistical)),
            ("now", instant(self.now)),
        ])
    }
}

/// The facts of one supplier's item under one supply term, for an enquiry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Release<'a> {
    pub(crate) ask: &'a Ask<'a>,
    pub(crate) agreement: &'a AgreementText,
    pub(crate) term: &'a SupplyTerm,
    pub(crate) supplier: &'a AgencyCode,
    pub(crate) item: &'a Item,
    /// The item's area, or those that naming the supplier reveals.
    pub(crate) areas: &'a [&'a Area],
    pub(crate) benefits_data: bool,
}

impl Release<'_> {
    fn facts(&self) -> Option<Vec<(&'static str, Fact)>> {
        let areas: Option<Vec<Fact>> = self.areas.iter().map(|area| reference("Item", area.code.as_str())).collect();
        let any = |is: fn(&Area) -> bool| Fact::new_bool(self.areas.iter().any(|area| is(area)));
        let mut facts = self.ask.facts()?;
        facts.extend([
            ("supply", reference("SupplyTerm", &term_id(self.agreement, &self.term.id))?),
            ("supplier", reference("Agency", self.supplier.as_str())?),
            ("crimeAndDisorder", Fact::new_bool(self.ask.purpose.crime_and_disorder)),
            ("wraPrescribed", Fact::new_bool(self.ask.purpose.wra_prescribed)),
            ("areas", Fact::new_set(areas?)),
            ("specialCategory", any(|area| area.special_category)),
            ("criminalOffence", any(|area| area.criminal_offence)),
            ("health", any(|area| area.health)),
            ("benefitsData", Fact::new_bool(self.benefits_data)),
        ]);
        Some(facts)
    }
}

fn entities(
    agencies: &BTreeMap<AgencyCode, Agency>,
    agreements: &BTreeMap<AgreementRef, Agreement>,
    suppliers: &BTreeSet<&AgencyCode>,
    rules: &RuleBook,
) -> Option<Entities> {
    let mut all = Vec::new();
    for agency in agencies.values() {
        all.push(agency_entity(rules, agency, suppliers.contains(agency.code()))?);
    }
    for agreement in agreements.values() {
        let text = &agreement.text;
        all.push(agreement_entity(rules, agreement)?);
        for term in text.supplies() {
            all.push(supply_entity(rules, text, term)?);
        }
        for clause in text.receives() {
            all.push(receive_entity(rules, text, clause)?);
        }
    }
    Entities::from_entities(all, Some(rules.schema())).ok()
}

/// Whoever has a feed in the calendar, whatever its days, or a supply term in a text, whatever its status.
fn suppliers<'a>(
    programme: &'a Programme,
    agreements: &'a BTreeMap<AgreementRef, Agreement>,
) -> BTreeSet<&'a AgencyCode> {
    let feeds = programme.feeds().iter().map(|feed| &feed.agency);
    let terms = agreements.values().flat_map(|agreement| agreement.text.supplies().iter().map(|term| &term.supplier));
    feeds.chain(terms).collect()
}

fn agency_entity(rules: &RuleBook, agency: &Agency, supplies_data: bool) -> Option<Entity> {
    let standing = agency.standing();
    entity(
        rules,
        "Agency",
        agency.code().as_str(),
        [
            ("kind", text(agency.kind().as_str())),
            ("publicAuthority", Fact::new_bool(standing.public_authority)),
            ("localAuthority", Fact::new_bool(standing.local_authority)),
            ("relevantAuthority", Fact::new_bool(standing.relevant_authority)),
            ("deaSpecifiedPerson", Fact::new_bool(standing.dea_specified_person)),
            ("wraQualifyingPerson", Fact::new_bool(standing.wra_qualifying_person)),
            ("suppliesData", Fact::new_bool(supplies_data)),
        ],
    )
}

fn agreement_entity(rules: &RuleBook, agreement: &Agreement) -> Option<Entity> {
    let signed = &agreement.text;
    entity(
        rules,
        "Agreement",
        &signed.reference().to_string(),
        [
            ("inForce", Fact::new_bool(agreement.status == AgreementStatus::InForce)),
            ("starts", instant(signed.starts_at())),
            ("endsBefore", instant(signed.ends_before())),
            ("reviewBefore", instant(signed.review_before())),
            ("signedBy", references("Agency", &agreement.signed_by)?),
            ("caldicottSigned", Fact::new_bool(signed.law().caldicott_sign_off.is_some())),
            ("caldicottFrom", instant(signed.caldicott_from().unwrap_or(NEVER))),
            ("deaRegistered", Fact::new_bool(signed.law().dea_register.is_some())),
            ("policeRegimeNamed", Fact::new_bool(signed.law().police_regime.is_some())),
            ("lawEnforcement", Fact::new_bool(signed.is_law_enforcement())),
        ],
    )
}

fn supply_entity(rules: &RuleBook, agreement: &AgreementText, term: &SupplyTerm) -> Option<Entity> {
    entity(
        rules,
        "SupplyTerm",
        &term_id(agreement, &term.id),
        [
            ("agreement", reference("Agreement", &agreement.reference().to_string())?),
            ("supplier", reference("Agency", term.supplier.as_str())?),
            ("recipients", references("Agency", &term.recipients)?),
            ("items", references("Item", &term.items)?),
            ("modes", texts(&term.modes)),
            ("purposes", texts(&term.purposes)),
            ("powers", texts(&term.power)),
            ("basis", text(term.art6.as_str())),
            ("conditions", texts(&term.conditions)),
            ("onward", text(term.onward.as_str())),
        ],
    )
}

fn receive_entity(rules: &RuleBook, agreement: &AgreementText, clause: &ReceiveClause) -> Option<Entity> {
    entity(
        rules,
        "ReceiveClause",
        &term_id(agreement, &clause.id),
        [
            ("agreement", reference("Agreement", &agreement.reference().to_string())?),
            ("recipient", reference("Agency", clause.recipient.as_str())?),
            ("suppliers", references("Agency", &clause.suppliers)?),
            ("items", references("Item", &clause.items)?),
            ("modes", texts(&clause.modes)),
            ("purposes", texts(&clause.purposes)),
            ("roles", texts(&clause.roles)),
            ("powers", texts(&clause.power)),
            ("basis", text(clause.art6.as_str())),
            ("conditions", texts(&clause.conditions)),
            ("onward", text(clause.onward.as_str())),
        ],
    )
}

/// An entity with those of the facts that the book's schema knows. A book of an earlier release, by which
/// a past decision is replayed, knows fewer; what it does not declare, none of its rules can look at.
fn entity<const N: usize>(rules: &RuleBook, kind: &str, id: &str, facts: [(&str, Fact); N]) -> Option<Entity> {
    let facts = facts
        .into_iter()
        .filter(|(name, _)| rules.declares(kind, name))
        .map(|(name, fact)| (name.to_owned(), fact))
        .collect();
    Entity::new(uid(kind, id)?, facts, HashSet::new()).ok()
}

/// The kinds of entity, parsed once: decisions name them by the thousand.
static KINDS: LazyLock<Vec<(&str, EntityTypeName)>> = LazyLock::new(|| {
    let kinds = ["Agency", "Item", "Agreement", "SupplyTerm", "ReceiveClause", "Action"];
    kinds.into_iter().filter_map(|kind| Some((kind, kind.parse().ok()?))).collect()
});

fn uid(kind: &str, id: &str) -> Option<EntityUid> {
    let (_, kind) = KINDS.iter().find(|(name, _)| *name == kind)?;
    Some(EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id)))
}

fn term_id(agreement: &AgreementText, term: &TermCode) -> String {
    format!("{}#{term}", agreement.reference())
}

fn reference(kind: &str, id: &str) -> Option<Fact> {
    uid(kind, id).map(Fact::new_entity_uid)
}

fn references<T: ToString>(kind: &str, ids: impl IntoIterator<Item = T>) -> Option<Fact> {
    let facts: Option<Vec<Fact>> = ids.into_iter().map(|id| reference(kind, &id.to_string())).collect();
    facts.map(Fact::new_set)
}

fn text(value: &str) -> Fact {
    Fact::new_string(value.to_owned())
}

fn texts<T: ToString>(values: impl IntoIterator<Item = T>) -> Fact {
    Fact::new_set(values.into_iter().map(|value| Fact::new_string(value.to_string())))
}

/// Cedar's clock counts milliseconds. Rounding down keeps every comparison with a day's start exact.
fn instant(at: Timestamp) -> Fact {
    let millis = at.as_micros().div_euclid(1000);
    let text = Timestamp::from_micros(millis * 1000).to_string();
    Fact::new_datetime(text.replace("000Z", "Z"))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{AGENCIES, AGREEMENTS, shipped_programme};
    use super::*;

    fn book(agencies: &[&str], agreements: &[&str]) -> Result<PolicyBook, BookError> {
        let agencies = agencies.iter().map(|file| Agency::parse(file.as_bytes()).expect("well-formed"));
        let texts = agreements.iter().map(|file| AgreementText::parse(file.as_bytes()).expect("well-formed"));
        let agreements = texts.map(|text| Agreement::in_force(Arc::new(text)));
        let rules = Arc::new(RuleBook::shipped().expect("valid"));
        PolicyBook::new(shipped_programme(), agencies, agreements, rules, 7)
    }

    #[test]
    fn a_book_holds_what_it_was_made_from() {
        let book = book(&AGENCIES, &AGREEMENTS).expect("consistent");
        assert_eq!((book.agencies().count(), book.agreements().count(), book.revision()), (10, 7, 7));
        assert_eq!(book.rules().forbids().count(), 44);
    }

    #[test]
    fn a_book_refuses_what_it_could_not_judge() {
        let elsewhere = AGREEMENTS[0].replace("programme = \"tff\"", "programme = \"other\"");
        let strange = AGENCIES[0].replace("[\"A3\"]", "[\"A9\"]");
        let twice = [AGENCIES[0], AGENCIES[0]];
        assert_eq!(book(&twice, &[]).err(), Some(BookError::DuplicateAgency));
        assert_eq!(book(&[], &[AGREEMENTS[0]; 2]).err(), Some(BookError::DuplicateAgreement));
        assert_eq!(book(&[], &[&elsewhere]).err(), Some(BookError::OtherProgramme));
        assert_eq!(book(&[&strange], &[]).err(), Some(BookError::UnknownArea));
    }

    #[test]
    fn an_instant_is_written_in_whole_milliseconds_rounded_down() {
        for (micros, text) in [(0, "1970-01-01T00:00:00.000Z"), (1_999, "1970-01-01T00:00:00.001Z")] {
            assert!(format!("{:?}", instant(Timestamp::from_micros(micros))).contains(text));
        }
    }
}
