//! Examples of answers in cases of people's rights.

use serde_json::{Value, json};

use super::{ID, REFERENCE, receipt};
use crate::domain::subject_case::NEITHER_CONFIRM_NOR_DENY;

/// The example of an answer of one of these paths.
pub(super) fn answer(path: &str, method: &str) -> Value {
    let entry = json!({ "disclosure": ID, "at": "2026-09-20T10:15:00.000000Z", "receipt": receipt() });
    let case = json!({
        "id": ID, "right": "access", "state": "open", "opened_at": "2026-09-20T10:15:00.000000Z",
        "due_on": "2026-10-20", "extended": false, "overdue": false, "protection": "case-key",
    });
    let part = json!({
        "id": ID, "right": "access", "due_on": "2026-10-20", "overdue": false, "reply_key": null, "outcome": null,
    });
    let complaint = json!({
        "id": ID, "about": "delay", "case": ID, "received_at": "2026-09-20T10:15:00.000000Z",
        "acknowledge_by": "2026-10-20", "state": "received", "outcome": null,
    });
    let mut answer = match (path, method) {
        ("/v1/subject-cases", "get") => json!({ "cases": [case] }),
        ("/v1/subject-cases" | "/v1/subject-cases/{id}/steps", _) => json!({ "case": case, "entry": entry }),
        ("/v1/subject-cases/{id}/data" | "/v1/subject-parts/{id}/data", _) => json!({
            "records": [{
                "feed": "attendance", "ref": REFERENCE, "as_at": "2026-09-18", "says": { "role": "child" },
                "restricted": false, "contested": ["E1"],
            }],
            "disclosures": [{
                "disclosure": ID, "at": "2026-09-01T10:15:00.000000Z", "kind": "enquiry",
                "recipient": "early-help-hub", "purpose": "family-support", "mode": "areas",
                "agreement": "early-help-core/v1", "items": ["A2"],
            }],
            "entry": entry,
        }),
        ("/v1/subject-cases/{id}/replies", _) => json!({
            "replies": [{ "part": ID, "protection": "case-key", "body": "AAAA" }], "entry": entry,
        }),
        ("/v1/subject-parts", _) => json!({ "parts": [part] }),
        ("/v1/subject-parts/{id}/answers", _) => json!({ "part": part, "entry": entry }),
        ("/v1/subject-complaints", "get") => json!({ "complaints": [complaint] }),
        ("/v1/subject-complaints" | "/v1/subject-complaints/{id}/steps", _) => {
            json!({ "complaint": complaint, "entry": entry })
        }
        _ => json!({ "entry": entry }),
    };
    answer["statement"] = Value::String(NEITHER_CONFIRM_NOR_DENY.to_owned());
    answer
}

#[cfg(test)]
mod tests {
    use super::super::request;
    use super::*;
    use crate::web::api::subject_cases::views::{
        ActorBody, CaseBody, CaseDoneView, CasesView, ClockBody, ComplaintBody, ComplaintDoneView, ComplaintStepBody,
        ComplaintsView, LiftBody, OwnDataView, PartDoneView, PartsView, RepliesView, SubjectDoneView,
        VerdictBodyOfRight,
    };

    fn reads<T: serde::de::DeserializeOwned>(value: Value) {
        serde_json::from_value::<T>(value).expect("the example has the type's form");
    }

    #[test]
    fn every_example_has_the_form_of_its_type() {
        reads::<CaseBody>(request("/v1/subject-cases"));
        for path in ["/v1/subject-cases/{id}/data", "/v1/subject-cases/{id}/replies", "/v1/subject-parts/{id}/data"] {
            reads::<ActorBody>(request(path));
        }
        reads::<ClockBody>(request("/v1/subject-cases/{id}/steps"));
        for path in ["/v1/subject-cases/{id}/decisions", "/v1/subject-parts/{id}/answers"] {
            reads::<VerdictBodyOfRight>(request(path));
        }
        reads::<LiftBody>(request("/v1/subject-parts/{id}/lifts"));
        reads::<ComplaintBody>(request("/v1/subject-complaints"));
        reads::<ComplaintStepBody>(request("/v1/subject-complaints/{id}/steps"));
        reads::<CasesView>(answer("/v1/subject-cases", "get"));
        reads::<CaseDoneView>(answer("/v1/subject-cases", "post"));
        reads::<OwnDataView>(answer("/v1/subject-parts/{id}/data", "post"));
        reads::<RepliesView>(answer("/v1/subject-cases/{id}/replies", "post"));
        reads::<PartsView>(answer("/v1/subject-parts", "get"));
        reads::<PartDoneView>(answer("/v1/subject-parts/{id}/answers", "post"));
        reads::<SubjectDoneView>(answer("/v1/subject-cases/{id}/decisions", "post"));
        reads::<ComplaintsView>(answer("/v1/subject-complaints", "get"));
        reads::<ComplaintDoneView>(answer("/v1/subject-complaints/{id}/steps", "post"));
    }
}
