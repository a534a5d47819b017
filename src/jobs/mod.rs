//! What runs by itself beside the listeners: making submissions visible, sequencing the log, watching it, tidying.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::gateway::Gateway;
use crate::app::held_checkpoint::{self, HeldError};
use crate::app::possible_matches::propose::Pace;
use crate::app::sequence::Sequencer;
use crate::app::witness::witnessed_age;
use crate::crypto::field::fields_opened;
use crate::domain::alert::Kind;
use crate::domain::alert::rules::Thresholds;
use crate::store::{DatabaseWork, Store, StoreError};

/// How often a job looks for work that nobody announced (another replica's, or after a crash).
const LOOK: Duration = Duration::from_secs(2);
/// How long the sequencer gathers entries before it signs.
const GATHER: Duration = Duration::from_millis(200);
/// How long a failed job waits before it tries again.
const WAIT: Duration = Duration::from_secs(1);
/// How often the newest checkpoint is remembered.
const REMEMBER: Duration = Duration::from_secs(5);
/// How often the log's queue is measured.
const MEASURE: Duration = Duration::from_secs(10);
/// How often records are compared for possible matches. How much an agency is asked does not follow
/// from it: that is counted by the day.
const COMPARE: Duration = Duration::from_hours(6);
/// How often open recalls are taken further.
const RECALL: Duration = Duration::from_secs(5);
/// How often what was kept long enough is deleted.
const RETAIN: Duration = Duration::from_hours(6);
/// Who deletes it, in the log.
pub const RETENTION: &str = "retention-job";
/// How often what nobody needs is removed.
const TIDY: Duration = Duration::from_mins(1);

/// Makes staged submissions visible, one after the other.
pub async fn publish(gateway: Gateway, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        match gateway.publish_next().await {
            Ok(Some(_)) => {}
            Ok(None) => {
                tokio::select! {
                    () = gateway.publisher_woken() => {}
                    () = tokio::time::sleep(LOOK) => {}
                    () = shutdown.cancelled() => {}
                }
            }
            Err(error) => {
                tracing::error!(error = %error, "a submission could not be made visible; it is tried again");
                pause(&shutdown, WAIT).await;
            }
        }
    }
}

/// Sequences the log. `announced` wakes it early; without it the queue is looked at by itself.
pub async fn sequence(sequencer: Arc<Sequencer>, announced: Option<Gateway>, shutdown: CancellationToken) {
    loop {
        let is_last = shutdown.is_cancelled();
        match sequencer.drain().await {
            Ok(step) if step.added > 0 => {
                tracing::debug!(log.size = step.size, "the log grew");
            }
            Ok(_) => {}
            Err(error) => {
                tracing::error!(error = %error, "the log could not be sequenced; it is tried again");
                pause(&shutdown, WAIT).await;
            }
        }
        if is_last {
            return;
        }
        pause(&shutdown, GATHER).await;
        if let Some(gateway) = &announced {
            tokio::select! {
                () = gateway.sequencer_woken() => {}
                () = tokio::time::sleep(LOOK) => {}
                () = shutdown.cancelled() => {}
            }
        }
    }
}

/// Removes what nobody needs any more, and the pages of match runs after so many days.
pub async fn tidy(gateway: Gateway, match_run_days: u32, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        if let Err(error) = gateway.tidy().await {
            tracing::warn!(error = %error, "tidying did not finish; it goes on next time");
        }
        if let Err(error) = gateway.remove_old_run_pages(match_run_days).await {
            tracing::warn!(error = %error, "pages of old match runs could not be removed; they are tried again");
        }
        if let Err(error) = gateway.forget_alert_days().await {
            tracing::warn!(error = %error, "counts of old days could not be removed; they are tried again");
        }
        pause(&shutdown, TIDY).await;
    }
}

/// Puts what is always reviewed into the sample, and opens the alerts that are due.
pub async fn watch(gateway: Gateway, (rules, every): (Thresholds, Duration), shutdown: CancellationToken) {
    loop {
        pause(&shutdown, every).await;
        if shutdown.is_cancelled() {
            return;
        }
        match gateway.sample_always_reviewed().await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "disclosures that are always reviewed joined the sample"),
            Err(error) => tracing::warn!(error = %error, "the log could not be sampled; it is tried again"),
        }
        match gateway.watch_for_alerts(&rules).await {
            Ok(0) => {}
            Ok(count) => tracing::warn!(count, "alerts were opened: see `porth alerts list`"),
            Err(error) => tracing::warn!(error = %error, "the log could not be watched; it is tried again"),
        }
    }
}

