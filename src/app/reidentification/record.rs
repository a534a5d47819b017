//! A request's row and the log entry of every step: both in one transaction, the row by compare and set.

use serde::{Deserialize, Serialize};

use super::ReidError;
use crate::app::caller::AgencyCaller;
use crate::app::enquire::family::Stage;
use crate::app::enrol::code;
use crate::app::error::AppError;
use crate::app::families::request::FamilyTerms;
use crate::app::gateway::Gateway;
use crate::crypto::random::{random_bytes, uuid_v7};
use crate::domain::family::RecordName;
use crate::domain::ids::{AgencyCode, EventId, OpaqueRef, ReasonCode, ReidentificationId};
use crate::domain::programme::Relationship;
use crate::domain::reidentification::binding::{self, Hash32};
use crate::domain::reidentification::certificate::SignedCertificate;
use crate::domain::reidentification::refusal::Refusal;
use crate::domain::reidentification::request::CanonicalRequest;
use crate::domain::reidentification::state::{Event, State};
use crate::domain::reidentification::vote::Vote;
use crate::domain::tfid::Tfid;
use crate::domain::time::Timestamp;
use crate::store::{NewEvent, RecordUse, StoreError, StoredReid};
use crate::tlog::digest::Digest;
use crate::tlog::entry::{Body, Outcome, ReidCommitments, ReidStep};

/// What the sealed column is padded to, before and with a certificate: a request has one length whether
/// the source has such a record or not.
const SEALED_BYTES: [usize; 2] = [6 * 1024, 40 * 1024];

/// Under what the family was looked at, beside what the canonical request says.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ground {
    pub(super) relationship: Relationship,
    pub(super) case: OpaqueRef,
    /// Whether the person was an adult of the family: a record that became a child's is another person's.
    pub(super) is_adult: bool,
}

/// What the sealed column holds.
#[derive(Serialize, Deserialize)]
pub(super) struct Inside {
    /// The canonical text.
    pub(super) text: String,
    /// The family's number.
    pub(super) family: String,
    /// The person's handle.
    pub(super) person: Option<String>,
    /// The source's record, if it had one that could be seen when it was asked.
    pub(super) record: Option<RecordName>,
    /// By which the look is made again at every step; a row without one releases nothing.
    #[serde(default)]
    pub(super) ground: Option<Ground>,
    /// The certificate in force.
    pub(super) certificate: Option<SignedCertificate>,
}

/// A request with its row opened.
pub(super) struct Opened {
    pub(super) stored: StoredReid,
    pub(super) inside: Inside,
    pub(super) request: CanonicalRequest,
    /// The source's record while it may be named: see [`Gateway::opened_on`].
    pub(super) record: Option<RecordName>,
    /// Policies and records as they were when it was opened; a step is decided anew when they changed.
    pub(super) decided_on: Option<(i64, i64)>,
}

impl Opened {
    /// The hash that the source's approval has to name; `None` when it has no record.
    pub(super) fn record_hash(&self) -> Option<Hash32> {
        let record = self.record.as_ref()?;
        Some(binding::record(&self.stored.request_sha256, &record.feed, &record.reference))
    }
}

/// Who does what, for the entry.
#[derive(Clone, Copy)]
pub(super) struct Doing<'a> {
    pub(super) agency: &'a AgencyCode,
    pub(super) client: &'a str,
    pub(super) step: &'static str,
    pub(super) key: Option<&'a str>,
}

impl<'a> Doing<'a> {
    pub(super) fn new(caller: &'a AgencyCaller, step: &'static str) -> Self {
        Self { agency: &caller.agency, client: &caller.client, step, key: None }
    }
    pub(super) fn with_key(self, key: &'a str) -> Self {
        Self { key: Some(key), ..self }
    }
    /// The gateway itself, for the programme's requester.
    pub(super) fn gateway(agency: &'a AgencyCode, step: &'static str) -> Self {
        Self { agency, client: "gateway", step, key: None }
    }
}

/// What an entry says besides.
#[derive(Default)]
pub(super) struct Said {
    pub(super) to: Option<&'static str>,
    pub(super) rules: Option<Digest>,
    pub(super) approvals: Option<u64>,
    pub(super) certificate: Option<Digest>,
    pub(super) envelope: Option<Digest>,
    pub(super) reason: Option<ReasonCode>,
    pub(super) commitments: Option<ReidCommitments>,
    pub(super) refused: Option<String>,
}

