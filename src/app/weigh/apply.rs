//! Frozen weights take effect: what they accept becomes pairs in force, and what they no longer accept is
//! taken back. One transaction changes the pairs, says which weights are in force and writes the log
//! entry; the publisher then brings the pairs into the links, as it does with people's decisions.
//!
//! Whoever a shield reaches is not weighed, and the pairs by which it reaches them stay: no weights,
//! applied or withdrawn, ever lift a shield.

use std::collections::{BTreeMap, BTreeSet};

use super::{AcceptedPair, Arrivals, Weighing};
use crate::app::enrol::code;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::app::likeness::{FoundPairs, MOST_TRIES, in_force_of, names_of};
use crate::crypto::random::uuid_v7;
use crate::crypto::seal::SealKeyPair;
use crate::domain::ids::EventId;
use crate::domain::pair::{PairNames, PairOrigin, RecordName};
use crate::linkage::weigh::{FieldEvidence, Weights};
use crate::store::{StoredPair, Tx, View, WeightsInForce};
use crate::tlog::digest::Digest;
use crate::tlog::entry::{Body, Code, Entry, WeightsStep};

/// What an application came to. Nobody whom a shield reaches is in any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppliedWeights {
    /// SHA-256 of the weights.
    pub sha256: Digest,
    /// Records that took part.
    pub records: u64,
    /// How many of them were weighed: all, or those that are new or changed.
    pub weighed: u64,
    /// Pairs that came into force.
    pub joined: u64,
    /// Pairs that no longer stand.
    pub parted: u64,
}

/// What a withdrawal came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WithdrawnWeights {
    /// SHA-256 of the weights that were in force.
    pub sha256: Option<Digest>,
    /// Pairs that no longer stand.
    pub parted: u64,
}

/// What changes at once.
struct Change<'a> {
    step: &'static str,
    sha256: Option<Digest>,
    by: &'a Code,
    /// Records that took part, and how many were weighed.
    took_part: Option<(u64, u64)>,
    pairs: FoundPairs,
}

impl Gateway {
    /// Lets frozen weights take effect. Where the same weights are in force, only records that are new
    /// or changed since are weighed, upon the pairs that stand; `afresh` weighs all of them. Run again
    /// without anything having changed, it changes no pair.
    ///
    /// # Errors
    ///
    /// [`AppError::Policy`] where the weights are not for these match keys or were not learned here, or
    /// `by` is no account; [`AppError::Interrupted`] when records keep changing; database errors.
    pub async fn apply_weights(
        &self,
        key: &SealKeyPair,
        weights: &[u8],
        by: &str,
        afresh: bool,
    ) -> Result<AppliedWeights, AppError> {
        let by = code(by)?;
        for _ in 0..MOST_TRIES {
            if let Some(applied) = self.try_to_apply(key, weights, &by, afresh).await? {
                self.wake_sequencer();
                self.wake_publisher();
                return Ok(applied);
            }
        }
        Err(AppError::Interrupted)
    }

    /// Takes the weights that are in force out of force, with the pairs that they let stand.
    ///
    /// # Errors
    ///
    /// [`AppError::Policy`] when none are in force, or `by` is no account; [`AppError::Interrupted`]
    /// when records keep changing; database errors.
    pub async fn withdraw_weights(&self, by: &str) -> Result<WithdrawnWeights, AppError> {
        let by = code(by)?;
        for _ in 0..MOST_TRIES {
            if let Some(withdrawn) = self.try_to_withdraw(&by).await? {
                self.wake_sequencer();
                self.wake_publisher();
                return Ok(withdrawn);
            }
        }
        Err(AppError::Interrupted)
    }

