//! Test cases of the statutory limits, beside the rules: what the law must stop, whatever agreements say.
//!
//! Each case changes a few facts of a scene in which everything is allowed: one holder of data, one
//! asker, an agreement of each, a purpose. Nothing in it depends on the shipped agreements, so a case
//! can write an agreement that nobody would sign.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use toml::Table;

use super::book::{Ask, PolicyBook, Release};
use super::decide::{areas_of, is_benefits_data};
use super::rules::RuleBook;
use super::self_test::{ASKER, HEADER, HOLDER, NOW, PROGRAMME, RECEIVE, SUPPLY};
use crate::domain::agency::Agency;
use crate::domain::agreement::{Agreement, AgreementText, AnswerMode, Item};
use crate::domain::ids::{AgencyCode, RoleCode};
use crate::domain::policy_file::{self, Fault, Faults, says_something};
use crate::domain::programme::Programme;
use crate::domain::time::Timestamp;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsFile {
    case: Vec<Limit>,
}

/// One expectation: what is changed in the scene, and the rules that then stand in the way.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limit {
    plain: String,
    /// The rules that stop it, and no others; none when the law lets it pass.
    stopped_by: BTreeSet<String>,
    /// What is asked for: an area of the scene (N neutral, M named by the holder's name, C criminal
    /// offences, S special category, H health) or another item.
    #[serde(default = "neutral")]
    item: Item,
    #[serde(default = "areas")]
    mode: AnswerMode,
    /// Whether a table of statistics is asked for.
    #[serde(default)]
    statistics: bool,
    /// On another day than the scene's.
    #[serde(default, deserialize_with = "policy_file::optional_date")]
    on: Option<jiff::civil::Date>,
    /// Changes to the agency that holds the data.
    #[serde(default)]
    holder: Table,
    /// Changes to the agency that asks.
    #[serde(default)]
    asker: Table,
    /// Changes to the purpose.
    #[serde(default)]
    purpose: Table,
    /// Changes to the feed.
    #[serde(default)]
    feed: Table,
    /// Feeds beside it.
    #[serde(default)]
    other_feeds: Vec<Table>,
    /// Changes to the text that the holder signed.
    #[serde(default)]
    supply_agreement: Table,
    /// Changes to its supply term.
    #[serde(default)]
    supply: Table,
    /// Changes to the text that the asker asks under.
    #[serde(default)]
    receive_agreement: Table,
    /// Changes to its receive clause.
    #[serde(default)]
    receive: Table,
}

fn neutral() -> Item {
    // The scene's own area; a code of one letter is well-formed.
    "N".parse().unwrap_or(Item::Household)
}

fn areas() -> AnswerMode {
    AnswerMode::Areas
}

/// A file of such cases, parsed.
#[derive(Debug, Clone)]
pub struct Limits(Vec<Limit>);

impl Limits {
    /// Reads `rules/statutory.cases.toml`.
    ///
    /// # Errors
    ///
    /// [`Faults`] for unknown or missing keys and for a case that says nothing.
    pub fn parse(bytes: &[u8]) -> Result<Self, Faults> {
        let read: LimitsFile = policy_file::read(bytes)?;
        let silent = read.case.iter().enumerate().filter(|(_, limit)| !says_something(&limit.plain));
        let faults = silent.map(|(n, _)| {
            Fault::at(format!("case[{n}].plain"), "empty", "say in one sentence what the law stops or lets pass")
        });
        let faults = faults.collect();
        Faults::or(faults, Self(read.case))
    }

    /// How many cases there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rules that at least one case expects to stand in the way.
    pub fn rules(&self) -> BTreeSet<&str> {
        self.0.iter().flat_map(|limit| &limit.stopped_by).map(String::as_str).collect()
    }

    /// Runs every case; a fault for each that comes out otherwise than expected.
    pub fn run(&self, rules: &Arc<RuleBook>) -> Vec<Fault> {
        let each = self.0.iter().enumerate();
        each.filter_map(|(n, limit)| {
            let difference = limit.difference(rules)?;
            Some(Fault::at(format!("case[{n}]"), "case-failed", format!("{}: {difference}", limit.plain)))
        })
        .collect()
    }
}

impl Limit {
    /// How what happens differs from what is expected; `None` when it does not.
    fn difference(&self, rules: &Arc<RuleBook>) -> Option<String> {
        let hits = match self.hits(rules) {
            Ok(hits) => hits,
            Err(reason) => return Some(format!("the scene cannot be set: {reason}")),
        };
        if hits == self.stopped_by {
            return None;
        }
        let named: Vec<&str> = hits.iter().map(String::as_str).collect();
        Some(if named.is_empty() { "nothing stops it".to_owned() } else { format!("stopped by {}", named.join(", ")) })
    }

    fn hits(&self, rules: &Arc<RuleBook>) -> Result<BTreeSet<String>, String> {
        let mut programme = table(PROGRAMME)?;
        change_first(&mut programme, "purpose", &self.purpose)?;
        change_first(&mut programme, "feed", &self.feed)?;
        if let Some(feeds) = programme.get_mut("feed").and_then(toml::Value::as_array_mut) {
            let first = feeds[0].clone();
            for other in &self.other_feeds {
                let mut feed = first.clone();
                merge(&mut feed, &toml::Value::Table(other.clone()));
                feeds.push(feed);
            }
        }
        let programme = Programme::parse(text(&programme)?.as_bytes()).map_err(said)?;
        let agency = |canned: &str, changes: &Table| {
            let mut read = table(canned)?;
            merge_into(&mut read, changes);
            Agency::parse(text(&read)?.as_bytes()).map_err(said)
        };
        let asker = agency(ASKER, &self.asker)?;
        let holder = agency(HOLDER, &self.holder)?;
        let other = Agency::parse(ASKER.replacen("\"asker\"", "\"other\"", 1).as_bytes()).map_err(said)?;
        let supply = agreement("canned-supply", SUPPLY, &self.supply_agreement, ("supply", &self.supply))?;
        let receive = agreement("canned-receive", RECEIVE, &self.receive_agreement, ("receive", &self.receive))?;
        let both = [Agreement::in_force(Arc::clone(&supply)), Agreement::in_force(Arc::clone(&receive))];
        let book = PolicyBook::new(Arc::new(programme), [asker, holder, other], both, Arc::clone(rules), 0);
        let book = book.map_err(said)?;
        self.ask(&book, &supply, &receive).ok_or_else(|| "a part of it is missing".to_owned())
    }

