//! Sessions: how they begin, what ends them, and what a role that is taken away does to them.

use porth::app::console::{ConsoleError, Cookie, IDLE_SECONDS, LONGEST_SECONDS, Session};
use porth::crypto::jwt::SignedIn;
use porth::domain::time::Timestamp;
use rstest::rstest;

use super::TestConsole;
use super::refusals::{cookie, form_token, location};
use crate::support::database::Backend;

const ISSUER: &str = "https://login.example";

/// Somebody at the provider, who proved a moment ago who they are.
fn person(subject: &str, now: Timestamp) -> SignedIn {
    let authenticated_at = Some(now);
    SignedIn { subject: subject.to_owned(), name: "Morwenna".to_owned(), authenticated_at, roles: Vec::new() }
}

impl TestConsole {
    /// A sign-in as the provider ends it: whom it names, and the line of access that the claims come to. For a
    /// fresh proof where there is a session.
    async fn signed_in(
        &self,
        subject: &str,
        access: Option<&str>,
        session: Option<&Session>,
    ) -> Result<Option<Cookie>, ConsoleError> {
        let gateway = self.gateway.gateway();
        let begun = gateway.begin_sign_in("/log", session).await.expect("begun");
        let (sign_in, now) = gateway.take_sign_in(&begun.cookie, &begun.state).await.expect("its own");
        gateway.finish_sign_in(&sign_in, ISSUER, &person(subject, now), access).await
    }

