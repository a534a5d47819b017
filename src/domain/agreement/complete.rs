//! What a new text has to say beyond what a text needs to be read.
//!
//! The form of an agreement grew after the first texts were signed, and a signed text never changes; so a
//! text without the newer fields is read and keeps its force. A text that is put forward now is held to
//! the whole form.

use std::collections::BTreeSet;

use super::{AgreementText, Item, PartyRole};
use crate::domain::policy_file::{Fault, says_something};

impl AgreementText {
    /// The fields of the form that the text lacks or leaves empty.
    pub fn missing(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut lacks = |key: String, sentence: &str| faults.push(Fault::at(key, "incomplete", sentence));
        for (n, party) in self.parties().iter().enumerate() {
            if !party.contact.as_deref().is_some_and(says_something) {
                lacks(format!("party[{n}].contact"), "say where the people are reached who run the flow");
            }
        }
        let is_joint = |role: &PartyRole| *role == PartyRole::JointController;
        let any_joint = self.parties().iter().any(|party| is_joint(&party.role) || party.stages.values().any(is_joint));
        let law = self.law();
        if any_joint && !law.article_26.as_deref().is_some_and(says_something) {
            lacks("law.article_26".to_owned(), "joint controllers need an arrangement under Article 26: name it");
        }
        if !law.article_14.as_deref().is_some_and(says_something) {
            lacks("law.article_14".to_owned(), "say which controller tells the people concerned within a month");
        }
        if self.listed_items().iter().any(|item| !self.handling().keep_months.contains_key(item)) {
            lacks("handling.keep_months".to_owned(), "say for how many months each item of the terms is kept");
        }
        faults
    }

    /// Every item that a term lists.
    pub fn listed_items(&self) -> BTreeSet<&Item> {
        let supplied = self.supplies().iter().flat_map(|term| &term.items);
        supplied.chain(self.receives().iter().flat_map(|clause| &clause.items)).collect()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const SHIPPED: &str = include_str!("../../../policies/agreements/early-help-core.toml");

    fn missing(text: &str) -> Vec<String> {
        let text = AgreementText::parse(text.as_bytes()).unwrap_or_else(|faults| panic!("{faults}"));
        text.missing().into_iter().map(|fault| fault.key).collect()
    }

    #[test]
    fn a_shipped_text_lacks_nothing() {
        assert_eq!(missing(SHIPPED), Vec::<String>::new());
    }

    #[rstest]
    #[case::contact("contact = \"Telephone", "# ", "party[0].contact")]
    #[case::arrangement("article_26 =", "# ", "law.article_26")]
    #[case::notice("article_14 =", "# ", "law.article_14")]
    #[case::item("A1 = ", "# ", "handling.keep_months")]
    fn a_text_without_a_field_is_read_and_the_field_is_named(
        #[case] line: &str,
        #[case] comment: &str,
        #[case] key: &str,
    ) {
        let changed = SHIPPED.replacen(line, &format!("{comment}{line}"), 1);
        assert_ne!(changed, SHIPPED, "the replacement must find its text");
        assert_eq!(missing(&changed), [key]);
    }
}
