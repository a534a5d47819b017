//! How long what is known of people is kept: the rules of the programme file, and freezes on deletion.
//!
//! One period holds for every enquiry, whatever was found: if questions that found nobody went sooner,
//! the log would say of each question whether it found anybody.

use std::collections::BTreeSet;

use jiff::ToSpan as _;
use serde::{Deserialize, Serialize};

use super::policy_file::{Fault, says_something};
use super::time::Timestamp;

/// The longest period that a rule may have, in months: a hundred years.
const MOST_MONTHS: u32 = 1200;

/// What a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataItem {
    /// What opens the entries of enquiries, screenings, engagements and claim checks.
    Enquiries,
    /// What opens the entries about families.
    Families,
    /// What opens the entries of referrals.
    Referrals,
    /// What opens the entries of match runs and possible matches.
    Matches,
    /// Closed cases of people's rights, and what opens their entries.
    SubjectCases,
    /// Closed complaints.
    Complaints,
}

impl DataItem {
    /// All of them.
    pub const ALL: &'static [Self] =
        &[Self::Enquiries, Self::Families, Self::Referrals, Self::Matches, Self::SubjectCases, Self::Complaints];

    /// The word in the programme file and in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enquiries => "enquiries",
            Self::Families => "families",
            Self::Referrals => "referrals",
            Self::Matches => "matches",
            Self::SubjectCases => "subject-cases",
            Self::Complaints => "complaints",
        }
    }

    /// The item that the openings of a type of entry belong to; `None` where no rule is about them.
    pub fn of_entry(kind: &str) -> Option<Self> {
        Some(match kind {
            "enquiry" => Self::Enquiries,
            "family.disclosure" | "family.change" => Self::Families,
            "referral.step" => Self::Referrals,
            "match.ask" | "match.decision" | "match.view" | "match.run" | "match.run.step" => Self::Matches,
            "subject.case" => Self::SubjectCases,
            _ => return None,
        })
    }
}

/// How long one item is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionRule {
    /// What.
    pub item: DataItem,
    /// The rule in plain words.
    pub plain: String,
    /// For how many months after the entry, or after the case or complaint was closed.
    pub months: u32,
    /// The law, schedule or decision that the period rests on.
    pub source: String,
}

impl RetentionRule {
    /// Everything of before this moment has been kept long enough.
    pub fn cutoff(&self, now: Timestamp) -> Timestamp {
        let day = now.date().checked_sub(i64::from(self.months).months());
        day.map_or(Timestamp::from_micros(0), Timestamp::start_of)
    }
}

/// What is wrong with a programme's rules.
pub fn faults(rules: &[RetentionRule], faults: &mut Vec<Fault>) {
    let mut seen = BTreeSet::new();
    for rule in rules {
        let place = format!("retention.{}", rule.item.as_str());
        if !says_something(&rule.plain) {
            faults.push(Fault::at(&place, "retention-plain", "the rule says nothing in plain words"));
        }
        if !seen.insert(rule.item) {
            faults.push(Fault::at(&place, "retention-twice", "the item has a rule already"));
        }
        if !(1..=MOST_MONTHS).contains(&rule.months) {
            faults.push(Fault::at(&place, "retention-months", "a period has 1 to 1200 months"));
        }
        if !says_something(&rule.source) {
            let sentence = "no law, schedule or decision is named that the period rests on";
            faults.push(Fault::at(&place, "retention-source", sentence));
        }
    }
}

/// What a freeze on deletion covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hold {
    /// Everything.
    Everything,
    /// What an agency asked for, supplied to or decided.
    Agency(String),
    /// What was decided under an agreement version.
    Agreement(String),
    /// What was asked for a purpose.
    Purpose(String),
    /// One entry.
    Entry(String),
}

/// The words are none that a freeze may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a freeze covers `everything`, or an `agency`, `agreement`, `purpose` or `entry` by its name")]
pub struct HoldError;

/// What an entry or a case can be covered by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Covered {
    /// Its number.
    pub id: String,
    /// Agencies that it names.
    pub agencies: BTreeSet<String>,
    /// Agreements that it names.
    pub agreements: BTreeSet<String>,
    /// Purposes that it names.
    pub purposes: BTreeSet<String>,
}

