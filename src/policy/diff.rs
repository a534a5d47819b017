//! Two versions of an agreement, or two policy books, compared in plain words: what the texts say
//! differently, and who would learn more or less.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::Date;
use serde::Serialize;

use super::book::{BookError, PolicyBook};
use super::decision::{SupplierFeed, Terms};
use super::matrix::{Cell, cells};
use crate::domain::agreement::{Agreement, AgreementText, AnswerMode, Item, ReceiveClause, SupplyTerm};
use crate::domain::ids::{AgencyCode, AgreementCode, AgreementRef, PurposeCode};
use crate::domain::time::Timestamp;

/// One thing that two texts say differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Where: `dates`, `party`, `law`, `handling`, `wording`, or the code of a term.
    pub part: String,
    /// What, in plain words.
    pub sentence: String,
}

/// Something that a recipient would learn from now on, or no longer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Flip {
    /// From which day on.
    pub from: Date,
    /// Who.
    pub recipient: AgencyCode,
    /// Whether it gains; else it loses.
    pub gains: bool,
    /// Whose data.
    pub supplier: AgencyCode,
    /// Which items.
    pub items: BTreeSet<Item>,
    /// For what.
    pub purpose: PurposeCode,
    /// In which form.
    pub mode: AnswerMode,
}

/// What two texts say differently, in the order of the form.
pub fn texts(old: &AgreementText, new: &AgreementText) -> Vec<Change> {
    let mut changes = Changes::default();
    changes.whole(old, new);
    changes.parties(old, new);
    let of = |text: &AgreementText| -> BTreeMap<String, SupplyTerm> {
        text.supplies().iter().map(|term| (term.id.to_string(), term.clone())).collect()
    };
    changes.terms(&of(old), &of(new), "supply term", supply_terms, |term| {
        format!("{} supplies {} to {}", term.supplier, listed(&term.items), listed(&term.recipients))
    });
    let of = |text: &AgreementText| -> BTreeMap<String, ReceiveClause> {
        text.receives().iter().map(|clause| (clause.id.to_string(), clause.clone())).collect()
    };
    changes.terms(&of(old), &of(new), "receive clause", receive_clauses, |clause| {
        format!("{} may learn {} from {}", clause.recipient, listed(&clause.items), listed(&clause.suppliers))
    });
    changes.0
}

#[derive(Default)]
struct Changes(Vec<Change>);

impl Changes {
    fn add(&mut self, part: &str, sentence: String) {
        self.0.push(Change { part: part.to_owned(), sentence });
    }

    fn value<T: PartialEq + std::fmt::Display>(&mut self, part: &str, what: &str, old: T, new: T) {
        if old != new {
            self.add(part, format!("{what}: {new}, was {old}"));
        }
    }

    fn sets<T: Ord + std::fmt::Display>(&mut self, part: &str, what: &str, old: &BTreeSet<T>, new: &BTreeSet<T>) {
        let (gained, lost): (BTreeSet<_>, BTreeSet<_>) = (new.difference(old).collect(), old.difference(new).collect());
        if !gained.is_empty() {
            self.add(part, format!("gains {what} {}", listed(&gained)));
        }
        if !lost.is_empty() {
            self.add(part, format!("loses {what} {}", listed(&lost)));
        }
    }

    fn whole(&mut self, old: &AgreementText, new: &AgreementText) {
        self.value("wording", "title", old.title(), new.title());
        self.value("dates", "first day", old.starts(), new.starts());
        self.value("dates", "last day", old.ends(), new.ends());
        self.value("dates", "review due", old.review_due(), new.review_due());
        self.value("dates", "last day of grace", old.last_day_of_grace(), new.last_day_of_grace());
        self.value("wording", "reviewer", old.reviewer(), new.reviewer());
        // The sections that no rule looks at, field by field as the file names them.
        for (part, before, after) in [
            ("why", as_json(old.why()), as_json(new.why())),
            ("scope", as_json(old.scope()), as_json(new.scope())),
            ("law", as_json(old.law()), as_json(new.law())),
            ("handling", as_json(old.handling()), as_json(new.handling())),
            ("rights", as_json(old.rights()), as_json(new.rights())),
            ("breach", as_json(old.breach()), as_json(new.breach())),
            ("governance", as_json(old.governance()), as_json(new.governance())),
        ] {
            let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            for key in keys {
                let (was, is) = (before.get(key), after.get(key));
                if was != is {
                    self.add(part, format!("{key}: {}, was {}", said(is), said(was)));
                }
            }
        }
    }