    async fn session(&self, cookie: &Cookie) -> Option<Session> {
        self.gateway.gateway().console_session(cookie).await.expect("the database answers")
    }
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_back_without_the_role_loses_every_session(#[case] backend: Backend) {
    let console = TestConsole::start_demonstration(backend).await;
    let opened = async |subject, access| {
        console.signed_in(subject, Some(access), None).await.expect("let in").expect("a new session")
    };
    let (desk, home) = (opened("a", "porth-officer").await, opened("a", "porth-officer").await);
    let colleague = opened("b", "porth-officer").await;
    let session = console.session(&desk).await.expect("it goes on");

    let kept = console.signed_in("a", Some("porth-officer"), Some(&session)).await.expect("the same person");
    assert_eq!(kept, None, "the session stays as it is");

    let lost = console.signed_in("a", None, Some(&session)).await;
    assert!(matches!(lost, Err(ConsoleError::NoRole { ended: true })), "{lost:?}");
    assert_eq!(console.session(&desk).await, None, "the session is ended");
    assert_eq!(console.session(&home).await, None, "and so is the one in another browser");
    assert!(console.session(&colleague).await.is_some(), "and nobody else's");
    let again = console.signed_in("a", None, None).await;
    assert!(matches!(again, Err(ConsoleError::NoRole { ended: false })), "{again:?}");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_back_with_another_role_loses_the_session_of_the_old_one(#[case] backend: Backend) {
    let console = TestConsole::start_demonstration(backend).await;
    let officer = console.signed_in("a", Some("porth-officer"), None).await.expect("let in").expect("a session");
    let session = console.session(&officer).await.expect("it goes on");
    let lost = console.signed_in("a", Some("porth-auditor"), Some(&session)).await;
    assert!(matches!(lost, Err(ConsoleError::OtherRole)), "{lost:?}");
    assert_eq!(console.session(&officer).await, None);

    // Somebody else's sign-in proves nothing about this session, and ends it not.
    let officer = console.signed_in("a", Some("porth-officer"), None).await.expect("let in").expect("a session");
    let session = console.session(&officer).await.expect("it goes on");
    for other in [Some("porth-officer"), None] {
        let refused = console.signed_in("b", other, Some(&session)).await;
        assert!(matches!(refused, Err(ConsoleError::OtherPerson | ConsoleError::NoRole { ended: false })));
    }
    assert!(console.session(&officer).await.is_some());
    // A new sign-in by another line ends what the old one opened as well.
    let auditor = console.signed_in("a", Some("porth-auditor"), None).await.expect("let in").expect("a session");
    assert!(console.session(&officer).await.is_none() && console.session(&auditor).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_does_not_date_its_proof_proves_nothing_fresh() {
    let console = TestConsole::start_demonstration(Backend::Sqlite).await;
    let gateway = console.gateway.gateway();
    let finish = async |session: Option<&Session>, at: Option<i64>| {
        let begun = gateway.begin_sign_in("/", session).await.expect("begun");
        let (sign_in, now) = gateway.take_sign_in(&begun.cookie, &begun.state).await.expect("its own");
        let person = SignedIn { authenticated_at: at.map(|seconds| now.plus_seconds(seconds)), ..person("a", now) };
        gateway.finish_sign_in(&sign_in, ISSUER, &person, Some("porth-officer")).await
    };
    let opened = finish(None, None).await.expect("let in").expect("a session");
    let session = console.session(&opened).await.expect("it goes on");
    assert!(!session.is_fresh);
    for at in [None, Some(-3600)] {
        let refused = finish(Some(&session), at).await;
        assert!(matches!(refused, Err(ConsoleError::NotSince)), "{refused:?}");
        assert!(!console.session(&opened).await.expect("it goes on").is_fresh);
    }
    finish(Some(&session), Some(0)).await.expect("dated");
    assert!(console.session(&opened).await.expect("it goes on").is_fresh);
}

/// In the browser, at the provider: the role is taken away between two sign-ins.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_taken_away_at_the_provider_does_not_survive_a_fresh_proof() {
    let console = TestConsole::start(Backend::Sqlite).await;
    console.walk("role.mjs", &[]).await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_unused_at_the_end_of_the_day_and_when_its_person_leaves(#[case] backend: Backend) {
    let console = TestConsole::start_demonstration(backend).await;
    let database = &console.gateway.database;
    let opens = async |cookie: &str| console.get("/", Some(cookie)).await.status == 200;

    let idle = console.enter("porth-officer").await;
    assert!(opens(&idle).await);
    let back = |seconds: i64| format!("seen_at = seen_at - {}", seconds * 1_000_000);
    database.execute(&format!("UPDATE console_session SET {}", back(IDLE_SECONDS - 30))).await;
    assert!(opens(&idle).await, "a moment before");
    database.execute(&format!("UPDATE console_session SET {}", back(IDLE_SECONDS + 1))).await;
    assert!(!opens(&idle).await, "unused for too long");

    let long = console.enter("porth-officer").await;
    let started = (LONGEST_SECONDS + 1) * 1_000_000;
    database.execute(&format!("UPDATE console_session SET started_at = started_at - {started}")).await;
    assert!(!opens(&long).await, "used, and open since yesterday");

    let (left, stays) = (console.enter("porth-officer").await, console.enter("porth-auditor").await);
    let token = form_token(&console.get("/", Some(&left)).await);
    let out = console.post("/sign-out", Some(&left), &format!("form-token={token}")).await;
    let set = out.headers["set-cookie"].to_str().expect("text");
    assert!(set.contains("__Host-porth-session=;") && set.contains("Max-Age=0"), "{set}");
    assert!(out.headers.contains_key("clear-site-data"));
    assert!(!opens(&left).await && opens(&stays).await, "whoever left, and nobody else");
}

/// The same database under a configuration without the line: as after an edit and a start.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_opens_nothing_once_its_line_of_access_is_gone() {
    use tower::ServiceExt as _;
    let console = TestConsole::start_demonstration(Backend::Sqlite).await;
    let cookie = console.enter("porth-officer").await;
    let config = porth::config::Config::read(&console.gateway.folder().join("porth.toml")).expect("it is read");
    let mut settings = config.console.clone().expect("a console");
    let opens = async |settings: &porth::config::ConsoleConfig| {
        let gateway = console.gateway.gateway().clone();
        let trust = porth::app::trust_file::TrustFile::default();
        let pages = porth::web::console::Console::new(gateway, settings.clone(), config.state_file(), trust);
        let pages = pages.expect("a console");
        let request = hyper::Request::get("/log").header("cookie", &cookie).body(axum::body::Body::empty());
        porth::web::console::router(pages).oneshot(request.expect("a request")).await.expect("an answer").status()
    };
    assert_eq!(opens(&settings).await, 200);
    settings.access.retain(|line| line.claim != "porth-officer");
    assert_eq!(opens(&settings).await, 303, "it leads to the sign-in");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sign_in_makes_a_cookie_that_scripts_and_other_hosts_never_see() {
    let console = TestConsole::start_demonstration(Backend::Sqlite).await;
    let enter = async |headers: &[(&str, &str)]| {
        let headers = [&[("origin", console.address.as_str())], headers].concat();
        console.send("POST", "/sign-in/demonstration", &headers, "claim=porth-officer&to=/").await
    };
    let first = enter(&[]).await;
    let set = first.headers["set-cookie"].to_str().expect("text").to_owned();
    assert!(!set.to_lowercase().contains("domain="), "of this host alone: {set}");
    let held = cookie(&first);
    // A sign-in with the cookie of a session makes another cookie: what somebody planted never becomes a session.
    let second = enter(&[("cookie", held.as_str())]).await;
    assert_ne!(cookie(&second), held);
    assert_eq!(console.get("/", Some(&cookie(&second))).await.status, 200);
    assert_eq!(console.get("/", Some(&held)).await.status, 303, "and the session before it has ended");
    // Nothing but the cookie carries a session.
    let value = cookie(&second).split_once('=').expect("a pair").1.to_owned();
    let led = console.get(&format!("/log?__Host-porth-session={value}"), None).await;
    assert_eq!(led.status, 303);
    assert!(location(&led).starts_with("/sign-in"));
    let bare = format!("porth-session={value}");
    assert_eq!(console.get("/", Some(&bare)).await.status, 303, "nor does one without the prefix");
}