/// A step that was decided: where it leads and what goes with it.
pub(super) struct Move {
    pub(super) event: Event,
    pub(super) said: Said,
    pub(super) vote: Option<Vote>,
    pub(super) certificate: Option<SignedCertificate>,
    pub(super) envelope: Option<Vec<u8>>,
    /// The id of the entry, where the state has to name it.
    pub(super) entry: Option<EventId>,
    /// What the entry of the vote says, where the vote authorises: an entry of its own follows it.
    pub(super) before: Option<Said>,
}

impl Move {
    pub(super) fn new(event: Event) -> Self {
        let (said, before) = (Said::default(), None);
        Self { event, said, vote: None, certificate: None, envelope: None, entry: None, before }
    }
}

/// What a step decided: to move, or to refuse, after moving where that is due.
pub(super) enum Decided {
    Move(Box<Move>),
    Refuse(Refusal),
    /// Refused, and the request is open for votes again.
    Reopen(Refusal),
}

impl Gateway {
    /// Seals what a request's row hides.
    pub(super) fn seal_reid(&self, id: ReidentificationId, inside: &Inside) -> Result<Vec<u8>, AppError> {
        let plain = serde_json::to_vec(inside).map_err(|_| AppError::Internal("a request cannot be written"))?;
        let length = SEALED_BYTES[usize::from(inside.certificate.is_some())];
        let fields = &self.keys().fields;
        let sealed = fields.seal_to_length(self.random(), "reid_request", "sealed", id.as_bytes(), &plain, length);
        sealed.map_err(|_| AppError::Internal("a request is too long"))
    }

    /// A request by id, opened; `None` when there is none of this programme.
    pub(super) async fn open_reid(&self, id: ReidentificationId) -> Result<Option<Opened>, ReidError> {
        let stored = self.store().reid(id).await?.filter(|stored| stored.programme == *self.programme());
        let Some(stored) = stored else { return Ok(None) };
        self.opened_on(&self.family_stage().await?, stored).await.map(Some)
    }

    /// A request as it stands today. The look at the family is made again: once the record is gone, split
    /// off, shielded, kept from use by a right of its person, or its supply has ended, the request is like
    /// one about somebody unknown. The row keeps the record, in case that passes.
    pub(super) async fn opened_on(&self, stage: &Stage, stored: StoredReid) -> Result<Opened, ReidError> {
        let mut opened = self.opened(stored)?;
        opened.decided_on = Some((stage.view.policy_revision, stage.view.generation));
        let (Some(ground), Ok(family)) = (&opened.inside.ground, Tfid::parse(&opened.inside.family)) else {
            return Ok(opened);
        };
        let request = &opened.request;
        let terms = FamilyTerms {
            programme: request.programme.clone(),
            agreement: request.agreement.clone(),
            purpose: request.purpose.clone(),
            relationship: ground.relationship,
            role: request.role.clone(),
            case: ground.case.clone(),
            user: request.user.clone(),
        };
        let asker = AgencyCaller { agency: opened.stored.requester.clone(), client: opened.stored.client.clone() };
        let record = opened.inside.record.as_ref().map(|record| (record, ground.is_adult));
        if self.is_still_of_family(&asker, stage, &terms, &family, record).await? {
            opened.record = opened.inside.record.clone();
        }
        Ok(opened)
    }

    /// By which the person whose record it is finds the entries about the request.
    pub(super) fn record_uses_of(&self, opened: &Opened) -> Vec<RecordUse> {
        let Some(it) = &opened.inside.record else {
            // The index does not tell whether there is a record either.
            return vec![RecordUse { tag: random_bytes(self.random()), is_asked_about: true }];
        };
        vec![self.record_use((&it.agency, &it.feed, &it.reference), true)]
    }

    pub(super) fn opened(&self, stored: StoredReid) -> Result<Opened, AppError> {
        let plain = self.keys().fields.open("reid_request", "sealed", stored.id.as_bytes(), &stored.sealed);
        let plain = plain.map_err(|_| StoreError::Corrupt("a sealed request does not open"))?;
        let inside: Inside = serde_json::from_slice(&plain).map_err(|_| StoreError::Corrupt("a sealed request"))?;
        let request = CanonicalRequest::parse(&inside.text).map_err(|_| StoreError::Corrupt("a canonical request"))?;
        if request.hash() != stored.request_sha256 {
            return Err(StoreError::Corrupt("a canonical request").into());
        }
        Ok(Opened { stored, inside, request, record: None, decided_on: None })
    }

