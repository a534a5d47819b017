//! What was named becomes what was wrong: pairs of records, one record, or a delivery.

use super::{Named, OPENING, RecallError, pair_name};
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::domain::claim::RecordName;
use crate::domain::ids::{AgencyCode, EventId};
use crate::domain::pair::{self, PairNames};
use crate::domain::recall::Wrong;
use crate::store::{StoreError, StoredPair, StoredRecall, SubmissionState};
use crate::tlog::entry::{Body, Entry};

/// Most pairs of one recall.
const MOST_PAIRS: usize = 200;

impl Gateway {
    /// What was wrong, if the holder may say so; an officer may say it of anything.
    pub(super) async fn what_was_wrong(
        &self,
        named: &Named,
        holder: Option<&AgencyCode>,
    ) -> Result<Wrong, RecallError> {
        let is_own = |agency: &AgencyCode| holder.is_none_or(|holder| holder == agency);
        match named {
            Named::Record(record) if is_own(&record.agency) => Ok(Wrong::Record { record: record.clone() }),
            Named::Two(a, b) if holder.is_none() && a != b => Ok(Wrong::Pairs { pairs: vec![(a.clone(), b.clone())] }),
            Named::Pair(id) if holder.is_none() => {
                let pair = self.store().pair(self.programme(), *id).await?.ok_or(RecallError::Unknown)?;
                of_pairs(&[pair])
            }
            Named::PossibleMatch(id) => {
                let asked = self.store().possible_match(*id).await?.ok_or(RecallError::Unknown)?;
                if !is_own(&asked.record.agency) {
                    return Err(RecallError::Unknown);
                }
                let pairs = self.store().pairs_of_match(*id).await?;
                // As with a split: whether there is any pair is told to nobody.
                if pairs.is_empty() { Ok(Wrong::Record { record: name(&asked.record) }) } else { of_pairs(&pairs) }
            }
            Named::Submission(id) => {
                let found = self.store().submission(*id).await?.ok_or(RecallError::Unknown)?;
                let is_its = found.programme == *self.programme() && is_own(&found.agency);
                if is_its { Ok(Wrong::Delivery { submission: *id }) } else { Err(RecallError::Unknown) }
            }
            Named::Entry(id) => self.wrong_in_entry(*id, holder).await,
            _ => Err(RecallError::Unknown),
        }
    }

    async fn wrong_in_entry(&self, id: EventId, holder: Option<&AgencyCode>) -> Result<Wrong, RecallError> {
        let is_own = |agency: &AgencyCode| holder.is_none_or(|holder| holder == agency);
        let body = self.store().event_body(id).await?.ok_or(RecallError::Unknown)?;
        let entry = Entry::parse(&body).map_err(|_| StoreError::Corrupt("a log entry"))?;
        match entry.into_body() {
            Body::MatchDecision(decision) if is_own(&decision.agency) => {
                let pairs = self.store().pairs_by_event(self.programme(), id).await?;
                if !pairs.is_empty() {
                    return of_pairs(&pairs);
                }
                let asked = self.store().possible_match(decision.possible_match).await?;
                Ok(Wrong::Record { record: name(&asked.ok_or(RecallError::Unknown)?.record) })
            }
            Body::Submission(delivered) if is_own(&delivered.agency) => {
                Ok(Wrong::Delivery { submission: delivered.submission })
            }
            Body::Enquiry(asked) if is_own(&asked.recipient) => {
                let persons = self.past_answer(id).await?.persons().ok_or(RecallError::Entry)?;
                let mut pairs = Vec::new();
                for person in persons {
                    let (own, others): (Vec<_>, Vec<_>) =
                        person.records.into_iter().partition(|record| record.agency == asked.recipient);
                    let joined = own.iter().flat_map(|a| others.iter().map(move |b| (a.clone(), b.clone())));
                    pairs.extend(joined);
                }
                // A holder is not told whether its records were joined with anybody's.
                if pairs.is_empty() && holder.is_none() {
                    return Err(RecallError::Entry);
                }
                limited(pairs)
            }
            _ => Err(RecallError::Unknown),
        }
    }

