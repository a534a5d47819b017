//! Requests in words.

use std::fmt::Write as _;

use serde_json::Value;

use crate::domain::reidentification::Handling;
use crate::domain::reidentification::identity::Identity;
use crate::domain::reidentification::request::CanonicalRequest;

/// A table of requests.
pub(super) fn table(requests: &[Value]) -> String {
    if requests.is_empty() {
        return "no request waits in which this agency has a part".to_owned();
    }
    let mut text = format!("{:<38}{:<11}{:<12}until", "request", "part", "state");
    for request in requests {
        let field = |name: &str| request[name].as_str().unwrap_or("-");
        let _ = write!(text, "\n{:<38}{:<11}{:<12}{}", field("id"), field("part"), field("state"), field("expires_at"));
    }
    text
}

/// Everything that a request says, for whoever is about to sign it.
pub(super) fn request(request: &CanonicalRequest) -> String {
    let fields: Vec<&str> = request.fields.iter().map(|field| field.as_str()).collect();
    let mut text = format!(
        "Request     {}\nAsked by    {}, as {}, through {}\nUser        {}\nAt          {}\nAsked of    {}\nFor         {}, on {} ({}, {})\nFields      {}\n\
         Reason      {}\nSealed to   {}\nApprovals   {} people\nUntil       {}\nSHA-256     {}",
        request.id,
        request.requester,
        request.role,
        request.client,
        request.user.as_str(),
        request.at,
        request.source,
        request.purpose,
        request.power,
        request.agreement,
        request.term,
        fields.join(", "),
        request.reason,
        request.recipient.key_id,
        request.approvals,
        request.expires_at,
        request.hash(),
    );
    if request.handling == Handling::Emergency {
        text.push_str("\nEMERGENCY   it will be reviewed today");
    }
    text
}

/// An identity, for the source's own eyes or the data team's.
pub(super) fn identity(identity: &Identity) -> String {
    identity.fields().map(|(field, text)| format!("{:<16}{text}", field.as_str())).collect::<Vec<_>>().join("\n")
}
