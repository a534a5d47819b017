//! Test cases beside agreements: what an officer expects an agreement to answer, run by `policy check`.

mod reidentification;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::Deserialize;

use self::reidentification::WhoCase;
use super::book::PolicyBook;
use super::decide::{contributors, contributors_for_statistics};
use super::decision::{Outcome, SupplierFeed, Terms};
use crate::domain::agreement::{Agreement, AgreementStatus, AnswerMode, Item};
use crate::domain::ids::{AgencyCode, AgreementRef, FeedCode, PurposeCode, RoleCode};
use crate::domain::policy_file::{self, Fault, Faults, says_something};
use crate::domain::programme::Relationship;
use crate::domain::time::Timestamp;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CasesFile {
    case: Vec<Case>,
    /// Which agreement each feed was submitted under.
    feed: Vec<FeedLine>,
    /// Who may ask who somebody is.
    #[serde(default)]
    reidentify: Vec<WhoCase>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct FeedLine {
    supplier: AgencyCode,
    feed: FeedCode,
    agreement: AgreementRef,
}

/// One expectation.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What is expected, in one plain sentence.
    pub plain: String,
    recipient: AgencyCode,
    agreement: AgreementRef,
    purpose: PurposeCode,
    mode: AnswerMode,
    role: RoleCode,
    relationship: Relationship,
    #[serde(deserialize_with = "policy_file::date")]
    on: Date,
    #[serde(default)]
    statistics: bool,
    /// Agreements taken as suspended.
    #[serde(default)]
    suspended: BTreeSet<AgreementRef>,
    /// Agreements that an agency is taken not to have signed.
    #[serde(default)]
    unsigned: BTreeMap<AgencyCode, BTreeSet<AgreementRef>>,
    /// The whole set from other agencies, by supplier.
    #[serde(default)]
    allow: BTreeMap<AgencyCode, BTreeSet<Item>>,
    /// Denials that must be given, by supplier: item and rule.
    #[serde(default)]
    deny: BTreeMap<AgencyCode, BTreeMap<Item, String>>,
    /// The rule that refuses the enquiry as a whole.
    #[serde(default)]
    refuse: Option<String>,
}

/// A file of cases, parsed.
#[derive(Debug, Clone)]
pub struct Cases {
    asks: Vec<Case>,
    feeds: Vec<SupplierFeed>,
    who: Vec<WhoCase>,
}

impl Cases {
    /// Reads a `.cases.toml` file.
    ///
    /// # Errors
    ///
    /// [`Faults`] for unknown or missing keys, a case that says nothing, or one that expects both a
    /// set and a refusal, or neither.
    pub fn parse(bytes: &[u8]) -> Result<Self, Faults> {
        let read: CasesFile = policy_file::read(bytes)?;
        let mut faults = Vec::new();
        for (n, case) in read.case.iter().enumerate() {
            if !says_something(&case.plain) {
                faults.push(Fault::at(format!("case[{n}].plain"), "empty", "say in one sentence what is expected"));
            }
            if case.refuse.is_some() != case.allow.is_empty() {
                let sentence = "a case expects a set or a refusal, one of the two";
                faults.push(Fault::at(format!("case[{n}].refuse"), "expectation", sentence));
            }
        }
        faults.extend(read.reidentify.iter().enumerate().filter_map(|(n, case)| case.fault(n)));
        let feed = |FeedLine { supplier, feed, agreement }| SupplierFeed { supplier, feed, agreement };
        Faults::or(
            faults,
            Self { asks: read.case, feeds: read.feed.into_iter().map(feed).collect(), who: read.reidentify },
        )
    }

    /// How many cases there are.
    pub fn len(&self) -> usize {
        self.asks.len() + self.who.len()
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.asks.is_empty() && self.who.is_empty()
    }

    /// Runs every case; a fault for each that comes out otherwise than expected.
    pub fn run(&self, book: &PolicyBook, rebuild: &dyn Fn(Vec<Agreement>) -> Option<PolicyBook>) -> Vec<Fault> {
        let each = self.asks.iter().enumerate().filter_map(|(n, case)| {
            let difference = case.difference(book, &self.feeds, rebuild)?;
            Some(Fault::at(format!("case[{n}]"), "case-failed", format!("{}: {difference}", case.plain)))
        });
        let who = self.who.iter().enumerate().filter_map(|(n, case)| {
            let difference = case.difference(book, rebuild)?;
            Some(Fault::at(format!("reidentify[{n}]"), "case-failed", format!("{}: {difference}", case.plain)))
        });
        each.chain(who).collect()
    }
}

