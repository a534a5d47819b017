//! The decision whether a requester may ask a source who somebody is. It depends on agreements, purpose,
//! power, role and fields alone; nothing of a person is read for it.

use std::collections::BTreeSet;

use super::book::{AskWho, PolicyBook};
use super::decision::{NO_CLAUSE, UNKNOWN_PURPOSE, UNKNOWN_RECIPIENT};
use super::rules::RuleHit;
use crate::domain::ids::{AgencyCode, AgreementRef, PowerCode, PurposeCode, RoleCode};
use crate::domain::policy_file::FileHash;
use crate::domain::reidentification::Field;
use crate::domain::reidentification::term::ReidentifyTerm;
use crate::domain::time::Timestamp;

/// What is asked, as far as the decision depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhoTerms {
    /// Who asks.
    pub requester: AgencyCode,
    /// Under which agreement.
    pub agreement: AgreementRef,
    /// Who is asked.
    pub source: AgencyCode,
    /// For what.
    pub purpose: PurposeCode,
    /// On which statute.
    pub power: PowerCode,
    /// In which role.
    pub role: RoleCode,
    /// For which fields.
    pub fields: BTreeSet<Field>,
    /// Whether an emergency is claimed.
    pub emergency: bool,
}

/// Under what it may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MayAsk {
    /// The term.
    pub term: ReidentifyTerm,
    /// The hash of the agreement's text.
    pub agreement: FileHash,
}

/// Decides whether the question may be asked.
///
/// # Errors
///
/// The rules in the way: those of the term that comes closest.
pub fn may_ask_who(book: &PolicyBook, terms: &WhoTerms, now: Timestamp) -> Result<MayAsk, Vec<RuleHit>> {
    let fixed = |rule| vec![RuleHit::fixed(rule)];
    book.agency(&terms.requester).ok_or_else(|| fixed(UNKNOWN_RECIPIENT))?;
    let purpose = book.programme().purpose(&terms.purpose).ok_or_else(|| fixed(UNKNOWN_PURPOSE))?;
    let agreement = &book.agreement(&terms.agreement).ok_or_else(|| fixed(NO_CLAUSE))?.text;
    let mut closest: Option<Vec<RuleHit>> = None;
    for term in agreement.reidentifies() {
        let ask = AskWho {
            requester: &terms.requester,
            source: &terms.source,
            agreement,
            term,
            purpose,
            power: &terms.power,
            role: &terms.role,
            fields: &terms.fields,
            emergency: terms.emergency,
            now,
        };
        let hits = book.reidentify_hits(&ask);
        if hits.is_empty() {
            return Ok(MayAsk { term: term.clone(), agreement: agreement.hash() });
        }
        if closest.as_ref().is_none_or(|fewest| hits.len() < fewest.len()) {
            closest = Some(hits);
        }
    }
    Err(closest.unwrap_or_else(|| fixed(NO_CLAUSE)))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::fixtures::{shipped_book, shipped_book_with, today};
    use super::*;
    use crate::domain::agreement::AgreementStatus;

    fn terms() -> WhoTerms {
        let code = "programme-delivery";
        WhoTerms {
            requester: "programme-team".parse().expect("a code"),
            agreement: format!("{code}/v1").parse().expect("a reference"),
            source: "education".parse().expect("a code"),
            purpose: code.parse().expect("a code"),
            power: "CA2004-s10".parse().expect("a code"),
            role: "data-analyst".parse().expect("a code"),
            fields: BTreeSet::from([Field::Names, Field::Contact]),
            emergency: false,
        }
    }

    fn rules(result: Result<MayAsk, Vec<RuleHit>>) -> Vec<String> {
        result.err().unwrap_or_default().into_iter().map(|hit| hit.rule).collect()
    }

    #[test]
    fn the_data_team_may_ask_a_source_of_the_shipped_agreement() {
        let may = may_ask_who(&shipped_book(), &terms(), today()).expect("permitted");
        assert_eq!(may.term.id.as_str(), "team-asks-who");
    }

    #[rstest]
    #[case::a_source_that_is_not_named(|it: &mut WhoTerms| it.source = "police".parse().expect("a code"), &["I02"])]
    #[case::another_purpose(|it: &mut WhoTerms| it.purpose = "audit".parse().expect("a code"), &["I03"])]
    #[case::another_role(|it: &mut WhoTerms| it.role = "auditor".parse().expect("a code"), &["I04"])]
    #[case::another_power(|it: &mut WhoTerms| it.power = "EA1996".parse().expect("a code"), &["I06"])]
    #[case::an_unknown_agreement(|it: &mut WhoTerms| it.agreement = "other/v1".parse().expect("a reference"), &["P01"])]
    #[case::an_unknown_purpose(|it: &mut WhoTerms| it.purpose = "curiosity".parse().expect("a code"), &["P02"])]
    #[case::somebody_else(|it: &mut WhoTerms| it.requester = "housing".parse().expect("a code"), &["I01", "I13"])]
    fn what_the_term_does_not_cover_is_refused(#[case] change: fn(&mut WhoTerms), #[case] expected: &[&str]) {
        let mut terms = terms();
        change(&mut terms);
        assert_eq!(rules(may_ask_who(&shipped_book(), &terms, today())), expected);
    }

    #[test]
    fn an_agreement_that_does_not_stand_permits_nothing() {
        let suspended = shipped_book_with(2, |it| it.status = AgreementStatus::Suspended);
        assert_eq!(rules(may_ask_who(&suspended, &terms(), today())), ["I08"]);
        let unsigned = shipped_book_with(2, |it| it.signed_by.retain(|party| party.as_str() != "education"));
        assert_eq!(rules(may_ask_who(&unsigned, &terms(), today())), ["I12"]);
    }
}
