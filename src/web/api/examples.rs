//! Examples of the OpenAPI document. Nothing in them is of anybody: tokens and references are rows of
//! one letter, agencies and teams are the example programme's.

use serde_json::{Value, json};

use crate::web::problem::{Problem, RuleInTheWay};

const ID: &str = "01990000-0000-7000-8000-000000000000";
const TOKEN: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const REFERENCE: &str = "AAAAAAAAAAAAAAAAAAAAAA";
const KEY_CHECK: &str = "0000000000000000";

/// The example of a request body.
pub(super) fn request(path: &str) -> Value {
    match path {
        "/oauth/token" => json!({
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": "header.payload.signature",
        }),
        "/v1/submissions" => Value::String(submission()),
        "/v1/submissions/{id}/lines" => Value::String(rest_of_submission()),
        "/v1/enquiries" => enquiry(),
        "/v1/screenings" => Value::String(screening()),
        "/v1/screenings/{id}/rows" => json!({ "after": 0, "limit": 50 }),
        "/v1/policy/explain" => json!({
            "agreement": "early-help-core/v1", "purpose": "early-help-screening", "mode": "areas",
            "role": "hub-screener", "relationship": "referral",
        }),
        "/v1/relay/grants" => json!({
            "agency": "hearth", "sealing_key": "seal-0000000000000000", "epoch": 1, "types": ["k3", "uprn"],
            "sealed": "(21,911 base64url characters)",
        }),
        _ => Value::Null,
    }
}

fn rest_of_submission() -> String {
    let place = json!({ "after": 1, "digest": "0".repeat(64) });
    let whole = submission();
    format!("{place}\n{}", whole.split_once('\n').map_or("", |(_, rest)| rest))
}

fn submission() -> String {
    let header = json!({
        "programme": "tff", "agency": "education", "feed": "attendance", "agreement": "early-help-core/v1",
        "mode": "snapshot", "rows": "all_or_nothing", "as_at": "2026-09-18", "scheme": "pt1", "norm": 1,
        "match_keys": "0".repeat(64), "epochs": [{ "epoch": 1, "key_checks": { "k3": KEY_CHECK, "uprn": KEY_CHECK } }],
    });
    let record = json!({
        "ref": REFERENCE, "role": "child", "tokens": { "1": { "k3": [TOKEN] } },
        "household": { "1": { "uprn": [TOKEN] } },
        "flags": [{ "criterion": "E1", "state": "met", "from": "2026-04-13", "to": "2026-07-22" }],
    });
    format!("{header}\n{record}\n{}\n", json!({ "end": 1 }))
}

fn enquiry() -> Value {
    json!({
        "programme": "tff", "agreement": "early-help-core/v1", "purpose": "early-help-screening", "mode": "areas",
        "relationship": "referral", "role": "hub-screener", "case": REFERENCE, "user": REFERENCE, "scheme": "pt1",
        "norm": 1, "epochs": [{ "epoch": 1, "key_checks": { "k3": KEY_CHECK } }],
        "tokens": { "1": { "k3": [TOKEN] } },
    })
}

fn screening() -> String {
    let head = json!({
        "programme": "tff", "agreement": "early-help-core/v1", "purpose": "early-help-screening", "mode": "eligible",
        "relationship": "screening", "role": "hub-screener", "scheme": "pt1", "norm": 1,
        "epochs": [{ "epoch": 1, "key_checks": { "k3": KEY_CHECK } }],
    });
    let question = json!({ "case": REFERENCE, "user": REFERENCE, "tokens": { "1": { "k3": [TOKEN] } } });
    format!("{head}\n{question}\n{}\n", json!({ "end": 1 }))
}

