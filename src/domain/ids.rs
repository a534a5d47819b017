//! Identifiers: the short codes that files, agreements and log entries use, and random ids.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why a text is not an identifier. Names the kind of identifier, never the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a well-formed {kind}: {rule}")]
pub struct IdError {
    /// What kind of identifier was expected.
    pub kind: &'static str,
    /// The rule that it breaks, in words.
    pub rule: &'static str,
}

const CODE_RULE: &str = "1 to 64 letters, digits, '-', '_' or '.', starting with a letter or digit";

fn is_code(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.as_bytes()[0].is_ascii_alphanumeric()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $kind:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Parses the code.
            ///
            /// # Errors
            ///
            /// [`IdError`] unless it is 1 to 64 letters, digits, `-`, `_` or `.`, starting with a
            /// letter or digit.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                if is_code(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(IdError { kind: $kind, rule: CODE_RULE })
                }
            }

            /// The code as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }
        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::parse(&text)
            }
        }
        impl From<$name> for String {
            fn from(code: $name) -> Self {
                code.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

codes! {
    /// A linkage domain: owns criteria, match keys and the linkage key.
    ProgrammeCode = "programme code";
    /// A partner agency.
    AgencyCode = "agency code";
    /// One stream of an agency's submissions, such as `attendance`.
    FeedCode = "feed code";
    /// An information-sharing agreement, without its version.
    AgreementCode = "agreement code";
    /// A supply term or a receive clause inside an agreement.
    TermCode = "term code";
    /// What an answer is asked for, from the programme's list.
    PurposeCode = "purpose code";
    /// A criteria area, such as `A2`.
    AreaCode = "area code";
    /// A criterion inside an area, such as `E1`.
    CriterionCode = "criterion code";
    /// The type of a token: a strong identifier or a match key, such as `nhs` or `k3`.
    TokenType = "token type";
    /// A part of the programme's district.
    LocalityCode = "locality code";
    /// A team of an agency that can be contacted, from the agency's file.
    TeamRoute = "team route";
    /// The role in which a person of the recipient asks.
    RoleCode = "role code";
    /// Why something was decided, such as `moved-house`.
    ReasonCode = "reason code";
    /// A statute that permits a flow, such as `WRA2012-s131`.
    PowerCode = "legal power code";
    /// A lawful basis or condition, such as `6-1-e`.
    BasisCode = "lawful basis code";
}

/// One version of an information-sharing agreement, written `tff-schools-2026/v3`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AgreementRef {
    /// Which agreement.
    pub id: AgreementCode,
    /// Which signed text of it, from 1.
    pub version: u32,
}

impl FromStr for AgreementRef {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let malformed = IdError { kind: "agreement reference", rule: "an agreement code, '/v' and a version from 1" };
        let (id, version) = text.split_once("/v").ok_or(malformed)?;
        let id = AgreementCode::parse(id).map_err(|_| malformed)?;
        let well_formed =
            version.len() <= 9 && version.bytes().all(|b| b.is_ascii_digit()) && !version.starts_with('0');
        let version = version.parse().ok().filter(|_| well_formed).ok_or(malformed)?;
        Ok(Self { id, version })
    }
}
impl TryFrom<String> for AgreementRef {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}
impl From<AgreementRef> for String {
    fn from(agreement: AgreementRef) -> Self {
        agreement.to_string()
    }
}
impl fmt::Display for AgreementRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/v{}", self.id, self.version)
    }
}

/// A reference that an agency makes with an HMAC key only it holds: 22 base64url characters.
///
/// Records, cases and users are named towards the gateway in this form. `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OpaqueRef(String);

impl OpaqueRef {
    /// Parses 22 base64url characters that decode to 16 bytes with no stray bits.
    ///
    /// # Errors
    ///
    /// [`IdError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let error =
            IdError { kind: "opaque reference", rule: "22 base64url characters as `porth tokenise` makes them" };
        if text.len() != 22 || crate::domain::token::decode_base64url::<16>(text).is_none() {
            return Err(error);
        }
        Ok(Self(text.to_owned()))
    }

    /// The 22 characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl TryFrom<String> for OpaqueRef {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        Self::parse(&text)
    }
}
impl From<OpaqueRef> for String {
    fn from(reference: OpaqueRef) -> Self {
        reference.0
    }
}
impl fmt::Debug for OpaqueRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpaqueRef(redacted)")
    }
}

macro_rules! random_ids {
    ($($(#[$doc:meta])* $name:ident = $kind:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a version 7 UUID made by the caller.
            pub fn new(id: Uuid) -> Self {
                Self(id)
            }
            /// The 16 bytes as stored.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
            /// Reads the 16 bytes as stored.
            ///
            /// # Errors
            ///
            /// [`IdError`] unless there are 16 bytes.
            pub fn from_slice(bytes: &[u8]) -> Result<Self, IdError> {
                Uuid::from_slice(bytes).map(Self).map_err(|_| IdError { kind: $kind, rule: "16 bytes" })
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::parse_str(text).map(Self).map_err(|_| IdError { kind: $kind, rule: "a UUID" })
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }
    )*};
}

random_ids! {
    /// A log entry: a disclosure, refusal or event.
    EventId = "event id";
    /// One delivery of a feed.
    SubmissionId = "submission id";
    /// Many questions handed over at once.
    ScreeningId = "screening id";
    /// Sealed linkage keys on their way to an agency.
    GrantId = "grant id";
    /// A referral on its way.
    ReferralId = "referral id";
    /// Two records about which something was decided or proposed.
    PairId = "pair id";
    /// A record of an agency's own that it is asked to verify.
    PossibleMatchId = "possible match id";
    /// A match run.
    MatchRunId = "match run id";
    /// Something in an agency's inbox.
    NoticeId = "notice id";
    /// A wrong match or delivery that is being recalled.
    RecallId = "recall id";
    /// A breach, or something else that went wrong.
    IncidentId = "incident id";
    /// A case of a person's rights.
    SubjectCaseId = "case number";
    /// A source controller's part of such a case.
    SubjectPartId = "part number";
    /// A complaint in the register.
    ComplaintId = "complaint number";
    /// A freeze on deletion.
    LegalHoldId = "legal hold number";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_short_plain_and_starts_with_a_letter_or_digit() {
        for good in ["a", "early-help-hub", "A2", "k3", "WRA2012-s131", "6-1-e", "x.y_z"] {
            assert!(AgencyCode::parse(good).is_ok(), "{good}");
        }
        let long = "a".repeat(65);
        for bad in ["", "-a", "a b", "a/b", "é", "a\n", long.as_str()] {
            assert!(AgencyCode::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_agreement_reference_reads_back_as_written() {
        let text = "tff-schools-2026/v3";
        let parsed: AgreementRef = text.parse().expect("well-formed");
        assert_eq!(parsed.version, 3);
        assert_eq!(parsed.to_string(), text);
        for bad in ["tff", "tff/v", "tff/v0", "tff/v03", "tff/v+1", "/v1", "tff/v1/v2", "tff/v9999999999"] {
            assert!(bad.parse::<AgreementRef>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_error_never_repeats_the_text() {
        let error = AgencyCode::parse("Jowan Trelawny, 1 Fore Street").expect_err("spaces");
        assert!(!error.to_string().contains("Jowan"));
        let error = OpaqueRef::parse("Jowan Trelawny, Fore St").expect_err("not base64url");
        assert!(!error.to_string().contains("Jowan"));
        assert_eq!(format!("{:?}", OpaqueRef::parse("AAAAAAAAAAAAAAAAAAAAAA").expect("22")), "OpaqueRef(redacted)");
    }
}
