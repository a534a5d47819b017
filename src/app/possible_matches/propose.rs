//! Pairs that a person should look at are found among all visible records, and their holders asked.
//!
//! An agency that sends guessed rows must not learn from its queue at once, or cheaply, that somebody
//! else knows such a person. So a pair is asked about only when it was found and stood for some days,
//! while the rows lie open to every officer, and an agency is asked about a few records a day.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::json;
use uuid::Builder;

use super::{Ground, MOST_TRIES, PURPOSE, purpose};
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::app::policies::Policies;
use crate::app::publish::link_tokens;
use crate::crypto::random::{random_bytes, uuid_v7};
use crate::domain::ids::{AgencyCode, EventId, PairId, PossibleMatchId};
use crate::domain::pair::{PairNames, PairOrigin, PairState, RecordName};
use crate::domain::time::Timestamp;
use crate::linkage::candidates::{Candidate, Doubt, candidates};
use crate::linkage::record::LinkRecord;
use crate::store::{NewEvent, NewMatch, PairChange, PairSide, StoredMatch, StoredPair, StoredToken, Tx};
use crate::tlog::digest::Digest;
use crate::tlog::entry::{AskCommitments, Body, MatchAsk};

/// A value that more records share than this proposes nothing.
const MOST_HOLDERS: usize = 8;
/// Records that are read in one step.
const PAGE: i64 = 1000;
const DAY_SECONDS: i64 = 24 * 3600;

/// How slowly agencies are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// For how long a pair must have been known before its holders are asked.
    pub ripen_seconds: i64,
    /// About how many records an agency is asked within a day.
    pub most_a_day: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self { ripen_seconds: 7 * DAY_SECONDS, most_a_day: 20 }
    }
}

/// What a search came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Proposed {
    /// Pairs that are proposed for the first time.
    pub new: usize,
    /// Proposals that nothing speaks for any more.
    pub dropped: usize,
    /// Records that agencies are asked about.
    pub asked: usize,
}

/// A candidate in the words of the policy files.
struct Found {
    origin: PairOrigin,
    /// Names of the keys, sorted, with commas.
    evidence: String,
    /// Names of the fields that the keys are made of.
    fields: BTreeSet<String>,
}

impl Gateway {
    /// Looks for pairs that a person should look at, and asks the holders of those that have ripened.
    ///
    /// # Errors
    ///
    /// [`AppError`]; nothing is proposed or asked then.
    pub async fn propose_possible_matches(&self, pace: Pace) -> Result<Proposed, AppError> {
        let mut found = self.find_candidates(&self.match_ground().await?).await?;
        for _ in 0..MOST_TRIES {
            // The search took its time: what may be compared, and whom a shield reaches, is looked at again.
            let ground = self.match_ground().await?;
            let names: BTreeSet<RecordName> = found.keys().flat_map(PairNames::both).cloned().collect();
            let shown = self.open_records(ground.view.generation, names).await?;
            found.retain(|names, _| {
                let [a, b] = names.both();
                ground.may_compare(a, b) && shown.contains_key(a) && shown.contains_key(b)
            });
            if let Some(tx) = self.begin_on(&ground).await? {
                return self.propose_on(&ground, tx, &found, pace).await;
            }
        }
        Err(AppError::Interrupted)
    }

    async fn propose_on(
        &self,
        ground: &Ground,
        mut tx: Tx,
        found: &BTreeMap<PairNames, Found>,
        pace: Pace,
    ) -> Result<Proposed, AppError> {
        let now = tx.now().await?;
        let mut proposed = Proposed::default();
        let standing = tx.standing_pairs(self.programme()).await?;
        let mut open = self.settle(&mut tx, standing, found, now, &mut proposed).await?;
        open.retain(|pair| pair.proposed_at <= now.plus_seconds(-pace.ripen_seconds));
        let asked = self.ask(&mut tx, open, found, (pace.most_a_day, now)).await?;
        proposed.asked = asked.values().map(Vec::len).sum();
        let entries: Vec<NewEvent> = asked
            .iter()
            .map(|(agency, asked)| self.ask_entry(&ground.policies, agency, asked, now))
            .collect::<Result<_, _>>()?;
        tx.add_events(&entries.iter().collect::<Vec<_>>()).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(proposed)
    }

