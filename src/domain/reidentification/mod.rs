//! Re-identification: the data team learns who a pseudonymous person is, because officers and the
//! agency that holds the identity signed for it, and in no other way.
//!
//! | file | what lives there |
//! |---|---|
//! | [`term`] | the term of an agreement that allows it |
//! | [`request`] | the canonical request, over whose hash everybody signs |
//! | [`vote`] | an officer's signed approval, refusal or withdrawal |
//! | [`certificate`] | the release certificate, the answer's signature and the receipt, as bytes to sign |
//! | [`binding`] | hashes that stand for subject and record, and what an envelope is bound to |
//! | [`identity`] | what an envelope holds |
//! | [`refusal`] | why a step is refused, one code each |
//! | [`state`] | where a request is, and where it may go |

pub mod binding;
pub mod certificate;
pub mod identity;
pub mod refusal;
pub mod request;
pub mod state;
pub mod term;
pub mod vote;

use serde::{Deserialize, Serialize};

/// What of an identity may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// Forenames and surname.
    Names,
    /// Date of birth.
    DateOfBirth,
    /// Present address.
    Address,
    /// Telephone or e-mail.
    Contact,
    /// The source's own number of the case.
    CaseReference,
}

impl Field {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Names, Self::DateOfBirth, Self::Address, Self::Contact, Self::CaseReference];

    /// The name in files and requests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Names => "names",
            Self::DateOfBirth => "date_of_birth",
            Self::Address => "address",
            Self::Contact => "contact",
            Self::CaseReference => "case_reference",
        }
    }
}

impl std::str::FromStr for Field {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|field| field.as_str() == text);
        found.ok_or("use names, date_of_birth, address, contact or case_reference")
    }
}

impl std::fmt::Display for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How much time there is. In an emergency two signatures are still needed, one of them the source's;
/// what is relaxed is who may be the second, and the review is on the same day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Handling {
    /// The agreement's approvers, as many as it says, within three days.
    Ordinary,
    /// Two signatures of officers of any party, within four hours.
    Emergency,
}

impl Handling {
    /// The name in requests and log entries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ordinary => "ordinary",
            Self::Emergency => "emergency",
        }
    }

    /// The longest that such a request may wait, in hours.
    pub const fn longest_hours(self) -> u32 {
        match self {
            Self::Ordinary => 72,
            Self::Emergency => 4,
        }
    }
}
