//! `/v1/log`: the checkpoint and the hash tiles of the disclosure log, for whoever wants to watch it
//! grow (C2SP tlog-tiles). Entries are not here: they are for auditors.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;

use crate::app::caller::AgencyCaller;
use crate::app::gateway::Gateway;
use crate::tlog::tile::TileId;
use crate::web::problem::{Problem, kinds};

/// Gives the newest signed checkpoint.
#[utoipa::path(get, path = "/v1/log/checkpoint", operation_id = "log_checkpoint", tag = "log",
    security(("access_token" = [])),
    responses(
        (status = 200, description = "A signed note (C2SP tlog-checkpoint)", body = String, content_type = "text/plain"),
        (status = 404, description = "The log has no checkpoint yet"),
    ))]
pub async fn checkpoint(State(gateway): State<Gateway>, _caller: AgencyCaller) -> Result<Response, Problem> {
    let newest = gateway.store().newest_checkpoint().await?;
    let (_, _, note) = newest.ok_or_else(|| Problem::new(kinds::NOT_FOUND))?;
    Ok(answer("text/plain; charset=utf-8", Body::from(note)))
}

/// Gives a tile of hashes, whole or partial.
#[utoipa::path(get, path = "/v1/log/tile/{path}", operation_id = "log_tile", tag = "log",
    security(("access_token" = [])),
    params(("path" = String, Path,
        description = "Level and position, such as `0/000` or `0/x001/234.p/5`; its slashes are not escaped")),
    responses(
        (status = 200, description = "32 bytes for each hash", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 404, description = "The log has no such tile of hashes"),
    ))]
pub async fn tile(
    State(gateway): State<Gateway>,
    _caller: AgencyCaller,
    Path(path): Path<String>,
) -> Result<Response, Problem> {
    let not_found = || Problem::new(kinds::NOT_FOUND);
    let id = TileId::parse(&format!("tile/{path}")).ok_or_else(not_found)?;
    let mut data = gateway.store().log_tile(id.level, id.index).await?.ok_or_else(not_found)?;
    if data.len() < id.bytes() {
        return Err(not_found());
    }
    data.truncate(id.bytes()); // a tile that has grown since still serves its earlier, partial forms
    Ok(answer("application/octet-stream", Body::from(data)))
}

fn answer(media_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}
