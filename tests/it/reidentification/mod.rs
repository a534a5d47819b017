//! Re-identification: the lawful way from end to end, every unlawful one, what thieves get, what is left
//! behind, and what a crash loses.

mod crash;
mod forbidden;
mod meanwhile;
mod scene;
mod theft;

use std::time::Duration;

use porth::app::reidentification::ReidError;
use porth::app::reidentification::verify::Trust;
use porth::app::witness::WitnessRule;
use porth::crypto::random::SystemRandom;
use porth::crypto::sign::SigningKey;
use porth::domain::ids::AgencyCode;
use porth::domain::reidentification::Field;
use porth::domain::reidentification::refusal::Refusal;
use porth::domain::reidentification::state::State;
use porth::domain::reidentification::vote::Choice;
use porth::domain::tfid::Tfid;
use porth::store::Location;
use porth::tlog::cosignature::{Cosigner, Ed25519Signer};
use porth::tlog::entry::AgreementState;
use porth::tlog::note::{SignedNote, SigningFailed, TYPE_COSIGNATURE, verifier_key};
use rstest::rstest;

use self::scene::{CONTACT, NAMES, Officer, Scene, caller, key};
use crate::support::database::Backend;
use crate::support::gateway::hexadecimal;
use crate::support::programme::agreement;

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn two_officers_and_the_source_sign_and_the_data_team_learns_what_it_asked_for_and_no_more(
    #[case] backend: Backend,
) {
    let scene = Scene::new(backend).await;
    let (asked, checked, answer) = scene.answered().await;

    let collected = scene.collect(asked.id).await.expect("collected");
    let again = scene.collect(asked.id).await.expect("the same system with the same key, once more");
    assert_eq!((&collected.answer, collected.until), (&again.answer, again.until), "one envelope, one end");
    assert_eq!(collected.answer, answer);
    let theirs = scene.trust().check(&collected.certificate).expect("it holds on the data team's machine too");
    assert_eq!(theirs, checked);
    let (identity, hash) = theirs.open(&scene.trust(), &collected.answer, &scene.team.pair).expect("it opens");
    assert_eq!(identity.fields().collect::<Vec<_>>(), [(Field::Names, NAMES), (Field::Contact, CONTACT)]);

    let gateway = &scene.programme.gateway;
    let receipt = theirs.receipt(hash, &scene.team.sign, scene.now().await);
    gateway.receive_reidentification(&scene.team.caller, asked.id, &receipt).await.expect("closed");
    gateway.receive_reidentification(&scene.team.caller, asked.id, &receipt).await.expect("a repeat changes nothing");
    let stored = gateway.store().reid(asked.id).await.expect("the database").expect("its row");
    assert_eq!(stored.state, State::Closed { envelope: hash });
    assert_eq!(stored.envelope, None, "the ciphertext is gone");
    scene.assert_refused(scene.collect(asked.id), Refusal::NotDue).await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_emergency_takes_two_signatures_of_any_partys_officers_one_of_them_the_sources(#[case] backend: Backend) {
    let scene = Scene::new(backend).await;
    let police = Officer::new("police", 503);
    scene.enrol(&police).await;
    let ordinary = scene.ask().await;
    scene.assert_refused(scene.approve(&police, &ordinary), Refusal::WrongRole).await;

    let mut new = scene.question();
    new.handling = porth::domain::reidentification::Handling::Emergency;
    new.hours = 5;
    assert!(scene.ask_with(&new).await.is_err(), "an emergency lasts four hours at the most");
    new.hours = 4;
    let asked = scene.ask_with(&new).await.expect("permitted");
    scene.approve(&police, &asked).await.expect("an officer of any party");
    scene.assert_refused(scene.certify(asked.id), Refusal::TooFewApprovals).await;
    assert_eq!(scene.approve(&scene.source, &asked).await.expect("the source").state.word(), "authorised");
    let certificate = scene.certify(asked.id).await.expect("certified");
    assert!(certificate.entry.contains("\"handling\":\"emergency\""), "reviews find it by its entry");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_person_who_is_unknown_or_shielded_is_asked_about_like_any_other_and_nobody_answers(
    #[case] backend: Backend,
) {
    let scene = Scene::new(backend).await;
    let known = scene.ask().await;
    let mut new = scene.question();
    new.family = "TF-0000-0000-0000-0011".parse::<Tfid>().expect("well-formed");
    let unknown = scene.ask_with(&new).await.expect("taken in alike");
    assert_eq!((known.state.word(), known.votes.len()), (unknown.state.word(), unknown.votes.len()));
    let length = |view: &porth::app::reidentification::ReidView| view.request.as_ref().map(String::len);
    assert_eq!(length(&known), length(&unknown));
    let store = scene.programme.gateway.store();
    let sealed = async |view: &porth::app::reidentification::ReidView| {
        store.reid(view.id).await.expect("the database").expect("a row").sealed.len()
    };
    assert_eq!(sealed(&known).await, sealed(&unknown).await);

    // Other officers see both; the source sees the one about its own record.
    let gateway = &scene.programme.gateway;
    let ids = async |who: &str| -> Vec<_> {
        let views = gateway.reidentifications(&caller(who)).await.expect("listed");
        views.into_iter().map(|view| view.id).collect()
    };
    assert_eq!(ids("education").await, [known.id, unknown.id]);
    assert_eq!(ids("childrens-social-care").await, [known.id]);
    scene.approve(&scene.second, &unknown).await.expect("an officer cannot tell");
    let vote = scene.source.vote(&unknown.request_sha256, Choice::Approve, None, scene.now().await);
    scene.assert_refused(scene.send(&scene.source, &unknown, &vote), Refusal::Unknown).await;
    scene.assert_refused(gateway.show_reidentification(&caller("hearth"), known.id), Refusal::Unknown).await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn what_the_agreement_does_not_allow_is_not_asked_and_the_ceiling_refuses_bulk(#[case] backend: Backend) {
    let scene = Scene::new(backend).await;
    let refused = async |change: &dyn Fn(&mut porth::app::reidentification::NewReidentification)| {
        let mut new = scene.question();
        change(&mut new);
        format!("{:?}", scene.ask_with(&new).await.expect_err("refused"))
    };
    assert!(refused(&|new| new.source = "police".parse::<AgencyCode>().expect("a code")).await.contains("I02"));
    assert!(refused(&|new| new.power = "EA1996".parse().expect("a code")).await.contains("I06"));
    assert!(refused(&|new| new.role = "auditor".parse().expect("a code")).await.contains("I04"));
    assert!(refused(&|new| new.reason = "because".to_owned()).await.contains("Reason"));
    assert!(refused(&|new| new.recipient = scene.source.key_id.clone()).await.contains("Recipient"));
    assert!(refused(&|new| new.nonce = "short".to_owned()).await.contains("Nonce"));

    // The same call again makes no second request; another one under the key is refused.
    let (name, new) = (key(), scene.question());
    let gateway = &scene.programme.gateway;
    let first = gateway.request_reidentification(&scene.team.caller, &new, &name).await.expect("permitted");
    let again = gateway.request_reidentification(&scene.team.caller, &new, &name).await.expect("repeated");
    assert_eq!(first.id, again.id);
    let other = gateway.request_reidentification(&scene.team.caller, &scene.question(), &name).await;
    assert!(format!("{:?}", other.expect_err("refused")).contains("KeyReused"));
    for _ in 1..10 {
        scene.ask().await;
    }
    assert!(refused(&|_| {}).await.contains("CeilingReached"), "ten a day by the agreement");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_refusal_or_a_withdrawal_ends_it_and_an_approval_can_be_taken_back(#[case] backend: Backend) {
    let scene = Scene::new(backend).await;
    let gateway = &scene.programme.gateway;
    let asked = scene.approved().await;
    let back = scene.second.vote(&asked.request_sha256, Choice::Withdraw, None, scene.now().await);
    assert_eq!(scene.send(&scene.second, &asked, &back).await.expect("taken back").state, State::Voting {});
    scene.assert_refused(scene.certify(asked.id), Refusal::TooFewApprovals).await;
    assert_eq!(scene.approve(&scene.second, &asked).await.expect("again").state.word(), "authorised");

    let refusal = scene.source.vote(&asked.request_sha256, Choice::Refuse, None, scene.now().await);
    assert_eq!(scene.send(&scene.source, &asked, &refusal).await.expect("refused").state.word(), "refused");
    scene.assert_refused(scene.certify(asked.id), Refusal::NotDue).await;

    let other = scene.ask().await;
    scene.assert_refused(gateway.withdraw_reidentification(&caller("education"), other.id), Refusal::Unknown).await;
    let view = gateway.withdraw_reidentification(&scene.team.caller, other.id).await.expect("withdrawn");
    assert_eq!(view.state, State::Withdrawn {});
    scene.assert_refused(scene.approve(&scene.second, &other), Refusal::NotDue).await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_agreement_that_ended_meanwhile_releases_nothing(#[case] backend: Backend) {
    let scene = Scene::new(backend).await;
    let asked = scene.approved().await;
    let checked = scene.trust().check(&scene.certify(asked.id).await.expect("certified")).expect("it holds");
    let reference = agreement("programme-delivery/v1");
    let gateway = &scene.programme.gateway;
    gateway
        .set_agreement_status(&reference, AgreementState::Suspended, "officer", "incident")
        .await
        .expect("suspended");
    let answer = scene.seal(&checked).await;
    scene.assert_refused(scene.answer(asked.id, &answer), Refusal::AgreementEnded).await;
}

/// A witness's key.
struct Pen(SigningKey, [u8; 32]);

impl Ed25519Signer for Pen {
    fn public_key(&self) -> &[u8; 32] {
        &self.1
    }
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SigningFailed> {
        Ok(self.0.sign(message))
    }
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn nothing_is_certified_before_a_witness_has_cosigned_the_authorisation(#[case] backend: Backend) {
    let (name, key) = ("witness.example", SigningKey::generate(&SystemRandom::new()));
    let public = *key.verifying_key().as_bytes();
    let (pen, verifier) = (Pen(key, public), verifier_key(name, TYPE_COSIGNATURE, &public));
    let mut scene = Scene::new(backend).await;
    let rule = WitnessRule { keys: vec![verifier.clone()], quorum: 1, stop_after: Duration::from_hours(1) };
    scene.programme = scene.programme.watched(rule);
    let asked = scene.approved().await;
    let unsigned = scene.programme.gateway.certify_reidentification(&scene.source.caller, asked.id).await;
    assert!(matches!(unsigned, Err(ReidError::NotInLogYet)), "{unsigned:?}");
    let unwatched = scene.certify(asked.id).await;
    assert!(matches!(unwatched, Err(ReidError::NotInLogYet)), "in the log, and nobody has seen it: {unwatched:?}");

    let (_, _, note) = scene.programme.gateway.store().newest_checkpoint().await.expect("read").expect("signed");
    let mut note = SignedNote::parse(note.as_bytes()).expect("a note");
    let seconds = u64::try_from(scene.now().await.as_seconds()).expect("after 1970");
    note.add(&Cosigner::new(name, &pen, seconds)).expect("cosigned");
    scene.programme.gateway.take_cosignatures(note.to_string().as_bytes()).await.expect("taken");
    let signed = scene.certify(asked.id).await.expect("certified");
    let watched = |witness: String| Trust { witnesses: vec![witness], quorum: 1, ..scene.trust() };
    watched(verifier).check(&signed).expect("it holds");
    let stranger = SigningKey::generate(&SystemRandom::new()).verifying_key();
    let other = verifier_key(name, TYPE_COSIGNATURE, stranger.as_bytes());
    assert_eq!(watched(other).check(&signed), Err(Refusal::NotInLog));
}

/// Every byte of the database's files, or of its dump.
pub(crate) fn stored_bytes(location: &Location) -> Vec<u8> {
    let Location::Sqlite(path) = location else { panic!("an SQLite file") };
    let folder = path.parent().expect("a folder");
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            all.extend(std::fs::read(path).expect("readable"));
        }
    }
    all
}

/// Whether some text, or base64 of it at any offset, or its hexadecimal form, is among bytes.
pub(crate) fn tells(bytes: &[u8], text: &str) -> bool {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    let contains = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    let in_hexadecimal = hexadecimal(text.as_bytes());
    let encoded = (0..3).flat_map(|shift| {
        let padded = [vec![0; shift], text.as_bytes().to_vec()].concat();
        // The characters that depend on what stands before and after are left out.
        let (from, to) = (if shift == 0 { 0 } else { shift + 1 }, 2);
        [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)]
            .map(|text| text.get(from..text.len() - to).unwrap_or_default().as_bytes().to_vec())
    });
    contains(text.as_bytes()) || contains(in_hexadecimal.as_bytes()) || encoded.into_iter().any(|form| contains(&form))
}

#[test]
fn the_search_for_a_plaintext_finds_it_in_every_form() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let hidden = STANDARD.encode(format!("ab{NAMES}cd"));
    assert!(tells(hidden.as_bytes(), NAMES) && tells(format!("x{NAMES}").as_bytes(), NAMES));
    assert!(!tells(b"nothing of the kind", NAMES));
    let in_hexadecimal = hexadecimal(NAMES.as_bytes());
    assert!(tells(in_hexadecimal.as_bytes(), NAMES));
}

#[tokio::test]
async fn after_a_full_run_the_identity_is_nowhere_in_the_database_or_in_the_log() {
    let scene = Scene::new(Backend::Sqlite).await;
    let (asked, checked, _) = scene.answered().await;
    let gateway = &scene.programme.gateway;
    let before = stored_bytes(&scene.programme.database.location);
    let collected = scene.collect(asked.id).await.expect("collected");
    let (_, hash) = checked.open(&scene.trust(), &collected.answer, &scene.team.pair).expect("it opens");
    let receipt = checked.receipt(hash, &scene.team.sign, scene.now().await);
    gateway.receive_reidentification(&scene.team.caller, asked.id, &receipt).await.expect("closed");
    scene.programme.sequencer.drain().await.expect("sequenced");
    let size = gateway.store().log_head().await.expect("a head").expect("open").size;
    let entries = gateway.store().log_entries(0, size).await.expect("entries");
    let log: Vec<u8> = entries.into_iter().flat_map(|(_, entry)| entry).collect();
    for text in [NAMES, CONTACT, "Qwxyzpenrose"] {
        assert!(!tells(&before, text), "while the envelope waited");
        assert!(!tells(&stored_bytes(&scene.programme.database.location), text), "afterwards");
        assert!(!tells(&log, text), "in the log");
    }
    let reason = "nobody leads for this family";
    assert!(!tells(&stored_bytes(&scene.programme.database.location), reason), "reasons are sealed as well");
    assert!(!tells(&log, reason));
    assert!(!tells(&log, &scene.family.to_text()));
}
