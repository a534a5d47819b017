//! Re-identification at the console: a key that the browser makes and keeps, votes that it signs over what it
//! shows, and what is refused of a vote that comes another way.

use std::path::Path;
use std::time::Duration;

use porth::app::caller::AgencyCaller;
use porth::app::reidentification::card::ReidCard;
use porth::app::reidentification::{NewReidentification, ReidView};
use porth::crypto::random::{SystemRandom, random_bytes};
use porth::crypto::seal::SealKeyPair;
use porth::crypto::sign::SigningKey;
use porth::domain::ids::{AgencyCode, OpaqueRef};
use porth::domain::reidentification::binding::{self, Hash32};
use porth::domain::reidentification::vote::{Choice, Vote};
use porth::domain::tfid::Tfid;
use porth::domain::time::Timestamp;
use porth::domain::token::encode_base64url;
use rstest::rstest;
use serde_json::{Value, json};

use super::TestConsole;
use super::refusals::form_token;
use crate::support::connection::Reply;
use crate::support::database::Backend;
use crate::support::gateway::hexadecimal;
use crate::support::people::{Person, reference};

const MOTHER: Person = Person::new("Mother", "3 Quay");
const REASON: &str = "Three areas are met, and nobody leads for this family.";

fn agency(code: &str) -> AgencyCode {
    code.parse().expect("a code")
}

/// An officer with a key of their own, as a card names them.
struct Officer {
    agency: AgencyCode,
    person: OpaqueRef,
    key_id: String,
    key: SigningKey,
}

impl Officer {
    fn vote(&self, request: &Hash32, choice: Choice, record: Option<Hash32>, at: Timestamp) -> Vote {
        let reason = (choice == Choice::Refuse).then(|| "no-ground".parse().expect("a code"));
        let (agency, key_id, person) = (self.agency.clone(), self.key_id.clone(), self.person.clone());
        let mut vote = Vote { agency, at, choice, key_id, person, reason, record, signature: String::new() };
        vote.signature = encode_base64url(&self.key.sign(&vote.signed_bytes(request)));
        vote
    }
}

impl TestConsole {
    async fn enrolled_officer(&self, code: &str, person: OpaqueRef) -> Officer {
        let key = SigningKey::generate(&SystemRandom::new());
        let card = ReidCard::officer(&agency(code), person.clone(), &key.verifying_key());
        self.enrol_card(&card).await;
        Officer { agency: agency(code), person, key_id: card.key_id, key }
    }

    async fn enrol_card(&self, card: &ReidCard) {
        let key = card.key().expect("its id is its own key's");
        self.gateway.gateway().enrol_reid_key(&key, "operator-1", "operator-2").await.expect("enrolled");
    }

    /// A family of which education has a record, and the data team's key; the family's number and the key's id.
    async fn family(&self) -> (Tfid, String) {
        let home = &self.gateway;
        let education = home.agency("education").await;
        let row = MOTHER.record(&home.linkage, "adult", json!([]));
        education.deliver("attendance", "early-help-core/v1", &[row]).await;
        let own = reference("work");
        let candidate = json!([{ "agency": "education", "feed": "attendance", "ref": reference("Mother") }]);
        let issue = json!({
            "terms": {
                "programme": "tff", "agreement": "programme-delivery/v1", "purpose": "programme-delivery",
                "relationship": "screening", "role": "data-analyst", "case": own, "user": own,
            },
            "mode": "count", "reason": "test",
            "decision": { "kind": "issue", "route": "referral", "candidates": [candidate] },
        });
        let issue = serde_json::from_value(issue).expect("a request");
        let key = uuid::Uuid::now_v7().to_string();
        let issued = home.gateway().decide_family(&team(), &issue, &key).await.expect("permitted");
        let (pair, sign) = (SealKeyPair::generate(&SystemRandom::new()), SigningKey::generate(&SystemRandom::new()));
        let card = ReidCard::recipient(&agency("programme-team"), &sign.verifying_key(), pair.public());
        self.enrol_card(&card).await;
        (issued.results[0].family.expect("a number"), card.key_id)
    }

