//! One entry is read: its exact text, its proof, what it rests on, and what it says in words.

use serde::Serialize;

use super::super::caller::AgencyCaller;
use super::super::error::AppError;
use super::super::gateway::Gateway;
use super::super::proof::ProvedEntry;
use super::{Grounds, LogAccessError, Logged, MOST_TRIES, Seen};
use crate::domain::ids::EventId;
use crate::store::StoreError;
use crate::tlog::digest::Digest;
use crate::tlog::entry::{Body, Contribution, Decision, Entry, EntryError, Feed, Outcome, YesNo};

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
    pub(super) match_keys_sha256: &'a Digest,
    pub(super) outcome: &'a Outcome,
    pub(super) decisions: &'a [Decision],
    pub(super) feeds: &'a [Feed],
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
                match_keys_sha256: &$body.match_keys_sha256,
                outcome: &$body.outcome,
                decisions: &$body.decisions,
                feeds: &$body.feeds,
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
                match_keys_sha256: &ground.match_keys_sha256,
                outcome: &step.outcome,
                decisions: &step.decisions,
                feeds: &[],
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
        let Some(decided) = decided(entry.body()) else {
            let sentence =
                format!("An entry of the type {}; it decides nothing about anybody's data.", entry.body().kind());
            return Ok((proved, index, Vec::new(), vec![sentence]));
        };
        let texts = self.texts_of(&decided).await?;
        let sentences = sentences(&entry, &decided);
        Ok((proved, index, texts, sentences))
    }

    async fn texts_of(&self, decided: &Decided<'_>) -> Result<Vec<TextNamed>, StoreError> {
        let mut named = vec![("programme", decided.programme_sha256), ("match_keys", decided.match_keys_sha256)];
        named.extend(decided.agreement_sha256.map(|sha256| ("agreement", sha256)));
        named.extend(decided.decisions.iter().filter_map(|line| Some(("agreement", line.supply_sha256.as_ref()?))));
        named.sort();
        named.dedup();
        let mut texts = Vec::with_capacity(named.len() + 2);
        for (kind, sha256) in named {
            let is_there = Some(self.store().document(sha256.as_bytes()).await?.is_some());
            texts.push(TextNamed { kind, sha256: sha256.to_string(), is_there });
        }
        for (kind, sha256) in [("rules", decided.rules_sha256), ("agencies", decided.agencies_sha256)] {
            texts.push(TextNamed { kind, sha256: sha256.to_string(), is_there: None });
        }
        Ok(texts)
    }
}

fn sentences(entry: &Entry, decided: &Decided<'_>) -> Vec<String> {
    let mut said = vec![match decided.outcome {
        Outcome::Answered => format!("Decided at {} and answered.", entry.at()),
        Outcome::Refused(code) => format!("Decided at {} and refused: {code}.", entry.at()),
    }];
    for line in decided.decisions {
        let (supplier, feed, item) = (&line.supplier, &line.feed, &line.item);
        said.push(match (line.outcome, &line.supply, &line.receive) {
            (Contribution::Permitted, Some(supply), Some(receive)) => {
                format!("{supplier} might contribute {item} from its feed {feed}: {supply} and {receive}.")
            }
            (Contribution::Permitted, _, _) => format!("{supplier} heard {item} from its own feed {feed}."),
            (Contribution::Withheld, _, _) => {
                let rules: Vec<&str> = line.rules_hit.iter().map(super::Code::as_str).collect();
                format!("{supplier} did not contribute {item} from its feed {feed}: {}.", rules.join(", "))
            }
        });
    }
    for feed in decided.feeds {
        let day = feed.as_at.map_or_else(|| "never delivered".to_owned(), |at| format!("of {}", at.date()));
        let late = if feed.late == YesNo::Yes { ", and late" } else { "" };
        said.push(format!("The feed {} of {} was {day}{late}.", feed.feed, feed.supplier));
    }
    said
}
