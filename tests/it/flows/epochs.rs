//! A linkage key is changed: for a while records carry tokens of two epochs, and a person is found by either.

use std::collections::BTreeMap;

use porth::app::caller::AgencyCaller;
use porth::app::enquire::Question;
use porth::app::policies::hex;
use porth::crypto::random::SystemRandom;
use porth::crypto::token::{LinkageKey, TypeKey};
use porth::domain::enquiry::Answer;
use porth::domain::evidence::EvidenceState;
use porth::domain::ids::TokenType;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::database::Backend;
use crate::support::programme::{HUB_AREAS, TestProgramme};

const CHILD: &[(&str, &str)] = &[("nhs", "9990000018"), ("k3", "child")];

/// The key of the next epoch.
struct Next<'a> {
    programme: &'a TestProgramme,
    key: LinkageKey,
}

impl Next<'_> {
    fn type_key(&self, token_type: &TokenType) -> TypeKey {
        TypeKey::derive(&self.key, &self.programme.code, 2, token_type, 1)
    }

    fn types(&self) -> Vec<TokenType> {
        self.programme.match_keys.keys().iter().map(|key| key.name.clone()).collect()
    }

    fn tokens(&self, values: &[(&str, &str)]) -> Value {
        let mut types: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (name, value) in values {
            let token_type = TokenType::parse(name).expect("a type");
            types.entry(name).or_default().push(self.type_key(&token_type).token(value.as_bytes()).to_text());
        }
        json!(types)
    }

    fn epoch(&self) -> Value {
        let checks: BTreeMap<String, String> =
            self.types().iter().map(|name| (name.to_string(), hex(&self.type_key(name).key_check()))).collect();
        json!({ "epoch": 2, "key_checks": checks })
    }
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_record_with_tokens_of_two_epochs_is_found_and_linked_in_either(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let next = Next { programme: &programme, key: LinkageKey::generate(&SystemRandom::new()) };
    let checks: Vec<(TokenType, [u8; 8])> =
        next.types().into_iter().map(|name| (name.clone(), next.type_key(&name).key_check())).collect();
    programme.gateway.register_key_checks(2, &checks, &[], "custodian").await.expect("registered");
    let epochs = |which: &[u32]| -> Value {
        let one = programme.epochs()[0].clone();
        which.iter().map(|epoch| if *epoch == 1 { one.clone() } else { next.epoch() }).collect()
    };

    // Education has both keys already, social care only the new one.
    let from = (programme.today().await - jiff::Span::new().days(40)).to_string();
    let flag = |criterion: &str| json!([{ "criterion": criterion, "state": "met", "from": from }]);
    let mut both = programme.row(1, CHILD, json!({ "role": "child", "flags": flag("E1") }));
    both["tokens"]["2"] = next.tokens(CHILD);
    let mut new = programme.row(2, CHILD, json!({ "role": "child", "flags": flag("H2") }));
    new["tokens"] = json!({ "2": next.tokens(&CHILD[..1]) });
    for (agency, feed, row, which) in
        [("education", "attendance", both, &[1, 2][..]), ("childrens-social-care", "cases", new, &[2])]
    {
        let mut header = programme.header(agency, feed, "early-help-core/v1").await;
        header["epochs"] = epochs(which);
        programme.submit(&header, &[row]).await.expect("taken");
        programme.publish().await;
    }

    let caller = AgencyCaller { agency: HUB_AREAS.agency.parse().expect("a code"), client: "test-client".to_owned() };
    for epoch in [1, 2] {
        let mut question = serde_json::to_value(programme.question(HUB_AREAS, CHILD, &[])).expect("plain data");
        question["epochs"] = epochs(&[epoch]);
        if epoch == 2 {
            question["tokens"] = json!({ "2": next.tokens(CHILD) });
        }
        let question: Question = serde_json::from_value(question).expect("a question");
        let key = format!("idempotency-key-{epoch}");
        let answer = programme.gateway.enquire(&caller, &question, &key).await.expect("permitted").answer;
        let Answer::Areas { areas, .. } = answer else { panic!("areas") };
        let state = |area: &str| areas.iter().find(|found| found.area.as_str() == area).expect("covered").state;
        assert_eq!(state("A2"), EvidenceState::Met, "epoch {epoch}: education's record");
        assert_eq!(state("A3"), EvidenceState::Met, "epoch {epoch}: social care's, joined by the new epoch");
    }
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn attendance_bands_answer_as_a_flag_does_and_stay_inside(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let today = programme.today().await;
    let file = include_str!("../../../policies/programme.toml");
    let file: toml::Table = file.parse().expect("TOML");
    let day = |term: &toml::Value, name: &str| term[name].to_string().parse::<jiff::civil::Date>().expect("a day");
    let terms = file["term"].as_array().expect("terms").iter().filter(|term| day(term, "ends") < today);
    let terms: Vec<&str> = terms.map(|term| term["code"].as_str().expect("a code")).collect();
    let last = &terms[terms.len() - 3..];
    let bands = |band: &str| -> Value { last.iter().map(|term| json!({ "term": term, "band": band })).collect() };
    for (attendance, expected) in [
        (bands("below_90"), EvidenceState::Met),
        (json!([{ "term": last[0], "band": "90_and_over" }]), EvidenceState::NotKnown),
    ] {
        let extra = json!({ "role": "child", "attendance": attendance, "school_age_children": 2 });
        let row = programme.row(1, CHILD, extra);
        programme.deliver("education", "attendance", "early-help-core/v1", &[row]).await;
        let answer = programme.ask(HUB_AREAS, CHILD, &[]).await.expect("permitted").answer;
        assert!(!format!("{answer:?}").contains("90"), "no band leaves");
        let Answer::Areas { areas, .. } = answer else { panic!("areas") };
        let found = areas.iter().find(|found| found.area.as_str() == "A2").expect("covered");
        assert_eq!(found.state, expected);
    }
}
