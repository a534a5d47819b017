//! An inbox is its agency's alone.

use porth::app::notices::{NoticeError, Today};
use porth::app::recall::Named;
use rstest::rstest;

use super::*;
use crate::support::database::Backend;

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_notice_is_read_and_acknowledged_by_its_own_agency_alone_and_once(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    two_children_as_one(&programme).await;
    ask(&programme, "areas", BY_PUPIL_NUMBER).await;
    recall(&programme, &Named::Two(name(SCHOOLS, 1), name(CARE, 2)), "namesake").await;
    go_on(&programme).await;
    let hub = caller("early-help-hub");
    let notice = inbox(&programme, "early-help-hub").await.remove(0);
    assert_eq!(notice.today, Some(Today::Permitted));

    let role = "early-help-practitioner".parse().expect("a role");
    let acknowledge = async |who: &str, role: &porth::domain::ids::RoleCode, action: &str| {
        programme.gateway.acknowledge_notice(&caller(who), notice.id, role, action).await
    };
    assert!(matches!(acknowledge("housing", &role, "done").await, Err(NoticeError::Unknown)));
    let foreign = programme.gateway.notices(&caller("housing"), true, Some(notice.id)).await;
    assert!(matches!(foreign, Err(NoticeError::Unknown)));
    let nobody = "head-of-everything".parse().expect("a code");
    assert!(matches!(acknowledge("early-help-hub", &nobody, "done").await, Err(NoticeError::Word)));
    assert!(matches!(acknowledge("early-help-hub", &role, "told Jowan").await, Err(NoticeError::Word)));

    let first = acknowledge("early-help-hub", &role, "case-reviewed").await.expect("acknowledged");
    assert_eq!(acknowledge("early-help-hub", &role, "nothing-used").await.expect("the same"), first);
    assert_eq!(entries(&programme, "notice.acknowledgement").await.len(), 1);
    assert!(inbox(&programme, "early-help-hub").await.is_empty());
    let all = programme.gateway.notices(&hub, false, None).await.expect("an inbox");
    assert_eq!((all.notices.len(), all.notices[0].acknowledged_at), (1, Some(first.at)));

    // Once the agreement is suspended the notice says that the question may not be asked.
    let agreement = crate::support::programme::agreement(CORE);
    let state = porth::tlog::entry::AgreementState::Suspended;
    programme.gateway.set_agreement_status(&agreement, state, "officer", "incident").await.expect("suspended");
    let all = programme.gateway.notices(&hub, false, None).await.expect("an inbox");
    assert!(matches!(&all.notices[0].today, Some(Today::Refused(rules)) if rules[0].rule == "T01"), "{all:?}");
}
