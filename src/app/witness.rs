//! Witnesses: partner agencies that cosign the checkpoints they saw, so that the log cannot be taken
//! back or rewritten without somebody noticing, and the stop of releases when they fall silent.

mod reach;
mod rule;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::error::AppError;
use super::gateway::Gateway;
use crate::crypto::sign::VerifyingKey;
use crate::domain::time::Timestamp;
use crate::store::{NewCosignature, StoreError};
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::cosignature::Witness;
use crate::tlog::note::{NoteVerifier as _, SignedNote, TYPE_COSIGNATURE, VerifierKeyError, parse_verifier_key};

pub use reach::witnessed_age;

/// How far a witness's clock may be from the database's.
const CLOCKS_S: i64 = 300;
/// How long what the database says of witnesses is believed without another look.
const BELIEVED: Duration = Duration::from_secs(5);

/// Whom the gateway believes, and how long it goes on without them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessRule {
    /// Verifier keys of witnesses.
    pub keys: Vec<String>,
    /// How many of them have to have seen the log.
    pub quorum: usize,
    /// Releases stop when that is longer ago.
    pub stop_after: Duration,
}

/// Why a cosignature is not taken.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// The gateway is configured without witnesses.
    #[error("this gateway has no witnesses")]
    NoWitnesses,
    /// Not a checkpoint of this log with a cosignature.
    #[error("not a checkpoint of this log with a witness's cosignature")]
    Malformed,
    /// No configured witness signed it.
    #[error("no witness that this gateway knows cosigned it")]
    Unknown,
    /// The text is not what the log signed.
    #[error("the checkpoint is not one that this log signed: keep it, it is evidence")]
    Foreign,
    /// The cosignature's time is far from the database's.
    #[error("the cosignature's time is more than five minutes from the gateway's")]
    Clock,
    /// Something failed inside.
    #[error(transparent)]
    App(#[from] AppError),
}

impl From<StoreError> for WitnessError {
    fn from(error: StoreError) -> Self {
        Self::App(error.into())
    }
}

/// What the gateway knows of its witnesses.
pub struct Witnesses {
    rule: WitnessRule,
    known: Vec<(String, Witness)>,
    /// Until when releases may go on, and when that was found out.
    good: Mutex<Option<(Instant, Option<Instant>)>>,
}

impl Witnesses {
    /// Reads the keys.
    ///
    /// # Errors
    ///
    /// [`VerifierKeyError`] when a text is not a witness's verifier key.
    pub fn new(rule: WitnessRule) -> Result<Self, VerifierKeyError> {
        let known = rule.keys.iter().map(|text| Ok((text.clone(), witness_of(text)?)));
        Ok(Self { known: known.collect::<Result<_, VerifierKeyError>>()?, rule, good: Mutex::new(None) })
    }

    /// How many there are, and how many have to have seen the log.
    pub fn numbers(&self) -> (usize, usize) {
        (self.known.len(), self.rule.quorum)
    }

    /// Releases stop when they have not seen the log for so long.
    pub const fn stop_after(&self) -> Duration {
        self.rule.stop_after
    }

    fn note(&self, good: Option<(Instant, Option<Instant>)>) {
        *self.good.lock().unwrap_or_else(PoisonError::into_inner) = good;
    }
}

/// The witness with this verifier key.
///
/// # Errors
///
/// [`VerifierKeyError`] when the text is not one.
pub fn witness_of(text: &str) -> Result<Witness, VerifierKeyError> {
    let (name, key) = parse_verifier_key(text, TYPE_COSIGNATURE)?;
    let check = |key: &[u8; 32], message: &[u8], signature: &[u8]| {
        VerifyingKey::from_bytes(key).is_ok_and(|key| key.verify(message, signature).is_ok())
    };
    Ok(Witness::new(name, key, check))
}

impl Gateway {
    /// Takes a checkpoint that witnesses cosigned; gives how many cosignatures were new to it.
    ///
    /// # Errors
    ///
    /// [`WitnessError`]; nothing was stored then.
    pub async fn take_cosignatures(&self, note: &[u8]) -> Result<usize, WitnessError> {
        let witnesses = self.witnesses().ok_or(WitnessError::NoWitnesses)?;
        let note = SignedNote::parse(note).map_err(|_| WitnessError::Malformed)?;
        let checkpoint = Checkpoint::parse(note.text()).map_err(|_| WitnessError::Malformed)?;
        let own = self.store().checkpoint_of(checkpoint.size).await?.ok_or(WitnessError::Foreign)?;
        let own = SignedNote::parse(own.as_bytes()).map_err(|_| StoreError::Corrupt("checkpoint"))?;
        if own.text() != note.text() || checkpoint.origin != self.names().log {
            return Err(WitnessError::Foreign);
        }
        let now = self.store().now().await?;
        let mut found = Vec::new();
        for (text, witness) in &witnesses.known {
            let is_its = |name: &str, id| name == witness.name() && id == witness.key_id();
            let Some(line) = note.signatures().iter().find(|line| is_its(line.name(), line.key_id())) else { continue };
            if !witness.verify(note.text().as_bytes(), line.bytes()) {
                return Err(WitnessError::Malformed);
            }
            let seconds = Witness::seconds(line).and_then(|seconds| i64::try_from(seconds).ok());
            let signed_at = Timestamp::from_micros(0).plus_seconds(seconds.ok_or(WitnessError::Malformed)?);
            if (signed_at.as_seconds() - now.as_seconds()).abs() > CLOCKS_S {
                return Err(WitnessError::Clock);
            }
            found.push((text.clone(), signed_at, line.to_string()));
        }
        if found.is_empty() {
            return Err(WitnessError::Unknown);
        }
        let taken = found.len();
        let mut tx = self.store().begin().await?;
        // A witness that keeps signing an old checkpoint has not seen what came after it.
        let grown_at = tx.grown_at(checkpoint.size).await?;
        for (witness, signed_at, line) in found {
            let covers_until = grown_at.unwrap_or(signed_at).min(signed_at).min(now);
            let new = NewCosignature { size: checkpoint.size, witness, signed_at, covers_until, line };
            tx.put_cosignature(&new).await?;
        }
        tx.commit().await?;
        witnesses.note(None);
        Ok(taken)
    }

    /// Whether anything may be released: enough witnesses have seen the log lately.
    ///
    /// # Errors
    ///
    /// [`AppError::WitnessLate`] when they have not.
    pub async fn check_witnesses(&self) -> Result<(), AppError> {
        let Some(witnesses) = self.witnesses() else { return Ok(()) };
        let kept = *witnesses.good.lock().unwrap_or_else(PoisonError::into_inner);
        let good_until = if let Some((_, good_until)) = kept.filter(|(looked, _)| looked.elapsed() < BELIEVED) {
            good_until
        } else {
            let age = witnessed_age(self.store(), witnesses, &self.names().log).await?;
            let left = age.and_then(|age| witnesses.rule.stop_after.checked_sub(age));
            let now = Instant::now();
            let good_until = left.map(|left| now + left);
            witnesses.note(Some((now, good_until)));
            good_until
        };
        if good_until.is_some_and(|until| Instant::now() < until) {
            return Ok(());
        }
        tracing::error!(
            code = "log.witness-late",
            "no quorum of witnesses has seen the log lately: nothing is released"
        );
        Err(AppError::WitnessLate)
    }
}
