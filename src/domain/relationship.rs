//! Why an agency asks, and what kind of danger an emergency is.

use serde::{Deserialize, Serialize};

/// Why an agency asks about this family now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Relationship {
    /// The family is a case of the asker.
    OpenCase,
    /// Somebody referred the family to the asker.
    Referral,
    /// The asker screens a list.
    Screening,
    /// A statute obliges the asker to enquire.
    StatutoryEnquiry,
    /// Somebody is in danger; every use raises an alert.
    Emergency,
}

impl Relationship {
    /// All relationships, in order.
    pub const ALL: [Self; 5] =
        [Self::OpenCase, Self::Referral, Self::Screening, Self::StatutoryEnquiry, Self::Emergency];

    /// The word in files, requests and the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenCase => "open_case",
            Self::Referral => "referral",
            Self::Screening => "screening",
            Self::StatutoryEnquiry => "statutory_enquiry",
            Self::Emergency => "emergency",
        }
    }
}

/// What kind of danger an emergency enquiry is made in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Danger {
    /// Somebody's life is in danger.
    Life,
    /// A child may be seriously harmed now.
    Child,
    /// An adult at risk may be seriously harmed now.
    Adult,
    /// Somebody is missing and may be in danger.
    Missing,
}

impl Danger {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::Life, Self::Child, Self::Adult, Self::Missing];

    /// The word in requests and the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Life => "life",
            Self::Child => "child",
            Self::Adult => "adult",
            Self::Missing => "missing",
        }
    }
}