    /// Compares every record that may be compared and that no shield reaches.
    async fn find_candidates(&self, ground: &Ground) -> Result<BTreeMap<PairNames, Found>, AppError> {
        let (mut records, mut persons, mut after) = (Vec::new(), Vec::new(), 0);
        loop {
            let page = self.store().visible_links(self.programme(), ground.view.generation, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.record.id;
            for member in page {
                let record = member.record;
                if member.link.is_shielded
                    || !ground.may_use(&record.agency, &record.feed)
                    || ground.policies.holds_retired(&record.tokens)
                    || ground.policies.is_held_back(&record.agency, &record.feed, &record.reference)
                {
                    continue;
                }
                let matches = |token: &StoredToken| ground.policies.matches_in(token.epoch);
                let tokens: Vec<StoredToken> = record.tokens.into_iter().filter(matches).collect();
                persons.push(member.link.person);
                let key = RecordName { agency: record.agency, feed: record.feed, reference: record.reference };
                records.push(LinkRecord { key, tokens: link_tokens(&tokens), households: Vec::new() });
            }
        }
        let policies = Arc::clone(&ground.policies);
        let work = move || {
            let found = candidates(&records, &persons, policies.link_rules(), MOST_HOLDERS);
            (found, records, policies)
        };
        let (found, records, policies) = tokio::task::spawn_blocking(work).await.map_err(|_| AppError::Interrupted)?;
        let mut named = BTreeMap::new();
        for candidate in found {
            let (a, b) = (&records[candidate.first].key, &records[candidate.second].key);
            if ground.may_compare(a, b)
                && let Some(names) = PairNames::new(a.clone(), b.clone())
            {
                named.insert(names, in_words(&candidate, &policies));
            }
        }
        Ok(named)
    }

    /// Adds what is new and drops what nothing speaks for any more; gives what is open.
    async fn settle(
        &self,
        tx: &mut Tx,
        standing: Vec<StoredPair>,
        found: &BTreeMap<PairNames, Found>,
        now: Timestamp,
        proposed: &mut Proposed,
    ) -> Result<Vec<StoredPair>, AppError> {
        let mut known: BTreeSet<&PairNames> = BTreeSet::new();
        let mut open = Vec::new();
        for pair in &standing {
            let still = found.get(&pair.names);
            let is_same = still.is_some_and(|it| it.evidence == pair.evidence && it.origin == pair.origin);
            match pair.state {
                PairState::Proposed if is_same => {
                    open.push(pair.clone());
                    known.insert(&pair.names);
                }
                PairState::Proposed => {
                    tx.drop_proposed(pair.id).await?;
                    proposed.dropped += 1;
                }
                PairState::Refused if !is_same => {} // other keys agree now: it is asked about again
                PairState::Refused | PairState::InForce => {
                    known.insert(&pair.names);
                }
                PairState::Reversed => {}
            }
        }
        for (names, found) in found.iter().filter(|(names, _)| !known.contains(names)) {
            let id = Builder::from_random_bytes(random_bytes(self.random())).into_uuid();
            let pair = StoredPair {
                id: PairId::new(id),
                origin: found.origin,
                names: names.clone(),
                weight: None,
                evidence: found.evidence.clone(),
                state: PairState::Proposed,
                proposed_at: now,
                sides: [PairSide::default(); 2],
            };
            if tx.add_pair(self.programme(), &pair, None).await? {
                proposed.new += 1;
                open.push(pair);
            }
        }
        Ok(open)
    }

    /// Asks the holders of open pairs who have not been asked, each about a few records. A record is
    /// asked about once, however many others it may match.
    async fn ask(
        &self,
        tx: &mut Tx,
        mut open: Vec<StoredPair>,
        found: &BTreeMap<PairNames, Found>,
        (most_a_day, now): (usize, Timestamp),
    ) -> Result<BTreeMap<AgencyCode, Vec<NewMatch>>, AppError> {
        open.sort_by(|a, b| (a.proposed_at, &a.names).cmp(&(b.proposed_at, &b.names)));
        let since = now.plus_seconds(-DAY_SECONDS);
        let mut today: BTreeMap<AgencyCode, usize> = BTreeMap::new();
        for (agency, count) in tx.matches_asked_since(self.programme(), since).await? {
            today.insert(agency, usize::try_from(count).unwrap_or(usize::MAX));
        }
        let asked_before = tx.all_open_matches(self.programme()).await?;
        forget_answered(&mut open, &asked_before);
        let waiting = waiting(asked_before, &open);
        let wanted = wanted(&open, found);
        let mut fresh: BTreeMap<&RecordName, PossibleMatchId> = BTreeMap::new();
        let mut asked: BTreeMap<AgencyCode, Vec<NewMatch>> = BTreeMap::new();
        for pair in &open {
            let mut sides = pair.sides;
            for (side, name) in sides.iter_mut().zip(pair.names.both()) {
                if side.answer.is_some() || side.by.is_some() {
                    continue;
                }
                if let Some(id) = fresh.get(name) {
                    side.by = Some(*id);
                    continue;
                }
                if let Some(open) = waiting.get(name) {
                    // What it shows must not change; a pair with other fields waits until it is answered.
                    let covers = found[&pair.names].fields.iter().all(|field| open.fields.contains(field));
                    side.by = covers.then_some(open.id);
                    continue;
                }
                let count = today.entry(name.agency.clone()).or_default();
                if *count >= most_a_day {
                    continue;
                }
                *count += 1;
                let id = self.match_id()?;
                let fields = wanted[name].iter().cloned().collect();
                let new = NewMatch { id, record: name.clone(), fields, asked_at: now };
                tx.add_match(self.programme(), &new).await?;
                asked.entry(name.agency.clone()).or_default().push(new);
                fresh.insert(name, id);
                side.by = Some(id);
            }
            if sides != pair.sides {
                tx.change_pair(&StoredPair { sides, ..pair.clone() }, PairChange::None).await?;
            }
        }
        Ok(asked)
    }

    /// What an agency may read from now on, as one entry: its own references are in the sealed opening.
    fn ask_entry(
        &self,
        policies: &Policies,
        agency: &AgencyCode,
        asked: &[NewMatch],
        now: Timestamp,
    ) -> Result<NewEvent, AppError> {
        let id = EventId::new(uuid_v7(now, self.random()));
        let line = |new: &NewMatch| {
            let (feed, reference) = (&new.record.feed, &new.record.reference);
            json!({ "id": new.id, "feed": feed, "ref": reference, "fields": new.fields })
        };
        let list = serde_json::to_vec(&asked.iter().map(line).collect::<Vec<_>>());
        let list = list.map_err(|_| AppError::Internal("a log entry's part cannot be written"))?;
        let (asked, sealed) = self.commit(id, "asked", list, 0)?;
        let body = Body::MatchAsk(MatchAsk {
            recipient: agency.clone(),
            purpose: purpose()?,
            rules_sha256: Digest::new(*policies.book().rules().hash().as_bytes()),
            programme_sha256: Digest::new(*policies.programme_sha256()),
            agencies_sha256: policies.agencies_sha256(),
            match_keys_sha256: Digest::new(*policies.match_keys().sha256()),
            commitments: AskCommitments { asked },
        });
        let mut event = self.event_with_id(id, now, body)?;
        event.recipient = Some(agency.to_string());
        event.purpose = Some(PURPOSE.to_owned());
        event.openings = vec![("asked", sealed)];
        Ok(event)
    }
}

/// A question that was answered while its pair was not to be compared left the pair without an answer:
/// its holder is asked again.
fn forget_answered(open: &mut [StoredPair], asked: &[StoredMatch]) {
    let asked: BTreeSet<PossibleMatchId> = asked.iter().map(|it| it.id).collect();
    for side in open.iter_mut().flat_map(|pair| &mut pair.sides) {
        if side.answer.is_none() && side.by.is_some_and(|by| !asked.contains(&by)) {
            side.by = None;
        }
    }
}

/// Open possible matches that still stand for something, by record.
fn waiting(matches: Vec<StoredMatch>, open: &[StoredPair]) -> BTreeMap<RecordName, StoredMatch> {
    let alive: BTreeSet<PossibleMatchId> = open
        .iter()
        .flat_map(|pair| pair.sides)
        .filter(|side| side.answer.is_none())
        .filter_map(|side| side.by)
        .collect();
    let matches = matches.into_iter().filter(|it| alive.contains(&it.id));
    matches.map(|it| (it.record.clone(), it)).collect()
}

/// All fields that a record's open pairs want to be verified.
fn wanted<'a>(
    open: &'a [StoredPair],
    found: &'a BTreeMap<PairNames, Found>,
) -> BTreeMap<&'a RecordName, BTreeSet<String>> {
    let mut wanted: BTreeMap<&RecordName, BTreeSet<String>> = BTreeMap::new();
    for pair in open {
        for (side, name) in pair.sides.iter().zip(pair.names.both()) {
            if side.by.is_none() && side.answer.is_none() {
                wanted.entry(name).or_default().extend(found[&pair.names].fields.iter().cloned());
            }
        }
    }
    wanted
}

fn in_words(candidate: &Candidate, policies: &Policies) -> Found {
    let keys = policies.match_keys();
    let named =
        keys.keys().iter().filter(|key| policies.kind(&key.name).is_some_and(|it| candidate.kinds.contains(&it)));
    let (mut names, mut fields) = (BTreeSet::new(), BTreeSet::new());
    for key in named {
        names.insert(key.name.as_str());
        fields.extend(key.components.iter().map(|component| keys.fields()[component.field].name.clone()));
    }
    Found {
        origin: match candidate.doubt {
            Doubt::Suggested => PairOrigin::Confirmed,
            Doubt::Contradicted => PairOrigin::Apart,
        },
        evidence: names.into_iter().collect::<Vec<_>>().join(","),
        fields,
    }
}