    async fn ask(&self, family: Tfid, recipient: &str) -> ReidView {
        let new: NewReidentification = serde_json::from_value(json!({
            "agreement": "programme-delivery/v1", "source": "education", "family": family,
            "nonce": encode_base64url(&random_bytes::<32>(&SystemRandom::new())), "purpose": "programme-delivery",
            "power": "CA2004-s10", "relationship": "screening", "role": "data-analyst", "case": reference("work"),
            "user": reference("asker"), "fields": ["names", "contact"], "reason": REASON, "recipient": recipient,
            "hours": 24, "handling": "ordinary",
        }))
        .expect("a question");
        let key = uuid::Uuid::now_v7().to_string();
        self.gateway.gateway().request_reidentification(&team(), &new, &key).await.expect("permitted")
    }

    /// Education's own approval, over its own record, as its own machine gives it.
    async fn approve_at_source(&self, source: &Officer, asked: &ReidView) -> ReidView {
        let caller = AgencyCaller { agency: source.agency.clone(), client: "education-desk".to_owned() };
        let gateway = self.gateway.gateway();
        let shown = gateway.show_reidentification(&caller, asked.id).await.expect("shown");
        let record = shown.record.expect("its own record");
        let record = binding::record(&asked.request_sha256, &record.feed, &record.reference);
        let vote = source.vote(&asked.request_sha256, Choice::Approve, Some(record), self.gateway.now().await);
        gateway.vote_reidentification(&caller, asked.id, &vote).await.expect("approved")
    }

    /// Posts a vote as the page's script does.
    async fn post_vote(&self, asked: &ReidView, cookie: &str, token: &str, vote: &Vote) -> Reply {
        let reason = vote.reason.as_ref().map_or("", |reason| reason.as_str());
        let body = format!(
            "form-token={token}&step=vote&choice={}&reason={reason}&agency={}&person={}&at={}&key={}&signature={}",
            vote.choice.as_str(),
            vote.agency,
            vote.person.as_str(),
            vote.at.to_string().replace(':', "%3A"),
            vote.key_id,
            vote.signature
        );
        self.post(&format!("/reidentifications/{}", asked.id), Some(cookie), &body).await
    }

    async fn votes(&self, asked: &ReidView) -> Vec<Vote> {
        self.gateway.gateway().store().reid_votes(asked.id).await.expect("votes")
    }

    async fn state(&self, asked: &ReidView) -> &'static str {
        self.gateway.gateway().store().reid(asked.id).await.expect("the database").expect("a row").state.word()
    }

    /// How often steps of requests were refused, whatever the step.
    async fn refusals(&self) -> i64 {
        self.gateway.wait_sequenced().await;
        self.gateway.events("reid.step", "refused").await
    }
}

fn team() -> AgencyCaller {
    AgencyCaller { agency: agency("programme-team"), client: "programme-desk".to_owned() }
}

/// What the browser's script signs is what the gateway verifies, byte for byte.
#[tokio::test(flavor = "multi_thread")]
async fn the_browser_signs_the_bytes_that_the_gateway_verifies() {
    let console = TestConsole::start_demonstration(Backend::Sqlite).await;
    let vote = |choice, reason: Option<&str>, at: &str, key: &str| Vote {
        agency: agency("housing"),
        at: at.parse().expect("a time"),
        choice,
        key_id: key.to_owned(),
        person: OpaqueRef::parse("AAAAAAAAAAAAAAAAAAAAAQ").expect("22 characters"),
        reason: reason.map(|reason| reason.parse().expect("a code")),
        record: None,
        signature: String::new(),
    };
    let votes = [
        vote(Choice::Approve, None, "2026-11-22T10:00:00.123Z", "officer-0123456789abcdef"),
        vote(Choice::Withdraw, None, "1970-01-01T00:00:00Z", "k"),
        vote(Choice::Refuse, Some("no-ground"), "2026-11-22T10:00:00.999Z", "officer-0123456789abcdef"),
        vote(Choice::Refuse, Some(&"x".repeat(64)), "2099-12-31T23:59:59.001Z", &"k".repeat(300)),
    ];
    let told = |(number, vote): (usize, &Vote)| {
        let request = Hash32::of(&[number as u8]);
        json!({
            "vote": {
                "agency": vote.agency, "at": vote.at.to_string().replace("000Z", "Z"), "choice": vote.choice.as_str(),
                "key": vote.key_id, "person": vote.person.as_str(), "reason": vote.reason.as_ref().map(ToString::to_string),
            },
            "sha256": request.to_string(),
            "expected": hexadecimal(&vote.signed_bytes(&request)),
        })
    };
    let votes: Vec<Value> = votes.iter().enumerate().map(told).collect();

    console.walk("signed_bytes.mjs", &[("PORTH_TEST_VOTES", &Value::from(votes).to_string())]).await;
}

