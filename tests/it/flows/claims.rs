//! A family is engaged, its evidence changes, and a claim for a result is checked.

use porth::app::caller::AgencyCaller;
use porth::app::claim::{ClaimError, Claimed, NewClaimCheck, NewEngagement};
use porth::app::enquire::{EnquiryError, Question};
use porth::app::families::claim::{FamilyClaim, FamilyClaimed};
use porth::app::signers::KeyVerifier;
use porth::crypto::random::SystemRandom;
use porth::crypto::sign::SigningKey;
use porth::domain::claim::{Route, Verdict};
use porth::domain::programme::Relationship;
use porth::domain::tfid::Tfid;
use porth::tlog::checkpoint::Checkpoint;
use porth::tlog::merkle::leaf_hash;
use porth::tlog::note::NoteVerifier;
use porth::tlog::proof::{ProofFile, includes};
use porth::tlog::verify::{ClaimFault, Verifier};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::database::Backend;
use crate::support::programme::{Ask, ORIGIN, TestProgramme, opaque};

const CHILD: &[(&str, &str)] = &[("nhs", "9990000018"), ("k3", "child")];
const MOTHER: &[(&str, &str)] = &[("nhs", "9990000026"), ("k3", "mother")];
const HOME: &[(&str, &str)] = &[("uprn", "100040123456")];

const CLAIM: Ask = Ask {
    agency: "programme-team",
    agreement: "programme-delivery/v1",
    purpose: "claim-validation",
    mode: "criteria",
    role: "claims-officer",
};