    fn ask(&self, book: &PolicyBook, supply: &AgreementText, receive: &AgreementText) -> Option<BTreeSet<String>> {
        let (recipient, supplier) = (AgencyCode::parse("asker").ok()?, AgencyCode::parse("holder").ok()?);
        let role = RoleCode::parse("worker").ok()?;
        let purpose = book.programme().purposes().first()?;
        let now = match self.on {
            Some(day) => Timestamp::start_of(day),
            None => NOW.parse().ok()?,
        };
        let ask = Ask {
            recipient: &recipient,
            agreement: receive,
            clause: receive.receives().first()?,
            purpose,
            mode: self.mode,
            role: &role,
            relationship_fits: true,
            for_statistics: self.statistics,
            now,
        };
        let release = Release {
            ask: &ask,
            agreement: supply,
            term: supply.supplies().first()?,
            supplier: &supplier,
            item: &self.item,
            areas: &areas_of(book, &supplier, &self.item),
            benefits_data: is_benefits_data(book, book.programme().feeds().first()?),
        };
        let hits = book.ask_hits(&ask).into_iter().chain(book.release_hits(&release));
        Some(hits.map(|hit| hit.rule).collect())
    }
}

fn agreement(id: &str, term: &str, whole: &Table, part: (&str, &Table)) -> Result<Arc<AgreementText>, String> {
    let mut read = table(&format!("id = \"{id}\"{HEADER}{term}"))?;
    merge_into(&mut read, whole);
    change_first(&mut read, part.0, part.1)?;
    AgreementText::parse(text(&read)?.as_bytes()).map(Arc::new).map_err(said)
}

fn table(canned: &str) -> Result<Table, String> {
    canned.parse().map_err(|_| "a canned text is not well-formed".to_owned())
}

fn text(table: &Table) -> Result<String, String> {
    toml::to_string(table).map_err(|_| "the changed text cannot be written".to_owned())
}

fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Changes the first of a list of tables.
fn change_first(whole: &mut Table, list: &str, changes: &Table) -> Result<(), String> {
    let first = whole.get_mut(list).and_then(|list| list.get_mut(0));
    let first = first.ok_or_else(|| format!("there is no {list}"))?;
    merge(first, &toml::Value::Table(changes.clone()));
    Ok(())
}

fn merge_into(whole: &mut Table, changes: &Table) {
    for (key, change) in changes {
        match whole.get_mut(key) {
            Some(old) => merge(old, change),
            None => drop(whole.insert(key.clone(), change.clone())),
        }
    }
}

/// Tables are merged key by key; an empty table in the place of one takes it away; all else is replaced.
fn merge(old: &mut toml::Value, change: &toml::Value) {
    match (old, change) {
        (toml::Value::Table(old), toml::Value::Table(changes)) => {
            for (key, change) in changes {
                if change.as_table().is_some_and(Table::is_empty) {
                    old.remove(key);
                    continue;
                }
                match old.get_mut(key) {
                    Some(value) => merge(value, change),
                    None => drop(old.insert(key.clone(), change.clone())),
                }
            }
        }
        (old, change) => *old = change.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = include_str!("../../policies/rules/statutory.cases.toml");

    fn limits() -> Limits {
        Limits::parse(SHIPPED.as_bytes()).unwrap_or_else(|faults| panic!("{faults}"))
    }

    #[test]
    fn the_law_stops_what_the_cases_say_and_nothing_else() {
        let rules = Arc::new(RuleBook::shipped().expect("valid"));
        let faults: Vec<String> = limits().run(&rules).iter().map(ToString::to_string).collect();
        assert_eq!(faults, Vec::<String>::new());
    }

    #[test]
    fn every_statutory_rule_has_a_case_and_its_deletion_is_noticed() {
        let book = RuleBook::shipped().expect("valid");
        let statutory: Vec<String> =
            book.forbids().map(|rule| rule.rule.clone()).filter(|rule| rule.starts_with('S')).collect();
        assert!(statutory.len() >= 18);
        let limits = limits();
        for rule in &statutory {
            assert!(limits.rules().contains(rule.as_str()), "{rule} has no case");
            let without = Arc::new(RuleBook::shipped().expect("valid").without(rule));
            assert!(!limits.run(&without).is_empty(), "nothing notices that {rule} is gone");
        }
    }

    #[test]
    fn a_case_that_comes_out_otherwise_says_how() {
        let changed = SHIPPED.replacen("stopped_by = [\"S01\"]", "stopped_by = []", 1);
        assert_ne!(changed, SHIPPED);
        let faults =
            Limits::parse(changed.as_bytes()).expect("parses").run(&Arc::new(RuleBook::shipped().expect("valid")));
        assert_eq!(faults.len(), 1);
        assert!(faults[0].sentence.contains("stopped by S01"), "{}", faults[0]);
    }
}