/// Deletes what was kept long enough, and keeps outside the database what was erased.
pub async fn retain(gateway: Gateway, erased: PathBuf, shutdown: CancellationToken) {
    loop {
        pause(&shutdown, RETAIN).await;
        if shutdown.is_cancelled() {
            return;
        }
        match gateway.retain(RETENTION).await {
            Ok(ran) => tracing::info!(erased = ran.erased, held = ran.held, "what was kept long enough is deleted"),
            Err(error) => tracing::warn!(error = %error, "deletion did not finish; it goes on next time"),
        }
        if let Err(error) = gateway.follow_erasures(&erased, RETENTION).await {
            tracing::error!(error = %error, "what was erased could not be noted outside the database");
        }
    }
}

/// Whether the log in the database is the one that this machine remembers.
#[derive(Debug, Clone, Default)]
pub struct LogMemory(Arc<Mutex<Option<String>>>);

impl LogMemory {
    /// What is wrong at present, in words for the operator.
    pub fn trouble(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, trouble: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

/// Looks for possible matches and asks their holders.
pub async fn propose(gateway: Gateway, shutdown: CancellationToken) {
    loop {
        pause(&shutdown, COMPARE).await;
        if shutdown.is_cancelled() {
            return;
        }
        match gateway.propose_possible_matches(Pace::default()).await {
            Ok(found) => {
                tracing::info!(new = found.new, asked = found.asked, "records were compared for possible matches");
            }
            Err(error) => tracing::warn!(error = %error, "records could not be compared; that is tried again"),
        }
    }
}

/// Takes recalls further: looks through what the log got since, tells recipients, closes what everybody
/// acknowledged.
pub async fn recall(gateway: Gateway, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        if let Err(error) = gateway.further_recalls().await {
            tracing::warn!(error = %error, "a recall could not be taken further; it is tried again");
        }
        pause(&shutdown, RECALL).await;
    }
}

/// Remembers the newest checkpoint outside the database, and notices when the log falls behind it.
pub async fn remember_log(store: Store, path: PathBuf, memory: LogMemory, shutdown: CancellationToken) {
    loop {
        let is_last = shutdown.is_cancelled();
        match held_checkpoint::follow(&store, &path).await {
            Ok(()) => memory.note(None),
            Err(error @ (HeldError::Behind { .. } | HeldError::Fork { .. })) => {
                tracing::error!(error = %error, "the log is not the one that this machine remembers");
                metrics::counter!("porth_log_rollbacks_total").increment(1);
                memory.note(Some(error.to_string()));
            }
            Err(error) => tracing::warn!(error = %error, "the newest checkpoint could not be remembered"),
        }
        if is_last {
            return;
        }
        pause(&shutdown, REMEMBER).await;
    }
}

/// Measures what is only seen in the database: the queue of the log and the age of its checkpoint.
pub async fn measure(gateway: Gateway, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        if let Err(error) = measure_once(&gateway).await {
            tracing::warn!(error = %error, "the log's queue could not be measured");
        }
        pause(&shutdown, MEASURE).await;
    }
}

async fn measure_once(gateway: &Gateway) -> Result<(), StoreError> {
    let store = gateway.store();
    metrics::counter!("porth_database_statements").absolute(DatabaseWork::so_far().statements);
    metrics::counter!("porth_fields_opened").absolute(fields_opened());
    if let Some(witnesses) = gateway.witnesses() {
        metrics::gauge!("porth_log_witnesses").set(witnesses.numbers().0 as f64);
        let age = witnessed_age(store, witnesses, &gateway.names().log).await?;
        let age = age.map_or(f64::INFINITY, |age| age.as_secs_f64());
        metrics::gauge!("porth_log_witnessed_age_seconds").set(age);
    }
    metrics::gauge!("porth_log_pending").set(store.pending_count().await? as f64);
    let now = store.now().await?;
    if let Some((size, at, _)) = store.newest_checkpoint().await? {
        metrics::gauge!("porth_log_size").set(size as f64);
        let age = (now.as_micros() - at.as_micros()).max(0) as f64 / 1e6;
        metrics::gauge!("porth_log_checkpoint_age_seconds").set(age);
    }
    let open = store.open_alerts().await?;
    for kind in Kind::ALL {
        let count = open.iter().find(|(of, _, _)| of == kind.as_str()).map_or(0, |(_, count, _)| *count);
        metrics::gauge!("porth_alerts_open", "kind" => kind.as_str()).set(count as f64);
    }
    let (overdue, waiting) = store.reviews_waiting(now.as_seconds().div_euclid(86_400)).await?;
    metrics::gauge!("porth_reviews_overdue").set(overdue as f64);
    metrics::gauge!("porth_reviews_waiting").set(waiting as f64);
    Ok(())
}

async fn pause(shutdown: &CancellationToken, time: Duration) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        () = shutdown.cancelled() => {}
    }
}
