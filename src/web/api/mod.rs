//! The REST API of agencies' systems: one file for each noun.

use axum::Router;

use crate::app::gateway::Gateway;
use crate::config::Limits;
use crate::web::limits::RequestLimits;

/// The agency listener's router.
pub fn router(gateway: Gateway, _limits: Limits) -> Router {
    let _ = gateway;
    super::grounded(Router::new(), RequestLimits::default())
}
