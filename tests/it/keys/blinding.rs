//! The blinding key is replaced by stacking: answers stay, the old secret alone matches nothing, and an
//! interrupted run goes on.

use porth::app::enquire::EnquiryError;
use porth::app::error::AppError;
use porth::domain::ids::TokenType;
use porth::domain::token::Token;
use rstest::rstest;
use serde_json::{Value, json};

use super::met;
use crate::support::database::Backend;
use crate::support::programme::{HUB_AREAS, TestKeys, TestProgramme};

const PEOPLE: u32 = 600;

fn number(person: u32) -> String {
    format!("999{person:07}")
}

async fn crowd(programme: &TestProgramme, feed: (&str, &str), criterion: &str) {
    let flags = met(programme, criterion).await;
    let rows: Vec<Value> = (0..PEOPLE)
        .map(|person| {
            let (nhs, name, home) = (number(person), format!("name {person}"), format!("{:012}", person / 3));
            let extra = json!({ "role": "child", "flags": flags, "household": programme.tokens(&[("uprn", &home)]) });
            programme.row(person, &[("nhs", &nhs), ("k3", &name)], extra)
        })
        .collect();
    programme.deliver(feed.0, feed.1, "early-help-core/v1", &rows).await;
}

async fn answers(programme: &TestProgramme) -> Vec<String> {
    let mut answers = Vec::new();
    for person in [0, 1, 299, PEOPLE - 1, PEOPLE] {
        let nhs = number(person);
        let answer = programme.ask(HUB_AREAS, &[("nhs", &nhs)], &[]).await.expect("permitted").answer;
        answers.push(format!("{answer:?}"));
    }
    answers
}

/// A person's token as the first key alone, or the first keys of a gateway, would have it stored.
fn found_with(programme: &TestProgramme, keys: &TestKeys, layers: u32) -> porth::domain::token::Blinded {
    let nhs = TokenType::parse("nhs").expect("a type");
    let token: Token = programme.type_key("nhs").token(number(1).as_bytes());
    let gateway = programme.restarted_with(keys.clone()).gateway;
    gateway.keys().blinder.prepare(1, &nhs, 1, layers).blind(&token)
}

