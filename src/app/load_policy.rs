//! Policy files and signed agreements come into use; agreements change their status.

use std::sync::Arc;

use super::enrol::code;
use super::error::AppError;
use super::gateway::Gateway;
use super::policies::{NORM, Policies, agencies_digest, kinds};
use crate::crypto::sign::VerifyingKey;
use crate::domain::agency::Agency;
use crate::domain::agreement::{Agreement, AgreementText};
use crate::domain::ids::{AgreementRef, ProgrammeCode};
use crate::domain::match_keys::MatchKeys;
use crate::domain::programme::Programme;
use crate::domain::time::Timestamp;
use crate::policy::book::PolicyBook;
use crate::policy::rules::RuleBook;
use crate::policy::self_test::self_test;
use crate::store::{NewEvent, Store, StoredDocument, Tx};
use crate::tlog::digest::Digest;
use crate::tlog::entry::{
    AgreementSignature, AgreementState, AgreementStatus as StatusEntry, Body, LoadedAgreement, PolicyLoad,
};

/// The policy files as read from a folder.
#[derive(Debug, Clone, Default)]
pub struct PolicyFiles {
    /// `programme.toml`.
    pub programme: Vec<u8>,
    /// `match-keys.toml`.
    pub match_keys: Vec<u8>,
    /// `agencies/*.toml`.
    pub agencies: Vec<Vec<u8>>,
    /// `rules/*`, by file name.
    pub rules: Vec<(String, Vec<u8>)>,
    /// `agreements/*.toml`.
    pub agreements: Vec<Vec<u8>>,
}

/// A party's signature under an agreement's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartySignature {
    /// Which agreement.
    pub agreement: AgreementRef,
    /// Which enrolled key signed.
    pub key_id: String,
    /// Ed25519 over the text's bytes.
    pub signature: Vec<u8>,
}

