//! The REST API of agencies' systems: one file for each noun.
//!
//! | file | what lives there |
//! |---|---|
//! | [`caller`] | who calls: certificate, access token, share of requests |
//! | [`token`] | `POST /oauth/token` |
//! | [`submissions`] | a feed is delivered and followed |
//! | [`enquiries`] | an agency asks about a person |
//! | [`agreements`] | the caller's agreements, and what they would allow |
//! | [`log`] | the log's checkpoint and hash tiles |
//! | [`relay`] | sealed linkage keys pass from a custodian to an agency |
//! | [`openapi`] | the document that describes all this, generated from the handlers |
//! | [`failures`] | what journeys' errors become |
//! | [`form`], [`idempotency`] | forms and queries; the `Idempotency-Key` |

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRef;
use axum::middleware::from_fn;
use axum::routing::{get, post};
use axum::{Extension, Router};

use crate::app::gateway::Gateway;
use crate::config::Limits;
use crate::web::body::BodyLimit;
use crate::web::limits::{RateLimiter, RatePolicy, RequestLimits};

pub mod agreements;
pub mod caller;
pub mod enquiries;
mod examples;
pub mod failures;
pub mod feeds;
pub mod form;
pub mod idempotency;
pub mod log;
pub mod openapi;
pub mod relay;
pub mod screenings;
pub mod submissions;
pub mod token;

/// The longest that a submission may take to arrive.
const UPLOAD: Duration = Duration::from_mins(30);
/// The largest body besides submissions: an enquiry with every token that it may carry is far smaller.
const BODY_BYTES: usize = 64 * 1024;

/// What handlers share.
#[derive(Clone)]
pub struct Api {
    parts: Arc<Parts>,
}

struct Parts {
    gateway: Gateway,
    limits: Limits,
    /// Shares of clients, once they are known.
    clients: RateLimiter,
    /// Shares of certificates: for fetching tokens, and for failing to be known.
    certificates: RateLimiter,
}

impl Api {
    fn new(gateway: Gateway, limits: Limits) -> Self {
        let policy = RatePolicy { burst: limits.burst, per_second: limits.requests_per_second };
        let (clients, certificates) = (RateLimiter::new(policy), RateLimiter::new(policy));
        Self { parts: Arc::new(Parts { gateway, limits, clients, certificates }) }
    }

    fn gateway(&self) -> &Gateway {
        &self.parts.gateway
    }
}

impl FromRef<Api> for Gateway {
    fn from_ref(api: &Api) -> Self {
        api.gateway().clone()
    }
}

/// The agency listener's router.
pub fn router(gateway: Gateway, limits: Limits) -> Router {
    let routes = Router::new()
        .route("/oauth/token", post(token::create))
        .route("/v1/submissions", post(submissions::create).get(submissions::list))
        .route("/v1/submissions/held", post(submissions::held))
        .route("/v1/submissions/{id}", get(submissions::show))
        .route("/v1/feeds", get(feeds::list))
        .route("/v1/submissions/{id}/lines", post(submissions::go_on))
        .route("/v1/submissions/{id}/retract", post(submissions::retract))
        .route("/v1/enquiries", post(enquiries::create))
        .route("/v1/screenings", post(screenings::create))
        .route("/v1/screenings/{id}", get(screenings::show))
        .route("/v1/screenings/{id}/rows", post(screenings::collect))
        .route("/v1/agreements", get(agreements::list))
        .route("/v1/policy/explain", post(agreements::explain))
        .route("/v1/log/checkpoint", get(log::checkpoint))
        .route("/v1/log/tile/{*path}", get(log::tile))
        .route("/v1/relay/grants", post(relay::post).get(relay::list))
        .route("/v1/relay/grants/{id}/acknowledgement", post(relay::acknowledge))
        .route("/openapi.json", get(openapi::show))
        .layer(from_fn(caller::tell_share))
        .layer(Extension(BodyLimit::bytes(BODY_BYTES)))
        .with_state(Api::new(gateway, limits));
    let times = RequestLimits {
        by_route: vec![("/v1/submissions", UPLOAD), ("/v1/submissions/{id}/lines", UPLOAD), ("/v1/screenings", UPLOAD)],
        ..RequestLimits::default()
    };
    super::grounded(routes, times)
}
