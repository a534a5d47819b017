//! The programme's tables of counts, each with charts. Every look at one is decided, charged and logged by
//! the journey that publishes them; the page draws what it gives, and nothing else.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::Uri;

use super::Console;
use super::asking;
use super::chart::{self, Cell, Chart};
use super::frame::{Failed, Frame, Shown};
use super::visitor::Visitor;
use super::{page, words};
use crate::app::policies::Policies;
use crate::app::statistics::{StatisticsError, TableWanted};
use crate::domain::statistics::catalogue::TABLES;
use crate::domain::statistics::numbered::NUMBERED_TABLES;
use crate::domain::statistics::profile::ProfileName;
use crate::domain::statistics::table::{SourceFeed, Table};

#[derive(Template)]
#[template(path = "tables.html")]
pub(super) struct TablesPage {
    frame: Frame,
    groups: [Group; 2],
}

/// Tables that count the same families.
struct Group {
    heading: &'static str,
    plain: &'static str,
    tables: Vec<(String, &'static str)>,
}

#[derive(Template)]
#[template(path = "table.html")]
pub(super) struct TablePage {
    frame: Frame,
    title: String,
    finding: String,
    as_at: String,
    base: String,
    is_exact: bool,
    path: String,
    charts: Vec<Chart>,
    row_title: String,
    columns: Vec<String>,
    rows: Vec<(String, Vec<Cell>)>,
    rule: String,
    marks: String,
    notes: Vec<String>,
    conflicts: Vec<String>,
    sources: Vec<String>,
    criteria_version: String,
    onward: &'static str,
    release: i64,
    look: String,
}

/// Shows which tables there are; no figure is read for that.
pub(super) async fn list(visitor: Visitor) -> Shown<TablesPage> {
    let line = |name: &str| (format!("/tables/{name}"), told(name));
    let groups = [
        Group {
            heading: "Households of the day",
            plain: "Families as the addresses of today make them, which meet criteria in enough areas.",
            tables: TABLES.iter().map(|name| line(name)).collect(),
        },
        Group {
            heading: "Families with a number",
            plain: "Families that the programme keeps, of whom somebody’s record may be counted.",
            tables: NUMBERED_TABLES.iter().map(|name| line(name)).collect(),
        },
    ];
    Shown(TablesPage { frame: visitor.frame("Programme tables", &page::TABLES), groups })
}

/// Shows a table.
pub(super) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    Path(table): Path<String>,
    uri: Uri,
) -> Result<Shown<TablePage>, Failed> {
    let frame = || visitor.frame("One table", &page::TABLES);
    if !TABLES.iter().chain(&NUMBERED_TABLES).any(|known| *known == table) {
        return Err(Failed::Unknown(Box::new(frame())));
    }
    let profile = match asking::parameter(&uri, "profile").as_deref() {
        None | Some("internal") => ProfileName::Internal,
        Some("public") => ProfileName::Public,
        Some(_) => {
            return Err(Failed::Malformed(Box::new(frame()), "The address of this page is not one that it makes."));
        }
    };
    let policies = console.gateway().current_policies().await?;
    let purpose = policies.programme().purposes().iter().find(|purpose| purpose.statistical);
    let purpose = purpose.ok_or_else(|| {
        Failed::Stopped(Box::new(frame()), "The programme’s file declares no purpose that yields tables.".to_owned())
    })?;
    let wanted = TableWanted {
        table: table.clone(),
        profile,
        agreement: visitor.access.agreement.clone(),
        purpose: purpose.code.clone(),
        role: visitor.access.role.clone(),
    };
    let given =
        console.gateway().statistics(&visitor.caller(), &wanted).await.map_err(|error| refused(error, frame()))?;
    Ok(Shown(TablePage {
        path: format!("/tables/{table}"),
        is_exact: profile == ProfileName::Internal,
        release: given.release,
        criteria_version: given.criteria_version,
        onward: if given.onward == "none" { "It may be passed on to nobody." } else { "" },
        look: given.disclosure.to_string(),
        ..drawn(&given.table, &policies, frame())
    }))
}

fn drawn(table: &Table, policies: &Policies, frame: Frame) -> TablePage {
    let row = |(label, figures): (&String, &Vec<_>)| (label.clone(), figures.iter().map(chart::cell).collect());
    TablePage {
        frame,
        title: table.title.clone(),
        finding: chart::finding(table),
        as_at: words::day(table.as_at),
        base: table.base.map_or_else(
            || "not given".to_owned(),
            |base| match base.count {
                Some(_) => format!("{} {}", chart::said(&base), table.unit.as_str()),
                None => chart::said(&base),
            },
        ),
        is_exact: true,
        path: String::new(),
        charts: chart::charts(table),
        row_title: table.row_title.clone(),
        columns: table.columns.clone(),
        rows: table.rows.iter().zip(&table.figures).map(row).collect(),
        rule: table.rule.clone(),
        marks: table.marks.clone(),
        notes: table.notes.clone(),
        conflicts: table.known_conflicts.clone(),
        sources: table.sources.iter().map(|source| source_said(source, policies)).collect(),
        criteria_version: String::new(),
        onward: "",
        release: 0,
        look: String::new(),
    }
}

fn source_said(source: &SourceFeed, policies: &Policies) -> String {
    let agency = source.agency.parse().ok();
    let name = agency.map_or_else(|| source.agency.clone(), |code| words::agency(policies, &code));
    let late = if source.is_late { ", late" } else { "" };
    format!("{name}, {}, as at {}{late}", source.feed, words::day(source.as_at))
}

fn refused(error: StatisticsError, frame: Frame) -> Failed {
    match error {
        StatisticsError::NotPermitted { hits, .. } => Failed::NotPermitted(Box::new(frame), hits),
        StatisticsError::CeilingReached { .. } => Failed::TooMany(Box::new(frame)),
        StatisticsError::Question(_) => Failed::Malformed(
            Box::new(frame),
            "The programme knows no such role or purpose: an operator has to mend this part's line of access.",
        ),
        StatisticsError::App(error) => Failed::Ours(error),
        // A programme with too many areas or no localities lays out fewer tables.
        StatisticsError::UnknownTable => Failed::Stopped(
            Box::new(frame),
            "This programme has no such table: it has too many areas for it, or no localities.".to_owned(),
        ),
    }
}

/// What a table counts, in plain words.
fn told(name: &str) -> &'static str {
    match name {
        "areas" => "Families by criteria area",
        "combinations" => "Families by the exact areas that they meet",
        "number-of-areas" => "Families by number of areas",
        "localities" => "Families by part of the district",
        "areas-by-locality" => "Families by criteria area and part of the district",
        "composition" => "Families by who is in them",
        "routes" => "Families by how they came to the programme",
        "validation-rounds" => "Families that data matching found, by round",
        "engagement" => "Families by engagement, months since contact and lead agency",
        _ => "Another table",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_of_the_catalogue_has_its_words() {
        for name in TABLES.iter().chain(&NUMBERED_TABLES) {
            assert_ne!(told(name), "Another table", "{name}");
        }
    }
}
