//! Which log entries are disclosures, and which of these are reviewed whatever the draw says.
//!
//! **The one list.** A new entry type that tells somebody something belongs in [`DISCLOSURES`], and one
//! that nobody should ever use unseen in [`ALWAYS`] as well; nothing else has to be changed.

use crate::domain::programme::Relationship;

/// Entry types by which something about people was told, or refused. A name that ends with a dot
/// stands for every type that begins so.
pub const DISCLOSURES: &[&str] = &[
    "enquiry",
    "family.disclosure",
    "statistics",
    "match.view",
    "match.ask",
    "match.run",
    "match.run.step",
    "referral.step",
    "emergency.",
    "recall.",
    "reident.",
    "reidentification.",
    "subject.",
];

/// Entry types of which every single entry is reviewed: emergency enquiries, requests of the people in
/// the data, re-identifications. A name that ends with a dot stands for every type that begins so.
pub const ALWAYS: &[&str] = &["emergency.", "reident.", "reidentification.", "subject.access", "subject.request"];

/// Relationships with the same consequence, whatever the entry's type.
pub const ALWAYS_RELATIONSHIPS: &[Relationship] = &[Relationship::Emergency];

/// Exports of the log are disclosures when openings went with them; other looks show nobody.
pub const EXPORT: (&str, &str) = ("log.access", "export");

/// Whether an entry of a type is a disclosure. `action` is the entry's field of that name.
pub fn is_disclosure(kind: &str, action: Option<&str>) -> bool {
    is_listed(kind, DISCLOSURES) || (kind == EXPORT.0 && action == Some(EXPORT.1))
}

/// Whether an entry is reviewed whatever the draw says.
pub fn is_always_reviewed(kind: &str, relationship: Option<&str>) -> bool {
    let has_relationship = |known: &Relationship| relationship == Some(known.as_str());
    is_listed(kind, ALWAYS) || ALWAYS_RELATIONSHIPS.iter().any(has_relationship)
}

/// Whether a list of types, or of beginnings of types, holds a type.
pub fn is_listed(kind: &str, list: &[&str]) -> bool {
    list.iter().any(|listed| if listed.ends_with('.') { kind.starts_with(listed) } else { kind == *listed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_always_reviewed_is_a_disclosure() {
        for listed in ALWAYS {
            let kind = if listed.ends_with('.') { format!("{listed}any") } else { (*listed).to_owned() };
            assert!(is_disclosure(&kind, None) && is_always_reviewed(&kind, None), "{kind}");
        }
    }

    #[test]
    fn an_emergency_is_always_reviewed_and_an_open_case_is_left_to_the_draw() {
        assert!(is_always_reviewed("enquiry", Some("emergency")));
        assert!(is_always_reviewed("family.disclosure", Some("emergency")));
        assert!(!is_always_reviewed("enquiry", Some("open_case")) && !is_always_reviewed("enquiry", None));
    }

    #[test]
    fn a_delivery_is_no_disclosure_and_of_looks_at_the_log_only_an_export() {
        assert!(!is_disclosure("submission", None) && !is_disclosure("enquiryx", None));
        assert!(!is_disclosure("log.access", Some("read")) && is_disclosure("log.access", Some("export")));
        assert!(!is_disclosure("review.step", Some("export")));
    }
}
