//! What a thief gets, row by row of the threat table in docs/reidentification.md: each tries it.

use porth::crypto::random::SystemRandom;
use porth::crypto::seal::SealKeyPair;
use porth::crypto::sign::SigningKey;
use porth::domain::labels;
use porth::domain::reidentification::binding;
use porth::domain::reidentification::refusal::Refusal;
use porth::domain::reidentification::vote::Choice;
use porth::domain::token::encode_base64url;

use porth::app::signers::KeySigner;
use porth::domain::reidentification::certificate::{Certificate, SignedCertificate};
use porth::domain::reidentification::request::CanonicalRequest;
use porth::tlog::checkpoint::Checkpoint;
use porth::tlog::entry::{Body, Entry};
use porth::tlog::merkle::leaf_hash;
use porth::tlog::proof::ProofFile;

use super::forbidden::resigned;
use super::scene::{CONTACT, NAMES, Officer, Scene};
use super::{stored_bytes, tells};
use crate::support::database::Backend;
use crate::support::gateway::hexadecimal;
use crate::support::programme::ORIGIN;

#[tokio::test]
async fn a_stolen_database_names_nobody() {
    let scene = Scene::new(Backend::Sqlite).await;
    let (asked, ..) = scene.answered().await;
    let stolen = stored_bytes(&scene.programme.database.location);
    for text in [NAMES, CONTACT, "nobody leads for this family"] {
        assert!(!tells(&stolen, text));
    }
    assert!(scene.programme.gateway.store().reid(asked.id).await.expect("read").expect("a row").envelope.is_some());
}

#[tokio::test]
async fn a_stolen_database_with_the_gateways_keys_names_nobody() {
    let scene = Scene::new(Backend::Sqlite).await;
    let (asked, checked, _) = scene.answered().await;
    let gateway = &scene.programme.gateway;
    let row = gateway.store().reid(asked.id).await.expect("the database").expect("a row");
    // With the gateway's keys the row opens: the request, pseudonyms, a record's reference, no name.
    let opened = gateway.keys().fields.open("reid_request", "sealed", row.id.as_bytes(), &row.sealed).expect("opens");
    assert!(tells(&opened, "nobody leads for this family"), "the search would find what is there");
    let envelope = row.envelope.expect("an envelope");
    for bytes in [&opened[..], &envelope] {
        assert!(!tells(bytes, NAMES) && !tells(bytes, CONTACT));
    }
    // None of the keys that the gateway holds opens the envelope.
    let answer: porth::domain::reidentification::certificate::Answer =
        serde_json::from_slice(&envelope).expect("an answer");
    let sealed = porth::app::reidentification::answer::envelope_bytes(&answer.envelope).expect("its length");
    // With everything else that it takes: the very associated data that the data team's own key opens it with.
    let aad = binding::envelope(
        &checked.request,
        &checked.request_sha256,
        &checked.record,
        &answer.certificate,
        answer.sealed_at,
    );
    let opens = |pair: &SealKeyPair| pair.open(labels::ENVELOPE, &aad, &sealed).is_ok();
    assert!(opens(&scene.team.pair), "these are the right ones");
    assert!(!opens(&SealKeyPair::from_private(copy_of(&scene.programme.keys.match_run))));
    let mut tried = 0;
    for secret in scene.programme.keys.secrets() {
        assert!(!opens(&SealKeyPair::from_private(secret)));
        tried += 1;
    }
    assert!(tried >= 6, "{tried}");
}

fn copy_of(pair: &SealKeyPair) -> porth::crypto::secret::Secret<32> {
    porth::crypto::secret::Secret::from_slice(pair.secret().expose()).expect("32 bytes")
}

