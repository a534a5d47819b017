//! An upload that breaks off inside: what could not be stored comes again, and nothing is left out.

use bytes::Bytes;
use porth::app::caller::AgencyCaller;
use porth::app::error::AppError;
use porth::app::submit::{Continuation, LineDigest, OpenSubmission};
use porth::store::Blinding;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::database::Backend;
use crate::support::programme::TestProgramme;

const KEY: &str = "0190f5e4-7f3a-7c00-8000-0123456789ab";

async fn put_blinding(programme: &TestProgramme, blinding: &Blinding) {
    let mut tx = programme.gateway.store().begin().await.expect("a transaction");
    tx.put_blinding(&programme.code, blinding).await.expect("put");
    tx.commit().await.expect("committed");
}

async fn push(open: &mut OpenSubmission, rows: &[Value]) -> Result<(), AppError> {
    for row in rows {
        open.push(Bytes::from(row.to_string())).await?;
    }
    Ok(())
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn rows_that_could_not_be_stored_leave_no_hole_when_the_upload_goes_on(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let gateway = &programme.gateway;
    let caller = AgencyCaller { agency: "education".parse().expect("a code"), client: "system".to_owned() };
    let header = programme.header("education", "attendance", "early-help-core/v1").await.to_string();
    let rows: Vec<Value> = (0..1700).map(|n| programme.row(n, &[("nhs", &format!("999{n:07}"))], json!({}))).collect();
    let mut open = gateway.begin_submission(&caller, header.as_bytes()).await.expect("begun");
    open.make_resumable(&caller, KEY, header.as_bytes()).await.expect("noted");
    push(&mut open, &rows[..1400]).await.expect("two pieces are on their way, the first is stored");

    // For a moment nothing can be stored: the second piece is refused, the third is ready behind it.
    let blinding = gateway.store().blinding(&programme.code).await.expect("a state");
    put_blinding(&programme, &Blinding { target: blinding.layers + 1, ..blinding.clone() }).await;
    let refused = push(&mut open, &rows[1400..1600]).await;
    assert!(matches!(refused, Err(AppError::KeysChanging)), "{refused:?}");
    put_blinding(&programme, &blinding).await;
    open.hold("file.cut_off").await.expect("held");

    let held = gateway.held_upload(&caller, KEY).await.expect("the database").expect("held");
    assert_eq!(held.line, 501, "the third piece was not stored without the second");
    let place = Continuation { after: held.line, digest: held.digest };
    let open = gateway.resume_submission(&caller, held.id, &place).await.expect("goes on");
    let mut open = open.expect("it is there");
    let attempts = [1, 2].map(|attempt| gateway.store().is_attempt(held.id, attempt));
    let attempts = futures_util::future::try_join_all(attempts).await.expect("the database");
    assert_eq!(attempts, [false, true], "the connection before knows that it was overtaken");
    push(&mut open, &rows[500..]).await.expect("stored");
    open.push(Bytes::from(json!({ "end": 1700 }).to_string())).await.expect("taken");
    let received = open.finish().await.expect("whole");
    assert_eq!((received.id, received.is_repeat), (held.id, false));
    let stored = gateway.store().submission(held.id).await.expect("stored").expect("there");
    assert_eq!((stored.rows_read, stored.rows_accepted, stored.rows_rejected), (1700, 1700, 0));
    let whole = programme.submit(&serde_json::from_str(&header).expect("JSON"), &rows).await.expect("taken");
    assert!(whole.is_repeat, "the digest is that of the file in one piece");
    assert!(gateway.held_upload(&caller, KEY).await.expect("the database").is_none());
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn what_is_kept_of_a_small_file_does_not_let_its_lines_be_guessed(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let header = programme.header("education", "attendance", "early-help-core/v1").await;
    let row = programme.row(1, &[("upn", "upn 1")], json!({ "role": "child" }));
    let sent = programme.deliver("education", "attendance", "early-help-core/v1", std::slice::from_ref(&row)).await;
    // Who has the file's tokens, references and dates right, and no key of the gateway.
    let mut guess = LineDigest::of_header(header.to_string().as_bytes());
    for line in [row.to_string(), json!({ "end": 1 }).to_string()] {
        guess.add(line.as_bytes());
    }
    let store = programme.gateway.store();
    let kept = store.submission(sent.id).await.expect("the database").expect("there").digest.expect("it landed");
    assert_ne!(kept, *guess.as_bytes());
    programme.sequencer.drain().await.expect("sequenced");
    let entries = store.log_entries(0, 1000).await.expect("entries");
    let entries: Vec<Value> = entries.iter().map(|(_, body)| serde_json::from_slice(body).expect("JSON")).collect();
    let entry = entries.iter().find(|entry| entry["type"] == "submission").expect("its entry");
    assert_eq!(entry["body"]["digest"], porth::app::policies::hex(&kept));
    // The agency is shown that its own file is the one by the answer to the file itself.
    let again = programme.submit(&header, &[row]).await.expect("taken");
    assert_eq!((again.id, again.is_repeat), (sent.id, true));
}
