//! The operator's port: is it alive, is it ready, how is it doing.
//!
//! It speaks plain HTTP and asks for no credentials, so it is bound to the loopback interface unless
//! the operator says otherwise. Nothing here concerns a person.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::web::json::Json;

/// Where the operator's port is unless configured otherwise.
pub const DEFAULT_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9464);

/// How long one check may take before it counts as failed.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

type Check = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

/// What has to hold before the gateway takes requests.
#[derive(Clone, Default)]
pub struct ReadyChecks {
    checks: Vec<(&'static str, Check)>,
}

impl ReadyChecks {
    /// Adds a check. Its error is the reason shown to the operator: words of ours, no data.
    pub fn with<F>(mut self, name: &'static str, check: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.checks.push((name, Arc::new(move || Box::pin(check()))));
        self
    }

    async fn outcomes(&self) -> Vec<CheckView> {
        let running = self.checks.iter().map(|(name, check)| async move {
            let outcome = tokio::time::timeout(CHECK_TIMEOUT, check()).await;
            let reason = outcome.unwrap_or_else(|_| Err("took longer than two seconds".to_owned())).err();
            CheckView { name, ready: reason.is_none(), reason }
        });
        futures_util::future::join_all(running).await
    }
}

#[derive(Clone)]
struct Operator {
    checks: ReadyChecks,
    metrics: PrometheusHandle,
    draining: CancellationToken,
}

#[derive(Serialize)]
struct ReadyView {
    ready: bool,
    checks: Vec<CheckView>,
}

#[derive(Serialize)]
struct CheckView {
    name: &'static str,
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// The operator's routes. `draining` is the shutdown signal: once it is given, the gateway is not ready.
pub fn router(checks: ReadyChecks, metrics: PrometheusHandle, draining: CancellationToken) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(render_metrics))
        .with_state(Operator { checks, metrics, draining })
}

/// The process runs and answers.
async fn healthz() -> &'static str {
    "alive\n"
}

/// Every check holds, or which does not and why.
async fn readyz(State(operator): State<Operator>) -> Response {
    let mut checks = operator.checks.outcomes().await;
    if operator.draining.is_cancelled() {
        checks.push(CheckView { name: "running", ready: false, reason: Some("shutting down".to_owned()) });
    }
    let ready = checks.iter().all(|check| check.ready);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(ReadyView { ready, checks })).into_response()
}

async fn render_metrics(State(operator): State<Operator>) -> Response {
    let text = operator.metrics.render();
    ([(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4"))], text).into_response()
}
