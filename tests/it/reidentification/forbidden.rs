//! Every forbidden way, one test each: refused, with its own reason, and in the log.

use std::sync::Arc;

use porth::app::reidentification::verify::{PinnedOfficer, PinnedRecipient, Trust};
use porth::crypto::random::SystemRandom;
use porth::crypto::seal::SealKeyPair;
use porth::domain::reidentification::Field;
use porth::domain::reidentification::binding::Hash32;
use porth::domain::reidentification::certificate::{Answer, Certificate, SignedCertificate};
use porth::domain::reidentification::identity::Identity;
use porth::domain::reidentification::refusal::Refusal;
use porth::domain::reidentification::state::State;
use porth::domain::reidentification::vote::Choice;
use porth::domain::token::encode_base64url;
use porth::store::Location;
use rstest::rstest;

use super::scene::{ASKER, Officer, Scene, caller, reference};
use crate::support::database::Backend;

/// What the gateway's own certificate key signs over an altered certificate.
pub(super) fn resigned(
    scene: &Scene,
    signed: &SignedCertificate,
    change: impl FnOnce(&mut Certificate),
) -> SignedCertificate {
    let mut certificate = Certificate::parse(&signed.certificate).expect("a certificate");
    change(&mut certificate);
    let text = certificate.text();
    let signature = scene.programme.certificate_key().sign(&Certificate::signed_bytes(&text));
    SignedCertificate { certificate: text, signature: encode_base64url(&signature), ..signed.clone() }
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn self_approval_is_refused(#[case] backend: Backend) {
    let scene = Scene::new(backend).await;
    let asker = Officer::new("programme-team", ASKER);
    scene.enrol(&asker).await;
    let asked = scene.ask().await;
    scene.assert_refused(scene.approve(&asker, &asked), Refusal::SelfApproval).await;
    // Nor may a colleague: who of the agency asks is the agency's own word.
    let colleague = Officer::new("programme-team", 77);
    scene.enrol(&colleague).await;
    scene.assert_refused(scene.approve(&colleague, &asked), Refusal::SelfApproval).await;
    let mut new = scene.question();
    (new.handling, new.hours) = (porth::domain::reidentification::Handling::Emergency, 4);
    let urgent = scene.ask_with(&new).await.expect("permitted");
    scene.assert_refused(scene.approve(&colleague, &urgent), Refusal::SelfApproval).await;
    // And where a gateway counted it all the same, the source's own tool does not.
    let asked = scene.approved().await;
    let signed = scene.certify(asked.id).await.expect("certified");
    let vote = colleague.vote(&asked.request_sha256, Choice::Approve, None, scene.now().await);
    let counted = resigned(&scene, &signed, |it| {
        it.approvals.retain(|vote| vote.record.is_some());
        it.approvals.push(vote);
    });
    let mut wider = scene.trust();
    wider.officers.push(PinnedOfficer {
        key_id: colleague.key_id.clone(),
        agency: colleague.caller.agency.clone(),
        person: colleague.person.clone(),
        key: colleague.key.verifying_key(),
    });
    assert_eq!(wider.check(&counted), Err(Refusal::SelfApproval));
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_double_vote_is_refused_even_with_a_second_key_of_the_same_person(#[case] backend: Backend) {
    let scene = Scene::new(backend).await;
    let asked = scene.ask().await;
    scene.approve(&scene.second, &asked).await.expect("approved");
    scene.assert_refused(scene.approve(&scene.second, &asked), Refusal::DoubleVote).await;
    let other = Officer::new("education", 502);
    let second_key = Officer::named(other.caller, scene.second.person.clone(), other.key);
    scene.enrol(&second_key).await;
    scene.assert_refused(scene.approve(&second_key, &asked), Refusal::DoubleVote).await;
    assert_eq!(scene.programme.gateway.store().reid_votes(asked.id).await.expect("votes").len(), 1);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn two_votes_of_one_person_at_once_count_once(#[case] backend: Backend) {
    let scene = Arc::new(Scene::new(backend).await);
    let asked = scene.ask().await;
    let tasks: Vec<_> = (0..6)
        .map(|_| {
            let (scene, asked) = (Arc::clone(&scene), asked.clone());
            tokio::spawn(async move { scene.approve(&scene.second, &asked).await.is_ok() })
        })
        .collect();
    let mut taken = 0;
    for task in tasks {
        taken += usize::from(task.await.expect("no panic"));
    }
    assert_eq!(taken, 1);
    let row = scene.programme.gateway.store().reid(asked.id).await.expect("the database").expect("a row");
    assert_eq!(row.state, State::Voting {});
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_stale_sign_in_is_refused(#[case] backend: Backend) {
    let scene = Scene::new(backend).await;
    let asked = scene.ask().await;
    for seconds in [-301, 120] {
        let at = scene.now().await.plus_seconds(seconds);
        let vote = scene.second.vote(&asked.request_sha256, Choice::Approve, None, at);
        scene.assert_refused(scene.send(&scene.second, &asked, &vote), Refusal::StaleSignIn).await;
    }
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_wrong_role_is_refused(#[case] backend: Backend) {
    let scene = Scene::new(backend).await;
    let asked = scene.ask().await;
    // An officer of an agency that the term does not name, one who was never enrolled, a colleague's key,
    // and the data team's own key.
    let housing = Officer::new("police", 504);
    scene.enrol(&housing).await;
    let nobody = Officer::new("education", 505);
    let borrowed = Officer { person: reference(506), ..scene.second.clone() };
    let recipients = Officer { key_id: scene.team.key_id.clone(), ..Officer::new("programme-team", 507) };
    for officer in [&housing, &nobody, &borrowed, &recipients] {
        scene.assert_refused(scene.approve(officer, &asked), Refusal::WrongRole).await;
    }
    // An officer's key through another agency's system.
    let vote = scene.second.vote(&asked.request_sha256, Choice::Approve, None, scene.now().await);
    let hub = caller("early-help-hub");
    let through = scene.programme.gateway.vote_reidentification(&hub, asked.id, &vote);
    scene.assert_refused(through, Refusal::WrongRole).await;
}

#[tokio::test]
async fn what_expired_is_refused_and_its_envelope_is_gone() {
    let scene = Scene::new(Backend::Sqlite).await;
    let (asked, ..) = scene.answered().await;
    let open = scene.ask().await;
    let Location::Sqlite(path) = &scene.programme.database.location else { unreachable!("SQLite") };
    let pool = sqlx::SqlitePool::connect(&format!("sqlite://{}", path.display())).await.expect("opens");
    sqlx::query("UPDATE reid_request SET expires_at = 1").execute(&pool).await.expect("time passes");
    pool.close().await;
    scene.assert_refused(scene.approve(&scene.second, &open), Refusal::Expired).await;
    scene.assert_refused(scene.collect(asked.id), Refusal::Expired).await;
    for id in [open.id, asked.id] {
        let row = scene.programme.gateway.store().reid(id).await.expect("the database").expect("a row");
        assert_eq!((row.state, row.envelope), (State::Expired {}, None));
    }
    let third = scene.ask().await;
    assert_eq!(scene.programme.gateway.lapse_reidentifications().await.expect("tidied"), 0, "{third:?} is not over");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_expired_certificate_seals_nothing_and_one_that_lapsed_unused_is_issued_anew(#[case] backend: Backend) {
    let scene = Scene::new(backend).await;
    let asked = scene.approved().await;
    let signed = scene.certify(asked.id).await.expect("certified");
    assert_eq!(scene.certify(asked.id).await.expect("still good"), signed, "one at a time");
    let checked = scene.trust().check(&signed).expect("it holds");
    let late = checked.certificate.not_after;
    scene
        .assert_reported(
            &scene.source.caller,
            asked.id,
            checked.check_time(late).expect_err("late"),
            Refusal::CertificateExpired,
        )
        .await;
    assert_eq!(checked.check_time(late.plus_seconds(-1)), Ok(()));
    let longer = resigned(&scene, &signed, |it| it.not_after = it.not_after.plus_seconds(3600));
    assert_eq!(scene.trust().check(&longer), Err(Refusal::CertificateExpired), "no key makes it last longer");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_replayed_vote_is_refused(#[case] backend: Backend) {
    let scene = Scene::new(backend).await;
    let asked = scene.ask().await;
    let approval = scene.second.vote(&asked.request_sha256, Choice::Approve, None, scene.now().await);
    scene.send(&scene.second, &asked, &approval).await.expect("approved");
    let back = scene.second.vote(&asked.request_sha256, Choice::Withdraw, None, scene.now().await);
    scene.send(&scene.second, &asked, &back).await.expect("taken back");
    scene.assert_refused(scene.send(&scene.second, &asked, &approval), Refusal::Replayed).await;
    // In another request the same vote is none at all.
    let other = scene.ask().await;
    scene.assert_refused(scene.send(&scene.second, &other, &approval), Refusal::RequestAltered).await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn one_signature_releases_nothing_and_neither_do_two_without_the_source(#[case] backend: Backend) {
    let scene = Scene::new(backend).await;
    let alone = scene.ask().await;
    scene.approve(&scene.source, &alone).await.expect("approved");
    scene.assert_refused(scene.certify(alone.id), Refusal::TooFewApprovals).await;

    let without = scene.ask().await;
    let third = Officer::new("housing", 508);
    scene.enrol(&third).await;
    scene.approve(&scene.second, &without).await.expect("approved");
    assert_eq!(scene.approve(&third, &without).await.expect("approved").state, State::Voting {});
    scene.assert_refused(scene.certify(without.id), Refusal::NoSourceApproval).await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_request_altered_after_signing_is_refused_everywhere(#[case] backend: Backend) {
    let scene = Scene::new(backend).await;
    let asked = scene.ask().await;
    let another = Hash32::of(b"another request");
    let vote = scene.second.vote(&another, Choice::Approve, None, scene.now().await);
    scene.assert_refused(scene.send(&scene.second, &asked, &vote), Refusal::RequestAltered).await;

    let asked = scene.approved().await;
    let signed = scene.certify(asked.id).await.expect("certified");
    // The gateway's own key over a request with more fields: the officers did not sign that.
    let altered = resigned(&scene, &signed, |it| {
        it.request = it.request.replace("\"names\",\"contact\"", "\"names\",\"address\",\"contact\"");
    });
    assert_ne!(altered.certificate, signed.certificate);
    let found = scene.trust().check(&altered).expect_err("refused");
    // The entry in the log is of the request that was signed.
    scene.assert_reported(&scene.source.caller, asked.id, found, Refusal::NotInLog).await;
    let unsigned = SignedCertificate { certificate: altered.certificate, ..signed };
    let found = scene.trust().check(&unsigned).expect_err("refused");
    scene.assert_reported(&scene.source.caller, asked.id, found, Refusal::CertificateForged).await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_envelope_moved_to_another_subject_is_refused_and_does_not_open(#[case] backend: Backend) {
    let scene = Scene::new(backend).await;
    let (first, _, answer) = scene.answered().await;
    let second = scene.approved().await;
    let other = scene.trust().check(&scene.certify(second.id).await.expect("certified")).expect("it holds");
    scene.assert_refused(scene.answer(second.id, &answer), Refusal::OtherCertificate).await;
    // Relabelled for the other certificate, it is not what the source signed.
    let mut moved = answer.clone();
    moved.certificate.clone_from(&other.certificate.id);
    scene.assert_refused(scene.answer(second.id, &moved), Refusal::RequestAltered).await;
    // Signed anew by an officer of the source who was deceived, it still does not open there.
    let envelope = porth::app::reidentification::answer::envelope_bytes(&moved.envelope).expect("its length");
    let bytes = moved.signed_bytes(&second.request_sha256, &Hash32::of(&envelope));
    moved.signature = encode_base64url(&scene.source.key.sign(&bytes));
    let found = other.open(&scene.trust(), &moved, &scene.team.pair).err().expect("refused");
    scene.assert_reported(&scene.team.caller, second.id, found, Refusal::EnvelopeRefused).await;
    scene.collect(first.id).await.expect("the first is where it was");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_certificate_for_another_request_is_refused(#[case] backend: Backend) {
    let scene = Scene::new(backend).await;
    let (first, second) = (scene.approved().await, scene.approved().await);
    let of_first = scene.trust().check(&scene.certify(first.id).await.expect("certified")).expect("it holds");
    scene.certify(second.id).await.expect("certified");
    let answer = scene.seal(&of_first).await;
    scene.assert_refused(scene.answer(second.id, &answer), Refusal::OtherCertificate).await;
    // What the data team opens is bound to the request of its own certificate, whatever the gateway hands over.
    let of_second = scene.trust().check(&scene.certify(second.id).await.expect("still good")).expect("it holds");
    let found = of_second.open(&scene.trust(), &answer, &scene.team.pair).err().expect("refused");
    scene.assert_reported(&scene.team.caller, second.id, found, Refusal::OtherCertificate).await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_officer_removed_between_vote_and_release_counts_no_longer(#[case] backend: Backend) {
    let scene = Scene::new(backend).await;
    let gateway = &scene.programme.gateway;
    let (early, late) = (scene.approved().await, scene.approved().await);
    let checked = scene.trust().check(&scene.certify(late.id).await.expect("certified")).expect("it holds");
    assert!(gateway.revoke_reid_key(&scene.second.key_id, "operator-1", "operator-1", "left").await.is_err());
    gateway.revoke_reid_key(&scene.second.key_id, "operator-1", "operator-2", "left").await.expect("revoked");
    scene.assert_refused(scene.certify(early.id), Refusal::OfficerRemoved).await;
    let answer = scene.seal(&checked).await;
    scene.assert_refused(scene.answer(late.id, &answer), Refusal::OfficerRemoved).await;
    for id in [early.id, late.id] {
        let row = gateway.store().reid(id).await.expect("the database").expect("a row");
        assert_eq!(row.state, State::Voting {}, "open for another officer");
    }
    scene.assert_refused(scene.approve(&scene.second, &early), Refusal::WrongRole).await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn the_source_answers_once_and_anybody_but_the_asker_is_refused_at_once(#[case] backend: Backend) {
    let scene = Scene::new(backend).await;
    let (asked, checked, _) = scene.answered().await;
    let second = scene.seal(&checked).await;
    scene.assert_refused(scene.answer(asked.id, &second), Refusal::AlreadyAnswered).await;
    let gateway = &scene.programme.gateway;
    let mut other_system = scene.team.caller.clone();
    other_system.client.push_str("-2");
    for who in [&caller("education"), &scene.source.caller, &other_system] {
        let collect = gateway.collect_reidentification(who, asked.id, &scene.team.key_id);
        scene.assert_refused(collect, Refusal::OtherRecipient).await;
    }
    let other_key = gateway.collect_reidentification(&scene.team.caller, asked.id, "seal-0000000000000000");
    scene.assert_refused(other_key, Refusal::OtherRecipient).await;
    let education = caller("education");
    let stranger = gateway.certify_reidentification(&education, asked.id);
    scene.assert_refused(stranger, Refusal::Unknown).await;
    // Who has no part does not learn that there is such a request.
    let hearth = caller("hearth");
    let stranger = gateway.collect_reidentification(&hearth, asked.id, &scene.team.key_id);
    scene.assert_refused(stranger, Refusal::Unknown).await;
    let receipt = checked.receipt(Hash32::of(b"a guess"), &scene.team.sign, scene.now().await);
    let stranger = gateway.receive_reidentification(&hearth, asked.id, &receipt);
    scene.assert_refused(stranger, Refusal::Unknown).await;
    scene.collect(asked.id).await.expect("the asker");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_envelope_of_another_length_or_a_receipt_of_another_envelope_is_refused(#[case] backend: Backend) {
    let scene = Scene::new(backend).await;
    let asked = scene.approved().await;
    let checked = scene.trust().check(&scene.certify(asked.id).await.expect("certified")).expect("it holds");
    let answer = scene.seal(&checked).await;
    for envelope in [String::new(), "AAAA".to_owned(), format!("{}AAAA", answer.envelope)] {
        let malformed = Answer { envelope, ..answer.clone() };
        scene.assert_refused(scene.answer(asked.id, &malformed), Refusal::EnvelopeMalformed).await;
        let found = checked.open(&scene.trust(), &malformed, &scene.team.pair).err();
        assert_eq!(found, Some(Refusal::EnvelopeMalformed), "nor does the data team's own tool open it");
    }
    scene.answer(asked.id, &answer).await.expect("taken");
    scene.collect(asked.id).await.expect("collected");
    let receipt = checked.receipt(Hash32::of(b"another envelope"), &scene.team.sign, scene.now().await);
    let gateway = &scene.programme.gateway;
    let received = gateway.receive_reidentification(&scene.team.caller, asked.id, &receipt);
    scene.assert_refused(received, Refusal::OtherEnvelope).await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn no_field_is_sealed_or_read_that_nobody_asked_for(#[case] backend: Backend) {
    let scene = Scene::new(backend).await;
    let asked = scene.approved().await;
    let checked = scene.trust().check(&scene.certify(asked.id).await.expect("certified")).expect("it holds");
    let identity = || Identity::new([(Field::Names, "somebody".to_owned()), (Field::Address, "a refuge".to_owned())]);
    let (source, now) = (&scene.source, scene.now().await);
    let sealed = checked.seal(&SystemRandom::new(), &identity(), &source.key_id, &source.key, now);
    assert_eq!(sealed.err(), Some(Refusal::NotAskedFor), "by the source's own tool");
    // Another tool sealed it all the same: more fields are in the request that it believes in.
    let mut wider = checked.clone();
    wider.request.fields.push(Field::Address);
    let answer = wider.seal(&SystemRandom::new(), &identity(), &source.key_id, &source.key, now).expect("sealed");
    let found = checked.open(&scene.trust(), &answer, &scene.team.pair).err().expect("refused");
    scene.assert_reported(&scene.team.caller, asked.id, found, Refusal::NotAskedFor).await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn nothing_is_sealed_to_a_key_that_the_source_did_not_pin(#[case] backend: Backend) {
    let scene = Scene::new(backend).await;
    let asked = scene.approved().await;
    let signed = scene.certify(asked.id).await.expect("certified");
    let other = SealKeyPair::generate(&SystemRandom::new());
    let mut pinned = Vec::new();
    for (key_id, agency, seal_key) in [
        (scene.team.key_id.as_str(), "programme-team", other.public()),
        (scene.team.key_id.as_str(), "education", scene.team.pair.public()),
        ("recipient-0", "programme-team", scene.team.pair.public()),
    ] {
        let agency = agency.parse().expect("a code");
        pinned.push(PinnedRecipient { key_id: key_id.to_owned(), agency, seal_key: seal_key.clone() });
    }
    let trust = Trust { recipients: pinned, ..scene.trust() };
    let found = trust.check(&signed).expect_err("refused");
    scene.assert_reported(&scene.source.caller, asked.id, found, Refusal::UnknownRecipient).await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn the_source_signs_its_own_record_and_no_other(#[case] backend: Backend) {
    let scene = Scene::new(backend).await;
    let asked = scene.ask().await;
    let now = scene.now().await;
    for record in [None, Some(Hash32::of(b"another record"))] {
        let vote = scene.source.vote(&asked.request_sha256, Choice::Approve, record, now);
        scene.assert_refused(scene.send(&scene.source, &asked, &vote), Refusal::RecordMismatch).await;
    }
    let record = scene.record(&asked).await;
    let strange = scene.second.vote(&asked.request_sha256, Choice::Approve, Some(record), now);
    scene.assert_refused(scene.send(&scene.second, &asked, &strange), Refusal::RecordMismatch).await;
}
