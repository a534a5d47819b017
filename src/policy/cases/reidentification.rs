//! Expectations on who may ask who somebody is: `[[reidentify]]` in a file of cases.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::Deserialize;

use crate::domain::agreement::{Agreement, AgreementStatus};
use crate::domain::ids::{AgencyCode, AgreementRef, PowerCode, PurposeCode, RoleCode};
use crate::domain::policy_file::{self, Fault, says_something};
use crate::domain::reidentification::Field;
use crate::domain::time::Timestamp;
use crate::policy::book::PolicyBook;
use crate::policy::reidentify::{WhoTerms, may_ask_who};

/// One expectation: without `refuse`, that it may be asked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WhoCase {
    pub(super) plain: String,
    requester: AgencyCode,
    agreement: AgreementRef,
    source: AgencyCode,
    purpose: PurposeCode,
    power: PowerCode,
    role: RoleCode,
    fields: BTreeSet<Field>,
    #[serde(default)]
    emergency: bool,
    #[serde(deserialize_with = "policy_file::date")]
    on: Date,
    /// Agreements taken as suspended.
    #[serde(default)]
    suspended: BTreeSet<AgreementRef>,
    /// Agreements that an agency is taken not to have signed.
    #[serde(default)]
    unsigned: BTreeMap<AgencyCode, BTreeSet<AgreementRef>>,
    /// The rule that refuses it.
    #[serde(default)]
    refuse: Option<String>,
}

impl WhoCase {
    pub(super) fn fault(&self, n: usize) -> Option<Fault> {
        let sentence = "say in one sentence what is expected";
        (!says_something(&self.plain)).then(|| Fault::at(format!("reidentify[{n}].plain"), "empty", sentence))
    }

    /// How the decision differs from what is expected; `None` when it does not.
    pub(super) fn difference(
        &self,
        book: &PolicyBook,
        rebuild: &dyn Fn(Vec<Agreement>) -> Option<PolicyBook>,
    ) -> Option<String> {
        let terms = WhoTerms {
            requester: self.requester.clone(),
            agreement: self.agreement.clone(),
            source: self.source.clone(),
            purpose: self.purpose.clone(),
            power: self.power.clone(),
            role: self.role.clone(),
            fields: self.fields.clone(),
            emergency: self.emergency,
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
        match (may_ask_who(book, &terms, now), &self.refuse) {
            (Ok(_), None) => None,
            (Ok(_), Some(_)) => Some("permitted".to_owned()),
            (Err(hits), Some(rule)) if hits.iter().any(|hit| hit.rule == *rule) => None,
            (Err(hits), _) => {
                let rules: Vec<&str> = hits.iter().map(|hit| hit.rule.as_str()).collect();
                Some(format!("refused by {}", rules.join(", ")))
            }
        }
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
