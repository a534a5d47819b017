//! Partners that hold nothing but an older system's salted hash values.

use std::collections::BTreeMap;

use porth::app::caller::AgencyCaller;
use porth::app::enquire::EnquiryError;
use porth::app::error::AppError;
use porth::app::load_policy::PolicyFiles;
use porth::app::submit::FileFault;
use porth::domain::ids::{AgencyCode, TokenType};
use porth::domain::token::Token;
use porth::domain::token_check::{TestTokens, TokenCheck, TypeOutcome, digests};
use porth::identity::{TEST_PEOPLE_TODAY, derive, test_people};
use porth::store::TestToken;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::database::Backend;
use crate::support::programme::{HUB_AREAS, TestProgramme, opaque, policy_files};

/// A salted SHA-256 as an older system made it.
const OLD: &str = "6f1ed002ab5595859014ebf0951522d9c0a5f1d6e1f2c6b4f6d1a8a2c3b4d5e6";

/// What `legacy` is made of: the old value and the date of birth.
fn value() -> String {
    format!("\0\u{40}{OLD}\0\n2011-05-06")
}

/// The shipped policies, in which education and the Hub may send tokens of old hash values.
fn with_legacy() -> PolicyFiles {
    let mut files = policy_files();
    let clause = "[party.legacy_tokens]\nplain = \"The old school system kept nothing but hashes; it ends next summer.\"\nuntil = 2099-07-31\n";
    for text in &mut files.agreements {
        let old = String::from_utf8(text.clone()).expect("UTF-8");
        if !old.contains("id = \"early-help-core\"") {
            continue;
        }
        let mut new = String::new();
        let mut is_in = false;
        for line in old.lines() {
            if line.starts_with("[[") {
                if is_in {
                    new.push_str(clause);
                    new.push('\n');
                }
                is_in = false;
            }
            is_in |= line == "agency = \"education\"" || line == "agency = \"early-help-hub\"";
            new.push_str(line);
            new.push('\n');
        }
        assert_eq!(new.matches("legacy_tokens").count(), 2, "both are parties");
        *text = new.into_bytes();
    }
    files
}

fn caller(agency: &str) -> AgencyCaller {
    AgencyCaller { agency: agency.parse().expect("a code"), client: "test-client".to_owned() }
}

/// What a right system makes of the test people.
fn test_tokens(test: &TestProgramme) -> TestTokens {
    let mut people = TestTokens::new();
    for (number, raw) in test_people(&test.match_keys) {
        let mut types: BTreeMap<TokenType, Vec<Token>> = BTreeMap::new();
        for (key, value) in derive(&test.match_keys, &raw, TEST_PEOPLE_TODAY).values() {
            let name = &test.match_keys.keys()[key].name;
            types.entry(name.clone()).or_default().push(test.type_key(name.as_str()).token(value));
        }
        people.insert(number, types);
    }
    people
}

async fn register(test: &TestProgramme, people: &TestTokens) {
    let tests: Vec<TestToken> =
        digests(people).into_iter().map(|(token_type, digest)| TestToken { epoch: 1, token_type, digest }).collect();
    let differing = test.gateway.register_key_checks(1, &[], &tests, "custodian").await.expect("registered");
    assert!(differing.is_empty());
}

fn check(test: &TestProgramme, people: TestTokens) -> TokenCheck {
    let match_keys = porth::app::policies::hex(test.match_keys.sha256());
    TokenCheck { programme: test.code.clone(), match_keys, epoch: 1, people }
}

