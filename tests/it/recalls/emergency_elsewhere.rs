//! Only an enquiry is asked in an emergency: nothing else names a danger and waits for a review.

use porth::app::enquire::{EnquiryError, QuestionFault};
use porth::app::families::FamilyError;
use porth::app::match_run::MatchRunError;
use porth::app::possible_matches::view::ViewTerms;
use porth::app::preview::{NewPreview, PreviewError};
use porth::app::referral::{Ground, NewReferral, ReferralError};
use porth::domain::programme::Relationship;
use porth::domain::referral::Door;
use rstest::rstest;
use serde_json::json;

use super::*;
use crate::support::database::Backend;
use crate::support::programme::policy_files;

const TEAM: &str = "programme-team";
const DELIVERY: &str = "programme-delivery/v1";

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn nothing_but_an_enquiry_is_an_emergency(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let gateway = &programme.gateway;
    let user = OpaqueRef::parse(&opaque(8)).expect("22");
    let (role, relationship) = ("data-analyst".parse().expect("a code"), Relationship::Emergency);
    let danger = EnquiryError::Question(QuestionFault::Danger).to_string();

    let terms = json!({
        "programme": programme.code, "agreement": DELIVERY, "purpose": "programme-delivery",
        "relationship": "emergency", "role": "data-analyst", "case": opaque(7), "user": opaque(8),
    });
    let look = json!({ "terms": terms, "mode": "areas", "tfid": "TF-0000-0000-0000-0011" });
    let look = serde_json::from_value(look).expect("a request");
    let looked = gateway.lookup_family(&caller(TEAM), &look).await;
    assert!(matches!(&looked, Err(FamilyError::Enquiry(error)) if error.to_string() == danger), "{looked:?}");

    let run = json!({
        "agreement": DELIVERY, "relationship": "emergency", "role": "data-analyst", "user": opaque(8),
    });
    let run = serde_json::from_value(run).expect("terms");
    let begun = gateway.begin_match_run(&caller(TEAM), &run, "a-key-of-a-match-run").await;
    assert!(matches!(&begun, Err(MatchRunError::Enquiry(error)) if error.to_string() == danger), "{begun:?}");

    let preview = NewPreview {
        agreement: DELIVERY.parse().expect("a reference"),
        purpose: "statistics".parse().expect("a code"),
        relationship,
        role,
        user: user.clone(),
        programme_file: String::from_utf8(policy_files().programme).expect("UTF-8"),
    };
    let previewed = gateway.preview(&caller(TEAM), &preview).await;
    assert!(matches!(&previewed, Err(PreviewError::Enquiry(error)) if error.to_string() == danger), "{previewed:?}");

    let view = ViewTerms {
        agreement: DELIVERY.parse().expect("a reference"),
        purpose: "programme-delivery".parse().expect("a code"),
        relationship,
        role: "data-analyst".parse().expect("a code"),
        user: user.clone(),
        after: None,
    };
    let viewed = gateway.view_possible_matches(&caller(TEAM), &view).await;
    assert!(matches!(viewed, Err(EnquiryError::Question(QuestionFault::Danger))), "{viewed:?}");

    let role = "hub-screener".parse().expect("a code");
    let ground = Ground { agreement: "early-help-core/v1".parse().expect("a reference"), relationship, role, user };
    let referral = NewReferral { door: Door::EarlyHelp, case: OpaqueRef::parse(&opaque(7)).expect("22"), ground };
    let referred = gateway.refer(&caller("early-help-hub"), &referral, "a-key-of-a-referral").await;
    assert!(matches!(referred, Err(ReferralError::Question(QuestionFault::Danger))), "{referred:?}");
}
