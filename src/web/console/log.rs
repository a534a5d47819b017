//! The disclosure log: searched by what an entry says of agencies, law and time, never by a person.

use askama::Template;
use axum::extract::State;
use axum::http::Uri;
use jiff::civil::Date;

use super::Console;
use super::frame::{Failed, Frame, Shown};
use super::visitor::Visitor;
use super::{page, words};
use crate::app::log_access::search::{FoundLine, Search};
use crate::app::policies::Policies;
use crate::domain::time::Timestamp;
use crate::tlog::entry::{Code, Entry, Facet};
use crate::web::api::form;

/// Entries on a page.
const PER_PAGE: u32 = 25;

/// The fields of the search, and what they are called.
const FIELDS: [(Facet, &str); 7] = [
    (Facet::Agency, "Agency"),
    (Facet::Area, "Area"),
    (Facet::Power, "Legal power"),
    (Facet::Purpose, "Purpose"),
    (Facet::Rule, "Rule"),
    (Facet::Outcome, "Outcome"),
    (Facet::Kind, "Type of entry"),
];

#[derive(Template)]
#[template(path = "log.html")]
pub(super) struct LogPage {
    frame: Frame,
    fields: Vec<Field>,
    since: String,
    until: String,
    size: u64,
    lines: Vec<Line>,
    older: Option<String>,
    is_filtered: bool,
    look: String,
}

/// A field of the search.
struct Field {
    name: &'static str,
    label: &'static str,
    value: String,
    choices: Vec<Choice>,
}

/// Something to choose.
struct Choice {
    value: String,
    text: String,
    is_chosen: bool,
}

/// An entry of the list.
struct Line {
    index: u64,
    event: String,
    said: String,
}

/// Shows the page.
pub(super) async fn show(State(console): State<Console>, visitor: Visitor, uri: Uri) -> Result<Shown<LogPage>, Failed> {
    let frame = || visitor.frame("Disclosure log", &page::LOG);
    let policies = console.gateway().current_policies().await?;
    let malformed = |said| Failed::Malformed(Box::new(frame()), said);
    let query = uri.query().unwrap_or_default();
    let given = form::parse(query).map_err(|_| malformed("The address of this page is not one that it makes."))?;
    let text = |name: &str| given.get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    let mut search = Search { limit: PER_PAGE, ..Search::default() };
    for (facet, _) in FIELDS {
        if let Some(value) = text(facet.as_str()) {
            let code =
                Code::try_from(value).map_err(|_| malformed("One of the filters is not a code of the programme."))?;
            search.filters.push((facet, code));
        }
    }
    let day = |name: &str| -> Result<Option<Date>, Failed> {
        let read = |text: String| text.parse().map_err(|_| malformed("A day is written like 2026-09-20."));
        text(name).map(read).transpose()
    };
    let (since, until) = (day("since")?, day("until")?);
    search.since = since.map(Timestamp::start_of);
    search.until = until.and_then(|day| day.tomorrow().ok()).map(Timestamp::start_of);
    search.before = text("before").and_then(|before| before.parse().ok());
    let is_filtered = !search.filters.is_empty() || since.is_some() || until.is_some();

    let found = console.gateway().search_log(&visitor.caller(), &visitor.grounds(), &search).await;
    let found = found.map_err(|error| Failed::of_look(error, frame()))?;
    let fields = FIELDS.map(|(facet, label)| field(facet, label, text(facet.as_str()).unwrap_or_default(), &policies));
    Ok(Shown(LogPage {
        fields: fields.into(),
        since: text("since").unwrap_or_default(),
        until: text("until").unwrap_or_default(),
        size: found.size,
        older: found.next.map(|next| older(query, next)),
        lines: found.entries.iter().map(|line| told(line, &policies)).collect(),
        is_filtered,
        look: found.logged.disclosure.to_string(),
        frame: frame(),
    }))
}

fn told(line: &FoundLine, policies: &Policies) -> Line {
    let said = match Entry::parse(line.entry.as_bytes()) {
        Ok(entry) => words::sentence(&entry, policies),
        Err(_) => "An entry of a type that this version does not know.".to_owned(),
    };
    Line { index: line.index, event: line.event.to_string(), said }
}

/// The search goes on below an entry, with the same filters.
fn older(query: &str, next: u64) -> String {
    let kept = query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("before="));
    let next = format!("before={next}");
    format!("/log?{}", kept.chain([next.as_str()]).collect::<Vec<_>>().join("&"))
}

fn field(facet: Facet, label: &'static str, value: String, policies: &Policies) -> Field {
    let programme = policies.programme();
    let mut choices: Vec<(String, String)> = match facet {
        Facet::Agency => {
            policies.book().agencies().map(|agency| (agency.code().to_string(), agency.name().to_owned())).collect()
        }
        Facet::Area => programme.areas().iter().map(|area| (area.code.to_string(), area.plain.clone())).collect(),
        Facet::Purpose => {
            programme.purposes().iter().map(|purpose| (purpose.code.to_string(), purpose.plain.clone())).collect()
        }
        Facet::Rule => {
            let rules = policies.book().rules().forbids();
            rules.map(|hit| (hit.rule.clone(), format!("{}: {}", hit.rule, hit.say))).collect()
        }
        Facet::Outcome => {
            vec![("answered".to_owned(), "Answered".to_owned()), ("refused".to_owned(), "Refused".to_owned())]
        }
        Facet::Kind => {
            crate::tlog::entry::Body::KINDS.iter().map(|kind| ((*kind).to_owned(), (*kind).to_owned())).collect()
        }
        _ => Vec::new(),
    };
    choices.sort_by(|a, b| a.1.cmp(&b.1));
    let choices = choices.into_iter().map(|(code, text)| Choice { is_chosen: code == value, value: code, text });
    Field { name: facet.as_str(), label, choices: choices.collect(), value }
}
