//! The writer: the one task that makes log entries durable, many in one commit.
//!
//! A handler hands over finished entries and waits. The task is detached: a caller that hangs up
//! cannot cancel a commit. Answers leave together, on the writer's tick, so that how long the work
//! before it took shows less in when an answer arrives.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::domain::ids::{EventId, ProgrammeCode};
use crate::store::{CeilingKey, Engagement, KeptReply, NewEvent, Store, StoreError, StoredEmergency, Tx};

/// Most disclosures in one commit.
const MOST: usize = 500;
/// Batches leave on a grid of this step, counted from the start of the process.
const TICK: Duration = Duration::from_millis(10);
/// How many may wait before callers are told to come back.
const QUEUE: usize = 8192;

/// The state that a disclosure was decided on: policy revision and generation.
pub type DecidedOn = (i64, i64);

/// What a handler hands over: what to write if the ceilings allow it, and what if they do not.
#[derive(Debug)]
pub struct Disclosure {
    /// The entry of the answer, or of the refusal that was decided.
    pub entry: NewEvent,
    /// What it was decided on: nothing is written, and nothing leaves, when that has passed.
    pub decided_on: (ProgrammeCode, DecidedOn),
    /// Counters that this enquiry charges once each, with their limits; and the entry that is written
    /// instead when one of them is used up.
    pub ceilings: Vec<(CeilingKey, i64)>,
    /// See `ceilings`; needed when there are any.
    pub over_ceiling: Option<NewEvent>,
    /// The reply to keep for a caller who repeats the request.
    pub reply: Option<KeptReply>,
    /// The engagement that the entry records, if it does.
    pub engagement: Option<Engagement>,
    /// The emergency that the entry records, if it does: kept until somebody reviewed it.
    pub emergency: Option<StoredEmergency>,
}

/// What became durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// The entry.
    Entry,
    /// The entry of the used-up ceiling.
    OverCeiling,
    /// Nothing: an agreement, a shield or a feed changed since it was decided. Decide anew.
    Outdated,
    /// The entry; but a request with the same idempotency key was first, and its reply holds.
    Repeated,
}

type Ack = oneshot::Sender<Result<Written, StoreError>>;

/// A handle on the writer task.
#[derive(Clone)]
pub struct Writer {
    queue: mpsc::Sender<(Disclosure, Ack)>,
}

impl Writer {
    /// Starts the task. It ends when the last handle is gone and everything queued is written.
    pub fn start(store: Store) -> (Self, tokio::task::JoinHandle<()>) {
        let (queue, waiting) = mpsc::channel(QUEUE);
        (Self { queue }, tokio::spawn(run(store, waiting)))
    }

    /// Makes a disclosure durable. Only after `Ok` may anything leave the building.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; release nothing then, the commit's outcome may be unknown.
    pub async fn commit(&self, disclosure: Disclosure) -> Result<Written, StoreError> {
        let (ack, done) = oneshot::channel();
        let full = |_| StoreError::Unavailable("the writer's queue is full".to_owned());
        self.queue.try_send((disclosure, ack)).map_err(full)?;
        done.await.map_err(|_| StoreError::Unavailable("the writer stopped".to_owned()))?
    }
}

