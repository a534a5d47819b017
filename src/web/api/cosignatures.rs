//! `/v1/log/cosignatures`: witnesses hand over what they cosigned, and anybody may have it; and the
//! stop of releases when they have fallen silent.

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use super::Api;
use crate::app::caller::AgencyCaller;
use crate::app::gateway::Gateway;
use crate::web::body::{BodyLimit, read_whole};
use crate::web::json::Json;
use crate::web::problem::{Problem, kinds};

/// The longest note: a checkpoint with a hundred signatures is shorter.
const NOTE_BYTES: usize = 32 * 1024;
/// What goes on while releases are stopped: what tells nobody about a person in another agency's data.
pub const GOES_ON: &[&str] = &[
    "/oauth/token",
    "/openapi.json",
    "/v1/submissions",
    "/v1/submissions/held",
    "/v1/submissions/{id}",
    "/v1/submissions/{id}/lines",
    "/v1/submissions/{id}/retract",
    "/v1/feeds",
    "/v1/token-checks",
    "/v1/agreements",
    "/v1/decisions-not-to-share",
    "/v1/emergencies",
    "/v1/emergencies/reviews",
    "/v1/recalls",
    "/v1/shields/list",
    "/v1/shields/reviews",
    "/v1/policy/explain",
    "/v1/log/checkpoint",
    "/v1/log/tile/{*path}",
    "/v1/log/cosignatures",
    "/v1/log/entries",
    "/v1/log/entries/{id}",
    "/v1/log/entries/{id}/replay",
    "/v1/reviews",
    "/v1/reviews/replies",
    "/v1/relay/grants",
    "/v1/relay/grants/{id}/acknowledgement",
];

/// What became of cosignatures.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct CosignaturesTaken {
    /// How many witnesses' cosignatures were taken.
    pub taken: usize,
}

/// Takes a checkpoint that a witness cosigned (C2SP tlog-cosignature).
#[utoipa::path(post, path = "/v1/log/cosignatures", operation_id = "cosign_log", tag = "log",
    security(("access_token" = [])),
    request_body(content = String, content_type = "text/plain", description = "The checkpoint as a signed note, with the cosignature"),
    responses(
        (status = 200, description = "Taken", body = CosignaturesTaken),
        (status = 404, description = "This gateway has no witnesses"),
        (status = 409, description = "The checkpoint is not one that this log signed: evidence, keep it"),
        (status = 413, description = "The body is too long"),
        (status = 422, description = "Not a checkpoint with a cosignature of a witness that this gateway knows"),
    ))]
pub async fn create(
    State(gateway): State<Gateway>,
    _caller: AgencyCaller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<CosignaturesTaken>, Problem> {
    let note = read_whole(&headers, body, BodyLimit::bytes(NOTE_BYTES)).await?;
    Ok(Json(CosignaturesTaken { taken: gateway.take_cosignatures(&note).await? }))
}

/// Gives the newest checkpoint that enough witnesses cosigned, with their cosignatures.
#[utoipa::path(get, path = "/v1/log/cosignatures", operation_id = "cosigned_checkpoint", tag = "log",
    security(("access_token" = [])),
    responses(
        (status = 200, description = "A signed note (C2SP tlog-checkpoint, tlog-cosignature)", body = String, content_type = "text/plain"),
        (status = 404, description = "No checkpoint was cosigned yet"),
    ))]
pub async fn show(State(gateway): State<Gateway>, _caller: AgencyCaller) -> Result<Response, Problem> {
    let note = gateway.cosigned_checkpoint(u64::MAX).await?;
    let mut response = Response::new(Body::from(note.ok_or_else(|| Problem::new(kinds::NOT_FOUND))?));
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, text);
    Ok(response)
}

/// Middleware: nothing is released while witnesses are late, whichever path it would leave by.
pub async fn stop_unwitnessed(State(api): State<Api>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let goes_on = path.is_none_or(|path| GOES_ON.contains(&path));
    if !goes_on && let Err(late) = api.gateway().check_witnesses().await {
        return Problem::from(late).into_response();
    }
    next.run(request).await
}
