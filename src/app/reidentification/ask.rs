//! The data team asks who somebody is.

use serde::{Deserialize, Serialize};

use super::record::{Doing, Ground, Inside, Opened, Said};
use super::view::ReidView;
use super::{MOST_TRIES, ReidError};
use crate::app::caller::AgencyCaller;
use crate::app::emergency::{UNREVIEWED, awaiting_review};
use crate::app::enquire::EnquiryError;
use crate::app::error::AppError;
use crate::app::families::request::FamilyTerms;
use crate::app::families::subject::{SubjectLook, Wanted};
use crate::app::gateway::Gateway;
use crate::crypto::random::uuid_v7;
use crate::crypto::seal::SealPublicKey;
use crate::domain::ids::{
    AgencyCode, AgreementRef, EventId, OpaqueRef, PowerCode, PurposeCode, ReidentificationId, RoleCode,
};
use crate::domain::programme::Relationship;
use crate::domain::reidentification::binding::{self, Hash32};
use crate::domain::reidentification::request::{CanonicalRequest, Recipient};
use crate::domain::reidentification::state::State;
use crate::domain::reidentification::{Field, Handling};
use crate::domain::tfid::Tfid;
use crate::domain::token::decode_base64url;
use crate::policy::reidentify::{MayAsk, WhoTerms, may_ask_who};
use crate::policy::rules::RuleHit;
use crate::store::{CeilingKey, NewEvent, NewReid, ReidKeyKind, StoredReid};
use crate::tlog::digest::Digest;
use crate::tlog::entry::ReidCommitments;

/// Room for a subject or a reference in its opening.
const SHORT: usize = 128;
/// Room for a reason in its opening.
const REASON: usize = 2560;

/// What the data team asks: about one person, of one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReidentification {
    /// The agreement whose re-identification term allows it.
    #[schema(value_type = String, example = "programme-delivery/v1")]
    pub agreement: AgreementRef,
    /// Which agency is asked, about a record of its own.
    #[schema(value_type = String)]
    pub source: AgencyCode,
    /// The family.
    #[schema(value_type = String)]
    pub family: Tfid,
    /// The person's handle, from a lookup of the family; without one, an adult of the family.
    #[serde(default)]
    pub person: Option<String>,
    /// 32 random bytes of the requester's, base64url: nobody else can find out from the canonical
    /// request whom it is about.
    pub nonce: String,
    /// What for.
    #[schema(value_type = String)]
    pub purpose: PurposeCode,
    /// On which statute.
    #[schema(value_type = String)]
    pub power: PowerCode,
    /// On the strength of which relationship.
    pub relationship: Relationship,
    /// In which role.
    #[schema(value_type = String)]
    pub role: RoleCode,
    /// The team's own keyed reference of the piece of work.
    #[schema(value_type = String)]
    pub case: OpaqueRef,
    /// The team's own keyed reference of the person who asks.
    #[schema(value_type = String)]
    pub user: OpaqueRef,
    /// What is asked for, and no more.
    pub fields: Vec<Field>,
    /// Why this person: 20 to 500 characters, on one line.
    pub reason: String,
    /// The enrolled key that the identity is sealed to.
    pub recipient: String,
    /// For how many hours it may wait: 72 at the most, 4 in an emergency.
    pub hours: u32,
    /// Ordinary, or an emergency.
    pub handling: Handling,
}

impl NewReidentification {
    fn terms(&self, caller: &AgencyCaller) -> WhoTerms {
        WhoTerms {
            requester: caller.agency.clone(),
            agreement: self.agreement.clone(),
            source: self.source.clone(),
            purpose: self.purpose.clone(),
            power: self.power.clone(),
            role: self.role.clone(),
            fields: self.fields.iter().copied().collect(),
            emergency: self.handling == Handling::Emergency,
        }
    }

    fn look(&self, gateway: &Gateway) -> FamilyTerms {
        FamilyTerms {
            programme: gateway.programme().clone(),
            agreement: self.agreement.clone(),
            purpose: self.purpose.clone(),
            relationship: self.relationship,
            role: self.role.clone(),
            case: self.case.clone(),
            user: self.user.clone(),
        }
    }
}

impl Gateway {
    /// Takes in a request to re-identify somebody.
    ///
    /// # Errors
    ///
    /// [`ReidError`]; what the agreements or the ceiling refuse is in the log.
    pub async fn request_reidentification(
        &self,
        caller: &AgencyCaller,
        new: &NewReidentification,
        key: &str,
    ) -> Result<ReidView, ReidError> {
        let body_tag = self.request_hash(&caller.client, new)?;
        for _ in 0..MOST_TRIES {
            if let Some(before) = self.store().reid_of_key(&caller.client, key).await? {
                if before.body_tag != body_tag {
                    return Err(ReidError::KeyReused);
                }
                return self.requester_view(self.opened(before)?).await;
            }
            if let Some(view) = self.try_request(caller, new, key, body_tag).await? {
                return Ok(view);
            }
        }
        Err(AppError::Interrupted.into())
    }

