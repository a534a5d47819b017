//! The decision who may contribute what, with 50 agreements, beside bare evaluation of the same requests by
//! the rule engine; and its share of an enquiry when decisions are kept.

#![allow(clippy::print_stdout, missing_docs, reason = "a bench prints")]

mod support;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use porth::domain::agency::Agency;
use porth::domain::agreement::{Agreement, AgreementText, AnswerMode};
use porth::domain::ids::AgencyCode;
use porth::domain::programme::Programme;
use porth::domain::time::Timestamp;
use porth::policy::measure::Recorded;
use porth::policy::{DecisionCache, PolicyBook, RuleBook, SupplierFeed, Terms, contributors};

use support::fixtures::gateway::with_ceiling;
use support::fixtures::programme::{HUB_AREAS, TestProgramme, policy_files};
use support::{Backend, CEILING, Flags, rate, say, say_ratio};

/// A day on which the example agreements are in force.
const NOW: &str = "2026-11-21T10:00:00Z";

fn main() {
    let flags = Flags::read(&[
        ("agreements", "agreements in the book (50)"),
        ("enquiries", "enquiries whose CPU time is measured (4000)"),
    ]);
    let agreements = flags.number("agreements", 50);
    println!("{agreements} agreements");
    let book = book(agreements);
    let (questions, feeds) = (questions(&book), feeds(&book));
    let kept = decisions(&book, &questions, &feeds);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(share(flags.number("enquiries", 4000), kept));
}

/// The example programme with so many agreements: those of the examples, and the same under other names.
fn book(agreements: usize) -> PolicyBook {
    let files = policy_files();
    let programme = Programme::parse(&files.programme).expect("the example programme");
    let agencies = files.agencies.iter().map(|file| Agency::parse(file).expect("an example agency"));
    let texts: Vec<String> =
        files.agreements.iter().map(|text| String::from_utf8(text.clone()).expect("text")).collect();
    let named = |number: usize| {
        let text = &texts[number % texts.len()];
        match number / texts.len() {
            0 => text.clone(),
            copy => text.replacen("id = \"", &format!("id = \"copy-{copy}-"), 1),
        }
    };
    let agreements = (0..agreements).map(|number| {
        let text = AgreementText::parse(named(number).as_bytes()).unwrap_or_else(|faults| panic!("{faults}"));
        Agreement::in_force(Arc::new(text))
    });
    let rules = Arc::new(RuleBook::shipped().expect("valid"));
    PolicyBook::new(Arc::new(programme), agencies, agreements, rules, 1).expect("consistent")
}

/// One submission of each feed, under the first agreement that has a term of its supplier.
fn feeds(book: &PolicyBook) -> Vec<SupplierFeed> {
    let under = |supplier: &AgencyCode| {
        let mut all = book.agreements();
        all.find(|agreement| agreement.text.supplies().iter().any(|term| term.supplier == *supplier))
    };
    let feed = |feed: &porth::domain::programme::Feed| {
        let agreement = under(&feed.agency)?.text.reference().clone();
        Some(SupplierFeed { supplier: feed.agency.clone(), feed: feed.code.clone(), agreement })
    };
    book.programme().feeds().iter().filter_map(feed).collect()
}

/// Every purpose and form of every clause, as its first role asks.
fn questions(book: &PolicyBook) -> Vec<Terms> {
    let mut questions = Vec::new();
    for text in book.agreements().map(|agreement| &agreement.text) {
        for clause in text.receives() {
            for purpose in &clause.purposes {
                let Some(known) = book.programme().purpose(purpose).filter(|known| !known.statistical) else {
                    continue;
                };
                let modes: Vec<AnswerMode> = clause.modes.iter().copied().collect();
                questions.extend(modes.into_iter().map(|mode| Terms {
                    recipient: clause.recipient.clone(),
                    agreement: text.reference().clone(),
                    purpose: purpose.clone(),
                    mode,
                    role: clause.roles.first().expect("has a role").clone(),
                    relationship: *known.relationships.first().expect("has a relationship"),
                }));
            }
        }
    }
    questions
}

/// Both sides in turns, the best round of each; returns the seconds that a kept decision takes.
fn decisions(book: &PolicyBook, questions: &[Terms], feeds: &[SupplierFeed]) -> f64 {
    let now: Timestamp = NOW.parse().expect("a time");
    let mut recorded = Recorded::default();
    for terms in questions {
        recorded.record(book, terms, feeds, now);
    }
    println!("  {} questions, {} requests to the rules", questions.len(), recorded.len());
    let mut cache = DecisionCache::new(questions.len());
    let [mut bare, mut whole, mut kept] = [0.0_f64; 3];
    for _ in 0..7 {
        bare = bare.max(best(recorded.len(), || {
            black_box(recorded.evaluate(book));
        }));
        whole = whole.max(best(recorded.len(), || {
            for terms in questions {
                drop(black_box(contributors(book, terms, feeds, now)));
            }
        }));
        kept = kept.max(best(questions.len(), || {
            for terms in questions {
                drop(black_box(cache.contributors(book, terms, feeds, now)));
            }
        }));
    }
    say("requests a second and core, evaluated bare", bare, "/s");
    say("the same as part of decisions: facts, schema check, set", whole, "/s");
    say_ratio("decisions, of bare evaluation", whole / bare, 0.4);
    say("whole decisions a second and core", whole * questions.len() as f64 / recorded.len() as f64, "/s");
    say("kept decisions a second and core", kept, "/s");
    1.0 / kept
}

fn best(count: usize, mut work: impl FnMut()) -> f64 {
    let (started, mut rounds) = (Instant::now(), 0);
    while started.elapsed() < Duration::from_millis(400) {
        work();
        rounds += 1;
    }
    rate(count * rounds, started.elapsed())
}

/// The CPU time of enquiries in process, and what part of it finding a kept decision is.
async fn share(enquiries: usize, kept_seconds: f64) {
    let mut files = policy_files();
    files.agreements.iter_mut().for_each(|text| *text = with_ceiling(text, CEILING));
    let programme = TestProgramme::start_with(Backend::Sqlite, files).await;
    let ask = async || {
        let answer = programme.ask(HUB_AREAS, &[("nhs", "9990000018"), ("k3", "child")], &[]).await;
        answer.expect("permitted");
    };
    for _ in 0..100 {
        ask().await;
    }
    let before = cpu_seconds();
    for _ in 0..enquiries {
        ask().await;
    }
    let each = (cpu_seconds() - before) / enquiries as f64;
    say("CPU time of an enquiry in process, writer included", each * 1e6, "µs");
    say("of which the kept decision", kept_seconds * 1e6, "µs");
    let share = kept_seconds / each;
    let verdict = if share < 0.1 { "meets" } else { "MISSES" };
    println!("  {:<64} {:>11.1}%  {verdict} the target of under 10%", "share of the decision", share * 100.0);
}

/// User and system time of this process so far.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let (_, fields) = stat.rsplit_once(')').expect("the name in brackets");
    let ticks: f64 =
        fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<f64>().expect("a number")).sum();
    ticks / 100.0 // the kernel's clock ticks in user space, on every architecture that we know
}
