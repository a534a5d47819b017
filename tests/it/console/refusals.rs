//! What the console refuses: pages of other parts, forms of other sites, cookies that it did not make.

use porth::web::console::page::{self, Page};
use rstest::rstest;

use super::TestConsole;
use crate::support::agency::request;
use crate::support::connection::{Connection, Reply};
use crate::support::database::Backend;

pub(super) const CLAIMS: [(&str, porth::config::Persona); 4] = [
    ("porth-officer", porth::config::Persona::Officer),
    ("porth-data-team", porth::config::Persona::DataTeam),
    ("porth-auditor", porth::config::Persona::Auditor),
    ("porth-operator", porth::config::Persona::Operator),
];

impl TestConsole {
    pub(super) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let at = self.gateway.running.console.expect("a console");
        let mut connection =
            Connection::open(at, &self.gateway.authority.certificate().pem, None).await.expect("a connection");
        connection.send(request(method, path, headers, body.to_owned())).await.expect("an answer")
    }

    pub(super) async fn get(&self, path: &str, cookie: Option<&str>) -> Reply {
        let headers: Vec<(&str, &str)> = cookie.map(|cookie| ("cookie", cookie)).into_iter().collect();
        self.send("GET", path, &headers, "").await
    }

    /// Posts a form as a browser does from a page of this console.
    pub(super) async fn post(&self, path: &str, cookie: Option<&str>, body: &str) -> Reply {
        let mut headers = vec![("origin", self.address.as_str()), ("sec-fetch-site", "same-origin")];
        headers.extend(cookie.map(|cookie| ("cookie", cookie)));
        self.send("POST", path, &headers, body).await
    }

    /// Signs in by the demonstration's page; the cookie.
    pub(super) async fn enter(&self, claim: &str) -> String {
        let reply = self.post("/sign-in/demonstration", None, &format!("claim={claim}&to=/")).await;
        assert_eq!((reply.status, location(&reply)), (303, "/".to_owned()), "{}", reply.text());
        cookie(&reply)
    }
}

pub(super) fn location(reply: &Reply) -> String {
    reply.headers.get("location").map_or_else(String::new, |to| to.to_str().expect("text").to_owned())
}

pub(super) fn cookie(reply: &Reply) -> String {
    let set = reply.headers.get("set-cookie").expect("a cookie").to_str().expect("text");
    for part in ["__Host-porth-session=", "; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"] {
        assert!(set.contains(part), "{part} in {set}");
    }
    set.split(';').next().expect("a pair").to_owned()
}

pub(super) fn form_token(reply: &Reply) -> String {
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    let from = text.split("name=\"form-token\" value=\"").nth(1).expect("a form token");
    from.split('"').next().expect("its end").to_owned()
}

/// The id of nothing.
pub(super) const NONE: &str = "01980000-0000-7000-8000-000000000000";

