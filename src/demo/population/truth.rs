//! What the answers should be, from the truth alone: no tokens, no linkage, no policy engine.

use std::collections::BTreeSet;

use super::Population;
use super::people::{FamilyId, FamilyKind, PersonId};
use crate::domain::record::{Coverage, FlagState};

/// An agency, and the area of which it may be heard.
pub type Permit = (&'static str, &'static str);

/// Whom the Early Help Hub may hear under the early help core agreement and the benefits data
/// agreement, when it screens a referral. Its own records are added to these.
pub const HUB_SCREENS: [Permit; 5] = [
    ("education", "A2"),
    ("childrens-social-care", "A3"),
    ("youth-justice", "A1"),
    ("housing", "A1"),
    ("jobcentre-feed", "A4"),
];

/// Whom children's social care may hear to protect a child, besides itself.
pub const SOCIAL_CARE_PROTECTS: [Permit; 5] =
    [("education", "A2"), ("early-help-hub", "A3"), ("youth-justice", "A1"), ("housing", "A1"), ("police", "A1")];

/// Whom the Hearth charity may hear of a family that was referred to it.
pub const HEARTH_CHECKS: [Permit; 2] = [("education", "A2"), ("early-help-hub", "A3")];

impl Population {
    /// The areas that a family meets as far as an asker may hear, when it asks about this person.
    ///
    /// A shielded person is seen by nobody but the asker's own records; a shielded subject has no
    /// family that anybody else could see. A household without a child, or too large for a family,
    /// is answered for the person alone.
    pub fn expected_areas(
        &self,
        family: FamilyId,
        subject: PersonId,
        asker: &str,
        permits: &[Permit],
    ) -> BTreeSet<&'static str> {
        let family = &self.families[family.0];
        let is_family = !matches!(family.kind, FamilyKind::AdultOnly | FamilyKind::Hostel);
        let is_alone = !is_family || self.is_shielded(subject);
        let may = |agency: &str, area: &str| permits.contains(&(agency, area)) || agency == asker;
        self.facts
            .iter()
            .filter(|fact| if is_alone { fact.person == subject } else { family.members.contains(&fact.person) })
            .filter(|fact| may(fact.agency, fact.area))
            .filter(|fact| fact.agency == asker || !self.is_shielded(fact.person))
            .filter(|fact| fact.state == FlagState::Met && !fact.is_expired)
            .filter(|fact| !self.calendar.is_overdue((fact.agency, fact.feed)))
            .filter(|fact| match self.coverage.get(&(fact.person, fact.agency)) {
                Some(Coverage::Moved | Coverage::Deceased) => false,
                Some(Coverage::Closed) => fact.to.is_some(),
                Some(Coverage::Current) | None => true,
            })
            .map(|fact| fact.area)
            .collect()
    }

    /// Whether the areas that the asker may hear reach the programme's threshold of two.
    pub fn expected_eligible(&self, family: FamilyId, subject: PersonId, asker: &str, permits: &[Permit]) -> bool {
        self.expected_areas(family, subject, asker, permits).len() >= 2
    }

    /// Whether some agency shields the person.
    pub fn is_shielded(&self, person: PersonId) -> bool {
        self.shields.contains_key(&person)
    }

    /// The families in which a person is: two, of a child in two homes.
    pub fn families_of(&self, person: PersonId) -> Vec<FamilyId> {
        let is_in = |family: &FamilyId| self.families[family.0].members.contains(&person);
        (0..self.families.len()).map(FamilyId).filter(is_in).collect()
    }

    /// The families of the cohort, in their order.
    pub fn cohort(&self) -> impl Iterator<Item = FamilyId> + '_ {
        (0..self.families.len()).map(FamilyId).filter(|family| self.families[family.0].kind == FamilyKind::Cohort)
    }
}
