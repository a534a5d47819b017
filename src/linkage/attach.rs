//! Which person an enquiry is about.
//!
//! An enquiry brings tokens of its own, like a record. It is about the person whose cluster it
//! would join: it shares a token of a linking kind with one of the records and conflicts with
//! none of them. When several clusters qualify, the one reached by a strictly stronger rank is
//! meant: a shared NHS number outweighs a shared name and postcode, exactly as in clustering. When
//! the strongest rank reaches two, nobody is meant. Clustering had its reasons to keep the two
//! apart, so picking either would be a guess that answers a practitioner with another family's
//! affairs; "nobody" costs a further question with a better identifier. The caller cannot tell
//! the two kinds of nobody apart, for the same reason that no answer says how many matched.

use std::collections::HashSet;

use super::cluster::Cluster;
use super::conflict::ConflictProfile;
use super::record::{LinkRecord, LinkToken};
use super::rules::LinkRules;

/// The person that an enquiry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attachment {
    /// Position of the person in the list of clusters.
    pub cluster: usize,
    /// The strongest rank at which the enquiry reaches the person.
    pub rank: u16,
}

/// Finds the person that an enquiry with these tokens is about; `None` for nobody.
pub fn attach<K>(
    tokens: &[LinkToken],
    records: &[LinkRecord<K>],
    clusters: &[Cluster],
    rules: &LinkRules,
) -> Option<Attachment> {
    let profile = ConflictProfile::of(tokens, rules);
    let tokens: HashSet<LinkToken> = tokens.iter().copied().collect();
    let reached = |cluster: &Cluster| -> Option<u16> {
        let held = cluster.members().iter().flat_map(|&member| &records[member].tokens);
        let rank = held.filter(|token| tokens.contains(token)).filter_map(|token| rules.rank(token.kind)).min()?;
        let conflicts =
            |&member: &usize| profile.conflicts_with(&ConflictProfile::of(&records[member].tokens, rules), rules);
        (!cluster.members().iter().any(conflicts)).then_some(rank)
    };

    let mut best: Option<Attachment> = None;
    let mut is_tied = false;
    for (position, cluster) in clusters.iter().enumerate() {
        let Some(rank) = reached(cluster) else { continue };
        match best {
            Some(other) if other.rank < rank => {}
            Some(other) if other.rank == rank => is_tied = true,
            _ => {
                best = Some(Attachment { cluster: position, rank });
                is_tied = false;
            }
        }
    }
    best.filter(|_| !is_tied)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::linkage::cluster::clusters;
    use crate::linkage::people::{Person, TestRecord, crowd, rules};

    /// The keys of the person whom an enquiry is about.
    fn about(tokens: &[LinkToken], records: &[TestRecord]) -> Option<Vec<u32>> {
        let clusters = clusters(records, &rules());
        let attachment = attach(tokens, records, &clusters, &rules())?;
        Some(clusters[attachment.cluster].members().iter().map(|&member| records[member].key).collect())
    }

    #[test]
    fn an_enquiry_about_one_of_two_twins_needs_to_say_which() {
        let twin = Person::new("J", "Trelawny", "2012-03-04").home("1 Fore Street");
        let (first, second) = (twin.clone().nhs("9434765919"), twin.clone().nhs("9434765870"));
        let records = [first.record(1), second.record(2)];

        assert_eq!(about(&twin.tokens(), &records), None);
        assert_eq!(about(&second.tokens(), &records), Some(vec![2]));
    }

    #[test]
    fn a_number_outweighs_a_name() {
        let by_number = Person::new("Kensa", "Carne", "2014-01-02").nhs("9434765919");
        let by_name = Person::new("Kensa", "Pender", "2014-01-02").postcode("TR3 3CC");
        let records = [by_name.record(1), by_number.record(2)];

        assert_eq!(about(&by_name.clone().nhs("9434765919").tokens(), &records), Some(vec![2]));
        assert_eq!(about(&by_name.tokens(), &records), Some(vec![1]));
    }

    #[test]
    fn another_date_of_birth_under_the_same_number_reaches_nobody() {
        let child = Person::new("Kensa", "Pender", "2014-01-02").nhs("9434765919");
        assert_eq!(about(&child.clone().born("2016-01-02").tokens(), &[child.record(1)]), None);
    }

    #[test]
    fn a_suggestion_or_a_shared_home_reaches_nobody() {
        let child = Person::new("Kensa", "Pender", "2014-01-02").home("3 Bay View");
        assert_eq!(about(&child.clone().forename("Tamsyn").tokens(), &[child.record(1)]), None);
        assert_eq!(about(&[], &[child.record(1)]), None);
    }

    proptest! {
        #[test]
        fn the_order_of_records_never_changes_who_is_meant(
            enquiry in crowd(2),
            (records, shuffled) in crowd(16).prop_flat_map(|r| (Just(r.clone()), Just(r).prop_shuffle()))
        ) {
            let tokens: Vec<LinkToken> = enquiry.into_iter().flat_map(|record| record.tokens).collect();
            prop_assert_eq!(about(&tokens, &records), about(&tokens, &shuffled));
        }
    }
}
