//! Who in a family is meant by a request to re-identify, and which record of the source that is. The
//! look is decided like a lookup; what it finds goes to the source alone.

use super::request::FamilyTerms;
use super::{FamilyError, Standing};
use crate::app::caller::AgencyCaller;
use crate::app::enquire::family::{FamilyPerson, FoundFamily, Stage};
use crate::app::gateway::Gateway;
use crate::domain::agreement::AnswerMode;
use crate::domain::family::RecordName;
use crate::domain::ids::AgencyCode;
use crate::domain::record::{ParentalResponsibility, Role};
use crate::domain::tfid::Tfid;

/// Whom a request is about.
#[derive(Clone, Copy)]
pub(in crate::app) struct Wanted<'a> {
    /// The family.
    pub(in crate::app) family: &'a Tfid,
    /// The person's handle from a lookup; without one, an adult of the family.
    pub(in crate::app) person: Option<&'a str>,
    /// Whose record.
    pub(in crate::app) source: &'a AgencyCode,
}

/// What a look for a source's record came to.
pub(in crate::app) enum SubjectLook {
    /// Agreements or records changed meanwhile.
    Outdated,
    /// The record, when there is one that may be seen, and whether its person is an adult.
    Looked(Option<(RecordName, bool)>),
}

impl Gateway {
    /// The record of a source that stands for the person who is meant. Nobody, somebody shielded and a
    /// source without a record come to the same.
    pub(in crate::app) async fn family_subject(
        &self,
        caller: &AgencyCaller,
        stage: &Stage,
        terms: &FamilyTerms,
        wanted: Wanted<'_>,
    ) -> Result<SubjectLook, FamilyError> {
        let question = self.family_question(terms, AnswerMode::Lead, &stage.policies)?;
        let about = super::subject([wanted.family]);
        let Some(permission) = self.permit_family_look(stage, caller, &question, about, Ok(())).await? else {
            return Ok(SubjectLook::Outdated);
        };
        let standing = self.family_standing(wanted.family).await?;
        let found = self.find_family(&permission, &standing.records).await?;
        Ok(SubjectLook::Looked(self.source_record(caller, &standing, &found, wanted)))
    }

    /// Whether a record that a request is about still belongs to an adult (or to a child) of the family and may still be seen there. The
    /// look is the requester's, decided anew; nothing is logged, since nobody asks. The same is looked up
    /// whether there is such a record or not.
    pub(in crate::app) async fn is_still_of_family(
        &self,
        requester: &AgencyCaller,
        stage: &Stage,
        terms: &FamilyTerms,
        family: &Tfid,
        record: Option<(&RecordName, bool)>,
    ) -> Result<bool, FamilyError> {
        let question = self.family_question(terms, AnswerMode::Lead, &stage.policies)?;
        let about = super::subject([family]);
        let Some(permission) = self.standing_permission(stage, requester, &question, about) else { return Ok(false) };
        let standing = self.family_standing(family).await?;
        let found = self.find_family(&permission, &standing.records).await?;
        let is_seen = standing.if_seen(&found).is_some();
        let is_the_same = |(record, is_adult): (&RecordName, bool)| {
            found.people.iter().any(|person| person.records.contains(record) && (rank(person) > 0) == is_adult)
        };
        Ok(is_seen && record.is_some_and(is_the_same))
    }

    fn source_record(
        &self,
        caller: &AgencyCaller,
        standing: &Standing,
        found: &FoundFamily,
        wanted: Wanted<'_>,
    ) -> Option<(RecordName, bool)> {
        let tfid = standing.if_seen(found).map(|family| family.tfid)?;
        let is_meant = |person: &&FamilyPerson| match wanted.person {
            Some(handle) => self.person_handle(&caller.agency, &tfid, &person.records) == handle,
            None => rank(person) > 0,
        };
        let of_source = |person: &FamilyPerson| {
            let record = person.records.iter().filter(|record| record.agency == *wanted.source).min().cloned()?;
            Some((record, rank(person) > 0))
        };
        // Whoever can decide for the family comes first: offering help takes one adult, not everybody.
        let mut people: Vec<&FamilyPerson> = found.people.iter().filter(is_meant).collect();
        people.sort_by_key(|person| std::cmp::Reverse(rank(person)));
        people.into_iter().find_map(of_source)
    }
}

/// 2 for an adult who has parental responsibility by some record, 1 for another adult, else 0.
fn rank(person: &FamilyPerson) -> u8 {
    let said = || person.member.statements.iter().map(|said| &said.evidence);
    if !said().any(|said| said.role == Role::Adult) {
        return 0;
    }
    1 + u8::from(said().any(|said| said.parental_responsibility == ParentalResponsibility::Yes))
}
