//! `/v1/agreements` and `/v1/policy/explain`: what the caller has agreed to, and what that allows.

use std::collections::BTreeSet;

use axum::extract::State;
use serde::{Deserialize, Serialize};

use crate::app::caller::AgencyCaller;
use crate::app::gateway::Gateway;
use crate::domain::agreement::{Agreement, AgreementStatus, AnswerMode, Onward, Party, ReceiveClause, SupplyTerm};
use crate::domain::ids::{AgencyCode, AgreementRef, AreaCode, PurposeCode, RoleCode};
use crate::domain::programme::Relationship;
use crate::policy::decision::Terms;
use crate::web::json::Json;
use crate::web::problem::{Problem, RuleInTheWay};

/// The agreements that the caller's agency is a party of.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AgreementsView {
    /// In the order of their references.
    pub agreements: Vec<AgreementView>,
}

/// An agreement, as far as it is about the caller.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AgreementView {
    /// Code and version, as submissions and enquiries name it.
    pub reference: String,
    /// Its title.
    pub title: String,
    /// Where it stands.
    pub status: AgreementStatus,
    /// Whether the caller's own signature is there.
    pub is_signed_by_caller: bool,
    /// Its first day.
    #[schema(format = Date)]
    pub starts: String,
    /// Its last day.
    #[schema(format = Date)]
    pub ends: String,
    /// The day of its review.
    #[schema(format = Date)]
    pub review_due: String,
    /// Parties whose tokens may be made of an older system's hash values: weak ones.
    pub legacy_tokens: Vec<LegacyView>,
    /// What the caller lets others learn.
    pub supplies: Vec<SupplyView>,
    /// What the caller may learn.
    pub receives: Vec<ReceiveView>,
}

/// A party whose tokens may be made of an older system's hash values.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct LegacyView {
    /// Which party.
    pub agency: String,
    /// Why, in one sentence of the agreement.
    pub plain: String,
    /// The last day on which they are taken.
    #[schema(format = Date)]
    pub until: String,
}

/// A supply term of the caller.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SupplyView {
    /// Its code in the agreement.
    pub id: String,
    /// What it says, in one sentence.
    pub plain: String,
    /// For whom.
    pub recipients: Vec<String>,
    /// For what.
    pub purposes: Vec<String>,
    /// In which forms of answer.
    pub modes: BTreeSet<AnswerMode>,
    /// Whether answers may be passed on.
    pub onward: String,
}

/// A receive clause of the caller.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ReceiveView {
    /// Its code in the agreement.
    pub id: String,
    /// What it says, in one sentence.
    pub plain: String,
    /// From whose data.
    pub suppliers: Vec<String>,
    /// For what.
    pub purposes: Vec<String>,
    /// In which forms of answer.
    pub modes: BTreeSet<AnswerMode>,
    /// Who may ask.
    pub roles: Vec<String>,
    /// How many enquiries a day.
    pub daily_ceiling: u32,
    /// Whether answers may be passed on.
    pub onward: String,
}

/// Lists the agreements that the caller's agency is a party of, with its own terms in plain words.
#[utoipa::path(get, path = "/v1/agreements", operation_id = "list_agreements", tag = "agreements",
    security(("access_token" = [])),
    responses((status = 200, description = "The caller's agreements", body = AgreementsView)))]
pub async fn list(State(gateway): State<Gateway>, caller: AgencyCaller) -> Result<Json<AgreementsView>, Problem> {
    let policies = gateway.current_policies().await?;
    let own = policies.book().agreements().filter(|agreement| agreement.text.has_party(&caller.agency));
    let mut agreements: Vec<AgreementView> = own.map(|agreement| view_of(agreement, &caller.agency)).collect();
    agreements.sort_by(|a, b| a.reference.cmp(&b.reference));
    Ok(Json(AgreementsView { agreements }))
}