async fn is_stored(programme: &TestProgramme, blinded: porth::domain::token::Blinded) -> bool {
    let records = programme.gateway.store().visible_tokens(&programme.code, 0, 10_000).await.expect("records");
    let in_records = records.iter().any(|record| record.tokens.iter().any(|token| token.blinded == blinded));
    let asker = "early-help-hub".parse().expect("a code");
    let feeds = [("education".parse().expect("a code"), "attendance".parse().expect("a code"))];
    let generation =
        programme.gateway.store().view(&programme.code).await.expect("a view").expect("a programme").generation;
    let reach =
        porth::store::Reach { generation, programme: &programme.code, asker: &asker, feeds: &feeds, limit: 100 };
    let indexed = !programme.gateway.store().records_by_token(reach, &[blinded]).await.expect("a look").is_empty();
    assert_eq!(in_records, indexed, "records and their index agree");
    indexed
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn answers_are_the_same_and_the_old_secret_alone_matches_nothing(#[case] backend: Backend) {
    let old = TestProgramme::start(backend).await;
    crowd(&old, ("education", "attendance"), "E1").await;
    crowd(&old, ("childrens-social-care", "cases"), "H2").await;
    let before = answers(&old).await;
    assert_ne!(before[0], before[4], "a person who is known and one who is not");
    let next = old.keys.with_next_blinding_key();
    assert!(is_stored(&old, found_with(&old, &old.keys, 1)).await);
    let refused = old.gateway.restack("ops-1", "yearly", &mut |_| true).await;
    assert!(matches!(refused, Err(AppError::Policy(_))), "there is no next key: {refused:?}");

    // Started again with the next key, a gateway answers as before until the restack, and after it.
    let new = old.restarted_with(next.clone());
    assert_eq!(answers(&new).await, before);
    let done = new.gateway.restack("ops-1", "yearly", &mut |_| true).await.expect("restacked");
    assert_eq!((done.layers, done.records, done.was_resumed), (2, u64::from(2 * PEOPLE), false));
    assert!(done.tags > 0, "entries are found under tags that only the whole chain makes");
    assert_eq!(answers(&new).await, before);

    assert!(!is_stored(&new, found_with(&new, &old.keys, 1)).await, "the old secret finds nobody in the new database");
    assert!(is_stored(&new, found_with(&new, &next, 2)).await);
    let stale = old.ask(HUB_AREAS, &[("nhs", &number(1))], &[]).await;
    assert!(matches!(stale, Err(EnquiryError::App(AppError::KeysChanging))), "a gateway without the key: {stale:?}");

    // New arrivals run the chain, and a second change stacks on the first.
    crowd(&new, ("education", "attendance"), "E1").await;
    assert_eq!(answers(&new).await, before);
    let third = new.restarted_with(next.with_next_blinding_key());
    assert_eq!(third.gateway.restack("ops-1", "yearly", &mut |_| true).await.expect("restacked").layers, 3);
    assert_eq!(answers(&third).await, before);
    assert!(!is_stored(&third, found_with(&third, &next, 2)).await);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_interrupted_restack_answers_nobody_and_goes_on_where_it_was(#[case] backend: Backend) {
    let old = TestProgramme::start(backend).await;
    crowd(&old, ("education", "attendance"), "E1").await;
    let before = answers(&old).await;
    let new = old.restarted_with(old.keys.with_next_blinding_key());

    // A file whose rows are arriving, and one that waits to be made visible.
    let caller = |agency: &str| porth::app::caller::AgencyCaller {
        agency: agency.parse().expect("a code"),
        client: "test".to_owned(),
    };
    let header = new.header("housing", "tenancies", "early-help-core/v1").await;
    let begun = new.gateway.begin_submission(&caller("housing"), header.to_string().as_bytes()).await;
    let mut arriving = begun.expect("begun");
    arriving.push(new.row(1, &[("nhs", &number(1))], json!({})).to_string().into()).await.expect("taken");
    arriving.push(json!({ "end": 1 }).to_string().into()).await.expect("taken");
    let waiting = new.header("childrens-social-care", "cases", "early-help-core/v1").await;
    let flags = met(&new, "H2").await;
    let waiting_row = new.row(1, &[("nhs", &number(1))], json!({ "role": "child", "flags": flags }));
    let waiting = new.submit(&waiting, &[waiting_row]).await.expect("staged");

    let mut pages = 0;
    let stopped = new
        .gateway
        .restack("ops-1", "yearly", &mut |_| {
            pages += 1;
            pages < 2
        })
        .await;
    assert!(matches!(stopped, Err(AppError::Interrupted)), "{stopped:?}");
    let state = new.gateway.store().blinding(&new.code).await.expect("a state");
    assert!(state.is_under_way() && state.records_to > 0, "{state:?}");

    let nhs = number(1);
    for gateway in [&old, &new] {
        let asked = gateway.ask(HUB_AREAS, &[("nhs", &nhs)], &[]).await;
        assert!(matches!(asked, Err(EnquiryError::App(AppError::KeysChanging))), "{asked:?}");
        let begun = gateway.gateway.begin_submission(&caller("housing"), header.to_string().as_bytes()).await;
        assert!(matches!(begun.map(drop), Err(AppError::KeysChanging)));
    }
    assert!(new.gateway.publish_next().await.expect("no fault").is_none(), "nothing is made visible half way");
    assert!(arriving.finish().await.is_err(), "its rows would have the old form alone");

    let resumed = new.restarted_with((*new.keys).clone());
    let done = resumed.gateway.restack("ops-1", "yearly", &mut |_| true).await.expect("goes on");
    assert!(done.was_resumed && done.records > 0 && done.records < u64::from(PEOPLE), "{done:?}");
    assert_eq!(answers(&resumed).await, before);
    resumed.publish().await;
    let shown = resumed.gateway.store().submission(waiting.id).await.expect("stored").expect("there");
    assert_eq!(shown.state.as_str(), "visible");
    assert_ne!(answers(&resumed).await[1], before[1], "what waited is linked to the others");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_persons_entries_are_found_under_one_tag_for_each_key(#[case] backend: Backend) {
    let old = TestProgramme::start(backend).await;
    let nhs = number(7);
    old.ask(HUB_AREAS, &[("nhs", &nhs)], &[]).await.expect("permitted");
    let new = old.restarted_with(old.keys.with_next_blinding_key());
    new.gateway.restack("ops-1", "yearly", &mut |_| true).await.expect("restacked");
    new.ask(HUB_AREAS, &[("nhs", &nhs)], &[]).await.expect("permitted");

    let token = new.type_key("nhs").token(nhs.as_bytes());
    let tags = new.gateway.subject_tags(1, &TokenType::parse("nhs").expect("a type"), 1, &token, 2);
    assert_eq!(tags.len(), 2);
    let mut tx = new.gateway.store().begin().await.expect("a transaction");
    let stored = tx.tags_after(b"", u32::MAX, 100).await.expect("tags");
    assert!(tags.iter().all(|tag| stored.contains(tag)), "the entry before, and the entry after");
    assert_eq!(stored.len(), 2, "and nothing under the old key alone");
}