/// The lawful way of an officer: a key in the browser, its card enrolled by two people, and an approval by the
/// keyboard alone, that counts.
#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn an_officer_approves_with_a_key_that_never_leaves_the_browser(#[case] backend: Backend) {
    let console = TestConsole::start(backend).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("a plain path").to_owned();
    let (profile, card, signal) = (path("profile"), path("card.json"), path("signal"));
    console.walk("reid_key.mjs", &[("PORTH_TEST_PROFILE", &profile), ("PORTH_TEST_CARD", &card)]).await;
    let card: ReidCard = serde_json::from_slice(&std::fs::read(&card).expect("a card")).expect("a card's JSON");
    console.enrol_card(&card).await;
    let account = console.gateway.gateway().console_account(&console.issuer, "approver");
    let person = console.gateway.gateway().console_person(&account);
    assert_eq!(card.key().expect("a key").person, Some(person.clone()), "the card is of whoever was signed in");

    let (family, recipient) = console.family().await;
    let (asked, other) = (console.ask(family, &recipient).await, console.ask(family, &recipient).await);
    let (id, other_id) = (asked.id.to_string(), other.id.to_string());
    let environment = [
        ("PORTH_TEST_PROFILE", profile.as_str()),
        ("PORTH_TEST_REQUEST", &id),
        ("PORTH_TEST_OTHER_REQUEST", &other_id),
        ("PORTH_TEST_TEXT", asked.request.as_deref().expect("its text")),
        ("PORTH_TEST_SIGNAL", &signal),
    ];
    let walk = console.walk("reid_vote.mjs", &environment);
    tokio::select! {
        () = walk => {}
        () = let_time_pass(&console, Path::new(&signal)) => unreachable!("it goes on for ever"),
    }

    let votes = console.votes(&asked).await;
    let [vote] = &votes[..] else { panic!("one vote: {}", votes.len()) };
    assert_eq!((vote.choice, &vote.person, &vote.key_id), (Choice::Approve, &person, &card.key_id));
    assert_eq!(console.state(&asked).await, "voting", "the source has not approved");
    assert_eq!(console.state(&other).await, "refused");
    let source = console.enrolled_officer("education", OpaqueRef::parse(&reference("head")).expect("opaque")).await;
    assert_eq!(console.approve_at_source(&source, &asked).await.state.word(), "authorised", "the vote counts");
}