async fn run(store: Store, mut waiting: mpsc::Receiver<(Disclosure, Ack)>) {
    let mut batch = Vec::with_capacity(MOST);
    let start = Instant::now();
    while waiting.recv_many(&mut batch, MOST).await > 0 {
        let steps = start.elapsed().as_nanos() / TICK.as_nanos() + 1;
        let tick = start + TICK * u32::try_from(steps).unwrap_or(u32::MAX);
        while batch.len() < MOST {
            let room = MOST - batch.len();
            match tokio::time::timeout_at(tick, waiting.recv_many(&mut batch, room)).await {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
        let (disclosures, acks): (Vec<Disclosure>, Vec<Ack>) = batch.drain(..).unzip();
        metrics::histogram!("porth_writer_batch").record(disclosures.len() as f64);
        let written = write_or_split(&store, &disclosures).await;
        for (ack, result) in acks.into_iter().zip(written) {
            // The caller may be gone; the entry stays.
            let _ = ack.send(result);
        }
    }
}

/// Writes a batch; when one of it cannot be written for its own reasons, each is tried alone, so that
/// one bad entry does not take the others down.
async fn write_or_split(store: &Store, batch: &[Disclosure]) -> Vec<Result<Written, StoreError>> {
    match write(store, batch).await {
        Ok(written) => written.into_iter().map(Ok).collect(),
        Err(StoreError::Conflict(_) | StoreError::Other(_)) if batch.len() > 1 => {
            let mut results = Vec::with_capacity(batch.len());
            for one in batch.chunks(1) {
                results.push(write(store, one).await.map(|written| written[0]));
            }
            results
        }
        Err(error) => {
            tracing::error!(error = %error, entries = batch.len(), "disclosures could not be written; nothing was released");
            batch.iter().map(|_| Err(error.clone())).collect()
        }
    }
}

async fn write(store: &Store, batch: &[Disclosure]) -> Result<Vec<Written>, StoreError> {
    let mut tx = store.begin().await?;
    let outdated = outdated(&mut tx, batch).await?;
    let mut written = charge(&mut tx, batch, &outdated).await?;
    let entries: Vec<&NewEvent> = batch
        .iter()
        .zip(&written)
        .filter(|(_, written)| **written != Written::Outdated)
        .map(|(disclosure, written)| match (written, &disclosure.over_ceiling) {
            (Written::OverCeiling, Some(refusal)) => refusal,
            _ => &disclosure.entry,
        })
        .collect();
    tx.add_events(&entries).await?;
    let is_answered = |(_, written): &(&Disclosure, &Written)| **written == Written::Entry;
    let replies: Vec<&KeptReply> = batch
        .iter()
        .zip(&written)
        .filter(is_answered)
        .filter_map(|(disclosure, _)| disclosure.reply.as_ref())
        .collect();
    let kept: HashSet<EventId> = tx.add_replies(&replies).await?.into_iter().collect();
    for (disclosure, written) in batch.iter().zip(&mut written) {
        let was_first = disclosure.reply.as_ref().is_none_or(|reply| kept.contains(&reply.reply.event));
        if *written == Written::Entry && !was_first {
            *written = Written::Repeated;
        }
        if let (Written::Entry, Some(engagement)) = (&written, &disclosure.engagement) {
            tx.add_engagement(engagement).await?;
        }
        if let (Written::Entry | Written::Repeated, Some(emergency)) = (&written, &disclosure.emergency) {
            tx.add_emergency(&disclosure.decided_on.0, emergency).await?;
        }
    }
    tx.commit().await?;
    Ok(written)
}

/// Which disclosures were decided on a state that has passed meanwhile.
async fn outdated(tx: &mut Tx, batch: &[Disclosure]) -> Result<Vec<bool>, StoreError> {
    let mut present: BTreeMap<&ProgrammeCode, Option<DecidedOn>> = BTreeMap::new();
    for disclosure in batch {
        let programme = &disclosure.decided_on.0;
        if !present.contains_key(programme) {
            present.insert(programme, tx.decided_on(programme).await?);
        }
    }
    Ok(batch.iter().map(|disclosure| present[&disclosure.decided_on.0] != Some(disclosure.decided_on.1)).collect())
}

/// Charges every ceiling of the batch at once, in the order of their keys, then hands out what there
/// is in the order of arrival and takes the rest back.
async fn charge(tx: &mut Tx, batch: &[Disclosure], outdated: &[bool]) -> Result<Vec<Written>, StoreError> {
    let mut asked: BTreeMap<&CeilingKey, i64> = BTreeMap::new();
    let current = batch.iter().zip(outdated).filter(|(_, outdated)| !**outdated);
    for (key, _) in current.flat_map(|(disclosure, _)| &disclosure.ceilings) {
        *asked.entry(key).or_default() += 1;
    }
    let mut used: BTreeMap<&CeilingKey, i64> = BTreeMap::new();
    for (key, count) in &asked {
        used.insert(key, tx.charge(key, *count).await?);
    }
    let before = used.clone();
    let mut written = Vec::with_capacity(batch.len());
    for (disclosure, outdated) in batch.iter().zip(outdated) {
        if *outdated {
            written.push(Written::Outdated);
            continue;
        }
        let has_room = disclosure.ceilings.iter().all(|(key, limit)| used.get(key).is_some_and(|used| used < limit));
        if has_room {
            for (key, _) in &disclosure.ceilings {
                *used.entry(key).or_default() += 1;
            }
        }
        written.push(if has_room || disclosure.over_ceiling.is_none() { Written::Entry } else { Written::OverCeiling });
    }
    for (key, count) in asked {
        let surplus = count - (used[key] - before[key]);
        if surplus > 0 {
            tx.refund(key, surplus).await?;
        }
    }
    Ok(written)
}
