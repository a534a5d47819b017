//! The canonical request, field by field: what each means in plain words, and exactly what stands there.
//!
//! Every field is here, under the name that it has in the text. The browser compares them with the text
//! before it signs, so that nobody signs what was not shown.

use super::{reid_words, words};
use crate::domain::ids::AgencyCode;
use crate::domain::law;
use crate::domain::reidentification::request::CanonicalRequest;
use crate::policy::book::PolicyBook;

/// A field of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) question: &'static str,
    /// What it means; empty where the field says it itself.
    pub(super) plain: String,
    /// Its name in the canonical text.
    pub(super) of: &'static str,
    /// What stands there.
    pub(super) exact: String,
}

/// What everybody has to weigh.
pub(super) fn asked(request: &CanonicalRequest, book: &PolicyBook) -> Vec<Row> {
    let row = |question, plain: String, of, exact: String| Row { question, plain, of, exact };
    let agency = |code: &AgencyCode| book.agency(code).map_or_else(String::new, |agency| agency.name().to_owned());
    let agreement = book.agreement(&request.agreement).map(|agreement| &agreement.text);
    let term = agreement.and_then(|text| text.reidentifies().iter().find(|term| term.id == request.term));
    let purpose = book.programme().purpose(&request.purpose).map(|purpose| purpose.plain.clone());
    let power = law::plain(&law::POWERS, request.power.as_str()).unwrap_or_default().to_owned();
    let fields = |word: &str, told: &dyn Fn(crate::domain::reidentification::Field) -> &'static str| {
        request.fields.iter().map(|field| told(*field)).collect::<Vec<_>>().join(word)
    };
    vec![
        row("Who asks", agency(&request.requester), "requester", request.requester.to_string()),
        row("In which role", String::new(), "role", request.role.to_string()),
        row("Which agency is asked", agency(&request.source), "source", request.source.to_string()),
        row("What for", purpose.unwrap_or_default(), "purpose", request.purpose.to_string()),
        row("By which law", power, "power", request.power.to_string()),
        row(
            "Under which agreement",
            agreement.map(|text| text.title().to_owned()).unwrap_or_default(),
            "agreement",
            request.agreement.to_string(),
        ),
        row(
            "Under which term of it",
            term.map(|term| term.plain.clone()).unwrap_or_default(),
            "term",
            request.term.to_string(),
        ),
        row("What they would learn", fields(", ", &reid_words::field), "fields", fields(", ", &|field| field.as_str())),
        row("Why this person", String::new(), "reason", request.reason.clone()),
        row(
            "Who could read it",
            "Whoever has the key of this id, which the data team keeps on its own machine".to_owned(),
            "recipient.key_id",
            request.recipient.key_id.clone(),
        ),
        row(
            "How many approve",
            "That many different people, one of them of the agency that is asked".to_owned(),
            "approvals",
            request.approvals.to_string(),
        ),
        row(
            "How it is handled",
            reid_words::handling(request.handling).to_owned(),
            "handling",
            request.handling.as_str().to_owned(),
        ),
        row("Asked on", words::moment(request.at), "at", request.at.to_string()),
        row("Until", words::moment(request.expires_at), "expires_at", request.expires_at.to_string()),
    ]
}

/// What is signed besides.
pub(super) fn besides(request: &CanonicalRequest) -> Vec<Row> {
    let row = |question, plain: &str, of, exact: String| Row { question, plain: plain.to_owned(), of, exact };
    let about = "A hash that only whoever asked can open: nobody else learns a family’s number from it";
    vec![
        row("About whom", about, "subject", request.subject.to_string()),
        row("Who asked, as a person", "The requester’s own reference", "user", request.user.as_str().to_owned()),
        row("Through which system", "", "client", request.client.clone()),
        row(
            "The agreement’s text",
            "SHA-256 of what was signed",
            "agreement_sha256",
            request.agreement_sha256.to_string(),
        ),
        row("The key that it is sealed to", "", "recipient.seal_key", request.recipient.seal_key.clone()),
        row("Programme", "", "programme", request.programme.to_string()),
        row("Number of the request", "", "id", request.id.to_string()),
        row("Form of the request", "", "v", request.v.to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::reidentification::request::tests::example;

    #[test]
    fn the_technical_fields_and_the_weighed_ones_are_all_that_a_request_has() {
        let value: serde_json::Value = serde_json::from_str(&example().text()).expect("JSON");
        let mut names = BTreeSet::new();
        for (name, value) in value.as_object().expect("an object") {
            match value.as_object() {
                Some(inner) => names.extend(inner.keys().map(|key| format!("{name}.{key}"))),
                None => drop(names.insert(name.clone())),
            }
        }
        let rows = asked(&example(), &crate::policy::fixtures::shipped_book()).into_iter().chain(besides(&example()));
        let shown: BTreeSet<String> = rows.map(|row| row.of.to_owned()).collect();
        assert_eq!(shown, names, "what is signed is shown, and nothing else");
    }
}