/// The example of an answer.
pub(super) fn answer(path: &str, method: &str) -> Value {
    match (path, method) {
        ("/oauth/token", _) => json!({
            "access_token": "header.payload.signature", "token_type": "Bearer", "expires_in": 300, "scope": "agency",
        }),
        ("/v1/submissions", "get") => json!({ "submissions": [answer("/v1/submissions/{id}/retract", "post")],
            "next_before": null }),
        ("/v1/submissions" | "/v1/submissions/{id}/lines", _) => {
            json!({ "id": ID, "state": "staged", "is_repeat": false })
        }
        ("/v1/submissions/held", _) => json!({ "id": ID, "line": 501, "digest": "0".repeat(64) }),
        ("/v1/submissions/{id}/retract", _) => json!({
            "id": ID, "feed": "attendance", "agreement": "early-help-core/v1", "mode": "snapshot",
            "rows": "all_or_nothing", "as_at": "2026-09-18", "state": "withdrawing", "rows_read": 2, "rows_accepted": 2,
            "rows_rejected": 0, "failure": null, "received_at": "2026-09-20T10:15:00.000000Z",
            "finished_at": "2026-09-20T10:15:02.000000Z", "errors": [], "next_after": null,
        }),
        ("/v1/submissions/{id}", _) => json!({
            "id": ID, "feed": "attendance", "agreement": "early-help-core/v1", "mode": "snapshot",
            "rows": "all_or_nothing", "as_at": "2026-09-18", "state": "failed", "rows_read": 2, "rows_accepted": 1,
            "rows_rejected": 1,
            "failure": { "code": "file.rows", "meaning": "some rows are bad and the file asked for all or nothing" },
            "received_at": "2026-09-20T10:15:00.000000Z", "finished_at": "2026-09-20T10:15:02.000000Z",
            "errors": [{ "row": 3, "field": "flags[0].criterion", "code": "flag.criterion",
                "meaning": "The programme has no such criterion, or the feed does not supply it." }],
            "next_after": null,
        }),
        ("/v1/feeds", _) => json!({ "feeds": [{
            "feed": "attendance", "plain": "Which children miss school.", "cadence": "every month", "state": "in_time",
            "as_at": "2026-09-18", "next_due": "2026-10-19", "in_time_until": "2026-10-26",
        }] }),
        ("/v1/enquiries", _) => json!({
            "disclosure": ID, "at": "2026-09-20T10:15:00.000000Z", "mode": "areas", "eligible": null,
            "count": null, "criteria": null,
            "areas": [
                { "code": "A2", "state": "met", "grade": "hard", "evidence_month": "2026-07", "as_at": "2026-09-18",
                  "is_late": false },
                { "code": "A4", "state": "withheld_by_policy", "grade": null, "evidence_month": null, "as_at": null,
                  "is_late": null },
            ],
            "lead": null, "not_covered": ["A5", "A6"], "onward": "none", "criteria_version": "2017-04-01",
            "receipt": receipt(), "padding": "000",
        }),
        ("/v1/screenings", _) => json!({ "id": ID, "is_repeat": false }),
        ("/v1/screenings/{id}", _) => json!({
            "id": ID, "rows": 3, "waiting": 1, "answered": 2, "ceiling": 0, "refused": 0,
            "received_at": "2026-09-20T10:15:00.000000Z", "expires_at": "2026-09-21T10:15:00.000000Z",
        }),
        ("/v1/screenings/{id}/rows", _) => {
            let row = json!({ "row": 3, "outcome": "ceiling", "disclosure": ID, "receipt": receipt() });
            json!(format!("{row}\n{}\n", json!({ "next_after": null })))
        }
        ("/v1/agreements", _) => json!({ "agreements": [{
            "reference": "early-help-core/v1", "title": "Early help core agreement", "status": "in_force",
            "is_signed_by_caller": true, "starts": "2026-04-01", "ends": "2029-03-31", "review_due": "2027-06-30",
            "supplies": [],
            "receives": [{ "id": "hub-screens", "plain": "The Hub may learn whether a referred family is eligible.",
                "suppliers": ["education"], "purposes": ["early-help-screening"], "modes": ["eligible", "areas"],
                "roles": ["hub-screener"], "daily_ceiling": 600, "onward": "none" }],
        }] }),
        ("/v1/policy/explain", _) => json!({
            "is_permitted": true, "covered": ["A2"], "withheld": ["A4"], "not_covered": ["A5", "A6"], "rules": [],
            "sentences": ["The answer may not be passed on."],
        }),
        ("/v1/log/checkpoint", _) => {
            json!(format!("gw.example.gov.uk/2026\n0\n{TOKEN}=\n\n— gw.example.gov.uk/2026 …\n"))
        }
        ("/v1/log/tile/{path}", _) => json!("(32 bytes for each hash)"),
        ("/v1/relay/grants", "post") | ("/v1/relay/grants/{id}/acknowledgement", _) => json!({ "id": ID }),
        ("/v1/relay/grants", _) => json!({ "grants": [{
            "id": ID, "from": "childrens-social-care", "sealing_key": "seal-0000000000000000", "epoch": 1,
            "posted_at": "2026-09-20T10:15:00.000000Z", "sealed": "(21,911 base64url characters)",
        }] }),
        ("/openapi.json", _) => json!({ "openapi": "3.1.0" }),
        _ => Value::Null,
    }
}

