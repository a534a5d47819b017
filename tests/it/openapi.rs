//! The OpenAPI document: kept in the repository, served as kept, and complete.

use porth::web::api::openapi::{document, text};

use crate::support::agency::request;
use crate::support::database::Backend;
use crate::support::gateway::TestGateway;

#[test]
fn the_document_in_the_repository_is_the_generated_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
    if std::env::var_os("PORTH_WRITE_DOCS").is_some() {
        std::fs::write(path, text()).expect("written");
    }
    let kept = std::fs::read_to_string(path).expect("docs/openapi.json is there");
    assert!(kept == text(), "docs/openapi.json is stale: run this test with PORTH_WRITE_DOCS=1");
}

#[test]
fn every_reference_in_the_document_leads_somewhere() {
    fn references(value: &serde_json::Value, found: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(members) => {
                found.extend(members.get("$ref").and_then(|it| it.as_str()).map(str::to_owned));
                members.values().for_each(|member| references(member, found));
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 10);
    for reference in found {
        let pointer = reference.strip_prefix('#').expect("a reference inside the document");
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn the_document_is_served_without_an_access_token() {
    let gateway = TestGateway::start(Backend::Sqlite).await;
    let agency = gateway.agency("education").await;
    let reply = agency.connect().await.send(request("GET", "/openapi.json", &[], "")).await.expect("an answer");
    assert_eq!(reply.status, 200);
    assert_eq!(reply.body, text());
    gateway.stop().await;
}
