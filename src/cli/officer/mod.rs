//! Commands of information-governance officers: straight to the database by the configuration file, each
//! step an entry of the log under the officer's account. Where a holder has the same thing to do, the
//! command takes its connection file and goes through the API.
//!
//! | file | what |
//! |---|---|
//! | [`recall`] | a wrong match or delivery is recalled, and followed until everybody has acknowledged |
//! | [`incident`] | a breach is recorded, assessed, decided, closed, and packed for whoever is notified |
//! | [`emergency`] | emergency enquiries are reviewed |
//! | [`not_to_share`] | a decision not to share is recorded |
//! | [`review`] | disclosures are sampled and reviewed for their legal basis |
//! | [`alerts`] | warnings are read, closed or escalated |

#![allow(clippy::trivially_copy_pass_by_ref, reason = "every command takes its output the same way")]

pub mod alerts;
pub mod emergency;
pub mod incident;
pub mod not_to_share;
pub mod recall;
pub mod review;

use crate::domain::claim::RecordName;
use crate::domain::ids::OpaqueRef;

/// Reads `agency/feed/reference`.
fn parse_record(text: &str) -> Result<RecordName, String> {
    let mut parts = text.splitn(3, '/');
    let (Some(agency), Some(feed), Some(reference)) = (parts.next(), parts.next(), parts.next()) else {
        return Err("write it as agency/feed/reference".to_owned());
    };
    Ok(RecordName {
        agency: agency.parse().map_err(|_| "the first part is no agency's code")?,
        feed: feed.parse().map_err(|_| "the second part is no feed's code")?,
        reference: OpaqueRef::parse(reference).map_err(|error| error.to_string())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_an_agency_a_feed_and_a_reference_and_a_fault_repeats_none_of_them() {
        let record = parse_record("education/attendance/AAAAAAAAAAAAAAAAAAAAAA").expect("three parts");
        assert_eq!((record.agency.as_str(), record.feed.as_str()), ("education", "attendance"));
        for bad in ["education/attendance", "a b/c/AAAAAAAAAAAAAAAAAAAAAA", "a/b/Jowan Trelawny"] {
            assert!(parse_record(bad).is_err_and(|error| !error.contains("Jowan")), "{bad}");
        }
    }
}
