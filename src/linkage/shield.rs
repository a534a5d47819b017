//! Which records a restricted person hides.
//!
//! One agency marks a record as restricted (a refuge, an adoption, a witness) and every other
//! agency's record of that person must vanish with it. The clusters given here are made over all
//! records, whoever may see them. A mistyped number can split the person's records over several
//! clusters, so whatever shares a linking or strong token with a restricted record is hidden too,
//! and with it the whole cluster that it is in: hiding a stranger costs a question, showing the
//! person may cost a life.

use std::collections::HashSet;

use super::cluster::Cluster;
use super::record::{LinkRecord, LinkToken};
use super::rules::LinkRules;

/// For each record, whether a shield hides it: it is restricted, shares a linking or strong token
/// with a restricted one, or is in one cluster with a record that is or does.
///
/// `restricted` says it of each record by position; a missing entry counts as restricted, so that a
/// short list can never uncover anybody.
pub fn shielded<K>(
    records: &[LinkRecord<K>],
    clusters: &[Cluster],
    restricted: &[bool],
    rules: &LinkRules,
) -> Vec<bool> {
    let is_restricted = |record: usize| restricted.get(record).copied().unwrap_or(true);
    let names_a_person = |token: &&LinkToken| rules.carries_shield(token.kind);
    let hidden_tokens: HashSet<LinkToken> = (0..records.len())
        .filter(|&record| is_restricted(record))
        .flat_map(|record| records[record].tokens.iter().filter(names_a_person).copied())
        .collect();

    let mut shielded: Vec<bool> = (0..records.len())
        .map(|record| is_restricted(record) || records[record].tokens.iter().any(|token| hidden_tokens.contains(token)))
        .collect();
    // One step only: what a hidden cluster's other tokens reach is no nearer to the restricted person.
    for cluster in clusters {
        if cluster.members().iter().any(|&member| shielded[member]) {
            for &member in cluster.members() {
                shielded[member] = true;
            }
        }
    }
    shielded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::linkage::cluster::clusters;
    use crate::linkage::people::{Person, TestRecord, crowd, rules};

    fn hidden(records: &[TestRecord], restricted: &[bool]) -> Vec<bool> {
        shielded(records, &clusters(records, &rules()), restricted, &rules())
    }

    #[test]
    fn a_woman_in_a_refuge_is_hidden_under_her_old_name_and_address_too() {
        let refuge = Person::new("Demelza", "Carne", "1985-07-08").nhs("9434765919");
        let doctor = refuge.clone().postcode("TR2 2BB");
        let housing = Person::new("Demelza", "Carne", "1985-07-08").postcode("TR2 2BB"); // joined through the doctor
        let neighbour = Person::new("Loveday", "Bray", "1990-01-01").postcode("TR2 2BB");
        let records = [refuge.record(1), doctor.record(2), housing.record(3), neighbour.record(4)];

        assert_eq!(hidden(&records, &[true, false, false, false]), [true, true, true, false]);
    }

    #[test]
    fn a_mistyped_number_does_not_uncover_the_person() {
        let refuge = Person::new("Demelza", "Carne", "1985-07-08").nhs("9434765919").postcode("TR2 2BB");
        let mistyped = refuge.clone().nhs("9434765870");
        let other_date = refuge.clone().born("1985-08-07");
        let records = [refuge.record(1), mistyped.record(2), other_date.record(3)];

        assert_eq!(clusters(&records, &rules()).len(), 3);
        assert_eq!(hidden(&records, &[true, false, false]), [true; 3]);
    }

    #[test]
    fn a_mistyped_number_that_others_copied_does_not_uncover_the_person() {
        let refuge = Person::new("Demelza", "Carne", "1985-07-08").nhs("9434765919").postcode("TR2 2BB");
        let mistyped = refuge.clone().nhs("9434765870"); // shares the name and postcode with the refuge's record
        let copied = Person::new("Demelza", "Trelawny", "1985-07-08").nhs("9434765870"); // shares only the number
        let stranger = Person::new("Loveday", "Bray", "1990-01-01").nhs("9000000009");
        let records = [refuge.record(1), mistyped.record(2), copied.record(3), stranger.record(4)];

        assert_eq!(clusters(&records, &rules()).len(), 3, "the refuge's record stands alone");
        assert_eq!(hidden(&records, &[true, false, false, false]), [true, true, true, false]);
    }

    #[test]
    fn a_sibling_at_the_same_address_is_not_hidden_by_a_suggestion() {
        let adopted = Person::new("Kensa", "Pender", "2014-01-02").home("3 Bay View");
        let twin = adopted.clone().forename("Tamsyn");
        assert_eq!(hidden(&[adopted.record(1), twin.record(2)], &[true, false]), [true, false]);
    }

    #[test]
    fn a_list_that_is_too_short_uncovers_nobody() {
        let someone = Person::new("Kensa", "Pender", "2014-01-02");
        assert_eq!(hidden(&[someone.record(1), someone.record(2)], &[false]), [false, true]);
    }

    proptest! {
        #[test]
        fn a_restricted_record_shields_its_whole_cluster(
            records in crowd(20),
            restricted in proptest::collection::vec(any::<bool>(), 20)
        ) {
            let hidden = hidden(&records, &restricted);
            for cluster in clusters(&records, &rules()) {
                if cluster.members().iter().any(|&member| restricted[member]) {
                    prop_assert!(cluster.members().iter().all(|&member| hidden[member]));
                }
            }
        }

        #[test]
        fn a_person_is_hidden_whole_or_not_at_all(
            records in crowd(20),
            restricted in proptest::collection::vec(any::<bool>(), 20)
        ) {
            let hidden = hidden(&records, &restricted);
            for cluster in clusters(&records, &rules()) {
                let (some, all) = (
                    cluster.members().iter().any(|&member| hidden[member]),
                    cluster.members().iter().all(|&member| hidden[member]),
                );
                prop_assert_eq!(some, all);
            }
        }

        #[test]
        fn where_nobody_is_restricted_nobody_is_hidden(records in crowd(20)) {
            prop_assert!(!hidden(&records, &[false; 20]).contains(&true));
        }
    }
}
