//! A case from end to end, and what decisions in it do.

use porth::app::subject_rights::{Matter, PartAnswer, REPLY_PADDED, SubjectError};
use porth::crypto::random::SystemRandom;
use porth::crypto::seal::{SealKeyPair, seal};
use porth::domain::evidence::EvidenceState;
use porth::domain::labels::SUBJECT_REPLY;
use porth::domain::subject_case::{ClockReason, ClockStep, PartOutcome, SubjectRight};
use rstest::rstest;

use super::{
    CARE, CORE, GIRL, HOME, MOTHER, SCHOOLS, all_met, areas, caller, entries, family, met, open, user, verdict,
};
use crate::support::database::Backend;
use crate::support::programme::{HUB_AREAS, TestProgramme, opaque};

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn each_controller_finds_its_own_part_and_the_answer_opens_only_where_the_person_was_verified(
    #[case] backend: Backend,
) {
    let programme = TestProgramme::start(backend).await;
    let gateway = &programme.gateway;
    family(&programme).await;
    assert_eq!(areas(&programme, GIRL).await, all_met(&["A2", "A3"]));

    let random = SystemRandom::new();
    let pair = SealKeyPair::generate(&random);
    let key = pair.public().to_text();
    let case = open(&programme, SCHOOLS, 1, SubjectRight::Access, Some(key.clone())).await.expect("opened").value;
    let again = open(&programme, SCHOOLS, 1, SubjectRight::Access, Some(key)).await.expect("the same").value;
    assert_eq!(case.id, again.id, "a repeat opens no second case");

    // The other controller finds its part; nobody else has one, and the opener none of its own.
    for (agency, parts) in [(CARE.0, 1), (SCHOOLS.0, 0), ("housing", 0), ("police", 0)] {
        assert_eq!(gateway.subject_parts(&caller(agency)).await.expect("a queue").len(), parts, "{agency}");
    }
    let part = gateway.subject_parts(&caller(CARE.0)).await.expect("a queue").remove(0);
    let theirs = gateway.subject_data(&caller(CARE.0), Matter::Part(part.id), &user()).await.expect("shown").value;
    let names: Vec<(&str, &str)> =
        theirs.records.iter().map(|record| (record.feed.as_str(), record.reference.as_str())).collect();
    assert_eq!(names, [(CARE.1, &*opaque(2))], "the girl's record, not her mother's");
    let seen = &theirs.disclosures[0];
    assert_eq!((seen.recipient.as_str(), seen.kind.as_str()), ("early-help-hub", "enquiry"));
    assert!(seen.items.contains(&"A3".to_owned()) && !seen.items.contains(&"A2".to_owned()), "{seen:?}");
    let ours = gateway.subject_data(&caller(SCHOOLS.0), Matter::Case(case.id), &user()).await.expect("shown").value;
    assert_eq!(ours.records.len(), 1);
    assert!(
        ours.disclosures.iter().any(|seen| seen.recipient == "early-help-hub" && seen.items.contains(&"A2".to_owned()))
    );

    // Nobody else gets at either.
    for agency in ["housing", CARE.0] {
        let read = gateway.subject_data(&caller(agency), Matter::Case(case.id), &user()).await;
        assert!(matches!(read, Err(SubjectError::Unknown)), "{agency}: {read:?}");
        let taken = gateway.collect_subject_replies(&caller(agency), case.id, &user()).await;
        assert!(matches!(taken, Err(SubjectError::Unknown)), "{agency}");
    }
    let foreign = gateway.subject_data(&caller(SCHOOLS.0), Matter::Part(part.id), &user()).await;
    assert!(matches!(foreign, Err(SubjectError::Unknown)));
    let not_held = open(&programme, SCHOOLS, 99, SubjectRight::Access, None).await;
    assert!(matches!(not_held, Err(SubjectError::Record)), "{not_held:?}");

    // The answer is ciphertext to the gateway and opens with the case's key alone.
    let before = gateway.collect_subject_replies(&caller(SCHOOLS.0), case.id, &user()).await.expect("nothing yet");
    assert!(before.value.replies.is_empty());
    let said = b"what social care may give";
    let sealed = seal(&random, pair.public(), SUBJECT_REPLY, part.id.as_bytes(), said, REPLY_PADDED).expect("sealed");
    let answer = |reply: Option<Vec<u8>>| PartAnswer { verdict: verdict(PartOutcome::Released, &[]), reply };
    for wrong in [None, Some(said.to_vec())] {
        let refused = gateway.answer_subject_part(&caller(CARE.0), part.id, &answer(wrong)).await;
        assert!(matches!(refused, Err(SubjectError::Reply)), "{refused:?}");
    }
    gateway.answer_subject_part(&caller(CARE.0), part.id, &answer(Some(sealed.clone()))).await.expect("answered");
    gateway.answer_subject_part(&caller(CARE.0), part.id, &answer(Some(sealed))).await.expect("a repeat");
    let collected = gateway.collect_subject_replies(&caller(SCHOOLS.0), case.id, &user()).await.expect("given").value;
    let [reply] = &collected.replies[..] else { panic!("one answer: {collected:?}") };
    assert!(reply.is_sealed_to_key);
    let opened = pair.open(SUBJECT_REPLY, reply.part.as_bytes(), &reply.body).expect("the case's key");
    assert_eq!(opened.as_slice(), said);
    assert!(SealKeyPair::generate(&random).open(SUBJECT_REPLY, reply.part.as_bytes(), &reply.body).is_err());

    // The log does not tell who holds the same person.
    let logged = entries(&programme, "subject.case").await;
    assert!(logged.len() >= 6, "every step is an entry: {}", logged.len());
    let number = case.id.to_string();
    for entry in &logged {
        let is_of_case = entry["body"]["matter"] == number.as_str();
        assert_eq!(is_of_case, entry["body"]["agency"] == SCHOOLS.0, "{entry}");
    }
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn the_clock_of_a_case_moves_as_the_law_lets_it_and_each_step_is_logged(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let gateway = &programme.gateway;
    family(&programme).await;
    let case = open(&programme, SCHOOLS, 1, SubjectRight::Access, None).await.expect("opened").value;
    let due = case.clock.due_on().expect("it runs");
    let today = programme.today().await;
    let month = jiff::Span::new().months(1);
    assert_eq!(due, today.checked_add(month).expect("a day"));
    assert!(!case.has_reply_key && !case.is_overdue);

    let step = |step, reason| {
        let school = caller(SCHOOLS.0);
        async move { gateway.step_subject_case(&school, case.id, &user(), (step, reason)).await }
    };
    let paused = step(ClockStep::Pause, ClockReason::Identification).await.expect("stopped").value;
    assert_eq!((paused.clock.due_on(), paused.clock.state()), (None, "paused"));
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    let resumed = step(ClockStep::Resume, ClockReason::Answered).await.expect("it runs").value;
    assert!(resumed.clock.due_on().is_some_and(|later| later > due), "what it stood is added");
    let extended = step(ClockStep::Extend, ClockReason::Complex).await.expect("in time").value;
    assert!(extended.clock.due_on() > today.checked_add(jiff::Span::new().months(3)).ok());
    assert!(matches!(step(ClockStep::Extend, ClockReason::Complex).await, Err(SubjectError::Clock(_))));
    assert!(matches!(step(ClockStep::Pause, ClockReason::Complex).await, Err(SubjectError::Words)));
    step(ClockStep::Close, ClockReason::Answered).await.expect("closed");
    assert!(matches!(step(ClockStep::Pause, ClockReason::Clarification).await, Err(SubjectError::Clock(_))));
    assert!(gateway.subject_parts(&caller(CARE.0)).await.expect("a queue").is_empty(), "a closed case asks nobody");

    let actions: Vec<_> =
        entries(&programme, "subject.case").await.iter().map(|entry| entry["body"]["action"].clone()).collect();
    assert_eq!(actions, ["opened", "pause", "resume", "extend", "close"]);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_restricted_record_contributes_as_if_it_were_not_held_until_that_is_lifted(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let gateway = &programme.gateway;
    // What is answered where social care knows her mother alone.
    family(&programme).await;
    let mother = serde_json::json!({ "role": "adult", "household": programme.tokens(HOME) });
    programme.deliver(CARE.0, CARE.1, CORE, &[programme.row(3, MOTHER, mother)]).await;
    let not_held = programme.ask(HUB_AREAS, GIRL, &[]).await.expect("permitted").answer;
    family(&programme).await;
    assert_eq!(areas(&programme, GIRL).await, all_met(&["A2", "A3"]));

    let case = open(&programme, SCHOOLS, 1, SubjectRight::Objection, None).await.expect("opened").value;
    let part = gateway.subject_parts(&caller(CARE.0)).await.expect("a queue").remove(0);
    let wrong = PartAnswer { verdict: verdict(PartOutcome::Released, &[]), reply: None };
    let refused = gateway.answer_subject_part(&caller(CARE.0), part.id, &wrong).await;
    assert!(matches!(refused, Err(SubjectError::Words)), "an objection releases nothing: {refused:?}");
    let upheld = PartAnswer { verdict: verdict(PartOutcome::Upheld, &[]), reply: None };
    gateway.answer_subject_part(&caller(CARE.0), part.id, &upheld).await.expect("answered");

    assert_eq!(areas(&programme, GIRL).await, all_met(&["A2"]), "from the next question on");
    let restricted = programme.ask(HUB_AREAS, GIRL, &[]).await.expect("permitted").answer;
    assert_eq!(restricted, not_held);
    let decided = gateway.decide_subject_case(&caller(SCHOOLS.0), case.id, &verdict(PartOutcome::Upheld, &[])).await;
    decided.expect("decided");
    assert_eq!(areas(&programme, GIRL).await, all_met(&[]));

    // In every later delivery too, under new row ids.
    let home = programme.tokens(HOME);
    let in_care = serde_json::json!({ "role": "child", "household": home, "flags": met(&programme, "H2").await });
    let rows = [
        programme.row(2, &GIRL[..1], in_care),
        programme.row(3, MOTHER, serde_json::json!({ "role": "adult", "household": home })),
        programme.row(4, &[("nhs", "9990000042")], serde_json::json!({ "role": "child" })),
    ];
    programme.deliver(CARE.0, CARE.1, CORE, &rows).await;
    assert_eq!(areas(&programme, GIRL).await, all_met(&[]));
    let reason = "settled".parse().expect("a code");
    gateway.lift_subject_marks(&caller(CARE.0), Matter::Part(part.id), &reason, &user()).await.expect("lifted");
    assert_eq!(areas(&programme, GIRL).await, all_met(&["A3"]));
    gateway.lift_subject_marks(&caller(SCHOOLS.0), Matter::Case(case.id), &reason, &user()).await.expect("lifted");
    assert_eq!(areas(&programme, GIRL).await, all_met(&["A2", "A3"]));
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn what_a_person_disputes_is_answered_as_contested(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    family(&programme).await;
    let case = open(&programme, SCHOOLS, 1, SubjectRight::Contested, None).await.expect("opened").value;
    let other = verdict(PartOutcome::Contested, &["E2"]);
    programme.gateway.decide_subject_case(&caller(SCHOOLS.0), case.id, &other).await.expect("decided");
    assert_eq!(areas(&programme, GIRL).await, all_met(&["A2", "A3"]), "another criterion is disputed");
    let disputed = verdict(PartOutcome::Contested, &["E1"]);
    programme.gateway.decide_subject_case(&caller(SCHOOLS.0), case.id, &disputed).await.expect("decided");
    let found = areas(&programme, GIRL).await;
    assert!(found.contains(&("A2".to_owned(), EvidenceState::Contested)), "{found:?}");
    assert!(found.contains(&("A3".to_owned(), EvidenceState::Met)), "{found:?}");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_entry_is_found_for_everybody_whose_record_it_rested_on_and_for_nobody_once_erased(
    #[case] backend: Backend,
) {
    let programme = TestProgramme::start(backend).await;
    let (gateway, store) = (&programme.gateway, programme.gateway.store());
    family(&programme).await;
    let asked = programme.ask(HUB_AREAS, GIRL, &[]).await.expect("permitted");
    let tag = |(agency, feed): (&str, &str), reference| gateway.keys().tagger.record(agency, feed, &opaque(reference));
    for (record, is_asked_about) in [(tag(SCHOOLS, 1), true), (tag(CARE, 2), true), (tag(CARE, 3), false)] {
        let found = store.entries_by_record(&[record]).await.expect("entries");
        let found: Vec<_> = found.iter().map(|entry| (entry.event, entry.of.is_asked_about)).collect();
        assert_eq!(found, [(asked.disclosure, is_asked_about)]);
    }
    assert!(store.entries_by_record(&[tag(CARE, 9)]).await.expect("entries").is_empty());

    // What was asked about her daughter is not in the mother's own case.
    let case = open(&programme, CARE, 3, SubjectRight::Access, None).await.expect("opened").value;
    let shown = gateway.subject_data(&caller(CARE.0), Matter::Case(case.id), &user()).await.expect("shown").value;
    assert!(shown.disclosures.iter().all(|seen| seen.disclosure != asked.disclosure), "{:?}", shown.disclosures);

    let erased = gateway.erase_entries(&[asked.disclosure], "uk-gdpr:17", "ops-1").await.expect("erased");
    assert_eq!((erased.erased, erased.held), (1, 0));
    for record in [tag(SCHOOLS, 1), tag(CARE, 2), tag(CARE, 3)] {
        let found = store.entries_by_record(&[record]).await.expect("entries");
        assert!(found.iter().all(|entry| entry.event != asked.disclosure));
    }
    assert!(store.sealed_entry(asked.disclosure, "answer").await.expect("asked").is_none());
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn what_is_sealed_in_cases_goes_under_the_next_key(#[case] backend: Backend) {
    let old = TestProgramme::start(backend).await;
    family(&old).await;
    let case = open(&old, SCHOOLS, 1, SubjectRight::Access, None).await.expect("opened").value;
    let part = old.gateway.subject_parts(&caller(CARE.0)).await.expect("a queue").remove(0);
    let reply = Some(b"at rest under the gateway's key alone".to_vec());
    let answer = PartAnswer { verdict: verdict(PartOutcome::Released, &[]), reply: reply.clone() };
    old.gateway.answer_subject_part(&caller(CARE.0), part.id, &answer).await.expect("answered");

    let both = old.restarted_with(old.keys.with_next_field_key());
    both.gateway.reseal_fields().await.expect("sealed again");
    assert_eq!(both.gateway.fields_under_older_keys().await.expect("counted"), 0);
    let new = both.restarted_with(both.keys.with_newest_field_key_alone());
    let collected = new.gateway.collect_subject_replies(&caller(SCHOOLS.0), case.id, &user()).await.expect("given");
    let [given] = &collected.value.replies[..] else { panic!("one answer") };
    assert_eq!((given.is_sealed_to_key, Some(given.body.clone())), (false, reply));
}