/// Whoever has every key of the gateway, the log's among them, and writes into its database as it likes.
#[tokio::test]
async fn the_gateways_keys_alone_make_no_source_answer() {
    let scene = Scene::new(Backend::Sqlite).await;
    let asked = scene.approved().await;
    let signed = scene.certify(asked.id).await.expect("certified");
    let trust = scene.trust();
    // Approvals of officers whom the thief invents.
    let (thief, accomplice) = (Officer::new("childrens-social-care", 601), Officer::new("education", 602));
    let record = scene.record(&asked).await;
    let now = scene.now().await;
    let forged = resigned(&scene, &signed, |it| {
        it.approvals = vec![
            thief.vote(&asked.request_sha256, Choice::Approve, Some(record), now),
            accomplice.vote(&asked.request_sha256, Choice::Approve, None, now),
        ];
    });
    let found = trust.check(&forged).expect_err("refused");
    scene.assert_reported(&scene.source.caller, asked.id, found, Refusal::UnknownOfficer).await;
    // One approval left out, the source's left out, one given twice.
    let without = |agency: &'static str| {
        resigned(&scene, &signed, move |it| it.approvals.retain(|vote| vote.agency.as_str() != agency))
    };
    assert_eq!(trust.check(&without("education")), Err(Refusal::TooFewApprovals));
    assert_eq!(trust.check(&without("childrens-social-care")), Err(Refusal::TooFewApprovals));
    let twice = resigned(&scene, &signed, |it| {
        let sources = it.approvals.iter().find(|vote| vote.record.is_some()).expect("the source's").clone();
        it.approvals = vec![sources.clone(), sources];
    });
    assert_eq!(trust.check(&twice), Err(Refusal::DoubleVote));
    // Officers who really signed, but nobody of the source: another officer of education is pinned.
    let third = Officer::new("education", 603);
    let mut wider = scene.trust();
    wider.officers.push(porth::app::reidentification::verify::PinnedOfficer {
        key_id: third.key_id.clone(),
        agency: third.caller.agency.clone(),
        person: third.person.clone(),
        key: third.key.verifying_key(),
    });
    let no_source = resigned(&scene, &signed, |it| {
        it.approvals.retain(|vote| vote.record.is_none());
        it.approvals.push(third.vote(&asked.request_sha256, Choice::Approve, None, now));
    });
    assert_eq!(wider.check(&no_source), Err(Refusal::NoSourceApproval));
    // A withdrawal or a refusal is no approval, whatever the gateway says it is.
    let relabelled = resigned(&scene, &signed, |it| {
        let back = scene.second.vote(&asked.request_sha256, Choice::Withdraw, None, now);
        let vote = it.approvals.iter_mut().find(|vote| vote.record.is_none()).expect("education's");
        vote.signature = back.signature;
    });
    assert_eq!(trust.check(&relabelled), Err(Refusal::RequestAltered));
    // And to the thief's own key nobody seals: the request, with every signature, would be another one.
    let own = SealKeyPair::generate(&SystemRandom::new());
    let redirected = resigned(&scene, &signed, |it| {
        it.request = it.request.replace(&scene.team.pair.public().to_text(), &own.public().to_text());
    });
    assert_eq!(trust.check(&redirected), Err(Refusal::NotInLog));
}

/// With the log's key too, a thief makes a log of its own that says whatever it likes.
fn relogged(scene: &Scene, signed: &SignedCertificate) -> SignedCertificate {
    let certificate = Certificate::parse(&signed.certificate).expect("a certificate");
    let request = CanonicalRequest::parse(&certificate.request).expect("a request").hash();
    let before = Entry::parse(signed.entry.as_bytes()).expect("an entry");
    let Body::ReidStep(step) = before.body() else { panic!("a step") };
    let was = hexadecimal(step.request_sha256.as_ref().expect("a hash").as_bytes());
    let entry = signed.entry.replace(&was, &request.to_string());
    let root = leaf_hash(entry.as_bytes());
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size: 1, root };
    let key = scene.programme.keys.log_key();
    let note = checkpoint.sign(&[&KeySigner::new(ORIGIN, &key)]).expect("signed");
    let proof = ProofFile { index: 0, hashes: Vec::new(), extra: None, checkpoint: note.to_string() };
    SignedCertificate { entry, proof: proof.render(), ..signed.clone() }
}

#[tokio::test]
async fn a_thief_of_the_logs_key_as_well_is_stopped_by_the_officers_signatures_and_by_witnesses() {
    let scene = Scene::new(Backend::Sqlite).await;
    let asked = scene.approved().await;
    let signed = scene.certify(asked.id).await.expect("certified");
    let trust = scene.trust();
    trust.check(&relogged(&scene, &signed)).expect("a log of one entry that tells the truth is believed");
    // The identity is to be sealed to the thief's own key, or to hold more: that is not what was signed.
    let own = SealKeyPair::generate(&SystemRandom::new());
    let changes: [(&str, String); 2] = [
        (&scene.team.pair.public().to_text(), own.public().to_text()),
        ("\"names\",\"contact\"", "\"names\",\"address\",\"contact\"".to_owned()),
    ];
    for (from, to) in changes {
        let altered = resigned(&scene, &signed, |it| it.request = it.request.replace(from, &to));
        assert_ne!(altered.certificate, signed.certificate);
        assert_eq!(trust.check(&altered), Err(Refusal::NotInLog), "the entry is of the other request");
        let found = trust.check(&relogged(&scene, &altered)).expect_err("refused");
        scene.assert_reported(&scene.source.caller, asked.id, found, Refusal::RequestAltered).await;
    }
    // And where a witness is pinned, not even the truth is believed from a log that no witness saw.
    let mut watched = scene.trust();
    watched.quorum = 1;
    assert_eq!(watched.check(&relogged(&scene, &signed)), Err(Refusal::NotInLog));
}