    fn parties(&mut self, old: &AgreementText, new: &AgreementText) {
        let names = |text: &AgreementText| -> BTreeSet<AgencyCode> {
            text.parties().iter().map(|party| party.agency.clone()).collect()
        };
        let (before, after) = (names(old), names(new));
        for party in after.difference(&before) {
            self.add("party", format!("{party} becomes a party"));
        }
        for party in before.difference(&after) {
            self.add("party", format!("{party} is no longer a party"));
        }
        for party in new.parties() {
            let Some(was) = old.parties().iter().find(|was| was.agency == party.agency) else { continue };
            let who = &party.agency;
            if was.role != party.role {
                self.add("party", format!("{who} is {}, was {}", party.role.plain(), was.role.plain()));
            }
            if was.signatory != party.signatory {
                self.add("party", format!("{who} signs by the post {}, was {}", party.signatory, was.signatory));
            }
            if (&was.stages, &was.contact) != (&party.stages, &party.contact) {
                self.add("party", format!("{who} has another role at a stage, or another contact"));
            }
            if (&was.token_types, &was.legacy_tokens) != (&party.token_types, &party.legacy_tokens) {
                self.add("party", format!("{who} may make tokens of other types, or of old hash values otherwise"));
            }
        }
    }

    fn terms<T>(
        &mut self,
        old: &BTreeMap<String, T>,
        new: &BTreeMap<String, T>,
        kind: &str,
        compare: impl Fn(&mut Self, &str, &T, &T),
        plain: impl Fn(&T) -> String,
    ) {
        for (id, term) in new {
            match old.get(id) {
                Some(was) => compare(self, id, was, term),
                None => self.add(id, format!("new {kind}: {}", plain(term))),
            }
        }
        for (id, term) in old.iter().filter(|(id, _)| !new.contains_key(*id)) {
            self.add(id, format!("{kind} is gone: {}", plain(term)));
        }
    }
}

fn supply_terms(changes: &mut Changes, id: &str, old: &SupplyTerm, new: &SupplyTerm) {
    changes.value(id, "sentence", &old.plain, &new.plain);
    changes.value(id, "supplier", &old.supplier, &new.supplier);
    changes.sets(id, "recipients", &old.recipients, &new.recipients);
    changes.sets(id, "items", &old.items, &new.items);
    changes.sets(id, "modes", &names(&old.modes), &names(&new.modes));
    changes.sets(id, "purposes", &old.purposes, &new.purposes);
    changes.sets(id, "powers", &old.power, &new.power);
    changes.value(id, "lawful basis", &old.art6, &new.art6);
    changes.sets(id, "conditions", &old.conditions, &new.conditions);
    changes.value(id, "passing on", old.onward.as_str(), new.onward.as_str());
    if old.profile != new.profile {
        changes.add(id, format!("privacy profile: {:?}, was {:?}", new.profile, old.profile));
    }
}

fn receive_clauses(changes: &mut Changes, id: &str, old: &ReceiveClause, new: &ReceiveClause) {
    changes.value(id, "sentence", &old.plain, &new.plain);
    changes.value(id, "recipient", &old.recipient, &new.recipient);
    changes.sets(id, "suppliers", &old.suppliers, &new.suppliers);
    changes.sets(id, "items", &old.items, &new.items);
    changes.sets(id, "modes", &names(&old.modes), &names(&new.modes));
    changes.sets(id, "purposes", &old.purposes, &new.purposes);
    changes.sets(id, "powers", &old.power, &new.power);
    changes.value(id, "lawful basis", &old.art6, &new.art6);
    changes.sets(id, "conditions", &old.conditions, &new.conditions);
    changes.sets(id, "roles", &old.roles, &new.roles);
    changes.value(id, "enquiries a day", old.daily_ceiling, new.daily_ceiling);
    changes.value(id, "passing on", old.onward.as_str(), new.onward.as_str());
    if old.unit != new.unit {
        changes.add(id, format!("an answer is about: {:?}, was {:?}", new.unit, old.unit).to_lowercase());
    }
}

/// The book with one text, signed and in force, in the place of every version of that agreement.
///
/// # Errors
///
/// [`BookError`] when the text does not fit the book.
pub fn with_text(book: &PolicyBook, text: Arc<AgreementText>) -> Result<PolicyBook, BookError> {
    let id = text.reference().id.clone();
    let others = book.agreements().filter(|other| other.text.reference().id != id).cloned();
    let agreements: Vec<Agreement> = others.chain([Agreement::in_force(text)]).collect();
    book.with_agreements(agreements)
}