    /// `None` when agreements or records changed between the decision and the commit.
    async fn try_request(
        &self,
        caller: &AgencyCaller,
        new: &NewReidentification,
        key: &str,
        body_tag: [u8; 32],
    ) -> Result<Option<ReidView>, ReidError> {
        let stage = self.family_stage().await?;
        let now = stage.view.now;
        let doing = Doing::new(caller, "request");
        // Decided before any record is read.
        let book = stage.policies.book();
        let rules = Digest::new(*book.rules().hash().as_bytes());
        let may = match may_ask_who(book, &new.terms(caller), now) {
            Ok(may) => may,
            Err(hits) => return Err(self.refuse_request(doing, hits).await),
        };
        let is_emergency = new.handling == Handling::Emergency;
        if is_emergency && self.store().overdue_emergencies(&caller.client, now).await? > 0 {
            return Err(self.refuse_unreviewed(doing).await);
        }
        let recipient = self.store().reid_key(&new.recipient).await?;
        let is_ours = |key: &crate::store::ReidKey| key.kind == ReidKeyKind::Recipient && key.agency == caller.agency;
        let seal_key = recipient.filter(is_ours).and_then(|key| key.seal_key).ok_or(ReidError::Recipient)?;
        let nonce = decode_base64url::<32>(&new.nonce).ok_or(ReidError::Nonce)?;
        let id = ReidentificationId::new(uuid_v7(now, self.random()));
        let recipient = Recipient {
            key_id: new.recipient.clone(),
            seal_key: SealPublicKey::from_bytes(&seal_key).map_err(|_| AppError::Internal("a sealing key"))?.to_text(),
        };
        let request = CanonicalRequest {
            agreement: new.agreement.clone(),
            agreement_sha256: Hash32::new(*may.agreement.as_bytes()),
            approvals: if new.handling == Handling::Emergency { 2 } else { may.term.approvals },
            at: now,
            client: caller.client.clone(),
            expires_at: now.plus_seconds(i64::from(new.hours) * 3600),
            fields: new.terms(caller).fields.into_iter().collect(),
            handling: new.handling,
            id,
            power: new.power.clone(),
            programme: self.programme().clone(),
            purpose: new.purpose.clone(),
            reason: new.reason.clone(),
            recipient,
            requester: caller.agency.clone(),
            role: new.role.clone(),
            source: new.source.clone(),
            subject: binding::subject(&nonce, &new.family, new.person.as_deref()),
            term: may.term.id.clone(),
            user: new.user.clone(),
            v: 1,
        };
        request.check()?;
        let wanted = Wanted { family: &new.family, person: new.person.as_deref(), source: &new.source };
        let SubjectLook::Looked(record) = self.family_subject(caller, &stage, &new.look(self), wanted).await? else {
            return Ok(None);
        };
        let text = request.text();
        let (family, person) = (new.family.to_text(), new.person.clone());
        let (record, is_adult) = record.map_or((None, false), |(record, is_adult)| (Some(record), is_adult));
        let ground = Some(Ground { relationship: new.relationship, case: new.case.clone(), is_adult });
        let inside = Inside { text, family, person, record, ground, certificate: None };
        let opened = self.new_request(caller, request, inside, body_tag)?;
        let entry = self.request_entry(doing, &opened, new, rules)?;
        self.commit_request(caller, opened, key, &may, entry, (stage.view.policy_revision, stage.view.generation)).await
    }

    fn new_request(
        &self,
        caller: &AgencyCaller,
        request: CanonicalRequest,
        inside: Inside,
        body_tag: [u8; 32],
    ) -> Result<Opened, ReidError> {
        let stored = StoredReid {
            id: request.id,
            programme: self.programme().clone(),
            requester: caller.agency.clone(),
            client: caller.client.clone(),
            source: request.source.clone(),
            body_tag,
            request_sha256: request.hash(),
            sealed: self.seal_reid(request.id, &inside)?,
            state: State::Voting {},
            revision: 0,
            expires_at: request.expires_at,
            envelope: None,
        };
        Ok(Opened { stored, record: inside.record.clone(), inside, request, decided_on: None })
    }

