//! Linking as submissions land: the order of arrival decides nothing, and a crash half way leaves nothing.

use std::collections::{BTreeMap, BTreeSet};

use porth::app::caller::AgencyCaller;
use porth::domain::time::Timestamp;
use porth::store::Turnover;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::database::Backend;
use crate::support::programme::{TestProgramme, opaque};

/// Feeds that the shipped agreements let in.
const FEEDS: [(&str, &str, &str); 5] = [
    ("education", "attendance", "early-help-core/v1"),
    ("childrens-social-care", "cases", "early-help-core/v1"),
    ("youth-justice", "orders", "early-help-core/v1"),
    ("housing", "tenancies", "early-help-core/v1"),
    ("police", "outcomes", "safeguarding-partners/v1"),
];

/// A small generator with a seed: the same records in every run of a case.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        // xorshift64*: good enough to mix records, and no dependency.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % sides
    }
}

/// Rows of one feed about a dozen people: some with a number, some with a wrong one, some restricted.
fn rows(programme: &TestProgramme, dice: &mut Dice, count: u32) -> Vec<Value> {
    (0..count)
        .map(|reference| {
            let person = dice.roll(12);
            let mut tokens: Vec<(&str, String)> = Vec::new();
            if dice.roll(3) > 0 {
                let number = if dice.roll(8) == 0 { dice.roll(12) } else { person };
                tokens.push(("nhs", format!("999000{number:04}")));
            }
            if dice.roll(3) > 0 {
                tokens.push(("k3", format!("name and date {person}")));
            }
            if dice.roll(4) == 0 {
                tokens.push(("upn", format!("upn {person}")));
            }
            if tokens.is_empty() {
                tokens.push(("k4", format!("name, date and home {person}")));
            }
            let borrowed: Vec<(&str, &str)> = tokens.iter().map(|(kind, value)| (*kind, value.as_str())).collect();
            programme.row(reference, &borrowed, json!({ "restricted": dice.roll(15) == 0 }))
        })
        .collect()
}

/// Which records are one component, which one person, and which a shield reaches: by name, not by id.
pub(super) type Picture = (BTreeSet<BTreeSet<String>>, BTreeSet<BTreeSet<String>>, BTreeSet<String>);

