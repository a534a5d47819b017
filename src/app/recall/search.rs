//! The entries of the log are looked through, page by page, for answers that rested on what was wrong.
//!
//! What a page comes to is one transaction: the notices, their entries, what was found, and how far the
//! search has come. A search that was cut off goes on after its last page; two searches at a time do
//! nothing twice. It ends once what was wrong is undone and every answer of before has its place in the
//! log.

use std::collections::{BTreeSet, HashMap};

use super::delivery::WrongDelivery;
use super::pair_name;
use super::readings::Reading;
use crate::app::enrol::code;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::app::past::{PastAnswer, PastError};
use crate::app::policies::Policies;
use crate::crypto::random::uuid_v7;
use crate::domain::claim::{Person, RecordName};
use crate::domain::ids::{AgencyCode, EventId, OpaqueRef};
use crate::domain::notice::NoticeBody;
use crate::domain::recall::{Verdict, Wrong, without};
use crate::domain::time::Timestamp;
use crate::domain::token::Blinded;
use crate::store::{
    FindingKind, LinkableRecord, NewEvent, NewFinding, RecallState, StoreError, StoredNotice, StoredRecall,
};
use crate::tlog::entry::{Body, Entry, NoticeCommitments, Outcome, RecallNotice, RecallStep};

/// Entries of the log that one page looks at.
const PAGE: u64 = 256;
/// The sealed opening of a notice has one length, whatever it says.
const NOTICE_LENGTH: usize = 512;

/// How far a recall has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// There is more to look at.
    More,
    /// Everything that there is was looked at; something is awaited.
    Waits,
    /// Everybody has acknowledged.
    Closed,
}

/// Somebody who received an answer that was wrong.
pub(super) struct Told {
    pub(super) of: FindingKind,
    pub(super) event: [u8; 16],
    pub(super) agency: AgencyCode,
    pub(super) is_certain: bool,
    pub(super) body: NoticeBody,
    pub(super) entry: Option<EventId>,
}

/// What one page came to.
#[derive(Default)]
struct Page {
    looked: u64,
    told: Vec<Told>,
}

/// What every look of one page goes by.
pub(super) struct Ground<'a> {
    pub(super) policies: &'a Policies,
    pub(super) generation: i64,
    pub(super) wrong: &'a Wrong,
    pub(super) delivery: Option<WrongDelivery>,
    pub(super) shielded: HashMap<RecordName, bool>,
    /// Records as they are now; `None` for those that no delivery shows.
    records: HashMap<RecordName, Option<LinkableRecord>>,
}

impl Gateway {
    /// Takes every open recall as far as it goes now. Gives how many are still open.
    ///
    /// # Errors
    ///
    /// [`AppError`]; what was looked at stays looked at.
    pub async fn further_recalls(&self) -> Result<usize, AppError> {
        let open = self.store().open_recalls(self.programme()).await?;
        let mut left = 0;
        for recall in open {
            loop {
                match self.step_recall(recall.id).await? {
                    Progress::More => tokio::task::yield_now().await,
                    Progress::Waits => {
                        left += 1;
                        break;
                    }
                    Progress::Closed => break,
                }
            }
        }
        Ok(left)
    }

    /// Takes one step of a recall.
    ///
    /// # Errors
    ///
    /// [`AppError`].
    pub async fn step_recall(&self, id: crate::domain::ids::RecallId) -> Result<Progress, AppError> {
        let recall = self.store().recall(self.programme(), id).await?;
        let Some(recall) = recall else { return Ok(Progress::Closed) };
        match recall.state {
            RecallState::Closed => Ok(Progress::Closed),
            RecallState::Waiting => self.close_if_acknowledged(&recall).await,
            RecallState::Searching => self.search_further(&recall).await,
        }
    }

