//! What a decision rests on stays as it is until the decision is committed.

use std::time::Duration;

use porth::domain::ids::ProgrammeCode;
use porth::store::{Store, Tx};
use rstest::rstest;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::database::{Backend, TestDatabase};

/// Long enough for whatever is not kept waiting.
const A_WHILE: Duration = Duration::from_millis(400);

fn programme() -> ProgrammeCode {
    ProgrammeCode::parse("tff").expect("a code")
}

async fn begin(store: &Store) -> Tx {
    store.begin().await.expect("begins")
}

/// A programme of which nothing is known yet.
async fn ready(backend: Backend) -> TestDatabase {
    let database = TestDatabase::create(backend).await;
    let mut tx = begin(&database.store).await;
    tx.ensure_programme(&programme()).await.expect("made");
    tx.commit().await.expect("committed");
    database
}

async fn is_waiting<T>(task: &mut JoinHandle<T>) -> bool {
    timeout(A_WHILE, task).await.is_err()
}

#[rstest]
#[case::sqlite(Backend::Sqlite, true)]
#[case::sqlite_of_all(Backend::Sqlite, false)]
#[case::postgres(Backend::Postgres, true)]
#[case::postgres_of_all(Backend::Postgres, false)]
#[tokio::test]
async fn a_change_waits_until_what_was_decided_before_it_is_committed(#[case] backend: Backend, #[case] is_one: bool) {
    let database = ready(backend).await;
    let mut deciding = begin(&database.store).await;
    assert_eq!(deciding.decided_on(&programme()).await.expect("read"), Some((1, 1)));
    let store = database.store.clone();
    let mut change = tokio::spawn(async move {
        let mut tx = begin(&store).await;
        let raised = tx.raise_policy_revision(is_one.then(programme).as_ref()).await.expect("raised");
        tx.commit().await.expect("committed");
        raised
    });
    assert!(is_waiting(&mut change).await, "an agreement was suspended between a decision and its commit");
    assert_eq!(deciding.decided_on(&programme()).await.expect("read"), Some((1, 1)));
    deciding.commit().await.expect("committed");
    assert_eq!(change.await.expect("it ran"), 2);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_decision_that_meets_a_change_waits_and_sees_it(#[case] backend: Backend) {
    let database = ready(backend).await;
    let mut changing = begin(&database.store).await;
    changing.lock_programme(&programme()).await.expect("locked");
    changing.raise_policy_revision(Some(&programme())).await.expect("raised");
    let store = database.store.clone();
    let mut decision = tokio::spawn(async move { begin(&store).await.decided_on(&programme()).await.expect("read") });
    assert!(is_waiting(&mut decision).await, "decided on what is about to be over");
    changing.commit().await.expect("committed");
    assert_eq!(decision.await.expect("it ran"), Some((2, 1)));
}

#[tokio::test]
async fn decisions_wait_neither_for_one_another_nor_for_whoever_holds_the_row_for_something_else() {
    let database = ready(Backend::Postgres).await;
    let mut holding = begin(&database.store).await;
    holding.lock_programme(&programme()).await.expect("locked");
    let (mut one, mut other) = (begin(&database.store).await, begin(&database.store).await);
    for tx in [&mut one, &mut other] {
        let decided = timeout(Duration::from_secs(5), tx.decided_on(&programme())).await.expect("it does not wait");
        assert_eq!(decided.expect("read"), Some((1, 1)));
    }
    // Whoever holds the row may go on to change what decisions rest on, while others want to as well.
    let store = database.store.clone();
    let suspension = tokio::spawn(async move {
        let mut tx = begin(&store).await;
        tx.raise_policy_revision(None).await.expect("raised");
        tx.commit().await.expect("committed");
    });
    tokio::time::sleep(A_WHILE).await;
    let change = tokio::spawn(async move {
        holding.raise_policy_revision(Some(&programme())).await.expect("no deadlock");
        holding.commit().await.expect("committed");
    });
    tokio::time::sleep(A_WHILE).await;
    one.commit().await.expect("committed");
    other.commit().await.expect("committed");
    change.await.expect("it ran");
    suspension.await.expect("it ran");
    let mut tx = begin(&database.store).await;
    assert_eq!(tx.decided_on(&programme()).await.expect("read"), Some((3, 1)));
}
