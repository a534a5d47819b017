//! Why two records were or were not linked: by kind of token, never by value.

use super::conflict::{Conflict, ConflictProfile};
use super::record::{LinkRecord, sorted};
use super::rules::{LinkRules, Tier};

/// A kind of token on which two records agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Agreement {
    /// What the agreement is worth; the strongest comes first.
    pub tier: Tier,
    /// Position of the kind in the rules.
    pub kind: u16,
    /// How rare such an agreement is by chance, in thousandths of a bit; absent if nobody measured it.
    pub evidence_millibits: Option<u32>,
}

/// What comes of two records seen alone, other records apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// They link at this rank.
    Links(u16),
    /// They would link or be suggested, but a conflict forbids it.
    Conflicts,
    /// Only a suggesting kind agrees: a person in an agency decides.
    Suggests,
    /// Nothing agrees.
    Unrelated,
}

/// The reasons for and against one person behind two records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The kinds on which they agree, strongest first.
    pub agreements: Vec<Agreement>,
    /// The kinds that forbid a link.
    pub conflicts: Vec<Conflict>,
}

impl Explanation {
    /// What the reasons amount to.
    pub fn verdict(&self) -> Verdict {
        match self.agreements.first() {
            None => Verdict::Unrelated,
            Some(_) if !self.conflicts.is_empty() => Verdict::Conflicts,
            Some(Agreement { tier: Tier::Link(rank), .. }) => Verdict::Links(*rank),
            Some(Agreement { tier: Tier::Suggest, .. }) => Verdict::Suggests,
        }
    }

    /// The bits of evidence for one person, in thousandths: those of the agreement that says most.
    ///
    /// Keys share fields, so what they say must not be added up; the true figure is at least this.
    pub fn evidence_millibits(&self) -> u32 {
        self.agreements.iter().filter_map(|agreement| agreement.evidence_millibits).max().unwrap_or(0)
    }
}

/// Explains two records to whoever may see that both exist.
pub fn explain<K>(a: &LinkRecord<K>, b: &LinkRecord<K>, rules: &LinkRules) -> Explanation {
    let theirs = sorted(&b.tokens);
    let agrees = |kind: u16| a.tokens.iter().any(|token| token.kind == kind && theirs.binary_search(token).is_ok());
    let mut agreements: Vec<Agreement> = rules
        .kinds()
        .filter(|(kind, _)| agrees(*kind))
        .map(|(kind, rule)| Agreement { tier: rule.tier, kind, evidence_millibits: rules.evidence_millibits(kind) })
        .collect();
    agreements.sort_unstable();
    let (a, b) = (ConflictProfile::of(&a.tokens, rules), ConflictProfile::of(&b.tokens, rules));
    let conflicts = a.conflicts(&b, rules).collect();
    Explanation { agreements, conflicts }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linkage::people::{
        FORENAME_DATE_HOME, NAME_DATE_HOME, NAME_DATE_POSTCODE, NHS, Person, SURNAME_DATE_HOME, rules,
    };

    /// What it shows, the two records, the kinds that agree, the conflicts, the verdict.
    type Case = (&'static str, Person, Person, &'static [u16], &'static [Conflict], Verdict);

    #[test]
    fn evidence_is_told_in_bits_by_kind_and_never_added_up() {
        let rules = rules().with_evidence(vec![(NAME_DATE_POSTCODE, 38_250), (SURNAME_DATE_HOME, 31_000)]);
        let kensa = Person::new("Kensa", "Pender", "2014-01-02").postcode("TR3 3CC").home("3 Bay View");
        let explanation = explain(&kensa.record(1), &kensa.record(2), &rules);
        let told: Vec<_> = explanation.agreements.iter().map(|a| (a.kind, a.evidence_millibits)).collect();
        assert_eq!(
            told,
            [
                (NAME_DATE_POSTCODE, Some(38_250)),
                (NAME_DATE_HOME, None),
                (FORENAME_DATE_HOME, None),
                (SURNAME_DATE_HOME, Some(31_000))
            ]
        );
        assert_eq!(explanation.evidence_millibits(), 38_250);
    }

    #[test]
    fn every_verdict_names_its_kinds() {
        let kensa = Person::new("Kensa", "Pender", "2014-01-02");
        let at_home = kensa.clone().home("3 Bay View");
        let numbered = at_home.clone().postcode("TR3 3CC").nhs("9434765919");
        let cases: [Case; 4] = [
            (
                "the strongest agreement decides",
                numbered.clone(),
                at_home.clone().postcode("TR3 3CC"),
                &[NAME_DATE_POSTCODE, NAME_DATE_HOME, FORENAME_DATE_HOME, SURNAME_DATE_HOME],
                &[],
                Verdict::Links(2),
            ),
            (
                "twins",
                at_home.clone(),
                at_home.clone().forename("Tamsyn"),
                &[SURNAME_DATE_HOME],
                &[],
                Verdict::Suggests,
            ),
            (
                "two numbers",
                kensa.clone().postcode("TR3 3CC").nhs("9434765870"),
                numbered,
                &[NAME_DATE_POSTCODE],
                &[Conflict::Identifier(NHS)],
                Verdict::Conflicts,
            ),
            ("strangers", kensa.clone(), kensa, &[], &[], Verdict::Unrelated),
        ];
        for (case, a, b, kinds, conflicts, verdict) in cases {
            let explanation = explain(&a.record(1), &b.record(2), &rules());
            let agreed: Vec<u16> = explanation.agreements.iter().map(|agreement| agreement.kind).collect();
            assert_eq!((agreed.as_slice(), explanation.conflicts.as_slice()), (kinds, conflicts), "{case}");
            assert_eq!(explanation.verdict(), verdict, "{case}");
        }
    }
}