fn receipt() -> String {
    "gw.example.gov.uk/2026/receipt\n…\n".to_owned()
}

/// A problem with the members that its kind has on a path.
pub(super) fn decorated(path: &str, problem: Problem) -> Problem {
    match (path, problem.kind()) {
        ("/v1/enquiries", "no-agreement") => problem.with(|extras| {
            extras.disclosure = Some(ID.to_owned());
            extras.receipt = Some(receipt());
            let say = "The recipient's clause does not allow this form of answer.".to_owned();
            extras.rules = vec![RuleInTheWay { rule: "R03".to_owned(), say }];
        }),
        ("/oauth/token", "assertion-expired") => problem
            .detail("claim 'iat' is 95 s in the future; the client's clock is ahead, set it by NTP")
            .with(|extras| {
                extras.code = Some("token-clock-ahead");
                extras.error = Some("invalid_client");
            }),
        ("/oauth/token", "request-refused") => problem.with(|extras| extras.error = Some("invalid_request")),
        ("/v1/submissions" | "/v1/submissions/{id}/lines", "invalid-rows" | "body-incomplete") => {
            problem.with(|extras| extras.submission = Some(ID.to_owned()))
        }
        ("/v1/submissions", "wrong-key-check") => problem.with(|extras| extras.code = Some("key.wrong")),
        _ => problem,
    }
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;

    use super::*;
    use crate::app::enquire::Question;
    use crate::app::screen::{ScreeningHead, ScreeningQuestion};
    use crate::domain::submission::{Header, RecordLine};
    use crate::web::api::agreements::TermsToExplain;
    use crate::web::api::enquiries::EnquiryView;
    use crate::web::api::feeds::FeedsView;
    use crate::web::api::relay::{GrantTaken, GrantsView, NewGrantBody};
    use crate::web::api::screenings::{RowsWanted, ScreeningReceived, ScreeningView};
    use crate::web::api::submissions::{
        ContinuationLine, SubmissionReceived, SubmissionView, SubmissionsView, UploadView,
    };
    use crate::web::api::token::{TokenRequest, TokenView};

    fn reads<T: DeserializeOwned>(example: Value) {
        serde_json::from_value::<T>(example).expect("the example has the form that the document gives");
    }

    #[test]
    fn examples_have_the_form_that_the_document_gives() {
        reads::<TokenRequest>(request("/oauth/token"));
        reads::<Question>(request("/v1/enquiries"));
        reads::<TermsToExplain>(request("/v1/policy/explain"));
        reads::<TokenView>(answer("/oauth/token", "post"));
        reads::<SubmissionReceived>(answer("/v1/submissions", "post"));
        reads::<SubmissionReceived>(answer("/v1/submissions/{id}/lines", "post"));
        reads::<SubmissionsView>(answer("/v1/submissions", "get"));
        reads::<UploadView>(answer("/v1/submissions/held", "post"));
        let text = rest_of_submission();
        serde_json::from_str::<ContinuationLine>(text.lines().next().expect("a line")).expect("a place");
        reads::<SubmissionView>(answer("/v1/submissions/{id}", "get"));
        reads::<NewGrantBody>(request("/v1/relay/grants"));
        reads::<GrantTaken>(answer("/v1/relay/grants", "post"));
        reads::<GrantsView>(answer("/v1/relay/grants", "get"));
        reads::<SubmissionView>(answer("/v1/submissions/{id}/retract", "post"));
        reads::<EnquiryView>(answer("/v1/enquiries", "post"));
        reads::<FeedsView>(answer("/v1/feeds", "get"));
        reads::<ScreeningReceived>(answer("/v1/screenings", "post"));
        reads::<RowsWanted>(request("/v1/screenings/{id}/rows"));
        reads::<ScreeningView>(answer("/v1/screenings/{id}", "get"));
        let text = screening();
        let lines: Vec<&str> = text.lines().collect();
        serde_json::from_str::<ScreeningHead>(lines[0]).expect("a head");
        serde_json::from_str::<ScreeningQuestion>(lines[1]).expect("a question");
        let text = submission();
        let lines: Vec<&str> = text.lines().collect();
        serde_json::from_str::<Header>(lines[0]).expect("a header");
        serde_json::from_str::<RecordLine>(lines[1]).expect("a record");
    }
}
