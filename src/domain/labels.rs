//! Every domain-separation label of the product, once each.
//!
//! Two uses never share both key and label, and no label is a prefix of another.

/// HKDF salt of the programme's type keys.
pub const PROGRAMME: &str = "porth/v1/programme";
/// HKDF info of a type key.
pub const TOKEN_KEY: &str = "porth/v1/token-key";
/// A token over a normalised value.
pub const TOKEN: &str = "porth/v1/token";
/// The key check of a type key.
pub const KEY_CHECK: &str = "porth/v1/kcv";
/// The gateway's blinding of a token.
pub const BLIND: &str = "porth/v1/blind";
/// Another layer of blinding over a stored token, when the blinding key is replaced.
pub const RESTACK: &str = "porth/v1/restack";
/// The same over a tag of the subject index.
pub const TAG_RESTACK: &str = "porth/v1/tag-restack";
/// The token of two records about which something was decided.
pub const PAIR: &str = "porth/v1/pair";
/// A recipient's pseudonym of a person.
pub const PSEUDONYM: &str = "porth/v1/psn";
/// A recipient's own reference of a family.
pub const FAMILY_REFERENCE: &str = "porth/v1/family-ref";
/// An agency's own reference of one of its records.
pub const RECORD_REFERENCE: &str = "porth/v1/record-ref";
/// An agency's own reference of a case.
pub const CASE_REFERENCE: &str = "porth/v1/case-ref";
/// An agency's own reference of one of its users.
pub const USER_REFERENCE: &str = "porth/v1/user-ref";
/// The per-row key of a sealed database field.
pub const FIELD: &str = "porth/v1/field";
/// The wrapping key of a gateway secret under the key-encryption key.
pub const WRAP: &str = "porth/v1/wrap";
/// A salted commitment in a log entry.
pub const COMMITMENT: &str = "porth/v1/commitment";
/// The sealed shield opening of a log entry.
pub const SHIELD_OPENING: &str = "porth/v1/shield-opening";
/// What the log calls a person who signs in to the console.
pub const CONSOLE_ACCOUNT: &str = "porth/v1/console-account";
/// What stands in a request to learn who somebody is for a person, or a piece of work, of the console.
pub const CONSOLE_REFERENCE: &str = "porth/v1/console-reference";
/// What stands for somebody on the pages of one session of the console.
pub const PAGE_HANDLE: &str = "porth/v1/page-handle";
/// Whom such a handle stands for, sealed.
pub const HANDLE_SUBJECT: &str = "porth/v1/handle-subject";
/// The index tag under which a person's log entries are found.
pub const SUBJECT_INDEX: &str = "porth/v1/subject-index";
/// The index tag under which the log entries that rested on a record are found.
pub const RECORD_INDEX: &str = "porth/v1/record-index";
/// What a source controller answers in a case of a person's rights, sealed to the case's own key.
pub const SUBJECT_REPLY: &str = "porth/v1/subject-reply";
/// The part of such a case that is for the shield officers.
pub const SUBJECT_SHIELD: &str = "porth/v1/subject-shield";
/// The tag that a reply is stored under for idempotent replay.
pub const IDEMPOTENCY: &str = "porth/v1/idempotency";

/// The tag under which statistics remember a record from one release to the next.
pub const STATISTICS_RECORD: &str = "porth/v1/statistics-record";
/// The digest by which a delivered file is known again.
pub const FILE_DIGEST: &str = "porth/v1/file-digest";
/// The sealed linkage keys that a custodian sends to an agency.
pub const LINKAGE_GRANT: &str = "porth/v1/linkage-grant";
/// What an agency asks for when it joins.
pub const JOIN_REQUEST: &str = "porth/v1/join-request";
/// A record's evidence for match runs, sealed to their key.
pub const PROFILE_BLOB: &str = "porth/v1/profile-blob";
/// The tag by which weighing knows a record that has not changed.
pub const WEIGHED_RECORD: &str = "porth/v1/weighed-record";

/// The hash over the tokens of the test people.
pub const TEST_PEOPLE: &str = "porth/v1/test-people";

/// HKDF info of the key of fuzzy encodings.
pub const FUZZY_KEY: &str = "porth/v1/fuzzy-key";
/// Where a piece of a field stands in a fuzzy encoding.
pub const CLK: &str = "porth/v1/clk";

/// The ticket of a disclosure in the draw of a review.
pub const REVIEW_DRAW: &str = "porth/v1/review-draw";
/// The tag of a reviewing officer's own reference as a user.
pub const REVIEW_USER: &str = "porth/v1/review-user";
/// The tag of a decoy's record.
pub const ALERT_DECOY: &str = "porth/v1/alert-decoy";

/// The identity that a source seals to whoever may learn it.
pub const ENVELOPE: &str = "porth/v1/envelope";
/// A vote on a request to re-identify.
pub const REID_VOTE: &str = "porth/v1/reid-vote";
/// The gateway's certificate that a request may be answered.
pub const REID_CERTIFICATE: &str = "porth/v1/reid-certificate";
/// A source's signature under what it sealed.
pub const REID_ANSWER: &str = "porth/v1/reid-answer";
/// The countersigned receipt of an opened identity.
pub const REID_RECEIPT: &str = "porth/v1/reid-receipt";
/// Whom a request is about, hidden from all but the requester.
pub const REID_SUBJECT: &str = "porth/v1/reid-subject";
/// Whose a key for re-identification is: what its id is made of.
pub const REID_CARD: &str = "porth/v1/reid-card";
/// Which of its records a source approved, hidden from all but the source.
pub const REID_RECORD: &str = "porth/v1/reid-record";

/// All of them, for the test below and for the documentation.
pub const ALL: [&str; 46] = [
    PROGRAMME,
    TOKEN_KEY,
    TOKEN,
    KEY_CHECK,
    BLIND,
    RESTACK,
    TAG_RESTACK,
    PAIR,
    PSEUDONYM,
    FAMILY_REFERENCE,
    RECORD_REFERENCE,
    CASE_REFERENCE,
    USER_REFERENCE,
    FIELD,
    WRAP,
    COMMITMENT,
    SHIELD_OPENING,
    CONSOLE_ACCOUNT,
    CONSOLE_REFERENCE,
    PAGE_HANDLE,
    HANDLE_SUBJECT,
    SUBJECT_INDEX,
    RECORD_INDEX,
    SUBJECT_REPLY,
    SUBJECT_SHIELD,
    IDEMPOTENCY,
    STATISTICS_RECORD,
    FILE_DIGEST,
    LINKAGE_GRANT,
    JOIN_REQUEST,
    TEST_PEOPLE,
    PROFILE_BLOB,
    WEIGHED_RECORD,
    FUZZY_KEY,
    CLK,
    REVIEW_DRAW,
    REVIEW_USER,
    ALERT_DECOY,
    ENVELOPE,
    REID_VOTE,
    REID_CERTIFICATE,
    REID_ANSWER,
    REID_RECEIPT,
    REID_SUBJECT,
    REID_CARD,
    REID_RECORD,
];

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn no_label_but_the_published_token_pair_is_a_prefix_of_another() {
        // `pt1` fixes "porth/v1/token" (HMAC message) and "porth/v1/token-key" (HKDF info): they are
        // used with different keys and constructions, and the byte after "token" is a length there.
        let published = ("porth/v1/token", "porth/v1/token-key");
        for a in ALL {
            for b in ALL {
                assert!(a == b || (a, b) == published || !b.starts_with(a), "{a} is a prefix of {b}");
            }
        }
    }
}
