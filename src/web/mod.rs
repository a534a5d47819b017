//! HTTP: listeners, limits, problems.
//!
//! | file | what lives there |
//! |---|---|
//! | [`api`] | what agencies call: one file for each noun |
//! | [`console`] | pages for officers, the data team, auditors and the operator |
//! | [`tls`] | TLS for the agency and console listeners, followed while files change |
//! | [`serve`] | the accept loop and its limits |
//! | [`body`], [`json`] | reading bodies within limits; JSON whose errors repeat nothing |
//! | [`limits`] | time for a request, requests for a caller |
//! | [`problem`] | the closed table of problems |
//! | [`request_id`] | the id, span and figures of a request |
//! | [`operator`] | health, readiness and figures on a port of their own |
//!
//! A listener's router is finished by [`grounded`], then handed to [`serve::serve`].

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};

use crate::web::limits::{RequestLimits, within_time};

pub mod api;
pub mod body;
pub mod console;
pub mod json;
pub mod limits;
pub mod operator;
pub mod problem;
pub mod request_id;
pub mod serve;
pub mod tls;

/// Finishes a router once all its routes are there: problems for unknown paths and methods, a time
/// limit, a request id on every answer, and no framework text ever reaching the caller.
pub fn grounded(router: Router, limits: RequestLimits) -> Router {
    router
        .fallback(request_id::no_route)
        .method_not_allowed_fallback(request_id::no_method)
        .layer(from_fn_with_state(Arc::new(limits), within_time))
        .layer(from_fn(request_id::identify))
}

/// As [`grounded`], for pages: the router answers unknown paths itself, with a page.
pub fn grounded_pages(router: Router, limits: RequestLimits) -> Router {
    router.layer(from_fn_with_state(Arc::new(limits), within_time)).layer(from_fn(request_id::identify))
}
