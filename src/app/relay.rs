//! Sealed linkage keys pass from a key custodian to an agency through the gateway, which can open none:
//! it holds no key that they are sealed to. What the agency acknowledged is removed; every step is a
//! log entry in the same transaction.

use std::collections::BTreeSet;

use super::caller::AgencyCaller;
use super::enrol::{code, key_event};
use super::error::AppError;
use super::gateway::Gateway;
use super::policies::Policies;
use crate::crypto::random::uuid_v7;
use crate::crypto::seal;
use crate::domain::agreement::{AgreementStatus, Party};
use crate::domain::ids::{AgencyCode, GrantId, TokenType};
use crate::domain::time::Timestamp;
use crate::store::{NewGrant, StoreError, Tx, WaitingGrant};
use crate::tlog::digest::Digest;

/// What the keys in a grant are padded to: room for every type of the largest match-key file.
pub const GRANT_PADDED: usize = 16 * 1024;
/// How long every sealed grant is: its length tells nothing of how many keys are in it.
pub const GRANT_BYTES: usize = GRANT_PADDED + seal::OVERHEAD;
/// Grants that may wait for one agency at a time.
const MOST_WAITING: i64 = 8;
/// How long a grant waits for its agency, in seconds: thirty days.
const LONGEST_WAIT_SECONDS: i64 = 30 * 86_400;

/// Why a grant is not passed on.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The caller's agency file does not make it a custodian.
    #[error("the caller's agency is not a key custodian of the programme")]
    NotCustodian,
    /// The recipient has no such sealing key enrolled.
    #[error("the recipient has not enrolled a sealing key of this id")]
    Recipient,
    /// An agreement gives the recipient fewer token types.
    #[error("the recipient's agreements do not give it the keys of every type named")]
    TokenType,
    /// No type is named.
    #[error("a grant names the types that are in it")]
    NoTypes,
    /// Not the length that every grant has.
    #[error("not a sealed grant: every one has the same length")]
    Sealed,
    /// Another request had the same idempotency key.
    #[error("the idempotency key belongs to another request")]
    KeyReused,
    /// Too many wait for the agency already.
    #[error("too many grants wait for the recipient; it has to fetch them first")]
    TooMany,
    /// The caller has no such grant.
    #[error("no such grant is addressed to the caller")]
    Unknown,
    /// Anything else.
    #[error(transparent)]
    App(#[from] AppError),
}

impl From<StoreError> for RelayError {
    fn from(error: StoreError) -> Self {
        Self::App(error.into())
    }
}

/// A grant as a custodian hands it over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handover {
    /// For which agency.
    pub recipient: AgencyCode,
    /// Sealed to which of its keys.
    pub sealing_key: String,
    /// Linkage key epoch.
    pub epoch: u32,
    /// The types whose keys are in it, as the custodian states them.
    pub types: BTreeSet<TokenType>,
    /// The sealed bytes.
    pub sealed: Vec<u8>,
}

impl Policies {
    /// The token types whose keys an agency's agreements give it: those that they list for it, every
    /// type of the programme where none lists any. Types made of old hash values only where an
    /// agreement says that it takes them from this agency. A draft gives nothing: nobody signed it.
    pub fn granted_types(&self, agency: &AgencyCode) -> BTreeSet<TokenType> {
        let stands = |status| {
            use AgreementStatus::{Draft, Expired, InForce, Signed, Suspended, Withdrawn};
            match status {
                Signed | InForce | Suspended => true, // who is stopped for a while keeps the keys it has
                Draft | Expired | Withdrawn => false,
            }
        };
        let agreements = self.book().agreements().filter(|agreement| stands(agreement.status));
        let parties = agreements.flat_map(|agreement| agreement.text.parties());
        let own: Vec<&Party> = parties.filter(|party| party.agency == *agency).collect();
        if own.is_empty() {
            return BTreeSet::new(); // an agency without any agreement has no use for a key
        }
        let listed: BTreeSet<&TokenType> = own.iter().flat_map(|party| &party.token_types).collect();
        let takes_legacy = own.iter().any(|party| party.legacy_tokens.is_some());
        let is_granted = |token_type: &&TokenType| {
            let is_legacy = self.match_keys().is_legacy(token_type);
            if is_legacy { takes_legacy } else { listed.is_empty() || listed.contains(token_type) }
        };
        self.token_types().filter(is_granted).cloned().collect()
    }
}

