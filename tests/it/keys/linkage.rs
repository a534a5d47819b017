//! The drill: an epoch's key is in wrong hands, the epoch is frozen, agencies deliver again, it is retired.

use porth::app::caller::AgencyCaller;
use porth::app::enquire::{EnquiryError, QuestionFault};
use porth::app::error::AppError;
use porth::app::subject_rights::{ActingUser, Matter, NewCase, OwnName};
use porth::app::submit::FileFault;
use porth::domain::enquiry::Answer;
use porth::domain::epoch::EpochState;
use porth::domain::evidence::EvidenceState;
use porth::domain::ids::OpaqueRef;
use porth::domain::labels::SUBJECT_SHIELD;
use porth::domain::subject_case::SubjectRight;
use rstest::rstest;
use serde_json::json;

use super::{Epoch, deliver, header, met, row};
use crate::support::database::Backend;
use crate::support::programme::{HUB_AREAS, TestProgramme, opaque};

const ADA: &[(&str, &str)] = &[("nhs", "9990000018"), ("k3", "ada")];
const BEN: &[(&str, &str)] = &[("nhs", "9990000026"), ("k3", "ben")];
const NOBODY: &[(&str, &str)] = &[("nhs", "9990000034"), ("k3", "nobody")];
const SCHOOLS: (&str, &str) = ("education", "attendance");
const CARE: (&str, &str) = ("childrens-social-care", "cases");
const HOUSING: (&str, &str) = ("housing", "tenancies");

fn is_met(answer: &Answer, area: &str) -> bool {
    let Answer::Areas { areas, .. } = answer else { panic!("an answer about areas: {answer:?}") };
    areas.iter().any(|found| found.area.as_str() == area && found.state == EvidenceState::Met)
}

