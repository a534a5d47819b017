//! What the programme team asks and decides about families. Numbers travel in bodies only.

use serde::{Deserialize, Serialize};

use crate::domain::agreement::AnswerMode;
use crate::domain::family::{IdentificationRoute, RecordName};
use crate::domain::ids::{
    AgencyCode, AgreementRef, OpaqueRef, ProgrammeCode, PurposeCode, ReasonCode, RoleCode, TeamRoute,
};
use crate::domain::programme::Relationship;
use crate::domain::tfid::Tfid;
use crate::domain::time::Month;

/// Under what families are looked at: everything but the family and the form of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FamilyTerms {
    /// The programme.
    #[schema(value_type = String)]
    pub programme: ProgrammeCode,
    /// The agreement whose receive clause lets the team ask.
    #[schema(value_type = String, example = "programme-delivery/v1")]
    pub agreement: AgreementRef,
    /// What for; families are changed for `programme-delivery` alone.
    #[schema(value_type = String, example = "programme-delivery")]
    pub purpose: PurposeCode,
    /// On the strength of which relationship.
    #[schema(value_type = String, example = "screening")]
    pub relationship: Relationship,
    /// The role in which the asking person acts.
    #[schema(value_type = String, example = "data-analyst")]
    pub role: RoleCode,
    /// The team's own keyed reference of the piece of work.
    #[schema(value_type = String)]
    pub case: OpaqueRef,
    /// The team's own keyed reference of the person who asks.
    #[schema(value_type = String)]
    pub user: OpaqueRef,
}

/// A family is looked up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FamilyLookup {
    /// Under what.
    pub terms: FamilyTerms,
    /// In which form: `count`, `areas`, `criteria`, or `lead` for who leads and who works with it.
    #[schema(value_type = String, example = "areas")]
    pub mode: AnswerMode,
    /// The family's number.
    #[schema(value_type = String, example = "TF-0000-0000-0000-0011")]
    pub tfid: Tfid,
}

/// Something is decided about families.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FamilyDecision {
    /// Under what.
    pub terms: FamilyTerms,
    /// In which form the evidence is looked at: `count`, `areas` or `criteria`.
    #[schema(value_type = String, example = "count")]
    pub mode: AnswerMode,
    /// Why, as a code.
    #[schema(value_type = String, example = "match-2026-11")]
    pub reason: ReasonCode,
    /// What.
    pub decision: Decision,
}

/// What is decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Decision {
    /// Candidate families get numbers, each for itself.
    Issue {
        /// How they were found.
        route: IdentificationRoute,
        /// Each candidate's records.
        candidates: Vec<Vec<RecordName>>,
    },
    /// The family is attached to the programme: enough areas are met, and its data are validated.
    Attach {
        /// The family's number.
        #[schema(value_type = String)]
        tfid: Tfid,
        /// Whether the validations of its data are done.
        validated: bool,
    },
    /// More records belong to the family.
    Add {
        /// The family's number.
        #[schema(value_type = String)]
        tfid: Tfid,
        /// The records.
        records: Vec<RecordName>,
    },
    /// Two families are one.
    Merge {
        /// The number that stays.
        #[schema(value_type = String)]
        into: Tfid,
        /// The number that leads to it from now on.
        #[schema(value_type = String)]
        from: Tfid,
    },
    /// Some of the family's people are a family of their own, under a new number.
    Split {
        /// The family's number, which the others keep.
        #[schema(value_type = String)]
        tfid: Tfid,
        /// The handles of those who leave, from a lookup.
        people: Vec<String>,
    },
}

/// Who leads for a family is noted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FamilyLead {
    /// Under what.
    pub terms: FamilyTerms,
    /// In which form areas are looked at for the alert: `count`, `areas` or `criteria`.
    #[schema(value_type = String, example = "count")]
    pub mode: AnswerMode,
    /// Why, as a code.
    #[schema(value_type = String, example = "allocation-panel")]
    pub reason: ReasonCode,
    /// The family's number.
    #[schema(value_type = String)]
    pub tfid: Tfid,
    /// What.
    pub lead: LeadChange,
}

/// A lead begins or ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum LeadChange {
    /// An agency leads, through a team; a lead before it ends in the same month.
    Start {
        /// The agency.
        #[schema(value_type = String)]
        agency: AgencyCode,
        /// A team of the agency's file; never a worker.
        #[schema(value_type = String)]
        team_route: TeamRoute,
        /// From which month.
        #[schema(value_type = String, example = "2026-09")]
        since: Month,
    },
    /// The lead ends.
    End {
        /// In which month.
        #[schema(value_type = String, example = "2026-11")]
        ended: Month,
    },
}

/// Contact with a family is looked at and noted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FamilyEngagement {
    /// Under what.
    pub terms: FamilyTerms,
    /// In which form areas are looked at for the alert: `count`, `areas` or `criteria`.
    #[schema(value_type = String, example = "count")]
    pub mode: AnswerMode,
    /// The family's number.
    #[schema(value_type = String)]
    pub tfid: Tfid,
}
