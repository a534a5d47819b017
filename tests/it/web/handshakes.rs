//! Who gets through the agency listener's handshake, and what the others are told.

use std::sync::Arc;
use std::time::Duration;

use porth::client::{CallHeaders, Client, ClientError, ClientOptions, Trouble};
use porth::web::serve::{ServeLimits, Transport};
use porth::web::tls::{NamedBytes, TlsFiles, TlsMaterial, TlsReloader};
use rustls::{ClientConfig, HandshakeKind, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::listener::{Listener, PATIENCE, TlsListener, hex};
use crate::support::pki::{Authority, Identity};

async fn trouble(client: Client) -> Trouble {
    match client.get("/whoami", &CallHeaders::default()).await {
        Err(ClientError::Connection { trouble }) => trouble,
        other => panic!("expected no connection, got {other:?}"),
    }
}

#[tokio::test]
async fn an_agency_with_a_good_certificate_is_let_in_and_known_by_its_fingerprint() {
    let gateway = TlsListener::start().await;
    let agency = gateway.agencies.client("housing");

    let answer = gateway.client(Some(&agency)).get("/whoami", &CallHeaders::default()).await.expect("let in");

    assert_eq!(answer.body, hex(&Sha256::digest(&agency.der)));
    assert_eq!(gateway.listener.stop().await.handshakes_failed, 0);
}

#[tokio::test]
async fn every_other_certificate_is_refused_and_its_holder_told_what_to_check() {
    let gateway = TlsListener::start().await;
    let stranger = Authority::new("Somebody else's authority");
    let revoked = gateway.agencies.client("revoked");
    gateway.replace_list(gateway.agencies.list(&[&revoked]));
    assert!(gateway.reloader.reload().expect("good material"));

    let cases: [(Option<Identity>, Trouble); 5] = [
        (Some(revoked), Trouble::CertificateRevoked),
        (None, Trouble::CertificateRequired),
        (Some(gateway.agencies.server()), Trouble::CertificateUnsuitable),
        (Some(gateway.agencies.lapsed_client("lapsed")), Trouble::CertificateLapsed),
        (Some(stranger.client("stranger")), Trouble::CertificateAuthority),
    ];
    for (identity, expected) in &cases {
        assert_eq!(trouble(gateway.client(identity.as_ref())).await, *expected);
    }

    assert_eq!(gateway.listener.stop().await.handshakes_failed, cases.len() as u64);
}

#[tokio::test]
async fn a_revocation_list_past_its_date_refuses_everybody() {
    let gateway = TlsListener::with_list(Authority::lapsed_list).await;
    let agency = gateway.agencies.client("housing");
    assert_eq!(trouble(gateway.client(Some(&agency))).await, Trouble::CertificateAuthority);
    assert_eq!(gateway.reloader.current().revocation_lists_lapse_at, Some(1_640_995_200));
}

#[tokio::test]
async fn nobody_comes_back_in_on_an_earlier_session_after_being_revoked() {
    let gateway = TlsListener::start().await;
    let agency = gateway.agencies.client("housing");
    let connector = resuming_connector(&gateway, &agency);

    for _ in 0..2 {
        let mut stream = open(&gateway, &connector).await.expect("let in");
        assert!(exchange(&mut stream).await.expect("answered").starts_with("HTTP/1.1 200"));
        assert_eq!(stream.get_ref().1.handshake_kind(), Some(HandshakeKind::Full), "a session was resumed");
    }
    gateway.replace_list(gateway.agencies.list(&[&agency]));
    assert!(gateway.reloader.reload().expect("good material"));

    let answered = match open(&gateway, &connector).await {
        Ok(mut stream) => exchange(&mut stream).await,
        Err(error) => Err(error),
    };
    assert!(answered.is_err(), "a revoked certificate got an answer");
    assert_eq!(gateway.listener.stop().await.handshakes_failed, 1);
}

#[tokio::test]
async fn a_connection_made_under_an_older_revocation_list_is_closed() {
    let gateway = TlsListener::start().await;
    let agency = gateway.agencies.client("housing");
    let mut stream = open(&gateway, &resuming_connector(&gateway, &agency)).await.expect("let in");
    stream.write_all(b"GET /whoami HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("sent");
    assert!(stream.read(&mut [0; 1024]).await.expect("answered") > 0);

    gateway.replace_list(gateway.agencies.list(&[&agency]));
    assert!(gateway.reloader.reload().expect("good material"));

    // Well before the gateway's limits on idle and old connections would end it.
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest));
    closed.await.expect("closed in time").expect("closed in good order");
}