    async fn search_further(&self, recall: &StoredRecall) -> Result<Progress, AppError> {
        let Some(wrong) = self.wrong_of(recall).await? else {
            return self.all_told(recall, Vec::new()).await; // erased: nothing can be found any more
        };
        let size = self.store().log_head().await?.map_or(0, |head| head.size);
        if recall.place < size {
            let end = size.min(recall.place + PAGE);
            let page = self.look_at(&wrong, recall, end).await?;
            self.keep_page(recall, page, end).await?;
            return Ok(Progress::More);
        }
        let Some(undone_at) = recall.undone_at else {
            if self.is_undone(recall, &wrong).await? {
                let mut tx = self.store().begin().await?;
                let now = tx.now().await?;
                tx.note_undone(recall.id, now).await?;
                tx.commit().await?;
                return Ok(Progress::More);
            }
            return Ok(Progress::Waits);
        };
        if self.store().oldest_pending().await?.is_some_and(|oldest| oldest <= undone_at) {
            return Ok(Progress::Waits);
        }
        // An entry that got its place since the head was read may be of before.
        if self.store().log_head().await?.map_or(0, |head| head.size) > size {
            return Ok(Progress::More);
        }
        let families = self.families_with(recall, &wrong).await?;
        self.all_told(recall, families).await
    }

    async fn look_at(&self, wrong: &Wrong, recall: &StoredRecall, end: u64) -> Result<Page, AppError> {
        let view = self.store().view(self.programme()).await?;
        let view = view.ok_or_else(|| AppError::Policy("no programme is loaded".to_owned()))?;
        let policies = self.policies_at(view.policy_revision).await?;
        let delivery = match wrong {
            Wrong::Delivery { submission } => self.store().submission(*submission).await?.map(WrongDelivery::new),
            _ => None,
        };
        let mut ground = Ground {
            policies: &policies,
            generation: view.generation,
            wrong,
            delivery,
            shielded: HashMap::new(),
            records: HashMap::new(),
        };
        let mut page = Page::default();
        for (event, body) in self.store().answers_in_log(recall.place, end).await? {
            let entry = Entry::parse(&body).map_err(|_| StoreError::Corrupt("a log entry"))?;
            let at = entry.at();
            let found = match entry.into_body() {
                Body::Enquiry(asked) if asked.outcome == Outcome::Answered => {
                    let of =
                        if asked.mode.as_str() == "engagement" { FindingKind::Engagement } else { FindingKind::Answer };
                    let verdict = self.judge_answer(&mut ground, event).await?;
                    verdict.map(|verdict| (of, asked.recipient, asked.mode.as_str().to_owned(), verdict))
                }
                Body::FamilyDisclosure(asked) if asked.outcome == Outcome::Answered => {
                    let verdict = self.judge_family_look(&mut ground, event).await?;
                    verdict.map(|verdict| (FindingKind::Answer, asked.recipient, "family".to_owned(), verdict))
                }
                Body::MatchRunStep(step) if step.outcome == Outcome::Answered && step.step.as_str() == "families" => {
                    let verdict = self.judge_run(&mut ground, step.run).await?;
                    verdict.map(|verdict| (FindingKind::Run, step.agency, "match-run".to_owned(), verdict))
                }
                _ => None,
            };
            let Some((of, agency, form, verdict)) = found else { continue };
            page.looked += 1;
            if verdict == Verdict::Untouched {
                continue;
            }
            let is_certain = verdict == Verdict::Wrong;
            let body = NoticeBody::AnswerWrong {
                recall: recall.id,
                entry: event,
                answered_at: at,
                case: self.case_of(event).await?,
                form,
                certain: is_certain,
            };
            page.told.push(Told { of, event: *event.as_bytes(), agency, is_certain, body, entry: Some(event) });
        }
        Ok(page)
    }

    /// `None` when what was wrong is not in the answer.
    async fn judge_answer(&self, ground: &mut Ground<'_>, event: EventId) -> Result<Option<Verdict>, AppError> {
        let past = match self.past_answer(event).await {
            Ok(past) => past,
            Err(PastError::App(error)) => return Err(error),
            // Erased, or of nobody: there is nothing that could be put right.
            Err(PastError::Erased | PastError::NoAnswer | PastError::NoProgramme) => return Ok(None),
            // Whether it was wrong can no longer be told, and that is a fault of the log's keeping.
            Err(error @ (PastError::Altered | PastError::Unreadable)) => {
                tracing::error!(%error, entry = %event, "an answer cannot be judged for a recall");
                return Ok(None);
            }
        };
        let Some(persons) = past.persons() else { return Ok(None) };
        if let Some(mut delivery) = ground.delivery.take() {
            let verdict = self.judge_delivery(&mut delivery, &past, &persons).await;
            ground.delivery = Some(delivery);
            return verdict;
        }
        let Some(parted) = self.parted_in(ground, &persons).await? else { return Ok(None) };
        self.read_records(ground, &persons).await?;
        let now = ground.records.iter().filter_map(|(name, record)| Some((name.clone(), record.clone()?))).collect();
        let asked_with = self.asked_with_of(event).await?;
        let reading = Reading {
            policies: ground.policies,
            persons: &persons,
            parted: &parted,
            now: &now,
            asked_with: &asked_with,
            is_family: past.is_family(),
        };
        Ok(Some(Verdict::of(past.answer(), past.mode(), &reading.all(), &past.facts())))
    }

