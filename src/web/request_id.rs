//! A request id on every answer, and the span and figures that go with a request.
//!
//! The span knows the method, the *template* of the route and the status: never the path as sent,
//! the query, a header or a body. An id that a caller sends is ignored, because it would be logged.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::web::problem::{Problem, Rendered, kinds};

/// The header that carries the id.
pub const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The route of a request that matched none.
const UNMATCHED: &str = "unmatched";

/// The id of one request: random, made here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId(Uuid);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// Middleware, outermost: gives the request its id, span, figures and the headers that every answer has.
pub async fn identify(mut request: Request, next: Next) -> Response {
    let id = RequestId(Uuid::now_v7());
    let method = method_name(request.method());
    let route = route_of(&request);
    request.extensions_mut().insert(id);

    let span = tracing::info_span!("request", request.id = %id, http.method = method, http.route = %route);
    let started = Instant::now();
    let answered = AssertUnwindSafe(next.run(request).instrument(span.clone())).catch_unwind().await;
    let mut response = finished(answered.unwrap_or_else(|_| after_panic()), id);

    let elapsed = started.elapsed();
    let status = response.status().as_u16();
    span.in_scope(|| tracing::info!(http.status = status, duration_ms = elapsed.as_millis() as u64, "answered"));
    let labels = [("method", method.to_owned()), ("route", route)];
    metrics::histogram!("porth_http_request_seconds", &labels).record(elapsed.as_secs_f64());
    metrics::counter!("porth_http_requests_total", "method" => method, "route" => labels[1].1.clone(),
        "status" => status.to_string())
    .increment(1);

    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.entry(header::X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
    // A hyphenated UUID is always a valid value.
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        headers.insert(REQUEST_ID_HEADER, value);
    }
    response
}

/// A panic's own text may hold data and is dropped; the panic hook has logged where it happened.
fn after_panic() -> Response {
    metrics::counter!("porth_panics_total").increment(1);
    Problem::new(kinds::INTERNAL).into_response()
}

/// The template of the route that the request matched, such as `/v1/submissions/{id}`.
pub fn route_of(request: &Request) -> String {
    request.extensions().get::<MatchedPath>().map_or(UNMATCHED, MatchedPath::as_str).to_owned()
}

/// Puts the id into a problem, and turns a framework's own plain-text refusal, which may repeat
/// input, into a problem.
fn finished(response: Response, id: RequestId) -> Response {
    let problem = match response.extensions().get::<Rendered>() {
        Some(Rendered(problem)) => Arc::clone(problem),
        None if is_plain_refusal(&response) => Arc::new(problem_of_status(&response)),
        None => return response,
    };
    let mut rendered = problem.render(Some(id));
    for (name, value) in response.headers() {
        let is_about_the_old_body = matches!(*name, header::CONTENT_LENGTH | header::CONTENT_TYPE);
        if !is_about_the_old_body && !rendered.headers().contains_key(name) {
            rendered.headers_mut().append(name, value.clone());
        }
    }
    rendered
}

fn is_plain_refusal(response: &Response) -> bool {
    let is_refusal = response.status().is_client_error() || response.status().is_server_error();
    let content_type = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    is_refusal && content_type.is_none_or(|value| value.starts_with(b"text/plain"))
}

fn problem_of_status(response: &Response) -> Problem {
    Problem::new(match response.status().as_u16() {
        401 => kinds::UNAUTHENTICATED,
        404 => kinds::NOT_FOUND,
        405 => kinds::METHOD_NOT_ALLOWED,
        408 => kinds::BODY_TIMEOUT,
        413 => kinds::TOO_LARGE,
        415 => kinds::UNSUPPORTED_MEDIA_TYPE,
        429 => kinds::RATE_LIMITED,
        status if status < 500 => kinds::REQUEST_REFUSED,
        _ => kinds::INTERNAL,
    })
}

/// Methods are a label of our figures, so an invented one must not make a new series.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

/// The answer to a path that no route has.
pub(crate) async fn no_route() -> Response {
    Problem::new(kinds::NOT_FOUND).into_response()
}

/// The answer to a method that a route does not take.
pub(crate) async fn no_method() -> Response {
    Problem::new(kinds::METHOD_NOT_ALLOWED).into_response()
}
