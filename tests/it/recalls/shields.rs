//! Restricted records: any one agency can shield, nothing of a home is told, a shield stands until its own
//! agency lifts it, and its review is shown to that agency's shield officers alone.

use porth::app::shields::ShieldError;
use rstest::rstest;

use super::*;
use crate::support::database::Backend;

const HOME: &[(&str, &str)] = &[("uprn", "100040123456")];

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn any_one_agency_can_shield_and_the_home_is_cut(#[case] backend: Backend) {
    for (agency, feed) in
        [("education", "welfare"), ("early-help-hub", "assessments"), ("youth-justice", "orders"), HOUSING]
    {
        let programme = TestProgramme::start(backend).await;
        let from = programme.today().await - jiff::Span::new().days(40);
        let flags = |code: &str| json!([{ "criterion": code, "state": "met", "from": from.to_string() }]);
        let home = programme.tokens(HOME);
        let child = json!({ "role": "child", "household": home, "flags": flags("H2") });
        let sister = json!({ "role": "child", "household": home, "flags": flags("H3") });
        let rows = [programme.row(2, BY_NUMBER, child), programme.row(3, &[("nhs", "9990000026")], sister)];
        programme.deliver(CARE.0, CARE.1, CORE, &rows).await;
        // The hub's own records are its own to see: somebody else asks about what the hub shields.
        let asks = if agency == "early-help-hub" {
            Ask {
                agency: "housing",
                agreement: "housing-support/v1",
                purpose: "tenancy-support",
                mode: "eligible",
                role: "housing-officer",
            }
        } else {
            HUB_AREAS
        };
        let answer = async |who| programme.ask(asks, who, &[]).await.expect("permitted").answer;
        let stranger: &[(&str, &str)] = &[("nhs", "9990000999")];
        let (before, unknown) = (answer(BY_NUMBER).await, answer(stranger).await);
        if asks.agency == HUB_AREAS.agency {
            assert_ne!(before, unknown, "{agency}: the child is known");
        }
        let row = programme.row(9, BY_NUMBER, json!({ "role": "child", "restricted": true }));
        programme.deliver(agency, feed, CORE, &[row]).await;
        assert_eq!(answer(BY_NUMBER).await, answer(stranger).await, "{agency}: answered as for a stranger");
        // The sister is answered for, and nobody at her address that is shielded with her.
        if asks.agency == HUB_AREAS.agency {
            let sister = programme.ask(asks, &[("nhs", "9990000026")], &[]).await.expect("permitted").answer;
            assert_eq!(met(&sister), ["A3"], "{agency}");
        }
    }
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_shield_outlives_its_review_and_only_its_own_officers_are_reminded(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    two_children_as_one(&programme).await;
    let shielded = programme.row(2, BY_NUMBER, json!({ "role": "child", "restricted": true }));
    programme.deliver(CARE.0, CARE.1, CORE, &[shielded]).await;
    let officer = "social-worker".parse().expect("a role");
    let other = "early-help-practitioner".parse().expect("a role");
    let gateway = &programme.gateway;
    let (care, school) = (caller(CARE.0), caller(SCHOOLS.0));
    let page = gateway.own_shields(&care, &officer, None).await.expect("its own");
    assert_eq!((page.shields.len(), page.has_more), (1, false));
    assert_eq!(page.shields[0].reference.as_str(), opaque(2));
    assert!(page.is_overdue(&page.shields[0]), "nobody has said when to look again");
    for (who, role) in [(&care, &other), (&school, &officer), (&school, &other)] {
        let refused = gateway.own_shields(who, role, None).await;
        assert!(matches!(refused, Err(ShieldError::NotAnOfficer)), "{refused:?}");
    }

    let today = programme.today().await;
    let (feed, reference) = (name(CARE, 2).feed, name(CARE, 2).reference);
    let own = (&feed, &reference);
    let yesterday = gateway.note_shield_review(&care, &officer, own, today - jiff::Span::new().days(1)).await;
    assert!(matches!(yesterday, Err(ShieldError::Past)), "{yesterday:?}");
    let refused = gateway.note_shield_review(&care, &other, own, today).await;
    assert!(matches!(refused, Err(ShieldError::NotAnOfficer)), "{refused:?}");
    gateway.note_shield_review(&care, &officer, own, today).await.expect("noted");
    let nobody = name(CARE, 77).reference;
    gateway.note_shield_review(&care, &officer, (&feed, &nobody), today).await.expect("the same of any record");
    let page = gateway.own_shields(&care, &officer, None).await.expect("its own");
    assert_eq!((page.shields.len(), page.shields[0].review_on), (1, Some(today)));
    assert!(!page.is_overdue(&page.shields[0]));
    let tomorrow = porth::app::shields::ShieldPage { today: today.tomorrow().ok(), ..page.clone() };
    assert!(tomorrow.is_overdue(&tomorrow.shields[0]), "the day after it is overdue");
    // Overdue or not, the shield stands.
    assert_eq!(met(&ask(&programme, "areas", BY_PUPIL_NUMBER).await.answer), [""; 0]);

    let logged = entries(&programme, "shield.review").await;
    assert_eq!(logged.len(), 2);
    let shape = |entry: &Value| {
        let members: Vec<String> = entry["body"].as_object().expect("a body").keys().cloned().collect();
        (members, entry.to_string().len())
    };
    assert_eq!(shape(&logged[0]), shape(&logged[1]), "a shielded record and one that nobody has look alike");
    assert!(!json!(logged).to_string().contains(&opaque(2)));
}