fn met() -> Value {
    json!({ "flags": [{ "criterion": "E1", "state": "met", "from": "2026-04-13" }], "role": "child" })
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn old_hash_values_are_taken_where_an_agreement_says_so_and_marked_in_answer_and_log(#[case] backend: Backend) {
    let test = TestProgramme::start_with(backend, with_legacy()).await;
    let header = test.header("education", "attendance", "early-help-core/v1").await;
    let rows = [test.row(1, &[("legacy", &value())], met())];

    let early = test.submit(&header, &rows).await.expect_err("nothing is registered yet");
    assert!(matches!(early, AppError::File(FileFault::UncheckedTokens)), "{early:?}");
    let people = test_tokens(&test);
    register(&test, &people).await;
    let early = test.submit(&header, &rows).await.expect_err("the system has shown nothing yet");
    assert!(matches!(early, AppError::File(FileFault::UncheckedTokens)), "{early:?}");
    let outcomes = test.gateway.check_tokens(&caller("education"), &check(&test, people)).await.expect("checked");
    assert!(outcomes.values().all(|outcome| *outcome == TypeOutcome::Equal), "{outcomes:?}");
    test.submit(&header, &rows).await.expect("taken now");
    test.publish().await;

    let found = test.ask(HUB_AREAS, &[("legacy", &value())], &[]).await.expect("answered");
    let said = serde_json::to_value(&found.answer).expect("JSON");
    let area = said["areas"].as_array().expect("areas").iter().find(|area| area["area"] == "A2").expect("A2");
    assert_eq!(area["state"], "met", "the record was found by its old hash value");
    let codes: Vec<&str> = found.legacy_tokens.iter().map(AgencyCode::as_str).collect();
    assert_eq!(codes, ["early-help-hub", "education"]);
    let nobody = test.ask(HUB_AREAS, &[("nhs", "9990000018")], &[]).await.expect("answered");
    assert_eq!(nobody.legacy_tokens, found.legacy_tokens, "the mark depends on agreements alone");

    let entry = test.gateway.store().event_body(found.disclosure).await.expect("the database").expect("an entry");
    let entry: Value = serde_json::from_slice(&entry).expect("JSON");
    let feed = |supplier: &str| {
        let feeds = entry["body"]["feeds"].as_array().expect("feeds");
        feeds.iter().find(|feed| feed["supplier"] == supplier).cloned()
    };
    assert_eq!(feed("education").expect("in the set")["legacy_tokens"], "yes");
}

#[tokio::test]
async fn without_the_agreement_no_such_token_is_taken_in_a_row_or_a_question() {
    let test = TestProgramme::start(Backend::Sqlite).await;
    let header = test.header("education", "attendance", "early-help-core/v1").await;
    let refused = test.submit(&header, &[test.row(1, &[("legacy", &value())], met())]).await;
    let Err(AppError::RefusedFile { id, fault: FileFault::Rows }) = refused else { panic!("{refused:?}") };
    let errors = test.gateway.store().row_errors(id, 0, 10).await.expect("errors");
    assert!(errors.iter().any(|error| error.code == "token.legacy"), "{errors:?}");
    let asked = test.ask(HUB_AREAS, &[("legacy", &value())], &[]).await;
    assert!(matches!(&asked, Err(EnquiryError::Question(fault)) if fault.code() == "token.legacy"), "{asked:?}");
    let hearth = "education".parse().expect("a code");
    let granted = test.gateway.current_policies().await.expect("policies").granted_types(&hearth);
    assert!(granted.iter().all(|granted| granted.as_str() != "legacy") && !granted.is_empty());
}

#[tokio::test]
async fn a_hash_in_any_text_form_is_refused_and_nowhere_to_be_found_afterwards() {
    let test = TestProgramme::start_with(Backend::Sqlite, with_legacy()).await;
    let people = test_tokens(&test);
    register(&test, &people).await;
    test.gateway.check_tokens(&caller("education"), &check(&test, people)).await.expect("checked");
    let header = test.header("education", "attendance", "early-help-core/v1").await;
    let padded = "bx7QAqtVlYWQFOvwlRUi2cCl8dbh8sa09tGoosO01eY=";
    for hash in [OLD, &OLD.to_uppercase(), padded, &format!("sha256:{OLD}"), &OLD[..40]] {
        let row = json!({ "ref": opaque(1), "tokens": { "1": { "legacy": [hash] } } });
        let refused = test.submit(&header, &[row]).await;
        let Err(AppError::RefusedFile { id, fault: FileFault::Rows }) = refused else { panic!("{refused:?}") };
        let errors = test.gateway.store().row_errors(id, 0, 10).await.expect("errors");
        assert!(errors.iter().any(|error| error.code == "token.raw_hash"), "{errors:?}");
        assert!(!format!("{errors:?}").contains(hash));
    }
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_system_that_writes_raw_hashes_as_tokens_is_found_on_the_test_people(#[case] backend: Backend) {
    let test = TestProgramme::start_with(backend, with_legacy()).await;
    let right = test_tokens(&test);
    register(&test, &right).await;
    let legacy = TokenType::parse("legacy").expect("a type");
    let mut wrong = right.clone();
    for (number, raw) in test_people(&test.match_keys) {
        let place = test.match_keys.keys().iter().position(|key| key.name == legacy).expect("a key");
        let derived = derive(&test.match_keys, &raw, TEST_PEOPLE_TODAY);
        let Some((_, value)) = derived.values().find(|(key, _)| *key == place) else { continue };
        // The old hash itself in place of the token that it should have gone into: 32 bytes either way.
        let hex = std::str::from_utf8(&value[2..66]).expect("hexadecimal");
        let byte = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("a byte");
        let raw_hash = Token::new(std::array::from_fn(byte));
        wrong.get_mut(&number).expect("there").insert(legacy.clone(), vec![raw_hash]);
    }
    let header = test.header("education", "attendance", "early-help-core/v1").await;
    let rows = [test.row(1, &[("legacy", &value())], met())];

    let outcomes =
        test.gateway.check_tokens(&caller("education"), &check(&test, wrong.clone())).await.expect("checked");
    assert_eq!(outcomes[&legacy], TypeOutcome::Differs);
    assert!(outcomes.iter().all(|(name, outcome)| *name == legacy || *outcome == TypeOutcome::Equal));
    let refused = test.submit(&header, &rows).await.expect_err("refused");
    assert!(matches!(refused, AppError::File(FileFault::UncheckedTokens)), "{refused:?}");

    test.gateway.check_tokens(&caller("education"), &check(&test, right)).await.expect("checked");
    test.submit(&header, &rows).await.expect("taken now");
    test.gateway.check_tokens(&caller("education"), &check(&test, wrong)).await.expect("checked");
    let refused = test.submit(&header, &rows).await.expect_err("the system was changed since");
    assert!(matches!(refused, AppError::File(FileFault::UncheckedTokens)), "{refused:?}");
}
