//! The shipped policies as the tests of this module use them.

use std::sync::Arc;

use super::book::PolicyBook;
use super::decision::{SupplierFeed, Terms};
use super::rules::RuleBook;
use crate::domain::agency::Agency;
use crate::domain::agreement::{Agreement, AgreementText};
use crate::domain::programme::Programme;
use crate::domain::time::Timestamp;

pub(crate) const AGENCIES: [&str; 10] = [
    include_str!("../../policies/agencies/childrens-social-care.toml"),
    include_str!("../../policies/agencies/early-help-hub.toml"),
    include_str!("../../policies/agencies/education.toml"),
    include_str!("../../policies/agencies/hearth.toml"),
    include_str!("../../policies/agencies/housing.toml"),
    include_str!("../../policies/agencies/jobcentre-feed.toml"),
    include_str!("../../policies/agencies/kestrel.toml"),
    include_str!("../../policies/agencies/police.toml"),
    include_str!("../../policies/agencies/programme-team.toml"),
    include_str!("../../policies/agencies/youth-justice.toml"),
];
pub(crate) const AGREEMENTS: [&str; 7] = [
    include_str!("../../policies/agreements/benefits-data.toml"),
    include_str!("../../policies/agreements/charity-referral.toml"),
    include_str!("../../policies/agreements/early-help-core.toml"),
    include_str!("../../policies/agreements/housing-support.toml"),
    include_str!("../../policies/agreements/police-contact.toml"),
    include_str!("../../policies/agreements/programme-delivery.toml"),
    include_str!("../../policies/agreements/safeguarding-partners.toml"),
];

pub(crate) fn shipped_programme() -> Arc<Programme> {
    Arc::new(Programme::parse(include_bytes!("../../policies/programme.toml")).expect("well-formed"))
}

pub(crate) fn shipped_book_with(revision: u64, change: impl Fn(&mut Agreement)) -> PolicyBook {
    let agencies = AGENCIES.iter().map(|file| Agency::parse(file.as_bytes()).expect("well-formed"));
    let agreements = AGREEMENTS.iter().map(|file| {
        let text = AgreementText::parse(file.as_bytes()).unwrap_or_else(|faults| panic!("{faults}"));
        let mut agreement = Agreement::in_force(Arc::new(text));
        change(&mut agreement);
        agreement
    });
    let rules = Arc::new(RuleBook::shipped().expect("valid"));
    PolicyBook::new(shipped_programme(), agencies, agreements, rules, revision).expect("consistent")
}

pub(crate) fn shipped_book() -> PolicyBook {
    shipped_book_with(1, |_| {})
}

pub(crate) fn today() -> Timestamp {
    "2026-11-21T10:00:00Z".parse().expect("well-formed")
}

pub(crate) fn terms(who: &str, agreement: &str, purpose: &str, mode: &str, role: &str, relationship: &str) -> Terms {
    let name = |text: &str| serde_json::Value::String(text.to_owned());
    Terms {
        recipient: who.parse().expect("well-formed"),
        agreement: agreement.parse().expect("well-formed"),
        purpose: purpose.parse().expect("well-formed"),
        mode: serde_json::from_value(name(mode)).expect("a mode"),
        role: role.parse().expect("well-formed"),
        relationship: serde_json::from_value(name(relationship)).expect("a relationship"),
    }
}

/// One submission of every feed, each under the agreement that its supplier would name.
pub(crate) fn feeds() -> Vec<SupplierFeed> {
    let under = [
        ("education", "attendance", "early-help-core/v1"),
        ("education", "welfare", "early-help-core/v1"),
        ("childrens-social-care", "cases", "early-help-core/v1"),
        ("early-help-hub", "assessments", "early-help-core/v1"),
        ("youth-justice", "orders", "early-help-core/v1"),
        ("housing", "tenancies", "early-help-core/v1"),
        ("police", "outcomes", "safeguarding-partners/v1"),
        ("kestrel", "casework", "safeguarding-partners/v1"),
        ("jobcentre-feed", "benefits", "benefits-data/v1"),
        ("hearth", "casework", "charity-referral/v1"),
    ];
    let feed = |(supplier, feed, agreement): (&str, &str, &str)| SupplierFeed {
        supplier: supplier.parse().expect("well-formed"),
        feed: feed.parse().expect("well-formed"),
        agreement: agreement.parse().expect("well-formed"),
    };
    under.into_iter().map(feed).collect()
}