pub(super) async fn picture(programme: &TestProgramme) -> Picture {
    let store = programme.gateway.store();
    let view = store.view(&programme.code).await.expect("a view").expect("a programme");
    let (mut components, mut persons, mut shielded) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
    for member in store.visible_links(&programme.code, view.generation, 0, 10_000).await.expect("links") {
        let name = format!("{}/{}/{}", member.record.agency, member.record.feed, member.record.reference.as_str());
        components.entry(member.link.component).or_insert_with(BTreeSet::new).insert(name.clone());
        persons.entry(member.link.person).or_insert_with(BTreeSet::new).insert(name.clone());
        if member.link.is_shielded {
            shielded.insert(name);
        }
    }
    (components.into_values().collect(), persons.into_values().collect(), shielded)
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn links_do_not_depend_on_the_order_in_which_feeds_arrive(#[case] backend: Backend) {
    for seed in [3, 17] {
        let mut pictures = Vec::new();
        // The same final snapshots, in different orders, some of them replacing earlier ones.
        for order in [[0, 1, 2, 3, 4], [4, 2, 0, 3, 1], [1, 3, 4, 0, 2]] {
            let programme = TestProgramme::start(backend).await;
            for (turn, feed) in order.into_iter().enumerate() {
                let (agency, code, agreement) = FEEDS[feed];
                if turn % 2 == 1 {
                    let mut dice = Dice(seed * 1000 + turn as u64 + 1);
                    let earlier = rows(&programme, &mut dice, 9);
                    programme.deliver(agency, code, agreement, &earlier).await;
                }
                let mut dice = Dice(seed * 100 + feed as u64 + 1);
                let last = rows(&programme, &mut dice, 14);
                programme.deliver(agency, code, agreement, &last).await;
            }
            pictures.push(picture(&programme).await);
        }
        assert!(pictures[0].0.len() > 3 && pictures[0].1.len() > 5 && !pictures[0].2.is_empty());
        assert_eq!(pictures[0], pictures[1], "seed {seed}");
        assert_eq!(pictures[0], pictures[2], "seed {seed}");
    }
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_publisher_that_died_half_way_leaves_nothing_behind(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let mut dice = Dice(5);
    let (agency, feed, agreement) = FEEDS[0];
    programme.deliver(agency, feed, agreement, &rows(&programme, &mut dice, 10)).await;
    let before = picture(&programme).await;

    // Another submission is staged, and a publisher claims it, ends every link row, adds one, and dies.
    let (agency, feed, agreement) = FEEDS[1];
    let header = programme.header(agency, feed, agreement).await;
    let received = programme.submit(&header, &rows(&programme, &mut dice, 10)).await.expect("taken");
    let store = programme.gateway.store();
    let view = store.view(&programme.code).await.expect("a view").expect("a programme");
    let links: Vec<_> = store
        .visible_links(&programme.code, view.generation, 0, 100)
        .await
        .expect("links")
        .into_iter()
        .map(|member| (member.record.id, member.link))
        .collect();
    let mut tx = store.begin().await.expect("a transaction");
    let now = tx.now().await.expect("the clock");
    let long_ago = Timestamp::from_micros(1);
    let claim = tx.claim_generation([1; 16], &programme.code, received.id, now, long_ago).await.expect("a claim");
    tx.write_links(&claim.expect("free"), &links).await.expect("written");
    tx.commit().await.expect("committed");
    assert_eq!(picture(&programme).await, before, "nobody sees a half-made generation");

    programme.publish().await;
    let after = picture(&programme).await;
    let fresh = TestProgramme::start(backend).await;
    let mut dice = Dice(5);
    for (agency, feed, agreement) in [FEEDS[0], FEEDS[1]] {
        fresh.deliver(agency, feed, agreement, &rows(&fresh, &mut dice, 10)).await;
    }
    assert_eq!(after, picture(&fresh).await, "as if nobody had died");
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn a_file_that_is_cut_off_or_bad_changes_nothing(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let (agency, feed, agreement) = FEEDS[0];
    let mut dice = Dice(9);
    programme.deliver(agency, feed, agreement, &rows(&programme, &mut dice, 10)).await;
    let before = picture(&programme).await;
    let header = programme.header(agency, feed, agreement).await;
    let good = programme.row(1, &[("nhs", "9990000018")], json!({}));
    let caller = AgencyCaller { agency: agency.parse().expect("a code"), client: "test".to_owned() };

    // Cut off between two rows: no end line.
    let begun = programme.gateway.begin_submission(&caller, header.to_string().as_bytes()).await;
    let mut submission = begun.expect("a good header");
    submission.push(good.to_string().into()).await.expect("staged later");
    assert_eq!(
        submission.finish().await.expect_err("no end line").to_string(),
        "the file is incomplete: its end line is missing or counts other rows"
    );

    // One bad row of all or nothing; a repeated reference; a value in clear.
    let mut clear = good.clone();
    clear["tokens"]["1"]["nhs"] = json!(["9434765919"]);
    for bad in [vec![good.clone(), good.clone()], vec![good.clone(), clear.clone()]] {
        let refused = programme.submit(&header, &bad).await.expect_err("all or nothing");
        assert!(!refused.to_string().contains("9434765919"));
    }
    programme.publish().await;
    assert_eq!(picture(&programme).await, before);

    // Good rows land, the bad one is listed by row and code.
    let mut lenient = header.clone();
    lenient["rows"] = json!("good_rows");
    let mut other = good.clone();
    other["ref"] = json!(opaque(2));
    let received = programme.submit(&lenient, &[good.clone(), clear, other, good]).await.expect("two good rows");
    programme.publish().await;
    let stored = programme.gateway.store().submission(received.id).await.expect("stored").expect("there");
    assert_eq!((stored.rows_read, stored.rows_accepted, stored.rows_rejected), (4, 2, 2));
    let errors = programme.gateway.store().row_errors(received.id, 0, 100).await.expect("errors");
    let told: Vec<(i64, &str)> = errors.iter().map(|error| (error.row, error.code.as_str())).collect();
    assert_eq!(told, [(3, "token.malformed"), (5, "row.duplicate_ref")]);
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn two_replicas_never_hold_one_submission_at_a_time(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let mut dice = Dice(11);
    let (agency, feed, agreement) = FEEDS[0];
    let header = programme.header(agency, feed, agreement).await;
    let received = programme.submit(&header, &rows(&programme, &mut dice, 10)).await.expect("taken");
    let store = programme.gateway.store();
    let claim = async |id: [u8; 16]| {
        let mut tx = store.begin().await.expect("a transaction");
        let now = tx.now().await.expect("the clock");
        let claim = tx.claim_generation(id, &programme.code, received.id, now, now.plus_seconds(60)).await;
        tx.commit().await.expect("committed");
        claim.expect("the database answers")
    };
    let first = claim([1; 16]).await.expect("free");
    assert!(claim([2; 16]).await.is_none(), "the first is alive");
    assert!(programme.gateway.publish_next().await.expect("no fault").is_none(), "nor may a third publish it");

    // Shown before its links are written, it would answer nobody and shield nobody: refused.
    let mut tx = store.begin().await.expect("a transaction");
    let now = tx.now().await.expect("the clock");
    tx.mark_publishing(received.id).await.expect("marked");
    let turnover = Turnover { arriving: Some(received.id), ..Turnover::default() };
    assert!(tx.advance_generation(&first, &turnover, now).await.is_err());
}

#[rstest]
#[case::sqlite(Backend::Sqlite)]
#[case::postgres(Backend::Postgres)]
#[tokio::test]
async fn an_older_day_that_was_slow_to_arrive_never_replaces_a_newer_one(#[case] backend: Backend) {
    let programme = TestProgramme::start(backend).await;
    let (agency, feed, agreement) = FEEDS[0];
    let mut older = programme.header(agency, feed, agreement).await;
    let yesterday = programme.today().await - jiff::Span::new().days(1);
    older["as_at"] = json!(yesterday.to_string());
    let newer = programme.header(agency, feed, agreement).await;
    let row = |number: u32| programme.row(number, &[("nhs", &format!("999000{number:04}"))], json!({}));

    let caller = AgencyCaller { agency: agency.parse().expect("a code"), client: "test".to_owned() };
    let begun = programme.gateway.begin_submission(&caller, older.to_string().as_bytes()).await;
    let mut slow = begun.expect("nothing newer is visible yet");
    let fast = programme.submit(&newer, &[row(2)]).await.expect("taken");
    programme.publish().await;
    slow.push(row(1).to_string().into()).await.expect("it goes on arriving");
    slow.push(json!({ "end": 1 }).to_string().into()).await.expect("to its end");
    let late = slow.finish().await.expect("whole");
    assert!(programme.gateway.publish_next().await.is_err(), "it may not replace the newer day");

    let store = programme.gateway.store();
    let state = async |id| store.submission(id).await.expect("stored").expect("there");
    assert_eq!(state(fast.id).await.state.as_str(), "visible");
    let late = state(late.id).await;
    assert_eq!((late.state.as_str(), late.failure.as_deref()), ("failed", Some("file.older")));
    assert!(programme.gateway.publish_next().await.expect("nothing holds others up").is_none());
}