    /// The entry of a step.
    pub(super) fn reid_entry(
        &self,
        id: EventId,
        now: Timestamp,
        doing: Doing<'_>,
        of: Option<&Opened>,
        said: Said,
    ) -> Result<NewEvent, AppError> {
        let request = of.map(|opened| &opened.request);
        let digest = |hash: &Hash32| Digest::new(*hash.as_bytes());
        let body = ReidStep {
            request: of.map(|opened| opened.stored.id),
            request_sha256: of.map(|opened| digest(&opened.stored.request_sha256)),
            step: code(doing.step)?,
            from: of
                .map(|opened| opened.stored.state.word())
                .filter(|_| doing.step != "request")
                .map(code)
                .transpose()?,
            to: said.to.map(code).transpose()?,
            agency: doing.agency.clone(),
            client: code(doing.client)?,
            key: doing.key.map(code).transpose().ok().flatten(),
            handling: request.map(|request| code(request.handling.as_str())).transpose()?,
            agreement: request.map(|request| request.agreement.clone()),
            agreement_sha256: request.map(|request| digest(&request.agreement_sha256)),
            rules_sha256: said.rules,
            term: request.map(|request| code(request.term.as_str())).transpose()?,
            source: request.map(|request| request.source.clone()),
            purpose: request.map(|request| request.purpose.clone()),
            power: request.map(|request| request.power.clone()),
            role: request.map(|request| request.role.clone()),
            approvals: said.approvals,
            certificate_sha256: said.certificate,
            envelope_sha256: said.envelope,
            reason: said.reason.as_ref().map(|reason| code(reason.as_str())).transpose()?,
            outcome: said.refused.as_deref().map_or(Ok(Outcome::Answered), |word| code(word).map(Outcome::Refused))?,
            commitments: said.commitments,
        };
        let mut event = self.event_with_id(id, now, Body::ReidStep(Box::new(body)))?;
        event.recipient = Some(doing.agency.to_string());
        event.agreement = request.map(|request| request.agreement.to_string());
        event.purpose = request.map(|request| request.purpose.to_string());
        event.outcome = Some(if said.refused.is_some() { "refused" } else { "answered" }.to_owned());
        Ok(event)
    }

    /// Logs a refusal; gives the error that says it.
    ///
    /// One as unknown names no request: its entry is like one about a request that never was, since the
    /// source of a known one would be told of its record by nothing else.
    pub(super) async fn refuse_reid(&self, doing: Doing<'_>, of: Option<&Opened>, refusal: Refusal) -> ReidError {
        let of = of.filter(|_| refusal != Refusal::Unknown);
        let logged = async {
            let now = self.store().now().await?;
            let id = EventId::new(uuid_v7(now, self.random()));
            let said = Said { refused: Some(refusal.code().to_owned()), ..Said::default() };
            let entry = self.reid_entry(id, now, doing, of, said)?;
            let mut tx = self.store().begin().await?;
            tx.add_events(&[&entry]).await?;
            tx.commit().await?;
            self.wake_sequencer();
            Ok::<_, AppError>(id)
        };
        match logged.await {
            Ok(disclosure) => ReidError::Refused { refusal, disclosure },
            Err(error) => error.into(), // what cannot be logged is not told either
        }
    }

    /// The request that a step is about, as it is now.
    pub(super) async fn found_reid(&self, doing: Doing<'_>, id: ReidentificationId) -> Result<Opened, ReidError> {
        match self.open_reid(id).await? {
            Some(opened) => Ok(opened),
            None => Err(self.refuse_reid(doing, None, Refusal::Unknown).await),
        }
    }

    /// Likewise, while its time is not up. One of which it is up is ended here.
    pub(super) async fn due_reid(
        &self,
        doing: Doing<'_>,
        id: ReidentificationId,
    ) -> Result<(Opened, Timestamp), ReidError> {
        let opened = self.found_reid(doing, id).await?;
        let now = self.in_time(doing, &opened).await?;
        Ok((opened, now))
    }

    /// The time, while a request's own is not up. One of which it is up is ended here.
    pub(super) async fn in_time(&self, doing: Doing<'_>, opened: &Opened) -> Result<Timestamp, ReidError> {
        let now = self.store().now().await?;
        let is_over = opened.stored.expires_at <= now || opened.stored.state.has_lapsed(now);
        if is_over && !opened.stored.state.is_end() {
            self.expire_reid(opened, now).await?;
        }
        if is_over && !matches!(opened.stored.state, State::Closed { .. }) {
            return Err(self.refuse_reid(doing, Some(opened), Refusal::Expired).await);
        }
        Ok(now)
    }

