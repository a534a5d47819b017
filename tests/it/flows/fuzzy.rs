//! Privacy profile C in effect: records that no match key joins and whose encodings are alike are one person
//! in an answer, until that is taken back.

use porth::app::caller::AgencyCaller;
use porth::app::fuzzy::AppliedFuzzy;
use porth::crypto::clk::ClkKey;
use porth::domain::clk::{Clk, EncodingProfile, Space};
use porth::domain::enquiry::Answer;
use porth::domain::evidence::EvidenceState;
use porth::domain::ids::{EventId, OpaqueRef, PairId};
use porth::domain::pair::{PairNames, PairOrigin, PairState, RecordName};
use porth::identity::{ClkEncoder, RawFields};
use porth::store::{PairSide, StoredPair};
use porth::tlog::entry::{AgreementState, Body, Entry, FuzzyStep};
use rstest::rstest;
use serde_json::{Value, json};

use super::febrl::{Record, read};
use crate::support::database::Backend;
use crate::support::programme::{TestProgramme, agreement, opaque, policy_files_of};

const PROFILE: &str = include_str!("../../../policies/clk-profile.febrl.toml");
const TODAY: jiff::civil::Date = jiff::civil::date(2005, 1, 1);
/// So many people, whose records in the two files are alike, and share no match key.
const PEOPLE: usize = 12;

fn encoding() -> EncodingProfile {
    EncodingProfile::parse(PROFILE.as_bytes()).expect("well-formed")
}

/// Terms of a privacy profile for both agencies.
async fn start(backend: Backend, profile: &str) -> TestProgramme {
    let mut files = policy_files_of("examples/febrl", "policies/match-keys.febrl.toml");
    for text in &mut files.agreements {
        let edited = String::from_utf8(text.clone()).expect("text");
        assert!(edited.contains("profile = \"B\""));
        *text = edited.replace("profile = \"B\"", &format!("profile = \"{profile}\"")).into_bytes();
    }
    TestProgramme::start_with(backend, files).await
}

/// The records' encodings, as `porth tokenise` would make them.
fn encodings(programme: &TestProgramme, records: &[Record]) -> Vec<Option<Clk>> {
    let encoding = encoding();
    let key = ClkKey::derive(&programme.linkage, &programme.code, 1, &encoding);
    let mut encoder = ClkEncoder::new(&programme.match_keys, &encoding, &key).expect("fits");
    let encode = |record: &Record| {
        let mut raw = RawFields::new();
        for (name, text) in &record.columns {
            raw.push(&programme.match_keys, name, text);
        }
        encoder.encode(&raw, TODAY).and_then(|words| Clk::new(key.space(), words))
    };
    records.iter().map(encode).collect()
}

/// Both agencies' rows of the same people; each row has a match key that no other row has.
fn rows(programme: &TestProgramme) -> [Vec<Value>; 2] {
    let [north, south] = ["dataset4a", "dataset4b"].map(read);
    let own = programme.match_keys.keys()[0].name.to_string();
    let [first, second] = [&north, &south].map(|records| encodings(programme, records));
    let mut made = [Vec::new(), Vec::new()];
    for (record, clk) in north.iter().zip(&first) {
        let at = south.iter().position(|other| other.number == record.number).expect("a partner");
        // Of those who are alike, whoever the encoding is made for: the rest is measured elsewhere.
        let (Some(clk), Some(other)) = (clk, &second[at]) else { continue };
        if !porth::linkage::dice::Closeness::of(clk, other).is_some_and(|near| near.reaches(encoding().threshold())) {
            continue;
        }
        for (file, (agency, clk)) in [("north", clk), ("south", other)].into_iter().enumerate() {
            let token = programme.type_key(&own).token(format!("{agency} {}", record.number).as_bytes()).to_text();
            made[file].push(json!({ "ref": opaque(record.number), "tokens": { "1": { &own: [token] } }, "clk": clk }));
        }
        if made[0].len() == PEOPLE {
            return made;
        }
    }
    panic!("more than {PEOPLE} people are alike")
}

async fn deliver(programme: &TestProgramme, agency: &str, rows: &[Value]) {
    let from = (programme.today().await - jiff::Span::new().days(9)).to_string();
    let mut rows = rows.to_vec();
    if agency == "south" {
        for row in &mut rows {
            row["flags"] = json!([{ "criterion": "T1", "state": "met", "from": from }]);
        }
    }
    let feed = if agency == "north" { "file-a" } else { "file-b" };
    programme.deliver(agency, feed, "febrl-test/v1", &rows).await;
}