/// What an agency would learn by the new book and not by the old one, or the other way round, now and after
/// each date at which an agreement begins, ends or falls due: a day is listed when what differs on it is not
/// what differed before. Versions of one agreement are taken as one.
pub fn effects(old: &PolicyBook, new: &PolicyBook, delivered: &[SupplierFeed], now: Timestamp) -> Vec<Flip> {
    let mut instants = BTreeSet::from([now]);
    for text in old.agreements().chain(new.agreements()).map(|agreement| &agreement.text) {
        let dates =
            [Some(text.starts_at()), Some(text.ends_before()), Some(text.review_before()), text.caldicott_from()];
        instants.extend(dates.into_iter().flatten().filter(|at| *at > now));
    }
    let (before, after) = (restated(delivered, old), restated(delivered, new));
    let mut flips = Vec::new();
    let mut last: BTreeSet<Key> = BTreeSet::new();
    for at in instants {
        let (was, is) = (allowed(old, &before, at), allowed(new, &after, at));
        let gained = is.difference(&was).map(|key| (true, key.clone()));
        let lost = was.difference(&is).map(|key| (false, key.clone()));
        let differs: BTreeSet<Key> = gained.chain(lost).collect();
        if differs != last {
            flips.extend(grouped(&differs, at.date()));
        }
        last = differs;
    }
    flips
}

type Plain = (AgencyCode, AgreementCode, PurposeCode, AnswerMode, AgencyCode, Item);
type Key = (bool, Plain);

fn allowed(book: &PolicyBook, delivered: &[SupplierFeed], at: Timestamp) -> BTreeSet<Plain> {
    let plain = |cell: Cell| {
        let (supplier, item) = (cell.supplier?, cell.item?);
        Some((cell.recipient, cell.agreement.id, cell.purpose, cell.mode, supplier, item))
    };
    cells(book, delivered, None, at).into_iter().filter(|cell| cell.allowed && !cell.own).filter_map(plain).collect()
}

fn grouped(keys: &BTreeSet<Key>, from: Date) -> Vec<Flip> {
    let mut flips: BTreeMap<(AgencyCode, bool, AgencyCode, PurposeCode, AnswerMode), BTreeSet<Item>> = BTreeMap::new();
    for (gains, (recipient, _, purpose, mode, supplier, item)) in keys {
        let key = (recipient.clone(), *gains, supplier.clone(), purpose.clone(), *mode);
        flips.entry(key).or_default().insert(item.clone());
    }
    let flip = |((recipient, gains, supplier, purpose, mode), items)| Flip {
        from,
        recipient,
        gains,
        supplier,
        items,
        purpose,
        mode,
    };
    flips.into_iter().map(flip).collect()
}

/// The feeds as if delivered under the version that a book has, where it has another than they named.
pub fn restated(delivered: &[SupplierFeed], book: &PolicyBook) -> Vec<SupplierFeed> {
    let restate = |feed: &SupplierFeed| SupplierFeed { agreement: version_in(book, &feed.agreement), ..feed.clone() };
    delivered.iter().map(restate).collect()
}

/// The terms of a past question as if they named the version that a book has.
pub fn restated_terms(terms: &Terms, book: &PolicyBook) -> Terms {
    Terms { agreement: version_in(book, &terms.agreement), ..terms.clone() }
}

fn version_in(book: &PolicyBook, reference: &AgreementRef) -> AgreementRef {
    if book.agreement(reference).is_some() {
        return reference.clone();
    }
    let of_one = book.agreements().map(|known| known.text.reference()).filter(|known| known.id == reference.id);
    of_one.max_by_key(|known| known.version).unwrap_or(reference).clone()
}

impl Flip {
    /// The change in one plain sentence.
    pub fn sentence(&self, book: &PolicyBook) -> String {
        let name = |code: &AgencyCode| book.agency(code).map_or_else(|| code.to_string(), |it| it.name().to_owned());
        format!(
            "{} {} {} of {} for {}, in the form '{}'",
            name(&self.recipient),
            if self.gains { "gains" } else { "loses" },
            listed(&self.items),
            name(&self.supplier),
            self.purpose,
            self.mode
        )
    }
}

fn listed<T: std::fmt::Display>(all: &BTreeSet<T>) -> String {
    all.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

fn names(modes: &BTreeSet<AnswerMode>) -> BTreeSet<String> {
    modes.iter().map(AnswerMode::to_string).collect()
}

fn as_json(section: &impl Serialize) -> serde_json::Map<String, serde_json::Value> {
    match serde_json::to_value(section) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    }
}

