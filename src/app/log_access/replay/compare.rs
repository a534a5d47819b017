//! Two decisions compared, and their differences in words.

use std::collections::{BTreeMap, BTreeSet};

use super::super::explain::Decided;
use super::Came;
use crate::policy::PolicyBook;
use crate::policy::decision::BEFORE_THE_BOOK;
use crate::tlog::entry::{Code, Contribution, Decision, Outcome};

/// How a decision that was made again compares with the entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// Whether it comes out the same, line by line.
    pub is_same: bool,
    /// Every difference, a sentence each.
    pub differences: Vec<String>,
}

/// Refusals that do not follow from the texts: how much was asked that day, and what is the programme
/// team's own.
const BESIDE_THE_BOOK: [&str; 3] = ["ceiling", "F01", "M01"];

type Key<'a> = (&'a str, &'a str, &'a str);

/// Compares; `when` says in the sentences which of the two was made again.
pub(super) fn compare(was: &Decided<'_>, came: &Came, book: &PolicyBook, when: &str) -> Compared {
    let mut differences = Vec::new();
    let word = |outcome: &Outcome| match outcome {
        Outcome::Answered => "answered".to_owned(),
        Outcome::Refused(rule) => format!("refused: {}", rule_in_words(book, rule)),
    };
    let is_beside = matches!(was.outcome, Outcome::Refused(code) if BESIDE_THE_BOOK.contains(&code.as_str()));
    let allowed = if is_beside { &Outcome::Answered } else { was.outcome };
    if *allowed != came.outcome {
        differences.push(format!("The entry says {}; {when} it is {}.", word(was.outcome), word(&came.outcome)));
    }
    let (before, after) = (by_key(was.decisions), by_key(&came.lines));
    let keys: BTreeSet<Key<'_>> = before.keys().chain(after.keys()).copied().collect();
    for (supplier, feed, item) in keys {
        let what = format!("{item} from the feed {feed} of {supplier}");
        let key = (supplier, feed, item);
        differences.extend(match (before.get(&key), after.get(&key)) {
            (Some(_), None) => Some(format!("The entry decides about {what}; {when} there is no such line.")),
            (None, Some(_)) => Some(format!("The entry does not decide about {what}; {when} there is such a line.")),
            (Some(before), Some(after)) => line(before, after, &what, book, when),
            (None, None) => None,
        });
    }
    Compared { is_same: differences.is_empty(), differences }
}

fn line(before: &Decision, after: &Decision, what: &str, book: &PolicyBook, when: &str) -> Option<String> {
    let rules = |line: &Decision| {
        let each: Vec<String> = line.rules_hit.iter().map(|rule| rule_in_words(book, rule)).collect();
        each.join(" ")
    };
    match (before.outcome, after.outcome) {
        (Contribution::Permitted, Contribution::Withheld) => {
            Some(format!("The entry permits {what}; {when} it is withheld: {}", rules(after)))
        }
        (Contribution::Withheld, Contribution::Permitted) => {
            Some(format!("The entry withholds {what}; {when} it is permitted."))
        }
        (Contribution::Withheld, Contribution::Withheld) if before.rules_hit != after.rules_hit => {
            Some(format!("Both withhold {what}, for other reasons; {when}: {}", rules(after)))
        }
        (Contribution::Permitted, Contribution::Permitted)
            if (&before.supply, &before.supply_sha256, &before.receive)
                != (&after.supply, &after.supply_sha256, &after.receive) =>
        {
            Some(format!("Both permit {what}, under other terms or texts."))
        }
        _ => None,
    }
}

fn by_key(lines: &[Decision]) -> BTreeMap<Key<'_>, &Decision> {
    lines.iter().map(|line| ((line.supplier.as_str(), line.feed.as_str(), line.item.as_str()), line)).collect()
}

fn rule_in_words(book: &PolicyBook, rule: &Code) -> String {
    let fixed = BEFORE_THE_BOOK.iter().find(|(id, _)| *id == rule.as_str()).map(|(_, say)| *say);
    match book.rules().say(rule.as_str()).or(fixed) {
        Some(say) => format!("{say} ({rule})"),
        None => format!("({rule})"),
    }
}