async fn deliver_both(programme: &TestProgramme) -> [Vec<Value>; 2] {
    let rows = rows(programme);
    deliver(programme, "north", &rows[0]).await;
    deliver(programme, "south", &rows[1]).await;
    rows
}

/// North asks by the token of its own record; only south knows an answer.
async fn is_met(programme: &TestProgramme, row: &Value) -> bool {
    let question = json!({
        "programme": "febrl4", "agreement": "febrl-test/v1", "purpose": "linkage-test", "mode": "areas",
        "relationship": "screening", "role": "tester", "case": opaque(7), "user": opaque(8), "scheme": "pt1", "norm": 1,
        "epochs": programme.epochs(), "tokens": row["tokens"], "household": {},
    });
    let question = serde_json::from_value(question).expect("a question");
    let caller = AgencyCaller { agency: "north".parse().expect("a code"), client: "test-client".to_owned() };
    let key = uuid::Uuid::now_v7().to_string();
    let answer = programme.gateway.enquire(&caller, &question, &key).await.expect("permitted").answer;
    let Answer::Areas { areas, .. } = &answer else { panic!("areas: {answer:?}") };
    areas.iter().any(|area| area.state == EvidenceState::Met)
}

/// Applies and lets the publisher work; gives how many had an encoding, joined and parted.
async fn apply(programme: &TestProgramme) -> (u64, u64, u64) {
    let applied = programme.gateway.apply_fuzzy(&programme.keys.match_run, &encoding(), "analyst-1").await;
    let AppliedFuzzy { encoded, joined, parted, .. } = applied.expect("applied");
    publish(programme).await;
    (encoded, joined, parted)
}

async fn publish(programme: &TestProgramme) {
    programme.publish().await;
    while programme.gateway.publish_pairs().await.expect("published").is_some() {}
}

fn name(agency: &str, row: &Value) -> RecordName {
    RecordName {
        agency: agency.parse().expect("a code"),
        feed: if agency == "north" { "file-a" } else { "file-b" }.parse().expect("a code"),
        reference: OpaqueRef::parse(row["ref"].as_str().expect("a reference")).expect("22 characters"),
    }
}

fn names([north, south]: &[Vec<Value>; 2], at: usize) -> PairNames {
    PairNames::new(name("north", &north[at]), name("south", &south[at])).expect("two records")
}

async fn in_force(programme: &TestProgramme) -> Vec<StoredPair> {
    let standing = programme.gateway.store().standing_pairs(&programme.code).await.expect("pairs");
    standing.into_iter().filter(|pair| pair.origin == PairOrigin::Fuzzy).collect()
}