impl Case {
    /// How the decision differs from what is expected; `None` when it does not.
    fn difference(
        &self,
        book: &PolicyBook,
        feeds: &[SupplierFeed],
        rebuild: &dyn Fn(Vec<Agreement>) -> Option<PolicyBook>,
    ) -> Option<String> {
        let terms = Terms {
            recipient: self.recipient.clone(),
            agreement: self.agreement.clone(),
            purpose: self.purpose.clone(),
            mode: self.mode,
            role: self.role.clone(),
            relationship: self.relationship,
        };
        let now = Timestamp::start_of(self.on).plus_seconds(12 * 3600);
        let changed;
        let book = if self.suspended.is_empty() && self.unsigned.is_empty() {
            book
        } else {
            changed = rebuild(book.agreements().map(|agreement| self.changed(agreement)).collect());
            match &changed {
                Some(book) => book,
                None => return Some("the changed agreements make no book".to_owned()),
            }
        };
        let decide = if self.statistics { contributors_for_statistics } else { contributors };
        let permitted = match (decide(book, &terms, feeds, now), &self.refuse) {
            (Err(refusal), Some(rule)) if refusal.hits.iter().any(|hit| hit.rule == *rule) => return None,
            (Err(refusal), _) => {
                let rules: Vec<&str> = refusal.hits.iter().map(|hit| hit.rule.as_str()).collect();
                return Some(format!("refused by {}", rules.join(", ")));
            }
            (Ok(_), Some(_)) => return Some("permitted".to_owned()),
            (Ok(permitted), None) => permitted,
        };
        let mut allowed: BTreeMap<AgencyCode, BTreeSet<Item>> = BTreeMap::new();
        for line in permitted.granted().filter(|line| line.outcome != Outcome::Own) {
            allowed.entry(line.supplier.clone()).or_default().insert(line.item.clone());
        }
        if allowed != self.allow {
            let each = allowed.iter().map(|(supplier, items)| {
                let items: Vec<String> = items.iter().map(Item::to_string).collect();
                format!("{supplier}: {}", items.join(" "))
            });
            return Some(format!("the set is {}", each.collect::<Vec<_>>().join("; ")));
        }
        let expected = self.deny.iter().flat_map(|(supplier, items)| items.iter().map(move |(i, r)| (supplier, i, r)));
        expected
            .filter(|(supplier, item, rule)| {
                !permitted.denied().any(|line| {
                    line.supplier == **supplier
                        && line.item == **item
                        && matches!(&line.outcome, Outcome::Denied(hits) if hits.iter().any(|hit| hit.rule == **rule))
                })
            })
            .map(|(supplier, item, rule)| format!("{supplier} {item} is not denied by {rule}"))
            .next()
    }

    fn changed(&self, agreement: &Agreement) -> Agreement {
        let mut changed = agreement.clone();
        let reference = agreement.text.reference();
        if self.suspended.contains(reference) {
            changed.status = AgreementStatus::Suspended;
        }
        changed.signed_by.retain(|agency| !self.unsigned.get(agency).is_some_and(|texts| texts.contains(reference)));
        changed
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::fixtures::shipped_book;
    use super::*;

    const SHIPPED: &str = include_str!("../../policies/agreements/housing-support.cases.toml");

    fn faults(text: &str) -> Vec<Fault> {
        let cases = Cases::parse(text.as_bytes()).unwrap_or_else(|faults| panic!("{faults}"));
        cases.run(&shipped_book(), &|_| None)
    }

    #[test]
    fn cases_that_come_out_as_expected_give_no_fault() {
        assert_eq!(faults(SHIPPED), []);
    }

    #[rstest]
    #[case::wrong_set("childrens-social-care = [\"A3\", \"household\"]\n", "", "the set is")]
    #[case::wrong_rule("refuse = \"R03\"", "refuse = \"R04\"", "refused by R03")]
    #[case::no_refusal("[case.allow]", "", "permitted")]
    #[case::wrong_denial("A1 = \"R06\"", "A1 = \"S01\"", "youth-justice A1 is not denied by S01")]
    fn a_case_that_comes_out_otherwise_says_how(#[case] from: &str, #[case] to: &str, #[case] difference: &str) {
        let changed = if from == "[case.allow]" {
            // An expected refusal where the set is permitted: the first case loses its expected set.
            let (first, rest) = SHIPPED.split_once("[case.allow]").expect("has a set");
            let (_, rest) = rest.split_once("[[case]]").expect("has another case");
            format!("{first}refuse = \"R03\"\n[[case]]{rest}")
        } else {
            SHIPPED.replacen(from, to, 1)
        };
        assert_ne!(changed, SHIPPED, "the replacement must find its text");
        let faults = faults(&changed);
        assert!(faults.iter().any(|fault| fault.sentence.contains(difference)), "{faults:?}");
    }

    #[test]
    fn a_case_expects_a_set_or_a_refusal_and_says_so() {
        let both = SHIPPED.replacen("[case.allow]", "refuse = \"R03\"\n[case.allow]", 1);
        let neither = SHIPPED.replacen("refuse = \"R03\"", "", 1);
        let silent = SHIPPED.replacen("plain = \"Housing never learns which areas.\"", "plain = \"\"", 1);
        for (file, code) in [(both, "expectation"), (neither, "expectation"), (silent, "empty")] {
            let faults = Cases::parse(file.as_bytes()).expect_err("faulty");
            assert_eq!(faults.0[0].code, code);
        }
    }
}
