//! The REST API of agencies' systems: one file for each noun.
//!
//! | file | what lives there |
//! |---|---|
//! | [`caller`] | who calls: certificate, access token, share of requests |
//! | [`token`] | `POST /oauth/token` |
//! | [`submissions`] | a feed is delivered and followed |
//! | [`token_checks`] | a system shows that it makes the right tokens |
//! | [`enquiries`] | an agency asks about a person |
//! | [`possible_matches`] | an agency verifies records of its own; the data team looks at pairs |
//! | [`match_runs`] | the data team runs a match in stages, the benefits agency is asked, holders validate |
//! | [`families`] | the programme team keeps families |
//! | [`agreements`] | the caller's agreements, and what they would allow |
//! | [`claims`] | a family is engaged, and a claim for a result checked |
//! | [`referrals`] | a referral is taken step by step to where it ends |
//! | [`subject_cases`] | people use their rights: cases, the parts of source controllers, complaints |
//! | [`preview`] | what another programme file would change, in counts |
//! | [`statistics`] | tables of counts |
//! | [`emergencies`] | which emergency enquiries wait for a review, and their reviews |
//! | [`not_to_share`] | an agency decided not to share |
//! | [`recalls`], [`notices`] | a wrong match is recalled; an agency's inbox |
//! | [`shields`] | an agency's own shields |
//! | [`log`] | the log's checkpoint and hash tiles |
//! | [`log_entries`] | officers and auditors search the log, read an entry, replay its decision |
//! | [`cosignatures`] | witnesses cosign the log; releases stop when they fall silent |
//! | [`reviews`] | an agency reads findings about its own disclosures, and replies |
//! | [`relay`] | sealed linkage keys pass from a custodian to an agency |
//! | [`openapi`] | the document that describes all this, generated from the handlers |
//! | [`failures`] | what journeys' errors become |
//! | [`form`], [`idempotency`] | forms and queries; the `Idempotency-Key` |

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRef;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use axum::{Extension, Router};

use crate::app::gateway::Gateway;
use crate::config::Limits;
use crate::web::body::BodyLimit;
use crate::web::limits::{RateLimiter, RatePolicy, RequestLimits};

pub mod agreements;
pub mod caller;
pub mod claims;
pub mod cosignatures;
pub mod emergencies;
pub mod enquiries;
mod examples;
pub mod failures;
pub mod families;
pub mod feeds;
pub mod form;
pub mod idempotency;
pub mod log;
pub mod log_entries;
pub mod match_runs;
pub mod not_to_share;
pub mod notices;
pub mod openapi;
pub mod possible_matches;
pub mod preview;
pub mod recalls;
pub mod referrals;
pub mod relay;
pub mod reviews;
pub mod screenings;
pub mod shields;
pub mod statistics;
pub mod subject_cases;
pub mod submissions;
pub mod token;
pub mod token_checks;