impl Gateway {
    /// Takes a custodian's grant and keeps it until its agency has it. A repeat of the same request
    /// keeps nothing twice.
    ///
    /// # Errors
    ///
    /// [`RelayError`]; nothing is kept then.
    pub async fn post_grant(
        &self,
        caller: &AgencyCaller,
        handover: &Handover,
        idempotency_key: &str,
    ) -> Result<GrantId, RelayError> {
        let policies = self.current_policies().await?;
        if !policies.agency(&caller.agency).is_some_and(crate::domain::agency::Agency::is_key_custodian) {
            return Err(RelayError::NotCustodian);
        }
        if handover.sealed.len() != GRANT_BYTES {
            return Err(RelayError::Sealed);
        }
        if handover.types.is_empty() {
            return Err(RelayError::NoTypes);
        }
        if !handover.types.is_subset(&policies.granted_types(&handover.recipient)) {
            return Err(RelayError::TokenType);
        }
        let digest = Digest::of(&handover.sealed);
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        if let Some((id, recipient, earlier)) = tx.grant_of_request(&caller.agency, idempotency_key).await? {
            let is_same = recipient == handover.recipient && earlier == *digest.as_bytes();
            return if is_same { Ok(id) } else { Err(RelayError::KeyReused) };
        }
        if !tx.has_sealing_key(&handover.sealing_key, &handover.recipient).await? {
            return Err(RelayError::Recipient);
        }
        if tx.waiting_grant_count(&handover.recipient).await? >= MOST_WAITING {
            return Err(RelayError::TooMany);
        }
        let grant = NewGrant {
            id: GrantId::new(uuid_v7(now, self.random())),
            sender: caller.agency.clone(),
            idempotency_key: idempotency_key.to_owned(),
            recipient: handover.recipient.clone(),
            sealing_key: handover.sealing_key.clone(),
            epoch: handover.epoch,
            digest: *digest.as_bytes(),
            sealed: handover.sealed.clone(),
            posted_at: now,
        };
        if !tx.add_grant(&grant).await? {
            return Err(RelayError::KeyReused);
        }
        let event = grant_event("granted", handover.epoch, &caller.client, &handover.recipient, digest)?;
        tx.add_events(&[&self.event(now, event)?]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(grant.id)
    }

    /// The grants that wait for the caller's agency. The first time that one is fetched is logged
    /// before it leaves.
    ///
    /// # Errors
    ///
    /// [`RelayError::App`].
    pub async fn waiting_grants(&self, caller: &AgencyCaller) -> Result<Vec<WaitingGrant>, RelayError> {
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        let grants = tx.waiting_grants(&caller.agency).await?;
        for grant in grants.iter().filter(|grant| !grant.is_fetched) {
            if tx.mark_grant_fetched(grant.id, now).await? {
                let digest = Digest::of(&grant.sealed);
                let event = grant_event("fetched", grant.epoch, &caller.client, &caller.agency, digest)?;
                tx.add_events(&[&self.event(now, event)?]).await?;
            }
        }
        tx.commit().await?;
        self.wake_sequencer();
        Ok(grants)
    }

    /// Removes the ciphertext of a grant that the caller's agency has opened and keeps. A repeat
    /// changes nothing.
    ///
    /// # Errors
    ///
    /// [`RelayError::Unknown`] for a grant that is not addressed to the caller, or that it never fetched.
    pub async fn acknowledge_grant(&self, caller: &AgencyCaller, id: GrantId) -> Result<(), RelayError> {
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        let grant = tx.grant(id).await?.filter(|grant| grant.recipient == caller.agency && grant.is_fetched);
        let grant = grant.ok_or(RelayError::Unknown)?;
        if tx.acknowledge_grant(id, now).await? {
            let digest = Digest::new(grant.digest);
            let event = grant_event("acknowledged", grant.epoch, &caller.client, &caller.agency, digest)?;
            tx.add_events(&[&self.event(now, event)?]).await?;
        }
        tx.commit().await?;
        self.wake_sequencer();
        Ok(())
    }
}

/// Who lets grants lapse, in the log.
const CLEAN_UP: &str = "gateway:clean-up";

impl Gateway {
    /// Removes the ciphertext of grants that waited too long; each is an entry. Returns whether there
    /// were any.
    pub(super) async fn lapse_grants(&self, tx: &mut Tx, now: Timestamp) -> Result<bool, AppError> {
        let lapsed = tx.lapse_grants(now.plus_seconds(-LONGEST_WAIT_SECONDS), now).await?;
        for grant in &lapsed {
            let digest = Digest::new(grant.digest);
            let event = grant_event("lapsed", grant.epoch, CLEAN_UP, &grant.recipient, digest)?;
            tx.add_events(&[&self.event(now, event)?]).await?;
        }
        Ok(!lapsed.is_empty())
    }
}

fn grant_event(
    action: &str,
    epoch: u32,
    client: &str,
    recipient: &AgencyCode,
    digest: Digest,
) -> Result<crate::tlog::entry::Body, AppError> {
    code(client)?;
    key_event(&format!("epoch-{epoch}"), "linkage-grant", action, Some(digest), client, recipient.as_str())
}
