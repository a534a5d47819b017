//! What changes while a request is on its way: a shield, a person's objection, an erasure, an emergency
//! that nobody reviews.

use porth::app::emergency::{ReviewFinding, Reviewer};
use porth::app::families::Outcome;
use porth::app::reidentification::ReidView;
use porth::app::review::officers::NewOfficer;
use porth::domain::ids::{EventId, ReidentificationId};
use porth::domain::reidentification::Handling;
use porth::domain::reidentification::binding::Hash32;
use porth::domain::reidentification::refusal::Refusal;
use porth::domain::reidentification::state::State;
use porth::domain::reidentification::vote::Choice;
use porth::domain::time::Timestamp;
use porth::domain::token::encode_base64url;
use porth::tlog::entry::{Body, Entry};
use rstest::rstest;
use serde_json::json;

use super::scene::{MOTHER, Officer, Scene, key, reference};
use crate::support::database::Backend;
use crate::support::programme::opaque;

/// Another agency shields the mother.
async fn shield(scene: &Scene) {
    let shielded = scene.programme.row(1, MOTHER, json!({ "role": "adult", "restricted": true }));
    scene.programme.deliver("housing", "tenancies", "early-help-core/v1", &[shielded]).await;
}

/// The entry that a request came in with.
async fn entry_of(scene: &Scene, id: ReidentificationId) -> EventId {
    scene.programme.sequencer.drain().await.expect("sequenced");
    let store = scene.programme.gateway.store();
    let size = store.log_head().await.expect("a head").expect("open").size;
    let entries = store.log_entries(0, size).await.expect("entries");
    let parsed = entries.iter().map(|(_, bytes)| Entry::parse(bytes).expect("an entry"));
    let is_it = |entry: &Entry| match entry.body() {
        Body::ReidStep(step) => step.request == Some(id) && step.step.as_str() == "request",
        _ => false,
    };
    parsed.into_iter().find(is_it).expect("it is in the log").event()
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_shield_that_comes_after_the_approvals_lets_nothing_be_certified(#[case] backend: Backend) {
    let scene = Scene::new(backend).await;
    let asked = scene.approved().await;
    shield(&scene).await;
    scene.assert_refused(scene.certify(asked.id), Refusal::Unknown).await;
    let gateway = &scene.programme.gateway;
    // The refusal names no request: who reads the log, or the request's steps, learns of no shield.
    let steps = gateway.reidentification_steps(&scene.team.caller, asked.id).await.expect("listed");
    assert!(steps.iter().all(|step| step.refused.is_none() && step.step != "show"), "{steps:?}");
    let listed = gateway.reidentifications(&scene.source.caller).await.expect("listed");
    assert!(listed.is_empty(), "the source sees what it sees of somebody unknown");
    let of_team = gateway.reidentifications(&scene.team.caller).await.expect("listed");
    assert_eq!(of_team[0].state.word(), "authorised", "and the requester what it saw before");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_shield_that_comes_after_the_answer_lets_nothing_be_collected(#[case] backend: Backend) {
    let scene = Scene::new(backend).await;
    let (asked, ..) = scene.answered().await;
    shield(&scene).await;
    scene.assert_refused(scene.collect(asked.id), Refusal::Stopped).await;
    let row = scene.programme.gateway.store().reid(asked.id).await.expect("the database").expect("a row");
    assert_eq!((row.state, row.envelope), (State::Expired {}, None), "the ciphertext is gone");
}

/// The mother leaves the family for one of her own: what was asked was asked of another family.
async fn split(scene: &Scene) {
    let gateway = &scene.programme.gateway;
    let terms = json!({
        "programme": scene.programme.code, "agreement": "programme-delivery/v1", "purpose": "programme-delivery",
        "relationship": "screening", "role": "data-analyst", "case": opaque(7), "user": opaque(8),
    });
    let decide = async |decision: serde_json::Value| {
        let change = json!({ "terms": terms, "mode": "count", "reason": "test", "decision": decision });
        let change = serde_json::from_value(change).expect("a decision");
        let reply = gateway.decide_family(&scene.team.caller, &change, &key()).await.expect("permitted");
        assert_eq!(reply.results[0].outcome, Outcome::Done);
    };
    let home = scene.programme.tokens(&[("uprn", "100040123456")]);
    let mother = json!({ "role": "adult", "parental_responsibility": "yes", "household": home });
    let child = json!({ "role": "child", "household": home });
    let child = scene.programme.row(3, &[("nhs", "9990000018"), ("k3", "child")], child);
    let rows = [scene.programme.row(2, MOTHER, mother), child];
    scene.programme.deliver("childrens-social-care", "cases", "early-help-core/v1", &rows).await;
    let added = json!([{ "agency": "childrens-social-care", "feed": "cases", "ref": opaque(3) }]);
    decide(json!({ "kind": "add", "tfid": scene.family, "records": added })).await;
    let lookup = json!({ "terms": terms, "mode": "lead", "tfid": scene.family });
    let lookup = serde_json::from_value(lookup).expect("a lookup");
    let found = gateway.lookup_family(&scene.team.caller, &lookup).await.expect("permitted").family.expect("known");
    assert_eq!(found.people.len(), 2, "the mother and the child");
    // Which of the two handles is the mother's shows by whose record is left under the number.
    let request = gateway.request_reidentification(&scene.team.caller, &scene.question(), &key()).await;
    let request = request.expect("permitted");
    let handles: Vec<&str> = found.people.iter().map(|person| person.handle.as_str()).collect();
    for handle in &handles {
        let mut of_handle = scene.question();
        of_handle.person = Some((*handle).to_owned());
        let asked = scene.ask_with(&of_handle).await.expect("permitted");
        let shown = gateway.show_reidentification(&scene.source.caller, asked.id).await.expect("shown");
        if shown.record.expect("its record").reference == reference(2) {
            decide(json!({ "kind": "split", "tfid": scene.family, "people": [handle] })).await;
            scene.assert_refused(gateway.show_reidentification(&scene.source.caller, asked.id), Refusal::Unknown).await;
            scene
                .assert_refused(gateway.show_reidentification(&scene.source.caller, request.id), Refusal::Unknown)
                .await;
            return;
        }
    }
    panic!("one of the handles is the mother's");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_person_who_is_split_off_the_family_on_the_way_is_answered_for_to_nobody(#[case] backend: Backend) {
    let scene = Scene::new(backend).await;
    let approved = scene.approved().await;
    let certified = scene.approved().await;
    let checked = scene.trust().check(&scene.certify(certified.id).await.expect("certified")).expect("it holds");
    let (answered, ..) = scene.answered().await;
    let voting = scene.ask().await;
    let record = scene.record(&voting).await;
    split(&scene).await;
    let vote = scene.source.vote(&voting.request_sha256, Choice::Approve, Some(record), scene.now().await);
    scene.assert_refused(scene.send(&scene.source, &voting, &vote), Refusal::Unknown).await;
    scene.assert_refused(scene.certify(approved.id), Refusal::Unknown).await;
    let answer = scene.seal(&checked).await;
    scene.assert_refused(scene.answer(certified.id, &answer), Refusal::Unknown).await;
    scene.assert_refused(scene.collect(answered.id), Refusal::Stopped).await;
    let row = scene.programme.gateway.store().reid(answered.id).await.expect("the database").expect("a row");
    assert_eq!((row.state, row.envelope), (State::Expired {}, None), "the ciphertext is gone");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_source_can_refuse_what_it_was_asked_while_another_agencys_shield_hides_it(#[case] backend: Backend) {
    let scene = Scene::new(backend).await;
    let asked = scene.approved().await;
    shield(&scene).await;
    let vote = scene.source.vote(&asked.request_sha256, Choice::Refuse, None, scene.now().await);
    assert_eq!(scene.send(&scene.source, &asked, &vote).await.expect("refused").state.word(), "refused");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_shield_that_is_lifted_again_leaves_the_request_as_it_was(#[case] backend: Backend) {
    let scene = Scene::new(backend).await;
    let asked = scene.ask().await;
    shield(&scene).await;
    scene.approve(&scene.second, &asked).await.expect("an officer cannot tell, and votes");
    scene.assert_refused(scene.certify(asked.id), Refusal::Unknown).await;
    let open = scene.programme.row(1, MOTHER, json!({ "role": "adult" }));
    scene.programme.deliver("housing", "tenancies", "early-help-core/v1", &[open]).await;
    assert_eq!(scene.approve(&scene.source, &asked).await.expect("its record again").state.word(), "authorised");
    scene.certify(asked.id).await.expect("certified");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn who_lost_a_key_approves_with_the_next_one_and_enough_that_are_left_go_on(#[case] backend: Backend) {
    let scene = Scene::new(backend).await;
    let gateway = &scene.programme.gateway;
    let asked = scene.approved().await;
    gateway.revoke_reid_key(&scene.second.key_id, "operator-1", "operator-2", "lost").await.expect("revoked");
    scene.assert_refused(scene.certify(asked.id), Refusal::OfficerRemoved).await;
    let other = Officer::new("education", 599);
    let next = Officer::named(other.caller, scene.second.person.clone(), other.key);
    scene.enrol(&next).await;
    assert_eq!(scene.approve(&next, &asked).await.expect("the same person").state.word(), "authorised");

    // Three approved where two are enough, and one takes it back: another one signs anew, and it goes on.
    let asked = scene.ask().await;
    scene.approve(&next, &asked).await.expect("approved");
    let third = Officer::new("housing", 508);
    scene.enrol(&third).await;
    scene.approve(&third, &asked).await.expect("approved");
    assert_eq!(scene.approve(&scene.source, &asked).await.expect("enough").state.word(), "authorised");
    let back = third.vote(&asked.request_sha256, Choice::Withdraw, None, scene.now().await);
    assert_eq!(scene.send(&third, &asked, &back).await.expect("taken back").state, State::Voting {});
    assert_eq!(scene.approve(&next, &asked).await.expect("signed anew").state.word(), "authorised");
    scene.assert_refused(scene.approve(&next, &asked), Refusal::DoubleVote).await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_key_that_is_revoked_after_the_answer_stops_its_collection(#[case] backend: Backend) {
    for who in ["an officer's", "the source's", "the data team's"] {
        let scene = Scene::new(backend).await;
        let (asked, ..) = scene.answered().await;
        let (uncollected, ..) = scene.answered().await;
        let (key, refusal) = match who {
            "an officer's" => (&scene.second.key_id, Refusal::Stopped),
            "the source's" => (&scene.source.key_id, Refusal::Stopped),
            _ => (&scene.team.key_id, Refusal::RecipientRemoved),
        };
        let gateway = &scene.programme.gateway;
        gateway.revoke_reid_key(key, "operator-1", "operator-2", "stolen").await.expect("revoked");
        scene.assert_refused(scene.collect(asked.id), refusal).await;
        // And where nobody comes to collect it, the ciphertext does not wait for the request's own end.
        assert_eq!(gateway.lapse_reidentifications().await.expect("tidied"), 1, "{who}");
        for id in [asked.id, uncollected.id] {
            let row = gateway.store().reid(id).await.expect("the database").expect("a row");
            assert_eq!((row.state, row.envelope), (State::Expired {}, None), "{who}");
        }
    }
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn nothing_is_certified_or_taken_that_would_be_sealed_to_a_revoked_key(#[case] backend: Backend) {
    let scene = Scene::new(backend).await;
    let (early, late) = (scene.approved().await, scene.approved().await);
    let checked = scene.trust().check(&scene.certify(late.id).await.expect("certified")).expect("it holds");
    let gateway = &scene.programme.gateway;
    gateway.revoke_reid_key(&scene.team.key_id, "operator-1", "operator-2", "stolen").await.expect("revoked");
    scene.assert_refused(scene.certify(early.id), Refusal::RecipientRemoved).await;
    let answer = scene.seal(&checked).await;
    scene.assert_refused(scene.answer(late.id, &answer), Refusal::RecipientRemoved).await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn until_it_is_fetched_the_source_can_call_an_answer_back_and_the_requester_let_it_go(#[case] backend: Backend) {
    let scene = Scene::new(backend).await;
    let gateway = &scene.programme.gateway;
    let ((back, ..), (let_go, ..), (fetched, ..)) =
        (scene.answered().await, scene.answered().await, scene.answered().await);
    let refusal = |asked: &ReidView, now| scene.source.vote(&asked.request_sha256, Choice::Refuse, None, now);
    let now = scene.now().await;
    let called_off = scene.send(&scene.source, &back, &refusal(&back, now)).await.expect("called back");
    assert_eq!(called_off.state.word(), "refused");
    gateway.withdraw_reidentification(&scene.team.caller, let_go.id).await.expect("let go");
    for asked in [&back, &let_go] {
        scene.assert_refused(scene.collect(asked.id), Refusal::NotDue).await;
        let row = gateway.store().reid(asked.id).await.expect("the database").expect("a row");
        assert_eq!(row.envelope, None, "the ciphertext is gone");
    }
    scene.collect(fetched.id).await.expect("collected");
    scene.assert_refused(scene.send(&scene.source, &fetched, &refusal(&fetched, now)), Refusal::NotDue).await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_receipt_and_an_answer_that_were_lost_on_the_way_are_taken_when_they_come_again(#[case] backend: Backend) {
    let scene = Scene::new(backend).await;
    let (asked, checked, answer) = scene.answered().await;
    scene.answer(asked.id, &answer).await.expect("the same envelope again");
    let collected = scene.collect(asked.id).await.expect("collected");
    scene.answer(asked.id, &answer).await.expect("once more");
    let (_, hash) = checked.open(&scene.trust(), &collected.answer, &scene.team.pair).expect("it opens");
    let receipt = checked.receipt(hash, &scene.team.sign, scene.now().await);
    // Its quarter of an hour passes, and the request's own day as well.
    let gateway = &scene.programme.gateway;
    let row = gateway.store().reid(asked.id).await.expect("the database").expect("a row");
    let State::Collected { certificate, envelope, .. } = &row.state else { panic!("{:?}", row.state) };
    let over =
        State::Collected { certificate: certificate.clone(), envelope: *envelope, until: Timestamp::from_micros(1) };
    let over = serde_json::to_string(&over).expect("a form");
    scene.programme.database.execute(&format!("UPDATE reid_request SET expires_at = 1, state = '{over}'")).await;
    assert_eq!(gateway.lapse_reidentifications().await.expect("tidied"), 1);
    let row = gateway.store().reid(asked.id).await.expect("the database").expect("a row");
    assert_eq!((row.state.word(), row.envelope), ("lapsed", None), "the ciphertext is gone");
    scene.assert_refused(scene.collect(asked.id), Refusal::Expired).await;
    let mut forged = receipt.clone();
    forged.envelope = Hash32::of(b"another");
    forged.signature = encode_base64url(&scene.team.sign.sign(&forged.signed_bytes(&asked.request_sha256)));
    let forged = gateway.receive_reidentification(&scene.team.caller, asked.id, &forged);
    scene.assert_refused(forged, Refusal::OtherEnvelope).await;
    scene.answer(asked.id, &answer).await.expect("the source hears that it was taken, late as well");
    // A key that was revoked since signed what happened before.
    gateway.revoke_reid_key(&scene.team.key_id, "operator-1", "operator-2", "left").await.expect("revoked");
    for _ in 0..2 {
        gateway.receive_reidentification(&scene.team.caller, asked.id, &receipt).await.expect("taken");
    }
    let row = gateway.store().reid(asked.id).await.expect("the database").expect("a row");
    assert_eq!(row.state, State::Closed { envelope: hash });
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_request_whose_entry_is_erased_is_gone_with_its_votes(#[case] backend: Backend) {
    let scene = Scene::new(backend).await;
    let (asked, kept) = (scene.approved().await, scene.approved().await);
    let entry = entry_of(&scene, asked.id).await;
    let gateway = &scene.programme.gateway;
    assert_eq!(gateway.erase_entries(&[entry], "uk-gdpr:17", "ops-1").await.expect("erased").erased, 1);
    let store = gateway.store();
    assert!(store.reid(asked.id).await.expect("the database").is_none());
    assert!(store.reid_votes(asked.id).await.expect("the database").is_empty());
    assert_eq!(store.reid_votes(kept.id).await.expect("the database").len(), 2, "another request is as it was");
    scene.assert_refused(scene.certify(asked.id), Refusal::Unknown).await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_emergency_that_nobody_reviewed_in_time_stops_the_next_one(#[case] backend: Backend) {
    let scene = Scene::new(backend).await;
    let gateway = &scene.programme.gateway;
    let first = scene.ask_with(&emergency(&scene)).await.expect("permitted");
    let waiting = gateway.all_emergencies().await.expect("listed");
    assert_eq!(waiting.len(), 1, "a review is due the same day");
    assert_eq!(waiting[0].event, entry_of(&scene, first.id).await);

    scene.programme.database.execute("UPDATE emergency SET due_at = 1").await;
    let refused = format!("{:?}", scene.ask_with(&emergency(&scene)).await.expect_err("refused"));
    assert!(refused.contains("EmergencyUnreviewed"), "{refused}");
    scene.ask().await; // without an emergency it may ask as before

    let officer = NewOfficer {
        account: "ig-1".to_owned(),
        agency: "police".parse().expect("a code"),
        keys: Vec::new(),
        clients: Vec::new(),
        users: Vec::new(),
    };
    gateway.register_officer(&officer, "operator-1", "appointed").await.expect("registered");
    let council = Reviewer::Council("ig-1");
    let reviewed = gateway.review_emergency(council, waiting[0].event, ReviewFinding::Justified, "case-note").await;
    assert!(!reviewed.expect("reviewed").is_in_time);
    scene.ask_with(&emergency(&scene)).await.expect("permitted again");
}

fn emergency(scene: &Scene) -> porth::app::reidentification::NewReidentification {
    let mut new = scene.question();
    (new.handling, new.hours) = (Handling::Emergency, 4);
    new
}