    /// `None` when something changed meanwhile.
    async fn try_to_apply(
        &self,
        key: &SealKeyPair,
        text: &[u8],
        by: &Code,
        afresh: bool,
    ) -> Result<Option<AppliedWeights>, AppError> {
        let standing = self.store().standing_pairs(self.programme()).await?;
        let in_force = in_force_of(PairOrigin::Weighed, &standing);
        let weighing = self.open_weighing(key).await?;
        let weights = weighing.weights(text).map_err(|error| AppError::Policy(error.to_string()))?;
        let sha256 = Digest::new(weights.sha256());
        if !self.was_learned(sha256).await? {
            return Err(AppError::Policy(NOT_LEARNED.to_owned()));
        }
        let before = self.store().weights_in_force(self.programme()).await?;
        let tags = self.store().weighed_records(self.programme()).await?;
        let goes_on = !afresh && before.is_some_and(|before| before.sha256 == weights.sha256());
        let arrivals = goes_on.then(|| weighing.arrivals(&tags, &in_force));
        let records = weighing.len() as u64;
        let weighed = arrivals.as_ref().map_or(records, |arrivals| arrivals.records.len() as u64);
        let (weighing, accepted, arrivals) = weigh_apart(weighing, weights, arrivals).await?;

        let mut wanted: BTreeMap<PairNames, AcceptedPair> = BTreeMap::new();
        for pair in accepted {
            if let Some(names) = names_of((&pair.a, &pair.b)) {
                wanted.insert(names, pair);
            }
        }
        let kept: BTreeSet<PairNames> =
            arrivals.iter().flat_map(|arrivals| &arrivals.standing).filter_map(|(a, b)| names_of((a, b))).collect();
        let stands = |names: &PairNames| wanted.contains_key(names) || kept.contains(names);
        let mut parted: Vec<StoredPair> = in_force.iter().filter(|pair| !stands(&pair.names)).cloned().collect();
        parted.retain(|pair| !pair.names.both().into_iter().any(|name| weighing.unread.contains(name)));
        self.keep_what_carries_a_shield(weighing.generation, &mut parted).await?;
        let known: BTreeSet<&PairNames> = in_force.iter().map(|pair| &pair.names).collect();

        let mut tx = self.store().begin().await?;
        tx.lock_programme(self.programme()).await?;
        let decided_on = Some((weighing.policy_revision, weighing.generation));
        if tx.decided_on(self.programme()).await? != decided_on
            || tx.standing_pairs(self.programme()).await? != standing
        {
            return Ok(None);
        }
        let now = tx.now().await?;
        let joined = wanted.iter().filter(|(names, _)| !known.contains(names));
        let in_force = |(names, pair): (&PairNames, &AcceptedPair)| {
            let reasons = (Some(pair.odds), in_words(&pair.evidence));
            self.found_pair(PairOrigin::Weighed, names.clone(), reasons, now)
        };
        let joined: Vec<StoredPair> = joined.map(in_force).collect();
        let applied =
            AppliedWeights { sha256, records, weighed, joined: joined.len() as u64, parted: parted.len() as u64 };
        let change = Change {
            step: "apply",
            sha256: Some(sha256),
            by,
            took_part: Some((records, weighed)),
            pairs: FoundPairs { joined, parted },
        };
        let view = View { now, generation: weighing.generation, policy_revision: weighing.policy_revision };
        let event = self.change_weighed_pairs(&mut tx, view, &change).await?;
        let in_force = WeightsInForce { sha256: *sha256.as_bytes(), event, at: now };
        tx.put_weights(self.programme(), &in_force).await?;
        let present: BTreeMap<RecordName, [u8; 16]> = weighing.names().zip(weighing.tags.iter().copied()).collect();
        let changed: Vec<(&RecordName, [u8; 16])> =
            present.iter().filter(|(name, tag)| tags.get(*name) != Some(tag)).map(|(name, tag)| (name, *tag)).collect();
        let gone: Vec<&RecordName> = tags.keys().filter(|name| !present.contains_key(name)).collect();
        tx.note_weighed(self.programme(), &changed, &gone).await?;
        tx.commit().await?;
        Ok(Some(applied))
    }