    /// The pairs of records that are parted: those that are named, or those in which a record is joined
    /// with others' now. Whomever a shield reaches is left as it is.
    pub(super) async fn parted_records(&self, wrong: &Wrong) -> Result<Vec<PairNames>, AppError> {
        let view = self.store().view(self.programme()).await?;
        let view = view.ok_or_else(|| AppError::Policy("no programme is loaded".to_owned()))?;
        let mut names = Vec::new();
        match wrong {
            Wrong::Delivery { .. } => {}
            Wrong::Pairs { pairs } => {
                names.extend(pairs.iter().filter_map(|(a, b)| PairNames::new(pair_name(a), pair_name(b))));
            }
            Wrong::Record { record } => {
                let own = pair_name(record);
                let open = self.open_records(view.generation, [own.clone()]).await?;
                if let Some(shown) = open.get(&own) {
                    let linked = self.store().records_of_person(view.generation, shown.component, shown.person).await?;
                    let others = linked.into_iter().filter(|other| other.agency != own.agency);
                    names.extend(others.filter_map(|other| PairNames::new(own.clone(), other)));
                }
            }
        }
        let mut open = Vec::new();
        for pair in names {
            let [a, b] = pair.both();
            if !self.is_shielded_now(view.generation, a).await? && !self.is_shielded_now(view.generation, b).await? {
                open.push(pair);
            }
        }
        Ok(open)
    }

    /// Whether a shield reaches a record. One that no delivery shows is reached by none.
    pub(super) async fn is_shielded_now(&self, generation: i64, name: &pair::RecordName) -> Result<bool, AppError> {
        let (feed, references) = ((&name.agency, &name.feed), [name.reference.clone()]);
        let shown = self.store().shown_records(self.programme(), generation, feed, &references).await?;
        Ok(shown.iter().any(|record| record.is_shielded))
    }

    /// What a recall is about, from the sealed opening of its first entry; `None` once that was erased.
    pub(super) async fn wrong_of(&self, recall: &StoredRecall) -> Result<Option<Wrong>, AppError> {
        let Some(entry) = self.store().sealed_entry(recall.opened, OPENING).await? else { return Ok(None) };
        let text = self.open_field(recall.opened, OPENING, &entry.sealed)?;
        let wrong = serde_json::from_slice(&text).map_err(|_| StoreError::Corrupt("a recall"))?;
        Ok(Some(wrong))
    }

    /// Whether no new answer can rest on what was wrong: the pairs are parted in the links, or the
    /// delivery is no longer shown.
    pub(super) async fn is_undone(&self, recall: &StoredRecall, wrong: &Wrong) -> Result<bool, AppError> {
        match wrong {
            Wrong::Pairs { .. } | Wrong::Record { .. } => Ok(!self.store().has_pair_mark(recall.opened).await?),
            Wrong::Delivery { submission } => {
                let found = self.store().submission(*submission).await?;
                Ok(found.is_none_or(|it| {
                    matches!(it.state, SubmissionState::Replaced | SubmissionState::Withdrawn | SubmissionState::Failed)
                }))
            }
        }
    }
}

fn of_pairs(pairs: &[StoredPair]) -> Result<Wrong, RecallError> {
    limited(pairs.iter().map(|pair| pair.names.both()).map(|[a, b]| (name(a), name(b))).collect())
}

fn limited(pairs: Vec<(RecordName, RecordName)>) -> Result<Wrong, RecallError> {
    if pairs.len() > MOST_PAIRS { Err(RecallError::TooMany) } else { Ok(Wrong::Pairs { pairs }) }
}

fn name(name: &pair::RecordName) -> RecordName {
    RecordName { agency: name.agency.clone(), feed: name.feed.clone(), reference: name.reference.clone() }
}
