//! `/openapi.json`: the document of this API, generated from its handlers.
//!
//! Handlers name their own statuses. What is the same everywhere is added here once: the problems
//! that any call may meet, the form of a problem, and the examples.

use std::sync::LazyLock;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use super::{
    agreements, claims, cosignatures, emergencies, enquiries, examples, families, feeds, log, log_entries, match_runs,
    not_to_share, notices, possible_matches, preview, recalls, referrals, relay, reviews, screenings, shields,
    statistics, subject_cases, submissions, token, token_checks,
};
use crate::app::screen::{ScreeningHead, ScreeningQuestion};
use crate::domain::submission::Header;
use crate::web::problem::{self, Problem, ProblemDocument, ProblemKind, kinds};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Porth",
        description = "Agencies deliver keyed tokens and ask what the agreements let them learn. Every call needs a \
                       client certificate; every call but `/oauth/token` and `/openapi.json` also an access token. \
                       Problems follow RFC 9457 and never repeat what was sent.",
        version = "1"
    ),
    paths(
        token::create,
        submissions::create,
        submissions::list,
        submissions::held,
        submissions::go_on,
        submissions::show,
        submissions::shared_addresses,
        feeds::list,
        submissions::retract,
        shields::list,
        shields::review,
        token_checks::create,
        enquiries::create,
        emergencies::list,
        emergencies::review,
        not_to_share::create,
        recalls::create,
        notices::list,
        notices::acknowledge,
        screenings::create,
        screenings::show,
        screenings::collect,
        statistics::show,
        possible_matches::list,
        possible_matches::raise,
        possible_matches::decide,
        possible_matches::reverse,
        possible_matches::view,
        match_runs::begin,
        match_runs::show,
        match_runs::advance,
        match_runs::list,
        match_runs::reply,
        match_runs::families,
        match_runs::repeat,
        match_runs::difference,
        match_runs::work_list,
        match_runs::validate,
        families::lookup,
        families::decide,
        families::lead,
        families::engagement,
        agreements::list,
        agreements::explain,
        preview::create,
        claims::engage,
        claims::check_claim,
        referrals::create,
        referrals::step,
        subject_cases::open,
        subject_cases::list,
        subject_cases::case_data,
        subject_cases::step,
        subject_cases::decide,
        subject_cases::lift_case,
        subject_cases::replies,
        subject_cases::parts,
        subject_cases::part_data,
        subject_cases::answer,
        subject_cases::lift_part,
        subject_cases::complain,
        subject_cases::complaints,
        subject_cases::step_complaint,
        log::checkpoint,
        log::tile,
        cosignatures::create,
        cosignatures::show,
        log_entries::search,
        log_entries::show,
        log_entries::replay,
        reviews::list,
        reviews::reply,
        relay::post,
        relay::list,
        relay::acknowledge,
        show
    ),
    components(schemas(submissions::ContinuationLine, Header, ScreeningHead, ScreeningQuestion, ProblemDocument)),
    tags(
        (name = "access", description = "Who calls"),
        (name = "submissions", description = "Feeds are delivered"),
        (name = "enquiries", description = "An agency asks about a person"),
        (name = "screenings", description = "An agency asks about many people at once"),
        (name = "statistics", description = "Tables of counts that give nobody away"),
        (name = "possible matches", description = "An agency verifies records of its own, without being told about others"),
        (name = "match runs", description = "The data team finds families in stages; the benefits agency is asked; holders validate"),
        (name = "agreements", description = "What was agreed, and what it allows"),
        (name = "families", description = "The programme team keeps families; a family is engaged, and a claim for a result checked"),
        (name = "referrals", description = "A referral is taken step by step to where it ends"),
        (name = "notices", description = "A wrong match or delivery is recalled; what an agency has to know about answers that it received"),
        (name = "reviews", description = "Findings about the agency's own disclosures, and its replies"),
        (name = "subject rights", description = "People use their rights; nobody is told what others hold"),
        (name = "relay", description = "A key custodian hands sealed linkage keys to an agency"),
        (name = "log", description = "The disclosure log: watched from outside, examined by officers and auditors"),
    )
)]
struct Generated;

/// Problems that every call may meet.
const ALWAYS: [(&str, &str); 4] = [
    ("401", "The certificate or the access token is missing or not accepted"),
    ("429", "Too many requests; `Retry-After` says how long to wait"),
    ("500", "Something went wrong inside the gateway"),
    ("503", "The gateway cannot do this now; nothing was released"),
];