    fn request_entry(
        &self,
        doing: Doing<'_>,
        opened: &Opened,
        new: &NewReidentification,
        rules: Digest,
    ) -> Result<NewEvent, AppError> {
        let id = EventId::new(uuid_v7(opened.request.at, self.random()));
        let mut openings = Vec::new();
        let mut commit = |field: &'static str, value: String, length| {
            let (commitment, sealed) = self.commit(id, field, value.into_bytes(), length)?;
            openings.push((field, sealed));
            Ok::<_, AppError>(commitment)
        };
        let person = new.person.as_deref().unwrap_or_default();
        let commitments = ReidCommitments {
            actor: commit("actor", new.user.as_str().to_owned(), SHORT)?,
            case: commit("case", new.case.as_str().to_owned(), SHORT)?,
            subject: commit("subject", format!("{} {person}", opened.inside.family), SHORT)?,
            reason: commit("reason", new.reason.clone(), REASON)?,
        };
        let said = Said {
            to: Some(opened.stored.state.word()),
            rules: Some(rules),
            approvals: Some(0),
            commitments: Some(commitments),
            ..Said::default()
        };
        let mut entry = self.reid_entry(id, opened.request.at, doing, Some(opened), said)?;
        entry.openings = openings;
        entry.records = self.record_uses_of(opened);
        Ok(entry)
    }

    async fn commit_request(
        &self,
        caller: &AgencyCaller,
        opened: Opened,
        key: &str,
        may: &MayAsk,
        entry: NewEvent,
        decided_on: (i64, i64),
    ) -> Result<Option<ReidView>, ReidError> {
        let (now, stored) = (opened.request.at, &opened.stored);
        let ceiling = CeilingKey {
            agreement: opened.request.agreement.to_string(),
            clause: may.term.id.to_string(),
            recipient: caller.agency.to_string(),
            day: now.as_seconds().div_euclid(86_400),
        };
        let mut tx = self.store().begin().await?;
        if tx.decided_on(self.programme()).await? != Some(decided_on) {
            return Ok(None);
        }
        if tx.charge(&ceiling, 1).await? >= i64::from(may.term.daily_ceiling) {
            tx.refund(&ceiling, 1).await?;
            let id = EventId::new(uuid_v7(now, self.random()));
            let said = Said { refused: Some("ceiling".to_owned()), ..Said::default() };
            let refusal = self.reid_entry(id, now, Doing::new(caller, "request"), Some(&opened), said)?;
            tx.add_events(&[&refusal]).await?;
            tx.commit().await?;
            self.wake_sequencer();
            let receipt = self.receipt(id, refusal.leaf_hash, now)?;
            return Err(EnquiryError::CeilingReached { disclosure: id, receipt }.into());
        }
        let new = NewReid {
            id: stored.id,
            entry: entry.id,
            programme: stored.programme.clone(),
            requester: stored.requester.clone(),
            client: stored.client.clone(),
            source: stored.source.clone(),
            idempotency_key: key.to_owned(),
            body_tag: stored.body_tag,
            request_sha256: stored.request_sha256,
            sealed: stored.sealed.clone(),
            created_at: now,
            expires_at: stored.expires_at,
        };
        if !tx.add_reid(&new).await? {
            return Ok(None); // the same call was first: its request is given
        }
        tx.add_events(&[&entry]).await?;
        if opened.request.handling == Handling::Emergency {
            tx.add_emergency(self.programme(), &awaiting_review(entry.id, caller, now)).await?;
        }
        tx.commit().await?;
        self.wake_sequencer();
        self.requester_view(opened).await.map(Some)
    }

    /// Logs what the agreements refuse.
    async fn refuse_request(&self, doing: Doing<'_>, hits: Vec<RuleHit>) -> ReidError {
        let rule = hits.first().map_or("refused", |hit| hit.rule.as_str());
        match self.log_refused_request(doing, rule).await {
            Ok((disclosure, receipt)) => EnquiryError::NotPermitted { disclosure, hits, receipt }.into(),
            Err(error) => error.into(),
        }
    }

    /// Logs that an earlier emergency of the same system has not been reviewed in time.
    async fn refuse_unreviewed(&self, doing: Doing<'_>) -> ReidError {
        match self.log_refused_request(doing, UNREVIEWED.0).await {
            Ok((disclosure, receipt)) => EnquiryError::EmergencyUnreviewed { disclosure, receipt }.into(),
            Err(error) => error.into(),
        }
    }

    async fn log_refused_request(&self, doing: Doing<'_>, rule: &str) -> Result<(EventId, String), AppError> {
        let now = self.store().now().await?;
        let id = EventId::new(uuid_v7(now, self.random()));
        let said = Said { refused: Some(rule.to_owned()), ..Said::default() };
        let entry = self.reid_entry(id, now, doing, None, said)?;
        let mut tx = self.store().begin().await?;
        tx.add_events(&[&entry]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok((id, self.receipt(id, entry.leaf_hash, now)?))
    }
}
