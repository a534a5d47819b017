//! Which log entries are disclosures, and which of these are reviewed whatever the draw says.
//!
//! **The one list.** A new entry type that tells somebody something belongs in [`DISCLOSURES`], and one
//! that nobody should ever use unseen in [`ALWAYS`] as well; nothing else has to be changed.

use crate::domain::programme::Relationship;

/// Entry types by which something about people was told, or refused.
pub const DISCLOSURES: &[&str] = &[
    "enquiry",
    "family.disclosure",
    "statistics",
    "match.view",
    "match.ask",
    "match.run",
    "match.run.step",
    "referral.step",
    "recall.notice",
    "subject.case",
];

/// A type of entry, and which of its actions are meant; all of them when none is named.
pub type Listed = (&'static str, &'static [&'static str]);

/// Entry types of which every single entry is reviewed: what was read of somebody under a right of theirs.
pub const ALWAYS: &[Listed] = &[("subject.case", &["opened", "data-read", "collected", "shield-read"])];

/// Relationships with the same consequence, whatever the entry's type.
pub const ALWAYS_RELATIONSHIPS: &[Relationship] = &[Relationship::Emergency];

/// Exports of the log are disclosures when openings went with them; other looks show nobody.
pub const EXPORT: (&str, &str) = ("log.access", "export");

/// Whether an entry of a type is a disclosure. `action` is the entry's field of that name.
pub fn is_disclosure(kind: &str, action: Option<&str>) -> bool {
    DISCLOSURES.contains(&kind) || (kind == EXPORT.0 && action == Some(EXPORT.1))
}

/// Whether an entry is reviewed whatever the draw says.
pub fn is_always_reviewed(kind: &str, action: Option<&str>, relationship: Option<&str>) -> bool {
    let has_relationship = |known: &Relationship| relationship == Some(known.as_str());
    is_listed((kind, action), ALWAYS) || ALWAYS_RELATIONSHIPS.iter().any(has_relationship)
}

/// Whether a list of types and actions holds an entry of this type and action.
pub fn is_listed((kind, action): (&str, Option<&str>), list: &[Listed]) -> bool {
    let is_meant = |actions: &[&str]| actions.is_empty() || action.is_some_and(|action| actions.contains(&action));
    list.iter().any(|(listed, actions)| *listed == kind && is_meant(actions))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_always_reviewed_is_a_disclosure() {
        for (kind, actions) in ALWAYS {
            let action = actions.first().copied();
            assert!(is_disclosure(kind, action) && is_always_reviewed(kind, action, None), "{kind}");
        }
        assert!(!is_always_reviewed("subject.case", Some("decided"), None), "nothing is read by that");
    }

    #[test]
    fn an_emergency_is_always_reviewed_and_an_open_case_is_left_to_the_draw() {
        assert!(is_always_reviewed("enquiry", None, Some("emergency")));
        assert!(is_always_reviewed("family.disclosure", None, Some("emergency")));
        assert!(!is_always_reviewed("enquiry", None, Some("open_case")) && !is_always_reviewed("enquiry", None, None));
    }

    #[test]
    fn a_delivery_is_no_disclosure_and_of_looks_at_the_log_only_an_export() {
        assert!(!is_disclosure("submission", None) && !is_disclosure("enquiryx", None));
        assert!(!is_disclosure("log.access", Some("read")) && is_disclosure("log.access", Some("export")));
        assert!(!is_disclosure("review.step", Some("export")));
    }
}
