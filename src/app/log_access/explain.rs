//! One entry is read: its exact text, its proof, what it rests on, and what it says in words.

mod ground;
pub mod history;
mod names;
mod words;

use serde::Serialize;

use self::ground::Ground;

use super::super::caller::AgencyCaller;
use super::super::error::AppError;
use super::super::gateway::Gateway;
use super::super::proof::ProvedEntry;
use super::{Grounds, LogAccessError, Logged, MOST_TRIES, Seen};
use crate::domain::ids::EventId;
use crate::store::StoreError;
use crate::tlog::digest::Digest;
use crate::tlog::entry::{Body, Decision, Entry, EntryError, Outcome};

/// An entry as an auditor reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRead {
    /// The entry of the look itself.
    pub logged: Logged,
    /// The entry with its proof.
    pub proved: ProvedEntry,
    /// Its index; `None` while it waits for its place.
    pub index: Option<u64>,
    /// The texts that it names by their hashes.
    pub texts: Vec<TextNamed>,
    /// What it says, in words.
    pub sentences: Vec<String>,
}

/// A text that an entry names by its hash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct TextNamed {
    /// What it is: `agreement`, `programme`, `match_keys`, `rules` or `agencies`.
    pub kind: &'static str,
    /// Its SHA-256, hexadecimal.
    pub sha256: String,
    /// Whether the gateway has it. Rules and agencies' files are several, and are looked for by a replay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_there: Option<bool>,
}

/// What entries that decide something have in common.
pub(super) struct Decided<'a> {
    pub(super) agreement_sha256: Option<&'a Digest>,
    pub(super) rules_sha256: &'a Digest,
    pub(super) programme_sha256: &'a Digest,
    pub(super) agencies_sha256: &'a Digest,
    pub(super) outcome: &'a Outcome,
    pub(super) decisions: &'a [Decision],
}

/// The decision that an entry records, where it records one that can be made again.
pub(super) fn decided(body: &Body) -> Option<Decided<'_>> {
    macro_rules! of {
        ($body:expr) => {
            Some(Decided {
                agreement_sha256: $body.agreement_sha256.as_ref(),
                rules_sha256: &$body.rules_sha256,
                programme_sha256: &$body.programme_sha256,
                agencies_sha256: &$body.agencies_sha256,
                outcome: &$body.outcome,
                decisions: &$body.decisions,
            })
        };
    }
    match body {
        Body::Enquiry(enquiry) | Body::FamilyDisclosure(enquiry) => of!(enquiry),
        Body::Statistics(table) => of!(table),
        Body::MatchView(view) => of!(view),
        Body::MatchRun(run) => of!(run),
        Body::MatchRunStep(step) => {
            let ground = step.ground.as_ref()?;
            Some(Decided {
                agreement_sha256: step.agreement_sha256.as_ref(),
                rules_sha256: &step.rules_sha256,
                programme_sha256: &ground.programme_sha256,
                agencies_sha256: &ground.agencies_sha256,
                outcome: &step.outcome,
                decisions: &step.decisions,
            })
        }
        _ => None,
    }
}

impl Gateway {
    /// Reads one entry. It leaves once the look itself is in the log.
    ///
    /// # Errors
    ///
    /// [`LogAccessError`]; refusals by agreement are in the log too.
    pub async fn read_log_entry(
        &self,
        caller: &AgencyCaller,
        grounds: &Grounds,
        event: EventId,
    ) -> Result<EntryRead, LogAccessError> {
        for _ in 0..MOST_TRIES {
            let look = self.decide_look(caller, grounds).await?;
            let mut read = None;
            if look.decided.is_ok() {
                read = match self.explained(event).await {
                    Err(LogAccessError::Unknown) => None,
                    read => Some(read?),
                };
                if read.is_none() {
                    if self.log_look(&look, &Seen::of_nothing("read")).await?.is_none() {
                        continue;
                    }
                    return Err(LogAccessError::Unknown);
                }
            }
            let index = read.as_ref().and_then(|(_, index, _, _)| *index);
            let seen = match &read {
                Some(_) => Seen::of_entry("read", event, index),
                None => Seen::of_nothing("read"),
            };
            let Some(logged) = self.log_look(&look, &seen).await? else { continue };
            let Some((proved, index, texts, sentences)) = read else { break };
            return Ok(EntryRead { logged, proved, index, texts, sentences });
        }
        Err(AppError::Interrupted.into())
    }

    async fn explained(
        &self,
        event: EventId,
    ) -> Result<(ProvedEntry, Option<u64>, Vec<TextNamed>, Vec<String>), LogAccessError> {
        let proved = self.prove_entry(event).await?.ok_or(LogAccessError::Unknown)?;
        let index = self.store().leaf_index(event).await?;
        let entry = match Entry::parse(proved.entry.as_bytes()) {
            Ok(entry) => entry,
            Err(EntryError::UnknownType) => return Ok((proved, index, Vec::new(), Vec::new())),
            Err(_) => return Err(StoreError::Corrupt("a log entry").into()),
        };
        let (texts, mut sentences) = if let Some(ground) = Ground::of(entry.body()) {
            (self.texts_of(&ground).await?, self.decision_in_words(&entry, &ground).await?)
        } else {
            let (at, kind) = (entry.at(), entry.body().kind());
            (Vec::new(), vec![entry.body().in_words(), format!("That was at {at}; the type is {kind}.")])
        };
        sentences.extend(self.what_became_of(event, entry.body()).await?);
        Ok((proved, index, texts, sentences))
    }

    async fn texts_of(&self, ground: &Ground<'_>) -> Result<Vec<TextNamed>, StoreError> {
        let mut named: Vec<(&'static str, &Digest)> = Vec::new();
        named.extend(ground.programme_sha256.map(|sha256| ("programme", sha256)));
        named.extend(ground.match_keys_sha256.map(|sha256| ("match_keys", sha256)));
        named.extend(ground.agreement_sha256.map(|sha256| ("agreement", sha256)));
        named.extend(ground.decisions.iter().filter_map(|line| Some(("agreement", line.supply_sha256.as_ref()?))));
        named.sort();
        named.dedup();
        let mut texts = Vec::with_capacity(named.len() + 2);
        for (kind, sha256) in named {
            let is_there = Some(self.store().document(sha256.as_bytes()).await?.is_some());
            texts.push(TextNamed { kind, sha256: sha256.to_string(), is_there });
        }
        for (kind, sha256) in [("rules", Some(ground.rules_sha256)), ("agencies", ground.agencies_sha256)] {
            texts.extend(sha256.map(|sha256| TextNamed { kind, sha256: sha256.to_string(), is_there: None }));
        }
        Ok(texts)
    }
}
