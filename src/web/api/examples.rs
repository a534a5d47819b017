//! Examples of the OpenAPI document. Nothing in them is of anybody: tokens and references are rows of
//! one letter, agencies and teams are the example programme's.

mod rights;

use serde_json::{Value, json};

use crate::web::problem::{Problem, RuleInTheWay};

const ID: &str = "01990000-0000-7000-8000-000000000000";
const TOKEN: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const REFERENCE: &str = "AAAAAAAAAAAAAAAAAAAAAA";
const TFID: &str = "TF-0000-0000-0000-0011";
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
        "/v1/emergencies/reviews" => json!({
            "entry": ID, "user": REFERENCE, "role": "social-worker", "finding": "justified", "reason": "immediate-danger",
        }),
        "/v1/decisions-not-to-share" => json!({
            "asked_by": "landlord", "items": ["A2", "lead"], "purpose": "tenancy-support", "reason": "no-agreement",
            "basis": "UKGDPR-art5-1-b", "case": REFERENCE, "role": "education-welfare-officer", "user": REFERENCE,
        }),
        "/v1/shields/list" => json!({ "role": "social-worker" }),
        "/v1/shields/reviews" => json!({
            "record": { "feed": "cases", "ref": REFERENCE }, "review_on": "2099-03-01", "role": "social-worker",
        }),
        "/v1/recalls" => json!({
            "record": { "feed": "attendance", "ref": REFERENCE }, "role": "education-welfare-officer",
            "reason": "twin-or-sibling",
        }),
        "/v1/notices/{id}/acknowledge" => json!({ "role": "early-help-practitioner", "action": "case-reviewed" }),
        "/v1/token-checks" => json!({
            "programme": "tff", "match_keys": "0".repeat(64), "epoch": 1, "people": { "1": { "k3": [TOKEN] } },
        }),
        "/v1/screenings" => Value::String(screening()),
        "/v1/screenings/{id}/rows" => json!({ "after": 0, "limit": 50 }),
        "/v1/possible-matches" => json!({
            "decision": "split", "record": { "feed": "attendance", "ref": REFERENCE }, "role": "education-welfare-officer",
            "reason": "twin-or-sibling",
        }),
        "/v1/possible-matches/{id}/decisions" => json!({
            "decision": "confirm", "role": "education-welfare-officer", "reason": "checked-file",
        }),
        "/v1/possible-matches/{id}/reversals" => json!({
            "role": "education-welfare-officer", "reason": "new-evidence",
        }),
        "/v1/possible-matches/views" => json!({
            "agreement": "programme-delivery/v1", "purpose": "programme-delivery", "relationship": "screening",
            "role": "data-analyst", "user": REFERENCE,
        }),
        "/v1/subject-cases" => json!({
            "right": "access", "records": [{ "feed": "attendance", "ref": REFERENCE }],
            "role": "education-welfare-officer", "user": REFERENCE,
        }),
        "/v1/subject-cases/{id}/data" | "/v1/subject-cases/{id}/replies" | "/v1/subject-parts/{id}/data" => {
            json!({ "role": "education-welfare-officer", "user": REFERENCE })
        }
        "/v1/subject-cases/{id}/steps" => json!({
            "step": "extend", "reason": "complex", "role": "education-welfare-officer", "user": REFERENCE,
        }),
        "/v1/subject-cases/{id}/decisions" => json!({
            "outcome": "upheld", "reason": "no-compelling-ground", "role": "education-welfare-officer", "user": REFERENCE,
        }),
        "/v1/subject-parts/{id}/answers" => json!({
            "outcome": "nothing-to-release", "reason": "checked-file", "role": "education-welfare-officer",
            "user": REFERENCE,
        }),
        "/v1/subject-cases/{id}/lifts" | "/v1/subject-parts/{id}/lifts" => json!({
            "reason": "settled", "role": "education-welfare-officer", "user": REFERENCE,
        }),
        "/v1/subject-complaints" => json!({
            "about": "delay", "role": "education-welfare-officer", "user": REFERENCE,
        }),
        "/v1/subject-complaints/{id}/steps" => json!({
            "step": "close", "outcome": "upheld", "role": "education-welfare-officer", "user": REFERENCE,
        }),
        "/v1/match-runs"
        | "/v1/match-runs/{id}/list"
        | "/v1/match-runs/{id}/families"
        | "/v1/match-runs/{id}/repeat" => run_terms(),
        "/v1/match-runs/{id}/steps" => json!({ "terms": run_terms(), "without_reply": false }),
        "/v1/match-runs/{id}/reply" => {
            json!({ "terms": run_terms(), "answers": [{ "token": TOKEN, "state": "met" }] })
        }
        "/v1/match-runs/{id}/work-list" => json!({ "after": { "feed": "attendance", "ref": REFERENCE } }),
        "/v1/match-runs/{id}/validations" => json!({
            "record": { "feed": "attendance", "ref": REFERENCE }, "decision": "reject",
            "role": "education-welfare-officer", "reason": "record-wrong",
        }),
        "/v1/families/lookup" => json!({ "terms": family_terms(), "mode": "areas", "tfid": TFID }),
        "/v1/families/decisions" => json!({
            "terms": family_terms(), "mode": "count", "reason": "match-2026-11",
            "decision": { "kind": "issue", "route": "data_match", "candidates": [[
                { "agency": "education", "feed": "attendance", "ref": REFERENCE },
                { "agency": "childrens-social-care", "feed": "cases", "ref": REFERENCE },
            ]] },
        }),
        "/v1/families/lead" => json!({
            "terms": family_terms(), "mode": "count", "reason": "allocation-panel", "tfid": TFID,
            "lead": { "kind": "start", "agency": "early-help-hub", "team_route": "early-help-west", "since": "2026-09" },
        }),
        "/v1/families/engagement" => json!({ "terms": family_terms(), "mode": "count", "tfid": TFID }),
        "/v1/policy/explain" => json!({
            "agreement": "early-help-core/v1", "purpose": "early-help-screening", "mode": "areas",
            "role": "hub-screener", "relationship": "referral",
        }),
        "/v1/policy/preview" => json!({
            "agreement": "programme-delivery/v1", "purpose": "statistics", "relationship": "screening",
            "role": "data-analyst", "user": REFERENCE, "programme_file": "programme = \"tff\" …",
        }),
        "/v1/families/baseline" => json!({ "family": claimed_family(), "engaged_on": "2026-09-01" }),
        "/v1/families/claim-check" => {
            json!({ "family": claimed_family(), "engagement": ID, "route": "outcomes" })
        }
        "/v1/referrals" => json!({ "door": "early_help", "case": REFERENCE, "ground": ground() }),
        "/v1/referrals/steps" => json!({
            "referral": ID, "step": "check_tracker", "finding": true, "answer": ID, "ground": ground(),
        }),
        "/v1/reviews/replies" => json!({ "entry": ID, "position": "corrected", "reason": "case-note:2026-118" }),
        "/v1/log/cosignatures" => json!("gw.example/2026\n70000\n…\n\n— gw.example/2026 …\n— witness.example …\n"),
        "/v1/relay/grants" => json!({
            "agency": "hearth", "sealing_key": "seal-0000000000000000", "epoch": 1, "types": ["k3", "uprn"],
            "sealed": "(21,911 base64url characters)",
        }),
        _ => Value::Null,
    }
}

