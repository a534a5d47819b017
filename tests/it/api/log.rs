//! The log from outside: checkpoint and hash tiles that agree with one another.

use rstest::rstest;

use crate::support::database::Backend;
use crate::support::gateway::{LOG, TestGateway};

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn the_checkpoint_names_a_size_whose_tiles_are_served_and_entries_are_not(#[case] backend: Backend) {
    let home = TestGateway::start(backend).await;
    let housing = home.agency("housing").await;
    home.wait_sequenced().await;

    let reply = housing.call("GET", "/v1/log/checkpoint", &[], "").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(reply.headers["content-type"].as_bytes().starts_with(b"text/plain"));
    let note = String::from_utf8(reply.body.to_vec()).expect("text");
    let mut lines = note.lines();
    assert_eq!(lines.next(), Some(LOG));
    let size: usize = lines.next().expect("a size").parse().expect("a number");
    assert!((1..256).contains(&size), "{size}");

    for width in [1, size] {
        let reply = housing.call("GET", &format!("/v1/log/tile/0/000.p/{width}"), &[], "").await;
        assert_eq!((reply.status, reply.body.len()), (200, width * 32));
    }
    for path in ["0/000", "0/001", "0/000.p/255", "1/000", "entries/000.p/1", "x", "0/../entries/000"] {
        let reply = housing.call("GET", &format!("/v1/log/tile/{path}"), &[], "").await;
        assert_eq!(reply.kind(), "not-found", "{path}");
    }
    home.stop().await;
}