async fn stored_epochs(programme: &TestProgramme) -> Vec<u32> {
    let records = programme.gateway.store().visible_tokens(&programme.code, 0, 1000).await.expect("records");
    let mut epochs: Vec<u32> =
        records.iter().flat_map(|record| record.tokens.iter().map(|token| token.epoch)).collect();
    epochs.sort_unstable();
    epochs.dedup();
    epochs
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_record_with_both_epochs_is_the_bridge_between_them(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let (attendance, need) = (met(&programme, "E1").await, met(&programme, "H2").await);
    deliver(
        &programme,
        SCHOOLS,
        &[None],
        &[row(&programme, 1, ADA, &[None], json!({ "role": "child", "flags": attendance }))],
    )
    .await;
    let second = Epoch::registered(&programme, 2).await;
    let care = row(&programme, 1, ADA, &[None, Some(&second)], json!({ "role": "child", "flags": need }));
    deliver(&programme, CARE, &[None, Some(&second)], &[care]).await;

    let by_second = second.ask(ADA).await.expect("permitted").answer;
    assert!(is_met(&by_second, "A2") && is_met(&by_second, "A3"), "the school knows her by the first epoch alone");
    assert_eq!(by_second, programme.ask(HUB_AREAS, ADA, &[]).await.expect("permitted").answer);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn after_a_freeze_old_tokens_never_match_and_who_delivers_again_loses_nothing(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let (attendance, need) = (met(&programme, "E1").await, met(&programme, "H2").await);
    let school = |who, reference, epochs: &[Option<&Epoch<'_>>]| {
        row(&programme, reference, who, epochs, json!({ "role": "child", "flags": attendance }))
    };
    let care =
        |epochs: &[Option<&Epoch<'_>>]| row(&programme, 1, ADA, epochs, json!({ "role": "child", "flags": need }));
    deliver(&programme, SCHOOLS, &[None], &[school(ADA, 1, &[None]), school(BEN, 2, &[None])]).await;
    deliver(&programme, CARE, &[None], &[care(&[None])]).await;
    let before = programme.ask(HUB_AREAS, ADA, &[]).await.expect("permitted").answer;
    assert!(is_met(&before, "A2") && is_met(&before, "A3"));

    // A file that was on its way when the epoch was frozen; it is refused at its end.
    let caller =
        porth::app::caller::AgencyCaller { agency: "housing".parse().expect("a code"), client: "t".to_owned() };
    let head = header(&programme, HOUSING, &[None]).await;
    let mut under_way = programme.gateway.begin_submission(&caller, head.to_string().as_bytes()).await.expect("begun");
    under_way.push(school(ADA, 9, &[None]).to_string().into()).await.expect("taken");
    under_way.push(json!({ "end": 1 }).to_string().into()).await.expect("taken");

    programme.gateway.freeze_epoch(1, "ops-1", "incident:1").await.expect("frozen");
    let late = under_way.finish().await;
    assert!(matches!(late, Err(AppError::RefusedFile { fault: FileFault::FrozenKey, .. })), "{late:?}");
    let asked = programme.ask(HUB_AREAS, ADA, &[]).await;
    assert!(matches!(asked, Err(EnquiryError::Question(QuestionFault::FrozenKey))), "{asked:?}");
    let second = Epoch::registered(&programme, 2).await;
    let both: &[Option<&Epoch<'_>>] = &[None, Some(&second)];
    for epochs in [&both[..1], both] {
        let header = header(&programme, SCHOOLS, epochs).await;
        let refused = programme.submit(&header, &[school(ADA, 1, epochs)]).await;
        assert!(matches!(refused, Err(AppError::File(FileFault::FrozenKey))), "{refused:?}");
    }
    let unknown = second.ask(NOBODY).await.expect("permitted").answer;
    assert_eq!(second.ask(ADA).await.expect("permitted").answer, unknown, "what is stored matches nothing");

    // The school delivers again: it loses nothing, and what social care stored under the old key stays out.
    let fresh: &[Option<&Epoch<'_>>] = &[Some(&second)];
    deliver(&programme, SCHOOLS, fresh, &[school(ADA, 1, fresh), school(BEN, 2, fresh)]).await;
    let half = second.ask(ADA).await.expect("permitted").answer;
    assert!(is_met(&half, "A2") && !is_met(&half, "A3"));
    let refused = programme.gateway.retire_epoch(1, false, "ops-1", "incident:1").await;
    assert!(matches!(refused, Err(AppError::Policy(_))), "social care's record would be left behind");
    deliver(&programme, CARE, fresh, &[care(fresh)]).await;
    assert_eq!(second.ask(ADA).await.expect("permitted").answer, before, "nothing is lost");

    assert_eq!(programme.gateway.retire_epoch(1, false, "ops-1", "incident:1").await.expect("retired"), 0);
    let asked = programme.ask(HUB_AREAS, ADA, &[]).await;
    assert!(matches!(asked, Err(EnquiryError::Question(QuestionFault::RetiredKey))), "{asked:?}");
    assert_eq!(second.ask(ADA).await.expect("permitted").answer, before);
    assert!(is_met(&second.ask(BEN).await.expect("permitted").answer, "A2"));
    for (epoch, from) in [(1, "frozen"), (1, "active")] {
        let again = programme.gateway.freeze_epoch(epoch, "ops-1", from).await;
        assert!(matches!(again, Err(AppError::Policy(_))), "an epoch never goes back");
    }
    let counts = programme.gateway.store().event_counts().await.expect("counts");
    let changes: i64 = counts.iter().filter(|(kind, _, _)| kind == "key.event").map(|(_, _, count)| count).sum();
    assert!(changes >= 4, "every change is in the log: {changes}");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_retired_epochs_tokens_are_removed_by_the_clean_up_and_no_others(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let second = Epoch::registered(&programme, 2).await;
    let flags = met(&programme, "E1").await;
    let rows: Vec<_> = [(ADA, 1), (BEN, 2)]
        .map(|(who, reference)| {
            row(&programme, reference, who, &[None, Some(&second)], json!({ "role": "child", "flags": flags }))
        })
        .to_vec();
    deliver(&programme, SCHOOLS, &[None, Some(&second)], &rows).await;
    let before = second.ask(ADA).await.expect("permitted").answer;
    assert_eq!(programme.gateway.tidy().await.expect("tidied").swept, 0);
    assert_eq!(stored_epochs(&programme).await, [1, 2]);

    programme.gateway.retire_epoch(1, false, "ops-1", "yearly").await.expect("every record has the second");
    assert_eq!(programme.gateway.tidy().await.expect("tidied").swept, 2);
    assert_eq!(stored_epochs(&programme).await, [2]);
    assert_eq!(programme.gateway.tidy().await.expect("tidied").swept, 0, "once");
    assert_eq!(second.ask(ADA).await.expect("permitted").answer, before);
    let epochs = programme.gateway.epochs().await.expect("epochs");
    let states: Vec<_> = epochs.iter().map(|epoch| (epoch.epoch, epoch.state, epoch.needs_sweeping())).collect();
    assert_eq!(states, [(1, EpochState::Retired, false), (2, EpochState::Active, false)]);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn no_shield_lifts_while_an_epoch_is_frozen(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let flags = met(&programme, "E1").await;
    let school =
        |epochs: &[Option<&Epoch<'_>>]| row(&programme, 1, ADA, epochs, json!({ "role": "child", "flags": flags }));
    let refuge = |epochs: &[Option<&Epoch<'_>>], restricted: bool| {
        row(&programme, 1, ADA, epochs, json!({ "role": "child", "restricted": restricted }))
    };
    deliver(&programme, SCHOOLS, &[None], &[school(&[None])]).await;
    assert!(is_met(&programme.ask(HUB_AREAS, ADA, &[]).await.expect("permitted").answer, "A2"));
    deliver(&programme, HOUSING, &[None], &[refuge(&[None], true)]).await;
    assert!(!is_met(&programme.ask(HUB_AREAS, ADA, &[]).await.expect("permitted").answer, "A2"), "housing shields her");

    programme.gateway.freeze_epoch(1, "ops-1", "incident:1").await.expect("frozen");
    let second = Epoch::registered(&programme, 2).await;
    let fresh: &[Option<&Epoch<'_>>] = &[Some(&second)];
    for _ in 0..2 {
        // No token leads from the school's new record to housing's old one.
        deliver(&programme, SCHOOLS, fresh, &[school(fresh)]).await;
        assert!(!is_met(&second.ask(ADA).await.expect("permitted").answer, "A2"), "she is hidden on");
    }
    deliver(&programme, HOUSING, fresh, &[refuge(fresh, true)]).await;
    programme.gateway.retire_epoch(1, false, "ops-1", "incident:1").await.expect("retired");
    deliver(&programme, SCHOOLS, fresh, &[school(fresh)]).await;
    assert!(!is_met(&second.ask(ADA).await.expect("permitted").answer, "A2"), "by housing's new record now");
    deliver(&programme, HOUSING, fresh, &[refuge(fresh, false)]).await;
    deliver(&programme, SCHOOLS, fresh, &[school(fresh)]).await;
    assert!(is_met(&second.ask(ADA).await.expect("permitted").answer, "A2"), "housing lifted it");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn while_an_epoch_is_frozen_a_case_asks_nobody_about_a_person_whose_shield_is_out_of_reach(
    #[case] backend: Backend,
) {
    let programme = TestProgramme::start(backend).await;
    let gateway = &programme.gateway;
    let known = |epochs: &[Option<&Epoch<'_>>]| row(&programme, 1, ADA, epochs, json!({ "role": "child" }));
    deliver(&programme, SCHOOLS, &[None], &[known(&[None])]).await;
    deliver(&programme, CARE, &[None], &[known(&[None])]).await;
    let asked = programme.ask(HUB_AREAS, ADA, &[]).await.expect("permitted").disclosure;
    let refuge = row(&programme, 1, ADA, &[None], json!({ "role": "child", "restricted": true }));
    deliver(&programme, HOUSING, &[None], &[refuge]).await;

    // School and social care deliver under the next epoch; from neither a token leads to housing's record.
    gateway.freeze_epoch(1, "ops-1", "incident:1").await.expect("frozen");
    let second = Epoch::registered(&programme, 2).await;
    let fresh: &[Option<&Epoch<'_>>] = &[Some(&second)];
    deliver(&programme, SCHOOLS, fresh, &[known(fresh)]).await;
    deliver(&programme, CARE, fresh, &[known(fresh)]).await;

    let caller = |agency: &str| AgencyCaller { agency: agency.parse().expect("a code"), client: "t".to_owned() };
    let reference = |number| OpaqueRef::parse(&opaque(number)).expect("a reference");
    let user = ActingUser { role: "social-worker".parse().expect("a role"), user: reference(8) };
    let records = vec![OwnName { feed: SCHOOLS.1.parse().expect("a code"), reference: reference(1) }];
    let new = NewCase { right: SubjectRight::Access, records, reply_key: None, user: user.clone() };
    let case = gateway.open_subject_case(&caller(SCHOOLS.0), &new, "a-key-of-somebody-1").await.expect("opened").value;
    for agency in [CARE.0, HOUSING.0] {
        assert!(gateway.subject_parts(&caller(agency)).await.expect("a queue").is_empty(), "{agency}");
    }
    let data = gateway.subject_data(&caller(SCHOOLS.0), Matter::Case(case.id), &user).await.expect("shown").value;
    assert_eq!(data.records.len(), 1);
    assert!(data.disclosures.iter().all(|seen| seen.recipient == SCHOOLS.0), "{:?}", data.disclosures);
    assert!(data.disclosures.iter().all(|seen| seen.disclosure != asked));

    let parts = gateway.parts_for_shield_officers("shield-1").await.expect("handed out");
    for sealed in [&parts[0].sealed, &parts[0].sealed_now] {
        let opened = programme.keys.shield.open(SUBJECT_SHIELD, case.id.as_bytes(), sealed).expect("their key");
        let said: serde_json::Value = serde_json::from_slice(&opened).expect("JSON");
        assert_eq!((&said["shielded"], &said["shielding"]), (&json!(true), &json!([])), "by somebody out of reach");
        assert_eq!(said["records"].as_array().map(Vec::len), Some(1), "social care's");
    }
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn at_most_two_epochs_are_active_and_none_is_made_anew(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let _second = Epoch::registered(&programme, 2).await;
    let register = async |epoch: u32| {
        programme
            .gateway
            .register_key_checks(epoch, &[("nhs".parse().expect("a type"), [epoch as u8; 8])], &[], "custodian")
            .await
    };
    assert!(matches!(register(3).await, Err(AppError::Policy(_))), "a third");
    programme.gateway.freeze_epoch(1, "ops-1", "incident:1").await.expect("frozen");
    assert!(matches!(register(1).await, Err(AppError::Policy(_))), "a frozen one");
    assert!(register(3).await.expect("there is room now").is_empty());
    programme.gateway.retire_epoch(1, false, "ops-1", "incident:1").await.expect("retired");
    assert!(matches!(register(1).await, Err(AppError::Policy(_))), "a retired one");
    let unknown = programme.gateway.freeze_epoch(9, "ops-1", "incident:1").await;
    assert!(matches!(unknown, Err(AppError::Policy(_))));
}
