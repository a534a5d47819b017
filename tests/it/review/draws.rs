//! Samples are drawn from the log, drawn again, and joined by what is always reviewed.

use std::collections::BTreeSet;

use porth::app::review::ReviewError;
use porth::app::review::draw::Draw;
use porth::domain::ids::EventId;
use porth::domain::review::sample::Strategy;
use porth::domain::time::Timestamp;
use porth::store::ReviewsWanted;
use porth::tlog::digest::Digest;
use porth::tlog::entry::{Body, Facet};
use rstest::rstest;

use super::{KNOWN, all, ask, ask_in_vain, draw_named, ready};
use crate::log::append;
use crate::support::database::Backend;

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn whoever_has_the_same_log_and_seed_draws_the_same_sample(#[case] backend: Backend) {
    let home = ready(backend).await;
    let hub = home.agency("early-help-hub").await;
    let mut entries = BTreeSet::new();
    for number in 0..12 {
        entries.insert(if number % 4 == 0 { ask_in_vain(&hub, &KNOWN).await } else { ask(&hub, &KNOWN).await });
    }
    home.wait_sequenced().await;
    let gateway = home.gateway();
    let mut plans = Vec::new();
    for strategy in [Strategy::Random, Strategy::Stratified, Strategy::Risk] {
        let drawn = gateway.draw_review(&all(strategy, 5), "ig-1", "quarter:3").await.expect("drawn");
        assert_eq!((drawn.said.population, drawn.said.sample), (12, 5), "{strategy}");
        assert!(drawn.sample.iter().all(|(_, event)| entries.contains(event)), "only disclosures are drawn");
        assert!(drawn.sample.is_sorted());
        plans.push(drawn);
    }
    assert_eq!(plans[1].said.strata, 2, "what might contribute to an answer, and nothing to a refusal");
    let other =
        gateway.draw_review(&Draw { seed: None, ..all(Strategy::Random, 5) }, "ig-1", "x").await.expect("drawn");
    assert_eq!(other.said.seed_from.as_str(), "gateway");
    assert_ne!(other.said.seed, plans[0].said.seed);
    plans.push(other);

    ask(&hub, &KNOWN).await; // the log grows; a plan is still drawn from as much of it as there was
    home.wait_sequenced().await;
    for plan in &plans {
        let again = gateway.repeat_draw(plan.plan).await.expect("drawn again");
        assert!(again.is_same, "{:?}", plan.said);
    }
    let whole = gateway.draw_review(&all(Strategy::Targeted, 0), "ig-1", "all").await.expect("drawn");
    assert_eq!(whole.said.population, 13);
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_plan_that_says_another_sample_than_its_seed_gives_is_found(#[case] backend: Backend) {
    let home = ready(backend).await;
    let hub = home.agency("early-help-hub").await;
    for _ in 0..4 {
        ask(&hub, &KNOWN).await;
    }
    home.wait_sequenced().await;
    let drawn = home.gateway().draw_review(&all(Strategy::Random, 2), "ig-1", "quarter:3").await.expect("drawn");
    let mut chosen = drawn.said.clone();
    chosen.sample_sha256 = Digest::of(b"a sample that somebody liked better");
    let chosen = append(&home, Body::ReviewPlan(Box::new(chosen))).await;
    let again = home.gateway().repeat_draw(chosen).await.expect("drawn again");
    assert!(!again.is_same);
    assert_eq!(again.sample_sha256, drawn.said.sample_sha256);
    assert!(matches!(home.gateway().repeat_draw(drawn.sample[0].1).await, Err(ReviewError::Unknown)), "no plan");
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_draw_is_narrowed_by_what_entries_are_found_by_and_by_name(#[case] backend: Backend) {
    let home = ready(backend).await;
    let hub = home.agency("early-help-hub").await;
    let (answered, refused) = (ask(&hub, &KNOWN).await, ask_in_vain(&hub, &KNOWN).await);
    home.wait_sequenced().await;
    let gateway = home.gateway();
    let only = async |facet: Facet, value: &str| {
        let filters = vec![(facet, value.parse().expect("a code"))];
        let wanted = Draw { filters, ..all(Strategy::Targeted, 0) };
        let drawn = gateway.draw_review(&wanted, "ig-1", "complaint:7").await;
        drawn.map(|drawn| drawn.sample.into_iter().map(|(_, event)| event).collect::<Vec<EventId>>())
    };
    assert_eq!(only(Facet::Outcome, "refused").await.expect("one"), [refused]);
    assert_eq!(only(Facet::Rule, "R04").await.expect("one"), [refused]);
    assert_eq!(only(Facet::Outcome, "answered").await.expect("one"), [answered]);
    assert!(matches!(only(Facet::Agency, "hearth").await, Err(ReviewError::Size { .. })), "nothing to draw from");

    let drawn = draw_named(&home, &[refused]).await;
    assert_eq!(drawn.sample.iter().map(|(_, event)| *event).collect::<Vec<_>>(), [refused]);
    let nobody = EventId::new(uuid::Uuid::now_v7());
    let wanted = Draw { entries: vec![refused, nobody], ..all(Strategy::Targeted, 0) };
    assert!(matches!(gateway.draw_review(&wanted, "ig-1", "complaint:7").await, Err(ReviewError::Unknown)));
    let stranger = gateway.draw_review(&all(Strategy::Random, 5), "stranger", "x").await;
    assert!(matches!(stranger, Err(ReviewError::NotOfficer)));
    let past = Draw { until: Timestamp::from_micros(1), ..all(Strategy::Random, 5) };
    assert!(matches!(gateway.draw_review(&past, "ig-1", "x").await, Err(ReviewError::Size { .. })));
    home.stop().await;
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_emergency_joins_the_sample_by_itself_and_only_once(#[case] backend: Backend) {
    let home = ready(backend).await;
    let hub = home.agency("early-help-hub").await;
    ask(&hub, &KNOWN).await;
    let mut emergency = hub.question("areas", &KNOWN);
    emergency["relationship"] = "emergency".into();
    emergency["emergency"] = "child".into();
    let reply = hub.enquire(&emergency).await;
    assert_eq!(reply.status, 403, "a screener cannot claim an emergency, and the attempt is reviewed too: {reply:?}");
    let entry: EventId = reply.json()["disclosure"].as_str().expect("an entry").parse().expect("an event");
    home.wait_sequenced().await;

    let gateway = home.gateway();
    assert_eq!(gateway.sample_always_reviewed().await.expect("sampled"), 1);
    assert_eq!(gateway.sample_always_reviewed().await.expect("sampled"), 0);
    let reviews =
        gateway.store().reviews(&ReviewsWanted { limit: 10, ..ReviewsWanted::default() }).await.expect("some");
    assert_eq!(reviews.iter().map(|review| review.entry).collect::<Vec<_>>(), [entry]);
    assert_eq!(reviews[0].agency, Some(hub.code.clone()));
    assert_eq!(home.events("review.plan", "").await, 1);

    let plans = gateway.store().review_plans().await.expect("plans");
    assert!(gateway.repeat_draw(plans[0].event).await.expect("drawn again").is_same);
    let figures = gateway.review_figures(plans[0].event).await.expect("figures").figures;
    assert_eq!((figures.population, figures.sample, figures.reviewed, figures.error_rate), (1, 1, 0, None));
    home.stop().await;
}
