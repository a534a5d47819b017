//! `porth statistics`, and the same over HTTP.

use std::path::Path;

use serde_json::Value;

use crate::cli::gateway::porth;
use crate::support::database::Backend;
use crate::support::gateway::TestGateway;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn published_figures_are_shown_protected_as_text_json_and_csv() {
    let file = "policies/reference/adult-offences.toml";
    let text = porth(root(), &["statistics", "figures", file]).done().out;
    assert!(text.contains("[c]") && text.contains("nearest 5") && text.contains("Known conflict"), "{text}");
    assert!(text.contains("Source: Cornwall Council"), "{text}");

    let json = porth(root(), &["--json", "statistics", "figures", file, "--threshold", "10"]).done().json();
    let counts: Vec<u64> = json["figures"]
        .as_array()
        .expect("rows")
        .iter()
        .flat_map(|row| row.as_array().expect("cells"))
        .filter_map(|figure| figure["count"].as_u64())
        .collect();
    assert!(!counts.is_empty() && counts.iter().all(|count| count % 5 == 0 && *count >= 10), "{counts:?}");

    let csv = porth(root(), &["statistics", "figures", file, "--profile", "internal", "--csv"]).done().out;
    let mut lines = csv.lines();
    assert!(lines.next().is_some_and(|head| head.starts_with("table,row,column,count,mark")));
    assert!(csv.contains("non-notifiable,all recorded,656"), "{csv}");

    let refused = porth(root(), &["statistics", "figures", file, "--threshold", "2"]);
    assert_eq!(refused.code, 78, "{refused:?}");
}

#[tokio::test]
async fn the_gateway_gives_tables_as_json_and_csv_to_those_who_may_have_them() {
    let home = TestGateway::start(Backend::Sqlite).await;
    let team = home.agency("programme-team").await;
    let path = "/v1/statistics/areas?agreement=programme-delivery/v1&role=data-analyst";
    let reply = team.call("GET", path, &[], "").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let given: Value = reply.json();
    assert_eq!(given["table"]["profile"], "public");
    assert!(given["receipt"].as_str().is_some_and(|receipt| receipt.starts_with("porth-receipt/v1")), "{given}");
    assert!(given["table"]["figures"].as_array().expect("rows").iter().flatten_counts().next().is_none(), "nobody yet");

    let csv = team.call("GET", &format!("{path}&format=csv&profile=internal"), &[], "").await;
    assert_eq!(csv.status, 200, "{csv:?}");
    assert!(csv.headers["content-type"].to_str().expect("text").starts_with("text/csv"));
    assert!(csv.headers.contains_key("porth-disclosure"));

    let housing = home.agency("housing").await;
    let refused = housing.call("GET", path, &[], "").await;
    assert_eq!((refused.status, refused.kind().as_str()), (403, "no-agreement"));
    let unknown = team.call("GET", &path.replace("areas", "everybody"), &[], "").await;
    assert_eq!((unknown.status, unknown.kind().as_str()), (404, "not-found"));
    let misspelt = team.call("GET", &format!("{path}&profil=internal"), &[], "").await;
    assert_eq!((misspelt.status, misspelt.kind().as_str()), (422, "invalid-field"));
    home.stop().await;
}

trait Counts {
    fn flatten_counts(self) -> impl Iterator<Item = u64>;
}

impl<'a, I: Iterator<Item = &'a Value>> Counts for I {
    fn flatten_counts(self) -> impl Iterator<Item = u64> {
        self.flat_map(|row| row.as_array().into_iter().flatten()).filter_map(|figure| figure["count"].as_u64())
    }
}