fn view_of(agreement: &Agreement, agency: &AgencyCode) -> AgreementView {
    let text = &agreement.text;
    AgreementView {
        reference: text.reference().to_string(),
        title: text.title().to_owned(),
        status: agreement.status,
        is_signed_by_caller: agreement.signed_by.contains(agency),
        starts: text.starts().to_string(),
        ends: text.ends().to_string(),
        review_due: text.review_due().to_string(),
        legacy_tokens: text.parties().iter().filter_map(legacy_view).collect(),
        supplies: text.supplies().iter().filter(|term| term.supplier == *agency).map(supply_view).collect(),
        receives: text.receives().iter().filter(|clause| clause.recipient == *agency).map(receive_view).collect(),
    }
}

fn legacy_view(party: &Party) -> Option<LegacyView> {
    let legacy = party.legacy_tokens.as_ref()?;
    let (agency, plain, until) = (party.agency.to_string(), legacy.plain.clone(), legacy.until.to_string());
    Some(LegacyView { agency, plain, until })
}

fn supply_view(term: &SupplyTerm) -> SupplyView {
    SupplyView {
        id: term.id.to_string(),
        plain: term.plain.clone(),
        recipients: words(&term.recipients),
        purposes: words(&term.purposes),
        modes: term.modes.clone(),
        onward: onward(term.onward),
    }
}

fn receive_view(clause: &ReceiveClause) -> ReceiveView {
    ReceiveView {
        id: clause.id.to_string(),
        plain: clause.plain.clone(),
        suppliers: words(&clause.suppliers),
        purposes: words(&clause.purposes),
        modes: clause.modes.clone(),
        roles: words(&clause.roles),
        daily_ceiling: clause.daily_ceiling,
        onward: onward(clause.onward),
    }
}

fn words<T: ToString>(codes: &BTreeSet<T>) -> Vec<String> {
    codes.iter().map(T::to_string).collect()
}

fn onward(rule: Onward) -> String {
    rule.as_str().to_owned()
}

/// The terms of an enquiry: everything about it but the person.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TermsToExplain {
    /// The agreement whose receive clause would let the agency ask.
    #[schema(value_type = String, example = "early-help-core/v1")]
    pub agreement: AgreementRef,
    /// What the answer would be for.
    #[schema(value_type = String)]
    pub purpose: PurposeCode,
    /// In which form.
    pub mode: AnswerMode,
    /// The role in which the asking person would act.
    #[schema(value_type = String)]
    pub role: RoleCode,
    /// Why this family now.
    pub relationship: Relationship,
}

/// What an enquiry on these terms would come to, whoever it was about.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ExplanationView {
    /// Whether it would be answered.
    pub is_permitted: bool,
    /// The areas that the answer would cover.
    pub covered: Vec<String>,
    /// The areas that the agreements withhold.
    pub withheld: Vec<String>,
    /// The areas without a criterion in the version used.
    pub not_covered: Vec<String>,
    /// The rules in the way, if it would be refused.
    pub rules: Vec<RuleInTheWay>,
    /// Everything that was decided, in plain words.
    pub sentences: Vec<String>,
}

/// Says what the agreements would allow, without a person. Nothing is disclosed, charged or logged.
#[utoipa::path(post, path = "/v1/policy/explain", operation_id = "explain_policy", tag = "agreements",
    security(("access_token" = [])), request_body = TermsToExplain,
    responses(
        (status = 200, description = "What such an enquiry would come to now", body = ExplanationView),
        (status = 400, description = "The body is not JSON"),
        (status = 413, description = "The body is too long"),
        (status = 415, description = "Not JSON"),
        (status = 422, description = "A field is missing or not allowed"),
    ))]
pub async fn explain(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Json(asked): Json<TermsToExplain>,
) -> Result<Json<ExplanationView>, Problem> {
    let TermsToExplain { agreement, purpose, mode, role, relationship } = asked;
    let terms = Terms { recipient: caller.agency, agreement, purpose, mode, role, relationship };
    let explained = gateway.explain(&terms).await?;
    let areas = |set: &BTreeSet<AreaCode>| words(set);
    Ok(Json(ExplanationView {
        is_permitted: explained.is_permitted,
        covered: areas(&explained.covered),
        withheld: areas(&explained.withheld),
        not_covered: areas(&explained.not_covered),
        rules: explained.hits.into_iter().map(RuleInTheWay::from).collect(),
        sentences: explained.sentences,
    }))
}
