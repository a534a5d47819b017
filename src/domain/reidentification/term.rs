//! The term of an agreement under which a requester may ask a source who somebody is.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Field;
use crate::domain::ids::{AgencyCode, BasisCode, PowerCode, PurposeCode, RoleCode, TermCode};
use crate::domain::law;
use crate::domain::policy_file::{Fault, says_something};

/// Where identities come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Supply {
    /// The source seals the identity after approving; nothing that identifies lies anywhere before.
    Brokered,
    /// Identities would lie in the gateway from submission on. Weaker, and refused when the file is read.
    Escrow,
}

/// Whom the requester may have re-identified, by whom, and who has to sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReidentifyTerm {
    /// Its code in the agreement.
    pub id: TermCode,
    /// What it says, in one plain sentence.
    pub plain: String,
    /// Who may ask.
    pub requester: AgencyCode,
    /// Who may answer, each about its own records.
    pub sources: BTreeSet<AgencyCode>,
    /// For what.
    pub purposes: BTreeSet<PurposeCode>,
    /// The statutes that permit it.
    pub power: BTreeSet<PowerCode>,
    /// The lawful basis.
    pub art6: BasisCode,
    /// Conditions for special category and criminal-offence data.
    pub conditions: BTreeSet<BasisCode>,
    /// Who at the requester may ask.
    pub roles: BTreeSet<RoleCode>,
    /// What may be asked for.
    pub fields: BTreeSet<Field>,
    /// How many different people have to approve, one of them of the source.
    pub approvals: u8,
    /// The agencies whose officers may approve: every source, and never the requester.
    pub approvers: BTreeSet<AgencyCode>,
    /// How many requests a day.
    pub daily_ceiling: u32,
    /// Whether an emergency may be claimed; a term that says nothing of it has none.
    #[serde(default)]
    pub emergency: bool,
    /// Where identities come from.
    pub mode: Supply,
}

/// More than this in a day is in bulk.
pub const MOST_A_DAY: u32 = 50;
/// Fewer than this is not four eyes.
pub const FEWEST_APPROVALS: u8 = 2;
/// More than this is never complete.
pub const MOST_APPROVALS: u8 = 5;

impl ReidentifyTerm {
    /// What is wrong with the term; `at` gives the path of a key in the file.
    pub(in crate::domain) fn faults(
        &self,
        at: &dyn Fn(&str) -> String,
        parties: &BTreeSet<&AgencyCode>,
        faults: &mut Vec<Fault>,
    ) {
        let mut fault = |key: &str, code, sentence: &str| faults.push(Fault::at(at(key), code, sentence));
        if !says_something(&self.plain) {
            fault("plain", "empty", "say it in one plain sentence");
        }
        if self.mode == Supply::Escrow {
            fault(
                "mode",
                "escrow",
                "escrow is weaker than asking the source, because identities would lie in the gateway before anybody \
                 approved, and it is not offered: use brokered",
            );
        }
        let is_party = |agency: &AgencyCode| parties.contains(agency);
        if !is_party(&self.requester) {
            fault("requester", "not-a-party", "the agency is not a party of this agreement");
        }
        for (key, agencies) in [("sources", &self.sources), ("approvers", &self.approvers)] {
            if agencies.is_empty() {
                fault(key, "empty", "name at least one agency");
            }
            if !agencies.iter().all(is_party) {
                fault(key, "not-a-party", "an agency is not a party of this agreement");
            }
        }
        if self.sources.contains(&self.requester) {
            fault("sources", "self", "an agency does not ask itself");
        }
        if self.approvers.contains(&self.requester) {
            fault(
                "approvers",
                "self",
                "nobody of the agency that asks approves; an office that should, such as the council's information governance, is a party under a code of its own",
            );
        }
        if !self.sources.is_subset(&self.approvers) {
            fault("approvers", "source", "every source is among the approvers: nothing is released without it");
        }
        for (key, is_empty) in [
            ("purposes", self.purposes.is_empty()),
            ("power", self.power.is_empty()),
            ("roles", self.roles.is_empty()),
            ("fields", self.fields.is_empty()),
        ] {
            if is_empty {
                fault(key, "empty", "name at least one");
            }
        }
        if !(FEWEST_APPROVALS..=MOST_APPROVALS).contains(&self.approvals) {
            fault("approvals", "range", "two to five people approve");
        }
        if !(1..=MOST_A_DAY).contains(&self.daily_ceiling) {
            fault("daily_ceiling", "range", "1 to 50 a day: people are never re-identified in bulk");
        }
        if self.power.iter().any(|code| law::plain(&law::POWERS, code.as_str()).is_none()) {
            fault("power", "unknown-power", "the register has no such legal power");
        }
        if law::plain(&law::LAWFUL_BASES, self.art6.as_str()).is_none() {
            fault("art6", "unknown-basis", "the register has no such lawful basis");
        }
        if self.conditions.iter().any(|code| law::plain(&law::CONDITIONS, code.as_str()).is_none()) {
            fault("conditions", "unknown-condition", "the register has no such condition");
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use crate::domain::agreement::AgreementText;

    const SHIPPED: &str = include_str!("../../../policies/agreements/programme-delivery.toml");

    #[test]
    fn the_shipped_agreement_has_such_a_term() {
        let text = AgreementText::parse(SHIPPED.as_bytes()).unwrap_or_else(|faults| panic!("{faults}"));
        assert_eq!(text.reidentifies().len(), 1);
        assert!(text.reidentifies()[0].sources.is_subset(&text.reidentifies()[0].approvers));
    }

    #[rstest]
    #[case::escrow("mode = \"brokered\"", "mode = \"escrow\"", "mode", "escrow")]
    #[case::one_pair_of_eyes("approvals = 2", "approvals = 1", "approvals", "range")]
    #[case::in_bulk("daily_ceiling = 10\n", "daily_ceiling = 51\n", "daily_ceiling", "range")]
    #[case::without_the_source("approvers = [\"education\", ", "approvers = [", "approvers", "source")]
    #[case::self_approval("approvers = [", "approvers = [\"programme-team\", ", "approvers", "self")]
    #[case::itself("sources = [\"education\"", "sources = [\"programme-team\", \"education\"", "sources", "self")]
    #[case::a_stranger("approvers = [", "approvers = [\"stranger\", ", "approvers", "not-a-party")]
    #[case::nothing("fields = [", "fields = [] #", "fields", "empty")]
    fn a_faulty_term_is_refused_with_its_key_and_code(
        #[case] from: &str,
        #[case] to: &str,
        #[case] key: &str,
        #[case] code: &str,
    ) {
        let (before, term) = SHIPPED.split_once("[[reidentify]]").expect("the term");
        let faulty = term.replacen(from, to, 1);
        assert_ne!(faulty, term, "the replacement must find its text");
        let faults = AgreementText::parse(format!("{before}[[reidentify]]{faulty}").as_bytes()).expect_err("faulty");
        assert!(faults.0.iter().any(|f| f.code == code && f.key == format!("reidentify[0].{key}")), "{faults}");
    }
}