fn said(value: Option<&serde_json::Value>) -> String {
    match value {
        None | Some(serde_json::Value::Null) => "nothing".to_owned(),
        Some(serde_json::Value::String(text)) => format!("\"{text}\""),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{AGREEMENTS, feeds, shipped_book, today};
    use super::*;

    fn text(edits: &[(&str, &str)]) -> Arc<AgreementText> {
        let shipped = AGREEMENTS.iter().find(|file| file.contains("id = \"housing-support\"")).expect("shipped");
        let mut changed = (*shipped).to_owned();
        for (from, to) in edits {
            assert!(changed.contains(from), "the replacement must find {from}");
            changed = changed.replacen(from, to, 1);
        }
        Arc::new(AgreementText::parse(changed.as_bytes()).unwrap_or_else(|faults| panic!("{faults}")))
    }

    fn sentences(edits: &[(&str, &str)]) -> Vec<String> {
        texts(&text(&[]), &text(edits)).into_iter().map(|c| format!("{}: {}", c.part, c.sentence)).collect()
    }

    #[test]
    fn a_text_differs_from_itself_in_nothing() {
        assert_eq!(sentences(&[]), Vec::<String>::new());
        let book = with_text(&shipped_book(), text(&[])).expect("fits");
        assert_eq!(effects(&shipped_book(), &book, &feeds(), today()), []);
    }

    #[test]
    fn what_a_text_gains_and_loses_is_said_in_plain_words() {
        let told = sentences(&[
            ("version = 1", "version = 2\nsupersedes = 1"),
            ("ends = 2029-03-31", "ends = 2028-03-31"),
            ("modes = [\"eligible\"]", "modes = [\"areas\"]"),
            ("notify_within_hours = 24", "notify_within_hours = 12"),
            ("dpia = \"", "dpia = \"NEW-"),
        ]);
        let clause = |said: &str| told.iter().any(|line| line.ends_with(said));
        assert!(clause("last day: 2028-03-31, was 2029-03-31"), "{told:#?}");
        assert!(clause("gains modes areas") && clause("loses modes eligible"), "{told:#?}");
        assert!(clause("breach: notify_within_hours: 12, was 24"), "{told:#?}");
        assert!(told.iter().any(|line| line.starts_with("law: dpia: \"NEW-")), "{told:#?}");
        assert_eq!(told.len(), 5, "{told:#?}");
    }

    #[test]
    fn whoever_would_learn_more_or_less_is_named_with_the_day() {
        let fewer = text(&[("version = 1", "version = 2\nsupersedes = 1"), ("\"A2\", \"A3\"", "\"A3\"")]);
        let old = shipped_book();
        let new = with_text(&old, fewer).expect("fits");
        let flips = effects(&old, &new, &feeds(), today());
        assert!(!flips.is_empty());
        let first = &flips[0];
        assert_eq!((first.recipient.as_str(), first.gains, first.from), ("housing", false, today().date()));
        assert!(first.items.contains(&"A2".parse().expect("an item")), "{flips:?}");
        assert_eq!(
            first.sentence(&old),
            "Carrow Homes and Community Safety loses A2 of Carrow Schools and Education Welfare for tenancy-support, in the form 'eligible'"
        );
        // Once the review is overdue nobody hears anything by either text, and nothing differs any more.
        assert!(flips.iter().all(|flip| !flip.gains), "{flips:#?}");
        let other_way = effects(&new, &old, &feeds(), today());
        assert!(other_way.iter().all(|flip| flip.gains) && other_way.len() == flips.len());
    }

    #[test]
    fn a_longer_term_shows_on_the_day_on_which_the_shorter_ends() {
        let longer = text(&[
            ("version = 1", "version = 2\nsupersedes = 1"),
            ("review_due = 2027-06-30", "review_due = 2028-06-30"),
        ]);
        let old = shipped_book();
        // Everything else stands longer too, so that the difference can show.
        let agreements = old.agreements().map(|agreement| {
            let bytes = String::from_utf8(agreement.text.bytes().to_vec()).expect("text");
            let bytes = bytes.replacen("review_due = 2027-06-30", "review_due = 2028-12-30", 1);
            match agreement.text.reference().id.as_str() {
                "housing-support" => agreement.clone(),
                _ => Agreement::in_force(Arc::new(AgreementText::parse(bytes.as_bytes()).expect("well-formed"))),
            }
        });
        let old = old.with_agreements(agreements.collect()).expect("fits");
        let new = with_text(&old, longer).expect("fits");
        let flips = effects(&old, &new, &feeds(), today());
        let days: BTreeSet<String> = flips.iter().map(|flip| flip.from.to_string()).collect();
        assert_eq!(days, BTreeSet::from(["2027-07-29".to_owned()]), "{flips:#?}");
        assert!(flips.iter().all(|flip| flip.gains && flip.recipient.as_str() == "housing"));
    }
}
