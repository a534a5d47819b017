//! Connections that behave badly, and that good ones do not notice.

use std::time::Duration;

use porth::client::CallHeaders;
use porth::web::serve::ServeLimits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::listener::{Listener, PATIENCE};

async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    // A reset after the answer still leaves the answer in `text`.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut text)).await.expect("closed in time");
    String::from_utf8_lossy(&text).into_owned()
}

async fn exchange(listener: &Listener, request: &str) -> String {
    let mut stream = listener.connect().await;
    stream.write_all(request.as_bytes()).await.expect("sent");
    read_to_end(&mut stream).await
}

/// Sends a byte at a time until the other side gives up; how many bytes it took.
async fn dribble(mut stream: TcpStream, head: &str) -> usize {
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut sent = 0;
    let mut buffer = [0; 1024];
    loop {
        tokio::select! {
            read = stream.read(&mut buffer) => if matches!(read, Ok(0) | Err(_)) { return sent },
            () = tokio::time::sleep(Duration::from_millis(50)) => {
                if stream.write_all(b"x").await.is_err() { return sent }
                sent += 1;
            }
        }
    }
}

#[tokio::test]
async fn dribbling_headers_are_cut_off_while_good_clients_go_on() {
    let limits = ServeLimits { header_timeout: Duration::from_millis(500), ..ServeLimits::default() };
    let listener = Listener::plain(limits).await;
    let mut dribblers = Vec::new();
    for _ in 0..40 {
        dribblers.push(tokio::spawn(dribble(listener.connect().await, "GET /whoami HTTP/1.1\r\nx-slow: ")));
    }

    let client = listener.client();
    for _ in 0..20 {
        client.get("/whoami", &CallHeaders::default()).await.expect("good clients are answered");
    }
    for dribbler in dribblers {
        tokio::time::timeout(PATIENCE, dribbler).await.expect("cut off in time").expect("no panic");
    }
    client.get("/whoami", &CallHeaders::default()).await.expect("still answered");
}

#[tokio::test]
async fn an_endless_head_is_refused() {
    let listener = Listener::plain(ServeLimits::default()).await;
    let head = format!("GET /whoami HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "a".repeat(20_000));
    let answer = exchange(&listener, &head).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn a_body_that_stops_arriving_is_answered_408() {
    let listener = Listener::plain(ServeLimits::default()).await;
    for path in ["/double", "/lines"] {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{{"
        );
        let answer = exchange(&listener, &request).await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(answer.contains("body-timeout"), "{answer}");
    }
}

#[tokio::test]
async fn an_oversized_body_is_answered_413_declared_or_not() {
    let listener = Listener::plain(ServeLimits::default()).await;
    let head = "POST /double HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n";
    let body = " ".repeat(0x0180_0000); // the caller sends it all before it reads anything
    let declared = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n1800000\r\n{body}\r\n0\r\n\r\n");
    for request in [declared, chunked] {
        let answer = exchange(&listener, &request).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
        assert!(answer.contains("too-large"), "{answer}");
    }
}

#[tokio::test]
async fn one_peer_cannot_hold_more_than_its_connections() {
    let limits = ServeLimits { connections_per_peer: 2, ..ServeLimits::default() };
    let listener = Listener::plain(limits).await;
    let request = "GET /whoami HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut stream = listener.connect().await;
        stream.write_all(request.as_bytes()).await.expect("sent");
        assert!(stream.read(&mut [0; 512]).await.expect("answered") > 0);
        kept.push(stream);
    }

    let mut over = listener.connect().await;
    let _ = over.write_all(request.as_bytes()).await; // may already be closed
    assert_eq!(read_to_end(&mut over).await, "");

    kept.clear();
    let again = tokio::time::timeout(PATIENCE, async {
        while exchange(&listener, &request.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n")).await.is_empty() {}
    });
    again.await.expect("places come back");
    assert!(listener.stop().await.turned_away >= 1);
}

#[tokio::test]
async fn shutdown_lets_a_request_in_flight_finish_and_takes_no_new_one() {
    let listener = Listener::plain(ServeLimits::default()).await;
    let mut stream = listener.connect().await;
    stream.write_all(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
    listener.reached.notified().await;

    listener.shutdown.cancel();
    let refused = tokio::time::timeout(PATIENCE, async {
        while TcpStream::connect(listener.address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    refused.await.expect("new connections are refused");
    listener.release.notify_one();

    let answer = read_to_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    assert_eq!(listener.report().await.cut_at_drain, 0);
}

#[tokio::test]
async fn shutdown_does_not_wait_for_ever() {
    let limits = ServeLimits { drain: Duration::from_millis(200), ..ServeLimits::default() };
    let listener = Listener::plain(limits).await;
    let mut stream = listener.connect().await;
    stream.write_all(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
    listener.reached.notified().await;
    assert_eq!(listener.stop().await.cut_at_drain, 1);
}

#[tokio::test]
async fn an_old_connection_is_closed_after_its_last_answer() {
    let limits = ServeLimits { connection_age: Duration::from_millis(300), ..ServeLimits::default() };
    let listener = Listener::plain(limits).await;
    let mut stream = listener.connect().await;
    stream.write_all(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
    listener.reached.notified().await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    listener.release.notify_one();
    let answer = read_to_end(&mut stream).await; // ends only because the gateway closes
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
}