    /// Does what was decided, with its entry in one transaction; `None` when somebody else moved the
    /// request meanwhile: then nothing was done, and it has to be decided anew.
    pub(super) async fn take_reid(
        &self,
        doing: Doing<'_>,
        opened: Opened,
        decided: Decided,
        now: Timestamp,
    ) -> Result<Option<Opened>, ReidError> {
        match decided {
            Decided::Refuse(refusal) => Err(self.refuse_reid(doing, Some(&opened), refusal).await),
            Decided::Reopen(refusal) => {
                let requester = opened.stored.requester.clone();
                let reopen = Doing::gateway(&requester, "reopen");
                match self.move_reid(reopen, opened, Move::new(Event::Reopen), now).await? {
                    Some(reopened) => Err(self.refuse_reid(doing, Some(&reopened), refusal).await),
                    None => Ok(None),
                }
            }
            Decided::Move(step) => self.move_reid(doing, opened, *step, now).await,
        }
    }

    /// Ends a request whose time is up, and removes its envelope.
    pub(super) async fn expire_reid(&self, opened: &Opened, now: Timestamp) -> Result<(), ReidError> {
        let doing = Doing::gateway(&opened.stored.requester, "expire");
        let again = self.opened(opened.stored.clone())?;
        self.move_reid(doing, again, Move::new(Event::Expire), now).await.map(drop)
    }

    /// `None` when somebody else moved it meanwhile.
    async fn move_reid(
        &self,
        doing: Doing<'_>,
        mut opened: Opened,
        step: Move,
        now: Timestamp,
    ) -> Result<Option<Opened>, ReidError> {
        let is_collected = step.event == Event::Collect;
        let Some(to) = opened.stored.state.after(step.event, now) else {
            return Err(self.refuse_reid(doing, Some(&opened), Refusal::NotDue).await);
        };
        let id = step.entry.unwrap_or_else(|| EventId::new(uuid_v7(now, self.random())));
        let mut entries = Vec::new();
        let mut last = doing;
        if let Some(said) = step.before {
            let first = EventId::new(uuid_v7(now, self.random()));
            entries.push(self.reid_entry(first, now, doing, Some(&opened), said)?);
            last = Doing::gateway(&opened.stored.requester, "authorise");
        }
        let mut entry = self.reid_entry(id, now, last, Some(&opened), Said { to: Some(to.word()), ..step.said })?;
        if is_collected {
            entry.records = self.record_uses_of(&opened);
        }
        entries.push(entry);
        opened.inside.certificate = match (&to, step.certificate) {
            (_, Some(certificate)) => Some(certificate),
            (State::Certified { .. } | State::Answered { .. } | State::Collected { .. }, None) => {
                opened.inside.certificate
            }
            _ => None,
        };
        let sealed = self.seal_reid(opened.stored.id, &opened.inside)?;
        // The ciphertext stays exactly as long as somebody may fetch it.
        let keeps = matches!(to, State::Answered { .. } | State::Collected { .. });
        let held = opened.stored.envelope.is_some();
        let envelope = step.envelope.or(opened.stored.envelope.take()).filter(|_| keeps);
        let is_removed = held && envelope.is_none();
        let mut tx = self.store().begin().await?;
        if opened.decided_on.is_some() && tx.decided_on(self.programme()).await? != opened.decided_on {
            return Ok(None);
        }
        if !tx.move_reid(&opened.stored, &to, &sealed, envelope.as_deref()).await? {
            return Ok(None);
        }
        if let Some(vote) = &step.vote
            && !tx.put_reid_vote(opened.stored.id, vote).await?
        {
            return Ok(None);
        }
        tx.add_events(&entries.iter().collect::<Vec<_>>()).await?;
        tx.commit().await?;
        self.wake_sequencer();
        if is_removed && !self.store().empty_write_ahead_log().await? {
            tracing::warn!("a removed envelope is still in the write-ahead log, until that is emptied");
        }
        opened.stored =
            StoredReid { state: to, sealed, envelope, revision: opened.stored.revision + 1, ..opened.stored };
        Ok(Some(opened))
    }

    /// Seals requests again under the current key-encryption key; without `changes` only counts.
    pub(in crate::app) async fn reseal_reids(&self, changes: bool) -> Result<(u64, u64), AppError> {
        const PAGE: i64 = 200;
        let fields = &self.keys().fields;
        let (mut after, mut current, mut old) = ([0; 16], 0, 0);
        loop {
            let page = self.store().sealed_reids(&after, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok((current, old)) };
            after = *last.as_bytes();
            let mut tx = self.store().begin().await?;
            for (id, sealed) in &page {
                if fields.is_current(sealed) {
                    current += 1;
                    continue;
                }
                old += 1;
                if changes {
                    let again = fields.reseal(self.random(), "reid_request", "sealed", id.as_bytes(), sealed);
                    let again = again.map_err(|_| StoreError::Corrupt("a sealed request does not open"))?;
                    tx.replace_sealed_reid(*id, sealed, &again).await?;
                }
            }
            tx.commit().await?;
        }
    }
}