fn run_terms() -> Value {
    json!({
        "agreement": "programme-delivery/v1", "relationship": "screening", "role": "data-analyst", "user": REFERENCE,
    })
}

fn match_run() -> Value {
    json!({
        "id": ID, "number": 4, "state": "closed", "as_at": "2026-11-20T10:15:00.000000Z", "records_expected": 48211,
        "records_kept": 48211, "waits_for_reply": false, "output_sha256": "0".repeat(64), "pages_removed_at": null,
        "inputs": [{ "agency": "education", "feed": "attendance", "submission": ID, "as_at": "2026-11-18",
            "digest": "0".repeat(64) }],
        "counts": { "records": 48211, "persons": 31040, "households": 5120, "listed": 5120, "answered": 5102,
            "families": 1966, "quarantined": 31 },
    })
}

fn family_terms() -> Value {
    json!({
        "programme": "tff", "agreement": "programme-delivery/v1", "purpose": "programme-delivery",
        "relationship": "screening", "role": "data-analyst", "case": REFERENCE, "user": REFERENCE,
    })
}

fn family_work() -> Value {
    json!({
        "lead_state": "led", "engaged_since": "2026-10",
        "leads": [{ "agency": "early-help-hub", "team_route": "early-help-west", "since": "2026-09", "ended": null }],
        "services": [{ "agency": "early-help-hub", "is_open": true, "last_contact": "2026-11" }],
    })
}