#[tokio::test]
async fn what_is_not_in_the_log_as_it_is_pinned_is_not_answered() {
    let scene = Scene::new(Backend::Sqlite).await;
    let asked = scene.approved().await;
    let signed = scene.certify(asked.id).await.expect("certified");
    let mut other_log = scene.trust();
    other_log.log_keys = vec![SigningKey::generate(&SystemRandom::new()).verifying_key()];
    let found = other_log.check(&signed).expect_err("refused");
    scene.assert_reported(&scene.source.caller, asked.id, found, Refusal::NotInLog).await;
    let mut watched = scene.trust();
    watched.quorum = 1;
    assert_eq!(watched.check(&signed), Err(Refusal::NotInLog), "no witness has cosigned");
    let mut hidden = signed.clone();
    hidden.entry = hidden.entry.replace("\"authorise\"", "\"approve\"");
    assert_eq!(scene.trust().check(&hidden), Err(Refusal::NotInLog));
    let mut unproved = signed;
    unproved.proof.truncate(unproved.proof.len() / 2);
    assert_eq!(scene.trust().check(&unproved), Err(Refusal::NotInLog));
}

#[tokio::test]
async fn the_data_teams_key_alone_opens_nothing_that_was_not_released() {
    let scene = Scene::new(Backend::Sqlite).await;
    let asked = scene.ask().await;
    scene.assert_refused(scene.collect(asked.id), Refusal::NotDue).await;
    scene.approve(&scene.second, &asked).await.expect("approved");
    scene.assert_refused(scene.collect(asked.id), Refusal::NotDue).await;
    scene.approve(&scene.source, &asked).await.expect("approved");
    scene.certify(asked.id).await.expect("certified");
    scene.assert_refused(scene.collect(asked.id), Refusal::NotDue).await;
    // There is nothing anywhere yet that the key could open.
    let row = scene.programme.gateway.store().reid(asked.id).await.expect("the database").expect("a row");
    assert_eq!(row.envelope, None);
}

#[tokio::test]
async fn the_gateways_keys_and_the_data_teams_together_get_nothing_that_the_source_did_not_release() {
    let scene = Scene::new(Backend::Sqlite).await;
    let asked = scene.ask().await;
    let gateway = &scene.programme.gateway;
    scene.approve(&scene.second, &asked).await.expect("an officer who was deceived");
    // Operator and data team enrol an officer of the source between them, and have it approve.
    let planted = Officer::new("childrens-social-care", 701);
    scene.enrol(&planted).await;
    assert_eq!(scene.approve(&planted, &asked).await.expect("the gateway takes it").state.word(), "authorised");
    let signed = scene.certify(asked.id).await.expect("the gateway certifies it");
    // The source's machine pinned its officers itself: it seals nothing.
    let found = scene.trust().check(&signed).expect_err("refused");
    scene.assert_reported(&scene.source.caller, asked.id, found, Refusal::UnknownOfficer).await;
    let row = gateway.store().reid(asked.id).await.expect("the database").expect("a row");
    assert_eq!(row.envelope, None, "brokered: there is nothing to take");
    // What the planted officer seals in the source's name, the data team's own tool does not open either.
    let mut wider = scene.trust();
    wider.officers.push(porth::app::reidentification::verify::PinnedOfficer {
        key_id: planted.key_id.clone(),
        agency: planted.caller.agency.clone(),
        person: planted.person.clone(),
        key: planted.key.verifying_key(),
    });
    let checked = wider.check(&signed).expect("with the planted officer pinned");
    let answer = scene.seal(&checked).await;
    let answer = porth::domain::reidentification::certificate::Answer {
        key_id: planted.key_id.clone(),
        signature: encode_base64url(&planted.key.sign(b"in the source's name")),
        ..answer
    };
    assert_eq!(checked.open(&scene.trust(), &answer, &scene.team.pair).err(), Some(Refusal::UnknownOfficer));
}

#[tokio::test]
async fn the_database_with_the_data_teams_key_holds_what_the_source_released_and_only_until_the_receipt() {
    let scene = Scene::new(Backend::Sqlite).await;
    let (asked, checked, _) = scene.answered().await;
    let store = scene.programme.gateway.store();
    assert!(store.reid(asked.id).await.expect("read").expect("a row").envelope.is_some(), "released, and waiting");
    let collected = scene.collect(asked.id).await.expect("collected");
    let (_, hash) = checked.open(&scene.trust(), &collected.answer, &scene.team.pair).expect("it opens");
    let receipt = checked.receipt(hash, &scene.team.sign, scene.now().await);
    scene.programme.gateway.receive_reidentification(&scene.team.caller, asked.id, &receipt).await.expect("closed");
    assert_eq!(store.reid(asked.id).await.expect("read").expect("a row").envelope, None);
}
