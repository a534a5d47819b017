//! The sections of an agreement's text besides its terms: parties, reasons, law, handling, rights.
//!
//! What was added to the form after the first texts were signed may be absent when a text is read, since
//! a signed text never changes; [`super::AgreementText::missing`] says what a new one has to have.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::Item;
use crate::domain::ids::{AgencyCode, AreaCode, CriterionCode, TokenType};
use crate::domain::policy_file;

/// Whether a party decides about the data or acts for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartyRole {
    /// Decides alone.
    Controller,
    /// Decides together with others, under an Article 26 arrangement.
    JointController,
    /// Acts for a controller.
    Processor,
}

impl PartyRole {
    /// In plain words.
    pub fn plain(self) -> &'static str {
        match self {
            Self::Controller => "controller",
            Self::JointController => "joint controller",
            Self::Processor => "processor",
        }
    }
}

/// A stage of the flow, at which a party may have another role than at the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Keeping its own records and making tokens of them.
    Supply,
    /// Linking tokens and working out answers.
    Matching,
    /// Using what is answered.
    Use,
}

impl Stage {
    /// In plain words.
    pub fn plain(self) -> &'static str {
        match self {
            Self::Supply => "keeping and supplying records",
            Self::Matching => "matching",
            Self::Use => "using answers",
        }
    }
}

/// A party of the agreement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Party {
    /// Which agency.
    pub agency: AgencyCode,
    /// Its role in data protection law.
    pub role: PartyRole,
    /// The post that signs.
    pub signatory: String,
    /// Its role at each stage, where that is not the same throughout.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stages: BTreeMap<Stage, PartyRole>,
    /// Where the people are reached who run the flow from day to day; a post, never a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// The token types whose keys it may be given; every type when none is listed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub token_types: BTreeSet<TokenType>,
    /// Whether its tokens may be made of an older system's hash values, and until when. Without this
    /// it is given no key for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legacy_tokens: Option<LegacyTokens>,
}

/// A party holds salted hash values of an older system in place of identifiers. Tokens made of them
/// are weak: whoever knows that system's salt and holds the linkage key can try every identifier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegacyTokens {
    /// Why nothing better is at hand, and what is done about it.
    pub plain: String,
    /// The last day on which they are taken.
    #[serde(deserialize_with = "policy_file::date")]
    pub until: Date,
}

/// Why the agreement exists and why less would not do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Why {
    /// What it is for.
    pub objective: String,
    /// Who benefits, and how.
    pub benefit: String,
    /// Why less data would not do.
    pub less_would_not_do: String,
    /// Why it is proportionate and in the public interest.
    pub proportionality: String,
}

/// Whom and what it covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Classes of people.
    pub subjects: Vec<String>,
    /// Areas that it leaves out on purpose; no term may list them.
    #[serde(default)]
    pub areas_out: BTreeSet<AreaCode>,
    /// Criteria that it leaves out on purpose. What is said of an area rests on all its criteria, so no
    /// term may list the area of one of these; the policy book holds agreements to it.
    #[serde(default)]
    pub criteria_out: BTreeSet<CriterionCode>,
    /// How often data flow.
    pub frequency: String,
    /// Which way.
    pub direction: String,
}

/// The regime of the Data Protection Act 2018 that a police flow falls under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PoliceRegime {
    /// Part 2: general processing.
    #[serde(rename = "part-2")]
    General,
    /// Part 3: law enforcement processing.
    #[serde(rename = "part-3")]
    LawEnforcement,
}

/// A Caldicott Guardian's agreement to health data being shared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaldicottSignOff {
    /// The post.
    pub post: String,
    /// The day.
    #[serde(deserialize_with = "policy_file::date")]
    pub on: Date,
}

/// The law the agreement as a whole rests on; each term names its own powers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Law {
    /// Why the duty of confidence does not stand in the way.
    pub confidentiality: String,
    /// Reference of the appropriate policy document.
    pub appropriate_policy_document: String,
    /// Reference of the data protection impact assessment.
    pub dpia: String,
    /// Its day.
    #[serde(deserialize_with = "policy_file::date")]
    pub dpia_date: Date,
    /// Entry in the public register of Digital Economy Act agreements.
    #[serde(default)]
    pub dea_register: Option<String>,
    /// The regime of flows to or from the police.
    #[serde(default)]
    pub police_regime: Option<PoliceRegime>,
    /// Needed before health data may flow.
    #[serde(default)]
    pub caldicott_sign_off: Option<CaldicottSignOff>,
    /// The arrangement between joint controllers under Article 26.
    #[serde(default)]
    pub article_26: Option<String>,
    /// Which controller tells the people concerned within a month, under Article 14.
    #[serde(default)]
    pub article_14: Option<String>,
}

/// How the data are handled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handling {
    /// How long each item is kept, in words.
    pub retention: String,
    /// For how many months each item that the terms list is kept after it was received.
    #[serde(default)]
    pub keep_months: BTreeMap<Item, u16>,
    /// How deletion is shown.
    pub deletion: String,
    /// The security standard.
    pub security: String,
    /// Where data are stored.
    pub storage: String,
    /// What staff learn first.
    pub training: String,
    /// How accuracy is kept and challenged.
    pub accuracy: String,
    /// Who needs to know.
    pub need_to_know: String,
}

/// How people use their rights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rights {
    /// Where families read about it.
    pub privacy_notice: String,
    /// The one place to ask.
    pub contact: String,
    /// Who answers subject access, by when.
    pub subject_access: String,
    /// Who answers objections, by when.
    pub objections: String,
    /// Who answers complaints, by when.
    pub complaints: String,
}

/// What happens after a breach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Breach {
    /// Who tells whom.
    pub plain: String,
    /// Within how many hours.
    pub notify_within_hours: u16,
}

/// Who watches over the agreement, and how it ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Governance {
    /// The board that approved it.
    pub board: String,
    /// Who may audit.
    pub audit_right: String,
    /// How a party leaves.
    pub termination: String,
    /// What happens to tokens, flags and keys then.
    pub exit: String,
}