    async fn judge_delivery(
        &self,
        delivery: &mut WrongDelivery,
        past: &PastAnswer,
        persons: &[Person],
    ) -> Result<Option<Verdict>, AppError> {
        let records: Vec<RecordName> = persons.iter().flat_map(|person| person.records.clone()).collect();
        let Some(found) = delivery.in_answer(self, past, &records).await? else { return Ok(None) };
        let left = persons.iter().filter_map(|person| {
            let is_from = |&place: &usize| found.records.contains(&person.records[place]);
            let unsaid: BTreeSet<usize> = (0..person.records.len()).filter(is_from).collect();
            without(person, &unsaid).map(|person| person.member)
        });
        let mut readings = vec![left.collect::<Vec<_>>()];
        if !found.is_certain {
            readings.push(persons.iter().map(|person| person.member.clone()).collect());
        }
        Ok(Some(Verdict::of(past.answer(), past.mode(), &readings, &past.facts())))
    }

    /// The wrong pairs within each person; `None` when there is none. A pair of which a shield reaches a
    /// record is as if nobody had said anything about it.
    pub(super) async fn parted_in(
        &self,
        ground: &mut Ground<'_>,
        persons: &[Person],
    ) -> Result<Option<Vec<Vec<(usize, usize)>>>, AppError> {
        let mut all = Vec::with_capacity(persons.len());
        for person in persons {
            let mut pairs = Vec::new();
            for (a, b) in ground.wrong.parted(&person.records) {
                let (a_hidden, b_hidden) =
                    (self.hides(ground, &person.records[a]).await?, self.hides(ground, &person.records[b]).await?);
                if !a_hidden && !b_hidden {
                    pairs.push((a, b));
                }
            }
            all.push(pairs);
        }
        Ok(all.iter().any(|pairs| !pairs.is_empty()).then_some(all))
    }

    async fn hides(&self, ground: &mut Ground<'_>, name: &RecordName) -> Result<bool, AppError> {
        if let Some(known) = ground.shielded.get(name) {
            return Ok(*known);
        }
        let is_shielded = self.is_shielded_now(ground.generation, &pair_name(name)).await?;
        ground.shielded.insert(name.clone(), is_shielded);
        Ok(is_shielded)
    }

    async fn read_records(&self, ground: &mut Ground<'_>, persons: &[Person]) -> Result<(), AppError> {
        for name in persons.iter().flat_map(|person| &person.records) {
            if ground.records.contains_key(name) {
                continue;
            }
            let (feed, references) = ((&name.agency, &name.feed), [name.reference.clone()]);
            let shown = self.store().shown_records(self.programme(), ground.generation, feed, &references).await?;
            let ids: Vec<i64> = shown.iter().map(|record| record.id).collect();
            let record = self.store().linkable_records(&ids).await?.into_iter().next();
            ground.records.insert(name.clone(), record);
        }
        Ok(())
    }

    /// What a person was asked about with: the blinded tokens of the subject's opening, through the keys
    /// that stored tokens have gone through since.
    async fn asked_with_of(&self, event: EventId) -> Result<BTreeSet<Blinded>, AppError> {
        let Some(entry) = self.store().sealed_entry(event, "subject").await? else { return Ok(BTreeSet::new()) };
        let subject = self.open_field(event, "subject", &entry.sealed)?;
        let blinder = &self.keys().blinder;
        let mut all = BTreeSet::new();
        for piece in subject.chunks_exact(16) {
            let Ok(bytes) = <[u8; 16]>::try_from(piece) else { continue };
            let made = Blinded::new(bytes);
            all.insert(made);
            // How many keys there were on that day is not in the entry: those that are no token meet nobody's.
            for from in 1..blinder.layers() {
                let through = (from..blinder.layers()).try_fold(made, |token, layer| blinder.restack(layer, token));
                all.extend(through);
            }
        }
        Ok(all)
    }