/// The document as served and as kept at `docs/openapi.json`.
///
/// # Panics
///
/// Never: what the handlers generate is plain data.
pub fn document() -> Value {
    let mut document = serde_json::to_value(Generated::openapi()).expect("the generated document is plain data");
    document["info"]["license"] = json!({ "name": "Apache-2.0 OR MIT" });
    document["components"]["securitySchemes"] = json!({
        "access_token": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": "From POST /oauth/token; works only over the client certificate that fetched it." },
        "client_certificate": { "type": "mutualTLS" },
    });
    for (path, method, operation) in operations(&mut document) {
        finish(&path, &method, operation);
    }
    document
}

/// The document as text, one member a line.
///
/// # Panics
///
/// Never, as [`document`].
pub fn text() -> String {
    let mut text = serde_json::to_string_pretty(&document()).expect("a JSON value is plain data");
    text.push('\n');
    text
}

fn operations(document: &mut Value) -> Vec<(String, String, &mut Map<String, Value>)> {
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    paths
        .flat_map(|(path, item)| {
            let methods = item.as_object_mut().into_iter().flatten();
            methods.filter_map(|(method, operation)| Some((path.clone(), method.clone(), operation.as_object_mut()?)))
        })
        .collect()
}

fn finish(path: &str, method: &str, operation: &mut Map<String, Value>) {
    let needs_token = operation.get("security").and_then(|all| all[0].get("access_token")).is_some();
    let scheme = if needs_token {
        json!([{ "access_token": [], "client_certificate": [] }])
    } else {
        json!([{ "client_certificate": [] }])
    };
    operation.insert("security".to_owned(), scheme);

    let responses = operation.entry("responses").or_insert_with(|| json!({}));
    for (status, description) in ALWAYS {
        let is_there = responses.get(status).is_some();
        if !is_there && (path != "/openapi.json" || status == "503") {
            responses[status] = json!({ "description": description });
        }
    }
    for (status, response) in responses.as_object_mut().into_iter().flatten() {
        if status.starts_with('2') {
            for content in response["content"].as_object_mut().into_iter().flatten() {
                content.1["example"] = examples::answer(path, method);
            }
        } else {
            response["content"] = problem_content(path, method, status);
        }
    }
    if let Some(contents) = operation.get_mut("requestBody").and_then(|body| body["content"].as_object_mut()) {
        for (_, content) in contents {
            content["example"] = examples::request(path);
        }
    }
}

fn problem_content(path: &str, method: &str, status: &str) -> Value {
    let schema = json!({ "$ref": "#/components/schemas/ProblemDocument" });
    let mut content = json!({ "schema": schema });
    if let Some(kind) = example_kind(path, method, status) {
        let example = examples::decorated(path, Problem::new(kind)).document(None);
        content["example"] = serde_json::to_value(example).unwrap_or_default();
    }
    json!({ problem::MEDIA_TYPE: content })
}

