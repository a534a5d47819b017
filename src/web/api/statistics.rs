//! `/v1/statistics/{table}`: tables of counts that give nobody away.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, Uri, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};

use super::form;
use crate::app::caller::AgencyCaller;
use crate::app::gateway::Gateway;
use crate::app::statistics::{ReceiptedTable, TableWanted};
use crate::domain::ids::{AgreementRef, EventId, PurposeCode, RoleCode};
use crate::domain::statistics::profile::ProfileName;
use crate::domain::statistics::table::Table;
use crate::web::json::Json;
use crate::web::problem::{FieldError, FieldPath, Problem, kinds};

/// The purpose of tables, unless the caller names another that yields statistics.
const USUAL_PURPOSE: &str = "statistics";
/// Where an answer in CSV names its log entry.
const DISCLOSURE: HeaderName = HeaderName::from_static("porth-disclosure");

/// A table with its place in the log.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StatisticsView {
    /// The log entry of this disclosure.
    #[schema(value_type = String, format = "uuid")]
    pub disclosure: EventId,
    /// The number of the release; the same until the next month's.
    pub release: i64,
    /// The table.
    pub table: Table,
    /// What may be done with it: `none` means that it may not be passed on.
    pub onward: String,
    /// Version of the criteria that families were judged by.
    pub criteria_version: String,
    /// Signed promise that the entry is in the log.
    pub receipt: String,
}

/// Gives a table of counts, as released this month.
#[utoipa::path(get, path = "/v1/statistics/{table}", operation_id = "statistics", tag = "statistics",
    security(("access_token" = [])),
    params(
        ("table" = String, Path, description = "`areas`, `combinations`, `number-of-areas`, `localities`, `areas-by-locality`, `composition`; of families with a number `routes`, `validation-rounds` or `engagement`"),
        ("agreement" = String, Query, description = "The agreement whose receive clauses allow it, such as `programme-delivery/v1`"),
        ("role" = String, Query, description = "The role in which the asking person acts"),
        ("profile" = Option<String>, Query, description = "`public` (the default) or `internal`"),
        ("purpose" = Option<String>, Query, description = "A purpose that yields statistics; `statistics` by default"),
        ("format" = Option<String>, Query, description = "`json` (the default) or `csv`"),
    ),
    responses(
        (status = 200, description = "Decided, logged and given; with `format=csv` the table alone, as text/csv, and the log entry in the header `Porth-Disclosure`", body = StatisticsView),
        (status = 400, description = "The query cannot be read"),
        (status = 403, description = "No agreement in force allows it, or the day's enquiries of the clause are used up"),
        (status = 404, description = "There is no such table"),
        (status = 422, description = "A parameter is missing or not allowed"),
    ))]
pub async fn show(
    State(gateway): State<Gateway>,
    caller: AgencyCaller,
    Path(table): Path<String>,
    uri: Uri,
) -> Result<Response, Problem> {
    let (wanted, is_csv) = wanted(table, uri.query().unwrap_or_default())?;
    let given = gateway.statistics(&caller, &wanted).await?;
    if is_csv {
        return csv(&given);
    }
    let ReceiptedTable { disclosure, release, table, onward, criteria_version, receipt } = given;
    Ok(Json(StatisticsView { disclosure, release, table, onward, criteria_version, receipt }).into_response())
}

fn csv(given: &ReceiptedTable) -> Result<Response, Problem> {
    let mut response = Response::new(Body::from(given.table.csv()));
    let disclosure = HeaderValue::try_from(given.disclosure.to_string()).map_err(Problem::internal)?;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8; header=present"));
    headers.insert(DISCLOSURE, disclosure);
    Ok(response)
}

/// Reads the query. Unknown parameters are refused: a misspelt profile would otherwise be the default.
fn wanted(table: String, query: &str) -> Result<(TableWanted, bool), Problem> {
    const NAMES: [&str; 5] = ["agreement", "role", "profile", "purpose", "format"];
    let pairs = form::parse(query).map_err(|error| Problem::new(kinds::REQUEST_REFUSED).detail(error))?;
    if pairs.keys().any(|name| !NAMES.contains(&&**name)) {
        return Err(Problem::new(kinds::INVALID_FIELD).detail("a parameter that this path does not take"));
    }
    let value = |name: &str| pairs.get(name).map(|value| &**value);
    let refused = |name: &'static str, code: &'static str| {
        let message = "the parameter is missing or has a value that is not allowed";
        Problem::new(kinds::INVALID_FIELD).error(FieldError::new(&FieldPath::of(name), code, message))
    };
    let agreement: AgreementRef =
        value("agreement").and_then(|text| text.parse().ok()).ok_or_else(|| refused("agreement", "agreement"))?;
    let role = value("role").and_then(|text| RoleCode::parse(text).ok()).ok_or_else(|| refused("role", "role"))?;
    let purpose =
        PurposeCode::parse(value("purpose").unwrap_or(USUAL_PURPOSE)).map_err(|_| refused("purpose", "purpose"))?;
    let profile =
        ProfileName::parse(value("profile").unwrap_or("public")).ok_or_else(|| refused("profile", "profile"))?;
    let is_csv = match value("format").unwrap_or("json") {
        "json" => false,
        "csv" => true,
        _ => return Err(refused("format", "format")),
    };
    Ok((TableWanted { table, profile, agreement, purpose, role }, is_csv))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_or_missing_parameter_is_refused_and_not_repeated() {
        let good = "agreement=programme-delivery/v1&role=data-analyst";
        let (read, is_csv) = wanted("areas".to_owned(), good).expect("the rest has defaults");
        assert_eq!((read.profile, read.purpose.as_str(), is_csv), (ProfileName::Public, "statistics", false));
        for bad in ["", "role=data-analyst", "agreement=x&role=y"] {
            assert!(wanted("areas".to_owned(), bad).is_err(), "{bad}");
        }
        for more in ["profil=internal", "profile=exact", "format=xml", "role=data-analyst"] {
            let problem = wanted("areas".to_owned(), &format!("{good}&{more}")).expect_err(more);
            let document = serde_json::to_string(&problem.document(None)).expect("plain data");
            assert!(
                !document.contains("exact") && !document.contains("profil=") && !document.contains("xml"),
                "{document}"
            );
        }
    }
}
