//! The operator's port.

use std::net::SocketAddr;

use metrics_exporter_prometheus::PrometheusBuilder;
use porth::client::{CallHeaders, Client, ClientError, ClientOptions};
use porth::web::operator::{DEFAULT_ADDRESS, ReadyChecks, router};
use porth::web::serve::{ServeLimits, Transport, serve};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

async fn started(checks: ReadyChecks, draining: CancellationToken) -> Client {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let metrics = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&metrics, || metrics::counter!("porth_test_total").increment(3));
    let router = router(checks, metrics.handle(), draining);
    tokio::spawn(serve(listener, Transport::Plain, router, ServeLimits::default(), CancellationToken::new()));
    Client::new(ClientOptions::new(format!("http://{address}"), "")).expect("good options")
}

#[tokio::test]
async fn health_readiness_and_figures_are_served() {
    let checks = ReadyChecks::default().with("storage", || async { Ok(()) });
    let draining = CancellationToken::new();
    let client = started(checks, draining.clone()).await;
    let none = CallHeaders::default();

    assert_eq!(client.get("/healthz", &none).await.expect("alive").body, "alive\n");
    assert!(client.get("/readyz", &none).await.is_ok());
    let figures = client.get("/metrics", &none).await.expect("rendered").body;
    assert!(String::from_utf8_lossy(&figures).contains("porth_test_total 3"));

    draining.cancel();
    let ClientError::Unexpected { status } = client.get("/readyz", &none).await.expect_err("not ready") else {
        panic!("readiness is no problem document");
    };
    assert_eq!(status, 503);
    assert!(client.get("/healthz", &none).await.is_ok(), "draining is not dead");
}

#[tokio::test]
async fn one_failed_check_is_not_ready() {
    let checks = ReadyChecks::default()
        .with("storage", || async { Ok(()) })
        .with("witnesses", || async { Err("1 of 2 witnesses answered".to_owned()) });
    let client = started(checks, CancellationToken::new()).await;
    assert!(client.get("/readyz", &CallHeaders::default()).await.is_err());
}

#[test]
fn the_port_is_on_the_loopback_interface_unless_configured() {
    assert!(DEFAULT_ADDRESS.ip().is_loopback());
}