/// A pair about which something was decided.
async fn decided(programme: &TestProgramme, origin: PairOrigin, state: PairState, names: PairNames) {
    let mut tx = programme.gateway.store().begin().await.expect("a transaction");
    let now = tx.now().await.expect("the clock");
    let id = PairId::new(uuid::Uuid::now_v7());
    let sides = [PairSide::default(); 2];
    let pair =
        StoredPair { id, origin, names, weight: None, evidence: "k8".to_owned(), state, proposed_at: now, sides };
    let event = EventId::new(uuid::Uuid::now_v7());
    assert!(tx.add_pair(&programme.code, &pair, Some((now, event))).await.expect("added"));
    tx.commit().await.expect("committed");
    publish(programme).await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn records_that_are_alike_are_one_person_in_an_answer_until_it_is_taken_back(#[case] backend: Backend) {
    let programme = start(backend, "C").await;
    let rows = deliver_both(&programme).await;
    for row in &rows[0] {
        assert!(!is_met(&programme, row).await, "no match key leads to south's record");
    }
    let all = PEOPLE as u64;
    assert_eq!(apply(&programme).await, (2 * all, all, 0));
    for row in &rows[0] {
        assert!(is_met(&programme, row).await, "the two records are one person");
    }
    let stored = in_force(&programme).await;
    for pair in &stored {
        let words = ["fuzzy-encoding low", "fuzzy-encoding middle", "fuzzy-encoding high"];
        assert!(pair.weight.is_none() && words.contains(&pair.evidence.as_str()), "{}", pair.evidence);
    }
    assert_eq!(apply(&programme).await, (2 * all, 0, 0), "nothing is new");
    assert_eq!(in_force(&programme).await, stored);

    assert_eq!(programme.gateway.withdraw_fuzzy("analyst-1").await.expect("withdrawn"), all);
    publish(&programme).await;
    for row in &rows[0] {
        assert!(!is_met(&programme, row).await, "they are two people again");
    }
    assert!(programme.gateway.withdraw_fuzzy("analyst-1").await.is_err(), "there is none left");
    assert!(programme.gateway.withdraw_fuzzy("not an account").await.is_err());
    assert_eq!(steps(&programme).await, ["apply", "apply", "withdraw"]);
}

/// The steps of the entries. Each says what kind of choice this is, and commits to its numbers.
async fn steps(programme: &TestProgramme) -> Vec<&'static str> {
    programme.sequencer.drain().await.expect("sequenced");
    let entries = programme.gateway.store().log_entries(0, 1000).await.expect("entries");
    let steps = entries.iter().filter_map(|(_, bytes)| match Entry::parse(bytes).expect("an entry").into_body() {
        Body::FuzzyStep(step) => Some(step),
        _ => None,
    });
    let read = |step: FuzzyStep| {
        assert_eq!(step.privacy.as_str(), "weakest-of-three");
        let is_applied = step.step.as_str() == "apply";
        assert_eq!(step.threshold_in_thousandths.is_some(), is_applied);
        if is_applied { "apply" } else { "withdraw" }
    };
    steps.map(read).collect()
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_pair_that_holds_no_longer_or_that_something_stronger_joins_is_taken_back(#[case] backend: Backend) {
    let programme = start(backend, "C").await;
    let rows = deliver_both(&programme).await;
    let all = PEOPLE as u64;
    apply(&programme).await;

    // North's first record is of somebody else by now; the second has no encoding any more.
    let mut north = rows[0].clone();
    let elsewhere = encodings(&programme, &read("dataset4a")).into_iter().flatten().last().expect("somebody");
    north[0]["clk"] = json!(elsewhere);
    north[1].as_object_mut().expect("a row").remove("clk");
    // The third is known to south by a match key, the fourth because both holders said so.
    north[2]["tokens"] = rows[1][2]["tokens"].clone();
    deliver(&programme, "north", &north).await;
    decided(&programme, PairOrigin::Confirmed, PairState::InForce, names(&rows, 3)).await;
    assert!(is_met(&programme, &north[0]).await, "until it is compared again, as with weights");
    assert_eq!(apply(&programme).await, (2 * all - 1, 0, 4));
    let met = async |at: usize| is_met(&programme, &north[at]).await;
    assert_eq!([met(0).await, met(1).await, met(2).await], [false, false, true]);
    let left: Vec<PairNames> = in_force(&programme).await.into_iter().map(|pair| pair.names).collect();
    assert_eq!(left.len(), PEOPLE - 4);
    assert!(!left.contains(&names(&rows, 2)) && !left.contains(&names(&rows, 3)));
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn what_holders_parted_or_refused_no_likeness_joins(#[case] backend: Backend) {
    let programme = start(backend, "C").await;
    let rows = deliver_both(&programme).await;
    decided(&programme, PairOrigin::Confirmed, PairState::Refused, names(&rows, 0)).await;
    assert_eq!(apply(&programme).await.1, PEOPLE as u64 - 1);
    assert!(!is_met(&programme, &rows[0][0]).await && is_met(&programme, &rows[0][1]).await);

    // A split that comes later is heard at once, and the next comparison takes the pair back.
    decided(&programme, PairOrigin::Apart, PairState::InForce, names(&rows, 1)).await;
    assert!(!is_met(&programme, &rows[0][1]).await, "people outweigh any likeness");
    assert_eq!(apply(&programme).await, (2 * PEOPLE as u64, 0, 1));
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_shield_reaches_over_a_fuzzy_pair_and_nothing_that_is_compared_lifts_it(#[case] backend: Backend) {
    let programme = start(backend, "C").await;
    let rows = deliver_both(&programme).await;
    apply(&programme).await;
    let south = name("south", &rows[1][0]);
    let is_shielded = async || {
        let store = programme.gateway.store();
        let generation = store.view(&programme.code).await.expect("a view").expect("a programme").generation;
        let reference = [south.reference.clone()];
        let shown = store.shown_records(&programme.code, generation, (&south.agency, &south.feed), &reference).await;
        shown.expect("records")[0].is_shielded
    };
    assert!(!is_shielded().await);
    let mut north = rows[0].clone();
    north[0]["restricted"] = json!(true);
    deliver(&programme, "north", &north).await;
    assert!(is_shielded().await, "north's restriction reaches south's record");

    let others = PEOPLE as u64 - 1;
    assert_eq!(apply(&programme).await, (2 * others, 0, 0), "nobody who is shielded is in a number");
    assert!(is_shielded().await);
    assert_eq!(programme.gateway.withdraw_fuzzy("analyst-1").await.expect("withdrawn"), others);
    publish(&programme).await;
    assert!(is_shielded().await, "the pair that carries the shield stays");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn pairs_end_with_the_agreement_that_let_encodings_be_compared(#[case] backend: Backend) {
    let programme = start(backend, "C").await;
    deliver_both(&programme).await;
    apply(&programme).await;
    let reference = agreement("febrl-test/v1");
    let suspended = programme.gateway.set_agreement_status(&reference, AgreementState::Suspended, "officer", "review");
    suspended.await.expect("suspended");
    assert_eq!(apply(&programme).await, (0, 0, PEOPLE as u64));
    assert_eq!(in_force(&programme).await, []);
}

#[tokio::test]
async fn without_profile_c_in_the_terms_no_encoding_is_taken_and_no_fuzzy_pair_joins() {
    let programme = start(Backend::Sqlite, "B").await;
    let mut rows = rows(&programme);
    let header = programme.header("north", "file-a", "febrl-test/v1").await;
    assert!(programme.submit(&header, &rows[0]).await.is_err(), "the agreement does not have the profile");
    for row in rows.iter_mut().flatten() {
        row.as_object_mut().expect("a row").remove("clk");
    }
    deliver(&programme, "north", &rows[0]).await;
    deliver(&programme, "south", &rows[1]).await;
    assert_eq!(apply(&programme).await, (0, 0, 0));
    decided(&programme, PairOrigin::Fuzzy, PairState::InForce, names(&rows, 0)).await;
    assert!(!is_met(&programme, &rows[0][0]).await, "the publisher leaves it out");
}

#[tokio::test]
async fn encodings_of_other_rules_or_keys_and_malformed_ones_join_nobody() {
    let programme = start(Backend::Sqlite, "C").await;
    let mut rows = rows(&programme);
    let clk = Clk::parse(rows[0][0]["clk"].as_str().expect("text")).expect("an encoding");
    let space = *clk.space();
    let with = |space| Clk::new(space, clk.words()).expect("ones");
    let others = [
        json!(with(Space { profile: [1; 16], ..space })),
        json!(with(Space { key_check: [1; 8], ..space })),
        json!(with(Space { epoch: 9, ..space })),
        json!("AAEC"),
        json!(Clk::new(space, &[u64::MAX; 16]).expect("ones")), // everybody would be alike to it
    ];
    for (row, other) in rows[0].iter_mut().zip(&others) {
        row["clk"] = other.clone();
    }
    deliver(&programme, "north", &rows[0]).await;
    deliver(&programme, "south", &rows[1]).await;
    // Of another key is an encoding of this profile; it is compared with those of the same key.
    let (encoded, joined, _) = apply(&programme).await;
    let all = PEOPLE as u64;
    assert_eq!((encoded, joined), (2 * all - 4, all - others.len() as u64));

    let key = &programme.keys.match_run;
    let gateway = &programme.gateway;
    assert!(gateway.apply_fuzzy(key, &encoding(), "not an account").await.is_err());
    let uk = EncodingProfile::parse(include_bytes!("../../../policies/clk-profile.toml")).expect("well-formed");
    assert!(gateway.apply_fuzzy(key, &uk, "analyst-1").await.is_err(), "it does not fit the programme");
    let other = programme.keys.with_next_match_run_key().match_run;
    let refused = gateway.apply_fuzzy(&other, &encoding(), "analyst-1").await.expect_err("another key").to_string();
    assert!(refused.contains("not the one that they were sealed to"), "{refused}");
}
