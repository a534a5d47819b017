//! Forged forms: every page that takes a form refuses one without its session's token, with another
//! session's, and from another site, before it looks at anything else in it.

use porth::web::console::page;
use rstest::rstest;

use super::TestConsole;
use super::refusals::{CLAIMS, NONE, example, form_token};
use crate::support::connection::Reply;
use crate::support::database::Backend;

/// What every refused form is told, with nothing of what it held.
fn is_forged(reply: &Reply) -> bool {
    reply.status == 403 && reply.text().contains("This form is not taken") && !reply.text().contains("typed-by-mallory")
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn every_form_needs_the_token_of_its_own_session_and_a_page_of_this_site(#[case] backend: Backend) {
    let console = TestConsole::start_demonstration(backend).await;
    let mut tried = 0;
    for page in page::ALL.iter().copied().chain([&page::SIGN_OUT]).filter(|page| !page.actors.is_empty()) {
        for (claim, persona) in CLAIMS.into_iter().filter(|(_, persona)| page.is_acted_on_by(*persona)) {
            let (cookie, other) = (console.enter(claim).await, console.enter(claim).await);
            let token = form_token(&console.get("/", Some(&cookie)).await);
            let others = form_token(&console.get("/", Some(&other)).await);
            assert_ne!(token, others, "two sessions of one account have two tokens");
            let path = example(page);
            let tokens = [String::new(), "form-token=".to_owned(), format!("form-token={others}"), {
                let (first, rest) = token.split_at(1);
                format!("form-token={}{rest}", if first == "A" { "B" } else { "A" })
            }];
            for sent in tokens {
                let reply = console.post(&path, Some(&cookie), &format!("{sent}&reason=typed-by-mallory")).await;
                assert!(is_forged(&reply), "{persona:?} at {path} with {sent}: {}", reply.text());
            }
            let body = format!("form-token={token}&reason=typed-by-mallory");
            let twice = console.post(&path, Some(&cookie), &format!("form-token={others}&{body}")).await;
            assert!(is_forged(&twice), "{persona:?} at {path} with two tokens: {}", twice.text());
            for site in [
                vec![("origin", "https://evil.example")],
                vec![("origin", console.address.as_str()), ("sec-fetch-site", "cross-site")],
                vec![("origin", console.address.as_str()), ("sec-fetch-site", "same-site")],
                vec![("origin", "null"), ("sec-fetch-site", "same-origin")],
                vec![("referer", console.address.as_str())],
                vec![],
            ] {
                let headers = [site.clone(), vec![("cookie", cookie.as_str())]].concat();
                let reply = console.send("POST", &path, &headers, &body).await;
                assert!(is_forged(&reply), "{persona:?} at {path} from {site:?}: {}", reply.text());
            }
            // In the address it counts for nothing.
            let reply = console.post(&format!("{path}?form-token={token}"), Some(&cookie), "").await;
            assert!(is_forged(&reply), "{persona:?} at {path} with the token in the address: {}", reply.text());
            assert_eq!(console.get("/", Some(&cookie)).await.status, 200, "the session goes on after {path}");
            tried += 1;
        }
    }
    assert!(tried >= page::ALL.iter().filter(|page| !page.actors.is_empty()).count(), "every page was tried");
    assert!(console.gateway.events("incident.open", "").await == 0 && !NONE.is_empty());
}
