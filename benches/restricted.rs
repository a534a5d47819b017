//! What somebody learns who asks about people and looks at the clock: the time of an answer about a person
//! whom an agency shields, beside that about a person whom nobody knows, over TLS on one connection.

#![allow(clippy::print_stdout, missing_docs, reason = "a bench prints")]

mod support;

use std::time::Duration;

use bytes::Bytes;

use support::clients::Caller;
use support::people::{ATTENDANCE, CASES, People, TENANCIES};
use support::{Backend, Flags, say};

fn main() {
    let flags = Flags::read(&[
        ("engine", "sqlite or postgres; both unless given"),
        ("records", "records held beside those of the shielded people (10000)"),
        ("people", "shielded people, and as many unknown ones (200)"),
        ("questions", "questions about each kind of person (5000)"),
    ]);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    for backend in flags.engines() {
        runtime.block_on(measure(backend, &flags));
    }
}

async fn measure(backend: Backend, flags: &Flags) {
    let records = flags.number("records", 10_000) as u64;
    let (people, questions) = (flags.number("people", 200) as u64, flags.number("questions", 5000));
    println!("{backend:?}, {records} records held, {people} people shielded, {questions} questions about each kind");
    let home = support::gateway(backend).await;
    let invented = People::new(&home.linkage);
    for feed in [ATTENDANCE, CASES] {
        invented.load(&home, feed, records / 2).await;
    }
    // Each of them is in two feeds, and a third agency shields them.
    let step = (records / 2 / people).max(1);
    let shielded: Vec<u64> = (0..people).map(|n| n * step).collect();
    invented.load_restricted(&home, TENANCIES, &shielded).await;
    let about = |numbers: &mut dyn Iterator<Item = u64>| numbers.map(|n| invented.question(n)).collect::<Vec<Bytes>>();
    let shielded = about(&mut shielded.iter().copied());
    let unknown = about(&mut (0..people).map(|n| records * 10 + n));

    let hub = home.agency("early-help-hub").await;
    let (mut caller, agencies) = (Caller::new(&hub).await, home.running.agencies);
    let mut connection = caller.connect(agencies).await;
    for n in 0..500 {
        caller.time(&mut connection, &shielded[n % shielded.len()]).await;
        caller.time(&mut connection, &unknown[n % unknown.len()]).await;
    }
    let (mut of_shielded, mut of_unknown) = (Vec::new(), Vec::new());
    let mut random = 20_261_122u64;
    for n in 0..questions {
        if n % 2000 == 1999 {
            caller = Caller::new(&hub).await; // before the access token ends
            connection = caller.connect(agencies).await;
            caller.time(&mut connection, &unknown[0]).await;
        }
        // Which of the two goes first is drawn, so that what drifts falls on both.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let shielded_first = random >> 63 == 0;
        for is_shielded in [shielded_first, !shielded_first] {
            let questions = if is_shielded { &shielded } else { &unknown };
            let took = caller.time(&mut connection, &questions[n % questions.len()]).await;
            let times = if is_shielded { &mut of_shielded } else { &mut of_unknown };
            times.push(micros(took));
        }
    }
    home.stop().await;
    report(&mut of_shielded, &mut of_unknown);
}

fn micros(took: Duration) -> f64 {
    took.as_secs_f64() * 1e6
}

fn report(shielded: &mut [f64], unknown: &mut [f64]) {
    let pairs: Vec<f64> = shielded.iter().zip(unknown.iter()).map(|(a, b)| a - b).collect();
    let (difference, error) = mean_and_error(&pairs);
    let (auc, auc_error) = auc(shielded, unknown);
    shielded.sort_unstable_by(f64::total_cmp);
    unknown.sort_unstable_by(f64::total_cmp);
    let middle = |times: &[f64]| times[times.len() / 2];
    say("p50, shielded", middle(shielded) / 1e3, "ms");
    say("p50, unknown", middle(unknown) / 1e3, "ms");
    say("mean difference, shielded less unknown", difference, "us");
    println!("    95% interval {:.1} to {:.1} us", difference - 1.96 * error, difference + 1.96 * error);
    say("AUC of an attacker who sees one answer's time (0.5: nothing)", auc, "");
    println!("    95% interval {:.4} to {:.4}", auc - 1.96 * auc_error, auc + 1.96 * auc_error);
}

fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, (variance / count).sqrt())
}

/// How often an answer about a shielded person takes longer than one about an unknown person, ties by
/// half; with its standard error after Hanley and McNeil (Radiology 143, 1982).
fn auc(shielded: &[f64], unknown: &[f64]) -> (f64, f64) {
    let mut sorted = unknown.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let wins: f64 = shielded
        .iter()
        .map(|time| {
            let below = sorted.partition_point(|other| other < time);
            let not_above = sorted.partition_point(|other| other <= time);
            (below + not_above) as f64 / 2.0
        })
        .sum();
    let (n, m) = (shielded.len() as f64, unknown.len() as f64);
    let auc = wins / (n * m);
    let (q1, q2) = (auc / (2.0 - auc), 2.0 * auc * auc / (1.0 + auc));
    let variance = (auc * (1.0 - auc) + (n - 1.0) * (q1 - auc * auc) + (m - 1.0) * (q2 - auc * auc)) / (n * m);
    (auc, variance.max(0.0).sqrt())
}