/// The longest that a submission may take to arrive.
const UPLOAD: Duration = Duration::from_mins(30);
/// The largest body besides submissions: an enquiry with every token that it may carry is far smaller.
const BODY_BYTES: usize = 64 * 1024;
/// An answer for each of some fifty thousand households.
const RUN_REPLY_BYTES: usize = 4 * 1024 * 1024;
/// Every token that sixty-four people may have, in text.
const TOKEN_CHECK_BYTES: usize = 512 * 1024;

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
    let api = Api::new(gateway, limits);
    let routes = Router::new()
        .route("/oauth/token", post(token::create))
        .route("/v1/submissions", post(submissions::create).get(submissions::list))
        .route("/v1/submissions/held", post(submissions::held))
        .route("/v1/submissions/{id}", get(submissions::show))
        .route("/v1/feeds", get(feeds::list))
        .route("/v1/submissions/{id}/lines", post(submissions::go_on))
        .route("/v1/submissions/{id}/retract", post(submissions::retract))
        .route("/v1/submissions/{id}/shared-addresses", get(submissions::shared_addresses))
        .route("/v1/enquiries", post(enquiries::create))
        .route("/v1/emergencies", get(emergencies::list))
        .route("/v1/emergencies/reviews", post(emergencies::review))
        .route("/v1/decisions-not-to-share", post(not_to_share::create))
        .route("/v1/recalls", post(recalls::create))
        .route("/v1/notices", get(notices::list))
        .route("/v1/notices/{id}/acknowledge", post(notices::acknowledge))
        .route("/v1/shields/list", post(shields::list))
        .route("/v1/shields/reviews", post(shields::review))
        .route("/v1/screenings", post(screenings::create))
        .route("/v1/screenings/{id}", get(screenings::show))
        .route("/v1/screenings/{id}/rows", post(screenings::collect))
        .route("/v1/token-checks", post(token_checks::create).layer(Extension(BodyLimit::bytes(TOKEN_CHECK_BYTES))))
        .route("/v1/statistics/{table}", get(statistics::show))
        .route("/v1/possible-matches", get(possible_matches::list).post(possible_matches::raise))
        .route("/v1/possible-matches/views", post(possible_matches::view))
        .route("/v1/possible-matches/{id}/decisions", post(possible_matches::decide))
        .route("/v1/possible-matches/{id}/reversals", post(possible_matches::reverse))
        .route("/v1/match-runs", post(match_runs::begin))
        .route("/v1/match-runs/{id}", get(match_runs::show))
        .route("/v1/match-runs/{id}/steps", post(match_runs::advance))
        .route("/v1/match-runs/{id}/list", post(match_runs::list))
        .route("/v1/match-runs/{id}/reply", post(match_runs::reply).layer(Extension(BodyLimit::bytes(RUN_REPLY_BYTES))))
        .route("/v1/match-runs/{id}/families", post(match_runs::families))
        .route("/v1/match-runs/{id}/repeat", post(match_runs::repeat))
        .route("/v1/match-runs/{id}/difference", get(match_runs::difference))
        .route("/v1/match-runs/{id}/work-list", post(match_runs::work_list))
        .route("/v1/match-runs/{id}/validations", post(match_runs::validate))
        .route("/v1/families/lookup", post(families::lookup))
        .route("/v1/families/decisions", post(families::decide))
        .route("/v1/families/lead", post(families::lead))
        .route("/v1/families/engagement", post(families::engagement))
        .route("/v1/agreements", get(agreements::list))
        .route("/v1/policy/explain", post(agreements::explain))
        .route("/v1/policy/preview", post(preview::create))
        .route("/v1/families/baseline", post(claims::engage))
        .route("/v1/families/claim-check", post(claims::check_claim))
        .route("/v1/referrals", post(referrals::create))
        .route("/v1/referrals/steps", post(referrals::step))
        .route("/v1/subject-cases", post(subject_cases::open).get(subject_cases::list))
        .route("/v1/subject-cases/{id}/data", post(subject_cases::case_data))
        .route("/v1/subject-cases/{id}/steps", post(subject_cases::step))
        .route("/v1/subject-cases/{id}/decisions", post(subject_cases::decide))
        .route("/v1/subject-cases/{id}/lifts", post(subject_cases::lift_case))
        .route("/v1/subject-cases/{id}/replies", post(subject_cases::replies))
        .route("/v1/subject-parts", get(subject_cases::parts))
        .route("/v1/subject-parts/{id}/data", post(subject_cases::part_data))
        .route("/v1/subject-parts/{id}/answers", post(subject_cases::answer))
        .route("/v1/subject-parts/{id}/lifts", post(subject_cases::lift_part))
        .route("/v1/subject-complaints", post(subject_cases::complain).get(subject_cases::complaints))
        .route("/v1/subject-complaints/{id}/steps", post(subject_cases::step_complaint))
        .route("/v1/log/checkpoint", get(log::checkpoint))
        .route("/v1/log/tile/{*path}", get(log::tile))
        .route("/v1/log/cosignatures", post(cosignatures::create).get(cosignatures::show))
        .route("/v1/log/entries", get(log_entries::search))
        .route("/v1/log/entries/{id}", get(log_entries::show))
        .route("/v1/log/entries/{id}/replay", get(log_entries::replay))
        .route("/v1/reviews", get(reviews::list))
        .route("/v1/reviews/replies", post(reviews::reply))
        .route("/v1/relay/grants", post(relay::post).get(relay::list))
        .route("/v1/relay/grants/{id}/acknowledgement", post(relay::acknowledge))
        .route("/openapi.json", get(openapi::show))
        .layer(from_fn_with_state(api.clone(), cosignatures::stop_unwitnessed))
        .layer(from_fn(caller::tell_share))
        .layer(Extension(BodyLimit::bytes(BODY_BYTES)))
        .with_state(api);
    let times = RequestLimits {
        by_route: vec![("/v1/submissions", UPLOAD), ("/v1/submissions/{id}/lines", UPLOAD), ("/v1/screenings", UPLOAD)],
        ..RequestLimits::default()
    };
    super::grounded(routes, times)
}
