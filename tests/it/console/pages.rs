//! Each persona's top task in Debian's Chromium, with JavaScript and without.

use rstest::rstest;

use super::TestConsole;
use crate::support::database::Backend;

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn an_officer_finds_a_disclosure_reads_it_and_has_it_decided_again(#[case] backend: Backend) {
    let console = TestConsole::start(backend).await;
    console.ask_once().await;
    console.walk("officer.mjs", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_scripts_everything_works_the_same() {
    let console = TestConsole::start(Backend::Sqlite).await;
    console.ask_once().await;
    console.walk("officer.mjs", &[("PORTH_TEST_SCRIPTS", "off")]).await;
}