#[tokio::test]
async fn a_connection_under_an_authority_that_was_taken_out_is_closed_and_no_new_one_is_let_in() {
    let gateway = TlsListener::start().await;
    let (agency, next) = (gateway.agencies.client("housing"), Authority::new("Next authority"));
    let mut stream = open(&gateway, &resuming_connector(&gateway, &agency)).await.expect("let in");
    stream.write_all(b"GET /whoami HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("sent");
    assert!(stream.read(&mut [0; 1024]).await.expect("answered") > 0);

    gateway.replace_authority(&next);
    assert!(gateway.reloader.reload().expect("good material"));

    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest));
    closed.await.expect("closed in time").expect("closed in good order");
    assert_eq!(trouble(gateway.client(Some(&agency))).await, Trouble::CertificateAuthority);
    let second = next.client("housing");
    gateway.client(Some(&second)).get("/whoami", &CallHeaders::default()).await.expect("let in");
}

#[tokio::test]
async fn a_broken_reload_keeps_what_was_there() {
    let gateway = TlsListener::start().await;
    let agency = gateway.agencies.client("housing");
    gateway.replace_list("not a list".to_owned());

    let error = gateway.reloader.reload().expect_err("broken").to_string();

    assert!(error.starts_with("tls-file-malformed: agencies.crl"), "{error}");
    assert!(gateway.client(Some(&agency)).get("/whoami", &CallHeaders::default()).await.is_ok());
}

#[tokio::test]
async fn files_are_followed_without_a_restart() {
    let (gateway_authority, agencies) = (Authority::new("Gateway authority"), Authority::new("Agency authority"));
    let (server, agency) = (gateway_authority.server(), agencies.client("housing"));
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    };
    let files = TlsFiles {
        certificate: file("gateway.pem", &server.certificate_pem),
        private_key: file("gateway.key", &server.key_pem),
        client_roots: vec![file("agencies.pem", &agencies.pem)],
        revocation_lists: vec![folder.path().join("agencies.crl")],
        needs_client_certificate: true,
    };
    let missing = TlsReloader::from_files(files.clone()).map(drop).expect_err("no list yet").to_string();
    assert!(missing.starts_with("tls-file-unreadable") && missing.contains("agencies.crl"), "{missing}");

    file("agencies.crl", &agencies.list(&[]));
    let reloader = Arc::new(TlsReloader::from_files(files).expect("all there"));
    assert!(!reloader.reload().expect("all there"), "nothing changed");
    let listener = Listener::start(Transport::Tls(Arc::clone(&reloader)), ServeLimits::default()).await;
    tokio::spawn(reloader.follow(Duration::from_millis(50), listener.shutdown.clone()));
    let address = format!("https://localhost:{}", listener.address.port());
    let client = || {
        let options = ClientOptions::new(address.clone(), gateway_authority.pem.clone());
        Client::new(options.with_identity(agency.for_client())).expect("good options")
    };
    client().get("/whoami", &CallHeaders::default()).await.expect("let in");

    file("agencies.crl", &agencies.list(&[&agency]));
    let refused = tokio::time::timeout(PATIENCE, async {
        while client().get("/whoami", &CallHeaders::default()).await.is_ok() {}
    });
    refused.await.expect("the new list is used");
    assert_eq!(trouble(client()).await, Trouble::CertificateRevoked);
}

#[tokio::test]
async fn the_console_listener_asks_for_no_certificate_and_knows_nobody_by_one() {
    let authority = Authority::new("Gateway authority");
    let (server, agency) = (authority.server(), authority.client("housing"));
    let material = move || {
        let named = |name: &str, text: &str| NamedBytes::new(name, text.as_bytes().to_vec());
        Ok(TlsMaterial {
            certificate: named("console.pem", &server.certificate_pem),
            private_key: named("console.key", &server.key_pem),
            clients: None,
        })
    };
    let reloader = Arc::new(TlsReloader::new(material).expect("good material"));
    let listener = Listener::start(Transport::Tls(reloader), ServeLimits::default()).await;
    for identity in [None, Some(agency.for_client())] {
        let mut options =
            ClientOptions::new(format!("https://localhost:{}", listener.address.port()), authority.pem.clone());
        options.identity = identity;
        let client = Client::new(options).expect("good options");
        assert_eq!(client.get("/whoami", &CallHeaders::default()).await.expect("let in").body, "nobody");
    }
}

