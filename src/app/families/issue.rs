//! Candidate families get their numbers: an explicit step over a list that a match run or a referral
//! supplies, never something that happens by itself.
//!
//! What a data match found must stand by the evidence of addresses; who was referred, or carried over
//! from the first phase, is known to somebody, and is taken as given. A candidate all of whose people
//! belong to one family already gets that family's number and no second one.

use std::collections::BTreeSet;

use serde_json::json;

use super::change::{Change, Plan, Step};
use super::{Decided, FamilyError, Outcome, are_one_family};
use crate::app::enquire::family::{FamilyPerson, FoundFamily, Stage};
use crate::app::gateway::Gateway;
use crate::domain::family::{FamilyEventKind, IdentificationRoute, RecordName};
use crate::domain::ids::OpaqueRef;
use crate::domain::tfid::Tfid;

impl Gateway {
    /// What issuing numbers to these candidates does. Each is looked at through what was found for all.
    pub(super) async fn plan_issue(
        &self,
        stage: &Stage,
        found: &FoundFamily,
        route: IdentificationRoute,
        candidates: &[Vec<RecordName>],
    ) -> Result<(Vec<Decided>, Plan), FamilyError> {
        let references: BTreeSet<OpaqueRef> =
            found.people.iter().flat_map(|person| &person.records).map(|name| name.reference.clone()).collect();
        let references: Vec<OpaqueRef> = references.into_iter().collect();
        let mut tx = self.store().begin().await?;
        let holders = tx.families_of(&references).await?;
        drop(tx);
        let mut issued: Vec<(Tfid, RecordName)> = Vec::new();
        let (mut results, mut changes) = (Vec::new(), Vec::new());
        for candidate in candidates {
            let named: BTreeSet<&RecordName> = candidate.iter().collect();
            let is_meant = |person: &&FamilyPerson| person.records.iter().any(|name| named.contains(name));
            let people: Vec<&FamilyPerson> = found.people.iter().filter(is_meant).collect();
            if people.is_empty() {
                results.push(Decided::unknown());
                continue;
            }
            if let Some(family) = family_of_all(&people, holders.iter().chain(&issued)) {
                results.push(Decided::of(Outcome::Already, &family));
                continue;
            }
            let is_found = route == IdentificationRoute::DataMatch;
            if is_found && !are_one_family(people.iter().map(|person| &person.dweller), &stage.policies) {
                results.push(Decided { outcome: Outcome::NotOneFamily, family: None });
                continue;
            }
            let tfid = Tfid::random(|bytes| self.random().fill(bytes));
            // Only what may be seen is taken in: a shielded record is not there.
            let seen = people.iter().flat_map(|person| &person.records);
            let records: Vec<RecordName> = seen.filter(|name| named.contains(name)).cloned().collect();
            issued.extend(records.iter().map(|record| (tfid, record.clone())));
            results.push(Decided::of(Outcome::Done, &tfid));
            changes.push(Change {
                action: FamilyEventKind::Issued,
                families: vec![tfid],
                what: json!({ "route": route, "records": records }),
                steps: vec![Step::Issue(tfid, route), Step::Join(tfid, records)],
                history: vec![(tfid, FamilyEventKind::Issued, None)],
            });
        }
        Ok((results, Plan { touched: Vec::new(), holders: Some((references, holders)), changes }))
    }
}

/// The family to which every one of these people belongs, the first by its number.
fn family_of_all<'h>(people: &[&FamilyPerson], holders: impl Iterator<Item = &'h (Tfid, RecordName)>) -> Option<Tfid> {
    let holders: Vec<&(Tfid, RecordName)> = holders.collect();
    let families: BTreeSet<Tfid> = holders.iter().map(|(family, _)| *family).collect();
    let belongs = |person: &FamilyPerson, family: &Tfid| {
        holders.iter().any(|(holder, record)| holder == family && person.records.contains(record))
    };
    families.into_iter().find(|family| people.iter().all(|person| belongs(person, family)))
}