/// An address of the page's route.
pub(super) fn example(page: &Page) -> String {
    page.path
        .replace("{entry}", NONE)
        .replace("{code}", "early-help-core")
        .replace("{plan}", NONE)
        .replace("{alert}", NONE)
        .replace("{incident}", NONE)
        .replace("{recall}", NONE)
        .replace("{request}", NONE)
        .replace("{family}", NONE)
        .replace("{run}", NONE)
        .replace("{table}", "areas")
        .replace("{version}", "1")
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_open_to_its_parts_alone(#[case] backend: Backend) {
    let console = TestConsole::start_demonstration(backend).await;
    for page in page::ALL {
        let path = example(page);
        let leads_to_sign_in = |reply: &Reply| reply.status == 303 && location(reply).starts_with("/sign-in?to=");
        let (shown, posted) = (console.get(&path, None).await, console.post(&path, None, "").await);
        assert!(leads_to_sign_in(&shown) || (shown.status == 405 && page.readers.is_empty()), "{path}: {shown:?}");
        assert!(leads_to_sign_in(&posted) || (posted.status == 405 && page.actors.is_empty()), "{path}: {posted:?}");
    }
    for (claim, persona) in CLAIMS {
        let cookie = console.enter(claim).await;
        let token = form_token(&console.get("/", Some(&cookie)).await);
        for page in page::ALL {
            let path = example(page);
            let shown = console.get(&path, Some(&cookie)).await;
            let opens = if path.contains(NONE) { 404 } else { 200 };
            let expected = if page.readers.is_empty() {
                405
            } else if page.is_for(persona) {
                opens
            } else {
                403
            };
            assert_eq!(shown.status, expected, "{claim} opens {path}: {}", shown.text());
            // A form of nothing, or an empty one: it is told so, and never that the page is another's.
            let posted = console.post(&path, Some(&cookie), &format!("form-token={token}")).await;
            if page.actors.is_empty() {
                assert_eq!(posted.status, 405, "{claim} posts to {path}");
            } else if page.is_acted_on_by(persona) {
                assert!(matches!(posted.status, 404 | 409 | 422), "{claim} posts to {path}: {}", posted.text());
            } else {
                assert_eq!(posted.status, 403, "{claim} may not post to {path}");
            }
        }
    }
}

/// Where a route is added in another way than by the tables, nothing tries who may use it.
#[test]
fn routes_are_made_of_the_tables_alone() {
    let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/web/console"));
    let mut routed = Vec::new();
    for file in std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path()) {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        for way in [".route(", ".route_service(", ".merge(", ".nest(", ".nest_service(", ".fallback_service("] {
            let name = file.file_name().expect("a name").to_string_lossy().into_owned();
            routed.extend(text.matches(way).map(|way| (name.clone(), way.to_owned())));
        }
    }
    assert_eq!(routed, [("mod.rs".to_owned(), ".route(".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_takes_another_method_than_those_of_browsers() {
    let console = TestConsole::start_demonstration(Backend::Sqlite).await;
    let cookie = console.enter("porth-officer").await;
    let paths = page::ALL.iter().map(|page| example(page)).chain(page::OPEN.iter().map(|path| (*path).to_owned()));
    for path in paths {
        for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
            let headers = [("cookie", cookie.as_str()), ("origin", console.address.as_str())];
            let reply = console.send(method, &path, &headers, "").await;
            assert!(matches!(reply.status, 405 | 501), "{method} {path}: {}", reply.text());
        }
    }
    // What is asked for without a session is nobody's: no menu, no greeting.
    for path in page::OPEN {
        let text = console.get(path, None).await.text();
        assert!(!text.contains("id=\"navigation\"") && !text.contains("id=\"who\""), "{path}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_another_site_or_session_changes_nothing() {
    let console = TestConsole::start_demonstration(Backend::Sqlite).await;
    let (own, other) = (console.enter("porth-officer").await, console.enter("porth-auditor").await);
    let token = form_token(&console.get("/", Some(&own)).await);
    let others = form_token(&console.get("/", Some(&other)).await);
    for forged in [String::new(), "form-token=".to_owned(), format!("form-token={others}")] {
        assert_eq!(console.post("/sign-out", Some(&own), &forged).await.status, 403, "{forged}");
    }
    let body = format!("form-token={token}");
    for headers in [
        vec![("origin", "https://evil.example")],
        vec![("origin", console.address.as_str()), ("sec-fetch-site", "cross-site")],
        vec![("origin", "null")],
        vec![],
    ] {
        let headers = [headers, vec![("cookie", own.as_str())]].concat();
        assert_eq!(console.send("POST", "/sign-out", &headers, &body).await.status, 403, "{headers:?}");
    }
    let elsewhere = [("origin", "https://evil.example")];
    assert_eq!(console.send("POST", "/sign-in/demonstration", &elsewhere, "claim=porth-officer").await.status, 403);
    assert_eq!(console.get("/", Some(&own)).await.status, 200, "the session goes on");
    let out = console.post("/sign-out", Some(&own), &body).await;
    assert_eq!((out.status, location(&out)), (303, "/signed-out".to_owned()));
    assert_eq!(console.get("/", Some(&own)).await.status, 303, "the session has ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_that_the_console_did_not_make_opens_nothing_and_is_never_taken_over() {
    let console = TestConsole::start_demonstration(Backend::Sqlite).await;
    let planted = format!("__Host-porth-session={}", "A".repeat(43));
    assert_eq!(console.get("/", Some(&planted)).await.status, 303);
    let headers = [("origin", console.address.as_str()), ("cookie", planted.as_str())];
    let entered = console.send("POST", "/sign-in/demonstration", &headers, "claim=porth-officer&to=/").await;
    assert_ne!(cookie(&entered), planted, "a session begins with a cookie of the console's making");
    assert_eq!(console.get("/", Some(&planted)).await.status, 303);
    let twice = format!("{}; {}", cookie(&entered), planted);
    assert_eq!(console.get("/", Some(&twice)).await.status, 303, "two cookies of one name are none");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_leads_to_no_other_site() {
    let console = TestConsole::start_demonstration(Backend::Sqlite).await;
    let encoded = ["https%3A%2F%2Fevil.example", "%2F%5Cevil.example", "/a%0d%0aset-cookie:x", "%09//evil.example"];
    let plain = ["//evil.example", "javascript:alert(1)", "/@evil.example", "/\\evil.example", ".evil.example", ""];
    for to in encoded.into_iter().chain(plain) {
        let reply = console.post("/sign-in/demonstration", None, &format!("claim=porth-officer&to={to}")).await;
        assert_eq!((reply.status, location(&reply)), (303, "/".to_owned()), "{to}");
        let asked = console.get(&format!("/sign-in?to={to}"), None).await;
        let text = String::from_utf8_lossy(&asked.body).into_owned();
        assert!(!text.contains("href=\"//") && !text.contains("href=\"javascript"), "{to}: {text}");
    }
    // What a page leads to when nobody is signed in is the page itself.
    let led = location(&console.get("//evil.example/", None).await);
    assert!(led.is_empty() || led.starts_with("/sign-in?to="), "{led}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_keeps_itself_to_itself_and_echoes_nothing_as_markup() {
    let console = TestConsole::start_demonstration(Backend::Sqlite).await;
    let cookie = console.enter("porth-officer").await;
    let pages = page::ALL.iter().map(|page| example(page)).chain(page::OPEN.iter().map(|path| (*path).to_owned()));
    for path in pages.chain(["/nowhere".to_owned(), "/sign-out".to_owned()]) {
        let path = path.as_str();
        let reply = console.get(path, Some(&cookie)).await;
        let policy = reply.headers.get("content-security-policy").expect("a policy").to_str().expect("text");
        for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"] {
            assert!(policy.contains(part), "{part} at {path}");
        }
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(reply.headers["x-frame-options"], "DENY", "{path}");
        assert_eq!(reply.headers["x-content-type-options"], "nosniff", "{path}");
        let is_asset = path.starts_with("/assets/");
        assert_eq!(reply.headers["cache-control"] == "no-store", !is_asset, "{path}");
    }
    let script = "%3Cscript%3Ealert(1)%3C/script%3E";
    for path in [format!("/log?since={script}"), format!("/log?power={script}"), format!("/sign-in?to={script}")] {
        let reply = console.get(&path, Some(&cookie)).await;
        assert!(!String::from_utf8_lossy(&reply.body).contains("<script>alert"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_the_provider_that_no_sign_in_waits_for_is_refused() {
    let console = TestConsole::start(Backend::Sqlite).await;
    let begun = console.get("/sign-in/begin?to=/log", None).await;
    assert_eq!(begun.status, 303, "{}", begun.text());
    let (there, set) = (location(&begun), begun.headers["set-cookie"].to_str().expect("text").to_owned());
    for part in ["code_challenge_method=S256", "nonce=", "state=", "response_type=code", "scope=openid"] {
        assert!(there.contains(part), "{part} in {there}");
    }
    let cookie = set.split(';').next().expect("a pair").to_owned();
    let state = there.split("state=").nth(1).expect("a state").split('&').next().expect("its end").to_owned();
    let back = |state: &str| format!("/sign-in/back?code=made-up&state={state}");
    assert_eq!(console.get(&back(&state), None).await.status, 403, "of another browser");
    assert_eq!(console.get(&back("another"), Some(&cookie)).await.status, 403, "of another sign-in");
    assert_eq!(console.get(&back(&state), Some(&cookie)).await.status, 403, "it was good once");
    let demonstration = console.post("/sign-in/demonstration", None, "claim=porth-officer").await;
    assert_eq!(demonstration.status, 404, "only demonstrations let people in like that");
}