impl Hold {
    /// Reads the two words that a freeze is stored as.
    ///
    /// # Errors
    ///
    /// [`HoldError`] for any others.
    pub fn parse(covers: &str, name: &str) -> Result<Self, HoldError> {
        let is_code = |c: char| c.is_ascii_alphanumeric() || "-_.:/".contains(c);
        let is_name = (1..=128).contains(&name.len()) && name.chars().all(is_code);
        match covers {
            "everything" if name.is_empty() => Ok(Self::Everything),
            "agency" if is_name => Ok(Self::Agency(name.to_owned())),
            "agreement" if is_name => Ok(Self::Agreement(name.to_owned())),
            "purpose" if is_name => Ok(Self::Purpose(name.to_owned())),
            "entry" if is_name => Ok(Self::Entry(name.to_owned())),
            _ => Err(HoldError),
        }
    }

    /// What kind of thing it covers.
    pub fn covers(&self) -> &'static str {
        match self {
            Self::Everything => "everything",
            Self::Agency(_) => "agency",
            Self::Agreement(_) => "agreement",
            Self::Purpose(_) => "purpose",
            Self::Entry(_) => "entry",
        }
    }

    /// Which one; empty for everything.
    pub fn name(&self) -> &str {
        match self {
            Self::Everything => "",
            Self::Agency(name) | Self::Agreement(name) | Self::Purpose(name) | Self::Entry(name) => name,
        }
    }

    /// Whether it keeps something from being deleted.
    pub fn keeps(&self, what: &Covered) -> bool {
        match self {
            Self::Everything => true,
            Self::Agency(name) => what.agencies.contains(name),
            Self::Agreement(name) => what.agreements.contains(name),
            Self::Purpose(name) => what.purposes.contains(name),
            Self::Entry(name) => what.id == *name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(months: u32) -> RetentionRule {
        let (plain, source) = ("Kept for an audit.".to_owned(), "Limitation Act 1980 s.2".to_owned());
        RetentionRule { item: DataItem::Enquiries, plain, months, source }
    }

    #[test]
    fn what_is_as_old_as_the_period_in_calendar_months_goes() {
        let now: Timestamp = "2026-03-31T15:00:00Z".parse().expect("a time");
        assert_eq!(rule(1).cutoff(now).to_string(), "2026-02-28T00:00:00.000000Z");
        assert_eq!(rule(84).cutoff(now).to_string(), "2019-03-31T00:00:00.000000Z");
    }

    #[test]
    fn a_rule_needs_a_period_a_reason_and_its_item_to_itself() {
        let found = |rules: &[RetentionRule]| {
            let mut all = Vec::new();
            faults(rules, &mut all);
            all.len()
        };
        assert_eq!(found(&[rule(84)]), 0);
        assert_eq!(found(&[rule(84), rule(84)]), 1);
        assert_eq!(found(&[rule(0)]) + found(&[rule(1201)]), 2);
        assert_eq!(found(&[RetentionRule { source: " ".to_owned(), ..rule(84) }]), 1);
    }

    #[test]
    fn a_freeze_keeps_what_it_names_and_nothing_else() {
        let of = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let entry = Covered {
            id: "0199".to_owned(),
            agencies: of(&["education", "housing"]),
            agreements: of(&["core/v1"]),
            purposes: of(&["family-support"]),
        };
        for (covers, name, keeps) in [
            ("everything", "", true),
            ("agency", "housing", true),
            ("agency", "police", false),
            ("agreement", "core/v1", true),
            ("agreement", "core/v2", false),
            ("purpose", "family-support", true),
            ("purpose", "audit", false),
            ("entry", "0199", true),
            ("entry", "0198", false),
        ] {
            let hold = Hold::parse(covers, name).expect("well-formed");
            assert_eq!((hold.covers(), hold.name()), (covers, name));
            assert_eq!(hold.keeps(&entry), keeps, "{covers} {name}");
        }
        for (covers, name) in [("everything", "x"), ("agency", ""), ("person", "x"), ("agency", "Jowan Trelawny")] {
            assert_eq!(Hold::parse(covers, name), Err(HoldError));
        }
    }

    #[test]
    fn every_entry_with_openings_that_tell_of_people_belongs_to_an_item() {
        for kind in ["enquiry", "family.disclosure", "family.change", "referral.step", "match.view", "subject.case"] {
            assert!(DataItem::of_entry(kind).is_some(), "{kind}");
        }
        assert_eq!(DataItem::of_entry("policy.load"), None);
    }
}