/// Agency, feed, agreement, and the criteria that the feed supplies of child and mother.
type Supplied = (&'static str, &'static str, &'static str, &'static [&'static str], &'static [&'static str]);

/// Every feed.
const FEEDS: [Supplied; 8] = [
    ("education", "attendance", "early-help-core/v1", &["E1"], &[]),
    ("education", "welfare", "early-help-core/v1", &["E2", "E3", "E4", "E5"], &[]),
    ("childrens-social-care", "cases", "early-help-core/v1", &["H2", "H3", "H4"], &[]),
    ("early-help-hub", "assessments", "early-help-core/v1", &["H1"], &[]),
    ("youth-justice", "orders", "early-help-core/v1", &["C1"], &[]),
    ("housing", "tenancies", "early-help-core/v1", &["C3"], &["C3"]),
    ("police", "outcomes", "safeguarding-partners/v1", &[], &["C2"]),
    ("jobcentre-feed", "benefits", "benefits-data/v1", &[], &["W1"]),
];

/// Delivers what one feed says: these criteria are met, every other that it supplies is not.
async fn deliver(programme: &TestProgramme, feed: usize, met: &[&str]) {
    let (agency, feed, agreement, of_child, of_mother) = FEEDS[feed];
    let from = programme.today().await - jiff::Span::new().days(40);
    let flags = |criteria: &[&str]| -> Value {
        let state = |code: &str| if met.contains(&code) { "met" } else { "not_met" };
        let flag = |code: &&str| json!({ "criterion": code, "state": state(code), "from": from.to_string() });
        criteria.iter().map(flag).collect()
    };
    let home = programme.tokens(HOME);
    let mut child = json!({ "role": "child", "household": home, "flags": flags(of_child), "school_age_children": 1 });
    if feed == "attendance" {
        let policies = programme.gateway.current_policies().await.expect("policies");
        let today = programme.today().await;
        let ended = policies.programme().terms().iter().rev().filter(|term| term.ends < today).take(3);
        child["attendance"] = ended.map(|term| json!({ "term": term.code, "band": "90_and_over" })).collect();
    }
    let mother =
        json!({ "role": "adult", "parental_responsibility": "yes", "household": home, "flags": flags(of_mother) });
    let mut rows = Vec::new();
    if !of_child.is_empty() {
        rows.push(programme.row(1, CHILD, child));
    }
    if !of_mother.is_empty() {
        rows.push(programme.row(2, MOTHER, mother));
    }
    programme.deliver(agency, feed, agreement, &rows).await;
}

async fn deliver_all(programme: &TestProgramme, met: &[&str]) {
    for feed in 0..FEEDS.len() {
        deliver(programme, feed, met).await;
    }
}

fn question(programme: &TestProgramme) -> Question {
    Question { relationship: Relationship::Screening, ..programme.question(CLAIM, MOTHER, &[]) }
}

fn team() -> AgencyCaller {
    AgencyCaller { agency: CLAIM.agency.parse().expect("a code"), client: "data-team".to_owned() }
}

async fn engage(programme: &TestProgramme) -> Claimed {
    let new = NewEngagement { family: question(programme), engaged_on: programme.today().await };
    programme.gateway.engage(&team(), &new, "engagement-key-0001").await.expect("permitted")
}

async fn check(programme: &TestProgramme, engagement: &Claimed, key: &str) -> Claimed {
    let new = NewClaimCheck { family: question(programme), engagement: engagement.disclosure, route: Route::Outcomes };
    programme.gateway.check_claim(&team(), &new, key).await.expect("permitted")
}

fn codes(found: &Value) -> Vec<&str> {
    found["reasons"].as_array().expect("reasons").iter().filter_map(|reason| reason["code"].as_str()).collect()
}

fn change<'f>(found: &'f Value, area: &str) -> &'f Value {
    let areas = found["areas"].as_array().expect("areas");
    &areas.iter().find(|change| change["area"] == area).expect("an area with criteria")["change"]
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_claim_is_ready_when_everybody_says_so_and_not_when_somebody_falls_silent(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    deliver_all(&programme, &["E1", "H2", "W1"]).await;
    let engagement = engage(&programme).await;
    assert_eq!((&engagement.found["people"], &engagement.found["is_family"]), (&json!(2), &json!(true)));

    let unchanged = check(&programme, &engagement, "check-key-before-1").await.found;
    assert_eq!((&unchanged["verdict"], codes(&unchanged)), (&json!("not_ready"), vec!["still-met"; 3]));

    deliver_all(&programme, &[]).await;
    let ready = check(&programme, &engagement, "check-key-ready-01").await;
    assert_eq!((&ready.found["verdict"], codes(&ready.found)), (&json!("ready"), vec![]), "{}", ready.found);
    for (area, expected) in [("A1", "clear"), ("A2", "progress"), ("A3", "progress"), ("A4", "progress")] {
        assert_eq!(change(&ready.found, area), expected, "{area}");
    }
    assert_eq!(ready.found["attendance"]["is_certified"], true);
    let pseudonyms = ready.found["pseudonyms"].as_array().expect("pseudonyms");
    assert!(pseudonyms.len() == 2 && pseudonyms[0] != pseudonyms[1]);
    let references = serde_json::to_string(&ready.found).expect("plain");
    assert!(!references.contains("reference"), "no agency's reference leaves: {references}");

    // The police deliver a file without the mother: silence, not progress.
    let other = programme.row(9, &[("nhs", "9990000042")], json!({ "role": "adult" }));
    programme.deliver("police", "outcomes", "safeguarding-partners/v1", &[other]).await;
    let silent = check(&programme, &engagement, "check-key-silent-1").await.found;
    assert_ne!(silent["verdict"], "ready");
    assert!(codes(&silent).contains(&"record-gone"), "{silent}");

    deliver(&programme, 6, &["C2"]).await;
    let worse = check(&programme, &engagement, "check-key-worse-01").await.found;
    assert_eq!((change(&worse, "A1"), codes(&worse)), (&json!("new_since"), vec!["regression"]));
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn the_bundle_carries_its_entries_and_proofs_that_verify_offline(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    deliver_all(&programme, &["E1", "H2", "W1"]).await;
    let engagement = engage(&programme).await;
    let first = check(&programme, &engagement, "check-key-proof-01").await;
    assert!(first.entries.iter().any(|entry| entry.proof.is_none()), "nothing was sequenced yet");
    programme.sequencer.drain().await.expect("sequenced");
    let again = check(&programme, &engagement, "check-key-proof-01").await;
    assert_eq!((again.disclosure, &again.found), (first.disclosure, &first.found), "the same finding, once in the log");
    assert_eq!(
        again.entries.iter().map(|entry| entry.event).collect::<Vec<_>>(),
        [engagement.disclosure, first.disclosure]
    );
    for entry in &again.entries {
        let proof = ProofFile::parse(entry.proof.as_ref().expect("a proof")).expect("well-formed");
        let text = proof.checkpoint.split("\n\n").next().expect("a text");
        let checkpoint = Checkpoint::parse(&format!("{text}\n")).expect("a checkpoint");
        let holds = |leaf| includes(checkpoint.size, &checkpoint.root, proof.index, &leaf, &proof.hashes);
        assert!(holds(leaf_hash(entry.entry.as_bytes())));
        assert!(!holds(leaf_hash(entry.entry.replace("claim", "clami").as_bytes())), "an altered entry does not");
    }
    // What was found at engagement is judged again as it was, whatever became of the evidence since.
    deliver_all(&programme, &[]).await;
    for entry in &again.entries {
        let judged = programme.gateway.judge_again(entry.event).await.expect("its opening is there");
        assert!(judged.is_same && judged.is_present_programme);
    }
}

/// The line of an export's openings that opens what was found.
async fn opening_of(programme: &TestProgramme, claimed: &Claimed) -> String {
    let openings = programme.gateway.store().log_openings(0, 1000).await.expect("openings");
    let of_it = |(event, field, _): &&(_, String, _)| *event == claimed.disclosure && field == "answer";
    let (event, field, sealed) = openings.iter().find(of_it).expect("an opening");
    porth::app::export::open(programme.gateway.keys(), *event, field, sealed).expect("opens").to_line(*event)
}

/// What somebody does to a bundle, and what the verifier says of it.
type Alteration<'a> = (&'a dyn Fn(&mut Value), ClaimFault);

/// The bundle as the command line writes it.
fn bundle(claimed: &Claimed) -> Value {
    let entries = claimed.entries.iter();
    let entries = entries.map(|it| json!({ "event": it.event, "entry": it.entry, "proof": it.proof }));
    json!({
        "disclosure": claimed.disclosure, "at": claimed.at.to_string(), "found": claimed.found,
        "onward": claimed.onward, "receipt": claimed.receipt, "entries": entries.collect::<Vec<_>>(),
    })
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_bundle_verifies_offline_and_an_altered_one_does_not(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    deliver_all(&programme, &["E1", "H2", "W1"]).await;
    let engagement = engage(&programme).await;
    deliver_all(&programme, &[]).await;
    check(&programme, &engagement, "check-key-verify-1").await;
    programme.sequencer.drain().await.expect("sequenced");
    let checked = check(&programme, &engagement, "check-key-verify-1").await;
    let opening = opening_of(&programme, &checked).await;

    let key = KeyVerifier::new(ORIGIN.to_owned(), programme.checkpoint_key());
    let keys: [&dyn NoteVerifier; 1] = [&key];
    let verifier = Verifier { origin: ORIGIN, log_keys: &keys, ..Verifier::default() };
    let of = |bundle: &Value, openings: &str| verifier.verify_claim(bundle.to_string().as_bytes(), openings.as_bytes());
    let good = bundle(&checked);
    assert_eq!(good["found"]["verdict"], "ready");
    let report = of(&good, &opening);
    assert!(report.is_clean() && report.is_finding_compared && !report.is_receipt_checked, "{report:?}");
    assert_eq!(report.proved, 2);
    let blind = of(&good, "");
    assert!(blind.is_clean() && !blind.is_finding_compared);
    let engaged = of(&bundle(&engagement), "");
    assert_eq!(engaged.faults, [ClaimFault::Proof], "it was written before it had a place in the log");

    let altered = |change: &dyn Fn(&mut Value), openings: &str| {
        let mut bundle = good.clone();
        change(&mut bundle);
        of(&bundle, openings).faults
    };
    let entry = |at: usize| good["entries"][at]["entry"].as_str().expect("text").to_owned();
    let other_entry = entry(1).replace("claims-officer", "claims-officers");
    let told: [Alteration<'_>; 9] = [
        (&|it| it["found"]["verdict"] = json!("not_ready"), ClaimFault::Verdict),
        (&|it| it["found"]["areas"][0]["change"] = json!("still_met"), ClaimFault::Verdict),
        (&|it| it["found"]["now"]["programme_sha256"] = json!("0".repeat(64)), ClaimFault::Frame),
        (&|it| it["found"]["engagement"]["at"] = it["at"].clone(), ClaimFault::Frame),
        (&|it| it["at"] = it["found"]["engagement"]["at"].clone(), ClaimFault::Frame),
        (&|it| it["found"]["engagement"]["entry"] = it["disclosure"].clone(), ClaimFault::OtherJourney),
        (&|it| it["entries"] = json!([it["entries"][0]]), ClaimFault::MissingEntry),
        (&|it| it["entries"][1]["entry"] = json!(other_entry), ClaimFault::NotIncluded),
        (&|it| it["entries"][1]["proof"] = it["entries"][0]["proof"].clone(), ClaimFault::NotIncluded),
    ];
    for (change, expected) in told {
        let faults = altered(change, "");
        assert!(faults.contains(&expected), "{expected:?}: {faults:?}");
    }
    // What the frame cannot show, the opening shows.
    let renamed = |it: &mut Value| it["found"]["pseudonyms"][0] = json!("somebody-else");
    assert!(altered(&renamed, "").is_empty());
    assert_eq!(altered(&renamed, &opening), [ClaimFault::Finding]);
    // Another log's key believes none of it.
    let strange = KeyVerifier::new(ORIGIN.to_owned(), SigningKey::generate(&SystemRandom::new()).verifying_key());
    let keys: [&dyn NoteVerifier; 1] = [&strange];
    let stranger = Verifier { origin: ORIGIN, log_keys: &keys, ..Verifier::default() };
    assert!(stranger.verify_claim(good.to_string().as_bytes(), b"").faults.contains(&ClaimFault::Checkpoint));
    let unreadable = verifier.verify_claim(b"{}", b"").faults;
    assert_eq!(unreadable, [ClaimFault::Unreadable]);
}

#[tokio::test]
async fn a_claim_is_refused_under_other_terms_and_for_engagements_of_others() {
    let programme = TestProgramme::start(Backend::Sqlite).await;
    deliver_all(&programme, &["E1", "H2"]).await;
    let engagement = engage(&programme).await;
    let new = |family| NewClaimCheck { family, engagement: engagement.disclosure, route: Route::Outcomes };
    let ask = async |new: NewClaimCheck, key: &str| programme.gateway.check_claim(&team(), &new, key).await;

    let delivery = Question { purpose: "programme-delivery".parse().expect("a code"), ..question(&programme) };
    assert!(matches!(ask(new(delivery), "terms-key-0000001").await, Err(ClaimError::NotAClaim)));
    let mut areas = question(&programme);
    areas.mode = porth::domain::agreement::AnswerMode::Areas;
    assert!(matches!(ask(new(areas), "terms-key-0000002").await, Err(ClaimError::NotAClaim)));
    let screener = Question { role: "hub-screener".parse().expect("a code"), ..question(&programme) };
    let refused = ask(new(screener), "terms-key-0000003").await;
    assert!(matches!(refused, Err(ClaimError::Enquiry(EnquiryError::NotPermitted { .. }))), "logged and refused");
    let unknown = "01990000-0000-7000-8000-000000000000".parse().expect("an id");
    let other = NewClaimCheck { engagement: unknown, ..new(question(&programme)) };
    assert!(matches!(ask(other, "terms-key-0000004").await, Err(ClaimError::UnknownEngagement)));
    let tomorrow = programme.today().await.tomorrow().expect("a day");
    let early = NewEngagement { family: question(&programme), engaged_on: tomorrow };
    let early = programme.gateway.engage(&team(), &early, "terms-key-0000005").await;
    assert!(matches!(early, Err(ClaimError::Future)));
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_check_tells_nothing_of_people_who_are_shielded_since_or_of_another_family(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    deliver_all(&programme, &["E1", "H2", "W1"]).await;
    let engagement = engage(&programme).await;

    // The child is shielded; the mother is still found.
    let shielded = json!({ "role": "child", "restricted": true });
    let home = programme.tokens(HOME);
    let mother = json!({ "role": "adult", "parental_responsibility": "yes", "household": home });
    let rows = [programme.row(1, CHILD, shielded.clone()), programme.row(2, MOTHER, mother)];
    programme.deliver("housing", "tenancies", "early-help-core/v1", &rows).await;
    let found = check(&programme, &engagement, "check-key-shield-1").await.found;
    assert!(codes(&found).contains(&"person-gone"), "{found}");
    let told = found["pairs"].to_string();
    assert!(told.contains("W1") && !told.contains("E1") && !told.contains("education"), "{told}");
    let pseudonyms = found["pseudonyms"].as_array().expect("pseudonyms");
    assert_eq!(pseudonyms.iter().filter(|pseudonym| pseudonym.is_null()).count(), 1);

    // Another person's tokens, tokens of nobody, and those of a family that is shielded: all the same.
    let stranger = programme.row(9, &[("nhs", "9990000042")], json!({ "role": "adult" }));
    programme.deliver("police", "outcomes", "safeguarding-partners/v1", &[stranger]).await;
    let with_tokens = async |tokens: &[(&str, &str)], key: &str| {
        let family = Question { relationship: Relationship::Screening, ..programme.question(CLAIM, tokens, &[]) };
        let new = NewClaimCheck { family, engagement: engagement.disclosure, route: Route::Outcomes };
        let mut found = programme.gateway.check_claim(&team(), &new, key).await.expect("permitted").found;
        found["now"]["at"] = Value::Null;
        found["submissions"] = Value::Null;
        found
    };
    let unknown = with_tokens(&[("nhs", "9990000050")], "check-key-nobody-1").await;
    assert!(codes(&unknown).contains(&"family-not-known"), "{unknown}");
    assert_eq!((&unknown["pairs"], &unknown["people"]), (&json!([]), &json!([])));
    assert_eq!(with_tokens(&[("nhs", "9990000042")], "check-key-strange1").await, unknown);
    let rows = [programme.row(1, CHILD, shielded.clone()), programme.row(2, MOTHER, shielded)];
    programme.deliver("housing", "tenancies", "early-help-core/v1", &rows).await;
    assert_eq!(with_tokens(MOTHER, "check-key-shield-2").await, unknown);
}

/// The family's number, as the programme team issues it.
async fn issued(programme: &TestProgramme) -> Tfid {
    let record = |agency: &str, feed: &str, number| json!({ "agency": agency, "feed": feed, "ref": opaque(number) });
    let candidate = [record("education", "attendance", 1), record("housing", "tenancies", 2)];
    let decision = json!({
        "terms": terms(programme, "programme-delivery"), "mode": "count", "reason": "test",
        "decision": { "kind": "issue", "route": "data_match", "candidates": [candidate] },
    });
    let decision = serde_json::from_value(decision).expect("a decision");
    let decided = programme.gateway.decide_family(&team(), &decision, "issue-key-00000001").await.expect("permitted");
    decided.results[0].family.expect("a number")
}

fn terms(programme: &TestProgramme, purpose: &str) -> Value {
    json!({
        "programme": programme.code, "agreement": CLAIM.agreement, "purpose": purpose, "relationship": "screening",
        "role": CLAIM.role, "case": opaque(7), "user": opaque(8),
    })
}

async fn look_at(programme: &TestProgramme, tfid: Tfid, engagement: &Claimed) -> Result<FamilyClaimed, ClaimError> {
    let terms = serde_json::from_value(terms(programme, CLAIM.purpose)).expect("terms");
    let claim = FamilyClaim { terms, tfid, engagement: engagement.disclosure, route: Route::Outcomes };
    programme.gateway.check_family_claim(&team(), &claim).await
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_claim_looked_at_by_the_family_s_number_comes_to_what_a_claim_check_comes_to(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    deliver_all(&programme, &["E1", "H2", "W1"]).await;
    let engagement = engage(&programme).await;
    let tfid = issued(&programme).await;

    let early = look_at(&programme, tfid, &engagement).await.expect("permitted");
    let codes_of = |looked: &FamilyClaimed| -> Vec<String> {
        looked.check.reasons.iter().map(|reason| reason.code.clone()).collect()
    };
    assert_eq!((early.check.verdict, codes_of(&early)), (Verdict::NotReady, vec!["still-met".to_owned(); 3]));
    assert_eq!(early.engaged_on, programme.today().await);
    deliver_all(&programme, &[]).await;
    let checked = check(&programme, &engagement, "check-key-number-1").await.found;
    let looked = look_at(&programme, tfid, &engagement).await.expect("permitted");
    assert_eq!((looked.check.verdict, &checked["verdict"]), (Verdict::Ready, &json!("ready")));
    assert_eq!(json!(looked.check.areas), checked["areas"]);

    // A number that nobody has, and one of a family that was not engaged, come to one finding.
    let nobody: Tfid = "TF-0000-0000-0000-0011".parse().expect("well-formed");
    let unknown = look_at(&programme, nobody, &engagement).await.expect("permitted");
    assert!(codes_of(&unknown).contains(&"family-not-known".to_owned()), "{:?}", unknown.check);
    assert_eq!((unknown.check.people.len(), unknown.check.pairs.len()), (0, 0));
    let counts = programme.gateway.store().event_counts().await.expect("counts");
    let looks: i64 = counts.iter().filter(|(kind, ..)| kind == "family.disclosure").map(|count| count.2).sum();
    assert_eq!(looks, 4, "one for the number, and one for each look at the claim");

    let other = AgencyCaller { agency: "education".parse().expect("a code"), client: "desk".to_owned() };
    let terms = serde_json::from_value(terms(&programme, CLAIM.purpose)).expect("terms");
    let claim = FamilyClaim { terms, tfid, engagement: engagement.disclosure, route: Route::Outcomes };
    let refused = programme.gateway.check_family_claim(&other, &claim).await;
    assert!(matches!(refused, Err(ClaimError::Enquiry(EnquiryError::NotPermitted { .. }))), "{refused:?}");
}