    /// The recipient's own reference of the case; `None` where the entry has none or it was erased.
    async fn case_of(&self, event: EventId) -> Result<Option<OpaqueRef>, AppError> {
        let Some(entry) = self.store().sealed_entry(event, "case").await? else { return Ok(None) };
        let text = self.open_field(event, "case", &entry.sealed)?;
        Ok(std::str::from_utf8(&text).ok().and_then(|text| OpaqueRef::parse(text).ok()))
    }

    /// Makes what a page came to durable, once.
    async fn keep_page(&self, recall: &StoredRecall, page: Page, end: u64) -> Result<(), AppError> {
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        let untouched = page.looked - page.told.len() as u64;
        if !tx.advance_recall(recall, end, page.looked, untouched).await? {
            return Ok(()); // somebody else took it further meanwhile
        }
        for told in page.told {
            self.tell(&mut tx, recall, told, now).await?;
        }
        tx.commit().await?;
        self.wake_sequencer();
        Ok(())
    }

    async fn tell(
        &self,
        tx: &mut crate::store::Tx,
        recall: &StoredRecall,
        told: Told,
        now: Timestamp,
    ) -> Result<(), AppError> {
        if tx.has_finding(recall.id, told.of, &told.event).await? {
            return Ok(());
        }
        let (event, notice) = self.notice_entry(recall, &told, now)?;
        tx.add_events(&[&event]).await?;
        tx.add_notice(&notice).await?;
        let Told { of, event, agency, is_certain, .. } = told;
        tx.add_finding(recall.id, &NewFinding { of, event, agency, notice: notice.id, is_certain }).await?;
        Ok(())
    }

    fn notice_entry(
        &self,
        recall: &StoredRecall,
        told: &Told,
        now: Timestamp,
    ) -> Result<(NewEvent, StoredNotice), AppError> {
        let id = EventId::new(uuid_v7(now, self.random()));
        let (notice, text) = self.notice_for(&told.agency, id, now, &told.body)?;
        let (commitment, sealed) = self.commit(id, "notice", text, NOTICE_LENGTH)?;
        let body = RecallNotice {
            recall: recall.id,
            notice: notice.id,
            recipient: told.agency.clone(),
            of: code(told.of.as_str())?,
            entry: told.entry,
            certain: told.is_certain.into(),
            commitments: NoticeCommitments { notice: commitment },
        };
        let mut event = self.event_with_id(id, now, Body::RecallNotice(body))?;
        event.recipient = Some(told.agency.to_string());
        event.openings = vec![("notice", sealed)];
        Ok((event, notice))
    }

    /// Everybody is told; families of which records were parted are told to the programme's own agency.
    async fn all_told(&self, recall: &StoredRecall, families: Vec<Told>) -> Result<Progress, AppError> {
        self.move_recall_on(recall, RecallState::Waiting, families).await?;
        Ok(Progress::More)
    }

    async fn close_if_acknowledged(&self, recall: &StoredRecall) -> Result<Progress, AppError> {
        if self.store().recall_counts(recall.id).await?.unacknowledged > 0 {
            return Ok(Progress::Waits);
        }
        self.move_recall_on(recall, RecallState::Closed, Vec::new()).await?;
        Ok(Progress::Closed)
    }

    /// Moves a recall to its next state, with the entry that says so and what is found with it.
    async fn move_recall_on(&self, recall: &StoredRecall, to: RecallState, found: Vec<Told>) -> Result<(), AppError> {
        let counts = self.store().recall_counts(recall.id).await?;
        let body = RecallStep {
            recall: recall.id,
            step: code(if to == RecallState::Closed { "closed" } else { "told" })?,
            looked_at: recall.looked,
            untouched: recall.untouched,
            wrong: counts.wrong,
            unsettled: counts.unsettled,
            engagements: counts.engagements,
            families: counts.families + found.len() as u64,
        };
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        if !tx.move_recall(recall.id, recall.state, to, now).await? {
            return Ok(());
        }
        for told in found {
            self.tell(&mut tx, recall, told, now).await?;
        }
        tx.add_events(&[&self.event(now, Body::RecallStep(body))?]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(())
    }
}