fn entry() -> Value {
    json!({ "disclosure": ID, "at": "2026-09-20T10:15:00.000000Z", "receipt": receipt() })
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

fn claimed_family() -> Value {
    let mut family = enquiry();
    for (field, value) in [
        ("agreement", "programme-delivery/v1"),
        ("purpose", "claim-validation"),
        ("mode", "criteria"),
        ("relationship", "screening"),
        ("role", "claims-officer"),
    ] {
        family[field] = value.into();
    }
    family
}

fn ground() -> Value {
    json!({ "agreement": "early-help-core/v1", "relationship": "referral", "role": "hub-screener", "user": REFERENCE })
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
        ("/v1/submissions/{id}/shared-addresses", _) => json!({
            "more_than": 12, "addresses": 1, "records": 13, "references": ["AAAAAAAAAAAAAAAAAAAAAA"],
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
        ("/v1/emergencies", _) => json!({ "emergencies": [{
            "entry": ID, "client": "childrens-social-care-1", "at": "2026-09-20T10:15:00.000000Z",
            "due_at": "2026-09-21T00:00:00.000000Z",
        }] }),
        ("/v1/emergencies/reviews", _) => json!({
            "disclosure": ID, "at": "2026-09-20T15:15:00.000000Z", "in_time": true,
        }),
        ("/v1/decisions-not-to-share", _) => json!({
            "disclosure": ID, "at": "2026-09-20T10:15:00.000000Z", "receipt": receipt(),
        }),
        ("/v1/shields/list", _) => json!({ "shields": [{
            "feed": "cases", "ref": REFERENCE, "review_on": "2027-03-01", "is_overdue": false,
        }], "has_more": false }),
        ("/v1/shields/reviews", _) => json!({ "disclosure": ID, "at": "2026-09-20T10:15:00.000000Z" }),
        ("/v1/recalls", _) => json!({ "id": ID, "disclosure": ID, "at": "2026-09-20T10:15:00.000000Z" }),
        ("/v1/notices", _) => json!({ "notices": [{
            "id": ID, "at": "2026-09-21T09:00:00.000000Z", "disclosure": ID, "kind": "answer_wrong", "recall": ID,
            "entry": ID, "answered_at": "2026-09-20T10:15:00.000000Z", "case": REFERENCE, "form": "areas",
            "certain": true, "tfid": null, "may_ask_again": true, "rules": [], "acknowledged_at": null,
        }], "next_after": null }),
        ("/v1/notices/{id}/acknowledge", _) => json!({ "disclosure": ID, "at": "2026-09-21T09:30:00.000000Z" }),
        ("/v1/reviews", _) => json!({
            "findings": [{
                "entry": ID, "finding": "not_justified_minimisation", "severity": "medium", "action": "retrain",
                "owner": "practice-lead", "due": "2026-10-31", "is_closed": false, "reason": "review:2026-09/14",
                "finding_entry": ID,
                "replies": [{ "position": "accepted", "reason": "supervision:2026-09-22", "at": "2026-09-22T10:15:00.000000Z" }],
            }],
            "next_after": null,
        }),
        ("/v1/reviews/replies", _) => json!({ "disclosure": ID }),
        ("/v1/feeds", _) => json!({ "feeds": [{
            "feed": "attendance", "plain": "Which children miss school.", "cadence": "every month", "state": "in_time",
            "as_at": "2026-09-18", "next_due": "2026-10-19", "in_time_until": "2026-10-26",
        }] }),
        ("/v1/policy/preview", _) => json!({
            "disclosure": ID, "receipt": "gw.example/2026\n…",
            "counts": {
                "families": 1965, "would_become_eligible": 40, "would_cease": "fewer_than_5",
                "areas": [{ "area": "A2", "would_meet": 55, "would_cease": "fewer_than_5" }],
                "criteria_version": "2017-04-01", "other_version": "2026-10-01", "other_sha256": "0".repeat(64),
            },
        }),
        ("/v1/families/baseline", _) => json!({
            "disclosure": ID, "at": "2026-09-20T10:15:00.000000Z", "onward": "none", "receipt": "gw.example/2026\n…",
            "found": { "engaged_on": "2026-09-01", "people": 3, "is_family": true, "criteria_version": "2017-04-01" },
            "entries": [{ "event": ID, "entry": "{…}", "proof": null }],
        }),
        ("/v1/families/claim-check", _) => json!({
            "disclosure": ID, "at": "2027-09-20T10:15:00.000000Z", "onward": "none", "receipt": "gw.example/2026\n…",
            "found": {
                "route": "outcomes", "verdict": "not_ready",
                "reasons": [{ "needs_review": false, "code": "not-known", "area": "A1", "criterion": "C2", "person": 1 }],
                "areas": [{ "area": "A2", "is_relevant": true, "change": "progress", "rests_on_judgement": false }],
            },
            "entries": [{ "event": ID, "entry": "{…}", "proof": "c2sp.org/tlog-proof@v1\n…" }],
        }),
        ("/v1/referrals" | "/v1/referrals/steps", _) => json!({
            "referral": ID, "state": "received", "next": "check_tracker", "next_purpose": "early-help-screening",
            "disclosure": ID, "at": "2026-09-20T10:15:00.000000Z", "receipt": "gw.example/2026\n…",
        }),
        ("/v1/enquiries", _) => json!({
            "disclosure": ID, "at": "2026-09-20T10:15:00.000000Z", "mode": "areas", "eligible": null,
            "count": null, "criteria": null,
            "areas": [
                { "code": "A2", "state": "met", "grade": "hard", "evidence_month": "2026-07", "judgement_month": null,
                  "as_at": "2026-09-18",
                  "is_late": false },
                { "code": "A4", "state": "withheld_by_policy", "grade": null, "evidence_month": null, "judgement_month": null,
                  "as_at": null,
                  "is_late": null },
            ],
            "lead": null, "not_covered": ["A5", "A6"], "onward": "none", "legacy_tokens": [],
            "criteria_version": "2017-04-01",
            "receipt": receipt(), "padding": "000",
        }),
        ("/v1/families/lookup", _) => json!({
            "entry": entry(), "onward": "none", "criteria_version": "2017-04-01",
            "family": {
                "tfid": TFID, "route": "data_match", "issued_on": "2026-09-01", "attached_on": "2026-09-14",
                "people": [{ "handle": REFERENCE, "is_child": true }],
                "history": [{ "on": "2026-09-01", "what": "issued", "other": null },
                            { "on": "2026-09-14", "what": "attached", "other": null }],
                "count": null, "criteria": null, "lead": null, "work": null, "not_covered": ["A5", "A6"],
                "areas": [{ "code": "A2", "state": "met", "grade": "hard", "evidence_month": "2026-07",
                            "as_at": "2026-09-18", "is_late": false }],
            },
            "padding": "000",
        }),
        ("/v1/families/decisions" | "/v1/families/lead", _) => json!({
            "entries": [entry()], "results": [{ "outcome": "done", "tfid": TFID }], "continuity_alert": null,
            "padding": "000",
        }),
        ("/v1/families/engagement", _) => json!({
            "entries": [entry(), entry()],
            "family": { "tfid": TFID, "attached_on": "2026-09-14", "work": family_work(), "continuity_alert": false },
            "padding": "000",
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
        ("/v1/statistics/{table}", _) => statistics(),
        ("/v1/match-runs" | "/v1/match-runs/{id}" | "/v1/match-runs/{id}/steps", _) => match_run(),
        ("/v1/match-runs/{id}/list", _) => json!({
            "disclosure": ID, "tokens": [{ "token": TOKEN, "type": "uprn", "epoch": 1 }], "receipt": receipt(),
        }),
        ("/v1/match-runs/{id}/reply" | "/v1/match-runs/{id}/validations", _) => {
            json!({ "disclosure": ID, "receipt": receipt() })
        }
        ("/v1/match-runs/{id}/work-list", _) => json!({
            "records": [{ "feed": "attendance", "ref": REFERENCE, "role": "child", "as_at": "2026-11-18" }],
            "next_after": null,
        }),
        ("/v1/match-runs/{id}/families", _) => {
            let name = json!({ "agency": "education", "feed": "attendance", "ref": REFERENCE });
            json!({ "disclosure": ID, "receipt": receipt(),
                "families": [{ "key": name.clone(), "people": [[name]], "areas": ["A2", "A4"] }] })
        }
        ("/v1/match-runs/{id}/repeat", _) => json!({ "output_sha256": "0".repeat(64), "is_same": true }),
        ("/v1/match-runs/{id}/difference", _) => {
            json!({ "has_earlier": true, "added": 57, "gone": 12, "changed": 130 })
        }
        (path, _) if path.starts_with("/v1/subject-") => rights::answer(path, method),
        ("/v1/possible-matches", "get") => json!({ "possible_matches": [{
            "id": ID, "feed": "attendance", "ref": REFERENCE, "fields": ["dob", "forename", "surname"], "role": "child",
            "as_at": "2026-09-18", "asked_at": "2026-09-25T04:00:00.000000Z",
        }] }),
        ("/v1/possible-matches/views", _) => json!({
            "disclosure": ID, "at": "2026-09-25T10:15:00.000000Z", "next_after": null, "receipt": receipt(),
            "pairs": [{ "handle": ID, "agencies": ["education", "housing"], "keys": ["k5"], "bits": null,
                "origin": "confirmed", "state": "proposed" }],
        }),
        ("/v1/possible-matches" | "/v1/possible-matches/{id}/decisions" | "/v1/possible-matches/{id}/reversals", _) => {
            json!({ "id": ID, "disclosure": ID, "at": "2026-09-25T10:15:00.000000Z" })
        }
        ("/v1/agreements", _) => json!({ "agreements": [{
            "reference": "early-help-core/v1", "title": "Early help core agreement", "status": "in_force",
            "is_signed_by_caller": true, "starts": "2026-04-01", "ends": "2029-03-31", "review_due": "2027-06-30",
            "legacy_tokens": [],
            "supplies": [],
            "receives": [{ "id": "hub-screens", "plain": "The Hub may learn whether a referred family is eligible.",
                "suppliers": ["education"], "purposes": ["early-help-screening"], "modes": ["eligible", "areas"],
                "roles": ["hub-screener"], "daily_ceiling": 600, "onward": "none" }],
        }] }),
        ("/v1/policy/explain", _) => json!({
            "is_permitted": true, "covered": ["A2"], "withheld": ["A4"], "not_covered": ["A5", "A6"], "rules": [],
            "sentences": ["The answer may not be passed on."],
        }),
        ("/v1/token-checks", _) => json!({ "epoch": 1, "passed": true, "types": { "k3": "equal" } }),
        ("/v1/log/checkpoint", _) => {
            json!(format!("gw.example.gov.uk/2026\n0\n{TOKEN}=\n\n— gw.example.gov.uk/2026 …\n"))
        }
        ("/v1/log/cosignatures", "post") => json!({ "taken": 1 }),
        ("/v1/log/cosignatures", _) => answer("/v1/log/checkpoint", method),
        ("/v1/log/entries", _) => json!({
            "disclosure": ID, "receipt": receipt(), "size": 70000, "next": 69941,
            "entries": [{ "index": 69999, "event": ID, "entry": "{…}" }],
        }),
        ("/v1/log/entries/{id}", _) => json!({
            "disclosure": ID, "receipt": receipt(), "index": 69999, "entry": "{…}", "proof": "c2sp.org/tlog-proof@v1\n…",
            "texts": [{ "kind": "agreement", "sha256": "0".repeat(64), "is_there": true },
                      { "kind": "rules", "sha256": "0".repeat(64) }],
            "sentences": ["education might contribute A2 from its feed attendance: early-help-core/v1/supply-a2 and early-help-core/v1/hub-screens."],
        }),
        ("/v1/log/entries/{id}/replay", _) => json!({
            "disclosure": ID, "receipt": receipt(), "at": "2026-09-20T10:15:00.000000Z", "is_replayed": true, "missing": [],
            "then": { "is_same": true, "differences": [] },
            "today": { "is_same": false,
                       "differences": ["The entry permits A2 from the feed attendance of education; today it is withheld: The agreement is not in force. (R03)"] },
            "answer": "same",
        }),
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

fn statistics() -> Value {
    let figure = |count: Option<u64>, percent: Option<u64>| {
        let mark = count.is_none().then_some("c");
        let percent_mark = percent.is_none().then_some("c").filter(|_| count.is_none());
        json!({ "count": count, "mark": mark, "percent": percent, "percent_mark": percent_mark, "as_at": null })
    };
    json!({
        "disclosure": ID, "release": 4,
        "table": {
            "table": "number-of-areas", "title": "Families by number of areas", "profile": "public", "unit": "families",
            "base": figure(Some(1965), None), "as_at": "2026-09-20", "row_title": "number of areas met",
            "rows": ["2 areas", "3 areas", "4 areas", "all families"], "column_title": "count", "columns": ["families"],
            "figures": [[figure(Some(1435), Some(73))], [figure(None, None)], [figure(None, None)], [figure(Some(1965), None)]],
            "rule": "(what is hidden, and how the rest is rounded)", "marks": "[c] confidential",
            "notes": ["(what is counted)"], "known_conflicts": [],
            "sources": [{ "agency": "education", "feed": "attendance", "as_at": "2026-09-18", "is_late": false }],
            "source": null,
        },
        "onward": "none", "criteria_version": "2017-04-01", "receipt": receipt(),
    })
}

fn receipt() -> String {
    "gw.example.gov.uk/2026/receipt\n…\n".to_owned()
}

/// A problem with the members that its kind has on a path.
pub(super) fn decorated(path: &str, problem: Problem) -> Problem {
    match (path, problem.kind()) {
        ("/v1/enquiries" | "/v1/possible-matches/views", "no-agreement") => problem.with(|extras| {
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
    use crate::app::families::request::{FamilyDecision, FamilyEngagement, FamilyLead, FamilyLookup};
    use crate::app::match_run::RunTerms;
    use crate::app::screen::{ScreeningHead, ScreeningQuestion};
    use crate::domain::submission::{Header, RecordLine};
    use crate::domain::token_check::TokenCheck;
    use crate::web::api::agreements::TermsToExplain;
    use crate::web::api::enquiries::EnquiryView;
    use crate::web::api::families::{FamilyDecisionView, FamilyEngagementView, FamilyLookupView};
    use crate::web::api::feeds::FeedsView;
    use crate::web::api::match_runs::{
        MatchRunView, RepeatedRunView, RunDifferenceView, RunDisclosureView, RunFamiliesView, RunListView,
        RunReplyBody, RunStepBody, ValidationBody, WorkListBody, WorkListView,
    };
    use crate::web::api::possible_matches::{
        DoubtBody, PairsView, PossibleMatchesView, RecordedView, ReversalBody, VerdictBody, ViewBody,
    };
    use crate::web::api::relay::{GrantTaken, GrantsView, NewGrantBody};
    use crate::web::api::reviews::{FindingReplied, FindingsView, NewFindingReply};
    use crate::web::api::screenings::{RowsWanted, ScreeningReceived, ScreeningView};
    use crate::web::api::submissions::{
        ContinuationLine, SharedAddressesView, SubmissionReceived, SubmissionView, SubmissionsView, UploadView,
    };
    use crate::web::api::token::{TokenRequest, TokenView};
    use crate::web::api::token_checks::TokenCheckView;

    fn reads<T: DeserializeOwned>(example: Value) {
        serde_json::from_value::<T>(example).expect("the example has the form that the document gives");
    }

    #[test]
    fn examples_have_the_form_that_the_document_gives() {
        reads::<TokenRequest>(request("/oauth/token"));
        reads::<RunTerms>(request("/v1/match-runs"));
        reads::<RunStepBody>(request("/v1/match-runs/{id}/steps"));
        reads::<RunReplyBody>(request("/v1/match-runs/{id}/reply"));
        reads::<ValidationBody>(request("/v1/match-runs/{id}/validations"));
        reads::<MatchRunView>(answer("/v1/match-runs", "post"));
        reads::<RunListView>(answer("/v1/match-runs/{id}/list", "post"));
        reads::<WorkListBody>(request("/v1/match-runs/{id}/work-list"));
        reads::<WorkListView>(answer("/v1/match-runs/{id}/work-list", "post"));
        reads::<RunDisclosureView>(answer("/v1/match-runs/{id}/reply", "post"));
        reads::<RunDisclosureView>(answer("/v1/match-runs/{id}/validations", "post"));
        reads::<RepeatedRunView>(answer("/v1/match-runs/{id}/repeat", "post"));
        reads::<RunDifferenceView>(answer("/v1/match-runs/{id}/difference", "get"));
        reads::<RunFamiliesView>(answer("/v1/match-runs/{id}/families", "post"));
        reads::<Question>(request("/v1/enquiries"));
        reads::<TokenCheck>(request("/v1/token-checks"));
        reads::<TokenCheckView>(answer("/v1/token-checks", "post"));
        reads::<TermsToExplain>(request("/v1/policy/explain"));
        reads::<TokenView>(answer("/oauth/token", "post"));
        reads::<SubmissionReceived>(answer("/v1/submissions", "post"));
        reads::<SubmissionReceived>(answer("/v1/submissions/{id}/lines", "post"));
        reads::<SubmissionsView>(answer("/v1/submissions", "get"));
        reads::<UploadView>(answer("/v1/submissions/held", "post"));
        let text = rest_of_submission();
        serde_json::from_str::<ContinuationLine>(text.lines().next().expect("a line")).expect("a place");
        reads::<SubmissionView>(answer("/v1/submissions/{id}", "get"));
        reads::<SharedAddressesView>(answer("/v1/submissions/{id}/shared-addresses", "get"));
        reads::<NewGrantBody>(request("/v1/relay/grants"));
        reads::<GrantTaken>(answer("/v1/relay/grants", "post"));
        reads::<GrantsView>(answer("/v1/relay/grants", "get"));
        reads::<SubmissionView>(answer("/v1/submissions/{id}/retract", "post"));
        reads::<EnquiryView>(answer("/v1/enquiries", "post"));
        reads::<DoubtBody>(request("/v1/possible-matches"));
        reads::<VerdictBody>(request("/v1/possible-matches/{id}/decisions"));
        reads::<ReversalBody>(request("/v1/possible-matches/{id}/reversals"));
        reads::<ViewBody>(request("/v1/possible-matches/views"));
        reads::<PossibleMatchesView>(answer("/v1/possible-matches", "get"));
        reads::<RecordedView>(answer("/v1/possible-matches", "post"));
        reads::<PairsView>(answer("/v1/possible-matches/views", "post"));
        reads::<FamilyLookup>(request("/v1/families/lookup"));
        reads::<FamilyDecision>(request("/v1/families/decisions"));
        reads::<FamilyLead>(request("/v1/families/lead"));
        reads::<FamilyEngagement>(request("/v1/families/engagement"));
        reads::<FamilyLookupView>(answer("/v1/families/lookup", "post"));
        reads::<FamilyDecisionView>(answer("/v1/families/decisions", "post"));
        reads::<FamilyDecisionView>(answer("/v1/families/lead", "post"));
        reads::<FamilyEngagementView>(answer("/v1/families/engagement", "post"));
        reads::<crate::web::api::emergencies::EmergencyReviewBody>(request("/v1/emergencies/reviews"));
        reads::<crate::web::api::emergencies::EmergenciesView>(answer("/v1/emergencies", "get"));
        reads::<crate::web::api::emergencies::EmergencyReviewedView>(answer("/v1/emergencies/reviews", "post"));
        reads::<crate::web::api::not_to_share::NotSharingBody>(request("/v1/decisions-not-to-share"));
        reads::<crate::web::api::not_to_share::NotSharedView>(answer("/v1/decisions-not-to-share", "post"));
        reads::<crate::web::api::shields::ShieldsBody>(request("/v1/shields/list"));
        reads::<crate::web::api::shields::ShieldsView>(answer("/v1/shields/list", "post"));
        reads::<crate::web::api::shields::ShieldReviewBody>(request("/v1/shields/reviews"));
        reads::<crate::web::api::shields::ShieldReviewView>(answer("/v1/shields/reviews", "post"));
        reads::<crate::web::api::recalls::RecallBody>(request("/v1/recalls"));
        reads::<crate::web::api::recalls::RecallView>(answer("/v1/recalls", "post"));
        reads::<crate::web::api::notices::AcknowledgementBody>(request("/v1/notices/{id}/acknowledge"));
        reads::<crate::web::api::notices::AcknowledgedView>(answer("/v1/notices/{id}/acknowledge", "post"));
        reads::<FindingsView>(answer("/v1/reviews", "get"));
        reads::<NewFindingReply>(request("/v1/reviews/replies"));
        reads::<FindingReplied>(answer("/v1/reviews/replies", "post"));
        reads::<FeedsView>(answer("/v1/feeds", "get"));
        reads::<crate::web::api::statistics::StatisticsView>(answer("/v1/statistics/{table}", "get"));
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