#[tokio::test]
async fn tls_1_2_is_refused_by_version() {
    let gateway = TlsListener::start().await;
    let mut stream = gateway.listener.connect().await;
    stream.write_all(&tls_1_2_hello()).await.expect("sent");
    let mut alert = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut alert)).await.expect("in time").expect("closed");
    // A record of type alert: fatal, protocol_version (70).
    assert_eq!((alert.first(), alert.get(5..7)), (Some(&21), Some([2, 70].as_slice())), "{alert:?}");
}

#[tokio::test]
async fn a_peer_that_says_nothing_is_cut_off() {
    let gateway = TlsListener::start().await;
    let mut silent = gateway.listener.connect().await;
    let mut nothing = Vec::new();
    let read = tokio::time::timeout(PATIENCE, silent.read_to_end(&mut nothing)).await.expect("cut off in time");
    assert!(read.is_err() || nothing.is_empty());
    assert_eq!(gateway.listener.stop().await.handshakes_failed, 1);
}

#[tokio::test]
async fn a_client_says_what_is_wrong_with_the_other_side() {
    let gateway = TlsListener::start().await;
    let port = gateway.listener.address.port();
    let client = |address: String, roots: &str| Client::new(ClientOptions::new(address, roots)).expect("good options");
    let roots = &gateway.gateway_authority.pem;
    let stranger = Authority::new("Somebody else's authority");

    let untrusted = client(format!("https://localhost:{port}"), &stranger.pem);
    assert_eq!(trouble(untrusted).await, Trouble::GatewayNotTrusted);
    assert_eq!(trouble(client(format!("https://127.0.0.1:{port}"), roots)).await, Trouble::GatewayName);

    gateway.listener.shutdown.cancel();
    gateway.listener.report().await;
    assert_eq!(trouble(client(format!("https://localhost:{port}"), roots)).await, Trouble::Refused);
}

fn resuming_connector(gateway: &TlsListener, identity: &Identity) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(gateway.gateway_authority.pem.as_bytes()).expect("PEM")).expect("a root");
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(roots)
        .with_client_auth_cert(
            vec![CertificateDer::from(identity.der.clone())],
            PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes()).expect("PEM"),
        )
        .expect("a pair"); // resumption is on by default
    TlsConnector::from(Arc::new(config))
}

async fn open(gateway: &TlsListener, connector: &TlsConnector) -> std::io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from("localhost").expect("a name");
    connector.connect(name, gateway.listener.connect().await).await
}

async fn exchange(stream: &mut TlsStream<TcpStream>) -> std::io::Result<String> {
    stream.write_all(b"GET /whoami HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
    let mut text = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut text)).await.expect("in time")?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// A ClientHello as a TLS 1.2 client sends it: no supported_versions extension.
fn tls_1_2_hello() -> Vec<u8> {
    let extensions: &[u8] = &[
        0x00, 0x0a, 0x00, 0x04, 0x00, 0x02, 0x00, 0x17, // supported_groups: secp256r1
        0x00, 0x0b, 0x00, 0x02, 0x01, 0x00, // ec_point_formats: uncompressed
        0x00, 0x0d, 0x00, 0x06, 0x00, 0x04, 0x04, 0x03, 0x08, 0x04, // signature_algorithms
    ];
    let mut body = vec![0x03, 0x03];
    body.extend([7; 32]); // random
    body.push(0); // no session id
    body.extend([0x00, 0x04, 0xc0, 0x2b, 0xc0, 0x2f]); // ECDHE with AES-128-GCM
    body.extend([0x01, 0x00]); // no compression
    body.extend([0x00, extensions.len() as u8]);
    body.extend(extensions);
    let mut record = vec![0x16, 0x03, 0x01, 0x00, body.len() as u8 + 4, 0x01, 0x00, 0x00, body.len() as u8];
    record.extend(body);
    record
}