/// The kind that a status most often stands for where a path is called by a method.
fn example_kind(path: &str, method: &str, status: &str) -> Option<&'static ProblemKind> {
    Some(match (path, status) {
        // Pages by a query: there is no body, and nothing that a key could make safe to repeat.
        ("/v1/possible-matches" | "/v1/submissions", "400") if method == "get" => kinds::INVALID_CURSOR,
        ("/oauth/token" | "/v1/notices", "400") => kinds::REQUEST_REFUSED,
        ("/oauth/token", "401") => kinds::ASSERTION_EXPIRED,
        ("/v1/submissions" | "/v1/submissions/{id}/lines" | "/v1/screenings", "400") => kinds::BODY_INCOMPLETE,
        ("/v1/submissions/{id}", "400") => kinds::INVALID_CURSOR,
        (
            "/v1/submissions/held"
            | "/v1/enquiries"
            | "/v1/screenings/{id}/rows"
            | "/v1/relay/grants"
            | "/v1/policy/preview"
            | "/v1/families/baseline"
            | "/v1/families/claim-check"
            | "/v1/referrals"
            | "/v1/referrals/steps"
            | "/v1/reviews/replies"
            | "/v1/families/decisions"
            | "/v1/families/lead"
            | "/v1/families/engagement"
            | "/v1/emergencies/reviews"
            | "/v1/decisions-not-to-share"
            | "/v1/recalls"
            | "/v1/shields/reviews"
            | "/v1/notices/{id}/acknowledge",
            "400",
        ) => kinds::IDEMPOTENCY_KEY_MISSING,
        (
            "/v1/referrals/steps" | "/v1/reviews/replies" | "/v1/submissions/{id}/lines" | "/v1/emergencies/reviews",
            "409",
        ) => kinds::STATE_CONFLICT,
        ("/v1/submissions", "409") => kinds::WRONG_KEY_CHECK,
        ("/v1/submissions" | "/v1/submissions/{id}/lines", "422") => kinds::INVALID_ROWS,
        ("/v1/screenings", "422") => kinds::INVALID_QUESTIONS,
        ("/v1/enquiries", "422") => kinds::NOT_A_TOKEN,
        ("/v1/relay/grants", "409") => kinds::NOT_CUSTODIAN,
        (path, "400") if path.starts_with("/v1/possible-matches") => kinds::IDEMPOTENCY_KEY_MISSING,
        ("/v1/subject-cases" | "/v1/subject-complaints", "400") => kinds::IDEMPOTENCY_KEY_MISSING,
        (path, "409") if path.starts_with("/v1/subject-") && path.contains("{id}") => kinds::STATE_CONFLICT,
        (path, "409") if path.starts_with("/v1/possible-matches") => kinds::STATE_CONFLICT,
        (_, "400") => kinds::MALFORMED_BODY,
        (_, "401") => kinds::TOKEN_INVALID,
        ("/v1/shields/list" | "/v1/shields/reviews", "403") => kinds::ROLE_NOT_ALLOWED,
        (_, "403") => kinds::NO_AGREEMENT,
        (_, "404") => kinds::NOT_FOUND,
        (_, "408") => kinds::BODY_TIMEOUT,
        (_, "409") => kinds::IDEMPOTENCY_CONFLICT,
        (_, "413") => kinds::TOO_LARGE,
        (_, "415") => kinds::UNSUPPORTED_MEDIA_TYPE,
        (_, "422") => kinds::INVALID_FIELD,
        (_, "429") => kinds::RATE_LIMITED,
        (_, "500") => kinds::INTERNAL,
        (_, "503") => kinds::STORAGE_UNAVAILABLE,
        _ => return None,
    })
}

/// Gives this document.
#[utoipa::path(get, path = "/openapi.json", operation_id = "openapi", tag = "access", security(()),
    responses((status = 200, description = "This document", body = Object)))]
pub async fn show() -> Response {
    static TEXT: LazyLock<String> = LazyLock::new(text);
    let mut response = Response::new(Body::from(TEXT.as_str()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_has_an_example_of_its_status_and_every_answer_and_request_one_too() {
        let mut document = document();
        for (path, method, operation) in operations(&mut document) {
            for (status, response) in operation["responses"].as_object().expect("responses") {
                for (media_type, content) in response["content"].as_object().expect("content") {
                    let example = &content["example"];
                    assert!(!example.is_null(), "{method} {path} {status}");
                    let is_about_a_body = ["idempotency-key-missing", "body-incomplete"];
                    let kind = example["kind"].as_str().unwrap_or_default();
                    assert!(method != "get" || !is_about_a_body.contains(&kind), "{method} {path} {status}: {kind}");
                    if !status.starts_with('2') {
                        assert_eq!(media_type, "application/problem+json", "{method} {path} {status}");
                        assert_eq!(example["status"].to_string(), *status, "{method} {path}");
                    }
                }
            }
            if let Some(body) = operation.get("requestBody") {
                for content in body["content"].as_object().expect("content").values() {
                    assert!(!content["example"].is_null(), "{method} {path}");
                }
            }
        }
    }

    #[test]
    fn the_document_has_every_route_and_no_other() {
        let source = include_str!("mod.rs");
        let routed: std::collections::BTreeSet<String> = source
            .lines()
            .filter_map(|line| line.trim().strip_prefix(".route(\"")?.split_once('"'))
            .map(|(path, _)| path.replace("{*", "{"))
            .collect();
        let document = document();
        let documented: std::collections::BTreeSet<String> =
            document["paths"].as_object().expect("paths").keys().cloned().collect();
        assert_eq!(routed, documented);
        assert!(document["openapi"].as_str().expect("a version").starts_with("3.1"), "{}", document["openapi"]);
    }
}