/// Whenever the walk asks for it, every sign-in becomes older than it is.
async fn let_time_pass(console: &TestConsole, signal: &Path) {
    loop {
        if signal.exists() {
            console.gateway.database.execute("UPDATE console_session SET authenticated_at = 0").await;
            std::fs::remove_file(signal).expect("removed");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn a_vote_of_another_person_key_request_or_hour_is_refused_and_logged(#[case] backend: Backend) {
    let console = TestConsole::start_demonstration(backend).await;
    let gateway = console.gateway.gateway();
    let (family, recipient) = console.family().await;
    let asked = console.ask(family, &recipient).await;
    let cookie = console.enter("porth-approver").await;
    let person = gateway.console_person(&gateway.console_account(&console.issuer, "porth-approver"));
    let own = console.enrolled_officer("housing", person.clone()).await;
    let elsewhere = OpaqueRef::parse(&reference("jory")).expect("opaque");
    let colleague = console.enrolled_officer("housing", elsewhere).await;
    let path = format!("/reidentifications/{}", asked.id);
    let page = console.get(&path, Some(&cookie)).await;
    let token = form_token(&page);
    let page = page.text();
    assert!(page.contains(REASON) && page.contains(&own.key_id) && !page.contains(&colleague.key_id), "{page}");
    let now = console.gateway.now().await;
    let good = || own.vote(&asked.request_sha256, Choice::Approve, None, now);

    // No vote at all without the session's form token.
    for forged in ["", "A"] {
        assert_eq!(console.post_vote(&asked, &cookie, forged, &good()).await.status, 403, "{forged}");
    }
    let altered = own.vote(&Hash32::of(b"another text"), Choice::Approve, None, now);
    let colleagues = colleague.vote(&asked.request_sha256, Choice::Approve, None, now);
    let mut borrowed = colleague.vote(&asked.request_sha256, Choice::Approve, None, now);
    borrowed.person = person;
    let old = own.vote(&asked.request_sha256, Choice::Approve, None, now.plus_seconds(-301));
    for (vote, code) in
        [(altered, "request-altered"), (colleagues, "wrong-role"), (borrowed, "wrong-role"), (old, "stale-sign-in")]
    {
        let before = console.refusals().await;
        let reply = console.post_vote(&asked, &cookie, &token, &vote).await;
        assert_eq!(reply.status, 409, "{}", reply.text());
        assert!(reply.text().contains(&format!("({code})")), "{code}: {}", reply.text());
        assert_eq!(console.refusals().await, before + 1, "{code} is in the log");
    }
    // A signature of this moment does not make up for a sign-in of this morning.
    console.gateway.database.execute("UPDATE console_session SET authenticated_at = 0").await;
    let page = console.get(&path, Some(&cookie)).await.text();
    assert!(page.contains("Confirm who you are") && !page.contains("Sign and send"), "{page}");
    let before = console.refusals().await;
    let reply = console.post_vote(&asked, &cookie, &token, &good()).await;
    assert_eq!(reply.status, 409, "{}", reply.text());
    assert!(reply.text().contains("(stale-sign-in)"), "{}", reply.text());
    assert_eq!(console.refusals().await, before + 1);
    assert!(console.votes(&asked).await.is_empty(), "nothing counted");

    let cookie = console.enter("porth-approver").await;
    let token = form_token(&console.get(&path, Some(&cookie)).await);
    let vote = own.vote(&asked.request_sha256, Choice::Approve, None, console.gateway.now().await);
    assert_eq!(console.post_vote(&asked, &cookie, &token, &vote).await.status, 303);
    assert_eq!(console.votes(&asked).await, [vote]);
}

/// Every look of an officer at the text is an entry; whoever has no part sees nothing; the data team, which
/// asked, votes on nothing here.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_shown_to_its_parties_alone_and_every_look_of_an_officer_is_logged() {
    let console = TestConsole::start_demonstration(Backend::Sqlite).await;
    let (family, recipient) = console.family().await;
    let asked = console.ask(family, &recipient).await;
    let path = format!("/reidentifications/{}", asked.id);
    let approver = console.enter("porth-approver").await;
    console.gateway.wait_sequenced().await;
    let shown = async || console.gateway.events("reid.step", "answered").await;
    let before = shown().await;
    assert!(console.get(&path, Some(&approver)).await.text().contains(REASON));
    assert_eq!(shown().await, before + 1, "the look is an entry");
    let list = console.get("/reidentifications", Some(&approver)).await.text();
    assert!(list.contains(&asked.id.to_string()) && !list.contains(REASON), "{list}");
    assert_eq!(shown().await, before + 1, "a list without texts is none");

    let inspector = console.enter("porth-inspector").await;
    let page = console.get(&path, Some(&inspector)).await;
    assert_eq!(page.status, 200, "{}", page.text());
    assert!(!page.text().contains(REASON) && !page.text().contains("data-analyst"), "{}", page.text());
    assert_eq!(shown().await, before + 1);

    let team = console.enter("porth-data-team").await;
    let page = console.get(&path, Some(&team)).await;
    let token = form_token(&page);
    assert!(page.text().contains(REASON) && !page.text().contains(&family.to_text()), "{}", page.text());
    let reply = console.post(&path, Some(&team), &format!("form-token={token}&step=vote&choice=approve")).await;
    assert_eq!(reply.status, 409, "{}", reply.text());
    assert!(console.votes(&asked).await.is_empty());
    let back = console.post(&path, Some(&team), &format!("form-token={token}&step=take-back")).await;
    assert_eq!(back.status, 303, "{}", back.text());
    assert_eq!(console.state(&asked).await, "withdrawn");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn the_data_team_asks_and_no_page_or_address_tells_the_number_again(#[case] backend: Backend) {
    let console = TestConsole::start(backend).await;
    let (family, _) = console.family().await;
    console
        .walk("reid_ask.mjs", &[("PORTH_TEST_FAMILY", family.to_text().as_str()), ("PORTH_TEST_TAKE_BACK", "yes")])
        .await;
    let found = console.gateway.gateway().reidentifications(&team()).await.expect("listed");
    assert!(found.is_empty(), "it was taken back");
    assert_eq!(console.gateway.events("reid.step", "answered").await, 2, "asked, and taken back");
}