    async fn try_to_withdraw(&self, by: &Code) -> Result<Option<WithdrawnWeights>, AppError> {
        let view = self.store().view(self.programme()).await?;
        let view = view.ok_or_else(|| AppError::Policy("no programme is loaded".to_owned()))?;
        let standing = self.store().standing_pairs(self.programme()).await?;
        let mut parted = in_force_of(PairOrigin::Weighed, &standing);
        self.keep_what_carries_a_shield(view.generation, &mut parted).await?;
        let before = self.store().weights_in_force(self.programme()).await?;
        if before.is_none() && parted.is_empty() {
            return Err(AppError::Policy("no weights are in force".to_owned()));
        }
        let mut tx = self.store().begin().await?;
        tx.lock_programme(self.programme()).await?;
        if tx.decided_on(self.programme()).await? != Some((view.policy_revision, view.generation))
            || tx.standing_pairs(self.programme()).await? != standing
        {
            return Ok(None);
        }
        let now = tx.now().await?;
        let sha256 = before.map(|before| Digest::new(before.sha256));
        let withdrawn = WithdrawnWeights { sha256, parted: parted.len() as u64 };
        let change =
            Change { step: "withdraw", sha256, by, took_part: None, pairs: FoundPairs { joined: Vec::new(), parted } };
        self.change_weighed_pairs(&mut tx, View { now, ..view }, &change).await?;
        tx.drop_weights(self.programme()).await?;
        tx.commit().await?;
        Ok(Some(withdrawn))
    }

    /// Whether the log says that these weights were learned here: nobody sets them by hand.
    async fn was_learned(&self, sha256: Digest) -> Result<bool, AppError> {
        let entries = self.store().learned_entries().await?;
        Ok(entries.iter().any(|entry| match Entry::parse(entry).map(|entry| entry.body().clone()) {
            Ok(Body::WeightsLearned(learned)) => learned.weights_sha256 == sha256,
            _ => false,
        }))
    }

    /// Writes the pairs and the entry that says so.
    async fn change_weighed_pairs(&self, tx: &mut Tx, view: View, change: &Change<'_>) -> Result<EventId, AppError> {
        let id = EventId::new(uuid_v7(view.now, self.random()));
        let policies = self.policies_at(view.policy_revision).await?;
        let (records, weighed) = change.took_part.unwrap_or_default();
        let (joined, parted) = (change.pairs.joined.len() as u64, change.pairs.parted.len() as u64);
        let numbers = [("records", records), ("weighed", weighed), ("joined", joined), ("parted", parted)];
        let (commitments, opening) = self.commit_numbers(id, &numbers)?;
        let body = Body::WeightsStep(WeightsStep {
            step: code(change.step)?,
            weights_sha256: change.sha256,
            match_keys_sha256: Digest::new(*policies.match_keys().sha256()),
            generation: view.generation.unsigned_abs(),
            records: None,
            weighed: None,
            joined: None,
            parted: None,
            pairs_sha256: change.pairs.sha256(),
            by: change.by.clone(),
            commitments: Some(commitments),
        });
        self.write_found_pairs(tx, &change.pairs, (view.now, id)).await?;
        let mut event = self.event_with_id(id, view.now, body)?;
        event.openings = vec![opening];
        tx.add_events(&[&event]).await?;
        Ok(id)
    }
}

const NOT_LEARNED: &str = "the log has no entry of these weights: only weights that were learned here are applied";

/// Weighs on a thread of its own: a large population would hold up every answer on this one.
async fn weigh_apart(
    weighing: Weighing,
    weights: Weights,
    arrivals: Option<Arrivals>,
) -> Result<(Weighing, Vec<AcceptedPair>, Option<Arrivals>), AppError> {
    let work = move || {
        let accepted = if weighing.is_empty() { Vec::new() } else { weighing.accepted(&weights, arrivals.as_ref()) };
        (weighing, accepted, arrivals)
    };
    tokio::task::spawn_blocking(work).await.map_err(|_| AppError::Interrupted)
}

/// What each field says, with commas: the field, the level at which the two agree or `differs`, and
/// what that is worth in thousandths of a bit.
fn in_words(evidence: &[FieldEvidence]) -> String {
    let line = |said: &FieldEvidence| {
        let level = said.level.as_deref().unwrap_or("differs");
        format!("{} {level} {:+}", said.field, said.evidence)
    };
    evidence.iter().map(line).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_name_fields_levels_and_bits_and_nothing_else() {
        let said = |field: &str, level: Option<&str>, evidence| FieldEvidence {
            field: field.to_owned(),
            level: level.map(str::to_owned),
            evidence,
        };
        let evidence = [said("surname", Some("soundex"), 4_321), said("postcode", None, -2_100)];
        assert_eq!(in_words(&evidence), "surname soundex +4321,postcode differs -2100");
        assert_eq!(in_words(&[]), "");
    }
}