impl Gateway {
    /// Takes policy files into use. Agreements that are new begin as drafts; a text that changed
    /// under the same version is refused.
    ///
    /// # Errors
    ///
    /// [`AppError::Policy`] saying which file does not parse or does not fit; nothing is changed then.
    pub async fn load_policies(&self, files: &PolicyFiles, by: &str) -> Result<(), AppError> {
        let documents = documents(files, self.programme())?;
        let agreements = files
            .agreements
            .iter()
            .map(|bytes| AgreementText::parse(bytes).map_err(|faults| AppError::Policy(format!("agreement: {faults}"))))
            .collect::<Result<Vec<_>, _>>()?;
        let match_keys = match_keys(files)?;
        self.refuse_relinking(files).await?;
        let rules = self.rehearse(files, &agreements).await?;
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        tx.ensure_programme(self.programme()).await?;
        // What is not among these files is no longer in use.
        tx.clear_current_documents().await?;
        for document in &documents {
            tx.put_document(document, now).await?;
        }
        for agency in &files.agencies {
            let agency = Agency::parse(agency).map_err(|faults| AppError::Policy(faults.to_string()))?;
            tx.ensure_agency(agency.code(), now).await?;
        }
        for token_type in match_keys.token_types() {
            tx.ensure_token_kind(self.programme(), token_type, NORM).await?;
        }
        for text in &agreements {
            tx.add_agreement(text.reference(), text.bytes(), text.hash().as_bytes(), now).await?;
        }
        let revision = tx.raise_policy_revision(Some(self.programme())).await?;
        let body = Body::PolicyLoad(PolicyLoad {
            programme: self.programme().clone(),
            revision: revision as u64,
            programme_sha256: Digest::of(&files.programme),
            match_keys_sha256: Digest::of(&files.match_keys),
            rules_sha256: Digest::new(*rules.hash().as_bytes()),
            agencies_sha256: agencies_digest(documents.iter().filter(|document| document.kind == kinds::AGENCY)),
            agreements: agreements
                .iter()
                .map(|text| LoadedAgreement {
                    agreement: text.reference().clone(),
                    sha256: Digest::new(*text.hash().as_bytes()),
                })
                .collect(),
            by: code(by)?,
        });
        tx.add_events(&[&self.event(now, body)?]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        self.current_policies().await.map(drop)
    }

    /// Makes the book that would decide and asks it canned questions, before anything is changed.
    async fn rehearse(&self, files: &PolicyFiles, new: &[AgreementText]) -> Result<Arc<RuleBook>, AppError> {
        let refuse = |error: &dyn std::fmt::Display| AppError::Policy(error.to_string());
        let programme = Programme::parse(&files.programme).map_err(|faults| refuse(&faults))?;
        let agencies: Vec<Agency> = files
            .agencies
            .iter()
            .map(|bytes| Agency::parse(bytes).map_err(|faults| refuse(&faults)))
            .collect::<Result<_, _>>()?;
        let rules = RuleBook::load(files.rules.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
        let rules = Arc::new(rules.map_err(|error| refuse(&error))?);
        let mut agreements = super::policies::agreements(self.store()).await?;
        for text in new {
            if !agreements.iter().any(|known| known.text.reference() == text.reference()) {
                agreements.push(Agreement::in_force(Arc::new(text.clone())));
            }
        }
        let book = PolicyBook::new(Arc::new(programme), agencies, agreements, Arc::clone(&rules), 0);
        self_test(&book.map_err(|error| refuse(&error))?).map_err(|error| refuse(&error))?;
        Ok(rules)
    }

    /// Records are linked, and shields drawn, by the match keys under which they arrived.
    async fn refuse_relinking(&self, files: &PolicyFiles) -> Result<(), AppError> {
        let Ok(policies) = self.current_policies().await else {
            return Ok(()); // nothing is loaded yet
        };
        let is_same = policies.match_keys().sha256() == Digest::of(&files.match_keys).as_bytes();
        let view = self.store().view(self.programme()).await?;
        let generation = view.map_or(0, |view| view.generation);
        if !is_same && !self.visible_feeds(generation).await?.is_empty() {
            return Err(AppError::Policy(
                "the match keys may not change while records linked by the old ones are visible".to_owned(),
            ));
        }
        Ok(())
    }

    /// Keeps a party's signature, once it verifies under an enrolled key.
    ///
    /// # Errors
    ///
    /// [`AppError::Policy`] when agreement or key is unknown, the key is not a party's, or the signature is false.
    pub async fn sign_agreement(&self, signature: &PartySignature) -> Result<(), AppError> {
        let refuse = |reason: &str| Err(AppError::Policy(reason.to_owned()));
        let agreements = self.store().agreements().await?;
        let Some(stored) = agreements.iter().find(|stored| stored.reference == signature.agreement) else {
            return refuse("no such agreement is loaded");
        };
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        let Some((party, public_key)) = tx.signatory(&signature.key_id).await? else {
            return refuse("no such signatory key is enrolled");
        };
        let text = AgreementText::parse(&stored.body).map_err(|faults| AppError::Policy(faults.to_string()))?;
        if !text.has_party(&party) {
            return refuse("the signatory's agency is no party of the agreement");
        }
        let verified = VerifyingKey::from_bytes(&public_key)
            .is_ok_and(|key| key.verify(&stored.body, &signature.signature).is_ok());
        if !verified {
            return refuse("the signature is not the signatory's under this text");
        }
        tx.add_agreement_signature(&stored.sha256, &party, &signature.key_id, &signature.signature, now).await?;
        tx.raise_policy_revision(Some(self.programme())).await?;
        let body = Body::AgreementSignature(AgreementSignature {
            agreement: signature.agreement.clone(),
            sha256: Digest::new(stored.sha256),
            party,
            key: code(&signature.key_id)?,
            signature_sha256: Digest::of(&signature.signature),
        });
        tx.add_events(&[&self.event(now, body)?]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(())
    }

    /// Changes an agreement's status, with its log entry. Into force it comes by
    /// [`Gateway::approve_activation`] alone; what stops or ends one needs nobody's leave.
    ///
    /// # Errors
    ///
    /// [`AppError::Policy`] when the agreement is unknown or not in the status it should leave.
    pub async fn set_agreement_status(
        &self,
        reference: &AgreementRef,
        to: AgreementState,
        by: &str,
        reason: &str,
    ) -> Result<(), AppError> {
        if to == AgreementState::InForce {
            let rule = "two officers put an agreement in force, neither of whom asked for it";
            return Err(AppError::Policy(format!("{rule}: {reference} was not changed")));
        }
        if to == AgreementState::Signed {
            self.refuse_unsigned(reference).await?;
        }
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        let entry = self.move_agreement(&mut tx, now, (reference, to), by, reason).await?;
        tx.add_events(&[&entry]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(())
    }

    /// Changes an agreement's status within a transaction; gives the entry that has to be added in it.
    pub(in crate::app) async fn move_agreement(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        (reference, to): (&AgreementRef, AgreementState),
        by: &str,
        reason: &str,
    ) -> Result<NewEvent, AppError> {
        let Some((sha256, from)) = tx.agreement_status(reference).await? else {
            return Err(AppError::Policy(format!("no agreement {reference} is loaded")));
        };
        let word = status_word(to);
        if !may_follow(&from, to) || !tx.set_agreement_status(reference, &from, word, now).await? {
            return Err(AppError::Policy(format!("agreement {reference} is {from}: it cannot become {word}")));
        }
        tx.raise_policy_revision(Some(self.programme())).await?;
        let body = Body::AgreementStatus(StatusEntry {
            agreement: reference.clone(),
            sha256: Digest::new(sha256),
            from: serde_json::from_value(from.into()).ok(),
            to,
            by: code(by)?,
            approved_by: Vec::new(),
            reason: code(reason)?,
        });
        self.event(now, body)
    }
}

impl Gateway {
    /// An agreement is signed when every party's signature verifies.
    pub(super) async fn refuse_unsigned(&self, reference: &AgreementRef) -> Result<(), AppError> {
        let policies = self.current_policies().await?;
        let unsigned = policies.book().agreement(reference).is_none_or(|agreement| {
            agreement.text.parties().iter().any(|party| !agreement.signed_by.contains(&party.agency))
        });
        if unsigned {
            return Err(AppError::Policy(format!("agreement {reference} lacks a party's signature")));
        }
        Ok(())
    }
}

/// Refuses to serve with a policy book that a canned question shows to be wrong.
///
/// # Errors
///
/// [`AppError::Policy`] naming the question.
pub fn check_whole(policies: &Policies) -> Result<(), AppError> {
    self_test(policies.book()).map_err(|error| AppError::Policy(error.to_string()))?;
    if policies.match_keys().is_for_a_test_set() {
        tracing::warn!("the match keys are for a test set: never use them for people");
    }
    Ok(())
}

/// The ways an agreement's status may go.
pub(super) fn may_follow(from: &str, to: AgreementState) -> bool {
    use AgreementState::{Draft, Expired, InForce, Signed, Suspended, Withdrawn};
    match to {
        Draft => false,
        Signed => from == "draft",
        InForce => from == "signed" || from == "suspended",
        Suspended => from == "in_force",
        Expired => from == "in_force" || from == "suspended",
        Withdrawn => from != "withdrawn" && from != "expired",
    }
}

pub(super) fn status_word(state: AgreementState) -> &'static str {
    match state {
        AgreementState::Draft => "draft",
        AgreementState::Signed => "signed",
        AgreementState::InForce => "in_force",
        AgreementState::Suspended => "suspended",
        AgreementState::Expired => "expired",
        AgreementState::Withdrawn => "withdrawn",
    }
}

fn match_keys(files: &PolicyFiles) -> Result<MatchKeys, AppError> {
    let text = std::str::from_utf8(&files.match_keys)
        .map_err(|_| AppError::Policy("match-keys.toml is not UTF-8".to_owned()))?;
    MatchKeys::parse(text).map_err(|error| AppError::Policy(format!("match-keys.toml: {error}")))
}

fn documents(files: &PolicyFiles, programme: &ProgrammeCode) -> Result<Vec<StoredDocument>, AppError> {
    let refuse = |file: &str, faults: &dyn std::fmt::Display| AppError::Policy(format!("{file}: {faults}"));
    let document = |kind: &str, name: &str, body: &[u8]| StoredDocument {
        kind: kind.to_owned(),
        name: name.to_owned(),
        body: body.to_vec(),
        sha256: *Digest::of(body).as_bytes(),
    };
    let parsed = Programme::parse(&files.programme).map_err(|faults| refuse("programme.toml", &faults))?;
    if parsed.code() != programme {
        return Err(AppError::Policy("programme.toml is of another programme than this gateway's".to_owned()));
    }
    let mut documents = vec![
        document(kinds::PROGRAMME, parsed.code().as_str(), &files.programme),
        document(kinds::MATCH_KEYS, parsed.code().as_str(), &files.match_keys),
    ];
    for bytes in &files.agencies {
        let agency = Agency::parse(bytes).map_err(|faults| refuse("agency file", &faults))?;
        documents.push(document(kinds::AGENCY, agency.code().as_str(), bytes));
    }
    for (name, bytes) in &files.rules {
        documents.push(document(kinds::RULES, name, bytes));
    }
    Ok(documents)
}

/// Makes sure that the programme's row is there, before anything else is asked of it.
///
/// # Errors
///
/// [`AppError`] from the database.
pub async fn ensure_programme(store: &Store, programme: &ProgrammeCode) -> Result<(), AppError> {
    let mut tx = store.begin().await?;
    tx.ensure_programme(programme).await?;
    tx.commit().await?;
    Ok(())
}
